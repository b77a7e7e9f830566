"""From a table of person-periods to a Panel.

The rows are numbered by person, put into the order of (key, person, period) by one counting sort and a sort of each
person's few periods, and then every column is gathered along that order, one at a time. Beyond the panel itself this
holds the order (8 bytes per row) and one column.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leoreturns import _checks
from leoreturns._core import codes as kernel_codes
from leoreturns._typing import AnyArray, IntArray, Level
from leoreturns.errors import PanelError
from leoreturns.panel import encode, ids, levels, rows
from leoreturns.panel.lists import read_list
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Column, ListColumn, Schema, check_unit
from leoreturns.panel.source import Source

_YEAR: Level = "year"


@dataclass(frozen=True, slots=True)
class Declared:
    """What the caller says about the columns of a table; see `Panel.from_frame`."""

    person: str
    time: str
    traits: Sequence[str] | None = None
    owners: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    entities: Collection[str] = ()
    time_varying: Collection[str] = ()
    measured: Mapping[str, float] | None = None
    codes: Collection[str] = ()  # number columns that hold codes: categories of numbers read back from Parquet

    def __post_init__(self) -> None:
        for option in ("traits", "entities", "time_varying"):
            if isinstance(named := getattr(self, option), str):
                object.__setattr__(self, option, (named,))

    def check(self, known: Sequence[str]) -> None:
        """Refuse unknown columns, unknown units, and what contradicts itself."""
        _checks.known_names(self.names(), known)
        if self.person == self.time:
            raise PanelError(f"person and time are both {self.person!r}; name two columns")
        for option in ("traits", "owners", "units", "entities", "time_varying", "measured"):
            if self.person in (getattr(self, option) or ()):
                raise PanelError(f"{option} names {self.person!r}, which is the id; name columns of values only")
        if self.time in (self.traits or ()):
            raise PanelError(f"traits names {self.time!r}, which is the period and varies within persons")
        both = [name for name in self.traits or () if name in self.time_varying]
        if both:
            raise PanelError(f"{', '.join(map(repr, both))} named in traits and in time_varying; choose one of them")
        for name, unit in self.units.items():
            check_unit(name, unit)
        if broken := [name for name, age in (self.measured or {}).items() if not age >= 0]:
            raise PanelError(f"measured is an age in years, zero or more, and that of {broken[0]!r} is none")

    def names(self) -> list[str]:
        """Return every column that is named."""
        return [
            self.person,
            self.time,
            *(self.traits or ()),
            *self.owners,
            *self.units,
            *self.entities,
            *self.time_varying,
            *(self.measured or ()),
            *self.codes,
        ]


def build(source: Source, declared: Declared, lists: Mapping[str, Any]) -> Panel:
    """Build a panel from a source that gives one column at a time; see `Panel.from_frame`."""
    declared.check(source.names)
    _checks.has_rows(source.n_row)
    people, keys, order, offsets = _order_persons(declared.person, source)
    times = _order_periods(declared, source, order, offsets)
    columns: dict[str, Column] = {}
    stored: dict[Level, dict[str, AnyArray]] = {"person": {}, "year": {}}
    for name in source.names:
        if name == declared.person:
            continue
        if name == declared.time:
            encoded, level = times, _YEAR
        else:
            encoded, level = _stored(name, source, declared, order, offsets)
        stored[level][name] = encoded.values
        columns[name] = describe(
            name,
            level,
            encoded,
            owner=declared.owners.get(name),
            unit=declared.units.get(name),
            entity=name in declared.entities,
            measured=(declared.measured or {}).get(name),
        )
    del order
    entries = {name: read_list(name, frame, declared.person, people) for name, frame in lists.items()}
    schema = Schema(
        declared.person,
        declared.time,
        columns,
        {name: ListColumn(name, labels, len(entry.codes)) for name, (entry, labels) in entries.items()},
    )
    stored_lists = {name: entry for name, (entry, _) in entries.items()}
    return Panel(schema, people, keys, offsets, stored["person"], stored["year"], stored_lists)


def describe(
    name: str,
    level: Level,
    encoded: encode.Encoded,
    *,
    owner: str | None,
    unit: str | None,
    entity: bool,
    measured: float | None = None,
) -> Column:
    """Return the description of a column as it is stored."""
    whole = encoded.kind == "number" and encoded.values.dtype.kind != "f"
    missing = 0 if whole else rows.count_missing(encoded.values)
    return Column(name, level, encoded.kind, encoded.labels, encoded.ordered, owner, unit, entity, missing, measured)


def _stored(
    name: str,
    source: Source,
    declared: Declared,
    order: IntArray,
    offsets: IntArray,
) -> tuple[encode.Encoded, Level]:
    """Return a column along the panel's order, once per person where it is a trait."""
    raw = source.column(name)
    given = encode.encode_coded(name, raw) if name in declared.codes else encode.encode(name, raw)
    if name in declared.units:
        _checks.numeric(name, given.kind, rows.count_known(given.values), source.n_row)
    values = rows.take(given.values, order)
    level = _level(name, values, given.kind == "code", offsets, declared)
    if level == "person":
        values = rows.take(values, offsets[:-1])
    return dataclasses.replace(given, values=values), level


def _order_persons(person: str, source: Source) -> tuple[ids.PersonIds, NDArray[np.uint64], IntArray, IntArray]:
    """Return the persons in key order with their keys, and the rows in their order with offsets."""
    codes, people = ids.encode_ids(person, source.column(person))
    keys = people.hashed()
    placed = ids.sorted_persons(people, keys)
    rank = np.empty(len(people), dtype=np.int32)
    rank[placed] = np.arange(len(people), dtype=np.int32)
    order = np.empty(len(codes), dtype=np.int64)
    offsets = np.empty(len(people) + 1, dtype=np.int64)
    kernel_codes.sort_rows(rows.as_bytes(codes), codes.itemsize, rank, order, offsets)
    return people.take(placed), keys[placed], order, offsets


def _order_periods(
    declared: Declared,
    source: Source,
    order: IntArray,
    offsets: IntArray,
) -> encode.Encoded:
    """Put each person's rows into time order, in place; return the period along that order."""
    name = declared.time
    given = encode.encode(name, source.column(name))
    if name in declared.units:
        _checks.numeric(name, given.kind, rows.count_known(given.values), source.n_row)
    values = given.values
    if given.kind == "code" or values.dtype.kind == "f":
        _checks.no_missing(name, rows.count_missing(values), "the period")
    whole = values.dtype.kind != "f"
    if not whole and encode.all_whole(values):
        values, whole = levels.narrow(values.astype(np.int64)), True
    times = rows.take(values if whole else encode.order_codes(values), order)
    _checks.one_row_per_period(declared.person, name, *rows.sort_within(times, order, offsets))
    return dataclasses.replace(given, values=times if whole else rows.take(values, order))


def _level(name: str, values: AnyArray, coded: bool, offsets: IntArray, declared: Declared) -> Level:
    """Decide whether a column is stored once per person; refuse a declared trait that varies."""
    if name in declared.time_varying or (declared.traits is not None and name not in declared.traits):
        return "year"
    changing, only_missing = rows.varying(values, coded=coded, offsets=offsets)
    if declared.traits is not None:
        _checks.constant_within_persons(name, changing, only_missing)
    return "year" if changing else "person"
