"""Careers in plain Python, one person at a time: what `sector_pipeline` does with arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pandas as pd

NO_WORK, UNKNOWN = "not in paid work", "not known"
BREAK = 2017  # the first tax year of the new register


def careers(frame: pd.DataFrame, since: str = "years_since_ks4") -> dict[object, dict[int, tuple[str, int]]]:
    """Return the state and the register of every person by year of the clock."""
    found: dict[object, dict[int, tuple[str, int]]] = {}
    works = frame["in_paid_work"].map({True: 1.0, False: 0.0}).astype("float64")
    for person, year, tax_year, sector, work in zip(
        frame["person"], frame[since], frame["tax_year"], frame["sector"].astype(object), works, strict=True
    ):
        if pd.isna(year) or year < 1:
            continue
        state = sector if isinstance(sector, str) else NO_WORK if work == 0 else UNKNOWN
        found.setdefault(person, {})[int(year)] = (state, int(tax_year >= BREAK))
    return found


def in_sector(state: str) -> bool:
    return state not in (NO_WORK, UNKNOWN)


def flows(people: dict, year: int, horizon: int) -> Counter:
    """Count persons by their state in a year and some years later, of one register."""
    counts: Counter = Counter()
    for states in people.values():
        one, two = states.get(year), states.get(year + horizon)
        if one and two and one[1] == two[1]:
            counts[one[0], two[0]] += 1
    return counts


def entries(people: dict, start: int, late: str) -> Iterator[tuple[object, int, str]]:
    """Yield person, year at risk and the sector entered in it, if any."""
    for person, states in people.items():
        years = [year for year in sorted(states) if year >= start]
        if not years or (late == "leave out" and years[0] != start):
            continue
        for place, year in enumerate(years):
            state, register = states[year]
            late_first = place == 0 and year != start
            broken = place and (years[place - 1] != year - 1 or states[year - 1][1] != register)
            if state == UNKNOWN or broken:
                break
            if not late_first:
                yield person, year, state if in_sector(state) else "none yet"
            if in_sector(state):
                break


def exits(people: dict) -> Iterator[tuple[object, str, int, str]]:
    """Yield person, sector, year of the first spell in it, and what it was left for, if it was."""
    for person, states in people.items():
        had = {states[1][0]} if 1 in states else set()
        for year in sorted(states):
            sector, register = states[year]
            last = states.get(year - 1)
            seen = last is not None and last[0] not in (UNKNOWN, sector) and last[1] == register
            if in_sector(sector) and seen and sector not in had:
                yield from ((person, sector, *rest) for rest in spell(states, year, sector))
            had.add(sector)


def spell(states: dict[int, tuple[str, int]], year: int, sector: str) -> Iterator[tuple[int, str]]:
    """Yield the years of a spell that are followed to the next."""
    first = year
    while True:
        now, then = states[year], states.get(year + 1)
        if then is None or then[0] == UNKNOWN or then[1] != now[1]:
            return
        left = "stays" if then[0] == sector else "another sector" if in_sector(then[0]) else NO_WORK
        yield year - first + 1, left
        if left != "stays":
            return
        year += 1
