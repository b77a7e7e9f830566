"""Second scan of least squares: scores summed by person or cluster, and the leverages of rows under fixed effects.

Sums cost one addition per entry; a leverage costs the square of the row's effects and, under group means, the square of
the group's distinct levels, once per group (MacKinnon and White 1985, J. Econometrics 29).
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t

from leoreturns._core._groups cimport check_groups, check_slots


def sum_groups(const double[:, ::1] values not None, const int64_t[::1] starts not None, double[:, ::1] out not None):
    """Sum the columns over each group: values IN float64[k, n]; starts IN int64[g + 1]; out OUT float64[k, g]."""
    cdef int64_t k, g, i, n = values.shape[1]
    cdef double total
    check_groups(starts, n)
    if out.shape[0] != values.shape[0] or out.shape[1] != starts.shape[0] - 1:
        raise ValueError("out must have one row per column and one entry per group")
    with nogil:
        for k in range(values.shape[0]):
            for g in range(starts.shape[0] - 1):
                total = 0.0
                for i in range(starts[g], starts[g + 1]):
                    total += values[k, i]
                out[k, g] = total


def sum_codes(const double[:, ::1] values not None, const int32_t[::1] codes not None, double[:, :] out not None):
    """Add the columns to the sums of the rows' codes: values IN float64[k, n]; codes IN int32[n], in
    ``0 : n_codes``; out IN/OUT float64[n_codes, k]."""
    cdef int64_t k, i, n = values.shape[1], n_columns = values.shape[0]
    if codes.shape[0] != n or out.shape[1] != n_columns:
        raise ValueError("values, codes and out differ in length")
    for i in range(n):
        if codes[i] < 0 or codes[i] >= out.shape[0]:
            raise ValueError("a code lies outside the table")
    with nogil:
        for i in range(n):
            for k in range(n_columns):
                out[codes[i], k] += values[k, i]


def sum_sides(
    const double[:, ::1] own not None, const double[::1] scale not None, const uint8_t[::1] one_sided not None,
    const double[:, ::1] sizes not None, const int32_t[::1] codes not None, double[:, :] out not None,
):
    """Add squares times sizes to the sums of the rows' codes, apart where the numbers are above nought and where not.

    own IN float64[k, n]; scale IN float64[k], of the squares; one_sided IN uint8[k], whether both sides are all rows;
    sizes IN float64[s, n]; codes IN int32[n], in ``0 : n_codes``; out IN/OUT float64[2 s k, n_codes]: for each size k
    rows of those above, then k rows of the others.
    """
    cdef int64_t a, i, j, first, k = own.shape[0], n = own.shape[1], n_sizes = sizes.shape[0]
    cdef double x
    if codes.shape[0] != n or sizes.shape[1] != n or scale.shape[0] != k or one_sided.shape[0] != k:
        raise ValueError("own, scale, one_sided, sizes and codes differ in length")
    if out.shape[0] != 2 * n_sizes * k:
        raise ValueError("out must have two rows per column and size")
    for i in range(n):
        if codes[i] < 0 or codes[i] >= out.shape[1]:
            raise ValueError("a code lies outside the table")
    with nogil:
        for a in range(n_sizes):
            for j in range(k):
                first = 2 * a * k + j
                for i in range(n):
                    x = own[j, i] * own[j, i] * scale[j] * sizes[a, i]
                    if one_sided[j]:
                        out[first, codes[i]] += x
                        out[first + k, codes[i]] += x
                    else:
                        # Added to one of two rows by arithmetic: which of them is as random as the signs.
                        out[first + k * (own[j, i] <= 0.0), codes[i]] += x


def person_evidence(
    const double[:, ::1] own not None, const double[:, ::1] regressors not None, const uint8_t[:, ::1] off not None,
    const double[:, ::1] sizes not None, const int64_t[::1] starts not None, const double[::1] scale not None,
    const uint8_t[::1] one_sided not None, double[:, ::1] out not None,
):
    """Add what persons stand behind each coefficient, in one pass: what `sum_groups` and `sum_sides` give by person.

    Parameters
    ----------
    own, regressors : float64 of shape (k, n), IN
        Each regressor without all others, over its sum of squares; the regressors.
    off : uint8 of shape (k, n), IN
        Whether a row departs from the most frequent value.
    sizes : float64 of shape (s, n), IN
        Of the outcome; s is 1 or 2.
    starts : int64 of shape (g + 1,), IN
        First row of each person, and the end.
    scale : float64 of shape (k,), IN
        What makes squares of `own` shares that add up to one.
    one_sided : uint8 of shape (k,), IN
        Whether both sides are all rows.
    out : float64 of shape (4 + 4 s, k), IN/OUT
        Sums of squared shares of persons, largest share, persons with a row that is off, largest leverage of a person;
        for each size and the rows above nought, then the others: shares times sizes of persons, summed and squared.
    """
    cdef int64_t k, g, i, a, at, n = own.shape[1], n_columns = own.shape[0], n_sizes = sizes.shape[0]
    cdef double share, leverage, x, square, largest = 0.0
    cdef double above[2]
    cdef double whole[2]
    cdef uint8_t any_off
    check_groups(starts, n)
    if not (regressors.shape[0] == off.shape[0] == scale.shape[0] == one_sided.shape[0] == out.shape[1] == n_columns):
        raise ValueError("own, regressors, off, scale, one_sided and out differ in columns")
    if regressors.shape[1] != n or off.shape[1] != n or sizes.shape[1] != n:
        raise ValueError("own, regressors, off and sizes differ in length")
    if n_sizes < 1 or n_sizes > 2 or out.shape[0] != 4 + 4 * n_sizes:
        raise ValueError("out must have four rows, and four for each of one or two sizes")
    with nogil:
        for g in range(starts.shape[0] - 1):
            leverage = 0.0
            for k in range(n_columns):
                share = above[0] = above[1] = whole[0] = whole[1] = 0.0
                any_off = 0
                for i in range(starts[g], starts[g + 1]):
                    x = own[k, i]
                    square = x * x
                    share += square
                    leverage += x * regressors[k, i]
                    any_off |= off[k, i]
                    for a in range(n_sizes):
                        whole[a] += square * sizes[a, i]
                        above[a] += square * sizes[a, i] * (x > 0.0)
                share *= scale[k]
                out[0, k] += share * share
                if share > out[1, k]:
                    out[1, k] = share
                out[2, k] += any_off
                for a in range(n_sizes):
                    at = 4 + 4 * a
                    x = scale[k] * (whole[a] if one_sided[k] else above[a])
                    out[at, k] += x
                    out[at + 1, k] += x * x
                    x = scale[k] * (whole[a] if one_sided[k] else whole[a] - above[a])
                    out[at + 2, k] += x
                    out[at + 3, k] += x * x
            if leverage > largest:
                largest = leverage
        for k in range(n_columns):
            if largest > out[3, k]:
                out[3, k] = largest


cdef double quadratic(
    const int32_t[:, ::1] slots, int64_t i, const double[:, ::1] inverse,
) noexcept nogil:
    """Form of one row's levels in the inverse."""
    cdef int64_t a, b
    cdef double total = 0.0
    for a in range(slots.shape[0]):
        if slots[a, i] >= 0:
            for b in range(slots.shape[0]):
                if slots[b, i] >= 0:
                    total += inverse[slots[a, i], slots[b, i]]
    return total


