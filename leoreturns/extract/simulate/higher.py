"""Students in higher education (HESA) and applicants (UCAS)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate.activities import HIGHER, NOT_CAPTURED
from leoreturns.extract.simulate.attainment import only_covered
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.ids import BITS, Ids, mixed
from leoreturns.extract.simulate.people import ETHNIC_CODES, GRADUATE, LEVEL_3, YEARS, People
from leoreturns.extract.simulate.rows import MISSING, Coded, Rows, coded, days, draw, expand, flag, numbered
from leoreturns.extract.simulate.world import N_UNIVERSITY, REGION_NAMES, World
from leoreturns.extract.tables_further import JACS_SUBJECTS, SUBJECTS
from leoreturns.extract.tables_schools import PMR

AWARDS = (
    "Higher degree (research)",
    "Higher degree (taught)",
    "Other postgraduate",
    "First degree",
    "Other undergraduate",
)
CODES = ("1", "2", "3", "4", "5")  # of levels in this order, and of classes from the first to the unclassified
RESEARCH, TAUGHT, OTHER_POSTGRADUATE, FIRST_DEGREE, OTHER_UNDERGRADUATE = range(5)
SBJQA = tuple(f"{letter}{number}00" for letter in "ABCDFGHJKLMNPQRTVWX" for number in (1, 3, 5))
JACS = SBJQA
CAH = tuple(f"CAH{number:02d}-01-{part:02d}" for number in range(1, 24) for part in (1, 2, 3))
GROUPS = tuple(f"CAH{number:02d}" for number in range(1, 24))
LAST_YEAR = 2019


@dataclass(frozen=True, slots=True)
class Students:
    """One entry per person and year in higher education.

    Attributes
    ----------
    person, year, first, place : int arrays
        Whose, academic year, that in which the course began, and how many years ago that was.
    final : bool array
        The last year of a course.
    award : int8 array
        Level of the qualification, as a place in `AWARDS`; -1 for none.
    level : int8 array
        Level of the course, as a place in `AWARDS`.
    end : int32 array
        Last day of the course within the year.
    """

    person: AnyArray
    year: AnyArray
    first: AnyArray
    place: AnyArray
    final: AnyArray
    award: AnyArray
    level: AnyArray
    end: AnyArray


def _students(people: People, rng: Generator) -> Students:
    """Return years in higher education: those whose main activity it is, and degrees taken without such a year.

    Academic year t makes tax year t one of higher education; what follows to July is too little for the one after.
    """
    studies, degree = degree_years(people, rng)
    outside = np.flatnonzero((people.level == GRADUATE) & ~studies[np.arange(len(people)), degree])
    studies[outside, degree[outside]] = True
    person, k = np.nonzero(studies)
    n, by_degree = len(person), k - degree[person]
    graduate = people.level[person] == GRADUATE
    goes_on = np.zeros(n, bool)
    goes_on[:-1] = (person[1:] == person[:-1]) & (k[1:] == k[:-1] + 1)
    final = ~goes_on | (graduate & (by_degree == 0))
    begins = np.ones(n, bool)
    begins[1:] = final[:-1] | (person[1:] != person[:-1])
    place = np.arange(n) - np.maximum.accumulate(np.where(begins, np.arange(n), 0))
    after = graduate & (by_degree > 0)
    kinds = np.array([TAUGHT, OTHER_POSTGRADUATE, RESEARCH])[draw(rng, (70, 22, 8), len(people))[person]]
    level = np.where(
        after, kinds, np.where(graduate | (people.month[person] % 4 > 0), FIRST_DEGREE, OTHER_UNDERGRADUATE)
    )
    qualifies = final & np.where(after, rng.random(n) < 0.8, graduate & (by_degree == 0))
    # A lower award on the way, of some of those of level 3 who leave without a degree.
    lower = final & (people.level[person] == LEVEL_3) & (rng.random(n) < 0.3)
    award = np.where(qualifies, level, np.where(lower, OTHER_UNDERGRADUATE, -1)).astype(np.int8)
    year = (people.cohort[person] + 1 + k).astype(np.int32)
    end = np.where(final, days(year + 1, 6, 30), days(year + 1, 7, 31))
    leaves = final & (award < 0)
    end = np.where(leaves, days(year + 1, 2, 10) + rng.integers(0, 140, n), end)
    following = people.activity[person, (k + 1).clip(max=YEARS - 1)]
    end = np.where(final & ~goes_on & (following == NOT_CAPTURED), np.minimum(end, days(year + 1, 4, 5)), end)
    outside = np.isin(person, outside) & (by_degree == 0)
    end = np.where(outside, days(year, 10, 5), end).astype(np.int32)
    first = (year - place).astype(np.int32)
    return Students(person, year, first, place.astype(np.int32), final, award, level.astype(np.int8), end)


def degree_years(people: People, rng: Generator) -> tuple[AnyArray, AnyArray]:
    """Return the years of higher education (a matrix), and the column of the year in which graduates get their degree.

    The degree comes after three years or four in a row, else after the last year; without any, in a year in which the
    person is known.
    """
    k = np.arange(YEARS)
    within = people.cohort[:, None] + 1 + k <= LAST_YEAR
    studies = (people.activity == HIGHER) & within
    run = np.zeros((len(people), YEARS), np.int8)
    for at in range(YEARS):
        run[:, at] = np.where(studies[:, at], 1 + (run[:, at - 1] if at else 0), 0)
    enough = run == np.where(rng.random(len(people)) < 0.7, 3, 4)[:, None]
    last = YEARS - 1 - studies[:, ::-1].argmax(axis=1)
    known = within & (k >= 3) & (people.activity != NOT_CAPTURED)
    other = np.where(known.any(axis=1), known.argmax(axis=1), 3)
    degree = np.where(enough.any(axis=1), enough.argmax(axis=1), np.where(studies.any(axis=1), last, other))
    return studies, degree


def hesa(people: People, ids: Ids, world: World, rng: Generator, defects: Defects) -> Rows:
    """Return one row per student and academic year."""
    students = _students(people, rng)
    person, year, place, final = students.person, students.year, students.place, students.final
    n, award = len(person), students.award
    masters = students.level < FIRST_DEGREE
    end, first = students.end, students.first
    qualifies = award >= 0
    commenced = days(first, 9, 20) - np.where(end < days(year, 11, 1), 400, 0)
    university = (person * 7 + masters * 13 + (4 * people.ks4[person]).astype(np.int64) % 9) % N_UNIVERSITY
    rows: Rows = {
        "HE_PUPILMATCHINGREFANONYMOUS": ids.pmr_of(person, rng),
        "HE_ACADYR": year,
        "HE_INSTID_ANON": Coded(university.astype(np.int32), world.university_codes),
        "HE_XINSTID01__ANON": Coded(university.astype(np.int32), world.university_codes),
        "HE_XINSTG01": coded(university % 9, REGION_NAMES),
        "HE_XPQUAL01": flag(qualifies),
        "HE_XPSR01": np.ones(n, np.int8),
        "HE_COMDATE": commenced.astype(np.int32),
        "HE_DATELEFT": np.where(final, end, MISSING).astype(np.int32),
        "HE_ENDDATE": np.where(final, end, MISSING).astype(np.int32),
        "HE_YEARPRG": (place + 1).astype(np.int32),
        "HE_XMODE01": coded((rng.random(n) < 0.1).astype(np.int8), ("Full-time", "Part-time")),
        "HE_XLEV601": coded(students.level, CODES),
        "HE_XQOBTN01": coded(award, AWARDS),
        "HE_XQLEV601": coded(award, CODES),
        "HE_XQLEV1003": coded(award, AWARDS),
        "HE_XCLASS01": coded(np.where(award == FIRST_DEGREE, _classes(people, rng)[person], -1), CODES),
        **_subjects(people, person, rng),
        "HE_SEXID": coded(people.female[person].astype(np.int8), ("1", "2")),
        "HE_XETHNIC01": coded(people.ethnicity[person], ETHNIC_CODES),
        "HE_SEC": coded(draw(rng, np.ones(8), n), [f"{number}" for number in range(1, 9)]),
        "HE_PARED": coded(draw(rng, (50, 40, 10), n), ("Yes", "No", "Don't know")),
        "HE_XDOMGR01": coded(people.region[person], REGION_NAMES),
        "HE_XQUALENT01": coded((people.route[person] > 0).astype(np.int8), ("A level", "Other level 3")),
    }
    rows = defects.blank("higher education row without dates", rows, "HE_COMDATE", "HE_ENDDATE")
    return only_covered("hesa", rows, "HE_ACADYR")


def _classes(people: People, rng: Generator) -> AnyArray:
    """Return the class of each person's degree."""
    score = people.ability + 0.8 * rng.standard_normal(len(people))
    return np.searchsorted(np.array([-1.2, 0.0, 1.4]), -score + 0.6)


