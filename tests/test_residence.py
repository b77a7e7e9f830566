"""Residence by tax year: the record that counts, areas by lookup, moves and the recoding of 2012."""

import pytest
from years_cases import by_year, values, years_of

from leoreturns.panel.records import LeftOut


def home(year, area, via="A", **more):
    return {"TaxYear": year, "LAUA_anon": area, "via": via, **more}


def moves(rows, settings=None):
    found = by_year(years_of({"geography": rows}, settings=settings), "moved")
    return {year: moved for year, moved in found.items() if moved is not None}


def test_the_smallest_id_with_a_record_counts_for_all_three():
    rows = [
        home(2005, "x", "B", GORNM="London", CTRYNM="England"),
        home(2005, None, "A", GORNM="Wales", CTRYNM="Wales"),
        home(2006, "y", "B", GORNM="London", CTRYNM="England"),
        home(2001, "z", "A"),
    ]
    for records in (rows, rows[::-1]):
        years = years_of({"geography": records})
        found = {name: by_year(years, name) for name in ("area", "region_of_residence", "country")}
        assert [found[name][2005] for name in found] == [None, "Wales", "Wales"]
        assert [found[name][2006] for name in found] == ["y", "London", "England"]
        assert [found[name][2007] for name in found] == [None, None, None]
        assert years.left_out["geography"] == LeftOut(outside=1)


def test_records_that_repeat_an_id_and_year_give_the_same_in_any_order():
    rows = [home(2005, None), home(2005, "y", GORNM="b"), home(2005, "y", GORNM="a"), home(2005, "z")]
    for records in (rows, rows[::-1]):
        years = years_of({"geography": records})
        assert (by_year(years, "area")[2005], by_year(years, "region_of_residence")[2005]) == ("y", "a")


def test_an_unknown_country_is_missing():
    years = years_of({"geography": [home(2005, "x", CTRYNM="Unknown"), home(2006, "x", CTRYNM="Abroad")]})
    assert [by_year(years, "country")[year] for year in (2005, 2006)] == [None, "Abroad"]


def test_areas_by_the_lookup_where_one_is_given():
    rows = [home(2005, "x", COA_2011="E1"), home(2006, "x", COA_2011="E9"), home(2007, "x")]
    found = by_year(years_of({"geography": rows}, areas={"E1": "Leeds", "E2": "York"}), "area")
    assert [found[year] for year in (2005, 2006, 2007)] == ["Leeds", None, None]
    assert by_year(years_of({"geography": rows}), "area")[2005] == "x"


def test_moves():
    rows = [home(year, area) for year, area in [(2004, "x"), (2005, "x"), (2006, "y"), (2008, "y"), (2009, "x")]]
    assert moves(rows) == {2005: False, 2006: True, 2009: True}


def test_the_first_row_has_no_year_before():
    assert moves([home(2002, "x"), home(2003, "y"), home(2004, "x")]) == {2004: True}
    # nor is the person before, whose last row lies in front of it
    records = {"geography": [home(2020, "x"), home(2003, "y", number=1)]}
    assert set(values(years_of(records, cohorts=(2002, 2002)), "moved")) == {None}


@pytest.mark.parametrize(("across", "expected"), [(False, {2012: True, 2014: True}), (True, None)])
def test_a_move_between_2012_and_2013_may_be_recoding(across, expected):
    rows = [home(year, area) for year, area in [(2011, "x"), (2012, "y"), (2013, "z"), (2014, "x")]]
    expected = expected or {2012: True, 2013: True, 2014: True}
    assert moves(rows, {"moves_across_2012": across}) == expected
