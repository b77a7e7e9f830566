"""What is wrong with an extract, in counts: keys, duplicates, dates, codes, coverage and links."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal, TypeAlias

import pandas as pd

from leoreturns._checks import counted
from leoreturns.errors import ExtractError
from leoreturns.extract.convert import SQL_TYPES
from leoreturns.extract.database import literal, quoted
from leoreturns.extract.schema import Table
from leoreturns.extract.tables import LINKS, TABLES
from leoreturns.results.flow import MASK, MASKED_BELOW

if TYPE_CHECKING:
    from leoreturns.extract.source import Extract

Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, repr=False)
class Finding:
    """One count of one check.

    Attributes
    ----------
    table, column : str
        Where; the column is empty for checks of whole rows, and names several for checks of a key.
    check : str
        What was counted.
    detail : str
        The year of a count by year, or why a column cannot be read.
    count : int or None
        Rows, or distinct ids in checks of links; None where it could not be counted.
    of : int or None
        Out of how many.
    severity : "error", "warning" or "note"
        error: results would be wrong; warning: look at it; note: a fact.
    """

    table: str
    column: str
    check: str
    detail: str
    count: int | None
    of: int | None
    severity: Severity

    def __repr__(self) -> str:
        return f"<Finding: {self.table}, {self.check}>"


@dataclass(frozen=True, slots=True, repr=False)
class ExtractCheck:
    """What the check of an extract found: counts only.

    Attributes
    ----------
    findings : tuple of Finding
        Table by table.
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that would make results wrong."""
        return not any(finding.severity == "error" for finding in self.findings)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per finding: table, column, check, detail, count, share, severity (unmasked)."""
        frame = pd.DataFrame(
            [
                (entry.table, entry.column, entry.check, entry.detail, entry.count, entry.of, entry.severity)
                for entry in self.findings
            ],
            columns=["table", "column", "check", "detail", "count", "of", "severity"],
        ).astype({"count": "Int64", "of": "Int64"})
        share = frame["count"].astype("float64") / frame["of"].astype("float64")
        frame.insert(5, "share", share)
        return frame.drop(columns="of")

    def _cells(self) -> list[tuple[str, ...]]:
        """Return errors and warnings as they are printed: small counts masked, without reasons, which hold counts."""
        return [
            (
                finding.severity,
                finding.table,
                finding.column,
                " ".join((finding.check, finding.detail if finding.count is not None else "")).strip(),
                _shown(finding.count),
            )
            for severity in ("error", "warning")
            for finding in self.findings
            if finding.severity == severity
        ]

    def __repr__(self) -> str:
        cells = [("severity", "table", "column", "check", "count"), *self._cells()]
        widths = [max(len(row[place]) for row in cells) for place in range(4)]
        lines = ["  ".join([*map(str.ljust, row[:4], widths), row[4]]).rstrip() for row in cells]
        return "\n".join([self._heading(), *(lines if len(cells) > 1 else [])])

    def _repr_html_(self) -> str:
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._cells())
        head = "".join(f"<th>{name}</th>" for name in ("severity", "table", "column", "check", "count"))
        return f"<p>{escape(self._heading())}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _heading(self) -> str:
        severities = [finding.severity for finding in self.findings]
        errors, warnings = severities.count("error"), severities.count("warning")
        return f"Check of an extract: {counted(errors, 'error')}, {counted(warnings, 'warning')}; counts in to_frame()"


def check_tables(extract: Extract) -> ExtractCheck:
    """Check every table of an extract; the work is done by DuckDB, out of core."""
    return ExtractCheck(tuple(finding for name in extract.tables for finding in _TableCheck(extract, name).findings()))


