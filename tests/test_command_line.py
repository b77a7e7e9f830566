"""The command line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from leoreturns.__main__ import LEFT_OUT, describe, installed, main, setting
from leoreturns._core import build_info
from leoreturns.panel.definitions import illustrative_deflator
from leoreturns.panel.panel import Panel
from leoreturns.panel.records import LeftOut
from leoreturns.panel.waterfall import Waterfall


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


# ---- simulate and build ---------------------------------------------------------------------------------------------


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "leo"
    result = run("simulate", path, "--persons", 200, "--seed", 5)
    assert result.exit_code == 0, result.output
    assert result.output == f"{path}: 200 simulated persons\n"
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_simulate_writes_the_same_files_for_the_same_seed(extract: Path, tmp_path: Path) -> None:
    run("simulate", tmp_path / "again", "--persons", 200, "--seed", 5, "--jobs", 2)
    run("simulate", tmp_path / "whole", "--persons", 200, "--seed", 5, "--no-defects")
    assert files(tmp_path / "again") == files(extract) != files(tmp_path / "whole")


def test_build_stores_the_panel_and_prints_its_waterfall(extract: Path, tmp_path: Path) -> None:
    lookup = f"regions={extract / 'lookups' / 'regions.csv'}"
    result = run(
        "build", extract, "--to", tmp_path / "panel", "--preset", "dfe-2021", "--deflator", "illustrative",
        "--lookup", lookup, "--set", "cohorts=2003-2006", "--set", "sustained=181 days", "--set", "minimum_days=30",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    panel = Panel.open(tmp_path / "panel")
    definitions = panel.settings["definitions"]
    assert definitions["cohorts"] == [2003, 2004, 2005, 2006]
    assert [definitions["sustained"], definitions["minimum_days"]] == ["181 days", 30]
    assert "home_region" in panel.schema.columns
    assert repr(Waterfall.of(panel.settings)) in result.output
    assert repr(panel) in result.output
    assert result.output.splitlines()[0].startswith("Extract of ")
    assert result.output.splitlines()[-1] == str(tmp_path / "panel")
    assert "rows of employment left out: " in result.output


def test_build_takes_one_cohort_by_its_year(extract: Path, tmp_path: Path) -> None:
    definitions = ("--preset", "dfe-2021", "--deflator", "illustrative", "--set", "cohorts=2004")
    result = run("build", extract, "--to", tmp_path / "panel", *definitions)
    assert result.exit_code == 0, result.output
    assert Panel.open(tmp_path / "panel").settings["definitions"]["cohorts"] == [2004]


@pytest.mark.parametrize("command", ["info", "demo", "simulate", "build"])
def test_a_number_of_threads_that_is_none_is_an_error_without_a_traceback(
    command: str, extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEORETURNS_NUM_THREADS", "many")
    arguments = {
        "info": (),
        "demo": ("--to", tmp_path),
        "simulate": (tmp_path / "leo", "--persons", 5, "--seed", 1),
        "build": (extract, "--to", tmp_path / "panel", "--preset", "fft", "--deflator", "illustrative"),
    }[command]
    result = run(command, *arguments)
    assert result.exit_code == 1
    assert "Error: LEORETURNS_NUM_THREADS must be a positive number" in result.output
    assert isinstance(result.exception, SystemExit)


def test_build_names_what_is_absent(extract: Path, tmp_path: Path) -> None:
    without = tmp_path / "leo"
    shutil.copytree(extract, without, ignore=shutil.ignore_patterns("cjrs*", "lookup_recid*", "regions.csv"))
    result = run("build", without, "--to", tmp_path / "p", "--preset", "fft", "--deflator", "illustrative")
    assert result.exit_code == 0, result.output
    assert "without cjrs: no furloughed, furlough_weeks" in result.output
    assert "without lookup_regions: no home_region" in result.output
    assert "ilr_aims cannot be linked to persons: lookup_recid is missing" in result.output


def test_build_takes_a_price_index_from_a_file(extract: Path, tmp_path: Path) -> None:
    index = pd.Series(illustrative_deflator(), name="index").rename_axis("tax_year")
    index.to_csv(tmp_path / "cpih.csv")
    run("build", extract, "--to", tmp_path / "a", "--preset", "fft", "--deflator", tmp_path / "cpih.csv")
    run("build", extract, "--to", tmp_path / "b", "--preset", "fft", "--deflator", "illustrative", "--jobs", 1)
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--deflator", "nowhere.csv"], "'nowhere.csv' cannot be read as a CSV file with columns tax_year and index"),
        (["--set", "months_in_row=six"], "months_in_row is a number, not 'six'"),
        (["--set", "months_in_row=13"], "months_in_row lies between 1 and 12"),
        (["--set", "colour=red"], "no setting colour"),
        (["--set", "sector=tax"], "sector is one of 'pay', 'enterprise', not 'tax'"),
        (["--set", "cohorts=1990-1991"], "the deflator lacks tax years"),
        (["--lookup", "counties=x.csv"], "unknown lookup 'counties'"),
        (["--jobs", "0"], "n_jobs must be a positive number of threads or -1 for all, not '0'"),
        (["--lookup", "regions=x.csv"], "'x.csv'"),
        (["--set", "cohorts=2012-2014"], "no person of the cohorts is left"),
    ],
)
def test_what_build_cannot_do_is_an_error_without_a_traceback(
    arguments: list[str], message: str, extract: Path, tmp_path: Path
) -> None:
    given = ["build", extract, "--to", tmp_path / "panel", "--preset", "dfe-2021", "--deflator", "illustrative"]
    result = run(*given, *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "Error: " in result.output and message in result.output and "Traceback" not in result.output
    assert not (tmp_path / "panel").exists()


def test_a_target_that_exists_or_an_extract_that_does_not_is_an_error(extract: Path, tmp_path: Path) -> None:
    definitions = ("--preset", "dfe-2021", "--deflator", "illustrative")
    for result in (
        run("simulate", extract, "--persons", 10, "--seed", 1),
        run("build", extract, "--to", extract, *definitions),
        run("build", tmp_path / "nowhere", "--to", tmp_path / "panel", *definitions),
        run("build", tmp_path, "--to", tmp_path / "panel", *definitions),
    ):
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--set=minimum_days", "--set==3", "--lookup=regions"])
def test_an_option_of_another_form_is_an_error_of_use(option: str, tmp_path: Path) -> None:
    result = run("build", tmp_path, "--to", "p", "--preset", "fft", "--deflator", "illustrative", option)
    assert result.exit_code == 2
    assert "takes NAME=VALUE" in result.output


def test_settings_are_read_as_what_they_stand_for() -> None:
    assert setting("2002-2004") == range(2002, 2005)
    assert setting("2002-04") == setting("1998-2004")[4:] == range(2002, 2005)
    for reversed_span in ("2004-2002", "2004-02"):
        with pytest.raises(click.UsageError, match=f"the span '{reversed_span}' ends before it begins"):
            setting(reversed_span)
    assert setting("[2002, 2004]") == [2002, 2004]
    assert [setting("30"), setting("None"), setting("True"), setting("1e6")] == [30, None, True, 1e6]
    assert [setting("181 days"), setting("as paid"), setting("keep")] == ["181 days", "as paid", "keep"]


def test_every_reason_has_its_words() -> None:
    assert LEFT_OUT.keys() == set(LeftOut.__dataclass_fields__)


def test_build_runs_as_a_module_and_shows_no_traceback(extract: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "leoreturns", "build", str(extract), "--to", str(tmp_path / "no" / "panel")]
    done = subprocess.run(
        [*command, "--preset", "fft", "--deflator", "illustrative"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"Error: the folder {str(tmp_path / 'no')!r} does not exist; make it first\n"
