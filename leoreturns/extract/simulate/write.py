"""An extract of simulated persons as files: made whole or not at all, and marked that it must not be released."""

from __future__ import annotations

import json
import operator
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from leoreturns._folder import new_folder
from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray
from leoreturns.errors import ExtractError
from leoreturns.extract.schema import Table, VariableType
from leoreturns.extract.simulate.chunk import Plan, chunk_tables, world_tables
from leoreturns.extract.simulate.defects import RATES
from leoreturns.extract.simulate.estimands import report
from leoreturns.extract.simulate.rows import MISSING, Coded, Column, Rows
from leoreturns.extract.simulate.truth import Truth
from leoreturns.extract.simulate.world import World, outside_lookups
from leoreturns.extract.source import LOOKUP_FOLDER, Extract, open_extract
from leoreturns.extract.tables import TABLES, resolve_columns

NOTICE = "This folder holds records of simulated persons in the shape of LEO. Treat it as the real ones.\n"
TRUTH_FILE = "truth.json"
CHUNK_PERSONS = 50_000
FIRST_COHORT, LAST_COHORT = 2002, 2020  # key stage 4 is held from 2001-02; a tax year must follow
MOST_PERSONS = 1 << 28  # ids of records in further education have 31 bits, and a person has room for four
FEWEST_SCHOOLS, MOST_SCHOOLS = 46, 49_999  # one of each type in each region and one more; their numbers have room
FIRST_LABEL = 1990
_ACADEMIC_YEARS = pa.array([f"{year}/{year + 1}" for year in range(FIRST_LABEL, 2030)])
# One way of writing only, so that the bytes depend on the data alone. The dictionary of ids is larger than the default.
PARQUET_OPTIONS: Mapping[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "dictionary_pagesize_limit": 1 << 25,
    "store_schema": False,
    "write_statistics": False,
}


def simulate_extract(
    path: str | Path,
    *,
    n_persons: int,
    seed: int,
    truth: Mapping[str, Any] | None = None,
    defects: bool = True,
    cohorts: Iterable[int] = range(2002, 2008),
    n_jobs: int | None = None,
    chunk_persons: int = CHUNK_PERSONS,
    n_schools: int | None = None,
) -> Extract:
    """Write an extract of simulated persons in the shape of LEO Iteration 2: every table, with its usual defects.

    Nobody in it exists. Shares of levels, main activities and median earnings are fitted to those that the Department
    for Education published in May 2021; what causes pay is known and told in ``truth.json``.

    Parameters
    ----------
    path : path
        Folder to make: one subfolder per table with Parquet files, ``lookups/`` with outside lookups, ``truth.json``
        with what was simulated and how many defects of each kind there are, and a marker that it is not for release.
    n_persons : int
        Persons over all cohorts, at least 1.
    seed : int
        Not negative. The same seed gives the same bytes, for any `n_jobs`.
    truth : mapping, optional
        Causal parameters other than their defaults, such as ``{"degree": (0.1, 0.1)}``: see
        `leoreturns.extract.simulate.truth.Truth`. Away from the defaults the published medians no longer hold.
    defects : bool
        Whether records have the defects of real ones. The persons are the same without.
    cohorts : iterable of int
        Calendar years in which key stage 4 ends, between 2002 and 2020.
    n_jobs : int, optional
        Threads; see `leoreturns._parallel.thread_count`. A thread needs about 1 GB for 50,000 persons.
    chunk_persons : int
        Persons simulated at a time; another number gives other persons.
    n_schools : int, optional
        Schools, at least one of each type in each region; as many as suit the persons if left out.

    Returns
    -------
    Extract
        The folder, opened with its lookups; see `open_extract`.

    Raises
    ------
    ExtractError
        If the folder exists, its parent does not, or the disk is full: nothing is left behind.
    ValueError
        If an argument is out of its range, or `truth` has no such parameter.
    TypeError
        If a number is no whole one.
    """
    plan = plan_of(n_persons, seed, chunk_persons, cohorts, defects, truth, n_schools)
    with new_folder(Path(path), ExtractError, NOTICE) as folder:
        world = plan.world()
        _write_lookups(folder / LOOKUP_FOLDER, outside_lookups(world))
        for table, stem, rows in world_tables(plan, world):
            _write_rows(folder / table / f"{stem}.parquet", TABLES[table], rows)

        def write_chunk(chunk: int) -> Counter[str]:
            counts: Counter[str] = Counter()
            for table, stem, rows in chunk_tables(plan, world, chunk, counts):
                _write_rows(folder / table / f"{stem}-{chunk:05d}.parquet", TABLES[table], rows)
            return counts

        made = sum(ordered_map(write_chunk, range(plan.n_chunks), n_jobs=n_jobs, label="persons"), Counter[str]())
        _write_truth(folder / TRUTH_FILE, plan, world, made)
    return open_extract(path)


