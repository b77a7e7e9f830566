"""Columns and rows of a simulated table, before they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.random import Generator

from leoreturns._typing import AnyArray, BoolArray, FloatArray, IntArray

MISSING = int(np.iinfo(np.int32).min)  # in columns of whole numbers, days and years; flags: -1, other numbers: NaN


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of texts: one code per row, -1 for missing, and what the codes stand for (an Arrow array of texts)."""

    codes: AnyArray
    labels: pa.Array

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, index: AnyArray) -> Coded:
        """Return the column at these rows."""
        return Coded(self.codes[index], self.labels)


_DIGITS = np.frombuffer(b"0123456789ABCDEF", np.uint8)

Column: TypeAlias = AnyArray | Coded
Rows: TypeAlias = dict[str, Column]


@cache
def _labels(texts: tuple[str, ...]) -> pa.Array:
    return pa.array(texts, pa.string())


def coded(codes: AnyArray, texts: Sequence[str]) -> Coded:
    """Return a column of texts from codes into them."""
    return Coded(np.asarray(codes), _labels(tuple(texts)))


def numbered(numbers: AnyArray, digits: int, prefix: str = "", *, base: int = 10) -> pa.Array:
    """Return whole numbers as texts: a prefix and a fixed number of digits to base 10 or 16."""
    width, left = len(prefix) + digits, numbers.astype(np.uint64)
    texts = np.empty((len(numbers), width), np.uint8)
    texts[:, : len(prefix)] = np.frombuffer(prefix.encode(), np.uint8)
    for place in range(digits):
        left, digit = np.divmod(left, np.uint64(base))
        texts[:, width - 1 - place] = _DIGITS[digit]
    offsets = np.arange(0, width * (len(numbers) + 1), width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(texts))


def array(rows: Rows, name: str) -> AnyArray:
    """Return a copy of a column of numbers, days, years or flags."""
    column = rows[name]
    if isinstance(column, Coded):
        raise TypeError(f"column {name!r} holds texts")
    return column.copy()


def text(rows: Rows, name: str) -> Coded:
    """Return a column of texts."""
    column = rows[name]
    if not isinstance(column, Coded):
        raise TypeError(f"column {name!r} does not hold texts")
    return column


def n_row(rows: Rows) -> int:
    """Return the number of rows."""
    return len(next(iter(rows.values())))


def take(rows: Rows, index: AnyArray) -> Rows:
    """Return these rows, in this order; rows may repeat."""
    return {name: column.take(index) if isinstance(column, Coded) else column[index] for name, column in rows.items()}


def shuffled(rows: Rows, rng: Generator) -> Rows:
    """Return the rows in random order."""
    return take(rows, rng.permutation(n_row(rows)))


def repeated(rows: Rows, index: AnyArray) -> Rows:
    """Return all rows, followed by a copy of some."""
    return take(rows, np.concatenate([np.arange(n_row(rows)), index]))


def blank(column: Column, index: AnyArray) -> Column:
    """Return a column with some entries missing."""
    if isinstance(column, Coded):
        return Coded(_with(column.codes, index, -1), column.labels)
    if column.dtype.kind == "f":
        return _with(column, index, np.nan)
    return _with(column, index, -1 if column.dtype.itemsize == 1 else MISSING)


def _with(values: AnyArray, index: AnyArray, value: float) -> AnyArray:
    changed = values.copy()
    changed[index] = value
    return changed


def flag(values: BoolArray, known: BoolArray | bool = True) -> AnyArray:
    """Return truth values as 1 and 0, -1 where they are not known."""
    return np.where(known, values, np.int8(-1)).astype(np.int8)


def expand(counts: AnyArray) -> tuple[IntArray, IntArray]:
    """Return, for groups of these sizes laid end to end, each entry's group and its place within the group."""
    group = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return group, np.arange(len(group)) - first[group]


def draw(rng: Generator, shares: Sequence[float] | FloatArray, n: int) -> AnyArray:
    """Draw categories 0, 1, ... with these shares, which need not add up to 1."""
    bounds = np.cumsum(np.asarray(shares, np.float64))
    # The last category takes what rounding puts beyond the last bound.
    drawn: AnyArray = np.searchsorted(bounds[:-1], rng.random(n) * bounds[-1], side="right").astype(np.int16)
    return drawn


def draw_each(rng: Generator, shares: FloatArray, rows: AnyArray) -> AnyArray:
    """Draw a category for each person, with the shares of that person's row of a table."""
    bounds = np.cumsum(shares, axis=1)
    bounds /= bounds[:, -1:]
    chance = rng.random(len(rows))
    drawn = np.zeros(len(rows), np.int16)
    for category in range(shares.shape[1] - 1):
        drawn += chance >= bounds[rows, category]
    return drawn


def days(year: AnyArray | int, month: int, day: int) -> AnyArray:
    """Return the days since 1 January 1970 of one date in each of these years, as int32."""
    months = ((np.asarray(year, np.int64) - 1970) * 12 + (month - 1)).astype("datetime64[M]")
    first: IntArray = months.astype("datetime64[D]").astype(np.int64)
    dates: AnyArray = (first + (day - 1)).astype(np.int32)
    return dates


def tax_year_bounds(year: AnyArray | int) -> tuple[AnyArray, AnyArray]:
    """Return the first and the last day of tax years."""
    return days(year, 4, 6), days(np.asarray(year) + 1, 4, 5)
