"""Columns of the years of simulated persons: their records on the grid, for the rules that tables are derived by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._typing import AnyArray, BoolArray, FloatArray, IntArray
from leoreturns.extract.simulate import facts
from leoreturns.extract.simulate.records import AIMS, Records, labels
from leoreturns.extract.simulate.rows import MISSING, Rows, array, text
from leoreturns.extract.simulate.world import AREAS_PER_LSOA, sections_of_industries
from leoreturns.extract.tables import table
from leoreturns.extract.tables_leo import BENEFITS
from leoreturns.panel.activity import (
    GROUPS,
    INCAPACITY,
    OTHER_OUT_OF_WORK,
    UNEMPLOYMENT,
    Benefits,
    Learning,
    schooling_of,
)
from leoreturns.panel.calendar import ACADEMIC_YEAR, TAX_YEAR
from leoreturns.panel.coverage import OF_ACADEMIC_YEARS, OF_TAX_YEARS, within
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.derive import Sources
from leoreturns.panel.earnings import SECTORS, Pay, furloughs, pay_of, self_employment
from leoreturns.panel.employment import employment_of
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import CONDITION, Grid, added, chosen, taken
from leoreturns.panel.residence import move
from leoreturns.panel.spells import Spells, unite


def coverage_of(records: Records) -> dict[str, int]:
    """Return the last year that each table observes, as `coverage.observed_years` does."""
    found = {}
    for name in (*OF_TAX_YEARS, *OF_ACADEMIC_YEARS):
        if name in ("ilr_learners", "ilr_aims"):
            years = array(records.tables[AIMS], "year")
        elif (column := table(name).year) is not None:
            years = array(records.tables[name], column)
        else:
            first, _ = table(name).spell or ("", "")
            years = TAX_YEAR.year_of(array(records.tables[name], first))
        if len(years):
            found[name] = int(years.max())
    return within(found)


@dataclass(frozen=True, slots=True)
class Placed:
    """Records of simulated persons on the grid of a panel.

    Attributes
    ----------
    records : Records
    place : int64 array
        Where each simulated person stands in the panel; -1 outside.
    grid : Grid
    """

    records: Records
    place: IntArray
    grid: Grid

    def persons(self, name: str) -> AnyArray:
        """Return the person of each row of a table; -1 for those outside the panel."""
        return self.place[self.records.table(name)[0]].astype(np.int32)

    def by_year(self, name: str, year: str = "TaxYear") -> tuple[IntArray, Rows]:
        """Return the grid's row of each row of a table, and its columns."""
        persons, rows = self.persons(name), self.records.tables[name]
        found = self.grid.rows_of(persons.clip(min=0), array(rows, year))
        found[persons < 0] = -1
        return found, rows

    def spells(self, name: str, starts: AnyArray, ends: AnyArray) -> tuple[Spells, BoolArray]:
        """Return the spells of a table's rows, and which of these they are."""
        persons = self.persons(name)
        kept: BoolArray = persons >= 0
        return Spells(persons, starts.astype(np.int32), ends.astype(np.int32)).where(kept), kept


def sources_of(placed: Placed, definitions: Definitions, last_extract_year: int) -> Sources:
    """Return what records say of persons and tax years; there is no defect to reckon with."""
    rows = placed.records.tables["employment"]
    spells, _ = placed.spells("employment", array(rows, "StartDate"), array(rows, "EndDate"))
    certain = np.zeros(len(spells.persons), np.bool_)
    return Sources(
        employment=employment_of(spells, (certain, certain), placed.grid, definitions, last_extract_year),
        pay=_pay(placed, definitions),
        benefits=_benefits(placed, definitions),
        learning=_learning(placed),
        schooling=schooling_of({"ks5": _at_school(placed, "ks5"), "plams": _at_school(placed, "plams")}, placed.grid),
        self_assessed=_self_assessed(placed),
        residences=_residences(placed, definitions),
        furloughs=_furloughs(placed),
    )


def _pay(placed: Placed, definitions: Definitions) -> Pay:
    found, rows = placed.by_year("earnings")
    section, industry, tied = SECTORS[definitions.sector]
    of_industry = tuple(facts.SECTIONS[at] for at in sections_of_industries())  # the lookup of sectors
    main = {
        "sector": _texts(rows, section),
        "sector_group": Encoded(text(rows, industry).codes, "code", of_industry),
        "employer": _texts(rows, "main_enterprise"),
        "sector_tied": Encoded(array(rows, tied), "code", CONDITION),
    }
    amounts, jobs = (array(rows, name).astype(np.float64) for name in ("Earnings", "Num_Employments"))
    pay, _ = pay_of(found, np.zeros(len(found), np.int32), amounts, jobs, main, placed.grid)
    return pay


