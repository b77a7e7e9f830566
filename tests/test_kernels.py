"""The kernels of aggregates alone: against twins, at the edges, beyond 2**31 rows, and what they refuse."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from reference_aggregates import field_powers, field_product, gini, kernel_room, percentile, sketch_of, top_share

import leoreturns as lr
from leoreturns._core import entities, gather, moments, quantiles, ranked, sketch, tally

NONE = np.empty(0)
NO_BYTES = np.empty(0, dtype=np.uint8)
MASK64 = (1 << 64) - 1
BEYOND = 2**31 + 100  # rows that a 32-bit index cannot number

# ---- gather ---------------------------------------------------------------------------------------------------------


def people(seed: int, n: int = 30, width: int = 5) -> dict[str, Any]:
    """Persons with trait cells, rows with year codes, some of either missing."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 6, n))]).astype(np.int64)
    return {
        "trait": rng.integers(-1, 4, n).astype(np.int32),
        "offsets": offsets,
        "codes": rng.integers(-1, width, offsets[-1]),
        "mask": rng.integers(0, 2, offsets[-1]).astype(np.uint8),
        "keys": rng.integers(0, 2**63, n).astype(np.uint64),
        "values": np.round(rng.normal(size=offsets[-1]) * 50),
        "n_traits": 4,
        "width": width,
    }


def rows_by_cell(data: dict[str, Any], masked: bool, coded: bool) -> list[list[tuple[int, int]]]:
    """(person, row) of each cell, in the panel's order."""
    width = data["width"] if coded else 1
    found: list[list[tuple[int, int]]] = [[] for _ in range(data["n_traits"] * width)]
    for who, trait in enumerate(data["trait"].tolist()):
        for row in range(data["offsets"][who], data["offsets"][who + 1]):
            code = int(data["codes"][row]) if coded else 0
            if trait >= 0 and code >= 0 and (not masked or data["mask"][row]):
                found[trait * width + code].append((who, row))
    return found


def gathered(
    data: dict[str, Any],
    itemsize: int,
    masked: bool,
    values: NDArray[Any] | None,
    kind: int,
    waves: tuple[int, int] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int32], NDArray[np.uint64]]:
    """Run the four gather kernels on one chunk, in up to three waves: rows per cell, values, persons, persons' keys."""
    coded = itemsize > 0
    width = data["width"] if coded else 1
    codes = data["codes"].astype(f"i{itemsize}").view(np.uint8) if coded else NO_BYTES
    mask = data["mask"] if masked else NO_BYTES
    counts = np.full(data["n_traits"] * width, -7, dtype=np.int64)
    gather.count_rows(data["trait"], data["offsets"], codes, itemsize, mask, width, counts)
    per_trait = np.full(data["n_traits"], -7, dtype=np.int64)
    gather.count_people(data["trait"], per_trait)
    bounds = np.concatenate([[0], np.cumsum(per_trait)])
    ordered = np.empty(per_trait.sum(), dtype=np.int32)
    keys = np.empty(per_trait.sum(), dtype=np.uint64)
    gather.order_people(data["trait"], data["keys"], 0, bounds[:-1].copy(), bounds[:-1].copy(), ordered, keys)
    out, persons = np.empty(counts.sum()), np.empty(counts.sum(), dtype=np.int32)
    raw, size = (NO_BYTES, 0) if values is None else (values.view(np.uint8), values.itemsize)
    first, last = waves if waves else (0, data["n_traits"])
    for low, high in pairwise([0, first, last, data["n_traits"]]):  # one trait cell after the other, or all at once
        cells = slice(low * width, high * width)
        gather.fill_rows(
            ordered,
            bounds[low : high + 1],
            np.zeros(high - low, dtype=np.uint8),
            data["offsets"],
            codes,
            itemsize,
            mask,
            width,
            raw,
            size,
            kind,
            (np.cumsum(counts) - counts)[cells],
            bounds[low:high],
            out,
            persons,
        )
    return counts, out, persons, keys


def test_rising_codes_are_noticed() -> None:
    offsets, counts = np.array([0, 2, 5], dtype=np.int64), np.empty(3, dtype=np.int64)
    trait = np.zeros(2, dtype=np.int32)
    for codes, rising in (([0, 1, 0, 1, 2], True), ([0, 0, 0, 1, 2], False), ([1, -1, 2, 1, 0], False)):
        raw = np.array(codes, dtype=np.int8).view(np.uint8)
        assert gather.count_rows(trait, offsets, raw, 1, NO_BYTES, 3, counts) is rising
    # A row that does not count does not come between two that do.
    mask = np.array([1, 0, 1, 1, 1], dtype=np.uint8)
    raw = np.array([0, 0, 0, 1, 2], dtype=np.int8).view(np.uint8)
    assert gather.count_rows(trait, offsets, raw, 1, mask, 3, counts) is True


def test_persons_of_full_cells_are_numbered() -> None:
    persons = np.full(7, -7, dtype=np.int32)
    gather.number_persons(np.array([0, 2, 4, 4, 7]), np.array([5, -1, 0, 8]), persons)
    assert persons.tolist() == [5, 6, -7, -7, 8, 9, 10]
    with pytest.raises(ValueError, match="do not fit"):
        gather.number_persons(np.array([0, 8]), np.array([0]), persons)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("itemsize", [0, 1, 2, 4, 8])
