"""Maximum likelihood on cells: linear, logit, probit, Poisson models, balancing tilts, and separation.

Units of a cell have the same linear predictor, so that the log likelihood is a function of a cell's weight and its
weighted sum of outcomes: fitting costs what the cells cost, whatever the number of persons. Newton steps; columns are
scaled about their means first, which leaves the fitted model as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, sparse, special

from leoreturns._typing import BoolArray, FloatArray
from leoreturns.errors import ConvergenceError, NotIdentifiedError
from leoreturns.estimation.solve import independent, invert_symmetric

Link = Literal["linear", "logit", "probit", "poisson", "tilt"]
MAX_STEPS, MAX_HALVINGS = 100, 40
TOLERANCE = 1e-13  # of a Newton step, in standard deviations of the linear predictor's columns
SETTLED = 1e-6  # of the outcomes' sum: what a first-order condition may be off by, in standard deviations
FAR = 30.0  # a linear predictor so large says a chance of 1e-13: the data may be separated


@dataclass(frozen=True, slots=True)
class Family:
    """What a model says of a cell, as functions of the linear predictor eta, the weight and the sum of outcomes.

    Attributes
    ----------
    mean : callable(eta)
        Expected outcome.
    slope : callable(eta)
        Its derivative.
    score : callable(eta, weight, total)
        Derivative of the log likelihood with respect to eta; linear in weight and total.
    curvature : callable(eta, weight, total)
        Its negative derivative.
    likelihood : callable(eta, weight, total)
        Log likelihood but for terms without eta.
    """

    mean: Callable[[FloatArray], FloatArray]
    slope: Callable[[FloatArray], FloatArray]
    score: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
    curvature: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
    likelihood: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


def _logistic_slope(eta: FloatArray) -> FloatArray:
    found: FloatArray = special.expit(eta) * special.expit(-eta)
    return found


def _mills(eta: FloatArray) -> FloatArray:
    """Density over distribution function of the normal, without cancellation in the lower tail."""
    found: FloatArray = np.exp(-0.5 * eta * eta - special.log_ndtr(eta)) / np.sqrt(2 * np.pi)
    return found


def _normal_density(eta: FloatArray) -> FloatArray:
    found: FloatArray = np.exp(-0.5 * eta * eta) / np.sqrt(2 * np.pi)
    return found


FAMILIES: dict[Link, Family] = {
    "linear": Family(
        lambda eta: eta,
        np.ones_like,
        lambda eta, weight, total: total - weight * eta,
        lambda eta, weight, total: weight,
        lambda eta, weight, total: total * eta - weight * eta**2 / 2,
    ),
    "logit": Family(
        special.expit,
        _logistic_slope,
        lambda eta, weight, total: total - weight * special.expit(eta),
        lambda eta, weight, total: weight * _logistic_slope(eta),
        lambda eta, weight, total: total * special.log_expit(eta) + (weight - total) * special.log_expit(-eta),
    ),
    "probit": Family(
        special.ndtr,
        _normal_density,
        lambda eta, weight, total: total * _mills(eta) - (weight - total) * _mills(-eta),
        lambda eta, weight, total: (
            total * _mills(eta) * (eta + _mills(eta)) + (weight - total) * _mills(-eta) * (_mills(-eta) - eta)
        ),
        lambda eta, weight, total: total * special.log_ndtr(eta) + (weight - total) * special.log_ndtr(-eta),
    ),
    "poisson": Family(
        np.exp,
        np.exp,
        lambda eta, weight, total: total - weight * np.exp(eta),
        lambda eta, weight, total: weight * np.exp(eta),
        lambda eta, weight, total: total * eta - weight * np.exp(eta),
    ),
    # One over a logit's chance: weights of inverse probability tilting (Graham, Pinto and Egel 2012).
    "tilt": Family(
        lambda eta: 1.0 + np.exp(eta),
        np.exp,
        lambda eta, weight, total: total - weight * (1.0 + np.exp(eta)),
        lambda eta, weight, total: weight * np.exp(eta),
        lambda eta, weight, total: (total - weight) * eta - weight * np.exp(eta),
    ),
}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fitted:
    """A model fitted on cells.

    Attributes
    ----------
    family : Family
    values : float64 of shape (k,)
        Coefficients.
    inverse : float64 of shape (k, k)
        Of the negative second derivative of the log likelihood.
    eta : float64 of shape (n_cells,)
        Linear predictor of every cell, also of those without weight.
    """

    family: Family
    values: FloatArray
    inverse: FloatArray
    eta: FloatArray

    def __repr__(self) -> str:
        return f"<Fitted: {len(self.values):,} coefficients, {len(self.eta):,} cells>"


def fit_cells(columns: FloatArray, weight: FloatArray, total: FloatArray, link: Link, *, what: str) -> Fitted:
    """Fit a model of one outcome.

    Parameters
    ----------
    columns : float64 of shape (n_cells, k)
        The first is the intercept.
    weight, total : float64 of shape (n_cells,)
        Weight of each cell, zero or more, and its weighted sum of outcomes.
    link : "linear", "logit", "probit", "poisson" or "tilt"
    what : str
        What is fitted, for errors.

    Raises
    ------
    NotIdentifiedError
        If the columns are collinear where there is weight, or separate the outcomes.
    ConvergenceError
        If Newton's method does not settle.
    """
    family = FAMILIES[link]
    used = (weight > 0) | (total != 0)
    refuse_dependent(columns[used], weight[used], what)
    if link == "poisson" and not total.any():
        raise NotIdentifiedError(f"{what} is zero for everybody: its mean has no logarithm; use link='linear'")
    mean, scale = standardised(columns[used], weight[used])
    inner = (columns[used] - mean) / scale
    w, t = weight[used], total[used]
    beta = np.zeros(columns.shape[1])
    overall = t.sum() / w.sum()
    log = np.log(max(overall - (link == "tilt"), 1e-3))
    beta[0] = {"linear": overall, "poisson": log, "tilt": log}.get(link, 0.0)

    def likelihood(at: FloatArray) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return float(family.likelihood(inner @ at, w, t).sum())

    reached = likelihood(beta)
    for _ in range(MAX_STEPS):
        eta = inner @ beta
        gradient = inner.T @ family.score(eta, w, t)
        hessian = (inner * family.curvature(eta, w, t)[:, None]).T @ inner
        step = newton_step(hessian, gradient, what)
        beta, reached, moved = _stepped(likelihood, beta, step, reached)
        if link in ("logit", "probit") and np.abs(inner @ beta).max(initial=0.0) > FAR:
            refuse_separated(inner, w, t, what)
        if moved <= TOLERANCE * (1 + np.abs(beta).max()):
            break
    else:
        raise ConvergenceError(f"the {link} model of {what} did not settle in {MAX_STEPS} Newton steps")
    eta = inner @ beta
    if np.abs(inner.T @ family.score(eta, w, t)).max() > SETTLED * np.abs(t).sum():
        raise ConvergenceError(f"the {link} model of {what} has no maximum that Newton's method finds")
    hessian = (inner * family.curvature(eta, w, t)[:, None]).T @ inner
    turn = np.diag(1 / scale)
    turn[0] = -mean / scale
    turn[0, 0] = 1.0
    values = turn @ beta
    return Fitted(family, values, turn @ invert_symmetric(hessian) @ turn.T, predictor(columns, values))


def predictor(columns: FloatArray, values: FloatArray) -> FloatArray:
    """Return the linear predictor, equal to the last bit for equal rows.

    Matrix products round by the place of a row, which would untie persons whose covariates are the same.
    """
    out = np.zeros(len(columns))
    for column, value in zip(columns.T, values, strict=True):
        out += column * value
    return out


def told_apart(columns: FloatArray, weight: FloatArray) -> BoolArray:
    """Return which columns do not depend on those before them; the intercept comes first."""
    centred = columns[:, 1:] - weight @ columns[:, 1:] / weight.sum()
    products = (centred * weight[:, None]).T @ centred
    total = np.diag(products)
    about_zero = weight @ columns[:, 1:] ** 2
    return np.concatenate([[True], independent(products, total, np.maximum(about_zero, total)).kept])


def refuse_dependent(columns: FloatArray, weight: FloatArray, what: str) -> None:
    """Raise if columns are collinear where there is weight, such as among the few of one arm."""
    dependent = int((~told_apart(columns, weight)).sum())
    if dependent:
        raise NotIdentifiedError(
            f"the model of {what} is not identified: {dependent:,} of {columns.shape[1] - 1:,} columns of covariates "
            "do not vary among those who count, or depend on others; leave covariates out or band them"
        )


def standardised(columns: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return means and scales of the columns; the intercept stays as it is."""
    mean = weight @ columns / weight.sum()
    mean[0] = 0.0
    scale = np.sqrt(weight @ (columns - mean) ** 2 / weight.sum())
    scale[0] = 1.0
    return mean, np.where(scale > 0, scale, 1.0)


