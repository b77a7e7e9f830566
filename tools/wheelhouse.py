"""Collect our wheel and every dependency's for a machine that reaches no package index.

``python tools/wheelhouse.py --platform windows --to wheelhouse/windows``, then on that machine
``pip install --no-index --find-links wheelhouse/windows leoreturns``.
"""

from __future__ import annotations

import argparse
import email
import sys
import tempfile
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from cross_windows import windows_wheel
from distribution import publishable, run

# Newest first; a dependency's wheel for any of these runs on RHEL 8 and later, and most on RHEL 7.
PLATFORMS = {
    "linux": [f"manylinux{tag}_x86_64" for tag in ("_2_28", "_2_27", "_2_24", "_2_17", "2014", "2010", "1")],
    "windows": ["win_amd64"],
}
MARKERS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
}


def own_wheel(platform: str, to: Path) -> Path:
    """Put our wheel for a platform into the wheelhouse."""
    with tempfile.TemporaryDirectory() as scratch:
        linux = publishable(Path(scratch) / "dist")
        if platform == "linux":
            wheel = to / linux.name
            wheel.write_bytes(linux.read_bytes())
            return wheel
        # The generated C of this checkout, brought up to date.
        run(["setup.py", "-q", "build_ext"])
        work = Path(scratch) / "cross"
        work.mkdir()
        return windows_wheel(linux, to, work)


def collect(platform: str, python: str, to: Path, own: Path) -> None:
    """Download the dependencies of our wheel, as wheels for the platform and the version of CPython."""
    tags = [option for tag in PLATFORMS[platform] for option in ("--platform", tag)]
    abis = [option for abi in (f"cp{python.replace('.', '')}", "abi3", "none") for option in ("--abi", abi)]
    target = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *tags, *abis]
    wanted = [str(own)]
    while wanted:
        run(["-m", "pip", "--disable-pip-version-check", "download", "-qq", "--dest", str(to), *target, *wanted])
        wanted = missing(to, {**MARKERS[platform], "python_version": python, "python_full_version": f"{python}.0"})


def missing(wheelhouse: Path, environment: dict[str, str]) -> list[str]:
    """List what the wheels of a folder require and the folder lacks.

    pip chooses by the tags of another platform but evaluates ``; sys_platform == "win32"`` on the machine it runs on.
    """
    present, required = set(), {}
    for wheel in wheelhouse.glob("*.whl"):
        present.add(canonicalize_name(wheel.name.split("-")[0]))
        for requirement in requirements(wheel):
            if requirement.marker is None or requirement.marker.evaluate({**environment, "extra": ""}):
                required[canonicalize_name(requirement.name)] = f"{requirement.name}{requirement.specifier}"
    return [required[name] for name in sorted(set(required) - present)]


def requirements(wheel: Path) -> list[Requirement]:
    """Read what a wheel requires."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        header = email.message_from_bytes(archive.read(metadata))
    return [Requirement(text) for text in header.get_all("Requires-Dist", [])]


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", choices=sorted(PLATFORMS), default="linux")
    parser.add_argument("--to", type=Path, required=True, help="folder of the wheelhouse; earlier wheels are removed")
    parser.add_argument("--python", default="3.11", help="CPython of the machine that installs (default 3.11)")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    for earlier in options.to.glob("*.whl"):
        earlier.unlink()
    own = own_wheel(options.platform, options.to)
    collect(options.platform, options.python, options.to.resolve(), own.resolve())
    wheels = list(options.to.glob("*.whl"))
    size = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    print(f"{options.to}: {len(wheels)} wheels, {size:.0f} MB")


if __name__ == "__main__":
    main()
