"""build_panel(): from the linked LEO tables to the person-year panel, in blocks of persons that survive a stop."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from leoreturns._parallel import ordered_map, threads
from leoreturns.errors import PanelError
from leoreturns.extract.convert import SQL_TYPES
from leoreturns.extract.database import failure, literal, quoted
from leoreturns.extract.link import Linked, link_persons, rows_of_persons
from leoreturns.extract.source import Extract
from leoreturns.extract.tables import table
from leoreturns.panel.assemble import assemble_block, join_blocks
from leoreturns.panel.block import Block
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.folder import MARKER, NOTICE
from leoreturns.panel.panel import Panel
from leoreturns.panel.population import Population, select_population
from leoreturns.panel.store import BLOCK_SHIFT

BLOCK_PERSONS = 50_000  # at least; borders are those of key blocks
PLAN_FILE = "plan.json"
# Tables that columns are derived from.
STAGED = (
    "ks2", "ks4", "school_census", "ks5", "ypmad", "ilr_learners", "ilr_aims", "hesa", "employment", "earnings",
    "self_assessment", "benefits", "cjrs", "geography",
)  # fmt: skip
# Outside lookup -> its name among the views of a block.
LOOKUPS = {"regions": "regions", "school_types": "school_types", "travel_to_work": "areas"}
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
    last_tax_year : int
        Of the extract.
    """

    folder: Path
    columns: dict[str, dict[str, str]]
    lookups: tuple[str, ...]
    borders: list[int]
    last_tax_year: int


def build_panel(
    extract: Extract,
    *,
    definitions: Definitions,
    to: str | os.PathLike[str] | None = None,
    resume: bool = True,
    n_jobs: int | None = None,
) -> Panel:
    """Derive the person-year panel from the linked LEO tables.

    One person for every pupil at the end of key stage 4 whom the lookups resolve; one row for every tax year from the
    first after key stage 4, with or without any record in it. The page `data` of the documentation lists the columns.

    Parameters
    ----------
    extract : Extract
        What `open_extract` opened. Tables and columns that are not there are gone without; what cannot be derived then
        is named in ``panel.settings["absent"]``.
    definitions : Definitions
        What counts as what.
    to : path, optional
        Folder to store the panel in, for `Panel.open` and `Panel.scan`; it must not exist. Without it the panel is held
        in memory alone.
    resume : bool
        Whether to go on from where an earlier build of the same extract and definitions to the same place was stopped.
        Otherwise what it left is removed.
    n_jobs : int, optional
        Threads; the result is the same to the last bit for any number.

    Returns
    -------
    Panel
        With its flow, and in ``settings`` the definitions, the links that were dropped, the steps of the selection by
        cohort, and the counts of what was left out.

    Raises
    ------
    ExtractError
        If tables without which there is no panel are absent, or values are not of their type.
    PanelError
        If the target exists, or the disk is full; the finished blocks are kept for the next run then.
    """
    if not isinstance(extract, Extract):
        raise TypeError(f"extract is what open_extract returns, not {type(extract).__name__}")
    if not isinstance(definitions, Definitions):
        raise TypeError("definitions are made by lr.Definitions.preset(...)")
    with threads(n_jobs):
        if to is not None:
            return _build(extract, definitions, Path(to).absolute(), resume)
        with tempfile.TemporaryDirectory(prefix="leoreturns-") as folder:
            return _in_memory(_build(extract, definitions, Path(folder) / "panel", resume=False))


def _build(extract: Extract, definitions: Definitions, target: Path, resume: bool) -> Panel:
    """Build in a folder beside the target, block by block, and put the panel together at the end."""
    if target.exists() or target.is_symlink():
        raise PanelError(f"{target.name!r} exists; give a new name")
    if not target.parent.is_dir():
        raise PanelError(f"the folder {str(target.parent)!r} does not exist; make it first")
    work = target.with_name(f".{target.name}.building")
    try:
        _open_work(work, _fingerprint(extract, definitions), resume)
        links = link_persons(extract, definitions.shared_ids)
        population = select_population(extract, definitions)
        last = _last_tax_year(extract, definitions)
        staged = _stage(extract, population, work, last)
        counts = ordered_map(
            lambda number: _build_block(number, staged, population, definitions, work),
            range(len(staged.borders) - 1),
            label="building blocks",
        )
        join_blocks(
            [work / f"block-{number:04d}" for number in range(len(counts))],
            target,
            steps=population.waterfall,
            settings=_settings(definitions, links, population, last, counts),
        )
    except OSError as error:
        raise PanelError(f"cannot write {target.name!r}: {os.strerror(error.errno or 0)}; blocks are kept") from None
    shutil.rmtree(work, ignore_errors=True)
    return Panel.open(target)


