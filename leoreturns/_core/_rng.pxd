# Random words by counter, and weights made from them: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random
# numbers: as easy as 1, 2, 3", SC11). A word is a pure function of the seed and a counter, so that no order of the work
# can change it. Integer arithmetic is exact; the logarithm uses nothing but + - * / of doubles, in a fixed order, so
# that weights have the same bits on every platform (no libm, no contraction into fused operations).
#
# Blocks of four words are computed side by side: word w of block j stands at x[w * n + j]. With a constant n the
# compiler turns the loops over j into vector code (32 x 32 -> 64 bit products are one instruction of SSE2 and NEON).

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from leoreturns._core._types cimport lr_bits, lr_double

cdef extern from *:
    """
    #include <stdint.h>
    /* Multipliers and Weyl increments of Philox4x32; an enum of MSVC would hold them as negative ints. */
    static const uint32_t LR_M0 = 0xD2511F53u, LR_M1 = 0xCD9E8D57u, LR_W0 = 0x9E3779B9u, LR_W1 = 0xBB67AE85u;
    /* floor(2**32 P(X <= j)) for X ~ Poisson(1) and j = 0, 1, ..., 12; later ones equal the last. */
    static const uint32_t LR_POISSON[13] = {
        1580030168u, 3160060337u, 3950075421u, 4213413783u, 4279248373u, 4292415291u, 4294609777u,
        4294923276u, 4294962463u, 4294966817u, 4294967252u, 4294967292u, 4294967295u
    };
    """
    const uint32_t LR_M0, LR_M1, LR_W0, LR_W1
    const uint32_t[13] LR_POISSON

cdef enum:
    POISSON_THRESHOLDS = 13
    TABLE_BITS = 12
    TABLE_SIZE = 1 << TABLE_BITS
    BETWEEN = 128  # entry of the table whose words lie on both sides of a threshold: a bit that no count has


cdef inline void philox(uint32_t* x, int n, uint32_t k0, uint32_t k1, int n_rounds) noexcept nogil:
    """Turn n counters into n blocks of words, in place: the last ``n_rounds`` of the ten rounds."""
    cdef int j, r
    cdef uint64_t p0, p1
    k0 += <uint32_t>(10 - n_rounds) * LR_W0
    k1 += <uint32_t>(10 - n_rounds) * LR_W1
    for r in range(n_rounds):
        for j in range(n):
            p0 = <uint64_t>x[j] * LR_M0
            p1 = <uint64_t>x[2 * n + j] * LR_M1
            x[j] = <uint32_t>(p1 >> 32) ^ x[n + j] ^ k0
            x[n + j] = <uint32_t>p1
            x[2 * n + j] = <uint32_t>(p0 >> 32) ^ x[3 * n + j] ^ k1
            x[3 * n + j] = <uint32_t>p0
        k0 += LR_W0
        k1 += LR_W1


cdef inline void replicate_products(uint32_t first_block, int n, uint32_t* high, uint32_t* low) noexcept nogil:
    """The products of round 1 that depend on the replicates alone: M1 (first_block + j), in halves."""
    cdef int j
    cdef uint64_t product
    for j in range(n):
        product = <uint64_t>(first_block + <uint32_t>j) * LR_M1
        high[j] = <uint32_t>(product >> 32)
        low[j] = <uint32_t>product


cdef inline void unit_words(
    uint64_t key, uint32_t stream, uint32_t k0, uint32_t k1, const uint32_t* high, const uint32_t* low, int n,
    uint32_t* x,
) noexcept nogil:
    """Blocks of the counters (key low, key high, first_block + j, stream), j = 0 .. n - 1.

    The counters differ in one word, so that rounds 1 and 2 cost one vector product (that of `b`) instead of four.
    """
    cdef int j
    cdef uint64_t a = <uint64_t><uint32_t>key * LR_M0
    cdef uint64_t c = <uint64_t>(<uint32_t>(a >> 32) ^ stream ^ k1) * LR_M1
    cdef uint64_t b
    cdef uint32_t of_unit = <uint32_t>(c >> 32) ^ (k0 + LR_W0)
    cdef uint32_t of_pair = <uint32_t>a ^ (k1 + LR_W1)
    cdef uint32_t before = <uint32_t>(key >> 32) ^ k0
    for j in range(n):
        b = <uint64_t>(high[j] ^ before) * LR_M0
        x[j] = of_unit ^ low[j]
        x[n + j] = <uint32_t>c
        x[2 * n + j] = <uint32_t>(b >> 32) ^ of_pair
        x[3 * n + j] = <uint32_t>b
    philox(x, n, k0, k1, 8)


cdef inline uint8_t poisson_of(uint32_t word) noexcept nogil:
    """Poisson(1) by inversion: the number of thresholds that are not above the word."""
    cdef int j
    cdef uint8_t count = 0
    for j in range(POISSON_THRESHOLDS):
        count += word >= LR_POISSON[j]
    return count


cdef inline void tabulate_poisson(uint8_t* table) noexcept nogil:
    """What the top bits of a word say of its Poisson draw, or BETWEEN where they do not decide."""
    cdef int top
    cdef uint32_t lowest
    cdef uint8_t count
    for top in range(TABLE_SIZE):
        lowest = <uint32_t>top << (32 - TABLE_BITS)
        count = poisson_of(lowest)
        table[top] = count if count == poisson_of(lowest | <uint32_t>((1 << (32 - TABLE_BITS)) - 1)) else BETWEEN


cdef inline double exponential_of(uint32_t word) noexcept nogil:
    """Exponential(1) by inversion: -log(u), u = (word + 1/2) / 2**32, within two units in the last place.

    u = 2**k m with m in [sqrt(1/2), sqrt(2)), and log(m) = 2 atanh(s), s = (m - 1) / (m + 1), by its power series: s**2
    is at most 0.0295, and the first term left out below 2**-60 of the sum.
    """
    cdef double u = (2.0 * <double>word + 1.0) * (1.0 / 8589934592.0)
    cdef uint64_t bits = lr_bits(u)
    # Moves sqrt(1/2) to a power of two, so that the exponent of the sum is k.
    cdef uint64_t moved = bits + <uint64_t>0x00095F619980C433
    cdef double m = lr_double(bits - (moved & <uint64_t>0xFFF0000000000000) + <uint64_t>0x3FF0000000000000)
    # An integer below 2**52 becomes a double through the mantissa of 2**52: vector code has no other way.
    cdef double k = lr_double((moved >> 52) | <uint64_t>0x4330000000000000) - (4503599627370496.0 + 1023.0)
    cdef double s = (m - 1.0) / (m + 1.0)
    cdef double z = s * s
    cdef double series = 1.0 / 21.0
    series = series * z + 1.0 / 19.0
    series = series * z + 1.0 / 17.0
    series = series * z + 1.0 / 15.0
    series = series * z + 1.0 / 13.0
    series = series * z + 1.0 / 11.0
    series = series * z + 1.0 / 9.0
    series = series * z + 1.0 / 7.0
    series = series * z + 1.0 / 5.0
    series = series * z + 1.0 / 3.0
    s += s
    # log(2) in two parts, the first short enough for an exact product with k.
    return -(k * 6.93147180369123816490e-01 + (k * 1.90821492927058770002e-10 + (s + s * (z * series))))
