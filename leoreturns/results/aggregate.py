"""Aggregate: the statistics of every cell of a table, with the evidence that a disclosure check needs.

An aggregate holds nothing of the length of the persons or rows it was computed from. It may still describe small cells,
so it stays inside until it is released, and whatever it prints masks cells of fewer than ``MASKED_BELOW`` persons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._typing import BoolArray, FloatArray, IntArray, UIntArray
from leoreturns.errors import SupportError
from leoreturns.results.flow import MASK, MASKED_BELOW, SampleFlow
from leoreturns.results.interval import Band, ContrastTable, Interval, interval_columns

SHOWN_ROWS = 60
INSIDE_ONLY = "Inside only: numbers are not rounded and not checked."


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CellKey:
    """One key of a table: the declared levels, and which of them each cell has.

    Attributes
    ----------
    labels : tuple
        Levels in declared order.
    codes : int64 array of shape (n_cells,)
        Position in ``labels`` of each cell's level.
    """

    labels: tuple[Any, ...]
    codes: IntArray

    def __repr__(self) -> str:
        return f"<CellKey: {len(self.labels):,} levels, {len(self.codes):,} cells>"

    def values(self) -> pd.Index:
        """Level of every cell, as a pandas index of the labels' own type."""
        return pd.Index(list(self.labels)).take(self.codes) if self.labels else pd.Index([], dtype=object)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tail:
    """Persons around one percentile of each cell (arrays of shape (n_cells,)).

    A person with several rows in a cell counts below if any of them lies strictly below the percentile, and likewise
    above.
    """

    below: IntArray
    tied: IntArray
    above: IntArray

    def __repr__(self) -> str:
        return f"<Tail: {len(self.below):,} cells>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evidence:
    """What a disclosure check must know of each cell; every array has one entry per cell.

    Where rows are only counted (no variable), every row has the value 1: the largest person totals are then the most
    rows that one person has.

    Attributes
    ----------
    n_obs, n_value : int64
        Rows (person-periods), and rows with a value.
    n_person, n_person_value, n_person_nonzero, n_person_zero : int64
        Distinct persons; persons with a value; persons with a value other than zero; persons with a zero (a person can
        be among both). -1 where the data name no person.
    n_negative, n_zero, n_largest : int64
        Rows with a negative value, a zero, and the value that more than half of the rows share (0 if there is none).
    n_effective : float64
        Rows of equal weight that the weights are worth, (sum w)**2 / sum w**2; without weights the rows with a value.
    all_equal : bool
        Whether all values of the cell are the same (False for a cell without a value).
    total, total_absolute, top1, top2 : float64
        Sum of the values (weighted where the table is); sum of the absolute *person* totals, and the two largest of
        them, always unweighted: what a person's own values are, whatever the weight they are given.
    entities : mapping of column -> int64
        Distinct entities (schools, providers, employers) among the rows with a value.
    tails : mapping of percentile name -> Tail
        Persons strictly below, at and strictly above each percentile of the table.
    fingerprint, fingerprint_value : uint64, or None where the data name no person
        Sum of the 64-bit keys of the cell's persons, and of its persons with a value: equal sets of persons have equal
        fingerprints, and unequal ones do not but for a chance of 2**-64.
    sketch, sketch_value : uint64 of shape (n_cells, 5) or None
        Set sketches from which the number of persons by which two cells differ is recovered exactly when it is small;
        None when the table has too many cells to carry them.
    """

    n_obs: IntArray
    n_value: IntArray
    n_person: IntArray
    n_person_value: IntArray
    n_person_nonzero: IntArray
    n_person_zero: IntArray
    n_negative: IntArray
    n_zero: IntArray
    n_largest: IntArray
    n_effective: FloatArray
    all_equal: BoolArray
    total: FloatArray
    total_absolute: FloatArray
    top1: FloatArray
    top2: FloatArray
    entities: Mapping[str, IntArray]
    tails: Mapping[str, Tail]
    fingerprint: UIntArray | None
    fingerprint_value: UIntArray | None
    sketch: UIntArray | None
    sketch_value: UIntArray | None

    def __repr__(self) -> str:
        # The largest person totals of a small cell are persons' values.
        return f"<Evidence: {len(self.n_obs):,} cells>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Aggregate:
    """Statistics of one column over the cells of a table, with their evidence.

    Attributes
    ----------
    variable : str or None
        The column described; None when only rows and persons are counted.
    unit : str or None
        Unit of the column in the panel's schema ("GBP/year", "GBP/hour", ...).
    keys : mapping of name -> CellKey
        The keys in the caller's order; cells are in the order of their levels, the last key fastest.
    statistics : mapping of name -> array of shape (n_cells,)
        Counts as int64, all else as float64; NaN where a cell has too few values for the statistic.
    evidence : Evidence
        One entry per cell.
    flow : SampleFlow
        Persons and rows left after each exclusion.
    settings : mapping
        The options behind the numbers (quantile rule, weights, missing, cells, condition, the plan of intervals), and
        the definitions behind a panel that was built from linked tables.
    owners : tuple of str
        Owners of the columns used (DfE, HESA, HMRC, DWP).
    intervals : mapping of name -> Interval
        Standard error and interval of each statistic, under a bootstrap plan; counts have none.
    bands : mapping of name -> Band
        Simultaneous bands, where they were asked for.
    contrasts : tuple of ContrastTable
        One per contrast asked for, in that order.
    """

    variable: str | None
    unit: str | None
    keys: Mapping[str, CellKey]
    statistics: Mapping[str, IntArray | FloatArray]
    evidence: Evidence
    flow: SampleFlow
    settings: Mapping[str, Any]
    owners: tuple[str, ...] = field(default=())
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    bands: Mapping[str, Band] = field(default_factory=dict)
    contrasts: tuple[ContrastTable, ...] = field(default=())

    @property
    def n_cells(self) -> int:
        """Number of cells in the table."""
        return int(self.evidence.n_obs.shape[0])

    def to_frame(self) -> pd.DataFrame:
        """Return one row per cell: the keys as columns, then the statistics (unmasked, unrounded).

        A statistic with an interval has four columns: ``p50``, ``p50_se``, ``p50_low``, ``p50_high``; a simultaneous
        band adds ``p50_band_low`` and ``p50_band_high``.

        Returns
        -------
        pandas.DataFrame
            One row per cell. It describes small cells too: it stays inside.
        """
        columns: dict[str, Any] = {name: key.values() for name, key in self.keys.items()}
        columns.update(interval_columns(self.statistics, self.intervals, self.bands))
        return pd.DataFrame(columns)

    def pivot(
        self, rows: str | Sequence[str], columns: str | Sequence[str], statistic: str | None = None
    ) -> pd.DataFrame:
        """Return one statistic as a cross table.

        Parameters
        ----------
        rows, columns : str or sequence of str
            Keys that go down the side and across the top; together all keys of the table.
        statistic : str, optional
            Which statistic; may be left out when there is only one.

        Returns
        -------
        pandas.DataFrame
            Levels in declared order; NaN for crossings that were not observed.

        Raises
        ------
        SupportError
            If a key or the statistic is not in the table, or a key is left over.
        """
        down = [rows] if isinstance(rows, str) else list(rows)
        across = [columns] if isinstance(columns, str) else list(columns)
        if sorted(down + across) != sorted(self.keys):
            raise SupportError(
                f"pivot needs every key once: the table has {list(self.keys)}, rows and columns name {down + across}"
            )
        if statistic is None:
            if len(self.statistics) != 1:
                raise SupportError(f"name the statistic: the table has {list(self.statistics)}")
            statistic = next(iter(self.statistics))
        if statistic not in self.statistics:
            raise SupportError(f"no statistic '{statistic}': the table has {list(self.statistics)}")
        index = pd.MultiIndex.from_arrays([self.keys[name].codes for name in down + across], names=down + across)
        wide = pd.Series(self.statistics[statistic], index=index).unstack(across).sort_index().sort_index(axis=1)
        wide.index = self._labelled(wide.index, down)
        wide.columns = self._labelled(wide.columns, across)
        return wide

    def _labelled(self, index: pd.Index, names: list[str]) -> pd.Index:
        """Return an index of level positions as one of level labels."""
        parts = [pd.Index(list(self.keys[name].labels)).take(index.get_level_values(name)) for name in names]
        return pd.Index(parts[0], name=names[0]) if len(names) == 1 else pd.MultiIndex.from_arrays(parts, names=names)

    def masked_frame(self) -> pd.DataFrame:
        """Return ``to_frame()`` as text, with every number of a cell of fewer than 10 persons replaced by a mark.

        Where the data name no person, rows stand for persons. A statistic that is not defined in its cell is a dash.
        """
        frame = self.to_frame()
        hidden = self._is_small()
        for name, _ in interval_columns(self.statistics, self.intervals, self.bands):
            frame[name] = frame[name].map(_shown).astype(object).where(~hidden, MASK)
        return frame

    def _is_small(self) -> BoolArray:
        """Return which cells hold fewer than 10 persons, or fewer than 10 with a value."""
        evidence = self.evidence
        everyone = np.where(evidence.n_person < 0, evidence.n_obs, evidence.n_person)
        with_value = np.where(evidence.n_person_value < 0, evidence.n_value, evidence.n_person_value)
        small = np.minimum(everyone, with_value) if self.variable else everyone
        return (small < MASKED_BELOW) & (evidence.n_obs > 0)

    def _heading(self) -> str:
        what = self.variable or "rows and persons"
        unit = f" ({self.unit})" if self.unit else ""
        return f"Aggregate of {what}{unit} by {', '.join(self.keys) or 'nothing'}: {self.n_cells:,} cells"

    def __repr__(self) -> str:
        shown = self.masked_frame()
        body = shown.head(SHOWN_ROWS).to_string(index=False)
        more = f"\n... {len(shown) - SHOWN_ROWS:,} more cells" if len(shown) > SHOWN_ROWS else ""
        return f"{self._heading()}\n{body}{more}\n{INSIDE_ONLY}"

    def _repr_html_(self) -> str:
        shown = self.masked_frame().head(SHOWN_ROWS)
        return f"<p>{escape(self._heading())}</p>{shown.to_html(index=False)}<p>{INSIDE_ONLY}</p>"


