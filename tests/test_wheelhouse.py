"""An installation without a package index, from the wheelhouse, as a secure environment does it."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the wheelhouse tools run on Linux"),
]


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheelhouse")
    run(sys.executable, str(ROOT / "tools/wheelhouse.py"), "--platform", "linux", "--to", str(folder))
    return folder


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a command and return what it prints; its errors show if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheelhouse_holds_our_wheel_for_old_linux(wheelhouse: Path) -> None:
    (ours,) = wheelhouse.glob("leoreturns-*.whl")
    assert "-cp311-abi3-" in ours.name and "manylinux2014" in ours.name
    with zipfile.ZipFile(ours) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".c")]


def test_it_installs_without_an_index_and_runs(wheelhouse: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    install = ["-m", "pip", "install", "-qq", "--no-index", "--find-links", str(wheelhouse), "leoreturns"]
    run(python, *install, cwd=tmp_path)
    printed = run(python, "-m", "leoreturns", "info", cwd=tmp_path)
    assert "release build" in printed
    assert "not installed" not in printed
    run(python, "-m", "leoreturns", "demo", "--persons", "3000", "--to", str(tmp_path / "out"), cwd=tmp_path)
    assert list((tmp_path / "out").rglob("*.csv")) and list((tmp_path / "out").rglob("*.png"))
