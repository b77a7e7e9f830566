"""One table as a typed relation over all its pieces: canonical names, checked conversions, years from names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leoreturns._checks import counted
from leoreturns.errors import ExtractError, silenced
from leoreturns.extract import convert
from leoreturns.extract.database import Database, literal, quoted
from leoreturns.extract.parts import Part, gone
from leoreturns.extract.schema import Table, Variable
from leoreturns.extract.tables import TERM_NAMES, Occasion, Resolved, resolve_columns

# Formats of dates in the order in which they are tried where several fit every value.
_DAY_FIRST = ("yyyy-mm-dd", "dd/mm/yyyy", "mm/dd/yyyy", "yyyymmdd", "ddMMMyyyy")
_MONTH_FIRST = ("yyyy-mm-dd", "mm/dd/yyyy", "dd/mm/yyyy", "yyyymmdd", "ddMMMyyyy")


@dataclass(slots=True)
class Piece:
    """A part of a table, with what its name tells of when it was collected and what its columns are."""

    part: Part
    occasion: Occasion
    resolved: Resolved
    conversions: dict[str, convert.Conversion] = field(default_factory=dict)


class Relation:
    """A table of the extract, readable under canonical names and types."""

    def __init__(self, table: Table, parts: Iterable[tuple[Part, Occasion]], database: Database) -> None:
        self.table = table
        self._database = database
        self._pieces = [Piece(part, occasion, _resolved(table, part)) for part, occasion in parts]
        self._n_row: int | None = None
        found = {name for piece in self._pieces for name in piece.resolved.names}
        found |= {
            name for piece in self._pieces for occasion in _occasions(piece) for name in self._told(piece, occasion)
        }
        self.names = tuple(name for name in table.names if name in found)
        self.missing = tuple(name for name in table.names if name not in found)
        self.unknown = tuple(dict.fromkeys(name for piece in self._pieces for name in piece.resolved.unknown))

    def __repr__(self) -> str:
        return f"<Relation {self.table.name}: {len(self.names):,} columns>"

    @property
    def known_rows(self) -> int | None:
        """Rows where they are known without reading; None where they are not."""
        if self._n_row is None and all(
            piece.part.n_row is not None and len(_occasions(piece)) == 1 for piece in self._pieces
        ):
            self._n_row = sum(piece.part.n_row or 0 for piece in self._pieces)
        return self._n_row

    def count(self) -> int:
        """Return the number of rows; text files are read for it."""
        if self.known_rows is None:
            self._n_row = int(self._database.rows(f"SELECT count(*) FROM {self.select(())}", self._what)[0][0])
        return self._n_row or 0

    def select(self, columns: Sequence[str], where: str | None = None) -> str:
        """Return a subquery over the named columns, in parentheses.

        The columns' values have been checked when it returns: each is of its type or missing.

        Parameters
        ----------
        columns : sequence of str
            Canonical names in any case.
        where : str, optional
            SQL condition on these columns.

        Raises
        ------
        ExtractError
            If a column is not in the extract, or holds values that are not of its type: with their count.
        """
        variables = [self._variable(name) for name in columns]
        selects = [self._select(piece, occasion, variables) for piece in self._pieces for occasion in _occasions(piece)]
        union = " UNION ALL ".join(selects)
        return f"({union})" if where is None else f"(SELECT * FROM ({union}) WHERE {where})"

    def stamp(self, columns: Sequence[str]) -> list[Any]:
        """Return what tells these columns from others, as plain values: of files name, size and times, else a hash."""
        if all(piece.part.files for piece in self._pieces):
            # The year may be told by the name of a folder, which is not in that of the file.
            told = [[*_stamp(path), *piece.occasion] for piece in self._pieces for path in piece.part.files]
            return [list(columns), sorted(told, key=str)]
        # The sum of hashes is the same for any order of the rows.
        hashed = f"hash({', '.join(map(quoted, columns)) or 0})"
        sql = f"SELECT count(*), CAST(sum(CAST({hashed} AS HUGEINT)) AS VARCHAR) FROM {self.select(columns)}"
        return [list(columns), *self._database.rows(sql, self._what)[0]]

    @property
    def _what(self) -> str:
        return f"table {self.table.name!r}"

    def _variable(self, name: str) -> Variable:
        if name not in self.table:
            raise ExtractError(f"{self._what} knows no column {name!r}; known: {', '.join(self.table.names)}")
        variable = self.table.variable(name)
        if variable.name not in self.names:
            raise ExtractError(
                f"{self._what} has no column {variable.name!r} in this extract; request it, or do without"
            )
        return variable

    def _told(self, piece: Piece, occasion: Occasion) -> dict[str, str]:
        """Return the SQL literals of the year and term as far as names tell them.

        A suffix of the columns beats a column of years, which beats the name of a file: files are named more freely.
        """
        told: dict[str, str] = {}
        have = {**piece.resolved.columns.get(Occasion(), {}), **piece.resolved.columns.get(occasion, {})}
        year, term = self.table.year, self.table.term
        if year is not None:
            if occasion.year is not None:
                told[year] = str(occasion.year)
            elif year not in have and piece.occasion.year is not None:
                told[year] = str(piece.occasion.year)
        if term is not None and (key := occasion.term or piece.occasion.term) is not None:
            told[term] = literal(TERM_NAMES[key])
        return told

    def _select(self, piece: Piece, occasion: Occasion, variables: Sequence[Variable]) -> str:
        """Return the query of one piece on one occasion."""
        actual = {**piece.resolved.columns.get(Occasion(), {}), **piece.resolved.columns.get(occasion, {})}
        told = self._told(piece, occasion)
        read = {
            variable.name: actual[variable.name]
            for variable in variables
            if variable.name in actual and variable.name not in told
        }
        self._check(piece, variables, read)
        values = []
        for variable in variables:
            if variable.name in told:
                value = f"CAST({told[variable.name]} AS {convert.SQL_TYPES[variable.type]})"
            elif variable.name in read:
                value = piece.conversions[read[variable.name]].value
            elif variable.name == self.table.year:
                raise ExtractError(
                    f"{piece.part.label!r} of {self._what} does not tell its year; name it {self.table.name}_2013_14"
                )
            else:
                value = f"CAST(NULL AS {convert.SQL_TYPES[variable.type]})"
            values.append(f"{value} AS {quoted(variable.name)}")
        several = len(_occasions(piece)) > 1
        own = list(piece.resolved.columns[occasion].values()) if several else []
        source = self._source(piece, [*read.values(), *own])
        # Where one row holds several censuses, a pupil has no record in those whose columns are all missing.
        seen = (
            f" WHERE coalesce({', '.join(f'CAST({quoted(name)} AS VARCHAR)' for name in own)}) IS NOT NULL"
            if own
            else ""
        )
        return f"SELECT {', '.join(values) or '1'} FROM {source}{seen}"

    def _source(self, piece: Piece, names: Sequence[str]) -> str:
        """Return what to select from; of a piece that is copied, at least its first column, so that it has rows."""
        return piece.part.source(self._database, tuple(dict.fromkeys(names)) or piece.part.names[:1])

    def _check(self, piece: Piece, variables: Sequence[Variable], read: dict[str, str]) -> None:
        """Choose the conversions of columns that have none yet, and refuse values that do not fit."""
        new = [
            (variable, read[variable.name])
            for variable in variables
            if variable.name in read and read[variable.name] not in piece.conversions
        ]
        if not new:
            return
        what = f"{piece.part.label!r} of {self._what}"
        source = self._source(piece, list(read.values()))
        types = {str(row[0]): str(row[1]) for row in self._scan(piece, f"DESCRIBE SELECT * FROM {source}", what)}
        formats = self._date_formats(piece, source, new, types, what)
        chosen = {name: convert.convert(variable, name, types[name], formats.get(name)) for variable, name in new}
        self._check_misfits(piece, source, new, chosen, what)
        piece.conversions.update(chosen)

    def _scan(self, piece: Piece, sql: str, what: str) -> list[tuple[Any, ...]]:
        """Run a query over a piece; where it cannot be read, say what is wrong with it as far as that can be told."""

        def diagnosed(error: ExtractError) -> ExtractError:
            return piece.part.diagnose(self._database) or error

        with silenced(ExtractError, diagnosed):
            return self._database.rows(sql, what)

    def _check_misfits(
        self,
        piece: Piece,
        source: str,
        new: Sequence[tuple[Variable, str]],
        chosen: Mapping[str, convert.Conversion],
        what: str,
    ) -> None:
        """Count the values that are not of their type, all columns in one scan."""
        misfits = {name: chosen[name].misfit for _, name in new}
        if piece.part.unparsed:
            # A column that fits anyhow is touched all the same, so that a row which cannot be parsed is told of here.
            misfits = {name: misfit or f"length({quoted(name)}) < 0" for name, misfit in misfits.items()}
        tested = [(variable, name) for variable, name in new if misfits[name] is not None]
        if not tested:
            return
        filters = ", ".join(f"count(*) FILTER (WHERE {misfits[name]})" for _, name in tested)
        counts = self._scan(piece, f"SELECT {filters} FROM {source}", what)[0]
        problems = [
            f"column {name!r} has {counted(count, 'value')} that cannot be read as {convert.NOUNS[variable.type]}"
            for (variable, name), count in zip(tested, counts, strict=True)
            if count
        ]
        if problems:
            raise ExtractError(f"{what}: {'; '.join(problems)}; correct them, or make them missing")

    def _date_formats(
        self,
        piece: Piece,
        source: str,
        new: Sequence[tuple[Variable, str]],
        types: Mapping[str, str],
        what: str,
    ) -> dict[str, str]:
        """Return the one format that fits every date of a column held as text or whole numbers."""
        dates = [
            (variable, name)
            for variable, name in new
            if variable.type == "date" and convert.kind_of(types[name]) in ("text", "integer")
        ]
        formats: dict[str, str] = {}
        # The usual format alone first: the tests of the others are slow.
        for tried in ((convert.ISO,), tuple(convert.DATE_FORMATS)):
            left = [(variable, name) for variable, name in dates if name not in formats]
            for variable, name, total, fitting in self._count_formats(piece, source, left, tried, what):
                order = _MONTH_FIRST if variable.month_first else _DAY_FIRST
                chosen = next((date_format for date_format in order if fitting.get(date_format) == total), None)
                if chosen is not None:
                    formats[name] = chosen
                elif len(tried) > 1:
                    raise ExtractError(f"{what}: {_mixed(name, total, fitting)}; write every date as {convert.ISO}")
        return formats

    def _count_formats(
        self,
        piece: Piece,
        source: str,
        dates: Sequence[tuple[Variable, str]],
        tried: Sequence[str],
        what: str,
    ) -> list[tuple[Variable, str, int, dict[str, int]]]:
        """Return per column of dates how many there are and how many fit each format, all in one scan."""
        if not dates:
            return []
        tests = [
            test
            for _, name in dates
            for test in (
                f"{convert.as_text(quoted(name))} IS NOT NULL",
                *(convert.is_date(quoted(name), date_format) for date_format in tried),
            )
        ]
        filters = ", ".join(f"count(*) FILTER (WHERE {test})" for test in tests)
        counts = iter(self._scan(piece, f"SELECT {filters} FROM {source}", what)[0])
        return [
            (variable, name, next(counts), {date_format: next(counts) for date_format in tried})
            for variable, name in dates
        ]


def _stamp(path: Path) -> list[Any]:
    """Return the name, size and time of change of a file."""
    with silenced(OSError, lambda _: gone(path)):
        at = path.stat()
    return [path.name, at.st_size, at.st_mtime_ns]


def _mixed(name: str, total: int, by_format: dict[str, int]) -> str:
    """Return what is wrong with a column of dates: its formats with their counts."""
    shown = [f"{count:,} as {date_format}" for date_format, count in by_format.items() if count]
    if not shown:
        return f"column {name!r} has {counted(total, 'value')} that should be dates, none of them readable"
    return f"column {name!r} mixes formats over its {counted(total, 'date')}: {', '.join(shown)}"


def _occasions(piece: Piece) -> list[Occasion]:
    """Return the occasions of a piece in order; `Occasion()` alone where no column is suffixed."""
    suffixed = [occasion for occasion in piece.resolved.columns if occasion != Occasion()]
    return sorted(suffixed, key=lambda occasion: (occasion.year or 0, occasion.term or "")) or [Occasion()]


def _resolved(table: Table, part: Part) -> Resolved:
    resolved = resolve_columns(table, part.names)
    if not resolved.names:
        raise ExtractError(
            f"{part.label!r} has none of the columns of table {table.name!r}: its first row may not be a header, "
            "or its columns may be separated by another sign"
        )
    return resolved
