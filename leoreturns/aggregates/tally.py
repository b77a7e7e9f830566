"""Tables that count rows and persons alone: one pass over the rows as they stand, in which nothing is gathered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leoreturns._core import moments, sketch
from leoreturns._core import tally as kernel
from leoreturns._typing import FloatArray, IntArray, UIntArray
from leoreturns.aggregates.cells import Layout
from leoreturns.aggregates.describe import SLICE_PERSONS, Described
from leoreturns.aggregates.rows import Chunk, chunks_of, in_threads, mask_of, year_codes
from leoreturns.panel.panel import Panel


def tally(panels: Sequence[Panel], layout: Layout, *, sketched: bool) -> Described | None:
    """Count the rows and persons of every cell, with what `describe` says of a column of ones, but for entities.

    Parameters
    ----------
    panels : sequence of Panel
        Disjoint sets of persons.
    layout : Layout
        Their cells.
    sketched : bool
        Whether to sketch the sets of persons.

    Returns
    -------
    Described or None
        None where a person may have two rows in a cell.
    """
    risen: list[bool] = []
    n_person: list[int] = []

    def add(chunk: Chunk, totals: UIntArray) -> None:
        rising, persons = _add(chunk, panels, layout, totals, sketched=sketched)
        risen.append(rising)
        n_person.append(persons)

    shape = (layout.n_cells, kernel.TOTALS["all"])
    parts = in_threads(chunks_of(panels, layout.n_cells), lambda: np.zeros(shape, dtype=np.uint64), add)
    if not all(risen):
        return None
    first = kernel.TOTALS["sketch"]
    items = slice(first, first + sketch.ITEMS)
    totals = parts[0]
    for part in parts[1:]:
        totals[:, :first] += part[:, :first]
        totals[:, items] ^= part[:, items]
    return _described(
        totals[:, kernel.TOTALS["count"]].astype(np.int64),
        totals[:, kernel.TOTALS["print"]].copy(),
        np.ascontiguousarray(totals[:, items]) if sketched else None,
        sum(n_person),
    )


def _add(
    chunk: Chunk, panels: Sequence[Panel], layout: Layout, totals: UIntArray, *, sketched: bool
) -> tuple[bool, int]:
    """Add a run of people to the totals; return whether nobody was added to a cell twice, and who was added."""
    at, first, last = chunk
    panel, risen, n_person = panels[at], True, 0
    members = np.empty((SLICE_PERSONS if sketched else 0, sketch.ITEMS), dtype=np.uint64)
    for start in range(first, last, SLICE_PERSONS):
        people = slice(start, min(start + SLICE_PERSONS, last))
        keys, own = panel.keys[people], members[: people.stop - start]
        if sketched:
            sketch.person_powers(keys, own)
        rising, persons = kernel.tally_rows(
            layout.trait_cells[at][people],
            panel.offsets[start : people.stop + 1],
            *year_codes(layout, at),
            mask_of(panel),
            layout.years.n_cells,
            keys,
            own,
            totals,
        )
        risen &= rising
        n_person += persons
    return risen, n_person


def _described(n: IntArray, prints: UIntArray, sketches: UIntArray | None, n_person: int) -> Described:
    """Name what is known of cells of n persons with a value of one each."""
    none, ones = np.zeros_like(n), (n > 0).astype(np.int64)
    numbers = dict.fromkeys(("sum", "total_absolute", "weight", "weight_squared"), n.astype(np.float64))
    numbers |= dict.fromkeys(("mean", "low", "high"), _where_any(n, 1.0)) | {"squares": _where_any(n, 0.0)}
    numbers |= {"top1": ones.astype(np.float64), "top2": (n > 1).astype(np.float64)}
    counts = dict.fromkeys(moments.COUNTS, n) | dict.fromkeys(("n_person_zero", "n_negative", "n_zero"), none)
    return Described(
        counts={**counts, "n_largest": n},
        numbers=numbers,
        prints=np.column_stack([prints, prints]),
        percentiles={},
        tails={},
        ordered={},
        entities={},
        sketch=sketches,
        sketch_value=sketches,
        weight_kind=None,
        n_person=n_person,
    )


def _where_any(n: IntArray, value: float) -> FloatArray:
    return np.where(n > 0, value, np.nan)
