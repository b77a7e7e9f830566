"""The grid of persons by tax years, and how records come to lie on its rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from leoreturns._typing import AnyArray, BoolArray, CodeArray, FloatArray, IntArray
from leoreturns.panel import offsets
from leoreturns.panel.encode import Encoded

CONDITION = (False, True)


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """Persons by the tax years from the first after key stage 4 to one last year.

    Attributes
    ----------
    cohort : int16[n_person]
        Calendar year in which key stage 4 ended.
    last_year : int
        Tax year of everybody's last row; persons whose key stage 4 ended then or later have none.
    """

    cohort: NDArray[np.int16]
    last_year: int

    def __repr__(self) -> str:
        return f"<Grid: {len(self.cohort):,} persons, {self.n_row:,} rows>"

    @cached_property
    def row_offsets(self) -> IntArray:
        """Rows ``row_offsets[i] : row_offsets[i + 1]`` are the years of person i."""
        return offsets.from_counts(np.maximum(self.last_year - self.cohort.astype(np.int64), 0))

    @property
    def n_row(self) -> int:
        """Rows in all."""
        return int(self.row_offsets[-1])

    @cached_property
    def first_year(self) -> NDArray[np.int16]:
        """Tax year of each person's first row."""
        return self.cohort + np.int16(1)

    @cached_property
    def years_since_ks4(self) -> NDArray[np.int16]:
        """Number of each row within its person, from 1."""
        return (np.arange(self.n_row) - self.along(self.row_offsets[:-1]) + 1).astype(np.int16)

    @cached_property
    def tax_year(self) -> NDArray[np.int16]:
        """Tax year of each row."""
        return self.along(self.cohort) + self.years_since_ks4

    def rows_of(self, persons: NDArray[np.int32], years: CodeArray) -> IntArray:
        """Return the row of each record, by its person and tax year; -1 where the person has no such row."""
        after = years.astype(np.int64) - self.first_year[persons]
        rows = self.row_offsets[persons] + after
        rows[(after < 0) | (rows >= self.row_offsets[persons + 1])] = -1
        return rows

    def next_rows(self, within: Grid) -> IntArray:
        """Return, in a grid of the same persons that reaches further, the row of the year after each row."""
        return np.arange(self.n_row) + self.along(within.row_offsets[:-1] - self.row_offsets[:-1]) + 1

    def along(self, values: AnyArray) -> AnyArray:
        """Repeat each person's value along the person's rows."""
        return np.repeat(values, np.diff(self.row_offsets))


# ---- records onto rows ----------------------------------------------------------------------------------------------


def marked(rows: IntArray, n_row: int) -> BoolArray:
    """Return which rows have a record; records at -1 have no row."""
    out = np.zeros(n_row + 1, dtype=np.bool_)
    out[rows] = True
    return out[:-1]


def added(rows: IntArray, values: FloatArray, n_row: int) -> FloatArray:
    """Add values by row: NaN where a row has none; records at -1 have no row."""
    used = (rows >= 0) & ~np.isnan(values)
    rows, values = rows[used], values[used]
    if (values != np.rint(values)).any():
        # Whole pounds add up exactly in any order; other values are put in one, as that of the records says nothing.
        order = np.lexsort((values, rows))
        rows, values = rows[order], values[order]
    out: FloatArray = np.bincount(rows, weights=values, minlength=n_row).astype(np.float64)
    out[~marked(rows, n_row)] = np.nan
    return out


def without_repeats(rows: IntArray, ids: CodeArray, amounts: FloatArray) -> IntArray:
    """Return the row of each record; -1 for all but the highest amount of an id on a row, where it has one record."""
    several = np.flatnonzero((np.bincount(rows + 1)[rows + 1] > 1) & (rows >= 0))
    order = several[np.lexsort((-amounts[several], ids[several], rows[several]))]  # a missing amount comes last
    again = (np.diff(rows[order], prepend=-1) == 0) & (np.diff(ids[order], prepend=-1) == 0)
    kept = rows.copy()
    kept[order[again]] = -1
    return kept


def largest(rows: IntArray, values: FloatArray, n_row: int) -> FloatArray:
    """Return the largest value by row: NaN where a row has none; records at -1 have no row."""
    out = np.full(n_row + 1, np.nan)
    np.fmax.at(out, rows, values)
    return out[:-1]


def chosen(rows: IntArray, n_row: int, *keys: AnyArray) -> IntArray:
    """Return the record that comes first on each row: the smallest by the keys, the first key first; -1 without one.

    Records at -1 have no row. Records that all keys hold equal are the same for the caller: any of them is returned.
    """
    out = np.full(n_row + 1, -1, dtype=np.int64)
    out[rows] = np.arange(len(rows))
    several = np.flatnonzero((np.bincount(rows + 1, minlength=n_row + 1)[rows + 1] > 1) & (rows >= 0))
    order = several[np.lexsort((*(key[several] for key in reversed(keys)), rows[several]))]
    first = np.diff(rows[order], prepend=-1) != 0
    out[rows[order[first]]] = order[first]
    return out[:-1]


def missing_last(codes: CodeArray) -> AnyArray:
    """Return codes as a sort key in which missing, -1, comes last."""
    return codes.astype(np.int64).view(np.uint64)


def taken(column: Encoded, records: IntArray) -> Encoded:
    """Return the codes of the records chosen; missing where there is none (-1)."""
    padded = np.concatenate([column.values, np.array([-1], dtype=column.values.dtype)])
    return Encoded(padded[records], "code", column.labels)


# ---- columns of the rows --------------------------------------------------------------------------------------------


def condition(holds: BoolArray, missing: BoolArray | None = None) -> Encoded:
    """Return a true or false column, missing where said."""
    codes = holds.astype(np.int8)
    if missing is not None:
        codes[missing] = -1
    return Encoded(codes, "code", CONDITION)


def number(values: AnyArray, missing: BoolArray | None = None) -> Encoded:
    """Return a column of numbers; whole numbers become floats only where some may be missing."""
    if missing is None:
        return Encoded(values, "number")
    return Encoded(np.where(missing, np.nan, values.astype(np.float64)), "number")


def without(column: Encoded, missing: BoolArray) -> Encoded:
    """Return a column that is missing where said, besides where it is already."""
    if column.kind == "number":
        return number(column.values, missing)
    return Encoded(np.where(missing, column.values.dtype.type(-1), column.values), "code", column.labels)
