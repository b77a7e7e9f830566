"""Contours of what an omitted variable would leave: published figures, protection and drawing."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import leoreturns as lr
from leoreturns import plots
from leoreturns.disclosure.contours import protect_contours
from leoreturns.disclosure.policy import find_policy
from leoreturns.results.contour_chart import what_is_left

BASE = find_policy("ons-srs")


def survey(n: int = 600, seed: int = 4) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    x, w = draw.normal(size=(2, n))
    d = 0.3 * x + 0.2 * w + draw.normal(size=n)
    frame = pd.DataFrame(
        {"id": range(n), "y": 0.2 * d + 0.4 * x + 0.3 * w + draw.normal(size=n), "d": d, "x": x, "w": w}
    )
    return frame.assign(rare=frame.index < 5)


def robustness(frame: pd.DataFrame, formula: str = "y ~ d + x + w", **keywords: object) -> lr.Robustness:
    fit = lr.feols(formula, frame, cov=lr.Unadjusted(), person="id")
    return lr.robustness_value(fit, "d", **{"benchmarks": ["x", "w"], "times": [1, 2], **keywords})


def test_published_figures_of_violence_in_darfur() -> None:
    """Cinelli and Hazlett (2020), section 5, and what their software prints: 0.09732 (0.02326), df 783."""
    fit = lr.feols("y ~ d", survey(), cov=lr.Unadjusted(), person="id")
    values, covariance = np.array([0.0, 0.09732]), np.diag([1.0, (0.09732 / 4.18445) ** 2])
    assert fit.names == ("Intercept", "d")
    found = lr.robustness_value(replace(fit, values=values, covariance=covariance, df_resid=783.0), "d")
    assert found.partial_r2 == pytest.approx(0.02187, abs=5e-6)
    assert found.value == pytest.approx(0.13878, abs=5e-6)
    assert found.value_significant == pytest.approx(0.07626, abs=5e-6)
    # One, two and three times the covariate "female".
    shares = np.array([0.0092, 0.0183, 0.0275]), np.array([0.1246, 0.2493, 0.3741])
    left, spread = what_is_left(0.09732, 0.02326, 783, *shares)
    np.testing.assert_allclose(left, [0.0752, 0.0529, 0.0304], atol=1.5e-4)
    np.testing.assert_allclose(spread, [0.0219, 0.0204, 0.0187], atol=5e-5)


def test_the_line_of_no_effect_passes_the_robustness_value() -> None:
    found = robustness(survey())
    fit, value, significant = found.fit, np.array([found.value]), np.array([found.value_significant])
    at = fit.names.index("d")
    error = float(np.sqrt(fit.covariance[at, at]))
    assert what_is_left(fit.values[at], error, fit.df_resid, value, value)[0] == pytest.approx(0.0, abs=1e-12)
    left, spread = what_is_left(fit.values[at], error, fit.df_resid, significant, significant)
    assert left / spread == pytest.approx(stats.t.isf(0.025, fit.df_resid - 1), rel=1e-9)


def test_what_is_left_is_the_regression_with_the_variable() -> None:
    """Leave a covariate out: its own partial correlations lead back to the regression that has it."""
    frame = survey()
    long = lr.feols("y ~ d + x + w", frame, cov=lr.Unadjusted(), person="id")
    short = lr.feols("y ~ d + x", frame, cov=lr.Unadjusted(), person="id")
    of_term = lr.feols("d ~ x + w", frame, cov=lr.Unadjusted(), person="id")
    shares = [np.array([fit.tstats["w"] ** 2 / (fit.tstats["w"] ** 2 + fit.df_resid)]) for fit in (of_term, long)]
    left, spread = what_is_left(short.params["d"], short.std_errors["d"], short.df_resid, *shares)
    assert left == pytest.approx(long.params["d"], rel=1e-9)
    assert spread == pytest.approx(long.std_errors["d"], rel=1e-9)


@pytest.mark.parametrize("quantity", ["coefficient", "t"])
def test_a_chart_is_drawn_of_protected_numbers(quantity: str, tmp_path: Path) -> None:
    found = robustness(survey())
    chart = found.contours(quantity, title="What would be left")
    table = protect_contours(chart, BASE)
    assert table.keys["omitted"].labels == ("none", "1 x x", "2 x x", "1 x w", "2 x w")
    np.testing.assert_allclose(table.numbers("coefficient")[1:], found.benchmarks["coefficient"], rtol=1e-3)
    assert table.numbers("coefficient")[0] == pytest.approx(found.fit.params["d"], rel=1e-3)
    (axis,) = plots.draw_contours(chart, table).axes
    points = np.concatenate([line.get_xydata() for line in axis.get_lines() if line.get_marker() == "D"])
    wanted = np.column_stack([table.numbers("r2_term"), table.numbers("r2_outcome")])[1:]
    np.testing.assert_array_equal(points, wanted)
    texts = [text.get_text() for text in axis.texts]
    assert f"1 x w ({table.numbers(quantity)[3]:.3g})" in texts
    # The dashed line is where the value decides.
    dashed = axis.collections[-1]
    ends = np.concatenate([path.vertices for path in dashed.get_paths()])
    numbers = [float(table.numbers(name)[0]) for name in ("coefficient", "coefficient_se", "df")]
    left, spread = what_is_left(*numbers, *ends[1:-1].T)
    decided = left / spread if quantity == "t" else left
    np.testing.assert_allclose(decided, 0.0 if quantity == "coefficient" else 1.964, atol=0.02)
    released = lr.release({"left": chart}, policy="ons-srs", to=tmp_path / "out")
    assert released.files == ("README.txt", "left.png", "left_data.csv")
    lr.Answer("sensitivity", {"left": chart}, found.fit.flow)


def test_hidden_coefficients_hide_what_is_left_of_them() -> None:
    frame = survey()
    chart = robustness(frame, "y ~ d + x + rare", benchmarks=["rare", "x"], times=[1]).contours()
    table = protect_contours(chart, BASE)
    assert table.texts["coefficient"][1] == "c"
    assert "c" not in (table.texts["coefficient"][0], table.texts["coefficient"][2])
    assert "Benchmarks of too few persons" in " ".join(
        text.get_text() for text in plots.draw_contours(chart, table).texts
    )
    few = protect_contours(robustness(frame.head(9), times=[]).contours(), BASE)
    assert set(few.texts["coefficient"]) == {"c"}
    figure = plots.draw_contours(robustness(frame.head(9), times=[]).contours(), few)
    assert "No number can be shown" in " ".join(text.get_text() for text in figure.texts)


def test_what_is_no_chart_of_contours_is_refused() -> None:
    found = robustness(survey())
    with pytest.raises(lr.SupportError, match="not of 'p'"):
        found.contours("p")  # type: ignore[arg-type]
    with pytest.raises(lr.SupportError, match="no coefficient 'q'"):
        lr.ContourChart(found.fit, "q", found.benchmarks)
    with pytest.raises(TypeError, match="draws an Estimate"):
        lr.ContourChart(found, "d", found.benchmarks)  # type: ignore[arg-type]


def test_pairs_without_a_difference_keep_their_ranks() -> None:
    """Moments over all signs of the pairs that differ, each with its chance; the others are ranked among them."""
    differences = np.array([0.0, 3.0, -1.0, 0.0, 2.5, 4.0, -2.0, 1.5])
    ranks = stats.rankdata(np.abs(differences))[differences != 0]
    assert ranks.min() == 3.0
    for gamma in (1.0, 2.0):
        chance = gamma / (1 + gamma)
        signs = np.array(list(product([0, 1], repeat=len(ranks))))
        weights = np.prod(np.where(signs == 1, chance, 1 - chance), axis=1)
        sums = signs @ ranks
        mean = weights @ sums
        found = lr.rosenbaum_bounds(differences, [gamma]).iloc[0]
        assert found["statistic"] == stats.rankdata(np.abs(differences))[differences > 0].sum()
        wanted = stats.norm.sf((found["statistic"] - mean) / np.sqrt(weights @ (sums - mean) ** 2))
        assert found["p_high"] == pytest.approx(wanted, rel=1e-12)
