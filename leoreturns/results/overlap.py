"""Overlap: how the score of each arm is spread, in narrow bins, for a figure."""

from __future__ import annotations

from dataclasses import dataclass

from leoreturns._typing import FloatArray, IntArray
from leoreturns.results.estimate import INSIDE_ONLY
from leoreturns.results.flow import MASKED_BELOW


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Overlap:
    """Persons of each arm by bins of their score; a release merges bins until each has persons enough.

    Attributes
    ----------
    score : str
        What the score is, in words.
    labels : tuple of str
        Of the arms.
    edges : float64 of shape (n_bin + 1,)
        Whole multiples of a round width.
    counts : int64 of shape (n_arm, n_bin)
        Persons with a score from an edge to below the next.
    identified : bool
        Whether the data name the persons.
    """

    score: str
    labels: tuple[str, ...]
    edges: FloatArray
    counts: IntArray
    identified: bool

    def __repr__(self) -> str:
        sizes = (
            f"{label}: {count:,} persons" if count >= MASKED_BELOW else f"{label}: fewer than {MASKED_BELOW} persons"
            for label, count in zip(self.labels, self.counts.sum(axis=1).tolist(), strict=True)
        )
        return f"overlap of the {self.score} in {self.counts.shape[1]:,} bins; {', '.join(sizes)}\n{INSIDE_ONLY}"
