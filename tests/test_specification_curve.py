"""Specification curves: every combination of choices, the joint tests, and what leaves of them; both charts."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from reference_feols import Brute, workers

import leoreturns as lr
from leoreturns import plots
from leoreturns.disclosure.estimates import protect_curve, protect_regressions
from leoreturns.plots.style import COLOURS
from leoreturns.resample.draws import Draws

FRAME = workers(150, seed=2).assign(few=lambda rows: (rows.person < 9) * 1)
PANEL = lr.Panel.from_frame(FRAME, person="person", time="year")
BASE = lr.Policy("ons-srs")


def curve(**options: object) -> lr.SpecificationCurve:
    return lr.specification_curve(
        "y", "x1", PANEL, cov=lr.Clustered("person"), controls={"none": "", "full": "x2 + ability"}, **options
    )  # type: ignore[arg-type]


def test_every_combination_is_the_regression_that_it_says() -> None:
    found = lr.specification_curve(
        ["y", "x2"],
        "x1",
        PANEL,
        cov={"persons": lr.Clustered("person"), "rows": lr.Robust("HC1")},
        controls=["", "ability"],
        effects=["", "school + year"],
        samples={"all": None, "late": "year >= 2012"},
    )
    frame = found.to_frame()
    assert (
        len(frame) == 2**5 == len(frame[["outcome", "controls", "effects", "sample", "covariance"]].drop_duplicates())
    )
    assert (np.diff(frame["coefficient"]) >= 0).all()
    covariances = {"persons": lr.Clustered("person"), "rows": lr.Robust("HC1")}
    for _, row in frame.sample(8, random_state=1).iterrows():
        text = f"{row.outcome} ~ x1" + (" + ability" if row.controls == "ability" else "")
        text += " | school + year" if row.effects == "school + year" else ""
        alone = lr.feols(
            text, PANEL, cov=covariances[row.covariance], where="year >= 2012" if row["sample"] == "late" else None
        )
        assert isinstance(alone, lr.Estimate)
        assert row["coefficient"] == pytest.approx(alone.params["x1"], rel=1e-12)
        assert row["std_error"] == pytest.approx(alone.std_errors["x1"], rel=1e-12)
        assert (row.n_person, row.n_row) == (alone.n_person, alone.n_row)


def test_summary_numbers() -> None:
    found = curve(effects=["", "person", "person + year"])
    frame = found.to_frame()
    assert found.median == frame["coefficient"].median()
    assert found.share_significant() == ((frame.p < 0.05) & (frame.coefficient > 0)).mean()
    assert "6 specifications" in repr(found) and "per cent significant" in repr(found)
    assert pickle.loads(pickle.dumps(found)).median == found.median
    small = lr.specification_curve("y", "x1", FRAME[FRAME.person < 9], cov=lr.Unadjusted(), person="person")
    assert f"{small.median:.4g}" not in repr(small)


def test_joint_tests_by_refits_under_the_same_draws() -> None:
    plan = lr.BootstrapPlan(59, unit="school", seed=8, interval="normal")
    found = curve(plan=plan)
    texts = ["y ~ x1 + 1", "y ~ x1 + x2 + ability"]
    fits = [lr.feols(text, PANEL, cov=lr.Resampled(plan)) for text in texts]
    keys, draws = PANEL.units("school")[0], Draws(plan)
    weights = np.concatenate([_drawn(draws, tile, keys) for tile in range(draws.n_tiles)], axis=1)[:, :59].astype(float)
    place = _places(keys)
    replicates = np.empty((2, 59))
    for at, names in enumerate((["x1"], ["x1", "x2", "ability"])):
        x = FRAME.assign(one=1.0)[[*names, "one"]].to_numpy(dtype=float)
        for b in range(59):
            w = weights[place, b]
            replicates[at, b] = Brute(FRAME[w > 0], FRAME.y[w > 0], x[w > 0], w=w[w > 0]).beta[0]
    values = np.array([fit.params["x1"] for fit in fits])  # type: ignore[union-attr]
    apart = replicates - values[:, None]
    expected = (np.sum(np.abs(np.median(apart, axis=0)) >= abs(np.median(values))) + 1) / 60
    assert found.test is not None and found.test.n_replicates == 59
    assert found.test.p_median == pytest.approx(expected)


def _drawn(draws, tile, keys) -> np.ndarray:
    room = np.empty((len(keys), draws.lanes), dtype=draws.dtype)
    draws.fill(tile, keys, room)
    return room


def _places(keys: np.ndarray) -> np.ndarray:
    """The place of every row's school among the keys."""
    parts = {
        school: int(lr.Panel.from_frame(rows, person="person", time="year").units("school")[0][0])
        for school, rows in FRAME.groupby("school")
    }
    return FRAME.school.map({school: int(np.flatnonzero(keys == key)[0]) for school, key in parts.items()}).to_numpy()


