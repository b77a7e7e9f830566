"""Building a panel: identity under row order and kind of input, exact ids, and every refusal of bad input."""

import copy
import datetime as dt
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import reference_codes as twin
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_cases import assert_same, wage_panel, wages

from leoreturns import _parallel
from leoreturns.errors import PanelError, SupportError
from leoreturns.panel import Panel, ids, keys, rows


def small(**columns):
    n = len(next(iter(columns.values()))) if columns else 3
    return pd.DataFrame({"id": range(n), "year": [2010] * n} | columns)


def build(frame, **options):
    return Panel.from_frame(frame, person="id", time="year", **options)


def cells(panel, name):
    """The cells of a key as (id, label as text) pairs, whatever the kind of the column."""
    key = panel.key(name)
    codes = key.codes if key.level == "person" else key.codes[panel.offsets[:-1]]
    assert key.codes.min(initial=0) >= -1
    assert key.codes.max(initial=-1) < max(len(key.labels), 1)
    return dict(zip(panel.ids.to_arrow().to_pylist(), codes.tolist(), strict=True))


# ---- what is stored -------------------------------------------------------------------------------------------------


def test_the_panel_holds_the_rows_of_its_input():
    frame = wages()
    panel = wage_panel(frame)
    assert panel.n_person == frame["person"].nunique()
    assert panel.n_row == len(frame)
    stored = panel.to_frame().sort_values(["person", "tax_year"], ignore_index=True)
    given_frame = frame.sort_values(["person", "tax_year"], ignore_index=True)
    for name in ("person", "tax_year", "earnings", "hours", "employed"):
        np.testing.assert_array_equal(stored[name], given_frame[name])
    for name in ("sex", "region", "band", "school"):
        assert stored[name].astype(object).where(stored[name].notna(), None).tolist() == [
            None if pd.isna(value) else value for value in given_frame[name].astype(object)
        ]
    assert (pd.to_datetime(stored["born"]) == given_frame["born"]).all()


def test_levels_kinds_and_types():
    panel = wage_panel()
    columns = panel.schema.columns
    assert [name for name, column in columns.items() if column.level == "person"] == ["sex", "born", "school"]
    assert [name for name, column in columns.items() if column.kind == "number"] == ["tax_year", "earnings", "hours"]
    assert panel.array("tax_year").dtype == np.int16
    assert panel.array("hours").dtype == np.int8
    assert panel.array("earnings").dtype == np.float64
    assert panel.array("sex").dtype == np.int8
    assert len(panel.array("sex")) == panel.n_person
    assert columns["sex"].labels == ("F", "M")
    assert columns["band"].labels == ("low", "mid", "high")  # declared order, without the unused level
    assert columns["employed"].labels == (False, True)
    assert all(type(label) is dt.date for label in columns["born"].labels)
    assert columns["earnings"].unit == "GBP/year"
    assert columns["earnings"].owner == "HMRC"
    assert columns["earnings"].missing == int(np.isnan(wages()["earnings"]).sum())
    assert columns["school"].entity


def test_persons_are_in_key_order_and_years_in_time_order():
    panel = wage_panel()
    assert (np.diff(panel.keys.astype(object)) > 0).all()
    np.testing.assert_array_equal(panel.keys, twin.hash_integers(panel.ids.data))
    starts = np.zeros(panel.n_row, dtype=bool)
    starts[panel.offsets[:-1]] = True
    assert (np.diff(panel.array("tax_year"))[~starts[1:]] > 0).all()


def test_equal_hashes_are_ordered_by_the_bytes_of_the_id():
    """9 sorts before 10 as a number but after it as text: the bytes decide, for both kinds."""
    same = np.zeros(3, dtype=np.uint64)
    numbers = ids.PersonIds(np.array([9, 10, 2], dtype=np.int64))
    texts = ids.PersonIds.from_arrow(pa.array(["9", "10", "2"]))
    assert ids.sorted_persons(numbers, same).tolist() == [1, 2, 0]
    assert ids.sorted_persons(texts, same).tolist() == [1, 2, 0]
    later = np.array([7, 3, 3], dtype=np.uint64)
    assert ids.sorted_persons(numbers, later).tolist() == [1, 2, 0]


