# Radix sort over the bytes in which the keys of a cell differ (Knuth, The Art of Computer Programming 3, 5.2.5):
# O(n), two spare copies of the largest cell.

from libc.stdint cimport int64_t, uint64_t


cdef inline void sort_keys(
    int64_t n, uint64_t* keys, double* along, uint64_t* keys2, double* along2, bint moved,
) noexcept nogil:
    """Sort ``keys`` in place; stable. If ``moved``, the numbers in ``along`` move with them; the last two are room."""
    cdef int64_t counts[256]
    cdef int64_t i, at, total
    cdef uint64_t differing = 0
    cdef uint64_t* source = keys
    cdef uint64_t* target = keys2
    cdef double* from_along = along
    cdef double* to_along = along2
    cdef int shift, digit
    for i in range(1, n):
        differing |= keys[i] ^ keys[0]
    for shift in range(0, 64, 8):
        if not (differing >> shift) & 255:
            continue
        for digit in range(256):
            counts[digit] = 0
        for i in range(n):
            counts[(source[i] >> shift) & 255] += 1
        total = 0
        for digit in range(256):
            at = counts[digit]
            counts[digit] = total
            total += at
        for i in range(n):
            digit = <int>((source[i] >> shift) & 255)
            at = counts[digit]
            counts[digit] = at + 1
            target[at] = source[i]
            if moved:
                to_along[at] = from_along[i]
        source, target = target, source
        from_along, to_along = to_along, from_along
    if source != keys:
        for i in range(n):
            keys[i] = source[i]
            if moved:
                along[i] = from_along[i]
