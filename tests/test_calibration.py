"""Published figures in a simulated population, from records with defects: wider bounds than the national ones."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest
from build_cases import built, simulated

ROOT = Path(__file__).resolve().parents[1]
PERSONS, FEWEST = 100_000, 300  # simulated; below, chance alone moves a figure beyond the bounds


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    # Appended, so that the package tested stays in front of the one beside the benchmarks.
    sys.path.append(str(ROOT))
    calibration = importlib.import_module("benchmarks.calibration")
    folder = tmp_path_factory.mktemp("calibration")
    panel = built(simulated(folder / "extract", PERSONS, n_jobs=None), n_jobs=None)
    table = calibration.compare(panel)
    return table[table["told"] & (table["persons"] >= FEWEST)]


def test_medians(figures: pd.DataFrame) -> None:
    median = figures[figures["measure"] == "median"]
    by_level = median[median["dimension"].isin(["all", "sex"]) & (median["level"] != "all")]
    assert len(median) > 2_000 and len(by_level) == 180
    assert (by_level["off"].abs() <= 0.04).mean() >= 0.95
    assert (median["off"].abs() <= 0.07).mean() >= 0.95


def test_main_activities(figures: pd.DataFrame) -> None:
    share = figures[figures["measure"] != "median"]
    large, small = share[share["value"] >= 2], share[share["value"] < 2]
    assert len(large) > 10_000 and len(small) > 4_000
    assert (large["off"].abs() <= 2.5).mean() >= 0.95
    assert (small["off"].abs() <= 0.5).mean() >= 0.95
