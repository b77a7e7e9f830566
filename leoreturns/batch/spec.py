"""The spec of a batch: studies by outcomes, groups, cohorts and definitions, as a grid of named jobs."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from leoreturns._toml import Faults, meant, read_toml
from leoreturns.analysis_plan import LockedPlan
from leoreturns.asked import (
    Asked,
    Source,
    asked_of,
    check_names,
    definitions_of,
    extract_of,
    locked_plan_of,
    plan_of,
)
from leoreturns.panel.definitions import Definitions
from leoreturns.questions.catalogue import QUESTIONS
from leoreturns.resample.plan import BootstrapPlan

# Dimensions of the grid, as their sections and the keys of a study that choose among their names.
DIMENSIONS = ("outcomes", "groups", "cohorts", "definitions")
SECTIONS = ("title", "analysis_plan", "extract", "plan", *DIMENSIONS, "study")
NAME = re.compile(r"[a-z0-9][a-z0-9_]*")  # a part of a job's name, which names its outputs: without the "-" between
JOINED_BY = "-"


@dataclass(frozen=True, slots=True)
class Entry:
    """One study of a spec: what is asked, and the names chosen in each dimension."""

    number: int
    asked: Asked
    chosen: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Job:
    """One cell of the grid.

    Attributes
    ----------
    name : str
        The study and the names of its place in the grid, joined by "-".
    study : int
        Number of the study in the spec, from 0.
    cell : mapping of dimension -> name
        "" where the study has no such dimension.
    asked : Asked
        With the column of the outcome among the arguments.
    conditions : tuple of str
        Conditions on rows, of the study and of the group.
    cohorts : tuple of int
        Those kept; all if empty.
    plan : BootstrapPlan or None
    panel : Path
    """

    name: str
    study: int
    cell: Mapping[str, str]
    asked: Asked
    conditions: tuple[str, ...]
    cohorts: tuple[int, ...]
    plan: BootstrapPlan | None
    panel: Path

    @property
    def sample(self) -> str:
        """The rows that are asked of, as one condition."""
        cohorts = [f"cohort in {list(self.cohorts)}"] if self.cohorts else []
        return " and ".join(_bracketed(each) for each in (*self.conditions, *cohorts))

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the result beside the data, as plain values."""
        return {
            "ask": self.asked.ask,
            "arguments": {name: repr(value) for name, value in sorted(self.asked.arguments.items())},
            "conditions": list(self.conditions),
            "cohorts": list(self.cohorts),
            "plan": None if self.plan is None else self.plan.settings,
        }


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec that was read; `jobs` is its grid.

    Attributes
    ----------
    title : str
    text : str
        As it was written.
    sources : mapping of name -> Source
        Panels by the name of their definitions.
    outcomes, groups : mapping of name -> str
        Columns, and conditions on rows.
    cohorts : mapping of name -> tuple of int
    plan : BootstrapPlan or None
    studies : tuple of Entry
    analysis_plan : LockedPlan or None
    """

    title: str
    text: str
    sources: Mapping[str, Source]
    outcomes: Mapping[str, str]
    groups: Mapping[str, str]
    cohorts: Mapping[str, tuple[int, ...]]
    plan: BootstrapPlan | None
    studies: tuple[Entry, ...]
    analysis_plan: LockedPlan | None

    @property
    def digest(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def jobs(self) -> list[Job]:
        """Every study in every cell of its grid."""
        return [self._job(entry, cell) for entry in self.studies for cell in _cells(entry)]

    def _job(self, entry: Entry, cell: Mapping[str, str]) -> Job:
        asked, argument = entry.asked, QUESTIONS[entry.asked.ask].outcome
        if cell["outcomes"] and argument is not None:
            asked = replace(asked, arguments={**asked.arguments, argument: self.outcomes[cell["outcomes"]]})
        conditions = [asked.where or "", self.groups[cell["groups"]] if cell["groups"] else ""]
        return Job(
            name=JOINED_BY.join([asked.name, *(name for name in cell.values() if name)]),
            study=entry.number,
            cell=cell,
            asked=asked,
            conditions=tuple(text.strip() for text in conditions if text.strip()),
            cohorts=self.cohorts[cell["cohorts"]] if cell["cohorts"] else (),
            plan=self.plan if asked.intervals else None,
            panel=self.sources[cell["definitions"]].panel,
        )


def _bracketed(condition: str) -> str:
    """Return a condition that can be joined to others by "and" without another meaning."""
    outer = ast.parse(condition.strip(), mode="eval").body
    loose = isinstance(outer, ast.IfExp) or (isinstance(outer, ast.BoolOp) and isinstance(outer.op, ast.Or))
    return f"({condition})" if loose else condition


def _cells(entry: Entry) -> list[dict[str, str]]:
    """Return the cells of a study; a dimension that it lacks has one place without a name."""
    places = [entry.chosen[name] or ("",) for name in DIMENSIONS]
    return [dict(zip(DIMENSIONS, names, strict=True)) for names in product(*places)]


def read_text(path: Path) -> tuple[Spec, Faults]:
    """Read a spec as far as it can be read, and what is wrong with it; nothing of the data is looked at.

    Raises
    ------
    StudyError
        If the file cannot be read or is no TOML.
    """
    content, text = read_toml(path, "a batch spec")
    faults, folder = Faults(path.name, text), path.absolute().parent
    faults.known_keys("the spec", content, SECTIONS)
    names = {name: _section(faults, content, name) for name in DIMENSIONS}
    plan = plan_of(faults, content)
    spec = Spec(
        title=faults.value("title", content.get("title", ""), "title"),
        text=text,
        sources=_sources(faults, content, names["definitions"], folder),
        outcomes={
            name: faults.value(f"outcome {name!r}", of, "outcomes", name) for name, of in names["outcomes"].items()
        },
        groups={name: faults.value(f"group {name!r}", of, "groups", name) for name, of in names["groups"].items()},
        cohorts={name: _cohorts(faults, name, of) for name, of in names["cohorts"].items()},
        plan=plan,
        studies=_studies(faults, content, names),
        analysis_plan=locked_plan_of(faults, content, folder),
    )
    return spec, faults


def _section(faults: Faults, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the entries of a dimension by name."""
    given = content.get(name, {})
    if not isinstance(given, Mapping) or (name in content and not given):
        faults.add(f"[{name}] gives names to what the grid is made of, and has none", name)
        return {}
    for each in given:
        _check_name(faults, each, name, each)
    return given


