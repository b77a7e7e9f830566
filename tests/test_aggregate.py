"""Every statistic of aggregate() against twins written from definitions, NumPy, pandas and R's documented values."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from aggregate_cases import cell_index, earnings, panel_of
from reference_aggregates import NUMPY_METHODS, cells_of, gini, percentile, statistic, top_share
from reference_table import table_of

import leoreturns as lr

RTOL = 1e-12  # the bar of the package for statistics
BY = ["tax_year", "sex", "region"]
PERCENTILES = [f"p{number}" for number in range(1, 100)]
SPREAD = ["p5", "p10", "p25", "p50", "p75", "p90", "p95"]
ORDERED = ["gini", "top1", "top5", "top10", "top20", "top50"]
RATIOS = ["iqr", "p90/p10", "p75/p25", "p50/p10"]
MOMENTS = ["n_weighted", "sum", "mean", "var", "sd"]


def one_cell(values: object, statistics: list[str] | str, **options: object) -> dict[str, float]:
    """Statistics of a column of numbers as one cell; with `weights` given as an array and a kind."""
    frame = pd.DataFrame({"x": np.asarray(values)})
    if "weights" in options:
        weights, kind = options.pop("weights")  # type: ignore[misc]
        frame["w"] = weights
        options["weights"] = lr.Weights("w", kind)
    table = lr.aggregate(frame, "x", statistics=statistics, **options)  # type: ignore[arg-type]
    return {name: column[0] for name, column in table.statistics.items()}


def assert_close(got: object, wanted: object, scale: float = 0.0) -> None:
    """Equal at 1e-12 of the number, or of what it was computed from where that cancels."""
    np.testing.assert_allclose(got, wanted, rtol=RTOL, atol=RTOL * scale)


# ---- whole tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [[], ["sex"], ["tax_year"], ["region", "sex"], ["sex", "region", "tax_year", "cohort"]])
def test_a_table_has_the_cells_and_statistics_of_pandas(by: list[str]) -> None:
    frame = earnings(seed=len(by))
    names = ["n_obs", "n_value", "n_person", "sum", "mean", "var", "sd", "p25", "p50", "p90", "iqr"]
    table = lr.aggregate(panel_of(frame), "pay", by=by, statistics=names)
    wanted = table_of(frame.dropna(subset=by), "pay", by, names)
    assert cell_index(table) == cell_index(wanted)
    for name in names:
        assert_close(table.statistics[name], wanted.statistics[name], scale=1e4)
    assert {name: table.statistics[name].dtype.kind for name in ("n_obs", "n_person", "sum")} == {
        "n_obs": "i",
        "n_person": "i",
        "sum": "f",
    }


def test_the_frame_is_pandas_groupby() -> None:
    frame = earnings(seed=5)
    table = lr.aggregate(panel_of(frame), "pay", by=["sex", "tax_year"], statistics=["n_obs", "n_value", "mean", "p50"])
    grouped = frame.groupby(["sex", "tax_year"])["pay"]
    wanted = grouped.agg(n_obs="size", n_value="count", mean="mean", p50="median").reset_index()
    pd.testing.assert_frame_equal(table.to_frame(), wanted, rtol=RTOL, check_dtype=False)


def test_keys_come_in_the_callers_order_whatever_their_level() -> None:
    frame = earnings(seed=6)
    panel = panel_of(frame)
    for by in (["tax_year", "sex"], ["sex", "tax_year"], ["region", "cohort", "tax_year"]):
        table = lr.aggregate(panel, "pay", by=by, statistics="n_obs")
        wanted = frame.dropna(subset=by).groupby(by).size()
        assert list(table.keys) == by
        assert cell_index(table) == [key if isinstance(key, tuple) else (key,) for key in wanted.index]
        assert table.statistics["n_obs"].tolist() == wanted.tolist()


@pytest.mark.parametrize("rule", range(1, 10))
def test_every_statistic_of_every_cell(rule: int) -> None:
    frame = earnings(seed=20 + rule)
    names = [*MOMENTS, *SPREAD, *RATIOS, *ORDERED]
    for column in ("pay", "gross"):
        table = lr.aggregate(panel_of(frame), column, by=BY, statistics=names, quantile_rule=rule)
        for at, part in enumerate(cells_of(frame, BY).values()):
            values = part[column].dropna().to_numpy()
            for name in names:
                wanted = statistic(name, values, rule=rule)
                assert_close(table.statistics[name][at], wanted, scale=np.abs(values).max(initial=1.0))


@pytest.mark.parametrize("kind", ["frequency", "probability"])
@pytest.mark.parametrize("rule", range(1, 10))
def test_every_weighted_statistic_of_every_cell(rule: int, kind: str) -> None:
    if (rule, kind) == (3, "probability"):
        pytest.skip("type 3 has no form under probability weights")
    frame = earnings(seed=40 + rule)
    weight = "count" if kind == "frequency" else "chance"
    names = [*MOMENTS, *SPREAD, *RATIOS, *ORDERED]
    for column, by in (("pay", ["region"]), ("gross", ["sex", "tax_year"])):
        table = lr.aggregate(
            panel_of(frame), column, by=by, statistics=names, quantile_rule=rule, weights=lr.Weights(weight, kind)
        )
        # Equal values stand in the panel's order, which the interpolating rules see in their weights.
        rows = panel_of(frame).to_frame()
        for at, part in enumerate(cells_of(rows, by).values()):
            known = part[part[column].notna() & (part[weight] > 0)]
            values, weights = known[column].to_numpy(), known[weight].to_numpy(np.float64)
            for name in names:
                wanted = statistic(name, values, rule=rule, weights=weights, kind=kind)
                assert_close(table.statistics[name][at], wanted, scale=np.abs(values).max(initial=1.0))


# ---- percentiles ----------------------------------------------------------------------------------------------------

# R's quantile(c(1, 2, 4, 7, 11, 16, 22, 29, 37, 46), c(5, 10, 25, 35, 50, 75, 90, 95) / 100, type = 1 ... 9), worked
# by hand from the formulas of its help page (those of Hyndman and Fan).
TRIANGULAR = [1, 2, 4, 7, 11, 16, 22, 29, 37, 46]
AT = [5, 10, 25, 35, 50, 75, 90, 95]
R_QUANTILES = {
    1: [1, 1, 4, 7, 11, 29, 37, 46],
    2: [1, 1.5, 4, 7, 13.5, 29, 41.5, 46],
    3: [1, 1, 2, 7, 11, 29, 37, 46],
    4: [1, 1, 3, 5.5, 11, 25.5, 37, 41.5],
    5: [1, 1.5, 4, 7, 13.5, 29, 41.5, 46],
    6: [1, 1.1, 3.5, 6.55, 13.5, 31, 45.1, 46],
    7: [1.45, 1.9, 4.75, 7.6, 13.5, 27.25, 37.9, 41.95],
    8: [1, 1 + 1.1 / 3, 3 + 2.5 / 3, 6.85, 13.5, 29 + 2 / 3, 42.7, 46],
    9: [1, 1.4, 3.875, 6.8875, 13.5, 29.5, 42.4, 46],
}


@pytest.mark.parametrize("rule", range(1, 10))
def test_percentiles_are_those_of_r(rule: int) -> None:
    shuffled = np.random.default_rng(rule).permutation(TRIANGULAR)
    got = one_cell(shuffled, [f"p{number}" for number in AT], quantile_rule=rule)
    assert_close(list(got.values()), R_QUANTILES[rule])
    assert_close([percentile(TRIANGULAR, number, rule) for number in AT], R_QUANTILES[rule])


@pytest.mark.parametrize("rule", range(1, 10))
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 10, 20, 39, 40, 41, 42, 99, 100, 101, 250, 1000])
def test_all_percentiles_at_once(n: int, rule: int) -> None:
    values = np.random.default_rng(n).lognormal(10, 1, n)
    got = np.array(list(one_cell(values, PERCENTILES, quantile_rule=rule).values()))
    assert_close(got, [percentile(values, number, rule) for number in range(1, 100)])
    if rule in NUMPY_METHODS:
        # 100 * 0.07 is above 7 in floating point, and NumPy then takes the next value; the steps are left to the twin.
        compared = [number for number in range(1, 100) if rule > 2 or n * number % 100]
        wanted = np.percentile(values, compared, method=NUMPY_METHODS[rule])
        assert_close(got[np.array(compared, dtype=int) - 1], wanted)


def test_rule_seven_is_the_default_and_that_of_pandas() -> None:
    values = np.random.default_rng(0).normal(size=777)
    got = one_cell(values, PERCENTILES)
    assert_close(list(got.values()), pd.Series(values).quantile(np.arange(1, 100) / 100).to_numpy(), scale=1.0)


@pytest.mark.parametrize("rule", [1, 2, 3, 5, 7])
def test_a_percentile_on_a_step_is_found_at_large_n(rule: int) -> None:
    # n p is whole for every percentile, though 0.07 * 1,000,000 is not in floating point.
    n = 1_000_000
    values = np.random.default_rng(1).permutation(n).astype(np.float64)
    got = np.array(list(one_cell(values, PERCENTILES, quantile_rule=rule).values()))
    rank = np.arange(1, 100) * n // 100  # 1-based; sorted values are 0, 1, 2, ...
    wanted = {1: rank - 1, 2: rank - 0.5, 3: rank - 1, 5: rank - 0.5, 7: np.arange(1, 100) * Fraction(n - 1, 100)}[rule]
    assert_close(got, np.asarray(wanted, dtype=np.float64))


ROWS_OF_VALUES = {
    "all equal": np.full(500, 123.45),
    "two values": np.r_[np.full(300, 1.0), np.full(200, 2.0)],
    "few ties": np.random.default_rng(0).integers(0, 5, 2000).astype(float),
    "zeros and negatives": np.random.default_rng(1).integers(-3, 4, 1000) * 0.5,
    "both zeros": np.r_[np.full(60, -0.0), np.full(60, 0.0), -1.0, 1.0],
    "every exponent": np.random.default_rng(2).normal(size=3000)
    * 2.0 ** np.random.default_rng(3).integers(-900, 900, 3000),
    "all but one equal": np.r_[np.full(5000, 7.0), 7.0 + 2**-40],
    "all but one tiny": np.r_[np.full(3000, 5e-324), 1.7e308],
    "one far below": np.r_[-1.7e308, np.random.default_rng(4).normal(size=4000)],
    "neighbouring floats": 1.0 + np.arange(3000) * 2.0**-52,
    "two clusters of neighbours": np.r_[1.0 + np.arange(1500) * 2.0**-52, 1e200 * (1 + np.arange(1500) * 2.0**-52)],
    "denormals": np.random.default_rng(5).integers(0, 4000, 3000) * 5e-324,
    "negative exponents": -(2.0 ** np.random.default_rng(6).integers(-1000, 1000, 3000).astype(float)),
    "minimum wage": np.r_[np.random.default_rng(7).lognormal(10, 1, 3500), np.full(1500, 15_000.0)],
}


@pytest.mark.parametrize("name", ROWS_OF_VALUES)
def test_order_statistics_are_selected_exactly(name: str) -> None:
    values = np.random.default_rng(9).permutation(ROWS_OF_VALUES[name])
    got = one_cell(values, PERCENTILES, quantile_rule=1)
    ranks = -(-np.arange(1, 100) * len(values) // 100)  # 1-based, rounded up
    assert list(got.values()) == np.sort(values)[ranks - 1].tolist()  # bit for bit: type 1 takes values of the data
    if name != "all but one tiny":
        between = one_cell(values, PERCENTILES, quantile_rule=8)
        exact = [percentile(values, number, 8) for number in range(1, 100)]
        assert_close(list(between.values()), exact, scale=2**-1000)


def test_both_zeros_are_one_value() -> None:
    for values in ([-0.0, 0.0, -0.0], [-0.0] * 4, [-0.0] * 5 + [3.0], [-1.0] + [-0.0] * 9):
        got = one_cell(values, ["p50", "p75"])
        assert [math.copysign(1.0, value) for value in got.values()] == [1.0] * 2
    got = one_cell([-0.0] * 3, ["sum", "mean", "p10"])
    assert [math.copysign(1.0, value) for value in got.values()] == [1.0] * 3


@pytest.mark.parametrize("n", [1, 2, 3])
def test_cells_of_one_two_and_three_values(n: int) -> None:
    values = np.array([30.0, 10.0, 20.0])[:n]
    names = [*MOMENTS, *SPREAD, *RATIOS, *ORDERED]
    for rule in range(1, 10):
        got = one_cell(values, names, quantile_rule=rule)
        assert_close(list(got.values()), [statistic(name, values, rule=rule) for name in names])


# ---- sums and moments -----------------------------------------------------------------------------------------------


def test_whole_pounds_add_up_exactly() -> None:
    values = np.random.default_rng(0).integers(-(2**52), 2**52, 100_001)
    got = one_cell(values, ["sum", "mean"])
    exact = sum(values.tolist())
    assert got["sum"] == float(exact)
    assert_close(got["mean"], float(Fraction(exact, len(values))))


def test_pence_add_up_to_the_sum_rounded_once() -> None:
    pence = np.random.default_rng(1).integers(1, 10**7, 300_000)
    values = pence / 100
    assert one_cell(values, "sum")["sum"] == math.fsum(values)
    # The cells of a table add up to its total, as exact numbers of pence.
    frame = pd.DataFrame({"pay": values, "cell": np.arange(len(values)) % 7})
    parts = lr.aggregate(frame, "pay", by="cell", statistics="sum").statistics["sum"]
    assert sum(round(part * 100) for part in parts) == pence.sum()


def wild(kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 300))
    normal = rng.normal(size=n)
    if kind == "1e-300 to 1e300":
        return normal * 10.0 ** rng.integers(-300, 300, n)
    if kind == "cancelling":
        big = normal * 10.0 ** rng.integers(-20, 20, n)
        return rng.permutation(np.r_[big, -big, rng.normal() * 1e-290])
    if kind == "denormal":
        return rng.integers(-1000, 1000, n) * 5e-324
    if kind == "half units":  # 1 + 2**-53 + 2**-200 must round up, 1 + 2**-53 - 2**-200 down
        return rng.choice([1.0, -1.0], n) * 2.0 ** rng.choice([0, -52, -53, -54, -106, -107, -200, -1074], n)
    return np.where(np.arange(n) % 2, 1.0, -1.0) * rng.lognormal(0, 12, n)  # alternating


@pytest.mark.parametrize("kind", ["1e-300 to 1e300", "cancelling", "denormal", "half units", "alternating"])
def test_sums_are_exact_to_the_last_bit(kind: str) -> None:
    cells = [wild(kind, seed) for seed in range(200)]
    frame = pd.DataFrame({"x": np.concatenate(cells), "cell": np.repeat(np.arange(200), [len(x) for x in cells])})
    got = lr.aggregate(frame, "x", by="cell", statistics="sum").statistics["sum"]
    assert got.tolist() == [math.fsum(values) for values in cells]


@pytest.mark.parametrize(
    "values", [[1.0, 2.0**-53, 2.0**-200], [1.0, 2.0**-53, -(2.0**-200)], [1.0 + 2**-52, 2.0**-53]]
)
def test_a_sum_that_lies_half_way_is_rounded_by_what_lies_below(values: list[float]) -> None:
    assert one_cell(values, "sum")["sum"] == math.fsum(values)


def test_sums_too_large_to_split_are_compensated() -> None:
    huge = [1.5e308, -1e308, 3e290, -0.5e308, 1.0]
    assert one_cell(huge, "sum")["sum"] == math.fsum(huge)
    assert not math.isfinite(one_cell([1.7e308] * 3, "sum")["sum"])  # beyond the range: never a wrong finite number


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9, -1e12])
def test_a_variance_far_from_zero_keeps_its_digits(offset: float) -> None:
    values = np.random.default_rng(2).normal(size=2001) + offset  # mean / sd up to 1e12
    got = one_cell(values, ["var", "sd", "mean"])
    exact = statistic("var", values)
    assert_close([got["var"], got["sd"]], [exact, math.sqrt(exact)])
    assert_close(got["mean"], math.fsum(values) / len(values))


def test_a_variance_of_a_million_rows_with_an_offset() -> None:
    n = 1_000_000
    values = 1e8 + (np.arange(n) % 10)  # variance of 0..9 each n / 10 times: 8.25 n / (n - 1)
    got = one_cell(np.random.default_rng(3).permutation(values), ["mean", "var"])
    assert got["mean"] == 1e8 + 4.5
    assert_close(got["var"], 8.25 * n / (n - 1))


def test_equal_values_have_no_spread() -> None:
    got = one_cell(np.full(7, 0.1), ["mean", "var", "sd", "iqr"])
    assert got == {"mean": 0.1, "var": 0.0, "sd": 0.0, "iqr": 0.0}


# ---- concentration --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "index"),
    [([1, 1, 1, 1], 0.0), ([0, 0, 0, 1], 0.75), ([1, 3], 0.25), ([0, 1, 2, 3, 4], 0.4), ([5], 0.0)],
)
def test_gini_of_known_distributions(values: list[float], index: float) -> None:
    assert_close(one_cell(np.array(values, float), "gini")["gini"], index, scale=1.0)


def test_top_shares_of_known_distributions() -> None:
    equal = one_cell(np.full(1000, 3.7), ["top1", "top10", "top50"])
    assert_close(list(equal.values()), [0.01, 0.1, 0.5])
    one_has_all = one_cell(np.r_[np.zeros(99), 1.0], ["top1", "top50"])
    assert_close(list(one_has_all.values()), [1.0, 1.0])
    # Half of the one row that the top 10 per cent of five rows takes a part of.
    assert_close(one_cell([1.0, 1.0, 1.0, 1.0, 6.0], "top10")["top10"], 0.3)


@pytest.mark.parametrize("values", [[-1.0, 2.0, 3.0], [0.0, 0.0]])
def test_concentration_is_not_defined_for_losses_and_nothing(values: list[float]) -> None:
    assert all(math.isnan(value) for value in one_cell(values, ["gini", "top10"]).values())


def test_concentration_keeps_its_digits_over_many_equal_values() -> None:
    got = one_cell(np.full(1_000_000, 0.1), ["gini", "top10", "top25"])
    assert_close(list(got.values()), [0.0, 0.1, 0.25], scale=1.0)
    assert_close([got["top10"], got["top25"]], [0.1, 0.25])


def test_gini_and_top_shares_of_a_long_tail() -> None:
    values = np.random.default_rng(4).pareto(1.2, 900) + 1
    got = one_cell(values, ["gini", "top1", "top10"])
    assert_close(list(got.values()), [gini(values), top_share(values, 1), top_share(values, 10)])


# ---- weights --------------------------------------------------------------------------------------------------------

ALL = [*MOMENTS, *SPREAD, *RATIOS, *ORDERED]


@pytest.mark.parametrize("rule", range(1, 10))
def test_frequency_weights_stand_for_repeated_rows(rule: int) -> None:
    rng = np.random.default_rng(rule)
    values, weights = np.round(rng.lognormal(8, 1, 120), 0), rng.integers(0, 6, 120)
    weighted = one_cell(values, ALL, weights=(weights, "frequency"), quantile_rule=rule)
    repeated = one_cell(np.repeat(values, weights), ALL, quantile_rule=rule)
    assert_close(list(weighted.values()), list(repeated.values()))


@pytest.mark.parametrize("weight", [1.0, 0.1, 3.0, 1e-9, 1e12])
@pytest.mark.parametrize("rule", [1, 2, 4, 5, 6, 7, 8, 9])
def test_equal_probability_weights_change_nothing(rule: int, weight: float) -> None:
    names = [name for name in [*ALL, *PERCENTILES] if name not in ("sum", "n_weighted")]
    values = np.random.default_rng(rule).lognormal(8, 1, 400)
    weighted = one_cell(
        values, list(dict.fromkeys(names)), weights=(np.full(400, weight), "probability"), quantile_rule=rule
    )
    plain = one_cell(values, list(dict.fromkeys(names)), quantile_rule=rule)
    assert_close(list(weighted.values()), list(plain.values()))


@pytest.mark.parametrize("rule", [1, 2, 4, 5, 6, 7, 8, 9])
def test_equal_weights_meet_the_steps_at_large_n(rule: int) -> None:
    # A hundred thousand 0.1 do not add up to ten thousand in floating point.
    values = np.random.default_rng(rule).permutation(100_000).astype(np.float64)
    weighted = one_cell(values, PERCENTILES, weights=(np.full(100_000, 0.1), "probability"), quantile_rule=rule)
    assert_close(list(weighted.values()), list(one_cell(values, PERCENTILES, quantile_rule=rule).values()))


def test_the_two_kinds_divide_the_squares_differently() -> None:
    values, weights = np.array([1.0, 2.0, 4.0]), np.array([1, 2, 3])
    squares = float(np.sum(weights * (values - 17 / 6) ** 2))
    assert_close(one_cell(values, "var", weights=(weights, "frequency"))["var"], squares / 5)
    assert_close(one_cell(values, "var", weights=(weights, "probability"))["var"], squares / (6 * 2 / 3))


def test_a_weight_of_zero_or_missing_carries_no_value() -> None:
    frame = earnings(seed=70)
    frame["w"] = np.where(frame["hours"] < 10, 0.0, np.where(frame["hours"] < 15, np.nan, 1.0))
    table = lr.aggregate(
        panel_of(frame), "pay", by="sex", statistics=["n_obs", "n_value", "mean"], weights=lr.Weights("w", "frequency")
    )
    used = frame[frame["w"] > 0].groupby("sex")["pay"]
    assert table.statistics["n_obs"].tolist() == frame.groupby("sex").size().tolist()
    assert table.statistics["n_value"].tolist() == used.count().tolist()
    assert_close(table.statistics["mean"], used.mean())


def test_weights_of_a_person_hold_in_every_year() -> None:
    frame = earnings(seed=71)
    frame["w"] = frame.groupby("person")["count"].transform("first") + 1
    panel = panel_of(frame)
    assert panel.column("w").level == "person"
    table = lr.aggregate(panel, "pay", by="tax_year", statistics="mean", weights=lr.Weights("w", "probability"))
    known = frame.dropna(subset=["pay"])
    sums = (known["pay"] * known["w"]).groupby(known["tax_year"]).sum() / known.groupby("tax_year")["w"].sum()
    assert_close(table.statistics["mean"], sums)


# ---- columns described ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "float32", "float64", "Int64", "Float64"]
)
def test_values_of_every_number_type(dtype: str) -> None:
    frame = earnings(seed=80)
    frame["x"] = frame["hours"].astype(dtype)
    wanted = frame.groupby("sex")["hours"].agg(["sum", "mean", "median"])
    got = lr.aggregate(panel_of(frame), "x", by="sex", statistics=["sum", "mean", "p50"]).statistics
    assert_close(np.array(list(got.values())), wanted.to_numpy().T)


def test_nullable_values_are_missing() -> None:
    frame = earnings(seed=81)
    frame["x"] = frame["hours"].astype("Int64").mask(frame["hours"] % 3 == 0)
    got = lr.aggregate(panel_of(frame), "x", by="sex", statistics=["n_obs", "n_value", "mean"]).statistics
    wanted = frame[frame["hours"] % 3 != 0].groupby("sex")["hours"]
    assert got["n_value"].tolist() == wanted.count().tolist()
    assert_close(got["mean"], wanted.mean())


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("keep", [None, True, False])
def test_a_share_is_that_of_true(keep: bool | None, missing: bool) -> None:
    frame = earnings(seed=82)
    frame["x"] = (frame["employed"] if keep is None else keep) & (frame["hours"] >= 0)
    frame["x"] = frame["x"].astype("boolean")
    if missing:
        frame["x"] = frame["x"].mask(frame["hours"] < 8)
    table = lr.aggregate(panel_of(frame), "x", by="tax_year", statistics=["n_value", "share", "mean", "sum"])
    grouped = frame.groupby("tax_year")["x"]
    assert table.statistics["n_value"].tolist() == grouped.count().tolist()
    assert table.statistics["sum"].tolist() == grouped.sum().tolist()
    assert_close(table.statistics["share"], grouped.mean().to_numpy(np.float64))
    assert_close(table.statistics["mean"], table.statistics["share"])


def test_a_trait_is_described_once_per_period() -> None:
    frame = earnings(seed=83)
    frame["age"] = frame["person"] % 40 + 20
    panel = panel_of(frame)
    assert panel.column("age").level == "person"
    table = lr.aggregate(panel, "age", by=["region", "sex"], statistics=["mean", "p50", "n_person"])
    grouped = frame.groupby(["region", "sex"])
    assert_close(table.statistics["mean"], grouped["age"].mean())
    assert_close(table.statistics["p50"], grouped["age"].median())
    assert table.statistics["n_person"].tolist() == grouped["person"].nunique().tolist()


def test_values_none_counts_rows_and_persons() -> None:
    frame = earnings(seed=84)
    table = lr.aggregate(panel_of(frame), None, by=["region", "sex"], statistics=["n_obs", "n_person"])
    grouped = frame.groupby(["region", "sex"])["person"]
    assert table.variable is None
    assert table.statistics["n_obs"].tolist() == grouped.size().tolist()
    assert table.statistics["n_person"].tolist() == grouped.nunique().tolist()
    assert table.evidence.n_person.tolist() == grouped.nunique().tolist()


def test_a_key_may_also_be_the_value_and_the_weight() -> None:
    frame = earnings(seed=85)
    table = lr.aggregate(
        panel_of(frame),
        "count",
        by="count",
        statistics=["mean", "n_weighted"],
        weights=lr.Weights("count", "frequency"),
    )
    sizes = frame["count"].value_counts().sort_index()
    np.testing.assert_array_equal(table.statistics["mean"], [np.nan, 1, 2, 3, 4])
    assert table.statistics["n_weighted"].tolist() == (sizes.index * sizes).tolist()


# ---- settings, flow, ownership --------------------------------------------------------------------------------------


def test_a_table_says_how_it_was_made() -> None:
    panel = panel_of(earnings(), units={"pay": "GBP/year"}, owners={"pay": "HMRC", "sex": "DfE", "hours": "DWP"})
    table = lr.aggregate(
        panel,
        "pay",
        by="sex",
        statistics="mean",
        quantile_rule=5,
        where="hours > 3",
        weights=lr.Weights("chance", "probability"),
    )
    assert (table.variable, table.unit, table.owners) == ("pay", "GBP/year", ("DfE", "HMRC"))
    assert table.settings == {
        "quantile_rule": 5,
        "weights": "probability weights chance",
        "where": "hours > 3",
        "missing": "drop",
        "cells": "observed",
    }


def test_the_flow_counts_what_a_missing_key_costs() -> None:
    frame = earnings(seed=90)
    # A person without any value is still a person.
    frame.loc[frame["person"] % 3 == 0, "pay"] = np.nan
    table = lr.aggregate(panel_of(frame), "pay", by=["region"], statistics="mean", where="hours >= 5")
    used = frame[frame["hours"] >= 5]
    kept = used.dropna(subset=["region"])
    steps = [(step.persons, step.rows) for step in table.flow.steps]
    assert steps == [(part["person"].nunique(), len(part)) for part in (frame, used, kept)]
    assert kept.groupby("person")["pay"].count().min() == 0
