"""From columns as they are stored to typed ones: SQL expressions, and the count of values that do not fit.

Nothing is made missing silently. What stands for a missing value is an empty text, the text ``NULL`` (as SQL Server
exports it), NaN, and the texts that a column of numbers declares; anything else that is not of the type counts as not
fitting.
"""

from __future__ import annotations

from dataclasses import dataclass

from leoreturns.errors import ExtractError
from leoreturns.extract.database import literal, quoted
from leoreturns.extract.schema import Variable, VariableType

SQL_TYPES: dict[VariableType, str] = {
    "id": "VARCHAR",
    "int_id": "BIGINT",
    "text": "VARCHAR",
    "int": "BIGINT",
    "number": "DOUBLE",
    "date": "DATE",
    "flag": "BOOLEAN",
    "tax_year": "INTEGER",
    "academic_year": "INTEGER",
}
NOUNS: dict[VariableType, str] = {
    "id": "ids",
    "int_id": "whole-number ids",
    "text": "texts",
    "int": "whole numbers",
    "number": "numbers",
    "date": "dates",
    "flag": "flags (1 and 0, true and false, yes and no)",
    "tax_year": "tax years (200304, 2003/04, 2003-04, or 2003 for the year from April 2003)",
    "academic_year": "academic years (2003/2004, 2003/04, 200304, or 2003 for the year from September 2003)",
}

