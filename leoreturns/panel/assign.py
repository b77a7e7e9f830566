"""New columns: expressions, callables, arrays along the stored rows, and tables joined by id."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from leoreturns import _checks
from leoreturns._typing import AnyArray, IntArray, Level
from leoreturns.errors import PanelError
from leoreturns.panel import encode, ids, keys, rows, syntax
from leoreturns.panel.encode import Encoded
from leoreturns.panel.evaluate import column_of
from leoreturns.panel.expression import Coded, Condition
from leoreturns.panel.panel import Panel
from leoreturns.panel.read import describe
from leoreturns.panel.schema import Column, check_unit
from leoreturns.panel.source import Source, as_raw, open_frame

Places: TypeAlias = Callable[[int, int], IntArray]  # where rows first:last of a joined table are stored

TRUTH_CODES = np.array([0, -1, 1], dtype=np.int32)  # unknown, between false and true, is the missing code


def assign(
    panel: Panel, columns: Mapping[str, Any], *, level: Level, owner: str | None, unit: str | None, entity: bool
) -> Panel:
    """See `Panel.assign`; columns see those assigned before them."""
    if level not in ("person", "year"):
        raise PanelError(f"level must be 'person' or 'year', not {level!r}")
    if unit is not None:
        check_unit(", ".join(columns), unit)
    for name, value in columns.items():
        if name in (panel.schema.person, panel.schema.time):
            raise PanelError(f"column {name!r} identifies the rows and cannot be replaced")
        encoded = _encoded(panel, name, value, level)
        if unit is not None:
            _checks.numeric(name, encoded.kind, rows.count_known(encoded.values), len(encoded.values))
        column = describe(name, level, encoded, owner=owner, unit=unit, entity=entity)
        panel = with_column(panel, column, encoded.values)
    return panel


def with_column(panel: Panel, column: Column, values: AnyArray) -> Panel:
    """Return a panel with one column more, or one replaced."""
    schema = dataclasses.replace(panel.schema, columns={**panel.schema.columns, column.name: column})
    people = {name: other for name, other in panel.people.items() if name != column.name}
    years = {name: other for name, other in panel.years.items() if name != column.name}
    (people if column.level == "person" else years)[column.name] = values
    return dataclasses.replace(panel, schema=schema, people=people, years=years)


def _encoded(panel: Panel, name: str, value: Any, level: Level) -> Encoded:
    """Return the new column along the stored persons or rows."""
    if isinstance(value, str):
        return _expression(panel, name, value, level)
    aligned = callable(value)
    if aligned:
        value = value(panel)
    if isinstance(value, pd.Series):
        return _joined(panel, name, open_frame(value.rename(name).to_frame()), level)
    if hasattr(value, "columns") and hasattr(value, "__arrow_c_stream__"):  # a pandas, polars or Arrow table
        return _joined(panel, name, open_frame(value), level)
    if panel.selection is not None and not aligned:
        raise PanelError(
            f"column {name!r}: an array cannot be matched to selected rows; "
            "assign before where(), or give a frame with ids"
        )
    encoded = encode.encode(name, as_raw(value, name))
    expected = panel.n_person_stored if level == "person" else panel.n_row_stored
    _checks.equal_length(name, len(encoded.values), expected, "person" if level == "person" else "row")
    return _owned(encoded)


def _owned(encoded: Encoded) -> Encoded:
    """Copy values that may be the caller's array."""
    return dataclasses.replace(encoded, values=encoded.values.copy())


def _expression(panel: Panel, name: str, text: str, level: Level) -> Encoded:
    result = column_of(panel, syntax.parse(text))
    found = result.column.level if isinstance(result, Coded) else result.level
    if isinstance(result, Coded):
        encoded = Encoded(result.codes, "code", result.column.labels, result.column.ordered)
    elif isinstance(result, Condition):
        codes = rows.recode(result.truth.view(np.int8), TRUTH_CODES, base=0, dtype=np.dtype(np.int8))
        encoded = encode.encode_codes(codes, (False, True))
    else:
        encoded = encode.encode(name, result.values)
    if level == "person" and found != "person":
        raise PanelError(f"column {name!r}: {text!r} varies over periods; assign it with level='year'")
    if level == "year" and found == "person":
        encoded = dataclasses.replace(encoded, values=rows.expand(encoded.values, panel.offsets))
    return encoded


