"""feols gives the same bytes whatever the threads, the order of the rows and the way the panel was stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reference_feols import Brute, workers

import leoreturns as lr
from leoreturns.estimation import blocks

pytestmark = pytest.mark.filterwarnings("ignore::leoreturns.errors.ClusterWarning")  # few on purpose
FORMULAS = [
    "y ~ x1 + C(route) + x1:C(school) | person + year + place",
    "y ~ x1 + C(route)",
    "y ~ x1 + x2 | school^year + place",
    "y ~ x2 | person + year | x1 ~ w + treated",
]
COVARIANCES = [lr.Robust("HC3"), lr.Clustered("person"), lr.Clustered("school", "year")]


@pytest.fixture(autouse=True)
def many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)


def bits(found: object) -> bytes:
    assert isinstance(found, lr.Estimate)
    return found.values.tobytes() + found.covariance.tobytes() + np.float64(found.r2).tobytes()


@pytest.mark.parametrize("cov", COVARIANCES, ids=lambda cov: cov.name)
@pytest.mark.parametrize("formula", FORMULAS)
def test_threads_rows_and_storage_change_no_bit(formula: str, cov: lr.Covariance, tmp_path: Path) -> None:
    frame = workers(200, missing=True)
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    expected = bits(lr.feols(formula, panel, cov=cov, n_jobs=1))
    for n_jobs in (2, 3):
        assert bits(lr.feols(formula, panel, cov=cov, n_jobs=n_jobs)) == expected
    shuffled = frame.sample(frac=1, random_state=3)
    assert bits(lr.feols(formula, lr.Panel.from_frame(shuffled, person="person", time="year"), cov=cov)) == expected
    for parts in (1, 7):
        panel.save(tmp_path / str(parts), partitions=parts)
        assert bits(lr.feols(formula, lr.Panel.open(tmp_path / str(parts)), cov=cov)) == expected


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_scan_gives_the_same_as_its_panel(formula: str, tmp_path: Path) -> None:
    panel = lr.Panel.from_frame(workers(200, missing=True), person="person", time="year")
    panel.save(tmp_path / "stored", partitions=5)
    scan = lr.Panel.scan(tmp_path / "stored")
    cov = lr.Clustered("school")
    assert bits(lr.feols(formula, scan, cov=cov)) == bits(lr.feols(formula, panel, cov=cov))
    steps = scan.where("year > 2011").assign(x2="x2 * 2 + x1")
    expected = lr.feols(formula, panel.where("year > 2011").assign(x2="x2 * 2 + x1"), cov=cov)
    found = lr.feols(formula, steps, cov=cov)
    assert bits(found) == bits(expected)
    assert isinstance(found, lr.Estimate) and isinstance(expected, lr.Estimate)
    assert found.evidence.fingerprint == expected.evidence.fingerprint
    assert found.flow.to_frame().equals(expected.flow.to_frame())


def test_a_condition_gives_the_same_as_the_rows_alone() -> None:
    frame = workers(200, missing=True)
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    alone = lr.Panel.from_frame(frame[frame.year > 2011], person="person", time="year")
    for formula in FORMULAS:
        cov = lr.Clustered("person")
        assert bits(lr.feols(formula, panel, cov=cov, where="year > 2011")) == bits(lr.feols(formula, alone, cov=cov))


def test_a_frame_gives_the_same_as_its_panel() -> None:
    frame = workers(300)
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    for formula in FORMULAS:
        cov = lr.Clustered("person")
        assert bits(lr.feols(formula, frame, cov=cov, person="person")) == bits(lr.feols(formula, panel, cov=cov))


@pytest.mark.parametrize("formula", ["y ~ x1 + x2 | person + year", "y ~ x1 + x2", "y ~ x1 + x2 | school + year"])
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_move_a_coefficient_and_nothing_else(formula: str, scale: float) -> None:
    frame = workers(200)
    for cov in (lr.Unadjusted(), lr.Clustered("school")):
        plain = lr.feols(formula, frame, cov=cov, person="person")
        scaled = lr.feols(formula, frame.assign(x1=frame.x1 * scale), cov=cov, person="person")
        assert isinstance(plain, lr.Estimate) and isinstance(scaled, lr.Estimate)
        for name, factor in (("x1", scale), ("x2", 1.0)):
            assert scaled.params[name] * factor == pytest.approx(plain.params[name], rel=1e-10)
            assert scaled.std_errors[name] * factor == pytest.approx(plain.std_errors[name], rel=1e-10)
        outcome = lr.feols(formula, frame.assign(y=frame.y * scale), cov=cov, person="person")
        assert isinstance(outcome, lr.Estimate)
        np.testing.assert_allclose(outcome.values / scale, plain.values, rtol=1e-10)


def test_large_levels_cost_no_digits() -> None:
    frame = workers(200)
    # Whole thousandths, so that adding a million keeps every digit.
    frame = frame.assign(x1=np.round(frame.x1 * 1024) / 1024, x2=np.round(frame.x2 * 1024) / 1024)
    for formula in ("y ~ x1 + x2 | person + year", "y ~ x1 + x2"):
        plain = lr.feols(formula, frame, cov=lr.Robust("HC1"), person="person")
        moved = lr.feols(formula, frame.assign(x1=frame.x1 + 1e6), cov=lr.Robust("HC1"), person="person")
        assert isinstance(plain, lr.Estimate) and isinstance(moved, lr.Estimate)
        for name in ("x1", "x2"):
            assert moved.params[name] == pytest.approx(plain.params[name], rel=1e-12)
            assert moved.std_errors[name] == pytest.approx(plain.std_errors[name], rel=1e-12)


@pytest.mark.parametrize("apart", [1e-2, 1e-3, 1e-4])
def test_nearly_collinear_regressors_are_told_apart(apart: float) -> None:
    frame = workers(200)
    frame = frame.assign(x2=frame.x1 + apart * np.random.default_rng(1).normal(size=len(frame)))
    brute = Brute(frame, frame.y, frame[["x1", "x2"]].to_numpy(), ["person", "year"])
    found = lr.feols("y ~ x1 + x2 | person + year", frame, cov=lr.Unadjusted(), person="person")
    assert isinstance(found, lr.Estimate)
    np.testing.assert_allclose(found.values, brute.beta, rtol=1e-14 / apart**2 + 1e-11)


def test_copies_closer_than_rounding_are_dropped() -> None:
    frame = workers(200)
    frame = frame.assign(x2=frame.x1 + 1e-7 * np.random.default_rng(1).normal(size=len(frame)))
    found = lr.feols("y ~ x1 + x2 | person + year", frame, cov=lr.Unadjusted(), person="person")
    assert isinstance(found, lr.Estimate)
    assert found.names == ("x1",) and list(found.dropped) == ["x2"]


# ---- big n -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_ten_million_rows(weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the normal equations of exactly demeaned integers; the failures of other packages begin at 5 million."""
    monkeypatch.undo()
    n_person, years = 1_000_000, 10
    draw = np.random.default_rng(12)
    shape = (n_person, years)
    x1 = draw.integers(-1000, 1000, shape) + draw.integers(0, 10**6, (n_person, 1))
    few = np.zeros(shape)
    few[draw.choice(n_person, 3, replace=False), 4] = 1.0  # varies for three persons
    near = x1 + draw.integers(-1000, 1000, shape) * 0.01
    y = 3 * x1 + 50 * few + draw.integers(-500, 500, shape) + np.arange(years) * 7
    frame = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n_person), years),
            "year": np.tile(np.arange(2010, 2010 + years), n_person),
            "x1": x1.ravel().astype(np.int32),
            "small": x1.ravel() * 1e-6,
            "few": few.ravel(),
            "near": near.ravel() * 1e6,
            "y": y.ravel().astype(np.int32),
            "w": 1.0 + draw.integers(0, 2, n_person * years),
        }
    )
    weights = lr.Weights("w", "analytic") if weighted else None
    formula = "y ~ x1 + few + near + small | id + year"
    found = lr.feols(formula, frame, cov=lr.Clustered("id"), person="id", weights=weights)
    assert isinstance(found, lr.Estimate)
    assert found.names == ("x1", "few", "near")
    assert list(found.dropped) == ["small"]
    assert found.nobs == n_person * years
    w = frame.w.to_numpy().reshape(shape) if weighted else np.ones(shape)
    columns = [x1.astype(float), few, near, y.astype(float)]
    effects = [np.broadcast_to(np.arange(years) == year, shape).astype(float) for year in range(1, years)]

    def within(values: np.ndarray) -> np.ndarray:
        return values - (w * values).sum(axis=1, keepdims=True) / w.sum(axis=1, keepdims=True)

    stack = np.array([within(values).ravel() for values in (*effects, *columns)])
    moments = (stack * w.ravel()) @ stack.T
    beta = np.linalg.solve(moments[:-1, :-1], moments[:-1, -1])
    residual = stack[-1] - beta @ stack[:-1]
    scores = (stack[:-1] * (w.ravel() * residual)).reshape(len(beta), n_person, years).sum(axis=2)
    inverse = np.linalg.inv(moments[:-1, :-1])
    cov = inverse @ (scores @ scores.T) @ inverse
    n, k = n_person * years, 3 + years
    cov *= (n - 1) / (n - k) * n_person / (n_person - 1)
    units = np.array([1.0, 1.0, 1e6])
    # What is left of `near` without x1 is a hundredth of it: its square loses four digits.
    np.testing.assert_allclose(found.values * units, beta[-3:], rtol=1e-9, atol=1e-9 * abs(beta[-3]))
    np.testing.assert_allclose(found.covariance * np.outer(units, units), cov[-3:, -3:], rtol=1e-7)
