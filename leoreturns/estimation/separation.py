"""Rows of zero outcome that a Poisson regression would fit by an infinite coefficient: found, and left out.

The likelihood has a maximum unless some combination of the regressors and effects is zero wherever the outcome is
positive, and nowhere below zero, without being zero everywhere (Correia, Guimaraes and Zylkin 2019, "Verifying the
existence of maximum likelihood estimates for generalized linear models"). Rows where such a combination is above zero
have a fitted mean of zero and no say on the other coefficients. An effect's level with nothing but zeros is the simple
case. For the others a scan of the positive rows finds the columns that are collinear there: only what these have beyond
the others, mostly nothing, can separate, and a linear program over those few combinations says which rows it does. The
set is that of the authors' iterative rectifier, which approaches it by repeated regressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from leoreturns._core import elimination
from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.errors import ConvergenceError, SupportError
from leoreturns.estimation.blocks import Block, blocks_of_levels, blocks_of_persons
from leoreturns.estimation.design import CONSTANT, Design, Variables
from leoreturns.estimation.fits import Projection, project, reduce, solve
from leoreturns.estimation.moments import Moments, scan_moments
from leoreturns.estimation.sample import Sample, on_rows, without, without_levels, without_singletons
from leoreturns.estimation.solve import solve_symmetric
from leoreturns.estimation.variables import Codes, Numbers

NOUGHT = 1e-8  # of a column's largest entry: what rounding leaves of a combination that is zero
ABOVE = 1e-6  # of a combination's largest entry
AT_ONCE = 64  # columns whose rest is looked at in one scan


def without_zero_levels(
    sample: Sample, outcome: Numbers, effects: Sequence[Codes], single: BoolArray | None = None
) -> Sample:
    """Leave out rows of levels whose outcomes are all zero, and (`single`) rows alone in one, until there is none."""
    while effects:
        before = sample.n_row
        for effect in effects:
            positive = observed_above_zero(sample, outcome, effect)
            sample = without_levels(sample, effect, ~positive, f"{effect.name} with an outcome above zero")
        sample = without_singletons(sample, effects, single)
        if sample.n_row == before:
            break
    if not sample.n_row:
        raise SupportError(
            f"no row is left of the outcome '{outcome.name}': in every level of the effects it is zero, or separated "
            "from what is positive; leave effects or regressors out"
        )
    return sample


def observed_above_zero(sample: Sample, outcome: Numbers, effect: Codes) -> BoolArray:
    """Return which levels have an outcome above zero; levels without a row count as if they had."""
    above = sample.on_rows(outcome.values, outcome.level) > 0
    codes = sample.on_rows(effect.codes, effect.level)
    positive = np.ones(effect.n_levels, dtype=bool)
    positive[codes] = False
    positive[codes[above]] = True
    return positive


def without_separated(design: Design, outcome: Numbers, variables: Variables) -> Sample:
    """Leave out the rows of zero outcome that a combination of regressors and effects separates.

    Every group has a positive outcome. The design's own sample is returned where there is nothing to leave out.
    """
    positive = _on_positive(design, outcome, variables)
    moments = scan_moments(positive)
    (model,) = design.models
    projection = project(positive, moments, [model])
    fit = solve(model, projection, positive, moments)
    c = len(design.dense)
    unsolved = np.setdiff1d(projection.absorbed, projection.absorbed[projection.effects.kept])
    exogenous = np.array([at for at in model.exogenous if at != CONSTANT], dtype=np.int64)
    kept = fit.projection.places[fit.chosen[fit.chosen != CONSTANT]]
    left = np.setdiff1d(exogenous, kept)
    n_solved = len(np.unique(design.effect_of_slots()[projection.absorbed]))
    if not len(left) and len(unsolved) == n_solved:
        # One level of each effect stands for the constant: nothing is collinear that would not always be.
        return design.sample
    found: list[_Entries] = []
    candidates = np.concatenate([left, unsolved + c])
    for first in range(0, len(candidates), AT_ONCE):
        some = candidates[first : first + AT_ONCE]
        found.append(_rests(design, positive, moments, kept, some, first))
    return _separated(design.sample, _Entries.joined(found), len(candidates))


def _on_positive(design: Design, outcome: Numbers, variables: Variables) -> Design:
    """Return a design with the same columns on the rows of positive outcome."""
    sample = design.sample
    zero = on_rows(sample.panel, np.equal(outcome.values, 0), outcome.level)
    positive = without(sample, zero, "outcome above zero")
    if design.blocks.by_person:
        return replace(design, sample=positive, blocks=blocks_of_persons(positive, design.blocks.centre))
    assert design.eliminated is not None
    return replace(
        design, sample=positive, blocks=blocks_of_levels(positive, variables.coded(tuple(design.eliminated.split("^"))))
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Entries:
    """What some combinations have on the rows of zero outcome: the entries that are not nought.

    Attributes
    ----------
    rows, columns : int64 of shape (m,)
        Stored row, and number of the combination.
    values : float64 of shape (m,)
        In units of the column's largest entry.
    """

    rows: IntArray
    columns: IntArray
    values: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[_Entries]) -> _Entries:
        """Return the entries of several."""
        return cls(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.columns for part in parts]),
            np.concatenate([part.values for part in parts]),
        )

    def of_columns(self, chosen: BoolArray) -> _Entries:
        """Return the entries of chosen combinations."""
        own = chosen[self.columns]
        return _Entries(self.rows[own], self.columns[own], self.values[own])


def _rests(design: Design, positive: Design, moments: Moments, kept: IntArray, some: IntArray, first: int) -> _Entries:
    """Return what some columns have beyond the kept ones and the effects, which explain them on the positive rows."""
    model = replace(positive.models[0], exogenous=(*kept.tolist(), *some.tolist()))
    projection = project(positive, moments, [model])
    reduced = reduce(projection, positive, moments)
    own, others = np.searchsorted(projection.places, some), np.searchsorted(projection.places, kept)
    combination = np.zeros((len(projection.places), len(some)))
    combination[own, np.arange(len(some))] = 1.0
    # Levels of the effects depend on other levels alone.
    slopes = ~np.isin(some, positive.models[0].absorbed)
    if len(kept) and slopes.any():
        products = reduced[np.ix_(others, others)], reduced[np.ix_(others, own[slopes])]
        combination[np.ix_(others, slopes)] = -solve_symmetric(*products)
    dense = some[some < len(design.dense)]

    def largest(numbers: list[int]) -> FloatArray:
        blocks = (design.blocks.block(number) for number in numbers)
        found = [np.abs(design.columns_of(block)[dense]).max(axis=1) for block in blocks]
        return np.asarray(np.max(found, axis=0))

    scale = np.ones(len(some))
    scale[: len(dense)] = np.max(design.blocks.in_runs(largest, size=1, label="separation"), axis=0)
    scale[scale == 0] = 1.0

    def run(numbers: list[int]) -> tuple[FloatArray, _Entries]:
        high, parts = np.zeros(len(some)), []
        for number in numbers:
            block = design.blocks.block(number)
            above, values = _combined(design, projection, combination, block)
            values /= scale[:, None]
            np.maximum(high, np.abs(values[:, above]).max(axis=1, initial=0.0), out=high)
            columns, at = np.nonzero((np.abs(values) > NOUGHT) & ~above)
            parts.append(_Entries(block.stored()[at], columns + first, values[columns, at]))
        return high, _Entries.joined(parts)

    found = design.blocks.in_runs(run, size=1, label="separation")
    # A column that is only nearly explained on the positive rows separates nothing.
    exact = np.ones(first + len(some), dtype=bool)
    exact[first:] = np.max([high for high, _ in found], axis=0) <= NOUGHT
    return _Entries.joined([part for _, part in found]).of_columns(exact)


def _combined(
    design: Design, projection: Projection, combination: FloatArray, block: Block
) -> tuple[BoolArray, FloatArray]:
    """Return which rows of a block are positive, and combinations of its columns with the effects taken out."""
    dense, slots = design.columns_of(block), design.slots_of(block)
    above = dense[design.models[0].outcome] > 0
    places = projection.places
    columns = np.zeros((len(places), block.n))
    columns[places < len(dense)] = dense[places[places < len(dense)]]
    elimination.residualise(columns, slots, projection.table)
    if design.blocks.centre == "groups":
        elimination.centre(columns, above.astype(np.float64), block.starts)
    else:
        columns -= projection.mean[:, None]
    return above, combination.T @ columns


def _separated(sample: Sample, entries: _Entries, n_columns: int) -> Sample:
    """Leave out the rows on which some combination is above zero that is below zero nowhere."""
    rows, at = np.unique(entries.rows, return_inverse=True)
    matrix = sparse.csr_array((entries.values, (at, entries.columns)), shape=(len(rows), n_columns))
    # Rows of the same entries are one: by their products with numbers that nothing else has in common.
    marks = np.random.default_rng(0).standard_normal(n_columns)
    _, some, same = np.unique(np.round(matrix @ marks, 9), return_index=True, return_inverse=True)
    matrix, separated = matrix[some], np.zeros(len(some), dtype=bool)
    while not separated.all():
        left = matrix[np.flatnonzero(~separated)]
        above = left @ _combination(left) > ABOVE
        if not above.any():
            break
        separated[np.flatnonzero(~separated)[above]] = True
    marked = np.zeros(int(sample.panel.offsets[-1]), dtype=bool)
    marked[rows[separated[same]]] = True
    return without(sample, marked, "not separated from the positive outcomes")


def _combination(matrix: sparse.csr_array) -> FloatArray:
    """Return the combination of columns that is nowhere below zero and above it, up to one, on most rows."""
    n = matrix.shape[0]
    found = linprog(
        -np.asarray(matrix.sum(axis=0)),
        A_ub=sparse.vstack([matrix, -matrix]),
        b_ub=np.concatenate([np.ones(n), np.zeros(n)]),
        bounds=(None, None),
        method="highs",
    )
    if found.x is None:
        raise ConvergenceError(f"the linear program over {n:,} kinds of rows that finds separated rows has no solution")
    return np.asarray(found.x)
