"""Benefits and learning by person and tax year, and the one main activity of each year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leoreturns._typing import AnyArray, BoolArray
from leoreturns.extract.database import quoted
from leoreturns.panel import aims
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import Grid, condition, marked, number
from leoreturns.panel.records import NO_YEAR, LeftOut, fetch, year_number
from leoreturns.panel.rules import among
from leoreturns.panel.spells import Coverage, Spells, count_months, day_number, months_in_row, spells_of, unite

if TYPE_CHECKING:
    from leoreturns.panel.block import Block
    from leoreturns.panel.definitions import Definitions

# Types of out-of-work benefit by group, in the order of the groups' columns.
UNEMPLOYMENT = ("JSA", "JTA", "UAA")
INCAPACITY = ("ESA", "IB", "PIB", "SDA")
OTHER_OUT_OF_WORK = ("AA", "ICA", "IS", "PC", "RP", "UBC", "UCE", "UDF")
GROUPS = 3

ACTIVITIES = (
    "key stage 5",
    "higher education",
    "other education",
    "adult further education",
    "out-of-work benefits",
    "employment",
    "no sustained activity",
    "activity not captured",
)
NO_DAY = "1900-01-01"  # in place of a date that is missing
AIM_DATES = ("start_date", "end_date", "end_date_expected")
CONTINUING, WITHDRAWN = "1", "3"  # Compstatus
# Columns of university records -> code and words of those who are registered and do not study for a higher award.
NOT_STUDYING = {"HE_XLEV601": ("6", "further education"), "HE_XMODE01": ("6", "dormant")}
YOUNG_YEARS = 2  # years after key stage 4 in which key stage 5 and other education are told apart from adults'


# ---- benefits -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Benefits:
    """What spells on benefits cover, by row.

    Attributes
    ----------
    out_of_work : tuple of Coverage
        Unemployment, incapacity and other out-of-work benefits, each united by itself.
    other : Coverage
        Any other benefit.
    """

    out_of_work: tuple[Coverage, ...]
    other: Coverage

    @property
    def months(self) -> NDArray[np.uint16]:
        """Months with a day on any out-of-work benefit."""
        unemployment, incapacity, other = (group.months for group in self.out_of_work)
        return unemployment | incapacity | other


def read_benefits(block: Block, grid: Grid, definitions: Definitions) -> tuple[Benefits, LeftOut]:
    """Read the spells on benefits of a block and unite them by group."""
    kind, flag = '"Benefit_type"', '"Out_of_work_benefit"'
    listed = among(kind, (*UNEMPLOYMENT, *INCAPACITY, *OTHER_OUT_OF_WORK))
    told = f"{flag}, {listed}" if definitions.out_of_work == "flag" else f"{listed}, {flag}"
    group = (
        f"CASE WHEN NOT COALESCE({told}, false) THEN {GROUPS} "
        f"WHEN {among(kind, UNEMPLOYMENT)} THEN 0 WHEN {among(kind, INCAPACITY)} THEN 1 ELSE 2 END"
    )
    found = fetch(
        block,
        "benefits",
        ("StartDate", "EndDate", "Benefit_type", "Out_of_work_benefit"),
        {
            "start": day_number('"StartDate"'),
            "end": day_number('"EndDate"'),
            "group": f"CAST({group} AS TINYINT)",
        },
    )
    spells, kept, left_out = spells_of(block, found)
    groups = found.numbers("group")[kept]
    *out_of_work, other = (unite(spells.where(groups == at), grid) for at in range(GROUPS + 1))
    return Benefits(tuple(out_of_work), other), left_out


def benefit_columns(benefits: Benefits, definitions: Definitions) -> dict[str, Encoded]:
    """Return days by group of benefits, and months and a sustained spell on any out-of-work benefit."""
    unemployment, incapacity, other_out_of_work = benefits.out_of_work
    return {
        "days_unemployment_benefit": number(unemployment.days),
        "days_incapacity_benefit": number(incapacity.days),
        "days_other_out_of_work_benefit": number(other_out_of_work.days),
        "months_out_of_work_benefit": number(count_months(benefits.months)),
        "out_of_work_benefits": condition(months_in_row(benefits.months, definitions.months_in_row)),
        "days_other_benefit": number(benefits.other.days),
    }


# ---- learning -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Learning:
    """Months of learning by the place of study, as sets of the year's months, by row.

    Attributes
    ----------
    further : uint16[n_row]
        At a college or with a training provider, at any level.
    apprenticeship : uint16[n_row]
        The part of these in an apprenticeship.
    higher : uint16[n_row]
        At a university.
    """

    further: NDArray[np.uint16]
    apprenticeship: NDArray[np.uint16]
    higher: NDArray[np.uint16]


def read_learning(block: Block, grid: Grid) -> tuple[Learning, Mapping[str, LeftOut]]:
    """Read the learning aims and the years at university of a block."""
    spells, apprenticeship, aims_left_out = _aims(block)
    courses, courses_left_out = _courses(block)
    learning = Learning(
        unite(spells, grid).months, unite(spells.where(apprenticeship), grid).months, unite(courses, grid).months
    )
    return learning, {"ilr_aims": aims_left_out, "hesa": courses_left_out}


def _aims(block: Block) -> tuple[Spells, BoolArray, LeftOut]:
    """Spells of learning aims, and which are apprenticeships."""
    start, end, planned = (f"NULLIF({quoted(name)}, DATE '{NO_DAY}')" for name in AIM_DATES)
    year_end = 'make_date("Year" + 1, 7, 31)'
    goes_on = f"COALESCE(\"Compstatus\" = '{CONTINUING}', false) OR COALESCE(active, false)"
    found = fetch(
        block,
        "ilr_aims",
        ("Year", *AIM_DATES, "Compstatus", "active", *aims.APPRENTICESHIP_COLUMNS),
        {
            "start": day_number(start),
            # LEAST and GREATEST pass over what is missing.
            "end": day_number(
                f"COALESCE({end}, CASE WHEN {goes_on} THEN {year_end} ELSE LEAST({planned}, {year_end}) END)"
            ),
            "withdrawn": f"{end} IS NULL AND COALESCE(\"Compstatus\" = '{WITHDRAWN}', false)",
            "no_year": f'{end} IS NULL AND "Year" IS NULL',
            "apprenticeship": aims.APPRENTICESHIP,
        },
    )
    withdrawn = found.numbers("withdrawn")
    no_year = found.numbers("no_year") & ~withdrawn
    ended = found.where(~withdrawn & ~no_year)
    spells, kept, left_out = spells_of(block, ended)
    left_out += LeftOut(withdrawn=int(withdrawn.sum()), no_year=int(no_year.sum()))
    return spells, ended.numbers("apprenticeship")[kept], left_out


def _courses(block: Block) -> tuple[Spells, LeftOut]:
    """Spells at university: the part of each course that lies in the academic year of its record."""
    opens, closes = 'make_date("HE_ACADYR", 8, 1)', 'make_date("HE_ACADYR" + 1, 7, 31)'
    found = fetch(
        block,
        "hesa",
        ("HE_ACADYR", "HE_COMDATE", "HE_ENDDATE", "HE_DATELEFT", *NOT_STUDYING),
        {
            "start": day_number(f'GREATEST("HE_COMDATE", {opens})'),
            "end": day_number(f'LEAST(COALESCE("HE_ENDDATE", "HE_DATELEFT"), {closes})'),
            "no_year": '"HE_ACADYR" IS NULL',
            "studying": " AND ".join(f"NOT {_has(name, *told)}" for name, told in NOT_STUDYING.items()),
        },
    )
    studying, no_year = found.numbers("studying"), found.numbers("no_year")
    spells, _, left_out = spells_of(block, found.where(studying & ~no_year))
    return spells, left_out + LeftOut(no_year=int((studying & no_year).sum()))


def _has(column: str, code: str, words: str) -> str:
    """Return the SQL condition that a column holds a code, or text with these words."""
    return f"COALESCE({quoted(column)} = '{code}' OR contains(lower({quoted(column)}), '{words}'), false)"


def learning_columns(learning: Learning) -> dict[str, Encoded]:
    """Return the months of each kind of learning."""
    return {
        "months_further_education": number(count_months(learning.further)),
        "months_apprenticeship": number(count_months(learning.apprenticeship)),
        "months_higher_education": number(count_months(learning.higher)),
    }


# ---- at school ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Schooling:
    """Records of schools after key stage 4, by row.

    Attributes
    ----------
    key_stage_5 : bool[n_row]
        In the first year after key stage 4 a record of key stage 5 in an academic year that overlaps the tax year; in
        the second in that which starts in it.
    seen : bool[n_row]
        Any record in an academic year that overlaps the tax year.
    """

    key_stage_5: BoolArray
    seen: BoolArray


def read_schooling(block: Block, grid: Grid) -> Schooling:
    """Read who was at school after key stage 4."""
    years = {
        "ks5": ("KS5_ACADYR", "true"),
        "plams": ("pl_ACADYR", "true"),
        "school_census": ("AcademicYear", 'COALESCE("OnRoll", true)'),
    }
    return schooling_of({table: _academic_years(block, table, *rule) for table, rule in years.items()}, grid)


def schooling_of(records: Mapping[str, tuple[AnyArray, AnyArray]], grid: Grid) -> Schooling:
    """Return who was at school by the persons and academic years of the records of each table, ``ks5`` among them."""
    starts = {table: _overlapped(grid, *both) for table, both in records.items()}
    here, before = starts["ks5"]
    n = grid.years_since_ks4
    seen = np.logical_or.reduce([marks for both in starts.values() for marks in both])
    return Schooling((here & (n <= YOUNG_YEARS)) | (before & (n == 1)), seen)


def _academic_years(block: Block, table: str, year: str, where: str) -> tuple[AnyArray, AnyArray]:
    """Person and academic year of each record of a table."""
    found = fetch(
        block,
        table,
        (year, *(("OnRoll",) if table == "school_census" else ())),
        {"academic_year": f"CASE WHEN {where} THEN {year_number(year)} ELSE {NO_YEAR} END"},
    )
    return found.numbers("number"), found.numbers("academic_year")


def _overlapped(grid: Grid, persons: AnyArray, started: AnyArray) -> tuple[BoolArray, BoolArray]:
    """Rows with a record of the academic year that starts in the tax year, and of the one before it."""
    here, before = (marked(grid.rows_of(persons, started + after), grid.n_row) for after in (0, 1))
    return here, before


# ---- main activity --------------------------------------------------------------------------------------------------


def main_activity(
    grid: Grid,
    definitions: Definitions,
    *,
    schooling: Schooling,
    learning: Learning,
    benefits: Benefits,
    employed_all_year: BoolArray,
    working: BoolArray,
) -> Encoded:
    """Return the first of `ACTIVITIES` whose rule holds.

    Parameters
    ----------
    working : bool[n_row]
        Any day of employment, pay or self-employment.
    """
    in_row = definitions.months_in_row
    studying = months_in_row(learning.further, in_row)
    any_month = (learning.further | learning.higher | benefits.months | benefits.other.months) > 0
    rules = (
        schooling.key_stage_5,
        months_in_row(learning.higher, in_row),
        (grid.years_since_ks4 <= YOUNG_YEARS) & studying,
        studying,
        months_in_row(benefits.months, in_row),
        employed_all_year,
        any_month | working | schooling.seen,
    )
    codes = np.full(grid.n_row, len(rules), dtype=np.int8)
    for code, holds in reversed(list(enumerate(rules))):
        codes[holds] = code
    return Encoded(codes, "code", ACTIVITIES)
