"""Studies: questions, data and release in one file, run by one command.

A study is a TOML file that names a panel (or an extract and the definitions to build it by), a bootstrap plan, a list
of questions with their arguments, and the policy and place of the release. The whole file is checked before anything
runs; messages name the key and what to do.
"""

from __future__ import annotations

import difflib
import inspect
import re
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd

from leoreturns.disclosure import Policy, Released, release
from leoreturns.disclosure.policy import find_policy
from leoreturns.errors import DisclosureError, LeoReturnsError, StudyError, silenced
from leoreturns.extract.source import open_extract
from leoreturns.panel import store
from leoreturns.panel.build import build_panel
from leoreturns.panel.definitions import Definitions, illustrative_deflator
from leoreturns.panel.panel import Panel
from leoreturns.questions.activities import main_activities
from leoreturns.questions.earnings import earnings_trajectories
from leoreturns.questions.education import education_levels
from leoreturns.questions.outcomes import labour_outcomes
from leoreturns.questions.pathways import pathways
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.answer import Answer

QUESTIONS: Mapping[str, Callable[..., Answer]] = {
    each.__name__: each
    for each in (main_activities, earnings_trajectories, labour_outcomes, education_levels, pathways)
}
ILLUSTRATIVE = "illustrative"
SECTIONS = ("title", "panel", "extract", "definitions", "plan", "question", "release")
OF_PANEL, OF_EXTRACT, OF_RELEASE = ("path",), ("path", "lookups"), ("policy", "to")
OF_QUESTION = ("ask", "name", "where", "intervals", "release")
OF_PLAN = ("n_replicates", "unit", "seed", "scheme", "interval", "level")
# How messages name a section of the file, and how the file names a key.
SECTION = re.compile(r"\[\[(?P<array>\w+)\]\] (?P<number>\d+)|\[(?P<section>\w+)\]")
KEY = re.compile(r"\s*[\"']?(?P<key>[\w-]+)[\"']?\s*=")
# What the arguments of questions must be, beside an absent one; TOML knows no None: false stands for it.
TEXT, TEXTS, WHOLE = "a text", "a list of texts", "a whole number"
ARGUMENTS = {
    "characteristics": TEXTS, "statistics": TEXTS, "level": TEXT, "earnings": TEXT, "year": WHOLE, "years": WHOLE,
    "most_common": WHOLE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a study.

    Attributes
    ----------
    name : str
        What its outputs are called.
    ask : str
        The function.
    arguments : mapping
        Its arguments, without data and plan.
    where : str or None
        Condition on rows.
    intervals : bool
        Whether the study's plan is given to it.
    released : tuple of str
        Patterns of the names of results that are released ("*" for all).
    """

    name: str
    ask: str
    arguments: Mapping[str, Any]
    where: str | None
    intervals: bool
    released: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """A study that was read and checked; see `read_study`."""

    title: str
    panel: Path
    extract: Path | None
    lookups: Mapping[str, Path] | None
    definitions: Definitions | None
    plan: BootstrapPlan | None
    questions: tuple[Asked, ...]
    policy: Policy
    to: Path


def read_study(path: str | Path) -> Study:
    """Read a study file.

    Parameters
    ----------
    path : path
        A TOML file; paths in it are relative to its folder.

    Raises
    ------
    StudyError
        If it cannot be read, is no TOML, or a key is unknown, missing or of the wrong kind: the message names it.
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            content = tomllib.load(stream)
    except OSError as error:
        raise StudyError(f"{path.name!r} cannot be read ({error.strerror}): name a study file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path.name!r} is not valid TOML: {error}") from None
    try:
        return study_of(content, path.parent)
    except StudyError as error:
        raise located(error, path) from None


def located(error: StudyError, path: Path) -> StudyError:
    """Return an error about a study file with the line of the section, or the key, that its message names."""
    message, lines = str(error), path.read_text(encoding="utf-8").splitlines()
    line, told = 0, message
    if found := SECTION.search(message):
        header = f"[[{found['array']}]]" if found["array"] else f"[{found['section']}]"
        starts = [at for at, text in enumerate(lines, start=1) if text.split("#")[0].strip() == header]
        number = int(found["number"] or 1)
        if number > len(starts):
            return error
        line, told = starts[number - 1], message[found.end() :]
    named = set(re.findall(r"\w+", told.split(";")[0]))
    for at, text in enumerate(lines[line:], start=line + 1):
        if text.lstrip().startswith("["):
            break
        if (key := KEY.match(text)) and key["key"] in named:
            line = at
            break
    return StudyError(f"{path.name!r}, line {line}: {message}") if line else error


def study_of(content: Mapping[str, Any], folder: Path) -> Study:
    """Check the content of a study file whose paths are relative to a folder; see `read_study`."""
    _known_keys("the study", content, SECTIONS)
    panel = _section(content, "panel", OF_PANEL, needed=("path",))
    extract = _section(content, "extract", OF_EXTRACT, needed=("path",)) if "extract" in content else {}
    to = _section(content, "release", OF_RELEASE, needed=("to",))
    if ("definitions" in content) != ("extract" in content):
        raise StudyError("[extract] and [definitions] go together: give both, or neither")
    plan = _plan(content["plan"]) if "plan" in content else None
    asked = content.get("question")
    if not isinstance(asked, list) or not asked:
        raise StudyError('a study asks something: add a [[question]] with ask = "main_activities"')
    questions = tuple(_asked(number, each, plan is not None) for number, each in enumerate(asked, start=1))
    names = [each.name for each in questions]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise StudyError(f'two questions are called {repeated[0]!r}: give one another name = "..."')
    lookups = extract.get("lookups")
    if lookups is not None and (
        not isinstance(lookups, Mapping) or not all(isinstance(file, str) for file in lookups.values())
    ):
        raise StudyError('[extract] lookups: name a file for each lookup, such as { regions = "regions.csv" }')
    return Study(
        title=_text("title", content.get("title", "")),
        panel=folder / _text("[panel] path", panel["path"]),
        extract=folder / _text("[extract] path", extract["path"]) if extract else None,
        lookups=None if lookups is None else {name: folder / file for name, file in lookups.items()},
        definitions=_definitions(content["definitions"], folder) if extract else None,
        plan=plan,
        questions=questions,
        policy=_checked("[release] policy", lambda: find_policy(to.get("policy", "ons-srs"))),
        to=folder / _text("[release] to", to["to"]),
    )


def run_study(study: Study, show: Callable[[str], None] = print, *, n_jobs: int | None = None) -> Released:
    """Build or open the panel, ask the questions, and release what is asked to be.

    Parameters
    ----------
    study : Study
        Of `read_study`.
    show : callable
        Takes each part of the report: counts, never a number of a cell.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Released
        The files.

    Raises
    ------
    LeoReturnsError
        As the steps raise it; with the name of the question, where it is one of a question.
    """
    _check_target(study.to)
    panel = _panel(study, show, n_jobs)
    show(f"{panel!r}\n")
    answers: dict[str, Answer] = {}
    for asked in study.questions:
        start = time.perf_counter()
        answers[asked.name] = _answered(study, asked, panel, n_jobs)
        _check_patterns(asked, answers[asked.name])
        show(f"{asked.name}: {len(answers[asked.name]):,} results in {time.perf_counter() - start:.1f} s")
    chosen = {asked.name: _chosen(answers[asked.name], asked) for asked in study.questions if asked.released}
    return release(chosen, policy=study.policy, to=study.to)


def _chosen(answer: Answer, asked: Asked) -> Answer:
    """Return an answer with the results that are to be released."""
    kept = {name for name in answer if any(fnmatchcase(name, pattern) for pattern in asked.released)}
    return replace(answer, results={name: result for name, result in answer.results.items() if name in kept})


# ---- reading --------------------------------------------------------------------------------------------------------


def _section(content: Mapping[str, Any], name: str, known: Sequence[str], needed: Sequence[str]) -> Mapping[str, Any]:
    """Return a section with all it needs and nothing else."""
    section = content.get(name)
    if not isinstance(section, Mapping):
        raise StudyError(f"the study has no section [{name}]: add it, with {', '.join(needed)}")
    _known_keys(f"[{name}]", section, known)
    if missing := [key for key in needed if key not in section]:
        raise StudyError(f'[{name}] lacks {missing[0]!r}: add {missing[0]} = "..."')
    return section


def _known_keys(where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse a key that means nothing, with the one that was meant."""
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            meant = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
            raise StudyError(f"{where}: unknown key {key!r}; {meant}")


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise StudyError(f"{key} must be a text in quotes")
    return value


def _checked(where: str, make: Callable[[], Any]) -> Any:
    """Return what a constructor makes, its refusal named by the section it comes from."""
    try:
        return make()
    except (ValueError, TypeError, LeoReturnsError) as error:
        raise StudyError(f"{where}: {error}") from None


def _plan(given: Any) -> BootstrapPlan:
    """Return the plan of a study; "multinomial" draws need a frame, which no file can name."""
    if not isinstance(given, Mapping):
        raise StudyError("[plan] is a section, with seed and what else the intervals need")
    _known_keys("[plan]", given, OF_PLAN)
    if "seed" not in given:
        raise StudyError("[plan] lacks 'seed': name one, such as seed = 2024; it belongs to the record of the study")
    made: BootstrapPlan = _checked("[plan]", lambda: BootstrapPlan(**given))
    return made


def _definitions(given: Any, folder: Path) -> Definitions:
    """Return the definitions of a study."""
    if not isinstance(given, Mapping) or not {"preset", "deflator"} <= set(given):
        raise StudyError(
            f"[definitions] names a preset and a deflator: a CSV file with tax_year and index, or {ILLUSTRATIVE!r}"
        )
    settings = {name: value for name, value in given.items() if name not in ("preset", "deflator")}
    deflator: Any = illustrative_deflator()
    if given["deflator"] != ILLUSTRATIVE:
        file = folder / _text("[definitions] deflator", given["deflator"])
        text = f"[definitions] deflator: {given['deflator']!r} cannot be read as a CSV file with tax_year and index"
        with silenced((OSError, ValueError), lambda _: StudyError(text)):
            deflator = pd.read_csv(file)
    made: Definitions = _checked(
        "[definitions]", lambda: Definitions.preset(given["preset"], deflator=deflator, **settings)
    )
    return made


def _asked(number: int, given: Any, has_plan: bool) -> Asked:
    """Return one question, its arguments checked against the function."""
    where = f"[[question]] {number}"
    if not isinstance(given, Mapping) or "ask" not in given:
        raise StudyError(f"{where} lacks 'ask': name one of {', '.join(QUESTIONS)}")
    ask = _text(f"{where} ask", given["ask"])
    _known_keys(f"{where} ask", {ask: None}, tuple(QUESTIONS))
    taken = [name for name in inspect.signature(QUESTIONS[ask]).parameters if name in ARGUMENTS]
    _known_keys(f"{where} ({ask})", given, (*OF_QUESTION, *taken))
    arguments = {name: _argument(f"{where} {name}", given[name], ARGUMENTS[name]) for name in taken if name in given}
    intervals = given.get("intervals", False)
    if not isinstance(intervals, bool):
        raise StudyError(f"{where} intervals must be true or false")
    if intervals and not has_plan:
        raise StudyError(f"{where} asks for intervals: add a section [plan] with a seed")
    patterns = given.get("release", ["*"])
    return Asked(
        name=_text(f"{where} name", given.get("name", ask)),
        ask=ask,
        arguments=arguments,
        where=_text(f"{where} where", given["where"]) if "where" in given else None,
        intervals=intervals,
        released=tuple(_argument(f"{where} release", patterns, TEXTS)),
    )


def _argument(where: str, value: Any, kind: str) -> Any:
    """Return an argument of its kind; false stands for none of an optional text."""
    if kind == TEXT and value is False:
        return None
    fits = {
        TEXT: isinstance(value, str),
        TEXTS: isinstance(value, list) and all(isinstance(each, str) for each in value),
        WHOLE: type(value) is int,
    }
    if not fits[kind]:
        raise StudyError(f"{where} must be {kind}{', or false for none' if kind == TEXT else ''}")
    return value


# ---- running --------------------------------------------------------------------------------------------------------


def _check_target(to: Path) -> None:
    """Refuse a target that a release would refuse at the end of the work."""
    if to.exists():
        raise DisclosureError(f"[release] to: '{to}' exists already: a release never overwrites; name a new folder")
    if not to.parent.is_dir():
        raise DisclosureError(f"[release] to: '{to.parent}' is not a folder: make it first")


def _panel(study: Study, show: Callable[[str], None], n_jobs: int | None) -> Panel:
    """Open the panel of a study, or build it where it is not there yet."""
    if study.panel.exists():
        panel = store.open_panel(study.panel)
        made = None if study.definitions is None else study.definitions.settings
        if made is not None and panel.settings.get("definitions") != made:
            raise StudyError(
                f"[panel] path: '{study.panel}' was built by other definitions; name another folder, or remove it to "
                "build anew"
            )
        return panel
    if study.extract is None or study.definitions is None:
        raise StudyError(
            f"[panel] path: '{study.panel}' does not exist; name a panel, or add [extract] and [definitions]"
        )
    with open_extract(study.extract, lookups=study.lookups) as extract:
        show(f"{extract!r}\n")
        return build_panel(extract, definitions=study.definitions, to=study.panel, n_jobs=n_jobs)


def _check_patterns(asked: Asked, found: Answer) -> None:
    """Refuse the name of a result that is not there, before the next question costs time."""
    for pattern in asked.released:
        if not any(fnmatchcase(name, pattern) for name in found):
            raise StudyError(
                f"question '{asked.name}': release names {pattern!r}, and there is no such result; there are "
                f"{', '.join(found)}"
            )


def _answered(study: Study, asked: Asked, panel: Panel, n_jobs: int | None) -> Answer:
    """Ask one question."""
    try:
        data = panel if asked.where is None else panel.where(asked.where)
        plan = study.plan if asked.intervals else None
        return QUESTIONS[asked.ask](data, **asked.arguments, plan=plan, n_jobs=n_jobs)
    except LeoReturnsError as error:
        raise type(error)(f"question '{asked.name}': {error}") from None
