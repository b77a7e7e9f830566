"""Person-years a second time, in plain pandas: employment, pay, residence, what is not observed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from reference_leo import Population, mapped, true
from reference_leo_activity import benefit_columns, benefits, learning, main_activity
from reference_leo_spells import Covered, Grid, cover

EPOCH = pd.Timestamp(1970, 1, 1).toordinal()
OCTOBER, MARCH = 6, 11  # calendar months from April
# Column of the year, or of the first day of spells, by table.
YEAR_OF = {
    "employment": "StartDate",
    "earnings": "TaxYear",
    "self_assessment": "TaxYear",
    "benefits": "StartDate",
    "cjrs": "TAXYEAR",
    "geography": "TaxYear",
    "ks5": "KS5_ACADYR",
    "ilr_aims": "Year",
    "hesa": "HE_ACADYR",
}
# Columns by the tables that bound them.
OF_EMPLOYMENT = (
    "days_employed",
    "months_employed",
    "in_paid_work",
    "employed_all_year",
    "sustained_employment",
    "continuous_employment",
)
BOUNDED = {
    ("employment",): OF_EMPLOYMENT,
    ("employment", "earnings"): ("annualised_earnings", "real_earnings", "log_earnings"),
    ("earnings",): ("earnings", "employer", "n_enterprises", "sector", "sector_tied", "sector_group", "sector_vintage"),
    ("earnings", "self_assessment"): ("total_earnings", "real_total_earnings"),
    ("self_assessment",): ("self_employed", "self_employment_earnings"),
    ("benefits",): (
        "days_unemployment_benefit",
        "days_incapacity_benefit",
        "days_other_out_of_work_benefit",
        "months_out_of_work_benefit",
        "out_of_work_benefits",
        "days_other_benefit",
    ),
    ("geography",): ("area", "region_of_residence", "country", "moved"),
    ("cjrs",): ("furloughed", "furlough_weeks"),
}
OF_EDUCATION = {
    ("hesa",): ("months_higher_education",),
    ("ilr_aims",): ("months_further_education", "months_apprenticeship"),
    ("employment", "benefits", "ilr_aims", "hesa"): ("main_activity",),
}


def coverage(tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return the last year that each table observes, in the whole extract."""
    last = {}
    for name, column in YEAR_OF.items():
        values = tables[name][column]
        last[name] = int((_tax_year(values) if column == "StartDate" else values).max())
    return {name: min(year, last["earnings"]) for name, year in last.items()}


def _tax_year(days: pd.Series) -> pd.Series:
    """Return the tax year that each day is in."""
    dates = pd.to_datetime("1970-01-01") + pd.to_timedelta(days.astype("Float64").astype(float), unit="D")
    return (dates.dt.year - ((dates.dt.month * 100 + dates.dt.day) < 406)).astype("Int64")


# ---- the frame of person-years --------------------------------------------------------------------------------------


def person_years(
    population: Population,
    definitions: Any,
    lookups: Mapping[str, Mapping[str, str]],
    last_years: Mapping[str, int],
    degree_year: pd.Series,
) -> tuple[pd.DataFrame, dict[str, Counter[str]]]:
    """Return one row a person and tax year, sorted, with the columns of the contract; and what was left out."""
    persons = population.persons.index
    cohort = population.persons["cohort"].to_numpy(dtype=int)[:, None]
    # One year more than the panel has: sustained employment looks ahead to April.
    years = list(range(min(definitions.cohorts) + 1, definitions.last_tax_year + 2))
    grid = Grid(persons, years, cohort, population.last_tax_year)
    kept, excluded, uncertain = _employment(grid, population.rows["employment"])
    by_group = benefits(grid, population.rows["benefits"], definitions)
    learnt, of_learning = learning(grid, population.rows)
    columns: dict[str, np.ndarray] = {"years_since_ks4": grid.year - cohort}
    columns["years_since_graduation"] = grid.year - degree_year.astype(float).to_numpy()[:, None]
    columns |= _pay(grid, population.rows["earnings"], lookups.get("sectors"), definitions)
    columns |= _self_employment(grid, population.rows["self_assessment"])
    columns |= _work_columns(grid, columns, kept, excluded, definitions)
    rated, not_rated = _rated(grid, columns["earnings"], kept, excluded, definitions)
    columns |= rated | _total(grid, columns, definitions)
    columns |= benefit_columns(by_group, definitions)
    columns |= {f"months_{name}": covered.months.sum(axis=-1) for name, covered in learnt.items()}
    seen = excluded if definitions.uncertain_dates == "exclude" else kept
    columns["main_activity"] = main_activity(grid, population, columns, seen, by_group, learnt, definitions)
    columns |= _residence(grid, population.rows["geography"], lookups.get("travel_to_work"), definitions)
    columns |= _furlough(grid, population.rows["cjrs"])
    columns |= _unobserved(grid, columns, population, last_years, definitions)
    whole = pd.DataFrame({name: np.broadcast_to(values, grid.shape).ravel() for name, values in columns.items()})
    whole.insert(0, "person", np.repeat(persons, len(years)))
    whole.insert(1, "tax_year", np.tile(years, len(persons)))
    in_panel = (grid.year > cohort) & (grid.year <= definitions.last_tax_year)
    repeated = {
        table: Counter(repeated=_n_repeated(grid, population.rows[table], definitions))
        for table in ("earnings", "self_assessment")
    }
    left_out = {
        "employment": kept.left_out + (uncertain if definitions.uncertain_dates == "exclude" else Counter()),
        "benefits": by_group["all"].left_out,
        "annualised_earnings": Counter({why: int((rows & in_panel).sum()) for why, rows in not_rated.items()}),
        **of_learning,
        **repeated,
    }
    return whole[in_panel.ravel()].reset_index(drop=True), left_out


