"""Many breakdowns of the same persons in one pass.

A question about one row per person is broken down twenty ways, and most of the cost of a table with intervals is the
draws, which are the same for every breakdown. So every person stands once in each breakdown of one stacked panel: one
table of all of it, taken apart at the end, costs the draws once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leoreturns._typing import AnyArray, ContrastKind, FloatArray, IntArray
from leoreturns.aggregates.composition import check_replicated, composition, share_of_true
from leoreturns.aggregates.compute import aggregate
from leoreturns.aggregates.statistics import statistic
from leoreturns.aggregates.uncertainty import contrast_table
from leoreturns.errors import SupportError
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.keys import interact
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Column, Schema
from leoreturns.questions.breakdown import Breakdown, Data
from leoreturns.resample.joint import collecting
from leoreturns.resample.plan import PERSON, BootstrapPlan
from leoreturns.results.aggregate import Aggregate, CellKey, taken
from leoreturns.results.flow import SampleFlow

BREAKDOWN, GROUP = "breakdown", "group"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Stack:
    """Persons with one row in each of several breakdowns; microdata, gone when the question is answered.

    Attributes
    ----------
    panel : Panel
        All columns asked for by person; by breakdown the number of the person's group, in the order of its keys'
        levels.
    groups : tuple of Breakdown
        In their order, which numbers them.
    flow : SampleFlow
        Of the persons before any breakdown.
    """

    panel: Panel
    groups: tuple[Breakdown, ...]
    flow: SampleFlow

    @classmethod
    def of(cls, data: Data, groups: Sequence[Breakdown], columns: Sequence[str], plan: BootstrapPlan | None) -> Stack:
        """Stack the selected rows of a panel or scan, one per person.

        Parameters
        ----------
        data : Panel or Scan
        groups : sequence of Breakdown
        columns : sequence of str
            Columns to describe; entities and the plan's sampling units come along.
        plan : BootstrapPlan or None

        Raises
        ------
        SupportError
            If a person has several rows, or nobody has any.
        """
        parts = [data] if isinstance(data, Panel) else list(data)
        if any(part.n_row != part.n_person for part in parts):
            raise SupportError("persons have several rows: choose one period with data.at(...)")
        schema = data.schema
        wanted = [*columns, *(name for name, column in schema.columns.items() if column.entity)]
        if plan is not None and plan.unit not in (PERSON, schema.person):
            wanted.append(plan.unit)
        keys = dict.fromkeys(column.name for group in groups for column in group.columns)
        at = [_places(part) for part in parts]

        def gathered(name: str) -> AnyArray:
            return np.concatenate([_taken(part, name, *places) for part, places in zip(parts, at, strict=True)])

        codes = {name: gathered(name) for name in keys}
        n_person, n = sum(len(rows) for rows, _ in at), len(groups)
        if not n_person:
            raise SupportError("no rows are left to describe; see the panel's flow for where they were lost")
        number = np.empty((n_person, n), dtype=np.int32)
        for place, group in enumerate(groups):
            number[:, place] = _group_numbers(group, codes, n_person)
        described = {name: replace(schema.columns[name], level="person") for name in wanted}
        described |= {name: Column(name, "year", "number") for name in (BREAKDOWN, GROUP)}
        panel = Panel(
            schema=Schema(schema.person, BREAKDOWN, described),
            ids=PersonIds(np.arange(n_person)),
            keys=np.concatenate([part.keys[persons] for part, (_, persons) in zip(parts, at, strict=True)]),
            offsets=np.arange(0, (n_person + 1) * n, n),
            people={name: gathered(name) for name in dict.fromkeys(wanted)},
            years={BREAKDOWN: np.tile(np.arange(n, dtype=np.int8), n_person), GROUP: number.reshape(-1)},
            selection=(number >= 0).reshape(-1),
            settings=data.settings,
        )
        flow = data.flow if isinstance(data, Panel) else data.flow_of(parts)
        return cls(panel, tuple(groups), flow)

    def tables(
        self, values: str | None, statistics: Sequence[str], plan: BootstrapPlan | None, kind: ContrastKind
    ) -> list[Aggregate]:
        """Return the table of every breakdown, with the gaps of its levels under a plan; see `aggregate`."""
        if plan is None:
            whole = aggregate(self.panel, values, by=[BREAKDOWN, GROUP], statistics=statistics)
            return [self._part(whole, place, whole.evidence.n_obs) for place in range(len(self.groups))]
        check_replicated(plan, f"{values} with its gaps")
        with collecting() as found:
            whole = aggregate(self.panel, values, by=[BREAKDOWN, GROUP], statistics=statistics, plan=plan)
        return self._with_gaps(whole, whole.evidence.n_obs, found[0].replicates, plan, kind)

    def shares(self, column: str, plan: BootstrapPlan | None) -> list[Aggregate]:
        """Return the share of true in a column, of those of whom it is known, and its gaps in points."""
        with collecting() as found:
            whole = share_of_true(self.panel, column, by=[BREAKDOWN, GROUP], plan=plan)
        if plan is None:
            return [self._part(whole, place, whole.evidence.n_obs) for place in range(len(self.groups))]
        return self._with_gaps(whole, whole.evidence.n_obs, found[0].replicates, plan, "difference")

    def compositions(self, column: str, plan: BootstrapPlan | None, kind: ContrastKind) -> list[Aggregate]:
        """Return the composition of every breakdown by a column, with the gaps of its levels under a plan."""
        with collecting() as found:
            whole = composition(self.panel, column, by=[BREAKDOWN, GROUP], plan=plan)
        counted = whole.evidence.n_person_nonzero
        if plan is None:
            return [self._part(whole, place, counted) for place in range(len(self.groups))]
        return self._with_gaps(whole, counted, found[0].replicates, plan, kind)

    def _with_gaps(
        self, whole: Aggregate, counted: IntArray, replicates: FloatArray, plan: BootstrapPlan, kind: ContrastKind
    ) -> list[Aggregate]:
        """Return the table of every breakdown with its gaps; replicates are those of all cells, by statistic."""
        drawn = dict(zip(whole.intervals, np.split(replicates, len(whole.intervals)), strict=True))
        tables = []
        for place, group in enumerate(self.groups):
            table, cells = self._part(whole, place, counted), self._cells(whole, place)
            points = {name: np.asarray(table.statistics[name], dtype=np.float64) for name in drawn}
            of_cells = {name: numbers[cells] for name, numbers in drawn.items()}
            gaps = tuple(
                contrast_table(
                    contrast,
                    table.keys,
                    points,
                    of_cells,
                    plan,
                    chosen=[statistic(name) for name in drawn],
                    in_logs=table.unit == "log",
                    bands=None,
                )
                for contrast in group.gaps(kind)
            )
            tables.append(replace(table, contrasts=gaps))
        return tables

    def _cells(self, whole: Aggregate, place: int) -> IntArray:
        """Return the cells of one breakdown."""
        key = whole.keys[BREAKDOWN]
        return np.flatnonzero(np.asarray(key.labels)[key.codes] == place)

    def _part(self, whole: Aggregate, place: int, counted: IntArray) -> Aggregate:
        """Return the table of one breakdown with keys of its own; `counted` are the rows of each cell."""
        group, cells = self.groups[place], self._cells(whole, place)
        part, numbers = taken(whole, cells), whole.keys[GROUP]
        number = np.asarray(numbers.labels, dtype=np.int64)[numbers.codes[cells]]
        levels = np.unravel_index(number, group.sizes) if group.columns else ()
        keys = {
            column.name: CellKey(column.labels, codes.astype(np.int64))
            for column, codes in zip(group.columns, levels, strict=True)
        }
        keys |= {name: key for name, key in part.keys.items() if name not in (BREAKDOWN, GROUP)}
        kept, owners = int(counted[cells].sum()), {owner for column in group.columns for owner in _owners(column)}
        lost = kept < self.panel.n_person_stored
        return replace(
            part,
            keys=keys,
            flow=self.flow.appended("all keys present", persons=kept, rows=kept) if lost else self.flow,
            owners=tuple(sorted(owners | set(part.owners))),
        )


def _places(panel: Panel) -> tuple[IntArray, IntArray]:
    """Return the selected rows of a panel, and the persons they are of."""
    rows = np.arange(panel.n_row_stored) if panel.selection is None else np.flatnonzero(panel.selection)
    return rows, np.searchsorted(panel.offsets, rows, side="right") - 1


def _taken(panel: Panel, name: str, rows: IntArray, persons: IntArray) -> AnyArray:
    """Return a column of the selected rows."""
    return np.asarray(panel.array(name)[persons if panel.column(name).level == "person" else rows])


def _group_numbers(group: Breakdown, codes: dict[str, AnyArray], n_person: int) -> AnyArray:
    """Return the group of every person, -1 where a key is missing."""
    if not group.columns:
        return np.zeros(n_person, dtype=np.int32)
    if math.prod(group.sizes) >= 1 << 31:
        raise SupportError(f"a breakdown by {' and '.join(group.keys)} has too many groups")
    return np.asarray(interact([codes[column.name] for column in group.columns], group.sizes))


def _owners(column: Column) -> list[str]:
    return column.owner.split(", ") if column.owner else []
