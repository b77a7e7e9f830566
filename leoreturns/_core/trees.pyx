"""k-d trees of strata (Bentley, CACM 18, 1975), for neighbours in several dimensions.

The points of a stratum are halved again and again at the median of their widest dimension until few are left. All
leaves are on one level, so that a tree is its order of points, and per node the box that its points fill: a search passes
over a branch whose box is farther than what it has found. Dimensions are stored one after another, which lets the
distances of a leaf be computed side by side. A last dimension, a score, may bound a search without counting in the
distance.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from leoreturns._core._tree cimport levels_of

def levels(n):
    """Return the halvings from the root of a tree of n points to its leaves."""
    return levels_of(n)


cdef int64_t select(const double* x, int64_t* order, int64_t low, int64_t high, int64_t at) noexcept nogil:
    """Partition ``order[low:high]`` so that ``x`` of what stands before `at` is no larger, after it no smaller."""
    cdef int64_t i, j
    cdef double pivot, a, b, c
    high -= 1
    while low < high:
        a, b, c = x[order[low]], x[order[low + (high - low) // 2]], x[order[high]]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while x[order[i]] < pivot:
                i += 1
            while x[order[j]] > pivot:
                j -= 1
            if i <= j:
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if at <= j:
            high = j
        elif at >= i:
            low = i
        else:
            break
    return at


cdef void halve(
    const double* rows, int64_t stride, int64_t d, const double* scales, int64_t* order, int64_t low, int64_t high,
    double* boxes, int64_t node, int64_t level,
) noexcept nogil:
    """Write the box of a node, and divide its points among its children."""
    cdef int64_t i, j, widest = 0, middle
    cdef double* box = boxes + node * 2 * d
    cdef double least, most, value, spread, best = -1.0
    for j in range(d):
        least, most = INFINITY, -INFINITY
        for i in range(low, high):
            value = rows[j * stride + order[i]]
            least = min(least, value)
            most = max(most, value)
        box[2 * j], box[2 * j + 1] = least, most
        spread = (most - least) * scales[j]
        if spread > best:
            best = spread
            widest = j
    if level == 0:
        return
    middle = low + (high - low) // 2
    select(rows + widest * stride, order, low, high, middle)
    halve(rows, stride, d, scales, order, low, middle, boxes, 2 * node + 1, level - 1)
    halve(rows, stride, d, scales, order, middle, high, boxes, 2 * node + 2, level - 1)


def build(
    const double[:, ::1] rows not None, const double[::1] scales not None, const int64_t[::1] offsets not None,
    const int64_t[::1] nodes not None, int64_t first, int64_t last, int64_t[::1] order not None,
    double[:, :, ::1] boxes not None,
):
    """Grow the trees of strata ``first:last``.

    Parameters
    ----------
    rows : float64 of shape (d, n), IN
        Coordinates, finite; points stratum by stratum.
    scales : float64 of shape (d,), IN
        What a spread in each dimension is multiplied by before they are compared.
    offsets : int64 of shape (n_strata + 1,), IN
    nodes : int64 of shape (n_strata + 1,), IN
        Where the nodes of each stratum begin: ``2 ** (levels(n) + 1) - 1`` for n points.
    order : int64 of shape (n,), INOUT
        The points from 0 to n - 1; within each stratum put in the order of the tree.
    boxes : float64 of shape (n_nodes, d, 2), OUT
        Least and greatest coordinate in each node.
    """
    cdef int64_t s, level, d = rows.shape[0], n = rows.shape[1], n_strata = offsets.shape[0] - 1
    if order.shape[0] != n or offsets[n_strata] != n or nodes.shape[0] != n_strata + 1 or scales.shape[0] != d:
        raise ValueError("points, strata and dimensions differ in length")
    if boxes.shape[0] < nodes[n_strata] or boxes.shape[1] != d or boxes.shape[2] != 2 or d < 1:
        raise ValueError("boxes do not fit the nodes")
    if first < 0 or last > n_strata:
        raise ValueError("the strata must exist")
    for s in range(first, last):
        level = levels_of(offsets[s + 1] - offsets[s])
        if nodes[s + 1] - nodes[s] != (<int64_t>2 << level) - 1:
            raise ValueError("nodes do not fit the strata")
        with nogil:
            if offsets[s + 1] > offsets[s]:
                halve(
                    &rows[0, 0], n, d, &scales[0], &order[0], offsets[s], offsets[s + 1], &boxes[nodes[s], 0, 0], 0,
                    level,
                )
