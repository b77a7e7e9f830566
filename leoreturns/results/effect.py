"""EffectEstimate: effects of a treatment and the means that they are differences of."""

from __future__ import annotations

from dataclasses import dataclass

from leoreturns.results.estimate import Estimate


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EffectEstimate(Estimate):
    """Effects of a treatment, then the potential-outcome means of the arms.

    As an `Estimate`, whose shares of variance are NaN: several models stand behind an effect. ``settings`` has the
    persons of each arm.
    """

    def _quality(self) -> str:
        counts = self.settings["persons by arm"]
        return "Persons by arm: " + "; ".join(
            f"{f'{part}: ' if part else ''}{', '.join(f'{arm} {count:,}' for arm, count in arms.items())}"
            for part, arms in counts.items()
        )
