"""Questions: every number against plain pandas, and what an answer must be."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from question_cases import ASKED, PLAN, SOME, TRUTH, frame, panel

from leoreturns import testing
from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import release
from leoreturns.errors import PanelError, SupportError
from leoreturns.panel.panel import Panel
from leoreturns.questions import pathways as of_pathways
from leoreturns.questions.activities import main_activities
from leoreturns.questions.breakdown import CHARACTERISTICS
from leoreturns.questions.earnings import earnings_trajectories
from leoreturns.questions.outcomes import labour_outcomes
from leoreturns.questions.pathways import pathways
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer
from leoreturns.testing import check_question

LEVEL, YEAR, ACTIVITY = "education_level", "years_since_ks4", "main_activity"
# Name of a table's breakdown -> its keys.
BREAKDOWNS = {"": []} | {f"_by_{name}": [name] for name in SOME}
BREAKDOWNS |= {f"{name}_and_{LEVEL}" if keys else f"_by_{LEVEL}": [*keys, LEVEL] for name, keys in BREAKDOWNS.items()}


def indexed(table: Aggregate | pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the cells of a table by their keys."""
    cells = (table.to_frame() if isinstance(table, Aggregate) else table).copy()
    cells[keys] = cells[keys].astype(object)
    return cells.set_index(keys).sort_index() if keys else cells


def grouped(rows: pd.DataFrame, keys: list[str]) -> pd.api.typing.DataFrameGroupBy:
    """Return rows by keys as plain objects, so that no empty category is a group; without keys all are one."""
    rows = rows.assign(**{key: rows[key].astype(object) for key in keys})
    return rows.groupby(keys or (lambda _: 0), dropna=True, observed=True)


def check_shares(table: Aggregate, rows: pd.DataFrame, keys: list[str], column: str) -> None:
    """Compare the shares of the levels of a column with those of counted rows."""
    keys = [*keys]
    counted = grouped(rows, [*keys, column]).size()
    everyone = grouped(rows, keys)["person"].nunique() if keys else pd.Series({0: rows["person"].nunique()})
    cells = indexed(table, [*keys, column])
    assert len(cells) == len(counted)
    for cell, row in cells.iterrows():
        of = cell[: len(keys)] if isinstance(cell, tuple) else ()
        n = everyone.loc[of[0] if len(of) == 1 else of] if keys else everyone.iloc[0]
        assert row["n_person"] == n
        assert row["share"] == counted.loc[cell] / n


def check_earnings(table: Aggregate, rows: pd.DataFrame, keys: list[str], column: str) -> None:
    """Compare counts, mean and quartiles of a column with pandas'."""
    groups = grouped(rows, keys)
    expected = pd.DataFrame(
        {
            "n_person": groups["person"].nunique(),
            "n_person_value": groups[column].count(),
            "mean": groups[column].mean(),
            **{f"p{q}": groups[column].quantile(q / 100) for q in (25, 50, 75)},
        }
    ).sort_index()
    cells = indexed(table, keys)
    assert cells.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(
        cells[expected.columns].to_numpy(dtype=float), expected.to_numpy(dtype=float), rtol=1e-12
    )


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    """Return every question's answer without intervals."""
    return {question.__name__: question(panel(), **arguments) for question, arguments in ASKED.items()}


# ---- every number ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BREAKDOWNS)
def test_main_activities_are_those_of_pandas(name: str, answers: dict[str, Answer]) -> None:
    table = answers["main_activities"][f"activities{name}"]
    check_shares(table, frame(), [*BREAKDOWNS[name], YEAR], ACTIVITY)


@pytest.mark.parametrize("name", BREAKDOWNS)
@pytest.mark.parametrize(("kind", "column"), [("earnings", "real_earnings"), ("earnings_or_zero", "earnings_or_zero")])
def test_trajectories_are_those_of_pandas(kind: str, column: str, name: str, answers: dict[str, Answer]) -> None:
    table = answers["earnings_trajectories"][f"{kind}{name}"]
    check_earnings(table, frame(), [*BREAKDOWNS[name], YEAR], column)


