"""Lists: several entries per person, such as subjects, aims or benefits, with dates and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leoreturns.panel import offsets as csr

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

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    weight: NDArray[np.float64]

    def __repr__(self) -> str:
        return f"<PersonList: {len(self.codes):,} entries of {len(self.offsets) - 1:,} persons>"

    def take(self, persons: NDArray[np.int64]) -> PersonList:
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

    @classmethod
    def joined(cls, parts: Sequence[PersonList]) -> PersonList:
        """Return the entries of parts whose persons follow each other."""
        columns: list[NDArray[Any]] = [
            np.concatenate([getattr(part, name) for part in parts]) for name in ("codes", "start", "end", "weight")
        ]
        return cls(csr.joined([part.offsets for part in parts]), *columns)
