"""The panel on disk: one .npy file per column, schema.json, and a marker that it must not be released.

The files are mapped into memory when the panel is opened. Its parts, which a scan reads one at a time, are contiguous
ranges of persons; their borders are borders of key blocks (the top 12 bits of the person key).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.lib.format as npy
from numpy.typing import NDArray

from leoreturns._folder import new_folder
from leoreturns._typing import AnyArray, BoolArray, IntArray
from leoreturns.errors import PanelError
from leoreturns.panel import offsets as csr
from leoreturns.panel import rows
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.lists import PersonList
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Schema
from leoreturns.results.flow import FlowStep, SampleFlow

KEY_BLOCKS = 1 << 12
BLOCK_SHIFT = np.uint64(64 - 12)
SCHEMA_FILE = "schema.json"
ID_OFFSETS = "id-offsets.npy"


@dataclass(frozen=True, slots=True)
class StoredArray:
    """One array of a stored panel.

    Attributes
    ----------
    file : str
        Its name in the folder. Columns and lists go by number, so that any name of theirs will do.
    column, entries : str
        The column it holds, or the list it belongs to; "" for neither.
    field : str
        Which array of the list.
    """

    file: str
    column: str = ""
    entries: str = ""
    field: str = ""

    @property
    def is_offsets(self) -> bool:
        """Whether it tells where each person's rows or entries begin."""
        return self.file == "offsets.npy" or self.field == "offsets"


def stored_arrays(schema: Schema) -> list[StoredArray]:
    """Return the arrays of a stored panel, but for the offsets of ids that are texts."""
    fields = [field.name for field in dataclasses.fields(PersonList)]
    return [
        *(StoredArray(file) for file in ("keys.npy", "offsets.npy", "ids.npy")),
        *(StoredArray(f"column-{number:04d}.npy", name) for number, name in enumerate(schema.columns)),
        *(
            StoredArray(f"list-{number:04d}-{field}.npy", entries=name, field=field)
            for number, name in enumerate(schema.lists)
            for field in fields
        ),
    ]


def save_panel(panel: Panel, path: Path, partitions: int) -> None:
    """See `Panel.save`; a selection is written a few rows at a time, never copied."""
    if not 1 <= partitions <= KEY_BLOCKS:
        raise PanelError(f"partitions must lie between 1 and {KEY_BLOCKS:,}")
    borders = _borders(panel.keys[selected_persons(panel)[0]], partitions)
    with new_folder(path) as folder:
        schema = selected_schema(panel)
        write_header(folder / SCHEMA_FILE, schema, panel.flow, borders, panel.n_row, settings=panel.settings)
        write_arrays(panel, folder)


def write_header(
    path: Path, schema: Schema, flow: SampleFlow, borders: Sequence[int], n_row: int, *, settings: Mapping[str, Any]
) -> None:
    """Write schema.json of a stored panel; part i holds the persons ``borders[i] : borders[i + 1]``."""
    stored = {
        "schema": schema.to_json(),
        "flow": [dataclasses.asdict(step) for step in flow.steps],
        "borders": list(borders),
        "rows": n_row,
        "settings": dict(settings),
    }
    text = json.dumps(stored, ensure_ascii=False, indent=1)
    path.write_text(text, encoding="utf-8")


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
    """Return the stored persons first:last as a panel with a flow of its own, sharing arrays."""
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
        flow=SampleFlow(),
    )


