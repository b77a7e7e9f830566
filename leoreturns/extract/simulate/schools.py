"""School census, absence and exclusions of simulated pupils."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray
from leoreturns.extract import tables_schools
from leoreturns.extract.schema import Table
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.ids import Ids
from leoreturns.extract.simulate.people import ETHNIC_CODES, ETHNIC_MAJOR, FEMALE_LABELS, People
from leoreturns.extract.simulate.rows import MISSING, Coded, Rows, array, coded, days, draw, flag, n_row, repeated, text
from leoreturns.extract.simulate.world import RANKS, World
from leoreturns.extract.tables import TABLES, TERM_NAMES

FIRST_CENSUS, FIRST_TERMLY, LAST_YEAR = 2001, 2005, 2020
NEW_ETHNIC_CODES, NEW_SEN_CODES = 2002, 2014  # first academic years of the codings
NOT_HELD = ("sum", 2019)
SECONDARY_YEARS = 5
YEAR_GROUPS = tuple(str(number) for number in range(7, 14))
MAJOR_CODES = ("AOEG", "ASIA", "BLAC", "CHIN", "MIXD", "UNCL", "WHIT")
_WORDS = {code: words for words, code in tables_schools.ETHNIC_EARLIER.items()}
_WORDS |= {"REFU": "Refused", "NOBT": "Information Not Obtained"}
OLD_CODES = tuple(_WORDS[code] for code in ETHNIC_CODES)  # words before 2002-03
# Names of the first years, as files of the time have them.
EARLY_NAMES = {
    2001: {"FirstLanguage": "MotherTongue", "SENprovision": "SENstage", "LSOA01": "LLSOA", "URN_anon": "URN"},
    2002: {"FSMeligible": "fsm", "Gender": "gend", "SENprovision": "sen", "IDACIRank": "rank"},
}


class Census(NamedTuple):
    """One census: term (``aut``, ``spr``, ``sum``; empty for files of a whole year) and start of the academic year."""

    term: str
    year: int


def census_occasions(cohorts: tuple[int, ...]) -> list[Census]:
    """Return the censuses in which the cohorts may be at secondary school or in a sixth form."""
    first = max(FIRST_CENSUS, min(cohorts) - SECONDARY_YEARS)
    last = min(LAST_YEAR, max(cohorts) + 1)
    return [
        Census(term, year)
        for year in range(first, last + 1)
        for term in (("aut", "spr", "sum") if year >= FIRST_TERMLY else ("spr",))
        if (term, year) != NOT_HELD
    ]


def secondary_years(cohorts: tuple[int, ...], table: str) -> range:
    """Return the academic years, of those that a table covers, in which the cohorts may be at secondary school."""
    first, last = TABLES[table].years or (FIRST_CENSUS, LAST_YEAR)
    return range(max(first, min(cohorts) - SECONDARY_YEARS), min(last, max(cohorts) - 1) + 1)


def file_stem(occasion: Census) -> str:
    """Return the name of a census file, such as ``spring_census_2007``: the calendar year of the census."""
    calendar = occasion.year + (occasion.term != "aut")
    return f"{TERM_NAMES[occasion.term].lower()}_census_{calendar}"


def census(
    people: People, ids: Ids, world: World, occasions: list[Census], rng: Generator, defects: Defects
) -> Iterator[tuple[str, Rows]]:
    """Give the rows of each census, under the names of its file and of its columns."""
    rank = deprivation_rank(people.lsoa)
    attends_sixth_form = people.state & people.in_sixth_form & (rng.random(len(people)) < 0.55)
    for occasion in occasions:
        year = occasion.year
        at_school = people.state & (year < people.cohort) & (year >= people.cohort - SECONDARY_YEARS)
        at_school |= attends_sixth_form & ((year == people.cohort) | (year == people.cohort + 1))
        persons = np.flatnonzero(at_school)
        persons = np.delete(persons, defects.choose("absent at a census", len(persons)))
        rows = _census_rows(people, ids, world, occasion, persons, rank, rng, defects)
        rows = _struck(rows, world, defects)
        yield file_stem(occasion), _named(TABLES["school_census"], rows, occasion, early=defects.enabled)


def deprivation_rank(lsoa: AnyArray) -> AnyArray:
    """Return the rank of areas by deprivation, 1 for the most deprived."""
    return (lsoa + 1).clip(max=RANKS).astype(np.int32)


def deprivation_score(rank: AnyArray) -> AnyArray:
    """Return the index of deprivation of areas by their rank."""
    return np.round(0.6 * np.exp(-3.0 * rank / RANKS), 3)


def _census_rows(
    people: People,
    ids: Ids,
    world: World,
    occasion: Census,
    persons: AnyArray,
    rank: AnyArray,
    rng: Generator,
    defects: Defects,
) -> Rows:
    """Return one row per pupil with every column that a census can have."""
    n, school = len(persons), people.school[persons]
    lsoa = Coded(people.lsoa[persons], world.lsoa_codes)
    return {
        tables_schools.PMR: ids.pmr_of(persons, rng),
        "AcademicYear": np.full(n, occasion.year, np.int32),
        "CensusTerm": coded(np.zeros(n, np.int8), (TERM_NAMES[occasion.term],)),
        "RecordStatus": np.ones(n, np.int32),
        "OnRoll": np.ones(n, np.int8),
        "EnrolStatus": coded(np.zeros(n, np.int8), ("C",)),
        "NCyearActual": coded(occasion.year - people.cohort[persons] + SECONDARY_YEARS, YEAR_GROUPS),
        **_characteristics(people, persons, occasion.year, rng, defects),
        "EntryDate": days(people.cohort[persons] - SECONDARY_YEARS, 9, 4),
        "LeavingDate": np.where(occasion.year >= people.cohort[persons], days(occasion.year + 1, 7, 20), MISSING),
        "LSOA01": lsoa,
        "LSOA11": lsoa,
        "IDACIScore": deprivation_score(rank[persons]),
        "IDACIRank": rank[persons],
        "LA_anon": Coded(world.lsoa_ttwa[people.lsoa[persons]].astype(np.int32), world.authority_codes),
        "LAEstab_anon": Coded(school, world.laestab_codes),
        "URN_anon": Coded(school, world.urn_codes),
        "PHASE": coded(np.zeros(n, np.int8), ("Secondary",)),
    }


def _characteristics(people: People, persons: AnyArray, year: int, rng: Generator, defects: Defects) -> Rows:
    """Return what a census records of the pupils themselves, in the codes of the year."""
    n, ethnicity = len(persons), people.ethnicity[persons]
    # The value of some other pupil: one that the group has no more than in proportion to its size.
    varies = defects.choose("other value in a later census", n)
    ethnicity[varies] = ethnicity[(n * defects.uniform(len(varies))).astype(np.int64)]
    major = _MAJOR_OF_MINOR[ethnicity]
    sen, english, ever = people.sen[persons], people.english[persons], people.fsm[persons]
    # Eligibility varies from year to year; that of the last year of key stage 4 is the person's.
    fsm = ever ^ ((rng.random(n) < 0.04) & (year != people.cohort[persons] - 1))
    believed, plus = rng.random(n) < 0.1, rng.random(n) < 0.4
    old_sen = coded(np.where(sen == 2, 3, np.where(sen == 1, 1 + plus, 0)), ("N", "A", "P", "S"))
    return {
        "Gender": coded(people.female[persons].astype(np.int8), FEMALE_LABELS),
        "YearOfBirth": people.year_of_birth[persons],
        "MonthOfBirth": people.month[persons],
        "EthnicGroup": coded(ethnicity, OLD_CODES) if year < NEW_ETHNIC_CODES else coded(ethnicity, ETHNIC_CODES),
        "EthnicGroupMinor": coded(ethnicity, ETHNIC_CODES),
        "EthnicGroupMajor": coded(major, MAJOR_CODES),
        "FirstLanguage": coded(
            np.where(major == UNCLASSIFIED, -1, 2 * ~english + believed), ("ENG", "ENB", "OTH", "OTB")
        ),
        "LanguageGroup": coded((~english).astype(np.int8), ("ENG", "OTH")),
        "LanguageGroupMajor": coded(np.where(major == UNCLASSIFIED, 2, ~english), ("1_ENG", "2_OTH", "3_UNCL")),
        "FSMeligible": flag(fsm),
        **{f"EVERFSM_{period}": flag(fsm | ever) for period in ("3", "6", "6_P", "ALL")},
        "SENprovision": old_sen if year < NEW_SEN_CODES else coded(sen, ("N", "K", "E")),
        "SENprovisionMajor": coded(sen, ("1_NON", "2_SNS", "3_SS")),
    }


UNCLASSIFIED = MAJOR_CODES.index("UNCL")
_MAJOR_OF_MINOR = np.array([MAJOR_CODES.index(major) for major in ETHNIC_MAJOR])


def _struck(rows: Rows, world: World, defects: Defects) -> Rows:
    """Return the rows of a census with its defects: copies, second schools, missing and unknown values."""
    rows = defects.misspell("unknown code in a census", rows, "EthnicGroupMinor", "ZZZZ")
    rows = defects.misspell("unknown code in a census", rows, "SENprovision", "9")
    rows = defects.blank(
        "missing value in a census", rows, "Gender", "FSMeligible", "EthnicGroupMajor", "EthnicGroupMinor",
        "EthnicGroup", "FirstLanguage", "LanguageGroupMajor", "SENprovision", "LSOA01", "LSOA11", "IDACIRank",
        "RecordStatus", "LAEstab_anon", "URN_anon",
    )  # fmt: skip
    on_roll = array(rows, "OnRoll")
    on_roll[defects.choose("off roll", n_row(rows))] = 0
    rows = {**rows, "OnRoll": on_roll}
    copies = defects.choose("duplicate census record", n_row(rows))
    guests = defects.choose("second school in a census", n_row(rows))
    rows = repeated(rows, np.concatenate([copies, guests]))
    first_copy = n_row(rows) - len(copies) - len(guests)
    return _at_second_school(_as_duplicates(rows, first_copy, len(copies)), len(guests), world)


def _as_duplicates(rows: Rows, first: int, n: int) -> Rows:
    """Mark copies as duplicates; they differ in what is recorded."""
    status, fsm = array(rows, "RecordStatus"), array(rows, "FSMeligible")
    status[first : first + n] = 101
    fsm[first : first + n] = 1
    return {**rows, "RecordStatus": status, "FSMeligible": fsm}


def _at_second_school(rows: Rows, n: int, world: World) -> Rows:
    """Give the last rows another school; they are main records of their own."""
    changed = dict(rows)
    for name in ("LAEstab_anon", "URN_anon"):
        column = text(rows, name)
        codes = column.codes.copy()
        last = codes[len(codes) - n :]
        codes[len(codes) - n :] = np.where(last < 0, last, (last + 7) % len(world.school_type))
        changed[name] = Coded(codes, column.labels)
    fsm = array(rows, "FSMeligible")
    fsm[len(fsm) - n :] = np.where(fsm[len(fsm) - n :] == 1, 0, fsm[len(fsm) - n :])
    return {**changed, "FSMeligible": fsm}


def _named(table: Table, rows: Rows, occasion: Census, *, early: bool = False) -> Rows:
    """Return the columns that the table has in that year under the names of its file."""
    named = {}
    for name, column in rows.items():
        first, last = table.coverage(name) or (occasion.year, occasion.year)
        if first <= occasion.year <= last:
            named[column_name(table, name, occasion, early=early)] = column
    return named


def column_name(table: Table, name: str, occasion: Census, *, early: bool = False) -> str:
    """Return the name of a suffixed column, such as ``FSMeligible_spr07``, or `early` that of files of the time."""
    kind = occasion.term or table.suffix
    two_digits = (occasion.year + (kind != "aut")) % 100
    known = EARLY_NAMES.get(occasion.year, {}).get(name) if early and table.suffix == "term" else None
    if known is not None and known.islower():
        return f"{known}_{two_digits:02d}"
    plain = f"{known or name}_{kind}{two_digits:02d}"
    return plain.upper() if early and occasion.year == FIRST_CENSUS and known is None else plain


def absence(people: People, ids: Ids, world: World, year: int, rng: Generator) -> Rows:
    """Return the absence of one academic year, under the names of its file."""
    at_school = people.state & (year < people.cohort) & (year >= people.cohort - SECONDARY_YEARS)
    persons = np.flatnonzero(at_school)
    n = len(persons)
    possible = (300 + draw(rng, np.ones(21), n)).astype(np.int32)
    missed = rng.gamma(1.5, 10 + 8 * people.fsm[persons], n).clip(max=290).astype(np.int32)
    unauthorised = rng.binomial(missed, 0.15).astype(np.int32)
    rows: Rows = _pupil_columns(people, ids, world, persons, year, rng)
    for period in ("Annual", "3Term", "5HalfTerms", "6HalfTerms"):
        rows |= {
            f"SessionsPossible_{period}": possible,
            f"AuthorisedAbsence_{period}": missed - unauthorised,
            f"UnauthorisedAbsence_{period}": unauthorised,
            f"OverallAbsence_{period}": missed,
        }
    rows["MainRecord"] = np.ones(n, np.int8)
    return _named(TABLES["absence"], rows, Census("", year))


def exclusions(people: People, ids: Ids, world: World, year: int, rng: Generator) -> Rows:
    """Return the exclusions of one academic year, one row each, under the names of its file."""
    at_school = people.state & (year < people.cohort) & (year >= people.cohort - SECONDARY_YEARS)
    chance = 0.05 + 0.05 * ~people.female + 0.05 * (people.sen > 0)
    persons = np.flatnonzero(at_school & (rng.random(len(people)) < chance))
    n = len(persons)
    permanent = rng.random(n) < 0.03
    fixed = np.where(permanent, 0, 1 + draw(rng, (70, 20, 10), n)).astype(np.int32)
    rows = _pupil_columns(people, ids, world, persons, year, rng) | {
        "Category": coded(permanent.astype(np.int8), ("FIXD", "PERM")),
        "StartDate": days(year, 9, 5) + rng.integers(0, 300, n).astype(np.int32),
        "Sessions": np.where(permanent, np.nan, 2.0 * fixed),
        "TotalFixedExclusions": fixed,
        "TotalFixedSessions": 2.0 * fixed,
        "PermanentExclusionCount": permanent.astype(np.int32),
        "PermanentExclusionIndicator": flag(permanent),
        "PermanentExclusionInd": coded(permanent.astype(np.int8), ("N", "Y")),
    }
    return _named(TABLES["exclusions"], rows, Census("", year))


def _pupil_columns(people: People, ids: Ids, world: World, persons: AnyArray, year: int, rng: Generator) -> Rows:
    school = people.school[persons]
    return {
        tables_schools.PMR: ids.pmr_of(persons, rng),
        "AcademicYear": np.full(len(persons), year, np.int32),
        "LAEstab_anon": Coded(school, world.laestab_codes),
        "URN_anon": Coded(school, world.urn_codes),
    }
