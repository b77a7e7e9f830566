"""Employment by tax year: days and months at the borders of the year, and the definitions of being employed."""

import numpy as np
import pytest
from years_cases import by_year, spell, values, years_of

from leoreturns.panel.records import LeftOut
from leoreturns.panel.spells import RUNS


def employed(*spells, name="days_employed", settings=None, **options):
    return by_year(years_of({"employment": list(spells)}, settings=settings, **options), name)


def uncertain(start, end, *, at="UncertainStartDate"):
    return spell(start, end, **{at: True})


# ---- days and months ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2005-04-06", "2005-04-06", {2005: 1}),
        ("2005-04-05", "2005-04-05", {2004: 1}),
        ("2005-04-05", "2006-04-06", {2004: 1, 2005: 365, 2006: 1}),
        ("2007-04-06", "2008-04-05", {2007: 366}),  # 29 February 2008
        ("2008-04-06", "2009-04-05", {2008: 365}),
        ("2008-02-29", "2008-02-29", {2007: 1}),
        ("1999-01-01", "2003-04-06", {2003: 1}),  # before the first row
        ("2021-04-05", "2030-01-01", {2020: 1}),  # beyond the last
    ],
)
def test_days_are_of_the_tax_year_that_holds_them(start, end, expected):
    found = employed(spell(start, end))
    assert {year: days for year, days in found.items() if days} == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2005-05-05", "2005-05-06", 2),
        ("2005-05-06", "2005-06-05", 1),
        ("2005-04-06", "2006-04-05", 12),
        ("2005-05-06", "2006-04-05", 11),
        ("2006-03-06", "2006-04-05", 1),
    ],
)
def test_months_run_from_the_6th_to_the_5th(start, end, expected):
    assert employed(spell(start, end), name="months_employed")[2005] == expected
    assert employed(spell(start, end), name="employed_all_year")[2005] is (expected == 12)


def test_a_day_in_every_month_is_employment_all_year():
    spells = [spell(f"2005-{month:02d}-10", f"2005-{month:02d}-10") for month in range(4, 13)]
    spells += [spell(f"2006-{month:02d}-01", f"2006-{month:02d}-01") for month in (2, 3, 4)]
    assert employed(*spells)[2005] == 12
    assert employed(*spells, name="employed_all_year")[2005] is True
    assert employed(*spells[1:], name="employed_all_year")[2005] is False


def test_overlapping_nested_abutting_and_repeated_spells_count_once():
    spells = [
        spell("2005-05-01", "2005-05-10"),
        spell("2005-05-05", "2005-05-20"),
        spell("2005-05-06", "2005-05-07"),
        spell("2005-05-21", "2005-05-31"),
        spell("2005-05-01", "2005-05-10", via="B"),
    ]
    assert employed(*spells)[2005] == 31


def test_a_spell_without_a_last_day_runs_to_the_end_of_the_extract():
    assert employed(spell("2018-04-06", None)) == dict.fromkeys(range(2003, 2018), 0) | dict.fromkeys(
        (2018, 2020), 365
    ) | {2019: 366}
    found = employed(spell("2018-04-06", None), settings={"last_tax_year": 2019}, last_tax_year=2018)
    assert (found[2018], found[2019]) == (365, 0)


def test_spells_that_cannot_be_placed_are_left_out_and_counted():
    years = years_of(
        {
            "employment": [
                spell(None, "2005-05-01"),
                spell(None, None),
                spell("2005-05-02", "2005-05-01"),
                spell("2030-01-01", None),
                spell("2005-05-02", "2005-05-02"),
            ]
        }
    )
    assert sum(values(years, "days_employed")) == 1
    assert years.left_out["employment"] == LeftOut(no_first_day=2, reversed=2)


# ---- definitions ----------------------------------------------------------------------------------------------------


def test_paid_work_is_a_day_or_pay():
    records = {
        "employment": [spell("2005-05-01", "2005-05-01")],
        "earnings": [{"TaxYear": year, "Earnings": pay} for year, pay in ((2005, 0), (2006, 100), (2007, 0))],
    }
    found = by_year(years_of(records), "in_paid_work")
    assert [found[year] for year in (2004, 2005, 2006, 2007)] == [False, True, True, False]
    found = by_year(years_of(records, lacking=("earnings",)), "in_paid_work")
    assert [found[year] for year in (2004, 2005, 2006, 2007)] == [False, True, False, False]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2005-04-05", "2005-10-02", {2004, 2005}),  # 181 days, one of them in the year before
        ("2005-04-05", "2005-10-01", set()),  # 180
        ("2005-04-06", "2005-10-03", {2005}),
    ],
)
def test_continuous_employment_is_a_spell_of_181_days_with_a_day_in_the_year(start, end, expected):
    for name, settings in (
        ("continuous_employment", {}),
        ("sustained_employment", {"sustained": "181 days"}),
    ):
        found = employed(spell(start, end), name=name, settings=settings)
        assert {year for year, holds in found.items() if holds} == expected


