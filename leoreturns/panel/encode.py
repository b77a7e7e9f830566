"""A column as the panel holds it: codes with labels, or numbers."""

from __future__ import annotations

import decimal
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leoreturns import _checks
from leoreturns._typing import AnyArray
from leoreturns.errors import PanelError
from leoreturns.panel import levels, rows
from leoreturns.panel.schema import Kind, Label
from leoreturns.panel.source import Raw

NAT = np.iinfo(np.int64).min  # how NumPy stores a missing datetime
OBJECT_CHUNK = 1 << 22  # Python objects turned into Arrow at a time
EXACT = 2**53  # whole numbers that a float64 tells apart


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Encoded:
    """A column in the rows' given order: codes (-1 missing) with labels, or numbers (NaN missing)."""

    values: AnyArray
    kind: Kind
    labels: tuple[Label, ...] = ()
    ordered: bool = False


def encode(name: str, raw: Raw) -> Encoded:
    """Turn a column of any supported kind into codes or numbers.

    Text, categories, conditions and dates become codes; whole numbers without missing entries keep the narrowest type,
    all other numbers become float64.

    Raises
    ------
    PanelError
        For mixed kinds, infinite values and types that a panel cannot hold; with counts, never with a value.
    """
    if isinstance(raw, pd.Categorical):
        return _categorical(name, raw)
    if isinstance(raw, pa.ChunkedArray):
        return _arrow(name, raw)
    if raw.dtype.kind == "O":
        return _objects(name, raw)
    if raw.dtype.kind == "b":
        return encode_codes(raw.view(np.int8), (False, True))
    if raw.dtype.kind == "M":
        return _moments(name, raw, zoned=False)
    return _numbers(name, raw)


def encode_coded(name: str, raw: Raw) -> Encoded:
    """Encode a column of whole or broken numbers as codes, as `encode` does for categories of numbers."""
    encoded = encode(name, raw)
    if encoded.kind == "code":
        return encoded
    return _categorical(name, pd.Categorical(encoded.values))


def encode_codes(codes: AnyArray, labels: Sequence[Label], *, ordered: bool = False) -> Encoded:
    """Settle codes that are given: no unused label, labels sorted unless their order was declared."""
    settled, used = levels.settle(np.ascontiguousarray(codes), labels, ordered=ordered)
    return Encoded(settled, "code", used, ordered)


def _numbers(name: str, values: AnyArray) -> Encoded:
    if values.dtype.kind in "iu":
        try:
            return Encoded(levels.narrow(values), "number")
        except OverflowError:
            raise PanelError(f"column {name!r} holds whole numbers beyond 64 bits signed; give it as text") from None
    _checks.finite(name, values)
    return Encoded(np.ascontiguousarray(values, dtype=np.float64), "number")


def _moments(name: str, values: AnyArray, *, zoned: bool) -> Encoded:
    """Code datetimes by their distinct integers; only these are turned into labels."""
    numbered = levels.number_distinct(values.view(np.int64))
    assert numbered is not None
    codes, found = numbered
    known = found != NAT
    try:
        labels = levels.moment_labels(found[known].view(values.dtype), zoned=zoned)
    except ValueError as error:
        raise PanelError(f"column {name!r} holds datetimes {error}; round or convert them first") from None
    if not known.all():
        table = np.where(known, np.cumsum(known) - 1, -1).astype(np.int32)
        codes = rows.recode(codes, table, base=0, dtype=codes.dtype)
    return encode_codes(codes, labels)


def _categorical(name: str, values: pd.Categorical[Any]) -> Encoded:
    labels = category_labels(name, values.categories)
    return encode_codes(values.codes, labels, ordered=bool(values.ordered))


def category_labels(name: str, categories: pd.Index[Any]) -> list[Label]:
    """Return the categories as labels; kinds without a Python scalar (intervals, periods) by their text."""
    kind = pd.api.types.infer_dtype(categories, skipna=False)
    if kind == "string":
        _checks.valid_text(name, categories)
    if kind in ("string", "boolean", "integer", "date", "empty"):
        return list(categories.tolist())
    if kind in ("floating", "mixed-integer-float"):
        _checks.finite(name, np.asarray(categories, dtype=np.float64))
        return [int(value) if float(value).is_integer() else float(value) for value in categories]
    if kind in ("datetime64", "datetime"):
        zoned = getattr(categories.dtype, "tz", None) is not None
        moments = categories.tz_convert("UTC").tz_localize(None) if zoned else categories  # type: ignore[attr-defined]
        return levels.moment_labels(np.asarray(moments), zoned=zoned)
    if kind in ("interval", "period"):
        return [str(category) for category in categories]
    raise PanelError(f"column {name!r} has categories of kind {kind}; give text, numbers, conditions or dates")


