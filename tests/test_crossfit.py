"""Cross-fitted augmented weighting: the definition unit by unit, learners of any kind, folds of whole clusters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

import leoreturns as lr

FOREST = {"n_estimators": 10, "min_samples_leaf": 50, "random_state": 0}
FORMULAS = ("pay ~ points + age", "route ~ points + age")


def pupils(n: int = 1_500, seed: int = 5, n_arms: int = 2) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    points, age = draw.normal(size=(2, n))
    eta = np.column_stack([np.zeros(n), *(0.4 * points - 0.2 * age for _ in range(1, n_arms))])
    arm = np.argmax(eta + draw.gumbel(size=eta.shape), axis=1)
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "points": points,
            "age": age,
            "school": draw.integers(0, 30, n),
            "w": draw.integers(1, 4, n),
            "route": np.array(["academic", "technical", "vocational"])[arm],
            "pay": points + 0.3 * arm + draw.normal(size=n),
        }
    )


def estimate(frame: pd.DataFrame, **keywords: object) -> lr.Estimate:
    asked = {"method": "dml", "estimand": "ATE", "cov": lr.Clustered("school"), "person": "person", "folds": 4}
    return lr.treatment_effect(*FORMULAS, frame, **{**asked, **keywords})


def folds_of(frame: pd.DataFrame) -> np.ndarray:
    """Deal schools out in the order of their keys, as the package does."""
    panel = lr.Panel.from_frame(frame.assign(year=1), person="person", time="year")
    keys = {school: panel.at(school=school).units("school")[0][0] for school in frame["school"].unique()}
    ranks = {school: at for at, school in enumerate(sorted(keys, key=keys.__getitem__))}
    return frame["school"].map(ranks).to_numpy() % 4


@pytest.mark.parametrize("estimand", ["ATE", "ATT", "ATC"])
@pytest.mark.parametrize("n_arms", [2, 3])
def test_effects_are_those_of_the_definition(estimand: str, n_arms: int) -> None:
    frame = pupils(n_arms=n_arms)
    found = estimate(frame, estimand=estimand)
    labels = sorted(frame["route"].unique())
    arm = frame["route"].map(labels.index).to_numpy()
    x, y, fold = frame[["points", "age"]].to_numpy(), frame["pay"].to_numpy(), folds_of(frame)
    p, m = np.empty((len(x), n_arms)), np.empty((len(x), n_arms))
    for k in range(4):
        train, test = fold != k, fold == k
        p[test] = (
            LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(x[train], arm[train]).predict_proba(x[test])
        )
        for a in range(n_arms):
            m[test, a] = LinearRegression().fit(x[train & (arm == a)], y[train & (arm == a)]).predict(x[test])
    for a in range(1, n_arms):
        target = {"ATE": arm >= 0, "ATT": arm == a, "ATC": arm == 0}[estimand]
        reach = {"ATE": 1.0, "ATT": p[:, a], "ATC": p[:, 0]}[estimand]
        size = target.sum()
        parts = [target * m[:, b] + (arm == b) * reach / p[:, b] * (y - m[:, b]) for b in (a, 0)]
        effect = (parts[0] - parts[1]).sum() / size
        influence = (parts[0] - parts[1] - target * effect) / size
        error = np.sqrt((np.bincount(frame["school"], influence) ** 2).sum() * 30 / 29)
        name = f"{labels[a]} v academic"
        assert found.params[name] == pytest.approx(effect, rel=2e-5)  # scikit-learn's optimiser stops there
        assert found.std_errors[name] == pytest.approx(error, rel=2e-5)


def test_own_models_are_those_of_the_same_learners() -> None:
    frame = pupils()
    own = estimate(frame)
    learnt = estimate(frame, learners=(LinearRegression(), LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)))
    np.testing.assert_allclose(own.values, learnt.values, rtol=2e-5)
    np.testing.assert_allclose(own.std_errors, learnt.std_errors, rtol=2e-5)
    weighted = estimate(frame, weights=lr.Weights("w", "probability"))
    other = estimate(
        frame, weights=lr.Weights("w", "probability"),
        learners=(LinearRegression(), LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)),
    )  # fmt: skip
    np.testing.assert_allclose(weighted.values, other.values, rtol=2e-5)


def test_one_right_model_is_enough() -> None:
    """With a constant in place of one model the effect is still near the truth; with both it is not."""
    frame = pupils(8_000, seed=1)
    nothing = (DummyRegressor(), DummyClassifier())
    right = (LinearRegression(), LogisticRegression())
    near = [estimate(frame, learners=pair) for pair in (right, (nothing[0], right[1]), (right[0], nothing[1]))]
    for found in near:
        low, high = found.conf_int().loc["technical v academic"]
        assert low < 0.3 < high
    far = estimate(frame, learners=nothing).conf_int().loc["technical v academic"]
    assert far["low"] > 0.4
    trees = (RandomForestRegressor(**FOREST), RandomForestClassifier(**FOREST))
    low, high = estimate(frame, learners=trees).conf_int().loc["technical v academic"]
    assert low < 0.3 < high


def test_results_do_not_depend_on_the_order_of_the_rows_or_threads() -> None:
    frame = pupils().assign(year=2018)
    learners = (RandomForestRegressor(**FOREST), LogisticRegression())
    found = []
    for data, n_jobs in ((frame, 1), (frame.sample(frac=1, random_state=3), 2)):
        panel = lr.Panel.from_frame(data, person="person", time="year")
        result = estimate(panel, learners=learners, person=None, n_jobs=n_jobs)
        found.append((result.values.tobytes(), result.covariance.tobytes()))
    assert found[0] == found[1]


def test_bad_input_is_refused() -> None:
    frame = pupils(300)
    with pytest.raises(lr.SupportError, match="40 folds need as many clusters"):
        estimate(frame, folds=40)
    with pytest.raises(ValueError, match="2 or more"):
        estimate(frame, folds=1)
    with pytest.raises(TypeError, match="predict_proba"):
        estimate(frame, learners=(LinearRegression(), LinearRegression()))
    with pytest.raises(lr.SupportError, match="learners serve"):
        estimate(frame, method="aipw", learners=(LinearRegression(), LogisticRegression()))
    with pytest.raises(lr.SupportError, match="overlap population"):
        estimate(frame, estimand="ATO")
    certain = frame.assign(route=np.where(frame["school"] == frame["school"][0], "technical", "academic"))
    with pytest.raises(lr.SupportError, match="no person outside one of the 4 folds"):
        estimate(certain)

    class Sure(DummyClassifier):
        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return np.tile([1.0, 0.0], (len(x), 1))

    with pytest.raises(lr.SupportError, match="no chance of an arm"):
        estimate(frame, learners=(LinearRegression(), Sure()))
    trimmed = estimate(frame, trim=0.4)
    assert 0 < trimmed.settings["trimmed"] == 300 - trimmed.nobs
    assert trimmed.flow.steps[-1].label == "chance of every arm above the trim"
