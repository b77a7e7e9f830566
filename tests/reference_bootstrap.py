"""Twin of the replicates of aggregate(): weights by unit from the reference draws, statistics from their definitions.

A whole draw repeats the rows of a unit; a real one multiplies their weights and makes them probability weights, also
those of the copies that a frequency weight stands for. What becomes of a repeated row is left to the reference of the
sample statistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import reference_draws
from aggregate_cases import cell_index
from reference_aggregates import percentile, statistic, weighted_percentile
from reference_codes import hash_bytes

import leoreturns as lr
from leoreturns.resample import joint

STATISTICS = (
    *("sum", "mean", "var", "sd"),
    *("p1", "p10", "p25", "p50", "p75", "p90", "p99", "iqr", "p90/p10"),
    *("gini", "top1", "top10"),
)
LEVELS = ["many", "ties", "constant", "losses", "zeros", "one", "two", "few", "none"]


def people(seed: int = 0, n_person: int = 60) -> pd.DataFrame:
    """Persons with up to five years in cells of all kinds; weights are eighths, so that sums of them are exact.

    The level "none" has a row but no value.
    """
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 6, n_person)
    who = np.repeat(np.arange(n_person), counts)
    n = len(who)
    cell = rng.choice(LEVELS[:5], n, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    alone = rng.permutation(n)
    for level, rows in (("one", alone[:1]), ("two", alone[1:3]), ("few", alone[3:7]), ("none", alone[7:8])):
        cell[rows] = level
    pay = np.round(rng.lognormal(9.5, 0.8, n), 2)
    frame = pd.DataFrame(
        {
            "person": who * 7 + 3,
            "year": np.concatenate([2010 + np.sort(rng.permutation(6)[:count]) for count in counts]),
            "cell": pd.Categorical(cell, categories=LEVELS, ordered=True),
            "sex": np.array(["F", "M"])[rng.integers(0, 2, n_person)][who],
            "pay": np.select(
                [cell == "ties", cell == "constant", cell == "losses", cell == "zeros"],
                [np.round(pay, -4), 1234.56, np.where(rng.random(n) < 0.5, -pay, pay), np.round(pay, -4) * (pay > 2e4)],
                pay,
            ),
            "employed": rng.random(n) < 0.7,
            "count": rng.integers(0, 4, n),
            "chance": rng.integers(0, 17, n) / 8,
            "school": np.array([f"school {k}" for k in rng.integers(0, 9, n_person)])[who],
            "employer": rng.integers(9000, 9012, n),
        }
    )
    frame["area"] = frame["school"].map({f"school {k}": f"area {k % 3}" for k in range(9)})
    frame.loc[rng.random(n) < 0.1, "pay"] = math.nan
    frame.loc[alone[7], "pay"] = math.nan
    frame.loc[alone[:7], ["pay", "count", "chance"]] = np.stack([pay[alone[:7]], np.arange(1, 8), np.full(7, 1.5)]).T
    return frame


def panel(frame: pd.DataFrame, **options: Any) -> lr.Panel:
    return lr.Panel.from_frame(frame, person="person", time="year", **options)


def keys_of(units: Sequence[Any]) -> np.ndarray:
    """64-bit keys of units, by their canonical bytes."""
    names = pd.unique(pd.Series(units))
    return pd.Series(units).map({name: hash_bytes(str(name).encode()) for name in names}).to_numpy(np.uint64)


def drawn(plan: lr.BootstrapPlan, keys: np.ndarray, replicates: Sequence[int]) -> np.ndarray:
    """Weight of each key (rows) in some replicates (columns)."""
    distinct, place = np.unique(keys, return_inverse=True)
    if plan.scheme == "poisson":
        return reference_draws.poisson(plan.seed, replicates, distinct)[place]
    if plan.scheme == "bayesian":
        return reference_draws.exponential(plan.seed, replicates, distinct)[place]
    frame: Any = plan.frame
    by_stratum = [frame.keys[frame.strata == stratum] for stratum in range(frame.strata.max() + 1)]
    counts = reference_draws.multinomial(plan.seed, replicates, [len(part) for part in by_stratum])
    found = pd.Series(range(len(counts)), index=np.concatenate(by_stratum))
    return counts[found[keys].to_numpy()]


def one_replicate(
    names: Sequence[str], values: np.ndarray, weights: np.ndarray | None, kind: str | None, draws: np.ndarray, rule: int
) -> list[float]:
    """Statistics of a cell under one draw of its rows, which come in the panel's order; NaN without weight."""
    if not draws.sum() > 0:
        return [math.nan] * len(names)
    negative = values.min() < 0
    ties = np.arange(len(values)) if weights is None else np.lexsort([np.arange(len(values)), weights]).argsort()
    if draws.dtype == np.uint8:
        ties = np.repeat(ties, draws)
        values = np.repeat(values, draws)
        weights = None if weights is None else np.repeat(weights, draws)
    else:
        if kind == "frequency":
            copies = weights.astype(np.int64)
            values, draws, ties, weights = (
                np.repeat(part, copies) for part in (values, draws, ties, np.ones(len(ties)))
            )
        weights, kind = draws if weights is None else draws * weights, "probability"
        values, weights, ties = values[draws > 0], weights[draws > 0], ties[draws > 0]

    def at(number: int) -> float:
        if number not in known:
            if kind == "probability":
                known[number] = weighted_percentile(values, weights, number, rule, ties)
            else:
                rows = values if weights is None else np.repeat(values, weights.astype(np.int64))
                known[number] = percentile(rows, number, rule)
        return known[number]

    known: dict[int, float] = {}
    found = []
    for name in names:
        if negative and name[:3] in ("gin", "top"):
            found.append(math.nan)  # undefined in the cell, also where a replicate leaves its losses out
        elif name == "iqr":
            found.append(at(75) - at(25))
        elif "/" in name:
            above, below = (at(int(part[1:])) for part in name.split("/"))
            found.append(above / below if below > 0 else math.nan)
        elif name[0] == "p":
            found.append(at(int(name[1:])))
        else:
            found.append(statistic(name, values, rule=rule, weights=weights, kind=kind))
    return found


