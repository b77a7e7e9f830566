"""Treatment effects against Stata's published values, a twin of stacked moments, and what must hold of any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import reference_treatment as twin
import statsmodels

import leoreturns as lr

# Stata's teffects on the birth weights of Cattaneo (2010), as statsmodels ships them: effect and standard error.
STATA = {
    ("ra", "ATE"): (-239.63921146434, 23.82402100183),
    ("ra", "ATT"): (-223.30165083857, 22.742195167601),
    ("ipw", "ATE"): (-230.68863779526, 25.815243801554),
    ("ipw", "ATT"): (-225.17726054799, 23.664582726945),
    ("aipw", "ATE"): (-230.98920111258, 26.210564625435),
    ("ipwra", "ATE"): (-229.96707794, 26.62667572),
}
PRINTED = {("ipwra", "ATE"): 5e-9}
OUTCOME = "bweight ~ prenatal1_ + mmarried_ + mage + fbaby_"
ARMS = "mbsmoke_ ~ mmarried_ + mage + mage2 + fbaby_ + medu"


@pytest.fixture(scope="module")
def births() -> pd.DataFrame:
    path = Path(statsmodels.__file__).parent / "treatment" / "tests" / "results" / "cataneo2.csv"
    if not path.exists():
        pytest.skip("this statsmodels does not ship the birth weights")
    return pd.read_csv(path).assign(id=lambda frame: np.arange(len(frame)))


@pytest.mark.parametrize(("method", "estimand"), list(STATA))
def test_stata_prints_the_same(births: pd.DataFrame, method: str, estimand: str) -> None:
    found = lr.treatment_effect(
        OUTCOME, ARMS, births, method=method, estimand=estimand, cov=lr.Robust("HC0"), score="probit", person="id"
    )
    value, error = STATA[method, estimand]
    rtol = PRINTED.get((method, estimand), 1e-10)
    assert found.params["1 v 0"] == pytest.approx(value, rel=rtol)
    assert found.std_errors["1 v 0"] == pytest.approx(error, rel=max(rtol, 1e-8))  # its derivatives are numerical


def pupils(n: int = 1_500, n_arms: int = 2, seed: int = 3) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "person": np.arange(n),
            "sex": draw.choice(["F", "M"], n),
            "band": draw.choice(["low", "middle", "high"], n),
            "points": draw.integers(0, 6, n).astype(float),
            "school": draw.integers(0, 40, n),
            "region": draw.choice(["N", "S"], n),
            "w": draw.integers(1, 4, n),
        }
    )
    eta = np.column_stack([np.zeros(n), *(0.2 * a * (frame["points"] - 2) / n_arms for a in range(1, n_arms))])
    arm = np.argmax(eta + draw.gumbel(size=eta.shape), axis=1)
    frame["route"] = np.array(["academic", "technical", "vocational"])[arm]
    mean = 0.3 + 0.1 * frame["points"] + 0.2 * arm + 0.1 * (frame["sex"] == "M")
    frame["log_earnings"] = mean + draw.normal(size=n)
    frame["employed"] = draw.random(n) < 1 / (1 + np.exp(-mean))
    frame["spells"] = draw.poisson(np.exp(mean / 2))
    return frame


OUTCOMES = {"linear": "log_earnings", "logit": "employed", "poisson": "spells"}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("method", "estimand", "link", "score", "n_arms"),
    [
        ("ra", "ATE", "linear", "logit", 2),
        ("ra", "ATT", "poisson", "logit", 3),
        ("ipw", "ATC", "linear", "logit", 2),
        ("ipw", "ATO", "linear", "logit", 2),
        ("ipw", "ATO", "linear", "logit", 3),
        ("ipw", "ATT", "linear", "probit", 2),
        ("ipwra", "ATE", "logit", "logit", 2),
        ("ipwra", "ATT", "linear", "logit", 3),
        ("ipwra", "ATO", "linear", "logit", 2),
        ("ipwra", "ATC", "poisson", "probit", 2),
        ("aipw", "ATE", "poisson", "logit", 3),
        ("aipw", "ATT", "logit", "logit", 2),
        ("aipw", "ATC", "linear", "logit", 3),
        ("aipw", "ATO", "linear", "probit", 2),
    ],
)
def test_estimates_are_those_of_stacked_moments(
    method: str, estimand: str, link: str, score: str, n_arms: int, weighted: bool
) -> None:
    frame = pupils(n_arms=n_arms)
    found = lr.treatment_effect(
        f"{OUTCOMES[link]} ~ sex + points",
        "C(route, ref='academic') ~ points + band",
        frame,
        method=method,
        estimand=estimand,
        cov=lr.Clustered("school"),
        weights=lr.Weights("w", "probability") if weighted else None,
        link=link,
        score=score,
        person="person",
    )
    labels = sorted(frame["route"].unique())
    arms = frame["route"].map(labels.index).to_numpy()
    one = np.ones(len(frame))
    x = np.column_stack([one, frame["sex"] == "M", frame["points"]]).astype(float)
    z = np.column_stack([one, frame["points"], frame["band"] == "low", frame["band"] == "middle"]).astype(float)
    w = frame["w"].to_numpy().astype(float) if weighted else one
    y = frame[OUTCOMES[link]].to_numpy().astype(float)
    for arm in range(1, n_arms):
        means, cov = twin.effect(
            y, arms, x, z, w, n_arms, frame["school"].to_numpy(), arm, method, estimand, link, score
        )
        name = f"{labels[arm]} v academic"
        assert found.params[name] == pytest.approx(means[0] - means[1], rel=1e-8)
        variance = cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]
        factor = 40 / 39
        assert found.std_errors[name] == pytest.approx(np.sqrt(factor * variance), rel=1e-6)  # numerical Jacobian
        assert found.params[f"mean {labels[arm]}"] == pytest.approx(means[0], rel=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("method", "estimand", "n_arms"),
    [("entropy", "ATT", 2), ("entropy", "ATE", 3), ("entropy", "ATC", 3), ("tilting", "ATE", 2), ("tilting", "ATT", 3)],
)
def test_balancing_weights_are_those_of_their_moments(method: str, estimand: str, n_arms: int, weighted: bool) -> None:
    frame = pupils(n_arms=n_arms)
    found = lr.treatment_effect(
        "log_earnings ~ 1", "C(route, ref='academic') ~ points + band", frame, method=method, estimand=estimand,
        cov=lr.Clustered("school"), weights=lr.Weights("w", "probability") if weighted else None, person="person",
    )  # fmt: skip
    labels = sorted(frame["route"].unique())
    arms = frame["route"].map(labels.index).to_numpy()
    z = np.column_stack([np.ones(len(frame)), frame["points"], frame["band"] == "low", frame["band"] == "middle"])
    z, y = z.astype(float), frame["log_earnings"].to_numpy()
    w = frame["w"].to_numpy().astype(float) if weighted else np.ones(len(frame))
    for arm in range(1, n_arms):
        target = {"ATE": arms >= 0, "ATT": arms == arm, "ATC": arms == 0}[estimand]

        def moments(theta: np.ndarray, arm: int = arm, target: np.ndarray = target) -> np.ndarray:
            parts = []
            for this, b, mean in ((arm, theta[:4], theta[8]), (0, theta[4:8], theta[9])):
                omega = (method == "tilting" and estimand == "ATE") + np.exp(z @ b)
                here = arms == this
                parts += [(here * omega - target)[:, None] * z, (here * omega * (y - mean))[:, None]]
            return np.column_stack([parts[0], parts[2], parts[1], parts[3]]) * w[:, None]

        theta, jacobian = twin.solved(moments, np.append(np.zeros(8), [y.mean()] * 2))
        sums = np.stack([np.bincount(frame["school"], column) for column in moments(theta).T], axis=1)
        bread = np.linalg.inv(jacobian)
        cov = (bread @ (sums.T @ sums) @ bread.T)[-2:, -2:]
        name = f"{labels[arm]} v academic"
        assert found.params[name] == pytest.approx(theta[8] - theta[9], rel=1e-8)
        error = np.sqrt((cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]) * 40 / 39)
        assert found.std_errors[name] == pytest.approx(error, rel=1e-6)  # numerical Jacobian


@pytest.mark.parametrize("method", ["ra", "ipw", "ipwra", "aipw"])
def test_cells_are_the_rows(method: str) -> None:
    """A covariate that differs between all units makes each a cell of its own; a difference of 1e-12 does no more."""
    frame = pupils()
    frame["fine"] = frame["points"] + np.linspace(0, 1e-12, len(frame))
    keywords = {"method": method, "estimand": "ATT", "cov": lr.Clustered("school"), "person": "person"}
    few = lr.treatment_effect("log_earnings ~ sex + points", "route ~ points", frame, **keywords)
    many = lr.treatment_effect("log_earnings ~ sex + fine", "route ~ fine", frame, **keywords)
    assert few.settings["cells"] == (6 if method == "ipw" else 12)
    assert many.settings["cells"] == len(frame)
    np.testing.assert_allclose(many.values, few.values, rtol=1e-10)
    np.testing.assert_allclose(many.covariance, few.covariance, rtol=1e-9)


def test_one_saturated_model_is_a_weighted_mean_of_cells() -> None:
    frame = pupils()
    cell = frame.groupby(["points", "route"])["log_earnings"].mean().unstack()
    share = frame.loc[frame["route"] == "technical", "points"].value_counts(normalize=True)
    wanted = ((cell["technical"] - cell["academic"]) * share).sum()
    for method in ("ra", "ipw", "ipwra", "aipw", "entropy", "tilting"):
        found = lr.treatment_effect(
            "log_earnings ~ C(points)", "route ~ C(points)", frame, method=method, estimand="ATT",
            cov=lr.Robust("HC1"), person="person",
        )  # fmt: skip
        assert found.params["technical v academic"] == pytest.approx(wanted, rel=1e-10)


def test_parts_are_estimates_of_their_own_with_a_joint_covariance() -> None:
    frame = pd.concat([pupils(seed=3).assign(year=year) for year in (5, 10)])
    frame["log_earnings"] += 0.1 * (frame["year"] == 10) * (frame["route"] == "technical")
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    keywords = {"method": "ipwra", "estimand": "ATT", "cov": lr.Clustered("school")}
    formulas = ("log_earnings ~ points", "route ~ points")
    found = lr.treatment_effect(*formulas, panel, path="year", by="sex", **keywords)
    assert len(found.names) == 4 * 3
    for sex in "FM":
        for year in (5, 10):
            part = panel.at(year=year, sex=sex)
            alone = lr.treatment_effect(*formulas, part, **keywords)
            name = f"technical v academic [{sex}, {year}]"
            assert found.params[name] == pytest.approx(alone.params["technical v academic"], rel=1e-12)
            assert found.std_errors[name] == pytest.approx(alone.std_errors["technical v academic"], rel=1e-10)
    # The same persons in both years: the difference is the constant, without error.
    a, b = (f"technical v academic [F, {year}]" for year in (5, 10))
    assert found.params[b] - found.params[a] == pytest.approx(0.1, rel=1e-9)
    cov = found.cov
    assert abs(cov.loc[a, a] + cov.loc[b, b] - 2 * cov.loc[a, b]) < 1e-12
    with pytest.raises(lr.SupportError, match="not independent"):
        lr.treatment_effect(*formulas, panel, path="year", method="ra", estimand="ATE", cov=lr.Robust("HC1"))
    with pytest.raises(lr.SupportError, match="1,500 of 3,000 rows are further rows"):
        lr.treatment_effect(*formulas, panel, **keywords)


def test_results_do_not_depend_on_the_order_of_the_rows() -> None:
    frame = pupils()
    keywords = {"method": "aipw", "estimand": "ATE", "cov": lr.Clustered("school"), "person": "person"}
    formulas = ("log_earnings ~ sex + points + band", "route ~ points + band")
    first = lr.treatment_effect(*formulas, frame, n_jobs=1, **keywords)
    again = lr.treatment_effect(*formulas, frame, n_jobs=2, **keywords)
    assert first.values.tobytes() == again.values.tobytes()
    assert first.covariance.tobytes() == again.covariance.tobytes()
    panel = lr.Panel.from_frame(frame.assign(year=2018), person="person", time="year")
    other = lr.Panel.from_frame(frame.assign(year=2018).sample(frac=1, random_state=1), person="person", time="year")
    del keywords["person"]
    held, shuffled = (lr.treatment_effect(*formulas, data, **keywords) for data in (panel, other))
    assert held.values.tobytes() == shuffled.values.tobytes()
    assert held.covariance.tobytes() == shuffled.covariance.tobytes()
    np.testing.assert_allclose(held.values, first.values, rtol=1e-12)


def test_frequency_weights_repeat_persons() -> None:
    frame = pupils()
    repeated = frame.loc[frame.index.repeat(frame["w"])].assign(person=lambda rows: np.arange(len(rows)))
    formulas = ("log_earnings ~ points", "route ~ points")
    keywords = {"method": "ipwra", "estimand": "ATT", "cov": lr.Clustered("school"), "person": "person"}
    weighted = lr.treatment_effect(*formulas, frame, weights=lr.Weights("w", "frequency"), **keywords)
    long = lr.treatment_effect(*formulas, repeated, **keywords)
    np.testing.assert_allclose(weighted.values, long.values, rtol=1e-11)
    np.testing.assert_allclose(weighted.covariance, long.covariance, rtol=1e-9)
    assert weighted.nobs == long.nobs


def test_evidence_names_the_persons_of_each_arm() -> None:
    frame = pupils()
    found = lr.treatment_effect(
        "log_earnings ~ 1", "route ~ 1", frame, method="ipw", estimand="ATE", cov=lr.Robust("HC1"), person="person"
    )
    counts = frame["route"].value_counts()
    assert found.settings["persons by arm"] == {"": counts.sort_index().to_dict()}
    evidence = found.evidence.to_frame()
    assert evidence.loc["mean technical", "effective_persons"] == pytest.approx(counts["technical"], rel=1e-12)
    assert evidence.loc["technical v academic", "persons_off_mode"] == counts.min()
    means = evidence.loc[["mean academic", "mean technical"]]
    assert evidence.loc["technical v academic", "effective_persons"] == means["effective_persons"].min()
    assert evidence.loc["technical v academic", "largest_share"] == means["largest_share"].max()
    assert found.evidence.saturated  # no regressor: these are the means of the arms
    fitted = lr.treatment_effect(
        "log_earnings ~ 1", "route ~ points", frame, method="ipw", estimand="ATE", cov=lr.Robust("HC1"), person="person"
    )
    assert not fitted.evidence.saturated
    assert f"Persons by arm: academic {counts['academic']:,}" in found.summary()
    assert np.isnan(found.r2)


def test_effects_are_released_where_the_arms_have_persons(tmp_path: Path) -> None:
    frame = pupils()
    keywords = {"method": "ipwra", "estimand": "ATT", "cov": lr.Clustered("school"), "person": "person"}
    formulas = ("log_earnings ~ points", "route ~ points")
    effect = lr.treatment_effect(*formulas, frame, **keywords)
    rare = frame.assign(
        route=frame["route"].where((frame["route"] != "technical") | (frame.index % 50 == 0), "academic")
    )
    few = lr.treatment_effect(*formulas, rare[rare["route"].ne("technical") | (rare.index % 150 == 0)], **keywords)
    assert few.settings["persons by arm"][""]["technical"] < 10
    # Also the mean of the other arm, which is taken over these few.
    assert set(few.evidence.persons_off_mode) == {few.settings["persons by arm"][""]["technical"]}
    assert f"technical {few.settings['persons by arm']['']['technical']}" not in few.summary()
    released = lr.release({"effect": effect, "few": few}, policy="ons-srs", to=tmp_path / "out")
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "out").glob("*.csv")}
    assert f"{effect.params.iloc[0]:.4g}" in written["effect.csv"]
    assert f"{few.params.iloc[0]:.4g}" not in written["few.csv"]
    assert released is not None


def test_trimming_is_counted() -> None:
    frame = pupils()
    frame["score"] = np.linspace(-4, 4, len(frame))
    draw = np.random.default_rng(1)
    frame["route"] = np.where(draw.random(len(frame)) < 1 / (1 + np.exp(-frame["score"])), "technical", "academic")
    keywords = {"method": "ipw", "estimand": "ATE", "cov": lr.Robust("HC1"), "person": "person"}
    formulas = ("log_earnings ~ 1", "route ~ score")
    found = lr.treatment_effect(*formulas, frame, trim=0.1, **keywords)
    with pytest.warns(lr.WeightWarning, match="persons of academic"):
        whole = lr.treatment_effect(*formulas, frame, **keywords)
    assert found.nobs == whole.nobs - found.settings["trimmed"]
    assert 0 < found.settings["trimmed"] < whole.nobs
    assert found.flow.steps[-1].label == "chance of every arm above the trim"


def test_bad_input_is_refused() -> None:
    frame = pupils()
    keywords = {"method": "ipw", "estimand": "ATT", "cov": lr.Robust("HC1"), "person": "person"}
    formulas = ("log_earnings ~ 1", "route ~ points")
    with pytest.raises(lr.NotIdentifiedError, match="single arm"):
        lr.treatment_effect(*formulas, frame[frame["route"] == "academic"], **keywords)
    with pytest.raises(lr.NotIdentifiedError, match="for certain"):
        separated = frame.assign(route=np.where(frame["points"] > 2, "technical", "academic"))
        lr.treatment_effect(*formulas, separated, **keywords)
    with pytest.raises(lr.NotIdentifiedError, match="for certain"):
        part = frame.assign(route=np.where(frame["points"] == 5, "technical", frame["route"]))
        lr.treatment_effect("log_earnings ~ 1", "route ~ C(points)", part, **keywords)
    with pytest.raises(lr.SupportError, match="has 1,500 values"):
        lr.treatment_effect("log_earnings ~ 1", "person ~ points", frame, **keywords)
    with pytest.raises(lr.SupportError, match="not among the arms"):
        lr.treatment_effect("log_earnings ~ 1", "C(route, ref='none') ~ points", frame, **keywords)
    with pytest.raises(lr.SupportError, match="overlap population"):
        lr.treatment_effect(*formulas, frame, **{**keywords, "method": "ra", "estimand": "ATO"})
    with pytest.raises(lr.SupportError, match="no weights on the"):
        apart = frame.assign(points=frame["points"] + 10 * (frame["route"] == "technical"))
        lr.treatment_effect(*formulas, apart, **{**keywords, "method": "entropy"})
    with pytest.raises(lr.SupportError, match="multinomial"):
        lr.treatment_effect(*formulas, pupils(n_arms=3), score="probit", **keywords)
    with pytest.raises(ValueError, match="method is one of"):
        lr.treatment_effect(*formulas, frame, **{**keywords, "method": "match"})
    with pytest.raises(TypeError, match="cov is"):
        lr.treatment_effect(*formulas, frame, **{**keywords, "cov": lr.Unadjusted()})
    with pytest.raises(ValueError, match="without effects"):
        lr.treatment_effect("log_earnings ~ 1 | school", "route ~ points", frame, **keywords)
