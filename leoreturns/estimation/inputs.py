"""The data of an estimate: a panel or a scan under a condition, or the rows of a frame as a panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from leoreturns._typing import Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.formula import Specification
from leoreturns.panel.framed import panel_of_rows
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.panel.units import PERSON


def estimation_panel(
    data: Any,
    specifications: Sequence[Specification],
    others: Sequence[str | None],
    weights: Weights | None,
    *,
    where: str | None,
    person: str | None,
) -> Panel:
    """Return the rows of an estimate as a panel, under its condition.

    Raises
    ------
    SupportError
        If no row is left.
    """
    if isinstance(data, pd.DataFrame):
        terms = [
            term
            for entry in specifications
            for term in (*entry.terms, *entry.endogenous, *entry.instruments, (entry.outcome,))
        ]
        mentioned = {name for term in terms for factor in term for name in factor.columns}
        needed = {name for entry in specifications for effect in entry.effects for name in effect}
        needed |= {name for name in others if name is not None} | ({weights.column} if weights else set())
        # "person" is the id whatever its name; names in a transform may be functions.
        known = sorted(needed - ({PERSON} if person is not None else set()))
        panel = panel_of_rows(
            data, known, person=person, where=where, mentioned=mentioned | needed, detect_traits=False
        )
    elif not isinstance(data, Panel | Scan):
        raise TypeError(f"data is a Panel, a Scan or a pandas DataFrame, not {type(data).__name__}")
    elif person is not None:
        raise ValueError("person= names the id column of a frame; a panel knows its persons")
    else:
        # Rows are read a block at a time, so that the columns of a scan need not be.
        panel = data.as_panel() if isinstance(data, Scan) else data
    panel = panel if where is None else panel.where(where)
    if not panel.n_row:
        raise SupportError("no rows are left to estimate from; see the panel's flow for where they were lost")
    return panel
