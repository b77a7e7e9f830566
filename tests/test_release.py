"""The door: what is hidden, how the rest is rounded, and that files appear completely or not at all."""

from __future__ import annotations

import csv
import errno
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reference_table import table_of

from leoreturns._typing import Weights
from leoreturns.aggregates.compute import aggregate
from leoreturns.aggregates.statistics import statistic
from leoreturns.disclosure import Policy, Released, bundle, release
from leoreturns.disclosure.contents import csv_bytes, rounded_count
from leoreturns.disclosure.protection import protect
from leoreturns.disclosure.rounding import Rounding, rounding_of
from leoreturns.errors import DisclosureError
from leoreturns.results.chart import Chart

BASE = Policy("ons-srs")
BY = ["group"]


def persons_per_group(**sizes: int) -> pd.DataFrame:
    """Return one row per person, all with different pay."""
    group = np.repeat(list(sizes), list(sizes.values()))
    number = np.arange(len(group))
    return pd.DataFrame({"person": number, "group": group, "pay": 20_000.0 + 137 * number})


def shown(
    frame: pd.DataFrame, statistics: list[str], values: str | None = "pay", unit: str | None = "GBP/year"
) -> dict:
    """Return {(group, statistic): text as released}; a group whose count is shown stands beside those of the frame."""
    beside = persons_per_group(beside=30).assign(person=np.arange(30) + 10_000)
    frame = pd.concat([frame, beside])
    table = protect(table_of(frame, values, BY, list(dict.fromkeys([*statistics, "n_person"])), unit=unit), BASE)
    groups = [table.keys["group"].labels[code] for code in table.keys["group"].codes]
    return {
        (group, name): table.texts[name][n]
        for name in statistics
        for n, group in enumerate(groups)
        if group != "beside"
    }


