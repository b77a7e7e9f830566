"""Turn the Linux wheel into one for 64-bit Windows by compiling the same generated C with a cross compiler.

The compiler is zig's, a package of PyPI. The limited API makes this possible without a Windows Python: its headers are
the same everywhere but for ``pyconfig.h`` (``tools/windows/pyconfig.h``), and a module links python3.dll alone, whose
symbols are published as the stable ABI.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ROOT / "build/cython-release/leoreturns/_core"
TARGET = "x86_64-windows-gnu"
PLATFORM = "win_amd64"
# As in setup.py.
COMPILE_ARGS = ["-O3", "-g0", "-ffp-contract=off", "-DPy_LIMITED_API=0x030B0000", "-DLEORETURNS_CHECKED=0"]


def windows_wheel(linux_wheel: Path, to: Path, scratch: Path) -> Path:
    """Write the Windows counterpart of a Linux wheel into a folder.

    Parameters
    ----------
    linux_wheel : Path
        Wheel built from this checkout; everything but its compiled modules is taken over.
    to, scratch : Path
        Folder for the wheel, and an empty folder to work in.

    Returns
    -------
    Path
        The wheel, tagged cp311-abi3-win_amd64.
    """
    headers = windows_headers(scratch / "include")
    import_library = stable_abi_library(scratch)
    files = {}
    with zipfile.ZipFile(linux_wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                module = Path(name).name.split(".")[0]
                compiled = compile_module(GENERATED / f"{module}.c", headers, import_library, scratch)
                files[f"{Path(name).parent.as_posix()}/{module}.pyd"] = compiled.read_bytes()
            elif not name.endswith(("/", "/RECORD")):
                files[name] = archive.read(name)
    return write_wheel(files, to / f"{linux_wheel.name.split('-abi3-')[0]}-abi3-{PLATFORM}.whl")


def windows_headers(to: Path) -> Path:
    """Copy the headers of this Python and put the Windows configuration in place of its own."""
    shutil.copytree(sysconfig.get_path("include"), to)
    shutil.copy(ROOT / "tools/windows/pyconfig.h", to / "pyconfig.h")
    return to


def stable_abi_library(to: Path) -> Path:
    """Make an import library of python3.dll: the functions and data of the stable ABI up to CPython 3.11."""
    from abi3info import DATAS, FUNCTIONS

    def names(symbols: dict) -> list[str]:
        return [symbol.name for symbol, entry in symbols.items() if (entry.added.major, entry.added.minor) <= (3, 11)]

    exports = [*names(FUNCTIONS), *(f"{name} DATA" for name in names(DATAS))]
    definition = to / "python3.def"
    definition.write_text("\n  ".join(['LIBRARY "python3.dll"\nEXPORTS', *exports]) + "\n")
    library = to / "libpython3.a"
    zig("dlltool", "-m", "i386:x86-64", "-d", str(definition), "-l", str(library))
    return library


def compile_module(source: Path, headers: Path, import_library: Path, scratch: Path) -> Path:
    """Compile one generated C file to a Windows extension module."""
    module = scratch / f"{source.stem}.pyd"
    arguments = [*COMPILE_ARGS, "-shared", "-s", f"-I{headers}", str(source), str(import_library), "-o", str(module)]
    zig("cc", "-target", TARGET, *arguments)
    return module


def zig(*arguments: str) -> None:
    """Run zig as packaged on PyPI."""
    subprocess.run([sys.executable, "-m", "ziglang", *arguments], check=True)


def write_wheel(files: dict[str, bytes], wheel: Path) -> Path:
    """Write a wheel's files with the platform tag and the RECORD that belong to them."""
    metadata = next(name for name in files if name.endswith(".dist-info/WHEEL"))
    lines = [line for line in files[metadata].decode().splitlines() if line and not line.startswith("Tag:")]
    files[metadata] = "\n".join([*lines, f"Tag: cp311-abi3-{PLATFORM}", ""]).encode()
    record = f"{Path(metadata).parent.as_posix()}/RECORD"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(record, "".join(record_line(name, files[name]) for name in files) + f"{record},,\n")
    return wheel


def record_line(name: str, content: bytes) -> str:
    """Return one line of RECORD: path, hash, size."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"
