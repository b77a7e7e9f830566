"""The kernels of least squares against their twins, at ordinary and at extreme shapes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import reference_elimination as twin

from leoreturns._core import elimination, scores

RTOL = 1e-12
NO_WEIGHTS = np.empty(0)


def rows(n_groups: int, longest: int, k: int, n_effects: int, n_slots: int, seed: int) -> tuple[np.ndarray, ...]:
    draw = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(draw.integers(0, longest + 1, n_groups))]).astype(np.int64)
    n = int(starts[-1])
    columns = draw.normal(size=(k, n)) + 10
    # Each effect has slots of its own.
    edges = np.linspace(0, n_slots, n_effects + 1).astype(int)
    slots = np.array([draw.integers(a, b, n) if b > a else np.full(n, -1) for a, b in pairwise(edges)], dtype=np.int32)
    slots = slots.reshape(n_effects, n)
    slots[draw.random(slots.shape) < 0.2] = -1
    return columns, 0.5 + draw.random(n), slots, starts


SHAPES = [(20, 6, 3, 2, 7), (1, 1, 1, 1, 1), (5, 0, 2, 1, 3), (1, 50, 2, 3, 4), (30, 1, 2, 0, 0), (0, 3, 2, 1, 2)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_kernels_are_their_twins(shape: tuple[int, ...], weighted: bool) -> None:
    columns, weights, slots, starts = rows(*shape, seed=sum(shape))
    weights = weights if weighted else NO_WEIGHTS
    n_slots = shape[4]
    for array in (weights, slots, starts):
        array.flags.writeable = False
    expected = twin.centred(columns, weights, starts)
    out = columns.copy()
    elimination.centre(out, weights, starts)
    np.testing.assert_allclose(out, expected, rtol=RTOL, atol=1e-12)
    for is_centred in (True, False):
        sums = [np.ones((len(columns), n_slots)), np.ones((n_slots, n_slots)), np.ones(n_slots)]
        elimination.slot_moments(columns, weights, slots, starts, is_centred, *sums)
        wanted = twin.slot_moments(columns, weights, slots, starts, is_centred, n_slots)
        for found, more in zip(sums, wanted, strict=True):
            np.testing.assert_allclose(found, 1.0 + more, rtol=RTOL, atol=1e-11)
        inverse = np.random.default_rng(1).normal(size=(n_slots, n_slots))
        inverse = inverse @ inverse.T
        found = np.empty(columns.shape[1])
        scores.leverages(slots, weights, starts, is_centred, inverse, found)
        np.testing.assert_allclose(
            found, twin.leverages(slots, weights, starts, is_centred, inverse), rtol=1e-10, atol=1e-10
        )
    table = np.random.default_rng(2).normal(size=(len(columns), n_slots))
    out = columns.copy()
    elimination.residualise(out, slots, table)
    np.testing.assert_allclose(out, columns - table @ twin.indicators(slots, n_slots), rtol=RTOL)


def test_sums_by_group_and_code() -> None:
    columns, _, _, starts = rows(20, 6, 3, 1, 1, seed=4)
    out = np.empty((3, 20))
    scores.sum_groups(columns, starts, out)
    np.testing.assert_allclose(out, [[row[a:b].sum() for a, b in pairwise(starts)] for row in columns])
    codes = np.random.default_rng(0).integers(0, 5, columns.shape[1]).astype(np.int32)
    sums = np.ones((6, 3))
    scores.sum_codes(columns, codes, sums)
    expected = 1.0 + np.array([[row[codes == code].sum() for row in columns] for code in range(6)])
    np.testing.assert_allclose(sums, expected)


def test_sums_of_each_side_of_nought() -> None:
    draw = np.random.default_rng(4)
    own, scale, codes = draw.normal(size=(3, 50)), draw.random(3), draw.integers(0, 6, 50).astype(np.int32)
    own[1, :5] = 0.0
    sizes, one_sided = np.abs(draw.normal(size=(2, 50))), np.array([0, 0, 1], dtype=np.uint8)
    out = np.ones((12, 6))
    scores.sum_sides(own, scale, one_sided, sizes, codes, out)
    expected = []
    for size in sizes:
        for above in (True, False):
            for j in range(3):
                value = own[j] ** 2 * scale[j] * size * (((own[j] > 0) == above) | (j == 2))
                expected.append([1.0 + value[codes == code].sum() for code in range(6)])
    np.testing.assert_allclose(out, expected)


def test_a_column_constant_within_groups_becomes_exactly_zero() -> None:
    starts = np.array([0, 3, 10, 11], dtype=np.int64)
    values = np.repeat([0.1, 1e9 + 0.3, -7.7e-9], np.diff(starts))[None, :]
    for weights in (NO_WEIGHTS, np.linspace(0.1, 3.7, 11)):
        out = values.copy()
        elimination.centre(out, weights, starts)
        assert not out.any()


def sides(columns: np.ndarray, codes: np.ndarray, out: np.ndarray) -> None:
    k = len(columns)
    scores.sum_sides(columns, np.ones(k), np.zeros(k, dtype=np.uint8), np.ones_like(columns[:1]), codes, out)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, w, s, g: elimination.centre(x, w[:-1], g), "differ in length"),
        (lambda x, w, s, g: elimination.centre(x, w, g[:1]), "cover the rows"),
        (lambda x, w, s, g: elimination.centre(x, w, g[::-1].copy()), "cover the rows"),
        (lambda x, w, s, g: elimination.residualise(x, s + np.int32(9), np.zeros((2, 3))), "outside the table"),
        (lambda x, w, s, g: elimination.residualise(x, s, np.zeros((3, 3))), "one row per column"),
        (lambda x, w, s, g: scores.sum_codes(x, s[0] + np.int32(9), np.zeros((3, 2))), "outside the table"),
        (lambda x, w, s, g: scores.sum_groups(x, g, np.zeros((2, 1))), "one entry per group"),
        (lambda x, w, s, g: sides(x, s[0], np.zeros((3, 2))), "two rows per column and size"),
        (lambda x, w, s, g: sides(x, s[0] + np.int32(9), np.zeros((4, 2))), "outside the table"),
        (lambda x, w, s, g: sides(x, s[0, 1:].copy(), np.zeros((4, 2))), "differ in length"),
        (lambda x, w, s, g: scores.leverages(s, w, g, True, np.zeros((3, 2)), w.copy()), "square"),
        (
            lambda x, w, s, g: elimination.slot_moments(
                x, w, s, g, True, np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(3)
            ),
            "square",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call: object, message: str) -> None:
    columns, weights, slots, starts = rows(10, 4, 2, 2, 3, seed=3)
    with pytest.raises(ValueError, match=message):
        call(columns, weights, slots, starts)  # type: ignore[operator]
