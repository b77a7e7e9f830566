"""How candidates are matched: neighbours with and without replacement, optimal pairs, kernels, subclasses, strata."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leoreturns._core import pairing
from leoreturns._parallel import ordered_map
from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.candidates import Candidates, reach_of, renumbered
from leoreturns.estimation.imputed import Sides
from leoreturns.estimation.match_rules import SMOOTHED, STRATA, Rules
from leoreturns.estimation.matched import Matched
from leoreturns.estimation.points import Line, Points, runs_of_strata
from leoreturns.estimation.smoothed import Kernel, received, rule_of_thumb


def matched(candidates: Candidates, rules: Rules) -> Matched:
    """Match the candidates by the rules."""
    if rules.method in STRATA:
        return Matched(candidates, _stratum_weights(candidates), None, None)
    if rules.method == "subclass":
        return _in_subclasses(candidates, rules.subclasses)
    if rules.method in SMOOTHED:
        return _smoothed(candidates, rules)
    if rules.replace and rules.method == "nearest":
        return _with_replacement(candidates, rules)
    return _without_replacement(candidates, rules)


def _with_replacement(candidates: Candidates, rules: Rules) -> Matched:
    """Give every focal unit its nearest units of the other arm."""
    points = candidates.points(single=not rules.ties)
    reach = reach_of(rules.caliper, candidates.score)
    windows = {
        arm: points[arm].nearest(points[1 - arm], rules.ratio, caliper=reach, ties=rules.ties)
        for arm in candidates.focal
    }
    sides = Sides(points, windows, rules.ratio)
    return Matched(candidates, _received_weights(candidates, sides), sides, None)


def _received_weights(candidates: Candidates, sides: Sides) -> FloatArray:
    """Return what every unit counts: one as a focal unit with a match, and its shares as a match."""
    weights = np.zeros(candidates.units.n)
    for arm in (0, 1):
        points = sides.points[arm]
        if 1 - arm in sides.windows:
            weights[points.members] = sides.received(arm, 1)[points.of_member]
        if arm in sides.windows:
            weights[points.members] += sides.matched(arm)
    return weights


def _without_replacement(candidates: Candidates, rules: Rules) -> Matched:
    """Give every focal unit units of its own."""
    (arm,) = candidates.focal
    points = candidates.points(single=True)
    focus, pool = points[arm], points[1 - arm]
    out = np.full((focus.n, rules.ratio), -1, dtype=np.int64)
    if rules.method == "optimal":
        assert isinstance(focus, Line)
        assert isinstance(pool, Line)
        _pair(focus, pool, out)
    else:
        closest = rules.order == "closest"
        turns = _turns(candidates, focus, candidates.score if rules.order == "smallest" else -candidates.score)
        focus.take_own(pool, turns, caliper=reach_of(rules.caliper, candidates.score), closest=closest, out=out)
    pairs = np.full((candidates.units.n, rules.ratio), -1, dtype=np.int64)
    pairs[focus.members] = np.where(out >= 0, pool.members[out], -1)
    found = (out >= 0).sum(axis=1)
    weights = np.zeros(candidates.units.n)
    weights[focus.members] = found > 0
    weights[pool.members[out[out >= 0]]] = np.repeat(1.0 / np.maximum(found, 1), found)
    return Matched(candidates, weights, None, pairs)


def _turns(candidates: Candidates, focus: Points, score: FloatArray) -> IntArray:
    """Return the places of single points in their stratum, ascending by score and then by key."""
    own = np.sort(focus.members)
    line = Line.of(own, score, candidates.strata, len(focus.offsets) - 1, single=True)
    place = np.empty(candidates.units.n, dtype=np.int64)
    place[focus.members] = np.arange(focus.n)
    return place[line.members] - np.repeat(focus.offsets[:-1], np.diff(focus.offsets))


def _pair(focus: Line, pool: Line, out: IntArray) -> None:
    """Match optimally, where every stratum has donors enough."""
    n_focus, n_pool = np.diff(focus.offsets), np.diff(pool.offsets)
    short = int((n_pool < n_focus * out.shape[1]).sum())
    if short:
        raise SupportError(
            f"{short:,} exact strata have fewer than {out.shape[1]:,} units for each to be matched; lower ratio=, "
            "coarsen exact=, or use method='nearest'"
        )
    began = np.empty(pool.n, dtype=np.int64)

    def run(bounds: tuple[int, int]) -> None:
        first, last = bounds
        longest = int((n_focus + n_pool)[first:last].max(initial=0))
        room = np.empty((4, 4 * longest + 2))
        pairing.pair(focus.scores, focus.offsets, pool.scores, pool.offsets, first, last, began, room, out)

    ordered_map(run, runs_of_strata(focus.offsets), label="matching")


def _smoothed(candidates: Candidates, rules: Rules) -> Matched:
    """Weight the units of the other arm by their distance from each focal unit."""
    points = candidates.points(single=False)
    lines = [line for line in points if isinstance(line, Line)]
    donors = np.isin(1 - candidates.arms, candidates.focal) & candidates.supported
    kernel: Kernel = "uniform" if rules.method == "radius" else rules.kernel
    if rules.method == "radius" or rules.bandwidth is not None:
        bandwidth = reach_of(rules.bandwidth or rules.caliper, candidates.score)
    else:
        bandwidth = rule_of_thumb(candidates.score[donors], kernel)
        told = bandwidth / reach_of(1.0, candidates.score)
        candidates = replace(candidates, settings={**candidates.settings, "bandwidth": told})
    weights = np.zeros(candidates.units.n)
    for arm in candidates.focal:
        focus, pool = lines[arm], lines[1 - arm]
        shares, found = received(focus, pool, kernel, bandwidth, linear=rules.method == "local_linear")
        weights[pool.members] += shares[pool.of_member]
        weights[focus.members] += found[focus.of_member]
    return Matched(candidates, weights, None, None)


def _in_subclasses(candidates: Candidates, count: int) -> Matched:
    """Weight the units of classes of the score, in which the focal units are equally many."""
    focal = np.isin(candidates.arms, candidates.focal) & candidates.supported
    if not focal.any():
        return Matched(candidates, np.zeros(candidates.units.n), None, None)
    edges = np.quantile(candidates.score[focal], np.arange(1, count) / count)
    # A class includes its lower end, as MatchIt's do.
    classes = np.searchsorted(edges, candidates.score, side="right")
    candidates = replace(candidates, strata=renumbered(candidates.strata * count + classes))
    weights = _stratum_weights(candidates)
    held = np.stack([np.bincount(classes[(candidates.arms == arm) & (weights > 0)], minlength=count) for arm in (0, 1)])
    empty = np.flatnonzero((held == 0).any(axis=0))
    if len(empty):
        there = [np.bincount(classes[candidates.arms == arm], minlength=count) for arm in (0, 1)]
        control, treated = candidates.labels
        told = "; ".join(
            f"subclass {at + 1} has {there[0][at]:,} of {control}, {there[1][at]:,} of {treated}" for at in empty
        )
        raise SupportError(
            f"{len(empty):,} of {count:,} subclasses do not have both arms in a common stratum: {told}; take fewer "
            "subclasses=, or common_support=True"
        )
    return Matched(candidates, weights, None, None, classes)


def _stratum_weights(candidates: Candidates) -> FloatArray:
    """Weight the units of strata that have both arms so that each stratum counts as its focal units do."""
    n_strata = int(candidates.strata.max()) + 1
    counts = np.stack([np.bincount(candidates.strata[candidates.arms == arm], minlength=n_strata) for arm in (0, 1)])
    both = (counts > 0).all(axis=0)
    target = counts.sum(axis=0) if candidates.estimand == "ATE" else counts[candidates.focal[0]]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(both, target / counts, 0.0)
    found: FloatArray = factor[candidates.arms, candidates.strata]
    return found
