"""CSR offsets: entries ``offsets[i] : offsets[i + 1]`` belong to person i."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leoreturns._typing import IntArray


def from_counts(counts: NDArray[np.integer[Any]]) -> IntArray:
    """Return the offsets of runs of the given lengths."""
    out = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=out[1:])
    return out


def joined(parts: Sequence[IntArray]) -> IntArray:
    """Return the offsets of parts that follow each other."""
    return from_counts(np.concatenate([np.diff(part) for part in parts]))


def entries_of(offsets: IntArray, persons: IntArray) -> tuple[IntArray, IntArray]:
    """Return the entries of some persons, in their order, and the offsets among these."""
    counts = offsets[persons + 1] - offsets[persons]
    out = from_counts(counts)
    return np.arange(out[-1]) + np.repeat(offsets[persons] - out[:-1], counts), out
