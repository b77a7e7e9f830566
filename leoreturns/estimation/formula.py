"""Formulas: ``outcome ~ regressors | effects | endogenous ~ instruments``, with stepwise sets.

The parts are split here, because formulaic knows neither ``|`` nor a second ``~``, ``a^b`` or ``C(x, ref=...)``; what
stands between two plus signs is then parsed by formulaic. Nothing here looks at data.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from formulaic.parser.types import Factor as ParsedFactor


OPENING, CLOSING, QUOTES = "([{", ")]}", "'\"`"
STEPWISE = re.compile(r"(?<![\w.])(csw0|csw|sw0|sw)\(")
QUOTED = re.compile(r"`([^`]+)`")
NOT_GIVEN = object()


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of a term.

    Attributes
    ----------
    text : str
        As written.
    columns : tuple of str
        Names that occur in it; those of a transform may include functions.
    kind : {"column", "category", "transform"}
        A column as it is, a column declared to be a category, or an expression.
    ref : label
        Level without a column; `NOT_GIVEN` for the first one.
    full : bool
        Whether every level but a given `ref` has a column, as in ``i()``.
    """

    text: str
    columns: tuple[str, ...]
    kind: str = "column"
    ref: Any = NOT_GIVEN
    full: bool = False


Term = tuple[Factor, ...]  # a product of factors; empty for the intercept


@dataclass(frozen=True, slots=True)
class Specification:
    """One regression of a formula.

    Attributes
    ----------
    text : str
        The formula, stepwise sets written out.
    outcome : Factor
    intercept : bool
        Whether a constant belongs to the regressors.
    terms, endogenous, instruments : tuple of Term
        Exogenous regressors, and the two sides of the last part.
    effects : tuple of tuple of str
        The columns of each absorbed effect; several where they are combined by ``^``.
    """

    text: str
    outcome: Factor
    intercept: bool
    terms: tuple[Term, ...]
    effects: tuple[tuple[str, ...], ...] = ()
    endogenous: tuple[Term, ...] = ()
    instruments: tuple[Term, ...] = ()


def parse(text: str) -> list[Specification]:
    """Parse a formula into its regressions: outcomes slowest, then regressors, effects and instruments.

    Parameters
    ----------
    text : str
        ``"y ~ x + C(route, ref='none') + i(year, treated) | school + cohort^region | endogenous ~ instruments"``.
        Several outcomes are joined by ``+`` or ``c()``; ``sw``, ``csw``, ``sw0``, ``csw0`` write several regressions.

    Raises
    ------
    ValueError
        For a text that is no formula; the message names the part.
    """
    if not isinstance(text, str):
        raise TypeError(f"a formula is a text such as 'y ~ x | school', not {type(text).__name__}")
    first, *others = (part.strip() for part in split(text, "|"))
    sides = split(first, "~")
    if len(sides) != 2 or len(others) > 2:
        raise ValueError(f"{text!r} is no formula: write 'outcome ~ regressors | effects | endogenous ~ instruments'")
    instrumented = others.pop() if others and len(split(others[-1], "~")) == 2 else ""
    if len(others) > 1 or any("~" in part for part in others):
        raise ValueError(f"{text!r}: the last part must be 'endogenous ~ instruments'")
    effects = others[0] if others else ""
    return [
        _specification(*parts)
        for parts in product(_outcomes(sides[0]), _expanded(sides[1]), _expanded(effects), _expanded(instrumented))
    ]


