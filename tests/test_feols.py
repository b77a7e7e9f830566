"""feols against dummy variables in plain NumPy, on small panels where both are exact."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from reference_feols import Brute, workers

import leoreturns as lr
from leoreturns.estimation import absorb, blocks, design, fits
from leoreturns.panel import keys

pytestmark = pytest.mark.filterwarnings("ignore::leoreturns.errors.ClusterWarning")  # few on purpose
RTOL = 1e-10  # the bar against explicit dummies
FRAME = workers()
PANEL = lr.Panel.from_frame(FRAME, person="person", time="year")
X = FRAME[["x1", "x2"]].to_numpy()
CONSTANT = np.ones((len(FRAME), 1))
EFFECTS = [
    ["person"],
    ["person", "year"],
    ["person", "place", "year"],
    ["person", "place^year"],
    ["school"],
    ["school", "year"],
    ["school^year", "place"],
]


def close(left: object, right: object, rtol: float = RTOL) -> None:
    np.testing.assert_allclose(np.asarray(left), np.asarray(right), rtol=rtol, atol=rtol * np.abs(right).max())


def fitted(formula: str, cov: lr.Covariance | None = None, **options: object) -> lr.Estimate:
    found = lr.feols(formula, PANEL, cov=cov or lr.Unadjusted(), **options)  # type: ignore[arg-type]
    assert isinstance(found, lr.Estimate)
    return found


def complete(effects: Sequence[str]) -> pd.DataFrame:
    """The frame without rows that are alone in an effect."""
    frame = FRAME
    while True:
        alone = pd.Series(False, index=frame.index)
        for effect in effects:
            alone |= frame.groupby(effect.split("^")).x1.transform("size") == 1
        if not alone.any():
            return frame.reset_index(drop=True)
        frame = frame[~alone]


@pytest.mark.parametrize("weights", [None, "analytic"])
@pytest.mark.parametrize("effects", EFFECTS, ids="+".join)
def test_coefficients_and_covariances_are_those_of_dummies(effects: list[str], weights: str | None) -> None:
    frame = complete(effects)
    w = None if weights is None else frame.w.to_numpy()
    brute = Brute(frame, frame.y, frame[["x1", "x2"]].to_numpy(), effects, w)
    formula = f"y ~ x1 + x2 | {' + '.join(effects)}"
    given = None if weights is None else lr.Weights("w", "analytic")
    plain = fitted(formula, weights=given)
    close(plain.values, brute.beta)
    assert plain.nobs == len(frame)
    exact = plain.nobs - plain.df_resid == brute.rank  # fixest counts one free level for each effect after the first
    factor = 1.0 if exact else plain.df_resid / (len(frame) - brute.rank)
    close(plain.covariance * factor, brute.unadjusted())
    for kind in ("HC0", "HC2", "HC3"):
        close(fitted(formula, lr.Robust(kind), weights=given).covariance, brute.robust(kind))
    hc1 = fitted(formula, lr.Robust("HC1"), weights=given).covariance
    close(hc1 * factor, brute.robust("HC1"))
    none = lr.SmallSample(effects="none")
    for clusters in (["person"], ["school"], ["school", "year"], ["person", "year"]):
        found = fitted(formula, lr.Clustered(*clusters), ssc=none, weights=given)
        expected = brute.clustered(clusters, parameters=2)
        if np.all(np.diag(expected) > 0):
            close(found.covariance, expected)


def test_the_largest_effect_is_eliminated_where_there_are_no_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(design, "FEW_LEVELS", 3)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 40)
    for effects in (["school"], ["school", "year"], ["school^year", "place"]):
        frame = complete(effects)
        brute = Brute(frame, frame.y, frame[["x1", "x2"]].to_numpy(), effects)
        found = fitted(
            f"y ~ x1 + x2 | {' + '.join(effects)}", lr.Clustered("person"), ssc=lr.SmallSample(effects="none")
        )
        assert "eliminated" in found.settings["path"]
        close(found.values, brute.beta)
        close(found.covariance, brute.clustered(["person"], parameters=2))
        close(fitted(f"y ~ x1 + x2 | {' + '.join(effects)}", lr.Robust("HC3")).covariance, brute.robust("HC3"))


@pytest.mark.parametrize("work", [absorb.FACTOR_WORK, 0])
@pytest.mark.parametrize("weights", [None, "analytic"])
def test_many_levels_are_factored_or_iterated(
    work: float, weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(design, "SPARSE_FROM", 5)
    monkeypatch.setattr(absorb, "FACTOR_WORK", work)
    monkeypatch.setattr(absorb, "BORDER_LEVELS", 7)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 40)
    given = None if weights is None else lr.Weights("w", "analytic")
    cases = [("place^year", "sparse factorisation"), ("place^year + year", "sparse factorisation")]
    cases += [("place^year + school^year", "conjugate gradients"), ("place + year", "sparse factorisation")]
    for others, path in cases:
        effects = ["person", *others.split(" + ")]
        frame = complete(effects)
        w = None if weights is None else frame.w.to_numpy()
        brute = Brute(frame, frame.y, frame[["x1", "x2"]].to_numpy(), effects, w)
        formula = f"y ~ x1 + x2 | {' + '.join(effects)}"
        found = fitted(formula, lr.Clustered("person"), ssc=lr.SmallSample(effects="none"), weights=given)
        assert (path if work or others == "place + year" else "conjugate gradients") in found.settings["path"]
        close(found.values, brute.beta)
        close(found.covariance, brute.clustered(["person"], parameters=2))
        routes = fitted(f"y ~ x1 + x2 + route:treated | {' + '.join(effects)}", weights=given)
        assert routes.names[:2] == ("x1", "x2")


def test_blocks_of_a_few_persons_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [fitted(f, lr.Clustered("school")) for f in ("y ~ x1 + C(route) | person + year", "y ~ x1 + C(route)")]
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 8)
    for before, formula in zip(whole, ("y ~ x1 + C(route) | person + year", "y ~ x1 + C(route)"), strict=True):
        after = fitted(formula, lr.Clustered("school"))
        close(after.values, before.values, 1e-13)
        close(after.covariance, before.covariance, 1e-12)


@pytest.mark.parametrize("weights", [None, "analytic"])
def test_without_effects_the_intercept_has_its_covariance(weights: str | None) -> None:
    w = None if weights is None else FRAME.w.to_numpy()
    given = None if weights is None else lr.Weights("w", "analytic")
    brute = Brute(FRAME, FRAME.y, np.column_stack([CONSTANT, X]), (), w)
    found = fitted("y ~ x1 + x2", weights=given)
    assert found.names == ("Intercept", "x1", "x2")
    close(found.values, brute.beta)
    close(found.covariance, brute.unadjusted())
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        close(fitted("y ~ x1 + x2", lr.Robust(kind), weights=given).covariance, brute.robust(kind))
    close(fitted("y ~ x1 + x2", lr.Clustered("school"), weights=given).covariance, brute.clustered(["school"], 3))


def test_without_intercept_nothing_is_taken_out() -> None:
    brute = Brute(FRAME, FRAME.y, X)
    found = fitted("y ~ x1 + x2 - 1", lr.Robust("HC3"))
    close(found.values, brute.beta)
    close(found.covariance, brute.robust("HC3"))
    assert found.r2 == pytest.approx(1 - brute.u @ brute.u / (FRAME.y @ FRAME.y))


def test_frequency_weights_repeat_rows() -> None:
    repeated = FRAME.loc[FRAME.index.repeat(FRAME.w.astype(int))].reset_index(drop=True)
    for cov in (lr.Unadjusted(), lr.Robust("HC1"), lr.Robust("HC3"), lr.Clustered("school")):
        weighted = fitted("y ~ x1 + x2 | school + year", cov, weights=lr.Weights("w", "frequency"))
        plain = lr.feols("y ~ x1 + x2 | school + year", repeated, cov=cov)
        close(weighted.values, plain.values)
        close(weighted.covariance, plain.covariance)
        assert (weighted.nobs, weighted.df_resid) == (plain.nobs, plain.df_resid)


def test_categories_have_columns_but_for_their_reference() -> None:
    columns = [FRAME.x1, FRAME.route == "none", FRAME.route == "vocational"]
    brute = Brute(FRAME, FRAME.y, np.column_stack([CONSTANT, *columns]).astype(float))
    found = fitted("y ~ x1 + route", lr.Robust("HC1"))
    assert found.names == ("Intercept", "x1", "route::none", "route::vocational")
    close(found.values, brute.beta)
    close(found.covariance, brute.robust("HC1"))
    other = fitted("y ~ x1 + C(route, ref='none')", lr.Robust("HC1"))
    assert other.names == ("Intercept", "x1", "route::a level", "route::vocational")
    assert other.params["route::vocational"] == pytest.approx(
        found.params["route::vocational"] - found.params["route::none"], rel=1e-12
    )


def test_interactions_of_every_kind() -> None:
    years = sorted(FRAME.year.unique())
    slopes = [FRAME.treated * (FRAME.year == year) for year in years if year not in (2010, 2011, 2012)]
    brute = Brute(FRAME, FRAME.y, np.column_stack([FRAME.x1, *slopes]).astype(float), ["person", "year"])
    found = fitted("y ~ x1 + i(year, treated, ref=2012) | person + year", lr.Robust("HC0"))
    assert found.names[1:] == tuple(f"year::{year}:treated" for year in years if year > 2012)
    assert set(found.dropped) == {"year::2010:treated", "year::2011:treated"}
    close(found.values, brute.beta)
    close(found.covariance, brute.robust("HC0"))
    crossed = fitted("y ~ C(route) * C(school) + x1:C(route)", lr.Robust("HC0"))
    cells = FRAME.groupby(["route", "school"]).ngroup()
    columns = [(cells == cell) for cell in range(cells.max() + 1)]
    columns += [FRAME.x1 * (FRAME.route == route) for route in sorted(FRAME.route.unique())]
    full = Brute(FRAME, FRAME.y, np.column_stack(columns).astype(float))
    assert len(crossed.values) == len(full.beta)
    slopes_of = [name for name in crossed.names if name.startswith("x1:")]
    close(crossed.params[slopes_of], full.beta[-3:])


def test_transforms_are_evaluated() -> None:
    found = fitted("y ~ I(x1 ** 2) + exp(x2 - 200) + poly(x1, 2)")
    assert found.names == ("Intercept", "I(x1 ** 2)", "exp(x2 - 200)", "poly(x1, 2)[1]")
    assert list(found.dropped) == ["poly(x1, 2)[2]"]
    columns = np.column_stack([CONSTANT, FRAME.x1**2, np.exp(FRAME.x2 - 200), FRAME.x1])
    close(found.values[:3][1:], Brute(FRAME, FRAME.y, columns).beta[1:3])
    named = lr.feols("y ~ log(`a b`)", FRAME.assign(**{"a b": FRAME.w}), cov=lr.Unadjusted())
    close(named.values, Brute(FRAME, FRAME.y, np.column_stack([CONSTANT, np.log(FRAME.w)])).beta)


def test_collinear_and_absorbed_regressors_are_named() -> None:
    data = FRAME.assign(twice=2 * FRAME.x1 + 3, trend=FRAME.year * 1.0)
    found = lr.feols(
        "y ~ x1 + twice + ability + trend + x2 | person + year", data, cov=lr.Unadjusted(), person="person"
    )
    assert found.names == ("x1", "x2")
    assert dict(found.dropped) == {
        "twice": "collinear with those before it",
        "ability": "absorbed by the effects",
        "trend": "absorbed by the effects",
    }


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1.0, 123.456])
def test_a_constant_is_no_regressor_beside_the_intercept(value: float) -> None:
    draw = np.random.default_rng(1)
    frame = pd.DataFrame({"y": draw.normal(size=100_000), "x": draw.normal(size=100_000)}).assign(constant=value)
    frame["large"] = 1e9 + draw.normal(size=100_000)
    found = lr.feols("y ~ x + constant + large", frame, cov=lr.Robust("HC1"))
    assert isinstance(found, lr.Estimate)
    assert (found.names, list(found.dropped)) == (("Intercept", "x", "large"), ["constant"])


def test_rows_left_out_are_counted_by_reason() -> None:
    frame = workers(missing=True)
    lonely = frame.drop_duplicates("person", keep="first").head(3).person
    frame = frame[~(frame.person.isin(lonely) & frame.duplicated("person"))]
    found = lr.feols("y ~ x1 + x2 | person + year", frame, cov=lr.Unadjusted(), person="person", where="school != 3")
    steps = found.flow.to_frame()
    assert list(steps.step) == [
        "all rows",
        "school != 3",
        "outcome known",
        "regressors known",
        "no row alone in an effect",
    ]
    used = frame[frame.school != 3]
    assert list(steps.rows[:4]) == [
        len(frame),
        len(used),
        used.y.notna().sum(),
        used[["y", "x1"]].notna().all(axis=1).sum(),
    ]
    kept = used.dropna()
    kept = kept[kept.groupby("person").y.transform("size") > 1]
    assert found.nobs == len(kept) == steps.rows.iloc[-1]
    close(
        found.values, Brute(kept.reset_index(drop=True), kept.y, kept[["x1", "x2"]].to_numpy(), ["person", "year"]).beta
    )


def test_small_sample_factors() -> None:
    formula = "y ~ x1 + x2 | person + year"
    n, k, levels = len(FRAME), 2, [FRAME.person.nunique(), FRAME.year.nunique()]
    groups = FRAME.school.nunique()
    bare = lr.SmallSample(parameters=False, clusters=False)
    base = fitted(formula, lr.Clustered("school"), ssc=bare).covariance
    parameters = {
        "none": k,
        "full": k + sum(levels) - 1,
        "nonnested": k + levels[1],  # persons lie in schools
    }
    for effects, count in parameters.items():
        found = fitted(formula, lr.Clustered("school"), ssc=lr.SmallSample(effects=effects))  # type: ignore[arg-type]
        close(found.covariance, base * (n - 1) / (n - count) * groups / (groups - 1))
        assert found.df_tests == groups - 1
    # Years do not lie in schools, and nothing lies in years but years.
    by_year = fitted(formula, lr.Clustered("year"), ssc=bare).covariance
    count = k + levels[0]
    found = fitted(formula, lr.Clustered("year")).covariance
    close(found, by_year * (n - 1) / (n - count) * levels[1] / (levels[1] - 1))
    # Persons alone, clustered by person: as a regression of deviations with one constant.
    alone = fitted("y ~ x1 + x2 | person", lr.Clustered("person"), ssc=bare).covariance
    found = fitted("y ~ x1 + x2 | person", lr.Clustered("person")).covariance
    close(found, alone * (n - 1) / (n - k - 1) * levels[0] / (levels[0] - 1))


def test_many_regressions_are_those_of_single_calls() -> None:
    found = lr.feols(
        "y + x2 ~ x1 + csw0(w, ability) | sw(person, person + year, school)", PANEL, cov=lr.Clustered("school")
    )
    assert isinstance(found, lr.Estimates) and len(found) == 18
    for label, result in found.items():
        single = lr.feols(label, PANEL, cov=lr.Clustered("school"))
        close(result.values, single.values, 1e-12)
        close(result.covariance, single.covariance, 1e-11)
        assert (result.names, result.nobs, result.df_resid) == (single.names, single.nobs, single.df_resid)
    assert found.to_frame().index.names == ["regression", "name"]


def test_a_split_is_a_regression_for_each_value() -> None:
    found = lr.feols("y ~ x1 | person + year", PANEL, cov=lr.Clustered("person"), split="route")
    assert list(found) == [f"route={route}: y ~ x1 | person + year" for route in ("a level", "none", "vocational")]
    for route, result in zip(("a level", "none", "vocational"), found.values(), strict=True):
        single = fitted("y ~ x1 | person + year", lr.Clustered("person"), where=f"route == '{route}'")
        close(result.values, single.values, 0)
        close(result.covariance, single.covariance, 0)


def test_fit_and_tests() -> None:
    found = fitted("y ~ x1 + x2 | person + year", lr.Clustered("person"))
    brute = Brute(FRAME, FRAME.y, X, ["person", "year"])
    within = Brute(FRAME, FRAME.y, np.empty((len(FRAME), 0)), ["person", "year"]).u
    rss = brute.u @ brute.u
    assert found.r2 == pytest.approx(1 - rss / ((FRAME.y - FRAME.y.mean()) ** 2).sum(), rel=1e-12)
    assert found.r2_within == pytest.approx(1 - rss / (within @ within), rel=1e-10)
    b, v = found.values, found.covariance
    assert found.wald().statistic == pytest.approx(b @ np.linalg.inv(v) @ b / 2, rel=1e-12)
    assert found.wald(["x1"]).statistic == pytest.approx(found.tstats["x1"] ** 2, rel=1e-12)
    assert found.wald(["x1"]).pvalue == pytest.approx(found.pvalues["x1"], rel=1e-12)
    percent = found.percent()
    assert percent.percent["x1"] == pytest.approx(100 * (np.exp(found.params["x1"]) - 1))
    assert percent.std_error["x1"] == pytest.approx(100 * np.exp(found.params["x1"]) * found.std_errors["x1"])


def test_an_estimate_holds_nothing_long_and_pickles() -> None:
    found = fitted("y ~ x1 + x2 | person + year", lr.Clustered("school", "year"))
    assert len(pickle.dumps(found)) < 8_000
    again = pickle.loads(pickle.dumps(found))
    assert again.params.equals(found.params)


def test_a_small_sample_is_not_printed() -> None:
    few = lr.feols("y ~ x1", FRAME[FRAME.person < 6], cov=lr.Unadjusted(), person="person")
    assert "coefficients are not shown" in repr(few)
    assert f"{few.values[1]:.4f}"[:5] not in repr(few) + few._repr_html_() + repr(lr.Estimates({"a": few}))


def test_two_stage_least_squares_without_effects() -> None:
    draw = np.random.default_rng(8)
    z = FRAME.assign(z1=FRAME.x1 + draw.normal(size=len(FRAME)), z2=draw.normal(size=len(FRAME)))
    for effects, names in ((" | person + year", ["person", "year"]), ("", [])):
        found = lr.feols(f"y ~ x2{effects} | x1 ~ z1 + z2", z, cov=lr.Robust("HC0"), person="person")
        constant = [] if names else [np.ones(len(z))]
        exogenous = np.column_stack([*constant, z.x2, *np.atleast_2d(np.empty((0, len(z))))])
        full = Brute(z, z.y, exogenous, names).full
        instruments = np.column_stack([full, z.z1, z.z2])
        projected = instruments @ np.linalg.lstsq(instruments, z.x1, rcond=None)[0]
        w = np.column_stack([z.x1, full])
        what = np.column_stack([projected, full])
        beta = np.linalg.lstsq(what, z.y, rcond=None)[0]
        u = z.y.to_numpy() - w @ beta
        bread = np.linalg.pinv(what.T @ what)
        cov = bread @ (what.T @ (what * (u**2)[:, None])) @ bread
        at = [found.names.index("x1"), found.names.index("x2")]
        place = [0, 1 + len(constant)]
        close(found.values[at], beta[place])
        close(found.covariance[np.ix_(at, at)], cov[np.ix_(place, place)])
        assert found.method == "2SLS"


@pytest.mark.parametrize("weights", [None, "analytic"])
@pytest.mark.parametrize("effects", EFFECTS, ids="+".join)
def test_effects_and_regressors_leave_the_residual(effects: list[str], weights: str | None) -> None:
    frame = complete(effects)
    given = None if weights is None else lr.Weights("w", "analytic")
    found = lr.fixed_effects(f"y ~ x1 + C(route) + x2 | {' + '.join(effects)}", PANEL, weights=given)
    columns = [frame.x1, frame.route == "none", frame.route == "vocational", frame.x2]
    named = dict(zip(("x1", "route::none", "route::vocational", "x2"), columns, strict=True))
    fitted_values = sum(found.params[name] * named[name] for name in found.params.index)
    for effect in effects:
        names = effect.split("^")
        values = found.effects[effect]
        if effect == "person":
            # By the person's number in the panel; found again by the number of rows and the mean of the rest.
            rest = frame.y - fitted_values
            for other in (name for name in effects if name != "person"):
                parts = other.split("^")
                labels = frame[parts[0]] if len(parts) == 1 else frame[parts].astype(str).agg("^".join, axis=1)
                rest = rest - labels.map(found.effects[other])
            w = np.ones(len(frame)) if weights is None else frame.w
            means = (rest * w).groupby(frame.person).sum() / pd.Series(w, index=frame.index).groupby(frame.person).sum()
            close(np.sort(values), np.sort(means), 1e-9)
            fitted_values = fitted_values + frame.person.map(means)
            continue
        labels = frame[names[0]] if len(names) == 1 else frame[names].astype(str).agg("^".join, axis=1)
        fitted_values = fitted_values + labels.map(values)
        assert found.counts[effect].sum() == len(frame)
    w = None if weights is None else frame.w.to_numpy()
    brute = Brute(frame, frame.y, np.column_stack(columns).astype(float), effects, w)
    close(frame.y - fitted_values, brute.u, 1e-8)
    assert str(len(values)) in repr(found) and "levels" in repr(found)


@pytest.mark.parametrize("dense_levels", [6_000, 3])
def test_disconnected_effects_are_named_and_counted(dense_levels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(design, "SPARSE_FROM", dense_levels)
    apart = FRAME.assign(place=FRAME.place + 10 * (FRAME.school > 4))
    found = lr.feols("y ~ x1 | person + place + year", apart, cov=lr.Unadjusted(), person="person")
    assert isinstance(found, lr.Estimate)
    assert found.settings["connected_sets"] == {"place": 2}
    assert "place: 2 connected sets" in found.summary()
    brute = Brute(apart, apart.y, apart[["x1"]].to_numpy(), ["person", "place", "year"])
    close(found.values, brute.beta)
    together = fitted("y ~ x1 | person + place + year")
    assert together.settings["connected_sets"] == {}


def test_effects_of_ids_need_no_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_KEY_LEVELS", 30)
    monkeypatch.setattr(design, "FEW_LEVELS", 30)
    found = lr.feols("y ~ x1 + x2 | person + year", FRAME, cov=lr.Clustered("person"))
    expected = fitted("y ~ x1 + x2 | person + year", lr.Clustered("person"))
    assert isinstance(found, lr.Estimate)
    assert found.settings["path"] == "person eliminated; year solved exactly" and found.n_person == -1
    close(found.values, expected.values)
    close(found.covariance, expected.covariance)


def test_the_id_may_be_called_person_whatever_its_name() -> None:
    renamed = lr.Panel.from_frame(FRAME.rename(columns={"person": "pupil"}), person="pupil", time="year")
    for name in ("person", "pupil"):
        found = lr.feols(f"y ~ x1 + x2 | {name} + year", renamed, cov=lr.Clustered(name))
        assert isinstance(found, lr.Estimate)
        close(found.covariance, fitted("y ~ x1 + x2 | person + year", lr.Clustered("person")).covariance, 0)
    frame = FRAME.rename(columns={"person": "pupil"})
    for cov in (lr.Clustered("person"), lr.Jackknifed("person"), lr.Resampled(lr.BootstrapPlan(99, seed=1))):
        other = lr.feols("y ~ x1 + x2 | person + year", frame, cov=cov, person="pupil")
        close(other.covariance, fitted("y ~ x1 + x2 | person + year", cov).covariance, 0)  # type: ignore[union-attr]
    # A column of that name is that column.
    both = lr.feols("y ~ x1 | person", frame.assign(person=frame.school), cov=lr.Clustered("pupil"), person="pupil")
    assert isinstance(both, lr.Estimate) and both.effects == {"person": FRAME.school.nunique()}
    with pytest.raises(lr.PanelError, match="unknown column 'person'"):
        lr.feols("y ~ x1 | person", frame, cov=lr.Unadjusted())


def test_owners_of_every_column_are_named() -> None:
    owners = {"y": "HMRC", "x1": "DfE", "school": "HESA", "w": "DWP", "place": "ONS"}
    panel = lr.Panel.from_frame(FRAME, person="person", time="year", owners=owners)
    found = lr.feols("log(w) ~ x1 | person", panel, cov=lr.Clustered("school"), weights=lr.Weights("w", "analytic"))
    assert isinstance(found, lr.Estimate)
    assert found.owners == ("DWP", "DfE", "HESA")


def test_weights_leave_nothing_of_levels_that_persons_lie_in() -> None:
    draw = np.random.default_rng(7)
    frame = workers(400).assign(w=draw.random(len(workers(400))) ** 4 + 1e-3)
    given = {"cov": lr.Clustered("person"), "person": "person", "weights": lr.Weights("w", "analytic")}
    plain = lr.feols("y ~ x1 + x2 | person", frame, **given)  # type: ignore[arg-type]
    found = lr.feols("y ~ x1 + x2 + C(school) + route | person", frame, **given)  # type: ignore[arg-type]
    assert isinstance(plain, lr.Estimate) and isinstance(found, lr.Estimate)
    assert found.names == ("x1", "x2")
    assert set(found.dropped.values()) == {"absorbed by the effects"}
    close(found.values, plain.values)
    nested = lr.feols("y ~ x1 + x2 | person + school", frame, **given)  # type: ignore[arg-type]
    assert isinstance(nested, lr.Estimate)
    assert nested.settings["effects_rank"] == 0
    close(nested.values, plain.values)


def test_leverages_of_many_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    formula = "y ~ x1 + x2 | person + place^year"
    expected = fitted(formula, lr.Robust("HC3"))
    monkeypatch.setattr(design, "SPARSE_FROM", 5)
    sparse = fitted(formula, lr.Robust("HC3"))
    assert "sparse factorisation" in sparse.settings["path"]
    close(sparse.covariance, expected.covariance)
    monkeypatch.setattr(fits, "DENSE_LEVELS", 5)
    with pytest.raises(lr.SupportError, match=r"every leverage, which \d+ levels"):
        fitted(formula, lr.Robust("HC3"))
