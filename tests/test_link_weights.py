"""Weights for persons who could not be linked: moments of everybody, unit by unit, and what a simulation says."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import reference_treatment as twin
from build_cases import definitions
from scipy import special

import leoreturns as lr

ARMS = "C(route, ref='academic') ~ points"


def pupils(n: int = 900, seed: int = 9) -> pd.DataFrame:
    """Being linked hangs on points and sex; so does the effect of the route."""
    draw = np.random.default_rng(seed)
    points, sex = draw.integers(0, 5, n).astype(float), draw.choice(["F", "M"], n)
    treated = draw.random(n) < special.expit(0.4 * (points - 2))
    linked = draw.random(n) < special.expit(1.0 - 0.6 * (points - 2) + 0.5 * (sex == "M"))
    pay = 0.3 * points + treated * (0.2 + 0.4 * points) + draw.normal(size=n)
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "year": 2018,
            "points": points,
            "sex": sex,
            "school": draw.integers(0, 40, n),
            "w": draw.choice([0.5, 1.0, 2.0], n),
            "linked": linked,
            "route": np.where(treated, "vocational", "academic"),
            "pay": np.where(linked, pay, np.nan),
        }
    )


def stacked(frame: pd.DataFrame, estimand: str, *, stabilised: bool, weighted: bool) -> tuple[float, float]:
    """Effect and error, clustered by school without factors, of all moments together on linked and others."""
    one = np.ones(len(frame))
    x = np.column_stack([one, frame["points"], frame["sex"] == "M"]).astype(float)
    v = np.column_stack([one, frame["sex"] == "M"]).astype(float)
    z = np.column_stack([one, frame["points"]])
    r, d = frame["linked"].to_numpy(float), (frame["route"] == "vocational").to_numpy(float)
    y, base = frame["pay"].fillna(0.0).to_numpy(), frame["w"].to_numpy() if weighted else one

    def moments(theta: np.ndarray) -> np.ndarray:
        a, b, c, means = theta[:3], theta[3:5], theta[5:7], theta[7:]
        p, h, e = special.expit(x @ a), special.expit(v @ b), special.expit(z @ c)
        w = r * (h if stabilised else 1.0) / p
        reach = e if estimand == "ATT" else 1.0
        treated, base_arm = w * d * reach / e, w * (1 - d) * reach / (1 - e)
        parts = [(r - p)[:, None] * x, (r - h)[:, None] * v, (w * (d - e))[:, None] * z]
        parts += [(treated * (y - means[0]))[:, None], (base_arm * (y - means[1]))[:, None]]
        return np.column_stack(parts) * base[:, None]

    theta, jacobian = twin.solved(moments, np.zeros(9))
    sums = np.stack([np.bincount(frame["school"], column) for column in moments(theta).T], axis=1)
    bread = np.linalg.inv(jacobian)
    cov = (bread @ (sums.T @ sums) @ bread.T)[-2:, -2:]
    return theta[-2] - theta[-1], float(np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("stabilised", [False, True])
@pytest.mark.parametrize("estimand", ["ATE", "ATT"])
def test_effects_are_those_of_the_moments_of_everybody(estimand: str, stabilised: bool, weighted: bool) -> None:
    frame = pupils()
    links = lr.link_weights(
        "linked", "points + sex", frame, stabilise="sex" if stabilised else None, person="person",
        weights=lr.Weights("w", "probability") if weighted else None,
    )  # fmt: skip
    found = lr.treatment_effect(
        "pay ~ 1", ARMS, frame, method="ipw", estimand=estimand, cov=lr.Clustered("school"), weights=links,
        person="person",
    )  # fmt: skip
    value, error = stacked(frame, estimand, stabilised=stabilised, weighted=weighted)
    assert found.params["vocational v academic"] == pytest.approx(value, rel=1e-8)
    assert found.std_errors["vocational v academic"] == pytest.approx(error * np.sqrt(40 / 39), rel=1e-6)
    linked = int(frame["linked"].sum())
    assert found.settings["linkage"] == {
        "linked": linked, "not linked": len(frame) - linked, "errors": "of estimated chances",
    }  # fmt: skip
    assert found.nobs == linked


def test_weights_are_one_over_chances_and_those_who_are_not_linked_have_none() -> None:
    frame = pupils()
    cell = frame.groupby(["points", "sex"])["linked"].mean()
    links = lr.link_weights("linked", "C(points)*sex", frame, person="person")
    order = links.panel.ids.to_arrow().to_numpy()[links.units.people]
    rows = frame.set_index("person").loc[order]
    wanted = np.where(rows["linked"], 1 / cell.loc[list(zip(rows["points"], rows["sex"], strict=True))], np.nan)
    np.testing.assert_allclose(links.weights(), wanted, rtol=1e-9)
    assert np.nansum(links.weights()) == pytest.approx(len(frame), rel=1e-9)
    by_sex = lr.link_weights("linked", "C(points)*sex", frame, stabilise="sex", person="person")
    share = frame.groupby("sex")["linked"].mean()
    np.testing.assert_allclose(by_sex.weights(), wanted * share.loc[rows["sex"]].to_numpy(), rtol=1e-9)


def test_the_effect_on_all_persons_is_recovered_with_the_coverage_that_is_claimed() -> None:
    """The mean of 0.2 + 0.4 points over everybody; linked persons alone have fewer points."""
    truth, inside, errors, naive = 0.2 + 0.4 * 2.0, 0, [], []
    runs = 150
    for seed in range(runs):
        frame = pupils(600, seed=100 + seed)
        keywords = {"method": "ipwra", "estimand": "ATE", "cov": lr.Clustered("person"), "person": "person"}
        links = lr.link_weights("linked", "points + sex", frame, person="person")
        found = lr.treatment_effect("pay ~ points", ARMS, frame, weights=links, **keywords)
        low, high = found.conf_int().iloc[0]
        inside += low <= truth <= high
        errors.append(found.params.iloc[0] - truth)
        naive.append(lr.treatment_effect("pay ~ points", ARMS, frame, **keywords).params.iloc[0] - truth)
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(runs)
    assert np.mean(naive) < -5 * np.std(naive) / np.sqrt(runs)
    assert 0.89 <= inside / runs <= 0.99


def test_weights_serve_groups_years_and_weighting() -> None:
    frame = pupils()
    later = frame.assign(year=2019, pay=frame["pay"] + 1.0 * (frame["route"] == "vocational"))
    panel = lr.Panel.from_frame(pd.concat([frame, later]), person="person", time="year")
    links = lr.link_weights("linked", "points + sex", panel.at(year=2018))
    keywords = {"method": "ipwra", "estimand": "ATE", "weights": links}
    formulas = ("pay ~ points", ARMS)
    for cov in (lr.Clustered("school"), lr.Clustered("person")):
        found = lr.treatment_effect(*formulas, panel, path="year", cov=cov, **keywords)
        alone = lr.treatment_effect(*formulas, panel.at(year=2018), cov=cov, **keywords)
        name = "vocational v academic [2018]"
        assert found.std_errors[name] == pytest.approx(alone.std_errors["vocational v academic"], rel=1e-9)
        later_name = "vocational v academic [2019]"
        assert found.params[later_name] - found.params[name] == pytest.approx(1.0, rel=1e-9)
        cov_of = found.cov
        assert (
            abs(cov_of.loc[name, name] + cov_of.loc[later_name, later_name] - 2 * cov_of.loc[name, later_name]) < 1e-12
        )
    weighted = lr.weight(
        ARMS.split(" ~ ")[0], "points", panel.at(year=2018), method="ipw", estimand="ATT", weights=links,
    )  # fmt: skip
    effect = lr.treatment_effect(
        "pay ~ 1", ARMS, panel.at(year=2018), method="ipw", estimand="ATT", cov=lr.Clustered("school"), weights=links
    )
    same = weighted.effect("pay", cov=lr.Clustered("school"))
    np.testing.assert_array_equal(same.covariance, effect.covariance)


def test_persons_of_a_panel_built_from_leo_who_have_no_tax_record() -> None:
    panel = lr.simulate_panel(n_persons=4_000, seed=2, definitions=definitions()).at(years_since_ks4=10)
    links = lr.link_weights("linked_to_tax_records", "sex + ks4_points", panel)
    known = panel.where("ks5_route == 'A level' or ks5_route == 'vocational'")
    found = lr.treatment_effect(
        "log_earnings ~ sex + ks4_points", "ks5_route ~ sex + ks4_points", known, method="ipwra", estimand="ATT",
        cov=lr.Clustered("school"), weights=links,
    )  # fmt: skip
    assert np.isfinite(found.std_errors).all()
    assert "DfE" in found.owners
    assert found.settings["linkage"]["not linked"] > 0


def test_weights_stay_inside_and_bad_input_is_refused() -> None:
    frame = pupils(300)
    links = lr.link_weights("linked", "points", frame, person="person")
    linked = int(frame["linked"].sum())
    assert repr(links).startswith(f"<LinkWeights: {linked:,} of 300 persons linked, effective ")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(links)
    keywords = {"method": "ipw", "estimand": "ATE", "weights": links, "person": "person"}
    for cov in (lr.Robust("HC1"), lr.Resampled(lr.BootstrapPlan(40, seed=1, interval="normal"))):
        with pytest.raises(lr.SupportError, match="whom errors take into account one by one"):
            lr.treatment_effect("pay ~ 1", ARMS, frame, cov=cov, **keywords)
    with pytest.raises(lr.SupportError, match="10 of 300 persons of the weights are not in the data"):
        lr.treatment_effect("pay ~ 1", ARMS, frame.iloc[10:], cov=lr.Clustered("person"), **keywords)
    with pytest.raises(lr.SupportError, match="person id required"):
        lr.link_weights("linked", "points", frame)
    with pytest.raises(lr.NotIdentifiedError, match="for certain"):
        lr.link_weights("linked", "points", frame.assign(linked=frame["points"] > 2), person="person")
    with pytest.raises(lr.NotIdentifiedError, match="single arm"):
        lr.link_weights("linked", "points", frame.assign(linked=True), person="person")
    with pytest.raises(lr.SupportError, match="has 3 values; linked or not are two"):
        lr.link_weights("linked", "points", frame.assign(linked=frame.index % 3), person="person")
    with pytest.raises(TypeError, match="'probability'"):
        lr.link_weights("linked", "points", frame, weights=lr.Weights("w", "analytic"), person="person")
    years = pd.concat([frame, frame.assign(year=2019)])
    varying = lr.Panel.from_frame(years, person="person", time="year", time_varying=["school"])
    with pytest.raises(lr.SupportError, match="further rows of a person"):
        lr.link_weights("linked", "points", varying)
    links = lr.link_weights("linked", "points", varying.at(year=2018))
    with pytest.raises(lr.SupportError, match="'school' may vary over a person's rows"):
        lr.treatment_effect(
            "pay ~ 1", ARMS, varying.at(year=2018), method="ipw", estimand="ATE", weights=links,
            cov=lr.Clustered("school"),
        )  # fmt: skip
