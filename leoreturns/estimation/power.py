"""minimum_detectable_effect(): how large an effect must be for a planned comparison to find it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from scipy import optimize, stats

from leoreturns._typing import FloatArray
from leoreturns.estimation.planned import PlannedSample
from leoreturns.results.flow import MASKED_BELOW

Measured: TypeAlias = Literal["mean", "median", "share"]
NORMAL_MEDIAN = np.pi / 2  # variance of the median of a normal sample, over that of its mean


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DetectableEffects:
    """The smallest effects that comparisons find with some power.

    Attributes
    ----------
    sample : PlannedSample
    statistic : "mean", "median" or "share"
    effects, std_errors : float64 of shape (c,)
        In units of the outcome, of a share as a difference of shares; NaN where no effect is large enough.
    power, alpha : float
    two_sided : bool
    """

    sample: PlannedSample
    statistic: Measured
    effects: FloatArray
    std_errors: FloatArray
    power: float
    alpha: float
    two_sided: bool

    def to_frame(self) -> pd.DataFrame:
        """Return one row per comparison: persons of both arms, effective persons, standard error and effect."""
        return pd.DataFrame(
            {
                "treated": self.sample.persons[:, 0],
                "control": self.sample.persons[:, 1],
                "effective": self.sample.effective,
                "df": self.sample.df,
                "std_error": self.std_errors,
                "effect": self.effects,
            },
            index=list(self.sample.labels),
        )

    def __repr__(self) -> str:
        sides = "two-sided" if self.two_sided else "one-sided"
        head = f"Detectable {self.statistic}s with power {self.power:g}, {sides} tests at {self.alpha:g}"
        small = (self.sample.persons < MASKED_BELOW).any(axis=1)
        body = self.to_frame()[~small].to_string(float_format=lambda number: f"{number:.6g}")
        hidden = f"\n{int(small.sum()):,} comparisons with an arm of fewer than {MASKED_BELOW} persons are not shown"
        return f"{head}\n{body if not small.all() else ''}{hidden if small.any() else ''}"


def minimum_detectable_effect(
    sample: PlannedSample,
    *,
    statistic: Measured = "mean",
    sd: float | None = None,
    share: float | None = None,
    r2: float = 0.0,
    power: float = 0.8,
    alpha: float = 0.05,
    two_sided: bool = True,
) -> DetectableEffects:
    """Return the smallest true effect that a test finds with the power asked for.

    Parameters
    ----------
    sample : PlannedSample
        What is compared: groups, a weighted or matched sample, coefficients or a jump.
    statistic : "mean", "median" or "share"
    sd : float
        Standard deviation of the outcome, for means and medians: about 0.6 of log earnings at 29, say.
    share : float
        For shares: that of the arm compared with.
    r2 : float
        Part of the outcome's variance that covariates (and absorbed effects) explain.
    power, alpha : float
    two_sided : bool

    Returns
    -------
    DetectableEffects

    Raises
    ------
    ValueError
        For a number outside its range, or one that the statistic does not have.

    Notes
    -----
    The effect is a multiple of its standard error (Bloom 1995), exactly that for which the t test's noncentral
    distribution has the power. Medians are taken as those of normal outcomes, as of logs of earnings, whose variance is
    pi / 2 times that of the mean; the same is a ratio of medians of earnings. The variance of a share follows the
    effect, which is taken to raise it. Nothing is drawn from outcomes: `sd`, `share` and `r2` come from elsewhere.
    """
    _check(statistic, sd, share, r2, power, alpha)
    multiples = np.array([_multiple(float(df), power, alpha, two_sided) for df in sample.df])
    if statistic == "share":
        assert share is not None  # as was checked
        effects = np.array(
            [
                _of_share(share, variances * (1 - r2), multiple)
                for variances, multiple in zip(sample.variances, multiples, strict=True)
            ]
        )
        errors = effects / multiples
    else:
        assert sd is not None
        spread = sd * np.sqrt((1 - r2) * (NORMAL_MEDIAN if statistic == "median" else 1.0))
        errors = spread * np.sqrt(sample.variances.sum(axis=1))
        effects = multiples * errors
    found = np.isfinite(effects)
    return DetectableEffects(
        sample, statistic, np.where(found, effects, np.nan), np.where(found, errors, np.nan), power, alpha, two_sided
    )


def _check(statistic: str, sd: float | None, share: float | None, r2: float, power: float, alpha: float) -> None:
    """Refuse numbers that are none, or that another statistic has."""
    if statistic not in get_args(Measured):
        raise ValueError(f"statistic is 'mean', 'median' or 'share', not {statistic!r}")
    if statistic == "share":
        if sd is not None or share is None or not 0 < share < 1:
            raise ValueError("of shares name share=, that of the arm compared with, between 0 and 1, and no sd=")
    elif share is not None or sd is None or not 0 < sd < np.inf:
        raise ValueError(f"of a {statistic} name sd=, the outcome's standard deviation, and no share=")
    if not 0 <= r2 < 1:
        raise ValueError(f"r2 is at least 0 and below 1, not {r2}")
    if not 0 < alpha < power < 1:
        raise ValueError("alpha and power lie between 0 and 1, power above alpha")


@lru_cache(maxsize=4096)
def _multiple(df: float, power: float, alpha: float, two_sided: bool) -> float:
    """Return by how many standard errors an effect must differ from nought; NaN without a degree of freedom."""
    if not df > 0:
        return np.nan
    critical = float(stats.t.isf(alpha / 2 if two_sided else alpha, df))
    end = max(critical, 1.0)
    while not _chance(end, critical, df, two_sided) > power:
        end *= 1.1
    return float(optimize.brentq(lambda shift: _chance(shift, critical, df, two_sided) - power, 0.0, end, xtol=1e-12))


def _chance(shift: float, critical: float, df: float, two_sided: bool) -> float:
    """Return the chance that a test rejects where the effect is so many standard errors."""
    if np.isinf(df):
        above, below = stats.norm.sf(critical - shift), stats.norm.cdf(-critical - shift)
    else:
        # Of its far tail the noncentral distribution does not know how small it is.
        above, below = stats.nct.sf(critical, df, shift), np.nan_to_num(stats.nct.cdf(-critical, df, shift))
    return float(above + below) if two_sided else float(above)


def _of_share(share: float, variances: FloatArray, multiple: float) -> float:
    """Solve for the effect whose multiple of its own standard error it is; NaN where a share of one is too little."""

    def short(effect: float) -> float:
        raised = share + effect
        variance = variances[0] * raised * (1 - raised) + variances[1] * share * (1 - share)
        return effect - multiple * float(np.sqrt(variance))

    if not np.isfinite([multiple, *variances]).all() or short(1 - share) < 0:
        return np.nan
    return float(optimize.brentq(short, 0.0, 1 - share, xtol=1e-14))
