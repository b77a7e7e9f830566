"""The text of a condition or a new column: parsed, never executed, with a hint where another spelling was meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from leoreturns.errors import PanelError

LITERAL_OR_NAME = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`([^`]+)`""")
LONE_EQUALS = re.compile(r"(?<![=!<>:])=(?!=)")
HINTS: Mapping[type[ast.AST], str] = {
    ast.BitAnd: "write 'and' instead of '&'",
    ast.BitOr: "write 'or' instead of '|'",
    ast.Invert: "write 'not' instead of '~'",
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression as a tree.

    Attributes
    ----------
    text : str
        As the caller wrote it.
    tree : ast.expr
    names : dict of str to str
        What the identifiers that stand in for names in backquotes stand for.
    """

    text: str
    tree: ast.expr
    names: Mapping[str, str]

    def refuse(self, reason: str) -> NoReturn:
        """Say why the expression cannot be used."""
        raise PanelError(f"cannot use {self.text!r}: {reason}")

    def name(self, node: ast.Name) -> str:
        """Return the column that a name stands for."""
        return self.names.get(node.id, node.id)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the expression names: neither the functions that it calls nor `missing`."""
        nodes = list(ast.walk(self.tree))
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        names = [self.name(node) for node in nodes if isinstance(node, ast.Name) and id(node) not in called]
        return tuple(dict.fromkeys(name for name in names if name != "missing"))

    def shown(self, node: ast.expr) -> str:
        """Return a part of the expression as text."""
        text = ast.unparse(node)
        for token, name in self.names.items():
            text = text.replace(token, f"`{name}`")
        return repr(text)


def parse(text: str) -> Parsed:
    """Parse an expression; names that are no identifiers stand in backquotes."""
    names: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        if match.group(1) is None:  # a text, in which a backquote is a backquote
            return match.group()
        return _token(names, text, match.group(1))

    python = LITERAL_OR_NAME.sub(stand_in, text.strip())
    try:
        tree = ast.parse(python, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        meant = "write '==' to compare" if LONE_EQUALS.search(LITERAL_OR_NAME.sub("", text)) else "see Panel.where"
        raise PanelError(f"cannot use {text!r}: it is not an expression; {meant}") from None
    parsed = Parsed(text, tree, names)
    for node in ast.walk(tree):
        if type(node) in HINTS:
            parsed.refuse(HINTS[type(node)])
    return parsed


def memberships(text: str, wanted: Mapping[str, Sequence[Any]]) -> Parsed:
    """Return the condition that every column has one of its wanted values."""
    names: dict[str, str] = {}
    parts: list[ast.expr] = [
        ast.Compare(
            ast.Name(_token(names, "", name), ast.Load()),
            [ast.In()],
            [ast.List([ast.Constant(value) for value in values], ast.Load())],
        )
        for name, values in wanted.items()
    ]
    return Parsed(text, ast.BoolOp(ast.And(), parts), names)


def _token(names: dict[str, str], text: str, name: str) -> str:
    """Enter a name; return an identifier that the text does not hold."""
    token = f"quoted_{len(names)}_"
    while token in text:
        token += "_"
    names[token] = name
    return token
