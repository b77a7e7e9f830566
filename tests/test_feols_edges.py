"""feols on samples, designs and instruments at the edge of what can be estimated: right, or refused with the reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference_feols import Brute, workers

import leoreturns as lr

pytestmark = pytest.mark.filterwarnings("ignore::leoreturns.errors.ClusterWarning")  # few on purpose
FRAME = workers(60)
DRAW = np.random.default_rng(8)
INSTRUMENTED = FRAME.assign(
    z1=FRAME.x1 + DRAW.normal(size=len(FRAME)),
    z2=FRAME.x1 + 2 * DRAW.normal(size=len(FRAME)),
    noise=DRAW.normal(size=len(FRAME)),
)


def fitted(
    formula: str, data: pd.DataFrame = FRAME, cov: lr.Covariance | None = None, **options: object
) -> lr.Estimate:
    found = lr.feols(formula, data, cov=cov or lr.Robust("HC1"), person="person", **options)  # type: ignore[arg-type]
    assert isinstance(found, lr.Estimate)
    return found


# ---- designs ---------------------------------------------------------------------------------------------------------


def test_without_an_intercept_a_category_keeps_every_level() -> None:
    levels = [FRAME.route == level for level in ("a level", "none", "vocational")]
    found = fitted("y ~ x1 + route - 1")
    assert found.names == ("x1", "route::a level", "route::none", "route::vocational")
    brute = Brute(FRAME, FRAME.y, np.column_stack([FRAME.x1, *levels]).astype(float))
    np.testing.assert_allclose(found.values, brute.beta, rtol=1e-10)
    np.testing.assert_allclose(found.covariance, brute.robust("HC1"), rtol=1e-9, atol=1e-12)
    assert fitted("y ~ route - 1").names == ("route::a level", "route::none", "route::vocational")
    # The first stands in for the intercept, so that the second leaves its reference out.
    assert len(fitted("y ~ route + C(school) - 1").names) == 3 + FRAME.school.nunique() - 1
    # A set without its reference does not.
    assert len(fitted("y ~ i(year, ref=2012) + route - 1").names) == FRAME.year.nunique() - 1 + 3


def test_a_regressor_that_does_not_vary_is_called_constant() -> None:
    assert fitted("y ~ x1 + three", FRAME.assign(three=3.0)).dropped == {"three": "constant"}
    assert fitted("y ~ x1 + three | year", FRAME.assign(three=3.0)).dropped == {"three": "absorbed by the effects"}


def test_an_outcome_without_variance_has_no_share_explained() -> None:
    for effects in ("", " | person"):
        found = fitted(f"one ~ x1{effects}", FRAME.assign(one=1.0))
        assert found.params["x1"] == 0.0 and found.std_errors["x1"] == 0.0
        assert np.isnan(found.r2) and "R2 nan" in found.summary()
    assert fitted("y ~ y + x1").rmse == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("cov", [lr.Unadjusted(), lr.Robust("HC0"), lr.Robust("HC3"), lr.Clustered("year")])
@pytest.mark.parametrize(("formula", "rows"), [("y ~ x1", 1), ("y ~ x1", 2), ("y ~ x1 + x2 + ability + w", 4)])
def test_a_regression_that_fits_every_row_is_refused(formula: str, rows: int, cov: lr.Covariance) -> None:
    with pytest.raises(lr.SupportError, match=rf"{rows} rows for {rows} parameters: every row is fitted exactly"):
        fitted(formula, FRAME[FRAME.year < 2013].iloc[:: len(FRAME) // 9].head(rows), cov)


def test_more_levels_than_rows_leave_no_degree_of_freedom() -> None:
    # Connected sets make the effects of lower rank than their levels count.
    with pytest.raises(lr.SupportError, match="no degree of freedom is left"):
        fitted("y ~ x1 | person + school^year + school^place + route^place", FRAME.head(60), lr.Robust("HC1"))


@pytest.mark.parametrize("effects", ["", " | person"])
def test_numbers_of_any_scale_are_right_or_refused(effects: str) -> None:
    plain = fitted(f"y ~ x1 + x2{effects}", cov=lr.Clustered("school"))
    for scale in (1e-120, 1e120):
        scaled = FRAME.assign(x1=FRAME.x1 * scale, x2=FRAME.x2 / scale)
        found = fitted(f"y ~ x1 + x2{effects}", scaled, lr.Clustered("school"))
        units = pd.Series({"Intercept": 1.0, "x1": scale, "x2": 1 / scale})[list(found.names)]
        np.testing.assert_allclose(found.params * units, plain.params, rtol=1e-10)
        np.testing.assert_allclose(found.std_errors * units, plain.std_errors, rtol=1e-10)
    for name in ("x1", "y"):
        with pytest.raises(lr.SupportError, match=f"the squares of {name} are too large"):
            fitted(f"y ~ x1 + x2{effects}", FRAME.assign(**{name: FRAME[name] * 1e200}))


def test_a_regressor_may_vary_for_three_persons() -> None:
    three = FRAME.assign(few=(FRAME.person.isin([4, 20, 41]) & (FRAME.year > 2011)) * 1.0)
    found = fitted("y ~ x1 + few | person + year", three, lr.Robust("HC3"))
    brute = Brute(three, three.y, three[["x1", "few"]].to_numpy(), ["person", "year"])
    np.testing.assert_allclose(found.values, brute.beta, rtol=1e-10)
    np.testing.assert_allclose(found.covariance, brute.robust("HC3"), rtol=1e-9, atol=1e-12)
    assert found.evidence.to_frame().effective_persons["few"] < 4  # years spread it a little
    one = fitted("y ~ x1 + few | person", three[~three.person.isin([4, 20, 41])])
    assert one.dropped == {"few": "absorbed by the effects"}


def test_a_frequency_weight_makes_a_row_several() -> None:
    weighted = FRAME.assign(year=np.where(np.arange(len(FRAME)) == 7, 1999, FRAME.year))
    weighted.loc[7, "w"] = 3.0
    weighted.loc[20, "year"], weighted.loc[20, "w"] = 1998, 1.0
    repeated = weighted.loc[weighted.index.repeat(weighted.w.astype(int))].reset_index(drop=True)
    for formula in ("y ~ x1 + x2 | year", "y ~ x1 + x2 | year + school"):
        for cov in (lr.Unadjusted(), lr.Robust("HC2"), lr.Clustered("school")):
            found = fitted(formula, weighted, cov, weights=lr.Weights("w", "frequency"))
            expected = fitted(formula, repeated, cov)
            assert (found.nobs, found.df_resid) == (expected.nobs, expected.df_resid)
            np.testing.assert_allclose(found.values, expected.values, rtol=1e-10)
            np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-9)
            assert found.r2 == pytest.approx(expected.r2, rel=1e-12)


# ---- covariances -----------------------------------------------------------------------------------------------------


def test_negative_variances_are_judged_at_the_intercept_that_is_returned() -> None:
    none = lr.SmallSample(parameters=False)
    seen = set()
    for seed in range(40):
        frame = workers(12, seed=seed)
        brute = Brute(frame, frame.y, np.column_stack([np.ones(len(frame)), frame.x1]))
        expected = brute.clustered(["school", "year"], parameters=1)
        found = fitted("y ~ x1", frame, lr.Clustered("school", "year"), ssc=none)
        negative = bool((np.diag(expected) < 0).any())
        seen.add(negative)
        assert ("eigenvalues set to zero" in found.settings) == negative
        if negative:
            values, vectors = np.linalg.eigh(expected)
            expected = vectors * np.maximum(values, 0.0) @ vectors.T
        np.testing.assert_allclose(found.covariance, expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max())
    assert seen == {False, True}


def test_more_restrictions_than_clusters_are_refused() -> None:
    found = fitted(
        "y ~ x1 + x2 + ability + route + w", cov=lr.Clustered("half"), data=FRAME.assign(half=FRAME.school % 3)
    )
    with pytest.raises(lr.SupportError, match=r"covariance of 6 coefficients is singular \(3 of half\)"):
        found.wald()
    assert found.wald(["x1", "x2"]).pvalue > 0


def test_one_cluster_has_no_refits() -> None:
    one = FRAME.assign(one=1)
    plan = lr.BootstrapPlan(99, unit="one", seed=1)
    for cov in (lr.Clustered("one"), lr.Jackknifed("one"), lr.Resampled(plan), lr.WildCluster("one", 99, 1, ["x1"])):
        with pytest.raises(lr.SupportError, match="two clusters or more, and there is one"):
            fitted("y ~ x1", one, cov)


# ---- instruments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", ["", " | person + year"])
@pytest.mark.parametrize(
    "cov",
    [
        lr.Robust("HC3"),
        lr.Clustered("school"),
        lr.Jackknifed("school"),
        lr.Resampled(lr.BootstrapPlan(60, unit="school", seed=1, scheme="bayesian")),
    ],
    ids=lambda cov: cov.name,
)
def test_anderson_rubin_sets_end_where_the_test_rejects(cov: lr.Covariance, effects: str) -> None:
    found = fitted(f"y ~ x2{effects} | x1 ~ z1 + noise", INSTRUMENTED, cov)

    def pvalue(value: float) -> float:
        left = INSTRUMENTED.assign(left=INSTRUMENTED.y - value * INSTRUMENTED.x1)
        return fitted(f"left ~ x2 + z1 + noise{effects}", left, cov).wald(["z1", "noise"]).pvalue

    for level in (0.95, 0.99):
        parts = found.anderson_rubin(level)
        ends = [end for part in parts for end in part if np.isfinite(end)]
        for end in ends:
            assert pvalue(end) == pytest.approx(1 - level, rel=1e-7)
        for value in np.linspace(-0.5, 1.5, 9):
            inside = any(low <= value <= high for low, high in parts)
            assert inside == (pvalue(value) >= 1 - level)


def test_the_narrow_sets_of_strong_instruments_are_found() -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(size=2_000)
    frame = pd.DataFrame({"x": x, "z": x + 1e-4 * draw.normal(size=2_000), "y": x + 1e-3 * draw.normal(size=2_000)})
    found = lr.feols("y ~ 1 | x ~ z", frame, cov=lr.Robust("HC1"))
    assert isinstance(found, lr.Estimate)
    ((low, high),) = found.anderson_rubin()
    assert [low, high] == pytest.approx(found.conf_int().loc["x"].tolist(), rel=1e-6)
    for scale in (1e-6, 1e6):
        scaled = lr.feols("y ~ 1 | x ~ z", frame.assign(z=frame.z * scale, y=frame.y / scale), cov=lr.Robust("HC1"))
        assert isinstance(scaled, lr.Estimate)
        np.testing.assert_allclose(np.array(scaled.anderson_rubin()) * scale, [(low, high)], rtol=1e-7)


def test_weak_and_contradicting_instruments() -> None:
    weak = fitted("y ~ x2 | x1 ~ noise", INSTRUMENTED, lr.Unadjusted())
    parts = weak.anderson_rubin()
    assert parts[0][0] == -np.inf and parts[-1][1] == np.inf
    # Two instruments that each say something else, and say it exactly.
    apart = INSTRUMENTED.assign(
        x=INSTRUMENTED.z1 + INSTRUMENTED.noise, y=INSTRUMENTED.z1 + 3 * INSTRUMENTED.noise + 0.1 * FRAME.x2
    )
    assert fitted("y ~ 1 | x ~ z1 + noise", apart).anderson_rubin() == []


def test_an_anderson_rubin_set_needs_variances() -> None:
    few = INSTRUMENTED.assign(half=INSTRUMENTED.school % 2)
    found = fitted("y ~ x2 | x1 ~ z1 + z2", few, lr.Clustered("half"))
    assert np.isnan(found.first_stages["x1"].test.statistic)
    with pytest.raises(lr.SupportError, match="more clusters than instruments"):
        found.anderson_rubin()
    negative = fitted("y ~ x2 | person + year | x1 ~ z1 + z2", INSTRUMENTED, lr.Clustered("school", "year"))
    with pytest.raises(lr.SupportError, match="cluster by one column"):
        negative.anderson_rubin()


def test_instruments_that_say_nothing_new_are_named() -> None:
    found = fitted("y ~ x2 | x1 ~ z1 + twice", INSTRUMENTED.assign(twice=2 * INSTRUMENTED.z1 + INSTRUMENTED.x2))
    assert found.dropped == {"twice": "instrument collinear with those before it"}
    assert found.first_stages["x1"].test.df[0] == 1


@pytest.mark.parametrize("formula", ["y ~ x1 | person | x1 ~ z1", "y ~ x2 | person | x1 ~ z1 + x1"])
def test_a_regressor_has_one_role(formula: str) -> None:
    with pytest.raises(ValueError, match="endogenous x1 cannot be an exogenous regressor or an instrument as well"):
        fitted(formula, INSTRUMENTED)


# ---- bootstraps ------------------------------------------------------------------------------------------------------


def test_a_plan_decides_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = {
        kind: lr.BootstrapPlan(199, unit="school", seed=3, interval=kind) for kind in ("percentile", "basic", "normal")
    }  # type: ignore[arg-type]
    found = {kind: fitted("y ~ x1 + x2", cov=lr.Resampled(plan)) for kind, plan in plans.items()}
    assert len({estimate.covariance.tobytes() for estimate in found.values()}) == 1
    percentile, basic = (found[kind].conf_int() for kind in ("percentile", "basic"))
    np.testing.assert_allclose(percentile.low + basic.high, 2 * found["basic"].params, rtol=1e-10)
    np.testing.assert_allclose(percentile.high + basic.low, 2 * found["basic"].params, rtol=1e-10)
    assert found["normal"].drawn is None
    assert found["percentile"].pvalues.equals(found["normal"].pvalues)
    with pytest.raises(lr.SupportError, match="drawn at level 0.95"):
        found["basic"].conf_int(0.9)
    with pytest.raises(lr.SupportError, match="no 'bca' interval"):
        lr.Resampled(lr.BootstrapPlan(199, seed=3, interval="bca"))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_replicates": 0}, "n_replicates"), ({"seed": -1}, "seed"), ({"level": 1.0}, "level lies between 0 and 1")],
)
def test_settings_of_the_wild_bootstrap_are_checked(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lr.WildCluster(**({"cluster": "school", "n_replicates": 99, "seed": 1, "params": ["x1"]} | options))  # type: ignore[arg-type]


def test_few_clusters_have_too_few_rademacher_signs() -> None:
    for count, enough in ((5, False), (6, True)):
        data = FRAME.assign(few=FRAME.person % count)
        plan = lr.WildCluster("few", 99, seed=1, params=["x1"])
        if enough:
            assert fitted("y ~ x1", data, plan).drawn is not None
            continue
        with pytest.raises(lr.SupportError, match="5 clusters of 'few' have 16 distinct statistics"):
            fitted("y ~ x1", data, plan)
        assert fitted("y ~ x1", data, lr.WildCluster("few", 99, 1, ["x1"], signs="webb")).pvalues["x1"] > 0


def test_a_wild_bootstrap_needs_a_variance() -> None:
    exact = FRAME.assign(y=2 * FRAME.x1)
    with pytest.raises(lr.NotIdentifiedError, match="fits every cluster exactly"):
        fitted("y ~ x1", exact, lr.WildCluster("school", 99, seed=1, params=["x1"]))
