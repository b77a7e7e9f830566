"""Where columns come from: pandas, polars, Arrow, mappings of arrays. One column at a time, in one of three forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from leoreturns import _checks
from leoreturns.errors import PanelError

# NumPy array | pandas categorical | Arrow column: everything else is turned into one of these without loss.
Raw: TypeAlias = np.ndarray[Any, Any] | pd.Categorical | pa.ChunkedArray


class Source(Protocol):
    """A table whose columns are read one at a time."""

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in the caller's order."""

    @property
    def n_row(self) -> int:
        """Number of rows."""

    def column(self, name: str) -> Raw:
        """Return one column."""


class PandasSource:
    """A pandas DataFrame; named index levels count as columns."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._levels = [name for name in frame.index.names if isinstance(name, str) and name not in frame.columns]
        self.names = (*self._levels, *frame.columns)
        self.n_row = len(frame)

    def column(self, name: str) -> Raw:
        """Return one column, or one level of the index."""
        values = self._frame.index.get_level_values(name) if name in self._levels else self._frame[name]
        return as_raw(values, name)


class ArrowSource:
    """An Arrow table, or anything that streams as one."""

    def __init__(self, frame: Any) -> None:
        self._table = frame if isinstance(frame, pa.Table) else pa.table(frame)
        self.names = tuple(self._table.column_names)
        self.n_row = int(self._table.num_rows)

    def column(self, name: str) -> Raw:
        """Return one column."""
        return as_raw(self._table.column(name), name)


class MappingSource:
    """A mapping of names to arrays of one length."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = {name: as_raw(values, name) for name, values in columns.items()}
        self.names = tuple(columns)
        self.n_row = len(next(iter(self._columns.values()))) if columns else 0
        for name, values in self._columns.items():
            _checks.equal_length(name, len(values), self.n_row, "row")

    def column(self, name: str) -> Raw:
        """Return one column."""
        return self._columns[name]


def open_frame(frame: Any) -> Source:
    """Return the source that reads a frame of any supported kind."""
    source: Source
    if isinstance(frame, pd.DataFrame):  # before Arrow: pandas streams too, at the price of a copy
        source = PandasSource(frame)
    elif isinstance(frame, Mapping):
        source = MappingSource(frame)
    elif isinstance(frame, pa.Table | pa.RecordBatch) or hasattr(frame, "__arrow_c_stream__"):
        source = ArrowSource(frame)
    else:
        raise PanelError(
            f"cannot read the type {type(frame).__name__}; give a pandas or polars frame, an Arrow table or a mapping"
        )
    if not all(isinstance(name, str) for name in source.names):
        raise PanelError("column names must be text")
    _checks.unique_names(source.names)
    return source


def as_raw(values: Any, name: str) -> Raw:
    """Return a column as a NumPy array, a pandas categorical or an Arrow column."""
    if isinstance(values, pd.Series | pd.Index):
        values = values.array
    if isinstance(values, pd.Categorical | pa.ChunkedArray):
        return values
    if isinstance(values, pa.Array):
        return pa.chunked_array([values])
    if isinstance(values, np.ndarray | pd.arrays.NumpyExtensionArray) or _is_naive(values):
        return _as_numpy(np.asarray(values), name)
    if isinstance(values, pd.api.extensions.ExtensionArray):
        return _as_arrow(values, name)
    if hasattr(values, "__arrow_c_stream__"):
        return pa.chunked_array(values)
    if isinstance(values, list | tuple | range):
        return as_raw(pd.Series(values), name)
    raise PanelError(
        f"column {name!r} is of the type {type(values).__name__}; give an array, a Series or an Arrow column"
    )


def _is_naive(values: Any) -> bool:
    """Whether values are pandas datetimes without a time zone, which NumPy can hold."""
    return isinstance(values, pd.arrays.DatetimeArray) and values.tz is None


def _as_numpy(values: np.ndarray[Any, Any], name: str) -> Raw:
    """Return a one-dimensional array; text arrays go by Arrow, everything the kernels cannot read is refused."""
    if values.ndim != 1:
        raise PanelError(f"column {name!r} has {values.ndim} dimensions; give one value per row")
    if values.dtype.kind == "U":
        return _as_arrow(values, name)
    if values.dtype.kind not in "biufMO":
        raise PanelError(f"column {name!r} has the type {values.dtype}, which a panel cannot hold; convert it first")
    # The kernels read bytes in the machine's own order.
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _as_arrow(values: Any, name: str) -> pa.ChunkedArray:
    try:
        array = pa.array(values)
    except UnicodeError:
        _checks.valid_text(name, values.tolist())
        raise
    except (pa.ArrowException, TypeError):
        dtype = getattr(values, "dtype", type(values).__name__)
        # From None: Arrow's own message may quote a value.
        raise PanelError(f"column {name!r} has the type {dtype}, which a panel cannot hold; convert it first") from None
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
