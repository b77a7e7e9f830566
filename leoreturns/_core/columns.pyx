"""Columns along the panel's order: gather, expand, condense, recode, combine.

Purpose: the passes over one stored column. A column arrives as its bytes (``array.view(uint8)``) with an item size of
1, 2, 4 or 8 bytes; a code of -1 is missing. Every output element depends on its own row or person only, so slices
``first:last`` may run in threads. Cost: one pass each. Memory: what the caller passes in.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t

from leoreturns._core._bytes cimport check_slice, count_items, item_t

ctypedef fused value_t:
    int8_t
    int16_t
    int32_t
    int64_t
    double


cdef bint _take(const item_t* values, int64_t n, const int64_t* order, int64_t first, int64_t last,
                item_t* out) noexcept nogil:
    cdef int64_t i
    for i in range(first, last):
        if order[i] < 0 or order[i] >= n:
            return False
        out[i] = values[order[i]]
    return True


def take(const unsigned char[::1] values not None, int itemsize, const int64_t[::1] order not None, int64_t first,
         int64_t last, unsigned char[::1] out not None):
    """Gather ``out[i] = values[order[i]]`` for i in first:last.

    values IN bytes of n items; order IN int64[m]; out OUT bytes of m items. No temporary of the column's length.
    """
    cdef int64_t n = count_items(values.shape[0], itemsize), m = order.shape[0]
    cdef bint valid = True
    check_slice(first, last, m)
    if count_items(out.shape[0], itemsize) != m:
        raise ValueError("out must have one item per entry of order")
    if first == last:
        return
    cdef const unsigned char* data = &values[0] if n else NULL
    cdef unsigned char* target = &out[0]
    with nogil:
        if itemsize == 1:
            valid = _take[int8_t](<const int8_t*>data, n, &order[0], first, last, <int8_t*>target)
        elif itemsize == 2:
            valid = _take[int16_t](<const int16_t*>data, n, &order[0], first, last, <int16_t*>target)
        elif itemsize == 4:
            valid = _take[int32_t](<const int32_t*>data, n, &order[0], first, last, <int32_t*>target)
        else:
            valid = _take[int64_t](<const int64_t*>data, n, &order[0], first, last, <int64_t*>target)
    if not valid:
        raise ValueError("order points outside the values")


cdef void _expand(const item_t* values, const int64_t* offsets, int64_t first, int64_t last,
                  item_t* out) noexcept nogil:
    cdef int64_t person, i
    for person in range(first, last):
        for i in range(offsets[person], offsets[person + 1]):
            out[i] = values[person]


def expand(const unsigned char[::1] values not None, int itemsize, const int64_t[::1] offsets not None, int64_t first,
           int64_t last, unsigned char[::1] out not None):
    """Repeat each person's item along that person's rows, for persons first:last.

    values IN bytes of n_person items; offsets IN int64[n_person + 1]; out OUT bytes of ``offsets[-1]`` items.
    """
    cdef int64_t n_person = count_items(values.shape[0], itemsize), n = count_items(out.shape[0], itemsize)
    if offsets.shape[0] != n_person + 1 or offsets[0] < 0 or offsets[n_person] != n:
        raise ValueError("offsets must describe the persons of values and the rows of out")
    check_slice(first, last, n_person)
    if n == 0 or first == last:
        return
    cdef const unsigned char* data = &values[0]
    cdef unsigned char* target = &out[0]
    with nogil:
        if itemsize == 1:
            _expand[int8_t](<const int8_t*>data, &offsets[0], first, last, <int8_t*>target)
        elif itemsize == 2:
            _expand[int16_t](<const int16_t*>data, &offsets[0], first, last, <int16_t*>target)
        elif itemsize == 4:
            _expand[int32_t](<const int32_t*>data, &offsets[0], first, last, <int32_t*>target)
        else:
            _expand[int64_t](<const int64_t*>data, &offsets[0], first, last, <int64_t*>target)


cdef inline bint _is_missing(value_t value, bint coded) noexcept nogil:
    if value_t is double:
        return value != value
    else:
        return coded and value == -1


cdef void _constant(const value_t* values, bint coded, const int64_t* offsets, int64_t first, int64_t last,
                    int64_t* counts) noexcept nogil:
    cdef int64_t person, i
    cdef bint differs, missing, seen
    cdef value_t value = 0
    for person in range(first, last):
        differs = missing = seen = False
        for i in range(offsets[person], offsets[person + 1]):
            if _is_missing(values[i], coded):
                missing = True
            elif not seen:
                seen = True
                value = values[i]
            elif values[i] != value:
                differs = True
                break
        counts[0] += differs or (seen and missing)
        counts[1] += seen and missing and not differs


def constant_within(const unsigned char[::1] values not None, int itemsize, bint coded, bint floating,
                    const int64_t[::1] offsets not None, int64_t first, int64_t last):
    """Count persons, of first:last, in whom a column varies.

    values IN bytes of n items, rows of a person together; coded: -1 is missing; floating: the items are float64 and NaN
    is missing; offsets IN int64[n_person + 1]. Returns ``(varying, only_missing)``: persons in whom the column varies,
    and of these the persons in whom it varies only between one value and missing.
    """
    cdef int64_t n = count_items(values.shape[0], itemsize), n_person = offsets.shape[0] - 1
    cdef int64_t[2] counts
    counts[0] = counts[1] = 0
    if n_person < 0 or offsets[0] < 0 or offsets[n_person] != n or (floating and itemsize != 8):
        raise ValueError("offsets must describe the rows of values; floats have 8 bytes")
    check_slice(first, last, n_person)
    if n == 0:
        return 0, 0
    cdef const unsigned char* data = &values[0]
    with nogil:
        if floating:
            _constant[double](<const double*>data, coded, &offsets[0], first, last, counts)
        elif itemsize == 1:
            _constant[int8_t](<const int8_t*>data, coded, &offsets[0], first, last, counts)
        elif itemsize == 2:
            _constant[int16_t](<const int16_t*>data, coded, &offsets[0], first, last, counts)
        elif itemsize == 4:
            _constant[int32_t](<const int32_t*>data, coded, &offsets[0], first, last, counts)
        else:
            _constant[int64_t](<const int64_t*>data, coded, &offsets[0], first, last, counts)
    return counts[0], counts[1]


cdef int64_t _observed(const item_t* values, int64_t first, int64_t last, int64_t base, int64_t span,
                       unsigned char* seen) noexcept nogil:
    cdef int64_t i, outside = 0, level
    for i in range(first, last):
        level = values[i] - base
        if level < 0 or level >= span:
            outside += 1
        else:
            seen[level] = 1
    return outside


def observed(const unsigned char[::1] values not None, int itemsize, int64_t base, int64_t first, int64_t last,
             unsigned char[::1] seen not None):
    """Mark the levels that occur in rows first:last: ``seen[value - base] = 1``.

    values IN bytes of n signed items; seen OUT uint8[span], only ever set. Returns the number of values outside
    ``base : base + span`` (for codes with base 0: the missing ones).
    """
    cdef int64_t outside = 0, span = seen.shape[0]
    check_slice(first, last, count_items(values.shape[0], itemsize))
    if first == last:
        return 0
    cdef const unsigned char* data = &values[0]
    cdef unsigned char* target = &seen[0] if span else NULL
    with nogil:
        if itemsize == 1:
            outside = _observed[int8_t](<const int8_t*>data, first, last, base, span, target)
        elif itemsize == 2:
            outside = _observed[int16_t](<const int16_t*>data, first, last, base, span, target)
        elif itemsize == 4:
            outside = _observed[int32_t](<const int32_t*>data, first, last, base, span, target)
        else:
            outside = _observed[int64_t](<const int64_t*>data, first, last, base, span, target)
    return outside


cdef inline int32_t _level(int64_t level, const int32_t* table, int64_t span) noexcept nogil:
    return table[level] if 0 <= level < span else -1


cdef void _recode(const item_t* values, int64_t base, const int32_t* table, int64_t span, int64_t first, int64_t last,
                  unsigned char* out, int out_itemsize) noexcept nogil:
    cdef int64_t i
    if out_itemsize == 1:
        for i in range(first, last):
            (<int8_t*>out)[i] = <int8_t>_level(values[i] - base, table, span)
    elif out_itemsize == 2:
        for i in range(first, last):
            (<int16_t*>out)[i] = <int16_t>_level(values[i] - base, table, span)
    else:
        for i in range(first, last):
            (<int32_t*>out)[i] = _level(values[i] - base, table, span)


def recode(const unsigned char[::1] values not None, int itemsize, int64_t base, const int32_t[::1] table not None,
           int64_t first, int64_t last, unsigned char[::1] out not None, int out_itemsize):
    """Recode ``out[i] = table[values[i] - base]`` in rows first:last; -1 where the table does not reach.

    values IN bytes of n signed items; table IN int32[span], entries that fit the output; out OUT bytes of n items of 1,
    2 or 4 bytes (`out` may be `values` itself when the sizes agree).
    """
    cdef int64_t n = count_items(values.shape[0], itemsize), span = table.shape[0]
    if out_itemsize == 8 or count_items(out.shape[0], out_itemsize) != n:
        raise ValueError("out must have one item of 1, 2 or 4 bytes per value")
    check_slice(first, last, n)
    if first == last:
        return
    cdef const unsigned char* data = &values[0]
    cdef unsigned char* target = &out[0]
    cdef const int32_t* levels = &table[0] if span else NULL
    with nogil:
        if itemsize == 1:
            _recode[int8_t](<const int8_t*>data, base, levels, span, first, last, target, out_itemsize)
        elif itemsize == 2:
            _recode[int16_t](<const int16_t*>data, base, levels, span, first, last, target, out_itemsize)
        elif itemsize == 4:
            _recode[int32_t](<const int32_t*>data, base, levels, span, first, last, target, out_itemsize)
        else:
            _recode[int64_t](<const int64_t*>data, base, levels, span, first, last, target, out_itemsize)


cdef void _interact(const item_t* codes, int64_t n_levels, int64_t first, int64_t n, int64_t* cell) noexcept nogil:
    cdef int64_t i, code
    for i in range(n):
        code = codes[first + i]
        cell[i] = -1 if cell[i] < 0 or code < 0 else cell[i] * n_levels + code


def interact(const unsigned char[::1] codes not None, int itemsize, int64_t n_levels, int64_t first,
             int64_t[::1] cell not None):
    """Append one code column to a mixed-radix cell number: ``cell = cell * n_levels + code``, -1 if either is missing.

    codes IN bytes of signed items; cell IN/OUT int64[m] for rows first : first + m, 0 before the first column.
    """
    cdef int64_t m = cell.shape[0]
    check_slice(first, first + m, count_items(codes.shape[0], itemsize))
    if m == 0:
        return
    cdef const unsigned char* data = &codes[0]
    with nogil:
        if itemsize == 1:
            _interact[int8_t](<const int8_t*>data, n_levels, first, m, &cell[0])
        elif itemsize == 2:
            _interact[int16_t](<const int16_t*>data, n_levels, first, m, &cell[0])
        elif itemsize == 4:
            _interact[int32_t](<const int32_t*>data, n_levels, first, m, &cell[0])
        else:
            _interact[int64_t](<const int64_t*>data, n_levels, first, m, &cell[0])


def count_persons(const unsigned char[::1] selection not None, const int64_t[::1] offsets not None):
    """Count persons with at least one selected row: selection IN uint8[n], offsets IN int64[n_person + 1]."""
    cdef int64_t person, i, count = 0, n_person = offsets.shape[0] - 1
    if n_person < 0 or offsets[0] < 0 or offsets[n_person] != selection.shape[0]:
        raise ValueError("offsets must describe the rows of selection")
    with nogil:
        for person in range(n_person):
            for i in range(offsets[person], offsets[person + 1]):
                if selection[i]:
                    count += 1
                    break
    return count
