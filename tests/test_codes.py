"""The kernels of `_core.codes` and `_core.columns` against their plain twins."""

import numpy as np
import pytest
import reference_codes as twin
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leoreturns._core import codes as kernel
from leoreturns._core import columns
from leoreturns._parallel import threads
from leoreturns.errors import SupportError
from leoreturns.panel import levels, rows
from leoreturns.panel.keys import interact

WIDTHS = [np.int8, np.int16, np.int32, np.int64]
widths = st.sampled_from(WIDTHS)


@st.composite
def offsets_of(draw, largest=12):
    counts = draw(st.lists(st.integers(0, largest), max_size=20))
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


@st.composite
def coded_runs(draw):
    """Codes of any width with ties and missing entries, along persons with any number of rows."""
    offsets = draw(offsets_of())
    values = draw(arrays(draw(widths), int(offsets[-1]), elements=st.integers(-1, 3)))
    return values, offsets


def bytes_of(values):
    return np.ascontiguousarray(values).view(np.uint8)


# ---- hash -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_hash_of_whole_numbers_is_that_of_their_decimal_text(ids):
    ids = np.array(ids, dtype=np.int64)
    keys = np.empty(len(ids), dtype=np.uint64)
    kernel.hash_integers(ids, keys)
    np.testing.assert_array_equal(keys, twin.hash_integers(ids))


@given(st.lists(st.text(max_size=12), max_size=30))
def test_hash_of_text_is_that_of_its_utf8_bytes(texts):
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in encoded], dtype=np.int64)]).astype(np.int64)
    keys = np.empty(len(texts), dtype=np.uint64)
    kernel.hash_text(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets, keys)
    assert keys.tolist() == [twin.hash_bytes(text) for text in encoded]


def test_hash_known_values():
    """FNV-1a's published value of the empty text (its offset basis) and of "a", before the finaliser."""
    assert twin.hash_bytes(b"") == fmix64(0xCBF29CE484222325)
    assert twin.hash_bytes(b"a") == fmix64(0xAF63DC4C8601EC8C)


def fmix64(h):
    h = ((h ^ (h >> 33)) * 0xFF51AFD7ED558CCD) & twin.MASK
    h = ((h ^ (h >> 33)) * 0xC4CEB9FE1A85EC53) & twin.MASK
    return h ^ (h >> 33)


def test_top_bits_of_consecutive_ids_are_spread():
    """4,096 key blocks of 400,000 consecutive ids: chi-squared within six standard deviations of its mean."""
    ids = np.arange(400_000, dtype=np.int64)
    keys = np.empty(len(ids), dtype=np.uint64)
    kernel.hash_integers(ids, keys)
    counts = np.bincount((keys >> np.uint64(52)).astype(np.int64), minlength=4096)
    expected = len(ids) / 4096
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    assert abs(chi2 - 4095) < 6 * np.sqrt(2 * 4095)


def test_hash_refuses_unfitting_arrays():
    with pytest.raises(ValueError, match="length"):
        kernel.hash_integers(np.zeros(2, dtype=np.int64), np.zeros(1, dtype=np.uint64))
    with pytest.raises(ValueError, match="outside"):
        kernel.hash_text(np.zeros(2, dtype=np.uint8), np.array([0, 3]), np.zeros(1, dtype=np.uint64))


# ---- dense codes ----------------------------------------------------------------------------------------------------


@given(widths, st.data())
def test_distinct_values_are_numbered_by_first_appearance(dtype, data):
    bounds = np.iinfo(dtype)
    few = st.integers(-2, 2)
    any_value = st.integers(int(bounds.min), int(bounds.max))
    values = np.array(data.draw(st.lists(st.one_of(few, any_value), max_size=60)), dtype=dtype)
    codes, found = levels.number_distinct(values)
    expected, distinct = twin.dense_codes(values)
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_array_equal(found, distinct)


def test_the_hash_table_grows_and_stays_exact():
    rng = np.random.default_rng(5)
    values = rng.integers(-(2**62), 2**62, 150_000)
    values = np.concatenate([values, values[::-1]])
    codes, found = levels.number_distinct(values)
    np.testing.assert_array_equal(found[codes], values)
    assert len(found) == len(np.unique(values)) > levels.FIRST_CAPACITY


def test_numbering_stops_at_its_limit():
    values = np.arange(100_000, dtype=np.int64)
    assert levels.number_distinct(values, limit=50_000) is None
    assert len(levels.number_distinct(values, limit=100_000)[1]) == 100_000


