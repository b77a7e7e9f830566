"""Coverage of 95% bootstrap intervals and bands over 2,000 samples, by method and size of the sample.

Earnings are log-normal, rounded to whole pounds, so that what an interval should contain is known by formula: with m
the median and s the standard deviation of the logarithm, the mean is m exp(s**2 / 2), percentile p is m exp(s z_p) and
the Gini coefficient 2 Phi(s / sqrt 2) - 1. Rounding moves them by less than half a pound.

- cells: n persons of each of two groups; intervals of the first group's statistics and of the gap between the two.
- schools: n schools of 10 to 50 pupils with a common school effect, resampled by school.
- years: n persons over 15 years, whose earnings have a lasting and an autocorrelated part; a trajectory is covered only
  if every year of it is.

The samples are the cells of one table: persons and schools differ between samples, so their replicate weights do too. A
sample hangs on the seed, the design, n and its number alone. With a folder every finished job is added there to
coverage.csv and coverage.log, what the first holds is not run again, and coverage.md and coverage.png are made of it.

    python -m benchmarks.coverage [folder]
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

import leoreturns as lr
from benchmarks.coverage_report import HIGHEST, LEVEL, LOWEST, as_markdown, draw
from leoreturns._typing import AnyArray, FloatArray

SEED = 314_159
SAMPLES, REPLICATES = 2_000, 999
BAR_SIZE = 500
BATCH_ROWS = 2_000_000
PERSONS_PER_SAMPLE, SCHOOLS_PER_SAMPLE = 1_000_000, 1_000  # ids that each sample has to itself

log = logging.getLogger("coverage")


@dataclass(frozen=True)
class LogNormal:
    """Earnings in a population: their median, and the standard deviation of their logarithm."""

    median: float
    sigma: float

    def truth(self, statistic: str) -> float:
        if statistic == "mean":
            return self.median * math.exp(self.sigma**2 / 2)
        if statistic == "gini":
            return float(2 * ndtr(self.sigma / math.sqrt(2)) - 1)
        return self.median * math.exp(self.sigma * float(ndtri(int(statistic[1:]) / 100)))


BASE, OTHER = LogNormal(20_000, 0.6), LogNormal(24_000, 0.5)
SCHOOL_SD, SMALLEST_SCHOOL, LARGEST_SCHOOL = 0.2, 10, 50
# Variances of the lasting and the autocorrelated part add up to that of BASE in every year; logs grow by 0.04.
YEARS, GROWTH, LASTING_SD, PASSING_SD, AUTOCORRELATION = 15, 0.04, math.sqrt(0.2), 0.4, 0.7


def draw_groups(draw: np.random.Generator, n: int) -> dict[str, AnyArray]:
    """Simple random samples of n persons from either group."""
    logs = [math.log(group.median) + group.sigma * draw.standard_normal(n) for group in (BASE, OTHER)]
    return {
        "person": np.arange(2 * n),
        "year": np.zeros(2 * n, dtype=np.int64),
        "group": np.repeat([0, 1], n),
        "log_earnings": np.concatenate(logs),
    }


def draw_schools(draw: np.random.Generator, n: int) -> dict[str, AnyArray]:
    """Samples of n schools whose pupils are all observed."""
    sizes = draw.integers(SMALLEST_SCHOOL, LARGEST_SCHOOL, n, endpoint=True)
    school = np.repeat(np.arange(n), sizes)
    own_sd = math.sqrt(BASE.sigma**2 - SCHOOL_SD**2)
    effect = SCHOOL_SD * draw.standard_normal(n)[school] + own_sd * draw.standard_normal(len(school))
    return {
        "person": np.arange(len(school)),
        "year": np.zeros(len(school), dtype=np.int64),
        "school": school,
        "log_earnings": math.log(BASE.median) + effect,
    }


def draw_years(draw: np.random.Generator, n: int) -> dict[str, AnyArray]:
    """Samples of n persons, each observed in every year."""
    passing = np.empty((n, YEARS))
    passing[:, 0] = draw.standard_normal(n)
    for year in range(1, YEARS):
        shock = math.sqrt(1 - AUTOCORRELATION**2) * draw.standard_normal(n)
        passing[:, year] = AUTOCORRELATION * passing[:, year - 1] + shock
    lasting = LASTING_SD * draw.standard_normal((n, 1))
    logs = math.log(BASE.median) + GROWTH * np.arange(YEARS) + lasting + PASSING_SD * passing
    return {
        "person": np.repeat(np.arange(n), YEARS),
        "year": np.tile(np.arange(YEARS), n),
        "log_earnings": logs.ravel(),
    }


@dataclass(frozen=True)
class Method:
    """A plan's settings, and the statistics of a design that it is tried on."""

    statistics: Sequence[str]
    interval: str = "percentile"
    scheme: str = "poisson"
    unit: str = "person"
    rule: int = 7

    @property
    def name(self) -> str:
        if self.interval == "exact":
            return f"exact, rule {self.rule}"
        return self.interval if self.scheme == "poisson" else f"{self.interval}, {self.scheme}"

    def plan(self, panel: lr.Panel, strata: Sequence[str]) -> lr.BootstrapPlan:
        frame: dict[str, Any] = {"frame": panel, "strata": strata} if self.scheme == "multinomial" else {}
        return lr.BootstrapPlan(
            REPLICATES,
            unit=self.unit,
            seed=SEED,
            scheme=self.scheme,
            interval=self.interval,
            level=LEVEL,
            **frame,
        )


