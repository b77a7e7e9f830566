"""Sums under replicate weights, with the replicates as lanes.

A tile of the draws has one row per sampling unit and one column (lane) per replicate: 64 replicates as bytes where the
draws are whole numbers, 16 as float64 where they are not. A row of a cell adds its value times its unit's row of the
tile to all lanes at once, which a compiler turns into vector instructions: O(rows x replicates) multiply-adds, with no
memory but the tile. Rows are taken in their given order and blocks of them are added with compensation, so that
results depend on the rows alone.
"""

from libc.math cimport isnan
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

from leoreturns._core._sums cimport two_sum
from leoreturns._core._types cimport LR_PREFETCH

cdef enum:
    BYTE_LANES = 64
    REAL_LANES = 16
    BLOCK = 256           # rows: sums of as many bytes fit 16 bits
    AHEAD = 16            # rows whose draws are fetched before they are needed

LANES = {"byte": BYTE_LANES, "real": REAL_LANES}

ctypedef fused draw_t:
    uint8_t
    double


cdef inline void add_block(
    const draw_t* draws, const int32_t* units, const double* x, int64_t n, double* total, double* low,
) noexcept nogil:
    """Add a block of rows to the compensated totals of every lane."""
    cdef double acc[BYTE_LANES]
    cdef double error, x0, x1, x2, x3
    cdef const draw_t* a
    cdef const draw_t* b
    cdef const draw_t* c
    cdef const draw_t* d
    cdef int64_t i = 0
    cdef int lane, lanes = REAL_LANES
    if draw_t is uint8_t:
        lanes = BYTE_LANES
    for lane in range(lanes):
        acc[lane] = 0.0
    while i + 3 < n:
        a = draws + <int64_t>units[i] * lanes
        b = draws + <int64_t>units[i + 1] * lanes
        c = draws + <int64_t>units[i + 2] * lanes
        d = draws + <int64_t>units[i + 3] * lanes
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        if draw_t is uint8_t:
            for lane in range(BYTE_LANES):
                acc[lane] += (<int>a[lane] * x0 + <int>b[lane] * x1) + (<int>c[lane] * x2 + <int>d[lane] * x3)
        else:
            for lane in range(REAL_LANES):
                acc[lane] += (a[lane] * x0 + b[lane] * x1) + (c[lane] * x2 + d[lane] * x3)
        i += 4
    while i < n:
        a = draws + <int64_t>units[i] * lanes
        for lane in range(lanes):
            acc[lane] += a[lane] * x[i]
        i += 1
    for lane in range(lanes):
        two_sum(total[lane], acc[lane], &total[lane], &error)
        low[lane] += error


cdef inline void count_block(
    const draw_t* draws, const int32_t* units, int64_t n, int64_t n_left, double* total,
) noexcept nogil:
    """Add the draws of a block of rows themselves; exact for bytes. ``n_left`` rows of the cell are there to fetch."""
    cdef uint16_t count[BYTE_LANES]
    cdef double acc[REAL_LANES]
    cdef const draw_t* a
    cdef int64_t i
    cdef int lane
    if draw_t is uint8_t:
        for lane in range(BYTE_LANES):
            count[lane] = 0
        for i in range(n):
            if i + AHEAD < n_left:
                LR_PREFETCH(draws + <int64_t>units[i + AHEAD] * BYTE_LANES)
            a = draws + <int64_t>units[i] * BYTE_LANES
            for lane in range(BYTE_LANES):
                count[lane] += a[lane]
        for lane in range(BYTE_LANES):
            total[lane] += count[lane]
    else:
        for lane in range(REAL_LANES):
            acc[lane] = 0.0
        for i in range(n):
            a = draws + <int64_t>units[i] * REAL_LANES
            for lane in range(REAL_LANES):
                acc[lane] += a[lane]
        for lane in range(REAL_LANES):
            total[lane] += acc[lane]


