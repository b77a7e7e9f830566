"""Rules of traits as SQL: what describes one, and the few forms of expression that they are made of.

Text is compared by its bytes. What an extract lacks reads as missing, so that a rule is written once and goes on
without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from leoreturns.extract import tables
from leoreturns.extract.convert import SQL_TYPES
from leoreturns.extract.database import at_work, literal, quoted

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

PERSONS = "person_of_block"  # number and cohort of every person, while traits are derived
VIA = "via"  # beside a table's columns: the id through which a row reached its person
LOOKUP = "lookup_"  # an outside lookup stands among the tables under its name with this before it


@dataclass(frozen=True, slots=True)
class Trait:
    """A trait, described without its values.

    Attributes
    ----------
    value : str
        SQL expression over the relations of persons; it may use traits that stand before it.
    owner : str
        Whose data it rests on.
    tables : tuple of tuple of str
        The tables, and lookups as ``lookup_<name>``, that it needs: of each entry at least one.
    unit : str or None
        As `leoreturns.panel.schema.Column.unit`.
    entity : bool
        Whether it names a school or a provider.
    """

    value: str
    owner: str
    tables: tuple[tuple[str, ...], ...]
    unit: str | None = None
    entity: bool = False


def read(block: Block, sql: str, what: str) -> pa.Table:
    """Return the result of a query over the block's views and its persons, ``PERSONS``.

    Raises
    ------
    ExtractError
        If the statement fails, naming `what`.
    """
    number = np.arange(block.n_person, dtype=np.int32)
    with at_work(what):
        block.connection.register(PERSONS, pa.table({"number": number, "cohort": block.cohort}))
        try:
            relation: Any = block.connection.sql(sql)
            return relation.to_arrow_table()
        finally:
            block.connection.unregister(PERSONS)


def rows_of(block: Block, table: str, names: Iterable[str], view: str | None = None) -> str:
    """Return a subquery with ``number`` and columns of a table by their canonical names; what is absent is missing.

    Parameters
    ----------
    block : Block
    table : str
        Canonical name of the table; where the extract lacks it, the subquery has no rows.
    names : iterable of str
        Of columns; or ``via``, the id through which a row reached its person.
    view : str, optional
        The block's view to read, where it is not called after the table.
    """
    there = block.tables.get(table)
    known = tables.table(table)
    columns = ", ".join(
        quoted(name)
        if there is not None and (name in there or name == VIA)
        else f"CAST(NULL AS {SQL_TYPES['id' if name == VIA else known.variable(name).type]}) AS {quoted(name)}"
        for name in names
    )
    if there is None:
        return f"(SELECT CAST(NULL AS INTEGER) AS number, {columns} WHERE false)"
    return f"(SELECT number, {columns} FROM {quoted(view or table)})"


def lookup(block: Block, name: str) -> str:
    """Return a subquery with the codes and labels of an outside lookup; without rows where there is none."""
    if name not in block.lookups:
        return "(SELECT CAST(NULL AS VARCHAR) AS code, CAST(NULL AS VARCHAR) AS label WHERE false)"
    # A code given twice would double a person.
    return f"(SELECT code, min(label) AS label FROM {quoted(LOOKUP + name)} GROUP BY code)"


def covered(block: Block, names: Iterable[str], year: str) -> str:
    """Return the condition that each of these tables that is there reaches an academic year, an expression."""
    last = [block.coverage[name] for name in names if name in block.tables and name in block.coverage]
    return f"{year} <= {min(last)}" if last else "true"


def among(column: str, codes: Iterable[str]) -> str:
    """Return the condition that a text is one of some codes."""
    return f"{column} IN ({', '.join(map(literal, codes))})"


def known(column: str, codes: Iterable[str]) -> str:
    """Return a text that is missing unless it is one of some codes."""
    return f"CASE WHEN {among(column, codes)} THEN {column} END"


def labelled(column: str, labels: Mapping[str, str]) -> str:
    """Return the label of a code; missing for a code that has none."""
    cases = " ".join(f"WHEN {literal(code)} THEN {literal(label)}" for code, label in labels.items())
    return f"CASE {column} {cases} END"


def first(value: str, order: str, where: str = "true") -> str:
    """Return the first value that is not missing in an order; in ties the smallest, so that no row's place decides."""
    return f"first({value} ORDER BY {order}, {value}) FILTER (WHERE {value} IS NOT NULL AND {where})"


def any_row(condition: str) -> str:
    """Return whether a condition holds in any row of a person."""
    return f"coalesce(bool_or({condition}), false)"
