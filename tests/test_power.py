"""Detectable effects: against statsmodels, dense algebra and simulated tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

import leoreturns as lr

PERSON = {"person": "id"}


def effects(sample: lr.PlannedSample, **keywords: object) -> np.ndarray:
    return lr.minimum_detectable_effect(sample, **{"sd": 1.0, **keywords}).effects


def pupils(n: int = 900, seed: int = 1) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(n), "school": draw.integers(0, 30, n), "x": draw.normal(size=n)})
    frame["d"] = draw.random(n) < 0.2 + 0.3 * (frame["school"] % 2) + 0.1 * (frame["x"] > 0)
    return frame.assign(y=draw.normal(size=n), region=draw.choice(list("NSW"), n))


# ---- groups ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(5, 5), (12, 40), (300, 200), (20_000, 4_000)])
@pytest.mark.parametrize(("power", "alpha", "two_sided"), [(0.8, 0.05, True), (0.9, 0.01, True), (0.8, 0.05, False)])
def test_effects_are_those_of_statsmodels(sizes: tuple[int, int], power: float, alpha: float, two_sided: bool) -> None:
    found = effects(lr.PlannedSample.of_groups(*sizes), power=power, alpha=alpha, two_sided=two_sided)
    side = "two-sided" if two_sided else "larger"
    # Its own solver stops early: its power at our effect is what was asked for.
    wanted = TTestIndPower().power(found[0], sizes[0], alpha, ratio=sizes[1] / sizes[0], alternative=side)
    assert wanted == pytest.approx(power, abs=1e-9)


def test_the_multiple_of_many_persons_is_that_of_bloom() -> None:
    wanted = (stats.norm.isf(0.025) + stats.norm.isf(0.2)) * np.sqrt(1 / 4e6 + 1 / 6e6)
    assert effects(lr.PlannedSample.of_groups(4_000_000, 6_000_000))[0] == pytest.approx(wanted, rel=2e-6)
    half = effects(lr.PlannedSample.of_groups(4_000_000, 6_000_000), sd=0.5, r2=0.19)[0]
    assert half == pytest.approx(wanted * 0.5 * 0.9, rel=2e-6)


def test_cells_are_named_and_empty_ones_have_no_effect() -> None:
    index = pd.MultiIndex.from_product([["F", "M"], ["low", "high"]])
    treated, control = pd.Series([40, 0, 400, 4], index=index), pd.Series([60, 50, 600, 900], index=index)
    found = lr.minimum_detectable_effect(lr.PlannedSample.of_groups(treated, control), sd=0.6)
    frame = found.to_frame()
    assert list(frame.index) == ["F, low", "F, high", "M, low", "M, high"]
    assert np.isnan(frame.loc["F, high", "effect"])
    assert frame.loc["M, low", "effective"] == pytest.approx(4 / (1 / 400 + 1 / 600))
    assert "F, low" in repr(found)
    assert "M, high" not in repr(found)
    assert "2 comparisons with an arm of fewer than 10 persons" in repr(found)
    with pytest.raises(ValueError, match="series of one index"):
        lr.PlannedSample.of_groups(treated, control.iloc[::-1])


def test_shares_are_found_as_often_as_asked() -> None:
    """Draw shares that differ by the effect: the test finds it in four of five draws."""
    n, share = (700, 1_100), 0.3
    effect = effects(lr.PlannedSample.of_groups(*n), statistic="share", sd=None, share=share)[0]
    draw = np.random.default_rng(2)
    first, second = draw.binomial(n[0], share + effect, 40_000) / n[0], draw.binomial(n[1], share, 40_000) / n[1]
    errors = np.sqrt(first * (1 - first) / n[0] + second * (1 - second) / n[1])
    assert np.mean(np.abs(first - second) / errors > stats.t.isf(0.025, sum(n) - 2)) == pytest.approx(0.8, abs=0.008)
    # A share of nearly one can rise no further.
    assert np.isnan(effects(lr.PlannedSample.of_groups(20, 20), statistic="share", sd=None, share=0.95)[0])


def test_medians_have_the_error_of_normal_samples() -> None:
    n = (401, 601)
    found = lr.minimum_detectable_effect(lr.PlannedSample.of_groups(*n), statistic="median", sd=0.6)
    draw = np.random.default_rng(3)
    gaps = [np.median(draw.normal(0, 0.6, n[0])) - np.median(draw.normal(0, 0.6, n[1])) for _ in range(6_000)]
    assert np.std(gaps) == pytest.approx(found.std_errors[0], rel=0.03)


@pytest.mark.parametrize("sizes", [[7, 7, 7, 7], [1, 2, 30, 4, 9]])
def test_design_effects_are_exact_for_whole_clusters(sizes: list[int]) -> None:
    icc, n = 0.13, sum(sizes)
    same = np.repeat(np.arange(len(sizes)), sizes)
    covariance = icc * (same[:, None] == same) + (1 - icc) * np.eye(n)
    found = lr.ClusterSizes.of(sizes, icc=icc)
    assert found.design_effect / n == pytest.approx(covariance.sum() / n**2, rel=1e-12)
    sample = lr.PlannedSample.of_groups(n, n, clusters=found)
    assert sample.variances.sum() == pytest.approx(2 * covariance.sum() / n**2, rel=1e-12)
    assert sample.df[0] == pytest.approx(2 * len(sizes) - 2)


def test_arms_within_clusters_gain() -> None:
    within = lr.ClusterSizes(0.2, 20, assigned="person")
    assert within.design_effect == 0.8
    assert lr.PlannedSample.of_groups(200, 200, clusters=within).df[0] == 400 - 20 - 1
    for wrong in ({"icc": 1.0, "mean": 5}, {"icc": 0.1, "mean": 0.5}, {"icc": 0.1, "mean": 5, "assigned": "school"}):
        with pytest.raises(ValueError, match=r"icc lies|assigned is"):
            lr.ClusterSizes(**wrong)


def test_weighted_and_matched_samples_count_effective_persons() -> None:
    frame = pupils()
    weighted = lr.weight("d", "x + region", frame, method="ipw", estimand="ATT", **PERSON)
    sample = lr.PlannedSample.of_balance(weighted.balance())
    weights = weighted.weights()
    arms = weighted.part.study.arms
    sizes = [weights[arms == arm].sum() ** 2 / (weights[arms == arm] ** 2).sum() for arm in (1, 0)]
    assert sample.variances.sum() == pytest.approx(1 / sizes[0] + 1 / sizes[1])
    assert sample.persons.tolist() == [[frame["d"].sum(), (~frame["d"]).sum()]]
    assert sample.effective[0] < len(frame)


# ---- regressions ----------------------------------------------------------------------------------------------------


def dense(frame: pd.DataFrame, effects_of: list[str]) -> np.ndarray:
    """Weights of the rows' outcomes in the coefficients of d and x, with dummies for every effect."""
    dummies = [pd.get_dummies(frame[name], drop_first=bool(at)).to_numpy(float) for at, name in enumerate(effects_of)]
    others = np.column_stack(dummies or [np.ones(len(frame))])
    return np.linalg.pinv(np.column_stack([frame["d"], frame["x"], others]))[:2]


