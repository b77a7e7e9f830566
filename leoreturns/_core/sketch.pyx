"""Sketches of sets of persons from which a small difference between two sets is recovered.

A sketch holds the sums of the odd powers x, x^3, ..., x^19 of the set's members in the field of 2^32 elements, where
adding is exclusive or (the syndromes of a binary BCH code; Dodis, Ostrovsky, Reyzin and Smith, "Fuzzy extractors", SIAM
J. Comput. 38, 2008, call it PinSketch). The exclusive or of two sketches is the sketch of the symmetric difference, and
the Berlekamp-Massey algorithm reads its size from it while it is at most 9; the tenth word tells larger differences
apart from those, with an error of 2^-32. Two persons who stand for the same element (a chance of 2^-32) would cancel if
both are in the difference: equal sketches with unequal fingerprints tell. Ten words of 32 bits per cell, two to a
64-bit item, whatever its size.

Cost: some sixty nanoseconds per person once, then ten exclusive ors per person and cell.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef enum:
    N_ITEMS = 5
    N_WORDS = 10
    N_SYNDROMES = 20
    N_LIMIT = 9
    LANES = 4

ITEMS = N_ITEMS
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


cdef void powers(const uint64_t* keys, int64_t n, uint64_t* out) noexcept nogil:
    """The ten odd powers of up to four persons' elements, side by side: each product waits for the one before."""
    cdef uint64_t table[LANES][16]
    cdef uint64_t product
    cdef uint32_t x[LANES]
    cdef uint32_t square
    cdef int i, k, digit
    for i in range(LANES):
        x[i] = <uint32_t>(keys[i] >> 32) ^ <uint32_t>keys[i] if i < n else 1
        # Zero would leave no trace in any power.
        x[i] = x[i] if x[i] else 1
        square = reduced(squared(x[i]))
        # Multiples of x^2 by every four bits, so that each further power costs eight look-ups.
        table[i][0] = 0
        table[i][1] = square
        for k in range(2, 16, 2):
            table[i][k] = table[i][k >> 1] << 1
            table[i][k + 1] = table[i][k] ^ square
    for k in range(N_WORDS):
        for i in range(LANES):
            if i < n and k % 2 == 0:
                out[i * N_ITEMS + (k >> 1)] = x[i]
            elif i < n:
                out[i * N_ITEMS + (k >> 1)] |= <uint64_t>x[i] << 32
            product = 0
            for digit in range(8):
                product ^= table[i][(x[i] >> (4 * digit)) & 15] << (4 * digit)
            x[i] = reduced(product)


def person_powers(const uint64_t[::1] keys not None, uint64_t[:, ::1] out not None):
    """Ten odd powers of each person's field element, the two halves of the 64-bit key added.

    keys : uint64 of shape (n,), IN; out : uint64 of shape (n, 5), OUT: two powers to an item.
    """
    cdef int64_t i = 0, n = keys.shape[0]
    if out.shape[0] != n or out.shape[1] != N_ITEMS:
        raise ValueError("out must have one row of five items per key")
    with nogil:
        while i < n:
            powers(&keys[i], n - i, &out[i, 0])
            i += LANES


cdef inline void add(uint64_t* total, const uint64_t* member, uint64_t mask) noexcept nogil:
    cdef int k
    for k in range(N_ITEMS):
        total[k] ^= member[k] & mask


cdef void sketch_cell(
    const double* values, const int32_t* persons, int64_t n, const uint64_t* members, uint64_t* out,
    uint64_t* out_value,
) noexcept nogil:
    cdef uint64_t all_persons[N_ITEMS]
    cdef uint64_t with_value[N_ITEMS]
    cdef const uint64_t* member
    cdef int64_t i = 0
    cdef int32_t person
    cdef bint any_value
    cdef int k
    for k in range(N_ITEMS):
        all_persons[k] = with_value[k] = 0
    while i < n:
        person = persons[i]
        any_value = values[i] == values[i]
        i += 1
        while i < n and persons[i] == person:
            any_value |= values[i] == values[i]
            i += 1
        member = members + <int64_t>person * N_ITEMS
        add(all_persons, member, <uint64_t>0xFFFFFFFFFFFFFFFF)
        add(with_value, member, 0 - <uint64_t>any_value)
    for k in range(N_ITEMS):
        out[k] = all_persons[k]
        out_value[k] = with_value[k]


def sketch_cells(
    const double[::1] values not None, const int32_t[::1] persons not None, const int64_t[::1] offsets not None,
    const uint64_t[:, ::1] members not None, uint64_t[:, ::1] out not None, uint64_t[:, ::1] out_value not None,
):
    """Sketches of the persons, and of the persons with a value, of each cell.

    Parameters
    ----------
    values : float64 of shape (n,), IN
        Values cell by cell, NaN where missing.
    persons : int32 of shape (n,), IN
        Position of each row's person in ``members``; equal persons adjacent within a cell.
    offsets : int64 of shape (n_cells + 1,), IN
        First row of each cell.
    members : uint64 of shape (n_persons, 5), IN
        As `person_powers` gives.
    out, out_value : uint64 of shape (n_cells, 5), OUT
    """
    cdef int64_t c, n_cells = offsets.shape[0] - 1
    if out.shape[0] != n_cells or out.shape[1] != N_ITEMS:
        raise ValueError("out must have one row of five items per cell")
    if out_value.shape[0] != n_cells or out_value.shape[1] != N_ITEMS:
        raise ValueError("out must have one row of five items per cell")
    if members.shape[1] != N_ITEMS or values.shape[0] != persons.shape[0] or offsets[n_cells] > persons.shape[0]:
        raise ValueError("values, persons, offsets and members do not fit each other")
    if not persons.shape[0] or not members.shape[0]:
        out[:, :] = 0
        out_value[:, :] = 0
        return
    with nogil:
        for c in range(n_cells):
            sketch_cell(
                &values[0] + offsets[c], &persons[0] + offsets[c], offsets[c + 1] - offsets[c], &members[0, 0],
                &out[c, 0], &out_value[c, 0],
            )


cdef uint32_t inverse(uint32_t a) noexcept nogil:
    """Multiplicative inverse: a to the power 2^32 - 2."""
    cdef uint32_t result = 1
    cdef int bit
    for bit in range(31):
        a = reduced(squared(a))
        result = times(result, a)
    return result


def difference_size(const uint64_t[::1] first not None, const uint64_t[::1] second not None):
    """Number of persons in one of two sets but not in both.

    Parameters
    ----------
    first, second : uint64 of shape (5,), IN
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
    if first.shape[0] != N_ITEMS or second.shape[0] != N_ITEMS:
        raise ValueError("a sketch has five items")
    for k in range(N_WORDS):
        s[2 * k + 1] = <uint32_t>((first[k >> 1] ^ second[k >> 1]) >> (32 * (k % 2)))
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