# ---- joined by id ---------------------------------------------------------------------------------------------------


def _joined(panel: Panel, name: str, source: Source, level: Level) -> Encoded:
    """Join a table keyed by person (and time); missing where it has no row."""
    person, time = panel.schema.person, panel.schema.time
    if person not in source.names:
        raise PanelError(
            f"column {name!r}: the table does not say whose values these are; "
            f"give it a column or index named {person!r}"
        )
    by_time = time in source.names
    if by_time != (level == "year"):
        has = "both person and time" if by_time else "person only"
        raise PanelError(
            f"column {name!r}: the table is keyed by {has}, so level='{'year' if by_time else 'person'}' fits"
        )
    values = encode.encode(name, source.column(_value_name(name, source, {person, time})))
    places = _row_places(panel, name, source) if by_time else _person_places(panel, name, source)
    out = _placed(name, values, places, panel.n_row_stored if by_time else panel.n_person_stored, by_time)
    return dataclasses.replace(values, values=out)


def _placed(name: str, given: Encoded, places: Places, n: int, by_time: bool) -> AnyArray:
    """Put values where they belong, a slice at a time; missing where none is given."""
    dtype = given.values.dtype
    if given.kind == "number" and len(given.values) < n:
        dtype = np.dtype(np.float64)
    out = np.full(n, np.nan if dtype.kind == "f" else -1, dtype=dtype)
    known = np.zeros(n, dtype=np.bool_)
    unknown = 0
    for first, last in rows.slices(len(given.values), rows.BLOCK):
        at = places(first, last)
        unknown += int((at < 0).sum())
        known[at[at >= 0]] = True
        out[at] = given.values[first:last]
    if unknown:
        raise PanelError(
            f"the table for column {name!r} has {_checks.counted(unknown, 'row')} whose (person, time) "
            "is not in the panel; drop them first"
        )
    if np.count_nonzero(known) < len(given.values):
        times = np.zeros(n, dtype=np.int32)
        for bounds in rows.slices(len(given.values), rows.BLOCK):
            np.add.at(times, places(*bounds), 1)
        repeated = _checks.counted(int((times > 1).sum()), "(person, time) pair" if by_time else "person")
        raise PanelError(f"column {name!r}: {repeated} given more than once; keep one row each")
    return out


def _value_name(name: str, source: Source, keys: set[str]) -> str:
    others = [other for other in source.names if other not in keys]
    if name in others:
        return name
    if len(others) == 1:
        return others[0]
    raise PanelError(f"column {name!r}: the table must have one column of values, or one named {name!r}")


def _person_places(panel: Panel, name: str, source: Source) -> Places:
    """Return where rows first:last of the table belong among the stored persons."""
    codes, distinct = ids.encode_ids(panel.schema.person, source.column(panel.schema.person))
    positions = panel.ids.positions(distinct)
    _checks.persons_known(f"the table for column {name!r}", int((positions < 0).sum()))
    return lambda first, last: positions[codes[first:last]]


def _row_places(panel: Panel, name: str, source: Source) -> Places:
    """Return where rows first:last of the table belong among the stored rows; -1 where the panel has no such row."""
    time = panel.schema.time
    person_at = _person_places(panel, name, source)
    stored = panel.key(time)
    rank = {label: code for code, label in enumerate(stored.labels)}
    given, labels = keys.labelled_codes(time, encode.encode(time, source.column(time)))
    table = np.array([*(rank.get(label, -1) for label in labels), -1], dtype=np.int32)
    halvings = int(np.diff(panel.offsets).max(initial=0)).bit_length()

    def places(first: int, last: int) -> IntArray:
        persons, periods = person_at(first, last), table[given[first:last]]
        low, high = panel.offsets[persons], panel.offsets[persons + 1] - 1
        # A person's rows are in the order of the period: the first that is not before the period wanted.
        for _ in range(halvings):
            middle = (low + high) >> 1
            before = stored.codes[middle] < periods
            low = np.where(before, np.minimum(middle + 1, high), low)
            high = np.where(before, high, middle)
        return np.where(stored.codes[low] == periods, low, -1)

    return places