def split(text: str, mark: str) -> list[str]:
    """Split a text at a mark that stands outside brackets and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in QUOTES:
            quote = character
        elif character in OPENING:
            depth += 1
        elif character in CLOSING:
            depth -= 1
        elif character == mark and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    if depth or quote:
        raise ValueError(f"{text!r} has an unclosed bracket or quote")
    return [part.strip() for part in [*parts, text[start:]]]


def _outcomes(text: str) -> list[str]:
    """Return the outcomes on the left of the formula."""
    found = []
    for written in _expanded(text):
        for entry in split(written, "+"):
            inner = re.fullmatch(r"c\((.*)\)", entry)
            found += split(inner.group(1), ",") if inner else [entry]
    if not all(found):
        raise ValueError("the formula has no outcome on its left")
    return list(dict.fromkeys(found))


def _expanded(text: str) -> list[str]:
    """Write out the stepwise sets of one part."""
    found = STEPWISE.search(text)
    if found is None:
        return [" + ".join(part for part in split(text, "+") if part).replace("+ -", "-")]
    start, depth = found.end(), 1
    for at in range(start, len(text)):
        depth += (text[at] in OPENING) - (text[at] in CLOSING)
        if depth == 0:
            break
    else:
        raise ValueError(f"{text!r} has an unclosed bracket or quote")
    entries = split(text[start:at], ",")
    kind = found.group(1)
    choices = [" + ".join(entries[: n + 1]) for n in range(len(entries))] if kind.startswith("csw") else entries
    choices = ["", *choices] if kind.endswith("0") else choices
    return [whole for choice in choices for whole in _expanded(text[: found.start()] + choice + text[at + 1 :])]


def _specification(outcome: str, regressors: str, effects: str, instrumented: str) -> Specification:
    """Parse the parts of one regression."""
    absorbed = tuple(_effect(entry) for entry in split(effects, "+") if entry not in ("", "0", "1"))
    intercept, terms = _terms(regressors or "1")
    endogenous: tuple[Term, ...] = ()
    instruments: tuple[Term, ...] = ()
    if instrumented:
        left, right = split(instrumented, "~")
        endogenous, instruments = _terms(left)[1], _terms(right)[1]
        if not endogenous or not instruments:
            raise ValueError(f"'{instrumented}' names no endogenous regressor or no instrument")
        if both := [term for term in endogenous if term in (*terms, *instruments)]:
            names = ", ".join(":".join(factor.text for factor in term) for term in both)
            raise ValueError(f"endogenous {names} cannot be an exogenous regressor or an instrument as well")
    text = " | ".join(part for part in (f"{outcome} ~ {regressors or '1'}", effects, instrumented) if part)
    return Specification(
        text,
        _only(_terms(outcome)[1], outcome),
        intercept and not absorbed,
        terms,
        tuple(dict.fromkeys(absorbed)),
        endogenous,
        instruments,
    )


def _only(terms: tuple[Term, ...], text: str) -> Factor:
    """Return the single factor of an outcome."""
    if len(terms) != 1 or len(terms[0]) != 1:
        raise ValueError(f"the outcome '{text}' must be one column or one expression")
    return terms[0][0]


def _effect(entry: str) -> tuple[str, ...]:
    """Return the columns that an effect combines."""
    names = tuple(QUOTED.sub(r"\1", name) for name in split(entry, "^"))
    if not all(names) or any(set(name) & set("[](){}*:") and f"`{name}`" not in entry for name in names):
        raise ValueError(
            f"effect '{entry}' must be a column, or columns combined by ^; varying slopes are not supported"
        )
    return names


def _terms(text: str) -> tuple[bool, tuple[Term, ...]]:
    """Parse the terms of one part: whether they hold an intercept, and all others by their order."""
    from formulaic.errors import FormulaicError  # slow to import, and needed by regressions alone
    from formulaic.parser import DefaultFormulaParser

    try:
        parsed = list(DefaultFormulaParser().get_terms(text))
    except FormulaicError as error:
        raise ValueError(f"'{text}' cannot be parsed: {str(error).splitlines()[0]}") from None
    terms: dict[tuple[str, ...], Term] = {}
    intercept = False
    for term in parsed:
        if all(factor.eval_method.value == "literal" for factor in term.factors):
            intercept = True
            continue
        factors = tuple(entry for factor in term.factors for entry in _factors(factor))
        terms.setdefault(tuple(sorted(f"{factor.kind} {factor.text}" for factor in factors)), factors)
    return intercept, tuple(sorted(terms.values(), key=len))


def _factors(parsed: ParsedFactor) -> Iterator[Factor]:
    """Return what one factor of formulaic stands for: itself, or the two sides of ``i(a, b)``."""
    text = str(parsed.expr)
    if parsed.eval_method.value == "lookup":
        yield Factor(text, (text,))
        return
    names: dict[str, str] = {}

    def identified(match: re.Match[str]) -> str:
        names[f"_quoted_{len(names)}"] = match.group(1)
        return f"_quoted_{len(names) - 1}"

    tree = ast.parse(QUOTED.sub(identified, text), mode="eval").body
    called = tree.func.id if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) else ""
    if called in ("C", "factor", "i") and isinstance(tree, ast.Call):
        yield from _categories(called, tree, text, names)
        return
    if called in ("lag", "L", "F", "D", "lead"):
        raise ValueError(f"'{text}' would cross from one person to the next; make the lag a column with panel.assign")
    used = (names.get(node.id, node.id) for node in ast.walk(tree) if isinstance(node, ast.Name))
    yield Factor(text, tuple(dict.fromkeys(used)), "transform")


def _categories(called: str, call: ast.Call, text: str, names: dict[str, str]) -> Iterator[Factor]:
    """Read ``C(a, ref=...)`` and ``i(a, b, ref=..., ref2=...)``."""
    columns = [names.get(node.id, node.id) for node in call.args if isinstance(node, ast.Name)]
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    allowed = {"ref", "ref2"} if called == "i" else {"ref"}
    if len(columns) != len(call.args) or not 1 <= len(columns) <= (2 if called == "i" else 1) or set(options) - allowed:
        raise ValueError(
            f"'{text}' is not understood: write C(a), C(a, ref=...), i(a), i(a, b) or i(a, b, ref=..., ref2=...)"
        )
    try:
        refs = {name: ast.literal_eval(value) for name, value in options.items()}
    except ValueError:
        raise ValueError(f"'{text}': ref must be a label such as 'none' or 2010") from None
    full = called == "i"
    yield Factor(columns[0], (columns[0],), "category", refs.get("ref", NOT_GIVEN), full)
    if len(columns) == 2:
        kind = "category" if "ref2" in refs else "column"
        yield Factor(columns[1], (columns[1],), kind, refs.get("ref2", NOT_GIVEN), full)