def plan_of(
    n_persons: int,
    seed: int,
    chunk_persons: int,
    cohorts: Iterable[int],
    defects: bool,
    truth: Mapping[str, Any] | None,
    n_schools: int | None,
) -> Plan:
    """Return what is simulated, once every argument is found to be in its range; see `simulate_extract`."""
    # NumPy's whole numbers become Python's, which JSON can hold.
    n_persons, seed, chunk_persons = map(operator.index, (n_persons, seed, chunk_persons))
    n_schools = None if n_schools is None else operator.index(n_schools)
    years = tuple(sorted({operator.index(year) for year in cohorts}))
    if not 1 <= n_persons <= MOST_PERSONS:
        raise ValueError(f"n_persons must be between 1 and {MOST_PERSONS:,}, not {n_persons:,}")
    if seed < 0:
        raise ValueError("seed must not be negative")
    if chunk_persons < 1:
        raise ValueError("chunk_persons must be positive")
    if not years or years[0] < FIRST_COHORT or years[-1] > LAST_COHORT:
        raise ValueError(f"cohorts must be calendar years between {FIRST_COHORT} and {LAST_COHORT}")
    if n_schools is not None and not FEWEST_SCHOOLS <= n_schools <= MOST_SCHOOLS:
        raise ValueError(f"n_schools must be between {FEWEST_SCHOOLS} and {MOST_SCHOOLS}, not {n_schools:,}")
    return Plan(n_persons, seed, chunk_persons, years, defects, Truth.of(truth), n_schools)


def _write_rows(path: Path, table: Table, rows: Rows) -> None:
    """Write rows with the types that the form gives to their columns."""
    kinds: dict[str, VariableType] = {
        found: table.variable(name).type
        for columns in resolve_columns(table, rows).columns.values()
        for name, found in columns.items()
    }
    columns = {name: _arrow(column, kinds[name]) for name, column in rows.items()}
    path.parent.mkdir(exist_ok=True)  # a table of which nothing is held has no folder
    texts = [name for name, column in columns.items() if pa.types.is_dictionary(column.type)]
    pq.write_table(pa.table(columns), path, use_dictionary=texts, **PARQUET_OPTIONS)


def _arrow(column: Column, kind: VariableType) -> pa.Array:
    if isinstance(column, Coded):
        return _dictionary(column.codes, column.labels)
    if kind == "academic_year":
        return _dictionary(np.where(column == MISSING, -1, column - FIRST_LABEL), _ACADEMIC_YEARS)
    if column.dtype.kind == "f":
        return pa.array(column, pa.float64(), mask=np.isnan(column))
    if kind == "flag":
        return pa.array(column, pa.int8(), mask=column < 0)
    missing = column == MISSING
    if kind == "tax_year":
        return pa.array(np.where(missing, 0, column * 100 + (column + 1) % 100).astype(np.int32), mask=missing)
    if kind == "date":
        return pa.array(column.astype(np.int32), mask=missing).cast(pa.date32())
    return pa.array(column, pa.int64() if kind == "int_id" else pa.int32(), mask=missing)


def _dictionary(codes: AnyArray, labels: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=codes < 0), labels)


def _write_lookups(folder: Path, lookups: Mapping[str, pa.Table]) -> None:
    folder.mkdir()
    for name, table in lookups.items():
        pacsv.write_csv(table, folder / f"{name}.csv")


def _write_truth(path: Path, plan: Plan, world: World, made: Counter[str]) -> None:
    defects = {name: {"rate": rate, "count": made[name]} for name, rate in RATES.items()} if plan.defects else {}
    path.write_text(json.dumps(told(plan, world, made, defects), indent=1) + "\n", encoding="utf-8")


def told(plan: Plan, world: World, made: Mapping[str, float], defects: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a simulation: its arguments, defects, parameters and true values."""
    return {
        "n_persons": plan.n_persons,
        "seed": plan.seed,
        "chunk_persons": plan.chunk_persons,
        "cohorts": list(plan.cohorts),
        "defects": dict(defects),
        "truth": plan.truth.settings,
        "estimands": report(plan.truth, world, made),
    }
