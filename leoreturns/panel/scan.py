"""Scan: a stored panel read one part at a time, for data larger than memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leoreturns.panel import store
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Schema
from leoreturns.results.flow import SampleFlow


@dataclass(frozen=True, repr=False, eq=False)
class Scan:
    """The parts of a stored panel in key order; iterating gives one `Panel` at a time.

    Attributes
    ----------
    path : Path
        The folder that `Panel.save` made.
    schema : Schema
        Common to all parts.
    parts : tuple of Path
        One folder per part.
    """

    path: Path
    schema: Schema
    parts: tuple[Path, ...]
    _flow: SampleFlow
    _selections: tuple[str | Mapping[str, Any], ...] = ()  # of `where`, of `at`; data, so that a scan pickles

    @classmethod
    def over(cls, path: Path) -> Scan:
        """Open the header of a stored panel."""
        header = store.read_header(path)
        parts = tuple(path / name for name in header["parts"]) or (path,)
        return cls(path, header["schema"], parts, header["flow"])

    @property
    def partitions(self) -> int:
        """Number of parts."""
        return len(self.parts)

    def __iter__(self) -> Iterator[Panel]:
        for folder in self.parts:
            panel = store.open_part(folder, self.schema, SampleFlow())
            for selection in self._selections:
                panel = _applied(selection, panel)
            yield panel

    @property
    def flow(self) -> SampleFlow:
        """Persons and rows at each step, added over the parts (reads the columns of the conditions)."""
        return self.flow_of(self) if self._selections else self._flow

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
        return self._selected(condition)

    def at(self, **levels: Any) -> Scan:
        """Keep the rows whose columns have the given values, in every part; see `Panel.at`."""
        return self._selected(levels)

    def _selected(self, selection: str | Mapping[str, Any]) -> Scan:
        # An unknown column or label is refused now, not at the first part.
        _applied(selection, store.empty_panel(self.schema))
        return dataclasses.replace(self, _selections=(*self._selections, selection))

    def __repr__(self) -> str:
        persons, rows = self._flow.steps[-1].persons, self._flow.steps[-1].rows
        return f"<Scan: {persons:,} persons, {rows:,} rows stored in {self.partitions:,} parts>"


def _applied(selection: str | Mapping[str, Any], panel: Panel) -> Panel:
    """Return the panel under one condition."""
    return panel.at(**selection) if isinstance(selection, Mapping) else panel.where(selection)
