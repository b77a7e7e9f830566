"""Learning aims: the level of one, whether it is an apprenticeship, and those that were achieved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leoreturns.extract.tables_post16 import PROGRAMMES
from leoreturns.panel.rules import PERSONS, among, rows_of

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

ACHIEVED = ("1", "6", "7")  # outcomes of an aim; the last two are AS levels, cashed or not
HIGHER_LEVEL = 4
APPRENTICESHIPS = tuple(code for code, meaning in PROGRAMMES.items() if "apprenticeship" in meaning)


def _level(column: str) -> str:
    """Return the level that a code names: 0 (entry) to 8, 1.5 as 1, 9 ("higher") as 4; other codes tell none."""
    number = f"TRY_CAST({column} AS DOUBLE)"
    return (
        f"CASE WHEN {number} = 1.5 THEN 1 WHEN {number} = 9 THEN {HIGHER_LEVEL} "
        f"WHEN {number} BETWEEN 0 AND 8 AND {number} = floor({number}) THEN CAST({number} AS INTEGER) END"
    )


LEVEL_COLUMNS = ("Notional_Level_v2_latest", "Notional_Level_v2")
LEVEL = f"coalesce({', '.join(map(_level, LEVEL_COLUMNS))})"

APPRENTICESHIP_COLUMNS = ("app", "FrameworkApp", "StandardApp", "programme_type")
APPRENTICESHIP = (
    "(coalesce(app, false) OR coalesce(FrameworkApp, false) OR coalesce(StandardApp, false) "
    f"OR coalesce({among('programme_type', APPRENTICESHIPS)}, false))"
)

# Of an apprenticeship the programme counts, not a component: aims of these types, or without one (framework aims of
# the first years), or marked as programme aims.
PROGRAMME_AIMS = ("1", "35")
IS_PROGRAMME = f"(AimType IS NULL OR {among('AimType', PROGRAMME_AIMS)} OR coalesce(app, false))"

OTHER_COLUMNS = (
    "AimType",
    "Year",
    "learning_aim_id",
    "start_date",
    "outcome",
    "FL2Width",
    "FL3Width",
    "FullL2",
    "FullL3",
    "AimTitle",
    "QualificationType",
    "Traineeship",
    "Tlevel",
)


def achieved_aims(block: Block) -> str:
    """Return the aims that were achieved, each with its level and whether it is an apprenticeship as a whole."""
    return f"""
        SELECT *, {LEVEL} AS level, {APPRENTICESHIP} AND {IS_PROGRAMME} AS is_apprenticeship
        FROM {rows_of(block, "ilr_aims", (*OTHER_COLUMNS, *LEVEL_COLUMNS, *APPRENTICESHIP_COLUMNS))}
            JOIN {PERSONS} USING (number)
        WHERE {among("outcome", ACHIEVED)}"""