@pytest.mark.parametrize("name", BREAKDOWNS)
def test_labour_outcomes_are_those_of_pandas(name: str, answers: dict[str, Answer]) -> None:
    rows, keys, answer = frame()[frame()[YEAR] == 13], BREAKDOWNS[name], answers["labour_outcomes"]
    check_shares(answer[f"activities{name}"], rows, keys, ACTIVITY)
    check_earnings(answer[f"earnings{name}"], rows, keys, "real_earnings")
    check_earnings(answer[f"earnings_or_zero{name}"], rows, keys, "earnings_or_zero")
    for state in ("in_paid_work", "sustained_employment"):
        groups = grouped(rows.assign(state=rows[state].map(TRUTH).astype("float64")), keys)["state"]
        cells = indexed(answer[f"{state}{name}"], keys)
        np.testing.assert_allclose(cells["share"].astype(float), groups.mean().sort_index(), rtol=1e-14)
        assert cells["n_person"].tolist() == groups.count().sort_index().tolist()


@pytest.mark.parametrize("name", [name for name, keys in BREAKDOWNS.items() if LEVEL not in keys])
def test_education_levels_name_their_denominators(name: str, answers: dict[str, Answer]) -> None:
    people, keys = frame().drop_duplicates("person"), BREAKDOWNS[name]
    answer = answers["education_levels"]
    for table, rows, level in (
        ("degree", people, "graduate"),
        ("level_3_among_non_graduates", people[people[LEVEL] != "graduate"], "level 3 or above"),
    ):
        reached = grouped(rows.assign(reached=rows[LEVEL] == level), keys)["reached"]
        cells = indexed(answer[f"{table}{name}"], keys)
        assert cells["n_person"].tolist() == reached.size().sort_index().tolist()
        np.testing.assert_allclose(cells["share"].astype(float), reached.mean().sort_index(), rtol=1e-14)
        assert answer[f"{table}{name}"].variable == table
        assert table in answer.settings["denominators"]


def sequences(years: int) -> pd.DataFrame:
    """Return one row per person with a sequence: its activities in words."""
    first = frame()[frame()[YEAR] <= years].sort_values(["person", YEAR])
    joined = first.groupby("person")[ACTIVITY].agg(lambda run: tuple(run.astype(str)))
    joined = joined[joined.map(len) == years]
    people = frame().drop_duplicates("person").set_index("person")
    found = people.loc[joined.index].assign(sequence=joined).reset_index()
    counts = Counter(found["sequence"])
    found["held"] = found["sequence"].map(counts)
    order = {name: place for place, name in enumerate(panel().column(ACTIVITY).labels)}
    # Of equals the one whose last year's activity comes first, then the year's before.
    ranked = sorted(counts, key=lambda each: (-counts[each], [order[activity] for activity in reversed(each)]))
    found["rank"] = found["sequence"].map({each: place for place, each in enumerate(ranked)})
    return found


def test_pathways_are_those_of_pandas(answers: dict[str, Answer]) -> None:
    found, answer = sequences(5), answers["pathways"]
    bands = pd.cut(found["held"], [0, 1, 9, 99, 999, np.inf], labels=list(of_pathways.HOLDERS.values()))
    ranks = pd.cut(found["rank"], [-1, 9, 99, 999, np.inf], labels=list(of_pathways.RANKS.values()))
    found = found.assign(pathway_held_by=bands.astype(str), pathway_rank=ranks.astype(str))
    for name, keys in BREAKDOWNS.items():
        distinct = indexed(answer[f"distinct{name}"], keys)
        expected = grouped(found, keys)["sequence"].nunique().sort_index()
        assert distinct["n_distinct"].tolist() == expected.tolist()
        check_shares(answer[f"holders{name}"], found, keys, "pathway_held_by")
        check_shares(answer[f"rank{name}"], found, keys, "pathway_rank")
    # As many sequences are one person's as persons have one alone.
    alone = indexed(answer["holders"], ["pathway_held_by"]).loc["1 person"]
    assert round(alone["share"] * alone["n_person"]) == (found["held"] == 1).sum()


