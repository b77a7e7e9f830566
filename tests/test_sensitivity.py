"""Sensitivity to confounding: published values, and models in which the confounding is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import leoreturns as lr

# Lead in children's blood, 33 pairs (Morton et al. 1982), and Rosenbaum (2002), table 4.1.
EXPOSED = [38, 23, 41, 18, 37, 36, 23, 62, 31, 34, 24, 14, 21, 17, 16, 20, 15, 10, 45, 39, 22, 35, 49, 48, 44, 35, 43,
           39, 34, 13, 73, 25, 27]  # fmt: skip
CONTROL = [16, 18, 18, 24, 19, 11, 10, 15, 16, 18, 18, 13, 19, 10, 16, 16, 24, 13, 9, 14, 21, 19, 7, 18, 19, 12, 11, 22,
           25, 16, 13, 11, 13]  # fmt: skip
PUBLISHED = {2: 0.0018, 3: 0.0136, 4: 0.0388, 4.25: 0.0468, 5: 0.0740}


def test_rosenbaum_bounds_are_the_published_ones() -> None:
    found = lr.rosenbaum_bounds(np.array(EXPOSED, float) - CONTROL, [1, *PUBLISHED]).set_index("gamma")
    assert (found["statistic"] == 527).all()
    for gamma, value in PUBLISHED.items():
        assert round(found.loc[gamma, "p_high"], 4) == value
    assert found.loc[1, "p_low"] == found.loc[1, "p_high"] == pytest.approx(5.062207782735584e-06, rel=1e-9)
    with pytest.raises(ValueError, match="1 or more"):
        lr.rosenbaum_bounds(np.ones(3), [0.5])


def survey(n: int = 800, seed: int = 1) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    x, w = draw.normal(size=(2, n))
    d = 0.5 * x + 0.3 * w + draw.normal(size=n)
    return pd.DataFrame({"id": range(n), "y": 0.4 * d + x + 0.5 * w + draw.normal(size=n), "d": d, "x": x, "w": w})


def test_a_variable_as_strong_as_the_robustness_value_explains_the_effect() -> None:
    """Make the omitted variable: orthogonal to the rest, with the shares that the value names."""
    frame = survey()
    fit = lr.feols("y ~ d + x", frame, cov=lr.Unadjusted(), person="id")
    found = lr.robustness_value(fit, "d")
    one = np.column_stack([np.ones(len(frame)), frame["x"]])

    def without(values: np.ndarray, others: np.ndarray) -> np.ndarray:
        return values - others @ np.linalg.lstsq(others, values, rcond=None)[0]

    term = without(frame["d"].to_numpy(), one)
    left = without(frame["y"].to_numpy(), np.column_stack([one, frame["d"]]))
    noise = without(np.random.default_rng(3).normal(size=len(frame)), np.column_stack([one, term, left]))
    term, left, noise = (part / np.linalg.norm(part) for part in (term, left, noise))
    share = found.value
    # Its part along the term, and, of what the term leaves, its part along the outcome's residual.
    omitted = np.sqrt(share) * term + np.sqrt(1 - share) * (np.sqrt(share) * left + np.sqrt(1 - share) * noise)
    both = lr.feols("y ~ d + x + z", frame.assign(z=omitted), cov=lr.Unadjusted(), person="id")
    assert both.params["d"] == pytest.approx(0.0, abs=1e-10)
    assert found.partial_r2 == pytest.approx(fit.tstats["d"] ** 2 / (fit.tstats["d"] ** 2 + fit.df_resid))


def test_benchmarks_are_partial_correlations_with_the_covariate() -> None:
    frame = survey()
    fit = lr.feols("y ~ d + x + w", frame, cov=lr.Unadjusted(), person="id")
    found = lr.robustness_value(fit, "d", benchmarks=["w"], times=[1]).benchmarks.iloc[0]
    of_term = lr.feols("d ~ x + w", frame, cov=lr.Unadjusted(), person="id")
    r2_term = of_term.tstats["w"] ** 2 / (of_term.tstats["w"] ** 2 + of_term.df_resid)
    assert found["r2_term"] == pytest.approx(r2_term / (1 - r2_term), rel=1e-9)
    assert found["coefficient"] < fit.params["d"]
    with pytest.raises(lr.SupportError, match="lr.Unadjusted"):
        lr.robustness_value(lr.feols("y ~ d", frame, cov=lr.Robust("HC1"), person="id"), "d")
    with pytest.raises(lr.SupportError, match="no coefficient 'q'"):
        lr.robustness_value(fit, "q")


@pytest.mark.parametrize(("effect", "strength"), [(0.5, 1.0), (0.2, 1.0), (0.0, 1.7), (0.0, 0.6), (0.0, 1.0)])
def test_oster_recovers_a_known_confounder(effect: float, strength: float) -> None:
    """Observed and unobserved parts of the outcome, unrelated to each other, related to the term in proportion."""
    n = 4_000
    draw = np.random.default_rng(5)
    made = np.linalg.qr(np.column_stack([np.ones(n), draw.normal(size=(n, 3))]))[0][:, 1:] * np.sqrt(n)
    seen, hidden, noise = made.T
    observed, unobserved = 0.8 * seen, 0.6 * hidden
    # cov(term, hidden part) / var(hidden part) is `strength` times the same of the observed part.
    pull = 0.5
    term = pull * observed + strength * pull * unobserved + noise
    frame = pd.DataFrame({"id": range(n), "d": term, "w": observed, "y": effect * term + observed + unobserved})
    short, long = (lr.feols(f"y ~ {text}", frame, cov=lr.Unadjusted(), person="id") for text in ("d", "d + w"))
    found = lr.oster(short, long, term="d", r2_max=1.0)
    if effect == 0.0:
        assert found.delta == pytest.approx(strength, rel=1e-9)
    if strength == 1.0:
        assert min(abs(value - effect) for value in found.adjusted) < 1e-9
    assert found.short > found.long > effect


def test_oster_refuses_what_cannot_be_compared() -> None:
    frame = survey()
    short, long = (lr.feols(f"y ~ {text}", frame, cov=lr.Unadjusted(), person="id") for text in ("d", "d + x"))
    assert lr.oster(short, long, term="d").r2_max == pytest.approx(min(1.0, 1.3 * long.r2))
    with pytest.raises(lr.SupportError, match="R2 must rise"):
        lr.oster(long, short, term="d")
    with pytest.raises(lr.SupportError, match="same rows"):
        lr.oster(short, lr.feols("y ~ d + x", frame[:500], cov=lr.Unadjusted(), person="id"), term="d")
