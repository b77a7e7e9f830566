"""Batch: the answers of a grid of jobs, read when they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from leoreturns._checks import counted
from leoreturns.batch.folder import MANIFEST, BatchFolder
from leoreturns.errors import StudyError
from leoreturns.results.aggregate import INSIDE_ONLY
from leoreturns.results.answer import Answer

DONE, FAILED, PENDING = "done", "failed", "pending"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Batch(Mapping[str, Answer]):
    """The finished answers of a batch by the names of their jobs, as `release` takes them.

    They are results from inside: nothing in them is protected yet. They are pickles, which run code when they are read;
    open the folders of batches that you trust.

    Attributes
    ----------
    path : Path
        Folder.
    manifest : mapping
        What the folder's manifest holds: spec, data, versions, and every job.
    """

    path: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> Batch:
        """Open the folder of a batch.

        Raises
        ------
        StudyError
            If it is none.
        """
        try:
            manifest = json.loads((Path(path) / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise StudyError(f"{str(path)!r} is not the folder of a batch: it has no {MANIFEST}") from None
        return cls(Path(path), manifest)

    @property
    def failed(self) -> dict[str, str]:
        """Why jobs failed, by name."""
        return {name: job["message"] for name, job in self.manifest["jobs"].items() if job["state"] == FAILED}

    @property
    def pending(self) -> list[str]:
        """Names of the jobs that are still to be done."""
        return self._names(PENDING)

    def _names(self, state: str) -> list[str]:
        return [name for name, job in self.manifest["jobs"].items() if job["state"] == state]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per job: its place in the grid, its state, and the number of its results."""
        rows = [
            {"job": name, **job["cell"], "ask": job["ask"], "state": job["state"], "results": len(job["results"])}
            for name, job in self.manifest["jobs"].items()
        ]
        return pd.DataFrame(rows).set_index("job")

    def __getitem__(self, name: str) -> Answer:
        job = self.manifest["jobs"].get(name)
        if job is None or job["state"] != DONE:
            raise KeyError(f"no finished job {name!r}; there are {', '.join(self)}")
        return BatchFolder(self.path).read(job["key"])

    def __contains__(self, name: object) -> bool:
        return name in self._names(DONE)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names(DONE))

    def __len__(self) -> int:
        return len(self._names(DONE))

    def __repr__(self) -> str:
        told = "".join(f"\n  {name}: {why}" for name, why in self.failed.items())
        counts = f"{len(self):,} done, {len(self.failed):,} failed, {len(self.pending):,} pending"
        return f"Batch of {counted(len(self.manifest['jobs']), 'job')}: {counts}{told}\n{INSIDE_ONLY}"
