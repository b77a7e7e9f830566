"""Simulated persons as a panel are those that the build derives from their tables, to the last bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from build_cases import built, definitions, simulated

import leoreturns as lr
from leoreturns.extract.simulate.truth import Truth
from leoreturns.panel.panel import Panel
from leoreturns.panel.simulated import simulate_panel

LEFT_OUT = {
    "fsm_6", "fsm_ever", "ks4_gcse_points_old", "absence_rate", "ever_excluded", "ever_in_need", "ever_looked_after",
    "n_a_levels", "ks5_points", "pathway", "highest_level",
}  # fmt: skip
SEED = 11  # of `simulated`


def assert_same(made: Panel, derived: Panel) -> None:
    assert np.array_equal(made.ids.data, derived.ids.data)
    assert np.array_equal(made.keys, derived.keys)
    assert np.array_equal(made.offsets, derived.offsets)
    kept = [name for name in derived.schema.columns if name not in LEFT_OUT]
    assert list(made.schema.columns) == kept
    for name in kept:
        assert made.schema.columns[name] == derived.schema.columns[name], name
        ours, theirs = made.array(name), derived.array(name)
        assert ours.dtype == theirs.dtype, name
        assert np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"), name
    assert made.settings["coverage"] == derived.settings["coverage"]
    assert made.settings["definitions"] == derived.settings["definitions"]


@pytest.mark.parametrize(
    ("cohorts", "preset", "overrides", "options"),
    [
        (range(2002, 2008), "dfe-2021", {}, {}),
        (range(2002, 2008), "dfe-2021", {"cohorts": [2003, 2004], "last_tax_year": 2020}, {"chunk_persons": 1_000}),
        (
            range(2002, 2006),
            "dfe-statistics",
            {"sector": "enterprise", "uncertain_dates": "unknown", "minimum_days": 30, "moves_across_2012": True},
            {"truth": {"place_sd": 0.2, "degree": (0.0, 0.5)}, "n_schools": 60},
        ),
        (range(2004, 2016), "fft", {"uncertain_dates": "exclude"}, {}),
    ],
)
def test_a_simulated_panel_is_the_one_that_its_tables_give(
    tmp_path: Path, cohorts: range, preset: str, overrides: dict[str, Any], options: dict[str, Any]
) -> None:
    n = 2_500
    folder = simulated(tmp_path / "extract", n, defects=False, cohorts=cohorts, **options)
    chosen = {"cohorts": cohorts, "preset": preset} | overrides
    made = simulate_panel(n_persons=n, seed=SEED, definitions=definitions(**chosen), cohorts=cohorts, **options)
    assert_same(made, built(folder, **chosen))
    told = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    assert made.settings["simulation"] == told


def test_the_same_panel_for_any_number_of_threads() -> None:
    chosen = definitions()
    one, two = (
        simulate_panel(n_persons=900, seed=3, definitions=chosen, chunk_persons=200, n_jobs=n_jobs) for n_jobs in (1, 2)
    )
    assert_same(one, two)


def test_what_a_simulated_panel_tells() -> None:
    panel = lr.simulate_panel(n_persons=300, seed=1, definitions=definitions(), truth={"covid": (0, 0, 0)})
    assert panel.n_person == 300
    assert panel.settings["simulation"]["truth"] == Truth(covid=(0.0, 0.0, 0.0)).settings
    assert {"degree", "area", "school"} <= set(panel.settings["simulation"]["estimands"])
    assert panel.schema.columns["school"].entity and panel.schema.columns["earnings"].unit == "GBP/year"


def test_arguments_are_checked() -> None:
    chosen = definitions()
    with pytest.raises(ValueError, match="cohorts must be at most 2015"):
        simulate_panel(n_persons=10, seed=1, definitions=chosen, cohorts=[2007, 2016])
    with pytest.raises(lr.PanelError, match="no person of the definitions' cohorts"):
        simulate_panel(n_persons=10, seed=1, definitions=chosen, cohorts=[2008])
    with pytest.raises(TypeError, match=r"lr\.Definitions\.preset"):
        simulate_panel(n_persons=10, seed=1, definitions="dfe-2021")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n_schools must be between"):
        simulate_panel(n_persons=10, seed=1, definitions=chosen, n_schools=5)
