"""What can go wrong with a build: a clear error each time, nothing lost or half written, and nobody's values in it."""

import contextlib
import datetime as dt
import errno
import itertools
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from build_cases import built, definitions, digest, linked_copy, lookups_of, opened, replaced, simulated
from extract_cases import CANARY_DATE, CANARY_ID, CANARY_PAY

from leoreturns.errors import ExtractError, LeoReturnsError, PanelError
from leoreturns.extract.link import link_persons
from leoreturns.extract.source import open_extract
from leoreturns.panel import build, staging, store
from leoreturns.panel.inputs import all_read
from leoreturns.panel.panel import Panel
from leoreturns.panel.population import select_population
from leoreturns.panel.staging import make_views, stage
from leoreturns.panel.waterfall import Waterfall
from leoreturns.panel.working import Working

PERSONS = 60
# A resolved person, a record in further education, and what would be recognised of them anywhere.
CANARY_AE_ID, CANARY_RECORD = 743174317431, 1987112323
CANARIES = (CANARY_ID, str(CANARY_AE_ID), str(CANARY_RECORD), CANARY_DATE, "23/11/1987", "23nov1987", "7318642")
# Column -> what one person has in it; the persons are those of the first key stage 4 record and the first pay.
IDS = {"AE_ID": CANARY_AE_ID, "RECORDID": CANARY_RECORD}


def planted(table, name):
    """A table with canaries in place of one person's ids, first day of a spell and pay."""
    frame = table.to_pandas()
    for column, chosen in name.items():
        for found in frame.columns:
            if found.lower() == column.lower():
                for value, canary in chosen.items():
                    frame[found] = frame[found].where(frame[found] != value, canary)
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    """An extract in which one person, with all that the person has, is a canary."""
    folder = tmp_path_factory.mktemp("canaries")
    plain = simulated(folder / "plain", PERSONS)
    read = {name: pd.read_parquet(plain / name) for name in ("ks4", "lookup_pmr", "lookup_edukey", "employment")}
    pay = pd.read_parquet(plain / "earnings")
    pay = pay[pay["TaxYear"].between(201_112, 201_516)]  # years that every person's panel has
    pupils = read["lookup_pmr"].set_index("PUPILMATCHINGREFANONYMOUS")["AE_ID"]
    keys = read["lookup_edukey"].dropna().set_index("EDUKEY")["AE_ID"]
    found = pay[pay["Edukey"].isin(read["employment"]["EduKey"]) & pay["Edukey"].isin(keys.index)].iloc[0]
    person = keys[found["Edukey"]]
    start = read["employment"].loc[read["employment"]["EduKey"] == found["Edukey"], "StartDate"].iloc[0]
    pupil = pupils.index[pupils == person][0]
    chosen = {
        "AE_ID": {person: CANARY_AE_ID},
        "EDUKEY": {found["Edukey"]: CANARY_ID},
        "Earnings": {found["Earnings"]: float(CANARY_PAY)},
        "StartDate": {start: dt.date.fromisoformat(CANARY_DATE)},
        **{
            column: {pupil: CANARY_ID}
            for column in ("PUPILMATCHINGREFANONYMOUS", "KS4_PupilMatchingRefAnonymous", "PupilMatchingRefAnonymous")
        },
    }
    tables = ("lookup_pmr", "lookup_recid", "lookup_edukey", "ks4", "earnings", "employment", "benefits", "ks2")
    return replaced(plain, folder / "leo", tables, lambda table: planted(table, chosen))


@pytest.fixture(scope="module")
def undisturbed(extract, tmp_path_factory):
    target = tmp_path_factory.mktemp("undisturbed") / "panel"
    built(extract, target)
    return target


def assert_silent(text):
    assert [canary for canary in CANARIES if canary in text] == []


