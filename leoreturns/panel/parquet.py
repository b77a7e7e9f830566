"""Parquet for exchange: a panel from a file or a folder, and back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from leoreturns import _checks
from leoreturns._folder import new_folder
from leoreturns._parallel import thread_count
from leoreturns._typing import AnyArray
from leoreturns.errors import PanelError
from leoreturns.panel import lists, rows, store
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.panel import Panel
from leoreturns.panel.read import Declared
from leoreturns.panel.schema import Column, Label, Schema
from leoreturns.panel.source import Raw

METADATA = b"leoreturns"
LISTS = "lists"
BATCH_PERSONS = 1 << 17  # persons turned into Arrow at a time
SHOWN = 5  # files and columns named in a message
INDEX_PREFIX = "__index_level_"  # how pandas stores an unnamed index

NO_VALUE = "null"  # Arrow's type of a column without any value
TEXTS = ("string", "large_string")

UNREADABLE = (pa.ArrowException, OSError)


# ---- reading --------------------------------------------------------------------------------------------------------


class ParquetSource:
    """A Parquet file, or the Parquet files of a folder in the order of their names; columns are read one at a time."""

    def __init__(self, path: Path) -> None:
        self._files = _files(path)
        footers = [_footer(file) for file in self._files]
        _same_columns(self._files, [footer[0] for footer in footers])
        _checks.unique_names(footers[0][0].names)
        fields = [field for schema, _ in footers for field in schema]
        self.names = tuple(name for name in footers[0][0].names if not name.startswith(INDEX_PREFIX))
        self.n_row = sum(footer[1] for footer in footers)
        self._texts = {field.name for field in fields if str(field.type) in TEXTS}
        self._metadata = (footers[0][0].metadata or {}).get(METADATA)

    def column(self, name: str) -> Raw:
        """Read one column of all files; texts as dictionaries, as they are stored."""
        parts = []
        for file in self._files:
            try:
                with pq.ParquetFile(file, read_dictionary=[name] if name in self._texts else None) as opened:
                    # A request for "a" also brings "a.b".
                    parts.append(opened.read(columns=[name], use_threads=thread_count() > 1).column(name))
            except UNREADABLE:
                raise _unreadable(file) from None
        kind = next((part.type for part in parts if not pa.types.is_null(part.type)), pa.null())
        chunks = [chunk for part in parts for chunk in part.chunks]
        return pa.chunked_array([pa.nulls(len(chunk), kind) if chunk.type != kind else chunk for chunk in chunks], kind)

    def declared(self, given: Declared) -> Declared:
        """Complete what the caller says by what `write_parquet` stored."""
        stored = None if self._metadata is None else Schema.from_json(json.loads(self._metadata))
        if stored is None:
            if not given.person or not given.time:
                raise PanelError("give person= and time=: the files do not say which columns they are")
            return given
        columns = [column for column in stored.columns.values() if column.name in self.names]
        return dataclasses.replace(
            given,
            person=given.person or stored.person,
            time=given.time or stored.time,
            owners={column.name: column.owner for column in columns if column.owner} | dict(given.owners),
            units={column.name: column.unit for column in columns if column.unit} | dict(given.units),
            entities=given.entities or [column.name for column in columns if column.entity],
            time_varying=given.time_varying
            or [column.name for column in columns if column.level == "year" and given.traits is None],
            measured={column.name: column.measured for column in columns if column.measured is not None}
            | dict(given.measured or {}),
            codes=[column.name for column in columns if column.kind == "code"],
        )


def stored_lists(path: Path) -> dict[str, Any]:
    """Return the lists that `write_parquet` put beside the files, as Arrow tables."""
    index = path / LISTS / "names.json"
    if not index.is_file():
        return {}
    try:
        names = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _unreadable(index) from None
    tables = {}
    for number, name in enumerate(names):
        file = path / LISTS / f"{number:04d}.parquet"
        try:
            tables[name] = pq.ParquetFile(file).read()
        except UNREADABLE:
            raise _unreadable(file) from None
    return tables


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise PanelError(f"{str(path)!r} does not exist")
    files = sorted(file for file in path.glob("*.parquet") if not file.name.startswith((".", "_")))
    if not files:
        raise PanelError(f"{str(path)!r} holds no .parquet file (subfolders are not read)")
    return files


def _footer(file: Path) -> tuple[pa.Schema, int]:
    try:
        with pq.ParquetFile(file) as opened:
            return opened.schema_arrow, opened.metadata.num_rows
    except UNREADABLE:
        raise _unreadable(file) from None


def _unreadable(file: Path) -> PanelError:
    # Arrow's own message is left out: it may quote data.
    return PanelError(f"{file.name!r} cannot be read: it is damaged, incomplete or no Parquet file")


def _same_columns(files: Sequence[Path], schemas: Sequence[pa.Schema]) -> None:
    """Refuse files that differ in their columns or types.

    The order of columns does not matter, and a column without any value in a file (of Arrow's null type) fits any type.
    """
    found = [_types(schema) for schema in schemas]
    first = found[0]
    kinds: dict[str, str] = {}
    for types in found:
        kinds |= {name: kind for name, kind in types.items() if kinds.get(name, NO_VALUE) == NO_VALUE}
    problems = []
    for file, types in zip(files[1:], found[1:], strict=True):
        differing = [
            f"column {name!r} is {types.get(name, 'absent')}, not {kinds[name] if name in first else 'absent'}"
            for name in {**first, **types}
            if name not in first or types.get(name) not in (kinds[name], NO_VALUE)
        ]
        if differing:
            named = "; ".join(differing[:SHOWN])
            problems.append(f"{file.name!r}: {named}")
    if problems:
        more = f"; and {len(problems) - SHOWN:,} more files" if len(problems) > SHOWN else ""
        raise PanelError(f"schemas differ from {files[0].name!r}: {'; '.join(problems[:SHOWN])}{more}")


def _types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type).replace("large_string", "string") for field in schema}


# ---- writing --------------------------------------------------------------------------------------------------------


def write_parquet(panel: Panel, path: Path, files: int) -> None:
    """See `Panel.to_parquet`."""
    if files < 1:
        raise PanelError("files must be at least 1")
    persons, _ = store.selected_persons(panel)
    ends = np.append(persons, panel.n_person_stored).tolist()
    bounds = [ends[len(persons) * number // files] for number in range(files + 1)]
    metadata = {METADATA: json.dumps(store.selected_schema(panel).to_json())}
    with new_folder(path) as folder:
        for number in range(files):
            if bounds[number + 1] > bounds[number] or number == 0:
                file = folder / f"part-{number:04d}.parquet"
                _write_rows(panel, file, bounds[number], bounds[number + 1], metadata)
        if panel.lists:
            _write_lists(panel, *store.selected_records(panel, persons), folder / LISTS)


def _write_rows(panel: Panel, file: Path, first: int, last: int, metadata: Mapping[bytes, str]) -> None:
    """Write the selected rows of persons first:last, a batch of persons at a time."""
    schema = _batch(panel, first, first).schema.with_metadata(metadata)
    with pq.ParquetWriter(file, schema) as writer:
        for at in range(first, last, BATCH_PERSONS):
            writer.write_table(_batch(panel, at, min(at + BATCH_PERSONS, last)).cast(schema))


def _batch(panel: Panel, first: int, last: int) -> pa.Table:
    part = store.compacted(store.people_slice(panel, first, last))
    persons = rows.expand(np.arange(part.n_person, dtype=np.int64), part.offsets)
    columns = {panel.schema.person: part.ids.to_arrow().take(pa.array(persons))}
    for name, column in panel.schema.columns.items():
        values = part.array(name)
        if column.level == "person":
            values = rows.expand(values, part.offsets)
        columns[name] = _as_arrow(column, values)
    return pa.table(columns)


def _as_arrow(column: Column, values: AnyArray) -> pa.Array:
    if column.kind == "number":
        return pa.array(values, from_pandas=True)
    return coded_array(values, column.labels, ordered=column.ordered)


def coded_array(codes: AnyArray, labels: tuple[Label, ...], *, ordered: bool = False) -> pa.Array:
    """Return codes as a dictionary of texts or numbers, or as plain conditions and dates."""
    dictionary = pa.array(labels) if labels else pa.array([], pa.string())
    indices = pa.array(codes, mask=codes == -1)
    if labels and isinstance(labels[0], bool | dt.date) and not ordered:
        return dictionary.take(indices)
    return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=ordered)


def _write_lists(panel: Panel, ids: PersonIds, entries_of: Mapping[str, lists.PersonList], folder: Path) -> None:
    """Write the lists of persons."""
    folder.mkdir()
    (folder / "names.json").write_text(json.dumps(list(panel.schema.lists)), encoding="utf-8")
    for number, (name, described) in enumerate(panel.schema.lists.items()):
        entries = entries_of[name]
        places = np.repeat(np.arange(len(ids)), np.diff(entries.offsets))
        columns: Mapping[str, pa.Array] = {
            "person": ids.to_arrow().take(pa.array(places)),
            "code": coded_array(entries.codes, described.labels),
            "start": pa.array(entries.start, mask=entries.start == lists.NO_DATE).cast(pa.date32()),
            "end": pa.array(entries.end, mask=entries.end == lists.NO_DATE).cast(pa.date32()),
            "weight": pa.array(entries.weight),
        }
        pq.write_table(pa.table(dict(columns)), folder / f"{number:04d}.parquet")
