"""Batches: the grid, same bytes however it is run, stops and faults that cost nobody else, and what is told of them."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pandas as pd
import pytest
from batch_cases import JOBS, SPEC, contents, prepared, silent, tasks_of
from click.testing import CliRunner

import leoreturns as lr
from leoreturns.__main__ import main
from leoreturns.batch.folder import LOG
from leoreturns.batch.grid import Grid
from leoreturns.batch.pool import pool_of
from leoreturns.errors import StudyError


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("batch"))


@pytest.fixture(scope="module")
def whole(spec: Path) -> lr.Batch:
    """Return the batch, run by one worker."""
    return lr.run_batch(spec, to=spec.parent / "whole", n_jobs=1, show=silent)


def numbers(answer: lr.Answer) -> dict[str, pd.DataFrame]:
    return {name: table.to_frame() for name, table in answer.tables.items()}


# ---- the grid -------------------------------------------------------------------------------------------------------


def test_every_cell_of_the_grid_is_a_job(whole: lr.Batch) -> None:
    assert set(whole.manifest["jobs"]) == JOBS == set(whole)
    frame = whole.to_frame()
    assert (frame["state"] == "done").all() and len(frame) == len(JOBS)
    assert frame.loc["levels-women-late-main", ["groups", "cohorts", "definitions"]].tolist() == [
        "women",
        "late",
        "main",
    ]
    assert frame.loc["levels-women-late-main", "outcomes"] == ""  # the question has no outcome


def test_an_answer_is_that_of_the_question(spec: Path, whole: lr.Batch) -> None:
    panel = lr.Panel.open(spec.parent / "panel")
    women = panel.where("sex == 'F'")
    plan = lr.BootstrapPlan(19, seed=1, interval="normal")
    expected = lr.education_levels(women.at(cohort=[2004, 2005, 2006]), characteristics=["fsm"], plan=plan)
    for name, table in numbers(expected).items():
        pd.testing.assert_frame_equal(numbers(whole["levels-women-late-main"])[name], table)
    pay = whole["year_13-whole_pay-everybody-early-main"]
    assert pay.settings["earnings"] == "earnings"
    expected = lr.labour_outcomes(
        panel.at(cohort=[2002, 2003]), earnings="earnings", characteristics=["fsm"], level=None
    )
    pd.testing.assert_frame_equal(pay["earnings_by_fsm"].to_frame(), expected["earnings_by_fsm"].to_frame())
    fit = lr.feols(
        "real_earnings ~ C(ks5_route, ref='none') + prior_attainment | cohort",
        women.where("years_since_ks4 == 10").at(cohort=[2004, 2005, 2006]),
        cov=lr.Robust("HC1"),
    )
    found = whole["route-pay-women-late-main"]["estimates"]
    assert isinstance(found, lr.Estimate)
    pd.testing.assert_frame_equal(found.to_frame(), fit.to_frame())
    assert "HMRC" in whole["route-pay-women-late-main"].owners


def test_finished_answers_are_released_as_they_are(whole: lr.Batch, tmp_path: Path) -> None:
    levels = {name: whole[name] for name in whole if name.startswith("levels-")}
    released = lr.release(levels, policy="ons-srs", to=tmp_path / "release")
    assert "levels-women-late-main_degree_by_fsm.csv" in released.files


def test_the_folder_tells_what_it_is(spec: Path, whole: lr.Batch) -> None:
    names = {path.name for path in whole.path.iterdir()}
    assert names == {"NOT-FOR-RELEASE", "spec.toml", "manifest.json", "summary.csv", "log.jsonl", "results", "running"}
    assert (whole.path / "spec.toml").read_text() == SPEC
    summary = pd.read_csv(whole.path / "summary.csv")
    assert set(summary["job"]) == JOBS and set(summary["state"]) == {"done"}
    logged = [json.loads(line) for line in (whole.path / "log.jsonl").read_text().splitlines()]
    assert {entry["job"] for entry in logged} == JOBS
    assert not list((whole.path / "running").iterdir())
    again = lr.Batch.open(whole.path)
    assert again.manifest == whole.manifest
    assert repr(again).startswith("Batch of 9 jobs: 9 done, 0 failed, 0 pending")
    with pytest.raises(KeyError, match="no finished job 'level'"):
        again["level"]
    with pytest.raises(StudyError, match=r"has no manifest\.json"):
        lr.Batch.open(spec.parent)


def test_costly_jobs_begin_first(spec: Path, tmp_path: Path) -> None:
    tasks = list(tasks_of(spec, tmp_path / "batch").values())
    rows = [3 if task.job.plan else 1 for task in tasks]
    assert rows == sorted(rows, reverse=True)
    assert tasks[0].job.name == "levels-everybody-late-main"


# ---- same bytes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_two_workers_give_the_same_bytes(backend, spec: Path, whole: lr.Batch, tmp_path: Path) -> None:
    lr.run_batch(spec, to=tmp_path / "batch", n_jobs=2, backend=backend, show=silent)
    assert contents(tmp_path / "batch") == contents(whole.path)


def test_the_order_of_jobs_does_not_matter(
    spec: Path, whole: lr.Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(3)
    monkeypatch.setattr(Grid, "cost", lambda grid, job: draw.randrange(1, 100))
    lr.run_batch(spec, to=tmp_path / "batch", n_jobs=1, show=silent)
    orders = [
        [json.loads(line)["job"] for line in (folder / LOG).read_text().splitlines()]
        for folder in (tmp_path / "batch", whole.path)
    ]
    assert orders[0] != orders[1]
    assert contents(tmp_path / "batch") == contents(whole.path)


def test_a_dask_cluster_gives_the_same_bytes(spec: Path, whole: lr.Batch, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    workers = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**workers, local_directory=str(tmp_path)) as cluster:
        address = cluster.scheduler_address
        lr.run_batch(spec, to=tmp_path / "batch", backend="dask", address=address, show=silent)
    assert contents(tmp_path / "batch") == contents(whole.path)


# ---- options and the command ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "mpi"}, "backend is one of 'loky', 'threading', 'dask', not 'mpi'"),
        ({"address": "tcp://x:1"}, "address is that of a Dask scheduler"),
        ({"memory": -1.0}, "memory is a positive number of gigabytes"),
        ({"memory": 1.0, "backend": "threading"}, "threads share their memory"),
        ({"memory": 1.0, "backend": "dask"}, "give its workers a memory_limit"),
        ({"only": "level-*"}, "no job is called 'level-\\*'; a dry run lists their names"),
        ({"only": "levels-women-lat-main"}, "did you mean 'levels-women-late-main'"),
        ({"n_jobs": 0}, "n_jobs must be a positive number"),
    ],
)
def test_options_that_are_none_are_refused(options, message: str, spec: Path, tmp_path: Path) -> None:
    with pytest.raises((ValueError, StudyError), match=message):
        lr.run_batch(spec, to=tmp_path / "batch", show=silent, **options)
    assert not (tmp_path / "batch").exists()


def test_a_cluster_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StudyError, match='backend "dask" needs dask: pip install'), pool_of("dask", 2, None):
        pass


def test_the_command_lists_and_runs(spec: Path, tmp_path: Path) -> None:
    arguments = ["batch", str(spec), "--to", str(tmp_path / "batch"), "--jobs", "1", "--only", "route-*"]
    listed = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert listed.exit_code == 0 and "route-pay-women-late-main: pending" in listed.output
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 0, ran.output
    assert "Batch of 9 jobs: 1 done, 0 failed, 8 pending" in ran.output
