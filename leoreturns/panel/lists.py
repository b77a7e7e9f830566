"""Lists: several entries per person, such as subjects, aims or benefits, with dates and weights."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leoreturns import _checks
from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import PanelError
from leoreturns.panel import encode, ids, rows
from leoreturns.panel import offsets as csr
from leoreturns.panel.schema import Label
from leoreturns.panel.source import Source, open_frame

OPTIONAL = ("start", "end", "weight")
EPOCH = dt.date(1970, 1, 1)
NO_DATE = np.iinfo(np.int32).min  # a start or end that is missing


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PersonList:
    """The entries of one list, by person (CSR).

    Attributes
    ----------
    offsets : int64[n_person_stored + 1]
        Entries ``offsets[i] : offsets[i + 1]`` belong to person i, sorted by code, start, end, weight.
    codes : int32[n]
        Into the labels of the list's schema entry; -1 for missing.
    start, end : int32[n]
        Days since 1970-01-01; `NO_DATE` (the smallest int32) for missing.
    weight : float64[n]
        1 where none was given.
    """

    offsets: IntArray
    codes: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    weight: FloatArray

    def __repr__(self) -> str:
        return f"<PersonList: {len(self.codes):,} entries of {len(self.offsets) - 1:,} persons>"

    def take(self, persons: IntArray) -> PersonList:
        """Return the entries of some persons, in the given order."""
        entries, offsets = csr.entries_of(self.offsets, persons)
        return PersonList(offsets, self.codes[entries], self.start[entries], self.end[entries], self.weight[entries])

    def part(self, first: int, last: int) -> PersonList:
        """Return the entries of persons first:last, sharing arrays."""
        start, stop = int(self.offsets[first]), int(self.offsets[last])
        offsets = self.offsets[first : last + 1] - start
        return PersonList(
            offsets, self.codes[start:stop], self.start[start:stop], self.end[start:stop], self.weight[start:stop]
        )


def read_list(name: str, frame: Any, person: str, people: ids.PersonIds) -> tuple[PersonList, tuple[Label, ...]]:
    """Read a list from a frame with the columns person, code and optionally start, end, weight.

    Parameters
    ----------
    name : str
        Of the list, for messages.
    frame : frame of any supported kind
        One row per entry. The id's column is called as in the panel, or ``person``.
    person : str
        The panel's name of the id.
    people : PersonIds
        The persons of the panel, in its order.

    Raises
    ------
    PanelError
        For persons who are not in the panel (with their number), unknown columns, dates that are none, and weights that
        are missing or negative.
    """
    source = open_frame(frame)
    id_name = person if person in source.names else "person"
    _checks.known_names([id_name, "code"], source.names, f"column of list {name!r}:")
    _checks.known_names(source.names, [id_name, "code", *OPTIONAL], f"column of list {name!r}:")
    what = f"list {name!r}"
    positions = _positions(what, source, id_name, people)
    codes = encode.encode_coded(f"{name}.code", source.column("code"))
    start, end = (_days(f"{name}.{bound}", source, bound) for bound in ("start", "end"))
    weight = _weights(f"{name}.weight", source)
    # Entries of a person in one fixed order, whatever the order of the rows.
    order = np.lexsort((weight, end, start, codes.values, positions))
    counts = np.bincount(positions, minlength=len(people))
    return PersonList(
        csr.from_counts(counts), codes.values.astype(np.int32)[order], start[order], end[order], weight[order]
    ), codes.labels


def _positions(what: str, source: Source, id_name: str, people: ids.PersonIds) -> IntArray:
    """Return each entry's person; refuse persons who are not in the panel."""
    if source.n_row == 0:
        return np.empty(0, dtype=np.int64)
    codes, distinct = ids.encode_ids(id_name, source.column(id_name))
    positions = people.positions(distinct)
    _checks.persons_known(what, int((positions < 0).sum()))
    return positions[codes]


def _days(name: str, source: Source, bound: str) -> NDArray[np.int32]:
    """Return dates as days since 1970-01-01."""
    if bound not in source.names:
        return np.full(source.n_row, NO_DATE, dtype=np.int32)
    encoded = encode.encode(name, source.column(bound))
    if encoded.kind != "code" or any(type(label) is not dt.date for label in encoded.labels):
        raise PanelError(f"column {name!r} must hold dates without a time of day")
    days = [(label - EPOCH).days for label in encoded.labels if isinstance(label, dt.date)]
    # The last entry serves the missing code -1.
    return np.array([*days, NO_DATE], dtype=np.int32)[encoded.values]


def _weights(name: str, source: Source) -> FloatArray:
    if "weight" not in source.names:
        return np.ones(source.n_row)
    encoded = encode.encode(name, source.column("weight"))
    _checks.numeric(name, encoded.kind, rows.count_known(encoded.values), source.n_row)
    weights = encoded.values.astype(np.float64)
    _checks.usable_weights(name, int(np.isnan(weights).sum()), int((weights < 0).sum()))
    return weights