def test_dense_codes_refuse_a_table_of_the_wrong_size():
    values = np.zeros(8, dtype=np.uint8)
    codes, found = np.empty(1, dtype=np.int32), np.empty(8, dtype=np.int64)
    with pytest.raises(ValueError, match="power of two"):
        kernel.dense_codes(values, 8, 0, 0, np.full(6, -1), codes, found)
    with pytest.raises(ValueError, match="itemsize"):
        kernel.dense_codes(values, 3, 0, 0, np.full(8, -1), codes, found)


# ---- sorting --------------------------------------------------------------------------------------------------------


@given(widths, st.integers(0, 6), st.randoms(use_true_random=False), st.data())
def test_counting_sort_is_stable_and_leaves_missing_out(dtype, n_levels, random, data):
    codes = np.array(data.draw(st.lists(st.integers(-1, n_levels - 1), max_size=50)), dtype=dtype)
    rank = list(range(n_levels))
    random.shuffle(rank)
    rank = np.array(rank, dtype=np.int32)
    order, offsets = np.empty(len(codes), dtype=np.int64), np.empty(n_levels + 1, dtype=np.int64)
    kernel.sort_rows(bytes_of(codes), codes.itemsize, rank, order, offsets)
    expected, expected_offsets = twin.sort_rows(codes, rank)
    np.testing.assert_array_equal(offsets, expected_offsets)
    np.testing.assert_array_equal(order[: offsets[-1]], expected)


def test_counting_sort_refuses_codes_out_of_range_and_ranks_that_are_no_permutation():
    order, offsets = np.empty(2, dtype=np.int64), np.empty(3, dtype=np.int64)
    for codes in ([0, 2], [-2, 0]):
        with pytest.raises(ValueError, match="outside"):
            kernel.sort_rows(bytes_of(np.array(codes, dtype=np.int8)), 1, np.arange(2, dtype=np.int32), order, offsets)
    with pytest.raises(ValueError, match="permutation"):
        kernel.sort_rows(bytes_of(np.zeros(2, dtype=np.int8)), 1, np.zeros(2, dtype=np.int32), order, offsets)


@given(offsets_of(largest=80), widths, st.data())
def test_persons_are_sorted_by_time_and_repeats_counted(offsets, dtype, data):
    """Runs up to 80 rows reach the heap sort; times drawn from few or many values give ties and none."""
    n = int(offsets[-1])
    top = data.draw(st.sampled_from([3, 100]))
    seed = data.draw(st.integers(0, 2**32 - 1))
    times = np.random.default_rng(seed).integers(-top, top, n).astype(dtype)
    order = np.random.default_rng(seed + 1).permutation(n).astype(np.int64)
    expected, _, repeats = twin.sort_within(offsets, times, order)
    pairs = sorted(zip(times.tolist(), order.tolist(), strict=True))
    sorted_times, sorted_order = times.copy(), order.copy()
    assert rows.sort_within(sorted_times, sorted_order, offsets) == repeats
    np.testing.assert_array_equal(sorted_times, expected)
    assert sorted(zip(sorted_times.tolist(), sorted_order.tolist(), strict=True)) == pairs


# ---- columns --------------------------------------------------------------------------------------------------------


@given(widths, st.data())
def test_take(dtype, data):
    values = np.array(data.draw(st.lists(st.integers(-128, 127), max_size=30)), dtype=dtype)
    order = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=40)) if len(values) else []
    order = np.array(order, dtype=np.int64)
    np.testing.assert_array_equal(rows.take(values, order), values[order])


def test_take_refuses_an_order_that_points_outside():
    for row in (-1, 3):
        with pytest.raises(ValueError, match="outside"):
            rows.take(np.zeros(3), np.array([0, row]))


def test_take_of_floats_keeps_every_bit():
    values = np.array([0.0, -0.0, np.nan, np.inf, 5e-324])
    order = np.array([4, 3, 2, 1, 0])
    assert rows.take(values, order).tobytes() == values[order].tobytes()


@given(coded_runs())
def test_expand(case):
    _, offsets = case
    for dtype in WIDTHS:
        values = np.arange(len(offsets) - 1).astype(dtype)
        np.testing.assert_array_equal(rows.expand(values, offsets), np.repeat(values, np.diff(offsets)))


@given(coded_runs())
def test_varying_codes(case):
    values, offsets = case
    expected = twin.constant_within(values, values == -1, offsets)
    assert rows.varying(values, coded=True, offsets=offsets) == expected
    whole = twin.constant_within(values, np.zeros(len(values), dtype=bool), offsets)
    assert rows.varying(values, coded=False, offsets=offsets) == whole


