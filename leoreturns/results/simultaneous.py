"""Critical values and p-values of several estimates at once, from their joint covariance (sup-t).

What all of them are below together is a matter of the largest |t statistic| of estimates that are jointly normal, or of
the multivariate t distribution where degrees of freedom are few (Montiel Olea and Plagborg-Moller 2019; Hothorn, Bretz
and Westfall 2008). Such a vector is a direction times a length that is independent of it, so that

    P(max |T| <= c) = E F((c / m)**2 / r),    m the largest of |S u|,  S S the correlation,

over directions u in the r dimensions of the correlation, with F the distribution F(r, df) (Deak 1980). The mean over
fixed directions is smooth in c and good to a thousandth of c; for one estimate, or several that move as one, it is
exact. Symmetric roots and projections hang on no choice of basis.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, special, stats

from leoreturns._typing import FloatArray

DIRECTIONS, SLICE, SEED = 1 << 16, 1 << 12, 2019
SINGULAR = 1e-10  # share of the largest eigenvalue below which one is rounding


class LargestOf:
    """Distribution of the largest of several |t statistics|.

    Parameters
    ----------
    covariance : float64 of shape (k, k)
        Of the estimates; those without a variance do not take part.
    df : float
        Degrees of freedom; infinite for the normal distribution.
    """

    __slots__ = ("_df", "_largest", "_rank", "n")

    def __init__(self, covariance: FloatArray, df: float) -> None:
        errors = np.sqrt(np.diag(covariance))
        used = np.isfinite(errors) & (errors > 0)
        self.n, self._df = int(used.sum()), df
        correlation = covariance[np.ix_(used, used)] / np.outer(errors[used], errors[used])
        values, vectors = np.linalg.eigh(correlation)
        kept = values > SINGULAR * values.max(initial=0.0)
        values, vectors = values[kept], vectors[:, kept]
        self._rank = len(values)
        # In one dimension every direction is as good as any.
        whole = (vectors * np.sqrt(values)) @ vectors.T, vectors @ vectors.T
        self._largest = np.ones(1) if self._rank == 1 else _largest(*whole)

    def pvalue(self, statistic: float) -> float:
        """Return the chance that any is as large: the p-value of one of them, adjusted for all."""
        if not self.n or np.isnan(statistic):
            return np.nan
        with np.errstate(divide="ignore"):
            size = (statistic / self._largest) ** 2
        if np.isinf(self._df):
            return float(special.chdtrc(self._rank, size).mean())
        return float(special.fdtrc(self._rank, self._df, size / self._rank).mean())

    def critical(self, level: float) -> float:
        """Return what all are below with a chance of `level`; NaN where none takes part."""
        if not self.n:
            return np.nan
        # Between one estimate's own and Bonferroni's; a little wider, for rounding and the directions.
        low, high = (float(stats.t.isf((1.0 - level) / (2 * n), self._df)) for n in (1, self.n))
        return float(optimize.brentq(lambda c: self.pvalue(c) - (1.0 - level), 0.99 * low, 1.1 * high, xtol=1e-10))


def _largest(root: FloatArray, onto: FloatArray) -> FloatArray:
    """Return the largest entry of the root times each direction, in the space that a projection maps onto."""
    draw = np.random.Generator(np.random.Philox(key=SEED))
    parts = []
    for _ in range(DIRECTIONS // SLICE if len(root) else 0):
        normal = draw.standard_normal((SLICE, len(root)))
        parts.append(np.abs(normal @ root).max(axis=1) / np.linalg.norm(normal @ onto, axis=1))
    return np.concatenate(parts) if parts else np.empty(0)
