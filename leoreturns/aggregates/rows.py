"""Bring the rows of each cell together: in threads, within bounded memory, over one panel or the parts of a scan.

People are ordered by trait cell in chunks of the panel. Then the trait cells are taken in waves of a few million rows:
the chunks write their rows of the wave side by side into buffers that every wave uses again, and the wave is described
before the next one is read. The borders of chunks and waves depend on the data and the table only. Within a cell the
rows come in the panel's order, so nothing computed from them depends on threads, chunks, waves or partitions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np

from leoreturns._core import gather, sketch
from leoreturns._parallel import ordered_map, thread_count
from leoreturns._typing import AnyArray, ByteArray, CodeArray, FloatArray, IntArray, UIntArray
from leoreturns.aggregates.cells import Layout
from leoreturns.panel.panel import Panel
from leoreturns.panel.rows import as_bytes, expand
from leoreturns.panel.units import unit_codes

CHUNK_ROWS = 1 << 21  # few enough chunks that calling the kernels costs nothing
ROWS_PER_CELL = 32  # a chunk holds at least as many rows per cell, so that counts per chunk and cell stay small
WAVE_ROWS = 1 << 22
SIDE_BY_SIDE = 4  # large trait cells in a wave, so that threads have something to share
MAX_WAVE_ROWS = 1 << 25
TASK_ROWS = 1 << 18  # rows of the cells described by one call, so that they stay in cache between the kernels
NO_BYTES: ByteArray = np.empty(0, dtype=np.uint8)

FLOATS, INTEGERS, CODES = 0, 1, 2  # value kinds of the gather kernel
Total = TypeVar("Total")


class Chunk(NamedTuple):
    """A run of people of one panel: from ``first`` up to but not ``last`` of its stored persons."""

    panel: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Where every row goes.

    Attributes
    ----------
    panels : sequence of Panel
        Disjoint sets of persons in key order.
    layout : Layout
        Their cells.
    chunks : list of Chunk
        Runs of people.
    places : int64 array of shape (n_chunks, n_cells)
        First place of each chunk's rows in each cell.
    offsets : int64 array of shape (n_cells + 1,)
        First place of each cell.
    ordered : list of int32 arrays, one per chunk
        The chunk's people, numbered in their panel, sorted by trait cell.
    ordered_traits : int64 array of shape (n_chunks, n_trait_cells + 1)
        Where each trait cell begins among them.
    positions : int64 array of shape (n_chunks, n_trait_cells)
        Position of each chunk's first person of each trait cell among all people sorted by trait cell.
    people : int64 array of shape (n_trait_cells + 1,)
        Where each trait cell begins among all people.
    keys : uint64 array of shape (n_people,)
        64-bit keys of all people, sorted by trait cell.
    rising : bool
        Whether it is known that no person has two rows in a cell.
    full : uint8 array of shape (n_trait_cells,)
        Trait cells whose persons all have one row in every cell, as on a full grid of persons and years.
    """

    panels: Sequence[Panel]
    layout: Layout
    chunks: list[Chunk]
    places: IntArray
    offsets: IntArray
    ordered: list[CodeArray]
    ordered_traits: IntArray
    positions: IntArray
    people: IntArray
    keys: UIntArray
    rising: bool
    full: ByteArray

    def waves(self) -> list[slice]:
        """Ranges of trait cells of a few million rows each.

        Where trait cells are larger than that, a few of them make a wave; one beyond 2**25 rows is a wave of its own.
        """
        firsts = self.offsets[:: max(1, self.layout.years.n_cells)]
        largest = int(np.diff(firsts).max(initial=0))
        most = max(WAVE_ROWS, min(SIDE_BY_SIDE * largest, MAX_WAVE_ROWS))
        edges = [0]
        while edges[-1] < len(firsts) - 1:
            full = int(np.searchsorted(firsts, firsts[edges[-1]] + most, side="right")) - 1
            edges.append(max(full, edges[-1] + 1))
        return [slice(first, last) for first, last in pairwise(edges)]


