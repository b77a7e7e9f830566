"""Values of frames and of rows as Arrow columns; what Arrow cannot hold as it is, as text."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leoreturns._checks import counted
from leoreturns.errors import ExtractError, silenced

# What Arrow raises over values that are not of one type; its messages quote them.
_REFUSALS = (pa.ArrowException, TypeError, ValueError, OverflowError)
# Types whose texts differ from ours: 5.0 and 5.00, true, bytes.
_OTHER_TEXTS = (pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_binary)


def arrow_column(label: str, name: str, values: Any) -> Any:
    """Return a column as Arrow; objects of several types as text."""
    if isinstance(values, pa.ChunkedArray):
        return values
    with contextlib.suppress(*_REFUSALS):
        return pa.array(values, from_pandas=True)
    return _texts(label, name, values)


def text_table(label: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return rows as a table of text."""
    ragged = sum(len(row) != len(columns) for row in rows)
    if ragged:
        raise ExtractError(
            f"{label!r} gives {counted(ragged, 'row')} of another number of columns than the {len(columns):,} asked for"
        )
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return pa.table({name: _text_column(label, name, column) for name, column in zip(columns, values, strict=True)})


def _text_column(label: str, name: str, values: Sequence[Any]) -> Any:
    """Return values as an Arrow column of text; by Arrow where its texts are ours, which is several times as fast."""
    with contextlib.suppress(*_REFUSALS):
        array = pa.array(values)
        if not any(is_of(array.type) for is_of in _OTHER_TEXTS):
            return array.cast(pa.string())
    return _texts(label, name, values)


def _texts(label: str, name: str, values: Iterable[Any]) -> Any:
    told = f"column {name!r} of {label!r} holds what is no text, number or date; convert it first"
    with silenced(_REFUSALS, lambda _: ExtractError(told)):
        return pa.array([_as_text(value) for value in values], pa.string())


def _as_text(value: Any) -> str | None:
    """Return a value of a row as text: numbers without trailing zeros, dates as yyyy-mm-dd, flags as 1 and 0."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, Real | Decimal) and math.isfinite(value) and (whole := math.floor(value)) == value:
        return str(whole)
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8")
    return str(value)