def test_the_most_common_pathways_are_named_and_no_other(answers: dict[str, Answer]) -> None:
    found, answer = sequences(5), answers["pathways"]

    def words(sequence: tuple[str, ...]) -> str:
        runs = [(activity, len(list(run))) for activity, run in itertools.groupby(sequence)]
        return " > ".join(f"{activity} ({length})" for activity, length in runs)

    named = found.drop_duplicates("sequence").sort_values("rank").head(8)
    expected = [words(sequence) for sequence, held in zip(named["sequence"], named["held"], strict=True) if held >= 10]
    assert list(answer["most_common"].keys["pathway"].labels) == [*expected, of_pathways.OTHERS]
    shares = indexed(answer["most_common"], ["pathway"])["share"]
    assert [shares[name] for name in expected] == [held / len(found) for held in named["held"][: len(expected)]]
    for name, keys in BREAKDOWNS.items():
        table = answer[f"most_common{name}"]
        most = pd.Series(table.evidence.n_person_nonzero).groupby(table.keys["pathway"].codes).max()
        assert most.min() >= 10
        counted = grouped(found.assign(pathway=found["sequence"].map(words)), [*keys, "pathway"]).size()
        cells = indexed(table, [*keys, "pathway"])
        for cell, row in cells.iterrows():
            if of_pathways.OTHERS not in (cell if isinstance(cell, tuple) else (cell,)):
                assert round(row["share"] * row["n_person"]) == counted.loc[cell]


# ---- intervals ------------------------------------------------------------------------------------------------------


def test_intervals_are_those_of_aggregate() -> None:
    answer = main_activities(panel(), characteristics=["sex"], level=None, plan=PLAN)
    cells = indexed(answer["activities_by_sex"], ["sex", YEAR, ACTIVITY])
    for activity in ("employment", "out-of-work benefits"):
        said = panel().assign(said=f"{ACTIVITY} == '{activity}'")
        expected = aggregate(said, "said", by=["sex", YEAR], statistics=["n_person", "share"], plan=PLAN)
        got = cells.xs(activity, level=ACTIVITY)
        wanted = indexed(expected, ["sex", YEAR]).loc[got.index, got.columns]
        pd.testing.assert_frame_equal(got.astype(float), wanted.astype(float), rtol=1e-12, check_index_type=False)
        evidence, of_aggregate = answer["activities_by_sex"].evidence, expected.evidence
        here = [label == activity for label in answer["activities_by_sex"].to_frame()[ACTIVITY]]
        for field in ("n_person", "n_person_value", "n_person_nonzero", "n_person_zero", "n_largest", "top1", "top2"):
            np.testing.assert_array_equal(getattr(evidence, field)[here], getattr(of_aggregate, field), err_msg=field)
        for field in ("fingerprint_value", "sketch_value", "total", "total_absolute", "n_zero", "all_equal"):
            np.testing.assert_array_equal(getattr(evidence, field)[here], getattr(of_aggregate, field), err_msg=field)


def test_gaps_are_contrasts_of_the_same_replicates() -> None:
    answer = labour_outcomes(panel(), characteristics=["sex"], plan=PLAN)
    assert [each.contrast.label for each in answer["earnings_by_sex"].contrasts] == ["sex: F v M (percent)"]
    table = answer[f"earnings_by_sex_and_{LEVEL}"]
    labels = [each.contrast.label for each in table.contrasts]
    assert labels == ["sex: F v M (percent)", f"{LEVEL}: graduate v level 3 or above (percent)"]
    medians = indexed(table, ["sex", LEVEL])["p50"]
    gaps = table.contrasts[0].to_frame().set_index(LEVEL)
    for level in ("graduate", "level 3 or above"):
        assert gaps.loc[level, "p50"] == pytest.approx(100 * (medians["F", level] / medians["M", level] - 1), rel=1e-12)
        assert gaps.loc[level, "p50_low"] < gaps.loc[level, "p50_high"]
    points = answer["activities_by_sex"].contrasts[0].to_frame().set_index(ACTIVITY)["share"]
    shares = indexed(answer["activities_by_sex"], ["sex", ACTIVITY])["share"]
    assert points["employment"] == shares["F", "employment"] - shares["M", "employment"]
    chart = answer["earnings_by_sex_gaps"]
    assert (chart.kind, chart.x, chart.data) == ("gaps", "sex", answer["earnings_by_sex"])


