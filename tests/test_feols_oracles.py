"""feols against linearmodels, statsmodels and pyfixest on real data, and against published numbers."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels
import statsmodels.formula.api as smf
from linearmodels.iv import IV2SLS
from linearmodels.iv.absorbing import AbsorbingLS
from linearmodels.panel import PanelOLS
from reference_feols import workers

import leoreturns as lr

pytestmark = pytest.mark.filterwarnings("ignore::leoreturns.errors.ClusterWarning")  # few on purpose
RTOL = 1e-9  # the bar against other packages
WAGES = "union + married + expersq"


def loaded(name: str) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"linearmodels.datasets.{name}").load()


def wage_panel() -> pd.DataFrame:
    return loaded("wage_panel")


def same(found: lr.Estimate | lr.Estimates, params: Any, errors: Any, rename: dict[str, str] | None = None) -> None:
    assert isinstance(found, lr.Estimate)
    params, errors = params.rename(rename or {}), errors.rename(rename or {})
    names = [name for name in found.names if name in params.index]
    assert names
    np.testing.assert_allclose(found.params[names], params[names], rtol=RTOL)
    np.testing.assert_allclose(found.std_errors[names], errors[names], rtol=RTOL)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_robust_errors_of_statsmodels(kind: str) -> None:
    data = wage_panel()
    for formula in ("lwage ~ educ + union + C(year)", "lwage ~ educ * union + I(exper ** 2) - 1"):
        expected = smf.ols(formula, data).fit(cov_type=kind)
        same(lr.feols(formula, data, cov=lr.Robust(kind)), expected.params, expected.bse)  # type: ignore[arg-type]
    weighted = smf.wls("lwage ~ educ + union", data, weights=data.hours + 1).fit(cov_type=kind)
    given = lr.Weights("h", "analytic")
    found = lr.feols("lwage ~ educ + union", data.assign(h=data.hours + 1), cov=lr.Robust(kind), weights=given)  # type: ignore[arg-type]
    same(found, weighted.params, weighted.bse)


def test_clustered_errors_of_statsmodels() -> None:
    data = wage_panel()
    plain = smf.ols("lwage ~ educ + union", data)
    one = plain.fit(cov_type="cluster", cov_kwds={"groups": data.nr})
    same(lr.feols("lwage ~ educ + union", data, cov=lr.Clustered("nr")), one.params, one.bse)
    two = plain.fit(cov_type="cluster", cov_kwds={"groups": data[["nr", "year"]].to_numpy()})
    ssc = lr.SmallSample(cluster_df="conventional")
    same(lr.feols("lwage ~ educ + union", data, cov=lr.Clustered("nr", "year"), ssc=ssc), two.params, two.bse)


@pytest.mark.parametrize("time_effects", [True, False])
def test_panel_regressions_of_linearmodels(time_effects: bool) -> None:
    data = wage_panel()
    indexed = data.set_index(["nr", "year"])
    names = ["union", "married", "expersq"]
    model = PanelOLS(indexed.lwage, indexed[names], entity_effects=True, time_effects=time_effects)
    formula = f"lwage ~ {WAGES} | nr" + (" + year" if time_effects else "")
    plain = model.fit()
    same(lr.feols(formula, data, cov=lr.Unadjusted(), person="nr"), plain.params, plain.std_errors)
    clustered = model.fit(cov_type="clustered", cluster_entity=True, group_debias=True)
    found = lr.feols(formula, data, cov=lr.Clustered("nr"), person="nr", ssc=lr.SmallSample(effects="none"))
    assert isinstance(found, lr.Estimate)
    np.testing.assert_allclose(found.params[names], clustered.params[names], rtol=RTOL)
    ratios = found.std_errors[names] / clustered.std_errors[names]
    np.testing.assert_allclose(ratios, ratios.iloc[0], rtol=RTOL)  # but for the factor
    assert found.r2_within == pytest.approx(
        PanelOLS(indexed.lwage, indexed[names], entity_effects=True).fit().rsquared
    ) or (time_effects)


def test_three_effects_of_absorbing_least_squares() -> None:
    data = workers(300)
    absorbed = data[["person", "place", "year"]].astype("category")
    expected = AbsorbingLS(data.y, data[["x1", "x2"]], absorb=absorbed).fit(
        cov_type="robust", method="lsmr", absorb_options={"atol": 1e-14, "btol": 1e-14, "conlim": 1e12}
    )
    found = lr.feols("y ~ x1 + x2 | person + place + year", data, cov=lr.Robust("HC0"), person="person")
    assert isinstance(found, lr.Estimate)
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-8)  # an iterative method
    assert found.nobs == expected.nobs


def test_pyfixest_agrees_with_its_defaults() -> None:
    pyfixest = pytest.importorskip("pyfixest", reason="pyfixest is not installed")
    data = workers(300)
    vcovs: list[tuple[Any, lr.Covariance]] = [
        ("iid", lr.Unadjusted()),
        ("hetero", lr.Robust("HC1")),
        ({"CRV1": "person"}, lr.Clustered("person")),
        ({"CRV1": "school"}, lr.Clustered("school")),
        ({"CRV1": "person+year"}, lr.Clustered("person", "year")),
    ]
    for effects in ("", " | person", " | person + year", " | person + place + year", " | school^year"):
        for vcov, cov in vcovs:
            expected = pyfixest.feols(f"y ~ x1 + x2{effects}", data, vcov=vcov, fixef_tol=1e-13)
            found = lr.feols(f"y ~ x1 + x2{effects}", data, cov=cov, person="person")
            same(found, expected.coef(), expected.se())
            # Theirs are one minus a distribution function: nothing is left of them below its rounding.
            np.testing.assert_allclose(found.pvalues, expected.pvalue()[list(found.names)], rtol=1e-7, atol=1e-15)  # type: ignore[union-attr]


@pytest.mark.parametrize("lags", [0, 1, 3])
def test_driscoll_kraay_errors_of_linearmodels(lags: int) -> None:
    data = wage_panel()
    indexed = data.set_index(["nr", "year"])
    names = ["union", "married", "expersq"]
    panel = lr.Panel.from_frame(data, person="nr", time="year")
    expected = PanelOLS(indexed.lwage, indexed[names], entity_effects=True).fit(
        cov_type="kernel", kernel="bartlett", bandwidth=lags, debiased=False
    )
    bare = lr.SmallSample(parameters=False, clusters=False)
    found = lr.feols(f"lwage ~ {WAGES} | nr", panel, cov=lr.DriscollKraay(lags), ssc=bare)
    assert isinstance(found, lr.Estimate)
    factor = len(data) / (len(data) - 545)  # linearmodels counts the absorbed effects
    np.testing.assert_allclose(found.cov.loc[names, names] * factor, expected.cov, rtol=RTOL)
    assert found.df_tests == 7
    # Every second year: neighbours are two years apart.
    even = lr.Panel.from_frame(data[data.year % 2 == 0], person="nr", time="year")
    halved = lr.Panel.from_frame(
        data[data.year % 2 == 0].assign(year=lambda rows: rows.year // 2), person="nr", time="year"
    )
    both = [lr.feols(f"lwage ~ {WAGES} | nr", part, cov=lr.DriscollKraay(min(lags, 2))) for part in (even, halved)]
    np.testing.assert_array_equal(both[0].covariance, both[1].covariance)  # type: ignore[union-attr]


def test_driscoll_kraay_needs_periods() -> None:
    data = wage_panel()
    with pytest.raises(lr.SupportError, match="need to know the periods"):
        lr.feols(f"lwage ~ {WAGES} | nr", data, cov=lr.DriscollKraay(1), person="nr")
    with pytest.raises(lr.SupportError, match="8 lags need more than 8 periods"):
        lr.feols("lwage ~ union", lr.Panel.from_frame(data, person="nr", time="year"), cov=lr.DriscollKraay(8))


# ---- published -------------------------------------------------------------------------------------------------------


def printed(found: float, published: float, half_digit: float) -> None:
    assert abs(found - published) <= half_digit


def test_wage_panel_of_vella_and_verbeek() -> None:
    """Wooldridge, Introductory Econometrics, table 14.2; peer values of linearmodels 7.1 at full precision."""
    data = wage_panel()
    pooled = lr.feols(
        "lwage ~ educ + black + hisp + exper + expersq + married + union + C(year)", data, cov=lr.Unadjusted()
    )
    fixed = lr.feols("lwage ~ expersq + married + union | nr + year", data, cov=lr.Unadjusted(), person="nr")
    assert isinstance(pooled, lr.Estimate) and isinstance(fixed, lr.Estimate)
    for name, value, error, digits in (
        ("union", 0.182, 0.017, 5e-4),
        ("married", 0.108, 0.016, 5e-4),
        ("educ", 0.091, 0.005, 5e-4),
    ):
        printed(pooled.params[name], value, digits)
        printed(pooled.std_errors[name], error, digits)
    for name, value, error, digits in (("union", 0.080, 0.019, 5e-4), ("married", 0.047, 0.018, 5e-4)):
        printed(fixed.params[name], value, digits)
        printed(fixed.std_errors[name], error, digits)
    printed(fixed.params["expersq"], -0.0052, 5e-5)
    assert fixed.params["union"] == pytest.approx(0.08000185412553172, rel=1e-8)
    assert fixed.std_errors["union"] == pytest.approx(0.019310307008852178, rel=1e-8)
    assert pooled.params["union"] == pytest.approx(0.1824612555836624, rel=1e-8)
    assert pooled.std_errors["union"] == pytest.approx(0.017156767680679683, rel=1e-8)


def test_job_training_grants() -> None:
    """Wooldridge, example 14.1: 54 firms, rows without a scrap rate left out."""
    data = loaded("jobtraining")
    found = lr.feols("lscrap ~ d88 + d89 + grant + grant_1 | fcode", data, cov=lr.Unadjusted(), person="fcode")
    assert isinstance(found, lr.Estimate)
    assert (found.nobs, found.effects["fcode"]) == (162, 54)
    expected = {"d88": (-0.080, 0.109), "d89": (-0.247, 0.133), "grant": (-0.252, 0.151), "grant_1": (-0.422, 0.210)}
    for name, (value, error) in expected.items():
        printed(found.params[name], value, 5e-4)
        printed(found.std_errors[name], error, 6e-4)
    rows = data.dropna(subset=["lscrap"]).set_index(["fcode", "year"])
    expected = PanelOLS(rows.lscrap, rows[["d88", "d89", "grant", "grant_1"]], entity_effects=True).fit()
    same(found, expected.params, expected.std_errors)


def test_card_returns_to_schooling() -> None:
    """Card (1995), as in Wooldridge's example 15.4: least squares and college proximity as an instrument."""
    data = loaded("card").dropna(subset=["lwage"])
    others = " + ".join(["exper", "expersq", "black", "smsa", "south", "smsa66", *(f"reg66{n}" for n in range(2, 10))])
    least = lr.feols(f"lwage ~ educ + {others}", data, cov=lr.Unadjusted())
    instrumented = lr.feols(f"lwage ~ {others} | educ ~ nearc4", data, cov=lr.Unadjusted())
    assert isinstance(least, lr.Estimate) and isinstance(instrumented, lr.Estimate)
    assert least.nobs == 3010
    for found, value, error in ((least, 0.0747, 0.0035), (instrumented, 0.1315, 0.0550)):
        printed(found.params["educ"], value, 5e-5)
        printed(found.std_errors["educ"], error, 5e-5)
    assert least.r2 == pytest.approx(smf.ols(f"lwage ~ educ + {others}", data).fit().rsquared, rel=RTOL)
    given = data.assign(Intercept=1.0)
    peer = IV2SLS(data.lwage, given[["Intercept", *others.split(" + ")]], data[["educ"]], data[["nearc4"]])
    expected = peer.fit(cov_type="unadjusted", debiased=True)
    same(instrumented, expected.params, expected.std_errors)


