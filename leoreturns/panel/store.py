"""The panel on disk: one .npy file per column, schema.json, and a marker that it must not be released.

A folder of one part is mapped into memory when opened. A folder of several parts holds one folder per contiguous range
of key blocks (the top 12 bits of the person key); labels and types are common to all parts.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.lib.format as npy

from leoreturns._typing import AnyArray, BoolArray, IntArray
from leoreturns.errors import PanelError
from leoreturns.panel import offsets as csr
from leoreturns.panel import rows
from leoreturns.panel.folder import new_folder
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.lists import PersonList
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Schema
from leoreturns.results.flow import FlowStep, SampleFlow

KEY_BLOCKS = 1 << 12
BLOCK_SHIFT = np.uint64(64 - 12)
SCHEMA_FILE = "schema.json"


def save_panel(panel: Panel, path: Path, partitions: int) -> None:
    """See `Panel.save`; a selection is written a few rows at a time, never copied."""
    if not 1 <= partitions <= KEY_BLOCKS:
        raise PanelError(f"partitions must lie between 1 and {KEY_BLOCKS:,}")
    parts = [people_slice(panel, *bounds) for bounds in _part_bounds(panel, partitions)] if partitions > 1 else []
    parts = [part for part in parts if part.n_row]
    with new_folder(path) as folder:
        names = [f"part-{number:04d}" for number in range(len(parts))]
        write_header(
            folder, selected_schema(panel), panel.flow, panel.n_person, panel.n_row, names, settings=panel.settings
        )
        if not parts:
            write_part(panel, folder)
        for name, part in zip(names, parts, strict=True):
            (folder / name).mkdir()
            write_part(part, folder / name)


def write_header(
    folder: Path,
    schema: Schema,
    flow: SampleFlow,
    persons: int,
    n_row: int,
    parts: Sequence[str],
    *,
    settings: Mapping[str, Any],
) -> None:
    """Write schema.json of a panel stored in the named parts, or in none but the folder itself."""
    stored = {
        "schema": schema.to_json(),
        "flow": [dataclasses.asdict(step) for step in flow.steps],
        "persons": persons,
        "rows": n_row,
        "parts": list(parts),
        "settings": dict(settings),
    }
    text = json.dumps(stored, ensure_ascii=False, indent=1)
    (folder / SCHEMA_FILE).write_text(text, encoding="utf-8")


# ---- what a selection keeps -----------------------------------------------------------------------------------------


def selected_persons(panel: Panel) -> tuple[IntArray, IntArray]:
    """Return the stored persons with a selected row, and the offsets of their selected rows."""
    if panel.selection is None:
        return np.arange(panel.n_person_stored), panel.offsets
    counts = rows.count_selected(panel.selection, panel.offsets)
    persons = np.flatnonzero(counts)
    return persons, csr.from_counts(counts[persons])


def selected_records(panel: Panel, persons: IntArray) -> tuple[PersonIds, dict[str, PersonList]]:
    """Return the ids and lists of the selected persons."""
    if panel.selection is None:
        return panel.ids, panel.lists
    return panel.ids.take(persons), {name: entries.take(persons) for name, entries in panel.lists.items()}


def selected_schema(panel: Panel) -> Schema:
    """Return the schema with the missing entries of the selected rows and persons, and the entries of their lists."""
    if panel.selection is None:
        return panel.schema
    persons, _ = selected_persons(panel)
    columns = dict(panel.schema.columns)
    for name, column in columns.items():
        if column.missing:
            values = panel.array(name)
            by_person = column.level == "person"
            missing = rows.count_missing(values[persons]) if by_person else rows.count_missing(values, panel.selection)
            columns[name] = dataclasses.replace(column, missing=missing)
    lists = dict(panel.schema.lists)
    for name, entry in lists.items():
        entries = np.diff(panel.lists[name].offsets)[persons]
        lists[name] = dataclasses.replace(entry, entries=int(entries.sum()))
    return dataclasses.replace(panel.schema, columns=columns, lists=lists)


def compacted(panel: Panel) -> Panel:
    """Return a panel that stores nothing but the selected rows and their persons."""
    if panel.selection is None:
        return panel
    persons, offsets = selected_persons(panel)
    ids, lists = selected_records(panel, persons)
    return dataclasses.replace(
        panel,
        schema=selected_schema(panel),
        ids=ids,
        keys=panel.keys[persons],
        offsets=offsets,
        people={name: values[persons] for name, values in panel.people.items()},
        years={name: values[panel.selection] for name, values in panel.years.items()},
        lists=lists,
        selection=None,
    )


def people_slice(panel: Panel, first: int, last: int) -> Panel:
    """Return the stored persons first:last, sharing arrays."""
    start, stop = int(panel.offsets[first]), int(panel.offsets[last])
    return dataclasses.replace(
        panel,
        ids=panel.ids.part(first, last),
        keys=panel.keys[first:last],
        offsets=panel.offsets[first : last + 1] - start,
        people={name: values[first:last] for name, values in panel.people.items()},
        years={name: values[start:stop] for name, values in panel.years.items()},
        lists={name: entries.part(first, last) for name, entries in panel.lists.items()},
        selection=None if panel.selection is None else panel.selection[start:stop],
    )


def _part_bounds(panel: Panel, partitions: int) -> Iterator[tuple[int, int]]:
    """Return the person ranges of the parts that hold anyone; borders are borders of key blocks."""
    blocks = panel.keys >> BLOCK_SHIFT
    edges = np.searchsorted(blocks, [KEY_BLOCKS * number // partitions for number in range(partitions + 1)])
    return ((int(first), int(last)) for first, last in pairwise(edges) if last > first)


def write_part(panel: Panel, folder: Path) -> None:
    """Write what a part holds of the selected rows; columns go by number, so that any column name will do."""
    persons, offsets = selected_persons(panel)
    # Only what is stored per row is large: that is written through the selection, all else is gathered.
    ids, lists = selected_records(panel, persons)
    _write_array(folder / "keys.npy", panel.keys[persons])
    _write_array(folder / "offsets.npy", offsets)
    _write_array(folder / "ids.npy", ids.data)
    if ids.offsets is not None:
        _write_array(folder / "id-offsets.npy", ids.offsets)
    for number, column in enumerate(panel.schema.columns.values()):
        values, path = panel.array(column.name), folder / f"column-{number:04d}.npy"
        if column.level == "person":
            _write_array(path, values[persons])
        else:
            _write_array(path, values, panel.selection)
    for number, name in enumerate(panel.schema.lists):
        entries = lists[name]
        for field in dataclasses.fields(entries):
            _write_array(folder / f"list-{number:04d}-{field.name}.npy", getattr(entries, field.name))


def _write_array(path: Path, values: AnyArray, kept: BoolArray | None = None) -> None:
    """Write an array, or its kept entries, as .npy, a block at a time."""
    length = len(values) if kept is None else int(np.count_nonzero(kept))
    header = {"descr": npy.dtype_to_descr(values.dtype), "fortran_order": False, "shape": (length,)}
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, header)
        for first, last in rows.slices(len(values), rows.BLOCK):
            part = values[first:last]
            file.write(np.ascontiguousarray(part if kept is None else part[kept[first:last]]).data)


def read_header(path: Path) -> dict[str, Any]:
    """Read schema.json of a stored panel."""
    try:
        stored: dict[str, Any] = json.loads((path / SCHEMA_FILE).read_text(encoding="utf-8"))
        stored["schema"] = Schema.from_json(stored["schema"])
        stored["flow"] = SampleFlow(tuple(FlowStep(**step) for step in stored["flow"]))
        stored.setdefault("settings", {})
        return stored
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PanelError(f"{str(path)!r} is not a stored panel: {SCHEMA_FILE} cannot be read") from error


def open_panel(path: Path, *, mapped: bool = True) -> Panel:
    """See `Panel.open`; with `mapped` False the arrays are read, so that the folder can go."""
    header = read_header(path)
    folders = [path / name for name in header["parts"]] or [path]
    return _open(folders, header["schema"], header["flow"], header["settings"], mapped=mapped)


def open_part(
    folder: Path, schema: Schema, flow: SampleFlow, settings: Mapping[str, Any], *, mapped: bool = True
) -> Panel:
    """Map, or read, one part into memory and check that its arrays fit together."""
    return _open([folder], schema, flow, settings, mapped=mapped)


def _open(
    folders: Sequence[Path], schema: Schema, flow: SampleFlow, settings: Mapping[str, Any], *, mapped: bool
) -> Panel:
    """Return parts that follow each other in key order as one panel: a single one mapped, several read."""
    read = partial(_gathered, folders, mapped)
    levels: dict[str, dict[str, AnyArray]] = {"person": {}, "year": {}}
    for number, column in enumerate(schema.columns.values()):
        levels[column.level][column.name] = read(f"column-{number:04d}.npy")
    texts = (folders[0] / "id-offsets.npy").exists()
    people = PersonIds(read("ids.npy"), read("id-offsets.npy", csr.joined) if texts else None)
    lists = {
        name: PersonList(
            read(f"list-{number:04d}-offsets.npy", csr.joined),
            *(read(f"list-{number:04d}-{field}.npy") for field in ("codes", "start", "end", "weight")),
        )
        for number, name in enumerate(schema.lists)
    }
    keys, offsets = read("keys.npy"), read("offsets.npy", csr.joined)
    lengths = {len(people), len(keys), *(len(values) for values in levels["person"].values())}
    if lengths != {len(offsets) - 1} or {len(values) for values in levels["year"].values()} != {int(offsets[-1])}:
        raise PanelError(f"the stored panel {folders[0].name!r} is damaged: its columns differ in length")
    return Panel(schema, people, keys, offsets, levels["person"], levels["year"], lists, flow=flow, settings=settings)


def _gathered(
    folders: Sequence[Path],
    mapped: bool,
    name: str,
    join: Callable[[Sequence[AnyArray]], AnyArray] = np.concatenate,
) -> AnyArray:
    """Return one array of all parts; a mapped file stays open, so the parts of one array only are mapped at a time."""
    if len(folders) == 1:
        return _mapped(folders[0] / name) if mapped else np.array(_mapped(folders[0] / name))
    return join([_mapped(folder / name) for folder in folders])


def _mapped(path: Path) -> AnyArray:
    """Map an array into memory, read-only; an empty one, which cannot be mapped, is read."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise PanelError(f"the stored panel is damaged: {path.name!r} is missing or cannot be read") from None
    return np.asarray(array)


def empty_panel(schema: Schema) -> Panel:
    """Return a panel of this schema without a person, on which a condition can be tried."""
    levels: dict[str, dict[str, AnyArray]] = {"person": {}, "year": {}}
    for column in schema.columns.values():
        levels[column.level][column.name] = np.empty(0, dtype=np.int32 if column.kind == "code" else np.float64)
    none = np.empty(0, dtype=np.int64)
    people = PersonIds(none)
    return Panel(schema, people, none.astype(np.uint64), np.zeros(1, np.int64), levels["person"], levels["year"])
