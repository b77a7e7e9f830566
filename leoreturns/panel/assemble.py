"""From the derived columns of one block to the schema and the codes that all blocks have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leoreturns._typing import AnyArray, IntArray, UIntArray
from leoreturns.panel import columns, levels, rows
from leoreturns.panel.block import Block
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.derive import derive_years
from leoreturns.panel.encode import Encoded, encode, encode_codes
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.lists import PersonList, read_list
from leoreturns.panel.panel import Panel
from leoreturns.panel.person_lists import LISTS, derive_lists
from leoreturns.panel.schema import Column, ListColumn, Schema
from leoreturns.panel.traits import TRAITS, absent_tables, derive_traits


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """What a block tells of itself once it is built: counts, labels and types, no entry.

    Attributes
    ----------
    schema : Schema
        With labels that the block has an entry of.
    types : dict of str -> str
        Of every column.
    persons, n_row : int
    absent : dict of str -> list of str
        Columns and lists left out, with the tables that the extract lacks for them.
    left_out : dict of str -> dict of str -> int
        By table, the records that could not be used, by reason.
    """

    schema: Schema
    types: dict[str, str]
    persons: int
    n_row: int
    absent: dict[str, list[str]]
    left_out: dict[str, dict[str, int]]

    def to_json(self) -> dict[str, Any]:
        """Return the record as what JSON can hold."""
        told = {name: getattr(self, name) for name in ("types", "persons", "n_row", "absent", "left_out")}
        return told | {"schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> BlockRecord:
        """Read back what `to_json` gave."""
        return cls(**{**stored, "schema": Schema.from_json(stored["schema"])})


def assemble_block(block: Block, ids: IntArray, keys: UIntArray, definitions: Definitions) -> tuple[Panel, BlockRecord]:
    """Derive the columns of a block's persons and return them as a panel, with what it tells of itself.

    Parameters
    ----------
    block : Block
    ids : int64[n_person]
    keys : uint64[n_person]
        Their hashes, ascending.
    definitions : Definitions
    """
    traits = derive_traits(block)
    people = {columns.COHORT: encode(columns.COHORT, block.cohort)}
    people |= {name: encode(name, pa.chunked_array([values])) for name, values in traits.items()}
    if block.linked is not None:
        people[columns.LINKED] = encode(columns.LINKED, block.linked)
    derived = derive_years(block, definitions, traits.get("degree_year"))
    years = {name: _settled(encoded) for name, encoded in derived.columns.items()}
    described = {name: columns.described(name, encoded) for name, encoded in {**people, **years}.items()}
    persons = PersonIds(ids)
    lists, listed = _lists(block, persons)
    panel = Panel(
        Schema(columns.PERSON, columns.TIME, described, listed),
        persons,
        keys,
        derived.row_offsets,
        {name: encoded.values for name, encoded in people.items()},
        {name: encoded.values for name, encoded in years.items()},
        lists,
    )
    absent = {name: absent_tables(trait, block) for name, trait in TRAITS.items() if name not in traits}
    absent |= {columns.LINKED: ("lookup_edukey",)} if block.linked is None else {}
    absent |= derived.absent
    absent |= {name: (table,) for name, table in LISTS.items() if name not in lists}
    return panel, BlockRecord(
        panel.schema,
        {name: panel.array(name).dtype.str for name in described},
        panel.n_person,
        panel.n_row,
        {name: list(tables) for name, tables in absent.items()},
        {table: dataclasses.asdict(counts) for table, counts in derived.left_out.items()},
    )


def _settled(encoded: Encoded) -> Encoded:
    """Return a column without labels that it has no entry of."""
    if encoded.kind == "number":
        return encoded
    return encode_codes(encoded.values, encoded.labels)


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


def common_schema(records: Sequence[BlockRecord]) -> tuple[Schema, dict[str, np.dtype[Any]]]:
    """Return the schema common to all blocks, and the type of every column."""
    common: dict[str, Column] = {}
    types: dict[str, np.dtype[Any]] = {}
    for name in records[0].schema.columns:
        parts = [record.schema.columns[name] for record in records]
        first = dataclasses.replace(parts[0], missing=sum(part.missing for part in parts))
        if first.kind == "code":
            used = {label for part in parts for label in part.labels}
            order: list[Any] = (
                sorted(used, key=columns.ORDERED[name].index) if name in columns.ORDERED else sorted(used)
            )
            common[name] = dataclasses.replace(first, labels=tuple(order))
            types[name] = levels.code_dtype(len(order))
        else:
            common[name] = first
            types[name] = np.result_type(*(record.types[name] for record in records))
    lists = {
        name: ListColumn(
            name,
            tuple(sorted({label for record in records for label in record.schema.lists[name].labels})),
            sum(record.schema.lists[name].entries for record in records),
        )
        for name in records[0].schema.lists
    }
    return Schema(columns.PERSON, columns.TIME, common, lists), types


def aligned(values: AnyArray, given: Column, column: Column, dtype: np.dtype[Any]) -> AnyArray:
    """Return the entries that a block has of a column under the labels and the type common to all blocks."""
    if column.kind == "number":
        return values.astype(dtype, copy=False)
    return rows.recode(values, _places(given.labels, column.labels), base=0, dtype=dtype)


def aligned_codes(codes: AnyArray, given: ListColumn, column: ListColumn) -> AnyArray:
    """Return the codes that a block has in a list under the labels common to all blocks."""
    # The last place serves the missing code -1.
    return np.append(_places(given.labels, column.labels), np.int32(-1))[codes]


def _places(labels: Sequence[Any], among: Sequence[Any]) -> NDArray[np.int32]:
    """Return the place of each label among all."""
    place = {label: code for code, label in enumerate(among)}
    return np.array([place[label] for label in labels], dtype=np.int32)