class Ends(NamedTuple):
    """Intervals of one statistic: the truth (k,) and ends (n_samples, k), covered if all k are; dropped replicates."""

    truth: FloatArray
    low: FloatArray
    high: FloatArray
    dropped: AnyArray


def _ends(truth: Sequence[float], found: Any, dropped: AnyArray) -> Ends:
    k = len(truth)
    return Ends(np.array(truth), found.low.reshape(-1, k), found.high.reshape(-1, k), dropped.reshape(-1, k))


def cell_intervals(panel: lr.Panel, method: Method) -> dict[str, Ends]:
    """Statistics of the first group, and gaps where contrasts take this kind of interval."""
    joint = method.interval in ("percentile", "basic", "normal")
    table = lr.aggregate(
        panel,
        "earnings",
        by=["sample", "group"],
        statistics=method.statistics,
        plan=method.plan(panel, ["sample", "group"]),
        contrasts=lr.Contrast("group", 1, 0) if joint else (),
        where=None if joint else "group == 0",
        quantile_rule=method.rule,
        n_jobs=2,
    )
    first, found = table.keys["group"].codes == 0, {}
    for name in method.statistics:
        interval = table.intervals[name]
        found[name] = Ends(
            np.array([BASE.truth(name)]),
            *(column[first, np.newaxis] for column in (interval.low, interval.high, interval.n_dropped)),
        )
        if joint and name in ("mean", "p50"):
            gap = table.contrasts[0].intervals[name]
            truth = OTHER.truth(name) - BASE.truth(name)
            found[f"gap of {name}"] = _ends([truth], gap, gap.n_dropped)
    return found


def school_intervals(panel: lr.Panel, method: Method) -> dict[str, Ends]:
    """Statistics of all pupils of a sample."""
    table = lr.aggregate(
        panel,
        "earnings",
        by="sample",
        statistics=method.statistics,
        plan=method.plan(panel, ["sample"]),
        quantile_rule=method.rule,
        n_jobs=2,
    )
    return {
        name: _ends([BASE.truth(name)], table.intervals[name], table.intervals[name].n_dropped)
        for name in method.statistics
    }


