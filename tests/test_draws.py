"""Replicate weights: against twins and published vectors, their distributions, and what they may not depend on."""

from __future__ import annotations

import decimal
import math
from typing import Any

import numpy as np
import pytest
import reference_draws as twin
from numpy.typing import NDArray
from scipy import stats

from leoreturns._core import draws as kernel
from leoreturns._parallel import ordered_map, threads
from leoreturns.errors import SupportError
from leoreturns.resample.draws import Draws
from leoreturns.resample.plan import BootstrapPlan

SEEDS = [0, 1, 2**32 + 5, 2**63 + 2**31 + 17, 2**64 - 1]
LAST_TILE = 2**32 - 64  # of the replicates whose number has 32 bits
P_VALUE = 1e-3  # of tests under one fixed seed each


def some_keys(n: int, seed: int = 3) -> NDArray[np.uint64]:
    """Keys of all sizes, the extreme ones among them."""
    keys = np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)
    keys[:3] = np.array([0, 2**64 - 1, 2**32], dtype=np.uint64)[:n]
    return keys


def poisson(seed: int, first: int, keys: NDArray[np.uint64]) -> NDArray[np.uint8]:
    out = np.full((len(keys), 64), 99, dtype=np.uint8)
    kernel.poisson(seed, first, keys, out)
    return out


