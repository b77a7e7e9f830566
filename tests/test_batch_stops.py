"""Batches that are stopped: nothing that was there is lost, nothing is done twice, and the end is the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from batch_cases import JOBS, SPEC, batch_killed, contents, prepared, silent

import leoreturns as lr
from leoreturns.errors import PanelError, StudyError
from leoreturns.panel.lock import locked


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("batch"))


@pytest.fixture(scope="module")
def whole(spec: Path) -> lr.Batch:
    """Return the batch, run by one worker."""
    return lr.run_batch(spec, to=spec.parent / "whole", n_jobs=1, show=silent)


def test_a_batch_killed_at_random_moments_goes_on(spec: Path, whole: lr.Batch, tmp_path: Path) -> None:
    """Twenty kills: before a file is made or renamed, in the middle of the grid, while manifests are written."""
    draw, to, kills, there = random.Random(20), tmp_path / "batch", 0, set()
    while kills < 20:
        killed = batch_killed(spec, to, moment=draw.randrange(12))
        results = {path.name for path in to.glob("results/*.pickle")}
        assert there <= results, "a result that was there is lost"
        if not killed:
            assert contents(to) == contents(whole.path)
            for path in draw.sample(sorted(to.glob("results/*.pickle")), 6):
                path.unlink()
            results = set()
        kills, there = kills + killed, results
    lr.run_batch(spec, to=to, n_jobs=1, show=silent)
    assert contents(to) == contents(whole.path)


def test_a_batch_of_two_workers_killed_goes_on(spec: Path, whole: lr.Batch, tmp_path: Path) -> None:
    to = tmp_path / "batch"
    assert batch_killed(spec, to, moment=14, n_jobs=2)
    lr.run_batch(spec, to=to, n_jobs=2, show=silent)
    assert contents(to) == contents(whole.path)


def test_what_is_there_is_not_done_again(spec: Path, whole: lr.Batch, tmp_path: Path) -> None:
    told: list[str] = []
    to = tmp_path / "batch"
    lr.run_batch(spec, to=to, n_jobs=1, only="levels-*", show=silent)
    batch = lr.run_batch(spec, to=to, n_jobs=1, only=["route-*", "levels-*"], show=told.append)
    assert told[0] == "5 jobs, 1 to do" and len(told) == 2
    assert len(batch) == 5 and len(batch.pending) == 4
    lr.run_batch(spec, to=to, n_jobs=1, only="route-*", resume=False, show=told.append)
    assert told[2] == "1 job, 1 to do"
    # Another seed is another result, of those jobs that use it.
    (spec.parent / "seed.toml").write_text(SPEC.replace("seed = 1", "seed = 2"))
    lr.run_batch(
        spec.parent / "seed.toml", to=to, n_jobs=1, only=["levels-women-late-main", "route-*"], show=told.append
    )
    assert told[4] == "2 jobs, 1 to do"
    lr.run_batch(spec, to=to, n_jobs=1, show=silent)
    assert {*contents(whole.path).items()} < {*contents(to).items()}


def test_a_dry_run_writes_nothing(spec: Path, tmp_path: Path) -> None:
    told: list[str] = []
    batch = lr.run_batch(spec, to=tmp_path / "batch", dry_run=True, show=told.append)
    assert not (tmp_path / "batch").exists() and set(batch.pending) == JOBS
    assert told[-1] == "9 jobs, 0 done already; nothing was run"


def test_two_batches_do_not_share_a_folder_at_a_time(spec: Path, tmp_path: Path) -> None:
    with locked(tmp_path / ".batch.lock", "busy"), pytest.raises(PanelError, match="a batch runs in 'batch'"):
        lr.run_batch(spec, to=tmp_path / "batch", show=silent)
    (tmp_path / "other").mkdir()
    with pytest.raises(StudyError, match="not the folder of a batch"):
        lr.run_batch(spec, to=tmp_path / "other", show=silent)


def test_a_panel_is_built_where_it_is_not_there(spec: Path, tmp_path: Path) -> None:
    extract = spec.parent / "extract"
    text = SPEC.replace(
        'panel = "panel"\n',
        'panel = "built"\npreset = "dfe-2021"\ndeflator = "illustrative"\n[extract]\n' + f'path = "{extract}"\n',
    )
    (tmp_path / "spec.toml").write_text(text)
    told: list[str] = []
    lr.run_batch(tmp_path / "spec.toml", to=tmp_path / "batch", dry_run=True, show=told.append)
    assert told[0] == "the panel of [definitions.main] is to be built" and not (tmp_path / "built").exists()
    batch = lr.run_batch(tmp_path / "spec.toml", to=tmp_path / "batch", n_jobs=1, only="levels-*", show=silent)
    assert len(batch) == 4 and lr.Panel.open(tmp_path / "built").n_person
    (tmp_path / "spec.toml").write_text(text.replace("illustrative", 'illustrative"\nsustained = "181 days'))
    with pytest.raises(StudyError, match=r"line 3: \[definitions\.main\]: .* was built by other definitions"):
        lr.run_batch(tmp_path / "spec.toml", to=tmp_path / "batch", show=silent)
