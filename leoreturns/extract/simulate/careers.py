"""What simulated persons do in each tax year beside or behind the main activity: work, claims, places."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate import facts, fitted
from leoreturns.extract.simulate.activities import (
    BENEFITS,
    EMPLOYED,
    FIRST_EDUCATION,
    HIGHER,
    NO_SUSTAINED,
    NOT_CAPTURED,
    positions,
)
from leoreturns.extract.simulate.effects import Effects
from leoreturns.extract.simulate.people import GRADUATE, YEARS, People
from leoreturns.extract.simulate.rows import draw, draw_each
from leoreturns.extract.simulate.world import World

LAST_TAX_YEAR = 2020
ALL_YEAR, PART_YEAR, NO_JOB = range(3)
NO_CLAIM, SHORT_CLAIM, LONG_CLAIM = range(3)
JOB_KEPT, JOB_FADES = 0.4, 0.7  # of the latent taste for jobs beside learning or claims
JOB_STAYS, SECTOR_STAYS = 0.78, 0.87
LONDON = tuple(facts.REGIONS).index("London")
OUTSIDE = ("Abroad", "Scotland", "Wales", "Northern Ireland")
UNSEEN_ADDRESS = 0.55  # of the years in which nothing else is captured


@dataclass(frozen=True, slots=True)
class Careers:
    """Persons by tax years 1, 2, ... after key stage 4; column k is tax year cohort + 1 + k.

    Attributes
    ----------
    activity : int8 matrix
        Main activity, into ``activities.ACTIVITIES``.
    seen : bool matrix
        Found in tax records, up to the last tax year.
    addressed : bool matrix
        Has an address in that year.
    work : int8 matrix
        `ALL_YEAR`, `PART_YEAR` or `NO_JOB`.
    claim : int8 matrix
        `NO_CLAIM`, `SHORT_CLAIM` (too short for a main activity) or `LONG_CLAIM`, of out-of-work benefits.
    course : bool matrix
        On a course too short for a main activity.
    enterprise : int32 matrix
        Into the enterprises of the world.
    lsoa : int32 matrix
        Area of residence; below 0 for residence outside England: -1 - place in `OUTSIDE`.
    """

    activity: AnyArray
    seen: AnyArray
    addressed: AnyArray
    work: AnyArray
    claim: AnyArray
    course: AnyArray
    enterprise: AnyArray
    lsoa: AnyArray

    def cells(self, chosen: AnyArray) -> tuple[AnyArray, AnyArray]:
        """Return persons and columns of the chosen cells, person by person."""
        person, k = np.nonzero(chosen)
        return person, k


def make_careers(people: People, world: World, rng: Generator) -> Careers:
    """Return the careers of persons to the last tax year."""
    span = min(max(LAST_TAX_YEAR - int(people.cohort.min()), 1), YEARS)
    activity = people.activity[:, :span]
    within = people.cohort[:, None] + 1 + np.arange(span) <= LAST_TAX_YEAR
    seen = within & people.linked[:, None]
    work = _work(people, activity, seen, rng)
    claim, course = _evidence(people, activity, work, rng)
    gone = (activity == NOT_CAPTURED) & (rng.random(activity.shape, np.float32) < UNSEEN_ADDRESS)
    return Careers(
        activity=activity,
        seen=seen,
        addressed=seen & ~gone,
        work=work,
        claim=np.where(seen, claim, NO_CLAIM),
        course=course & within,
        enterprise=_enterprises(people, span, world, rng),
        lsoa=_residence(people, activity, world, rng),
    )


@cache
def _work_chances() -> AnyArray:
    """Return the assumed chance of paid work by level, main activity and year after key stage 4."""
    years, knots = np.arange(1, YEARS + 1), np.array(facts.WORK_KNOTS)
    by_level = [
        [np.interp(years, knots[: np.size(chances)], np.atleast_1d(chances)) for chances in of_level]
        for of_level in facts.PAID_WORK
    ]
    return np.array(by_level, np.float32)


@cache
def work_effects() -> Effects:
    """Return by how much the log odds of paid work differ between groups."""
    return Effects(fitted.load().work)


def assumed_work(people: People, activity: AnyArray) -> AnyArray:
    """Return the chance of paid work by person and year before groups differ."""
    chance: AnyArray = _work_chances()[people.level[:, None], activity, np.arange(activity.shape[1])]
    return chance


def _work(people: People, activity: AnyArray, seen: AnyArray, rng: Generator) -> AnyArray:
    """Return how much of each year has paid work."""
    n, span = activity.shape
    taste = positions(n, span, JOB_KEPT, JOB_FADES, rng)
    chance, places = assumed_work(people, activity), work_effects().places(people.codes)
    for k in range(span):
        odds = np.exp(work_effects().of(places, people.level, k + 1))
        chance[:, k] *= odds / (1 - chance[:, k] + chance[:, k] * odds)
    works = seen & (taste < chance)
    whole = (activity != NO_SUSTAINED) & (rng.random(activity.shape, np.float32) < facts.ALL_YEAR_BESIDE)
    whole |= activity == EMPLOYED
    return np.where(works, np.where(whole, ALL_YEAR, PART_YEAR), NO_JOB).astype(np.int8)


def _evidence(people: People, activity: AnyArray, work: AnyArray, rng: Generator) -> tuple[AnyArray, AnyArray]:
    """Return claims and short courses: years without sustained activity or work have one of them, others may."""
    chance = rng.random(activity.shape, np.float32)
    empty = (activity == NO_SUSTAINED) & (work == NO_JOB)
    captured = activity != NOT_CAPTURED
    some = captured & (activity != BENEFITS) & (chance < np.array(facts.SHORT_CLAIM)[people.level][:, None])
    short = np.where(empty, chance < 0.65, some & (activity < FIRST_EDUCATION))
    claim = np.where(activity == BENEFITS, LONG_CLAIM, np.where(short, SHORT_CLAIM, NO_CLAIM)).astype(np.int8)
    courses = rng.random(activity.shape, np.float32) < np.array(facts.SHORT_COURSE)[people.level][:, None]
    return claim, np.where(empty & ~short, True, courses & captured & (activity < FIRST_EDUCATION))


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


def _residence(people: People, activity: AnyArray, world: World, rng: Generator) -> AnyArray:
    """Return where persons live by year: students and graduates move more, and many of them to London."""
    n, span = activity.shape
    lsoa = people.lsoa.copy()
    years = np.empty((n, span), np.int32)
    graduate = people.level == GRADUATE
    shares = np.array([share for _, share, _ in facts.REGIONS.values()])
    away = np.where(np.arange(len(shares)) == LONDON, 2.5, 1.0) * shares
    region = people.region.astype(np.int64)
    for k in range(span):
        studies, lost = activity[:, k] == HIGHER, activity[:, k] == NOT_CAPTURED
        chance = np.where(studies, 0.16, np.where(graduate, 0.10, 0.05) * (1 if k > 0 else 0.4))
        movers = np.flatnonzero(rng.random(n) < chance)
        # Most moves stay in the travel-to-work area, half of the others in the region.
        reach, place = rng.random(len(movers)), rng.random(len(movers))
        home = lsoa[movers] >= 0
        near = home & (reach < np.where(graduate[movers], 0.60, 0.80))
        far = movers[reach > np.where(graduate[movers], 0.75, 0.90)]
        region[far] = draw(rng, away, len(far))
        local = world.lsoa_of_ttwa.pick(world.lsoa_ttwa[np.where(home, lsoa[movers], 0)], place)
        lsoa[movers] = np.where(near, local, world.lsoa_of_region.pick(region[movers], place))
        abroad = movers[rng.random(len(movers)) < np.where(lost[movers], 0.5, 0.02)]
        lsoa[abroad] = -1 - draw(rng, (30, 30, 30, 10), len(abroad))
        years[:, k] = lsoa
    return years
