"""aggregate() under a bootstrap plan: against twins of the replicates, what its intervals mean, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from aggregate_cases import assert_same_bytes, cell_index, earnings, panel_of
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_aggregates import statistic
from reference_bootstrap import (
    LEVELS,
    STATISTICS,
    check,
    collected,
    drawn,
    keys_of,
    panel,
    people,
    replicates,
    tolerance,
)
from scipy import stats

import leoreturns as lr
from leoreturns.aggregates import uncertainty
from leoreturns.aggregates.evaluate import Parts
from leoreturns.aggregates.influence import acceleration
from leoreturns.aggregates.statistics import statistic as entry_of
from leoreturns.resample.exact import exact_interval
from leoreturns.resample.intervals import interval_of
from leoreturns.results.interval import Interval

FRAME = people()
PANEL = panel(FRAME)
SCHEMES = ["poisson", "bayesian", "multinomial"]
WEIGHTS = {
    "unweighted": None,
    "frequency": lr.Weights("count", "frequency"),
    "probability": lr.Weights("chance", "probability"),
}
UNITS = ["person", "school", "employer"]
N, LAST = 70, [0, 16, 63, 69]  # replicates at the borders of tiles


def plan_of(
    scheme: Any = "poisson", unit: str = "person", n: int = N, seed: int = 5, **options: Any
) -> lr.BootstrapPlan:
    frame = PANEL if scheme == "multinomial" else None
    return lr.BootstrapPlan(n, unit=unit, seed=seed, scheme=scheme, frame=frame, **options)


def arrays(interval: Interval) -> dict[str, np.ndarray]:
    return {entry.name: getattr(interval, entry.name) for entry in fields(interval) if entry.name != "n_units"}


def assert_same_interval(one: Interval, other: Interval) -> None:
    for name, values in arrays(one).items():
        assert values.tobytes() == arrays(other)[name].tobytes(), name


# ---- twins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_replicates_are_those_of_the_twin(scheme: str, kind: str) -> None:
    weights, names = WEIGHTS[kind], list(STATISTICS)
    for rule in range(1, 10):
        if rule == 3 and (scheme == "bayesian" or kind == "probability"):
            continue
        plan = plan_of(scheme, UNITS[rule % 3])
        call = partial(lr.aggregate, PANEL, "pay", by="cell", statistics=names, cells="all", plan=plan)
        table, got = collected(partial(call, weights=weights, quantile_rule=rule))
        assert [cell for (cell,) in cell_index(table)] == LEVELS
        for name in names:
            found = interval_of(table.statistics[name], got[name], plan)
            assert_same_interval(table.intervals[name], found)
        wanted = replicates(
            FRAME, plan, "pay", names, cell_index(table), by=["cell"], weights=weights, rule=rule, which=LAST
        )
        check(table, {name: found[:, LAST] for name, found in got.items()}, wanted, FRAME["pay"])


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_intervals_are_those_of_the_twin(scheme: str, kind: str) -> None:
    names, plan = ["sum", "mean", "var", "p50", "top10"], plan_of(scheme, interval="basic")
    table = lr.aggregate(
        PANEL, "pay", by=["cell", "sex"], statistics=names, weights=WEIGHTS[kind], cells="all", plan=plan
    )
    found = replicates(FRAME, plan, "pay", names, cell_index(table), by=["cell", "sex"], weights=WEIGHTS[kind])
    for name in names:
        wanted = arrays(interval_of(table.statistics[name], found[name], plan))
        for part, numbers in arrays(table.intervals[name]).items():
            np.testing.assert_allclose(
                numbers, wanted[part], rtol=1e-12, atol=tolerance(name, FRAME["pay"]), err_msg=f"{name} {part}"
            )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_frequency_weights_are_as_many_rows(scheme: str) -> None:
    few = FRAME[(FRAME["pay"] > 0) & (FRAME["count"] > 0)].drop_duplicates("person").drop_duplicates("pay").head(12)
    rows = few.loc[few.index.repeat(few["count"])]
    rows = rows.assign(year=np.arange(len(rows)))
    options: dict[str, Any] = {"statistics": list(STATISTICS), "person": "person", "plan": plan_of(scheme)}
    _, counted = collected(partial(lr.aggregate, few, "pay", weights=WEIGHTS["frequency"], **options))
    _, copied = collected(partial(lr.aggregate, rows, "pay", **options))
    for name in STATISTICS:
        np.testing.assert_allclose(counted[name], copied[name], rtol=1e-11, atol=tolerance(name, few["pay"]))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_shares_over_many_tiles(scheme: str) -> None:
    plan = plan_of(scheme, n=330)
    table, got = collected(partial(lr.aggregate, PANEL, "employed", by="sex", statistics=["share", "mean"], plan=plan))
    wanted = replicates(FRAME, plan, "employed", ["share", "mean"], cell_index(table), by=["sex"])
    check(table, got, wanted, np.ones(len(FRAME)))
    assert got["share"].tobytes() == got["mean"].tobytes()


@pytest.mark.parametrize("unit", ["person", "school"])
def test_strata_are_drawn_one_by_one(unit: str) -> None:
    plan = lr.BootstrapPlan(N, unit=unit, seed=5, scheme="multinomial", strata="area", frame=PANEL)
    call = partial(lr.aggregate, PANEL, "pay", by="area", statistics=["mean", "p50"], plan=plan)
    table, got = collected(call)
    wanted = replicates(FRAME, plan, "pay", ["mean", "p50"], cell_index(table), by=["area"])
    check(table, got, wanted, FRAME["pay"])
    # Every stratum keeps its number of units.
    keys = pd.Series(keys_of(FRAME[unit]), index=FRAME["area"]).reset_index().drop_duplicates()
    counts = drawn(plan, keys[0].to_numpy(), range(N))
    for area, part in keys.groupby("area"):
        assert (counts[part.index.map(keys.index.get_loc)].sum(axis=0) == len(part)).all(), area


ROWS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 2), st.none() | st.integers(-3, 40), st.integers(0, 6)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, rule=st.sampled_from([1, 2, 4, 5, 6, 7, 8, 9]), scheme=st.sampled_from(SCHEMES[:2]), data=st.data())
def test_any_cells_have_the_twins_replicates(rows: Any, rule: Any, scheme: Any, data: Any) -> None:
    frame = pd.DataFrame(rows, columns=["person", "cell", "pay", "eighths"]).assign(year=range(len(rows)))
    frame["pay"] = frame["pay"].astype(float) * 12.5
    frame["count"], frame["chance"] = frame["eighths"], frame["eighths"] / 8
    weights = data.draw(st.sampled_from(list(WEIGHTS.values())))
    plan = lr.BootstrapPlan(39, seed=data.draw(st.integers(0, 2**64 - 1)), scheme=scheme)
    names = ["mean", "sd", "p10", "p50", "p90", "gini", "top10"]
    call = partial(lr.aggregate, panel(frame), "pay", by="cell", statistics=names, quantile_rule=rule)
    table, got = collected(partial(call, weights=weights, plan=plan))
    which = [0, 17, 38]
    wanted = replicates(
        frame, plan, "pay", names, cell_index(table), by=["cell"], weights=weights, rule=rule, which=which
    )
    check(table, {name: found[:, which] for name, found in got.items()}, wanted, frame["pay"].fillna(0.0))


# ---- small cells ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_replicates_without_weight_are_dropped_and_counted(unit: str) -> None:
    plan = plan_of(unit=unit, n=199)
    table = lr.aggregate(PANEL, "pay", by="cell", statistics=["mean", "var", "p50"], cells="all", plan=plan)
    known = FRAME[FRAME["pay"].notna()]
    weights = pd.DataFrame(drawn(plan, keys_of(known[unit]), range(199)), index=known.index).groupby(known["cell"])
    n_units = known.groupby("cell", observed=False)[unit].nunique().reindex(LEVELS)
    total = weights.sum().reindex(LEVELS).fillna(0).where(n_units > 1, 0).to_numpy()
    for name in ("mean", "p50"):
        assert table.intervals[name].n_dropped.tolist() == (total == 0).sum(axis=1).tolist()
    assert table.intervals["var"].n_dropped.tolist() == (total < 2).sum(axis=1).tolist()
    assert all(interval.n_units.tolist() == n_units.tolist() for interval in table.intervals.values())


def test_empty_cells_have_no_interval_and_equal_values_no_width() -> None:
    table = lr.aggregate(PANEL, "pay", by="cell", statistics=["sum", "mean", "sd", "p50"], cells="all", plan=plan_of())
    # One with a row that has no value, and one without rows.
    bare = lr.aggregate(PANEL, "pay", by="cell", statistics="sum", cells="all", where="cell != 'few'", plan=plan_of())
    assert np.isnan(bare.intervals["sum"].high[LEVELS.index("few")])
    none, one, constant = (LEVELS.index(level) for level in ("none", "one", "constant"))
    for name in ("sum", "mean", "sd", "p50"):
        interval = table.intervals[name]
        assert np.isnan([interval.std_error[none], interval.low[none], interval.high[none]]).all()
        assert interval.n_dropped[none] == N
    for name in ("mean", "p50"):
        interval, point = table.intervals[name], table.statistics[name][constant]
        assert (interval.std_error[constant], interval.low[constant], interval.high[constant]) == (0.0, point, point)
        assert np.isfinite(table.statistics[name][one])
        assert np.isnan([interval.std_error[one], interval.low[one], interval.high[one]]).all()
    assert table.intervals["sd"].high[constant] == 0.0


@pytest.mark.parametrize("interval", ["percentile", "basic", "normal", "bca", "studentised"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_unit_says_nothing_of_how_units_vary(scheme: str, interval: Any) -> None:
    """A cell may hold many persons and a single school: no interval, nor any of a gap to other schools."""
    if (scheme, interval) == ("bayesian", "bca"):
        interval = "percentile"  # BCa is refused
    frame = FRAME[FRAME["cell"] == "many"]
    frame = frame.assign(lone=np.where(frame["school"] == "school 0", "one school", "others"))
    data = panel(frame)
    plan = lr.BootstrapPlan(
        99, unit="school", seed=5, scheme=scheme, interval=interval, frame=data if scheme == "multinomial" else None
    )  # type: ignore[arg-type]
    call = partial(lr.aggregate, data, "pay", by=["lone"], statistics="mean", plan=plan)
    found = call().intervals["mean"]
    assert found.n_units is not None and found.n_units.tolist() == [1, 8]
    for part in ("std_error", "low", "high", "error_low", "error_high"):
        assert np.isnan(getattr(found, part)).tolist() == [True, False]
    if interval in ("percentile", "basic", "normal"):
        table = call(contrasts=lr.Contrast("lone", "one school", "others"), bands="lone")
        gap = table.contrasts[0]
        assert np.isfinite(gap.statistics["mean"]).all() and np.isnan(gap.intervals["mean"].std_error).all()
        assert np.isnan(table.bands["mean"].low).tolist() == [True, False]
        joint_matrix = lr.jointly(plan, [partial(call, plan=None)]).matrix
        assert np.isnan(joint_matrix).tolist() == [[True, True], [True, False]]


@pytest.mark.parametrize("interval", ["percentile", "normal", "bca", "studentised", "exact"])
def test_a_cell_of_one_sampling_unit_has_no_interval(interval: Any) -> None:
    # Schools as units, by school: a replicate has all of a school or nothing of it.
    exact = interval == "exact"
    plan = lr.BootstrapPlan(99, seed=5, interval=interval, **({} if exact else {"unit": "school"}))
    table = lr.aggregate(
        panel(FRAME.drop_duplicates(["person", "cell"])) if exact else PANEL,
        "pay",
        by="cell" if exact else "school",
        statistics="p50" if exact else "mean",
        plan=plan,
    )
    (found,) = table.intervals.values()
    alone = found.n_units == 1
    assert alone.any() and (alone.all() or exact)
    for name, numbers in arrays(found).items():
        assert (numbers[alone] == (0 if exact else 99)).all() if name == "n_dropped" else np.isnan(numbers[alone]).all()
    assert np.isfinite(found.std_error[found.n_units > 1]).all()


@pytest.mark.filterwarnings("error")
def test_values_that_are_all_zero_raise_no_warning() -> None:
    frame = pd.DataFrame({"person": range(8), "year": 2020, "pay": 0.0})
    names = ["mean", "sd", "gini", "top10", "p90/p10", "iqr"]
    for interval in ("percentile", "bca", "normal"):
        table = lr.aggregate(panel(frame), "pay", statistics=names, plan=plan_of(interval=interval))
        assert [float(table.intervals[name].std_error[0]) for name in ("mean", "sd", "iqr")] == [0.0, 0.0, 0.0]
        assert np.isnan([table.intervals[name].std_error[0] for name in ("gini", "top10", "p90/p10")]).all()


def test_equal_values_in_a_replicate_leave_no_variance() -> None:
    # Two schools, one of which has the same value throughout: a replicate may draw that one alone.
    rng, plan, resolved = np.random.default_rng(13), plan_of(unit="school", n=99), 0
    for _ in range(20):
        frame = pd.DataFrame({"person": range(30), "year": 2020, "school": ["a", "b"] * 15})
        frame["pay"] = np.where(frame["school"] == "a", rng.lognormal(9, 1), rng.lognormal(9, 1, 30))
        frame["count"] = rng.integers(1, 9, 30)
        call = partial(lr.aggregate, panel(frame), "pay", statistics=["sd", "var"], weights=WEIGHTS["frequency"])
        _, got = collected(partial(call, plan=plan))
        weights = drawn(plan, keys_of(["a", "b"]), range(99))
        alike = (weights[0] > 0) & (weights[1] == 0)
        resolved += alike.sum()
        assert not got["sd"][0, alike].any() and not got["var"][0, alike].any()
        assert got["sd"][0, (weights > 0).all(axis=0)].all()
    assert resolved > 100


def test_counts_have_no_interval() -> None:
    names = ["n_obs", "n_person", "mean", "n_weighted"]
    table = lr.aggregate(PANEL, "pay", by="sex", statistics=names, plan=plan_of())
    assert list(table.intervals) == ["mean"]
    columns = ["sex", "n_obs", "n_person", "mean", "mean_se", "mean_low", "mean_high", "n_weighted"]
    assert list(table.to_frame()) == columns
    assert table.settings["plan"] == plan_of().settings


def test_a_plan_leaves_the_statistics_and_their_evidence_as_they_are() -> None:
    names = ["n_obs", "sum", "mean", "sd", "p10", "p90", "gini", "top1"]
    for unit in UNITS:
        for weights in WEIGHTS.values():
            call = partial(lr.aggregate, PANEL, "pay", by=["cell", "sex"], statistics=names, weights=weights)
            resampled = call(plan=plan_of(unit=unit))
            assert len(resampled.intervals) == len(names) - 1
            assert_same_bytes(call(), replace(resampled, intervals={}))


# ---- units ----------------------------------------------------------------------------------------------------------


def test_the_person_goes_by_two_names() -> None:
    call = partial(lr.aggregate, by="sex", statistics=["mean", "p50"])
    renamed = FRAME.rename(columns={"person": "pupil"})
    data = lr.Panel.from_frame(renamed, person="pupil", time="year")
    for scheme in SCHEMES:
        tables = []
        for unit in ("person", "pupil"):
            frame = data if scheme == "multinomial" else None
            plan = lr.BootstrapPlan(N, unit=unit, seed=5, scheme=scheme, frame=frame)  # type: ignore[arg-type]
            tables += [call(data, "pay", plan=plan), call(renamed, "pay", plan=plan, person="pupil")]
        tables.append(call(PANEL, "pay", plan=plan_of(scheme)))
        for name in ("mean", "p50"):
            first, *others = (arrays(table.intervals[name]) for table in tables)
            for other in others:
                for part, numbers in first.items():
                    np.testing.assert_allclose(numbers, other[part], rtol=1e-12)


def test_resampling_clusters_is_resampling_persons_named_after_them() -> None:
    schools = lr.Panel.from_frame(FRAME.assign(row=range(len(FRAME))), person="school", time="row")
    call = partial(lr.aggregate, values="pay", by="cell", statistics=list(STATISTICS))
    for scheme in ("poisson", "bayesian"):
        (table, by_school), (_, by_person) = (
            collected(partial(call, data, plan=plan_of(scheme, unit)))
            for data, unit in ((PANEL, "school"), (schools, "person"))
        )
        # Real weights interpolate between equal values in the order of the rows, which is that of the persons.
        alike = [name for name in STATISTICS if scheme == "poisson" or name[0] not in "pi"]
        check(table, {name: by_school[name] for name in alike}, {name: by_person[name] for name in alike}, FRAME["pay"])


def test_a_cluster_bootstrap_of_sums_is_that_of_the_clusters_totals() -> None:
    known = FRAME[FRAME["pay"].notna()]
    totals = known.groupby(["employer", "cell"], observed=True)["pay"].agg(["sum", "size"]).reset_index()
    plan = plan_of(unit="employer")
    call = partial(lr.aggregate, PANEL, "pay", by="cell", statistics=["sum", "mean"], where="cell != 'none'")
    table, got = collected(partial(call, plan=plan))
    frame = totals.assign(average=totals["sum"] / totals["size"])
    call = partial(lr.aggregate, frame, by="cell", plan=plan)
    sums, means = (
        collected(partial(call, "sum", statistics="sum"))[1],
        collected(partial(call, "average", statistics="mean", weights=lr.Weights("size", "frequency")))[1],
    )
    check(table, got, sums | means, FRAME["pay"])


def test_a_person_has_one_weight_in_every_table() -> None:
    for scheme in SCHEMES:
        plan, names = plan_of(scheme), list(STATISTICS)
        _, by_sex = collected(partial(lr.aggregate, PANEL, "pay", by="sex", statistics=names, plan=plan))
        for at, sex in enumerate(("F", "M")):
            call = partial(lr.aggregate, PANEL, "pay", where=f"sex == '{sex}'", plan=plan)
            _, alone = collected(partial(call, statistics=names))
            _, fewer = collected(partial(call, statistics=["p50", "mean"]))
            for name in names:
                assert by_sex[name][at].tobytes() == alone[name][0].tobytes()
            for name in ("p50", "mean"):
                assert by_sex[name][at].tobytes() == fewer[name][0].tobytes()


@pytest.mark.parametrize(
    ("unit", "where"),
    [("person", "year > 2012 and sex == 'F'"), ("school", "school != 'school 3'"), ("employer", "pay > 9000")],
)
def test_a_frame_need_hold_the_units_described_only(unit: str, where: str) -> None:
    part = PANEL.where(where)
    plan = lr.BootstrapPlan(N, unit=unit, seed=5, scheme="multinomial", frame=part)
    table, got = collected(
        partial(lr.aggregate, PANEL, "pay", by="cell", statistics=["mean", "p50"], where=where, plan=plan)
    )
    kept = {"year > 2012 and sex == 'F'": (FRAME["year"] > 2012) & (FRAME["sex"] == "F")}
    rows = kept.get(where, FRAME["school"] != "school 3" if unit == "school" else FRAME["pay"] > 9000)
    wanted = replicates(FRAME[rows], plan, "pay", ["mean", "p50"], cell_index(table), by=["cell"])
    check(table, got, wanted, FRAME["pay"])


def test_clusters_need_no_person() -> None:
    plan = plan_of(unit="school")
    call = partial(lr.aggregate, FRAME, "pay", by="cell", statistics=["mean", "p50"], plan=plan)
    (table, got), (_, named) = collected(call), collected(partial(call, person="person"))
    check(table, got, named, FRAME["pay"])


# ---- intervals ------------------------------------------------------------------------------------------------------


def textbook_error(x: np.ndarray, w: np.ndarray, units: np.ndarray) -> float:
    """Linearised standard error of a weighted mean over units."""
    scores = np.bincount(np.unique(units, return_inverse=True)[1], weights=w * (x - (w @ x) / w.sum()))
    return float(np.sqrt((scores**2).sum()) / w.sum())


@pytest.mark.parametrize("scheme", ["poisson", "bayesian"])
def test_the_standard_error_of_a_mean_is_the_textbooks(scheme: str) -> None:
    frame, n = earnings(n_person=400, seed=3), 2000
    known = frame[frame["pay"].notna()]
    for unit in ("person", "employer"):
        plan = lr.BootstrapPlan(n, unit=unit, seed=11, scheme=scheme)  # type: ignore[arg-type]
        table = lr.aggregate(panel_of(frame), "pay", statistics="mean", plan=plan)
        wanted = textbook_error(known["pay"].to_numpy(), np.ones(len(known)), known[unit].to_numpy())
        # A standard deviation of n replicates is off by a fraction of 1 / sqrt(2 n), and O(1 / units) by curvature.
        assert table.intervals["mean"].std_error[0] == pytest.approx(wanted, rel=4 / math.sqrt(2 * n) + 0.02)


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize(
    ("scheme", "unit"), [("poisson", "person"), ("bayesian", "employer"), ("multinomial", "school")]
)
def test_studentised_intervals_are_those_of_the_twin(scheme: str, unit: str, kind: str) -> None:
    plan, weights = plan_of(scheme, unit, interval="studentised"), WEIGHTS[kind]
    table, got = collected(partial(lr.aggregate, PANEL, "pay", by="sex", statistics="mean", weights=weights, plan=plan))
    known = FRAME[FRAME["pay"].notna() & (True if weights is None else FRAME[weights.column] > 0)]
    for at, (sex,) in enumerate(cell_index(table)):
        part = known[known["sex"] == sex]
        x, w = part["pay"].to_numpy(), np.ones(len(part)) if weights is None else part[weights.column].to_numpy(float)
        units, numbered = np.unique(keys_of(part[unit]), return_inverse=True)
        sums, sizes = np.bincount(numbered, weights=w * x), np.bincount(numbered, weights=w)
        pivots = []
        for b, r in enumerate(drawn(plan, units, range(N)).T.astype(np.float64)):
            mean = (r @ sums) / (r @ sizes)
            assert got["mean"][at, b] == pytest.approx(mean, rel=1e-12)
            error = math.sqrt((r * (sums - mean * sizes) ** 2).sum()) / (r @ sizes)
            pivots.append((mean - table.statistics["mean"][at]) / error)
        error = textbook_error(x, w, numbered)
        low, high = np.quantile(pivots, [0.975, 0.025], method="weibull")
        interval, point = table.intervals["mean"], table.statistics["mean"][at]
        np.testing.assert_allclose(
            [interval.low[at], interval.high[at]], [point - low * error, point - high * error], rtol=1e-10
        )


def skewness(influence: np.ndarray, units: np.ndarray) -> float:
    by_unit = np.array([influence[units == unit].sum() for unit in np.unique(units)])
    return float((by_unit**3).sum() / (6 * (by_unit**2).sum() ** 1.5))


def infinitesimal(name: str, x: np.ndarray, w: np.ndarray, units: np.ndarray) -> float:
    """Acceleration from the derivatives of a statistic in the weight of every unit, by central differences."""
    step, found = 1e-4, []
    for unit in np.unique(units):
        up, down = (np.where(units == unit, w * (1 + sign * step), w) for sign in (1, -1))
        ends = [statistic(name, x, weights=at, kind="probability") for at in (up, down)]
        found.append((ends[0] - ends[1]) / (2 * step))
    return skewness(np.array(found), np.arange(len(found)))


def point_of(x: np.ndarray, w: np.ndarray, names: list[str]) -> Parts:
    numbers = {p: statistic(f"p{p}", x, weights=w, kind="probability") for p in (10, 25, 50, 75, 90)}
    ordered = {name: np.array(statistic(name, x, weights=w, kind="probability")) for name in ("gini", "top10")}
    return Parts(None, None, None, {p: np.array(number) for p, number in numbers.items()}, ordered)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "sd", "gini", "top10"])
def test_accelerations_are_those_of_the_infinitesimal_jackknife(name: str) -> None:
    rng = np.random.default_rng(8)
    for n in (7, 23):
        x = np.sort(rng.lognormal(2, 1, n))
        for w, units in ((np.ones(n), np.arange(n)), (rng.uniform(0.5, 3, n), rng.integers(0, 5, n))):
            got = acceleration(entry_of(name), x, w, np.unique(units, return_inverse=True)[1], point_of(x, w, [name]))
            # Central differences of step h are off by h**2.
            assert got == pytest.approx(infinitesimal(name, x, w, units), rel=1e-5, abs=1e-7)


def test_accelerations_of_percentiles_come_from_who_lies_below() -> None:
    rng = np.random.default_rng(9)
    x, w, units = np.sort(rng.lognormal(2, 1, 101)), rng.uniform(0.5, 3, 101), np.arange(101) // 2
    point = point_of(x, w, [])

    def below(p: int) -> np.ndarray:
        return w * (p / 100 - (x <= point.percentiles[p]))

    def sparsity(p: int) -> float:
        q, n = p / 100, len(x)
        z = stats.norm.ppf(q)
        width = min(q, 1 - q, (4.5 * stats.norm.pdf(z) ** 4 / (2 * z**2 + 1) ** 2 / n) ** 0.2)
        reached = np.cumsum(w) / w.sum()
        ends = [x[min(int((reached < at).sum()), n - 1)] for at in (q - width, q + width)]
        return (ends[1] - ends[0]) / (2 * width)

    p10, p25, p75, p90 = (below(p) * sparsity(p) for p in (10, 25, 75, 90))
    ratio = p90 / point.percentiles[90] - p10 / point.percentiles[10]
    for name, wanted in (("p25", below(25)), ("p50", below(50)), ("iqr", p75 - p25), ("p90/p10", ratio)):
        got = acceleration(entry_of(name), x, w, units.astype(np.int32), point)
        assert got == pytest.approx(skewness(wanted, units), rel=1e-12)


@pytest.mark.parametrize("unit", ["person", "school"])
def test_bca_intervals_use_the_accelerations_of_units(unit: str) -> None:
    plan = plan_of(unit=unit, n=399, interval="bca")
    names = ["mean", "sd", "gini", "top10"]
    data = FRAME.assign(pay=FRAME["pay"].abs())
    call = partial(lr.aggregate, panel(data), "pay", by="sex", statistics=names, weights=WEIGHTS["probability"])
    table, got = collected(partial(call, plan=plan))
    known = data[data["pay"].notna() & (data["chance"] > 0)]
    for name in names:
        accelerations = [
            infinitesimal(name, part["pay"].to_numpy(), part["chance"].to_numpy(), part[unit].to_numpy())
            for _, part in known.groupby("sex")
        ]
        wanted = interval_of(table.statistics[name], got[name], plan, acceleration=np.array(accelerations))
        for part, numbers in arrays(table.intervals[name]).items():
            np.testing.assert_allclose(numbers, arrays(wanted)[part], rtol=1e-4 if "error" in part else 1e-6)
        plain = interval_of(table.statistics[name], got[name], replace(plan, interval="percentile"))
        assert (table.intervals[name].high != plain.high).all()


def test_accelerations_under_strata_are_of_deviations_within_them() -> None:
    """Of a frame with strata: every stratum has its own mean, to which units outside the cell contribute nothing."""
    rng = np.random.default_rng(3)
    n = 90
    frame = pd.DataFrame(
        {"person": range(n), "year": 2020, "pay": rng.lognormal(3, 1, n), "member": rng.random(n) < 0.6}
    )
    frame["area"] = np.array(["a", "b", "c"])[np.sort(rng.integers(0, 3, n))]
    frame["pay"] *= frame["area"].map({"a": 1.0, "b": 2.0, "c": 4.0})
    data = panel(frame)
    cell = frame[frame["member"]]
    x = cell["pay"].to_numpy()
    for strata in ((), ("area",)):
        plan = lr.BootstrapPlan(499, seed=5, scheme="multinomial", frame=data, strata=strata, interval="bca", level=0.9)
        call = partial(lr.aggregate, data, "pay", where="member", statistics=["sum", "mean"], plan=plan)
        table, got = collected(call)
        for name, rows in (("sum", x), ("mean", x - x.mean())):
            influence = pd.Series(0.0, index=frame.index)
            influence[cell.index] = rows
            centred = influence - influence.groupby(frame["area"] if strata else np.zeros(n)).transform("mean")
            wanted = interval_of(
                table.statistics[name], got[name], plan, acceleration=np.array([skewness(centred, np.arange(n))])
            )
            np.testing.assert_allclose(table.intervals[name].low, wanted.low, rtol=1e-10)
            np.testing.assert_allclose(table.intervals[name].high, wanted.high, rtol=1e-10)


@pytest.mark.filterwarnings("error")
def test_statistics_that_are_not_defined_have_no_acceleration() -> None:
    data = panel(pd.DataFrame({"person": range(20), "year": 2020, "pay": [0.0] * 8 + [9.0] * 12, "none": 0.0}))
    call = partial(lr.aggregate, data, plan=plan_of(interval="bca"))
    found = call("pay", statistics=["p90/p10", "p90"]).intervals
    assert np.isnan(found["p90/p10"].low[0]) and np.isfinite(found["p90"].low[0])
    for name in ("p90/p10", "gini", "top10"):
        assert np.isnan(call("none", statistics=name).intervals[name].low[0])


def test_the_sum_over_a_whole_frame_has_the_interval_of_the_mean() -> None:
    x = np.random.default_rng(4).lognormal(3, 1, 60)
    data = panel(pd.DataFrame({"person": range(60), "year": 2020, "pay": x}))
    plan = lr.BootstrapPlan(999, seed=4, scheme="multinomial", frame=data, interval="bca")
    found = lr.aggregate(data, "pay", statistics=["sum", "mean"], plan=plan).intervals
    np.testing.assert_allclose(found["sum"].low, 60 * found["mean"].low, rtol=1e-10)
    np.testing.assert_allclose(found["sum"].high, 60 * found["mean"].high, rtol=1e-10)


def test_exact_intervals_are_those_of_every_cell() -> None:
    data = FRAME.drop_duplicates(["person", "cell"])
    for rule, names in ((1, ["p10", "p50"]), (2, ["p25", "p75"]), (3, ["p90"]), (7, ["p50"])):
        plan = lr.BootstrapPlan(seed=0, interval="exact", level=0.9)
        table = lr.aggregate(
            panel(data), "pay", by="cell", statistics=names, quantile_rule=rule, cells="all", plan=plan
        )  # type: ignore[arg-type]
        for at, (cell,) in enumerate(cell_index(table)):
            x = data.loc[data["cell"] == cell, "pay"].dropna().to_numpy()
            for name in names:
                interval = table.intervals[name]
                wanted = exact_interval(x, int(name[1:]), rule, 0.9) if len(x) > 1 else (math.nan,) * 3
                got = (interval.std_error[at], interval.low[at], interval.high[at])
                np.testing.assert_allclose(got, wanted, rtol=1e-12)
                assert interval.n_units[at] == len(x)


# ---- contrasts and bands --------------------------------------------------------------------------------------------


def contrast_of(kind: str, level: Any, base: Any, *, logs: bool) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "difference":
            return level - base
        if logs:
            return np.exp(level - base) if kind == "ratio" else 100 * (np.exp(level - base) - 1)
        ratio = np.where(base > 0, level / base, np.nan)
        return ratio if kind == "ratio" else 100 * (ratio - 1)


@pytest.mark.parametrize("kind", ["difference", "ratio", "percent"])
@pytest.mark.parametrize("interval", ["percentile", "basic", "normal"])
@pytest.mark.parametrize("unit", [None, "log"])
def test_contrasts_are_made_of_the_replicates(kind: Any, interval: Any, unit: str | None) -> None:
    data = panel(FRAME.assign(pay=np.log1p(FRAME["pay"].abs())), units={"pay": unit} if unit else None)
    contrasts = [lr.Contrast("sex", "M", "F", kind), lr.Contrast("year", 2015, 2010, kind)]
    names, plan = ["mean", "p50", "sd", "var", "gini"], plan_of(n=99, interval=interval)
    call = partial(lr.aggregate, data, "pay", by=["cell", "sex", "year"], statistics=names, plan=plan)
    table, got = collected(partial(call, contrasts=contrasts))
    cells = cell_index(table)
    for contrast, found, key in zip(contrasts, table.contrasts, (1, 2), strict=True):
        pairs = []
        for cell in cells:
            base = (*cell[:key], contrast.base, *cell[key + 1 :])
            if cell[key] == contrast.level and base in cells:
                pairs.append((cells.index(cell), cells.index(base)))
        assert list(zip(found.cells.tolist(), found.base_cells.tolist(), strict=True)) == pairs
        assert 0 < len(pairs) < sum(cell[key] == contrast.level for cell in cells)  # some lack a base
        others = [cell[:key] + cell[key + 1 :] for cell in (cells[at] for at, _ in pairs)]
        named = list(zip(*(column.values() for column in found.keys.values()), strict=True))
        assert (named, list(found.keys)) == (others, [name for name in table.keys if name != contrast.key])
        at, base = np.array(pairs).T
        for name in names:
            logs = unit == "log" and name in ("mean", "p50")
            point = contrast_of(kind, table.statistics[name][at], table.statistics[name][base], logs=logs)
            gaps = contrast_of(kind, got[name][at], got[name][base], logs=logs)
            np.testing.assert_allclose(found.statistics[name], point, rtol=1e-11, atol=1e-11)
            wanted = arrays(interval_of(point, gaps, plan))
            for part, numbers in arrays(found.intervals[name]).items():
                if part == "n_dropped" or not part.startswith("error"):
                    np.testing.assert_allclose(numbers, wanted[part], rtol=1e-9, atol=1e-9, err_msg=f"{name} {part}")
        assert list(found.to_frame())[2:6] == ["mean", "mean_se", "mean_low", "mean_high"]


def test_years_of_the_same_persons_are_compared_as_pairs() -> None:
    rng, n = np.random.default_rng(12), 300
    first = rng.normal(100, 30, n)
    second = first + rng.normal(5, 3, n)
    frame = pd.DataFrame({"person": np.tile(np.arange(n), 2), "year": np.repeat([2019, 2020], n)})
    frame["pay"] = np.concatenate([first, second])
    plan = lr.BootstrapPlan(1999, seed=3)
    table = lr.aggregate(
        panel(frame), "pay", by="year", statistics="mean", plan=plan, contrasts=lr.Contrast("year", 2020, 2019)
    )
    (contrast,) = table.contrasts
    paired = np.std(second - first, ddof=1) / math.sqrt(n)
    assert contrast.intervals["mean"].std_error[0] == pytest.approx(paired, rel=4 / math.sqrt(2 * 1999) + 2 / n)
    apart = math.hypot(*table.intervals["mean"].std_error)
    assert contrast.intervals["mean"].std_error[0] < apart / 5
    # The difference of means is the mean of the differences, in every replicate.
    gaps = pd.DataFrame({"person": np.arange(n), "year": 2020, "gap": second - first})
    alone = lr.aggregate(panel(gaps), "gap", statistics="mean", plan=plan)
    for part, numbers in arrays(contrast.intervals["mean"]).items():
        np.testing.assert_allclose(numbers, arrays(alone.intervals["mean"])[part], rtol=1e-9, atol=1e-9)


def test_a_contrast_whose_base_is_not_above_zero_has_no_ratio() -> None:
    frame = pd.DataFrame({"person": range(40), "year": 2020, "side": np.arange(40) % 2, "pay": 1.0})
    frame.loc[frame["side"] == 0, "pay"] = np.linspace(-30, -1, 20)
    call = partial(lr.aggregate, panel(frame), "pay", by="side", statistics="mean", plan=plan_of())
    (found,) = call(contrasts=lr.Contrast("side", 1, 0, "ratio")).contrasts
    assert math.isnan(found.statistics["mean"][0])
    assert math.isnan(found.intervals["mean"].low[0])
    assert found.intervals["mean"].n_dropped[0] == N
    (found,) = call(contrasts=lr.Contrast("side", 1, 0)).contrasts
    assert found.intervals["mean"].low[0] > 0


def test_a_contrast_that_no_crossing_has_is_an_empty_table() -> None:
    call = partial(lr.aggregate, PANEL, "pay", by=["cell", "sex"], statistics="mean", plan=plan_of())
    (found,) = call(contrasts=lr.Contrast("cell", "one", "many"), where="cell != 'one'").contrasts
    assert (found.n_cells, len(found.to_frame())) == (0, 0)
    (found,) = call(contrasts=lr.Contrast("cell", "one", "many"), where="cell != 'one'", cells="all").contrasts
    assert found.n_cells == 2
    assert np.isnan(found.intervals["mean"].low).all()


def sup_t(point: np.ndarray, found: np.ndarray, error: np.ndarray, level: float) -> float:
    """Critical value over the levels with a standard error, from the replicates in which all of them are defined."""
    used = error > 0
    largest = np.abs((found[used] - point[used, np.newaxis]) / error[used, np.newaxis]).max(axis=0)
    return float(np.quantile(largest[~np.isnan(largest)], level, method="weibull"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_bands_hold_for_whole_trajectories(scheme: str) -> None:
    data, names = panel_of(earnings(n_person=300, seed=4)), ["mean", "p50", "gini"]
    frame = data if scheme == "multinomial" else None
    plan = lr.BootstrapPlan(399, seed=6, scheme=scheme, level=0.9, frame=frame)  # type: ignore[arg-type]
    call = partial(lr.aggregate, data, "gross", by=["sex", "tax_year"], statistics=names, plan=plan, bands="tax_year")
    table, got = collected(partial(call, contrasts=lr.Contrast("sex", "M", "F")))
    sexes = [sex for sex, _ in cell_index(table)]
    (contrast,) = table.contrasts
    for name in names:
        band, interval, point = table.bands[name], table.intervals[name], table.statistics[name]
        assert band.key == "tax_year"
        for sex in ("F", "M"):
            cells = np.flatnonzero(np.array(sexes) == sex)
            wanted = sup_t(point[cells], got[name][cells], interval.std_error[cells], 0.9)
            np.testing.assert_allclose(band.critical[cells], wanted, rtol=1e-9)
            assert 1.645 < wanted < 5
        np.testing.assert_allclose(band.low, point - band.critical * interval.std_error, rtol=1e-12)
        np.testing.assert_allclose(band.high, point + band.critical * interval.std_error, rtol=1e-12)
        middle = (interval.low + interval.high) / 2
        assert ((band.low < middle) & (middle < band.high)).all()
        gaps = got[name][contrast.cells] - got[name][contrast.base_cells]
        error, along = contrast.intervals[name].std_error, contrast.bands[name]
        np.testing.assert_allclose(along.critical, sup_t(contrast.statistics[name], gaps, error, 0.9), rtol=1e-9)
    assert {"mean_band_low", "mean_band_high"} <= set(table.to_frame()) & set(contrast.to_frame())


def test_a_single_trajectory_needs_no_other_key() -> None:
    table = lr.aggregate(PANEL, "pay", by="year", statistics="mean", plan=plan_of(n=199), bands="year")
    assert len(set(table.bands["mean"].critical.tolist())) == 1
    assert table.bands["mean"].critical[0] > 1.96
    # A contrast of years themselves has no years left to run along.
    contrasts = lr.Contrast("year", 2015, 2010)
    table = lr.aggregate(PANEL, "pay", by="year", statistics="mean", plan=plan_of(), bands="year", contrasts=contrasts)
    assert table.contrasts[0].bands == {}


# ---- what is refused ------------------------------------------------------------------------------------------------

EXACT = lr.BootstrapPlan(seed=1, interval="exact")
BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"plan": None, "contrasts": lr.Contrast("sex", "M", "F")}, ValueError, "give plan=lr.BootstrapPlan"),
    ({"plan": None, "bands": "sex"}, ValueError, "give plan=lr.BootstrapPlan"),
    ({"plan": 99}, TypeError, "plan is a BootstrapPlan, not int"),
    ({"contrasts": "sex"}, TypeError, r"lr.Contrast\(key, level, base\), not str"),
    (
        {"contrasts": lr.Contrast("year", 2012, 2010)},
        lr.SupportError,
        r"contrast of 'year', which is not in by=\['sex'\]",
    ),
    ({"contrasts": lr.Contrast("sex", "male", "F")}, lr.SupportError, "'sex': no level 'male'; the table has 'F', 'M'"),
    ({"contrasts": lr.Contrast("sex", "M", "X")}, lr.SupportError, "no level 'X'; the table has 'F', 'M'"),
    ({"bands": "year"}, lr.SupportError, r"bands='year' is not in by=\['sex'\]"),
    ({"statistics": ["n_obs", "n_weighted"]}, lr.SupportError, "counts and sums of weights get no interval"),
    ({"values": None, "statistics": "n_obs"}, lr.SupportError, "counts and sums of weights get no interval"),
    (
        {"plan": plan_of("bayesian"), "statistics": "p50", "quantile_rule": 3},
        lr.SupportError,
        "rule 3 has no form under Bay",
    ),
    ({"plan": plan_of(unit="year")}, lr.SupportError, "resamples 'year', which is the period"),
    (
        {"plan": plan_of("bayesian", interval="bca"), "statistics": "p50"},
        lr.SupportError,
        "interval 'bca' rests on whole draws",
    ),
    ({"plan": EXACT}, lr.SupportError, "mean: an exact interval is known for single percentiles only"),
    ({"plan": EXACT, "statistics": ["p50", "iqr"]}, lr.SupportError, "iqr: an exact interval is known"),
    ({"plan": EXACT, "statistics": "p50", "weights": WEIGHTS["frequency"]}, lr.SupportError, "values without weights"),
    ({"plan": EXACT, "statistics": ["p25", "p50"]}, lr.SupportError, "p25 under quantile_rule=7 has no exact interval"),
    ({"plan": EXACT, "statistics": "p50"}, lr.SupportError, "2 cells hold persons with several values"),
    (
        {"plan": EXACT, "statistics": "p50", "bands": "sex"},
        lr.SupportError,
        "percentile', 'basic' or 'normal', not 'exact'",
    ),
    (
        {"plan": plan_of(interval="bca"), "contrasts": lr.Contrast("sex", "M", "F")},
        lr.SupportError,
        "contrasts and bands are made of replicates and take interval .* not 'bca'",
    ),
    (
        {"plan": plan_of(interval="studentised"), "statistics": ["mean", "p50", "gini"]},
        lr.SupportError,
        "p50, gini: a studentised interval needs a standard error in every replicate",
    ),
    ({"plan": plan_of(unit="college")}, lr.PanelError, "unknown column 'college'"),
    (
        {"plan": plan_of(unit="gap")},
        lr.SupportError,
        "at least 11 rows with a value have no 'gap', which the plan resamples; leave them out",
    ),
    ({"plan": plan_of(unit="half")}, lr.PanelError, "half"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD)
def test_what_a_plan_cannot_give_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    known = np.flatnonzero(FRAME["pay"].notna())
    gap = FRAME["school"].where(~np.isin(np.arange(len(FRAME)), known[:11]))
    data = panel(FRAME.assign(gap=gap, half=FRAME["employer"] + 0.5))
    request = {"values": "pay", "by": "sex", "statistics": "mean", "plan": plan_of()} | options
    with pytest.raises(error, match=message):
        lr.aggregate(data, request.pop("values"), **request)


def test_persons_are_not_resampled_where_none_is_named() -> None:
    for plan in (plan_of(), EXACT):
        with pytest.raises(lr.SupportError, match="the frame names none: give person=, the column of their ids"):
            lr.aggregate(FRAME, "pay", statistics="p50", plan=plan)


def test_a_frame_that_lacks_units_is_refused() -> None:
    part = PANEL.where("school != 'school 3' and school != 'school 4'")
    plan = lr.BootstrapPlan(N, unit="school", seed=5, scheme="multinomial", frame=part)
    with pytest.raises(lr.SupportError, match="2 units 'school' of the data are not in the plan's frame"):
        lr.aggregate(PANEL, "pay", statistics="mean", plan=plan)


def test_joint_replicates_that_take_too_much_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncertainty, "MAX_KEPT_BYTES", 2 * 2 * N * 8)
    call = partial(lr.aggregate, PANEL, "pay", by="sex", plan=plan_of(), bands="sex")
    assert call(statistics=["mean", "p50"]).bands.keys() == {"mean", "p50"}
    with pytest.raises(lr.SupportError, match="2 cells x 3 statistics x 70 replicates take .* use fewer cells"):
        call(statistics=["mean", "p50", "p90"])
    # Without contrasts or bands nothing is kept.
    assert len(call(statistics=["mean", "p50", "p90"], bands=None).intervals) == 3
