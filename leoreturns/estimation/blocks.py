"""Rows in blocks that depend on the data only, the rows of each eliminated group adjacent.

Persons are taken by the leading bits of their keys, so that a block holds the same persons whatever else the panel
stores; any other effect by ranges of its levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeVar

import numpy as np

from leoreturns._core import codes as kernel_codes
from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray, IntArray
from leoreturns.estimation.sample import Sample
from leoreturns.estimation.variables import Codes
from leoreturns.panel.rows import as_bytes, expand

BLOCK_ROWS = 1 << 17  # enough that calling the kernels costs nothing, also where threads wait for each other to call
MAX_BITS = 12  # of the key, so at most 4,096 blocks of persons
MAX_RUNS = 64
RUN_BYTES = 1 << 29  # that the partial results of all runs may take

Centre = Literal["groups", "mean", "none"]
Partial = TypeVar("Partial")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Block:
    """Some rows of the sample.

    Attributes
    ----------
    rows : slice or int64 of shape (n,)
        Their places among the stored rows.
    people : int64 of shape (n,)
        The stored person of each.
    starts : int64 of shape (n_groups + 1,)
        First row of each group, and the end.
    """

    rows: slice | IntArray
    people: IntArray
    starts: IntArray

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.people)

    def stored(self) -> IntArray:
        """Return the places among the stored rows as numbers."""
        return np.arange(self.rows.start, self.rows.stop) if isinstance(self.rows, slice) else self.rows

    def person_starts(self) -> IntArray:
        """Return the first row of each person, and the end; rows of a person must be adjacent."""
        changes = np.flatnonzero(np.diff(self.people)) + 1
        return np.concatenate([[0], changes, [self.n]])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Blocks:
    """The rows of a sample, cut into blocks.

    Attributes
    ----------
    sample : Sample
    centre : {"groups", "mean", "none"}
        Whether group means, the overall mean or nothing is taken out.
    bounds : list of (int, int)
        Persons, or places in `order`, of each block.
    order : int64 array, optional
        Rows sorted by the eliminated effect, where that is not the person.
    offsets : int64 array, optional
        First place of each level in `order`, and the end.
    people : int32 array, optional
        Person of each stored row, with `order`.
    """

    sample: Sample
    centre: Centre
    bounds: list[tuple[int, int]]
    order: IntArray | None = None
    offsets: IntArray | None = None
    people: AnyArray | None = None

    @property
    def by_person(self) -> bool:
        """Whether the rows of a person are adjacent and in one block."""
        return self.order is None

    def __len__(self) -> int:
        return len(self.bounds)

    def block(self, number: int) -> Block:
        """Return one block."""
        first, last = self.bounds[number]
        return self._of_levels(first, last) if self.order is not None else self._of_persons(first, last)

    def _of_persons(self, first: int, last: int) -> Block:
        offsets, kept = self.sample.panel.offsets, self.sample.kept
        start, stop = int(offsets[first]), int(offsets[last])
        rows: slice | IntArray = slice(start, stop)
        ends = offsets[first : last + 1] - start
        if kept is not None:
            chosen = np.flatnonzero(kept[start:stop])
            ends = np.searchsorted(chosen, ends)
            rows = chosen + start
        counts = np.diff(ends)
        people = np.repeat(np.arange(first, last), counts)
        starts = (
            np.append(ends[:-1][counts > 0], len(people)) if self.centre == "groups" else np.array([0, len(people)])
        )
        return Block(rows, people, starts.astype(np.int64))

    def _of_levels(self, first: int, last: int) -> Block:
        assert self.order is not None and self.offsets is not None and self.people is not None
        start, stop = int(self.offsets[first]), int(self.offsets[last])
        rows = self.order[start:stop]
        starts = np.unique(self.offsets[first : last + 1] - start)
        return Block(rows, self.people[rows].astype(np.int64), starts)

    def in_runs(self, function: Callable[[list[int]], Partial], *, size: int, label: str) -> list[Partial]:
        """Apply a function to runs of blocks, in threads; results come in the order of the blocks.

        Parameters
        ----------
        function : callable
            Takes the numbers of the blocks of a run.
        size : int
            Bytes of one result: as many runs are made as memory holds.
        label : str
        """
        count = max(1, min(MAX_RUNS, len(self), RUN_BYTES // max(1, size)))
        return ordered_map(function, [run.tolist() for run in np.array_split(np.arange(len(self)), count)], label=label)


def blocks_of_persons(sample: Sample, centre: Centre) -> Blocks:
    """Cut the sample by the persons' keys."""
    bits = min(MAX_BITS, max(0, int(np.ceil(np.log2(max(1, sample.n_row) / BLOCK_ROWS)))))
    marks = np.arange(1, 1 << bits, dtype=np.uint64) << np.uint64(64 - bits) if bits else np.empty(0, dtype=np.uint64)
    edges = np.concatenate([[0], np.searchsorted(sample.panel.keys, marks), [sample.panel.n_person_stored]])
    rows = sample.rows_of_persons()
    held = np.concatenate([[0], np.cumsum(rows)])
    bounds = [(int(a), int(b)) for a, b in pairwise(edges) if held[b] > held[a]]
    return Blocks(sample, centre, bounds)


def blocks_of_levels(sample: Sample, codes: Codes) -> Blocks:
    """Sort the rows by an effect that is not the person and cut them between levels."""
    panel = sample.panel
    along = codes.codes if codes.level == "year" else expand(codes.codes, panel.offsets)
    if sample.kept is not None:
        along = np.where(sample.kept, along, -1).astype(along.dtype)
    order, offsets = np.empty(len(along), dtype=np.int64), np.empty(codes.n_levels + 1, dtype=np.int64)
    rank = np.arange(codes.n_levels, dtype=np.int32)
    kernel_codes.sort_rows(as_bytes(along), along.itemsize, rank, order, offsets)
    people = expand(np.arange(panel.n_person_stored, dtype=np.int32), panel.offsets)
    targets = np.arange(0, offsets[-1], BLOCK_ROWS)
    edges = np.unique([0, *np.searchsorted(offsets, targets), codes.n_levels])
    bounds = [(int(a), int(b)) for a, b in pairwise(edges) if offsets[b] > offsets[a]]
    return Blocks(sample, "groups", bounds, order, offsets, people)
