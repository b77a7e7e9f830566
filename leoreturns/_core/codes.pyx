"""Codes: ids to dense person codes, rows into person order, columns along that order.

Purpose: everything that a Panel does to rows once, at its border. A column of several possible widths arrives as its
bytes (``array.view(uint8)``) with an item size of 1, 2, 4 or 8 bytes; a code of -1 is missing. Slices ``first:last``
let callers run parts in threads; every output element depends on its own row or person only.

Cost: one pass over the rows each, except the counting sort (two). Memory: what the caller passes in, and one int64 per
level in the counting sort. The id hash is FNV-1a (Fowler, Noll, Vo) finished by murmur3's fmix64 (Appleby), so that its
top bits, which order the persons, are well mixed even for consecutive numbers.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint64_t

import numpy as np

from leoreturns._core._bytes cimport check_slice, count_items, item_t

cdef enum:
    INSERTION_LIMIT = 32


# ---- hash of the id's canonical bytes -------------------------------------------------------------------------------

cdef inline uint64_t _fmix64(uint64_t h) noexcept nogil:
    h ^= h >> 33
    h *= <uint64_t>0xFF51AFD7ED558CCDULL
    h ^= h >> 33
    h *= <uint64_t>0xC4CEB9FE1A85EC53ULL
    return h ^ (h >> 33)


cdef inline uint64_t _hash_bytes(const unsigned char* text, int64_t length) noexcept nogil:
    cdef uint64_t h = <uint64_t>0xCBF29CE484222325ULL
    cdef int64_t i
    for i in range(length):
        h = (h ^ text[i]) * <uint64_t>0x100000001B3ULL
    return _fmix64(h)


cdef inline uint64_t _hash_decimal(int64_t value) noexcept nogil:
    cdef unsigned char digits[20]
    cdef int position = 20
    # Unsigned negation also serves the smallest int64, which has no positive counterpart.
    cdef uint64_t rest = <uint64_t>value if value >= 0 else <uint64_t>0 - <uint64_t>value
    while True:
        position -= 1
        digits[position] = <unsigned char>(48 + rest % 10)
        rest //= 10
        if rest == 0:
            break
    if value < 0:
        position -= 1
        digits[position] = 45
    return _hash_bytes(&digits[position], 20 - position)


def hash_integers(const int64_t[::1] ids not None, uint64_t[::1] keys not None):
    """Hash each whole number's ASCII decimal form: ids IN int64[n], keys OUT uint64[n]."""
    cdef int64_t i, n = ids.shape[0]
    if keys.shape[0] != n:
        raise ValueError("keys must have the length of ids")
    with nogil:
        for i in range(n):
            keys[i] = _hash_decimal(ids[i])


def hash_text(const unsigned char[::1] data not None, const int64_t[::1] offsets not None, uint64_t[::1] keys not None):
    """Hash each text's UTF-8 bytes: data IN bytes, offsets IN int64[n + 1], keys OUT uint64[n]."""
    cdef int64_t i, n = offsets.shape[0] - 1
    if n < 0 or keys.shape[0] != n:
        raise ValueError("offsets must have one entry more than keys")
    if offsets[0] < 0 or offsets[n] > data.shape[0]:
        raise ValueError("offsets reach outside the data")
    cdef const unsigned char* text = &data[0] if data.shape[0] else NULL
    with nogil:
        for i in range(n):
            keys[i] = _hash_bytes(text + offsets[i], offsets[i + 1] - offsets[i])


# ---- dense codes of whole numbers -----------------------------------------------------------------------------------

cdef inline int64_t _slot_of(int64_t value, int64_t* slots, int64_t mask) noexcept nogil:
    """The slot that holds `value`, or the free slot where it belongs (linear probing)."""
    cdef int64_t slot = <int64_t>(_fmix64(<uint64_t>value) & <uint64_t>mask)
    while slots[2 * slot + 1] >= 0 and slots[2 * slot] != value:
        slot = (slot + 1) & mask
    return slot


cdef int64_t _dense(const item_t* values, int64_t n, int64_t start, int64_t* n_found, int64_t* slots, int64_t mask,
                    int32_t* codes, int64_t* found) noexcept nogil:
    cdef int64_t i, slot, value, previous = 0
    cdef int32_t code = -1
    cdef int64_t limit = (mask + 1) // 2
    for i in range(start, n):
        value = values[i]
        # Rows of a person often follow each other: no look-up then.
        if code < 0 or value != previous:
            slot = _slot_of(value, slots, mask)
            if slots[2 * slot + 1] < 0:
                if n_found[0] == limit:
                    return i
                slots[2 * slot] = value
                slots[2 * slot + 1] = n_found[0]
                found[n_found[0]] = value
                n_found[0] += 1
            code = <int32_t>slots[2 * slot + 1]
            previous = value
        codes[i] = code
    return n


