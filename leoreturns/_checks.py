"""One function per check; a message names the column, the count and what to do, never a person's value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from leoreturns.errors import PanelError, SupportError

CHUNK = 1 << 20  # rows per step where a whole-column temporary would cost memory


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 row``, ``2,000 rows``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def known_names(names: Iterable[str], known: Collection[str], what: str = "column") -> None:
    """Refuse names that are not among the known ones."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise PanelError(f"unknown {what} {', '.join(map(repr, unknown))}; known: {', '.join(map(repr, known))}")


def unique_names(names: Sequence[str]) -> None:
    """Refuse a frame in which a column name occurs twice."""
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise PanelError(f"the frame has more than one column named {', '.join(map(repr, repeated))}; rename them")


def has_rows(n_row: int) -> None:
    """Refuse data without a row."""
    if n_row == 0:
        raise PanelError("the data have no rows")


def equal_length(name: str, length: int, expected: int, noun: str) -> None:
    """Refuse an array of another length than the rows or persons it should describe."""
    if length != expected:
        raise PanelError(f"column {name!r} has {counted(length, 'value')} for {counted(expected, noun)}")


def no_missing(name: str, missing: int, role: str) -> None:
    """Refuse missing entries in the id or the period."""
    if missing:
        raise PanelError(
            f"column {name!r} ({role}) is missing in {counted(missing, 'row')}; drop or complete them first"
        )


def valid_text(name: str, texts: Iterable[object]) -> None:
    """Refuse texts that are not valid Unicode: bytes that UTF-8 cannot read, Python text that it cannot write."""
    broken = sum(map(_is_broken, texts))
    if broken:
        # From None: Python's own message quotes the text.
        raise PanelError(
            f"column {name!r} holds {counted(broken, 'text')} not valid as UTF-8; correct the encoding"
        ) from None


def _is_broken(text: object) -> bool:
    try:
        if isinstance(text, bytes):
            text.decode()
        elif isinstance(text, str):
            text.encode()
    except UnicodeError:
        return True
    return False


def finite(name: str, values: NDArray[np.floating[Any]]) -> None:
    """Refuse infinite values; NaN is missing and passes."""
    infinite = sum(int(np.isinf(values[at : at + CHUNK]).sum()) for at in range(0, len(values), CHUNK))
    if infinite:
        raise PanelError(f"column {name!r} has {counted(infinite, 'infinite value')}; set them missing or correct them")


def whole(name: str, values: NDArray[np.floating[Any]]) -> None:
    """Refuse ids held as floats that are not whole, or too large for a float of their type to tell apart."""
    inexact = 2 ** (np.finfo(values.dtype).nmant + 1)  # rounds to itself, and so does the next whole number
    broken = 0
    for at in range(0, len(values), CHUNK):
        part = values[at : at + CHUNK]
        broken += int(((part != np.floor(part)) | (np.abs(part) >= inexact)).sum())
    if broken:
        raise PanelError(
            f"column {name!r} holds ids as floats, of which {counted(broken, 'value')} cannot be told apart exactly; "
            "give whole numbers or text"
        )


def one_row_per_period(person: str, time: str, rows: int, persons: int) -> None:
    """Refuse a (person, period) that occurs twice."""
    if rows:
        raise PanelError(
            f"({person!r}, {time!r}) is not unique: {counted(rows, 'row')} repeat a period already given, "
            f"in {counted(persons, 'person')}; aggregate or drop them first"
        )


def constant_within_persons(name: str, varying: int, only_missing: int) -> None:
    """Refuse a declared trait that varies within persons."""
    if varying:
        raise PanelError(
            f"trait {name!r} varies within {counted(varying, 'person')} (in {only_missing:,} of them only between "
            "one value and missing); correct it, or name it in time_varying instead"
        )


def numeric(name: str, kind: str, entries: int, given: int) -> None:
    """Refuse a column that must hold numbers (it has a unit, or is a weight) and does not."""
    if kind != "number":
        raise PanelError(
            f"column {name!r} must hold numbers, but {entries:,} of {given:,} entries are not numeric; "
            "convert or drop them"
        )


def one_kind(name: str, numeric: int, other: int) -> None:
    """Refuse a column that mixes numbers with anything else."""
    if numeric and other:
        raise PanelError(
            f"column {name!r} mixes {counted(numeric, 'number')} with {other:,} non-numeric entries; "
            "convert it to one kind"
        )


def persons_known(what: str, unknown: int) -> None:
    """Refuse records of persons who are not in the panel."""
    if unknown:
        raise PanelError(f"{what} names {counted(unknown, 'person')} who are not in the panel; drop their rows first")


def usable_weights(name: str, missing: int, negative: int) -> None:
    """Refuse weights that are missing or negative."""
    if missing or negative:
        raise PanelError(
            f"column {name!r} has {missing:,} missing and {negative:,} negative weights; correct them first"
        )


def level_limit(name: str, levels: str, limit: int) -> NoReturn:
    """Refuse a key with too many levels (call when the limit is passed)."""
    raise SupportError(f"key {name!r} has {levels} levels; the limit is {limit:,}. Band it, or group by another column")
