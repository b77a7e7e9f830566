"""What is asked of a treatment study: its formulas, method, estimand and options, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from leoreturns._typing import Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.cell_models import Link
from leoreturns.estimation.covariance import Clustered, Covariance, Robust
from leoreturns.estimation.doubly_robust import Estimand, Method
from leoreturns.estimation.formula import Specification, parse
from leoreturns.estimation.linked import LinkWeights
from leoreturns.estimation.overlap import OPTIMAL, Trim
from leoreturns.estimation.propensity import ScoreLink
from leoreturns.estimation.resampled import Resampled
from leoreturns.panel.units import PERSON

METHODS, ESTIMANDS, LINKS = get_args(Method), get_args(Estimand), ("linear", "logit", "poisson")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Request:
    """What was asked for, alike in every part of the data; without an outcome only weights can be had."""

    outcome: Specification | None
    treatment: Specification
    method: Method
    estimand: Estimand
    link: Link
    score: ScoreLink
    trim: Trim | None
    clusters: tuple[str, ...]
    weights: Weights | LinkWeights | None
    learners: tuple[Any, Any] | None = None
    folds: int = 5
    allow_later: tuple[str, ...] = ()


def requests_of(
    outcomes: Sequence[str],
    treatment: str,
    method: Method,
    estimand: Estimand,
    cov: Covariance,
    path: str | None,
    weights: Weights | LinkWeights | None,
    link: Link,
    score: ScoreLink,
    trim: Trim | None,
) -> list[Request]:
    """Check what was asked for; return a request for each outcome."""
    for name, value, allowed in (
        ("method", method, METHODS),
        ("estimand", estimand, ESTIMANDS),
        ("link", link, LINKS),
    ):
        if value not in allowed:
            raise ValueError(f"{name} is one of {', '.join(map(repr, allowed))}, not {value!r}")
    check_covariance(cov, method, weights)
    if not outcomes or len(set(outcomes)) < len(outcomes):
        raise ValueError("outcome is a formula, or several that differ")
    several = "several outcomes" if len(outcomes) > 1 else f"several values of '{path}'"
    if (path is not None or len(outcomes) > 1) and isinstance(cov, Robust):
        raise SupportError(
            f"rows of a person under {several} are not independent: use lr.Clustered('person') or the school"
        )
    if estimand == "ATO" and method not in ("ipw", "ipwra", "aipw"):
        raise SupportError("the overlap population is defined by the chances: use 'ipw', 'ipwra' or 'aipw'")
    check_weights(weights)
    check_trim(trim)
    *outcome, arms = [parse(text) for text in (*outcomes, treatment)]
    if any(len(found) != 1 or found[0].effects or found[0].endogenous for found in (*outcome, arms)):
        raise ValueError("outcome and treatment are formulas of one regression each, without effects or instruments")
    if len({found[0].outcome.text for found in outcome}) < len(outcome):
        raise ValueError("an outcome has one model: name each of several once")
    return [
        Request(found[0], arms[0], method, estimand, link, score, trim, tuple(cov.columns), weights)
        for found in outcome
    ]


def in_tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return names of columns, or a single one, as a tuple."""
    return (names,) if isinstance(names, str) else tuple(names)


def learnt(request: Request, learners: tuple[Any, Any] | None, folds: int) -> Request:
    """Check what cross-fitting was asked for."""
    if learners is not None and request.method != "dml":
        raise SupportError(f"learners serve method='dml', not {request.method!r}")
    if isinstance(folds, bool) or folds < 2:
        raise ValueError(f"folds is a whole number of 2 or more, not {folds}")
    if learners is not None and (len(learners) != 2 or not hasattr(learners[1], "predict_proba")):
        raise TypeError("learners are a regressor for the outcome and a classifier, with predict_proba, for the arms")
    return replace(request, learners=learners, folds=folds)


def of_moments(cov: Covariance) -> bool:
    """Whether a covariance is made of what each unit adds to the errors."""
    return isinstance(cov, Clustered) or (isinstance(cov, Robust) and cov.kind in ("HC0", "HC1"))


def column_of(weights: Weights | LinkWeights | None) -> Weights | None:
    """Return weights that are a column of the data."""
    return weights if isinstance(weights, Weights) else None


def check_weights(weights: object) -> None:
    """Refuse weights that are none of persons."""
    is_column = isinstance(weights, Weights) and weights.kind != "analytic"
    if not (weights is None or is_column or isinstance(weights, LinkWeights)):
        raise TypeError(
            "weights are lr.Weights(column, 'probability'), lr.Weights(column, 'frequency') or lr.link_weights(...)"
        )


def check_trim(trim: object) -> None:
    """Refuse what is no chance."""
    number = isinstance(trim, int | float) and 0 < trim < 0.5
    if trim is not None and trim != OPTIMAL and not number:
        raise ValueError(f"trim is a chance between 0 and 0.5, or 'optimal', not {trim!r}")


def check_covariance(cov: Covariance, method: Method, weights: Weights | LinkWeights | None) -> None:
    """Refuse covariances that are neither of stacked moments nor of a bootstrap that estimates all of it again."""
    if not (of_moments(cov) or isinstance(cov, Resampled)):
        raise TypeError("cov is lr.Robust('HC0'), lr.Robust('HC1'), lr.Clustered(...) or lr.Resampled(plan)")
    if isinstance(cov, Resampled) and method == "dml":
        raise SupportError(
            "a bootstrap would fit the learners anew in every fold of every replicate; cross-fitted estimates have the "
            "covariance of their moments: cov=lr.Clustered(...)"
        )
    if isinstance(weights, LinkWeights) and not isinstance(cov, Clustered):
        raise SupportError(
            "weights of linked persons were estimated from others too, whom errors take into account one by one: use "
            "lr.Clustered('person') or the school"
        )
    if (
        isinstance(cov, Resampled)
        and isinstance(weights, Weights)
        and weights.kind == "frequency"
        and cov.plan.unit == PERSON
    ):
        raise SupportError(
            f"a row with a frequency weight stands for several persons, and '{weights.column}' would be drawn as one: "
            "give a row to each person, or draw clusters"
        )
