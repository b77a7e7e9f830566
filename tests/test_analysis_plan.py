"""Analysis plans: locked with hash and time, changed on the record alone, and departures stated in every answer."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

import pytest
from batch_cases import SPEC, prepared, silent
from click.testing import CliRunner

import leoreturns as lr
from leoreturns.__main__ import main
from leoreturns.errors import StudyError

PLAN = """\
title = "Routes"
estimand = "ATT"
outcome = ["log_earnings", "real_earnings"]
sample = "years_since_ks4 == 10 and  sex == 'F'"
covariates = ["sex", "prior_attainment"]
"""
STUDY = """\
analysis_plan = "plan.toml"
[panel]
path = "panel"
[[question]]
ask = "treatment_effect"
name = "planned"
outcome = "real_earnings"
treatment = "C(ks5_route, ref='none')"
covariates = "sex + prior_attainment"
method = "ra"
estimand = "ATT"
cov = "HC1"
where = "years_since_ks4 == 10 and sex == 'F'"
[[question]]
ask = "treatment_effect"
name = "other"
outcome = "earnings"
treatment = "C(ks5_route, ref='none')"
covariates = "prior_attainment + fsm"
method = "ra"
estimand = "ATE"
cov = "HC1"
where = "years_since_ks4 == 10"
[release]
to = "release"
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_a_lock_holds_hash_and_time(plan: Path) -> None:
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    locked = lr.lock_plan(plan)
    assert locked.sha256 == hashlib.sha256(plan.read_bytes()).hexdigest()
    assert before <= dt.datetime.fromisoformat(locked.locked) <= dt.datetime.now(dt.UTC)
    assert locked.content["outcome"] == ["log_earnings", "real_earnings"] and not locked.changes
    record = (plan.parent / "plan.toml.lock").read_bytes()
    assert lr.lock_plan(plan) == locked and (plan.parent / "plan.toml.lock").read_bytes() == record
    assert repr(locked) == f"<LockedPlan {locked.sha256[:12]}: locked {locked.locked}, 0 controlled changes>"


def test_a_change_needs_a_reason_and_is_logged(plan: Path) -> None:
    first = lr.lock_plan(plan)
    plan.write_text(PLAN.replace('"ATT"', '"ATE"').replace('"sex", ', ""))
    with pytest.raises(StudyError, match="has changed since: give a reason"):
        lr.lock_plan(plan)
    with pytest.raises(StudyError, match="has changed since: give a reason"):
        lr.lock_plan(plan, reason=" ")
    changed = lr.lock_plan(plan, reason="the mean over everybody is wanted")
    assert changed.locked == first.locked and changed.sha256 != first.sha256
    (change,) = changed.changes
    assert change["reason"] == "the mean over everybody is wanted" and change["changed"] == ["estimand", "covariates"]
    plan.write_text(PLAN)
    assert len(lr.lock_plan(plan, reason="back").changes) == 2


def test_an_edited_record_is_refused(plan: Path) -> None:
    lr.lock_plan(plan)
    plan.write_text(PLAN + "# more\n")
    lr.lock_plan(plan, reason="a comment")
    record = plan.parent / "plan.toml.lock"
    entries = json.loads(record.read_text())
    entries[0]["time"] = "2001-01-01T00:00:00+00:00"
    for edited in (json.dumps(entries), json.dumps(entries[1:]), "[]", "{}", "no"):
        record.write_text(edited)
        with pytest.raises(StudyError, match="not as it was written"):
            lr.lock_plan(plan)


