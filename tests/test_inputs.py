"""What a panel is made of: exactly the columns that the rules read."""

import dataclasses
import itertools

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from build_cases import definitions, lookups_of, simulated

from leoreturns.extract.convert import SQL_TYPES
from leoreturns.extract.source import open_extract
from leoreturns.extract.tables import TABLES, resolve_columns
from leoreturns.panel.assemble import assemble_block
from leoreturns.panel.block import Block
from leoreturns.panel.build import build_panel
from leoreturns.panel.inputs import AGE, AT_END, LOOKUPS, READ, all_read
from leoreturns.panel.rules import VIA
from leoreturns.panel.staging import CHOSEN


class Asked(frozenset):
    """Columns that keep which of them somebody asks for."""

    def __new__(cls, names):
        new = super().__new__(cls, names)
        new.asked = set()
        return new

    def __contains__(self, name):
        self.asked.add(name)
        return super().__contains__(name)

    def issuperset(self, names):
        self.asked.update(names)
        return super().issuperset(names)


@pytest.fixture
def block():
    """One person, and every table with all its columns and no row."""
    connection = duckdb.connect()
    for name in READ:
        variables = TABLES[name].variables
        columns = ", ".join(f'CAST(NULL AS {SQL_TYPES[each.type]}) AS "{each.name}"' for each in variables)
        view = CHOSEN.get(name, name)
        connection.execute(f"CREATE VIEW {view} AS SELECT 0 AS number, '' AS via, {columns} WHERE false")
    for name in LOOKUPS.values():
        connection.execute(f"CREATE VIEW lookup_{name} AS SELECT '' AS code, '' AS label WHERE false")
    tables = {name: Asked(TABLES[name].names) for name in READ}
    yield Block(connection, 1, np.array([2003], np.int16), tables, 2017, frozenset(LOOKUPS.values()))
    connection.close()


def test_the_columns_declared_are_those_that_the_rules_read(block):
    """A rule may ask for a column in place of one that is not there."""
    without = dataclasses.replace(block, tables={name: Asked(()) for name in READ})
    for each, sector in itertools.product((block, without), ("pay", "enterprise")):
        assemble_block(each, np.array([1]), np.array([1], np.uint64), definitions(sector=sector))
    asked = {name: block.tables[name].asked | without.tables[name].asked for name in READ}
    assert {name: columns - {VIA} for name, columns in asked.items()} == {
        name: set(columns) for name, columns in READ.items()
    }
    assert all(len(set(columns)) == len(columns) for columns in READ.values())


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("extract") / "leo", 60)


def spoilt(name, frame):
    """A table with what cannot be read in every column that no rule reads, but for those that place its rows."""
    table = TABLES[name]
    read = {*READ[name], table.person, table.year, table.term, AT_END, AGE}
    resolved = resolve_columns(table, frame)
    unread = [found for names in resolved.columns.values() for own, found in names.items() if own not in read]
    return frame.assign(**dict.fromkeys(unread, "junk")), len(unread)


@pytest.mark.parametrize("kind", ["files", "frames"])
def test_values_of_columns_that_no_rule_reads_stop_nothing(kind, extract, tmp_path):
    links = {name: extract / name for name in TABLES if name.startswith("lookup_")}
    whole = {name: pd.read_parquet(extract / name) for name in READ}
    changed, unread = {}, 0
    for name, frame in whole.items():
        changed[name], columns = spoilt(name, frame)
        unread += columns
        if kind == "files":
            changed[name].to_parquet(tmp_path / f"{name}.parquet")
            changed[name] = tmp_path / f"{name}.parquet"
    assert unread > 50
    panels = []
    for given in (whole, changed):
        with open_extract(given | links, lookups=lookups_of(extract)) as source:
            panels.append(build_panel(source, definitions=definitions()).to_frame())
    pd.testing.assert_frame_equal(*panels)


def test_the_stamp_of_an_extract_is_that_of_what_is_read(extract):
    pay = pd.DataFrame({"Edukey": ["a", "b"], "TaxYear": [200304, 200405], "Earnings": [1.0, 2.0], "SIC_Earnings": 0.0})
    stamps = []
    for frame in (pay, pay.assign(SIC_Earnings=1.0), pay.assign(Earnings=[1.0, 3.0]), pay.assign(Edukey=["a", "c"])):
        with open_extract({"earnings": pa.Table.from_pandas(frame)}) as source:
            assert all_read(source) == {"earnings": ("TaxYear", "Earnings", "Edukey")}
            stamps.append(source.stamp(all_read(source)))
    assert stamps[0] == stamps[1]
    assert stamps[0] not in stamps[2:] and stamps[2] != stamps[3]