@pytest.mark.parametrize("absorbed", [[], ["school"], ["school", "region"], ["region"]])
def test_a_regression_has_the_variance_of_dense_algebra(absorbed: list[str]) -> None:
    frame = pupils()
    formula = f"~ d + x{' | ' if absorbed else ''}{' + '.join(absorbed)}"
    rows = dense(frame, absorbed)
    plain = lr.PlannedSample.of_regression(formula, frame, **PERSON)
    assert plain.labels == ("d", "x")
    np.testing.assert_allclose(plain.variances[:, 1], (rows**2).sum(axis=1), rtol=1e-9)
    same = (frame["school"].to_numpy()[:, None] == frame["school"].to_numpy()).astype(float)
    alike = 0.2 * same + 0.8 * np.eye(len(frame))
    clustered = lr.PlannedSample.of_regression(formula, frame, clusters="school", icc=0.2, **PERSON)
    np.testing.assert_allclose(clustered.variances[:, 1], np.diag(rows @ alike @ rows.T), rtol=1e-9)
    assert clustered.df.tolist() == [29, 29]
    assert clustered.persons[0].tolist() == [frame["d"].sum(), len(frame)]


def test_a_regression_of_persons_years_is_that_of_feols() -> None:
    """Its covariance over the variance of its residuals, whatever the outcome."""
    draw = np.random.default_rng(6)
    frame = pd.DataFrame({"id": np.repeat(np.arange(200), 4), "t": np.tile(np.arange(4), 200)})
    frame = frame.assign(x=draw.normal(size=800), y=draw.normal(size=800), z=draw.choice(["a", "b", "c"], 800))
    panel = lr.Panel.from_frame(frame, person="id", time="t")
    fit = lr.feols("y ~ x + z | id + t", panel, cov=lr.Unadjusted())
    found = lr.PlannedSample.of_regression("~ x + z | id + t", panel)
    assert found.labels == fit.names
    np.testing.assert_allclose(
        found.variances[:, 1] * fit.fit["rss"] / fit.df_resid, np.diag(fit.covariance), rtol=1e-9
    )
    np.testing.assert_allclose(found.df, fit.df_resid)


def test_the_numbers_of_the_outcome_are_not_used() -> None:
    frame = pupils()
    named = [
        lr.PlannedSample.of_regression("y ~ d + x", own, **PERSON) for own in (frame, frame.assign(y=frame["y"] ** 3))
    ]
    np.testing.assert_array_equal(named[0].variances, named[1].variances)
    np.testing.assert_allclose(named[0].variances, lr.PlannedSample.of_regression("~ d + x", frame, **PERSON).variances)
    lost = frame.assign(y=frame["y"].where(frame["id"] % 2 == 0))
    half = lr.PlannedSample.of_regression("~ d + x", frame[frame["id"] % 2 == 0], **PERSON)
    found = lr.PlannedSample.of_regression("y ~ d + x", lost, **PERSON)
    np.testing.assert_allclose(found.variances, half.variances, rtol=1e-12)