def _borders(keys: NDArray[np.uint64], partitions: int) -> list[int]:
    """Return the borders of the parts that hold anyone, or of one part of nobody."""
    wanted = [KEY_BLOCKS * number // partitions for number in range(1, partitions)]
    inner = np.searchsorted(keys >> BLOCK_SHIFT, wanted).tolist()
    return [0, *sorted(set(inner) - {0, len(keys)}), len(keys)]


# ---- arrays ---------------------------------------------------------------------------------------------------------


def write_arrays(panel: Panel, folder: Path) -> None:
    """Write what a panel holds of the selected rows."""
    persons, offsets = selected_persons(panel)
    # Only what is stored per row is large: that is written through the selection, all else is gathered.
    ids, lists = selected_records(panel, persons)
    held = {"keys.npy": panel.keys[persons], "offsets.npy": offsets, "ids.npy": ids.data}
    if ids.offsets is not None:
        _write_array(folder / ID_OFFSETS, ids.offsets)
    for array in stored_arrays(panel.schema):
        path = folder / array.file
        if array.entries:
            _write_array(path, getattr(lists[array.entries], array.field))
        elif not array.column:
            _write_array(path, held[array.file])
        elif panel.column(array.column).level == "person":
            _write_array(path, panel.people[array.column][persons])
        else:
            _write_array(path, panel.years[array.column], panel.selection)


def _write_array(path: Path, values: AnyArray, kept: BoolArray | None = None) -> None:
    """Write an array, or its kept entries, as .npy, a block at a time."""
    blocks = rows.slices(len(values), rows.BLOCK)
    parts = (values[a:b] if kept is None else values[a:b][kept[a:b]] for a, b in blocks)
    write_joined(path, parts, len(values) if kept is None else int(np.count_nonzero(kept)), values.dtype)


def write_joined(path: Path, parts: Iterable[AnyArray], length: int, dtype: np.dtype[Any]) -> None:
    """Write arrays that follow each other, of so many entries in all, as one .npy file."""
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype=dtype).data)


def read_header(path: Path) -> dict[str, Any]:
    """Read schema.json of a stored panel."""
    try:
        stored: dict[str, Any] = json.loads((path / SCHEMA_FILE).read_text(encoding="utf-8"))
        stored["schema"] = Schema.from_json(stored["schema"])
        stored["flow"] = SampleFlow(tuple(FlowStep(**step) for step in stored["flow"]))
        stored["borders"] = [int(border) for border in stored["borders"]]
        stored.setdefault("settings", {})
        return stored
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PanelError(f"{str(path)!r} is not a stored panel: {SCHEMA_FILE} cannot be read") from error


def open_panel(path: Path, *, mapped: bool = True) -> Panel:
    """See `Panel.open`; with `mapped` False the arrays are read, so that the folder can go."""
    header = read_header(path)
    return open_stored(path, header["schema"], header["flow"], header["settings"], mapped=mapped)


def open_stored(
    path: Path, schema: Schema, flow: SampleFlow, settings: Mapping[str, Any], *, mapped: bool = True
) -> Panel:
    """Map, or read, the arrays of a stored panel and check that they fit together."""
    read = map_array if mapped else _read_array
    levels: dict[str, dict[str, AnyArray]] = {"person": {}, "year": {}}
    persons: dict[str, AnyArray] = {}
    entries: dict[str, dict[str, AnyArray]] = {name: {} for name in schema.lists}
    for array in stored_arrays(schema):
        values = read(path / array.file)
        if array.entries:
            entries[array.entries][array.field] = values
        elif array.column:
            levels[schema.columns[array.column].level][array.column] = values
        else:
            persons[array.file] = values
    texts = (path / ID_OFFSETS).exists()
    people = PersonIds(persons["ids.npy"], read(path / ID_OFFSETS) if texts else None)
    lists = {name: PersonList(**arrays) for name, arrays in entries.items()}
    keys, offsets = persons["keys.npy"], persons["offsets.npy"]
    lengths = {len(people), len(keys), *(len(values) for values in levels["person"].values())}
    if lengths != {len(offsets) - 1} or {len(values) for values in levels["year"].values()} != {int(offsets[-1])}:
        raise PanelError(f"the stored panel {path.name!r} is damaged: its columns differ in length")
    return Panel(schema, people, keys, offsets, levels["person"], levels["year"], lists, flow=flow, settings=settings)


def map_array(path: Path) -> AnyArray:
    """Map an array into memory, read-only; an empty one, which cannot be mapped, is read."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise PanelError(f"the stored panel is damaged: {path.name!r} is missing or cannot be read") from None
    return np.asarray(array)


def _read_array(path: Path) -> AnyArray:
    return np.array(map_array(path))


def empty_panel(schema: Schema) -> Panel:
    """Return a panel of this schema without a person, on which a condition can be tried."""
    levels: dict[str, dict[str, AnyArray]] = {"person": {}, "year": {}}
    for column in schema.columns.values():
        levels[column.level][column.name] = np.empty(0, dtype=np.int32 if column.kind == "code" else np.float64)
    none = np.empty(0, dtype=np.int64)
    people = PersonIds(none)
    return Panel(schema, people, none.astype(np.uint64), np.zeros(1, np.int64), levels["person"], levels["year"])
