"""Sketches of sets of persons from which a small difference between two sets is recovered.

A sketch holds the sums of the odd powers x, x^3, ..., x^19 of the set's members in the field of 2^32 elements, where adding is exclusive or (the syndromes of a
binary BCH code; Dodis, Ostrovsky, Reyzin and Smith, "Fuzzy extractors", SIAM J. Comput. 38, 2008, call it PinSketch). The exclusive or of two sketches is
the sketch of the symmetric difference, and the Berlekamp-Massey algorithm reads its size from it exactly while it is at most 9; the tenth word tells
larger differences apart from those, with an error of 2^-32. Ten words per cell, whatever its size.

Cost: some sixty nanoseconds per person once, then ten exclusive ors per person and cell.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

import numpy as np

cdef enum:
    N_WORDS = 10
    N_SYNDROMES = 20
    N_LIMIT = 9

WORDS = N_WORDS
LIMIT = N_LIMIT


cdef inline uint32_t reduced(uint64_t product) noexcept nogil:
    """Remainder of a carry-less product modulo x^32 + x^7 + x^3 + x^2 + 1."""
    cdef uint64_t high = product >> 32
    product = (product & <uint64_t>0xFFFFFFFF) ^ high ^ (high << 2) ^ (high << 3) ^ (high << 7)
    high = product >> 32
    return <uint32_t>(product ^ high ^ (high << 2) ^ (high << 3) ^ (high << 7))


cdef inline uint32_t times(uint32_t a, uint32_t b) noexcept nogil:
    """Product of two field elements, bit by bit."""
    cdef uint64_t product = 0
    cdef int bit
    for bit in range(32):
        product ^= (<uint64_t>a << bit) & (0 - <uint64_t>((b >> bit) & 1))
    return reduced(product)


cdef inline uint64_t squared(uint32_t a) noexcept nogil:
    """Bits of ``a`` spread to the even places: its carry-less square."""
    cdef uint64_t u = a
    u = (u | (u << 16)) & <uint64_t>0x0000FFFF0000FFFF
    u = (u | (u << 8)) & <uint64_t>0x00FF00FF00FF00FF
    u = (u | (u << 4)) & <uint64_t>0x0F0F0F0F0F0F0F0F
    u = (u | (u << 2)) & <uint64_t>0x3333333333333333
    return (u | (u << 1)) & <uint64_t>0x5555555555555555


cdef void powers(uint64_t key, uint32_t* out) noexcept nogil:
    """The ten odd powers of the field element that stands for a person."""
    cdef uint64_t table[16]
    cdef uint64_t product
    cdef uint32_t x = <uint32_t>(key >> 32) ^ <uint32_t>key, square
    cdef int k, digit
    # Zero would leave no trace in any power.
    x = x if x else 1
    square = reduced(squared(x))
    # Multiples of x^2 by every four bits, so that each further power costs eight look-ups.
    table[0] = 0
    table[1] = square
    for k in range(2, 16, 2):
        table[k] = table[k >> 1] << 1
        table[k + 1] = table[k] ^ square
    for k in range(N_WORDS):
        out[k] = x
        product = 0
        for digit in range(8):
            product ^= table[(x >> (4 * digit)) & 15] << (4 * digit)
        x = reduced(product)


def person_powers(const uint64_t[::1] keys not None, uint32_t[:, ::1] out not None):
    """Ten odd powers of each person's field element, the two halves of the 64-bit key added.

    keys : uint64 of shape (n,), IN; out : uint32 of shape (n, 10), OUT.
    """
    cdef int64_t i, n = keys.shape[0]
    if out.shape[0] != n or out.shape[1] != N_WORDS:
        raise ValueError("out must have one row of ten words per key")
    with nogil:
        for i in range(n):
            powers(keys[i], &out[i, 0])


cdef inline void add(const uint32_t* member, uint32_t* total) noexcept nogil:
    cdef int k
    for k in range(N_WORDS):
        total[k] ^= member[k]


cdef void add_distinct(const int32_t* persons, int64_t n, const uint32_t* members, uint32_t* total) noexcept nogil:
    cdef int64_t i
    cdef int32_t last = -1
    for i in range(n):
        if persons[i] != last:
            last = persons[i]
            add(members + <int64_t>last * N_WORDS, total)


def sketch_cells(
    const int32_t[::1] persons not None, const int64_t[::1] offsets not None, const int64_t[::1] stops not None,
    const uint32_t[:, ::1] members not None, uint32_t[:, ::1] out not None,
):
    """Sketch of the set of persons of each cell.

    Parameters
    ----------
    persons : int32 of shape (n,), IN
        Position of each row's person in ``members``; equal persons adjacent within a cell.
    offsets : int64 of shape (n_cells + 1,), IN
        First row of each cell.
    stops : int64 of shape (n_cells,), IN
        Rows of each cell to take, from its first.
    members : uint32 of shape (n_persons, 10), IN
        As `person_powers` gives.
    out : uint32 of shape (n_cells, 10), OUT
    """
    cdef int64_t c, n_cells = offsets.shape[0] - 1
    cdef int k
    if stops.shape[0] != n_cells or out.shape[0] != n_cells or out.shape[1] != N_WORDS or members.shape[1] != N_WORDS:
        raise ValueError("cells, members and out differ in shape")
    if offsets[n_cells] > persons.shape[0]:
        raise ValueError("offsets reach past the rows")
    with nogil:
        for c in range(n_cells):
            for k in range(N_WORDS):
                out[c, k] = 0
            if stops[c]:
                add_distinct(&persons[0] + offsets[c], stops[c], &members[0, 0], &out[c, 0])


cdef uint32_t inverse(uint32_t a) noexcept nogil:
    """Multiplicative inverse: a to the power 2^32 - 2."""
    cdef uint32_t result = 1
    cdef int bit
    for bit in range(31):
        a = reduced(squared(a))
        result = times(result, a)
    return result


def difference_size(const uint32_t[::1] first not None, const uint32_t[::1] second not None):
    """Number of persons in one of two sets but not in both.

    Parameters
    ----------
    first, second : uint32 of shape (10,), IN
        Sketches of the sets.

    Returns
    -------
    int
        0 to 9, exactly; -1 if more than 9 persons differ.
    """
    cdef uint32_t s[N_SYNDROMES + 1]
    cdef uint32_t locator[N_SYNDROMES + 1]
    cdef uint32_t previous[N_SYNDROMES + 1]
    cdef uint32_t saved[N_SYNDROMES + 1]
    cdef uint32_t gap, last_gap = 1, factor
    cdef int k, step, length = 0, shift = 1
    if first.shape[0] != N_WORDS or second.shape[0] != N_WORDS:
        raise ValueError("a sketch has ten words")
    for k in range(N_WORDS):
        s[2 * k + 1] = first[k] ^ second[k]
    for k in range(2, N_SYNDROMES + 1, 2):
        # In characteristic two the sum of squares is the square of the sum.
        s[k] = reduced(squared(s[k // 2]))
    for k in range(N_SYNDROMES + 1):
        locator[k] = previous[k] = 0
    locator[0] = previous[0] = 1
    # Berlekamp-Massey: the shortest recurrence of the syndromes is as long as the difference is large.
    for step in range(N_SYNDROMES):
        gap = s[step + 1]
        for k in range(1, length + 1):
            gap ^= times(locator[k], s[step + 1 - k])
        if gap == 0:
            shift += 1
            continue
        factor = times(gap, inverse(last_gap))
        for k in range(N_SYNDROMES + 1):
            saved[k] = locator[k]
        for k in range(N_SYNDROMES + 1 - shift):
            locator[k + shift] ^= times(factor, previous[k])
        if 2 * length <= step:
            length = step + 1 - length
            for k in range(N_SYNDROMES + 1):
                previous[k] = saved[k]
            last_gap = gap
            shift = 1
        else:
            shift += 1
    return length if length <= N_LIMIT else -1
