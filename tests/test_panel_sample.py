"""Conditions on rows: the grammar, three-valued logic against pandas, the flow, and what is refused."""

import datetime as dt
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_cases import wage_panel, wages

from leoreturns.errors import PanelError
from leoreturns.panel import Panel, rows
from leoreturns.results.flow import SampleFlow

FRAME = wages(seed=4)
PANEL = wage_panel(FRAME)
NULLABLE = FRAME.astype(
    {"sex": "string", "region": "string", "employed": "boolean", "earnings": "Float64", "band": "string"}
)


def rows_of(panel):
    frame = panel.to_frame()
    return set(zip(frame["person"], frame["tax_year"], strict=True))


def expected(mask):
    kept = FRAME[np.asarray(mask.fillna(False), dtype=bool)]
    return set(zip(kept["person"], kept["tax_year"], strict=True))


# ---- the grammar against pandas' three-valued logic ----------------------------------------------------------------

ATOMS = {
    "sex == 'F'": NULLABLE["sex"] == "F",
    "'M' != sex": NULLABLE["sex"] != "M",
    "region == 'North'": NULLABLE["region"] == "North",
    "region in ['North', 'South, \"old\"']": (NULLABLE["region"] == "North") | (NULLABLE["region"] == 'South, "old"'),
    "region not in ['North']": NULLABLE["region"] != "North",
    "region is missing": NULLABLE["region"].isna(),
    "earnings is not missing": NULLABLE["earnings"].notna(),
    "employed": NULLABLE["employed"],
    "employed == False": ~NULLABLE["employed"],
    "earnings >= 20000": NULLABLE["earnings"] >= 20000,
    "10000 <= earnings < 30000": (NULLABLE["earnings"] >= 10000) & (NULLABLE["earnings"] < 30000),
    "tax_year in (2010, 2013)": FRAME["tax_year"].isin([2010, 2013]).astype("boolean"),
    "tax_year not in {2010}": (FRAME["tax_year"] != 2010).astype("boolean"),
    "tax_year > hours + 1990": (FRAME["tax_year"] > FRAME["hours"] + 1990).astype("boolean"),
    "earnings / hours < 500": NULLABLE["earnings"] / FRAME["hours"].replace(0, np.nan) < 500,
    "band >= 'mid'": FRAME["band"].isin(["mid", "high"]).astype("boolean"),
    "band < 'high'": FRAME["band"].isin(["low", "mid"]).astype("boolean"),
    "born < '1991-01-01'": (FRAME["born"] < "1991-01-01").astype("boolean"),
    "hours < 1000": pd.Series(True, FRAME.index, dtype="boolean"),
    "-hours > -30": (FRAME["hours"] < 30).astype("boolean"),
}


@st.composite
def conditions(draw, depth=3):
    """A condition as text, and the nullable mask that pandas gives."""
    if depth == 0 or draw(st.booleans()):
        text = draw(st.sampled_from(list(ATOMS)))
        return text, ATOMS[text]
    left, left_mask = draw(conditions(depth=depth - 1))
    kind = draw(st.sampled_from(["and", "or", "not"]))
    if kind == "not":
        return f"not ({left})", ~left_mask
    right, right_mask = draw(conditions(depth=depth - 1))
    return f"({left}) {kind} ({right})", left_mask & right_mask if kind == "and" else left_mask | right_mask


ATOMS = {text: mask.astype("boolean") for text, mask in ATOMS.items()}

# Division by zero hours is infinite in the grammar, where the pandas twin has it missing.
FINITE = {text: mask for text, mask in ATOMS.items() if "/ hours" not in text}


@pytest.mark.parametrize("text", list(FINITE))
def test_each_comparison(text):
    assert rows_of(PANEL.where(text)) == expected(FINITE[text])
    assert rows_of(PANEL.where(f"not ({text})")) == expected(~FINITE[text])


@settings(max_examples=150, deadline=None)
@given(conditions())
def test_conditions_join_as_in_sql(case):
    text, mask = case
    if "/ hours" not in text:
        assert rows_of(PANEL.where(text)) == expected(mask)


def test_a_missing_operand_makes_nothing_true():
    known = PANEL.where("earnings > 20000").n_row + PANEL.where("not earnings > 20000").n_row
    assert known == FRAME["earnings"].notna().sum() < PANEL.n_row
    assert PANEL.where("earnings > 20000 or not earnings > 20000 or earnings is missing").n_row == PANEL.n_row


def test_names_that_are_no_identifiers_stand_in_backquotes():
    frame = pd.DataFrame({"id": [1, 1, 2], "year": [1, 2, 1], "a-b": ["x", "y", "x"], "is `odd`": [1, 2, 3]})
    panel = Panel.from_frame(frame, person="id", time="year")
    assert panel.where("`a-b` == 'x'").n_row == 2
    assert panel.at(**{"a-b": "y"}).n_row == 1
    assert panel.at(**{"is `odd`": [1, 3]}).n_row == 2


