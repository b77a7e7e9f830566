"""Jobs that fail cost no other job anything, and are told of without a value."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from batch_cases import SPEC, Deadly, Hungry, Raising, prepared, tasks_of
from click.testing import CliRunner

import leoreturns as lr
from leoreturns.__main__ import main
from leoreturns.batch.pool import Pool
from leoreturns.batch.work import work


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("batch"))


def with_argument(task, argument):
    """A task whose question meets this argument instead of its characteristics."""
    asked = dataclasses.replace(task.job.asked, arguments={**task.job.asked.arguments, "characteristics": argument})
    return dataclasses.replace(task, job=dataclasses.replace(task.job, asked=asked))


def test_a_job_that_fails_does_not_stop_the_others(spec: Path, tmp_path: Path) -> None:
    tasks = tasks_of(spec, tmp_path / "batch", memory=0.4 if sys.platform == "linux" else None)
    names = ["levels-everybody-late-main", "levels-women-late-main", "levels-everybody-early-main"]
    for name, argument in zip(names, (Raising(), Hungry(), Deadly()), strict=True):
        tasks[name] = with_argument(tasks[name], argument)
    done = {each.key: each.message for each in Pool("loky", 2).completed(list(tasks.values()))}
    messages = {name: done[task.key] for name, task in tasks.items()}
    assert messages[names[0]].startswith("ValueError in leoreturns/") and "4711" not in messages[names[0]]
    if sys.platform == "linux":
        assert messages[names[1]] == "needs more than the 0.4 GB that a job may take"
    assert messages[names[2]] == "ended its worker: it crashed, or the machine ran out of memory"
    for name in tasks.keys() - {*names}:
        assert messages[name] == "" and tasks[name].folder.result(tasks[name].key).exists()
    assert not list((tmp_path / "batch" / "running").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="this platform has no limit on what a process writes to")
def test_the_limit_of_memory_ends_with_the_job(spec: Path, tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    task = tasks_of(spec, tmp_path / "batch", memory=0.4)["levels-women-late-main"]
    assert "0.4 GB" in work(with_argument(task, Hungry())).message
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert work(task).message == ""


def test_a_worker_with_other_versions_does_nothing(spec: Path, tmp_path: Path) -> None:
    task = tasks_of(spec, tmp_path / "batch")["levels-women-late-main"]
    done = work(dataclasses.replace(task, versions={**task.versions, "numpy": "0.1"}))
    assert done.message == "this worker has another numpy than where the batch was started"


def test_failures_are_told_and_tried_again(spec: Path, tmp_path: Path) -> None:
    # Year 15 after key stage 4 lies beyond the tax years of the later cohorts: only the answer can tell.
    (tmp_path / "spec.toml").write_text(
        SPEC.replace('"panel"', f'"{spec.parent / "panel"}"').replace('level = false\ncohorts = ["early"]', "year = 15")
    )
    result = CliRunner().invoke(main, ["batch", str(tmp_path / "spec.toml"), "--jobs", "1"])
    assert result.exit_code == 1
    assert "failed: SupportError: no rows are left" in result.output and "Traceback" not in result.output
    batch = lr.Batch.open(tmp_path / "spec")
    assert {name.split("-")[3] for name in batch.failed} == {"late"} and len(batch.failed) == 4
    assert len(batch) == 9 and not batch.pending
    again = CliRunner().invoke(main, ["batch", str(tmp_path / "spec.toml"), "--jobs", "1"])
    assert "13 jobs, 4 to do" in again.output