def read_csv(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


# ---- what is hidden


def test_a_cell_needs_ten_persons_in_every_statistic() -> None:
    statistics = ["n_person", "n_obs", "n_value", "mean", "sd", "var", "sum"]
    got = shown(persons_per_group(nine=9, ten=10, eleven=11), statistics)
    assert {got["nine", name] for name in statistics} == {"c"}
    assert [got["ten", name] for name in ("n_person", "n_obs", "n_value")] == ["10"] * 3
    assert [got["eleven", name] for name in ("n_person", "n_obs", "n_value")] == ["10"] * 3
    assert got["ten", "mean"] == "21800"  # persons 9 to 18: 20,000 + 137 * 13.5 = 21,849.5
    assert "c" not in {got["eleven", name] for name in statistics}


@pytest.mark.parametrize(
    ("name", "too_few", "enough"),
    [
        ("p50", 19, 20),
        ("p25", 39, 40),
        ("p75", 39, 40),
        ("iqr", 39, 40),
        ("p90", 99, 100),
        ("p10", 99, 100),
        ("p90/p10", 99, 100),
        ("p95", 199, 200),
        ("p99", 999, 1000),
    ],
)
def test_a_percentile_needs_ten_persons_beyond_it(name: str, too_few: int, enough: int) -> None:
    got = shown(persons_per_group(few=too_few, many=enough), [name])
    assert got["few", name] == "c"
    assert got["many", name] != "c"


def test_persons_tied_with_the_percentile_do_not_support_it() -> None:
    frame = persons_per_group(a=39)
    frame["pay"] = [10_000.0 + n for n in range(9)] + [20_000.0] * 15 + [30_000.0 + n for n in range(15)]
    assert shown(frame, ["p50"])["a", "p50"] == "c"
    frame.loc[9, "pay"] = 10_500.0
    assert shown(frame, ["p50"])["a", "p50"] == "20000"


def test_rows_of_few_persons_do_not_stand_for_persons() -> None:
    frame = persons_per_group(a=30, b=30)
    frame.loc[frame["group"] == "a", "person"] = np.arange(30) % 2  # two persons, fifteen years each
    got = shown(frame, ["n_person", "n_obs", "mean", "p50"])
    assert {got["a", name] for name in ("n_person", "n_obs", "mean", "p50")} == {"c"}
    assert got["b", "n_obs"] == "30"


def test_statistics_of_values_need_persons_with_a_value() -> None:
    frame = persons_per_group(a=50, b=50)
    frame.loc[frame.index[2:50], "pay"] = np.nan
    got = shown(frame, ["n_person", "n_obs", "n_value", "mean", "sd", "p50"])
    assert [got["a", name] for name in ("n_value", "mean", "sd", "p50")] == ["c"] * 4
    assert [got["a", name] for name in ("n_person", "n_obs")] == ["50", "50"]


def test_a_mean_needs_ten_persons_who_contribute() -> None:
    frame = persons_per_group(a=12, b=20)
    frame.loc[frame.index[1:12], "pay"] = 0.0
    frame.loc[frame.index[12:22], "pay"] = 0.0
    got = shown(frame, ["mean", "sum", "sd", "n_value"])
    assert [got["a", name] for name in ("mean", "sum", "sd")] == ["c"] * 3
    assert got["a", "n_value"] == "10"
    assert "c" not in {got["b", name] for name in ("mean", "sum", "sd")}


@pytest.mark.parametrize(
    ("n_with", "n_without", "text"), [(9, 91, "c"), (10, 90, "10.0"), (91, 9, "c"), (100, 0, "c"), (57, 113, "33.5")]
)
def test_a_share_needs_ten_persons_inside_and_outside(n_with: int, n_without: int, text: str) -> None:
    frame = persons_per_group(a=n_with + n_without)
    frame["pay"] = [1.0] * n_with + [0.0] * n_without
    assert shown(frame, ["share"], unit=None)["a", "share"] == text


TOTALS = ["sum", "mean", "var", "sd"]


def test_a_total_of_one_person_is_hidden() -> None:
    frame = persons_per_group(one=30, none=30)
    frame.loc[5, "pay"] = 98_765_432.0
    got = shown(frame, [*TOTALS, "n_person", "n_value", "p50"])
    assert {got["one", name] for name in TOTALS} == {"c"}
    assert [got["one", name] for name in ("n_person", "n_value", "p50")] == ["30", "30", "22100"]
    assert "c" not in {got["none", name] for name in TOTALS}


@pytest.mark.parametrize(("others", "hidden"), [(99.0, True), (100.0, False)])
def test_two_persons_may_hold_nine_tenths_of_a_total_and_no_more(others: float, hidden: bool) -> None:
    frame = persons_per_group(a=12)
    frame["pay"] = [6_000.0, 3_000.0, *[others] * 10]
    got = shown(frame, ["sum", "mean"])
    assert [got["a", name] == "c" for name in ("sum", "mean")] == [hidden] * 2


def test_a_total_is_that_of_a_person_over_all_rows_and_of_either_sign() -> None:
    frame = persons_per_group(many_rows=120, negative=30)
    frame.loc[0:89, "person"] = 0  # one person of ninety rows, thirty of one
    frame.loc[frame["group"] == "many_rows", "pay"] = [50_000.0 + n for n in range(90)] + [1.0 + n for n in range(30)]
    frame.loc[125, "pay"] = -98_765_432.0
    got = shown(frame, TOTALS)
    assert {got[group, name] for group in ("many_rows", "negative") for name in TOTALS} == {"c"}


def test_shares_of_a_total_are_hidden_with_it() -> None:
    frame = persons_per_group(one=200, none=200)
    frame.loc[5, "pay"] = 987_654_321.0
    table = table_of(frame, "pay", BY, ["p90", "mean"], unit="GBP/year")
    indices = {"gini": np.array([0.3, 0.99]), "top10": np.array([0.2, 0.99])}
    object.__setattr__(table, "statistics", {**indices, "p90": table.statistics["p90"]})
    assert table.keys["group"].labels == ("none", "one")
    assert protect(table, BASE).texts == {"gini": ("30.0", "c"), "top10": ("20.0", "c"), "p90": ("71900", "44700")}


def test_a_variance_of_one_person_is_hidden_where_the_total_is_not() -> None:
    frame = persons_per_group(one=1000, none=1000)
    frame.loc[5, "pay"] = 50_000_000.0  # a quarter of the total, and 99.9 per cent of the squared deviations
    got = shown(frame, TOTALS)
    assert [got["one", name] == "c" for name in TOTALS] == [False, False, True, True]
    assert "c" not in {got["none", name] for name in TOTALS}


def test_persons_of_several_rows_do_not_pass_for_large_ones() -> None:
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"person": np.repeat(np.arange(12), 10), "group": "a"})
    frame["pay"] = 25_000.0 + np.round(rng.normal(0, 5_000, 120))
    assert "c" not in shown(frame, TOTALS).values()


