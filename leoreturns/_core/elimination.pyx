"""Least squares with one large set of effects: the groups (persons) are eliminated while the rows are in cache.

A block of rows arrives as columns with the rows of each group adjacent. `centre` takes the group means out of the
columns, `slot_moments` adds up the cross-products of the columns with the other effects, and of these with one another,
after the group means; `residualise` takes fitted effects out of the columns for the second scan. Nothing of the rows'
length outlives a block. Every group mean is taken about the group's first value, so that a column that does not vary
within groups becomes exactly zero and large levels cost no digits.

Cost per row with k columns and c other effects: about 6 k + c k + c^2 / 2 operations, and per group d^2 / 2 for its d
distinct levels. Wansbeek and Kapteyn (1989, J. Econometrics 41); Somaini and Wolak (2016, J. Econometric Methods 5).
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from leoreturns._core._groups cimport check_groups, check_slots


cdef void centre_column(
    double* x, const double* w, const int64_t* starts, int64_t n_groups,
) noexcept nogil:
    """Take the (weighted) mean of every group out of one column."""
    cdef int64_t g, i, first, last
    cdef double base, total, weight
    for g in range(n_groups):
        first = starts[g]
        last = starts[g + 1]
        if first == last:
            continue
        base = x[first]
        total = 0.0
        if w == NULL:
            for i in range(first, last):
                x[i] -= base
                total += x[i]
            weight = <double>(last - first)
        else:
            weight = 0.0
            for i in range(first, last):
                x[i] -= base
                total += w[i] * x[i]
                weight += w[i]
        total /= weight
        for i in range(first, last):
            x[i] -= total


def centre(double[:, ::1] columns not None, const double[::1] weights not None, const int64_t[::1] starts not None):
    """Take the mean of every group out of every column, weighted where there are weights.

    columns IN/OUT float64[k, n]; weights IN float64[n], positive, or [0] for none; starts IN int64[n_groups + 1], the
    first row of each group and the end.
    """
    cdef int64_t k, n = columns.shape[1]
    if weights.shape[0] and weights.shape[0] != n:
        raise ValueError("weights and columns differ in length")
    check_groups(starts, n)
    if n == 0:
        return
    cdef const double* w = &weights[0] if weights.shape[0] else NULL
    with nogil:
        for k in range(columns.shape[0]):
            centre_column(&columns[k, 0], w, &starts[0], starts.shape[0] - 1)


cdef void cross_products(
    const double* x, const double* root, const int32_t* slot, int64_t n, double* out,
) noexcept nogil:
    """Add a scaled column to the entries of one effect's levels."""
    cdef int64_t i
    if root == NULL:
        for i in range(n):
            if slot[i] >= 0:
                out[slot[i]] += x[i]
    else:
        for i in range(n):
            if slot[i] >= 0:
                out[slot[i]] += root[i] * x[i]


cdef void group_pairs(
    const int32_t[:, ::1] slots, const double* w, int64_t first, int64_t last, bint centred, int32_t* place,
    int32_t* found, double* weight, double[:, ::1] pairs,
) noexcept nogil:
    """Cross-products of the levels seen in one group, less what the group's mean explains."""
    cdef int64_t i, n_found = 0, n_effects = slots.shape[0], a, b
    cdef int32_t s, t
    cdef double v = 1.0, total = 0.0, share
    for i in range(first, last):
        if w != NULL:
            v = w[i]
        total += v
        for a in range(n_effects):
            s = slots[a, i]
            if s < 0:
                continue
            if place[s] < 0:
                place[s] = <int32_t>n_found
                found[n_found] = s
                weight[n_found] = 0.0
                n_found += 1
            weight[place[s]] += v
            pairs[s, s] += v
            for b in range(a):
                t = slots[b, i]
                if t >= 0:
                    pairs[min(s, t), max(s, t)] += v
    for a in range(n_found):
        s = found[a]
        place[s] = -1
        if not centred:
            continue
        share = weight[a] / total
        pairs[s, s] -= weight[a] * share
        for b in range(a):
            t = found[b]
            pairs[min(s, t), max(s, t)] -= weight[b] * share


