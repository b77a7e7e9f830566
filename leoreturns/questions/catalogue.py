"""What a file can ask: questions by name, and the kinds of their arguments. A new question is entered here."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_args

from leoreturns.estimation.covariance import Clustered, Covariance, Robust, Unadjusted
from leoreturns.estimation.doubly_robust import Estimand, Method
from leoreturns.estimation.formula import Term, parse
from leoreturns.questions.activities import main_activities
from leoreturns.questions.careers import AcrossRegisters, Tied
from leoreturns.questions.earnings import earnings_trajectories
from leoreturns.questions.education import education_levels
from leoreturns.questions.estimates import effect, regression
from leoreturns.questions.outcomes import labour_outcomes
from leoreturns.questions.pathways import pathways
from leoreturns.questions.pipelines import sector_pipeline
from leoreturns.questions.risks import LateEntry
from leoreturns.results.answer import Answer

OUTCOME = "outcome"  # stands for the left-hand side of a model whose columns are asked for


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of argument.

    Attributes
    ----------
    words : str
        What an argument of it must be.
    read : callable
        From the value in a file to the argument; raises ValueError or TypeError.
    columns : callable
        From the argument to the columns that it names.
    """

    words: str
    read: Callable[[Any], Any]
    columns: Callable[[Any], Iterable[str]] = lambda _: ()


@dataclass(frozen=True, slots=True)
class Question:
    """A question by the function that answers it.

    Attributes
    ----------
    answer : callable
        Takes a panel, arguments of known kinds, ``n_jobs``, and ``plan`` if it can have intervals.
    outcome : str or None
        The argument that names the column of the outcome.
    """

    answer: Callable[..., Answer]
    outcome: str | None = None

    @property
    def arguments(self) -> dict[str, Kind]:
        """Kinds of the arguments that a file can give, by name."""
        taken = inspect.signature(self.answer).parameters
        return {name: kind for name, kind in ARGUMENTS.items() if name in taken}

    @property
    def needed(self) -> tuple[str, ...]:
        """Arguments that have no default."""
        taken = inspect.signature(self.answer).parameters
        return tuple(name for name in self.arguments if taken[name].default is inspect.Parameter.empty)

    @property
    def takes_plan(self) -> bool:
        """Whether it can have intervals."""
        return "plan" in inspect.signature(self.answer).parameters


# ---- kinds of arguments ---------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _optional(value: Any) -> str | None:
    # TOML knows no None: false stands for it.
    return None if value is False else _text(value)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError
    return [_text(each) for each in value]


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _wholes(value: Any) -> list[int]:
    if not isinstance(value, list):
        raise TypeError
    return [_whole(each) for each in value]


def _rates(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or any(isinstance(rate, bool) for rate in value.values()):
        raise TypeError
    return {name: float(rate) for name, rate in value.items()}


def one_of(*allowed: str) -> Kind:
    """Return the kind of a word among some."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError
        return str(value)

    return Kind(f"one of {', '.join(map(repr, allowed))}", read)


def _covariance(value: Any) -> Covariance:
    """Return the covariance that a word, or the columns of clusters, stand for."""
    if isinstance(value, Mapping):
        if set(value) != {"clusters"}:
            raise ValueError
        return Clustered(*_texts(value["clusters"]))
    return Unadjusted() if value == "unadjusted" else Robust(value)


def _model(value: Any) -> str:
    parse(f"{OUTCOME} ~ {_text(value)}")
    return str(value)


def _of_model(value: Any) -> Iterable[str]:
    """Return the columns of a model: without the names that are called, which are functions."""
    named: dict[str, None] = {}
    for each in parse(f"{OUTCOME} ~ {value}"):
        terms: tuple[Term, ...] = (*each.terms, *each.endogenous, *each.instruments)
        for factor in (factor for term in terms for factor in term):
            functions = set(re.findall(r"(\w+)\s*[.(]", factor.text)) if factor.kind == "transform" else set()
            named |= dict.fromkeys(name for name in factor.columns if name not in functions)
        named |= dict.fromkeys(name for effect_ in each.effects for name in effect_)
    return named


TEXTS = Kind("a list of texts", _texts)
WHOLE = Kind("a whole number", _whole)
WHOLES = Kind("a list of whole numbers", _wholes)
RATES = Kind("numbers by name, such as { Q = 0.02 }", _rates)
COLUMN = Kind("a text", _text, lambda name: [name])
OPTIONAL = Kind("a text, or false for none", _optional, lambda name: [] if name is None else [name])
COLUMNS = Kind("a list of texts", _texts, lambda names: names)
MODEL = Kind("the right-hand side of a formula, such as \"sex + C(route, ref='none') | school\"", _model, _of_model)
COVARIANCE = Kind(
    '"unadjusted", "HC0", "HC1", "HC2", "HC3", or clusters such as { clusters = ["school"] }',
    _covariance,
    lambda cov: cov.columns,
)

# An argument of a name is of one kind, whichever question takes it.
ARGUMENTS: Mapping[str, Kind] = MappingProxyType(
    {
        "characteristics": COLUMNS,
        "statistics": TEXTS,
        "level": OPTIONAL,
        "earnings": COLUMN,
        "year": WHOLE,
        "years": WHOLE,
        "most_common": WHOLE,
        "outcome": COLUMN,
        "model": MODEL,
        "treatment": MODEL,
        "covariates": MODEL,
        "method": one_of(*get_args(Method)),
        "estimand": one_of(*get_args(Estimand)),
        "cov": COVARIANCE,
        "split": OPTIONAL,
        "by": OPTIONAL,
        "path": OPTIONAL,
        "sector": COLUMN,
        "since": COLUMN,
        "horizons": WHOLES,
        "start": WHOLE,
        "qualification": OPTIONAL,
        "next_qualification": OPTIONAL,
        "groups": COLUMNS,
        "region": OPTIONAL,
        "growth": RATES,
        "tied": one_of(*get_args(Tied)),
        "across_registers": one_of(*get_args(AcrossRegisters)),
        "late_entry": one_of(*get_args(LateEntry)),
    }
)

QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        "main_activities": Question(main_activities),
        "earnings_trajectories": Question(earnings_trajectories, outcome="earnings"),
        "labour_outcomes": Question(labour_outcomes, outcome="earnings"),
        "education_levels": Question(education_levels),
        "pathways": Question(pathways),
        "sector_pipeline": Question(sector_pipeline),
        "feols": Question(regression, outcome="outcome"),
        "treatment_effect": Question(effect, outcome="outcome"),
    }
)