@dataclass(frozen=True, slots=True)
class Wave:
    """The rows of a range of cells.

    Attributes
    ----------
    cells : slice
        The cells.
    offsets : int64 of shape (n_cells + 1,)
        First row of each cell of the wave.
    columns : list of float64 arrays of shape (n_rows,)
        The columns asked for, cell by cell, NaN where missing.
    persons : int32 of shape (n_rows,)
        Position of the row's person in `keys`.
    keys : uint64 of shape (n_people,)
        64-bit keys of the wave's people, sorted by trait cell.
    first : int64 of shape (n_cells,)
        First person of each cell whose persons are consecutive and not yet written; else -1.
    rising : bool
        Whether it is known that no person has two rows in a cell.
    units : int32 of shape (n_rows,), or (0,)
        Room for the codes of other sampling units than persons.
    """

    cells: slice
    offsets: IntArray
    columns: list[FloatArray]
    persons: CodeArray
    keys: UIntArray
    first: IntArray
    rising: bool
    units: CodeArray


class Buffers:
    """Room for the rows of the largest wave, used again by every wave: fresh memory costs more than the work on it."""

    def __init__(self, plan: Plan, n_columns: int, *, by_unit: bool) -> None:
        firsts = plan.offsets[:: max(1, plan.layout.years.n_cells)]
        waves = plan.waves()
        rows = max((int(firsts[wave.stop] - firsts[wave.start]) for wave in waves), default=0)
        people = max((int(plan.people[wave.stop] - plan.people[wave.start]) for wave in waves), default=0)
        self.columns = [np.empty(rows, dtype=np.float64) for _ in range(n_columns)]
        self.persons = np.empty(rows, dtype=np.int32)
        self.units = np.empty(rows if by_unit else 0, dtype=np.int32)
        self.members = np.empty((people, sketch.ITEMS), dtype=np.uint64)


def plan_rows(panels: Sequence[Panel], layout: Layout) -> Plan:
    """Count the selected rows of each cell and order the people by trait cell."""
    if sum(panel.n_person_stored for panel in panels) >= 1 << 31:
        raise OverflowError("more than 2**31 persons in one table")
    chunks = chunks_of(panels, layout.n_cells)
    counts = np.empty((len(chunks), layout.n_cells), dtype=np.int64)
    people = np.empty((len(chunks), layout.traits.n_cells), dtype=np.int64)

    def count(at: int) -> bool:
        panel, first, last = chunks[at]
        traits = layout.trait_cells[panel][first:last]
        gather.count_people(traits, people[at])
        return gather.count_rows(
            traits,
            panels[panel].offsets[first : last + 1],
            *year_codes(layout, panel),
            mask_of(panels[panel]),
            layout.years.n_cells,
            counts[at],
        )

    rising = ordered_map(count, range(len(chunks)), label="counting rows")
    ordered_traits = np.zeros((len(chunks), layout.traits.n_cells + 1), dtype=np.int64)
    np.cumsum(people, axis=1, out=ordered_traits[:, 1:])
    offsets, firsts = _first_places(counts), _first_places(people)
    keys = np.empty(firsts[-1], dtype=np.uint64)

    def order(at: int) -> CodeArray:
        panel, first, last = chunks[at]
        ordered = np.empty(ordered_traits[at, -1], dtype=np.int32)
        gather.order_people(
            layout.trait_cells[panel][first:last],
            panels[panel].keys[first:last],
            first,
            ordered_traits[at, :-1].copy(),
            people[at].copy(),
            ordered,
            keys,
        )
        return ordered

    ordered = ordered_map(order, range(len(chunks)), label="ordering people")
    rows = np.diff(offsets).reshape(layout.traits.n_cells, layout.years.n_cells)
    full = np.all(rows == np.diff(firsts)[:, np.newaxis], axis=1) & all(rising)
    return Plan(
        panels,
        layout,
        chunks,
        counts,
        offsets,
        ordered,
        ordered_traits,
        people,
        firsts,
        keys,
        all(rising),
        full.view(np.uint8),
    )


