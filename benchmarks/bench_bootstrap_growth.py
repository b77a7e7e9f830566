"""How the cost of a bootstrap grows with replicates and with rows: seconds of mean and median in 1,620 cells.

Replicates grow from 10 to 2,000 at 5 million rows; rows grow from half a million to 54 million at 100 replicates. The
table without intervals is taken off, so that what is shown is the resampling alone. With a folder the table is written
there as bootstrap_growth.csv and the figure as bootstrap_growth.png.

    python -m benchmarks.bench_bootstrap_growth [rows] [folder]
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import leoreturns as lr
from benchmarks.bench_aggregates import TABLES
from benchmarks.measure import person_years

REPLICATES = (10, 20, 50, 100, 200, 500, 1_000, 2_000)
ROWS = (500_000, 1_500_000, 5_000_000, 15_000_000, 54_000_000)
FIXED_ROWS, FIXED_REPLICATES = 5_000_000, 100
REPEATS = 3


def seconds(panel: lr.Panel, replicates: int | None) -> float:
    """Median seconds of a call, without intervals for None."""
    plan = None if replicates is None else lr.BootstrapPlan(replicates, seed=1, interval="normal")
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        lr.aggregate(panel, "earnings", by=TABLES["small"], statistics=["mean", "p50"], plan=plan, n_jobs=2)
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def run(rows: int) -> pd.DataFrame:
    """Time both series."""
    lines = []
    for n in [size for size in ROWS if size < rows] + [rows]:
        panel = lr.Panel.from_frame(person_years(n), person="person", time="tax_year", n_jobs=2)
        plain = seconds(panel, None)
        series = [("rows", FIXED_REPLICATES)]
        if n == min(rows, FIXED_ROWS):
            series += [("replicates", replicates) for replicates in REPLICATES]
        for grows, replicates in series:
            taken = seconds(panel, replicates) - plain
            lines.append({"grows": grows, "rows": n, "replicates": replicates, "seconds": taken})
            each = taken / (n * replicates) * 1e9
            print(
                f"{n:>12,} rows {replicates:>6,} replicates {taken:>8.3f} s  {each:.2f} ns each row of each",
                flush=True,
            )
    return pd.DataFrame(lines)


def draw(lines: pd.DataFrame, path: Path) -> None:
    """Two panels, with a line of slope one through the last point."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, grows in zip(axes, ("replicates", "rows"), strict=True):
        part = lines[lines["grows"] == grows].sort_values(grows)
        x, y = part[grows].to_numpy(dtype=np.float64), part["seconds"].to_numpy()
        axis.loglog(x, y[-1] * x / x[-1], color="0.6", linestyle="--", label="proportional")
        axis.loglog(x, y, marker="o", color="#0072b2", label="measured")
        axis.set_xlabel(grows)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        other = "rows" if grows == "replicates" else "replicates"
        axis.set_title(f"{int(part[other].iloc[0]):,} {other}", fontsize=10)
    axes[0].set_ylabel("seconds")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def main(rows: int, folder: Path | None) -> None:
    """Run, print, and write where asked."""
    lines = run(rows)
    if folder is not None:
        lines.to_csv(folder / "bootstrap_growth.csv", index=False, float_format="%.3f")
        draw(lines, folder / "bootstrap_growth.png")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS[-1], Path(sys.argv[2]) if len(sys.argv) > 2 else None)
