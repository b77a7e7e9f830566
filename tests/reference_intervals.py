"""A plain person bootstrap: tables with intervals, bands and contrasts, made slowly from resampled rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from reference_table import table_of

from leoreturns._typing import Contrast
from leoreturns.results.aggregate import Aggregate, CellKey
from leoreturns.results.interval import Band, ContrastTable, Interval, contrasted

PLAN = {
    "n_replicates": 199, "unit": "person", "seed": 7, "scheme": "poisson", "strata": (), "interval": "percentile",
    "level": 0.95,
}  # fmt: skip


def statistic_of(name: str, pay: np.ndarray) -> float:
    """Return one statistic of some values; NaN of none."""
    if not len(pay):
        return np.nan
    match name:
        case "mean":
            return float(pay.mean())
        case "sum":
            return float(pay.sum())
        case "sd" | "var":
            return float(getattr(pay, {"sd": "std"}.get(name, name))(ddof=1)) if len(pay) > 1 else np.nan
        case "share":
            return float((pay != 0).mean())
    return float(np.percentile(pay, int(name[1:])))


def bootstrapped(
    frame: pd.DataFrame,
    values: str,
    by: list[str],
    statistics: list[str],
    *,
    unit: str | None = "GBP/year",
    contrasts: tuple[Contrast, ...] = (),
    band: str | None = None,
    **plan: Any,
) -> tuple[Aggregate, dict[str, np.ndarray]]:
    """Return a table with the intervals of resampled persons, and its replicates of shape (n_cells, n_replicates)."""
    settings = {**PLAN, **plan}
    counts = [name for name in statistics if name.startswith("n_")]
    table = table_of(frame, values, by, statistics, unit=unit)
    rng = np.random.default_rng(settings["seed"])
    persons, who = np.unique(frame["person"], return_inverse=True)
    weights = rng.poisson(1.0, (settings["n_replicates"], len(persons)))
    rows = cell_rows(table, frame)
    pay = frame[values].to_numpy(dtype=np.float64)
    replicates = {
        name: np.array([[statistic_of(name, np.repeat(pay[r], w[who[r]])) for w in weights] for r in rows])
        for name in statistics
        if name not in counts
    }
    made = {name: interval_of(draws, settings["level"]) for name, draws in replicates.items()}
    return replace(
        table,
        settings={**table.settings, "plan": settings},
        intervals=made,
        bands={name: band_of(table.statistics[name], made[name], band) for name in made} if band else {},
        contrasts=tuple(contrast_of(table, each, replicates, settings["level"]) for each in contrasts),
    ), replicates


def cell_rows(table: Aggregate, frame: pd.DataFrame) -> list[np.ndarray]:
    """Return the positions of the rows of every cell."""
    keys = {name: key.values() for name, key in table.keys.items()}
    return [
        np.flatnonzero(np.all([frame[name].to_numpy() == level[cell] for name, level in keys.items()], axis=0))
        for cell in range(table.n_cells)
    ]


def interval_of(draws: np.ndarray, level: float) -> Interval:
    """Return the percentile interval of replicates of shape (n, n_replicates)."""
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=1)
    error = np.full(len(draws), 0.123456789)
    return Interval(np.nanstd(draws, axis=1, ddof=1), low, high, error, error, np.isnan(draws).sum(axis=1))


def band_of(point: np.ndarray, interval: Interval, key: str) -> Band:
    """Return a band of three standard errors."""
    critical = np.full(len(point), 3.0)
    return Band(key, point - 3.0 * interval.std_error, point + 3.0 * interval.std_error, critical)


def contrast_of(table: Aggregate, contrast: Contrast, replicates: dict[str, np.ndarray], level: float) -> ContrastTable:
    """Return a contrast with the intervals of its replicates."""
    key = table.keys[contrast.key]
    others = {name: other for name, other in table.keys.items() if name != contrast.key}
    place = [tuple(int(other.codes[cell]) for other in others.values()) for cell in range(table.n_cells)]
    where = [
        {place[cell]: cell for cell in np.flatnonzero(key.codes == key.labels.index(label))}
        for label in (contrast.level, contrast.base)
    ]
    common = sorted(set(where[0]) & set(where[1]))
    cells, base_cells = (np.array([side[at] for at in common], dtype=np.int64) for side in where)
    in_logs = table.unit == "log"

    def of(numbers: np.ndarray) -> np.ndarray:
        return contrasted(
            np.asarray(numbers[cells], dtype=np.float64),
            np.asarray(numbers[base_cells], dtype=np.float64),
            contrast.kind,
            in_logs=in_logs,
        )

    return ContrastTable(
        contrast=contrast,
        keys={name: CellKey(other.labels, other.codes[cells]) for name, other in others.items()},
        cells=cells,
        base_cells=base_cells,
        statistics={name: of(numbers) for name, numbers in table.statistics.items()},
        intervals={name: interval_of(of(draws), level) for name, draws in replicates.items()},
    )
