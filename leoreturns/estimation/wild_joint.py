"""Wild cluster bootstrap of joint tests: Wald's statistic of several coefficients, from cluster moment blocks.

As in `wild`, with a vector of coefficients in place of one: the null that all are zero is imposed on the scores, and
each replicate has its own covariance (Roodman, MacKinnon, Nielsen and Webb 2019, Stata Journal 19).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leoreturns._parallel import ordered_map
from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.estimation.clusters import ClusterBlock, ClusterMoments
from leoreturns.results.hypothesis import definite

if TYPE_CHECKING:
    from leoreturns.estimation.wild import WildCluster

TILE = 256  # replicates of one step
TIE = 1e-10  # statistics that differ by rounding are one


def joint_pvalue(clusters: ClusterMoments, at: Sequence[int], plan: WildCluster) -> float:
    """Return the share of replicates whose statistic is above that of the estimate.

    Parameters
    ----------
    clusters : ClusterMoments
    at : sequence of int
        The q coefficients that are zero under the null.
    plan : WildCluster

    Raises
    ------
    SupportError
        If the clusters are too few to tell the coefficients apart.
    """
    rows, scores, own, load, apart, keys = _numbers(clusters, list(at), plan)
    count, total = len(keys), clusters.scaled_total
    last = clusters.m - 1
    beta = np.linalg.solve(total[:last, :last], total[:last, last])[list(at)]
    variance = apart.T @ apart
    if not definite(variance):
        raise SupportError(
            f"{count:,} clusters of '{plan.cluster}' are too few to test {len(at):,} coefficients together"
        )
    found = float(beta @ np.linalg.solve(variance, beta))
    direct = np.einsum("gqi,gi->gq", own, scores)
    n_replicates = plan.replicates_of(count)

    def tile(start: int) -> FloatArray:
        v = plan.drawn(keys, start, min(start + TILE, n_replicates), n_replicates)
        sums = scores.T @ v
        terms = direct[:, :, None] * v[:, None, :] - load @ sums
        variances = np.einsum("gqb,gsb->bqs", terms, terms)
        gaps = (rows @ sums).T
        try:
            solved = np.linalg.solve(variances, gaps[..., None])[..., 0]
        except np.linalg.LinAlgError:
            solved = (np.linalg.pinv(variances, hermitian=True) @ gaps[..., None])[..., 0]
        return np.asarray(np.einsum("bq,bq->b", gaps, solved))

    drawn = np.concatenate(ordered_map(tile, range(0, n_replicates, TILE), label="wild bootstrap"))
    return float(np.mean(drawn[np.isfinite(drawn)] > found * (1.0 + TIE)))


def _numbers(clusters: ClusterMoments, at: list[int], plan: WildCluster) -> tuple[Any, ...]:
    """Collect what the replicates are made of, as in `wild`.

    Returns
    -------
    rows : float64 of shape (q, p)
        The coefficients' rows of the inverse.
    scores, own, load, apart, keys : arrays of shapes (G, p), (G, q, p), (G, q, p), (G, q) and (G,)
        By cluster: its scores under the null, own rows and loads, deviations from the estimate, and its key.
    """
    total, last = clusters.scaled_total, clusters.m - 1
    products, right = total[:last, :last], total[:last, last]
    inverse = np.linalg.inv(products)
    beta, rows = inverse @ right, inverse[at]
    free = np.delete(np.arange(last), at) if plan.null else np.arange(last)

    def restricted(matrix: FloatArray, target: FloatArray) -> FloatArray:
        out = np.zeros_like(target)
        out[:, free] = np.linalg.solve(matrix[:, free[:, None], free], target[:, free, None])[..., 0]
        return out

    whole = restricted(products[None], right[None])

    def read(block: ClusterBlock) -> tuple[Any, ...]:
        full = clusters.full(block.products)
        matrix, target = full[:, :last, :last], full[:, :last, last]
        left, left_target = products - matrix, right - target
        if "3" in plan.kind:
            plan.check_determined(left)
        null = restricted(left, left_target) if plan.kind[1] == "3" else np.broadcast_to(whole, target.shape)
        scores = target - np.einsum("gij,gj->gi", matrix, null)
        if plan.kind[0] == "1":
            own = np.broadcast_to(rows, (len(target), *rows.shape))
            return scores, own, rows @ matrix @ inverse, (target - matrix @ beta) @ rows.T, block.keys
        own = np.swapaxes(np.linalg.solve(left, np.broadcast_to(np.eye(last)[:, at], (len(left), last, len(at)))), 1, 2)
        return scores, own, own - rows, np.einsum("gqi,gi->gq", own, left_target) - beta[at], block.keys

    parts = clusters.scan(read, label="scores of clusters")
    return (rows, *(np.concatenate(column) for column in zip(*parts, strict=True)))
