"""build_panel(): from the linked LEO tables to the person-year panel, in blocks of persons that survive a stop."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from leoreturns._parallel import ordered_map, thread_count, threads
from leoreturns._typing import AnyArray
from leoreturns.errors import PanelError
from leoreturns.extract.database import failure
from leoreturns.extract.link import LOOKUPS as LINKS
from leoreturns.extract.link import Linked, link_persons
from leoreturns.extract.source import Extract
from leoreturns.panel import offsets as csr
from leoreturns.panel import store
from leoreturns.panel.assemble import BlockRecord, aligned, aligned_codes, assemble_block, common_schema
from leoreturns.panel.block import Block
from leoreturns.panel.coverage import last_tax_year, observed_years
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.folder import reason
from leoreturns.panel.panel import Panel
from leoreturns.panel.population import Population, select_population
from leoreturns.panel.staging import STAGED, Staged, make_views, stage
from leoreturns.panel.store import StoredArray
from leoreturns.panel.waterfall import Waterfall
from leoreturns.panel.working import Working

BLOCK_PERSONS = 50_000  # at least; borders are those of key blocks


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
        Otherwise what it left is removed. Files are the same while their names, sizes and times of change are.
    n_jobs : int, optional
        Threads; the result is the same to the last bit for any number.

    Returns
    -------
    Panel
        With its flow, and in ``settings`` the definitions, the links that were dropped, the steps of the selection by
        cohort (see `Waterfall`), and the counts of what was left out.

    Raises
    ------
    ExtractError
        If tables without which there is no panel are absent, or values are not of their type.
    PanelError
        If the definitions' last tax year lies after that of the extract, if the target exists, or if the disk is full;
        the finished blocks are kept for the next run then.
    """
    if not isinstance(extract, Extract):
        raise TypeError(f"extract is what open_extract returns, not {type(extract).__name__}")
    if not isinstance(definitions, Definitions):
        raise TypeError("definitions are made by lr.Definitions.preset(...)")
    with threads(n_jobs), _as_many_threads(extract):
        if to is not None:
            target = Path(to).absolute()
            with _writing(repr(target.name), "finished blocks are kept: build again to go on"):
                _build(extract, definitions, target, resume)
            return Panel.open(target)
        advice = "set TMPDIR to a folder with more space, or name a folder for the panel"
        with _writing("temporary files", advice), tempfile.TemporaryDirectory(prefix="leoreturns-") as folder:
            target = Path(folder) / "panel"
            _build(extract, definitions, target, resume=False)
            return store.open_panel(target, mapped=False)


def _build(extract: Extract, definitions: Definitions, target: Path, resume: bool) -> None:
    """Build in a folder beside the target, block by block, and put the panel together at the end."""
    working = Working(target, _fingerprint(extract, definitions))
    working.open(resume=resume)
    if not working.is_built:
        coverage = observed_years(extract)
        last = last_tax_year(coverage, definitions)
        links = link_persons(extract, definitions.shared_ids)
        population = select_population(extract, definitions)
        staged = stage(extract, population, working, BLOCK_PERSONS)
        records = _build_blocks(staged, population, definitions, working, coverage, last)
        settings = _settings(definitions, links, population, staged, records)
        settings |= {"coverage": coverage, "last_tax_year_of_extract": last}
        _join_blocks(records, settings, working)
    working.finish()


@contextmanager
def _writing(what: str, advice: str) -> Iterator[None]:
    """Turn errors of the disk into ours."""
    try:
        yield
    except OSError as error:
        raise PanelError(f"cannot write {what}: {reason(error)}; {advice}") from None


@contextmanager
def _as_many_threads(extract: Extract) -> Iterator[None]:
    """Let the extract's database use the threads that are in use here."""
    extract.execute(f"SET threads = {thread_count()}", "extract")
    try:
        yield
    finally:
        with threads(-1):
            extract.execute(f"SET threads = {thread_count()}", "extract")


def _fingerprint(extract: Extract, definitions: Definitions) -> str:
    """Return a hash of what the panel depends on: tables and lookups, the definitions, and the versions at work."""
    lookups = [lookup for lookup, _ in LINKS.values()]
    used = [name for name in (*STAGED, *lookups) if name in extract.tables]
    stamps = extract.stamp([*used, *extract.lookups])
    try:
        installed = version("leoreturns")
    except PackageNotFoundError:
        installed = ""
    told = [stamps, definitions.settings, BLOCK_PERSONS, installed, duckdb.__version__]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _settings(
    definitions: Definitions,
    links: Sequence[Linked],
    population: Population,
    staged: Staged,
    records: Sequence[BlockRecord],
) -> dict[str, Any]:
    """Return the record of the build: plain values, counts only."""
    totals: dict[str, dict[str, int]] = {}
    for record in records:
        for name, reasons in record.left_out.items():
            added = totals.setdefault(name, dict.fromkeys(reasons, 0))
            for why, n in reasons.items():
                added[why] += n
    return {
        "definitions": definitions.settings,
        "links": [dataclasses.asdict(link) for link in links],
        "waterfall": [[label, {str(cohort): n for cohort, n in by.items()}] for label, by in population.waterfall],
        "absent": records[0].absent,
        "unlinked": staged.unlinked,
        "left_out": totals,
    }


