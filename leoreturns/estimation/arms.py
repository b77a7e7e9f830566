"""One part of the data of a treatment study: its units by arm and cell, the chances of the arms, the means.

A part is a group, a year, or everything: each has models of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.covariates import Cells, Columns, Units, cells_of, columns_of, once_per_person
from leoreturns.estimation.design import Variables
from leoreturns.estimation.doubly_robust import (
    BALANCING,
    MODELLED,
    Arms,
    Mean,
    potential_mean,
    target_of,
)
from leoreturns.estimation.formula import NOT_GIVEN, Factor
from leoreturns.estimation.propensity import Propensity, by_arm, fit_propensity
from leoreturns.estimation.request import Request
from leoreturns.estimation.sample import draw_sample, restricted
from leoreturns.estimation.variables import Codes, Numbers, Variable, numbers
from leoreturns.panel.panel import Panel

MAX_ARMS = 20


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Study:
    """One part of the data: its units by arm and cell."""

    units: Units
    variables: Variables
    cells: Cells
    labels: tuple[str, ...]
    arms: IntArray
    outcome: FloatArray
    weights: FloatArray | None
    regressors: Columns
    scored: Columns


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Part:
    """The means of one part, and what each unit does to them."""

    study: Study
    effects: list[tuple[int, Mean, Mean]]
    notes: dict[str, object]


def estimated_part(panel: Panel, label: str, request: Request) -> Part:
    """Estimate all means on one part of the data with models of it."""
    study = study_of(panel, label, request, None)
    chances = _chances(study, request)
    notes: dict[str, object] = {}
    if request.trim is not None and chances is not None:
        rare = chances.chances.min(axis=1) < request.trim
        kept = ~rare[study.cells.codes]
        notes["trimmed"] = int((~kept).sum())
        study = study_of(panel, label, request, study.units.rows[kept])
        chances = _chances(study, request)
    arms = Arms(
        by_arm(study.cells, study.arms, len(study.labels), study.weights),
        by_arm(study.cells, study.arms, len(study.labels), times(study.outcome, study.weights)),
        study.labels,
    )
    scored = None if request.method == "ra" else study.scored.values
    if chances is not None:
        notes["smallest chance"] = float(chances.chances.min())
    effects = []
    for arm in range(1, len(study.labels)):
        target = target_of(request.estimand, arms, chances, arm)
        means = [
            potential_mean(request.method, study.regressors.values, arms, own, target, chances, scored, request.link)
            for own in (arm, 0)
        ]
        effects.append((arm, means[0], means[1]))
    return Part(study, effects, notes)


def times(values: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Return values times the weights, if there are any."""
    return values if weights is None else values * weights


def _chances(study: Study, request: Request) -> Propensity | None:
    if request.method == "ra" or request.method in BALANCING:
        return None
    counts = by_arm(study.cells, study.arms, len(study.labels), study.weights)
    return fit_propensity(study.scored.values, counts, study.labels, request.score)


def study_of(panel: Panel, label: str, request: Request, rows: IntArray | None) -> Study:
    """Gather the units of a part, or those on some of its rows."""
    variables = Variables(panel)
    outcome = [] if request.outcome is None else variables.outcome(request.outcome.outcome)
    arms = variables.coded(request.treatment.outcome.columns)
    used = request.outcome.terms if request.outcome is not None and request.method in MODELLED else ()
    scored = request.treatment.terms if request.method != "ra" else ()
    weighting = None if request.weights is None else (request.weights, numbers(panel, request.weights.column))
    required: list[tuple[str, Sequence[Variable]]] = [
        ("outcome known", outcome),
        ("treatment known", [arms]),
        ("covariates known", variables.of_terms((*used, *scored))),
        ("clusters known", [variables.coded((name,), labelled=False) for name in request.clusters]),
        ("weights known", [] if weighting is None else [weighting[1]]),
    ]
    sample = draw_sample(panel, required, weighting, [])
    if rows is not None:
        sample = restricted(sample, rows, "chance of every arm above the trim")
    units = Units.of(sample)
    once_per_person(units)
    codes, labels = numbered_arms(units.take(arms.codes, arms.level), arms, request.treatment.outcome, label)
    cells = cells_of(units, (*used, *scored), variables)
    return Study(
        units,
        variables,
        cells,
        labels,
        codes,
        _numbers(units, outcome[0]) if outcome else np.zeros(units.n),
        None if weighting is None else _numbers(units, weighting[1]),
        columns_of(cells, used, variables),
        columns_of(cells, scored, variables),
    )


def _numbers(units: Units, variable: Variable) -> FloatArray:
    assert isinstance(variable, Numbers)  # as outcomes and weights are
    return units.take(variable.values, variable.level).astype(np.float64)


def numbered_arms(codes: IntArray, arms: Codes, factor: Factor, part: str) -> tuple[IntArray, tuple[str, ...]]:
    """Number the arms that occur, that of reference first."""
    counts = np.bincount(codes, minlength=arms.n_levels)
    found = np.flatnonzero(counts)
    labels = [str(label) for label in arms.labels or ()]
    where = f" in {part}" if part else ""
    if factor.ref is not NOT_GIVEN:
        if str(factor.ref) not in labels or not counts[labels.index(str(factor.ref))]:
            raise SupportError(f"ref={factor.ref!r} is not among the arms of '{arms.name}'{where}")
        own = labels.index(str(factor.ref))
        found = np.array([own, *found[found != own]])
    if len(found) < 2:
        raise NotIdentifiedError(f"'{arms.name}' has a single arm{where}: there is nothing to compare it with")
    if len(found) > MAX_ARMS:
        raise SupportError(f"'{arms.name}' has {len(found):,} values; an arm is a label, of which {MAX_ARMS} may be")
    table = np.full(arms.n_levels, -1)
    table[found] = np.arange(len(found))
    return table[codes], tuple(labels[at] for at in found)
