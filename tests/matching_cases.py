"""Persons to be matched, whose chance of the vocational route depends on their points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels


def pupils(n: int, seed: int, *, whole: bool = False) -> pd.DataFrame:
    """Return persons with a route and pay; `whole` points have ties."""
    draw = np.random.default_rng(seed)
    points = draw.integers(0, 5, n).astype(float) if whole else draw.normal(size=n)
    treated = draw.random(n) < 1 / (1 + np.exp(1 - 0.5 * points))
    frame = pd.DataFrame(
        {
            "person": np.arange(n),
            "points": points,
            "region": draw.choice(["N", "S", "W"], n),
            "school": draw.integers(0, 12, n),
            "route": np.where(treated, "vocational", "academic"),
            "pay": points + 0.3 * treated + draw.normal(size=n),
        }
    )
    # Two more covariates, of which one moves with the points.
    frame["attendance"] = np.round(0.5 * points + draw.normal(size=n), 0 if whole else 12)
    frame["income"] = draw.integers(0, 4, n).astype(float) if whole else draw.normal(size=n)
    return frame


def births() -> pd.DataFrame:
    """Return the birth weights of Cattaneo (2010), on which Stata's manual shows its treatment effects."""
    path = Path(statsmodels.__file__).parent / "treatment" / "tests" / "results" / "cataneo2.csv"
    if not path.exists():
        pytest.skip("this statsmodels does not ship the birth weights")
    return pd.read_csv(path).assign(id=lambda frame: np.arange(len(frame)))
