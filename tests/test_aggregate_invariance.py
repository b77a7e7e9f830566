"""The same data give the same bytes, parts add up, and doubled, merged or renamed persons do what they must."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from aggregate_cases import arrays_of, assert_same_bytes, cell_index, earnings, panel_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference_aggregates import percentile, statistic

import leoreturns as lr
from leoreturns.aggregates import compute, describe, entities, replicate, rows, tally
from leoreturns.aggregates.cells import lay_out
from leoreturns.resample import intervals

BY = ["tax_year", "sex", "region"]
STATISTICS = ["n_obs", "n_value", "n_person", "sum", "mean", "sd", "p10", "p50", "p90", "iqr", "gini", "top10"]
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {"values": "pay"},
    "one cell": {"values": "gross", "by": []},
    "counts": {"values": None, "statistics": ["n_obs", "n_person"]},
    "condition": {"values": "pay", "where": "hours > 12 and employed", "by": ["cohort", "tax_year"]},
    "grouped": {"values": "hours", "missing": "group", "quantile_rule": 2},
    "number keys": {"values": "gross", "by": ["hours", "cohort"]},
    "all crossings": {"values": "pay", "cells": "all", "by": ["cohort", "region"]},
    "frequency": {"values": "pay", "weights": lr.Weights("count", "frequency")},
    "probability": {"values": "gross", "weights": lr.Weights("chance", "probability"), "quantile_rule": 8},
}

# Under a bootstrap plan; the frame of a multinomial one is the panel itself.
RESAMPLED: dict[str, dict[str, Any]] = {
    "persons": {
        "values": "pay",
        "plan": {"interval": "basic"},
        "contrasts": lr.Contrast("sex", "M", "F"),
        "bands": "tax_year",
    },
    "real weights": {"values": "gross", "plan": {"scheme": "bayesian"}, "by": ["cohort"], "missing": "group"},
    "clusters": {"values": "gross", "plan": {"unit": "school"}, "weights": lr.Weights("chance", "probability")},
    "year clusters": {"values": "pay", "plan": {"unit": "employer"}, "where": "hours > 12", "cells": "all"},
    "bias": {"values": "gross", "plan": {"interval": "bca"}, "weights": lr.Weights("count", "frequency")},
    "means": {"values": "employed", "plan": {"interval": "studentised", "unit": "school"}, "statistics": ["share"]},
    "repeated": {
        "values": "gross",
        "plan": {"interval": "normal"},
        "by": [],
        "weights": lr.Weights("chance", "probability"),
    },
    "frame": {"values": "pay", "plan": {"scheme": "multinomial"}, "contrasts": lr.Contrast("region", "North", "South")},
    "strata": {"values": "gross", "plan": {"scheme": "multinomial", "strata": "cohort"}, "by": ["sex", "cohort"]},
    "exact": {"values": "pay", "plan": {"interval": "exact"}, "statistics": ["p10", "p50"], "quantile_rule": 2},
}
N_REPLICATES = 150  # three tiles of whole draws, ten of real ones


EVERY = REQUESTS | RESAMPLED


def describe_as(data: Any, request: dict[str, Any], **options: Any) -> lr.Aggregate:
    given = {"by": BY, "statistics": STATISTICS} | request | options
    if "plan" in given:
        frame = {"frame": data} if given["plan"].get("scheme") == "multinomial" else {}
        given["plan"] = lr.BootstrapPlan(N_REPLICATES, seed=8, **given["plan"], **frame)
    return lr.aggregate(data, given.pop("values"), **given)


@pytest.fixture
def many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the work so small that a table of some hundred rows takes dozens of chunks, waves and tasks."""
    monkeypatch.setattr(rows, "CHUNK_ROWS", 16)
    monkeypatch.setattr(rows, "WAVE_ROWS", 24)
    monkeypatch.setattr(rows, "SIDE_BY_SIDE", 1)
    monkeypatch.setattr(rows, "ROWS_PER_CELL", 0)
    monkeypatch.setattr(rows, "TASK_ROWS", 8)
    monkeypatch.setattr(describe, "SLICE_PERSONS", 8)
    monkeypatch.setattr(tally, "SLICE_PERSONS", 8)
    monkeypatch.setattr(replicate, "REPLICATE_BYTES", 3 * 40 * 8 * N_REPLICATES)
    monkeypatch.setattr(replicate, "DRAW_BYTES", 1000)
    monkeypatch.setattr(intervals, "SLICE_REPLICATES", 2 * N_REPLICATES)
    monkeypatch.setattr(replicate, "SLICE_UNITS", 5)