def dense_codes(const unsigned char[::1] values not None, int itemsize, int64_t start, int64_t n_found,
                int64_t[::1] slots not None, int32_t[::1] codes not None, int64_t[::1] found not None):
    """Number distinct values 0, 1, ... by first appearance, exactly (hash table of full values, linear probing).

    values IN bytes of n signed items; start IN first row to do; n_found IN distinct values so far; slots IN/OUT
    int64[2 * capacity], pairs (value, code) with code -1 where free, capacity a power of two; codes OUT int32[n];
    found IN/OUT int64[capacity / 2], the distinct values. Returns ``(row, n_found)``: `row` < n says that the table is
    half full there; insert `found` into a larger one with `fill_slots` and go on from `row`.
    """
    cdef int64_t row = 0, n = count_items(values.shape[0], itemsize), mask = slots.shape[0] // 2 - 1
    if mask < 1 or (mask & (mask + 1)) or slots.shape[0] != 2 * (mask + 1) or found.shape[0] < (mask + 1) // 2:
        raise ValueError("slots must hold a power of two of pairs, found half as many values")
    if codes.shape[0] != n or start < 0 or start > n or n_found < 0 or n_found > (mask + 1) // 2:
        raise ValueError("codes must have one entry per value, start and n_found lie inside")
    if n == 0:
        return 0, n_found
    cdef const unsigned char* data = &values[0]
    with nogil:
        if itemsize == 1:
            row = _dense[int8_t](<const int8_t*>data, n, start, &n_found, &slots[0], mask, &codes[0], &found[0])
        elif itemsize == 2:
            row = _dense[int16_t](<const int16_t*>data, n, start, &n_found, &slots[0], mask, &codes[0], &found[0])
        elif itemsize == 4:
            row = _dense[int32_t](<const int32_t*>data, n, start, &n_found, &slots[0], mask, &codes[0], &found[0])
        else:
            row = _dense[int64_t](<const int64_t*>data, n, start, &n_found, &slots[0], mask, &codes[0], &found[0])
    return row, n_found


def fill_slots(const int64_t[::1] found not None, int64_t[::1] slots not None):
    """Enter distinct values with codes 0, 1, ... into an empty table: found IN int64[m], slots OUT as `dense_codes`."""
    cdef int64_t i, slot, m = found.shape[0], mask = slots.shape[0] // 2 - 1
    if mask < 1 or (mask & (mask + 1)) or slots.shape[0] != 2 * (mask + 1) or m > (mask + 1) // 2:
        raise ValueError("slots must hold a power of two of pairs, at least twice the values")
    slots[:] = -1
    with nogil:
        for i in range(m):
            slot = _slot_of(found[i], &slots[0], mask)
            slots[2 * slot] = found[i]
            slots[2 * slot + 1] = i


# ---- rows into person order -----------------------------------------------------------------------------------------

cdef bint _count(const item_t* codes, int64_t n, const int32_t* rank, int64_t n_levels, int64_t* counts) noexcept nogil:
    """Count rows per level, at the level's rank; False for a code outside [-1, n_levels)."""
    cdef int64_t i, code
    for i in range(n):
        code = codes[i]
        if code >= n_levels or code < -1:
            return False
        if code >= 0:
            counts[rank[code]] += 1
    return True


cdef bint _sort_rows(const item_t* codes, int64_t n, const int32_t* rank, int64_t n_levels, int64_t* cursor,
                     int64_t* order, int64_t* offsets) noexcept nogil:
    cdef int64_t i, code, level
    if not _count(codes, n, rank, n_levels, offsets + 1):
        return False
    for level in range(n_levels):
        offsets[level + 1] += offsets[level]
    for level in range(n_levels):
        cursor[level] = offsets[rank[level]]
    for i in range(n):
        code = codes[i]
        if code >= 0:
            order[cursor[code]] = i
            cursor[code] += 1
    return True