def weighted(frame: pd.DataFrame, weights: np.ndarray, statistics: list[str]) -> dict[str, str]:
    """Return the statistics of one weighted cell as released."""
    table = aggregate(
        frame.assign(weight=weights),
        "pay",
        statistics=statistics,
        weights=Weights("weight", "probability"),
        person="person",
        unit="GBP/year",
    )
    return {name: text for name, (text,) in protect(table, BASE).texts.items()}


WEIGHTED = ["mean", "sum", "sd", "p50", "n_weighted"]


def test_weights_of_one_person_hide_all_but_counts() -> None:
    got = weighted(persons_per_group(a=30), np.array([1.0] + [1e-9] * 29), [*WEIGHTED, "n_value", "n_person"])
    assert got == {**dict.fromkeys(WEIGHTED, "c"), "n_value": "30", "n_person": "30"}


@pytest.mark.parametrize(("heavy", "hidden"), [(9, True), (10, False)])
def test_weights_are_worth_ten_persons(heavy: int, hidden: bool) -> None:
    got = weighted(persons_per_group(a=40), np.repeat([0.1, 1e-12], [heavy, 40 - heavy]), ["mean", "sum"])
    assert [text == "c" for text in got.values()] == [hidden] * 2


def test_many_rows_of_weight_do_not_stand_for_persons() -> None:
    frame = persons_per_group(a=300)
    frame["person"] = np.arange(300) // 15
    assert set(weighted(frame, np.where(frame["person"] == 3, 1.0, 1e-9), WEIGHTED).values()) == {"c"}
    assert "c" not in weighted(frame, np.full(300, 0.1), WEIGHTED).values()


def test_equal_values_are_hidden() -> None:
    frame = persons_per_group(a=200, b=200)
    frame.loc[frame["group"] == "a", "pay"] = 12_345.0
    got = shown(frame, ["mean", "sd", "sum", "p50", "n_person"])
    assert [got["a", name] for name in ("mean", "sd", "sum", "p50")] == ["c"] * 4
    assert got["a", "n_person"] == "200"


def test_inequality_needs_the_persons_of_a_decile() -> None:
    frame = persons_per_group(few=99, many=100)
    table = table_of(frame, "pay", BY, ["mean"], unit="GBP/year")
    object.__setattr__(table, "statistics", {"gini": np.array([0.25, 0.31234])})
    texts = protect(table, BASE).texts["gini"]
    assert table.keys["group"].labels == ("few", "many")
    assert texts[0] == "c"
    assert texts[1] != "c"


@pytest.mark.parametrize("undefined", [np.nan, np.inf, -np.inf])
def test_what_is_not_defined_has_the_marker_too(undefined: float) -> None:
    table = table_of(persons_per_group(a=200, b=200), "pay", BY, ["p90/p10"], unit="GBP/year")
    object.__setattr__(table, "statistics", {"p90/p10": np.array([undefined, 2.345])})
    assert protect(table, BASE).texts == {"p90/p10": ("c", "2.34")}


def test_a_composite_needs_its_scarcest_percentile() -> None:
    got = shown(persons_per_group(few=99, many=100), ["p90/p10", "iqr"])
    assert got["few", "p90/p10"] == "c"
    assert got["many", "p90/p10"] != "c"
    assert got["few", "iqr"] != "c"


def test_one_marker_for_every_reason_and_no_reason_in_the_files(tmp_path: Path) -> None:
    frame = persons_per_group(nine=9, equal=30, fine=60)
    frame.loc[frame["group"] == "equal", "pay"] = 10_000.0
    release(
        {"pay": table_of(frame, "pay", BY, ["n_person", "p50"], unit="GBP/year")}, policy="ons-srs", to=tmp_path / "out"
    )
    assert read_csv(tmp_path / "out" / "pay.csv") == [
        ["group", "n_person", "p50"],
        ["equal", "30", "c"],
        ["fine", "60", "29400"],
        ["nine", "c", "c"],
    ]


