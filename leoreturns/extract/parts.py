"""The pieces of which a table is read: Parquet, CSV and Stata files, frames, and views of a database.

A piece knows its column names when the extract is opened. Its rows are read when they are asked for: Parquet and CSV in
place, the others once into the private database.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leoreturns._checks import counted
from leoreturns.errors import ExtractError, silenced
from leoreturns.extract.arrow import arrow_column, text_table
from leoreturns.extract.database import Database, file, literal, quoted

PARQUET, CSV, STATA = (".parquet", ".pq"), (".csv", ".tsv"), (".dta",)
FILES = (*PARQUET, *CSV, *STATA)
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
# Kind of file -> what one is that its reader refuses.
FAULTS = {
    "Parquet": "cannot be read: it is damaged, incomplete or no Parquet file",
    "Stata": "cannot be read: it is damaged, incomplete or no Stata file",
    "CSV": "is not UTF-8 text; save it as such",
}
CHUNK_ROWS = 1 << 16


class Part(Protocol):
    """One piece of a table.

    Attributes
    ----------
    label : str
        What it is called in a message: the name of a file, frame or view.
    names : tuple of str
        Its columns as they are called.
    n_row : int or None
        Its rows; None where they must be read to be counted.
    unparsed : bool
        Whether its rows may turn out not to be rows when they are read.
    files : tuple of Path
        The files in which it lies; none for a frame or a view.
    """

    label: str
    names: tuple[str, ...]
    n_row: int | None
    unparsed: bool
    files: tuple[Path, ...]

    def source(self, database: Database, columns: Sequence[str]) -> str:
        """Return something to select at least these columns from."""

    def diagnose(self, database: Database) -> ExtractError | None:
        """Return what is wrong with a piece that cannot be read, where that can be told."""


class ParquetPart:
    """Parquet files with the same columns and types."""

    unparsed = False

    def __init__(self, paths: Sequence[Path]) -> None:
        schemas, rows = zip(*map(_footer, paths), strict=True)
        self.label = paths[0].name if len(paths) == 1 else f"{paths[0].parent.name}/*{paths[0].suffix}"
        self.names = tuple(schemas[0].names)
        self.n_row: int | None = sum(rows)
        self.files = tuple(paths)

    def source(self, database: Database, columns: Sequence[str]) -> str:
        """Return the reader of the files."""
        return f"read_parquet([{', '.join(map(file, self.files))}], hive_partitioning = false)"

    def diagnose(self, database: Database) -> ExtractError | None:
        """Return which file is damaged."""
        for path in self.files:
            if not path.is_file():
                return gone(path)
            try:
                database.rows(
                    f"SELECT count(COLUMNS(*)) FROM read_parquet({file(path)}, hive_partitioning = false)",
                    repr(path.name),
                )
            except ExtractError:
                return ExtractError(f"{path.name!r} cannot be read: it is damaged or incomplete")
        return None


class CsvPart:
    """A text file with a header and commas (.csv) or tabs (.tsv), in UTF-8; every column is read as text."""

    unparsed = True

    def __init__(self, path: Path) -> None:
        self.label = path.name
        self.n_row: int | None = None
        self.files: tuple[Path, ...] = (path,)
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        with (
            silenced((OSError, UnicodeError, csv.Error), lambda error: _unread(path, error, "CSV")),
            path.open(encoding="utf-8-sig", newline="") as opened,
        ):
            header = next(csv.reader(opened, delimiter=self._delimiter), [])
        if not header:
            raise ExtractError(f"{path.name!r} is empty; the first row must name the columns")
        # A single column of a file with another delimiter is its whole header.
        other = next((sign for sign in DELIMITERS if sign != self._delimiter and sign in header[0]), None)
        if len(header) == 1 and other is not None:
            raise ExtractError(
                f"{path.name!r} reads as one column: its columns are separated by {DELIMITERS[other]}, not "
                f"{DELIMITERS[self._delimiter]}; save it with {DELIMITERS[self._delimiter]}"
            )
        self.names = tuple(name.strip() or f"column{place}" for place, name in enumerate(header, start=1))

    def source(self, database: Database, columns: Sequence[str]) -> str:
        """Return the reader of the file."""
        return self._reader("")

    def diagnose(self, database: Database) -> ExtractError | None:
        """Return how many rows do not have the columns of the header."""
        if not self.files[0].is_file():
            return gone(self.files[0])
        database.run("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans", self.label)
        reader = self._reader(", store_rejects = true")
        database.run(f"CREATE OR REPLACE TEMP TABLE unread AS SELECT count(*) FROM {reader}", repr(self.label))
        broken = database.rows("SELECT count(DISTINCT line) FROM reject_errors", repr(self.label))[0][0]
        if not broken:
            return None
        return ExtractError(
            f"{self.label!r} has {counted(broken, 'row')} that cannot be read: another number of columns than the "
            f"{len(self.names):,} of its header, broken quotes, or text that is not UTF-8"
        )

    def _reader(self, options: str) -> str:
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.names)
        return (
            f"read_csv({file(self.files[0])}, hive_partitioning = false, auto_detect = false, header = true, "
            f"delim = {literal(self._delimiter)}, quote = '\"', escape = '\"', columns = {{{columns}}}{options})"
        )


class FramePart:
    """A pandas or polars frame, or an Arrow table; nothing but the columns asked for is turned into Arrow."""

    unparsed = False
    files: tuple[Path, ...] = ()

    def __init__(self, label: str, frame: Any) -> None:
        self.label = label
        if isinstance(frame, pd.DataFrame):
            indexed = [name for name in frame.index.names if name is not None]
            if any(name in frame.columns for name in indexed):
                raise ExtractError(f"table {label!r} has an index and a column of one name; drop or rename one of them")
            self._frame: Any = frame.reset_index() if indexed else frame
            names = list(self._frame.columns)
            self.n_row: int | None = len(self._frame)
        elif hasattr(frame, "__arrow_c_stream__"):
            self._frame = frame if isinstance(frame, pa.Table) else pa.table(frame)
            names = self._frame.column_names
            self.n_row = self._frame.num_rows
        else:
            raise ExtractError(
                f"table {label!r} is a {type(frame).__name__}; give a path, a pandas or polars frame, or an Arrow table"
            )
        if not all(isinstance(name, str) for name in names):
            raise ExtractError(f"table {label!r} has columns whose names are not text; rename them")
        self.names = tuple(names)
        self._arrow: dict[str, Any] = {}
        self._registered: dict[tuple[str, ...], str] = {}

    def source(self, database: Database, columns: Sequence[str]) -> str:
        """Return the name under which the columns are registered."""
        wanted = tuple(columns)
        if wanted not in self._registered:
            for name in wanted:
                if name not in self._arrow:
                    self._arrow[name] = arrow_column(self.label, name, self._frame[name])
            table = database.new_name()
            database.register(table, pa.table({name: self._arrow[name] for name in wanted}), repr(self.label))
            self._registered[wanted] = table
        return self._registered[wanted]

    def diagnose(self, database: Database) -> ExtractError | None:
        """Return nothing: a frame in memory can be read."""
        return None


class StagedPart:
    """A piece that comes in chunks, and is copied into the private database when it is first asked for."""

    unparsed = False

    def __init__(self, label: str, names: Sequence[str], files: tuple[Path, ...] = ()) -> None:
        self.label = label
        self.files = files
        self.names = tuple(names)
        self.n_row: int | None = None
        self._staged = ""
        self._columns: tuple[str, ...] = ()

    def source(self, database: Database, columns: Sequence[str]) -> str:
        """Return the staged table; read the piece again where it has been staged without one of the columns."""
        if not set(columns) <= set(self._columns) or not self._staged:
            self._stage(database, tuple(dict.fromkeys((*self._columns, *columns))))
        return self._staged

    def diagnose(self, database: Database) -> ExtractError | None:
        """Return nothing: what could not be read has been told while it was staged."""
        return None

    def _chunks(self, columns: tuple[str, ...]) -> Generator[pa.Table, None, None]:
        raise NotImplementedError

    def _stage(self, database: Database, columns: tuple[str, ...]) -> None:
        table, what = database.new_name(), repr(self.label)
        try:
            rows = self._copy(database, table, columns, what)
        except BaseException:
            with suppress(ExtractError):
                database.run(f"DROP TABLE IF EXISTS {table}", what)
            raise
        if self._staged:
            database.run(f"DROP TABLE {self._staged}", what)
        self._staged, self._columns, self.n_row = table, columns, rows

    def _copy(self, database: Database, table: str, columns: tuple[str, ...], what: str) -> int:
        """Copy the chunks into a new table; return their rows."""
        rows, chunk_name, names = 0, database.new_name(), ", ".join(map(quoted, columns))
        with closing(self._chunks(columns)) as chunks:
            for chunk in chunks:
                database.register(chunk_name, chunk, what)
                try:
                    begin = f"INSERT INTO {table}" if rows else f"CREATE OR REPLACE TABLE {table} AS"
                    database.run(f"{begin} SELECT {names} FROM {chunk_name}", what)
                finally:
                    database.unregister(chunk_name)
                rows += chunk.num_rows
        return rows


class StataPart(StagedPart):
    """A Stata file."""

    def __init__(self, path: Path) -> None:
        # A damaged header fails in many ways, and pandas may quote it.
        with (
            silenced(Exception, lambda error: _unread(path, error, "Stata")),
            pd.io.stata.StataReader(path) as reader,
        ):
            names = list(reader.variable_labels())
        super().__init__(path.name, names, (path,))

    def _chunks(self, columns: tuple[str, ...]) -> Generator[pa.Table, None, None]:
        read = 0
        for frame in self._frames(columns):
            read += len(frame)
            yield pa.table({name: arrow_column(self.label, name, frame[name]) for name in columns})
        if not read:
            yield pa.table({name: pa.array([], pa.string()) for name in columns})

    def _frames(self, columns: tuple[str, ...]) -> Iterator[pd.DataFrame]:
        with (
            silenced(Exception, lambda error: _unread(self.files[0], error, "Stata")),
            pd.read_stata(
                self.files[0], columns=list(columns), convert_categoricals=False, chunksize=CHUNK_ROWS
            ) as reader,
        ):
            yield from reader


class ViewPart(StagedPart):
    """A table or view behind a DB-API connection, read in chunks as text."""

    def __init__(self, connection: Any, view: str) -> None:
        self._connection = connection
        self._view = ".".join(map(quoted, identifiers(view)))

        def unread(error: Exception) -> ExtractError:
            # Each driver has its own classes; their texts may quote rows.
            return ExtractError(
                f"view {view!r} cannot be read ({type(error).__name__}); check its schema and name, and your access"
            )

        with silenced(Exception, unread), closing(connection.cursor()) as cursor:
            cursor.execute(f"SELECT * FROM {self._view} WHERE 1 = 0")
            names = [str(column[0]) for column in cursor.description]
        super().__init__(view, names)

    def _chunks(self, columns: tuple[str, ...]) -> Generator[pa.Table, None, None]:
        read = 0
        for rows in self._rows(columns):
            yield text_table(self.label, columns, rows)
            read += len(rows)
        if not read:
            yield text_table(self.label, columns, [])

    def _rows(self, columns: tuple[str, ...]) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield chunks of rows as the driver gives them."""
        read = 0

        def broke_off(error: Exception) -> ExtractError:
            return ExtractError(
                f"view {self.label!r} broke off after {counted(read, 'row')} ({type(error).__name__}); try again"
            )

        with silenced(Exception, broke_off), closing(self._connection.cursor()) as cursor:
            cursor.execute(f"SELECT {', '.join(map(quoted, columns))} FROM {self._view}")
            while rows := cursor.fetchmany(CHUNK_ROWS):
                yield rows
                read += len(rows)


