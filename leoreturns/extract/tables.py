"""The tables of LEO Iteration 2 as data, and the matching of files and columns to them.

Names are those of the public variable request form (version 2.3), in any case. A file holds any selection of a table's
columns; a census column carries its term and year in its name (``FSMeligible_spr07``), and a column may still have the
name of earlier years (``SENstage_spr02``) or its old alias (``fsm_07``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from leoreturns._checks import counted
from leoreturns.errors import ExtractError
from leoreturns.extract import tables_care, tables_further, tables_leo, tables_post16, tables_schools
from leoreturns.extract.schema import PersonKey, Table, Variable

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for part in (tables_leo, tables_schools, tables_post16, tables_care, tables_further)
        for table in part.TABLES
    }
)

# Kind of person id -> the lookup that ties it to resolved persons (AE_ID), and its column there.
LINKS: dict[PersonKey, tuple[str, str]] = {
    "PMR": ("lookup_pmr", "PUPILMATCHINGREFANONYMOUS"),
    "RECORDID": ("lookup_recid", "RECORDID"),
    "EDUKEY": ("lookup_edukey", "EDUKEY"),
}

TERM_NAMES = tables_schools.TERMS  # aut -> Autumn, as CensusTerm holds them

# stem, term or kind of file, two-digit year, pseudonymised before or after them
_SUFFIX = re.compile(r"(?P<stem>.+?)(?P<before>_anon)?_(?P<term>aut|spr|sum|ab|ex)(?P<year>\d\d)(?P<after>_anon)?")
_ALIAS = re.compile(r"(?P<stem>[a-z0-9]+)_(?P<year>\d\d)")
# 2003_04, 2003-2004, 2003/04, 200304 or 2007
_YEAR = re.compile(r"(?<!\d)(?P<first>(?:19|20)\d\d)(?:[_\-/]?(?P<second>(?:(?:19|20)\d\d|\d\d)))?(?!\d)")
_CENTURY = 50  # two-digit years from here on are of the 1900s


class Occasion(NamedTuple):
    """When a column was collected: the census term and the start of the academic year; None where not told."""

    term: str | None = None
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which columns of a file are which of its table.

    Attributes
    ----------
    columns : mapping of Occasion -> mapping of canonical name -> name in the file
        Columns without a census suffix are under ``Occasion()``.
    missing : tuple of str
        Columns of the table that the file does not have, on any occasion.
    unknown : tuple of str
        Columns of the file that the table does not know, or knows by a better name.
    """

    columns: Mapping[Occasion, Mapping[str, str]]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names of the columns found, on any occasion."""
        return tuple(dict.fromkeys(name for columns in self.columns.values() for name in columns))


def table(name: str) -> Table:
    """Return a table by its canonical name; ExtractError with the known names if there is none."""
    if name not in TABLES:
        raise ExtractError(f"unknown table {name!r}; known: {', '.join(TABLES)}")
    return TABLES[name]


def match_table(name: str) -> Table | None:
    """Return the table that a file or view is called after, with or without a year in its name; None if no table is."""
    plain = re.sub(r"[^a-z0-9]+", "_", _YEAR.sub("", name).lower()).strip("_")
    for whole in (re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"), plain):
        for candidate in TABLES.values():
            if whole == candidate.name or whole in candidate.also_called:
                return candidate
    return None


def occasion_of(name: str) -> Occasion:
    """Return the term and the academic year (by its start) that the name of a yearly file tells.

    A single year is the one in which the academic year ends, as in ``KS4_2014`` or ``Spring_Census_2007``; in the name
    of an autumn census it is the one in which the academic year starts.
    """
    lowered = name.lower()
    term = next((key for key, word in TERM_NAMES.items() if word.lower() in lowered), None)
    found = _YEAR.search(name)
    if found is None:
        return Occasion(term, None)
    first, second = int(found["first"]), found["second"]
    if second is not None and int(second) % 100 == (first + 1) % 100:
        return Occasion(term, first)
    return Occasion(term, first if term == "aut" else first - 1)


def resolve_columns(table: Table, found_names: Iterable[str]) -> Resolved:
    """Return which columns of a file are which of its table.

    Parameters
    ----------
    table : Table
        The table that the file holds.
    found_names : iterable of str
        The file's column names.

    Returns
    -------
    Resolved
        Where a file has a column under its own name and under an earlier one, the own name counts and the other is
        unknown.

    Raises
    ------
    ExtractError
        If two columns differ in case only, or are the same column under two equally good names.
    """
    found = list(found_names)
    _check_repeated(table, found)
    best: dict[tuple[Occasion, str], tuple[int, str]] = {}
    unknown = []
    for name in found:
        place = _place(table, name.strip())
        if place is None:
            unknown.append(name)
            continue
        occasion, canonical, rank = place
        known = best.get((occasion, canonical))
        if known is not None and known[0] == rank:
            raise ExtractError(
                f"table {table.name!r} has column {canonical!r} as {known[1]!r} and as {name!r}; rename one of them"
            )
        if known is None or rank < known[0]:
            best[occasion, canonical] = (rank, name)
        if known is not None:
            unknown.append(max(known, (rank, name))[1])
    columns: dict[Occasion, dict[str, str]] = {}
    for (occasion, canonical), (_, name) in best.items():
        columns.setdefault(occasion, {})[canonical] = name
    have = {canonical for _, canonical in best}
    missing = tuple(name for name in table.names if name not in have)
    return Resolved(columns, missing, tuple(unknown))


def _check_repeated(table: Table, names: list[str]) -> None:
    """Refuse names that differ in case only; one that the table does not know may be a value of somebody."""
    seen: dict[str, str] = {}
    repeated = 0
    for name in names:
        lowered = name.strip().lower()
        if lowered not in seen:
            seen[lowered] = name
            continue
        repeated += 1
        if _place(table, name.strip()) is not None:
            raise ExtractError(
                f"table {table.name!r} has columns {seen[lowered]!r} and {name!r}, which differ in case only: rename"
            )
    if repeated:
        raise ExtractError(
            f"table {table.name!r} has {counted(repeated, 'column')} called like another one: rename, or see "
            "whether the first row is a header"
        )


def _place(table: Table, name: str) -> tuple[Occasion, str, int] | None:
    """Return the occasion, the canonical name and how good the match is (0 best); None if the column is not known."""
    lowered = name.lower()
    parts = _SUFFIX.fullmatch(lowered) if table.suffix else None
    if parts is not None and (parts["term"] in TERM_NAMES) is (table.suffix == "term"):
        stem = parts["stem"] + ("_anon" if parts["before"] or parts["after"] else "")
        occasion = _occasion(parts["term"], int(parts["year"]))
        matched = _match(table, stem, occasion)
        return None if matched is None else (occasion, *matched)
    plain = _match(table, lowered, Occasion())
    if plain is not None:
        return (Occasion(), *plain)
    alias = _ALIAS.fullmatch(lowered) if table.suffix == "term" else None
    if alias is None:
        return None
    # Old aliases name no term: they were given to the spring census.
    occasion = _occasion("spr", int(alias["year"]))
    matched = _match(table, alias["stem"], occasion)
    return None if matched is None else (occasion, *matched)


def _occasion(term: str, two_digits: int) -> Occasion:
    year = two_digits + (1900 if two_digits >= _CENTURY else 2000)
    return Occasion(term if term in TERM_NAMES else None, year if term == "aut" else year - 1)


def _match(table: Table, lowered: str, occasion: Occasion) -> tuple[str, int] | None:
    """Return the column of that name, with or without the table's prefix, or one called so in that year."""
    for name in (lowered, f"{table.prefix.lower()}{lowered}"):
        if name in table:
            return table.variable(name).name, 0
    candidates = [
        variable for variable in table.variables if lowered in (_plain(table, other) for other in variable.also_called)
    ]
    candidates += [
        variable
        for variable in table.variables
        if lowered in (other.lower() for other in variable.also_called) and variable not in candidates
    ]
    if not candidates:
        return None
    covering = [variable for variable in candidates if _covers(table, variable, occasion.year)]
    chosen = (covering or candidates)[-1]
    aliases = [other.lower() for other in chosen.also_called]
    return chosen.name, 1 + next(at for at, other in enumerate(aliases) if lowered in (other, _plain(table, other)))


def _plain(table: Table, name: str) -> str:
    return name.lower().removeprefix(table.prefix.lower())


def _covers(table: Table, variable: Variable, year: int | None) -> bool:
    years = variable.years or table.years
    return year is None or years is None or years[0] <= year <= years[1]
