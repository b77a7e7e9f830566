"""Regressions with fixed effects: time and memory beside other packages, in one process.

Run ``python -m benchmarks.bench_feols [persons]``. Packages that are not installed are left out.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import ndtr

import leoreturns as lr
from benchmarks.measure import PERIODS, measure

PERSONS = 360_000
SLOW_PERSONS = 60_000  # of packages whose time grows beyond patience


def panel_frame(n_person: int) -> pd.DataFrame:
    """Six regressors correlated with persons and years, a fifth of the person-years missing."""
    draw = np.random.default_rng(303)
    shape = (n_person, PERIODS)
    ability = draw.standard_normal(n_person) * 0.5
    y = 9.5 + ability[:, None] + np.linspace(0, 0.35, PERIODS) + 0.4 * draw.standard_normal(shape)
    columns = {
        "person": np.repeat(np.arange(n_person), PERIODS),
        "year": np.tile(np.arange(2004, 2004 + PERIODS, dtype=np.int16), n_person),
        "school": np.repeat(draw.integers(0, 3000, n_person, dtype=np.int16), PERIODS),
    }
    for k, effect in enumerate((0.05, -0.03, 0.1, 0.02, -0.08, 0.04)):
        x = draw.standard_normal(shape) + 0.3 * ability[:, None] + 0.05 * k * np.arange(PERIODS)
        y += effect * x
        columns[f"x{k + 1}"] = x.ravel()
    columns["y"] = y.ravel()
    return pd.DataFrame(columns)[draw.random(n_person * PERIODS) >= 0.2].reset_index(drop=True)


def moving_frame(n_person: int, *, employers: bool) -> pd.DataFrame:
    """Persons who move between 330 places, or between neighbours among many employers."""
    draw = np.random.default_rng(404)
    ability = draw.standard_normal(n_person)
    if employers:
        n_place = n_person * 100 // 360
        value = np.cumsum(draw.standard_normal(n_place)) * 0.02
        place = np.sort(draw.integers(0, n_place, n_person))
    else:
        n_place = 330
        value = np.sort(draw.standard_normal(n_place)) * 0.2
        place = _chosen(draw, ability, n_place)
    at = np.empty((n_person, PERIODS), dtype=np.int32)
    for year in range(PERIODS):
        moves = draw.random(n_person) < (0.03 if employers else 0.08)
        place = place.copy()
        if year and employers:
            place[moves] = np.clip(place[moves] + draw.integers(-3, 4, int(moves.sum())), 0, n_place - 1)
        elif year:
            place[moves] = _chosen(draw, ability[moves], n_place)
        at[:, year] = place
    there = value[at]
    x1 = 0.5 * ability[:, None] + there + 0.3 * draw.standard_normal(at.shape)
    x2 = np.tanh(3 * there) + 0.03 * np.arange(PERIODS) + 0.3 * draw.standard_normal(at.shape)
    y = 9.5 + 0.4 * ability[:, None] + there + 0.05 * x1 - 0.03 * x2 + 0.35 * draw.standard_normal(at.shape)
    return pd.DataFrame(
        {
            "person": np.repeat(np.arange(n_person), PERIODS),
            "year": np.tile(np.arange(2004, 2004 + PERIODS, dtype=np.int16), n_person),
            "place": draw.permutation(n_place).astype(np.int32)[at.ravel()],
            "x1": x1.ravel(),
            "x2": x2.ravel(),
            "y": y.ravel(),
        }
    )


def _chosen(draw: np.random.Generator, ability: np.ndarray, n_place: int) -> np.ndarray:
    rank = ndtr(0.5 * ability + np.sqrt(0.75) * draw.standard_normal(len(ability)))
    return np.minimum((rank * n_place).astype(np.int32), n_place - 1)


def report(label: str, call: Callable[[], object]) -> None:
    cpu = time.process_time()
    done = measure(call)
    cpu = (time.process_time() - cpu) / 4
    print(f"{label:62s} {done.first:8.2f} {done.warm:8.2f} {cpu:8.2f} {done.peak:8.2f}", flush=True)


def compare(name: str, frame: pd.DataFrame, formula: str) -> None:
    """Time a regression with standard errors clustered by person in every package that is there."""
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    print(f"\n{name}: {len(frame):,} rows")
    report("leoreturns", lambda: lr.feols(formula, panel, cov=lr.Clustered("person")))
    if importlib.util.find_spec("pyfixest"):
        import pyfixest

        report("pyfixest", lambda: pyfixest.feols(formula, frame, vcov={"CRV1": "person"}, copy_data=False, lean=True))
    if frame.person.nunique() <= SLOW_PERSONS:
        from linearmodels.iv.absorbing import AbsorbingLS

        outcome, _, rest = formula.partition(" ~ ")
        names, _, effects = rest.partition(" | ")
        absorb = frame[effects.split(" + ")].astype("category")
        regressors = frame[names.split(" + ")]
        report(
            "linearmodels AbsorbingLS",
            lambda: AbsorbingLS(frame[outcome], regressors, absorb=absorb).fit(
                cov_type="clustered", clusters=frame.person
            ),
        )


def inference(frame: pd.DataFrame) -> None:
    """Time refits by school, with year effects that cross the schools, and the bootstraps."""
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    formula = "y ~ x1 + x2 + x3 + x4 + x5 + x6 | person + year"
    wild = lr.WildCluster("school", 9999, seed=1, params=["x1"])
    pairs = lr.BootstrapPlan(999, unit="person", seed=1, interval="normal")
    print(f"\nInference: {len(frame):,} rows, 3,000 schools")
    report("CRV1 by school", lambda: lr.feols(formula, panel, cov=lr.Clustered("school")))
    report("CRV3 by school", lambda: lr.feols(formula, panel, cov=lr.Jackknifed("school")))
    report("wild cluster bootstrap by school, 9,999 replicates", lambda: lr.feols(formula, panel, cov=wild))
    report("pairs bootstrap of persons, 999 replicates", lambda: lr.feols(formula, panel, cov=lr.Resampled(pairs)))


def main(n_person: int) -> None:
    warnings.simplefilter("ignore")
    heads = ("first", "warm", "cpu", "GB")
    print(
        f"{'seconds of the first and a warm call, and of processors':62s}" + "".join(f" {head:>8s}" for head in heads)
    )
    formula = "y ~ x1 + x2 + x3 + x4 + x5 + x6 | person + year"
    for persons in sorted({min(SLOW_PERSONS, n_person), n_person}):
        compare("person + year", panel_frame(persons), formula)
    compare(
        "person + 330 places + year", moving_frame(n_person, employers=False), "y ~ x1 + x2 | person + place + year"
    )
    compare("person + employers + year", moving_frame(n_person, employers=True), "y ~ x1 + x2 | person + place + year")
    inference(panel_frame(n_person))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PERSONS)
