"""Learners and aims in further education (ILR)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate.activities import FURTHER, NOT_CAPTURED, OTHER_EDUCATION
from leoreturns.extract.simulate.attainment import only_covered
from leoreturns.extract.simulate.careers import Careers
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.ids import Ids, external_ids
from leoreturns.extract.simulate.people import (
    APPRENTICESHIP,
    FEMALE_LABELS,
    GRADUATE,
    LEVEL_2,
    LEVEL_3,
    NO_ROUTE,
    OTHER_LEVEL_3,
    VOCATIONAL,
    YEARS,
    People,
)
from leoreturns.extract.simulate.rows import MISSING, Coded, Rows, array, coded, days, draw, expand, flag, take
from leoreturns.extract.simulate.world import N_PROVIDER, World

LAST_YEAR = 2020
FRAMEWORKS = tuple(str(number) for number in range(401, 441))
PROGRAMMES = ("-1", "2", "3", "20", "25")
ADVANCED, INTERMEDIATE, HIGHER, STANDARD = range(1, 5)
FIRST_STANDARDS = 2017
ACHIEVED, NOT_ACHIEVED, NOT_KNOWN = range(3)


@dataclass(frozen=True, slots=True)
class Courses:
    """One entry per learning aim, over the years in which it runs.

    Attributes
    ----------
    person, level : int arrays
        Whose it is, and its level (0 to 7).
    start, planned, end : int32 arrays
        First day, planned and actual last day.
    apprentice, achieved : bool arrays
    """

    person: AnyArray
    level: AnyArray
    start: AnyArray
    planned: AnyArray
    end: AnyArray
    apprentice: AnyArray
    achieved: AnyArray


def make_courses(people: People, careers: Careers, rng: Generator) -> Courses:
    """Return the aims of all persons: those of years whose main activity they are, and short ones."""
    parts = (_sustained(people, rng), _short(people, careers, rng))
    courses = Courses(
        **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Courses)}
    )
    return replace(courses, level=_levels_by_19(people, courses))


def _levels_by_19(people: People, courses: Courses) -> AnyArray:
    """Return the levels of aims, of which none before 19 tells of another route at key stage 5 than the person's."""
    young = academic_year(courses.end) <= people.cohort[courses.person] + 2
    route = people.route[courses.person]
    other = np.where(courses.apprentice, route != APPRENTICESHIP, np.isin(route, (OTHER_LEVEL_3, NO_ROUTE)))
    return np.where(young & other, courses.level.clip(max=2), courses.level)


def _sustained(people: People, rng: Generator) -> Courses:
    """Return aims of one or two academic years that together are on in every year of further or other education.

    Tax year t takes its months from September t to April; what follows to July is too little for the tax year after.
    """
    learns = np.isin(people.activity, (FURTHER, OTHER_EDUCATION))
    learns &= people.cohort[:, None] + 1 + np.arange(YEARS) <= LAST_YEAR
    person, k = np.nonzero(learns)
    apprentice = _apprentices(people, learns, rng)[person, k]
    # A second year of the same run of years may carry on the aim of the first.
    follows = np.zeros(len(person), bool)
    follows[1:] = (person[1:] == person[:-1]) & (k[1:] == k[:-1] + 1) & (apprentice[1:] == apprentice[:-1])
    place = np.arange(len(person)) - np.maximum.accumulate(np.where(follows, 0, np.arange(len(person))))
    carries_on = (place % 2 == 1) & (apprentice | (rng.random(len(person)) < 0.4))
    carries_on &= (k != 2) | (people.route[person] != NO_ROUTE)  # adults begin anew
    first = np.flatnonzero(~carries_on)
    last = np.append(first[1:], len(person))[: len(first)] - 1
    early = (k[first] == 0) & (rng.random(len(first)) < 0.8)  # many begin in the September before the first tax year
    start = days(people.cohort[person[first]] + 1 + k[first] - early, 9, 1) + rng.integers(0, 5, len(first))
    year = people.cohort[person[last]] + 1 + k[last]
    goes_on = np.append(follows, False)[last + 1]
    after = people.activity[person[last], (k[last] + 1).clip(max=YEARS - 1)]
    leaves = ~goes_on & (rng.random(len(first)) < 0.4)
    end = np.where(leaves, days(year + 1, 2, 10) + rng.integers(0, 165, len(first)), days(year + 1, 7, 31))
    # Nothing is left of the course in a year in which nothing is captured.
    end = np.where((after == NOT_CAPTURED) & ~goes_on, days(year + 1, 4, 5), end)
    person, apprentice, k, kept_on = person[first], apprentice[first], k[first], ~leaves
    level, achieved = _aim_levels(people, person, k, apprentice, kept_on, rng)
    return _courses(person, level, start, np.where(leaves, days(year + 1, 7, 31), end), end, apprentice, achieved)


