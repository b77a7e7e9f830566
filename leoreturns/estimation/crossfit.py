"""Cross-fitted augmented weighting: chances and means learnt on other folds (Chernozhukov et al. 2018).

The moment does not change to first order with the models, so that learners of any kind may serve and their estimation
adds nothing to the influence. Folds hold whole clusters (persons where there are none), dealt out in the order of their
keys: neither the order of the rows nor the number of threads moves them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.arms import Part, Study, refuse_emptied, refuse_impossible, times
from leoreturns.estimation.cell_models import fit_cells
from leoreturns.estimation.covariates import Cells
from leoreturns.estimation.doubly_robust import assembled, target_of
from leoreturns.estimation.overlap import beyond_support, within_trim
from leoreturns.estimation.propensity import Propensity, by_arm, fit_propensity
from leoreturns.estimation.request import Request
from leoreturns.estimation.sample import restricted
from leoreturns.panel.units import unit_codes

Predicted = tuple[FloatArray, FloatArray]


def crossfitted_part(study: Study, request: Request) -> Part:
    """Estimate all means of a part with models of other folds."""
    n_arms = len(study.labels)
    folds = _folds(study, request)
    pair = study.cells.codes.astype(np.int64) * request.folds + folds
    found, codes = np.unique(pair, return_inverse=True)
    of_cell, of_fold = found // request.folds, found % request.folds
    chances, means = np.empty((len(found), n_arms)), np.empty((len(found), n_arms))
    learn = _parametric if request.learners is None else _learner(request.learners)
    for fold in range(request.folds):
        at = of_fold == fold
        training = folds != fold
        _enough(study, training, request.folds)
        chances[at], means[at] = learn(study, request, training, of_cell[at])
    kept = np.ones(study.units.n, dtype=bool)
    notes: dict[str, object] = {"folds": request.folds}
    if request.trim is not None:
        weight = np.bincount(codes, study.weights, minlength=len(found)).astype(np.float64)
        kept = within_trim(chances, weight, request.trim)[codes]
        notes["trimmed"] = int((~kept).sum())
        refuse_emptied(study, kept, request.trim)
        used = np.zeros(len(found), dtype=bool)
        used[codes[kept]] = True
        codes, of_cell, chances, means = (np.cumsum(used) - 1)[codes], of_cell[used], chances[used], means[used]
    study = _restricted(study, codes, of_cell, kept)
    refuse_impossible(study, chances, request.estimand)
    notes["smallest chance"] = float(chances[study.cells.codes].min())
    notes["beyond common support"] = beyond_support(chances, study.persons(), study.labels)
    arms = study.sums()
    model = Propensity(chances, *(np.empty(0),) * 2, np.zeros((n_arms, len(chances), n_arms - 1)), *(np.empty(0),) * 2)
    effects = []
    for arm in range(1, n_arms):
        target = target_of(request.estimand, arms, model, arm)
        both = [assembled(means[:, own], target.reach / chances[:, own], arms, own, target) for own in (arm, 0)]
        effects.append((arm, both[0], both[1]))
    return Part(study, effects, notes)


def _folds(study: Study, request: Request) -> IntArray:
    """Deal whole clusters out to folds, in the order of their keys."""
    panel, units = study.units.sample.panel, study.units
    keys = panel.keys
    owners = units.people
    if request.clusters:
        (codes,), keys, level = unit_codes([panel], request.clusters[0])
        owners = units.take(codes, level).astype(np.int64)
    present = np.unique(owners)
    if len(present) < request.folds:
        raise SupportError(f"{request.folds} folds need as many clusters, and there are {len(present):,}")
    fold = np.empty(len(keys), dtype=np.int64)
    fold[present[np.argsort(keys[present], kind="stable")]] = np.arange(len(present)) % request.folds
    return fold[owners]


def _enough(study: Study, training: BoolArray, folds: int) -> None:
    counts = np.bincount(study.arms[training], minlength=len(study.labels))
    if (counts == 0).any():
        raise SupportError(
            f"an arm has no person outside one of the {folds} folds; use fewer folds, or an arm with more persons"
        )


def _parametric(study: Study, request: Request, training: BoolArray, wanted: IntArray) -> Predicted:
    """Fit the models of the formulas on the cells of the other folds."""
    cells = study.cells.take(training)
    arms, n_arms = study.arms[training], len(study.labels)
    weights = None if study.weights is None else study.weights[training]
    counts = by_arm(cells, arms, n_arms, weights)
    totals = by_arm(cells, arms, n_arms, times(study.outcome[training], weights))
    chances = fit_propensity(study.scored.values, counts, study.labels, request.score).chances[wanted]
    means = []
    for arm, label in enumerate(study.labels):
        fit = fit_cells(
            study.regressors.values, counts[:, arm], totals[:, arm], request.link, what=f"the outcome of {label}"
        )
        means.append(fit.family.mean(fit.eta)[wanted])
    return chances, np.stack(means, axis=1)


def _learner(learners: tuple[Any, Any]) -> Callable[[Study, Request, BoolArray, IntArray], Predicted]:
    """Return what fits scikit-learn's learners: one of outcomes, one of arms."""
    from sklearn.base import clone

    of_outcome, of_arm = learners

    def learn(study: Study, request: Request, training: BoolArray, wanted: IntArray) -> Predicted:
        cells, arms = study.cells.codes, study.arms
        scored, regressors = study.scored.values[:, 1:], study.regressors.values[:, 1:]

        def fitted(learner: Any, columns: FloatArray, rows: BoolArray, values: FloatArray | IntArray) -> Any:
            weight = {} if study.weights is None else {"sample_weight": study.weights[rows]}
            return clone(learner).fit(columns[cells[rows]], values[rows], **weight)

        chances = fitted(of_arm, scored, training, arms).predict_proba(scored[wanted])
        means = [
            fitted(of_outcome, regressors, training & (arms == arm), study.outcome).predict(regressors[wanted])
            for arm in range(len(study.labels))
        ]
        return np.asarray(chances, dtype=np.float64), np.stack(means, axis=1).astype(np.float64)

    return learn


def _restricted(study: Study, codes: IntArray, of_cell: IntArray, kept: BoolArray) -> Study:
    """Return the study on the units kept, its cells told apart by fold."""
    cells = Cells(study.units, codes.astype(np.int32), study.cells.first[of_cell])
    if not kept.all():
        cells = cells.take(kept)
        sample = restricted(study.units.sample, cells.units.rows, "chance of every arm above the trim")
        cells = replace(cells, units=replace(cells.units, sample=sample))
    return replace(
        study,
        units=cells.units,
        cells=cells,
        arms=study.arms[kept],
        outcome=study.outcome[kept],
        weights=None if study.weights is None else study.weights[kept],
    )
