"""Interval and Band: the uncertainty of one statistic in every cell; ContrastTable: gaps between cells, with theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._typing import Contrast, ContrastKind, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Interval:
    """Standard error and confidence interval of one statistic in every cell (arrays of shape (n_cells,)).

    Attributes
    ----------
    std_error : float64
        Standard deviation of the replicates (of their exact distribution, for the exact interval); NaN where the
        statistic is, and in a cell of one sampling unit, of whose variation the data say nothing.
    low, high : float64
        Ends of the interval; NaN where the standard error is, or where too few replicates are left.
    error_low, error_high : float64
        Monte-Carlo standard error of each end: by how much it would differ under another seed.
    n_dropped : int64
        Replicates dropped because the cell had no weight in them, or no defined statistic: all, where the cell has one
        sampling unit.
    n_units : int64 or None
        Distinct sampling units (persons, schools) with a value in the cell.
    """

    std_error: FloatArray
    low: FloatArray
    high: FloatArray
    error_low: FloatArray
    error_high: FloatArray
    n_dropped: IntArray
    n_units: IntArray | None = None

    def __repr__(self) -> str:
        return f"<Interval: {len(self.low):,} cells>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Band:
    """Simultaneous confidence band of one statistic along a key (arrays of shape (n_cells,)).

    Attributes
    ----------
    key : str
        The key along which the band holds for all levels at once.
    low, high : float64
        The band: statistic -/+ critical value times standard error.
    critical : float64
        Critical value of the trajectory that each cell belongs to.
    """

    key: str
    low: FloatArray
    high: FloatArray
    critical: FloatArray

    def __repr__(self) -> str:
        return f"<Band along {self.key}: {len(self.low):,} cells>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContrastTable:
    """A contrast between two levels of a key, for every crossing of the other keys.

    Attributes
    ----------
    contrast : Contrast
        What is compared with what.
    keys : mapping of name -> CellKey
        The other keys of the table, one code per contrast.
    cells, base_cells : int64 of shape (n_contrasts,)
        Positions of the two compared cells in the table.
    statistics : mapping of name -> float64 of shape (n_contrasts,)
        The contrast of each statistic.
    intervals : mapping of name -> Interval
        From the differences (ratios, gaps) of the replicates, so that persons in both cells are allowed for.
    bands : mapping of name -> Band
        Along the key asked for, where it is among `keys`.
    """

    contrast: Contrast
    keys: Mapping[str, Any]
    cells: IntArray
    base_cells: IntArray
    statistics: Mapping[str, FloatArray]
    intervals: Mapping[str, Interval]
    bands: Mapping[str, Band] = field(default_factory=dict)

    @property
    def n_cells(self) -> int:
        """Number of contrasts."""
        return int(self.cells.shape[0])

    def to_frame(self) -> pd.DataFrame:
        """Return one row per contrast: the other keys, then each statistic's contrast, standard error and interval."""
        columns: dict[str, Any] = {name: key.values() for name, key in self.keys.items()}
        columns.update(interval_columns(self.statistics, self.intervals, self.bands))
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        return f"<{self.contrast.label}: {self.n_cells:,} contrasts>"


def contrasted(level: FloatArray, base: FloatArray, kind: ContrastKind, *, in_logs: bool) -> FloatArray:
    """Return the contrast of two arrays of numbers; NaN where it is not defined, as a ratio to zero or less is not.

    Parameters
    ----------
    level, base : float64 of equal shapes
        The numbers compared, and those they are compared with.
    kind : "difference", "ratio" or "percent"
        See `Contrast`.
    in_logs : bool
        Whether the numbers are logarithms: "ratio" is then ``exp(level - base)``, "percent" 100 times that less 100.
    """
    contrast: FloatArray
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == "difference":
            contrast = level - base
        elif in_logs:
            contrast = np.exp(level - base) if kind == "ratio" else 100.0 * np.expm1(level - base)
        else:
            ratio = np.where(base > 0, level / base, np.nan)
            contrast = ratio if kind == "ratio" else 100.0 * (ratio - 1.0)
    return contrast


def interval_parts(
    statistics: Mapping[str, Any], intervals: Mapping[str, Interval], bands: Mapping[str, Band]
) -> Iterator[tuple[str, str, Any]]:
    """Yield the columns of a table as statistic, part and values.

    The part is "" for the statistic itself, then "se", "low" and "high" of its interval, "band_low" and "band_high" of
    its simultaneous band.
    """
    for name, values in statistics.items():
        yield name, "", values
        if name in intervals:
            yield name, "se", intervals[name].std_error
            yield name, "low", intervals[name].low
            yield name, "high", intervals[name].high
        if name in bands:
            yield name, "band_low", bands[name].low
            yield name, "band_high", bands[name].high


def column_name(statistic: str, part: str) -> str:
    """Return the name of a column: ``p50``, ``p50_se``, ``p50_low``, ``p50_high``, ``p50_band_low``."""
    return f"{statistic}_{part}" if part else statistic


def interval_columns(
    statistics: Mapping[str, Any], intervals: Mapping[str, Interval], bands: Mapping[str, Band]
) -> Iterator[tuple[str, Any]]:
    """Yield each statistic, and what is known of its uncertainty, under the names of their columns."""
    for statistic, part, values in interval_parts(statistics, intervals, bands):
        yield column_name(statistic, part), values
