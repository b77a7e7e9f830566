"""Scan: a stored panel read one part at a time, for data larger than memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._typing import AnyArray, CodeArray, Level, UIntArray
from leoreturns.errors import PanelError
from leoreturns.panel import assign, frame, levels, rows, store, units
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Column, Schema, united
from leoreturns.results.flow import SampleFlow


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Assigned:
    """A column assigned to every part, with the labels and the type common to all."""

    make: Callable[[Panel], Panel]
    column: Column
    dtype: np.dtype[Any]

    def __call__(self, panel: Panel) -> Panel:
        """Return the part with the column."""
        made, name = self.make(panel), self.column.name
        return assign.with_column(made, self.column, self._aligned(made.column(name), made.array(name)))

    def _aligned(self, given: Column, values: AnyArray) -> AnyArray:
        if self.column.kind == "number":
            none = given.kind == "code"  # of no kind: the part has no value at all
            return np.full(len(values), np.nan) if none else values.astype(self.dtype, copy=False)
        place = {label: code for code, label in enumerate(self.column.labels)}
        table = np.array([place[label] for label in given.labels], dtype=np.int32)
        return rows.recode(values, table, base=0, dtype=self.dtype)


@dataclass(frozen=True, repr=False, eq=False)
class Scan:
    """The parts of a stored panel in key order; iterating gives one `Panel` at a time.

    Attributes
    ----------
    path : Path
        The folder that `Panel.save` made.
    schema : Schema
        Common to all parts.
    borders : tuple of int
        Part i holds the stored persons ``borders[i] : borders[i + 1]``.
    settings : mapping
        As of `Panel`.
    """

    path: Path
    schema: Schema
    borders: tuple[int, ...]
    _stored: Schema
    _flow: SampleFlow
    settings: Mapping[str, Any]
    # Conditions as partial calls of `where` and `at`, so that a scan pickles.
    _steps: tuple[Assigned | partial[Panel], ...] = ()

    @classmethod
    def over(cls, path: Path) -> Scan:
        """Open the header of a stored panel."""
        header = store.read_header(path)
        schema = header["schema"]
        return cls(path, schema, tuple(header["borders"]), schema, header["flow"], header["settings"])

    @property
    def partitions(self) -> int:
        """Number of parts."""
        return len(self.borders) - 1

    def __iter__(self) -> Iterator[Panel]:
        for first, last in pairwise(self.borders):
            # Mapped anew, so that no more than one part stays in memory.
            panel = store.open_stored(self.path, self._stored, self._flow, self.settings)
            panel = store.people_slice(panel, first, last)
            for step in self._steps:
                panel = step(panel)
            yield panel

    @property
    def flow(self) -> SampleFlow:
        """Persons and rows at each step, added over the parts (reads the columns of the conditions)."""
        selecting = any(isinstance(step, partial) for step in self._steps)
        return self.flow_of(self) if selecting else self._flow

    def flow_of(self, panels: Iterable[Panel]) -> SampleFlow:
        """Return the flow of panels made from all parts: what was stored, then the steps they took, added up."""
        whole = self._flow
        for steps in zip(*(panel.flow.steps[1:] for panel in panels), strict=True):
            rows = sum(step.rows for step in steps)
            whole = whole.appended(steps[0].label, persons=sum(step.persons for step in steps), rows=rows)
        return whole

    @property
    def n_person(self) -> int:
        """Persons with a selected row."""
        return self.flow.steps[-1].persons

    @property
    def n_row(self) -> int:
        """Selected rows."""
        return self.flow.steps[-1].rows

    def where(self, condition: str) -> Scan:
        """Keep the rows on which a condition is true, in every part; see `Panel.where`."""
        return self._selected(partial(Panel.where, condition=condition))

    def at(self, **levels: Any) -> Scan:
        """Keep the rows whose columns have the given values, in every part; see `Panel.at`."""
        return self._selected(partial(Panel.at, **levels))

    def assign(
        self,
        *,
        level: Level = "year",
        owner: str | None = None,
        unit: str | None = None,
        entity: bool = False,
        **columns: str | Callable[[Panel], Any],
    ) -> Scan:
        """Give every part new (or replaced) columns; see `Panel.assign`.

        Parameters
        ----------
        level, owner, unit, entity
            As in `Panel.assign`.
        **columns
            Name and an expression, or a callable that takes the panel of one part. Each reads the parts once, for the
            labels and the type that all have in common, and again whenever the scan is read.

        Raises
        ------
        PanelError
            As `Panel.assign`; also for anything but an expression or a callable, and for columns whose parts do not fit
            together.
        """
        scan = self
        for name, value in columns.items():
            if not isinstance(value, str) and not callable(value):
                raise PanelError(f"column {name!r}: give a scan an expression or a callable; assign others before save")
            given: dict[str, Any] = {"level": level, "owner": owner, "unit": unit, "entity": entity, name: value}
            step = _common(name, partial(Panel.assign, **given), scan)
            schema = dataclasses.replace(scan.schema, columns={**scan.schema.columns, name: step.column})
            scan = dataclasses.replace(scan, schema=schema, _steps=(*scan._steps, step))
        return scan

    def _selected(self, selection: partial[Panel]) -> Scan:
        # An unknown column or label is refused now, not at the first part.
        selection(store.empty_panel(self.schema))
        return dataclasses.replace(self, _steps=(*self._steps, selection))

    def units(self, unit: str, strata: str | Sequence[str] = ()) -> tuple[UIntArray, CodeArray]:
        """Return the sampling units of the selected rows of all parts, read one at a time; see `Panel.units`."""
        return units.sampling_units(self, unit, strata)

    def info(self) -> pd.DataFrame:
        """Return one row per column, counts added over the parts; see `Panel.info`."""
        return frame.describe(self.schema)

    def as_panel(self) -> Panel:
        """Return all parts as one panel: stored columns stay in their files, mapped; assigned ones are in memory."""
        panel = store.open_stored(self.path, self._stored, self._flow, self.settings)
        for step in self._steps:
            panel = step(panel)
        return panel

    def to_frame(self) -> pd.DataFrame:
        """Return the selected rows of all parts as one DataFrame, in memory whole; see `Panel.to_frame`."""
        return pd.concat([panel.to_frame() for panel in self], ignore_index=True)

    def __repr__(self) -> str:
        persons, rows = self._flow.steps[-1].persons, self._flow.steps[-1].rows
        return f"<Scan: {persons:,} persons, {rows:,} rows stored in {self.partitions:,} parts>"


def _common(name: str, make: Callable[[Panel], Panel], scan: Scan) -> Assigned:
    """Find what the parts of a new column have in common."""
    described, types = [], []
    for panel in scan:
        made = make(panel)
        described.append(made.column(name))
        types.append(made.array(name).dtype)
    column = united(described)
    if column.kind == "code":
        return Assigned(make, column, levels.code_dtype(len(column.labels)))
    # A part without any value gave codes without a label: it becomes missing numbers.
    numbers = [dtype if given.kind == "number" else np.float64 for dtype, given in zip(types, described, strict=True)]
    return Assigned(make, column, np.result_type(*numbers))
