"""Simulated extracts for the tests of the build, builds that are killed, and what is left of them."""

import hashlib
import itertools
import multiprocessing
import os
import signal
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from leoreturns.extract.simulate import simulate_extract
from leoreturns.extract.source import Extract, open_extract
from leoreturns.panel import build
from leoreturns.panel.definitions import Definitions, illustrative_deflator

LOOKUPS = ("home_areas", "travel_to_work", "sectors", "regions", "school_regions", "school_types")
# What a build does to the disk as far as Python sees it, beside the opening of files: moments at which to kill it.
EVENTS = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "tempfile.mkdtemp", "tempfile.mkstemp"}


def definitions(preset="dfe-2021", **overrides):
    return Definitions.preset(preset, deflator=illustrative_deflator(), **overrides)


def simulated(folder, n_persons, **options):
    simulate_extract(folder, n_persons=n_persons, **{"seed": 11, "n_jobs": 1} | options).close()
    return folder


def lookups_of(path):
    return {name: path / "lookups" / f"{name}.csv" for name in LOOKUPS}


def opened(path, lookups=None):
    return open_extract(path, lookups=lookups)


def built(path, to=None, *, n_jobs=1, resume=True, **overrides):
    """Build a panel from an extract's folder."""
    with opened(path) as extract:
        return build.build_panel(extract, definitions=definitions(**overrides), to=to, n_jobs=n_jobs, resume=resume)


def digest(folder):
    """The hash of every file below a folder, by its path in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def linked_copy(source, target, without=()):
    """A copy of an extract whose files are links to the first one's, without some of its tables."""
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if path.is_file() and inside.parts[0] not in without:
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target / inside)
    return target


def replaced(source, target, tables, change):
    """A copy of an extract in which every file of some tables is what `change` makes of its Arrow table."""
    linked_copy(source, target, without=tables)
    for table in tables:
        (target / table).mkdir()
        for path in sorted((source / table).glob("*.parquet")):
            pq.write_table(change(pq.read_table(path)), target / table / path.name)
    return target


def shuffled(source, target, seed):
    """A copy of an extract with the rows of every file in another order and cut into three files."""
    rng = np.random.default_rng(seed)
    linked_copy(source, target, without={path.parent.name for path in source.glob("*/*.parquet")})
    for path in sorted(source.glob("*/*.parquet")):
        table = pq.read_table(path)
        table = table.take(pa.array(rng.permutation(table.num_rows)))
        cuts = [0, *sorted(rng.integers(0, table.num_rows + 1, 2)), table.num_rows]
        (target / path.parent.name).mkdir(exist_ok=True)
        for number, (first, last) in enumerate(itertools.pairwise(cuts)):
            to = target / path.parent.name / f"{path.stem}-{rng.integers(1 << 30):010d}-{number}.parquet"
            pq.write_table(table.slice(first, last - first), to)
    return target


# ---- kill -9 --------------------------------------------------------------------------------------------------------


def _build_and_die(path, target, block_persons, moment, n_jobs):
    build.BLOCK_PERSONS = block_persons
    os.environ["LEORETURNS_PROGRESS"] = "0"
    tempfile.tempdir = str(path.parent)  # nothing removes the temporary files of what is killed
    count = itertools.count()
    execute = Extract.execute

    def watch(event, arguments):
        written = event == "open" and "w" in str(arguments[1])
        if (written or event in EVENTS) and next(count) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def write_half(extract, sql, what):
        execute(extract, sql, what)
        if what == moment:
            # As if DuckDB had been stopped in the middle: of the table's files some are there, one in part.
            first, *others = sorted(target.parent.glob(f".{target.name}.building/building-*/*-*/block=*/*.parquet"))
            os.truncate(first, first.stat().st_size // 2)
            for file in others[::2]:
                file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    Extract.execute = write_half
    with opened(path) as extract:
        sys.addaudithook(watch)
        build.build_panel(extract, definitions=definitions(), to=target, n_jobs=n_jobs)


def build_killed(path, target, *, block_persons, moment, n_jobs=1):
    """Build in a process that kills itself; return whether it did, rather than came to the end before.

    `moment` is the number of the event on the disk before which it dies, or what a statement of DuckDB is about in the
    course of which it does.
    """
    # The server of forks has all imported, and no thread.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["build_cases"])
    process = context.Process(target=_build_and_die, args=(path, target, block_persons, moment, n_jobs))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0
