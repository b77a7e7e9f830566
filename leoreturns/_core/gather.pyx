"""Bring the rows of each cell together.

A cell is a crossing of person traits and year columns. The people come sorted by their trait cell, so the rows of one trait cell
are few contiguous runs, and within it only the year columns decide where a row goes: the writes fall on a handful of streams
instead of one per cell of the whole table. Cost: two reads of the year code and one of the value per row (counting, then filling);
memory: one value and one person position per row of the slice. A cell's rows stay in the panel's order, person by person, so that whatever is computed from them is the same for
any number of threads and any partition of the people.
"""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint8_t

from leoreturns._core._types cimport CODES, FLOATS, LEORETURNS_EVIDENCE, LR_PREFETCH, read_integer

import numpy as np

# How many people ahead the scattered reads are announced to the memory system.
cdef enum:
    AHEAD = 8


cdef void count(
    const int32_t* trait, int64_t start, int64_t stop, const int64_t* offsets, const uint8_t* codes, int code_size,
    const uint8_t* mask, int64_t width, int64_t* counts,
) noexcept nogil:
    cdef int64_t i, r, code
    cdef int64_t* row
    for i in range(start, stop):
        if trait[i] < 0:
            continue
        row = counts + trait[i] * width
        for r in range(offsets[i], offsets[i + 1]):
            if mask != NULL and not mask[r]:
                continue
            code = read_integer(codes, code_size, r) if code_size else 0
            if code >= 0:
                row[code] += 1


def count_rows(
    const int32_t[::1] trait not None, int64_t start, int64_t stop, const int64_t[::1] offsets not None,
    const uint8_t[::1] codes not None, int code_size, const uint8_t[::1] mask not None, int64_t width, int64_t[::1] counts not None,
):
    cdef int64_t i
    for i in range(counts.shape[0]):
        counts[i] = 0
    with nogil:
        count(
            &trait[0], start, stop, &offsets[0], &codes[0] if codes.shape[0] else NULL, code_size,
            &mask[0] if mask.shape[0] else NULL, width, &counts[0],
        )


cdef void fill(
    const int64_t* people, const int32_t* trait, const int32_t* position, int64_t n, const int64_t* offsets, const uint8_t* codes, int code_size,
    const uint8_t* mask, int64_t width, const uint8_t* values, int value_size, int kind,
    int64_t* cursor, double* values_out, int32_t* persons_out,
) noexcept nogil:
    cdef int64_t i, r, code, at, number
    cdef int64_t* row
    for i in range(n):
        if i + AHEAD < n:
            r = offsets[people[i + AHEAD]]
            LR_PREFETCH(&codes[r * code_size])
            LR_PREFETCH(&values[r * value_size])
            LR_PREFETCH(&values[r * value_size + 64])
        row = cursor + trait[i] * width
        for r in range(offsets[people[i]], offsets[people[i] + 1]):
            if mask != NULL and not mask[r]:
                continue
            code = read_integer(codes, code_size, r) if code_size else 0
            if code < 0:
                continue
            at = row[code]
            row[code] = at + 1
            if LEORETURNS_EVIDENCE:
                persons_out[at] = position[i]
            if kind == FLOATS:
                # Adding zero turns -0.0 into 0.0, so that equal values have equal bits.
                values_out[at] = (<const double*>values)[r] + 0.0
            elif value_size:
                number = read_integer(values, value_size, r)
                values_out[at] = <double>number if kind != CODES or number >= 0 else NAN


def fill_rows(
    const int64_t[::1] people not None, const int32_t[::1] trait not None, const int32_t[::1] position not None, const int64_t[::1] offsets not None,
    const uint8_t[::1] codes not None, int code_size, const uint8_t[::1] mask not None, int64_t width,
    const uint8_t[::1] values not None, int value_size, int kind,
    int64_t[::1] cursor not None, double[::1] values_out not None, int32_t[::1] persons_out not None,
):
    cdef int64_t n = people.shape[0]
    with nogil:
        fill(
            &people[0], &trait[0], &position[0], n, &offsets[0], &codes[0] if codes.shape[0] else NULL, code_size,
            &mask[0] if mask.shape[0] else NULL, width, &values[0] if values.shape[0] else NULL, value_size, kind,
            &cursor[0], &values_out[0] if values_out.shape[0] else NULL, &persons_out[0],
        )
