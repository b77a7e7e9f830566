"""Coefficients from the moment matrix, and the second scan that refines them and gathers what covariances need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import sparse

from leoreturns._checks import counted
from leoreturns._core import elimination, scores
from leoreturns._typing import AnyArray, FloatArray, IntArray
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.absorb import SparseEffects, connected_sets, factor_sparse
from leoreturns.estimation.blocks import Block
from leoreturns.estimation.design import CONSTANT, Design, Model
from leoreturns.estimation.moments import Moments
from leoreturns.estimation.solve import Factored, Kept, factor_effects, independent, invert_symmetric, solve_symmetric


@dataclass(frozen=True, eq=False, repr=False)
class Projection:
    """Columns with a set of effects taken out, as the second scan computes them.

    Attributes
    ----------
    places : int64 of shape (e,)
        The columns.
    table : float64 of shape (e, q)
        What each level adds to each column, in the order of the design's slots.
    mean : float64 of shape (e,)
        Mean of the columns so adjusted, where the overall mean is taken out.
    shares : float64 of shape (q,)
        Share of the weight that each level has.
    absorbed : int64 array
        Slots of the absorbed levels.
    effects : Factored or SparseEffects
        Their moments.
    """

    places: IntArray
    table: FloatArray
    mean: FloatArray
    shares: FloatArray
    absorbed: IntArray
    effects: Factored | SparseEffects

    @cached_property
    def inverse(self) -> FloatArray:
        """Generalised inverse of the absorbed levels' moments, in the order of the design's slots."""
        if isinstance(self.effects, SparseEffects):
            raise SupportError("HC2 and HC3 need every leverage, which effects of so many levels do not allow; use HC1")
        out = np.zeros((len(self.shares), len(self.shares)))
        out[np.ix_(self.absorbed, self.absorbed)] = self.effects.solve(np.eye(len(self.absorbed)))
        return out


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fit:
    """One regression, solved from the moments.

    Attributes
    ----------
    model : Model
    projection : Projection
    names : tuple of str
        Regressors, in the order of the coefficients.
    dropped : mapping of name -> reason
    beta : float64 of shape (k,)
        Coefficients from the first scan; the constant's is the outcome's mean.
    scores : float64 of shape (e, k)
        Regressors, or under instruments their projections, as combinations of the projection's columns.
    residual : float64 of shape (e,)
        The residual as a combination of the columns.
    chosen : int64 of shape (k,)
        For each coefficient the column among the projection's, `CONSTANT` for the constant.
    inverse : float64 of shape (k, k)
        Inverse of the cross-products of the (projected) regressors.
    reduced : float64 of shape (e, e)
        Cross-products of the projection's columns.
    moments : Moments
        Of the whole design.
    """

    model: Model
    projection: Projection
    names: tuple[str, ...]
    dropped: dict[str, str]
    beta: FloatArray
    scores: FloatArray
    residual: FloatArray
    chosen: IntArray
    inverse: FloatArray
    reduced: FloatArray
    moments: Moments

    @property
    def constant(self) -> bool:
        """Whether the first coefficient is the constant."""
        return len(self.chosen) > 0 and self.chosen[0] == CONSTANT


def project(design: Design, moments: Moments, models: Sequence[Model]) -> Projection:
    """Take the absorbed levels out of the columns of models that absorb the same effects."""
    absorbed = models[0].absorbed
    used = [(model.outcome, *model.exogenous, *model.endogenous, *model.instruments) for model in models]
    places = np.unique([at for entry in used for at in entry if at != CONSTANT])
    c = len(design.dense)
    effects = _factored(design, moments, absorbed - c)
    table = np.zeros((len(places), design.n_slots))
    table[:, absorbed - c] = effects.solve(moments.products(absorbed, places)).T
    # A level among the regressors is nought before its own slot adds one.
    own = np.flatnonzero(places >= c)
    table[own, places[own] - c] = -1.0
    mean, shares = np.zeros(len(places)), moments.counts / moments.weight
    if design.blocks.centre == "mean":
        mean[places < c] = moments.mean[places[places < c]]
        mean -= table @ shares
    return Projection(places, table, mean, shares, absorbed - c, effects)


def _factored(design: Design, moments: Moments, absorbed: IntArray) -> Factored | SparseEffects:
    """Factor the moments of absorbed levels."""
    pairs = moments.levels(absorbed, absorbed)
    return factor_sparse(pairs, design.effect_of_slots()[absorbed]) if sparse.issparse(pairs) else factor_effects(pairs)


def disconnected(design: Design, fit: Fit) -> dict[str, int]:
    """Return the absorbed effects whose levels fall into several connected sets, with the number of sets."""
    if design.blocks.centre != "groups":
        return {}
    sets = {}
    absorbed, effect = fit.projection.absorbed, design.effect_of_slots()
    for number in np.unique(effect[absorbed]):
        own = absorbed[effect[absorbed] == number]
        sets[design.levels[number].name] = connected_sets(fit.moments.levels(own, own))
    return {name: count for name, count in sets.items() if count > 1}


def reduce(projection: Projection, design: Design, moments: Moments) -> FloatArray:
    """Return the cross-products of a projection's columns."""
    c, places = len(design.dense), projection.places
    absorbed = projection.absorbed + c
    fitted = moments.products(places, absorbed) @ projection.table[:, projection.absorbed].T
    reduced = moments.products(places, places) - fitted
    return (reduced + reduced.T) / 2