class _TableCheck:
    """The checks of one table."""

    def __init__(self, extract: Extract, name: str) -> None:
        self._extract = extract
        self._table = TABLES[name]
        self._what = f"table {name!r}"
        self._unread = _unread(extract, name)
        self._columns = tuple(column for column in extract.tables[name] if column not in self._unread)
        self._rows = self._count()

    def findings(self) -> Iterator[Finding]:
        """Yield what was found; counts of 0 are left out, but for the rows."""
        if self._rows is not None:
            yield Finding(self._table.name, "", "rows", "", self._rows, None, "note" if self._rows else "warning")
        for column, why in self._unread.items():
            yield Finding(self._table.name, column, "cannot be read", why, None, self._rows, "error")
        for column in self._extract.unknown_columns[self._table.name]:
            yield Finding(self._table.name, column, "unknown column", "", None, self._rows, "note")
        if self._rows and self._columns:
            yield from self._values()
            yield from self._duplicates()
            yield from self._years()
            yield from self._links()

    def _count(self) -> int | None:
        """Return the rows of the table; None where they cannot be counted, mostly for what its columns tell of too."""
        try:
            return self._extract.count(self._table.name)
        except ExtractError as error:
            if not self._unread:
                self._unread[""] = str(error)
            return None

    def _finding(self, column: str, check: str, count: int, severity: Severity, of: int | None = None) -> list[Finding]:
        of = self._rows if of is None else of
        return [Finding(self._table.name, column, check, "", count, of, severity)] if count else []

    def _has(self, *columns: str | None) -> bool:
        return all(column in self._columns for column in columns)

    def _first(self, sql: str) -> list[int]:
        """Return the counts in the one row of a result."""
        row = self._extract.query(sql, self._what).to_pylist()[0]
        return [int(count or 0) for count in row.values()]

    def _source(self, *columns: str) -> str:
        return self._extract.select(self._table.name, columns)

    def _values(self) -> Iterator[Finding]:
        """Check values row by row, all checks in one scan."""
        tests = list(self._tests())
        counts = ", ".join(f"count(*) FILTER (WHERE {test}) AS c{place}" for place, (_, _, _, test) in enumerate(tests))
        for (column, check, severity, _), count in zip(
            tests, self._first(f"SELECT {counts} FROM {self._source(*self._columns)}"), strict=True
        ):
            yield from self._finding(column, check, count, severity)

    def _tests(self) -> Iterator[tuple[str, str, Severity, str]]:
        """Yield (columns, what is counted, severity, SQL condition)."""
        for name in self._columns:
            variable, column = self._table.variable(name), quoted(name)
            yield name, "missing", "warning" if variable.required else "note", f"{column} IS NULL"
            if variable.codes and SQL_TYPES[variable.type] == "VARCHAR":
                codes = ", ".join(map(literal, variable.codes))
                yield name, "unknown code", "warning", f"{column} NOT IN ({codes})"
            if "GBP" in variable.meaning:
                yield name, "negative amount", "warning", f"{column} < 0"
            if variable.type in ("tax_year", "academic_year") and (years := self._table.years) is not None:
                yield name, "year outside coverage", "warning", f"{column} NOT BETWEEN {years[0]} AND {years[1]}"
        if self._table.spell is not None and self._has(*self._table.spell):
            yield from _spell_tests(self._table, *self._table.spell)

    def _duplicates(self) -> Iterator[Finding]:
        columns = ", ".join(map(quoted, self._columns))
        # By a hash of 64 bits: rows of hundreds of columns are not kept apart in memory.
        groups = f"SELECT count(*) AS n FROM {self._source(*self._columns)} GROUP BY hash({columns})"
        yield from self._finding("", "duplicate row", self._first(f"SELECT sum(n - 1) FROM ({groups})")[0], "note")
        key = self._table.key
        if key and self._has(*key):
            names = ", ".join(map(quoted, key))
            known = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in key)
            groups = f"SELECT count(*) AS n FROM {self._source(*key)} WHERE {known} GROUP BY {names}"
            repeated = self._first(f"SELECT sum(n - 1) FROM ({groups})")[0]
            yield from self._finding(", ".join(key), "duplicate key", repeated, "warning")

    def _years(self) -> Iterator[Finding]:
        """Count rows by year, and tell years of the coverage without a row."""
        year, years = self._table.year, self._table.years
        if year is None or years is None or not self._has(year):
            return
        name = quoted(year)
        known = f"FROM {self._source(year)} WHERE {name} IS NOT NULL"
        sql = f"SELECT {name} AS y, count(*) AS n {known} GROUP BY y ORDER BY y"
        by_year = {row["y"]: row["n"] for row in self._extract.query(sql, self._what).to_pylist()}
        for start in sorted({*by_year, *range(years[0], years[1] + 1)}):
            detail, rows = f"{start}-{(start + 1) % 100:02d}", by_year.get(start, 0)
            if rows:
                yield Finding(self._table.name, year, "rows in", detail, rows, self._rows, "note")
            else:
                # A gap between years that are there is a file that was forgotten; other years may not be requested.
                inside = bool(by_year) and min(by_year) < start < max(by_year)
                yield Finding(
                    self._table.name, year, "no rows in", detail, 0, self._rows, "warning" if inside else "note"
                )

    def _links(self) -> Iterator[Finding]:
        """Count ids that lead to several others, and persons whom no lookup knows."""
        person, kind = self._table.person, self._table.person_key
        if self._table.name.startswith("lookup_") and self._has(*self._table.key):
            first, second = self._table.key
            yield from self._several(first, second)
            yield from self._several(second, first)
        if person is None or kind not in LINKS or not self._has(person):
            return
        lookup, column = LINKS[kind]
        if self._extract.has(lookup, column):
            name = quoted(person)
            mine = f"SELECT DISTINCT {name} AS id FROM {self._source(person)} WHERE {name} IS NOT NULL"
            known = f"SELECT DISTINCT {quoted(column)} AS id FROM {self._extract.select(lookup, [column])}"
            unlinked, ids = self._first(
                f"SELECT count(*) FILTER (WHERE k.id IS NULL) AS u, count(*) AS i "
                f"FROM ({mine}) m LEFT JOIN ({known}) k ON m.id = k.id"
            )
            yield from self._finding(person, f"person not in {lookup}", unlinked, "warning", ids)

    def _several(self, one: str, other: str) -> list[Finding]:
        """Count the ids of one kind that lead to several of the other."""
        groups = f"SELECT count(DISTINCT {quoted(other)}) AS n FROM {self._source(one, other)} GROUP BY {quoted(one)}"
        several, ids = self._first(f"SELECT count(*) FILTER (WHERE n > 1) AS s, count(*) AS i FROM ({groups})")
        return self._finding(one, f"id with several {other}", several, "warning", ids)


