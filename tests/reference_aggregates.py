"""Twins of the statistics and of the evidence of aggregate(), written from definitions and not from the kernels.

Percentiles follow R's documented rules (Hyndman and Fan 1996) in exact fractions. NumPy's ``closest_observation`` has
changed between versions, so type 3 is compared with these fractions only. Concentration comes from mean differences and
the Lorenz curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd

NUMPY_METHODS = {
    1: "inverted_cdf",
    2: "averaged_inverted_cdf",
    4: "interpolated_inverted_cdf",
    5: "hazen",
    6: "weibull",
    7: "linear",
    8: "median_unbiased",
    9: "normal_unbiased",
}
# Plotting position (k + a) / (n + b) of the k-th of n sorted values.
PLOTTING = {
    4: (Fraction(0), Fraction(0)),
    5: (Fraction(-1, 2), Fraction(0)),
    6: (Fraction(0), Fraction(1)),
    7: (Fraction(-1), Fraction(-1)),
    8: (Fraction(-1, 3), Fraction(1, 3)),
    9: (Fraction(-3, 8), Fraction(1, 4)),
}


def percentile(values: Sequence[float], number: int, rule: int) -> float:
    """The percentile of R's ``quantile(values, number / 100, type = rule)``."""
    x = sorted(float(value) for value in values)
    n = len(x)
    if not n:
        return math.nan
    p = Fraction(number, 100)
    if rule <= 3:
        at = n * p - (Fraction(1, 2) if rule == 3 else 0)
        j = math.floor(at)
        on_step = at == j
        share = Fraction(1)
        if on_step:
            share = (Fraction(0), Fraction(1, 2), Fraction(j % 2))[rule - 1]
    else:
        # The rank at which the plotting position equals p.
        a, b = PLOTTING[rule]
        at = p * (n + b) - a
        j = math.floor(at)
        share = at - j
    low, high = x[min(max(j, 1), n) - 1], x[min(max(j + 1, 1), n) - 1]
    return float(Fraction(low) + share * (Fraction(high) - Fraction(low)))


def weighted_percentile(
    values: np.ndarray, weights: np.ndarray, number: int, rule: int, ties: np.ndarray | None = None
) -> float:
    """Percentile under probability weights: cumulative weights in place of ranks; equal values by weight, or `ties`."""
    order = np.lexsort([weights if ties is None else ties, values])
    x, w = [Fraction(float(v)) for v in values[order]], [Fraction(float(v)) for v in weights[order]]
    n, p = len(x), Fraction(number, 100)
    upto = list(accumulate(w))
    total, last = upto[-1], w[-1]
    if rule in (1, 2):
        at = next(k for k in range(n) if upto[k] >= p * total)
        if rule == 2 and upto[at] == p * total and at + 1 < n:
            return float((x[at] + x[at + 1]) / 2)
        return float(x[at])
    # What the position takes of the value's own weight, and what the whole has of the last one's.
    own, of_last = {
        4: (Fraction(1), Fraction(0)),
        5: (Fraction(1, 2), Fraction(0)),
        6: (Fraction(1), Fraction(1)),
        7: (Fraction(0), Fraction(-1)),
        8: (Fraction(2, 3), Fraction(1, 3)),
        9: (Fraction(5, 8), Fraction(1, 4)),
    }[rule]
    if n == 1:
        return float(x[0])
    positions = [(upto[k] - w[k] + own * w[k]) / (total + of_last * last) for k in range(n)]
    if p <= positions[0]:
        return float(x[0])
    for k in range(1, n):
        if p <= positions[k]:
            return float(x[k - 1] + (p - positions[k - 1]) / (positions[k] - positions[k - 1]) * (x[k] - x[k - 1]))
    return float(x[-1])


