"""Matching on a score within exact strata: each focal unit (as a rule a treated one) with donors nearby.

Both arms come sorted by (stratum, score). With replacement the k nearest donors of a focal unit are a window of the
sorted donors: O(log n + k) for a unit, nothing else is written. Without replacement the donors still free on either
side are found by union-find with path halving (Tarjan, JACM 22, 1975), nearly O(1) each; "closest first" keeps a heap
of every focal unit's nearest free donor and looks again when another has taken it, which picks the closest free pair
of all at every step: O(n log n).
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint64_t

from leoreturns._core._greedy cimport closest_first, in_turn
from leoreturns._core._sort cimport sort_keys
from leoreturns._core._types cimport ordered, unordered


def sort(
    double[::1] scores not None, int64_t[::1] members not None, const int64_t[::1] offsets not None, int64_t first,
    int64_t last, uint64_t[:, ::1] keys not None, double[:, ::1] along not None,
):
    """Sort the scores of strata ``first:last``, and their members with them; equal scores keep their order.

    Parameters
    ----------
    scores : float64 of shape (n,), INOUT
        Without NaN and negative zero.
    members : int64 of shape (n,), INOUT
        Below 2^53.
    offsets : int64 of shape (n_strata + 1,), IN
    keys : uint64 of shape (2, longest), OUT
        Room; longest is the scores of the largest of these strata.
    along : float64 of shape (2, longest), OUT
        Room.
    """
    cdef int64_t s, i, n, base, n_strata = offsets.shape[0] - 1, longest = keys.shape[1]
    if scores.shape[0] != members.shape[0] or offsets[n_strata] != scores.shape[0] or first < 0 or last > n_strata:
        raise ValueError("strata and scores differ in length")
    if keys.shape[0] != 2 or along.shape[0] != 2 or along.shape[1] != longest:
        raise ValueError("room too short")
    for s in range(first, last):
        if offsets[s + 1] - offsets[s] > longest:
            raise ValueError("room too short")
    with nogil:
        for s in range(first, last):
            base, n = offsets[s], offsets[s + 1] - offsets[s]
            if n == 0:
                continue
            for i in range(n):
                keys[0, i] = ordered(scores[base + i])
                along[0, i] = <double>members[base + i]
            sort_keys(n, &keys[0, 0], &along[0, 0], &keys[1, 0], &along[1, 0], True)
            for i in range(n):
                scores[base + i] = unordered(keys[0, i])
                members[base + i] = <int64_t>along[0, i]


def points(
    const double[::1] scores not None, const int64_t[::1] offsets not None, bint single, int64_t[::1] of_member not None,
    int64_t[::1] firsts not None, int64_t[::1] point_offsets not None,
):
    """Number the points of sorted scores: those that are equal within a stratum are one. Return how many there are.

    Parameters
    ----------
    scores : float64 of shape (n,), IN
        Ascending within each stratum.
    offsets : int64 of shape (n_strata + 1,), IN
    single : bool
        Whether every score is a point of its own.
    of_member, firsts : int64 of shape (n,), OUT
        Point of each score; where each point begins, for as many as there are.
    point_offsets : int64 of shape (n_strata + 1,), OUT
        First point of each stratum, and the end.
    """
    cdef int64_t s, i, found = 0, n = scores.shape[0], n_strata = offsets.shape[0] - 1
    if n_strata < 0 or offsets[0] != 0 or offsets[n_strata] != n or point_offsets.shape[0] != n_strata + 1:
        raise ValueError("strata and scores differ in length")
    if of_member.shape[0] != n or firsts.shape[0] != n:
        raise ValueError("scores and outputs differ in length")
    for s in range(n_strata):
        if offsets[s + 1] < offsets[s]:
            raise ValueError("strata must follow each other")
    with nogil:
        for s in range(n_strata):
            point_offsets[s] = found
            for i in range(offsets[s], offsets[s + 1]):
                if single or i == offsets[s] or scores[i] != scores[i - 1]:
                    firsts[found] = i
                    found += 1
                of_member[i] = found - 1
        point_offsets[n_strata] = found
    return found


cdef int64_t first_at_least(const double* x, int64_t n, double value) noexcept nogil:
    cdef int64_t low = 0, high = n, middle
    while low < high:
        middle = low + (high - low) // 2
        if x[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


cdef void window(
    double x, const double* pool, const int64_t* counts, const uint64_t* keys, int64_t n, int64_t k, double caliper,
    bint ties, int64_t* start, int64_t* stop,
) noexcept nogil:
    """Donors ``start:stop`` are the k nearest of ``x``, with those as near as the farthest if ``ties``."""
    cdef int64_t low, high, held = 0
    cdef double left, right, farthest = -1.0
    low = high = first_at_least(pool, n, x)
    while low > 0 or high < n:
        left = x - pool[low - 1] if low > 0 else INFINITY
        right = pool[high] - x if high < n else INFINITY
        if min(left, right) > caliper or (held >= k and not (ties and min(left, right) == farthest)):
            break
        farthest = min(left, right)
        # At equal distance the smaller key goes first: no result hangs on the order of the rows.
        if left < right or (left == right and keys[low - 1] < keys[high]):
            low -= 1
            held += counts[low]
        else:
            held += counts[high]
            high += 1
    start[0], stop[0] = low, high


def nearest(
    const double[::1] focus not None, const int64_t[::1] focus_offsets not None, const double[::1] pool not None,
    const int64_t[::1] pool_offsets not None, const int64_t[::1] counts not None, const uint64_t[::1] keys not None,
    int64_t k, double caliper, bint ties, int64_t first, int64_t last, int64_t[::1] start not None,
    int64_t[::1] stop not None,
):
    """Find the k nearest donors of each focal unit, with replacement, in strata ``first:last``.

    Parameters
    ----------
    focus : float64 of shape (n_focus,), IN
        Scores, in any order within their stratum.
    pool : float64 of shape (n_pool,), IN
        Scores of donors, ascending within their stratum.
    focus_offsets, pool_offsets : int64 of shape (n_strata + 1,), IN
    counts : int64 of shape (n_pool,), IN
        How many donors have that score, positive: equal donors may be one entry where ties are kept.
    keys : uint64 of shape (n_pool,), IN
        Decide between a donor below and one above at equal distance.
    k : int
        Donors wanted, positive.
    caliper : float
        Largest distance allowed; infinity for none.
    ties : bool
        Whether donors as far as the k-th are all taken.
    start, stop : int64 of shape (n_focus,), OUT
        The donors of a focal unit are the entries ``start:stop`` of `pool`; none if both are equal.
    """
    cdef int64_t s, i, n_focus = focus.shape[0], n_pool = pool.shape[0], n_strata = focus_offsets.shape[0] - 1, base
    if pool_offsets.shape[0] != n_strata + 1 or focus_offsets[n_strata] > n_focus or pool_offsets[n_strata] > n_pool:
        raise ValueError("strata and units differ in length")
    if counts.shape[0] != n_pool or keys.shape[0] != n_pool:
        raise ValueError("donors and counts differ in length")
    if start.shape[0] != n_focus or stop.shape[0] != n_focus:
        raise ValueError("focal units and outputs differ in length")
    if k < 1 or first < 0 or last > n_strata:
        raise ValueError("the number of donors must be positive and the strata must exist")
    with nogil:
        for s in range(first, last):
            base = pool_offsets[s]
            for i in range(focus_offsets[s], focus_offsets[s + 1]):
                if pool_offsets[s + 1] == base:
                    start[i] = stop[i] = base
                    continue
                window(
                    focus[i], &pool[base], &counts[base], &keys[base], pool_offsets[s + 1] - base, k, caliper, ties,
                    &start[i], &stop[i],
                )
                start[i] += base
                stop[i] += base


cdef int64_t find(int64_t* links, int64_t at) noexcept nogil:
    """Follow the links to the first free place, halving the path."""
    while links[at] != at:
        links[at] = links[links[at]]
        at = links[at]
    return at


cdef struct Line:
    # The donors of a stratum. ``up[i]`` leads to the first free one at or after i (n: none), ``down[i + 1]`` to the last
    # at or before i (0: none).
    const double* focus
    const double* pool
    const uint64_t* keys
    int64_t n
    double caliper
    int64_t* up
    int64_t* down


cdef int64_t nearest_free(void* donors, int64_t unit, double* distance) noexcept nogil:
    """Return the nearest donor still free, or -1."""
    cdef Line* line = <Line*>donors
    cdef double x = line.focus[unit]
    cdef int64_t at = first_at_least(line.pool, line.n, x)
    cdef int64_t above = find(line.up, at), below = find(line.down, at) - 1
    cdef double right = line.pool[above] - x if above < line.n else INFINITY
    cdef double left = x - line.pool[below] if below >= 0 else INFINITY
    distance[0] = min(left, right)
    if (above >= line.n and below < 0) or distance[0] > line.caliper:
        return -1
    if left < right or (left == right and line.keys[below] < line.keys[above]):
        return below
    return above


cdef void take(void* donors, int64_t at) noexcept nogil:
    cdef Line* line = <Line*>donors
    line.up[at] = at + 1
    line.down[at + 1] = at


def without_replacement(
    const double[::1] focus not None, const int64_t[::1] focus_offsets not None, const int64_t[::1] order not None,
    const double[::1] pool not None, const int64_t[::1] pool_offsets not None, const uint64_t[::1] keys not None,
    double caliper, bint closest, int64_t first, int64_t last, int64_t[:, ::1] links not None,
    double[:, ::1] room not None, int64_t[:, ::1] out not None,
):
    """Match each focal unit with donors that no other has, in strata ``first:last``.

    In each of k rounds every focal unit gets one donor more: in the order named, or the closest free pair first.

    Parameters
    ----------
    focus, focus_offsets, pool, pool_offsets, keys : IN
        As in `nearest`; each donor is an entry.
    order : int64 of shape (n_focus,), IN
        Places of the focal units in their stratum, in the order in which they choose.
    caliper : float
        Largest distance allowed; infinity for none.
    closest : bool
        Whether the closest free pair is matched first; `order` then decides between pairs equally close.
    links : int64 of shape (2, n_pool + n_strata), OUT
        Room.
    room : float64 of shape (2, n_focus) if `closest`, else (2, 0), OUT
        Room.
    out : int64 of shape (n_focus, k), OUT
        Entries of `pool`, -1 where none is left.
    """
    cdef int64_t s, i, a, n, base, n_focus = focus.shape[0], n_pool = pool.shape[0], k = out.shape[1], place, lead
    cdef int64_t n_strata = focus_offsets.shape[0] - 1
    cdef Line line
    if pool_offsets.shape[0] != n_strata + 1 or focus_offsets[n_strata] > n_focus or pool_offsets[n_strata] > n_pool:
        raise ValueError("strata and units differ in length")
    if order.shape[0] != n_focus or out.shape[0] != n_focus or keys.shape[0] != n_pool:
        raise ValueError("units and outputs differ in length")
    if links.shape[0] != 2 or links.shape[1] < n_pool + n_strata:
        raise ValueError("room too short")
    if room.shape[0] != 2 or (closest and room.shape[1] < n_focus):
        raise ValueError("room too short")
    if k < 1 or first < 0 or last > n_strata:
        raise ValueError("the number of donors must be positive and the strata must exist")
    for s in range(first, last):
        for i in range(focus_offsets[s], focus_offsets[s + 1]):
            if order[i] < 0 or order[i] >= focus_offsets[s + 1] - focus_offsets[s]:
                raise ValueError("the order names a unit that its stratum does not have")
    with nogil:
        for s in range(first, last):
            a, base = focus_offsets[s], pool_offsets[s]
            n = pool_offsets[s + 1] - base
            for i in range(a, focus_offsets[s + 1]):
                for place in range(k):
                    out[i, place] = -1
            if n == 0 or a == focus_offsets[s + 1]:
                continue
            lead = base + s
            for i in range(n + 1):
                links[0, lead + i] = i
                links[1, lead + i] = i
            line = Line(&focus[a], &pool[base], &keys[base], n, caliper, &links[0, lead], &links[1, lead])
            for place in range(k):
                if closest:
                    closest_first(
                        &line, nearest_free, take, &order[a], focus_offsets[s + 1] - a, &out[a, place], k, &room[0, a],
                        &room[1, a],
                    )
                else:
                    in_turn(&line, nearest_free, take, &order[a], focus_offsets[s + 1] - a, &out[a, place], k)
            for i in range(a, focus_offsets[s + 1]):
                for place in range(k):
                    if out[i, place] >= 0:
                        out[i, place] += base
