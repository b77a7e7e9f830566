"""fixed_effects(): the absorbed effects themselves, for a look inside; they hold persons' values and never leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leoreturns._core import elimination
from leoreturns._parallel import threads
from leoreturns._typing import AnyArray, Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.design import Design, Variables, build_design, sample_of
from leoreturns.estimation.fits import Fit, project, solve
from leoreturns.estimation.formula import parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.moments import scan_moments
from leoreturns.estimation.solve import single_threaded
from leoreturns.estimation.variables import numbers
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan


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
    weights: Weights | None = None,
    where: str | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> FixedEffects:
    """Estimate a regression and return its absorbed effects.

    Parameters
    ----------
    formula, data, weights, where, person, n_jobs
        As in `feols`, for one regression without instruments.

    Returns
    -------
    FixedEffects
        So that outcome = regressors + effects + residual on every row. Not to be released.

    Raises
    ------
    SupportError
        For a formula without effects, or of several regressions.
    """
    specifications = parse(formula)
    if len(specifications) != 1 or not specifications[0].effects or specifications[0].endogenous:
        raise SupportError("fixed_effects takes one regression with effects and without instruments")
    with threads(n_jobs), single_threaded():
        panel = estimation_panel(data, specifications, [], weights, where=where, person=person)
        variables = Variables(panel)
        weighting = None if weights is None else (weights, numbers(panel, weights.column))
        sample = sample_of(panel, specifications[0], (), weighting, variables)
        design = build_design(sample, specifications, variables, weighting)
        moments = scan_moments(design)
        (model,) = design.models
        projection = project(design, moments, [model])
        fit = solve(model, projection, design, moments)
        found = _solved_levels(design, fit) | _eliminated_levels(design, fit, variables)
    names = [name for name in fit.model.effects if name in found]
    return FixedEffects(
        specifications[0].text,
        pd.Series(fit.beta, index=list(fit.names)),
        {name: found[name][0] for name in names},
        {name: found[name][1] for name in names},
    )


def _solved_levels(design: Design, fit: Fit) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Return the effects that were solved for with the coefficients."""
    values = fit.residual @ fit.projection.table
    if design.blocks.centre == "mean":
        # Without an eliminated effect the overall mean goes to the first one.
        first = int(fit.projection.absorbed[0])
        own = design.effect_of_slots() == design.effect_of_slots()[first]
        values[own] += fit.residual @ fit.projection.mean
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


def _eliminated_levels(design: Design, fit: Fit, variables: Variables) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Return the effect that was eliminated: the mean of each group's residual before it."""
    if design.eliminated is None:
        return {}
    codes = variables.coded(tuple(design.eliminated.split("^")))

    def means(number: int) -> tuple[AnyArray, AnyArray, AnyArray]:
        block = design.blocks.block(number)
        dense, slots, weights = design.columns_of(block), design.slots_of(block), design.weights_of(block)
        places = fit.projection.places
        columns = np.zeros((len(places), block.n))
        columns[places < len(dense)] = dense[places[places < len(dense)]]
        elimination.residualise(columns, slots, fit.projection.table)
        w = weights if len(weights) else np.ones(block.n)
        totals = np.add.reduceat(w * (fit.residual @ columns), block.starts[:-1])
        first = np.arange(block.n)[block.starts[:-1]]
        rows = block.rows if isinstance(block.rows, np.ndarray) else np.arange(block.rows.start, block.rows.stop)
        level = codes.codes[block.people[first]] if codes.level == "person" else codes.codes[rows[first]]
        return level, totals / np.add.reduceat(w, block.starts[:-1]), np.diff(block.starts)

    level, values, counts = (
        np.concatenate(column) for column in zip(*map(means, range(len(design.blocks))), strict=True)
    )
    labels = level.tolist() if codes.labels is None else [codes.labels[at] for at in level.tolist()]
    return {design.eliminated: (pd.Series(values, index=labels), pd.Series(counts, index=labels))}
