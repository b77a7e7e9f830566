"""Studies: questions, data and release in one file, run by one command.

A study is a TOML file that names a panel (or an extract and the definitions to build it by), a bootstrap plan, a list
of questions with their arguments, and the policy and place of the release. The whole file is checked before anything
runs, and all that is wrong is told at once, by line, key and what to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from leoreturns._toml import Faults, Place, read_toml
from leoreturns.analysis_plan import LockedPlan
from leoreturns.asked import (
    Asked,
    Source,
    answer_of,
    asked_of,
    check_names,
    definitions_of,
    extract_of,
    locked_plan_of,
    panel_of,
    plan_of,
    stated,
)
from leoreturns.disclosure import Policy, Released, release
from leoreturns.disclosure.policy import find_policy
from leoreturns.errors import DisclosureError, LeoReturnsError, StudyError
from leoreturns.panel.panel import Panel
from leoreturns.questions.catalogue import TEXTS
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.answer import Answer

SECTIONS = ("title", "analysis_plan", "panel", "extract", "definitions", "plan", "question", "release")
OF_PANEL, OF_RELEASE = ("path",), ("policy", "to")


@dataclass(frozen=True, slots=True)
class Study:
    """A study that was read and checked; see `read_study`. Patterns of results that are released go by the question."""

    title: str
    source: Source
    plan: BootstrapPlan | None
    questions: tuple[Asked, ...]
    released: Mapping[str, tuple[str, ...]]
    policy: Policy
    to: Path
    analysis_plan: LockedPlan | None = None


def read_study(path: str | Path) -> Study:
    """Read a study file.

    Parameters
    ----------
    path : path
        A TOML file; paths in it are relative to its folder.

    Raises
    ------
    StudyError
        If it cannot be read, is no TOML, or keys are unknown, missing or of the wrong kind: the message names each with
        its line.
    """
    path = Path(path)
    content, text = read_toml(path, "a study file")
    return study_of(content, path.parent, Faults(path.name, text))


def study_of(content: Mapping[str, Any], folder: Path, faults: Faults | None = None) -> Study:
    """Check the content of a study file whose paths are relative to a folder; see `read_study`."""
    faults = Faults() if faults is None else faults
    faults.known_keys("the study", content, SECTIONS)
    panel = faults.section(content, "panel", OF_PANEL, needed=("path",))
    to = faults.section(content, "release", OF_RELEASE, needed=("to",))
    extract, lookups = extract_of(faults, content, folder)
    if ("definitions" in content) != ("extract" in content):
        faults.add("[extract] and [definitions] go together: give both, or neither", "extract", "definitions")
    definitions = None
    if "definitions" in content:
        given = content["definitions"]
        definitions = faults.made(
            lambda: definitions_of(given, folder), "definitions", words="[definitions]", given=given
        )
    plan = plan_of(faults, content)
    asked = content.get("question")
    if not isinstance(asked, list) or not asked:
        faults.add('a study asks something: add a [[question]] with ask = "main_activities"', "question")
        asked = []
    questions = [
        asked_of(faults, each, ("question", number), "plan" in content, ("release",))
        for number, each in enumerate(asked)
    ]
    check_names(faults, questions, "question")
    released = [_patterns(faults, each, ("question", number)) for number, each in enumerate(asked)]
    policy = faults.made(
        lambda: find_policy(to.get("policy", "ons-srs")), "release", "policy", words="[release] policy"
    )
    title = faults.value("title", content.get("title", ""), "title")
    path = folder / faults.value("[panel] path", panel.get("path", ""), "panel", "path")
    target = folder / faults.value("[release] to", to.get("to", ""), "release", "to")
    analysis_plan = locked_plan_of(faults, content, folder)
    faults.refuse()
    assert policy is not None
    found = [each for each in questions if each is not None]
    return Study(
        title=title,
        source=Source(path, extract, lookups, definitions),
        plan=plan,
        questions=tuple(found),
        released={each.name: patterns for each, patterns in zip(found, released, strict=True)},
        policy=policy,
        to=target,
        analysis_plan=analysis_plan,
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
    panel = panel_of(study.source, show, n_jobs)
    show(f"{panel!r}\n")
    answers: dict[str, Answer] = {}
    for asked in study.questions:
        start = time.perf_counter()
        answers[asked.name] = _answered(study, asked, panel, n_jobs)
        _check_patterns(asked.name, study.released[asked.name], answers[asked.name])
        show(f"{asked.name}: {len(answers[asked.name]):,} results in {time.perf_counter() - start:.1f} s")
    chosen = {name: _chosen(answers[name], patterns) for name, patterns in study.released.items() if patterns}
    return release(chosen, policy=study.policy, to=study.to)


def _chosen(answer: Answer, patterns: tuple[str, ...]) -> Answer:
    """Return an answer with the results that are to be released."""
    kept = {name for name in answer if any(fnmatchcase(name, pattern) for pattern in patterns)}
    return replace(answer, results={name: result for name, result in answer.results.items() if name in kept})


# ---- reading --------------------------------------------------------------------------------------------------------


def _patterns(faults: Faults, given: Any, place: Place) -> tuple[str, ...]:
    """Return the patterns of the results of a question that are released."""
    patterns = given.get("release", ["*"]) if isinstance(given, Mapping) else []
    try:
        return tuple(TEXTS.read(patterns))
    except TypeError:
        faults.add(f"[[question]] {int(place[1]) + 1} release must be {TEXTS.words}", *place, "release")
        return ()


# ---- running --------------------------------------------------------------------------------------------------------


def _check_target(to: Path) -> None:
    """Refuse a target that a release would refuse at the end of the work."""
    if to.exists():
        raise DisclosureError(f"[release] to: '{to}' exists already: a release never overwrites; name a new folder")
    if not to.parent.is_dir():
        raise DisclosureError(f"[release] to: '{to.parent}' is not a folder: make it first")


def _check_patterns(name: str, patterns: tuple[str, ...], found: Answer) -> None:
    """Refuse the name of a result that is not there, before the next question costs time."""
    for pattern in patterns:
        if not any(fnmatchcase(result, pattern) for result in found):
            raise StudyError(
                f"question '{name}': release names {pattern!r}, and there is no such result; there are "
                f"{', '.join(found)}"
            )


def _answered(study: Study, asked: Asked, panel: Panel, n_jobs: int | None) -> Answer:
    """Ask one question."""
    try:
        data = panel if asked.where is None else panel.where(asked.where)
        answer = answer_of(asked, data, study.plan, n_jobs)
    except LeoReturnsError as error:
        raise type(error)(f"question '{asked.name}': {error}") from None
    return answer if study.analysis_plan is None else stated(answer, study.analysis_plan, asked, asked.where or "")
