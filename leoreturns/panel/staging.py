"""Laying out the tables of an extract by block of persons, once, so that every block reads its own rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from leoreturns._parallel import progress
from leoreturns.extract.convert import SQL_TYPES
from leoreturns.extract.database import literal, quoted
from leoreturns.extract.link import place_links, rows_of_persons, unlinked
from leoreturns.extract.source import Extract
from leoreturns.extract.tables import table
from leoreturns.panel.population import Population
from leoreturns.panel.store import BLOCK_SHIFT
from leoreturns.panel.working import Working

if TYPE_CHECKING:
    import duckdb

# Tables that columns are derived from.
STAGED = (
    "ks2", "ks4", "school_census", "absence", "exclusions", "cin", "cla", "ks5", "ypmad", "ilr_learners", "ilr_aims",
    "hesa", "employment", "earnings", "self_assessment", "benefits", "cjrs", "geography",
)  # fmt: skip
# Columns of the largest tables that no rule reads.
UNREAD = {
    "earnings": {
        "main_enterprise", "enterprise_earnings", "tied_main_record_enterprise_sic_fg", "Num_Employments",
        "Section_Earnings", "Tied_Main_Section_Flag", "Num_Sections", "Main_SIC2007", "SIC_Earnings",
        "Tied_Main_SIC_Flag", "Num_SIC", "main_enterprise_linked_sic2007",
    },
    "absence": {name for name in table("absence").names if name.startswith(("Authorised", "Unauthorised"))},
    "geography": {"PCON", "PCONNM", "GOR", "CTRY"},
}  # fmt: skip
# Rows that are held per block, table and thread before they are written.
FLUSH_ROWS = 1 << 16
# Outside lookup -> its name among the views of a block.
LOOKUPS = {
    "regions": "regions", "school_regions": "school_regions", "school_types": "school_types",
    "institution_types": "institution_types", "travel_to_work": "areas", "home_areas": "home_areas",
}  # fmt: skip
RECORD = "ks4_record"


@dataclass(frozen=True, slots=True)
class Staged:
    """What was laid out for the blocks.

    Attributes
    ----------
    folder : Path
    columns : dict of table -> dict of column -> SQL type
    lookups : tuple of str
    borders : list of int
        First person of each block, and the end.
    unlinked : dict of table -> str
        Tables of the extract that cannot be linked to persons, with what is missing for it.
    """

    folder: Path
    columns: dict[str, dict[str, str]]
    lookups: tuple[str, ...]
    borders: list[int]
    unlinked: dict[str, str]


def stage(extract: Extract, population: Population, working: Working, block_persons: int) -> Staged:
    """Write the rows of every table that columns come from, by block of persons; a table that is done stays done.

    Parameters
    ----------
    extract : Extract
        With the working tables of `link_persons` and `select_population`.
    population : Population
    working : Working
    block_persons : int
        Persons of a block, at least; borders are those of key blocks.
    """
    folder = working.building / "tables"
    folder.mkdir(exist_ok=True)
    borders = _borders(population, block_persons)
    lacking = {name: lack for name in STAGED if name in extract.tables and (lack := unlinked(extract, table(name)))}
    columns = {name: _types(extract, name) for name in STAGED if name in extract.tables and name not in lacking}
    columns = {RECORD: {**_types(extract, "ks4"), **RECORD_COLUMNS}, **columns}
    lookups = tuple(name for name in LOOKUPS if name in extract.lookups)
    kinds = {key for name in columns if name != RECORD and (key := table(name).person_key) is not None}
    # Nothing rests on the order of the rows, and keeping it would hold all of them in memory.
    extract.execute(f"SET preserve_insertion_order = false; SET partitioned_write_flush_threshold = {FLUSH_ROWS}", "")
    extract.register("numbered", _numbered(population, borders))
    try:
        place_links(extract, sorted(kinds), "numbered")
        with progress(len(columns), "laying out tables") as shown:
            for name in columns:
                if not (folder / name).exists():
                    _stage_table(extract, name, tuple(columns[name]), folder / name, working)
                shown.update()
    finally:
        extract.execute("SET preserve_insertion_order = true; RESET partitioned_write_flush_threshold", "")
        extract.unregister("numbered")
    for name in lookups:
        if not (folder / LOOKUPS[name]).exists():
            with working.folder(folder / LOOKUPS[name]) as part:
                rows = f"SELECT #1 AS code, #2 AS label FROM {extract.select(name)}"
                file = literal(str(part / "lookup.parquet"))
                extract.execute(f"COPY ({rows}) TO {file} (FORMAT parquet)", f"lookup {name!r}")
    return Staged(folder, columns, tuple(LOOKUPS[name] for name in lookups), borders, lacking)


# What the chosen records have beside the columns of their table.
RECORD_COLUMNS = {"ks4_points": "DOUBLE", "ks4_five_ac": "BOOLEAN", "cohort": "SMALLINT"}


def _borders(population: Population, block_persons: int) -> list[int]:
    """Cut the persons where key blocks end, into blocks of at least so many."""
    starts = np.flatnonzero(np.diff(population.keys >> BLOCK_SHIFT)) + 1
    borders = [0]
    for start in starts:
        if start - borders[-1] >= block_persons:
            borders.append(int(start))
    return [*borders, len(population.ids)]


def _numbered(population: Population, borders: list[int]) -> pa.Table:
    """Return each person's block and number in it."""
    number = np.arange(len(population.ids), dtype=np.int32)
    block = np.searchsorted(np.array(borders[1:]), number, side="right").astype(np.int32)
    first = np.array(borders, dtype=np.int32)[block]
    return pa.table({"person": population.ids, "block": block, "number": number - first})


