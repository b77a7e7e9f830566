"""Passes over the rows or persons of one column, in slices that depend on the data only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leoreturns._core import codes as kernel_codes
from leoreturns._core import columns as kernel
from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray, BoolArray, ByteArray, CodeArray, IntArray

SLICE = 1 << 21  # rows or persons per kernel call
BLOCK = 1 << 17  # rows per step of NumPy, whose temporaries then stay small and in cache
OWN_MARKS = 1 << 16  # levels up to which every slice marks an array of its own, so that threads share none


def as_bytes(values: AnyArray) -> ByteArray:
    """Return the bytes of a contiguous array, as the kernels take columns of several widths."""
    return values.view(np.uint8)


def slices(n: int, size: int | None = None) -> Iterator[tuple[int, int]]:
    """Return the fixed slices of n rows or persons."""
    size = SLICE if size is None else size
    return ((at, min(at + size, n)) for at in range(0, n, size))


def stretches(offsets: IntArray) -> list[tuple[int, int]]:
    """Return ranges of persons who together have about `BLOCK` rows, or one person with more."""
    edges = np.searchsorted(offsets, np.arange(0, offsets[-1], BLOCK))
    return list(pairwise(np.unique([0, *edges, len(offsets) - 1]).tolist()))


def count_selected(selection: BoolArray, offsets: IntArray) -> IntArray:
    """Count the selected rows of each person; every person has a row."""
    out = np.empty(len(offsets) - 1, dtype=np.int64)
    for first, last in stretches(offsets):
        start, stop = offsets[first], offsets[last]
        np.add.reduceat(selection[start:stop], offsets[first:last] - start, dtype=np.int64, out=out[first:last])
    return out


def take(values: AnyArray, order: IntArray) -> AnyArray:
    """Gather ``values[order]`` without a temporary of the column's length."""
    out = np.empty(len(order), dtype=values.dtype)

    def part(bounds: tuple[int, int]) -> None:
        kernel.take(as_bytes(values), values.itemsize, order, *bounds, as_bytes(out))

    ordered_map(part, slices(len(order)))
    return out


def expand(values: AnyArray, offsets: IntArray) -> AnyArray:
    """Repeat each person's value along the person's rows."""
    out = np.empty(int(offsets[-1]), dtype=values.dtype)

    def part(bounds: tuple[int, int]) -> None:
        kernel.expand(as_bytes(values), values.itemsize, offsets, *bounds, as_bytes(out))

    ordered_map(part, slices(len(values)))
    return out


def varying(values: AnyArray, *, coded: bool, offsets: IntArray) -> tuple[int, int]:
    """Count persons in whom a column varies, and of these those in whom it varies only by a missing value."""
    floating = values.dtype.kind == "f"

    def part(bounds: tuple[int, int]) -> tuple[int, int]:
        return kernel.constant_within(as_bytes(values), values.itemsize, coded, floating, offsets, *bounds)

    counts = ordered_map(part, slices(len(offsets) - 1))
    return sum(count[0] for count in counts), sum(count[1] for count in counts)


def sort_within(times: CodeArray, order: IntArray, offsets: IntArray) -> tuple[int, int]:
    """Sort each person's rows by time, in place; return rows that repeat a period and the persons who have them."""

    def part(bounds: tuple[int, int]) -> tuple[int, int]:
        return kernel_codes.sort_within(offsets, *bounds, as_bytes(times), times.itemsize, order)

    counts = ordered_map(part, slices(len(offsets) - 1))
    return sum(count[0] for count in counts), sum(count[1] for count in counts)


def observed(values: CodeArray, *, base: int, span: int) -> tuple[BoolArray, int]:
    """Mark which of the levels ``base : base + span`` occur, and count the values outside."""

    def part(bounds: tuple[int, int], seen: ByteArray) -> int:
        return kernel.observed(as_bytes(values), values.itemsize, base, *bounds, seen)

    seen = np.zeros(span, dtype=np.uint8)
    if span > OWN_MARKS:  # one array after the other, rather than one per slice
        outside = sum(part(bounds, seen) for bounds in slices(len(values)))
        return seen.view(np.bool_), outside

    def own(bounds: tuple[int, int]) -> tuple[ByteArray, int]:
        marks = np.zeros(span, dtype=np.uint8)
        return marks, part(bounds, marks)

    found = ordered_map(own, slices(len(values)))
    for marks, _ in found:
        seen |= marks
    return seen.view(np.bool_), sum(outside for _, outside in found)


def recode(values: CodeArray, table: NDArray[np.int32], *, base: int, dtype: np.dtype[Any]) -> CodeArray:
    """Return ``table[values - base]`` in a type that holds the table's entries; -1 where the table does not reach."""
    out = np.empty(len(values), dtype=dtype)

    def part(bounds: tuple[int, int]) -> None:
        kernel.recode(as_bytes(values), values.itemsize, base, table, *bounds, as_bytes(out), out.itemsize)

    ordered_map(part, slices(len(values)))
    return out


def count_missing(values: AnyArray, kept: BoolArray | None = None) -> int:
    """Count NaN in floats, -1 in anything else (codes), among the kept entries where these are given."""
    missing = np.isnan if values.dtype.kind == "f" else _is_minus_one
    if kept is None:
        return sum(int(missing(values[first:last]).sum()) for first, last in slices(len(values), BLOCK))
    return sum(int((missing(values[a:b]) & kept[a:b]).sum()) for a, b in slices(len(values), BLOCK))


def count_known(codes: CodeArray) -> int:
    """Count codes that are not missing."""
    return len(codes) - count_missing(codes)


def _is_minus_one(values: AnyArray) -> BoolArray:
    return np.equal(values, -1)
