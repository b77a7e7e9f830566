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
    CONDITION,
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
from leoreturns.panel.rules import VIA, lookup

if TYPE_CHECKING:
    from leoreturns.panel.block import Block
    from leoreturns.panel.definitions import Definitions

# Setting `sector` -> section, industry, and whether another one paid as much.
SECTORS = {
    "pay": ("Main_Section", "Main_SIC2007", "Tied_Main_Section_Flag"),
    "enterprise": (
        "main_enterprise_linked_section",
        "main_enterprise_linked_sic2007",
        "tied_main_record_enterprise_sic_fg",
    ),
}
SECTOR_GROUPS = "sectors"  # the outside lookup of industries
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
    n_enterprises : float64[n_row]
        Enterprises that paid it; NaN where not known.
    main : dict of str -> Encoded
        Of the EDUKEY that paid most: section letter, group of sections, whether another section paid as much, and the
        enterprise.
    """

    earnings: FloatArray
    n_enterprises: FloatArray
    main: dict[str, Encoded]


def read_pay(block: Block, grid: Grid, definitions: Definitions) -> tuple[Pay, LeftOut]:
    """Read the earnings of a block: their sum over EDUKEYs, and sector and employer of the largest.

    The table has one record of an EDUKEY and tax year, summed over jobs: of several the highest counts.
    """
    section, industry, tied = SECTORS[definitions.sector]
    found = fetch(
        block,
        "earnings",
        ("TaxYear", "Earnings", "main_enterprise", "Num_Employments", section, industry, tied, VIA),
        {
            "tax_year": year_number("TaxYear"),
            "earnings": '"Earnings"',
            "via": VIA,
            "n_enterprises": 'CAST("Num_Employments" AS DOUBLE)',
            "sector": f'"{section}"',
            "sector_group": "sectors.label",
            "employer": '"main_enterprise"',
            "tied": f'CAST(COALESCE(CAST("{tied}" AS TINYINT), -1) AS TINYINT)',
        },
        join=f'LEFT JOIN {lookup(block, SECTOR_GROUPS)} AS sectors ON sectors.code = record."{industry}"',
    )
    rows, left_out = place(found, grid)
    main = {name: found.texts(name) for name in ("sector", "sector_group", "employer")}
    main["sector_tied"] = Encoded(found.numbers("tied"), "code", CONDITION)
    amounts, n_enterprises = (found.numbers(name).astype(np.float64) for name in ("earnings", "n_enterprises"))
    pay, repeats = pay_of(rows, found.ranks("via"), amounts, n_enterprises, main, grid)
    return pay, left_out + repeats


def pay_of(
    rows: IntArray, ids: CodeArray, amounts: FloatArray, n_enterprises: FloatArray, main: dict[str, Encoded], grid: Grid
) -> tuple[Pay, LeftOut]:
    """Return the pay of each row from records with these rows and ids, and the records that repeat others.

    Parameters
    ----------
    rows, ids : int[n_record]
        Row of each record, -1 without one; the id that it came by.
    amounts, n_enterprises : float64[n_record]
    main : dict of str -> Encoded
        As in `Pay`, by record.
    grid : Grid
    """
    earnings, repeats = _added_over_ids(rows, ids, amounts, grid)
    # An id without an amount sorts behind any that has one. The keys after ids decide between records that repeat one.
    texts = [missing_last(main[name].values) for name in ("employer", "sector", "sector_group")]
    most = chosen(rows, grid.n_row, -amounts, ids, *texts, -main["sector_tied"].values)
    most[~(earnings > 0)] = -1
    of_row = {name: taken(column, most) for name, column in main.items()}
    return Pay(earnings, largest(rows, n_enterprises, grid.n_row), of_row), repeats


def _added_over_ids(rows: IntArray, ids: CodeArray, amounts: FloatArray, grid: Grid) -> tuple[FloatArray, LeftOut]:
    """Add amounts by row, one of each id, and count the records that repeat one."""
    kept = without_repeats(rows, ids, amounts)
    return added(kept, amounts, grid.n_row), LeftOut(repeated=int((kept != rows).sum()))


def earnings_columns(
    pay: Pay, employment: Employment, grid: Grid, definitions: Definitions
) -> tuple[dict[str, Encoded], LeftOut]:
    """Return pay as recorded, over a whole year, in constant prices and in logs; and why pay is not annualised."""
    annualised, left_out = annualise(pay.earnings, employment, grid, definitions)
    real = annualised * _inflation(grid, definitions)
    columns = {
        "earnings": Encoded(pay.earnings, "number"),
        "annualised_earnings": Encoded(annualised, "number"),
        "real_earnings": Encoded(real, "number"),
        "log_earnings": Encoded(np.log(real), "number"),
        "n_enterprises": Encoded(pay.n_enterprises, "number"),
    }
    return columns, left_out


def _inflation(grid: Grid, definitions: Definitions) -> FloatArray:
    """Return by row what money of the tax year is worth in that of the price year."""
    years = np.arange(grid.last_year + 1)
    index = np.array([definitions.deflator.get(int(year), np.nan) for year in years])
    factor: FloatArray = definitions.deflator[definitions.price_year] / index[grid.tax_year]
    return factor


def annualise(
    earnings: FloatArray, employment: Employment, grid: Grid, definitions: Definitions
) -> tuple[FloatArray, LeftOut]:
    """Return the pay of a whole tax year at the rate of the days employed, GBP/year.

    Hours are not known: the pay of a part-time job stays that of a part-time job.

    Returns
    -------
    annualised : float64[n_row]
        NaN without pay, with fewer days than `minimum_days` (without any: by `pay_without_days`), above the cap (unless
        the days are those of the whole year), and where the days hang on uncertain dates.
    left_out : LeftOut
        Rows by the reason.
    """
    days, in_year = employment.work.covered.days, TAX_YEAR.n_days(grid.tax_year)
    settled = np.ones(grid.n_row, np.bool_) if employment.unsettled is None else ~employment.unsettled
    paid = (earnings > 0) & settled
    rated = paid & (days >= definitions.minimum_days)
    undated = paid & (days == 0)
    out = np.full(grid.n_row, np.nan)
    out[rated] = earnings[rated] * in_year[rated] / days[rated]
    if definitions.pay_without_days == "as paid":
        out[undated] = earnings[undated]
        undated[:] = False
    capped = np.zeros(grid.n_row, np.bool_)
    if definitions.annualised_cap is not None:
        capped = (out > definitions.annualised_cap) & (days < in_year)
        out[capped] = np.nan
    reasons = {
        "no_days": undated,
        "no_pay": (days > 0) & ~(earnings > 0) & settled,
        "few_days": paid & (days > 0) & ~rated,
        "capped": capped,
        "uncertain": (earnings > 0) & ~settled,
    }
    return out, LeftOut(**{why: int(which.sum()) for why, which in reasons.items()})


def total_columns(
    earnings: FloatArray, self_employment: Encoded, grid: Grid, definitions: Definitions
) -> dict[str, Encoded]:
    """Return pay and profits together: what is not there adds nothing."""
    total = np.nan_to_num(earnings) + np.nan_to_num(self_employment.values)
    return {
        "total_earnings": Encoded(total, "number"),
        "real_total_earnings": Encoded(total * _inflation(grid, definitions), "number"),
    }


def sector_columns(pay: Pay, grid: Grid) -> dict[str, Encoded]:
    """Return sector and employer, and the vintage of the register that these come from: the two are not comparable."""
    later = (grid.tax_year >= SECOND_VINTAGE_FROM).astype(np.int8)
    vintage = np.where(pay.main["sector"].values >= 0, later, np.int8(-1))
    return {**pay.main, "sector_vintage": Encoded(vintage, "code", VINTAGES)}


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
    amounts, repeats = _added_over_ids(rows, found.ranks("via"), found.numbers("earnings").astype(np.float64), grid)
    columns = self_employment(np.where(found.numbers("self_employed"), rows, -1), amounts, grid)
    return columns, left_out + repeats


def self_employment(rows: IntArray, amounts: FloatArray, grid: Grid) -> dict[str, Encoded]:
    """Return who was self-employed, by the rows of returns that say so, and the profits of every row."""
    earlier = grid.tax_year < SELF_ASSESSMENT_FROM
    return {
        "self_employed": condition(marked(rows, grid.n_row), earlier),
        "self_employment_earnings": number(amounts, earlier),
    }


def furlough_columns(block: Block, grid: Grid) -> tuple[dict[str, Encoded], LeftOut]:
    """Read who was on furlough, and for how long, in the years of the scheme."""
    found = fetch(
        block,
        "cjrs",
        ("TAXYEAR", "CJRS_TOT_WKS"),
        {"tax_year": year_number("TAXYEAR"), "weeks": '"CJRS_TOT_WKS"'},
    )
    rows, left_out = place(found, grid)
    return furloughs(rows, found.numbers("weeks").astype(np.float64), grid), left_out


def furloughs(rows: IntArray, weeks: FloatArray, grid: Grid) -> dict[str, Encoded]:
    """Return who was on furlough and for how long, by the rows and weeks of the scheme's records."""
    on_scheme = np.where(~(weeks <= 0), rows, -1)  # weeks above 0, or not known
    in_other_years = ~np.isin(grid.tax_year, FURLOUGH_YEARS)
    longest = np.where(marked(rows, grid.n_row), largest(rows, weeks, grid.n_row), 0.0)
    return {
        "furloughed": condition(marked(on_scheme, grid.n_row), in_other_years),
        "furlough_weeks": number(longest, in_other_years),
    }
