"""Effects with too many levels for a dense matrix: their moments are sparse, and solved by factors or by iteration.

Once the persons are eliminated, two levels of an effect are linked if a person was at both. Where these links are local
(places, employers of one industry) the matrix has a narrow band in a suitable order and is factored; else the reduced
system is solved by conjugate gradients, to the last digits. Effects of few levels are carried along as a dense border.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee
from scipy.sparse.linalg import splu

from leoreturns._typing import AnyArray, FloatArray, IntArray
from leoreturns.errors import ConvergenceError
from leoreturns.estimation.solve import Factored, factor_effects

BORDER_LEVELS = 1_000  # an effect of so few levels is part of the dense border
FACTOR_WORK = 2e10  # operations up to which a banded factorisation is taken
TOLERANCE = 1e-13  # of the residual of conjugate gradients, in the norm of the right-hand side
ACCEPTED = 1e-10  # of the true residual: coefficients are corrected to second order by the scan that follows
NOUGHT = 1e-14  # of the curvature along a direction, of a matrix with a unit diagonal
NOISE = 0.1  # of a column's size, as a norm: a right-hand side that is 1e-13 of it is rounding, and inconsistent
RESTARTS, PATIENCE = 2, 200
ITERATIONS = 20_000

Solver = Callable[[FloatArray, FloatArray], FloatArray]


def pairs_of_rows(slots: AnyArray, weights: FloatArray, starts: IntArray, n_slots: int) -> sparse.csr_array:
    """Return the cross-products of all levels over some rows, less what the group means explain.

    slots int32[c, n], -1 for no level; weights float64[n] or [0]; starts int64[n_groups + 1].
    """
    n_effects, n = slots.shape
    w = weights if len(weights) else np.ones(n)
    group = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
    totals = np.add.reduceat(w, starts[:-1])

    def counted(rows: AnyArray, columns: AnyArray, values: FloatArray, shape: tuple[int, int]) -> sparse.csr_array:
        known = (rows >= 0) & (columns >= 0)
        if not known.all():
            rows, columns, values = rows[known], columns[known], values[known]
        return sparse.csr_array(sparse.coo_array((values, (rows, columns)), shape=shape))

    places = np.concatenate([*slots]) if n_effects else np.empty(0, dtype=np.int32)
    sums = counted(np.tile(group, n_effects), places, np.tile(w, n_effects), (len(totals), n_slots))
    out = sparse.diags_array(np.asarray(sums.sum(axis=0))) - sums.T @ (sparse.diags_array(1.0 / totals) @ sums)
    for first in range(n_effects):
        for second in range(first):
            above = counted(slots[second], slots[first], w, (n_slots, n_slots))
            out = out + (above + above.T)
    return sparse.csr_array(out)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SparseEffects:
    """A sparse positive semidefinite matrix S of absorbed levels with a generalised inverse.

    Attributes
    ----------
    large, small : int64 arrays
        Levels of the sparse part and of the dense border.
    inner : callable
        Solves with the sparse part, given right-hand sides and the sizes of the columns behind them.
    border : float64 of shape (n_large, n_small)
        Their cross-products.
    fitted : float64 of shape (n_large, n_small)
        The border, solved for.
    outer : Factored
        What the sparse part leaves of the dense one.
    kept : int64 array
        Levels that do not depend on the others.
    path : str
        How the sparse part is solved.
    connected : int
        Connected sets of the sparse effects.
    """

    large: IntArray
    small: IntArray
    inner: Solver
    border: FloatArray
    fitted: FloatArray
    outer: Factored
    kept: IntArray
    path: str
    connected: int

    @property
    def rank(self) -> int:
        """Rank of the matrix."""
        return len(self.kept)

    def solve(self, right: FloatArray, sizes: FloatArray) -> FloatArray:
        """Return a solution of S x = right, the cross-products of columns with given roots of their sums of squares."""
        out = np.zeros_like(right)
        first = self.inner(right[self.large], sizes)
        out[self.small] = self.outer.solve(right[self.small] - self.border.T @ first)
        out[self.large] = first - self.fitted @ out[self.small]
        return out


def factor_sparse(matrix: sparse.csr_array, effect: IntArray) -> SparseEffects:
    """Prepare to solve with the moments of absorbed levels.

    Parameters
    ----------
    matrix : csr_array of shape (q, q)
    effect : int64 of shape (q,)
        Number of the effect that each level belongs to.

    Raises
    ------
    ConvergenceError
        If conjugate gradients do not converge.
    """
    few = np.bincount(effect) <= BORDER_LEVELS
    large, small = np.flatnonzero(~few[effect]), np.flatnonzero(few[effect])
    core = sparse.csr_array(matrix[large][:, large])
    # A level in each connected set of each effect is held at zero: the others are apart from it.
    ground = []
    for number in np.unique(effect[large]):
        own = np.flatnonzero(effect[large] == number)
        member = connected_components(core[own][:, own], directed=False)[1]
        ground.append(own[np.unique(member, return_index=True)[1]])
    held = np.concatenate(ground) if ground else np.empty(0, dtype=np.int64)
    free = np.setdiff1d(np.arange(len(large)), held)
    grounded = sparse.csr_array(core[free][:, free])
    inner = _banded(grounded) if len(ground) < 2 else None
    path = "conjugate gradients" if inner is None else "sparse factorisation"
    reduced = inner or _iterative(grounded)

    def solve(right: FloatArray, sizes: FloatArray) -> FloatArray:
        out = np.zeros_like(right)
        if len(free):
            out[free] = reduced(right[free], sizes)
        return out

    border = matrix[large][:, small].toarray()
    fitted = solve(border, np.zeros(len(small)))
    outer = factor_effects(matrix[small][:, small].toarray() - border.T @ fitted)
    kept = np.concatenate([large[free], small[outer.kept]])
    return SparseEffects(large, small, solve, border, fitted, outer, kept, path, len(held))


def connected_sets(pairs: FloatArray | sparse.csr_array) -> int:
    """Count the sets of an effect's levels that groups link: between sets nothing is compared."""
    return int(connected_components(sparse.csr_array(pairs), directed=False)[0])