def test_persons_must_be_known(tmp_path: Path) -> None:
    table = table_of(persons_per_group(a=100), "pay", BY, ["mean"], person=None, unit="GBP/year")
    with pytest.raises(DisclosureError, match=r"output 'pay': person id required"):
        release({"pay": table}, policy="ons-srs", to=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_undeclared_statistic_is_refused() -> None:
    table = table_of(persons_per_group(a=100), "pay", BY, ["mean"], unit="GBP/year")
    object.__setattr__(table, "statistics", {"max": table.statistics["mean"]})
    with pytest.raises(DisclosureError, match="'max' has no disclosure rule"):
        protect(table, BASE)


def test_a_percentile_without_its_tails_is_refused() -> None:
    table = table_of(persons_per_group(a=100), "pay", BY, ["p50"], unit="GBP/year")
    object.__setattr__(table, "statistics", {"p75": table.statistics["p50"]})
    with pytest.raises(DisclosureError, match="beyond p75"):
        protect(table, BASE)


# ---- keys that are data


def test_a_key_of_persons_is_refused() -> None:
    frame = pd.DataFrame({"person": np.repeat(np.arange(40), 12), "pay": np.arange(480.0)})
    table = table_of(frame.assign(group=frame["person"]), "pay", BY, ["n_obs"], unit="GBP/year")
    with pytest.raises(DisclosureError, match=r"key 'group': of 40 levels, 40 have no cell that can be shown"):
        protect(table, BASE)


@pytest.mark.parametrize("n_level", [1, 9])
def test_a_key_of_which_no_level_can_be_shown_is_refused(n_level: int) -> None:
    frame = persons_per_group(**{f"person-{n}": 8 for n in range(n_level)})
    with pytest.raises(DisclosureError, match=f"key 'group': of {n_level} levels, {n_level} have no cell") as caught:
        protect(table_of(frame, None, BY, ["n_person", "n_obs"]), BASE)
    assert "person-" not in str(caught.value)


def test_a_table_without_keys_may_be_hidden_as_a_whole() -> None:
    assert protect(table_of(persons_per_group(a=9), None, [], ["n_person"]), BASE).texts == {"n_person": ("c",)}


def test_hidden_cells_keep_their_keys() -> None:
    frame = persons_per_group(**{f"person-{n}": 8 for n in range(9)}, group=12)
    table = protect(table_of(frame, None, BY, ["n_person"]), BASE)
    assert table.texts == {"n_person": ("10", *["c"] * 9)}
    assert table.keys["group"].labels == ("group", *(f"person-{n}" for n in range(9)))


def test_a_key_of_fractional_numbers_is_refused() -> None:
    frame = persons_per_group(a=40).assign(group=np.repeat([1.5, 2.0], 20))
    with pytest.raises(DisclosureError, match="key 'group' holds fractional numbers") as caught:
        protect(table_of(frame, "pay", BY, ["n_obs"], unit="GBP/year"), BASE)
    assert "1.5" not in str(caught.value)


def test_a_classification_with_small_groups_is_not_refused() -> None:
    sizes = {f"school {n:02}": 9 if n < 12 else 15 for n in range(24)}
    assert list(shown(persons_per_group(**sizes), ["n_person"]).values()).count("c") == 12


# ---- rounding


@pytest.mark.parametrize(
    ("unit", "name", "number", "text"),
    [
        ("GBP/year", "mean", 21_437.18, "21400"),
        ("GBP/year", "mean", 21_450.0, "21400"),
        ("GBP/year", "mean", 21_450.01, "21500"),
        ("GBP/year", "p50", -1_260.0, "-1300"),
        ("GBP/year", "p50", -12.0, "0"),
        ("USD/year", "sd", 149.0, "100"),
        ("GBP/hour", "p50", 9.876, "9.88"),
        ("GBP/hour", "p50", 12.04, "12.0"),
        ("GBP/hour", "p50", 9.996, "10.0"),
        ("GBP/hour", "mean", 1234.5, "1230"),
        ("GBP/hour", "mean", 0.0, "0"),
        ("GBP/year", "sum", 26_743_212.0, "26700000"),
        ("GBP/year", "var", 112_873_456.0, "113000000"),
        ("log", "mean", 9.9049, "9.90"),
        ("GBP/year", "n_obs", 12, "10"),
        ("GBP/year", "n_obs", 13, "15"),
        ("GBP/year", "n_weighted", 1012.4, "1010"),
        (None, "share", 0.33449, "33.4"),
        (None, "top10", 0.30551, "30.6"),
        (None, "p90/p10", 3.14159, "3.14"),
    ],
)
def test_numbers_are_rounded_by_family_and_unit(unit: str | None, name: str, number: float, text: str) -> None:
    rounding = rounding_of(statistic(name), "pay", unit, BASE)
    assert rounding.text(number) == text
    assert float(rounding.text(float(text) / rounding.scale)) == float(text)


@pytest.mark.parametrize(
    ("weight", "number", "text", "words"),
    [
        (0.02, 1.9, "0", "to the nearest 5"),
        (1.0, 13.0, "15", "to the nearest 5"),
        (1.2, 13.0, "10", "to the nearest 10"),
        (1000.0, 13_000.0, "15000", "to the nearest 5,000"),
        (1001.0, 13_013.0, "10000", "to the nearest 10,000"),
        (60_000.0, 780_000.0, "1000000", "to the nearest 500,000"),
    ],
)
def test_sums_of_weights_are_rounded_to_the_weight_of_five_rows(
    weight: float, number: float, text: str, words: str
) -> None:
    rounding = rounding_of(statistic("n_weighted"), "pay", "GBP/year", BASE, weight=weight)
    assert (rounding.text(number), rounding.words) == (text, words)


@pytest.mark.parametrize("n_person", [28, 29, 31, 32])
def test_a_sum_of_weights_tells_no_more_than_the_count(n_person: int) -> None:
    got = weighted(persons_per_group(a=n_person), np.full(n_person, 1000.0), ["n_weighted", "n_person", "sum", "mean"])
    assert [got["n_weighted"], got["n_person"]] == ["30000", "30"]


def test_money_as_weights_does_not_come_out_as_a_count() -> None:
    frame = persons_per_group(a=30)
    assert weighted(frame, frame["pay"].to_numpy(), ["n_weighted"]) == {"n_weighted": "750000"}  # 659,595 to 250,000


@pytest.mark.parametrize("name", ["mean", "sum", "var", "sd"])
def test_a_true_or_false_column_leaves_as_a_share(name: str) -> None:
    frame = persons_per_group(a=60).assign(graduate=np.arange(60) % 3 == 0)
    table = aggregate(frame, "graduate", by=BY, statistics=[name, "share"], person="person")
    with pytest.raises(
        DisclosureError, match=f"'graduate' has no unit, so '{name}'.*true/false column release 'share'"
    ):
        protect(table, BASE)
    assert protect(aggregate(frame, "graduate", by=BY, statistics="share", person="person"), BASE).texts == {
        "share": ("33.3",)
    }


def test_weighted_percentiles_need_persons_beyond_them() -> None:
    frame = persons_per_group(a=40)
    rising = np.where(np.arange(40) < 31, 1.0, 20.0)  # half of the weight lies with the last persons
    got = weighted(frame, rising, ["p10", "p50", "mean"])
    assert [text == "c" for text in got.values()] == [True, True, False]
    assert "c" not in weighted(frame, np.full(40, 3.7), ["p25", "p50", "p75", "mean"]).values()


def test_large_numbers_are_written_without_exponent() -> None:
    assert Rounding("GBP/year", "sigfig", 3).text(1.23456e21) == "1230000000000000000000"
    assert Rounding("GBP/year", "multiple", 100).text(1e15 + 49) == "1000000000000000"


def test_a_column_without_a_unit_is_refused_with_the_remedy() -> None:
    table = table_of(persons_per_group(a=40), "pay", BY, ["mean"], unit=None)
    with pytest.raises(DisclosureError, match=r"column 'pay' has no unit.*units=\{'pay': 'GBP/year'\}"):
        protect(table, BASE)


@pytest.mark.parametrize("unit", ["GBP/week", "GBP", "gbp/year", "pounds", "", "GBP/year "])
def test_an_unknown_unit_is_refused_by_name(unit: str) -> None:
    with pytest.raises(DisclosureError, match=f"unit '{unit}'"):
        protect(table_of(persons_per_group(a=40), "pay", BY, ["mean"], unit=unit), BASE)


def test_counts_need_no_unit() -> None:
    table = table_of(persons_per_group(a=40), None, BY, ["n_person", "n_obs"])
    assert protect(table, BASE).texts == {"n_person": ("40",), "n_obs": ("40",)}


# ---- policies


@pytest.mark.parametrize(
    "looser",
    [
        {"min_persons": 9},
        {"tail_persons": 1},
        {"count_base": 1},
        {"money_base": 10},
        {"money_sigfig": 4},
        {"ratio_sigfig": 9},
        {"pct_dp": 2},
        {"dominance_share": 0.95},
        {"dominance_share": -0.1},
        {"dominance_share": float("nan")},
        {"dominance_share": True},
        {"log_dp": 3},
        {"min_persons": True},
        {"min_persons": 10.5},
        {"money_sigfig": 0},
        {"marker": "0"},
    ],
)
def test_a_looser_or_malformed_policy_cannot_be_made(looser: dict) -> None:
    with pytest.raises(DisclosureError, match=f"policy: .*{next(iter(looser))}"):
        Policy("mine", **looser)


def test_a_stricter_policy_holds() -> None:
    table = table_of(persons_per_group(a=29, b=30), "pay", BY, ["n_person", "mean"], unit="GBP/year")
    strict = Policy("strict", min_persons=30, count_base=10, money_base=1000, marker="low")
    assert protect(table, strict).texts == {"n_person": ("low", "30"), "mean": ("low", "26000")}


def test_a_policy_may_ask_for_less_dominance() -> None:
    frame = persons_per_group(a=12)
    frame.loc[:1, "pay"] = 200_000.0  # two of twelve hold six tenths
    table = table_of(frame, "pay", BY, ["n_person", "mean"], unit="GBP/year")
    assert protect(table, BASE).texts["mean"] != ("c",)
    assert protect(table, Policy("tight", dominance_share=0.5)).texts == {"n_person": ("10",), "mean": ("c",)}


def test_a_built_in_name_keeps_its_values() -> None:
    with pytest.raises(DisclosureError, match="'ons-srs' is a built-in policy"):
        Policy("ons-srs", min_persons=30)


@pytest.mark.parametrize("policy", ["ons", "", "ONS-SRS"])
def test_an_unknown_policy_lists_the_known(policy: str, tmp_path: Path) -> None:
    table = table_of(persons_per_group(a=40), None, BY, ["n_person"])
    with pytest.raises(DisclosureError, match=r"known are \['ons-srs'\]"):
        release({"a": table}, policy=policy, to=tmp_path / "out")


# ---- what is taken


@pytest.mark.parametrize(
    "inside", [pd.DataFrame({"pay": [98765.43]}), np.array([98765.43]), {"pay": 98765.43}, 98765.43]
)
def test_only_results_are_taken_and_others_named_by_type(inside: object, tmp_path: Path) -> None:
    with pytest.raises(DisclosureError, match=f"output 'a' is a {type(inside).__name__}") as caught:
        release({"a": inside}, policy="ons-srs", to=tmp_path / "out")  # type: ignore[dict-item]
    assert "98765" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("results", [None, [], "abc", {}])
def test_results_come_as_a_filled_mapping(results: object, tmp_path: Path) -> None:
    with pytest.raises(DisclosureError, match="mapping"):
        release(results, policy="ons-srs", to=tmp_path / "out")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Pay", "a b", "../a", "a/b", "", "a.csv", "con", "a\x00", "pay\n", "-a", 7])
def test_a_name_that_is_not_a_plain_file_name_is_refused(name: str, tmp_path: Path) -> None:
    table = table_of(persons_per_group(a=40), None, BY, ["n_person"])
    with pytest.raises(DisclosureError, match="file name"):
        release({name: table}, policy="ons-srs", to=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_two_outputs_cannot_share_a_file(tmp_path: Path) -> None:
    table = table_of(persons_per_group(a=40), None, BY, ["n_person"])
    chart = Chart("trajectory", table, x="group", line="n_person")
    with pytest.raises(DisclosureError, match=r"'a_data\.csv'"):
        release({"a": chart, "a_data": table}, policy="ons-srs", to=tmp_path / "out")


# ---- files


@pytest.fixture
def table():
    frame = persons_per_group(
        **{"=cmd|' /C calc'!A0": 40, "+a": 40, "@b": 40, "-c": 40, "\td": 40, 'quote", comma\nline': 40}
    )
    return table_of(frame, "pay", BY, ["n_person", "p50"], unit="GBP/year")


def test_labels_cannot_become_formulas(table, tmp_path: Path) -> None:
    release({"pay": table}, policy="ons-srs", to=tmp_path / "out")
    labels = [row[0] for row in read_csv(tmp_path / "out" / "pay.csv")[1:]]
    assert labels == [r"\td", "'+a", "'-c", "'=cmd|' /C calc'!A0", "'@b", r'quote", comma\nline']


STEERING = ["a\nb", "a\rb", "a\x1bb", "a\u2028b", "a\u202eb", "a b", "a\xa0b", "école"]


def test_no_name_or_label_writes_lines_of_its_own(tmp_path: Path) -> None:
    frame = persons_per_group(**{label: 40 for label in STEERING})
    frame = frame.rename(columns={"group": "gr\nPolicy: none", "pay": "pay\r\n\nOutput: all of it"})
    table = table_of(frame, frame.columns[2], [frame.columns[1]], ["n_person", "p50"], unit="GBP/year")
    chart = Chart("trajectory", table, x=frame.columns[1], line="p50", title="a\nb", x_label="c\nd", y_label="e\x00f")
    release({"pay": table, "lines": chart}, policy="ons-srs", to=tmp_path / "out")
    text = (tmp_path / "out" / "pay.csv").read_bytes()
    assert len(text.splitlines()) == 1 + len(STEERING)
    header, *rows = read_csv(tmp_path / "out" / "pay.csv")
    assert header == [r"gr\nPolicy: none", "n_person", "p50"]
    written = [r"a\nb", r"a\rb", r"a\x1bb", r"a\u2028b", r"a\u202eb", r"a b", "a\xa0b", "école"]
    assert sorted(row[0] for row in rows) == sorted(written)
    assert [len(row) for row in rows] == [3] * len(rows)
    readme = (tmp_path / "out" / "README.txt").read_text().splitlines()
    assert [line for line in readme if line.startswith(("Policy:", "Output:"))] == [
        "Policy: ons-srs",
        "Output: pay (pay.csv)",
        "Output: lines (lines.png, lines_data.csv)",
    ]
    assert readme.count("  pay Output: all of it by gr Policy: none, 8 cells") == 2


def test_names_that_are_written_alike_are_refused() -> None:
    frame = persons_per_group(a=40).assign(**{"gr\n": 1, r"gr\n": 2})
    table = protect(table_of(frame, None, ["gr\n", r"gr\n"], ["n_person"]), BASE)
    with pytest.raises(DisclosureError, match="two columns of the file would share a name"):
        csv_bytes(table)


def test_negative_numbers_are_not_escaped(tmp_path: Path) -> None:
    frame = persons_per_group(a=40).assign(group=-1)
    frame["pay"] = -frame["pay"]
    release({"pay": table_of(frame, "pay", BY, ["p50"], unit="GBP/year")}, policy="ons-srs", to=tmp_path / "out")
    assert read_csv(tmp_path / "out" / "pay.csv")[1] == ["-1", "-22700"]


def test_release_writes_what_it_says(table, tmp_path: Path) -> None:
    chart = Chart("trajectory", table, x="group", line="p50")
    released = release({"pay": table, "lines": chart}, policy="ons-srs", to=str(tmp_path / "out"))
    assert isinstance(released, Released)
    assert sorted(os.listdir(tmp_path / "out")) == sorted(released.files)
    assert released.files == ("README.txt", "pay.csv", "lines.png", "lines_data.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert released.suppressed == {"pay": {"n_person": 0, "p50": 0}, "lines": {"n_person": 0, "p50": 0}}
    assert "4 files" in repr(released)
    assert "pay: 6 cells; hidden: n_person 0, p50 0" in repr(released)


def test_the_readme_states_policy_rounding_and_what_is_hidden(tmp_path: Path) -> None:
    sizes = {f"g{n:02}": 9 if n < 3 else 25 for n in range(20)}
    results = {"pay": table_of(persons_per_group(**sizes), "pay", BY, ["n_person", "p75"], unit="GBP/year")}
    release(results, policy="ons-srs", to=tmp_path / "out")
    text = (tmp_path / "out" / "README.txt").read_text()
    assert "prepared for an output check" in text
    assert "cleared" not in text
    assert "Policy: ons-srs" in text
    assert "tail_persons = 10" in text
    assert "dominance_share = 0.9" in text
    assert "n_person: count, to the nearest 5; under 5 (15 per cent) hidden" in text
    assert "p75: GBP/year, to the nearest 100; about 20 (100 per cent) hidden" in text
    assert "about 15: fewer persons strictly beyond a percentile" in text


def test_the_readme_says_that_one_person_dominates(tmp_path: Path) -> None:
    frame = persons_per_group(a=30, b=30)
    frame.loc[0, "pay"] = 98_765_432.0
    table = table_of(frame, "pay", BY, ["n_person", "mean"], unit="GBP/year")
    release({"pay": table}, policy="ons-srs", to=tmp_path / "out")
    text = (tmp_path / "out" / "README.txt").read_text()
    assert "under 5: two persons make up nearly the whole of the total" in text
    assert "987" not in text + (tmp_path / "out" / "pay.csv").read_text()


def test_hidden_cells_are_counted_roughly() -> None:
    assert [rounded_count(n) for n in (0, 1, 4, 5, 12, 13, 1003)] == [
        "0",
        "under 5",
        "under 5",
        "about 5",
        "about 10",
        "about 15",
        "about 1,005",
    ]


def test_the_same_release_has_the_same_bytes(table, tmp_path: Path) -> None:
    for name in ("one", "two"):
        chart = Chart("trajectory", table, x="group", line="p50", title="Pay")
        release({"pay": table, "lines": chart}, policy="ons-srs", to=tmp_path / name)
    files = sorted(os.listdir(tmp_path / "one"))
    assert len(files) == 4
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("existing", ["folder", "file", "dangling link"])
def test_an_existing_target_is_refused_and_kept(existing: str, table, tmp_path: Path) -> None:
    to = tmp_path / "out"
    match existing:
        case "folder":
            to.mkdir()
        case "file":
            to.write_text("kept")
        case _:
            to.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DisclosureError, match="exists already"):
        release({"pay": table}, policy="ons-srs", to=to)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert existing != "file" or to.read_text() == "kept"


@pytest.mark.parametrize("to", ["no/such/out", "out\x00"])
def test_an_impossible_target_is_refused(to: str, table, tmp_path: Path) -> None:
    with pytest.raises(DisclosureError):
        release({"pay": table}, policy="ons-srs", to=tmp_path / to)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", [1, 2, 3])
@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), MemoryError()]
)
def test_a_failed_release_leaves_nothing(
    failing: int, failure: BaseException, table, tmp_path: Path, monkeypatch
) -> None:
    written: list[Path] = []

    def write(path: Path, content: bytes) -> None:
        written.append(path)
        path.write_bytes(content[:10])
        if len(written) == failing:
            raise failure

    monkeypatch.setattr(bundle, "_write_file", write)
    chart = Chart("trajectory", table, x="group", line="p50")
    expected = DisclosureError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected, match="No space left on device" if expected is DisclosureError else None):
        release({"pay": table, "lines": chart}, policy="ons-srs", to=tmp_path / "out")
    assert len(written) == failing
    assert list(tmp_path.iterdir()) == []


