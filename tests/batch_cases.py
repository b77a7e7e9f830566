"""A batch over a small panel, batches that are killed and jobs that misbehave, for the tests of batches."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import numpy as np
from build_cases import EVENTS, built, digest, simulated

from leoreturns.batch.check import read_spec
from leoreturns.batch.folder import LOG, BatchFolder
from leoreturns.batch.grid import Grid
from leoreturns.batch.run import run_batch

PERSONS = 1_000
SPEC = """\
title = "Levels, earnings and routes"

[definitions.main]
panel = "panel"

[plan]
n_replicates = 19
seed = 1
interval = "normal"

[outcomes]
pay = "real_earnings"
whole_pay = "earnings"

[groups]
everybody = ""
women = "sex == 'F'"

[cohorts]
early = [2002, 2003]
late = [2004, 2005, 2006]

[[study]]
name = "levels"
ask = "education_levels"
characteristics = ["fsm"]
intervals = true

[[study]]
name = "year_13"
ask = "labour_outcomes"
characteristics = ["fsm"]
level = false
cohorts = ["early"]

[[study]]
name = "route"
ask = "feols"
model = "C(ks5_route, ref='none') + prior_attainment | cohort"
where = "years_since_ks4 == 10"
cov = "HC1"
outcomes = ["pay"]
cohorts = ["late"]
groups = ["women"]
"""
JOBS = {
    *("-".join(["levels", *cell, "main"]) for cell in itertools.product(("everybody", "women"), ("early", "late"))),
    *(
        "-".join(["year_13", *cell, "early", "main"])
        for cell in itertools.product(("pay", "whole_pay"), ("everybody", "women"))
    ),
    "route-pay-women-late-main",
}


def prepared(folder: Path) -> Path:
    """Build the panel in a folder and write the spec beside it; return the spec."""
    built(simulated(folder / "extract", PERSONS), folder / "panel")
    (folder / "spec.toml").write_text(SPEC, encoding="utf-8")
    return folder / "spec.toml"


def silent(_: str) -> None:
    """Show nothing."""


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file of a batch but the log, whose times differ."""
    return {name: each for name, each in digest(folder).items() if name != LOG}


def tasks_of(spec, to, memory=None):
    """The tasks of a spec by the names of their jobs, in a new folder."""
    folder = BatchFolder(to)
    with folder.opened():
        grid = Grid.of(read_spec(spec), 1)
    return {task.job.name: task for task in grid.tasks(grid.jobs, folder, 1, memory).values()}


# ---- jobs that misbehave: arguments that do so when a question looks at them -----------------------------------------


class Raising:
    """Raises an error that quotes a value."""

    def __iter__(self):
        raise ValueError("the person with id 4711")


class Hungry:
    """Takes 800 MB."""

    def __iter__(self):
        return iter(np.ones(100_000_000).astype(str)[:0])


class Deadly:
    """Ends its process."""

    def __iter__(self):
        os._exit(1)


# ---- kill -9 ---------------------------------------------------------------------------------------------------------


def _run_and_die(spec, to, moment, n_jobs):
    count = itertools.count()

    def watch(event, arguments):
        written = event == "open" and str(to) in str(arguments[0]) and set(str(arguments[1])) & set("wax+")
        if (written or event in EVENTS) and next(count) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    os.setsid()
    sys.addaudithook(watch)
    run_batch(spec, to=to, n_jobs=n_jobs, show=silent)


def batch_killed(spec, to, *, moment, n_jobs=1):
    """Run a batch in a process that kills itself before the event of that number on the disk; return whether it did."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["leoreturns"])
    process = context.Process(target=_run_and_die, args=(spec, to, moment, n_jobs))
    process.start()
    process.join()
    # Workers without their parent end by themselves, in minutes.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0
