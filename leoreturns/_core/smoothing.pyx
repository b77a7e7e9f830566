"""Kernel sums on a line: what lies about each point, weighted by its distance.

Kernels that are polynomials within a bandwidth need sums of powers of the distances only. Those of any run of sorted
points are put together from a binary tree of runs, each with its powers about a point of its own, which are moved to
where they are asked for: nothing is ever taken off a larger sum, and distances stay below one bandwidth, so that no digit
is lost. O(log n) for each point.
"""

from libc.math cimport exp
from libc.stdint cimport int64_t

cdef enum:
    POWERS = 7  # those of a kernel of degree 4 and two more


cdef int64_t bound(const double* x, int64_t n, double at, double reach, bint above) noexcept nogil:
    """Return the first place within `reach` below ``at``; or, above, the first that is beyond it."""
    cdef int64_t low = 0, high = n, middle
    cdef bint before
    while low < high:
        middle = low + (high - low) // 2
        before = x[middle] - at <= reach if above else at - x[middle] > reach
        if before:
            low = middle + 1
        else:
            high = middle
    return low


cdef void move(const double* powers, double step, int64_t top, double* out) noexcept nogil:
    """Add sums of powers up to ``top``, about a point that lies ``step`` further on."""
    cdef double part[POWERS]
    cdef int64_t i, j
    for i in range(top + 1):
        part[i] = powers[i]
    # As a Taylor shift: (u + step)^i from the powers of u, one factor at a time.
    for j in range(top):
        for i in range(top, j, -1):
            part[i] += step * part[i - 1]
    for i in range(top + 1):
        out[i] += part[i]


cdef void grow(
    const double* x, const double* values, int64_t n, double bandwidth, int64_t top, double* powers, double* origins,
) noexcept nogil:
    """Write the tree of a stratum: run i consists of runs 2 i and 2 i + 1, point j is run n + j."""
    cdef int64_t i, j, stride = top + 1
    for j in range(n):
        origins[n + j] = x[j]
        powers[(n + j) * stride] = values[j]
        for i in range(1, stride):
            powers[(n + j) * stride + i] = 0.0
    for j in range(n - 1, 0, -1):
        origins[j] = origins[2 * j]
        for i in range(stride):
            powers[j * stride + i] = powers[2 * j * stride + i]
        move(
            powers + (2 * j + 1) * stride, (origins[2 * j + 1] - origins[j]) / bandwidth, top, powers + j * stride
        )


cdef void polynomial(
    double at, int64_t low, int64_t high, int64_t n, double bandwidth, const double* coefficients, int64_t degree,
    int64_t wanted, const double* powers, const double* origins, double* out,
) noexcept nogil:
    """Write the kernel sums of one point from the runs between two places."""
    cdef double sums[POWERS]
    cdef int64_t i, p, top = degree + wanted - 1, left = low + n, right = high + n
    for i in range(top + 1):
        sums[i] = 0.0
    while left < right:
        if left & 1:
            move(powers + left * (top + 1), (origins[left] - at) / bandwidth, top, sums)
            left += 1
        if right & 1:
            right -= 1
            move(powers + right * (top + 1), (origins[right] - at) / bandwidth, top, sums)
        left >>= 1
        right >>= 1
    for p in range(wanted):
        out[p] = 0.0
        for i in range(degree + 1):
            out[p] += coefficients[i] * sums[i + p]


cdef void gaussian(
    double at, int64_t low, int64_t high, const double* x, const double* values, double bandwidth, int64_t wanted,
    double* out,
) noexcept nogil:
    cdef int64_t j, p
    cdef double u, term
    for p in range(wanted):
        out[p] = 0.0
    for j in range(low, high):
        u = (x[j] - at) / bandwidth
        term = values[j] * exp(-0.5 * u * u)
        for p in range(wanted):
            out[p] += term
            term *= u


def sums(
    const double[::1] at not None, const int64_t[::1] at_offsets not None, const double[::1] x not None,
    const double[::1] values not None, const int64_t[::1] offsets not None, double bandwidth, double width,
    const double[::1] coefficients not None, bint bell, int64_t first, int64_t last, double[:, ::1] powers not None,
    double[::1] origins not None, int64_t[::1] held not None, double[:, ::1] out not None,
):
    """Add up, for each point, values about it: ``sum_j values_j K(u_j) u_j^p`` with ``u_j = (x_j - at) / bandwidth``.

    Parameters
    ----------
    at : float64 of shape (n_at,), IN
    at_offsets : int64 of shape (n_strata + 1,), IN
    x, values : float64 of shape (n,), IN
        Points, ascending within their stratum, and what is added up.
    offsets : int64 of shape (n_strata + 1,), IN
    bandwidth : float
    width : float
        Distance within which points count, infinity for all.
    coefficients : float64 of shape (degree + 1,), IN
        K as a polynomial of u, of degree 4 at most.
    bell : bool
        Whether K is ``exp(-u^2 / 2)`` instead, added up point by point.
    first, last : int
        Strata done.
    powers : float64 of shape (2 longest, degree + wanted), OUT
        Room; longest is the points of the largest stratum.
    origins : float64 of shape (2 longest,), OUT
        Room.
    held : int64 of shape (n_at,), OUT
        Points within the width.
    out : float64 of shape (n_at, wanted), OUT
        The sums for p from 0.
    """
    cdef int64_t s, i, low, high, n, base, wanted = out.shape[1], degree = coefficients.shape[0] - 1
    cdef int64_t n_strata = offsets.shape[0] - 1
    if at_offsets.shape[0] != n_strata + 1 or at_offsets[n_strata] != at.shape[0] or offsets[n_strata] != x.shape[0]:
        raise ValueError("strata and points differ in length")
    if values.shape[0] != x.shape[0] or held.shape[0] != at.shape[0] or out.shape[0] != at.shape[0]:
        raise ValueError("points and values differ in length")
    if degree < 0 or wanted < 1 or degree + wanted > POWERS or powers.shape[1] != degree + wanted:
        raise ValueError("more powers than there is room for")
    if not bandwidth > 0.0 or not width > 0.0 or first < 0 or last > n_strata:
        raise ValueError("the bandwidth must be positive and the strata must exist")
    for s in range(first, last):
        if bell:
            break
        if powers.shape[0] < 2 * (offsets[s + 1] - offsets[s]) or origins.shape[0] < 2 * (offsets[s + 1] - offsets[s]):
            raise ValueError("room too short")
    with nogil:
        for s in range(first, last):
            base, n = offsets[s], offsets[s + 1] - offsets[s]
            if at_offsets[s + 1] == at_offsets[s]:
                continue
            if n > 0 and not bell:
                grow(&x[base], &values[base], n, bandwidth, degree + wanted - 1, &powers[0, 0], &origins[0])
            for i in range(at_offsets[s], at_offsets[s + 1]):
                held[i] = 0
                for low in range(wanted):
                    out[i, low] = 0.0
                if n == 0:
                    continue
                low = bound(&x[base], n, at[i], width, False)
                high = bound(&x[base], n, at[i], width, True)
                held[i] = high - low
                if bell:
                    gaussian(at[i], low, high, &x[base], &values[base], bandwidth, wanted, &out[i, 0])
                else:
                    polynomial(
                        at[i], low, high, n, bandwidth, &coefficients[0], degree, wanted, &powers[0, 0], &origins[0],
                        &out[i, 0],
                    )