def gini(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Half the relative mean absolute difference between all pairs."""
    w = np.ones(len(values)) if weights is None else weights
    held = math.fsum(w * values)
    if not len(values) or values.min() < 0 or held == 0:
        return math.nan
    pairs = np.abs(values[:, None] - values[None, :]) * w[:, None] * w[None, :]
    return math.fsum(pairs.ravel()) / (2 * math.fsum(w) * held)


def top_share(values: np.ndarray, percent: int, weights: np.ndarray | None = None) -> float:
    """What lies above the Lorenz curve at ``100 - percent`` per cent, the curve linear within a row."""
    w = np.ones(len(values)) if weights is None else weights
    if not len(values) or values.min() < 0 or not (w * values).sum() > 0:
        return math.nan
    order = np.argsort(values, kind="stable")
    people = np.concatenate([[0.0], np.cumsum(w[order])])
    money = np.concatenate([[0.0], np.cumsum((w * values)[order])])
    return float(1 - np.interp((1 - percent / 100) * people[-1], people, money) / money[-1])


def variance(values: np.ndarray, weights: np.ndarray | None = None, kind: str | None = None) -> float:
    """Sum of squared deviations in exact fractions, over the divisor of the kind of weights."""
    x = [Fraction(float(value)) for value in values]
    w = [Fraction(1)] * len(x) if weights is None else [Fraction(float(value)) for value in weights]
    n, total = len(x), sum(w, Fraction(0))
    if not n:
        return math.nan
    mean = sum((a * b for a, b in zip(w, x, strict=True)), Fraction(0)) / total
    squares = sum((a * (b - mean) ** 2 for a, b in zip(w, x, strict=True)), Fraction(0))
    divisor = total * Fraction(n - 1, n) if kind == "probability" else total - 1
    return float(squares / divisor) if divisor > 0 else math.nan


def statistic(
    name: str, values: np.ndarray, *, rule: int = 7, weights: np.ndarray | None = None, kind: str | None = None
) -> float:
    """One statistic of the values of a cell (those that are not missing, with weights above zero)."""
    if kind == "frequency" and weights is not None:
        values, weights = np.repeat(values, weights.astype(np.int64)), None

    def at(number: int) -> float:
        if weights is None:
            return percentile(values, number, rule)
        return weighted_percentile(values, weights, number, rule)

    products = values if weights is None else values * weights
    if name == "n_weighted":
        return float(len(values)) if weights is None else math.fsum(weights)
    if name == "sum":
        return math.fsum(products)
    if not len(values):
        return math.nan
    if name in ("mean", "share"):
        return math.fsum(products) / (len(values) if weights is None else math.fsum(weights))
    if name in ("var", "sd"):
        square = variance(values, weights, kind)
        return square if name == "var" else math.sqrt(square)
    if name == "iqr":
        return at(75) - at(25)
    if name == "gini":
        return gini(values, weights)
    if name.startswith("top"):
        return top_share(values, int(name[3:]), weights)
    if "/" in name:
        above, below = (at(int(part[1:])) for part in name.split("/"))
        return above / below if below > 0 else math.nan
    return at(int(name[1:]))


def person_counts(part: pd.DataFrame, values: str | None, person: str) -> dict[str, int]:
    """Rows and distinct persons of a cell."""
    known = part if values is None else part[part[values].notna()]
    pay = known[values].to_numpy(np.float64) if values else np.ones(len(known))
    return {
        "n_obs": len(part),
        "n_value": len(known),
        "n_person": part[person].nunique(),
        "n_person_value": known[person].nunique(),
        "n_person_nonzero": known[person][pay != 0].nunique(),
        "n_person_zero": known[person][pay == 0].nunique(),
        "n_negative": int((pay < 0).sum()),
        "n_zero": int((pay == 0).sum()),
        "n_largest": majority(pay),
        "all_equal": len(set(pay.tolist())) == 1,
    }


def majority(pay: np.ndarray) -> int:
    """Rows that share the value which more than half of them have, else 0."""
    most = int(pd.Series(pay).value_counts().iloc[0]) if len(pay) else 0
    return most if 2 * most > len(pay) else 0


def person_totals(part: pd.DataFrame, values: str, person: str) -> dict[str, float]:
    """Total of the absolute person totals, and the two largest of them."""
    totals = part.groupby(person)[values].sum().abs().sort_values(ascending=False).to_numpy()
    first, second = [*totals[:2], 0.0, 0.0][:2]
    return {"total_absolute": float(totals.sum()), "top1": float(first), "top2": float(second)}


def tail(part: pd.DataFrame, values: str, person: str, at: float) -> tuple[int, int, int]:
    """Persons with a value strictly below, at and strictly above."""
    known = part[part[values].notna()]
    pay = known[values].to_numpy(np.float64)
    return tuple(int(known[person][side].nunique()) for side in (pay < at, pay == at, pay > at))  # type: ignore[return-value]


def cells_of(frame: pd.DataFrame, by: Sequence[str]) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Rows of each observed cell; rows with a missing key are in none."""
    if not by:
        return {(): frame}
    parts = frame.dropna(subset=list(by)).groupby(list(by), sort=True, observed=True)
    return {key: part for key, part in parts if len(part)}


def kernel_room(longest: int) -> dict[str, np.ndarray]:
    """Scratch arrays of the percentile kernel."""
    return {
        "free": np.empty(longest),
        "spare": np.empty(longest),
        "bins": np.empty(4096, dtype=np.uint32),
        "slot": np.empty(4096, dtype=np.uint8),
    }


# ---- the field of 2^32 elements, for the sketches -------------------------------------------------------------------

POLYNOMIAL = (1 << 32) | 0b10001101  # x^32 + x^7 + x^3 + x^2 + 1


def field_product(a: int, b: int) -> int:
    """Product of two polynomials over two elements, reduced by long division."""
    product = 0
    for bit in range(32):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(63, 31, -1):
        if product >> bit & 1:
            product ^= POLYNOMIAL << (bit - 32)
    return product


def field_powers(key: int) -> list[int]:
    """x, x^3, ..., x^19 of the person with that key."""
    x = (key >> 32) ^ (key & 0xFFFFFFFF) or 1
    square, powers = field_product(x, x), [x]
    while len(powers) < 10:
        powers.append(field_product(powers[-1], square))
    return powers


def sketch_of(keys: Sequence[int]) -> np.ndarray:
    """Sketch of a set of persons: the sums of their powers, two words to an item."""
    words = [0] * 10
    for key in keys:
        words = [word ^ power for word, power in zip(words, field_powers(int(key)), strict=True)]
    return np.array([words[2 * k] | words[2 * k + 1] << 32 for k in range(5)], dtype=np.uint64)