def test_rows_are_gathered_by_cell_in_the_panels_order(itemsize: int, masked: bool) -> None:
    for seed in range(6):
        data = people(seed)
        waves = None if seed % 2 else (1, 3)
        counts, values, persons, keys = gathered(data, itemsize, masked, data["values"], 0, waves)
        wanted = rows_by_cell(data, masked, itemsize > 0)
        flat = [pair for cell in wanted for pair in cell]
        assert counts.tolist() == [len(cell) for cell in wanted]
        assert values.tolist() == [data["values"][row] for _, row in flat]
        assert keys[persons].tolist() == [int(data["keys"][who]) for who, _ in flat]


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8"])
@pytest.mark.parametrize("kind", [1, 2])
def test_whole_numbers_of_any_width_are_read(dtype: str, kind: int) -> None:
    data = people(9)
    values = np.round(data["values"]).astype(dtype)
    _, got, _, _ = gathered(data, 1, False, values, kind)
    wanted = [float(values[row]) for cell in rows_by_cell(data, False, True) for _, row in cell]
    if kind == 2:  # codes: a negative one is missing
        wanted = [math.nan if value < 0 else value for value in wanted]
    np.testing.assert_array_equal(got, wanted)


def test_rows_are_counted_as_ones_without_a_column() -> None:
    _, got, _, _ = gathered(people(10), 1, True, None, 0)
    assert len(got) and (got == 1.0).all()


def test_gathering_nobody_and_nothing() -> None:
    empty = {
        "trait": np.empty(0, dtype=np.int32),
        "offsets": np.zeros(1, dtype=np.int64),
        "codes": np.empty(0),
        "mask": NO_BYTES,
        "keys": np.empty(0, dtype=np.uint64),
        "n_traits": 3,
        "width": 2,
    }
    counts, values, _, _ = gathered(empty, 1, False, NONE, 0)
    assert (counts.tolist(), len(values)) == ([0] * 6, 0)
    nowhere = people(11) | {"trait": np.full(30, -1, dtype=np.int32)}
    assert gathered(nowhere, 1, False, nowhere["values"], 0)[0].sum() == 0


def test_gather_kernels_refuse_columns_that_end_early() -> None:
    data = people(12)
    trait, offsets, n = data["trait"], data["offsets"], int(data["offsets"][-1])
    codes, counts = np.zeros(n, np.uint8), np.empty(20, np.int64)
    with pytest.raises(ValueError, match="one entry more"):
        gather.count_rows(trait, offsets[:-1], codes, 1, NO_BYTES, 5, counts)
    with pytest.raises(ValueError, match="codes are shorter"):
        gather.count_rows(trait, offsets, codes[:-1], 1, NO_BYTES, 5, counts)
    with pytest.raises(ValueError, match="codes are shorter"):
        gather.count_rows(trait, offsets, codes, 2, NO_BYTES, 5, counts)
    with pytest.raises(ValueError, match="mask is shorter"):
        gather.count_rows(trait, offsets, codes, 1, codes[:-1], 5, counts)
    with pytest.raises(ValueError, match="not below the number of trait cells"):
        gather.count_people(trait, np.empty(3, np.int64))
    place = np.zeros(4, dtype=np.int64)
    for keys, position in ((data["keys"][1:], place), (data["keys"], place[1:])):
        with pytest.raises(ValueError, match="differ in length"):
            gather.order_people(trait, keys, 0, place, position, np.empty(30, np.int32), data["keys"])
    good: dict[str, Any] = {
        "people": np.arange(2, dtype=np.int32),
        "bounds": np.array([0, 2]),
        "full": np.zeros(1, dtype=np.uint8),
        "offsets": offsets,
        "codes": codes,
        "code_size": 1,
        "mask": NO_BYTES,
        "width": 5,
        "values": NO_BYTES,
        "value_size": 0,
        "kind": 0,
        "cursor": np.zeros(5, dtype=np.int64),
        "position": np.zeros(1, dtype=np.int64),
        "values_out": np.empty(n),
        "persons_out": np.empty(n, dtype=np.int32),
    }
    gather.fill_rows(*good.values())
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"position": place[:2]}, "do not fit"),
        ({"full": np.zeros(2, np.uint8)}, "do not fit"),
        ({"cursor": place}, "do not fit"),
        ({"bounds": np.array([0, 3])}, "past the people"),
        ({"persons_out": np.empty(n - 1, np.int32)}, "differ in length"),
        ({"value_size": 1, "values": codes[1:]}, "values are shorter"),
        ({"codes": codes[1:]}, "codes are shorter"),
        ({"mask": codes[1:]}, "mask is shorter"),
    ]
    for change, message in wrong:
        with pytest.raises(ValueError, match=message):
            gather.fill_rows(*(good | change).values())


# ---- beyond 2**31 rows ----------------------------------------------------------------------------------------------


def test_two_thousand_million_rows_are_counted() -> None:
    # Bytes that nobody has written take no memory.
    codes = np.zeros(BEYOND, dtype=np.uint8)
    counts = np.empty(2, dtype=np.int64)
    offsets = np.array([0, 3, BEYOND], dtype=np.int64)
    gather.count_rows(np.array([1, 0], np.int32), offsets, codes, 1, NO_BYTES, 1, counts)
    assert counts.tolist() == [BEYOND - 3, 3]


