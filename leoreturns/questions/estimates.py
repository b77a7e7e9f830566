"""One regression, or one treatment effect, as the answer of a question that a file can ask."""

from __future__ import annotations

from leoreturns.estimation.covariance import Covariance
from leoreturns.estimation.doubly_robust import Estimand, Method
from leoreturns.estimation.ols import feols
from leoreturns.estimation.treatment import treatment_effect
from leoreturns.panel.panel import Panel
from leoreturns.questions.assemble import answer
from leoreturns.results.answer import Answer

DENOMINATOR = "rows of the sample on which no variable of the model is missing"


def regression(
    data: Panel, *, outcome: str, model: str, cov: Covariance, split: str | None = None, n_jobs: int | None = None
) -> Answer:
    """Estimate a linear regression with fixed effects; see `feols`.

    Parameters
    ----------
    data : Panel
    outcome : str
        Column.
    model : str
        What stands right of the tilde: ``"C(ks5_route, ref='none') + prior_attainment | school + cohort"``.
    cov : Covariance
    split : str, optional
        A column: one regression for each of its values.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Answer
        With the result ``estimates``.
    """
    fit = feols(f"{outcome} ~ {model}", data, cov=cov, split=split, n_jobs=n_jobs)
    asked = {"outcome": outcome, "model": model, "cov": cov.name, "split": split}
    return answer(
        "feols", data, {"estimates": fit}, plan=None, arguments=asked, denominators={"estimates": DENOMINATOR}
    )


def effect(
    data: Panel,
    *,
    outcome: str,
    treatment: str,
    covariates: str,
    method: Method,
    estimand: Estimand,
    cov: Covariance,
    by: str | None = None,
    path: str | None = None,
    n_jobs: int | None = None,
) -> Answer:
    """Estimate the effect of a treatment given covariates; see `treatment_effect`.

    Parameters
    ----------
    data : Panel
    outcome : str
        Column.
    treatment : str
        The arms: ``"C(ks5_route, ref='A level')"``.
    covariates : str
        Covariates of both models: ``"sex + prior_attainment"``.
    method, estimand, cov, by, path, n_jobs
        As in `treatment_effect`.

    Returns
    -------
    Answer
        With the result ``effects``.
    """
    found = treatment_effect(
        f"{outcome} ~ {covariates}",
        f"{treatment} ~ {covariates}",
        data,
        method=method,
        estimand=estimand,
        cov=cov,
        by=by,
        path=path,
        n_jobs=n_jobs,
    )
    asked = {"outcome": outcome, "treatment": treatment, "covariates": covariates, "method": method}
    asked |= {"estimand": estimand, "cov": cov.name, **({"by": by} if by else {}), **({"path": path} if path else {})}
    return answer(
        "treatment_effect", data, {"effects": found}, plan=None, arguments=asked, denominators={"effects": DENOMINATOR}
    )