# ---- the same bytes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_any_number_of_threads_gives_the_same_bytes(name: str, many_tasks: None) -> None:
    panel = panel_of(earnings(seed=1), entities=["school", "employer"])
    one = describe_as(panel, EVERY[name], n_jobs=1)
    for n_jobs in (2, 3, 8):
        other = describe_as(panel, EVERY[name], n_jobs=n_jobs)
        assert_same_bytes(one, other)
        assert pickle.dumps(one) == pickle.dumps(other)


def test_the_number_of_threads_is_tested_on_many_chunks_and_tasks(many_tasks: None) -> None:
    panel = panel_of(earnings(seed=1))
    plan = rows.plan_rows([panel], lay_out([panel], ["cohort", "sex", "tax_year"], missing="drop", cells="all"))
    assert (len(plan.chunks) > 20, len(plan.waves())) == (True, 6)
    assert len(rows.row_tasks(np.arange(0, panel.n_row, 7))) > 20


@pytest.mark.parametrize("name", EVERY)
def test_how_the_work_is_cut_leaves_no_trace(name: str, many_tasks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = panel_of(earnings(seed=2), entities=["school", "employer"])
    cut = describe_as(panel, EVERY[name])
    monkeypatch.undo()
    assert_same_bytes(cut, describe_as(panel, EVERY[name]))


@pytest.mark.parametrize(
    "request_", [{}, {"by": []}, {"by": ["tax_year"], "where": "hours > 12"}, {"by": [*BY, "cohort"], "cells": "all"}]
)
@pytest.mark.parametrize("sketched", [True, False])
def test_rows_counted_as_they_stand_are_those_gathered(
    request_: dict[str, Any], sketched: bool, many_tasks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = panel_of(earnings(seed=6), entities=["school", "employer"])
    monkeypatch.setattr(compute, "MAX_SKETCHED_CELLS", 100_000 if sketched else 0)
    counts = {"values": None, "statistics": ["n_obs", "n_person"]} | request_
    counted = describe_as(panel, counts)
    monkeypatch.setattr(compute, "tally", lambda *_, **__: None)
    gathered = describe_as(panel, counts)
    assert_same_bytes(counted, gathered)
    assert counted.flow == gathered.flow


def test_persons_with_several_rows_in_a_cell_are_not_counted_twice() -> None:
    panel = panel_of(earnings(seed=6))
    table = describe_as(panel, {"values": None, "by": ["sex"], "statistics": ["n_obs", "n_person"]})
    people = earnings(seed=6).groupby("sex")["person"]
    assert table.statistics["n_person"].tolist() == people.nunique().loc[list(table.to_frame()["sex"])].tolist()
    assert table.statistics["n_obs"].sum() > table.statistics["n_person"].sum()


@pytest.mark.parametrize("name", EVERY)
def test_entities_marked_are_those_gathered(name: str, many_tasks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = panel_of(earnings(seed=7), entities=["school", "employer"])
    marked = describe_as(panel, EVERY[name])
    monkeypatch.setattr(entities, "MOST_MARKS", 0)
    assert_same_bytes(marked, describe_as(panel, EVERY[name]))


@pytest.mark.parametrize("name", EVERY)
def test_any_order_of_the_rows_gives_the_same_bytes(name: str) -> None:
    frame = earnings(seed=3)
    wanted = describe_as(panel_of(frame), EVERY[name])
    for seed in range(3):
        shuffled = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
        assert_same_bytes(wanted, describe_as(panel_of(shuffled), EVERY[name]))


@pytest.mark.parametrize("name", EVERY)
def test_any_partition_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    panel = panel_of(
        earnings(seed=4), entities=["school", "employer"], units={"pay": "GBP/year"}, owners={"pay": "HMRC"}
    )
    wanted = describe_as(panel, EVERY[name])
    for partitions in (1, 7, 64):
        panel.save(tmp_path / str(partitions), partitions=partitions)
        scan = lr.Panel.scan(tmp_path / str(partitions))
        assert (scan.partitions > 1) == (partitions > 1)
        for data in (scan, lr.Panel.open(tmp_path / str(partitions))):
            other = describe_as(data, EVERY[name], n_jobs=2)
            assert_same_bytes(wanted, other)
            assert other.flow == wanted.flow


def test_a_condition_on_a_scan_is_that_of_the_panel(tmp_path: Path) -> None:
    panel = panel_of(earnings(seed=5))
    panel.save(tmp_path / "panel", partitions=7)
    scan = lr.Panel.scan(tmp_path / "panel")
    wanted = describe_as(panel, REQUESTS["condition"])
    assert_same_bytes(wanted, describe_as(scan, REQUESTS["condition"]))
    given = {name: value for name, value in REQUESTS["condition"].items() if name != "where"}
    assert_same_bytes(wanted, describe_as(scan.where(REQUESTS["condition"]["where"]), given))


def test_the_flow_of_a_scan_tells_what_was_left_out_before_it_was_saved(tmp_path: Path) -> None:
    panel = panel_of(earnings(seed=5)).where("hours > 3")
    panel.save(tmp_path / "panel", partitions=7)
    request = {"values": "pay", "by": ["region"], "where": "employed"}
    flow = describe_as(panel, request).flow
    assert [step.label for step in flow.steps] == ["all rows", "hours > 3", "employed", "all keys present"]
    assert describe_as(lr.Panel.scan(tmp_path / "panel"), request).flow == flow
    assert describe_as(lr.Panel.open(tmp_path / "panel"), request).flow == flow


def test_persons_are_no_key() -> None:
    with pytest.raises(lr.SupportError, match="'person' is the person id: a table describes groups of persons"):
        lr.aggregate(panel_of(earnings(n_person=50, seed=6)), "gross", by=["sex", "person"], statistics="mean")


def test_keys_of_numbers_agree_though_parts_hold_different_levels(tmp_path: Path) -> None:
    frame = earnings(n_person=40, seed=6)
    frame["code"] = frame["person"] % 13 * 1.5  # whole in some parts, fractional in others
    panel = panel_of(frame)
    panel.save(tmp_path / "panel", partitions=64)
    for missing in ("drop", "group"):
        request = {"values": "gross", "by": ["code", "hours"], "missing": missing}
        assert_same_bytes(describe_as(panel, request), describe_as(lr.Panel.scan(tmp_path / "panel"), request))


def test_a_saved_table_comes_back_the_same() -> None:
    table = describe_as(panel_of(earnings(seed=7), entities=["school"]), REQUESTS["plain"])
    again = pickle.loads(pickle.dumps(table))
    assert_same_bytes(table, again)
    assert (again.settings, again.flow) == (table.settings, table.flow)


def test_a_table_holds_nothing_of_the_length_of_persons_or_rows() -> None:
    panel = panel_of(earnings(n_person=4000, seed=8), entities=["school", "employer"])
    table = describe_as(panel, {"values": "pay", "by": ["sex"]})
    assert all(len(shape) and shape[0] == 2 for _, shape, _ in arrays_of(table).values())
    assert len(pickle.dumps(table)) < 10_000


@pytest.mark.parametrize("name", EVERY)
def test_the_panel_is_left_as_it_was(name: str) -> None:
    panel = panel_of(earnings(seed=9), entities=["school", "employer"])
    before = {column: panel.array(column).tobytes() for column in panel.schema.columns}
    keys, offsets = panel.keys.tobytes(), panel.offsets.tobytes()
    describe_as(panel, EVERY[name])
    assert {column: panel.array(column).tobytes() for column in panel.schema.columns} == before
    assert (panel.keys.tobytes(), panel.offsets.tobytes()) == (keys, offsets)


def test_a_frame_is_left_as_it_was() -> None:
    frame = earnings(seed=10)
    copy = frame.copy(deep=True)
    lr.aggregate(frame, "pay", by="sex", statistics=["mean", "p50"], person="person", where="hours > 3")
    pd.testing.assert_frame_equal(frame, copy)


# ---- identities -----------------------------------------------------------------------------------------------------

# Whole pence, so that identities hold to the last bit.
PEOPLE = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(-(10**7), 10**9)), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=12,
)


def table_of_people(people: list[tuple[int, list[tuple[int, int | None]]]]) -> pd.DataFrame:
    records = [
        (who, year, trait, state, math.nan if pay is None else float(pay))
        for who, (trait, years) in enumerate(people)
        for year, (state, pay) in enumerate(years)
    ]
    return pd.DataFrame(records, columns=["person", "year", "trait", "state", "pay"])


def people_panel(frame: pd.DataFrame) -> lr.Panel:
    return lr.Panel.from_frame(frame, person="person", time="year", units={"pay": "GBP/year"})


COUNTS = ("n_obs", "n_value", "n_negative", "n_zero")


@FEW
@given(people=PEOPLE)
def test_parts_add_up_to_the_whole(people: Any) -> None:
    panel = people_panel(table_of_people(people))
    whole = lr.aggregate(panel, "pay", statistics=["sum", "n_value"])
    for by in (["trait"], ["state"], ["trait", "state", "year"]):
        parts = lr.aggregate(panel, "pay", by=by, statistics=["sum", "n_value"])
        assert parts.statistics["sum"].sum() == whole.statistics["sum"][0]
        for count in COUNTS:
            assert getattr(parts.evidence, count).sum() == getattr(whole.evidence, count)[0]
        if by == ["trait"]:  # a person has one trait, so persons add up too
            for count in ("n_person", "n_person_value", "n_person_nonzero", "n_person_zero"):
                assert getattr(parts.evidence, count).sum() == getattr(whole.evidence, count)[0]
            assert max(parts.evidence.top1) == whole.evidence.top1[0]
            assert parts.evidence.total_absolute.sum() == whole.evidence.total_absolute[0]
        else:
            assert parts.evidence.n_person.sum() >= whole.evidence.n_person[0]


@FEW
@given(people=PEOPLE, number=st.integers(1, 99), rule=st.integers(1, 9))
def test_cells_are_those_of_the_twin(people: Any, number: int, rule: int) -> None:
    frame = table_of_people(people)
    names = [f"p{number}", "mean", "var", "gini", "top10"]
    table = lr.aggregate(people_panel(frame), "pay", by=["trait", "state"], statistics=names, quantile_rule=rule)  # type: ignore[arg-type]
    groups = {key: part["pay"].dropna().to_numpy() for key, part in frame.groupby(["trait", "state"])}
    assert cell_index(table) == list(groups)
    for at, values in enumerate(groups.values()):
        got = [table.statistics[name][at] for name in names]
        wanted = [statistic(name, values, rule=rule) for name in names]
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12 * np.abs(values).max(initial=0.0))


