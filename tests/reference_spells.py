"""Day-by-day twins of the spells kernel and of the calendar: one date, one flag, one comparison at a time."""

import datetime

import numpy as np

EPOCH = datetime.date(1970, 1, 1)


def day_number(date):
    return (date - EPOCH).days


def date_of(day):
    return EPOCH + datetime.timedelta(days=int(day))


def year_of(day, month=4, first=6):
    """Starting year of the year that opens on the given day of the month."""
    date = date_of(day)
    return date.year if (date.month, date.day) >= (month, first) else date.year - 1


def month_of(day, month=4, first=6):
    """Months, from 0, since the year opened."""
    date = date_of(day)
    return (date.month - month - (date.day < first)) % 12


def days_of(year, month=4, first=6):
    """Every day of the year."""
    opens = day_number(datetime.date(year, month, first))
    return range(opens, day_number(datetime.date(year + 1, month, first)))


def runs(covered):
    """For each day of a boolean array the length of the run of covered days around it, 0 on others."""
    out = np.zeros(len(covered), dtype=np.int64)
    start = 0
    while start < len(covered):
        stop = start
        while stop < len(covered) and covered[stop] == covered[start]:
            stop += 1
        if covered[start]:
            out[start:stop] = stop - start
        start = stop
    return out


def unite(spells, years, month=4, first=6):
    """One person's days, month bits, longest run per year, and the runs that touch the years.

    spells: pairs (first day, last day), those that end before they start are passed over; years: consecutive.
    """
    spells = [(start, end) for start, end in spells if start <= end]
    calendar = [days_of(year, month, first) for year in years]
    if not calendar:
        return [], [], [], 0
    # A day free on either side, so that no run ends at the edge of the array.
    low = min([calendar[0][0], *(start for start, _ in spells)]) - 1
    high = max([calendar[-1][-1], *(end for _, end in spells)]) + 1
    covered = np.zeros(high - low + 1, dtype=bool)
    for start, end in spells:
        covered[start - low : end - low + 1] = True
    length = runs(covered)
    days, months, longest = [], [], []
    for year in calendar:
        held = [day for day in year if covered[day - low]]
        days.append(len(held))
        months.append(sum(1 << k for k in {month_of(day, month, first) for day in held}))
        longest.append(max((int(length[day - low]) for day in held), default=0))
    window = covered[calendar[0][0] - low : calendar[-1][-1] - low + 1]
    return days, months, longest, int(np.diff(window.astype(int), prepend=0).clip(0).sum())