@pytest.fixture
def refused(capfd):
    """Expect an error that matches; nothing that is said, logged, warned of or printed shows a canary."""

    @contextlib.contextmanager
    def expecting(match, kind=LeoReturnsError):
        records = []
        handler = logging.Handler()
        handler.emit = lambda record: records.append(record.getMessage())
        logging.getLogger().addHandler(handler)
        try:
            with warnings.catch_warnings(record=True) as caught, pytest.raises(kind, match=match) as raised:
                warnings.simplefilter("always")
                yield
        finally:
            logging.getLogger().removeHandler(handler)
        assert raised.value.__context__ is None
        shown = "".join(traceback.format_exception(raised.value))
        assert_silent(f"{raised.value!r}{shown}{records}{[str(one.message) for one in caught]}{capfd.readouterr()}")

    return expecting


def assert_nothing_lost(folder, target, extract, undisturbed):
    """There is no target; what a build left is marked; and the same build then gives the same bytes."""
    assert not target.exists()
    assert {path.name for path in folder.iterdir()} <= {".panel.building"}
    for left in folder.iterdir():
        assert (left / "NOT-FOR-RELEASE").is_file()
    built(extract, target)
    assert digest(target) == digest(undisturbed)
    assert [path.name for path in folder.iterdir()] == [target.name]


def test_the_canaries_are_in_the_panel(extract, undisturbed):
    frame = Panel.open(undisturbed).to_frame()
    mine = frame[frame["person"] == CANARY_AE_ID]
    assert len(mine) and mine["earnings"].max() >= float(CANARY_PAY)
    stored = (extract / "employment" / "employment-00000.parquet").read_bytes()
    assert CANARY_ID.encode() in stored


# ---- input that is wrong --------------------------------------------------------------------------------------------


def as_csv(source, target, table, change=lambda frame: frame, sep=","):
    """A copy of an extract with one table as a CSV file."""
    linked_copy(source, target, without=(table,))
    change(pd.read_parquet(source / table)).to_csv(target / f"{table}.csv", index=False, sep=sep)
    return target


def with_text(column, text):
    """Put a text into the first row of a column."""

    def change(frame):
        frame = frame.astype({column: object})
        frame.loc[frame.index[0], column] = text
        return frame

    return change


def some_dates_otherwise(frame):
    start = pd.to_datetime(frame["StartDate"])
    other = start.dt.strftime("%d%b%Y").where(np.arange(len(frame)) % 2 == 0, start.dt.strftime("%Y-%m-%d"))
    return frame.assign(StartDate=other)


