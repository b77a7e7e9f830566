"""Which columns of which tables a study needs, and for which years: from the rules that derive a panel.

Access to LEO is given table by table and column by column. A study names questions; a question reads columns of the
panel; a rule derives each of them from tables; `leoreturns.panel.inputs` lists what rules read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pandas as pd

from leoreturns._toml import Faults
from leoreturns.asked import Asked
from leoreturns.extract.lookups import SHAPES
from leoreturns.extract.schema import LAST_YEAR
from leoreturns.extract.tables import LINKS, TABLES
from leoreturns.panel import columns as panel_columns
from leoreturns.panel.activity import YOUNG_YEARS
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.derive import COLUMNS, OF_SELF_EMPLOYED
from leoreturns.panel.inputs import AGE, AT_END, READ, YEAR
from leoreturns.panel.rules import LOOKUP
from leoreturns.panel.syntax import parse
from leoreturns.panel.traits import TRAITS
from leoreturns.questions import breakdown, earnings, outcomes
from leoreturns.questions.activities import ACTIVITY
from leoreturns.questions.catalogue import QUESTIONS
from leoreturns.resample.plan import PERSON
from leoreturns.study import Study

# Columns of the panel that a question reads, beside its characteristics and level.
OF_QUESTION: Mapping[str, tuple[str, ...]] = {
    "main_activities": (ACTIVITY,),
    "earnings_trajectories": (earnings.EARNINGS, earnings.IN_WORK, earnings.LINKED),
    "labour_outcomes": (ACTIVITY, *outcomes.STATES, earnings.EARNINGS, earnings.LINKED),
    "education_levels": (breakdown.LEVEL,),
    "pathways": (ACTIVITY,),
    "sector_pipeline": ("tax_year", "sector", "sector_vintage", earnings.IN_WORK, "ks5_route", "region_of_residence"),
}
# Tables that a column does without, and is another one for it.
BESIDE = {
    ACTIVITY: ("ks5", "plams", "school_census", "earnings", "self_assessment"),
    **dict.fromkeys(("area", "area_at_16"), (LOOKUP + "travel_to_work",)),
}
# Columns whose tables add to each other, where those of other columns stand in for each other.
ADDED_UP = (ACTIVITY, "ks5_route", "pathway", "highest_level", "education_level")
# Start years of the first and last year needed of a table, counted from the end of key stage 4 of the first and of the
# last cohort; or to the last tax year of the panel, or that of the records, as levels of education are those reached by
# then. Other tables are needed from the tax year after key stage 4.
LastYear: TypeAlias = int | Literal["panel", "records"]
YEARS: Mapping[str, tuple[int, LastYear]] = {
    "ks2": (-7, -5),
    "ks4": (-1, -1),
    "absence": (-1, -1),
    "school_census": (-12, YOUNG_YEARS),
    **dict.fromkeys(("exclusions", "cin", "cla"), (-12, -1)),
    **dict.fromkeys(("ks5", "ypmad", "ilr_learners", "ilr_aims", "hesa"), (0, "records")),
    **dict.fromkeys(("plams", "geography"), (0, "panel")),
}
AFTER: tuple[int, LastYear] = (1, "panel")
OUTSIDE = "outside LEO"


@dataclass(slots=True)
class _Wanted:
    """Why a table is needed: columns of the panel, and tables that could serve a column in its place."""

    serves: list[str] = field(default_factory=list)
    instead: set[str] = field(default_factory=set)
    alone: bool = False


def panel_columns_of(study: Study, faults: Faults) -> dict[str, list[str]]:
    """Return the columns of the panel that a study reads, with the questions that do.

    Columns that no panel built from LEO has are noted among the faults of the file.
    """
    found: dict[str, list[str]] = {}
    for number, asked in enumerate(study.questions):
        words = f"[[question]] {number + 1}"
        read: dict[str, str] = {}
        with faults.at("question", number, "where", words=f"{words} where"):
            read = _read_by(study, asked)
        for name, key in read.items():
            if name not in panel_columns.names() and name not in (PERSON, panel_columns.PERSON):
                faults.add(
                    f"{words} {key}: {name!r} is no column of a panel built from LEO; docs/data.md lists them",
                    "question", number, key,
                )  # fmt: skip
            found.setdefault(name, []).append(asked.name)
    return found


def _read_by(study: Study, asked: Asked) -> dict[str, str]:
    """Return the columns that a question reads, with the key of the study file that names each."""
    given, kinds = asked.arguments, QUESTIONS[asked.ask].arguments
    found: dict[str, str] = {}
    if asked.ask in OF_QUESTION:
        found = dict.fromkeys((*OF_QUESTION[asked.ask], breakdown.YEAR), "ask")
        if "earnings" in given:
            found.pop(earnings.EARNINGS, None)
        if given.get("characteristics") is None:
            found |= dict.fromkeys(breakdown.CHARACTERISTICS, "ask")
        if "level" not in given and asked.ask != "education_levels":
            found[breakdown.LEVEL] = "ask"
    for name, value in given.items():
        found |= dict.fromkeys(kinds[name].columns(value), name)
    if asked.where is not None:
        found |= dict.fromkeys(parse(asked.where).columns, "where")
    if asked.intervals and study.plan is not None:
        found |= dict.fromkeys((study.plan.unit, *study.plan.strata), "intervals")
    return found


def data_needed(columns: Iterable[str], definitions: Definitions) -> pd.DataFrame:
    """Return the columns of tables that columns of a panel rest on, with their years.

    Parameters
    ----------
    columns : iterable of str
        Of the panel.
    definitions : Definitions
        Their cohorts and last tax year decide the years.

    Returns
    -------
    pandas.DataFrame
        One row per table and column: ``table``, ``owner``, ``column``, ``meaning``, ``first_year`` and ``last_year``
        (start years, of those that are needed and filled; missing without a time), ``serves`` (columns of the panel),
        and ``instead`` (tables of which one would do).
    """
    wanted = _tables_of(columns, definitions)
    rows = []
    for name in (*TABLES, *(LOOKUP + shape for shape in SHAPES)):
        if name in wanted:
            entry = wanted[name]
            told = {
                "serves": ", ".join(dict.fromkeys(entry.serves)),
                "instead": "" if entry.alone else ", ".join(sorted(entry.instead - {name})),
            }
            rows += [
                {**row, **told} for row in (_of_lookup(name) if name not in TABLES else _of_table(name, definitions))
            ]
    frame = pd.DataFrame(rows)
    return frame.astype({"first_year": "Int64", "last_year": "Int64"})


def _tables_of(columns: Iterable[str], definitions: Definitions) -> dict[str, _Wanted]:
    """Return the tables and lookups that columns of a panel rest on."""
    wanted: dict[str, _Wanted] = {}

    def want(tables: Iterable[str], serves: str, *, all_of: bool) -> None:
        names = list(dict.fromkeys(table.split(".")[0] for table in tables))
        for name in names:
            entry = wanted.setdefault(name, _Wanted())
            entry.serves.append(serves)
            entry.instead |= set() if all_of else set(names)
            entry.alone |= all_of or len(names) == 1

    want(("ks4",), "who is in the panel", all_of=True)
    for name in columns:
        described = TRAITS.get(name) or COLUMNS.get(name)
        for tables in () if described is None else described.tables:
            want(tables, name, all_of=name in ADDED_UP)
        want(BESIDE.get(name, ()), name, all_of=True)
        if name == panel_columns.LINKED:
            want(("lookup_edukey",), name, all_of=True)
        if name in OF_SELF_EMPLOYED and definitions.self_employment == "include":
            want(("self_assessment",), name, all_of=True)
    for name in list(wanted):
        key = TABLES[name].person_key if name in TABLES else None
        if key in LINKS:
            want((LINKS[key][0],), "who is who", all_of=True)
    return wanted


def _of_table(name: str, definitions: Definitions) -> list[dict[str, object]]:
    """Return the columns of a table that rules read and that are filled in the years needed."""
    table = TABLES[name]
    start, end = YEARS.get(name, AFTER)
    first = definitions.cohorts[0] + start
    ends = {"panel": definitions.last_tax_year, "records": LAST_YEAR}
    last = ends[end] if isinstance(end, str) else definitions.cohorts[-1] + end
    keys = [table.person, table.year, *((YEAR, AT_END, AGE) if name == "ks4" else ())]
    chosen = READ.get(name, table.names)
    rows = []
    for column in dict.fromkeys(each for each in (*keys, *chosen) if each is not None):
        covered = table.coverage(column)
        span = None if covered is None else (max(first, covered[0]), min(last, covered[1]))
        if span is None or span[0] <= span[1]:
            rows.append(_row(name, table.owner, column, table.variable(column).meaning, span))
    return rows


def _of_lookup(name: str) -> list[dict[str, object]]:
    shape = SHAPES[name.removeprefix(LOOKUP)]
    return [_row(name, OUTSIDE, each.name, each.meaning, None) for each in (shape.key, shape.value)]


def _row(table: str, owner: str, column: str, meaning: str, span: tuple[int, int] | None) -> dict[str, object]:
    first, last = (pd.NA, pd.NA) if span is None else span
    return {
        "table": table, "owner": owner, "column": column, "meaning": meaning, "first_year": first, "last_year": last,
    }  # fmt: skip
