"""Person-period tables for the tests of aggregate(), and the comparison of its results."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd

import leoreturns as lr
from leoreturns.results.interval import ContrastTable

WHOLE_PENCE = 100


def earnings(n_person: int = 150, seed: int = 0) -> pd.DataFrame:
    """An unbalanced table: gaps, missing keys and values, zeros, losses, ties, and two kinds of weights."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 7, n_person)
    who = np.repeat(np.arange(n_person), counts)
    n = len(who)
    pay = np.round(rng.lognormal(9.5, 0.8, n), 2)
    kind = rng.random(n)
    pay = np.where(kind < 0.12, 0.0, np.where(kind < 0.18, -np.round(pay / 20, 2), pay))
    pay = np.where((kind > 0.6) & (kind < 0.75), 12500.0, pay)
    frame = pd.DataFrame(
        {
            "person": who * 7 + 3,
            "tax_year": np.concatenate([2010 + np.sort(rng.permutation(8)[:count]) for count in counts]),
            "sex": np.array(["F", "M"])[rng.integers(0, 2, n_person)][who],
            "cohort": rng.integers(2001, 2004, n_person)[who],
            "region": rng.choice(np.array(["North", "South", "East", None], dtype=object), n),
            "pay": pay,
            "gross": np.abs(pay),
            "hours": rng.integers(0, 50, n),
            "employed": rng.random(n) < 0.7,
            "count": rng.integers(0, 5, n),
            "chance": np.round(rng.uniform(0, 3, n), 3) * (rng.random(n) > 0.05),
            "school": np.array([f"school {k}" for k in rng.integers(0, 9, n_person)])[who],
            "employer": rng.integers(9000, 9030, n),
        }
    )
    frame.loc[rng.random(n) < 0.1, ["pay", "gross"]] = np.nan
    return frame


def panel_of(frame: pd.DataFrame, **options: object) -> lr.Panel:
    return lr.Panel.from_frame(frame, person="person", time="tax_year", **options)


def cell_index(table: lr.Aggregate) -> list[tuple[object, ...]]:
    """The levels of every cell, in the table's order."""
    return list(zip(*(key.values().tolist() for key in table.keys.values()), strict=True)) or [()]


def arrays_of(table: lr.Aggregate) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Every array of a table, as type, shape and bytes: equal means equal to the last bit."""
    evidence = table.evidence
    found: dict[str, np.ndarray] = {f"statistic {name}": values for name, values in table.statistics.items()}
    found |= {f"key {name}": key.codes for name, key in table.keys.items()}
    found |= {f"entities {name}": count for name, count in evidence.entities.items()}
    for name, sides in evidence.tails.items():
        found |= {f"tail {name} {side}": getattr(sides, side) for side in ("below", "tied", "above")}
    for name in evidence.__slots__:
        if isinstance(getattr(evidence, name), np.ndarray):
            found[name] = getattr(evidence, name)
    found |= uncertainty_of("", table)
    for number, contrast in enumerate(table.contrasts):
        found |= {f"{number} {name}": values for name, values in contrast.statistics.items()}
        found |= {f"{number} cells": contrast.cells, f"{number} base_cells": contrast.base_cells}
        found |= uncertainty_of(f"{number} ", contrast)
    return {name: (values.dtype.str, values.shape, values.tobytes()) for name, values in found.items()}


def uncertainty_of(label: str, table: lr.Aggregate | ContrastTable) -> dict[str, np.ndarray]:
    """The arrays of a table's intervals and bands."""
    found = {}
    for kind, entries in (("interval", table.intervals), ("band", table.bands)):
        for name, entry in entries.items():
            parts = {part.name: getattr(entry, part.name) for part in fields(entry)}
            found |= {f"{label}{kind} {name} {part}": v for part, v in parts.items() if isinstance(v, np.ndarray)}
    return found


def assert_same_bytes(first: lr.Aggregate, second: lr.Aggregate) -> None:
    one, other = arrays_of(first), arrays_of(second)
    assert one.keys() == other.keys()
    different = [name for name in one if one[name] != other[name]]
    assert different == []
    assert {name: key.labels for name, key in first.keys.items()} == {
        name: key.labels for name, key in second.keys.items()
    }
    assert (first.variable, first.unit, first.owners) == (second.variable, second.unit, second.owners)
    assert first.flow.steps[-1].persons == second.flow.steps[-1].persons
    assert first.flow.steps[-1].rows == second.flow.steps[-1].rows
