"""Blocks of a few persons for the tests of the years: tables written as records, in a small DuckDB."""

import datetime as dt

import duckdb
import numpy as np
import pyarrow as pa

from leoreturns.extract.convert import SQL_TYPES
from leoreturns.extract.tables import table as known_table
from leoreturns.panel.block import Block
from leoreturns.panel.definitions import Definitions, illustrative_deflator
from leoreturns.panel.derive import derive_years

# Tables whose rows a rule of the years reads.
TABLES = (
    "employment",
    "earnings",
    "self_assessment",
    "benefits",
    "cjrs",
    "geography",
    "ks5",
    "plams",
    "school_census",
    "ilr_aims",
    "hesa",
)
ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
}


def make_block(
    cohorts,
    records,
    *,
    last_tax_year=2020,
    lacking=(),
    areas=None,
    sectors=None,
    coverage=None,
    linked=None,
    seed=None,
    threads=1,
):
    """A block whose tables hold records (table -> list of dicts with number, via and columns of the table).

    Tables that `records` does not name are empty; those in `lacking` are absent, as are columns named there as
    (table, column). The rows are shuffled where a seed is given.
    """
    connection = duckdb.connect(config={"threads": threads})
    tables = {}
    for name in TABLES:
        if name in lacking:
            continue
        columns = [column for column in known_table(name).variables if (name, column.name) not in lacking]
        types = {"number": "INTEGER", "via": "VARCHAR"} | {column.name: SQL_TYPES[column.type] for column in columns}
        rows = [{"number": 0, "via": "A"} | record for record in records.get(name, [])]
        assert all(set(row) <= {*types, *known_table(name).names} for row in rows), f"a record of {name} is misspelt"
        if seed is not None:
            np.random.default_rng(seed).shuffle(rows)
        _create(connection, name, types, [[row.get(column) for column in types] for row in rows])
        tables[name] = frozenset(column.name for column in columns)
    lookups = {name: given for name, given in (("areas", areas), ("sectors", sectors)) if given is not None}
    for name, given in lookups.items():
        _create(connection, f"lookup_{name}", {"code": "VARCHAR", "label": "VARCHAR"}, list(given.items()))
    cohort = np.array(cohorts, dtype=np.int16)
    linked = None if linked is None else np.array(linked, dtype=bool)
    return Block(connection, len(cohort), cohort, tables, last_tax_year, frozenset(lookups), coverage or {}, linked)


def _create(connection, name, types, rows):
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    arrays = [pa.array(column, ARROW_TYPES[kind]) for column, kind in zip(columns, types.values(), strict=True)]
    connection.register("given", pa.table(arrays, list(types)))
    connection.execute(f'CREATE TABLE "{name}" AS FROM given')
    connection.unregister("given")


def define(**settings):
    """Definitions that give everybody of the cohorts 2002 to 2019 rows to 2020."""
    general = {"price_year": 2017, "last_tax_year": 2020, "sustained": "twelve months", "self_employment": "exclude"}
    return Definitions.preset("dfe-statistics", **{"deflator": illustrative_deflator(), **general, **settings})


def years_of(records, *, cohorts=(2002,), settings=None, degree_years=None, **options):
    """Derive the years of a block of records."""
    degrees = None if degree_years is None else pa.array(degree_years, pa.int64())
    return derive_years(make_block(cohorts, records, **options), define(**(settings or {})), degrees)


def values(years, name):
    """A column as Python values, None for missing, person after person."""
    column = years.columns[name]
    if column.kind == "code":
        return [None if code < 0 else column.labels[code] for code in column.values.tolist()]
    return [None if value != value else value for value in column.values.tolist()]


def by_year(years, name, person=0):
    """A person's values of a column by tax year."""
    own = slice(*years.row_offsets[person : person + 2])
    return dict(zip(years.columns["tax_year"].values[own].tolist(), values(years, name)[own], strict=True))


def day(text):
    return dt.date.fromisoformat(text)


def spell(start, end, **more):
    """A record of employment or benefit; dates as text, None for none."""
    return {"StartDate": start and day(start), "EndDate": end and day(end)} | more
