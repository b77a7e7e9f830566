"""The door for uncertainty: what of errors, intervals, bands and contrasts is shown, and what it gives away."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference_intervals import PLAN, band_of, bootstrapped, contrast_of
from reference_table import table_of
from scipy import stats
from scipy.special import betainc

from leoreturns._typing import Contrast
from leoreturns.disclosure import Policy, release
from leoreturns.disclosure.contents import readme_bytes
from leoreturns.disclosure.contrasts import protect_contrast
from leoreturns.disclosure.protection import protect
from leoreturns.disclosure.rounding import Rounding
from leoreturns.errors import DisclosureError
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.chart import Chart
from leoreturns.results.interval import Interval
from leoreturns.results.protected import ProtectedTable

BASE = Policy("ons-srs")
PARTS = ("se", "low", "high")


def workers(n_person: int = 120, n_year: int = 3, seed: int = 5) -> pd.DataFrame:
    """Return skewed pay of persons over some years, by sex; women are two in five."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(n_person), n_year)
    year = np.tile(np.arange(2010, 2010 + n_year), n_person)
    pay = np.round(np.exp(rng.normal(10.0, 0.4, n_person))[person] * np.exp(rng.normal(0.0, 0.2, len(person))), 2)
    return pd.DataFrame({"person": person, "year": year, "sex": np.where(person % 5 < 2, "F", "M"), "pay": pay})


def made(
    frame: pd.DataFrame,
    name: str,
    *,
    error: Any = 500.0,
    width: float = 2.0,
    unit: str | None = "GBP/year",
    **plan: Any,
) -> Aggregate:
    """Return the table of one statistic by group, with a made-up interval of two errors on each side."""
    table = table_of(frame, "pay", ["group"], ["n_person", name], unit=unit)
    point = np.asarray(table.statistics[name], dtype=np.float64)
    error = np.broadcast_to(np.asarray(error, dtype=np.float64), point.shape).copy()
    zero = np.zeros(len(point))
    interval = Interval(error, point - width * error, point + width * error, zero, zero, zero.astype(np.int64))
    return replace(table, settings={"plan": {**PLAN, **plan}}, intervals={name: interval})


def group(n_person: int, name: str = "a", first: int = 0) -> pd.DataFrame:
    number = np.arange(first, first + n_person)
    return pd.DataFrame({"person": number, "group": name, "pay": 20_000.0 + 137 * (number - first)})


def with_units(table: Aggregate, name: str, n_units: np.ndarray | None) -> Aggregate:
    return replace(table, intervals={name: replace(table.intervals[name], n_units=n_units)})


def shown_of(table: Aggregate, policy: Policy = BASE) -> dict[str, bool]:
    """Return, for every column of a table of one cell, whether it is shown."""
    return {name: texts != (policy.marker,) for name, texts in protect(table, policy).texts.items()}


# ---- columns


def test_a_statistic_is_followed_by_its_uncertainty(tmp_path: Path) -> None:
    table, _ = bootstrapped(workers(), "pay", ["sex", "year"], ["n_person", "p50", "mean"], band="year")
    release({"pay": table}, policy="ons-srs", to=tmp_path / "out")
    header = (tmp_path / "out" / "pay.csv").read_text().splitlines()[0]
    parts = ["", "_se", "_low", "_high", "_band_low", "_band_high"]
    assert header.split(",") == ["sex", "year", "n_person", *(f"p50{p}" for p in parts), *(f"mean{p}" for p in parts)]
    assert header.split(",")[2:] == [name for name in table.to_frame().columns if name not in ("sex", "year")]


def test_parts_are_rounded_as_their_statistic_and_errors_to_two_figures() -> None:
    table = made(group(200), "mean", error=561.3)
    got = protect(table, BASE).columns
    assert [got[name].texts for name in ("mean", "mean_se", "mean_low", "mean_high")] == [
        ("33600",), ("560",), ("32500",), ("34800",),
    ]  # fmt: skip
    assert got["mean_se"].rounding == "2 significant figures"
    assert (got["mean_low"].unit, got["mean_low"].rounding) == ("GBP/year", "to the nearest 100")