@FEW
@given(people=PEOPLE)
def test_merging_levels_is_describing_the_merged_level(people: Any) -> None:
    frame = table_of_people(people)
    frame["merged"] = frame["state"].replace({2: 1, 3: 1})
    fine = lr.aggregate(people_panel(frame), "pay", by=["trait", "state"], statistics=["sum", "n_obs"])
    coarse = lr.aggregate(people_panel(frame), "pay", by=["trait", "merged"], statistics=["sum", "n_obs"])
    merged = fine.to_frame().assign(merged=lambda cells: cells["state"].replace({2: 1, 3: 1}))
    wanted = merged.groupby(["trait", "merged"], as_index=False)[["sum", "n_obs"]].sum()
    pd.testing.assert_frame_equal(coarse.to_frame(), wanted, check_dtype=False, check_exact=True)
    assert (fine.evidence.n_value.sum(), fine.evidence.n_zero.sum()) == (
        coarse.evidence.n_value.sum(),
        coarse.evidence.n_zero.sum(),
    )


@FEW
@given(people=PEOPLE)
def test_doubling_every_person_doubles_counts_and_keeps_means_and_shares(people: Any) -> None:
    frame = table_of_people(people)
    twice = pd.concat([frame, frame.assign(person=frame["person"] + 1000)], ignore_index=True)
    names = ["n_obs", "n_person", "n_value", "n_person_value", "sum", "mean", "gini", "top10", "top50", "p50"]
    once, doubled = (lr.aggregate(people_panel(data), "pay", by="state", statistics=names) for data in (frame, twice))
    for name in names[:5]:
        assert (2 * once.statistics[name]).tolist() == doubled.statistics[name].tolist()
    for name in ("mean", "gini", "top10", "top50"):
        np.testing.assert_allclose(doubled.statistics[name], once.statistics[name], rtol=1e-12, atol=1e-13)
    for name in ("n_negative", "n_zero", "n_person_nonzero", "n_person_zero", "total_absolute", "n_largest"):
        assert (2 * getattr(once.evidence, name)).tolist() == getattr(doubled.evidence, name).tolist()
    assert doubled.evidence.top1.tolist() == doubled.evidence.top2.tolist() == once.evidence.top1.tolist()
    # A quantile moves by no more than the gap to the next order statistic.
    for at, state in enumerate(once.keys["state"].labels):
        values = np.sort(frame.loc[frame["state"] == state, "pay"].dropna())
        if len(values) > 1:
            moved = abs(doubled.statistics["p50"][at] - once.statistics["p50"][at])
            assert moved <= np.diff(values).max() + 1e-6


