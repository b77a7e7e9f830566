"""SampleFlow: how many persons and rows remain after each exclusion."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import pandas as pd

MASKED_BELOW = 10  # persons; a rendering never shows a smaller count
MASK = "<10"


@dataclass(frozen=True, slots=True, repr=False)
class FlowStep:
    """One step of the sample: what was kept, and how much of it."""

    label: str
    persons: int
    rows: int

    def __repr__(self) -> str:
        return f"<FlowStep: {self.label}>"


@dataclass(frozen=True, slots=True)
class SampleFlow:
    """The attrition waterfall: persons and rows kept after each step, the first step being the whole panel.

    Attributes
    ----------
    steps : tuple of FlowStep
        In the order in which they were applied.
    """

    steps: tuple[FlowStep, ...] = ()

    def appended(self, label: str, *, persons: int, rows: int) -> SampleFlow:
        """Return the flow with one more step."""
        return SampleFlow((*self.steps, FlowStep(label, int(persons), int(rows))))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per step: label, persons and rows kept, persons and rows removed by the step."""
        frame = pd.DataFrame(
            {
                "step": [step.label for step in self.steps],
                "persons": [step.persons for step in self.steps],
                "rows": [step.rows for step in self.steps],
            }
        )
        for name in ("persons", "rows"):
            frame[f"{name}_removed"] = -frame[name].diff().fillna(0).astype("int64")
        return frame

    def _cells(self) -> list[tuple[str, str, str]]:
        """Return the rendered steps, small counts masked."""
        return [
            (step.label, MASK, MASK)
            if 0 < step.persons < MASKED_BELOW
            else (step.label, f"{step.persons:,}", f"{step.rows:,}")
            for step in self.steps
        ]

    def __repr__(self) -> str:
        cells = [("step", "persons", "rows"), *self._cells()]
        widths = [max(len(row[place]) for row in cells) for place in range(3)]
        return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}" for row in cells)

    def _repr_html_(self) -> str:
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._cells())
        return f"<table><thead><tr><th>step</th><th>persons</th><th>rows</th></tr></thead><tbody>{body}</tbody></table>"
