"""The covariance of numbers from what each unit adds to their errors."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.estimation.covariance import Clustered, Robust, with_variances
from leoreturns.estimation.covariates import Units
from leoreturns.estimation.design import Variables


def influence_covariance(
    rows: FloatArray, units: Units, variables: Variables, cov: Robust | Clustered
) -> tuple[FloatArray, float, dict[str, int]]:
    """Return the covariance of numbers, the degrees of freedom of their tests, and the clusters by column.

    Parameters
    ----------
    rows : float64 of shape (m, n)
        What each unit adds to the error of each number.
    units : Units
    variables : Variables
    cov : Robust or Clustered
        ``Robust("HC0")``, ``Robust("HC1")``, or clusters; those of several columns are crossed as Cameron, Gelbach and
        Miller (2011) do.

    Raises
    ------
    SupportError
        For a single cluster.
    """
    if isinstance(cov, Robust):
        n = units.n
        return rows @ rows.T * (n / (n - 1) if cov.kind == "HC1" else 1.0), np.inf, {}
    joint, counts = np.zeros((len(rows), len(rows))), dict[str, int]()
    for size in range(1, len(cov.clusters) + 1):
        for names in combinations(cov.clusters, size):
            columns = tuple(dict.fromkeys(part for name in names for part in name.split("^")))
            codes = variables.coded(columns, labelled=False)
            own = units.take(codes.codes, codes.level)
            sums = np.stack([np.bincount(own, row, minlength=codes.n_levels) for row in rows])
            counts["^".join(names)] = len(np.unique(own))
            joint += (-1.0) ** (size - 1) * (sums @ sums.T)
    clusters = {name: counts[name] for name in cov.clusters}
    fewest = min(clusters.values())
    if fewest < 2:
        raise SupportError("a clustered covariance needs two clusters or more, and there is one")
    return with_variances(joint * fewest / (fewest - 1)), float(fewest - 1), clusters