def test_backquotes_and_apostrophes_belong_to_what_they_stand_in():
    frame = pd.DataFrame({"id": [1, 2, 3], "year": 1, "kind": ["a `b` c", "`b`", "it's"], "it's": [1, 2, 3]})
    panel = Panel.from_frame(frame, person="id", time="year")
    assert panel.where("kind == 'a `b` c'").ids is panel.ids
    assert panel.where("kind == 'a `b` c' or kind == \"`b`\"").n_row == 2
    assert panel.where("kind == 'it\\'s' and `it's` > 2").n_row == 1
    assert panel.where("`it's` < 3 and kind == '`b`'").n_row == 1


@pytest.mark.parametrize("block", [1, 7, 50])
def test_the_size_of_the_stretches_does_not_matter(block, monkeypatch):
    conditions = [*FINITE, "sex == 'F' and earnings > 20000", "sex == 'F' or region is missing", "not sex == 'F'"]
    whole = [PANEL.where(condition).selection for condition in conditions]
    at = PANEL.at(tax_year=[2010, 2013], sex="F").selection
    monkeypatch.setattr(rows, "BLOCK", block)
    for condition, selection in zip(conditions, whole, strict=True):
        np.testing.assert_array_equal(PANEL.where(condition).selection, selection)
    np.testing.assert_array_equal(PANEL.at(tax_year=[2010, 2013], sex="F").selection, at)