def _unobserved(
    grid: Grid,
    columns: Mapping[str, np.ndarray],
    population: Population,
    last_years: Mapping[str, int],
    definitions: Any,
) -> dict[str, np.ndarray]:
    """Return the columns with None where the tables, or the links of the person, do not reach."""
    linked = grid.persons.isin(population.linked)[:, None]
    found = {}
    for tables, names in (BOUNDED | OF_EDUCATION).items():
        for name in names:
            last = min(last_years[table] for table in tables)
            if definitions.self_employment == "include" and name in ("in_paid_work", "sustained_employment"):
                last = min(last, last_years["self_assessment"])
            there = np.broadcast_to(grid.year <= last, grid.shape)
            if name == "main_activity":
                there = there & ~((columns["years_since_ks4"] <= 2) & (grid.year > last_years["ks5"]))
            if tables in BOUNDED:
                there = there & linked
            found[name] = np.where(there, columns[name].astype(object), None)
    return found


# ---- employment and pay ---------------------------------------------------------------------------------------------


def _employment(grid: Grid, rows: pd.DataFrame) -> tuple[Covered, Covered, Counter[str]]:
    """Return employment with all days, with certain days alone, and the count of spells with uncertain ones."""
    rows = rows.assign(EndDate=rows["EndDate"].fillna(grid.last_day))
    kept = cover(grid, rows["person"], rows["StartDate"], rows["EndDate"])
    rows = rows[rows["StartDate"].notna() & true(rows["StartDate"] <= rows["EndDate"])]
    late, early = true(rows["UncertainStartDate"]), true(rows["UncertainEndDate"])
    # The tax year in which a spell starts, or ends, by default is taken off.
    opens = {year: pd.Timestamp(year, 4, 6).toordinal() - EPOCH for year in range(1900, 2101)}
    start = rows["StartDate"].mask(late, (_tax_year(rows["StartDate"]) + 1).map(opens).astype("Int64"))
    end = rows["EndDate"].mask(early, _tax_year(rows["EndDate"]).map(opens).astype("Int64") - 1)
    some = start <= end
    excluded = cover(grid, rows["person"][some], start[some], end[some])
    return kept, excluded, Counter(uncertain=int((late | early).sum()))


def _unsettled(kept: Covered, excluded: Covered, definitions: Any) -> np.ndarray:
    differ = kept.days.sum(axis=-1) != excluded.days.sum(axis=-1)
    return differ & (definitions.uncertain_dates != "keep")


def _work_columns(
    grid: Grid, columns: Mapping[str, np.ndarray], kept: Covered, excluded: Covered, definitions: Any
) -> dict[str, np.ndarray]:
    """Return the columns of employment by the rule for uncertain dates."""
    both = [_work_columns_of(grid, columns, covered, definitions) for covered in (kept, excluded)]
    if definitions.uncertain_dates != "unknown":
        return both[definitions.uncertain_dates == "exclude"]
    return {name: np.where(values == both[1][name], values, None) for name, values in both[0].items()}


def _work_columns_of(
    grid: Grid, columns: Mapping[str, np.ndarray], covered: Covered, definitions: Any
) -> dict[str, np.ndarray]:
    days, months = covered.days.sum(axis=-1), covered.months.sum(axis=-1)
    alone = (columns["self_employed"] == True) & (definitions.self_employment == "include")  # noqa: E712
    could_become = (grid.year == grid.extract_end) & covered.at_end & ~covered.long
    continuous = np.where(could_become, None, covered.long.astype(object))
    rules = {
        "twelve months": (months == 12).astype(object),
        "five of six": _winter(grid, covered),
        "181 days": continuous,
    }
    found = {
        "days_employed": days,
        "months_employed": months,
        "in_paid_work": (days > 0) | (columns["earnings"] > 0) | alone,
        "employed_all_year": months == 12,
        "sustained_employment": np.where(alone, True, rules[definitions.sustained]),
        "continuous_employment": continuous,
    }
    return {name: values.astype(object) for name, values in found.items()}


