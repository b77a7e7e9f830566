"""EffectEstimate: effects of a treatment and the means that they are differences of."""

from __future__ import annotations

from dataclasses import dataclass

from leoreturns.results.estimate import Estimate
from leoreturns.results.flow import MASK, MASKED_BELOW


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EffectEstimate(Estimate):
    """Effects of a treatment, then the potential-outcome means of the arms.

    As an `Estimate`, whose shares of variance are NaN: several models stand behind an effect. ``settings`` has the
    persons of each arm.
    """

    def _quality(self) -> str:
        parts = []
        for part, arms in self.settings["persons by arm"].items():
            told = ", ".join(
                f"{arm} {count:,}" if count >= MASKED_BELOW else f"{arm} {MASK}" for arm, count in arms.items()
            )
            parts.append(f"{part}: {told}" if part else told)
        return f"Persons by arm: {'; '.join(parts)}"
