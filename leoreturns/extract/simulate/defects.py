"""What is wrong with LEO tables, and how often; every defect made is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray, IntArray
from leoreturns.extract.simulate.rows import Rows, blank, coded, n_row, repeated, text

# Defect -> how often, as a share of what it can strike: persons, ids, rows or spells. The documentation names the
# defects without rates; these are set so that a few thousand persons have all of them.
RATES: Mapping[str, float] = MappingProxyType(
    {
        "second PMR": 0.01,
        "second EDUKEY": 0.01,
        "second RECORDID": 0.04,
        "unknown PMR": 0.005,
        "unknown EDUKEY": 0.005,
        "unknown RECORDID": 0.005,
        "shared PMR": 0.004,
        "shared EDUKEY": 0.004,
        "shared RECORDID": 0.006,
        "cycle of PMRs": 0.003,
        "cycle of EDUKEYs": 0.003,
        "cycle of RECORDIDs": 0.004,
        "repeated lookup row": 0.01,
        "missing AE_ID in a lookup": 0.002,
        "missing id in a lookup": 0.002,
        "absent at a census": 0.02,
        "duplicate census record": 0.015,
        "second school in a census": 0.01,
        "off roll": 0.03,
        "missing value in a census": 0.01,
        "unknown code in a census": 0.004,
        "other value in a later census": 0.02,
        "duplicate KS4 record": 0.01,
        "KS4 record of another year": 0.008,
        "not at the end of KS4": 0.006,
        "missing value at KS4": 0.005,
        "second KS2 record": 0.005,
        "missing marks at KS2": 0.02,
        "second KS5 record": 0.03,
        "repeated learning aim": 0.005,
        "learning aim without an end": 0.06,
        "unknown level of an aim": 0.01,
        "higher education row without dates": 0.02,
        "overlapping spell": 0.03,
        "abutting spell": 0.02,
        "nested spell": 0.02,
        "repeated spell": 0.02,
        "default first day": 0.03,
        "default last day": 0.03,
        "first day before the last": 0.006,
        "missing last day": 0.01,
        "missing first day": 0.003,
        "end before start": 0.003,
        "pay without a spell": 0.01,
        "spell without pay": 0.01,
        "pay of zero": 0.01,
        "tied main section": 0.01,
        "repeated pay record": 0.003,
        "unknown industry": 0.01,
        "unknown type of benefit": 0.005,
        "missing type of benefit": 0.005,
        "year without an address": 0.02,
        "unknown country": 0.01,
        "spurious move of 2012-13": 0.06,
        "weeks of furlough missing": 0.01,
    }
)


class Defects:
    """Chooses what a defect strikes in one chunk, and counts it; strikes nothing where defects are switched off.

    Its draws are its own, so that the persons of an extract are the same with and without defects.
    """

    def __init__(self, rng: Generator, *, enabled: bool) -> None:
        self._rng = rng
        self.enabled = enabled
        self.counts: Counter[str] = Counter()

    def choose(self, defect: str, n: int) -> IntArray:
        """Return which of `n` a defect strikes, in ascending order."""
        if not self.enabled or n == 0:
            return np.empty(0, np.int64)
        # Gaps between successes are geometric: the cost is that of what is chosen, not of n.
        rate = RATES[defect]
        expected = int(n * rate + 6 * np.sqrt(n * rate) + 10)
        chosen = np.cumsum(self._rng.geometric(rate, expected)) - 1
        chosen = chosen[chosen < n]
        self.counts[defect] += len(chosen)
        return chosen

    def struck(self, defect: str, n: int) -> AnyArray:
        """Return for each of `n` whether a defect strikes it."""
        hit = np.zeros(n, bool)
        hit[self.choose(defect, n)] = True
        return hit

    def within(self, defect: str, eligible: AnyArray) -> IntArray:
        """Return which of the eligible a defect strikes, as places in the whole."""
        places = np.flatnonzero(eligible)
        return places[self.choose(defect, len(places))]

    def repeat(self, defect: str, rows: Rows) -> Rows:
        """Return all rows and a copy of those struck."""
        return repeated(rows, self.choose(defect, n_row(rows)))

    def blank(self, defect: str, rows: Rows, *names: str) -> Rows:
        """Return the rows with missing entries in these columns, each struck on its own."""
        return {
            name: blank(column, self.choose(defect, len(column))) if name in names else column
            for name, column in rows.items()
        }

    def misspell(self, defect: str, rows: Rows, name: str, code: str) -> Rows:
        """Return the rows with a code that nobody knows in a column of texts."""
        column = text(rows, name)
        texts = [*column.labels.to_pylist(), code]
        codes = column.codes.astype(np.int32)
        codes[self.choose(defect, len(codes))] = len(texts) - 1
        return {**rows, name: coded(codes, texts)}

    def uniform(self, n: int) -> AnyArray:
        """Return random numbers between 0 and 1 for what a defect does."""
        return self._rng.random(n)
