"""Traits of simulated persons, as the rules for tables without defects find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from leoreturns._typing import AnyArray, BoolArray, FloatArray, IntArray
from leoreturns.extract.simulate import facts
from leoreturns.extract.simulate.higher import FIRST_DEGREE
from leoreturns.extract.simulate.people import ETHNIC_CODES
from leoreturns.extract.simulate.records import Records, labels
from leoreturns.extract.simulate.rows import Rows, array, text
from leoreturns.extract.simulate.schools import deprivation_rank, deprivation_score
from leoreturns.extract.simulate.world import REGION_NAMES
from leoreturns.extract.tables import TABLES
from leoreturns.panel.degrees import CLASSES, JACS_3
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import CONDITION, chosen
from leoreturns.panel.pathways import NO_ROUTE, ROUTE_TABLES, ROUTES
from leoreturns.panel.schema import Label
from leoreturns.panel.simulated_years import areas
from leoreturns.panel.traits_attainment import (
    ENGLISH,
    FIVE_AC,
    FIVE_AC_EM,
    GRADE_LABELS,
    HIGH_START,
    LAST_WITHOUT_LEVEL2,
    LOW_END,
    MATHS,
    POINTS,
)
from leoreturns.panel.traits_post16 import EDUCATION_LEVELS
from leoreturns.panel.traits_schools import AREAS_2001, ETHNICITIES_MINOR, GROUP_OF_MINOR, QUINTILES

LAST_COHORT = 2015  # later ones have not all reached their level by the end of the tables
LEVELS = ("level 2 or below", "level 3 or above", "graduate")  # as they are drawn


def traits_of(records: Records, coverage: Mapping[str, int]) -> dict[str, Encoded]:
    """Return the traits of all simulated persons, by name.

    Parameters
    ----------
    records : Records
    coverage : mapping of str -> int
        The last year that each table observes.
    """
    return {**_pupils(records), **_attainment(records), **_later(records, coverage), **_degrees(records)}


# ---- school ---------------------------------------------------------------------------------------------------------


def _pupils(records: Records) -> dict[str, Encoded]:
    """Traits of the census and of the school; independent schools have no census."""
    who, world = records.persons, records.world
    state, year_11 = who["state"], who["cohort"] - 1
    minor = _coded(who["ethnicity"], tuple(ETHNICITIES_MINOR.get(code) for code in ETHNIC_CODES))
    major = _coded(who["ethnicity"], tuple(GROUP_OF_MINOR.get(code) for code in ETHNIC_CODES))
    rank = deprivation_rank(who["lsoa"])
    last_ranked = (TABLES["school_census"].coverage("IDACIRank") or (0, 0))[1]
    ranked = state & (year_11 <= last_ranked)
    recorded = array(records.tables["ks4"], "KS4_IDACI")[_entry(records, "ks4")]
    school = _coded(who["school"], world.urn_codes.to_pylist())
    return {
        "cohort": Encoded(who["cohort"].astype(np.int16), "number"),
        "sex": _coded(who["female"], ("M", "F")),
        "birth_month": Encoded(who["month"].astype(np.int8), "number"),
        "ethnicity": _where(state, major),
        "ethnicity_minor": _where(state, minor),
        "first_language": _where(state & (major.values >= 0), _coded(~who["english"], ("English", "other"))),
        "fsm": _where(state, _coded(who["fsm"], CONDITION)),
        "sen": _where(state, _coded(who["sen"], ("none", "without a statement", "with a statement"))),
        "idaci_quintile": _where(ranked, _coded((rank - 1) * 5 // AREAS_2001, tuple(QUINTILES.values()))),
        "idaci_score": _numbers(np.where(ranked, deprivation_score(rank), recorded)),
        "home_region": _where(state, _coded(world.lsoa_region[who["lsoa"]], REGION_NAMES)),
        "area_at_16": _area_at_16(records),
        "school": school,
        "region": _coded(world.school_region[who["school"]], REGION_NAMES),
        "school_type": _coded(world.school_type[who["school"]], facts.SCHOOL_TYPES),
    }


def _area_at_16(records: Records) -> Encoded:
    """The area of the tax year in which key stage 4 ends, else of the next, else that of the home in the census."""
    number, rows = records.table("geography")
    cohort, year, found = records.persons["cohort"], array(rows, "TaxYear"), areas(records, rows)
    young = np.flatnonzero((year <= cohort[number] + 1) & (found.values >= 0))
    first = chosen(number[young], len(cohort), year[young])
    home = np.where(records.persons["state"], records.world.lsoa_ttwa[records.persons["lsoa"]], -1)
    return Encoded(np.where(first < 0, home, np.append(found.values[young], -1)[first]), "code", found.labels)


# ---- attainment -----------------------------------------------------------------------------------------------------


def _attainment(records: Records) -> dict[str, Encoded]:
    who, rows = records.persons, _of_persons(records, "ks4")
    prior = _prior_attainment(records)
    band = np.where(np.isnan(prior), -1, (prior >= LOW_END).astype(np.int8) + (prior >= HIGH_START))
    gcse_only = who["cohort"] <= LAST_WITHOUT_LEVEL2
    five_ac = np.where(gcse_only, array(rows, "KS4_FIVEAC"), _first_flag(rows, FIVE_AC))
    five_ac_em = _first_flag(rows, FIVE_AC_EM)
    three = np.select([five_ac_em == 1, five_ac == 0, (five_ac == 1) & (five_ac_em == 0)], [2, 0, 1], default=-1)
    return {
        "prior_attainment": _numbers(prior),
        "prior_attainment_band": _coded(band, ("low", "middle", "high")),
        **{name: _numbers(_first_number(rows, POINTS[name])) for name in ("ks4_points", "ks4_gcse_points")},
        "ks4_five_ac": _coded(five_ac, CONDITION),
        "ks4_five_ac_em": _coded(five_ac_em, CONDITION),
        "ks4_band": _coded(three, ("below 5 A*-C", "5 A*-C", "5 A*-C with English and maths")),
        "ks4_maths_grade": _first_grade(rows, MATHS),
        "ks4_english_grade": _first_grade(rows, ENGLISH),
    }


def _prior_attainment(records: Records) -> FloatArray:
    """Mean points of English and mathematics at key stage 2; NaN without a record."""
    entry, rows = _entry(records, "ks2"), records.tables["ks2"]

    def subject(prefix: str) -> FloatArray:
        level = text(rows, f"{prefix}LEV").codes + 1
        points = _first_of(6 * array(rows, f"{prefix}FINE"), array(rows, f"{prefix}POINTS"))
        return _first_of(points, np.where(level > 0, 6.0 * level + 3, np.nan))

    english, mathematics = subject("KS2_ENG"), subject("KS2_MAT")
    untold = text(rows, "KS2_ENGLEV").codes < 0
    english = np.where(untold, _first_of(english, 6 * array(rows, "KS2_READFINE")), english)
    both = _first_of((english + mathematics) / 2, english, mathematics, array(rows, "KS2_APS"))
    return np.append(both, np.nan)[entry]


# ---- after school ---------------------------------------------------------------------------------------------------


def _later(records: Records, coverage: Mapping[str, int]) -> dict[str, Encoded]:
    who = records.persons
    reached = min((coverage[name] for name in ROUTE_TABLES if name in coverage), default=LAST_COHORT + 2)
    drawn = ("A level", "vocational", "apprenticeship", "other level 3", NO_ROUTE)
    routes = (*ROUTES, NO_ROUTE)
    route = np.array([routes.index(label) for label in drawn])[who["route"]]
    level = np.array([EDUCATION_LEVELS.index(label) for label in LEVELS])[who["level"]]
    return {
        "ks5_route": _where(who["cohort"] + 2 <= reached, _coded(route, routes)),
        "education_level": _coded(level, EDUCATION_LEVELS),
        "linked_to_tax_records": _coded(who["linked"], CONDITION),
    }


def _degrees(records: Records) -> dict[str, Encoded]:
    """Class, year, subject and university of the first degree: everybody has one at most."""
    number, rows = records.table("hesa")
    first = np.flatnonzero((array(rows, "HE_XPQUAL01") == 1) & (text(rows, "HE_XQLEV601").codes == FIRST_DEGREE))
    entry = np.full(len(records.persons["cohort"]), len(first), np.int64)
    entry[number[first]] = np.arange(len(first))

    def of_persons(codes: AnyArray) -> AnyArray:
        return np.append(codes[first], -1)[entry]

    year = array(rows, "HE_ACADYR")
    # Of several subjects the first has the largest weight.
    jacs, earlier = text(rows, "HE_XJACS01_1"), text(rows, "HE_SBJQA1")
    names = [f"{coding}:{code}" for coding in ("sbjqa", "jacs2", "jacs3") for code in labels(jacs)]
    coding = np.where(year >= JACS_3, 2, 1)
    subject = np.where(jacs.codes >= 0, coding * len(labels(jacs)) + jacs.codes, earlier.codes)
    university = np.maximum(text(rows, "HE_XINSTID01__ANON").codes, text(rows, "HE_INSTID_ANON").codes)
    return {
        "degree_class": _coded(of_persons(text(rows, "HE_XCLASS01").codes), tuple(CLASSES)),
        "degree_year": _numbers(np.append(year[first] + 1.0, np.nan)[entry]),
        "degree_subject": _coded(of_persons(subject), names),
        "university": _coded(of_persons(university), records.world.university_codes.to_pylist()),
    }


# ---- columns --------------------------------------------------------------------------------------------------------


def _coded(codes: AnyArray, names: Sequence[Label | None]) -> Encoded:
    """Return a column of labels; a label that is None stands for a missing entry."""
    place = np.array([at if name is not None else -1 for at, name in enumerate(names)] + [-1])
    return Encoded(
        place[codes.astype(np.int64)].astype(np.int32), "code", tuple("" if name is None else name for name in names)
    )


def _numbers(values: FloatArray) -> Encoded:
    return Encoded(values, "number")


def _where(known: BoolArray, column: Encoded) -> Encoded:
    return Encoded(np.where(known, column.values, -1), column.kind, column.labels)


def _entry(records: Records, name: str) -> IntArray:
    """Return each person's row of a table that has one at most; -1 without."""
    number, _ = records.table(name)
    return chosen(number, len(records.persons["cohort"]))


