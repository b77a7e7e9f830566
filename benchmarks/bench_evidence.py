"""What the disclosure evidence costs: the same aggregate on kernels compiled without it.

A build of the kernels with the evidence left out is made in a temporary folder and its modules take the place of the
package's in this process. The two are timed in turn, so that a drift of the machine's speed touches both. Person-set
sketches are off in both, and their own cost is printed beside.

    python benchmarks/bench_evidence.py [rows]          54 million rows by default
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import leoreturns as lr
from benchmarks.measure import REPEATS, person_years
from leoreturns.aggregates import compute, describe, rows

ROOT = Path(__file__).resolve().parents[1]
BAR = 0.20
STATISTICS = ["n_value", "mean", "sd", "p10", "p25", "p50", "p75", "p90"]
TABLES = {
    "small": ["years_since_ks4", "education", "fsm", "sex", "region"],
    "large": ["school", "years_since_ks4", "sex"],
}
USERS = {"gather": rows, "moments": describe, "quantiles": describe}


def build_without_evidence(folder: Path) -> dict[str, ModuleType]:
    """Compile the kernels without evidence into `folder` and load them beside the package's own."""
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(folder)]
    environment = {**os.environ, "LEORETURNS_EVIDENCE": "0"}
    subprocess.run(command, cwd=ROOT, check=True, env=environment, capture_output=True)
    modules = {}
    for name in USERS:
        (path,) = folder.rglob(f"{name}.*")
        loader = importlib.machinery.ExtensionFileLoader(f"leoreturns._core.{name}", str(path))
        spec = importlib.util.spec_from_loader(loader.name, loader)
        assert spec is not None
        modules[name] = importlib.util.module_from_spec(spec)
        loader.exec_module(modules[name])
    return modules


@contextlib.contextmanager
def replaced(modules: dict[str, ModuleType]) -> Iterator[None]:
    """Let the package use other kernels while the block runs."""
    own = {name: getattr(user, name) for name, user in USERS.items()}
    for name, user in USERS.items():
        setattr(user, name, modules.get(name, own[name]))
    try:
        yield
    finally:
        for name, user in USERS.items():
            setattr(user, name, own[name])


def seconds(panel: lr.Panel, keys: list[str]) -> float:
    start = time.perf_counter()
    lr.aggregate(panel, "earnings", by=keys, statistics=STATISTICS, n_jobs=2)
    return time.perf_counter() - start


def main(n_rows: int) -> bool:
    """Time both builds on both tables; return whether the bar is met."""
    panel = lr.Panel.from_frame(person_years(n_rows), person="person", time="tax_year", units={"earnings": "GBP/year"})
    with tempfile.TemporaryDirectory() as folder:
        without = build_without_evidence(Path(folder))
        sketched, met = compute.MAX_SKETCHED_CELLS, True
        print(f"{n_rows:,} rows, median of {REPEATS} warm calls in turn")
        for name, keys in TABLES.items():
            times: dict[str, list[float]] = {"with": [], "without": [], "sketched": []}
            for _ in range(REPEATS + 1):
                times["sketched"].append(seconds(panel, keys))
                compute.MAX_SKETCHED_CELLS = 0
                times["with"].append(seconds(panel, keys))
                with replaced(without):
                    times["without"].append(seconds(panel, keys))
                compute.MAX_SKETCHED_CELLS = sketched
            warm = {kind: statistics.median(values[1:]) for kind, values in times.items()}
            cost = warm["with"] / warm["without"] - 1
            met &= cost <= BAR
            print(f"{name}: without {warm['without']:.2f} s, with {warm['with']:.2f} s: {cost:+.0%} (bar {BAR:.0%})")
            print(f"{'':<7}with sketches too {warm['sketched']:.2f} s: {warm['sketched'] / warm['without'] - 1:+.0%}")
    print("bar met" if met else "THE BAR IS NOT MET")
    return met


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 54_000_000))