def test_a_refused_output_stops_all_others(table, tmp_path: Path) -> None:
    bad = table_of(persons_per_group(a=40), "pay", BY, ["mean"], unit=None)
    with pytest.raises(DisclosureError, match="output 'bad'"):
        release({"good": table, "bad": bad}, policy="ons-srs", to=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_no_row_and_no_exact_statistic_is_in_any_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    frame = persons_per_group(a=43, b=9, d=120)
    frame["pay"] = np.round(rng.uniform(12_001, 60_000, len(frame)), 2)
    frame["person"] = frame["person"] + 7_000_001
    statistics = ["n_person", "n_obs", "mean", "sd", "var", "sum", "p25", "p50", "p75", "iqr"]
    result = table_of(frame, "pay", BY, statistics, unit="GBP/year")
    chart = Chart("trajectory", result, x="group", line="p50", band=("p25", "p75"))
    release({"pay": result, "lines": chart}, policy="ons-srs", to=tmp_path / "out")
    everything = b"\n".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    exact = [*frame["pay"], *frame["person"], *(x for name in statistics[2:] for x in result.statistics[name])]
    for number in exact:
        for text in (repr(float(number)), f"{number:.2f}", f"{number:.0f}"):
            assert text.encode() not in everything
        for kind in (np.float64, np.float32):
            assert kind(number).tobytes() not in everything


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_scale_of_the_weights_hides_nothing_and_shows_nothing(scale: float) -> None:
    even = persons_per_group(a=60)
    assert "c" not in weighted(even, np.full(60, scale), ["mean", "sum", "sd", "var"]).values()
    rich = even.assign(pay=np.where(even["person"] == even["person"].iloc[0], 1e9, even["pay"]))
    assert set(weighted(rich, np.full(60, scale), ["mean", "sum", "sd", "var"]).values()) == {"c"}
