"""treatment_effect(): what a route does to an outcome, by regression adjustment, weighting, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import FloatArray, Weights
from leoreturns.estimation.arms import Part, Study, estimated_part, study_of, times, warn_of_heavy
from leoreturns.estimation.cell_models import Link
from leoreturns.estimation.covariance import Clustered, Covariance, Robust, with_variances
from leoreturns.estimation.crossfit import crossfitted_part
from leoreturns.estimation.design import Variables
from leoreturns.estimation.doubly_robust import BALANCING, MODELLED, Estimand, Mean, Method
from leoreturns.estimation.evidence import SampleEvidence
from leoreturns.estimation.formula import parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.ols import identified, owners_of
from leoreturns.estimation.propensity import ScoreLink
from leoreturns.estimation.request import Request, learnt, request_of
from leoreturns.estimation.sample import Sample, restricted
from leoreturns.estimation.sandwich import clustered_sandwich
from leoreturns.estimation.solve import single_threaded
from leoreturns.panel.panel import Panel
from leoreturns.results.effect import EffectEstimate
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


def treatment_effect(
    outcome: str,
    treatment: str,
    data: Panel | pd.DataFrame,
    *,
    method: Method,
    estimand: Estimand,
    cov: Covariance,
    by: str | None = None,
    path: str | None = None,
    where: str | None = None,
    weights: Weights | None = None,
    link: Link = "linear",
    score: ScoreLink = "logit",
    trim: float | None = None,
    learners: tuple[Any, Any] | None = None,
    folds: int = 5,
    person: str | None = None,
    n_jobs: int | None = None,
) -> EffectEstimate:
    """Estimate the effect of a treatment given covariates: potential-outcome means and their differences.

    Parameters
    ----------
    outcome : str
        ``"log_earnings ~ sex + ks4_points"``: the outcome and the covariates of its model, which ``"ra"``,
        ``"ipwra"`` and ``"aipw"`` use.
    treatment : str
        ``"C(ks5_route, ref='academic') ~ sex + ks4_points"``: the arms and the covariates of their model (not used by
        ``"ra"``). Without ``ref`` the first label is what the others are compared with.
    data : Panel or pandas.DataFrame
        One row per person, or one per person and value of `path`.
    method : "ra", "ipw", "ipwra", "aipw", "dml", "entropy" or "tilting"
        Regression adjustment, inverse-probability weighting (normalised), weighted regression adjustment, augmented
        weighting, the same cross-fitted (double machine learning); or weights that balance the covariates of
        `treatment` exactly, by entropy or as inverse chances of a logit (see `doubly_robust.balance`).
    estimand : "ATE", "ATT", "ATC" or "ATO"
        Mean effect on everybody, on those in the arm, on those in the arm of reference, or on the overlap population
        (Li, Morgan and Zaslavsky 2018).
    cov : Robust or Clustered
        ``Robust("HC0")`` or ``Robust("HC1")``, or clusters such as the school.
    by, path : str, optional
        A column: an effect for each of its values, groups or years, with their joint covariance.
    where : str, optional
        Condition on rows, in the grammar of `Panel.where`.
    weights : Weights, optional
        Probability or frequency weights.
    link : "linear", "logit" or "poisson"
        Model of the outcome.
    score : "logit" or "probit"
        Model of two arms; several have the multinomial logit.
    trim : float, optional
        Units with a chance of any arm below it are left out and the chances estimated again; 0.1 is the rule of Crump
        et al. (2009).
    learners : (regressor, classifier), optional
        For ``"dml"``: learners of the outcome in each arm and of the arms, with scikit-learn's methods; by default the
        models of `link` and `score`.
    folds : int
        For ``"dml"``: each is predicted by models of the others. Folds hold whole clusters.
    person : str, optional
        Id column of a frame.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    EffectEstimate
        Effects ``"vocational v academic"``, then means ``"mean vocational"``; with `by` or `path` each followed by its
        value in brackets.

    Raises
    ------
    SupportError
        For several rows of a person, unknown columns, samples without rows.
    NotIdentifiedError
        For a single arm, and for covariates that tell the arm for certain.

    Warns
    -----
    WeightWarning
        If one person has more than 2% of an arm's weight, and ten times as much as without the adjustment.

    Notes
    -----
    Covariates must precede the treatment. Standard errors take the estimation of all models into account (stacked
    moment conditions; see `doubly_robust`). With ``Robust`` they are Stata's; tests then use the normal distribution.
    """
    request = request_of(outcome, treatment, method, estimand, cov, path, weights, link, score, trim)
    request = learnt(request, learners, folds)
    with threads(n_jobs), single_threaded():
        others = [*cov.columns, by, path, *request.treatment.outcome.columns]
        specifications = [parse(text)[0] for text in (outcome, treatment)]
        panel = estimation_panel(data, specifications, others, weights, where=where, person=person)
        return requested_effect(panel, request, cov, by, path, where, identified(data, person))


def requested_effect(
    panel: Panel,
    request: Request,
    cov: Covariance,
    by: str | None,
    path: str | None,
    where: str | None,
    known_persons: bool,
) -> EffectEstimate:
    """Estimate what was asked for on a panel."""
    parts = {}
    for label, part in _parts(panel, by, path):
        if request.method == "dml":
            parts[label] = crossfitted_part(study_of(part, label, request, None), request)
        else:
            parts[label] = estimated_part(part, label, request)
    if request.method != "ra":
        warn_of_heavy(parts, stacklevel=4)
    return _put_together(parts, panel, request, cov, where, known_persons)


def _parts(panel: Panel, by: str | None, path: str | None) -> list[tuple[str, Panel]]:
    """Return the panel for each value, or pair of values, of the columns named."""
    parts = [("", panel)]
    for name in (by, path):
        if name is None:
            continue
        labels = panel.key(name).labels
        split = [
            (f"{text}, {label}" if text else str(label), part.at(**{name: label}))
            for text, part in parts
            for label in labels
        ]
        parts = [(text, part) for text, part in split if part.n_row]
    return parts


# ---- all parts together ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Named:
    """A mean of one part, by name: of the outcomes of an arm, over the persons of another or the same."""

    name: str
    part: Part
    mean: Mean
    arm: int
    over: int


def _put_together(
    parts: dict[str, Part], panel: Panel, request: Request, cov: Covariance, where: str | None, known_persons: bool
) -> EffectEstimate:
    """Return the effects and means of all parts with their joint covariance."""
    means, effects = _named(parts, request)
    values = np.array([entry.mean.value for entry in means])
    joint, df, clusters = _covariance(parts, means, panel, cov)
    # Effects are differences of means.
    turn = np.zeros((len(effects), len(means)))
    for row, (_, treated, base) in zip(turn, effects, strict=True):
        row[treated], row[base] = 1.0, -1.0
    turn = np.vstack([turn, np.eye(len(means))])
    turned = turn @ joint @ turn.T
    covariance = with_variances(turned)
    studies = [part.study for part in parts.values()]
    sample = _whole_sample(panel, studies)
    assert request.outcome is not None
    return EffectEstimate(
        formula=f"{request.outcome.text}; {request.treatment.text}",
        outcome=request.outcome.outcome.text,
        method=f"{NAMES[request.method]}, {request.estimand}",
        names=(*(name for name, _, _ in effects), *(entry.name for entry in means)),
        values=turn @ values,
        covariance=covariance,
        cov_name=cov.name,
        nobs=_nobs(studies, request.weights),
        n_row=sample.n_row,
        n_person=sample.n_person if known_persons else -1,
        df_resid=df,
        df_tests=df,
        n_clusters=clusters,
        effects={},
        dropped={
            name: why for study in studies for name, why in (study.regressors.dropped | study.scored.dropped).items()
        },
        fit={},
        evidence=_evidence(effects, means, SampleEvidence.of(sample, Variables(panel), known_persons=known_persons)),
        flow=sample.flow,
        settings={
            "estimand": request.estimand,
            "outcome model": request.link if request.method in MODELLED else None,
            "treatment model": request.score if request.method not in ("ra", *BALANCING) else None,
            **({"eigenvalues set to zero": True} if covariance is not turned else {}),
            "cells": sum(study.cells.n for study in studies),
            "persons by arm": {label: _sizes(part.study) for label, part in parts.items()},
            "where": where,
            **{
                f"{note} [{label}]" if label else note: value
                for label, part in parts.items()
                for note, value in part.notes.items()
            },
            **{name: made for name, made in panel.settings.items() if name == "definitions"},
        },
        owners=owners_of(
            panel,
            [request.outcome, request.treatment],
            [*cov.columns, *([request.weights.column] if request.weights else [])],
        ),
    )


def _named(parts: dict[str, Part], request: Request) -> tuple[list[_Named], list[tuple[str, int, int]]]:
    """Return the means of all parts, each once, and the effects by the places of their means."""
    means: list[_Named] = []
    effects = []
    for label, part in parts.items():
        after, labels = f" [{label}]" if label else "", part.study.labels
        several = request.estimand == "ATT" and len(labels) > 2
        base_at = -1
        for arm, treated, base in part.effects:
            target = {"ATT": arm, "ATC": 0}.get(request.estimand)
            means.append(_Named(f"mean {labels[arm]}{after}", part, treated, arm, arm if target is None else target))
            at = len(means) - 1
            if base_at < 0 or several:
                told = f" for {labels[arm]}" if several else ""
                means.append(_Named(f"mean {labels[0]}{told}{after}", part, base, 0, target or 0))
                base_at = len(means) - 1
            effects.append((f"{labels[arm]} v {labels[0]}{after}", at, base_at))
    return means, effects


def _influence(entry: _Named) -> FloatArray:
    """Return what each unit adds to a mean."""
    study = entry.part.study
    place = study.cells.codes, study.arms
    return times(entry.mean.constant[place] + entry.mean.multiple[place] * study.outcome, study.weights)


def _covariance(
    parts: dict[str, Part], means: list[_Named], panel: Panel, cov: Covariance
) -> tuple[FloatArray, float, dict[str, int]]:
    """Return the covariance of the means, the degrees of freedom of tests, and the number of clusters."""
    if isinstance(cov, Robust):
        out = np.zeros((len(means), len(means)))
        for part in parts.values():
            at = [place for place, entry in enumerate(means) if entry.part is part]
            own = np.stack([_influence(means[place]) for place in at])
            n = part.study.units.n
            out[np.ix_(at, at)] = own @ own.T * (n / (n - 1) if cov.kind == "HC1" else 1.0)
        return out, np.inf, {}
    assert isinstance(cov, Clustered)
    variables = Variables(panel)

    def sums_of(columns: tuple[str, ...]) -> tuple[FloatArray, int]:
        codes = variables.coded(columns, labelled=False)
        sums, seen = np.zeros((len(means), codes.n_levels)), np.zeros(codes.n_levels, dtype=bool)
        for place, entry in enumerate(means):
            own = entry.part.study.units.take(codes.codes, codes.level)
            sums[place] = np.bincount(own, _influence(entry), minlength=codes.n_levels)
            seen[own] = True
        return sums, int(seen.sum())

    return clustered_sandwich(cov.clusters, sums_of)


def _evidence(effects: list[tuple[str, int, int]], means: list[_Named], shared: SampleEvidence) -> FitEvidence:
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
    studies = {id(entry.part.study): entry.part.study for entry in means}.values()
    rank = sum(
        len(study.labels) * len(study.regressors.names) + (len(study.labels) - 1) * len(study.scored.names)
        for study in studies
    )
    return FitEvidence(
        names=(*(name for name, _, _ in effects), *(entry.name for entry in means)),
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
    )


def _squares(entry: _Named) -> tuple[float, float, float]:
    """Return the sums of the squared and fourth powers of the persons' weights in a mean, and the largest square."""
    study = entry.part.study
    weight = times(entry.mean.multiple[study.cells.codes, study.arms], study.weights) ** 2
    return float(weight.sum()), float(weight @ weight), float(weight.max())


def _sizes(study: Study) -> dict[str, int]:
    counts = np.bincount(study.arms, minlength=len(study.labels))
    return dict(zip(study.labels, counts.tolist(), strict=True))


def _nobs(studies: Sequence[Study], weights: Weights | None) -> int:
    if weights is not None and weights.kind == "frequency":
        return int(sum(study.weights.sum() for study in studies if study.weights is not None))
    return sum(study.units.n for study in studies)


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
