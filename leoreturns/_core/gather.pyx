"""Bring the rows of each cell together.

A cell is a crossing of person traits and year columns. A chunk of people small enough for the cache is taken in the
order of their trait cells: within one trait cell only the year columns decide where a row goes, so the writes fall on a
few streams at a time instead of one per cell of the table. Two passes: rows are counted per chunk and cell, then
written. A cell's rows stay in the panel's order, person by person. Cost: about 2 and 8 ns a row; memory: a value and a
person position per row, and a count per chunk and cell.
"""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from leoreturns._core._types cimport CODES, FLOATS, LEORETURNS_EVIDENCE, LR_PREFETCH, read_integer

# How many people ahead the scattered reads are announced to the memory system.
cdef enum:
    AHEAD = 8


cdef inline bint count_as(
    const int32_t* trait, int64_t n, const int64_t* offsets, const uint8_t* codes, int code_size, const uint8_t* mask,
    int64_t width, int64_t* counts,
) noexcept nogil:
    cdef int64_t i, r, code, last
    cdef int64_t* row
    cdef bint falling = False
    for i in range(n):
        if trait[i] < 0:
            continue
        row = counts + trait[i] * width
        last = -1
        for r in range(offsets[i], offsets[i + 1]):
            if mask != NULL and not mask[r]:
                continue
            code = read_integer(codes, code_size, r) if code_size else 0
            if code >= 0:
                row[code] += 1
                falling |= code <= last
                last = code
    return not falling


cdef bint count(
    const int32_t* trait, int64_t n, const int64_t* offsets, const uint8_t* codes, int code_size, const uint8_t* mask,
    int64_t width, int64_t* counts,
) noexcept nogil:
    # With constants in place of the options the compiler drops their tests from the loop.
    if mask == NULL and code_size == 1:
        return count_as(trait, n, offsets, codes, 1, NULL, width, counts)
    return count_as(trait, n, offsets, codes, code_size, mask, width, counts)


cdef int check(int64_t last_row, const uint8_t[::1] codes, int code_size, const uint8_t[::1] mask) except -1:
    """Refuse columns that do not reach the last row."""
    if code_size and codes.shape[0] < last_row * code_size:
        raise ValueError("codes are shorter than the rows")
    if mask.shape[0] and mask.shape[0] < last_row:
        raise ValueError("the mask is shorter than the rows")
    return 0


def count_rows(
    const int32_t[::1] trait not None, const int64_t[::1] offsets not None, const uint8_t[::1] codes not None,
    int code_size, const uint8_t[::1] mask not None, int64_t width, int64_t[::1] counts not None,
):
    """Count the rows of every cell that a run of people contributes.

    Parameters
    ----------
    trait : int32 of shape (n,), IN
        Trait cell of each person of the run; negative for none.
    offsets : int64 of shape (n + 1,), IN
        First row of each person, in the numbering of ``codes`` and ``mask``.
    codes : bytes, IN
        Year code of every row of the panel, as signed integers of ``code_size`` bytes below ``width``; negative for
        none. Empty with ``code_size`` 0 when no year column is a key.
    mask : uint8 of shape (n_rows,), IN
        Rows that count; empty for all.
    width : int
        Number of year codes.
    counts : int64 of shape (n_trait_cells * width,), OUT
        Rows per cell, the year code fastest.

    Returns
    -------
    bool
        Whether every person's year codes rise along the rows, so that no person has two rows in a cell. (Where it is
        False, they still may not.)
    """
    cdef int64_t i, n = trait.shape[0]
    cdef bint rising = True
    if offsets.shape[0] != n + 1:
        raise ValueError("offsets must have one entry more than trait")
    check(offsets[n], codes, code_size, mask)
    for i in range(counts.shape[0]):
        counts[i] = 0
    if not n or not counts.shape[0]:
        return rising
    with nogil:
        rising = count(
            &trait[0], n, &offsets[0], &codes[0] if codes.shape[0] else NULL, code_size,
            &mask[0] if mask.shape[0] else NULL, width, &counts[0],
        )
    return rising