def test_mroz_women_in_work() -> None:
    """Wooldridge, example 15.5."""
    data = loaded("mroz")
    least = lr.feols("lwage ~ educ + exper + expersq", data, cov=lr.Unadjusted(), where="inlf == 1")
    two = lr.feols("lwage ~ exper + expersq | educ ~ motheduc + fatheduc", data, cov=lr.Unadjusted(), where="inlf == 1")
    assert isinstance(least, lr.Estimate) and isinstance(two, lr.Estimate)
    printed(least.params["educ"], 0.1075, 5e-5)
    printed(least.std_errors["educ"], 0.0141, 5e-5)
    printed(two.params["educ"], 0.0614, 5e-5)
    printed(two.std_errors["educ"], 0.0314, 5e-5)
    expected = smf.ols("lwage ~ educ + exper + expersq", data[data.inlf == 1]).fit()
    same(least, expected.params, expected.bse)


def test_griliches_ability_bias() -> None:
    """Hayashi (2000), table 3.2."""
    path = Path(statsmodels.__file__).parent / "sandbox/regression/tests/griliches76.dta"
    data = pd.read_stata(path)
    others = "expr + tenure + rns + smsa + C(year)"
    first = lr.feols(f"lw ~ s + {others}", data, cov=lr.Unadjusted())
    second = lr.feols(f"lw ~ s + iq + {others}", data, cov=lr.Unadjusted())
    third = lr.feols(f"lw ~ s + {others} | iq ~ med + kww + age + mrt", data, cov=lr.Unadjusted())
    for found, name, value in (
        (first, "s", 0.06967295036081368),
        (second, "s", 0.06195478182293794),
        (second, "iq", 0.0027121199106012526),
        (third, "s", 0.06917591653718538),
        (third, "iq", 0.00017465481905251995),
    ):
        assert isinstance(found, lr.Estimate)
        assert found.params[name] == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize("kind", ["unadjusted", "robust", "clustered"])
