"""treatment_effect(): what a route does to an outcome, by regression adjustment, weighting, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import Weights
from leoreturns.estimation.arms import Part, estimated_part, study_of, warn_of_weights
from leoreturns.estimation.cell_models import Link
from leoreturns.estimation.covariance import Covariance
from leoreturns.estimation.crossfit import crossfitted_part
from leoreturns.estimation.doubly_robust import Estimand, Method
from leoreturns.estimation.formula import parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.joint_covariance import Parts
from leoreturns.estimation.joint_means import put_together
from leoreturns.estimation.linked import LinkWeights
from leoreturns.estimation.ols import identified
from leoreturns.estimation.overlap import Trim
from leoreturns.estimation.propensity import ScoreLink
from leoreturns.estimation.request import Request, column_of, in_tuple, learnt, requests_of
from leoreturns.estimation.solve import single_threaded
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Label
from leoreturns.results.effect import OUTCOME, EffectEstimate


def treatment_effect(
    outcome: str | Sequence[str],
    treatment: str,
    data: Panel | pd.DataFrame,
    *,
    method: Method,
    estimand: Estimand,
    cov: Covariance,
    by: str | None = None,
    path: str | None = None,
    where: str | None = None,
    weights: Weights | LinkWeights | None = None,
    link: Link = "linear",
    score: ScoreLink = "logit",
    trim: Trim | None = None,
    learners: tuple[Any, Any] | None = None,
    folds: int = 5,
    allow_later: str | Sequence[str] = (),
    person: str | None = None,
    n_jobs: int | None = None,
) -> EffectEstimate:
    """Estimate the effect of a treatment given covariates: potential-outcome means and their differences.

    Parameters
    ----------
    outcome : str or sequence of str
        ``"log_earnings ~ sex + ks4_points"``: the outcome and the covariates of its model, which ``"ra"``,
        ``"ipwra"`` and ``"aipw"`` use. Several give an effect on each with their joint covariance: on placebo outcomes,
        from before the treatment, `EffectEstimate.bands` has p-values adjusted for all of them and
        `EffectEstimate.joint_test` a test that none is affected.
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
    cov : Robust, Clustered or Resampled
        ``Robust("HC0")`` or ``Robust("HC1")``; clusters such as the school; or the bootstrap of a plan, in whose
        replicates every model is estimated again (not for "dml"; the units left by a trim are drawn from).
    by, path : str, optional
        A column: an effect for each of its values, groups or years, with their joint covariance.
    where : str, optional
        Condition on rows, in the grammar of `Panel.where`.
    weights : Weights or LinkWeights, optional
        Probability or frequency weights, taken as known; or those of `link_weights`, whose estimation the errors take
        into account.
    link : "linear", "logit" or "poisson"
        Model of the outcome.
    score : "logit" or "probit"
        Model of two arms; several have the multinomial logit.
    trim : float or "optimal", optional
        Units with a chance of any arm below it are left out and the chances estimated again; 0.1 is the rule of thumb
        of Crump et al. (2009), "optimal" their rule itself (see `overlap.within_trim`).
    learners : (regressor, classifier), optional
        For ``"dml"``: learners of the outcome in each arm and of the arms, with scikit-learn's methods; by default the
        models of `link` and `score`.
    folds : int
        For ``"dml"``: each is predicted by models of the others. Folds hold whole clusters.
    allow_later : str or sequence of str
        Covariates that are meant although the schema says that they are measured after the treatment.
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
        For several rows of a person, unknown columns, samples without rows, covariates later than the treatment.
    NotIdentifiedError
        For a single arm, and for covariates that tell the arm for certain.

    Warns
    -----
    WeightWarning
        If one person has more than 2% of an arm's weight, and ten times as much as without the adjustment; and for arms
        of fewer than 20 persons.

    Notes
    -----
    Covariates must precede the treatment; a panel built from LEO knows when its traits are measured. Standard errors
    take the estimation of all models into account (stacked moment conditions; see `doubly_robust`). With ``Robust``
    they are Stata's; tests then use the normal distribution.
    """
    outcomes = in_tuple(outcome)
    requests = [
        replace(learnt(request, learners, folds), allow_later=in_tuple(allow_later))
        for request in requests_of(outcomes, treatment, method, estimand, cov, path, weights, link, score, trim)
    ]
    with threads(n_jobs), single_threaded():
        others = [*cov.columns, by, path, *requests[0].treatment.outcome.columns]
        specifications = [parse(text)[0] for text in (*outcomes, treatment)]
        panel = estimation_panel(data, specifications, others, column_of(weights), where=where, person=person)
        return requested_effect(panel, requests, cov, by, path, where, identified(data, person))


def requested_effect(
    panel: Panel,
    requests: Sequence[Request],
    cov: Covariance,
    by: str | None,
    path: str | None,
    where: str | None,
    known_persons: bool,
) -> EffectEstimate:
    """Estimate what was asked for, on one outcome or several, on a panel."""
    found: dict[tuple[Label, ...], Part] = {}
    keys = {name: panel.key(name).labels for name in (by, path) if name is not None}
    texts = [request.outcome.outcome.text for request in requests if request.outcome is not None]
    if len(texts) > 1:
        keys = {OUTCOME: tuple(texts), **keys}
    split = _split(panel, by, path)
    for text, request in zip(texts, requests, strict=True):
        for labels, part in split.items():
            labels = (text, *labels) if len(texts) > 1 else labels
            told = ", ".join(map(str, labels))
            if request.method == "dml":
                found[labels] = crossfitted_part(study_of(part, told, request, None), request)
            else:
                found[labels] = estimated_part(part, told, request)
    parts = Parts(keys, found)
    warn_of_weights(parts.told(), requests[0].method, stacklevel=4)
    return put_together(parts, panel, requests, cov, where, known_persons)


def _split(panel: Panel, by: str | None, path: str | None) -> dict[tuple[Label, ...], Panel]:
    """Return the panel for each value, or pair of values, of the columns named."""
    parts: dict[tuple[Label, ...], Panel] = {(): panel}
    for name in (by, path):
        if name is not None:
            split = {
                (*known, label): part.at(**{name: label})
                for known, part in parts.items()
                for label in panel.key(name).labels
            }
            parts = {labels: part for labels, part in split.items() if part.n_row}
    return parts
