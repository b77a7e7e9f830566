"""The kernels of statistics under replicate weights: against plain NumPy, at borders of blocks, what they refuse."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from reference_bootstrap import one_replicate

from leoreturns._core import ranked, replicate_ranks, replicates

SUM_BLOCK, RANK_BLOCK = 256, 128
BORDERS = [0, 1, 2, 3, 4, 5, 127, 128, 129, 0, 255, 256, 257, 700]
NO_BYTES, NO_REALS = np.empty((0, 64), dtype=np.uint8), np.empty((0, 16))
P = np.array([0.01, 0.25, 0.5, 0.9, 0.99])
TOPS = np.array([0.01, 0.1, 0.5])
NAMES = ["p1", "p25", "p50", "p90", "p99", "top1", "top10", "top50", "gini"]


def cells_of(sizes: list[int], n_units: int, seed: int = 0, spare: int = 0) -> dict[str, Any]:
    """Rows of cells of the given sizes, each with some rows that are not taken behind them."""
    rng = np.random.default_rng(seed)
    n = sum(sizes) + spare * len(sizes)
    return {
        "units": rng.integers(0, n_units, n).astype(np.int32),
        "offsets": np.array([0, *accumulate(size + spare for size in sizes)], dtype=np.int64),
        "counts": np.array(sizes, dtype=np.int64),
    }


def tiles(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (draws, NO_REALS) if draws.dtype == np.uint8 else (NO_BYTES, draws)


def tile(kind: str, n_units: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "bytes":
        return rng.poisson(1.0, (n_units, 64)).astype(np.uint8)
    return rng.exponential(1.0, (n_units, 16))


def taken(cells: dict[str, Any], c: int) -> slice:
    first = int(cells["offsets"][c])
    return slice(first, first + int(cells["counts"][c]))


def read_only(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    for array in arrays:
        array.flags.writeable = False
    return arrays


# ---- sums -----------------------------------------------------------------------------------------------------------


def sum_lanes(columns: np.ndarray, cells: dict[str, Any], draws: np.ndarray, n_lanes: int) -> np.ndarray:
    out = np.full((len(columns) + 1, len(cells["counts"]), n_lanes), -7.0)
    room = np.full((2, (len(columns) + 1) * 64), -7.0)
    inputs = read_only(columns, cells["units"], cells["offsets"], cells["counts"], *tiles(draws))
    replicates.sum_lanes(*inputs, room, out)
    return out


def plain_sums(columns: np.ndarray, cells: dict[str, Any], draws: np.ndarray, n_lanes: int) -> np.ndarray:
    out = np.zeros((len(columns) + 1, len(cells["counts"]), n_lanes))
    for c in range(len(cells["counts"])):
        rows = taken(cells, c)
        of_row = draws[cells["units"][rows], :n_lanes].astype(np.float64)
        out[0, c] = of_row.sum(axis=0)
        out[1:, c] = columns[:, rows] @ of_row
    return out


@pytest.mark.parametrize("kind", ["bytes", "reals"])
@pytest.mark.parametrize("n_columns", [0, 1, 3])
def test_sums_are_the_plain_ones(kind: str, n_columns: int) -> None:
    cells, draws = cells_of(BORDERS, 90, spare=3), tile(kind, 90)
    whole = np.random.default_rng(1).integers(-50, 50, (n_columns, len(cells["units"]))).astype(np.float64)
    for n_lanes in (1, 7, draws.shape[1]):
        got, wanted = (sums(whole, cells, draws, n_lanes) for sums in (sum_lanes, plain_sums))
        if kind == "bytes":
            assert got.tolist() == wanted.tolist()
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-10)


def test_a_unit_may_have_any_byte_in_every_row_of_a_block() -> None:
    cells = cells_of([SUM_BLOCK, SUM_BLOCK + 1, 3 * SUM_BLOCK], 2)
    draws = np.full((2, 64), 255, dtype=np.uint8)
    got = sum_lanes(np.ones((1, len(cells["units"]))), cells, draws, 64)
    assert (got == 255.0 * cells["counts"][:, np.newaxis]).all()


@pytest.mark.parametrize("kind", ["bytes", "reals"])
def test_blocks_are_added_with_compensation(kind: str) -> None:
    cells, draws = cells_of([3 * SUM_BLOCK], 5), np.ones_like(tile(kind, 5))
    column = np.repeat([2.0**60, 1.0, -(2.0**60)], SUM_BLOCK)
    got = sum_lanes(column[np.newaxis], cells, draws, draws.shape[1])
    assert (got[1] == SUM_BLOCK).all()


def test_sums_hang_on_the_rows_of_the_cell_alone() -> None:
    sizes, draws = [300, 5, 257], tile("reals", 40)
    cells = cells_of(sizes, 40)
    column = np.random.default_rng(2).normal(size=(1, sum(sizes)))
    whole = sum_lanes(column, cells, draws, 16)
    for c in range(3):
        rows = taken(cells, c)
        alone = {
            "units": cells["units"][rows],
            "offsets": np.array([0, sizes[c]]),
            "counts": np.array([sizes[c]]),
        }
        assert sum_lanes(np.ascontiguousarray(column[:, rows]), alone, draws, 16).tobytes() == whole[:, [c]].tobytes()


@pytest.mark.parametrize("kind", ["bytes", "reals"])
def test_nothing_sums_to_nothing(kind: str) -> None:
    draws = tile(kind, 3)
    for sizes in ([], [0], [0, 0, 0]):
        cells = cells_of(sizes, 3)
        assert not sum_lanes(np.empty((2, 0)), cells, draws, draws.shape[1]).any()
    # More cells than rows, and no unit at all.
    cells = cells_of([0, 1, 0, 0, 1, 0], 3)
    got = sum_lanes(np.array([[5.0, 7.0]]), cells, draws, 4)
    assert got[1].tolist() == plain_sums(np.array([[5.0, 7.0]]), cells, draws, 4)[1].tolist()
    assert not sum_lanes(np.empty((1, 0)), cells_of([0], 1), draws[:0], 4).any()


def test_sums_refuse_what_does_not_fit() -> None:
    cells, draws = cells_of([2, 3], 4), tile("bytes", 4)
    good: dict[str, Any] = {
        "columns": np.ones((2, 5)),
        **cells,
        "byte_draws": draws,
        "real_draws": NO_REALS,
        "room": np.empty((2, 192)),
        "out": np.empty((3, 2, 64)),
    }
    replicates.sum_lanes(**good)
    for change, message in (
        ({"columns": np.ones((2, 4))}, "cells and rows differ"),
        ({"units": cells["units"][:4]}, "cells and rows differ"),
        ({"counts": cells["counts"][:1]}, "cells and rows differ"),
        ({"byte_draws": draws[:, :63].copy()}, "number of lanes"),
        ({"real_draws": np.empty((4, 15))}, "number of lanes"),
        ({"byte_draws": NO_BYTES, "real_draws": tile("reals", 4)}, "number of lanes"),
        ({"room": np.empty((2, 191))}, "room too short"),
        ({"room": np.empty((1, 192))}, "room too short"),
        ({"out": np.empty((3, 1, 64))}, "outputs differ"),
        ({"out": np.empty((2, 2, 64))}, "outputs differ"),
    ):
        with pytest.raises(ValueError, match=message):
            replicates.sum_lanes(**good | change)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="None"):
        replicates.sum_lanes(**good | {"units": None})  # type: ignore[arg-type]


# ---- units ----------------------------------------------------------------------------------------------------------


def test_units_of_rows_with_a_value_come_to_the_front() -> None:
    nan = math.nan
    values, codes = np.array([nan, 1.0, 2.0, nan, nan, 3.0, 4.0]), np.array([9.0, 4.0, nan, 2.0, nan, 7.0, 0.0])
    units = np.full(7, -7, dtype=np.int32)
    offsets = np.array([0, 3, 3, 5, 7], dtype=np.int64)
    assert replicates.pack_units(*read_only(values, codes, offsets), units) == 1
    assert units.tolist() == [4, 0, -7, -7, -7, 7, 0]
    assert replicates.pack_units(np.empty(0), np.empty(0), np.array([0]), np.empty(0, dtype=np.int32)) == 0
    for bad in (
        (values[:6], codes, offsets, units),
        (values, codes[:6], offsets, units),
        (values, codes, offsets + 1, units),
    ):
        with pytest.raises(ValueError, match="rows and offsets differ"):
            replicates.pack_units(*bad)


def test_units_without_a_row_are_left_out() -> None:
    units = np.array([8, 3, 99, 3, -5, 0, 123456789], dtype=np.int32)  # what is not taken may hold anything
    offsets, counts = np.array([0, 3, 5, 5, 7], dtype=np.int64), np.array([2, 1, 0, 1], dtype=np.int64)
    places, out = np.full(10, -7, dtype=np.int32), np.full(7, -7, dtype=np.int32)
    replicates.own_units(*read_only(units, offsets, counts), places, out)
    assert places.tolist() == [0, -1, -1, 1, -1, -1, -1, -1, 2, -1]
    assert out.tolist() == [2, 1, 0, 1, 0, 0, 0]
    replicates.own_units(units, offsets, np.zeros(4, dtype=np.int64), places, out)
    assert (set(places.tolist()), set(out.tolist())) == ({-1}, {0})
    for bad in ((units[:6], offsets, counts, places, out[:6]), (units, offsets, counts[:3], places, out)):
        with pytest.raises(ValueError, match="cells and rows differ"):
            replicates.own_units(*bad)
    with pytest.raises(ValueError, match="rows and outputs differ"):
        replicates.own_units(units, offsets, counts, places, out[:6])


@pytest.mark.parametrize("n_units", [1, 3, 50])
def test_rows_are_added_by_unit(n_units: int) -> None:
    cells = cells_of([0, 1, 7, 40, 0, 3], n_units, spare=2)
    n = len(cells["units"])
    columns = np.random.default_rng(4).integers(-9, 9, (2, n)).astype(np.float64)
    out, out_units = np.full((2, n), -7.0), np.full(n, -7, dtype=np.int32)
    out_counts, seen = np.full(6, -7, dtype=np.int64), np.full(n_units, 3, dtype=np.int64)
    replicates.sum_units(*read_only(columns, *cells.values()), seen, out, out_units, out_counts)
    for c in range(6):
        rows, first = taken(cells, c), int(cells["offsets"][c])
        order = list(dict.fromkeys(cells["units"][rows].tolist()))  # as they are met
        assert out_counts[c] == len(order)
        found = slice(first, first + len(order))
        assert out_units[found].tolist() == order
        wanted = [columns[:, rows][:, cells["units"][rows] == unit].sum(axis=1).tolist() for unit in order]
        assert out[:, found].T.tolist() == wanted
    good = [columns, *cells.values(), seen, out, out_units, out_counts]
    for at, bad in (
        (0, columns[:, 1:].copy()),
        (3, cells["counts"][1:]),
        (5, out[:1]),
        (6, out_units[1:]),
        (7, out_counts[1:]),
    ):
        with pytest.raises(ValueError, match="differ in length"):
            replicates.sum_units(*[bad if place == at else array for place, array in enumerate(good)])


# ---- order ----------------------------------------------------------------------------------------------------------


def ordered(cells: dict[str, Any], values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    longest = max(1, int(cells["counts"].max(initial=0)))
    out, out_weights = np.full(len(values), -7.0), np.full(len(weights), -7.0)
    units = np.full(len(values), -7, dtype=np.int32)
    ranked.order_cells(
        *read_only(values, weights, *cells.values()),
        np.empty((2, longest), dtype=np.uint64),
        np.empty((2, longest)),
        out,
        out_weights,
        units,
    )
    return out, out_weights, units


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_are_sorted_by_value_then_weight_then_place(weighted: bool) -> None:
    cells = cells_of(BORDERS, 30, spare=1)
    rng, n = np.random.default_rng(5), len(cells["units"])
    values = rng.choice([-math.inf, -3.5, -1e-300, 0.0, 2.0, 7.25, 1e300, math.inf], n)
    weights = rng.choice([0.5, 1.0, 3.0], n) if weighted else np.empty(0)
    got = ordered(cells, values, weights)
    for c in range(len(BORDERS)):
        rows = taken(cells, c)
        order = np.lexsort([weights[rows], values[rows]] if weighted else [values[rows]])
        wanted = (values, weights, cells["units"]) if weighted else (values, cells["units"])
        found = got if weighted else (got[0], got[2])
        for sorted_, column in zip(found, wanted, strict=True):
            assert sorted_[rows].tolist() == column[rows][order].tolist()


def test_sorting_refuses_what_does_not_fit() -> None:
    cells = cells_of([2, 3], 4)
    good: dict[str, Any] = {"values": np.ones(5), "weights": np.ones(5), **cells}
    good |= {"key_room": np.empty((2, 3), dtype=np.uint64), "place_room": np.empty((2, 3))}
    good |= {"out": np.empty(5), "out_weights": np.empty(5), "out_units": np.empty(5, dtype=np.int32)}
    ranked.order_cells(**good)
    for change, message in (
        ({"values": np.ones(4)}, "differ"),
        ({"weights": np.ones(4), "out_weights": np.empty(4)}, "values and weights differ"),
        ({"units": cells["units"][:4]}, "cells and rows differ"),
        ({"counts": cells["counts"][:1]}, "cells and rows differ"),
        ({"key_room": np.empty((2, 2), dtype=np.uint64)}, "room too short"),
        ({"place_room": np.empty((1, 3))}, "room too short"),
        ({"out": np.empty(4)}, "rows and outputs differ"),
        ({"out_weights": np.empty(0)}, "rows and outputs differ"),
        ({"out_units": np.empty(4, dtype=np.int32)}, "rows and outputs differ"),
    ):
        with pytest.raises(ValueError, match=message):
            ranked.order_cells(**good | change)  # type: ignore[arg-type]


# ---- percentiles, Gini, top shares ----------------------------------------------------------------------------------


def rank_lanes(
    cells: dict[str, Any], values: np.ndarray, weights: np.ndarray, draws: np.ndarray, rule: int, **options: Any
) -> np.ndarray:
    """Run the kernel on sorted rows."""
    blocks = max(5, int(cells["counts"].max(initial=0)) // RANK_BLOCK + 2)
    given = {"counted": True, "n_lanes": draws.shape[1]} | options
    out = np.full((len(P) + len(TOPS) + 1, len(cells["counts"]), given["n_lanes"]), -7.0)
    inputs = read_only(values, weights, *cells.values(), *tiles(draws))
    room = np.full((2, blocks * 64), -7.0)
    replicate_ranks.rank_lanes(*inputs, given["counted"], P, rule, TOPS, True, room, out)
    return out


def sorted_rows(sizes: list[int], n_units: int, seed: int, kind: str | None) -> tuple[Any, np.ndarray, np.ndarray]:
    """Cells in order, with ties and zeros; weights are eighths."""
    cells = cells_of(sizes, n_units, seed)
    rng, n = np.random.default_rng(seed), len(cells["units"])
    values = np.round(rng.lognormal(2, 1, n), 1) * (rng.random(n) > 0.1)
    weights = {None: np.empty(0), "frequency": rng.integers(1, 4, n) * 1.0, "probability": rng.integers(1, 20, n) / 8}[
        kind
    ]
    values, weights, units = ordered(cells, values, weights)
    return {**cells, "units": units}, values, weights


@pytest.mark.parametrize("kind", [None, "frequency", "probability"])
@pytest.mark.parametrize("drawn", ["bytes", "reals"])
def test_order_statistics_are_those_of_the_definition(drawn: str, kind: str | None) -> None:
    sizes, draws = [0, 1, 2, 3, 127, 128, 129, 257], tile(drawn, 60)
    lanes = [0, draws.shape[1] - 1]
    cells, values, weights = sorted_rows(sizes, 60, 6, kind)
    for rule in range(1, 10):
        counted = kind != "probability"
        if rule == 3 and not (counted and drawn == "bytes"):
            continue
        got = rank_lanes(cells, values, weights, draws, rule, counted=counted)
        for c in (c for c in range(len(sizes)) if sizes[c] < 10 or (c + rule) % 3 == 0):
            rows = taken(cells, c)
            w = weights[rows] if len(weights) else None
            for lane in lanes:
                of_row = np.ascontiguousarray(draws[cells["units"][rows], lane])
                wanted = one_replicate(NAMES, values[rows], w, kind, of_row, rule)
                np.testing.assert_allclose(got[:, c, lane], wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("drawn", ["bytes", "reals"])
def test_blocks_without_weight_change_nothing(drawn: str) -> None:
    n = 5 * RANK_BLOCK
    cells = cells_of([n], n)
    cells["units"] = np.arange(n, dtype=np.int32)
    values, draws = np.arange(float(n)), tile(drawn, n)
    draws[: RANK_BLOCK + 1] = 0
    draws[2 * RANK_BLOCK : 3 * RANK_BLOCK] = 0
    draws[n - RANK_BLOCK - 1 :] = 0
    draws[:, 1] = 0  # a replicate without any weight
    draws[:, 2] = np.arange(n) == 3 * RANK_BLOCK  # and one of a single row
    for rule in (1, 2, 4, 5, 6, 7, 8, 9):
        got = rank_lanes(cells, values, np.empty(0), draws, rule)[:, 0]
        wanted = one_replicate(NAMES, values, None, None, np.ascontiguousarray(draws[:, 0]), rule)
        np.testing.assert_allclose(got[:, 0], wanted, rtol=1e-12)
        assert np.isnan(got[:, 1]).all()
        assert got[: len(P), 2].tolist() == [3.0 * RANK_BLOCK] * len(P)
        np.testing.assert_allclose(got[len(P) :, 2], [*TOPS, 0.0], rtol=1e-12, atol=1e-15)


def test_losses_and_nothing_leave_concentration_undefined() -> None:
    draws = np.ones((3, 64), dtype=np.uint8)
    cells = cells_of([3, 3, 0, 3], 3)
    values = np.array([-1.0, 2.0, 5.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    got = rank_lanes(cells, values, np.empty(0), draws, 7)
    concentration = got[len(P) :, :, 0]
    assert np.isnan(concentration[:, :3]).all()
    np.testing.assert_allclose(concentration[:, 3], [*TOPS, 0.0], rtol=1e-12, atol=1e-15)
    assert got[2, :, 0].tolist()[:2] == [2.0, 0.0]
    assert np.isnan(got[:, 2]).all()


def test_whole_draws_of_one_are_the_sample_in_bytes_and_reals() -> None:
    for kind in (None, "probability"):
        cells, values, weights = sorted_rows([200], 200, 8, kind)
        for rule in (1, 2, 4, 5, 6, 7, 8, 9):
            one = rank_lanes(cells, values, weights, np.ones((200, 64), np.uint8), rule, counted=False)
            other = rank_lanes(cells, values, weights, np.ones((200, 16)), rule, counted=False)
            assert one[:, :, :16].tobytes() == other.tobytes()


def test_no_rows_and_no_units_give_nothing() -> None:
    for sizes in ([], [0], [0, 0]):
        for draws in (tile("bytes", 3), tile("reals", 3), NO_BYTES):
            assert np.isnan(rank_lanes(cells_of(sizes, 3), np.empty(0), np.empty(0), draws, 7)).all()
    got = rank_lanes(cells_of([0, 1, 0, 0, 1, 0], 1), np.array([5.0, 7.0]), np.empty(0), np.ones((1, 16)), 7)
    assert got[2, :, 3].tolist()[1::3] == [5.0, 7.0]
    assert np.isnan(got[2, [0, 2, 3, 5]]).all()


def test_order_statistics_refuse_what_does_not_fit() -> None:
    cells, draws = cells_of([2, 3], 4), tile("bytes", 4)
    good: dict[str, Any] = {"values": np.ones(5), "weights": np.ones(5), **cells, "byte_draws": draws}
    good |= {"real_draws": NO_REALS, "counted": False, "p": P, "rule": 7, "tops": TOPS, "gini": True}
    good |= {"room": np.empty((2, 320)), "out": np.empty((9, 2, 64))}
    replicate_ranks.rank_lanes(**good)
    for change, message in (
        ({"values": np.ones(4)}, "differ"),
        ({"weights": np.ones(4)}, "values and weights differ"),
        ({"units": cells["units"][:4]}, "cells and rows differ"),
        ({"counts": cells["counts"][:1]}, "cells and rows differ"),
        ({"byte_draws": draws[:, 1:].copy()}, "number of lanes"),
        ({"real_draws": np.empty((0, 15))}, "number of lanes"),
        ({"byte_draws": NO_BYTES, "real_draws": tile("reals", 4)}, "number of lanes"),
        ({"room": np.empty((2, 319))}, "room too short"),
        ({"room": np.empty((1, 320))}, "room too short"),
        ({"gini": False}, "cells and outputs differ"),
        ({"out": np.empty((9, 3, 64))}, "cells and outputs differ"),
    ):
        with pytest.raises(ValueError, match=message):
            replicate_ranks.rank_lanes(**good | change)  # type: ignore[arg-type]
