"""The evidence of every cell against counts by definition: persons, dominance, signs, tails, entities, person sets."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from aggregate_cases import cell_index, earnings, panel_of
from reference_aggregates import cells_of, person_counts, person_totals, sketch_of, statistic, tail
from reference_table import table_of

import leoreturns as lr
from leoreturns._core import sketch
from leoreturns.aggregates import compute
from leoreturns.results.aggregate import Evidence

RTOL = 1e-12
SPREAD = ["p5", "p10", "p25", "p50", "p75", "p90", "p95"]
COUNTS = (
    "n_obs",
    "n_value",
    "n_person",
    "n_person_value",
    "n_person_nonzero",
    "n_person_zero",
    "n_negative",
    "n_zero",
    "n_largest",
    "all_equal",
)
TOTALS = ("total_absolute", "top1", "top2")


def long_cells(seed: int = 0) -> pd.DataFrame:
    """Few cells, so that most persons have several rows in one, some of them zero, negative, equal or missing."""
    frame = earnings(n_person=220, seed=seed)
    # Whole cells of one kind: all missing, all equal, all zero, all negative.
    frame["kind"] = frame["person"] % 6
    frame.loc[frame["kind"] == 0, "pay"] = np.nan
    frame.loc[frame["kind"] == 1, "pay"] = 20_000.0
    frame.loc[frame["kind"] == 2, "pay"] = 0.0
    frame.loc[frame["kind"] == 3, "pay"] = -frame["pay"].abs() - 1
    return frame


def assert_evidence(evidence: Evidence, parts: list[pd.DataFrame], values: str) -> None:
    for at, part in enumerate(parts):
        wanted = person_counts(part, values, "person")
        assert {name: getattr(evidence, name)[at] for name in COUNTS} == wanted
        totals = person_totals(part, values, "person")
        got = [getattr(evidence, name)[at] for name in TOTALS]
        np.testing.assert_allclose(got, [totals[name] for name in TOTALS], rtol=RTOL, atol=1e-9)


@pytest.mark.parametrize("by", [[], ["kind"], ["sex"], ["tax_year", "sex"], ["region", "cohort"], ["kind", "tax_year"]])
def test_every_count_and_total_of_every_cell(by: list[str]) -> None:
    frame = long_cells(seed=len(by))
    table = lr.aggregate(panel_of(frame), "pay", by=by, statistics="mean")
    assert_evidence(table.evidence, list(cells_of(frame, by).values()), "pay")
    np.testing.assert_allclose(
        table.evidence.total,
        [statistic("sum", part["pay"].dropna().to_numpy()) for part in cells_of(frame, by).values()],
    )


def test_the_evidence_is_that_of_the_other_twin() -> None:
    frame = long_cells(seed=9)
    names = ["mean", "p10", "p50", "p90"]
    table = lr.aggregate(panel_of(frame), "pay", by=["sex", "tax_year"], statistics=names)
    wanted = table_of(frame, "pay", ["sex", "tax_year"], names).evidence
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(table.evidence, name), getattr(wanted, name), err_msg=name)
    for name, sides in wanted.tails.items():
        for side in ("below", "tied", "above"):
            np.testing.assert_array_equal(getattr(table.evidence.tails[name], side), getattr(sides, side))


@pytest.mark.parametrize("column", ["hours", "employed"])
def test_evidence_of_whole_numbers_and_conditions(column: str) -> None:
    frame = long_cells(seed=3)
    table = lr.aggregate(panel_of(frame), column, by=["region", "sex"], statistics="mean")
    parts = [part.assign(x=part[column].astype(float)) for part in cells_of(frame, ["region", "sex"]).values()]
    assert_evidence(table.evidence, parts, "x")


def test_the_flags_of_cells_of_one_kind() -> None:
    frame = long_cells(seed=4)
    evidence = lr.aggregate(panel_of(frame), "pay", by="kind", statistics="p50").evidence
    assert evidence.all_equal.tolist() == [False, True, True, False, False, False]
    assert (evidence.n_person > 0).all()
    assert evidence.n_person_value[0] == evidence.n_value[0] == evidence.n_largest[0] == evidence.top1[0] == 0
    assert evidence.n_person_zero[2] == evidence.n_person_value[2] == evidence.n_person[2]
    assert evidence.n_person_nonzero[2] == evidence.top1[2] == 0
    assert evidence.n_negative[3] == evidence.n_value[3] > 0
    assert evidence.n_largest[1] == evidence.n_value[1]
    assert (evidence.n_largest[4], evidence.all_equal[4]) == (0, False)


@pytest.mark.parametrize(
    ("pay", "wanted"),
    [
        ([5, 5, 5, 1, 2], 3),
        ([5, 5, 1, 2], 0),  # half is not more than half
        ([1, 2, 2, 2, 9, 9], 0),
        ([1, 1, 1, 2, 9], 3),
        ([1, 2, 9, 9, 9], 3),
        ([-0.0, 0.0, 1], 2),
        ([7], 1),
        ([np.nan, 4, 4, np.nan], 2),
        ([np.nan], 0),
        ([3] * 51 + list(range(100, 150)), 51),
        ([3] * 50 + list(range(100, 150)), 0),
    ],
)
@pytest.mark.parametrize("statistics", [["mean"], ["p10", "p99"], ["gini"]])
def test_the_value_that_most_rows_share(pay: list[float], wanted: int, statistics: list[str]) -> None:
    frame = pd.DataFrame({"person": np.arange(len(pay)), "pay": np.asarray(pay, dtype=float)})
    assert lr.aggregate(frame, "pay", statistics=statistics, person="person").evidence.n_largest.tolist() == [wanted]


def test_the_two_largest_are_totals_of_persons_not_rows() -> None:
    # Fifteen years of a middling earner outweigh the best year of all; a person with gains and losses counts net.
    frame = pd.DataFrame(
        {
            "person": [1] * 15 + [2, 3, 3, 4],
            "year": [*range(15), 0, 0, 1, 0],
            "pay": [100.0] * 15 + [1000.0, -700.0, 690.0, -1200.0],
        }
    )
    evidence = lr.aggregate(lr.Panel.from_frame(frame, person="person", time="year"), "pay", statistics="sum").evidence
    assert (evidence.top1[0], evidence.top2[0]) == (1500.0, 1200.0)
    assert (evidence.total[0], evidence.total_absolute[0]) == (1290.0, 3710.0)


@pytest.mark.parametrize(
    "totals", [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [2.0, 3.0, 1.0], [3.0, 3.0, 1.0], [5.0], [0.0, 0.0]]
)
def test_the_two_largest_in_any_order(totals: list[float]) -> None:
    frame = pd.DataFrame({"person": range(len(totals)), "pay": totals})
    evidence = lr.aggregate(frame, "pay", statistics="sum", person="person").evidence
    first, second = [*sorted(totals, reverse=True), 0.0][:2]
    assert (evidence.top1[0], evidence.top2[0]) == (first, second)


# ---- balanced tables ------------------------------------------------------------------------------------------------


def balanced(seed: int) -> pd.DataFrame:
    """Every person in every year; keys that rise, fall or repeat along a person's years."""
    rng = np.random.default_rng(seed)
    n_person, years = 60, np.arange(2010, 2016)
    who = np.repeat(np.arange(n_person), len(years))
    frame = pd.DataFrame({"person": who * 3 + 1, "tax_year": np.tile(years, n_person)})
    frame["sex"] = np.array(["F", "M"])[rng.integers(0, 2, n_person)][who]
    frame["cohort"] = rng.choice([2001.0, 2002.0, np.nan], n_person)[who]
    frame["falling"] = 2020 - frame["tax_year"]
    frame["half"] = frame["tax_year"] // 2
    frame["pay"] = np.round(rng.lognormal(9, 1, len(frame)), 0) * rng.choice([1, 1, 1, -1, 0], len(frame))
    frame.loc[rng.random(len(frame)) < 0.2, "pay"] = np.nan
    return frame


