"""ProtectedTable: a table after suppression and rounding, the only numbers that files and figures are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from leoreturns._typing import ByteArray, FloatArray
from leoreturns.results.aggregate import CellKey
from leoreturns.results.interval import column_name


@dataclass(frozen=True, slots=True)
class ProtectedColumn:
    """One column of numbers as they are written: a statistic, or a part of its uncertainty.

    Attributes
    ----------
    statistic : str
        The statistic.
    part : str
        "" for the statistic itself, else "se", "low", "high", "band_low" or "band_high".
    texts : tuple of str, one per cell
        The rounded number, or the marker where it is not shown.
    hidden : uint8 array of shape (n_cells,)
        0 where the number is shown, else the position (from 1) of the reason in the table's ``reasons``.
    unit : str
        As written: "GBP/year", "GBP/hour squared", "log", "count", "per cent", "percentage points" or "ratio".
    rounding : str
        In words.
    """

    statistic: str
    part: str
    texts: tuple[str, ...]
    hidden: ByteArray
    unit: str
    rounding: str

    @property
    def name(self) -> str:
        """Name of the column in files."""
        return column_name(self.statistic, self.part)

    @property
    def numbers(self) -> FloatArray:
        """The written numbers, NaN where they are hidden; shape (n_cells,)."""
        shown = self.hidden == 0
        return np.array([float(text) if ok else np.nan for text, ok in zip(self.texts, shown, strict=True)])

    @property
    def n_hidden(self) -> int:
        """Number of cells whose number is hidden."""
        return int(np.count_nonzero(self.hidden))


@dataclass(frozen=True, slots=True)
class ProtectedTable:
    """Protected numbers of a table, as they are written; no unprotected number can be reached from it.

    Attributes
    ----------
    variable : str or None
        The column described.
    keys : mapping of name -> CellKey
        Keys in the caller's order; cells in the order of their levels.
    columns : mapping of name -> ProtectedColumn
        Statistics, each followed by what is shown of its uncertainty.
    reasons : tuple of str
        Why numbers are hidden.
    plan : mapping
        How intervals were made: interval, level, n_replicates, scheme, unit, strata, seed and, of a frame, n_units
        rounded as text; empty without intervals.
    contrast : str
        What is compared with what, in a table of contrasts.
    notes : tuple of str
        What else is said of the table, such as the formula of a regression; a line each.
    """

    variable: str | None
    keys: Mapping[str, CellKey]
    columns: Mapping[str, ProtectedColumn]
    reasons: tuple[str, ...]
    plan: Mapping[str, Any] = field(default_factory=dict)
    contrast: str = ""
    notes: tuple[str, ...] = ()

    @property
    def n_cells(self) -> int:
        """Number of cells in the table."""
        return len(next(iter(self.texts.values()), ()))

    @property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """Texts of every column by its name."""
        return {name: column.texts for name, column in self.columns.items()}

    def numbers(self, name: str) -> FloatArray:
        """Return the written numbers of a column, NaN where they are hidden; shape (n_cells,)."""
        return self.columns[name].numbers

    def n_hidden(self, name: str) -> int:
        """Return the number of cells whose number in a column is hidden."""
        return self.columns[name].n_hidden