# ---- Arrow ----------------------------------------------------------------------------------------------------------


def _arrow(name: str, column: pa.ChunkedArray) -> Encoded:
    kind = column.type
    types = pa.types
    if types.is_dictionary(kind):
        return _dictionary(name, column)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _text(name, column)
    if types.is_boolean(kind):
        return encode_codes(_filled(column, pa.int8(), -1), (False, True))
    if types.is_date(kind) or types.is_timestamp(kind):
        return _arrow_moments(name, column)
    if types.is_decimal(kind):
        return _numbers(name, column.cast(pa.float64(), safe=False).to_numpy())
    if types.is_integer(kind):
        return _arrow_integers(name, column)
    if types.is_floating(kind):
        return _numbers(name, column.to_numpy())
    if types.is_null(kind):
        return encode_codes(np.full(len(column), -1, dtype=np.int8), ())
    raise PanelError(f"column {name!r} has the Arrow type {kind}, which a panel cannot hold; convert it first")


def _arrow_integers(name: str, column: pa.ChunkedArray) -> Encoded:
    if column.null_count and column.null_count < len(column):
        bounds = pc.min_max(column)
        if max(-bounds["min"].as_py(), bounds["max"].as_py()) > EXACT:
            raise PanelError(
                f"column {name!r} holds whole numbers beyond 2**53 beside missing entries; give it as text"
            )
    return _numbers(name, column.to_numpy())


def _arrow_moments(name: str, column: pa.ChunkedArray) -> Encoded:
    if pa.types.is_timestamp(column.type):
        unit, zoned = column.type.unit, column.type.tz is not None
    else:
        column, unit, zoned = column.cast(pa.timestamp("ms")), "ms", False
    return _moments(name, _filled(column, pa.int64(), NAT).view(f"datetime64[{unit}]"), zoned=zoned)


def _filled(column: pa.ChunkedArray, kind: pa.DataType, missing: int) -> AnyArray:
    """Return whole numbers with missing entries replaced, chunk by chunk into one array."""
    out = np.empty(len(column), dtype=kind.to_pandas_dtype())
    at = 0
    for chunk in column.chunks:
        out[at : at + len(chunk)] = chunk.cast(kind).fill_null(missing).to_numpy(zero_copy_only=False)
        at += len(chunk)
    return out


def _text(name: str, column: pa.ChunkedArray) -> Encoded:
    codes, labels = text_codes(name, column)
    return encode_codes(codes, labels.to_pylist())


def text_codes(name: str, column: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.Array]:
    """Return codes (-1 missing) and the distinct texts of an Arrow text column, by first appearance."""
    if not pa.types.is_large_string(column.type):
        column = column.cast(pa.large_string())
    encoded = pc.dictionary_encode(column)
    labels = encoded.chunk(0).dictionary if encoded.num_chunks else pa.array([], pa.large_string())
    _valid_text(name, labels)
    indices = pa.chunked_array([chunk.indices for chunk in encoded.chunks], pa.int32())
    return _filled(indices, pa.int32(), -1), labels


def dictionary_codes(name: str, column: pa.ChunkedArray) -> tuple[AnyArray, pa.Array]:
    """Return codes (-1 missing) and the dictionary of a dictionary-encoded Arrow column."""
    if column.num_chunks == 0:
        return np.empty(0, dtype=np.int32), pa.array([], column.type.value_type)
    if pa.types.is_string_view(column.type.value_type):  # which Arrow cannot unify
        column = pa.chunked_array(
            [
                pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(pa.large_string()))
                for chunk in column.chunks
            ]
        )
    unified = column.unify_dictionaries()
    indices = pa.chunked_array([chunk.indices for chunk in unified.chunks])
    _valid_text(name, unified.chunk(0).dictionary)
    return _filled(indices, pa.int32(), -1), unified.chunk(0).dictionary