def count_people(const int32_t[::1] trait not None, int64_t[::1] counts not None):
    """Count the people of each trait cell.

    trait : int32 of shape (n,), IN, negative for none; counts : int64 of shape (n_trait_cells,), OUT.
    """
    cdef int64_t i
    cdef bint valid = True
    counts[:] = 0
    with nogil:
        for i in range(trait.shape[0]):
            if trait[i] >= counts.shape[0]:
                valid = False
            elif trait[i] >= 0:
                counts[trait[i]] += 1
    if not valid:
        raise ValueError("a trait cell is not below the number of trait cells")


def order_people(
    const int32_t[::1] trait not None, const uint64_t[::1] keys not None, int64_t first, int64_t[::1] place not None,
    int64_t[::1] position not None, int32_t[::1] people not None, uint64_t[::1] keys_out not None,
):
    """Put a run of people into the order of their trait cells, and their keys into the order of all people.

    Parameters
    ----------
    trait : int32 of shape (n,), IN
        Trait cell of each person of the run; negative for none, who is left out.
    keys : uint64 of shape (n,), IN
        Their 64-bit keys.
    first : int
        Number of the run's first person in its panel.
    place, position : int64 of shape (n_trait_cells,), IN/OUT
        Next free place of each trait cell in the run, and in the order of all people.
    people : int32 of shape (m,), OUT
        The run's people, numbered in their panel, by trait cell.
    keys_out : uint64, OUT
        Keys in the order of all people.
    """
    cdef int64_t i, n = trait.shape[0]
    cdef int32_t cell
    if keys.shape[0] != n or place.shape[0] != position.shape[0]:
        raise ValueError("trait and keys, or place and position, differ in length")
    with nogil:
        for i in range(n):
            cell = trait[i]
            if cell < 0:
                continue
            people[place[cell]] = <int32_t>(first + i)
            place[cell] += 1
            keys_out[position[cell]] = keys[i]
            position[cell] += 1


cdef inline void fill_as(
    const int32_t* people, const int64_t* bounds, const uint8_t* full, int64_t n_traits, const int64_t* offsets,
    const uint8_t* codes, int code_size, const uint8_t* mask, int64_t width, const uint8_t* values, int value_size,
    int kind, int64_t* cursor, const int64_t* position, double* values_out, int32_t* persons_out,
) noexcept nogil:
    cdef int64_t trait, i, r, code, at, number, last = bounds[n_traits]
    cdef int32_t person
    for trait in range(n_traits):
        person = <int32_t>position[trait]
        for i in range(bounds[trait], bounds[trait + 1]):
            # Announce the reads to come: far ahead where a person's rows begin, nearer the rows themselves.
            if i + 2 * AHEAD < last:
                LR_PREFETCH(offsets + people[i + 2 * AHEAD])
            if i + AHEAD < last:
                r = offsets[people[i + AHEAD]]
                LR_PREFETCH(codes + r * code_size)
                LR_PREFETCH(values + r * value_size)
                LR_PREFETCH(values + r * value_size + 64)
            for r in range(offsets[people[i]], offsets[people[i] + 1]):
                if mask != NULL and not mask[r]:
                    continue
                code = read_integer(codes, code_size, r) if code_size else 0
                if code < 0:
                    continue
                at = cursor[code]
                cursor[code] = at + 1
                if LEORETURNS_EVIDENCE and not full[trait]:
                    persons_out[at] = person
                if not value_size:
                    values_out[at] = 1.0
                elif kind == FLOATS:
                    # Adding zero turns -0.0 into 0.0, so that equal values have equal bits.
                    values_out[at] = (<const double*>values)[r] + 0.0
                else:
                    number = read_integer(values, value_size, r)
                    values_out[at] = <double>number if kind != CODES or number >= 0 else NAN
            person += 1
        cursor += width


cdef void fill(
    const int32_t* people, const int64_t* bounds, const uint8_t* full, int64_t n_traits, const int64_t* offsets,
    const uint8_t* codes, int code_size, const uint8_t* mask, int64_t width, const uint8_t* values, int value_size,
    int kind, int64_t* cursor, const int64_t* position, double* values_out, int32_t* persons_out,
) noexcept nogil:
    if mask == NULL and kind == FLOATS and value_size == 8 and code_size == 1:
        fill_as(
            people, bounds, full, n_traits, offsets, codes, 1, NULL, width, values, 8, FLOATS, cursor, position,
            values_out, persons_out,
        )
    else:
        fill_as(
            people, bounds, full, n_traits, offsets, codes, code_size, mask, width, values, value_size, kind, cursor,
            position, values_out, persons_out,
        )


