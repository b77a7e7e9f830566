"""Tests of hypotheses, and whether a covariance can support one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from leoreturns._typing import FloatArray

SINGULAR = 1e-12  # eigenvalue of a correlation matrix that is nought but for rounding


@dataclass(frozen=True, slots=True)
class Test:
    """A test of a hypothesis.

    Attributes
    ----------
    statistic : float
    df : tuple of float
        Degrees of freedom of the numerator and the denominator of F.
    pvalue : float
    """

    statistic: float
    df: tuple[float, float]
    pvalue: float

    def __repr__(self) -> str:
        return f"F({self.df[0]:g}, {self.df[1]:g}) = {self.statistic:.4f}, p = {self.pvalue:.4f}"


def definite(cov: FloatArray) -> bool:
    """Whether a covariance is positive definite, in units in which the variances are one."""
    variances = np.diag(cov)
    if not np.all(variances > 0):
        return False
    scale = np.sqrt(variances)
    return bool(np.linalg.eigvalsh(cov / np.outer(scale, scale)).min(initial=1.0) > SINGULAR)


def f_test(values: FloatArray, cov: FloatArray, df: float) -> Test:
    """Test that values with a covariance are all zero: Wald's statistic over its number, as F.

    NaN where the covariance is singular: fewer clusters than values, or a negative variance set to zero.
    """
    rank = len(values)
    if not rank or not definite(cov):
        return Test(np.nan, (float(rank), df), np.nan)
    statistic = float(values @ np.linalg.solve(cov, values)) / rank
    return Test(statistic, (float(rank), df), float(stats.f.sf(statistic, rank, df)))
