"""Regressions with fixed effects: time and memory beside other packages, in one process.

Run ``python -m benchmarks.bench_feols [persons]``. Packages that are not installed are left out. With ``national`` for
the persons it is leoreturns alone, on the 43 million person-years of 3.6 million persons.
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
FORMULA = "y ~ x1 + x2 + x3 + x4 + x5 + x6 | person + year"
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


def compare(name: str, frame: pd.DataFrame, formula: str, *, weakly_connected: bool = False) -> None:
    """Time a regression with standard errors clustered by person in every package that is there.

    Alternating means do not come to an end among weakly connected employers: pyfixest then solves by LSMR.
    """
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    print(f"\n{name}: {len(frame):,} rows")
    report("leoreturns", lambda: lr.feols(formula, panel, cov=lr.Clustered("person")))
    if importlib.util.find_spec("pyfixest"):
        import pyfixest

        exact = pyfixest.LsmrDemeaner(fixef_atol=1e-12, fixef_btol=1e-12, fixef_maxiter=20_000)
        demeaner = exact if weakly_connected else None
        settings = {"vcov": {"CRV1": "person"}, "copy_data": False, "lean": True, "demeaner": demeaner}
        report("pyfixest", lambda: pyfixest.feols(formula, frame, **settings))
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


def school_frame(n_row: int) -> pd.DataFrame:
    """Ten regressors and an outcome that 3,000 schools have parts of."""
    draw = np.random.default_rng(606)
    school = np.sort(draw.integers(0, 3000, n_row))
    x = draw.standard_normal((n_row, 10)) + 0.3 * draw.standard_normal((3000, 10))[school]
    slopes = np.r_[0.003, np.full(9, 0.02)]
    frame = pd.DataFrame(x, columns=[f"x{k + 1}" for k in range(10)])
    frame["y"] = x @ slopes + 0.3 * draw.standard_normal(3000)[school] + draw.standard_normal(n_row)
    return frame.assign(school=school, person=np.arange(n_row), year=2010)


def lasting_frame(n_person: int) -> pd.DataFrame:
    """Ten years of persons who differ lastingly, eight regressors."""
    draw = np.random.default_rng(707)
    person = np.repeat(np.arange(n_person), 10)
    x = draw.standard_normal((len(person), 8))
    x[:, :3] += 0.5 * draw.standard_normal((n_person, 3))[person]
    frame = pd.DataFrame(x, columns=[f"x{k + 1}" for k in range(8)])
    lasting = 0.5 * draw.standard_normal(n_person)[person]
    frame["y"] = 1 + x @ np.linspace(0.1, 0.8, 8) + lasting + 0.5 * draw.standard_normal(len(person))
    return frame.assign(person=person, year=np.tile(np.arange(2004, 2014), n_person))


def wild_by_hand(frame: pd.DataFrame, replicates: int) -> float:
    """The p-value of x1 by WCR11 from the clusters' scores (Roodman et al. 2019), in matrix products."""
    z = np.column_stack([np.ones(len(frame)), frame.filter(regex=r"^x\d").to_numpy()])
    y, first = frame["y"].to_numpy(), np.flatnonzero(np.diff(frame["school"], prepend=-1))
    inverse, rest = np.linalg.inv(z.T @ z), np.delete(z, 1, axis=1)
    null = y - rest @ np.linalg.solve(rest.T @ rest, rest.T @ y)
    scores = np.add.reduceat(z * null[:, None], first)
    own = z @ inverse[1]
    leverage = np.add.reduceat(z * own[:, None], first)
    draw, found = np.random.default_rng(1), []
    for start in range(0, replicates, 500):
        signs = 2.0 * draw.integers(0, 2, (len(first), min(500, replicates - start))) - 1.0
        moved = inverse @ (scores.T @ signs)
        meat = (scores @ inverse[1])[:, None] * signs - leverage @ moved
        found.append(moved[1] / np.sqrt((meat**2).sum(axis=0)))
    fitted = inverse @ (z.T @ y)
    here = np.add.reduceat(own * (y - z @ fitted), first)
    return float((np.abs(np.concatenate(found)) > abs(fitted[1]) / np.sqrt(here @ here)).mean())


