"""A statistic from what the kernels return: the same rule for the sample and for every replicate of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from leoreturns._typing import AnyArray, FloatArray, WeightKind
from leoreturns.aggregates.statistics import Statistic


@dataclass(frozen=True, slots=True)
class Parts:
    """What statistics are made of; arrays of one shape, over cells or over cells and replicates.

    Attributes
    ----------
    total, mean, variance : float64 or None
        Weighted sum, mean and variance; None where no statistic needs them.
    percentiles : mapping of percentile number -> float64
    ordered : mapping of statistic name -> float64
        Gini and top shares.
    """

    total: FloatArray | None
    mean: FloatArray | None
    variance: FloatArray | None
    percentiles: Mapping[int, FloatArray]
    ordered: Mapping[str, FloatArray]

    def at(self, cells: slice | int | np.integer[Any]) -> Parts:
        """Return the parts of some cells."""

        def take(part: FloatArray | None) -> FloatArray | None:
            return None if part is None else part[cells]

        return Parts(
            take(self.total),
            take(self.mean),
            take(self.variance),
            {number: part[cells] for number, part in self.percentiles.items()},
            {name: part[cells] for name, part in self.ordered.items()},
        )


def evaluate(entry: Statistic, parts: Parts) -> FloatArray:
    """Return a statistic that is not a count."""
    if entry.source == "order":
        return parts.ordered[entry.name]
    if entry.source == "percentiles":
        at = [parts.percentiles[number] for number in entry.percentiles]
        if entry.name == "iqr":
            return at[1] - at[0]
        if entry.family == "ratio":
            return np.divide(at[0], at[1], out=np.full_like(at[0], np.nan), where=at[1] > 0)
        return at[0]
    moment = {
        "sum": parts.total,
        "mean": parts.mean,
        "share": parts.mean,
        "var": parts.variance,
        "sd": None if parts.variance is None else np.sqrt(parts.variance),
    }[entry.name]
    assert moment is not None  # whoever made the parts was asked for it
    return moment


def variance_of(squares: FloatArray, weight: FloatArray, n: AnyArray, kind: WeightKind | None) -> FloatArray:
    """Return the variance with the divisor of the weights' kind; NaN where that is not positive.

    Parameters
    ----------
    squares, weight, n : float64, of one shape
        Weighted sum of squared deviations, sum of weights, number of values.
    kind : "frequency", "probability" or None
        Without weights, ``weight`` is the number of values.
    """
    divisor = weight * (n - 1) / np.maximum(n, 1) if kind == "probability" else weight - 1.0
    variance: FloatArray = np.divide(squares, divisor, out=np.full(squares.shape, np.nan), where=divisor > 0)
    return variance