@pytest.mark.parametrize(
    ("rounding", "number", "text"),
    [
        (Rounding("GBP/year", "multiple", 100), 607.2, "610"),
        (Rounding("GBP/year", "multiple", 100), 12.34, "12"),
        (Rounding("per cent", "decimals", 1, scale=100), 0.08563, "8.6"),
        (Rounding("per cent", "decimals", 1, scale=100), 0.000444, "0.044"),
        (Rounding("GBP/hour", "sigfig", 3), 0.12345, "0.12"),
        (Rounding("GBP/hour", "sigfig", 1), 0.12345, "0.1"),
    ],
)
def test_a_standard_error_is_never_nought_and_never_finer_than_two_figures(
    rounding: Rounding, number: float, text: str
) -> None:
    assert rounding.of_error(BASE).text(number) == text


def test_a_policy_may_ask_for_coarser_errors_and_no_finer() -> None:
    assert protect(made(group(200), "mean", error=561.3), Policy("one", error_sigfig=1)).texts["mean_se"] == ("600",)
    for figures in (3, 0):
        with pytest.raises(DisclosureError, match="policy: .*error_sigfig"):
            Policy("other", error_sigfig=figures)


@pytest.mark.parametrize("unit", ["GBP/year", "GBP/hour", "log"])
def test_a_rounded_interval_holds_the_rounded_estimate(unit: str) -> None:
    rng = np.random.default_rng(4)
    sizes = rng.integers(70, 200, 60)
    frame = pd.concat([group(n, f"{g:02}", 1000 * g) for g, n in enumerate(sizes)])
    scale = {"GBP/year": 1.0, "GBP/hour": 1 / 2000, "log": 1 / 10_000}[unit]
    frame["pay"] = (frame["pay"] + rng.uniform(0, 100, len(frame))) * scale
    table = made(frame, "p50", error=rng.uniform(1, 400, 60) * scale, width=1.0, unit=unit)
    got = protect(table, BASE)
    low, point, high = (got.numbers(name) for name in ("p50_low", "p50", "p50_high"))
    assert got.n_hidden("p50_low") == 0
    assert ((low <= point) & (point <= high)).all()
    assert ((low < point) & (point < high)).any()


# ---- what is hidden


def test_uncertainty_is_hidden_with_its_statistic_for_the_same_reason() -> None:
    frame = pd.concat([group(19, "few"), group(60, "many", 100)])
    table = replace(made(frame, "p50"), bands={})
    got = protect(table, BASE)
    assert [got.texts[name][0] for name in ("p50", *(f"p50_{part}" for part in PARTS))] == ["c"] * 4
    assert "c" not in {got.texts[name][1] for name in got.texts}
    assert {int(got.columns[f"p50_{part}"].hidden[0]) for part in PARTS} == {int(got.columns["p50"].hidden[0])}


@pytest.mark.parametrize(
    ("name", "level", "too_few"),
    [("p50", 0.95, 32), ("p50", 0.9999, 45), ("p25", 0.95, 68), ("p75", 0.95, 68), ("p90", 0.95, 173)],
)
def test_the_ends_of_an_interval_need_ten_persons_beyond_them(name: str, level: float, too_few: int) -> None:
    for n_person, expected in ((too_few, False), (too_few + 1, True)):
        shown = shown_of(made(group(n_person), name, level=level))
        assert shown == {"n_person": True, name: True, **{f"{name}_{part}": expected for part in PARTS}}


