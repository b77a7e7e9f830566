"""The panel on disk: one .npy file per column, schema.json, and a marker that it must not be released.

A folder of one part is mapped into memory when opened. A folder of several parts holds one folder per contiguous range
of key blocks (the top 12 bits of the person key); labels and types are common to all parts.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from leoreturns._typing import AnyArray
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
    """See `Panel.save`."""
    if not 1 <= partitions <= KEY_BLOCKS:
        raise PanelError(f"partitions must lie between 1 and {KEY_BLOCKS:,}")
    whole = compacted(panel)
    bounds = list(_part_bounds(whole, partitions)) if partitions > 1 else []
    with new_folder(path) as folder:
        names = [f"part-{number:04d}" for number in range(len(bounds))]
        stored = {
            "schema": whole.schema.to_json(),
            "flow": [dataclasses.asdict(step) for step in whole.flow.steps],
            "persons": whole.n_person,
            "rows": whole.n_row,
            "parts": names,
        }
        text = json.dumps(stored, ensure_ascii=False, indent=1)
        (folder / SCHEMA_FILE).write_text(text, encoding="utf-8")
        if not bounds:
            _write_part(whole, folder)
        for name, (first, last) in zip(names, bounds, strict=True):
            (folder / name).mkdir()
            _write_part(people_slice(whole, first, last), folder / name)


def compacted(panel: Panel) -> Panel:
    """Return a panel that stores nothing but the selected rows and their persons."""
    if panel.selection is None:
        return panel
    kept = np.flatnonzero(panel.selection)
    per_person = np.diff(np.searchsorted(kept, panel.offsets))
    persons = np.flatnonzero(per_person)
    return dataclasses.replace(
        panel,
        ids=panel.ids.take(persons),
        keys=panel.keys[persons],
        offsets=csr.from_counts(per_person[persons]),
        people={name: rows.take(values, persons) for name, values in panel.people.items()},
        years={name: rows.take(values, kept) for name, values in panel.years.items()},
        lists={name: entries.take(persons) for name, entries in panel.lists.items()},
        selection=None,
    )


def people_slice(panel: Panel, first: int, last: int) -> Panel:
    """Return the stored persons first:last of an unselected panel, sharing arrays."""
    start, stop = int(panel.offsets[first]), int(panel.offsets[last])
    return dataclasses.replace(
        panel,
        ids=panel.ids.part(first, last),
        keys=panel.keys[first:last],
        offsets=panel.offsets[first : last + 1] - start,
        people={name: values[first:last] for name, values in panel.people.items()},
        years={name: values[start:stop] for name, values in panel.years.items()},
        lists={name: entries.part(first, last) for name, entries in panel.lists.items()},
    )


def _part_bounds(panel: Panel, partitions: int) -> Iterator[tuple[int, int]]:
    """Return the person ranges of the parts that hold anyone; borders are borders of key blocks."""
    blocks = panel.keys >> BLOCK_SHIFT
    edges = np.searchsorted(blocks, [KEY_BLOCKS * number // partitions for number in range(partitions + 1)])
    return ((int(first), int(last)) for first, last in pairwise(edges) if last > first)


def _arrays(panel: Panel) -> Iterator[tuple[str, AnyArray]]:
    """Return name and array of all that a part holds; columns go by number, so that any column name will do."""
    yield "keys", panel.keys
    yield "offsets", panel.offsets
    yield "ids", panel.ids.data
    if panel.ids.offsets is not None:
        yield "id-offsets", panel.ids.offsets
    for number, column in enumerate(panel.schema.columns.values()):
        yield f"column-{number:04d}", (panel.people if column.level == "person" else panel.years)[column.name]
    for number, name in enumerate(panel.schema.lists):
        entries = panel.lists[name]
        for field in dataclasses.fields(entries):
            yield f"list-{number:04d}-{field.name}", getattr(entries, field.name)


def _write_part(panel: Panel, folder: Path) -> None:
    for name, array in _arrays(panel):
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def read_header(path: Path) -> dict[str, Any]:
    """Read schema.json of a stored panel."""
    try:
        stored: dict[str, Any] = json.loads((path / SCHEMA_FILE).read_text(encoding="utf-8"))
        stored["schema"] = Schema.from_json(stored["schema"])
        stored["flow"] = SampleFlow(tuple(FlowStep(**step) for step in stored["flow"]))
        return stored
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PanelError(f"{str(path)!r} is not a stored panel: {SCHEMA_FILE} cannot be read") from error


def open_panel(path: Path) -> Panel:
    """See `Panel.open`."""
    header = read_header(path)
    if not header["parts"]:
        return open_part(path, header["schema"], header["flow"])
    return _joined([open_part(path / name, header["schema"], header["flow"]) for name in header["parts"]])


def open_part(folder: Path, schema: Schema, flow: SampleFlow) -> Panel:
    """Map one part into memory and check that its arrays fit together."""
    levels: dict[str, dict[str, AnyArray]] = {"person": {}, "year": {}}
    for number, column in enumerate(schema.columns.values()):
        levels[column.level][column.name] = _mapped(folder / f"column-{number:04d}.npy")
    offsets = _mapped(folder / "offsets.npy")
    text_offsets = folder / "id-offsets.npy"
    people = PersonIds(_mapped(folder / "ids.npy"), _mapped(text_offsets) if text_offsets.exists() else None)
    lists = {
        name: PersonList(
            **{
                field.name: _mapped(folder / f"list-{number:04d}-{field.name}.npy")
                for field in dataclasses.fields(PersonList)
            }
        )
        for number, name in enumerate(schema.lists)
    }
    keys = _mapped(folder / "keys.npy")
    lengths = {len(people), len(keys), *(len(values) for values in levels["person"].values())}
    if lengths != {len(offsets) - 1} or {len(values) for values in levels["year"].values()} != {int(offsets[-1])}:
        raise PanelError(f"the stored panel {folder.name!r} is damaged: its columns differ in length")
    return Panel(schema, people, keys, offsets, levels["person"], levels["year"], lists, flow=flow)


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


def _joined(parts: list[Panel]) -> Panel:
    """Concatenate parts that follow each other in key order."""
    first = parts[0]
    return dataclasses.replace(
        first,
        ids=PersonIds.joined([part.ids for part in parts]),
        keys=np.concatenate([part.keys for part in parts]),
        offsets=csr.joined([part.offsets for part in parts]),
        people={name: np.concatenate([part.people[name] for part in parts]) for name in first.people},
        years={name: np.concatenate([part.years[name] for part in parts]) for name in first.years},
        lists={name: PersonList.joined([part.lists[name] for part in parts]) for name in first.lists},
    )


def empty_panel(schema: Schema) -> Panel:
    """Return a panel of this schema without a person, on which a condition can be tried."""
    levels: dict[str, dict[str, AnyArray]] = {"person": {}, "year": {}}
    for column in schema.columns.values():
        levels[column.level][column.name] = np.empty(0, dtype=np.int32 if column.kind == "code" else np.float64)
    none = np.empty(0, dtype=np.int64)
    people = PersonIds(none)
    return Panel(schema, people, none.astype(np.uint64), np.zeros(1, np.int64), levels["person"], levels["year"])