def _of_persons(records: Records, name: str) -> Rows:
    """Return a table in which everybody has one row, by person."""
    entry = _entry(records, name)
    return {
        column: values.take(entry) if not isinstance(values, np.ndarray) else values[entry]
        for column, values in records.tables[name].items()
    }


def _first_of(*values: FloatArray) -> FloatArray:
    """Return the first that is not missing."""
    found = values[0]
    for other in values[1:]:
        found = np.where(np.isnan(found), other, found)
    return found


def _first_number(rows: Rows, names: Iterable[str]) -> FloatArray:
    return _first_of(*(array(rows, name) for name in names if name in rows))


def _first_flag(rows: Rows, names: Iterable[str]) -> AnyArray:
    flags = (array(rows, name) for name in names if name in rows)
    found = next(flags)
    for other in flags:
        found = np.where(found < 0, other, found)
    return found


def _first_grade(rows: Rows, names: Iterable[str]) -> Encoded:
    """Return the first grade told, of several columns."""
    grades = [text(rows, name) for name in names if name in rows]
    known = tuple(dict.fromkeys(GRADE_LABELS[code] for column in grades for code in labels(column)))
    found = np.full(len(grades[0]), -1)
    for column in grades:
        place = np.array([known.index(GRADE_LABELS[code]) for code in labels(column)] + [-1])
        found = np.where(found < 0, place[column.codes], found)
    return Encoded(found, "code", known)
