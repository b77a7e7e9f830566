"""Matches that are weighted by their distance on a line: within a radius, by a kernel, or by local lines.

A unit's outcome in the other arm is a weighted mean of that arm's outcomes near its score: with kernel weights
(Heckman, Ichimura and Todd 1997), or the value at the score of a line fitted with these weights (Heckman, Ichimura,
Smith and Todd 1998; Fan 1992). Both are linear in the outcomes: what a donor receives from all units is its weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leoreturns._core import smoothing
from leoreturns._parallel import ordered_map
from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.points import Line, runs_of_strata

Kernel = Literal["epanechnikov", "biweight", "uniform", "gaussian"]
NO_WEIGHT = 1e-9  # mean weight of the donors within reach below which there is none: rounding of sums of powers
NO_SLOPE = 1e-6  # variance of the donors' distances, in squared bandwidths, below which a line has no digits left


@dataclass(frozen=True, slots=True)
class Shape:
    """A kernel, up to a factor.

    Attributes
    ----------
    coefficients : tuple of float
        As a polynomial of the distance in bandwidths.
    width : float
        Bandwidths beyond which the weight is nought.
    rule : float
        Of the bandwidth ``rule * spread * n^(-1/5)`` that suits normal scores (Silverman 1986).
    """

    coefficients: tuple[float, ...]
    width: float
    rule: float


# The normal density is below 1e-16 of its peak beyond 8.6 bandwidths.
SHAPES: dict[Kernel, Shape] = {
    "epanechnikov": Shape((1.0, 0.0, -1.0), 1.0, 2.345),
    "biweight": Shape((1.0, 0.0, -2.0, 0.0, 1.0), 1.0, 2.778),
    "uniform": Shape((1.0,), 1.0, 1.843),
    "gaussian": Shape((1.0,), 8.6, 1.059),
}


def rule_of_thumb(scores: FloatArray, kernel: Kernel) -> float:
    """Return the bandwidth for normal scores: of the smaller of their standard deviation and IQR / 1.349.

    Raises
    ------
    SupportError
        If the scores do not vary.
    """
    low, high = np.quantile(scores, [0.25, 0.75])
    spreads = [float(np.std(scores, ddof=1)), float(high - low) / 1.349]
    spread = min((value for value in spreads if value > 0.0), default=0.0)
    if not spread > 0.0:
        raise SupportError(f"the score of {len(scores):,} donors does not vary: there is no bandwidth for it")
    return float(SHAPES[kernel].rule * spread * len(scores) ** -0.2)


def received(
    focus: Line, pool: Line, kernel: Kernel, bandwidth: float, *, linear: bool
) -> tuple[FloatArray, BoolArray]:
    """Return what each unit of the pool receives from all focal units, by point, and which of these have matches.

    Parameters
    ----------
    focus, pool : Line
        In the same strata.
    kernel : str
    bandwidth : float
        In units of the score.
    linear : bool
        Whether lines are fitted; where the donors lie within a thousandth of a bandwidth, their mean is taken.
    """
    sums, held = kernel_sums(focus, pool, pool.counts.astype(np.float64), kernel, bandwidth, 3 if linear else 1)
    found: BoolArray = sums[:, 0] > NO_WEIGHT * held
    total = np.where(found, sums[:, 0], 1.0)
    level, slope = 1.0 / total, np.zeros(focus.n)
    if linear:
        first, second = sums[:, 1] / total, sums[:, 2] / total
        spread = second - first**2
        sloped = found & (spread > NO_SLOPE)
        level[sloped] *= (second / np.where(sloped, spread, 1.0))[sloped]
        slope[sloped] = (first / (total * np.where(sloped, spread, 1.0)))[sloped]
    given = np.where(found, focus.counts, 0)
    out = kernel_sums(pool, focus, given * level, kernel, bandwidth, 1)[0][:, 0]
    if linear:
        # Seen from the donor the distance has the other sign.
        out += kernel_sums(pool, focus, given * slope, kernel, bandwidth, 2)[0][:, 1]
    return out, found


def kernel_sums(
    at: Line, points: Line, values: FloatArray, kernel: Kernel, bandwidth: float, wanted: int
) -> tuple[FloatArray, IntArray]:
    """Add up values of points about others: ``sum values K(u) u^p`` for p below `wanted`, u in bandwidths.

    Returns
    -------
    sums : float64 of shape (at.n, wanted)
    held : int64 of shape (at.n,)
        Points within the kernel's width.
    """
    shape, bell = SHAPES[kernel], kernel == "gaussian"
    coefficients = np.array(shape.coefficients)
    out, held = np.empty((at.n, wanted)), np.empty(at.n, dtype=np.int64)
    sizes = np.diff(points.offsets)

    def run(bounds: tuple[int, int]) -> None:
        longest = 0 if bell else int(sizes[slice(*bounds)].max(initial=0))
        room = np.empty((2 * longest, len(coefficients) - 1 + wanted)), np.empty(2 * longest)
        smoothing.sums(
            at.scores, at.offsets, points.scores, values, points.offsets, bandwidth, shape.width * bandwidth,
            coefficients, bell, *bounds, *room, held, out,
        )  # fmt: skip

    ordered_map(run, runs_of_strata(at.offsets), label="matching")
    return out, held
