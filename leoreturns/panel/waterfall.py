"""The attrition waterfall of a panel built from LEO: what each step of the selection leaves of every cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from leoreturns.errors import PanelError
from leoreturns.results.flow import MASK, MASKED_BELOW, SampleFlow


@dataclass(frozen=True, slots=True, repr=False)
class Waterfall:
    """What each step of the selection leaves: persons, or the records that become persons, by cohort.

    Attributes
    ----------
    steps : tuple of (str, mapping of int -> int)
        Label, and what is left by cohort; cohorts of which nothing is left may be absent.
    last_tax_year : int
        Start year of the last tax year of the panel: a person of cohort C has a row for every tax year after C.
    """

    steps: tuple[tuple[str, Mapping[int, int]], ...]
    last_tax_year: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Waterfall:
        """Return the waterfall that ``panel.settings`` of a built panel holds.

        Raises
        ------
        PanelError
            If the panel was not built by `build_panel`.
        """
        if "waterfall" not in settings:
            raise PanelError("the panel was not built from an extract: its flow has the steps there are")
        steps = ((label, {int(cohort): n for cohort, n in by.items()}) for label, by in settings["waterfall"])
        return cls(tuple(steps), int(settings["definitions"]["last_tax_year"]))

    @property
    def cohorts(self) -> tuple[int, ...]:
        """Cohorts of which any step has somebody."""
        return tuple(sorted({cohort for _, by_cohort in self.steps for cohort in by_cohort}))

    def years(self, cohort: int) -> int:
        """Return the tax years of a person of a cohort."""
        return max(0, self.last_tax_year - cohort)

    def flow(self) -> SampleFlow:
        """Return the steps over all cohorts."""
        flow = SampleFlow()
        for label, by_cohort in self.steps:
            rows = sum(n * self.years(cohort) for cohort, n in by_cohort.items())
            flow = flow.appended(label, persons=sum(by_cohort.values()), rows=rows)
        return flow

    def to_frame(self) -> pd.DataFrame:
        """Return one row per step and cohort: persons and person-years left, persons removed by the step (unmasked)."""
        cells = [
            (label, cohort, by_cohort.get(cohort, 0), by_cohort.get(cohort, 0) * self.years(cohort))
            for label, by_cohort in self.steps
            for cohort in self.cohorts
        ]
        frame = pd.DataFrame(cells, columns=["step", "cohort", "persons", "person_years"])
        removed = -frame.groupby("cohort", sort=False)["persons"].diff().fillna(0)
        return frame.assign(persons_removed=removed.astype("int64"))

    def _cells(self) -> list[tuple[str, ...]]:
        """Return the rendered table: a block of persons, then one of person-years; small counts masked."""
        heading = tuple(map(str, self.cohorts))
        cells: list[tuple[str, ...]] = []
        for title in ("persons", "person-years"):
            cells.append((title, *heading, "all"))
            for label, by_cohort in self.steps:
                persons = [by_cohort.get(cohort, 0) for cohort in self.cohorts]
                years = [self.years(cohort) if title == "person-years" else 1 for cohort in self.cohorts]
                total = sum(n * each for n, each in zip(persons, years, strict=True))
                shown = [_shown(n, n * each) for n, each in zip(persons, years, strict=True)]
                cells.append((label, *shown, _shown(sum(persons), total)))
        return cells

    def __repr__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join([f"{row[0]:<{widths[0]}}", *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in cells
        )

    def _repr_html_(self) -> str:
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._cells())
        return f"<table><tbody>{body}</tbody></table>"


def _shown(persons: int, count: int) -> str:
    return MASK if 0 < persons < MASKED_BELOW else f"{count:,}"
