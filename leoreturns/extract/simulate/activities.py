"""The main activity of every person in every tax year: published percentages are met, and persons persist.

The chance of an activity depends on level, year after key stage 4 and the characteristics of `population`. It is
drawn in two steps from two latent positions that a person keeps to a degree from year to year: first whether the year
is one of education and of which kind, then what a year without is. As each position is uniform in every year, the
chances are met.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.random import Generator
from scipy.special import ndtr

from leoreturns._typing import AnyArray, FloatArray
from leoreturns.extract.simulate import fitted
from leoreturns.extract.simulate.effects import YEARS, Effects

# In the order of the latent positions: first what a year without education is, then the kinds of education.
ACTIVITIES = (
    "activity not captured",
    "out-of-work benefits",
    "no sustained activity",
    "employment",
    "adult further education",
    "other education",
    "key stage 5",
    "higher education",
)
NOT_CAPTURED, BENEFITS, NO_SUSTAINED, EMPLOYED, FURTHER, OTHER_EDUCATION, KEY_STAGE_5, HIGHER = range(8)
FIRST_EDUCATION = FURTHER
# Which activities a year can have: key stage 5 and other education in years 1 and 2, further education later.
POSSIBLE = np.array(
    [[True] * 4 + [n > 2, n <= 2, n <= 2, n >= 2] for n in range(1, YEARS + 1)],
)
# Shares of the variance of a latent position that a person keeps for good, and how the rest fades by the year.
EDUCATION_KEPT, EDUCATION_FADES = 0.25, 0.80
WORK_KEPT, WORK_FADES = 0.55, 0.92


def positions(
    n: int, years: int, kept: float, fades: float, rng: Generator, person: FloatArray | None = None
) -> AnyArray:
    """Return a uniform position for each person and year, which persists; `person` is the part that stays, if known."""
    drawn = rng.standard_normal(n, np.float32)
    person = np.sqrt(kept) * (drawn if person is None else person)
    latent = rng.standard_normal(n, np.float32)
    found = np.empty((n, years), np.float32)
    for year in range(years):
        if year:
            latent = fades * latent + np.sqrt(1 - fades**2) * rng.standard_normal(n, np.float32)
        found[:, year] = ndtr(person + np.sqrt(1 - kept) * latent)
    return found


@cache
def effects() -> Effects:
    """Return log weights of the activities."""
    return Effects(fitted.load().activity)


def chances(places: tuple[AnyArray, ...], level: AnyArray, year: int) -> FloatArray:
    """Return the chance of each activity in a year after key stage 4 (1, 2, ...)."""
    weights = np.exp(effects().of(places, level, year))
    found: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return found


def draw_activities(
    codes: Mapping[str, AnyArray], level: AnyArray, years: int, attachment: FloatArray, rng: Generator
) -> AnyArray:
    """Return the main activity of each person in years 1, 2, ... after key stage 4.

    Parameters
    ----------
    attachment : float array
        Standard normal: what keeps a person in work from year to year.
    """
    n, places = len(level), effects().places(codes)
    education = positions(n, years, EDUCATION_KEPT, EDUCATION_FADES, rng)
    work = positions(n, years, WORK_KEPT, WORK_FADES, rng, attachment)
    drawn = np.empty((n, years), np.int8)
    for year in range(years):
        bounds = np.cumsum(chances(places, level, year + 1), axis=1)
        without = bounds[:, FIRST_EDUCATION - 1]
        studies = education[:, year] >= without
        value = np.where(studies, education[:, year], work[:, year] * without)
        drawn[:, year] = (value[:, None] >= bounds[:, :-1]).sum(axis=1)
    return drawn
