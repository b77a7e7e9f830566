"""One job, in whatever process it runs: its answer is written to the folder, or a message tells what went wrong."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.linalg import blas

from leoreturns._folder import reason
from leoreturns._parallel import threads
from leoreturns.analysis_plan import LockedPlan
from leoreturns.asked import answer_of, stated
from leoreturns.batch.check import chosen_rows
from leoreturns.batch.folder import PACKAGE, BatchFolder, versions
from leoreturns.batch.spec import Job
from leoreturns.errors import LeoReturnsError
from leoreturns.panel import store
from leoreturns.panel.panel import Panel
from leoreturns.results.answer import Answer

GIGABYTE = 1_000_000_000
BUFFERED = 256  # rows of a matrix that is not too small for the buffers of OpenBLAS
PANELS_OPEN = 8  # mapped, so that they cost addresses and not memory


@dataclass(frozen=True, slots=True)
class Task:
    """A job and how it is to be done.

    Attributes
    ----------
    job : Job
    key : str
        Of its result.
    folder : BatchFolder
    data : str
        Hash of the panel.
    versions : mapping
        Of the process that gives it out.
    n_threads : int
    memory : float or None
        Gigabytes that it may take, beyond those that its process held before.
    analysis_plan : LockedPlan or None
    """

    job: Job
    key: str
    folder: BatchFolder
    data: str
    versions: dict[str, str]
    n_threads: int
    memory: float | None
    analysis_plan: LockedPlan | None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task; `message` is "" if its result was written."""

    key: str
    message: str
    seconds: float


def work(task: Task) -> Done:
    """Do a job and write its answer; whatever goes wrong is told in a message without a value of the data."""
    start, message = time.perf_counter(), ""
    running = task.folder.running(task.key)
    try:
        running.touch()
        if differing := [name for name, of in versions().items() if task.versions.get(name) != of]:
            message = f"this worker has another {' and '.join(differing)} than where the batch was started"
        else:
            with capped(task.memory), threads(task.n_threads):
                answer = _answered(task)
            task.folder.write(task.key, answer)
    except MemoryError:
        message = "out of memory: run fewer jobs at once"
        if task.memory is not None:
            message = f"needs more than the {task.memory:g} GB that a job may take"
    except LeoReturnsError as error:
        message = f"{type(error).__name__}: {error}"
    except OSError as error:
        message = f"a file cannot be read or written: {reason(error)}"
    except Exception as error:  # its text may quote values
        message = f"{type(error).__name__} in {_place(error)}"
    with suppress(OSError):
        running.unlink(missing_ok=True)
    return Done(task.key, message, time.perf_counter() - start)


def _answered(task: Task) -> Answer:
    """Return the answer of a job."""
    job = task.job
    rows = chosen_rows(_panel(job.panel, task.data), job)
    answer = answer_of(job.asked, rows, job.plan, task.n_threads)
    return answer if task.analysis_plan is None else stated(answer, task.analysis_plan, job.asked, job.sample)


@lru_cache(maxsize=PANELS_OPEN)
def _panel(path: Path, data: str) -> Panel:
    """Return a panel that is mapped into memory, which all processes of a machine share."""
    return store.open_panel(path)


def _place(error: Exception) -> str:
    """Return where in the package an error arose: file and line, never its text."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(PACKAGE)
    ]
    return f"{Path(frames[-1].filename).relative_to(PACKAGE.parent).as_posix()}, line {frames[-1].lineno}"


# ---- memory ---------------------------------------------------------------------------------------------------------


def can_cap() -> bool:
    """Whether the platform can limit what a process writes to, files mapped for reading left out: Linux can."""
    return sys.platform == "linux"


@contextmanager
def capped(gigabytes: float | None) -> Iterator[None]:
    """Let the process take so many gigabytes more than it has, and no more; without a number, or a limit, any."""
    if gigabytes is None or sys.platform != "linux":
        yield
        return
    import resource

    _fill_buffers()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _data_bytes() + int(gigabytes * GIGABYTE)
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _fill_buffers() -> None:
    """Let the linear algebra of NumPy and of SciPy take their working memory, which OpenBLAS would wait for forever."""
    square = np.ones((BUFFERED, BUFFERED))
    np.matmul(square, square)
    blas.dsyrk(1.0, square)


def _data_bytes() -> int:
    """Return the bytes that the process can write to."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmData")).split()[1])
