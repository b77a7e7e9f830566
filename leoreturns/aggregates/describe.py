"""Run the kernels over the rows of each wave: ranges of cells in threads, each writing its own part of the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from leoreturns._core import entities as kernel_entities
from leoreturns._core import gather, moments, quantiles, ranked, replicates, sketch
from leoreturns._parallel import ordered_map, progress
from leoreturns._typing import AnyArray, CodeArray, FloatArray, IntArray, UIntArray, WeightKind, Weights
from leoreturns.aggregates.evaluate import Parts, variance_of
from leoreturns.aggregates.prepare import Rows
from leoreturns.aggregates.replicate import Replicator
from leoreturns.aggregates.rows import Buffers, Plan, Wave, read_wave, row_tasks
from leoreturns.aggregates.statistics import Statistic
from leoreturns.errors import SupportError

SLICE_PERSONS = 1 << 14  # persons whose powers are computed by one call
BINS = 4096


@dataclass(frozen=True, slots=True)
class Described:
    """What the kernels say of every cell; every array has one entry per cell.

    ``percentiles``, ``tails`` are by percentile number (tails: persons below, at, above), ``ordered`` by statistic
    name.
    """

    counts: Mapping[str, IntArray]
    numbers: Mapping[str, FloatArray]
    prints: UIntArray
    percentiles: Mapping[int, FloatArray]
    tails: Mapping[int, tuple[IntArray, IntArray, IntArray]]
    ordered: Mapping[str, FloatArray]
    entities: Mapping[str, IntArray]
    sketch: UIntArray | None
    sketch_value: UIntArray | None
    weight_kind: WeightKind | None
    n_person: int

    def parts(self) -> Parts:
        """Return what statistics are made of."""
        n, numbers = self.counts["n_value"], self.numbers
        return Parts(
            total=numbers["sum"],
            mean=np.where(n > 0, numbers["mean"], np.nan),
            variance=variance_of(numbers["squares"], numbers["weight"], n, self.weight_kind),
            percentiles=self.percentiles,
            ordered=self.ordered,
        )

    def effective(self) -> FloatArray:
        """Number of equally weighted rows that the weights are worth: (sum w)**2 / sum w**2 (Kish 1965); 0 for none."""
        weight, squared = self.numbers["weight"], self.numbers["weight_squared"]
        return np.asarray(np.divide(weight**2, squared, out=np.zeros(len(weight)), where=squared > 0))

    def taken(self, cells: IntArray | slice) -> Described:
        """Return the given cells in the given order."""

        def take(part: Any) -> Any:
            if isinstance(part, np.ndarray):
                return np.ascontiguousarray(part[cells])
            if isinstance(part, tuple):
                return tuple(take(entry) for entry in part)
            if isinstance(part, Mapping):
                return {name: take(entry) for name, entry in part.items()}
            return part

        return replace(self, **{entry.name: take(getattr(self, entry.name)) for entry in fields(self)})


@dataclass(frozen=True, slots=True)
class Request:
    """What is computed for every cell: percentile numbers, where top shares begin, weights, rule, entity columns.

    ``by_unit``: whether the rows come with the codes of sampling units, which are kept for the resampling.
    """

    wanted: list[int]
    tops: list[int]
    weights: Weights | None
    rule: int
    entities: Mapping[str, int]
    ranking: bool
    by_unit: bool


@dataclass(frozen=True, slots=True)
class TaskRows:
    """The rows of a range of cells, those with a value at the front of each cell."""

    cells: slice
    values: FloatArray
    weights: FloatArray
    persons: CodeArray
    offsets: IntArray


class Outputs:
    """Arrays that the tasks write side by side, one row per cell."""

    def __init__(self, n_cells: int, n_percentiles: int, n_tops: int, entities: Sequence[str], sketched: bool) -> None:
        self.counts = np.empty((n_cells, len(moments.COUNTS)), dtype=np.int64)
        self.numbers = np.empty((n_cells, len(moments.NUMBERS)))
        self.prints = np.empty((n_cells, 2), dtype=np.uint64)
        self.largest = np.empty(n_cells, dtype=np.int64)
        self.percentiles = np.empty((n_cells, n_percentiles))
        self.below, self.tied, self.above = (np.empty((n_cells, n_percentiles), dtype=np.int64) for _ in range(3))
        self.gini = np.empty(n_cells)
        self.shares = np.empty((n_cells, n_tops))
        self.entities = {name: np.empty(n_cells, dtype=np.int64) for name in entities}
        items = (n_cells, sketch.ITEMS)
        self.sketch = np.empty(items, dtype=np.uint64) if sketched else None
        self.sketch_value = np.empty(items, dtype=np.uint64) if sketched else None

    def count(self, cells: slice, name: str) -> IntArray:
        """Return one count of a range of cells."""
        return np.ascontiguousarray(self.counts[cells, moments.COUNTS.index(name)])

    def number(self, cells: slice, name: str) -> FloatArray:
        """Return one number of a range of cells."""
        return np.ascontiguousarray(self.numbers[cells, moments.NUMBERS.index(name)])

    def longest(self, cells: slice) -> int:
        """Return the values of the fullest cell of a range, at least 1."""
        return max(1, int(self.count(cells, "n_value").max(initial=0)))

    def percentile_views(self, cells: slice, written: bool) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
        """Return where percentiles and their tails go; nowhere if the kernel is not asked for them."""
        views = (self.percentiles[cells], self.below[cells], self.tied[cells], self.above[cells])
        return views if written else tuple(np.empty((len(view), 0), dtype=view.dtype) for view in views)  # type: ignore[return-value]

    def described(self, request: Request, n_person: int) -> Described:
        """Name the columns."""
        return Described(
            counts={**dict(zip(moments.COUNTS, self.counts.T, strict=True)), "n_largest": self.largest},
            numbers=dict(zip(moments.NUMBERS, self.numbers.T, strict=True)),
            prints=self.prints,
            percentiles={p: self.percentiles[:, at] for at, p in enumerate(request.wanted)},
            tails={p: (self.below[:, at], self.tied[:, at], self.above[:, at]) for at, p in enumerate(request.wanted)},
            ordered={"gini": self.gini} | {f"top{100 - p}": self.shares[:, at] for at, p in enumerate(request.tops)},
            entities=self.entities,
            sketch=self.sketch,
            sketch_value=self.sketch_value,
            weight_kind=None if request.weights is None else request.weights.kind,
            n_person=n_person,
        )


def describe(
    plan: Plan,
    columns: Sequence[Sequence[tuple[AnyArray, int]]],
    chosen: Sequence[Statistic],
    *,
    weights: Weights | None,
    rule: int,
    entities: Mapping[str, int],
    sketched: bool,
    replicator: Replicator | None = None,
    unit_keys: UIntArray | None = None,
) -> Described:
    """Compute the chosen statistics and the evidence of every cell.

    Parameters
    ----------
    plan : Plan
        Where every row goes.
    columns : sequence
        The values, then the weights if any, the codes of sampling units if `unit_keys` are given, and the entities, as
        `read_wave` takes them.
    chosen : sequence of Statistic
        Statistics asked for.
    weights : Weights or None
        What the weights mean.
    rule : int
        Percentile type.
    entities : mapping of str to int
        Entity columns and their number of levels.
    sketched : bool
        Whether to sketch the sets of persons.
    replicator : Replicator, optional
        Resamples the cells once they are described.
    unit_keys : uint64 of shape (n_units,), optional
        Keys of the sampling units, where these are not the persons.

    Raises
    ------
    SupportError
        If rows with a value have no sampling unit.
    """
    wanted = sorted({number for entry in chosen for number in entry.percentiles})
    tops = sorted({entry.percentiles[0] for entry in chosen if entry.name.startswith("top")})
    ranking = bool(tops) or weights is not None or any(entry.name == "gini" for entry in chosen)
    request = Request(wanted, tops, weights, rule, entities, ranking, by_unit=unit_keys is not None)
    out = Outputs(plan.layout.n_cells, len(wanted), len(tops), list(entities), sketched)
    buffers = Buffers(plan, len(columns), by_unit=request.by_unit)
    # Nobody can have lost all rows unless some rows were lost; counting who is left takes a pass.
    complete = int(plan.offsets[-1]) == sum(panel.n_row for panel in plan.panels)
    n_person = sum(panel.n_person for panel in plan.panels) if complete else 0
    with progress(int(plan.offsets[-1]), "describing rows") as shown:
        for traits in plan.waves():
            wave = read_wave(plan, traits, columns, buffers)
            members = _members(wave.keys, buffers) if sketched else None
            n_person += 0 if complete else _persons_in(wave)

            def work(task: slice, wave: Wave = wave, members: UIntArray | None = members) -> int:
                return _describe_task(task, wave, members, out, request)

            without_unit = sum(ordered_map(work, row_tasks(wave.offsets), label="describing cells"))
            if replicator is not None:
                if without_unit:
                    unit = replicator.plan.unit
                    raise SupportError(
                        f"at least {without_unit:,} rows with a value have no '{unit}', which the plan resamples; "
                        f"leave them out with where='{unit} is not missing'"
                    )
                described = out.described(request, 0).taken(wave.cells)
                replicator.take(_rows(wave, described, request, unit_keys), wave.cells)
            shown.update(len(wave.persons))
    return out.described(request, n_person)


def _rows(wave: Wave, described: Described, request: Request, unit_keys: UIntArray | None) -> Rows:
    """Return the described rows of a wave with their sampling units."""
    return Rows(
        wave.columns[0],
        wave.columns[1] if request.weights is not None else np.empty(0),
        wave.persons if unit_keys is None else wave.units,
        wave.offsets,
        described.counts["n_value"],
        wave.keys if unit_keys is None else unit_keys,
        described.parts(),
        single=wave.rising and unit_keys is None,
    )


def _persons_in(wave: Wave) -> int:
    """Count the persons with a row in the wave."""
    gather.number_persons(wave.offsets, wave.first, wave.persons)
    seen = np.zeros(len(wave.keys), dtype=np.bool_)
    seen[wave.persons] = True
    return int(np.count_nonzero(seen))


def _members(keys: UIntArray, buffers: Buffers) -> UIntArray:
    """Return the field powers of every person, for the sketches."""
    members = buffers.members[: len(keys)]

    def work(first: int) -> None:
        sketch.person_powers(keys[first : first + SLICE_PERSONS], members[first : first + SLICE_PERSONS])

    ordered_map(work, range(0, len(keys), SLICE_PERSONS), label="preparing sketches")
    return members


def _describe_task(task: slice, wave: Wave, members: UIntArray | None, out: Outputs, request: Request) -> int:
    """Describe a range of a wave's cells; return how many rows with a value have no sampling unit."""
    bounds = wave.offsets[task.start : task.stop + 1]
    rows, cells = (
        slice(int(bounds[0]), int(bounds[-1])),
        slice(wave.cells.start + task.start, wave.cells.start + task.stop),
    )
    offsets = bounds - bounds[0]
    values, *others = (column[rows] for column in wave.columns)
    persons = wave.persons[rows]
    gather.number_persons(offsets, wave.first[task], persons)
    weight = others.pop(0) if request.weights is not None else np.empty(0)
    if request.weights is not None:
        values[~(weight > 0)] = np.nan
    without_unit = 0
    if request.by_unit:
        without_unit = replicates.pack_units(values, others.pop(0), offsets, wave.units[rows])
    for codes, (name, n_levels) in zip(others, request.entities.items(), strict=True):
        present = np.where(np.isnan(values) | np.isnan(codes), -1.0, codes).astype(np.int32)
        kernel_entities.count_entities(present, offsets, np.empty(n_levels, dtype=np.int64), out.entities[name][cells])
    if members is not None and out.sketch is not None and out.sketch_value is not None:
        sketch.sketch_cells(values, persons, offsets, members, out.sketch[cells], out.sketch_value[cells])
    moments.summarise(
        values,
        weight,
        persons,
        offsets,
        wave.keys,
        wave.rising,
        np.empty(len(weight)),
        out.counts[cells],
        out.numbers[cells],
        out.prints[cells],
    )
    described = TaskRows(cells, values, weight, persons, offsets)
    _select(described, out, request)
    if request.ranking:
        _rank(described, out, request)
    return without_unit