def test_arrays_are_read_only_also_after_a_copy():
    panel = wage_panel()
    for other in (panel, copy.deepcopy(panel), pickle.loads(pickle.dumps(panel.where("sex == 'F'")))):
        with pytest.raises(ValueError, match="read-only"):
            other.array("earnings")[0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            other.keys[0] = 1
    assert_same(panel, pickle.loads(pickle.dumps(panel)))


def test_the_input_is_not_changed_and_may_be_read_only():
    frame = wages()
    before = frame.copy(deep=True)
    columns = {name: frame[name].to_numpy() for name in ("person", "tax_year", "earnings", "hours")}
    for array in columns.values():
        array.flags.writeable = False
    panel = Panel.from_frame(columns, person="person", time="tax_year")
    assert panel.n_row == len(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_repr_shows_counts_only():
    panel = wage_panel(lists={"s": pd.DataFrame({"person": [5], "code": ["maths"]})})
    assert repr(panel.ids) == f"<PersonIds: {panel.n_person} persons>"
    assert repr(panel.lists["s"]) == f"<PersonList: 1 entries of {panel.n_person} persons>"
    assert "North" not in repr(panel.schema)
    assert "maths" not in repr(panel.schema)
    assert (
        repr(panel)
        == f"<Panel: {panel.n_person} persons, {panel.n_row} rows, 3 person columns, 6 year columns, 1 lists>"
    )
    assert repr(panel.key("sex")) == "<Key: 2 levels by person>"


def test_info_describes_columns_without_values():
    info = wage_panel().info()
    assert info.loc["band"].tolist()[:3] == ["year", "code", 3]
    assert info.loc["earnings", "owner"] == "HMRC"
    assert pd.isna(info.loc["earnings", "levels"])
    text = info.to_string()
    assert "North" not in text
    assert "2010" not in text


# ---- the same panel, whatever the input -----------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_row_order_does_not_matter(seed):
    frame = wages()
    shuffled = frame.iloc[np.random.default_rng(seed).permutation(len(frame))]
    assert_same(wage_panel(frame), wage_panel(shuffled))


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_threads_do_not_matter(n_jobs):
    assert_same(wage_panel(), wage_panel(n_jobs=n_jobs))


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_n_jobs_is_the_number_of_threads(n_jobs, monkeypatch, tmp_path):
    started = []
    in_threads = _parallel._in_threads

    def watched(function, work, count, progress):
        started.append(count)
        return in_threads(function, work, count, progress)

    monkeypatch.setattr(rows, "SLICE", 7)
    monkeypatch.setattr(_parallel, "_in_threads", watched)
    frame = wages()
    lists = {"aims": pd.DataFrame({"person": frame["person"].unique(), "code": "a"})}
    expected = wage_panel(frame, lists=lists, n_jobs=n_jobs)
    in_frame = set(started)
    started.clear()
    frame.to_parquet(tmp_path / "in.parquet")
    options = {"units": {"earnings": "GBP/year"}, "owners": {"earnings": "HMRC"}, "entities": ["school"]}
    path = tmp_path / "in.parquet"
    read = Panel.from_parquet(path, person="person", time="tax_year", lists=lists, n_jobs=n_jobs, **options)
    assert in_frame == set(started) == ({n_jobs} - {1})
    assert_same(expected, read)
    with pytest.raises(ValueError, match="n_jobs must be a positive number"):
        wage_panel(n_jobs=0)


def test_pandas_polars_arrow_and_mappings_give_the_same_panel():
    frame = wages()
    polars = pl.from_pandas(frame.assign(band=frame["band"].astype(str))).with_columns(
        pl.col("born").cast(pl.Date), pl.col("band").cast(pl.Enum(["low", "mid", "high", "top"]))
    )
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    batches = pa.Table.from_batches(arrow.to_batches(max_chunksize=17))
    mapping = {name: frame[name] for name in frame}
    indexed = frame.set_index(["person", "tax_year"])
    nullable = frame.astype(
        {"person": "Int64", "hours": "Int32", "employed": "boolean", "sex": "string", "earnings": "Float64"}
    )
    expected = wage_panel(frame)
    for other in (polars, arrow, batches, batches.to_reader(), mapping, indexed, nullable):
        assert_same(expected, wage_panel(other))


def test_whole_floats_and_texts_of_numbers_name_the_same_persons():
    frame = wages()
    by_number = wage_panel(frame)
    by_float = wage_panel(frame.assign(person=frame["person"].astype(float)))
    by_text = wage_panel(frame.assign(person=frame["person"].astype(str)))
    by_category = wage_panel(frame.assign(person=frame["person"].astype(str).astype("category")))
    assert_same(by_number, by_float)
    assert_same(by_text, by_category)
    np.testing.assert_array_equal(by_number.keys, by_text.keys)
    assert by_number.array("earnings").tobytes() == by_text.array("earnings").tobytes()
    assert by_text.ids.to_arrow().to_pylist() == [str(value) for value in by_number.ids.data]


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint16", "uint64", "Int64", "float32", "category", "object"])
def test_ids_of_every_numeric_type(dtype):
    frame = small(x=[1.5, 2.5, 3.5])
    assert_same(build(frame), build(frame.assign(id=frame["id"].astype(dtype))))


def test_byte_order_and_strides_do_not_matter():
    frame = wages()
    reversed_bytes = {name: frame[name].to_numpy() for name in ("person", "tax_year", "hours", "earnings", "born")}
    expected = Panel.from_frame(reversed_bytes, person="person", time="tax_year")
    for name, values in reversed_bytes.items():
        reversed_bytes[name] = values.astype(values.dtype.newbyteorder(">"))
    assert_same(expected, Panel.from_frame(reversed_bytes, person="person", time="tax_year"))
    table = frame[["person", "tax_year", "hours"]].to_numpy().astype(np.int32)
    strided = pd.DataFrame(np.ascontiguousarray(table), columns=["person", "tax_year", "hours"], copy=False)
    plain = frame[["person", "tax_year", "hours"]]
    assert_same(*(Panel.from_frame(given, person="person", time="tax_year") for given in (plain, strided)))


@pytest.mark.parametrize("kind", ["large_string", "string_view", "dictionary"])
def test_ids_of_every_arrow_text_type(kind):
    texts = pa.array(["a", "b", "ü"])
    typed = texts.dictionary_encode() if kind == "dictionary" else texts.cast(getattr(pa, kind)())
    frame = {"id": typed, "year": [1, 1, 1]}
    assert_same(build(small(id=["a", "b", "ü"], year=[1, 1, 1])), build(frame))


def test_negative_and_extreme_ids_stay_exact():
    extreme = [-(2**63), 2**63 - 1, -1, 2**53 + 1, 2**53]
    panel = build(pd.DataFrame({"id": extreme, "year": 1}))
    assert sorted(panel.ids.data.tolist()) == sorted(extreme)


# ---- A4: the same cells whatever the type of a key -----------------------------------------------------------------


def test_keys_of_every_type_give_the_cells_of_their_texts():
    values = [1, 0, 2, None, 1, 2, 0, None]
    days = [None if value is None else dt.datetime(2015, 4, 1 + value) for value in values]
    variants = {
        "text": [None if value is None else str(value) for value in values],
        "float": np.array([np.nan if value is None else float(value) for value in values]),
        "nullable": pd.array(values, dtype="Int64"),
        "object": np.array(values, dtype=object),
        "datetime": pd.Series(days, dtype="datetime64[ns]"),
        "zoned": pd.Series(days, dtype="datetime64[ns]").dt.tz_localize("Europe/London"),
        "category": pd.Categorical([None if v is None else str(v) for v in values], ["9", "0", "1", "2", "a"]),
        "category of numbers": pd.Categorical(values, [5, 2, 1, 0]),
        "decimal": [None if value is None else Decimal(value) for value in values],
        'quo\'ted, "text"\n': [None if value is None else f'it\'s "{value}",\n' for value in values],
        "a-b": [None if value is None else f"{value}" for value in values],
    }
    panel = build(small(**variants))
    expected = cells(panel, "text")
    assert set(expected.values()) == {-1, 0, 1, 2}
    for name in variants:
        assert cells(panel, name) == expected, name
    assert panel.key("float").labels == panel.key("nullable").labels == panel.key("object").labels == (0, 1, 2)


def test_true_and_false_give_the_cells_of_their_texts():
    values = [True, False, True, None]
    variants = {
        "text": [None if value is None else str(value) for value in values],
        "boolean": pd.array(values, dtype="boolean"),
        "object": np.array(values, dtype=object),
    }
    panel = build(small(**variants))
    assert cells(panel, "boolean") == cells(panel, "object") == cells(panel, "text")
    assert panel.key("boolean").labels == (False, True)


def test_whole_numbers_with_gaps_become_dense_codes():
    panel = build(small(x=[-5, 1000, -5, 7]))
    key = panel.key("x")
    assert key.labels == (-5, 7, 1000)
    assert key.codes.dtype == np.int8
    assert cells(panel, "x") == {0: 0, 1: 2, 2: 0, 3: 1}


def test_numbers_of_a_wide_range_are_keyed_too():
    panel = build(small(x=[2**60, -(2**60), 0, 2**60], y=[0.5, -0.0, 0.0, 1.0]))
    assert panel.key("x").labels == (-(2**60), 0, 2**60)
    assert panel.key("y").labels == (0, 0.5, 1)


def test_the_period_and_the_id_are_keys():
    panel = wage_panel()
    years = panel.key("tax_year")
    assert years.labels == tuple(sorted(set(wages()["tax_year"])))
    np.testing.assert_array_equal(np.array(years.labels)[years.codes], panel.array("tax_year"))
    persons = panel.key("person")
    assert persons.labels == tuple(sorted(set(wages()["person"])))
    np.testing.assert_array_equal(np.array(persons.labels)[persons.codes], panel.ids.data)


def test_a_key_with_too_many_levels_is_refused(monkeypatch):
    monkeypatch.setattr(keys, "MAX_KEY_LEVELS", 2)
    panel = build(small(whole=[1, 2, 3], broken=[0.1, 0.2, 0.3], text=["a", "b", "c"], wide=[2**40, 0, 1]))
    for name, count in (("whole", "3"), ("text", "3"), ("broken", "more than 2"), ("wide", "more than 2"), ("id", "3")):
        with pytest.raises(SupportError, match=f"key '{name}' has {count} levels; the limit is 2. Band it"):
            panel.key(name)


def test_a_key_with_a_million_levels_is_refused():
    n = 1_000_000
    panel = Panel.from_frame(
        {"id": np.zeros(n, dtype=np.int8), "year": np.arange(n), "pay": np.arange(n) + 0.5, "k": np.arange(n)[::-1]},
        person="id",
        time="year",
    )
    for name in ("pay", "k", "year"):
        with pytest.raises(SupportError, match=rf"key '{name}' has (1,000,000|more than 500,000) levels"):
            panel.key(name)


# ---- traits ---------------------------------------------------------------------------------------------------------

VARYING = pd.DataFrame(
    {
        "id": [1, 1, 2, 2, 3, 3],
        "year": [1, 2, 1, 2, 1, 2],
        "fixed": list("aabbcc"),
        "gap": ["a", None, "b", "b", None, None],
        "moving": ["a", "b", "a", None, "c", "c"],
    }
)


def test_traits_are_found_or_checked():
    assert list(build(VARYING).people) == ["fixed"]
    assert list(build(VARYING, traits=[]).people) == []
    assert list(build(VARYING, traits=["fixed"]).people) == ["fixed"]
    assert list(build(VARYING, time_varying=["fixed"]).people) == []
    with pytest.raises(
        PanelError, match=r"trait 'gap' varies within 1 person \(in 1 of them only between one value and"
    ):
        build(VARYING, traits=["fixed", "gap"])
    with pytest.raises(PanelError, match=r"trait 'moving' varies within 2 persons \(in 1 of them"):
        build(VARYING, traits=["moving"])
    assert list(build(VARYING, traits=["fixed"], time_varying=["moving"]).people) == ["fixed"]


def test_one_name_need_not_be_in_a_list():
    assert list(build(VARYING, traits="fixed").people) == ["fixed"]
    assert list(build(VARYING, time_varying="fixed").people) == []
    entities = build(VARYING.rename(columns={"gap": "ed"}), entities="fixed").schema.columns
    assert [name for name, column in entities.items() if column.entity] == ["fixed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"traits": ["fixed", "id"]}, "traits names 'id', which is the id"),
        ({"time_varying": "id"}, "time_varying names 'id', which is the id"),
        ({"entities": ["id"]}, "entities names 'id', which is the id"),
        ({"owners": {"id": "DfE"}}, "owners names 'id', which is the id"),
        ({"units": {"id": "GBP/year"}}, "units names 'id', which is the id"),
        ({"traits": ["year"]}, "traits names 'year', which is the period"),
        ({"traits": ["fixed", "gap"], "time_varying": ["gap"]}, "'gap' named in traits and in time_varying"),
        ({"units": {"pay": "pounds"}}, "unit 'pounds' of column 'pay' is not known; known are '<currency>/year' and"),
        ({"units": {"pay": "gbp/year"}}, "unit 'gbp/year' of column 'pay' is not known"),
        ({"units": {"pay": None}}, "unit None of column 'pay' is not known"),
        ({"traits": "fix"}, "unknown column 'fix'"),
    ],
)
def test_declarations_that_cannot_be(options, message):
    with pytest.raises(PanelError, match=message):
        build(VARYING.assign(pay=1.0), **options)


@pytest.mark.parametrize("unit", ["GBP/year", "USD/hour", "log"])
def test_units_are_kept(unit):
    assert build(VARYING.assign(pay=1.0), units={"pay": unit}).column("pay").unit == unit


def test_one_person_and_one_row():
    panel = build(pd.DataFrame({"id": ["x"], "year": [2010], "pay": [1.5]}))
    assert (panel.n_person, panel.n_row) == (1, 1)
    assert panel.array("pay").tolist() == [1.5]
    many = build(pd.DataFrame({"id": ["x"] * 100, "year": np.arange(100)[::-1], "pay": np.arange(100.0)}))
    assert many.array("pay").tolist() == list(range(99, -1, -1))


# ---- periods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_times", "stored"),
    [
        ([2012, 2010, 2011], [2010, 2011, 2012]),
        ([2012.0, 2010.0, 2011.0], [2010, 2011, 2012]),
        ([2010.75, 2010.25, 2010.5], [2010.25, 2010.5, 2010.75]),
        (["2011/12", "2009/10", "2010/11"], [0, 1, 2]),
        (pd.to_datetime(["2012-04-05", "2010-04-05", "2011-04-05"]), [0, 1, 2]),
        (pd.Categorical(["T2", "T0", "T1"], ["T0", "T1", "T2"], ordered=True), [0, 1, 2]),
    ],
)
def test_periods_of_every_kind_sort_in_time(given_times, stored):
    panel = build(pd.DataFrame({"id": [1, 1, 1], "year": given_times, "pay": [3.0, 1.0, 2.0]}))
    assert panel.array("year").tolist() == stored
    assert panel.array("pay").tolist() == [1.0, 2.0, 3.0]
    assert panel.column("year").level == "year"


