"""A spec against its panels: unknown columns and cells of the grid without a row are noted before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leoreturns._toml import Faults, meant
from leoreturns.asked import check_source
from leoreturns.batch.spec import DIMENSIONS, Entry, Job, Spec, read_text
from leoreturns.panel import columns, store, syntax
from leoreturns.panel.panel import Panel
from leoreturns.panel.units import PERSON
from leoreturns.questions.catalogue import QUESTIONS


@dataclass(frozen=True, slots=True)
class Checked:
    """A spec whose data were looked at.

    Attributes
    ----------
    spec : Spec
    rows : mapping of job name -> int
        Rows that a job is asked of; 0 for one whose panel is not built yet.
    """

    spec: Spec
    rows: Mapping[str, int]

    @property
    def unbuilt(self) -> list[str]:
        """Definitions whose panels are not built yet."""
        return [name for name, source in self.spec.sources.items() if not source.panel.exists()]


def read_spec(path: str | Path) -> Checked:
    """Read a spec and check it against its panels.

    Parameters
    ----------
    path : path
        A TOML file; paths in it are relative to its folder.

    Returns
    -------
    Checked

    Raises
    ------
    StudyError
        With everything that is wrong, by line.
    """
    spec, faults = read_text(Path(path))
    found: dict[str, _Data] = {}
    for name, source in spec.sources.items():
        with faults.at("definitions", name, words=f"[definitions.{name}]"):
            check_source(source)
            panel = store.open_panel(source.panel) if source.panel.exists() else None
            found[name] = _Data(name, panel, faults)
    for entry in spec.studies:
        for name in entry.chosen["definitions"]:
            if name in found:
                found[name].check_names(spec, entry.chosen)
                found[name].check_study(entry)
    # Of a study that cannot be read the names are not known: those that no other chooses are looked up everywhere.
    chosen = {name: {each for entry in spec.studies for each in entry.chosen[name]} for name in DIMENSIONS}
    given = {"outcomes": spec.outcomes, "groups": spec.groups, "cohorts": spec.cohorts}
    unused = {name: tuple(each for each in names if each not in chosen[name]) for name, names in given.items()}
    for data in found.values():
        data.check_names(spec, unused)
    # Of cells only the rows are left to check, which takes conditions that can be read.
    rows = {} if faults.found else {job.name: found[job.cell["definitions"]].count(job) for job in spec.jobs}
    faults.refuse()
    return Checked(spec, rows)


@dataclass(slots=True)
class _Data:
    """One panel of a spec, or none where it is not built yet, and what was counted in it."""

    name: str
    panel: Panel | None
    faults: Faults
    tried: set[str] = field(default_factory=set)
    counts: dict[tuple[tuple[str, ...], tuple[int, ...]], int] = field(default_factory=dict)
    last: tuple[tuple[str, ...], Panel] | None = None

    @property
    def known(self) -> tuple[str, ...]:
        """Its columns; those that a panel built from the linked tables can have, where it is not built yet."""
        return columns.names() if self.panel is None else tuple(self.panel.schema.columns)

    def check_names(self, spec: Spec, chosen: Mapping[str, tuple[str, ...]]) -> None:
        """Note outcomes and cohorts that the panel lacks, and groups without a row, by their names in the spec."""
        for outcome in chosen["outcomes"]:
            self._columns([spec.outcomes[outcome]], "outcomes", outcome)
        for group in chosen["groups"]:
            self._condition(spec.groups[group], "groups", group)
        for name in chosen["cohorts"]:
            self._cohorts(name, spec.cohorts[name])

    def check_study(self, entry: Entry) -> None:
        """Note columns that a study names and the panel lacks."""
        place = ("study", entry.number)
        self._condition(entry.asked.where or "", *place, "where")
        for name, kind in QUESTIONS[entry.asked.ask].arguments.items():
            if name in entry.asked.arguments:
                self._columns(kind.columns(entry.asked.arguments[name]), *place, name)

    def count(self, job: Job) -> int:
        """Return the rows that a job is asked of, and note a job that is asked of none."""
        if self.panel is None:
            return 0
        cell = (job.conditions, job.cohorts)
        if cell not in self.counts:
            # Cohorts are the inner dimension of the grid: conditions are looked at once for all of them.
            if self.last is None or self.last[0] != job.conditions:
                self.last = job.conditions, with_conditions(self.panel, job.conditions)
            self.counts[cell] = of_cohorts(self.last[1], job.cohorts).n_row
            if not self.counts[cell]:
                self.faults.add(f"job {job.name!r} would have no row: leave that cell out", "study", job.study)
        return self.counts[cell]

    def _columns(self, names: Iterable[str], *place: str | int) -> None:
        for name in names:
            if name and name not in (*self.known, PERSON):
                told = f"no column {name!r} in the panel of [definitions.{self.name}]; {meant(name, self.known)}"
                self.faults.add(told, *place)

    def _condition(self, text: str, *place: str | int) -> None:
        """Note a condition that cannot be read, names unknown columns, or keeps no row."""
        before = len(self.faults.found)
        if not text.strip() or text in self.tried:
            return
        self.tried.add(text)
        with self.faults.at(*place):
            self._columns(syntax.parse(text).columns, *place)
            if self.panel is not None and len(self.faults.found) == before and not self.panel.where(text).n_row:
                told = f"no row of the panel of [definitions.{self.name}] has {text!r}: an empty group"
                self.faults.add(told, *place)

    def _cohorts(self, name: str, years: tuple[int, ...]) -> None:
        """Note cohorts that the panel does not have."""
        self._columns([columns.COHORT], "cohorts", name)
        if self.panel is None or columns.COHORT not in self.known:
            return
        there = self.panel.key(columns.COHORT).labels
        if absent := [str(year) for year in years if year not in there]:
            told = f"cohorts {name!r}: the panel of [definitions.{self.name}] has no cohort {', '.join(absent)}"
            self.faults.add(told, "cohorts", name)


def chosen_rows(panel: Panel, job: Job) -> Panel:
    """Return the rows that a job is asked of."""
    return of_cohorts(with_conditions(panel, job.conditions), job.cohorts)


def with_conditions(panel: Panel, conditions: Iterable[str]) -> Panel:
    """Return the rows on which all conditions are true."""
    for condition in conditions:
        panel = panel.where(condition)
    return panel


def of_cohorts(panel: Panel, cohorts: tuple[int, ...]) -> Panel:
    """Return the rows of some cohorts; all where none is named."""
    return panel.at(**{columns.COHORT: list(cohorts)}) if cohorts else panel
