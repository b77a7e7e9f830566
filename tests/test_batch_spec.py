"""Specs that cannot be run as they are: refused before anything runs, all faults at once, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from batch_cases import SPEC, prepared, silent

import leoreturns as lr
from leoreturns._toml import lines_of
from leoreturns.batch.check import read_spec
from leoreturns.errors import StudyError
from leoreturns.questions.catalogue import QUESTIONS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("spec")).parent


def refused(folder: Path, text: str) -> str:
    """What is said of a spec."""
    (folder / "wrong.toml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        lr.run_batch(folder / "wrong.toml", to=folder / "wrong", show=silent)
    assert not (folder / "wrong").exists()
    return str(caught.value)


def line_of(text: str, part: str) -> int:
    """The line on which a part of a text begins."""
    return text[: text.index(part)].count("\n") + 1


MEANT = "in the panel of [definitions.main]; did you mean "
WRONG = [
    (
        'ask = "labour_outcomes"',
        'ask = "labour_outcome"',
        "unknown question 'labour_outcome'; did you mean 'labour_outcomes'",
    ),
    ('pay = "real_earnings"', 'pay = "real_earning"', "no column 'real_earning' {}'real_earnings'?"),
    ("women = \"sex == 'F'\"", "women = \"sx == 'F'\"", "no column 'sx' in the panel"),
    ("women = \"sex == 'F'\"", "women = \"sex = 'F'\"", "write '==' to compare"),
    ("women = \"sex == 'F'\"", "women = \"sex == 'W'\"", "'sex' has no such label"),
    ("women = \"sex == 'F'\"", 'women = "earnings < -1"', "has 'earnings < -1': an empty group"),
    ("women = \"sex == 'F'\"", "women = 1", "group 'women' must be a text in quotes"),
    ("women = \"sex == 'F'\"", "Women = \"sex == 'F'\"", "'Women' becomes part of file names"),
    ("early = [2002, 2003]", "early = [1990]", "the panel of [definitions.main] has no cohort 1990"),
    ("early = [2002, 2003]", "early = []", "must be a list of years"),
    ('characteristics = ["fsm"]\nintervals', 'characteristics = ["fms"]\nintervals', "no column 'fms' {}'fsm'?"),
    ("intervals = true", "interval = true", "unknown key 'interval'; did you mean 'intervals'?"),
    ('model = "C(ks5_route', 'model = "C(ks5_rout', "no column 'ks5_rout' {}'ks5_route'?"),
    ("| cohort", "| cohorts", "no column 'cohorts' {}'cohort'?"),
    ("| cohort", "| cohort | x", "model must be the right-hand side of a formula"),
    ('where = "years_since_ks4 == 10"', 'where = "years_since_ks == 10"', "did you mean 'years_since_ks4'?"),
    ('cov = "HC1"', 'cov = { clusters = ["scool"] }', "no column 'scool' {}'school'?"),
    ('cov = "HC1"', 'cov = "HC9"', 'cov must be "unadjusted", "HC0"'),
    ('groups = ["women"]', 'groups = ["woman"]', "[[study]] 3 groups: no 'woman' in [groups]; did you mean 'women'?"),
    ('name = "levels"', 'name = "levels"\noutcomes = ["pay"]', "[[study]] 1 (education_levels) takes no outcome"),
    ('outcomes = ["pay"]', 'outcome = "real_earnings"\noutcomes = ["pay"]', "has its outcome in 'outcome'"),
    ('name = "year_13"', 'name = "levels"', "two of [[study]] are called 'levels'"),
    ('panel = "panel"', 'panel = "panle"', "'panle' does not exist; name a panel, or add [extract] and [definitions]"),
    ('panel = "panel"', 'panel = "panel"\npreset = "dfe-2021"', "name a preset and a deflator"),
    ('panel = "panel"', 'panel = "panel"\npreset = "fft"\ndeflator = "illustrative"', "was built by other definitions"),
    (
        'panel = "panel"',
        'panel = "panel"\npreset = "fft"\ndeflator = "illustrative"\nsustained = "a year"',
        "sustained is one of 'twelve months'",
    ),
    (
        'panel = "panel"',
        'panel = "panel"\npreset = "fft"\ndeflator = "no.csv"',
        "'no.csv' cannot be read as a CSV file",
    ),
    ("seed = 1", "sead = 1", "[plan]: unknown key 'sead'; did you mean 'seed'?"),
    ("n_replicates = 19", "n_replicates = 0", "[plan]: n_replicates is a whole number"),
    ('title = "', 'titel = "', "the spec: unknown key 'titel'; did you mean 'title'?"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG, ids=[message[:50] for _, _, message in WRONG])
def test_a_fault_is_told_with_its_line(old: str, new: str, message: str, folder: Path) -> None:
    assert SPEC.count(old) >= 1
    text = SPEC.replace(old, new, 1)
    told = refused(folder, text)
    assert message.format(MEANT) in told.replace(f"{folder}/", "")
    changed = line_of(SPEC, old)
    lines = [int(part.split(":")[0]) for part in told.split("line ")[1:] if part.split(":")[0].isdigit()]
    # What a spec lacks is told with its section, which begins before the line that is wrong.
    assert any(changed - 4 <= line <= changed + 3 for line in lines), told


def test_all_faults_are_told_at_once_in_the_order_of_lines(folder: Path) -> None:
    text = SPEC
    for old, new, _ in (WRONG[0], WRONG[1], WRONG[5], WRONG[9], WRONG[13], WRONG[17], WRONG[27]):
        text = text.replace(old, new, 1)
    text += '\n[[study]]\nask = "pathways"\nyears = "ten"\n\n[extract]\npath = "nowhere"\n'
    told = refused(folder, text).splitlines()
    assert told[0] == "'wrong.toml': 9 faults"
    lines = [int(line.split(":")[0].removeprefix("  line ")) for line in told[1:]]
    assert lines == sorted(lines) and len(set(lines)) == 9
    assert "'nowhere' does not exist" in told[-1].replace(f"{folder}/", "")
    assert f"line {line_of(text, 'years = ')}: [[study]] 4 years must be a whole number" in told[-2]


def test_one_panel_has_one_set_of_definitions(folder: Path) -> None:
    contradicting = SPEC.replace(
        "[plan]", '[definitions.other]\npanel = "./panel"\npreset = "fft"\ndeflator = "illustrative"\n[plan]'
    )
    told = refused(folder, contradicting)
    assert "line 6: [definitions.other] contradicts [definitions.main]" in told
    twice = SPEC.replace("[plan]", '[definitions.other]\npanel = "./panel"\n[plan]')
    assert "line 6: [definitions.other] is the same panel as [definitions.main]" in refused(folder, twice)


def test_a_cell_without_a_row_is_named(folder: Path) -> None:
    text = SPEC.replace('everybody = ""', 'everybody = "cohort == 2002"')
    told = refused(folder, text)
    assert "job 'levels-everybody-late-main' would have no row" in told
    assert f"line {line_of(text, '[[study]]')}: " in told


def test_what_a_batch_cannot_do_without(folder: Path) -> None:
    assert "a batch asks something" in refused(folder, SPEC[: SPEC.index("[[study]]")])
    assert "a batch needs data" in refused(folder, SPEC.replace('[definitions.main]\npanel = "panel"\n', ""))
    assert "lacks 'cov'" in refused(folder, SPEC.replace('cov = "HC1"\n', ""))
    assert "lacks 'outcome'" in refused(
        folder,
        SPEC.replace('[outcomes]\npay = "real_earnings"\nwhole_pay = "earnings"\n', "").replace(
            'outcomes = ["pay"]', ""
        ),
    )
    told = refused(folder, SPEC.replace("cov =", "intervals = true\ncov ="))
    assert "has intervals of its own" in told
    assert "is not valid TOML" in refused(folder, SPEC + "\n[plan]\n")


def test_a_column_may_be_the_person(folder: Path) -> None:
    (folder / "person.toml").write_text(SPEC.replace('cov = "HC1"', 'cov = { clusters = ["person"] }'))
    assert read_spec(folder / "person.toml").rows["route-pay-women-late-main"] > 0


def test_the_spec_of_the_page_is_one(folder: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "batches.md").read_text(encoding="utf-8")
    text = page.split("## The spec\n\n```toml\n")[1].split("```")[0].replace('"cpih.csv"', '"illustrative"')
    (folder / "page.toml").write_text(text)
    batch = lr.run_batch(folder / "page.toml", to=folder / "page", dry_run=True, show=silent)
    names = list(batch.manifest["jobs"])
    assert [sum(name.startswith(f"{study}-") for name in names) for study in ("levels", "returns")] == [8, 4]
    assert "returns-log_pay-women-early-main" in names


def test_lines_are_those_of_the_statements() -> None:
    text = "\n".join(
        [
            "# a comment",
            "",
            'title = """one',
            "[not.a.table]",
            'key = 3"""',
            "[groups]",
            'women = "a"  # [x]',
            "[[study]]",
            "list = [",
            '  "a",',
            "  # women = 2",
            "]",
            "inner = { deep = 1 }",
            "[[study]]",
            "list = [1]",
            "[study.sub]",
            "x.y = 1",
        ]
    )
    found = lines_of(text)
    assert found["title",] == 3 and ("not",) not in found
    assert found["groups",] == 6 and found["groups", "women"] == 7
    assert found["study", 0] == 8 and found["study", 0, "list"] == 9 and found["study", 0, "inner", "deep"] == 13
    assert found["study", 1] == 14 and found["study", 1, "list"] == 15
    assert found["study", 1, "sub"] == 16 and found["study", 1, "sub", "x", "y"] == 17


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_has_kinds_for_its_arguments(name: str) -> None:
    import inspect

    question = QUESTIONS[name]
    taken = set(inspect.signature(question.answer).parameters)
    assert taken - set(question.arguments) <= {"data", "plan", "n_jobs"}
    assert question.outcome is None or question.outcome in question.arguments