def test_instruments_of_linearmodels(kind: str) -> None:
    data = loaded("mroz").dropna(subset=["lwage"]).reset_index(drop=True).assign(one=1.0)
    exogenous, instruments = data[["one", "exper", "expersq"]], data[["motheduc", "fatheduc", "huseduc"]]
    model = IV2SLS(data.lwage, exogenous, data[["educ", "hours"]], instruments)
    options = {"clusters": data.age} if kind == "clustered" else {}
    expected = model.fit(cov_type=kind, debiased=True, **options)
    cov = {"unadjusted": lr.Unadjusted(), "robust": lr.Robust("HC1"), "clustered": lr.Clustered("age")}[kind]
    found = lr.feols("lwage ~ exper + expersq | educ + hours ~ motheduc + fatheduc + huseduc", data, cov=cov)
    same(found, expected.params, expected.std_errors, {"one": "Intercept"})


def test_first_stages() -> None:
    data = loaded("mroz").dropna(subset=["lwage"]).reset_index(drop=True)
    for cov in (lr.Unadjusted(), lr.Robust("HC1"), lr.Clustered("age")):
        found = lr.feols("lwage ~ exper + expersq | educ ~ motheduc + fatheduc", data, cov=cov)
        stage = lr.feols("educ ~ exper + expersq + motheduc + fatheduc", data, cov=cov)
        assert isinstance(found, lr.Estimate) and isinstance(stage, lr.Estimate)
        first = found.first_stages["educ"]
        np.testing.assert_allclose(first.estimate.params, stage.params, rtol=RTOL)
        np.testing.assert_allclose(first.estimate.cov, stage.cov, rtol=RTOL)
        assert first.test.statistic == pytest.approx(stage.wald(["motheduc", "fatheduc"]).statistic, rel=RTOL)
        if isinstance(cov, lr.Unadjusted):
            # Equal variances: the effective F is the ordinary one, 55.40 in Wooldridge's example 15.5.
            assert first.effective == pytest.approx(first.test.statistic, rel=RTOL)
            printed(first.effective, 55.40, 5e-3)
        single = lr.feols("lwage ~ exper + expersq | educ ~ motheduc", data, cov=cov)
        assert isinstance(single, lr.Estimate)
        one = single.first_stages["educ"]
        assert one.effective == pytest.approx(one.test.statistic, rel=RTOL)