@pytest.mark.parametrize("lost", ["nothing", "one row", "one row of each woman", "a year"])
@pytest.mark.parametrize(
    "by", [["tax_year"], ["sex", "tax_year"], ["cohort", "tax_year"], ["sex", "falling"], ["half", "sex"], ["sex"], []]
)
def test_every_count_of_tables_in_which_persons_have_every_year(by: list[str], lost: str) -> None:
    frame = balanced(seed=len(by))
    if lost == "one row":
        frame = frame.drop(index=[17])
    elif lost == "one row of each woman":
        frame = frame[(frame["sex"] == "M") | (frame["person"] % 6 != frame["tax_year"] - 2010)]
    condition = "tax_year != 2012" if lost == "a year" else None
    panel = panel_of(frame)
    used = frame[frame["tax_year"] != 2012] if condition else frame
    table = lr.aggregate(panel, "pay", by=by, statistics=["p25", "p50"], where=condition)
    parts = cells_of(used, by)
    assert len(parts) == table.n_cells
    assert_evidence(table.evidence, list(parts.values()), "pay")
    keys = dict(zip(panel.ids.to_arrow().to_pylist(), panel.keys.tolist(), strict=True))
    for at, (everyone, with_value) in enumerate(person_sets(used, by)):
        np.testing.assert_array_equal(table.evidence.sketch[at], sketch_of([keys[who] for who in everyone]))
        np.testing.assert_array_equal(table.evidence.sketch_value[at], sketch_of([keys[who] for who in with_value]))
        assert int(table.evidence.fingerprint[at]) == sum(keys[who] for who in everyone) % 2**64
        for name in ("p25", "p50"):
            sides = table.evidence.tails[name]
            got = (sides.below[at], sides.tied[at], sides.above[at])
            assert got == tail(list(parts.values())[at], "pay", "person", table.statistics[name][at])


