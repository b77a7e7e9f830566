"""Rows and persons of every cell in one pass over the rows as they stand.

Where no column is described and no person has two rows in a cell, all that is told of a cell adds up row by row: a
count, the sum of the persons' keys and the exclusive or of their sketches. Nothing has to be gathered then. One line of
cache per cell; O(rows), in any order and in any number of parts with the same result.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from leoreturns._core._types cimport LEORETURNS_EVIDENCE, read_integer

cdef enum:
    COUNT, PRINT, SKETCH  # where they begin in a cell
cdef enum:
    N_ITEMS = 5           # of a sketch
    N_TOTALS = 8

TOTALS = {"count": COUNT, "print": PRINT, "sketch": SKETCH, "all": N_TOTALS}


cdef inline bint add_person(
    const uint8_t* codes, int code_size, const uint8_t* mask, int64_t first, int64_t last, uint64_t key,
    const uint64_t* member, uint64_t* totals, int64_t* n_person,
) noexcept nogil:
    """Add the rows of one person to the cells of one trait cell; whether their year codes rise."""
    cdef int64_t r, code, before = -1
    cdef uint64_t* cell
    cdef bint rising = True
    cdef int k
    for r in range(first, last):
        if mask != NULL and not mask[r]:
            continue
        code = read_integer(codes, code_size, r) if code_size else 0
        if code < 0:
            continue
        rising &= code > before
        before = code
        cell = totals + code * N_TOTALS
        cell[COUNT] += 1
        if not LEORETURNS_EVIDENCE:
            continue
        cell[PRINT] += key
        if member != NULL:
            for k in range(N_ITEMS):
                cell[SKETCH + k] ^= member[k]
    n_person[0] += before >= 0
    return rising


def tally_rows(
    const int32_t[::1] trait not None, const int64_t[::1] offsets not None, const uint8_t[::1] codes not None,
    int code_size, const uint8_t[::1] mask not None, int64_t width, const uint64_t[::1] keys not None,
    const uint64_t[:, ::1] members not None, uint64_t[:, ::1] totals not None,
):
    """Add the rows of a run of people to the totals of their cells.

    Parameters
    ----------
    trait, offsets, codes, code_size, mask, width
        As in `gather.count_rows`.
    keys : uint64 of shape (n,), IN
        64-bit keys of the run's people.
    members : uint64 of shape (n, 5) or (0, 5), IN
        As `sketch.person_powers` gives; without rows for no sketches.
    totals : uint64 of shape (n_trait_cells * width, 8), IN/OUT
        Rows, the sum of the persons' keys (modulo 2**64), the five items of the sketch, and one item of padding.

    Returns
    -------
    (bool, int)
        Whether every person's year codes rise along the rows, so that no person was added to a cell twice (else the
        totals are not those of persons); and the persons with a row in a cell.
    """
    cdef int64_t i, n = trait.shape[0], n_cells = totals.shape[0], n_person = 0
    cdef const uint8_t* code = &codes[0] if codes.shape[0] else NULL
    cdef const uint8_t* kept = &mask[0] if mask.shape[0] else NULL
    cdef const uint64_t* member = &members[0, 0] if members.shape[0] else NULL
    cdef bint rising = True
    if offsets.shape[0] != n + 1 or keys.shape[0] != n or (members.shape[0] and members.shape[0] != n):
        raise ValueError("people differ in length")
    if members.shape[1] != N_ITEMS or totals.shape[1] != N_TOTALS:
        raise ValueError("members have five items and totals eight")
    if code_size and codes.shape[0] < offsets[n] * code_size or kept != NULL and mask.shape[0] < offsets[n]:
        raise ValueError("codes or the mask are shorter than the rows")
    if not n or not n_cells:
        return rising, 0
    with nogil:
        for i in range(n):
            if trait[i] < 0:
                continue
            rising &= add_person(
                code, code_size, kept, offsets[i], offsets[i + 1], keys[i],
                member + i * N_ITEMS if member != NULL else NULL, &totals[trait[i] * width, 0], &n_person,
            )
    return rising, n_person