def test_a_planned_regression_finds_its_effect_as_often_as_asked() -> None:
    frame = pupils(300)
    sample = lr.PlannedSample.of_regression("~ d + x | school", frame, terms=["d"], **PERSON)
    effect = effects(sample, sd=0.7)[0]
    rows = np.column_stack([frame["d"], frame["x"], pd.get_dummies(frame["school"])]).astype(float)
    inverse = np.linalg.pinv(rows)
    draw = np.random.default_rng(7)
    outcomes = effect * frame["d"].to_numpy(float)[:, None] + 0.7 * draw.normal(size=(300, 8_000))
    fitted = inverse @ outcomes
    spread = ((outcomes - rows @ fitted) ** 2).sum(axis=0) / sample.df[0]
    t = fitted[0] / np.sqrt(spread * (inverse[0] @ inverse[0]))
    assert np.mean(np.abs(t) > stats.t.isf(0.025, sample.df[0])) == pytest.approx(0.8, abs=0.015)


def test_regressions_that_cannot_be_planned_are_told() -> None:
    frame = pupils()
    for keywords, message in (
        ({"terms": ["q"]}, "no coefficient 'q'; there are Intercept, d, x"),
        ({"where": "x > 99"}, "no rows are left"),
    ):
        with pytest.raises(lr.SupportError, match=message):
            lr.PlannedSample.of_regression("~ d + x", frame, **keywords, **PERSON)
    with pytest.raises(lr.SupportError, match="no coefficient 'z': collinear"):
        lr.PlannedSample.of_regression("~ d + x + z", frame.assign(z=2 * frame["x"]), terms=["z"], **PERSON)
    with pytest.raises(ValueError, match="belongs with clusters="):
        lr.PlannedSample.of_regression("~ d", frame, icc=0.1, **PERSON)
    with pytest.raises(ValueError, match="without stepwise sets"):
        lr.PlannedSample.of_regression("~ sw(d, x)", frame, **PERSON)
    with pytest.raises(ValueError, match="names no regressor"):
        lr.PlannedSample.of_regression("~ 1 | school", frame, **PERSON)


# ---- discontinuities ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kernel", "order"), [("triangular", 1), ("uniform", 1), ("triangular", 2), ("uniform", 0)])
def test_a_jump_has_the_variance_of_one_weighted_regression(kernel: str, order: int) -> None:
    frame = pupils()
    near = frame[np.abs(frame["x"] - 0.1) < 0.8]
    distance = (near["x"] - 0.1).to_numpy()
    weights = 1 - np.abs(distance) / 0.8 if kernel == "triangular" else np.ones(len(near))
    powers = np.vander(distance, order + 1, increasing=True)
    columns = np.column_stack([powers * (distance >= 0)[:, None], powers])
    rows = np.linalg.solve(columns.T @ (weights[:, None] * columns), columns.T * weights)
    options = {"cutoff": 0.1, "bandwidth": 0.8, "kernel": kernel, "order": order, **PERSON}
    sample = lr.PlannedSample.of_discontinuity("x", frame, **options)
    assert sample.variances.sum() == pytest.approx(rows[0] @ rows[0], rel=1e-9)
    assert sample.persons.tolist() == [[(distance >= 0).sum(), (distance < 0).sum()]]
    assert sample.df[0] == len(near) - columns.shape[1]
    fuzzy = lr.PlannedSample.of_discontinuity("x", frame, first_stage=0.5, **options)
    assert effects(fuzzy)[0] == pytest.approx(2 * effects(sample)[0])


def test_a_jump_needs_values_on_both_sides() -> None:
    frame = pupils().assign(points=lambda own: own["id"] % 3)
    with pytest.raises(lr.NotIdentifiedError, match="300 persons with 1 values"):
        lr.PlannedSample.of_discontinuity("points", frame, cutoff=1, bandwidth=1.5, **PERSON)
    with pytest.raises(lr.SupportError, match="further rows of a person"):
        lr.PlannedSample.of_discontinuity("x", pd.concat([frame, frame]), cutoff=0, bandwidth=1, **PERSON)
    with pytest.raises(ValueError, match="bandwidth positive"):
        lr.PlannedSample.of_discontinuity("x", frame, cutoff=0, bandwidth=0, **PERSON)


def test_numbers_that_a_statistic_does_not_have_are_refused() -> None:
    sample = lr.PlannedSample.of_groups(50, 50)
    for keywords in (
        {"sd": None},
        {"sd": -1.0},
        {"share": 0.5},
        {"statistic": "share"},
        {"statistic": "share", "sd": None, "share": 1.0},
        {"statistic": "variance"},
        {"r2": 1.0},
        {"power": 1.0},
        {"alpha": 0.9},
    ):
        with pytest.raises(ValueError, match=r"name sd=|name share=|statistic is|r2 is|alpha and power"):
            effects(sample, **keywords)
