"""Bands that hold at all levels of a key at once: against a twin, and Sidak's value for independent levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from leoreturns.resample.intervals import uniform_band

pytestmark = pytest.mark.filterwarnings("error")


def test_a_band_reaches_as_far_as_the_largest_of_all_levels() -> None:
    rng = np.random.default_rng(61)
    point, scale = rng.normal(size=15), rng.lognormal(size=15)
    replicates = point[:, None] + scale[:, None] * rng.normal(size=(15, 999))
    se = replicates.std(axis=1, ddof=1)
    largest = [max(abs(replicates[level, b] - point[level]) / se[level] for level in range(15)) for b in range(999)]
    low, high, critical = uniform_band(point, replicates, se, 0.95)
    assert critical == np.quantile(largest, 0.95, method="weibull") == sorted(largest)[949]
    np.testing.assert_array_equal(low, point - critical * se)
    np.testing.assert_array_equal(high, point + critical * se)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_critical_value_of_independent_levels_is_sidaks(level: float) -> None:
    replicates = np.random.default_rng(62).normal(size=(10, 40_000))
    critical = uniform_band(np.zeros(10), replicates, np.ones(10), level)[2]
    assert critical == pytest.approx(stats.norm.ppf((1 + level**0.1) / 2), abs=0.03)


def test_levels_of_a_band_that_do_not_take_part() -> None:
    rng = np.random.default_rng(63)
    point, se = np.array([1.0, np.nan, 3.0, 4.0, 5.0]), np.array([1.0, 2.0, 0.0, np.nan, 0.5])
    replicates = rng.normal(point[:, None], 1.0, (5, 400))
    replicates[2] = 3.0
    replicates[[1, 2, 3], :300] = np.nan  # of levels that do not take part: nothing is dropped for them
    replicates[0, :21] = np.nan
    replicates[4, 30] = np.inf
    low, high, critical = uniform_band(point, replicates, se, 0.95)
    kept = np.delete(np.arange(21, 400), 30 - 21)
    wanted = uniform_band(point[[0, 4]], replicates[[0, 4]][:, kept], se[[0, 4]], 0.95)
    assert critical == wanted[2]
    np.testing.assert_array_equal(low, [wanted[0][0], np.nan, 3.0, np.nan, wanted[0][1]])
    np.testing.assert_array_equal(high, [wanted[1][0], np.nan, 3.0, np.nan, wanted[1][1]])


def test_no_band_is_made_of_the_few_replicates_that_have_all_levels() -> None:
    replicates = np.random.default_rng(65).normal(size=(3, 400))
    replicates[1, :200] = np.nan
    assert math.isfinite(uniform_band(np.zeros(3), replicates, np.ones(3), 0.95)[2])
    replicates[2, 200] = np.nan
    low, high, critical = uniform_band(np.zeros(3), replicates, np.ones(3), 0.95)
    assert np.isnan([*low, *high, critical]).all()


def test_a_band_takes_as_many_replicates_as_its_level_resolves() -> None:
    replicates = np.random.default_rng(64).normal(size=(3, 19))
    low, high, critical = uniform_band(np.zeros(3), replicates, np.ones(3), 0.95)
    assert critical == np.abs(replicates).max()
    low, high, critical = uniform_band(np.zeros(3), replicates[:, 1:], np.array([1.0, 0.0, 1.0]), 0.95)
    assert math.isnan(critical)
    np.testing.assert_array_equal(low, [np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(high, [np.nan, 0.0, np.nan])
    low, high, critical = uniform_band(np.full(2, np.nan), replicates[:2], np.ones(2), 0.95)
    assert np.isnan([*low, *high, critical]).all()
