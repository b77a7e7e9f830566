"""What a study can expect: the sizes of its cells, what the policy would hide of them, and the gaps it would find.

The questions of the study are asked of simulated persons, who are like those of the published figures in sex, meals,
attainment, routes and earnings; counts are then those of as many persons as the study expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._typing import IntArray
from leoreturns.aggregates.composition import SHARE
from leoreturns.application.data import OF_QUESTION
from leoreturns.asked import Asked
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.protection import protect
from leoreturns.errors import DisclosureError
from leoreturns.estimation.planned import PlannedSample
from leoreturns.estimation.power import minimum_detectable_effect
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.panel import Panel
from leoreturns.panel.simulated import simulate_panel
from leoreturns.panel.simulated_traits import LAST_COHORT
from leoreturns.panel.syntax import parse
from leoreturns.questions.activities import ACTIVITY
from leoreturns.questions.breakdown import BASES, LEVEL, LEVEL_3, YEAR
from leoreturns.questions.catalogue import QUESTIONS
from leoreturns.questions.pathways import PATHWAY
from leoreturns.results.aggregate import Aggregate, Evidence, Tail
from leoreturns.results.answer import Answer
from leoreturns.study import Study

COUNTS = (
    "n_obs", "n_value", "n_person", "n_person_value", "n_person_nonzero", "n_person_zero", "n_negative", "n_zero",
    "n_largest",
)  # fmt: skip
SUMS = ("n_effective", "total", "total_absolute")
MEDIAN = "p50"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Expected:
    """The persons that a study expects, by those who stand for them.

    Attributes
    ----------
    panel : Panel
        Simulated persons.
    factor : float
        Expected persons for each of them.
    """

    panel: Panel
    factor: float

    @classmethod
    def of(cls, definitions: Definitions, persons: int, simulated: int, seed: int) -> Expected:
        """Simulate persons of the definitions' cohorts."""
        cohorts = [cohort for cohort in definitions.cohorts if cohort <= LAST_COHORT]
        panel = simulate_panel(n_persons=min(persons, simulated), seed=seed, definitions=definitions, cohorts=cohorts)
        return cls(panel, persons / panel.n_person)

    def count(self, simulated: IntArray) -> IntArray:
        """Return the counts to be expected."""
        return np.asarray(np.rint(simulated * self.factor), dtype=np.int64)

    def evidence(self, evidence: Evidence) -> Evidence:
        """Return the evidence to be expected: persons and sums grow with their number, the largest values stay."""
        tails = {
            name: Tail(*(self.count(getattr(tail, part.name)) for part in fields(Tail)))
            for name, tail in evidence.tails.items()
        }
        grown: dict[str, Any] = {name: self.count(getattr(evidence, name)) for name in COUNTS}
        grown |= {name: getattr(evidence, name) * self.factor for name in SUMS}
        return replace(evidence, **grown, tails=tails)


def asked_of(expected: Expected, asked: Asked) -> tuple[Answer | None, list[str]]:
    """Ask a question of the simulated persons, without intervals; None and a note where that tells nothing.

    Columns that are not simulated are left out, with a note each.
    """
    columns = expected.panel.schema.columns
    if asked.ask not in OF_QUESTION:
        return None, [f"{asked.name}: lr.PlannedSample tells what a regression or a comparison of arms would find"]
    if asked.ask == "pathways" and expected.factor > 1:
        return None, [
            f"{asked.name}: how many distinct sequences there are depends on the number of persons; simulate as many "
            "as are expected to see its tables"
        ]
    if asked.where is not None and (absent := [name for name in parse(asked.where).columns if name not in columns]):
        return None, [f"{asked.name}: {', '.join(absent)} is not simulated, so that nothing is told of its tables"]
    arguments, notes = dict(asked.arguments), []
    given = arguments.get("characteristics") or []
    if absent := [name for name in given if name not in columns]:
        arguments["characteristics"] = [name for name in given if name in columns]
        notes.append(f"{asked.name}: {', '.join(absent)} is not simulated: nothing is told of tables by it")
    data = expected.panel if asked.where is None else expected.panel.where(asked.where)
    return QUESTIONS[asked.ask].answer(data, **arguments), notes


def tables_of(answer: Answer, released: Sequence[str]) -> Iterator[tuple[str, Aggregate]]:
    """Give the tables of an answer that the study releases."""
    for name, table in answer.tables.items():
        if any(fnmatchcase(name, pattern) for pattern in released):
            yield name, table


