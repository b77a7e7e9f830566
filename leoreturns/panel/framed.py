"""The rows of a frame as a panel, for calls that take either."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from leoreturns.errors import PanelError
from leoreturns.panel.panel import Panel

ROW, ROW_PERSON = " row", " person"  # columns added to a frame; the space keeps them apart from the caller's


def panel_of_rows(
    frame: pd.DataFrame,
    needed: Sequence[str],
    *,
    person: str | None,
    where: str | None,
    mentioned: Collection[str] = (),
    units: Mapping[str, str] | None = None,
    detect_traits: bool = True,
) -> Panel:
    """Return a frame's rows as a panel; levels of the index count as columns.

    The row's number stands in for the period, and for the person where none is named.

    Parameters
    ----------
    frame : DataFrame
    needed : sequence of str
        Columns that must be there.
    person : str, optional
        Id column.
    where : str, optional
        A condition: columns that it may mention are read too. It is not applied.
    mentioned : collection of str
        Names that are columns or something else.
    units : mapping of str to str, optional
        As of `Panel.from_frame`.
    detect_traits : bool
        Whether columns that do not vary within persons are stored once per person.

    Raises
    ------
    PanelError
        For an unknown column.
    """
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if named:
        frame = frame.reset_index(level=named)
    if unknown := [name for name in needed if name not in frame.columns]:
        known = ", ".join(map(repr, frame.columns))
        raise PanelError(f"unknown column {', '.join(map(repr, unknown))}; known: {known}")
    wanted = {*needed, *mentioned, *([person] if person is not None else [])}
    used = [name for name in frame.columns if name in wanted or (where is not None and str(name) in where)]
    numbered = frame[used].assign(**{ROW: np.arange(len(frame))})
    if person is None:
        numbered[ROW_PERSON] = numbered[ROW]
    varying = [] if detect_traits else [name for name in used if name != person]
    return Panel.from_frame(
        numbered, person=person if person is not None else ROW_PERSON, time=ROW, units=units, time_varying=varying
    )
