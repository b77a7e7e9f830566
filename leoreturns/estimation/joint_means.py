"""All parts of a treatment study together: their means by name, the effects, their joint covariance and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leoreturns._typing import FloatArray, Weights
from leoreturns.estimation.arms import Study, times
from leoreturns.estimation.covariance import Covariance, with_variances
from leoreturns.estimation.design import Variables
from leoreturns.estimation.doubly_robust import BALANCING, MODELLED, Method
from leoreturns.estimation.evidence import SampleEvidence, effective_contributors
from leoreturns.estimation.formula import Specification
from leoreturns.estimation.joint_covariance import Effects, Named, Parts, covariance_of_means, replicates_of_means
from leoreturns.estimation.linked import LINKED, LinkWeights
from leoreturns.estimation.ols import owners_of
from leoreturns.estimation.overlap import weight_figures
from leoreturns.estimation.redrawn import Redrawn
from leoreturns.estimation.request import Request
from leoreturns.estimation.resampled import Resampled, drawn_covariance
from leoreturns.estimation.sample import Sample, restricted
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Label
from leoreturns.results.aggregate import CellKey
from leoreturns.results.effect import COMPARISON, EffectEstimate
from leoreturns.results.evidence import FitEvidence

NAMES: dict[Method, str] = {
    "ra": "Regression adjustment",
    "ipw": "Inverse-probability weighting",
    "ipwra": "Inverse-probability-weighted regression adjustment",
    "aipw": "Augmented inverse-probability weighting",
    "dml": "Cross-fitted augmented weighting",
    "entropy": "Entropy balancing",
    "tilting": "Inverse probability tilting",
}


def put_together(
    parts: Parts, panel: Panel, requests: Sequence[Request], cov: Covariance, where: str | None, known_persons: bool
) -> EffectEstimate:
    """Return the effects and means of all parts with their joint covariance."""
    request = requests[0]
    means, effects = _named(parts, request)
    rows = [(comparison, means[at].labels) for comparison, at, _ in effects]
    rows += [(entry.comparison, entry.labels) for entry in means]
    names = tuple(_name(*row) for row in rows)
    values, turn = np.array([entry.mean.value for entry in means]), _differences(effects, len(means))
    if isinstance(cov, Resampled):
        drawn = replicates_of_means(parts, means, Redrawn(parts.studies(), panel, request, cov.plan))
        found = drawn_covariance(*drawn, values, turn, names, cov.plan)
    else:
        found = covariance_of_means(parts, means, panel, request, cov)
    turned = turn @ found.cov @ turn.T
    covariance = with_variances(turned)
    studies = parts.studies()
    sample = _whole_sample(panel, studies)
    shared = SampleEvidence.of(sample, Variables(panel), known_persons=known_persons)
    return EffectEstimate(
        formula="; ".join([*(_outcome_of(each).text for each in requests), request.treatment.text]),
        outcome=", ".join(_outcome_of(each).outcome.text for each in requests),
        method=f"{NAMES[request.method]}, {request.estimand}",
        names=names,
        values=turn @ values,
        covariance=covariance,
        cov_name=cov.name,
        nobs=_nobs(studies, request.weights),
        n_row=sample.n_row,
        n_person=sample.n_person if known_persons else -1,
        df_resid=found.df_tests,
        df_tests=found.df_tests,
        n_clusters=found.clusters,
        effects={},
        dropped={
            name: why for study in studies for name, why in (study.regressors.dropped | study.scored.dropped).items()
        },
        fit={},
        evidence=_evidence(names, effects, means, shared),
        flow=sample.flow,
        settings={
            **_settings(parts, means, panel, request, where),
            **({"eigenvalues set to zero": True} if covariance is not turned else {}),
            **found.notes,
        },
        drawn=found.drawn,
        owners=owners_of(
            panel,
            [*map(_outcome_of, requests), request.treatment],
            [*cov.columns, *_columns_of(request.weights)],
        ),
        keys=_keys(parts, rows),
        n_effects=len(effects),
    )


def _name(comparison: str, labels: tuple[Label, ...]) -> str:
    return f"{comparison} [{', '.join(map(str, labels))}]" if labels else comparison


def _differences(effects: Effects, n_means: int) -> FloatArray:
    """Return what turns means into effects, then themselves: float64 of shape (n_effects + n_means, n_means)."""
    turn = np.zeros((len(effects), n_means))
    for row, (_, treated, base) in zip(turn, effects, strict=True):
        row[treated], row[base] = 1.0, -1.0
    return np.vstack([turn, np.eye(n_means)])


def _outcome_of(request: Request) -> Specification:
    assert request.outcome is not None  # effects are asked for with one
    return request.outcome


def _named(parts: Parts, request: Request) -> tuple[list[Named], Effects]:
    """Return the means of all parts, each once, and the effects by the places of their means."""
    means: list[Named] = []
    effects: Effects = []
    for own, part in parts.parts.items():
        labels = part.study.labels
        several = request.estimand == "ATT" and len(labels) > 2
        base_at = -1
        for number, (arm, _, _) in enumerate(part.effects):
            target = {"ATT": arm, "ATC": 0}.get(request.estimand)
            over = arm if target is None else target
            means.append(Named(f"mean {labels[arm]}", own, part, (number, 0), arm, over))
            at = len(means) - 1
            if base_at < 0 or several:
                told = f" for {labels[arm]}" if several else ""
                means.append(Named(f"mean {labels[0]}{told}", own, part, (number, 1), 0, target or 0))
                base_at = len(means) - 1
            effects.append((f"{labels[arm]} v {labels[0]}", at, base_at))
    return means, effects


def _keys(parts: Parts, rows: Sequence[tuple[str, tuple[Label, ...]]]) -> dict[str, CellKey]:
    """Return what each effect and mean is of, as the keys of a table."""
    comparisons = [comparison for comparison, _ in rows]
    columns = [comparisons, *zip(*(labels for _, labels in rows), strict=True)]
    levels = {COMPARISON: tuple(dict.fromkeys(comparisons)), **parts.keys}
    return {
        name: CellKey(known, np.array([known.index(label) for label in column], dtype=np.int64))
        for (name, known), column in zip(levels.items(), columns, strict=True)
    }


# ---- evidence -------------------------------------------------------------------------------------------------------


def _evidence(names: tuple[str, ...], effects: Effects, means: Sequence[Named], shared: SampleEvidence) -> FitEvidence:
    """Return the persons behind each number, and their weights; an effect has the weaker arm's.

    Behind a mean are those whose outcomes it has and those whom it is taken over, whichever are fewer. An effect that
    could be shown without one of its means would tell it.
    """
    squares = [_squares(entry) for entry in means]
    behind = np.array(
        [min(int((entry.part.study.arms == arm).sum()) for arm in (entry.arm, entry.over)) for entry in means]
    )
    total, fourth, largest = (np.array(part) for part in zip(*squares, strict=True))
    effective, share = total**2 / fourth, largest / total
    of_effects = np.array([(a, b) for _, a, b in effects])
    contributors = np.array([_contributors(entry) for entry in means])
    studies = {id(entry.part.study): entry.part.study for entry in means}.values()
    rank = sum(
        len(study.labels) * len(study.regressors.names) + (len(study.labels) - 1) * len(study.scored.names)
        for study in studies
    )
    return FitEvidence(
        names=names,
        persons_off_mode=np.concatenate([behind[of_effects].min(axis=1), behind]),
        effective_persons=np.concatenate([effective[of_effects].min(axis=1), effective]),
        largest_share=np.concatenate([share[of_effects].max(axis=1), share]),
        largest_leverage=float(np.sqrt(largest.max())),
        rank=rank,
        df_persons=sum(study.units.n for study in studies) - rank,
        saturated=any(study.cells.n == 1 for study in studies),  # no regressor: the means of the arms
        entities=shared.entities,
        fingerprint=shared.fingerprint,
        sketch=shared.sketch,
        identified=shared.fingerprint is not None,
        effective_contributors=np.concatenate([contributors[of_effects].min(axis=1), contributors]),
    )


def _contributors(entry: Named) -> float:
    study = entry.part.study
    own = study.arms == entry.arm
    weight = times(entry.mean.multiple[study.cells.codes, study.arms], study.weights)
    return effective_contributors(weight[own], study.outcome[own])


def _squares(entry: Named) -> tuple[float, float, float]:
    """Return the sums of the squared and fourth powers of the persons' weights in a mean, and the largest square."""
    study = entry.part.study
    weight = times(entry.mean.multiple[study.cells.codes, study.arms], study.weights) ** 2
    return float(weight.sum()), float(weight @ weight), float(weight.max())


