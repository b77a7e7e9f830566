"""Points of an arm in several dimensions: whitened covariates, in the order of k-d trees of their strata."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.linalg import solve_triangular

from leoreturns._core import tree_neighbours, tree_pairs, trees
from leoreturns._parallel import ordered_map
from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.points import Points, Windows, runs_of_strata

RUN_ASKED = 1 << 12  # points that one thread looks for at a time
SPARE = 4  # points beyond k for which there is room at once


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cloud(Points):
    """Points in several dimensions.

    Attributes
    ----------
    rows : float64 of shape (d, n_points)
        Coordinates in which the squared distance is the sum of squared differences; with `scored`, the score last.
    nodes : int64 of shape (n_strata + 1,)
        Where the nodes of each stratum's tree begin.
    boxes : float64 of shape (n_nodes, d, 2)
    scored : bool
        Whether the last row is a score, which counts in no distance but may have a caliper.
    """

    rows: FloatArray
    nodes: IntArray
    boxes: FloatArray
    scored: bool

    @classmethod
    def of(
        cls, units: IntArray, space: Space, cells: IntArray, strata: IntArray, n_strata: int, *, single: bool
    ) -> Cloud:
        """Grow the trees of the units of an arm.

        Parameters
        ----------
        units : int64 of shape (m,)
            Those of the arm, as places in the other arrays, ascending.
        space : Space
            Coordinates of the cells.
        cells, strata : of shape (n,)
        n_strata : int
        single : bool
            Whether every unit is a point of its own, equal covariates or not.
        """
        members = units[np.lexsort((cells[units], strata[units]))]
        cell, stratum = cells[members], strata[members]
        new = np.ones(len(members), dtype=bool)
        if not single:
            new[1:] = (cell[1:] != cell[:-1]) | (stratum[1:] != stratum[:-1])
        first = np.flatnonzero(new)
        counts = np.diff(np.append(first, len(members)))
        offsets = np.searchsorted(stratum[first], np.arange(n_strata + 1)).astype(np.int64)
        rows = np.ascontiguousarray(space.rows[:, cell[first]])
        sizes = [(2 << trees.levels(int(n))) - 1 for n in np.diff(offsets)]
        nodes = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        boxes = np.empty((int(nodes[-1]), len(rows), 2))
        order = np.arange(len(first))

        def run(bounds: tuple[int, int]) -> None:
            trees.build(rows, space.scales, offsets, nodes, *bounds, order, boxes)

        ordered_map(run, runs_of_strata(offsets), label="matching")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        of_member = place[np.cumsum(new) - 1]
        by_place = np.argsort(of_member, kind="stable")
        return cls(
            members[by_place], of_member[by_place], members[first][order].view(np.uint64), counts[order], offsets,
            np.ascontiguousarray(rows[:, order]), nodes, boxes, space.scored,
        )  # fmt: skip

    def nearest(
        self, pool: Cloud, k: int, *, caliper: float = np.inf, ties: bool = True, asked: IntArray | None = None
    ) -> Windows:
        """Find the k nearest units of a pool by its trees."""
        asked = np.arange(self.n) if asked is None else asked
        sizes, places = self._found(pool, k, caliper, ties, asked, k + SPARE)
        start = np.concatenate([[0], np.cumsum(sizes)])
        out = np.empty(int(start[-1]), dtype=np.int64)
        held = sizes <= places.shape[1]
        self._put(out, start[:-1][held], sizes[held], places[held])
        if not held.all():
            again = self._found(pool, k, caliper, ties, asked[~held], int(sizes.max()))
            self._put(out, start[:-1][~held], *again)
        units = np.concatenate([[0], np.cumsum(pool.counts[out])])
        return Windows(pool, start[:-1], start[1:], out, units[start[1:]] - units[start[:-1]])

    def _found(
        self, pool: Cloud, k: int, caliper: float, ties: bool, asked: IntArray, width: int
    ) -> tuple[IntArray, IntArray]:
        """Return how many points of the pool are matches of each point, and the first of them."""
        sizes, places = np.empty(len(asked), dtype=np.int64), np.empty((len(asked), width), dtype=np.int64)
        strata, room = self.strata, k + int(np.diff(pool.offsets).max())

        def run(bounds: tuple[int, int]) -> None:
            tree_neighbours.nearest(
                self.rows, strata, asked, pool.rows, pool.offsets, pool.nodes, pool.boxes, pool.counts, pool.keys, k,
                self.scored, caliper, ties, *bounds, np.empty(len(self.rows) + room), np.empty(room, dtype=np.int64),
                sizes, places,
            )  # fmt: skip

        edges = [*range(0, len(asked), RUN_ASKED), len(asked)]
        ordered_map(run, list(pairwise(edges)), label="matching")
        return sizes, places

    @staticmethod
    def _put(out: IntArray, start: IntArray, sizes: IntArray, places: IntArray) -> None:
        """Write lists of points one after another."""
        for step in range(int(sizes.max(initial=0))):
            has = step < sizes
            out[start[has] + step] = places[has, step]

    def take_own(self, pool: Cloud, turns: IntArray, *, caliper: float, closest: bool, out: IntArray) -> None:
        """Give every point donors of its own."""
        left, used = np.empty(int(pool.nodes[-1]), dtype=np.int64), np.empty(pool.n, dtype=np.uint8)
        room = np.empty((2, self.n if closest else 0))

        def run(bounds: tuple[int, int]) -> None:
            tree_pairs.without_replacement(
                self.rows, self.offsets, turns, pool.rows, pool.offsets, pool.nodes, pool.boxes, pool.keys, self.scored,
                caliper, closest, *bounds, left, used, np.empty(len(self.rows)), room, out,
            )  # fmt: skip

        ordered_map(run, runs_of_strata(self.offsets), label="matching")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Space:
    """Coordinates of cells.

    Attributes
    ----------
    rows : float64 of shape (d, n_cells)
        Whitened covariates; with `scored`, the score last.
    scales : float64 of shape (d,)
        What spreads in each dimension are multiplied by where they are compared, which decides no match.
    scored : bool
    """

    rows: FloatArray
    scales: FloatArray
    scored: bool


def mahalanobis(columns: FloatArray, counts: FloatArray, score: FloatArray | None, caliper: float) -> Space:
    """Turn covariates so that squared distances are those of Mahalanobis.

    ``(x - y)' S^-1 (x - y) = |C^-1 x - C^-1 y|^2`` with S the covariance over all units, C its Cholesky factor.

    Parameters
    ----------
    columns : float64 of shape (n_cells, k)
        Covariates, none of which depends on the others; an intercept is not among them.
    counts : float64 of shape (n_cells,)
        Units in each cell.
    score : float64 of shape (n_cells,), optional
        Bounded by the caliper.
    caliper : float

    Raises
    ------
    SupportError
        If no covariate varies.
    """
    if not columns.shape[1]:
        raise SupportError("none of the covariates varies: there is no Mahalanobis distance; name others")
    n = counts.sum()
    centred = columns - counts @ columns / n
    factor = np.linalg.cholesky((centred * counts[:, None]).T @ centred / (n - 1))
    rows = np.ascontiguousarray(solve_triangular(factor, centred.T, lower=True, check_finite=False))
    if score is None:
        return Space(rows, np.ones(len(rows)), False)
    # A whole caliper of the score weighs as one standard deviation of a covariate.
    return Space(np.vstack([rows, score]), np.append(np.ones(len(rows)), 1 / (2 * caliper)), True)
