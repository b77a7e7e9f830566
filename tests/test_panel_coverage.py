"""How far the tables of an extract reach, and the panel that is not to go beyond."""

import datetime as dt

import pandas as pd
import pytest

from leoreturns.errors import PanelError
from leoreturns.extract.source import open_extract
from leoreturns.panel.coverage import last_tax_year, observed_years
from leoreturns.panel.definitions import Definitions, illustrative_deflator

DAY = dt.date(2018, 4, 5)  # the last of tax year 2017


def earnings(*years):
    return pd.DataFrame({"Edukey": "A", "TaxYear": [f"{year}{(year + 1) % 100:02d}" for year in years], "Earnings": 1})


def spells(start, end=None):
    return pd.DataFrame({"EduKey": ["A", "A"], "StartDate": [dt.date(2010, 5, 1), start], "EndDate": [None, end]})


def define(last):
    return Definitions.preset("fft", deflator=illustrative_deflator(), last_tax_year=last)


def observed(**tables):
    with open_extract(tables) as extract:
        return observed_years(extract)


def test_a_table_reaches_to_the_latest_of_its_years():
    hesa = pd.DataFrame({"HE_PUPILMATCHINGREFANONYMOUS": "P", "HE_ACADYR": ["2015/16", "2016/17", None]})
    assert observed(earnings=earnings(2010, 2018, 2004), hesa=hesa) == {"earnings": 2018, "hesa": 2016}


@pytest.mark.parametrize(
    ("start", "end", "year"),
    [
        (DAY, None, 2017),
        (DAY + dt.timedelta(days=1), None, 2018),
        (DAY, dt.date(2019, 1, 1), 2017),  # a last day can be a default
        (dt.date(2030, 1, 1), None, 2019),  # no further than the extract
    ],
)
def test_spells_reach_to_the_latest_first_day(start, end, year):
    found = observed(earnings=earnings(2019), benefits=spells(start, end))
    assert found == {"earnings": 2019, "benefits": year}


def test_tables_without_rows_or_years_bound_nothing():
    hesa = pd.DataFrame({"HE_PUPILMATCHINGREFANONYMOUS": ["P"], "HE_XPQUAL01": [1]})
    assert observed(earnings=earnings().astype({"TaxYear": "str"}), hesa=hesa) == {}


def test_the_first_table_of_tax_years_tells_the_last_of_the_extract():
    assert last_tax_year({"employment": 2020, "geography": 2018, "cjrs": 2020}, define(2018)) == 2018
    assert last_tax_year({"employment": 2020, "earnings": 2019, "geography": 2018}, define(2015)) == 2019
    assert last_tax_year({"hesa": 2012}, define(2020)) == 2020


def test_a_panel_beyond_the_extract_is_refused_with_the_remedy():
    expected = "to tax year 2020, but table 'earnings' ends in 2018: set last_tax_year=2018"
    with pytest.raises(PanelError, match=expected):
        last_tax_year({"earnings": 2018, "employment": 2020}, define(2020))
