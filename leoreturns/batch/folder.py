"""The folder of a batch: one file for each result, whole or absent, under the hash of all that decides it.

NOT-FOR-RELEASE   results may describe small cells, and stay inside
spec.toml         the spec as it was run
manifest.json     every job: where it stands in the grid, the key of its result, its state
summary.csv       the same as a table
log.jsonl         what was done when, and how long it took; the only file whose bytes differ between runs
results/KEY       an answer
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from leoreturns._folder import MARKER, UNFINISHED, new_folder, reason, write_whole
from leoreturns._parallel import ordered_map
from leoreturns.errors import StudyError, silenced
from leoreturns.panel.lock import locked
from leoreturns.results.answer import Answer

NOTICE = "This folder holds results that are not protected. It must not leave the secure environment.\n"
SPEC, MANIFEST, SUMMARY, LOG, RESULTS, RUNNING = (
    "spec.toml", "manifest.json", "summary.csv", "log.jsonl", "results", "running",
)  # fmt: skip
LIBRARIES = ("leoreturns", "numpy", "pandas", "scipy", "scikit-learn")
PACKAGE = Path(__file__).resolve().parents[1]
BLOCK = 1 << 24  # bytes hashed at a time


@dataclass(frozen=True, slots=True)
class BatchFolder:
    """Where a batch keeps its results."""

    path: Path

    def result(self, key: str) -> Path:
        """Return the file of a result."""
        return self.path / RESULTS / f"{key}.pickle"

    def running(self, key: str) -> Path:
        """Return the file that is there while a job runs: what a worker that dies was at."""
        return self.path / RUNNING / key

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder, or go on with an earlier batch's, while no other batch runs there.

        Raises
        ------
        StudyError
            If the folder is something else, another batch is at work there, or the disk is full.
        """
        with (
            self._writing(),
            locked(self.path.with_name(f".{self.path.name}.lock"), f"a batch runs in {self.path.name!r}"),
        ):
            if not self.path.exists():
                with new_folder(self.path, StudyError, NOTICE) as folder:
                    (folder / RESULTS).mkdir()
                    (folder / RUNNING).mkdir()
            elif not (self.path / MARKER).exists() or not (self.path / RESULTS).is_dir():
                raise StudyError(f"{self.path.name!r} exists and is not the folder of a batch: name a new one")
            for left in [*self.path.glob(f"**/{UNFINISHED}*"), *(self.path / RUNNING).iterdir()]:
                left.unlink()
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        text = "finished results are kept: run the batch again to go on"
        with silenced(OSError, lambda error: StudyError(f"cannot write {self.path.name!r}: {reason(error)}; {text}")):
            yield

    def write(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        write_whole(self.result(key), pickled(answer))

    def read(self, key: str) -> Answer:
        """Return an answer that was kept."""
        with open(self.result(key), "rb") as stream:
            found = pickle.load(stream)
        assert isinstance(found, Answer)
        return found

    def describe(self, spec: str, manifest: Mapping[str, Any]) -> None:
        """Write the spec, the manifest and the summary."""
        write_whole(self.path / SPEC, spec.encode())
        write_whole(self.path / MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
        text = io.StringIO()
        rows = [{"job": name, **job["cell"], **_summary(job)} for name, job in manifest["jobs"].items()]
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.path / SUMMARY, text.getvalue().encode())

    def log(self, **entry: Any) -> None:
        """Add a line to the log."""
        with open(self.path / LOG, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")


def _summary(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the summary tells of a job beside its cell."""
    return {"ask": job["ask"], "state": job["state"], "results": len(job["results"]), "message": job["message"]}


def pickled(answer: Answer) -> bytes:
    """Return an answer as bytes that depend on what it holds, and not on which of its parts are one object.

    Pickles refer back to objects that occur again, and whether two equal texts are one object differs between
    processes. Without a memo everything is written out where it occurs.
    """
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol=5)
    pickler.fast = True
    pickler.dump(answer)
    return stream.getvalue()


# ---- keys -----------------------------------------------------------------------------------------------------------


def key_of(settings: Mapping[str, Any], data: str) -> str:
    """Return the key of a result: hash of what was asked, of the data, and of the versions."""
    told = json.dumps([settings, data, versions()], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def data_digest(panel: Path, n_jobs: int | None = None) -> str:
    """Return a hash of the files of a stored panel."""
    files = sorted(path for path in panel.iterdir() if path.is_file())
    digests = ordered_map(_file_digest, files, n_jobs=n_jobs, label="hashing the panel")
    named = [[path.name, digest] for path, digest in zip(files, digests, strict=True)]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result depends on; of this package also a hash of its modules and kernels."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    modules = sorted(path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".so", ".pyd"))
    code = "".join(_file_digest(path) for path in modules)
    return {**found, "code": hashlib.sha256(code.encode()).hexdigest()[:16]}
