"""Influence of every sampling unit on a statistic: what accelerated intervals (BCa) are skewed by.

The acceleration is the skewness of the units' influences over six (Efron 1987, "Better bootstrap confidence
intervals"): with L the influence of a unit, the sum of those of its rows, a = sum L**3 / (6 (sum L**2)**1.5). A factor
common to all influences drops out, so that the density at a percentile matters only where two are combined.

Where a fixed number of units is drawn from each stratum of a frame, influences are deviations from their mean in the
stratum, to which the units outside the cell contribute zero (Davison and Hinkley 1997, section 5.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from leoreturns._typing import CodeArray, FloatArray, IntArray
from leoreturns.aggregates.evaluate import Parts
from leoreturns.aggregates.statistics import Statistic

NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Strata:
    """Strata of units of which a fixed number is drawn.

    Attributes
    ----------
    codes : int of shape (n_units,)
        Stratum of each unit.
    sizes : int64 of shape (n_strata,)
        Units of the whole frame in each stratum.
    """

    codes: CodeArray
    sizes: IntArray


def acceleration(
    entry: Statistic,
    values: FloatArray,
    weights: FloatArray,
    units: CodeArray,
    point: Parts,
    strata: Strata | None = None,
) -> float:
    """Return the acceleration of one statistic in one cell; NaN where no unit has an influence.

    Parameters
    ----------
    entry : Statistic
    values, weights : float64 of shape (n,)
        Values ascending.
    units : int32 of shape (n,)
        Unit of each row, numbered from 0.
    point : Parts
        The cell's statistics, as arrays of shape ().
    strata : Strata, optional
        Of the cell's units; without them units are weighted independently of each other.
    """
    # Of a cell whose values are all zero the Gini coefficient and ratios have none.
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = _influence(entry, values, weights, point)
        by_unit: FloatArray = np.bincount(units, weights=rows).astype(np.float64, copy=False)
        squares, cubes = _powers(by_unit) if strata is None else _powers_within(by_unit, strata)
    return cubes / (6.0 * math.sqrt(squares) ** 3) if squares > 0 else math.nan


def _powers(influence: FloatArray) -> tuple[float, float]:
    """Sums of squares and cubes."""
    return float((influence**2).sum()), float((influence**3).sum())


def _powers_within(influence: FloatArray, strata: Strata) -> tuple[float, float]:
    """Sums of squares and cubes about the means of the strata, over all units of the frame."""
    n_strata = len(strata.sizes)
    mean = np.bincount(strata.codes, weights=influence, minlength=n_strata) / strata.sizes
    outside = strata.sizes - np.bincount(strata.codes, minlength=n_strata)
    squares, cubes = _powers(influence - mean[strata.codes])
    return squares + float((outside * mean**2).sum()), cubes - float((outside * mean**3).sum())


def _influence(entry: Statistic, x: FloatArray, w: FloatArray, point: Parts) -> FloatArray:
    """Return the influence of every row, up to a factor common to all."""
    if entry.name == "sum":
        return w * x
    if entry.source == "percentiles":
        return w * _percentiles(entry, x, w, point)
    # Whatever else is asked for, the rows are at hand and their mean costs nothing.
    total = float(w.sum())
    mean = float((w * x).sum()) / total
    if entry.name in ("var", "sd"):
        squares = (x - mean) ** 2
        return w * (squares - float((w * squares).sum()) / total)
    if entry.name == "gini":
        return w * _gini(x, w, mean)
    if entry.source == "order":
        return w * _top_share(x, w, 1.0 - entry.percentiles[0] / 100.0, float(point.ordered[entry.name]))
    return w * (x - mean)


def _percentiles(entry: Statistic, x: FloatArray, w: FloatArray, point: Parts) -> FloatArray:
    """Influence on a percentile, p - 1(x <= q) over the density; on a range and a ratio of two."""
    at = {number: float(point.percentiles[number]) for number in entry.percentiles}
    parts = [number / 100.0 - (x <= at[number]).astype(np.float64) for number in entry.percentiles]
    if len(parts) == 1:
        return parts[0]
    first, second = (
        part * _sparsity(x, w, number / 100.0) for part, number in zip(parts, entry.percentiles, strict=True)
    )
    if entry.family == "ratio":
        # d(a / b) = (da / a - db / b) a / b
        low, high = (at[number] for number in entry.percentiles)
        return first / low - second / high
    return second - first


def _sparsity(x: FloatArray, w: FloatArray, p: float) -> float:
    """One over the density at a percentile: a difference quotient of quantiles over Bofinger's (1975) bandwidth."""
    n, z = len(x), NORMAL.inv_cdf(p)
    width: float = min(p, 1.0 - p, n**-0.2 * (4.5 * NORMAL.pdf(z) ** 4 / (2.0 * z * z + 1.0) ** 2) ** 0.2)
    reached = np.cumsum(w) / w.sum()
    low, high = np.searchsorted(reached, [p - width, p + width]).clip(0, n - 1)
    return float(x[high] - x[low]) / (2.0 * width)


def _gini(x: FloatArray, w: FloatArray, mean: float) -> FloatArray:
    """Influence on G = 2 E[x F(x)] / E[x] - 1, times the mean."""
    total = w.sum()
    mid = (np.cumsum(w) - w / 2) / total
    above = ((w * x).sum() - np.cumsum(w * x) + w * x / 2) / total
    product = 2.0 * float((w * x * mid).sum()) / total
    influence: FloatArray = 2.0 * (x * mid + above) - product - product * x / mean
    return influence


def _top_share(x: FloatArray, w: FloatArray, top: float, share: float) -> FloatArray:
    """Influence on the share of the sum above the (1 - top) percentile, times the mean."""
    reached = np.cumsum(w)
    cut = x[min(int(np.searchsorted(reached, (1.0 - top) * reached[-1])), len(x) - 1)]
    influence: FloatArray = np.maximum(x - cut, 0.0) + cut * top - share * x
    return influence
