"""Adjusted p-values against their definitions by brute force, and against statsmodels."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reference_feols import Brute, workers
from statsmodels.stats.multitest import multipletests

import leoreturns as lr
from leoreturns.estimation.multiplicity import step_down

FRAME = workers(80, seed=9)
PANEL = lr.Panel.from_frame(FRAME, person="person", time="year")
FORMULA = "y + x2 ~ x1 + treated"


def brute_step_down(observed: np.ndarray, draws: np.ndarray, *, exact: bool) -> np.ndarray:
    """Step down as it is defined: the next hypothesis against the largest draw of all that are left."""
    left, found, least = list(np.argsort(-np.abs(observed))), np.empty(len(observed)), 0.0
    while left:
        count = sum(np.abs(draws[left, b]).max() >= abs(observed[left[0]]) * (1 - 1e-10) for b in range(draws.shape[1]))
        least = max(least, count / draws.shape[1] if exact else (count + 1) / (draws.shape[1] + 1))
        found[left.pop(0)] = least
    return found


@pytest.mark.parametrize("exact", [True, False])
def test_step_down_is_as_it_is_defined(exact: bool) -> None:
    draw = np.random.default_rng(4)
    draws = draw.multivariate_normal(np.zeros(4), 0.5 + 0.5 * np.eye(4), 300).T
    observed = np.array([-2.6, 1.1, 2.2, 0.1])
    found = step_down(observed, np.abs(draws), exact=exact)
    np.testing.assert_array_equal(found, brute_step_down(observed, draws, exact=exact))
    single = [step_down(observed[at : at + 1], np.abs(draws[at : at + 1]), exact=exact)[0] for at in range(4)]
    assert (found >= single).all()


def test_all_sign_vectors_of_the_wild_bootstrap_by_regressions() -> None:
    """Eight schools have 256 sign vectors: every statistic of every outcome from a regression of its own."""
    names = ["x1", "treated"]
    cov = lr.WildCluster("school", 999, seed=1, params=names)
    tests = lr.romano_wolf(FORMULA, PANEL, cov=cov, params=names)
    found = tests.to_frame()
    x = FRAME.assign(Intercept=1.0)[["Intercept", *names]].to_numpy(dtype=float)
    codes = FRAME.groupby("school").ngroup().to_numpy()

    def statistic(y: np.ndarray, at: int) -> float:
        fit = Brute(FRAME, y, x)
        return fit.beta[at] / np.sqrt(fit.clustered(["school"], parameters=3)[at, at])

    observed, draws = [], []
    for outcome in ("y", "x2"):
        y = FRAME[outcome].to_numpy(dtype=float)
        for at in (1, 2):
            others = np.delete(x, at, axis=1)
            fitted = others @ np.linalg.lstsq(others, y, rcond=None)[0]
            signs = product([-1.0, 1.0], repeat=8)
            draws.append([statistic(fitted + np.array(each)[codes] * (y - fitted), at) for each in signs])
            observed.append(statistic(y, at))
    expected = brute_step_down(np.array(observed), np.array(draws), exact=True)
    assert list(found.index) == [(f"{y} ~ x1 + treated", name) for y in ("y", "x2") for name in names]
    np.testing.assert_allclose(found["p_adjusted"], expected, rtol=1e-12)
    alone = [np.mean(np.abs(row) >= abs(t) * (1 - 1e-10)) for row, t in zip(draws, observed, strict=True)]
    np.testing.assert_allclose(found["p"], alone, rtol=1e-12)
    asked = lr.WildCluster("school", 256, seed=1, params=names)  # as many as there are: all of them just so
    pd.testing.assert_frame_equal(found, lr.romano_wolf(FORMULA, PANEL, cov=asked, params=names).to_frame())


def test_step_down_of_pyfixest_within_monte_carlo_error() -> None:
    pyfixest = pytest.importorskip("pyfixest", reason="pyfixest is not installed")
    pytest.importorskip("wildboottest", reason="wildboottest, which pyfixest draws with, is not installed")
    draw = np.random.default_rng(0)
    rows = workers(150, seed=9).assign(place=lambda frame: frame.person % 40)
    for number in range(3):
        shared = draw.normal(size=40)[rows.place]
        rows[f"y{number}"] = 0.08 * (number + 1) * rows.x1 + shared + draw.normal(size=len(rows))
    fits = [pyfixest.feols(f"y{number} ~ x1 + x2", rows, vcov={"CRV1": "place"}) for number in range(3)]
    theirs = pyfixest.rwolf(fits, "x1", reps=9999, seed=3).loc["RW Pr(>|t|)"].to_numpy(dtype=float)
    cov = lr.WildCluster("place", 9999, seed=1, params=["x1"])
    found = lr.romano_wolf("y0 + y1 + y2 ~ x1 + x2", rows, cov=cov, params=["x1"], person="person").p_adjusted
    error = np.sqrt(2 * theirs * (1 - theirs) / 9999)
    assert (np.abs(found - theirs) < 4 * error).all()


def test_replicates_of_the_pairs_bootstrap_are_joint() -> None:
    plan = lr.BootstrapPlan(199, unit="person", seed=3, interval="normal")
    found = lr.romano_wolf(FORMULA, PANEL, cov=lr.Resampled(plan), params=["x1", "treated"]).to_frame()
    fits = lr.feols(FORMULA, PANEL, cov=lr.Resampled(plan))
    assert isinstance(fits, lr.Estimates)
    for (label, name), row in found.iterrows():  # type: ignore[misc]
        assert row["coefficient"] == fits[label].params[name]
        assert row["std_error"] == fits[label].std_errors[name]
        assert row["t"] == pytest.approx(row["coefficient"] / row["std_error"], rel=1e-10)
    # One statistic twice is one hypothesis: nothing is added to its p-value.
    twice = FRAME.assign(y2=2.0 * FRAME.y)
    both = lr.romano_wolf("y + y2 ~ treated", twice, cov=lr.Resampled(plan), params=["treated"], person="person")
    once = lr.romano_wolf("y ~ treated", twice, cov=lr.Resampled(plan), params=["treated"], person="person")
    np.testing.assert_array_equal(both.p_adjusted, once.p.repeat(2))


def test_draws_stay_in_no_result() -> None:
    plan = lr.BootstrapPlan(99, unit="person", seed=3, interval="normal")
    found = lr.romano_wolf("y ~ x1 + treated", PANEL, cov=lr.Resampled(plan), params=["x1", "treated"])
    assert found.to_frame().shape == (2, 5) and (found.t.shape, found.p.shape, found.p_adjusted.shape) == 3 * ((2,),)


def test_monte_carlo_error_of_the_adjustment() -> None:
    """Independent true nulls: the least p-value, adjusted, is 1 - (1 - p)^s."""
    draw = np.random.default_rng(5)
    draws = np.abs(draw.normal(size=(5, 40_000)))
    observed = np.array([2.5, 0.3, 0.2, 0.1, 0.05])
    (least, *_), single = step_down(observed, draws, exact=False), 0.012419330651552318
    assert abs(least - (1 - (1 - single) ** 5)) < 4 * np.sqrt(0.06 * 0.94 / 40_000)


@pytest.mark.parametrize(("method", "code"), [("benjamini-hochberg", "fdr_bh"), ("benjamini-yekutieli", "fdr_by")])
def test_false_discovery_rates_of_statsmodels(method: str, code: str) -> None:
    fits = lr.feols("y + x2 ~ sw(x1, x1 + treated, x1 + ability)", PANEL, cov=lr.Robust("HC1"))
    found = lr.false_discovery(fits, ["x1", "treated", "ability"], method=method).to_frame()  # type: ignore[arg-type]
    assert len(found) == 2 * 5
    np.testing.assert_allclose(found["p_adjusted"], multipletests(found["p"], method=code)[1], rtol=1e-12)


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(TypeError, match="joint draws"):
        lr.romano_wolf("y ~ x1", PANEL, cov=lr.Clustered("school"), params=["x1"])  # type: ignore[arg-type]
    with pytest.raises(lr.SupportError, match="its own params"):
        cov = lr.WildCluster("school", 99, seed=1, params=["x1"])
        lr.romano_wolf("y ~ x1 + x2", PANEL, cov=cov, params=["x2"])
    fit = lr.feols("y ~ x1", PANEL, cov=lr.Robust("HC1"))
    with pytest.raises(lr.SupportError, match="no regression has a coefficient 'x9'"):
        lr.false_discovery(fit, ["x1", "x9"])
    with pytest.raises(TypeError, match="params names"):
        lr.false_discovery(fit, "x1")
    with pytest.raises(ValueError, match="method is one of"):
        lr.false_discovery(fit, ["x1"], method="bonferroni")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "second", "counts"), [(0, 6, "8 in .*; 6 in .*, 6 in all"), (2, 6, "6 in .*, 4 in all")]
)
def test_sign_vectors_of_other_clusters_do_not_belong_together(first: int, second: int, counts: str) -> None:
    rows = FRAME.assign(
        y1=pd.Series(np.where(FRAME.school >= first, FRAME.y, np.nan)),
        y2=pd.Series(np.where(FRAME.school < second, FRAME.y, np.nan)),
    )
    cov = lr.WildCluster("school", 999, seed=1, params=["x1"])
    with pytest.raises(lr.SupportError, match=counts):
        lr.romano_wolf("y1 + y2 ~ x1", rows, cov=cov, params=["x1"], person="person")
    # Drawn signs hang on the keys of the clusters: the same cluster has the same in both.
    drawn = lr.WildCluster("school", 99, seed=1, params=["x1"], signs="webb")
    both = lr.romano_wolf("y1 + y2 ~ x1", rows, cov=drawn, params=["x1"], person="person")
    alone = lr.romano_wolf("y2 ~ x1", rows, cov=drawn, params=["x1"], person="person")
    assert both.p[1] == alone.p[0] and both.t[1] == alone.t[0]


def test_regressions_without_the_coefficient_are_left_out() -> None:
    cov = lr.WildCluster("school", 999, seed=1, params=["x1"])
    some = lr.romano_wolf("y ~ sw(x1, x1 + ability, treated)", PANEL, cov=cov, params=["x1"])
    both = lr.romano_wolf("y ~ sw(x1, x1 + ability)", PANEL, cov=cov, params=["x1"])
    pd.testing.assert_frame_equal(some.to_frame(), both.to_frame())
    assert list(some.models) == ["y ~ x1", "y ~ x1 + ability"]


# ---- release ---------------------------------------------------------------------------------------------------------


def many(n_person: int = 400) -> pd.DataFrame:
    rows = workers(n_person, seed=9)
    return rows.assign(one=(rows.person == 7) * 1.0, region=rows.person % 6)


def released(tests: lr.AdjustedTests, folder: Path) -> pd.DataFrame:
    written = lr.release({"tests": tests}, policy="ons-srs", to=folder)
    assert written.files == ("README.txt", "tests.csv")
    return pd.read_csv(folder / "tests.csv", na_values="c")


def test_adjusted_p_values_are_released_rounded(tmp_path: Path) -> None:
    plan = lr.BootstrapPlan(99, unit="person", seed=3, interval="normal")
    panel = lr.Panel.from_frame(many(), person="person", time="year")
    tests = lr.romano_wolf(FORMULA, panel, cov=lr.Resampled(plan), params=["x1", "treated"])
    read = released(tests, tmp_path / "out")
    assert read.columns.tolist() == ["regression", "name", "coefficient", "coefficient_se", "t", "p", "p_adjusted"]
    exact = tests.to_frame().reset_index()
    assert read[["regression", "name"]].to_numpy().tolist() == exact[["regression", "name"]].to_numpy().tolist()
    np.testing.assert_array_equal(read.p_adjusted, exact.p_adjusted.round(3))
    np.testing.assert_array_equal(read.coefficient, [float(f"{value:.4g}") for value in exact.coefficient])
    readme = (tmp_path / "out" / "README.txt").read_text()
    assert "Romano and Wolf" in readme and "bootstrapped by person (99 replicates)" in readme
    assert not any(f"{value:.7g}" in readme for value in exact.t)
    assert "Romano and Wolf" in repr(tests) and "Inside only" in repr(tests)
    few = lr.false_discovery(lr.feols("y ~ x1", many(9), cov=lr.Robust("HC1"), person="person"), ["x1"])
    assert "not shown" in repr(few) and "x1" not in repr(few)


def test_a_hidden_member_hides_the_family(tmp_path: Path) -> None:
    fits = lr.feols("y + x2 ~ x1 + treated + one", many(), cov=lr.Clustered("person"), person="person")
    shown = released(lr.false_discovery(fits, ["x1", "treated"]), tmp_path / "without")
    assert not shown.isna().any(axis=None)
    read = released(lr.false_discovery(fits, ["x1", "one"]), tmp_path / "with").set_index("name")
    assert read.loc["one"].drop(columns="regression").isna().all(axis=None)
    assert read.p_adjusted.isna().all() and not read.loc["x1", ["coefficient", "p"]].isna().any(axis=None)
    assert "leave it out of the family" in (tmp_path / "with" / "README.txt").read_text()
    regions = lr.feols("y ~ x1", many(), cov=lr.Clustered("region"), person="person")
    read = released(lr.false_discovery(regions, ["x1"]), tmp_path / "regions")
    assert read[["coefficient_se", "t", "p", "p_adjusted"]].isna().all(axis=None) and not read.coefficient.isna().any()


def test_persons_behind_the_tests_must_be_known(tmp_path: Path) -> None:
    fit = lr.feols("y ~ x1", FRAME, cov=lr.Robust("HC1"))
    with pytest.raises(lr.DisclosureError, match="person id required"):
        lr.release({"tests": lr.false_discovery(fit, ["x1"])}, policy="ons-srs", to=tmp_path / "out")
