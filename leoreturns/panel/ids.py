"""Person ids: told apart exactly, ordered by the hash of their canonical bytes.

The canonical bytes of a whole number are its ASCII decimal digits, those of a text its UTF-8 bytes, so that 5, 5.0 and
"5" name the same person in the same place. Equal hashes of different ids are put in the order of these bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leoreturns import _checks
from leoreturns._core import codes as kernel_codes
from leoreturns._typing import AnyArray, IntArray
from leoreturns.errors import PanelError
from leoreturns.panel import encode, levels, rows
from leoreturns.panel.source import Raw


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PersonIds:
    """The exact ids of persons, in the panel's order.

    Attributes
    ----------
    data : int64[n_person] of whole numbers, or uint8[n_bytes], the UTF-8 bytes of all texts
    offsets : int64[n_person + 1] or None
        Where each text begins and ends; None for whole numbers.
    """

    data: AnyArray
    offsets: IntArray | None = None

    @property
    def is_text(self) -> bool:
        """Whether the ids are texts."""
        return self.offsets is not None

    def __repr__(self) -> str:
        return f"<PersonIds: {len(self):,} persons>"

    def __len__(self) -> int:
        return len(self.data) if self.offsets is None else len(self.offsets) - 1

    @classmethod
    def from_arrow(cls, texts: pa.Array) -> PersonIds:
        """Hold the texts of an Arrow array without a missing entry."""
        if not len(texts):
            return cls(np.empty(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))
        texts = texts.cast(pa.large_string())
        _, offsets, data = texts.buffers()
        ends = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
        return cls(np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]].copy(), ends - ends[0])

    def to_arrow(self) -> pa.Array:
        """Return the ids as an Arrow array (int64 or large_string) on the same memory."""
        if self.offsets is None:
            return pa.array(self.data)
        buffers = [None, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.large_string(), len(self), buffers)

    def take(self, order: IntArray) -> PersonIds:
        """Return the ids of some persons, in the given order."""
        if self.offsets is None:
            return PersonIds(rows.take(self.data, order))
        return PersonIds.from_arrow(self.to_arrow().take(pa.array(order)))

    def part(self, first: int, last: int) -> PersonIds:
        """Return the ids of persons first:last, sharing memory."""
        if self.offsets is None:
            return PersonIds(self.data[first:last])
        ends = self.offsets[first : last + 1]
        return PersonIds(self.data[ends[0] : ends[-1]], ends - ends[0])

    def hashed(self) -> NDArray[np.uint64]:
        """Return the 64-bit key of each id: FNV-1a over its canonical bytes, finished by fmix64."""
        keys = np.empty(len(self), dtype=np.uint64)
        if self.offsets is None:
            kernel_codes.hash_integers(self.data, keys)
        else:
            kernel_codes.hash_text(self.data, self.offsets, keys)
        return keys

    def canonical(self, person: int) -> bytes:
        """Return the canonical bytes of one id."""
        if self.offsets is None:
            return str(int(self.data[person])).encode()
        return bytes(self.data[self.offsets[person] : self.offsets[person + 1]])

    def positions(self, others: PersonIds) -> IntArray:
        """Return where each of `others` stands among these ids; -1 where it does not."""
        mine, theirs = self.to_arrow(), others.to_arrow()
        if self.is_text != others.is_text:
            mine, theirs = mine.cast(pa.large_string()), theirs.cast(pa.large_string())
        found = pc.index_in(theirs, value_set=mine)
        return np.asarray(found.fill_null(-1)).astype(np.int64)


def sorted_persons(ids: PersonIds, keys: NDArray[np.uint64]) -> IntArray:
    """Return the persons in the order of (key, canonical bytes)."""
    order = np.argsort(keys, kind="stable")
    in_order = keys[order]
    ties = np.flatnonzero(in_order[1:] == in_order[:-1])
    for start in ties[np.append(True, np.diff(ties) > 1)] if len(ties) else ():
        stop = start + 1
        while stop < len(order) and in_order[stop] == in_order[start]:
            stop += 1
        order[start:stop] = sorted(order[start:stop], key=lambda person: ids.canonical(int(person)))
    return order


def encode_ids(name: str, raw: Raw) -> tuple[NDArray[np.int32], PersonIds]:
    """Number the persons of a column of ids by first appearance.

    Returns
    -------
    codes : int32[n_row]
    ids : PersonIds
        The distinct ids, in the order of their codes.

    Raises
    ------
    PanelError
        For missing or empty ids (with their number), and for kinds that cannot tell persons apart.
    """
    if isinstance(raw, pd.Categorical):
        return _category_ids(name, raw)
    if isinstance(raw, pa.ChunkedArray):
        return _arrow_ids(name, raw)
    if raw.dtype.kind == "O":
        return _object_ids(name, raw)
    return _number_ids(name, raw)


def _number_ids(name: str, values: AnyArray) -> tuple[NDArray[np.int32], PersonIds]:
    if values.dtype.kind == "f":
        _checks.no_missing(name, sum(int(np.isnan(values[a:b]).sum()) for a, b in rows.slices(len(values))), "the id")
        _checks.finite(name, values)
        _checks.whole(name, values)
        values = values.astype(np.int64)
    if values.dtype.kind == "u":
        try:
            values = levels.narrow(values)
        except OverflowError:
            raise PanelError(f"column {name!r} holds ids beyond 64 bits signed; give them as text") from None
    if values.dtype.kind != "i":
        raise PanelError(f"column {name!r} has the type {values.dtype}; ids must be whole numbers or text")
    numbered = levels.number_distinct(values)
    assert numbered is not None
    return numbered[0], PersonIds(numbered[1])


def _text_ids(name: str, codes: AnyArray, texts: pa.Array) -> tuple[NDArray[np.int32], PersonIds]:
    """Drop texts that no row has; refuse missing and empty ids."""
    seen, missing = rows.observed(codes, base=0, span=len(texts))
    blank = np.asarray(pc.equal(pc.binary_length(texts), 0)).astype(bool) & seen
    if blank.any():
        missing += int(np.isin(codes, np.flatnonzero(blank)).sum())
    _checks.no_missing(name, missing, "the id")
    if seen.all():
        return np.asarray(codes, dtype=np.int32), PersonIds.from_arrow(texts)
    table = np.where(seen, np.cumsum(seen) - 1, -1).astype(np.int32)
    return rows.recode(codes, table, base=0, dtype=np.dtype(np.int32)), PersonIds.from_arrow(
        texts.filter(pa.array(seen))
    )


def _distinct(codes: AnyArray, texts: pa.Array) -> tuple[AnyArray, pa.Array]:
    """Give equal texts one code: an Arrow dictionary may hold a text twice, or an entry that is null."""
    encoded = pc.dictionary_encode(texts.cast(pa.large_string()).fill_null(""))  # empty ids are refused as missing
    table = np.asarray(encoded.indices).astype(np.int32)
    return rows.recode(codes, table, base=0, dtype=table.dtype), encoded.dictionary


def _category_ids(name: str, values: pd.Categorical[Any]) -> tuple[NDArray[np.int32], PersonIds]:
    labels = encode.category_labels(name, values.categories)
    if labels and all(isinstance(label, str) for label in labels):
        return _text_ids(name, np.ascontiguousarray(values.codes), pa.array(labels, pa.large_string()))
    if not all(isinstance(label, int) and not isinstance(label, bool) for label in labels):
        raise PanelError(f"column {name!r} has categories that are not ids; ids must be whole numbers or text")
    _checks.no_missing(name, rows.count_missing(values.codes), "the id")
    return _number_ids(name, np.array(labels, dtype=np.int64)[values.codes])


def _arrow_ids(name: str, column: pa.ChunkedArray) -> tuple[NDArray[np.int32], PersonIds]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        codes, labels = encode.dictionary_codes(name, column)
        if pa.types.is_integer(labels.type):
            column = pa.chunked_array([labels.take(pa.array(codes, mask=codes < 0))])
            kind = column.type
        elif pa.types.is_string(labels.type) or pa.types.is_large_string(labels.type):
            return _text_ids(name, *_distinct(codes, labels))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _text_ids(name, *encode.text_codes(name, column))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        _checks.no_missing(name, column.null_count, "the id")
        return _number_ids(name, column.to_numpy())
    raise PanelError(f"column {name!r} has the Arrow type {kind}; ids must be whole numbers or text")


def _object_ids(name: str, values: AnyArray) -> tuple[NDArray[np.int32], PersonIds]:
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in ("string", "empty"):
        return _text_ids(name, *encode.object_text_codes(name, values))
    numeric, other = encode.count_numeric(values)
    _checks.one_kind(name, numeric, other)
    _checks.no_missing(name, len(values) - numeric - other, "the id")
    if kind in ("integer", "floating", "mixed-integer-float"):
        try:
            return _number_ids(name, values.astype(np.int64 if kind == "integer" else np.float64))
        except OverflowError:
            raise PanelError(f"column {name!r} holds ids beyond 64 bits signed; give them as text") from None
    raise PanelError(f"column {name!r} holds Python objects of kind {kind}; ids must be whole numbers or text")
