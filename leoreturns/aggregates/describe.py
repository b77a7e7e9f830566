"""Run the kernels over gathered rows: ranges of cells in threads, each writing its own part of the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from leoreturns._core import entities as kernel_entities
from leoreturns._core import moments, quantiles, ranked, sketch
from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray, FloatArray, IntArray, UIntArray, Weights
from leoreturns.aggregates.rows import Gathered
from leoreturns.aggregates.statistics import Statistic

TASK_ROWS = 1 << 19  # rows of the cells described by one call, so that they stay in cache between the kernels
SLICE_PERSONS = 1 << 17  # persons whose powers are computed by one call
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
    weight_kind: str | None

    def variance(self) -> FloatArray:
        """Variance with the divisor of the weights' kind; NaN below two values."""
        n, squares, weight = self.counts["n_value"], self.numbers["squares"], self.numbers["weight"]
        divisor = weight * (n - 1) / np.maximum(n, 1) if self.weight_kind == "probability" else weight - 1.0
        variance: FloatArray = np.divide(squares, divisor, out=np.full(len(n), np.nan), where=divisor > 0)
        return variance

    def taken(self, cells: IntArray) -> Described:
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


class Outputs:
    """Arrays that the tasks write side by side, one row per cell."""

    def __init__(self, n_cells: int, n_percentiles: int, n_tops: int, entities: Sequence[str], sketched: bool) -> None:
        self.counts = np.empty((n_cells, len(moments.COUNTS)), dtype=np.int64)
        self.numbers = np.empty((n_cells, len(moments.NUMBERS)))
        self.prints = np.empty((n_cells, 4), dtype=np.uint64)
        self.largest = np.empty(n_cells, dtype=np.int64)
        self.percentiles = np.empty((n_cells, n_percentiles))
        self.below, self.tied, self.above = (np.empty((n_cells, n_percentiles), dtype=np.int64) for _ in range(3))
        self.gini = np.empty(n_cells)
        self.shares = np.empty((n_cells, n_tops))
        self.entities = {name: np.empty(n_cells, dtype=np.int64) for name in entities}
        items = (n_cells, sketch.ITEMS)
        self.sketch = np.empty(items, dtype=np.uint64) if sketched else None
        self.sketch_value = np.empty(items, dtype=np.uint64) if sketched else None


def describe(
    gathered: Gathered,
    chosen: Sequence[Statistic],
    *,
    weights: Weights | None,
    rule: int,
    entities: Mapping[str, int],
    sketched: bool,
    n_jobs: int | None,
) -> Described:
    """Compute the chosen statistics and the evidence of every cell.

    Parameters
    ----------
    gathered : Gathered
        The rows; the columns are the values, then the weights if any, then the entities. Values and persons are moved
        within cells.
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
    n_jobs : int or None
        Threads.
    """
    wanted = sorted({number for entry in chosen for number in entry.percentiles})
    tops = sorted({entry.percentiles[0] for entry in chosen if entry.name.startswith("top")})
    members = _members(gathered.keys, n_jobs) if sketched else None
    out = Outputs(len(gathered.offsets) - 1, len(wanted), len(tops), list(entities), sketched)
    ranking = bool(tops) or weights is not None or any(entry.name == "gini" for entry in chosen)

    def work(task: slice) -> None:
        _describe_task(task, gathered, members, out, wanted, tops, weights, rule, entities, ranking)

    ordered_map(work, _tasks(gathered.offsets), n_jobs=n_jobs, label="describing cells")
    counts = dict(zip(moments.COUNTS, out.counts.T, strict=True))
    ordered = {"gini": out.gini} | {f"top{100 - p}": out.shares[:, at] for at, p in enumerate(tops)}
    return Described(
        counts={**counts, "n_largest": out.largest},
        numbers=dict(zip(moments.NUMBERS, out.numbers.T, strict=True)),
        prints=out.prints,
        percentiles={p: out.percentiles[:, at] for at, p in enumerate(wanted)},
        tails={p: (out.below[:, at], out.tied[:, at], out.above[:, at]) for at, p in enumerate(wanted)},
        ordered=ordered,
        entities=out.entities,
        sketch=out.sketch,
        sketch_value=out.sketch_value,
        weight_kind=None if weights is None else weights.kind,
    )


