"""Spells of persons: read from a table, and their union on the rows of a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leoreturns._core import spells as kernel
from leoreturns._typing import AnyArray, BoolArray
from leoreturns.panel.calendar import MONTHS, TAX_YEAR, Calendar
from leoreturns.panel.grid import Grid
from leoreturns.panel.lists import NO_DATE
from leoreturns.panel.records import LeftOut, Records

if TYPE_CHECKING:
    from leoreturns.panel.block import Block


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Spells:
    """Spells with both ends, in no particular order.

    Attributes
    ----------
    persons : int32[n]
    starts, ends : int32[n]
        First and last day, both inclusive, since 1970-01-01.
    """

    persons: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]

    def __repr__(self) -> str:
        return f"<Spells: {len(self.persons):,}>"

    def where(self, kept: BoolArray) -> Spells:
        """Return some of the spells."""
        return Spells(self.persons[kept], self.starts[kept], self.ends[kept])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Coverage:
    """What the union of spells covers, by row of a grid.

    Attributes
    ----------
    days : int16[n_row]
        Days of the tax year with a spell.
    months : uint16[n_row]
        Bit k: a day in tax month k; bit 0 is 6 April to 5 May.
    longest : int32[n_row]
        Days of the longest joined spell that touches the tax year, its days in other years included.
    """

    days: NDArray[np.int16]
    months: NDArray[np.uint16]
    longest: NDArray[np.int32]


def day_number(date: str) -> str:
    """Return the SQL for the days from 1970-01-01 to a date; `NO_DATE` where there is none."""
    return f"CAST(COALESCE(date_diff('day', DATE '1970-01-01', {date}), {NO_DATE}) AS INTEGER)"


def spells_of(block: Block, records: Records) -> tuple[Spells, BoolArray, LeftOut]:
    """Return the spells of records that were read with ``number``, ``start`` and ``end`` (by `day_number`).

    Returns
    -------
    spells : Spells
        Those with a first day, no last day before it; without a last day they run to the end of the extract.
    kept : bool[n]
        Which of the records they are.
    left_out : LeftOut
    """
    starts, ends = records.numbers("start"), records.numbers("end")
    ends = np.where(ends == NO_DATE, TAX_YEAR.last_day(block.last_tax_year), ends)
    dated = starts != NO_DATE
    kept = dated & (ends >= starts)
    spells = Spells(records.numbers("number"), starts, ends).where(kept)
    n_dated = int(dated.sum())
    return spells, kept, LeftOut(no_first_day=len(dated) - n_dated, reversed=n_dated - int(kept.sum()))


def unite(spells: Spells, grid: Grid, year: Calendar = TAX_YEAR) -> Coverage:
    """Return the union of spells on a grid: overlapping, abutting, nested and repeated ones are joined.

    Another calendar than that of tax years gives the days and months of its own years, by the year that they start in.
    """
    n_person, n_row = len(grid.cohort), grid.n_row
    days, months = np.zeros(n_row, dtype=np.int16), np.zeros(n_row, dtype=np.uint16)
    longest = np.zeros(n_row, dtype=np.int32)
    if n_row and len(spells.persons):
        pairs = np.empty((len(spells.persons), 2), dtype=np.int32)
        offsets = np.empty(n_person + 1, dtype=np.int64)
        kernel.order_spells(spells.persons, spells.starts, spells.ends, pairs, offsets)
        base = int(grid.first_year.min())
        calendar = year.month_starts(base, grid.last_year)
        kernel.unite(
            pairs, offsets, 0, n_person, calendar, base, grid.row_offsets, grid.first_year, days, months, longest
        )
    return Coverage(days, months, longest)


# ---- months ---------------------------------------------------------------------------------------------------------


def _runs() -> NDArray[np.int8]:
    """Longest run of months for each of the 4,096 sets of months of a year."""
    out = np.zeros(1 << MONTHS, dtype=np.int8)
    left = np.arange(1 << MONTHS)
    while left.any():
        # A bit stays while the next one is set: each step takes one month off every run.
        out += left != 0
        left &= left >> 1
    return out


RUNS = _runs()


def months_in_row(months: NDArray[np.uint16], at_least: int) -> BoolArray:
    """Return whether so many consecutive months of the year are in the set."""
    long_enough: BoolArray = RUNS[months] >= at_least
    return long_enough


def count_months(months: AnyArray) -> NDArray[np.int8]:
    """Return the number of months in each set."""
    return np.bitwise_count(months).astype(np.int8)
