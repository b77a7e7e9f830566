"""Employment by person and tax year: days and months of the union of spells, and the definitions of being employed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leoreturns._typing import BoolArray, FloatArray
from leoreturns.panel.calendar import ACCOUNTING_YEAR, MONTHS, TAX_YEAR
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import Grid, condition, marked, number, without
from leoreturns.panel.records import LeftOut, fetch
from leoreturns.panel.spells import Coverage, Spells, count_months, day_number, spells_of, unite

if TYPE_CHECKING:
    from leoreturns.panel.block import Block
    from leoreturns.panel.definitions import Definitions

CONTINUOUS_DAYS = 181  # six months: FFT's continuous employment
OCTOBER = 6  # months of the accounting year from April: October to March are 6 to 11
ENOUGH_WINTER_MONTHS = 5
ALL_BUT_MARCH = 0b011111


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Work:
    """What spells of employment cover, by row.

    Attributes
    ----------
    covered : Coverage
    winter : uint16[n_row]
        Bit k: a day in month k of the calendar months October to March.
    april_after : bool[n_row]
        A day in the calendar month April after them.
    open_ended : bool[n_row]
        In the extract's last tax year, a day on its last day: the spell may go on.
    last : bool[n_row]
        Rows of the extract's last tax year, and of later ones.
    """

    covered: Coverage
    winter: NDArray[np.uint16]
    april_after: BoolArray
    open_ended: BoolArray
    last: BoolArray

    @property
    def all_year(self) -> BoolArray:
        """A day in each of the twelve tax months."""
        every: BoolArray = count_months(self.covered.months) == MONTHS
        return every

    def continuous(self) -> Encoded:
        """Return whether a joined spell of six months touches the year; missing where one may become so long."""
        long_enough = self.covered.longest >= CONTINUOUS_DAYS
        return condition(long_enough, self.open_ended & ~long_enough)

    def five_of_six(self) -> Encoded:
        """Return whether there is a day in five of the months October to March, in lack of March also in April."""
        enough = count_months(self.winter) >= ENOUGH_WINTER_MONTHS
        in_want_of_april = (self.winter == ALL_BUT_MARCH) & ~self.april_after
        return condition(enough & ~in_want_of_april, in_want_of_april & self.last)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Employment:
    """Employment under the policy on uncertain dates.

    Attributes
    ----------
    work : Work
        With all days under "keep" and "unknown", with certain ones alone under "exclude".
    certain : Work or None
        Under "unknown", with certain days alone.
    unsettled : bool[n_row] or None
        Rows whose days hang on uncertain dates; None under "keep".
    """

    work: Work
    certain: Work | None
    unsettled: BoolArray | None


def read_employment(block: Block, grid: Grid, definitions: Definitions) -> tuple[Employment, LeftOut]:
    """Read the spells of employment of a block and unite them under the policy on uncertain dates."""
    found = fetch(
        block,
        "employment",
        ("StartDate", "EndDate", "UncertainStartDate", "UncertainEndDate"),
        {
            "start": day_number('"StartDate"'),
            "end": day_number('"EndDate"'),
            "uncertain_start": 'COALESCE("UncertainStartDate", false)',
            "uncertain_end": 'COALESCE("UncertainEndDate", false)',
        },
    )
    spells, kept, left_out = spells_of(block, found)
    by_default = found.numbers("uncertain_start")[kept], found.numbers("uncertain_end")[kept]
    if definitions.uncertain_dates == "exclude":
        left_out += LeftOut(uncertain=int((by_default[0] | by_default[1]).sum()))
    return employment_of(spells, by_default, grid, definitions, block.last_tax_year), left_out


def employment_of(
    spells: Spells,
    by_default: tuple[BoolArray, BoolArray],
    grid: Grid,
    definitions: Definitions,
    last_extract_year: int,
) -> Employment:
    """Unite spells under the policy on uncertain dates; `by_default` tells which first and last days are defaults."""
    work = _work(spells, grid, last_extract_year)
    if definitions.uncertain_dates == "keep":
        return Employment(work, None, None)
    certain = _work(_certain_days(spells, *by_default), grid, last_extract_year)
    unsettled = certain.covered.days != work.covered.days
    if definitions.uncertain_dates == "unknown":
        return Employment(work, certain, unsettled)
    return Employment(certain, None, unsettled)


def _certain_days(spells: Spells, uncertain_start: BoolArray, uncertain_end: BoolArray) -> Spells:
    """Return spells without the tax years in which they begin or end by default."""
    after = TAX_YEAR.last_day(TAX_YEAR.year_of(spells.starts)) + np.int32(1)
    before = TAX_YEAR.first_day(TAX_YEAR.year_of(spells.ends)) - np.int32(1)
    starts = np.where(uncertain_start, after, spells.starts)
    ends = np.where(uncertain_end, before, spells.ends)
    return Spells(spells.persons, starts, ends).where(starts <= ends)


def _work(spells: Spells, grid: Grid, last_extract_year: int) -> Work:
    """Unite spells by tax year and by the months of winter, and see which reach the end of the extract."""
    # One more year, so that each row can see the April after it.
    further = Grid(grid.cohort, grid.last_year + 1)
    months = unite(spells, further, ACCOUNTING_YEAR).months
    after = grid.next_rows(further)
    last_day = TAX_YEAR.last_day(last_extract_year)
    persons = spells.persons[(spells.starts <= last_day) & (spells.ends >= last_day)]
    at_the_end = grid.rows_of(persons, np.full(len(persons), last_extract_year))
    return Work(
        unite(spells, grid),
        (months[after - 1] >> OCTOBER).astype(np.uint16),
        (months[after] & 1).astype(np.bool_),
        marked(at_the_end, grid.n_row),
        grid.tax_year >= last_extract_year,
    )


def employment_columns(
    employment: Employment, earnings: FloatArray, self_employed: BoolArray, definitions: Definitions
) -> dict[str, Encoded]:
    """Return the columns of employment.

    Parameters
    ----------
    employment : Employment
    earnings : float64[n_row]
        NaN missing; they make work that no spell shows.
    self_employed : bool[n_row]
        They count as work where the definitions include them.
    definitions : Definitions
    """
    if definitions.self_employment == "exclude":
        self_employed = np.zeros_like(self_employed)
    paid = earnings > 0
    columns = _columns(employment.work, paid, self_employed, definitions)
    if employment.certain is None:
        return columns
    certain = _columns(employment.certain, paid, self_employed, definitions)
    return {name: without(column, column.values != certain[name].values) for name, column in columns.items()}


def _columns(work: Work, paid: BoolArray, self_employed: BoolArray, definitions: Definitions) -> dict[str, Encoded]:
    """The columns of employment by one reading of uncertain dates."""
    covered, all_year, continuous = work.covered, condition(work.all_year), work.continuous()
    sustained = {"twelve months": all_year, "five of six": work.five_of_six(), "181 days": continuous}
    of_employees = sustained[definitions.sustained].values
    return {
        "days_employed": number(covered.days),
        "months_employed": number(count_months(covered.months)),
        "in_paid_work": condition((covered.days > 0) | paid | self_employed),
        "employed_all_year": all_year,
        "sustained_employment": condition((of_employees == 1) | self_employed, (of_employees < 0) & ~self_employed),
        "continuous_employment": continuous,
    }