def _settings(
    parts: Parts, means: Sequence[Named], panel: Panel, request: Request, where: str | None
) -> dict[str, Any]:
    """Return the options behind the numbers, and counts of each part."""
    told = parts.told()
    return {
        "estimand": request.estimand,
        "outcome model": request.link if request.method in MODELLED else None,
        "treatment model": request.score if request.method not in ("ra", *BALANCING) else None,
        "cells": sum(part.study.cells.n for part in told.values()),
        "persons by arm": {label: _sizes(part.study) for label, part in told.items()},
        "weights": _weights(means),
        "where": where,
        **_linkage(request.weights),
        **({"later than the treatment": list(request.allow_later)} if request.allow_later else {}),
        **{
            f"{note} [{label}]" if label else note: value
            for label, part in told.items()
            for note, value in part.notes.items()
        },
        **{name: made for name, made in panel.settings.items() if name == "definitions"},
    }


def _weights(means: Sequence[Named]) -> dict[str, dict[str, float]]:
    """Return what the weights behind each mean are worth: of the persons whose outcomes it has."""
    found = {}
    for entry in means:
        study = entry.part.study
        own = study.arms == entry.arm
        weights = entry.mean.multiple[study.cells.codes[own], entry.arm]
        found[_name(entry.comparison, entry.labels)] = weight_figures(
            times(weights, None if study.weights is None else study.weights[own])
        )
    return found


