"""A batch on two workers against the same jobs one after the other, each on one thread: 200 jobs of some two seconds.

Labour market outcomes with intervals at ten ages, each without one of twenty parts of the persons. The replicates are
as many as make a job take its time. Bars: at least 1.8 times as fast, and the same bytes.

    python -m benchmarks.bench_batch [jobs] [seconds a job]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import numpy as np

import leoreturns as lr
from leoreturns.batch.folder import LOG

JOBS, SECONDS, WORKERS = 200, 2.0, 2
PERSONS, SEED = 60_000, 7
YEARS = range(4, 14)
FASTER = 1.8
TRIED = 99  # replicates of the job that the others are measured by


def spec_text(groups: int, replicates: int) -> str:
    """Return a spec of a study for each age, in groups that each lack one part of the persons."""
    lines = ["[definitions.main]", 'panel = "panel"', "[plan]", f"n_replicates = {replicates}", "seed = 1", "[groups]"]
    lines += [f'without_{part} = "part != {part}"' for part in range(groups)]
    for year in YEARS:
        lines += ["[[study]]", f'name = "year_{year}"', 'ask = "labour_outcomes"', f"year = {year}", "intervals = true"]
        lines += ['characteristics = ["sex", "fsm", "ethnicity"]']
    return "\n".join(lines)


def timed(folder: Path, to: str, **options: object) -> float:
    """Run the batch of a folder and return the seconds it took."""
    start = time.perf_counter()
    batch = lr.run_batch(folder / "spec.toml", to=folder / to, show=lambda _: None, **options)
    seconds = time.perf_counter() - start
    assert not batch.failed, batch.failed
    return seconds


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a batch but the log."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != LOG)
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def main(jobs: int, seconds: float) -> bool:
    """Return whether both bars are met."""
    os.environ["LEORETURNS_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder, groups = Path(name), max(1, jobs // len(YEARS))
        definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator())
        panel = lr.simulate_panel(n_persons=PERSONS, seed=SEED, definitions=definitions)
        part = np.random.default_rng(SEED).integers(0, max(groups, 2), panel.n_person_stored).astype(float)
        panel.assign(level="person", part=part).save(folder / "panel")
        (folder / "spec.toml").write_text(spec_text(groups, TRIED))
        only = f"year_{YEARS[-1]}-without_0-main"
        for _ in range(2):  # the first time also reads the panel from the disk
            timed(folder, "tried", n_jobs=1, only=only, resume=False)
        tried = json.loads((folder / "tried" / LOG).read_text().splitlines()[-1])["seconds"]
        (folder / "spec.toml").write_text(spec_text(groups, max(19, round(TRIED * seconds / tried))))
        alone = timed(folder, "alone", n_jobs=1)
        together = timed(folder, "together", n_jobs=WORKERS)
        same = contents(folder / "alone") == contents(folder / "together")
    n = groups * len(YEARS)
    print(f"{n:,} jobs of {alone / n:.2f} s: {alone:.0f} s one after the other, {together:.0f} s by {WORKERS} workers")
    print(f"{alone / together:.2f} times as fast (bar {FASTER}), {'the same' if same else 'other'} bytes")
    return alone / together >= FASTER and same


if __name__ == "__main__":
    given = [float(text) for text in sys.argv[1:]]
    raise SystemExit(0 if main(int(given[0]) if given else JOBS, given[1] if given[1:] else SECONDS) else 1)
