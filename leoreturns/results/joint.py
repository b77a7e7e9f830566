"""Joint: the results of several calls under one plan, with the covariance of everything they estimate."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Joint:
    """Results that share their replicates.

    Attributes
    ----------
    results : tuple
        What each call returned, in the order of the calls.
    index : pandas.MultiIndex of length k
        One entry per estimate: ``call`` (from 0), ``statistic`` and ``cell`` (such as "union: yes, year: 1987").
    point : float64 of shape (k,)
        The estimates.
    matrix : float64 of shape (k, k)
        Their covariance over the replicates in which all of them are defined.
    n_replicates : int
        Number of those.
    level : float
        Level of intervals.
    """

    results: tuple[Any, ...]
    index: pd.MultiIndex
    point: FloatArray
    matrix: FloatArray
    n_replicates: int
    level: float

    @property
    def estimates(self) -> pd.Series[float]:
        """The estimates by call, statistic and cell."""
        return pd.Series(self.point, index=self.index, name="estimate")

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the estimates, labelled both ways."""
        return pd.DataFrame(self.matrix, index=self.index, columns=self.index)

    def combine(self, weights: Mapping[Hashable, float]) -> pd.Series[float]:
        """Return a weighted sum of estimates with its standard error and normal interval.

        Parameters
        ----------
        weights : mapping of (call, statistic, cell) -> float
            ``{(0, "mean", "union: yes"): 1, (1, "mean", "union: yes"): -1}`` is the difference between two tables.

        Returns
        -------
        pandas.Series
            ``estimate``, ``se``, ``low``, ``high``.

        Raises
        ------
        SupportError
            If an estimate is not there, or several have that name.
        """
        combined = np.zeros(len(self.point))
        for label, weight in weights.items():
            named = isinstance(label, tuple) and len(label) == 3
            places = np.flatnonzero(self.index == label) if named else np.empty(0, dtype=np.int64)
            if len(places) != 1:
                known = "several estimates" if len(places) else "no estimate"
                raise SupportError(f"{known} {label!r}: an estimate is (call, statistic, cell), see joint.index")
            combined[places[0]] = weight
        used = np.flatnonzero(combined)
        estimate = float(combined[used] @ self.point[used])
        variance = float(combined[used] @ self.matrix[np.ix_(used, used)] @ combined[used])
        error = math.sqrt(max(variance, 0.0))  # NaN stays NaN
        reach = NormalDist().inv_cdf(0.5 + self.level / 2) * error
        return pd.Series({"estimate": estimate, "se": error, "low": estimate - reach, "high": estimate + reach})

    def __repr__(self) -> str:
        return (
            f"<Joint: {len(self.results):,} results, {len(self.point):,} estimates, {self.n_replicates:,} replicates>"
        )