def test_a_table_of_many_breakdowns_is_that_of_each_alone() -> None:
    plan = BootstrapPlan(99, unit="school", seed=5, interval="percentile", level=0.9)
    answer = labour_outcomes(panel(), characteristics=["sex", "home_region"], plan=plan)
    data = panel().at(years_since_ks4=13)
    asked = ["n_person", "n_person_value", "mean", "p25", "p50", "p75"]
    for keys in (["home_region"], ["sex", LEVEL]):
        name = "_and_".join(keys)
        table = answer[f"earnings_by_{name}"]
        contrasts = [each.contrast for each in table.contrasts]
        alone = aggregate(data, "real_earnings", by=keys, statistics=asked, plan=plan, contrasts=contrasts)
        assert len(contrasts) == 2 if "sex" in keys else len(panel().column("home_region").labels) - 1
        assert arrays_of(table) == arrays_of(alone)
        assert table.keys.keys() == alone.keys.keys()
        assert [key.labels for key in table.keys.values()] == [key.labels for key in alone.keys.values()]
        assert table.flow == alone.flow and table.owners == alone.owners
        state = answer[f"in_paid_work_by_{name}"]
        known = data.where("in_paid_work is not missing")
        alone = aggregate(known, "in_paid_work", by=keys, statistics=[*asked[:2], "share"], plan=plan)
        for name in ("n_person_value", "n_person_nonzero", "n_person_zero", "top2", "n_largest", "sketch_value"):
            np.testing.assert_array_equal(getattr(state.evidence, name), getattr(alone.evidence, name))
        got = state.to_frame().set_index(keys)
        wanted = alone.to_frame().set_index(keys)[got.columns]
        pd.testing.assert_frame_equal(got, wanted, rtol=1e-12)


def arrays_of(table: Aggregate) -> list[bytes]:
    """Return every array of a table, exactly; of the keys the codes."""
    return [array.tobytes() for array in testing._arrays(table)]


def test_an_exact_plan_gives_medians_and_no_shares() -> None:
    exact = BootstrapPlan(seed=1, interval="exact")
    answer = earnings_trajectories(panel(), characteristics=[], level=None, statistics=["p50"], plan=exact)
    assert set(answer["earnings"].intervals) == {"p50"}
    with pytest.raises(SupportError, match="shares of the levels of 'main_activity' take interval 'percentile'"):
        main_activities(panel(), characteristics=[], plan=exact)


# ---- what an answer must be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ASKED, ids=lambda question: question.__name__)
def test_a_question_keeps_the_rules(question) -> None:
    arguments = dict(ASKED[question], characteristics=["sex"])
    check_question(question, panel(), **arguments)


@pytest.mark.parametrize("question", [main_activities, labour_outcomes, pathways], ids=lambda each: each.__name__)
def test_a_question_keeps_the_rules_with_a_plan(question) -> None:
    check_question(question, panel(), **dict(ASKED[question], characteristics=["fsm"], plan=PLAN))


def test_a_scan_gives_the_answers_of_its_panel(answers: dict[str, Answer], tmp_path) -> None:
    panel().save(tmp_path / "stored", partitions=3)
    scan = Panel.scan(tmp_path / "stored")
    for question, arguments in ASKED.items():
        again = question(scan, **{**arguments, "characteristics": ["sex"]})
        assert len(again.tables) >= 4
        for name, table in again.tables.items():
            there = answers[question.__name__][name].to_frame()
            pd.testing.assert_frame_equal(table.to_frame(), there, rtol=1e-12)


def test_by_default_every_characteristic_that_is_there(answers: dict[str, Answer]) -> None:
    known = "region" if "region" in panel().schema.columns else "home_region"
    there = [known if name == "region" else name for name in CHARACTERISTICS]
    answer = main_activities(panel(), level=None)
    assert list(answer.tables) == ["activities", *(f"activities_by_{name}" for name in there)]
    assert answer.settings["characteristics"] == there
    assert set(there) >= {"sex", "fsm", "sen", "ethnicity", "ethnicity_minor", "first_language", "ks4_five_ac"}


