"""The panel on disk: round trips, partitions, scans, and nothing left behind when the disk is full."""

import dataclasses
import errno
import os
import pickle
import resource
import subprocess
import sys
import textwrap
import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from panel_cases import assert_same, wage_panel, wages

from leoreturns._folder import new_folder
from leoreturns.aggregates.compute import aggregate
from leoreturns.errors import PanelError
from leoreturns.panel import Panel, parquet, rows, store

SUBJECTS = pd.DataFrame({"person": [5, 18, 5], "code": ["b", "a", "a"], "start": pd.to_datetime(["2010-09-01"] * 3)})


@pytest.fixture(scope="module")
def panel():
    return wage_panel(wages(300, seed=2), lists={"subjects": SUBJECTS})


# ---- frames ---------------------------------------------------------------------------------------------------------


def test_a_frame_and_back(panel):
    frame = panel.to_frame()
    assert frame["employed"].dtype == bool
    assert isinstance(frame["sex"].dtype, pd.CategoricalDtype)
    assert frame["band"].cat.ordered
    assert frame["born"].dtype.kind == "M"
    assert_same(panel, wage_panel(frame, lists={"subjects": SUBJECTS}))


def test_a_frame_of_every_kind_and_back():
    frame = pd.DataFrame(
        {
            "id": ["a", "b", "c", "c"],
            "year": [1, 1, 1, 2],
            "flag": pd.array([True, None, True, False], dtype="boolean"),
            "empty": np.array([None] * 4, dtype=object),
            "moment": pd.to_datetime(["2015-01-01 10:00", None, "2015-01-01 11:00", "2016-01-01 00:00"]),
            "zoned": pd.to_datetime(["2015-01-01 10:00", None, "2015-01-01 11:00", "2016-01-01 00:00"]).tz_localize(
                "UTC"
            ),
            "grade": pd.Categorical([1, 2, None, 1]),
            "half": pd.Categorical([0.5, 1.0, None, 0.5]),
            "big": [2**40, 1, 2, 3],
        }
    )
    panel = Panel.from_frame(frame, person="id", time="year", traits=[])
    again = Panel.from_frame(panel.to_frame(), person="id", time="year", traits=[])
    assert_same(panel, again)
    assert panel.column("half").labels == (0.5, 1)
    assert panel.column("flag").missing == 1


# ---- save, open, scan -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partitions", [1, 7, 64])
def test_saved_panels_open_as_they_were(panel, tmp_path, partitions):
    panel.save(tmp_path / "panel", partitions=partitions)
    opened = Panel.open(tmp_path / "panel")
    assert_same(panel, opened)
    assert opened.flow == panel.flow
    assert (tmp_path / "panel" / "NOT-FOR-RELEASE").is_file()


def test_a_panel_of_one_part_is_mapped_not_read(panel, tmp_path):
    panel.save(tmp_path / "panel")
    array = Panel.open(tmp_path / "panel").array("earnings")
    while array.base is not None and not isinstance(array, np.memmap):
        array = array.base
    assert isinstance(array, np.memmap)


@pytest.mark.parametrize("partitions", [1, 7, 64])
def test_parts_follow_each_other_in_key_order(panel, tmp_path, partitions):
    panel.save(tmp_path / "panel", partitions=partitions)
    scan = Panel.scan(tmp_path / "panel")
    parts = list(scan)
    assert len(parts) == scan.partitions == partitions
    assert (scan.n_person, scan.n_row, scan.schema) == (panel.n_person, panel.n_row, panel.schema)
    np.testing.assert_array_equal(np.concatenate([part.keys for part in parts]), panel.keys)
    for name in panel.schema.columns:
        joined = np.concatenate([part.array(name) for part in parts])
        assert joined.tobytes() == panel.array(name).tobytes()
        assert joined.dtype == panel.array(name).dtype
    for before, after in pairwise(parts):
        assert before.keys[-1] >> np.uint64(52) < after.keys[0] >> np.uint64(52)
    assert repr(scan) == f"<Scan: {panel.n_person} persons, {panel.n_row:,} rows stored in {partitions} parts>"