# ---- refusals -------------------------------------------------------------------------------------------------------


def test_duplicated_person_and_period():
    frame = pd.DataFrame({"id": [1, 1, 1, 2, 2, 3], "year": [5, 5, 5, 6, 6, 7]})
    with pytest.raises(PanelError, match=r"\('id', 'year'\) is not unique: 3 rows repeat .* in 2 persons"):
        build(frame)


@pytest.mark.parametrize(
    "missing", [[1, None, 3], ["a", None, ""], pd.array([None, 2, None], "Int64"), [1.0, np.nan, 2]]
)
def test_missing_id(missing):
    count = sum(pd.isna(value) or value == "" for value in missing)
    with pytest.raises(PanelError, match=rf"column 'id' \(the id\) is missing in {count} rows?;"):
        build(small(id=missing))


@pytest.mark.parametrize(
    ("given_ids", "message"),
    [
        ([1.5, 2.0, 2.5], "2 values cannot be told apart exactly"),
        ([1.0, 2.0**53 - 1, 2.0**53], "1 value cannot be told apart exactly"),
        (np.array([1, 2**24 - 1, 2**24 + 1], np.float32), "1 value cannot be told apart exactly"),
        ([1, "1", 2], "mixes 2 numbers with 1 non-numeric entries"),
        ([True, False, True], "ids must be whole numbers or text"),
        (pd.to_datetime(["2010-01-01"] * 3), "ids must be whole numbers or text"),
        (np.array([1, 2, 2**64 - 1], dtype=np.uint64), "beyond 64 bits signed"),
        (np.array([1, 2, 2**70], dtype=object), "beyond 64 bits signed"),
        ([1.0, np.inf, 2.0], "1 infinite value"),
    ],
)
def test_ids_that_cannot_tell_persons_apart(given_ids, message):
    with pytest.raises(PanelError, match=message):
        build(small(id=given_ids))