def _check_name(faults: Faults, name: str, *place: str | int) -> None:
    if NAME.fullmatch(name) is None:
        faults.add(f"{name!r} becomes part of file names: use lower-case letters, digits and '_'", *place)


def _cohorts(faults: Faults, name: str, given: Any) -> tuple[int, ...]:
    """Return the calendar years of a group of cohorts."""
    if isinstance(given, list) and given and all(type(year) is int for year in given):
        return tuple(sorted(set(given)))
    faults.add(f"cohorts {name!r} must be a list of years, such as [2002, 2003]", "cohorts", name)
    return ()


def _sources(
    faults: Faults, content: Mapping[str, Any], definitions: Mapping[str, Any], folder: Path
) -> dict[str, Source]:
    """Return the panels by the name of their definitions."""
    extract, lookups = extract_of(faults, content, folder)
    if extract is not None and not extract.exists():
        faults.add(f"[extract] path: {str(extract)!r} does not exist", "extract", "path")
    if not definitions and "definitions" not in content:
        faults.add('a batch needs data: add [definitions.main] with panel = "the folder of a stored panel"')
    found: dict[str, Source] = {}
    for name, given in definitions.items():
        words = f"[definitions.{name}]"
        if not isinstance(given, Mapping) or not isinstance(given.get("panel"), str):
            faults.add(f'{words} names the folder of its panel: panel = "..."', "definitions", name)
            continue
        settings = {key: value for key, value in given.items() if key != "panel"}
        made: Definitions | None = None
        if settings:
            make = partial(definitions_of, settings, folder)
            made = faults.made(make, "definitions", name, words=words, given=settings)
            if made is None:
                continue
        source = Source(folder / given["panel"], extract, lookups, made)
        for other, earlier in found.items():
            if earlier.panel.resolve() == source.panel.resolve():
                what = "is the same panel as" if earlier.definitions == made else "contradicts"
                faults.add(
                    f"{words} {what} [definitions.{other}]: a panel has one folder and one set of definitions",
                    "definitions",
                    name,
                )
        found[name] = source
    return found


def _studies(faults: Faults, content: Mapping[str, Any], names: Mapping[str, Mapping[str, Any]]) -> tuple[Entry, ...]:
    """Return the studies with the names that they choose."""
    given = content.get("study")
    if not isinstance(given, list) or not given:
        faults.add('a batch asks something: add a [[study]] with ask = "labour_outcomes"', "study")
        return ()
    asked = [
        asked_of(faults, each, ("study", number), "plan" in content, DIMENSIONS, _elsewhere(each, names))
        for number, each in enumerate(given)
    ]
    check_names(faults, asked, "study")
    entries = []
    for number, each in enumerate(asked):
        if each is not None:
            _check_name(faults, each.name, "study", number, "name")
            entries.append(Entry(number, each, _chosen(faults, number, given[number], each, names)))
    return tuple(entries)


def _elsewhere(given: Any, names: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the argument of a study that the grid's outcomes give."""
    ask = given.get("ask") if isinstance(given, Mapping) else None
    outcome = QUESTIONS[ask].outcome if isinstance(ask, str) and ask in QUESTIONS else None
    return (outcome,) if outcome is not None and names["outcomes"] else ()


def _chosen(
    faults: Faults, number: int, given: Mapping[str, Any], asked: Asked, names: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, ...]]:
    """Return the names that a study chooses in each dimension: all, unless it lists some."""
    outcome, where = QUESTIONS[asked.ask].outcome, f"[[study]] {number + 1}"
    found: dict[str, tuple[str, ...]] = {}
    for dimension, known in names.items():
        wanted = given.get(dimension, list(known))
        if dimension == "outcomes" and dimension in given and (outcome is None or outcome in given):
            why = "takes no outcome" if outcome is None else f"has its outcome in {outcome!r}"
            faults.add(f"{where} ({asked.ask}) {why}: leave 'outcomes' out", "study", number, dimension)
        if dimension == "outcomes" and (outcome is None or outcome in given):
            wanted = []
        elif not isinstance(wanted, list) or (dimension in given and not wanted):
            faults.add(f"{where} {dimension} must be a list of names of [{dimension}]", "study", number, dimension)
            wanted = []
        for name in wanted:
            if name not in known:
                told = f"{where} {dimension}: no {name!r} in [{dimension}]; {meant(name, known)}"
                faults.add(told, "study", number, dimension)
        found[dimension] = tuple(name for name in wanted if name in known)
    return found
