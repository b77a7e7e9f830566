"""Students in higher education (HESA) and applicants (UCAS)."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate.attainment import only_covered
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.ids import BITS, Ids, mixed
from leoreturns.extract.simulate.people import ETHNIC_CODES, GRADUATE, NEVER, People
from leoreturns.extract.simulate.rows import MISSING, Coded, Rows, coded, days, draw, expand, flag, numbered
from leoreturns.extract.simulate.world import N_UNIVERSITY, REGION_NAMES, World
from leoreturns.extract.tables_further import JACS_SUBJECTS, SUBJECTS
from leoreturns.extract.tables_schools import PMR

CLASSES = ("First class honours", "Upper second class honours", "Lower second class honours", "Third class honours")
LEVELS = ("First degree", "Higher degree", "Other postgraduate", "Other undergraduate")
SBJQA = tuple(f"{letter}{number}00" for letter in "ABCDFGHJKLMNPQRTVWX" for number in (1, 3, 5))
JACS = SBJQA
CAH = tuple(f"CAH{number:02d}-01-{part:02d}" for number in range(1, 24) for part in (1, 2, 3))
GROUPS = tuple(f"CAH{number:02d}" for number in range(1, 24))
LAST_YEAR = 2019


def _students(people: People, rng: Generator) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray, AnyArray]:
    """Return by row: person, academic year, year of the course, its first year, whether it is a postgraduate one."""
    students = np.flatnonzero(people.he_start < NEVER)
    row, place = expand(people.he_years[students])
    person = students[row]
    start = people.he_start[person]
    masters = students[(people.level[students] == GRADUATE) & (rng.random(len(students)) < 0.16)]
    later = people.he_start[masters] + people.he_years[masters] + draw(rng, (50, 20, 15, 15), len(masters))
    return (
        np.concatenate([person, masters]),
        np.concatenate([start + place, later]).astype(np.int32),
        np.concatenate([place, np.zeros(len(masters))]).astype(np.int32),
        np.concatenate([start, later]).astype(np.int32),
        np.arange(len(person) + len(masters)) >= len(person),
    )


def hesa(people: People, ids: Ids, world: World, rng: Generator, defects: Defects) -> Rows:
    """Return one row per student, course and academic year."""
    person, year, place, first, masters = _students(people, rng)
    n = len(person)
    final = masters | (place == people.he_years[person] - 1)
    qualifies = final & (people.level[person] == GRADUATE)
    # A lower award on the way, of those who leave without a degree.
    lower = final & ~masters & (people.level[person] != GRADUATE) & (rng.random(n) < 0.3)
    level = np.where(masters, draw(rng, (80, 20), n) + 1, np.where(lower, 3, 0))
    end = days(year + 1, 6, 30) - np.where(final & ~qualifies, rng.integers(0, 200, n), 0).astype(np.int32)
    commenced = days(first, 9, 20)
    university = (person * 7 + masters * 13 + (4 * people.ks4[person]).astype(np.int64) % 9) % N_UNIVERSITY
    rows: Rows = {
        "HE_PUPILMATCHINGREFANONYMOUS": ids.pmr_of(person, rng),
        "HE_ACADYR": year,
        "HE_INSTID_ANON": Coded(university.astype(np.int32), world.university_codes),
        "HE_XINSTG01": coded(university % 9, REGION_NAMES),
        "HE_XPQUAL01": flag(qualifies | lower),
        "HE_XPSR01": np.ones(n, np.int8),
        "HE_COMDATE": commenced,
        "HE_DATELEFT": np.where(final, end, MISSING).astype(np.int32),
        "HE_ENDDATE": np.where(final, end, MISSING).astype(np.int32),
        "HE_YEARPRG": (place + 1).astype(np.int32),
        "HE_XMODE01": coded((rng.random(n) < 0.1).astype(np.int8), ("Full-time", "Part-time")),
        "HE_XLEV601": coded(level, LEVELS),
        "HE_XQOBTN01": coded(np.where(qualifies | lower, level, -1), LEVELS),
        "HE_XQLEV601": coded(np.where(qualifies | lower, level, -1), LEVELS),
        "HE_XQLEV1003": coded(np.where(qualifies | lower, level, -1), LEVELS),
        "HE_XCLASS01": coded(np.where(qualifies & ~masters, _classes(people, person, rng), -1), CLASSES),
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


def _classes(people: People, person: AnyArray, rng: Generator) -> AnyArray:
    """Return the class of the degree, the same in every row of a person."""
    score = people.ability[person] + 0.8 * rng.standard_normal(len(person))
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
    entrants = people.he_start == people.cohort + 2
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