def test_missing_period():
    with pytest.raises(PanelError, match=r"column 'year' \(the period\) is missing in 2 rows"):
        build(small(year=[2010, np.nan, np.nan]))
    with pytest.raises(PanelError, match=r"column 'year' \(the period\) is missing in 1 row"):
        build(small(year=["a", None, "b"]))


def test_text_where_a_number_is_declared():
    with pytest.raises(PanelError, match="column 'pay' mixes 2 numbers with 1 non-numeric entries"):
        build(small(pay=[100.0, "unknown", 3]))
    with pytest.raises(PanelError, match="column 'pay' must hold numbers, but 2 of 3 entries are not"):
        build(small(pay=["100", "200", None]), units={"pay": "GBP/year"})
    assert build(small(pay=["100", "200", None])).column("pay").kind == "code"


def test_infinite_values():
    with pytest.raises(PanelError, match="column 'pay' has 2 infinite values"):
        build(small(pay=[1.0, np.inf, -np.inf]))


def test_unknown_and_repeated_columns():
    with pytest.raises(PanelError, match="unknown column 'pay'; known: 'id', 'year', 'x'"):
        build(small(x=[1, 2]), units={"pay": "GBP/year"})
    with pytest.raises(PanelError, match="unknown column 'who'"):
        Panel.from_frame(small(x=[1, 2]), person="who", time="year")
    with pytest.raises(PanelError, match="more than one column named 'year'"):
        build(pd.concat([small(x=[1, 2]), small(x=[1, 2])[["year"]]], axis=1))
    with pytest.raises(PanelError, match="person and time are both 'id'"):
        Panel.from_frame(small(x=[1, 2]), person="id", time="id")
    with pytest.raises(PanelError, match="unknown column 'z'; known"):
        build(small(x=[1, 2])).column("z")