def sort_rows(const unsigned char[::1] codes not None, int itemsize, const int32_t[::1] rank not None,
              int64_t[::1] order not None, int64_t[::1] offsets not None):
    """Stable counting sort of rows by the rank of their code; missing codes are left out.

    codes IN bytes of n signed items; rank IN int32[n_levels], a permutation; order OUT int64[n], the first
    ``offsets[-1]`` entries are rows in order; offsets OUT int64[n_levels + 1]. Two passes, one int64 per level.
    """
    cdef int64_t n = count_items(codes.shape[0], itemsize), n_levels = rank.shape[0]
    cdef int64_t[::1] cursor = np.empty(n_levels + 1, dtype=np.int64)
    cdef bint valid = True
    if order.shape[0] != n or offsets.shape[0] != n_levels + 1:
        raise ValueError("order must have one entry per row, offsets one more than levels")
    if not np.array_equal(np.sort(rank), np.arange(n_levels)):
        raise ValueError("rank must be a permutation of the levels")
    offsets[:] = 0
    if n == 0:
        return
    cdef const unsigned char* data = &codes[0]
    cdef const int32_t* ranks = &rank[0] if n_levels else NULL
    with nogil:
        if itemsize == 1:
            valid = _sort_rows[int8_t](<const int8_t*>data, n, ranks, n_levels, &cursor[0], &order[0], &offsets[0])
        elif itemsize == 2:
            valid = _sort_rows[int16_t](<const int16_t*>data, n, ranks, n_levels, &cursor[0], &order[0], &offsets[0])
        elif itemsize == 4:
            valid = _sort_rows[int32_t](<const int32_t*>data, n, ranks, n_levels, &cursor[0], &order[0], &offsets[0])
        else:
            valid = _sort_rows[int64_t](<const int64_t*>data, n, ranks, n_levels, &cursor[0], &order[0], &offsets[0])
    if not valid:
        raise ValueError("a code lies outside [-1, n_levels)")


cdef inline void _sift(item_t* times, int64_t* order, int64_t root, int64_t n) noexcept nogil:
    cdef item_t time = times[root]
    cdef int64_t row = order[root], child
    while 2 * root + 1 < n:
        child = 2 * root + 1
        if child + 1 < n and times[child + 1] > times[child]:
            child += 1
        if times[child] <= time:
            break
        times[root] = times[child]
        order[root] = order[child]
        root = child
    times[root] = time
    order[root] = row


cdef void _sort_run(item_t* times, int64_t* order, int64_t n) noexcept nogil:
    """Sort one person's times and rows: insertion for the usual few years, heap sort for long runs."""
    cdef int64_t i, j, row
    cdef item_t time
    if n > INSERTION_LIMIT:
        for i in range(n // 2 - 1, -1, -1):
            _sift(times, order, i, n)
        for i in range(n - 1, 0, -1):
            times[0], times[i] = times[i], times[0]
            order[0], order[i] = order[i], order[0]
            _sift(times, order, 0, i)
        return
    for i in range(1, n):
        time = times[i]
        row = order[i]
        j = i
        while j > 0 and times[j - 1] > time:
            times[j] = times[j - 1]
            order[j] = order[j - 1]
            j -= 1
        times[j] = time
        order[j] = row


cdef void _sort_within(item_t* times, const int64_t* offsets, int64_t* order, int64_t first, int64_t last,
                       int64_t* repeats) noexcept nogil:
    cdef int64_t person, i, here, sorted_until
    for person in range(first, last):
        sorted_until = offsets[person] + 1
        while sorted_until < offsets[person + 1] and times[sorted_until - 1] <= times[sorted_until]:
            sorted_until += 1
        if sorted_until < offsets[person + 1]:
            _sort_run(times + offsets[person], order + offsets[person], offsets[person + 1] - offsets[person])
        here = 0
        for i in range(offsets[person] + 1, offsets[person + 1]):
            here += times[i] == times[i - 1]
        repeats[0] += here
        repeats[1] += here > 0


def sort_within(const int64_t[::1] offsets not None, int64_t first, int64_t last, unsigned char[::1] times not None,
                int itemsize, int64_t[::1] order not None):
    """Put each person's rows in time order, in place, for persons first:last.

    offsets IN int64[n_person + 1]; times IN/OUT bytes of signed items along `order`; order IN/OUT int64[n].
    Returns ``(rows, persons)``: rows that repeat a time of their person, and persons with such rows.
    """
    cdef int64_t n = count_items(times.shape[0], itemsize), n_person = offsets.shape[0] - 1
    cdef int64_t[2] repeats
    repeats[0] = repeats[1] = 0
    if n_person < 0 or offsets[0] < 0 or offsets[n_person] != n or order.shape[0] != n:
        raise ValueError("offsets, times and order must describe the same rows")
    check_slice(first, last, n_person)
    if n == 0:
        return 0, 0
    cdef unsigned char* data = &times[0]
    with nogil:
        if itemsize == 1:
            _sort_within[int8_t](<int8_t*>data, &offsets[0], &order[0], first, last, repeats)
        elif itemsize == 2:
            _sort_within[int16_t](<int16_t*>data, &offsets[0], &order[0], first, last, repeats)
        elif itemsize == 4:
            _sort_within[int32_t](<int32_t*>data, &offsets[0], &order[0], first, last, repeats)
        else:
            _sort_within[int64_t](<int64_t*>data, &offsets[0], &order[0], first, last, repeats)
    return repeats[0], repeats[1]
