"""The columns of persons by tax years, derived from the tables of one block of persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from leoreturns._typing import IntArray
from leoreturns.panel.activity import (
    benefit_columns,
    key_stage_5_years,
    learning_columns,
    main_activity,
    read_benefits,
    read_learning,
)
from leoreturns.panel.earnings import (
    earnings_columns,
    furlough_columns,
    read_pay,
    sector_columns,
    self_employment_columns,
)
from leoreturns.panel.employment import employment_columns, read_employment
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import CONDITION, Grid, number
from leoreturns.panel.records import LeftOut
from leoreturns.panel.residence import residence_columns

if TYPE_CHECKING:
    from leoreturns.panel.block import Block
    from leoreturns.panel.definitions import Definitions

TRUE = CONDITION.index(True)


@dataclass(frozen=True, slots=True)
class YearColumn:
    """A column of the years, described without its values.

    Attributes
    ----------
    owner : str or None
        Whose data it rests on; None for the calendar.
    tables : tuple of tuple of str
        The tables it needs: of each entry at least one.
    unit : str or None
        As `leoreturns.panel.schema.Column.unit`.
    """

    owner: str | None
    tables: tuple[tuple[str, ...], ...] = ()
    unit: str | None = None


_EMPLOYED = YearColumn("HMRC", (("employment",),))
_RATED = (("employment",), ("earnings",))
_ON_BENEFIT = YearColumn("DWP", (("benefits",),))
_SELF_ASSESSED = (("self_assessment",),)
_LEARNING = YearColumn("DfE", (("ilr_aims",),))
_SECTOR = YearColumn("HMRC", (("earnings",),))
_RESIDENCE = YearColumn("DWP", (("geography",),))
_FURLOUGH = YearColumn("HMRC", (("cjrs",),))

# Every column of the years, in the panel's order.
COLUMNS: Mapping[str, YearColumn] = MappingProxyType(
    {
        "tax_year": YearColumn(None),
        "years_since_ks4": YearColumn(None),
        "days_employed": _EMPLOYED,
        "months_employed": _EMPLOYED,
        "in_paid_work": _EMPLOYED,
        "employed_all_year": _EMPLOYED,
        "sustained_employment": _EMPLOYED,
        "continuous_employment": _EMPLOYED,
        "earnings": YearColumn("HMRC", (("earnings",),), "GBP/year"),
        "annualised_earnings": YearColumn("HMRC", _RATED, "GBP/year"),
        "real_earnings": YearColumn("HMRC", _RATED, "GBP/year"),
        "log_earnings": YearColumn("HMRC", _RATED, "log"),
        "self_employed": YearColumn("HMRC", _SELF_ASSESSED),
        "self_employment_earnings": YearColumn("HMRC", _SELF_ASSESSED, "GBP/year"),
        "days_unemployment_benefit": _ON_BENEFIT,
        "days_incapacity_benefit": _ON_BENEFIT,
        "days_other_out_of_work_benefit": _ON_BENEFIT,
        "months_out_of_work_benefit": _ON_BENEFIT,
        "out_of_work_benefits": _ON_BENEFIT,
        "days_other_benefit": _ON_BENEFIT,
        "months_further_education": _LEARNING,
        "months_apprenticeship": _LEARNING,
        "months_higher_education": YearColumn("HESA, DfE", (("hesa", "ilr_aims"),)),
        "main_activity": YearColumn("DfE, HESA, DWP, HMRC", (("employment", "benefits", "ilr_aims", "hesa"),)),
        "sector": _SECTOR,
        "sector_vintage": _SECTOR,
        "area": _RESIDENCE,
        "region_of_residence": _RESIDENCE,
        "country": _RESIDENCE,
        "moved": _RESIDENCE,
        "furloughed": _FURLOUGH,
        "furlough_weeks": _FURLOUGH,
    }
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Years:
    """The years of the persons of one block.

    Attributes
    ----------
    row_offsets : int64[n_person + 1]
        Rows ``row_offsets[i] : row_offsets[i + 1]`` are the tax years of person i, from cohort + 1 on.
    columns : mapping of str -> Encoded
        By name, in the order of `COLUMNS`. Labels stand in any order and may be unused: settle them over all blocks.
    absent : mapping of str -> tuple of str
        Columns left out, with the tables that the extract lacks for them.
    left_out : mapping of str -> LeftOut
        By table, the records that could not be used.
    """

    row_offsets: IntArray
    columns: Mapping[str, Encoded]
    absent: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, LeftOut]

    def __repr__(self) -> str:
        return f"<Years: {len(self.columns)} columns of {self.row_offsets[-1]:,} rows>"


def derive_years(block: Block, definitions: Definitions) -> Years:
    """Derive every column of the years of a block's persons that its tables allow.

    Parameters
    ----------
    block : Block
        The tables, as views over the records of the block's persons, in any order.
    definitions : Definitions
        What counts as employment, as activity, as a year's pay.

    Returns
    -------
    Years
        On the full grid: a row for every person and tax year from the first after key stage 4 to the last of the
        definitions. A table that is absent counts as an empty one for the columns that others still serve.

    Raises
    ------
    ExtractError
        If a table cannot be read; with the table's name only.
    """
    grid = Grid(block.cohort, definitions.last_tax_year)
    columns, left_out = _derived(block, grid, definitions)
    absent = {name: absent_tables(column, block.tables) for name, column in COLUMNS.items()}
    return Years(
        grid.row_offsets,
        MappingProxyType({name: columns[name] for name in COLUMNS if not absent[name]}),
        MappingProxyType({name: lacking for name, lacking in absent.items() if lacking}),
        MappingProxyType({table: counts for table, counts in left_out.items() if table in block.tables}),
    )


def absent_tables(column: YearColumn, present: Mapping[str, object]) -> tuple[str, ...]:
    """Return the tables for want of which a column cannot be derived; empty where it can."""
    unmet = [tables for tables in column.tables if not any(table in present for table in tables)]
    return tuple(table for tables in unmet for table in tables)


def _derived(block: Block, grid: Grid, definitions: Definitions) -> tuple[dict[str, Encoded], dict[str, LeftOut]]:
    """Every column, absent tables read as empty, and the records left out by table."""
    left_out: dict[str, LeftOut] = {}
    employment, left_out["employment"] = read_employment(block, grid, definitions)
    pay, left_out["earnings"] = read_pay(block, grid, definitions)
    self_employed, left_out["self_assessment"] = self_employment_columns(block, grid)
    benefits, left_out["benefits"] = read_benefits(block, grid)
    learning, by_table = read_learning(block, grid)
    residences, left_out["geography"] = residence_columns(block, grid, definitions)
    furloughs, left_out["cjrs"] = furlough_columns(block, grid)
    activity = main_activity(
        grid,
        definitions,
        key_stage_5=key_stage_5_years(block, grid),
        learning=learning,
        benefits=benefits,
        employed_all_year=employment.all_year,
        working=(employment.covered.days > 0) | (pay.earnings > 0) | (self_employed["self_employed"].values == TRUE),
    )
    columns = {
        "tax_year": number(grid.tax_year),
        "years_since_ks4": number(grid.years_since_ks4),
        "main_activity": activity,
        **employment_columns(employment, pay.earnings, definitions),
        **earnings_columns(pay, employment, grid, definitions),
        **self_employed,
        **benefit_columns(benefits, definitions),
        **learning_columns(learning),
        **sector_columns(pay, grid),
        **residences,
        **furloughs,
    }
    return columns, {**left_out, **by_table}
