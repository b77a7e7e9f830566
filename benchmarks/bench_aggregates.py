"""Grouped count, mean, sd and exact p10, p25, p50, p75, p90: leoreturns with its evidence against DuckDB without any.

Two threads each, one process. Timed: the call on a Panel built outside the clock, and DuckDB's query on its own loaded
table; the median of three calls after a warm-up. Printed beside it: the first call, peak memory above the loaded data,
and the time from an unsorted DataFrame.

    python benchmarks/bench_aggregates.py [rows]          54 million rows by default
"""

from __future__ import annotations

import sys
import time

import duckdb
import numpy as np
import pandas as pd

import leoreturns as lr
from benchmarks.measure import Measured, PeakMemory, measure, person_years

STATISTICS = ["n_value", "mean", "sd", "p10", "p25", "p50", "p75", "p90"]
TABLES = {
    "small": ["years_since_ks4", "education", "fsm", "sex", "region"],
    "large": ["school", "years_since_ks4", "sex"],
}
BAR = 0.5


def duckdb_query(connection: duckdb.DuckDBPyConnection, keys: list[str]) -> pd.DataFrame:
    """The same table in SQL."""
    names = ", ".join(keys)
    return connection.sql(
        f"select {names}, count(earnings) n_value, avg(earnings) mean, stddev_samp(earnings) sd, "
        f"quantile_cont(earnings, [0.1, 0.25, 0.5, 0.75, 0.9]) q from t group by {names}"
    ).to_arrow_table()


def largest_difference(ours: lr.Aggregate, theirs: object, keys: list[str]) -> float:
    """Largest relative difference of any statistic in any cell."""
    frame = theirs.to_pandas().sort_values(keys, ignore_index=True)  # type: ignore[attr-defined]
    quantiles = np.stack(frame.pop("q").to_numpy())
    expected = np.column_stack([frame[["n_value", "mean", "sd"]].to_numpy(float), quantiles])
    return float(np.abs(ours.to_frame()[STATISTICS].to_numpy(float) / expected - 1).max())


def line(name: str, measured: Measured) -> str:
    return f"{name:<12}{measured.warm:>10.2f}{measured.first:>12.2f}{measured.peak:>10.2f}"


def main(rows: int) -> bool:
    """Run both tables; return whether every bar is met."""
    frame = person_years(rows)
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("create table t as select * from frame")
    start = time.perf_counter()
    with PeakMemory() as memory:
        panel = lr.Panel.from_frame(frame, person="person", time="tax_year", units={"earnings": "GBP/year"}, n_jobs=2)
    building = time.perf_counter() - start
    print(f"{rows:,} rows; Panel from an unsorted DataFrame: {building:.1f} s, {memory.gigabytes:.2f} GB more memory\n")
    del frame
    met = True
    for name, keys in TABLES.items():
        ours = measure(lambda keys=keys: lr.aggregate(panel, "earnings", by=keys, statistics=STATISTICS, n_jobs=2))
        theirs = measure(lambda keys=keys: duckdb_query(connection, keys))
        ratio, difference = ours.warm / theirs.warm, largest_difference(ours.result, theirs.result, keys)
        print(f"{name}: {ours.result.n_cells:,} cells\n{'':<12}{'warm s':>10}{'first s':>12}{'peak GB':>10}")
        print(line("leoreturns", ours))
        print(line(f"DuckDB {duckdb.__version__}", theirs))
        print(f"ratio of warm times {ratio:.2f} (bar {BAR}); largest relative difference {difference:.1e}")
        print(f"from the unsorted DataFrame, first call: {building + ours.first:.1f} s\n")
        met &= ratio <= BAR and ours.peak <= theirs.peak and difference < 1e-12
    print("every bar met" if met else "A BAR IS NOT MET")
    return met


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 54_000_000))