ISO = "yyyy-mm-dd"
# Format of a date held as text -> (what matches it, how DuckDB parses it).
DATE_FORMATS = {
    ISO: (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d"),
    "dd/mm/yyyy": (r"\d{1,2}/\d{1,2}/\d{4}", "%d/%m/%Y"),
    "mm/dd/yyyy": (r"\d{1,2}/\d{1,2}/\d{4}", "%m/%d/%Y"),
    "yyyymmdd": (r"\d{8}", "%Y%m%d"),
    "ddMMMyyyy": (r"\d{1,2}[A-Za-z]{3}\d{4}", "%d%b%Y"),
}
_TIME = r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d*)?)?$"
# Stored type -> the first whole number that is no longer told apart from the next one, or fits no BIGINT.
_INEXACT = {"FLOAT": 2**24, "DOUBLE": 2**53}
_BEYOND_BIGINT = 2**63
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
_INTEGERS |= {f"U{name}" for name in _INTEGERS}


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a stored column becomes a typed one.

    Attributes
    ----------
    value : str
        SQL expression of the typed value; missing where it does not fit.
    misfit : str or None
        SQL condition: the row holds a value that does not fit; None where every value of the stored type fits.
    """

    value: str
    misfit: str | None = None


def kind_of(stored: str) -> str:
    """Return the kind of a DuckDB type: text, integer, float, boolean, date or null; "" if it is none of them."""
    if stored.startswith(("VARCHAR", "ENUM", "UUID")):
        return "text"
    if stored in _INTEGERS:
        return "integer"
    if stored in ("FLOAT", "DOUBLE") or stored.startswith("DECIMAL"):
        return "float"
    if stored == "DATE" or (stored.startswith("TIMESTAMP") and "TIME ZONE" not in stored):
        return "date"
    return {"BOOLEAN": "boolean", '"NULL"': "null", "NULL": "null"}.get(stored, "")


def convert(variable: Variable, column: str, stored: str, date_format: str | None = None) -> Conversion:
    """Return how a stored column becomes what its variable declares.

    Parameters
    ----------
    variable : Variable
        What the column should hold.
    column : str
        Its name in the source.
    stored : str
        DuckDB's name of its stored type.
    date_format : str, optional
        One of ``DATE_FORMATS``, for dates held as text or whole numbers.

    Raises
    ------
    ExtractError
        If nothing of the variable's type can be held in the stored type.
    """
    kind = kind_of(stored)
    name = quoted(column)
    if kind == "null":
        return Conversion(f"CAST(NULL AS {SQL_TYPES[variable.type]})")
    if kind == "" or (kind == "date" and variable.type not in ("date", "text", "id")):
        raise ExtractError(
            f"column {column!r} is stored as {stored}; it should hold {NOUNS[variable.type]}: convert it first"
        )
    if variable.type in ("id", "text"):
        return _to_text(variable, name, kind, stored)
    if variable.type in ("int", "int_id"):
        return _to_int(variable, name, kind, stored)
    if variable.type == "number":
        return _to_number(variable, name, kind)
    if variable.type == "flag":
        return _to_flag(name, kind)
    if variable.type == "date":
        return _to_date(name, kind, date_format)
    return _to_year(name, kind)


def as_text(name: str) -> str:
    """Return the trimmed text of a column, missing where it is empty or NULL."""
    return f"nullif(nullif(trim(CAST({name} AS VARCHAR)), ''), 'NULL')"


def date_text(name: str) -> str:
    """Return the text of a date without its time of day."""
    return f"regexp_replace({as_text(name)}, {literal(_TIME)}, '')"


def is_date(name: str, date_format: str) -> str:
    """Return the SQL condition that a text is a date of a format."""
    return f"({_parsed(name, date_format)} IS NOT NULL)"


def _parsed(name: str, date_format: str) -> str:
    """Return the date that a text is in a format; missing where it is none."""
    if date_format == ISO:
        # A cast is several times as fast as parsing by a format, and reads a time of day; it alone would also take
        # slashes, infinity, years of fewer digits and years before Christ.
        text = f"trim(CAST({name} AS VARCHAR))"
        dated = f"{text} SIMILAR TO '[0-9]{{4}}-.*' AND {text} NOT LIKE '%(%'"
        return f"TRY_CAST(CASE WHEN {dated} THEN {text} END AS DATE)"
    pattern, parsed = DATE_FORMATS[date_format]
    text = date_text(name)
    matching = f"CASE WHEN regexp_full_match({text}, {literal(pattern)}) THEN {text} END"
    return f"CAST(try_strptime({matching}, {literal(parsed)}) AS DATE)"


def _tried(text: str, value: str) -> Conversion:
    """Return a conversion that misfits where there is a text and no value."""
    return Conversion(value, f"{text} IS NOT NULL AND {value} IS NULL")


def _number_text(name: str) -> str:
    """Return a stored number as text, whole ones without decimals."""
    return rf"regexp_replace(regexp_replace(CAST({name} AS VARCHAR), '(\.\d*?)0+$', '\1'), '\.$', '')"


def _is_whole(name: str, stored: str) -> str:
    """Return the SQL condition that a stored float or decimal is a whole number, told apart from its neighbours."""
    limit = _INEXACT.get(stored, _BEYOND_BIGINT)
    return f"(isfinite(CAST({name} AS DOUBLE)) AND {name} = floor({name}) AND abs({name}) < {limit})"


def _known(name: str) -> str:
    """Return the SQL condition that a stored float is neither missing nor NaN."""
    return f"({name} IS NOT NULL AND NOT isnan(CAST({name} AS DOUBLE)))"


def _to_text(variable: Variable, name: str, kind: str, stored: str) -> Conversion:
    misfit = None
    if kind == "float":
        is_whole, whole = _is_whole(name, stored), f"CAST(CAST({name} AS BIGINT) AS VARCHAR)"
        other = "NULL" if variable.type == "id" else _number_text(name)
        text = f"CASE WHEN NOT {_known(name)} THEN NULL WHEN {is_whole} THEN {whole} ELSE {other} END"
        misfit = f"{_known(name)} AND NOT {is_whole}" if variable.type == "id" else None
    elif kind == "boolean":
        text = f"CAST(CAST({name} AS INTEGER) AS VARCHAR)"
    else:
        text = as_text(name)
    if variable.width:
        text = f"CASE WHEN length({text}) < {variable.width} THEN lpad({text}, {variable.width}, '0') ELSE {text} END"
    return Conversion(text, misfit)


def _to_int(variable: Variable, name: str, kind: str, stored: str) -> Conversion:
    if kind == "boolean":
        return Conversion(f"CAST({name} AS BIGINT)")
    if kind == "integer":
        return _tried(name, f"TRY_CAST({name} AS BIGINT)")
    if kind == "float":
        # CASE, so that the cast is not reached where it fails.
        is_whole = _is_whole(name, stored)
        value = f"CASE WHEN {_known(name)} AND {is_whole} THEN CAST({name} AS BIGINT) END"
        return Conversion(value, f"{_known(name)} AND NOT {is_whole}")
    text = _without(variable, name)
    # The pattern first: a cast alone would round 5.5 and read 0x1F.
    whole = rf"CASE WHEN regexp_full_match({text}, '[+-]?\d+(\.0*)?') THEN regexp_replace({text}, '\.0*$', '') END"
    return _tried(text, f"TRY_CAST({whole} AS BIGINT)")


def _without(variable: Variable, name: str) -> str:
    """Return the text of a column of numbers, missing where it holds a text that stands for a missing number."""
    text = as_text(name)
    for code in variable.codes:
        text = f"nullif({text}, {literal(code)})"
    return text


def _to_number(variable: Variable, name: str, kind: str) -> Conversion:
    if kind in ("integer", "boolean"):
        return Conversion(f"CAST({name} AS DOUBLE)")
    if kind == "float":
        number = f"CAST({name} AS DOUBLE)"
        return Conversion(f"CASE WHEN isfinite({number}) THEN {number} END", f"isinf({number})")
    text = _without(variable, name)
    pattern = literal(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
    value = f"TRY_CAST(CASE WHEN regexp_full_match({text}, {pattern}) THEN {text} END AS DOUBLE)"
    return Conversion(value, f"({text} IS NOT NULL AND {value} IS NULL) OR isinf({value})")


def _to_flag(name: str, kind: str) -> Conversion:
    if kind == "boolean":
        return Conversion(name)
    if kind in ("integer", "float"):
        known = _known(name) if kind == "float" else f"{name} IS NOT NULL"
        return Conversion(
            f"CASE WHEN {name} = 1 THEN true WHEN {name} = 0 THEN false END", f"{known} AND {name} NOT IN (0, 1)"
        )
    text = f"lower({as_text(name)})"
    value = (
        f"CASE WHEN {text} IN ('1', 'true', 't', 'yes', 'y', '1.0') THEN true "
        f"WHEN {text} IN ('0', 'false', 'f', 'no', 'n', '0.0') THEN false END"
    )
    return _tried(as_text(name), value)


def _to_date(name: str, kind: str, date_format: str | None) -> Conversion:
    if kind == "date":
        return _tried(name, f"TRY_CAST({name} AS DATE)")
    if kind in ("boolean", "float") or date_format is None:
        return Conversion("CAST(NULL AS DATE)", f"{as_text(name)} IS NOT NULL")
    return _tried(as_text(name), _parsed(name, date_format))


def _to_year(name: str, kind: str) -> Conversion:
    """Return the conversion of a tax or academic year, in any of its forms, to the year in which it starts."""
    if kind == "boolean":
        return Conversion("CAST(NULL AS INTEGER)", f"{name} IS NOT NULL")
    text = _number_text(name) if kind == "float" else as_text(name)
    if kind == "float":
        text = f"CASE WHEN {_known(name)} THEN {text} END"
    first = f"CAST(left({text}, 4) AS INTEGER)"
    last = f"CAST(right({text}, 2) AS INTEGER)"
    span = literal(r"(19|20)\d{2}[-/_ ]?((19|20)?\d{2})")
    value = (
        rf"CASE WHEN regexp_full_match({text}, '(19|20)\d{{2}}') THEN {first} "
        f"WHEN regexp_full_match({text}, {span}) AND {last} = ({first} + 1) % 100 THEN {first} END"
    )
    return _tried(text, value)
