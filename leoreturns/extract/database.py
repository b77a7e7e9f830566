"""The embedded DuckDB database of an extract: private, out of core, and silent about values.

DuckDB's own error texts quote ids, dates and amounts. Every statement goes through here, where an error is replaced by
one that names tables and files only.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from leoreturns._parallel import thread_count
from leoreturns.errors import ExtractError, silenced

BATCH_ROWS = 1 << 17

# Reading a result through Arrow raises its errors and the operating system's, with DuckDB's text inside.
_FAILURES = (duckdb.Error, pa.ArrowException, OSError, RuntimeError)
_FULL = ("no space left", "disk full", "max_temp_directory_size", "enough space")
_UNWRITTEN = ("could not write", "write failed", "cannot create", "failed to create")


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def file(path: Path) -> str:
    """Return the path of a file to read as an SQL literal; DuckDB would read ``[``, ``*`` and ``?`` as patterns."""
    return literal(re.sub(r"([\[*?])", r"[\1]", str(path)))


class Database:
    """A DuckDB database in a private temporary folder, which is removed when it is closed.

    Statements run one at a time on the connection; results are streamed from cursors of their own, so that a result
    which is not read to its end blocks nothing.

    Attributes
    ----------
    lock : threading.RLock
        Held by every statement on the connection; to be held by what takes several of them.
    """

    def __init__(self) -> None:
        config: dict[str, Any] = {
            "threads": thread_count(),  # may be refused: before there is a folder to remove
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        with at_work("temporary files"):
            self._folder = Path(tempfile.mkdtemp(prefix="leoreturns-"))
            try:
                spill = {"temp_directory": str(self._folder / "spill")}
                self._connection = duckdb.connect(str(self._folder / "extract.duckdb"), config=config | spill)
                self._connection.execute("SET enable_progress_bar = false")
            except BaseException:
                shutil.rmtree(self._folder, ignore_errors=True)
                raise
        self._closed = weakref.finalize(self, _remove, self._connection, self._folder)
        self.lock = threading.RLock()
        self._n_stage = 0
        self._registered: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<Database: {'open' if self._closed.alive else 'closed'}>"

    def close(self) -> None:
        """Close the database and remove its files."""
        self._closed()

    def new_name(self) -> str:
        """Return a name for a staged table that is not in use."""
        self._n_stage += 1
        return f"stage_{self._n_stage}"

    def register(self, name: str, table: Any, what: str) -> None:
        """Make an Arrow table readable under a name, without a copy; `what` names it in the message of an error."""
        with self.lock, at_work(what):
            self._open().register(name, table)
            self._registered[name] = table

    def unregister(self, name: str) -> None:
        """Forget an Arrow table."""
        with self.lock:
            self._open().unregister(name)
            del self._registered[name]

    def run(self, sql: str, what: str) -> None:
        """Run a statement; `what` names the tables at work, for the message of an error."""
        with self.lock, at_work(what):
            self._open().execute(sql)

    def rows(self, sql: str, what: str) -> list[tuple[Any, ...]]:
        """Return the rows of a small result."""
        with self.lock, at_work(what):
            return list(self._open().execute(sql).fetchall())

    def batches(self, sql: str, what: str, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Stream the result of a query as Arrow batches of at most that many rows, in DuckDB's order."""
        with closing(self._cursor()) as cursor, at_work(what):
            yield from _reader(cursor.sql(sql), rows)

    def table(self, sql: str, what: str) -> pa.Table:
        """Return the result of a query as an Arrow table."""
        with closing(self._cursor()) as cursor, at_work(what):
            return _reader(cursor.sql(sql), BATCH_ROWS).read_all()

    def _cursor(self) -> Any:
        """Return a connection of its own to the same database; what is registered belongs to one connection."""
        with self.lock:
            cursor = self._open().cursor()
            for name, table in self._registered.items():
                cursor.register(name, table)
            return cursor

    def _open(self) -> Any:
        if not self._closed.alive:
            raise ExtractError("the extract is closed; open it again")
        return self._connection


def at_work(what: str) -> AbstractContextManager[None]:
    """Turn what DuckDB and Arrow raise into errors without their texts; `what` names the tables at work."""
    return silenced(_FAILURES, lambda error: failure(error, what))


def failure(error: BaseException, what: str) -> ExtractError:
    """Return the error to raise instead of one whose text may quote values."""
    text = str(error).lower()
    if any(words in text for words in _FULL):
        return ExtractError(
            f"{what}: no space left for temporary files or results; free space where they go, or set TMPDIR to a "
            "folder with more of it for temporary files"
        )
    if any(words in text for words in _UNWRITTEN):
        return ExtractError(f"{what}: cannot be written: the disk took only part of it, or takes nothing there")
    if isinstance(error, duckdb.NotImplementedException):
        return ExtractError(
            f"{what}: a column has a type that cannot be read, such as half floats or decimals of over 38 digits; "
            "convert it first"
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return ExtractError(f"{what}: out of memory; select fewer columns, or give the machine more")
    # A damaged page of a file comes as an error without a class of its own.
    unread = duckdb.InvalidInputException | duckdb.IOException | OSError | pa.ArrowException
    if isinstance(error, unread) or type(error) is duckdb.Error:
        return ExtractError(f"{what}: cannot be read: damaged, incomplete or not in the format that its name says")
    return ExtractError(f"{what}: the statement failed ({type(error).__name__}, text withheld: it may quote values)")


def _reader(result: Any, rows: int) -> Any:
    """Return a reader of Arrow batches, by whichever name this DuckDB has for it."""
    read = getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader
    return read(rows)


def _remove(connection: Any, folder: Path) -> None:
    connection.close()
    shutil.rmtree(folder, ignore_errors=True)
