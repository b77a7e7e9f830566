"""The first scan: cross-products of all columns and levels after the eliminated effect, in one pass over the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._core import elimination
from leoreturns._typing import FloatArray
from leoreturns.estimation.blocks import Centre
from leoreturns.estimation.design import Design


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
        Cross-products after the group means, the mean, or nothing; of pairs the upper triangle.
    counts : float64 of shape (q,)
        Weight of each level.
    """

    weight: float
    mean: FloatArray
    total: FloatArray
    dense: FloatArray
    cross: FloatArray
    pairs: FloatArray
    counts: FloatArray

    @classmethod
    def zero(cls, c: int, q: int) -> Moments:
        """Return the sums over no row."""
        return cls(0.0, np.zeros(c), np.zeros(c), np.zeros((c, c)), np.zeros((c, q)), np.zeros((q, q)), np.zeros(q))

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
        self.pairs += other.pairs
        self.counts += other.counts
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

    def matrix(self) -> FloatArray:
        """Return the symmetric matrix of all columns, dense ones first."""
        pairs = np.triu(self.pairs)
        pairs += np.triu(pairs, 1).T
        return np.block([[self.dense, self.cross], [self.cross.T, pairs]])


def scan_moments(design: Design) -> Moments:
    """Add up the cross-products of a design's columns.

    Rows are read in blocks that stay in cache, and nothing of their length is kept. Blocks are added one after the
    other in runs, and the runs in their order, so that the sums do not depend on the number of threads.
    """
    c, q = len(design.dense), design.n_slots

    def run(numbers: list[int]) -> Moments:
        sums = Moments.zero(c, q)
        for number in numbers:
            _add_block(design, number, sums)
        return sums

    runs = design.blocks.in_runs(run, size=8 * (c + q) ** 2, label="first scan")
    first, *others = runs
    for other in others:
        first.merge(other, design.blocks.centre)
    return first


def _add_block(design: Design, number: int, sums: Moments) -> None:
    """Add one block to the sums of its run."""
    block, centre = design.blocks.block(number), design.blocks.centre
    values, slots, weights = design.columns_of(block), design.slots_of(block), design.weights_of(block)
    c = len(values)
    weight = float(weights.sum()) if len(weights) else float(block.n)
    mean = values @ weights / weight if len(weights) else values.mean(axis=1)
    about = values if centre == "none" else values - mean[:, None]
    total = np.einsum("ki,ki,i->k", about, about, weights) if len(weights) else np.einsum("ki,ki->k", about, about)
    if centre != "none":
        elimination.centre(values, weights, block.starts)
    if len(weights):
        values *= np.sqrt(weights)
    # Levels under group means are added in place; about the mean, each block has its own.
    into = Moments.zero(c, design.n_slots) if centre == "mean" else sums
    elimination.slot_moments(
        values, weights, slots, block.starts, centre != "none", into.cross, into.pairs, into.counts
    )
    if centre == "mean":
        into.weight, into.mean, into.total, into.dense = weight, mean, total, values @ values.T
        sums.merge(into, centre)
    else:
        sums.add(weight, mean, total, values @ values.T, centre)
