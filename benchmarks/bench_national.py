"""Bootstrap at national scale: 54 million person-years, 1,620 cells, 999 replicates of mean, p25, p50 and p75 jointly.

Bars: under four minutes on two cores, and under 8 GB for the whole process. No other tool finishes this to be compared
with.

    python -m benchmarks.bench_national [rows]
"""

from __future__ import annotations

import sys
import time

import psutil

import leoreturns as lr
from benchmarks.measure import PeakMemory, person_years

KEYS = ["years_since_ks4", "education", "fsm", "sex", "region"]
STATISTICS = ["mean", "p25", "p50", "p75"]
SECONDS, GIGABYTES = 240.0, 8.0


def main(rows: int) -> bool:
    """Run once; return whether both bars are met."""
    panel = lr.Panel.from_frame(person_years(rows), person="person", time="tax_year", units={"earnings": "GBP/year"})
    plan = lr.BootstrapPlan(999, seed=1)
    held = psutil.Process().memory_info().rss / 1e9
    with PeakMemory() as memory:
        start = time.perf_counter()
        table = lr.aggregate(panel, "earnings", by=KEYS, statistics=STATISTICS, plan=plan, n_jobs=2)
        seconds = time.perf_counter() - start
    peak = held + memory.gigabytes
    print(f"{rows:,} rows, {table.n_cells:,} cells, 999 replicates of {', '.join(STATISTICS)}")
    print(f"{seconds:.1f} s (bar {SECONDS:.0f})")
    print(f"{memory.gigabytes:.2f} GB above the panel, {peak:.2f} GB in all (bar {GIGABYTES:.0f})")
    return seconds < SECONDS and peak < GIGABYTES


if __name__ == "__main__":
    raise SystemExit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 54_000_000) else 1)
