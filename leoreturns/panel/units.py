"""Sampling units: which persons or clusters a panel holds, told apart by 64-bit keys, and the strata they lie in.

A cluster's key is made of its label exactly as a person's is of the id: the hash of its canonical bytes, so that school
101, 101.0 and "101" are one unit in every panel. What is found depends on the selected rows only, not on their order or
their partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from leoreturns import _checks
from leoreturns._typing import AnyArray, CodeArray, IntArray, Level, UIntArray
from leoreturns.errors import PanelError
from leoreturns.panel import rows
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.keys import interact
from leoreturns.panel.levels import number_distinct
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Key, Label, Schema

PERSON = "person"


class Found(NamedTuple):
    """The units of one panel, once for each stratum in which they are seen.

    Attributes
    ----------
    keys : uint64 array of shape (n,)
        Keys of units.
    strata : list of int arrays of shape (n,)
        For each column of strata, the level of its label; -1 for missing.
    labels : list of tuple
        For each column, its labels.
    """

    keys: UIntArray
    strata: list[CodeArray]
    labels: list[tuple[Label, ...]]


def is_person(schema: Schema, unit: str) -> bool:
    """Whether a unit is the person: "person", or the panel's own name of the id."""
    return unit in (PERSON, schema.person)


def unit_codes(panels: Sequence[Panel], unit: str) -> tuple[list[CodeArray], UIntArray, Level]:
    """Number the units of a cluster column over several panels.

    Parameters
    ----------
    panels : sequence of Panel
        Of one schema.
    unit : str
        Name of a column.

    Returns
    -------
    codes : list of int32 arrays, one per panel
        Unit of each stored person or stored row, by the column's level; -1 for missing. One numbering for all panels.
    keys : uint64 array of shape (n_units,)
        Key of each code.
    level : {"person", "year"}

    Raises
    ------
    PanelError
        For an unknown column, and for numbers that are not whole.
    """
    column = panels[0].column(unit)
    arrays = [panel.array(unit) for panel in panels]
    if column.kind == "code":
        codes, keys = [values.astype(np.int32, copy=False) for values in arrays], _keys_of_labels(unit, column.labels)
    else:
        codes, numbers = _numbered(unit, arrays)
        keys = PersonIds(numbers).hashed()
    return codes, keys, column.level


def sampling_units(panels: Iterable[Panel], unit: str, strata: str | Sequence[str] = ()) -> tuple[UIntArray, CodeArray]:
    """Find the sampling units of the selected rows; see `Panel.units`. Panels are read one after the other."""
    names = (strata,) if isinstance(strata, str) else tuple(strata)
    parts = [_found(panel, unit, names) for panel in panels]
    keys = np.concatenate([part.keys for part in parts])
    cells = _cells(parts, names)
    order = np.lexsort((cells, keys))
    keys, cells = keys[order], cells[order]
    once = np.append(True, (keys[1:] != keys[:-1]) | (cells[1:] != cells[:-1]))[: len(keys)]
    distinct, of_pair = np.unique(keys[once], return_inverse=True)
    known = cells[once] >= 0
    in_strata = np.bincount(of_pair[known], minlength=len(distinct))
    _check_strata(unit, names, several=int((in_strata > 1).sum()), missing=int((in_strata == 0).sum()))
    # Sorted by key as the units are, one stratum each: numbered by the rank of the stratum among those that occur.
    numbers = np.unique(cells[once][known], return_inverse=True)[1]
    return distinct, numbers.astype(np.int32)


def _found(panel: Panel, unit: str, names: Sequence[str]) -> Found:
    """Find the units of one panel and the strata in which each is seen."""
    level: Level
    if is_person(panel.schema, unit):
        codes: CodeArray = np.arange(panel.n_person_stored, dtype=np.int32)
        keys, level = panel.keys, "person"
    else:
        (codes,), keys, level = unit_codes([panel], unit)
    strata = [panel.key(name) for name in names]
    columns = _aligned(panel, [Key(codes, (), level), *strata])
    # Missing is a level of its own here: a unit may be known by other rows.
    n_levels = [len(keys), *(len(key.labels) + 1 for key in strata)]
    shifted = [columns[0], *(np.add(column, 1, dtype=np.int32) for column in columns[1:])]
    pairs = interact(shifted, n_levels)
    numbered = number_distinct(pairs[pairs >= 0])
    assert numbered is not None  # there is no limit to pass
    of_unit, *of_strata = np.unravel_index(numbered[1], n_levels)
    return Found(keys[of_unit], [levels - 1 for levels in of_strata], [key.labels for key in strata])