def test_empty_frame():
    for frame in (small(x=[1]).iloc[:0], pl.DataFrame({"id": [], "year": []}), {"id": [], "year": []}):
        with pytest.raises(PanelError, match="the data have no rows"):
            build(frame)


def test_columns_of_different_length():
    with pytest.raises(PanelError, match="column 'x' has 2 values for 3 rows"):
        build({"id": [1, 2, 3], "year": [1, 1, 1], "x": [1, 2]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1j, 2j], "complex128"),
        (np.array([[1, 2], [3, 4]]).tolist(), "kind mixed"),
        (pa.array([[1], [2]]), "Arrow type list<"),
        (pa.array([b"x", b"y"]), "Arrow type binary"),
        (np.array([1, 2**64 - 1], dtype=np.uint64), "beyond 64 bits signed"),
        (pa.array([2**60, None]), r"beyond 2\*\*53 beside missing"),
        (np.array([2**60, None], dtype=object), r"beyond 2\*\*53 beside missing"),
        (pd.period_range("2010", periods=2, freq="Y"), "cannot hold"),
        (np.array(["2010-01-01T00:00:00.000000001"] * 2, dtype="datetime64[ns]"), "finer than a microsecond"),
        (np.array([dt.timedelta(1)] * 2), "kind timedelta"),
        (np.array(["a", "\ud800"], dtype=object), "1 text not valid as UTF-8"),
    ],
)
def test_types_that_a_panel_cannot_hold(values, message):
    with pytest.raises(PanelError, match=message):
        build({"id": [1, 2], "year": [1, 1], "x": values})


