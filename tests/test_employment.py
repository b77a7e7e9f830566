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
    spells += [spell("2006-04-30", "2006-04-30")] if april else [spell("2006-05-01", "2006-05-01")]
    found = employed(*spells, name="sustained_employment", settings={"sustained": "five of six"})
    assert found[2005] is expected
    assert not any(holds for year, holds in found.items() if year != 2005)


@pytest.mark.parametrize(
    ("spells", "expected"),
    [
        ([("2005-12-01", "2006-03-31")], False),  # four months, though days of six tax months
        ([("2005-10-31", "2006-02-01")], False),  # October to February, and no April
        ([("2005-10-31", "2006-02-01"), ("2006-04-30", "2006-04-30")], True),
        ([("2005-10-31", "2006-02-01"), ("2006-05-01", "2006-05-05")], False),
        ([("2005-11-30", "2006-03-01")], True),
        ([("2005-10-31", "2006-01-31"), ("2006-03-31", "2006-03-31")], True),
        ([("2005-10-31", "2006-01-31"), ("2006-04-01", "2006-04-30")], False),
    ],
)
def test_the_months_of_winter_are_those_of_the_calendar(spells, expected):
    settings = {"sustained": "five of six"}
    found = employed(*(spell(*dates) for dates in spells), name="sustained_employment", settings=settings)
    assert found[2005] is expected


@pytest.mark.parametrize(
    ("april", "last_year", "expected"),
    [
        ([], 2020, None),
        ([("2021-04-05", "2021-04-05")], 2020, True),
        ([("2021-03-31", "2021-03-31")], 2020, True),
        ([], 2021, False),
        ([("2021-04-06", "2021-04-30")], 2021, True),
    ],
)
def test_what_hangs_on_the_april_after_the_extract_is_missing(april, last_year, expected):
    spells = [spell("2020-10-06", "2021-02-05"), *(spell(*dates) for dates in april)]
    settings = {"sustained": "five of six"}
    found = employed(*spells, name="sustained_employment", settings=settings, last_tax_year=last_year)
    assert found[2020] is expected
    assert found[2019] is False


@pytest.mark.parametrize(
    ("spells", "expected"),
    [
        ([("2021-01-01", None)], None),
        ([("2021-01-01", "2021-04-05")], None),
        ([("2021-01-01", "2021-04-04")], False),
        ([("2020-10-07", None)], True),  # 181 days to 5 April
        ([("2020-10-08", None)], None),
        ([("2020-04-06", "2020-10-05"), ("2021-01-01", None)], True),
        ([("2020-10-08", "2020-12-31"), ("2021-01-02", None)], None),
    ],
)
def test_spells_that_may_yet_become_181_days_are_missing(spells, expected):
    for name, settings in (("continuous_employment", {}), ("sustained_employment", {"sustained": "181 days"})):
        found = employed(*(spell(*dates) for dates in spells), name=name, settings=settings)
        assert found[2020] is expected
        assert found[2019] is False
    # A later extract would tell; here nothing follows.
    ended = [(start, end or "2021-04-05") for start, end in spells]
    found = employed(*(spell(*dates) for dates in ended), name="continuous_employment", last_tax_year=2021)
    assert found[2020] is bool(expected)


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
SIX_YEARS = spell("2005-09-01", "2010-04-05", UncertainEndDate=True)


@pytest.mark.parametrize(
    ("policy", "expected", "left_out"),
    [("keep", [270, 340, 30, 0], 0), ("exclude", [0, 340, 30, 0], 2), ("unknown", [None, 340, 30, 0], 0)],
)
def test_uncertain_dates(policy, expected, left_out):
    years = years_of({"employment": UNCERTAIN}, settings={"uncertain_dates": policy})
    found = by_year(years, "days_employed")
    assert [found[year] for year in range(2005, 2009)] == expected
    assert years.left_out["employment"] == LeftOut(uncertain=left_out)


@pytest.mark.parametrize(
    ("spells", "expected"),
    [
        ([SIX_YEARS], {2005: 217, 2006: 365, 2007: 366, 2008: 365}),  # to 5 April 2009
        ([uncertain("2005-04-06", "2007-06-30")], {2006: 365, 2007: 86}),
        (
            [spell("2005-04-06", "2010-04-05", UncertainStartDate=True, UncertainEndDate=True)],
            {2006: 365, 2007: 366, 2008: 365},
        ),
        ([uncertain("2005-04-06", "2006-04-05")], {}),
        ([uncertain("2005-04-06", "2006-04-06")], {2006: 1}),
        ([spell("2019-06-01", None, UncertainEndDate=True)], {2019: 310}),
    ],
)
def test_a_default_date_makes_its_own_tax_year_uncertain_and_no_other(spells, expected):
    found = employed(*spells, settings={"uncertain_dates": "exclude"})
    assert {year: days for year, days in found.items() if days} == expected