def test_parts_without_a_person_are_left_out(tmp_path):
    small = wage_panel(wages(3))
    small.save(tmp_path / "panel", partitions=4096)
    assert Panel.scan(tmp_path / "panel").partitions == 3
    assert_same(small, Panel.open(tmp_path / "panel"))


def test_a_scan_selects_as_a_panel_does(panel, tmp_path):
    panel.save(tmp_path / "panel", partitions=7)
    whole = panel.where("employed and earnings > 20000").at(tax_year=[2011, 2012])
    scan = Panel.scan(tmp_path / "panel").where("employed and earnings > 20000").at(tax_year=[2011, 2012])
    assert scan.flow == whole.flow
    assert pickle.loads(pickle.dumps(scan)).flow == whole.flow
    assert (scan.n_person, scan.n_row) == (whole.n_person, whole.n_row)
    np.testing.assert_array_equal(np.concatenate([part.selection for part in scan]), whole.selection)
    for condition in ("wage > 1", "sex == 'X'", "sex"):
        with pytest.raises(PanelError, match=r"unknown column|no such label|not a true/false"):
            Panel.scan(tmp_path / "panel").where(condition)


def band_of(part):
    """Labels that depend on what a part holds, missing in parts without an old person."""
    hours = part.array("hours")
    return np.where(hours > 58, np.array([f"h{hour}" for hour in hours], dtype=object), None)


@pytest.mark.parametrize("partitions", [1, 7, 64])
def test_a_scan_assigns_as_a_panel_does(panel, tmp_path, partitions):
    panel.save(tmp_path / "panel", partitions=partitions)
    years = {
        "log_pay": "log(earnings)",
        "rich": "earnings > 60000",
        "again": "region",
        "band_of": band_of,
        "third": lambda part: part.array("hours").astype(np.int64) * 3,
        "top": "band_of == 'h59'",
    }

    def assigned(data):
        chosen = data.assign(**years, owner="us").assign(woman="sex == 'F'", level="person")
        return chosen.assign(pay="earnings / 2", unit="GBP/year").where("woman and not rich and top is missing")

    whole, scan = assigned(panel), assigned(Panel.scan(tmp_path / "panel"))
    parts = list(scan)
    assert scan.partitions == len(parts) == partitions
    assert scan.schema == whole.schema
    assert scan.flow == whole.flow
    for name, column in whole.schema.columns.items():
        joined = np.concatenate([part.array(name) for part in parts])
        assert (joined.dtype, joined.tobytes()) == (whole.array(name).dtype, whole.array(name).tobytes()), name
        assert all(part.column(name) == column for part in parts)
    pd.testing.assert_frame_equal(scan.info(), whole.info())
    pd.testing.assert_frame_equal(scan.to_frame(), whole.to_frame(), check_index_type=False)
    assert Panel.scan(tmp_path / "panel").assign(half="earnings / 2").flow == panel.flow


def test_numbers_missing_from_a_whole_part_stay_numbers(panel, tmp_path):
    panel.save(tmp_path / "panel", partitions=3)
    first = int(next(iter(Panel.scan(tmp_path / "panel"))).keys[0])

    def sparse(part):
        none = int(part.keys[0]) == first
        return np.full(part.n_row_stored, None) if none else part.array("hours")

    scan = Panel.scan(tmp_path / "panel").assign(x=sparse)
    assert [part.array("x").dtype for part in scan] == [np.float64] * 3
    counts = [int(np.isnan(part.array("x")).sum()) for part in scan]
    assert counts == [next(iter(scan)).n_row, 0, 0]
    assert scan.info().loc["x", "missing"] == counts[0]