def _apprentices(people: People, learns: AnyArray, rng: Generator) -> AnyArray:
    """Return years as an apprentice: the first run of years of those on that route, and years of some others."""
    years = np.arange(YEARS)
    begins = np.where(learns.any(axis=1), learns.argmax(axis=1), YEARS)[:, None]
    unbroken = np.logical_and.accumulate(learns | (years < begins), axis=1) & (years >= begins)
    on_route = (people.route == APPRENTICESHIP)[:, None]
    chance = np.array([0.20, 0.22, 0.06])[people.level][:, None]
    found: AnyArray = np.where(on_route, unbroken, learns & (rng.random((len(people), 1)) < chance))
    return found


def _aim_levels(
    people: People, person: AnyArray, k: AnyArray, apprentice: AnyArray, kept_on: AnyArray, rng: Generator
) -> tuple[AnyArray, AnyArray]:
    """Return the level of each aim and whether it is achieved: one of level 3 where nothing else shows that level."""
    n, level = len(person), people.level[person]
    drawn = np.where(apprentice, 2 + (rng.random(n) < 0.3), draw(rng, (14, 28, 46, 12), n))
    first = np.ones(n, bool)
    first[1:] = person[1:] != person[:-1]
    on_route = apprentice & first & (people.route[person] == APPRENTICESHIP)
    # Adults reach level 3 in their first year of further education.
    later = (k >= 2) & (people.route[person] == NO_ROUTE) & (level >= LEVEL_3)
    adult = np.zeros(n, bool)
    where = np.flatnonzero(later)
    adult[where[np.unique(person[where], return_index=True)[1]]] = True
    college = first & np.isin(people.route[person], (VOCATIONAL, OTHER_LEVEL_3)) & (k < 2)
    certain = on_route | adult
    achieved = certain | (kept_on & (rng.random(n) < 0.8) & ((drawn < 3) | (level >= LEVEL_3)))
    return np.where(certain | college, 3, drawn), achieved


def _short(people: People, careers: Careers, rng: Generator) -> Courses:
    """Return aims of less than half a year, begun in autumn: they leave the main activity as it is."""
    person, k = careers.cells(careers.course)
    n, year = len(person), people.cohort[person] + 1 + k
    drawn = draw(rng, (12, 27, 45, 10, 4, 2), n)
    level = np.where(people.level[person] == LEVEL_2, drawn.clip(max=2), drawn)
    start = days(year, 10, 6) + rng.integers(0, 45, n)
    planned = start + rng.integers(10, 118, n)
    achieved = rng.random(n) < 0.7
    end = np.where(achieved, planned, start + (planned - start) * rng.random(n))
    return _courses(person, level, start, planned, end, np.zeros(n, bool), achieved)


def _courses(
    person: AnyArray,
    level: AnyArray,
    start: AnyArray,
    planned: AnyArray,
    end: AnyArray,
    apprentice: AnyArray,
    achieved: AnyArray,
) -> Courses:
    starts, plans, ends = (values.astype(np.int32) for values in (start, planned, end))
    return Courses(person, level.astype(np.int8), starts, plans, ends, apprentice, achieved)


