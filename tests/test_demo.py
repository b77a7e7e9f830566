"""The demo: from the wage panel to released files, twice."""

from __future__ import annotations

import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from linearmodels.datasets import wage_panel
from reference_table import table_of

from leoreturns import demo
from leoreturns.disclosure import Policy
from leoreturns.disclosure.protection import protect
from leoreturns.errors import DisclosureError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one run."""
    to = tmp_path_factory.mktemp("demo")
    demo.run_demo(to, show=lambda text: None)
    return to / "wage_panel"


def test_the_files_are_those_of_the_demo(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == demo.FILES


def test_released_numbers_are_those_of_pandas(out: Path) -> None:
    frame = wage_panel.load()
    frame["schooling"] = np.select([frame.educ < 12, frame.educ == 12], ["1", "2"], "3")
    frame["pay"] = np.exp(frame.lwage)
    frame["union"] = 1 - frame["union"]
    statistics = ["n_person", "p25", "p50", "p75"]
    table = table_of(frame, "pay", ["schooling", "union", "year"], statistics, person="nr", unit="USD/hour")
    expected = protect(table, Policy("ons-srs"))
    got = pd.read_csv(out / "hourly_pay.csv", dtype=str)
    assert got.columns.tolist() == ["schooling", "union", "year", *statistics]
    assert len(got) == 3 * 2 * 8
    for name in statistics:
        assert tuple(got[name]) == expected.texts[name]
    # From 1983 on, fewer than twenty men with more than twelve years of schooling were union members: no median.
    assert [expected.n_hidden(name) for name in statistics] == [0, 12, 5, 12]


def test_the_report_shows_sample_table_and_what_is_hidden(tmp_path: Path) -> None:
    parts: list[str] = []
    released = demo.run_demo(tmp_path, show=parts.append)
    report = "\n".join(parts)
    assert "545" in report
    assert "4,360" in report
    assert "p25 12, p50 5, p75 12" in report
    assert str(released.path / "hourly_pay_trajectories.png") in report
    medians = demo.released_table(released).xs("p50", level="hourly pay, $")
    assert medians.columns.tolist() == [str(year) for year in range(1980, 1988)]
    assert medians.index.tolist()[0] == ("under 12 years", "union")
    assert medians.loc[("over 12 years", "union")].tolist() == ["5.97", "5.98", "7.05"] + ["c"] * 5


def test_a_second_run_replaces_the_first_and_nothing_else(tmp_path: Path) -> None:
    first = demo.run_demo(tmp_path, show=lambda text: None)
    before = {name: (first.path / name).read_bytes() for name in first.files}
    again = demo.run_demo(tmp_path, show=lambda text: None)
    assert {name: (again.path / name).read_bytes() for name in again.files} == before
    (again.path / "mine.txt").write_text("kept")
    with pytest.raises(DisclosureError, match="exists already"):
        demo.run_demo(tmp_path, show=lambda text: None)
    assert (again.path / "mine.txt").read_text() == "kept"


def test_the_command_ends_with_one_on_a_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "wage_panel").mkdir()
    command = [sys.executable, "-m", "leoreturns", "demo", "--to", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "exists already" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_example_shows_the_same_run(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = runpy.run_path(str(ROOT / "examples" / "plot_wage_panel.py"))  # its folder goes when its names do
    released = names["released"]
    assert set(released.files) == demo.FILES
    for name in released.files:
        assert (released.path / name).read_bytes() == (out / name).read_bytes()