def _fingerprint(extract: Extract, definitions: Definitions) -> str:
    """Return a hash of what the panel depends on: tables, columns and rows of the extract, and the definitions."""
    tables = {name: [list(extract.tables[name]), extract.count(name)] for name in extract.tables}
    text = json.dumps([tables, extract.lookups, definitions.settings, BLOCK_PERSONS], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _open_work(work: Path, fingerprint: str, resume: bool) -> None:
    """Make the working folder, or keep that of an earlier run of the same build."""
    plan = work / PLAN_FILE
    if work.exists():
        same = resume and plan.exists() and plan.read_text(encoding="utf-8") == fingerprint
        if same:
            return
        shutil.rmtree(work)
    work.mkdir()
    (work / MARKER).write_text(NOTICE, encoding="utf-8")
    plan.write_text(fingerprint, encoding="utf-8")


def _settings(
    definitions: Definitions, links: list[Linked], population: Population, last: int, counts: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the record of the build: plain values, counts only."""
    totals: dict[str, dict[str, int]] = {}
    for block in counts:
        for name, reasons in block["left_out"].items():
            added = totals.setdefault(name, dict.fromkeys(reasons, 0))
            for reason, n in reasons.items():
                added[reason] += n
    return {
        "definitions": definitions.settings,
        "links": [{name: getattr(link, name) for name in Linked.__slots__} for link in links],
        "waterfall": [[label, {str(cohort): n for cohort, n in by.items()}] for label, by in population.waterfall],
        "last_tax_year_of_extract": last,
        "absent": counts[0]["absent"],
        "left_out": totals,
    }


# ---- laying out the tables by block ---------------------------------------------------------------------------------


def _last_tax_year(extract: Extract, definitions: Definitions) -> int:
    """Return the last tax year with earnings in the extract, to which spells without a last day run.

    Not that of the panel: a person-year is the same in panels that end in different years.
    """
    if not extract.has("earnings", "TaxYear"):
        return definitions.last_tax_year
    found = extract.query(f"SELECT max(TaxYear) AS last FROM {extract.select('earnings', ['TaxYear'])}", "earnings")
    last = found["last"][0].as_py()
    return definitions.last_tax_year if last is None else int(last)


def _stage(extract: Extract, population: Population, work: Path, last_tax_year: int) -> Staged:
    """Write the rows of every table that columns come from, by block of persons; a table that is done stays done."""
    borders = _borders(population)
    number = np.arange(len(population.ids), dtype=np.int32)
    block = np.searchsorted(np.array(borders[1:]), number, side="right").astype(np.int32)
    first = np.array(borders, dtype=np.int32)[block]
    extract.register("numbered", pa.table({"person": population.ids, "block": block, "number": number - first}))
    folder = work / "tables"
    folder.mkdir(exist_ok=True)
    columns = {}
    for name in [RECORD, *STAGED]:
        source = _source(extract, name)
        if source is not None:
            rows, columns[name] = source
            _stage_table(extract, name, rows, tuple(columns[name]), folder)
    lookups = tuple(view for name, view in LOOKUPS.items() if name in extract.lookups)
    for name, view in LOOKUPS.items():
        done = folder / f"lookup_{view}.parquet"
        if name not in extract.lookups:
            continue
        if not done.exists():
            part = done.with_suffix(".part")
            extract.execute(
                f"COPY (SELECT * FROM {extract.select(name)}) TO {literal(str(part))} (FORMAT parquet)", name
            )
            part.rename(done)
    extract.unregister("numbered")
    return Staged(folder, columns, lookups, borders, last_tax_year)


def _borders(population: Population) -> list[int]:
    """Cut the persons where key blocks end, into blocks of at least so many."""
    starts = np.flatnonzero(np.diff(population.keys >> BLOCK_SHIFT)) + 1
    borders = [0]
    for start in starts:
        if start - borders[-1] >= BLOCK_PERSONS:
            borders.append(int(start))
    return [*borders, len(population.ids)]


def _source(extract: Extract, name: str) -> tuple[str, dict[str, str]] | None:
    """Return the rows of a table that belong to persons, and its columns with their SQL types; None if it is absent."""
    known = table("ks4" if name == RECORD else name)
    present = extract.tables.get(known.name)
    if present is None:
        return None
    types = {column: SQL_TYPES[known.variable(column).type] for column in present}
    if name == RECORD:
        named = ", ".join(map(quoted, present))
        via = quoted(known.person or "")
        types |= {"ks4_points": "DOUBLE", "ks4_five_ac": "BOOLEAN", "cohort": "SMALLINT"}
        return f"(SELECT person, {via} AS via, {named}, ks4_points, ks4_five_ac, cohort FROM {RECORD})", types
    rows = rows_of_persons(extract, known, tuple(present))
    return None if rows is None else (rows, types)


def _stage_table(extract: Extract, name: str, rows: str, columns: tuple[str, ...], folder: Path) -> None:
    """Write one table by block."""
    done, part = folder / name, folder / f".{name}.part"
    if done.exists():
        return
    shutil.rmtree(part, ignore_errors=True)
    named = "".join(f", rows.{quoted(column)}" for column in columns)
    extract.execute(
        f"""COPY (SELECT numbered.block, numbered.number, rows.via{named} FROM {rows} AS rows
                  JOIN numbered ON rows.person = numbered.person)
            TO {literal(str(part))} (FORMAT parquet, PARTITION_BY (block))""",
        name,
    )
    part.mkdir(exist_ok=True)  # DuckDB makes none for no rows
    part.rename(done)


# ---- one block ------------------------------------------------------------------------------------------------------


def _build_block(
    number: int, staged: Staged, population: Population, definitions: Definitions, work: Path
) -> dict[str, Any]:
    """Build one block unless it is there; return the counts of what it left out."""
    done, record = work / f"block-{number:04d}", work / f"block-{number:04d}.json"
    if done.exists() and record.exists():
        found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        return found
    shutil.rmtree(done, ignore_errors=True)
    first, last = staged.borders[number], staged.borders[number + 1]
    connection = duckdb.connect(":memory:", config={"threads": 1, "autoinstall_known_extensions": False})
    try:
        connection.execute("SET enable_progress_bar = false")
        views = _views(connection, staged, number)
        block = Block(
            connection,
            last - first,
            population.cohort[first:last],
            views,
            staged.last_tax_year,
            frozenset(staged.lookups),
        )
        linked = None if population.linked is None else population.linked[first:last]
        panel, counts = assemble_block(
            block, population.ids[first:last], population.keys[first:last], linked, definitions
        )
    except duckdb.Error as error:
        raise failure(error, f"block {number} of the panel") from None
    finally:
        connection.close()
    panel.save(done)
    part = record.with_suffix(".part")
    part.write_text(json.dumps(counts), encoding="utf-8")
    part.rename(record)
    return counts


def _views(connection: duckdb.DuckDBPyConnection, staged: Staged, number: int) -> dict[str, frozenset[str]]:
    """Make the block's views; a table without a row here is an empty one."""
    for name, columns in staged.columns.items():
        files = sorted((staged.folder / name / f"block={number}").glob("*.parquet"))
        if files:
            listed = ", ".join(literal(str(file)) for file in files)
            rows = f"SELECT * EXCLUDE (block) FROM read_parquet([{listed}], hive_partitioning = true)"
        else:
            typed = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(column)}" for column, kind in columns.items())
            rows = f"SELECT CAST(NULL AS INTEGER) AS number, CAST(NULL AS VARCHAR) AS via, {typed} WHERE false"
        connection.execute(f"CREATE VIEW {quoted(name)} AS {rows}")
    for name in staged.lookups:
        file = literal(str(staged.folder / f"lookup_{name}.parquet"))
        connection.execute(f"CREATE VIEW lookup_{name} AS SELECT #1 AS code, #2 AS label FROM read_parquet({file})")
    return {name: frozenset(columns) for name, columns in staged.columns.items()}


def _in_memory(panel: Panel) -> Panel:
    """Return a panel whose arrays are copies, so that its folder can go."""
    return copy.deepcopy(panel)
