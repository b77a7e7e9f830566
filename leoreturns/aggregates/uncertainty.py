"""What a plan is asked for: which statistics it can give an interval, and contrasts and bands from joint replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._typing import Contrast, FloatArray, IntArray, Weights
from leoreturns.aggregates.inputs import Inputs
from leoreturns.aggregates.replicate import Replicator
from leoreturns.aggregates.statistics import Statistic
from leoreturns.errors import SupportError
from leoreturns.panel.units import is_person
from leoreturns.resample.exact import check_exact
from leoreturns.resample.intervals import interval_of, uniform_band
from leoreturns.resample.joint import collect, is_collecting
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate, CellKey
from leoreturns.results.interval import Band, ContrastTable, Interval, contrasted

MAX_KEPT_BYTES = 1 << 31
OF_MEANS = ("mean", "share")


def check_plan(
    plan: BootstrapPlan,
    chosen: Sequence[Statistic],
    contrasts: Sequence[Contrast],
    bands: str | None,
    weights: Weights | None,
    rule: int,
) -> tuple[Statistic, ...]:
    """Return the statistics that get an interval, or say why the plan cannot give them one."""
    if not isinstance(plan, BootstrapPlan):
        raise TypeError(f"plan is a BootstrapPlan, not {type(plan).__name__}")
    with_interval = tuple(entry for entry in chosen if entry.family not in ("count", "weight"))
    if not with_interval:
        raise SupportError(
            "counts and sums of weights get no interval: who is in the data is not drawn from anything; "
            "leave plan= out, or ask for a statistic of a column"
        )
    if plan.interval in ("bca", "studentised", "exact") and (contrasts or bands):
        raise SupportError(
            f"contrasts and bands are made of replicates and take interval 'percentile', 'basic' or 'normal', "
            f"not '{plan.interval}'"
        )
    if plan.interval == "studentised":
        _check_studentised(with_interval)
    if plan.interval == "exact":
        _check_exact(with_interval, weights, rule)
    if plan.scheme == "bayesian" and plan.interval == "bca":
        raise SupportError(
            "interval 'bca' rests on whole draws: exponential weights are twice as skewed as the data make them; "
            "use scheme='poisson', or interval='percentile'"
        )
    if plan.scheme == "bayesian" and rule == 3:
        raise SupportError("quantile_rule 3 has no form under Bayesian weights; use 1, 2 or 4 to 9")
    return with_interval


def _check_studentised(chosen: Sequence[Statistic]) -> None:
    if others := [entry.name for entry in chosen if entry.name not in OF_MEANS]:
        raise SupportError(
            f"{', '.join(others)}: a studentised interval needs a standard error in every replicate, which is known "
            "for mean and share; use interval='bca' or 'percentile'"
        )


def _check_exact(chosen: Sequence[Statistic], weights: Weights | None, rule: int) -> None:
    if others := [entry.name for entry in chosen if entry.source != "percentiles" or len(entry.percentiles) > 1]:
        raise SupportError(
            f"{', '.join(others)}: an exact interval is known for single percentiles only; use interval='percentile'"
        )
    if weights is not None:
        raise SupportError("an exact interval is that of values without weights; use interval='percentile'")
    check_exact(rule, [entry.percentiles[0] for entry in chosen])


def check_contrasts(contrasts: Sequence[Contrast], labels: Mapping[str, Sequence[Any]]) -> None:
    """Refuse contrasts of keys and levels that the table does not have."""
    for contrast in contrasts:
        if not isinstance(contrast, Contrast):
            raise TypeError(f"contrasts are given as lr.Contrast(key, level, base), not {type(contrast).__name__}")
        if contrast.key not in labels:
            raise SupportError(f"contrast of '{contrast.key}', which is not in by={list(labels)}")
        levels = labels[contrast.key]
        for level in (contrast.level, contrast.base):
            if level not in levels:
                known = ", ".join(map(repr, levels[:20])) + (", ..." if len(levels) > 20 else "")
                raise SupportError(f"contrast of '{contrast.key}': no level {level!r}; the table has {known}")


def check_units(plan: BootstrapPlan, inputs: Inputs) -> None:
    """Refuse to resample persons where the data name none, and periods in any case."""
    if plan.unit == inputs.panels[0].schema.time:
        raise SupportError(
            f"the plan resamples '{plan.unit}', which is the period: years of one person are not independent; "
            "use unit='person', or a cluster of persons"
        )
    if is_person(inputs.panels[0].schema, plan.unit) and not inputs.identified:
        raise SupportError(
            "the plan resamples persons and the frame names none: give person=, the column of their ids, "
            "or resample clusters with BootstrapPlan(unit=...)"
        )


def with_intervals(
    table: Aggregate, replicator: Replicator, cells: IntArray, contrasts: Sequence[Contrast], bands: str | None
) -> Aggregate:
    """Return the table with the intervals of its cells (numbers in the layout), its contrasts and bands."""
    plan, request = replicator.plan, replicator.request
    if plan.interval == "exact":
        check_independent(table.evidence.n_value, table.evidence.n_person_value)
    intervals = {name: _taken(interval, cells) for name, interval in replicator.intervals.items()}
    table = replace(table, intervals=intervals, settings={**table.settings, "plan": plan.settings})
    if not replicator.kept:
        return table
    points = {entry.name: table.statistics[entry.name].astype(np.float64) for entry in request.chosen}
    # Taken out one by one: as many cells as are allowed would not fit in memory twice over.
    drawn = {name: replicator.kept.pop(name)[cells] for name in points}
    if is_collecting():
        collect(cell_names(table.keys, table.n_cells), points, drawn)
    gaps = tuple(
        contrast_table(
            contrast,
            table.keys,
            points,
            drawn,
            plan,
            chosen=request.chosen,
            in_logs=table.unit == "log",
            bands=bands,
        )
        for contrast in contrasts
    )
    along = bands_along(bands, table.keys, points, intervals, drawn, plan.level) if bands is not None else {}
    return replace(table, contrasts=gaps, bands=along)


def _taken(interval: Interval, cells: IntArray) -> Interval:
    return Interval(*(getattr(interval, entry.name)[cells] for entry in fields(Interval)))


def cell_names(keys: Mapping[str, CellKey], n_cells: int) -> list[str]:
    """Name every cell in words: "union: yes, year: 1987"."""
    columns = [[f"{name}: {label}" for label in key.values()] for name, key in keys.items()]
    return [", ".join(parts) for parts in zip(*columns, strict=True)] if columns else ["all"] * n_cells


def check_independent(n_value: IntArray, n_person_value: IntArray) -> None:
    """Refuse an exact interval where persons have several values in a cell."""
    if repeated := int(np.count_nonzero(n_value != n_person_value)):
        raise SupportError(
            f"{repeated:,} cells hold persons with several values, which are not independent: an exact interval needs "
            "one row per person and cell; add the period to by=, or use interval='percentile'"
        )


def check_kept(n_cells: int, n_statistics: int, n_replicates: int) -> None:
    """Refuse joint replicates that would not fit in memory."""
    size = n_cells * n_statistics * n_replicates * 8
    if size > MAX_KEPT_BYTES:
        raise SupportError(
            f"contrasts, bands and joint covariances need the replicates of all cells together: {n_cells:,} cells x "
            f"{n_statistics} statistics x {n_replicates:,} replicates take {size / 2**30:.1f} GB, more than "
            f"{MAX_KEPT_BYTES / 2**30:.0f}; use fewer cells, statistics or replicates"
        )


def bands_along(
    key: str,
    keys: Mapping[str, CellKey],
    points: Mapping[str, FloatArray],
    intervals: Mapping[str, Interval],
    replicates: Mapping[str, FloatArray],
    level: float,
) -> dict[str, Band]:
    """Return a simultaneous band of each statistic along a key, one for every crossing of the other keys."""
    found = {}
    n_cells = len(next(iter(points.values())))
    trajectories = _groups([entry.codes for name, entry in keys.items() if name != key], n_cells)
    for name, point in points.items():
        low, high, critical = (np.full(len(point), np.nan) for _ in range(3))
        for cells in trajectories:
            low[cells], high[cells], critical[cells] = uniform_band(
                point[cells], replicates[name][cells], intervals[name].std_error[cells], level
            )
        found[name] = Band(key, low, high, critical)
    return found


def _groups(codes: Sequence[IntArray], n: int) -> list[IntArray]:
    """Return the cells of every crossing of codes."""
    if not codes:
        return [np.arange(n)]
    numbers = pd.DataFrame(dict(enumerate(codes))).groupby(list(range(len(codes))), sort=False).ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def contrast_table(
    contrast: Contrast,
    keys: Mapping[str, CellKey],
    points: Mapping[str, FloatArray],
    replicates: Mapping[str, FloatArray],
    plan: BootstrapPlan,
    *,
    chosen: Sequence[Statistic],
    in_logs: bool,
    bands: str | None,
) -> ContrastTable:
    """Compare two levels of a key in every crossing of the others that has both."""
    cells, base_cells = _matched(contrast, keys)
    log_ratios = {entry.name for entry in chosen if entry.is_log_ratio}
    others = {name: CellKey(key.labels, key.codes[cells]) for name, key in keys.items() if name != contrast.key}
    gaps, intervals, drawn = {}, {}, {}
    for name, point in points.items():
        logs = in_logs and name in log_ratios
        gaps[name] = contrasted(point[cells], point[base_cells], contrast.kind, in_logs=logs)
        both = replicates[name][cells], replicates[name][base_cells]
        drawn[name] = contrasted(*both, contrast.kind, in_logs=logs)
        intervals[name] = interval_of(gaps[name], drawn[name], plan)
    along = bands_along(bands, others, gaps, intervals, drawn, plan.level) if bands in others else {}
    return ContrastTable(contrast, others, cells, base_cells, gaps, intervals, along)


def _matched(contrast: Contrast, keys: Mapping[str, CellKey]) -> tuple[IntArray, IntArray]:
    """Return the cells of the level and of the base that agree in all other keys."""
    key = keys[contrast.key]
    others = [entry.codes for name, entry in keys.items() if name != contrast.key]
    rest = pd.MultiIndex.from_arrays(others or [np.zeros_like(key.codes)])
    at, base = (np.flatnonzero(key.codes == key.labels.index(level)) for level in (contrast.level, contrast.base))
    place = rest[base].get_indexer(rest[at])
    return at[place >= 0], base[place[place >= 0]]
