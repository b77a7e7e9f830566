"""The columns of persons by tax years, derived from the tables of one block of persons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from leoreturns._typing import BoolArray, IntArray
from leoreturns.panel.activity import (
    YOUNG_YEARS,
    Benefits,
    Learning,
    Schooling,
    benefit_columns,
    learning_columns,
    main_activity,
    read_benefits,
    read_learning,
    read_schooling,
)
from leoreturns.panel.earnings import (
    SECTOR_GROUPS,
    Pay,
    earnings_columns,
    furlough_columns,
    read_pay,
    sector_columns,
    self_employment_columns,
    total_columns,
)
from leoreturns.panel.employment import Employment, employment_columns, read_employment
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import CONDITION, Grid, number, without
from leoreturns.panel.records import LeftOut
from leoreturns.panel.residence import residence_columns
from leoreturns.panel.rules import LOOKUP

if TYPE_CHECKING:
    from leoreturns.panel.block import Block
    from leoreturns.panel.definitions import Definitions

TRUE = CONDITION.index(True)
OF_TAX_RECORDS = ("HMRC", "DWP")  # owners of what is known of persons who are linked to tax and benefit records


@dataclass(frozen=True, slots=True)
class YearColumn:
    """A column of the years, described without its values.

    Attributes
    ----------
    owner : str or None
        Whose data it rests on; None for the calendar.
    tables : tuple of tuple of str
        The tables, columns as ``table.column``, and lookups as ``lookup_<name>``, that it needs: of each entry at least
        one. It is observed as far as all of these tables that are there.
    unit : str or None
        As `leoreturns.panel.schema.Column.unit`.
    entity : bool
        Whether it names an employer.
    of_person : bool
        Whether it is a trait carried along the years, observed in all of them.
    """

    owner: str | None
    tables: tuple[tuple[str, ...], ...] = ()
    unit: str | None = None
    entity: bool = False
    of_person: bool = False


_TYPE, _FLAG = "benefits.Benefit_type", "benefits.Out_of_work_benefit"
_EMPLOYED = YearColumn("HMRC", (("employment",),))
_RATED = (("employment",), ("earnings",))
_TOTAL = YearColumn("HMRC", (("earnings",), ("self_assessment",)), "GBP/year")
_BY_TYPE = YearColumn("DWP", (("benefits",), (_TYPE,)))
_OUT_OF_WORK = YearColumn("DWP", (("benefits",), (_TYPE, _FLAG)))
_SELF_ASSESSED = YearColumn("HMRC", (("self_assessment",),))
_LEARNING = YearColumn("DfE", (("ilr_aims",),))
_PAID = YearColumn("HMRC", (("earnings",),))
_RESIDENCE = YearColumn("DWP", (("geography",),))
_FURLOUGH = YearColumn("HMRC", (("cjrs",),))

# Every column of the years, in the panel's order.
COLUMNS: Mapping[str, YearColumn] = MappingProxyType(
    {
        "tax_year": YearColumn(None),
        "years_since_ks4": YearColumn(None),
        "years_since_graduation": YearColumn("HESA", (("hesa",),), of_person=True),
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
        "total_earnings": _TOTAL,
        "real_total_earnings": _TOTAL,
        "employer": YearColumn("HMRC", (("earnings",),), entity=True),
        "n_enterprises": _PAID,
        "self_employed": _SELF_ASSESSED,
        "self_employment_earnings": YearColumn("HMRC", (("self_assessment",),), "GBP/year"),
        "days_unemployment_benefit": _BY_TYPE,
        "days_incapacity_benefit": _BY_TYPE,
        "days_other_out_of_work_benefit": _BY_TYPE,
        "months_out_of_work_benefit": _OUT_OF_WORK,
        "out_of_work_benefits": _OUT_OF_WORK,
        "days_other_benefit": _OUT_OF_WORK,
        "months_further_education": _LEARNING,
        "months_apprenticeship": _LEARNING,
        "months_higher_education": YearColumn("HESA", (("hesa",),)),
        "main_activity": YearColumn("DfE, HESA, DWP, HMRC", (("employment", "benefits", "ilr_aims", "hesa"),)),
        "sector": _PAID,
        "sector_tied": _PAID,
        "sector_group": YearColumn("HMRC", (("earnings",), (LOOKUP + SECTOR_GROUPS,))),
        "sector_vintage": _PAID,
        "area": _RESIDENCE,
        "region_of_residence": _RESIDENCE,
        "country": _RESIDENCE,
        "moved": _RESIDENCE,
        "furloughed": _FURLOUGH,
        "furlough_weeks": _FURLOUGH,
    }
)
# Columns in which self-employment counts where the definitions include it.
OF_SELF_EMPLOYED = ("in_paid_work", "sustained_employment")


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
        By table, the records that could not be used; under ``annualised_earnings`` the rows without it.
    """

    row_offsets: IntArray
    columns: Mapping[str, Encoded]
    absent: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, LeftOut]

    def __repr__(self) -> str:
        return f"<Years: {len(self.columns)} columns of {self.row_offsets[-1]:,} rows>"