def exponential(seed: int, first: int, keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    out = np.full((len(keys), 16), np.nan)
    kernel.exponential(seed, first, keys, out)
    return out


def multinomial(seed: int, first: int, sizes: list[int]) -> NDArray[np.uint8]:
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    out = np.full((int(offsets[-1]), 64), 99, dtype=np.uint8)
    kernel.multinomial(seed, first, offsets, np.full(64 * max(sizes, default=0), 99, dtype=np.uint8), out)
    return out


# ---- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # Random123's known-answer vectors
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_the_twin_of_philox_gives_the_published_vectors(counter: str, key: str, expected: str) -> None:
    words = twin.philox([int(word, 16) for word in counter.split()], [int(word, 16) for word in key.split()])
    assert [int(word[0]) for word in words] == [int(word, 16) for word in expected.split()]


def test_poisson_thresholds_are_the_exact_ones() -> None:
    assert kernel.poisson_thresholds() == twin.poisson_thresholds()
    # The table ends where no word can tell further thresholds apart.
    assert twin.poisson_thresholds(20)[12:] == [2**32 - 1] * 8
    assert twin.poisson_thresholds()[11] < 2**32 - 1


def test_poisson_draws_at_every_threshold_and_every_border_of_the_table() -> None:
    edges = [0, *kernel.poisson_thresholds(), *(top << 20 for top in range(1, 4096)), 2**32 - 1]
    words = np.array([edge + step for edge in edges for step in (-1, 0, 1) if 0 <= edge + step < 2**32], np.uint32)
    out = np.empty(len(words), dtype=np.uint8)
    kernel.poisson_of_words(words, out)
    assert np.array_equal(out, twin.poisson_of(words))
    assert out.max() == 13
    assert out[words == 0] == 0


def test_exponential_draws_are_logarithms_within_two_units_in_the_last_place() -> None:
    rng = np.random.default_rng(5)
    edges = [0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, *(2**k for k in range(2, 31)), math.isqrt(2**63)]
    words = np.concatenate([edges, rng.integers(0, 2**32, 3000), 2**32 - rng.integers(1, 10**6, 500)]).astype(np.uint32)
    out = np.empty(len(words))
    kernel.exponential_of_words(words, out)
    assert np.array_equal(out, twin.exponential_of(words))
    with decimal.localcontext(prec=50):
        exact = [-((decimal.Decimal(2 * int(word) + 1) / 2**33).ln()) for word in words]
        errors = [
            abs(decimal.Decimal(float(x)) - y) / decimal.Decimal(np.spacing(float(y)))
            for x, y in zip(out, exact, strict=True)
        ]
    assert max(errors) < 2
    assert out.min() > 0


# ---- weights of independent units -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [0, 1, 7, 33])
@pytest.mark.parametrize("first", [0, 64, 4 * 77, LAST_TILE])
def test_weights_equal_their_twins(seed: int, n: int, first: int) -> None:
    keys = some_keys(n)
    assert np.array_equal(poisson(seed, first, keys), twin.poisson(seed, range(first, first + 64), keys))
    # Bit for bit: the twin does the same arithmetic.
    assert np.array_equal(exponential(seed, first, keys), twin.exponential(seed, range(first, first + 16), keys))


def test_a_weight_depends_on_seed_replicate_and_key_alone() -> None:
    keys = some_keys(1001)
    whole, real = poisson(9, 0, keys), exponential(9, 0, keys)
    order = np.random.default_rng(0).permutation(len(keys))
    assert np.array_equal(poisson(9, 0, keys[order]), whole[order])
    assert np.array_equal(exponential(9, 0, keys[order]), real[order])
    for cut in (1, 500, 998):
        assert np.array_equal(np.vstack([poisson(9, 0, keys[:cut]), poisson(9, 0, keys[cut:])]), whole)
    # Tiles of other borders see the same replicates.
    assert np.array_equal(poisson(9, 32, keys)[:, :32], whole[:, 32:])
    assert np.array_equal(exponential(9, 4, keys)[:, :12], real[:, 4:])
    assert not np.array_equal(poisson(10, 0, keys), whole)
    assert not np.array_equal(poisson(9 + 2**32, 0, keys), whole)


def test_read_only_keys_are_taken() -> None:
    keys = some_keys(5)
    keys.flags.writeable = False
    assert poisson(1, 0, keys).shape == (5, 64)


def test_poisson_weights_have_the_distribution() -> None:
    counts = np.bincount(poisson(2024, 0, np.arange(20_000, dtype=np.uint64)).ravel(), minlength=14)
    expected = stats.poisson.pmf(np.arange(7), 1) * counts.sum()
    observed = np.append(counts[:7], counts[7:].sum())
    assert stats.chisquare(observed, np.append(expected, counts.sum() - expected.sum())).pvalue > P_VALUE


def test_exponential_weights_have_the_distribution() -> None:
    weights = exponential(2024, 0, np.arange(20_000, dtype=np.uint64)).ravel()
    error = 1 / math.sqrt(len(weights))
    assert abs(weights.mean() - 1) < 4 * error
    assert abs(weights.var() - 1) < 4 * math.sqrt(8) * error  # the fourth central moment is 9
    assert stats.kstest(weights, "expon").pvalue > P_VALUE


@pytest.mark.parametrize("draw", [poisson, exponential])
def test_weights_are_independent_over_replicates_and_units(draw: Any) -> None:
    # Consecutive keys, the hardest case for a counter.
    weights = draw(7, 0, np.arange(10_000, dtype=np.uint64)).astype(np.float64)
    between = np.corrcoef(weights.T)[np.triu_indices(weights.shape[1], 1)]
    assert abs(between).max() < 5 / math.sqrt(len(weights))
    neighbours = weights - weights.mean()
    lagged = [(neighbours[lag:] * neighbours[:-lag]).mean() for lag in (1, 2, 3, 4, 8, 16)]
    assert max(map(abs, lagged)) < 4.5 / math.sqrt(weights.size)
    sums = weights.sum(axis=0)  # of the units, in each replicate: spread as that of independent units
    spread = ((sums - len(weights)) ** 2).sum() / len(weights)
    assert P_VALUE < stats.chi2.sf(spread, len(sums)) < 1 - P_VALUE


def test_schemes_and_tiles_share_no_words() -> None:
    keys = some_keys(4000)
    first, second = poisson(7, 0, keys).ravel(), poisson(7, 64, keys).ravel()
    other = np.repeat(exponential(7, 0, keys), 4, axis=1).ravel()
    assert max(abs(np.corrcoef([first, second, other])[np.triu_indices(3, 1)])) < 4.5 / math.sqrt(len(keys) * 16)


# ---- multinomial counts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sizes", [[1], [2], [33], [1, 2, 3, 0, 64, 5], [101, 7]])
def test_counts_equal_their_twin(seed: int, sizes: list[int]) -> None:
    for first in (0, 128, LAST_TILE):
        assert np.array_equal(multinomial(seed, first, sizes), twin.multinomial(seed, range(first, first + 64), sizes))


def test_counts_add_up_in_every_stratum_and_replicate() -> None:
    sizes = [1, 2, 37, 0, 500]
    counts = multinomial(3, 0, sizes).astype(np.int64)
    strata = np.repeat(np.arange(5), sizes)
    for stratum, size in enumerate(sizes):
        assert (counts[strata == stratum].sum(axis=0) == size).all()


def test_counts_have_the_distribution() -> None:
    n = 500
    counts = np.hstack([multinomial(2024, 64 * tile, [n]) for tile in range(20)])
    observed = np.bincount(counts.ravel(), minlength=12)
    expected = stats.binom.pmf(np.arange(6), n, 1 / n) * counts.size
    assert (counts.mean(axis=0) == 1).all()
    assert (
        stats.chisquare(
            np.append(observed[:6], observed[6:].sum()), np.append(expected, counts.size - expected.sum())
        ).pvalue
        > P_VALUE
    )
    # Every unit is as likely as every other.
    per_unit = counts.sum(axis=1)
    assert stats.chisquare(per_unit).pvalue > P_VALUE
    between = np.corrcoef(counts.T)[np.triu_indices(counts.shape[1], 1)]
    assert abs(between).max() < 5.5 / math.sqrt(n)


def test_equal_strata_are_drawn_independently() -> None:
    first, second = np.split(multinomial(1, 0, [300, 300]).astype(np.float64), 2)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4.5 / math.sqrt(first.size)


def test_a_frame_without_a_unit_has_no_counts() -> None:
    assert multinomial(1, 0, []).shape == (0, 64)
    assert multinomial(1, 0, [0, 0]).shape == (0, 64)


# ---- what the kernels refuse ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [-4, 2, 63, 2**32 - 60, 2**40])
def test_a_tile_begins_at_a_block_of_replicates(first: int) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        poisson(1, first, some_keys(2))
    with pytest.raises(ValueError, match="multiple of 4"):
        exponential(1, first, some_keys(2))
    with pytest.raises(ValueError, match="multiple of 4"):
        multinomial(1, first, [2])


@pytest.mark.parametrize("shape", [(2, 64), (4, 64), (3, 16), (3, 65)])
def test_integer_weights_of_another_shape_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="one row per key"):
        kernel.poisson(1, 0, some_keys(3), np.empty(shape, dtype=np.uint8))


