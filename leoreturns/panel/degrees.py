"""Qualifications obtained in higher education: their level, the class of degrees, the provider and the subjects.

HESA codes levels and classes by digits; extracts hold these, or the words that they stand for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leoreturns._checks import counted
from leoreturns.errors import ExtractError
from leoreturns.extract.tables_further import HESA, SUBJECTS
from leoreturns.panel.rules import among, any_row, read, rows_of

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

FIRST_DEGREE, OTHER_UNDERGRADUATE = "first degree", "other undergraduate"
HIGHER_DEGREE, OTHER_POSTGRADUATE, FURTHER_EDUCATION = "higher degree", "other postgraduate", "further education"
POSTGRADUATE = (HIGHER_DEGREE, OTHER_POSTGRADUATE)
# Label -> its codes; words count that have the label in them, in any case.
LEVELS = {
    HIGHER_DEGREE: ("1", "2"),
    OTHER_POSTGRADUATE: ("3",),
    FIRST_DEGREE: ("4",),
    OTHER_UNDERGRADUATE: ("5",),
    FURTHER_EDUCATION: ("6",),
}
# Label -> its code and the words that it starts with; none for qualifications that have no class.
CLASSES = {
    "First class honours": ("1", "first class"),
    "Upper second class honours": ("2", "upper second"),
    "Lower second class honours": ("3", "lower second"),
    "Third class honours or pass": ("4", "third class"),
    "Unclassified": ("5", "unclassified"),
}
NO_CLASS = {"FE level qualification": ("6", "fe level"), "Classification not applicable": ("a", "classification not")}

# Columns of subject k: those of 2007-08 on, of 2019-20, and of the years before.
JACS, CAH, SBJQA = "HE_XJACS01_{k}", "HE_XCAH03_{k}", "HE_SBJQA{k}"
JACS_3 = 2012  # first academic year of its third version
SHARE = "HE_XFPE01_{k}"
PROVIDERS = ("HE_XINSTID01__ANON", "HE_INSTID_ANON")
COLUMNS = ("HE_ACADYR", "HE_XPQUAL01", "HE_XQLEV601", "HE_XCLASS01", *PROVIDERS)
_CODE = "ltrim(lower(trim({column})), '0')"


def _level(column: str) -> str:
    """Return the level that a code or words name; missing for any other."""
    code = _CODE.format(column=column)
    cases = " ".join(
        f"WHEN {code} IN ({', '.join(map(repr, codes))}) OR contains({code}, '{label}') THEN '{label}'"
        for label, codes in LEVELS.items()
    )
    return f"CASE {cases} END"


def _class(column: str, classes: dict[str, tuple[str, str]]) -> str:
    """Return the class that a code or words name; missing for any other."""
    code = _CODE.format(column=column)
    cases = " ".join(
        f"WHEN {code} = '{digit}' OR starts_with({code}, '{words}') THEN '{label}'"
        for label, (digit, words) in classes.items()
    )
    return f"CASE {cases} END"


LEVEL = _level("HE_XQLEV601")
CLASS = _class("HE_XCLASS01", CLASSES)


def subject_columns() -> tuple[str, ...]:
    """Return the columns of subjects and of their shares that the table knows."""
    names = (each.format(k=k) for each in (JACS, CAH, SBJQA, SHARE) for k in SUBJECTS)
    return tuple(name for name in names if name in HESA)


def subjects() -> str:
    """Return the columns ``codes`` and ``weights`` of a row's subjects: two lists, missing where there is no subject.

    Codes stand after their coding: ``jacs2:``, ``jacs3:``, ``cah:``, ``sbjqa:``; weights are shares of time, or equal.
    """
    jacs = f"CASE WHEN HE_ACADYR >= {JACS_3} THEN 'jacs3:' WHEN HE_ACADYR < {JACS_3} THEN 'jacs2:' ELSE 'jacs:' END"
    codings = {JACS: jacs, CAH: "'cah:'", SBJQA: "'sbjqa:'"}
    codes, weights = [], []
    for k in SUBJECTS:
        known = [f"{coding} || {name}" for each, coding in codings.items() if (name := each.format(k=k)) in HESA]
        codes.append(f"coalesce({', '.join(known)})")
        weights.append(f"greatest(coalesce({SHARE.format(k=k)} / 100, 1 / list_count(codes)), 0)")
    return f"[{', '.join(codes)}] AS codes, [{', '.join(weights)}] AS weights"


def _main_subject() -> str:
    """Return the subject of the largest weight in a row, of equal ones the first."""
    entries = ", ".join(
        f"CASE WHEN codes[{k}] IS NOT NULL THEN "
        f"struct_pack(weight := -weights[{k}], place := {k}, code := codes[{k}]) END"
        for k in SUBJECTS
    )
    return f"list_sort([{entries}], 'ASC', 'NULLS LAST')[1].code"


def qualifications(block: Block) -> str:
    """Return the relation of qualifications obtained in higher education, with the earliest first degree."""
    of_row = {
        "level": LEVEL,
        "class": CLASS,
        "year": "HE_ACADYR",
        "university": f"coalesce({', '.join(PROVIDERS)})",
    }
    columns = ", ".join(f"{value} AS {name}" for name, value in of_row.items())
    order = ", ".join(f"{name} NULLS LAST" for name in ("year", "class_place", "university", "subject"))

    def of_degree(column: str) -> str:
        # Not the first value that is not missing: all are of one row.
        return f"first({column} ORDER BY {order}) FILTER (WHERE level = '{FIRST_DEGREE}')"

    def any_level(*levels: str) -> str:
        return any_row(among("level", levels))

    place = " ".join(f"WHEN '{label}' THEN {place}" for place, label in enumerate(CLASSES))
    return f"""
        SELECT number, {any_level(*POSTGRADUATE)} AS postgraduate, {any_level(FIRST_DEGREE)} AS degree,
            {any_level(OTHER_UNDERGRADUATE)} AS undergraduate, {any_row("level IS NULL")} AS unknown,
            {of_degree("class")} AS class, {of_degree("year")} + 1 AS year,
            {of_degree("university")} AS university, {of_degree("subject")} AS subject
        FROM (
            SELECT *, CASE class {place} END AS class_place, {_main_subject()} AS subject
            FROM (
                SELECT number, {columns}, {subjects()}
                FROM {rows_of(block, "hesa", (*COLUMNS, *subject_columns()))} WHERE HE_XPQUAL01
            )
        ) GROUP BY number"""


def check_codes(block: Block) -> None:
    """Refuse levels or classes of which not one is known: everybody would pass for somebody without a degree.

    Raises
    ------
    ExtractError
        With the number of values.
    """
    known = {"HE_XQLEV601": LEVEL, "HE_XCLASS01": _class("HE_XCLASS01", CLASSES | NO_CLASS)}
    counts = ", ".join(f"count({column}), count({value})" for column, value in known.items())
    found = read(block, f"SELECT {counts} FROM {rows_of(block, 'hesa', COLUMNS)} WHERE HE_XPQUAL01", "table 'hesa'")
    numbers = [column[0].as_py() for column in found.columns]
    for column, n, n_known in zip(known, numbers[::2], numbers[1::2], strict=True):
        if n and not n_known:
            raise ExtractError(
                f"table 'hesa': none of the {counted(n, 'value')} of column {column!r} is a code or word of "
                "HESA's: decode the column as the variable request form names it"
            )
