"""Aggregate as a result: its frame, its cross table, and renderings that mask small cells."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from reference_table import table_of

from leoreturns.errors import SupportError
from leoreturns.results.aggregate import Aggregate


@pytest.fixture
def frame() -> pd.DataFrame:
    """Persons by band and sex: 12 low F, 9 low M, 10 high F (4 with pay), no high M."""
    band = pd.Categorical(["low"] * 21 + ["high"] * 10, ["low", "high"])
    sex = ["F"] * 12 + ["M"] * 9 + ["F"] * 10
    pay = np.r_[np.arange(12) + 10_000.5, np.arange(9) + 98_765.25, np.arange(4) + 55_555.75, np.full(6, np.nan)]
    return pd.DataFrame({"person": np.arange(31), "band": band, "sex": sex, "pay": pay})


@pytest.fixture
def table(frame: pd.DataFrame) -> Aggregate:
    return table_of(frame, "pay", ["band", "sex"], ["n_person", "mean"], unit="GBP/year")


def test_to_frame_has_a_row_per_cell_in_declared_order(table: Aggregate) -> None:
    expected = pd.DataFrame(
        {
            "band": ["low", "low", "high"],
            "sex": ["F", "M", "F"],
            "n_person": [12, 9, 10],
            "mean": [10_006.0, 98_769.25, 55_557.25],
        }
    )
    pd.testing.assert_frame_equal(table.to_frame(), expected, check_dtype=False)
    assert table.n_cells == 3


def test_pivot_crosses_keys_in_declared_order(table: Aggregate) -> None:
    wide = table.pivot("band", "sex", "n_person")
    assert wide.index.tolist() == ["low", "high"]
    assert wide.columns.tolist() == ["F", "M"]
    assert (wide.index.name, wide.columns.name) == ("band", "sex")
    np.testing.assert_array_equal(wide.to_numpy(), [[12, 9], [10, np.nan]])


def test_pivot_takes_several_keys_on_a_side(frame: pd.DataFrame) -> None:
    table = table_of(frame.assign(year=2010), None, ["band", "sex", "year"], ["n_person"])
    wide = table.pivot(["band", "sex"], "year")
    assert wide.index.tolist() == [("low", "F"), ("low", "M"), ("high", "F")]
    assert wide[2010].tolist() == [12, 9, 10]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("band", "band", "mean"), "every key once"),
        (("band", [], "mean"), "every key once"),
        (("band", "region", "mean"), "every key once"),
        (("band", "sex"), "name the statistic"),
        (("band", "sex", "p50"), "no statistic 'p50'"),
    ],
)
def test_pivot_refuses_what_the_table_has_not(table: Aggregate, arguments: tuple, message: str) -> None:
    with pytest.raises(SupportError, match=message):
        table.pivot(*arguments)


def test_renderings_mask_cells_of_few_persons_and_of_few_with_a_value(table: Aggregate) -> None:
    masked = table.masked_frame()
    assert masked["n_person"].tolist() == ["12", "<10", "<10"]
    assert masked["mean"].tolist() == ["10,006.00", "<10", "<10"]
    for text in (repr(table), str(table), table._repr_html_()):
        assert "10,006.00" in text
        assert "98,769" not in text
        assert "55,557" not in text
        assert "GBP/year" in text


def test_counts_alone_are_masked_by_persons(frame: pd.DataFrame) -> None:
    table = table_of(frame, None, ["band", "sex"], ["n_person", "n_obs"])
    assert table.masked_frame()["n_obs"].tolist() == ["12", "<10", "10"]


def test_without_persons_rows_stand_for_them(frame: pd.DataFrame) -> None:
    table = table_of(frame, "pay", ["band", "sex"], ["n_person", "mean"], person=None)
    assert table.masked_frame()["n_person"].tolist() == ["-", "<10", "<10"]
    assert table.masked_frame()["mean"].tolist() == ["10,006.00", "<10", "<10"]


def test_what_is_not_defined_is_a_dash(table: Aggregate) -> None:
    object.__setattr__(table, "statistics", {"sd": np.array([np.nan, 1.0, 0.00012345])})
    assert table.masked_frame()["sd"].tolist() == ["-", "<10", "<10"]


def test_long_tables_are_cut_and_say_so() -> None:
    frame = pd.DataFrame({"person": np.arange(1000), "group": np.repeat(np.arange(100), 10)})
    text = repr(table_of(frame, None, ["group"], ["n_person"]))
    assert "100 cells" in text
    assert "... 40 more cells" in text
    assert len(text.splitlines()) == 1 + 1 + 60 + 1 + 1


def test_html_escapes_labels_and_names() -> None:
    frame = pd.DataFrame({"person": np.arange(20), "<b>": ["<script>"] * 20})
    html = table_of(frame, None, ["<b>"], ["n_person"])._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html


def test_it_pickles_at_the_size_of_its_cells(frame: pd.DataFrame) -> None:
    def size(times: int) -> int:
        many = pd.concat([frame.assign(person=frame["person"] + 1000 * n) for n in range(times)])
        table = table_of(many, "pay", ["band", "sex"], ["n_person", "mean"])
        assert pickle.loads(pickle.dumps(table)).to_frame().equals(table.to_frame())
        return len(pickle.dumps(table))

    assert size(50) == size(2)


def test_no_part_shows_a_value_or_a_small_count(table: Aggregate) -> None:
    parts = [table.evidence, *table.evidence.tails.values(), *table.keys.values(), *table.flow.steps]
    text = repr(parts) + repr(table.flow.steps)
    for value in ("98765", "98,765", "55555", "10000.5"):
        assert value not in text
    assert "array" not in text
    assert repr(table.evidence) == "<Evidence: 3 cells>"
    assert table != table.to_frame  # comparing is by identity: arrays have no single truth
