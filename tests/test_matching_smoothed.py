"""Matches weighted by distance, subclasses, common support and several arms: against all pairs of units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matching_cases import pupils

import leoreturns as lr
from leoreturns.estimation.points import Line
from leoreturns.estimation.smoothed import kernel_sums, received

PERSON = {"person": "person"}
KERNELS = {
    "epanechnikov": lambda u: np.where(np.abs(u) <= 1, 1 - u**2, 0.0),
    "biweight": lambda u: np.where(np.abs(u) <= 1, (1 - u**2) ** 2, 0.0),
    "uniform": lambda u: (np.abs(u) <= 1).astype(float),
    "gaussian": lambda u: np.exp(-(u**2) / 2),
}


def lines(seed: int, n: int, *, whole: bool) -> tuple[Line, Line]:
    draw = np.random.default_rng(seed)
    score = draw.integers(0, 30, n).astype(float) if whole else draw.normal(size=n)
    strata, arm = draw.integers(0, 3, n), draw.random(n) < 0.3
    one, other = (Line.of(np.flatnonzero(own), score, strata, 3, single=False) for own in (arm, ~arm))
    return one, other


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kernel", list(KERNELS))
def test_kernel_sums_are_those_of_all_pairs(kernel: str, whole: bool) -> None:
    at, points = lines(3, 400, whole=whole)
    values = np.random.default_rng(1).normal(size=points.n)
    bandwidth = 3.0 if whole else 0.2
    found, held = kernel_sums(at, points, values, kernel, bandwidth, 3)
    u = (points.scores - at.scores[:, None]) / bandwidth
    weight = np.where(points.strata == at.strata[:, None], KERNELS[kernel](u), 0.0)
    for power in range(3):
        np.testing.assert_allclose(found[:, power], (weight * u**power) @ values, atol=1e-12)
    if kernel != "gaussian":
        near = (points.strata == at.strata[:, None]) & (np.abs(points.scores - at.scores[:, None]) <= bandwidth)
        np.testing.assert_array_equal(held, near.sum(axis=1))


def test_sums_keep_their_digits_far_from_the_origin() -> None:
    """Scores near a million with a bandwidth of a thousandth: differences of running sums would have no digit left."""
    draw = np.random.default_rng(2)
    score = np.sort(1e6 + draw.random(3_000))
    units = np.arange(3_000)
    line = Line.of(units, score, np.zeros(3_000, dtype=np.int64), 1, single=True)
    found, _ = kernel_sums(line, line, np.ones(3_000), "epanechnikov", 1e-3, 1)
    u = (score - score[:, None]) / 1e-3
    np.testing.assert_allclose(found[:, 0], KERNELS["epanechnikov"](u).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("kernel", list(KERNELS))
def test_what_donors_receive_is_that_of_all_pairs(kernel: str, linear: bool) -> None:
    focus, pool = lines(4, 300, whole=False)
    found, matched = received(focus, pool, kernel, 0.5, linear=linear)
    wanted = np.zeros(pool.n)
    for i in range(focus.n):
        u = (pool.scores - focus.scores[i]) / 0.5
        weight = np.where(pool.strata == focus.strata[i], KERNELS[kernel](u), 0.0)
        assert matched[i] == (weight.sum() > 1e-9 * max((weight > 0).sum(), 1))
        if matched[i]:
            if linear and (weight > 0).sum() > 1:
                # The value at 0 of a weighted line is linear in the outcomes.
                design = np.column_stack([np.ones(pool.n), u])
                weight = (np.linalg.pinv(design * np.sqrt(weight)[:, None]) * np.sqrt(weight))[0]
            else:
                weight = weight / weight.sum()
            wanted += focus.counts[i] * weight
    np.testing.assert_allclose(found, wanted, atol=1e-8)


def in_order(found: lr.Matched, frame: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """Return values of the units in the order of the frame."""
    own = found.candidates
    pay = own.variables.panel.array("pay")[own.units.rows]
    return pd.Series(values, index=pay)[frame["pay"]].to_numpy()


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
@pytest.mark.parametrize("method", ["radius", "kernel", "local_linear"])
def test_effects_are_mean_differences_from_smoothed_outcomes(method: str, estimand: str) -> None:
    frame = pupils(300, 5)
    how = {"caliper": 0.2} if method == "radius" else {"bandwidth": 0.4, "kernel": "biweight"}
    found = lr.match(
        "route", "points", frame, estimand=estimand, method=method, distance="column", exact=["region"], **how, **PERSON
    )
    x, y, region = (frame[name].to_numpy() for name in ("points", "pay", "region"))
    treated = (frame["route"] == "vocational").to_numpy()
    bandwidth = next(iter(how.values())) * x.std(ddof=1)
    gaps = []
    for i in range(300):
        if {"ATT": not treated[i], "ATC": treated[i], "ATE": False}[estimand]:
            continue
        pool = np.flatnonzero((treated != treated[i]) & (region == region[i]))
        u = (x[pool] - x[i]) / bandwidth
        weight = KERNELS["uniform" if method == "radius" else "biweight"](u)
        if not weight.any():
            continue
        smooth = np.average(y[pool], weights=weight)
        if method == "local_linear" and (weight > 0).sum() > 1:
            smooth = np.polyval(np.polyfit(u, y[pool], 1, w=np.sqrt(weight)), 0.0)
        gaps.append((y[i] - smooth) * (1 if treated[i] else -1))
    result = found.effect("pay", cov=lr.Robust("HC1"))
    focal = [label for label, own in (("academic", "ATC"), ("vocational", "ATT")) if estimand in (own, "ATE")]
    assert len(gaps) < 300 if estimand == "ATE" else sum(found.counts[label]["matched"] for label in focal) == len(gaps)
    assert result.params.iloc[0] == pytest.approx(np.mean(gaps), rel=1e-7)
    # The error is that of a weighted regression on the arm, the weights given.
    weights = in_order(found, frame, found.weights)
    design = np.column_stack([np.ones(300), treated])
    bread = np.linalg.inv(design.T @ (design * weights[:, None]))
    left = y - design @ (bread @ design.T @ (weights * y))
    scores = design * (weights * left)[:, None]
    n = int((weights != 0).sum())
    error = np.sqrt((bread @ scores.T @ scores @ bread)[1, 1] * n / (n - 1))
    assert result.std_errors.iloc[0] == pytest.approx(error, rel=1e-9)


def test_the_default_bandwidth_is_the_rule_for_normal_scores() -> None:
    frame = pupils(500, 6)
    found = lr.match("route", "points", frame, estimand="ATT", method="kernel", distance="column", **PERSON)
    donors = frame["points"][frame["route"] == "academic"]
    spread = min(donors.std(), (donors.quantile(0.75) - donors.quantile(0.25)) / 1.349)
    wanted = 2.345 * spread * len(donors) ** -0.2 / frame["points"].std()
    assert found.candidates.settings["bandwidth"] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_subclasses_are_quantiles_of_those_whom_the_effect_is_about(estimand: str) -> None:
    frame = pupils(600, 8)
    found = lr.match(
        "route", "points", frame, estimand=estimand, method="subclass", subclasses=4, distance="column", **PERSON
    )
    result = found.effect("pay", cov=lr.Robust("HC0"))
    treated = frame["route"] == "vocational"
    focal = {"ATT": treated, "ATC": ~treated, "ATE": treated | True}[estimand]
    edges = frame["points"][focal].quantile([0.25, 0.5, 0.75])
    classes = np.searchsorted(edges, frame["points"], side="right")
    cells = frame.groupby([classes, treated])["pay"]
    means = cells.mean().unstack()
    gaps, shares = means[True] - means[False], frame[focal].groupby(classes[focal]).size() / focal.sum()
    assert result.params["vocational v academic"] == pytest.approx((gaps * shares).sum(), rel=1e-12)
    errors = np.sqrt((cells.var(ddof=0) / cells.size()).unstack().sum(axis=1))
    for at in range(4):
        assert result.params[f"vocational v academic [subclass {at + 1}]"] == pytest.approx(gaps[at], rel=1e-12)
        assert result.std_errors[f"vocational v academic [subclass {at + 1}]"] == pytest.approx(errors[at], rel=1e-12)
        assert result.params[f"mean academic [subclass {at + 1}]"] == pytest.approx(means.loc[at, False], rel=1e-12)
    sizes = frame.groupby([classes, frame["route"]]).size().unstack()
    assert result.settings["persons by arm"]["subclass 2"] == sizes.loc[1].to_dict()
    bands = result.bands("subclass")
    assert bands["subclass"].tolist()[:5] == ["all", "1", "2", "3", "4"]
    assert (bands["comparison"].iloc[:5] == "vocational v academic").all()
    assert (bands["critical"].iloc[:5] > 1.97).all()
    behind = dict(zip(result.names, result.evidence.persons_off_mode.tolist(), strict=True))
    assert behind["vocational v academic [subclass 3]"] == sizes.loc[2].min()


def test_subclasses_without_an_arm_are_named_with_their_counts() -> None:
    frame = pupils(60, 3)
    frame.loc[frame["points"] > 1.0, "route"] = "vocational"
    with pytest.raises(lr.SupportError, match=r"3 of 9 subclasses .* subclass 8 has 0 of academic, 2 of vocational"):
        lr.match("route", "points", frame, estimand="ATT", method="subclass", subclasses=9, distance="column", **PERSON)


def test_common_support_leaves_out_who_is_beyond_the_others() -> None:
    frame = pupils(400, 12)
    options = {"estimand": "ATT", "distance": "column", "exact": ["region"], **PERSON}
    found = lr.match("route", "points", frame, common_support=True, **options)
    treated = frame["route"] == "vocational"
    ends = frame[~treated].groupby("region")["points"].agg(["min", "max"]).loc[frame["region"]]
    inside = (frame["points"].to_numpy() >= ends["min"].to_numpy()) & (
        frame["points"].to_numpy() <= ends["max"].to_numpy()
    )
    beyond = int((treated & ~inside).sum())
    assert beyond > 0
    assert found.counts["vocational"] == {
        "persons": int(treated.sum()), "matched": int(treated.sum()) - beyond, "left out": beyond,
        "off support": beyond,
    }  # fmt: skip
    assert found.counts["academic"]["off support"] == 0
    both = lr.match("route", "points", frame, common_support=True, **{**options, "estimand": "ATE"})
    assert both.counts["vocational"]["off support"] == beyond
    assert both.counts["academic"]["off support"] > 0
    everybody = lr.match("route", "points", frame, **options)
    assert everybody.counts["vocational"]["left out"] == 0


def test_one_of_several_arms_is_that_arm_alone() -> None:
    frame = pupils(500, 14)
    third = frame["route"].where(frame["person"] % 3 > 0, "technical")
    several = frame.assign(route=third)
    with pytest.raises(lr.SupportError, match="arm= names the one to compare with academic, 'technical', 'vocational'"):
        lr.match("route", "points", several, estimand="ATT", **PERSON)
    options = {"estimand": "ATT", "caliper": 0.5, **PERSON}
    one = lr.match("route", "points", several, arm="technical", **options)
    alone = lr.match("route", "points", several, where="route != 'vocational'", **options)
    cov = lr.AbadieImbens()
    pd.testing.assert_frame_equal(one.effect("pay", cov=cov).to_frame(), alone.effect("pay", cov=cov).to_frame())
    other = lr.match("C(route, ref='vocational')", "points", several, arm="academic", **options)
    assert list(other.counts) == ["vocational", "academic"]


def test_covariates_of_later_ages_are_refused_unless_meant() -> None:
    frame = pupils(200, 4).assign(year=2019)
    panel = lr.Panel.from_frame(
        frame, person="person", time="year", measured={"points": 16.0, "region": 20.0, "route": 18.0}
    )
    with pytest.raises(lr.SupportError, match="measured after the treatment"):
        lr.match("route", "points", panel, estimand="ATT", exact=["region"])
    found = lr.match("route", "points", panel, estimand="ATT", exact=["region"], allow_later="region")
    assert found.candidates.settings["later than the treatment"] == ["region"]


def test_options_that_do_not_go_together_are_refused() -> None:
    frame = pupils(100, 4)
    options = {"estimand": "ATT", **PERSON}
    for keywords, told in (
        ({"method": "kernel", "caliper": 0.1}, "caliper= of method='radius', and bandwidth= of kernels"),
        ({"method": "radius"}, "caliper= of method='radius'"),
        ({"method": "kernel", "ratio": 2}, "takes all units nearby"),
        ({"bandwidth": 0.1}, "bandwidth= serves method='kernel'"),
        ({"method": "exact", "common_support": True}, "common support is that of a score"),
        ({"method": "subclass", "caliper": 0.1}, "all units of a stratum"),
    ):
        with pytest.raises(lr.SupportError, match=told):
            lr.match("route", "points", frame, **keywords, **options)
    with pytest.raises(ValueError, match="subclasses is 2 or more, not 1"):
        lr.match("route", "points", frame, method="subclass", subclasses=1, **options)
    with pytest.raises(ValueError, match="kernel is one of"):
        lr.match("route", "points", frame, method="kernel", kernel="cosine", **options)
    with pytest.raises(ValueError, match="bandwidth is a positive"):
        lr.match("route", "points", frame, method="kernel", bandwidth=-1.0, **options)
    with pytest.raises(lr.SupportError, match="donors does not vary"):
        lr.match("route", "points", frame.assign(points=2.0), method="kernel", distance="column", **options)
    pairs = lr.match("route", "points", frame, replace=False, **options)
    with pytest.raises(lr.SupportError, match="Abadie and Spiess 2022"):
        pairs.effect("pay", cov=lr.Robust("HC1"))
    weighted = lr.match("route", "points", frame, method="kernel", **options)
    with pytest.raises(lr.SupportError, match="errors of weighted units"):
        weighted.effect("pay", cov=lr.AbadieImbens())