def solve(model: Model, projection: Projection, design: Design, moments: Moments) -> Fit:
    """Solve one regression; see `Fit`."""
    reduced = reduce(projection, design, moments)
    at = {place: number for number, place in enumerate(projection.places.tolist())}
    constant = CONSTANT in model.exogenous
    exogenous = [at[place] for place in model.exogenous if place != CONSTANT]
    endogenous, instruments = [at[place] for place in model.endogenous], [at[place] for place in model.instruments]
    within, total = _variation(projection, design, moments)

    def known(columns: list[int]) -> tuple[list[int], Kept]:
        chosen = np.array(columns, dtype=np.int64)
        found = independent(reduced[np.ix_(chosen, chosen)], within[chosen], total[chosen])
        return chosen[found.kept].tolist(), found

    y = at[model.outcome]
    regressors, found = known([*exogenous, *endogenous])
    names = [model.names[int(place)] for place in projection.places]
    dropped = {
        names[column]: "absorbed by the effects" if gone else "collinear with those before it"
        for column, kept, gone in zip([*exogenous, *endogenous], found.kept, found.absorbed, strict=True)
        if not kept
    }
    if lost := [names[column] for column in endogenous if column not in regressors]:
        raise NotIdentifiedError(
            f"endogenous {', '.join(lost)} cannot be told apart from the other regressors or effects"
        )
    order = [
        *(column for column in regressors if column in endogenous),
        *(c for c in regressors if c not in endogenous),
    ]
    e, k = len(projection.places), len(order)
    combination = np.zeros((e, k))
    if endogenous:
        first, _ = known([*(column for column in order if column not in endogenous), *instruments])
        if len(first) < k:
            raise NotIdentifiedError(
                f"{counted(len(endogenous), 'endogenous regressor')} cannot be instrumented: "
                f"{len(first) - k + len(endogenous)} of {counted(len(instruments), 'instrument')} "
                "vary apart from the other regressors and effects"
            )
        combination[first] = solve_symmetric(reduced[np.ix_(first, first)], reduced[np.ix_(first, order)])
    else:
        combination[order, np.arange(k)] = 1.0
    products = combination.T @ reduced @ combination
    if endogenous and not independent(products, np.diag(products), within[order]).kept.all():
        raise NotIdentifiedError(
            "the instruments do not tell the endogenous regressors apart: too few of them are relevant"
        )
    beta = solve_symmetric(products, combination.T @ reduced[:, y]) if k else np.empty(0)
    inverse = invert_symmetric(products) if k else np.empty((0, 0))
    residual = np.zeros(e)
    residual[y] = 1.0
    residual[order] -= beta
    chosen = np.array(order, dtype=np.int64)
    if constant:
        beta, chosen = np.append(projection.mean[y], beta), np.append(CONSTANT, chosen)
        bordered = np.zeros((k + 1, k + 1))
        bordered[0, 0], bordered[1:, 1:] = 1.0 / moments.weight, inverse
        inverse = bordered
    return Fit(
        model,
        projection,
        tuple(model.names[CONSTANT] if column == CONSTANT else names[column] for column in chosen.tolist()),
        dropped,
        beta,
        combination,
        residual,
        chosen,
        inverse,
        reduced,
        moments,
    )


def _variation(projection: Projection, design: Design, moments: Moments) -> tuple[FloatArray, FloatArray]:
    """Return the columns' sums of squares after the eliminated effect, and about their mean."""
    places = projection.places
    within = moments.diagonal()[places]
    share = moments.counts / moments.weight
    spread = moments.counts * (1.0 if design.blocks.centre == "none" else 1.0 - share)
    return within, np.concatenate([moments.total, spread])[places]


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

    def leverages(self) -> FloatArray:
        """Share of each row in its own fit, by its groups, levels and regressors."""
        centre, projection, starts = self.design.blocks.centre, self.fit.projection, self.block.starts
        slots = np.where(np.isin(self.slots, projection.absorbed), self.slots, np.int32(-1))
        found = np.empty(self.block.n)
        scores.leverages(slots, self.weights, starts, centre == "groups", projection.inverse, found)
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