cdef void group_leverages(
    const int32_t[:, ::1] slots, const double* w, int64_t first, int64_t last, const double[:, ::1] inverse,
    int32_t* place, int32_t* found, double* mean, double* fitted, double* out,
) noexcept nogil:
    """Forms of the rows' levels less their group mean, through the few levels that the group has."""
    cdef int64_t i, a, b, n_found = 0
    cdef int32_t s
    cdef double v = 1.0, total = 0.0, shared = 0.0
    for i in range(first, last):
        if w != NULL:
            v = w[i]
        total += v
        for a in range(slots.shape[0]):
            s = slots[a, i]
            if s < 0:
                continue
            if place[s] < 0:
                place[s] = <int32_t>n_found
                found[n_found] = s
                mean[n_found] = 0.0
                n_found += 1
            mean[place[s]] += v
    for a in range(n_found):
        mean[a] /= total
    for a in range(n_found):
        fitted[a] = 0.0
        for b in range(n_found):
            fitted[a] += inverse[found[a], found[b]] * mean[b]
        shared += mean[a] * fitted[a]
    for i in range(first, last):
        out[i] = quadratic(slots, i, inverse) + shared
        for a in range(slots.shape[0]):
            if slots[a, i] >= 0:
                out[i] -= 2.0 * fitted[place[slots[a, i]]]
    for a in range(n_found):
        place[found[a]] = -1


