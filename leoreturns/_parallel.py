"""Work in threads over kernels that release the GIL: how many, in what order, with progress, and stopping cleanly.

The slices of the work depend on the data only and results come back in the order of the slices, so that they are the
same for any number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tqdm.auto import tqdm

THREADS_VARIABLE = "LEORETURNS_NUM_THREADS"
PROGRESS_VARIABLE = "LEORETURNS_PROGRESS"
PROGRESS_AFTER_SECONDS = 2.0

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count(n_jobs: int | None = None) -> int:
    """Return the number of threads to use.

    Parameters
    ----------
    n_jobs : int, optional
        A positive number of threads, or -1 for all that the machine grants. By default the environment variable
        ``LEORETURNS_NUM_THREADS``, else all that the machine grants this process: its CPU affinity and, in a container,
        the cgroup's CPU quota.

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
    threads = min(thread_count(n_jobs), len(work))
    silent = True if os.environ.get(PROGRESS_VARIABLE) == "0" else None
    with tqdm(total=len(work), desc=label, delay=PROGRESS_AFTER_SECONDS, disable=silent, leave=False) as progress:
        if threads <= 1:
            results = []
            for item in work:
                results.append(function(item))
                progress.update()
            return results
        pool = ThreadPoolExecutor(threads, thread_name_prefix="leoreturns")
        try:
            futures = [pool.submit(function, item) for item in work]
            results = []
            for future in futures:
                results.append(future.result())
                progress.update()
            return results
        finally:
            _stop(pool)


def _stop(pool: ThreadPoolExecutor) -> None:
    """Drop the work not yet begun and wait for the rest, also if the wait itself is interrupted."""
    try:
        pool.shutdown(wait=True, cancel_futures=True)
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
