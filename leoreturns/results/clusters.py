"""What a clustered covariance rests on: how many clusters, how unequal, and how much of a coefficient hangs on one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from leoreturns._typing import FloatArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClusterFigures:
    """Figures of the clusters of one column.

    Attributes
    ----------
    names : tuple of str
        The k coefficients.
    count : int
        Clusters in the sample.
    rows : (int, float, int)
        Rows of the smallest, the median and the largest cluster.
    leverage : float
        Largest leverage of a cluster on the fit of the regressors, absorbed effects taken out; k / G if all are alike.
    partial_leverage : float64 of shape (k,)
        Largest share of a cluster in the squares of the regressor that the others, and the effects, leave; 1 / G if all
        are alike.
    effective : float64 of shape (k,)
        Effective number of clusters for errors independent within clusters: one over the sum of squared shares.
    effective_correlated : float64 of shape (k,)
        The same for errors perfectly correlated within clusters. NaN where the effects make the regressor's sums over
        clusters nought, and where the clusters are the persons.
    """

    names: tuple[str, ...]
    count: int
    rows: tuple[int, float, int]
    leverage: float
    partial_leverage: FloatArray
    effective: FloatArray
    effective_correlated: FloatArray

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient."""
        smallest, median, largest = self.rows
        columns = {
            "clusters": self.count,
            "effective_clusters": self.effective,
            "effective_clusters_correlated": self.effective_correlated,
            "largest_partial_leverage": self.partial_leverage,
            "largest_leverage": self.leverage,
            "smallest_rows": smallest,
            "median_rows": median,
            "largest_rows": largest,
        }
        return pd.DataFrame(columns, index=list(self.names))

    def __repr__(self) -> str:
        return f"<ClusterFigures: {len(self.names):,} coefficients>"


def figures_frame(figures: Mapping[str, ClusterFigures]) -> pd.DataFrame:
    """Return one row per column of clusters and coefficient."""
    return pd.concat({name: entry.to_frame() for name, entry in figures.items()}, names=["cluster", "name"])