def damaged_texts(kind):
    """Three texts, two of them not UTF-8, as every kind of column that can hold such a thing."""
    raw = pa.array([b"\xfftell", b"a", b"tell\xfe"])
    if kind in ("string", "large_string", "string_view"):
        return raw.cast(getattr(pa, kind.replace("string", "binary"))()).view(getattr(pa, kind)())
    if kind == "dictionary":
        return pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), raw.view(pa.string()))
    if kind == "chunks":
        texts = raw.view(pa.string())
        return pa.chunked_array([texts[:1].dictionary_encode(), texts[1:].dictionary_encode()])
    python = ["tell\ud800", "a", "\udcfftell"]
    if kind == "category":
        return pd.Categorical.from_codes([0, 1, 2], pd.Index(python, dtype=object))
    return np.array(python, dtype=object if kind == "object" else None)


@pytest.mark.parametrize("role", ["id", "x"])
@pytest.mark.parametrize(
    "kind", ["string", "large_string", "string_view", "dictionary", "chunks", "category", "object", "array"]
)
def test_text_that_is_not_utf8_is_counted_not_quoted(kind, role):
    with pytest.raises(PanelError) as refusal:
        build({"id": [1, 2, 3], "year": [1, 1, 1], "x": [1, 2, 3]} | {role: damaged_texts(kind)})
    assert str(refusal.value) == f"column '{role}' holds 2 texts not valid as UTF-8; correct the encoding"
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