@pytest.fixture
def sparse(tmp_path: Path) -> Any:
    """Return files as long as asked for, of which only what is written takes disk."""
    if sys.platform != "linux":
        pytest.skip("needs sparse files")
    made = []

    def make(dtype: str, n: int) -> NDArray[Any]:
        path = tmp_path / f"{len(made)}.bin"
        with open(path, "wb") as file:
            file.truncate(np.dtype(dtype).itemsize * n)
        made.append(np.memmap(path, dtype=dtype, mode="r+", shape=(n,)))
        return made[-1]

    yield make
    for path in tmp_path.iterdir():
        path.unlink()


@pytest.mark.parametrize("dtype", ["i1", "i8", "f8"])
def test_rows_beyond_32_bits_are_gathered(sparse: Any, dtype: str) -> None:
    # Two persons; the first has more rows than 32 bits number, the second's lie behind them.
    codes, values, mask = sparse("i2", BEYOND), sparse(dtype, BEYOND), sparse("u1", BEYOND)
    codes[-6:], values[-6:], mask[-6:] = [0, 1, 1, -1, 0, 1], [10, 11, 12, 13, 14, 15], [1, 1, 0, 1, 1, 1]
    offsets = np.array([0, BEYOND - 6, BEYOND], dtype=np.int64)
    counts = np.empty(2, dtype=np.int64)
    gather.count_rows(np.array([0], np.int32), offsets[1:], codes.view(np.uint8), 2, mask, 2, counts)
    assert counts.tolist() == [2, 2]
    out, persons = np.empty(4), np.empty(4, dtype=np.int32)
    gather.fill_rows(
        np.array([1], dtype=np.int32),
        np.array([0, 1]),
        np.zeros(1, dtype=np.uint8),
        offsets,
        codes.view(np.uint8),
        2,
        mask,
        2,
        values.view(np.uint8),
        values.itemsize,
        int(dtype != "f8"),
        np.array([0, 2]),
        np.array([1]),
        out,
        persons,
    )
    assert out.tolist() == [10, 14, 11, 15]
    assert persons.tolist() == [1] * 4


def test_cells_beyond_32_bits_are_described(sparse: Any) -> None:
    # A cell of a hundred rows that begins behind 2**31 others, none of which is touched.
    values, persons, weights, products = (sparse(kind, BEYOND) for kind in ("f8", "i4", "f8", "f8"))
    offsets = np.array([BEYOND - 100, BEYOND], dtype=np.int64)
    pay = np.random.default_rng(0).lognormal(10, 1, 100)
    values[-100:], persons[-100:], weights[-100:] = pay, np.arange(100) // 2, 2.0
    keys = np.arange(50, dtype=np.uint64)
    counts, numbers, prints = outputs(1)
    members = np.zeros((50, 5), dtype=np.uint64)
    sketch.person_powers(keys, members)
    sketches = np.empty((2, 1, 5), dtype=np.uint64)
    sketch.sketch_cells(values, persons, offsets, members, *sketches)
    assert sketches[0, 0].tolist() == sketches[1, 0].tolist() == sketch_of(range(50)).tolist()
    found = np.empty(1, dtype=np.int64)
    entities.count_entities(persons, offsets, np.empty(50, np.int64), found)
    assert found.tolist() == [50]
    moments.summarise(values, weights, persons, offsets, keys, False, products, counts, numbers, prints)
    assert numbers[0, 0] == math.fsum(2 * pay)
    assert counts[0, :4].tolist() == [100, 100, 50, 50]
    low, high, n = pay.min(keepdims=True), pay.max(keepdims=True), np.array([100])
    out, tails, largest = np.empty((1, 1)), np.empty((3, 1, 1), dtype=np.int64), np.empty(1, dtype=np.int64)
    half, second = np.array([0.5]), np.empty(1)
    quantiles.percentiles(
        values,
        persons,
        offsets,
        n,
        np.array([50]),
        low,
        high,
        half,
        7,
        *kernel_room(100).values(),
        out,
        *tails,
        largest,
        second,
    )
    assert out[0, 0] == np.median(pay)
    assert second.tolist() == [np.sort(pay)[-2]]
    room = np.empty((2, 100), dtype=np.uint64), np.empty((2, 100))
    index, shares = np.empty(1), np.empty((1, 1))
    ranked.rank_cells(
        values, weights, persons, offsets, n, np.array([200.0]), True, half, 7, half, *room, out, *tails, index, shares
    )
    np.testing.assert_allclose([index[0], shares[0, 0]], [gini(pay), top_share(pay, 50)], rtol=1e-12)
    assert out[0, 0] == np.median(np.repeat(pay, 2))


def test_frequencies_beyond_32_bits() -> None:
    frame = pd.DataFrame({"x": np.arange(10.0), "w": 10**9})
    for rule, wanted in ((1, 4.0), (2, 4.5), (6, 4.5), (7, 4.5)):
        table = lr.aggregate(
            frame,
            "x",
            statistics=["p50", "p90", "n_weighted", "gini"],
            weights=lr.Weights("w", "frequency"),
            quantile_rule=rule,
        )  # type: ignore[arg-type]
        assert table.statistics["p50"][0] == wanted
        assert table.statistics["n_weighted"][0] == 10**10
        np.testing.assert_allclose(table.statistics["gini"][0], gini(np.arange(10.0)), rtol=1e-12)


