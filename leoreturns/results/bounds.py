"""BoundsEstimate: an effect between two bounds, where outcomes of some are not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import pandas as pd
from scipy import optimize, stats

from leoreturns.errors import SupportError
from leoreturns.results.effect import EffectEstimate
from leoreturns.results.estimate import LEVEL


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BoundsEstimate(EffectEstimate):
    """Bounds of an effect from below and from above, then what they are made of.

    As an `EffectEstimate`: each coefficient has a standard error of its own. ``interval`` is that of the effect.
    """

    def interval(self, level: float = LEVEL) -> pd.DataFrame:
        """Return the confidence interval of the effect, which lies somewhere between the bounds.

        It is shorter than one that covers both bounds: an effect can be near one end only (Imbens and Manski 2004).

        Parameters
        ----------
        level : float

        Returns
        -------
        pandas.DataFrame
            One row, by the name of the effect; columns ``low`` and ``high``.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"a confidence level lies between 0 and 1, not at {level}")
        (low, high), errors = self.values[:2], np.sqrt(np.diag(self.covariance)[:2])
        factor = self._factor(float(high - low), float(errors.max()), level)
        name = self.names[0].removesuffix(LOWER)
        return pd.DataFrame({"low": [low - factor * errors[0]], "high": [high + factor * errors[1]]}, index=[name])

    def joint_test(self) -> NoReturn:
        """Refuse: bounds are not effects, and a lower one below nought says nothing of the effect."""
        raise SupportError("bounds have no test of no effect: see whether interval() holds nought")

    def _factor(self, width: float, error: float, level: float) -> float:
        """Solve F(c + width / error) - F(-c) = level for the factor c."""
        if not error > 0:
            return 0.0
        ends = [float(stats.t.isf(tail, self.df_tests)) for tail in (1.0 - level, (1.0 - level) / 2.0)]

        def missing(c: float) -> float:
            return float(stats.t.cdf(c + width / error, self.df_tests) - stats.t.cdf(-c, self.df_tests) - level)

        # Wide bounds leave the one-sided quantile, equal ones the two-sided.
        return ends[0] if missing(ends[0]) >= 0 else float(optimize.brentq(missing, *ends, xtol=1e-13))

    def _quality(self) -> str:
        found = self.interval().iloc[0]
        told = f"{100 * LEVEL:g}% confidence interval of the effect: {found['low']:.6g} to {found['high']:.6g}"
        # Not super(): a class with slots is made twice, and the first has no instances.
        return f"{EffectEstimate._quality(self)}\n{told}"


LOWER, UPPER = ", lower", ", upper"