def test_pay_is_not_annualised_over_the_certain_days_of_some_jobs():
    """Pay is of all jobs, so that a year's days must be, too."""
    jobs = [uncertain("2005-04-06", "2005-12-31"), spell("2005-06-01", "2005-06-10"), spell("2006-06-01", "2006-06-10")]
    earnings = [{"TaxYear": year, "Earnings": 15_000} for year in (2005, 2006)]
    for policy in ("exclude", "unknown"):
        years = years_of({"employment": jobs, "earnings": earnings}, settings={"uncertain_dates": policy})
        found = by_year(years, "annualised_earnings")
        assert (found[2005], found[2006]) == (None, 547_500)
        assert by_year(years, "earnings")[2005] == 15_000
        assert years.left_out["annualised_earnings"] == LeftOut(uncertain=1)


def test_columns_are_unknown_one_by_one():
    """Each is missing where it differs between all days and the certain ones, and there alone."""
    records = {
        "employment": [*UNCERTAIN, spell("2005-04-01", "2005-09-30"), SIX_YEARS],
        "earnings": [{"TaxYear": year, "Earnings": 500, "Main_Section": "G"} for year in (2005, 2006, 2009)],
    }
    years = years_of(records, settings={"uncertain_dates": "unknown", "sustained": "five of six"})
    found = {name: by_year(years, name) for name in years.columns}
    # All the days of 2005 but a few are certain, by one spell or another; none of 2009.
    assert [found["days_employed"][year] for year in (2005, 2006, 2009)] == [365, 365, None]
    assert [found["employed_all_year"][year] for year in (2005, 2006, 2009)] == [True, True, None]
    assert [found["sustained_employment"][year] for year in (2005, 2008, 2009)] == [True, True, None]
    # The next April hangs on nothing: it is not needed.
    assert [found["in_paid_work"][year] for year in (2008, 2009, 2010)] == [True, True, False]
    assert [found["annualised_earnings"][year] for year in (2005, 2006, 2009)] == [500, 500, None]
    assert (found["earnings"][2009], found["sector"][2009]) == (500, "G")
    assert found["main_activity"][2009] == "employment"


def test_a_continuous_spell_is_known_whatever_uncertain_days_it_has():
    job = spell("2005-04-06", "2006-12-31", UncertainStartDate=True)
    years = years_of({"employment": [job]}, settings={"uncertain_dates": "unknown"})
    assert by_year(years, "continuous_employment")[2006] is True
    assert by_year(years, "continuous_employment")[2005] is None
    assert by_year(years, "days_employed")[2006] == 270


def test_whole_numbers_are_floats_only_where_they_may_be_missing():
    for policy, dtypes in {"keep": ("int16", "int8"), "unknown": ("float64", "float64")}.items():
        years = years_of({}, settings={"uncertain_dates": policy})
        assert tuple(str(years.columns[name].values.dtype) for name in ("days_employed", "months_employed")) == dtypes


# ---- self-employment ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "expected"), [("exclude", False), ("include", True)])
def test_self_employment_counts_as_work_where_it_is_included(rule, expected):
    records = {"self_assessment": [{"TaxYear": year, "Self_Employed": True} for year in (2012, 2015)]}
    years = years_of(records, settings={"self_employment": rule, "sustained": "five of six"})
    for name in ("in_paid_work", "sustained_employment"):
        found = by_year(years, name)
        assert (found[2012], found[2015], found[2016]) == (False, expected, False)
    for name in ("employed_all_year", "continuous_employment"):
        assert not any(by_year(years, name).values())


def test_self_employment_settles_what_the_end_of_the_extract_leaves_open():
    records = {"employment": [spell("2021-03-01", None)], "self_assessment": [{"TaxYear": 2020, "Self_Employed": True}]}
    for rule, expected in {"exclude": None, "include": True}.items():
        years = years_of(records, settings={"self_employment": rule, "sustained": "181 days"})
        assert by_year(years, "sustained_employment")[2020] is expected


def test_without_the_flags_every_date_is_certain():
    lacking = (("employment", "UncertainStartDate"), ("employment", "UncertainEndDate"))
    years = years_of({"employment": UNCERTAIN}, settings={"uncertain_dates": "exclude"}, lacking=lacking)
    assert by_year(years, "days_employed")[2005] == 270


def test_the_table_of_runs_against_the_text_of_each_set():
    expected = [max(map(len, f"{months:012b}".split("0"))) for months in range(4096)]
    np.testing.assert_array_equal(RUNS, expected)
