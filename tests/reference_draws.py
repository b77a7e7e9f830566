"""NumPy and plain-Python twins of the replicate weights in `_core/draws.pyx`."""

from fractions import Fraction

import numpy as np

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
POISSON, EXPONENTIAL, MULTINOMIAL = 0, 1, 2


def philox(counter, key):
    """Philox4x32-10: four counter words (arrays or ints) under two key words -> four arrays of words."""
    c = [np.atleast_1d(np.asarray(word, dtype=np.uint64)) for word in counter]
    k = [int(word) for word in key]
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(MULTIPLIERS[0]), c[2] * np.uint64(MULTIPLIERS[1])
        shift = np.uint64(32)
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(k[0]), p1 & LOW, (p0 >> shift) ^ c[3] ^ np.uint64(k[1]), p0 & LOW]
        k = [(word + step) & 0xFFFFFFFF for word, step in zip(k, WEYL, strict=True)]
    return c


def halves(number):
    return number & 0xFFFFFFFF, number >> 32


def words(seed, replicates, keys, stream):
    """Words of the units (rows) in the replicates (columns)."""
    keys = np.asarray(keys, dtype=np.uint64)
    columns = []
    for replicate in replicates:
        counter = (keys & LOW, keys >> np.uint64(32), int(replicate) // 4, stream)
        columns.append(np.broadcast_to(philox(counter, halves(seed))[int(replicate) % 4], keys.shape))
    return np.stack(columns, axis=1).astype(np.uint32)


def inverse_e(terms=40):
    """1/e between two fractions: the alternating series stopped after an even and an odd term."""
    factorial, total, sums = 1, Fraction(0), []
    for j in range(terms):
        factorial *= max(j, 1)
        total += Fraction((-1) ** j, factorial)
        sums.append(total)
    return min(sums[-2:]), max(sums[-2:])


def poisson_thresholds(count=13):
    """floor(2**32 P(X <= j)), X ~ Poisson(1), in exact arithmetic."""
    lower, upper = inverse_e()
    factorial, total, found = 1, Fraction(0), []
    for j in range(count):
        factorial *= max(j, 1)
        total += Fraction(1, factorial)
        below, above = (int(2**32 * bound * total) for bound in (lower, upper))
        assert below == above
        found.append(below)
    return found


def poisson_of(words):
    return np.searchsorted(np.array(poisson_thresholds(), dtype=np.uint64), words, side="right").astype(np.uint8)


def exponential_of(words):
    """-log((word + 1/2) / 2**32) by the kernel's series; the parts of the number by frexp."""
    m, k = np.frexp((2.0 * words.astype(np.float64) + 1.0) / 2.0**33)
    small = m < np.sqrt(0.5)
    m, k = np.where(small, 2.0 * m, m), (k - small).astype(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = np.full(s.shape, 1.0 / 21.0)
    for odd in range(19, 1, -2):
        series = series * z + 1.0 / odd
    s = s + s
    return -(k * 6.93147180369123816490e-01 + (k * 1.90821492927058770002e-10 + (s + s * (z * series))))


def poisson(seed, replicates, keys):
    return poisson_of(words(seed, replicates, keys, POISSON))


def exponential(seed, replicates, keys):
    return exponential_of(words(seed, replicates, keys, EXPONENTIAL))


def multinomial(seed, replicates, sizes):
    """Counts of the units of strata of the given sizes, stratum by stratum (rows), in the replicates (columns)."""
    columns = []
    for replicate in replicates:
        counts = []
        for stratum, n in enumerate(sizes):
            pairs = np.arange((n + 1) // 2)
            block = [word.tolist() for word in philox((pairs, stratum, int(replicate), MULTINOMIAL), halves(seed))]
            drawn = [(block[2 * (i % 2)][i // 2] + (block[2 * (i % 2) + 1][i // 2] << 32)) * n >> 64 for i in range(n)]
            counts.append(np.bincount(drawn, minlength=n)[:n])
        columns.append(np.concatenate(counts) if counts else np.empty(0))
    return np.stack(columns, axis=1).astype(np.uint8)
