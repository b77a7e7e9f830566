"""Coarsened exact matching: the bins of numeric covariates (Iacus, King and Porro 2012)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.covariates import Units
from leoreturns.estimation.variables import Numbers, Variable

Cuts = Mapping[str, int | Sequence[float]]


def coarsened(units: Units, variables: Sequence[Variable], cuts: Cuts) -> IntArray:
    """Number the combinations of bins and labels that occur: int64 of shape (n,).

    Parameters
    ----------
    units : Units
    variables : sequence of Variable
        Numeric ones are put in bins, labels stay as they are.
    cuts : mapping of column -> int or sequence of float
        A number of bins of equal width, or the points between bins; by default Sturges' number of bins,
        ``ceil(log2 n + 1)``. A bin includes its upper end, the first its lower as well.

    Raises
    ------
    SupportError
        For cut points of what is no numeric covariate.
    """
    distinct = {entry.name: entry for entry in variables}
    unknown = sorted(name for name in cuts if not isinstance(distinct.get(name), Numbers))
    if unknown:
        raise SupportError(f"cuts= names {', '.join(map(repr, unknown))}: not among the numeric covariates")
    pair = np.zeros(units.n, dtype=np.int64)
    for name, entry in distinct.items():
        if isinstance(entry, Numbers):
            values = units.take(entry.values, entry.level).astype(np.float64)
            codes = np.searchsorted(cut_points(values, cuts.get(name), name), values, side="left")
        else:
            codes = units.take(entry.codes, entry.level).astype(np.int64)
        pair = np.unique(pair * (int(codes.max()) + 1) + codes, return_inverse=True)[1]
    return pair


def cut_points(values: FloatArray, asked: int | Sequence[float] | None, name: str) -> FloatArray:
    """Return the points between bins, ascending."""
    if asked is None or isinstance(asked, int | np.integer):
        bins = int(np.ceil(np.log2(len(values)) + 1)) if asked is None else int(asked)
        if isinstance(asked, bool) or bins < 1:
            raise ValueError(f"cuts of '{name}' are a number of bins, 1 or more, or the points between them")
        return np.linspace(values.min(), values.max(), bins + 1)[1:-1]
    points = np.asarray(asked, dtype=np.float64)
    if points.ndim != 1 or not np.isfinite(points).all() or (np.diff(points) <= 0).any():
        raise ValueError(f"the cut points of '{name}' are finite numbers, each above the one before")
    return points