def _subjects(people: People, person: AnyArray, rng: Generator) -> Rows:
    """Return up to three subjects in each coding, with weights that add up to 100."""
    count = 1 + draw(rng, (70, 24, 6), len(people))[person]
    weights = np.array([[100, 0, 0], [50, 50, 0], [34, 33, 33]], np.float64)[count - 1]
    base = (person * 17 + 5 * people.female[person]) % len(SBJQA)
    rows: Rows = {"HE_SBJBID": coded((count - 1).astype(np.int8), ("1", "2", "3"))}
    for place in SUBJECTS:
        there = count >= place
        code = np.where(there, (base + 19 * (place - 1)) % len(SBJQA), -1).astype(np.int32)
        cah = np.where(there, code % len(CAH), -1)
        rows[f"HE_XCAH01_{place}"] = coded(np.where(there, cah // 3, -1), GROUPS)
        rows[f"HE_XCAH02_{place}"] = rows[f"HE_XCAH03_{place}"] = coded(cah, CAH)
        rows[f"HE_XFPE01_{place}"] = np.where(there, weights[:, min(place, 3) - 1], np.nan)
        if place in JACS_SUBJECTS:
            rows[f"HE_XJACS01_{place}"] = coded(code, JACS)
            rows[f"HE_XJACSA01_{place}"] = coded(np.where(there, code // 3, -1), [code[:1] for code in JACS[::3]])
        if place <= 3:
            rows[f"HE_SBJQA{place}"] = coded(code, SBJQA)
    return rows


def ucas(people: People, ids: Ids, rng: Generator) -> Rows:
    """Return one to four applications per applicant aged 18."""
    entrants = people.in_year(2, HIGHER)
    applicants = np.flatnonzero((entrants | (rng.random(len(people)) < 0.06)) & (people.cohort + 2 >= 2007))
    row, place = expand(1 + draw(rng, (10, 20, 30, 40), len(applicants)))
    person, n = applicants[row], len(row)
    cycle = (people.cohort[person] + 2).astype(np.int32)
    applicant = Coded(row, numbered(mixed(ids.ae_id[applicants], BITS["AE_ID"], 1), 12, base=16))
    application = numbered(mixed(ids.ae_id[person] * 8 + place, BITS["AE_ID"] + 3, 2), 13, base=16)
    return {
        PMR: ids.pmr_of(person, rng),
        "unique_id_cycle": applicant,
        "applicant_id": applicant,
        "application_cycle": cycle,
        "applicant_age": np.full(n, 18, np.int32),
        "accept_flag": flag(entrants[person]),
        "application_date": days(cycle - 1, 10, 1) + rng.integers(0, 100, n).astype(np.int32),
        "unique_application_id_cycle": Coded(np.arange(n), application),
        "entry_year": cycle,
        "subject_group_name": coded((person * 17 + place) % len(GROUPS), GROUPS),
        "he_provider_tariff_group": coded(draw(rng, (1, 1, 1), n), ("Higher", "Medium", "Lower")),
        "he_provider_uk_region": coded(draw(rng, np.ones(9), n), REGION_NAMES),
    }
