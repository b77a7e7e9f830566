"""Bring the rows of each cell together, over threads and over the parts of a scan.

People are ordered by trait cell; chunks of people, whose borders depend on the data and the number of cells only, are
counted and then written side by side. Within a cell the rows come in the panel's order, so nothing computed from them
depends on threads, chunks or partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from leoreturns._core import gather
from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray, ByteArray, CodeArray, FloatArray, IntArray, UIntArray
from leoreturns.aggregates.cells import Layout
from leoreturns.panel.levels import number_distinct
from leoreturns.panel.panel import Panel
from leoreturns.panel.rows import as_bytes, expand

CHUNK_ROWS = 1 << 18  # rows of a chunk whose reads stay in the second cache
ROWS_PER_CELL = 32  # a chunk writes runs about this long, so that many cells do not mean many scattered writes
NO_BYTES: ByteArray = np.empty(0, dtype=np.uint8)

FLOATS, INTEGERS, CODES = 0, 1, 2  # value kinds of the gather kernel


class Chunk(NamedTuple):
    """A run of people of one panel: from ``first`` up to but not ``last`` of its stored persons."""

    panel: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """The rows of every cell.

    Attributes
    ----------
    offsets : int64 of shape (n_cells + 1,)
        First row of each cell.
    columns : list of float64 arrays of shape (n_rows,)
        The columns asked for, cell by cell, NaN where missing.
    persons : int32 of shape (n_rows,)
        Position of the row's person among all people, sorted by trait cell.
    keys : uint64 of shape (n_people,)
        64-bit key of each of them.
    """

    offsets: IntArray
    columns: list[FloatArray]
    persons: CodeArray
    keys: UIntArray


def gather_rows(
    panels: Sequence[Panel], layout: Layout, columns: Sequence[Sequence[tuple[AnyArray, int]]], *, n_jobs: int | None
) -> Gathered:
    """Bring the selected rows of each cell together.

    Parameters
    ----------
    panels : sequence of Panel
        Disjoint sets of persons in key order.
    layout : Layout
        Their cells.
    columns : sequence of sequences of (array, kind)
        For each column asked for, its stored rows in each panel and how they are read (see `readable`).
    n_jobs : int or None
        Threads.
    """
    if sum(panel.n_person_stored for panel in panels) >= 1 << 31:
        raise OverflowError("more than 2**31 persons in one table")
    chunks = _chunks(panels, layout.n_cells)
    traits, width = layout.trait_cells, layout.years.n_cells
    codes = [(NO_BYTES, 0) if part is None else (as_bytes(part), part.itemsize) for part in layout.year_codes]
    masks = [NO_BYTES if panel.selection is None else panel.selection.view(np.uint8) for panel in panels]
    counts = np.empty((len(chunks), layout.n_cells), dtype=np.int64)
    people = np.empty((len(chunks), layout.traits.n_cells), dtype=np.int64)

    def count(at: int) -> None:
        panel, first, last = chunks[at]
        gather.count_people(traits[panel][first:last], people[at])
        gather.count_rows(
            traits[panel][first:last],
            panels[panel].offsets[first : last + 1],
            *codes[panel],
            masks[panel],
            width,
            counts[at],
        )

    ordered_map(count, range(len(chunks)), n_jobs=n_jobs, label="counting rows")
    within = np.cumsum(people, axis=1) - people
    n_people = people.sum(axis=1)
    offsets = _first_places(counts)
    keys = np.empty(_first_places(people)[-1], dtype=np.uint64)
    persons = np.empty(offsets[-1], dtype=np.int32)
    gathered = [np.empty(offsets[-1], dtype=np.float64) for _ in columns]

    def fill(at: int) -> None:
        panel, first, last = chunks[at]
        ordered = np.empty(n_people[at], dtype=np.int64)
        position = np.empty(n_people[at], dtype=np.int32)
        gather.order_people(
            traits[panel][first:last],
            panels[panel].keys[first:last],
            first,
            within[at],
            people[at],
            ordered,
            position,
            keys,
        )
        for column, out in zip(columns, gathered, strict=True):
            values, kind = column[panel]
            gather.fill_rows(
                ordered,
                traits[panel],
                position,
                panels[panel].offsets,
                *codes[panel],
                masks[panel],
                width,
                as_bytes(values),
                values.itemsize if len(values) else 0,
                kind,
                counts[at].copy(),
                out,
                persons,
            )

    ordered_map(fill, range(len(chunks)), n_jobs=n_jobs, label="gathering rows")
    return Gathered(offsets, gathered, persons, keys)


def _first_places(counts: IntArray) -> IntArray:
    """Turn counts per chunk and cell, in place, into first places; return where each cell begins, and the end.

    A cell's places follow those of the cells before; in it, each chunk's follow those of the chunks before.
    """
    totals = counts.sum(axis=0)
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(totals)])
    counts[1:] = np.cumsum(counts[:-1], axis=0)
    counts[0] = 0
    counts += offsets[:-1]
    return offsets


def readable(panel: Panel, name: str) -> tuple[AnyArray, int]:
    """Return a column as one entry per stored row and the way the kernel reads it.

    Numbers are read as they are stored. A true/false column is read as 1 and 0. A trait is repeated along its person's
    rows.
    """
    column, values = panel.column(name), panel.array(name)
    if column.level == "person":
        values = expand(values, panel.offsets)
    if column.kind == "code":
        if column.is_bool and column.labels == (True,):
            values = np.where(values < 0, np.int8(-1), np.int8(1))
        return values, CODES
    return values, FLOATS if values.dtype.kind == "f" else INTEGERS


def entity_codes(panels: Sequence[Panel], name: str) -> tuple[list[tuple[AnyArray, int]], int]:
    """Return an entity column as codes along the rows of each panel, and how many codes there are.

    Labels are coded already; entities that are numbers (of schools, say) are numbered here over all panels.
    """
    column = panels[0].column(name)
    if column.kind == "code":
        coded, count = [panel.array(name) for panel in panels], len(column.labels)
    else:
        numbered = [_numbered(panel.array(name)) for panel in panels]
        distinct = np.unique(np.concatenate([found for _, found in numbered]))
        distinct = distinct[~np.isnan(distinct)]
        tables = [np.where(np.isnan(found), -1, np.searchsorted(distinct, found)) for _, found in numbered]
        coded = [table.astype(np.int32)[codes] for (codes, _), table in zip(numbered, tables, strict=True)]
        count = len(distinct)
    if column.level == "person":
        coded = [expand(codes, panel.offsets) for codes, panel in zip(coded, panels, strict=True)]
    return [(codes, CODES) for codes in coded], count


def _numbered(values: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Number the distinct values of a number column."""
    floating = values.dtype.kind == "f"
    numbered = number_distinct((values + 0.0).view(np.int64) if floating else values)  # -0.0 becomes 0.0
    assert numbered is not None  # there is no limit to pass
    codes, found = numbered
    return codes, found.view(np.float64) if floating else found


def _chunks(panels: Sequence[Panel], n_cells: int) -> list[Chunk]:
    """Cut the people of each panel into runs of about equally many rows."""
    rows = max(CHUNK_ROWS, ROWS_PER_CELL * n_cells)
    chunks = []
    for number, panel in enumerate(panels):
        n_chunks = max(1, -(-panel.n_row_stored // rows))
        targets = np.arange(1, n_chunks) * rows
        edges = np.unique(np.concatenate([[0], np.searchsorted(panel.offsets, targets), [panel.n_person_stored]]))
        chunks += [Chunk(number, int(first), int(last)) for first, last in pairwise(edges)]
    return chunks
