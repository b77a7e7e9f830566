"""Work in threads over kernels that release the GIL: how many, in what order, with progress, and stopping cleanly.

The slices of the work depend on the data only and results come back in the order of the slices, so that they are the
same for any number of threads.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import NoReturn, TypeVar

from tqdm.auto import tqdm

THREADS_VARIABLE = "LEORETURNS_NUM_THREADS"
PROGRESS_VARIABLE = "LEORETURNS_PROGRESS"
PROGRESS_AFTER_SECONDS = 2.0
PATIENCE_SECONDS = 0.1

# A context variable rather than a global: two calls side by side in two threads may use different numbers.
_chosen: ContextVar[int | None] = ContextVar("threads", default=None)

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextlib.contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """Let everything inside the block use `n_jobs` threads where it names no number itself; None changes nothing."""
    count = None if n_jobs is None else thread_count(n_jobs)
    token = _chosen.set(_chosen.get() if count is None else count)
    try:
        yield
    finally:
        _chosen.reset(token)


def thread_count(n_jobs: int | None = None) -> int:
    """Return the number of threads to use.

    Parameters
    ----------
    n_jobs : int, optional
        A positive number of threads, or -1 for all that the machine grants. By default the number of the enclosing
        `threads` block, else the environment variable ``LEORETURNS_NUM_THREADS``, else all that the machine grants this
        process: its CPU affinity and, in a container, the cgroup's CPU quota.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If `n_jobs` or the environment variable is not a whole number that is positive or -1.
    """
    source, value = "n_jobs", str(n_jobs)
    if n_jobs is None and (chosen := _chosen.get()) is not None:
        return chosen
    if n_jobs is None:
        source, value = THREADS_VARIABLE, os.environ.get(THREADS_VARIABLE, "-1")
    try:
        count = int(value)
    except ValueError:
        count = 0
    if count == -1:
        return granted_cpus()
    if count < 1 or isinstance(n_jobs, bool):
        raise ValueError(f"{source} must be a positive number of threads or -1 for all, not {value!r}")
    return count


def granted_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the CPUs that this process may use: its affinity, bounded by the cgroup's quota (versions 1 and 2)."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = ((cgroup / "cpu.max",), (cgroup / "cpu/cpu.cfs_quota_us", cgroup / "cpu/cpu.cfs_period_us"))
    for files in quotas:
        try:
            quota, period = " ".join(file.read_text() for file in files).split()
            if quota != "max" and int(quota) > 0:
                cpus = min(cpus, max(1, int(quota) // int(period)))
        except (OSError, ValueError):
            continue
    return max(1, cpus)


def progress(total: int, label: str) -> tqdm[NoReturn]:
    """Return a progress bar, to be used as a context manager and told of units done with ``update(n)``.

    It shows itself on a terminal once the work has taken two seconds, and not at all under ``LEORETURNS_PROGRESS=0``.
    """
    silent = True if os.environ.get(PROGRESS_VARIABLE) == "0" else None
    return tqdm(total=total, desc=label, delay=PROGRESS_AFTER_SECONDS, disable=silent, leave=False, unit_scale=True)


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, n_jobs: int | None = None, label: str = ""
) -> list[Result]:
    """Apply `function` to every item and return the results in the items' order.

    Work that takes over two seconds shows its progress on a terminal; ``LEORETURNS_PROGRESS=0`` silences it.

    Parameters
    ----------
    function : callable
        Called with one item; it should spend its time outside the GIL.
    items : iterable
        Slices of the work.
    n_jobs : int, optional
        As in `thread_count`.
    label : str
        What the work is, for the progress bar.

    Raises
    ------
    Exception
        The first error of any item, or KeyboardInterrupt: items not yet begun are dropped, those under way are waited
        for.
    """
    work: Sequence[Item] = list(items)
    count = min(thread_count(n_jobs), len(work))
    with progress(len(work), label) as shown:
        if count > 1:
            return _in_threads(function, work, count, shown)
        results = []
        for item in work:
            results.append(function(item))
            shown.update()
        return results


def _in_threads(
    function: Callable[[Item], Result], work: Sequence[Item], count: int, shown: tqdm[NoReturn]
) -> list[Result]:
    """Let threads take the items in turn."""
    results: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}
    places = iter(range(len(work)))
    turn, stopped = threading.Lock(), threading.Event()

    def take_turns() -> None:
        while not stopped.is_set():
            with turn:
                place = next(places, None)
            if place is None:
                return
            try:
                results[place] = function(work[place])
            except BaseException as error:
                errors[place] = error
                stopped.set()
            with turn:
                shown.update()

    pool = [threading.Thread(target=take_turns, name=f"leoreturns_{number}") for number in range(count)]
    try:
        for thread in pool:
            thread.start()
        _wait(pool)
    finally:
        # After an interruption the items under way are waited for, also if the wait is interrupted again.
        stopped.set()
        try:
            _wait(pool)
        except BaseException:
            _wait(pool)
            raise
    if errors:
        # An item before the first that failed has been taken before it, and has ended.
        raise errors[min(errors)]
    return [results[place] for place in range(len(work))]


def _wait(pool: Sequence[threading.Thread]) -> None:
    """Wait until the threads have ended; in short waits, because a long one cannot be interrupted on Windows."""
    for thread in pool:
        while thread.is_alive():
            thread.join(PATIENCE_SECONDS)
