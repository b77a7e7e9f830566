"""Leverages of clusters and effective numbers of clusters, against brute force; and the warning."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from reference_feols import dummies, workers

import leoreturns as lr
from leoreturns.estimation import blocks

FRAME = workers(80)


def fitted(formula: str, cov: lr.Covariance, data: pd.DataFrame = FRAME, **options: object) -> lr.Estimate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lr.ClusterWarning)
        found = lr.feols(formula, data, cov=cov, person="person", **options)  # type: ignore[arg-type]
    assert isinstance(found, lr.Estimate)
    return found


def brute(names: list[str], effects: list[str], cluster: str, w: np.ndarray) -> pd.DataFrame:
    """Figures by residuals of each regressor on all else, and by the blocks of the hat matrix."""
    root = np.sqrt(w)[:, None]
    rest = dummies(FRAME, effects) if effects else np.ones((len(FRAME), 1))
    x = FRAME[names].to_numpy(dtype=float) * root
    x -= (root * rest) @ np.linalg.lstsq(root * rest, x, rcond=None)[0]
    codes = FRAME.groupby(cluster).ngroup().to_numpy()
    groups = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    inverse = np.linalg.inv(x.T @ x)
    constant = 0 if effects else w / w.sum()  # an intercept has its own leverage
    leverages = np.einsum("ij,jk,ik->i", x, inverse, x) + constant
    largest = max(leverages[rows].sum() for rows in groups)
    found = {}
    for j, name in enumerate(names):
        others = np.delete(x, j, axis=1)
        left = x[:, j] - others @ np.linalg.lstsq(others, x[:, j], rcond=None)[0]
        shares = np.array([left[rows] @ left[rows] for rows in groups]) / (left @ left)
        # Carter, Schnepel and Steigerwald: G / (1 + the squared coefficient of variation of gamma).
        gammas = [np.array([left[rows] @ left[rows] for rows in groups])]
        gammas.append(np.array([(left * root[:, 0])[rows].sum() ** 2 for rows in groups]))
        effective = [len(gamma) / (1 + np.mean((gamma / gamma.mean() - 1) ** 2)) for gamma in gammas]
        found[name] = (len(groups), *effective, shares.max(), largest)
    return pd.DataFrame(found).T


FIGURES = [
    "clusters",
    "effective_clusters",
    "effective_clusters_correlated",
    "largest_partial_leverage",
    "largest_leverage",
]


@pytest.mark.parametrize("weights", [None, "analytic"])
@pytest.mark.parametrize("effects", [[], ["year"], ["person", "year"]], ids="+".join)
@pytest.mark.parametrize("cluster", ["school", "place", "person"])
def test_figures_are_those_of_residuals(
    cluster: str, effects: list[str], weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 40)
    names = ["x1", "x2", "treated"]
    given = None if weights is None else lr.Weights("w", "analytic")
    formula = f"y ~ {' + '.join(names)}" + (f" | {' + '.join(effects)}" if effects else "")
    found = fitted(formula, lr.Clustered(cluster), weights=given).clusters().loc[cluster].loc[names, FIGURES]
    expected = brute(names, effects, cluster, np.ones(len(FRAME)) if weights is None else FRAME.w.to_numpy())
    within = "person" in effects and cluster == "school"  # sums over clusters that the effects make nought
    for at, name in enumerate(FIGURES):
        if name == "effective_clusters_correlated" and (within or cluster == "person"):
            assert found[name].isna().all()
            continue
        np.testing.assert_allclose(found[name], expected[at], rtol=1e-9, err_msg=name)


def test_every_way_of_clustering_has_its_figures() -> None:
    found = fitted("y ~ x1 | year", lr.Clustered("school", "place^year"))
    assert list(found.clusters().index) == [("school", "x1"), ("place^year", "x1")]
    sizes = FRAME.groupby("school").size()
    row = found.clusters().loc[("school", "x1")]
    assert (row.smallest_rows, row.median_rows, row.largest_rows) == (sizes.min(), sizes.median(), sizes.max())
    for cov in (
        lr.Jackknifed("school"),
        lr.Resampled(lr.BootstrapPlan(99, unit="school", seed=1)),
        lr.WildCluster("school", 99, seed=1, params=["x1"]),
    ):
        pd.testing.assert_frame_equal(
            fitted("y ~ x1 | year", cov).clusters().loc[["school"]], found.clusters().loc[["school"]]
        )
    with pytest.raises(lr.SupportError, match="robust HC1 have no clusters"):
        fitted("y ~ x1", lr.Robust("HC1")).clusters()


def test_few_clusters_are_warned_of_with_numbers() -> None:
    frame = FRAME.assign(region=FRAME.person % 40, one=(FRAME.person % 40 == 0) * FRAME.x1)
    with pytest.warns(
        lr.ClusterWarning, match=r"'x1' rests on 7\.\d effective clusters, of 8 of 'school'; the largest has 20%"
    ) as caught:
        lr.feols("y ~ x1", frame, cov=lr.Clustered("school"), person="person")
    assert len(caught) == 1 and "lr.WildCluster" in str(caught[0].message)
    assert caught[0].filename == __file__
    with pytest.warns(
        lr.ClusterWarning, match=r"'one' \(and 1 more\) rests on 1\.0 effective clusters, of 40 of 'region'"
    ):
        lr.feols("y ~ one + x1", frame, cov=lr.Clustered("region"), person="person")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lr.feols("y ~ x1", frame, cov=lr.Clustered("person"), person="person")
        lr.feols("y ~ x1", frame, cov=lr.Jackknifed("region"), person="person")
        lr.feols("y ~ x1 | person", frame, cov=lr.Clustered("person"), person="person")
        lr.feols("y ~ x1", frame, cov=lr.Robust("HC1"), person="person")


def test_several_regressions_give_one_warning() -> None:
    with pytest.warns(lr.ClusterWarning, match=r"\(and 4 more\)") as caught:
        lr.feols("y ~ csw(x1, x2) + treated", FRAME, cov=lr.Clustered("school"), person="person")
    assert len(caught) == 1
