"""Statistics under replicate weights, from the rows of a wave to the intervals of its cells.

Cells are taken in blocks whose replicates fit in memory. The rows of a block are prepared once; then tiles of
replicates are drawn for its sampling units and the kernels add them up. Every number depends on the rows of its cell
and the draws alone, so that blocks, tiles and threads leave no trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from leoreturns._core import replicate_ranks, replicates
from leoreturns._parallel import ordered_map, thread_count
from leoreturns._typing import AnyArray, FloatArray
from leoreturns.aggregates.evaluate import Parts, evaluate, variance_of
from leoreturns.aggregates.prepare import Prepared, Resampling, Rows, is_flat, prepare
from leoreturns.aggregates.rows import row_tasks
from leoreturns.resample.draws import Draws
from leoreturns.resample.exact import exact_intervals
from leoreturns.resample.intervals import interval_of
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.interval import Interval

REPLICATE_BYTES = 1 << 28  # replicates of a block of cells
DRAW_BYTES = 1 << 28  # draws held at a time
SLICE_UNITS = 1 << 14
MOST_TASKS = 8  # that a few large cells are cut into: each holds a tile of its own
FEWEST_UNITS = 2  # a unit alone is the same in every replicate: that nothing varies is no finding then
# A replicate whose rows are all equal has squares about the sample's mean, and none about its own but for rounding.
ROUNDING = 32 * float(np.finfo(np.float64).eps)
NO_BYTES = np.empty((0, replicates.LANES["byte"]), dtype=np.uint8)
NO_REALS = np.empty((0, replicates.LANES["real"]))


class Replicator:
    """Takes runs of cells and fills their intervals.

    Attributes
    ----------
    intervals : mapping of statistic name -> Interval
        Of every cell of the layout.
    kept : mapping of statistic name -> float64 of shape (n_cells, n_replicates)
        The replicates, where the caller needs them together; else empty.
    """

    def __init__(self, plan: BootstrapPlan, request: Resampling, n_cells: int, *, keep: bool) -> None:
        self.plan, self.request = plan, request
        self.draws = None if plan.interval == "exact" else Draws(plan)
        self.intervals = {entry.name: _unknown(n_cells) for entry in request.chosen}
        shape = (n_cells, plan.n_replicates)
        self.kept = {entry.name: np.full(shape, np.nan) for entry in request.chosen} if keep else {}

    def take(self, rows: Rows, cells: slice) -> None:
        """Resample a run of cells, which are `cells` of the layout."""
        if self.draws is None:
            numbers, rule = self.request.wanted, self.request.rule
            found = exact_intervals(rows.values, rows.offsets, rows.counts, numbers, rule, self.plan.level)
            for number in numbers:
                _write(self.intervals[f"p{number}"], replace(found[number], n_units=rows.counts), cells)
            return
        for block in self._blocks(len(rows.counts)):
            at = slice(cells.start + block.start, cells.start + block.stop)
            self._take_block(rows.part(block), at, self.draws)

    def _blocks(self, n_cells: int) -> Iterator[slice]:
        """Yield runs of cells whose replicates fit in memory."""
        request = self.request
        n_arrays = 8 + 2 * len(request.chosen) + len(request.wanted)
        most = max(1, REPLICATE_BYTES // (n_arrays * self.plan.n_replicates * 8))
        for first in range(0, n_cells, most):
            yield slice(first, min(first + most, n_cells))

    def _take_block(self, rows: Rows, cells: slice, draws: Draws) -> None:
        """Resample cells whose replicates fit in memory and set down their intervals."""
        rows = _own_units(rows)
        flat = is_flat(rows, self.request)
        prepared = ordered_map(
            lambda task: prepare(rows.part(task), task, self.request, flat=flat),
            row_tasks(rows.offsets),
            label="preparing cells",
        )
        sums, ranks = self._run(rows, prepared, draws)
        parts = _parts(sums, ranks, rows, self.request, repeated=draws.dtype == np.uint8)
        point_error = replicate_errors = None
        if self.plan.interval == "studentised":
            replicate_errors = _error_of_mean(sums)
            names = prepared[0].names
            point_error = _error_of_mean({name: _joined([part.cell_sums(name) for part in prepared]) for name in names})
        n_units = _joined([part.n_units for part in prepared])
        alone = n_units[:, np.newaxis] < FEWEST_UNITS
        for entry in self.request.chosen:
            found = np.where(alone, np.nan, evaluate(entry, parts))
            accelerations = [part.accelerations[entry.name] for part in prepared if part.accelerations]
            interval = interval_of(
                evaluate(entry, rows.point),
                found,
                self.plan,
                acceleration=_joined(accelerations) if accelerations else None,
                std_error=point_error,
                replicate_errors=replicate_errors,
            )
            _write(self.intervals[entry.name], replace(interval, n_units=n_units), cells)
            if self.kept:
                self.kept[entry.name][cells] = found

    def _run(
        self, rows: Rows, prepared: Sequence[Prepared], draws: Draws
    ) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
        """Return sums and order statistics of every cell in every replicate, each of shape (n_cells, n_replicates)."""
        request, n = self.request, self.plan.n_replicates
        names = prepared[0].names
        ranked = [f"p{number}" for number in request.wanted] + [entry.name for entry in request.tops]
        ranked += ["gini"] if request.names("gini") else []
        sums = np.empty((1 + len(names), len(rows.counts), n))
        ranks = np.empty((len(ranked), len(rows.counts), n))
        at_once = _tiles_at_once(draws, len(rows.keys), len(prepared))
        room = np.empty((at_once, len(rows.keys), draws.lanes), dtype=draws.dtype)

        def draw(item: tuple[int, int]) -> None:
            tile, first = item
            units = slice(first, first + SLICE_UNITS)
            draws.fill(tile, rows.keys[units], room[tile % at_once, units])

        def add(item: tuple[int, Prepared]) -> None:
            tile, part = item
            lanes = slice(tile * draws.lanes, min((tile + 1) * draws.lanes, n))
            drawn = room[tile % at_once]
            pair = (drawn, NO_REALS) if draws.dtype == np.uint8 else (NO_BYTES, drawn)
            if request.moments:
                _add_sums(part, pair, sums[:, part.cells, lanes])
            if ranked:
                _add_ranks(part, pair, request, ranks[:, part.cells, lanes])

        for start in range(0, draws.n_tiles, at_once):
            tiles = range(start, min(start + at_once, draws.n_tiles))
            ordered_map(draw, [(tile, first) for tile in tiles for first in range(0, len(rows.keys), SLICE_UNITS)])
            ordered_map(add, [(tile, part) for tile in tiles for part in prepared], label="resampling cells")
        return dict(zip(["draws", *names], sums, strict=True)), dict(zip(ranked, ranks, strict=True))


def _tiles_at_once(draws: Draws, n_units: int, n_tasks: int) -> int:
    """Return how many tiles of draws are held: some megabytes, or one for each thread that large cells leave idle."""
    tile = max(1, n_units * draws.lanes * np.dtype(draws.dtype).itemsize)
    least = -(-min(thread_count(), MOST_TASKS) // n_tasks)
    return max(1, min(max(DRAW_BYTES // tile, least), draws.n_tiles))


def _add_sums(part: Prepared, drawn: tuple[AnyArray, AnyArray], out: FloatArray) -> None:
    room = np.empty((2, (len(part.columns) + 1) * replicates.LANES["byte"]))
    replicates.sum_lanes(part.columns, part.units, part.offsets, part.counts, *drawn, room, out)


def _add_ranks(part: Prepared, drawn: tuple[AnyArray, AnyArray], request: Resampling, out: FloatArray) -> None:
    blocks = int(part.n_rows.max(initial=0)) // replicate_ranks.ROWS_PER_BLOCK + 2
    replicate_ranks.rank_lanes(
        part.values,
        part.weights,
        part.ordered_units,
        part.offsets,
        part.n_rows,
        *drawn,
        request.weight_kind != "probability",
        np.array(request.wanted) / 100.0,
        request.rule,
        np.array([1.0 - entry.percentiles[0] / 100.0 for entry in request.tops]),
        request.names("gini"),
        np.empty((2, max(5, blocks) * replicates.LANES["byte"])),
        out,
    )


def _parts(
    sums: Mapping[str, FloatArray], ranks: Mapping[str, FloatArray], rows: Rows, request: Resampling, *, repeated: bool
) -> Parts:
    """Return what the statistics of every replicate are made of; NaN where a cell has no weight.

    Deviations were taken from the sample's mean, so that nothing large is subtracted here.
    """
    total = mean = variance = None
    if request.moments:
        assert rows.point.mean is not None
        centre = rows.point.mean[:, np.newaxis]
        weight = sums.get("weight", sums["draws"])
        weight = np.where(weight > 0, weight, np.nan)
        deviation = sums.get("d", np.zeros_like(weight))  # not there where all values are the same
        shift = deviation / weight
        mean, total = centre + shift, deviation + centre * weight
        if "dd" in sums:
            n_rows = sums.get("rows", sums["draws"]) if repeated else _n_copies(rows, request)[:, np.newaxis]
            kind = request.weight_kind if repeated else "probability"
            squares = sums["dd"] - shift * deviation
            squares[squares <= ROUNDING * sums["dd"]] = 0.0
            variance = variance_of(squares, weight, n_rows, kind)
    percentiles = {number: ranks[f"p{number}"] for number in request.wanted}
    return Parts(total, mean, variance, percentiles, ranks)


def _n_copies(rows: Rows, request: Resampling) -> AnyArray:
    """Return the values of each cell, as many as frequency weights say."""
    if request.weight_kind != "frequency":
        return rows.counts
    ends = zip(rows.offsets[:-1], rows.counts, strict=True)
    return np.array([rows.weights[first : first + n].sum() for first, n in ends], dtype=np.float64)


def _error_of_mean(sums: Mapping[str, FloatArray]) -> FloatArray:
    """Return the linearised standard error of a mean over units: sqrt(sum r (s - n m)**2) / sum r n.

    With s and n a unit's sum of deviations and of weights, m the mean deviation and r the draws (one for the sample).
    """
    weight = np.where(sums["weight"] > 0, sums["weight"], np.nan)
    shift = sums["d"] / weight
    squares = sums["ss"] - 2.0 * shift * sums["sn"] + shift**2 * sums["nn"]
    error: FloatArray = np.sqrt(np.maximum(squares, 0.0)) / weight
    return error


def _own_units(rows: Rows) -> Rows:
    """Leave out the units without a row here: they need no draws, and a frame of units need not have them."""
    places, units = np.empty(len(rows.keys), dtype=np.int32), np.empty(len(rows.units), dtype=np.int32)
    replicates.own_units(rows.units, rows.offsets, rows.counts, places, units)
    return replace(rows, units=units, keys=rows.keys[places >= 0])


def _joined(parts: Sequence[AnyArray]) -> Any:
    return np.concatenate(parts)


def _unknown(n_cells: int) -> Interval:
    std_error, low, high, error_low, error_high = np.full((5, n_cells), np.nan)
    n_dropped, n_units = np.zeros((2, n_cells), dtype=np.int64)
    return Interval(std_error, low, high, error_low, error_high, n_dropped, n_units)


def _write(whole: Interval, part: Interval, cells: slice) -> None:
    """Copy the intervals of some cells to their place."""
    for entry in fields(Interval):
        getattr(whole, entry.name)[cells] = getattr(part, entry.name)