def taken(table: Aggregate, cells: IntArray) -> Aggregate:
    """Return some cells of a table that has neither bands nor contrasts, which know cells by their position."""
    assert not table.bands and not table.contrasts
    parts = {entry.name: _taken(getattr(table.evidence, entry.name), cells) for entry in fields(Evidence)}
    return replace(
        table,
        keys={name: CellKey(key.labels, key.codes[cells]) for name, key in table.keys.items()},
        statistics={name: numbers[cells] for name, numbers in table.statistics.items()},
        evidence=Evidence(**parts),
        intervals={name: _taken(interval, cells) for name, interval in table.intervals.items()},
    )


def _taken(part: Any, cells: IntArray) -> Any:
    """Return some cells of arrays, however they are held."""
    if part is None:
        return None
    if isinstance(part, Mapping):
        return {name: _taken(each, cells) for name, each in part.items()}
    if isinstance(part, Tail | Interval):
        return type(part)(*(_taken(getattr(part, entry.name), cells) for entry in fields(part)))
    return part[cells]


def _shown(number: float) -> str:
    """Return a number as it is printed: counts whole, amounts to two places, shares to four figures, unknown a dash."""
    if isinstance(number, int | np.integer):
        return f"{number:,}" if number >= 0 else "-"
    if math.isnan(number):
        return "-"
    return f"{number:,.4g}" if abs(number) < 1 else f"{number:,.2f}"
