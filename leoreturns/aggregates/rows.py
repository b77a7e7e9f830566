"""Bring the rows of each cell together, over threads and over the parts of a scan.

People are ordered by trait cell; chunks of people, whose borders depend on the data and the number of cells only, are counted and then written side by side. Within a cell
the rows come in the panel's order, so nothing computed from them depends on threads, chunks or partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leoreturns._core import codes as kernel_codes
from leoreturns._core import gather
from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray, ByteArray, CodeArray, FloatArray, IntArray, UIntArray
from leoreturns.aggregates.cells import Layout
from leoreturns.panel.panel import Panel
from leoreturns.panel.rows import as_bytes, expand

CHUNK_ROWS = 1 << 18       # rows of a chunk whose reads stay in the second cache
ROWS_PER_CELL = 32         # a chunk writes runs about this long, so that many cells do not mean many scattered writes
NO_BYTES: ByteArray = np.empty(0, dtype=np.uint8)

FLOATS, INTEGERS, CODES = 0, 1, 2   # value kinds of the gather kernel


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of people of one panel: ``first`` to ``last`` among its stored persons."""

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
        Position of the row's person among `people`.
    people : int64 of shape (n_people,)
        Persons of all panels one after another, sorted by trait cell.
    """

    offsets: IntArray
    columns: list[FloatArray]
    persons: CodeArray
    people: IntArray


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
    starts = np.cumsum([0] + [panel.n_person_stored for panel in panels])
    if starts[-1] >= 1 << 31:
        raise OverflowError("more than 2**31 persons in one table")
    chunks = _chunks(panels, layout.n_cells)
    width = layout.years.n_cells
    codes = [(NO_BYTES, 0) if part is None else (as_bytes(part), part.itemsize) for part in layout.year_codes]
    masks = [NO_BYTES if panel.selection is None else panel.selection.view(np.uint8) for panel in panels]

    counts = np.empty((len(chunks), layout.n_cells), dtype=np.int64)

    def count(at: int) -> None:
        chunk = chunks[at]
        traits = layout.trait_cells[chunk.panel][chunk.first : chunk.last]
        offsets = panels[chunk.panel].offsets[chunk.first : chunk.last + 1]
        gather.count_rows(traits, offsets, *codes[chunk.panel], masks[chunk.panel], width, counts[at])

    ordered_map(count, range(len(chunks)), n_jobs=n_jobs, label="counting rows")
    totals = counts.sum(axis=0)
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(totals)])
    # First free place of each cell for each chunk: all rows of the cells before, and of the cell in chunks before.
    np.cumsum(counts[:-1], axis=0, out=counts[1:])
    counts[0] = 0
    counts += offsets[:-1]

    people, by_chunk, bounds = _people(layout, starts, chunks)
    trait = np.concatenate(layout.trait_cells)
    persons = np.empty(offsets[-1], dtype=np.int32)
    gathered = [np.empty(offsets[-1], dtype=np.float64) for _ in columns]

    def fill(at: int) -> None:
        chunk = chunks[at]
        positions = by_chunk[bounds[at] : bounds[at + 1]]
        inside = people[positions]
        local = inside - starts[chunk.panel]
        for number, column in enumerate(columns):
            values, kind = column[chunk.panel]
            cursor = counts[at].copy() if number + 1 < len(columns) else counts[at]
            gather.fill_rows(
                local, trait[inside], positions.astype(np.int32), panels[chunk.panel].offsets, *codes[chunk.panel], masks[chunk.panel], width,
                as_bytes(values), values.itemsize if len(values) else 0, kind, cursor, gathered[number], persons,
            )  # fmt: skip

    ordered_map(fill, range(len(chunks)), n_jobs=n_jobs, label="gathering rows")
    return Gathered(offsets, gathered, persons, people)


def readable(panel: Panel, name: str) -> tuple[AnyArray, int]:
    """Return a column as one entry per stored row and the way the kernel reads it.

    Numbers are read as they are stored. A true/false column is read as 1 and 0. A trait is repeated along its person's rows.
    """
    column, values = panel.column(name), panel.array(name)
    if column.level == "person":
        values = expand(values, panel.offsets)
    if column.kind == "code":
        if column.is_bool and column.labels == (True,):
            values = np.where(values < 0, np.int8(-1), np.int8(1))
        return values, CODES
    return values, FLOATS if values.dtype.kind == "f" else INTEGERS


def person_keys(panels: Sequence[Panel], people: IntArray) -> UIntArray:
    """Return the 64-bit keys of the given persons."""
    keys = panels[0].keys if len(panels) == 1 else np.concatenate([panel.keys for panel in panels])
    return np.asarray(keys[people])


def _chunks(panels: Sequence[Panel], n_cells: int) -> list[Chunk]:
    """Cut the people of each panel into runs of about equally many rows."""
    rows = max(CHUNK_ROWS, ROWS_PER_CELL * n_cells)
    chunks = []
    for number, panel in enumerate(panels):
        n_chunks = max(1, -(-panel.n_row_stored // rows))
        targets = np.arange(1, n_chunks) * rows
        edges = np.unique(np.concatenate([[0], np.searchsorted(panel.offsets, targets), [panel.n_person_stored]]))
        chunks += [Chunk(number, int(first), int(last)) for first, last in zip(edges[:-1], edges[1:], strict=True)]
    return chunks


def _people(layout: Layout, starts: IntArray, chunks: list[Chunk]) -> tuple[IntArray, IntArray, IntArray]:
    """Order the people by trait cell, and within each chunk likewise.

    Returns
    -------
    people : int64 array
        Persons (of all panels, numbered through) sorted by trait cell; those without one are left out.
    by_chunk : int64 array
        Positions in `people`, sorted by chunk and then by trait cell.
    bounds : int64 array of shape (n_chunks + 1,)
        Where each chunk begins in `by_chunk`.
    """
    trait = np.concatenate(layout.trait_cells)
    people, _ = _sorted(trait, layout.traits.n_cells)
    ends = np.array([starts[chunk.panel] + chunk.last for chunk in chunks])
    chunk_of = np.repeat(np.arange(len(chunks), dtype=np.int32), np.diff(np.concatenate([[0], ends])))
    by_chunk, bounds = _sorted(chunk_of[people], len(chunks))
    return people, by_chunk, bounds


def _sorted(codes: CodeArray, n_levels: int) -> tuple[IntArray, IntArray]:
    """Return the stable order of codes from 0 to ``n_levels - 1``, negative ones left out, and where each level begins."""
    order = np.empty(len(codes), dtype=np.int64)
    offsets = np.empty(n_levels + 1, dtype=np.int64)
    kernel_codes.sort_rows(as_bytes(codes), codes.itemsize, np.arange(n_levels, dtype=np.int32), order, offsets)
    return order[: offsets[-1]], offsets