def academic_year(day: AnyArray) -> AnyArray:
    """Return the start of the academic year (1 August to 31 July) in which a day falls."""
    months = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return ((months - 7) // 12 + 1970).astype(np.int32)


def ilr(
    people: People, courses: Courses, ids: Ids, world: World, salt: int, rng: Generator, defects: Defects
) -> tuple[Rows, Rows]:
    """Return learners (one row per person and academic year) and aims (one row per aim and academic year)."""
    first, last = academic_year(courses.start), academic_year(courses.end)
    course, place = expand(last - first + 1)
    year = first[course] + place
    held = np.flatnonzero((year >= 2002) & (year <= LAST_YEAR))
    course, year = course[held], year[held].astype(np.int32)
    # Learners: the persons and years of the aims, each under one of the person's records.
    keys, learner = np.unique(courses.person[course].astype(np.int64) * 4096 + year, return_inverse=True)
    person, in_year = np.divmod(keys, 4096)
    record = ids.recordid.numbers[ids.recordid.of(person, rng)].astype(np.int64)
    shared: Rows = {
        "external_id": external_ids(record, in_year, salt),
        "Year": in_year.astype(np.int32),
        "ukprn_anon": Coded(((person * 31 + in_year // 3) % N_PROVIDER).astype(np.int32), world.provider_codes),
        "RECORDID": record,
    }
    order = np.argsort(learner, kind="stable")
    aims = _aims(people, courses, course[order], take(shared, learner[order]), learner[order], world, rng, defects)
    return only_covered("ilr_learners", _learners(people, courses, person, shared, rng), "Year"), aims


def _learners(people: People, courses: Courses, person: AnyArray, shared: Rows, rng: Generator) -> Rows:
    n, year = len(person), array(shared, "Year")
    full_3 = np.zeros(len(people), np.int32) + 9_999
    done = courses.achieved & (courses.level == 3)
    np.minimum.at(full_3, courses.person[done], academic_year(courses.end[done]))
    achieved = full_3[person] == year
    return {
        **shared,
        "Sex": coded(people.female[person].astype(np.int8), FEMALE_LABELS),
        "Ethnicity": coded(people.ethnicity[person] % 18, [str(31 + group) for group in range(18)]),
        "AcAge": (year - people.cohort[person] + 16).astype(np.int32),
        "PriorAttain": coded(people.level[person], ("1", "3", "12")),
        "L_FullLevel2": flag(rng.random(n) < 0.3),
        "L_FullLevel3": flag(achieved),
        "L_FullLevel2Ach": flag(rng.random(n) < 0.2),
        "L_FullLevel3Ach": flag(achieved),
    }


def _aims(
    people: People,
    courses: Courses,
    course: AnyArray,
    shared: Rows,
    learner: AnyArray,
    world: World,
    rng: Generator,
    defects: Defects,
) -> Rows:
    """Return one row per aim and academic year; only the last one knows how it ended."""
    aim = world.aim_of_level.pick(courses.level, rng.random(len(courses.level)))[course]
    rows: Rows = {
        **shared,
        "sequence_index": _sequence(learner),
        "AgeAimStart": (academic_year(courses.start[course]) - people.cohort[courses.person[course]] + 16).astype(
            np.int32
        ),
        "start_date": courses.start[course],
        "end_date_expected": courses.planned[course],
        **_progress(courses, course, array(shared, "Year")),
        **_qualification(people, courses, course, aim, world),
        **_programme(courses, course, aim),
        "active": np.ones(len(course), np.int8),
        "enrolment": np.ones(len(course), np.int8),
    }
    rows = defects.blank("learning aim without an end", rows, "end_date", "end_date_expected")
    rows = defects.blank("unknown level of an aim", rows, "Notional_Level_v2_latest", "Notional_Level_v2")
    rows = defects.misspell("unknown level of an aim", rows, "Notional_Level_v2", "X")
    return only_covered("ilr_aims", defects.repeat("repeated learning aim", rows), "Year")


def _sequence(learner: AnyArray) -> AnyArray:
    """Return the number of each aim within its learner; aims of a learner stand together."""
    n = len(learner)
    first = np.ones(n, bool)
    first[1:] = learner[1:] != learner[:-1]
    before = np.maximum.accumulate(np.where(first, np.arange(n), 0))
    numbers: AnyArray = (np.arange(n) - before + 1).astype(np.int32)
    return numbers


def _progress(courses: Courses, course: AnyArray, year: AnyArray) -> Rows:
    """Return status, outcome and last day in a year: known in the last year only."""
    last, achieved = academic_year(courses.end[course]) == year, courses.achieved[course]
    outcome = np.where(~last, NOT_KNOWN, np.where(achieved, ACHIEVED, NOT_ACHIEVED))
    end = np.where(last, courses.end[course], MISSING).astype(np.int32)
    return {
        "end_date": end,
        "Compstatus": coded(np.where(~last, 0, np.where(achieved, 1, 2)), ("1", "2", "3")),
        "outcome": coded(outcome, ("1", "3", "4")),
        "outcome_grade": coded(np.where(outcome == ACHIEVED, 0, -1), ("PA",)),
        "Achievement_date": np.where(outcome == ACHIEVED, end, MISSING).astype(np.int32),
    }


def _qualification(people: People, courses: Courses, course: AnyArray, aim: AnyArray, world: World) -> Rows:
    """Return what is learned, at which level and width."""
    level, reached = courses.level[course], people.level[courses.person[course]]
    width = world.aim_width[aim]
    area = coded(world.aim_area[aim] - 1, [str(number) for number in range(1, 16)])
    known = coded(level, [str(number) for number in range(8)])
    full_3 = (level == 3) & ((width == 100) | (reached == LEVEL_3)) & (reached != GRADUATE)
    return {
        "learning_aim_id": Coded(aim.astype(np.int32), world.aim_codes),
        "FL2Width": np.where(level == 2, 100.0, 0.0),
        "FL3Width": width,
        "AimTitle": coded(aim.astype(np.int32), [f"Aim {number}" for number in range(len(world.aim_level))]),
        "QualificationType": coded(level, [f"{1000 + number}" for number in range(8)]),
        "Notional_Level": coded(level, ("E", *map(str, range(1, 8)))),
        "Notional_Level_v2": known,
        "Notional_Level_v2_latest": known,
        "SSATier1": area,
        "SSATier2": area,
        "FullL2": flag(level == 2),
        "FullL3": flag(full_3),
    }


def _programme(courses: Courses, course: AnyArray, aim: AnyArray) -> Rows:
    """Return the programme of which an aim is part: an apprenticeship by framework or by standard, or none."""
    level, apprentice, started = courses.level[course], courses.apprentice[course], courses.start[course]
    standard = apprentice & (academic_year(started) >= FIRST_STANDARDS)
    framework = apprentice & ~standard
    by_level = np.where(level <= 2, INTERMEDIATE, np.where(level == 3, ADVANCED, HIGHER))
    none = np.zeros(len(course), np.int8)
    return {
        "framework_id": coded(np.where(framework, aim % len(FRAMEWORKS), -1), FRAMEWORKS),
        "pathway_id": coded(np.where(framework, 0, -1), ("1",)),
        "Standard_id": coded(np.where(standard, aim % len(FRAMEWORKS), -1), FRAMEWORKS),
        "programme_type": coded(np.where(standard, STANDARD, np.where(framework, by_level, 0)), PROGRAMMES),
        "AimType": coded(np.where(apprentice, 0, 1), ("1", "4")),
        "FundModel": coded(np.where(apprentice, 0, 1), ("36", "35")),
        "app": flag(apprentice),
        "Traineeship": none,
        "FrameworkApp": flag(framework),
        "StandardApp": flag(standard),
        "Tlevel": none,
    }
