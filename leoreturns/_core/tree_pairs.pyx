"""Matching without replacement in several dimensions: the nearest free donor by k-d trees whose nodes know how many of
their points are free.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t, uint64_t

from leoreturns._core._greedy cimport closest_first, in_turn
from leoreturns._core._tree cimport LEAF, Tree, levels_of, to_box, to_points


cdef struct Donors:
    # The donors of a stratum, and what a search for one focal unit has found.
    Tree tree
    const double* focus
    int64_t stride
    const uint64_t* keys
    int64_t* left  # free donors under each node
    uint8_t* used
    double* x
    double nearest
    int64_t found


cdef void look(Donors* donors, int64_t node, int64_t low, int64_t high, int64_t level) noexcept nogil:
    """Search a node, the nearer child first; of donors equally near the one of the smallest key is found."""
    cdef double distances[LEAF]
    cdef double left, right
    cdef int64_t i, place, middle
    if level == 0:
        to_points(&donors.tree, donors.x, low, high, distances)
        for i in range(high - low):
            place = low + i
            if distances[i] > donors.nearest or donors.used[place] or distances[i] == INFINITY:
                continue
            if distances[i] < donors.nearest or donors.keys[place] < donors.keys[donors.found]:
                donors.nearest, donors.found = distances[i], place
        return
    middle = low + (high - low) // 2
    left = to_box(&donors.tree, donors.x, 2 * node + 1) if donors.left[2 * node + 1] else INFINITY
    right = to_box(&donors.tree, donors.x, 2 * node + 2) if donors.left[2 * node + 2] else INFINITY
    if left <= right:
        if left <= donors.nearest and left < INFINITY:
            look(donors, 2 * node + 1, low, middle, level - 1)
        if right <= donors.nearest and right < INFINITY:
            look(donors, 2 * node + 2, middle, high, level - 1)
    else:
        if right <= donors.nearest:
            look(donors, 2 * node + 2, middle, high, level - 1)
        if left <= donors.nearest and left < INFINITY:
            look(donors, 2 * node + 1, low, middle, level - 1)


cdef int64_t nearest_free(void* pool, int64_t unit, double* distance) noexcept nogil:
    """Return the nearest donor still free, or -1."""
    cdef Donors* donors = <Donors*>pool
    cdef int64_t j
    for j in range(donors.tree.d + donors.tree.scored):
        donors.x[j] = donors.focus[j * donors.stride + unit]
    donors.nearest, donors.found = INFINITY, -1
    if donors.left[0] > 0:
        look(donors, 0, 0, donors.tree.n, levels_of(donors.tree.n))
    distance[0] = donors.nearest
    return donors.found


cdef void take(void* pool, int64_t at) noexcept nogil:
    cdef Donors* donors = <Donors*>pool
    cdef int64_t node = 0, low = 0, high = donors.tree.n, level = levels_of(donors.tree.n), middle
    donors.used[at] = 1
    donors.left[0] -= 1
    while level > 0:
        middle = low + (high - low) // 2
        node = 2 * node + 1
        if at < middle:
            high = middle
        else:
            low = middle
            node += 1
        donors.left[node] -= 1
        level -= 1


cdef void release(Donors* donors, int64_t node, int64_t low, int64_t high, int64_t level) noexcept nogil:
    """Let all donors be free."""
    cdef int64_t i, middle = low + (high - low) // 2
    donors.left[node] = high - low
    if level == 0:
        for i in range(low, high):
            donors.used[i] = 0
        return
    release(donors, 2 * node + 1, low, middle, level - 1)
    release(donors, 2 * node + 2, middle, high, level - 1)


def without_replacement(
    const double[:, ::1] focus not None, const int64_t[::1] focus_offsets not None, const int64_t[::1] order not None,
    const double[:, ::1] rows not None, const int64_t[::1] offsets not None, const int64_t[::1] nodes not None,
    const double[:, :, ::1] boxes not None, const uint64_t[::1] keys not None, bint scored, double reach, bint closest,
    int64_t first, int64_t last, int64_t[::1] left not None, uint8_t[::1] used not None, double[::1] x not None,
    double[:, ::1] room not None, int64_t[:, ::1] out not None,
):
    """Match each focal unit with donors that no other has, in strata ``first:last``.

    In each of k rounds every focal unit gets one donor more: in the order named, or the closest free pair first.

    Parameters
    ----------
    focus : float64 of shape (d, n_focus), IN
        Coordinates, stratum by stratum.
    focus_offsets : int64 of shape (n_strata + 1,), IN
    order : int64 of shape (n_focus,), IN
        Places of the focal units in their stratum, in the order in which they choose.
    rows, offsets, nodes, boxes, keys, scored, reach
        As in `tree_neighbours.nearest`; each point is one donor.
    closest : bool
        Whether the closest free pair is matched first; `order` then decides between pairs equally close.
    left : int64 of shape (n_nodes,), OUT
        Room.
    used : uint8 of shape (n_pool,), OUT
        Whether a donor is taken.
    x : float64 of shape (d,), OUT
        Room.
    room : float64 of shape (2, n_focus) if `closest`, else (2, 0), OUT
        Room.
    out : int64 of shape (n_focus, k), OUT
        Entries of `rows`, -1 where none is left.
    """
    cdef int64_t s, i, a, n, base, place, d = rows.shape[0], k = out.shape[1], n_strata = offsets.shape[0] - 1
    cdef int64_t n_focus = focus.shape[1], own
    cdef Donors donors
    if focus.shape[0] != d or boxes.shape[1] != d or d <= scored or x.shape[0] < d:
        raise ValueError("points and dimensions differ in length")
    if focus_offsets.shape[0] != n_strata + 1 or focus_offsets[n_strata] != n_focus:
        raise ValueError("strata and units differ in length")
    if offsets[n_strata] != rows.shape[1] or nodes.shape[0] != n_strata + 1 or boxes.shape[0] < nodes[n_strata]:
        raise ValueError("strata, nodes and points differ in length")
    if order.shape[0] != n_focus or out.shape[0] != n_focus or keys.shape[0] != rows.shape[1]:
        raise ValueError("units and outputs differ in length")
    if left.shape[0] < nodes[n_strata] or used.shape[0] != rows.shape[1]:
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
            a, base = focus_offsets[s], offsets[s]
            own, n = focus_offsets[s + 1] - a, offsets[s + 1] - base
            for i in range(a, a + own):
                for place in range(k):
                    out[i, place] = -1
            if n == 0 or own == 0:
                continue
            donors.tree = Tree(&rows[0, base], rows.shape[1], d - scored, n, scored, reach, &boxes[nodes[s], 0, 0])
            donors.focus, donors.stride, donors.keys = &focus[0, a], n_focus, &keys[base]
            donors.left, donors.used, donors.x = &left[nodes[s]], &used[base], &x[0]
            release(&donors, 0, 0, n, levels_of(n))
            for place in range(k):
                if closest:
                    closest_first(
                        &donors, nearest_free, take, &order[a], own, &out[a, place], k, &room[0, a], &room[1, a]
                    )
                else:
                    in_turn(&donors, nearest_free, take, &order[a], own, &out[a, place], k)
            for i in range(a, a + own):
                for place in range(k):
                    if out[i, place] >= 0:
                        out[i, place] += base
