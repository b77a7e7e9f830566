"""Replicate weights of sampling units: pure functions of the seed, the replicate and the unit's key.

Replicate b (from 0) of the unit with key k under the seed s is word b % 4 of the Philox4x32-10 block with key
(s low, s high) and counter (k low, k high, b // 4, stream); the stream is 0 for Poisson(1) weights (Chamandy,
Muralidharan, Najmi, Naidu, 2012), 1 for exponential(1) ones (the Bayesian bootstrap, Rubin 1981). Multinomial counts
(Efron 1979) take stream 2 and a counter of their own. Tiles of 64 replicates (16 for real weights) are lanes of one
row, so that a kernel which reads a unit's values once can use all its weights.

Cost: 10 rounds of Philox for four words, computed side by side (about 1.3 ns a word), and what turns a word into a
weight. Memory: the output; no allocation.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from leoreturns._core._rng cimport (
    BETWEEN,
    LR_POISSON,
    POISSON_THRESHOLDS,
    TABLE_BITS,
    TABLE_SIZE,
    exponential_of,
    philox,
    poisson_of,
    replicate_products,
    tabulate_poisson,
    unit_words,
)

cdef enum:
    POISSON, EXPONENTIAL, MULTINOMIAL  # streams

cdef enum:
    LANES = 64       # replicates in a row of integer weights
    BLOCKS = 16      # blocks of four words for them
    REAL_LANES = 16  # replicates in a row of real weights
    REAL_BLOCKS = 4


cdef inline uint32_t _first_block(int64_t first_replicate) except? 0xFFFFFFFF:
    """Number of the block of a tile's first replicate."""
    if first_replicate < 0 or first_replicate % 4 or first_replicate > (<int64_t>1 << 32) - LANES:
        raise ValueError("first_replicate must be a multiple of 4, from 0 to 2**32 - 64")
    return <uint32_t>(first_replicate // 4)


cdef inline int _check_rows(int64_t rows, int64_t lanes, int64_t n, int64_t expected) except -1:
    """Refuse an output of another shape than the keys and the lanes."""
    if rows != n or lanes != expected:
        raise ValueError("out must have one row per key and one column per lane")
    return 0


# ---- weights from words ---------------------------------------------------------------------------------------------

def poisson_thresholds():
    """Return the table behind the Poisson draws: floor(2**32 P(X <= j)) for j = 0, 1, ..., as ints."""
    return [int(LR_POISSON[j]) for j in range(POISSON_THRESHOLDS)]


def poisson_of_words(const uint32_t[::1] words not None, uint8_t[::1] out not None):
    """Turn words into Poisson(1) draws: words IN uint32[n], out OUT uint8[n], the thresholds not above each word."""
    cdef int64_t i, n = words.shape[0]
    cdef uint8_t[TABLE_SIZE] table
    cdef uint8_t count
    if out.shape[0] != n:
        raise ValueError("out must have the length of words")
    with nogil:
        tabulate_poisson(table)
        for i in range(n):
            count = table[words[i] >> (32 - TABLE_BITS)]
            out[i] = poisson_of(words[i]) if count == BETWEEN else count


def exponential_of_words(const uint32_t[::1] words not None, double[::1] out not None):
    """Turn words into exponential(1) draws: words IN uint32[n], out OUT float64[n], -log((word + 1/2) / 2**32)."""
    cdef int64_t i, n = words.shape[0]
    if out.shape[0] != n:
        raise ValueError("out must have the length of words")
    with nogil:
        for i in range(n):
            out[i] = exponential_of(words[i])


# ---- independent units ----------------------------------------------------------------------------------------------

cdef inline void _poisson_row(const uint32_t* x, const uint8_t* table, uint8_t* out) noexcept nogil:
    cdef int j, w, lane
    cdef uint8_t count, seen = 0
    for j in range(BLOCKS):
        for w in range(4):
            count = table[x[w * BLOCKS + j] >> (32 - TABLE_BITS)]
            out[4 * j + w] = count
            seen |= count
    if seen & BETWEEN:
        for lane in range(LANES):
            if out[lane] == BETWEEN:
                out[lane] = poisson_of(x[(lane % 4) * BLOCKS + lane // 4])


def poisson(uint64_t seed, int64_t first_replicate, const uint64_t[::1] keys not None, uint8_t[:, ::1] out not None):
    """Draw Poisson(1) weights of units for 64 replicates.

    Parameters
    ----------
    seed : int
        Below 2**64.
    first_replicate : int
        Replicate of the first lane, a multiple of 4.
    keys : uint64 of shape (n,), IN
        Keys of the units, in any order; equal keys have equal weights.
    out : uint8 of shape (n, 64), OUT
        Weights, at most 13.
    """
    cdef int64_t i, n = keys.shape[0]
    cdef uint32_t first = _first_block(first_replicate), k0 = <uint32_t>seed, k1 = <uint32_t>(seed >> 32)
    cdef uint32_t[BLOCKS] high
    cdef uint32_t[BLOCKS] low
    cdef uint32_t[LANES] x
    cdef uint8_t[TABLE_SIZE] table
    _check_rows(out.shape[0], out.shape[1], n, LANES)
    with nogil:
        tabulate_poisson(table)
        replicate_products(first, BLOCKS, high, low)
        for i in range(n):
            unit_words(keys[i], POISSON, k0, k1, high, low, BLOCKS, x)
            _poisson_row(x, table, &out[i, 0])


def exponential(uint64_t seed, int64_t first_replicate, const uint64_t[::1] keys not None, double[:, ::1] out not None):
    """Draw exponential(1) weights of units for 16 replicates.

    Parameters
    ----------
    seed, first_replicate, keys
        As in `poisson`.
    out : float64 of shape (n, 16), OUT
        Weights, between 1.1e-10 and 22.9.
    """
    cdef int64_t i, n = keys.shape[0]
    cdef int lane
    cdef uint32_t first = _first_block(first_replicate), k0 = <uint32_t>seed, k1 = <uint32_t>(seed >> 32)
    cdef uint32_t[REAL_BLOCKS] high
    cdef uint32_t[REAL_BLOCKS] low
    cdef uint32_t[REAL_LANES] x
    cdef double[REAL_LANES] weights
    cdef double* row
    _check_rows(out.shape[0], out.shape[1], n, REAL_LANES)
    with nogil:
        replicate_products(first, REAL_BLOCKS, high, low)
        for i in range(n):
            unit_words(keys[i], EXPONENTIAL, k0, k1, high, low, REAL_BLOCKS, x)
            for lane in range(REAL_LANES):
                weights[lane] = exponential_of(x[lane])
            row = &out[i, 0]
            for lane in range(REAL_LANES):
                row[lane] = weights[(lane % 4) * REAL_BLOCKS + lane // 4]


# ---- a frame of units -----------------------------------------------------------------------------------------------

cdef bint _resample(
    int64_t n, uint32_t stratum, uint32_t replicate, uint32_t k0, uint32_t k1, uint8_t* counts,
) noexcept nogil:
    """Draw n of n units with replacement; False if a unit is drawn more than 255 times."""
    cdef uint32_t[4 * BLOCKS] x
    cdef int64_t i, drawn = 0
    cdef int j, w
    cdef bint fits = True
    for i in range(n):
        counts[i] = 0
    while drawn < n:
        for j in range(BLOCKS):
            x[j] = <uint32_t>(drawn // 2) + <uint32_t>j
            x[BLOCKS + j] = stratum
            x[2 * BLOCKS + j] = replicate
            x[3 * BLOCKS + j] = MULTINOMIAL
        philox(x, BLOCKS, k0, k1, 10)
        for j in range(BLOCKS):
            for w in range(0, 4, 2):
                if drawn == n:
                    break
                # The upper half of (word 0 + 2**32 word 1) n, in 64-bit arithmetic.
                i = <int64_t>(
                    (x[(w + 1) * BLOCKS + j] * <uint64_t>n + ((x[w * BLOCKS + j] * <uint64_t>n) >> 32)) >> 32
                )
                fits &= counts[i] < 255
                counts[i] += 1
                drawn += 1
    return fits


def multinomial(
    uint64_t seed, int64_t first_replicate, const int64_t[::1] offsets not None, uint8_t[::1] room not None,
    uint8_t[:, ::1] out not None,
):
    """Count how often each unit of a frame is drawn, with replacement within strata, in 64 replicates.

    Draw i of the n draws from a stratum of n units takes words (0, 1) or (2, 3), as i is even or odd, of the block with
    counter (i // 2, stratum, replicate, 2). They make a number x below 2**64; the unit drawn is floor(n x / 2**64),
    whose chance differs from 1 / n by less than 2**-64.

    Parameters
    ----------
    seed, first_replicate
        As in `poisson`.
    offsets : int64 of shape (n_strata + 1,), IN
        First unit of each stratum; none has 2**31 units or more.
    room : uint8 of shape (64 * n_largest,), OUT
        Room for the largest stratum: its counts replicate by replicate, where the draws stay in cache.
    out : uint8 of shape (n_units, 64), OUT
        Counts; those of a stratum add up to its number of units in every replicate.

    Raises
    ------
    OverflowError
        If a unit is drawn more than 255 times in a replicate.
    """
    cdef int64_t h, u, n, n_units = out.shape[0], n_strata = offsets.shape[0] - 1
    cdef uint32_t first = _first_block(first_replicate), k0 = <uint32_t>seed, k1 = <uint32_t>(seed >> 32)
    cdef int lane
    cdef bint fits = True
    cdef uint8_t* row
    if n_strata < 0 or offsets[0] != 0 or offsets[n_strata] != n_units or out.shape[1] != LANES:
        raise ValueError("offsets must cover the rows of out, which has one column per lane")
    for h in range(n_strata):
        n = offsets[h + 1] - offsets[h]
        if n < 0 or n >= <int64_t>1 << 31 or LANES * n > room.shape[0]:
            raise ValueError("strata must lie in order, below 2**31 units each, and room hold 64 counts per unit")
    if n_units == 0:
        return
    with nogil:
        for h in range(n_strata):
            n = offsets[h + 1] - offsets[h]
            for lane in range(LANES if n else 0):
                fits &= _resample(n, <uint32_t>h, 4 * first + <uint32_t>lane, k0, k1, &room[lane * n])
            for u in range(n):
                row = &out[offsets[h] + u, 0]
                for lane in range(LANES):
                    row[lane] = room[lane * n + u]
    if not fits:
        raise OverflowError("a unit is drawn more than 255 times in one replicate")
