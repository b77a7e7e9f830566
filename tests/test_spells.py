"""The spells kernel against its day-by-day twin, and what any union of spells must satisfy."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import reference_spells as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from leoreturns._core import spells as kernel
from leoreturns._parallel import ordered_map
from leoreturns.panel import rows
from leoreturns.panel.calendar import SCHOOL_YEAR, TAX_YEAR

FIRST, LAST = 1998, 2013  # the calendar's years; spells reach beyond them
ALL_MONTHS = 0b1111_1111_1111
RECIPE_SUM = 829270047057


class Grid(NamedTuple):
    row_offsets: np.ndarray
    first_year: np.ndarray


class United(NamedTuple):
    days: np.ndarray
    months: np.ndarray
    longest: np.ndarray
    n_interval: int
    n_reversed: int


def grid_of(windows):
    """A grid with the years (first, count) of each person."""
    row_offsets = np.concatenate([[0], np.cumsum([count for _, count in windows])]).astype(np.int64)
    return Grid(row_offsets, np.array([first for first, _ in windows], dtype=np.int16))


def order(records, n_person):
    """Order records (person, first day, last day)."""
    columns = np.array(records, dtype=np.int32).reshape(-1, 3).T.copy()
    for column in columns:
        column.flags.writeable = False
    spells, offsets = np.empty((columns.shape[1], 2), dtype=np.int32), np.empty(n_person + 1, dtype=np.int64)
    return spells, offsets, kernel.order_spells(*columns, spells, offsets)


def unite(records, grid, *, slices=None, calendar=TAX_YEAR, first=FIRST, last=LAST):
    """Order and unite records; the grid is dirty before, so that a row left out would show."""
    n_person, n_row = len(grid.first_year), int(grid.row_offsets[-1])
    spells, offsets, n_reversed = order(records, n_person)
    out = (np.full(n_row, -7, np.int16), np.full(n_row, 9999, np.uint16), np.full(n_row, -7, np.int32))
    starts = calendar.month_starts(first, last)
    n_interval = 0
    for part in slices or [(0, n_person)]:
        n_interval += kernel.unite(spells, offsets, *part, starts, first, *grid, *out)
    return United(*out, n_interval, n_reversed)


def expected(records, grid, month=4, first=6):
    """The same day by day."""
    out = United([], [], [], 0, sum(end < start for person, start, end in records if person >= 0))
    for person, (opens, count) in enumerate(zip(grid.first_year, np.diff(grid.row_offsets), strict=True)):
        own = [(start, end) for other, start, end in records if other == person]
        *columns, found = twin.unite(own, range(int(opens), int(opens) + int(count)), month, first)
        for column, values in zip(out[:3], columns, strict=True):
            column.extend(values)
        out = out._replace(n_interval=out.n_interval + found)
    return out


def assert_equal(found, other):
    for ours, theirs in zip(found, other, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def day(text):
    return int(np.datetime64(text, "D").astype(int))


# Any day, or one within two days of a turn of a tax year, a tax month or February.
TURNS = np.concatenate([TAX_YEAR.month_starts(FIRST - 2, LAST + 2), [day(f"{year}-02-29") for year in (2000, 2004)]])
days = st.one_of(
    st.integers(int(TURNS[0]), int(TURNS[-3])),
    st.builds(lambda turn, off: int(turn) + off, st.sampled_from(TURNS.tolist()), st.integers(-2, 2)),
)
lengths = st.one_of(st.integers(-3, 3), st.integers(0, 60), st.integers(0, 3000))
N_PERSON = 4
records_of = st.lists(
    st.builds(
        lambda person, start, length: (person, start, start + length), st.integers(-1, N_PERSON - 1), days, lengths
    ),
    max_size=24,
)
windows = st.integers(FIRST, LAST).flatmap(lambda year: st.tuples(st.just(year), st.integers(0, LAST - year + 1)))
grids = st.lists(windows, min_size=N_PERSON, max_size=N_PERSON).map(grid_of)
FULL = grid_of([(FIRST, LAST - FIRST + 1)] * N_PERSON)


# ---- the twin -------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(records_of, grids)
def test_equals_the_day_by_day_twin(records, grid):
    assert_equal(unite(records, grid), expected(records, grid))


@settings(max_examples=20, deadline=None)
@given(records_of)
def test_other_calendars_serve_as_well(records):
    found = unite(records, FULL, calendar=SCHOOL_YEAR)
    assert_equal(found, expected(records, FULL, month=9, first=1))


def test_the_known_answer_of_3_600_000_spells():
    """Counts that others published for the same recipe, and its first 300 persons day by day."""
    n_person = 400_000
    columns = twin.recipe(n_person, day("2004-04-06"), day("2019-04-05"))
    if sum(int(column.sum(dtype=np.int64)) for column in columns) != RECIPE_SUM:
        pytest.skip("this NumPy draws other numbers than those of the known answer")
    grid = Grid(np.arange(0, 15 * n_person + 1, 15), np.full(n_person, 2004, np.int16))
    found = unite(np.column_stack(columns), grid, first=2004, last=2018)
    days, months = found.days.astype(np.int64), found.months.astype(np.int64)
    person, year = np.divmod(np.arange(len(days)), 15)
    check = (person * 31 + year + 2004) * 1009 % 65521 * days % 65521 * months % 65521
    assert found.n_interval == 2_153_919
    assert np.count_nonzero(days) == 3_779_067
    assert days.sum() == 808_012_029
    assert np.bitwise_count(found.months).sum() == 28_469_545
    assert check.sum() == 123_773_159_244
    few = columns[0] < 300
    records = list(zip(*(column[few].tolist() for column in columns), strict=True))
    assert_equal([column[: 15 * 300] for column in found[:3]], expected(records, grid_of([(2004, 15)] * 300))[:3])


# ---- known answers --------------------------------------------------------------------------------------------------


def one(*spells, years=(2003, 3)):
    """Days, months, longest of one person; spells given as dates."""
    found = unite([(0, day(start), day(end)) for start, end in spells], grid_of([years]))
    return found.days.tolist(), found.months.tolist(), found.longest.tolist(), found.n_interval


def test_a_full_leap_year():
    assert one(("2003-04-06", "2004-04-05")) == ([366, 0, 0], [ALL_MONTHS, 0, 0], [366, 0, 0], 1)


def test_5_and_6_april_belong_to_two_years():
    assert one(("2004-04-05", "2004-04-05")) == ([1, 0, 0], [1 << 11, 0, 0], [1, 0, 0], 1)
    assert one(("2004-04-06", "2004-04-06")) == ([0, 1, 0], [0, 1, 0], [0, 1, 0], 1)
    assert one(("2004-04-05", "2004-04-06")) == ([1, 1, 0], [1 << 11, 1, 0], [2, 2, 0], 1)


def test_spells_that_abut_are_one_and_a_day_between_makes_two():
    abutting = one(("2003-05-01", "2003-05-10"), ("2003-05-11", "2003-05-20"))
    assert abutting == ([20, 0, 0], [0b11, 0, 0], [20, 0, 0], 1)
    apart = one(("2003-05-01", "2003-05-10"), ("2003-05-12", "2003-05-20"))
    assert apart == ([19, 0, 0], [0b11, 0, 0], [10, 0, 0], 2)


def test_the_longest_run_counts_beyond_the_year_and_the_grid():
    outside = day("2010-12-31") - day("1990-01-01") + 1
    found = one(("1990-01-01", "2010-12-31"), years=(2004, 2))
    assert found == ([365, 365], [ALL_MONTHS] * 2, [outside] * 2, 1)


def test_a_run_that_only_nearly_touches_the_grid_is_not_in_it():
    assert one(("1990-01-01", "2003-04-05"), ("2006-04-06", "2009-01-01")) == ([0] * 3, [0] * 3, [0] * 3, 0)


def test_days_of_any_size_do_not_overflow():
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    for records in ([(0, low, high)], [(0, low, high), (0, high, high)], [(0, low, -1), (0, 0, high)]):
        found = unite(records, grid_of([(2003, 1)]))
        assert (found.days.tolist(), found.longest.tolist(), found.n_interval) == ([366], [high], 1)
    found = unite([(0, low, low), (0, high, high)], grid_of([(2003, 1)]))
    assert (found.days.tolist(), found.n_interval) == ([0], 0)


def test_spells_that_end_before_they_start_are_counted_and_left_out():
    found = unite([(0, 12_400, 12_399), (1, 12_400, 12_400), (-1, 12_400, 12_300)], grid_of([(2003, 1)] * 2))
    assert found.n_reversed == 1
    assert (found.days.tolist(), found.n_interval) == ([0, 1], 1)


def test_an_order_keeps_each_persons_spells_together():
    spells, offsets, n_reversed = order([(2, 5, 9), (0, 3, 3), (-1, 0, 0), (2, 1, 2), (0, 4, 2), (0, 1, 8)], 4)
    assert (offsets.tolist(), n_reversed) == ([0, 2, 2, 4, 4], 1)
    assert spells[: offsets[-1]].tolist() == [[3, 3], [1, 8], [5, 9], [1, 2]]


@pytest.mark.parametrize("order_of_days", ["rising", "falling", "shuffled", "equal"])
def test_one_person_with_very_many_spells(order_of_days):
    """100,000 spells of a person: a quadratic sort would take minutes. Every other day, then the days between."""
    n, low = 100_000, day("1800-01-01")
    starts = low + 2 * np.arange(n)
    if order_of_days == "falling":
        starts = starts[::-1]
    if order_of_days == "shuffled":
        starts = np.random.default_rng(3).permutation(starts)
    if order_of_days == "equal":
        starts = np.full(n, day("2003-06-01"))
    records = np.column_stack([np.zeros(n, np.int64), starts, starts])
    found = unite(records, grid_of([(2003, 2)]))
    if order_of_days == "equal":
        assert (found.days.tolist(), found.n_interval) == ([1, 0], 1)
        return
    odd = (day("2003-04-06") - low) % 2
    assert found.days.tolist() == [183, 183 - odd]
    assert found.longest.tolist() == [1, 1]
    filled = unite(np.concatenate([records, records + np.array([0, 1, 1])]), grid_of([(2003, 2)]))
    assert (filled.days.tolist(), filled.longest.tolist(), filled.n_interval) == ([366, 365], [2 * n] * 2, 1)


# ---- what any union must satisfy ------------------------------------------------------------------------------------


@given(records_of)
def test_a_year_is_never_exceeded_and_days_months_and_runs_agree(records):
    found = unite(records, FULL)
    years = np.tile(np.arange(FIRST, LAST + 1), N_PERSON)
    bits = np.array([int(months).bit_count() for months in found.months])
    assert (found.days <= TAX_YEAR.n_days(years)).all()
    assert ((found.days > 0) == (bits > 0)).all()
    assert ((found.days > 0) == (found.longest > 0)).all()
    assert (bits <= found.days).all()
    assert (found.days <= 31 * bits).all()
    assert (found.days[found.months == ALL_MONTHS] >= 12).all()
    assert (found.months[found.days == TAX_YEAR.n_days(years)] == ALL_MONTHS).all()


@given(records_of, grids, st.randoms(use_true_random=False))
def test_order_does_not_matter(records, grid, random):
    shuffled = list(records)
    random.shuffle(shuffled)
    assert_equal(unite(shuffled, grid), unite(records, grid))


@given(records_of, grids, st.data())
def test_contained_duplicate_and_split_spells_change_nothing(records, grid, data):
    whole = [(person, start, end) for person, start, end in records if start <= end]
    parts, contained = [], []
    for person, start, end in whole:
        cut = data.draw(st.integers(start, end))
        parts += [(person, start, cut), (person, cut + 1, end)] if cut < end else [(person, start, end)]
        contained.append((person, cut, data.draw(st.integers(cut, end))))
    once = unite(whole, grid)
    for others in (parts, whole + contained, whole + whole, parts + contained + whole):
        assert_equal(unite(others, grid), once)


@given(records_of, grids, st.integers(0, N_PERSON - 1), days, st.integers(0, 900))
def test_a_spell_more_takes_nothing_away(records, grid, person, start, length):
    before, after = unite(records, grid), unite([*records, (person, start, start + length)], grid)
    assert (after.days >= before.days).all()
    assert (after.longest >= before.longest).all()
    assert (after.months & before.months == before.months).all()
    changed = (after.days != before.days).nonzero()[0]
    own = range(*grid.row_offsets[person : person + 2].tolist())
    assert set(changed.tolist()) <= set(own)


@given(records_of, records_of)
def test_days_of_uncertain_spells_only_are_a_difference(certain, uncertain):
    """Days of all less days of the certain: what no certain spell covers, day by day."""
    found = unite(certain + uncertain, FULL).days - unite(certain, FULL).days
    for person in range(N_PERSON):
        covered = [
            {day for other, start, end in records if other == person for day in range(start, end + 1)}
            for records in (uncertain, certain)
        ]
        only = np.array(sorted(covered[0] - covered[1]), dtype=np.int64)
        counts = np.bincount(np.clip(TAX_YEAR.year_of(only) - FIRST + 1, 0, 17), minlength=18)[1:17]
        np.testing.assert_array_equal(found[person * 16 : (person + 1) * 16], counts)


@given(records_of, grids, st.lists(st.integers(0, N_PERSON), max_size=3))
def test_slices_of_persons_change_nothing(records, grid, cuts):
    edges = sorted([0, *cuts, N_PERSON])
    assert_equal(unite(records, grid, slices=list(pairwise(edges))), unite(records, grid))


def test_threads_give_the_same_bytes():
    draw, n_person, n = np.random.default_rng(4), 5000, 40_000
    start = draw.integers(10_000, 17_000, n)
    records = np.column_stack([draw.integers(-1, n_person, n), start, start + draw.integers(-5, 700, n)])
    grid = grid_of([(FIRST + p % 3, 10 + p % 4) for p in range(n_person)])
    alone = unite(records, grid)
    spells, offsets, _ = order(records, n_person)
    out = (np.empty_like(alone.days), np.empty_like(alone.months), np.empty_like(alone.longest))
    starts = TAX_YEAR.month_starts(FIRST, LAST)
    parts = rows.slices(n_person, 7)
    counts = ordered_map(lambda part: kernel.unite(spells, offsets, *part, starts, FIRST, *grid, *out), parts, n_jobs=3)
    assert_equal(out, alone[:3])
    assert sum(counts) == alone.n_interval


def test_ordered_spells_serve_a_second_calendar():
    records = [(0, 12_345, 12_700), (0, 12_000, 12_100), (1, 11_900, 13_000)]
    grid = grid_of([(2002, 4)] * 2)
    spells, offsets, _ = order(records, 2)
    for calendar in (TAX_YEAR, SCHOOL_YEAR, TAX_YEAR):
        out = (np.empty(8, np.int16), np.empty(8, np.uint16), np.empty(8, np.int32))
        kernel.unite(spells, offsets, 0, 2, calendar.month_starts(2002, 2005), 2002, *grid, *out)
        assert_equal(out, unite(records, grid, calendar=calendar)[:3])


# ---- edges and refusals ---------------------------------------------------------------------------------------------


def test_nothing_gives_nothing():
    assert unite([], grid_of([])).n_interval == 0
    empty = unite([], grid_of([(2003, 2), (2003, 0)]))
    assert (empty.days.tolist(), empty.months.tolist(), empty.longest.tolist()) == ([0, 0], [0, 0], [0, 0])
    assert unite([(-1, 0, 20_000)], grid_of([(2003, 1)])).days.tolist() == [0]
    assert unite([(0, 0, 20_000)], grid_of([(2003, 0)])).n_interval == 0


@pytest.mark.parametrize("person", [3, -2, 2**31 - 1, -(2**31)])
def test_a_code_outside_the_persons_is_refused(person):
    with pytest.raises(ValueError, match="outside"):
        order([(0, 1, 2), (person, 1, 2)], 3)


@pytest.mark.parametrize("window", [(FIRST - 1, 1), (LAST, 2), (LAST + 1, 1), (-32768, 1), (32767, 1)])
def test_years_outside_the_calendar_are_refused(window):
    with pytest.raises(ValueError, match="outside the calendar"):
        unite([(1, 0, 20_000)], grid_of([(FIRST, 1), window]))


def test_arrays_that_do_not_fit_are_refused():
    spells, offsets, _ = order([(0, 1, 2)], 1)
    starts = TAX_YEAR.month_starts(2003, 2003)
    good = dict(
        spells=spells, offsets=offsets, first=0, last=1, month_starts=starts, base_year=2003,
        row_offsets=np.array([0, 1]), first_year=np.array([2003], np.int16),
        days=np.empty(1, np.int16), months=np.empty(1, np.uint16), longest=np.empty(1, np.int32),
    )  # fmt: skip
    assert kernel.unite(**good) == 0
    bad = dict(
        spells=spells[:0], offsets=offsets[:1], last=2, month_starts=starts[:-1], row_offsets=np.array([0, 2]),
        first_year=np.empty(2, np.int16), days=np.empty(0, np.int16), months=np.empty(2, np.uint16),
        longest=np.empty(0, np.int32),
    )  # fmt: skip
    for name, value in bad.items():
        with pytest.raises(ValueError, match=r"must|lies"):
            kernel.unite(**(good | {name: value}))
    with pytest.raises(ValueError, match="rise"):
        kernel.unite(**(good | {"month_starts": starts[::-1].copy()}))
    with pytest.raises(ValueError, match="outside the calendar"):
        kernel.unite(**(good | {"row_offsets": np.array([1, 0])}))
    for shorter in range(1, 4):
        columns = [np.zeros(1, np.int32)] * 3 + [np.empty((1, 2), np.int32)]
        columns[shorter] = columns[shorter][:0]
        with pytest.raises(ValueError, match="one length"):
            kernel.order_spells(*columns, np.empty(2, np.int64))
    with pytest.raises(ValueError, match="one entry more"):
        kernel.order_spells(*columns[:1] * 3, np.empty((1, 2), np.int32), np.empty(0, np.int64))
