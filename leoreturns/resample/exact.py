"""Exact intervals of percentiles: the distribution that infinitely many replicates would have, without a draw.

Let X* be n draws with replacement from the values x_(1) <= ... <= x_(n) of a cell. For a percentile that is the order
statistic of rank r (Hutson and Ernst, JRSS B 62, 2000; Maritz and Jarrett, JASA 73, 1978),

    P(X*_(r) <= x_(j)) = I_{j/n}(r, n - r + 1),

the regularised incomplete beta function. For one that is the mean of the order statistics of ranks m and m + 1, as the
median of an even number is, m draws fall on the lowest k values and none until after the l-th, k <= l, with probability

    P(X*_(m) <= x_(k), X*_(m+1) > x_(l)) = C(n, m) (k / n)^m ((n - l) / n)^(n - m):

a function of k times one of l, and for l = k the difference of two probabilities of the first kind. Only ranks near r
have a probability that matters; their values are selected in O(n), and the rest takes O(sqrt(n)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import betainc

from leoreturns._parallel import ordered_map
from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.results.interval import Interval

MEDIAN = 50
FEWEST_VALUES = 2  # one says nothing of how values vary
ORDER_RULES = (1, 2, 3)  # Hyndman-Fan types that take an order statistic or the mean of two
# The resampled rank is spread like a normal variable in the middle and like a gamma variable at the extremes; beyond
# both bounds lies less than 1e-15.
REACH_DEVIATIONS = 9.0
REACH_EDGE = 40
# Two neighbours of a resample lie d ranks apart in the data with a probability near exp(-d).
APART = 50
NEGLIGIBLE = 1e-20
# A cumulative probability that misses a level by rounding alone has reached it.
ROUNDING = 64 * float(np.finfo(np.float64).eps)


def check_exact(rule: int, percentiles: Sequence[int]) -> None:
    """Refuse percentiles whose bootstrap distribution is not known in closed form.

    Parameters
    ----------
    rule : int
        Hyndman-Fan type, 1 to 9.
    percentiles : sequence of int
        Percentile numbers, 1 to 99.

    Raises
    ------
    SupportError
        Unless the rule is of type 1, 2 or 3, or of type 7 and the percentile the median.
    """
    refused = [f"p{p}" for p in percentiles if rule not in ORDER_RULES and (rule, p) != (7, MEDIAN)]
    if refused:
        raise SupportError(
            f"{', '.join(refused)} under quantile_rule={rule} has no exact interval: the rule interpolates between "
            "order statistics; ask for quantile_rule=1, 2 or 3, or for interval='percentile'"
        )


def exact_interval(values: FloatArray, percentile: int, rule: int, level: float) -> tuple[float, float, float]:
    """Exact bootstrap standard error and interval of a percentile of independent values.

    Parameters
    ----------
    values : float64 of shape (n,)
        Values of one cell in any order, none missing; left as they are.
    percentile : int
        1 to 99.
    rule : int
        Hyndman-Fan type, as `check_exact` admits.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    std_error : float
        Standard deviation of the percentile over all n**n resamples; NaN without values.
    low, high : float
        Smallest values that the percentile stays at or below in shares (1 - level) / 2 and (1 + level) / 2 of them.

    Raises
    ------
    SupportError
        As `check_exact`.
    """
    check_exact(rule, (percentile,))
    n = len(values)
    if n == 0:
        return math.nan, math.nan, math.nan
    lower, upper = ranks_of(n, percentile, rule)
    first = max(1, lower - int(reach(n, lower)))
    last = min(n, upper + int(reach(n, upper)))
    ranked = _select(values, first, last)
    law: _OrderStatistic | _Midpoint
    if lower == upper:
        law = _OrderStatistic(ranked, order_probability(n, lower, np.arange(first - 1, last + 1)))
    else:
        law = _Midpoint(n, lower, first, ranked)
    tail = (1.0 - level) / 2.0
    return math.sqrt(law.variance()), law.quantile(tail), law.quantile(1.0 - tail)


def exact_intervals(
    values: FloatArray, offsets: IntArray, n_value: IntArray, percentiles: Sequence[int], rule: int, level: float
) -> dict[int, Interval]:
    """Exact bootstrap intervals of several percentiles in every cell.

    Parameters
    ----------
    values : float64 of shape (n,)
        Those of a cell stand at the front of its rows, in any order; left as they are.
    offsets : int64 of shape (n_cells + 1,)
        First row of each cell.
    n_value : int64 of shape (n_cells,)
        Values in each cell, those of different persons.
    percentiles : sequence of int
        1 to 99.
    rule, level
        As in `exact_interval`.

    Returns
    -------
    dict of int to Interval
        By percentile; without Monte-Carlo error, and no replicate dropped. NaN where a cell has fewer than two values.

    Raises
    ------
    SupportError
        As `check_exact`.
    """
    check_exact(rule, percentiles)
    n_cells = len(n_value)

    def work(cell: int) -> list[tuple[float, float, float]]:
        part = values[offsets[cell] : offsets[cell] + n_value[cell]]
        return [exact_interval(part, percentile, rule, level) for percentile in percentiles]

    found = np.array(ordered_map(work, range(n_cells), label="exact intervals"), dtype=np.float64)
    found = found.reshape(n_cells, len(percentiles), 3)
    found[n_value < FEWEST_VALUES] = np.nan
    found = np.ascontiguousarray(found.transpose(1, 2, 0))
    no_error = np.where(n_value < FEWEST_VALUES, np.nan, 0.0)
    none_dropped = np.zeros(n_cells, dtype=np.int64)
    return {
        percentile: Interval(std_error, low, high, no_error, no_error, none_dropped)
        for percentile, (std_error, low, high) in zip(percentiles, found, strict=True)
    }


def ranks_of(n: int, percentile: int, rule: int) -> tuple[int, int]:
    """Return the ranks, from 1, of the two order statistics whose mean the percentile is; mostly the same one twice.

    The rules of Hyndman and Fan (American Statistician 50, 1996) in whole numbers, for those that `check_exact` admits.
    """
    if rule == 7:
        return (n + 1) // 2, n // 2 + 1
    rank, beyond = divmod(n * percentile - (50 if rule == 3 else 0), 100)
    if beyond or (rule == 3 and rank % 2):
        rank += 1
    next_too = rule == 2 and not beyond
    return min(max(rank, 1), n), min(max(rank + next_too, 1), n)


def reach(n: Any, rank: Any) -> Any:
    """Return how many ranks from its own an order statistic of a resample can come to lie, but for a chance of 1e-15.

    Numbers or arrays: `n` values, `rank` from 1 to n.
    """
    return np.ceil(REACH_DEVIATIONS * np.sqrt(rank * (n + 1.0 - rank) / (n + 1.0))).astype(np.int64) + REACH_EDGE


def order_probability(n: Any, rank: Any, at: Any) -> Any:
    """Return P(X*_(rank) <= x_(at)) of `n` draws from n values; numbers or arrays, `at` from 0 to n."""
    return betainc(rank, n + 1.0 - rank, at / n)


def _select(values: FloatArray, first: int, last: int) -> FloatArray:
    """Return the order statistics of ranks `first` to `last`, in order."""
    # One pivot at a time: NumPy selects a single rank with vector instructions, and several without.
    part = values.copy()
    part.partition(first - 1)
    part = part[first - 1 :]
    part.partition(last - first)
    part = part[: last - first + 1]
    part.sort()
    return part


def _variance(x: FloatArray, probabilities: FloatArray) -> float:
    """Variance of a variable that takes the values `x`."""
    centre = x[len(x) // 2]
    mean = centre + (probabilities * (x - centre)).sum()
    return float((probabilities * (x - mean) ** 2).sum())


def _midpoints(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the means of ``a <= b``, rounded as the percentiles of a table are."""
    return np.minimum(a + 0.5 * (b - a), b)