def _unread(extract: Extract, name: str) -> dict[str, str]:
    """Return the columns of a table that cannot be read, and why."""
    try:
        # All at once, so that a view is read once.
        extract.select(name)
        return {}
    except ExtractError:
        unread = {}
    for column in extract.tables[name]:
        try:
            extract.select(name, [column])
        except ExtractError as error:
            unread[column] = str(error)
    return unread


def _spell_tests(table: Table, start: str, end: str) -> Iterator[tuple[str, str, Severity, str]]:
    """Yield the checks of a spell's days against each other and against the coverage."""
    first, last = quoted(start), quoted(end)
    yield f"{start}, {end}", "end before start", "warning", f"{last} < {first}"
    if table.years is None:
        return
    # Tax years for work and benefits, academic years with the summer before for learning.
    opens, closes = ("04-06", "04-05") if table.person_key == "EDUKEY" else ("08-01", "08-31")
    begins, ends = f"DATE '{table.years[0]}-{opens}'", f"DATE '{table.years[1] + 1}-{closes}'"
    yield start, "starts after coverage", "warning", f"{first} > {ends}"
    yield end, "ends before coverage", "warning", f"{last} < {begins}"
    yield end, "ends after coverage", "note", f"{last} > {ends}"


def _shown(count: int | None) -> str:
    if count is None:
        return "-"
    return MASK if 0 < count < MASKED_BELOW else f"{count:,}"
