"""From the derived columns of blocks to one stored panel: coding, labels common to all blocks, and the flow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray, BoolArray, IntArray, Level, UIntArray
from leoreturns.panel import columns, rows, store
from leoreturns.panel.block import Block
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.derive import derive_years
from leoreturns.panel.encode import encode
from leoreturns.panel.folder import new_folder
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.levels import code_dtype
from leoreturns.panel.lists import PersonList, read_list
from leoreturns.panel.panel import Panel
from leoreturns.panel.person_lists import derive_lists
from leoreturns.panel.schema import Column, Label, ListColumn, Schema
from leoreturns.panel.traits import TRAITS, absent_tables, derive_traits
from leoreturns.results.flow import SampleFlow


def assemble_block(
    block: Block, ids: IntArray, keys: UIntArray, linked: BoolArray | None, definitions: Definitions
) -> tuple[Panel, dict[str, Any]]:
    """Derive the columns of a block's persons and return them as a panel, with the counts of what was left out."""
    traits = derive_traits(block)
    people = {columns.COHORT: encode(columns.COHORT, block.cohort)}
    people |= {name: encode(name, pa.chunked_array([values])) for name, values in traits.items()}
    if linked is not None:
        people[columns.LINKED] = encode(columns.LINKED, linked)
    years = derive_years(block, definitions)
    schema = {name: columns.described(name, encoded) for name, encoded in {**people, **years.columns}.items()}
    persons = PersonIds(ids)
    lists, listed = _lists(block, persons)
    panel = Panel(
        Schema(columns.PERSON, columns.TIME, schema, listed),
        persons,
        keys,
        years.row_offsets,
        {name: encoded.values for name, encoded in people.items()},
        {name: encoded.values for name, encoded in years.columns.items()},
        lists,
    )
    absent = {name: list(absent_tables(trait, block)) for name, trait in TRAITS.items() if name not in traits}
    return panel, {
        "absent": absent | {name: list(tables) for name, tables in years.absent.items()},
        "left_out": {table: dataclasses.asdict(counts) for table, counts in years.left_out.items()},
    }


def _lists(block: Block, persons: PersonIds) -> tuple[dict[str, PersonList], dict[str, ListColumn]]:
    """Read the lists of a block's persons."""
    lists, described = {}, {}
    for name, entries in derive_lists(block).items():
        numbers = entries.column("number").to_numpy()
        frame = entries.drop_columns(["number"]).append_column(columns.PERSON, pa.array(persons.data[numbers]))
        lists[name], labels = read_list(name, frame, columns.PERSON, persons)
        described[name] = ListColumn(name, labels, len(lists[name].codes))
    return lists, described


# ---- all blocks -----------------------------------------------------------------------------------------------------


def join_blocks(
    blocks: Sequence[Path], target: Path, *, steps: Sequence[tuple[str, Mapping[int, int]]], settings: Mapping[str, Any]
) -> None:
    """Store the blocks as the parts of one panel.

    Parameters
    ----------
    blocks : sequence of Path
        Stored panels of one block each, in key order.
    target : Path
        Folder to make.
    steps : sequence of (str, mapping of cohort -> int)
        Steps of the selection before there were rows.
    settings : mapping
        Record of the build.
    """
    panels = [Panel.open(path) for path in blocks]
    schema, types = _common([panel.schema for panel in panels], panels)
    flow = SampleFlow()
    for label, by_cohort in steps:
        flow = flow.appended(label, persons=sum(by_cohort.values()), rows=0)
    persons, n_row = sum(panel.n_person for panel in panels), sum(panel.n_row for panel in panels)
    flow = flow.appended("person-years from the first tax year after key stage 4", persons=persons, rows=n_row)
    names = [f"part-{number:04d}" for number in range(len(panels))]
    with new_folder(target) as folder:

        def write(number: int) -> None:
            (folder / names[number]).mkdir()
            store.write_part(_aligned(panels[number], schema, types), folder / names[number])

        ordered_map(write, range(len(panels)), label="storing the panel")
        store.write_header(folder, schema, flow, persons, n_row, names, settings=settings)


def _common(schemas: Sequence[Schema], panels: Sequence[Panel]) -> tuple[Schema, dict[str, np.dtype[Any]]]:
    """Return the schema common to all blocks, and the type of every column."""
    common: dict[str, Column] = {}
    types: dict[str, np.dtype[Any]] = {}
    for name in schemas[0].columns:
        parts = [schema.columns[name] for schema in schemas]
        missing = sum(part.missing for part in parts)
        # A block without any value of a text has numbers that are all missing.
        known = [part for part in parts if part.kind == "code" and part.labels]
        if known:
            used = _used(name, panels)
            order: Sequence[Any] = columns.ORDERED.get(name) or sorted(used)
            labels = tuple(label for label in order if label in used)
            common[name] = dataclasses.replace(known[0], labels=labels, missing=missing)
            types[name] = code_dtype(len(labels))
        else:
            number = next((part for part in parts if part.kind == "number"), parts[0])
            common[name] = dataclasses.replace(number, kind="number", labels=(), ordered=False, missing=missing)
            types[name] = np.result_type(*(_number_type(panel, name) for panel in panels))
    lists = {
        name: ListColumn(
            name,
            tuple(sorted({label for schema in schemas for label in schema.lists[name].labels})),
            sum(schema.lists[name].entries for schema in schemas),
        )
        for name in schemas[0].lists
    }
    return Schema(columns.PERSON, columns.TIME, common, lists), types


def _used(name: str, panels: Sequence[Panel]) -> set[Label]:
    """Return the labels that any block has an entry of."""
    found: set[Label] = set()
    for panel in panels:
        labels = panel.column(name).labels
        if labels:
            seen, _ = rows.observed(panel.array(name), base=0, span=len(labels))
            found |= {label for label, is_used in zip(labels, seen, strict=True) if is_used}
    return found


def _number_type(panel: Panel, name: str) -> np.dtype[Any]:
    return panel.array(name).dtype if panel.column(name).kind == "number" else np.dtype(np.float64)


def _aligned(panel: Panel, schema: Schema, types: Mapping[str, np.dtype[Any]]) -> Panel:
    """Return a block under the common schema."""
    levels: dict[Level, dict[str, AnyArray]] = {"person": {}, "year": {}}
    for name, column in schema.columns.items():
        levels[column.level][name] = _recoded(panel.array(name), panel.column(name), column, types[name])
    lists = {name: _relisted(panel, name, schema.lists[name]) for name in schema.lists}
    return dataclasses.replace(panel, schema=schema, people=levels["person"], years=levels["year"], lists=lists)


def _recoded(values: AnyArray, given: Column, column: Column, dtype: np.dtype[Any]) -> AnyArray:
    if column.kind == "number":
        return np.full(len(values), np.nan) if given.kind == "code" else values.astype(dtype, copy=False)
    if given.kind == "number":
        return np.full(len(values), -1, dtype=dtype)
    place = {label: code for code, label in enumerate(column.labels)}
    table = np.array([place.get(label, -1) for label in given.labels], dtype=np.int32)
    return rows.recode(values, table, base=0, dtype=dtype)


def _relisted(panel: Panel, name: str, column: ListColumn) -> PersonList:
    place = {label: code for code, label in enumerate(column.labels)}
    table = np.array([*(place[label] for label in panel.schema.lists[name].labels), -1], dtype=np.int32)
    entries = panel.lists[name]
    return dataclasses.replace(entries, codes=table[entries.codes])
