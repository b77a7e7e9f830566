"""Key stage 5, school sixth-form aims and levels 2 and 3 by age of simulated students."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate.activities import KEY_STAGE_5, NOT_CAPTURED, OTHER_EDUCATION
from leoreturns.extract.simulate.attainment import only_covered
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.ids import Ids
from leoreturns.extract.simulate.people import (
    A_LEVEL,
    APPRENTICESHIP,
    FEMALE_LABELS,
    NO_ROUTE,
    OTHER_LEVEL_3,
    VOCATIONAL,
    People,
)
from leoreturns.extract.simulate.rows import Coded, Rows, array, coded, days, draw, expand, flag, text
from leoreturns.extract.simulate.world import World
from leoreturns.extract.tables_schools import PMR

SUBJECTS = tuple(f"{number:04d}" for number in range(1110, 9110, 200))
GRADES = ("U", "E", "D", "C", "B", "A", "*")


def _at_ks5(people: People, rng: Generator) -> tuple[AnyArray, AnyArray]:
    """Return who is reported at key stage 5, and the academic year: one that overlaps the tax year that it makes."""
    first, second = people.in_year(1, KEY_STAGE_5), people.in_year(2, KEY_STAGE_5)
    once, again = np.flatnonzero(first), np.flatnonzero(second)
    # After a year in which nothing is captured there is no record that would overlap it.
    early = people.in_year(2, NOT_CAPTURED)[once] | (rng.random(len(once)) < 0.03)
    wait = np.where(early, 0, 1)
    year = np.concatenate([people.cohort[once] + wait, people.cohort[again] + 2])
    return np.concatenate([once, again]), year.astype(np.int32)


def ks5(people: People, ids: Ids, world: World, rng: Generator, defects: Defects) -> tuple[Rows, Rows]:
    """Return the students at the end of 16 to 18 study, and their examination results."""
    persons, year = _at_ks5(people, rng)
    again = defects.choose("second KS5 record", len(persons))
    persons, year = np.concatenate([persons, persons[again]]), np.concatenate([year, year[again]])
    n = len(persons)
    route = people.route[persons]
    a_levels = np.where(route == A_LEVEL, 2 + draw(rng, (20, 60, 20), n), (rng.random(n) < 0.15).astype(np.int64))
    size = np.where(route == A_LEVEL, a_levels, 1.0 + (route == VOCATIONAL))
    points = np.round(size * (80 + 25 * people.ks4[persons]).clip(10, 140))
    vocational = route == VOCATIONAL
    level_3 = (route == A_LEVEL) | vocational | (route == OTHER_LEVEL_3)
    rows: Rows = {
        f"KS5_{PMR}": ids.pmr_of(persons, rng),
        "KS5_ACADYR": year,
        "KS5_GENDER": coded(people.female[persons].astype(np.int8), FEMALE_LABELS),
        "KS5_LAESTAB_anon": Coded(people.school[persons], world.laestab_codes),
        "KS5_URN_anon": Coded(people.school[persons], world.urn_codes),
        "KS5_NFTYPE": coded((route != A_LEVEL).astype(np.int8), ("21", "31")),
        "KS5_TRIGGER": np.ones(n, np.int8),
        "KS5_TOTPTS": points,
        "KS5_TOTPTSE": points,
        "KS5_TOTENTS": size,
        "KS5_ALEV": flag(a_levels > 0),
        "KS5_PASSES_GA": a_levels.astype(np.float64),
        "KS5_PASSES_GAS": (a_levels > 0) * 1.0,
        "KS5_PASS1L3": flag(level_3),
        "KS5_PASS2LV3": flag(level_3),
        "KS5_PASS2LV3ALEV": flag(route == A_LEVEL),
        "KS5_PASS2LV3BTOC": flag(vocational & (people.month[persons] % 4 > 0)),
        "KS5_PASS2LV3AVCE": flag(vocational & (people.month[persons] % 4 == 0)),
        "KS5_PASS2LV3IB": np.zeros(n, np.int8),
        "KS5_PASS2LV3NVR": np.zeros(n, np.int8),
        "KS5_PASS2LV3OTH": np.zeros(n, np.int8),
        "KS5_QROUTE": coded(_QROUTE[route], ("5", "3", "4", "6")),
        "KS5_TOTKS4": np.round(370 + 150 * people.ks4[persons]).clip(0),
    }
    for kind, share in (("ALEV", 1.0), ("ACAD", 1.0), ("VQ", 0.0), ("AGEN", 0.0), ("TLEV", 0.0)):
        part = np.where(vocational, 1 - share, share)
        rows |= {f"KS5_TOTENTS_{kind}": size * part, f"KS5_TOTPTSE_{kind}": points * part}
    return only_covered("ks5", rows, "KS5_ACADYR"), _exams(rows, a_levels, rng)


_QROUTE = np.array([0, 1, 2, 3, 3])


def _exams(students: Rows, a_levels: AnyArray, rng: Generator) -> Rows:
    """Return one row per result in an A level."""
    student, place = expand(a_levels)
    n, year = len(student), array(students, "KS5_ACADYR")[student]
    grade = np.floor(3.5 + rng.standard_normal(n)).clip(0, 6).astype(np.int32)
    subject = ((student * 7 + place * 11) % len(SUBJECTS)).astype(np.int32)
    rows: Rows = {
        f"KS5_{PMR}": text(students, f"KS5_{PMR}").take(student),
        "KS5_ACADYR": year,
        "KS5_EXAMYEAR": (year + 1).astype(np.int32),
        "KS5_SUBLEVNO": coded(np.zeros(n, np.int8), ("111",)),
        "KS5_QAN": coded(subject, [f"100{code}" for code in SUBJECTS]),
        "KS5_MAPPING": coded(subject, SUBJECTS),
        "KS5_GRADE": coded(grade, GRADES),
        "KS5_POINTS": np.where(grade > 0, 120.0 + 30 * grade, 0.0),
        "KS5_ASIZE": np.ones(n),
        "KS5_LEV3": np.full(n, 0.5),
    }
    return only_covered("ks5_exams", rows, "KS5_ACADYR")


def plams(people: People, ids: Ids, world: World, rng: Generator, defects: Defects) -> Rows:
    """Return the aims of pupils in school sixth forms: three or four in each of two years."""
    persons = np.flatnonzero(people.in_sixth_form & (rng.random(len(people)) < 0.55))
    row, place = expand(2 * (3 + (rng.random(len(persons)) < 0.4)))
    person, second = persons[row], place % 2
    year = people.cohort[person] + second
    held = np.flatnonzero(year >= 2007)
    person, year, place = person[held], year[held].astype(np.int32), place[held]
    n = len(person)
    subject = ((person * 3 + place // 2 * 13) % len(SUBJECTS)).astype(np.int32)
    numbers, end = coded(subject, [f"500{code}" for code in SUBJECTS]), days(year + 1, 7, 10)
    rows: Rows = {
        f"pl_{PMR}": ids.pmr_of(person, rng),
        "pl_ACADYR": year,
        "pl_OnRoll": coded(1 - (rng.random(n) < 0.03), ("0", "1", "2")),
        "pl_RecordStatus": np.ones(n, np.int32),
        "pl_LAEstab_anon": Coded(people.school[person], world.laestab_codes),
        "pl_QAN": numbers,
        "pl_QN": numbers,
        "pl_Disc_Code": coded(subject, SUBJECTS),
        "pl_Qual_Lev_Ref": coded(np.zeros(n, np.int8), ("Level 3",)),
        "pl_Qual_Type_Ref": coded(np.zeros(n, np.int8), ("GCE A level",)),
        "pl_Title_Ref": coded(subject, [f"Subject {code}" for code in SUBJECTS]),
        "pl_LearningStartDate": days(year, 9, 6),
        "pl_LearningPlannedEndDate": end,
        "pl_LearningActualEndDate": end,
        "pl_LearningAimStatus": coded(np.full(n, 1), ("1", "2")),
        "pl_CoreAim": flag(place < 2),
        "pl_ProgType": coded(np.full(n, -1), ("24",)),
        "pl_Traineeship": np.zeros(n, np.int8),
        "pl_Grade_ATT": coded(np.floor(3.5 + rng.standard_normal(n)).clip(0, 6).astype(np.int32), GRADES),
        "pl_GradePassFail": coded((rng.random(n) < 0.05).astype(np.int8), ("P", "F")),
    }
    rows = defects.blank("learning aim without an end", rows, "pl_LearningActualEndDate")
    return only_covered("plams", defects.repeat("repeated learning aim", rows), "pl_ACADYR")


def ypmad(people: People, ids: Ids, rng: Generator) -> Rows:
    """Return one record per young person in each of two years, the second with the level reached by then."""
    # Those who reach level 3 at that age are all here: other tables tell it in some years only.
    persons = np.repeat(np.flatnonzero((people.route < NO_ROUTE) | (rng.random(len(people)) < 0.97)), 2)
    n = len(persons)
    second = np.tile(np.array([False, True]), n // 2)
    route = people.route[persons]
    academic, vocational = second & (route == A_LEVEL), second & (route == VOCATIONAL)
    apprentice, other = second & (route == APPRENTICESHIP), second & (route == OTHER_LEVEL_3)
    passes = np.where(academic, 2.0 + (people.ks4[persons] > 0.5), 0.0)
    width = np.where(academic, passes, 0.0)
    level_3 = academic | vocational | apprentice | other
    return only_covered(
        "ypmad",
        {
            f"YPMAD_{PMR}": ids.pmr_of(persons, rng),
            "YPMAD_Academic_Year": (people.cohort[persons] + 2 * second).astype(np.int32),
            "YPMAD_AgeAtStartofAcadYear": (16 + 2 * second).astype(np.int32),
            "YPMAD_L2_GCSE_AC": np.round(5.5 + 3 * people.ks4[persons]).clip(0, 12),
            "YPMAD_L3_A_PASS": passes,
            "YPMAD_L3_AS_PASS": 2 * passes,
            "YPMAD_L3_IB_PASS": np.zeros(n),
            "YPMAD_L3_TOTAL_PASS": passes + vocational + apprentice,
            "YPMAD_L2_ACADEMIC_WIDTH": np.round(1.1 + 0.6 * people.ks4[persons], 2).clip(0),
            "YPMAD_L3_ACADEMIC_WIDTH": width,
            "YPMAD_L3_ACWIDTH_A": width,
            "YPMAD_L3_ACWIDTH_AS": np.zeros(n),
            "YPMAD_L3_ACWIDTH_IB": np.zeros(n),
            "YPMAD_L2_ACADEMIC": flag(people.five_ac[persons]),
            "YPMAD_L3_ACADEMIC": flag(academic),
            "YPMAD_L3_NISVQ": flag(vocational),
            "YPMAD_L3_FE_ILR": flag(vocational & people.in_year(1, OTHER_EDUCATION)[persons]),
            "YPMAD_L3_WBL_ILR": flag(apprentice),
            "YPMAD_L3_APPRENTICESHIP_WBL_ILR": apprentice * 1.0,
            "YPMAD_L2_OVERALL": flag(people.five_ac[persons] | level_3),
            "YPMAD_L3_OVERALL": flag(level_3),
        },
        "YPMAD_Academic_Year",
    )