def test_a_continuous_spell_may_be_joined_of_several_and_start_before_the_first_row():
    joined = [spell("2003-01-01", "2003-04-06"), spell("2003-04-07", "2003-06-30")]
    assert employed(*joined, name="continuous_employment")[2003] is True
    apart = [spell("2003-01-01", "2003-04-06"), spell("2003-04-08", "2003-06-30")]
    assert employed(*apart, name="continuous_employment")[2003] is False


MIDDLES = {10: "2005-10-20", 11: "2005-11-20", 12: "2005-12-20", 1: "2006-01-20", 2: "2006-02-20", 3: "2006-03-20"}


@pytest.mark.parametrize(
    ("months", "april", "expected"),
    [
        ((10, 11, 12, 1, 2, 3), False, True),
        ((10, 11, 12, 1, 3), False, True),
        ((11, 12, 1, 2, 3), False, True),
        ((10, 11, 12, 1, 2), False, False),
        ((10, 11, 12, 1, 2), True, True),
        ((10, 11, 12, 1), True, False),
        ((10, 11, 12, 3), True, False),
    ],
)
def test_five_of_six_months_of_winter(months, april, expected):
    spells = [spell(MIDDLES[month], MIDDLES[month]) for month in months]
    spells += [spell("2006-05-05", "2006-05-05")] if april else [spell("2006-05-06", "2006-05-06")]
    found = employed(*spells, name="sustained_employment", settings={"sustained": "five of six"})
    assert found[2005] is expected
    assert not any(holds for year, holds in found.items() if year != 2005)


@pytest.mark.parametrize(("last_row", "last_year", "expected"), [(2020, 2020, False), (2020, 2021, True)])
def test_the_next_april_counts_within_the_extract_only(last_row, last_year, expected):
    spells = [spell("2020-10-06", "2021-03-05"), spell("2021-04-06", "2021-04-30")]
    settings = {"sustained": "five of six", "last_tax_year": last_row}
    found = employed(*spells, name="sustained_employment", settings=settings, last_tax_year=last_year)
    assert found[2020] is expected


def test_sustained_by_twelve_months_is_employment_all_year():
    found = employed(spell("2005-04-30", "2006-03-06"), name="sustained_employment")
    assert {year for year, holds in found.items() if holds} == {2005}


# ---- uncertain dates ------------------------------------------------------------------------------------------------

UNCERTAIN = [
    uncertain("2005-04-06", "2005-12-31"),
    uncertain("2006-06-01", "2007-04-05", at="UncertainEndDate"),
    spell("2006-05-01", "2007-04-05"),
    spell("2007-06-01", "2007-06-30"),
]


@pytest.mark.parametrize(
    ("policy", "expected", "left_out"),
    [("keep", [270, 340, 30, 0], 0), ("exclude", [0, 340, 30, 0], 2), ("unknown", [None, 340, 30, 0], 0)],
)
def test_uncertain_dates(policy, expected, left_out):
    years = years_of({"employment": UNCERTAIN}, settings={"uncertain_dates": policy})
    found = by_year(years, "days_employed")
    assert [found[year] for year in range(2005, 2009)] == expected
    assert years.left_out["employment"] == LeftOut(uncertain=left_out)


def test_unknown_rows_miss_every_employment_column_and_no_other():
    records = {"employment": UNCERTAIN, "earnings": [{"TaxYear": 2005, "Earnings": 500, "Main_Section": "G"}]}
    years = years_of(records, settings={"uncertain_dates": "unknown", "pay_without_days": "as paid"})
    found = {name: by_year(years, name)[2005] for name in years.columns}
    for name in ("days_employed", "months_employed", "in_paid_work", "employed_all_year", "sustained_employment"):
        assert found[name] is None
    for name in ("continuous_employment", "annualised_earnings", "real_earnings", "log_earnings"):
        assert found[name] is None
    assert (found["earnings"], found["sector"], found["main_activity"]) == (500, "G", "no sustained activity")
    assert by_year(years, "in_paid_work")[2006] is True


def test_whole_numbers_are_floats_only_where_they_may_be_missing():
    for policy, dtypes in {"keep": ("int16", "int8"), "unknown": ("float64", "float64")}.items():
        years = years_of({}, settings={"uncertain_dates": policy})
        assert tuple(str(years.columns[name].values.dtype) for name in ("days_employed", "months_employed")) == dtypes


def test_without_the_flags_every_date_is_certain():
    lacking = (("employment", "UncertainStartDate"), ("employment", "UncertainEndDate"))
    years = years_of({"employment": UNCERTAIN}, settings={"uncertain_dates": "exclude"}, lacking=lacking)
    assert by_year(years, "days_employed")[2005] == 270


def test_the_table_of_runs_against_the_text_of_each_set():
    expected = [max(map(len, f"{months:012b}".split("0"))) for months in range(4096)]
    np.testing.assert_array_equal(RUNS, expected)
