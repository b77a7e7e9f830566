"""Regression tables: rows, columns and the four formats; the protocol by which other packages read an estimate."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from reference_feols import workers

import leoreturns as lr
from leoreturns.results.estimate import Drawn
from leoreturns.results.regression_table import significant

FRAME = workers(120)
PANEL = lr.Panel.from_frame(FRAME, person="person", time="year")
LABELS = {"x1": "Experience", "route": "Route", "route::vocational": "Vocational", "person": "Person"}


def estimate(formula: str, data: lr.Panel = PANEL, cov: lr.Covariance | None = None) -> lr.Estimate:
    found = lr.feols(formula, data, cov=cov or lr.Clustered("school"))
    assert isinstance(found, lr.Estimate)
    return found


FIRST = estimate("y ~ x1 + x2 + route")
SECOND = estimate("y ~ x1 * treated | person + year", cov=lr.Clustered("person"))


def test_rows_are_coefficients_with_what_stands_beneath() -> None:
    frame = lr.table([FIRST, SECOND], labels=LABELS).to_frame()
    assert list(frame.columns) == ["(1)", "(2)"]
    assert frame.loc["Experience", "(1)"] == significant(FIRST.params["x1"])
    beneath = frame.iloc[list(frame.index).index("Experience") + 1]
    assert beneath["(1)"] == f"({significant(FIRST.std_errors['x1'])})"
    assert {"Vocational", "Route: none", "Experience x treated"} <= set(frame.index)
    assert list(frame.loc["Person effects"]) == ["", "yes"]
    assert list(frame.loc["Persons"]) == [f"{len(FRAME.person.unique()):,}", f"{SECOND.n_person:,}"]
    assert list(frame.loc["Rows"]) == [f"{FIRST.n_row:,}", f"{SECOND.n_row:,}"]
    assert list(frame.loc["Clusters of school"]) == ["8", ""]
    assert frame.loc["R2", "(1)"] == significant(FIRST.r2)
    assert list(frame.loc["R2 within"]) == ["", significant(SECOND.r2_within)]
    assert frame.loc["Standard errors", "(2)"] == "clustered by person"
    # Whatever the order of appearance, the intercept closes the coefficients.
    assert list(frame.index).index("Intercept") > list(frame.index).index("Experience x treated")


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("t", lambda fit: f"({significant(fit.tstats['x1'])})"),
        ("p", lambda fit: f"[{fit.pvalues['x1']:.3f}]"),
        ("interval", lambda fit: "[{}, {}]".format(*map(significant, fit.conf_int(0.9).loc["x1"]))),
    ],
)
def test_other_measures_of_uncertainty(below: str, expected) -> None:
    frame = lr.table(SECOND, below=below, level=0.9, keep=["^x1$"]).to_frame()  # type: ignore[arg-type]
    assert frame.iloc[1, 0] == expected(SECOND)


def test_drawn_intervals_are_shown_at_their_own_level() -> None:
    drawn = estimate("y ~ x1 + x2", cov=lr.Resampled(lr.BootstrapPlan(199, unit="person", seed=2, level=0.9)))
    assert drawn.drawn is not None and drawn.level == 0.9
    np.testing.assert_array_equal(drawn.to_frame()["low"], drawn.drawn.low)
    assert "x1" in drawn.summary()
    both = lr.table([FIRST, drawn], below="interval")
    assert "90 per cent" in both.to_text()
    assert {"ci90l", "ci90u"} < set(drawn.__maketables_coef_table__)
    with pytest.raises(lr.SupportError, match="drawn at level 0.9"):
        lr.table([FIRST, drawn], level=0.95).to_text()


def test_an_interval_with_an_infinite_end_is_shown() -> None:
    drawn = Drawn(("x1",), 0.95, None, np.array([-np.inf]), np.array([0.25]), 99)
    shown = lr.table(replace(FIRST, drawn=drawn), below="interval", keep=["^x1$"]).to_frame()
    assert shown.iloc[1, 0] == "[-inf, 0.2500]"


def test_coefficients_are_kept_dropped_and_ordered_by_patterns() -> None:
    shown = lr.table([FIRST, SECOND], drop=["route", "Intercept"], order=["treated$", "^x2"])
    assert shown.rows == ("treated", "x1:treated", "x2", "x1")
    assert lr.table(FIRST, keep=["route"]).rows == tuple(name for name in FIRST.names if name.startswith("route"))
    assert lr.table(FIRST, order=["Inter"]).rows[0] == "Intercept"
    with pytest.raises(lr.SupportError, match="no coefficient is left"):
        lr.table(FIRST, keep=["nothing"])


def test_no_stars_unless_they_are_asked_for() -> None:
    assert "*" not in lr.table(FIRST).to_text()
    starred = lr.table(FIRST, stars=(0.01, 0.1, 0.05)).to_frame()
    for name in FIRST.names:
        marks = sum(round(FIRST.pvalues[name], 3) < level for level in (0.1, 0.05, 0.01))
        assert starred.loc[name.replace("::", ": "), "(1)"].count("*") == marks
    assert "* p < 0.1, ** p < 0.05, *** p < 0.01" in lr.table(FIRST, stars=(0.01, 0.1, 0.05)).to_text()


def test_headings_are_numbers_with_the_names_of_a_mapping_or_the_parts_of_a_split() -> None:
    assert lr.table({"pooled": FIRST, "within": SECOND}).headings == ("(1) pooled", "(2) within")
    split = lr.feols("y ~ sw(x1, x2)", PANEL, cov=lr.Robust("HC1"), split="route")
    assert isinstance(split, lr.Estimates)
    table = lr.table([FIRST, split])
    assert table.headings[:3] == ("(1)", "(2) route=a level", "(3) route=a level")
    assert len(table.models) == 1 + 6


def test_estimators_are_named_where_they_differ() -> None:
    two = estimate("y ~ x2 | year | x1 ~ ability", cov=lr.Robust("HC1"))
    frame = lr.table([FIRST, two]).to_frame()
    assert list(frame.loc["Estimator"]) == ["OLS", "2SLS"]
    assert frame.loc["Effective F", "(2)"] == significant(two.first_stages["x1"].effective)
    assert frame.loc["R2", "(2)"] == ""
    assert "Estimator" not in lr.table([FIRST, SECOND]).to_frame().index


def test_formats_hold_the_same_cells() -> None:
    shown = lr.table([FIRST, SECOND], title="Pay & place", labels={"x2": "50% | more_or_less"}, stars=(0.05,))
    cells = {cell for cell in shown.to_frame().to_numpy().ravel() if cell}
    text, html, latex, markdown = shown.to_text(), shown.to_html(), shown.to_latex(), shown.to_markdown()
    for cell in cells:
        assert cell in text and cell in html
        assert cell in latex.replace(r"\_", "_") and cell in markdown.replace("\\", "")
    assert len({len(line) for line in text.splitlines() if set(line) == {"-"}}) == 1
    assert r"50\% $|$ more\_or\_less" in latex and r"Pay \& place" in latex
    assert latex.count(r"\midrule") == 3 and latex.startswith(r"\begin{tabular}{lcc}")
    assert r"50% \| more\_or\_less" in markdown and "Pay &amp; place" in html
    assert {line.replace("\\|", "").count("|") for line in markdown.splitlines() if line.startswith("|")} == {4}
    assert repr(shown) == text and shown._repr_html_() == html


def test_a_regression_of_few_persons_is_masked() -> None:
    few = lr.feols("y ~ x1", FRAME[FRAME.person < 9], cov=lr.Unadjusted(), person="person")
    assert isinstance(few, lr.Estimate)
    shown = lr.table([FIRST, few])
    column = shown.to_frame()["(2)"]
    assert set(column) <= {"", "<10", "(<10)", "unadjusted"}
    for written in (shown.to_text(), shown.to_latex(), shown.to_html(), shown.to_markdown()):
        assert significant(few.params["x1"]) not in written
    assert few.__maketables_coef_table__.isna().all(axis=None) and few.__maketables_stat__("N") is None


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0800018, "0.08000"), (1234567.8, "1,235,000"), (-0.00051854, "-0.0005185"), (0.0, "0"), (9.9996, "10.00")],
)
def test_numbers_have_four_significant_figures(number: float, text: str) -> None:
    assert significant(number) == text


def test_what_is_no_table_is_refused() -> None:
    for wrong in ([], {}):
        with pytest.raises(lr.SupportError, match="at least one"):
            lr.table(wrong)
    with pytest.raises(TypeError, match="made of Estimates"):
        lr.table([FIRST, FRAME])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="below is one of"):
        lr.table(FIRST, below="se")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="levels of significance"):
        lr.table(FIRST, stars=(5,))


def test_a_table_pickles() -> None:
    shown = lr.table([FIRST, SECOND])
    assert pickle.loads(pickle.dumps(shown)).to_text() == shown.to_text()


def test_the_protocol_names_what_is_known() -> None:
    table = SECOND.__maketables_coef_table__
    assert list(table.columns) == ["b", "se", "t", "p", "ci95l", "ci95u"] and table.index.name == "Coefficient"
    np.testing.assert_array_equal(table["b"], SECOND.values)
    assert SECOND.__maketables_stat__("N") == SECOND.nobs and SECOND.__maketables_stat__("unknown") is None
    assert FIRST.__maketables_stat__("r2_within") is None
    assert (SECOND.__maketables_depvar__, SECOND.__maketables_fixef_string__) == ("y", "person+year")
    assert FIRST.__maketables_fixef_string__ is None


def test_maketables_reads_estimates() -> None:
    maketables = pytest.importorskip("maketables", reason="maketables is not installed")
    shown = maketables.ETable([FIRST, SECOND]).df
    assert isinstance(shown, pd.DataFrame)
    cell = shown.loc[("coef", "x1")].iloc[1]
    assert cell.startswith(f"{SECOND.params['x1']:.3f}") and f"({SECOND.std_errors['x1']:.3f})" in cell
    assert shown.loc[("stats", "Persons")].tolist() == [f"{FIRST.n_person}", f"{SECOND.n_person}"]
    assert shown.loc[("stats", "S.E. type")].tolist() == ["clustered by school", "clustered by person"]
    assert shown.loc[("fe", "person")].tolist() == ["-", "x"]
