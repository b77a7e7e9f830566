"""Causal parameters of the simulation, with defaults of our own choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BY_SEX, BY_LEVEL = 2, 3  # men, women; level 2 or below, level 3 or above, graduates


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What causes pay; effects are on log annualised earnings unless said otherwise.

    The published medians hold at the defaults: other values move the simulated population away from them.

    Attributes
    ----------
    degree : pair of float
        Effect of a degree against level 3 or above 13 years after key stage 4, of men and women, relative (0.06 is six
        per cent): the mean over all who have either.
    degree_by_fsm, degree_by_ks4 : float
        How much larger the effect is for those eligible for free school meals, and by standard deviation of marks at
        key stage 4, beyond what the fitted medians of these groups imply.
    he_year : float
        Effect of each year of higher education behind those who never reach a degree; graduates have `degree` instead.
    vocational, apprenticeship, other_route : pair of float
        Effect of the route at key stage 5 against A levels, of men and women who reach level 3.
    place, place_sd : float
        Effect of the region of residence, as a multiple of its mean pay, and spread of travel-to-work areas within it.
    first_move : float
        Effect of having left the first travel-to-work area.
    sector : float
        Effect of the industry, as a multiple of its mean pay.
    school_sd : float
        Spread of the effects of schools.
    ability_at_first, learning_speed : float
        Share of ability that employers pay for in the first year, and the rate at which they learn the rest.
    covid : triple of float
        Effect of tax year 2020-21 by level.
    selection : float
        Correlation between what keeps persons in work and what they earn by chance; 0 makes employment independent of
        pay given the characteristics.
    """

    degree: tuple[float, ...] = (0.06, 0.26)
    degree_by_fsm: float = 0.0
    degree_by_ks4: float = 0.0
    he_year: float = 0.0
    vocational: tuple[float, ...] = (0.03, -0.05)
    apprenticeship: tuple[float, ...] = (0.15, 0.04)
    other_route: tuple[float, ...] = (-0.03, -0.04)
    place: float = 0.6
    place_sd: float = 0.03
    first_move: float = 0.02
    sector: float = 0.5
    school_sd: float = 0.03
    ability_at_first: float = 0.4
    learning_speed: float = 0.15
    covid: tuple[float, ...] = (-0.06, -0.04, -0.02)
    selection: float = 0.0

    @classmethod
    def of(cls, changes: Mapping[str, Any] | None) -> Truth:
        """Return the defaults with some parameters changed.

        Raises
        ------
        ValueError
            For a name that is no parameter, a value that is not a finite number, or not as many as there are groups.
        """
        changes = dict(changes or {})
        made: dict[str, Any] = {}
        known: dict[str, Any] = {entry.name: entry.default for entry in dataclasses.fields(cls)}
        if unknown := sorted(set(changes) - set(known)):
            raise ValueError(f"truth has no parameter {', '.join(unknown)}; there are {', '.join(known)}")
        for name, value in changes.items():
            size = np.size(known[name])
            try:
                found = np.asarray(value, np.float64)
            except (TypeError, ValueError):
                raise ValueError(f"truth[{name!r}] is made of numbers") from None
            if found.size != size or not np.isfinite(found).all():
                raise ValueError(f"truth[{name!r}] is {'a finite number' if size == 1 else f'{size} finite numbers'}")
            made[name] = tuple(found.ravel().tolist()) if isinstance(known[name], tuple) else float(found)
        truth = cls(**made)
        if not -1 <= truth.selection <= 1:
            raise ValueError("truth['selection'] is a correlation, between -1 and 1")
        if min(truth.degree) <= -1:
            raise ValueError("truth['degree'] is larger than -1")
        return truth

    @property
    def settings(self) -> dict[str, Any]:
        """All parameters as plain values."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(self).items()
        }
