"""The simulated persons: where they come from, what they attain, which way they go, and what each year is for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.special import ndtr, ndtri

from leoreturns._typing import AnyArray, FloatArray
from leoreturns.extract.simulate import facts
from leoreturns.extract.simulate.activities import (
    BENEFITS,
    EMPLOYED,
    FURTHER,
    KEY_STAGE_5,
    NO_SUSTAINED,
    NOT_CAPTURED,
    OTHER_EDUCATION,
    draw_activities,
)
from leoreturns.extract.simulate.population import (
    GRADUATE,
    INDEPENDENT,
    LEVEL_2,
    LEVEL_3,
    MAINSTREAM,
    OTHER,
    SELECTIVE,
    SPECIAL,
    Cells,
    cells,
)
from leoreturns.extract.simulate.rows import draw, draw_each
from leoreturns.extract.simulate.truth import Truth
from leoreturns.extract.simulate.world import N_QUINTILE, World

__all__ = ["GRADUATE", "INDEPENDENT", "LEVEL_2", "LEVEL_3", "MAINSTREAM", "OTHER", "SELECTIVE", "SPECIAL"]

FEMALE_LABELS = ("M", "F")
ETHNIC_CODES = tuple(facts.ETHNIC_CODES)
ETHNIC_MAJOR = tuple(facts.ETHNICITY[group][1] for group, _ in facts.ETHNIC_CODES.values())
A_LEVEL, VOCATIONAL, APPRENTICESHIP, OTHER_LEVEL_3, NO_ROUTE = range(5)
YEARS = 18  # after key stage 4: the first cohort's last tax year
LAST_YEAR = 2020  # of the tables
UNLINKED = 0.9  # of those who never come up in records of work or benefits


@dataclass(frozen=True, slots=True)
class People:
    """One entry per person.

    Attributes
    ----------
    cohort : int32 array
        Calendar year in which key stage 4 ends.
    codes : mapping of dimension -> int8 array
        Characteristics as `population` groups them.
    female, english, fsm, five_ac : bool arrays
    ethnicity : int16 array
        Into `ETHNIC_CODES`.
    lsoa, region, school : int arrays
        Area of residence at school; its region, which is the school's; the school of key stage 4.
    school_type, sen : int arrays
        Into ``facts.SCHOOL_TYPES``; 0 none, 1 without, 2 with a statement.
    ability, ks2, ks4 : float arrays
        In standard deviations: not observed; marks at key stages 2 and 4.
    level, route : int arrays
        Level reached at last (`LEVEL_2`, `LEVEL_3`, `GRADUATE`); way to it at key stage 5.
    activity : int8 matrix of persons by `YEARS`
        Main activity in years 1, 2, ... after key stage 4.
    luck : float array
        Standard normal: what stays with the person of the chance in pay.
    linked : bool array
        Whether the person is found in tax records.
    """

    cohort: AnyArray
    codes: Mapping[str, AnyArray]
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
    five_ac: AnyArray
    level: AnyArray
    route: AnyArray
    activity: AnyArray
    luck: FloatArray
    linked: AnyArray

    def __len__(self) -> int:
        return len(self.cohort)

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

    def in_year(self, year: int, *activities: int) -> AnyArray:
        """Return whether a year after key stage 4 is one of these activities."""
        found: AnyArray = np.isin(self.activity[:, year - 1], activities)
        return found

    @property
    def in_sixth_form(self) -> AnyArray:
        """Whether the person is on a course of A levels for two years, at a school or a college."""
        stays = self.in_year(1, KEY_STAGE_5) & ~self.in_year(2, NOT_CAPTURED)
        found: AnyArray = (self.route == A_LEVEL) & stays
        return found


def make_people(
    n: int, cohorts: tuple[int, ...], world: World, truth: Truth, rng: Generator, pupils: Cells | None = None
) -> People:
    """Return `n` persons of these cohorts; `pupils` instead of the fitted distribution oversamples some."""
    cohort = np.array(cohorts, np.int32)[rng.integers(0, len(cohorts), n)]
    codes, level = (pupils or cells()).draw(n, rng)
    kind, region, five_ac = codes["school_type"], codes["school_region"].astype(np.int16), codes["ks4_five_ac"] == 1
    ethnicity, english = _origins(codes, rng)
    lsoa = _homes(codes, world, rng)
    ability, ks2, ks4 = _attainment(five_ac, level, rng)
    school_type = np.where((kind == SPECIAL) & (rng.random(n) < facts.OTHER_SCHOOL / 1.5), OTHER, kind).astype(np.int8)
    cell = school_type.astype(np.int64) * len(facts.REGIONS) + region
    # Pupils of higher attainment are more often found together.
    place = ndtr(0.35 * ks4 + np.sqrt(1 - 0.35**2) * rng.standard_normal(n))
    luck, other = rng.standard_normal(n), rng.standard_normal(n)
    attachment = truth.selection * luck + np.sqrt(1 - truth.selection**2) * other
    activity = draw_activities(codes, level, YEARS, attachment.astype(np.float32), rng)
    at_work = np.isin(activity, (EMPLOYED, BENEFITS, NO_SUSTAINED)).any(axis=1)
    return People(
        cohort=cohort,
        codes=codes,
        female=codes["sex"] == 1,
        english=english,
        ethnicity=ethnicity,
        month=rng.integers(1, 13, n).astype(np.int32),
        lsoa=lsoa,
        region=region,
        fsm=codes["fsm"] == 1,
        sen=codes["sen"].clip(min=0),
        school_type=school_type,
        school=world.school_of_cell.pick(cell, place**1.2).astype(np.int32),
        ability=ability,
        ks2=ks2,
        ks4=ks4,
        five_ac=five_ac,
        level=level,
        route=_routes(cohort, level, activity, rng),
        activity=activity,
        luck=luck,
        linked=at_work | (rng.random(n) >= UNLINKED),
    )


def _origins(codes: Mapping[str, AnyArray], rng: Generator) -> tuple[AnyArray, AnyArray]:
    """Return ethnic group as the census codes it, and whether the first language is English; unknown ones are drawn."""
    n, groups = len(codes["sex"]), list(facts.ETHNICITY)
    shares = np.array(
        [[share if held == group else 0.0 for held, share in facts.ETHNIC_CODES.values()] for group in groups]
    )
    whole = np.array([share for share, _, _, _ in facts.ETHNICITY.values()])
    group = codes["ethnicity_minor"]
    group = np.where(group < 0, draw(rng, whole, n), group)
    others = np.array([other for _, _, other, _ in facts.ETHNICITY.values()])
    english = np.where(codes["first_language"] < 0, rng.random(n) >= 0.5 * others[group], codes["first_language"] == 0)
    return draw_each(rng, shares, group), english


def _homes(codes: Mapping[str, AnyArray], world: World, rng: Generator) -> AnyArray:
    """Return an area of the region and of the deprivation that the person's codes say."""
    n, deprived = len(codes["sex"]), codes["idaci"]
    shares = np.array([[1, 0, 0, 0, 0], [0, 1.1, 1, 0.9, 0], [0, 0, 0, 0, 1], [0.06, 0.12, 0.19, 0.26, 0.37]])
    quintile = draw_each(rng, shares, np.where(deprived < 0, 3, deprived))
    cell = codes["school_region"].astype(np.int64) * N_QUINTILE + quintile
    return world.lsoa_of_cell.pick(cell, rng.random(n)).astype(np.int32)


