"""Jackknife, pairs and wild cluster bootstrap against refits with every dummy written out."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from reference_feols import Brute, workers

import leoreturns as lr
from leoreturns.estimation import blocks, resampled, wild
from leoreturns.resample.draws import Draws

pytestmark = pytest.mark.filterwarnings("ignore::leoreturns.errors.ClusterWarning")  # few on purpose
RTOL = 1e-10  # the bar against explicit dummies
DRAWN = 8  # replicates that are run as regressions
FRAME = workers(60)
PANEL = lr.Panel.from_frame(FRAME, person="person", time="year")
CASES = [
    ("y ~ x1 + treated | person + year", ["x1", "treated"], ["person", "year"]),
    ("y ~ x1 + treated | year", ["x1", "treated"], ["year"]),
    ("y ~ x1 + treated", ["Intercept", "x1", "treated"], []),
    ("y ~ x1 + treated - 1", ["x1", "treated"], []),
]


@pytest.fixture(autouse=True)
def rows_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 40)


def matrix(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    return frame.assign(Intercept=1.0)[names].to_numpy(dtype=float)


def close(left: object, right: np.ndarray, rtol: float = RTOL) -> None:
    np.testing.assert_allclose(np.asarray(left), right, rtol=rtol, atol=rtol * np.abs(right).max())


@functools.cache
def keys_of(unit: str) -> dict[int, int]:
    """The key of each unit, from a panel of its rows alone."""
    parts = {label: lr.Panel.from_frame(rows, person="person", time="year") for label, rows in FRAME.groupby(unit)}
    return {int(label): int(part.units(unit)[0][0]) for label, part in parts.items()}


def estimated(formula: str, cov: lr.Covariance, **options: object) -> lr.Estimate:
    found = lr.feols(formula, PANEL, cov=cov, **options)  # type: ignore[arg-type]
    assert isinstance(found, lr.Estimate)
    return found


@pytest.mark.parametrize("weights", [None, "analytic"])
@pytest.mark.parametrize(("formula", "names", "effects"), CASES)
def test_the_jackknife_is_that_of_refits(
    formula: str, names: list[str], effects: list[str], weights: str | None
) -> None:
    w = FRAME.w.to_numpy()
    refits = []
    for school in sorted(FRAME.school.unique()):
        rest = FRAME[FRAME.school != school].reset_index(drop=True)
        left = None if weights is None else rest.w.to_numpy()
        refits.append(Brute(rest, rest.y, matrix(rest, names), effects, left).beta)
    whole = Brute(FRAME, FRAME.y, matrix(FRAME, names), effects, None if weights is None else w)
    apart, count = np.array(refits) - whole.beta, len(refits)
    given = None if weights is None else lr.Weights("w", "analytic")
    found = estimated(formula, lr.Jackknifed("school"), weights=given)
    close(found.covariance, (count - 1) / count * apart.T @ apart, 1e-9)
    assert found.df_tests == count - 1 and found.n_clusters == {"school": count}


def test_the_jackknife_by_person_is_hc3_like() -> None:
    data = workers(30)
    refits = []
    for person in data.person.unique():
        rest = data[data.person != person].reset_index(drop=True)
        refits.append(Brute(rest, rest.y, matrix(rest, ["x1", "x2"]), ["person", "year"]).beta)
    apart = np.array(refits) - Brute(data, data.y, matrix(data, ["x1", "x2"]), ["person", "year"]).beta
    found = lr.feols("y ~ x1 + x2 | person + year", data, cov=lr.Jackknifed("person"), person="person")
    assert isinstance(found, lr.Estimate)
    close(found.covariance, 29 / 30 * apart.T @ apart, 1e-9)


@pytest.mark.parametrize("names", ["school^place", "place^school", "school^year", "person^half"])
def test_combinations_of_columns_are_clusters(names: str) -> None:
    frame = FRAME.assign(half=FRAME.year % 2)
    own = frame.groupby(names.split("^")).ngroup()
    panel = lr.Panel.from_frame(frame.assign(cell=own), person="person", time="year")
    for cov in (lr.Jackknifed, lambda name: lr.WildCluster(name, 99, 1, ["x1"], kind="31")):
        found, same = (lr.feols("y ~ x1 + treated | year", panel, cov=cov(name)) for name in (names, "cell"))
        assert isinstance(found, lr.Estimate) and isinstance(same, lr.Estimate)
        close(found.covariance, same.covariance, 1e-12)
        assert found.n_clusters == {names: own.nunique()} and names in found.cov_name
        pd.testing.assert_frame_equal(found.clusters().loc[names], same.clusters().loc["cell"])


def test_wild_signs_of_combinations_hang_on_their_labels() -> None:
    few = FRAME[FRAME.school < 3].assign(half=FRAME.year % 2, other="unused")
    few["cell"] = few.groupby(["half", "school"]).ngroup()

    def tested(name: str, frame: pd.DataFrame, n_replicates: int, **options: object) -> tuple[float, float, float]:
        panel = lr.Panel.from_frame(frame, person="person", time="year")
        cov = lr.WildCluster(name, n_replicates, 5, ["x1"])
        found = lr.feols("y ~ x1 + treated | year", panel, cov=cov, **options)  # type: ignore[arg-type]
        assert isinstance(found, lr.Estimate) and found.drawn is not None and found.drawn.pvalues is not None
        return found.drawn.pvalues[0], found.drawn.low[0], found.drawn.high[0]

    # All vectors of signs: the draws do not matter.
    close(tested("half^school", few, 999), np.array(tested("cell", few, 999)), 1e-9)
    drawn = tested("half^school", few, 50)
    assert drawn != tested("cell", few, 50) and drawn == tested("school^half", few, 50)
    assert drawn == tested("half^school", FRAME.assign(half=FRAME.year % 2), 50, where="school < 3")


def test_the_jackknife_of_instruments() -> None:
    draw = np.random.default_rng(8)
    data = FRAME.assign(z1=FRAME.x1 + draw.normal(size=len(FRAME)), z2=draw.normal(size=len(FRAME)))

    def two_stage(rows: pd.DataFrame) -> np.ndarray:
        effects = Brute(rows, rows.y, matrix(rows, ["x2"]), ["person", "year"]).full
        given = np.column_stack([effects, rows.z1, rows.z2])
        first = given @ np.linalg.lstsq(given, rows.x1, rcond=None)[0]
        return np.linalg.lstsq(np.column_stack([first, effects]), rows.y, rcond=None)[0][:2]

    refits = [two_stage(data[data.school != school]) for school in sorted(data.school.unique())]
    apart, count = np.array(refits) - two_stage(data), len(refits)
    formula = "y ~ x2 | person + year | x1 ~ z1 + z2"
    found = lr.feols(formula, data, cov=lr.Jackknifed("school"), person="person")
    assert isinstance(found, lr.Estimate)
    close(found.covariance, (count - 1) / count * apart.T @ apart, 1e-8)


@pytest.mark.parametrize("scheme", ["poisson", "bayesian"])
@pytest.mark.parametrize("unit", ["school", "person"])
@pytest.mark.parametrize(("formula", "names", "effects"), CASES)
def test_replicates_are_weighted_refits(
    formula: str, names: list[str], effects: list[str], unit: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = lr.BootstrapPlan(40, unit=unit, seed=4, scheme=scheme, interval="normal")  # type: ignore[arg-type]
    kept: list[np.ndarray] = []
    plain = resampled.replicates

    def watched(*arguments: object) -> np.ndarray:
        kept.append(plain(*arguments))  # type: ignore[arg-type]
        return kept[-1]

    monkeypatch.setattr(resampled, "replicates", watched)
    found = estimated(formula, lr.Resampled(plan))
    keys = PANEL.units(unit)[0]
    means = FRAME[["x1", "treated"]].mean().to_numpy()
    own = keys_of(unit)
    draws = Draws(plan)
    room = np.empty((len(keys), draws.lanes), dtype=draws.dtype)
    for b in (0, 1, 17, 39):
        draws.fill(b // draws.lanes, keys, room)
        weight_of = dict(zip(keys.tolist(), room[:, b % draws.lanes].astype(float).tolist(), strict=True))
        w = FRAME[unit].map({label: weight_of[key] for label, key in own.items()})
        rows = FRAME[w > 0].reset_index(drop=True)
        expected = Brute(rows, rows.y, matrix(rows, names), effects, w[w > 0].to_numpy()).beta
        found_slopes = kept[0][b]
        if names[0] == "Intercept":  # replicates have it at the mean of the regressors
            found_slopes = np.append(found_slopes[0] - means @ found_slopes[1:], found_slopes[1:])
        close(found_slopes, expected, 1e-8)
    complete = kept[0][np.isfinite(kept[0]).all(axis=1)]
    if names[0] == "Intercept":
        complete = np.column_stack([complete[:, 0] - complete[:, 1:] @ means, complete[:, 1:]])
    close(found.covariance, np.cov(complete.T))


def brute_wild(
    frame: pd.DataFrame, names: list[str], effects: list[str], plan: lr.WildCluster, r: float
) -> tuple[float, np.ndarray]:
    """The statistic of b = r and those of the replicates, every one a regression with all dummies."""
    j = names.index(plan.params[0])
    brute = Brute(frame, frame.y, matrix(frame, names), effects)
    x, y = brute.full, frame.y.to_numpy()
    others = np.delete(np.arange(x.shape[1]), j)
    groups = [np.flatnonzero(frame.school == school) for school in sorted(frame.school.unique())]
    g = len(groups)

    def fit(rows: np.ndarray, outcome: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(x[np.ix_(rows, columns)], outcome[rows], rcond=1e-11)[0]

    def statistic(outcome: np.ndarray, null: float) -> float:
        every = np.arange(len(y))
        beta = fit(every, outcome, np.arange(x.shape[1]))
        if plan.kind[0] == "1":
            u = outcome - x @ beta
            sums = np.array([x[rows].T @ u[rows] for rows in groups]) @ brute.bread[j]
            return float((beta[j] - null) / np.sqrt(sums @ sums))
        apart = [fit(np.setdiff1d(every, rows), outcome, np.arange(x.shape[1]))[j] - beta[j] for rows in groups]
        return float((beta[j] - null) / np.sqrt((g - 1) / g * np.sum(np.square(apart))))

    every = np.arange(len(y))
    columns = others if plan.null else np.arange(x.shape[1])
    given = y - r * x[:, j] if plan.null else y
    shift = r * x[:, j] if plan.null else 0.0
    start = fit(every, given, columns)
    fitted = x[:, columns] @ start + shift
    left = y - fitted
    if plan.kind[1] == "3":
        for rows in groups:
            without = fit(np.setdiff1d(every, rows), given, columns)
            left[rows] = given[rows] - x[np.ix_(rows, columns)] @ without
    keys = [keys_of("school")[school] for school in sorted(frame.school.unique())]
    signs = wild.signs(np.array(keys, dtype=np.uint64), plan, 0, DRAWN, plan.n_replicates)
    centre = r if plan.null else fit(every, y, np.arange(x.shape[1]))[j]
    drawn = []
    for b in range(DRAWN):
        outcome = fitted.copy()
        for rows, sign in zip(groups, signs[:, b], strict=True):
            outcome[rows] += sign * left[rows]
        drawn.append(statistic(outcome, centre))
    return statistic(y, r), np.array(drawn)


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize(
    ("kind", "signs"), [("11", "rademacher"), ("11", "webb"), ("13", "webb"), ("31", "mammen"), ("33", "rademacher")]
)
def test_wild_statistics_are_those_of_regressions(
    kind: str, signs: str, null: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[wild._Test, np.ndarray]] = []
    plain = wild._Test.replicates

    def watched(test: wild._Test, plan: lr.WildCluster) -> np.ndarray:
        kept.append((test, plain(test, plan)))
        return kept[-1][1]

    monkeypatch.setattr(wild._Test, "replicates", watched)
    for formula, names, effects in CASES[:3]:
        plan = lr.WildCluster("school", 99, seed=7, params=["x1"], kind=kind, null=null, signs=signs)  # type: ignore[arg-type]
        estimated(formula, plan)
        test, (n0, n1, s00, s01, s11) = kept[-1]
        for r in (0.0, 0.2):
            scaled = r / test.unit
            t, drawn = brute_wild(FRAME, names, effects, plan, r)
            assert (test.estimate - scaled) / test.error == pytest.approx(t, rel=1e-9)
            found = (n0 - scaled * n1) / np.sqrt(s00 - 2 * scaled * s01 + scaled**2 * s11)
            close(found[:DRAWN], drawn, 1e-7 if null and r else 1e-9)


def test_p_values_and_intervals_agree() -> None:
    for kind in ("11", "33"):
        for null in (True, False):
            plan = lr.WildCluster("school", 999, seed=7, params=["x1", "treated"], kind=kind, null=null, signs="webb")  # type: ignore[arg-type]
            found = estimated("y ~ x1 + treated | person + year", plan)
            assert found.drawn is not None
            for name, low, high in zip(found.drawn.names, found.drawn.low, found.drawn.high, strict=True):
                assert (found.pvalues[name] <= 0.05) == (not low <= 0 <= high)
                assert found.conf_int().loc[name].tolist() == [low, high]
            clustered = estimated("y ~ x1 + treated | person + year", lr.Clustered("school"))
            close(found.covariance, clustered.covariance)
            with pytest.raises(lr.SupportError, match="drawn at level 0.95"):
                found.conf_int(0.9)


def brute_joint(
    names: list[str], effects: list[str], tested: list[str], plan: lr.WildCluster
) -> tuple[float, np.ndarray]:
    """Wald's statistic of some coefficients and those of the replicates, every one a regression with all dummies."""
    brute = Brute(FRAME, FRAME.y, matrix(FRAME, names), effects)
    x, y = brute.full, FRAME.y.to_numpy()
    at = [names.index(name) for name in tested]
    every, columns = np.arange(len(y)), np.arange(x.shape[1])
    groups = [np.flatnonzero(FRAME.school == school) for school in sorted(FRAME.school.unique())]

    inverses: dict[bytes, np.ndarray] = {}

    def fit(rows: np.ndarray, outcome: np.ndarray, columns: np.ndarray) -> np.ndarray:
        key = rows.tobytes() + b" " + columns.tobytes()
        if key not in inverses:
            inverses[key] = np.linalg.pinv(x[np.ix_(rows, columns)], rcond=1e-11)
        return inverses[key] @ outcome[rows]

    def statistic(outcome: np.ndarray, null: np.ndarray) -> float:
        beta = fit(every, outcome, columns)
        if plan.kind[0] == "1":
            u = outcome - x @ beta
            apart = np.array([x[rows].T @ u[rows] for rows in groups]) @ brute.bread[:, at]
        else:
            apart = np.array([fit(np.setdiff1d(every, rows), outcome, columns)[at] - beta[at] for rows in groups])
        gap = beta[at] - null
        return float(gap @ np.linalg.solve(apart.T @ apart, gap))

    used = np.delete(columns, at) if plan.null else columns
    start = fit(every, y, used)
    fitted = x[:, used] @ start
    left = y - fitted
    if plan.kind[1] == "3":
        for rows in groups:
            left[rows] = y[rows] - x[np.ix_(rows, used)] @ fit(np.setdiff1d(every, rows), y, used)
    centre = np.zeros(len(at)) if plan.null else start[at]
    keys = np.array([keys_of("school")[school] for school in sorted(FRAME.school.unique())], dtype=np.uint64)
    signs = wild.signs(keys, plan, 0, plan.n_replicates, plan.n_replicates)
    drawn = []
    for b in range(plan.n_replicates):
        outcome = fitted.copy()
        for rows, sign in zip(groups, signs[:, b], strict=True):
            outcome[rows] += sign * left[rows]
        drawn.append(statistic(outcome, centre))
    return statistic(y, np.zeros(len(at))), np.array(drawn)


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize("kind", ["11", "13", "31", "33"])
def test_joint_tests_are_those_of_regressions(kind: str, null: bool) -> None:
    for formula, names, effects in CASES[:2]:
        plan = lr.WildCluster("school", 39, 7, ["x1"], kind, null, "webb", joint=[["x1", "treated"], ["x1"]])  # type: ignore[arg-type]
        found = estimated(formula, plan)
        t, drawn = brute_joint(names, effects, ["x1", "treated"], plan)
        assert found.wald(["treated", "x1"]).pvalue == pytest.approx(np.mean(drawn > t), abs=1e-12)
        # One coefficient alone has the test of its own.
        assert found.wald(["x1"]).pvalue == found.pvalues["x1"]
        clustered = estimated(formula, lr.Clustered("school"))
        assert found.wald(["x1", "treated"]).statistic == pytest.approx(clustered.wald(["x1", "treated"]).statistic)