# ---- moments --------------------------------------------------------------------------------------------------------


def outputs(n_cells: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint64]]:
    return (
        np.full((n_cells, len(moments.COUNTS)), -7, dtype=np.int64),
        np.full((n_cells, len(moments.NUMBERS)), -7.0),
        np.full((n_cells, 2), 7, dtype=np.uint64),
    )


def summarise(
    values: NDArray[np.float64], persons: NDArray[np.int32], offsets: list[int], weights: NDArray[np.float64] = NONE
) -> list[dict[str, Any]]:
    keys = np.arange(100, 200, dtype=np.uint64)
    counts, numbers, prints = outputs(len(offsets) - 1)
    moments.summarise(
        values, weights, persons, np.array(offsets), keys, False, np.empty(len(weights)), counts, numbers, prints
    )
    return [
        dict(zip((*moments.COUNTS, *moments.NUMBERS), [*counts[at].tolist(), *numbers[at].tolist()], strict=True))
        | {"prints": prints[at].tolist()}
        for at in range(len(offsets) - 1)
    ]


def test_values_move_to_the_front_with_their_persons_and_weights() -> None:
    nan = math.nan
    values = np.array([nan, 1.0, nan, 2.0, 9.0, nan, 4.0])
    persons = np.array([0, 0, 1, 2, 3, 3, 4], dtype=np.int32)
    weights = np.arange(1.0, 8.0)
    cells = summarise(values, persons, [0, 4, 4, 7], weights)
    assert (values[:2].tolist(), values[4:6].tolist()) == ([1.0, 2.0], [9.0, 4.0])
    assert (persons[:2].tolist(), persons[4:6].tolist()) == ([0, 2], [3, 4])
    assert (weights[:2].tolist(), weights[4:6].tolist()) == ([2.0, 4.0], [5.0, 7.0])
    assert [cell["n_obs"] for cell in cells] == [4, 0, 3]
    assert [cell["n_person"] for cell in cells] == [3, 0, 2]
    assert [cell["n_person_value"] for cell in cells] == [2, 0, 2]
    assert [cell["sum"] for cell in cells] == [10.0, 0.0, 73.0]
    assert [cell["weight"] for cell in cells] == [6.0, 0.0, 12.0]
    assert [cell["weight_squared"] for cell in cells] == [20.0, 0.0, 74.0]
    assert math.isnan(cells[1]["mean"]) and math.isnan(cells[1]["low"])
    # Sums of keys: of 100 + 101 + 102, and of 100 + 102, who have a value.
    assert [cell["prints"] for cell in cells] == [[303, 202], [0, 0], [207, 207]]


def test_prints_add_up_without_carrying() -> None:
    keys = np.array([MASK64, MASK64 - 5, 3], dtype=np.uint64)
    for persons in ([0, 1, 2], [0, 0, 1, 1, 2]):  # the cell of single rows, and the one of several
        counts, numbers, prints = outputs(1)
        n, who = len(persons), np.array(persons, dtype=np.int32)
        moments.summarise(np.ones(n), NONE, who, np.array([0, n]), keys, False, NONE, counts, numbers, prints)
        assert prints.tolist() == [[sum(keys.tolist()) & MASK64] * 2]


@pytest.mark.parametrize("weighted", [False, True])
def test_persons_of_one_row_are_described_as_persons_of_several(weighted: bool) -> None:
    # The cell of single rows has a faster way; a person with a second, missing row takes the other.
    rng = np.random.default_rng(3)
    for _ in range(50):
        n = int(rng.integers(1, 40))
        values = rng.integers(-3, 5, n) * 1.5
        values[rng.random(n) < 0.2] = math.nan
        weights = rng.integers(1, 4, n + 1) * 1.0 if weighted else NONE
        persons = np.arange(n, dtype=np.int32)
        (single,) = summarise(values.copy(), persons.copy(), [0, n], weights[:n].copy())
        twice = np.append(values, math.nan), np.append(persons, np.int32(n - 1))
        (several,) = summarise(*twice, [0, n + 1], weights.copy())
        assert several.pop("n_obs") == single.pop("n_obs") + 1
        if math.isnan(single["top2"]):  # left to the percentile kernel, as the second largest value
            single["top2"] = percentiles_of([values[~np.isnan(values)]], [])["second"][0]
        np.testing.assert_equal(several, single)


def test_cells_without_rows_and_tables_without_cells() -> None:
    empty = summarise(np.empty(0), np.empty(0, np.int32), [0, 0, 0])
    assert [cell["n_obs"] for cell in empty] == [0, 0]
    assert all(cell["sum"] == cell["top1"] == 0.0 and math.isnan(cell["mean"]) for cell in empty)
    assert summarise(np.empty(0), np.empty(0, np.int32), [0]) == []
    (missing,) = summarise(np.full(3, math.nan), np.array([0, 0, 1], np.int32), [0, 3])
    assert (missing["n_obs"], missing["n_value"], missing["n_person"], missing["n_person_value"]) == (3, 0, 2, 0)
    (one,) = summarise(np.array([-3.0]), np.array([0], np.int32), [0, 1])
    assert (one["sum"], one["mean"], one["squares"], one["top1"], one["n_negative"]) == (-3.0, -3.0, 0.0, 3.0, 1)


