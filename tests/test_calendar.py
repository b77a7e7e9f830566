"""The calendar of tax years and academic years against Python's dates."""

import numpy as np
import pytest
import reference_spells as twin
from hypothesis import given
from hypothesis import strategies as st

from leoreturns.panel.calendar import ACADEMIC_YEAR, SCHOOL_YEAR, TAX_YEAR, Calendar

CALENDARS = {"tax": (TAX_YEAR, 4, 6), "school": (SCHOOL_YEAR, 9, 1), "academic": (ACADEMIC_YEAR, 8, 1)}
each_calendar = pytest.mark.parametrize(("calendar", "month", "day"), CALENDARS.values(), ids=CALENDARS)
FIRST_DAY, LAST_DAY = -40_000, 80_000  # 1860 to 2189, with 1900 and 2100, which are no leap years


def days(*dates):
    return np.array(dates, dtype="datetime64[D]").astype(np.int32)


# ---- days and years -------------------------------------------------------------------------------------------------


def test_the_tax_year_turns_between_5_and_6_april():
    around = days("2004-04-05", "2004-04-06", "2005-04-05", "2005-04-06", "1970-04-05", "1970-01-01", "1969-12-31")
    assert TAX_YEAR.year_of(around).tolist() == [2003, 2004, 2004, 2005, 1969, 1969, 1969]
    assert TAX_YEAR.month_of(around).tolist() == [11, 0, 11, 0, 11, 8, 8]


def test_tax_months_run_from_the_6th_to_the_5th():
    opening = days("2003-04-06", "2003-05-05", "2003-05-06", "2004-02-05", "2004-02-06", "2004-03-05", "2004-03-06")
    assert TAX_YEAR.month_of(opening).tolist() == [0, 0, 1, 9, 10, 10, 11]


def test_a_tax_year_has_366_days_when_it_holds_29_february():
    """2003-04 ends after 29 February 2004; 2000 was a leap year, 1900 and 2100 are not."""
    years = np.array([2002, 2003, 2004, 2007, 1999, 1899, 2099])
    assert TAX_YEAR.n_days(years).tolist() == [365, 366, 365, 366, 366, 365, 365]


@each_calendar
@given(st.lists(st.integers(FIRST_DAY, LAST_DAY), max_size=20))
def test_year_and_month_of_a_day_are_those_of_its_date(calendar, month, day, numbers):
    numbers = np.array(numbers, dtype=np.int32)
    assert calendar.year_of(numbers).tolist() == [twin.year_of(number, month, day) for number in numbers]
    assert calendar.month_of(numbers).tolist() == [twin.month_of(number, month, day) for number in numbers]


@each_calendar
@given(st.integers(1870, 2180))
def test_first_and_last_day_enclose_the_year(calendar, month, day, year):
    span = twin.days_of(year, month, day)
    assert (calendar.first_day(year), calendar.last_day(year), calendar.n_days(year)) == (span[0], span[-1], len(span))


@each_calendar
@given(st.integers(1870, 2150), st.integers(0, 20))
def test_month_starts_are_the_days_on_which_the_month_changes(calendar, month, day, first, more):
    starts = calendar.month_starts(first, first + more)
    assert starts.dtype == np.int32
    assert starts.shape == (12 * (more + 1) + 1,)
    assert starts[::12].tolist() == calendar.first_day(np.arange(first, first + more + 2)).tolist()
    assert calendar.month_of(starts).tolist() == [k % 12 for k in range(len(starts))]
    assert calendar.month_of(starts - 1).tolist() == [(k - 1) % 12 for k in range(len(starts))]


def test_types_and_shapes_are_kept_small():
    years = np.array([[2003, 2004]], dtype=np.int16)
    assert (TAX_YEAR.first_day(years).dtype, TAX_YEAR.first_day(years).shape) == (np.int32, (1, 2))
    assert TAX_YEAR.n_days(years).dtype == np.int16
    assert TAX_YEAR.year_of(TAX_YEAR.last_day(years)).dtype == np.int16
    assert TAX_YEAR.month_of(TAX_YEAR.last_day(years)).dtype == np.int8
    assert TAX_YEAR.year_of([]).shape == (0,)


def test_a_calendar_refuses_what_it_cannot_hold():
    with pytest.raises(ValueError, match="28"):
        Calendar(4, 31)
    with pytest.raises(ValueError, match="before the first"):
        TAX_YEAR.month_starts(2004, 2003)
    with pytest.raises(TypeError, match="whole"):
        TAX_YEAR.first_day(2003.5)
