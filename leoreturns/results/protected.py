"""ProtectedTable: a table after suppression and rounding, the only numbers that files and figures are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import ByteArray, FloatArray
from leoreturns.results.aggregate import CellKey


@dataclass(frozen=True, slots=True)
class ProtectedTable:
    """Protected numbers of a table, as they are written; no unprotected number can be reached from it.

    Attributes
    ----------
    variable : str or None
        The column described.
    keys : mapping of name -> CellKey
        Keys in the caller's order; cells in the order of their levels.
    texts : mapping of statistic -> tuple of str, one per cell
        The rounded number, or the marker where it is not shown.
    hidden : mapping of statistic -> uint8 array of shape (n_cells,)
        0 where the number is shown, else the position (from 1) of the reason in ``reasons``.
    reasons : tuple of str
        Why numbers are hidden.
    units : mapping of statistic -> str
        Unit of each statistic as written: "GBP/year", "GBP/hour squared", "log", "count", "per cent" or "ratio".
    rounding : mapping of statistic -> str
        Rounding of each statistic, in words.
    """

    variable: str | None
    keys: Mapping[str, CellKey]
    texts: Mapping[str, tuple[str, ...]]
    hidden: Mapping[str, ByteArray]
    reasons: tuple[str, ...]
    units: Mapping[str, str]
    rounding: Mapping[str, str]

    @property
    def n_cells(self) -> int:
        """Number of cells in the table."""
        return len(next(iter(self.texts.values()), ()))

    def numbers(self, statistic: str) -> FloatArray:
        """Return the written numbers of a statistic, NaN where they are hidden; shape (n_cells,)."""
        shown = self.hidden[statistic] == 0
        return np.array([float(text) if ok else np.nan for text, ok in zip(self.texts[statistic], shown, strict=True)])

    def n_hidden(self, statistic: str) -> int:
        """Return the number of cells whose statistic is hidden."""
        return int(np.count_nonzero(self.hidden[statistic]))