@FEW
@given(people=PEOPLE)
def test_renaming_persons_moves_fingerprints_only(people: Any) -> None:
    frame = table_of_people(people)
    names = frame["person"].map(lambda who: f"Person {who * 31 + 7}")
    one, other = (
        lr.aggregate(people_panel(data), "pay", by=["trait", "state"], statistics=["sum", "p25", "sd", "gini"])
        for data in (frame, frame.assign(person=names))
    )
    hashes = {"fingerprint", "fingerprint_value", "sketch", "sketch_value"}
    before, after = arrays_of(one), arrays_of(other)
    different = {name for name in before if before[name] != after[name]}
    assert {"fingerprint", "sketch"} <= different <= hashes | {"statistic sd"}
    np.testing.assert_allclose(one.statistics["sd"], other.statistics["sd"], rtol=1e-12)


@FEW
@given(
    values=st.lists(st.floats(0, 1e300), min_size=1, max_size=200),
    scale=st.sampled_from([2.0**-20, 2.0**20]),
    numbers=st.lists(st.integers(1, 99), min_size=1, max_size=6, unique=True),
)
def test_scaling_money_scales_what_is_in_money(values: list[float], scale: float, numbers: list[int]) -> None:
    values = [value if value > 1e-280 else 0.0 for value in np.minimum(values, 1e290)]
    names = [*(f"p{number}" for number in numbers), "sum", "mean", "gini", "top10"]
    one, other = (
        lr.aggregate(pd.DataFrame({"x": x}), "x", statistics=names) for x in (values, np.array(values) * scale)
    )
    for name in names:
        got, wanted = other.statistics[name][0], one.statistics[name][0]
        np.testing.assert_allclose(got, wanted * (1 if name in ("gini", "top10") else scale), rtol=1e-12)


