"""A twin of the treatment effects: stacked moment conditions unit by unit, their Jacobian by differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special, stats

STEP = 1e-5
MEANS = {"linear": lambda eta: eta, "logit": special.expit, "poisson": np.exp}


def chances_of(z: np.ndarray, gamma: np.ndarray, n_arms: int, score: str) -> np.ndarray:
    if score == "probit":
        p = stats.norm.cdf(z @ gamma)
        return np.column_stack([1 - p, p])
    eta = np.column_stack([np.zeros(len(z)), z @ gamma.reshape(n_arms - 1, -1).T])
    e = np.exp(eta)
    return e / e.sum(axis=1, keepdims=True)


def conditions(
    theta: np.ndarray, y: np.ndarray, d: np.ndarray, x: np.ndarray, z: np.ndarray, w: np.ndarray, n_arms: int,
    method: str, estimand: str, link: str, score: str, arm: int,
) -> np.ndarray:  # fmt: skip
    """Moments of every unit: chances, outcome models of `arm` and of arm 0, and the two means."""
    k, q = x.shape[1], z.shape[1]
    gamma, beta, means = theta[: (n_arms - 1) * q], theta[(n_arms - 1) * q : -2].reshape(2, k), theta[-2:]
    p = chances_of(z, gamma, n_arms, score)
    if score == "probit":
        density = stats.norm.pdf(z @ gamma)
        own = ((d - p[:, 1]) * density / (p[:, 0] * p[:, 1]))[:, None] * z
    else:
        own = np.concatenate([((d == a) - p[:, a])[:, None] * z for a in range(1, n_arms)], axis=1)
    if method == "ra":
        p = np.full_like(p, 1 / n_arms)
    everybody = np.ones(len(y))
    tilt = 1 / (1 / p).sum(axis=1) if estimand == "ATO" else everybody
    target = {"ATE": everybody, "ATO": tilt, "ATT": d == arm, "ATC": d == 0}[estimand].astype(float)
    reach = {"ATE": everybody, "ATO": tilt, "ATT": p[:, arm], "ATC": p[:, 0]}[estimand]
    out = [own]
    last = []
    for b, mean, this in zip(beta, means, (arm, 0), strict=True):
        here = (d == this).astype(float)
        omega = reach / p[:, this]
        fitted = MEANS[link](x @ b)
        weight = omega if method == "ipwra" else everybody
        out.append((here * weight * (y - fitted))[:, None] * x)
        if method == "ipw":
            last.append(here * omega * (y - mean))
        else:
            last.append(target * (fitted - mean) + (here * omega * (y - fitted) if method == "aipw" else 0))
    return np.column_stack([*out, *last]) * w[:, None]


def solved(function: Callable[[np.ndarray], np.ndarray], start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the root of the summed moments by Newton's method, and their Jacobian there."""
    theta = start.copy()
    for _ in range(60):
        jacobian = np.column_stack(
            [
                (function(theta + step).sum(axis=0) - function(theta - step).sum(axis=0)) / (2 * STEP)
                for step in STEP * np.eye(len(theta))
            ]
        )
        move = np.linalg.solve(jacobian, function(theta).sum(axis=0))
        theta = theta - move
        if np.abs(move).max() < 1e-12:
            break
    return theta, jacobian


def effect(
    y: np.ndarray, d: np.ndarray, x: np.ndarray, z: np.ndarray, w: np.ndarray, n_arms: int, groups: np.ndarray,
    arm: int, method: str, estimand: str, link: str, score: str,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the means of `arm` and of arm 0, and their covariance clustered by `groups` without factors."""

    def function(theta: np.ndarray) -> np.ndarray:
        return conditions(theta, y, d, x, z, w, n_arms, method, estimand, link, score, arm)

    start = np.zeros((n_arms - 1) * z.shape[1] + 2 * x.shape[1] + 2)
    start[-2:] = y.mean()
    level = {"linear": y.mean(), "logit": 0.0, "poisson": np.log(max(y.mean(), 1e-9))}[link]
    start[(n_arms - 1) * z.shape[1]] = start[(n_arms - 1) * z.shape[1] + x.shape[1]] = level
    theta, jacobian = solved(function, start)
    moments = function(theta)
    sums = np.stack([np.bincount(groups, column) for column in moments.T], axis=1)
    bread = np.linalg.inv(jacobian)
    cov = bread @ (sums.T @ sums) @ bread.T
    return theta[-2:], cov[-2:, -2:]
