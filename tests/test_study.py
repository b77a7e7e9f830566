"""Study files: what is read, what is refused with key and remedy, and that a run does what it says."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from build_cases import simulated
from click.testing import CliRunner, Result

from leoreturns.__main__ import main
from leoreturns.disclosure import release
from leoreturns.errors import StudyError
from leoreturns.panel.panel import Panel
from leoreturns.questions.catalogue import QUESTIONS
from leoreturns.questions.education import education_levels
from leoreturns.study import read_study, study_of

ROOT = Path(__file__).resolve().parents[1]
STUDY = """
title = "A small study"
[panel]
path = "panel"
[extract]
path = "extract"
lookups = { regions = "extract/lookups/regions.csv" }
[definitions]
preset = "dfe-2021"
deflator = "illustrative"
minimum_days = 30
[plan]
n_replicates = 49
seed = 1
interval = "normal"
[[question]]
ask = "education_levels"
name = "levels"
characteristics = ["sex"]
intervals = true
[[question]]
ask = "main_activities"
characteristics = []
level = false
where = "sex == 'F'"
release = ["activities"]
[release]
to = "release"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an extract and a study that was run."""
    folder = tmp_path_factory.mktemp("study")
    simulated(folder / "extract", 1_000)
    (folder / "study.toml").write_text(STUDY)
    result = run(folder / "study.toml", "--jobs", 1)
    assert result.exit_code == 0, result.output
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def test_a_run_builds_asks_and_releases(folder: Path) -> None:
    names = {path.name for path in (folder / "release").iterdir()}
    assert names >= {"README.txt", "levels_degree.csv", "levels_degree_by_sex.csv", "main_activities_activities.csv"}
    assert not any(name.startswith("main_activities_activities_chart") for name in names)
    panel = Panel.open(folder / "panel")
    assert panel.settings["definitions"]["minimum_days"] == 30
    study = read_study(folder / "study.toml")
    answer = education_levels(panel, characteristics=["sex"], plan=study.plan)
    release({"levels": answer}, policy="ons-srs", to=folder / "again")
    for name in ("levels_degree_by_sex.csv", "levels_level_3_among_non_graduates_by_sex.csv"):
        assert (folder / "again" / name).read_bytes() == (folder / "release" / name).read_bytes()
    women = pd.read_csv(folder / "release" / "main_activities_activities.csv")
    assert women["n_person"].max() == 5 * round((panel.to_frame().drop_duplicates("person")["sex"] == "F").sum() / 5)


def test_a_second_run_opens_the_panel_and_refuses_to_overwrite(folder: Path) -> None:
    again = run(folder / "study.toml")
    assert again.exit_code == 1 and "exists already: a release never overwrites" in again.output
    (folder / "second.toml").write_text(STUDY.replace('"release"', '"second"'))
    result = run(folder / "second.toml")
    assert result.exit_code == 0, result.output
    assert "Extract of" not in result.output
    first, second = (
        {path.name: path.read_bytes() for path in (folder / name).iterdir()} for name in ("release", "second")
    )
    assert first == second


def test_a_panel_of_other_definitions_is_not_taken(folder: Path) -> None:
    other = STUDY.replace("minimum_days = 30", "minimum_days = 1").replace('"release"', '"o"')
    (folder / "other.toml").write_text(other)
    result = run(folder / "other.toml")
    assert result.exit_code == 1
    assert "was built by other definitions; name another folder, or remove it" in result.output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "A small study"', 'titel = "x"', "the study: unknown key 'titel'; did you mean 'title'?"),
        ("[panel]\n", "[panel]\npaht = 'x'\n", r"\[panel\]: unknown key 'paht'; did you mean 'path'?"),
        ('path = "panel"', "", r"\[panel\] lacks 'path': add path ="),
        ('path = "panel"', "path = 3", r"\[panel\] path must be a text in quotes"),
        ('ask = "education_levels"', 'ask = "education_level"', "did you mean 'education_levels'?"),
        ('ask = "education_levels"\n', "", r"\[\[question\]\] 1 lacks 'ask': name one of main_activities"),
        ('characteristics = ["sex"]', 'characteristics = "sex"', "1 characteristics must be a list of texts"),
        ('characteristics = ["sex"]', "year = 13", r"1 \(education_levels\): unknown key 'year'"),
        ("level = false", "level = 3", "2 level must be a text, or false for none"),
        ("seed = 1", "", r"\[plan\] lacks 'seed': name one"),
        ("n_replicates = 49", "n_replicates = 1", r"\[plan\]: n_replicates is a whole number"),
        ('interval = "normal"', 'interval = "percentil"', r"\[plan\]: interval is one of"),
        ("minimum_days = 30", "minimum_day = 30", r"\[definitions\]: no setting minimum_day"),
        ('deflator = "illustrative"', 'deflator = "no.csv"', "'no.csv' cannot be read as a CSV file"),
        ('deflator = "illustrative"', "", r"\[definitions\]: name a preset and a deflator"),
        ('to = "release"', 'to = "release"\npolicy = "lax"', r"\[release\] policy: no policy 'lax'"),
        ('to = "release"', "", r"\[release\] lacks 'to'"),
        ('name = "levels"', 'name = "main_activities"', r"two of \[\[question\]\] are called 'main_activities'"),
        ("intervals = true", "intervals = 1", "1 intervals must be true or false"),
        ('{ regions = "extract/lookups/regions.csv" }', '"x.csv"', "name a file for each lookup"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in STUDY
    with pytest.raises(StudyError, match=message):
        study_of(tomllib.loads(STUDY.replace(old, new, 1)), tmp_path)


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = STUDY.replace("seed = 1", "").replace('["sex"]', '"sex"').replace('to = "release"', "to = 1")
    (tmp_path / "study.toml").write_text(text)
    told = run(tmp_path / "study.toml").output.splitlines()
    assert told[0] == "Error: 'study.toml': 3 faults"
    assert [line.split(": ")[0].strip() for line in told[1:]] == ["line 12", "line 19", "line 28"]
    assert told[2].endswith("[[question]] 1 characteristics must be a list of texts")


def test_parts_that_belong_together(tmp_path: Path) -> None:
    content = tomllib.loads(STUDY)
    for gone, message in (
        ("definitions", "go together"),
        ("extract", "go together"),
        ("plan", "asks for intervals: add a section"),
        ("question", "a study asks something"),
        ("release", r"no section \[release\]: add it, with to"),
    ):
        with pytest.raises(StudyError, match=message):
            study_of({name: part for name, part in content.items() if name != gone}, tmp_path)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    assert "cannot be read" in run(tmp_path / "nowhere.toml").output
    (tmp_path / "broken.toml").write_text("title = ")
    result = run(tmp_path / "broken.toml")
    assert result.exit_code == 1
    assert "'broken.toml' is not valid TOML" in result.output and "Traceback" not in result.output


def test_errors_of_a_run_name_the_question(folder: Path) -> None:
    for old, new, message in (
        ('characteristics = ["sex"]', 'characteristics = ["colour"]', "question 'levels': the panel has no column"),
        ('release = ["activities"]', 'release = ["activites"]', "there is no such result"),
        ("where = \"sex == 'F'\"", "where = \"sex == 'X'\"", "question 'main_activities': "),
    ):
        (folder / "wrong.toml").write_text(STUDY.replace(old, new).replace('to = "release"', 'to = "wrong"'))
        result = run(folder / "wrong.toml")
        assert result.exit_code == 1 and message in result.output and "Traceback" not in result.output
        assert not (folder / "wrong").exists()


def test_a_panel_that_is_there_needs_no_extract(folder: Path, tmp_path: Path) -> None:
    content = tomllib.loads(STUDY)
    without = {name: part for name, part in content.items() if name not in ("extract", "definitions")}
    assert study_of(without, folder).source.definitions is None
    shutil.copy(folder / "study.toml", tmp_path / "study.toml")
    (tmp_path / "study.toml").write_text(STUDY.split("[extract]")[0] + "[plan]" + STUDY.split("[plan]")[1])
    assert "does not exist; name a panel, or add [extract] and [definitions]" in run(tmp_path / "study.toml").output


def test_the_example_is_a_study() -> None:
    study = read_study(ROOT / "examples" / "study.toml")
    assert {asked.ask for asked in study.questions} == set(QUESTIONS)
    assert study.plan is not None and study.plan.n_replicates == 999
