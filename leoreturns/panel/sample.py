"""Conditions on rows: `where` and `at`. Each keeps the rows on which it is true and adds a step to the flow."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leoreturns.errors import PanelError
from leoreturns.panel import syntax
from leoreturns.panel.evaluate import true_rows
from leoreturns.panel.schema import Label

if TYPE_CHECKING:
    from leoreturns.panel.panel import Panel


def where(panel: Panel, condition: str) -> Panel:
    """See `Panel.where`."""
    if not isinstance(condition, str) or not condition.strip():
        raise PanelError("a condition must be a text such as \"sex == 'F'\"")
    return _kept(panel, syntax.parse(condition.strip()), condition.strip())


def at(panel: Panel, levels: Mapping[str, Any]) -> Panel:
    """See `Panel.at`: one condition of memberships."""
    if not levels:
        raise PanelError("give at least one column, such as at(years_since_ks4=[5, 10])")
    wanted = {name: _listed(panel.column(name).name, values) for name, values in levels.items()}
    label = ", ".join(f"{name} in {values!r}" for name, values in wanted.items())
    return _kept(panel, syntax.memberships(f"at({label})", wanted), label)


def _kept(panel: Panel, condition: syntax.Parsed, label: str) -> Panel:
    """Return the panel with fewer rows, and the step in its flow."""
    kept = true_rows(panel, condition)
    if panel.selection is not None:
        kept &= panel.selection
    smaller = dataclasses.replace(panel, selection=kept)
    flow = panel.flow.appended(label, persons=smaller.n_person, rows=smaller.n_row)
    return dataclasses.replace(smaller, flow=flow)


def _listed(name: str, wanted: Any) -> list[Label]:
    """Return a value or a collection of values as labels; dates as ISO texts."""
    if pd.api.types.is_scalar(wanted) or isinstance(wanted, dt.date):
        wanted = [wanted]
    values = [value.item() if isinstance(value, np.generic) else value for value in wanted]
    if not values:
        raise PanelError(f"at({name}=...) needs at least one value")
    if any(pd.isna(value) for value in values):
        raise PanelError(f'at({name}=...) cannot select missing entries; use where("{name} is missing")')
    return [value.isoformat() if isinstance(value, dt.date) else value for value in values]
