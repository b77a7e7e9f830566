"""What a table is made from: panels, the parts of a scan or the rows of a frame, and whether their columns will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._typing import Weights
from leoreturns.aggregates.rows import readable
from leoreturns.aggregates.statistics import Statistic
from leoreturns.errors import SupportError
from leoreturns.panel.framed import panel_of_rows
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.results.flow import SampleFlow


@dataclass(frozen=True, slots=True)
class Inputs:
    """The rows of a table.

    Attributes
    ----------
    panels : list of Panel
        Disjoint sets of persons in key order, with one schema.
    flow : SampleFlow
        Persons and rows kept so far.
    identified : bool
        Whether the persons are known; without a person column every row is a person of its own.
    """

    panels: list[Panel]
    flow: SampleFlow
    identified: bool

    @property
    def n_row(self) -> int:
        """Selected rows."""
        return sum(panel.n_row for panel in self.panels)


def read_inputs(
    data: Any, columns: Sequence[str], *, where: str | None, person: str | None, values: str | None, unit: str | None
) -> Inputs:
    """Return the data of a call of `aggregate`, under its condition.

    Raises
    ------
    SupportError
        If no row is left.
    """
    if isinstance(data, pd.DataFrame):
        units = {values: unit} if values is not None and unit is not None else {}
        needed = list(dict.fromkeys([*columns, *([person] if person else [])]))
        panel = panel_of_rows(data, needed, person=person, where=where, units=units)
        inputs = _of_panel(panel if where is None else panel.where(where), identified=person is not None)
    elif not isinstance(data, Panel | Scan):
        raise TypeError(f"data is a Panel, a Scan or a pandas DataFrame, not {type(data).__name__}")
    elif person is not None or unit is not None:
        raise ValueError("person= and unit= describe the columns of a frame; a panel knows its persons and units")
    else:
        selected = data if where is None else data.where(where)
        if isinstance(selected, Scan):
            panels = list(selected)
            inputs = Inputs(panels, selected.flow_of(panels), identified=True)
        else:
            inputs = _of_panel(selected, identified=True)
    if not inputs.n_row:
        raise SupportError("no rows are left to describe; see the panel's flow for where they were lost")
    return inputs


def _of_panel(panel: Panel, *, identified: bool) -> Inputs:
    return Inputs([panel], panel.flow, identified)


def check_columns(
    panels: Sequence[Panel],
    keys: Sequence[str],
    values: str | None,
    weights: Weights | None,
    chosen: Sequence[Statistic],
) -> None:
    """Refuse keys, values and weights that are not what the statistics need."""
    if panels[0].schema.person in keys:
        raise SupportError(
            f"'{panels[0].schema.person}' is the person id: a table describes groups of persons, not each of them"
        )
    if shared := [entry.name for entry in chosen if entry.name in keys]:
        raise SupportError(f"{', '.join(shared)} would name a key and a statistic: rename the column")
    if values is not None:
        column = panels[0].column(values)
        if column.kind == "code" and not column.is_bool:
            raise SupportError(
                f"column '{values}' holds {len(column.labels):,} labels, not numbers; "
                f"count it as a key instead: by=[..., '{values}']"
            )
        if any(entry.name == "share" for entry in chosen) and not column.is_bool:
            raise SupportError(
                f"share needs a true/false column and '{values}' holds numbers; make one with panel.assign"
            )
    if weights is not None:
        _check_weights(panels, weights)


def _check_weights(panels: Sequence[Panel], weights: Weights) -> None:
    """Refuse weights that are not numbers, negative, or parts of repetitions."""
    name = weights.column
    if panels[0].column(name).kind != "number":
        raise SupportError(f"weights '{name}' are not numbers")
    arrays = [readable(panel, name)[0][slice(None) if panel.selection is None else panel.selection] for panel in panels]
    if negative := sum(int((array < 0).sum()) for array in arrays):
        raise SupportError(f"weights '{name}' are negative in {negative:,} entries; a weight is zero or more")
    if weights.kind == "frequency":
        known = [array[array >= 0] for array in arrays]
        if broken := sum(int((array != np.floor(array)).sum()) for array in known):
            raise SupportError(
                f"frequency weights '{name}' are not whole in {broken:,} entries; "
                f"use lr.Weights('{name}', 'probability')"
            )
