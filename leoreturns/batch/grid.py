"""The jobs of a batch with the keys of their results, and what the manifest tells of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from leoreturns.batch.check import Checked
from leoreturns.batch.folder import BatchFolder, data_digest, key_of, versions
from leoreturns.batch.result import DONE, FAILED, PENDING
from leoreturns.batch.spec import Job, Spec
from leoreturns.batch.work import Task
from leoreturns.errors import StudyError


@dataclass(frozen=True, slots=True)
class Grid:
    """Jobs, what decides their results, and what they cost.

    Attributes
    ----------
    spec : Spec
    jobs : tuple of Job
        All of them, in the order of the spec.
    data : mapping of Path -> str
        Hash of each panel.
    rows : mapping of job name -> int
        Rows that it is asked of.
    """

    spec: Spec
    jobs: tuple[Job, ...]
    data: Mapping[Path, str]
    rows: Mapping[str, int]

    @classmethod
    def of(cls, checked: Checked, n_jobs: int | None) -> Grid:
        """Return the grid of a spec whose panels are all there."""
        panels = {source.panel for source in checked.spec.sources.values()}
        data = {panel: data_digest(panel, n_jobs) for panel in sorted(panels)}
        return cls(checked.spec, tuple(checked.spec.jobs), data, checked.rows)

    def key(self, job: Job) -> str:
        """Return the key of a job's result; jobs that ask the same of the same data have one."""
        plan = self.spec.analysis_plan
        return key_of({**job.settings, "analysis_plan": None if plan is None else asdict(plan)}, self.data[job.panel])

    def cost(self, job: Job) -> int:
        """Return what a job costs, for the order of jobs and the time left: its rows, in each replicate."""
        return max(1, self.rows[job.name]) * (1 + (0 if job.plan is None else job.plan.n_replicates))

    def tasks(self, jobs: Sequence[Job], folder: BatchFolder, n_threads: int, memory: float | None) -> dict[str, Task]:
        """Return what is to be done for these jobs by the key of the result, the costly first."""
        keys = {self.key(job): job for job in sorted(jobs, key=lambda job: (-self.cost(job), job.name))}
        return {
            key: Task(job, key, folder, self.data[job.panel], versions(), n_threads, memory, self.spec.analysis_plan)
            for key, job in keys.items()
            if not folder.result(key).exists()
        }

    def manifest(self, folder: BatchFolder, failed: Mapping[str, str]) -> dict[str, Any]:
        """Return what is known of every job: its result is there, or it failed, or it is still to be done.

        Parameters
        ----------
        folder : BatchFolder
        failed : mapping of key -> str
            Why.
        """
        plan = self.spec.analysis_plan
        return {
            "title": self.spec.title,
            "spec": self.spec.digest,
            "analysis_plan": None if plan is None else asdict(plan),
            "data": {name: self.data[source.panel] for name, source in self.spec.sources.items()},
            "versions": dict(versions()),
            "jobs": {job.name: self._told(job, folder, failed) for job in self.jobs},
        }

    def _told(self, job: Job, folder: BatchFolder, failed: Mapping[str, str]) -> dict[str, Any]:
        """Return what the manifest tells of a job."""
        key = self.key(job)
        told: dict[str, Any] = {"key": key, "cell": {"study": job.asked.name, **job.cell}, **job.settings}
        if not folder.result(key).exists():
            return {
                **told,
                "state": FAILED if key in failed else PENDING,
                "message": failed.get(key, ""),
                "results": [],
            }
        answer = folder.read(key)
        stated = answer.settings.get("analysis_plan")
        departures = {} if stated is None else {"departures": stated["departures"]}
        return {**told, "state": DONE, "message": "", "results": list(answer), **departures}


def matching(jobs: Sequence[Job], only: str | Sequence[str] | None) -> list[Job]:
    """Return the jobs that are called so; all if nothing is given.

    Raises
    ------
    StudyError
        For a name or pattern of no job.
    """
    if only is None:
        return list(jobs)
    patterns, names = [only] if isinstance(only, str) else list(only), [job.name for job in jobs]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            close = difflib.get_close_matches(pattern, names, n=1)
            told = f"did you mean {close[0]!r}?" if close else "a dry run lists their names"
            raise StudyError(f"no job is called {pattern!r}; {told}")
    return [job for job in jobs if any(fnmatchcase(job.name, pattern) for pattern in patterns)]
