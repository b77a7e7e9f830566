"""The parameters of the simulation that are fitted to published figures, read once from a file of the package.

Source: Department for Education, "Post-16 education and labour market activities, pathways and outcomes (LEO)", 27 May
2021, the tables of medians and activities. ``tools/fit_simulation.py`` fits them; none is an estimate of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from leoreturns._typing import FloatArray

FILE = "fitted.npz"
PARTS = ("population", "activity", "work", "pay")


@dataclass(frozen=True, slots=True)
class Fitted:
    """Parameters by part and dimension; "all" is the part that no group has to itself.

    Attributes
    ----------
    population : mapping of dimension -> array of groups by levels
        Factors of the chances of `population.base`.
    activity : mapping of dimension -> array of groups by levels, years and activities
        Logs of the weights of the main activities.
    work : mapping of dimension -> array of groups by levels and years
        What a group adds to the log odds of paid work in a year that need not have it.
    pay : mapping of dimension -> array of groups by levels and years
        What a group adds to log annualised earnings; further, the price of ability by sex, what a degree adds through
        place and industry, and how much wider chance is for women, by level and year.
    """

    population: Mapping[str, FloatArray]
    activity: Mapping[str, FloatArray]
    work: Mapping[str, FloatArray]
    pay: Mapping[str, FloatArray]


@cache
def load() -> Fitted:
    """Return the parameters."""
    with resources.files(__package__).joinpath(FILE).open("rb") as file, np.load(file) as arrays:
        found: dict[str, dict[str, FloatArray]] = {part: {} for part in PARTS}
        for name in arrays.files:
            part, _, dimension = name.partition(".")
            found[part][dimension] = arrays[name].astype(np.float64)
    return Fitted(**found)
