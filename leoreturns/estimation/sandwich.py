"""Covariance of means from what each unit adds to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError


def clustered_sandwich(
    clusters: Sequence[str], sums_of: Callable[[tuple[str, ...]], tuple[FloatArray, int]]
) -> tuple[FloatArray, float, dict[str, int]]:
    """Return the cluster-robust covariance of m numbers, by one or several clusters.

    Several are crossed as Cameron, Gelbach and Miller (2011, J. Business and Economic Statistics 29) do: the sum of the
    covariances by each, less those by each two together, and so on; times ``G / (G - 1)`` with G the fewest clusters.

    Parameters
    ----------
    clusters : sequence of str
        Columns of clusters.
    sums_of : callable
        Given one or several of the columns, what the units of each cluster add to the numbers, float64 of shape (m, G),
        and the number of clusters that there are.

    Returns
    -------
    covariance : float64 of shape (m, m)
    df : float
        Degrees of freedom of tests, ``G - 1``.
    counts : mapping of column -> int
        Clusters.

    Raises
    ------
    SupportError
        For a single cluster.
    """
    joint: FloatArray = np.zeros((1, 1))
    counts: dict[tuple[str, ...], int] = {}
    for size in range(1, len(clusters) + 1):
        for columns in combinations(clusters, size):
            sums, counts[columns] = sums_of(columns)
            joint = joint + (-1.0) ** (size - 1) * (sums @ sums.T)
    each = {name: counts[name,] for name in clusters}
    fewest = min(each.values())
    if fewest < 2:
        raise SupportError("a clustered covariance needs two clusters or more, and there is one")
    return fewest / (fewest - 1) * joint, float(fewest - 1), each