def _winter(grid: Grid, covered: Covered) -> np.ndarray:
    next_april = np.zeros(grid.shape, dtype=bool)
    next_april[:, :-1] = covered.calendar[:, 1:, 0]
    winter = covered.calendar[..., OCTOBER : MARCH + 1]
    only_march_lacks = winter[..., :-1].all(axis=-1) & ~winter[..., -1]
    without_april = np.where(grid.year < grid.extract_end, False, None)
    enough = (winter.sum(axis=-1) >= 5).astype(object)
    return np.where(only_march_lacks & ~next_april, np.broadcast_to(without_april, grid.shape), enough)


def _index(grid: Grid, definitions: Any) -> np.ndarray:
    index = np.array([definitions.deflator.get(year, np.nan) for year in grid.years])[None, :]
    return definitions.deflator[definitions.price_year] / index


def _rated(
    grid: Grid, pay: np.ndarray, kept: Covered, excluded: Covered, definitions: Any
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return annualised pay and what follows, and the rows without it by the reason."""
    days = (excluded if definitions.uncertain_dates == "exclude" else kept).days.sum(axis=-1)
    year_days = np.diff(grid.month_starts()).reshape(-1, 12).sum(axis=-1)[None, :]
    known, paid = ~_unsettled(kept, excluded, definitions), pay > 0
    enough = known & paid & (days > 0) & (days >= definitions.minimum_days)
    with np.errstate(divide="ignore", invalid="ignore"):
        annualised = np.where(enough, pay * year_days / days, np.nan)
    undated = known & paid & (days == 0)
    if definitions.pay_without_days == "as paid":
        annualised, undated = np.where(undated, pay, annualised), np.zeros_like(undated)
    above = np.zeros_like(paid)
    if definitions.annualised_cap is not None:
        above = (annualised > definitions.annualised_cap) & (days < year_days)
    annualised = np.where(above, np.nan, annualised)
    real = annualised * _index(grid, definitions)
    columns = {"annualised_earnings": annualised, "real_earnings": real, "log_earnings": np.log(real)}
    reasons = {
        "no_days": undated,
        "no_pay": known & ~paid & (days > 0),
        "few_days": known & paid & (days > 0) & ~enough,
        "capped": above,
        "uncertain": paid & ~known,
    }
    return columns, reasons


def _total(grid: Grid, columns: Mapping[str, np.ndarray], definitions: Any) -> dict[str, np.ndarray]:
    parts = [columns[name].astype(float) for name in ("earnings", "self_employment_earnings")]
    total = np.nansum(parts, axis=0)
    return {"total_earnings": total, "real_total_earnings": total * _index(grid, definitions)}


def _pay(grid: Grid, rows: pd.DataFrame, sectors: Mapping[str, str] | None, definitions: Any) -> dict[str, np.ndarray]:
    names = {
        "pay": ("Main_Section", "Main_SIC2007", "Tied_Main_Section_Flag"),
        "enterprise": (
            "main_enterprise_linked_section",
            "main_enterprise_linked_sic2007",
            "tied_main_record_enterprise_sic_fg",
        ),
    }
    section, industry, tied = names[definitions.sector]
    best = rows[true(rows["Earnings"] > 0)]
    best = best.assign(group=mapped(best[industry], sectors or {}), untied=1 - best[tied].astype("Int64"))
    order = ["Earnings", "via", "main_enterprise", section, "group", "untied"]
    best = best.sort_values(order, ascending=[False, *[True] * 5], na_position="last")
    best = best.drop_duplicates(["person", "TaxYear"])
    sector = grid.table(best, section, "TaxYear")
    most = rows.groupby(["person", "TaxYear"])["Num_Employments"].max().reset_index()
    return {
        "earnings": grid.numbers(*_added(rows, "Earnings")),
        "employer": grid.table(best, "main_enterprise", "TaxYear"),
        "n_enterprises": grid.numbers(most, "Num_Employments", "TaxYear"),
        "sector": sector,
        "sector_tied": grid.table(best, tied, "TaxYear"),
        "sector_group": grid.table(best, "group", "TaxYear"),
        "sector_vintage": np.where(pd.notna(sector), np.where(grid.year <= 2016, 2019, 2020), None),
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
    any_row = pd.notna(grid.table(rows.drop_duplicates(["person", "TAXYEAR"]), "person", "TAXYEAR"))
    weeks = np.where(any_row, grid.numbers(longest, "CJRS_TOT_WKS", "TAXYEAR"), 0.0)
    return {
        "furloughed": np.where(told, furloughed.astype(object), None),
        "furlough_weeks": np.where(told, weeks, np.nan),
    }
