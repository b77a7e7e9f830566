"""jointly(): one covariance over several tables, what can be combined from it, and that no replicate leaves it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference_bootstrap import collected, panel, people
from scipy import stats

import leoreturns as lr
from leoreturns.resample import joint as joint_module

FRAME = people(seed=3, n_person=120)
PANEL = panel(FRAME)
N = 211  # a number that no table has cells
PLAN = lr.BootstrapPlan(N, seed=9, level=0.9)
BY_SEX = partial(lr.aggregate, PANEL, "pay", by="sex", statistics=["n_obs", "mean", "p50"])
BY_YEAR = partial(lr.aggregate, PANEL, "pay", by="year", statistics="mean", where="cell == 'many'")
WHOLE = partial(lr.aggregate, PANEL, "employed", statistics="share")


def replicates_of(*calls: Any) -> np.ndarray:
    """Replicates of every estimate of the calls, taken one by one."""
    return np.concatenate([part for call in calls for part in collected(partial(call, plan=PLAN))[1].values()])


# ---- covariances ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["person", "school"])
@pytest.mark.parametrize("scheme", ["poisson", "bayesian", "multinomial"])
def test_the_covariance_is_that_of_the_replicates(scheme: Any, unit: str) -> None:
    plan = lr.BootstrapPlan(N, unit=unit, seed=9, scheme=scheme, frame=PANEL if scheme == "multinomial" else None)
    calls = [BY_SEX, BY_YEAR, WHOLE]
    found = lr.jointly(plan, calls)
    rows = np.concatenate([part for call in calls for part in collected(partial(call, plan=plan))[1].values()])
    assert found.matrix.shape == (len(rows), len(rows)) == (2 * 2 + 6 + 1,) * 2
    np.testing.assert_allclose(found.matrix, np.cov(rows), rtol=1e-12)
    assert (found.n_replicates, found.level) == (N, 0.95)
    points = [table.statistics[name] for table in found.results for name in table.intervals]
    assert found.point.tolist() == np.concatenate(points).tolist()
    errors = [table.intervals[name].std_error for table in found.results for name in table.intervals]
    np.testing.assert_allclose(np.sqrt(np.diag(found.matrix)), np.concatenate(errors), rtol=1e-12)


def test_results_are_those_of_the_calls_alone() -> None:
    found = lr.jointly(PLAN, [BY_SEX, WHOLE])
    assert len(found.results) == 2
    for table, call in zip(found.results, (BY_SEX, WHOLE), strict=True):
        pd.testing.assert_frame_equal(table.to_frame(), call(plan=PLAN).to_frame(), check_exact=True)


def test_estimates_go_by_call_statistic_and_cell() -> None:
    found = lr.jointly(PLAN, [BY_SEX, WHOLE, BY_SEX])
    names = [(0, "mean", "sex: F"), (0, "mean", "sex: M"), (0, "p50", "sex: F"), (0, "p50", "sex: M")]
    again = [(2, name, cell) for _, name, cell in names]
    assert found.index.tolist() == [*names, (1, "share", "all"), *again]
    assert found.index.names == ["call", "statistic", "cell"]
    assert found.estimates[0, "mean", "sex: F"] == found.point[0]
    assert found.covariance.loc[(0, "mean", "sex: F"), (1, "share", "all")] == found.matrix[0, 4]
    # One call made twice says the same twice.
    assert np.array_equal(found.matrix[:4, :4], found.matrix[5:, 5:])
    np.testing.assert_allclose(found.matrix[:4, :4], found.matrix[:4, 5:], rtol=1e-12)
    assert repr(found) == f"<Joint: 3 results, 9 estimates, {N} replicates>"


def test_a_call_of_several_tables_has_one_number() -> None:
    def both(plan: lr.BootstrapPlan) -> list[lr.Aggregate]:
        return [BY_SEX(plan=plan), BY_YEAR(plan=plan)]

    found = lr.jointly(PLAN, [both, WHOLE])
    assert len(found.results) == 2
    assert found.index.get_level_values("call").tolist() == [0] * (len(found.point) - 1) + [1]


def test_an_estimate_of_two_cells_by_one_name_is_not_combined() -> None:
    found = lr.jointly(PLAN, [lambda plan: [WHOLE(plan=plan), WHOLE(plan=plan)], BY_SEX])
    with pytest.raises(lr.SupportError, match="several estimates"):
        found.combine({(0, "share", "all"): 1})
    assert found.combine({(1, "mean", "sex: F"): 1})["estimate"] == found.estimates[1, "mean", "sex: F"]


def test_what_is_not_defined_has_no_standard_error_in_a_combination() -> None:
    call = partial(lr.aggregate, PANEL, "pay", by="cell", statistics="gini", where="cell == 'losses' or cell == 'many'")
    gap = lr.jointly(PLAN, [call]).combine({(0, "gini", "cell: many"): 1, (0, "gini", "cell: losses"): -1})
    assert np.isnan(gap).all()


def test_keys_are_named_in_words() -> None:
    call = partial(lr.aggregate, PANEL, "pay", by=["sex", "year"], statistics="mean")
    assert lr.jointly(PLAN, [call]).index[0] == (0, "mean", "sex: F, year: 2010")


def test_a_replicate_counts_where_every_estimate_is_defined() -> None:
    few = partial(lr.aggregate, PANEL, "pay", by="cell", statistics="mean", where="cell == 'few' or cell == 'many'")
    found = lr.jointly(PLAN, [few, WHOLE])
    rows = replicates_of(few, WHOLE)
    complete = np.isfinite(rows).all(axis=0)
    assert found.n_replicates == complete.sum() < N
    np.testing.assert_allclose(found.matrix, np.cov(rows[:, complete]), rtol=1e-12)


def test_an_estimate_that_is_not_defined_has_no_covariance() -> None:
    call = partial(
        lr.aggregate, PANEL, "pay", by="cell", statistics=["mean", "gini"], where="cell == 'losses' or cell == 'many'"
    )
    found = lr.jointly(PLAN, [call])
    assert found.n_replicates == N
    undefined = np.isnan(found.point)
    assert undefined.tolist() == [False, False, False, True]
    assert np.isnan(found.matrix[undefined]).all() and np.isnan(found.matrix[:, undefined]).all()
    assert np.isfinite(found.matrix[~undefined][:, ~undefined]).all()


# ---- combinations ---------------------------------------------------------------------------------------------------


def test_a_difference_within_a_table_is_its_contrast() -> None:
    contrast = lr.Contrast("sex", "M", "F")
    table = BY_SEX(plan=PLAN, contrasts=contrast)
    found = lr.jointly(PLAN, [BY_SEX])
    for name in ("mean", "p50"):
        gap = found.combine({(0, name, "sex: M"): 1, (0, name, "sex: F"): -1})
        wanted = table.contrasts[0]
        assert gap["estimate"] == pytest.approx(wanted.statistics[name][0], rel=1e-12)
        assert gap["se"] == pytest.approx(wanted.intervals[name].std_error[0], rel=1e-12)
        reach = stats.norm.ppf(0.95) * gap["se"]
        np.testing.assert_allclose(gap[["low", "high"]], gap["estimate"] + np.array([-reach, reach]), rtol=1e-12)


def test_a_sum_over_tables_is_that_of_its_replicates() -> None:
    found = lr.jointly(PLAN, [BY_SEX, BY_YEAR])
    weights = {(0, "p50", "sex: F"): 0.5, (1, "mean", "year: 2012"): -2.0}
    rows = replicates_of(BY_SEX, BY_YEAR)
    combined = 0.5 * rows[2] - 2.0 * rows[4 + 2]
    gap = found.combine(weights)
    assert gap["se"] == pytest.approx(np.std(combined, ddof=1), rel=1e-12)
    assert gap["estimate"] == pytest.approx(0.5 * found.point[2] - 2.0 * found.point[6], rel=1e-12)
    assert list(gap.index) == ["estimate", "se", "low", "high"]


def test_an_estimate_less_itself_is_nothing() -> None:
    found = lr.jointly(PLAN, [WHOLE, WHOLE])
    gap = found.combine({(0, "share", "all"): 1, (1, "share", "all"): -1})
    assert gap["estimate"] == 0.0
    assert gap["se"] < 1e-9


@pytest.mark.parametrize(
    "label", [(0, "mean", "sex: X"), (1, "mean", "sex: F"), (0, "sd", "sex: F"), "mean", (0, "mean")]
)
def test_estimates_that_are_not_there_are_not_combined(label: Any) -> None:
    with pytest.raises(lr.SupportError, match=r"an estimate is \(call, statistic, cell\), see joint.index"):
        lr.jointly(PLAN, [BY_SEX]).combine({label: 1.0})


# ---- replicates stay inside -----------------------------------------------------------------------------------------


def arrays_within(thing: Any, seen: set[int]) -> list[np.ndarray]:
    """Every array that an object holds, however deep."""
    if id(thing) in seen:
        return []
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return [thing] + ([] if thing.base is None else arrays_within(thing.base, seen))
    if isinstance(thing, pd.Series | pd.DataFrame | pd.Index):
        return [np.asarray(thing)]
    if is_dataclass(thing):
        return [found for entry in fields(thing) for found in arrays_within(getattr(thing, entry.name), seen)]
    if isinstance(thing, Mapping):
        return [found for value in thing.values() for found in arrays_within(value, seen)]
    if isinstance(thing, list | tuple):
        return [found for value in thing for found in arrays_within(value, seen)]
    return []


def test_no_result_holds_replicates() -> None:
    call = partial(lr.aggregate, PANEL, "pay", by=["sex", "year"], statistics=["mean", "p50", "gini"])
    full = partial(call, contrasts=lr.Contrast("sex", "M", "F"), bands="year")
    found = lr.jointly(PLAN, [full, BY_SEX])
    for thing in (found, full(plan=PLAN), BY_SEX(plan=PLAN)):
        held = arrays_within(thing, set())
        assert len(held) > 20
        assert not [array.shape for array in held if N in array.shape or array.size >= N * len(found.point)]
    assert not joint_module.is_collecting()


def test_a_failed_call_leaves_nothing_behind() -> None:
    def fails(plan: lr.BootstrapPlan) -> Any:
        BY_SEX(plan=plan)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        lr.jointly(PLAN, [fails])
    assert not joint_module.is_collecting()


# ---- what is refused ------------------------------------------------------------------------------------------------


def planless(data: Any = None) -> None:
    """A call that takes no plan."""


@pytest.mark.parametrize(
    ("plan", "calls", "error", "message"),
    [
        (99, [BY_SEX], TypeError, "plan is a BootstrapPlan, not int"),
        (lr.BootstrapPlan(seed=1, interval="exact"), [BY_SEX], lr.SupportError, "an exact plan draws no replicates"),
        (PLAN, [], lr.SupportError, "give at least one call"),
        (PLAN, WHOLE, TypeError, "calls is a list"),
        (
            PLAN,
            [partial(BY_SEX, where="cell == 'losses'", statistics="gini")],
            lr.SupportError,
            "no estimate is defined",
        ),
        (PLAN, [BY_SEX, 5], TypeError, r"call 1 is a int: give partial\(lr.aggregate"),
        (PLAN, [planless], TypeError, "call 0 takes no plan="),
        (PLAN, [partial(BY_SEX, plan=PLAN)], TypeError, "call 0 has a plan= of its own"),
        (PLAN, [BY_SEX, lambda plan: None], lr.SupportError, "call 1 gave no estimate with replicates"),
        (PLAN, [partial(BY_SEX, statistics="n_obs")], lr.SupportError, "counts and sums of weights get no interval"),
    ],
)
def test_calls_that_cannot_go_together_are_refused(plan: Any, calls: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lr.jointly(plan, calls)


def test_too_many_estimates_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint_module, "MAX_ESTIMATES", 5)
    assert len(lr.jointly(PLAN, [BY_SEX, WHOLE]).point) == 5
    with pytest.raises(lr.SupportError, match="6 estimates have too many covariances; ask for at most 5"):
        lr.jointly(PLAN, [BY_SEX, WHOLE, WHOLE])


def test_cells_too_small_to_go_together_are_refused() -> None:
    few = pd.DataFrame({"person": range(12), "year": 2020, "pay": np.repeat(np.arange(6.0), 2)})
    pairs = [partial(lr.aggregate, panel(few), "pay", statistics="mean", where=f"pay == {pay}") for pay in range(6)]
    both = np.isfinite(replicates_of(*pairs)).all(axis=0).sum()
    assert 2 < both < N / 2
    with pytest.raises(lr.SupportError, match=f"only {both} of {N} replicates have every estimate defined"):
        lr.jointly(PLAN, pairs)


def test_a_covariance_of_one_estimate_is_its_variance() -> None:
    found = lr.jointly(PLAN, [WHOLE])
    assert found.matrix.shape == (1, 1)
    assert math.sqrt(found.matrix[0, 0]) == pytest.approx(found.results[0].intervals["share"].std_error[0], rel=1e-12)


def test_a_call_that_changes_its_plan_is_refused() -> None:
    def changed(plan: lr.BootstrapPlan) -> lr.Aggregate:
        return lr.aggregate(PANEL, "pay", statistics="mean", plan=dataclasses.replace(plan, n_replicates=99))

    with pytest.raises(lr.SupportError, match="a call changed the plan"):
        lr.jointly(PLAN, [changed])
