"""The joint distribution of pupils' characteristics and of the level that they reach at last.

A base with assumed interactions (deprivation with region and ethnicity, meals with deprivation, and so on) is
multiplied by one factor per group and level, fitted so that every published share of levels by group is met. They are
in ``fitted.npz``; ``tools/fit_simulation.py`` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray, FloatArray, IntArray
from leoreturns.extract.simulate import facts, fitted

UNKNOWN = -1  # what the records of independent schools do not tell
MAINSTREAM, SELECTIVE, INDEPENDENT, SPECIAL, OTHER = range(5)
LEVEL_2, LEVEL_3, GRADUATE = range(3)
N_LEVEL = 3
MOST_DEPRIVED, MIDDLE, LEAST_DEPRIVED = range(3)

# Dimension -> its groups. Special and other schools are one group here.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "sex": ("M", "F"),
    "school_type": ("mainstream", "selective", "independent", "special"),
    "fsm": ("false", "true"),
    "sen": ("none", "without a statement", "with a statement"),
    "ethnicity_minor": tuple(facts.ETHNICITY),
    "first_language": ("English", "other", "unclassified"),
    "ks4_five_ac": ("false", "true"),
    "school_region": tuple(facts.REGIONS),
    "idaci": ("most deprived", "middle", "least deprived"),
}
DIMENSIONS = tuple(GROUPS)


@dataclass(frozen=True, slots=True)
class Cells:
    """Combinations of characteristics, each with its probability by level.

    Attributes
    ----------
    codes : mapping of dimension -> int8 array
        Places in ``GROUPS[dimension]``, `UNKNOWN` for independent schools where nobody records it.
    chance : float array of cells by levels
        Adds up to 1.
    """

    codes: Mapping[str, AnyArray]
    chance: FloatArray

    def draw(self, n: int, rng: Generator) -> tuple[dict[str, AnyArray], AnyArray]:
        """Return the codes of `n` persons by dimension, and their levels."""
        bounds = np.cumsum(self.chance.ravel())
        place = np.searchsorted(bounds, rng.random(n) * bounds[-1], side="right").clip(max=len(bounds) - 1)
        cell, level = np.divmod(place, N_LEVEL)
        return {name: codes[cell] for name, codes in self.codes.items()}, level.astype(np.int8)


def base() -> Cells:
    """Return the cells with the assumed base: what the fit starts from."""
    state, independent = _state_cells(), _independent_cells()
    codes = {name: np.concatenate([state[name], independent[name]]).astype(np.int8) for name in DIMENSIONS}
    chance = np.concatenate([_state_chance(state), _independent_chance(independent)])
    return Cells(codes, chance / chance.sum())


@cache
def cells() -> Cells:
    """Return the cells as fitted."""
    start, factors = base(), fitted.load().population
    chance = start.chance.copy()
    for name in DIMENSIONS:
        code = start.codes[name]
        known = code >= 0
        chance[known] *= factors[name][code[known]]
    return Cells(start.codes, chance / chance.sum())


def _grid(sizes: Mapping[str, IntArray]) -> dict[str, AnyArray]:
    """Return every combination of these codes."""
    meshes = np.meshgrid(*sizes.values(), indexing="ij")
    return {name: mesh.ravel() for name, mesh in zip(sizes, meshes, strict=True)}


def _state_cells() -> dict[str, AnyArray]:
    sizes = {name: np.arange(len(groups)) for name, groups in GROUPS.items()}
    sizes["school_type"] = np.array([MAINSTREAM, SELECTIVE, SPECIAL])
    grid = _grid(sizes)
    # Those whose ethnic group is not classified, and they alone, have a first language that is not.
    unclassified = grid["ethnicity_minor"] == len(facts.ETHNICITY) - 1
    kept = unclassified == (grid["first_language"] == 2)
    return {name: codes[kept] for name, codes in grid.items()}


def _independent_cells() -> dict[str, AnyArray]:
    unknown = np.array([UNKNOWN])
    sizes = {name: unknown for name in DIMENSIONS}
    sizes |= {name: np.arange(len(GROUPS[name])) for name in ("sex", "ks4_five_ac", "school_region")}
    return _grid(sizes | {"school_type": np.array([INDEPENDENT])})


def _state_chance(codes: Mapping[str, AnyArray]) -> FloatArray:
    """Return the assumed chances of the cells of state schools, by level."""
    ethnicity, region, deprived = codes["ethnicity_minor"], codes["school_region"], codes["idaci"]
    fsm, sen, school, female = codes["fsm"], codes["sen"], codes["school_type"], codes["sex"]
    shares = np.array([share for share, _, _, _ in facts.ETHNICITY.values()])
    others = np.array([other for _, _, other, _ in facts.ETHNICITY.values()])
    poverty = np.array([poverty for _, _, _, poverty in facts.ETHNICITY.values()])
    white = np.array([major in ("WHIT", "UNCL") for _, major, _, _ in facts.ETHNICITY.values()])
    regions = np.array([share for _, share, _ in facts.REGIONS.values()]) / 100
    of_region = shares * np.where(white, 1.0, np.array(facts.MINORITY_TILT)[:, None])
    of_region /= of_region.sum(axis=1, keepdims=True)
    chance = 0.5 * regions[region] * of_region[region, ethnicity]
    chance = chance * np.stack([1 - others, others, np.ones_like(others)])[codes["first_language"], ethnicity]
    areas = np.array(facts.AREAS)[region] * np.stack([poverty, np.ones_like(poverty), 1 / poverty], axis=1)[ethnicity]
    chance *= np.take_along_axis(areas, deprived[:, None], axis=1)[:, 0] / areas.sum(axis=1)
    meals = (np.array([0.33, 0.13, 0.03])[deprived] * poverty[ethnicity] ** 0.5).clip(max=0.8)
    chance *= np.where(fsm == 1, meals, 1 - meals)
    selective = np.array([0.012, 0.028, 0.05])[deprived] * np.where(fsm == 1, 0.3, 1.0)
    special = np.array([0.030, 0.016, 0.010])[deprived] * np.where(fsm == 1, 1.8, 1.0)
    chance *= np.select([school == SELECTIVE, school == SPECIAL], [selective, special], default=1 - selective - special)
    needs = np.where(female == 1, 0.10, 0.17) * np.where(fsm == 1, 1.7, 1.0) * np.where(school == SELECTIVE, 0.25, 1.0)
    stated = np.where(school == SPECIAL, 0.95, 0.25 * needs)
    needs = np.where(school == SPECIAL, 0.04, needs)
    chance *= np.select([sen == 1, sen == 2], [needs, stated], default=1 - needs - stated)
    by_level: FloatArray = chance[:, None] * _levels(codes)
    return by_level


def _levels(codes: Mapping[str, AnyArray]) -> FloatArray:
    """Return the assumed chance of five A*-C or not (as the cell says), and each level with it."""
    school, sen = codes["school_type"], codes["sen"]
    score = 0.35 + 0.4 * (codes["sex"] == 1) - 0.9 * (codes["fsm"] == 1) + np.array([-0.4, 0.0, 0.6])[codes["idaci"]]
    score = score + np.array([0.0, 3.5, 2.5, -3.0])[school] + np.array([0.0, -1.9, -2.4])[sen]
    five = 1 / (1 + np.exp(-score))
    high = codes["ks4_five_ac"] == 1
    graduate = np.where(high, 0.4, -2.6) + 0.35 * score
    level_3 = np.where(high, 0.5, -1.0) + 0.2 * score
    odds = np.exp(np.stack([np.zeros_like(score), level_3, graduate], axis=1))
    levels: FloatArray = np.where(high, five, 1 - five)[:, None] * odds / odds.sum(axis=1, keepdims=True)
    return levels


def _independent_chance(codes: Mapping[str, AnyArray]) -> FloatArray:
    regions = np.array([share for _, share, _ in facts.REGIONS.values()]) / 100
    tilt = np.array([0.6, 0.7, 0.7, 0.8, 0.8, 1.1, 1.5, 1.5, 1.2])  # independent schools are more common in the south
    chance = facts.INDEPENDENT / 100 * 0.5 * (regions * tilt)[codes["school_region"]]
    high = codes["ks4_five_ac"] == 1
    levels = np.where(high[:, None], (0.036, 0.153, 0.711), (0.04, 0.03, 0.03))
    by_level: FloatArray = chance[:, None] * levels
    return by_level
