"""Benefit spells of simulated persons."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate.activities import NOT_CAPTURED
from leoreturns.extract.simulate.careers import LONG_CLAIM, NO_CLAIM, Careers
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.ids import Ids
from leoreturns.extract.simulate.people import People
from leoreturns.extract.simulate.rows import Rows, coded, draw_each, flag, tax_year_bounds
from leoreturns.extract.simulate.spells import Spells, joined, strike
from leoreturns.extract.tables_leo import BENEFITS

TYPES = tuple(BENEFITS)
OUT_OF_WORK = np.array([out_of_work for _, out_of_work in BENEFITS.values()])

# Shares of types among new out-of-work spells, by period: Incapacity Benefit gives way to Employment and Support
# Allowance in October 2008, most benefits to Universal Credit from 2016.
PERIODS = (2008, 2016)  # tax years in which the second and the third period begin
SHARES = (
    {"JSA": 48, "IS": 28, "IB": 17, "ICA": 3, "JTA": 2, "SDA": 1, "PIB": 1},
    {"JSA": 46, "IS": 20, "ESA": 25, "ICA": 4, "JTA": 2, "IB": 2, "RP": 0.3, "PC": 0.4, "AA": 0.3},
    {"JSA": 10, "IS": 6, "ESA": 20, "ICA": 4, "UAA": 30, "UBC": 14, "UCE": 9, "UDF": 5, "PC": 0.5, "RP": 0.5},
)
LONG_DAYS = 190  # at least, so that six months in a row have a day
# Benefits beside work or none, one spell each: share of persons.
BESIDE = {"DLA": 0.02, "PIP": 0.015, "BB": 0.002, "WB": 0.001, "UBD": 0.006, "UAB": 0.03}
FROM_2013 = ("PIP", "UAB", "UBD")


def benefits(people: People, careers: Careers, ids: Ids, rng: Generator, defects: Defects) -> Rows:
    """Return spells of benefits, those of one type that abut joined."""
    out_of_work, kinds = _out_of_work(people, careers, rng)
    beside, other_kinds = _beside(people, careers, rng)
    spells = out_of_work.add(beside.person, beside.start, beside.end)
    kind = np.concatenate([kinds, other_kinds])
    # Copies made by defects follow the spells they copy: their types go the same way.
    numbers = Spells(np.arange(len(spells)), spells.start, spells.end)
    struck, _ = strike(numbers, defects)
    kind, person = kind[struck.person], spells.person[struck.person]
    rows: Rows = {
        "EduKey": ids.edukey_of(person, rng),
        "StartDate": struck.start,
        "EndDate": struck.end,
        "Benefit_type": coded(kind, TYPES),
        "Out_of_work_benefit": flag(OUT_OF_WORK[kind]),
    }
    rows = defects.blank("missing type of benefit", rows, "Benefit_type")
    return defects.misspell("unknown type of benefit", rows, "Benefit_type", "XX")


def _out_of_work(people: People, careers: Careers, rng: Generator) -> tuple[Spells, AnyArray]:
    """Return spells out of work: months in a row of a year that counts as one of benefits, at most five of others."""
    person, k = careers.cells(careers.claim != NO_CLAIM)
    long = careers.claim[person, k] == LONG_CLAIM
    year = people.cohort[person] + 1 + k
    first, last = tax_year_bounds(year)
    length = last - first + 1
    full = long & (rng.random(len(person)) < 0.75)
    some = np.where(long, LONG_DAYS + (length - LONG_DAYS) * rng.random(len(person)), 7 + 105 * rng.random(len(person)))
    claimed = np.where(full, length, some).astype(np.int32)
    start = (first + ((length - claimed) * rng.random(len(person))).astype(np.int32)).astype(np.int32)
    period = np.searchsorted(np.array(PERIODS), year, side="right")
    shares = np.array([[part.get(code, 0.0) for code in TYPES] for part in SHARES])
    kind = draw_each(rng, shares, period)
    # A spell that goes on keeps its type from year to year.
    goes_on = np.zeros(len(person), bool)
    goes_on[1:] = (person[1:] == person[:-1]) & (k[1:] == k[:-1] + 1) & (period[1:] == period[:-1])
    goes_on[1:] &= full[1:] & full[:-1]
    origin = np.maximum.accumulate(np.where(goes_on, 0, np.arange(len(person))))
    kind = kind[origin]
    spells = Spells(person, start, (start + claimed - 1).astype(np.int32))
    merged = joined(spells, kind)
    return merged, kind[_first_of(spells, merged)]


def _first_of(spells: Spells, merged: Spells) -> AnyArray:
    """Return which spell each joined spell begins with."""
    keys = spells.person.astype(np.int64) * (1 << 32) + spells.start
    return np.searchsorted(keys, merged.person.astype(np.int64) * (1 << 32) + merged.start)


def _beside(people: People, careers: Careers, rng: Generator) -> tuple[Spells, AnyArray]:
    """Return spells of benefits that are not for those out of work, in years in which the person is known."""
    n, span = len(people), careers.seen.shape[1]
    known = careers.seen & (careers.activity != NOT_CAPTURED)
    # Last column of the run of known years that a column is in.
    until = np.tile(np.arange(span), (n, 1))
    for at in range(span - 2, -1, -1):
        until[:, at] = np.where(known[:, at + 1], until[:, at + 1], at)
    persons, starts, ends, kinds = [], [], [], []
    for code, share in BESIDE.items():
        chance = share * np.where(people.sen == 2, 4.0, 1.0)
        column = rng.integers(0, span, n)
        drawn = (rng.random(n) < chance) & known[np.arange(n), column]
        person = np.flatnonzero(drawn & (people.cohort + 1 + column >= (2013 if code in FROM_2013 else 2003)))
        k = column[person]
        first, last = tax_year_bounds(people.cohort[person] + 1 + k)
        start = first + (rng.random(len(person)) * (last - first)).astype(np.int32)
        length = 30 + rng.exponential(700, len(person)).clip(max=4_000)
        stop = tax_year_bounds(people.cohort[person] + 1 + until[person, k])[1]
        end = np.minimum(start + length, stop).astype(np.int32)
        there = start <= end
        persons.append(person[there])
        starts.append(start[there])
        ends.append(end[there])
        kinds.append(np.full(there.sum(), TYPES.index(code)))
    return Spells(*map(np.concatenate, (persons, starts, ends))), np.concatenate(kinds)