def test_moments_refuse_arrays_that_do_not_fit() -> None:
    counts, numbers, prints = outputs(2)
    good: dict[str, Any] = {
        "values": np.ones(3),
        "weights": NONE,
        "persons": np.zeros(3, dtype=np.int32),
        "offsets": np.array([0, 1, 3]),
        "keys": np.zeros(1, dtype=np.uint64),
        "rising": False,
        "products": NONE,
        "counts": counts,
        "numbers": numbers,
        "prints": prints,
    }
    moments.summarise(*good.values())
    wrong: list[dict[str, Any]] = [
        {"counts": counts[:1]},
        {"numbers": np.empty((2, 9))},
        {"prints": np.empty((2, 4), np.uint64)},
        {"offsets": np.array([0, 1, 4])},
        {"persons": np.zeros(2, np.int32)},
        {"weights": np.ones(3)},
        {"weights": np.ones(2), "products": np.ones(3)},
    ]
    for change in wrong:
        with pytest.raises(ValueError, match="length|columns"):
            moments.summarise(*(good | change).values())
    with pytest.raises(TypeError):
        moments.summarise(*(good | {"values": None}).values())


# ---- quantiles ------------------------------------------------------------------------------------------------------


def percentiles_of(cells: list[NDArray[np.float64]], p: list[float], rule: int = 7) -> dict[str, NDArray[Any]]:
    values = np.concatenate([*cells, NONE])
    n = np.array([len(cell) for cell in cells], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(n)]).astype(np.int64)
    low = np.array([cell.min(initial=math.inf) for cell in cells])
    high = np.array([cell.max(initial=-math.inf) for cell in cells])
    shape = (len(cells), len(p))
    out = {"out": np.full(shape, -7.0)} | {side: np.full(shape, -7) for side in ("below", "tied", "above")}
    out |= {"largest": np.full(len(cells), -7), "second": np.full(len(cells), -7.0)}
    quantiles.percentiles(
        values, np.arange(len(values), dtype=np.int32), offsets, n, n, low, high, np.array(p, dtype=np.float64), rule,
        *kernel_room(max(n, default=0)).values(), *out.values(),
    )  # fmt: skip
    return out


@pytest.mark.parametrize("rule", range(1, 10))
def test_percentiles_of_many_small_cells(rule: int) -> None:
    rng = np.random.default_rng(rule)
    cells = [np.round(rng.lognormal(3, 1, rng.integers(0, 90)), int(rng.integers(0, 3))) for _ in range(300)]
    numbers = [1, 10, 33, 50, 75, 99]
    got = percentiles_of(cells, [number / 100 for number in numbers], rule)
    for at, cell in enumerate(cells):
        wanted = [percentile(cell, number, rule) for number in numbers]
        np.testing.assert_allclose(got["out"][at], wanted, rtol=1e-12)
        if len(cell):
            points = got["out"][at]
            np.testing.assert_array_equal(got["below"][at], [(cell < point).sum() for point in points])
            np.testing.assert_array_equal(got["tied"][at], [(cell == point).sum() for point in points])
            np.testing.assert_array_equal(got["above"][at], [(cell > point).sum() for point in points])


