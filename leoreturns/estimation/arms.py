"""One part of the data of a treatment study: its units by arm and cell, the chances of the arms, the means.

A part is a group, a year, or everything: each has models of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import BoolArray, FloatArray, IntArray, Weights
from leoreturns.errors import NotIdentifiedError, SupportError, WeightWarning
from leoreturns.estimation.balance import effective_size
from leoreturns.estimation.cell_models import Link
from leoreturns.estimation.covariates import (
    Cells,
    Columns,
    Units,
    cells_of,
    columns_of,
    names_of,
    once_per_person,
    refuse_later,
)
from leoreturns.estimation.design import Variables
from leoreturns.estimation.doubly_robust import (
    BALANCING,
    MODELLED,
    Arms,
    Estimand,
    Mean,
    Method,
    potential_mean,
    target_of,
)
from leoreturns.estimation.formula import NOT_GIVEN, Factor
from leoreturns.estimation.linked import LinkWeights, along
from leoreturns.estimation.overlap import Trim, beyond_support, within_trim
from leoreturns.estimation.propensity import Propensity, by_arm, fit_propensity
from leoreturns.estimation.request import Request
from leoreturns.estimation.sample import draw_sample, restricted
from leoreturns.estimation.variables import Codes, Numbers, Variable, numbers
from leoreturns.panel.panel import Panel

MAX_ARMS = 20
IMPOSSIBLE = 1e-13  # a chance whose inverse, as a weight, leaves no digit to the others
FEW = 20  # persons of an arm, below which errors that hold in large samples are too small
HEAVY, TIMES = 0.02, 10  # share of an arm's weight in one person's hand, and times that before, that are too much


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

    def persons(self) -> FloatArray:
        """Count persons by cell and arm."""
        return by_arm(self.cells, self.arms, len(self.labels), None)

    def sums(self) -> Arms:
        """Add up weights and outcomes by cell and arm."""
        return Arms(
            by_arm(self.cells, self.arms, len(self.labels), self.weights),
            by_arm(self.cells, self.arms, len(self.labels), times(self.outcome, self.weights)),
            self.labels,
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Part:
    """The means of one part, and what each unit does to them."""

    study: Study
    effects: list[tuple[int, Mean, Mean]]
    notes: dict[str, object]


def estimated_part(panel: Panel, label: str, request: Request) -> Part:
    """Estimate all means on one part of the data with models of it."""
    study = study_of(panel, label, request, None)
    chances = chances_of(study, study.sums().counts, request)
    notes: dict[str, object] = {}
    if request.trim is not None and chances is not None:
        whole = study.sums().counts.sum(axis=1)
        kept = within_trim(chances.chances, whole, request.trim)[study.cells.codes]
        refuse_emptied(study, kept, request.trim)
        notes["trimmed"] = int((~kept).sum())
        study = study_of(panel, label, request, study.units.rows[kept])
        chances = chances_of(study, study.sums().counts, request)
    if chances is not None:
        refuse_impossible(study, chances.chances, request.estimand)
        notes["smallest chance"] = float(chances.chances.min())
        notes["beyond common support"] = beyond_support(chances.chances, study.persons(), study.labels)
    return Part(study, effects_of(study, study.sums(), chances, request), notes)


def chances_of(study: Study, counts: FloatArray, request: Request) -> Propensity | None:
    """Fit the chances of the arms on counts by cell and arm; None for methods that have none."""
    if request.method == "ra" or request.method in BALANCING:
        return None
    return fit_propensity(study.scored.values, counts, study.labels, request.score)


def effects_of(study: Study, arms: Arms, chances: Propensity | None, request: Request) -> list[tuple[int, Mean, Mean]]:
    """Estimate, for every arm but the first, its mean and that of the first arm over the persons of the estimand."""
    scored = None if request.method == "ra" else study.scored.values
    found = []
    for arm in range(1, len(study.labels)):
        target = target_of(request.estimand, arms, chances, arm)
        own, base = (
            potential_mean(request.method, study.regressors.values, arms, each, target, chances, scored, request.link)
            for each in (arm, 0)
        )
        found.append((arm, own, base))
    return found


def refuse_emptied(study: Study, kept: BoolArray, trim: Trim) -> None:
    """Refuse a trim that leaves an arm without persons."""
    left = np.bincount(study.arms[kept], minlength=len(study.labels))
    if not left.all():
        raise SupportError(
            f"trim={trim!r} leaves {int(kept.sum()):,} of {study.units.n:,} persons, and none of "
            f"{study.labels[int(left.argmin())]}; lower trim="
        )


def impossible(chances: FloatArray, estimand: Estimand) -> BoolArray:
    """Return the cells whose chances are so small that no weight can stand for the persons who have them.

    An arm is weighted by the ratio of the chances of the target's arm and its own: the first may be small.
    """
    divisors = {"ATT": chances[:, :1], "ATC": chances[:, 1:]}.get(estimand, chances)
    found: BoolArray = ~(divisors.min(axis=1) >= IMPOSSIBLE)
    return found


def refuse_impossible(study: Study, chances: FloatArray, estimand: Estimand) -> None:
    """Refuse chances for which there is no weight."""
    persons = int(impossible(chances, estimand)[study.cells.codes].sum())
    if persons:
        raise SupportError(
            f"{persons:,} of {study.units.n:,} persons have no chance of an arm to speak of, below {IMPOSSIBLE:g}: "
            "leave them out by trim=, band the covariates that set them apart, or smooth the learner's probabilities"
        )


def warn_of_weights(parts: Mapping[str, Part], method: Method, stacklevel: int) -> None:
    """Warn of the arm in which one person has most of the weight, and of that with the fewest persons, if it is bad."""
    heavy, few = [], []
    for part, entry in parts.items():
        study, where = entry.study, f" in {part}" if part else ""
        for arm, *means in entry.effects:
            for own, mean in zip((arm, 0), means, strict=True):
                members = study.arms == own
                base = np.ones(int(members.sum())) if study.weights is None else study.weights[members]
                weights = np.abs(mean.multiple[study.cells.codes[members], own]) * base
                told = study.labels[own] + where, len(weights), effective_size(weights)
                share = float(weights.max() / weights.sum())
                if method != "ra" and share > max(HEAVY, TIMES * float(base.max() / base.sum())):
                    heavy.append((share, *told))
                if len(weights) < FEW:
                    few.append((len(weights), *told))
    if heavy:
        share, label, persons, effective = max(heavy)
        warnings.warn(
            f"the {persons:,} persons of {label} are worth {effective:,.1f} of equal weight, and the largest weight is "
            f"{share:.1%} of all: the arms hardly overlap; trim=, band or leave out covariates, or take the overlap "
            "population, estimand='ATO'",
            WeightWarning,
            stacklevel=stacklevel,
        )
    if few:
        _, label, persons, effective = min(few)
        warnings.warn(
            f"the {persons:,} persons of {label} are worth {effective:,.1f} of equal weight: errors that hold in large "
            "samples are too small for so few; join arms, groups or years",
            WeightWarning,
            stacklevel=stacklevel,
        )


def times(values: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Return values times the weights, if there are any."""
    return values if weights is None else values * weights