# ---- tails ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", range(1, 10))
def test_persons_below_at_and_above_each_percentile(rule: int) -> None:
    frame = long_cells(seed=10 + rule)
    statistics = [*SPREAD, "iqr", "p80/p20", "top5"]
    for by in (["sex"], ["tax_year", "sex"], ["kind"]):
        table = lr.aggregate(panel_of(frame), "pay", by=by, statistics=statistics, quantile_rule=rule)
        assert set(table.evidence.tails) == {*SPREAD, "p20", "p80"}
        points = lr.aggregate(
            panel_of(frame), "pay", by=by, statistics=[*SPREAD, "p20", "p80"], quantile_rule=rule
        ).statistics
        for at, part in enumerate(cells_of(frame, by).values()):
            for name, sides in table.evidence.tails.items():
                got = (sides.below[at], sides.tied[at], sides.above[at])
                assert got == tail(part, "pay", "person", points[name][at]), (by, at, name)


@pytest.mark.parametrize("kind", ["frequency", "probability"])
def test_persons_around_weighted_percentiles_are_unweighted(kind: str) -> None:
    frame = earnings(seed=30)
    weight = "count" if kind == "frequency" else "chance"
    table = lr.aggregate(panel_of(frame), "pay", by="region", statistics=SPREAD, weights=lr.Weights(weight, kind))
    used = frame.assign(pay=frame["pay"].where(frame[weight] > 0))
    parts = list(cells_of(used, ["region"]).values())
    assert_evidence(table.evidence, parts, "pay")
    for at, part in enumerate(parts):
        for name in SPREAD:
            sides = table.evidence.tails[name]
            got = (sides.below[at], sides.tied[at], sides.above[at])
            assert got == tail(part, "pay", "person", table.statistics[name][at])


def test_one_person_may_stand_on_both_sides() -> None:
    frame = pd.DataFrame({"person": [1, 1, 2, 2], "year": [0, 1, 0, 1], "pay": [1.0, 4.0, 2.0, 3.0]})
    sides = lr.aggregate(
        lr.Panel.from_frame(frame, person="person", time="year"), "pay", statistics="p50"
    ).evidence.tails["p50"]
    assert (sides.below[0], sides.tied[0], sides.above[0]) == (2, 0, 2)


# ---- entities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int64", "float64", "str", "category", "Int64"])
def test_entities_of_persons_and_of_years(dtype: str) -> None:
    frame = earnings(seed=50)
    frame["employer"] = frame["employer"].astype(dtype).where(frame["hours"] > 4)
    panel = panel_of(frame, entities=["school", "employer"])
    assert (panel.column("school").level, panel.column("employer").level) == ("person", "year")
    for by in ([], ["sex", "tax_year"], ["region"]):
        table = lr.aggregate(panel, "pay", by=by, statistics="mean")
        assert set(table.evidence.entities) == {"school", "employer"}
        for at, part in enumerate(cells_of(frame, by).values()):
            known = part[part["pay"].notna()]
            for name in ("school", "employer"):
                assert table.evidence.entities[name][at] == known[name].nunique(), (by, name)


