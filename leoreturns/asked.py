"""What files ask: where the data are, which questions, and under which plan; read alike from studies and batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from leoreturns._toml import Faults, Place, meant
from leoreturns.analysis_plan import LockedPlan, read_locked
from leoreturns.errors import StudyError, silenced
from leoreturns.extract.source import open_extract
from leoreturns.panel import store
from leoreturns.panel.build import build_panel
from leoreturns.panel.definitions import Definitions, illustrative_deflator
from leoreturns.panel.panel import Panel
from leoreturns.questions.catalogue import QUESTIONS
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.answer import Answer

ILLUSTRATIVE = "illustrative"
OF_EXTRACT = ("path", "lookups")
OF_QUESTION = ("ask", "name", "where", "intervals")
OF_PLAN = ("n_replicates", "unit", "seed", "scheme", "interval", "level")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a file.

    Attributes
    ----------
    name : str
        What its outputs are called.
    ask : str
        Its name in the catalogue.
    arguments : mapping
        Its arguments, without data and plan.
    where : str or None
        Condition on rows.
    intervals : bool
        Whether the plan of the file is given to it.
    """

    name: str
    ask: str
    arguments: Mapping[str, Any]
    where: str | None
    intervals: bool


@dataclass(frozen=True, slots=True)
class Source:
    """Where the panel of a file is, and what it is built from where it is not there yet."""

    panel: Path
    extract: Path | None = None
    lookups: Mapping[str, Path] | None = None
    definitions: Definitions | None = None


# ---- reading --------------------------------------------------------------------------------------------------------


def extract_of(
    faults: Faults, content: Mapping[str, Any], folder: Path
) -> tuple[Path | None, Mapping[str, Path] | None]:
    """Return the extract of a file and its lookups; None where it names none."""
    if "extract" not in content:
        return None, None
    extract = faults.section(content, "extract", OF_EXTRACT, needed=("path",))
    path = folder / faults.value("[extract] path", extract.get("path", ""), "extract", "path")
    lookups = extract.get("lookups")
    if lookups is None:
        return path, None
    if not isinstance(lookups, Mapping) or not all(isinstance(file, str) for file in lookups.values()):
        words = '[extract] lookups: name a file for each lookup, such as { regions = "regions.csv" }'
        faults.add(words, "extract", "lookups")
        return path, None
    return path, {name: folder / file for name, file in lookups.items()}


def plan_of(faults: Faults, content: Mapping[str, Any]) -> BootstrapPlan | None:
    """Return the bootstrap plan of a file; "multinomial" draws need a frame, which no file can name."""
    if "plan" not in content:
        return None
    given = content["plan"]
    if not isinstance(given, Mapping):
        faults.add("[plan] is a section, with seed and what else the intervals need", "plan")
        return None
    faults.known_keys("[plan]", given, OF_PLAN, "plan")
    if not set(given) <= set(OF_PLAN):
        return None
    if "seed" not in given:
        faults.add("[plan] lacks 'seed': name one, such as seed = 2024; it belongs to the record of the study", "plan")
        return None
    return faults.made(lambda: BootstrapPlan(**given), "plan", words="[plan]", given=given)


def definitions_of(given: Any, folder: Path) -> Definitions:
    """Return the definitions that a section names.

    Raises
    ------
    ValueError, StudyError
        For what is missing, unknown or contradictory.
    """
    if not isinstance(given, Mapping) or not {"preset", "deflator"} <= set(given):
        raise StudyError(f"name a preset and a deflator: a CSV file with tax_year and index, or {ILLUSTRATIVE!r}")
    settings = {name: value for name, value in given.items() if name not in ("preset", "deflator")}
    deflator: Any = illustrative_deflator()
    if given["deflator"] != ILLUSTRATIVE:
        text = f"deflator {given['deflator']!r} cannot be read as a CSV file with tax_year and index"
        with silenced((OSError, ValueError, TypeError), lambda _: StudyError(text)):
            deflator = pd.read_csv(folder / given["deflator"])
    return Definitions.preset(given["preset"], deflator=deflator, **settings)