def trajectory_intervals(panel: lr.Panel, method: Method) -> dict[str, Ends]:
    """Simultaneous bands over the years, and the intervals of single years taken as if they were one."""
    table = lr.aggregate(
        panel,
        "earnings",
        by=["sample", "year"],
        statistics=method.statistics,
        plan=method.plan(panel, ["sample"]),
        bands="year",
        quantile_rule=method.rule,
        n_jobs=2,
    )
    found = {}
    for name in method.statistics:
        truth = [BASE.truth(name) * math.exp(GROWTH * year) for year in range(YEARS)]
        dropped = table.intervals[name].n_dropped
        found[f"band of {name}"] = _ends(truth, table.bands[name], dropped)
        found[f"single years of {name}"] = _ends(truth, table.intervals[name], dropped)
    return found


@dataclass(frozen=True)
class Design:
    """How samples of size n are drawn, and what is estimated from them."""

    name: str
    rows: int  # of a sample, for each of n
    sizes: Sequence[int]
    draw: Callable[[np.random.Generator, int], dict[str, AnyArray]]
    intervals: Callable[[lr.Panel, Method], dict[str, Ends]]
    methods: Sequence[Method]

    def panel(self, n: int, samples: range) -> lr.Panel:
        """Several samples side by side."""
        parts = [self._sample(n, sample) for sample in samples]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        columns["earnings"] = np.rint(np.exp(columns.pop("log_earnings")))
        traits = [name for name in ("sample", "group", "school") if name in columns]
        return lr.Panel.from_frame(columns, person="person", time="year", traits=traits, n_jobs=2)

    def _sample(self, n: int, sample: int) -> dict[str, AnyArray]:
        columns = self.draw(np.random.default_rng([SEED, *self.name.encode(), n, sample]), n)
        columns["sample"] = np.full(len(columns["person"]), sample)
        columns["person"] += sample * PERSONS_PER_SAMPLE
        if "school" in columns:
            columns["school"] += sample * SCHOOLS_PER_SAMPLE
        return columns


ALL = ("mean", "p50", "p90", "gini")
CELLS = Design(
    "cells",
    2,
    (20, 50, 200, 500, 2_000),
    draw_groups,
    cell_intervals,
    (
        Method(ALL),
        Method(ALL, "basic"),
        Method(ALL, "normal"),
        Method(ALL, "bca"),
        Method(("mean",), "studentised"),
        Method(("p50", "p90"), "exact", rule=1),
        Method(("p50",), "exact", rule=2),
        Method(("p50",), "exact", rule=7),
        Method(ALL, scheme="bayesian"),
        Method(ALL, scheme="multinomial"),
    ),
)
SCHOOLS = Design(
    "schools",
    (SMALLEST_SCHOOL + LARGEST_SCHOOL) // 2,
    (40, 100, 400),
    draw_schools,
    school_intervals,
    (
        Method(("mean", "p50"), unit="school"),
        Method(("mean", "p50"), "normal", unit="school"),
        Method(("mean", "p50"), "bca", unit="school"),
        Method(("mean",), "studentised", unit="school"),
        Method(("mean", "p50"), scheme="multinomial", unit="school"),
    ),
)
TRAJECTORIES = Design(
    "years", YEARS, (20, 50, 200, 500, 2_000), draw_years, trajectory_intervals, (Method(("mean", "p50")),)
)
DESIGNS = (CELLS, SCHOOLS, TRAJECTORIES)


