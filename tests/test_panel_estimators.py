"""Between, first differences and correlated random effects, against linearmodels and their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from linearmodels.panel import BetweenOLS, FirstDifferenceOLS
from reference_feols import Brute, workers
from test_feols_oracles import wage_panel

import leoreturns as lr

RTOL = 1e-8  # the bar against other packages
DATA = wage_panel()
INDEXED = DATA.assign(one=1.0).set_index(["nr", "year"])
PANEL = lr.Panel.from_frame(DATA, person="nr", time="year")
UNBALANCED = workers(120, seed=4, missing=True)
NAMES = ["educ", "black", "hisp", "exper", "married", "union"]


def same(found: lr.Estimate, expected: object, names: list[str]) -> None:
    np.testing.assert_allclose(found.params[names], expected.params[names], rtol=RTOL)  # type: ignore[attr-defined]
    np.testing.assert_allclose(found.std_errors[names], expected.std_errors[names], rtol=RTOL)  # type: ignore[attr-defined]


def test_between_is_that_of_linearmodels() -> None:
    found = lr.between(f"lwage ~ {' + '.join(NAMES)}", PANEL, cov=lr.Unadjusted())
    model = BetweenOLS(INDEXED.lwage, INDEXED[["one", *NAMES]])
    same(found, model.fit(), NAMES)
    assert found.params["Intercept"] == pytest.approx(model.fit().params["one"], rel=RTOL)
    assert found.params["union"] == pytest.approx(0.25871615331727876, rel=RTOL)
    assert (found.nobs, found.n_person, found.method) == (545, 545, "between")
    assert found.r2 == pytest.approx(model.fit().rsquared, rel=RTOL)
    robust = lr.between(f"lwage ~ {' + '.join(NAMES)}", PANEL, cov=lr.Robust("HC1"))
    same(robust, model.fit(cov_type="robust"), NAMES)


@pytest.mark.parametrize("person_weights", ["equal", "rows"])
def test_between_of_unbalanced_careers(person_weights: str) -> None:
    rows = UNBALANCED.dropna(subset=["y", "x1"])
    indexed = rows.assign(one=1.0).set_index(["person", "year"])
    expected = BetweenOLS(indexed.y, indexed[["one", "x1", "x2", "ability"]]).fit(reweight=person_weights == "rows")
    found = lr.between(
        "y ~ x1 + x2 + ability", UNBALANCED, cov=lr.Unadjusted(), person="person", person_weights=person_weights
    )  # type: ignore[arg-type]
    same(found, expected, ["x1", "x2", "ability"])
    last = found.flow.steps[-1]
    assert (last.label, last.rows) == ("one mean per person", rows.person.nunique())


def test_between_of_categories_effects_and_clusters() -> None:
    means = UNBALANCED.dropna(subset=["y"]).assign(
        none=lambda rows: (rows.route == "none") * 1.0, vocational=lambda rows: (rows.route == "vocational") * 1.0
    )
    means = means.groupby("person")[["y", "none", "vocational", "x2", "school"]].mean().reset_index()
    expected = lr.feols("y ~ none + vocational + x2 | school", means, cov=lr.Clustered("school"), person="person")
    found = lr.between("y ~ route + x2 | school", UNBALANCED, cov=lr.Clustered("school"), person="person")
    assert isinstance(expected, lr.Estimate)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-10)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-9)
    assert found.names == ("route::none", "route::vocational", "x2")
    assert (
        found.evidence.fingerprint
        == lr.feols("y ~ x2", UNBALANCED, cov=lr.Unadjusted(), person="person").evidence.fingerprint
    )  # type: ignore[union-attr]


def test_first_difference_are_those_of_linearmodels() -> None:
    names = ["union", "married", "expersq"]
    model = FirstDifferenceOLS(INDEXED.lwage, INDEXED[names])
    same(lr.first_difference("lwage ~ union + married + expersq", PANEL, cov=lr.Unadjusted()), model.fit(), names)
    found = lr.first_difference("lwage ~ union + married + expersq", PANEL, cov=lr.Clustered("nr"))
    expected = model.fit(cov_type="clustered", cluster_entity=True, group_debias=True)
    ratios = found.std_errors[names] / expected.std_errors[names]
    np.testing.assert_allclose(ratios, ratios.iloc[0], rtol=RTOL)  # but for the factor
    assert (found.nobs, found.method) == (545 * 7, "first differences")


def test_changes_over_gaps_are_left_out_and_counted() -> None:
    rows = UNBALANCED[(UNBALANCED.person + UNBALANCED.year) % 4 != 0].sort_values(["person", "year"])
    panel = lr.Panel.from_frame(rows, person="person", time="year")
    found = lr.first_difference("y ~ x1 + route:x2 | year", panel, cov=lr.Clustered("person"))
    known = rows.dropna(subset=["y", "x1"]).copy()
    for route in ("a level", "none", "vocational"):
        known[route] = known.x2 * (known.route == route)
    before = known.groupby("person").shift(1)
    kept = (known.year - before.year) == 1
    columns = ["x1", "a level", "none", "vocational"]
    change = (known[["y", *columns]] - before[["y", *columns]])[kept]
    frame = known.loc[kept, ["person", "year"]].reset_index(drop=True)
    brute = Brute(frame, change.y.to_numpy(), change[columns].to_numpy(), ["year"])
    np.testing.assert_allclose(found.values, brute.beta, rtol=1e-9)
    np.testing.assert_allclose(
        found.covariance, brute.clustered(["person"], parameters=4 + frame.year.nunique()), rtol=1e-9
    )
    step = found.flow.steps[-1]
    assert (step.label, step.rows, step.persons) == ("year before known", int(kept.sum()), frame.person.nunique())


def test_a_panel_of_every_second_year_has_neighbours() -> None:
    rows = DATA[DATA.year % 2 == 0]
    panel = lr.Panel.from_frame(rows, person="nr", time="year")
    assert lr.first_difference("lwage ~ union", panel, cov=lr.Clustered("nr")).nobs == 545 * 3


@pytest.mark.parametrize("data", [UNBALANCED, UNBALANCED[UNBALANCED.school < 5]])
def test_correlated_random_effects_have_the_coefficients_of_fixed_effects(data: pd.DataFrame) -> None:
    found = lr.mundlak("y ~ x1 + treated + ability + route", data, cov=lr.Clustered("person"), person="person")
    sample = data.dropna(subset=["y", "x1"])
    fixed = lr.feols("y ~ x1 + treated | person", sample, cov=lr.Clustered("person"), person="person")
    assert isinstance(fixed, lr.Estimate)
    np.testing.assert_allclose(found.params[["x1", "treated"]], fixed.params[["x1", "treated"]], rtol=1e-9)
    assert [name for name in found.names if name.startswith("mean of")] == ["mean of x1", "mean of treated"]
    means = sample.groupby("person")[["x1", "treated"]].transform("mean").to_numpy()
    dummies = [(sample.route == route) * 1.0 for route in ("none", "vocational")]
    x = np.column_stack([np.ones(len(sample)), sample.x1, sample.treated, sample.ability, *dummies, means])
    brute = Brute(sample.reset_index(drop=True), sample.y.to_numpy(), x)
    cov = brute.clustered(["person"], parameters=8)
    np.testing.assert_allclose(found.std_errors["mean of x1"], np.sqrt(cov[6, 6]), rtol=1e-9)
    gap = brute.beta[6:]
    statistic = gap @ np.linalg.solve(cov[6:, 6:], gap) / 2
    assert found.settings["equality within and between"].statistic == pytest.approx(statistic, rel=1e-8)


def test_a_mean_that_everybody_has_is_left_out() -> None:
    found = lr.mundlak("lwage ~ union + C(year)", PANEL, cov=lr.Clustered("nr"))
    assert [name for name in found.names if name.startswith("mean of")] == ["mean of union"]
    fixed = lr.feols("lwage ~ union + C(year) | nr", PANEL, cov=lr.Clustered("nr"))
    assert isinstance(fixed, lr.Estimate)
    np.testing.assert_allclose(found.params[list(fixed.names)], fixed.params, rtol=1e-9)


def test_what_has_no_means_or_changes_is_refused() -> None:
    with pytest.raises(lr.SupportError, match="effect of the persons"):
        lr.mundlak("lwage ~ union | nr", PANEL, cov=lr.Clustered("nr"))
    with pytest.raises(lr.SupportError, match="no regressor varies"):
        lr.mundlak("lwage ~ educ", PANEL, cov=lr.Clustered("nr"))
    frame = workers()
    frame["level"] = frame.groupby("person").x1.transform("mean")
    with pytest.raises(lr.SupportError, match="mean of x1 depend"):
        lr.mundlak("y ~ x1 + level", frame, cov=lr.Clustered("person"), person="person")
    with pytest.raises(lr.SupportError, match="'year' varies within persons"):
        lr.between("lwage ~ union | year", PANEL, cov=lr.Unadjusted())
    with pytest.raises(lr.SupportError, match="name the id column"):
        lr.between("lwage ~ union", DATA, cov=lr.Unadjusted())
    with pytest.raises(lr.SupportError, match="one regression without instruments"):
        lr.between("lwage ~ sw(union, married)", PANEL, cov=lr.Unadjusted())
    with pytest.raises(TypeError, match="give a Panel"):
        lr.first_difference("lwage ~ union", DATA, cov=lr.Unadjusted())  # type: ignore[arg-type]
    with pytest.raises(lr.SupportError, match="two neighbouring periods"):
        lr.first_difference("lwage ~ union", PANEL, cov=lr.Unadjusted(), where="year == 1984")
    with pytest.raises(ValueError, match="person_weights"):
        lr.between("lwage ~ union", PANEL, cov=lr.Unadjusted(), person_weights="years")  # type: ignore[arg-type]