def test_an_answer_says_what_it_rests_on(answers: dict[str, Answer]) -> None:
    answer = answers["labour_outcomes"]
    assert answer.settings["definitions"]["name"] == "dfe-2021"
    assert answer.settings["year"] == 13
    assert answer.settings["plan"] is None
    assert {"earnings", "earnings_or_zero", "activities"} <= set(answer.settings["denominators"])
    assert set(answer.owners) >= {"DfE", "HMRC"}
    assert set(answer.versions) == {"python", "leoreturns", "numpy", "pandas", "scipy"}
    assert answer.flow.steps[-1].rows == (frame()[YEAR] == 13).sum()


def test_every_answer_is_released(answers: dict[str, Answer], tmp_path) -> None:
    chosen = {"work": answers["labour_outcomes"], "levels": answers["education_levels"]}
    released = release(chosen, policy="ons-srs", to=tmp_path / "out")
    assert "work_earnings_by_sex.csv" in released.files
    assert "levels_level_3_among_non_graduates_by_sex.csv" in released.files
    alone = release(answers["pathways"], policy="ons-srs", to=tmp_path / "alone")
    distinct = pd.read_csv(alone.path / "distinct.csv")
    assert distinct.columns.tolist() == ["n_person", "n_distinct"]
    assert (distinct % 5 == 0).all(axis=None)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: main_activities(panel(), characteristics=["colour"]), PanelError, "no column 'colour'"),
        (lambda: main_activities(panel(), characteristics=["ks4_points"]), PanelError, "must be a column of labels"),
        (lambda: main_activities(panel(), characteristics=["sector"]), PanelError, "one value per person"),
        (lambda: main_activities(frame()), TypeError, "asked of a Panel or a Scan, not of a DataFrame"),
        (lambda: earnings_trajectories(panel(), earnings="sector"), PanelError, "must hold numbers"),
        (lambda: labour_outcomes(panel(), year=40), SupportError, "no rows are left"),
        (lambda: pathways(panel(), years=30), SupportError, "64 bits"),
        (lambda: pathways(panel(), years=18), SupportError, "nobody has a main activity in each of years 1 to 18"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_answers_pickle_small(answers: dict[str, Answer]) -> None:
    for answer in answers.values():
        cells = sum(table.n_cells for table in answer.tables.values())
        data = pickle.dumps(answer)
        assert len(data) < 1_500 * cells + 50_000
        assert list(pickle.loads(data).results) == list(answer.results)


def test_n_distinct_is_no_statistic_that_can_be_asked_for() -> None:
    with pytest.raises(SupportError, match="no statistic 'n_distinct'"):
        aggregate(panel(), None, by="sex", statistics="n_distinct")


def test_all_who_are_not_graduates_are_one_group_by_a_trait_of_the_caller() -> None:
    data = panel().assign(level="person", graduate=f"{LEVEL} == 'graduate'")
    answer = earnings_trajectories(data, characteristics=["sex"], level="graduate")
    rows = frame().assign(graduate=frame()[LEVEL] == "graduate")
    check_earnings(answer["earnings_by_graduate"], rows, ["graduate", YEAR], "real_earnings")
    check_earnings(answer["earnings_or_zero_by_sex_and_graduate"], rows, ["sex", "graduate", YEAR], "earnings_or_zero")


def test_figures_name_records_prices_and_the_year() -> None:
    answer = labour_outcomes(panel(), characteristics=["sex"], level=None, plan=PLAN)
    gaps = answer["earnings_by_sex_gaps"]
    assert "year 13 after key stage 4: raw gaps" in gaps.y_label
    assert gaps.source.startswith("Records of DfE, HMRC") and gaps.source.endswith("Prices of 2017-18.")
    chart = main_activities(panel(), characteristics=[], level=None)["activities_chart"]
    assert "HMRC" in chart.source and "Prices" not in chart.source
