"""Careers: the state of every person in every year of a clock, and panels of what happens between two years.

A state is a sector of paid work, "not in paid work", or "not known": in paid work without a known sector, or without a
link to tax records. Persons have a state in every year of which they have a row, so that the denominators of flows can
name who is followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from leoreturns._typing import AnyArray, BoolArray, IntArray
from leoreturns.aggregates.compute import aggregate
from leoreturns.errors import PanelError, SupportError
from leoreturns.panel import rows
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Column, Schema
from leoreturns.questions.breakdown import Data, required
from leoreturns.resample.plan import PERSON, BootstrapPlan
from leoreturns.results.flow import SampleFlow

AcrossRegisters: TypeAlias = Literal["leave out", "keep"]
Tied: TypeAlias = Literal["keep", "not known"]

NO_WORK, UNKNOWN = "not in paid work", "not known"
IN_WORK, TIED, VINTAGE = "in_paid_work", "sector_tied", "sector_vintage"
FIRST_YEAR, MOST_YEARS = 1, 100
SLOT = "slot"  # the period of derived panels: a year, a horizon, a step


@dataclass(frozen=True, slots=True)
class Rules:
    """How states are read.

    Attributes
    ----------
    sector : str
        Column of sectors by person and year.
    since : str
        The clock: a column of whole years by person and year.
    tied : "keep" or "not known"
        What a sector counts as where another one paid as much.
    across_registers : "leave out" or "keep"
        Whether flows between years whose sectors come from different registers are followed.
    """

    sector: str
    since: str
    tied: Tied = "keep"
    across_registers: AcrossRegisters = "leave out"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Careers:
    """The states of all persons by year; microdata, gone when the question is answered.

    Attributes
    ----------
    states : int16 of shape (n_person, n_year)
        Position in `labels` of the state in years 1, 2, ... of the clock; -1 without a row.
    registers : int8 of shape (n_person, n_year)
        Number of the register that the sectors of the row's period come from; -1 without one.
    labels : tuple
        Sectors, then "not in paid work" and "not known".
    keys : uint64 of shape (n_person,)
        Keys of the persons, on which draws hang.
    people : mapping of column -> array of shape (n_person,)
        Traits, entities and sampling units.
    columns : mapping of name -> Column
        Their descriptions.
    owner : str or None
        Whose records the states are.
    flow : SampleFlow
        Of persons with a row in a year of the clock.
    settings : mapping
        Of the data.
    """

    states: AnyArray
    registers: AnyArray
    labels: tuple[Any, ...]
    keys: AnyArray
    people: Mapping[str, AnyArray]
    columns: Mapping[str, Column]
    owner: str | None
    flow: SampleFlow
    settings: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        data: Data,
        rules: Rules,
        *,
        traits: Iterable[str] = (),
        at: Mapping[str, int] | None = None,
        plan: BootstrapPlan | None = None,
    ) -> Careers:
        """Read the careers of a panel, or of all parts of a scan.

        Parameters
        ----------
        data : Panel or Scan
        rules : Rules
        traits : iterable of str
            Columns with one value per person.
        at : mapping of column -> year
            Columns that vary over years, and the year of the clock of which a person's value is taken.
        plan : BootstrapPlan, optional
            Whose sampling units come along.

        Raises
        ------
        PanelError
            For columns that are not there or of the wrong kind.
        SupportError
            If a person has several rows of a year, a period several registers, or nobody a row.
        """
        sector, clock = required(data, rules.sector), required(data, rules.since)
        if sector.kind != "code" or sector.level != "year" or clock.kind != "number":
            raise PanelError(
                f"{rules.sector!r} must hold labels by person and year, and {rules.since!r} whole years since an event"
            )
        schema, at = data.schema, dict(at or {})
        wanted = dict.fromkeys([*traits, *(name for name, column in schema.columns.items() if _is_entity(column))])
        if plan is not None and plan.unit not in (PERSON, schema.person):
            wanted[plan.unit] = None
        for name in wanted:
            if required(data, name).level != "person":
                raise PanelError(f"{name!r} varies over years: sectors are followed by traits that do not")
        parts = [data] if isinstance(data, Panel) else list(data)
        registers = _registers(data, rules)
        read = [_Part.of(part, rules, registers, at) for part in parts]
        n_year = max((part.n_year for part in read), default=0)
        if not n_year:
            raise SupportError(f"nobody has a row of year {FIRST_YEAR} or later of '{rules.since}'")
        work = schema.columns.get(IN_WORK)
        owners = [column.owner for column in (sector, work) if column is not None and column.owner]
        columns = {name: replace(schema.columns[name], level="person") for name in [*wanted, *at]}
        people = {name: np.concatenate([part.array(name)[each.kept] for part, each in zip(parts, read, strict=True)])
                  for name in wanted}  # fmt: skip
        for name in at:
            people[name] = np.concatenate([part.at[name] for part in read])
            columns[name] = replace(columns[name], missing=int(np.count_nonzero(people[name] < 0)))
        states = np.concatenate([part.wide(part.states, n_year) for part in read])
        flow = data.flow if isinstance(data, Panel) else data.flow_of(parts)
        return cls(
            states=states,
            registers=np.concatenate([part.wide(part.registers, n_year) for part in read]),
            labels=(*sector.labels, NO_WORK, UNKNOWN),
            keys=np.concatenate([part.keys[each.kept] for part, each in zip(parts, read, strict=True)]),
            people=people,
            columns=columns,
            owner=", ".join(dict.fromkeys(owners)) or None,
            flow=flow.appended(
                f"with a row of year {FIRST_YEAR} or later of '{rules.since}'",
                persons=len(states),
                rows=int(np.count_nonzero(states >= 0)),
            ),
            settings=data.settings,
        )

    @property
    def n_sector(self) -> int:
        """Number of sectors: the states before "not in paid work"."""
        return len(self.labels) - 2

    @property
    def n_year(self) -> int:
        """Number of years."""
        return int(self.states.shape[1])

    def at(self, year: int) -> AnyArray:
        """Return the states of a year, -1 for those without a row."""
        place = year - FIRST_YEAR
        return self.states[:, place] if 0 <= place < self.n_year else np.full(len(self.states), -1, np.int16)

    def crossing(self, year: int, other: int) -> BoolArray:
        """Return who changes from one register to another between two years."""
        places = (year - FIRST_YEAR, other - FIRST_YEAR)
        if not all(0 <= place < self.n_year for place in places):
            return np.zeros(len(self.states), dtype=np.bool_)
        one, two = (self.registers[:, place] for place in places)
        return np.asarray((one != two) & (one >= 0) & (two >= 0))

    def known(self, codes: AnyArray) -> BoolArray:
        """Return where a state is known."""
        return np.asarray((codes >= 0) & (codes <= self.n_sector))

    def in_sector(self, codes: AnyArray) -> BoolArray:
        """Return where a state is a sector."""
        return np.asarray((codes >= 0) & (codes < self.n_sector))

    def state_column(self, name: str) -> Column:
        """Describe a column of states."""
        return Column(name, "year", "code", labels=self.labels, owner=self.owner)

    def panel(self, columns: Sequence[tuple[Column, AnyArray]], *steps: tuple[str, BoolArray]) -> Panel:
        """Return a panel of derived rows.

        Parameters
        ----------
        columns : sequence of (Column, array of shape (n_person, n_slot))
        *steps : (str, bool array of shape (n_person, n_slot))
            Who they are, and which rows that leaves: each step leaves fewer rows, the last those of the panel. There
            may be none.
        """
        kept = steps[-1][1]
        n_person, n_slot = kept.shape
        slots = np.tile(np.arange(n_slot, dtype=np.int16), n_person)
        described = {**self.columns, SLOT: Column(SLOT, "year", "number")}
        described |= {column.name: column for column, _ in columns}
        years = {column.name: np.ascontiguousarray(values).reshape(-1) for column, values in columns}
        people = {name: values for name, values in self.people.items() if name not in years}
        found = Panel(
            schema=Schema("person", SLOT, described),
            ids=PersonIds(np.arange(n_person)),
            keys=self.keys,
            offsets=np.arange(0, (n_person + 1) * n_slot, n_slot),
            people=people,
            years={SLOT: slots, **years},
            selection=kept.reshape(-1),
            settings=self.settings,
        )
        flow = self.flow
        for label, left in steps:
            persons, rows = np.count_nonzero(left.any(axis=1)), np.count_nonzero(left)
            flow = flow.appended(label, persons=int(persons), rows=int(rows))
        return replace(found, flow=flow)


@dataclass(frozen=True, slots=True)
class _Part:
    """The states of one part of the data: long until all parts are known, wide afterwards."""

    kept: IntArray  # stored persons with a row
    person: IntArray  # place in `kept` of every row
    year: IntArray  # place of every row's year
    states: AnyArray
    registers: AnyArray
    at: Mapping[str, AnyArray]

    @property
    def n_year(self) -> int:
        return int(self.year.max(initial=-1)) + 1

    @classmethod
    def of(cls, panel: Panel, rules: Rules, registers: Mapping[Any, int], at: Mapping[str, int]) -> _Part:
        """Read the selected rows of years of the clock."""
        clock = np.asarray(panel.array(rules.since), dtype=np.float64)
        with np.errstate(invalid="ignore"):
            there = (clock >= FIRST_YEAR) & (clock < FIRST_YEAR + MOST_YEARS)
        if panel.selection is not None:
            there &= panel.selection
        chosen = np.flatnonzero(there)
        if fractions := int(np.count_nonzero(clock[chosen] % 1)):
            raise PanelError(f"'{rules.since}' must hold whole years: {fractions:,} rows have others")
        person = rows.expand(np.arange(panel.n_person_stored), panel.offsets)[chosen]
        first = np.diff(person, prepend=-1) > 0  # persons are stored one after another
        kept, place = person[first], np.cumsum(first) - 1
        year = clock[chosen].astype(np.int64) - FIRST_YEAR
        seen = np.zeros((len(kept), int(year.max(initial=0)) + 1), dtype=np.bool_)
        seen[place, year] = True
        if np.count_nonzero(seen) < len(year):
            raise SupportError(f"persons have several rows of a year of '{rules.since}': a career needs one")
        period = panel.key(panel.schema.time)
        of_period = np.array([*(registers.get(label, -1) for label in period.labels), -1], dtype=np.int8)
        values = {}
        for name, when in at.items():
            column = panel.column(name)
            values[name] = np.array(panel.array(name)[kept]) if column.level == "person" else np.full(len(kept), -1)
            if column.level != "person":
                rows_then = year == when - FIRST_YEAR
                values[name][place[rows_then]] = panel.array(name)[chosen[rows_then]]
        return cls(kept, place, year, _states(panel, rules, chosen), of_period[period.codes[chosen]], values)

    def wide(self, values: AnyArray, n_year: int) -> AnyArray:
        """Return values by person and year, -1 where there is no row."""
        found = np.full((len(self.kept), n_year), -1, dtype=values.dtype)
        found[self.person, self.year] = values
        return found


def condition(name: str, owner: str | None) -> Column:
    """Describe a derived true/false column, whose codes are 0 and 1."""
    return Column(name, "year", "code", labels=(False, True), owner=owner)


def _is_entity(column: Column) -> bool:
    return column.entity and column.level == "person"


def _states(panel: Panel, rules: Rules, chosen: IntArray) -> AnyArray:
    """Return the state of chosen rows."""
    n = len(panel.column(rules.sector).labels)
    states = panel.array(rules.sector)[chosen].astype(np.int16)
    if rules.tied == "not known" and TIED in panel.schema.columns:
        states[_true(panel, TIED, chosen, of=True)] = n + 1
    missing = states < 0
    states[missing] = n + 1
    if IN_WORK in panel.schema.columns:
        states[missing & _true(panel, IN_WORK, chosen, of=False)] = n
    return states


def _true(panel: Panel, name: str, chosen: IntArray, *, of: bool) -> BoolArray:
    """Return on which chosen rows a true/false column is known to be what is given."""
    column, codes = panel.column(name), panel.array(name)
    if column.level == "person":
        codes = rows.expand(codes, panel.offsets)
    return np.array([*(label is of for label in column.labels), False])[codes[chosen]]


def _registers(data: Data, rules: Rules) -> dict[Any, int]:
    """Return the number of the register that each period's sectors come from; empty where nothing tells, or matters."""
    if VINTAGE not in data.schema.columns or rules.across_registers == "keep":
        return {}
    time = data.schema.time
    if not data.n_row:
        return {}
    table = aggregate(data, None, by=[time, VINTAGE], statistics=["n_obs"])
    periods, vintages = table.keys[time], table.keys[VINTAGE]
    found: dict[Any, int] = {}
    for period, vintage in zip(periods.codes.tolist(), vintages.codes.tolist(), strict=True):
        if found.setdefault(periods.labels[period], vintage) != vintage:
            raise SupportError(
                f"sectors of one period come from several registers by {VINTAGE!r}: make a column of sectors from one "
                "of them, or ask with across_registers='keep'"
            )
    return found
