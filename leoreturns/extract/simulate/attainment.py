"""Key stages 2 and 4 of simulated pupils."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray, FloatArray
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.ids import Ids
from leoreturns.extract.simulate.people import FEMALE_LABELS, SELECTIVE, SPECIAL, People
from leoreturns.extract.simulate.rows import Coded, Rows, array, blank, coded, flag, n_row, repeated, take
from leoreturns.extract.simulate.world import N_LSOA, World
from leoreturns.extract.tables import TABLES

YEARS_KS2_TO_KS4 = 5
GRADES = ("U", "G", "F", "E", "D", "C", "B", "A", "*")
MARKS = (*map(str, range(101)), "A", "M")  # absent and missing pupils have letters for marks
POINTS_FLOOR, POINTS_MEAN, POINTS_SD = 0, 370, 150


def ks2(people: People, ids: Ids, rng: Generator, defects: Defects) -> Rows:
    """Return one record per pupil of a state school at the age of 11, and of few others."""
    year = people.cohort - 1 - YEARS_KS2_TO_KS4
    sat = people.state | (rng.random(len(people)) < 0.3)
    persons = np.flatnonzero(sat)
    persons = np.sort(np.concatenate([persons, persons[defects.choose("second KS2 record", len(persons))]]))
    n = len(persons)
    fine = {subject: _fine_level(people.ks2[persons], rng) for subject in ("ENG", "MAT", "SCI", "READ")}
    rows: Rows = {
        "KS2_PupilMatchingRefAnonymous": ids.pmr_of(persons, rng),
        "KS2_ACADYR": year[persons] - (rng.random(n) < 0.01),
        "KS2_GENDER": coded(people.female[persons].astype(np.int8), FEMALE_LABELS),
        "KS2_YEAROFBIRTH": people.year_of_birth[persons],
        "KS2_MONTHOFBIRTH": people.month[persons],
    }
    for subject in ("ENG", "MAT", "SCI"):
        level = fine[subject]
        marks = np.round((level - 2) * 25).clip(0, 100).astype(np.int32)
        absent = rng.random(n) < 0.02
        marks[absent] = 101
        marks[defects.choose("missing marks at KS2", n)] = 102
        whole = np.where(marks > 100, -1, np.floor(level).astype(np.int32) - 1)
        rows |= {
            f"KS2_{subject}LEV": coded(whole, tuple(map(str, range(1, 9)))),
            f"KS2_{subject}TOTMRK": coded(marks, MARKS),
            f"KS2_{subject}FINE": np.round(level, 2),
            f"KS2_{subject}POINTS": np.round(6 * level + 3, 1),
        }
    rows["KS2_READFINE"] = np.round(fine["READ"], 2)
    rows["KS2_TOTPTS"] = np.round(6 * (fine["ENG"] + fine["MAT"] + fine["SCI"]) + 9, 0)
    rows["KS2_APS"] = np.round(3 * (fine["READ"] + fine["MAT"]) + 3, 1)
    return only_covered("ks2", rows, "KS2_ACADYR")


def _fine_level(score: FloatArray, rng: Generator) -> FloatArray:
    levels: FloatArray = (4.25 + 0.65 * score + 0.35 * rng.standard_normal(len(score))).clip(2.0, 5.99)
    return levels


def ks4(people: People, ids: Ids, world: World, rng: Generator, defects: Defects) -> Rows:
    """Return one record per pupil at the end of key stage 4, and some more of pupils who have several."""
    persons = np.arange(len(people))
    rows = _ks4_rows(people, ids, world, persons, rng)
    rows = defects.blank(
        "missing value at KS4", rows, "KS4_GENDER", "KS4_FSM", "KS4_URN_anon", "KS4_PTSTNEWE", "KS4_FIVEAC",
        "KS4_LEVEL2", "KS4_LEVEL2_EM", "KS4_NEWER_TYPE",
    )  # fmt: skip
    ends = array(rows, "KS4_ENDKS")
    ends[defects.choose("not at the end of KS4", len(ends))] = 0
    rows["KS4_ENDKS"] = ends
    return only_covered("ks4", _several(rows, len(people), defects), "KS4_ACADYR")


def _several(rows: Rows, n: int, defects: Defects) -> Rows:
    """Add second records: of the same year with other points, and of the year before or after."""
    copies, others = defects.choose("duplicate KS4 record", n), defects.choose("KS4 record of another year", n)
    rows = repeated(rows, np.concatenate([copies, others]))
    year, points = array(rows, "KS4_ACADYR"), array(rows, "KS4_PTSTNEWE")
    first_copy, first_other = n_row(rows) - len(copies) - len(others), n_row(rows) - len(others)
    change = np.round(60 * (defects.uniform(len(copies)) - 0.5))
    points[first_copy:first_other] = (points[first_copy:first_other] + np.where(np.abs(change) < 10, 0, change)).clip(0)
    year[first_other:] += np.where(defects.uniform(len(others)) < 0.5, -1, 1)
    return {**rows, "KS4_ACADYR": year, "KS4_PTSTNEWE": points}


def _ks4_rows(people: People, ids: Ids, world: World, persons: AnyArray, rng: Generator) -> Rows:
    """Return one record per person; results and what the census of the year says of the pupil."""
    n, state = len(persons), people.state[persons]
    kind, sen, fsm = people.school_type[persons], people.sen[persons], flag(people.fsm[persons], state)
    foreign = ~people.english[persons]
    pupil: Rows = {
        "KS4_PupilMatchingRefAnonymous": ids.pmr_of(persons, rng),
        "KS4_ACADYR": (people.cohort[persons] - 1).astype(np.int32),
        "KS4_GENDER": coded(people.female[persons].astype(np.int8), FEMALE_LABELS),
        "KS4_YEAROFBIRTH": people.year_of_birth[persons],
        "KS4_MONTHOFBIRTH": people.month[persons],
        "KS4_AGE_START": np.full(n, 15, np.int32),
        "KS4_ENDKS": np.ones(n, np.int8),
        "KS4_FSM": fsm,
        "KS4_FSM6": fsm,
        "KS4_SENF": coded(np.where(state, sen, -1), ("N", "K", "E")),
        "KS4_SENPS": flag(sen == 2, state),
        "KS4_SENA": flag(sen == 1, state),
        "KS4_FLANG": flag(foreign, state),
        "KS4_LANG1ST": coded(np.where(state, foreign, -1), ("ENG", "OTH")),
        "KS4_IDACI": np.where(state, np.round(0.6 * np.exp(-3.0 * people.lsoa[persons] / N_LSOA), 3), np.nan),
        "KS4_LA_anon": Coded(world.lsoa_ttwa[people.lsoa[persons]].astype(np.int32), world.authority_codes),
        "KS4_LAESTAB_anon": Coded(people.school[persons], world.laestab_codes),
        "KS4_URN_anon": Coded(people.school[persons], world.urn_codes),
        "KS4_NFTYPE": coded(kind, ("21", "23", "30", "25", "29")),
        "KS4_NEWER_TYPE": coded(_NEWER_TYPE[kind], ("1", "2", "5", "6")),
        "KS4_ADMPOL": coded((kind == SELECTIVE).astype(np.int8), ("NSE", "SEL")),
        "KS4_MMSCH": flag(state & (kind != SPECIAL)),
    }
    return pupil | _results(people.ks4[persons], people.five_ac[persons], rng)


def _results(score: FloatArray, five: AnyArray, rng: Generator) -> Rows:
    """Return the results of key stage 4 under the names of all years: what a year does not hold is taken out later."""
    n, table = len(score), TABLES["ks4"]
    points = np.round(POINTS_MEAN + POINTS_SD * score + 20 * rng.standard_normal(n)).clip(POINTS_FLOOR)
    gcse = np.round(points * 0.9)
    maths, english = _grade(score, rng), _grade(score, rng)
    measures: Rows = {
        "KS4_FIVEAC": flag(five),
        "KS4_LEVEL2": flag(five),
        "KS4_LEVEL2_EM": flag(five & (rng.random(n) < 0.85)),
        "KS4_PTSTNEWG": gcse,
        "KS4_PTSTNEWE": points,
        "KS4_GPTSPE": np.round(gcse / 9, 1),
        "KS4_HGMATH": coded(maths, GRADES),
        "KS4_APENG": coded(english, GRADES),
    }
    rows = {variant: column for name, column in measures.items() for variant in table.variants(name)}
    rows["KS4_HGMATH_91"] = coded((maths + 1).clip(0, 9), ("U", *map(str, range(1, 10))))
    rows["KS4_ATT8"] = np.round((50 + 14 * score).clip(0, 90), 1)
    return rows


_NEWER_TYPE = np.array([0, 1, -1, 2, 3])


def _grade(score: FloatArray, rng: Generator) -> AnyArray:
    return np.floor(5 + 1.7 * score + rng.standard_normal(len(score))).clip(0, 8).astype(np.int32)


def only_covered(name: str, rows: Rows, year_column: str) -> Rows:
    """Return the rows of years that a table covers, with each column missing in the years in which it was not held."""
    table = TABLES[name]
    year = array(rows, year_column)
    if table.years is not None:
        held = (year >= table.years[0]) & (year <= table.years[1])
        if not held.all():
            rows = take(rows, np.flatnonzero(held))
            year = year[held]
    kept = {}
    for column, values in rows.items():
        years = table.variable(column).years
        outside = np.zeros(0, bool) if years is None else (year < years[0]) | (year > years[1])
        kept[column] = blank(values, np.flatnonzero(outside)) if outside.any() else values
    return kept