def test_conditions_hold_little_beside_the_selection(monkeypatch):
    n = 300_000
    columns = {"id": np.arange(n) // 10, "year": np.arange(n) % 10, "pay": np.arange(n) / 7, "hours": np.arange(n) % 40}
    panel = Panel.from_frame(columns, person="id", time="year")
    monkeypatch.setattr(rows, "BLOCK", 4096)
    for condition in ("pay / 12 + hours * 2 > 1000", "year in [0, 1, 2, 3, 4, 5, 6]", "hours > 3 and not pay < 9"):
        tracemalloc.start()
        panel.where(condition)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * n, condition  # bytes


def test_dates_with_time_zones_compare_as_moments():
    moments = pd.to_datetime(["2015-04-01 12:00", "2015-04-02 12:00", None]).tz_localize("UTC")
    panel = Panel.from_frame({"id": [1, 2, 3], "year": [1, 1, 1], "seen": moments}, person="id", time="year")
    assert panel.where("seen < '2015-04-02'").n_row == 1
    assert panel.where("seen >= '2015-04-02T12:00+00:00'").n_row == 1
    assert panel.at(seen=dt.datetime(2015, 4, 1, 12)).n_row == 1


# ---- at -------------------------------------------------------------------------------------------------------------


def test_at_keeps_values_of_every_kind():
    assert rows_of(PANEL.at(tax_year=2012)) == rows_of(PANEL.where("tax_year == 2012"))
    assert rows_of(PANEL.at(tax_year=np.array([2012, 2014]))) == rows_of(PANEL.where("tax_year in [2012, 2014]"))
    assert rows_of(PANEL.at(sex="F", employed=True)) == rows_of(PANEL.where("sex == 'F' and employed"))
    born = FRAME["born"].iloc[0]
    assert rows_of(PANEL.at(born=born)) == expected((FRAME["born"] == born).astype("boolean"))
    assert rows_of(PANEL.at(born=born.date())) == rows_of(PANEL.at(born=born.to_pydatetime()))


def test_at_refuses_what_it_cannot_find():
    for wanted in (None, [2010, None], [np.nan]):
        with pytest.raises(PanelError, match="cannot select missing entries"):
            PANEL.at(tax_year=wanted)
    with pytest.raises(PanelError, match="at least one value"):
        PANEL.at(tax_year=[])
    with pytest.raises(PanelError, match="at least one column"):
        PANEL.at()
    with pytest.raises(PanelError, match="unknown column 'cohort'"):
        PANEL.at(cohort=3)
    with pytest.raises(PanelError, match="'sex' has no such label"):
        PANEL.at(sex=["F", "X"])
    with pytest.raises(PanelError, match="numbers cannot be compared with text"):
        PANEL.at(tax_year="2010")


# ---- the flow -------------------------------------------------------------------------------------------------------


def test_the_flow_counts_persons_and_rows_at_each_step():
    panel = PANEL.where("sex == 'F'").at(tax_year=[2010, 2011]).where("employed")
    masks = [FRAME["sex"] == "F"]
    masks.append(masks[-1] & FRAME["tax_year"].isin([2010, 2011]))
    masks.append(masks[-1] & FRAME["employed"])
    steps = panel.flow.steps
    assert [step.label for step in steps] == ["all rows", "sex == 'F'", "tax_year in [2010, 2011]", "employed"]
    kept = [FRAME, *(FRAME[mask] for mask in masks)]
    assert [(step.persons, step.rows) for step in steps] == [(part["person"].nunique(), len(part)) for part in kept]
    assert (panel.n_person, panel.n_row) == (steps[-1].persons, steps[-1].rows)
    frame = panel.flow.to_frame()
    assert frame["rows_removed"].tolist() == [0, *(-np.diff(frame["rows"]))]
    assert PANEL.flow.steps == steps[:1]


def test_a_selection_shares_the_arrays():
    panel = PANEL.where("employed")
    assert panel.array("earnings") is PANEL.array("earnings")
    assert panel.key("sex").codes.base is PANEL.key("sex").codes.base
    assert panel.n_row_stored == PANEL.n_row


def test_an_empty_selection_is_a_panel_without_persons():
    panel = PANEL.where("tax_year > 3000")
    assert (panel.n_person, panel.n_row) == (0, 0)
    assert len(panel.to_frame()) == 0


def test_a_rendered_flow_masks_small_counts():
    flow = SampleFlow().appended("all <rows>", persons=1200, rows=4000).appended("few", persons=9, rows=30)
    flow = flow.appended("none", persons=0, rows=0)
    assert repr(flow).splitlines()[1:] == [
        "all <rows>    1,200  4,000",
        "few             <10    <10",
        "none              0      0",
    ]
    page = flow._repr_html_()
    assert "all &lt;rows&gt;" in page
    assert "&lt;10" in page
    assert flow.to_frame()["persons_removed"].tolist() == [0, 1191, 9]


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("", "must be a text"),
        ("sex ==", "is not an expression"),
        ("sex ==", "it is not an expression; see Panel.where"),
        ("sex = 'F'", "it is not an expression; write '==' to compare"),
        ("region == 'a=b' and", "it is not an expression; see Panel.where"),
        ("employed & (hours > 3)", "write 'and' instead of '&'"),
        ("employed | (hours > 3)", "write 'or' instead of '|'"),
        ("~employed", "write 'not' instead of '~'"),
        ("person == 5", "'person' is the id, which cannot be used in conditions"),
        ("earnings > 10**400", r"'10 \*\* 400' is not a finite number"),
        ("earnings > 1" + 400 * "0", "is not a finite number"),
        ("hours in [1e999]", "is not a finite number"),
        ("earnings > -(1 / 0)", "'1 / 0' is not a finite number"),
        ("earnings > (-1) ** 0.5", "is not a finite number"),
        ("earnings > log(-1)", "is not a finite number"),
        ("`hours per week` + 1 > 2", "unknown column 'hours per week'"),
        ("`a b` + 1", "'`a b` [+] 1' is not a condition"),
        ("wage > 3", "unknown column 'wage'"),
        ("sex == 'X'", "'sex' has no such label; it has 'F', 'M'"),
        ("school == 'school 99'", "has no such label; it has 'school 0'"),
        ("band > 'huge'", "'band' has no such label"),
        ("sex == 3", "'sex' holds str labels, not int"),
        ("employed == 'yes'", "'employed' holds bool labels, not str"),
        ("employed > False", "use == or !="),
        ("hours == 'many'", "numbers cannot be compared with text"),
        ("hours in ['many']", "numbers cannot be compared with text"),
        ("sex", "'sex' is not a true/false column"),
        ("earnings", "'earnings' is not a true/false column"),
        ("sex == region", "two columns of codes"),
        ("sex in region", "list of literals"),
        ("hours in []", "list of literals"),
        ("hours in [earnings]", "list of literals"),
        ("earnings is None", "'is' must be followed by missing"),
        ("3 is missing", "only a column can be missing"),
        ("born > 'yesterday'", "write them as '2015-04-01'"),
        ("1 < 2", "a comparison needs a column"),
        ("earnings + 1", "is not a condition"),
        ("earnings + sex > 1", "'sex' is not a number"),
        ("earnings.max() > 1", "is not in the grammar"),
        ("__import__('os').system('true')", "is not a condition"),
        ("max(earnings) > 1", "is not in the grammar"),
        ("log(earnings, 2) > 1", "log takes one number"),
        ("[1][0] > earnings", "is not in the grammar"),
        ("(lambda: 1)() < earnings", "is not in the grammar"),
        ("earnings if employed else hours", "is not a condition"),
        ("earnings % 2 == 0", "is not in the grammar"),
        ("earnings == None", "is not in the grammar"),
        ("earnings > 1j", "is not in the grammar"),
    ],
)
def test_refusals_say_why(condition, message):
    with pytest.raises(PanelError, match=message):
        PANEL.where(condition)


def test_at_refuses_the_id():
    with pytest.raises(PanelError, match="'person' is the id, which cannot be used in conditions"):
        PANEL.at(person=5)


def test_an_unknown_label_lists_the_known_ones_only_where_they_are_few():
    frame = pd.DataFrame({"id": range(30), "year": 1, "born": [f"p{k:02}" for k in range(30)], "sex": ["F", "M"] * 15})
    panel = Panel.from_frame(frame, person="id", time="year")
    with pytest.raises(PanelError, match="it has 'F', 'M'$"):
        panel.where("sex == 'X'")
    with pytest.raises(PanelError, match="it has 30 others$") as refusal:
        panel.where("born == 'p99'")
    assert str(refusal.value).count("'p") == 1  # the condition's own literal
