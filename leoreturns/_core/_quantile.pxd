# Where a percentile lies among sorted values, and who lies around it. Hyndman and Fan, "Sample quantiles in statistical
# packages", American Statistician 50 (1996), types 1 to 9.

from libc.math cimport floor, fabs
from libc.stdint cimport int32_t, int64_t


cdef inline void position(int64_t n, double p, int rule, int64_t* below, double* share) noexcept nogil:
    """The percentile is (1 - share) x_(below) + share x_(below + 1) of ``n`` sorted values, counted from 0."""
    cdef double at, shift, a = 0.0
    cdef double h, fuzz
    cdef int64_t j
    # n * p that should be a whole number is taken as one: four machine epsilons of its size.
    fuzz = 8.881784197001252e-16 * (1.0 + n)
    if rule <= 3:
        at = n * p - (0.5 if rule == 3 else 0.0)
        j = <int64_t>floor(at + fuzz)
        h = at - j
        if h > fuzz:
            h = 1.0
        elif rule == 1:
            h = 0.0
        elif rule == 2:
            h = 0.5
        else:
            h = 1.0 if j % 2 != 0 else 0.0
        if h == 1.0:
            # The next value itself: a + 1 * (b - a) need not be b in floating point.
            j += 1
            h = 0.0
    else:
        # Types 4 to 9 differ in two constants; shift is what the rule adds at p = 1.
        if rule == 4:
            a, shift = 0.0, 0.0
        elif rule == 5:
            a, shift = 0.5, 0.0
        elif rule == 6:
            a, shift = 0.0, 1.0
        elif rule == 7:
            a, shift = 1.0, -1.0
        elif rule == 8:
            a, shift = 1.0 / 3.0, 1.0 / 3.0
        else:
            a, shift = 3.0 / 8.0, 0.25
        at = a + p * (n + shift)
        j = <int64_t>floor(at + fuzz)
        h = at - j
        if fabs(h) < fuzz:
            h = 0.0
    if j < 1:
        j, h = 1, 0.0
    elif j >= n:
        j, h = n, 0.0
    below[0] = j - 1
    share[0] = h


cdef inline double plotting_position(double before, double weight, double total, double last, int rule) noexcept nogil:
    """Plotting position of a value with ``before`` the weight below it, ``last`` the weight of the largest value."""
    if rule == 4:
        return (before + weight) / total
    if rule == 5:
        return (before + weight / 2) / total
    if rule == 6:
        return (before + weight) / (total + last)
    if rule == 7:
        return before / (total - last) if total > last else 0.0
    if rule == 8:
        return (before + weight - weight / 3) / (total + last / 3)
    return (before + weight - 3 * weight / 8) / (total + last / 4)


cdef inline double between(double a, double b, double share) noexcept nogil:
    """The point a ``share`` of the way from ``a`` up to ``b``, never beyond it."""
    cdef double v = a + share * (b - a)
    if b - a > 1.7976931348623157e308:
        v = (1.0 - share) * a + share * b
    return v if v < b else b


cdef inline void tails_of_persons(
    const double* x, const int32_t* persons, int64_t n, const double* q, int n_q, int64_t* below, int64_t* tied,
    int64_t* above,
) noexcept nogil:
    """Count persons with a value strictly below, at and strictly above each of ``n_q`` points.

    For persons with several values: a person is below a point whose smallest value is, and above one whose largest is.
    Ties need a pass of their own, which is saved where ``tied`` says on entry that no row lies at the point.
    """
    cdef int64_t i = 0
    cdef int32_t person
    cdef double low, high
    cdef bint seen
    cdef int k
    for k in range(n_q):
        below[k] = above[k] = 0
    while i < n:
        person = persons[i]
        low = high = x[i]
        i += 1
        while i < n and persons[i] == person:
            low = x[i] if x[i] < low else low
            high = x[i] if x[i] > high else high
            i += 1
        for k in range(n_q):
            below[k] += low < q[k]
            above[k] += high > q[k]
    for k in range(n_q):
        if not tied[k]:
            continue
        tied[k] = 0
        person = -1
        seen = False
        for i in range(n):
            if persons[i] != person:
                person = persons[i]
                seen = False
            if x[i] == q[k] and not seen:
                tied[k] += 1
                seen = True