def test_joint_tests_find_an_effect_and_its_absence() -> None:
    plan = lr.BootstrapPlan(199, unit="person", seed=8, interval="normal")
    there = curve(plan=plan, effects=["", "year"])
    assert there.test is not None and there.test.p_median == 1 / 200 and there.test.p_significant <= 0.02
    nothing = lr.specification_curve(
        "noise",
        "x1",
        FRAME.assign(noise=np.random.default_rng(1).normal(size=len(FRAME))),
        cov=lr.Clustered("person"),
        controls=["", "x2", "ability"],
        plan=plan,
        person="person",
    )
    assert nothing.test is not None and nothing.test.p_median > 0.1
    assert "No effect in any" in repr(nothing)


def test_what_is_no_curve_is_refused() -> None:
    with pytest.raises(lr.SupportError, match="controls: choices must differ"):
        lr.specification_curve("y", "x1", PANEL, cov=lr.Unadjusted(), controls=["x2", "x2"])
    with pytest.raises(lr.NotIdentifiedError, match="no coefficient in 1 of 2"):
        lr.specification_curve("y", "ability", PANEL, cov=lr.Unadjusted(), effects=["", "person"])
    level = lr.specification_curve(
        "y", "C(route, ref='none')", PANEL, cov=lr.Unadjusted(), coefficient="route::vocational"
    )
    assert level.name == "route::vocational"


def test_a_hidden_specification_comes_last_and_tells_no_size(tmp_path: Path) -> None:
    found = curve(samples={"all": None, "few": "few == 1"})
    table = protect_curve(found, BASE)
    shown = pd.DataFrame({"sample": table.keys["sample"].values(), "b": table.texts["coefficient"]})
    assert shown["sample"].tolist() == ["all", "all", "few", "few"]
    choices = [tuple(key.codes[at] for key in table.keys.values()) for at in (2, 3)]
    assert choices == sorted(choices)
    swapped = replace(
        found,
        models=found.models[::-1],
        choices={k: replace(key, codes=key.codes[::-1]) for k, key in found.choices.items()},
    )
    assert [key.codes.tolist()[2:] for key in protect_curve(swapped, BASE).keys.values()] == [
        key.codes.tolist()[2:] for key in table.keys.values()
    ]
    assert shown["b"].tolist()[2:] == ["c", "c"] and shown["b"].astype(object).tolist()[0] != "c"
    lr.release({"curve": lr.SpecificationChart(found), "numbers": found}, policy="ons-srs", to=tmp_path / "out")
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["README.txt", "curve.png", "curve_data.csv", "numbers.csv"]
    read = pd.read_csv(tmp_path / "out" / "numbers.csv", na_values="c")
    assert read["coefficient"].notna().tolist() == [True, True, False, False]
    figure = plots.draw_specifications(lr.SpecificationChart(found), table)
    assert "On the right" in " ".join(text.get_text() for text in figure.texts)


