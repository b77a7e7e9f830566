"""The study in benchmarks/coverage_feols.py: what it draws, that it goes on when stopped, and what it counts."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    # Appended, so that the package tested stays in front of the one beside the benchmarks.
    sys.path.append(str(ROOT))
    module = importlib.import_module("benchmarks.coverage_feols")
    monkeypatch.setattr(module, "PUPILS", 2_000)
    monkeypatch.setattr(module, "SIZES", {30: 90})
    monkeypatch.setattr(module, "BATCH", 1)
    return module


def test_half_of_the_schools_are_treated(study: ModuleType) -> None:
    panel = study.population(30, 4)
    people = pd.DataFrame({name: panel.people[name] for name in ("school", "treated")}).dropna()
    by_school = people.groupby("school")["treated"].agg(["min", "max"])
    assert (by_school["min"] == by_school["max"]).all()
    assert len(by_school) <= 30 and 13 <= by_school["min"].sum() <= 15
    added = panel.years["outcome"] - panel.years["log_earnings"]
    treated = np.repeat(panel.people["treated"], np.diff(panel.offsets))
    assert np.nanmax(np.abs(added - study.EFFECT * treated)) < 1e-12


def test_a_study_that_was_stopped_goes_on_where_it_was(study: ModuleType, tmp_path: Path) -> None:
    path, other = tmp_path / "lines.jsonl", tmp_path / "other.jsonl"
    whole = study.study(path, 3)
    text = path.read_text(encoding="utf-8")
    # Stopped in the middle of a line.
    other.write_text(text[: len(text) // 2], encoding="utf-8")
    kept = text[: len(text) // 2].count("\n")
    assert kept == 1
    assert [batch for _, batch in study.jobs(whole[:kept], 3)] == [[1], [2]]
    pd.testing.assert_frame_equal(study.study(other, 3), whole)
    assert list(study.jobs(whole, 3)) == []
    again = other.read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(study.study(other, 3), whole)
    assert other.read_text(encoding="utf-8") == again


def test_coverage_is_the_share_of_intervals_that_hold_the_effect(study: ModuleType) -> None:
    ends = [[0.0, 0.1], [0.04, 0.06], [0.06, 0.2], [-0.1, 0.04]]
    lines = pd.DataFrame({"schools": 60, "population": range(4), **dict.fromkeys(study.COVARIANCES)})
    for name in study.COVARIANCES:
        lines[name] = ends
    table = study.coverages(lines)
    assert (table["coverage"] == 0.5).all() and (table["populations"] == 4).all()
    assert table["width"].to_numpy() == pytest.approx(0.12)
    assert "| CRV3 | **50.0** | 0.120 |" in study.as_markdown(table)