def study_of(panel: Panel, label: str, request: Request, rows: IntArray | None) -> Study:
    """Gather the units of a part, or those on some of its rows."""
    variables = Variables(panel)
    outcome = [] if request.outcome is None else variables.outcome(request.outcome.outcome)
    arms = variables.coded(request.treatment.outcome.columns)
    used = request.outcome.terms if request.outcome is not None and request.method in MODELLED else ()
    scored = request.treatment.terms if request.method != "ra" else ()
    refuse_later(panel, request.treatment.outcome, names_of((*used, *scored)), request.allow_later)
    weighting = None if request.weights is None else weights_on(panel, request.weights)
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
    values = _numbers(units, outcome[0]) if outcome else np.zeros(units.n)
    if outcome and request.method in MODELLED and request.learners is None:
        _refuse_outside(values, request.link, outcome[0].name)
    return Study(
        units,
        variables,
        cells,
        labels,
        codes,
        values,
        None if weighting is None else _numbers(units, weighting[1]),
        columns_of(cells, used, variables),
        columns_of(cells, scored, variables),
    )


def weights_on(panel: Panel, weights: Weights | LinkWeights) -> tuple[Weights, Numbers]:
    """Return weights along a panel: a column, or those of linked persons."""
    return along(weights, panel) if isinstance(weights, LinkWeights) else (weights, numbers(panel, weights.column))


def _numbers(units: Units, variable: Variable) -> FloatArray:
    assert isinstance(variable, Numbers)  # as outcomes and weights are
    return units.take(variable.values, variable.level).astype(np.float64)


def _refuse_outside(outcome: FloatArray, link: Link, name: str) -> None:
    """Refuse outcomes that a model cannot have as a mean."""
    low, high = {"logit": (0.0, 1.0), "poisson": (0.0, np.inf)}.get(link, (-np.inf, np.inf))
    outside = int(((outcome < low) | (outcome > high)).sum())
    if outside:
        allowed = "between 0 and 1" if link == "logit" else "0 or more"
        raise SupportError(
            f"'{name}' is not {allowed} for {outside:,} of {len(outcome):,} persons, as link={link!r} needs"
        )


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