def _log_power(k: IntArray, base: Any, power: int) -> FloatArray:
    """Return log((k / base)**power) to the digits that it has for k near the base; -inf at 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(power * np.log1p((k - base) / base))


class _OrderStatistic:
    """Distribution of an order statistic of a resample: values `x` in order, and P(X* <= x) from one rank before."""

    def __init__(self, x: FloatArray, cumulative: FloatArray) -> None:
        self.x, self.cumulative = x, cumulative

    def variance(self) -> float:
        return _variance(self.x, np.diff(self.cumulative))

    def place(self, p: float) -> int:
        """Return where the cumulative probability reaches `p`."""
        return min(int(np.searchsorted(self.cumulative[1:], p - ROUNDING)), len(self.x) - 1)

    def quantile(self, p: float) -> float:
        return float(self.x[self.place(p)])


class _Midpoint:
    """Distribution of (X*_(m) + X*_(m+1)) / 2, from those of the two order statistics and what lies between them."""

    def __init__(self, n: int, m: int, first: int, x: FloatArray) -> None:
        self.n, self.m, self.first, self.x = n, m, first, x
        ranks = np.arange(first - 1, first + len(x))
        at_m = order_probability(n, m, m) - order_probability(n, m + 1, m)
        # P(X*_(m) <= x_(k) < X*_(m+1)), from k = first - 1.
        self.parted = at_m * np.exp(_log_power(ranks, m, m) + _log_power(n - ranks, n - m, n - m))
        self.lower = _OrderStatistic(x, order_probability(n, m, ranks))
        self.upper = _OrderStatistic(x, self.lower.cumulative - self.parted)

    def variance(self) -> float:
        """Half the variances of the two less a quarter of their gap's."""
        gap = (np.diff(self.upper.cumulative - self.lower.cumulative) * (self.x - self.x[0])).sum()
        gap_variance = self._squared_gap() - gap**2
        return max(0.0, float((self.lower.variance() + self.upper.variance()) / 2 - gap_variance / 4))

    def _squared_gap(self) -> float:
        """Mean square of the gap: the sum over k and l of both spacings and the chance that the gap spans both."""
        spacing = np.diff(self.x)
        spanned = self.parted[1:-1]
        ranks = self.first + np.arange(len(spacing))
        # What is left of the chance of reaching beyond x_(l - 1) when x_(l) is to be passed too.
        passing = np.exp(_log_power(self.n - ranks, self.n - ranks + 1, self.n - self.m))
        total = (spacing**2 * spanned).sum()
        for apart in range(1, len(spacing)):
            spanned = spanned[:-1] * passing[apart:]
            total += 2.0 * (spacing[:-apart] * spacing[apart:] * spanned).sum()
            if spanned.max() < NEGLIGIBLE:
                break
        return float(total)

    def quantile(self, p: float) -> float:
        """Smallest midpoint at which the cumulative probability reaches `p`.

        It lies between the quantiles of the two order statistics, x_(low) and x_(high). At or below it are all pairs
        whose upper rank is below low; of the others those matter that are a few ranks apart.
        """
        low, high = self.lower.place(p), self.upper.place(p)
        i = np.arange(max(0, low - APART), high + 1)
        j = np.arange(low, min(len(self.x), high + APART + 1))
        midpoints = _midpoints(self.x[i, None], self.x[j])
        pairs = i[:, None] <= j
        midpoints, chances = midpoints[pairs], self._joint(i, j)[pairs]
        order = np.argsort(midpoints, kind="stable")
        reached = self.upper.cumulative[low] + np.cumsum(chances[order])
        return float(midpoints[order[min(int(np.searchsorted(reached, p - ROUNDING)), len(order) - 1)]])

    def _joint(self, i: IntArray, j: IntArray) -> FloatArray:
        """P(X*_(m) = x_(first + i), X*_(m+1) = x_(first + j)) for i <= j; ascending places of shapes (a,) and (b,)."""
        n, m = self.n, self.m
        # Powers relative to a rank nearby: those of millions neither overflow nor lose digits.
        at = min(self.first + int(j[0]), n - 1)
        below = np.exp(_log_power(self.first + np.arange(i[0] - 1, i[-1] + 1), at, m))
        above = np.exp(_log_power(n - self.first - np.arange(j[0] - 1, j[-1] + 1), n - at, n - m))
        parted = self.parted[at - self.first + 1]
        apart = parted * np.outer(np.diff(below), -np.diff(above))
        same = np.diff(self.lower.cumulative)[i, None] - parted * np.outer(np.diff(below), above[1:])
        return np.asarray(np.where(i[:, None] == j, same, apart))
