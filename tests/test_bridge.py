"""LIML, GMM, random effects and Hausman's test: linearmodels' own numbers on the same rows, and published ones."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IVGMM, IVLIML
from linearmodels.panel import RandomEffects
from scipy.stats import chi2
from test_feols_oracles import loaded, printed, wage_panel

import leoreturns as lr

RTOL = 1e-8  # the bar against other packages
FORMULA = "lwage ~ exper + expersq | educ ~ motheduc + fatheduc + huseduc"
COVARIANCES: list[tuple[lr.Covariance, dict[str, Any]]] = [
    (lr.Unadjusted(), {"cov_type": "unadjusted", "debiased": True}),
    (lr.Robust("HC0"), {"cov_type": "robust", "debiased": False}),
    (lr.Robust("HC1"), {"cov_type": "robust", "debiased": True}),
    (lr.Clustered("age"), {"cov_type": "clustered", "debiased": True}),
]


def women() -> pd.DataFrame:
    return loaded("mroz").dropna(subset=["lwage"]).reset_index(drop=True).assign(one=1.0)


def sides(data: pd.DataFrame) -> tuple[Any, ...]:
    return data.lwage, data[["one", "exper", "expersq"]], data[["educ"]], data[["motheduc", "fatheduc", "huseduc"]]


def same(found: lr.Estimate, expected: Any) -> None:
    params, errors = expected.params.rename({"one": "Intercept"}), expected.std_errors.rename({"one": "Intercept"})
    names = list(found.names)
    np.testing.assert_allclose(found.params, params[names], rtol=RTOL)
    np.testing.assert_allclose(found.std_errors, errors[names], rtol=RTOL)


@pytest.mark.parametrize(("cov", "options"), COVARIANCES)
@pytest.mark.parametrize("fuller", [0.0, 1.0])
def test_liml_is_that_of_linearmodels(cov: lr.Covariance, options: dict[str, Any], fuller: float) -> None:
    data = women()
    clusters = {"clusters": data.age} if isinstance(cov, lr.Clustered) else {}
    expected = IVLIML(*sides(data), fuller=fuller).fit(**options, **clusters)
    found = lr.liml(FORMULA, data, cov=cov, fuller=fuller)
    same(found, expected)
    assert found.settings["kappa"] == pytest.approx(expected.kappa, rel=RTOL)
    assert (found.nobs, found.method) == (428, "Fuller(1)" if fuller else "LIML")
    assert found.fit["rss"] == pytest.approx(float(expected.resid_ss), rel=RTOL)


@pytest.mark.parametrize(("cov", "options"), COVARIANCES)
def test_gmm_is_that_of_linearmodels(cov: lr.Covariance, options: dict[str, Any]) -> None:
    data = women()
    clusters = {"clusters": data.age} if isinstance(cov, lr.Clustered) else {}
    weighting = {**clusters, "debiased": True} if clusters else {}
    expected = IVGMM(*sides(data), weight_type=options["cov_type"], **weighting).fit(**options, **clusters)
    found = lr.gmm(FORMULA, data, cov=cov)
    same(found, expected)
    test = found.settings["overidentification"]
    assert test.df == (2.0, np.inf)
    assert (2 * test.statistic, test.pvalue) == pytest.approx((expected.j_stat.stat, expected.j_stat.pval), rel=RTOL)


def weighted_women() -> pd.DataFrame:
    data = women()
    return data.assign(w=0.5 + data.age / 40.0, times=data.hours.astype(int) % 3)


@pytest.mark.parametrize("kind", ["analytic", "probability"])
@pytest.mark.parametrize(("cov", "options"), COVARIANCES)
def test_weighted_liml_and_gmm_are_those_of_linearmodels(
    kind: Any, cov: lr.Covariance, options: dict[str, Any]
) -> None:
    data = weighted_women()
    weights = lr.Weights("w", kind)
    if kind == "probability" and isinstance(cov, lr.Unadjusted):
        with pytest.raises(lr.SupportError, match="no unadjusted covariance"):
            lr.liml(FORMULA, data, cov=cov, weights=weights)
        return
    clusters = {"clusters": data.age} if isinstance(cov, lr.Clustered) else {}
    weighting = {**clusters, "debiased": True} if clusters else {}
    expected = IVLIML(*sides(data), weights=data.w).fit(**options, **clusters)
    found = lr.liml(FORMULA, data, cov=cov, weights=weights)
    same(found, expected)
    assert found.settings["kappa"] == pytest.approx(expected.kappa, rel=RTOL)
    assert found.settings["weights"] == f"{kind} weights w" and found.nobs == 428
    gap = (
        data.lwage
        - data[["one", "exper", "expersq", "educ"]] @ found.params[["Intercept", "exper", "expersq", "educ"]].to_numpy()
    )
    assert found.fit["rss"] == pytest.approx(data.w @ gap**2, rel=RTOL)
    same(
        lr.gmm(FORMULA, data, cov=cov, weights=weights),
        IVGMM(*sides(data), weights=data.w, weight_type=options["cov_type"], **weighting).fit(**options, **clusters),
    )


@pytest.mark.parametrize(("cov", "options"), COVARIANCES)
def test_frequency_weights_are_rows_repeated(cov: lr.Covariance, options: dict[str, Any]) -> None:
    data = weighted_women()
    repeated = data.loc[np.repeat(data.index, data.times)].reset_index(drop=True)
    for method in (lr.liml, lr.gmm):
        found = method(FORMULA, data, cov=cov, weights=lr.Weights("times", "frequency"))
        expected = method(FORMULA, repeated, cov=cov)
        np.testing.assert_allclose(found.values, expected.values, rtol=RTOL)
        np.testing.assert_allclose(found.std_errors, expected.std_errors, rtol=RTOL)
        assert found.nobs == expected.nobs == data.times.sum() and found.n_row == (data.times > 0).sum()
        assert found.df_resid == expected.df_resid and found.r2 == pytest.approx(expected.r2, rel=RTOL)


@pytest.mark.parametrize("cov", [lr.Unadjusted(), lr.Robust("HC0"), lr.Clustered("nr")])
def test_weighted_random_effects(cov: lr.Covariance) -> None:
    data = wage_panel()
    data = data[(data.nr + data.year) % 5 != 0].assign(
        w=lambda rows: 1.0 + rows.hours / 1000.0, times=lambda rows: rows.nr % 3
    )
    names = ["educ", "married", "union", "expersq"]
    formula = f"lwage ~ {' + '.join(names)}"
    indexed = data.assign(one=1.0).set_index(["nr", "year"])
    options = {
        "unadjusted": {},
        "robust HC0": {"cov_type": "robust", "debiased": False},
        "clustered by nr": {"cov_type": "clustered", "cluster_entity": True, "group_debias": True},
    }[cov.name]
    expected = RandomEffects(indexed.lwage, indexed[["one", *names]], weights=indexed.w).fit(**options)  # type: ignore[arg-type]
    same(lr.random_effects(formula, data, cov=cov, weights=lr.Weights("w", "analytic"), person="nr"), expected)
    with pytest.raises(lr.SupportError, match="frequency weights of rows .* written out under ids of their own"):
        lr.random_effects(formula, data, cov=cov, weights=lr.Weights("times", "frequency"), person="nr")


def test_weights_that_random_effects_have_not() -> None:
    data = wage_panel().assign(w=1.0)
    with pytest.raises(lr.SupportError, match="components of a variance; use lr.feols"):
        lr.random_effects("lwage ~ union", data, cov=lr.Robust(), weights=lr.Weights("w", "probability"), person="nr")
    fixed = lr.feols("lwage ~ union | nr", data, cov=lr.Unadjusted(), person="nr")
    random = lr.random_effects(
        "lwage ~ union", data, cov=lr.Unadjusted(), weights=lr.Weights("w", "analytic"), person="nr"
    )
    assert isinstance(fixed, lr.Estimate)
    with pytest.raises(lr.SupportError, match="different weights"):
        lr.hausman(fixed, random)


def test_exactly_identified_equations_are_those_of_two_stages() -> None:
    formula = "lwage ~ exper + C(kidslt6) | educ ~ motheduc"
    two = lr.feols(formula, women(), cov=lr.Robust("HC1"))
    assert isinstance(two, lr.Estimate)
    for found in (lr.liml(formula, women(), cov=lr.Robust("HC1")), lr.gmm(formula, women(), cov=lr.Robust("HC1"))):
        np.testing.assert_allclose(found.values, two.values, rtol=1e-7)
        assert found.names == two.names and found.evidence.rank == two.evidence.rank
        assert found.first_stages.keys() == {"educ"}


@pytest.mark.parametrize(
    ("cov", "options"),
    [
        (lr.Unadjusted(), {}),
        (lr.Robust("HC0"), {"cov_type": "robust", "debiased": False}),
        (lr.Clustered("nr"), {"cov_type": "clustered", "cluster_entity": True, "group_debias": True}),
        (
            lr.Clustered("nr", "year"),
            {"cov_type": "clustered", "cluster_entity": True, "cluster_time": True, "group_debias": True},
        ),
    ],
)
def test_random_effects_are_those_of_linearmodels(cov: lr.Covariance, options: dict[str, Any]) -> None:
    data = wage_panel()
    data = data[(data.nr + data.year) % 5 != 0]  # unbalanced
    indexed = data.assign(one=1.0).set_index(["nr", "year"])
    names = ["educ", "married", "union", "expersq"]
    expected = RandomEffects(indexed.lwage, indexed[["one", *names]]).fit(**options)
    panel = lr.Panel.from_frame(data, person="nr", time="year")
    found = lr.random_effects(f"lwage ~ {' + '.join(names)}", panel, cov=cov)
    same(found, expected)
    assert found.settings["effects (standard deviation)"] == pytest.approx(
        np.sqrt(expected.variance_decomposition["Effects"]), rel=RTOL
    )
    gap = indexed.lwage - (indexed[["one", *names]] * expected.params).sum(axis=1)
    assert found.r2 == pytest.approx(1 - (gap**2).sum() / ((indexed.lwage - indexed.lwage.mean()) ** 2).sum(), rel=RTOL)
    framed = lr.random_effects(f"lwage ~ {' + '.join(names)}", data, cov=lr.Unadjusted(), person="nr")
    np.testing.assert_allclose(framed.values, found.values, rtol=RTOL)


def test_random_effects_and_hausman_on_the_wage_panel() -> None:
    """Wooldridge, Introductory Econometrics, table 14.2; peer values of linearmodels 7.1 at full precision."""
    panel = lr.Panel.from_frame(wage_panel(), person="nr", time="year")
    traits = "educ + black + hisp + exper + "
    formula = "lwage ~ {}expersq + married + union + C(year)"
    random = lr.random_effects(formula.format(traits), panel, cov=lr.Unadjusted())
    for name, value, error in (("union", 0.106, 0.018), ("married", 0.064, 0.017), ("educ", 0.092, None)):
        printed(random.params[name], value, 5e-4)
        if error is not None:
            printed(random.std_errors[name], error, 5e-4)
    assert random.params["union"] == pytest.approx(0.10613442274456795, rel=RTOL)
    assert random.std_errors["union"] == pytest.approx(0.017853855525124186, rel=RTOL)
    assert random.params["married"] == pytest.approx(0.06398603594758254, rel=RTOL)
    assert random.params["educ"] == pytest.approx(0.0918762726494417, rel=RTOL)
    share = random.settings["effects (standard deviation)"] / random.settings["residual (standard deviation)"]
    assert 1 - 1 / np.sqrt(1 + 8 * share**2) == pytest.approx(0.6429108796658662, rel=RTOL)
    fixed = lr.feols("lwage ~ expersq + married + union | nr", panel, cov=lr.Unadjusted())
    plain = lr.random_effects("lwage ~ educ + expersq + married + union", panel, cov=lr.Unadjusted())
    assert isinstance(fixed, lr.Estimate)
    test = lr.hausman(fixed, plain)
    names = ["expersq", "married", "union"]
    apart = fixed.params[names] - plain.params[names]
    statistic = apart @ np.linalg.inv(fixed.cov.loc[names, names] - plain.cov.loc[names, names]) @ apart
    assert 3 * test.statistic == pytest.approx(statistic, rel=1e-10)
    assert test.pvalue == pytest.approx(chi2.sf(statistic, 3), rel=1e-8)


def test_evidence_and_counts_are_those_of_least_squares(tmp_path: Any) -> None:
    panel = lr.Panel.from_frame(wage_panel(), person="nr", time="year")
    found = lr.random_effects("lwage ~ educ + union", panel, cov=lr.Clustered("nr"))
    pooled = lr.feols("lwage ~ educ + union", panel, cov=lr.Clustered("nr"))
    assert isinstance(pooled, lr.Estimate)
    assert (found.n_person, found.n_row, found.n_clusters) == (545, 4360, {"nr": 545})
    assert found.evidence.fingerprint == pooled.evidence.fingerprint
    lr.release({"fit": found}, policy="ons-srs", to=tmp_path / "out")
    assert "random effects" in (tmp_path / "out" / "README.txt").read_text()


def test_what_the_bridge_does_not_carry_is_refused() -> None:
    data = women()
    with pytest.raises(lr.SupportError, match="with instruments and without absorbed effects"):
        lr.liml("lwage ~ exper", data, cov=lr.Unadjusted())
    with pytest.raises(lr.SupportError, match="with instruments and without absorbed effects"):
        lr.gmm("lwage ~ exper | age | educ ~ motheduc", data, cov=lr.Unadjusted())
    with pytest.raises(lr.SupportError, match=r"cov is lr.Unadjusted\(\)"):
        lr.liml(FORMULA, data, cov=lr.Jackknifed("age"))
    with pytest.raises(lr.SupportError, match="a single column"):
        lr.gmm(FORMULA, data, cov=lr.Clustered("age", "city"))
    with pytest.raises(lr.SupportError, match="name the id column"):
        lr.random_effects("lwage ~ union", wage_panel(), cov=lr.Unadjusted())
    robust = lr.random_effects("lwage ~ union", wage_panel(), cov=lr.Robust("HC0"), person="nr")
    fixed = lr.feols("lwage ~ union | nr", wage_panel(), cov=lr.Robust("HC0"), person="nr")
    with pytest.raises(lr.SupportError, match="needs lr.Unadjusted"):
        lr.hausman(fixed, robust)  # type: ignore[arg-type]


def test_without_linearmodels_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = women()

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match="install linearmodels"):
        lr.liml(FORMULA, data, cov=lr.Unadjusted())
