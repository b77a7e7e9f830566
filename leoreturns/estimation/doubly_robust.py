"""Potential-outcome means by regression adjustment, weighting and their doubly robust combinations, on cells.

Every estimator here solves stacked moment conditions: the score of the propensity, the scores of the outcome models and
the mean itself. A unit's influence on the mean is linear in its outcome with coefficients that depend on its cell and
arm alone,

    influence = weight (constant[cell, arm] + multiple[cell, arm] outcome),

so that the covariance, clustered or not, takes one pass over the units (Newey and McFadden 1994; Wooldridge 2007 for
inverse-probability-weighted regression adjustment; Robins, Rotnitzky and Zhao 1994 for the augmented form). The
coefficient on the outcome is the weight that the estimator gives to the unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.errors import ConvergenceError, NotIdentifiedError, SupportError
from leoreturns.estimation.cell_models import Fitted, Link, fit_cells
from leoreturns.estimation.propensity import Propensity

Method = Literal["ra", "ipw", "ipwra", "aipw", "dml", "entropy", "tilting"]
MODELLED: tuple[Method, ...] = ("ra", "ipwra", "aipw", "dml")  # methods with a model of the outcome
BALANCING: dict[Method, Link] = {"entropy": "poisson", "tilting": "tilt"}
Estimand = Literal["ATE", "ATT", "ATC", "ATO"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Arms:
    """What is known of the arms, cell by cell.

    Attributes
    ----------
    counts, totals : float64 of shape (n_cells, n_arms)
        Weight of each arm, and its weighted sum of outcomes.
    labels : tuple of str
        Arm 0 is the one that the others are compared with.
    """

    counts: FloatArray
    totals: FloatArray
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Target:
    """The population that means are taken over.

    Attributes
    ----------
    counts : float64 of shape (n_cells,)
        Weight of the persons whose covariates it has, in each cell.
    members : float64 of shape (n_arms,)
        1 for the arms of these persons.
    tilt : float64 of shape (n_cells,)
        How much each of them counts: 1 but for the overlap population.
    reach : float64 of shape (n_cells,)
        The population's weight in a cell as a share of everybody's there, by the model of the arms.
    tilt_slopes, reach_slopes : float64 of shape (n_cells, n_arms - 1)
        Derivatives with respect to the linear predictors.
    """

    counts: FloatArray
    members: FloatArray
    tilt: FloatArray
    reach: FloatArray
    tilt_slopes: FloatArray
    reach_slopes: FloatArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Mean:
    """A potential-outcome mean and the influence of a unit on it, as the module's header has it.

    Attributes
    ----------
    value : float
    constant, multiple : float64 of shape (n_cells, n_arms)
    """

    value: float
    constant: FloatArray
    multiple: FloatArray


def target_of(estimand: Estimand, arms: Arms, chances: Propensity | None, arm: int) -> Target:
    """Return the population of an estimand; `arm` is the one compared with arm 0."""
    n_cells, n_arms = arms.counts.shape
    one, flat = np.ones(n_cells), np.zeros((n_cells, n_arms - 1))
    if estimand == "ATO":
        # One over the sum of one over the chances (Li and Li 2019); p (1 - p) for two arms.
        assert chances is not None
        tilt = 1.0 / (1.0 / chances.chances).sum(axis=1)
        parts = [chances.slopes[a] / chances.chances[:, [a]] ** 2 for a in range(n_arms)]
        slopes = tilt[:, None] ** 2 * np.sum(parts, axis=0)
        return Target(arms.counts.sum(axis=1), np.ones(n_arms), tilt, tilt, slopes, slopes)
    if estimand == "ATE":
        return Target(arms.counts.sum(axis=1), np.ones(n_arms), one, one, flat, flat)
    own = arm if estimand == "ATT" else 0
    members = np.zeros(n_arms)
    members[own] = 1.0
    reach, slopes = (one, flat) if chances is None else (chances.chances[:, own], chances.slopes[own])
    return Target(arms.counts[:, own], members, one, reach, flat, slopes)


def potential_mean(
    method: Method,
    covariates: FloatArray,
    arms: Arms,
    arm: int,
    target: Target,
    chances: Propensity | None,
    scored: FloatArray | None,
    link: Link,
) -> Mean:
    """Estimate the mean outcome of a population if all of it were in one arm.

    Parameters
    ----------
    method : str
        Any but "dml", whose models are of other folds (see `crossfit`).
    covariates : float64 of shape (n_cells, k)
        Of the outcome model.
    arms : Arms
    arm : int
    target : Target
    chances : Propensity or None
        None for regression adjustment.
    scored : float64 of shape (n_cells, k) or None
        Covariates of the model of the arms.
    link : "linear", "logit" or "poisson"
        Of the outcome model.
    """
    if method in BALANCING:
        assert scored is not None
        # Of one arm's persons as target the inverse chances are odds, exp(x'b): the two methods are one.
        weights = BALANCING[method] if target.members.all() else "poisson"
        return _balanced_mean(weights, scored, arms, arm, target)
    counts, totals = arms.counts[:, arm], arms.totals[:, arm]
    omega, slopes = np.ones(len(counts)), np.zeros_like(target.reach_slopes)
    if chances is not None:
        own = chances.chances[:, [arm]]
        omega = target.reach / own[:, 0]
        slopes = (target.reach_slopes - omega[:, None] * chances.slopes[arm]) / own
    if method == "ipw":
        size = float(counts @ omega)
        value = float(totals @ omega) / size
        constant, multiple = np.zeros_like(arms.counts), np.zeros_like(arms.counts)
        constant[:, arm], multiple[:, arm] = -omega * value / size, omega / size
        through = (totals - counts * value)[:, None] * slopes / size
    else:
        size = float(target.counts @ target.tilt)
        weight = omega if method == "ipwra" else np.ones(len(counts))
        fitted = fit_cells(
            covariates, counts * weight, totals * weight, link, what=f"the outcome of {arms.labels[arm]}"
        )
        mean = fitted.family.mean(fitted.eta)
        left = totals - counts * mean
        augmented = omega / size if method == "aipw" else np.zeros(len(counts))
        known = assembled(mean, augmented * size, arms, arm, target)
        value, constant, multiple = known.value, known.constant, known.multiple
        gradient = covariates.T @ (
            fitted.family.slope(fitted.eta) * (target.counts * target.tilt / size - counts * augmented)
        )
        pull = covariates @ (fitted.inverse @ gradient)
        multiple[:, arm] += weight * pull
        constant[:, arm] -= weight * pull * mean
        through = (target.counts * (mean - value) / size)[:, None] * target.tilt_slopes
        if method == "ipwra":
            through = through + (left * pull)[:, None] * slopes
        elif method == "aipw":
            through = through + (left / size)[:, None] * slopes
    if chances is not None and scored is not None:
        constant += _through_scores(chances, scored, through)
    return Mean(value, constant, multiple)


def assembled(mean: FloatArray, omega: FloatArray, arms: Arms, arm: int, target: Target) -> Mean:
    """Return the mean of fitted outcomes, with what is left of those observed in the arm added under given weights.

    Parameters
    ----------
    mean : float64 of shape (n_cells,)
        Expected outcome in the arm.
    omega : float64 of shape (n_cells,)
        Weight of an outcome observed there; zero for none.
    arms : Arms
    arm : int
    target : Target
    """
    counts, totals = arms.counts[:, arm], arms.totals[:, arm]
    size = float(target.counts @ target.tilt)
    value = float(target.counts @ (target.tilt * mean)) / size + float(omega @ (totals - counts * mean)) / size
    constant, multiple = np.zeros_like(arms.counts), np.zeros_like(arms.counts)
    multiple[:, arm] = omega / size
    constant[:, arm] = -omega * mean / size
    constant += np.outer(target.tilt * (mean - value) / size, target.members)
    return Mean(value, constant, multiple)


def _through_scores(chances: Propensity, scored: FloatArray, through: FloatArray) -> FloatArray:
    """Return what a unit adds to the influence through the estimated chances: float64 of shape (n_cells, n_arms)."""
    gradient = (scored.T @ through).T.ravel()
    pull = scored @ (chances.inverse @ gradient).reshape(through.shape[1], -1).T
    found: FloatArray = np.einsum("acb,cb->ca", chances.residuals, pull)
    return found


def balance(link: Link, scored: FloatArray, counts: FloatArray, target: FloatArray, label: str) -> Fitted:
    """Find weights on an arm under which its covariates have the target's totals.

    Weights ``exp(x'b)`` are as equal as entropy measures it (Hainmueller 2012); ``1 + exp(x'b)`` are one over chances
    of a logit that balance exactly (Graham, Pinto and Egel 2012; the just-identified form of Imai and Ratkovic 2014).
    The conditions of either are those of a likelihood in which the target's counts are the outcome.

    Raises
    ------
    SupportError
        If no weights do: the target's means lie outside of what the arm has.
    """
    try:
        return fit_cells(scored, counts, target, link, what=f"the weights of {label}")
    except (ConvergenceError, NotIdentifiedError):
        raise SupportError(
            f"no weights on the {counts.sum():,.0f} of {label} balance the {scored.shape[1] - 1:,} covariates: the "
            "means wanted lie outside of what this arm has; band or leave out covariates, or restrict the sample to "
            "where both arms occur"
        ) from None


def _balanced_mean(link: Link, scored: FloatArray, arms: Arms, arm: int, target: Target) -> Mean:
    """Return the mean under balancing weights: an outcome linear in the covariates is adjusted for exactly."""
    counts, totals = arms.counts[:, arm], arms.totals[:, arm]
    constant, multiple = np.zeros_like(arms.counts), np.zeros_like(arms.counts)
    fitted = balance(link, scored, counts, target.counts, arms.labels[arm])
    omega, size = fitted.family.mean(fitted.eta), target.counts.sum()
    value = float(totals @ omega) / size
    gradient = scored.T @ (fitted.family.slope(fitted.eta) * (totals - counts * value)) / size
    pull = scored @ (fitted.inverse @ gradient)
    multiple[:, arm] = omega / size
    constant[:, arm] = -omega * (value / size + pull)
    constant += np.outer(pull, target.members)
    return Mean(value, constant, multiple)
