"""Effects from neighbours: a missing outcome is the mean of the matches; variances of Abadie and Imbens.

With M matches per unit, ties among them, K is what a unit receives as a match, in shares of 1 / M, and K' the same in
shares of 1 / M^2. The variance of the mean imputed effect tau on n units is (Abadie and Imbens 2006, theorem 7)

    n^-2 [sum (imputed effect - tau)^2 + sum (K^2 + 2 K - K') sigma^2]    on everybody,
    n^-2 [sum over the focal (imputed effect - tau)^2 + sum over donors (K^2 - K') sigma^2]    on one arm,

where sigma^2 is the variance of the outcome among a unit's nearest neighbours in its own arm, itself among them. That
the chances were estimated lowers the first and may change the second either way (Abadie and Imbens 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.points import Points, Windows

KNOWN_CHANCES = ", or take the chances as known: lr.AbadieImbens(estimated=False)"


@dataclass(frozen=True, slots=True)
class AbadieImbens:
    """Variance of matching with replacement: Abadie and Imbens (2006), or (2016) where the chances were estimated.

    Parameters
    ----------
    neighbours : int
        Units, each itself among them, from which the variance of the outcome about it is estimated; at least 2.
    estimated : bool
        Whether the estimation of the chances is taken into account.
    """

    neighbours: int = 2
    estimated: bool = True

    def __post_init__(self) -> None:
        if self.neighbours < 2:
            raise ValueError(f"a variance needs 2 neighbours or more, not {self.neighbours}")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sides:
    """The points of the two arms, and the matches of the arms that need them.

    Attributes
    ----------
    points : tuple of Points
        Of arm 0 and arm 1.
    windows : mapping of arm -> Windows
        Matches of that arm's points in the other arm.
    n_matches : int
        Matches wanted for each unit.
    """

    points: tuple[Points, Points]
    windows: dict[int, Windows]
    n_matches: int

    def matched(self, arm: int) -> BoolArray:
        """Return which members of an arm have a match."""
        found: BoolArray = (self.windows[arm].sizes > 0)[self.points[arm].of_member]
        return found

    def received(self, arm: int, power: int) -> FloatArray:
        """Return K (or K', of power 2) of each point of an arm: what its units receive as matches, each."""
        other = 1 - arm
        if other not in self.windows:
            return np.zeros(self.points[arm].n)
        windows = self.windows[other]
        with np.errstate(divide="ignore"):
            shares = np.where(windows.sizes > 0, self.points[other].counts / windows.sizes**power, 0.0)
        return windows.received(shares)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Imputed:
    """The effect that matches impute.

    Attributes
    ----------
    effect : float
    means : tuple of float
        Of the outcome in arm 0 and arm 1, over the units that are counted.
    gaps : tuple of float64 arrays
        Outcome less that of the matches, by member of each arm; empty for an arm that is not focal.
    n : int
        Units that the effect is taken over.
    """

    effect: float
    means: tuple[float, float]
    gaps: tuple[FloatArray, FloatArray]
    n: int


def impute(sides: Sides, outcome: FloatArray, fitted: tuple[FloatArray | None, FloatArray | None]) -> Imputed:
    """Impute what the units would have had in the other arm.

    Parameters
    ----------
    sides : Sides
    outcome : float64 of shape (n,)
    fitted : pair of float64 arrays or None
        Outcome expected in arm 0 and in arm 1 given the covariates, for the bias adjustment: what the match and the
        unit differ in by it is taken out (Abadie and Imbens 2011).
    """
    gaps, sums, n = [], np.zeros(2), 0
    for arm in (0, 1):
        if arm not in sides.windows:
            gaps.append(np.empty(0))
            continue
        other, points = sides.points[1 - arm], sides.points[arm]
        model = fitted[1 - arm]
        adjusted = outcome if model is None else outcome - model
        own = adjusted[points.members]
        means = sides.windows[arm].means(other.totals(adjusted))[points.of_member]
        kept = sides.matched(arm)
        gaps.append(own - means)
        total = outcome[points.members][kept].sum()
        sums[arm] += total
        sums[1 - arm] += total - (own - means)[kept].sum()
        n += int(kept.sum())
    means_of = sums / n
    return Imputed(float(means_of[1] - means_of[0]), (float(means_of[0]), float(means_of[1])), (gaps[0], gaps[1]), n)


def variance(
    sides: Sides,
    outcome: FloatArray,
    imputed: Imputed,
    cov: AbadieImbens,
    scores: tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None,
) -> float:
    """Return the variance of an imputed effect.

    Parameters
    ----------
    sides : Sides
    outcome : float64 of shape (n,)
    imputed : Imputed
    cov : AbadieImbens
    scores : tuple, optional
        For estimated chances: covariates (n, k), chance of arm 1 (n,), its derivative with respect to the linear
        predictor (n,), and the covariance of the coefficients (k, k).
    """
    total = 0.0
    for arm in (0, 1):
        points = sides.points[arm]
        received, squared = (sides.received(arm, power) for power in (1, 2))
        factor = received**2 - squared + (2 * received if len(sides.windows) == 2 else 0.0)
        if arm in sides.windows:
            gaps = imputed.gaps[arm][sides.matched(arm)] * (1 if arm else -1) - imputed.effect
            total += float(gaps @ gaps)
        needed = np.flatnonzero(factor)
        spread = _spread(points, outcome, cov.neighbours, needed)
        total += float(points.counts[needed] @ (factor[needed] * spread))
    if imputed.n < 2:
        raise SupportError("a single unit has a match: the effect has no variance; widen caliper= or the exact strata")
    found = total / imputed.n**2
    if scores is not None and cov.estimated:
        found += _of_estimated_chances(sides, outcome, imputed, cov.neighbours, *scores)
    if found < 0:
        raise SupportError(
            f"{imputed.n:,} units with a match are too few to take the estimation of the chances into account: the "
            f"variance would be negative; widen caliper= or the exact strata{KNOWN_CHANCES}"
        )
    return found


def _spread(points: Points, outcome: FloatArray, neighbours: int, needed: IntArray) -> FloatArray:
    """Return the variance of the outcome about some points of an arm."""
    windows = points.nearest(points, neighbours, asked=needed)
    _enough(windows.sizes, points.counts[needed])
    centred = outcome - outcome[points.members].mean()
    return windows.covariances(centred, centred)


def _enough(sizes: IntArray, counts: IntArray, remedy: str = "") -> None:
    alone = int(counts[sizes < 2].sum())
    if alone:
        raise SupportError(
            f"{alone:,} units have a single unit of an arm in their exact stratum, so that the variance of the outcome "
            f"about them is not known; use fewer or coarser columns in exact={remedy}"
        )


def _of_estimated_chances(
    sides: Sides,
    outcome: FloatArray,
    imputed: Imputed,
    neighbours: int,
    covariates: FloatArray,
    chance: FloatArray,
    slope: FloatArray,
    inverse: FloatArray,
) -> float:
    """Return what the variance changes by because the chances were estimated (Abadie and Imbens 2016)."""
    k, everybody = covariates.shape[1], len(sides.windows) == 2
    focal = next(iter(sides.windows))
    pull, turn = np.zeros(k), np.zeros(k)
    centred = outcome - outcome.mean()
    for arm in (0, 1):
        points = sides.points[arm]
        members, of_member = points.members, points.of_member
        p, f = chance[members], slope[members]
        both = [points.nearest(sides.points[other], neighbours) for other in (0, 1)]
        compared = both[1 - arm].sizes > 0  # the others' strata have one arm only, and no part in the effect
        for windows in both:
            _enough(windows.sizes[compared], points.counts[compared], KNOWN_CHANCES)
        weights = (1 / (1 - p), 1 / p)
        if not everybody:
            weights = (p / (1 - p), np.ones(len(p))) if focal == 1 else (np.ones(len(p)), (1 - p) / p)
        for other in (0, 1):
            weight = f * weights[other]
            for j in range(k):
                x = covariates[:, j] - covariates[:, j].mean()
                pull[j] += float(weight @ np.where(compared, both[other].covariances(x, centred), 0.0)[of_member])
        if not everybody:
            own = sides.points[1 - arm]
            matches = sides.windows.get(arm) or points.nearest(own, sides.n_matches)
            means = matches.means(own.totals(outcome))[of_member]
            gaps = (outcome[members] - means) * (1 if arm else -1) - imputed.effect
            sign = 1.0 if focal == 1 else -1.0
            turn += sign * ((f * np.nan_to_num(gaps)) @ covariates[members])
    pull, turn = pull / imputed.n, turn / imputed.n
    return float(turn @ inverse @ turn - pull @ inverse @ pull)
