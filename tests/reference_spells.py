"""Day-by-day twins of the spells kernel and of the calendar: one date, one flag, one comparison at a time."""

import datetime
import functools

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


@functools.cache
def months_of(year, month=4, first=6):
    """The month of every day of the year."""
    return [month_of(day, month, first) for day in days_of(year, month, first)]


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
    if not len(years):
        return [], [], [], 0
    opens, closes = days_of(years[0], month, first)[0], days_of(years[-1], month, first)[-1]
    # A day free on either side, so that no run ends at the edge of the array.
    low = min([opens, *(start for start, _ in spells)]) - 1
    high = max([closes, *(end for _, end in spells)]) + 1
    covered = np.zeros(high - low + 1, dtype=bool)
    for start, end in spells:
        covered[start - low : end - low + 1] = True
    length = runs(covered)
    days, months, longest = [], [], []
    for year in years:
        dated = zip(days_of(year, month, first), months_of(year, month, first), strict=True)
        held = [(day - low, k) for day, k in dated if covered[day - low]]
        days.append(len(held))
        months.append(sum(1 << k for k in {k for _, k in held}))
        longest.append(max((int(length[at]) for at, _ in held), default=0))
    window = covered[opens - low : closes - low + 1]
    return days, months, longest, int(np.diff(window.astype(int), prepend=0).clip(0).sum())


def recipe(n_person, first, last, each=9):
    """Persons, first and last days of a published benchmark: log-normal lengths, three in a hundred spells repeated."""
    draw, n = np.random.default_rng(909), n_person * each
    person = draw.integers(0, n_person, n)
    start = draw.integers(first - 400, last + 1, n)
    length = np.minimum(np.exp(draw.normal(5.0, 1.3, n)).astype(np.int64), 4000)
    repeated = draw.random(n) < 0.03
    source = draw.integers(0, n, repeated.sum())
    for column in (person, start, length):
        column[repeated] = column[source]
    return person, start, start + length
