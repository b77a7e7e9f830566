"""Balance of covariates between two arms, from the cells: before and after weights."""

from __future__ import annotations

import numpy as np

from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.estimation.covariates import Cells, Columns
from leoreturns.estimation.propensity import by_arm
from leoreturns.results.balance import Balance
from leoreturns.results.overlap import Overlap

BINS = 50  # at least, and at most 125: narrow ones, which a release merges


def balance_of(
    cells: Cells,
    columns: Columns,
    arms: IntArray,
    labels: tuple[str, ...],
    weights: FloatArray,
    base: FloatArray | None,
    estimand: str,
    *,
    identified: bool = False,
) -> Balance:
    """Compare the covariates of two arms.

    Parameters
    ----------
    cells : Cells
    columns : Columns
        The intercept among them is passed over.
    arms : int64 of shape (n,)
        0 for controls, 1 for treated.
    labels : tuple of str
        Of the arms.
    weights : float64 of shape (n,)
        Of the adjustment, sampling weights among them.
    base : float64 of shape (n,), optional
        Sampling weights.
    estimand : str
    identified : bool
        Whether the data name the persons.
    """
    parts = [by_arm(cells, arms, 2, weight) for weight in (base, weights)]
    values = columns.values[:, 1:]
    ones = np.ones(len(arms)) if base is None else base
    sizes = [effective_size(ones[arms == arm]) for arm in (0, 1)]
    spread = _spread(values, parts[0], sizes, estimand)
    before, after = (np.array([_compared(x, part, s) for x, s in zip(values.T, spread, strict=True)]) for part in parts)
    counts = np.bincount(arms, minlength=2)
    persons = [by_arm(cells, arms, 2, used) for used in (None, np.not_equal(weights, 0).astype(np.float64))]
    return Balance(
        columns.names[1:],
        before.reshape(-1, 6),
        after.reshape(-1, 6),
        dict(zip(labels, counts.tolist(), strict=True)),
        {label: effective_size(weights[arms == arm]) for arm, label in enumerate(labels)},
        estimand,
        np.array([[_off_mode(x, part) for part in persons] for x in values.T], dtype=np.int64).reshape(-1, 2),
        {label: _largest_share(weights[arms == arm]) for arm, label in enumerate(labels)},
        identified,
    )


def overlap_of(score: FloatArray, name: str, arms: IntArray, labels: tuple[str, ...], *, identified: bool) -> Overlap:
    """Count the persons of each arm by bins of their score.

    Parameters
    ----------
    score : float64 of shape (n,)
    name : str
        What it is, in words.
    arms : int64 of shape (n,)
    labels : tuple of str
    identified : bool
        Whether the data name the persons.
    """
    if score.min() >= 0.0 and score.max() <= 1.0:
        # Of chances, the same bins whatever the data, so that their ends tell nothing.
        width, first, n_bin = 1.0 / BINS, 0, BINS
        place = np.minimum(np.floor(score * BINS), BINS - 1).astype(np.int64)
    else:
        width = _round_width(float(score.max() - score.min()) / BINS)
        place = np.floor(score / width).astype(np.int64)
        first, n_bin = int(place.min()), int(place.max() - place.min()) + 1
    counts = np.bincount(arms * n_bin + place - first, minlength=len(labels) * n_bin).reshape(len(labels), n_bin)
    return Overlap(name, labels, np.asarray(np.arange(first, first + n_bin + 1) * width), counts, identified)


def _round_width(least: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is not below a number."""
    if not least > 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(digit * power for digit in (1, 2, 5, 10) if least <= digit * power))


def _off_mode(x: FloatArray, persons: FloatArray) -> int:
    """Return how many persons of an arm have another value than its most frequent one, in the arm that has fewer."""
    place = np.unique(x, return_inverse=True)[1]
    return int(min(arm.sum() - np.bincount(place, arm).max() for arm in persons.T))


def _largest_share(weights: FloatArray) -> float:
    squares = weights**2
    return float(squares.max() / squares.sum()) if squares.any() else 1.0


def effective_size(weights: FloatArray) -> float:
    """Return how many persons of equal weight these are worth."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _spread(values: FloatArray, counts: FloatArray, sizes: list[float], estimand: str) -> FloatArray:
    """Return the standard deviations that standardise: those of the units as they were before."""
    variances = [_variance(values, counts[:, arm], sizes[arm]) for arm in (0, 1)]
    chosen = {"ATT": variances[1], "ATC": variances[0]}.get(estimand, (variances[0] + variances[1]) / 2)
    return np.sqrt(chosen)


def _variance(values: FloatArray, weight: FloatArray, size: float) -> FloatArray:
    """Return weighted variances, without bias in samples worth `size` units whatever the weights add up to."""
    share = weight / weight.sum()
    found: FloatArray = share @ (values - share @ values) ** 2 * (size / (size - 1.0) if size > 1.0 else 1.0)
    return found


def _compared(x: FloatArray, counts: FloatArray, spread: float) -> list[float]:
    """Return the measures of one covariate."""
    shares = counts / counts.sum(axis=0)
    means = x @ shares
    variances = [(x - mean) ** 2 @ share for mean, share in zip(means, shares.T, strict=True)]
    order = np.argsort(x, kind="stable")
    last = np.append(x[order][1:] != x[order][:-1], True)
    gaps = np.abs(np.cumsum(shares[order, 1]) - np.cumsum(shares[order, 0]))[last]
    indicator = bool(_is_indicator(x).all())
    with np.errstate(divide="ignore", invalid="ignore"):
        return [
            float(means[1]),
            float(means[0]),
            float((means[1] - means[0]) / spread) if spread > 0 else (0.0 if means[1] == means[0] else np.inf),
            np.nan if indicator else float(variances[1] / variances[0]),
            float(gaps.mean()),
            float(gaps.max()),
        ]


def _is_indicator(x: FloatArray) -> BoolArray:
    found: BoolArray = (x == 0) | (x == 1)
    return found