# ---- blocks ---------------------------------------------------------------------------------------------------------


def _build_blocks(
    staged: Staged,
    population: Population,
    definitions: Definitions,
    working: Working,
    coverage: Mapping[str, int],
    last: int,
) -> list[BlockRecord]:
    """Build every block that is not there; return what the blocks tell of themselves."""
    blocks = range(len(staged.borders) - 1)
    inner = max(1, thread_count() // len(blocks))

    def build(number: int) -> BlockRecord:
        path = working.building / f"block-{number:04d}.json"
        if path.exists():
            return BlockRecord.from_json(json.loads(path.read_text(encoding="utf-8")))
        with threads(inner):
            record = _build_block(number, staged, population, definitions, working, coverage, last)
        with working.file(path) as file:
            file.write_text(json.dumps(record.to_json()), encoding="utf-8")
        return record

    return ordered_map(build, blocks, label="building blocks")


def _build_block(
    number: int,
    staged: Staged,
    population: Population,
    definitions: Definitions,
    working: Working,
    coverage: Mapping[str, int],
    last_tax_year: int,
) -> BlockRecord:
    """Build and store one block."""
    first, last = staged.borders[number], staged.borders[number + 1]
    linked = None if population.linked is None else population.linked[first:last]
    with working.folder(working.building / f"block-{number:04d}") as folder:
        connection = _connection(folder / "spill", f"block {number} of the panel")
        try:
            block = Block(
                connection,
                last - first,
                population.cohort[first:last],
                make_views(connection, staged, number),
                last_tax_year,
                frozenset(staged.lookups),
                coverage,
                linked,
            )
            panel, record = assemble_block(block, population.ids[first:last], population.keys[first:last], definitions)
        except (duckdb.Error, pa.ArrowException) as error:
            raise failure(error, f"block {number} of the panel") from None
        finally:
            connection.close()
        store.write_arrays(panel, folder)
    return record


def _connection(spill: Path, what: str) -> duckdb.DuckDBPyConnection:
    """Return a database in memory for one block, of one thread, that installs nothing and spills beside the block."""
    config: dict[str, Any] = {
        "threads": 1,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        connection = duckdb.connect(":memory:", config=config)
        connection.execute("SET enable_progress_bar = false")
    except duckdb.Error as error:
        raise failure(error, what) from None
    return connection


# ---- all blocks -----------------------------------------------------------------------------------------------------


def _join_blocks(records: Sequence[BlockRecord], settings: dict[str, Any], working: Working) -> None:
    """Store the blocks as the parts of one panel, an array at a time, and remove what is of it in the blocks."""
    schema, types = common_schema(records)
    blocks = [working.building / f"block-{number:04d}" for number in range(len(records))]

    def of_block(number: int, array: StoredArray) -> AnyArray:
        values, given = store.map_array(blocks[number] / array.file), records[number].schema
        if array.column:
            name = array.column
            return aligned(values, given.columns[name], schema.columns[name], types[name])
        if array.field == "codes":
            return aligned_codes(values, given.lists[array.entries], schema.lists[array.entries])
        return values

    def join(array: StoredArray) -> None:
        path = working.panel / array.file
        if not path.exists():
            # One block at a time: as many files would be open as there are blocks otherwise.
            stored = (store.map_array(block / array.file) for block in blocks)
            parts: Iterable[AnyArray]
            if array.is_offsets:
                parts = [csr.joined([values.copy() for values in stored])]
                length, dtype = len(parts[0]), parts[0].dtype
            else:
                given = [(len(values), values.dtype) for values in stored]
                length, dtype = sum(n for n, _ in given), types.get(array.column, given[0][1])
                parts = (of_block(number, array) for number in range(len(blocks)))
            with working.file(path) as file:
                store.write_joined(file, parts, length, dtype)
        for block in blocks:
            (block / array.file).unlink(missing_ok=True)

    ordered_map(join, store.stored_arrays(schema), label="storing the panel")
    borders = np.cumsum([0, *(record.persons for record in records)]).tolist()
    flow = Waterfall.of(settings).flow()
    n_row = sum(record.n_row for record in records)
    with working.file(working.panel / store.SCHEMA_FILE) as file:
        store.write_header(file, schema, flow, borders, n_row, settings=settings)