# Correlation of ability with marks; the score at key stage 4 by level has this mean and spread before it is cut where
# five A*-C begin.
CORRELATION, SCORE_SD = 0.8, 0.85
SCORE_MEAN = np.array([-0.45, 0.0, 0.55])
FIVE_AC_FROM = -0.15  # puts 56.1 percent above


def _attainment(five_ac: AnyArray, level: AnyArray, rng: Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return ability and marks at key stages 2 and 4, given five A*-C and level.

    Given the marks of key stage 4 and the characteristics, ability and level are independent: returns to levels can be
    told from selection by those who observe marks and characteristics.
    """
    n = len(level)
    cut = ndtr((FIVE_AC_FROM - SCORE_MEAN[level]) / SCORE_SD)
    chance = rng.random(n)
    chance = np.where(five_ac, cut + (1 - cut) * chance, cut * chance)
    ks4 = SCORE_MEAN[level] + SCORE_SD * ndtri(chance.clip(1e-12, 1 - 1e-12))
    noise = np.sqrt(1 - CORRELATION**2)
    ability = CORRELATION * ks4 + noise * rng.standard_normal(n)
    ks2 = CORRELATION * ability + noise * rng.standard_normal(n)
    return ability, ks2, ks4


# Route by level reached at last (3 or a degree) and what the first two years are: with key stage 5, with other
# education, with neither. Those without a route reach level 3 as adults.
ROUTES = np.array(
    [
        [[0.46, 0.36, 0.0, 0.18, 0.0], [0.0, 0.44, 0.26, 0.20, 0.10], [0.0, 0.25, 0.05, 0.25, 0.45]],
        [[0.92, 0.06, 0.0, 0.02, 0.0], [0.0, 0.60, 0.05, 0.25, 0.10], [0.15, 0.25, 0.0, 0.20, 0.40]],
    ]
)


def _routes(cohort: AnyArray, level: AnyArray, activity: AnyArray, rng: Generator) -> AnyArray:
    """Return the route of key stage 5: one that the activities of the first years allow."""
    young = activity[:, :2]
    kind = np.where((young == KEY_STAGE_5).any(axis=1), 0, np.where((young == OTHER_EDUCATION).any(axis=1), 1, 2))
    shares = ROUTES.reshape(-1, ROUTES.shape[-1])
    route = draw_each(rng, shares, (level.clip(min=LEVEL_3) - LEVEL_3) * 3 + kind)
    # An apprenticeship needs years of learning that begin early, and adults' level 3 a year of further education.
    learns_early = (young == OTHER_EDUCATION).any(axis=1) | (activity[:, 2] == FURTHER)
    route = np.where((route == APPRENTICESHIP) & ~learns_early, VOCATIONAL, route)
    told = cohort[:, None] + 1 + np.arange(YEARS) <= LAST_YEAR
    learns_late = ((activity == FURTHER) & told)[:, 2:].any(axis=1)
    route = np.where((route == NO_ROUTE) & ~learns_late, VOCATIONAL, route)
    return np.where(level == LEVEL_2, NO_ROUTE, route).astype(np.int8)
