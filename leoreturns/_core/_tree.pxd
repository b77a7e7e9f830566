# A k-d tree to be searched: its nodes, boxes and leaves. `trees.build` grows it.
#
# Node 0 holds all points of a stratum; node i has the children 2 i + 1 and 2 i + 2, the first with the lower half of its
# points. All leaves are on one level.

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

cdef enum:
    LEAF = 16


cdef struct Tree:
    # Of one stratum: d dimensions of n points, `stride` apart; the boxes of its nodes; a score in the last dimension
    # bounds the search if `scored`.
    const double* rows
    int64_t stride
    int64_t d
    int64_t n
    bint scored
    double reach
    const double* boxes


cdef inline int64_t levels_of(int64_t n) noexcept nogil:
    """Return the halvings that make leaves of n points small enough."""
    cdef int64_t found = 0
    while n > (<int64_t>LEAF << found):
        found += 1
    return found


cdef inline double to_box(const Tree* tree, const double* x, int64_t node) noexcept nogil:
    """Return the squared distance to a node's box, infinite where its scores are out of reach."""
    cdef const double* box = tree.boxes + node * 2 * (tree.d + tree.scored)
    cdef double total = 0.0, gap, other
    cdef int64_t j
    if tree.scored and (box[2 * tree.d] - x[tree.d] > tree.reach or x[tree.d] - box[2 * tree.d + 1] > tree.reach):
        return INFINITY
    for j in range(tree.d):
        gap, other = box[2 * j] - x[j], x[j] - box[2 * j + 1]
        gap = gap if gap > other else other
        gap = gap if gap > 0.0 else 0.0
        total += gap * gap
    return total


cdef inline void to_points(const Tree* tree, const double* x, int64_t low, int64_t high, double* out) noexcept nogil:
    """Write the squared distances to the points of a leaf."""
    cdef int64_t i, j
    cdef const double* row
    cdef double gap
    for i in range(high - low):
        out[i] = 0.0
    for j in range(tree.d):
        row = tree.rows + j * tree.stride + low
        for i in range(high - low):
            gap = row[i] - x[j]
            out[i] += gap * gap
    if tree.scored:
        row = tree.rows + tree.d * tree.stride + low
        for i in range(high - low):
            gap = row[i] - x[tree.d]
            if gap > tree.reach or -gap > tree.reach:
                out[i] = INFINITY
