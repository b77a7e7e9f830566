"""The panel as a pandas DataFrame, and the table of its columns."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leoreturns._typing import AnyArray
from leoreturns.panel import rows
from leoreturns.panel.schema import Column, Schema

if TYPE_CHECKING:
    from leoreturns.panel.panel import Panel


def to_frame(panel: Panel) -> pd.DataFrame:
    """See `Panel.to_frame`."""
    persons = selected(panel, np.arange(panel.n_person_stored, dtype=np.int64), "person")
    ids = panel.ids.data[persons] if not panel.ids.is_text else panel.ids.to_arrow().to_pandas().to_numpy()[persons]
    columns: dict[str, Any] = {panel.schema.person: ids}
    for name, column in panel.schema.columns.items():
        columns[name] = labelled(column, selected(panel, panel.array(name), column.level))
    return pd.DataFrame(columns)


def selected(panel: Panel, values: AnyArray, level: str) -> AnyArray:
    """Return a stored column along the selected rows."""
    along = rows.expand(values, panel.offsets) if level == "person" else values
    return along if panel.selection is None else along[panel.selection]


def labelled(column: Column, values: AnyArray) -> Any:
    """Return codes as what pandas calls them: conditions, datetimes, categoricals; numbers as they are."""
    if column.kind == "number":
        return values
    if column.is_bool:
        known = np.array([*column.labels, False])[values]
        return known if column.missing == 0 else pd.arrays.BooleanArray(known, values == -1)
    if column.labels and all(isinstance(label, dt.date) for label in column.labels) and not column.ordered:
        return _moments(column, values)
    labels = pd.Index(list(column.labels))
    return pd.Categorical.from_codes(values, categories=labels, ordered=column.ordered)


def _moments(column: Column, values: AnyArray) -> Any:
    zoned = isinstance(column.labels[0], dt.datetime) and column.labels[0].tzinfo is not None
    naive = [label.replace(tzinfo=None) if isinstance(label, dt.datetime) else label for label in column.labels]
    moments = np.array([*naive, None], dtype="datetime64[us]")[values]
    return pd.DatetimeIndex(moments).tz_localize("UTC") if zoned else moments


def describe(schema: Schema) -> pd.DataFrame:
    """See `Panel.info`."""
    columns = schema.columns.values()
    table = {
        "level": [column.level for column in columns],
        "kind": [column.kind for column in columns],
        "levels": pd.array(
            [len(column.labels) if column.kind == "code" else None for column in columns], dtype="Int64"
        ),
        "missing": [column.missing for column in columns],
        "owner": [column.owner for column in columns],
        "unit": [column.unit for column in columns],
        "entity": [column.entity for column in columns],
    }
    return pd.DataFrame(table, index=pd.Index([column.name for column in columns], name="column"))