@pytest.mark.parametrize("kind", ["number", "text", "true/false"])
def test_entities_of_a_scan_are_those_of_the_whole(tmp_path: object, kind: str) -> None:
    frame = earnings(seed=51)
    frame["employer"] = frame["person"] * 1000 + frame["employer"] % 2  # a part of the data lacks most of them
    if kind == "text":
        frame["employer"] = frame["employer"].astype(str)
    elif kind == "true/false":
        frame["employer"] = pd.Series(True, index=frame.index).where(frame["hours"] > 4)
        frame["employer"] = frame["employer"].astype("boolean")
    panel = panel_of(frame, entities=["employer"])
    panel.save(f"{tmp_path}/panel", partitions=7)
    whole = lr.aggregate(panel, "pay", by="sex", statistics="mean").evidence.entities["employer"]
    parts = lr.aggregate(lr.Panel.scan(f"{tmp_path}/panel"), "pay", by="sex", statistics="mean").evidence.entities[
        "employer"
    ]
    known = frame[frame["pay"].notna()]
    assert whole.tolist() == parts.tolist() == known.groupby("sex")["employer"].nunique().tolist()


# ---- fingerprints and sketches --------------------------------------------------------------------------------------


def person_sets(frame: pd.DataFrame, by: list[str]) -> list[tuple[frozenset[int], frozenset[int]]]:
    return [
        (frozenset(part["person"]), frozenset(part.loc[part["pay"].notna(), "person"]))
        for part in cells_of(frame, by).values()
    ]


def test_fingerprints_are_equal_if_and_only_if_the_sets_of_persons_are() -> None:
    frame = earnings(n_person=40, seed=60)
    frame["half"] = frame["person"] % 2  # cells of the same persons under other keys
    frame["again"] = 1 - frame["half"]
    sets, prints = [], []
    for by in ([], ["half"], ["again"], ["sex"], ["tax_year"], ["tax_year", "sex"], ["region"], ["half", "again"]):
        evidence = lr.aggregate(panel_of(frame), "pay", by=by, statistics="mean").evidence
        for at, (everyone, with_value) in enumerate(person_sets(frame, by)):
            sets += [everyone, with_value]
            prints += [evidence.fingerprint[at], evidence.fingerprint_value[at]]
    equal = 0
    for one, other in itertools.combinations(range(len(sets)), 2):
        assert (sets[one] == sets[other]) == (prints[one] == prints[other])
        equal += sets[one] == sets[other]
    assert equal > 5


def test_a_fingerprint_hangs_on_the_ids() -> None:
    frame = earnings(n_person=40, seed=61)
    renamed = frame.assign(person=frame["person"] + 1)
    first, second = (
        lr.aggregate(panel_of(data), "pay", by="sex", statistics="mean").evidence for data in (frame, renamed)
    )
    assert (first.fingerprint != second.fingerprint).all()
    assert (first.fingerprint_value != second.fingerprint_value).all()
    assert first.sketch is not None and second.sketch is not None
    assert (first.sketch != second.sketch).any(axis=1).all()


def test_the_same_person_as_number_and_text_has_one_fingerprint() -> None:
    frame = earnings(n_person=40, seed=62)
    as_text = frame.assign(person=frame["person"].astype(str))
    first, second = (lr.aggregate(panel_of(data), "pay", by="sex", statistics="mean") for data in (frame, as_text))
    np.testing.assert_array_equal(first.evidence.fingerprint, second.evidence.fingerprint)
    np.testing.assert_array_equal(first.evidence.sketch, second.evidence.sketch)


def test_sketches_are_sums_in_the_field() -> None:
    frame = earnings(n_person=25, seed=63)
    panel = panel_of(frame)
    keys = dict(zip(panel.ids.to_arrow().to_pylist(), panel.keys.tolist(), strict=True))
    evidence = lr.aggregate(panel, "pay", by=["sex", "cohort"], statistics="mean").evidence
    for at, (everyone, with_value) in enumerate(person_sets(frame, ["sex", "cohort"])):
        np.testing.assert_array_equal(evidence.sketch[at], sketch_of([keys[who] for who in everyone]))
        np.testing.assert_array_equal(evidence.sketch_value[at], sketch_of([keys[who] for who in with_value]))