WRONG = {
    "a delimiter": (lambda a, b: as_csv(a, b, "earnings", sep=";"), "'earnings.csv' reads as one column"),
    "dates in several formats": (
        lambda a, b: as_csv(a, b, "employment", some_dates_otherwise),
        "column 'StartDate' mixes formats over its",
    ),
    "a person with letters": (
        lambda a, b: as_csv(a, b, "lookup_pmr", with_text("AE_ID", CANARY_ID)),
        "column 'AE_ID' has 1 value that cannot be read as whole-number ids",
    ),
    "a record with letters": (
        lambda a, b: as_csv(a, b, "ilr_aims", with_text("RECORDID", CANARY_ID)),
        "table 'ilr_aims': column 'RECORDID' has 1 value that cannot be read as whole-number ids",
    ),
    "pay with letters": (
        lambda a, b: as_csv(a, b, "earnings", with_text("Earnings", f"GBP {CANARY_PAY}")),
        "column 'Earnings' has 1 value that cannot be read as numbers",
    ),
    "a year that is none": (
        lambda a, b: as_csv(a, b, "earnings", with_text("TaxYear", CANARY_DATE)),
        "column 'TaxYear' has 1 value that cannot be read as tax years",
    ),
    "no key stage 4": (lambda a, b: linked_copy(a, b, without=("ks4",)), "it needs tables ks4"),
    "no lookup of pupils": (lambda a, b: linked_copy(a, b, without=("lookup_pmr",)), "and lookup_pmr"),
    "key stage 4 without years": (
        lambda a, b: replaced(a, b, ("ks4",), lambda table: table.drop_columns(["KS4_ACADYR"])),
        "with KS4_PupilMatchingRefAnonymous and KS4_ACADYR",
    ),
    "a lookup of pupils without persons": (
        lambda a, b: replaced(a, b, ("lookup_pmr",), lambda table: table.drop_columns(["AE_ID"])),
        "lookup_pmr .with PUPILMATCHINGREFANONYMOUS and AE_ID",
    ),
    "nobody in the lookup": (
        lambda a, b: replaced(a, b, ("lookup_pmr",), lambda table: table.slice(0, 0)),
        "no person of the cohorts is left",
    ),
    "nobody at key stage 4": (
        lambda a, b: replaced(a, b, ("ks4",), lambda table: table.slice(0, 0)),
        "no person of the cohorts is left",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_refused(what, refused, extract, undisturbed, tmp_path):
    make, match = WRONG[what]
    other = make(extract, tmp_path / "leo")
    before = digest(other)
    (tmp_path / "to").mkdir()
    with refused(match, ExtractError):
        built(other, tmp_path / "to" / "panel")
    assert digest(other) == before
    assert_nothing_lost(tmp_path / "to", tmp_path / "to" / "panel", extract, undisturbed)


@pytest.mark.parametrize("table", ["lookup_pmr", "ks4", "employment", "earnings", "lookup_edukey"])
@pytest.mark.parametrize("how", ["cut", "damaged"])
def test_a_damaged_file_is_refused(table, how, refused, extract, undisturbed, tmp_path):
    other = linked_copy(extract, tmp_path / "leo", without=(table,))
    (other / table).mkdir()
    for path in (extract / table).glob("*.parquet"):
        content = bytearray(path.read_bytes())
        if how == "cut":
            del content[len(content) // 2 :]
        else:
            content[4 : len(content) // 3] = bytes(len(content) // 3 - 4)
        (other / table / path.name).write_bytes(content)
    (tmp_path / "to").mkdir()
    with refused(f"'{table}.*cannot be read: (it is|damaged)", ExtractError):
        built(other, tmp_path / "to" / "panel")
    assert_nothing_lost(tmp_path / "to", tmp_path / "to" / "panel", extract, undisturbed)


def test_nobody_in_the_cohorts(refused, extract, tmp_path):
    with refused("no person of the cohorts is left", ExtractError):
        built(extract, tmp_path / "panel", cohorts=[2012], last_tax_year=2018)


def test_a_year_without_rows_is_a_year_without_pay(extract, undisturbed, tmp_path):
    def without_2009(table):
        return table.filter(pa.compute.not_equal(table["TaxYear"], 200910))

    whole = Panel.open(undisturbed).to_frame()
    panel = built(replaced(extract, tmp_path / "leo", ("earnings",), without_2009)).to_frame()
    empty = panel["tax_year"] == 2009
    assert empty.any() and panel.loc[empty, "earnings"].isna().all()
    pd.testing.assert_series_equal(panel.loc[~empty, "earnings"], whole.loc[~empty, "earnings"])


def test_an_extract_of_one_person():
    frames = {
        "ks4": pd.DataFrame({"KS4_PupilMatchingRefAnonymous": ["p"], "KS4_ACADYR": ["2003/2004"]}),
        "lookup_pmr": pd.DataFrame({"AE_ID": [5], "PUPILMATCHINGREFANONYMOUS": ["p"]}),
    }
    with open_extract(frames) as source:
        panel = build.build_panel(source, definitions=definitions("fft", last_tax_year=2006))
    assert panel.to_frame()["tax_year"].tolist() == [2005, 2006]
    assert panel.settings["absent"].keys() > {"days_employed", "linked_to_tax_records", "subjects", "home_region"}
    assert "<10" in repr(Waterfall.of(panel.settings))


def test_what_cannot_be_cleared_away_does_not_hide_what_went_wrong(refused, monkeypatch, extract, tmp_path):
    with opened(extract) as source:

        def place_links(*arguments):
            source.close()
            raise PanelError("what went wrong")

        monkeypatch.setattr(staging, "place_links", place_links)
        with refused("what went wrong", PanelError):
            build.build_panel(source, definitions=definitions())


def test_arguments_that_are_none_of_theirs(extract, tmp_path):
    with opened(extract) as source:
        with pytest.raises(TypeError, match="extract is what open_extract returns, not str"):
            build.build_panel(str(extract), definitions=definitions())
        with pytest.raises(TypeError, match="Definitions.preset"):
            build.build_panel(source, definitions="dfe-2021")
        with pytest.raises(ValueError, match="n_jobs"):
            build.build_panel(source, definitions=definitions(), n_jobs=0)
    with pytest.raises(ExtractError, match="the extract is closed"):
        build.build_panel(source, definitions=definitions(), to=tmp_path / "panel")
    assert list(tmp_path.iterdir()) == []


# ---- a disk that takes nothing --------------------------------------------------------------------------------------


def test_a_target_that_exists_or_has_no_folder(refused, extract, tmp_path):
    (tmp_path / "panel").mkdir()
    with refused("'panel' exists; give a new name", PanelError):
        built(extract, tmp_path / "panel")
    with refused("does not exist; make it first", PanelError):
        built(extract, tmp_path / "nowhere" / "panel")
    assert [path.name for path in tmp_path.rglob("*")] == ["panel"]


def test_a_target_that_somebody_makes_meanwhile_is_left_alone(refused, monkeypatch, extract, tmp_path):
    header = store.write_header

    def write_header(*arguments, **options):
        (tmp_path / "panel").mkdir()
        (tmp_path / "panel" / "thesis.txt").write_text("years of work")
        header(*arguments, **options)

    monkeypatch.setattr(store, "write_header", write_header)
    with refused("'panel' exists; give a new name", PanelError):
        built(extract, tmp_path / "panel")
    assert [path.name for path in (tmp_path / "panel").iterdir()] == ["thesis.txt"]


def test_two_builds_to_one_place_do_not_work_at_a_time(refused, extract, undisturbed, tmp_path):
    with Working(tmp_path / "panel", "f").locked(), refused("another build of 'panel' is under way; wait", PanelError):
        built(extract, tmp_path / "panel")
    assert list(tmp_path.iterdir()) == []
    # The file that stands for the lock is left by a build that was killed; the lock is not.
    (tmp_path / ".panel.building.lock").touch()
    built(extract, tmp_path / "panel")
    assert digest(tmp_path / "panel") == digest(undisturbed)
    assert [path.name for path in tmp_path.iterdir()] == ["panel"]


def test_what_fails_or_was_killed_leaves_nothing_half_written(tmp_path):
    working = Working(tmp_path / "panel", "f")
    working.open(resume=True)
    for _ in range(2):  # as if the first had been killed before it could say so
        with working.folder(working.building / "block-0000") as folder:
            (folder / "keys.npy").touch()
    assert [path.name for path in working.building.iterdir()] == ["block-0000"]
    shutil.rmtree(working.building / "block-0000")
    with pytest.raises(KeyboardInterrupt), working.folder(working.building / "block-0000") as folder:
        (folder / "keys.npy").touch()
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), working.file(working.building / "block-0000.json") as file:
        file.write_text("{")
        raise KeyboardInterrupt
    assert list(working.building.iterdir()) == []
    (working.building / "unfinished-0").mkdir()
    (working.building / "unfinished-0" / "keys.npy").touch()
    (working.building / "unfinished-1").touch()
    (working.building / "tables").mkdir()
    working.open(resume=True)
    assert [path.name for path in working.building.iterdir()] == ["tables"]


FULL = OSError(errno.ENOSPC, "No space left on device", CANARY_ID)


@pytest.mark.parametrize(
    ("where", "turn"),
    [("write_arrays", 0), ("write_joined", 0.5), ("write_joined", 1.5), ("write_header", 0)]
    + [("mkstemp", turn) for turn in (0, 1, 50)]
    + [("mkdtemp", turn) for turn in (1, 5, 15)],
)
def test_a_full_disk(where, turn, refused, monkeypatch, extract, undisturbed, tmp_path):
    """The disk is full when a block, a column, the header, any file or any folder is written; finished work is kept."""
    if where == "write_joined":  # as a share of all arrays: those of the block come first, then those of the panel
        turn = int(turn * len(store.stored_arrays(Panel.open(undisturbed).schema)))
    owner = store if where.startswith("write") else tempfile
    write, count = getattr(owner, where), itertools.count()

    def full(*arguments, **options):
        if next(count) == turn:
            raise FULL
        return write(*arguments, **options)

    with opened(extract) as source, monkeypatch.context() as patch:
        patch.setattr(owner, where, full)
        with refused("cannot write 'panel': no space left on the disk; finished blocks are kept", PanelError):
            build.build_panel(source, definitions=definitions(), to=tmp_path / "panel", n_jobs=1)
    assert_nothing_lost(tmp_path, tmp_path / "panel", extract, undisturbed)


def test_a_full_disk_under_the_database(refused, monkeypatch, extract, undisturbed, tmp_path):
    for number, words in enumerate(("no space left for temporary files or results", "cannot be written")):
        with opened(extract) as source, monkeypatch.context() as patch:
            text = ("No space left on device", "Could not write file: File too large")[number]
            broken = Failing(source._database._connection, duckdb.IOException(f"{text} {CANARY_ID}"), only="COPY")
            patch.setattr(source._database, "_connection", broken)
            with refused(f"table '.*': {words}", ExtractError):
                build.build_panel(source, definitions=definitions(), to=tmp_path / "panel")
    assert_nothing_lost(tmp_path, tmp_path / "panel", extract, undisturbed)


LIMITED = """
import resource, sys
from pathlib import Path
from build_cases import built
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
built(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of the operating system")
@pytest.mark.parametrize("size", [500, 12_288, 40_000])
def test_a_disk_that_takes_only_part_of_a_file(size, extract, undisturbed, tmp_path):
    """Nothing is patched: the operating system itself cuts every file at a size."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", LIMITED, str(extract), str(tmp_path / "panel"), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert re.search(r"leoreturns.errors.(Panel|Extract)Error: .*(cannot be |cannot )(written|write|read)", done.stderr)
    assert_silent(done.stdout + done.stderr)
    assert_nothing_lost(tmp_path, tmp_path / "panel", extract, undisturbed)


# ---- canaries -------------------------------------------------------------------------------------------------------


class Failing:
    """A connection whose statement number `turn` (or the first that starts with `only`) fails with an error."""

    def __init__(self, connection, error, turn=0, only=""):
        self._connection, self._error, self._only = connection, error, only
        self._turn = itertools.count(-turn)

    def _sent(self, sql):
        if sql.strip().startswith(self._only) and next(self._turn) == 0:
            raise self._error

    def execute(self, sql, *arguments):
        self._sent(sql)
        return self._connection.execute(sql, *arguments)

    def sql(self, sql, *arguments):
        self._sent(sql)
        return self._connection.sql(sql, *arguments)

    def cursor(self):
        cursor = Failing(self._connection.cursor(), self._error, only=self._only)
        cursor._turn = self._turn
        return cursor

    def __getattr__(self, name):
        return getattr(self._connection, name)


ERRORS = (
    duckdb.ConversionException(f"Could not convert string '{CANARY_ID}' to INT64 when casting from {CANARY_PAY}"),
    duckdb.OutOfMemoryException(f"failed to allocate {CANARY_AE_ID}"),
    pa.ArrowInvalid(f"Could not parse {CANARY_DATE}"),
)


@pytest.mark.parametrize("turn", range(0, 100, 9))
def test_no_statement_on_the_extract_shows_what_it_failed_over(turn, refused, monkeypatch, extract, tmp_path):
    with opened(extract) as source, monkeypatch.context() as patch:
        broken = Failing(source._database._connection, ERRORS[turn % 2], turn)
        patch.setattr(source._database, "_connection", broken)
        with refused("text withheld|out of memory"):
            build.build_panel(source, definitions=definitions(), to=tmp_path / "panel")
        assert next(broken._turn) > 0
        assert_silent(repr(source))


@pytest.mark.parametrize("turn", range(0, 31, 3))
def test_no_statement_on_a_block_shows_what_it_failed_over(turn, refused, monkeypatch, extract, tmp_path):
    connect = build._connection
    error = ERRORS[turn // 3 % 3]
    monkeypatch.setattr(build, "_connection", lambda *arguments: Failing(connect(*arguments), error, turn))
    with refused("text withheld|out of memory|cannot be read"):
        built(extract, tmp_path / "panel")
    assert not (tmp_path / "panel").exists()


@pytest.mark.parametrize("table", ["employment", "ks4_record", "hesa", "regions"])
def test_a_staged_file_that_is_damaged_is_refused(table, refused, monkeypatch, extract, undisturbed, tmp_path):
    views = build.make_views

    def damage(connection, staged, block):
        made = views(connection, staged, block)
        for path in sorted((staged.folder / table).rglob("*.parquet")):
            content = bytearray(path.read_bytes())
            content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
            path.write_bytes(content)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(build, "make_views", damage)
        with refused("cannot be read|text withheld", ExtractError):
            built(extract, tmp_path / "panel")
    # What was damaged behind the build's back is made anew when it is told so.
    built(extract, tmp_path / "panel", resume=False)
    assert digest(tmp_path / "panel") == digest(undisturbed)


def test_nothing_that_is_shown_of_a_build_shows_a_canary(extract, undisturbed, tmp_path):
    chosen = definitions()
    panel = Panel.open(undisturbed)
    shown = [chosen, panel, Panel.scan(undisturbed), panel.schema, panel.flow, panel.ids, panel.settings]
    shown += [Waterfall.of(panel.settings), Waterfall.of(panel.settings)._repr_html_(), panel.info().to_string()]
    with opened(extract) as source:
        shown += [source, source.check(), source.check()._repr_html_(), source.check().to_frame().to_string()]
        shown += [link_persons(source, "drop"), population := select_population(source, chosen)]
        working = Working(tmp_path / "panel", "f")
        working.open(resume=True)
        shown += [staged := stage(source, population, working, 20), working, source.stamp(all_read(source))]
        connection = build._connection(tmp_path / "spill", "block")
        tables = make_views(connection, staged, 0)
        n_person = staged.borders[1]
        block = build.Block(connection, n_person, population.cohort[:n_person], tables, 2017)
        shown += [
            block,
            *build.assemble_block(block, population.ids[:n_person], population.keys[:n_person], chosen),
        ]
        connection.close()
        shown += [source._relation("earnings"), source._database]
    shown += [source]
    for one in shown:
        assert_silent(repr(one))
    assert_silent((undisturbed / "schema.json").read_text())


@pytest.mark.parametrize("fails", [False, True])
def test_temporary_folders_hold_nothing_when_all_is_closed(fails, refused, monkeypatch, extract, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    frames = {"earnings": pd.read_parquet(extract / "earnings"), "ks4": pd.read_parquet(extract / "ks4")}
    if not fails:
        frames["lookup_pmr"] = pd.read_parquet(extract / "lookup_pmr")
        with open_extract(frames, lookups=lookups_of(extract)) as source:
            build.build_panel(source, definitions=definitions())
    else:
        with refused("it needs tables"), open_extract(frames) as source:
            build.build_panel(source, definitions=definitions())
    assert list(tmp_path.iterdir()) == []


def test_an_in_memory_build_that_fails_leaves_nothing(refused, monkeypatch, extract, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with opened(extract) as source, monkeypatch.context() as patch:
        patch.setattr(build, "_join_blocks", lambda *arguments: (_ for _ in ()).throw(FULL))
        with refused("cannot write temporary files: no space left on the disk; set TMPDIR"):
            build.build_panel(source, definitions=definitions())
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_shows_no_canary(extract, tmp_path):
    other = as_csv(extract, tmp_path / "leo", "earnings", with_text("Earnings", f"GBP {CANARY_PAY}"))
    for source, code in ((extract, 0), (other, 1)):
        command = [sys.executable, "-m", "leoreturns", "build", str(source), "--to", str(tmp_path / f"panel{code}")]
        done = subprocess.run(
            [*command, "--preset", "dfe-2021", "--deflator", "illustrative"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert_silent(done.stdout + done.stderr)
        assert "Traceback" not in done.stderr
