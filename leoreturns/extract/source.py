"""Open an extract: a folder of files, frames, or views of a database, as typed relations over DuckDB."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import pyarrow as pa

from leoreturns.errors import ExtractError
from leoreturns.extract.check import ExtractCheck, check_tables
from leoreturns.extract.database import BATCH_ROWS, Database
from leoreturns.extract.lookups import SHAPES, open_lookup
from leoreturns.extract.parts import FILES, FramePart, Part, ViewPart, open_files
from leoreturns.extract.relation import Relation
from leoreturns.extract.schema import Table
from leoreturns.extract.tables import TABLES, Occasion, match_table, occasion_of, table
from leoreturns.results.flow import MASK, MASKED_BELOW

# Subfolder of an extract that holds outside lookups.
LOOKUP_FOLDER = "lookups"
# How names begin of what a writer has not finished, or keeps for itself: `_temporary/part-0.parquet`.
LEFT_OVER = (".", "_")
# Table -> its pieces, with the occasions that their names tell.
_Found = dict[str, list[tuple[Part, Occasion]]]


class Extract:
    """The linked LEO tables of a project, whatever is there of them. An inside object: it holds microdata.

    Made by `open_extract`. Use it as a context manager, or close it: its private database lies in a temporary folder.

    Attributes
    ----------
    tables : mapping of str -> tuple of str
        Canonical name of each table in the extract -> its columns that can be read.
    missing : mapping of str -> tuple of str
        Columns of each known table that are not in the extract; all of them where the table is absent.
    unknown : tuple of str
        Files that are no known table, by name.
    unknown_columns : mapping of str -> tuple of str
        Columns of each table in the extract that are none of its known ones, by name; they are left alone.
    """

    def __init__(
        self,
        relations: Mapping[str, Relation],
        lookups: Mapping[str, Relation],
        database: Database,
        unknown: Sequence[str],
    ) -> None:
        self._relations = dict(relations)
        self._lookups = dict(lookups)
        self._database = database
        self._in_work = threading.RLock()
        self._working_tables: set[str] = set()
        self.unknown = tuple(unknown)
        self.tables: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {name: self._relations[name].names for name in TABLES if name in self._relations}
        )
        self.missing: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {
                name: known.names if name not in self._relations else self._relations[name].missing
                for name, known in TABLES.items()
            }
        )

        self.unknown_columns: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {name: self._relations[name].unknown for name in self.tables}
        )

    @property
    def lookups(self) -> tuple[str, ...]:
        """Names of the outside lookups given."""
        return tuple(self._lookups)

    def has(self, name: str, *columns: str) -> bool:
        """Tell whether the extract has a table with all these columns (canonical names, any case)."""
        have = {column.lower() for column in self.tables.get(table(name).name, ())}
        return name in self.tables and have.issuperset(column.lower() for column in columns)

    def count(self, name: str) -> int:
        """Return the rows of a table; text files are read for it."""
        with self._database.lock:
            return self._relation(name).count()

    def select(self, name: str, columns: Sequence[str] | None = None, where: str | None = None) -> str:
        """Return a subquery over a table or an outside lookup, for use in the statements of this extract.

        Columns have canonical names and types: texts and ids trimmed (VARCHAR; ids that the form declares as whole
        numbers BIGINT), dates DATE, tax and academic years the INTEGER year in which they start, flags BOOLEAN, whole
        numbers BIGINT, other numbers DOUBLE.

        Parameters
        ----------
        name : str
            Canonical name of a table, or the name of an outside lookup.
        columns : sequence of str, optional
            Canonical names in any case; by default all that are in the extract.
        where : str, optional
            SQL condition on these columns.

        Returns
        -------
        str
            In parentheses.

        Raises
        ------
        ExtractError
            If the table or a column is not in the extract; if values are not of their type, with their count.
        """
        relation = self._relation(name)
        with self._database.lock:
            return relation.select(relation.names if columns is None else columns, where)

    def read(
        self, name: str, columns: Sequence[str] | None = None, where: str | None = None, *, rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Stream a table as Arrow batches; see `select` for the arguments and types."""
        return self.batches(f"SELECT * FROM {self.select(name, columns, where)}", name, rows=rows)

    def batches(self, sql: str, what: str, *, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Stream the result of a query; `what` names it in the message of an error."""
        return self._database.batches(sql, what, rows)

    def query(self, sql: str, what: str) -> pa.Table:
        """Return the result of a query as an Arrow table; `what` names it in the message of an error."""
        return self._database.table(sql, what)

    def execute(self, sql: str, what: str) -> None:
        """Run a statement in the private database, such as a setting or a copy to a file."""
        self._database.run(sql, what)

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """Let one thread at a time make working tables, which have one name each; they are dropped at the end."""
        with self._in_work:
            try:
                yield
            finally:
                for name in sorted(self._working_tables):
                    with contextlib.suppress(ExtractError):  # what went wrong before is what is to be told
                        self.drop_table(name)

    def make_table(self, name: str, sql: str, what: str) -> None:
        """Keep the result of a query as a working table, in place of one of that name; `what` as in `query`."""
        self._database.run(f"CREATE OR REPLACE TABLE {name} AS {sql}", what)
        self._working_tables.add(name)

    def drop_table(self, name: str) -> None:
        """Drop a working table."""
        self._working_tables.discard(name)
        self._database.run(f"DROP TABLE {name}", name)

    def stamp(self, columns: Mapping[str, Sequence[str]]) -> dict[str, list[Any]]:
        """Return what tells tables and lookups from those of another extract, as plain values without contents.

        Files are told apart by name, size and time of change, frames and views by a hash of all rows: a view is read
        for it.

        Parameters
        ----------
        columns : mapping of str -> sequence of str
            Table or outside lookup -> its columns that matter.
        """
        with self._database.lock:
            return {name: self._relation(name).stamp(chosen) for name, chosen in columns.items()}

    def check(self) -> ExtractCheck:
        """Return what is wrong with the tables, in counts; see `ExtractCheck`. Every table is read."""
        return check_tables(self)

    def register(self, name: str, table: pa.Table) -> None:
        """Make an Arrow table readable by the statements of this extract, without a copy."""
        self._database.register(name, table, name)

    def unregister(self, name: str) -> None:
        """Forget an Arrow table."""
        self._database.unregister(name)

    def close(self) -> None:
        """Close the private database and remove its files; a closed extract reads nothing."""
        self._database.close()

    def __enter__(self) -> Extract:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _relation(self, name: str) -> Relation:
        if name in self._lookups:
            return self._lookups[name]
        if table(name).name not in self._relations:
            raise ExtractError(f"the extract has no table {name!r}; it has {', '.join(self.tables) or 'none'}")
        return self._relations[name]

    def __repr__(self) -> str:
        width = max(map(len, self._relations), default=0)
        lines = [f"  {name:<{width}}  {_rows(self._relations[name].known_rows)}" for name in self.tables]
        return "\n".join([f"Extract of {len(self.tables):,} tables", *lines])


def open_extract(
    path_or_tables: str | Path | Mapping[str, Any] | Any,
    *,
    views: Mapping[str, str | Sequence[str]] | None = None,
    lookups: Mapping[str, Any] | None = None,
) -> Extract:
    """Open the linked LEO tables of a project: any selection of tables and columns, as files, frames or views.

    Nothing but headers is read. Columns are matched by the names of the public variable request form, in any case, with
    census suffixes (``FSMeligible_spr07``) and names of earlier years.

    Parameters
    ----------
    path_or_tables : path, mapping, or DB-API connection
        A folder of Parquet, CSV or Stata files, one file or one subfolder of parts per table, named after the table
        (``earnings.parquet``, ``leo_earnings/``, ``Spring_Census_2007.csv``); several yearly files of a table are taken
        together. Or a mapping of such names to paths, pandas or polars frames, or Arrow tables. Or an open connection
        to a database, with `views`.
    views : mapping of str -> str or sequence of str
        Table -> its view or yearly views, with schema: ``{"earnings": 'LEO_i2."2002237".leo_earnings'}``. They are read
        in chunks, when first asked for.
    lookups : mapping of str -> frame or path, optional
        Outside lookups: ``travel_to_work`` with columns COA_2011 and area, ``sectors`` with SIC2007 and sector; also
        ``regions``, ``home_areas``, ``school_regions``, ``school_types`` and ``institution_types``. By default those
        in the subfolder ``lookups`` of a folder, if it has one: files of these names.

    Returns
    -------
    Extract

    Raises
    ------
    ExtractError
        If a file cannot be read, has another delimiter, or is none of what its name says; if a table is given twice; if
        a lookup repeats or misses codes.

    Notes
    -----
    Views, Stata files and the working tables of a build are kept in a private database in a folder
    ``leoreturns-...`` for temporary files: that of the environment variable ``TMPDIR`` (``TEMP`` on Windows), else the
    system's. It holds microdata, is readable by its owner alone, and goes when the extract is closed or the process
    ends. A process that is killed (``kill -9``, or for want of memory) leaves it: remove it by hand then.
    """
    unknown: list[str] = []
    if views is not None and not hasattr(path_or_tables, "cursor"):
        raise ExtractError(
            "views= names the views of a connection to a database; files and frames have their own names"
        )
    given = lookups or {}
    if isinstance(path_or_tables, str | Path):
        found = _in_folder(Path(path_or_tables), unknown)
        if lookups is None:
            given = _lookups_in(Path(path_or_tables), unknown)
    elif isinstance(path_or_tables, Mapping):
        found = _in_mapping(path_or_tables)
    elif hasattr(path_or_tables, "cursor"):
        found = _in_database(path_or_tables, views or {})
    else:
        raise ExtractError(
            f"cannot open the type {type(path_or_tables).__name__}; give a folder, a mapping of tables or a connection"
        )
    if not found:
        raise ExtractError("no LEO table found; name files or views after them: " + ", ".join(TABLES))
    database = Database()
    try:
        relations = {name: Relation(TABLES[name], parts, database) for name, parts in found.items()}
        opened = {name: open_lookup(name, table, database) for name, table in given.items()}
    except BaseException:
        database.close()
        raise
    return Extract(relations, opened, database, unknown)


def _in_folder(folder: Path, unknown: list[str]) -> _Found:
    """Return the tables of a folder: its files, its subfolders of parts, and those of folders in between."""
    if not folder.is_dir():
        raise ExtractError(f"{str(folder)!r} is no folder; give the folder that holds the tables' files")
    found: _Found = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(LEFT_OVER) or (entry.is_dir() and entry.name == LOOKUP_FOLDER):
            continue
        known = match_table(entry.stem if entry.is_file() else entry.name)
        if entry.is_dir() and known is None:
            for name, parts in _in_folder(entry, unknown).items():
                _add(found, name, parts)
        elif known is None or not (entry.is_dir() or entry.suffix.lower() in FILES):
            unknown.append(entry.name)
        else:
            _add(found, known.name, _path_parts(entry))
    return found


def _lookups_in(folder: Path, unknown: list[str]) -> dict[str, Path]:
    """Return the outside lookups that lie beside the tables of a folder, by name."""
    entries = sorted((folder / LOOKUP_FOLDER).glob("*"))
    unknown += [entry.name for entry in entries if entry.stem not in SHAPES]
    return {entry.stem: entry for entry in entries if entry.stem in SHAPES}


def _path_parts(path: Path) -> list[tuple[Part, Occasion]]:
    """Return a file, or the files of a folder, as pieces of one table."""
    occasion = occasion_of(path.stem if path.is_file() else path.name)
    if path.is_file():
        return [(part, occasion) for part in open_files([path])]
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in FILES
        and file.is_file()
        and not any(part.startswith(LEFT_OVER) for part in file.relative_to(path).parts)
    )
    if not files:
        raise ExtractError(f"{str(path)!r} does not exist or holds no file ending in {', '.join(FILES)}")
    # Parts of one folder may be yearly files, or unnamed parts of what the folder's name tells.
    groups: dict[Occasion, list[Path]] = {}
    for file in files:
        own = occasion_of(file.stem)
        groups.setdefault(Occasion(own.term or occasion.term, own.year or occasion.year), []).append(file)
    return [(part, when) for when, group in groups.items() for part in open_files(group)]


def _in_mapping(given: Mapping[str, Any]) -> _Found:
    found: _Found = {}
    for name, value in given.items():
        known = _named(name)
        if isinstance(value, str | Path):
            parts = _path_parts(Path(value))
            told = occasion_of(name)
            parts = [(part, Occasion(told.term or own.term, told.year or own.year)) for part, own in parts]
        else:
            parts = [(FramePart(name, value), occasion_of(name))]
        _add(found, known.name, parts)
    return found


def _in_database(connection: Any, views: Mapping[str, str | Sequence[str]]) -> _Found:
    if not views:
        raise ExtractError("a connection needs views=: a mapping of tables to their views with schema")
    found: _Found = {}
    for name, given in views.items():
        known = _named(name)
        for view in [given] if isinstance(given, str) else given:
            _add(found, known.name, [(ViewPart(connection, view), occasion_of(view.split(".")[-1]))])
    return found


def _named(name: Any) -> Table:
    """Return the table that a key of a mapping names."""
    if not isinstance(name, str):
        raise ExtractError(f"tables are named by text, not by the type {type(name).__name__}")
    return match_table(name) or table(name)


def _add(found: _Found, name: str, parts: Iterable[tuple[Part, Occasion]]) -> None:
    """Add the pieces of one file, folder, frame or view to a table; refuse a table, or a year of it, given twice."""
    pieces = list(parts)
    taken = {occasion: part.label for part, occasion in found.get(name, ())}
    for part, occasion in pieces:
        if occasion in taken:
            raise ExtractError(
                f"table {name!r} is given twice, as {taken[occasion]!r} and as {part.label!r}; keep one of them, "
                "or name yearly files after their years"
            )
    found.setdefault(name, []).extend(pieces)


def _rows(rows: int | None) -> str:
    if rows is None:
        return "rows not counted yet"
    return f"{MASK} rows" if 0 < rows < MASKED_BELOW else f"{rows:,} rows"