def slot_moments(
    const double[:, ::1] columns not None, const double[::1] weights not None, const int32_t[:, ::1] slots not None,
    const int64_t[::1] starts not None, bint centred, double[:, ::1] cross not None, double[:, ::1] pairs not None,
    double[::1] counts not None,
):
    """Add the cross-products of a block's other effects to those of the blocks before.

    Parameters
    ----------
    columns : float64 of shape (k, n), IN
        Columns without their group means, times the root of the weights.
    weights : float64 of shape (n,) or (0,), IN
    slots : int32 of shape (c, n), IN
        Level of each other effect in each row, numbered through all effects; -1 for a level without a column.
    starts : int64 of shape (n_groups + 1,), IN
    centred : bool
        Whether group means are taken out.
    cross : float64 of shape (k, q), IN/OUT
        Sum over rows of column times level.
    pairs : float64 of shape (q, q) or (0, 0), IN/OUT
        Upper triangle of the sums of level times level, each less its group mean; none where they are not wanted.
    counts : float64 of shape (q,), IN/OUT
        Weight of each level, group means left in.
    """
    cdef int64_t k, c, g, i, n = columns.shape[1], n_slots = counts.shape[0]
    if cross.shape[0] != columns.shape[0] or cross.shape[1] != n_slots:
        raise ValueError("cross must have one row per column and one entry per level")
    if pairs.shape[1] != pairs.shape[0] or pairs.shape[0] not in (0, n_slots):
        raise ValueError("pairs must be square, one row per level")
    if weights.shape[0] and weights.shape[0] != n:
        raise ValueError("weights and columns differ in length")
    check_groups(starts, n)
    check_slots(slots, n, n_slots)
    if n == 0 or slots.shape[0] == 0 or n_slots == 0:
        return
    cdef int32_t[::1] place = np.full(n_slots, -1, dtype=np.int32)
    cdef int32_t[::1] found = np.empty(n_slots, dtype=np.int32)
    cdef double[::1] weight = np.empty(n_slots)
    cdef double[::1] roots = np.sqrt(weights)
    cdef const double* w = &weights[0] if weights.shape[0] else NULL
    cdef const double* root = &roots[0] if weights.shape[0] else NULL
    with nogil:
        for c in range(slots.shape[0]):
            for i in range(n):
                if slots[c, i] >= 0:
                    counts[slots[c, i]] += 1.0 if w == NULL else w[i]
            for k in range(columns.shape[0]):
                cross_products(&columns[k, 0], root, &slots[c, 0], n, &cross[k, 0])
        for g in range(starts.shape[0] - 1 if pairs.shape[0] else 0):
            group_pairs(slots, w, starts[g], starts[g + 1], centred, &place[0], &found[0], &weight[0], pairs)


def residualise(
    double[:, ::1] columns not None, const int32_t[:, ::1] slots not None, const double[:, ::1] table not None,
):
    """Take the fitted levels out of the columns: ``columns[k, i] -= sum over effects of table[k, slots[., i]]``.

    columns IN/OUT float64[k, n]; slots IN int32[c, n], -1 for none; table IN float64[k, q].
    """
    cdef int64_t k, c, i, n = columns.shape[1]
    cdef double* x
    cdef const double* fitted
    cdef const int32_t* slot
    if table.shape[0] != columns.shape[0]:
        raise ValueError("table must have one row per column")
    check_slots(slots, n, table.shape[1])
    if n == 0 or slots.shape[0] == 0 or table.shape[1] == 0:
        return
    with nogil:
        for k in range(columns.shape[0]):
            x = &columns[k, 0]
            fitted = &table[k, 0]
            for c in range(slots.shape[0]):
                slot = &slots[c, 0]
                for i in range(n):
                    if slot[i] >= 0:
                        x[i] -= fitted[slot[i]]
