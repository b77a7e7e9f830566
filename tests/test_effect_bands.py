"""Simultaneous bands of effects: their critical values against scipy's distributions, and what they cover together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import leoreturns as lr
from leoreturns import plots
from leoreturns.disclosure.effects import protect_effects
from leoreturns.disclosure.estimates import protect_regressions
from leoreturns.disclosure.policy import find_policy
from leoreturns.results.simultaneous import LargestOf

FORMULAS = ("pay ~ points", "route ~ points")
CLOSE = 3e-3  # of fixed directions, and of scipy's integration


def covariance(k: int, rank: int | None = None) -> np.ndarray:
    draw = np.random.default_rng(k)
    root = draw.normal(size=(k, rank or k + 2)) * draw.lognormal(size=(k, 1))
    return root @ root.T


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("df", [np.inf, 7.0])
@pytest.mark.parametrize("k", [2, 5, 12])
def test_all_lie_within_the_critical_value_with_the_level(k: int, df: float, level: float) -> None:
    cov = covariance(k)
    critical = LargestOf(cov, df).critical(level)
    correlation = cov / np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
    ends = np.full(k, critical)
    if np.isinf(df):
        law = stats.multivariate_normal(np.zeros(k), correlation, seed=1, maxpts=20_000, abseps=1e-4)
        found = law.cdf(ends, lower_limit=-ends)
    else:
        found = stats.multivariate_t(np.zeros(k), correlation, df=df, seed=1).cdf(ends, lower_limit=-ends)
    assert found == pytest.approx(level, abs=CLOSE)


@pytest.mark.parametrize("df", [np.inf, 4.0])
def test_one_estimate_or_several_that_move_as_one_have_their_own_interval(df: float) -> None:
    scale = np.array([1.0, -3.0, 0.2])
    for cov in (np.array([[4.0]]), np.outer(scale, scale)):
        largest = LargestOf(cov, df)
        assert largest.critical(0.95) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-9)
        assert largest.pvalue(-1.7) == pytest.approx(2 * stats.t.sf(1.7, df), rel=1e-9)


def test_independent_estimates_have_sidaks_value() -> None:
    largest = LargestOf(np.diag(np.arange(1.0, 11.0)), np.inf)
    assert largest.critical(0.95) == pytest.approx(stats.norm.ppf((1 + 0.95**0.1) / 2), rel=2e-3)
    assert largest.pvalue(2.9) == pytest.approx(1 - (1 - 2 * stats.norm.sf(2.9)) ** 10, rel=2e-2)


def test_a_singular_covariance_is_that_of_fewer_estimates() -> None:
    """Two estimates and their difference: scipy integrates over the two."""
    cov = np.array([[1.0, 0.3], [0.3, 2.0]])
    turn = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    critical = LargestOf(turn @ cov @ turn.T, np.inf).critical(0.95)
    draws = np.random.default_rng(1).multivariate_normal(np.zeros(2), cov, 400_000) @ turn.T
    sizes = np.abs(draws / np.sqrt(np.diag(turn @ cov @ turn.T))).max(axis=1)
    assert critical == pytest.approx(np.quantile(sizes, 0.95), abs=0.01)


def test_estimates_without_variance_take_no_part() -> None:
    cov = covariance(3)
    wide = np.full((5, 5), np.nan)
    wide[np.ix_([0, 2, 4], [0, 2, 4])] = cov
    wide[1, :] = wide[:, 1] = 0.0
    assert LargestOf(wide, np.inf).critical(0.95) == LargestOf(cov, np.inf).critical(0.95)
    assert np.isnan(LargestOf(np.zeros((2, 2)), np.inf).critical(0.95))


def careers(n: int = 700) -> lr.Panel:
    draw = np.random.default_rng(8)
    people = pd.DataFrame(
        {
            "person": np.arange(n),
            "sex": draw.choice(["F", "M"], n),
            "points": draw.normal(size=n),
            "school": draw.integers(0, 25, n),
        }
    )
    people["route"] = np.where(draw.random(n) < 1 / (1 + np.exp(-people["points"] / 2)), "vocational", "academic")
    years = [people.assign(year=year, pay=people["points"] + draw.normal(size=n)) for year in (3, 5, 10)]
    return lr.Panel.from_frame(pd.concat(years), person="person", time="year")


def test_bands_cover_years_and_groups_from_the_joint_covariance() -> None:
    found = lr.treatment_effect(
        *FORMULAS, careers(), method="ipwra", estimand="ATT", cov=lr.Clustered("school"), by="sex", path="year"
    )
    table = found.bands()
    assert list(table.columns[:3]) == ["comparison", "sex", "year"]
    assert list(table.index) == list(found.names)
    assert table.loc["vocational v academic [F, 5]", ["comparison", "sex", "year"]].tolist() == [
        "vocational v academic", "F", 5,
    ]  # fmt: skip
    np.testing.assert_array_equal(table[["low", "high"]], found.conf_int())
    effects = table["comparison"] == "vocational v academic"
    critical = LargestOf(found.covariance[np.ix_(effects, effects)], 24.0).critical(0.95)
    assert effects.sum() == 6
    assert set(table.loc[effects, "critical"]) == {critical}
    margin = critical * found.std_errors[effects]
    np.testing.assert_allclose(table.loc[effects, "band_high"], found.params[effects] + margin, rtol=1e-12)
    np.testing.assert_allclose(table.loc[effects, "band_low"], found.params[effects] - margin, rtol=1e-12)
    # A band's end is at zero where the adjusted p-value is one less the level.
    size = np.abs(found.tstats[effects]).to_numpy()
    assert ((size > critical) == (table.loc[effects, "p_adjusted"] < 0.05)).all()
    assert (table["p_adjusted"] >= table["p"]).all()


def test_bands_run_along_the_keys_named() -> None:
    found = lr.treatment_effect(
        *FORMULAS, careers(), method="ra", estimand="ATE", cov=lr.Clustered("person"), by="sex", path="year"
    )
    by_sex = found.bands("year")
    assert len(set(by_sex["critical"])) == 2 * 3  # each sex, for the effect and both means
    women = [name for name in found.names if name.startswith("vocational v academic [F")]
    own = LargestOf(found.cov.loc[women, women].to_numpy(), found.df_tests).critical(0.95)
    assert set(by_sex.loc[women, "critical"]) == {own}
    wider = found.bands(["sex", "year"], level=0.95)
    pd.testing.assert_frame_equal(wider, found.bands())
    assert (wider["critical"] > by_sex["critical"]).all()
    everything = found.bands(["comparison", "sex", "year"])
    assert len(set(everything["critical"])) == 2  # effects, and means
    narrow = found.bands((), level=0.9)
    np.testing.assert_allclose(narrow[["band_low", "band_high"]], found.conf_int(0.9), rtol=1e-9)
    with pytest.raises(lr.SupportError, match="no key 'school'; there are comparison, sex, year"):
        found.bands("school")


def test_the_effect_of_a_match_has_its_interval_as_its_band() -> None:
    people = careers().at(year=5)
    found = lr.match("route", "points", people, estimand="ATT").effect("pay", cov=lr.AbadieImbens())
    table = found.bands()
    effect = table.iloc[0]
    assert (effect["band_low"], effect["band_high"]) == pytest.approx((effect["low"], effect["high"]), rel=1e-9)


def test_years_that_a_group_lacks_stand_in_their_order() -> None:
    panel = careers().where("year > 3 or sex == 'M'")
    found = lr.treatment_effect(
        *FORMULAS, panel, method="ra", estimand="ATE", cov=lr.Clustered("school"), by="sex", path="year"
    )
    assert found.keys["year"].labels == (3, 5, 10)
    table = found.bands()
    effects = table[table["comparison"] == "vocational v academic"]
    assert effects[["sex", "year"]].to_numpy().tolist() == [["F", 5], ["F", 10], ["M", 3], ["M", 5], ["M", 10]]


def test_a_chart_shows_the_interval_within_the_band_as_they_are_released(tmp_path: Path) -> None:
    found = lr.treatment_effect(
        *FORMULAS, careers(), method="ipwra", estimand="ATT", cov=lr.Clustered("school"), by="sex", path="year"
    )
    chart = lr.EffectChart(found, x="year", colour="sex", title="Title")
    table = protect_effects(chart, find_policy("ons-srs"))
    figure = plots.draw_effects(chart, table)
    (axis,) = figure.axes
    lines = [line for line in axis.get_lines() if len(line.get_xdata()) == 3]
    for line, sex in zip(lines, "FM", strict=True):
        names = [f"vocational v academic [{sex}, {year}]" for year in (3, 5, 10)]
        np.testing.assert_array_equal(line.get_xdata(), [3, 5, 10])
        np.testing.assert_allclose(line.get_ydata(), found.params[names], rtol=1e-2)  # rounded
    assert len(axis.collections) == 4
    assert "simultaneous confidence band" in " ".join(text.get_text() for text in figure.texts)
    lr.release({"path": chart}, policy="ons-srs", to=tmp_path / "out")
    read = pd.read_csv(tmp_path / "out" / "path_data.csv")
    assert list(read.columns[:3]) == ["comparison", "sex", "year"]
    assert len(read) == 6  # effects alone
    wanted = found.bands().iloc[:6]
    for part in ("low", "high", "band_low", "band_high"):
        np.testing.assert_allclose(read[f"coefficient_{part}"], wanted[part], rtol=1e-2, atol=1e-3)
    assert (tmp_path / "out" / "path.png").stat().st_size > 1_000


def test_effects_of_few_persons_are_not_drawn() -> None:
    people = careers()
    rare = people.where("year > 3 or route == 'academic' or points > 2.2")
    found = lr.treatment_effect(*FORMULAS, rare, method="ra", estimand="ATC", cov=lr.Clustered("school"), path="year")
    assert found.settings["persons by arm"]["3"]["vocational"] < 10
    chart = lr.EffectChart(found, x="year")
    table = protect_effects(chart, find_policy("ons-srs"))
    hidden = np.isnan(table.numbers("coefficient_band_low"))
    np.testing.assert_array_equal(hidden, [True, False, False])
    figure = plots.draw_effects(chart, table)
    assert "Gaps:" in " ".join(text.get_text() for text in figure.texts)


def test_a_chart_places_every_key() -> None:
    found = lr.treatment_effect(
        *FORMULAS, careers(), method="ra", estimand="ATE", cov=lr.Clustered("school"), by="sex", path="year"
    )
    with pytest.raises(lr.SupportError, match="several levels of 'sex'"):
        lr.EffectChart(found, x="year")
    with pytest.raises(lr.SupportError, match="no key 'cohort' to draw"):
        lr.EffectChart(found, x="cohort")
    with pytest.raises(TypeError, match="draws an EffectEstimate"):
        lr.EffectChart(pd.DataFrame(), x="year")  # type: ignore[arg-type]


@pytest.mark.parametrize("small", [[f"school {n}" for n in range(40)], [0.25, 1.5]])
def test_names_of_groups_do_not_leave_without_numbers(small: list[object]) -> None:
    draw = np.random.default_rng(9)
    n = 4_000
    groups = [small[at] if at < len(small) else "all others" for at in draw.integers(0, 3 * len(small), n)]
    frame = pd.DataFrame({"person": range(n), "group": groups if len(small) > 2 else draw.choice(small, n)})
    if len(small) > 2:
        kept = (frame.group == "all others") | (frame.groupby("group").cumcount() < 8)
        frame = frame[kept]
    frame = frame.assign(route=frame.groupby("group").cumcount() % 2, pay=draw.lognormal(10, 0.3, len(frame)))
    found = lr.treatment_effect(
        "pay ~ 1", "route ~ 1", frame, method="ra", estimand="ATE", cov=lr.Robust("HC1"), by="group", person="person"
    )
    with pytest.raises(lr.DisclosureError, match="group"):
        protect_regressions(lr.table([found]), find_policy("ons-srs"))
