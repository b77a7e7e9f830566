"""Overlap: optimal trimming, persons beyond the common support, and what weights are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import leoreturns as lr
from leoreturns.estimation.overlap import beyond_support, weight_figures, within_trim

KEYWORDS = {"person": "person"}


def pupils(n: int = 900, slope: float = 1.6, n_arms: int = 2, seed: int = 7) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    points = draw.normal(size=n)
    eta = np.column_stack([np.zeros(n), *(slope * points * a for a in range(1, n_arms))])
    arm = np.argmax(eta + draw.gumbel(size=eta.shape), axis=1)
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "points": points,
            "school": draw.integers(0, 40, n),
            "w": draw.choice([0.5, 1.0, 3.0], n),
            "route": np.array(["academic", "technical", "vocational"])[arm],
            "pay": points + 0.3 * arm + draw.normal(size=n),
        }
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_arms", [2, 3])
def test_the_optimal_trim_has_the_least_bound_of_all_cuts(n_arms: int, weighted: bool) -> None:
    draw = np.random.default_rng(n_arms)
    chances = special.softmax(draw.normal(size=(300, n_arms)) * 2.5, axis=1)
    chances[7] = chances[8]
    counts = draw.integers(1, 5, 300).astype(float) if weighted else np.ones(300)
    kept = within_trim(chances, counts, "optimal")
    inverse = (1 / chances).sum(axis=1)
    bounds = {cut: (counts * inverse)[inverse <= cut].sum() / counts[inverse <= cut].sum() ** 2 for cut in inverse}
    best = min(bounds, key=bounds.__getitem__)
    np.testing.assert_array_equal(kept, inverse <= best)
    # The condition of the paper: the cut is twice the mean of what is kept, as near as there are cells.
    mean = np.average(inverse[kept], weights=counts[kept])
    assert inverse[kept].max() <= 2 * mean <= inverse[~kept].min()


def test_the_optimal_trim_is_the_papers_chance() -> None:
    frame = pupils(20_000)
    found = lr.treatment_effect(
        "pay ~ 1", "route ~ points", frame, method="ipw", estimand="ATE", cov=lr.Robust("HC1"), trim="optimal",
        **KEYWORDS,
    )  # fmt: skip
    whole = lr.weight("route", "points", frame, method="overlap", estimand="ATO", **KEYWORDS)
    chances = whole._chances()[:, 1]
    inverse = 1 / (chances * (1 - chances))
    gap = lambda cut: 2 * inverse[inverse <= cut].mean() - cut  # noqa: E731
    cut = optimize.brentq(gap, 5.0, inverse.max(), xtol=1e-3)
    alpha = 0.5 - np.sqrt(0.25 - 1 / cut)
    assert found.settings["trimmed"] == pytest.approx(((chances < alpha) | (chances > 1 - alpha)).sum(), abs=2)
    assert found.nobs == len(frame) - found.settings["trimmed"]


def test_arms_alike_are_not_trimmed() -> None:
    frame = pupils(slope=0.2)
    for method in ("ipw", "dml"):
        found = lr.treatment_effect(
            "pay ~ points", "route ~ points", frame, method=method, estimand="ATE", cov=lr.Robust("HC1"),
            trim="optimal", **KEYWORDS,
        )  # fmt: skip
        assert found.settings["trimmed"] == 0


def test_a_trim_is_a_chance() -> None:
    for trim in (0.5, 0, -1.0, "crump", True):
        with pytest.raises(ValueError, match="trim is a chance between 0 and 0.5, or 'optimal'"):
            lr.weight("route", "points", pupils(), method="ipw", estimand="ATE", trim=trim, **KEYWORDS)


@pytest.mark.parametrize("n_arms", [2, 3])
def test_persons_beyond_the_support_are_those_no_other_arm_comes_up_to(n_arms: int) -> None:
    frame = pupils(400, n_arms=n_arms)
    found = lr.weight("route", "points", frame, method="ipw", estimand="ATT", **KEYWORDS)
    study = found.part.study
    chances = found._chances()[study.cells.codes]
    wanted = dict.fromkeys(study.labels, 0)
    for person, own in zip(chances, study.arms, strict=True):
        others = [chances[study.arms == other] for other in range(n_arms) if other != own]
        wanted[study.labels[own]] += any(
            (person < rest.min(axis=0)).any() or (person > rest.max(axis=0)).any() for rest in others
        )
    assert beyond_support(found._chances(), study.persons(), study.labels) == wanted
    assert sum(wanted.values()) > 0
    effect = found.effect("pay", cov=lr.Robust("HC1"))
    assert effect.settings["beyond common support"] == wanted


def test_figures_of_weights_are_those_of_their_definition() -> None:
    weights = np.random.default_rng(1).lognormal(size=500)
    found = weight_figures(weights)
    assert found["effective_persons"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert found["largest_share"] == weights.max() / weights.sum()
    assert (weights > found["p99_ratio"] * weights.mean()).sum() == 5
    assert weight_figures(np.full(7, 0.2)) == pytest.approx(
        {"effective_persons": 7.0, "largest_share": 1 / 7, "p99_ratio": 1.0}
    )


@pytest.mark.parametrize("method", ["ipw", "entropy", "tilting"])
def test_diagnostics_and_overlap_of_weights(method: str) -> None:
    frame = pupils(slope=0.7)
    weighted = lr.weight(
        "route", "points", frame, method=method, estimand="ATT", weights=lr.Weights("w", "probability"), **KEYWORDS
    )
    table = weighted.diagnostics()
    study, weights = weighted.part.study, weighted.weights()
    for arm, label in enumerate(("academic", "technical")):
        row = table.loc[("technical v academic", label)]
        own = weights[study.arms == arm]
        assert row["persons"] == len(own)
        assert row["effective_persons"] == pytest.approx(own.sum() ** 2 / (own**2).sum())
        assert row["largest_share"] == pytest.approx(own.max())
    overlap = weighted.overlap()
    chances = weighted._chances()[study.cells.codes, 1]
    assert (overlap.score, overlap.labels) == ("chance of technical", ("academic", "technical"))
    for counts, arm in zip(overlap.counts, (0, 1), strict=True):
        below = np.searchsorted(np.sort(chances[study.arms == arm]), overlap.edges + 1e-12)
        np.testing.assert_array_equal(counts, np.diff(below))


def test_effects_tell_what_the_weights_of_every_mean_are_worth() -> None:
    frame = pupils(slope=0.5, n_arms=3).assign(sex=lambda rows: np.where(rows.index % 2, "F", "M"))
    found = lr.treatment_effect(
        "pay ~ points", "C(route, ref='academic') ~ points", frame, method="ipw", estimand="ATT",
        cov=lr.Clustered("school"), by="sex", **KEYWORDS,
    )  # fmt: skip
    assert list(found.settings["weights"]) == list(found.names[found.n_effects :])
    women = lr.weight(
        "C(route, ref='academic')", "points", frame, method="ipw", estimand="ATT", where="sex == 'F'", **KEYWORDS
    )
    table = women.diagnostics()
    for name, place in (
        ("mean technical [F]", ("technical v academic", "technical")),
        ("mean academic for vocational [F]", ("vocational v academic", "academic")),
    ):
        told = found.settings["weights"][name]
        assert told == pytest.approx(table.loc[place, list(told)].to_dict(), rel=1e-9)
