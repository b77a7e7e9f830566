"""From the derived columns of blocks to one stored panel: coding, labels common to all blocks, and the flow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray, BoolArray, IntArray, Level, UIntArray
from leoreturns.panel import rows, store
from leoreturns.panel.block import Block
from leoreturns.panel.columns import DERIVED
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.derive import derive_years
from leoreturns.panel.encode import Encoded, encode, encode_codes
from leoreturns.panel.folder import new_folder
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.levels import code_dtype
from leoreturns.panel.lists import PersonList, read_list
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Column, ListColumn, Schema
from leoreturns.panel.traits import derive_lists, derive_traits
from leoreturns.results.flow import SampleFlow

PERSON, TIME = "person", "tax_year"


def assemble_block(
    block: Block, ids: IntArray, keys: UIntArray, linked: BoolArray | None, definitions: Definitions
) -> tuple[Panel, dict[str, Any]]:
    """Derive the columns of a block's persons and return them as a panel, with the counts of what was left out."""
    traits: dict[str, Encoded] = {"cohort": encode("cohort", block.cohort)}
    traits |= {name: _encoded(name, values) for name, values in derive_traits(block, definitions).items()}
    if linked is not None:
        traits["linked_to_tax_records"] = encode("linked_to_tax_records", linked)
    derived = derive_years(block, definitions)
    years = {
        name: encode_codes(values.codes, values.labels, ordered=bool(DERIVED[name].labels))
        if hasattr(values, "codes")
        else encode(name, values)
        for name, values in derived.columns.items()
    }
    columns: dict[str, Column] = {}
    people: dict[str, AnyArray] = {}
    along: dict[str, AnyArray] = {}
    for level, encoded, arrays in (("person", traits, people), ("year", years, along)):
        for name in DERIVED:
            if name in encoded and DERIVED[name].level == level:
                arrays[name] = encoded[name].values
                columns[name] = _column(name, encoded[name])
    persons = PersonIds(ids)
    lists, described = _lists(block, persons)
    offsets = np.concatenate([[0], np.cumsum(definitions.last_tax_year - block.cohort.astype(np.int64))])
    panel = Panel(Schema(PERSON, TIME, columns, described), persons, keys, offsets, people, along, lists)
    return panel, {"left_out": dict(derived.left_out), "counts": dict(derived.counts)}


def _encoded(name: str, values: pa.Array) -> Encoded:
    """Code a trait; one with a declared order of labels keeps it."""
    if labels := DERIVED[name].labels:
        return encode(name, pd.Categorical(values.to_pandas(), categories=list(labels), ordered=True))
    return encode(name, pa.chunked_array([values]))


def _column(name: str, encoded: Encoded) -> Column:
    known = DERIVED[name]
    return Column(
        name,
        known.level,
        encoded.kind,
        encoded.labels,
        encoded.ordered,
        known.owner,
        known.unit,
        known.entity,
        rows.count_missing(encoded.values),
    )


def _lists(block: Block, persons: PersonIds) -> tuple[dict[str, PersonList], dict[str, ListColumn]]:
    """Read the lists of a block's persons."""
    lists, described = {}, {}
    for name, entries in derive_lists(block).items():
        numbers = entries.column("number").to_numpy()
        frame = entries.drop_columns(["number"]).append_column(PERSON, pa.array(persons.data[numbers]))
        lists[name], labels = read_list(name, frame, PERSON, persons)
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
    columns: dict[str, Column] = {}
    types: dict[str, np.dtype[Any]] = {}
    for name in schemas[0].columns:
        parts = [schema.columns[name] for schema in schemas]
        missing = sum(part.missing for part in parts)
        # A block without any value of a text has numbers that are all missing.
        known = [part for part in parts if part.kind == "code" and part.labels]
        if known:
            used = {label for part in known for label in part.labels}
            order: Sequence[Any] = DERIVED[name].labels or sorted(used)
            labels = tuple(label for label in order if label in used)
            columns[name] = dataclasses.replace(known[0], labels=labels, missing=missing)
            types[name] = code_dtype(len(labels))
        else:
            number = next((part for part in parts if part.kind == "number"), parts[0])
            columns[name] = dataclasses.replace(number, kind="number", labels=(), ordered=False, missing=missing)
            types[name] = np.result_type(*(_number_type(panel, name) for panel in panels))
    lists = {
        name: ListColumn(
            name,
            tuple(sorted({label for schema in schemas for label in schema.lists[name].labels})),
            sum(schema.lists[name].entries for schema in schemas),
        )
        for name in schemas[0].lists
    }
    return Schema(PERSON, TIME, columns, lists), types


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
    table = np.array([place[label] for label in given.labels], dtype=np.int32)
    return rows.recode(values, table, base=0, dtype=dtype)


def _relisted(panel: Panel, name: str, column: ListColumn) -> PersonList:
    place = {label: code for code, label in enumerate(column.labels)}
    table = np.array([*(place[label] for label in panel.schema.lists[name].labels), -1], dtype=np.int32)
    entries = panel.lists[name]
    return dataclasses.replace(entries, codes=table[entries.codes])
