"""From the linked tables to the panel at national scale: 3.6 million simulated persons, all tables.

Bars: the build under eight minutes on two cores and under 10 GB, and the simulation before it under fifteen minutes and
12 GB. A folder that holds a simulated extract already is taken as it is.

    python -m benchmarks.bench_build [persons] [folder]
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure import PeakMemory
from leoreturns.extract.simulate import simulate_extract
from leoreturns.extract.source import open_extract
from leoreturns.panel.build import build_panel
from leoreturns.panel.definitions import Definitions, illustrative_deflator
from leoreturns.panel.waterfall import Waterfall

JOBS = 2
BARS = {"simulate": (900.0, 12.0), "build": (480.0, 10.0)}  # seconds, gigabytes


def main(persons: int, folder: Path) -> bool:
    """Simulate where needed and build once; return whether the bars are met."""
    met = True
    extract = folder / "extract"
    if not extract.exists():
        met = measured("simulate", lambda: simulate_extract(extract, n_persons=persons, seed=1, n_jobs=JOBS).close())
    met &= measured("build", lambda: build(extract, folder / "panel"))
    return met


def build(extract: Path, to: Path) -> None:
    """Build the panel and print what it is."""
    shutil.rmtree(to, ignore_errors=True)
    definitions = Definitions.preset("dfe-2021", deflator=illustrative_deflator())
    with open_extract(extract) as source:
        panel = build_panel(source, definitions=definitions, to=to, n_jobs=JOBS)
    stored = sum(path.stat().st_size for path in to.rglob("*") if path.is_file()) / 1e9
    print(Waterfall.of(panel.settings))
    print(f"{panel!r}, {stored:.1f} GB stored")


def measured(name: str, call: Callable[[], Any]) -> bool:
    """Print the time and the peak memory of the process; return whether both are under their bars."""
    seconds_bar, gigabytes_bar = BARS[name]
    before = psutil.Process().memory_info().rss / 1e9
    with PeakMemory() as memory:
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
    peak = before + memory.gigabytes
    print(
        f"{name}: {seconds:.0f} s (bar {seconds_bar:.0f}), {peak:.1f} GB in all (bar {gigabytes_bar:.0f})", flush=True
    )
    return seconds < seconds_bar and peak < gigabytes_bar


if __name__ == "__main__":
    os.environ.setdefault("LEORETURNS_PROGRESS", "0")
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 3_600_000
    if len(sys.argv) > 2:
        raise SystemExit(0 if main(wanted, Path(sys.argv[2])) else 1)
    with tempfile.TemporaryDirectory() as temporary:
        raise SystemExit(0 if main(wanted, Path(temporary)) else 1)