def test_frames_that_are_none():
    with pytest.raises(PanelError, match="cannot read the type str"):
        build("table")


def test_messages_hold_no_value():
    """A value that is easy to recognise appears in no refusal."""
    tell = "tell-tale"
    frames = [
        small(id=[tell, tell, None]),
        small(id=[tell, 5, tell]),
        small(x=[tell, 5, 1.5]),
        pd.DataFrame({"id": [tell, tell], "year": [1, 1]}),
        {"id": [1, 2], "year": [1, 1], "x": pa.array([[tell], [tell]])},
        {"id": [1, 2], "year": [1, 1], "x": np.array([(tell,), {tell}], dtype=object)},
    ]
    for frame in frames:
        with pytest.raises(PanelError) as refusal:
            build(frame)
        assert tell not in str(refusal.value)


# ---- lists ----------------------------------------------------------------------------------------------------------

SUBJECTS = pd.DataFrame(
    {
        "person": [2, 0, 0, 2, 2],
        "code": ["maths", "art", "maths", None, "art"],
        "start": pd.to_datetime(["2010-09-01", "1969-12-31", None, "2010-09-01", "2011-09-01"]),
        "end": [dt.date(2011, 7, 1), None, None, dt.date(2012, 7, 1), dt.date(2012, 7, 1)],
        "weight": [1.0, 0.5, 2.0, 1.0, 0.0],
    }
)