def _aligned(panel: Panel, columns: Sequence[Key]) -> list[CodeArray]:
    """Return columns as one entry per person, or per row if any is of the rows; those of selected rows only."""
    if all(column.level == "person" for column in columns):
        arrays = [column.codes for column in columns]
        kept = None if panel.selection is None else rows.count_selected(panel.selection, panel.offsets) > 0
    else:
        arrays = [
            column.codes if column.level == "year" else rows.expand(column.codes, panel.offsets) for column in columns
        ]
        kept = panel.selection
    return arrays if kept is None else [array[kept] for array in arrays]


def _cells(parts: Sequence[Found], names: Sequence[str]) -> IntArray:
    """Number the strata of all parts alike, in the order of their labels; -1 where any is missing."""
    columns, n_levels = [], []
    for place in range(len(names)):
        labels = sorted({label for part in parts for label in part.labels[place]})
        rank = {label: number for number, label in enumerate(labels)}
        tables = [np.array([rank[label] for label in part.labels[place]] + [-1]) for part in parts]
        columns.append(np.concatenate([table[part.strata[place]] for table, part in zip(tables, parts, strict=True)]))
        n_levels.append(len(labels))
    if not names:
        return np.zeros(sum(len(part.keys) for part in parts), dtype=np.int64)
    return interact(columns, n_levels).astype(np.int64)


def _check_strata(unit: str, names: Sequence[str], *, several: int, missing: int) -> None:
    """Refuse units that lie in several strata or in none."""
    strata = ", ".join(map(repr, names))
    if several:
        raise PanelError(
            f"strata {strata} vary within {_checks.counted(several, 'unit')} of {unit!r}; a unit lies in one stratum"
        )
    if missing:
        raise PanelError(
            f"strata {strata} are missing for {_checks.counted(missing, 'unit')} of {unit!r}; complete them first"
        )


def _keys_of_labels(name: str, labels: Sequence[Label]) -> UIntArray:
    """Hash labels by their canonical bytes: decimal digits of whole numbers, UTF-8 bytes of all else as text."""
    numbers = [label for label in labels if isinstance(label, float)]
    _checks.whole(name, np.array(numbers, dtype=np.float64))
    texts = [str(int(label) if isinstance(label, float) else label) for label in labels]
    return PersonIds.from_arrow(pa.array(texts, pa.large_string())).hashed()


def _numbered(name: str, arrays: Sequence[AnyArray]) -> tuple[list[CodeArray], IntArray]:
    """Number whole numbers over several arrays: codes of each, -1 for NaN, and the distinct numbers, ascending."""
    first = [_whole_numbers(name, values) for values in arrays]
    numbers = np.unique(np.concatenate([found[known] for _, found, known in first]))
    tables = [np.where(known, np.searchsorted(numbers, found), -1).astype(np.int32) for _, found, known in first]
    int32 = np.dtype(np.int32)
    return [
        rows.recode(codes, table, base=0, dtype=int32) for (codes, _, _), table in zip(first, tables, strict=True)
    ], numbers


def _whole_numbers(name: str, values: AnyArray) -> tuple[CodeArray, IntArray, AnyArray]:
    """Number the distinct values of one array: codes, the values as whole numbers, and which of them are known."""
    floating = values.dtype.kind == "f"
    numbered = number_distinct((values + 0.0).view(np.int64) if floating else values)  # -0.0 becomes 0.0
    assert numbered is not None  # there is no limit to pass
    codes, found = numbered
    if not floating:
        return codes, found, np.ones(len(found), dtype=bool)
    numbers = found.view(np.float64)
    known = ~np.isnan(numbers)
    _checks.whole(name, numbers[known])
    return codes, np.where(known, numbers, 0.0).astype(np.int64), known
