"""Person-years a second time, in plain pandas; spells are days marked one by one. See reference_leo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from reference_leo import (
    Population,
    coalesced,
    days_since_1970,
    is_apprenticeship,
    level_of,
    mapped,
    run_of,
    true,
)

UNEMPLOYMENT = ("JSA", "JTA", "UAA")
INCAPACITY = ("ESA", "IB", "PIB", "SDA")
OTHER_OUT_OF_WORK = ("AA", "ICA", "IS", "PC", "RP", "UBC", "UCE", "UDF")
# Every day that a spell can cover.
DAY_ZERO, DAY_END = days_since_1970(1960, 1, 1), days_since_1970(2060, 1, 1)
LONG = 181
OCTOBER, MARCH = 6, 11  # tax months, from 6 April


@dataclass(frozen=True)
class Grid:
    """Persons by tax years: all tax years of any cohort; each person's own are picked at the end.

    Attributes
    ----------
    persons : Index of AE_ID
    years : list of int
    cohort : array (n_persons, 1)
    extract_end : int
        Last tax year of the extract.
    """

    persons: pd.Index
    years: list[int]
    cohort: np.ndarray
    extract_end: int

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.persons), len(self.years)

    @property
    def year(self) -> np.ndarray:
        """Tax years as an array (1, n_years)."""
        return np.array(self.years)[None, :]

    def month_starts(self) -> np.ndarray:
        """Return the first day of every tax month, and the first day after the last."""
        months = [(year, month) for year in self.years for month in range(4, 16)]
        starts = [days_since_1970(year + (month > 12), (month - 1) % 12 + 1, 6) for year, month in months]
        return np.array([*starts, days_since_1970(self.years[-1] + 1, 4, 6)]) - DAY_ZERO

    def table(self, rows: pd.DataFrame, values: pd.Series | str, year: str) -> np.ndarray:
        """Return an object array (n_persons, n_years) of the values of rows, one a person and year; None elsewhere."""
        found = np.full(self.shape, None, dtype=object)
        column = rows[values] if isinstance(values, str) else values
        at = self.persons.get_indexer(rows["person"])
        for person, tax_year, value in zip(at, rows[year], column, strict=True):
            if tax_year in self.years and pd.notna(value):
                found[person, self.years.index(tax_year)] = value
        return found

    def numbers(self, rows: pd.DataFrame, values: pd.Series | str, year: str) -> np.ndarray:
        return self.table(rows, values, year).astype(float)


@dataclass(frozen=True)
class Covered:
    """Days covered by spells.

    Attributes
    ----------
    days : int array (n_persons, n_years, 12)
        Days by tax month.
    long : bool array (n_persons, n_years)
        A run of 181 days, wherever it begins and ends, has a day in the year.
    left_out : Counter of reason
    """

    days: np.ndarray
    long: np.ndarray
    left_out: Counter[str]

    @property
    def months(self) -> np.ndarray:
        return self.days > 0


def cover(grid: Grid, person: pd.Series, start: pd.Series, end: pd.Series) -> Covered:
    """Mark the days of spells, one person after the other; a missing last day is that of the extract."""
    last_day = days_since_1970(grid.extract_end + 1, 4, 5)
    spells = pd.DataFrame({"person": person, "start": start, "end": end.fillna(last_day)})
    left_out = Counter(no_first_day=int(start.isna().sum()))
    spells = spells.dropna(subset="start")
    left_out["reversed"] = int((spells["start"] > spells["end"]).sum())
    days = np.zeros((*grid.shape, 12), dtype=int)
    long = np.zeros(grid.shape, dtype=bool)
    bounds = grid.month_starts()
    for one, own in spells.groupby("person"):
        covered = np.zeros(DAY_END - DAY_ZERO, dtype=np.int8)
        for first, last in zip(own["start"], own["end"], strict=True):
            if first <= last:
                covered[first - DAY_ZERO : last - DAY_ZERO + 1] = 1
        at = grid.persons.get_loc(one)
        days[at] = _by_month(covered, bounds)
        changes = np.flatnonzero(np.diff(covered, prepend=0, append=0))
        for begin, after in zip(changes[::2], changes[1::2], strict=True):
            if after - begin < LONG:
                covered[begin:after] = 0
        long[at] = _by_month(covered, bounds).any(axis=-1)
    return Covered(days, long, left_out)


def _by_month(covered: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return np.add.reduceat(covered[: bounds[-1]].astype(int), bounds[:-1]).reshape(-1, 12)


# ---- the frame of person-years --------------------------------------------------------------------------------------


def person_years(
    population: Population, definitions: Any, lookups: Mapping[str, Mapping[str, str]]
) -> tuple[pd.DataFrame, dict[str, Counter[str]]]:
    """Return one row a person and tax year, sorted, with the columns of the contract; and the spells left out."""
    persons = population.persons.index
    cohort = population.persons["cohort"].to_numpy(dtype=int)[:, None]
    # One year more than the panel has: sustained employment looks ahead to April.
    years = list(range(min(definitions.cohorts) + 1, definitions.last_tax_year + 2))
    grid = Grid(persons, years, cohort, population.last_tax_year)
    kept, work = _employment(grid, population.rows["employment"], definitions)
    benefits = _benefits(grid, population.rows["benefits"])
    learning = _learning(grid, population.rows)
    columns: dict[str, np.ndarray] = {"years_since_ks4": grid.year - cohort}
    columns |= _pay(grid, population.rows["earnings"], work, definitions)
    columns |= _self_employment(grid, population.rows["self_assessment"])
    columns |= _benefit_columns(benefits, definitions)
    columns |= {f"months_{name}": covered.months.sum(axis=-1) for name, covered in learning.items()}
    columns["main_activity"] = _main_activity(grid, population, columns, kept, benefits, learning, definitions)
    columns |= _residence(grid, population.rows["geography"], lookups.get("areas"), definitions)
    columns |= _furlough(grid, population.rows["cjrs"])
    whole = pd.DataFrame({name: np.broadcast_to(values, grid.shape).ravel() for name, values in columns.items()})
    whole.insert(0, "person", np.repeat(persons, len(years)))
    whole.insert(1, "tax_year", np.tile(years, len(persons)))
    repeated = {
        table: Counter(repeated=_n_repeated(grid, population.rows[table], definitions))
        for table in ("earnings", "self_assessment")
    }
    left_out = {"employment": kept.left_out, "benefits": benefits["all"].left_out, **repeated}
    rows = (whole["years_since_ks4"] >= 1) & (whole["tax_year"] <= definitions.last_tax_year)
    return whole[rows].reset_index(drop=True), left_out


# ---- employment and pay ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """Employment by the rule for uncertain dates: days, long spells, and the rows that are not known."""

    covered: Covered
    unknown: np.ndarray

    def masked(self, values: np.ndarray) -> np.ndarray:
        """Return values with None where they are not known."""
        found = values.astype(object)
        found[self.unknown] = None
        return found


def _employment(grid: Grid, rows: pd.DataFrame, definitions: Any) -> tuple[Covered, Work]:
    """Return employment as main activity sees it (unknown dates as they are), and by the rule."""
    kept = cover(grid, rows["person"], rows["StartDate"], rows["EndDate"])
    certain = rows[~true(rows["UncertainStartDate"]) & ~true(rows["UncertainEndDate"])]
    excluded = cover(grid, certain["person"], certain["StartDate"], certain["EndDate"])
    nothing = np.zeros(grid.shape, dtype=bool)
    if definitions.uncertain_dates == "exclude":
        # A spell is left out for one reason: that it is uncertain is the last.
        uncertain = len(rows) - len(certain) - kept.left_out.total() + excluded.left_out.total()
        excluded = Covered(excluded.days, excluded.long, kept.left_out + Counter(uncertain=uncertain))
        return excluded, Work(excluded, nothing)
    if definitions.uncertain_dates == "unknown":
        return kept, Work(kept, kept.days.sum(axis=-1) != excluded.days.sum(axis=-1))
    return kept, Work(kept, nothing)


def _sustained(grid: Grid, covered: Covered, rule: str) -> np.ndarray:
    months = covered.months
    if rule == "twelve months":
        return months.all(axis=-1)
    if rule == "181 days":
        return covered.long
    next_april = np.zeros(months.shape[:2], dtype=bool)
    next_april[:, :-1] = months[:, 1:, 0]
    next_april &= grid.year < grid.extract_end
    winter = months[..., OCTOBER : MARCH + 1]
    only_march_lacks = winter[..., :-1].all(axis=-1) & ~winter[..., -1]
    return np.where(only_march_lacks, next_april, winter.sum(axis=-1) >= 5)


def _pay(grid: Grid, rows: pd.DataFrame, work: Work, definitions: Any) -> dict[str, np.ndarray]:
    covered = work.covered
    days, months = covered.days.sum(axis=-1), covered.months.sum(axis=-1)
    pay = grid.numbers(*_added(rows, "Earnings"))
    year_days = np.diff(grid.month_starts()).reshape(-1, 12).sum(axis=-1)[None, :]
    paid = pay > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        annualised = np.where(paid & (days > 0) & (days >= definitions.minimum_days), pay * year_days / days, np.nan)
    if definitions.pay_without_days == "as paid":
        annualised = np.where(paid & (days == 0), pay, annualised)
    if definitions.annualised_cap is not None:
        annualised = np.where(annualised > definitions.annualised_cap, np.nan, annualised)
    index = np.array([definitions.deflator.get(year, np.nan) for year in grid.years])[None, :]
    real = annualised * definitions.deflator[definitions.price_year] / index
    sections = {"pay": "Main_Section", "enterprise": "main_enterprise_linked_section"}
    sector = _sector(grid, rows, sections[definitions.sector])
    vintage = np.where(grid.year <= 2016, 2019, 2020)
    return {
        "days_employed": work.masked(days),
        "months_employed": work.masked(months),
        "in_paid_work": work.masked((days > 0) | paid),
        "employed_all_year": work.masked(months == 12),
        "sustained_employment": work.masked(_sustained(grid, covered, definitions.sustained)),
        "continuous_employment": work.masked(covered.long),
        "earnings": pay,
        "annualised_earnings": work.masked(annualised),
        "real_earnings": work.masked(real),
        "log_earnings": work.masked(np.log(real)),
        "sector": sector,
        "sector_vintage": np.where(pd.notna(sector), vintage, None),
    }


def _added(rows: pd.DataFrame, column: str) -> tuple[pd.DataFrame, str, str]:
    """Return sums over the ids of a person in a year, each by its highest record; missing where no amount is there."""
    records = rows.groupby(["person", "via", "TaxYear"])[column].max().reset_index()
    sums = records.groupby(["person", "TaxYear"])[column].sum(min_count=1).reset_index()
    return sums, column, "TaxYear"


def _n_repeated(grid: Grid, rows: pd.DataFrame, definitions: Any) -> int:
    """Return the records, of the panel's person-years, that are not the first of their id and year."""
    cohort = pd.Series(grid.cohort[:, 0], grid.persons)
    here = true(rows["TaxYear"] > rows["person"].map(cohort)) & true(rows["TaxYear"] <= definitions.last_tax_year)
    return int(rows[here].duplicated(["person", "via", "TaxYear"]).sum())


