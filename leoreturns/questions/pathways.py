"""Sequences of activities: how many there are, how concentrated they are, and the most common ones.

Most sequences of ten years are those of one person: a table of them would list persons. What is told is how many
persons share a sequence with how many others, what share the most common ones have, and which these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from leoreturns._parallel import threads
from leoreturns._typing import IntArray
from leoreturns.aggregates.compute import aggregate
from leoreturns.errors import SupportError
from leoreturns.panel import rows
from leoreturns.panel.panel import Panel
from leoreturns.questions.activities import ACTIVITY
from leoreturns.questions.assemble import answer
from leoreturns.questions.breakdown import LEVEL, YEAR, Breakdown, Data, breakdowns, chosen, required
from leoreturns.questions.stack import Stack
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate, CellKey, taken
from leoreturns.results.answer import Answer, Result
from leoreturns.results.flow import MASKED_BELOW

HELD_BY, RANK, PATHWAY = "pathway_held_by", "pathway_rank", "pathway"
# Upper ends of the bands, and the words for them.
HOLDERS = {1: "1 person", 9: "2 to 9 persons", 99: "10 to 99", 999: "100 to 999", None: "1,000 or more"}
RANKS = {10: "10 most common", 100: "11th to 100th", 1_000: "101st to 1,000th", None: "all others"}
# Tables of shares, and the trait of a sequence that each is by.
TABLES = {"holders": HELD_BY, "rank": RANK, "most_common": PATHWAY}
MOST_PAIRS = 1 << 30  # of groups and sequences, one byte each
OTHERS = "all other pathways"
DENOMINATOR = "persons of the group whose main activity is known in every one of the years"


def pathways(
    data: Data,
    *,
    years: int = 10,
    most_common: int = 20,
    characteristics: Sequence[str] | None = None,
    level: str | None = LEVEL,
    plan: BootstrapPlan | None = None,
    n_jobs: int | None = None,
) -> Answer:
    """Count the distinct sequences of main activities, and tell how concentrated they are and which are most common.

    Parameters
    ----------
    data : Panel or Scan
        With the columns ``years_since_ks4`` and ``main_activity``.
    years : int
        Length of a sequence: years 1 to `years` after key stage 4. Persons without an activity in each are left out and
        counted in the flow.
    most_common : int
        How many of the most common sequences to name, of those that at least ten persons have; in the table of a
        breakdown, that ten persons of one group have.
    characteristics, level
        As in `main_activities`.
    plan : BootstrapPlan, optional
        Gives every share a standard error and an interval; the lists of sequences are taken as given.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Answer
        For everybody and each breakdown: ``distinct`` (``n_person`` and ``n_distinct``, the sequences that occur in the
        group), ``holders`` (persons by how many share their sequence; the number with ``1 person`` is the number of
        sequences that one person alone has), ``rank`` (share of the ten, hundred and thousand most common) and
        ``most_common`` (the share of each that is named). Ranks and holders are those among all persons.

    Raises
    ------
    PanelError
        For a column that is not there.
    SupportError
        For sequences longer than 64 bits hold, or where nobody has an activity in all the years.
    """
    required(data, YEAR)
    activity = required(data, ACTIVITY)
    base = len(activity.labels)
    if not years >= 1 or base**years >= 1 << 63:
        raise SupportError(f"sequences of {years} years of {base} activities are none, or more than 64 bits tell apart")
    with threads(n_jobs):
        found = Sequences.of(data, years)
        described = Described.of(data, found, most_common)
        groups = list(breakdowns(data, characteristics, level))
        stack = Stack.of(described.data, groups, list(TABLES.values()), plan)
        shares = {
            name: described.worded(stack.compositions(column, plan, "difference"), column)
            for name, column in TABLES.items()
        }
        results: dict[str, Result] = {}
        for place, group in enumerate(groups):
            results[group.name("distinct")] = _distinct(described.data, found, group)
            results |= {group.name(name): tables[place] for name, tables in shares.items()}
    return answer(
        "pathways",
        data,
        results,
        plan=plan,
        flow=described.data.flow,
        arguments={
            "years": years,
            "most_common": most_common,
            "characteristics": chosen(data, characteristics),
            "level": level,
        },
        denominators=dict.fromkeys(("distinct", *TABLES), DENOMINATOR),
    )


# ---- sequences ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sequences:
    """The sequences of all persons; microdata, gone when the question is answered.

    Attributes
    ----------
    years : int
        Their length.
    codes, counts : int64 of shape (n_sequence,)
        Distinct sequences, ascending, as numbers whose digits are the activities, the first year lowest; and the
        persons who have each.
    positions : mapping of part -> int64 of shape (n_person_stored,)
        Position in `codes` of each stored person's sequence, -1 without one; by the first person key of the part.
    """

    years: int
    codes: IntArray
    counts: IntArray
    positions: dict[int, IntArray]

    @classmethod
    def of(cls, data: Data, years: int) -> Sequences:
        """Read the sequences of a panel, or of all parts of a scan."""
        parts = {_part(panel): _codes(panel, years) for panel in ([data] if isinstance(data, Panel) else data)}
        every = np.concatenate(list(parts.values()))
        codes, counts = np.unique(every[every >= 0], return_counts=True)
        if not len(codes):
            raise SupportError(f"nobody has a main activity in each of years 1 to {years}: ask for fewer years")
        positions = {
            part: np.where(found < 0, -1, np.searchsorted(codes, np.maximum(found, 0))) for part, found in parts.items()
        }
        return cls(years, codes, counts.astype(np.int64), positions)

    def ranks(self) -> IntArray:
        """Return the rank of each sequence, from 0 for the most common; of equals the smaller code first."""
        ranks = np.empty(len(self.codes), dtype=np.int64)
        ranks[np.lexsort((self.codes, -self.counts))] = np.arange(len(self.codes))
        return ranks

    def words(self, position: int, activities: Sequence[Any]) -> str:
        """Return a sequence in words: the activities in their order, with the years that each lasts."""
        digits = (int(self.codes[position]) // len(activities) ** year % len(activities) for year in range(self.years))
        runs = ((activities[digit], len(list(run))) for digit, run in groupby(digits))
        return " > ".join(f"{activity} ({length})" for activity, length in runs)

    def trait(self, panel: Panel, of_sequence: IntArray) -> IntArray:
        """Return a number of the sequence of every stored person of a panel, -1 where there is none."""
        return np.asarray(np.append(of_sequence, -1)[self.positions[_part(panel)]])


def _part(panel: Panel) -> int:
    """Return what tells the parts of a scan apart."""
    return int(panel.keys[0]) if panel.n_person_stored else -1


def _codes(panel: Panel, years: int) -> IntArray:
    """Return the sequence of every stored person as a number, -1 where a year lacks a row or an activity."""
    activity, when = panel.array(ACTIVITY), panel.array(YEAR)
    person = rows.expand(np.arange(panel.n_person_stored, dtype=np.int32), panel.offsets)
    base, codes = len(panel.column(ACTIVITY).labels), np.zeros(panel.n_person_stored, dtype=np.int64)
    seen = np.zeros(panel.n_person_stored, dtype=np.int64)
    for year in range(1, years + 1):
        there = (when == year) & (activity >= 0)
        if panel.selection is not None:
            there &= panel.selection
        at = np.flatnonzero(there)
        codes[person[at]] += activity[at].astype(np.int64) * base ** (year - 1)
        seen[person[at]] |= 1 << year
        if len(at) > np.count_nonzero(seen >> year):
            raise SupportError(f"persons have several rows of year {year} after key stage 4: a sequence needs one")
    codes[seen != (1 << (years + 1)) - 2] = -1
    return codes


# ---- tables ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Described:
    """One row per person who has a sequence, with traits of the sequence as numbers, and the words for these.

    Numbers, because parts of a scan need not have all levels of an ordered label.
    """

    data: Data
    labels: dict[str, list[str]]

    @classmethod
    def of(cls, data: Data, found: Sequences, most_common: int) -> Described:
        """Describe the sequences of persons."""
        activity = data.schema.columns[ACTIVITY]
        ranks = found.ranks()
        held = np.searchsorted([end for end in HOLDERS if end], found.counts)
        banded = np.searchsorted([end for end in RANKS if end], ranks, side="right")
        named = np.flatnonzero((ranks < most_common) & (found.counts >= MASKED_BELOW))
        named = named[np.argsort(ranks[named])]
        place = np.full(len(found.codes), len(named), dtype=np.int64)
        place[named] = np.arange(len(named))
        described = data.at(**{YEAR: 1}).assign(
            level="person",
            owner=activity.owner,
            pathway_held_by=lambda panel: found.trait(panel, held),
            pathway_rank=lambda panel: found.trait(panel, banded),
            pathway=lambda panel: found.trait(panel, place),
        )
        words = [*(found.words(int(position), activity.labels) for position in named), OTHERS]
        labels = {HELD_BY: list(HOLDERS.values()), RANK: list(RANKS.values()), PATHWAY: words}
        return cls(described.where(f"{HELD_BY} >= 0"), labels)

    def worded(self, tables: Sequence[Aggregate], column: str) -> list[Aggregate]:
        """Return compositions by a trait of the sequence in words, without the sequences that are not to be named."""
        found = []
        for table in (replace(each, contrasts=()) for each in tables):
            key = table.keys[column]
            names = tuple(self.labels[column][number] for number in key.labels)
            table = replace(table, keys={**table.keys, column: CellKey(names, key.codes)})
            found.append(_named_only(table) if column == PATHWAY else table)
        return found


def _distinct(data: Data, found: Sequences, group: Breakdown) -> Aggregate:
    """Return persons and distinct sequences of each group."""
    table = aggregate(data, None, by=group.keys, statistics=["n_person"])
    sizes = [len(table.keys[name].labels) for name in group.keys]
    n_sequence, n_cell = len(found.codes), int(np.prod(sizes, dtype=np.int64))
    _check_room(group, n_cell, n_sequence)
    seen = np.zeros((n_cell, n_sequence), dtype=np.bool_)
    for panel in [data] if isinstance(data, Panel) else data:
        position = found.positions[_part(panel)]
        cell = np.zeros(panel.n_person_stored, dtype=np.int64)
        known = position >= 0
        for name, size in zip(group.keys, sizes, strict=True):
            codes = panel.array(name)
            cell = cell * size + codes
            known &= codes >= 0
        seen[cell[known], position[known]] = True
    counts = seen.sum(axis=1)
    at = np.zeros(table.n_cells, dtype=np.int64)
    for name, size in zip(group.keys, sizes, strict=True):
        at = at * size + table.keys[name].codes
    return replace(table, statistics={**table.statistics, "n_distinct": counts[at].astype(np.int64)})


def _check_room(group: Breakdown, n_cell: int, n_sequence: int) -> None:
    """Refuse groups times sequences that would not fit in memory."""
    if n_cell * n_sequence > MOST_PAIRS:
        raise SupportError(
            f"{n_cell:,} groups by {' and '.join(group.keys)} times {n_sequence:,} sequences are too many to count: "
            "ask for fewer years, or for traits with fewer levels"
        )


def _named_only(table: Aggregate) -> Aggregate:
    """Leave out the sequences that no group has ten persons of: their names would describe persons."""
    key = table.keys[PATHWAY]
    enough = np.zeros(len(key.labels), dtype=np.bool_)
    enough[key.codes[table.evidence.n_person_nonzero >= MASKED_BELOW]] = True
    kept = taken(table, np.flatnonzero(enough[key.codes]))
    names = tuple(name for name, named in zip(key.labels, enough, strict=True) if named)
    return replace(kept, keys={**kept.keys, PATHWAY: CellKey(names, np.cumsum(enough)[kept.keys[PATHWAY].codes] - 1)})
