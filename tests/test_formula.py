"""Formulas: parts, stepwise sets, categories, and what is refused."""

from __future__ import annotations

import pytest
from reference_feols import workers

import leoreturns as lr
from leoreturns.estimation.formula import NOT_GIVEN, parse

FRAME = workers(40)


def texts(formula: str) -> list[str]:
    return [entry.text for entry in parse(formula)]


def test_one_regression() -> None:
    (found,) = parse("log(y) ~ x + C(route, ref='a|b') * z | school + cohort^region | d ~ z1 + z2")
    assert found.outcome.text == "log(y)" and not found.intercept
    assert [[factor.text for factor in term] for term in found.terms] == [["x"], ["route"], ["z"], ["route", "z"]]
    assert found.terms[1][0].ref == "a|b" and found.terms[1][0].kind == "category"
    assert found.effects == (("school",), ("cohort", "region"))
    assert [[factor.text for factor in term] for term in found.instruments] == [["z1"], ["z2"]]


def test_the_intercept_goes_with_minus_one_zero_or_effects() -> None:
    assert [parse(f"y ~ {right}")[0].intercept for right in ("x", "1", "x - 1", "0 + x", "x | s", "x | 0")] == [
        True, True, False, False, False, True,
    ]  # fmt: skip


def test_instruments_need_no_effects() -> None:
    (found,) = parse("y ~ x | d ~ z")
    assert found.effects == () and found.intercept and len(found.endogenous) == 1


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("y1 + y2 ~ x", ["y1 ~ x", "y2 ~ x"]),
        ("c(y1, log(y2)) ~ x", ["y1 ~ x", "log(y2) ~ x"]),
        ("y ~ sw(a, b)", ["y ~ a", "y ~ b"]),
        ("y ~ x + sw0(a, b)", ["y ~ x", "y ~ x + a", "y ~ x + b"]),
        ("y ~ csw(a, b)", ["y ~ a", "y ~ a + b"]),
        ("y ~ csw0(a, b) - 1 | csw(s, t)", None),
        ("y ~ sw(a, C(b, ref='x,y'))", ["y ~ a", "y ~ C(b, ref='x,y')"]),
        ("sw(y, z) ~ x", ["y ~ x", "z ~ x"]),
    ],
)
def test_stepwise_sets(formula: str, expected: list[str] | None) -> None:
    found = texts(formula)
    assert len(found) == 6 if expected is None else found == expected


def test_interactions_of_i() -> None:
    (found,) = parse("y ~ i(year, treated, ref=2012) + i(a, b, ref='x', ref2='y') + i(c)")
    terms = {tuple(factor.text for factor in term): term for term in found.terms}
    year, treated = terms["year", "treated"]
    assert (year.ref, year.full, treated.kind) == (2012, True, "column")
    assert [factor.ref for factor in terms["a", "b"]] == ["x", "y"]
    assert terms["c",][0].ref is NOT_GIVEN


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y", "is no formula"),
        ("y ~ x ~ z", "is no formula"),
        ("y ~ x | s | t", "last part"),
        ("y ~ x | d ~ ", "no instrument"),
        (" ~ x", "no outcome"),
        ("y ~ (x", "unclosed bracket"),
        ("y ~ sw(x", "unclosed bracket"),
        ("y ~ x | s[t]", "varying slopes"),
        ("y ~ lag(x)", "cross from one person"),
        ("y ~ C(a, b)", "is not understood"),
        ("y ~ C(a, levels=3)", "is not understood"),
        ("y ~ i(a, ref=b)", "must be a label"),
        ("y:z ~ x", "one column or one expression"),
        ("y ~ x +* z", "cannot be parsed"),
    ],
)
def test_what_is_no_formula_is_refused(formula: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(formula)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ nothing", "unknown column 'nothing'"),
        ("y ~ x1 | nothing", "unknown column 'nothing'"),
        ("y ~ log(nothing)", "unknown column 'nothing'"),
        ("route ~ x1", "holds labels"),
        ("y ~ C(route, ref='degree')", "is not among the 3 levels"),
        ("y ~ x1 | person | x2 ~ ability", "0 of 1 instrument vary apart"),
        ("y ~ x1 | person | ability ~ x2", "cannot be told apart"),
    ],
)
def test_what_the_data_do_not_hold_is_refused(formula: str, message: str) -> None:
    with pytest.raises(lr.LeoReturnsError, match=message):
        lr.feols(formula, FRAME, cov=lr.Unadjusted(), person="person")


def test_options_that_are_none_are_refused() -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'cov'"):
        lr.feols("y ~ x1", FRAME)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="cov is a covariance"):
        lr.feols("y ~ x1", FRAME, cov="HC1")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name the columns"):
        lr.Clustered()
    with pytest.raises(ValueError, match="HC4"):
        lr.Robust("HC4")  # type: ignore[arg-type]
    with pytest.raises(lr.SupportError, match="no unadjusted covariance"):
        lr.feols("y ~ x1", FRAME, cov=lr.Unadjusted(), weights=lr.Weights("w", "probability"))
    with pytest.raises(lr.SupportError, match="negative in"):
        lr.feols("y ~ x1", FRAME, cov=lr.Robust(), weights=lr.Weights("x1", "probability"))
    with pytest.raises(lr.SupportError, match="not whole"):
        lr.feols("y ~ x1", FRAME.assign(w=FRAME.w + 0.5), cov=lr.Robust(), weights=lr.Weights("w", "frequency"))
    with pytest.raises(ValueError, match="those of a regression"):
        lr.aggregate(FRAME, "y", statistics=["mean"], weights=lr.Weights("w", "analytic"))
    with pytest.raises(lr.SupportError, match="no rows are left"):
        lr.feols("y ~ x1", FRAME, cov=lr.Robust(), where="x1 > 1000")