def test_lists_are_held_by_person():
    panel = build(small(x=[1, 2, 3]), lists={"subjects": SUBJECTS, "aims": SUBJECTS[["person", "code"]]})
    assert panel.schema.lists["subjects"].labels == ("art", "maths")
    entries = panel.lists["subjects"]
    by_id = {}
    for place, person in enumerate(panel.ids.data.tolist()):
        run = slice(int(entries.offsets[place]), int(entries.offsets[place + 1]))
        by_id[person] = list(
            zip(*(getattr(entries, f)[run].tolist() for f in ("codes", "start", "end", "weight")), strict=True)
        )
    none = -(2**31)
    september = (dt.date(2010, 9, 1) - dt.date(1970, 1, 1)).days
    july = (dt.date(2012, 7, 1) - dt.date(1970, 1, 1)).days
    assert by_id[1] == []
    assert by_id[0] == [(0, -1, none, 0.5), (1, none, none, 2.0)]
    assert by_id[2] == [(-1, september, july, 1.0), (0, september + 365, july, 0.0), (1, september, july - 366, 1.0)]
    assert panel.lists["aims"].weight.tolist() == [1.0] * 5
    assert entries.start.dtype == entries.end.dtype == entries.codes.dtype == np.int32


def test_list_rows_in_any_order_and_kind():
    expected = build(small(x=[1, 2, 3]), lists={"s": SUBJECTS})
    assert_same(expected, build(small(x=[1, 2, 3]), lists={"s": SUBJECTS.iloc[::-1].rename(columns={"person": "id"})}))
    assert_same(expected, build(small(x=[1, 2, 3]), lists={"s": pl.from_pandas(SUBJECTS)}))
    assert len(build(small(x=[1]), lists={"s": SUBJECTS.iloc[:0]}).lists["s"].codes) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"person": [7, 8, 8, 0, 0]}, "list 's' names 2 persons who are not in the panel"),
        ({"person": [0, None, 1, 1, 1]}, "'person' .the id. is missing in 1 row"),
        ({"weight": [1, -1, np.nan, np.nan, 1]}, "'s.weight' has 2 missing and 1 negative weights"),
        ({"weight": list("abcde")}, "5 of 5 entries are not numeric"),
        ({"start": ["soon"] * 5}, "'s.start' must hold dates"),
        ({"end": pd.to_datetime(["2010-01-01 12:00"] * 5)}, "'s.end' must hold dates without a time"),
        ({"colour": [1] * 5}, "unknown column of list 's': 'colour'"),
    ],
)
def test_lists_that_do_not_fit(change, message):
    with pytest.raises(PanelError, match=message):
        build(small(x=[1, 2, 3]), lists={"s": SUBJECTS.assign(**change)})


def test_a_dictionary_of_ids_may_repeat_a_text_or_hold_a_null():
    def table(*dictionary):
        given_ids = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 2]), pa.array(dictionary))
        return pa.table({"id": given_ids, "year": [1, 2, 1, 2], "pay": [1.0, 2.0, 3.0, 4.0]})

    assert Panel.from_frame(table("a", "a", "b"), person="id", time="year").n_person == 2
    with pytest.raises(PanelError, match=r"\(the id\) is missing in 1 row;"):
        Panel.from_frame(table("a", None, "b"), person="id", time="year")