@pytest.mark.parametrize("size", [*range(13), 40, 200])
def test_a_sketch_tells_how_many_persons_two_tables_differ_by(size: int) -> None:
    frame = earnings(n_person=420, seed=64)
    ids = np.random.default_rng(size).permutation(frame["person"].unique())
    lost, added = ids[: size // 2], ids[size // 2 : size]  # some only in the first, some only in the second
    first = lr.aggregate(panel_of(frame[~frame["person"].isin(lost)]), None, statistics="n_person").evidence
    second = lr.aggregate(panel_of(frame[~frame["person"].isin(added)]), None, statistics="n_person").evidence
    wanted = size if size <= sketch.LIMIT else -1
    assert sketch.difference_size(first.sketch[0], second.sketch[0]) == wanted
    assert sketch.difference_size(second.sketch[0], first.sketch[0]) == wanted
    assert sketch.difference_size(first.sketch[0], first.sketch[0]) == 0


def test_sketches_of_cells_tell_apart_every_pair_of_cells() -> None:
    frame = earnings(n_person=30, seed=65)
    by = ["tax_year", "sex"]
    evidence = lr.aggregate(panel_of(frame), "pay", by=by, statistics="mean").evidence
    sets = person_sets(frame, by)
    seen = set()
    for one, other in itertools.combinations(range(len(sets)), 2):
        for which, sketches in enumerate((evidence.sketch, evidence.sketch_value)):
            apart = len(sets[one][which] ^ sets[other][which])
            seen.add(min(apart, 10))
            assert sketch.difference_size(sketches[one], sketches[other]) == (apart if apart <= 9 else -1)
    assert len(seen) > 6


def test_a_sum_of_two_fingerprints_is_that_of_the_two_sets_together() -> None:
    frame = earnings(n_person=60, seed=66)
    parts = lr.aggregate(panel_of(frame), "pay", by="sex", statistics="mean").evidence
    whole = lr.aggregate(panel_of(frame), "pay", statistics="mean").evidence
    np.testing.assert_array_equal(parts.fingerprint.sum(dtype=np.uint64), whole.fingerprint[0])
    np.testing.assert_array_equal(np.bitwise_xor.reduce(parts.sketch, axis=0), whole.sketch[0])


def test_sketches_are_dropped_for_many_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = earnings(n_person=50, seed=67)
    monkeypatch.setattr(compute, "MAX_SKETCHED_CELLS", 15)
    few = lr.aggregate(panel_of(frame), "pay", by="tax_year", statistics="mean")
    many = lr.aggregate(panel_of(frame), "pay", by=["tax_year", "sex"], statistics="mean")
    assert few.evidence.sketch is not None and few.evidence.sketch.shape == (few.n_cells, 5)
    assert many.n_cells > 15
    assert many.evidence.sketch is None and many.evidence.sketch_value is None
    assert many.evidence.fingerprint.shape == (many.n_cells,)


# ---- frames without persons -----------------------------------------------------------------------------------------


def test_without_a_person_column_persons_are_not_counted() -> None:
    frame = earnings(seed=68)
    table = lr.aggregate(frame, "pay", by="sex", statistics=["n_obs", "n_person", "n_person_value", "p50", "mean"])
    evidence = table.evidence
    for counts in (evidence.n_person, evidence.n_person_value, evidence.n_person_nonzero, evidence.n_person_zero):
        assert counts.tolist() == [-1, -1]
    assert {side.tolist()[0] for side in (evidence.tails["p50"].below, evidence.tails["p50"].above)} == {-1}
    assert table.statistics["n_person"].tolist() == table.statistics["n_person_value"].tolist() == [-1, -1]
    assert evidence.sketch is None
    named = lr.aggregate(frame, "pay", by="sex", statistics=["n_obs", "p50", "mean"], person="person")
    for name in ("n_obs", "p50", "mean"):
        np.testing.assert_allclose(table.statistics[name], named.statistics[name], rtol=RTOL)
    assert evidence.n_value.tolist() == named.evidence.n_value.tolist()


def test_a_frame_may_repeat_a_person_and_a_period() -> None:
    frame = pd.concat([earnings(seed=69)] * 2, ignore_index=True)
    table = lr.aggregate(frame, "pay", by=["region", "tax_year"], statistics=["mean", "p50"], person="person")
    parts = cells_of(frame, ["region", "tax_year"])
    assert cell_index(table) == list(parts)
    assert_evidence(table.evidence, list(parts.values()), "pay")


def test_person_totals_of_a_weighted_table_are_unweighted() -> None:
    frame = pd.DataFrame(
        {"person": [1, 1, 2, 3, 4], "pay": [1.0, -3.0, 2.0, 5.0, np.nan], "w": [4.0, 1.0, 3.0, 0.5, 9.0]}
    )
    weights = lr.Weights("w", "probability")
    several = lr.aggregate(frame, "pay", statistics="mean", weights=weights, person="person").evidence
    assert (several.top1[0], several.top2[0], several.total_absolute[0], several.total[0]) == (5.0, 2.0, 9.0, 9.5)
    single = lr.aggregate(frame[1:], "pay", statistics="mean", weights=weights, person="person").evidence
    assert (single.top1[0], single.top2[0], single.total_absolute[0], single.total[0]) == (5.0, 3.0, 10.0, 5.5)