def test_anderson_rubin_sets_hold_the_values_that_are_not_rejected() -> None:
    data = loaded("mroz").dropna(subset=["lwage"]).reset_index(drop=True)
    for cov in (lr.Unadjusted(), lr.Robust("HC1")):
        found = lr.feols("lwage ~ exper + expersq | educ ~ motheduc + fatheduc", data, cov=cov)
        assert isinstance(found, lr.Estimate)
        ((low, high),) = found.anderson_rubin()
        for value, sign in ((low, 0), (high, 0), ((low + high) / 2, 1), (low - 0.01, -1), (high + 0.01, -1)):
            moved = data.assign(left=data.lwage - value * data.educ)
            test = lr.feols("left ~ exper + expersq + motheduc + fatheduc", moved, cov=cov).wald(
                ["motheduc", "fatheduc"]
            )  # type: ignore[union-attr]
            assert test.pvalue == pytest.approx(0.05, rel=1e-6) if sign == 0 else (test.pvalue > 0.05) == (sign > 0)
    weak = data.assign(noise=np.random.default_rng(3).normal(size=len(data)))
    unbounded = lr.feols("lwage ~ exper | educ ~ noise", weak, cov=lr.Unadjusted())
    assert isinstance(unbounded, lr.Estimate)
    assert unbounded.anderson_rubin()[0][0] == -np.inf and unbounded.anderson_rubin()[-1][1] == np.inf