def derive_years(block: Block, definitions: Definitions, degree_year: pa.Array | None = None) -> Years:
    """Derive every column of the years of a block's persons that its tables allow.

    Parameters
    ----------
    block : Block
        The tables, as views over the records of the block's persons, in any order.
    definitions : Definitions
        What counts as employment, as activity, as a year's pay.
    degree_year : pyarrow.Array of length n_person, optional
        The trait: calendar year of the first degree, null without one.

    Returns
    -------
    Years
        On the full grid: a row for every person and tax year from the first after key stage 4 to the last of the
        definitions. A table that is absent counts as an empty one for the columns that others still serve; what those
        that are there do not observe is missing.

    Raises
    ------
    ExtractError
        If a table cannot be read; with the table's name only.
    """
    grid = Grid(block.cohort, definitions.last_tax_year)
    sources, left_out = _read(block, grid, definitions)
    columns, left_out["annualised_earnings"] = columns_of(sources, grid, definitions, degree_year)
    absent = {name: absent_tables(column, block) for name, column in COLUMNS.items()}
    coverage = {table: last for table, last in block.coverage.items() if table in block.tables}
    there = {name: columns[name] for name in COLUMNS if not absent[name]}
    shown = observed(there, grid, definitions, coverage, block.linked)
    told = {*block.tables, *shown}
    return Years(
        grid.row_offsets,
        MappingProxyType(shown),
        MappingProxyType({name: lacking for name, lacking in absent.items() if lacking}),
        MappingProxyType({name: counts for name, counts in left_out.items() if name in told}),
    )


def absent_tables(column: YearColumn, block: Block) -> tuple[str, ...]:
    """Return the tables, columns and lookups for want of which a column cannot be derived; empty where it can."""
    present = {*block.tables, *(LOOKUP + name for name in block.lookups)}
    present |= {f"{table}.{name}" for table, names in block.tables.items() for name in names}
    unmet = [needed for needed in column.tables if present.isdisjoint(needed)]
    # A column of a table that is absent goes without saying.
    return tuple(name for needed in unmet for name in needed if name.split(".")[0] in block.tables or "." not in name)


# ---- what the tables observe ----------------------------------------------------------------------------------------


def observed(
    columns: Mapping[str, Encoded],
    grid: Grid,
    definitions: Definitions,
    coverage: Mapping[str, int],
    linked: BoolArray | None,
) -> dict[str, Encoded]:
    """Return the columns, missing in rows that the tables behind them do not observe.

    Parameters
    ----------
    columns : mapping of str -> Encoded
    grid : Grid
    definitions : Definitions
    coverage : mapping of str -> int
        The last year of every table that is there and bounds what it observes.
    linked : bool[n_person] or None
        Who is linked to tax and benefit records; None where nobody knows.
    """
    unlinked = None if linked is None else grid.along(~linked)
    out = {}
    for name, values in columns.items():
        column = COLUMNS[name]
        tables = set() if column.of_person else {table for needed in column.tables for table in needed}
        if name in OF_SELF_EMPLOYED and definitions.self_employment == "include":
            tables.add("self_assessment")
        missing = _unobserved(coverage, grid, tables)
        if name == "main_activity":
            # An earlier rule, of key stage 5 too, may hold where nobody sees it.
            young = _unobserved(coverage, grid, {"ks5"})
            missing = _either(missing, None if young is None else young & (grid.years_since_ks4 <= YOUNG_YEARS))
        if column.owner in OF_TAX_RECORDS:
            missing = _either(missing, unlinked)
        out[name] = values if missing is None else without(values, missing)
    return out


