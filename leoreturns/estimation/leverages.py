"""Leverages of clusters and effective numbers of clusters, gathered in the second scan.

A cluster's leverage is the trace of its block of the hat matrix; its partial leverage for a coefficient is its share in
the squares of the regressor that all others leave (MacKinnon, Nielsen and Webb 2023, Stata Journal 23). The effective
number of clusters of Carter, Schnepel and Steigerwald (2017, Review of Economics and Statistics 99) is
``G / (1 + CV^2)`` of a number per cluster: the partial leverages for errors independent within clusters, the squared
sums of the same residuals for perfectly correlated ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from leoreturns._core import scores as kernel
from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import ClusterWarning
from leoreturns.estimation.columns import taken
from leoreturns.estimation.covariance import Clusters, Covariance, clusters_of, summed_by_person
from leoreturns.estimation.design import INTERCEPT, Design, Variables
from leoreturns.estimation.evidence import LARGEST, LEVERAGE, SHARES
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.scores import Scored, Summed
from leoreturns.results.clusters import ClusterFigures
from leoreturns.results.estimate import Estimate

NOUGHT = 1e-18  # of the sum of squared sums if all rows had one sign: rounding of sums that the effects make nought


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClusterLeverages(Summed):
    """Shares, sums of residualised regressors and leverages of every cluster.

    Attributes
    ----------
    name : str
        As the covariance names the clusters.
    way : Clusters
    rows : int64 array
        Rows of each cluster in the sample.
    persons : bool
        Whether the clusters are persons whose numbers the evidence has already: then nothing is gathered.
    """

    name: str
    way: Clusters
    rows: IntArray
    persons: bool

    def zeros(self, fit: Fit) -> FloatArray:
        """Return the array of no rows."""
        return np.zeros((0 if self.persons else self.way.codes.n_levels, 2 * len(fit.beta) + 1))

    def add(self, scored: Scored, out: FloatArray) -> None:
        """Add a block."""
        if self.persons:
            return
        own = scored.own
        shares = own * own / np.diag(scored.fit.inverse)[:, None]
        sums = own * np.sqrt(scored.weights) if len(scored.weights) else own
        leverage = np.einsum("ki,ki->i", own, scored.regressors)
        codes = taken(self.way.codes.codes, self.way.codes.level, scored.block)
        columns = np.concatenate([shares, sums, leverage[None, :]])
        kernel.sum_codes(columns, np.ascontiguousarray(codes, dtype=np.int32), out)

    def figures(self, fit: Fit, gathered: FloatArray, evidence: FloatArray) -> ClusterFigures:
        """Return the figures of a regression; `evidence` has the numbers of its persons."""
        k = len(fit.beta)
        if self.persons:
            effective, correlated = 1.0 / np.where(evidence[SHARES] > 0, evidence[SHARES], np.nan), np.full(k, np.nan)
            partial, leverage = evidence[LARGEST], float(evidence[LEVERAGE].max(initial=0.0))
        else:
            shares, squares = gathered[:, :k], gathered[:, k : 2 * k] ** 2
            effective = _effective(shares)
            nought = squares.sum(axis=0) <= NOUGHT * fit.moments.weight * np.diag(fit.inverse)
            correlated = np.where(nought, np.nan, _effective(squares))
            partial, leverage = shares.max(axis=0, initial=0.0), float(gathered[:, -1].max(initial=0.0))
        sizes = (int(self.rows.min()), float(np.median(self.rows)), int(self.rows.max()))
        return ClusterFigures(fit.names, self.way.count, sizes, leverage, partial, effective, correlated)


def _effective(numbers: FloatArray) -> FloatArray:
    """Return ``G / (1 + CV^2)`` of the clusters' numbers: their squared sum over their sum of squares."""
    largest = numbers.max(axis=0, initial=0.0)
    parts = numbers / np.where(largest > 0, largest, np.nan)  # so that no square leaves the range of floats
    return np.asarray(parts.sum(axis=0) ** 2 / np.einsum("gk,gk->k", parts, parts))


def cluster_leverages(design: Design, cov: Covariance, variables: Variables) -> list[ClusterLeverages]:
    """Return what gathers the figures of each column of clusters of a covariance."""
    found = []
    for name in cov.clusterings:
        way = clusters_of(design, tuple(dict.fromkeys(name.split("^"))), variables)
        persons = summed_by_person(design, way)
        rows = design.sample.rows_of_persons() if persons else design.sample.observed(way.codes)
        found.append(ClusterLeverages(name, way, rows[rows > 0], persons))
    return found


def warn_of_few(estimates: Iterable[Estimate], cov: Covariance) -> None:
    """Warn of the coefficient with the fewest effective clusters, if they are too few for the covariance."""
    found = [
        (float(effective), float(share), name, column, entry.count)
        for estimate in estimates
        for column, entry in estimate.cluster_figures.items()
        for name, effective, share in zip(entry.names, entry.effective, entry.partial_leverage, strict=True)
        if name != INTERCEPT and effective < cov.few_clusters
    ]
    if not found:
        return
    effective, share, name, column, count = min(found)
    others = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    warnings.warn(
        f"'{name}'{others} rests on {effective:.1f} effective clusters, of {count:,} of '{column}'; the largest has "
        f"{share:.0%} of its variation. {cov.advice}; Estimate.clusters() has the figures",
        ClusterWarning,
        stacklevel=3,
    )