@pytest.mark.parametrize("percentile", [10, 25, 50, 90])
@pytest.mark.parametrize("level", [0.9, 0.99, 0.999999])
def test_shown_ends_leave_ten_persons_beyond_them_in_the_exact_distribution(percentile: int, level: float) -> None:
    alpha, n_shown = (1 - level) / 2, 0
    for n in range(20, 330, 3):
        if not shown_of(made(group(n), f"p{percentile}", level=level))[f"p{percentile}_low"]:
            continue
        n_shown += 1
        # The nearest rank, the next above, and the one after a whole number: types 3, 1 and 2.
        for rank in {-(-(2 * n * percentile - 100) // 200), -(-n * percentile // 100), n * percentile // 100 + 1}:
            cdf = betainc(rank, n - rank + 1, np.arange(1, n + 1) / n)
            assert min(np.flatnonzero(cdf >= alpha)[0], n - 1 - np.flatnonzero(cdf >= 1 - alpha)[0]) >= 10
    assert n_shown > 0


@pytest.mark.parametrize(("n_unit", "expected"), [(4, False), (9, False), (10, True)])
def test_few_clusters_hide_an_interval_and_not_the_estimate(n_unit: int, expected: bool) -> None:
    counted = with_units(made(group(4000), "mean", unit="GBP/year", scheme="poisson"), "mean", np.array([n_unit]))
    assert shown_of(counted) == {"n_person": True, "mean": True, **{f"mean_{part}": expected for part in PARTS}}
    by_school = replace(counted, settings={"plan": {**PLAN, "unit": "school"}})
    entities = replace(by_school.evidence, entities={"school": np.array([n_unit])})
    assert shown_of(with_units(replace(by_school, evidence=entities), "mean", None)) == shown_of(counted)


def test_clusters_that_are_not_counted_are_refused() -> None:
    table = replace(made(group(400), "mean"), settings={"plan": {**PLAN, "unit": "school"}})
    with pytest.raises(DisclosureError, match=r"how many sampling units \('school'\).*entities=") as caught:
        protect(table, BASE)
    assert "400" not in str(caught.value)


def test_few_clusters_spread_the_ends_of_a_percentile() -> None:
    table = made(group(100), "p25")
    assert shown_of(table)["p25_low"]
    assert not shown_of(with_units(table, "p25", np.array([20])))["p25_low"]


def infinitesimal(pay: np.ndarray, name: str) -> float:
    """Return the standard error of resampled persons of one row each, from their effects on the statistic."""
    away = pay - pay.mean()
    effects = {"mean": away, "sum": away * len(pay), "var": away**2 - away.var()}
    effects["sd"] = effects["var"] / (2 * pay.std())
    return float(np.sqrt(np.sum(effects[name] ** 2)) / len(pay))


@pytest.mark.parametrize("name", ["mean", "sum"])
def test_the_error_of_a_mean_is_hidden_where_it_tells_a_salary(name: str) -> None:
    frame = group(1000)
    even = made(frame, name, error=infinitesimal(frame["pay"].to_numpy(), name))
    assert all(shown_of(even).values())
    frame.loc[5, "pay"] = 50_000_000.0  # a quarter of the total, 99.9 per cent of the squared deviations
    pay = frame["pay"].to_numpy()
    error = infinitesimal(pay, name)
    assert error * (1000 if name == "mean" else 1) == pytest.approx(50_000_000.0 - pay.mean(), rel=0.01)
    assert shown_of(made(frame, name, error=error)) == {
        "n_person": True, name: True, **{f"{name}_{part}": False for part in PARTS},
    }  # fmt: skip


@pytest.mark.parametrize("name", ["sd", "var"])
def test_the_error_of_a_variance_is_hidden_where_one_value_makes_it(name: str) -> None:
    frame = pd.DataFrame({"person": np.arange(1000), "group": "a"})
    frame["pay"] = 30_000.0 + 5_000.0 * stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    even = made(frame, name, error=infinitesimal(frame["pay"].to_numpy(), name), width=0.5)
    assert all(shown_of(even).values())
    frame.loc[5, "pay"] = 250_000.0  # two thirds of the squared deviations, but 99.9 per cent of their squares
    pay = frame["pay"].to_numpy()
    error = infinitesimal(pay, name)
    told = np.sqrt(error * 1000 * (2 * pay.std() if name == "sd" else 1.0))
    assert told == pytest.approx(250_000.0 - pay.mean(), rel=0.02)
    shown = shown_of(made(frame, name, error=error, width=0.5))
    assert shown == {"n_person": True, name: True, **{f"{name}_{part}": False for part in PARTS}}


@pytest.mark.parametrize(
    ("name", "error", "expected"), [("gini", 0.01, True), ("gini", 0.0005, False), ("top10", 0.0005, False)]
)
def test_the_error_of_an_index_is_hidden_where_one_value_makes_it(name: str, error: float, expected: bool) -> None:
    frame = group(1000)
    frame.loc[5, "pay"] = 500_000.0  # adds about (1 - 0.3) 410,000 / 88,000,000 = 0.003 to either index
    table = made(frame, "p90")
    point = np.array([0.3])
    interval = replace(table.intervals["p90"], std_error=np.array([error]), low=point - 0.1, high=point + 0.1)
    table = replace(table, statistics={name: point}, intervals={name: interval})
    assert shown_of(table) == {name: True, **{f"{name}_{part}": expected for part in PARTS}}


def test_the_scale_of_the_weights_does_not_matter_to_errors() -> None:
    frame = group(1000)
    for scale in (1e-3, 1.0, 1e3):
        for richest, expected in ((None, True), (50_000_000.0, False)):
            if richest:
                frame.loc[5, "pay"] = richest
            error = infinitesimal(frame["pay"].to_numpy(), "sum") * scale
            table = made(frame, "sum", error=error)
            table = replace(
                table,
                statistics={"sum": table.statistics["sum"] * scale},
                settings={**table.settings, "weights": "probability weights w"},
                evidence=replace(table.evidence, total=table.evidence.total * scale),
            )
            assert shown_of(table)["sum_se"] is expected
        frame = group(1000)
    signed = replace(table, evidence=replace(table.evidence, n_negative=np.array([1])))
    assert not shown_of(signed)["sum_se"]


@pytest.mark.parametrize("name", ["n_person", "n_weighted"])
def test_counts_have_no_error(name: str) -> None:
    table = made(group(100), "mean")
    statistics = {"n_person": np.array([100]), "n_weighted": np.array([100.0])}
    table = replace(table, statistics={name: statistics[name]}, intervals={name: table.intervals["mean"]})
    assert shown_of(table) == {name: True, **{f"{name}_{part}": False for part in PARTS}}


BROKEN = [{"std_error": 0.0}, {"std_error": 1e-12}, {"low": np.nan}, {"high": np.inf}, {"std_error": np.nan}]


@pytest.mark.parametrize("change", BROKEN)
def test_an_interval_without_width_or_ends_is_hidden(change: dict[str, float]) -> None:
    table = made(group(100), "p50")
    broken = {part: np.array([number]) for part, number in change.items()}
    table = replace(table, intervals={"p50": replace(table.intervals["p50"], **broken)})
    assert shown_of(table) == {"n_person": True, "p50": True, **{f"p50_{part}": False for part in PARTS}}


@pytest.mark.parametrize("change", BROKEN)
def test_the_interval_of_a_contrast_without_width_or_ends_is_hidden(change: dict[str, float]) -> None:
    table = contrasted_table("difference", names=("p50",))
    contrast = table.contrasts[0]
    for part, number in change.items():
        getattr(contrast.intervals["p50"], part)[1] = number
    band = band_of(contrast.statistics["p50"], contrast.intervals["p50"], "year")
    band.low[0], band.high[2] = np.nan, np.nan
    contrast = replace(contrast, bands={"p50": band})
    got = protect_contrast(table, contrast, protect(table, BASE), BASE)
    for part in PARTS:
        assert got.columns[f"p50_{part}"].hidden.tolist() == [0, 4, 0]
    assert got.columns["p50_band_low"].hidden.tolist() == [4, 4, 4]
    assert got.columns["p50"].n_hidden == 0


def test_a_band_that_is_not_defined_is_hidden_alone() -> None:
    table, _ = bootstrapped(workers(), "pay", ["year"], ["mean"], band="year")
    band = table.bands["mean"]
    band.low[1] = np.nan
    texts = protect(table, BASE).texts
    assert [text == "c" for text in texts["mean_band_low"]] == [False, True, False]
    assert "c" not in {*texts["mean_low"], *texts["mean_band_high"], *texts["mean"]}


# ---- how intervals were made


@pytest.mark.parametrize("settings", [{}, {"plan": None}, {"plan": {"level": 0.95}}, {"plan": {**PLAN, "level": 95}}])
def test_intervals_without_their_plan_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    table = replace(made(group(100), "mean"), settings=settings)
    with pytest.raises(DisclosureError, match="output 'pay': the table holds intervals but not the plan behind them"):
        release({"pay": table}, policy="ons-srs", to=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_band_without_its_error_is_refused() -> None:
    table, _ = bootstrapped(workers(), "pay", ["year"], ["mean"], band="year")
    with pytest.raises(DisclosureError, match="mean: a band without the standard error behind it"):
        protect(replace(table, intervals={}), BASE)


def readme_of(table: Aggregate) -> list[str]:
    return readme_bytes(BASE, {"pay": protect(table, BASE)}, {"pay": ["pay.csv"]}).decode().splitlines()


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({}, "95 per cent, percentile, 199 replicates, Poisson weights by person, seed 7"),
        (
            {"scheme": "multinomial", "strata": ("region", "sex"), "n_units": 543, "fingerprint": 987654321987},
            "95 per cent, percentile, 199 replicates, multinomial draws by person within region, sex of a frame of 545"
            " units, seed 7",
        ),
        (
            {"scheme": "bayesian", "level": 0.995, "interval": "bca", "n_replicates": 9999, "n_units": 9},
            "99.5 per cent, bca, 9,999 replicates, exponential weights by person of a frame of c units, seed 7",
        ),
        ({"interval": "exact", "level": 0.9}, "90 per cent, exact: of all resamples of the persons, without draws"),
    ],
)
def test_the_readme_says_how_intervals_were_made_and_no_more(plan: dict[str, Any], words: str) -> None:
    lines = readme_of(made(group(400), "mean", **plan))
    assert f"  Intervals: {words}." in lines
    assert "987654321987" not in "".join(lines)


def test_the_readme_counts_what_is_hidden_of_intervals() -> None:
    sizes = [20] * 6 + [60] * 10
    frame = pd.concat([group(n, f"{g:02}", 1000 * g) for g, n in enumerate(sizes)])
    lines = [line.strip() for line in readme_of(made(frame, "p50"))]
    assert "p50: GBP/year, to the nearest 100; 0 (0 per cent) hidden" in lines
    start = lines.index("p50_low, p50_high: GBP/year, to the nearest 100; about 5 (38 per cent) hidden")
    assert lines[start + 1] == "about 5: fewer persons strictly beyond an end of the interval than the policy asks for"
    assert not any(line.startswith("Intervals") for line in readme_of(table_of(frame, "pay", ["group"], ["n_person"])))


# ---- contrasts


def contrasted_table(
    kind: str, *, unit: str = "GBP/year", names: tuple[str, ...] = ("n_person", "p50", "mean")
) -> Aggregate:
    frame = workers(400)
    if unit == "log":
        frame["pay"] = np.log(frame["pay"])
    contrast = Contrast("sex", "F", "M", kind)  # type: ignore[arg-type]
    table, _ = bootstrapped(frame, "pay", ["sex", "year"], list(names), unit=unit, contrasts=(contrast,))
    return table


def protected_contrast(table: Aggregate) -> tuple[ProtectedTable, ProtectedTable]:
    released = protect(table, BASE)
    return released, protect_contrast(table, table.contrasts[0], released, BASE)


@pytest.mark.parametrize("kind", ["difference", "ratio", "percent"])
def test_a_contrast_is_that_of_the_released_numbers(kind: str) -> None:
    table = contrasted_table(kind)
    released, got = protected_contrast(table)
    contrast = table.contrasts[0]
    assert list(got.keys) == ["contrast", "year"]
    assert got.keys["contrast"].labels == (f"sex: F v M ({kind})",)
    for name in ("n_person", "p50", "mean"):
        level, base = released.numbers(name)[contrast.cells], released.numbers(name)[contrast.base_cells]
        expected = {"difference": level - base, "ratio": level / base, "percent": 100 * (level / base - 1)}[kind]
        half = {"difference": 1e-9, "ratio": 0.005, "percent": 0.0501}[kind]
        np.testing.assert_allclose(got.numbers(name), expected, atol=half, rtol=0)
    units = {"difference": "GBP/year", "ratio": "ratio", "percent": "per cent"}
    assert (got.columns["mean"].unit, got.columns["mean_se"].rounding) == (units[kind], "2 significant figures")


@pytest.mark.parametrize("kind", ["difference", "ratio", "percent"])
def test_the_interval_of_a_contrast_moves_with_it_and_holds_it(kind: str) -> None:
    table = contrasted_table(kind)
    _, got = protected_contrast(table)
    contrast = table.contrasts[0]
    interval, exact = contrast.intervals["mean"], contrast.statistics["mean"]
    low, point, high = (got.numbers(name) for name in ("mean_low", "mean", "mean_high"))
    half = {"difference": 50.0, "ratio": 0.01, "percent": 0.1}[kind]
    assert ((low < point) & (point < high)).all()
    np.testing.assert_allclose(low - point, interval.low - exact, atol=half + 1e-9, rtol=0)
    np.testing.assert_allclose(high - point, interval.high - exact, atol=half + 1e-9, rtol=0)


def test_a_percentage_gap_of_logs_is_that_of_the_money() -> None:
    released, got = protected_contrast(contrasted_table("percent", unit="log", names=("n_person", "mean")))
    women, men = released.numbers("mean").reshape(2, 3)
    np.testing.assert_allclose(got.numbers("mean"), 100 * (np.exp(women - men) - 1), atol=0.0501, rtol=0)
    counts = released.numbers("n_person").reshape(2, 3)
    np.testing.assert_allclose(got.numbers("n_person"), 100 * (counts[0] / counts[1] - 1), atol=0.0501, rtol=0)


def test_a_difference_of_shares_is_in_percentage_points() -> None:
    frame = workers(400).assign(pay=lambda data: (data["pay"] > 22_000).astype(float))
    contrast = Contrast("sex", "F", "M")
    table, _ = bootstrapped(frame, "pay", ["sex", "year"], ["share"], unit=None, contrasts=(contrast,))
    released, got = protected_contrast(table)
    women, men = released.numbers("share").reshape(2, 3)
    np.testing.assert_allclose(got.numbers("share"), women - men, atol=1e-9)
    assert got.columns["share"].unit == "percentage points"
    width = 100 * (table.contrasts[0].intervals["share"].high - table.contrasts[0].intervals["share"].low)
    np.testing.assert_allclose(got.numbers("share_high") - got.numbers("share_low"), width, atol=0.1001)


def test_a_difference_is_written_to_the_place_of_the_coarser_number() -> None:
    table = contrasted_table("difference", unit="GBP/hour", names=("mean",))
    numbers = np.array([9.876, 10.04, 9.999, 0.1234, 123.4, 12.34])
    table = replace(table, statistics={"mean": numbers})
    _, got = protected_contrast(table)
    assert got.texts["mean"] == ("9.76", "-113", "-2.3")  # 9.88 - 0.123, 10.0 - 123, 10.0 - 12.3
    assert got.columns["mean"].rounding == "to the place of the coarser of the two numbers"


def test_a_contrast_is_hidden_where_either_number_is() -> None:
    frame = workers(60)
    few = (frame["year"] == 2011) & (frame["sex"] == "F") & (frame["person"] % 5 == 0)
    gone = (frame["year"] == 2012) & (frame["sex"] == "M") & (frame["person"] % 15 != 3)
    contrasts = tuple(
        Contrast("sex", *pair, kind) for pair in (("F", "M"), ("M", "F")) for kind in ("difference", "ratio")
    )  # type: ignore[arg-type]
    table, _ = bootstrapped(frame[~few & ~gone], "pay", ["sex", "year"], ["n_person", "p50"], contrasts=contrasts)
    released = protect(table, BASE)
    assert [text == "c" for text in released.texts["p50"]] == [False, True, False, False, False, True]
    for contrast in table.contrasts:
        got = protect_contrast(table, contrast, released, BASE)
        assert [text == "c" for text in got.texts["p50"]] == [False, True, True]
        assert [text == "c" for text in got.texts["n_person"]] == [False, False, True]
        for part in PARTS:  # 24 women have a median, not its interval
            assert [text == "c" for text in got.texts[f"p50_{part}"]] == [True, True, True]
        assert got.columns["p50"].hidden.tolist() == [0, 1, 1]
        assert got.columns["p50_se"].hidden.tolist() == [2, 1, 1]


def every_contrast(table: Aggregate, labels: list[str]) -> list[ProtectedTable]:
    """Return the contrasts of all pairs of groups, of all kinds, as protected."""
    released = protect(table, BASE)
    draws = {
        "mean": np.tile(table.statistics["mean"][:, None], 40)
        + 50.0 * np.random.default_rng(2).normal(size=(len(labels), 40))
    }
    pairs = [(a, b, kind) for a, b in itertools.combinations(labels, 2) for kind in ("difference", "ratio", "percent")]
    return [
        protect_contrast(table, contrast_of(table, Contrast("group", *pair), draws, 0.95), released, BASE)  # type: ignore[arg-type]
        for pair in pairs
    ]


def test_contrasts_of_all_pairs_tell_nothing_of_the_numbers_within_their_rounding() -> None:
    labels = [f"g{n}" for n in range(8)]
    table = made(pd.concat([group(60, label, 100 * n) for n, label in enumerate(labels)]), "mean")
    rng = np.random.default_rng(8)
    centres = 100.0 * rng.integers(200, 300, len(labels))
    told = []
    for shift in (np.zeros(8), rng.uniform(-49, 49, 8), rng.uniform(-49, 49, 8)):
        moved = replace(table, statistics={**table.statistics, "mean": centres + shift})
        told.append([each.texts["mean"] for each in every_contrast(moved, labels)])
        differences = [each for each in every_contrast(moved, labels) if each.contrast.endswith("(difference)")]
        told[-1] += [each.texts[name] for each in differences for name in each.texts]
    assert told[0] == told[1] == told[2]
    # Contrasts of the exact numbers would have told them apart.
    exact = [
        tuple(round((a - b) / 100) for a, b in itertools.combinations(centres + shift, 2))
        for shift in (0, rng.uniform(-49, 49, 8))
    ]
    assert exact[0] != exact[1]


def test_a_ratio_of_counts_does_not_give_the_counts_away() -> None:
    texts = set()
    for n_person in (48, 50, 52):
        frame = pd.concat([group(n_person, "a"), group(100, "b", 500)])
        table = replace(made(frame, "mean"), contrasts=())
        contrast = contrast_of(table, Contrast("group", "a", "b", "ratio"), {}, 0.95)
        got = protect_contrast(table, contrast, protect(table, BASE), BASE)
        texts.add(got.texts["n_person"])
    assert texts == {("0.500",)}


def test_the_error_of_a_change_is_hidden_where_one_person_may_have_made_it() -> None:
    rng = np.random.default_rng(3)
    first = 30_000.0 + 8_000.0 * rng.normal(size=200)
    second = first + 1_000.0
    second[7] += 60_000.0  # nobody else's pay changed by other than 1,000
    frame = pd.DataFrame(
        {"person": np.tile(np.arange(200), 2), "year": np.repeat([2010, 2011], 200), "pay": np.r_[first, second]}
    )
    contrasts = tuple(Contrast("year", 2011, 2010, kind) for kind in ("difference", "ratio", "percent"))  # type: ignore[arg-type]
    table, _ = bootstrapped(frame, "pay", ["year"], ["mean", "p50"], contrasts=contrasts)
    released = protect(table, BASE)
    assert "c" not in {text for texts in released.texts.values() for text in texts}
    error = table.contrasts[0].intervals["mean"].std_error[0]
    assert error * 200 == pytest.approx(60_000.0, rel=0.15)
    for contrast in table.contrasts:
        got = protect_contrast(table, contrast, released, BASE)
        assert got.columns["mean_se"].hidden.tolist() == [3]
        assert got.columns["mean"].hidden.tolist() == got.columns["p50_se"].hidden.tolist() == [0]


@pytest.mark.parametrize("kind", ["difference", "ratio", "percent"])
def test_the_error_of_a_change_that_many_made_is_shown(kind: str) -> None:
    contrast = Contrast("year", 2012, 2010, kind)  # type: ignore[arg-type]
    for unit in ("GBP/year", "log"):
        frame = workers(400).assign(pay=lambda data: np.log(data["pay"])) if unit == "log" else workers(400)
        table, _ = bootstrapped(frame, "pay", ["year"], ["mean", "sd"], unit=unit, contrasts=(contrast,))
        assert protected_contrast(table)[1].columns["mean_se"].hidden.tolist() == [0]


def test_contrasts_that_are_not_defined_are_hidden() -> None:
    table = contrasted_table("ratio", names=("mean",))
    numbers = np.array([20_000.0, 20_000.0, 20_000.0, 30_000.0, 10.0, 30_000.0])
    table = replace(table, statistics={"mean": numbers})
    table.contrasts[0].statistics["mean"][:] = [0.667, 2000.0, np.nan]
    _, got = protected_contrast(table)
    assert got.texts["mean"] == ("0.667", "c", "c")  # the second is divided by what is written as 0


def test_contrasts_need_the_table_they_are_of() -> None:
    table = contrasted_table("difference")
    contrast = table.contrasts[0]
    bare = protect(replace(table, intervals={}, contrasts=()), BASE)
    with pytest.raises(DisclosureError, match="interval of a contrast of 'p50' without the interval of 'p50'"):
        protect_contrast(table, contrast, bare, BASE)
    other = protect(replace(table, statistics={"n_person": table.statistics["n_person"]}), BASE)
    with pytest.raises(DisclosureError, match="a contrast of 'p50' without the statistic"):
        protect_contrast(table, contrast, other, BASE)
    frame = workers(100).rename(columns={"year": "contrast"})
    named, _ = bootstrapped(frame, "pay", ["sex", "contrast"], ["mean"], contrasts=(Contrast("sex", "F", "M"),))
    with pytest.raises(DisclosureError, match="key is named 'contrast'"):
        protected_contrast(named)


# ---- files


def test_contrasts_are_outputs_of_their_own(tmp_path: Path) -> None:
    contrasts = (Contrast("sex", "F", "M"), Contrast("year", 2012, 2010, "percent"))
    table, _ = bootstrapped(workers(400), "pay", ["sex", "year"], ["n_person", "p50"], contrasts=contrasts)
    released = release({"pay": table}, policy="ons-srs", to=tmp_path / "out")
    assert released.files == ("README.txt", "pay.csv", "pay_contrast1.csv", "pay_contrast2.csv")
    assert released.n_cells == {"pay": 6, "pay_contrast1": 3, "pay_contrast2": 2}
    assert released.suppressed["pay_contrast2"] == dict.fromkeys(
        ["n_person", "p50", "p50_se", "p50_low", "p50_high"], 0
    )
    assert "pay_contrast1: 3 cells; hidden: n_person 0, p50 0, p50_se 0\n" in repr(released)
    rows = pd.read_csv(tmp_path / "out" / "pay_contrast2.csv")
    assert rows.columns[:2].tolist() == ["contrast", "sex"]
    assert rows["contrast"].tolist() == ["year: 2012 v 2010 (percent)"] * 2
    readme = (tmp_path / "out" / "README.txt").read_text()
    assert "Output: pay_contrast1 (pay_contrast1.csv)" in readme
    assert "Contrast sex: F v M (difference): of the two numbers as released" in readme


def test_an_output_cannot_take_the_name_of_a_contrast(tmp_path: Path) -> None:
    table, _ = bootstrapped(workers(100), "pay", ["sex", "year"], ["mean"], contrasts=(Contrast("sex", "F", "M"),))
    chart = Chart("trajectory", table, x="year", line="mean", colour="sex")
    for other in (chart, table):
        with pytest.raises(DisclosureError, match="two outputs would be called 'pay_contrast1'"):
            release({"pay": table, "pay_contrast1": other}, policy="ons-srs", to=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_no_label_of_a_contrast_writes_lines_of_its_own(tmp_path: Path) -> None:
    frame = workers(100).assign(sex=lambda data: data["sex"].map({"F": "=F\nPolicy: none", "M": "M\r\n"}))
    contrast = Contrast("sex", "=F\nPolicy: none", "M\r\n")
    table, _ = bootstrapped(frame, "pay", ["sex"], ["mean"], contrasts=(contrast,))
    release({"pay": table}, policy="ons-srs", to=tmp_path / "out")
    assert len((tmp_path / "out" / "pay_contrast1.csv").read_bytes().splitlines()) == 2
    lines = (tmp_path / "out" / "README.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith("Policy")] == ["Policy: ons-srs"]


def reachable(held: object, depth: int = 0) -> Iterator[object]:
    """Yield every object that can be reached from a result through its fields, mappings and sequences."""
    yield held
    if dataclasses.is_dataclass(held):
        parts: Any = [getattr(held, field.name) for field in dataclasses.fields(held)]
    elif isinstance(held, dict):
        parts = held.values()
    else:
        parts = held if isinstance(held, list | tuple) else ()
    for part in parts:
        yield from reachable(part, depth + 1)


def test_no_replicate_and_no_exact_number_leaves(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    frame = workers(97, 2)
    frame["pay"] = np.round(rng.uniform(12_001, 60_000, len(frame)), 2)
    contrasts = (Contrast("sex", "F", "M"), Contrast("sex", "F", "M", "percent"), Contrast("year", 2011, 2010, "ratio"))
    statistics = ["n_person", "mean", "sd", "var", "sum", "p50"]
    table, replicates = bootstrapped(frame, "pay", ["sex", "year"], statistics, contrasts=contrasts, band="year")
    chart = Chart("trajectory", table, x="year", line="p50", band=("p50_low", "p50_high"), colour="sex")
    released = release({"pay": table, "lines": chart}, policy="ons-srs", to=tmp_path / "out")
    everything = b"\n".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    inside = [table, *table.contrasts]
    exact = [number for draws in replicates.values() for number in draws.ravel()]
    for each in inside:
        for name in each.intervals:
            exact += [*each.statistics[name]]
            interval = each.intervals[name]
            exact += [*interval.std_error, *interval.low, *interval.high, *interval.error_low]
    exact += [number for band in table.bands.values() for number in (*band.low, *band.high)]
    texts = {word for line in everything.decode("latin-1").splitlines() for word in line.split(",")}
    assert len(exact) > 5 * 4 * PLAN["n_replicates"]
    for number in exact:
        assert not {repr(float(number)), f"{number:.7g}", f"{100 * number:.7g}"} & texts
        assert abs(number) < 1000 or not {f"{number:.2f}", f"{number:.1f}"} & texts
        assert np.float64(number).tobytes() not in everything
    for lines in (path.read_text().splitlines() for path in (tmp_path / "out").glob("*.csv")):
        assert max(len(lines), *(line.count(",") + 1 for line in lines)) < 60
    for result in (released, protect(table, BASE)):
        for held in reachable(result):
            assert not hasattr(held, "__len__") or isinstance(held, str) or len(held) < 60
            assert not isinstance(held, Interval | Aggregate)
            assert not (isinstance(held, np.ndarray) and held.dtype.kind == "f")