def released_part(table: Aggregate, expected: Expected, policy: Policy) -> dict[str, Any]:
    """Return what the policy would leave of a table: cells, those with a hidden number, and why."""
    persons = expected.count(table.evidence.n_person)
    found = {
        "keys": ", ".join(table.keys),
        "cells": table.n_cells,
        "smallest": int(persons.min()) if table.n_cells else 0,
        "hidden": table.n_cells,
        "reason": "",
    }
    try:
        shown = protect(replace(table, evidence=expected.evidence(table.evidence)), policy)
    except DisclosureError as error:
        return {**found, "reason": f"refused: {error}"}
    hidden = np.max([column.hidden for column in shown.columns.values()], axis=0)
    why = np.bincount(hidden[hidden > 0], minlength=1)
    return {
        **found,
        "hidden": int(np.count_nonzero(hidden)),
        "reason": shown.reasons[int(why.argmax()) - 1] if why.any() else "",
    }


def gaps_found(table: Aggregate, expected: Expected, year: int, power: float, alpha: float) -> Iterator[dict[str, Any]]:
    """Give the smallest gaps that would be found between the levels of a table's characteristic and their base.

    Medians of positive earnings are compared as logs, with the spread of all persons' in the year; shares by that of
    the base. Compositions and earnings with zeros are passed over.

    Parameters
    ----------
    table : Aggregate
    expected : Expected
    year : int
        Of a table by year the one that is told.
    power, alpha : float
    """
    compared = next((name for name in table.keys if name != YEAR), None)
    is_pay = MEDIAN in table.statistics and bool((table.evidence.n_zero == 0).all())
    if compared is None or {ACTIVITY, PATHWAY} & set(table.keys) or not (is_pay or SHARE in table.statistics):
        return
    keys = pd.DataFrame({name: key.values() for name, key in table.keys.items()})
    keys["persons"] = expected.count(table.evidence.n_person_value)
    keys["share"] = table.statistics.get(SHARE, np.full(table.n_cells, np.nan))
    if YEAR in table.keys:
        keys = keys[keys[YEAR] == year].drop(columns=YEAR)
    base = LEVEL_3 if compared == LEVEL else BASES.get(compared, table.keys[compared].labels[0])
    others = [name for name in keys.columns if name not in (compared, "persons", "share")]
    sd = _spread(expected.panel, str(table.variable), year) if is_pay else None
    bases = keys[keys[compared] == base].drop(columns=compared)
    levels = keys[keys[compared] != base]
    both = (
        levels.merge(bases, on=others, suffixes=("", "_base"))
        if others
        else levels.merge(bases, how="cross", suffixes=("", "_base"))
    )
    for row in both.to_dict("records"):
        if not (is_pay or 0 < row["share_base"] < 1):
            continue
        found = minimum_detectable_effect(
            PlannedSample.of_groups(row["persons"], row["persons_base"]),
            statistic="median" if is_pay else "share",
            sd=sd,
            share=None if is_pay else row["share_base"],
            power=power,
            alpha=alpha,
        )
        yield {
            "compared": f"{compared}: {row[compared]} v {base}",
            "among": ", ".join(f"{name}: {row[name]}" for name in others),
            "persons": row["persons"],
            "of_base": row["persons_base"],
            "statistic": "log of the median" if is_pay else "share",
            "effect": float(found.effects[0]),
        }


def _spread(panel: Panel, earnings: str, year: int) -> float:
    """Return the standard deviation of the logs of positive earnings in a year."""
    then = panel.at(**{YEAR: year})
    values = then.array(earnings)[slice(None) if then.selection is None else then.selection]
    return float(np.log(values[values > 0]).std())


def year_of(asked: Asked, definitions: Definitions) -> int:
    """Return the year that gaps are told of: that of the question, or the last one that every cohort has."""
    given: Mapping[str, Any] = asked.arguments
    if asked.ask == "labour_outcomes":
        return int(given.get("year", 13))
    return definitions.last_tax_year - definitions.cohorts[-1]


OF_TABLE = ["question", "table", "keys", "cells", "smallest", "hidden", "reason"]
OF_EFFECT = ["question", "table", "compared", "among", "persons", "of_base", "statistic", "effect"]


def of_study(
    study: Study, definitions: Definitions, expected: Expected, power: float, alpha: float
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the tables of a study with what would be shown of them, the gaps it would find, and notes."""
    tables: list[dict[str, Any]] = []
    effects: list[dict[str, Any]] = []
    notes: list[str] = []
    for asked in study.questions:
        answer, told = asked_of(expected, asked)
        notes += told
        if answer is None:
            continue
        year = year_of(asked, definitions)
        for name, table in tables_of(answer, study.released[asked.name]):
            place = {"question": asked.name, "table": name}
            tables.append(place | released_part(table, expected, study.policy))
            effects += [place | row for row in gaps_found(table, expected, year, power, alpha)]
    return pd.DataFrame(tables, columns=OF_TABLE), pd.DataFrame(effects, columns=OF_EFFECT), notes
