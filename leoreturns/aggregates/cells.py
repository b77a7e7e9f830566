"""The cells of a table: which crossing of levels each row of a panel falls in, and how cells are numbered.

Inside, a cell is (trait cell, year code): people are told apart by their traits once, rows of a person only by the year
columns. The numbering that the caller sees, with the keys in the order asked for, is made at the end from the few cells
that remain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leoreturns._typing import AnyArray, Cells, CodeArray, IntArray, Missing
from leoreturns.errors import SupportError
from leoreturns.panel.keys import interact
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Key
from leoreturns.results.aggregate import CellKey

MAX_CELLS = 4_000_000
MISSING_LABEL = "missing"


@dataclass(frozen=True, slots=True)
class Side:
    """The crossing of all keys of one level: person traits, or year columns.

    Attributes
    ----------
    names : tuple of str
        Keys, in the caller's order.
    dims : tuple of int
        Number of levels of each.
    present : int64 array or None
        Crossings that occur, ascending, when only these are numbered; None when all are.
    """

    names: tuple[str, ...]
    dims: tuple[int, ...]
    present: IntArray | None

    @property
    def n_cells(self) -> int:
        """Number of crossings numbered, at least 1."""
        return math.prod(self.dims) if self.present is None else max(1, len(self.present))

    def levels(self, cells: IntArray) -> dict[str, IntArray]:
        """Return the level of each key at the given crossings."""
        index = cells if self.present is None else self.present[cells]
        return dict(zip(self.names, np.unravel_index(index, self.dims), strict=True)) if self.names else {}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows of one or several panels go.

    Attributes
    ----------
    by : tuple of str
        Keys in the caller's order.
    labels : dict of str to tuple
        Levels of each key, in declared order.
    traits, years : Side
        The two sides of the cell number ``trait cell * years.n_cells + year code``.
    trait_cells : list of int32 arrays, one per panel
        Trait cell of each stored person; -1 where a trait is missing.
    year_codes : list of integer arrays or None, one per panel
        Year code of each stored row, -1 where missing; None when no year column is a key.
    """

    by: tuple[str, ...]
    labels: dict[str, tuple[Any, ...]]
    traits: Side
    years: Side
    trait_cells: list[CodeArray]
    year_codes: list[CodeArray | None]

    @property
    def n_cells(self) -> int:
        """Number of cells, with and without rows."""
        return self.traits.n_cells * self.years.n_cells

    @property
    def every(self) -> IntArray:
        """Every cell that has a level of each key; none when a key has no level at all."""
        return np.arange(self.n_cells if all(self.labels.values()) else 0)

    def ordered(self, cells: IntArray) -> tuple[IntArray, dict[str, CellKey]]:
        """Sort cells by the caller's keys, the last fastest, and name their levels.

        Parameters
        ----------
        cells : int64 array of shape (n,)
            Cell numbers.

        Returns
        -------
        order : int64 array of shape (n,)
            The cells in the caller's order.
        keys : dict of str to CellKey
            The level of each ordered cell.
        """
        found = self.traits.levels(cells // self.years.n_cells) | self.years.levels(cells % self.years.n_cells)
        if math.prod(max(1, len(labels)) for labels in self.labels.values()) < 1 << 63:
            place = np.zeros(len(cells), dtype=np.int64)
            for name in self.by:
                place = place * len(self.labels[name]) + found[name]
            order = np.argsort(place, kind="stable")
        else:
            order = np.lexsort([found[name] for name in reversed(self.by)])
        keys = {name: CellKey(self.labels[name], found[name][order].astype(np.int64)) for name in self.by}
        return cells[order], keys


def lay_out(panels: Sequence[Panel], by: Sequence[str], *, missing: Missing, cells: Cells) -> Layout:
    """Number the cells of a table.

    Parameters
    ----------
    panels : sequence of Panel
        Disjoint sets of persons with one schema.
    by : sequence of str
        Keys.
    missing : "drop", "group" or "error"
        "group" gives a missing level its own label, ``"missing"``, after the others.
    cells : "observed" or "all"
        "all" needs every crossing to be numbered.

    Raises
    ------
    SupportError
        If a key is named twice, the table has more than four million cells, or a key that has missing entries to group
        has a level ``"missing"`` already.
    """
    if len(set(by)) < len(by):
        raise SupportError(f"a key is named twice in by={list(by)}")
    keys = {name: _united([panel.key(name) for panel in panels]) for name in by}
    if missing == "group":
        keys = {name: _with_missing(name, parts) for name, parts in keys.items()}
    labels = {name: parts[0].labels for name, parts in keys.items()}
    sides, codes = [], []
    for level in ("person", "year"):
        names = tuple(name for name in by if keys[name][0].level == level)
        side, crossed = _cross(names, keys, labels, len(panels))
        sides.append(side)
        codes.append(crossed)
    traits, years = sides
    every = math.prod(max(1, len(parts)) for parts in labels.values())
    if every > MAX_CELLS:
        traits, codes[0] = _compact(traits, codes[0])
        years, codes[1] = _compact(years, codes[1])
    n_cells = every if cells == "all" else traits.n_cells * years.n_cells
    if n_cells > MAX_CELLS:
        sizes = ", ".join(f"{name} {len(values):,}" for name, values in labels.items())
        remedy = "use fewer or coarser keys" + (", or cells='observed'" if cells == "all" else "")
        raise SupportError(
            f"the table would have {n_cells:,} cells, more than {MAX_CELLS:,} (levels: {sizes}); {remedy}"
        )
    trait_cells = [
        np.zeros(panel.n_person_stored, dtype=np.int32) if crossed is None else crossed.astype(np.int32, copy=False)
        for panel, crossed in zip(panels, codes[0], strict=True)
    ]
    return Layout(tuple(by), labels, traits, years, trait_cells, codes[1])


def _united(parts: list[Key]) -> list[Key]:
    """Give the keys of several panels one set of labels.

    Codes of text columns share the labels of the schema already; numbers are labelled by what each panel holds.
    """
    if all(part.labels == parts[0].labels for part in parts):
        return parts
    labels = tuple(sorted({label for part in parts for label in part.labels}))
    place = {label: at for at, label in enumerate(labels)}
    united = []
    for part in parts:
        table = np.array([place[label] for label in part.labels] + [-1], dtype=np.int32)
        united.append(Key(table[part.codes], labels, part.level))
    return united


def _with_missing(name: str, parts: list[Key]) -> list[Key]:
    """Turn missing codes into a level of their own, if any panel has them."""
    if not any(bool((part.codes < 0).any()) for part in parts):
        return parts
    n_levels = len(parts[0].labels)
    if MISSING_LABEL in parts[0].labels:
        raise SupportError(
            f"key '{name}' has missing entries and a level '{MISSING_LABEL}' of its own, which missing='group' would "
            "repeat; rename that level"
        )
    # Widened first: codes of 128 levels come as int8, which the new level would overflow.
    codes = [part.codes.astype(np.int32) for part in parts]
    for part in codes:
        part[part < 0] = n_levels
    return [Key(values, (*part.labels, MISSING_LABEL), part.level) for values, part in zip(codes, parts, strict=True)]


def _cross(
    names: tuple[str, ...], keys: dict[str, list[Key]], labels: dict[str, tuple[Any, ...]], n_panels: int
) -> tuple[Side, list[CodeArray | None]]:
    """Combine the keys of one level into one column of codes per panel; None without keys."""
    dims = tuple(max(1, len(labels[name])) for name in names)
    side = Side(names, dims, None)
    if not names:
        return side, [None] * n_panels
    if len(names) == 1:
        return side, [part.codes for part in keys[names[0]]]
    return side, [interact([keys[name][at].codes for name in names], dims) for at in range(n_panels)]


def _compact(side: Side, codes: list[CodeArray | None]) -> tuple[Side, list[CodeArray | None]]:
    """Number only the crossings that occur."""
    crossed = [part for part in codes if part is not None]
    if not crossed:
        return side, codes
    present = np.unique(np.concatenate([np.unique(part) for part in crossed]).astype(np.int64))
    present = present[present >= 0]
    return Side(side.names, side.dims, present), [_renumbered(part, present) for part in crossed]


def _renumbered(codes: AnyArray, present: IntArray) -> CodeArray:
    """Replace crossings by their place among those present; missing stays -1."""
    return np.where(codes < 0, -1, np.searchsorted(present, codes)).astype(np.int32)
