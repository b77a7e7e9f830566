"""Schools, employers and other entities of the cells: how many distinct ones the rows with a value have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leoreturns._core import entities as kernel
from leoreturns._parallel import thread_count
from leoreturns._typing import AnyArray, IntArray, UIntArray
from leoreturns.aggregates.cells import Layout
from leoreturns.aggregates.rows import CODES, Chunk, chunks_of, in_threads, mask_of, year_codes
from leoreturns.panel.levels import number_distinct
from leoreturns.panel.panel import Panel
from leoreturns.panel.rows import as_bytes, expand

MOST_MARKS = 1 << 28  # bytes of bits, one for each cell, entity and thread
WORD = 64


@dataclass(frozen=True, slots=True)
class Entities:
    """An entity column of several panels.

    Attributes
    ----------
    codes : list of integer arrays, one per panel
        Entity of each stored person or row, -1 for none.
    count : int
        How many codes there are.
    by_row : bool
        Whether the codes are those of rows.
    """

    codes: list[AnyArray]
    count: int
    by_row: bool

    @classmethod
    def of(cls, panels: Sequence[Panel], name: str) -> Entities:
        """Read a column: labels are coded already, numbers (of schools, say) are numbered here over all panels."""
        column = panels[0].column(name)
        by_row = column.level == "year"
        if column.kind == "code":
            return cls([panel.array(name) for panel in panels], len(column.labels), by_row)
        numbered = [_numbered(panel.array(name)) for panel in panels]
        distinct = np.unique(np.concatenate([found for _, found in numbered]))
        distinct = distinct[~np.isnan(distinct)]
        tables = [np.where(np.isnan(found), -1, np.searchsorted(distinct, found)) for _, found in numbered]
        codes = [table.astype(np.int32)[codes] for (codes, _), table in zip(numbered, tables, strict=True)]
        return cls(codes, len(distinct), by_row)

    def along_rows(self, panels: Sequence[Panel]) -> list[tuple[AnyArray, int]]:
        """Return the codes along the rows of each panel, as `read_wave` takes them."""
        if self.by_row:
            return [(codes, CODES) for codes in self.codes]
        return [(expand(codes, panel.offsets), CODES) for codes, panel in zip(self.codes, panels, strict=True)]

    def fit(self, n_cells: int) -> bool:
        """Tell whether a bit for each cell and entity fits in memory, for every thread."""
        return thread_count() * n_cells * self._n_words * 8 <= MOST_MARKS

    def counted(self, panels: Sequence[Panel], layout: Layout, values: Sequence[tuple[AnyArray, int]]) -> IntArray:
        """Count the distinct entities of every cell.

        Parameters
        ----------
        panels : sequence of Panel
        layout : Layout
        values : sequence of (array, kind), one per panel
            The column described, as `readable` gives it; rows without a value do not count.
        """
        marked = in_threads(
            chunks_of(panels, layout.n_cells),
            lambda: np.zeros((layout.n_cells, self._n_words), dtype=np.uint64),
            lambda chunk, marks: self._mark(chunk, panels, layout, values, marks),
        )
        for marks in marked[1:]:
            marked[0] |= marks
        counts: IntArray = np.bitwise_count(marked[0]).sum(axis=1, dtype=np.int64)
        return counts

    @property
    def _n_words(self) -> int:
        return -(-self.count // WORD)

    def _mark(
        self,
        chunk: Chunk,
        panels: Sequence[Panel],
        layout: Layout,
        values: Sequence[tuple[AnyArray, int]],
        marks: UIntArray,
    ) -> None:
        """Mark the entities of a run of people."""
        at, first, last = chunk
        column, kind = values[at]
        codes = self.codes[at] if self.by_row else self.codes[at][first:last]
        kernel.mark_entities(
            layout.trait_cells[at][first:last],
            panels[at].offsets[first : last + 1],
            *year_codes(layout, at),
            mask_of(panels[at]),
            layout.years.n_cells,
            as_bytes(column),
            column.itemsize if len(column) else 0,
            kind,
            as_bytes(codes),
            codes.itemsize,
            self.by_row,
            marks,
        )


def _numbered(values: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Number the distinct values of a number column."""
    floating = values.dtype.kind == "f"
    numbered = number_distinct((values + 0.0).view(np.int64) if floating else values)  # -0.0 becomes 0.0
    assert numbered is not None  # there is no limit to pass
    codes, found = numbered
    return codes, found.view(np.float64) if floating else found
