"""Optimal matching on a line: each focal unit gets k donors of its own so that the distances sum to the least.

Walk along the line and keep the cost f(j) of having j focal places more than donors used so far. Between two units
that lie g apart, g |j| is added; a focal unit shifts f by k; a donor may be used or not, f(j) <- min(f(j), f(j + 1)).
f stays convex, so it is held as its break points left and right of its minimum, in two heaps (the "slope trick"); what
is stored per donor is where the minimum began, which tells afterwards whether the donor is used. In order, focal places
and donors used are then the pairs. O(n log n); the problem is that of Aggarwal, Bar-Noy, Khuller, Kravets and Schieber
(Efficient minimum cost matching and transportation using the quadrangle inequality, J. Algorithms 19, 1995).
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from leoreturns._core._heap cimport pop, push


cdef void add(double* keys, double* loads, int64_t* size, double key, double load) noexcept nogil:
    """Push a break point, or add it to one that stands first at the same place."""
    # Without this the same weight could move to and fro between the heaps in ever smaller pieces.
    if size[0] > 0 and keys[0] == key:
        loads[0] += load
    else:
        push(keys, loads, size, key, load)


cdef void pass_on(
    double* keys, double* loads, int64_t* size, double shift, double* keys2, double* loads2, int64_t* size2,
    double shift2, double load,
) noexcept nogil:
    """Move break points of the total weight ``load`` from the top of one heap to the other, whose keys are negative."""
    cdef double at, part
    while load > 0.0:
        at = -(keys[0] + shift) - shift2
        part = min(load, loads[0])
        if loads[0] > load:
            loads[0] -= load
        else:
            pop(keys, loads, size)
        add(keys2, loads2, size2, at, part)
        load -= part


cdef bint pair_stratum(
    const double* focus, int64_t n_focus, const double* pool, int64_t n_pool, int64_t k, int64_t* began,
    double* room, int64_t stride, int64_t* out,
) noexcept nogil:
    # Left break points have negative keys, so that the greatest comes first.
    cdef double* left = room
    cdef double* left_load = room + stride
    cdef double* right = room + 2 * stride
    cdef double* right_load = room + 3 * stride
    cdef int64_t n_left = 0, n_right = 0, i = 0, c = 0, j = 0, place
    cdef double shift_left = 0.0, shift_right = 0.0, here, last, gap
    push(left, left_load, &n_left, 0.0, INFINITY)
    push(right, right_load, &n_right, 0.0, INFINITY)
    last = min(focus[0], pool[0])
    while i < n_focus or c < n_pool:
        here = focus[i] if c == n_pool or (i < n_focus and focus[i] <= pool[c]) else pool[c]
        gap = here - last
        if gap > 0.0:
            add(left, left_load, &n_left, -shift_left, gap)
            pass_on(left, left_load, &n_left, shift_left, right, right_load, &n_right, shift_right, gap)
            add(right, right_load, &n_right, -shift_right, gap)
            pass_on(right, right_load, &n_right, shift_right, left, left_load, &n_left, shift_left, gap)
        last = here
        if c == n_pool or (i < n_focus and focus[i] <= pool[c]):
            i += 1
            shift_left -= k
            shift_right += k
        else:
            began[c] = <int64_t>(-(left[0] + shift_left))
            c += 1
            shift_left += 1
    # Backwards: from a balance of 0 at the end.
    i, c, place = n_focus, n_pool, n_focus * k
    while i > 0 or c > 0:
        if i == 0 or (c > 0 and pool[c - 1] >= focus[i - 1]):
            c -= 1
            if j < began[c]:
                j += 1
                place -= 1
                if place < 0:
                    return False
                out[place] = c
        else:
            i -= 1
            j -= k
    return j == 0 and place == 0


def pair(
    const double[::1] focus not None, const int64_t[::1] focus_offsets not None, const double[::1] pool not None,
    const int64_t[::1] pool_offsets not None, int64_t first, int64_t last, int64_t[::1] began not None,
    double[:, ::1] room not None, int64_t[:, ::1] out not None,
):
    """Match each focal unit with k donors of its own at the least sum of distances, in strata ``first:last``.

    Parameters
    ----------
    focus, pool : float64 of shapes (n_focus,) and (n_pool,), IN
        Scores, ascending within their stratum; a stratum has at least k donors for each focal unit.
    focus_offsets, pool_offsets : int64 of shape (n_strata + 1,), IN
    began : int64 of shape (n_pool,), OUT
        Room.
    room : float64 of shape (4, longest), OUT
        Room; longest is 2 more than four times the units of the largest stratum.
    out : int64 of shape (n_focus, k), OUT
        Entries of `pool`.
    """
    cdef int64_t s, a, i, place, base, n_focus, n_pool, k = out.shape[1], n_strata = focus_offsets.shape[0] - 1
    cdef bint right = True
    if pool_offsets.shape[0] != n_strata + 1 or focus_offsets[n_strata] > focus.shape[0]:
        raise ValueError("strata and units differ in length")
    if pool_offsets[n_strata] > pool.shape[0] or began.shape[0] != pool.shape[0] or out.shape[0] != focus.shape[0]:
        raise ValueError("units and outputs differ in length")
    if k < 1 or first < 0 or last > n_strata or room.shape[0] != 4:
        raise ValueError("the number of donors must be positive and the strata must exist")
    for s in range(first, last):
        n_focus, n_pool = focus_offsets[s + 1] - focus_offsets[s], pool_offsets[s + 1] - pool_offsets[s]
        if n_pool < k * n_focus:
            raise ValueError("a stratum has too few donors")
        if room.shape[1] < 4 * (n_focus + n_pool) + 2:
            raise ValueError("room too short")
    with nogil:
        for s in range(first, last):
            a, base = focus_offsets[s], pool_offsets[s]
            n_focus, n_pool = focus_offsets[s + 1] - a, pool_offsets[s + 1] - base
            if n_focus == 0:
                continue
            right = pair_stratum(
                &focus[a], n_focus, &pool[base], n_pool, k, &began[base], &room[0, 0], room.shape[1], &out[a, 0]
            )
            if not right:
                break
            for i in range(a, focus_offsets[s + 1]):
                for place in range(k):
                    out[i, place] += base
    if not right:
        raise ValueError("scores must be finite and ascending within their stratum")
