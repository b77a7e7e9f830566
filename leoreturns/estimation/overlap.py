"""Overlap of the arms: who is left out for want of it, who lies beyond it, and what weights are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from leoreturns._typing import BoolArray, FloatArray
from leoreturns.estimation.balance import effective_size

Trim = float | Literal["optimal"]
OPTIMAL: Literal["optimal"] = "optimal"
TAIL = 0.99


def within_trim(chances: FloatArray, counts: FloatArray, trim: Trim) -> BoolArray:
    """Return the cells that a trim keeps.

    Parameters
    ----------
    chances : float64 of shape (n_cells, n_arms)
    counts : float64 of shape (n_cells,)
        Weight of the persons in each cell.
    trim : float or "optimal"
        The smallest chance of any arm; or the part of the sample on which the mean effect is estimated most precisely,
        if outcomes vary alike everywhere: it leaves out the largest sums of one over the chances, so that the bound of
        the variance, the mean of that sum over the number of persons, is least (Crump, Hotz, Imbens and Mitnik 2009;
        several arms: Yang, Imbens, Cui, Faries and Kadziola 2016).
    """
    if trim != OPTIMAL:
        return np.asarray(chances.min(axis=1) >= trim)
    with np.errstate(divide="ignore"):
        inverse = (1.0 / chances).sum(axis=1)
    order = np.argsort(inverse, kind="stable")
    size = np.cumsum(counts[order])
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = np.cumsum(counts[order] * inverse[order]) / size**2
    # Cells of one sum stay or go together.
    last = np.append(inverse[order][1:] > inverse[order][:-1], True)
    best = int(np.argmin(np.where(last & np.isfinite(bound), bound, np.inf)))
    return np.asarray(inverse <= inverse[order[best]])


def beyond_support(chances: FloatArray, counts: FloatArray, labels: Sequence[str]) -> dict[str, int]:
    """Count the persons of each arm who are unlike all of another arm: with a chance that none of them comes up to.

    Parameters
    ----------
    chances : float64 of shape (n_cells, n_arms)
    counts : float64 of shape (n_cells, n_arms)
        Persons.
    labels : sequence of str

    Notes
    -----
    Chances of any arm are compared with the least and the greatest in every other arm (Dehejia and Wahba 1999).
    """
    outside = np.zeros(counts.shape, dtype=bool)
    for other, own in enumerate(counts.T > 0):
        beyond = ((chances < chances[own].min(axis=0)) | (chances > chances[own].max(axis=0))).any(axis=1)
        outside[beyond] |= np.arange(len(labels)) != other
    found = np.where(outside, counts, 0).sum(axis=0)
    return {label: int(count) for label, count in zip(labels, found.tolist(), strict=True)}


def weight_figures(weights: FloatArray) -> dict[str, float]:
    """Return what the weights of an arm's persons are worth, and how long their tail is.

    Returns
    -------
    dict
        ``effective_persons`` of equal weight; the ``largest_share`` of all weight in one person's hand; and
        ``p99_ratio``, the weight that one person in a hundred exceeds over the mean weight.
    """
    size = np.abs(weights)
    tail = float(np.quantile(size, TAIL, method="inverted_cdf"))
    return {
        "effective_persons": effective_size(size),
        "largest_share": float(size.max() / size.sum()),
        "p99_ratio": tail / float(size.mean()),
    }