def test_joint_tests_are_named_and_possible() -> None:
    with pytest.raises(TypeError, match="joint names sets"):
        lr.WildCluster("school", 99, seed=1, params=["x1"], joint=["x1"])
    with pytest.raises(lr.SupportError, match="no coefficient 'x9'"):
        estimated("y ~ x1 | person", lr.WildCluster("school", 99, seed=1, params=["x1"], joint=[["x1", "x9"]]))
    few = FRAME.assign(half=FRAME.school % 2)
    with pytest.raises(lr.SupportError, match="2 clusters of 'half' are too few to test 2 coefficients together"):
        lr.feols("y ~ x1 + x2", few, cov=lr.WildCluster("half", 99, 1, ["x1"], signs="webb", joint=[["x1", "x2"]]))


def test_all_signs_are_taken_where_they_are_few() -> None:
    found = estimated("y ~ x1 | person", lr.WildCluster("school", 999, seed=1, params=["x1"]))
    again = estimated("y ~ x1 | person", lr.WildCluster("school", 400, seed=2, params=["x1"]))
    assert found.drawn is not None and again.drawn is not None
    assert found.drawn.n_replicates == again.drawn.n_replicates == 2**8
    np.testing.assert_array_equal(found.drawn.low, again.drawn.low)


@pytest.mark.parametrize("signs", ["rademacher", "webb", "mammen", "normal"])
def test_signs_have_mean_nought_and_variance_one(signs: str) -> None:
    plan = lr.WildCluster("school", 4096, seed=3, params=["x"], signs=signs)  # type: ignore[arg-type]
    keys = np.random.default_rng(0).integers(0, 2**63, 100).astype(np.uint64)
    drawn = wild.signs(keys, plan, 0, 4096, 4096)
    n = drawn.size
    assert abs(drawn.mean()) < 5 / np.sqrt(n)
    assert abs((drawn**2).mean() - 1) < 5 * np.sqrt(2 / n)
    np.testing.assert_array_equal(wild.signs(keys[::-1].copy(), plan, 256, 512, 4096), drawn[::-1, 256:512])