def _types(extract: Extract, name: str) -> dict[str, str]:
    """Return the columns of a table that are laid out, with their SQL types."""
    read = [column for column in extract.tables[name] if column not in UNREAD.get(name, ())]
    return {column: SQL_TYPES[table(name).variable(column).type] for column in read}


def _stage_table(extract: Extract, name: str, columns: tuple[str, ...], to: Path, working: Working) -> None:
    """Write one table by block."""
    if name == RECORD:
        named = "".join(f", record.{quoted(column)}" for column in columns)
        rows = (
            f"SELECT numbered.block, numbered.number, record.{quoted(table('ks4').person or '')} AS via{named} "
            f"FROM {RECORD} AS record JOIN numbered USING (person)"
        )
    else:
        rows = rows_of_persons(extract, table(name), columns)
    with working.folder(to) as part:
        extract.execute(
            f"COPY ({rows}) TO {literal(str(part))} (FORMAT parquet, PARTITION_BY (block))", f"table {name!r}"
        )


def make_views(connection: duckdb.DuckDBPyConnection, staged: Staged, block: int) -> dict[str, frozenset[str]]:
    """Make the views of a block, and return their columns; a table without a row in it is an empty one."""
    for name, columns in staged.columns.items():
        files = sorted((staged.folder / name / f"block={block}").glob("*.parquet"))
        if files:
            rows = f"SELECT * FROM {_reader(files)}"
        else:
            typed = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(column)}" for column, kind in columns.items())
            rows = f"SELECT CAST(NULL AS INTEGER) AS number, CAST(NULL AS VARCHAR) AS via, {typed} WHERE false"
        connection.execute(f"CREATE VIEW {quoted(name)} AS {rows}")
    for name in staged.lookups:
        reader = _reader([staged.folder / name / "lookup.parquet"])
        connection.execute(f"CREATE VIEW lookup_{name} AS SELECT * FROM {reader}")
    return {name: frozenset(columns) for name, columns in staged.columns.items()}


def _reader(files: list[Path]) -> str:
    # Folders above may be named like partitions too: `cohort=2003` would become a column.
    return f"read_parquet([{', '.join(literal(str(file)) for file in files)}], hive_partitioning = false)"
