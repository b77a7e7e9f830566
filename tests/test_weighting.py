"""Weights: what they balance, what they are, and the effects that follow."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import leoreturns as lr


def pupils(n: int = 1_200, seed: int = 5, n_arms: int = 2) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    points, age = draw.normal(size=(2, n))
    eta = np.column_stack([np.zeros(n), *(0.4 * points - 0.2 * age for _ in range(1, n_arms))])
    arm = np.argmax(eta + draw.gumbel(size=eta.shape), axis=1)
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "points": points,
            "age": age,
            "region": draw.choice(["N", "S"], n),
            "school": draw.integers(0, 30, n),
            "w": draw.integers(1, 4, n),
            "route": np.array(["academic", "technical", "vocational"])[arm],
            "pay": points + 0.3 * arm + draw.normal(size=n),
        }
    )


KEYWORDS = {"person": "person"}


@pytest.mark.parametrize("method", ["entropy", "tilting"])
@pytest.mark.parametrize("estimand", ["ATE", "ATT", "ATC"])
@pytest.mark.parametrize("weighted", [False, True])
def test_balancing_weights_balance_what_is_named(method: str, estimand: str, weighted: bool) -> None:
    weights = lr.Weights("w", "probability") if weighted else None
    found = lr.weight(
        "route", "points + I(points**2) + age:points + region", pupils(), method=method, estimand=estimand,
        weights=weights, **KEYWORDS,
    )  # fmt: skip
    table = found.balance().to_frame()
    assert found.balance().largest < 1e-10
    np.testing.assert_allclose(table["after", "mean_treated"], table["after", "mean_control"], rtol=1e-9, atol=1e-11)
    if estimand == "ATT":
        np.testing.assert_allclose(table["after", "mean_treated"], table["before", "mean_treated"], rtol=1e-9)
    for arm in (0, 1):
        assert found.weights()[found.part.study.arms == arm].sum() == pytest.approx(1.0, rel=1e-10)


def test_entropy_weights_are_the_most_equal_of_those_that_balance() -> None:
    """Any move along which the balance holds lowers the entropy."""
    found = lr.weight("route", "points + age", pupils(300), method="entropy", estimand="ATT", **KEYWORDS)
    study = found.part.study
    controls = study.arms == 0
    w = found.weights()[controls]
    x = study.scored.values[study.cells.codes[controls]]
    free = np.linalg.svd(x.T)[2][x.shape[1] :]
    slope = free @ (np.log(w) + 1)
    np.testing.assert_allclose(slope, 0.0, atol=1e-9)


@pytest.mark.parametrize(("method", "estimand"), [("ipw", "ATE"), ("ipw", "ATT"), ("overlap", "ATO")])
def test_weights_are_functions_of_the_chances(method: str, estimand: str) -> None:
    frame = pupils()
    found = lr.weight("route", ["points", "age"], frame, method=method, estimand=estimand, **KEYWORDS)
    treated = (frame["route"] == "technical").to_numpy()
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1_000).fit(frame[["points", "age"]], treated)
    p = model.predict_proba(frame[["points", "age"]])[:, 1]
    reach = {"ATE": 1.0, "ATT": p, "ATO": p * (1 - p)}[estimand]
    w = np.where(treated, reach / p, reach / (1 - p))
    w = w / np.where(treated, w[treated].sum(), w[~treated].sum())
    units = found.part.study.units
    order = units.sample.panel.ids.to_arrow().to_numpy()[units.people]
    np.testing.assert_allclose(found.weights(), w[order], rtol=1e-5)  # scikit-learn's optimiser stops there
    effect = found.effect("pay", cov=lr.Clustered("school"))
    same = lr.treatment_effect(
        "pay ~ 1", "route ~ points + age", frame, method="ipw", estimand=estimand, cov=lr.Clustered("school"),
        **KEYWORDS,
    )  # fmt: skip
    assert effect.values.tobytes() == same.values.tobytes()
    assert effect.covariance.tobytes() == same.covariance.tobytes()
    assert effect.n_person == len(frame)


def test_rows_are_not_persons_where_none_are_named() -> None:
    frame = pupils()
    found = lr.weight("route", "points", frame, method="ipw", estimand="ATT")
    effect = found.effect("pay", cov=lr.Robust("HC1"))
    assert effect.n_person == -1
    assert not effect.evidence.identified


def test_several_arms_are_compared_one_by_one() -> None:
    frame = pupils(n_arms=3)
    found = lr.weight("route", "points + age", frame, method="entropy", estimand="ATE", **KEYWORDS)
    assert found.balance("vocational").largest < 1e-10
    assert found.balance("technical").persons == frame["route"].value_counts()[["academic", "technical"]].to_dict()
    with pytest.raises(lr.SupportError, match="arm is one of 'technical', 'vocational'"):
        found.balance()
    assert "effective" in repr(found)


def test_weights_stay_inside_and_bad_input_is_refused() -> None:
    frame = pupils(300)
    found = lr.weight("route", "points", frame, method="ipw", estimand="ATT", **KEYWORDS)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(found)
    with pytest.raises(ValueError, match="method is"):
        lr.weight("route", "points", frame, method="cbps", estimand="ATT", **KEYWORDS)
    with pytest.raises(lr.SupportError, match="belong together"):
        lr.weight("route", "points", frame, method="overlap", estimand="ATT", **KEYWORDS)
    with pytest.raises(ValueError, match="right side"):
        lr.weight("route", "pay ~ points", frame, method="ipw", estimand="ATT", **KEYWORDS)
    with pytest.raises(TypeError, match="cov is"):
        found.effect("pay", cov=lr.Unadjusted())
    holes = lr.weight(
        "route", "points", frame.assign(pay=frame["pay"].where(frame.index > 1)), method="ipw", estimand="ATT",
        **KEYWORDS,
    )  # fmt: skip
    with pytest.raises(lr.SupportError, match="missing for 2 of 300 persons"):
        holes.effect("pay", cov=lr.Robust("HC1"))
