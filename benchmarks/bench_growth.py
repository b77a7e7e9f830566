"""How the cost of an aggregate grows with rows and with cells, beside DuckDB on the same data in the same process.

Count, mean, sd and exact p10, p25, p50, p75, p90, two threads each, median of three warm calls. Rows grow from half a
million to 54 million at 1,620 cells; cells grow from 10 to a million at the most rows. With a folder the table is
written there as growth.csv and the figure as growth.png.

    python benchmarks/bench_growth.py [rows] [folder]
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import leoreturns as lr
from benchmarks.bench_aggregates import STATISTICS, TABLES, duckdb_query
from benchmarks.measure import PERIODS, measure, person_years

ROWS = (500_000, 1_500_000, 5_000_000, 15_000_000, 54_000_000)
GROUPS = (1, 10, 100, 1_000, 10_000, 66_667)


def seconds(panel: lr.Panel, connection: duckdb.DuckDBPyConnection, keys: list[str]) -> tuple[int, float, float]:
    """Cells of the table, our seconds and DuckDB's."""
    ours = measure(lambda: lr.aggregate(panel, "earnings", by=keys, statistics=STATISTICS, n_jobs=2))
    theirs = measure(lambda: duckdb_query(connection, keys))
    return ours.result.n_cells, ours.warm, theirs.warm


def load(frame: pd.DataFrame) -> tuple[lr.Panel, duckdb.DuckDBPyConnection]:
    """The same rows as a Panel and as a DuckDB table."""
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("create table t as select * from frame")
    return lr.Panel.from_frame(frame, person="person", time="tax_year", n_jobs=2), connection


def by_rows(rows: int) -> list[dict[str, float | str]]:
    """Time growing numbers of rows at 1,620 cells."""
    lines = []
    for n in [size for size in ROWS if size < rows] + [rows]:
        panel, connection = load(person_years(n))
        n_cells, ours, theirs = seconds(panel, connection, TABLES["small"])
        lines.append({"grows": "rows", "rows": n, "cells": n_cells, "leoreturns": ours, "duckdb": theirs})
        print(
            f"{n:>12,} rows {n_cells:>10,} cells {ours:>8.3f} s {theirs:>8.3f} s  ratio {ours / theirs:.2f}", flush=True
        )
    return lines


def by_cells(rows: int) -> list[dict[str, float | str]]:
    """Time growing numbers of cells: a group of persons, crossed with the years but for the first."""
    frame = person_years(rows)
    draw = np.random.default_rng(7)
    for groups in GROUPS[1:]:
        frame[f"group_{groups}"] = draw.integers(0, groups, rows // PERIODS, dtype=np.int32)[frame["person"]]
    panel, connection = load(frame)
    del frame
    lines = []
    tables = [["group_10"], ["years_since_ks4"], *([f"group_{groups}", "years_since_ks4"] for groups in GROUPS[1:])]
    for keys in tables:
        n_cells, ours, theirs = seconds(panel, connection, keys)
        lines.append({"grows": "cells", "rows": rows, "cells": n_cells, "leoreturns": ours, "duckdb": theirs})
        print(
            f"{rows:>12,} rows {n_cells:>10,} cells {ours:>8.3f} s {theirs:>8.3f} s  ratio {ours / theirs:.2f}",
            flush=True,
        )
    return lines


def draw(lines: pd.DataFrame, path: Path) -> None:
    """Two panels: seconds by rows, and by cells."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, grows in zip(axes, ("rows", "cells"), strict=True):
        part = lines[lines["grows"] == grows]
        for name, label, colour, marker in (
            ("leoreturns", "leoreturns, with evidence", "#0072b2", "o"),
            ("duckdb", "DuckDB", "#d55e00", "s"),
        ):
            axis.loglog(part[grows], part[name], marker=marker, color=colour, label=label)
        axis.set_xlabel(grows)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("seconds")
    axes[0].legend(frameon=False)
    axes[0].set_title("1,620 cells", fontsize=10)
    axes[1].set_title(f"{int(lines['rows'].max()):,} rows", fontsize=10)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def main(rows: int, folder: Path | None) -> None:
    """Run both, print the table, and write it where asked."""
    lines = pd.DataFrame([*by_rows(rows), *by_cells(rows)])
    if folder is not None:
        lines.to_csv(folder / "growth.csv", index=False, float_format="%.3f")
        draw(lines, folder / "growth.png")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS[-1], Path(sys.argv[2]) if len(sys.argv) > 2 else None)
