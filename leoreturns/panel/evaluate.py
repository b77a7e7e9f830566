"""Expressions on all stored rows, a stretch of persons at a time, so that temporaries stay small and in cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray, BoolArray
from leoreturns.panel import rows
from leoreturns.panel.expression import Coded, Condition, Evaluator, Number, Stretch
from leoreturns.panel.syntax import Parsed

if TYPE_CHECKING:
    from leoreturns.panel.panel import Panel


def true_rows(panel: Panel, parsed: Parsed) -> BoolArray:
    """Return the stored rows on which a condition is true."""
    out = np.empty(panel.n_row_stored, dtype=np.bool_)

    def part(stretch: Stretch) -> None:
        out[stretch.rows] = Evaluator(parsed, stretch).true_rows()

    ordered_map(part, _stretches(panel))
    return out


def column_of(panel: Panel, parsed: Parsed) -> Condition | Number | Coded:
    """Return what an expression stands for, along the stored persons or rows."""
    first, *others = _stretches(panel)
    start = Evaluator(parsed, first).evaluate()
    if isinstance(start, Coded):
        return Coded(start.column, panel.array(start.column.name))
    by_person = start.level == "person"
    out = np.empty(panel.n_person_stored if by_person else panel.n_row_stored, dtype=_values(start).dtype)

    def fill(stretch: Stretch, found: Condition | Number | Coded) -> None:
        out[stretch.persons if by_person else stretch.rows] = _values(found)

    fill(first, start)
    ordered_map(lambda stretch: fill(stretch, Evaluator(parsed, stretch).evaluate()), others)
    return Condition(out, start.level) if isinstance(start, Condition) else Number(out, start.level)


def _values(found: Condition | Number | Coded) -> AnyArray:
    """Return the array of a result."""
    values = found.truth if isinstance(found, Condition) else found.codes if isinstance(found, Coded) else found.values
    return np.asarray(values)


def _stretches(panel: Panel) -> list[Stretch]:
    """Return the persons in stretches; one empty stretch where there are none."""
    return [Stretch(panel, first, last) for first, last in rows.stretches(panel.offsets) or [(0, 0)]]
