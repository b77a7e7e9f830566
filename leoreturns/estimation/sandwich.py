"""Covariance of means from what each unit adds to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.estimation.covariance import Clustered, Robust, with_variances
from leoreturns.estimation.covariates import Units
from leoreturns.estimation.design import Variables


def clustered_sandwich(
    clusters: Sequence[str], sums_of: Callable[[tuple[str, ...]], tuple[FloatArray, int]]
) -> tuple[FloatArray, float, dict[str, int]]:
    """Return the cluster-robust covariance of m numbers, by one or several clusters.

    Several are crossed as Cameron, Gelbach and Miller (2011, J. Business and Economic Statistics 29) do: the sum of the
    covariances by each, less those by each two together, and so on; times ``G / (G - 1)`` with G the fewest clusters.

    Parameters
    ----------
    clusters : sequence of str
        Columns of clusters, or combinations such as ``"cohort^region"``.
    sums_of : callable
        Given the columns whose combinations are clusters, what the units of each add to the numbers, float64 of shape
        (m, G), and the number of clusters that there are.

    Returns
    -------
    covariance : float64 of shape (m, m)
    df : float
        Degrees of freedom of tests, ``G - 1``.
    counts : mapping of str -> int
        Clusters.

    Raises
    ------
    SupportError
        For a single cluster.
    """
    joint: FloatArray = np.zeros((1, 1))
    counts: dict[tuple[str, ...], int] = {}
    for size in range(1, len(clusters) + 1):
        for names in combinations(clusters, size):
            columns = tuple(dict.fromkeys(part for name in names for part in name.split("^")))
            sums, counts[names] = sums_of(columns)
            joint = joint + (-1.0) ** (size - 1) * (sums @ sums.T)
    each = {name: counts[name,] for name in clusters}
    fewest = min(each.values())
    if fewest < 2:
        raise SupportError("a clustered covariance needs two clusters or more, and there is one")
    return fewest / (fewest - 1) * joint, float(fewest - 1), each


def influence_covariance(
    rows: FloatArray, units: Units, variables: Variables, cov: Robust | Clustered
) -> tuple[FloatArray, float, dict[str, int]]:
    """Return the covariance of m numbers of one sample, the degrees of freedom of their tests, and the clusters.

    Parameters
    ----------
    rows : float64 of shape (m, n)
        What each unit adds to the error of each number.
    units : Units
    variables : Variables
    cov : Robust or Clustered
        ``Robust("HC0")``, ``Robust("HC1")``, or clusters.

    Raises
    ------
    SupportError
        For a single cluster.
    """
    if isinstance(cov, Robust):
        n = units.n
        return rows @ rows.T * (n / (n - 1) if cov.kind == "HC1" else 1.0), np.inf, {}

    def sums_of(columns: tuple[str, ...]) -> tuple[FloatArray, int]:
        codes = variables.coded(columns, labelled=False)
        own = units.take(codes.codes, codes.level)
        return np.stack([np.bincount(own, row, minlength=codes.n_levels) for row in rows]), len(np.unique(own))

    joint, df, counts = clustered_sandwich(cov.clusters, sums_of)
    return with_variances(joint), df, counts
