# Columns of several widths that arrive as their bytes (``array.view(uint8)``), and slices of them.

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t

ctypedef fused item_t:
    int8_t
    int16_t
    int32_t
    int64_t


cdef inline int64_t count_items(int64_t n_bytes, int itemsize) except -1:
    """Number of items in a byte view; refuses widths that no column has."""
    if itemsize not in (1, 2, 4, 8) or n_bytes % itemsize:
        raise ValueError("itemsize must be 1, 2, 4 or 8 and divide the bytes")
    return n_bytes // itemsize


cdef inline int check_slice(int64_t first, int64_t last, int64_t n) except -1:
    """Refuse a slice outside 0:n."""
    if first < 0 or last < first or last > n:
        raise ValueError("the slice lies outside the data")
    return 0
