"""Intervals from replicates: standard errors, ends with their Monte-Carlo error, and bands that hold at all levels.

Methods as in Davison and Hinkley, Bootstrap Methods and their Application (1997), chapter 5. Quantiles of B replicates
follow their (B + 1) rule, Hyndman-Fan type 6: the ends of a 95% interval are the 25th and the 975th of 999 replicates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from leoreturns._parallel import ordered_map
from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.resample.exact import order_probability, reach
from leoreturns.results.interval import Interval

if TYPE_CHECKING:
    from leoreturns.resample.plan import BootstrapPlan

# Replicates of a cell whose values are all equal differ from the point by the rounding of weighted sums.
ROUNDING = 16 * float(np.finfo(np.float64).eps)
# A rank that misses a whole number by less is that number: (B + 1) p is seldom whole in floating point.
WHOLE = 1e-9
SLICE_REPLICATES = 1 << 18  # replicates that one call works on, in cache


@dataclass(frozen=True, slots=True)
class _Ends:
    """Ends of every row's interval, and their Monte-Carlo standard errors; arrays of shape (n,)."""

    low: FloatArray
    high: FloatArray
    error_low: FloatArray
    error_high: FloatArray

    def mirrored(self, centre: FloatArray, scale: FloatArray) -> _Ends:
        """Return the ends of centre - scale x for x between the present ones."""
        low, high = centre - scale * self.high, centre - scale * self.low
        return _Ends(low, high, scale * self.error_high, scale * self.error_low)


