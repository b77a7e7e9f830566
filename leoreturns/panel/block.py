"""Block: the persons of one part of a panel under construction, with their rows of every linked table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leoreturns._typing import BoolArray

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True, repr=False)
class Block:
    """Persons 0 to n_person - 1, and a connection with one view per linked table.

    Every view has the table's canonical columns that are in the extract, typed, beside ``number`` (the person in the
    block) and ``via`` (the PMR, RECORDID or EDUKEY through which the row reached the person); its rows are in no
    particular order. ``ks4_record`` holds the one key stage 4 record of each person that was chosen. An outside lookup
    is a view ``lookup_<name>`` with columns ``code`` and ``label``.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
        In memory, one thread.
    n_person : int
        Persons of the block.
    cohort : int16 of shape (n_person,)
        Calendar year in which key stage 4 ended.
    tables : mapping of str -> frozenset of str
        Tables present and their columns.
    last_tax_year : int
        Start year of the last tax year of the extract, which may lie after that of the panel.
    lookups : frozenset of str
        Outside lookups present.
    coverage : mapping of str -> int
        Table -> the last tax year, or academic year, that it observes in the whole extract; tables that are not named
        bound nothing.
    linked : bool of shape (n_person,), or None
        Who is linked to tax and benefit records; None without the lookup.
    """

    connection: duckdb.DuckDBPyConnection
    n_person: int
    cohort: NDArray[np.int16]
    tables: Mapping[str, frozenset[str]]
    last_tax_year: int
    lookups: frozenset[str] = frozenset()
    coverage: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    linked: BoolArray | None = None

    def has(self, table: str, *columns: str) -> bool:
        """Tell whether a table is there with all these columns."""
        return table in self.tables and self.tables[table].issuperset(columns)

    def __repr__(self) -> str:
        return f"<Block: {self.n_person:,} persons, {len(self.tables):,} tables>"
