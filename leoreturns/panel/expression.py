"""The grammar of conditions and new columns: Python's own syntax, a few nodes of it, three-valued logic.

    expression := condition | number
    condition  := name | not condition | condition and|or condition | operand (== != < <= > >= operand)+
                | operand [not] in [literal, ...] | name is [not] missing
    number     := name | literal | + - * / ** of numbers | abs exp log log1p sqrt (number)

Text is parsed with `ast` and never executed. Names that are no identifiers stand in backquotes. A condition has the
values false, unknown and true (0, 1, 2), so that and is the minimum, or the maximum, not the difference to 2.
"""

from __future__ import annotations

import ast
import datetime as dt
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from leoreturns._typing import AnyArray, BoolArray, ByteArray, Level
from leoreturns.errors import PanelError
from leoreturns.panel import rows
from leoreturns.panel.schema import Column, Label

if TYPE_CHECKING:
    from leoreturns.panel.panel import Panel

FALSE, UNKNOWN, TRUE = 0, 1, 2
SHOWN_LABELS = 10

COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
MIRRORED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Condition:
    """False, unknown or true (uint8 0, 1, 2) per stored person or row; level None for a constant."""

    truth: ByteArray
    level: Level | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Number:
    """Numbers with NaN for missing, per stored person or row; a scalar and level None for a constant."""

    values: Any
    level: Level | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Coded:
    """A code column."""

    column: Column
    codes: AnyArray


@dataclass(frozen=True, slots=True)
class Literal:
    """Text, a condition or a date written out (numbers written out are Numbers)."""

    value: Label
    level: None = None


Operand = Number | Coded | Literal


