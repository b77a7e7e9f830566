"""Memory and time of building a Panel from shuffled person-years.

    python benchmarks/bench_panel_memory.py [rows]

The bar, at 54 million rows (float64 earnings, int16 year, five int8 traits, an int64 id): a peak of at most the
input, the panel and 1 GB. The peak is the high-water mark of the process's resident memory; the input is made in
another process and read column by column, so that making it does not count.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from leoreturns.panel import Panel

PERIODS = 15
TRAITS = {"sex": 2, "fsm": 2, "level": 3, "region": 9, "route": 12}
BAR_GB = 1.0
GB = 1e9


def write_input(folder: Path, n_row: int, id_dtype: str) -> None:
    """Write shuffled columns of n_row person-years."""
    rng = np.random.default_rng(20)
    order = rng.permutation(n_row)
    person = (order // PERIODS).astype(np.int64)
    np.save(folder / "year.npy", (2004 + order % PERIODS).astype(np.int16))
    del order
    for name, count in TRAITS.items():
        trait = rng.integers(0, count, n_row // PERIODS + 1, dtype=np.int8)
        np.save(folder / f"{name}.npy", trait[person])
    np.save(folder / "earnings.npy", np.exp(rng.normal(9.6, 0.7, n_row)).round(2))
    np.save(folder / "person.npy", (person * 7 + 1_000_003).astype(id_dtype))


def read_input(folder: Path) -> pd.DataFrame:
    """Read the columns into memory as a DataFrame that owns no copy."""
    return pd.DataFrame({path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}, copy=False)


def stored_bytes(panel: Panel) -> int:
    """Return the bytes of everything that the panel stores."""
    arrays = [panel.keys, panel.offsets, panel.ids.data, *panel.people.values(), *panel.years.values()]
    return sum(array.nbytes for array in arrays)


def peak_bytes() -> int:
    """Return the high-water mark of resident memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    """Build once; print what it took; return 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=54_000_000)
    parser.add_argument("--id", choices=["int32", "int64"], default="int64")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write_input(arguments.write, arguments.rows, arguments.id)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own, so that making the input does not count.
        make = [sys.executable, __file__, str(arguments.rows), "--id", arguments.id, "--write", folder]
        subprocess.run(make, check=True)
        frame = read_input(Path(folder))
    before = peak_bytes()
    given = int(frame.memory_usage(index=False).sum())
    start = time.perf_counter()
    panel = Panel.from_frame(frame, person="person", time="year", units={"earnings": "GBP/year"}, n_jobs=arguments.jobs)
    seconds = time.perf_counter() - start
    peak, stored = peak_bytes(), stored_bytes(panel)
    over = peak - before - stored
    print(f"{arguments.rows:,} rows, {panel.n_person:,} persons, {arguments.id} id, {arguments.jobs} threads")
    print(f"input {given / GB:.2f} GB, panel {stored / GB:.2f} GB")
    print(f"process before {before / GB:.2f} GB, peak {peak / GB:.2f} GB")
    print(f"over input and panel {over / GB:.2f} GB (bar {BAR_GB:.1f}), {seconds:.1f} s")
    return int(over > BAR_GB * GB)


if __name__ == "__main__":
    sys.exit(main())
