"""Employment by person and tax year: days and months of the union of spells, and the definitions of being employed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leoreturns._typing import BoolArray, FloatArray
from leoreturns.panel.calendar import MONTHS
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import Grid, condition, number
from leoreturns.panel.records import LeftOut, fetch
from leoreturns.panel.spells import Coverage, Spells, count_months, day_number, spells_of, unite

if TYPE_CHECKING:
    from leoreturns.panel.block import Block
    from leoreturns.panel.definitions import Definitions

CONTINUOUS_DAYS = 181  # six months: FFT's continuous employment
OCTOBER, WINTER_MONTHS = 6, 6  # tax months 6 to 11 open on 6 October to 6 March
ENOUGH_WINTER_MONTHS = 5
ALL_BUT_MARCH = 0b011111


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Employment:
    """What spells of employment cover, by row.

    Attributes
    ----------
    covered : Coverage
    next_april : bool[n_row]
        A day in the first month of the tax year after; false where that lies beyond the extract.
    unknown : bool[n_row] or None
        Rows whose days hang on uncertain dates, where the definitions make these missing.
    """

    covered: Coverage
    next_april: BoolArray
    unknown: BoolArray | None

    @property
    def all_year(self) -> BoolArray:
        """A day in each of the twelve months."""
        every: BoolArray = count_months(self.covered.months) == MONTHS
        return every


def read_employment(block: Block, grid: Grid, definitions: Definitions) -> tuple[Employment, LeftOut]:
    """Read the spells of employment of a block and unite them under the policy on uncertain dates."""
    found = fetch(
        block,
        "employment",
        ("StartDate", "EndDate", "UncertainStartDate", "UncertainEndDate"),
        {
            "start": day_number('"StartDate"'),
            "end": day_number('"EndDate"'),
            "uncertain": 'COALESCE("UncertainStartDate", false) OR COALESCE("UncertainEndDate", false)',
        },
    )
    spells, kept, left_out = spells_of(block, found)
    certain = ~found.numbers("uncertain")[kept]
    if definitions.uncertain_dates == "exclude":
        left_out += LeftOut(uncertain=len(certain) - int(certain.sum()))
        spells = spells.where(certain)
    covered, next_april = _with_next_april(spells, grid, block.last_tax_year)
    unknown = None
    if definitions.uncertain_dates == "unknown":
        unknown = unite(spells.where(certain), grid).days != covered.days
    return Employment(covered, next_april, unknown), left_out


def _with_next_april(spells: Spells, grid: Grid, last_extract_year: int) -> tuple[Coverage, BoolArray]:
    """Unite spells on a grid of one more year, so that each row can see the first month of the year after it."""
    further = Grid(grid.cohort, grid.last_year + 1)
    wide = unite(spells, further)
    after = grid.next_rows(further)
    next_april = (wide.months[after] & 1).astype(np.bool_) & (grid.tax_year < last_extract_year)
    here = after - 1
    return Coverage(wide.days[here], wide.months[here], wide.longest[here]), next_april


def employment_columns(employment: Employment, earnings: FloatArray, definitions: Definitions) -> dict[str, Encoded]:
    """Return the columns of employment; `earnings` (NaN missing) make work that no spell shows."""
    covered, unknown = employment.covered, employment.unknown
    continuous = covered.longest >= CONTINUOUS_DAYS
    sustained = {
        "twelve months": employment.all_year,
        "five of six": _five_of_six(employment),
        "181 days": continuous,
    }[definitions.sustained]
    return {
        "days_employed": number(covered.days, unknown),
        "months_employed": number(count_months(covered.months), unknown),
        "in_paid_work": condition((covered.days > 0) | (earnings > 0), unknown),
        "employed_all_year": condition(employment.all_year, unknown),
        "sustained_employment": condition(sustained, unknown),
        "continuous_employment": condition(continuous, unknown),
    }


def _five_of_six(employment: Employment) -> BoolArray:
    """A day in five of the months October to March; without one in March alone, also a day in the next April."""
    winter = employment.covered.months >> OCTOBER
    enough: BoolArray = count_months(winter) >= ENOUGH_WINTER_MONTHS
    seen_after: BoolArray = (winter != ALL_BUT_MARCH) | employment.next_april
    return enough & seen_after
