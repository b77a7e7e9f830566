"""Units of a treatment study by cells: the distinct rows of their covariates, on which every model is fitted.

LEO's covariates are mostly categories, so that millions of persons have a few thousand distinct rows of covariates.
Propensities and means depend on a person through his cell alone: likelihoods, their derivatives and predictions are
exact sums over cells. Where covariates are continuous every unit is a cell of its own, by the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import AnyArray, BoolArray, CodeArray, FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.blocks import Block
from leoreturns.estimation.cell_models import told_apart
from leoreturns.estimation.columns import Dense, Levels, term_columns
from leoreturns.estimation.design import INTERCEPT, Variables
from leoreturns.estimation.formula import Factor, Term
from leoreturns.estimation.sample import Sample
from leoreturns.estimation.variables import Codes
from leoreturns.panel.levels import number_distinct
from leoreturns.panel.panel import Panel

CONSTANT = "the same for everybody"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Units:
    """The units of a sample, a row each: microdata, held inside.

    Attributes
    ----------
    sample : Sample
    rows : int64 of shape (n,)
        Their places among the stored rows, in the order of the persons' keys.
    people : int64 of shape (n,)
        The stored person of each.
    """

    sample: Sample
    rows: IntArray
    people: IntArray

    @classmethod
    def of(cls, sample: Sample) -> Units:
        """Number the rows of a sample."""
        people = np.repeat(np.arange(sample.panel.n_person_stored), sample.rows_of_persons())
        rows = np.arange(len(people)) if sample.kept is None else np.flatnonzero(sample.kept)
        return cls(sample, rows, people)

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.rows)

    def take(self, values: AnyArray, level: str) -> AnyArray:
        """Return the entries of the units."""
        return values[self.rows] if level == "year" else values[self.people]

    def __repr__(self) -> str:
        return f"<Units: {self.n:,} rows>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cells:
    """The distinct rows of covariates.

    Attributes
    ----------
    units : Units
    codes : int32 of shape (n,)
        Cell of each unit, numbered as they first occur.
    first : int64 of shape (n_cells,)
        A unit of each.
    """

    units: Units
    codes: CodeArray
    first: IntArray

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.first)

    def take(self, chosen: BoolArray) -> Cells:
        """Return the cells of some of the units."""
        units = Units(self.units.sample, self.units.rows[chosen], self.units.people[chosen])
        return Cells(units, self.codes[chosen], self.first)

    def __repr__(self) -> str:
        return f"<Cells: {self.n:,} of {self.units.n:,} rows>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Columns:
    """Covariates, cell by cell.

    Attributes
    ----------
    names : tuple of str
        The intercept first.
    values : float64 of shape (n_cells, k)
    dropped : mapping of name -> str
        Columns left out, and why.
    """

    names: tuple[str, ...]
    values: FloatArray
    dropped: dict[str, str]

    def __repr__(self) -> str:
        return f"<Columns: {len(self.names):,} of {len(self.values):,} cells>"


def right_side(covariates: str | Sequence[str]) -> str:
    """Return covariates as the right side of a formula: given as one, or as names of columns."""
    text = covariates if isinstance(covariates, str) else " + ".join(f"`{name}`" for name in covariates)
    if "~" in text or "|" in text:
        raise ValueError(f"covariates are the right side of a formula, such as 'sex + ks4_points', not {text!r}")
    return text


def refuse_later(panel: Panel, treatment: Factor, names: Iterable[str], allowed: Sequence[str]) -> None:
    """Refuse covariates that the panel's schema marks as measured after the treatment.

    What a treatment changes cannot be held constant without changing what is estimated (Rosenbaum 1984). Nothing is
    refused where nobody has said when the treatment is measured.

    Parameters
    ----------
    panel : Panel
    treatment : Factor
        The arms.
    names : iterable of str
        Covariates; names that are no columns are passed over.
    allowed : sequence of str
        Those that are meant all the same.

    Raises
    ------
    SupportError
        With the columns, their ages and the remedy.
    """
    columns = panel.schema.columns
    if unknown := [name for name in allowed if name not in columns]:
        raise SupportError(f"allow_later names {', '.join(map(repr, unknown))}, which is no column")
    arms = [columns[name] for name in treatment.columns if name in columns]
    ages = [column.measured for column in arms if column.measured is not None]
    if len(ages) < len(arms) or not arms:
        return
    later = {}
    for name in dict.fromkeys(names):
        column = columns.get(name)
        if column is None or name in allowed or name == panel.schema.time:
            continue
        if column.measured is not None and column.measured > max(ages):
            later[name] = _at_age(column.measured)
        elif column.measured is None and column.level == "year" and all(own.level == "person" for own in arms):
            later[name] = "in the year of the outcome"
    if later:
        told = ", ".join(f"'{name}' {when}" for name, when in later.items())
        raise SupportError(
            f"covariates are measured after the treatment '{treatment.text}' ({_at_age(max(ages))}), which may have "
            f"changed them: {told}; leave them out, or name those that are meant in allow_later=. When columns are "
            "measured is said by measured= of Panel.from_frame"
        )


def _at_age(age: float) -> str:
    return f"at age {age:g}" if np.isfinite(age) else "at any age"


def names_of(terms: Sequence[Term]) -> list[str]:
    """Return the columns that terms name, and functions among them."""
    return [name for term in terms for factor in term for name in factor.columns]


def columns_of(cells: Cells, terms: Sequence[Term], variables: Variables) -> Columns:
    """Gather covariates cell by cell, an intercept among them, without columns that depend on others.

    Raises
    ------
    SupportError
        For unknown columns or levels.
    """
    units, first = cells.units, cells.first
    block = Block(units.rows[first], units.people[first], np.array([0, cells.n]))
    names, columns, dropped = [INTERCEPT], [np.ones(cells.n)], dict[str, str]()
    for part in _columns(units.sample, terms, variables):
        if isinstance(part, Dense):
            out = np.empty(cells.n)
            part.read(block, out)
            names.append(part.name)
            columns.append(out)
            continue
        slots = np.empty(cells.n, dtype=np.int32)
        part.read(block, 0, slots)
        if not part.n_columns:
            dropped[part.name] = CONSTANT
        names += part.names
        columns += [(slots == at).astype(np.float64) for at in range(part.n_columns)]
    matrix = np.column_stack(columns)
    kept = told_apart(matrix, np.bincount(cells.codes, minlength=cells.n).astype(np.float64))
    for name, column, own in zip(names, columns, kept, strict=True):
        if not own:
            dropped[name] = CONSTANT if np.ptp(column) == 0 else "collinear with the columns before it"
    return Columns(tuple(name for name, own in zip(names, kept, strict=True) if own), matrix[:, kept], dropped)


def _columns(sample: Sample, terms: Sequence[Term], variables: Variables) -> list[Dense | Levels]:
    """Return the columns of the terms beside an intercept."""
    present: set[frozenset[str]] = {frozenset(factor.text for factor in term) for term in terms} | {frozenset()}
    made: list[Dense | Levels] = []
    for term in terms:
        found = [variables.of(factor) for factor in term]
        texts = [factor.text for factor in term]
        contrasts = [frozenset(text for text in texts if text != own) in present for own in texts]
        several = len(term) > 1 and all(isinstance(parts[0], Codes) for parts in found)
        crossed = [variables.coded(tuple(texts))] if several else []
        columns = term_columns(sample, term, found, crossed, contrasts=contrasts)
        made += [columns] if isinstance(columns, Levels) else columns
    return made


def cells_of(units: Units, terms: Sequence[Term], variables: Variables, *, all_equal: bool = False) -> Cells:
    """Find the distinct rows of the variables of some terms.

    Once most units have a cell of their own, nothing is gained by looking for equal ones: then every unit is a cell,
    unless `all_equal` asks for the equal ones.
    """
    limit = None if all_equal else units.n // 2
    alone = Cells(units, np.arange(units.n, dtype=np.int32), np.arange(units.n))
    codes: CodeArray = np.zeros(units.n, dtype=np.int32)
    for variable in {id(entry): entry for entry in variables.of_terms(terms)}.values():
        values = variable.codes if isinstance(variable, Codes) else variable.values
        taken = np.ascontiguousarray(units.take(values, variable.level))
        if taken.dtype.kind == "f":
            taken = (taken.astype(np.float64) + 0.0).view(np.int64)  # -0.0 becomes 0.0
        own = number_distinct(taken, limit=limit)
        if own is None:
            return alone
        pair = codes.astype(np.int64) * len(own[1]) + own[0]
        both = number_distinct(pair, limit=limit)
        if both is None:
            return alone
        codes = both[0]
    first = np.empty(int(codes.max(initial=-1)) + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(units.n)[::-1]
    return Cells(units, codes, first)


def unit_codes(units: Units, codes: Codes) -> IntArray:
    """Return the codes of the units."""
    return units.take(codes.codes, codes.level)


def once_per_person(units: Units) -> None:
    """Refuse several rows of a person: an effect is one of persons."""
    repeated = int((np.diff(units.people) == 0).sum())
    if repeated:
        raise SupportError(
            f"{repeated:,} of {units.n:,} rows are further rows of a person already there; take one year of each with "
            "panel.at(years_since_ks4=...), or several with path='years_since_ks4'"
        )
