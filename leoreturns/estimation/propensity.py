"""Propensities: the chance of each arm given the covariates, with what inference on estimated scores needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import ConvergenceError, SupportError
from leoreturns.estimation.cell_models import (
    FAMILIES,
    FAR,
    fit_cells,
    newton_step,
    refuse_dependent,
    refuse_separated,
    standardised,
)
from leoreturns.estimation.covariates import Cells
from leoreturns.estimation.solve import invert_symmetric

ScoreLink = Literal["logit", "probit"]
MAX_STEPS, TOLERANCE = 100, 1e-13


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Propensity:
    """A fitted model of the arms; arm 0 is the one that the others are compared with.

    Attributes
    ----------
    chances : float64 of shape (n_cells, n_arms)
    eta : float64 of shape (n_cells, n_arms - 1)
        Linear predictors of the arms but the first.
    residuals : float64 of shape (n_arms, n_cells, n_arms - 1)
        Derivative of a unit's log likelihood with respect to the linear predictors, by its own arm.
    slopes : float64 of shape (n_arms, n_cells, n_arms - 1)
        Derivative of each arm's chance with respect to the linear predictors.
    values, inverse : float64 of shapes ((n_arms - 1) k,) and its square
        Coefficients arm by arm; the inverse of the information observed.
    """

    chances: FloatArray
    eta: FloatArray
    residuals: FloatArray
    slopes: FloatArray
    values: FloatArray
    inverse: FloatArray

    def __repr__(self) -> str:
        return f"<Propensity: {self.chances.shape[1]:,} arms, {len(self.chances):,} cells>"


def by_arm(cells: Cells, arms: IntArray, n_arms: int, values: FloatArray | None) -> FloatArray:
    """Add up values of the units by cell and arm, or count them: float64 of shape (n_cells, n_arms)."""
    place = cells.codes.astype(np.int64) * n_arms + arms
    return np.bincount(place, values, minlength=cells.n * n_arms).astype(np.float64).reshape(cells.n, n_arms)


def fit_propensity(columns: FloatArray, counts: FloatArray, labels: Sequence[str], link: ScoreLink) -> Propensity:
    """Fit the chance of each arm: logit or probit for two arms, multinomial logit for more.

    Parameters
    ----------
    columns : float64 of shape (n_cells, k)
        The first is the intercept.
    counts : float64 of shape (n_cells, n_arms)
        Weight of each arm in each cell.
    labels : sequence of str
        Of the arms, for errors.
    link : "logit" or "probit"
    """
    if link not in ("logit", "probit"):
        raise ValueError(f"score is 'logit' or 'probit', not {link!r}")
    if counts.shape[1] == 2:
        return _binary(columns, counts, " against ".join(map(str, labels[::-1])), link)
    if link != "logit":
        raise SupportError(f"{counts.shape[1]:,} arms need score='logit', the multinomial logit")
    return _multinomial(columns, counts, ", ".join(map(str, labels)))


def _binary(columns: FloatArray, counts: FloatArray, what: str, link: ScoreLink) -> Propensity:
    fitted = fit_cells(columns, counts.sum(axis=1), counts[:, 1], link, what=what)
    family, eta, one = FAMILIES[link], fitted.eta, np.ones(len(fitted.eta))
    chance = family.mean(eta)
    slope = family.slope(eta)[:, None]
    residuals = np.stack([family.score(eta, one, 0 * one)[:, None], family.score(eta, one, one)[:, None]])
    return Propensity(
        np.column_stack([family.mean(-eta), chance]),
        eta[:, None],
        residuals,
        np.stack([-slope, slope]),
        fitted.values,
        fitted.inverse,
    )


def _multinomial(columns: FloatArray, counts: FloatArray, what: str) -> Propensity:
    """Newton's method for the multinomial logit, on cells."""
    weight = counts.sum(axis=1)
    refuse_dependent(columns, weight, what)
    mean, scale = standardised(columns, weight)
    columns = (columns - mean) / scale
    n_arms, k = counts.shape[1], columns.shape[1]
    beta = np.zeros((n_arms - 1, k))
    beta[:, 0] = np.log(counts[:, 1:].sum(axis=0) / counts[:, 0].sum())

    def chances_at(values: FloatArray) -> FloatArray:
        eta = np.column_stack([np.zeros(len(columns)), columns @ values.T])
        found: FloatArray = special.softmax(eta, axis=1)
        return found

    def likelihood(values: FloatArray) -> float:
        eta = np.column_stack([np.zeros(len(columns)), columns @ values.T])
        return float((counts * special.log_softmax(eta, axis=1)).sum())

    reached = likelihood(beta)
    for _ in range(MAX_STEPS):
        chances = chances_at(beta)
        gradient = ((counts - weight[:, None] * chances)[:, 1:].T @ columns).ravel()
        step = newton_step(_information(columns, weight, chances), gradient, what).reshape(beta.shape)
        part = step
        while likelihood(beta + part) < reached - 1e-12 * abs(reached) and np.abs(part).max() > TOLERANCE:
            part = part / 2
        beta, reached = beta + part, likelihood(beta + part)
        if np.abs(columns @ beta.T).max() > FAR:
            for arm in range(n_arms):
                refuse_separated(columns, weight, counts[:, arm], what)
        if np.abs(part).max() <= TOLERANCE * (1 + np.abs(beta).max()):
            break
    else:
        raise ConvergenceError(f"the multinomial logit model of {what} did not settle in {MAX_STEPS} Newton steps")
    chances = chances_at(beta)
    turn = np.diag(1 / scale)
    turn[0] = -mean / scale
    turn[0, 0] = 1.0
    whole = np.kron(np.eye(n_arms - 1), turn)
    inverse = whole @ invert_symmetric(_information(columns, weight, chances)) @ whole.T
    own = np.eye(n_arms)[:, None, 1:]
    return Propensity(
        chances,
        columns @ beta.T,
        own - chances[None, :, 1:],
        chances.T[:, :, None] * (own - chances[None, :, 1:]),
        whole @ beta.ravel(),
        inverse,
    )


def _information(columns: FloatArray, weight: FloatArray, chances: FloatArray) -> FloatArray:
    """Return the information of the multinomial logit, arm by arm."""
    n_arms, k = chances.shape[1], columns.shape[1]
    out = np.empty((n_arms - 1, k, n_arms - 1, k))
    for a in range(1, n_arms):
        for b in range(1, a + 1):
            curve = weight * chances[:, a] * ((a == b) - chances[:, b])
            block = (columns * curve[:, None]).T @ columns
            out[a - 1, :, b - 1], out[b - 1, :, a - 1] = block, block
    found: FloatArray = out.reshape((n_arms - 1) * k, -1)
    return found
