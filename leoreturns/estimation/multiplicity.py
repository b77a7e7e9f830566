"""Several hypotheses at once: Romano and Wolf's step-down p-values from joint draws, and false discovery rates.

A draw hangs on the key of its person or cluster alone. Regressions of one call, or of several, that are drawn under one
plan are therefore drawn together, whatever their samples: the joint distribution of their statistics costs no more than
keeping the replicates of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import stats

from leoreturns._typing import FloatArray, Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.clusters import ClusterMoments
from leoreturns.estimation.covariance import Clustered, Covariance, Found, SmallSample
from leoreturns.estimation.design import Design, Variables
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.ols import feols
from leoreturns.estimation.resampled import Resampled, covariance_of, replicates
from leoreturns.estimation.scores import Collector, Gathered
from leoreturns.estimation.wild import WildCluster, drawn_statistics
from leoreturns.panel.panel import Panel
from leoreturns.results.adjusted import AdjustedTests
from leoreturns.results.estimate import Estimate, Estimates

Rate = Literal["benjamini-hochberg", "benjamini-yekutieli"]
SCIPY = {"benjamini-hochberg": "bh", "benjamini-yekutieli": "by"}
ROUND_OFF = 1e-10  # statistics that differ by rounding are one
Draws = dict[tuple[str, str], tuple[float, FloatArray]]


@dataclass(frozen=True, slots=True)
class Drawing(Covariance):
    """A covariance that also hands statistics and their draws to the caller who made it; they stay in no result.

    Attributes
    ----------
    cov : Resampled or WildCluster
    draws : mapping of (regression, coefficient) -> (float, float64 of shape (B,))
        Filled by the fits: the statistic of no effect, and its draws under the null.
    numbered : mapping of regression -> set of int
        Filled by the fits that take all vectors of signs in place of draws: the keys of the clusters.
    """

    cov: Resampled | WildCluster
    draws: Draws = field(default_factory=dict)
    numbered: dict[str, frozenset[int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name for tables."""
        return self.cov.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of clusters."""
        return self.cov.columns

    @property
    def clusterings(self) -> tuple[str, ...]:
        """The way of clustering."""
        return self.cov.clusterings

    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Gather what the covariance gathers."""
        return self.cov.collectors(design, fit, variables)

    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return the covariance (that of the wild bootstrap without its intervals) and keep the draws."""
        text = fit.model.specification.text
        first = all(regression != text for regression, _ in self.draws)  # not one of its first stages
        if isinstance(self.cov, WildCluster):
            if first:
                statistics, keys = drawn_statistics(design, fit, self.cov)
                self.draws.update({(text, name): found for name, found in statistics.items()})
                if statistics and self.cov.replicates_are_all(len(keys)):
                    self.numbered[text] = frozenset(keys.tolist())
            clustered = Clustered(self.cov.cluster)
            return clustered.estimate(design, fit, gathered, inverse, ssc, variables)
        clusters = ClusterMoments(design, fit, self.cov.plan.unit)
        drawn = replicates(clusters, self.cov.plan)
        found = covariance_of(drawn, clusters, self.cov.plan)
        if first:
            errors = np.sqrt(np.diag(found.cov))
            for at, name in enumerate(fit.names):
                apart = (drawn[:, at] - fit.beta[at]) / errors[at]
                self.draws[text, name] = (float(fit.beta[at] / errors[at]), apart)
        return found


def romano_wolf(
    formula: str,
    data: Panel | pd.DataFrame,
    *,
    cov: Resampled | WildCluster,
    params: Sequence[str],
    weights: Weights | None = None,
    where: str | None = None,
    ssc: SmallSample | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> AdjustedTests:
    """Test several coefficients, of one regression or many, with control of the familywise error rate.

    Parameters
    ----------
    formula : str
        As in `feols`; several outcomes and stepwise sets give the families that are usually tested together.
    data : Panel or pandas.DataFrame
    cov : Resampled or WildCluster
        Where the joint draws come from. Under `Resampled` a statistic is a coefficient over its bootstrap standard
        error, its draws are centred at the estimate; under `WildCluster` (whose `params` must be these) it is the t
        statistic, its draws are those under the null.
    params : sequence of str
        Coefficients to test in every regression that has them.
    weights, where, ssc, person, n_jobs
        As in `feols`.

    Returns
    -------
    AdjustedTests
        The p-values of the hypotheses alone are from the same draws; at the level of the adjusted ones the familywise
        error rate is controlled.

    Raises
    ------
    SupportError
        If a coefficient is in none of the regressions, or all vectors of signs are taken of clusters that are not those
        of the other regressions: signs that are numbered through, not drawn by key, do not belong together then.

    References
    ----------
    Romano and Wolf (2005, Econometrica 73; 2016, Statistics and Probability Letters 113), Clarke, Romano and Wolf
    (2020, Stata Journal 20). p-values count the estimate itself among the draws, unless all sign vectors were taken.
    """
    if not isinstance(cov, Resampled | WildCluster):
        raise TypeError("cov is lr.Resampled(plan) or lr.WildCluster(...): the adjustment needs joint draws")
    if isinstance(cov, WildCluster) and set(params) - set(cov.params):
        raise SupportError("WildCluster draws for its own params alone: name the same coefficients there")
    drawing = Drawing(cov)
    found = feols(formula, data, cov=drawing, weights=weights, where=where, ssc=ssc, person=person, n_jobs=n_jobs)
    models, tested = hypotheses(found, params)
    _check_same_clusters(drawing.numbered, models)
    observed = np.array([drawing.draws[each][0] for each in tested])
    under_null = np.abs(np.array([drawing.draws[each][1] for each in tested]))
    under_null = under_null[:, np.isfinite(under_null).all(axis=0)]
    exact = bool(drawing.numbered)  # of all vectors of signs, those of the estimate are among them
    alone = [step_down(observed[at : at + 1], under_null[at : at + 1], exact=exact)[0] for at in range(len(tested))]
    adjusted = step_down(observed, under_null, exact=exact)
    how = "Romano and Wolf's step-down"
    return AdjustedTests(how, models, tested, observed, np.array(alone), adjusted)


def _check_same_clusters(numbered: Mapping[str, frozenset[int]], models: Mapping[str, Estimate]) -> None:
    """Refuse regressions of which some take all vectors of signs, unless all do of the same clusters."""
    shared = frozenset.intersection(*numbered.values()) if numbered else frozenset()
    if numbered and (len(numbered) < len(models) or any(len(keys) > len(shared) for keys in numbered.values())):
        counts = "; ".join(f"{min(model.n_clusters.values()):,} in '{label}'" for label, model in models.items())
        raise SupportError(
            f"all vectors of signs are taken, and the clusters of the regressions are not the same: {counts}, "
            f"{len(shared):,} in all of them. Keep the rows that all have, or draw: signs='webb'"
        )


def hypotheses(
    estimates: Estimate | Estimates, params: Sequence[str]
) -> tuple[dict[str, Estimate], tuple[tuple[str, str], ...]]:
    """Return the regressions by label, and the label and name of each coefficient tested."""
    if isinstance(params, str) or not params or "Intercept" in params:
        raise TypeError("params names the coefficients to test, such as params=['union'], the intercept not among them")
    fits = {estimates.formula: estimates} if isinstance(estimates, Estimate) else dict(estimates.results)
    tested = tuple((label, name) for label, fit in fits.items() for name in params if name in fit.names)
    if lost := [name for name in params if name not in {each for _, each in tested}]:
        raise SupportError(f"no regression has a coefficient {', '.join(map(repr, lost))}")
    return {label: fits[label] for label in dict.fromkeys(label for label, _ in tested)}, tested


def step_down(observed: FloatArray, draws: FloatArray, *, exact: bool) -> FloatArray:
    """Return step-down p-values: each hypothesis against the largest draw of those no more significant than it.

    Parameters
    ----------
    observed : float64 of shape (s,)
        Statistics.
    draws : float64 of shape (s, B)
        Absolute statistics under the null, drawn jointly.
    exact : bool
        Whether the draws are all there are; else the statistic itself counts as one more.
    """
    size = np.abs(observed)
    order = np.argsort(-size, kind="stable")
    largest = np.maximum.accumulate(draws[order][::-1], axis=0)[::-1]
    beyond = (largest >= size[order, None] * (1.0 - ROUND_OFF)).sum(axis=1)
    count = draws.shape[1]
    found = np.empty(len(observed))
    found[order] = np.maximum.accumulate(beyond / count if exact else (beyond + 1.0) / (count + 1.0))
    return found


def false_discovery(
    estimates: Estimate | Estimates, params: Sequence[str], *, method: Rate = "benjamini-hochberg"
) -> AdjustedTests:
    """Adjust the p-values of several coefficients for the rate of false discoveries.

    Parameters
    ----------
    estimates : Estimate or Estimates
    params : sequence of str
        Coefficients to test in every regression that has them.
    method : "benjamini-hochberg" or "benjamini-yekutieli"
        For tests that are independent or positively dependent, or for any dependence.

    Returns
    -------
    AdjustedTests
        The p-values of the hypotheses alone are those of the estimates.

    References
    ----------
    Benjamini and Hochberg (1995, J. Royal Statistical Society B 57), Benjamini and Yekutieli (2001, Annals of
    Statistics 29).
    """
    if method not in get_args(Rate):
        raise ValueError(f"method is one of {', '.join(map(repr, get_args(Rate)))}, not {method!r}")
    models, tested = hypotheses(estimates, params)
    t, p = (np.array([getattr(models[label], part)[name] for label, name in tested]) for part in ("tstats", "pvalues"))
    adjusted = stats.false_discovery_control(p, method=SCIPY[method])
    how = f"the rate of false discoveries ({method})"
    return AdjustedTests(how, models, tested, t, p, adjusted)
