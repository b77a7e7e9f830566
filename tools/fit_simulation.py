"""Fit the parameters of the simulation to published figures, and write them into the package.

    python tools/fit_simulation.py [population activity pay]

reads ``benchmarks/published.csv.gz`` and writes ``leoreturns/extract/simulate/fitted.npz``. Parts that are not named
stay as they are. Nothing here uses an estimator of the package: shares and activities are raked over the cells of
`population`, medians over a simulated population, until each published figure is met.
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
from fit_shares import Array, fit_activities, fit_population

from leoreturns.extract.simulate import activities, fitted, population

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


def main(wanted: list[str]) -> None:
    """Fit the parts that are wanted, or all."""
    table = published()
    parts: dict[str, Mapping[str, Array]] = {}
    if TARGET.exists():
        found = fitted.load()
        parts = {part: getattr(found, part) for part in fitted.PARTS}
    for part, fit in {"population": fit_population, "activity": fit_activities, "pay": fit_pay}.items():
        if not wanted or part in wanted:
            parts[part] = fit(table, parts["pay"]) if part == "pay" and parts.get("pay") else fit(table)
            write(parts)
            fitted.load.cache_clear()
            population.cells.cache_clear()
            activities.effects.cache_clear()
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