def _unobserved(coverage: Mapping[str, int], grid: Grid, tables: Iterable[str]) -> BoolArray | None:
    """Rows of tax years after the last year of one of the tables; None where there can be none."""
    last = min((coverage[table] for table in tables if table in coverage), default=grid.last_year)
    return None if last >= grid.last_year else grid.tax_year > last


def _either(one: BoolArray | None, other: BoolArray | None) -> BoolArray | None:
    if one is None or other is None:
        return other if one is None else one
    both: BoolArray = one | other
    return both


# ---- columns --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sources:
    """What the tables say of persons and tax years, by row of the grid, before any rule of the columns.

    Attributes
    ----------
    employment : Employment
    pay : Pay
    benefits : Benefits
    learning : Learning
    schooling : Schooling
    self_assessed, residences, furloughs : dict of str -> Encoded
        Columns as they stand in the tables.
    """

    employment: Employment
    pay: Pay
    benefits: Benefits
    learning: Learning
    schooling: Schooling
    self_assessed: dict[str, Encoded]
    residences: dict[str, Encoded]
    furloughs: dict[str, Encoded]


def _read(block: Block, grid: Grid, definitions: Definitions) -> tuple[Sources, dict[str, LeftOut]]:
    """Read every source, absent tables as empty ones, and count the records left out by table."""
    left_out: dict[str, LeftOut] = {}
    employment, left_out["employment"] = read_employment(block, grid, definitions)
    pay, left_out["earnings"] = read_pay(block, grid, definitions)
    self_assessed, left_out["self_assessment"] = self_employment_columns(block, grid)
    benefits, left_out["benefits"] = read_benefits(block, grid, definitions)
    learning, by_table = read_learning(block, grid)
    residences, left_out["geography"] = residence_columns(block, grid, definitions)
    furloughs, left_out["cjrs"] = furlough_columns(block, grid)
    schooling = read_schooling(block, grid)
    sources = Sources(employment, pay, benefits, learning, schooling, self_assessed, residences, furloughs)
    return sources, {**left_out, **by_table}


def columns_of(
    sources: Sources, grid: Grid, definitions: Definitions, degree_year: pa.Array | None
) -> tuple[dict[str, Encoded], LeftOut]:
    """Return every column by name, and the rows without annualised earnings; see `derive_years`."""
    employment, pay, self_assessed = sources.employment, sources.pay, sources.self_assessed
    earnings, not_annualised = earnings_columns(pay, employment, grid, definitions)
    self_employed = self_assessed["self_employed"].values == TRUE
    activity = main_activity(
        grid,
        definitions,
        schooling=sources.schooling,
        learning=sources.learning,
        benefits=sources.benefits,
        employed_all_year=employment.work.all_year,
        working=(employment.work.covered.days > 0) | (pay.earnings > 0) | self_employed,
    )
    columns = {
        "tax_year": number(grid.tax_year),
        "years_since_ks4": number(grid.years_since_ks4),
        "years_since_graduation": _years_since(degree_year, grid),
        "main_activity": activity,
        **employment_columns(employment, pay.earnings, self_employed, definitions),
        **earnings,
        **total_columns(pay.earnings, self_assessed["self_employment_earnings"], grid, definitions),
        **self_assessed,
        **benefit_columns(sources.benefits, definitions),
        **learning_columns(sources.learning),
        **sector_columns(pay, grid),
        **sources.residences,
        **sources.furloughs,
    }
    return columns, not_annualised


def _years_since(year: pa.Array | None, grid: Grid) -> Encoded:
    """Return the tax years since a year of each person; missing without one."""
    if year is None:
        return Encoded(np.full(grid.n_row, np.nan), "number")
    told = np.asarray(year.to_numpy(zero_copy_only=False), dtype=np.float64)
    return Encoded(grid.tax_year - grid.along(told), "number")
