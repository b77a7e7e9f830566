"""EffectEstimate: effects of a treatment and the means that they are differences of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns.results.estimate import Estimate


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EffectEstimate(Estimate):
    """Effects of a treatment, then the potential-outcome means of the arms.

    As an `Estimate`, whose shares of variance are NaN here: several models stand behind an effect. ``settings`` has the
    persons of each arm.
    """

    @property
    def r2(self) -> float:
        """NaN: several models stand behind an effect."""
        return np.nan

    @property
    def r2_within(self) -> float:
        """NaN, as `r2`."""
        return np.nan

    @property
    def r2_adjusted(self) -> float:
        """NaN, as `r2`."""
        return np.nan

    @property
    def rmse(self) -> float:
        """NaN, as `r2`."""
        return np.nan

    def _quality(self) -> str:
        counts = self.settings["persons by arm"]
        return "Persons by arm: " + "; ".join(
            f"{f'{part}: ' if part else ''}{', '.join(f'{arm} {count:,}' for arm, count in arms.items())}"
            for part, arms in counts.items()
        )
