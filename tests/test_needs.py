"""What a study needs: enough to build its panel, sizes as the questions give them, and the lines of errors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from build_cases import LOOKUPS, definitions, lookups_of, simulated
from click.testing import CliRunner

import leoreturns as lr
from leoreturns.__main__ import main
from leoreturns._toml import Faults
from leoreturns.application.data import OF_QUESTION, data_needed, panel_columns_of
from leoreturns.application.sizes import Expected
from leoreturns.errors import StudyError
from leoreturns.extract.source import open_extract
from leoreturns.extract.tables import TABLES
from leoreturns.panel import columns as panel_columns
from leoreturns.panel.build import build_panel
from leoreturns.panel.schema import Schema
from leoreturns.questions.breakdown import CHARACTERISTICS
from leoreturns.questions.catalogue import QUESTIONS
from leoreturns.study import read_study

ROOT = Path(__file__).resolve().parents[1]
STUDY = """\
title = "Routes"
[panel]
path = "panel"
[extract]
path = "extract"
[definitions] # of the report
preset = "dfe-2021"
deflator = "illustrative"
[plan]
seed = 1
[[question]]
ask = "labour_outcomes"
characteristics = ["sex", "fsm"]
level = false
release = ["earnings*", "sustained_employment*"]
[[question]]
ask = "education_levels"
name = "levels"
where = "fsm"
characteristics = ["ks4_five_ac"]
[release]
to = "release"
"""


def study(folder: Path, text: str = STUDY) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


def panel_of(panel: lr.Panel, names: set[str]) -> lr.Panel:
    """Return a panel with no other columns."""
    kept = {name: column for name, column in panel.schema.columns.items() if name in names}
    schema = Schema(panel.schema.person, panel.schema.time, kept)
    sides = [{name: values for name, values in side.items() if name in kept} for side in (panel.people, panel.years)]
    return replace(panel, schema=schema, people=sides[0], years=sides[1])


# ---- data -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel() -> lr.Panel:
    return lr.simulate_panel(n_persons=300, seed=2, definitions=definitions())


def columns_read(path: Path) -> dict[str, list[str]]:
    faults = Faults()
    found = panel_columns_of(read_study(path), faults)
    faults.refuse()
    return found


@pytest.mark.parametrize("ask", OF_QUESTION)
def test_questions_read_the_columns_named_and_each_of_them(ask: str, panel: lr.Panel, tmp_path: Path) -> None:
    question = f'[[question]]\nask = "{ask}"\n'
    start, end = STUDY[: STUDY.index("[[question]]")] + question, '[release]\nto = "release"\n'
    assert set(columns_read(study(tmp_path, start + end))) > set(CHARACTERISTICS)
    named = set(columns_read(study(tmp_path, f'{start}characteristics = ["sex"]\n{end}')))
    asked = partial(QUESTIONS[ask].answer, characteristics=["sex"])
    whole, reduced = asked(panel), asked(panel_of(panel, named))
    assert list(whole) == list(reduced)
    for name, table in whole.tables.items():
        for statistic, numbers in table.statistics.items():
            np.testing.assert_array_equal(numbers, reduced.tables[name].statistics[statistic])
    # In a built panel whoever is not linked has no paid work that is known either.
    for name in named - {"linked_to_tax_records"}:
        # Without a column the question is refused, or has other tables.
        try:
            without = asked(panel_of(panel, named - {name}))
        except lr.LeoReturnsError:
            continue
        tables = [repr(each.to_frame().to_numpy().tolist()) for each in without.tables.values()]
        assert tables != [repr(each.to_frame().to_numpy().tolist()) for each in whole.tables.values()], name


def test_regressions_and_effects_need_the_columns_of_their_formulas(tmp_path: Path) -> None:
    asked = """[[question]]
ask = "feols"
outcome = "log_earnings"
model = "sex + fsm * ks4_points | school + cohort"
cov = { clusters = ["school"] }

