"""Bootstrap plans: what they accept, what they refuse and why, and what they keep of a frame."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from panel_cases import wage_panel, wages
from test_draws import all_weights

from leoreturns.errors import PanelError, SupportError
from leoreturns.panel import Panel
from leoreturns.resample.draws import Draws
from leoreturns.resample.plan import BootstrapPlan

SCHOOLS = {"unit": "school", "seed": 7, "scheme": "multinomial"}


def areas() -> Panel:
    """A panel whose schools lie in areas of two columns."""
    frame = wages()
    number = frame["school"].str.removeprefix("school ").astype(int)
    return wage_panel(frame.assign(area=number % 2, kind=np.where(number > 4, "big", "small")))


# ---- settings -------------------------------------------------------------------------------------------------------


def test_the_usual_plan_needs_a_seed_alone() -> None:
    plan = BootstrapPlan(seed=2024)
    assert plan.settings == {
        "n_replicates": 999,
        "unit": "person",
        "seed": 2024,
        "scheme": "poisson",
        "strata": [],
        "interval": "percentile",
        "level": 0.95,
    }
    with pytest.raises(TypeError, match="seed"):
        BootstrapPlan(999)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        BootstrapPlan(999, "person", seed=1)  # type: ignore[misc]


def test_whole_numbers_of_any_type_are_stored_as_int() -> None:
    plan = BootstrapPlan(np.int32(99), seed=np.uint64(2**64 - 1))  # type: ignore[arg-type]
    assert (plan.n_replicates, plan.seed) == (99, 2**64 - 1)
    assert {type(plan.n_replicates), type(plan.seed)} == {int}
    assert type(BootstrapPlan(seed=1, level=np.float64(0.9)).level) is float


@pytest.mark.parametrize("value", [1, 0, -5, True, 99.0, "99", None, 2**32])
def test_other_numbers_of_replicates_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="n_replicates is a whole number from 2"):
        BootstrapPlan(value, seed=1, interval="normal")


@pytest.mark.parametrize("value", [-1, 2**64, False, 1.0, "1", None])
def test_other_seeds_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="seed is a whole number from 0"):
        BootstrapPlan(seed=value)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, -0.5, float("nan"), "0.95", None, True])
def test_levels_lie_between_zero_and_one(level: Any) -> None:
    with pytest.raises(ValueError, match="level lies between 0 and 1"):
        BootstrapPlan(seed=1, level=level)


@pytest.mark.parametrize(
    ("level", "needed"), [(0.95, 39), (0.9, 19), (0.99, 199), (0.999, 1999), (0.8, 9), (0.5, 3), (2 / 3, 5)]
)
@pytest.mark.parametrize("interval", ["percentile", "basic", "bca", "studentised"])
def test_quantiles_need_enough_replicates(interval: Any, level: float, needed: int) -> None:
    assert BootstrapPlan(needed, seed=1, interval=interval, level=level).n_replicates == needed
    with pytest.raises(ValueError, match=f"needs at least {needed:,} replicates, not {needed - 1:,}"):
        BootstrapPlan(needed - 1, seed=1, interval=interval, level=level)


@pytest.mark.parametrize("interval", ["normal", "exact"])
def test_other_intervals_need_few_replicates(interval: Any) -> None:
    assert BootstrapPlan(2, seed=1, interval=interval, level=0.999).n_replicates == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "pairs"}, "scheme is one of 'poisson', 'bayesian', 'multinomial', not 'pairs'"),
        ({"interval": "BCa"}, "interval is one of .* not 'BCa'"),
        ({"unit": ""}, "unit is 'person' or the name"),
        ({"unit": 5}, "unit is 'person' or the name"),
        ({"strata": "area"}, "strata change nothing with scheme='poisson'"),
        ({"strata": ["area"], "scheme": "bayesian"}, "strata change nothing with scheme='bayesian'"),
        ({"strata": ["area", "area"], "scheme": "multinomial"}, "each given once"),
        ({"strata": [1], "scheme": "multinomial"}, "names of columns"),
        ({"scheme": "multinomial"}, "give frame="),
        ({"interval": "exact", "unit": "school"}, "independent persons"),
        ({"interval": "exact", "strata": "area"}, "independent persons"),
        ({"interval": "exact", "scheme": "bayesian"}, "draws nothing"),
        ({"interval": "exact", "scheme": "multinomial"}, "draws nothing"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BootstrapPlan(seed=1, **options)


@pytest.mark.parametrize("options", [{}, {"scheme": "bayesian"}, {"interval": "exact"}])
def test_a_frame_is_refused_where_nothing_is_drawn_from_it(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="frame"):
        BootstrapPlan(seed=1, frame=wage_panel(), **options)


def test_a_plan_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        BootstrapPlan(seed=1).seed = 2  # type: ignore[misc]


# ---- frames ---------------------------------------------------------------------------------------------------------


def test_a_plan_keeps_the_units_of_its_frame_and_nothing_else() -> None:
    panel = areas()
    plan = BootstrapPlan(99, strata="area", frame=panel, **SCHOOLS)
    keys, strata = panel.units("school", "area")
    assert plan.strata == ("area",)
    assert plan.frame is not None
    found = plan.frame.units("school", ("area",))
    assert np.array_equal(found[0], keys)
    assert np.array_equal(found[1], strata)
    assert not found[0].flags.writeable
    assert plan.settings["n_units"] == len(keys) == 9
    assert plan.settings["fingerprint"] == sum(keys.tolist()) % 2**64
    assert repr(plan).endswith("level=0.95, frame=<9 units in 2 strata>)")
    assert not any(str(key) in repr(plan) for key in keys)
    assert len(pickle.dumps(plan)) < 2000


def test_plans_compare_hash_and_pickle() -> None:
    panel = areas()
    plan = BootstrapPlan(99, strata=["kind", "area"], frame=panel, **SCHOOLS)
    same = BootstrapPlan(99, strata=("kind", "area"), frame=panel, **SCHOOLS)
    assert plan == same
    assert hash(plan) == hash(same)
    for other in (
        dataclasses.replace(plan, seed=8),
        BootstrapPlan(99, strata=["area", "kind"], frame=panel, **SCHOOLS),
        BootstrapPlan(99, strata=["kind", "area"], frame=panel.where("school != 'school 2'"), **SCHOOLS),
        BootstrapPlan(99, seed=7),
    ):
        assert plan != other
    for copied in (pickle.loads(pickle.dumps(plan)), copy.deepcopy(plan)):
        assert copied == plan
        assert not copied.frame.keys.flags.writeable
        keys = panel.units("school")[0]
        assert np.array_equal(all_weights(Draws(copied), keys), all_weights(Draws(plan), keys))


def test_a_changed_plan_keeps_its_frame_unless_it_is_of_other_units() -> None:
    plan = BootstrapPlan(99, frame=areas(), **SCHOOLS)
    assert dataclasses.replace(plan, interval="normal").frame == plan.frame
    with pytest.raises(ValueError, match="give frame= again"):
        dataclasses.replace(plan, unit="person")
    with pytest.raises(ValueError, match="give frame= again"):
        dataclasses.replace(plan, strata="area")


def test_a_frame_from_a_scan_makes_the_same_plan(tmp_path: Path) -> None:
    panel = areas()
    panel.save(tmp_path / "panel", partitions=7)
    for strata in ((), ("kind", "area")):
        whole, scanned = (
            BootstrapPlan(99, strata=strata, frame=frame, **SCHOOLS)
            for frame in (panel, Panel.scan(tmp_path / "panel"))
        )
        assert whole == scanned


def test_frames_that_will_not_do_are_refused() -> None:
    panel = areas()
    with pytest.raises(TypeError, match="a Panel or a Scan, not DataFrame"):
        BootstrapPlan(frame=wages(), **SCHOOLS)
    with pytest.raises(SupportError, match="no unit 'school'"):
        BootstrapPlan(frame=panel.where("hours > 1000"), **SCHOOLS)
    with pytest.raises(PanelError, match="unknown column 'college'"):
        BootstrapPlan(seed=1, unit="college", scheme="multinomial", frame=panel)
    with pytest.raises(PanelError, match="vary within"):
        BootstrapPlan(strata="sex", frame=panel, **SCHOOLS)


@pytest.mark.parametrize(("keys", "strata"), [([3, 2], [0, 0]), ([2, 2], [0, 0]), ([1, 2], [0]), ([1, 2], [0, -1])])
def test_units_out_of_order_are_refused(keys: list[int], strata: list[int]) -> None:
    class Frame:
        def units(self, unit: str, strata_by: Any = ()) -> Any:
            return np.array(keys, dtype=np.uint64), np.array(strata, dtype=np.int32)

    with pytest.raises(ValueError, match="distinct unit keys in ascending order"):
        BootstrapPlan(frame=Frame(), **SCHOOLS)


def test_a_stratum_of_one_unit_is_refused() -> None:
    frame = pd.DataFrame({"person": range(6), "year": 2020, "area": ["a", "a", "b", "b", "c", "d"]})
    panel = Panel.from_frame(frame, person="person", time="year")
    with pytest.raises(SupportError, match="of 4 strata of the frame 2 hold a single unit"):
        BootstrapPlan(99, seed=1, scheme="multinomial", frame=panel, strata="area")