def test_a_scan_refuses_what_differs_between_its_parts(panel, tmp_path):
    panel.save(tmp_path / "panel", partitions=3)
    scan = Panel.scan(tmp_path / "panel")
    last = int(list(scan)[-1].keys[0])

    def varied(one, other):
        return lambda part: (one if int(part.keys[0]) == last else other)(part.n_row_stored)

    cases = {
        "of another kind in some parts": varied(lambda n: ["a"] * n, lambda n: [1] * n),
        "labels of another kind": varied(lambda n: ["a"] * n, lambda n: pd.Categorical([1] * n)),
        "ordered levels of column 'x' differ": varied(
            lambda n: pd.Categorical(["a"] * n, ordered=True), lambda n: pd.Categorical(["b"] * n, ordered=True)
        ),
    }
    for message, value in cases.items():
        with pytest.raises(PanelError, match=message):
            scan.assign(x=value)
    for value in (np.zeros(panel.n_row), pd.DataFrame({"person": [5], "x": [1]}), 1):
        with pytest.raises(PanelError, match="column 'x': give a scan an expression or a callable"):
            scan.assign(x=value)
    with pytest.raises(PanelError, match="unknown column 'wage'"):
        scan.assign(x="wage + 1")


def test_a_selection_is_saved_alone(panel, tmp_path):
    smaller = panel.where("sex == 'F' and tax_year >= 2013")
    smaller.save(tmp_path / "panel", partitions=3)
    opened = Panel.open(tmp_path / "panel")
    assert opened.selection is None
    assert (opened.n_person_stored, opened.n_row_stored) == (smaller.n_person, smaller.n_row)
    assert opened.flow == smaller.flow
    pd.testing.assert_frame_equal(opened.to_frame(), smaller.to_frame().reset_index(drop=True))
    assert len(opened.lists["subjects"].codes) == sum(
        int(np.diff(smaller.lists["subjects"].offsets)[place])
        for place, person in enumerate(smaller.ids.data)
        if person in set(opened.ids.data.tolist())
    )


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_saved_selection_counts_its_own_missing_entries(tmp_path, partitions):
    frame = wages(300, seed=2)
    frame["sex"] = frame["sex"].where(frame["person"] % 2 == 0)
    panel = wage_panel(frame, lists={"subjects": SUBJECTS})
    for number, condition in enumerate(["earnings is not missing and hours > 30", "sex is missing", "hours > 99"]):
        smaller = panel.where(condition)
        smaller.save(tmp_path / str(number), partitions=partitions)
        opened = Panel.open(tmp_path / str(number))
        left = smaller.to_frame()
        persons = left.drop_duplicates("person")
        for name, column in opened.schema.columns.items():
            entries = persons if column.level == "person" else left
            assert column.missing == entries[name].isna().sum(), (condition, name)
        assert opened.schema.lists["subjects"].entries == SUBJECTS["person"].isin(persons["person"]).sum()
        assert_same(opened, store.compacted(smaller))
    assert panel.column("earnings").missing > 0


@pytest.mark.parametrize("files", [1, 3, 50])
def test_a_selection_goes_to_parquet_alone(panel, tmp_path, monkeypatch, files):
    monkeypatch.setattr(parquet, "BATCH_PERSONS", 7)
    smaller = panel.where("sex == 'F' and tax_year >= 2013")
    smaller.to_parquet(tmp_path / "out", files=files)
    read = Panel.from_parquet(tmp_path / "out")
    left = smaller.to_frame()
    chosen = SUBJECTS[SUBJECTS["person"].isin(left["person"])]
    assert_same(
        read, wage_panel(left, lists={"subjects": chosen}, time_varying=["hours", "region", "employed", "band"])
    )


