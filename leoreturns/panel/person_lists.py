"""Lists of persons from the linked tables of one block: subjects of degrees, learning aims, benefits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from leoreturns.panel import degrees
from leoreturns.panel.aims import ACHIEVED
from leoreturns.panel.rules import among, read, rows_of

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

# List -> the table that it comes from.
LISTS = {"subjects": "hesa", "aims": "ilr_aims", "benefits": "benefits"}
COLUMNS = 'number, code, start, "end", weight'


def derive_lists(block: Block) -> dict[str, pa.Table]:
    """Derive the lists of a block's persons that its tables allow: ``subjects``, ``aims`` and ``benefits``.

    Parameters
    ----------
    block : Block
        The tables, as views over the records of the block's persons, in any order.

    Returns
    -------
    dict of str -> pyarrow.Table
        Columns ``number`` (int32, the person in the block), ``code`` (text), ``start`` and ``end`` (dates) and
        ``weight`` (float64, never missing or negative), sorted by all of them; missing values come first. A list whose
        table is absent is not there.

    Raises
    ------
    ExtractError
        If a table cannot be read; without DuckDB's own text, which may quote values.
    """
    entries = {"subjects": _subjects, "aims": _aims, "benefits": _benefits}
    order = ", ".join(f"{name} NULLS FIRST" for name in COLUMNS.split(", "))
    return {
        name: read(block, f"SELECT {COLUMNS} FROM ({entries[name](block)}) ORDER BY {order}", f"table {table!r}")
        for name, table in LISTS.items()
        if table in block.tables
    }


def _subjects(block: Block) -> str:
    """Return an entry for each subject of each qualification obtained in higher education, by its share of the time."""
    columns = (*degrees.COLUMNS, "HE_COMDATE", "HE_ENDDATE", "HE_DATELEFT", *degrees.subject_columns())
    # Each record is of one academic year of a course. `greatest` and `least` pass over what is missing.
    return f"""
        SELECT number, coalesce(level, 'unknown level') || ':' || subject AS code, start, "end", weight
        FROM (
            SELECT number, level, start, "end", unnest(codes) AS subject, unnest(weights) AS weight
            FROM (
                SELECT number, {degrees.LEVEL} AS level, {degrees.subjects()},
                    greatest(HE_COMDATE, make_date(HE_ACADYR, 8, 1)) AS start,
                    least(coalesce(HE_ENDDATE, HE_DATELEFT), make_date(HE_ACADYR + 1, 7, 31)) AS "end"
                FROM {rows_of(block, "hesa", columns)} WHERE HE_XPQUAL01
            )
        ) WHERE subject IS NOT NULL"""


def _aims(block: Block) -> str:
    """Return an entry for each learning aim achieved, weighted by its share of a full level 3."""
    names = ("learning_aim_id", "start_date", "end_date", "FL3Width", "outcome")
    return f"""
        SELECT number, learning_aim_id AS code, start_date AS start, end_date AS "end",
            greatest(coalesce(FL3Width, 0), 0) / 100 AS weight
        FROM {rows_of(block, "ilr_aims", names)} WHERE {among("outcome", ACHIEVED)}"""


def _benefits(block: Block) -> str:
    """Return an entry for each spell on a benefit."""
    return f"""
        SELECT number, Benefit_type AS code, StartDate AS start, EndDate AS "end", CAST(1 AS DOUBLE) AS weight
        FROM {rows_of(block, "benefits", ("Benefit_type", "StartDate", "EndDate"))}"""
