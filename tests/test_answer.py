"""Answers: what they hold and refuse, what they print, and how they are released."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from leoreturns.aggregates.composition import composition
from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import release
from leoreturns.errors import DisclosureError, SupportError
from leoreturns.panel.panel import Panel
from leoreturns.results.answer import Answer
from leoreturns.results.chart import Chart
from leoreturns.results.flow import SampleFlow

FLOW = SampleFlow().appended("all rows", persons=7, rows=14)


def panel(n_person: int = 120, n_small: int = 3) -> Panel:
    """Return two years of persons; few are in the group "small"."""
    person = np.repeat(np.arange(n_person), 2)
    group = np.where(person < n_small, "small", "large")
    rng = np.random.default_rng(4)
    rows = pd.DataFrame(
        {
            "person": person,
            "year": np.tile([1, 2], n_person),
            "group": group,
            "work": rng.choice(["in work", "in school", "neither"], 2 * n_person, p=[0.5, 0.3, 0.2]),
            "pay": rng.lognormal(9, 0.5, 2 * n_person).round(),
        }
    )
    return Panel.from_frame(rows, person="person", time="year", units={"pay": "GBP/year"})


def pay(by: tuple[str, ...] = ("group",)):
    return aggregate(panel(), "pay", by=[*by, "year"], statistics=["n_person", "p50"])


def test_an_answer_gives_its_results_by_name() -> None:
    table = pay()
    chart = Chart("trajectory", table, x="year", line="p50", colour="group")
    answer = Answer("q", {"pay": table, "pay_chart": chart}, FLOW)
    assert answer["pay"] is table and list(answer) == ["pay", "pay_chart"] and len(answer) == 2
    assert answer.tables == {"pay": table} and answer.charts == {"pay_chart": chart}
    with pytest.raises(KeyError, match="no result 'x'; there are pay, pay_chart"):
        answer["x"]


@pytest.mark.parametrize("inside", [panel(), pd.DataFrame({"a": [1]}), np.zeros(3), FLOW, 3.0])
def test_an_answer_refuses_what_is_no_result(inside: object) -> None:
    with pytest.raises(
        DisclosureError, match="result 'x' is a .*: an answer holds tables, regressions and charts, never data"
    ):
        Answer("q", {"x": inside}, FLOW)


@pytest.mark.parametrize("setting", [panel(), np.zeros(3), [np.zeros(1)], {"deep": ({1, 2},)}, np.float64(3.0)])
def test_an_answer_refuses_settings_that_are_no_plain_values(setting: object) -> None:
    with pytest.raises(DisclosureError, match="setting 'x' is a .*, not a plain value"):
        Answer("q", {}, FLOW, settings={"level": None, "x": setting})


def test_what_an_answer_holds_cannot_be_changed_through_the_callers_mapping() -> None:
    results = {"pay": pay()}
    answer = Answer("q", results, FLOW, settings={"level": None, "by": ["sex"], "plan": {"seed": 1}})
    results["panel"] = panel()
    assert list(answer) == ["pay"]
    with pytest.raises(AttributeError):
        answer.question = "other"  # type: ignore[misc]


def test_an_answer_prints_names_and_counts_of_cells_and_no_number_of_one() -> None:
    table = pay()
    answer = Answer("q", {"pay": table}, FLOW)
    for shown in (repr(answer), answer._repr_html_()):
        assert "pay: n_person, p50 of pay by group, year, 4 cells" in shown
        assert "<10" in shown or "&lt;10" in shown  # the flow's seven persons
        assert "14" not in shown
        for median in table.statistics["p50"]:
            assert f"{median:.0f}" not in shown.replace(",", "")
    assert "<10" in repr(table)


def test_an_answer_pickles() -> None:
    answer = Answer("q", {"pay": pay()}, FLOW, owners=("DfE",), versions={"python": "3"})
    again = pickle.loads(pickle.dumps(answer))
    pd.testing.assert_frame_equal(again["pay"].to_frame(), answer["pay"].to_frame())
    assert (again.question, again.owners, again.versions) == ("q", ("DfE",), {"python": "3"})


def test_release_takes_an_answer_alone_and_among_others(tmp_path) -> None:
    answer = Answer("q", {"pay": pay()}, FLOW)
    assert release(answer, policy="ons-srs", to=tmp_path / "a").files == ("README.txt", "pay.csv")
    both = release({"q": answer, "more": pay()}, policy="ons-srs", to=tmp_path / "b")
    assert both.files == ("README.txt", "q_pay.csv", "more.csv")
    assert (tmp_path / "a" / "pay.csv").read_bytes() == (tmp_path / "b" / "q_pay.csv").read_bytes()
    with pytest.raises(DisclosureError, match="two outputs would be called 'q_pay'"):
        release({"q": answer, "q_pay": pay()}, policy="ons-srs", to=tmp_path / "c")
    with pytest.raises(DisclosureError, match="the mapping is empty"):
        release({"q": Answer("q", {}, FLOW)}, policy="ons-srs", to=tmp_path / "c")
    with pytest.raises(DisclosureError, match="output 'q' is a Panel"):
        release({"q": panel()}, policy="ons-srs", to=tmp_path / "c")


def test_a_share_of_too_few_is_hidden(tmp_path) -> None:
    table = composition(panel(n_small=12), "work", by=["group", "year"])
    release({"work": table}, policy="ons-srs", to=tmp_path / "out")
    cells = pd.read_csv(tmp_path / "out" / "work.csv", dtype=str)
    exact = table.to_frame()
    few = (table.evidence.n_person_nonzero < 10) | (table.evidence.n_person_zero < 10)
    assert (cells["share"] == "c").tolist() == few.tolist()
    assert few.sum() == 6 and (exact["group"] == "large").sum() == 6
    assert cells["share"][~few].astype(float).tolist() == pytest.approx((100 * exact["share"][~few]).tolist(), abs=0.05)


def test_a_composition_needs_one_row_a_person() -> None:
    with pytest.raises(SupportError, match="in 2 cells persons have several rows; add the period to the keys"):
        composition(panel(), "work", by=["group"])
