"""What aggregate() takes: keys of every type, missing keys and values, conditions; and what it refuses and how."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from aggregate_cases import arrays_of, assert_same_bytes, cell_index, earnings, panel_of

import leoreturns as lr
from leoreturns import _parallel
from leoreturns.aggregates import cells as table_cells
from leoreturns.aggregates.cells import Layout, Side

STATISTICS = ["n_obs", "n_value", "n_person", "mean", "p50", "gini"]

# ---- keys of every type (A4: a float or datetime key must not pass what its text would not) -----------------------

LEVELS = ["a", "b", "c"]
KEYS: dict[str, Callable[[np.ndarray], Any]] = {
    "objects": lambda codes: np.array([*LEVELS, None], dtype=object)[codes],
    "text": lambda codes: pd.array([[*LEVELS, None][code] for code in codes], dtype="string"),
    "quotes, commas and newlines": lambda codes: np.array(['a "quoted", one', "b\nnew; line", "c'x`", None], object)[
        codes
    ],
    "floats": lambda codes: np.array([1.5, 2.5, 3.5, np.nan])[codes],
    "whole floats": lambda codes: np.array([1.0, 2.0, 3.0, np.nan])[codes],
    "negative floats": lambda codes: np.array([-7.25, -0.0, 1e300, np.nan])[codes],
    "nullable integers": lambda codes: pd.array(np.array([10, 20, 30, pd.NA], object)[codes], dtype="Int16"),
    "wide integers": lambda codes: pd.array(np.array([-(2**40), 0, 2**40, pd.NA], object)[codes], dtype="Int64"),
    "datetimes": lambda codes: np.array(["2001-01-01", "2002-06-30", "2003-12-31T13:00", "NaT"], "datetime64[ns]")[
        codes
    ],
    "dates": lambda codes: np.array([dt.date(2001, 1, 1), dt.date(2002, 2, 2), dt.date(2003, 3, 3), None], object)[
        codes
    ],
    "zoned": lambda codes: pd.DatetimeIndex(["2001-01-01", "2002-01-01", "2003-01-01", None], tz="Europe/London")[
        codes
    ],
    "categories": lambda codes: pd.Categorical.from_codes(np.where(codes == 3, -1, codes), LEVELS),
    "categories with unused levels": lambda codes: pd.Categorical.from_codes(
        np.array([1, 3, 4, -1])[codes], ["", "a", "A", "b", "c", "z"]
    ),
    "categories of numbers": lambda codes: pd.Categorical.from_codes(np.where(codes == 3, -1, codes), [1.0, 2.5, 9.0]),
    "categories of intervals": lambda codes: pd.Categorical.from_codes(
        np.where(codes == 3, -1, codes), pd.IntervalIndex.from_breaks([0, 1, 2, 3]), ordered=True
    ),
}


def coded(seed: int = 0, trait: bool = False) -> tuple[pd.DataFrame, np.ndarray]:
    """A table, and codes 0, 1, 2 or 3 (to be missing) for a key that varies over rows or persons only."""
    frame = earnings(n_person=80, seed=seed)
    rng = np.random.default_rng(seed)
    if trait:
        who = frame["person"].rank(method="dense").astype(int).to_numpy() - 1
        return frame, rng.integers(0, 4, who.max() + 1)[who]
    return frame, rng.integers(0, 4, len(frame))


@pytest.mark.parametrize("trait", [False, True])
@pytest.mark.parametrize("missing", ["drop", "group"])
@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_any_type_gives_the_cells_of_text(kind: str, missing: Any, trait: bool) -> None:
    frame, codes = coded(seed=1, trait=trait)
    as_text = frame.assign(key=KEYS["objects"](codes))
    frame["a-key, of 'ours'"] = KEYS[kind](codes)
    panel = panel_of(frame)
    assert panel.column("a-key, of 'ours'").level == ("person" if trait else "year")
    options: Any = {"statistics": STATISTICS, "missing": missing}
    wanted = lr.aggregate(panel_of(as_text), "gross", by=["key", "sex"], **options)
    got = lr.aggregate(panel, "gross", by=["a-key, of 'ours'", "sex"], **options)
    renamed = dataclasses.replace(got, keys=dict(zip(["key", "sex"], got.keys.values(), strict=True)))
    assert arrays_of(renamed) == arrays_of(wanted)
    labels = got.keys["a-key, of 'ours'"].labels
    assert len(labels) == (4 if missing == "group" else 3)
    assert (labels[-1] == "missing") == (missing == "group")


@pytest.mark.parametrize("kind", ["bool", "boolean", "object"])
def test_conditions_are_keys(kind: str) -> None:
    frame, codes = coded(seed=2)
    frame["flag"] = pd.Series(codes % 2 == 1).astype(kind)
    if kind != "bool":
        frame["flag"] = frame["flag"].mask(codes == 3)
    as_text = frame.assign(flag=frame["flag"].map({False: "a", True: "b"}))
    for missing in ("drop", "group"):
        options: Any = {"statistics": STATISTICS, "missing": missing}
        got = lr.aggregate(panel_of(frame), "gross", by="flag", **options)
        wanted = lr.aggregate(panel_of(as_text), "gross", by="flag", **options)
        assert arrays_of(got) == arrays_of(wanted)
        assert got.keys["flag"].labels[:2] == (False, True)


def test_whole_floats_and_nullable_integers_are_the_same_cells_as_integers() -> None:
    frame = earnings(seed=3)
    tables = [
        lr.aggregate(
            panel_of(frame.assign(hours=frame["hours"].astype(kind))), "gross", by="hours", statistics=STATISTICS
        )
        for kind in ("int16", "float64", "Int32", "Float64")
    ]
    for table in tables[1:]:
        assert_same_bytes(tables[0], table)
    assert all(type(label) is int for table in tables for label in table.keys["hours"].labels)


def test_declared_order_of_an_ordered_category_is_kept() -> None:
    frame = earnings(seed=4)
    frame["band"] = pd.Categorical(
        np.where(frame["hours"] < 10, "low", np.where(frame["hours"] < 30, "mid", "high")),
        ["low", "mid", "high"],
        ordered=True,
    )
    table = lr.aggregate(panel_of(frame), "hours", by="band", statistics="p50")
    assert cell_index(table) == [("low",), ("mid",), ("high",)]
    assert (np.diff(table.statistics["p50"]) > 0).all()


def test_by_takes_one_name_or_several() -> None:
    panel = panel_of(earnings(seed=5))
    one = lr.aggregate(panel, "pay", by="sex", statistics="mean")
    assert_same_bytes(one, lr.aggregate(panel, "pay", by=["sex"], statistics=["mean"]))
    whole = lr.aggregate(panel, "pay", statistics="n_obs")
    assert (whole.n_cells, whole.keys, whole.statistics["n_obs"].tolist()) == (1, {}, [panel.n_row])


# ---- missing keys and values, cells without rows --------------------------------------------------------------------


def test_missing_keys_are_dropped_grouped_or_refused() -> None:
    frame = earnings(seed=6)
    panel = panel_of(frame)
    dropped = lr.aggregate(panel, "pay", by=["region", "sex"], statistics="n_obs")
    grouped = lr.aggregate(panel, "pay", by=["region", "sex"], statistics="n_obs", missing="group")
    filled = frame.assign(region=frame["region"].fillna("~")).groupby(["region", "sex"]).size()
    assert grouped.statistics["n_obs"].tolist() == filled.tolist()
    assert grouped.keys["region"].labels == ("East", "North", "South", "missing")
    assert dropped.statistics["n_obs"].tolist() == filled.iloc[:-2].tolist()
    assert [step.label for step in dropped.flow.steps] == ["all rows", "all keys present"]
    assert [step.label for step in grouped.flow.steps] == ["all rows"]
    lost = int(frame["region"].isna().sum())
    empty = int(frame["pay"].isna().sum() - frame.loc[frame["region"].isna(), "pay"].isna().sum())
    with pytest.raises(lr.SupportError, match=f"{lost:,} have a missing key and {empty:,} more no value of 'pay'"):
        lr.aggregate(panel, "pay", by=["region", "sex"], statistics="n_obs", missing="error")
    kept = lr.aggregate(
        panel,
        "pay",
        by="region",
        statistics="n_obs",
        missing="error",
        where="region is not missing and pay is not missing",
    )
    assert kept.statistics["n_obs"].sum() == len(frame.dropna(subset=["region", "pay"]))


def test_grouping_the_missing_changes_nothing_where_none_is() -> None:
    panel = panel_of(earnings(seed=7))
    drop, group = (
        lr.aggregate(panel, "pay", by=["sex", "tax_year"], statistics="mean", missing=how) for how in ("drop", "group")
    )
    assert_same_bytes(drop, group)


def test_a_level_named_missing_is_not_mixed_up() -> None:
    frame = earnings(seed=8)
    frame["region"] = frame["region"].replace("East", "missing")
    with pytest.raises(lr.SupportError, match="'region' has missing entries and a level 'missing' of its own"):
        lr.aggregate(panel_of(frame), "pay", by="region", statistics="mean", missing="group")
    assert "missing" in lr.aggregate(panel_of(frame), "pay", by="region", statistics="mean").keys["region"].labels


def test_all_crossings_or_those_observed() -> None:
    frame = earnings(n_person=12, seed=9)
    by = ["tax_year", "region", "cohort", "sex"]
    names = ["n_obs", "n_person", "n_value", "sum", "mean", "var", "p50", "gini", "top10", "n_weighted"]
    observed = lr.aggregate(panel_of(frame), "pay", by=by, statistics=names)
    every = lr.aggregate(panel_of(frame), "pay", by=by, statistics=names, cells="all")
    assert every.n_cells == math.prod(len(key.labels) for key in every.keys.values()) > observed.n_cells
    filled = every.evidence.n_obs > 0
    assert [cell for cell, some in zip(cell_index(every), filled, strict=True) if some] == cell_index(observed)
    for name in names:
        np.testing.assert_array_equal(every.statistics[name][filled], observed.statistics[name])
        empty = every.statistics[name][~filled]
        zero = name.startswith("n_") or name == "sum"
        assert (empty == 0).all() if zero else np.isnan(empty).all(), name
    for count in ("n_obs", "n_person", "n_person_value", "n_largest", "n_zero", "top1", "total_absolute"):
        assert (getattr(every.evidence, count)[~filled] == 0).all()
    assert not every.evidence.all_equal[~filled].any()
    assert (every.evidence.sketch[~filled] == 0).all() and (every.evidence.fingerprint[~filled] == 0).all()


def test_a_group_without_a_value_has_counts_and_no_numbers() -> None:
    frame = earnings(seed=10)
    frame.loc[frame["sex"] == "M", "gross"] = np.nan
    names = [
        "n_obs",
        "n_value",
        "n_person",
        "n_person_value",
        "sum",
        "mean",
        "sd",
        "p10",
        "iqr",
        "p90/p50",
        "gini",
        "top1",
    ]
    table = lr.aggregate(panel_of(frame), "gross", by="sex", statistics=names)
    men = frame[frame["sex"] == "M"]
    got = {name: values[1] for name, values in table.statistics.items()}
    assert [got[name] for name in names[:5]] == [len(men), 0, men["person"].nunique(), 0, 0.0]
    assert all(math.isnan(got[name]) for name in names[5:])
    assert table.evidence.tails["p10"].below[1] == table.evidence.tails["p10"].above[1] == 0
    assert all(np.isfinite(values[0]) for values in table.statistics.values())


def test_a_key_that_is_always_missing_leaves_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = earnings(seed=11).assign(nothing=np.nan)
    for options in ({}, {"cells": "all"}, {"weights": lr.Weights("count", "frequency")}):
        table = lr.aggregate(
            panel_of(frame), "pay", by=["sex", "nothing"], statistics=["n_obs", "mean", "p50"], **options
        )
        assert (table.n_cells, len(table.to_frame()), table.flow.steps[-1].rows) == (0, 0, 0)
    # Nor where only the crossings that occur are numbered, and of years none does.
    wide = frame.assign(one=frame["person"] * 1.5, two=frame["person"] * 2.5)
    monkeypatch.setattr(table_cells, "MAX_CELLS", 1000)
    panel = panel_of(wide, time_varying=["nothing"])
    assert lr.aggregate(panel, "pay", by=["one", "two", "nothing"], statistics=["n_obs", "p50"]).n_cells == 0
    grouped = lr.aggregate(panel_of(frame), "pay", by="nothing", statistics="n_obs", missing="group")
    assert (cell_index(grouped), grouped.statistics["n_obs"].tolist()) == ([("missing",)], [len(frame)])


def test_one_person_is_described() -> None:
    frame = earnings(n_person=1, seed=12)
    table = lr.aggregate(panel_of(frame), "gross", statistics=["n_person", "n_obs", "sd", "p50"])
    assert table.statistics["n_person"].tolist() == [1]
    np.testing.assert_allclose(table.statistics["p50"], [frame["gross"].median()])
    assert "<10" in repr(table)


# ---- conditions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", ["hours >= 20", "sex == 'F' and region in ['North', 'East']", "not employed"])
@pytest.mark.parametrize("values", ["pay", None])
def test_where_is_that_of_the_panel(condition: str, values: str | None) -> None:
    frame = earnings(seed=13)
    panel = panel_of(frame, entities=["school"])
    names = ["n_obs", "n_person"] if values is None else STATISTICS
    first = lr.aggregate(panel.where(condition), values, by=["region", "tax_year"], statistics=names)
    second = lr.aggregate(panel, values, by=["region", "tax_year"], statistics=names, where=condition)
    third = lr.aggregate(frame, values, by=["region", "tax_year"], statistics=names, where=condition, person="person")
    assert_same_bytes(first, second)
    assert first.flow == second.flow
    for name in names:
        np.testing.assert_allclose(first.statistics[name], third.statistics[name], rtol=1e-12)


def test_a_selection_is_that_of_a_panel_built_from_its_rows() -> None:
    frame = earnings(seed=14)
    selected = lr.aggregate(
        panel_of(frame), "gross", by=["sex", "tax_year"], statistics=STATISTICS, where="hours >= 25"
    )
    built = lr.aggregate(panel_of(frame[frame["hours"] >= 25]), "gross", by=["sex", "tax_year"], statistics=STATISTICS)
    assert_same_bytes(selected, built)


def test_weights_count_on_selected_rows_only() -> None:
    frame = earnings(seed=15)
    frame["w"] = np.where(frame["hours"] < 10, -1.0, np.where(frame["hours"] < 12, 0.5, 1.0))
    panel = panel_of(frame)
    table = lr.aggregate(panel, "pay", statistics="mean", where="hours >= 12", weights=lr.Weights("w", "frequency"))
    np.testing.assert_allclose(table.statistics["mean"], frame.loc[frame["hours"] >= 12, "pay"].mean())


# ---- what is refused ------------------------------------------------------------------------------------------------

F = lr.Weights("count", "frequency")
REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown value": ({"values": "salary"}, lr.PanelError, "unknown column 'salary'.*'pay'"),
    "unknown key": ({"by": ["sex", "county"]}, lr.PanelError, "unknown column 'county'"),
    "unknown weight": ({"weights": lr.Weights("w", "frequency")}, lr.PanelError, "unknown column 'w'"),
    "unknown column in where": ({"where": "age > 3"}, lr.PanelError, "age"),
    "unknown statistic": ({"statistics": ["mean", "max"]}, lr.SupportError, "no statistic 'max'; offered are n_obs"),
    "percentile 0": ({"statistics": "p0"}, lr.SupportError, "no statistic 'p0'"),
    "percentile 100": ({"statistics": "p100"}, lr.SupportError, "no statistic 'p100'"),
    "percentile 99.9": ({"statistics": "p99.9"}, lr.SupportError, "no statistic 'p99.9'"),
    "percentile 05": ({"statistics": "p05"}, lr.SupportError, "no statistic 'p05'"),
    "top share of 60": ({"statistics": "top60"}, lr.SupportError, "no statistic 'top60'"),
    "a function": ({"statistics": [np.median]}, lr.SupportError, "by its name"),
    "no statistic": ({"statistics": []}, lr.SupportError, "at least one statistic"),
    "repeated statistic": ({"statistics": ["mean", "p50", "mean"]}, lr.SupportError, "named twice"),
    "repeated key": ({"by": ["sex", "region", "sex"]}, lr.SupportError, "named twice"),
    "text values": ({"values": "region"}, lr.SupportError, "'region' holds 3 labels, not numbers"),
    "share of numbers": ({"statistics": "share"}, lr.SupportError, "share needs a true/false column and 'pay'"),
    "mean of nothing": (
        {"values": None, "statistics": ["n_obs", "mean"]},
        lr.SupportError,
        "mean need a column of values",
    ),
    "weights of nothing": (
        {"values": None, "statistics": "n_obs", "weights": F},
        lr.SupportError,
        "weights need a column",
    ),
    "no rows left": ({"where": "hours > 1000"}, lr.SupportError, "no rows are left"),
    "text weights": (
        {"weights": lr.Weights("region", "frequency")},
        lr.SupportError,
        "weights 'region' are not numbers",
    ),
    "negative weights": (
        {"weights": lr.Weights("pay", "probability")},
        lr.SupportError,
        r"'pay' are negative in \d+ entries",
    ),
    "negative frequencies": (
        {"weights": lr.Weights("pay", "frequency")},
        lr.SupportError,
        r"'pay' are negative in \d+",
    ),
    "broken frequencies": (
        {"weights": lr.Weights("chance", "frequency")},
        lr.SupportError,
        r"'chance' are not whole in \d+ entries; use lr.Weights\('chance', 'probability'\)",
    ),
    "a column as weights": ({"weights": "count"}, TypeError, "lr.Weights"),
    "type 3 of probability weights": (
        {"weights": lr.Weights("chance", "probability"), "quantile_rule": 3},
        ValueError,
        "3 has no form under probability weights",
    ),
    "missing": ({"missing": "keep"}, ValueError, "missing is one of 'drop', 'group', 'error', not 'keep'"),
    "cells": ({"cells": "some"}, ValueError, "cells is one of 'observed', 'all', not 'some'"),
    "rule 0": ({"quantile_rule": 0}, ValueError, "quantile_rule is one of 1, .*, 9, not 0"),
    "rule 10": ({"quantile_rule": 10}, ValueError, "quantile_rule is one of"),
    "rule True": ({"quantile_rule": True}, ValueError, "quantile_rule is one of"),
    "rule by name": ({"quantile_rule": "linear"}, ValueError, "quantile_rule is one of"),
    "person of a panel": ({"person": "person"}, ValueError, "a panel knows its persons"),
    "no thread": ({"n_jobs": 0}, ValueError, "n_jobs must be a positive number of threads or -1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_with_its_reason(name: str) -> None:
    options, error, message = REFUSED[name]
    given = {"values": "pay", "by": "sex", "statistics": "mean"} | options
    values = given.pop("values")
    with pytest.raises(error, match=message):
        lr.aggregate(panel_of(earnings(seed=16)), values, **given)


@pytest.mark.parametrize("name", [name for name, (options, _, _) in REFUSED.items() if "person" not in options])
def test_bad_input_of_a_frame_is_refused_alike(name: str) -> None:
    options, error, _ = REFUSED[name]
    given = {"values": "pay", "by": "sex", "statistics": "mean"} | options
    values = given.pop("values")
    with pytest.raises(error):
        lr.aggregate(earnings(seed=16), values, person="person", **given)


def test_a_message_holds_counts_and_names_and_no_value() -> None:
    secret = 98765.43
    frame = earnings(seed=17)
    frame["pay"] = np.where(frame["hours"] < 5, -secret, secret)
    frame["name"] = [f"person no {secret}" for _ in range(len(frame))]
    attempts: list[dict[str, Any]] = [
        {"values": "name"},
        {"weights": lr.Weights("pay", "probability")},
        {"weights": lr.Weights("name", "probability")},
        {"missing": "error", "by": "region"},
        {"where": "hours > 1000"},
        {"values": "unknown"},
        {"statistics": "share"},
    ]
    for options in attempts:
        given = {"values": "pay", "by": "sex", "statistics": "mean"} | options
        values = given.pop("values")
        for data in (panel_of(frame), frame):
            with pytest.raises((lr.SupportError, lr.PanelError)) as caught:
                lr.aggregate(data, values, **given)
            assert "98765" not in str(caught.value) and "98,765" not in str(caught.value)


@pytest.mark.parametrize("data", [None, "panel", np.zeros(3), {"pay": [1.0]}])
def test_other_data_are_refused(data: Any) -> None:
    with pytest.raises(TypeError, match="Panel, a Scan or a pandas DataFrame"):
        lr.aggregate(data, "pay", statistics="mean")


def test_a_frame_without_a_row_or_the_person_is_refused() -> None:
    frame = earnings()
    with pytest.raises(lr.PanelError, match="no rows"):
        lr.aggregate(frame.iloc[:0], "pay", statistics="mean")
    with pytest.raises(lr.PanelError, match="unknown column 'id'"):
        lr.aggregate(frame, "pay", statistics="mean", person="id")
    with pytest.raises(lr.PanelError, match="infinite"):
        lr.aggregate(frame.assign(pay=np.inf), "pay", statistics="mean")
    with pytest.raises(lr.PanelError, match="missing in 1 row"):
        lr.aggregate(
            frame.assign(person=frame["person"].where(frame.index > 0)), "pay", statistics="mean", person="person"
        )


@pytest.mark.parametrize("dtype", ["int64", "float64", "str"])
def test_a_key_with_a_million_levels_is_refused_by_name_and_number(dtype: str) -> None:
    n = 1_000_000
    frame = pd.DataFrame({"key": np.arange(n).astype(dtype), "pay": 1.0})
    with pytest.raises(lr.SupportError, match=r"key 'key' has (more than 500,000|1,000,000) levels"):
        lr.aggregate(frame, "pay", by="key", statistics="mean")


def test_too_many_cells_are_refused_with_the_levels() -> None:
    n = 3000
    frame = pd.DataFrame({"person": np.arange(n), "one": np.arange(n), "two": np.arange(n) * 3, "year": np.arange(n)})
    panel = lr.Panel.from_frame(frame, person="person", time="year", time_varying=["two"])
    with pytest.raises(lr.SupportError, match=r"9,000,000 cells, more than 4,000,000 \(levels: one 3,000, two 3,000\)"):
        lr.aggregate(panel, None, by=["one", "two"], statistics="n_obs")
    with pytest.raises(lr.SupportError, match="coarser keys, or cells='observed'$"):
        lr.aggregate(frame, None, by=["one", "two"], statistics="n_obs", cells="all")
    # Traits cross to the persons there are, so only these are numbered.
    traits = lr.Panel.from_frame(frame, person="person", time="year")
    table = lr.aggregate(traits, None, by=["two", "one"], statistics="n_obs")
    assert cell_index(table) == list(zip(frame["two"], frame["one"], strict=True))
    assert (table.statistics["n_obs"] == 1).all()


@pytest.mark.parametrize("missing", ["drop", "group"])
def test_crossings_are_numbered_alike_whether_or_not_only_those_present_are(
    missing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = earnings(n_person=20, seed=18)
    frame["cohort"] = frame["cohort"].where(frame["cohort"] > 2001)
    panel = panel_of(frame)
    by = ["school", "tax_year", "cohort", "sex"]
    options: Any = {"by": by, "statistics": ["mean", "p50"], "missing": missing}
    plain = lr.aggregate(panel, "pay", **options)
    traits = plain.to_frame()[["school", "cohort", "sex"]].drop_duplicates()
    monkeypatch.setattr(table_cells, "MAX_CELLS", 8 * len(traits))
    assert_same_bytes(plain, lr.aggregate(panel, "pay", **options))
    monkeypatch.setattr(table_cells, "MAX_CELLS", 8 * len(traits) - 1)
    with pytest.raises(lr.SupportError, match=f"{8 * len(traits):,} cells, more than .* tax_year 8, cohort"):
        lr.aggregate(panel, "pay", **options)


def test_cells_are_ordered_where_their_crossings_pass_64_bits() -> None:
    labels = {"first": range(1 << 31), "second": range(1 << 31), "third": range(1 << 10)}
    found = np.array([[5, 1, 0], [2**31 - 1, 0, 3], [0, 2**31 - 1, 1023], [0, 7, 1], [5, 0, 9]])
    crossed = found[:, 0] * (1 << 31) + found[:, 1]
    present = np.unique(crossed)
    layout = Layout(
        ("third", "first", "second"),
        labels,  # type: ignore[arg-type]
        Side(("first", "second"), (1 << 31, 1 << 31), present),
        Side(("third",), (1 << 10,), None),
        [],
        [],
    )
    cells = np.searchsorted(present, crossed) * (1 << 10) + found[:, 2]
    order, keys = layout.ordered(cells)
    wanted = sorted(map(tuple, found.tolist()), key=lambda cell: (cell[2], cell[0], cell[1]))
    assert list(zip(*(keys[name].codes.tolist() for name in labels), strict=True)) == wanted
    assert order.tolist() == [int(cells[found.tolist().index(list(cell))]) for cell in wanted]


@pytest.mark.parametrize("n_levels", [127, 128, 129, 1 << 15])
def test_missing_is_one_level_more_whatever_type_holds_the_codes(n_levels: int) -> None:
    codes = np.arange(2 * n_levels + 2) % (n_levels + 1)
    labels = np.array([*(f"l{k:05}" for k in range(n_levels)), None], dtype=object)
    frame = pd.DataFrame({"person": np.arange(len(codes)), "tax_year": 2010, "key": labels[codes]})
    table = lr.aggregate(panel_of(frame), None, by="key", statistics="n_obs", missing="group")
    assert cell_index(table)[-1] == ("missing",)
    assert table.statistics["n_obs"].tolist() == [2] * (n_levels + 1)


@pytest.mark.parametrize("order", [[False, True], [True, False]])
@pytest.mark.parametrize("level", [[], ["employed"]])
def test_true_counts_one_whatever_order_was_declared(order: list[bool], level: list[str]) -> None:
    frame = pd.DataFrame({"person": np.arange(8), "tax_year": 2010})
    frame["employed"] = pd.Categorical([True, False, False, False] * 2, categories=order, ordered=True)
    table = lr.aggregate(panel_of(frame, time_varying=level), "employed", statistics=["share", "sum"])
    assert (table.statistics["share"][0], table.statistics["sum"][0]) == (0.25, 2.0)


@pytest.mark.parametrize("level", [[], ["one", "two"]])
def test_many_levels_that_never_cross_leave_no_cell(level: list[str]) -> None:
    n = 5000
    numbers = np.arange(n, dtype=float)
    frame = pd.DataFrame({"person": np.arange(n), "tax_year": 2010, "pay": 1.0})
    frame["one"], frame["two"] = np.where(numbers % 2, np.nan, numbers), np.where(numbers % 2, numbers, np.nan)
    table = lr.aggregate(panel_of(frame, time_varying=level), "pay", by=["one", "two"], statistics=["n_obs", "p50"])
    assert table.n_cells == 0
    assert table.flow.steps[-1].rows == 0


def test_a_statistic_cannot_share_a_name_with_a_key() -> None:
    frame = pd.DataFrame({"person": [1, 2], "mean": ["a", "b"], "pay": [1.0, 2.0]})
    with pytest.raises(lr.SupportError, match="mean would name a key and a statistic"):
        lr.aggregate(frame, "pay", by="mean", statistics=["mean"], person="person")


def test_a_frame_can_name_its_unit_and_its_index_levels_are_columns() -> None:
    frame = pd.DataFrame({"nr": [1, 1, 2], "year": [1, 2, 1], "pay": [1.0, 2.0, 4.0], "notes": [[1], [2], [3]]})
    table = lr.aggregate(
        frame.set_index(["nr", "year"]),
        "pay",
        by="year",
        statistics=["n_person", "mean"],
        where="pay > 1.5",
        person="nr",
        unit="GBP/hour",
    )
    assert table.unit == "GBP/hour"
    assert table.to_frame().to_dict("list") == {"year": [1, 2], "n_person": [1, 1], "mean": [4.0, 2.0]}


def test_by_is_names() -> None:
    frame = pd.DataFrame({"person": [1], "pay": [1.0]})
    for by in (None, 3, [1, 2]):
        with pytest.raises(TypeError, match="by is the name of a column or a list of names"):
            lr.aggregate(frame, "pay", by=by, statistics="mean", person="person")  # type: ignore[arg-type]


def test_effective_rows_of_weights() -> None:
    frame = pd.DataFrame({"person": range(4), "pay": [1.0, 2.0, 3.0, np.nan], "w": [1.0, 1.0, 2.0, 5.0]})
    weighted = lr.aggregate(frame, "pay", statistics="mean", weights=lr.Weights("w", "probability"), person="person")
    plain = lr.aggregate(frame, "pay", statistics="mean", person="person")
    assert weighted.evidence.n_effective.tolist() == [16 / 6]
    assert plain.evidence.n_effective.tolist() == [3.0]


def test_threads_are_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    monkeypatch.setattr(_parallel, "_in_threads", lambda function, work, count, progress: used.append(count))
    frame = pd.DataFrame({"person": range(3_000_000), "pay": 1.0})
    lr.aggregate(frame, "pay", statistics="mean", person="person", n_jobs=1)
    assert used == []


def test_an_index_that_repeats_a_column_is_passed_over() -> None:
    frame = pd.DataFrame({"nr": [1, 1, 2], "pay": [1.0, 2.0, 4.0]})
    frame.index = pd.Index([7, 8, 9], name="nr")
    table = lr.aggregate(frame, "pay", statistics="n_person", person="nr")
    assert table.statistics["n_person"].tolist() == [2]


def test_counted_rows_have_the_rows_of_a_person_as_evidence() -> None:
    frame = pd.DataFrame({"person": [1, 1, 1, 2, 2, 3]})
    evidence = lr.aggregate(frame, None, statistics="n_person", person="person").evidence
    assert (evidence.top1[0], evidence.top2[0], evidence.total_absolute[0]) == (3.0, 2.0, 6.0)
