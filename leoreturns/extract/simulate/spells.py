"""Spells of simulated persons, and what is wrong with the dates of spells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.rows import MISSING, days


@dataclass(frozen=True, slots=True)
class Spells:
    """One entry per spell: whose, first day, last day (int32 days since 1970)."""

    person: AnyArray
    start: AnyArray
    end: AnyArray

    def __len__(self) -> int:
        return len(self.person)

    def add(self, person: AnyArray, start: AnyArray, end: AnyArray) -> Spells:
        """Return these spells and further ones after them."""
        return Spells(
            np.concatenate([self.person, person]),
            np.concatenate([self.start, start]).astype(np.int32),
            np.concatenate([self.end, end]).astype(np.int32),
        )


def joined(spells: Spells, kind: AnyArray | None = None) -> Spells:
    """Return spells in which those of a person (and kind) that abut have become one.

    They are in the order of persons and first days, and do not overlap.
    """
    if not len(spells):
        return spells
    follows = (spells.person[1:] == spells.person[:-1]) & (spells.start[1:] == spells.end[:-1] + 1)
    if kind is not None:
        follows &= kind[1:] == kind[:-1]
    first = np.concatenate([[True], ~follows])
    last = np.concatenate([~follows, [True]])
    return Spells(spells.person[first], spells.start[first], spells.end[last])


def strike(spells: Spells, defects: Defects) -> tuple[Spells, tuple[AnyArray, AnyArray]]:
    """Return spells with the defects of their dates, and the flags of uncertain first and last days."""
    spells = _overlaps(spells, defects)
    start, end = spells.start.copy(), spells.end.copy()
    n = len(spells)
    uncertain_start, uncertain_end = np.zeros(n, np.int8), np.zeros(n, np.int8)
    first = defects.choose("default first day", n)
    start[first] = _tax_year_start(start[first])
    last = defects.choose("default last day", n)
    end[last] = days(_tax_year_of(end[last]) + 1, 4, 5)
    before = defects.choose("first day before the last", n)
    start[before] = end[before] - 1
    uncertain_start[first], uncertain_end[last], uncertain_start[before] = 1, 1, 1
    wrong = defects.choose("end before start", n)
    start[wrong], end[wrong] = end[wrong] + 1, start[wrong]
    end[defects.choose("missing last day", n)] = MISSING
    start[defects.choose("missing first day", n)] = MISSING
    return Spells(spells.person, start, end), (uncertain_start, uncertain_end)


def _overlaps(spells: Spells, defects: Defects) -> Spells:
    """Add spells that overlap, repeat or lie within others, and split some into two that abut."""
    n, length = len(spells), spells.end - spells.start
    shift = defects.choose("overlapping spell", n)
    move = ((defects.uniform(len(shift)) - 0.5) * np.minimum(length[shift], 200)).astype(np.int32)
    inside = defects.choose("nested spell", n)
    from_start = (length[inside] * 0.5 * defects.uniform(len(inside))).astype(np.int32)
    to_end = (length[inside] * 0.5 * defects.uniform(len(inside))).astype(np.int32)
    same = defects.choose("repeated spell", n)
    long = defects.within("abutting spell", length > 1)
    cut = spells.start[long] + (length[long] * defects.uniform(len(long))).astype(np.int32)
    last_day = spells.end[long]
    ends = spells.end.copy()
    ends[long] = cut
    return (
        Spells(spells.person, spells.start, ends)
        .add(spells.person[long], cut + 1, last_day)
        .add(spells.person[shift], spells.start[shift] + move, spells.end[shift] + move)
        .add(spells.person[inside], spells.start[inside] + from_start, spells.end[inside] - to_end)
        .add(spells.person[same], spells.start[same], spells.end[same])
    )


def _tax_year_of(day: AnyArray) -> AnyArray:
    """Return the tax year in which a day falls."""
    year = day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return year - (day < days(year, 4, 6))


def _tax_year_start(day: AnyArray) -> AnyArray:
    return days(_tax_year_of(day), 4, 6)
