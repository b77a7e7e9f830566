"""What any match must satisfy, whatever the method, the distance and the options."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_cases import pupils

import leoreturns as lr

HOW = {
    "nearest": {"caliper": [None, 0.1, 1.0], "ratio": [1, 2, 3], "ties": [True, False]},
    "greedy": {"caliper": [None, 0.1, 1.0], "ratio": [1, 2], "order": ["largest", "smallest", "closest"]},
    "optimal": {"ratio": [1]},
    "radius": {"caliper": [0.05, 0.5]},
    "kernel": {"bandwidth": [None, 0.2, 1.0], "kernel": ["epanechnikov", "biweight", "uniform", "gaussian"]},
    "local_linear": {"bandwidth": [None, 0.5], "kernel": ["epanechnikov", "gaussian"]},
    "subclass": {"subclasses": [2, 4]},
    "exact": {},
    "cem": {"cuts": [{"points": 3}, {"points": 2, "income": 2}]},
}


@st.composite
def calls(draw: st.DrawFn) -> dict[str, object]:
    """Draw the options of a match that go together."""
    how = draw(st.sampled_from(list(HOW)))
    chosen = {name: draw(st.sampled_from(values)) for name, values in HOW[how].items()}
    pairs = how in ("greedy", "optimal")
    chosen["method"] = "nearest" if how == "greedy" else how
    chosen["replace"] = not pairs
    chosen["estimand"] = draw(st.sampled_from(["ATT", "ATC"] if pairs else ["ATT", "ATC", "ATE"]))
    chosen["exact"] = draw(st.sampled_from([(), ("region",)]))
    scored = how not in ("exact", "cem")
    if scored:
        chosen["common_support"] = draw(st.booleans())
    distances = ["column", *(["mahalanobis"] if chosen["method"] == "nearest" else [])]
    chosen["distance"] = draw(st.sampled_from(distances)) if scored else "logit"
    one = chosen["distance"] == "column" and scored
    return {"covariates": ["points"] if one else ["points", "income"], **chosen}


def neighbours(found: lr.Matched, focal: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return units and their matches, in lists of pairs of units."""
    if found.pairs is not None:
        unit, place = np.nonzero(found.pairs >= 0)
        return [(unit, found.pairs[unit, place])]
    points, windows = found.sides.points[focal], found.sides.windows[focal]
    first = np.unique(windows.pool.of_member, return_index=True)[1]
    own = np.unique(points.of_member, return_index=True)[1]
    return [(points.members[own[has]], windows.pool.members[first[point]]) for has, point in windows.steps()]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(30, 120), whole=st.booleans(), call=calls())
def test_any_match_is_one(seed: int, n: int, whole: bool, call: dict[str, object]) -> None:
    frame = pupils(n, seed, whole=whole)
    if frame["route"].nunique() < 2:
        return
    try:
        found = lr.match("route", data=frame, person="person", **call)
    except (lr.SupportError, lr.NotIdentifiedError) as error:
        assert not any(str(value) in str(error) for value in frame["pay"])
        return
    own, used = found.candidates, found.weights != 0
    # Counts add up.
    for arm, label in enumerate(own.labels):
        count = found.counts[label]
        among = own.arms == arm
        assert count["persons"] == int(among.sum()) == int((frame["route"] == label).sum())
        assert count["matched"] == int((used & among).sum()) == count["persons"] - count["left out"]
    # Both arms weigh the same: every focal unit in the matched sample counts once, and its matches once together.
    totals = [found.weights[own.arms == arm].sum() for arm in (0, 1)]
    # Donors at the very end of a kernel have hardly any weight, of which their share is; those of local lines are large
    # and of either sign where donors lie close together on one side. Few digits are left of either.
    digits = 1e-7 if call["method"] in ("kernel", "local_linear") else 1e-12
    assert totals[0] == pytest.approx(totals[1], rel=digits)
    if call["estimand"] != "ATE":
        (focal,) = own.focal
        assert set(np.unique(found.weights[own.arms == focal])) <= {0.0, 1.0}
    if call["method"] != "local_linear":
        assert (found.weights >= 0).all()
    # Strata are equal in the exact columns, and balance out: what both arms weigh in each is the same.
    region = own.variables.coded(("region",))
    places = own.units.take(region.codes, region.level)
    if call["exact"]:
        weight = [np.bincount(places[own.arms == arm], found.weights[own.arms == arm], minlength=3) for arm in (0, 1)]
        np.testing.assert_allclose(weight[0], weight[1], rtol=digits, atol=digits)
    if call.get("common_support"):
        assert not (used & ~own.supported & np.isin(own.arms, own.focal)).any()
    if found.pairs is None and found.sides is None:
        return
    caliper = call.get("caliper")
    reach = np.inf if caliper is None else caliper * own.score.std(ddof=1)
    for focal in own.focal:
        for unit, match in neighbours(found, focal):
            assert (own.arms[unit] == focal).all()
            assert (own.arms[match] != focal).all()
            assert (np.abs(own.score[unit] - own.score[match]) <= reach).all()
            assert (own.strata[unit] == own.strata[match]).all()
    if found.pairs is not None:
        held = found.pairs[found.pairs >= 0]
        assert len(np.unique(held)) == len(held)
        # Nobody is left without a match while an unused unit of the other arm is within reach.
        free = np.setdiff1d(np.flatnonzero(own.arms != own.focal[0]), held)
        for alone in np.flatnonzero((own.arms == own.focal[0]) & (found.pairs[:, 0] < 0)):
            same = free[own.strata[free] == own.strata[alone]]
            assert not (np.abs(own.score[same] - own.score[alone]) <= reach).any()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), whole=st.booleans(), call=calls())
def test_the_order_of_the_rows_and_the_threads_decide_nothing(seed: int, whole: bool, call: dict[str, object]) -> None:
    frame = pupils(150, seed, whole=whole)
    found = []
    for data, n_jobs in ((frame, 1), (frame.sample(frac=1, random_state=seed), 2)):
        try:
            found.append(lr.match("route", data=data, person="person", n_jobs=n_jobs, **call).weights.tobytes())
        except (lr.SupportError, lr.NotIdentifiedError) as error:
            found.append(str(error))
    assert found[0] == found[1]
