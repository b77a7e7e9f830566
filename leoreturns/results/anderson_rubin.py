"""The Anderson-Rubin confidence set of one endogenous regressor, by the roots of its test.

The m instruments have in ``outcome - b regressor`` coefficients g(b), linear in b, with a quadratic covariance V(b).
The set holds the b with ``g' V^-1 g <= m F``, F the critical value. Equality makes the matrix ``[[m F V, g], [g', 1]]``
singular: a quadratic eigenvalue problem, whose real roots are all the ends there are, however narrow or wide the set.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import linalg, optimize, stats

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.results.hypothesis import definite

REAL = 1e-6  # imaginary part of a root that is taken as real: one too many costs nothing, none may be missed


def accepted(joint: tuple[FloatArray, ...], df: float, level: float) -> list[tuple[float, float]]:
    """Return the values that are not rejected, as intervals from left to right.

    Parameters
    ----------
    joint : tuple of float64 arrays
        Coefficients of the instruments in the outcome and in the regressor, of shape (m,), their covariances, and the
        mean of the covariance between them and its transpose, of shape (m, m).
    df : float
        Degrees of freedom of the denominator of F.
    level : float
        Confidence level.

    Raises
    ------
    SupportError
        If the covariance is not positive definite.
    """
    outcome, regressor, var_outcome, var_regressor, cross = joint
    m = len(outcome)
    critical = m * float(stats.f.isf(1.0 - level, m, df))
    # About an estimate, in its standard errors and with instruments of variance one, all numbers are near one.
    weighted = np.linalg.solve(var_regressor, regressor)
    centre = float(weighted @ outcome) / float(weighted @ regressor)
    variance = var_outcome - 2.0 * centre * cross + centre**2 * var_regressor
    if not definite(variance):
        raise SupportError(
            f"the covariance of {m:,} instruments' coefficients is singular or has negative variances: the "
            "Anderson-Rubin set needs more clusters than instruments, and clusters of one column"
        )
    lower = np.linalg.cholesky(variance)

    def whitened(matrix: FloatArray) -> FloatArray:
        half = linalg.solve_triangular(lower, matrix, lower=True)
        return np.asarray(linalg.solve_triangular(lower, half.T, lower=True))

    gap = linalg.solve_triangular(lower, outcome - centre * regressor, lower=True)
    slope = linalg.solve_triangular(lower, regressor, lower=True)
    unit = 1.0 / float(np.linalg.norm(slope))
    slope = unit * slope
    linear, square = 2.0 * unit * whitened(centre * var_regressor - cross), unit**2 * whitened(var_regressor)

    def excess(u: float) -> float:
        left = gap - u * slope
        return float(left @ np.linalg.solve(np.eye(m) + u * linear + u * u * square, left)) - critical

    roots = _roots(gap, slope, linear, square, critical)
    outside = [-np.inf, *roots, np.inf]
    between = [_between(a, b) for a, b in pairwise(outside)]
    inside = [excess(u) <= 0.0 for u in between]
    ends = [-np.inf]
    for number in range(len(roots)):
        if inside[number] != inside[number + 1]:
            ends.append(float(optimize.brentq(excess, between[number], between[number + 1], xtol=1e-14)))
    bounds = [*(centre + unit * end for end in ends), np.inf]
    return [part for at, part in enumerate(pairwise(bounds)) if (at % 2 == 0) == inside[0]]


def _between(a: float, b: float) -> float:
    """Return a number between two, either of which may be infinite."""
    if np.isinf(a) and np.isinf(b):
        return 0.0
    if np.isinf(a):
        return b - 1.0 - abs(b)
    return a + 1.0 + abs(a) if np.isinf(b) else (a + b) / 2.0


def _roots(gap: FloatArray, slope: FloatArray, linear: FloatArray, square: FloatArray, critical: float) -> list[float]:
    """Return the real u that make ``[[c (I + u linear + u^2 square), g], [g', 1]]`` singular, ``g = gap - u slope``."""
    m = len(gap)
    n = m + 1
    constant, first, second = (np.zeros((n, n)) for _ in range(3))
    constant[:m, :m], first[:m, :m], second[:m, :m] = critical * np.eye(m), critical * linear, critical * square
    constant[:m, m] = constant[m, :m] = gap
    first[:m, m] = first[m, :m] = -slope
    constant[m, m] = 1.0
    left = np.block([[-first, -constant], [np.eye(n), np.zeros((n, n))]])
    right = np.block([[second, np.zeros((n, n))], [np.zeros((n, n)), np.eye(n)]])
    above, below = linalg.eig(left, right, right=False, homogeneous_eigvals=True)
    finite = np.abs(below) > np.finfo(float).eps * np.abs(above)
    found = above[finite] / below[finite]
    return sorted(found.real[np.abs(found.imag) <= REAL * (1.0 + np.abs(found))].tolist())
