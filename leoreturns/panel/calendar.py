"""Tax years and academic years: which one a day falls in.

A year is named by one number. A tax year T, the one it starts in, runs from 6 April T to 5 April T + 1: 2003 is
2003-04. A cohort C, the one its academic year ends in, left key stage 4 in the academic year C - 1 to C: 2002 is
2001/02, and its year n after key stage 4 is the tax year C + n. Days are int32, counted from 1 January 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

MONTHS = 12
EPOCH = 1970
LONGEST_COMMON_DAY = 28  # a day of the month that every month has

DayArray: TypeAlias = NDArray[np.int32]
YearArray: TypeAlias = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Years of twelve months that open on one day of the calendar, each month on that day of the month.

    Parameters
    ----------
    month, day : int
        The day on which a year opens, such as 4 and 6 for 6 April; the day at most 28.
    """

    month: int
    day: int

    def __post_init__(self) -> None:
        if not (1 <= self.month <= MONTHS and 1 <= self.day <= LONGEST_COMMON_DAY):
            raise ValueError("a year opens in a month from 1 to 12, on a day from 1 to 28")

    def first_day(self, years: ArrayLike) -> DayArray:
        """Return the day on which each year opens, int32 in the shape of `years` (int, by the starting year)."""
        return self._opening(MONTHS * _whole(years))

    def last_day(self, years: ArrayLike) -> DayArray:
        """Return the last day of each year, int32 in the shape of `years`."""
        return self.first_day(_whole(years) + 1) - np.int32(1)

    def n_days(self, years: ArrayLike) -> NDArray[np.int16]:
        """Return the number of days of each year, int16 in the shape of `years`: 366 where it holds a 29 February."""
        return (self.first_day(_whole(years) + 1) - self.first_day(years)).astype(np.int16)

    def year_of(self, days: ArrayLike) -> YearArray:
        """Return the year, by its start, that each day falls in: int16 in the shape of `days` (int)."""
        return (self._months_before(days) // MONTHS).astype(np.int16)

    def month_of(self, days: ArrayLike) -> NDArray[np.int8]:
        """Return the month of its year that each day falls in, from 0 to 11: int8 in the shape of `days` (int)."""
        return (self._months_before(days) % MONTHS).astype(np.int8)

    def month_starts(self, first: int, last: int) -> DayArray:
        """Return the days on which the months of the years from `first` to `last` open, and the day after the last.

        Returns
        -------
        int32 of shape (12 * (last - first + 1) + 1,)
            As `leoreturns._core.spells.unite` takes its calendar, with `first` as its base year.
        """
        if last < first:
            raise ValueError("the last year lies before the first")
        return self._opening(np.arange(MONTHS * first, MONTHS * (last + 1) + 1))

    def _opening(self, months: NDArray[np.int64]) -> DayArray:
        """First day of months counted from the opening month of the year 0."""
        dates = (months + (self.month - 1 - MONTHS * EPOCH)).astype("datetime64[M]").astype("datetime64[D]")
        return (dates.astype(np.int64) + (self.day - 1)).astype(np.int32)

    def _months_before(self, days: ArrayLike) -> NDArray[np.int64]:
        """Months from the opening month of the year 0 to that of each day."""
        # Moved back by the days before its opening, a month of ours is a month of the common calendar.
        dates = (_whole(days) - (self.day - 1)).astype("datetime64[D]").astype("datetime64[M]")
        return dates.astype(np.int64) - (self.month - 1 - MONTHS * EPOCH)


TAX_YEAR = Calendar(4, 6)
SCHOOL_YEAR = Calendar(9, 1)  # censuses, school exams and school sixth-form aims
ACCOUNTING_YEAR = Calendar(4, 1)  # the calendar months April to March, where tax months will not do
ACADEMIC_YEAR = Calendar(8, 1)  # further education (ILR) and higher education (HESA)


def _whole(values: ArrayLike) -> NDArray[np.int64]:
    """Years or days as int64, so that no narrower type overflows."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError("years and days are whole numbers")
    return array.astype(np.int64)
