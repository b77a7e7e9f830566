"""The command line."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from leoreturns.__main__ import describe, installed, main
from leoreturns._core import build_info


def test_info_prints_what_describe_tells() -> None:
    result = CliRunner().invoke(main, ["info"])
    assert result.exit_code == 0
    printed = dict(line.split(maxsplit=1) for line in result.output.splitlines())
    assert printed == describe()
    assert printed["numpy"] == np.__version__
    assert printed["kernels"].startswith(build_info()["flavour"])


def test_info_respects_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEORETURNS_NUM_THREADS", "3")
    assert describe()["threads"] == "3"


def test_a_missing_library_is_said_to_be_missing() -> None:
    assert installed("no-such-distribution-of-leoreturns") == "not installed"


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leoreturns", "--version"], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.strip().endswith(version("leoreturns"))


def test_an_unknown_command_exits_with_an_error() -> None:
    assert CliRunner().invoke(main, ["no-such-command"]).exit_code == 2
