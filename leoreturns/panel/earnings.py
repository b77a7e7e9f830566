"""Earnings by person and tax year: pay, what it would be over a whole year and in constant prices, sector, furlough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leoreturns._typing import CodeArray, FloatArray, IntArray
from leoreturns.panel.calendar import TAX_YEAR
from leoreturns.panel.employment import Employment
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import (
    Grid,
    added,
    chosen,
    condition,
    largest,
    marked,
    missing_last,
    number,
    taken,
    without_repeats,
)
from leoreturns.panel.records import LeftOut, fetch, place, year_number
from leoreturns.panel.rules import VIA

if TYPE_CHECKING:
    from leoreturns.panel.block import Block
    from leoreturns.panel.definitions import Definitions

SECTIONS = {"pay": "Main_Section", "enterprise": "main_enterprise_linked_section"}
VINTAGES = (2019, 2020)  # SourceYear of the business register
SECOND_VINTAGE_FROM = 2017
SELF_ASSESSMENT_FROM = 2013  # earlier returns are not in the extract, or incomplete
FURLOUGH_YEARS = (2019, 2020)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pay:
    """Pay from employers, by row.

    Attributes
    ----------
    earnings : float64[n_row]
        GBP in the tax year over all of the person's EDUKEYs; NaN without a record.
    sector : Encoded
        Section letter of the EDUKEY that paid most.
    """

    earnings: FloatArray
    sector: Encoded


def read_pay(block: Block, grid: Grid, definitions: Definitions) -> tuple[Pay, LeftOut]:
    """Read the earnings of a block: their sum over EDUKEYs, and the sector of the largest.

    The table has one record of an EDUKEY and tax year, summed over jobs: of several the highest counts.
    """
    section = SECTIONS[definitions.sector]
    found = fetch(
        block,
        "earnings",
        ("TaxYear", "Earnings", section, VIA),
        {
            "tax_year": year_number("TaxYear"),
            "earnings": '"Earnings"',
            "via": VIA,
            "section": f'"{section}"',
        },
    )
    rows, left_out = place(found, grid)
    amounts = found.numbers("earnings").astype(np.float64)
    ids = found.ranks("via")
    earnings, repeats = _added_over_ids(rows, ids, amounts, grid)
    sector = found.texts("section")
    # An id without an amount sorts behind any that has one.
    most = chosen(rows, grid.n_row, -amounts, ids, missing_last(sector.values))
    most[~(earnings > 0)] = -1
    return Pay(earnings, taken(sector, most)), left_out + repeats


def _added_over_ids(rows: IntArray, ids: CodeArray, amounts: FloatArray, grid: Grid) -> tuple[FloatArray, LeftOut]:
    """Add amounts by row, one of each id, and count the records that repeat one."""
    kept = without_repeats(rows, ids, amounts)
    return added(kept, amounts, grid.n_row), LeftOut(repeated=int((kept != rows).sum()))


def earnings_columns(pay: Pay, employment: Employment, grid: Grid, definitions: Definitions) -> dict[str, Encoded]:
    """Return pay as recorded, over a whole year, in constant prices and in logs."""
    annualised = annualise(pay.earnings, employment, grid, definitions)
    years = np.arange(grid.last_year + 1)
    index = np.array([definitions.deflator.get(int(year), np.nan) for year in years])
    real = annualised * definitions.deflator[definitions.price_year] / index[grid.tax_year]
    return {
        "earnings": Encoded(pay.earnings, "number"),
        "annualised_earnings": Encoded(annualised, "number"),
        "real_earnings": Encoded(real, "number"),
        "log_earnings": Encoded(np.log(real), "number"),
    }


def annualise(earnings: FloatArray, employment: Employment, grid: Grid, definitions: Definitions) -> FloatArray:
    """Return the pay of a whole tax year at the rate of the days employed, GBP/year.

    Hours are not known: the pay of a part-time job stays that of a part-time job.

    Returns
    -------
    float64[n_row]
        NaN without pay, with fewer days than `minimum_days` (without any: by `pay_without_days`), above the cap, and
        where days are unknown.
    """
    days = employment.covered.days
    paid = earnings > 0
    rated = paid & (days >= definitions.minimum_days)
    out = np.full(grid.n_row, np.nan)
    out[rated] = earnings[rated] * TAX_YEAR.n_days(grid.tax_year[rated]) / days[rated]
    if definitions.pay_without_days == "as paid":
        undated = paid & (days == 0)
        out[undated] = earnings[undated]
    if definitions.annualised_cap is not None:
        out[out > definitions.annualised_cap] = np.nan
    if employment.unknown is not None:
        out[employment.unknown] = np.nan
    return out


def sector_columns(pay: Pay, grid: Grid) -> dict[str, Encoded]:
    """Return the sector and the vintage of the register that it comes from: the two are not comparable."""
    later = (grid.tax_year >= SECOND_VINTAGE_FROM).astype(np.int8)
    return {
        "sector": pay.sector,
        "sector_vintage": Encoded(np.where(pay.sector.values >= 0, later, np.int8(-1)), "code", VINTAGES),
    }


def self_employment_columns(block: Block, grid: Grid) -> tuple[dict[str, Encoded], LeftOut]:
    """Read who was self-employed, and what it earned, from the first year of self-assessment on."""
    found = fetch(
        block,
        "self_assessment",
        ("TaxYear", "Self_Employed", "EARNINGS_PTR", "EARNINGS_SOLE", "EARNINGS_SELF_EMPLOYMENT", VIA),
        {
            "tax_year": year_number("TaxYear"),
            "via": VIA,
            "self_employed": 'COALESCE("Self_Employed", true)',
            "earnings": 'COALESCE("EARNINGS_SELF_EMPLOYMENT", "EARNINGS_PTR" + "EARNINGS_SOLE", '
            '"EARNINGS_PTR", "EARNINGS_SOLE")',
        },
    )
    rows, left_out = place(found, grid)
    earlier = grid.tax_year < SELF_ASSESSMENT_FROM
    amounts, repeats = _added_over_ids(rows, found.ranks("via"), found.numbers("earnings").astype(np.float64), grid)
    columns = {
        "self_employed": condition(marked(np.where(found.numbers("self_employed"), rows, -1), grid.n_row), earlier),
        "self_employment_earnings": number(amounts, earlier),
    }
    return columns, left_out + repeats


def furlough_columns(block: Block, grid: Grid) -> tuple[dict[str, Encoded], LeftOut]:
    """Read who was on furlough, and for how long, in the years of the scheme."""
    found = fetch(
        block,
        "cjrs",
        ("TAXYEAR", "CJRS_TOT_WKS"),
        {"tax_year": year_number("TAXYEAR"), "weeks": '"CJRS_TOT_WKS"'},
    )
    rows, left_out = place(found, grid)
    weeks = found.numbers("weeks").astype(np.float64)
    on_scheme = np.where(~(weeks <= 0), rows, -1)  # weeks above 0, or not known
    columns = {
        "furloughed": condition(marked(on_scheme, grid.n_row), ~np.isin(grid.tax_year, FURLOUGH_YEARS)),
        "furlough_weeks": Encoded(largest(rows, weeks, grid.n_row), "number"),
    }
    return columns, left_out