def asked_of(
    faults: Faults, given: Any, place: Place, has_plan: bool, further: tuple[str, ...] = (), left: tuple[str, ...] = ()
) -> Asked | None:
    """Return one question, its arguments checked against the catalogue; None where it cannot be told what is asked.

    Parameters
    ----------
    faults : Faults
        Takes all that is wrong.
    given : mapping
        The section.
    place : tuple
        Where it stands: the name of its array, and its number from 0.
    has_plan : bool
        Whether the file has a bootstrap plan.
    further : tuple of str
        Keys that the file knows beyond those of a question.
    left : tuple of str
        Arguments that the file gives in another way.
    """
    where = f"[[{place[0]}]] {int(place[1]) + 1}"
    if not isinstance(given, Mapping) or not isinstance(given.get("ask"), str):
        faults.add(f"{where} lacks 'ask': name one of {', '.join(QUESTIONS)}", *place)
        return None
    ask = given["ask"]
    if ask not in QUESTIONS:
        faults.add(f"{where} ask: unknown question {ask!r}; {meant(ask, QUESTIONS)}", *place, "ask")
        return None
    kinds = QUESTIONS[ask].arguments
    faults.known_keys(f"{where} ({ask})", given, (*OF_QUESTION, *further, *kinds), *place)
    arguments: dict[str, Any] = {}
    for name in (name for name in kinds if name in given):
        try:
            arguments[name] = kinds[name].read(given[name])
        except (TypeError, ValueError):
            faults.add(f"{where} {name} must be {kinds[name].words}", *place, name)
    for name in QUESTIONS[ask].needed:
        if name not in given and name not in left:
            faults.add(f"{where} ({ask}) lacks {name!r}: it must be {kinds[name].words}", *place)
    intervals = given.get("intervals", False)
    if not isinstance(intervals, bool):
        faults.add(f"{where} intervals must be true or false", *place, "intervals")
    elif intervals and not QUESTIONS[ask].takes_plan:
        faults.add(
            f"{where} ({ask}) has intervals of its own, without a plan: leave 'intervals' out", *place, "intervals"
        )
    elif intervals and not has_plan:
        faults.add(f"{where} asks for intervals: add a section [plan] with a seed", *place, "intervals")
    return Asked(
        name=faults.value(f"{where} name", given.get("name", ask), *place, "name"),
        ask=ask,
        arguments=arguments,
        where=faults.value(f"{where} where", given["where"], *place, "where") if "where" in given else None,
        intervals=intervals is True,
    )


def check_names(faults: Faults, asked: list[Asked | None], array: str) -> None:
    """Note two questions of one name."""
    seen: set[str] = set()
    for number, each in enumerate(asked):
        if each is not None and each.name in seen:
            told = f'two of [[{array}]] are called {each.name!r}: give one another name = "..."'
            faults.add(told, array, number, "name")
        seen |= {each.name} if each is not None else set()


def locked_plan_of(faults: Faults, content: Mapping[str, Any], folder: Path) -> LockedPlan | None:
    """Return the analysis plan of a file, which must be locked; None where it names none."""
    if "analysis_plan" not in content:
        return None
    path = faults.value("analysis_plan", content["analysis_plan"], "analysis_plan")
    return faults.made(lambda: read_locked(folder / path), "analysis_plan", words="analysis_plan") if path else None


# ---- running --------------------------------------------------------------------------------------------------------


def check_source(source: Source) -> None:
    """Refuse a panel that was built by other definitions, and one that neither is there nor can be built.

    Raises
    ------
    StudyError
        With the remedy.
    """
    if source.panel.exists():
        made = None if source.definitions is None else source.definitions.settings
        if made is not None and store.read_header(source.panel)["settings"].get("definitions") != made:
            raise StudyError(
                f"'{source.panel}' was built by other definitions; name another folder, or remove it to build anew"
            )
    elif source.extract is None or source.definitions is None:
        raise StudyError(f"'{source.panel}' does not exist; name a panel, or add [extract] and [definitions]")


def panel_of(source: Source, show: Callable[[str], None], n_jobs: int | None) -> Panel:
    """Open a panel, or build it where it is not there yet."""
    check_source(source)
    if source.panel.exists():
        return store.open_panel(source.panel)
    assert source.extract is not None
    assert source.definitions is not None
    with open_extract(source.extract, lookups=source.lookups) as extract:
        show(f"{extract!r}\n")
        return build_panel(extract, definitions=source.definitions, to=source.panel, n_jobs=n_jobs)


def answer_of(asked: Asked, data: Panel, plan: BootstrapPlan | None, n_jobs: int | None) -> Answer:
    """Ask one question of data."""
    question = QUESTIONS[asked.ask]
    intervals = {"plan": plan if asked.intervals else None} if question.takes_plan else {}
    return question.answer(data, **asked.arguments, **intervals, n_jobs=n_jobs)


def stated(answer: Answer, plan: LockedPlan, asked: Asked, sample: str) -> Answer:
    """Return an answer whose settings state whether it departs from the analysis plan."""
    question, settings = QUESTIONS[asked.ask], answer.settings
    compared: dict[str, Any] = {"sample": sample}
    if question.outcome is not None and question.outcome in settings:
        compared["outcome"] = settings[question.outcome]
    if "estimand" in settings:
        compared["estimand"] = settings["estimand"]
    if "covariates" in asked.arguments:
        compared["covariates"] = list(question.arguments["covariates"].columns(asked.arguments["covariates"]))
    return replace(answer, settings={**settings, "analysis_plan": plan.statement(compared)})
