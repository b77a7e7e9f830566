"""A plain pandas twin of lr.aggregate: tables with the evidence of each cell, counted by definition and slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leoreturns.results.aggregate import Aggregate, CellKey, Evidence, Tail
from leoreturns.results.flow import SampleFlow

PERCENTILES = {"iqr": (25, 75), "p90/p10": (10, 90)}


def table_of(
    frame: pd.DataFrame,
    values: str | None,
    by: list[str],
    statistics: list[str],
    *,
    person: str | None = "person",
    unit: str | None = None,
) -> Aggregate:
    """Return the aggregate of a frame; categorical keys keep their declared order, all else is sorted."""
    keys = {name: _key(frame[name]) for name in by}
    frame = frame.assign(**{f"_{name}": codes for name, (_, codes) in keys.items()})
    groups = [part for _, part in frame.groupby([f"_{name}" for name in by], sort=True)] if by else [frame]
    cells = [_cell(part, values, person, statistics) for part in groups]
    codes = {name: np.array([part[f"_{name}"].iloc[0] for part in groups], dtype=np.int64) for name in by}
    return Aggregate(
        variable=values,
        unit=unit,
        keys={name: CellKey(tuple(labels), codes[name]) for name, (labels, _) in keys.items()},
        statistics={name: np.array([cell["statistics"][name] for cell in cells]) for name in statistics},
        evidence=_evidence(cells),
        flow=SampleFlow(),
        settings={"quantile_rule": 7},
    )


def _key(column: pd.Series) -> tuple[list[Any], np.ndarray]:
    categorical = column if isinstance(column.dtype, pd.CategoricalDtype) else column.astype("category")
    categorical = categorical.cat.remove_unused_categories()
    return categorical.cat.categories.tolist(), categorical.cat.codes.to_numpy(dtype=np.int64)


def _cell(part: pd.DataFrame, values: str | None, person: str | None, statistics: list[str]) -> dict[str, Any]:
    known = part if values is None else part.dropna(subset=[values])
    pay = np.zeros(0) if values is None else known[values].to_numpy(dtype=np.float64)
    who = np.arange(len(known)) if person is None else known[person].to_numpy()
    totals = pd.Series(pay, index=who[: len(pay)]).groupby(level=0).sum().abs().sort_values(ascending=False).to_numpy()
    needed = {q for name in statistics for q in _percentiles(name)}
    return {
        "n_obs": len(part),
        "n_value": len(pay),
        "n_person": -1 if person is None else part[person].nunique(),
        "n_person_value": -1 if person is None else pd.unique(who[: len(pay)]).size,
        "n_person_nonzero": -1 if person is None else pd.unique(who[: len(pay)][pay != 0]).size,
        "n_person_zero": -1 if person is None else pd.unique(who[: len(pay)][pay == 0]).size,
        "n_negative": int((pay < 0).sum()),
        "n_zero": int((pay == 0).sum()),
        "n_largest": _majority(pay),
        "all_equal": len(pay) > 0 and bool((pay == pay[0]).all()),
        "total": pay.sum(),
        "total_absolute": totals.sum(),
        "top1": totals[0] if len(totals) > 0 else 0.0,
        "top2": totals[1] if len(totals) > 1 else 0.0,
        "tails": {f"p{q:g}": _tail(pay, who, q) for q in needed},
        "statistics": {name: _statistic(name, part, pay, person) for name in statistics},
    }


def _percentiles(name: str) -> tuple[float, ...]:
    if name in PERCENTILES:
        return PERCENTILES[name]
    return (float(name[1:]),) if name[:1] == "p" and name[1:].isdigit() else ()


def _majority(pay: np.ndarray) -> int:
    most = int(np.unique(pay, return_counts=True)[1].max()) if len(pay) else 0
    return most if 2 * most > len(pay) else 0


def _tail(pay: np.ndarray, who: np.ndarray, q: float) -> tuple[int, int, int]:
    if not len(pay):
        return (0, 0, 0)
    at = np.percentile(pay, q)
    return tuple(pd.unique(who[side]).size for side in (pay < at, pay == at, pay > at))


def _statistic(name: str, part: pd.DataFrame, pay: np.ndarray, person: str | None) -> float:
    if name == "n_obs":
        return len(part)
    if name == "n_person":
        return -1 if person is None else part[person].nunique()
    if name == "n_value":
        return len(pay)
    if name == "sum":
        return float(pay.sum())
    if len(pay) == 0:
        return np.nan
    match name:
        case "mean":
            return float(pay.mean())
        case "sd":
            return float(pay.std(ddof=1)) if len(pay) > 1 else np.nan
        case "var":
            return float(pay.var(ddof=1)) if len(pay) > 1 else np.nan
        case "share":
            return float((pay != 0).mean())
        case "iqr":
            return float(np.subtract(*np.percentile(pay, [75, 25])))
        case "p90/p10":
            return float(np.divide(*np.percentile(pay, [90, 10])))
    return float(np.percentile(pay, _percentiles(name)[0]))


def _evidence(cells: list[dict[str, Any]]) -> Evidence:
    counts = (
        "n_obs",
        "n_value",
        "n_person",
        "n_person_value",
        "n_person_nonzero",
        "n_person_zero",
        "n_negative",
        "n_zero",
        "n_largest",
    )
    sums = ("total", "total_absolute", "top1", "top2")
    tails = cells[0]["tails"] if cells else {}
    return Evidence(
        **{name: np.array([cell[name] for cell in cells], dtype=np.int64) for name in counts},
        **{name: np.array([cell[name] for cell in cells], dtype=np.float64) for name in sums},
        n_effective=np.array([cell["n_value"] for cell in cells], dtype=np.float64),
        all_equal=np.array([cell["all_equal"] for cell in cells], dtype=np.bool_),
        entities={},
        tails={name: Tail(*np.array([cell["tails"][name] for cell in cells], dtype=np.int64).T) for name in tails},
        fingerprint=np.zeros(len(cells), dtype=np.uint64),
        fingerprint_value=np.zeros(len(cells), dtype=np.uint64),
        sketch=None,
        sketch_value=None,
    )
