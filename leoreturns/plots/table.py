"""What a figure reads from a protected table: levels, their names, and numbers along the horizontal axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._typing import BoolArray, FloatArray
from leoreturns.results.labels import one_line
from leoreturns.results.protected import ProtectedTable


def levels_of(table: ProtectedTable, key: str | None) -> list[int]:
    """Return the levels of a key that the table has, in declared order; one anonymous level without a key."""
    return [0] if key is None else np.unique(table.keys[key].codes).tolist()


def name_of(table: ProtectedTable, key: str, level: int) -> str:
    """Return the label of a level on one line; true and false by the name of their column."""
    label = table.keys[key].labels[level]
    if isinstance(label, bool | np.bool_):
        return one_line(f"{key.replace('_', ' ')}: {'yes' if label else 'no'}")
    return one_line(str(label))


def cells_of(table: ProtectedTable, key: str | None, level: int) -> BoolArray:
    """Return which cells have a level of a key."""
    return np.ones(table.n_cells, dtype=np.bool_) if key is None else np.asarray(table.keys[key].codes == level)


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the levels of the horizontal key stand.

    ``at`` has one position per declared level; ``points`` are the positions of the levels in the table, in order;
    ``names`` are their labels, or None where the levels are numbers that name themselves.
    """

    key: str
    at: FloatArray
    points: FloatArray
    names: list[str] | None


def grid_of(table: ProtectedTable, key: str) -> Grid:
    """Place the levels of the horizontal key: numbers at their value, all else at equal steps in declared order."""
    labels, present = table.keys[key].labels, levels_of(table, key)
    if all(isinstance(label, int | float | np.number) and not isinstance(label, bool) for label in labels):
        at = np.array(labels, dtype=np.float64)
        return Grid(key, at, np.sort(at[present]), None)
    at = np.arange(len(labels), dtype=np.float64)
    return Grid(key, at, at[present], [name_of(table, key, level) for level in present])


def along(table: ProtectedTable, statistic: str, cells: BoolArray, grid: Grid) -> FloatArray:
    """Return the numbers of one line over all points of the horizontal axis, NaN where there is none."""
    numbers = np.full(len(grid.points), np.nan)
    numbers[np.searchsorted(grid.points, grid.at[table.keys[grid.key].codes[cells]])] = table.numbers(statistic)[cells]
    return numbers