def fill_rows(
    const int32_t[::1] people not None, const int64_t[::1] bounds not None, const uint8_t[::1] full not None,
    const int64_t[::1] offsets not None, const uint8_t[::1] codes not None, int code_size,
    const uint8_t[::1] mask not None, int64_t width, const uint8_t[::1] values not None, int value_size, int kind,
    int64_t[::1] cursor not None, const int64_t[::1] position not None, double[::1] values_out not None,
    int32_t[::1] persons_out not None,
):
    """Write the values and person positions of a chunk's people cell by cell.

    Parameters
    ----------
    people : int32 of shape (m,), IN
        The chunk's persons, numbered in the panel, sorted by trait cell.
    bounds : int64 of shape (n_trait_cells + 1,), IN
        Where each trait cell of the slice begins among ``people``, and where the last one ends.
    full : uint8 of shape (n_trait_cells,), IN
        Trait cells in which every person has one row in every cell: their persons are left to `number_persons`.
    offsets : int64 of shape (n_persons + 1,), IN
        First row of every person of the panel.
    codes, code_size, mask, width
        As in `count_rows`.
    values : bytes, IN
        Value of every row of the panel, ``value_size`` bytes each; empty with ``value_size`` 0 to write ones.
    kind : int
        0 for float64 (NaN missing), 1 for signed integers, 2 for codes (negative missing).
    cursor : int64 of shape (n_trait_cells * width,), IN/OUT
        Next free place of each cell; moved past the rows written.
    position : int64 of shape (n_trait_cells,), IN
        Position of the first of the chunk's persons of each trait cell; the others follow.
    values_out : float64 of shape (n,), OUT
        Values, NaN where missing.
    persons_out : int32 of shape (n,), OUT
        Position of each row's person.
    """
    cdef int64_t n_traits = bounds.shape[0] - 1, n_rows = offsets[offsets.shape[0] - 1]
    if full.shape[0] != n_traits or position.shape[0] != n_traits or cursor.shape[0] != n_traits * width:
        raise ValueError("bounds, full, position and cursor do not fit each other")
    if bounds[n_traits] > people.shape[0]:
        raise ValueError("bounds reach past the people")
    if values_out.shape[0] != persons_out.shape[0]:
        raise ValueError("values_out and persons_out differ in length")
    if value_size and values.shape[0] < n_rows * value_size:
        raise ValueError("values are shorter than the rows")
    check(n_rows, codes, code_size, mask)
    if bounds[n_traits] == bounds[0] or not values_out.shape[0]:
        return
    with nogil:
        fill(
            &people[0], &bounds[0], &full[0], n_traits, &offsets[0],
            &codes[0] if codes.shape[0] else NULL, code_size, &mask[0] if mask.shape[0] else NULL, width,
            &values[0] if values.shape[0] else NULL, value_size, kind,
            &cursor[0], &position[0], &values_out[0], &persons_out[0],
        )


def number_persons(
    const int64_t[::1] offsets not None, const int64_t[::1] first not None, int32_t[::1] persons not None,
):
    """Write the persons of cells in which every person has one row: they are consecutive.

    Parameters
    ----------
    offsets : int64 of shape (n_cells + 1,), IN
        First row of each cell.
    first : int64 of shape (n_cells,), IN
        First person of each cell; negative where the persons stand already.
    persons : int32 of shape (n,), IN/OUT
    """
    cdef int64_t c, i, n_cells = offsets.shape[0] - 1
    if first.shape[0] != n_cells or offsets[n_cells] > persons.shape[0]:
        raise ValueError("offsets, first and persons do not fit each other")
    with nogil:
        for c in range(n_cells):
            if first[c] < 0 or not LEORETURNS_EVIDENCE:
                continue
            for i in range(offsets[c], offsets[c + 1]):
                persons[i] = <int32_t>(first[c] + i - offsets[c])