def read_wave(
    plan: Plan,
    traits: slice,
    columns: Sequence[Sequence[tuple[AnyArray, int]]],
    buffers: Buffers,
) -> Wave:
    """Bring the rows of a range of trait cells together.

    Parameters
    ----------
    plan : Plan
        Where every row goes.
    traits : slice
        The wave's trait cells.
    columns : sequence of sequences of (array, kind)
        For each column asked for, its stored rows in each panel and how they are read (see `readable`).
    buffers : Buffers
        Room; the wave's arrays are views of it.
    """
    width = plan.layout.years.n_cells
    cells = slice(traits.start * width, traits.stop * width)
    offsets = plan.offsets[cells.start : cells.stop + 1]
    people = slice(int(plan.people[traits.start]), int(plan.people[traits.stop]))
    n_rows = int(offsets[-1] - offsets[0])
    first = np.where(plan.full[traits], plan.people[traits] - people.start, -1)
    wave = Wave(
        cells,
        offsets - offsets[0],
        [room[:n_rows] for room in buffers.columns],
        buffers.persons[:n_rows],
        plan.keys[people],
        np.repeat(first, width),
        plan.rising,
        buffers.units[:n_rows],
    )

    def fill(at: int) -> None:
        panel = plan.chunks[at].panel
        for column, out in zip(columns, wave.columns, strict=True):
            values, kind = column[panel]
            gather.fill_rows(
                plan.ordered[at],
                plan.ordered_traits[at, traits.start : traits.stop + 1],
                plan.full[traits],
                plan.panels[panel].offsets,
                *year_codes(plan.layout, panel),
                mask_of(plan.panels[panel]),
                width,
                as_bytes(values),
                values.itemsize if len(values) else 0,
                kind,
                plan.places[at, cells] - offsets[0],
                plan.positions[at, traits] - people.start,
                out,
                wave.persons,
            )

    ordered_map(fill, range(len(plan.chunks)), label="gathering rows")
    return wave


def row_tasks(offsets: IntArray) -> list[slice]:
    """Cut cells into ranges of about equally many rows."""
    n_cells = len(offsets) - 1
    targets = np.arange(TASK_ROWS, offsets[-1], TASK_ROWS)
    edges = np.unique(np.concatenate([[0], np.searchsorted(offsets, targets), [n_cells]]))
    return [slice(int(first), int(last)) for first, last in pairwise(edges)]


def year_codes(layout: Layout, panel: int) -> tuple[ByteArray, int]:
    """Return the year codes of a panel's rows as the kernel takes them."""
    codes = layout.year_codes[panel]
    return (NO_BYTES, 0) if codes is None else (as_bytes(codes), codes.itemsize)


def mask_of(panel: Panel) -> ByteArray:
    """Return the panel's selection as the kernel takes it."""
    return NO_BYTES if panel.selection is None else panel.selection.view(np.uint8)


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
        if column.is_bool and column.labels[0]:  # only True occurs, or the order was declared as True before False
            values = np.where(values < 0, np.int8(-1), np.equal(values, 0).view(np.int8))
        return values, CODES
    return values, FLOATS if values.dtype.kind == "f" else INTEGERS


def row_units(panels: Sequence[Panel], unit: str) -> tuple[list[tuple[AnyArray, int]], UIntArray]:
    """Return the codes of a cluster column along the rows of each panel, as `read_wave` takes them, and their keys."""
    codes, keys, level = unit_codes(panels, unit)
    if level == "person":
        codes = [expand(part, panel.offsets) for part, panel in zip(codes, panels, strict=True)]
    return [(part, CODES) for part in codes], keys


def chunks_of(panels: Sequence[Panel], n_cells: int) -> list[Chunk]:
    """Cut the people of each panel into runs of about equally many rows."""
    rows = max(CHUNK_ROWS, ROWS_PER_CELL * n_cells)
    chunks = []
    for number, panel in enumerate(panels):
        n_chunks = max(1, -(-panel.n_row_stored // rows))
        targets = np.arange(1, n_chunks) * rows
        edges = np.unique(np.concatenate([[0], np.searchsorted(panel.offsets, targets), [panel.n_person_stored]]))
        chunks += [Chunk(number, int(first), int(last)) for first, last in pairwise(edges)]
    return chunks


def in_threads(chunks: Sequence[Chunk], empty: Callable[[], Total], add: Callable[[Chunk, Total], None]) -> list[Total]:
    """Let each thread add its share of the chunks to a total of its own; return the totals."""
    n_totals = max(1, min(thread_count(), len(chunks)))

    def work(number: int) -> Total:
        total = empty()
        for chunk in chunks[number::n_totals]:
            add(chunk, total)
        return total

    return ordered_map(work, range(n_totals), label="counting rows")
