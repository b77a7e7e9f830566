"""Sampling units of panels and scans: their keys, their strata, and codes common to several panels."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from panel_cases import wage_panel, wages
from reference_codes import hash_bytes

from leoreturns.errors import PanelError, SupportError
from leoreturns.panel import Panel
from leoreturns.panel.units import is_person, unit_codes


def keys_of(labels: Any) -> list[int]:
    """Keys of labels, ascending, from their canonical bytes."""
    return sorted(hash_bytes(str(label).encode()) for label in set(labels))


def panel_of(**columns: Any) -> Panel:
    """A panel of one row per person and the columns given."""
    n = len(next(iter(columns.values())))
    return Panel.from_frame(pd.DataFrame({"pid": np.arange(n), "year": 2020, **columns}), person="pid", time="year")


# ---- keys -----------------------------------------------------------------------------------------------------------


def test_persons_are_those_with_a_selected_row() -> None:
    frame, panel = wages(), wage_panel()
    keys, strata = panel.units("person")
    assert (keys.dtype, strata.dtype) == (np.uint64, np.int32)
    assert keys.tolist() == keys_of(frame["person"])
    assert not strata.any()
    kept = frame.query("tax_year > 2014 and hours < 30")
    assert panel.where("tax_year > 2014 and hours < 30").units("person")[0].tolist() == keys_of(kept["person"])


def test_the_panels_own_name_of_the_person_will_do() -> None:
    panel = panel_of(school=[1, 2, 2])
    assert np.array_equal(panel.units("pid")[0], panel.units("person")[0])
    assert [is_person(panel.schema, unit) for unit in ("person", "pid", "school")] == [True, True, False]


@pytest.mark.parametrize(
    "labels",
    [
        [101, 7, 101, -3],
        [101.0, 7.0, 101.0, -3.0],
        ["101", "7", "101", "-3"],
        pd.Categorical([101, 7, 101, -3]),
        pd.Categorical([101.0, 7.0, 101.0, -3.0]),
        pd.array([101, 7, 101, -3], dtype="Int16"),
    ],
    ids=["int", "float", "text", "category of int", "category of float", "nullable"],
)
def test_a_number_is_one_unit_however_it_is_held(labels: Any) -> None:
    assert panel_of(school=labels).units("school")[0].tolist() == keys_of([101, 7, -3])


def test_missing_units_are_left_out() -> None:
    for labels in (["a", None, "b", "a"], [1.0, np.nan, 2.0, 1.0]):
        assert len(panel_of(school=labels).units("school")[0]) == 2
    assert panel_of(school=[5.0, -0.0, 0.0]).units("school")[0].tolist() == keys_of([0, 5])


def test_labels_of_other_kinds_are_hashed_as_text() -> None:
    assert panel_of(flag=[True, False]).units("flag")[0].tolist() == keys_of(["True", "False"])
    days = [dt.date(2020, 1, 31), dt.date(2019, 1, 1)]
    assert panel_of(born=pd.to_datetime(days)).units("born")[0].tolist() == keys_of(["2020-01-31", "2019-01-01"])
    assert panel_of(school=["\u00e9cole", "b"]).units("school")[0].tolist() == keys_of(["\u00e9cole", "b"])


def test_units_by_year_are_those_of_selected_rows() -> None:
    frame, panel = wages(), wage_panel()
    kept = frame.query("hours < 10")
    assert panel.where("hours < 10").units("tax_year")[0].tolist() == keys_of(kept["tax_year"])
    assert panel.where("hours < 10").units("school")[0].tolist() == keys_of(kept["school"])
    empty = panel.where("hours > 1000")
    for unit in ("person", "school", "tax_year"):
        assert [part.tolist() for part in empty.units(unit)] == [[], []]


@pytest.mark.parametrize("values", [[1.5, 2.0, 3.0], [2.0**53 + 2, 1.0, 2.0]])
def test_numbers_that_are_not_exact_are_no_units(values: list[float]) -> None:
    with pytest.raises(PanelError, match="of which 1 value"):
        panel_of(school=values).units("school")


def test_unknown_columns_are_refused() -> None:
    with pytest.raises(PanelError, match="unknown column 'college'"):
        wage_panel().units("college")
    with pytest.raises(PanelError, match="unknown column 'college'"):
        wage_panel().units("person", "college")


# ---- strata ---------------------------------------------------------------------------------------------------------


def test_strata_are_numbered_by_their_labels() -> None:
    frame = wages().drop_duplicates("person")
    keys, strata = wage_panel().units("person", ["sex", "school"])
    crossings = sorted(set(zip(frame["sex"], frame["school"], strict=True)))
    expected = {
        hash_bytes(str(row.person).encode()): crossings.index((row.sex, row.school)) for row in frame.itertuples()
    }
    assert dict(zip(keys.tolist(), strata.tolist(), strict=True)) == expected
    # The order of the columns is the order of the numbers.
    assert not np.array_equal(strata, wage_panel().units("person", ["school", "sex"])[1])


def test_only_strata_that_occur_are_numbered() -> None:
    panel = panel_of(school=list("abcd"), area=["w", "x", "y", "z"], size=[3.0, 1.0, 2.0, 2.5])
    assert sorted(panel.units("school", "area")[1].tolist()) == [0, 1, 2, 3]
    kept = panel.where("area in ('x', 'z')")
    keys, strata = kept.units("school", "area")
    numbered = dict(zip(keys.tolist(), strata.tolist(), strict=True))
    assert [numbered[hash_bytes(school)] for school in (b"b", b"d")] == [0, 1]
    keys, strata = panel.units("school", "size")
    numbered = dict(zip(keys.tolist(), strata.tolist(), strict=True))
    assert [numbered[hash_bytes(school)] for school in (b"a", b"b", b"c", b"d")] == [3, 0, 1, 2]


def test_strata_of_declared_order_are_numbered_by_label_all_the_same() -> None:
    area = pd.Categorical(["z", "a"], categories=["z", "a"], ordered=True)
    keys, strata = panel_of(school=[1, 2], area=area).units("school", "area")
    assert dict(zip(keys.tolist(), strata.tolist(), strict=True)) == {hash_bytes(b"1"): 1, hash_bytes(b"2"): 0}


def test_a_unit_in_several_strata_or_none_is_counted() -> None:
    panel = panel_of(school=[1, 1, 2, 3, 3, 4], area=["a", "b", "a", "b", "a", None])
    with pytest.raises(PanelError, match="strata 'area' vary within 2 units of 'school'"):
        panel.units("school", "area")
    with pytest.raises(PanelError, match="strata 'area' are missing for 1 unit of 'school'"):
        panel.where("school in (2, 4)").units("school", "area")


def test_a_stratum_known_by_one_row_of_the_unit_will_do() -> None:
    panel = panel_of(school=[1, 1, 2], area=["b", None, "a"])
    keys, strata = panel.units("school", "area")
    assert dict(zip(keys.tolist(), strata.tolist(), strict=True)) == {hash_bytes(b"1"): 1, hash_bytes(b"2"): 0}


def test_strata_that_vary_by_year_are_seen_on_selected_rows() -> None:
    frame = pd.DataFrame({"pid": [1, 1, 2, 2], "year": [1, 2, 1, 2], "area": ["a", "b", "b", "a"]})
    panel = Panel.from_frame(frame, person="pid", time="year")
    with pytest.raises(PanelError, match="vary within 2 units of 'person'"):
        panel.units("person", "area")
    keys, strata = panel.where("year == 2").units("person", "area")
    assert dict(zip(keys.tolist(), strata.tolist(), strict=True)) == {hash_bytes(b"1"): 1, hash_bytes(b"2"): 0}


def test_units_do_not_depend_on_the_order_of_the_rows() -> None:
    shuffled = wage_panel(wages().sample(frac=1, random_state=3))
    for unit, strata in (("person", ["sex", "school"]), ("school", ()), ("tax_year", ()), ("hours", ())):
        for first, second in zip(wage_panel().units(unit, strata), shuffled.units(unit, strata), strict=True):
            assert first.tobytes() == second.tobytes()


# ---- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partitions", [1, 7, 64])
def test_a_scan_has_the_units_of_the_whole(tmp_path: Path, partitions: int) -> None:
    # Numbers as strata, whose labels differ between parts.
    frame = wages().assign(area=lambda data: data["school"].str[-1].astype(int) * 100.0)
    panel = wage_panel(frame)
    panel.save(tmp_path / "panel", partitions=partitions)
    scan = Panel.scan(tmp_path / "panel")
    for unit, strata in (
        ("person", ["sex", "area"]),
        ("school", "area"),
        ("area", ()),
        ("tax_year", ()),
        ("hours", ()),
    ):
        for whole, parts in (
            (panel.units(unit, strata), scan.units(unit, strata)),
            (panel.where("employed").units(unit, strata), scan.where("employed").units(unit, strata)),
        ):
            assert [array.tobytes() for array in whole] == [array.tobytes() for array in parts]


@pytest.mark.parametrize("unit", ["school", "band", "hours", "earnings_band", "employed"])
def test_codes_are_common_to_all_panels(tmp_path: Path, unit: str) -> None:
    frame = wages().assign(earnings_band=lambda data: np.floor(data["earnings"] / 5000))
    panel = wage_panel(frame)
    panel.save(tmp_path / "panel", partitions=7)
    panels = list(Panel.scan(tmp_path / "panel"))
    codes, keys, level = unit_codes(panels, unit)
    assert level == panel.column(unit).level
    assert len(keys) == len(np.unique(keys))
    assert {array.dtype for array in codes} == {np.dtype(np.int32)}
    lengths = [part.n_person_stored if level == "person" else part.n_row_stored for part in panels]
    assert [len(array) for array in codes] == lengths
    (whole,), same_keys, _ = unit_codes([panel], unit)
    assert np.array_equal(np.concatenate(codes), whole)
    assert np.array_equal(keys, same_keys)
    key = panel.key(unit)
    labels = np.array([hash_bytes(str(label).encode()) for label in key.labels], dtype=np.uint64)
    expected = np.where(key.codes >= 0, labels[key.codes], 0)
    assert np.array_equal(np.where(whole >= 0, keys[whole], 0), expected)


def test_a_scan_counts_units_in_several_strata_over_its_parts(tmp_path: Path) -> None:
    panel = wage_panel()
    panel.save(tmp_path / "panel", partitions=20)
    messages = []
    for data in (panel, Panel.scan(tmp_path / "panel")):
        with pytest.raises(PanelError) as caught:
            data.units("school", "sex")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_too_many_strata_are_refused() -> None:
    n = 70_000
    columns = {f"c{number}": np.arange(n) for number in range(4)}
    with pytest.raises(SupportError, match="beyond 64 bits"):
        panel_of(**columns).units("person", list(columns))
