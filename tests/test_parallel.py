"""Threads: how many, in what order results and errors come, and that Ctrl-C stops the work cleanly."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from leoreturns import _parallel
from leoreturns._parallel import granted_cpus, ordered_map, thread_count

WAIT = 60.0  # seconds after which an event that should have come has not


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(_parallel.THREADS_VARIABLE, raising=False)
    monkeypatch.delenv(_parallel.PROGRESS_VARIABLE, raising=False)


def with_cpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)


# ---- how many -------------------------------------------------------------------------------------------------------


def test_a_number_of_threads_is_taken_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cpus(monkeypatch, 2)
    assert [thread_count(count) for count in (1, 2, 7, 100)] == [1, 2, 7, 100]


def test_minus_one_and_none_are_all_that_the_machine_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parallel, "granted_cpus", lambda: 5)
    assert thread_count() == thread_count(None) == thread_count(-1) == 5


def test_the_variable_counts_where_no_number_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parallel, "granted_cpus", lambda: 5)
    monkeypatch.setenv("LEORETURNS_NUM_THREADS", "3")
    assert (thread_count(), thread_count(2), thread_count(-1)) == (3, 2, 5)
    monkeypatch.setenv("LEORETURNS_NUM_THREADS", "-1")
    assert thread_count() == 5


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "", "1e3"])
def test_a_wrong_variable_is_refused_by_its_name(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEORETURNS_NUM_THREADS", value)
    with pytest.raises(ValueError, match=f"LEORETURNS_NUM_THREADS must be a positive number.*{re.escape(repr(value))}"):
        thread_count()
    assert thread_count(1) == 1


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, "many", True, False, [2]])
def test_a_wrong_number_is_refused(n_jobs: int) -> None:
    with pytest.raises(ValueError, match="n_jobs must be a positive number of threads or -1"):
        thread_count(n_jobs)
    with pytest.raises(ValueError, match="n_jobs"):
        ordered_map(str, [1, 2], n_jobs=n_jobs)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


V1_QUOTA, V1_PERIOD = "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "350000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "6400000 100000\n"}, 8),  # the affinity is the tighter bound
        ({"cpu.max": "broken"}, 8),
        ({"cpu.max": ""}, 8),
        ({V1_QUOTA: "-1\n", V1_PERIOD: "100000\n"}, 8),
        ({V1_QUOTA: "400000\n", V1_PERIOD: "100000\n"}, 4),
        ({V1_QUOTA: "400000\n"}, 8),
        ({"cpu.max": "max 100000\n", V1_QUOTA: "300000\n", V1_PERIOD: "100000\n"}, 3),
    ],
)
def test_the_quota_of_a_container_bounds_the_cpus(
    files: dict[str, str], cpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cpus(monkeypatch, 8)
    assert granted_cpus(write(tmp_path, files)) == cpus


def test_affinity_bounds_the_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_cpus(monkeypatch, 1)
    assert granted_cpus(write(tmp_path, {"cpu.max": "400000 100000"})) == 1


def test_where_the_system_knows_no_affinity_all_cpus_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert granted_cpus(tmp_path) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert granted_cpus(tmp_path) == 1


# ---- order ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2, 3, 16])
def test_results_come_in_the_order_of_the_items(n_jobs: int) -> None:
    assert ordered_map(lambda item: item * item, range(500), n_jobs=n_jobs) == [item * item for item in range(500)]
    assert ordered_map(str, iter([]), n_jobs=n_jobs) == []
    assert ordered_map(str, (item for item in "a"), n_jobs=n_jobs) == ["a"]


def test_results_come_in_order_though_the_work_ends_in_another() -> None:
    second_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(WAIT)
        if item == 1:
            second_is_done.set()
        return item

    assert ordered_map(work, range(2), n_jobs=2) == [0, 1]


def test_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(3)  # passes only when three are inside
    assert len(ordered_map(lambda _: together.wait(WAIT), range(3), n_jobs=3)) == 3


def test_one_thread_is_the_callers_own() -> None:
    assert ordered_map(lambda _: threading.get_ident(), range(4), n_jobs=1) == [threading.get_ident()] * 4
    # One item needs no pool either.
    assert ordered_map(lambda _: threading.get_ident(), range(1), n_jobs=8) == [threading.get_ident()]


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_the_error_of_the_first_item_that_failed_is_raised(n_jobs: int) -> None:
    later_failed = threading.Event()

    def work(item: int) -> int:
        if item == 3:
            if n_jobs > 1:
                assert later_failed.wait(WAIT)
            raise KeyError("third")
        if item == 4:
            later_failed.set()
            raise OSError("fourth, though it failed first")
        return item

    with pytest.raises(KeyError, match="third"):
        ordered_map(work, range(50), n_jobs=n_jobs)


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_after_an_error_work_under_way_ends_and_the_rest_is_dropped(n_jobs: int) -> None:
    begun: list[int] = []
    ended: list[int] = []
    failing = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            failing.set()
            raise RuntimeError("stop")
        assert failing.wait(WAIT)
        ended.append(item)

    with pytest.raises(RuntimeError, match="stop"):
        ordered_map(work, range(100_000), n_jobs=n_jobs)
    # Other threads may take an item or a few while the failing one is on its way to stop them.
    assert 0 in begun and len(begun) < 50_000
    assert sorted(ended) == sorted(begun)[1:]
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("leoreturns")] == []


# ---- progress -------------------------------------------------------------------------------------------------------


def progress_of(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Watch with what the progress bars are made, and how far they get."""
    made: list[dict[str, object]] = []

    class Bar:
        def __init__(self, **options: object) -> None:
            made.append(options | {"done": 0})

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            made[-1]["closed"] = True

        def update(self) -> None:
            made[-1]["done"] = int(str(made[-1]["done"])) + 1

    monkeypatch.setattr(_parallel, "tqdm", Bar)
    return made


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_progress_is_shown_after_two_seconds_on_a_terminal_only(n_jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = progress_of(monkeypatch)
    ordered_map(str, range(7), n_jobs=n_jobs, label="describing cells")
    monkeypatch.setenv("LEORETURNS_PROGRESS", "0")
    ordered_map(str, range(7), n_jobs=n_jobs)
    shown, silent = made
    assert (shown["total"], shown["desc"], shown["delay"], shown["done"], shown["closed"]) == (
        7,
        "describing cells",
        2.0,
        7,
        True,
    )
    assert shown["disable"] is None  # tqdm: off where the output is no terminal
    assert silent["disable"] is True


def test_progress_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    made = progress_of(monkeypatch)
    with pytest.raises(ZeroDivisionError):
        ordered_map(lambda item: 1 // item, range(3), n_jobs=2)
    assert made[0]["closed"] is True


def test_work_writes_nothing_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    ordered_map(str, range(100), n_jobs=2, label="work")
    assert capfd.readouterr() == ("", "")


# ---- Ctrl-C ---------------------------------------------------------------------------------------------------------

# An aggregate of many tasks, each repeated until the whole takes minutes; the first one to run says so.
LONG = """
    import threading, sys
    import numpy as np, pandas as pd
    import leoreturns as lr
    from leoreturns.aggregates import describe

    n = 40_000
    pay = np.random.default_rng(0).lognormal(10, 1, n)
    frame = pd.DataFrame({"person": np.arange(n), "year": 0, "pay": pay, "cell": np.arange(n) % 4000})
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    wanted = lr.aggregate(panel, "pay", by="cell", statistics=["sum", "p50"], n_jobs=1).statistics
    once, describe.TASK_ROWS = describe._describe_task, 10
    begun = threading.Event()

    def slowly(*arguments):
        if not begun.is_set():
            begun.set()
            print("begun", flush=True)
        for _ in range(300):
            once(*arguments)

    describe._describe_task = slowly
"""
INTERRUPTED = """
    result = None
    try:
        result = lr.aggregate(panel, "pay", by="cell", statistics=["sum", "p50"], n_jobs=N_JOBS)
    except KeyboardInterrupt:
        # A thread that was being started when the signal came ends on its own, after one task at most.
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("leoreturns")]
        for thread in threads:
            thread.join(30)
        print("interrupted", result, any(thread.is_alive() for thread in threads), flush=True)
    describe._describe_task = once
    again = lr.aggregate(panel, "pay", by="cell", statistics=["sum", "p50"], n_jobs=N_JOBS).statistics
    print("again", all((again[name] == wanted[name]).all() for name in wanted), flush=True)
"""


def begin(script: str, n_jobs: int) -> subprocess.Popen[str]:
    """Start a script and wait until its long aggregate is under way."""
    code = textwrap.dedent(script).replace("N_JOBS", str(n_jobs))
    path = os.pathsep.join(filter(None, [str(Path(_parallel.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is sent to a process on its own")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_stops_a_long_aggregate_and_the_next_one_is_right(n_jobs: int) -> None:
    process = begin(LONG + INTERRUPTED, n_jobs)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT)
    assert time.monotonic() - sent < 20, "work under way is waited for, the rest is dropped"
    assert out == "interrupted None False\nagain True\n"
    assert (err, process.returncode) == ("", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is sent to a process on its own")
def test_ctrl_c_ends_a_script_with_a_keyboard_interrupt() -> None:
    process = begin(LONG + '    print(lr.aggregate(panel, "pay", by="cell", statistics="sum", n_jobs=2))\n', 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT)
    assert out == ""
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode in (-signal.SIGINT, 130)
