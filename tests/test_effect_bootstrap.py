"""The bootstrap of treatment effects against estimates on rows that are written out as often as they were drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import leoreturns as lr
from leoreturns.estimation import redrawn
from leoreturns.resample.draws import Draws

FORMULAS = ("pay ~ points", "C(route, ref='academic') ~ points + region")
METHODS = ["ra", "ipw", "ipwra", "aipw", "entropy", "tilting"]
FEW = lr.BootstrapPlan(8, seed=11, interval="normal")


def pupils(n: int = 300, n_arms: int = 2, seed: int = 2) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "person": np.arange(n),
            "year": 2018,
            "points": draw.integers(0, 4, n).astype(float),
            "region": draw.choice(["N", "S"], n),
            "school": draw.integers(0, 30, n),
            "sex": draw.choice(["F", "M"], n),
            "w": draw.choice([0.5, 1.0, 2.0], n),
        }
    )
    eta = np.column_stack([np.zeros(n), *(0.3 * frame["points"] - 0.4 for _ in range(1, n_arms))])
    arm = np.argmax(eta + draw.gumbel(size=eta.shape), axis=1)
    frame["route"] = np.array(["academic", "technical", "vocational"])[arm]
    return frame.assign(pay=frame["points"] + 0.5 * arm + draw.normal(size=n))


def times_drawn(frame: pd.DataFrame, plan: lr.BootstrapPlan) -> np.ndarray:
    """How often each row is drawn in each replicate, by the key that its unit has in a panel of it alone."""
    groups = {label: rows for label, rows in frame.groupby(plan.unit)}
    panels = [lr.Panel.from_frame(rows, person="person", time="year") for rows in groups.values()]
    keys = np.array([panel.units(plan.unit)[0][0] for panel in panels])
    draws = Draws(plan)
    room = np.empty((len(keys), draws.lanes), dtype=draws.dtype)
    draws.fill(0, keys, room)
    return room[frame[plan.unit].map({label: at for at, label in enumerate(groups)}), : plan.n_replicates]


def written_out(frame: pd.DataFrame, times: np.ndarray) -> pd.DataFrame:
    return frame.loc[frame.index.repeat(times)].assign(person=lambda rows: np.arange(len(rows)))


@pytest.mark.parametrize("unit", ["person", "school"])
@pytest.mark.parametrize("method", METHODS)
def test_replicates_are_estimates_on_the_rows_drawn(method: str, unit: str) -> None:
    frame = pupils()
    plan = lr.BootstrapPlan(8, unit=unit, seed=11, interval="normal")
    estimand = "ATT" if method in ("ipw", "entropy") else "ATE"
    keywords = {"method": method, "estimand": estimand}
    weights = lr.Weights("w", "probability") if unit == "school" else None
    found = lr.treatment_effect(*FORMULAS, frame, cov=lr.Resampled(plan), weights=weights, person="person", **keywords)
    times = times_drawn(frame, plan)
    refits = [
        lr.treatment_effect(
            *FORMULAS, written_out(frame, own), cov=lr.Robust("HC0"), weights=weights, person="person", **keywords
        ).values
        for own in times.T
    ]
    np.testing.assert_allclose(found.covariance, np.cov(np.array(refits).T), rtol=1e-7)
    assert found.n_clusters == {unit: frame[unit].nunique()}
    assert found.df_tests == frame[unit].nunique() - 1
    assert found.settings["plan"] == plan.settings
    point = lr.treatment_effect(*FORMULAS, frame, cov=lr.Robust("HC0"), weights=weights, person="person", **keywords)
    np.testing.assert_array_equal(found.values, point.values)


def test_all_arms_groups_and_years_are_drawn_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redrawn, "BLOCK", 37)
    frame = pupils(500, n_arms=3)
    later = frame.assign(year=2019, pay=frame["pay"] + np.random.default_rng(1).normal(size=len(frame)))
    both = pd.concat([frame, later[later.index % 3 > 0]])
    panel = lr.Panel.from_frame(both, person="person", time="year")
    keywords = {"method": "ipwra", "estimand": "ATT", "by": "sex", "path": "year"}
    found = lr.treatment_effect(*FORMULAS, panel, cov=lr.Resampled(FEW), **keywords)
    times = times_drawn(frame, FEW)
    refits = []
    for own in times.T:
        rows = [
            part.loc[part.index.repeat(own[part.index])].assign(
                person=lambda many: many.groupby("person").cumcount() * 10_000 + many["person"]
            )
            for _, part in both.groupby("year")
        ]
        again = lr.Panel.from_frame(pd.concat(rows), person="person", time="year")
        refits.append(lr.treatment_effect(*FORMULAS, again, cov=lr.Clustered("person"), **keywords).values)
    assert len(found.names) == 4 * (2 + 4)
    np.testing.assert_allclose(found.covariance, np.cov(np.array(refits).T), rtol=1e-7, atol=1e-12)


def test_intervals_are_those_of_the_plan() -> None:
    frame = pupils(200)
    keywords = {"method": "aipw", "estimand": "ATE", "person": "person"}
    plans = {kind: lr.BootstrapPlan(199, seed=4, interval=kind) for kind in ("percentile", "basic", "normal")}
    found = {
        kind: lr.treatment_effect(*FORMULAS, frame, cov=lr.Resampled(plan), **keywords) for kind, plan in plans.items()
    }
    ends = {kind: each.conf_int() for kind, each in found.items()}
    np.testing.assert_allclose(ends["basic"]["low"], 2 * found["basic"].params - ends["percentile"]["high"], rtol=1e-9)
    np.testing.assert_array_equal(found["basic"].covariance, found["normal"].covariance)
    errors = lr.treatment_effect(*FORMULAS, frame, cov=lr.Robust("HC1"), **keywords).std_errors
    np.testing.assert_allclose(found["normal"].std_errors, errors, rtol=0.2)
    assert found["percentile"].drawn is not None and found["normal"].drawn is None
    band = found["percentile"].bands()
    np.testing.assert_array_equal(band["low"], ends["percentile"]["low"])


def test_draws_hang_on_neither_threads_nor_the_order_of_the_rows() -> None:
    frame = pupils()
    plan = lr.BootstrapPlan(130, unit="school", seed=1, interval="normal")
    keywords = {"method": "ipwra", "estimand": "ATT", "cov": lr.Resampled(plan)}
    panels = [
        lr.Panel.from_frame(rows, person="person", time="year")
        for rows in (frame, frame.sample(frac=1, random_state=1))
    ]
    one, two, three = (
        lr.treatment_effect(*FORMULAS, panel, n_jobs=n_jobs, **keywords)
        for panel, n_jobs in ((panels[0], 1), (panels[0], 3), (panels[1], 2))
    )
    assert one.covariance.tobytes() == two.covariance.tobytes() == three.covariance.tobytes()


def test_replicates_that_cannot_be_estimated_are_dropped_and_counted() -> None:
    frame = pupils(120)
    rare = frame.assign(region=np.where(frame.index < 4, "W", frame["region"]))
    rare.loc[:3, "route"] = ["academic", "technical", "academic", "technical"]
    plan = lr.BootstrapPlan(60, seed=3, interval="normal")
    keywords = {"method": "ipw", "estimand": "ATE", "person": "person", "cov": lr.Resampled(plan)}
    found = lr.treatment_effect(*FORMULAS, rare, **keywords)
    times = times_drawn(rare, plan)[:4]
    both = times[[0, 2]].any(axis=0) & times[[1, 3]].any(axis=0)
    # Without a person of the region in an arm its chance is 0 or 1, without any the region has no coefficient.
    assert found.settings["replicates dropped"] == int((~both).sum())
    assert found.settings["replicates dropped"] > 5
    fewer = rare.assign(region=np.where(rare.index < 2, "W", frame["region"]))
    with pytest.raises(lr.SupportError, match="of 60 replicates have every coefficient"):
        lr.treatment_effect(*FORMULAS, fewer, **keywords)


def test_weights_are_estimated_again_for_their_effects() -> None:
    frame = pupils()
    weighted = lr.weight("route", "points + region", frame, method="entropy", estimand="ATT", person="person")
    found = weighted.effect("pay", cov=lr.Resampled(FEW))
    same = lr.treatment_effect(
        "pay ~ 1", FORMULAS[1], frame, method="entropy", estimand="ATT", cov=lr.Resampled(FEW), person="person"
    )
    assert found.covariance.tobytes() == same.covariance.tobytes()


def test_bootstraps_that_are_not_valid_are_refused() -> None:
    frame = pupils()
    cov = lr.Resampled(FEW)
    with pytest.raises(lr.SupportError, match="Abadie and Imbens 2008"):
        lr.match("route", "points", frame, estimand="ATT", person="person").effect("pay", cov=cov)  # type: ignore[arg-type]
    pairs = lr.match("route", "points", frame, estimand="ATT", replace=False, person="person")
    with pytest.raises(lr.SupportError, match="without replacement cov is"):
        pairs.effect("pay", cov=cov)  # type: ignore[arg-type]
    keywords = {"estimand": "ATT", "cov": cov, "person": "person"}
    with pytest.raises(lr.SupportError, match="anew in every fold"):
        lr.treatment_effect(*FORMULAS, frame, method="dml", **keywords)
    counts = frame.assign(w=2)
    with pytest.raises(lr.SupportError, match="drawn as one"):
        lr.treatment_effect(*FORMULAS, counts, method="ipw", weights=lr.Weights("w", "frequency"), **keywords)
    alone = frame.assign(school=1)
    with pytest.raises(lr.SupportError, match="two units or more"):
        one = lr.Resampled(lr.BootstrapPlan(8, unit="school", seed=1, interval="normal"))
        lr.treatment_effect(*FORMULAS, alone, method="ipw", **{**keywords, "cov": one})