@FEW
@given(values=st.lists(st.floats(-1e200, 1e200), min_size=1, max_size=300), rule=st.integers(1, 9))
def test_percentiles_rise_and_stay_within_the_values(values: list[float], rule: int) -> None:
    numbers = [1, 10, 25, 50, 75, 90, 99]
    table = lr.aggregate(
        pd.DataFrame({"x": values}),
        "x",
        statistics=[f"p{number}" for number in numbers],
        quantile_rule=rule,  # type: ignore[arg-type]
    )
    got = [column[0] for column in table.statistics.values()]
    assert min(values) <= got[0] and got[-1] <= max(values)
    assert got == sorted(got)
    size = max(map(abs, values))
    np.testing.assert_allclose(
        got, [percentile(values, number, rule) for number in numbers], rtol=1e-12, atol=1e-12 * size
    )


@FEW
@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=120),
    cut=st.integers(0, 120),
)
def test_any_sum_is_that_of_exact_arithmetic(values: list[float], cut: int) -> None:
    values = [value if abs(value) < 1e300 else 1.0 for value in values]
    frame = pd.DataFrame({"x": values, "cell": (np.arange(len(values)) >= cut).astype(int)})
    got = lr.aggregate(frame, "x", by="cell", statistics="sum").statistics["sum"]
    assert got.tolist() == [math.fsum(part) for part in (values[:cut], values[cut:]) if part]


def test_progress_counts_the_rows_of_all_waves(many_tasks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, list[int]]] = []
    real = describe.progress

    def watched(total: int, label: str) -> object:
        bar = real(total, label)
        shown.append((total, []))
        bar.update = shown[-1][1].append  # type: ignore[method-assign, assignment]
        return bar

    monkeypatch.setattr(describe, "progress", watched)
    panel = panel_of(earnings(seed=1))
    lr.aggregate(panel, "pay", by=["cohort", "sex", "tax_year"], statistics="mean")
    ((total, done),) = shown
    assert total == sum(done) == panel.n_row
    assert len(done) > 1
