"""Distinct entities (schools, providers, employers) of every cell: one pass with a mark per entity that says in which
cell it was last seen."""

from libc.stdint cimport int32_t, int64_t


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