def _linkage(weights: Weights | LinkWeights | None) -> dict[str, Any]:
    """Return what weights of linked persons stand for."""
    if not isinstance(weights, LinkWeights):
        return {}
    linked = int((weights.arms == LINKED).sum())
    return {"linkage": {"linked": linked, "not linked": weights.units.n - linked, "errors": "of estimated chances"}}


def _columns_of(weights: Weights | LinkWeights | None) -> tuple[str, ...]:
    """Return the columns that weights rest on."""
    if weights is None:
        return ()
    return (weights.linked, *weights.names) if isinstance(weights, LinkWeights) else (weights.column,)


def _sizes(study: Study) -> dict[str, int]:
    counts = np.bincount(study.arms, minlength=len(study.labels))
    return dict(zip(study.labels, counts.tolist(), strict=True))


def _nobs(studies: Sequence[Study], weights: Weights | LinkWeights | None) -> int:
    """Count the rows of all parts, each once; frequency weights count those that a row stands for."""
    rows, first = np.unique(np.concatenate([study.units.rows for study in studies]), return_index=True)
    if not isinstance(weights, Weights) or weights.kind != "frequency":
        return len(rows)
    return int(np.concatenate([study.weights for study in studies if study.weights is not None])[first].sum())


def _whole_sample(panel: Panel, studies: Sequence[Study]) -> Sample:
    """Return the rows of all parts as one sample."""
    if len(studies) == 1:
        return studies[0].units.sample
    kept = np.zeros(int(panel.offsets[-1]), dtype=bool)
    for study in studies:
        kept[study.units.rows] = True
    return restricted(
        Sample(panel, panel.selection, panel.flow, panel.n_row, panel.n_person), np.flatnonzero(kept), "complete"
    )