cdef void sum_cell(
    const draw_t* draws, const int32_t* units, const double* columns, int64_t stride, int n_columns, int64_t n,
    double* total, double* low,
) noexcept nogil:
    """Sum the draws (first row of ``total``), and each column times the draws, over one cell."""
    cdef int64_t start = 0, rows
    cdef int k, lanes = REAL_LANES
    if draw_t is uint8_t:
        lanes = BYTE_LANES
    for k in range((n_columns + 1) * lanes):
        total[k] = 0.0
        low[k] = 0.0
    while start < n:
        rows = BLOCK if start + BLOCK < n else n - start
        count_block(draws, units + start, rows, n - start, total)
        for k in range(n_columns):
            add_block(
                draws, units + start, columns + k * stride + start, rows, total + (k + 1) * lanes, low + (k + 1) * lanes,
            )
        start += rows


def sum_lanes(
    const double[:, ::1] columns not None, const int32_t[::1] units not None, const int64_t[::1] offsets not None,
    const int64_t[::1] counts not None, const uint8_t[:, ::1] byte_draws not None,
    const double[:, ::1] real_draws not None, double[:, ::1] room not None, double[:, :, :] out not None,
):
    """Sums over each cell of the draws, and of columns times the draws.

    Parameters
    ----------
    columns : float64 of shape (n_columns, n), IN
        Numbers of every row, cell by cell.
    units : int32 of shape (n,), IN
        Row of the draws that each row takes.
    offsets : int64 of shape (n_cells + 1,), counts : int64 of shape (n_cells,), IN
        First row of each cell, and how many of its rows from there are taken.
    byte_draws : uint8 of shape (n_units, 64), real_draws : float64 of shape (n_units, 16), IN
        The tile; the other one has no rows.
    room : float64 of shape (2, (n_columns + 1) * 64)
    out : float64 of shape (n_columns + 1, n_cells, n_lanes), OUT
        Sum of the draws, then of each column times the draws, for the first lanes of the tile.

    Notes
    -----
    Sums of whole draws alone are exact; the others carry the rounding of 256 additions and of the last.
    """
    cdef int64_t c, n_cells = offsets.shape[0] - 1, n = units.shape[0]
    cdef int k, lane, n_columns = <int>columns.shape[0], n_lanes = <int>out.shape[2]
    cdef bint bytes_ = real_draws.shape[0] == 0
    cdef int lanes = BYTE_LANES if bytes_ else REAL_LANES
    cdef const double* first = NULL
    if counts.shape[0] != n_cells or offsets[n_cells] > n or columns.shape[1] != n:
        raise ValueError("cells and rows differ in length")
    if byte_draws.shape[1] != BYTE_LANES or real_draws.shape[1] != REAL_LANES or n_lanes > lanes:
        raise ValueError("a tile has another number of lanes")
    if room.shape[0] != 2 or room.shape[1] < (n_columns + 1) * BYTE_LANES:
        raise ValueError("room too short")
    if out.shape[0] != n_columns + 1 or out.shape[1] != n_cells:
        raise ValueError("cells and outputs differ in length")
    if n == 0 or (byte_draws.shape[0] == 0 and real_draws.shape[0] == 0):
        out[:, :, :] = 0.0
        return
    if n_columns:
        first = &columns[0, 0]
    with nogil:
        for c in range(n_cells):
            if bytes_:
                sum_cell[uint8_t](
                    &byte_draws[0, 0], &units[0] + offsets[c], first + offsets[c], n, n_columns, counts[c],
                    &room[0, 0], &room[1, 0],
                )
            else:
                sum_cell[double](
                    &real_draws[0, 0], &units[0] + offsets[c], first + offsets[c], n, n_columns, counts[c],
                    &room[0, 0], &room[1, 0],
                )
            for k in range(n_columns + 1):
                for lane in range(n_lanes):
                    out[k, c, lane] = room[0, k * lanes + lane] + room[1, k * lanes + lane]


