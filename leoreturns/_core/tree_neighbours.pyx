"""The k nearest units in several dimensions, with replacement, by k-d trees: exact, ties kept or broken by key."""

from libc.math cimport INFINITY, sqrt
from libc.stdint cimport int64_t, uint64_t

from leoreturns._core._tree cimport LEAF, Tree, levels_of, to_box, to_points

# Distances that differ by less are equal: in units of standard deviations, above the rounding of rotated covariates.
cdef double TIE = 1e-10


cdef struct Found:
    # The k nearest distances so far, ascending, and the units at each; all points seen that were within the limit.
    int64_t k
    int64_t n_best
    double* best
    int64_t* units
    double limit
    int64_t n
    double* distances
    int64_t* places


cdef void keep(Found* found, double distance, int64_t units, int64_t place) noexcept nogil:
    """Take a point that is within the limit, and draw the limit closer."""
    cdef int64_t i, held
    found.distances[found.n], found.places[found.n] = distance, place
    found.n += 1
    if found.n_best == found.k and distance >= found.best[found.k - 1]:
        return
    i = min(found.n_best, found.k - 1)
    while i > 0 and found.best[i - 1] > distance:
        found.best[i], found.units[i] = found.best[i - 1], found.units[i - 1]
        i -= 1
    found.best[i], found.units[i] = distance, units
    found.n_best = min(found.n_best + 1, found.k)
    held = 0
    for i in range(found.n_best):
        held += found.units[i]
        if held >= found.k:
            found.n_best = i + 1
            found.limit = (sqrt(found.best[i]) + TIE) ** 2
            break


cdef void look(
    const Tree* tree, const double* x, const int64_t* counts, int64_t node, int64_t low, int64_t high, int64_t level,
    Found* found,
) noexcept nogil:
    """Search a node, the nearer child first."""
    cdef double distances[LEAF]
    cdef double left, right
    cdef int64_t i, middle
    if level == 0:
        to_points(tree, x, low, high, distances)
        for i in range(high - low):
            if distances[i] <= found.limit and distances[i] < INFINITY:
                keep(found, distances[i], counts[low + i], low + i)
        return
    middle = low + (high - low) // 2
    left, right = to_box(tree, x, 2 * node + 1), to_box(tree, x, 2 * node + 2)
    if left <= right:
        if left <= found.limit and left < INFINITY:
            look(tree, x, counts, 2 * node + 1, low, middle, level - 1, found)
        if right <= found.limit and right < INFINITY:
            look(tree, x, counts, 2 * node + 2, middle, high, level - 1, found)
    else:
        if right <= found.limit:
            look(tree, x, counts, 2 * node + 2, middle, high, level - 1, found)
        if left <= found.limit and left < INFINITY:
            look(tree, x, counts, 2 * node + 1, low, middle, level - 1, found)


cdef int64_t chosen(Found* found, const uint64_t* keys, bint ties) noexcept nogil:
    """Put first, by their place, the points that are matches, and return how many they are."""
    cdef int64_t i, j, n = 0, certain = 0, place, least
    cdef double sure
    for i in range(found.n):
        if found.distances[i] <= found.limit:
            found.distances[n], found.places[n] = found.distances[i], found.places[i]
            n += 1
    if not ties and n > found.k:
        # Those nearer than the last by more than rounding, then the smallest keys.
        sure = max(sqrt(found.best[found.n_best - 1]) - TIE, 0.0) ** 2
        for i in range(n):
            if found.distances[i] < sure:
                place = found.places[i]
                found.places[i], found.places[certain] = found.places[certain], place
                found.distances[i] = found.distances[certain]
                certain += 1
        for i in range(certain, found.k):
            least = i
            for j in range(i + 1, n):
                if keys[found.places[j]] < keys[found.places[least]]:
                    least = j
            found.places[i], found.places[least] = found.places[least], found.places[i]
        n = found.k
    for i in range(1, n):
        place = found.places[i]
        j = i
        while j > 0 and found.places[j - 1] > place:
            found.places[j] = found.places[j - 1]
            j -= 1
        found.places[j] = place
    return n