def _members(keys: UIntArray, n_jobs: int | None) -> UIntArray:
    """Return the field powers of every person, for the sketches."""
    members = np.empty((len(keys), sketch.ITEMS), dtype=np.uint64)

    def work(first: int) -> None:
        sketch.person_powers(keys[first : first + SLICE_PERSONS], members[first : first + SLICE_PERSONS])

    ordered_map(work, range(0, len(keys), SLICE_PERSONS), n_jobs=n_jobs, label="preparing sketches")
    return members


def _tasks(offsets: IntArray) -> list[slice]:
    """Cut the cells into ranges of about equally many rows."""
    n_cells = len(offsets) - 1
    targets = np.arange(TASK_ROWS, offsets[-1], TASK_ROWS)
    edges = np.unique(np.concatenate([[0], np.searchsorted(offsets, targets), [n_cells]]))
    return [slice(int(first), int(last)) for first, last in pairwise(edges)]


def _describe_task(
    task: slice,
    gathered: Gathered,
    members: UIntArray | None,
    out: Outputs,
    wanted: list[int],
    tops: list[int],
    weights: Weights | None,
    rule: int,
    entities: Mapping[str, int],
    ranking: bool,
) -> None:
    """Describe a range of cells."""
    bounds = gathered.offsets[task.start : task.stop + 1]
    rows = slice(int(bounds[0]), int(bounds[-1]))
    offsets = bounds - bounds[0]
    values, *others = (column[rows] for column in gathered.columns)
    persons = gathered.persons[rows]
    weight = others.pop(0) if weights is not None else np.empty(0)
    if weights is not None:
        values[~(weight > 0)] = np.nan
    for codes, (name, n_levels) in zip(others, entities.items(), strict=True):
        present = np.where(np.isnan(values) | np.isnan(codes), -1.0, codes).astype(np.int32)
        kernel_entities.count_entities(present, offsets, np.empty(n_levels, dtype=np.int64), out.entities[name][task])
    if members is not None and out.sketch is not None and out.sketch_value is not None:
        sketch.sketch_cells(values, persons, offsets, members, out.sketch[task], out.sketch_value[task])
    products = np.empty(len(weight))
    moments.summarise(
        values, weight, persons, offsets, gathered.keys, products, out.counts[task], out.numbers[task], out.prints[task]
    )
    counts = {name: np.ascontiguousarray(out.counts[task, at]) for at, name in enumerate(moments.COUNTS)}
    numbers = {name: np.ascontiguousarray(out.numbers[task, at]) for at, name in enumerate(moments.NUMBERS)}
    longest = max(1, int(counts["n_value"].max(initial=0)))
    selected = [] if weights is not None else wanted
    empty = np.empty((len(offsets) - 1, 0), dtype=np.int64)
    below, tied, above = (empty if weights else side[task] for side in (out.below, out.tied, out.above))
    quantiles.percentiles(
        values,
        persons,
        offsets,
        counts["n_value"],
        counts["n_person_value"],
        numbers["low"],
        numbers["high"],
        np.array(selected) / 100.0,
        rule,
        np.empty(longest),
        np.empty(longest),
        np.empty(BINS, dtype=np.uint32),
        np.empty(BINS, dtype=np.uint8),
        out.percentiles[task] if selected == wanted else np.empty((len(offsets) - 1, 0)),
        below,
        tied,
        above,
        out.largest[task],
    )
    if ranking:
        _rank_task(
            task,
            values,
            weight,
            persons,
            offsets,
            counts,
            numbers,
            out,
            wanted if weights else [],
            tops,
            weights,
            rule,
            longest,
        )


def _rank_task(
    task: slice,
    values: FloatArray,
    weight: FloatArray,
    persons: AnyArray,
    offsets: IntArray,
    counts: Mapping[str, IntArray],
    numbers: Mapping[str, FloatArray],
    out: Outputs,
    wanted: list[int],
    tops: list[int],
    weights: Weights | None,
    rule: int,
    longest: int,
) -> None:
    """Take the statistics that need the cells' values in order."""
    empty = np.empty((len(offsets) - 1, 0), dtype=np.int64)
    below, tied, above = (side[task] if wanted else empty for side in (out.below, out.tied, out.above))
    ranked.rank_cells(
        values,
        weight,
        persons,
        offsets,
        counts["n_value"],
        numbers["weight"],
        weights is not None and weights.kind == "frequency",
        np.array(wanted) / 100.0,
        rule,
        1.0 - np.array(tops) / 100.0,
        np.empty((2, longest), dtype=np.uint64),
        np.empty((2, longest)),
        out.percentiles[task] if wanted else np.empty((len(offsets) - 1, 0)),
        below,
        tied,
        above,
        out.gini[task],
        out.shares[task],
    )