def _sector(grid: Grid, rows: pd.DataFrame, column: str) -> np.ndarray:
    """Return the section of the id that earned most, among those with earnings."""
    rows = rows[true(rows["Earnings"] > 0)]
    best = rows.sort_values(["Earnings", "via", column], ascending=[False, True, True], na_position="last")
    return grid.table(best.drop_duplicates(["person", "TaxYear"]), column, "TaxYear")


def _self_employment(grid: Grid, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    both = pd.concat([rows["EARNINGS_PTR"], rows["EARNINGS_SOLE"]], axis=1).sum(axis=1, min_count=1)
    rows = rows.assign(total=rows["EARNINGS_SELF_EMPLOYMENT"].where(rows["EARNINGS_SELF_EMPLOYMENT"].notna(), both))
    working = rows[rows["Self_Employed"].fillna(True)].drop_duplicates(["person", "TaxYear"])
    told = np.broadcast_to(grid.year >= 2013, grid.shape)
    self_employed = pd.notna(grid.table(working, "person", "TaxYear"))
    total = grid.numbers(*_added(rows, "total"))
    return {
        "self_employed": np.where(told, self_employed.astype(object), None),
        "self_employment_earnings": np.where(told, total, np.nan),
    }


# ---- benefits, learning, activity -----------------------------------------------------------------------------------


def _benefits(grid: Grid, rows: pd.DataFrame) -> dict[str, Covered]:
    groups = {"unemployment": UNEMPLOYMENT, "incapacity": INCAPACITY, "other_out_of_work": OTHER_OUT_OF_WORK}
    kind = mapped(rows["Benefit_type"], {code: name for name, codes in groups.items() for code in codes})
    chosen = {name: kind == name for name in groups} | {
        "other": kind.isna(),
        "out_of_work": kind.notna(),
        "all": kind.isna() | kind.notna(),
    }
    return {
        name: cover(grid, rows["person"][rule], rows["StartDate"][rule], rows["EndDate"][rule])
        for name, rule in chosen.items()
    }


def _benefit_columns(benefits: Mapping[str, Covered], definitions: Any) -> dict[str, np.ndarray]:
    groups = ("unemployment", "incapacity", "other_out_of_work", "other")
    any_of_them = benefits["out_of_work"].months
    return {f"days_{name}_benefit": benefits[name].days.sum(axis=-1) for name in groups} | {
        "months_out_of_work_benefit": any_of_them.sum(axis=-1),
        "out_of_work_benefits": run_of(any_of_them, definitions.months_in_row),
    }


def _learning(grid: Grid, rows: Mapping[str, pd.DataFrame]) -> dict[str, Covered]:
    aims, hesa = rows["ilr_aims"], rows["hesa"]
    july = aims["Year"].map(lambda year: days_since_1970(year + 1, 7, 31))
    planned = aims["end_date_expected"]
    end = aims["end_date"].fillna(planned.where(planned < july, july))
    apprenticeship, higher = is_apprenticeship(aims), level_of(aims) >= 4
    august = hesa["HE_ACADYR"].map(lambda year: days_since_1970(year, 8, 1))
    july = hesa["HE_ACADYR"].map(lambda year: days_since_1970(year + 1, 7, 31))
    first, last = hesa["HE_COMDATE"].fillna(august), coalesced(hesa, "HE_ENDDATE", "HE_DATELEFT").fillna(july)
    at_university = (hesa["person"], first.where(first > august, august), last.where(last < july, july))
    chosen = {"further_education": ~higher, "apprenticeship": apprenticeship, "higher": higher & ~apprenticeship}
    spells = {name: (aims["person"][rule], aims["start_date"][rule], end[rule]) for name, rule in chosen.items()}
    in_college = spells.pop("higher")
    spells["higher_education"] = tuple(pd.concat(pair) for pair in zip(at_university, in_college, strict=True))
    return {name: cover(grid, *(column.reset_index(drop=True) for column in own)) for name, own in spells.items()}


def _main_activity(
    grid: Grid,
    population: Population,
    columns: Mapping[str, np.ndarray],
    kept: Covered,
    benefits: Mapping[str, Covered],
    learning: Mapping[str, Covered],
    definitions: Any,
) -> np.ndarray:
    n, row = columns["years_since_ks4"], definitions.months_in_row
    early = (n == 1) | (n == 2)
    records = population.rows["ks5"]
    at_ks5 = np.zeros(grid.shape, dtype=bool)
    for person, year in zip(records["person"], records["KS5_ACADYR"], strict=True):
        at_ks5[grid.persons.get_loc(person)] |= np.isin(np.array(grid.years), [year, year + 1])
    college = run_of(learning["further_education"].months | learning["apprenticeship"].months, row)
    spells = [kept, benefits["all"], *learning.values()]
    anything = np.any([covered.months.any(axis=-1) for covered in spells], axis=0)
    anything |= (columns["earnings"] > 0) | (columns["self_employed"] == True)  # noqa: E712
    rules = {
        "key stage 5": early & at_ks5,
        "higher education": run_of(learning["higher_education"].months, row),
        "other education": early & college,
        "adult further education": (n >= 3) & college,
        "out-of-work benefits": columns["out_of_work_benefits"],
        "employment": kept.months.all(axis=-1),
        "no sustained activity": anything,
    }
    found = np.full(grid.shape, "activity not captured", dtype=object)
    for label, holds in reversed(rules.items()):
        found[holds] = label
    return found


# ---- residence and furlough -----------------------------------------------------------------------------------------


def _residence(
    grid: Grid, rows: pd.DataFrame, areas: Mapping[str, str] | None, definitions: Any
) -> dict[str, np.ndarray]:
    rows = rows.assign(
        area=rows["LAUA_anon"] if areas is None else mapped(rows["COA_2011"], areas),
        country=rows["CTRYNM"].mask(rows["CTRYNM"] == "Unknown"),
    )
    order = ["via", "area", "GORNM", "country"]
    rows = rows.sort_values(order, na_position="last").drop_duplicates(["person", "TaxYear"])
    area = grid.table(rows, "area", "TaxYear")
    area[grid.year - grid.cohort < 1] = None  # before the person's first row
    before = np.full(grid.shape, None, dtype=object)
    before[:, 1:] = area[:, :-1]
    known = pd.notna(area) & pd.notna(before)
    if not definitions.moves_across_2012:
        known &= grid.year != 2013
    return {
        "area": area,
        "region_of_residence": grid.table(rows, "GORNM", "TaxYear"),
        "country": grid.table(rows, "country", "TaxYear"),
        "moved": np.where(known, area != before, None),
    }


def _furlough(grid: Grid, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    weeks = rows["CJRS_TOT_WKS"]
    on_it = rows[weeks.isna() | (weeks > 0)].drop_duplicates(["person", "TAXYEAR"])
    told = np.broadcast_to((grid.year == 2019) | (grid.year == 2020), grid.shape)
    furloughed = pd.notna(grid.table(on_it, "person", "TAXYEAR"))
    longest = rows.groupby(["person", "TAXYEAR"])["CJRS_TOT_WKS"].max().reset_index()
    return {
        "furloughed": np.where(told | furloughed, furloughed.astype(object), None),
        "furlough_weeks": grid.numbers(longest, "CJRS_TOT_WKS", "TAXYEAR"),
    }
