"""The calendar of tax years and academic years against Python's dates, and the forms in which tables write years."""

import numpy as np
import pandas as pd
import pytest
import reference_spells as twin
from hypothesis import given
from hypothesis import strategies as st

from leoreturns.errors import PanelError
from leoreturns.panel.calendar import ACADEMIC_YEAR, SCHOOL_YEAR, TAX_YEAR, Calendar, cohorts, span_label, tax_years

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


# ---- the forms of years ---------------------------------------------------------------------------------------------

FORMS = [
    200304,
    200304.0,
    np.int32(200304),
    "200304",
    "2003/2004",
    "2003/04",
    "2003-04",
    "2003-2004",
    "2003\u201304",
    " 2003/04 ",
]


@pytest.mark.parametrize("form", FORMS, ids=repr)
def test_every_form_of_a_year_gives_its_start(form):
    assert tax_years([form]).tolist() == [2003]
    assert cohorts([form]).tolist() == [2004]


@given(st.lists(st.integers(1900, 2098), max_size=20), st.sampled_from(["number", "short", "long", "label"]))
def test_forms_are_read_back(starts, form):
    write = {
        "number": lambda year: 100 * year + (year + 1) % 100,
        "short": lambda year: f"{year}/{(year + 1) % 100:02d}",
        "long": lambda year: f"{year}/{year + 1}",
        "label": span_label,
    }[form]
    read = tax_years([write(year) for year in starts])
    assert read.dtype == np.int16
    assert read.tolist() == starts


def test_the_century_turns():
    assert tax_years(["1999/00", "1999/2000", 199900]).tolist() == [1999] * 3
    assert span_label(1999) == "1999-00"
    assert cohorts(["2001/2002"]).tolist() == [2002]


def test_columns_of_any_library_are_taken():
    for dtype in ("int64", "float64", "str", "object", "category"):
        assert tax_years(pd.Series([200304, 200405, 200304]).astype(dtype)).tolist() == [2003, 2004, 2003]


def test_a_year_alone_is_refused_unless_named():
    for form in (2004, "2004", 2004.0):
        with pytest.raises(PanelError, match="alone"):
            tax_years([form])
        assert tax_years([form], single="start").tolist() == [2004]
        assert tax_years([form], single="end").tolist() == [2003]
        assert cohorts([form], single="end").tolist() == [2004]
    with pytest.raises(ValueError, match="'start' or the 'end'"):
        tax_years([2004], single="middle")


UNKNOWN_FORMS = ["2003/05", "200305", 200303, 1304, "03/04", "2003.04", "spring 2004", "", 31217, 200304.5, "2003/004"]


@pytest.mark.parametrize("form", UNKNOWN_FORMS, ids=repr)
def test_what_is_no_year_is_refused(form):
    with pytest.raises(PanelError, match=r"no year in 1 row"):
        tax_years([form], single="start")


def test_messages_count_rows_and_quote_nothing():
    values = ["2003/04", "31217", "31217", "2004/05"]
    with pytest.raises(PanelError, match="'TaxYear' holds no year in 2 rows") as refused:
        tax_years(values, name="TaxYear")
    assert "31217" not in str(refused.value)
    with pytest.raises(PanelError, match="'TaxYear' holds a year alone, such as 2004, in 3 rows"):
        tax_years([2011, 200304, 2012, 2011], name="TaxYear")
    with pytest.raises(PanelError, match=r"'TaxYear' \(year\) is missing in 2 rows"):
        tax_years(pd.Series([200304, None, np.nan]), name="TaxYear")
