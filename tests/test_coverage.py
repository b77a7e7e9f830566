"""Coverage of intervals and bands: the part of the study in benchmarks/coverage.py that carries the bar, run anew.

With 2,000 samples the Monte-Carlo standard error of a coverage of 0.95 is 0.005, a third of the distance to the bounds.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import integrate, stats

ROOT = Path(__file__).resolve().parents[1]
LOWEST, HIGHEST = 0.935, 0.965
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study() -> ModuleType:
    # Appended, so that the package tested stays in front of the one beside the benchmarks.
    sys.path.append(str(ROOT))
    return importlib.import_module("benchmarks.coverage")


def coverages(lines: list[dict[str, float]]) -> dict[str, float]:
    return {line["statistic"]: line["coverage"] for line in lines}


def test_truths_are_those_of_the_population(study: ModuleType) -> None:
    for group in (study.BASE, study.OTHER):
        law = stats.lognorm(group.sigma, scale=group.median)
        log_median, reach = np.log(group.median), 12 * group.sigma
        # The mean difference of two persons is twice the integral of F (1 - F), here by the logarithm.
        half_difference, _ = integrate.quad(
            lambda z, law=law: law.cdf(np.exp(z)) * law.sf(np.exp(z)) * np.exp(z),
            log_median - reach,
            log_median + reach,
        )
        assert group.truth("mean") == pytest.approx(law.mean(), rel=1e-12)
        assert group.truth("p90") == pytest.approx(law.ppf(0.9), rel=1e-12)
        assert group.truth("gini") == pytest.approx(half_difference / law.mean(), rel=1e-7)


def test_simulated_years_have_the_autocorrelation_of_the_design(study: ModuleType) -> None:
    n = 40_000
    logs = study.draw_years(np.random.default_rng(5), n)["log_earnings"].reshape(n, study.YEARS)
    lasting, passing = study.LASTING_SD**2, study.PASSING_SD**2
    lags = np.abs(np.subtract.outer(np.arange(study.YEARS), np.arange(study.YEARS)))
    expected = lasting + passing * study.AUTOCORRELATION**lags
    assert np.diag(expected) == pytest.approx(study.BASE.sigma**2)
    assert np.abs(np.cov(logs.T) - expected).max() < 6 * study.BASE.sigma**2 * np.sqrt(2 / n)


def test_percentile_intervals_of_500_persons_cover(study: ModuleType) -> None:
    found = coverages(study.run(study.CELLS, 500, study.Method(study.ALL)))
    assert set(found) == {"mean", "p50", "p90", "gini", "gap of mean", "gap of p50"}
    assert {name: share for name, share in found.items() if not LOWEST <= share <= HIGHEST} == {}


def test_bands_over_15_years_of_500_persons_cover_where_single_years_do_not(study: ModuleType) -> None:
    found = coverages(study.run(study.TRAJECTORIES, 500, study.Method(("mean", "p50"))))
    for name in ("mean", "p50"):
        assert LOWEST <= found[f"band of {name}"] <= HIGHEST
        assert found[f"single years of {name}"] < 0.8


@pytest.mark.parametrize("n", [20, 50, 500])
@pytest.mark.parametrize(("statistic", "p"), [("p50", 0.5), ("p90", 0.9)])
def test_exact_intervals_cover_as_often_as_the_binomial_says(
    study: ModuleType, n: int, statistic: str, p: float
) -> None:
    """The ends are the order statistics of two ranks, and how many values lie below the truth is binomial."""
    rank = int(np.ceil(round(n * p, 9)))
    reached = stats.beta.cdf(np.arange(1, n + 1) / n, rank, n + 1 - rank)
    low, high = (int(np.argmax(reached >= tail)) + 1 for tail in (0.025, 0.975))
    expected = stats.binom.cdf(high - 1, n, p) - stats.binom.cdf(low - 1, n, p)
    (line,) = study.run(study.CELLS, n, study.Method((statistic,), "exact", rule=1))
    assert line["coverage"] == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / study.SAMPLES))
