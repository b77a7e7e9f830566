"""The simulated persons: where they come from, what they attain, which way they go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray, FloatArray
from leoreturns.extract.simulate import facts
from leoreturns.extract.simulate.rows import draw, draw_each
from leoreturns.extract.simulate.world import World

FEMALE_LABELS = ("M", "F")
ETHNIC_CODES = tuple(facts.ETHNIC_GROUPS)
ETHNIC_MAJOR = tuple(major for _, major, _ in facts.ETHNIC_GROUPS.values())
MAINSTREAM, SELECTIVE, INDEPENDENT, SPECIAL, OTHER = range(5)
LEVEL_2, LEVEL_3, GRADUATE = range(3)
A_LEVEL, VOCATIONAL, APPRENTICESHIP, OTHER_LEVEL_3, NO_ROUTE = range(5)
NEVER = 9_999  # a year that does not come
# Route by level reached at last: graduates and others of level 3 may get there after the age of 18.
ROUTES = np.array([[0, 0, 0, 0, 1.0], [0.40, 0.20, 0.14, 0.20, 0.06], [0.86, 0.08, 0.01, 0.03, 0.02]])


@dataclass(frozen=True, slots=True)
class People:
    """One entry per person.

    Attributes
    ----------
    cohort : int32 array
        Calendar year in which key stage 4 ends.
    female, english, fsm : bool arrays
    ethnicity : int16 array
        Into `ETHNIC_CODES`.
    lsoa, region, school : int arrays
        Area of residence at school; its region; the school of key stage 4.
    school_type, sen : int arrays
        Into ``facts.SCHOOL_TYPES``; 0 none, 1 without, 2 with a statement.
    ability, ks2, ks4 : float arrays
        In standard deviations: not observed; marks at key stages 2 and 4.
    level, route : int arrays
        Level reached at last (`LEVEL_2`, `LEVEL_3`, `GRADUATE`); way to it at key stage 5.
    he_start, he_years : int32 arrays
        Academic year in which higher education starts (`NEVER`), and its length; `level` tells whether it ends well.
    linked : bool array
        Whether the person is found in tax records.
    last_year : int32 array
        Last tax year before leaving the country or dying; `NEVER` for most.
    """

    cohort: AnyArray
    female: AnyArray
    english: AnyArray
    ethnicity: AnyArray
    month: AnyArray
    lsoa: AnyArray
    region: AnyArray
    fsm: AnyArray
    sen: AnyArray
    school_type: AnyArray
    school: AnyArray
    ability: FloatArray
    ks2: FloatArray
    ks4: FloatArray
    level: AnyArray
    route: AnyArray
    he_start: AnyArray
    he_years: AnyArray
    linked: AnyArray
    last_year: AnyArray

    def __len__(self) -> int:
        return len(self.cohort)

    @property
    def five_ac(self) -> AnyArray:
        """Whether the person has 5 or more A*-C."""
        achieved: AnyArray = self.ks4 > FIVE_AC_FROM
        return achieved

    @property
    def state(self) -> AnyArray:
        """Whether the school is state-funded: the others are not in the census."""
        funded: AnyArray = self.school_type != INDEPENDENT
        return funded

    @property
    def year_of_birth(self) -> AnyArray:
        """Calendar year of birth: 16 between September C - 1 and August C."""
        born: AnyArray = self.cohort - 16 - (self.month >= 9)
        return born


# Cuts that give the published shares in a large population.
FIVE_AC_FROM, GRADUATE_FROM, LEVEL_3_FROM = -0.13, 0.68, -0.14


def make_people(n: int, cohorts: tuple[int, ...], world: World, rng: Generator) -> People:
    """Return `n` persons of these cohorts."""
    cohort = np.array(cohorts, np.int32)[rng.integers(0, len(cohorts), n)]
    female = rng.random(n) < facts.FEMALE / 100
    ethnicity = draw(rng, [share for share, _, _ in facts.ETHNIC_GROUPS.values()], n)
    english = rng.random(n) >= np.array([other for _, _, other in facts.ETHNIC_GROUPS.values()])[ethnicity]
    region = draw(rng, [share for _, share, _ in facts.REGIONS.values()], n)
    minority = np.array([major not in ("WHIT", "UNCL") for major in ETHNIC_MAJOR])[ethnicity]
    lsoa = world.lsoa_of_region.pick(region, rng.random(n) ** np.where(minority, 1.7, 1.0)).astype(np.int32)
    advantage = lsoa / len(world.lsoa_region) - 0.5
    school_type = _school_types(advantage, rng)
    cell = school_type.astype(np.int64) * len(facts.REGIONS) + region
    school = world.school_of_cell.pick(cell, rng.random(n) ** 1.2).astype(np.int32)
    fsm = rng.random(n) < _logistic(-2.08 - 3.2 * advantage)
    fsm &= school_type != INDEPENDENT
    sen = np.where(school_type == SPECIAL, 2, draw_each(rng, _SEN, (~female & 1) + 2 * (advantage < 0))).astype(np.int8)
    shift = 1.0 * advantage - 0.40 * fsm + np.array([0.15, -0.75, -1.3])[sen] + _SCHOOL_SHIFT[school_type]
    shift = shift + world.school_effect[school] + 0.7 * (np.array(ETHNIC_CODES) == "CHNE")[ethnicity]
    ability = shift + 0.8 * rng.standard_normal(n)
    ks2 = 0.8 * ability + 0.6 * rng.standard_normal(n) + 0.05 * female - 0.2 * ~english
    ks4 = 0.6 * ability + 0.3 * ks2 + 0.5 * rng.standard_normal(n) + 0.25 * female + 0.25 * ~english
    level, route = _levels(ks4, ethnicity, school_type, fsm, rng)
    he_start, he_years = _higher_education(cohort, level, route, rng)
    linked = rng.random(n) >= 0.03 + 0.09 * (school_type == INDEPENDENT) + 0.05 * ~english + 0.02 * (sen == 2)
    return People(
        cohort=cohort,
        female=female,
        english=english,
        ethnicity=ethnicity,
        month=rng.integers(1, 13, n).astype(np.int32),
        lsoa=lsoa,
        region=region,
        fsm=fsm,
        sen=sen,
        school_type=school_type,
        school=school,
        ability=ability,
        ks2=ks2,
        ks4=ks4,
        level=level,
        route=route,
        he_start=he_start,
        he_years=he_years,
        linked=linked,
        last_year=_last_years(cohort, school_type, english, level, rng),
    )


# By girl or boy in an area above, then below the middle: none, without, with a statement.
_SEN = np.array([[0.90, 0.085, 0.015], [0.83, 0.135, 0.035], [0.81, 0.165, 0.025], [0.70, 0.24, 0.06]])
_SCHOOL_SHIFT = np.array([-0.05, 0.85, 0.75, -0.6, -0.9])


def _logistic(x: AnyArray) -> FloatArray:
    chances: FloatArray = 1 / (1 + np.exp(-x))
    return chances


def _school_types(advantage: FloatArray, rng: Generator) -> AnyArray:
    """Draw types of school: independent and selective ones take more pupils from better-off areas."""
    tilt = 1 + 1.4 * advantage
    shares = np.stack([facts.SELECTIVE * tilt, facts.INDEPENDENT * tilt], axis=1) / 100
    fixed = np.array([facts.SPECIAL, facts.OTHER_SCHOOL]) / 100
    chance = rng.random(len(advantage))
    types = np.full(len(advantage), MAINSTREAM, np.int8)
    upper = np.zeros(len(advantage))
    for kind, share in ((SELECTIVE, shares[:, 0]), (INDEPENDENT, shares[:, 1]), (SPECIAL, fixed[0]), (OTHER, fixed[1])):
        types[(chance >= upper) & (chance < upper + share)] = kind
        upper = upper + share
    return types


def _levels(
    ks4: FloatArray, ethnicity: AnyArray, school_type: AnyArray, fsm: AnyArray, rng: Generator
) -> tuple[AnyArray, AnyArray]:
    """Return the level reached at last and the route of key stage 5."""
    n = len(ks4)
    shift = np.array([facts.DEGREE_SHIFT[major] for major in ETHNIC_MAJOR])[ethnicity]
    shift = shift + np.array([0, 0.3, 0.6, -0.4, -0.4])[school_type] - 0.1 * fsm
    graduate = 1.1 * ks4 + 0.6 * shift + 0.75 * rng.standard_normal(n) > GRADUATE_FROM
    level_3 = 0.8 * ks4 + 0.9 * rng.standard_normal(n) > LEVEL_3_FROM
    level = np.where(graduate, GRADUATE, np.where(level_3, LEVEL_3, LEVEL_2)).astype(np.int8)
    return level, draw_each(rng, ROUTES, level).astype(np.int8)


def _higher_education(cohort: AnyArray, level: AnyArray, route: AnyArray, rng: Generator) -> tuple[AnyArray, AnyArray]:
    """Return when higher education starts and how long it takes; a fifth of the others of level 3 start and leave."""
    n = len(cohort)
    enters = (level == GRADUATE) | ((level == LEVEL_3) & (rng.random(n) < 0.22))
    gap = np.array([2, 3, 4, 6, 8, 10])[draw(rng, (62, 22, 6, 4, 3, 3), n)]
    gap = np.where(route == NO_ROUTE, np.maximum(gap, 4), gap)
    years = np.where(level == GRADUATE, 3 + draw(rng, (68, 26, 6), n), 1 + draw(rng, (60, 40), n))
    return np.where(enters, cohort + gap, NEVER).astype(np.int32), years.astype(np.int32)


def _last_years(
    cohort: AnyArray, school_type: AnyArray, english: AnyArray, level: AnyArray, rng: Generator
) -> AnyArray:
    """Return when persons vanish, by a yearly chance that differs between groups, from two years after school."""
    chance = 0.006 + 0.006 * (school_type == INDEPENDENT) + 0.005 * ~english + 0.002 * (level == GRADUATE)
    waits = np.floor(np.log(rng.random(len(cohort))) / np.log1p(-chance)).clip(max=99)
    return np.where(waits < 30, cohort + 2 + waits, NEVER).astype(np.int32)