@pytest.mark.parametrize("shape", [(2, 16), (4, 16), (3, 64), (3, 15)])
def test_real_weights_of_another_shape_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="one row per key"):
        kernel.exponential(1, 0, some_keys(3), np.empty(shape))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_beyond_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(OverflowError):
        poisson(seed, 0, some_keys(3))


@pytest.mark.parametrize(
    ("offsets", "room", "shape", "message"),
    [
        ([0, 3], 64 * 3 - 1, (3, 64), "room"),
        ([0, 4, 3], 64 * 4, (3, 64), "in order"),
        ([1, 3], 64 * 3, (3, 64), "cover"),
        ([0, 2], 64 * 3, (3, 64), "cover"),
        ([0, 3], 64 * 3, (3, 16), "column per lane"),
        ([], 64, (0, 64), "cover"),
    ],
)
def test_strata_that_do_not_fit_are_refused(
    offsets: list[int], room: int, shape: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kernel.multinomial(1, 0, np.array(offsets, np.int64), np.empty(room, np.uint8), np.empty(shape, np.uint8))


def test_words_and_weights_of_different_lengths_are_refused() -> None:
    words = np.zeros(3, dtype=np.uint32)
    with pytest.raises(ValueError, match="length"):
        kernel.poisson_of_words(words, np.empty(2, dtype=np.uint8))
    with pytest.raises(ValueError, match="length"):
        kernel.exponential_of_words(words, np.empty(4))


# ---- draws of a plan ------------------------------------------------------------------------------------------------


class Schools:
    """A frame of units in strata, in the order of their keys."""

    def __init__(self, keys: NDArray[np.uint64], strata: NDArray[np.int32]) -> None:
        self.found = keys, strata

    def units(self, unit: str, strata: Any = ()) -> tuple[Any, Any]:
        return self.found


def schools(n: int = 150) -> Schools:
    keys = np.unique(some_keys(n))
    return Schools(keys, np.random.default_rng(1).integers(0, 4, len(keys)).astype(np.int32))


def plan_of(scheme: str, n_replicates: int = 100, seed: int = 2**40 + 1) -> BootstrapPlan:
    if scheme == "multinomial":
        return BootstrapPlan(
            n_replicates, unit="school", seed=seed, scheme="multinomial", strata="area", frame=schools()
        )
    return BootstrapPlan(n_replicates, seed=seed, scheme=scheme)  # type: ignore[arg-type]


def all_weights(draws: Draws, keys: NDArray[np.uint64]) -> NDArray[Any]:
    """The weights of units in all tiles, side by side."""
    tiles = [np.empty((len(keys), draws.lanes), dtype=draws.dtype) for _ in range(draws.n_tiles)]
    for tile, out in enumerate(tiles):
        draws.fill(tile, keys, out)
    return np.hstack(tiles)


@pytest.mark.parametrize(
    ("scheme", "n_replicates", "lanes", "dtype", "n_tiles"),
    [
        ("poisson", 999, 64, np.uint8, 16),
        ("poisson", 64, 64, np.uint8, 1),
        ("poisson", 65, 64, np.uint8, 2),
        ("bayesian", 999, 16, np.float64, 63),
        ("bayesian", 48, 16, np.float64, 3),
        ("multinomial", 129, 64, np.uint8, 3),
    ],
)
def test_tiles_hold_all_replicates(scheme: str, n_replicates: int, lanes: int, dtype: Any, n_tiles: int) -> None:
    draws = Draws(plan_of(scheme, n_replicates))
    assert (draws.lanes, draws.dtype, draws.n_tiles) == (lanes, np.dtype(dtype), n_tiles)


def test_independent_weights_of_a_plan_are_those_of_the_contract() -> None:
    keys = some_keys(21)
    whole, real = Draws(plan_of("poisson")), Draws(plan_of("bayesian"))
    assert np.array_equal(all_weights(whole, keys), twin.poisson(2**40 + 1, range(128), keys))
    assert np.array_equal(all_weights(real, keys), twin.exponential(2**40 + 1, range(112), keys))


def test_multinomial_weights_of_a_plan_are_those_of_the_contract() -> None:
    keys, strata = schools().found
    expected = np.empty((len(keys), 128), dtype=np.uint8)
    # Units in ascending key order within each stratum.
    expected[np.lexsort((keys, strata))] = twin.multinomial(2**40 + 1, range(128), np.bincount(strata).tolist())
    draws = Draws(plan_of("multinomial"))
    assert np.array_equal(all_weights(draws, keys), expected)
    # Any of the frame's units, in any order, any number of times.
    some = np.random.default_rng(2).integers(0, len(keys), 400)
    assert np.array_equal(all_weights(draws, keys[some]), expected[some])
    assert all_weights(draws, keys[:0]).shape == (0, 128)


@pytest.mark.parametrize("scheme", ["poisson", "bayesian", "multinomial"])
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_weights_are_the_same_in_any_slices_and_threads(scheme: str, n_jobs: int) -> None:
    keys = np.tile(schools().found[0], 3)
    expected = all_weights(Draws(plan_of(scheme)), keys)
    with threads(n_jobs):
        draws = Draws(plan_of(scheme))
        out = np.empty((draws.n_tiles, len(keys), draws.lanes), dtype=draws.dtype)
        slices = [(tile, at, at + 41) for tile in range(draws.n_tiles) for at in range(0, len(keys), 41)]
        ordered_map(lambda part: draws.fill(part[0], keys[part[1] : part[2]], out[part[0], part[1] : part[2]]), slices)
    assert np.array_equal(np.hstack(list(out)), expected)


def test_more_replicates_leave_the_first_ones_as_they_are() -> None:
    keys = schools().found[0]
    for scheme in ("poisson", "bayesian", "multinomial"):
        few, many = (all_weights(Draws(plan_of(scheme, count)), keys)[:, :48] for count in (48, 200))
        assert np.array_equal(few, many)


def test_units_outside_the_frame_are_counted_and_not_named() -> None:
    keys = schools().found[0]
    strangers = np.array([5, 2**64 - 2], dtype=np.uint64)
    assert not np.isin(strangers, keys).any()
    with pytest.raises(SupportError, match="2 units 'school' of the data are not in the plan's frame") as caught:
        all_weights(Draws(plan_of("multinomial")), np.concatenate([keys, strangers]))
    assert str(2**64 - 2) not in str(caught.value)


def test_an_exact_plan_draws_nothing() -> None:
    with pytest.raises(ValueError, match="no draws"):
        Draws(BootstrapPlan(seed=1, interval="exact"))