def leverages(
    const int32_t[:, ::1] slots not None, const double[::1] weights not None, const int64_t[::1] starts not None,
    bint centred, const double[:, ::1] inverse not None, double[::1] out not None,
):
    """Leverage of each row's levels, per unit of weight and without the group's own share.

    Parameters
    ----------
    slots, weights, starts, centred
        As in `slot_moments`.
    inverse : float64 of shape (q, q), IN
        Generalised inverse of the other effects' moments.
    out : float64 of shape (n,), OUT
        ``(z - mean)' inverse (z - mean)`` for the row's levels z and their group's mean (nought if not centred).
    """
    cdef int64_t g, i, n = out.shape[0], n_slots = inverse.shape[0]
    if inverse.shape[1] != n_slots or (weights.shape[0] and weights.shape[0] != n):
        raise ValueError("inverse must be square, weights one per row")
    check_groups(starts, n)
    check_slots(slots, n, n_slots)
    if n == 0 or n_slots == 0 or slots.shape[0] == 0:
        out[:] = 0.0
        return
    cdef int32_t[::1] place = np.full(n_slots, -1, dtype=np.int32)
    cdef int32_t[::1] found = np.empty(n_slots, dtype=np.int32)
    cdef double[::1] mean = np.empty(n_slots)
    cdef double[::1] fitted = np.empty(n_slots)
    cdef const double* w = &weights[0] if weights.shape[0] else NULL
    with nogil:
        if centred:
            for g in range(starts.shape[0] - 1):
                group_leverages(
                    slots, w, starts[g], starts[g + 1], inverse, &place[0], &found[0], &mean[0], &fitted[0], &out[0],
                )
        else:
            for i in range(n):
                out[i] = quadratic(slots, i, inverse)


def group_products(const double[:, ::1] rows not None, const int64_t[::1] starts not None, double[:, ::1] out not None):
    """Cross-products of the columns over each group.

    rows IN float64[n, k], one row after the other; starts IN int64[g + 1]; out OUT float64[g, k (k + 1) / 2], the upper
    triangle row by row.
    """
    cdef int64_t g, i, a, b, at, k = rows.shape[1]
    cdef double x
    cdef double* into
    cdef const double* row
    check_groups(starts, rows.shape[0])
    if out.shape[0] != starts.shape[0] - 1 or out.shape[1] != k * (k + 1) // 2:
        raise ValueError("out must have one row per group and the entries of a triangle")
    if not out.shape[0] or not k:
        return
    with nogil:
        for g in range(out.shape[0]):
            into = &out[g, 0]
            for at in range(out.shape[1]):
                into[at] = 0.0
            for i in range(starts[g], starts[g + 1]):
                row = &rows[i, 0]
                at = 0
                for a in range(k):
                    x = row[a]
                    for b in range(k - a):
                        into[at + b] += x * row[a + b]
                    at += k - a
