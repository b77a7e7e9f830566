"""The rows of a run of cells made ready for resampling: centred, summed by unit, and in the order of their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from leoreturns._core import ranked, replicates
from leoreturns._typing import CodeArray, FloatArray, IntArray, UIntArray, WeightKind
from leoreturns.aggregates.evaluate import Parts, evaluate
from leoreturns.aggregates.influence import Strata, acceleration
from leoreturns.aggregates.statistics import Statistic
from leoreturns.resample.plan import Units


@dataclass(frozen=True, slots=True)
class Resampling:
    """What is resampled.

    Attributes
    ----------
    chosen : tuple of Statistic
        Those with an interval.
    rule : int
        Percentile type.
    weight_kind : "frequency", "probability" or None
        Kind of the table's own weights.
    interval : str
        Method.
    frame : Units, optional
        Of a plan that draws a fixed number of units.
    """

    chosen: tuple[Statistic, ...]
    rule: int
    weight_kind: WeightKind | None
    interval: str
    frame: Units | None = None

    @property
    def wanted(self) -> list[int]:
        """Percentiles, ascending."""
        return sorted(
            {number for entry in self.chosen if entry.source == "percentiles" for number in entry.percentiles}
        )

    @property
    def tops(self) -> list[Statistic]:
        """Top shares."""
        return [entry for entry in self.chosen if entry.source == "order" and entry.percentiles]

    def names(self, *statistics: str) -> bool:
        """Whether any of these statistics is asked for."""
        return any(entry.name in statistics for entry in self.chosen)

    @property
    def moments(self) -> bool:
        """Whether a sum, mean, share or variance is asked for."""
        return any(entry.source == "moments" for entry in self.chosen)

    @property
    def ordered(self) -> bool:
        """Whether a statistic needs the values in order."""
        return any(entry.source in ("percentiles", "order") for entry in self.chosen)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows with a value of a run of cells, with their units and what the sample says of the cells.

    Attributes
    ----------
    values, weights : float64 of shape (n,)
        Cell by cell; weights of shape (0,) for none.
    units : int32 of shape (n,)
        Position of each row's unit in `keys`.
    offsets : int64 of shape (n_cells + 1,), counts : int64 of shape (n_cells,)
        First row of each cell, and its rows with a value.
    keys : uint64 of shape (n_units,)
        Keys of the units.
    point : Parts
        Statistics of each cell.
    single : bool
        Whether every unit is known to have at most one row in a cell.
    """

    values: FloatArray
    weights: FloatArray
    units: CodeArray
    offsets: IntArray
    counts: IntArray
    keys: UIntArray
    point: Parts
    single: bool

    def part(self, cells: slice) -> Rows:
        """Return a range of cells, sharing memory."""
        rows = slice(int(self.offsets[cells.start]), int(self.offsets[cells.stop]))
        return Rows(
            self.values[rows],
            self.weights[rows],
            self.units[rows],
            self.offsets[cells.start : cells.stop + 1] - rows.start,
            self.counts[cells],
            self.keys,
            self.point.at(cells),
            self.single,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A range of cells, ready for the kernels.

    Attributes
    ----------
    cells : slice
        Which cells.
    offsets : int64 of shape (n_cells + 1,)
        First row, or unit, of each cell.
    names : tuple of str, columns : float64 of shape (n_columns, n)
        What is summed: "weight", "rows" (both of a unit, where they are not the row itself), "d" and "dd" (deviations
        from the mean and their squares), and for the standard error of the mean "ss", "sn", "nn" (products of a unit's
        deviations and weight).
    units : int32 of shape (n,), counts : int64 of shape (n_cells,)
        Unit of each entry of the columns, and entries of each cell.
    values, weights, ordered_units : of shape (n,), n_rows : int64 of shape (n_cells,)
        Rows in the order of their values; without entries where nothing needs them.
    n_units : int64 of shape (n_cells,)
        Distinct units with a value.
    accelerations : mapping of statistic name -> float64 of shape (n_cells,)
        For BCa intervals.
    """

    cells: slice
    offsets: IntArray
    names: tuple[str, ...]
    columns: FloatArray
    units: CodeArray
    counts: IntArray
    values: FloatArray
    weights: FloatArray
    ordered_units: CodeArray
    n_rows: IntArray
    n_units: IntArray
    accelerations: Mapping[str, FloatArray]

    def cell_sums(self, name: str) -> FloatArray:
        """Return the sum of a column over each cell, all draws being one."""
        lengths = np.diff(self.offsets)
        cell = np.repeat(np.arange(len(lengths)), lengths)
        taken = np.arange(len(cell)) - self.offsets[cell] < self.counts[cell]
        column = self.columns[self.names.index(name), : len(cell)]
        return np.bincount(cell[taken], weights=column[taken], minlength=len(lengths)).astype(np.float64)


def is_flat(rows: Rows, request: Resampling) -> bool:
    """Tell whether all values are the same, as where rows are counted: their deviations need not be summed then."""
    if not request.moments or request.interval == "studentised" or request.names("var", "sd"):
        return False
    return not len(rows.values) or bool((rows.values == rows.values[0]).all())


def prepare(rows: Rows, cells: slice, request: Resampling, *, flat: bool = False) -> Prepared:
    """Make the rows of a range of cells ready; `flat` says that all values of the block are the same."""
    units, counts = rows.units, rows.counts
    together = not rows.single or request.interval == "studentised"
    columns = _columns(rows, request, together)
    if flat:
        del columns["d"]
    if together:
        columns, units, counts = _summed_by_unit(columns, rows)
    if request.interval == "studentised":
        s, n = columns["d"], columns["weight"]
        columns = columns | {"ss": s * s, "sn": s * n, "nn": n * n}
    values, weights, ordered_units = _ordered(rows, request)
    return Prepared(
        cells,
        rows.offsets,
        tuple(columns),
        np.array(list(columns.values())).reshape(len(columns), len(units)),
        units,
        counts,
        values,
        weights,
        ordered_units,
        rows.counts,
        counts,
        _accelerations(rows, values, weights, ordered_units, request),
    )


def _columns(rows: Rows, request: Resampling, together: bool) -> dict[str, FloatArray]:
    """Return what is summed of every row."""
    columns: dict[str, FloatArray] = {}
    if not request.moments:
        return columns
    weighted = len(rows.weights) > 0
    if weighted or together:
        columns["weight"] = rows.weights if weighted else np.ones(len(rows.values))
    if weighted and together:
        columns["rows"] = np.ones(len(rows.values))
    assert rows.point.mean is not None
    deviations = rows.values - np.repeat(rows.point.mean, np.diff(rows.offsets))
    columns["d"] = deviations * rows.weights if weighted else deviations
    if request.names("var", "sd"):
        columns["dd"] = columns["d"] * deviations
    return columns


def _summed_by_unit(columns: dict[str, FloatArray], rows: Rows) -> tuple[dict[str, FloatArray], CodeArray, IntArray]:
    """Add the rows of each unit in each cell; return the columns, their units, and the units of each cell."""
    n = len(rows.values)
    table = np.array(list(columns.values())).reshape(len(columns), n)
    # Zeros, because what follows multiplies the places that stay empty too.
    out, units = np.zeros_like(table), np.empty(n, dtype=np.int32)
    counts, seen = np.empty(len(rows.counts), dtype=np.int64), np.empty(len(rows.keys), dtype=np.int64)
    replicates.sum_units(table, rows.units, rows.offsets, rows.counts, seen, out, units, counts)
    return dict(zip(columns, out, strict=True)), units, counts


def _ordered(rows: Rows, request: Resampling) -> tuple[FloatArray, FloatArray, CodeArray]:
    """Return values, weights and units of the rows of each cell in the order of the values."""
    if not request.ordered and request.interval != "bca":
        return rows.values[:0], rows.weights[:0], rows.units[:0]
    values, weights, units = np.empty_like(rows.values), np.empty_like(rows.weights), np.empty_like(rows.units)
    longest = max(1, int(rows.counts.max(initial=0)))
    ranked.order_cells(
        rows.values,
        rows.weights,
        rows.units,
        rows.offsets,
        rows.counts,
        np.empty((2, longest), dtype=np.uint64),
        np.empty((2, longest)),
        values,
        weights,
        units,
    )
    return values, weights, units


def _accelerations(
    rows: Rows, values: FloatArray, weights: FloatArray, units: CodeArray, request: Resampling
) -> dict[str, FloatArray]:
    """Return the acceleration of every statistic in every cell, for BCa intervals."""
    if request.interval != "bca":
        return {}
    found = {entry.name: np.full(len(rows.counts), np.nan) for entry in request.chosen}
    defined = {entry.name: np.isfinite(evaluate(entry, rows.point)) for entry in request.chosen}
    of_unit, sizes = _strata_of(rows, request)
    for cell in np.flatnonzero(rows.counts):
        taken = slice(int(rows.offsets[cell]), int(rows.offsets[cell] + rows.counts[cell]))
        weight = weights[taken] if len(weights) else np.ones(taken.stop - taken.start)
        own, numbered = np.unique(units[taken], return_inverse=True)
        strata = None if of_unit is None else Strata(of_unit[own], sizes)
        for entry in (entry for entry in request.chosen if defined[entry.name][cell]):
            found[entry.name][cell] = acceleration(entry, values[taken], weight, numbered, rows.point.at(cell), strata)
    return found


def _strata_of(rows: Rows, request: Resampling) -> tuple[CodeArray | None, IntArray]:
    """Return the stratum of each unit in the frame, if there is one, and the units of each stratum."""
    if request.frame is None:
        return None, np.empty(0, dtype=np.int64)
    keys, strata = request.frame.keys, request.frame.strata
    # A unit that is not in the frame is refused when it is drawn.
    places = np.minimum(np.searchsorted(keys, rows.keys), len(keys) - 1)
    return strata[places], np.bincount(strata)
