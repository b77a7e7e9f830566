"""Earnings by tax year: sums over ids, the pay of a whole year, prices, sectors, self-employment, furlough."""

import math

import numpy as np
import pytest
from years_cases import by_year, spell, years_of

from leoreturns.panel.grid import added
from leoreturns.panel.records import LeftOut


def pay(year, amount, **more):
    return {"TaxYear": year, "Earnings": amount, **more}


def derived(name, earnings, employment=(), settings=None, **options):
    records = {"earnings": list(earnings), "employment": list(employment)}
    return by_year(years_of(records, settings=settings, **options), name)


# ---- pay ------------------------------------------------------------------------------------------------------------


def test_earnings_are_added_over_ids_and_missing_without_a_record():
    found = derived("earnings", [pay(2005, 100), pay(2005, 250, via="B"), pay(2006, 0), pay(2007, None)])
    assert [found[year] for year in (2004, 2005, 2006, 2007)] == [None, 350, 0, None]


def test_of_several_records_of_an_id_the_highest_counts():
    rows = [pay(2005, 100), pay(2005, 300), pay(2005, 300), pay(2005, None), pay(2005, 50, via="B"), pay(2006, 100)]
    for ordered in (rows, rows[::-1]):
        years = years_of({"earnings": ordered})
        assert (by_year(years, "earnings")[2005], by_year(years, "earnings")[2006]) == (350, 100)
        assert years.left_out["earnings"] == LeftOut(repeated=3)
    rows = [{"TaxYear": 2016, "EARNINGS_SOLE": amount} for amount in (4, 9, None)]
    years = years_of({"self_assessment": rows})
    assert by_year(years, "self_employment_earnings")[2016] == 9
    assert years.left_out["self_assessment"] == LeftOut(repeated=2)


def test_records_of_years_that_are_no_row_are_counted():
    years = years_of({"earnings": [pay(2002, 1), pay(2003, 2), pay(2020, 3), pay(2021, 4), pay(None, 5)]})
    assert years.left_out["earnings"] == LeftOut(outside=3)
    assert np.nansum(years.columns["earnings"].values) == 5


def test_broken_amounts_add_up_to_the_same_bytes_in_any_order():
    rng = np.random.default_rng(5)
    rows, amounts = rng.integers(-1, 4, 300), rng.lognormal(5, 4, 300)
    expected = added(rows, amounts, 5).tobytes()
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(300)
        assert added(rows[order], amounts[order], 5).tobytes() == expected
    assert np.isnan(added(rows, amounts, 5)[4])


@pytest.mark.parametrize(
    ("year", "start", "end", "rate"),
    [
        (2005, "2005-04-06", "2006-04-05", 1.0),
        (2005, "2006-03-27", "2006-04-05", 36.5),
        (2007, "2007-04-06", "2007-04-15", 36.6),  # a leap year
    ],
)
def test_pay_is_taken_to_the_whole_year_at_the_rate_of_days_employed(year, start, end, rate):
    found = derived("annualised_earnings", [pay(year, 1000)], [spell(start, end)])
    assert found[year] == pytest.approx(1000 * rate, rel=1e-15)
    assert [other for other, value in found.items() if value is not None] == [year]


TEN_DAYS = spell("2005-05-01", "2005-05-10")


@pytest.mark.parametrize(
    ("amount", "employment", "settings", "expected"),
    [
        (1000, [TEN_DAYS], {}, 36500),
        (0, [TEN_DAYS], {}, None),
        (-5, [TEN_DAYS], {}, None),
        (1000, [TEN_DAYS], {"minimum_days": 10}, 36500),
        (1000, [TEN_DAYS], {"minimum_days": 11}, None),
        (1000, [TEN_DAYS], {"minimum_days": 11, "pay_without_days": "as paid"}, None),
        (1000, [], {}, None),
        (1000, [], {"pay_without_days": "as paid"}, 1000),
        (0, [], {"pay_without_days": "as paid"}, None),
        (1000, [TEN_DAYS], {"annualised_cap": 36500}, 36500),
        (1000, [TEN_DAYS], {"annualised_cap": 36499}, None),
        (1000, [], {"pay_without_days": "as paid", "annualised_cap": 999}, None),
        (1000, [spell("2005-04-06", "2006-04-05")], {"annualised_cap": 999}, 1000),  # nothing was inflated
        (1000, [spell("2005-04-06", "2006-04-04")], {"annualised_cap": 999}, None),
    ],
)
def test_guards_of_annualised_earnings(amount, employment, settings, expected):
    assert derived("annualised_earnings", [pay(2005, amount)], employment, settings)[2005] == expected


