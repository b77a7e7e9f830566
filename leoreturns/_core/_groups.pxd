# Rows in groups, and the levels of effects that they have: what the kernels of least squares check first.

from libc.stdint cimport int32_t, int64_t


cdef inline int check_groups(const int64_t[::1] starts, int64_t n) except -1:
    """Refuse groups that do not cover the rows in order."""
    cdef int64_t g, n_groups = starts.shape[0] - 1
    if n_groups < 0 or starts[0] != 0 or starts[n_groups] != n:
        raise ValueError("groups must cover the rows")
    for g in range(n_groups):
        if starts[g + 1] < starts[g]:
            raise ValueError("groups must be in order")
    return 0


cdef inline int check_slots(const int32_t[:, ::1] slots, int64_t n, int64_t n_slots) except -1:
    """Refuse levels outside the table; -1 is the level without a column."""
    cdef int64_t c, i
    if slots.shape[0] and slots.shape[1] != n:
        raise ValueError("slots and columns differ in length")
    for c in range(slots.shape[0]):
        for i in range(n):
            if slots[c, i] < -1 or slots[c, i] >= n_slots:
                raise ValueError("a slot lies outside the table")
    return 0