@given(coded_runs())
def test_varying_floats(case):
    codes, offsets = case
    values = np.where(codes == -1, np.nan, codes.astype(np.float64))
    values[values == 0] *= -1  # -0.0 equals 0.0
    expected = twin.constant_within(values, np.isnan(values), offsets)
    assert rows.varying(values, coded=False, offsets=offsets) == expected


@given(widths, st.integers(-5, 5), st.integers(0, 6), st.data())
def test_recode_and_observed(dtype, base, span, data):
    values = np.array(data.draw(st.lists(st.integers(-8, 12), max_size=40)), dtype=dtype)
    table = np.array(data.draw(st.lists(st.integers(-1, 100), min_size=span, max_size=span)), dtype=np.int32)
    for out in (np.int8, np.int16, np.int32):
        found = rows.recode(values, table, base=base, dtype=np.dtype(out))
        assert found.dtype == out
        np.testing.assert_array_equal(found, twin.recode(values, base, table))
    seen, outside = rows.observed(values, base=base, span=span)
    expected, expected_outside = twin.observed(values, base, span)
    np.testing.assert_array_equal(seen, expected)
    assert outside == expected_outside


@given(st.integers(0, 30), st.lists(st.tuples(widths, st.integers(1, 100)), min_size=1, max_size=4), st.data())
def test_interact(n, kinds, data):
    columns_, counts = [], []
    for dtype, count in kinds:
        element = st.integers(-1, count - 1)
        columns_.append(data.draw(arrays(dtype, n, elements=element)))
        counts.append(count)
    found = interact(columns_, counts)
    np.testing.assert_array_equal(found, twin.interact(columns_, counts))
    total = int(np.prod(counts))
    narrower = {np.int16: np.int8, np.int32: np.int16}.get(found.dtype.type)
    assert total - 1 <= np.iinfo(found.dtype).max
    assert narrower is None or total - 1 > np.iinfo(narrower).max


def test_interact_counts_beyond_32_bits_exactly():
    codes = [np.array([69_999, 0, -1], dtype=np.int32), np.array([69_998, 1, 5], dtype=np.int32)]
    found = interact(codes, [70_000, 70_000])
    assert found.dtype == np.int64
    assert found.tolist() == [69_999 * 70_000 + 69_998, 1, -1]
    with pytest.raises(SupportError, match="64 bits"):
        interact(codes * 2, [70_000] * 4)


@given(coded_runs())
def test_persons_with_a_selected_row(case):
    values, offsets = case
    selection = (values == 0).astype(np.uint8)
    assert columns.count_persons(selection, offsets) == twin.count_persons(selection, offsets)


def test_slices_do_not_change_results(monkeypatch):
    """The same bytes whatever the slice, and with one thread or three."""
    rng = np.random.default_rng(3)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 9, 200))]).astype(np.int64)
    values = rng.integers(-1, 3, int(offsets[-1])).astype(np.int8)
    order = rng.permutation(len(values)).astype(np.int64)
    table = np.array([2, 0, 1], dtype=np.int32)

    def results(n_jobs):
        with threads(n_jobs):
            return (
                rows.take(values, order).tobytes(),
                rows.varying(values, coded=True, offsets=offsets),
                rows.recode(values, table, base=0, dtype=np.dtype(np.int16)).tobytes(),
                rows.expand(values[: len(offsets) - 1].copy(), offsets).tobytes(),
            )

    whole = results(1)
    monkeypatch.setattr(rows, "SLICE", 7)
    assert [results(n_jobs) for n_jobs in (1, 2, 3)] == [whole] * 3


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=9), max_size=20), st.integers(1, 12))
def test_selected_rows_are_counted_by_person(chosen, block):
    offsets = np.concatenate([[0], np.cumsum([len(run) for run in chosen], dtype=np.int64)]).astype(np.int64)
    selection = np.array([one for run in chosen for one in run], dtype=bool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", block)
        assert rows.count_selected(selection, offsets).tolist() == [sum(run) for run in chosen]
        bounds = rows.stretches(offsets)
    assert [first for first, _ in bounds] == [0, *(last for _, last in bounds)][: len(bounds)]
    assert bounds[-1][1] == len(chosen) if chosen else bounds == []


@settings(max_examples=20)
@given(st.integers(1, 400))
def test_code_dtype_is_the_narrowest(n_levels):
    dtype = levels.code_dtype(n_levels)
    assert dtype == (np.int8 if n_levels <= 128 else np.int16)


def test_read_only_inputs_are_accepted():
    values = np.array([3, 1, 2], dtype=np.int16)
    order = np.array([2, 0])
    for array in (values, order):
        array.flags.writeable = False
    assert rows.take(values, order).tolist() == [2, 3]
    assert levels.number_distinct(values)[1].tolist() == [3, 1, 2]