def replicates(
    frame: pd.DataFrame,
    plan: lr.BootstrapPlan,
    values: str,
    names: Sequence[str],
    cells: Sequence[tuple[Any, ...]],
    *,
    by: Sequence[str] = (),
    weights: lr.Weights | None = None,
    rule: int = 7,
    which: Sequence[int] | None = None,
    unit: str | None = None,
) -> dict[str, np.ndarray]:
    """Replicates of every statistic: mapping of name -> float64 of shape (n_cells, len(which)).

    NaN in cells of one unit, whose replicates are all alike.
    """
    which = range(plan.n_replicates) if which is None else which
    frame = frame.assign(**{"key of person": keys_of(frame["person"])})
    frame = frame.sort_values(["key of person", "year"], kind="stable")
    known = frame[values].notna() if weights is None else frame[values].notna() & (frame[weights.column] > 0)
    frame = frame[known]
    of_row = drawn(plan, keys_of(frame[unit or plan.unit].tolist()), which)
    found = {name: np.full((len(cells), len(which)), math.nan) for name in names}
    for at, cell in enumerate(cells):
        rows = np.ones(len(frame), dtype=bool)
        for key, level in zip(by, cell, strict=True):
            rows &= (frame[key] == level).to_numpy()
        if frame.loc[rows, unit or plan.unit].nunique() < 2:
            continue  # one unit says nothing of how units vary
        x = frame.loc[rows, values].to_numpy(np.float64)
        w = None if weights is None else frame.loc[rows, weights.column].to_numpy(np.float64)
        kind = None if weights is None else weights.kind
        if frame.loc[rows, unit or plan.unit].nunique() < 2:
            continue
        for b in range(len(which)):
            numbers = one_replicate(names, x, w, kind, np.ascontiguousarray(of_row[rows, b]), rule)
            for name, number in zip(names, numbers, strict=True):
                found[name][at, b] = number
    return found


def collected(call: Callable[[], lr.Aggregate]) -> tuple[lr.Aggregate, dict[str, np.ndarray]]:
    """Run a call of aggregate() as one of a joint call: its table, and name -> replicates (n_cells, n_replicates)."""
    waiting: list[Any] = []
    token = joint._collecting.set(waiting)
    try:
        table = call()
    finally:
        joint._collecting.reset(token)
    (found,) = waiting
    n = table.n_cells
    return table, {found.labels[at][0]: found.replicates[at : at + n] for at in range(0, len(found.labels), max(1, n))}


def tolerance(name: str, values: np.ndarray) -> float:
    """What rounding leaves of a difference that should be nothing, in the statistic's unit."""
    size = float(np.nanmax(np.abs(values), initial=0.0))
    unit = {
        "var": size**2,
        "gini": 1.0,
        "top1": 1.0,
        "top10": 1.0,
        "p90/p10": 0.0,
        "share": 0.0,
        "sum": size * len(values),
    }
    return 1e-12 * unit.get(name, size)


def check(table: lr.Aggregate, got: dict[str, np.ndarray], wanted: dict[str, np.ndarray], values: np.ndarray) -> None:
    """Compare replicates, one cell and statistic after the other."""
    assert list(got) == list(wanted)
    for name in wanted:
        for at, cell in enumerate(cell_index(table)):
            np.testing.assert_allclose(
                got[name][at], wanted[name][at], rtol=1e-12, atol=tolerance(name, values), err_msg=f"{name} of {cell}"
            )
