"""Columns as integer codes for grouping, and several of them combined into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leoreturns import _checks
from leoreturns._core import columns as kernel_columns
from leoreturns._typing import AnyArray, CodeArray, FloatArray, IntArray, Level
from leoreturns.errors import SupportError
from leoreturns.panel import levels, rows
from leoreturns.panel.encode import Encoded
from leoreturns.panel.schema import Key, Label

if TYPE_CHECKING:
    from leoreturns.panel.panel import Panel

MAX_KEY_LEVELS = 500_000
TABLE_SPAN = 1 << 22  # a whole-number column of a wider range is numbered by hashing instead of a table
CELL_ROWS = 1 << 16  # rows combined at a time, so that their cell numbers stay in cache


def key(panel: Panel, name: str) -> Key:
    """See `Panel.key`."""
    schema = panel.schema
    if name == schema.person:
        _within_limit(name, panel.n_person_stored)
        ids = panel.ids.to_arrow().to_pylist()
        order = sorted(range(len(ids)), key=ids.__getitem__)  # persons are stored by key; levels come sorted
        codes = np.empty(len(ids), dtype=levels.code_dtype(len(ids)))
        codes[order] = np.arange(len(ids))
        return _key(codes, tuple(ids[at] for at in order), "person")
    column = panel.column(name)
    return _key(*labelled_codes(name, Encoded(panel.array(name), column.kind, column.labels)), column.level)


def labelled_codes(name: str, column: Encoded) -> tuple[CodeArray, tuple[Label, ...]]:
    """Return a column as codes with their labels: codes as they are, numbers by the rank of their value."""
    values = column.values
    if column.kind == "code":
        _within_limit(name, len(column.labels))
        return values, column.labels
    return _float_codes(name, values) if values.dtype.kind == "f" else _integer_codes(name, values)


def interact(codes: Sequence[CodeArray], n_levels: Sequence[int]) -> CodeArray:
    """Combine code columns of one length into one: mixed radix, the last column fastest, -1 where any is missing.

    Parameters
    ----------
    codes : sequence of int arrays of shape (n,)
    n_levels : sequence of int
        Number of levels of each column; their product must be below 2**63.

    Returns
    -------
    ndarray of int8, int16, int32 or int64, shape (n,)
        The narrowest type that holds the number of combinations.
    """
    total = 1
    for count in n_levels:
        total *= count
    if total >= 1 << 63:
        raise SupportError(f"the keys have {total:,} combinations, beyond 64 bits; use fewer or coarser keys")
    n = len(codes[0])
    out = np.empty(n, dtype=levels.code_dtype(total) if total <= 1 << 31 else np.int64)
    for at in range(0, n, CELL_ROWS):
        cell = np.zeros(min(CELL_ROWS, n - at), dtype=np.int64)
        for column, count in zip(codes, n_levels, strict=True):
            kernel_columns.interact(rows.as_bytes(column), column.itemsize, count, at, cell)
        out[at : at + len(cell)] = cell
    return out


def _key(codes: CodeArray, labels: tuple[Label, ...], level: Level) -> Key:
    codes.flags.writeable = False
    return Key(codes, labels, level)


def _within_limit(name: str, count: int) -> None:
    if count > MAX_KEY_LEVELS:
        _checks.level_limit(name, f"{count:,}", MAX_KEY_LEVELS)


def _integer_codes(name: str, values: CodeArray) -> tuple[CodeArray, tuple[Label, ...]]:
    """Number whole numbers by their rank among those that occur."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, -1)
    span = high - low + 1
    if span > TABLE_SPAN:
        return _ranked(*_numbered(name, values))
    seen, _ = rows.observed(values, base=low, span=span)
    found = np.flatnonzero(seen)
    _within_limit(name, len(found))
    labels = tuple((found + low).tolist())
    if low == 0 and len(found) == span and values.dtype == levels.code_dtype(span):
        return values, labels  # already codes: shared, not copied
    table = (np.cumsum(seen) - 1).astype(np.int32)
    return rows.recode(values, table, base=low, dtype=levels.code_dtype(len(found))), labels


def _float_codes(name: str, values: FloatArray) -> tuple[CodeArray, tuple[Label, ...]]:
    """Number floats by their rank; whole floats get whole labels, so that 1.0 and 1 are one cell."""
    bits = np.empty(len(values), dtype=np.int64)
    for first, last in rows.slices(len(values)):
        part = values[first:last] + 0.0  # -0.0 becomes 0.0
        part[np.isnan(part)] = np.nan  # one NaN for all
        bits[first:last] = part.view(np.int64)
    codes, found = _numbered(name, bits)
    return _ranked(codes, found.view(np.float64))


def _numbered(name: str, values: AnyArray) -> tuple[NDArray[np.int32], IntArray]:
    """Number distinct values by hashing; stops at the limit, so a column of earnings is refused early."""
    numbered = levels.number_distinct(values, limit=MAX_KEY_LEVELS)
    if numbered is None:
        _checks.level_limit(name, f"more than {MAX_KEY_LEVELS:,}", MAX_KEY_LEVELS)
    return numbered


def _ranked(codes: NDArray[np.int32], found: AnyArray) -> tuple[CodeArray, tuple[Label, ...]]:
    """Renumber codes by the rank of their value; NaN becomes missing."""
    order = np.argsort(found)
    order = order[~np.isnan(found[order])]
    table = np.full(len(found), -1, dtype=np.int32)
    table[order] = np.arange(len(order), dtype=np.int32)
    labels = tuple(int(value) if value == np.floor(value) else value for value in found[order].tolist())
    return rows.recode(codes, table, base=0, dtype=levels.code_dtype(len(order))), labels
