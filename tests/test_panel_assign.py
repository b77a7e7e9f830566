"""New columns: expressions, callables, arrays and tables joined by id."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from panel_cases import assert_same, wage_panel, wages

from leoreturns.errors import PanelError
from leoreturns.panel import Panel, rows

FRAME = wages(seed=7)
PANEL = wage_panel(FRAME)


def column_of(panel, name):
    return panel.to_frame().set_index(["person", "tax_year"])[name].sort_index()


GIVEN = FRAME.set_index(["person", "tax_year"]).sort_index()


def test_expressions_of_numbers():
    panel = PANEL.assign(log_pay="log(earnings / 12) + hours ** 2", unit="log", owner="us")
    expected = np.log(GIVEN["earnings"] / 12) + GIVEN["hours"] ** 2.0
    np.testing.assert_allclose(column_of(panel, "log_pay"), expected, rtol=1e-15)
    column = panel.column("log_pay")
    assert (column.unit, column.owner, column.level, column.kind) == ("log", "us", "year", "number")
    assert column.missing == FRAME["earnings"].isna().sum()
    assert panel.n_row == PANEL.n_row
    assert "log_pay" not in PANEL.schema.columns


def test_expressions_of_conditions_keep_missing_apart():
    panel = PANEL.assign(well_paid="earnings > 20000")
    column = panel.column("well_paid")
    assert column.labels == (False, True)
    assert column.missing == FRAME["earnings"].isna().sum()
    assert panel.where("well_paid").n_row == (FRAME["earnings"] > 20000).sum()
    assert panel.where("not well_paid").n_row == (FRAME["earnings"] <= 20000).sum()


def test_later_columns_see_earlier_ones_and_may_replace_them():
    panel = PANEL.assign(monthly="earnings / 12", double="monthly * 2").assign(monthly="monthly * 0")
    np.testing.assert_allclose(column_of(panel, "double"), GIVEN["earnings"] / 6)
    assert set(column_of(panel, "monthly").dropna()) == {0.0}


def test_levels_of_expressions():
    person = PANEL.assign(woman="sex == 'F'", level="person")
    assert person.column("woman").level == "person"
    year = PANEL.assign(woman="sex == 'F'")
    assert year.column("woman").level == "year"
    assert person.where("woman").n_row == year.where("woman").n_row == (FRAME["sex"] == "F").sum()
    with pytest.raises(PanelError, match="'earnings > 1' varies over periods"):
        PANEL.assign(rich="earnings > 1", level="person")
    copied = PANEL.assign(again="band", place="region")
    assert copied.column("again").ordered
    assert column_of(copied, "place").tolist() == column_of(PANEL, "region").tolist()


@pytest.mark.parametrize("block", [1, 7, 50])
def test_the_size_of_the_stretches_does_not_matter(block, monkeypatch):
    def assigned():
        years = PANEL.assign(a="log(earnings) + hours", b="earnings > 20000", c="band", d="hours", e="sex == 'F'")
        return years.assign(f="sex == 'F'", g="born", level="person")

    whole = assigned()
    monkeypatch.setattr(rows, "BLOCK", block)
    assert_same(whole, assigned())


def test_numbers_that_do_not_exist_are_missing_and_counted():
    panel = PANEL.assign(net="earnings - 20000").assign(
        log_net="log(net)", root="sqrt(net)", ratio="0 * net / (0 * net)"
    )
    losses = int((FRAME["earnings"] < 20000).sum())
    assert losses > 0
    missing = int(FRAME["earnings"].isna().sum())
    assert panel.info()["missing"][["net", "log_net", "root", "ratio"]].tolist() == [
        missing,
        missing + losses,
        missing + losses,
        len(FRAME),
    ]


def test_an_infinite_result_is_refused_with_its_count():
    zero = int((FRAME["hours"] == 0).sum())
    assert zero > 0
    with pytest.raises(PanelError, match=rf"column 'x' has {zero} infinite values?"):
        PANEL.assign(x="log(hours)")
    assert PANEL.assign(x="log(hours + 1)").column("x").missing == 0


def test_arrays_along_the_stored_rows_are_copied():
    values = np.arange(PANEL.n_row, dtype=np.float64)
    panel = PANEL.assign(x=values)
    values[:] = -1
    np.testing.assert_array_equal(panel.array("x"), np.arange(PANEL.n_row))
    assert not panel.array("x").flags.writeable
    persons = PANEL.assign(level="person", group=[f"g{k % 3}" for k in range(PANEL.n_person)])
    assert persons.column("group").labels == ("g0", "g1", "g2")
    assert persons.column("group").level == "person"


def test_callables_take_the_panel():
    panel = PANEL.where("employed").assign(older=lambda p: p.array("hours") + 1)
    np.testing.assert_array_equal(panel.array("older"), PANEL.array("hours") + 1)
    assert panel.flow == PANEL.where("employed").flow


def test_tables_by_person_are_joined_by_id():
    persons = FRAME["person"].unique()[::-1]
    table = pd.DataFrame({"person": persons, "score": np.arange(len(persons)) * 10})
    full = PANEL.assign(score=table, level="person")
    assert full.array("score").dtype == np.int16
    expected = FRAME["person"].map(table.set_index("person")["score"])
    assert (
        column_of(full, "score").tolist()
        == expected.set_axis(FRAME.set_index(["person", "tax_year"]).index).sort_index().tolist()
    )
    some = table.iloc[5:]
    for kind in (some, some.set_index("person")["score"], pl.from_pandas(some), pa.Table.from_pandas(some)):
        partly = PANEL.assign(score=kind, level="person")
        assert partly.column("score").missing == 5
        assert partly.array("score").dtype == np.float64
    text = PANEL.assign(place=some.assign(score=some["score"].astype(str))[["person", "score"]], level="person")
    assert text.column("place").missing == 5


def test_tables_by_person_and_period_are_joined_by_both():
    shuffled = FRAME.sample(frac=1, random_state=3)
    by_row = shuffled.set_index(["person", "tax_year"])["earnings"]
    assert_same(PANEL.assign(pay=by_row), PANEL.assign(pay=shuffled[["person", "tax_year", "earnings"]]))
    np.testing.assert_array_equal(column_of(PANEL.assign(pay=by_row), "pay"), GIVEN["earnings"])
    some = shuffled.iloc[:50][["person", "tax_year", "hours"]]
    partly = PANEL.assign(h=some)
    assert partly.column("h").missing == len(FRAME) - 50
    assert partly.to_frame()["h"].sum() == some["hours"].sum()


@pytest.mark.parametrize("runs", [[1, 2, 3, 100, 1], [64, 63, 65], [1]])
@pytest.mark.parametrize("block", [1, 7, 1000])
def test_joined_rows_are_found_in_runs_of_any_length(runs, block, monkeypatch):
    rng = np.random.default_rng(11)
    person = np.repeat(np.arange(len(runs)), runs)
    year = np.concatenate([np.sort(rng.choice(500, run, replace=False)) for run in runs]) / 2
    frame = pd.DataFrame({"id": person, "year": year})
    panel = Panel.from_frame(frame, person="id", time="year")
    monkeypatch.setattr(rows, "BLOCK", block)
    table = frame.assign(v=np.arange(len(frame))).sample(frac=1, random_state=2)
    stored = panel.assign(v=table).to_frame().sort_values(["id", "year"])
    assert stored["v"].tolist() == list(range(len(frame)))
    odd = pd.concat([table, table.iloc[:1].assign(year=999), table.iloc[:1].assign(year=np.nan)])
    with pytest.raises(PanelError, match=r"2 rows whose .person, time. is not in the panel"):
        panel.assign(v=odd)
    with pytest.raises(PanelError, match=r"1 .person, time. pair given more than once"):
        panel.assign(v=pd.concat([table, table.iloc[:1], table.iloc[:1]]))


def test_a_joined_table_holds_little_beside_the_column(monkeypatch):
    n = 300_000
    columns = {"id": np.arange(n) // 10, "year": np.arange(n) % 10}
    panel = Panel.from_frame(columns, person="id", time="year")
    table = pd.DataFrame(columns | {"v": np.arange(n) / 7}).sample(frac=1, random_state=1)
    monkeypatch.setattr(rows, "BLOCK", 4096)
    tracemalloc.start()
    panel.assign(v=table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * n  # bytes, 8 of them the column


def test_rows_that_do_not_fit_are_refused_with_their_number():
    table = pd.DataFrame({"person": [5, 5, 1, 2], "v": [1, 2, 3, 4]})
    with pytest.raises(PanelError, match="names 2 persons who are not in the panel"):
        PANEL.assign(v=table, level="person")
    with pytest.raises(PanelError, match="1 person given more than once"):
        PANEL.assign(v=table.iloc[:2], level="person")
    with pytest.raises(PanelError, match="keyed by person only, so level='person' fits"):
        PANEL.assign(v=table.iloc[:1])
    by_row = FRAME[["person", "tax_year", "hours"]].rename(columns={"hours": "v"})
    with pytest.raises(PanelError, match="keyed by both person and time, so level='year' fits"):
        PANEL.assign(v=by_row, level="person")
    with pytest.raises(PanelError, match=r"3 rows whose .person, time. is not in the panel"):
        PANEL.assign(v=pd.concat([by_row, by_row.iloc[:3].assign(tax_year=1900)]))
    with pytest.raises(PanelError, match=r"2 .person, time. pairs given more than once"):
        PANEL.assign(v=pd.concat([by_row, by_row.iloc[:2]]))


def test_what_cannot_be_aligned_is_refused():
    with pytest.raises(PanelError, match="'x' has 3 values for"):
        PANEL.assign(x=[1, 2, 3])
    with pytest.raises(PanelError, match="an array cannot be matched to selected rows"):
        PANEL.where("employed").assign(x=np.zeros(PANEL.n_row))
    with pytest.raises(PanelError, match="give it a column or index named 'person'"):
        PANEL.assign(x=FRAME["hours"])
    with pytest.raises(PanelError, match="one column of values, or one named 'x'"):
        PANEL.assign(x=FRAME)
    with pytest.raises(PanelError, match="identifies the rows"):
        PANEL.assign(tax_year="hours")
    with pytest.raises(PanelError, match="level must be"):
        PANEL.assign(x="hours", level="row")
    with pytest.raises(PanelError, match="it names no column"):
        PANEL.assign(x="1 + 1")
    with pytest.raises(PanelError, match="column 'x' is of the type int; give an array"):
        PANEL.assign(x=1)
    with pytest.raises(PanelError, match="unit 'pounds' of column 'x' is not known"):
        PANEL.assign(x="earnings", unit="pounds")
    with pytest.raises(PanelError, match="must hold numbers, but"):
        PANEL.assign(x="sex", unit="GBP/year")