def open_files(paths: Sequence[Path]) -> list[Part]:
    """Return files as pieces, by the endings of their names; Parquet files of one schema are one piece."""
    pieces: list[Part] = []
    alike: dict[str, list[Path]] = {}
    for path in map(Path.absolute, paths):  # rows are read later, perhaps from another working folder
        suffix = path.suffix.lower()
        if suffix in PARQUET:
            alike.setdefault(_footer(path)[0].to_string(show_schema_metadata=False), []).append(path)
        elif suffix in CSV:
            pieces.append(CsvPart(path))
        elif suffix in STATA:
            pieces.append(StataPart(path))
        else:
            raise ExtractError(f"{path.name!r} is not a file that can be read; give one ending in {', '.join(FILES)}")
    return [*map(ParquetPart, alike.values()), *pieces]


def gone(path: Path) -> ExtractError:
    """Return the error of a file that has vanished."""
    return ExtractError(
        f"{path.name!r} is no longer where it was when the extract was opened; put it back, or open anew"
    )


def _unread(path: Path, error: Exception, kind: str) -> ExtractError:
    """Return the error of a file that the system does not open, or that is not what its name says."""
    if isinstance(error, OSError) and error.errno:
        return ExtractError(f"{path.name!r} cannot be opened: {os.strerror(error.errno)}")
    return ExtractError(f"{path.name!r} {FAULTS[kind]}")


def _footer(path: Path) -> tuple[pa.Schema, int]:
    with (
        silenced((pa.ArrowException, OSError), lambda error: _unread(path, error, "Parquet")),
        pq.ParquetFile(path) as opened,
    ):
        return opened.schema_arrow, opened.metadata.num_rows


def identifiers(view: str) -> list[str]:
    """Return the parts of a name such as ``[NPD].[2002237].[Spring_Census_2011]`` or ``LEO_i2."2002237".earnings``."""
    parts = [""]
    closing = ""
    for sign in view:
        if closing:
            closing = "" if sign == closing else closing
            parts[-1] += "" if not closing else sign
        elif sign in '["':
            closing = "]" if sign == "[" else '"'
        elif sign == ".":
            parts.append("")
        else:
            parts[-1] += sign
    if closing or not all(part.strip() for part in parts):
        raise ExtractError(f"view {view!r} is no name; write it like schema.view or [database].[schema].[view]")
    return [part.strip() for part in parts]
