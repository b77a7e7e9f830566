"""The build: its flavours, the fault that the checked one must notice, and what a wheel may hold."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from leoreturns._core import build, build_info

ROOT = Path(__file__).resolve().parents[1]
FLAVOUR = build_info()["flavour"]
on_checked = pytest.mark.skipif(FLAVOUR != "checked", reason="needs the checked build: make checked")
on_release = pytest.mark.skipif(FLAVOUR != "release", reason="needs the release build")

PLANTED_FAULT = """
import numpy as np
from leoreturns._core import build

def test_reads_past_the_end():
    assert build.read_past_end(np.ones(3)) == 0.0
"""


def test_build_info_names_flavour_and_versions() -> None:
    info = build_info()
    assert set(info) == {"flavour", "cython", "limited_api"}
    assert info["flavour"] in {"release", "checked"}
    assert re.fullmatch(r"3\.\d+\.\d+", info["cython"])
    assert info["limited_api"] == "3.11"


@pytest.mark.skipif("LEORETURNS_CHECKED" not in os.environ, reason="no flavour asked for")
def test_the_flavour_asked_for_is_the_flavour_tested() -> None:
    assert (FLAVOUR == "checked") == (os.environ["LEORETURNS_CHECKED"] == "1")


@on_release
def test_the_planted_fault_refuses_to_run_on_the_release_build() -> None:
    with pytest.raises(RuntimeError, match="checked build only"):
        build.read_past_end(np.ones(3))


def test_a_kernel_refuses_none_and_another_type() -> None:
    with pytest.raises(TypeError):
        build.read_past_end(None)
    with pytest.raises(ValueError, match="Buffer dtype mismatch"):
        build.read_past_end(np.ones(3, dtype=np.float32))


@on_checked
def test_the_planted_fault_fails_the_suite(tmp_path: Path) -> None:
    configured = run_pytest(tmp_path, [])
    assert configured.returncode == pytest.ExitCode.TESTS_FAILED, configured.stdout
    assert "PytestUnraisableExceptionWarning" in configured.stdout
    assert "Out of bounds on buffer access" in configured.stdout
    # It is our configuration that notices: without it the same run passes.
    assert run_pytest(tmp_path, ["-o", "filterwarnings="]).returncode == pytest.ExitCode.OK


def run_pytest(folder: Path, options: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the planted fault under the project's pytest configuration."""
    (folder / "test_planted_fault.py").write_text(PLANTED_FAULT)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *options, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_a_build_in_place_always_has_the_flavour_asked_for(tmp_path: Path) -> None:
    (tmp_path / "leoreturns/_core").mkdir(parents=True)
    (tmp_path / "leoreturns/__init__.py").touch()
    for name in ("setup.py", "leoreturns/_core/__init__.py", "leoreturns/_core/build.pyx"):
        shutil.copy(ROOT / name, tmp_path / name)
    # The second time round each flavour finds its own kernels built, and those of the other one, newer, in place.
    for flavour in ("release", "checked", "release", "checked"):
        environment = {**os.environ, "LEORETURNS_CHECKED": str(int(flavour == "checked"))}
        in_place(tmp_path, environment, "setup.py", "-q", "build_ext", "--inplace")
        printed = in_place(tmp_path, environment, "-c", "from leoreturns._core import build; print(build.info())")
        assert f"'{flavour}'" in printed


def in_place(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Run Python on the package of a folder, ahead of any that is installed."""
    environment = {**environment, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distribution() -> ModuleType:
    spec = importlib.util.spec_from_file_location("distribution", ROOT / "tools/distribution.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SOURCES = {"leoreturns/__init__.py", "leoreturns/py.typed", "leoreturns/_core/codes.pyx", "leoreturns/_core/codes.pyi"}
BINARIES = {"leoreturns/_core/codes.abi3.so", "leoreturns/_core/_cyutility.abi3.so"}
METADATA = {"leoreturns-0.1.0.dist-info/WHEEL"}


def test_a_complete_wheel_has_no_problems(distribution: ModuleType) -> None:
    assert distribution.wheel_problems(SOURCES | BINARIES | METADATA, SOURCES) == []
    assert distribution.sdist_problems(SOURCES | {"setup.py"}, SOURCES) == []


@pytest.mark.parametrize(
    ("added", "removed", "problem"),
    [
        ("leoreturns/_core/codes.c", None, "without being a source: leoreturns/_core/codes.c"),
        ("leoreturns/old.py", None, "without being a source: leoreturns/old.py"),
        ("tests/test_build.py", None, "without being a source: tests/test_build.py"),
        ("leoreturns/_core/old.abi3.so", None, "compiled without a source: old"),
        (None, "leoreturns/_core/codes.pyi", "not in the wheel: leoreturns/_core/codes.pyi"),
        (None, "leoreturns/_core/codes.abi3.so", "kernel not compiled: codes"),
        (None, "leoreturns/_core/_cyutility.abi3.so", "kernel not compiled: _cyutility"),
    ],
)
def test_a_wrong_wheel_is_told(distribution: ModuleType, added: str | None, removed: str | None, problem: str) -> None:
    names = (SOURCES | BINARIES | METADATA | {added}) - {removed, None}
    (found,) = distribution.wheel_problems(names, SOURCES)
    assert found.endswith(problem)


def test_a_wrong_sdist_or_tag_is_told(distribution: ModuleType) -> None:
    assert distribution.sdist_problems(SOURCES | {"leoreturns/_core/codes.c"}, SOURCES) == [
        "generated file in the sdist: leoreturns/_core/codes.c"
    ]
    assert distribution.sdist_problems(SOURCES - {"leoreturns/py.typed"}, SOURCES) == [
        "not in the sdist: leoreturns/py.typed"
    ]
    assert distribution.tag_problems("leoreturns-0.1.0-cp311-abi3-linux_x86_64.whl") == []
    assert distribution.tag_problems("leoreturns-0.1.0-cp311-cp311-linux_x86_64.whl") == [
        "tagged cp311-cp311, not cp311-abi3"
    ]