def test_saving_a_selection_copies_no_column(tmp_path, monkeypatch):
    n = 300_000
    columns = {"id": np.arange(n) // 10, "year": np.arange(n) % 10, "pay": np.arange(n) / 7, "more": np.arange(n) / 3}
    panel = Panel.from_frame(columns, person="id", time="year").where("year > 0")
    monkeypatch.setattr(rows, "BLOCK", 4096)
    tracemalloc.start()
    panel.save(tmp_path / "panel")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * n  # bytes: persons, of whom there is one in ten rows, are gathered


@pytest.mark.parametrize("partitions", [1, 3])
def test_an_empty_selection_is_saved_too(panel, tmp_path, partitions):
    panel.where("tax_year > 3000").save(tmp_path / "panel", partitions=partitions)
    opened = Panel.open(tmp_path / "panel")
    assert (opened.n_person, opened.n_row) == (0, 0)
    assert len(opened.to_frame()) == 0
    assert [part.n_row for part in Panel.scan(tmp_path / "panel")] == [0]


def test_text_ids_and_odd_names_survive(tmp_path):
    frame = wages(20).rename(columns={"hours": "../hours per week", "school": "a/b"})
    frame["person"] = [f"pupil ü {person}" for person in frame["person"]]
    panel = Panel.from_frame(frame, person="person", time="tax_year")
    for partitions in (1, 5):
        panel.save(tmp_path / f"panel{partitions}", partitions=partitions)
        assert_same(panel, Panel.open(tmp_path / f"panel{partitions}"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["panel1", "panel5"]


def test_the_marker_of_partitions_and_bad_numbers(panel, tmp_path):
    for partitions in (0, 4097):
        with pytest.raises(PanelError, match="partitions must lie between 1 and 4,096"):
            panel.save(tmp_path / "panel", partitions=partitions)
    with pytest.raises(PanelError, match="files must be at least 1"):
        panel.to_parquet(tmp_path / "panel", files=0)


def test_a_damaged_panel_is_refused(panel, tmp_path):
    panel.save(tmp_path / "panel")
    with pytest.raises(PanelError, match=r"is not a stored panel: schema.json cannot be read"):
        Panel.open(tmp_path)
    column = tmp_path / "panel" / "column-0003.npy"
    whole = column.read_bytes()
    column.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PanelError, match=r"'column-0003.npy' is missing or cannot be read"):
        Panel.open(tmp_path / "panel")
    column.unlink()
    with pytest.raises(PanelError, match=r"'column-0003.npy' is missing"):
        Panel.open(tmp_path / "panel")
    np.save(column, np.zeros(3))
    with pytest.raises(PanelError, match="damaged: its columns differ in length"):
        Panel.open(tmp_path / "panel")
    header = tmp_path / "panel" / "schema.json"
    header.write_text(header.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(PanelError, match="stored in format 99"):
        Panel.open(tmp_path / "panel")


# ---- nothing half written -------------------------------------------------------------------------------------------

WRITERS = {"save": lambda panel, path: panel.save(path), "to_parquet": lambda panel, path: panel.to_parquet(path)}


@pytest.mark.parametrize("name", WRITERS)
def test_an_existing_target_is_left_alone(panel, tmp_path, name):
    target = tmp_path / "panel"
    target.write_text("mine")
    with pytest.raises(PanelError, match="'panel' exists"):
        WRITERS[name](panel, target)
    assert target.read_text() == "mine"
    with pytest.raises(PanelError, match="does not exist; make it first"):
        WRITERS[name](panel, tmp_path / "none" / "panel")
    assert [path.name for path in tmp_path.iterdir()] == ["panel"]


def full_after(writes, write):
    """A writer that finds the disk full after some calls."""
    calls = iter(range(writes))

    def writer(*args, **kwargs):
        if next(calls, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(*args, **kwargs)

    return writer


@pytest.mark.parametrize("writes", [0, 1, 5])
def test_a_full_disk_leaves_nothing_behind(panel, tmp_path, monkeypatch, writes):
    with monkeypatch.context() as patch:
        patch.setattr(store, "_write_array", full_after(writes, store._write_array))
        with pytest.raises(PanelError, match="cannot write 'panel': no space left on the disk; nothing was written"):
            panel.save(tmp_path / "panel", partitions=3)
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", full_after(min(writes, 2), pq.ParquetWriter.write_table))
        with pytest.raises(PanelError, match="no space left"):
            panel.to_parquet(tmp_path / "panel", files=4)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing_behind(panel, tmp_path, monkeypatch):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_write_array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        panel.save(tmp_path / "panel")
    assert list(tmp_path.iterdir()) == []


def test_a_target_made_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(PanelError, match="exists"), new_folder(tmp_path / "panel"):
        (tmp_path / "panel").mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["panel"]


@pytest.mark.parametrize("writer", ["save", "to_parquet"])
def test_a_file_size_limit_leaves_nothing_behind(tmp_path, writer):
    """The system itself refuses to write on: a process that may not write files above 20 kB."""
    script = f"""
        import resource, signal, sys
        import numpy as np
        from leoreturns.errors import PanelError
        from leoreturns.panel import Panel
        n = 20_000
        rng = np.random.default_rng(1)
        columns = {{"id": np.arange(n), "year": np.ones(n, int), "x": rng.random(n)}}
        panel = Panel.from_frame(columns, person="id", time="year")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            panel.{writer}({str(tmp_path / "panel")!r})
        except PanelError as error:
            assert "cannot write 'panel'" in str(error), error
            assert "OSError" not in str(error), error
            sys.exit(7)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20_000  # the limit is the child's alone


# ---- Parquet --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [1, 7, 64])
def test_parquet_and_back(panel, tmp_path, files):
    panel.to_parquet(tmp_path / "out", files=files)
    assert len(list((tmp_path / "out").glob("*.parquet"))) == files
    assert (tmp_path / "out" / "NOT-FOR-RELEASE").is_file()
    assert_same(panel, Panel.from_parquet(tmp_path / "out"))


def test_parquet_keeps_codes_of_numbers_and_levels(tmp_path):
    frame = pd.DataFrame(
        {
            "id": ["a", "b"],
            "year": [1, 1],
            "grade": pd.Categorical([2, None]),
            "flag": pd.array([True, None], dtype="boolean"),
            "none": np.array([None, None], dtype=object),
            "moment": pd.to_datetime(["2015-01-01 10:00", None]).tz_localize("UTC"),
        }
    )
    panel = Panel.from_frame(frame, person="id", time="year", traits=["grade"])
    panel.to_parquet(tmp_path / "out")
    assert_same(panel, Panel.from_parquet(tmp_path / "out"))


def write_parts(frame, path, files):
    path.mkdir()
    bounds = np.linspace(0, len(frame), files + 1).astype(int)
    for number, (first, last) in enumerate(pairwise(bounds)):
        table = pa.Table.from_pandas(frame.iloc[first:last], preserve_index=False)
        pq.write_table(table, path / f"{number:03d}.parquet", row_group_size=11)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), files=st.sampled_from([1, 7, 64]))
def test_a_folder_of_any_partition_gives_the_same_panel(tmp_path_factory, seed, files):
    frame = wages(80, seed=1)
    shuffled = frame.iloc[np.random.default_rng(seed).permutation(len(frame))]
    path = tmp_path_factory.mktemp("folder") / "in"
    write_parts(shuffled, path, files)
    read = Panel.from_parquet(
        path,
        person="person",
        time="tax_year",
        units={"earnings": "GBP/year"},
        owners={"earnings": "HMRC"},
        entities=["school"],
    )
    assert_same(wage_panel(frame), read)


def test_one_file(tmp_path):
    wages().to_parquet(tmp_path / "in.parquet")
    panel = Panel.from_parquet(tmp_path / "in.parquet", person="person", time="tax_year")
    assert panel.n_row == len(wages())
    with pytest.raises(PanelError, match="give person= and time="):
        Panel.from_parquet(tmp_path / "in.parquet")


def test_a_pandas_index_without_a_name_is_no_column(tmp_path):
    wages().sample(frac=1, random_state=1).to_parquet(tmp_path / "in.parquet")
    panel = Panel.from_parquet(tmp_path / "in.parquet", person="person", time="tax_year")
    assert list(panel.schema.columns) == list(wages().columns)[1:]


def test_a_corrupt_file_is_named(tmp_path):
    write_parts(wages(), tmp_path / "in", 4)
    victim = tmp_path / "in" / "002.parquet"
    whole = victim.read_bytes()
    for damaged in (b"", b"not Parquet at all", whole[: len(whole) // 2]):
        victim.write_bytes(damaged)
        with pytest.raises(PanelError, match=r"'002.parquet' cannot be read: it is damaged"):
            Panel.from_parquet(tmp_path / "in", person="person", time="tax_year")
    # An intact footer over a damaged page: found only when the column is read.
    victim.write_bytes(whole[:4] + b"\xff" * 400 + whole[404:])
    with pytest.raises(PanelError, match=r"'002.parquet' cannot be read"):
        Panel.from_parquet(tmp_path / "in", person="person", time="tax_year")


def test_files_with_other_columns_are_named(tmp_path):
    write_parts(wages(), tmp_path / "in", 4)
    changed = wages().iloc[:3].astype({"hours": float}).drop(columns="sex").assign(extra=1)
    changed.to_parquet(tmp_path / "in" / "003.parquet", index=False)
    with pytest.raises(PanelError) as refusal:
        Panel.from_parquet(tmp_path / "in", person="person", time="tax_year")
    message = str(refusal.value)
    assert message.startswith("schemas differ from '000.parquet': '003.parquet': ")
    assert "column 'hours' is double, not int64" in message
    assert "column 'sex' is absent, not string" in message
    assert "column 'extra' is int64, not absent" in message
    assert "001.parquet" not in message


def test_a_column_without_a_value_in_one_file_fits_any_type(tmp_path):
    frame = wages(40)
    frame.loc[: len(frame) // 2, "region"] = None
    write_parts(frame, tmp_path / "in", 4)
    for name in ("000.parquet", "001.parquet"):
        table = pq.read_table(tmp_path / "in" / name)
        nothing = table.set_column(table.column_names.index("region"), "region", pa.nulls(len(table)))
        pq.write_table(nothing, tmp_path / "in" / name)
    read = Panel.from_parquet(tmp_path / "in", person="person", time="tax_year")
    assert_same(Panel.from_frame(frame, person="person", time="tax_year"), read)
    pq.write_table(nothing.append_column("extra", pa.nulls(len(nothing))), tmp_path / "in" / "001.parquet")
    with pytest.raises(PanelError, match=r"'001.parquet': column 'extra' is null, not absent"):
        Panel.from_parquet(tmp_path / "in", person="person", time="tax_year")


def test_no_parquet_file(tmp_path):
    with pytest.raises(PanelError, match=r"holds no .parquet file"):
        Panel.from_parquet(tmp_path, person="a", time="b")
    with pytest.raises(PanelError, match="does not exist"):
        Panel.from_parquet(tmp_path / "none", person="a", time="b")


def test_tables_say_by_which_definitions_their_panel_was_made(tmp_path):
    made = {"definitions": {"name": "fft"}, "waterfall": [["all", {"2002": 3}]]}
    panel = dataclasses.replace(wage_panel(), settings=made)
    panel.save(tmp_path / "panel", partitions=3)
    for stored in (panel.where("hours > 5"), Panel.open(tmp_path / "panel"), Panel.scan(tmp_path / "panel")):
        assert stored.settings == made
        told = aggregate(stored, "earnings", by="sex", statistics="mean").settings
        assert told["definitions"] == {"name": "fft"}
        assert "waterfall" not in told  # counts of how it was built stay with the panel
