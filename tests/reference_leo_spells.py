"""Person-years a second time: the grid of persons by tax years, and spells as days marked one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from reference_leo import days_since_1970

# Every day that a spell can cover.
DAY_ZERO, DAY_END = days_since_1970(1960, 1, 1), days_since_1970(2060, 1, 1)
LONG = 181


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

    @property
    def last_day(self) -> int:
        """The last day of the extract."""
        return days_since_1970(self.extract_end + 1, 4, 5)

    def month_starts(self, day: int = 6) -> np.ndarray:
        """Return the first day of every month from April to March, and the first day after the last."""
        months = [(year, month) for year in self.years for month in range(4, 16)]
        starts = [days_since_1970(year + (month > 12), (month - 1) % 12 + 1, day) for year, month in months]
        return np.array([*starts, days_since_1970(self.years[-1] + 1, 4, day)]) - DAY_ZERO

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
    calendar : bool array (n_persons, n_years, 12)
        Calendar months, from April, with a day.
    at_end : bool array (n_persons, 1)
        The last day of the extract is covered.
    left_out : Counter of reason
    """

    days: np.ndarray
    long: np.ndarray
    calendar: np.ndarray
    at_end: np.ndarray
    left_out: Counter[str]

    @property
    def months(self) -> np.ndarray:
        return self.days > 0


def cover(grid: Grid, person: pd.Series, start: pd.Series, end: pd.Series) -> Covered:
    """Mark the days of spells, one person after the other; a missing last day is that of the extract."""
    spells = pd.DataFrame({"person": person, "start": start, "end": end.fillna(grid.last_day)})
    left_out = Counter(no_first_day=int(start.isna().sum()))
    spells = spells.dropna(subset="start")
    left_out["reversed"] = int((spells["start"] > spells["end"]).sum())
    days = np.zeros((*grid.shape, 12), dtype=int)
    long, calendar = np.zeros(grid.shape, dtype=bool), np.zeros((*grid.shape, 12), dtype=bool)
    at_end = np.zeros((len(grid.persons), 1), dtype=bool)
    bounds, of_calendar = grid.month_starts(), grid.month_starts(1)
    for one, own in spells.groupby("person"):
        covered = np.zeros(DAY_END - DAY_ZERO, dtype=np.int8)
        for first, last in zip(own["start"], own["end"], strict=True):
            if first <= last:
                covered[max(first - DAY_ZERO, 0) : last - DAY_ZERO + 1] = 1
        at = grid.persons.get_loc(one)
        days[at], calendar[at] = _by_month(covered, bounds), _by_month(covered, of_calendar) > 0
        at_end[at] = covered[grid.last_day - DAY_ZERO]
        changes = np.flatnonzero(np.diff(covered, prepend=0, append=0))
        for begin, after in zip(changes[::2], changes[1::2], strict=True):
            if after - begin < LONG:
                covered[begin:after] = 0
        long[at] = _by_month(covered, bounds).any(axis=-1)
    return Covered(days, long, calendar, at_end, left_out)


def _by_month(covered: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return np.add.reduceat(covered[: bounds[-1]].astype(int), bounds[:-1]).reshape(-1, 12)