def nearest(
    const double[:, ::1] focus not None, const int64_t[::1] strata not None, const int64_t[::1] asked not None,
    const double[:, ::1] rows not None, const int64_t[::1] offsets not None, const int64_t[::1] nodes not None,
    const double[:, :, ::1] boxes not None, const int64_t[::1] counts not None, const uint64_t[::1] keys not None,
    int64_t k, bint scored, double reach, bint ties, int64_t first, int64_t last, double[::1] room not None,
    int64_t[::1] seats not None, int64_t[::1] sizes not None, int64_t[:, ::1] places not None,
):
    """Find the k nearest units of each point asked for, with replacement.

    Parameters
    ----------
    focus : float64 of shape (d, n_focus), IN
        Coordinates.
    strata : int64 of shape (n_focus,), IN
    asked : int64 of shape (m,), IN
        Points of `focus`; those of ``first:last`` are looked for.
    rows : float64 of shape (d, n_pool), IN
        Coordinates of donors in the order of their trees; `offsets`, `nodes` and `boxes` as in `trees.build`.
    counts : int64 of shape (n_pool,), IN
        Units at each point, positive.
    keys : uint64 of shape (n_pool,), IN
        Smallest key at each point: which comes first at equal distance, without `ties`.
    k : int
        Units wanted, positive.
    scored : bool
        Whether the last dimension is a score, which counts in no distance.
    reach : float
        Largest difference of scores allowed.
    ties : bool
        Whether units as far as the k-th are all taken; without, each point is one unit.
    room : float64 of shape (d + k + longest,), OUT
        Room; longest is the points of the largest stratum.
    seats : int64 of shape (k + longest,), OUT
        Room.
    sizes : int64 of shape (m,), OUT
        Points found.
    places : int64 of shape (m, width), OUT
        The first `width` of them, ascending.
    """
    cdef int64_t s, i, j, d = rows.shape[0], n, width = places.shape[1], n_strata = offsets.shape[0] - 1
    cdef Tree tree
    cdef Found found
    cdef double* x
    if focus.shape[0] != d or strata.shape[0] != focus.shape[1] or boxes.shape[1] != d or d <= scored:
        raise ValueError("points and dimensions differ in length")
    if offsets[n_strata] != rows.shape[1] or nodes.shape[0] != n_strata + 1 or boxes.shape[0] < nodes[n_strata]:
        raise ValueError("strata, nodes and points differ in length")
    if counts.shape[0] != rows.shape[1] or keys.shape[0] != rows.shape[1]:
        raise ValueError("donors and counts differ in length")
    if sizes.shape[0] != asked.shape[0] or places.shape[0] != asked.shape[0]:
        raise ValueError("points asked for and outputs differ in length")
    if k < 1 or first < 0 or last > asked.shape[0]:
        raise ValueError("the number of donors must be positive and the points must exist")
    for s in range(n_strata):
        if room.shape[0] < d + k + offsets[s + 1] - offsets[s] or seats.shape[0] < k + offsets[s + 1] - offsets[s]:
            raise ValueError("room too short")
    x, found.k, found.best, found.units = &room[0], k, &room[d], &seats[0]
    found.distances, found.places = &room[0] + d + k, &seats[0] + k
    tree.stride, tree.d, tree.scored, tree.reach = rows.shape[1], d - scored, scored, reach
    with nogil:
        for i in range(first, last):
            s = strata[asked[i]]
            n = offsets[s + 1] - offsets[s]
            sizes[i] = 0
            if n == 0:
                continue
            for j in range(d):
                x[j] = focus[j, asked[i]]
            tree.rows, tree.boxes = &rows[0, offsets[s]], &boxes[nodes[s], 0, 0]
            found.n, found.n_best, found.limit = 0, 0, INFINITY
            look(&tree, x, &counts[offsets[s]], 0, 0, n, levels_of(n), &found)
            sizes[i] = chosen(&found, &keys[offsets[s]], ties)
            for j in range(min(sizes[i], width)):
                places[i, j] = offsets[s] + found.places[j]
