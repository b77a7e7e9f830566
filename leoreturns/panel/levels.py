"""Levels of a column: numbering distinct values, dropping unused labels, the narrowest integer types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leoreturns._core import codes as kernel_codes
from leoreturns._typing import CodeArray, IntArray
from leoreturns.panel import rows
from leoreturns.panel.schema import Label

FIRST_CAPACITY = 1 << 16  # slots of the first hash table; it doubles when half full


def code_dtype(n_levels: int) -> np.dtype[Any]:
    """Return the narrowest type that holds codes -1 .. n_levels - 1."""
    return np.dtype(np.int8 if n_levels <= 1 << 7 else np.int16 if n_levels <= 1 << 15 else np.int32)


def narrow(values: NDArray[np.integer[Any]]) -> CodeArray:
    """Return whole numbers in the narrowest signed type that holds them all."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    for dtype in (np.int8, np.int16, np.int32, np.int64):
        bounds = np.iinfo(dtype)
        if bounds.min <= low and high <= bounds.max:
            return np.ascontiguousarray(values, dtype=dtype)
    raise OverflowError("whole numbers beyond 64 bits signed")


def number_distinct(values: CodeArray, *, limit: int | None = None) -> tuple[NDArray[np.int32], IntArray] | None:
    """Number the distinct values by first appearance.

    Returns codes int32[n] and the distinct values int64[m], or None once more than `limit` values are found.
    """
    values = np.ascontiguousarray(values)
    codes = np.empty(len(values), dtype=np.int32)
    capacity = FIRST_CAPACITY
    slots = np.full(2 * capacity, -1, dtype=np.int64)
    found = np.empty(capacity // 2, dtype=np.int64)
    start = n_found = 0
    while True:
        start, n_found = kernel_codes.dense_codes(
            rows.as_bytes(values), values.itemsize, start, n_found, slots, codes, found
        )
        if limit is not None and n_found > limit:
            return None
        if start == len(values):
            return codes, found[:n_found].copy()
        capacity *= 2
        found = np.concatenate([found, np.empty(capacity // 2 - len(found), dtype=np.int64)])
        slots = np.empty(2 * capacity, dtype=np.int64)
        kernel_codes.fill_slots(found[:n_found], slots)


def settle(codes: CodeArray, labels: Sequence[Label], *, ordered: bool) -> tuple[CodeArray, tuple[Label, ...]]:
    """Drop labels that no row has, sort the others unless their order was declared, narrow the codes.

    Labels that are equal (as Arrow dictionaries may hold) become one.
    """
    seen, _ = rows.observed(codes, base=0, span=len(labels))
    used = list(dict.fromkeys(label for label, is_used in zip(labels, seen, strict=True) if is_used))
    if not ordered:
        used.sort()
    place = {label: position for position, label in enumerate(used)}
    table = np.array([place.get(label, -1) for label in labels], dtype=np.int32)
    return rows.recode(codes, table, base=0, dtype=code_dtype(len(used))), tuple(used)


def moment_labels(values: NDArray[np.datetime64], *, zoned: bool) -> list[Label]:
    """Return distinct datetimes as labels: dates where all lie at midnight, else datetimes (UTC where zoned)."""
    exact = values.astype("datetime64[us]")
    if (exact.astype(values.dtype) != values).any():
        raise ValueError("finer than a microsecond")
    moments: list[Any] = exact.astype(object).tolist()
    if not all(isinstance(moment, dt.datetime) for moment in moments):
        raise ValueError("outside the years 1 to 9999")
    if zoned:
        return [moment.replace(tzinfo=dt.UTC) for moment in moments]
    if all(moment.time() == dt.time() for moment in moments):
        return [moment.date() for moment in moments]
    return moments
