"""The grammar of conditions and new columns: Python's own syntax, a few nodes of it, three-valued logic.

    expression := condition | number
    condition  := name | not condition | condition and|or condition | operand (== != < <= > >= operand)+
                | operand [not] in [literal, ...] | name is [not] missing
    number     := name | literal | + - * / ** of numbers | abs exp log log1p sqrt (number)

A condition has the values false, unknown and true (0, 1, 2), so that and is the minimum, or the maximum, not the
difference to 2.
"""

from __future__ import annotations

import ast
import datetime as dt
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from leoreturns._typing import AnyArray, BoolArray, ByteArray, Level
from leoreturns.panel import rows
from leoreturns.panel.schema import Column, Label
from leoreturns.panel.syntax import Parsed

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
    """False, unknown or true (uint8 0, 1, 2) per stored person or row."""

    truth: ByteArray
    level: Level


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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Stretch:
    """Persons first:last of a panel, with their rows."""

    panel: Panel
    first: int
    last: int

    @property
    def persons(self) -> slice:
        """Where the persons are stored."""
        return slice(self.first, self.last)

    @property
    def rows(self) -> slice:
        """Where their rows are stored."""
        return slice(int(self.panel.offsets[self.first]), int(self.panel.offsets[self.last]))

    def array(self, column: Column) -> AnyArray:
        """Return a column along the persons or rows of the stretch."""
        return self.panel.array(column.name)[self.persons if column.level == "person" else self.rows]

    def expand(self, values: AnyArray) -> AnyArray:
        """Repeat each person's value along the person's rows."""
        offsets = self.panel.offsets[self.first : self.last + 1]
        return rows.expand(values, offsets - offsets[0])


class Evaluator:
    """Evaluates one expression on a stretch of a panel."""

    def __init__(self, parsed: Parsed, stretch: Stretch) -> None:
        self._parsed = parsed
        self._stretch = stretch
        self._refuse = parsed.refuse

    def evaluate(self) -> Condition | Number | Coded:
        """Return what the text stands for."""
        tree = self._parsed.tree
        if isinstance(tree, ast.BoolOp | ast.Compare) or (
            isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
        ):
            return self._condition(tree)
        operand = self._operand(tree)
        if isinstance(operand, Literal) or (isinstance(operand, Number) and operand.level is None):
            self._refuse("it names no column")
        return operand

    def true_rows(self) -> BoolArray:
        """Return the rows on which the condition is true."""
        result = self._condition(self._parsed.tree)
        return np.equal(self._at_level(result, "year"), TRUE)

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
        self._refuse(f"{self._parsed.shown(node)} is not a condition")

    def _bare(self, node: ast.Name) -> Condition:
        operand = self._column(node)
        if not isinstance(operand, Coded) or not operand.column.is_bool:
            self._refuse(f"{self._parsed.name(node)!r} is not a true/false column; compare it with something")
        return _lookup(operand, [bool(label) for label in operand.column.labels])

    def _joined(self, left: Condition, right: Condition, join: np.ufunc) -> Condition:
        level: Level = left.level if left.level == right.level else "year"
        return Condition(join(self._at_level(left, level), self._at_level(right, level)), level)

    def _at_level(self, part: Condition, level: Level) -> AnyArray:
        return part.truth if part.level == level else self._stretch.expand(part.truth)

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

    def _any_of(self, operand: Number | Coded, wanted: list[Operand]) -> Condition:
        """Whether an operand equals one of some literals."""
        found: Condition | None = None
        for want in wanted:
            if isinstance(operand, Coded):
                part = self._compare_labels(operand, operator.eq, want, equality=True)
            elif isinstance(want, Number):
                part = self._compare_numbers(operand, operator.eq, want)
            else:
                self._refuse("numbers cannot be compared with text, dates or conditions")
            if found is None:
                found = part
            else:
                np.maximum(found.truth, part.truth, out=found.truth)
        assert found is not None
        return found

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
            return self._column(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bool):
            return Literal(node.value)
        return self._number(node)

    def _column(self, node: ast.Name) -> Number | Coded:
        column = self._stretch.panel.column(self._parsed.name(node))
        values = self._stretch.array(column)
        return Number(values, column.level) if column.kind == "number" else Coded(column, values)

    def _number(self, node: ast.expr) -> Number:
        try:
            number = self._computed(node)
        except OverflowError:  # a whole number beyond the floats
            number = Number(np.inf, None)
        if number.level is None and not np.isfinite(number.values):
            self._refuse(f"{self._parsed.shown(node)} is not a finite number")
        return number

    def _computed(self, node: ast.expr) -> Number:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            float(node.value)
            return Number(node.value, None)
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
        self._refuse(f"{self._parsed.shown(node)} is not in the grammar; see Panel.where")

    def _numeric(self, node: ast.expr) -> Number:
        operand = self._operand(node)
        if not isinstance(operand, Number):
            self._refuse(f"{self._parsed.shown(node)} is not a number")
        return operand

    def _aligned(self, left: Number, right: Number) -> tuple[Any, Any, Level | None]:
        """Return the values of two numbers at the finer of their levels."""
        level: Level | None = "year" if "year" in (left.level, right.level) else left.level or right.level
        first, second = (
            self._stretch.expand(side.values) if side.level == "person" and level == "year" else side.values
            for side in (left, right)
        )
        return first, second, level


def _lookup(coded: Coded, truths: list[bool]) -> Condition:
    """Look each code's truth up; a missing code is unknown."""
    table = np.array([TRUE if truth else FALSE for truth in truths], dtype=np.int32)
    truth = rows.recode(coded.codes, table, base=0, dtype=np.dtype(np.int8)).view(np.uint8)
    truth[coded.codes == -1] = UNKNOWN
    return Condition(truth, coded.column.level)


def _as_float(values: Any) -> Any:
    # NumPy's own scalar: Python's raises an error of its own at 1 / 0 and gives complex numbers for (-1) ** 0.5.
    return np.asarray(values, dtype=np.float64) if isinstance(values, np.ndarray) else np.float64(values)


def _shown(label: Label) -> Label:
    return label.isoformat() if isinstance(label, dt.date) else label
