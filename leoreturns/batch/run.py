"""run_batch(): a grid of studies as jobs that run side by side, and go on where they were stopped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, get_args

from leoreturns._checks import counted
from leoreturns._parallel import thread_count
from leoreturns.asked import panel_of
from leoreturns.batch.check import Checked, read_spec
from leoreturns.batch.folder import BatchFolder
from leoreturns.batch.grid import Grid, matching
from leoreturns.batch.pool import Backend, pool_of
from leoreturns.batch.result import DONE, FAILED, PENDING, Batch
from leoreturns.batch.spec import Job
from leoreturns.batch.work import Task, can_cap

Show: TypeAlias = Callable[[str], None]


def run_batch(
    spec: str | Path,
    *,
    to: str | Path,
    n_jobs: int | None = None,
    backend: Backend = "loky",
    only: str | Sequence[str] | None = None,
    dry_run: bool = False,
    resume: bool = True,
    memory: float | None = None,
    address: str | None = None,
    show: Show = print,
) -> Batch:
    """Run a grid of studies: every study for every outcome, group, cohort and set of definitions that it names.

    The spec is checked whole, against the data too, before anything runs. Costly jobs begin first. A job that fails is
    told in the end, and the others go on. Every result is written when it is there, under the hash of what was asked,
    the data and the versions, so that a batch that is stopped in whatever way goes on where it was.

    Parameters
    ----------
    spec : path
        A TOML file; the page `batches` of the documentation tells what it holds.
    to : path
        Folder of the results: a new one, or that of an earlier run, whose results are kept where nothing that decides
        them has changed.
    n_jobs : int, optional
        Jobs at a time; by default as many as there are threads. A cluster takes as many as it has workers.
    backend : "loky", "threading" or "dask"
        Processes, threads, or the workers of a Dask cluster, which must see the same folders. Results are the same to
        the last byte.
    only : str or sequence of str, optional
        Names of jobs, or patterns such as ``"levels-*"``.
    dry_run : bool
        Whether to check the spec and list its jobs, and run none.
    resume : bool
        Whether results that are there are kept.
    memory : float, optional
        Gigabytes that a job may take beyond what its process held before: one that needs more has failed, and the
        others go on. Jobs then run on one thread each. Of processes on Linux; a Dask cluster has limits of its own.
    address : str, optional
        Of the scheduler of a Dask cluster; by default the client that was made last.
    show : callable
        Takes a line for each job that has ended, with the time left: names and counts alone.

    Returns
    -------
    Batch
        Answers by the names of their jobs, read when they are asked for.

    Raises
    ------
    StudyError
        With everything that is wrong in the spec, by line; for a folder that is not a batch's.
    PanelError
        If another batch is at work in the folder.
    """
    _check_options(backend, memory, address)
    at_once = thread_count(n_jobs)
    checked = read_spec(spec)
    folder = BatchFolder(Path(to).absolute())
    chosen = matching(checked.spec.jobs, only)
    if dry_run:
        return _listed(checked, chosen, folder, show)
    with folder.opened():
        for name in checked.unbuilt:
            show(f"building the panel of [definitions.{name}]")
            panel_of(checked.spec.sources[name], show, n_jobs)
        grid = Grid.of(read_spec(spec) if checked.unbuilt else checked, n_jobs)
        if not resume:
            for job in chosen:
                folder.result(grid.key(job)).unlink(missing_ok=True)
        tasks = grid.tasks(chosen, folder, _threads(backend, at_once, memory), memory)
        folder.describe(grid.spec.text, grid.manifest(folder, {}))
        show(f"{counted(len(chosen), 'job')}, {len(tasks):,} to do")
        failed = _run(tasks, grid, folder, backend, min(at_once, max(len(tasks), 1)), address, show)
        manifest = grid.manifest(folder, failed)
        folder.describe(grid.spec.text, manifest)
    return Batch(folder.path, manifest)


def _check_options(backend: Backend, memory: float | None, address: str | None) -> None:
    """Refuse options that are none, or not of this backend."""
    if backend not in get_args(Backend):
        raise ValueError(f"backend is one of {', '.join(map(repr, get_args(Backend)))}, not {backend!r}")
    if address is not None and backend != "dask":
        raise ValueError(f'address is that of a Dask scheduler: give backend="dask" with it, not {backend!r}')
    if memory is None:
        return
    if not memory > 0:
        raise ValueError("memory is a positive number of gigabytes")
    if backend == "threading":
        raise ValueError('threads share their memory: give backend="loky" with a limit')
    if backend == "dask":
        raise ValueError("a Dask cluster has limits of its own: give its workers a memory_limit")
    if not can_cap():
        raise ValueError("this platform cannot limit the memory of a process: leave the limit out")


def _threads(backend: Backend, at_once: int, memory: float | None) -> int:
    """Return the threads of a job: those of the machine are divided; a cluster gives one, a limit allows for one."""
    return 1 if backend == "dask" or memory is not None else max(1, thread_count() // at_once)


def _run(
    tasks: Mapping[str, Task],
    grid: Grid,
    folder: BatchFolder,
    backend: Backend,
    at_once: int,
    address: str | None,
    show: Show,
) -> dict[str, str]:
    """Do the tasks; return why those that failed did, by key."""
    failed: dict[str, str] = {}
    if not tasks:
        return failed
    costs = {key: grid.cost(task.job) for key, task in tasks.items()}
    to_do, spent, seconds = sum(costs.values()), 0, 0.0
    with pool_of(backend, at_once, address) as pool:
        for number, done in enumerate(pool.completed(list(tasks.values())), start=1):
            name, spent = tasks[done.key].job.name, spent + costs[done.key]
            if done.message:
                failed[done.key] = done.message
            state = FAILED if done.message else DONE
            folder.log(at=_now(), job=name, state=state, seconds=round(done.seconds, 3), message=done.message)
            seconds += done.seconds
            left = seconds / spent * (to_do - spent) / pool.n_jobs
            what = f"failed: {done.message}" if done.message else f"{done.seconds:.1f} s"
            show(f"{number:,} of {len(tasks):,}  {name}: {what}; about {_duration(left)} left")
    return failed


def _listed(checked: Checked, chosen: Sequence[Job], folder: BatchFolder, show: Show) -> Batch:
    """Tell the jobs of a dry run."""
    unbuilt = set(checked.unbuilt)
    for name in sorted(unbuilt):
        show(f"the panel of [definitions.{name}] is to be built")
    if unbuilt:
        manifest = {"jobs": {job.name: _unbuilt(job) for job in checked.spec.jobs}}
    else:
        manifest = Grid.of(checked, None).manifest(folder, {})
    for job in chosen:
        show(f"{job.name}: {manifest['jobs'][job.name]['state']}")
    done = sum(manifest["jobs"][job.name]["state"] == DONE for job in chosen)
    show(f"{counted(len(chosen), 'job')}, {done:,} done already; nothing was run")
    return Batch(folder.path, manifest)


def _unbuilt(job: Job) -> dict[str, object]:
    """Return what is known of a job before its panel is."""
    return {
        "cell": {"study": job.asked.name, **job.cell},
        **job.settings,
        "state": PENDING,
        "message": "",
        "results": [],
    }


def _duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
