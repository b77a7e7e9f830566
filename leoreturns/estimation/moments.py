"""The first scan: cross-products of all columns and levels after the eliminated effect, in one pass over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from leoreturns._core import elimination
from leoreturns._typing import AnyArray, FloatArray, IntArray
from leoreturns.estimation.absorb import pairs_of_rows
from leoreturns.estimation.blocks import Centre
from leoreturns.estimation.design import Design

SAMPLED = 16  # every so many rows are looked at for the most frequent value
SPARSE_ENTRIES = 32  # of a sparse row, as a guess of what the moments of many levels take


@dataclass(slots=True, eq=False, repr=False)
class Moments:
    """Sums over some rows, for c dense columns and q levels.

    Attributes
    ----------
    weight : float
        Sum of the weights.
    mean : float64 of shape (c,)
    total : float64 of shape (c,)
        Sum of squares about the mean; about zero where nothing is taken out.
    dense : float64 of shape (c, c), cross : (c, q), pairs : (q, q)
        Cross-products after the group means, the mean, or nothing; of pairs the upper triangle, or a sparse matrix.
    counts : float64 of shape (q,)
        Weight of each level.
    middles : list of float64 arrays of shape (c,)
        A median of each block's columns, from a few of its rows.
    """

    weight: float
    mean: FloatArray
    total: FloatArray
    dense: FloatArray
    cross: FloatArray
    pairs: FloatArray | sparse.csr_array
    counts: FloatArray
    middles: list[FloatArray] = field(default_factory=list)

    @classmethod
    def zero(cls, c: int, q: int, *, dense_pairs: bool = True) -> Moments:
        """Return the sums over no row."""
        pairs = np.zeros((q, q)) if dense_pairs else sparse.csr_array((q, q))
        return cls(0.0, np.zeros(c), np.zeros(c), np.zeros((c, c)), np.zeros((c, q)), pairs, np.zeros(q))

    def merge(self, other: Moments, centre: Centre) -> None:
        """Add the sums over other rows; about means, after Chan, Golub and LeVeque (1983, American Statistician 37)."""
        if other.weight == 0.0:
            return
        if centre == "mean" and self.weight:
            apart = other.counts / other.weight - self.counts / self.weight
            scale = self.weight * other.weight / (self.weight + other.weight)
            self.cross += scale * np.outer(other.mean - self.mean, apart)
            self.pairs += scale * np.outer(apart, apart)
        self.cross += other.cross
        self.pairs = self.pairs + other.pairs
        self.counts += other.counts
        self.middles += other.middles
        self.add(other.weight, other.mean, other.total, other.dense, centre)

    def add(self, weight: float, mean: FloatArray, total: FloatArray, dense: FloatArray, centre: Centre) -> None:
        """Add the dense columns' sums over other rows."""
        apart, share = mean - self.mean, weight / (self.weight + weight)
        self.dense += dense
        self.total += total
        if centre != "none":
            self.total += self.weight * share * apart * apart
        if centre == "mean":
            self.dense += self.weight * share * np.outer(apart, apart)
        self.mean += share * apart
        self.weight += weight

    def products(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """Return cross-products between places, dense columns first and levels after them."""
        c = len(self.mean)
        out = np.empty((len(rows), len(columns)))
        row_levels, column_levels = rows >= c, columns >= c
        out[np.ix_(~row_levels, ~column_levels)] = self.dense[np.ix_(rows[~row_levels], columns[~column_levels])]
        out[np.ix_(~row_levels, column_levels)] = self.cross[np.ix_(rows[~row_levels], columns[column_levels] - c)]
        out[np.ix_(row_levels, ~column_levels)] = self.cross[np.ix_(columns[~column_levels], rows[row_levels] - c)].T
        pairs = self.levels(rows[row_levels] - c, columns[column_levels] - c)
        out[np.ix_(row_levels, column_levels)] = pairs if isinstance(pairs, np.ndarray) else pairs.toarray()
        return out

    def levels(self, rows: IntArray, columns: IntArray) -> FloatArray | sparse.csr_array:
        """Return cross-products between levels."""
        if isinstance(self.pairs, np.ndarray):
            return self.pairs[np.minimum(rows[:, None], columns), np.maximum(rows[:, None], columns)]
        return sparse.csr_array(self.pairs[rows][:, columns])

    def modes(self) -> FloatArray:
        """Return the most frequent value of each dense column, if more than half of the rows have one.

        Such a value is the median of most blocks.
        """
        middles = np.array(self.middles)
        found = [np.unique(column, return_counts=True) for column in middles.T]
        return np.array([values[np.argmax(counts)] for values, counts in found])

    def diagonal(self) -> FloatArray:
        """Return the sums of squares of all columns and levels."""
        return np.concatenate([np.diag(self.dense), self.pairs.diagonal()])


@np.errstate(over="ignore", invalid="ignore")  # columns whose squares overflow are refused afterwards, by name
def scan_moments(design: Design) -> Moments:
    """Add up the cross-products of a design's columns.

    Rows are read in blocks that stay in cache, and nothing of their length is kept. Blocks are added one after the
    other in runs, and the runs in their order, so that the sums do not depend on the number of threads.
    """
    c, q = len(design.dense), design.n_slots

    @np.errstate(over="ignore", invalid="ignore")  # again, for threads
    def run(numbers: list[int]) -> Moments:
        sums = Moments.zero(c, q, dense_pairs=not design.is_sparse)
        seen = [_add_block(design, number, sums) for number in numbers]
        if design.is_sparse:
            sums.pairs = _sparse_pairs(design, seen)
        return sums

    size = 8 * (c + q) ** 2 if not design.is_sparse else 8 * (c + SPARSE_ENTRIES) * q
    runs = design.blocks.in_runs(run, size=size, label="first scan")
    first, *others = runs
    for other in others:
        first.merge(other, design.blocks.centre)
    return first


def _sparse_pairs(design: Design, seen: Sequence[tuple[AnyArray, FloatArray, IntArray]]) -> sparse.csr_array:
    """Return the cross-products of levels over the blocks of a run."""
    ends = np.cumsum([0, *(starts[-1] for _, _, starts in seen)])
    starts = [part[:-1] + end for (_, _, part), end in zip(seen, ends, strict=False)]
    return pairs_of_rows(
        np.concatenate([slots for slots, _, _ in seen], axis=1),
        np.concatenate([weights for _, weights, _ in seen]),
        np.concatenate([*starts, ends[-1:]]),
        design.n_slots,
    )


def _add_block(design: Design, number: int, sums: Moments) -> tuple[AnyArray, FloatArray, IntArray]:
    """Add one block to the sums of its run; return its slots, weights and groups."""
    block, centre = design.blocks.block(number), design.blocks.centre
    values, slots, weights = design.columns_of(block), design.slots_of(block), design.weights_of(block)
    weight = float(weights.sum()) if len(weights) else float(block.n)
    mean = values @ weights / weight if len(weights) else values.mean(axis=1)
    about = values if centre == "none" else values - mean[:, None]
    total = np.einsum("ki,ki,i->k", about, about, weights) if len(weights) else np.einsum("ki,ki->k", about, about)
    sampled = values[:, ::SAMPLED]
    middle = np.partition(sampled, sampled.shape[1] // 2, axis=1)[:, sampled.shape[1] // 2]
    sums.middles.append(middle)
    if centre != "none":
        elimination.centre(values, weights, block.starts)
    if len(weights):
        values *= np.sqrt(weights)
    # Levels under group means are added in place; about the mean, each block has its own.
    into = Moments.zero(len(values), design.n_slots) if centre == "mean" else sums
    pairs = np.zeros((0, 0)) if design.is_sparse else into.pairs
    elimination.slot_moments(values, weights, slots, block.starts, centre != "none", into.cross, pairs, into.counts)
    if centre == "mean":
        into.weight, into.mean, into.total, into.dense = weight, mean, total, values @ values.T
        sums.merge(into, centre)
    else:
        sums.add(weight, mean, total, values @ values.T, centre)
    return slots, weights, block.starts
