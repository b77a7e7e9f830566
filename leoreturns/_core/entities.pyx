"""Distinct entities (schools, providers, employers) of every cell, two ways.

`mark_entities` sets a bit per cell and entity in one pass over the rows as they stand, where the bits fit in memory.
`count_entities` takes rows that were gathered cell by cell, with a mark per entity that says in which cell it was last
seen.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from leoreturns._core._types cimport CODES, FLOATS, read_integer


def count_entities(
    const int32_t[::1] codes not None, const int64_t[::1] offsets not None, int64_t[::1] seen not None,
    int64_t[::1] out not None,
):
    """Count distinct codes per cell.

    Parameters
    ----------
    codes : int32 of shape (n,), IN
        Entity of each row, cell by cell; negative for none (or for a row without a value).
    offsets : int64 of shape (n_cells + 1,), IN
        First row of each cell.
    seen : int64 of shape (n_entities,), OUT
        Room for the marks.
    out : int64 of shape (n_cells,), OUT
        Distinct entities.
    """
    cdef int64_t c, i, n_cells = offsets.shape[0] - 1, n_entities = seen.shape[0], found
    cdef bint valid = True
    if out.shape[0] != n_cells or offsets[n_cells] > codes.shape[0]:
        raise ValueError("cells, codes and offsets differ in length")
    seen[:] = -1
    with nogil:
        for c in range(n_cells):
            found = 0
            for i in range(offsets[c], offsets[c + 1]):
                if codes[i] >= n_entities:
                    valid = False
                elif codes[i] >= 0 and seen[codes[i]] != c:
                    seen[codes[i]] = c
                    found += 1
            out[c] = found
    if not valid:
        raise ValueError("an entity code is not below the number of entities")


cdef inline bint is_known(const uint8_t* values, int value_size, int kind, int64_t r) noexcept nogil:
    """Whether a row has a value; every row does where no column is described."""
    if not value_size:
        return True
    if kind == FLOATS:
        return (<const double*>values)[r] == (<const double*>values)[r]
    return kind != CODES or read_integer(values, value_size, r) >= 0


cdef bint mark(
    const int32_t* trait, int64_t n, const int64_t* offsets, const uint8_t* codes, int code_size, const uint8_t* mask,
    int64_t width, const uint8_t* values, int value_size, int kind, const uint8_t* entities,
    int entity_size, bint by_row, int64_t n_words, uint64_t* marks,
) noexcept nogil:
    """Set the bits; whether every entity has one."""
    cdef int64_t i, r, code, entity = -1
    cdef uint64_t* row
    cdef bint valid = True
    for i in range(n):
        if trait[i] < 0:
            continue
        if not by_row:
            entity = read_integer(entities, entity_size, i)
            if entity < 0:
                continue
        row = marks + trait[i] * width * n_words
        for r in range(offsets[i], offsets[i + 1]):
            if by_row:
                entity = read_integer(entities, entity_size, r)
            if entity < 0 or mask != NULL and not mask[r]:
                continue
            code = read_integer(codes, code_size, r) if code_size else 0
            if code < 0 or not is_known(values, value_size, kind, r):
                continue
            if entity >> 6 >= n_words:
                valid = False
                continue
            row[code * n_words + (entity >> 6)] |= <uint64_t>1 << (entity & 63)
    return valid


def mark_entities(
    const int32_t[::1] trait not None, const int64_t[::1] offsets not None, const uint8_t[::1] codes not None,
    int code_size, const uint8_t[::1] mask not None, int64_t width, const uint8_t[::1] values not None, int value_size,
    int kind, const uint8_t[::1] entities not None, int entity_size, bint by_row, uint64_t[:, ::1] marks not None,
):
    """Mark the entities of each cell's rows with a value.

    Parameters
    ----------
    trait, offsets, codes, code_size, mask, width
        As in `gather.count_rows`.
    values, value_size, kind
        As in `gather.fill_rows`; with ``value_size`` 0 every row has a value.
    entities : bytes, IN
        Entity of each person of the run, or of each row of the panel, as signed integers of ``entity_size`` bytes;
        negative for none.
    by_row : bool
        Whether entities are those of rows.
    marks : uint64 of shape (n_trait_cells * width, n_words), IN/OUT
        A bit for each entity; 64 to a word.
    """
    cdef int64_t n = trait.shape[0]
    cdef bint valid = True
    if offsets.shape[0] != n + 1 or entities.shape[0] < (offsets[n] if by_row else n) * entity_size:
        raise ValueError("people, rows and entities differ in length")
    if code_size and codes.shape[0] < offsets[n] * code_size or mask.shape[0] and mask.shape[0] < offsets[n]:
        raise ValueError("codes or the mask are shorter than the rows")
    if value_size and values.shape[0] < offsets[n] * value_size:
        raise ValueError("values are shorter than the rows")
    if not entities.shape[0] or not n or not marks.shape[0] or not marks.shape[1]:
        return
    with nogil:
        valid = mark(
            &trait[0], n, &offsets[0], &codes[0] if codes.shape[0] else NULL, code_size,
            &mask[0] if mask.shape[0] else NULL, width, &values[0] if values.shape[0] else NULL, value_size, kind,
            &entities[0], entity_size, by_row, marks.shape[1], &marks[0, 0],
        )
    if not valid:
        raise ValueError("an entity code is not below the number of entities")
