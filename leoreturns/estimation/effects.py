"""fixed_effects(): the absorbed effects themselves, for a look inside; they hold persons' values and never leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import AnyArray, Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.design import Design, Variables, build_design, sample_of
from leoreturns.estimation.fits import Fit, project, solve
from leoreturns.estimation.formula import Specification, parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.moments import scan_moments
from leoreturns.estimation.poisson import Terms, searched
from leoreturns.estimation.solve import single_threaded
from leoreturns.estimation.variables import numbers
from leoreturns.estimation.working import Index, PoissonDesign, group_effects
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan

Method = Literal["ols", "poisson"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FixedEffects:
    """Estimated effects of one regression: microdata, held inside.

    Attributes
    ----------
    formula : str
    params : Series
        Coefficients of the regressors.
    effects : mapping of name -> Series
        Effect of each level in the sample, by its label; of persons by their number in the panel's order. Levels of one
        effect compare within a connected set.
    counts : mapping of name -> Series
        Rows of each level.
    """

    formula: str
    params: pd.Series
    effects: Mapping[str, pd.Series]
    counts: Mapping[str, pd.Series]

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}: {len(values):,} levels" for name, values in self.effects.items())
        return f"<FixedEffects: {parts}>"


def fixed_effects(
    formula: str,
    data: Panel | Scan | pd.DataFrame,
    *,
    method: Method = "ols",
    weights: Weights | None = None,
    offset: str | None = None,
    exposure: str | None = None,
    where: str | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> FixedEffects:
    """Estimate a regression and return its absorbed effects.

    Parameters
    ----------
    formula, data, weights, where, person, n_jobs
        As in `feols`, for one regression without instruments.
    method : "ols" or "poisson"
        The regression: that of `feols`, or that of `fepois`.
    offset, exposure : str, optional
        As in `fepois`.

    Returns
    -------
    FixedEffects
        So that on every row the outcome, or under "poisson" the logarithm of its mean, is regressors + effects
        (+ residual, or offset). Not to be released.

    Raises
    ------
    SupportError
        For a formula without effects, or of several regressions, and for an offset under "ols".
    ConvergenceError
        As in `fepois`.
    """
    if method not in get_args(Method):
        raise ValueError(f"method is one of {', '.join(map(repr, get_args(Method)))}, not {method!r}")
    if method == "ols" and (offset or exposure):
        raise SupportError("offset and exposure are parts of a log mean: say method='poisson'")
    (entry, *others) = specifications = parse(formula)
    if others or not entry.effects or entry.endogenous:
        raise SupportError("fixed_effects takes one regression with effects and without instruments")
    terms = Terms(weights, offset, exposure)
    with threads(n_jobs), single_threaded():
        panel = estimation_panel(data, specifications, [offset, exposure], weights, where=where, person=person)
        variables = Variables(panel)
        design, fit, index = (
            _poisson(panel, entry, variables, terms)
            if method == "poisson"
            else _least_squares(panel, entry, variables, weights)
        )
        found = _solved_levels(design, fit, index) | _eliminated_levels(design, fit, index, variables)
    names = [name for name in fit.model.effects if name in found]
    return FixedEffects(
        entry.text,
        pd.Series(index.coefficients(fit), index=list(fit.names)),
        {name: found[name][0] for name in names},
        {name: found[name][1] for name in names},
    )


def _least_squares(
    panel: Panel, entry: Specification, variables: Variables, weights: Weights | None
) -> tuple[Design, Fit, Index]:
    """Solve one linear regression."""
    weighting = None if weights is None else (weights, numbers(panel, weights.column))
    design = build_design(sample_of(panel, entry, (), weighting, variables), [entry], variables, weighting)
    moments = scan_moments(design)
    (model,) = design.models
    fit = solve(model, project(design, moments, [model]), design, moments)
    return design, fit, Index.of(design, fit)


def _poisson(panel: Panel, entry: Specification, variables: Variables, terms: Terms) -> tuple[Design, Fit, Index]:
    """Maximise one Poisson likelihood."""
    found = searched(panel, entry, variables, terms)
    return found.design, found.fit, found.index


def _solved_levels(design: Design, fit: Fit, index: Index) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Return the effects that were solved for with the coefficients."""
    values = index.levels.copy()
    if design.blocks.centre == "mean":
        # Without an eliminated effect the overall mean goes to the first one.
        first = int(fit.projection.absorbed[0])
        values[design.effect_of_slots() == design.effect_of_slots()[first]] += index.constant
    absorbed = set(fit.projection.absorbed.tolist())
    found = {}
    for entry, base in zip(design.levels, design.bases, strict=True):
        if base not in absorbed:
            continue
        seen = np.flatnonzero(entry.slots >= 0)
        labels = [entry.codes.labels[at] for at in seen.tolist()] if entry.codes.labels is not None else seen.tolist()
        slots = base + entry.slots[seen]
        counts = design.sample.observed(entry.codes)[seen]
        found[entry.name] = (pd.Series(values[slots], index=labels), pd.Series(counts, index=labels))
    return found


def _eliminated_levels(
    design: Design, fit: Fit, index: Index, variables: Variables
) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Return the effect that was eliminated: what the rest of the index leaves of each group's outcome."""
    if design.eliminated is None:
        return {}
    codes = variables.coded(tuple(design.eliminated.split("^")))

    def effects(number: int) -> tuple[AnyArray, AnyArray, AnyArray]:
        block = design.blocks.block(number)
        dense, weights, starts = design.columns_of(block), design.weights_of(block), block.starts
        outcome, fitted = dense[fit.model.outcome], index.on_rows(dense, design.slots_of(block))
        if isinstance(design, PoissonDesign):
            values = group_effects(fitted + design.offset_of(block), outcome, weights, starts)
        else:
            w = weights if len(weights) else np.ones(block.n)
            values = np.add.reduceat(w * (outcome - fitted), starts[:-1]) / np.add.reduceat(w, starts[:-1])
        first = starts[:-1]
        level = codes.codes[block.people[first]] if codes.level == "person" else codes.codes[block.stored()[first]]
        return level, values, np.diff(starts)

    level, values, counts = (
        np.concatenate(column) for column in zip(*map(effects, range(len(design.blocks))), strict=True)
    )
    labels = level.tolist() if codes.labels is None else [codes.labels[at] for at in level.tolist()]
    return {design.eliminated: (pd.Series(values, index=labels), pd.Series(counts, index=labels))}
