"""Coefficients from the cross-products of the first scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from leoreturns._checks import counted
from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.absorb import SparseEffects, connected_sets, factor_sparse
from leoreturns.estimation.design import CONSTANT, DENSE_LEVELS, Design, Model
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
        q = len(self.absorbed)
        out, own = np.zeros((len(self.shares), len(self.shares))), np.ix_(self.absorbed, self.absorbed)
        if not isinstance(self.effects, SparseEffects):
            out[own] = self.effects.solve(np.eye(q))
        elif q <= DENSE_LEVELS:
            out[own] = self.effects.solve(np.eye(q), np.zeros(q))
        else:
            raise SupportError(f"HC2 and HC3 need every leverage, which {q:,} levels of effects do not allow; use HC1")
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
    outcomes : tuple of int
        Places of the outcome; several where the regression is that of their sum.
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
    outcomes: tuple[int, ...]

    @property
    def constant(self) -> bool:
        """Whether the first coefficient is the constant."""
        return len(self.chosen) > 0 and self.chosen[0] == CONSTANT

    @property
    def turn(self) -> FloatArray:
        """Matrix of shape (k, k) that moves the constant from the means of the regressors to nought."""
        out = np.eye(len(self.chosen))
        if self.constant:
            out[0, 1:] = -self.projection.mean[self.chosen[1:]]
        return out


def project(design: Design, moments: Moments, models: Sequence[Model]) -> Projection:
    """Take the absorbed levels out of the columns of models that absorb the same effects."""
    absorbed = models[0].absorbed
    used = [(model.outcome, *model.exogenous, *model.endogenous, *model.instruments) for model in models]
    places = np.unique([at for entry in used for at in entry if at != CONSTANT])
    c = len(design.dense)
    effects = _factored(design, moments, absorbed - c)
    table = np.zeros((len(places), design.n_slots))
    right = moments.products(absorbed, places)
    if isinstance(effects, SparseEffects):
        table[:, absorbed - c] = effects.solve(right, np.sqrt(moments.diagonal()[places].clip(min=0.0))).T
    else:
        table[:, absorbed - c] = effects.solve(right).T
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
    names = [model.names[int(place)] for place in projection.places]
    y, endogenous = at[model.outcome], [at[place] for place in model.endogenous]
    exogenous = [at[place] for place in model.exogenous if place != CONSTANT]
    variation = _variation(projection, design, moments)
    reason = "absorbed by the effects" if model.effects else "constant"
    order, dropped = _regressors(exogenous, endogenous, reduced, variation, names, reason)
    combination, lost = _combination(order, endogenous, [at[place] for place in model.instruments], reduced, variation)
    dropped |= {names[column]: "instrument collinear with those before it" for column in lost}
    products = combination.T @ reduced @ combination
    if endogenous and not independent(products, np.diag(products), variation[0][order]).kept.all():
        raise NotIdentifiedError("the instruments do not tell the endogenous regressors apart: too few are relevant")
    beta = solve_symmetric(products, combination.T @ reduced[:, y]) if order else np.empty(0)
    inverse = invert_symmetric(products) if order else np.empty((0, 0))
    residual = np.zeros(len(reduced))
    residual[y] = 1.0
    residual[order] -= beta
    chosen = np.array(order, dtype=np.int64)
    if CONSTANT in model.exogenous:
        beta, chosen = np.append(projection.mean[y], beta), np.append(CONSTANT, chosen)
        inverse = np.pad(inverse, ((1, 0), (1, 0)))
        inverse[0, 0] = 1.0 / moments.weight
    labels = tuple(model.names[CONSTANT] if column == CONSTANT else names[column] for column in chosen.tolist())
    return Fit(
        model,
        projection,
        labels,
        dropped,
        beta,
        combination,
        residual,
        chosen,
        inverse,
        reduced,
        moments,
        (model.outcome,),
    )


CONSTANT_TOLERANCE = 1e-26  # of a column's sum of squares about zero: sums of 10^9 rows are right to 10^-13 and better
Variation = tuple[FloatArray, FloatArray]  # sums of squares after the eliminated effect, and about the mean


def _known(columns: list[int], reduced: FloatArray, variation: Variation) -> tuple[list[int], Kept]:
    """Return the columns that do not depend on those before them."""
    chosen = np.array(columns, dtype=np.int64)
    within, total = variation
    found = independent(reduced[np.ix_(chosen, chosen)], within[chosen], total[chosen])
    return chosen[found.kept].tolist(), found


def _regressors(
    exogenous: list[int],
    endogenous: list[int],
    reduced: FloatArray,
    variation: Variation,
    names: list[str],
    reason: str,
) -> tuple[list[int], dict[str, str]]:
    """Return the regressors that can be told apart, the endogenous ones first, and why others are left out.

    `reason` is that of regressors without variation.
    """
    columns = [*exogenous, *endogenous]
    kept, found = _known(columns, reduced, variation)
    dropped = {
        names[column]: reason if gone else "collinear with those before it"
        for column, stays, gone in zip(columns, found.kept, found.absorbed, strict=True)
        if not stays
    }
    if lost := [names[column] for column in endogenous if column not in kept]:
        raise NotIdentifiedError(
            f"endogenous {', '.join(lost)} cannot be told apart from the other regressors or effects"
        )
    return [*endogenous, *(column for column in kept if column not in endogenous)], dropped


def _combination(
    order: list[int], endogenous: list[int], instruments: list[int], reduced: FloatArray, variation: Variation
) -> tuple[FloatArray, list[int]]:
    """Return the regressors, or their projections on the instruments, as combinations of the columns.

    With them come the instruments that depend on the regressors, the effects and the instruments before them.
    """
    combination = np.zeros((len(reduced), len(order)))
    if not endogenous:
        combination[order, np.arange(len(order))] = 1.0
        return combination, []
    exogenous = [column for column in order if column not in endogenous]
    first, _ = _known([*exogenous, *instruments], reduced, variation)
    if len(first) < len(order):
        raise NotIdentifiedError(
            f"{counted(len(endogenous), 'endogenous regressor')} cannot be instrumented: "
            f"{len(first) - len(exogenous)} of {counted(len(instruments), 'instrument')} "
            "vary apart from the other regressors and effects"
        )
    combination[first] = solve_symmetric(reduced[np.ix_(first, first)], reduced[np.ix_(first, order)])
    return combination, [column for column in instruments if column not in first]


def _variation(projection: Projection, design: Design, moments: Moments) -> Variation:
    """Return the columns' sums of squares after the eliminated effect, and about their mean."""
    places = projection.places
    within = moments.diagonal()[places]
    if design.blocks.centre == "mean":
        # About a mean that is rounded a constant varies by rounding, and in total by no more.
        level = np.concatenate([moments.mean, np.zeros(design.n_slots)])[places]
        within = np.where(within <= CONSTANT_TOLERANCE * moments.weight * level**2, 0.0, within)
    share = moments.counts / moments.weight
    spread = moments.counts * (1.0 if design.blocks.centre == "none" else 1.0 - share)
    return within, np.concatenate([moments.total, spread])[places]
