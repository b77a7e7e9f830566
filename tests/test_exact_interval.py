"""Exact intervals of percentiles: against every resample, joint laws in fractions, simulation and published numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
import pytest
from reference_aggregates import percentile
from reference_exact import (
    interval,
    law_by_enumeration,
    law_of_midpoint,
    law_of_percentile,
    std_error,
)

import leoreturns as lr
from leoreturns._parallel import threads
from leoreturns.errors import SupportError
from leoreturns.resample.exact import (
    check_exact,
    exact_interval,
    exact_intervals,
    order_probability,
    ranks_of,
    reach,
)

pytestmark = pytest.mark.filterwarnings("error")

# Survival in days after surgery: Efron and Tibshirani, An Introduction to the Bootstrap (1993), table 2.1.
TREATED = np.array([94.0, 197, 16, 38, 99, 141, 23])
CONTROL = np.array([52.0, 104, 146, 10, 51, 30, 40, 27, 46])
# Sums of some thousand probabilities, each good to a few units in the last place of 1.
EXACT = 1e-12
LEVELS = ("0.5", "0.8", "0.9", "0.95", "0.999")
ADMITTED = [(rule, p) for rule in (1, 2, 3) for p in (1, 10, 25, 33, 50, 75, 90, 99)] + [(7, 50)]


def eighths(seed: int, n: int) -> np.ndarray:
    """Values whose midpoints are exact in floating point, some of them tied."""
    return np.round(np.random.default_rng(seed).lognormal(1, 1, n) * 8) / 8


def test_the_mice_of_efron_and_tibshirani() -> None:
    assert round(exact_interval(TREATED, 50, 7, 0.95)[0], 2) == 37.83  # their table 2.2, at infinitely many replicates
    for values in (TREATED, CONTROL):
        law = law_of_percentile(values, 50, 7)
        error, low, high = exact_interval(values, 50, 7, 0.95)
        assert error == pytest.approx(std_error(law), rel=EXACT)
        assert (low, high) == interval(law, "0.95")
    assert exact_interval(TREATED, 50, 7, 0.95)[0] == pytest.approx(37.83467439386596, rel=EXACT)
    assert exact_interval(CONTROL, 50, 7, 0.95)[0] == pytest.approx(13.075870027048, rel=EXACT)


@pytest.mark.parametrize("n", range(1, 8))
@pytest.mark.parametrize(("rule", "p"), ADMITTED)
def test_equal_to_the_list_of_all_resamples(rule: int, p: int, n: int) -> None:
    for values in (eighths(100 * n + p, n), np.random.default_rng(n).integers(0, 3, n).astype(np.float64)):
        law = law_of_percentile(values, p, rule)
        for level in LEVELS:
            error, low, high = exact_interval(values, p, rule, float(level))
            assert error == pytest.approx(std_error(law), rel=EXACT, abs=1e-15)
            assert (low, high) == interval(law, level)


def test_a_level_that_a_step_meets_exactly_ends_there() -> None:
    # The smaller of two draws from two values is the larger one with probability 1/4.
    values = np.array([3.0, 1.0])
    assert exact_interval(values, 25, 1, 0.5) == pytest.approx((math.sqrt(3 / 4), 1.0, 1.0))
    assert exact_interval(values, 25, 1, 0.50001)[1:] == (1.0, 3.0)
    # The larger one is the smaller value as often.
    assert exact_interval(values, 75, 1, 0.5)[1:] == (1.0, 3.0)
    assert exact_interval(values, 75, 1, 0.49999)[1:] == (3.0, 3.0)
    # The largest of eight stays at or below the fifth with probability (5/8)^8, which the beta function just misses.
    step = (5 / 8) ** 8
    assert exact_interval(np.arange(1.0, 9.0), 99, 1, 1 - 2 * step)[1] == 5.0
    assert exact_interval(np.arange(1.0, 9.0), 99, 1, 1 - 2 * step * (1 + 1e-9))[1] == 6.0


@pytest.mark.parametrize("p", [10, 20, 50, 80, 90, 95])
@pytest.mark.parametrize("n", [20, 60, 100])
def test_midpoints_have_the_joint_law_of_their_order_statistics(n: int, p: int) -> None:
    values = eighths(n + p, n)
    law = law_of_midpoint(values, n * p // 100)
    for level in LEVELS:
        error, low, high = exact_interval(values, p, 2, float(level))
        assert error == pytest.approx(std_error(law), rel=EXACT)
        assert (low, high) == interval(law, level)


@pytest.mark.parametrize("m", [1, 2, 5])
def test_the_joint_law_is_that_of_all_resamples(m: int) -> None:
    values = [1.0, 2.0, 4.0, 7.0, 7.0, 12.0]
    law = law_by_enumeration(values, lambda resample: (resample[m - 1] + resample[m]) / 2)
    assert law == law_of_midpoint(values, m)
    assert sum(law.values()) == 1


@pytest.mark.parametrize(("n", "rule"), [(1001, 7), (1000, 7), (1000, 1), (1000, 2)])
def test_resamples_of_a_thousand_values_agree(n: int, rule: int) -> None:
    rng = np.random.default_rng(n + rule)
    values = np.sort(rng.lognormal(10, 0.6, n))
    n_resamples = 20_000
    lower, upper = ranks_of(n, 50, rule)
    drawn = np.concatenate(
        [np.sort(rng.integers(0, n, (1000, n)), axis=1)[:, [lower - 1, upper - 1]] for _ in range(20)]
    )
    medians = values[drawn].mean(axis=1)
    error, low, high = exact_interval(values, 50, rule, 0.95)
    assert error == pytest.approx(medians.std(), rel=4 / math.sqrt(2 * n_resamples) * 1.5)  # their kurtosis is near 4
    _covers(medians, low, 0.025)
    _covers(medians, high, 0.975)


@pytest.mark.parametrize(
    ("n", "p", "rule"),
    [(1000, 1, 2), (1000, 99, 2), (100_000, 50, 7), (100_000, 10, 2), (5_000_000, 50, 2), (5_000_001, 50, 7)],
)
def test_millions_of_values_agree_with_draws_of_uniform_order_statistics(n: int, p: int, rule: int) -> None:
    """The m-th of n uniforms is a beta variable, the next one follows at a beta step: no resample is drawn."""
    rng = np.random.default_rng(n + p)
    values = np.sort(rng.lognormal(10, 0.6, n))
    m, upper = ranks_of(n, p, rule)
    n_draws = 400_000
    at = rng.beta(m, n - m + 1, n_draws)
    beyond = at + (1 - at) * rng.beta(1, n - m, n_draws) if upper > m else at
    found = [values[np.minimum(np.ceil(n * u), n).astype(np.int64) - 1] for u in (at, beyond)]
    percentiles = (found[0] + found[1]) / 2
    error, low, high = exact_interval(rng.permutation(values), p, rule, 0.95)
    # Four standard errors of a standard deviation whose kurtosis is at most 5.
    assert error == pytest.approx(percentiles.std(), rel=4 / math.sqrt(n_draws))
    _covers(percentiles, low, 0.025)
    _covers(percentiles, high, 0.975)


def _covers(draws: np.ndarray, end: float, p: float) -> None:
    """The share of draws at or below the end reaches p, and that strictly below does not, but for their error."""
    margin = 4 * math.sqrt(p * (1 - p) / len(draws))
    # A midpoint may differ from the mean of its parts in the last digit.
    assert (draws <= end * (1 + 1e-12)).mean() > p - margin
    assert (draws < end * (1 - 1e-12)).mean() < p + margin


@pytest.mark.parametrize(("n", "p", "rule"), [(50_000_001, 50, 7), (5_000_000, 1, 1), (5_000_000, 99, 3)])
def test_the_rank_among_millions_is_spread_like_a_beta_variable(n: int, p: int, rule: int) -> None:
    r = ranks_of(n, p, rule)[0]
    spread = r * (n + 1 - r) / ((n + 1) ** 2 * (n + 2))  # variance of the r-th of n uniforms
    error, low, high = exact_interval(np.arange(1.0, n + 1), p, rule, 0.95)
    # Rounding up to whole ranks adds 1/12; each cumulative probability is good to some 1e-14.
    assert error == pytest.approx(math.sqrt(n**2 * spread + 1 / 12), rel=1e-9)
    for end, tail in ((low, 0.025), (high, 0.975)):
        assert order_probability(n, r, end - 1) < tail <= order_probability(n, r, end)


@pytest.mark.parametrize("n", [1, 2, 30, 99, 1000, 33_000, 10**6, 10**8])
def test_hardly_any_probability_lies_beyond_the_reach(n: int) -> None:
    ranks = np.unique(np.concatenate([np.arange(1, min(n, 400) + 1), np.linspace(1, n, 60).astype(np.int64)]))
    for r in (ranks, n + 1 - ranks):
        below, above = np.maximum(r - reach(n, r) - 1, 0), np.minimum(r + reach(n, r), n)
        assert order_probability(n, r, below).max() < 1e-15
        # P(X*_(r) > x_(j)) is P(X*_(n + 1 - r) <= x_(n - j)), without a difference from 1.
        assert order_probability(n, n + 1 - r, n - above).max() < 1e-15


@pytest.mark.parametrize(("rule", "p"), [(rule, p) for rule in (1, 2, 3) for p in range(1, 100)] + [(7, 50)])
def test_ranks_are_those_of_the_percentile(rule: int, p: int) -> None:
    for n in (*range(1, 30), 100, 200):
        lower, upper = ranks_of(n, p, rule)
        assert upper - lower in (0, 1)
        assert Fraction(lower + upper, 2) == percentile(range(1, n + 1), p, rule)


def test_midpoints_are_rounded_as_in_a_table() -> None:
    rng = np.random.default_rng(5)
    pairs = rng.lognormal(10, 1, (200, 2))
    frame = pd.DataFrame({"id": np.arange(400), "cell": np.repeat(np.arange(200), 2), "pay": pairs.ravel()})
    table = lr.aggregate(frame, "pay", by=["cell"], statistics=["p50"], person="id")
    # Half of all resamples hold both values.
    exact = [exact_interval(pair, 50, 7, 0.4)[1:] for pair in pairs]
    assert np.array(exact).tobytes() == np.repeat(table.to_frame()["p50"].to_numpy(), 2).tobytes()


def test_few_values_and_none() -> None:
    for rule, p in ADMITTED:
        assert np.isnan(exact_interval(np.empty(0), p, rule, 0.95)).all()
        assert exact_interval(np.array([7.25]), p, rule, 0.95) == (0.0, 7.25, 7.25)
        assert exact_interval(np.full(1000, 0.1), p, rule, 0.95) == (0.0, 0.1, 0.1)


def test_values_keep_their_order_and_their_order_does_not_matter() -> None:
    values = eighths(8, 501)
    before = values.copy()
    values.flags.writeable = False
    for rule, p in ADMITTED:
        found = exact_interval(values, p, rule, 0.95)
        assert found == exact_interval(values[::-1], p, rule, 0.95)
        error, low, high = exact_interval(4.0 * values, p, rule, 0.95)
        assert (error / 4, low / 4, high / 4) == found
    np.testing.assert_array_equal(values, before)


def test_rules_that_interpolate_are_refused() -> None:
    for rule, p in ADMITTED:
        check_exact(rule, [p])
    for rule in (4, 5, 6, 7, 8, 9):
        with pytest.raises(
            SupportError, match=f"p25, p75 under quantile_rule={rule} has no exact interval.*=1, 2 or 3"
        ):
            check_exact(rule, [25, 75])
        with pytest.raises(SupportError, match="interval='percentile'"):
            exact_interval(TREATED, 25, rule, 0.95)
    check_exact(7, [50])
    with pytest.raises(SupportError, match="^p90 under quantile_rule=7"):
        check_exact(7, [50, 90])
    with pytest.raises(SupportError, match="p50 under quantile_rule=6"):
        exact_intervals(TREATED, np.array([0, 7]), np.array([7]), [50], 6, 0.95)


def test_every_cell_has_its_own_interval() -> None:
    rng = np.random.default_rng(12)
    n_row, n_value = np.array([40, 0, 3, 900, 1, 25, 2]), np.array([31, 0, 0, 900, 1, 24, 2])
    offsets = np.concatenate([[0], np.cumsum(n_row)])
    values = np.full(offsets[-1], np.nan)
    for start, n in zip(offsets, n_value, strict=False):
        values[start : start + n] = rng.lognormal(10, 1, n)
    values.flags.writeable = False
    found = exact_intervals(values, offsets, n_value, [90, 25], 2, 0.9)
    assert list(found) == [90, 25]
    known = n_value > 1
    for p, cells in found.items():
        rows = np.array([cells.std_error, cells.low, cells.high]).T
        wanted = [exact_interval(values[a : a + n], p, 2, 0.9) for a, n in zip(offsets, n_value, strict=False)]
        np.testing.assert_array_equal(rows, np.where(known[:, None], wanted, np.nan))
        np.testing.assert_array_equal(cells.error_low, np.where(known, 0.0, np.nan))
        np.testing.assert_array_equal(cells.error_high, np.where(known, 0.0, np.nan))
        assert cells.n_dropped.dtype == np.int64 and not cells.n_dropped.any()


def test_threads_change_nothing() -> None:
    rng = np.random.default_rng(13)
    n_value = rng.integers(0, 400, 60)
    offsets = np.concatenate([[0], np.cumsum(n_value)])
    compute = partial(exact_intervals, rng.normal(size=offsets[-1]), offsets, n_value, [50], 7, 0.95)
    bytes_of = []
    for n_jobs in (1, 2, 3):
        with threads(n_jobs):
            found = compute()[50]
        bytes_of.append((found.std_error.tobytes(), found.low.tobytes(), found.high.tobytes()))
    assert bytes_of[0] == bytes_of[1] == bytes_of[2]


def test_no_cells_and_no_percentiles() -> None:
    nothing = exact_intervals(np.empty(0), np.zeros(1, np.int64), np.empty(0, np.int64), [50], 1, 0.95)
    assert len(nothing[50].low) == 0
    assert exact_intervals(TREATED, np.array([0, 7]), np.array([7]), [], 7, 0.95) == {}