@dataclass(frozen=True, slots=True)
class _Replicates:
    """Sorted replicates of n rows.

    Attributes
    ----------
    values : float64 of shape (n, B)
        Ascending; those dropped are NaN and stand last.
    kept : int64 of shape (n,)
        How many are not dropped.
    """

    values: FloatArray
    kept: IntArray

    @classmethod
    def of(cls, replicates: FloatArray) -> _Replicates:
        """Drop and sort. An infinite replicate, as a ratio to nothing, is no value of a statistic: dropped too."""
        values = np.where(np.isfinite(replicates), replicates, np.nan)
        values.sort(axis=1)
        return cls(values, values.shape[1] - np.isnan(values).sum(axis=1, dtype=np.int64))

    def spread(self) -> tuple[FloatArray, FloatArray]:
        """Standard deviation, with divisor B - 1, and its own standard error; NaN below two replicates.

        The variance of a sample variance is {m4 - s^4 (B - 3) / (B - 1)} / B, m4 the fourth central moment: of normal
        replicates 2 s^4 / (B - 1), so that s has the standard error s / sqrt(2 (B - 1)).
        """
        n = np.where(self.kept > 1, self.kept, np.nan)
        known = np.arange(self.values.shape[1]) < self.kept[:, None]
        mean = np.where(known, self.values, 0.0).sum(axis=1) / n
        squares = np.where(known, self.values - mean[:, None], 0.0)
        np.square(squares, out=squares)
        variance = squares.sum(axis=1) / (n - 1)
        np.square(squares, out=squares)
        of_variance = np.maximum(squares.sum(axis=1) / n - variance**2 * (n - 3) / (n - 1), 0.0) / n
        deviation = np.sqrt(variance)
        halved = np.divide(np.sqrt(of_variance), 2.0 * deviation, out=np.zeros(len(n)), where=deviation > 0)
        return deviation, np.where(np.isnan(n), np.nan, halved)

    def constant(self, point: FloatArray) -> BoolArray:
        """Tell rows whose replicates are all equal but for rounding."""
        last = np.take_along_axis(self.values, np.maximum(self.kept - 1, 0)[:, None], axis=1)[:, 0]
        return np.asarray(last - self.values[:, 0] <= ROUNDING * np.abs(point))

    def resolve(self, tail: float) -> BoolArray:
        """Tell rows with a replicate, or more, beyond each end of an interval with `tail` on either side."""
        return np.asarray((self.kept + 1) * tail >= 1.0 - WHOLE)

    def tails(self, tail: float) -> _Ends:
        """Quantiles at `tail` and 1 - `tail`; NaN where they are not resolved."""
        rank = np.where(self.resolve(tail), (self.kept + 1) * tail, np.nan)
        return self.between(rank, np.subtract(self.kept + 1, rank))

    def between(self, lower: FloatArray, upper: FloatArray) -> _Ends:
        """Order statistics of two ranks from 1 to `kept` in every row, interpolated between whole ranks; NaN at NaN."""
        low, error_low = self._at(lower)
        high, error_high = self._at(upper)
        return _Ends(low, high, error_low, error_high)

    def _at(self, ranks: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Order statistics of one rank in every row, and the standard error of the nearest whole rank's."""
        missing = np.isnan(ranks)
        rank = np.where(missing, 1.0, ranks)
        nearest = np.rint(rank)
        rank = np.where(np.abs(rank - nearest) < WHOLE, nearest, rank)
        below = np.floor(rank)
        places = np.stack([below, np.ceil(rank)], axis=1).astype(np.int64) - 1
        a, b = np.take_along_axis(self.values, places, axis=1).T
        values = a + (rank - below) * (b - a)
        errors = self._order_error(nearest.astype(np.int64))
        return np.where(missing, np.nan, values), np.where(missing, np.nan, errors)

    def _order_error(self, rank: IntArray) -> FloatArray:
        """Standard error of an order statistic: its standard deviation over resamples of the replicates.

        Maritz and Jarrett, JASA 73 (1978). The probabilities of the replicates around the rank hang on how many there
        are and on the rank alone, so that rows share them.
        """
        n_replicates = self.values.shape[1]
        cases, case = np.unique(np.maximum(self.kept, 1) * (n_replicates + 1) + rank, return_inverse=True)
        n, at = np.divmod(cases[:, None], n_replicates + 1)
        # As wide as for the middle rank of all replicates, whatever the other rows are: sums of one width, equal bits.
        reached = int(reach(n_replicates, (n_replicates + 1) / 2))
        first = np.maximum(at - reached, 1)
        edges = np.minimum(first - 1 + np.arange(min(2 * reached + 1, n_replicates) + 1), n)
        weights = np.diff(order_probability(n, at, edges), axis=1)[case]
        values = np.take_along_axis(self.values, np.maximum(edges[:, 1:] - 1, 0)[case], axis=1)
        mean = (weights * values).sum(axis=1)
        return np.asarray(np.sqrt((weights * (values - mean[:, None]) ** 2).sum(axis=1)))


def interval_of(
    point: FloatArray,
    replicates: FloatArray,
    plan: BootstrapPlan,
    *,
    acceleration: FloatArray | None = None,
    std_error: FloatArray | None = None,
    replicate_errors: FloatArray | None = None,
) -> Interval:
    r"""Standard error and confidence interval of one statistic in every cell.

    Parameters
    ----------
    point : float64 of shape (n,)
        The statistic itself.
    replicates : float64 of shape (n, B)
        The statistic under each replicate's weights; NaN (or infinite) is dropped.
    plan : BootstrapPlan
        Its `interval` and `level` say which:

        - "percentile": quantiles of the replicates.
        - "basic": those quantiles mirrored at the point.
        - "normal": point -/+ z standard errors, without correction of bias.
        - "bca": quantiles at levels corrected for bias and acceleration (Efron, JASA 82, 1987). As in R's boot, a level
          beyond the outermost replicate takes that replicate; with every replicate on one side of the point, or with
          an acceleration so large that levels would run backwards, there is no interval.
        - "studentised": point - t standard errors, for t the quantiles of (replicate - point) / its standard error.
    acceleration : float64 of shape (n,), for "bca"
        Skewness of the influence values over six times the root of their number.
    std_error : float64 of shape (n,), replicate_errors : float64 of shape (n, B), for "studentised"
        Linearised standard errors of the point and of each replicate. A replicate off the point whose standard error
        is zero or missing is dropped.

    Returns
    -------
    Interval
        `std_error` is the standard deviation of the replicates. NaN throughout where the point is; NaN ends where the
        replicates left are too few to put one beyond each end, (B + 1) (1 - level) / 2 < 1 (for "normal": below two).
        Replicates that are all equal put both ends on the point, without error.

    Raises
    ------
    ValueError
        If `plan` asks for an interval that needs no replicates, or what its interval needs is not given.

    Notes
    -----
    Monte-Carlo standard errors. Quantiles: Maritz and Jarrett, JASA 73 (1978). Normal: z times that of the standard
    deviation, near z se / sqrt(2 (B - 1)) where the replicates are normal. BCa: the level :math:`\alpha(G)` is itself
    estimated, from the share G of replicates below the point. To first order an end moves by
    :math:`\{\alpha'(G) (\hat G - G) - (\hat F(q) - \alpha)\} / f(q)`, so that the variance of a quantile at a fixed
    level, :math:`\alpha (1 - \alpha) / (B f(q)^2)`, is multiplied by

    .. math:: 1 + \frac{\alpha'^2 G (1 - G) - 2 \alpha' \{\min(\alpha, G) - \alpha G\}}{\alpha (1 - \alpha)}.
    """
    step = max(1, SLICE_REPLICATES // replicates.shape[1])

    def work(first: int) -> Interval:
        rows = slice(first, first + step)
        given = (None if numbers is None else numbers[rows] for numbers in (acceleration, std_error, replicate_errors))
        return _intervals(point[rows], replicates[rows], plan, *given)

    # Rows know nothing of each other.
    parts = ordered_map(work, range(0, max(1, len(point)), step), label="making intervals")
    names = [entry.name for entry in fields(Interval) if entry.name != "n_units"]
    return Interval(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _intervals(
    point: FloatArray,
    replicates: FloatArray,
    plan: BootstrapPlan,
    acceleration: FloatArray | None,
    std_error: FloatArray | None,
    replicate_errors: FloatArray | None,
) -> Interval:
    """Return the intervals of some rows, as `interval_of` documents."""
    sample = _Replicates.of(replicates)
    (spread, spread_error), constant, kept = sample.spread(), sample.constant(point), sample.kept
    tail = (1.0 - plan.level) / 2.0
    if plan.interval == "percentile":
        ends = sample.tails(tail)
    elif plan.interval == "basic":
        ends = sample.tails(tail).mirrored(2.0 * point, np.ones(len(point)))
    elif plan.interval == "normal":
        z = -ndtri(tail)
        ends = _Ends(point - z * spread, point + z * spread, z * spread_error, z * spread_error)
    elif plan.interval == "bca" and acceleration is not None:
        ends = _bias_corrected(point, sample, acceleration, tail)
    elif plan.interval == "studentised" and std_error is not None and replicate_errors is not None:
        pivots = _Replicates.of(_pivots(point, replicates, replicate_errors))
        ends, kept = pivots.tails(tail).mirrored(point, std_error), pivots.kept
    else:
        raise ValueError(f"no {plan.interval!r} interval can be made from what is given")
    enough = sample.kept > 1 if plan.interval == "normal" else sample.resolve(tail)
    missing, settled = ~np.isfinite(point), constant & enough

    def final(numbers: FloatArray, if_constant: FloatArray | float) -> FloatArray:
        return np.where(missing, np.nan, np.where(settled, if_constant, numbers))

    return Interval(
        std_error=np.where(missing, np.nan, np.where(constant, 0.0 * spread, spread)),
        low=final(ends.low, point),
        high=final(ends.high, point),
        error_low=final(ends.error_low, 0.0),
        error_high=final(ends.error_high, 0.0),
        n_dropped=replicates.shape[1] - kept,
    )


def uniform_band(
    point: FloatArray, replicates: FloatArray, std_error: FloatArray, level: float
) -> tuple[FloatArray, FloatArray, float]:
    """Band that covers a statistic at all levels of a key at once (sup-t).

    Montiel Olea and Plagborg-Moller, J. Applied Econometrics 34 (2019): the critical value is the quantile of the
    largest |replicate - point| / standard error along the key.

    Parameters
    ----------
    point : float64 of shape (k,)
        The statistic at each level.
    replicates : float64 of shape (k, B)
        A replicate that is missing at any level is left out.
    std_error : float64 of shape (k,)
        A level with a standard error of zero needs no margin, one without a point or standard error has no band:
        neither takes part.
    level : float
        Simultaneous coverage.

    Returns
    -------
    low, high : float64 of shape (k,)
        Point -/+ critical value times standard error.
    critical : float
        NaN where no level takes part, or fewer than 1 / (1 - level) - 1 replicates, or half of them, are left.
    """
    taking_part = np.isfinite(point) & (std_error > 0)
    distances = np.abs(replicates[taking_part] - point[taking_part, None]) / std_error[taking_part, None]
    # NaN beats any number in a maximum; that of no levels at all is as good as missing.
    largest = distances.max(axis=0, initial=-np.inf)
    sample = _Replicates.of(largest[None, :])
    # Where cells are so small that most replicates miss one, those that are left are not like the others.
    enough = sample.resolve(1.0 - level) & (2 * sample.kept >= replicates.shape[1])
    rank = np.where(enough, (sample.kept + 1) * level, np.nan)
    critical = float(sample.between(rank, rank).high[0])
    margin = np.where(std_error == 0, 0.0, critical * std_error)
    return point - margin, point + margin, critical


def _pivots(point: FloatArray, replicates: FloatArray, errors: FloatArray) -> FloatArray:
    """Return (replicate - point) / standard error; a replicate at the point is 0 whatever its standard error."""
    distance = replicates - point[:, None]
    at_point = np.abs(distance) <= ROUNDING * np.abs(point[:, None])
    pivots = np.divide(distance, errors, out=np.full(distance.shape, np.nan), where=errors > 0)
    return np.where(at_point, 0.0, pivots)


def _bias_corrected(point: FloatArray, sample: _Replicates, acceleration: FloatArray, tail: float) -> _Ends:
    """Return quantiles at the levels that bias and acceleration call for."""
    kept = np.where(sample.resolve(tail), sample.kept, np.nan)
    below = np.count_nonzero(sample.values < point[:, None], axis=1) / kept
    tied = np.count_nonzero(sample.values == point[:, None], axis=1) / kept
    share = below + tied / 2
    share[(share == 0.0) | (share == 1.0)] = np.nan
    ranks, factors = [], []
    for z in (ndtri(tail), -ndtri(tail)):
        level, slope = _corrected_level(ndtri(share), acceleration, z)
        rank = np.clip((kept + 1) * level, 1.0, kept)
        # An end that stays at the outermost replicate does not move with the share.
        slope = np.where(rank == (kept + 1) * level, slope, 0.0)
        level = rank / (kept + 1)
        moved = slope**2 * (share - tied / 4 - share**2) - 2.0 * slope * (np.minimum(level, share) - level * share)
        ranks.append(rank)
        factors.append(np.sqrt(np.maximum(1.0 + moved / (level * (1.0 - level)), 0.0)))
    ends = sample.between(*ranks)
    return _Ends(ends.low, ends.high, factors[0] * ends.error_low, factors[1] * ends.error_high)


def _corrected_level(bias: FloatArray, acceleration: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    """Return the level of the BCa interval in place of that of `z`, and its derivative by the share below the point.

    `bias` is the normal quantile of that share; NaN where levels no longer rise with z.
    """
    moved = bias + z
    stretch = 1.0 - acceleration * moved
    stretch = np.where(stretch > 0.0, stretch, np.nan)
    at = bias + moved / stretch
    slope = np.exp((bias**2 - at**2) / 2) * (1.0 + stretch**-2)
    return ndtr(at), slope