def test_threads_change_no_bit() -> None:
    for cov in (
        lr.Jackknifed("school"),
        lr.Resampled(lr.BootstrapPlan(64, unit="school", seed=1, interval="normal")),
        lr.WildCluster("school", 512, seed=1, params=["x1"], signs="webb"),
    ):
        first = estimated("y ~ x1 + treated | person + year", cov, n_jobs=1)
        for n_jobs in (2, 3):
            again = estimated("y ~ x1 + treated | person + year", cov, n_jobs=n_jobs)
            assert again.covariance.tobytes() == first.covariance.tobytes()
            assert again.conf_int().to_numpy().tobytes() == first.conf_int().to_numpy().tobytes()


def test_what_refits_cannot_do_is_refused() -> None:
    with pytest.raises(lr.SupportError, match="'person' crosses the clusters of 'place'"):
        estimated("y ~ x1 | person + year", lr.Jackknifed("place"))
    with pytest.raises(lr.NotIdentifiedError, match="a coefficient cannot be estimated"):
        lr.feols("y ~ only", FRAME.assign(only=(FRAME.school == 2) * FRAME.x1), cov=lr.Jackknifed("school"))
    with pytest.raises(lr.SupportError, match="no coefficient 'x9'"):
        estimated("y ~ x1 | person", lr.WildCluster("school", 99, seed=1, params=["x9"]))
    with pytest.raises(lr.SupportError, match="that of least squares"):
        estimated("y ~ x2 | person | x1 ~ w", lr.WildCluster("school", 99, seed=1, params=["x1"]))
    with pytest.raises(ValueError, match="kind is one of"):
        lr.WildCluster("school", 99, seed=1, params=["x1"], kind="12")  # type: ignore[arg-type]