[[question]]
name = "effect"
ask = "treatment_effect"
outcome = "log_earnings"
treatment = "C(ks5_route, ref='A level')"
covariates = "sex + prior_attainment"
method = "ipwra"
estimand = "ATT"
cov = { clusters = ["school"] }
where = "years_since_ks4 == 13"

"""
    text = STUDY[: STUDY.index("[[question]]")] + asked + '[release]\nto = "release"\n'
    path = study(tmp_path, text)
    first, second = ["fsm", "ks4_points", "school", "cohort"], ["ks5_route", "prior_attainment", "years_since_ks4"]
    assert columns_read(path) == {
        "log_earnings": ["feols", "effect"],
        "sex": ["feols", "effect"],
        **{name: ["feols", "effect"] if name == "school" else ["feols"] for name in first},
        **{name: ["effect"] for name in second},
    }
    found = lr.needs(path, persons=10_000, simulated=300)
    assert [note.split(":")[0] for note in found.notes] == ["feols", "effect"]
    assert {"earnings", "ks2", "ks5"} <= set(found.data["table"])
    # No question has tables: there is nothing to hide, and no gap to be told of.
    assert repr(found).count("\nnone\n") == 2


COLUMNS = [
    ["main_activity", "sustained_employment", "sex", "fsm"],
    ["real_earnings", "education_level", "ks4_five_ac", "home_region", "area_at_16", "ever_excluded", "absence_rate"],
    ["ks5_route", "pathway", "region", "area", "moved", "sector_group", "prior_attainment", "degree_class", "fsm_ever"],
]


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated(tmp_path_factory.mktemp("needs") / "extract", 300)


@pytest.fixture(scope="module")
def whole(extract: Path) -> lr.Panel:
    with open_extract(extract) as opened:
        return build_panel(opened, definitions=definitions())


@pytest.mark.parametrize("columns", COLUMNS, ids=lambda columns: columns[0])
def test_a_panel_is_built_of_what_is_needed_alone(columns: list[str], extract: Path, whole: lr.Panel) -> None:
    """Cut an extract down to the tables, columns and years named: the columns of the panel stay what they are."""
    needed = data_needed(columns, definitions())
    lookups = {name: path for name, path in lookups_of(extract).items() if f"lookup_{name}" in set(needed["table"])}
    assert {name.removeprefix("lookup_") for name in needed["table"] if name not in TABLES} <= set(LOOKUPS)
    tables = {}
    with open_extract(extract) as opened:
        for name, part in needed[needed["table"].isin(opened.tables)].groupby("table", sort=False):
            there = [column for column in part["column"] if opened.has(name, column)]
            tables[name] = opened.query(f"SELECT * FROM {opened.select(name, there)}", name).to_pandas()
            year = TABLES[name].year
            if year is not None and year in there:
                inside = tables[name][year].between(part["first_year"].min(), part["last_year"].max())
                tables[name] = tables[name][inside]
    with open_extract(tables, lookups=lookups) as opened:
        panel = build_panel(opened, definitions=definitions())
    kept = ["person", "tax_year", *columns]
    pd.testing.assert_frame_equal(
        panel.to_frame()[kept].astype(object), whole.to_frame()[kept].astype(object), check_dtype=False
    )


def test_years_and_columns_are_those_of_the_cohorts() -> None:
    early = data_needed(["ks4_five_ac", "earnings"], definitions()).set_index(["table", "column"])
    assert early.loc[("earnings", "Earnings"), ["first_year", "last_year"]].tolist() == [2003, 2017]
    assert early.loc[("ks4", "KS4_FIVEAC"), ["first_year", "last_year"]].tolist() == [2001, 2006]
    assert ("ks4", "KS4_LEVEL2_EM_94") not in early.index
    late = data_needed(["ks4_five_ac"], definitions("dfe-statistics", cohorts=[2018])).set_index(["table", "column"])
    assert ("ks4", "KS4_LEVEL2_EM_94") in late.index
    assert ("ks4", "KS4_FIVEAC") not in late.index
    assert "hesa" not in early.index.get_level_values(0)
    assert set(early["owner"]) == {"DfE", "HMRC"}


def test_every_column_of_a_panel_names_its_tables() -> None:
    needed = data_needed(panel_columns.names(), definitions("dfe-statistics"))
    assert not needed.duplicated(["table", "column"]).any()
    assert set(TABLES) - set(needed["table"]) == {
        "idbr", "seiss", "ks5_exams", "plams", "nccis", "alternative_provision", "lars", "ucas",
    } - {"plams"}  # fmt: skip
    for name, table in needed[needed["table"].isin(TABLES)].groupby("table"):
        assert set(table["column"]) <= set(TABLES[name].names)
    served = set(", ".join(needed["serves"]).split(", "))
    assert set(panel_columns.names()) - served == {"cohort", "tax_year", "years_since_ks4"}


# ---- sizes ----------------------------------------------------------------------------------------------------------


def test_sizes_are_those_that_the_release_would_have(tmp_path: Path) -> None:
    """With as many simulated as expected the tables are those of a release of simulated persons."""
    path = study(tmp_path)
    found = lr.needs(path, persons=3_000, simulated=3_000, seed=5)
    panel = lr.simulate_panel(n_persons=3_000, seed=5, definitions=definitions())
    answer = lr.labour_outcomes(panel, characteristics=["sex", "fsm"], level=None)
    released = lr.release(answer, policy="ons-srs", to=tmp_path / "out")
    own = found.tables[found.tables["question"] == "labour_outcomes"].set_index("table")
    assert set(own.index) == {name for name in answer.tables if name.startswith(("earnings", "sustained"))}
    for name, row in own.iterrows():
        table = answer.tables[name]
        assert row["smallest"] == table.evidence.n_person.min()
        assert row["cells"] == released.n_cells[name]
        assert row["hidden"] >= max(released.suppressed[name].values())
    gaps = found.effects.set_index(["table", "compared"])
    frame = answer.tables["earnings_by_fsm"].to_frame().sort_values("fsm", ascending=False)
    row = gaps.loc[("earnings_by_fsm", "fsm: True v False")]
    assert [row["persons"], row["of_base"]] == frame["n_person_value"].tolist()
    then = panel.at(years_since_ks4=13).to_frame()["real_earnings"]
    sample = lr.PlannedSample.of_groups(row["persons"], row["of_base"])
    sd = np.log(then[then > 0]).std(ddof=0)
    wanted = lr.minimum_detectable_effect(sample, statistic="median", sd=sd).effects[0]
    assert row["effect"] == pytest.approx(wanted, rel=1e-9)
    assert gaps.loc[("sustained_employment_by_sex", "sex: F v M"), "statistic"] == "share"
    assert not any(name.startswith("earnings_or_zero") for name, _ in gaps.index)


def test_fewer_simulated_stand_for_more(tmp_path: Path) -> None:
    path = study(tmp_path)
    few, many = (lr.needs(path, persons=persons, simulated=2_000, seed=3) for persons in (2_000, 40_000))
    assert (many.tables["smallest"] == 20 * few.tables["smallest"]).all()
    assert many.tables["hidden"].sum() < few.tables["hidden"].sum()
    ratio = few.effects["effect"] / many.effects["effect"]
    np.testing.assert_allclose(ratio[few.effects["statistic"] != "share"], np.sqrt(20), rtol=0.02)
    expected = Expected.of(definitions(), 40_000, 2_000, 3)
    assert (expected.factor, expected.panel.n_person) == (20.0, 2_000)


def test_what_is_not_simulated_is_told(tmp_path: Path) -> None:
    text = STUDY.replace('["ks4_five_ac"]', '["highest_level"]').replace('"fsm"\nchar', '"fsm_6"\nchar')
    text = text.replace('["sex", "fsm"]', '["sex", "highest_level"]')
    text = text.replace("[release]\n", '[[question]]\nask = "pathways"\n[release]\n')
    found = lr.needs(study(tmp_path, text), persons=20_000, simulated=1_000)
    assert found.notes[0] == "labour_outcomes: highest_level is not simulated: nothing is told of tables by it"
    assert found.notes[1].startswith("levels: fsm_6 is not simulated")
    assert found.notes[2].startswith("pathways: how many distinct sequences")
    assert set(found.tables["question"]) == {"labour_outcomes"}


def test_a_report_is_printed_and_written(tmp_path: Path) -> None:
    path = study(tmp_path)
    result = CliRunner().invoke(
        main, ["needs", str(path), "--persons", "50000", "--simulated", "500", "--to", str(tmp_path / "needs")]
    )
    assert result.exit_code == 0, result.output
    assert "# Routes" in result.output
    assert "50,000 persons expected, by 500 simulated ones (seed 1)" in result.output
    found = lr.needs(path, persons=50_000, simulated=500)
    assert repr(found) in result.output
    assert sorted(file.name for file in (tmp_path / "needs").iterdir()) == [
        "data.csv", "effects.csv", "needs.md", "tables.csv",
    ]  # fmt: skip
    assert (tmp_path / "needs" / "needs.md").read_text() == found.to_markdown()
    for name in ("data", "tables", "effects"):
        written = pd.read_csv(tmp_path / "needs" / f"{name}.csv", keep_default_na=False)
        assert len(written) == len(getattr(found, name))
        assert list(written) == list(getattr(found, name))
    assert all(row in found.to_markdown() for row in found.data["column"])
    with pytest.raises(StudyError, match="exists; give a new name"):
        found.write(tmp_path / "needs")


# ---- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"sex", "fsm"', '"sex", "wealth"', r"line 13: \[\[question\]\] 1 characteristics: 'wealth' is no column"),
        ('where = "fsm"', 'where = "fsm ="', r"line 19: \[\[question\]\] 2 where: cannot use"),
        ('where = "fsm"', 'where = "fsn"', r"line 19: \[\[question\]\] 2 where: 'fsn' is no column"),
        ("seed = 1", "sed = 1", r"line 10: \[plan\]: unknown key 'sed'; did you mean 'seed'"),
        ('preset = "dfe-2021"', 'preset = "dfe"', r"line 7: \[definitions\]: no preset 'dfe'"),
        ('to = "release"', 'too = "release"', r"line 22: \[release\]: unknown key 'too'"),
        ('title = "Routes"', 'titel = "Routes"', "line 1: the study: unknown key 'titel'"),
        ("level = false", "level = 3", r"line 14: \[\[question\]\] 1 level must be a text"),
        ('name = "levels"', "name = 2", r"line 18: \[\[question\]\] 2 name must be a text"),
        ('ask = "labour_outcomes"', "", r"line 11: \[\[question\]\] 1 lacks 'ask'"),
    ],
)
def test_errors_name_the_line_of_the_study(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert STUDY.count(old) == 1
    with pytest.raises(StudyError, match=rf"(?s)study.toml.*{message}"):
        lr.needs(study(tmp_path, STUDY.replace(old, new)), persons=1_000)


def test_a_study_without_definitions_has_no_cohorts(tmp_path: Path) -> None:
    text = STUDY[: STUDY.index("[extract]")] + STUDY[STUDY.index("[plan]") :]
    with pytest.raises(StudyError, match=r"\[extract\] and \[definitions\] tell which cohorts"):
        lr.needs(study(tmp_path, text), persons=1_000)
    with pytest.raises(ValueError, match="1 or more"):
        lr.needs(study(tmp_path), persons=0)


def test_the_study_of_the_examples_is_told() -> None:
    found = lr.needs(ROOT / "examples" / "study.toml", persons=3_600_000, simulated=500)
    assert set(found.tables["question"]) == {"activities", "trajectories", "year_13", "levels", "sectors"}
    assert {"HMRC", "DWP", "DfE", "HESA"} <= set(found.data["owner"])
