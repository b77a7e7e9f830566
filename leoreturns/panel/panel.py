"""Panel: people, their years and their lists, sorted once by (person key, person, period)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leoreturns._core import columns as kernel_columns
from leoreturns._parallel import threads
from leoreturns._typing import AnyArray, BoolArray, CodeArray, IntArray, Level, UIntArray
from leoreturns.errors import PanelError
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.schema import Column, Key, Schema
from leoreturns.results.flow import SampleFlow

if TYPE_CHECKING:
    from leoreturns.panel.lists import PersonList
    from leoreturns.panel.scan import Scan


@dataclass(frozen=True, repr=False, eq=False)
class Panel:
    """Persons observed over periods: microdata, held inside and never released.

    A panel does not change. `where`, `at` and `assign` return another one that shares the arrays. Make one with
    `from_frame`, `from_parquet` or `open`.

    Attributes
    ----------
    schema : Schema
        Names, levels, kinds, labels, owners and units of the columns.
    ids : PersonIds
        The exact id of each stored person.
    keys : uint64[n_person_stored]
        Hash of the id's canonical bytes; persons are sorted by (key, id).
    offsets : int64[n_person_stored + 1]
        Rows ``offsets[i] : offsets[i + 1]`` are those of person i, in the order of the period.
    people : dict of str to ndarray
        Columns stored once per person.
    years : dict of str to ndarray
        Columns stored once per person and period, the period among them.
    lists : dict of str to PersonList
        Several entries per person (code, start, end, weight).
    selection : bool[n_row_stored] or None
        The rows that count; None for all.
    flow : SampleFlow
        Persons and rows kept at each step.
    settings : mapping
        How the panel was derived, as plain values (see `build_panel`); empty for one made from a frame.
    n_person, n_row : int
        Persons with a selected row, and selected rows.
    """

    schema: Schema
    ids: PersonIds
    keys: NDArray[np.uint64]
    offsets: IntArray
    people: dict[str, AnyArray]
    years: dict[str, AnyArray]
    lists: dict[str, PersonList] = field(default_factory=dict)
    selection: BoolArray | None = None
    flow: SampleFlow = field(default_factory=SampleFlow)
    settings: Mapping[str, Any] = field(default_factory=dict)
    n_person: int = field(init=False)
    n_row: int = field(init=False)

    def __post_init__(self) -> None:
        self._freeze()
        if self.selection is None:
            n_person, n_row = self.n_person_stored, self.n_row_stored
        else:
            n_person = kernel_columns.count_persons(self.selection.view(np.uint8), self.offsets)
            n_row = int(np.count_nonzero(self.selection))
        object.__setattr__(self, "n_person", n_person)
        object.__setattr__(self, "n_row", n_row)
        if not self.flow.steps:
            object.__setattr__(self, "flow", self.flow.appended("all rows", persons=n_person, rows=n_row))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays come back writable from a pickle or a deep copy.
        self.__dict__.update(state)
        self._freeze()

    def _freeze(self) -> None:
        """Make every array read-only."""
        arrays: list[AnyArray | None] = [self.ids.data, self.ids.offsets, self.keys, self.offsets, self.selection]
        arrays += [*self.people.values(), *self.years.values()]
        for entries in self.lists.values():
            arrays += [entries.offsets, entries.codes, entries.start, entries.end, entries.weight]
        for array in arrays:
            if array is not None:
                array.flags.writeable = False

    # ---- making one -------------------------------------------------------------------------------------------------

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        person: str,
        time: str,
        traits: Sequence[str] | None = None,
        lists: Mapping[str, Any] | None = None,
        owners: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        entities: Sequence[str] = (),
        time_varying: Sequence[str] = (),
        measured: Mapping[str, float] | None = None,
        n_jobs: int | None = None,
    ) -> Panel:
        """Build a panel from person-period rows in any order.

        Parameters
        ----------
        frame : pandas or polars DataFrame, Arrow table or stream, or mapping of names to arrays
            One row per person and period; gaps stay gaps. The caller's names are kept.
        person : str
            Column with the id: whole numbers (also as floats) or text. Ids are told apart exactly.
        time : str
            Column with the period: numbers, dates or labels that sort in time.
        traits : sequence of str, or one str, optional
            Columns that must not vary within a person; they are stored once per person. Default: every column that does
            not vary.
        lists : mapping of str to frame, optional
            Several entries per person: columns ``person``, ``code`` and optionally ``start``, ``end``, ``weight``.
        owners : mapping of str to str, optional
            Who owns a column's data, such as ``{"earnings": "HMRC"}``.
        units : mapping of str to str, optional
            Units of number columns, ``"<currency>/year"``, ``"<currency>/hour"`` or ``"log"``, such as
            ``{"earnings": "GBP/year"}``; declares that the column must hold numbers.
        entities : sequence of str, or one str
            Columns that disclosure control counts as entities, such as schools and employers.
        time_varying : sequence of str, or one str
            Columns kept per person and period whatever the data.
        measured : mapping of str to float, optional
            Age in years at which a column is settled: later ones are not covariates of an earlier treatment.
        n_jobs : int, optional
            Threads; None for as many as allowed. The panel is the same for any number.

        Returns
        -------
        Panel
            Byte for byte the same for any order of the rows.

        Raises
        ------
        PanelError
            For missing ids or periods, a (person, period) given twice, infinite values, mixed kinds, unknown columns,
            no rows, and traits that vary; with counts, never with a value.
        """
        from leoreturns.panel import read, source

        declared = read.Declared(person, time, traits, owners or {}, units or {}, entities, time_varying, measured)
        with threads(n_jobs):
            return read.build(source.open_frame(frame), declared, lists or {})

    @classmethod
    def from_parquet(
        cls,
        path: str | Path,
        *,
        person: str | None = None,
        time: str | None = None,
        traits: Sequence[str] | None = None,
        lists: Mapping[str, Any] | None = None,
        owners: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        entities: Sequence[str] = (),
        time_varying: Sequence[str] = (),
        measured: Mapping[str, float] | None = None,
        n_jobs: int | None = None,
    ) -> Panel:
        """Build a panel from a Parquet file, or from a folder of Parquet files with one schema; see `from_frame`.

        Columns are read one at a time. Files that `to_parquet` wrote know their person, time, levels, owners, units and
        lists; what is given here replaces that.

        Raises
        ------
        PanelError
            Also for a file that cannot be read, and for files whose schemas differ: the message names the files and the
            columns.
        """
        from leoreturns.panel import parquet, read

        given = read.Declared(
            person or "", time or "", traits, owners or {}, units or {}, entities, time_varying, measured
        )
        with threads(n_jobs):
            source = parquet.ParquetSource(Path(path))
            found = parquet.stored_lists(Path(path)) if lists is None else lists
            return read.build(source, source.declared(given), found)

    @classmethod
    def open(cls, path: str | Path) -> Panel:
        """Open a panel that `save` stored; a folder of one part is mapped into memory, not read."""
        from leoreturns.panel import store

        return store.open_panel(Path(path))

    @classmethod
    def scan(cls, path: str | Path) -> Scan:
        """Read a stored panel one part at a time: data larger than memory."""
        from leoreturns.panel.scan import Scan

        return Scan.over(Path(path))

    # ---- what it holds ----------------------------------------------------------------------------------------------

    @property
    def n_person_stored(self) -> int:
        """Persons stored, selected or not."""
        return len(self.offsets) - 1

    @property
    def n_row_stored(self) -> int:
        """Rows stored, selected or not."""
        return int(self.offsets[-1])

    def column(self, name: str) -> Column:
        """Return the description of a column."""
        try:
            return self.schema.columns[name]
        except KeyError:
            if name == self.schema.person:
                raise PanelError(f"{name!r} is the id, which cannot be used in conditions or as a column") from None
            known = ", ".join(map(repr, self.schema.columns))
            raise PanelError(f"unknown column {name!r}; known: {known}") from None

    def array(self, name: str) -> AnyArray:
        """Return a stored column, read-only: codes or numbers, one per stored person or stored row by its level."""
        return (self.people if self.column(name).level == "person" else self.years)[name]

    def key(self, name: str) -> Key:
        """Return a column as integer codes for grouping.

        Whole numbers are numbered by their rank among the levels that occur; whole floats get whole labels, so that
        1.0, 1 and a nullable 1 are the same cell.

        Raises
        ------
        SupportError
            For more than 500,000 levels.
        """
        from leoreturns.panel import keys

        return keys.key(self, name)

    def units(self, unit: str, strata: str | Sequence[str] = ()) -> tuple[UIntArray, CodeArray]:
        """Return the sampling units of the selected rows: what a bootstrap draws from.

        Parameters
        ----------
        unit : str
            "person" (or the panel's own name of the id): persons with a selected row. Or a column of clusters, such as
            "school"; rows on which it is missing belong to no unit.
        strata : str or sequence of str
            Columns whose crossings are the strata.

        Returns
        -------
        keys : uint64 array of shape (n_units,)
            64-bit key of each unit, distinct and ascending: the hash of the id's or the label's decimal digits or UTF-8
            bytes, so that school 101, 101.0 and "101" are one. Two units with one key would be one unit.
        strata : int32 array of shape (n_units,)
            Stratum of each unit, numbered from 0 in the order of the labels that occur; all zero without strata.

        Raises
        ------
        PanelError
            For clusters that are numbers but not whole, and for units that lie in several strata or in none, with their
            number.
        """
        from leoreturns.panel import units

        return units.sampling_units([self], unit, strata)

    # ---- selections and new columns ---------------------------------------------------------------------------------

    def where(self, condition: str) -> Panel:
        """Keep the rows on which a condition is true.

        Parameters
        ----------
        condition : str
            Comparisons (``==  !=  <  <=  >  >=  in  not in``, also chained) of columns and literals joined by ``and``,
            ``or``, ``not``; ``column is missing``; a bare name is a true/false column. A missing operand makes a
            comparison neither true nor false, as in SQL. Backquote names that are no identifiers: ```a-b` > 1``.

        Returns
        -------
        Panel
            Shares the arrays; the flow has one step more.

        Raises
        ------
        PanelError
            For an unknown column or label, a comparison of unlike kinds, or anything else the grammar does not hold.
        """
        from leoreturns.panel import sample

        return sample.where(self, condition)

    def at(self, **levels: Any) -> Panel:
        """Keep the rows whose columns have the given values, such as ``at(years_since_ks4=[5, 10])``."""
        from leoreturns.panel import sample

        return sample.at(self, levels)

    def assign(
        self,
        *,
        level: Level = "year",
        owner: str | None = None,
        unit: str | None = None,
        entity: bool = False,
        **columns: Any,
    ) -> Panel:
        """Return a panel with new (or replaced) columns.

        Parameters
        ----------
        level : {"person", "year"}
            Whether the columns are stored once per person, or per person and period.
        owner, unit, entity
            As in `from_frame`, for all columns given here.
        **columns
            Name and one of: an expression such as ``"log(earnings / 12)"`` or ``"age >= 25"`` (the grammar of `where`
            with ``+ - * / **``, abs, exp, log, log1p, sqrt), missing where an operand is and where there is no such
            number (the log or root of a loss, 0 / 0); a callable that takes the panel; a Series or frame keyed by
            person (and time), joined by id, missing where it has no row; or, on a panel without a selection, an array
            with one value per stored person or row. `info` counts what is missing.

        Raises
        ------
        PanelError
            For values that do not fit the level, keys that are not in the panel or occur twice (with their number), and
            infinite values.
        """
        from leoreturns.panel import assign

        return assign.assign(self, columns, level=level, owner=owner, unit=unit, entity=entity)

    # ---- leaving ----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path, *, partitions: int = 1) -> None:
        """Store the selected rows as .npy columns with schema.json in a new folder marked NOT-FOR-RELEASE.

        Parameters
        ----------
        path : path
            Must not exist. The folder appears complete or not at all.
        partitions : int
            Parts by contiguous ranges of key blocks (the top 12 bits of the person key), at most 4,096; parts without a
            person are left out. `scan` reads them one at a time.
        """
        from leoreturns.panel import store

        store.save_panel(self, Path(path), partitions)

    def to_parquet(self, path: str | Path, *, files: int = 1) -> None:
        """Write the selected rows as Parquet files in a new folder marked NOT-FOR-RELEASE, for exchange.

        Parameters
        ----------
        path : path
            Must not exist. The folder appears complete or not at all.
        files : int
            Number of files, by ranges of persons.
        """
        from leoreturns.panel import parquet

        parquet.write_parquet(self, Path(path), files)

    def to_frame(self) -> pd.DataFrame:
        """Return the selected rows as a DataFrame: ids and labels back, categoricals for codes, dates as datetimes."""
        from leoreturns.panel import frame

        return frame.to_frame(self)

    def info(self) -> pd.DataFrame:
        """Return one row per column: level, kind, number of levels, missing entries, owner, unit; never a value."""
        from leoreturns.panel import frame

        return frame.describe(self.schema)

    # ---- rendering: counts only -------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        levels = [column.level for column in self.schema.columns.values()]
        parts = [f"{self.n_person:,} persons", f"{self.n_row:,} rows"]
        parts += [f"{levels.count(level)} {level} columns" for level in ("person", "year")]
        if self.lists:
            parts.append(f"{len(self.lists)} lists")
        return f"<Panel: {', '.join(parts)}>"
