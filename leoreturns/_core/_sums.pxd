# Sums of the values of one cell.
#
# The exact sum splits every value at fixed powers of two (the error-free extraction of Rump, Ogita and Oishi, "Accurate
# floating-point summation", SIAM J. Sci. Comput. 31, 2008): the pieces at one power are multiples of one unit and few
# enough bits that adding them is exact, so the result does not depend on the order of the values. Two powers serve
# ordinary earnings; more are taken while anything is left over.

from libc.math cimport fabs, frexp, ldexp
from libc.stdint cimport int64_t

cdef enum:
    MAX_LEVELS = 96       # 2,098 bits of a double at no fewer than 22 bits a level
    BLOCK = 256
    PIECE = 16384


cdef inline void two_sum(double a, double b, double* s, double* e) noexcept nogil:
    """Knuth's error-free sum: a + b = s + e."""
    cdef double t
    s[0] = a + b
    t = s[0] - a
    e[0] = (a - (s[0] - t)) + (b - t)


cdef inline void grow(double* part, int* n_parts, double x) noexcept nogil:
    """Add a number to an expansion: non-overlapping parts, ascending, whose sum is exact.

    Shewchuk, "Adaptive precision floating-point arithmetic", Discrete Comput. Geom. 18 (1997).
    """
    cdef double error
    cdef int i, kept = 0
    for i in range(n_parts[0]):
        two_sum(x, part[i], &x, &error)
        if error != 0.0:
            part[kept] = error
            kept += 1
    part[kept] = x
    n_parts[0] = kept + 1


cdef inline void collapse(const double* part, int n_parts, double* high, double* low) noexcept nogil:
    """Sum of an expansion: ``high`` rounded once, halves by what lies below them; ``low`` the rest."""
    cdef double x
    cdef int k = n_parts - 1, i
    high[0] = 0.0
    low[0] = 0.0
    if not n_parts:
        return
    high[0] = part[k]
    while k > 0 and low[0] == 0.0:
        k -= 1
        two_sum(high[0], part[k], high, low)
    if k > 0 and ((low[0] < 0.0 and part[k - 1] < 0.0) or (low[0] > 0.0 and part[k - 1] > 0.0)):
        x = high[0] + 2.0 * low[0]
        if x - high[0] == 2.0 * low[0]:
            # Exactly half a unit was rounded to even, and the parts below say that it is more than half.
            high[0] = x
            low[0] = -low[0]
    for i in range(k - 1, -1, -1):
        low[0] += part[i]


cdef inline int bits_of(int64_t n) noexcept nogil:
    """Smallest power of two that is at least ``n + 2``."""
    cdef int bits = 0
    cdef int64_t m = n + 2
    while m > 1:
        m = (m + 1) >> 1
        bits += 1
    return bits


cdef inline void split(const double* x, int64_t n, int exponent, double* part, int* n_parts) noexcept nogil:
    """Add a piece of values below 2**exponent to an expansion, exactly."""
    cdef int headroom = bits_of(n), n_levels = 2, k
    cdef int64_t i = 0
    cdef double first, second, a0 = 0.0, a1 = 0.0, b0 = 0.0, b1 = 0.0, p, q, r, left = 0.0, left1 = 0.0
    cdef double level[MAX_LEVELS]
    cdef double total[MAX_LEVELS]
    first = ldexp(1.0, exponent + headroom)
    second = ldexp(1.0, exponent + 2 * headroom - 53)
    # Two values at a time: the chains of additions are exact, hence free to be interleaved.
    while i + 1 < n:
        p = (x[i] + first) - first
        r = x[i] - p
        q = (r + second) - second
        left += fabs(r - q)
        a0 += p
        b0 += q
        p = (x[i + 1] + first) - first
        r = x[i + 1] - p
        q = (r + second) - second
        left1 += fabs(r - q)
        a1 += p
        b1 += q
        i += 2
    if i < n:
        p = (x[i] + first) - first
        r = x[i] - p
        q = (r + second) - second
        left += fabs(r - q)
        a0 += p
        b0 += q
    total[0] = a0 + a1
    total[1] = b0 + b1
    left += left1
    while left != 0.0 and n_levels < MAX_LEVELS:
        n_levels = n_levels + 2 if n_levels < MAX_LEVELS - 1 else MAX_LEVELS
        for k in range(n_levels):
            level[k] = ldexp(1.0, exponent + headroom - k * (53 - headroom))
            total[k] = 0.0
        left = 0.0
        for i in range(n):
            r = x[i]
            for k in range(n_levels):
                p = (r + level[k]) - level[k]
                r -= p
                total[k] += p
            left += fabs(r)
    for k in range(n_levels):
        grow(part, n_parts, total[k])


cdef inline void exact_sum(const double* x, int64_t n, double largest, double* high, double* low) noexcept nogil:
    """Sum of ``n`` values of absolute size at most ``largest``: ``high`` correctly rounded, ``low`` about the rest.

    Falls back to a compensated sum when the values are so large that splitting would overflow (``n`` of them could
    reach 2**1023).
    """
    cdef int exponent = 0, n_parts = 0
    cdef int64_t i, start = 0
    cdef double error
    cdef double part[MAX_LEVELS]
    high[0] = 0.0
    low[0] = 0.0
    if n == 0 or largest == 0.0:
        return
    frexp(largest, &exponent)
    if exponent + bits_of(n) > 1023:
        for i in range(n):
            two_sum(high[0], x[i], &high[0], &error)
            low[0] += error
        two_sum(high[0], low[0], &high[0], &low[0])
        return
    # Pieces short enough that two levels hold the bits of ordinary earnings.
    while start < n:
        split(x + start, PIECE if start + PIECE < n else n - start, exponent, part, &n_parts)
        start += PIECE
    collapse(part, n_parts, high, low)


cdef inline double sum_of_squares(const double* x, const double* w, int64_t n, double centre) noexcept nogil:
    """Sum of squared deviations (weighted unless ``w`` is NULL), corrected for the rounding of ``centre``, the mean.

    Deviations are taken before squaring; blocks of 256 are summed in four lanes and added with compensation, always in
    the same order.
    """
    cdef double squares[4]
    cdef double plain[4]
    cdef double d, u, error, high = 0.0, low = 0.0, high1 = 0.0, low1 = 0.0, weight = 0.0
    cdef int64_t start, stop, i
    cdef int k
    start = 0
    while start < n:
        stop = start + BLOCK if start + BLOCK < n else n
        for k in range(4):
            squares[k] = 0.0
            plain[k] = 0.0
        if w == NULL:
            i = start
            while i + 3 < stop:
                for k in range(4):
                    d = x[i + k] - centre
                    squares[k] += d * d
                    plain[k] += d
                i += 4
            while i < stop:
                d = x[i] - centre
                squares[0] += d * d
                plain[0] += d
                i += 1
            weight += stop - start
        else:
            for i in range(start, stop):
                d = x[i] - centre
                u = w[i] * d
                squares[0] += u * d
                plain[0] += u
                weight += w[i]
        two_sum(high, (squares[0] + squares[1]) + (squares[2] + squares[3]), &high, &error)
        low += error
        two_sum(high1, (plain[0] + plain[1]) + (plain[2] + plain[3]), &high1, &error)
        low1 += error
        start = stop
    d = high1 + low1
    d = (high + low) - d * d / weight if weight > 0 else 0.0
    return d if d > 0.0 else 0.0
