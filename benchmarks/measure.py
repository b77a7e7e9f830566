"""Timing and memory of calls, and the simulated person-years that the benchmarks share."""

from __future__ import annotations

import gc
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import psutil

PERIODS = 15
REPEATS = 3


@dataclass(frozen=True)
class Measured:
    """Seconds of the first call and the median of three warm ones; peak memory of the first, in GB above the data."""

    first: float
    warm: float
    peak: float
    result: Any


class PeakMemory:
    """Largest resident memory of this process while the block runs, above what it was before, in GB."""

    def __enter__(self) -> PeakMemory:
        gc.collect()
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self._largest = self._before
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self._largest = max(self._largest, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.gigabytes = (max(self._largest, self._process.memory_info().rss) - self._before) / 1e9


def measure(call: Callable[[], Any]) -> Measured:
    """Time a first call, watching its memory, and three warm ones."""
    with PeakMemory() as memory:
        start = time.perf_counter()
        result = call()
        seconds = [time.perf_counter() - start]
    for _ in range(REPEATS):
        del result
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    return Measured(seconds[0], statistics.median(seconds[1:]), memory.gigabytes, result)


def person_years(rows: int, *, seed: int = 101, shuffled: bool = True) -> pd.DataFrame:
    """Simulate 15 years of earnings per person, 12 per cent missing, with fixed traits; rows in no order.

    Columns: person (int32), tax_year (int16), years_since_ks4, education, fsm, sex, region (int8), school (int16, 3,200
    schools), earnings (float64).
    """
    draw = np.random.default_rng(seed)
    n = rows // PERIODS
    traits = {
        "education": draw.integers(0, 3, n, dtype=np.int8),
        "fsm": (draw.random(n) < 0.15).astype(np.int8),
        "sex": draw.integers(0, 2, n, dtype=np.int8),
        "region": draw.integers(0, 9, n, dtype=np.int8),
        "school": draw.integers(0, 3200, n, dtype=np.int16),
    }
    order = draw.permutation(n * PERIODS) if shuffled else np.arange(n * PERIODS)
    person = (order // PERIODS).astype(np.int32)
    year = (order % PERIODS).astype(np.int8)
    del order
    earnings = draw.standard_normal(len(person))
    earnings *= 0.7
    earnings += 9.6 + 0.04 * year
    earnings += (0.15 * traits["education"] - 0.1 * traits["fsm"] - 0.1 * traits["sex"])[person]
    np.exp(earnings, out=earnings)
    earnings[draw.random(len(person), dtype=np.float32) < 0.12] = np.nan
    columns: dict[str, Any] = {"person": person, "tax_year": year + np.int16(2005), "years_since_ks4": year}
    columns |= {name: values[person] for name, values in traits.items()}
    return pd.DataFrame({**columns, "earnings": earnings}, copy=False)
