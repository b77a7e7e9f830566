# Binary heap of (key, load) pairs, least key first and equal keys by load (Williams, Algorithm 232, CACM 7, 1964):
# O(log n) per push and pop, in room that the caller owns.

from libc.stdint cimport int64_t


cdef inline bint before(double key, double load, double other, double other_load) noexcept nogil:
    return key < other or (key == other and load < other_load)


cdef inline void push(double* keys, double* loads, int64_t* size, double key, double load) noexcept nogil:
    """Add a pair; the room must hold one more."""
    cdef int64_t at = size[0], parent
    size[0] += 1
    while at > 0:
        parent = (at - 1) // 2
        if not before(key, load, keys[parent], loads[parent]):
            break
        keys[at] = keys[parent]
        loads[at] = loads[parent]
        at = parent
    keys[at] = key
    loads[at] = load


cdef inline void pop(double* keys, double* loads, int64_t* size) noexcept nogil:
    """Remove the first pair, which stands at 0; there must be one."""
    cdef int64_t at = 0, child, n = size[0] - 1
    cdef double key = keys[n], load = loads[n]
    size[0] = n
    while True:
        child = 2 * at + 1
        if child >= n:
            break
        if child + 1 < n and before(keys[child + 1], loads[child + 1], keys[child], loads[child]):
            child += 1
        if not before(keys[child], loads[child], key, load):
            break
        keys[at] = keys[child]
        loads[at] = loads[child]
        at = child
    if n > 0:
        keys[at] = key
        loads[at] = load
