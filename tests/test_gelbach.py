"""The decomposition of a coefficient's change: parts, covariance and evidence against refits and other packages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference_feols import dummies, workers

import leoreturns as lr
from leoreturns.estimation import design

FRAME = workers(40, seed=6, missing=True)
ADDED = {"skills": "ability + x2", "paths": "route"}
DERIVED = 1e-6  # central differences of refits lose half of the digits


def known(frame: pd.DataFrame = FRAME) -> pd.DataFrame:
    return frame.dropna(subset=["y", "x1"]).reset_index(drop=True)


def parts(frame: pd.DataFrame, effects: list[str], w: np.ndarray) -> np.ndarray:
    """Base, full and both groups' parts of the coefficient of x1, by weighted regressions on dummies."""
    inner = dummies(frame, effects) if effects else np.ones((len(frame), 1))
    base = np.column_stack([frame.x1, frame.treated, inner])
    routes = [(frame.route == route) * 1.0 for route in ("none", "vocational")]
    added = np.column_stack([frame.ability, frame.x2, *routes])
    root = np.sqrt(w)[:, None]

    def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(x * root, y * root if y.ndim > 1 else y * root[:, 0], rcond=None)[0]

    y = frame.y.to_numpy()
    full = fit(np.column_stack([added, base]), y)
    slopes = fit(base, added)[0]
    own = slopes * full[:4]
    return np.array([fit(base, y)[0], full[4], own.sum(), own[:2].sum(), own[2:].sum()])


