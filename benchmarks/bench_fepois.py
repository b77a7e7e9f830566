"""Poisson regressions with fixed effects, and conditional logit: time and memory beside other packages, in one process.

Run ``python -m benchmarks.bench_fepois [persons]``. Packages that are not installed are left out.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

import leoreturns as lr
from benchmarks.bench_feols import moving_frame, panel_frame
from benchmarks.measure import Measured, measure

PERSONS = 360_000
SMALL = 20_000  # persons of packages whose time grows beyond patience


def report(label: str, call: Callable[[], object]) -> Measured:
    """Time a call and print a line."""
    done = measure(call)
    print(f"  {label:30s} {done.first:8.2f} {done.warm:8.2f} {done.peak:8.2f}", flush=True)
    return done


def earnings(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn log earnings into earnings, a tenth of them zero."""
    draw = np.random.default_rng(505)
    return frame.assign(y=np.exp(frame.y) * (draw.random(len(frame)) >= 0.1))


def poisson(name: str, frame: pd.DataFrame, formula: str) -> None:
    """Time a Poisson regression, standard errors clustered by person."""
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    print(f"\nPoisson, {name}: {len(frame):,} rows; {formula}")
    own = report("leoreturns", lambda: lr.fepois(formula, panel, cov=lr.Clustered("person")))
    if importlib.util.find_spec("pyfixest"):
        import pyfixest

        options = {"vcov": {"CRV1": "person"}, "copy_data": False, "lean": True}
        other = report("pyfixest", lambda: pyfixest.fepois(formula, frame, **options))
        print(f"  ratio of warm times {own.warm / other.warm:.3f}, of memory {own.peak / other.peak:.3f}")


def logit(frame: pd.DataFrame, *, others: bool) -> None:
    """Time a conditional logit by person of earnings above the person's typical ones in half of the persons."""
    draw = np.random.default_rng(606)
    middle = frame.groupby("person").y.transform("mean") + draw.logistic(size=len(frame)) / 4
    frame = frame.assign(high=(frame.y > middle).astype(np.int8))
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    print(f"\nConditional logit: {len(frame):,} rows, six regressors")
    formula = "high ~ x1 + x2 + x3 + x4 + x5 + x6 | person"
    own = report("leoreturns", lambda: lr.felogit(formula, panel, cov=lr.Unadjusted()))
    if others and importlib.util.find_spec("statsmodels"):
        from statsmodels.discrete.conditional_models import ConditionalLogit

        regressors = frame[[f"x{k}" for k in range(1, 7)]]
        other = report(
            "statsmodels", lambda: ConditionalLogit(frame.high, regressors, groups=frame.person).fit(disp=False)
        )
        print(f"  ratio of warm times {own.warm / other.warm:.4f}, of memory {own.peak / other.peak:.3f}")


def main(n_person: int) -> None:
    """Run all comparisons."""
    warnings.simplefilter("ignore")
    print("Seconds of the first and a warm call, and GB above the data")
    formula = "y ~ x1 + x2 + x3 + x4 + x5 + x6 | person + year"
    for persons in sorted({min(SMALL, n_person), n_person}):
        poisson("person and year", earnings(panel_frame(persons)), formula)
    moving = earnings(moving_frame(n_person, employers=False))
    poisson("person, 330 places and year", moving, "y ~ x1 + x2 | person + place + year")
    logit(panel_frame(min(SMALL, n_person)), others=True)
    logit(panel_frame(n_person), others=False)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PERSONS)