def _texts(rows: Rows, name: str) -> Encoded:
    column = text(rows, name)
    return Encoded(column.codes, "code", labels(column))


def _self_assessed(placed: Placed) -> dict[str, Encoded]:
    found, rows = placed.by_year("self_assessment")
    total, partner, sole = (array(rows, name) for name in ("EARNINGS_SELF_EMPLOYMENT", "EARNINGS_PTR", "EARNINGS_SOLE"))
    amounts = np.where(np.isnan(total), np.where(np.isnan(sole), partner, sole), total)
    return self_employment(found, added(found, amounts, placed.grid.n_row), placed.grid)


def _benefits(placed: Placed, definitions: Definitions) -> Benefits:
    rows = placed.records.tables["benefits"]
    spells, kept = placed.spells("benefits", array(rows, "StartDate"), array(rows, "EndDate"))
    listed = (UNEMPLOYMENT, INCAPACITY, OTHER_OUT_OF_WORK)
    groups = []
    for kind in labels(text(rows, "Benefit_type")):
        of_group = next((at for at, kinds in enumerate(listed) if kind in kinds), GROUPS)
        flagged = kind in BENEFITS and BENEFITS[kind][1]
        if definitions.out_of_work == "flag":
            of_group = min(of_group, GROUPS - 1) if flagged else GROUPS
        groups.append(of_group)
    of_spell = np.array(groups)[text(rows, "Benefit_type").codes[kept]]
    *out_of_work, other = (unite(spells.where(of_spell == at), placed.grid) for at in range(GROUPS + 1))
    return Benefits(tuple(out_of_work), other)


def _learning(placed: Placed) -> Learning:
    aims, hesa = placed.records.tables[AIMS], placed.records.tables["hesa"]
    further, kept = placed.spells(AIMS, array(aims, "start"), array(aims, "end"))
    apprentices = further.where(array(aims, "apprentice")[kept])
    year, left = array(hesa, "HE_ACADYR"), array(hesa, "HE_ENDDATE")
    left = np.where(left == MISSING, array(hesa, "HE_DATELEFT"), left)
    closes = ACADEMIC_YEAR.last_day(year)
    starts = np.maximum(array(hesa, "HE_COMDATE"), ACADEMIC_YEAR.first_day(year))
    higher, _ = placed.spells("hesa", starts, np.where(left == MISSING, closes, np.minimum(left, closes)))
    higher = higher.where(higher.starts <= higher.ends)
    return Learning(*(unite(spells, placed.grid).months for spells in (further, apprentices, higher)))


def _at_school(placed: Placed, name: str) -> tuple[AnyArray, AnyArray]:
    """Persons and academic years of a table; the census knows of nobody after key stage 4 who is not in another."""
    persons, year = placed.persons(name), array(placed.records.tables[name], table(name).year or "")
    return persons[persons >= 0], year[persons >= 0]


def _residences(placed: Placed, definitions: Definitions) -> dict[str, Encoded]:
    found, rows = placed.by_year("geography")
    first = chosen(found, placed.grid.n_row)
    columns = {
        "area": areas(placed.records, rows),
        "region_of_residence": _texts(rows, "GORNM"),
        "country": _texts(rows, "CTRYNM"),
    }
    columns = {name: taken(column, first) for name, column in columns.items()}
    return columns | {"moved": move(columns["area"], placed.grid, across_2012=definitions.moves_across_2012)}


def areas(records: Records, rows: Rows) -> Encoded:
    """Return the travel-to-work area of the output areas of rows of the table of residence."""
    output_area = text(rows, "COA_2011").codes
    codes = np.append(records.world.lsoa_ttwa, -1)[np.where(output_area < 0, -1, output_area // AREAS_PER_LSOA)]
    return Encoded(codes, "code", tuple(records.world.ttwa_codes.to_pylist()))


def _furloughs(placed: Placed) -> dict[str, Encoded]:
    found, rows = placed.by_year("cjrs", "TAXYEAR")
    weeks: FloatArray = array(rows, "CJRS_TOT_WKS")
    return furloughs(found, weeks, placed.grid)
