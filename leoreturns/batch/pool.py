"""Where jobs run: processes or threads of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import joblib

from leoreturns.batch.work import Done, Task, work
from leoreturns.errors import StudyError

Backend: TypeAlias = Literal["loky", "threading", "dask"]


@dataclass(frozen=True, slots=True)
class Pool:
    """Workers.

    Attributes
    ----------
    backend : "loky", "threading" or "dask"
    n_jobs : int
        Jobs at a time.
    client : object
        Of the cluster.
    """

    backend: Backend
    n_jobs: int
    client: Any = None

    def completed(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Yield what became of every task, as they end; begun in their order.

        Tasks raise nothing. If the workers are lost all the same, those that were at work are tried again one by one,
        and one that ends its worker again has failed.

        Raises
        ------
        StudyError
            If the workers are lost before they begin a task.
        """
        left = {task.key: task for task in tasks}
        while left:
            for key in [key for key, task in left.items() if task.folder.result(key).exists()]:
                del left[key]  # written by a worker that was lost before it said so
                yield Done(key, "", 0.0)
            try:
                for done in self._run(list(left.values()), self.n_jobs):
                    del left[done.key]
                    yield done
            except Exception as error:
                suspects = [key for key, task in left.items() if task.folder.running(key).exists()]
                if not suspects:
                    raise StudyError("workers are lost before they begin a job; run with fewer at a time") from error
                for key in suspects:
                    yield self._alone(left.pop(key))

    def _run(self, tasks: Sequence[Task], n_jobs: int) -> Iterator[Done]:
        with joblib.parallel_config(self.backend, **({"client": self.client} if self.client is not None else {})):
            parallel = joblib.Parallel(n_jobs, return_as="generator_unordered", batch_size=1)
            yield from parallel(joblib.delayed(work)(task) for task in tasks)

    def _alone(self, task: Task) -> Done:
        """Do a task while no other runs, in a process that is not this one: more than one job makes joblib start it."""
        try:
            return next(iter(self._run([task], max(self.n_jobs, 2))))
        except Exception:
            task.folder.running(task.key).unlink(missing_ok=True)
            return Done(task.key, "ended its worker: it crashed, or the machine ran out of memory", 0.0)


@contextmanager
def pool_of(backend: Backend, n_jobs: int, address: str | None) -> Iterator[Pool]:
    """Give workers while the block runs.

    Raises
    ------
    StudyError
        If Dask is not installed, or no cluster is named.
    """
    if backend != "dask":
        yield Pool(backend, n_jobs)
        return
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise StudyError('backend "dask" needs dask: pip install "leoreturns[dask]"') from None
    if address is not None:
        try:
            client = distributed.Client(address, set_as_default=False)
        except (OSError, ValueError):
            raise StudyError("no Dask scheduler answers at that address") from None
        with client:
            yield _of_cluster(client)
        return
    try:
        client = distributed.get_client()
    except ValueError:
        raise StudyError("name the address of a Dask scheduler, or make a distributed.Client first") from None
    yield _of_cluster(client)


def _of_cluster(client: Any) -> Pool:
    """Return the workers of a cluster: a job for each of their threads, at least the one that is awaited."""
    return Pool("dask", max(1, sum(client.ncores().values())), client)