def test_rows_without_annualised_pay_are_counted_by_the_reason():
    days = [spell(f"{year}-05-01", f"{year}-05-10") for year in range(2005, 2010)]
    earnings = [pay(2004, 9), pay(2005, 0), pay(2006, 90), pay(2007, 900), pay(2008, 9000)]
    records = {"employment": [*days, spell("2009-06-01", "2009-06-30")], "earnings": earnings}
    expected = LeftOut(no_days=1, no_pay=2)
    assert years_of(records).left_out["annualised_earnings"] == expected
    years = years_of(records, settings={"annualised_cap": 40_000, "pay_without_days": "as paid"})
    assert years.left_out["annualised_earnings"] == LeftOut(no_pay=2, capped=1)
    years = years_of(records, settings={"minimum_days": 20})
    assert years.left_out["annualised_earnings"] == LeftOut(no_days=1, no_pay=2, few_days=3)


def test_total_earnings_are_pay_and_profits_as_they_are():
    records = {
        "earnings": [pay(2014, 1000), pay(2016, 500), pay(2017, None)],
        "self_assessment": [{"TaxYear": year, "EARNINGS_SOLE": 300} for year in (2012, 2015, 2016)]
        + [{"TaxYear": 2018, "EARNINGS_SOLE": -70}],
        "employment": [spell("2014-05-01", "2014-05-10")],
    }
    found = by_year(years_of(records), "total_earnings")
    assert [found[year] for year in range(2012, 2020)] == [0, 0, 1000, 300, 800, 0, -70, 0]
    index = {year: 50.0 + year - 2000 for year in range(2000, 2022)}
    found = by_year(years_of(records, settings={"deflator": index, "price_year": 2015}), "real_total_earnings")
    assert (found[2014], found[2019]) == (pytest.approx(1000 * 65 / 64, rel=1e-15), 0)


def test_real_earnings_are_in_the_prices_of_one_year():
    index = {year: 50.0 + year - 2000 for year in range(2000, 2022)}
    settings = {"deflator": index, "price_year": 2015, "pay_without_days": "as paid"}
    earnings = [pay(2005, 1000), pay(2015, 1000)]
    assert derived("real_earnings", earnings, settings=settings)[2015] == 1000
    assert derived("real_earnings", earnings, settings=settings)[2005] == pytest.approx(1000 * 65.0 / 55.0, rel=1e-15)
    assert derived("log_earnings", earnings, settings=settings)[2005] == pytest.approx(math.log(65000 / 55))
    assert derived("annualised_earnings", earnings, settings=settings)[2005] == 1000


# ---- sector ---------------------------------------------------------------------------------------------------------


def sections(*rows, rule="pay"):
    return derived("sector", rows, settings={"sector": rule})[2005]


def test_the_sector_is_that_of_the_id_that_paid_most():
    assert sections(pay(2005, 100, Main_Section="C"), pay(2005, 200, via="B", Main_Section="G")) == "G"
    # That id's section is missing: no other stands in.
    assert sections(pay(2005, 100, Main_Section="C"), pay(2005, 200, via="B")) is None
    assert sections(pay(2005, None, Main_Section="C"), pay(2005, 10, via="B", Main_Section="G")) == "G"


def test_the_smallest_id_decides_where_two_paid_as_much():
    rows = [pay(2005, 100, via=via, Main_Section=section) for via, section in (("b", "C"), ("B", "G"), ("a", "A"))]
    assert sections(*rows) == "G"  # by bytes: capitals first
    assert sections(*reversed(rows)) == "G"


def test_there_is_no_sector_without_earnings():
    assert sections(pay(2005, 0, Main_Section="C")) is None
    assert sections(pay(2005, -10, Main_Section="C")) is None


def test_the_sector_of_the_enterprise():
    row = pay(2005, 100, Main_Section="C", main_enterprise_linked_section="K")
    assert (sections(row), sections(row, rule="enterprise")) == ("C", "K")


INDUSTRIES = {"01110": "land", "62010": "computing"}