def pairs_by_hand(frame: pd.DataFrame, replicates: int) -> np.ndarray:
    """Coefficients from sums of the persons' cross-products, by how often each is drawn."""
    z = np.column_stack([np.ones(len(frame)), frame.filter(regex=r"^x\d").to_numpy(), frame["y"].to_numpy()])
    n, k = len(frame) // 10, z.shape[1]
    upper = np.triu_indices(k)
    of_person = z.reshape(n, 10, k)
    moments = np.einsum("pti,ptj->pij", of_person, of_person, optimize=True)[:, upper[0], upper[1]]
    draw, found = np.random.default_rng(1), []
    for start in range(0, replicates, 50):
        count = min(50, replicates - start)
        times = np.stack([np.bincount(draw.integers(0, n, n), minlength=n) for _ in range(count)]).astype(float)
        whole = np.zeros((count, k, k))
        whole[:, upper[0], upper[1]] = times @ moments
        whole += np.triu(whole, 1).swapaxes(1, 2)
        found.append(np.linalg.solve(whole[:, :-1, :-1], whole[:, :-1, -1:])[..., 0])
    return np.concatenate(found)


def inference(n_person: int) -> None:
    """Time refits by school, with year effects that cross the schools, and the bootstraps beside NumPy by hand."""
    frame = panel_frame(n_person * 7 // 6)
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    print(f"\nBy school: {len(frame):,} rows, 3,000 schools, persons and years")
    report("CRV1", lambda: lr.feols(FORMULA, panel, cov=lr.Clustered("school")))
    report("CRV3", lambda: lr.feols(FORMULA, panel, cov=lr.Jackknifed("school")))
    schools = school_frame(n_person * 25 // 9)
    cross = lr.Panel.from_frame(schools, person="person", time="year")
    wild = lr.WildCluster("school", 9999, seed=1, params=["x1"])
    print(f"\nWild cluster bootstrap, 9,999 replicates: {len(schools):,} rows, 3,000 schools, 10 regressors")
    report("leoreturns", lambda: lr.feols("y ~ " + _regressors(10), cross, cov=wild))
    report("NumPy by hand", lambda: wild_by_hand(schools, 9999))
    persons = lasting_frame(n_person * 5 // 9)
    panel = lr.Panel.from_frame(persons, person="person", time="year")
    pairs = lr.BootstrapPlan(999, unit="person", seed=1, interval="normal")
    print(f"\nBootstrap of persons, 999 replicates: {len(persons):,} rows, 8 regressors")
    report("leoreturns", lambda: lr.feols("y ~ " + _regressors(8), panel, cov=lr.Resampled(pairs)))
    report("NumPy by hand", lambda: pairs_by_hand(persons, 999))


def _regressors(count: int) -> str:
    return " + ".join(f"x{k + 1}" for k in range(count))


def national() -> None:
    """Time person and year effects at national scale."""
    panel = lr.Panel.from_frame(panel_frame(10 * PERSONS), person="person", time="year")
    print(f"\nperson + year: {panel.n_row:,} rows")
    report("leoreturns", lambda: lr.feols(FORMULA, panel, cov=lr.Clustered("person")))


def main(n_person: int | None) -> None:
    """Time all of it with so many persons, or at national scale."""
    warnings.simplefilter("ignore")
    heads = ("first", "warm", "cpu", "GB")
    print(
        f"{'seconds of the first and a warm call, and of processors':62s}" + "".join(f" {head:>8s}" for head in heads)
    )
    if n_person is None:
        national()
        return
    for persons in sorted({min(SLOW_PERSONS, n_person), n_person}):
        compare("person + year", panel_frame(persons), FORMULA)
    compare(
        "person + 330 places + year", moving_frame(n_person, employers=False), "y ~ x1 + x2 | person + place + year"
    )
    frame = moving_frame(n_person, employers=True)
    compare("person + employers + year", frame, "y ~ x1 + x2 | person + place + year", weakly_connected=True)
    inference(n_person)


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else str(PERSONS)
    main(None if chosen == "national" else int(chosen))
