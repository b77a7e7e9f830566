"""The data of an estimate: a panel under a condition, or the rows of a frame as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._typing import Weights
from leoreturns.errors import PanelError, SupportError
from leoreturns.estimation.formula import Specification
from leoreturns.panel.panel import Panel
from leoreturns.panel.units import PERSON

ROW, ROW_PERSON = " row", " person"  # columns added to a frame; the space keeps them apart from the caller's


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
        panel = _framed(data, mentioned, needed, where, person)
    elif not isinstance(data, Panel):
        raise TypeError(f"data is a Panel or a pandas DataFrame, not {type(data).__name__}")
    elif person is not None:
        raise ValueError("person= names the id column of a frame; a panel knows its persons")
    else:
        panel = data
    panel = panel if where is None else panel.where(where)
    if not panel.n_row:
        raise SupportError("no rows are left to estimate from; see the panel's flow for where they were lost")
    return panel


def _framed(frame: pd.DataFrame, mentioned: set[str], needed: set[str], where: str | None, person: str | None) -> Panel:
    """Return a frame's rows as a panel; levels of the index count as columns.

    The row's number stands in for the period, and for the person where none is named.
    """
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if named:
        frame = frame.reset_index(level=named)
    # "person" is the id whatever its name.
    known = {*frame.columns, *([PERSON] if person is not None else [])}
    if unknown := sorted(needed - known):
        columns = ", ".join(map(repr, frame.columns))
        raise PanelError(f"unknown column {', '.join(map(repr, unknown))}; known: {columns}")
    # Names in a transform may be functions; columns that a condition may mention are read too.
    used = [
        name
        for name in frame.columns
        if name in mentioned or name in needed or name == person or (where is not None and str(name) in where)
    ]
    numbered = frame[used].assign(**{ROW: np.arange(len(frame))})
    if person is None:
        numbered[ROW_PERSON] = numbered[ROW]
    return Panel.from_frame(
        numbered, person=person or ROW_PERSON, time=ROW, time_varying=[n for n in used if n != person]
    )
