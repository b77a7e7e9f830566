"""Benefits and learning by person and tax year, and the one main activity of each year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leoreturns._typing import BoolArray, IntArray
from leoreturns.panel import aims
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import Grid, condition, marked, number
from leoreturns.panel.records import LeftOut, fetch, year_number
from leoreturns.panel.spells import Coverage, Spells, count_months, day_number, months_in_row, spells_of, unite

if TYPE_CHECKING:
    from leoreturns.panel.block import Block
    from leoreturns.panel.definitions import Definitions

# Types of benefit by group, in the order of the groups' columns; any other type, or none, is another benefit.
UNEMPLOYMENT = ("JSA", "JTA", "UAA")
INCAPACITY = ("ESA", "IB", "PIB", "SDA")
OTHER_OUT_OF_WORK = ("AA", "ICA", "IS", "PC", "RP", "UBC", "UCE", "UDF")
OUT_OF_WORK = (UNEMPLOYMENT, INCAPACITY, OTHER_OUT_OF_WORK)

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


def read_benefits(block: Block, grid: Grid) -> tuple[Benefits, LeftOut]:
    """Read the spells on benefits of a block and unite them by group."""
    cases = " ".join(
        f'WHEN "Benefit_type" IN ({", ".join(map(repr, types))}) THEN {group}'
        for group, types in enumerate(OUT_OF_WORK)
    )
    found = fetch(
        block,
        "benefits",
        ("StartDate", "EndDate", "Benefit_type"),
        {
            "start": day_number('"StartDate"'),
            "end": day_number('"EndDate"'),
            "group": f"CAST(CASE {cases} ELSE {len(OUT_OF_WORK)} END AS TINYINT)",
        },
    )
    spells, kept, left_out = spells_of(block, found)
    group = found.numbers("group")[kept]
    *out_of_work, other = (unite(spells.where(group == at), grid) for at in range(len(OUT_OF_WORK) + 1))
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
    """Months of learning, as sets of the year's months, by row.

    Attributes
    ----------
    further, apprenticeship, higher : uint16[n_row]
        Further education below level 4, apprenticeships of any level, and higher education; an apprenticeship below
        level 4 is in the first two.
    """

    further: NDArray[np.uint16]
    apprenticeship: NDArray[np.uint16]
    higher: NDArray[np.uint16]


def read_learning(block: Block, grid: Grid) -> tuple[Learning, Mapping[str, LeftOut]]:
    """Read the learning aims and the years in higher education of a block."""
    spells, higher, apprenticeship, aims_left_out = _aims(block)
    courses, courses_left_out = _courses(block)
    learning = Learning(
        unite(spells.where(~higher), grid).months,
        unite(spells.where(apprenticeship), grid).months,
        unite(spells.where(higher & ~apprenticeship), grid).months | unite(courses, grid).months,
    )
    return learning, {"ilr_aims": aims_left_out, "hesa": courses_left_out}


def _aims(block: Block) -> tuple[Spells, BoolArray, BoolArray, LeftOut]:
    """Spells of learning aims, which are of level 4 or more, and which are apprenticeships."""
    year_end = 'make_date("Year" + 1, 7, 31)'
    found = fetch(
        block,
        "ilr_aims",
        (
            "Year",
            "start_date",
            "end_date",
            "end_date_expected",
            *aims.LEVEL_COLUMNS,
            *aims.APPRENTICESHIP_COLUMNS,
        ),
        {
            "start": day_number('"start_date"'),
            # LEAST and GREATEST pass over what is missing.
            "end": day_number(f'COALESCE("end_date", LEAST("end_date_expected", {year_end}))'),
            "higher": f"COALESCE({aims.LEVEL} >= {aims.HIGHER_LEVEL}, false)",
            "apprenticeship": aims.APPRENTICESHIP,
        },
    )
    spells, kept, left_out = spells_of(block, found)
    return spells, found.numbers("higher")[kept], found.numbers("apprenticeship")[kept], left_out


def _courses(block: Block) -> tuple[Spells, LeftOut]:
    """Spells in higher education: the part of each course that lies in the academic year of its record."""
    opens, closes = 'make_date("HE_ACADYR", 8, 1)', 'make_date("HE_ACADYR" + 1, 7, 31)'
    found = fetch(
        block,
        "hesa",
        ("HE_ACADYR", "HE_COMDATE", "HE_ENDDATE", "HE_DATELEFT"),
        {
            "start": day_number(f'GREATEST("HE_COMDATE", {opens})'),
            "end": day_number(f'LEAST(COALESCE("HE_ENDDATE", "HE_DATELEFT"), {closes})'),
        },
    )
    spells, _, left_out = spells_of(block, found)
    return spells, left_out


def learning_columns(learning: Learning) -> dict[str, Encoded]:
    """Return the months of each kind of learning."""
    return {
        "months_further_education": number(count_months(learning.further)),
        "months_apprenticeship": number(count_months(learning.apprenticeship)),
        "months_higher_education": number(count_months(learning.higher)),
    }


def key_stage_5_years(block: Block, grid: Grid) -> BoolArray:
    """Return the tax years that overlap the academic year of a record of key stage 5."""
    found = fetch(
        block,
        "ks5",
        ("KS5_ACADYR",),
        {"academic_year": year_number("KS5_ACADYR")},
    )
    persons, academic_year = found.numbers("number"), found.numbers("academic_year")
    rows: list[IntArray] = [grid.rows_of(persons, academic_year + after) for after in (0, 1)]
    return marked(np.concatenate(rows), grid.n_row)


# ---- main activity --------------------------------------------------------------------------------------------------


def main_activity(
    grid: Grid,
    definitions: Definitions,
    *,
    key_stage_5: BoolArray,
    learning: Learning,
    benefits: Benefits,
    employed_all_year: BoolArray,
    working: BoolArray,
) -> Encoded:
    """Return the first of `ACTIVITIES` whose rule holds.

    Parameters
    ----------
    key_stage_5 : bool[n_row]
        A record of key stage 5 in an academic year that overlaps the tax year.
    working : bool[n_row]
        Any day of employment, pay or self-employment.
    """
    young = grid.years_since_ks4 <= YOUNG_YEARS
    in_row = definitions.months_in_row
    further = learning.further | learning.apprenticeship
    studying = months_in_row(further, in_row)
    any_month = (further | learning.higher | benefits.months | benefits.other.months) > 0
    rules = (
        young & key_stage_5,
        months_in_row(learning.higher, in_row),
        young & studying,
        studying,
        months_in_row(benefits.months, in_row),
        employed_all_year,
        any_month | working,
    )
    codes = np.full(grid.n_row, len(rules), dtype=np.int8)
    for code, holds in reversed(list(enumerate(rules))):
        codes[holds] = code
    return Encoded(codes, "code", ACTIVITIES)