def _valid_text(name: str, texts: pa.Array) -> None:
    """Refuse texts that are not UTF-8, which Arrow itself takes on trust."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        _checks.valid_text(name, texts.cast(pa.large_binary()).to_pylist())


def _dictionary(name: str, column: pa.ChunkedArray) -> Encoded:
    codes, dictionary = dictionary_codes(name, column)
    if dictionary.null_count:  # a missing entry may also be coded as a level that is null
        known = np.asarray(dictionary.is_valid())
        table = np.where(known, np.cumsum(known) - 1, -1).astype(np.int32)
        codes, dictionary = rows.recode(codes, table, base=0, dtype=codes.dtype), dictionary.drop_null()
    if pa.types.is_string(dictionary.type) or pa.types.is_large_string(dictionary.type):
        labels: list[Label] = dictionary.to_pylist()
    else:
        labels = category_labels(name, pd.Index(dictionary.to_pandas()))
    return encode_codes(codes, labels, ordered=bool(column.type.ordered))


# ---- Python objects -------------------------------------------------------------------------------------------------


def _objects(name: str, values: AnyArray) -> Encoded:
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "string":
        return _object_text(name, values)
    if kind in ("integer", "floating", "mixed-integer-float", "decimal", "mixed-integer", "mixed"):
        numeric, other = count_numeric(values)
        _checks.one_kind(name, numeric, other)
        if numeric:
            return _arrow_or_numbers(name, values)
    if kind in ("boolean", "date", "datetime", "datetime64", "empty"):
        parts = [_part(name, values[at : at + OBJECT_CHUNK]) for at in range(0, max(len(values), 1), OBJECT_CHUNK)]
        known = [part.type for part in parts if not pa.types.is_null(part.type)]
        return _arrow(name, pa.chunked_array([part.cast(known[0]) if known else part for part in parts]))
    raise PanelError(
        f"column {name!r} holds Python objects of kind {kind}; convert it to text, numbers, conditions or dates"
    )


def _part(name: str, values: AnyArray) -> pa.Array:
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise PanelError(f"column {name!r} holds Python objects of several kinds; convert it to one kind") from None


def _arrow_or_numbers(name: str, values: AnyArray) -> Encoded:
    """Encode numbers held as Python objects: whole numbers stay whole where none is missing."""
    missing = pd.isna(values)
    known = values[~missing]
    if all(isinstance(value, numbers.Integral) for value in known):
        if not missing.any():
            try:
                return _numbers(name, known.astype(np.int64))
            except OverflowError:
                raise PanelError(
                    f"column {name!r} holds whole numbers beyond 64 bits signed; give it as text"
                ) from None
        if any(abs(int(value)) > EXACT for value in known):
            raise PanelError(
                f"column {name!r} holds whole numbers beyond 2**53 beside missing entries; give it as text"
            )
    out = np.full(len(values), np.nan)
    out[~missing] = known.astype(np.float64)
    return _numbers(name, out)


def _object_text(name: str, values: AnyArray) -> Encoded:
    codes, labels = object_text_codes(name, values)
    return encode_codes(codes, labels.to_pylist())


def object_text_codes(name: str, values: AnyArray) -> tuple[NDArray[np.int32], pa.Array]:
    """Return codes and distinct texts of Python strings; only a chunk and the distinct texts are held as Arrow."""
    labels = pa.array([], pa.large_string())
    codes = np.empty(len(values), dtype=np.int32)
    for at in range(0, len(values), OBJECT_CHUNK):
        try:
            part = pa.array(values[at : at + OBJECT_CHUNK], pa.large_string(), from_pandas=True)
        except UnicodeEncodeError:
            _checks.valid_text(name, values)
            raise
        here, fresh = text_codes(name, pa.chunked_array([part]))
        place = pc.index_in(fresh, value_set=labels)
        unknown = place.is_null()
        new = pc.filter(fresh, unknown)
        table = np.asarray(place.fill_null(0)).astype(np.int32)
        table[np.asarray(unknown)] = np.arange(len(labels), len(labels) + len(new), dtype=np.int32)
        codes[at : at + len(here)] = rows.recode(here, table, base=0, dtype=table.dtype)
        labels = pa.concat_arrays([labels, new])
    return codes, labels


def is_number(value: object) -> bool:
    """Whether a Python object is a number; conditions are not."""
    return isinstance(value, numbers.Real | decimal.Decimal) and not isinstance(value, bool | np.bool_)


def count_numeric(values: AnyArray) -> tuple[int, int]:
    """Count the entries that are numbers and those that are neither numbers nor missing."""
    known = values[~pd.isna(values)]
    numeric = sum(map(is_number, known))
    return numeric, len(known) - numeric


def order_codes(values: AnyArray) -> NDArray[np.int32]:
    """Return codes of a number column in the order of its values (for periods that are not whole)."""
    _, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int32)


def all_whole(values: AnyArray) -> bool:
    """Whether every float is a whole number that a float tells apart from its neighbours."""
    return all(
        bool(((part == np.floor(part)) & (np.abs(part) <= EXACT)).all())
        for part in (values[first:last] for first, last in rows.slices(len(values)))
    )
