"""Fit the parameters of the simulation to published figures, and write them into the package.

    python tools/fit_simulation.py [population activity pay]

reads ``benchmarks/published.csv.gz`` and writes ``leoreturns/extract/simulate/fitted.npz``. Parts that are not named
stay as they are. Nothing here uses an estimator of the package: shares and activities are raked over the cells of
`population`, medians over a simulated population, until each published figure is met - by what its records tell: what
defects do to figures is measured first (`fit_records`).
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from fit_pay import fit_pay
from fit_records import measure_gaps, of_persons
from fit_shares import Array, fit_activities, fit_population

from leoreturns.extract.simulate import activities, careers, fitted, pay, population
from leoreturns.extract.simulate.effects import YEARS
from leoreturns.extract.simulate.population import DIMENSIONS, GROUPS, N_LEVEL

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "benchmarks" / "published.csv.gz"
TARGET = ROOT / "leoreturns" / "extract" / "simulate" / fitted.FILE


def published() -> pd.DataFrame:
    """Return the published figures by measure, dimension, group and level; one column per year."""
    table = pd.read_csv(PUBLISHED, comment="#", keep_default_na=False, dtype=str)
    table = table.set_index(["measure", "dimension", "group", "level"])
    return table.apply(pd.to_numeric, errors="coerce").sort_index()


def write(parts: Mapping[str, Mapping[str, Array]]) -> None:
    """Write the parameters: the same bytes for the same numbers."""
    with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for part in fitted.PARTS:
            for name, values in parts.get(part, {}).items():
                held = io.BytesIO()
                np.save(held, values.astype(np.float32))
                archive.writestr(zipfile.ZipInfo(f"{part}.{name}.npy", (1980, 1, 1, 0, 0, 0)), held.getvalue())


def start() -> dict[str, dict[str, Array]]:
    """Return the parameters there are; work and its spread begin without differences."""
    found = fitted.load() if TARGET.exists() else None
    parts = {part: dict(getattr(found, part, {})) for part in fitted.PARTS}
    nothing = {name: np.zeros((len(GROUPS[name]), N_LEVEL, YEARS)) for name in DIMENSIONS}
    nothing["all"] = np.zeros((N_LEVEL, YEARS))
    parts["work"] = parts["work"] or nothing
    parts["pay"] = nothing | {"ability": np.array([0.23, 0.395])} | parts["pay"]
    parts["pay"].setdefault("wider", np.ones((N_LEVEL, YEARS)))
    return parts


def main(wanted: list[str]) -> None:
    """Fit the parts that are wanted, or all; figures are those of persons whose records give the published ones."""
    table, parts = published(), start()
    write(parts)
    _forget()
    gaps = measure_gaps()
    persons = of_persons(table, gaps)
    for part in wanted or ("population", "activity", "pay"):
        if part == "population":
            parts[part] = fit_population(table, gaps.mixed_up)
        elif part == "activity":
            parts[part] = fit_activities(persons)
        else:
            parts["pay"], parts["work"] = fit_pay(persons, parts["pay"], parts["work"])
        write(parts)
        _forget()
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes")


def _forget() -> None:
    """Let the simulation read its parameters anew."""
    for cached in (fitted.load, population.cells, activities.effects, pay.effects, careers.work_effects):
        cached.cache_clear()


if __name__ == "__main__":
    main(sys.argv[1:])