def _select(rows: TaskRows, out: Outputs, request: Request) -> None:
    """Take the percentiles without weights, and the value that most rows share."""
    wanted = request.wanted if request.weights is None else []
    room = out.longest(rows.cells)
    second = np.empty(len(rows.offsets) - 1)
    quantiles.percentiles(
        rows.values,
        rows.persons,
        rows.offsets,
        out.count(rows.cells, "n_value"),
        out.count(rows.cells, "n_person_value"),
        out.number(rows.cells, "low"),
        out.number(rows.cells, "high"),
        np.array(wanted) / 100.0,
        request.rule,
        np.empty(room),
        np.empty(room),
        np.empty(BINS, dtype=np.uint32),
        np.empty(BINS, dtype=np.uint8),
        *out.percentile_views(rows.cells, bool(wanted)),
        out.largest[rows.cells],
        second,
    )
    top2 = out.numbers[rows.cells, moments.NUMBERS.index("top2")]
    np.copyto(top2, second, where=np.isnan(top2))


def _rank(rows: TaskRows, out: Outputs, request: Request) -> None:
    """Take the statistics that need the cells' values in order."""
    wanted = request.wanted if request.weights is not None else []
    room = out.longest(rows.cells)
    ranked.rank_cells(
        rows.values,
        rows.weights,
        rows.persons,
        rows.offsets,
        out.count(rows.cells, "n_value"),
        out.number(rows.cells, "weight"),
        request.weights is not None and request.weights.kind == "frequency",
        np.array(wanted) / 100.0,
        request.rule,
        1.0 - np.array(request.tops) / 100.0,
        np.empty((2, room), dtype=np.uint64),
        np.empty((2, room)),
        *out.percentile_views(rows.cells, bool(wanted)),
        out.gini[rows.cells],
        out.shares[rows.cells],
    )
