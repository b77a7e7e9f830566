"""The second scan: residuals and scores with the effects known, and whatever is added up of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from leoreturns._core import elimination
from leoreturns._core import scores as kernel
from leoreturns._typing import AnyArray, FloatArray
from leoreturns.estimation.blocks import Block
from leoreturns.estimation.columns import taken
from leoreturns.estimation.design import Design
from leoreturns.estimation.fits import Fit, Projection
from leoreturns.estimation.variables import Codes


@dataclass(frozen=True, eq=False, repr=False)
class Scored:
    """What the second scan has of one regression on one block, all times the root of the weights.

    Attributes
    ----------
    design : Design
    fit : Fit
    block : Block
    weights : float64 of shape (n,) or (0,)
    slots : int32 of shape (c, n)
    dense : float64 of shape (d, n)
        The design's columns as they are.
    regressors : float64 of shape (k, n)
    residuals : float64 of shape (n,)
    """

    design: Design
    fit: Fit
    block: Block
    weights: FloatArray
    slots: AnyArray
    dense: FloatArray
    regressors: FloatArray
    residuals: FloatArray

    @cached_property
    def scores(self) -> FloatArray:
        """Regressors times residuals, per row."""
        return self.regressors * self.residuals

    @cached_property
    def own(self) -> FloatArray:
        """Each regressor without all others, over its sum of squares."""
        return self.fit.inverse @ self.regressors

    def leverages(self) -> FloatArray:
        """Share of each row in its own fit, by its groups, levels and regressors."""
        centre, projection, starts = self.design.blocks.centre, self.fit.projection, self.block.starts
        slots = np.where(np.isin(self.slots, projection.absorbed), self.slots, np.int32(-1))
        found = np.empty(self.block.n)
        kernel.leverages(slots, self.weights, starts, centre == "groups", projection.inverse, found)
        if centre == "groups":
            weights = self.weights if len(self.weights) else np.ones(self.block.n)
            found += np.repeat(1.0 / np.add.reduceat(weights, starts[:-1]), np.diff(starts))
        elif len(projection.absorbed):
            # About the overall mean; the mean itself is fitted too.
            fitted = np.append(projection.inverse @ projection.shares, 0.0)
            found += projection.shares @ fitted[:-1] - 2.0 * fitted[slots].sum(axis=0) + 1.0 / self.fit.moments.weight
        found *= self.weights if len(self.weights) else 1.0
        rows = self.regressors
        return np.asarray(found + np.einsum("ki,ki->i", rows, self.fit.inverse @ rows))


class Collector(Protocol):
    """Something added up over the second scan: an array that starts at zero."""

    def zeros(self, fit: Fit) -> FloatArray:
        """Return the array of no rows."""
        ...

    def add(self, scored: Scored, out: FloatArray) -> None:
        """Add a block."""
        ...

    def merge(self, out: FloatArray, more: FloatArray) -> None:
        """Add what other rows give."""
        ...


@dataclass(slots=True, eq=False, repr=False)
class Gathered:
    """What the second scan finds for one regression.

    Attributes
    ----------
    products : float64 of shape (k, k)
        Cross-products of the (projected) regressors.
    gradient : float64 of shape (k,)
        Their products with the residuals: nought but for the rounding of the first scan.
    squares, within : float
        Sum of squared residuals; of the outcome after the effects.
    collected : list of float64 arrays
        One per collector.
    """

    products: FloatArray
    gradient: FloatArray
    squares: float
    within: float
    collected: list[FloatArray] = field(default_factory=list)

    def add(self, other: Gathered, collectors: Sequence[Collector]) -> None:
        """Add what other rows give."""
        self.products += other.products
        self.gradient += other.gradient
        self.squares += other.squares
        self.within += other.within
        for collector, own, more in zip(collectors, self.collected, other.collected, strict=True):
            collector.merge(own, more)


def scan_scores(design: Design, fits: Sequence[Fit], collectors: Sequence[Sequence[Collector]]) -> list[Gathered]:
    """Go through the rows again with the effects and coefficients known; see `Gathered`."""
    projections = list({id(fit.projection): fit.projection for fit in fits}.values())

    def start() -> list[Gathered]:
        return [
            Gathered(
                np.zeros((len(fit.beta), len(fit.beta))),
                np.zeros(len(fit.beta)),
                0.0,
                0.0,
                [collector.zeros(fit) for collector in own],
            )
            for fit, own in zip(fits, collectors, strict=True)
        ]

    def run(numbers: list[int]) -> list[Gathered]:
        sums = start()
        for number in numbers:
            block = design.blocks.block(number)
            dense, slots, weights = design.columns_of(block), design.slots_of(block), design.weights_of(block)
            for projection in projections:
                columns = _projected(design, projection, block, dense, slots, weights)
                for fit, own, into in zip(fits, collectors, sums, strict=True):
                    if fit.projection is projection:
                        _gather(_scored(design, fit, block, columns, dense, slots, weights), columns, own, into)
        return sums

    size = sum(array.nbytes for entry in start() for array in entry.collected)
    first, *others = design.blocks.in_runs(run, size=size, label="second scan")
    for other in others:
        for into, more, own in zip(first, other, collectors, strict=True):
            into.add(more, own)
    return first


def _projected(
    design: Design, projection: Projection, block: Block, dense: FloatArray, slots: AnyArray, weights: FloatArray
) -> FloatArray:
    """Return a projection's columns on a block, times the root of the weights."""
    c, places = len(design.dense), projection.places
    columns = np.zeros((len(places), block.n))
    columns[places < c] = dense[places[places < c]]
    elimination.residualise(columns, slots, projection.table)
    if design.blocks.centre == "groups":
        elimination.centre(columns, weights, block.starts)
    elif design.blocks.centre == "mean":
        columns -= projection.mean[:, None]
    if len(weights):
        columns *= np.sqrt(weights)
    return columns