def pack_units(
    const double[::1] values not None, const double[::1] codes not None, const int64_t[::1] offsets not None,
    int32_t[::1] units not None,
):
    """Move the unit codes of the rows with a value to the front of each cell, as the values themselves will be.

    Parameters
    ----------
    values, codes : float64 of shape (n,), IN
        Value and unit of each row, cell by cell; NaN where missing.
    offsets : int64 of shape (n_cells + 1,), IN
    units : int32 of shape (n,), OUT
        Written for rows with a value only.

    Returns
    -------
    int
        Rows with a value that have no unit; they are given unit 0.
    """
    cdef int64_t c, i, at, missing = 0, n_cells = offsets.shape[0] - 1
    if codes.shape[0] != values.shape[0] or units.shape[0] != values.shape[0] or offsets[n_cells] > values.shape[0]:
        raise ValueError("rows and offsets differ in length")
    with nogil:
        for c in range(n_cells):
            at = offsets[c]
            for i in range(offsets[c], offsets[c + 1]):
                if isnan(values[i]):
                    continue
                if isnan(codes[i]):
                    missing += 1
                    units[at] = 0
                else:
                    units[at] = <int32_t>codes[i]
                at += 1
    return missing


def own_units(
    const int32_t[::1] units not None, const int64_t[::1] offsets not None, const int64_t[::1] counts not None,
    int32_t[::1] places not None, int32_t[::1] out not None,
):
    """Number the units that the rows taken have, leaving out all others.

    Parameters
    ----------
    units : int32 of shape (n,), IN
        Unit of each row; read where rows are taken.
    offsets, counts : IN
        As in `sum_lanes`.
    places : int32 of shape (n_units,), OUT
        Number of each unit, ascending, or -1 for one without a row.
    out : int32 of shape (n,), OUT
        Number of each row's unit; 0 for rows not taken.
    """
    cdef int64_t c, i, n_cells = offsets.shape[0] - 1
    cdef int32_t unit, n_own = 0
    if counts.shape[0] != n_cells or offsets[n_cells] > units.shape[0]:
        raise ValueError("cells and rows differ in length")
    if out.shape[0] != units.shape[0]:
        raise ValueError("rows and outputs differ in length")
    places[:] = -1
    out[:] = 0
    with nogil:
        for c in range(n_cells):
            for i in range(offsets[c], offsets[c] + counts[c]):
                places[units[i]] = 0
        for unit in range(<int32_t>places.shape[0]):
            if places[unit] == 0:
                places[unit] = n_own
                n_own += 1
        for c in range(n_cells):
            for i in range(offsets[c], offsets[c] + counts[c]):
                out[i] = places[units[i]]


def sum_units(
    const double[:, ::1] columns not None, const int32_t[::1] units not None, const int64_t[::1] offsets not None,
    const int64_t[::1] counts not None, int64_t[::1] seen not None, double[:, ::1] out not None,
    int32_t[::1] out_units not None, int64_t[::1] out_counts not None,
):
    """Sums of columns over the rows of each unit in each cell.

    Parameters
    ----------
    columns, units, offsets, counts : IN
        As in `sum_lanes`.
    seen : int64 of shape (n_units,), OUT
        Room.
    out : float64 of shape (n_columns, n), out_units : int32 of shape (n,), OUT
        The units of each cell from its first place on, in the order in which they are met.
    out_counts : int64 of shape (n_cells,), OUT
        Units of each cell.
    """
    cdef int64_t c, i, at, end, n_cells = offsets.shape[0] - 1, n = units.shape[0]
    cdef int k, n_columns = <int>columns.shape[0]
    if counts.shape[0] != n_cells or offsets[n_cells] > n or columns.shape[1] != n:
        raise ValueError("cells and rows differ in length")
    if out.shape[0] != n_columns or out.shape[1] != n or out_units.shape[0] != n or out_counts.shape[0] != n_cells:
        raise ValueError("rows and outputs differ in length")
    seen[:] = -1
    with nogil:
        for c in range(n_cells):
            end = offsets[c]
            for i in range(offsets[c], offsets[c] + counts[c]):
                at = seen[units[i]]
                # A place before this cell's was left by another cell.
                if at < offsets[c]:
                    at = end
                    end += 1
                    seen[units[i]] = at
                    out_units[at] = units[i]
                    for k in range(n_columns):
                        out[k, at] = 0.0
                for k in range(n_columns):
                    out[k, at] += columns[k, i]
            out_counts[c] = end - offsets[c]
