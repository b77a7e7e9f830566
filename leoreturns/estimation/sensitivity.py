"""How strong confounding would have to be: Oster's delta, robustness values with benchmarks, Rosenbaum's bounds.

All but the last need no data: the partial correlations that they are made of stand in the classical covariance of the
regression, ``s^2 (X'X)^-1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.results.contour_chart import ContourChart, Quantity, what_is_left
from leoreturns.results.estimate import Estimate

UNADJUSTED = "unadjusted"


@dataclass(frozen=True, slots=True)
class Robustness:
    """What an omitted variable would have to explain to change a coefficient (Cinelli and Hazlett 2020).

    Attributes
    ----------
    term : str
    partial_r2 : float
        Of the outcome by the term, given the others.
    value : float
        Share of what is left of both outcome and term that it would have to explain to bring the coefficient to zero.
    value_significant : float
        The same to bring its interval to zero.
    level : float
        Of the interval.
    benchmarks : pandas.DataFrame
        For omitted variables ``times`` as strong as a covariate: the partial R2 with the term (``r2_term``) and with
        the outcome (``r2_outcome``), and the coefficient, standard error and t that would remain.
    fit : Estimate
        The regression.
    """

    term: str
    partial_r2: float
    value: float
    value_significant: float
    level: float
    benchmarks: pd.DataFrame
    fit: Estimate

    def contours(self, quantity: Quantity = "coefficient", *, title: str = "") -> ContourChart:
        """Return the chart of what an omitted variable would leave, with the benchmarks, to be drawn at release."""
        return ContourChart(self.fit, self.term, self.benchmarks, quantity, self.level, title)

    def __repr__(self) -> str:
        text = f"Robustness value of {self.term}: {self.value:.4f}, of its interval {self.value_significant:.4f}"
        return text if self.benchmarks.empty else f"{text}\n{self.benchmarks.to_string(index=False)}"


def robustness_value(
    fit: Estimate, term: str, *, benchmarks: Sequence[str] = (), times: Sequence[int] = (1, 2, 3), level: float = 0.95
) -> Robustness:
    """Say how strong an omitted variable would have to be to explain a coefficient away.

    Parameters
    ----------
    fit : Estimate
        Of least squares with ``cov=lr.Unadjusted()``.
    term : str
        Its coefficient of interest.
    benchmarks : sequence of str
        Covariates that strength is compared with.
    times : sequence of int
        How many times as strong.
    level : float

    Returns
    -------
    Robustness

    Raises
    ------
    SupportError
        For another covariance, an unknown name, or a benchmark too strong to be exceeded so many times.
    """
    _classical(fit)
    at = _place(fit, term)
    coefficient, error, df = fit.values[at], np.sqrt(fit.covariance[at, at]), fit.df_resid
    t = coefficient / error
    f = abs(t) / np.sqrt(df)
    critical = stats.t.isf((1 - level) / 2, df - 1) / np.sqrt(df - 1)
    rows = []
    for name in benchmarks:
        own = _place(fit, name)
        r2_term = fit.covariance[at, own] ** 2 / (fit.covariance[at, at] * fit.covariance[own, own])
        other = fit.values[own] ** 2 / fit.covariance[own, own]
        r2_outcome = other / (other + df)
        rows += [_benchmark(name, k, r2_term, r2_outcome, float(coefficient), float(error), df) for k in times]
    # Where f exceeds 1 / critical the outcome's share would be above 1: then the term's alone decides.
    significant = (f**2 - critical**2) / (1 + f**2) if f * critical > 1 else _value(max(f - critical, 0.0))
    return Robustness(term, float(t**2 / (t**2 + df)), _value(f), float(significant), level, pd.DataFrame(rows), fit)


def _value(f: float) -> float:
    return float(0.5 * (np.sqrt(f**4 + 4 * f**2) - f**2))


def _benchmark(
    name: str, times: int, r2_term: float, r2_outcome: float, coefficient: float, error: float, df: float
) -> dict[str, object]:
    """Return what an omitted variable some times as strong as a covariate would leave (their equation 12)."""
    if times * r2_term >= 1:
        raise SupportError(f"nothing can be {times} times as strong as '{name}', which explains {r2_term:.0%}")
    with_term = times * r2_term / (1 - r2_term)
    crossed = times * r2_term**2 / ((1 - times * r2_term) * (1 - r2_term))
    with_outcome = ((np.sqrt(times) + np.sqrt(crossed)) / np.sqrt(1 - crossed)) ** 2 * r2_outcome / (1 - r2_outcome)
    if with_term >= 1 or not with_outcome < 1:
        raise SupportError(f"nothing can be {times} times as strong as '{name}'")
    left, spread = map(float, what_is_left(coefficient, error, df, np.array(with_term), np.array(with_outcome)))
    return {
        "benchmark": name,
        "times": times,
        "r2_term": with_term,
        "r2_outcome": with_outcome,
        "coefficient": left,
        "std_error": spread,
        "t": left / spread,
    }


@dataclass(frozen=True, slots=True)
class Selection:
    """Selection on what is not observed, relative to what is (Oster 2019).

    Attributes
    ----------
    term : str
    short, long : float
        Coefficient without and with the controls.
    r2_max : float
        R2 with everything that matters among the regressors.
    delta : float
        How many times as strong selection on the unobserved would have to be for no effect.
    adjusted : tuple of float
        Effects under selection as strong as on the observed; several where the equation has several roots, the one
        nearest to `long` first.
    """

    term: str
    short: float
    long: float
    r2_max: float
    delta: float
    adjusted: tuple[float, ...]


def oster(short: Estimate, long: Estimate, *, term: str, r2_max: float | None = None) -> Selection:
    """Relate the movement of a coefficient to that of R2 when controls are added.

    Parameters
    ----------
    short, long : Estimate
        Least squares of one outcome on one sample with ``cov=lr.Unadjusted()``, without and with the controls.
    term : str
    r2_max : float, optional
        By default 1.3 times that of `long`, at most 1, which is Oster's suggestion.

    Raises
    ------
    SupportError
        For regressions that cannot be compared, or R2 out of order.
    """
    for fit in (short, long):
        _classical(fit)
    if short.outcome != long.outcome or short.nobs != long.nobs:
        raise SupportError("short and long are regressions of one outcome on the same rows")
    r2_max = min(1.0, 1.3 * long.r2) if r2_max is None else r2_max
    if not short.r2 < long.r2 <= r2_max <= 1:
        raise SupportError(
            f"R2 must rise from short ({short.r2:.4f}) to long ({long.r2:.4f}) to r2_max ({r2_max:.4f}), at most 1"
        )
    b0, b1 = (float(fit.values[_place(fit, term)]) for fit in (short, long))
    n = long.nobs
    variance = float(long.fit["tss"]) / n
    # What is left of the term's variance: s^2 over the variance of its coefficient.
    raw, left = (
        float(fit.fit["rss"] / fit.df_resid / fit.covariance[_place(fit, term), _place(fit, term)]) / n
        for fit in (short, long)
    )
    top = np.array(
        [
            0.0,
            (long.r2 - short.r2) * variance * left + raw * left * (b0 - b1) ** 2,
            2 * left * (b0 - b1) * raw,
            left * raw - left**2,
        ]
    )
    bottom = np.array(
        [
            (r2_max - long.r2) * variance * (b0 - b1) * raw,
            (r2_max - long.r2) * variance * (raw - left),
            left * (b0 - b1) * raw,
            left * raw - left**2,
        ]
    )
    powers = b1 ** np.arange(4)
    with np.errstate(divide="ignore"):
        delta = float(np.divide(top @ powers, bottom @ powers))
    roots = np.polynomial.Polynomial(bottom - top).roots()
    moves = np.sort_complex(roots[np.abs(roots.imag) < 1e-9 * (1 + np.abs(roots))]).real
    adjusted = sorted((b1 - moves).tolist(), key=lambda value: abs(value - b1))
    return Selection(term, b0, b1, r2_max, delta, tuple(adjusted))


def rosenbaum_bounds(differences: FloatArray, gammas: Sequence[float]) -> pd.DataFrame:
    """Bound the p-value of Wilcoxon's signed-rank test when matched pairs differ in what is not observed.

    Parameters
    ----------
    differences : float64 of shape (n,)
        Treated less control of each pair. A pair without a difference keeps its rank and adds nothing to the
        statistic, as in Rosenbaum (Observational Studies, 2002, section 4.3).
    gammas : sequence of float
        How many times as likely one of a pair may be to be treated as the other; 1 for none.

    Returns
    -------
    pandas.DataFrame
        Columns ``gamma``, ``statistic``, ``p_low`` and ``p_high``: one-sided, of a positive effect.
    """
    if any(not gamma >= 1 for gamma in gammas):
        raise ValueError("gammas are 1 or more")
    missing = int((~np.isfinite(differences)).sum())
    if missing or not np.any(differences):
        raise SupportError(
            f"the signed-rank test needs pairs that differ: {missing:,} of {len(differences):,} differences are "
            f"missing or infinite, and {int(np.count_nonzero(differences == 0)):,} are zero"
        )
    ranks = stats.rankdata(np.abs(differences))
    counted = ranks[differences != 0]
    statistic = float(ranks[differences > 0].sum())
    rows = []
    for gamma in gammas:
        bounds = []
        for p in (1 / (1 + gamma), gamma / (1 + gamma)):
            spread = np.sqrt(p * (1 - p) * (counted @ counted))
            bounds.append(float(stats.norm.sf((statistic - p * counted.sum()) / spread)))
        rows.append({"gamma": gamma, "statistic": statistic, "p_low": bounds[0], "p_high": bounds[1]})
    return pd.DataFrame(rows)


def _classical(fit: Estimate) -> None:
    if fit.cov_name != UNADJUSTED or fit.method != "OLS":
        raise SupportError(
            "this is defined by least squares with its classical covariance: estimate with lr.Unadjusted()"
        )


def _place(fit: Estimate, name: str) -> int:
    if name not in fit.names:
        raise SupportError(f"no coefficient {name!r}; there are {', '.join(fit.names)}")
    return fit.names.index(name)