@pytest.mark.parametrize(
    ("rule", "expected"), [("pay", ("C", "land", True, "K1")), ("enterprise", ("G", "computing", False, "K1"))]
)
def test_what_comes_with_the_sector(rule, expected):
    most = {
        "Main_Section": "C",
        "Main_SIC2007": "01110",
        "Tied_Main_Section_Flag": True,
        "main_enterprise_linked_section": "G",
        "main_enterprise_linked_sic2007": "62010",
        "tied_main_record_enterprise_sic_fg": False,
        "main_enterprise": "K1",
        "Num_Employments": 2,
    }
    rows = [
        pay(2005, 200, via="B", **most),
        pay(2005, 100, Main_SIC2007="62010", main_enterprise="K2", Num_Employments=3),
    ]
    rows += [pay(2006, 0, main_enterprise="K3", Num_Employments=1), pay(2007, 10, Main_SIC2007="?")]
    years = years_of({"earnings": rows}, settings={"sector": rule}, sectors=INDUSTRIES)
    found = {
        name: by_year(years, name) for name in ("sector", "sector_group", "sector_tied", "employer", "n_enterprises")
    }
    assert tuple(found[name][2005] for name in found) == (*expected, 3)
    assert tuple(found[name][2006] for name in found) == (None, None, None, None, 1)
    assert found["sector_group"][2007] is None


def test_groups_of_sectors_need_their_lookup():
    years = years_of({"earnings": [pay(2005, 1)]})
    assert years.absent["sector_group"] == ("lookup_sectors",)


def test_records_that_repeat_an_id_and_amount_give_the_same_employer_in_any_order():
    rows = [
        pay(2005, 9, Main_Section="C", main_enterprise="K2", Tied_Main_Section_Flag=False),
        pay(2005, 9, Main_Section="C", main_enterprise="K1", Tied_Main_Section_Flag=False),
        pay(2005, 9, Main_Section="C", main_enterprise="K1", Tied_Main_Section_Flag=True),
        pay(2005, 9, Main_Section="C"),
    ]
    for records in (rows, rows[::-1]):
        years = years_of({"earnings": records})
        assert (by_year(years, "employer")[2005], by_year(years, "sector_tied")[2005]) == ("K1", True)


def test_the_vintage_of_the_register_changes_in_2017():
    rows = [pay(year, 1, Main_Section="C") for year in (2015, 2016, 2017, 2018)] + [pay(2019, 1)]
    found = derived("sector_vintage", rows)
    assert [found[year] for year in range(2014, 2020)] == [None, 2019, 2019, 2020, 2020, None]


# ---- self-employment and furlough -----------------------------------------------------------------------------------


def test_self_employment_from_2013_on():
    rows = [{"TaxYear": 2012, "Self_Employed": True}, {"TaxYear": 2013, "Self_Employed": True}, {"TaxYear": 2014}]
    years = years_of({"self_assessment": [*rows, {"TaxYear": 2015, "Self_Employed": False, "EARNINGS_SOLE": 4}]})
    found = by_year(years, "self_employed")
    assert [found[year] for year in range(2011, 2017)] == [None, None, True, True, False, False]
    assert by_year(years, "self_employment_earnings")[2015] == 4


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ([(7, 1, 2)], 7),
        ([(0, 1, 2)], 0),
        ([(None, 1, 2)], 3),
        ([(None, 1, None)], 1),
        ([(None, None, 2)], 2),
        ([(None, None, None)], None),
        ([(None, None, None), (None, None, 5)], 5),
        ([(7, None, None), (None, -2, 5)], 10),
    ],
)
def test_self_employment_earnings(amounts, expected):
    names = ("EARNINGS_SELF_EMPLOYMENT", "EARNINGS_PTR", "EARNINGS_SOLE")
    rows = [
        {"TaxYear": 2016, "via": f"key {at}"} | dict(zip(names, row, strict=True)) for at, row in enumerate(amounts)
    ]
    found = by_year(years_of({"self_assessment": rows}), "self_employment_earnings")
    assert found[2016] == expected
    assert found[2017] is None


@pytest.mark.parametrize(
    ("weeks", "furloughed", "longest"),
    [
        ([], False, 0),
        ([3], True, 3),
        ([0], False, 0),
        ([None], True, None),
        ([0, 4, 2], True, 4),
        ([0, None], True, 0),
    ],
)
def test_furlough(weeks, furloughed, longest):
    years = years_of({"cjrs": [{"TAXYEAR": 2019, "CJRS_TOT_WKS": count} for count in weeks]})
    found = by_year(years, "furloughed")
    assert (found[2018], found[2019], found[2020]) == (None, furloughed, False)
    found = by_year(years, "furlough_weeks")
    assert (found[2018], found[2019], found[2020]) == (None, longest, 0)
