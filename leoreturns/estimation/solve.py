"""Linear algebra on the moment matrix: effects taken out, collinear columns found, coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack, solve_triangular
from threadpoolctl import threadpool_limits

from leoreturns._typing import BoolArray, FloatArray, IntArray

EFFECT_TOLERANCE = 1e-10  # of a level's variance left by the levels before it; a chain of 10^5 levels leaves 10^-5
COLLINEAR_TOLERANCE = 1e-10  # of a column's variance within groups: cancellation leaves 10^-14 and more, near others
ABSORBED_TOLERANCE = 1e-16  # of its total variance: deviations within groups are exact to the last digit of a value


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let linear algebra use one thread, so that its sums do not depend on the machine's load or on `n_jobs`."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Factored:
    """A positive semidefinite matrix S with a generalised inverse.

    Attributes
    ----------
    factor : float64 of shape (rank, rank)
        Upper triangular Cholesky factor of the scaled leading part.
    kept : int64 of shape (rank,)
        Rows of S in it; the others depend on them.
    scale : float64 of shape (q,)
        Roots of the diagonal; zero for rows of zeros.
    """

    factor: FloatArray
    kept: IntArray
    scale: FloatArray

    @property
    def rank(self) -> int:
        """Rank of the matrix."""
        return len(self.kept)

    def solve(self, right: FloatArray) -> FloatArray:
        """Return a solution of S x = right, zero on the rows that depend on others."""
        out = np.zeros_like(right)
        scale = self.scale[self.kept].reshape(-1, *[1] * (right.ndim - 1))
        inner = solve_triangular(self.factor, right[self.kept] / scale, trans="T", check_finite=False)
        out[self.kept] = solve_triangular(self.factor, inner, check_finite=False) / scale
        return out


def factor_effects(matrix: FloatArray) -> Factored:
    """Factor the moments of the absorbed levels by a Cholesky factorisation with diagonal pivoting.

    In every connected set of k effects k - 1 levels (k, where nothing was eliminated) depend on the others: each is a
    zero pivot.
    """
    scale = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    used = np.flatnonzero(scale)
    if not len(used):
        return Factored(np.empty((0, 0)), used, scale)
    scaled = matrix[np.ix_(used, used)] / np.outer(scale[used], scale[used])
    factor, pivots, rank, _ = lapack.dpstrf(scaled, lower=0, tol=EFFECT_TOLERANCE)
    return Factored(np.triu(factor[:rank, :rank]), used[pivots[:rank] - 1], scale)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Kept:
    """Regressors that can be told apart.

    Attributes
    ----------
    kept : bool of shape (k,)
    absorbed : bool of shape (k,)
        Which of the others do not vary once the effects are taken out; what remains is collinear.
    """

    kept: BoolArray
    absorbed: BoolArray


def independent(reduced: FloatArray, within: FloatArray, total: FloatArray) -> Kept:
    """Find the columns that do not depend on those before them.

    Parameters
    ----------
    reduced : float64 of shape (k, k)
        Cross-products after all effects.
    within, total : float64 of shape (k,)
        Sums of squares of the columns after the eliminated effect, and about their mean.

    Returns
    -------
    Kept
        A column is dropped if what the effects and the columns before it leave is nought but for rounding.
    """
    k = len(reduced)
    scale = np.sqrt(np.where(within > 0, within, 1.0))
    left = reduced / np.outer(scale, scale)
    absorbed = (within <= ABSORBED_TOLERANCE * total) | (np.diag(left) <= COLLINEAR_TOLERANCE)
    kept = np.zeros(k, dtype=bool)
    for j in range(k):
        if absorbed[j] or left[j, j] <= COLLINEAR_TOLERANCE:
            continue
        kept[j] = True
        left = left - np.outer(left[:, j], left[j]) / left[j, j]
    return Kept(kept, absorbed)


def solve_symmetric(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve with a positive definite matrix, scaled to a unit diagonal first."""
    scale = np.sqrt(np.diag(matrix))
    scaled = matrix / np.outer(scale, scale)
    divisor = scale.reshape(-1, *[1] * (right.ndim - 1))
    factor = np.linalg.cholesky(scaled)
    inner = solve_triangular(factor, right / divisor, lower=True, check_finite=False)
    return np.asarray(solve_triangular(factor, inner, lower=True, trans="T", check_finite=False) / divisor)


def invert_symmetric(matrix: FloatArray) -> FloatArray:
    """Return the inverse of a positive definite matrix, symmetric to the last bit."""
    inverse = solve_symmetric(matrix, np.eye(len(matrix)))
    return (inverse + inverse.T) / 2