def newton_step(hessian: FloatArray, gradient: FloatArray, what: str) -> FloatArray:
    """Return the step to the maximum of the quadratic."""
    try:
        factor = np.linalg.cholesky(hessian)
    except np.linalg.LinAlgError:
        raise NotIdentifiedError(
            f"the model of {what} is not identified: a covariate does not vary among those who count, or depends on "
            "others; leave it out or band it"
        ) from None
    found: FloatArray = np.linalg.solve(factor.T, np.linalg.solve(factor, gradient))
    return found


def _stepped(
    likelihood: Callable[[FloatArray], float], beta: FloatArray, step: FloatArray, reached: float
) -> tuple[FloatArray, float, float]:
    """Take a Newton step, halved until the likelihood does not fall; return where it led and how far."""
    for halving in range(MAX_HALVINGS):
        part = step / 2**halving
        found = likelihood(beta + part)
        # Near the maximum rounding decides; a step that small does no harm.
        if found >= reached - 1e-12 * abs(reached):
            return beta + part, max(found, reached), float(np.abs(part).max(initial=0.0))
    return beta, reached, 0.0


def refuse_separated(columns: FloatArray, weight: FloatArray, total: FloatArray, what: str) -> None:
    """Raise if a combination of the columns tells some of one outcome from all of the other (Albert, Anderson 1984)."""
    ones, zeros = total > 0, weight - total > 0
    sign = np.where(ones & ~zeros, 1.0, -1.0)
    pure = ones ^ zeros
    k = columns.shape[1]
    # Maximise the sum of sign * x'b over pure cells, each between 0 and 1, with x'b = 0 in mixed ones.
    ahead = columns[pure] * sign[pure][:, None]
    found = optimize.linprog(
        -ahead.sum(axis=0),
        A_ub=sparse.csr_matrix(np.vstack([-ahead, ahead])),
        b_ub=np.concatenate([np.zeros(len(ahead)), np.ones(len(ahead))]),
        A_eq=sparse.csr_matrix(columns[ones & zeros]) if (ones & zeros).any() else None,
        b_eq=np.zeros(int((ones & zeros).sum())) if (ones & zeros).any() else None,
        bounds=[(None, None)] * k,
        method="highs",
    )
    if found.status == 0 and -found.fun > 1e-6:
        told = int((weight[pure] * (ahead @ found.x > 1e-6)).sum())
        raise NotIdentifiedError(
            f"covariates separate {what}: for {told:,} units they tell it for certain, so that no chance can be "
            "estimated; leave a covariate out, band it, or restrict the sample to where both values occur"
        )
