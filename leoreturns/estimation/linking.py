"""link_weights(): weights under which linked persons stand for all, those who could not be linked among them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.arms import IMPOSSIBLE, Study, chances_of, study_of
from leoreturns.estimation.covariates import names_of, right_side
from leoreturns.estimation.formula import parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.linked import LINKED, LinkModel, LinkWeights
from leoreturns.estimation.ols import identified
from leoreturns.estimation.propensity import ScoreLink
from leoreturns.estimation.request import Request
from leoreturns.estimation.solve import single_threaded
from leoreturns.panel.panel import Panel


def link_weights(
    linked: str,
    covariates: str | Sequence[str],
    data: Panel | pd.DataFrame,
    *,
    stabilise: str | Sequence[str] | None = None,
    score: ScoreLink = "logit",
    weights: Weights | None = None,
    where: str | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> LinkWeights:
    """Weight the persons who were linked by one over their chance of it.

    Parameters
    ----------
    linked : str
        A column of two values, such as ``"linked_to_tax_records"``; the second says linked, or write
        ``"C(column, ref='no')"`` for the one that says not linked.
    covariates : str or sequence of str
        The right side of a formula, or names of columns, that linked and other persons have. Given them, being linked
        must not hang on the outcome.
    data : Panel or pandas.DataFrame
        One row per person, linked or not, of the data whose effects are wanted.
    stabilise : str or sequence of str, optional
        Some of the covariates: weights are multiplied by the chance of being linked given these alone, for effects in
        models that hold them constant (Robins, Hernan and Brumback 2000).
    score : "logit" or "probit"
        Model of being linked.
    weights : Weights, optional
        Probability weights, which are multiplied in.
    where, person, n_jobs
        As in `treatment_effect`.

    Returns
    -------
    LinkWeights
        An inside object: give it as ``weights=`` to `treatment_effect` or `weight`. Persons without a covariate of the
        weights have none, and are left out as such in the flow.

    Raises
    ------
    SupportError
        For several rows of a person, more than two values, and chances of being linked that are hardly any.
    NotIdentifiedError
        For covariates that tell for certain who is linked.
    """
    if weights is not None and (not isinstance(weights, Weights) or weights.kind != "probability"):
        raise TypeError("weights are lr.Weights(column, 'probability')")
    texts = [right_side(covariates), *([] if stabilise is None else [right_side(stabilise)])]
    requests = [_request(f"{linked} ~ {text}", score, weights) for text in texts]
    if not identified(data, person):
        raise SupportError("person id required: weights find their persons by it; name the column with person=...")
    with threads(n_jobs), single_threaded():
        specifications = [request.treatment for request in requests]
        panel = estimation_panel(data, specifications, [], weights, where=where, person=person)
        studies = [study_of(panel, "", requests[0], None)]
        # Stabilised weights are those of the same persons.
        studies += [study_of(panel, "", request, studies[0].units.rows) for request in requests[1:]]
        below, *above = [_model(study, request) for study, request in zip(studies, requests, strict=True)]
    study = studies[0]
    return LinkWeights(
        panel,
        requests[0].treatment.outcome.text,
        tuple(dict.fromkeys(names_of([term for each in specifications for term in each.terms]))),
        study.units,
        study.arms,
        study.weights,
        below,
        above[0] if above else None,
    )


def _request(text: str, score: ScoreLink, weights: Weights | None) -> Request:
    return Request(None, parse(text)[0], "ipw", "ATE", "linear", score, None, (), weights)


def _model(study: Study, request: Request) -> LinkModel:
    """Fit the chance of being linked."""
    if len(study.labels) != 2:
        raise SupportError(f"'{request.treatment.outcome.text}' has {len(study.labels)} values; linked or not are two")
    chances = chances_of(study, study.sums().counts, request)
    assert chances is not None  # as the method has them
    small = int((chances.chances[study.cells.codes, LINKED] < IMPOSSIBLE).sum())
    if small:
        raise SupportError(
            f"{small:,} of {study.units.n:,} persons have no chance of being linked to speak of, below {IMPOSSIBLE:g}: "
            "band the covariates that set them apart, or leave these persons out by where="
        )
    return LinkModel(study.cells, study.scored, chances)