def test_the_curve_is_drawn_over_its_choices() -> None:
    found = curve(effects=["", "person"])
    table = protect_curve(found, BASE)
    lower, upper = plots.draw_specifications(lr.SpecificationChart(found, title="Title"), table).axes
    drawn = np.concatenate([line.get_xydata() for line in upper.get_lines() if line.get_marker() == "o"])
    np.testing.assert_array_equal(np.sort(drawn[:, 1]), np.sort(table.numbers("coefficient")))
    labels = [text.get_text() for text in lower.get_yticklabels()]
    assert {"Controls", "none", "full", "Effects", "person"} == set(labels)
    marks = np.concatenate([line.get_xydata() for line in lower.get_lines()])
    for place, label in enumerate(labels):
        if label == "full":
            chosen = [at for at, each in enumerate(table.keys["controls"].values()) if each == "full"]
            assert sorted(marks[marks[:, 1] == place, 0].tolist()) == chosen


def test_coefficients_are_drawn_as_they_are_released(tmp_path: Path) -> None:
    first = lr.feols("y ~ x1 + x2 + i(year)", PANEL, cov=lr.Clustered("person"))
    second = lr.feols("y ~ x1 + x2 | person", PANEL, cov=lr.Clustered("person"))
    assert isinstance(first, lr.Estimate) and isinstance(second, lr.Estimate)
    shown = lr.table({"all": first, "within": second}, drop=["Intercept"], labels={"x1": "Experience"})
    chart = lr.CoefficientChart(shown, groups={"Work": ["^x"], "Years": ["^year"]}, reference=None, title="Pay")
    assert chart.places[:4] == [("Work", ""), ("Experience", "x1"), ("x2", "x2"), ("Years", "")]
    table, _ = protect_regressions(shown, BASE)
    (axis,) = plots.draw_coefficients(chart, table).axes
    points = {to_hex(line.get_color()): line.get_xydata() for line in axis.get_lines()}
    for number in range(2):
        own = table.keys["model"].codes == number
        drawn = points[to_hex(COLOURS[number])]
        np.testing.assert_array_equal(drawn[:, 0], table.numbers("coefficient")[own])
        names = [chart.places[round(at)][1] for at in drawn[:, 1]]
        assert names == table.keys["name"].values()[own].tolist()
    assert [text.get_text() for text in axis.get_yticklabels() if text.get_fontweight() == "bold"] == ["Work", "Years"]
    for name in ("a", "b"):
        lr.release({"chart": chart}, policy="ons-srs", to=tmp_path / name)
    assert (tmp_path / "a" / "chart.png").read_bytes() == (tmp_path / "b" / "chart.png").read_bytes()
    assert (tmp_path / "a" / "chart_data.csv").exists()


def test_a_hidden_coefficient_is_named_under_the_figure() -> None:
    rows = FRAME.assign(one=(FRAME.person == 3) * 1.0)
    fit = lr.feols("y ~ x1 + one", rows, cov=lr.Clustered("person"), person="person")
    assert isinstance(fit, lr.Estimate)
    shown = lr.table(fit, labels={"one": "Only"})
    figure = plots.draw_coefficients(lr.CoefficientChart(shown), protect_regressions(shown, BASE)[0])
    assert "shown: Only, Intercept." in " ".join(text.get_text() for text in figure.texts)


def test_charts_refuse_other_results() -> None:
    fit = lr.feols("y ~ x1", PANEL, cov=lr.Unadjusted())
    assert isinstance(fit, lr.Estimate)
    with pytest.raises(TypeError, match="draws a RegressionTable"):
        lr.CoefficientChart(fit)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="draws a SpecificationCurve"):
        lr.SpecificationChart(fit)  # type: ignore[arg-type]
    with pytest.raises(lr.SupportError, match="group 'Years' holds no coefficient"):
        lr.CoefficientChart(lr.table(fit), groups={"Years": ["^year"]})
    with pytest.raises(lr.SupportError, match="at most 7 regressions"):
        shown = lr.table([fit] * 8)
        plots.draw_coefficients(lr.CoefficientChart(shown), protect_regressions(shown, BASE)[0])
