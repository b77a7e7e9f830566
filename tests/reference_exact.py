"""Twins of the exact intervals: every resample of a few values, and the joint law of two order statistics in fractions.

Nothing here is shared with the package: resamples are listed as multisets with their multinomial number, percentiles
come from `reference_aggregates`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement

from reference_aggregates import percentile

Law = Mapping[float, Fraction]


def law_by_enumeration(values: Sequence[float], statistic: Callable[[Sequence[float]], float]) -> Law:
    """Probability of each value of a statistic over all n**n resamples."""
    x, n = sorted(values), len(values)
    law: dict[float, Fraction] = {}
    for places in combinations_with_replacement(range(n), n):
        number = math.factorial(n)
        for place in set(places):
            number //= math.factorial(places.count(place))
        at = statistic([x[place] for place in places])
        law[at] = law.get(at, Fraction(0)) + Fraction(number, n**n)
    return law


def law_of_percentile(values: Sequence[float], number: int, rule: int) -> Law:
    """Probability of each value of a percentile over all n**n resamples."""
    return law_by_enumeration(values, lambda resample: percentile(resample, number, rule))


def law_of_midpoint(values: Sequence[float], m: int) -> Law:
    """Probability of each value of the mean of the order statistics of ranks m and m + 1, from their joint law.

    Resamples with `below` draws under the i-th value, `at` on it, and so on, counted one by one.
    """
    x, n = sorted(values), len(values)
    law: dict[float, Fraction] = {}
    for i in range(1, n + 1):
        for j in range(i, n + 1):
            number = both_at(n, m, i, j)
            at = float((Fraction(x[i - 1]) + Fraction(x[j - 1])) / 2)
            law[at] = law.get(at, Fraction(0)) + Fraction(number, n**n)
    return law


def both_at(n: int, m: int, i: int, j: int) -> int:
    """Resamples of n places in which the m-th lies at place i and the next at place j."""
    if i < j:
        # m draws at i or lower with one at i, the others at j or higher with one at j.
        return math.comb(n, m) * (i**m - (i - 1) ** m) * ((n - j + 1) ** (n - m) - (n - j) ** (n - m))
    # At most m - 1 draws below i, at least m + 1 at i or below.
    return sum(
        math.comb(n, below) * (i - 1) ** below * math.comb(n - below, on) * (n - i) ** (n - below - on)
        for below in range(m)
        for on in range(m + 1 - below, n - below + 1)
    )


def std_error(law: Law) -> float:
    """Standard deviation."""
    mean = sum((Fraction(at) * share for at, share in law.items()), Fraction(0))
    return math.sqrt(sum((share * (Fraction(at) - mean) ** 2 for at, share in law.items()), Fraction(0)))


def quantile(law: Law, p: Fraction) -> float:
    """Smallest value at which the cumulative probability reaches p."""
    reached = Fraction(0)
    for at in sorted(law):
        reached += law[at]
        if reached >= p:
            return at
    raise AssertionError("probabilities do not add up to one")


def interval(law: Law, level: str) -> tuple[float, float]:
    """Ends of the interval of a level written in decimals."""
    tail = (1 - Fraction(level)) / 2
    return quantile(law, tail), quantile(law, 1 - tail)


def cumulative(law: Law, points: Iterable[float]) -> list[float]:
    """Probability at or below each point."""
    return [float(sum((share for at, share in law.items() if at <= point), Fraction(0))) for point in points]