@pytest.mark.parametrize("n", [40, 41, 64, 65, 4096, 8192, 8193, 50_000])
def test_sizes_at_which_the_histogram_changes(n: int) -> None:
    rng = np.random.default_rng(n)
    for values in (rng.normal(size=n), rng.integers(0, n // 3, n) * 1.0, np.r_[np.zeros(n - 3), 1e-300, 1.0, 1e300]):
        got = percentiles_of([rng.permutation(values)], [k / 100 for k in range(1, 100)], 1)
        ranks = -(-np.arange(1, 100) * n // 100)
        np.testing.assert_array_equal(got["out"][0], np.sort(values)[ranks - 1])
        assert (got["tied"] > 0).all()


def test_percentiles_at_the_edges() -> None:
    got = percentiles_of([np.array([5.0]), NONE, np.array([1.0, 1.0, 2.0])], [])
    assert got["out"].shape == (3, 0)
    assert got["largest"].tolist() == [1, 0, 2]
    assert got["second"].tolist() == [0.0, 0.0, 1.0]
    empty = percentiles_of([NONE, NONE], [0.5])
    assert np.isnan(empty["out"]).all() and not empty["below"].any() and empty["largest"].tolist() == [0, 0]
    assert percentiles_of([], [0.5])["out"].shape == (0, 1)


def test_percentiles_refuse_what_does_not_fit() -> None:
    values = np.arange(4.0)
    one = np.empty((1, 1), dtype=np.int64)
    good: dict[str, Any] = {
        "values": values,
        "persons": np.arange(4, dtype=np.int32),
        "offsets": np.array([0, 4]),
        "n_value": np.array([4]),
        "n_person": np.array([4]),
        "low": values[:1],
        "high": values[3:],
        "p": np.array([0.5]),
        "rule": 7,
        **kernel_room(4),
        "out": np.empty((1, 1)),
        "below": one,
        "tied": one,
        "above": one,
        "largest": one[0],
        "second": np.empty(1),
    }
    quantiles.percentiles(*good.values())
    wrong: list[dict[str, Any]] = [
        {"n_value": np.array([4, 4])},
        {"low": np.empty(2)},
        {"rule": 0},
        {"rule": 10},
        {"p": np.array([0.2, 0.5])},
        {"p": np.full(101, 0.5), "out": np.empty((1, 101))},
        {"free": np.empty(3)},
        {"spare": np.empty(3)},
        {"bins": np.empty(4095, np.uint32)},
        {"slot": np.empty(4095, np.uint8)},
        {"offsets": np.array([0, 5])},
        {"out": np.empty((2, 1))},
        {"tied": np.empty((1, 2), np.int64)},
        {"largest": np.empty(2, np.int64)},
        {"second": np.empty(2)},
    ]
    for change in wrong:
        with pytest.raises(ValueError, match="length|rule|short"):
            quantiles.percentiles(*(good | change).values())


# ---- ranked ---------------------------------------------------------------------------------------------------------


def ranks_of(cells: list[NDArray[np.float64]], fractions: list[float], **changes: Any) -> dict[str, NDArray[Any]]:
    values = np.concatenate([*cells, NONE])
    n = np.array([len(cell) for cell in cells], dtype=np.int64)
    longest, n_p = max(1, max(n, default=0)), len(changes.get("p", NONE))
    given: dict[str, Any] = {
        "values": values,
        "weights": NONE,
        "persons": np.arange(len(values), dtype=np.int32),
        "offsets": np.concatenate([[0], np.cumsum(n)]).astype(np.int64),
        "n_value": n,
        "totals": n.astype(float),
        "frequency": False,
        "p": NONE,
        "rule": 7,
        "tops": np.array(fractions, dtype=np.float64),
        "key_room": np.empty((2, longest), dtype=np.uint64),
        "weight_room": np.empty((2, longest)),
        "out": np.full((len(n), n_p), -7.0),
        "below": np.full((len(n), n_p), -7),
        "tied": np.full((len(n), n_p), -7),
        "above": np.full((len(n), n_p), -7),
        "gini": np.full(len(n), -7.0),
        "shares": np.full((len(n), len(fractions)), -7.0),
    } | changes
    ranked.rank_cells(*given.values())
    return given


def test_concentration_of_many_cells() -> None:
    rng = np.random.default_rng(0)
    cells = [rng.pareto(1.5, rng.integers(0, 50)) * (rng.random() > 0.05) for _ in range(200)]
    cells += [np.array([0.0, -1.0, 3.0]), np.zeros(4), np.array([2.0])]
    got = ranks_of(cells, [0.01, 0.1, 0.5])
    np.testing.assert_allclose(got["gini"], [gini(cell) for cell in cells], rtol=1e-12, atol=1e-14)
    for at, percent in enumerate((1, 10, 50)):
        wanted = [top_share(cell, percent) for cell in cells]
        np.testing.assert_allclose(got["shares"][:, at], wanted, rtol=1e-12, atol=1e-14)


def test_ranking_at_the_edges() -> None:
    assert ranks_of([], [0.1])["shares"].shape == (0, 1)
    empty = ranks_of([NONE, NONE], [0.1], p=np.array([0.5]))
    assert np.isnan(empty["gini"]).all() and np.isnan(empty["shares"]).all() and np.isnan(empty["out"]).all()
    assert not empty["below"].any()


def test_ranking_refuses_what_does_not_fit() -> None:
    cell = [np.arange(4.0)]
    wrong: list[dict[str, Any]] = [
        {"p": np.array([0.5])},  # without weights
        {"n_value": np.array([4, 4])},
        {"below": np.empty((2, 0), np.int64)},
        {"shares": np.empty((1, 2))},
        {"tops": np.full(101, 0.1), "shares": np.empty((1, 101))},
        {"weights": np.ones(3)},
        {"persons": np.zeros(3, np.int32)},
        {"offsets": np.array([0, 5])},
        {"key_room": np.empty((2, 3), np.uint64)},
        {"weight_room": np.empty((1, 4))},
    ]
    for change in wrong:
        with pytest.raises(ValueError, match="length|width|short|percentile kernel"):
            ranks_of(cell, [0.1], **change)


# ---- sketch ---------------------------------------------------------------------------------------------------------


def test_powers_are_those_of_the_field() -> None:
    keys = np.random.default_rng(0).integers(0, 2**64, 43, dtype=np.uint64)  # not a multiple of the four lanes
    keys[7], keys[8] = 0, 0x1234567812345678  # halves that cancel
    got = np.empty((len(keys), sketch.ITEMS), dtype=np.uint64)
    sketch.person_powers(keys, got)
    wanted = [sketch_of([key]) for key in keys.tolist()]
    np.testing.assert_array_equal(got, wanted)
    assert got[7].tolist() == got[8].tolist() == sketch_of([0]).tolist()
    assert field_powers(0) == [1] * 10


def test_the_polynomial_makes_a_field() -> None:
    # x has order 2^32 - 1: it is a generator, so every element but zero has an inverse.
    def power(base: int, exponent: int) -> int:
        result = 1
        while exponent:
            result = field_product(result, base) if exponent & 1 else result
            base, exponent = field_product(base, base), exponent >> 1
        return result

    order = 2**32 - 1
    assert math.prod([3, 5, 17, 257, 65537]) == order
    assert power(2, order) == 1
    # Irreducible: x^(2^32) = x, and x^(2^16) - x is coprime, seen by x^(2^16) being no element of the subfield.
    assert power(2, 2**16) != 2 and power(2, 2**32) == 2


@pytest.mark.parametrize("size", range(25))
def test_the_size_of_a_difference_is_recovered(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(20):
        keys = rng.integers(0, 2**64, 200 + size, dtype=np.uint64)
        powers = np.empty((len(keys), sketch.ITEMS), dtype=np.uint64)
        sketch.person_powers(keys, powers)
        cut = rng.integers(0, size + 1)
        first = np.bitwise_xor.reduce(powers[size - cut :], axis=0)
        second = np.bitwise_xor.reduce(np.concatenate([powers[: size - cut], powers[size:]]), axis=0)
        assert sketch.difference_size(first, second) == (size if size <= sketch.LIMIT else -1)


def test_sketches_of_cells_count_a_person_once_and_those_with_a_value() -> None:
    keys = np.random.default_rng(1).integers(0, 2**64, 5, dtype=np.uint64)
    members = np.empty((5, sketch.ITEMS), dtype=np.uint64)
    sketch.person_powers(keys, members)
    values = np.array([math.nan, 1.0, math.nan, math.nan, 0.0, 2.0])
    persons = np.array([0, 0, 1, 1, 4, 4], dtype=np.int32)
    out = np.empty((2, 3, sketch.ITEMS), dtype=np.uint64)
    sketch.sketch_cells(values, persons, np.array([0, 4, 4, 6]), members, *out)
    np.testing.assert_array_equal(out[0], [sketch_of(keys[:2]), np.zeros(5), sketch_of(keys[4:])])
    np.testing.assert_array_equal(out[1], [sketch_of(keys[:1]), np.zeros(5), sketch_of(keys[4:])])
    sketch.sketch_cells(NONE, np.empty(0, np.int32), np.zeros(4, np.int64), members[:0], *out)
    assert not out.any()


def test_sketches_refuse_what_does_not_fit() -> None:
    five = np.zeros(5, dtype=np.uint64)
    with pytest.raises(ValueError, match="five items"):
        sketch.difference_size(five, five[:4])
    with pytest.raises(ValueError, match="one row of five items per key"):
        sketch.person_powers(five, np.empty((4, 5), np.uint64))
    with pytest.raises(ValueError, match="one row of five items per cell"):
        sketch.sketch_cells(np.ones(1), np.zeros(1, np.int32), np.array([0, 1]), five[None], five[None, :4], five[None])
    with pytest.raises(ValueError, match="fit each other"):
        sketch.sketch_cells(np.ones(1), np.zeros(1, np.int32), np.array([0, 2]), five[None], five[None], five[None])


# ---- entities -------------------------------------------------------------------------------------------------------


def test_distinct_entities_of_every_cell() -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(-1, 12, 500).astype(np.int32)
    offsets = np.concatenate([[0, 0], np.sort(rng.integers(0, 501, 30)), [500, 500]]).astype(np.int64)
    out = np.empty(len(offsets) - 1, dtype=np.int64)
    entities.count_entities(codes, offsets, np.zeros(12, dtype=np.int64), out)
    cells = [codes[first:last] for first, last in pairwise(offsets)]
    assert out.tolist() == [len(np.unique(cell[cell >= 0])) for cell in cells]


def test_entities_refuse_what_does_not_fit() -> None:
    codes, out = np.array([0, 1, 2], dtype=np.int32), np.empty(1, dtype=np.int64)
    with pytest.raises(ValueError, match="not below the number of entities"):
        entities.count_entities(codes, np.array([0, 3]), np.empty(2, np.int64), out)
    with pytest.raises(ValueError, match="differ in length"):
        entities.count_entities(codes, np.array([0, 4]), np.empty(3, np.int64), out)
    entities.count_entities(codes[:0], np.array([0, 0]), np.empty(0, np.int64), out)
    assert out.tolist() == [0]


@pytest.mark.parametrize("by_row", [True, False])
@pytest.mark.parametrize(("itemsize", "masked"), [(1, True), (4, False), (0, True)])
@pytest.mark.parametrize("kind", [None, 0, 2])
def test_marked_entities_are_those_of_the_rows_with_a_value(
    kind: int | None, itemsize: int, masked: bool, by_row: bool
) -> None:
    data = people(seed=8)
    coded, width = itemsize > 0, data["width"] if itemsize else 1
    rng = np.random.default_rng(9)
    of = rng.integers(-1, 130, data["offsets"][-1] if by_row else len(data["trait"])).astype(np.int16)
    known = rng.random(data["offsets"][-1]) < 0.7
    values = {None: NONE, 0: np.where(known, 1.0, np.nan), 2: np.where(known, 3, -1).astype(np.int8)}[kind]
    codes = data["codes"].astype(f"i{itemsize}").view(np.uint8) if coded else NO_BYTES
    marks = np.zeros((data["n_traits"] * width, 3), dtype=np.uint64)
    entities.mark_entities(
        data["trait"],
        data["offsets"],
        codes,
        itemsize,
        data["mask"] if masked else NO_BYTES,
        width,
        values.view(np.uint8),
        values.itemsize if kind is not None else 0,
        kind or 0,
        of.view(np.uint8),
        2,
        by_row,
        marks,
    )
    for cell, rows in enumerate(rows_by_cell(data, masked, coded)):
        found = {int(of[row if by_row else who]) for who, row in rows if kind is None or known[row]} - {-1}
        bits = np.unpackbits(marks[cell].view(np.uint8), bitorder="little")
        assert set(np.flatnonzero(bits).tolist()) == found


def test_marks_refuse_what_does_not_fit() -> None:
    trait, offsets = np.zeros(1, dtype=np.int32), np.array([0, 2], dtype=np.int64)
    codes, three = np.zeros(2, dtype=np.uint8), np.array([70, 1], dtype=np.int8).view(np.uint8)
    marks = np.zeros((1, 1), dtype=np.uint64)
    with pytest.raises(ValueError, match="not below the number of entities"):
        entities.mark_entities(trait, offsets, codes, 1, NO_BYTES, 1, NO_BYTES, 0, 0, three, 1, True, marks)
    for broken in (
        (trait, offsets[:1], codes, 1, NO_BYTES, 1, NO_BYTES, 0, 0, three, 1, True, marks),
        (trait, offsets, codes, 1, NO_BYTES, 1, NO_BYTES, 0, 0, three[:1], 1, True, marks),
        (trait, offsets, codes[:1], 1, NO_BYTES, 1, NO_BYTES, 0, 0, three, 1, True, marks),
        (trait, offsets, codes, 1, codes[:1], 1, NO_BYTES, 0, 0, three, 1, True, marks),
        (trait, offsets, codes, 1, NO_BYTES, 1, codes, 8, 0, three, 1, True, marks),
    ):
        with pytest.raises(ValueError, match=r"differ in length|shorter than the rows"):
            entities.mark_entities(*broken)


# ---- tally ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sketched", [True, False])
@pytest.mark.parametrize(("itemsize", "masked"), [(1, False), (2, True), (0, True)])
def test_totals_are_those_of_the_rows(itemsize: int, masked: bool, sketched: bool) -> None:
    data = people(seed=10)
    coded, width = itemsize > 0, data["width"] if itemsize else 1
    codes = data["codes"].astype(f"i{itemsize}").view(np.uint8) if coded else NO_BYTES
    members = np.empty((len(data["trait"]) if sketched else 0, sketch.ITEMS), dtype=np.uint64)
    if sketched:
        sketch.person_powers(data["keys"], members)
    totals = np.zeros((data["n_traits"] * width, tally.TOTALS["all"]), dtype=np.uint64)
    given = (data["trait"], data["offsets"], codes, itemsize, data["mask"] if masked else NO_BYTES, width)
    _, n_person = tally.tally_rows(*given, data["keys"], members, totals)
    rows = rows_by_cell(data, masked, coded)
    assert n_person == len({who for cell in rows for who, _ in cell})
    assert totals[:, tally.TOTALS["count"]].tolist() == [len(cell) for cell in rows]
    prints = [sum(int(data["keys"][who]) for who, _ in cell) & MASK64 for cell in rows]
    assert totals[:, tally.TOTALS["print"]].tolist() == prints
    first = tally.TOTALS["sketch"]
    for cell, found in zip(rows, totals[:, first : first + sketch.ITEMS], strict=True):
        wanted = np.bitwise_xor.reduce(members[[who for who, _ in cell]], axis=0) if sketched else np.zeros(5)
        assert found.tolist() == wanted.tolist()
    # Another run adds to what is there.
    tally.tally_rows(*given, data["keys"], members, totals)
    assert totals[:, tally.TOTALS["count"]].tolist() == [2 * len(cell) for cell in rows]


def test_a_tally_notices_persons_with_two_rows_in_a_cell() -> None:
    trait, offsets, keys = (
        np.zeros(2, dtype=np.int32),
        np.array([0, 2, 5], dtype=np.int64),
        np.arange(2, dtype=np.uint64),
    )
    for codes, rising in (([0, 1, 0, 1, 2], True), ([0, 0, 0, 1, 2], False), ([1, -1, 2, 1, 0], False)):
        raw, totals = np.array(codes, dtype=np.int8).view(np.uint8), np.zeros((3, 8), dtype=np.uint64)
        none = np.empty((0, 5), dtype=np.uint64)
        assert tally.tally_rows(trait, offsets, raw, 1, NO_BYTES, 3, keys, none, totals) == (rising, 2)


def test_a_tally_refuses_what_does_not_fit() -> None:
    trait, offsets, keys = np.zeros(1, dtype=np.int32), np.array([0, 2], dtype=np.int64), np.zeros(1, dtype=np.uint64)
    codes, none, totals = np.zeros(2, dtype=np.uint8), np.empty((0, 5), np.uint64), np.zeros((1, 8), np.uint64)
    for broken in (
        (trait, offsets[:1], codes, 1, NO_BYTES, 1, keys, none, totals),
        (trait, offsets, codes, 1, NO_BYTES, 1, keys[:0], none, totals),
        (trait, offsets, codes, 1, NO_BYTES, 1, keys, none[:, :4], totals),
        (trait, offsets, codes, 1, NO_BYTES, 1, keys, none, totals[:, :7]),
        (trait, offsets, codes[:1], 1, NO_BYTES, 1, keys, none, totals),
        (trait, offsets, codes, 1, codes[:1], 1, keys, none, totals),
    ):
        with pytest.raises(ValueError, match=r"differ in length|five items|shorter than the rows"):
            tally.tally_rows(*broken)
    assert tally.tally_rows(trait[:0], offsets[:1], codes, 1, NO_BYTES, 1, keys[:0], none, totals) == (True, 0)
