"""Person-years a second time, in plain pandas: benefits, learning, schools, and the one main activity of a year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from reference_leo import Population, coalesced, days_since_1970, is_apprenticeship, run_of, true
from reference_leo_spells import Covered, Grid, cover

UNEMPLOYMENT = ("JSA", "JTA", "UAA")
INCAPACITY = ("ESA", "IB", "PIB", "SDA")
OUT_OF_WORK = (*UNEMPLOYMENT, *INCAPACITY, "AA", "ICA", "IS", "PC", "RP", "UBC", "UCE", "UDF")
NO_DAY = days_since_1970(1900, 1, 1)


def benefits(grid: Grid, rows: pd.DataFrame, definitions: Any) -> dict[str, Covered]:
    """Return what spells on benefits cover: by group, all out-of-work ones, and all."""
    kind, flag = rows["Benefit_type"], rows["Out_of_work_benefit"]
    on_the_list = kind.isin(OUT_OF_WORK).astype("boolean").where(kind.notna())
    told = flag.fillna(on_the_list) if definitions.out_of_work == "flag" else on_the_list.fillna(flag)
    out_of_work = true(told)
    jobless, ill = out_of_work & kind.isin(UNEMPLOYMENT), out_of_work & kind.isin(INCAPACITY)
    chosen = {
        "unemployment": jobless,
        "incapacity": ill,
        "other_out_of_work": out_of_work & ~jobless & ~ill,
        "other": ~out_of_work,
        "out_of_work": out_of_work,
        "all": out_of_work | ~out_of_work,
    }
    return {
        name: cover(grid, rows["person"][rule], rows["StartDate"][rule], rows["EndDate"][rule])
        for name, rule in chosen.items()
    }


def benefit_columns(benefits: Mapping[str, Covered], definitions: Any) -> dict[str, np.ndarray]:
    groups = ("unemployment", "incapacity", "other_out_of_work", "other")
    any_of_them = benefits["out_of_work"].months
    return {f"days_{name}_benefit": benefits[name].days.sum(axis=-1) for name in groups} | {
        "months_out_of_work_benefit": any_of_them.sum(axis=-1),
        "out_of_work_benefits": run_of(any_of_them, definitions.months_in_row),
    }


def learning(grid: Grid, rows: Mapping[str, pd.DataFrame]) -> tuple[dict[str, Covered], dict[str, Counter[str]]]:
    """Return what learning covers by the place of study, and the rows left out."""
    aims, aims_left_out = _aims(rows["ilr_aims"])
    apprentices = aims[is_apprenticeship(aims)]
    students, courses_left_out = _students(rows["hesa"])
    found = {
        "further_education": cover(grid, aims["person"], aims["start"], aims["end"]),
        "apprenticeship": cover(grid, apprentices["person"], apprentices["start"], apprentices["end"]),
        "higher_education": cover(grid, students["person"], students["start"], students["end"]),
    }
    left_out = {
        "ilr_aims": aims_left_out + found["further_education"].left_out,
        "hesa": courses_left_out + found["higher_education"].left_out,
    }
    return found, left_out


def _aims(aims: pd.DataFrame) -> tuple[pd.DataFrame, Counter[str]]:
    dates = {
        name: aims[name].mask(true(aims[name] == NO_DAY)) for name in ("start_date", "end_date", "end_date_expected")
    }
    open_ended = dates["end_date"].isna()
    withdrawn = open_ended & true(aims["Compstatus"] == "3")
    no_year = open_ended & ~withdrawn & aims["Year"].isna()
    july = _days(aims["Year"], 1, 7, 31)
    planned = dates["end_date_expected"]
    sooner = planned.where(true(planned < july), july)
    goes_on = true(aims["Compstatus"] == "1") | true(aims["active"])
    end = dates["end_date"].where(~open_ended, sooner.mask(goes_on, july))
    usable = aims.assign(start=dates["start_date"], end=end)[~withdrawn & ~no_year]
    return usable, Counter(withdrawn=int(withdrawn.sum()), no_year=int(no_year.sum()))


def _students(hesa: pd.DataFrame) -> tuple[pd.DataFrame, Counter[str]]:
    level, mode = hesa["HE_XLEV601"].str.lower(), hesa["HE_XMODE01"].str.lower()
    elsewhere = true(level == "6") | true(level.str.contains("further education"))
    elsewhere |= true(mode == "6") | true(mode.str.contains("dormant"))
    hesa = hesa[~elsewhere]
    no_year = hesa["HE_ACADYR"].isna()
    hesa = hesa[~no_year]
    august, july = _days(hesa["HE_ACADYR"], 0, 8, 1), _days(hesa["HE_ACADYR"], 1, 7, 31)
    first, last = hesa["HE_COMDATE"].fillna(august), coalesced(hesa, "HE_ENDDATE", "HE_DATELEFT").fillna(july)
    found = hesa.assign(start=first.where(first > august, august), end=last.where(last < july, july))
    return found, Counter(no_year=int(no_year.sum()))


def _days(year: pd.Series, later: int, month: int, day: int) -> pd.Series:
    """Return a day of the academic years, missing where the year is."""
    days = [None if pd.isna(start) else days_since_1970(int(start) + later, month, day) for start in year]
    return pd.Series(days, year.index, dtype="Int64")


def main_activity(
    grid: Grid,
    population: Population,
    columns: Mapping[str, np.ndarray],
    kept: Covered,
    benefits: Mapping[str, Covered],
    learning: Mapping[str, Covered],
    definitions: Any,
) -> np.ndarray:
    n, row = columns["years_since_ks4"], definitions.months_in_row
    census = population.rows["school_census"]
    ks5 = _in_years(grid, population.rows["ks5"], "KS5_ACADYR")
    plams = _in_years(grid, population.rows["plams"], "pl_ACADYR")
    roll = _in_years(grid, census[census["OnRoll"].fillna(True).astype(bool)], "AcademicYear")
    at_school = np.any([*ks5, *plams, *roll], axis=0)
    college = run_of(learning["further_education"].months, row)
    spells = [kept, benefits["all"], *learning.values()]
    anything = np.any([covered.months.any(axis=-1) for covered in spells], axis=0)
    anything |= (columns["earnings"] > 0) | (columns["self_employed"] == True)  # noqa: E712
    rules = {
        "key stage 5": (((n == 1) | (n == 2)) & ks5[0]) | ((n == 1) & ks5[1]),
        "higher education": run_of(learning["higher_education"].months, row),
        "other education": ((n == 1) | (n == 2)) & college,
        "adult further education": (n >= 3) & college,
        "out-of-work benefits": columns["out_of_work_benefits"],
        "employment": kept.months.all(axis=-1),
        "no sustained activity": anything | at_school,
    }
    found = np.full(grid.shape, "activity not captured", dtype=object)
    for label, holds in reversed(rules.items()):
        found[holds] = label
    return found


def _in_years(grid: Grid, rows: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return who has a row of the academic year that starts in the tax year, and of the one before."""
    here, before = np.zeros(grid.shape, dtype=bool), np.zeros(grid.shape, dtype=bool)
    for person, year in rows[["person", column]].dropna().drop_duplicates().itertuples(index=False):
        at = grid.persons.get_loc(person)
        here[at] |= np.array(grid.years) == year
        before[at] |= np.array(grid.years) == year + 1
    return here, before
