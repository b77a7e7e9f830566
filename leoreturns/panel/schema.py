"""What a panel's columns are: level, kind, labels, owner, unit."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from leoreturns._typing import CodeArray, Level
from leoreturns.errors import PanelError

Kind = Literal["code", "number"]
Label = str | bool | int | float | dt.date | dt.datetime

MONEY = re.compile(r"[A-Z]{3}/(year|hour)")
UNITS = "'<currency>/year' and '<currency>/hour' with a three-letter currency code, such as 'GBP/year', and 'log'"

FORMAT = 1  # of schema.json; a later format is refused, never guessed


def is_unit(text: object) -> bool:
    """Whether a text is a unit that numbers may have: "<currency>/year", "<currency>/hour" or "log"."""
    return isinstance(text, str) and (text == "log" or MONEY.fullmatch(text) is not None)


def check_unit(name: str, unit: object) -> None:
    """Refuse a unit whose rounding nobody defines."""
    if not is_unit(unit):
        raise PanelError(f"unit {unit!r} of column {name!r} is not known; known are {UNITS}")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a panel, described without its values.

    Attributes
    ----------
    name : str
    level : {"person", "year"}
        Stored once per person, or once per person and time.
    kind : {"code", "number"}
        Integer codes into `labels` with -1 for missing, or numbers with NaN for missing.
    labels : tuple
        Python scalars in the order of their codes: sorted, or the declared order of an ordered category.
    ordered : bool
        Whether the order of the labels was declared.
    owner : str or None
        Who owns the data, such as ``"HMRC"``.
    unit : str or None
        ``"<currency>/year"``, ``"<currency>/hour"`` or ``"log"``, such as ``"GBP/year"``.
    entity : bool
        Whether the labels are entities that disclosure control counts, such as schools or employers.
    missing : int
        Stored entries (persons or rows, by level) without a value.
    measured : float or None
        Age in years at which the value is settled, infinite where any later record may change it; None where nobody has
        said.
    """

    name: str
    level: Level
    kind: Kind
    labels: tuple[Label, ...] = field(default=(), repr=False)  # of dates or places, labels come close to values
    ordered: bool = False
    owner: str | None = None
    unit: str | None = None
    entity: bool = False
    missing: int = 0
    measured: float | None = None

    @property
    def is_bool(self) -> bool:
        """Whether the column is a condition: codes whose labels are True and False."""
        return self.kind == "code" and bool(self.labels) and all(isinstance(label, bool) for label in self.labels)


def united(columns: Sequence[Column]) -> Column:
    """Return one description of a column that several parts hold: all labels, and the missing entries added."""
    known = [column for column in columns if column.kind == "number" or column.labels] or columns[:1]
    first = known[0]
    if len({(column.kind, column.is_bool, column.ordered) for column in known}) > 1:
        raise PanelError(f"column {first.name!r} is of another kind in some parts than in others")
    labels = first.labels
    if any(column.labels != labels for column in known):
        if first.ordered:
            raise PanelError(f"the ordered levels of column {first.name!r} differ between parts; give text or numbers")
        try:
            labels = tuple(sorted({label for column in known for label in column.labels}))
        except TypeError:
            raise PanelError(f"column {first.name!r} has labels of another kind in some parts than in others") from None
    return dataclasses.replace(first, labels=labels, missing=sum(column.missing for column in columns))


@dataclass(frozen=True, slots=True)
class ListColumn:
    """One list of a panel (several entries per person), described without its values."""

    name: str
    labels: tuple[Label, ...] = field(repr=False)
    entries: int


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a panel.

    Attributes
    ----------
    person, time : str
        The caller's names of the id and the period.
    columns : dict of str to Column
        Every column but the id, in the caller's order; the period among them.
    lists : dict of str to ListColumn
    """

    person: str
    time: str
    columns: dict[str, Column]
    lists: dict[str, ListColumn] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names a caller may use: the id and every column."""
        return (self.person, *self.columns)

    def to_json(self) -> dict[str, Any]:
        """Return the schema as what JSON can hold."""
        return {
            "format": FORMAT,
            "person": self.person,
            "time": self.time,
            "columns": [
                {
                    "name": column.name,
                    "level": column.level,
                    "kind": column.kind,
                    "labels": _labels_to_json(column.labels),
                    "ordered": column.ordered,
                    "owner": column.owner,
                    "unit": column.unit,
                    "entity": column.entity,
                    "missing": column.missing,
                    "measured": column.measured,
                }
                for column in self.columns.values()
            ],
            "lists": [
                {"name": entry.name, "labels": _labels_to_json(entry.labels), "entries": entry.entries}
                for entry in self.lists.values()
            ],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Schema:
        """Read back what `to_json` gave."""
        if stored.get("format") != FORMAT:
            raise PanelError(f"the panel was stored in format {stored.get('format')!r}; this version reads {FORMAT}")
        columns = [Column(**{**entry, "labels": _labels_from_json(entry["labels"])}) for entry in stored["columns"]]
        lists = [ListColumn(**{**entry, "labels": _labels_from_json(entry["labels"])}) for entry in stored["lists"]]
        return cls(
            stored["person"],
            stored["time"],
            {column.name: column for column in columns},
            {entry.name: entry for entry in lists},
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Key:
    """A column as integer codes for grouping.

    Attributes
    ----------
    codes : ndarray of int8, int16 or int32
        One per stored person or stored row (by `level`); -1 for missing. Read-only.
    labels : tuple
        The label of each code.
    level : {"person", "year"}
    """

    codes: CodeArray
    labels: tuple[Label, ...]
    level: Level

    def __repr__(self) -> str:
        return f"<Key: {len(self.labels):,} levels by {self.level}>"


def _labels_to_json(labels: tuple[Label, ...]) -> dict[str, Any]:
    """Return labels with the name of their type; dates as ISO texts, floats exactly."""
    # datetime is a date and bool an int: the narrower type is tested first.
    for name, kind in (("bool", bool), ("datetime", dt.datetime), ("date", dt.date), ("int", int), ("float", float)):
        if labels and all(isinstance(label, kind) for label in labels):
            texts = name in ("date", "datetime")
            return {"type": name, "values": [label.isoformat() if texts else label for label in labels]}  # type: ignore[union-attr]
    return {"type": "str", "values": list(labels)}


def _labels_from_json(stored: Mapping[str, Any]) -> tuple[Label, ...]:
    """Read back what `_labels_to_json` gave."""
    if stored["type"] == "date":
        return tuple(dt.date.fromisoformat(value) for value in stored["values"])
    if stored["type"] == "datetime":
        return tuple(dt.datetime.fromisoformat(value) for value in stored["values"])
    if stored["type"] == "float":
        return tuple(float(value) for value in stored["values"])
    return tuple(stored["values"])
