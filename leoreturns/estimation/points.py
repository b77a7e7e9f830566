"""Points of an arm: its units within exact strata, equal ones as one, and the neighbours among them on a line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from leoreturns._core import neighbours as kernel
from leoreturns._parallel import ordered_map
from leoreturns._typing import FloatArray, IntArray, UIntArray

RUN_POINTS = 1 << 16  # of the strata that one thread takes at a time


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Points(ABC):
    """The points of an arm, stratum by stratum.

    Attributes
    ----------
    members : int64 of shape (n,)
        Units of the arm in the order of their points; equal ones by key.
    of_member : int64 of shape (n,)
        Point of each of them.
    keys : uint64 of shape (n_points,)
        Smallest unit at a point, which decides between equals: units stand in the order of their keys.
    counts : int64 of shape (n_points,)
        Units at a point.
    offsets : int64 of shape (n_strata + 1,)
    """

    members: IntArray
    of_member: IntArray
    keys: UIntArray
    counts: IntArray
    offsets: IntArray

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.keys)

    @property
    def strata(self) -> IntArray:
        """Stratum of each point."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def totals(self, values: FloatArray) -> FloatArray:
        """Add up values of units by point."""
        return np.bincount(self.of_member, values[self.members], minlength=self.n).astype(np.float64)

    @abstractmethod
    def nearest(
        self, pool: Self, k: int, *, caliper: float = np.inf, ties: bool = True, asked: IntArray | None = None
    ) -> Windows:
        """Find the k nearest units of a pool, another arm or the same one, for all points or those asked for.

        Parameters
        ----------
        pool : Points
            In the same strata.
        k : int
        caliper : float
            Largest difference of scores.
        ties : bool
            Whether units as far as the k-th are all taken; without, the smallest keys.
        asked : int64, optional
            Points.
        """

    @abstractmethod
    def take_own(self, pool: Self, turns: IntArray, *, caliper: float, closest: bool, out: IntArray) -> None:
        """Give every point donors of its own, each point being one unit.

        Parameters
        ----------
        pool : Points
            In the same strata.
        turns : int64 of shape (n,)
            Places of the points in their stratum, in the order in which they choose.
        caliper : float
            Largest difference of scores.
        closest : bool
            Whether the closest free pair is matched first.
        out : int64 of shape (n, k), OUT
            Points of the pool, -1 for none.
        """


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Line(Points):
    """Points on a line, ascending within their stratum.

    Attributes
    ----------
    scores : float64 of shape (n_points,)
    """

    scores: FloatArray

    @classmethod
    def of(cls, units: IntArray, scores: FloatArray, strata: IntArray, n_strata: int, *, single: bool) -> Line:
        """Sort the units of an arm.

        Parameters
        ----------
        units : int64 of shape (m,)
            Those of the arm, as places in the other arrays, ascending, as their keys are.
        scores, strata : of shape (n,)
        n_strata : int
        single : bool
            Whether every unit is a point of its own, equal scores or not.
        """
        order, ends = by_stratum(strata[units], n_strata)
        members = units[order]
        own = scores[members] + 0.0  # -0.0 becomes 0.0

        def sort(bounds: tuple[int, int]) -> None:
            longest = int(np.diff(ends[bounds[0] : bounds[1] + 1]).max(initial=0))
            kernel.sort(own, members, ends, *bounds, np.empty((2, longest), dtype=np.uint64), np.empty((2, longest)))

        ordered_map(sort, runs_of_strata(ends), label="matching")
        of_member, firsts = np.empty(len(members), dtype=np.int64), np.empty(len(members), dtype=np.int64)
        offsets = np.empty(n_strata + 1, dtype=np.int64)
        first = firsts[: kernel.points(own, ends, single, of_member, firsts, offsets)]
        counts = np.diff(first, append=len(members))
        return cls(members, of_member, members[first].view(np.uint64), counts, offsets, own[first])

    def nearest(
        self, pool: Line, k: int, *, caliper: float = np.inf, ties: bool = True, asked: IntArray | None = None
    ) -> Windows:
        """Find the k nearest units of a pool: a window of the sorted scores."""
        start, stop = np.empty(self.n, dtype=np.int64), np.empty(self.n, dtype=np.int64)

        def run(bounds: tuple[int, int]) -> None:
            kernel.nearest(
                self.scores, self.offsets, pool.scores, pool.offsets, pool.counts, pool.keys, k, caliper, ties, *bounds,
                start, stop,
            )  # fmt: skip

        ordered_map(run, runs_of_strata(self.offsets), label="matching")
        if asked is not None:
            start, stop = start[asked], stop[asked]
        held = np.concatenate([[0], np.cumsum(pool.counts)])
        return Windows(pool, start, stop, None, held[stop] - held[start])

    def take_own(self, pool: Line, turns: IntArray, *, caliper: float, closest: bool, out: IntArray) -> None:
        """Give every point donors of its own."""
        links = np.empty((2, pool.n + len(pool.offsets) - 1), dtype=np.int64)
        room = np.empty((2, self.n if closest else 0))

        def run(bounds: tuple[int, int]) -> None:
            kernel.without_replacement(
                self.scores, self.offsets, turns, pool.scores, pool.offsets, pool.keys, caliper, closest, *bounds,
                links, room, out,
            )  # fmt: skip

        ordered_map(run, runs_of_strata(self.offsets), label="matching")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Windows:
    """Neighbours of points: for each, the points ``start:stop`` of a pool, or ``places[start:stop]``.

    Attributes
    ----------
    pool : Points
    start, stop : int64 of shape (n,)
    places : int64, optional
    sizes : int64 of shape (n,)
        Units in the window.
    """

    pool: Points
    start: IntArray
    stop: IntArray
    places: IntArray | None
    sizes: IntArray

    def steps(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Give, for the first, second, ... point of the windows, which windows have it and the point."""
        for step in range(int((self.stop - self.start).max(initial=0))):
            has = np.flatnonzero(self.start + step < self.stop)
            at = self.start[has] + step
            yield has, at if self.places is None else self.places[at]

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


def by_stratum(strata: IntArray, n_strata: int) -> tuple[IntArray, IntArray]:
    """Return the places in the order of their strata, and where each stratum begins and ends."""
    # Integers of two bytes are sorted by their digits.
    narrow = strata.astype(np.uint16) if n_strata <= 1 << 16 else strata
    ends = np.concatenate([[0], np.cumsum(np.bincount(strata, minlength=n_strata))])
    return np.argsort(narrow, kind="stable"), ends


def runs_of_strata(offsets: IntArray) -> list[tuple[int, int]]:
    """Cut the strata into runs of about as many points, by the data alone."""
    targets = np.arange(0, offsets[-1], RUN_POINTS)
    edges = np.unique([0, *np.searchsorted(offsets, targets), len(offsets) - 1])
    return [(int(a), int(b)) for a, b in pairwise(edges)]