def test_a_record_says_what_the_plan_says(plan: Path) -> None:
    lr.lock_plan(plan)
    record = plan.parent / "plan.toml.lock"
    (entry,) = json.loads(record.read_text())
    for edited in (
        entry | {"time": "2001-01-01T00:00:00+00:00"},
        entry | {"content": {**entry["content"], "outcome": "x"}},
    ):
        record.write_text(json.dumps([edited]))
        with pytest.raises(StudyError, match="not as it was written"):
            lr.lock_plan(plan)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('estimand = "ATT"', "", "estimand must be a text"),
        ('estimand = "ATT"', 'estimand = ["ATT"]', "line 2: estimand must be a text"),
        ('["sex", "prior_attainment"]', "3", "line 5: covariates must be a text or a list of texts"),
        ("title", "titel", "line 1: the plan: unknown key 'titel'; did you mean 'title'?"),
    ],
)
def test_what_is_no_plan_is_refused(old: str, new: str, message: str, plan: Path) -> None:
    plan.write_text(PLAN.replace(old, new))
    with pytest.raises(StudyError) as caught:
        lr.lock_plan(plan)
    assert message in str(caught.value)
    assert not (plan.parent / "plan.toml.lock").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a panel, a plan that is locked, and a study that names it."""
    folder = prepared(tmp_path_factory.mktemp("plan")).parent
    (folder / "plan.toml").write_text(PLAN)
    lr.lock_plan(folder / "plan.toml")
    return folder


def test_a_study_states_whether_it_departs(folder: Path) -> None:
    (folder / "study.toml").write_text(STUDY)
    result = CliRunner().invoke(main, ["run", str(folder / "study.toml"), "--jobs", "1"])
    assert result.exit_code == 0, result.output
    readme = (folder / "release" / "README.txt").read_text()
    planned, other = (readme[readme.index(f"Answer: {name}") :] for name in ("planned", "other"))
    departures = [text.split("departures: ")[1].splitlines()[0] for text in (planned, other)]
    assert departures[0] == "none"
    assert departures[1] == (
        "estimand: ATE not planned, outcome: earnings not planned, sample: years_since_ks4 == 10 not planned, "
        "covariates: without sex, covariates: fsm not planned"
    )
    assert f"sha256: {hashlib.sha256(PLAN.encode()).hexdigest()}" in planned


def test_a_plan_must_be_locked_and_unchanged(folder: Path) -> None:
    (folder / "loose.toml").write_text(PLAN)
    (folder / "study.toml").write_text(STUDY.replace("plan.toml", "loose.toml"))
    for changed, message in (("", "'loose.toml' is not locked: run"), ("# x\n", "was changed after it was locked")):
        (folder / "loose.toml").write_text(PLAN + changed)
        result = CliRunner().invoke(main, ["run", str(folder / "study.toml")])
        assert result.exit_code == 1 and message in result.output and "line 1: analysis_plan: " in result.output
        (folder / "loose.toml").write_text(PLAN)
        assert CliRunner().invoke(main, ["lock", str(folder / "loose.toml")]).exit_code == 0


def test_a_batch_states_departures_in_its_manifest(folder: Path) -> None:
    text = SPEC.replace('title = "Levels', 'analysis_plan = "plan.toml"\ntitle = "Levels')
    (folder / "batch.toml").write_text(text)
    batch = lr.run_batch(
        folder / "batch.toml", to=folder / "batch", n_jobs=1, only=["route-*", "levels-w*"], show=silent
    )
    jobs = batch.manifest["jobs"]
    sample = "years_since_ks4 == 10 and sex == 'F' and cohort in [2004, 2005, 2006]"
    assert jobs["route-pay-women-late-main"]["departures"] == [f"sample: {sample} not planned"]
    assert jobs["levels-women-early-main"]["departures"] == [
        "sample: sex == 'F' and cohort in [2002, 2003] not planned"
    ]
    stated = batch["levels-women-early-main"].settings["analysis_plan"]
    assert stated["not compared"] == ["estimand", "outcome", "covariates"]
    # A controlled change is another analysis: its jobs are done again.
    (folder / "plan.toml").write_text(PLAN.replace("years_since_ks4 == 10 and  sex == 'F'", sample))
    lr.lock_plan(folder / "plan.toml", reason="the later cohorts alone")
    told: list[str] = []
    batch = lr.run_batch(folder / "batch.toml", to=folder / "batch", n_jobs=1, only="route-*", show=told.append)
    assert told[0] == "1 job, 1 to do" and batch.manifest["jobs"]["route-pay-women-late-main"]["departures"] == []
    (change,) = batch["route-pay-women-late-main"].settings["analysis_plan"]["controlled changes"]
    assert change.endswith(": the later cohorts alone")
