"""What simulated persons do in each tax year: study, work, draw benefits, and where they live."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.special import ndtri

from leoreturns._typing import AnyArray, FloatArray
from leoreturns.extract.simulate import facts
from leoreturns.extract.simulate.people import GRADUATE, LEVEL_2, People
from leoreturns.extract.simulate.rows import draw, draw_each
from leoreturns.extract.simulate.world import World

LAST_TAX_YEAR = 2020
ALL_YEAR, PART_YEAR, NO_JOB, ON_BENEFITS = range(4)
PERSISTENCE = 0.88  # of the latent attachment to work from one tax year to the next
JOB_STAYS, SECTOR_STAYS = 0.78, 0.87
LONDON = tuple(facts.REGIONS).index("London")
OUTSIDE = ("Abroad", "Scotland", "Wales", "Northern Ireland")


@dataclass(frozen=True, slots=True)
class Careers:
    """Persons by tax years 0, 1, ... after key stage 4; column k is tax year cohort + k.

    Attributes
    ----------
    seen : bool matrix
        In the country, found in tax records, and not after the last tax year.
    studies : bool matrix
        In higher education.
    state : int8 matrix
        `ALL_YEAR`, `PART_YEAR`, `NO_JOB` or `ON_BENEFITS`.
    enterprise : int32 matrix
        Into the enterprises of the world.
    lsoa : int32 matrix
        Area of residence; below 0 for residence outside England: -1 - place in `OUTSIDE`.
    """

    seen: AnyArray
    studies: AnyArray
    state: AnyArray
    enterprise: AnyArray
    lsoa: AnyArray

    def cells(self, chosen: AnyArray) -> tuple[AnyArray, AnyArray]:
        """Return persons and years after key stage 4 of the chosen cells, person by person."""
        person, k = np.nonzero(chosen)
        return person, k


def make_careers(people: People, world: World, rng: Generator) -> Careers:
    """Return the careers of persons to the last tax year."""
    span = LAST_TAX_YEAR - int(people.cohort.min()) + 1
    year = people.cohort[:, None] + np.arange(span)
    seen = (year <= np.minimum(people.last_year, LAST_TAX_YEAR)[:, None]) & people.linked[:, None]
    # The tax year from April of C + k: at a university that started in autumn C + k or before.
    start = people.he_start[:, None]
    studies = (year >= start) & (year < start + people.he_years[:, None])
    return Careers(
        seen=seen,
        studies=studies,
        state=_states(people, studies, rng),
        enterprise=_enterprises(people, span, world, rng),
        lsoa=_residence(people, studies, world, rng),
    )


def _states(people: People, studies: AnyArray, rng: Generator) -> AnyArray:
    """Return the state by year: a latent attachment to work that persists, cut at chances by level and year."""
    n, span = studies.shape
    all_year, any_job, benefits = _cuts(span)
    states = np.empty((n, span), np.int8)
    latent = rng.standard_normal(n)
    pupils = people.level > LEVEL_2
    for k in range(span):
        latent = PERSISTENCE * latent + np.sqrt(1 - PERSISTENCE**2) * rng.standard_normal(n)
        value = latent + 0.05 * people.ability - 0.05 * people.fsm - 0.3 * (people.sen == 2)
        value = value - 0.12 * people.female * (k > 8)
        student, pupil = studies[:, k], pupils & (k < 2)
        upper = np.where(student, _STUDENT_CUTS[0], np.where(pupil, _PUPIL_CUTS[0], all_year[people.level, k]))
        lower = np.where(student, _STUDENT_CUTS[1], np.where(pupil, _PUPIL_CUTS[1], any_job[people.level, k]))
        idle = np.where(value < benefits[people.level, k], ON_BENEFITS, NO_JOB)
        idle = np.where(student | pupil, NO_JOB, idle)
        states[:, k] = np.where(value > upper, ALL_YEAR, np.where(value > lower, PART_YEAR, idle))
    return states


def _cuts(span: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return by level and year the latent values from which one works all year, works at all, is not on benefits."""
    at = np.arange(span)
    tables = [
        np.stack([np.interp(at, facts.KNOTS, row) for row in table])
        for table in (facts.EMPLOYED_ALL_YEAR, facts.EMPLOYED_PART_YEAR, facts.OUT_OF_WORK)
    ]
    return ndtri(1 - tables[0]), ndtri(1 - tables[0] - tables[1]), ndtri(tables[2])


_STUDENT_CUTS = ndtri(1 - np.cumsum([facts.STUDENTS_ALL_YEAR, facts.STUDENTS_PART_YEAR]))
_PUPIL_CUTS = ndtri(1 - np.cumsum([facts.PUPILS_ALL_YEAR, facts.PUPILS_PART_YEAR]))


def _enterprises(people: People, span: int, world: World, rng: Generator) -> AnyArray:
    """Return the main enterprise by year: kept, changed within the section, or changed with it."""
    n = len(people)
    shares = facts.EMPLOYEES / facts.EMPLOYEES.sum(axis=1, keepdims=True)
    section = draw_each(rng, shares, np.zeros(n, np.int64))  # first jobs are those of few qualifications
    enterprise = world.enterprise_of_section.pick(section, rng.random(n) ** 3)
    years = np.empty((n, span), np.int32)
    for k in range(span):
        chance = rng.random(n)
        moves = np.flatnonzero(chance > JOB_STAYS)
        leaves = moves[chance[moves] > SECTOR_STAYS]
        section[leaves] = draw_each(rng, shares, people.level[leaves])
        enterprise[moves] = world.enterprise_of_section.pick(section[moves], rng.random(len(moves)) ** 3)
        years[:, k] = enterprise
    return years


def _residence(people: People, studies: AnyArray, world: World, rng: Generator) -> AnyArray:
    """Return where persons live by year: students and graduates move more, and many of them to London."""
    n, span = studies.shape
    lsoa = people.lsoa.copy()
    years = np.empty((n, span), np.int32)
    graduate = people.level == GRADUATE
    shares = np.array([share for _, share, _ in facts.REGIONS.values()])
    away = np.where(np.arange(len(shares)) == LONDON, 2.5, 1.0) * shares
    region = people.region.astype(np.int64)
    for k in range(span):
        chance = np.where(studies[:, k], 0.16, np.where(graduate, 0.10, 0.05) * (1 if k > 1 else 0.4))
        movers = np.flatnonzero(rng.random(n) < chance)
        # Most moves stay in the travel-to-work area, half of the others in the region.
        reach, place = rng.random(len(movers)), rng.random(len(movers))
        home = lsoa[movers] >= 0
        near = home & (reach < np.where(graduate[movers], 0.60, 0.80))
        far = movers[reach > np.where(graduate[movers], 0.75, 0.90)]
        region[far] = draw(rng, away, len(far))
        local = world.lsoa_of_ttwa.pick(world.lsoa_ttwa[np.where(home, lsoa[movers], 0)], place)
        lsoa[movers] = np.where(near, local, world.lsoa_of_region.pick(region[movers], place))
        abroad = movers[rng.random(len(movers)) < 0.04]
        lsoa[abroad] = -1 - draw(rng, (30, 30, 30, 10), len(abroad))
        years[:, k] = lsoa
    return years