def run(design: Design, n: int, method: Method, samples: int = SAMPLES) -> list[dict[str, Any]]:
    """Run one job, some samples at a time; return one line per statistic."""
    size = max(1, BATCH_ROWS // (design.rows * n))
    batches = [range(first, min(first + size, samples)) for first in range(0, samples, size)]
    found = [design.intervals(design.panel(n, batch), method) for batch in batches]
    lines = []
    for statistic in found[0]:
        truth = found[0][statistic].truth
        low, high, dropped = (
            np.concatenate([getattr(part[statistic], end) for part in found]) for end in ("low", "high", "dropped")
        )
        coverage = float(((low <= truth) & (truth <= high)).all(axis=1).mean())
        lines.append(
            {
                "design": design.name,
                "statistic": statistic,
                "method": method.name,
                "n": n,
                "samples": samples,
                "coverage": coverage,
                "mc_error": math.sqrt(coverage * (1 - coverage) / samples),
                "truth_below": float((truth < low).any(axis=1).mean()),
                "truth_above": float((truth > high).any(axis=1).mean()),
                "undefined": float(np.isnan(low + high).any(axis=1).mean()),
                "mean_width": float(np.nanmean(high - low)) if np.isfinite(high - low).any() else math.nan,
                "mean_dropped": float(dropped.mean()),
            }
        )
    return lines


def jobs(done: pd.DataFrame) -> Iterator[tuple[Design, int, Method]]:
    """Yield what is not among the lines done; the smallest sizes first."""
    known = set(zip(done["design"], done["n"], done["method"], strict=True)) if len(done) else set()
    for design in DESIGNS:
        for n in design.sizes:
            for method in design.methods:
                if (design.name, n, method.name) not in known:
                    yield design, n, method


def study(path: Path | None) -> pd.DataFrame:
    """Run all jobs that the file does not hold yet, adding each when it is finished; return every line."""
    done = pd.read_csv(path) if path is not None and path.exists() else pd.DataFrame()
    for design, n, method in jobs(done):
        start = time.perf_counter()
        lines = pd.DataFrame(run(design, n, method))
        log.info("%s, n = %s, %s: %.0f s", design.name, f"{n:,}", method.name, time.perf_counter() - start)
        for line in lines.itertuples():
            log.info(
                f"  {line.statistic:<20} {line.method:<23} {line.coverage:.4f} (MC error {line.mc_error:.4f})  "
                f"truth below {line.truth_below:.4f} above {line.truth_above:.4f}  width {line.mean_width:,.5g}  "
                f"dropped {line.mean_dropped:.2f}  undefined {line.undefined:.4f}"
            )
        if path is not None:
            lines.to_csv(path, mode="a", header=not path.exists(), index=False, float_format="%.6g")
        done = pd.concat([done, lines], ignore_index=True)
    return done


def misses(lines: pd.DataFrame) -> pd.DataFrame:
    """Return what is outside the bar at its size; intervals of single years are not meant to hold for all at once."""
    meant = (lines["n"] == BAR_SIZE) & ~lines["statistic"].str.startswith("single years")
    return lines[meant & ~lines["coverage"].between(LOWEST, HIGHEST)]


def start_log(folder: Path | None) -> None:
    """Log to the terminal, and to a file in the folder."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if folder is not None:
        handlers.append(logging.FileHandler(folder / "coverage.log"))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S", handlers=handlers
    )
    log.info(
        "leoreturns %s, NumPy %s, Python %s: seed %s, %s samples, %s replicates, level %s",
        lr.__version__,
        np.__version__,
        sys.version.split()[0],
        SEED,
        f"{SAMPLES:,}",
        REPLICATES,
        LEVEL,
    )


def main(folder: Path | None) -> bool:
    """Run the study and draw it; return whether the bar is met."""
    start_log(folder)
    lines = study(folder / "coverage.csv" if folder is not None else None)
    if folder is not None:
        (folder / "coverage.md").write_text(as_markdown(lines))
        draw(lines, folder / "coverage.png")
    missed = misses(lines)
    for line in missed.itertuples():
        log.info("outside %s to %s at n = %s: %s, %s", LOWEST, HIGHEST, BAR_SIZE, line.statistic, line.method)
    met = "percentile" not in set(missed["method"])
    log.info("the default method %s the bar for every statistic and band", "meets" if met else "misses")
    return met


if __name__ == "__main__":
    raise SystemExit(0 if main(Path(sys.argv[1]) if len(sys.argv) > 1 else None) else 1)
