"""Scores of an arm on a line: sorted within exact strata, equal ones as one point, and the neighbours among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from leoreturns._core import neighbours as kernel
from leoreturns._parallel import ordered_map
from leoreturns._typing import FloatArray, IntArray, UIntArray

RUN_POINTS = 1 << 16  # of the strata that one thread takes at a time


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Points:
    """The points of an arm, ascending within their stratum.

    Attributes
    ----------
    members : int64 of shape (n,)
        Units of the arm in the order of their points; equal scores by key.
    of_member : int64 of shape (n,)
        Point of each of them.
    scores : float64 of shape (n_points,)
    keys : uint64 of shape (n_points,)
        Smallest key of the units at a point.
    counts : int64 of shape (n_points,)
        Units at a point.
    offsets : int64 of shape (n_strata + 1,)
    """

    members: IntArray
    of_member: IntArray
    scores: FloatArray
    keys: UIntArray
    counts: IntArray
    offsets: IntArray

    @classmethod
    def of(
        cls, units: IntArray, scores: FloatArray, strata: IntArray, keys: UIntArray, n_strata: int, *, single: bool
    ) -> Points:
        """Sort the units of an arm.

        Parameters
        ----------
        units : int64 of shape (m,)
            Those of the arm, as places in the other arrays.
        scores, strata, keys : of shape (n,)
        n_strata : int
        single : bool
            Whether every unit is a point of its own, equal scores or not.
        """
        members = units[np.lexsort((keys[units], scores[units], strata[units]))]
        own, stratum = scores[members], strata[members]
        new = np.ones(len(members), dtype=bool)
        if not single:
            new[1:] = (own[1:] != own[:-1]) | (stratum[1:] != stratum[:-1])
        first = np.flatnonzero(new)
        offsets = np.searchsorted(stratum[first], np.arange(n_strata + 1))
        counts = np.diff(np.append(first, len(members)))
        return cls(members, np.cumsum(new) - 1, own[first], keys[members[first]], counts, offsets.astype(np.int64))

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.scores)

    def totals(self, values: FloatArray) -> FloatArray:
        """Add up values of units by point."""
        return np.bincount(self.of_member, values[self.members], minlength=self.n).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Windows:
    """Neighbours of points: for each, the points ``start:stop`` of a pool.

    Attributes
    ----------
    pool : Points
    start, stop : int64 of shape (n,)
    sizes : int64 of shape (n,)
        Units in the window.
    """

    pool: Points
    start: IntArray
    stop: IntArray
    sizes: IntArray

    def steps(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Give, for the first, second, ... point of the windows, which windows have it and the point."""
        for step in range(int((self.stop - self.start).max(initial=0))):
            has = np.flatnonzero(self.start + step < self.stop)
            yield has, self.start[has] + step

    def totals(self, values: FloatArray) -> FloatArray:
        """Add up over each window values that the pool has by point."""
        out = np.zeros(len(self.start))
        for has, point in self.steps():
            out[has] += values[point]
        return out

    def means(self, totals: FloatArray) -> FloatArray:
        """Return the mean over the units of each window of what totals by point add up; NaN for an empty window."""
        with np.errstate(invalid="ignore"):
            return self.totals(totals) / self.sizes

    def received(self, shares: FloatArray) -> FloatArray:
        """Add up by point of the pool what windows give to each of their units."""
        out = np.zeros(self.pool.n)
        for has, point in self.steps():
            out += np.bincount(point, shares[has], minlength=self.pool.n)
        return out

    def covariances(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return the covariance of two variables of units within each window, divided by its size less one."""
        counts = self.pool.counts
        parts = [self.pool.totals(values) / counts for values in (first, second)]
        inside = self.pool.totals(first * second) - counts * parts[0] * parts[1]
        means = [self.means(part * counts) for part in parts]
        out = np.zeros(len(self.start))
        for has, point in self.steps():
            gaps = [part[point] - mean[has] for part, mean in zip(parts, means, strict=True)]
            out[has] += inside[point] + counts[point] * gaps[0] * gaps[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            found: FloatArray = out / (self.sizes - 1)
        return found


def nearest_windows(focus: Points, pool: Points, k: int, *, caliper: float, ties: bool) -> Windows:
    """Find the k nearest units of a pool for every point of another arm, or of the same one."""
    start, stop = np.empty(focus.n, dtype=np.int64), np.empty(focus.n, dtype=np.int64)
    n_strata = len(focus.offsets) - 1

    def run(bounds: tuple[int, int]) -> None:
        kernel.nearest(
            focus.scores, focus.offsets, pool.scores, pool.offsets, pool.counts, pool.keys, k, caliper, ties, *bounds,
            start, stop,
        )  # fmt: skip

    ordered_map(run, runs_of_strata(focus.offsets), label="matching")
    held = np.concatenate([[0], np.cumsum(pool.counts)])
    assert n_strata == len(pool.offsets) - 1
    return Windows(pool, start, stop, held[stop] - held[start])


def runs_of_strata(offsets: IntArray) -> list[tuple[int, int]]:
    """Cut the strata into runs of about as many points, by the data alone."""
    targets = np.arange(0, offsets[-1], RUN_POINTS)
    edges = np.unique([0, *np.searchsorted(offsets, targets), len(offsets) - 1])
    return [(int(a), int(b)) for a, b in pairwise(edges)]