class Evaluator:
    """Evaluates one expression on the stored rows of a panel."""

    def __init__(self, text: str, panel: Panel) -> None:
        self._text = text
        self._panel = panel
        self._quoted: dict[str, str] = {}

    def evaluate(self) -> Condition | Number | Coded:
        """Return what the text stands for."""
        tree = self._parsed()
        if isinstance(tree, ast.BoolOp | ast.Compare) or (
            isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
        ):
            return self._condition(tree)
        operand = self._operand(tree)
        if isinstance(operand, Literal) or (isinstance(operand, Number) and operand.level is None):
            self._refuse("it names no column")
        return operand

    def condition(self) -> BoolArray:
        """Return the stored rows on which the condition is true."""
        result = self._condition(self._parsed())
        return np.equal(self._on_rows(result.truth, result.level), TRUE)

    def among(self, wanted: Mapping[str, Sequence[Label]]) -> BoolArray:
        """Return the stored rows on which every column has one of its wanted values."""
        result: Condition | None = None
        for name, values in wanted.items():
            literals = [
                Number(value, None)
                if isinstance(value, int | float) and not isinstance(value, bool)
                else Literal(value)
                for value in values
            ]
            part = self._any_of(self._column(name), literals)
            result = part if result is None else self._joined(result, part, np.minimum)
        assert result is not None
        return np.equal(self._on_rows(result.truth, result.level), TRUE)

    # ---- parsing ----------------------------------------------------------------------------------------------------

    def _refuse(self, reason: str) -> NoReturn:
        raise PanelError(f"cannot use {self._text!r}: {reason}")

    def _parsed(self) -> ast.expr:
        def stand_in(match: re.Match[str]) -> str:
            token = f"quoted_{len(self._quoted)}_"
            while token in self._text:
                token += "_"
            self._quoted[token] = match.group(1)
            return token

        try:
            return ast.parse(re.sub(r"`([^`]+)`", stand_in, self._text.strip()), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self._refuse("it is not an expression; see Panel.where for the grammar")

    def _name(self, node: ast.Name) -> str:
        return self._quoted.get(node.id, node.id)

    # ---- conditions -------------------------------------------------------------------------------------------------

    def _condition(self, node: ast.expr) -> Condition:
        if isinstance(node, ast.BoolOp):
            parts = [self._condition(value) for value in node.values]
            join = np.minimum if isinstance(node.op, ast.And) else np.maximum
            joined = parts[0]
            for part in parts[1:]:
                joined = self._joined(joined, part, join)
            return joined
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self._condition(node.operand)
            return Condition(np.subtract(np.uint8(TRUE), inner.truth), inner.level)
        if isinstance(node, ast.Compare):
            return self._comparisons(node)
        if isinstance(node, ast.Name):
            return self._bare(node)
        self._refuse(f"{ast.unparse(node)!r} is not a condition")

    def _bare(self, node: ast.Name) -> Condition:
        name = self._name(node)
        column = self._panel.column(name)
        if not column.is_bool:
            self._refuse(f"{name!r} is not a true/false column; compare it with something")
        return _lookup(Coded(column, self._panel.array(name)), [bool(label) for label in column.labels])

    def _joined(self, left: Condition, right: Condition, join: Callable[[AnyArray, AnyArray], AnyArray]) -> Condition:
        level = _wider(left.level, right.level)
        if left.level == right.level:
            return Condition(join(left.truth, right.truth), level)
        return Condition(join(self._at_level(left, level), self._at_level(right, level)), level)

    def _at_level(self, part: Condition, level: Level | None) -> AnyArray:
        if part.level is None or part.level == level:
            return part.truth
        return rows.expand(part.truth, self._panel.offsets)

    def _on_rows(self, truth: AnyArray, level: Level | None) -> AnyArray:
        if level == "person":
            return rows.expand(truth, self._panel.offsets)
        return truth if level == "year" else np.full(self._panel.n_row_stored, truth)

    # ---- comparisons ------------------------------------------------------------------------------------------------

    def _comparisons(self, node: ast.Compare) -> Condition:
        """Evaluate a chain: a < b <= c is a < b and b <= c."""
        result: Condition | None = None
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            part = self._comparison(left, op, right)
            result = part if result is None else self._joined(result, part, np.minimum)
            left = right
        assert result is not None
        return result

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Condition:
        if isinstance(op, ast.Is | ast.IsNot):
            return self._missing(left, right, negated=isinstance(op, ast.IsNot))
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(left, right, negated=isinstance(op, ast.NotIn))
        first, second = self._operand(left), self._operand(right)
        if isinstance(second, Coded) and not isinstance(first, Coded):
            first, second, op = second, first, MIRRORED.get(type(op), type(op))()
        compare = COMPARE[type(op)]
        if isinstance(first, Coded):
            if isinstance(second, Coded):
                self._refuse("two columns of codes cannot be compared with each other")
            return self._compare_labels(first, compare, second, equality=isinstance(op, ast.Eq | ast.NotEq))
        if not isinstance(first, Number) or not isinstance(second, Number):
            self._refuse("numbers cannot be compared with text, dates or conditions")
        return self._compare_numbers(first, compare, second)

    def _missing(self, left: ast.expr, right: ast.expr, *, negated: bool) -> Condition:
        if not (isinstance(right, ast.Name) and right.id == "missing"):
            self._refuse("'is' must be followed by missing or not missing")
        operand = self._operand(left)
        if isinstance(operand, Coded):
            absent, level = np.equal(operand.codes, -1), operand.column.level
        elif isinstance(operand, Number) and operand.level is not None:
            absent, level = np.isnan(operand.values), operand.level
        else:
            self._refuse("only a column can be missing")
        return Condition(np.where(absent != negated, np.uint8(TRUE), np.uint8(FALSE)), level)

    def _membership(self, left: ast.expr, right: ast.expr, *, negated: bool) -> Condition:
        if not isinstance(right, ast.List | ast.Tuple | ast.Set) or not right.elts:
            self._refuse("'in' must be followed by a list of literals")
        operand = self._operand(left)
        wanted = [self._operand(element) for element in right.elts]
        if isinstance(operand, Literal) or any(isinstance(want, Coded) or want.level is not None for want in wanted):
            self._refuse("'in' compares a column with a list of literals")
        found = self._any_of(operand, wanted)
        return Condition(np.subtract(np.uint8(TRUE), found.truth), found.level) if negated else found

    def _any_of(self, operand: Number | Coded, wanted: Sequence[Operand]) -> Condition:
        """Whether an operand equals one of some literals."""
        parts = []
        for want in wanted:
            if isinstance(operand, Coded):
                parts.append(self._compare_labels(operand, operator.eq, want, equality=True))
            elif isinstance(want, Number):
                parts.append(self._compare_numbers(operand, operator.eq, want))
            else:
                self._refuse("numbers cannot be compared with text, dates or conditions")
        return Condition(np.maximum.reduce([part.truth for part in parts]), parts[0].level)

    def _compare_labels(
        self, coded: Coded, compare: Callable[[Any, Any], Any], other: Operand, *, equality: bool
    ) -> Condition:
        """Compare codes by a table over the labels: by value, by declared order where there is one."""
        column = coded.column
        value = self._label(column, other.values if isinstance(other, Number) else other.value)  # type: ignore[union-attr]
        if column.is_bool and not equality:
            self._refuse(f"{column.name!r} is a true/false column; use == or !=")
        if (column.ordered or equality) and value not in column.labels and not column.is_bool:
            self._unknown_label(column)
        if column.ordered:
            place = column.labels.index(value)
            return _lookup(coded, [bool(compare(at, place)) for at in range(len(column.labels))])
        return _lookup(coded, [bool(compare(label, value)) for label in column.labels])

    def _label(self, column: Column, value: Any) -> Any:
        """Return a literal as a label of the column's own type."""
        example = column.labels[0] if column.labels else value
        if isinstance(example, dt.date) and isinstance(value, str):
            try:
                moment = dt.datetime.fromisoformat(value)
            except ValueError:
                self._refuse(f"{column.name!r} holds dates; write them as '2015-04-01'")
            if not isinstance(example, dt.datetime):
                return moment.date() if moment.time() == dt.time() else self._unknown_label(column)
            return moment if example.tzinfo is None or moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        both_numbers = isinstance(example, int | float) and isinstance(value, int | float | np.number)
        if isinstance(example, bool) != isinstance(value, bool) or not (
            both_numbers or isinstance(value, type(example))
        ):
            self._refuse(f"{column.name!r} holds {type(example).__name__} labels, not {type(value).__name__}")
        return value

    def _unknown_label(self, column: Column) -> NoReturn:
        # Many labels (dates of birth, names, schools) are close to persons' own values.
        shown = f"{len(column.labels):,} others"
        if len(column.labels) <= SHOWN_LABELS:
            shown = ", ".join(map(repr, map(_shown, column.labels)))
        self._refuse(f"{column.name!r} has no such label; it has {shown}")

    def _compare_numbers(self, left: Number, compare: Callable[[Any, Any], Any], right: Number) -> Condition:
        first, second, level = self._aligned(left, right)
        if level is None:
            self._refuse("a comparison needs a column")
        truth = np.where(compare(first, second), np.uint8(TRUE), np.uint8(FALSE))
        for values in (first, second):
            if isinstance(values, np.ndarray) and values.dtype.kind == "f":
                truth[np.isnan(values)] = UNKNOWN
        return Condition(truth, level)

    # ---- operands ---------------------------------------------------------------------------------------------------

    def _operand(self, node: ast.expr) -> Operand:
        if isinstance(node, ast.Name):
            return self._column(self._name(node))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bool):
            return Literal(node.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return Number(node.value, None)
        return self._number(node)

    def _column(self, name: str) -> Number | Coded:
        column = self._panel.column(name)
        values = self._panel.array(name)
        return Number(values, column.level) if column.kind == "number" else Coded(column, values)

    def _number(self, node: ast.expr) -> Number:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self._numeric(node.operand)
            return Number(-_as_float(inner.values) if isinstance(node.op, ast.USub) else inner.values, inner.level)
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            first, second, level = self._aligned(self._numeric(node.left), self._numeric(node.right))
            with np.errstate(all="ignore"):
                values = ARITHMETIC[type(node.op)](_as_float(first), _as_float(second))
            return Number(values, level)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            if len(node.args) != 1 or node.keywords:
                self._refuse(f"{node.func.id} takes one number")
            inner = self._numeric(node.args[0])
            with np.errstate(all="ignore"):
                return Number(FUNCTIONS[node.func.id](_as_float(inner.values)), inner.level)
        self._refuse(f"{ast.unparse(node)!r} is not in the grammar; see Panel.where")

    def _numeric(self, node: ast.expr) -> Number:
        operand = self._operand(node)
        if not isinstance(operand, Number):
            self._refuse(f"{ast.unparse(node)!r} is not a number")
        return operand

    def _aligned(self, left: Number, right: Number) -> tuple[Any, Any, Level | None]:
        """Return the values of two numbers at the finer of their levels."""
        level = _wider(left.level, right.level)
        first, second = (
            rows.expand(side.values, self._panel.offsets) if side.level == "person" and level == "year" else side.values
            for side in (left, right)
        )
        return first, second, level


def _wider(left: Level | None, right: Level | None) -> Level | None:
    """Return the level that holds both operands."""
    return "year" if "year" in (left, right) else left or right


def _lookup(coded: Coded, truths: list[bool]) -> Condition:
    """Look each code's truth up; a missing code is unknown."""
    table = np.array([TRUE if truth else FALSE for truth in truths], dtype=np.int32)
    truth = rows.recode(coded.codes, table, base=0, dtype=np.dtype(np.int8)).view(np.uint8)
    truth[coded.codes == -1] = UNKNOWN
    return Condition(truth, coded.column.level)


def _as_float(values: Any) -> Any:
    return np.asarray(values, dtype=np.float64) if isinstance(values, np.ndarray) else float(values)


def _shown(label: Label) -> Label:
    return label.isoformat() if isinstance(label, dt.date) else label