def _scored(
    design: Design,
    fit: Fit,
    block: Block,
    columns: FloatArray,
    dense: FloatArray,
    slots: AnyArray,
    weights: FloatArray,
) -> Scored:
    """Return a regression's regressors and residuals on a block."""
    plain = not fit.model.endogenous
    chosen = fit.chosen[1:] if fit.constant else fit.chosen
    regressors = columns[chosen] if plain else fit.scores.T @ columns
    if fit.constant:
        ones = np.sqrt(weights) if len(weights) else np.ones(block.n)
        regressors = np.vstack([ones, regressors])
    return Scored(design, fit, block, weights, slots, dense, regressors, fit.residual @ columns)


def _gather(scored: Scored, columns: FloatArray, collectors: Sequence[Collector], into: Gathered) -> None:
    """Add a block to a regression's sums."""
    regressors, residuals = scored.regressors, scored.residuals
    into.products += regressors @ regressors.T
    into.gradient += regressors @ residuals
    into.squares += float(residuals @ residuals)
    outcome = columns[np.searchsorted(scored.fit.projection.places, scored.fit.model.outcome)]
    into.within += float(outcome @ outcome)
    for collector, out in zip(collectors, into.collected, strict=True):
        collector.add(scored, out)


class Summed:
    """What is gathered by plain addition."""

    __slots__ = ()

    def merge(self, out: FloatArray, more: FloatArray) -> None:
        """Add what other rows give."""
        out += more


@dataclass(frozen=True, slots=True)
class RowMeat(Summed):
    """Sum of squared scores of the rows."""

    kind: str

    def zeros(self, fit: Fit) -> FloatArray:
        """Return the array of no rows."""
        return np.zeros((len(fit.beta), len(fit.beta)))

    def add(self, scored: Scored, out: FloatArray) -> None:
        """Add a block."""
        scores = scored.scores
        weights = scored.weights
        if self.kind in ("HC2", "HC3"):
            left = scored.leverages()
            if scored.design.weight_kind == "frequency":
                left = left / weights
            left = 1.0 - left
            # A row that fits itself exactly has no residual, and no say.
            left[left < 1e-10] = np.inf
            scores = scores / (np.sqrt(left) if self.kind == "HC2" else left)
        if scored.design.weight_kind == "frequency":
            scores = scores / np.sqrt(weights)
        out += scores @ scores.T


@dataclass(frozen=True, slots=True)
class PersonMeat(Summed):
    """Sum over persons of their squared scores; a person's rows stand in one block."""

    def zeros(self, fit: Fit) -> FloatArray:
        """Return the array of no rows."""
        return np.zeros((len(fit.beta), len(fit.beta)))

    def add(self, scored: Scored, out: FloatArray) -> None:
        """Add a block."""
        starts = scored.block.person_starts()
        sums = np.empty((len(scored.regressors), len(starts) - 1))
        kernel.sum_groups(scored.scores, starts, sums)
        out += sums @ sums.T


@dataclass(frozen=True, slots=True)
class ClusterScores(Summed):
    """Scores of every cluster."""

    codes: Codes

    def zeros(self, fit: Fit) -> FloatArray:
        """Return the array of no rows."""
        return np.zeros((self.codes.n_levels, len(fit.beta)))

    def add(self, scored: Scored, out: FloatArray) -> None:
        """Add a block."""
        codes = taken(self.codes.codes, self.codes.level, scored.block)
        kernel.sum_codes(scored.scores, np.ascontiguousarray(codes, dtype=np.int32), out)