def _banded(matrix: sparse.csr_array) -> Solver | None:
    """Factor a positive definite matrix in an order of narrow band; None if the band is wide."""
    n = matrix.shape[0]
    if n == 0:
        return lambda right, sizes: right
    order = reverse_cuthill_mckee(matrix, symmetric_mode=True)
    ordered = sparse.csc_array(matrix[order][:, order])
    first = np.minimum.reduceat(ordered.indices, ordered.indptr[:-1])
    width = (np.arange(n) - first).astype(float)
    if float(width @ width) > FACTOR_WORK:
        return None
    factors = splu(ordered, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    def solve(right: FloatArray, sizes: FloatArray) -> FloatArray:
        placed = np.ascontiguousarray(right[order])
        found = factors.solve(placed)
        found += factors.solve(placed - ordered @ found)
        out = np.empty_like(right)
        out[order] = found
        return out

    return solve


def _iterative(core: sparse.csr_array) -> Solver:
    """Return conjugate gradients on the matrix scaled to a unit diagonal, all right-hand sides side by side."""
    scale = 1.0 / np.sqrt(core.diagonal().clip(min=np.finfo(float).tiny))
    scaled = (sparse.diags_array(scale) @ core @ sparse.diags_array(scale)).tocsr()

    def solve(right: FloatArray, sizes: FloatArray) -> FloatArray:
        wanted = scale[:, None] * right
        norms = np.maximum(np.sqrt(np.einsum("ij,ij->j", wanted, wanted)), NOISE * sizes)
        found = np.zeros_like(wanted)
        for _ in range(RESTARTS):
            # From the residual as it is, not as the recurrence has it.
            found += _conjugate_gradients(scaled, wanted - scaled @ found, (TOLERANCE * norms) ** 2)
        left = wanted - scaled @ found
        if np.any(np.sqrt(np.einsum("ij,ij->j", left, left)) > ACCEPTED * norms):
            raise ConvergenceError(
                f"conjugate gradients on {len(scale):,} absorbed levels did not converge in {ITERATIONS:,} steps"
            )
        return np.asarray(scale[:, None] * found)

    return solve


def _conjugate_gradients(matrix: sparse.csr_array, right: FloatArray, goal: FloatArray) -> FloatArray:
    """Solve a semidefinite system for every column, until its squared residual is below a goal or rests.

    Hestenes and Stiefel (1952, J. Research of the National Bureau of Standards 49). A direction in which the matrix is
    nought, left by rounding, ends its column.
    """
    out, left = np.zeros_like(right), right.copy()
    step = left.copy()
    squares = np.einsum("ij,ij->j", left, left)
    active, best, rested = squares > goal, squares.copy(), 0
    for _ in range(ITERATIONS):
        if not active.any() or rested > PATIENCE:
            break
        image = matrix @ step
        curvature = np.einsum("ij,ij->j", step, image)
        active &= curvature > NOUGHT * np.einsum("ij,ij->j", step, step)
        length = np.divide(squares, curvature, out=np.zeros_like(squares), where=active)
        out += length * step
        left -= length * image
        before, squares = squares, np.einsum("ij,ij->j", left, left)
        active &= squares > goal
        step = left + np.divide(squares, before, out=np.zeros_like(squares), where=active) * step
        rested = 0 if (squares < best)[active].any() else rested + 1
        best = np.minimum(best, squares)
    return out
