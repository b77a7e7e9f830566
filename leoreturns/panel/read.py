"""From a table of person-periods to a Panel.

The rows are numbered by person, put into the order of (key, person, period) by one counting sort and a sort of each
person's few periods, and then every column is gathered along that order, one at a time. Beyond the panel itself this
holds the order (8 bytes per row) and one column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leoreturns import _checks
from leoreturns._core import codes as kernel_codes
from leoreturns.panel import encode, ids, levels, rows
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Column, Level, Schema
from leoreturns.panel.source import Source, open_frame

Array = NDArray[Any]


def from_frame(
    frame: Any,
    *,
    person: str,
    time: str,
    traits: Sequence[str] | None,
    lists: Mapping[str, Any] | None,
    owners: Mapping[str, str] | None,
    units: Mapping[str, str] | None,
    entities: Sequence[str],
    time_varying: Sequence[str],
) -> Panel:
    """See `Panel.from_frame`."""
    return build(
        open_frame(frame),
        person=person,
        time=time,
        traits=traits,
        lists=lists or {},
        owners=owners or {},
        units=units or {},
        entities=entities,
        time_varying=time_varying,
    )


def build(
    source: Source,
    *,
    person: str,
    time: str,
    traits: Sequence[str] | None,
    lists: Mapping[str, Any],
    owners: Mapping[str, str],
    units: Mapping[str, str],
    entities: Sequence[str],
    time_varying: Sequence[str],
) -> Panel:
    """Build a panel from a source that gives one column at a time."""
    _checks.known_names([person, time, *(traits or ()), *owners, *units, *entities, *time_varying], source.names)
    _checks.has_rows(source.n_row)
    people, keys, order, offsets = _order_persons(person, source)
    times = _order_periods(person, time, source, order, offsets)
    columns: dict[str, Column] = {}
    stored: dict[Level, dict[str, Array]] = {"person": {}, "year": {}}
    for name in source.names:
        if name == person:
            continue
        encoded = times if name == time else encode.encode(name, source.column(name))
        if name in units:
            _checks.number_declared(name, encoded.kind, int((encoded.values >= 0).sum()), source.n_row)
        values: Array = times.values if name == time else rows.take(encoded.values, order)
        level = "year" if name == time else _level(name, values, encoded.kind == "code", offsets, traits, time_varying)
        if level == "person":
            values = rows.take(values, offsets[:-1])
        stored[level][name] = values
        columns[name] = Column(
            name,
            level,
            encoded.kind,
            encoded.labels,
            encoded.ordered,
            owners.get(name),
            units.get(name),
            name in entities,
            0 if values.dtype.kind != "f" and encoded.kind == "number" else rows.count_missing(values),
        )
    return Panel(Schema(person, time, columns), people, keys, offsets, stored["person"], stored["year"])


def _order_persons(
    person: str, source: Source
) -> tuple[ids.PersonIds, NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
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
    person: str, time: str, source: Source, order: NDArray[np.int64], offsets: NDArray[np.int64]
) -> encode.Encoded:
    """Put each person's rows into time order, in place; return the period along that order."""
    given = encode.encode(time, source.column(time))
    values = given.values
    if given.kind == "code" or values.dtype.kind == "f":
        _checks.no_missing(time, rows.count_missing(values), "the period")
    whole = values.dtype.kind != "f"
    if not whole and encode.all_whole(values):
        values, whole = levels.narrow(values.astype(np.int64)), True
    times = rows.take(values if whole else encode.order_codes(values), order)
    _checks.one_row_per_period(person, time, *rows.sort_within(times, order, offsets))
    return encode.Encoded(times if whole else rows.take(values, order), given.kind, given.labels, given.ordered)


def _level(
    name: str,
    values: Array,
    coded: bool,
    offsets: NDArray[np.int64],
    traits: Sequence[str] | None,
    time_varying: Sequence[str],
) -> Level:
    """Decide whether a column is stored once per person; refuse a declared trait that varies."""
    if name in time_varying or (traits is not None and name not in traits):
        return "year"
    changing, only_missing = rows.varying(values, coded=coded, offsets=offsets)
    if traits is not None:
        _checks.constant_within_persons(name, changing, only_missing)
    return "year" if changing else "person"