@pytest.mark.parametrize("few", [256, 3])
@pytest.mark.parametrize("effects", [[], ["year"], ["school", "year"], ["place^year"]])
@pytest.mark.parametrize("weights", [None, "analytic"])
def test_parts_and_their_covariance_are_those_of_refits(
    effects: list[str], weights: str | None, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(design, "FEW_LEVELS", few)  # above 3 the largest effect is eliminated
    frame = known()
    if effects == ["place^year"]:
        frame = frame[frame.groupby(["place", "year"]).y.transform("size") > 1].reset_index(drop=True)
    formula = "y ~ x1 + treated" + (f" | {' + '.join(effects)}" if effects else "")
    given = None if weights is None else lr.Weights("w", weights)  # type: ignore[arg-type]
    found = lr.gelbach(formula, ADDED, FRAME, param="x1", cov=lr.Clustered("person"), weights=given, person="person")
    w = np.ones(len(frame)) if weights is None else frame.w.to_numpy()
    expected = parts(frame, effects, w)
    assert found.names == ("base", "full", "explained", "skills", "paths")
    np.testing.assert_allclose(found.values, expected, rtol=1e-8, atol=1e-10)
    # What a cluster adds to a part is the part's derivative in the weight of the cluster.
    codes, h = frame.groupby("person").ngroup().to_numpy(), 1e-4
    slopes = [
        (parts(frame, effects, w * (1 + h * (codes == g))) - parts(frame, effects, w * (1 - h * (codes == g))))
        / (2 * h)
        for g in range(codes.max() + 1)
    ]
    n, count = len(frame), codes.max() + 1
    levels = {name: frame.groupby(name.split("^")).ngroups for name in effects}
    parameters = 6 + (sum(levels[name] for name in effects) - len(effects) + 1 if effects else 1)
    factor = (n - 1) / (n - parameters) * count / (count - 1)
    cov = factor * np.array(slopes).T @ np.array(slopes)
    np.testing.assert_allclose(found.covariance, cov, rtol=DERIVED, atol=DERIVED * np.abs(cov).max())


def test_base_and_full_are_the_regressions() -> None:
    frame, cov, bare = known(), lr.Clustered("person"), lr.SmallSample(parameters=False)
    found = lr.gelbach("y ~ x1 | person + year", {"work": "x2"}, frame, param="x1", cov=cov, ssc=bare, person="person")
    base = lr.feols("y ~ x1 | person + year", frame, cov=cov, ssc=bare, person="person")
    full = lr.feols("y ~ x1 + x2 | person + year", frame, cov=cov, ssc=bare, person="person")
    assert isinstance(base, lr.Estimate) and isinstance(full, lr.Estimate)
    np.testing.assert_allclose(found.values[:2], [base.params["x1"], full.params["x1"]], rtol=1e-10)
    errors = [base.std_errors["x1"], full.std_errors["x1"]]
    np.testing.assert_allclose(found.std_errors[["base", "full"]], errors, rtol=1e-10)
    assert found.params["explained"] == pytest.approx(found.params["work"], rel=1e-12)
    assert found.params["base"] - found.params["full"] == pytest.approx(found.params["explained"], rel=1e-8)
    assert found.settings["groups"] == {"work": ["x2"]} and found.effects == full.effects
    expected = parts(frame.assign(route="-", ability=0.0, treated=0.0), ["person", "year"], np.ones(len(frame)))
    np.testing.assert_allclose(found.values[:3], expected[:3], rtol=1e-8)


def test_pyfixest_has_the_same_parts() -> None:
    pyfixest = pytest.importorskip("pyfixest", reason="pyfixest is not installed")
    frame = known()
    fit = pyfixest.feols("y ~ x1 + ability + x2 + treated", frame)
    groups = {"skills": ["ability", "x2"], "policy": ["treated"]}
    theirs = fit.decompose(decomp_var="x1", combine_covariates=groups, only_coef=True, digits=14).tidy()
    theirs = theirs.loc[theirs.panels == "Levels (units)", "coefficients"]
    found = lr.gelbach(
        "y ~ x1", {"skills": "ability + x2", "policy": "treated"}, frame, param="x1", cov=lr.Clustered("person"),
        person="person",
    )  # fmt: skip
    for name, other in (("skills", "skills"), ("policy", "policy"), ("base", "direct_effect"), ("full", "full_effect")):
        assert found.params[name] == pytest.approx(float(theirs[other]), rel=1e-8)


def test_all_groups_are_as_weak_as_the_weakest_coefficient() -> None:
    frame = known().assign(one=lambda rows: (rows.person == 3) * 1.0)
    found = lr.gelbach(
        "y ~ x1", {"odd": "one", "skills": "ability"}, frame, param="x1", cov=lr.Clustered("person"), person="person"
    )
    evidence = found.evidence.to_frame()
    # Base less full, less the other groups, is a group's part: none may be shown where one must not.
    assert (evidence.loc[["full", "explained", "odd", "skills"], "effective_persons"] < 1.2).all()
    assert evidence.loc["base", "effective_persons"] > 10
    assert evidence.loc["base", "persons_off_mode"] == frame.person.nunique()


def test_categories_and_several_clusters() -> None:
    both = lr.gelbach("y ~ x1", ADDED, FRAME, param="x1", cov=lr.Clustered("person", "year"), person="person")
    assert both.n_clusters["year"] == FRAME.year.nunique() and (np.diag(both.covariance) >= 0).all()
    assert both.settings["groups"]["paths"] == ["route::none", "route::vocational"]


def test_what_cannot_be_decomposed_is_refused() -> None:
    cov = lr.Clustered("person")
    with pytest.raises(TypeError, match="delta method"):
        lr.gelbach("y ~ x1", ADDED, FRAME, param="x1", cov=lr.Robust("HC1"), person="person")  # type: ignore[arg-type]
    with pytest.raises(lr.SupportError, match="none of them 'base'"):
        lr.gelbach("y ~ x1", {"base": "x2"}, FRAME, param="x1", cov=cov, person="person")
    with pytest.raises(lr.SupportError, match="one regression without instruments"):
        lr.gelbach("y ~ sw(x1, x2)", {"more": "ability"}, FRAME, param="x1", cov=cov, person="person")
    with pytest.raises(lr.SupportError, match="x2 in group 'more'"):
        lr.gelbach("y ~ x1", {"first": "x2", "more": "x2 + ability"}, FRAME, param="x1", cov=cov, person="person")
    with pytest.raises(lr.NotIdentifiedError, match="no coefficient of both"):
        lr.gelbach("y ~ x1", {"more": "x2"}, FRAME, param="x2", cov=cov, person="person")
    with pytest.raises(lr.NotIdentifiedError, match="group 'traits' has no regressor"):
        lr.gelbach("y ~ x1 | person", {"traits": "ability", "more": "x2"}, FRAME, param="x1", cov=cov, person="person")
