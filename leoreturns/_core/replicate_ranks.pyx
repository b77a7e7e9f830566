"""Percentiles, Gini coefficients and top shares under replicate weights, with the replicates as lanes.

The rows of a cell are sorted once. For a tile of replicates one pass over the sorted rows takes the weight of every
block of 128 rows in all lanes at once; a percentile of a replicate is then found by bisection over the blocks and a
walk through one of them. O(rows x replicates) additions of bytes, and O(log rows + 128) steps per percentile and
replicate. Definitions are those of `quantiles` and `ranked`: whole draws repeat rows, real draws multiply weights.
"""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

from leoreturns._core._quantile cimport between, plotting_position, position
from leoreturns._core._sums cimport two_sum
from leoreturns._core._types cimport LR_PREFETCH

cdef enum:
    BYTE_LANES = 64
    REAL_LANES = 16
    BLOCK = 128
    AHEAD = 12            # rows whose draws are fetched before they are needed

ROWS_PER_BLOCK = BLOCK

ctypedef fused draw_t:
    uint8_t
    double


cdef struct Cell:
    const double* x             # sorted
    const double* w             # weights before the draws, or NULL
    const int32_t* units
    int64_t n
    double* reached             # (n_blocks + 1, lanes): weight below each block
    double* held                # the same of the weighted values; NULL unless top shares are asked for
    bint counted                # whether weights before the draws count copies of a row


cdef inline double weight_of(const Cell* cell, const draw_t* draws, int64_t i, int lane) noexcept nogil:
    """Weight of row ``i`` in one replicate."""
    cdef int lanes = REAL_LANES
    if draw_t is uint8_t:
        lanes = BYTE_LANES
    cdef double r = draws[<int64_t>cell.units[i] * lanes + lane]
    return r * cell.w[i] if cell.w != NULL else r


cdef inline double copy_of(const Cell* cell, const draw_t* draws, int64_t i, int lane) noexcept nogil:
    """Weight of one copy of row ``i``: whole draws repeat it, and so do weights that count copies."""
    if draw_t is uint8_t:
        return cell.w[i] if cell.w != NULL else 1.0
    else:
        return draws[<int64_t>cell.units[i] * REAL_LANES + lane] if cell.counted else weight_of(cell, draws, i, lane)


cdef void reach_blocks(const Cell* cell, const draw_t* draws) noexcept nogil:
    """Fill ``reached`` and ``held``."""
    cdef uint16_t count[BYTE_LANES]
    cdef double acc[BYTE_LANES]
    cdef double value[BYTE_LANES]
    cdef const draw_t* a
    cdef double w
    cdef double* here = cell.reached
    cdef int64_t block, start, i, stop
    cdef int lane, lanes = REAL_LANES
    if draw_t is uint8_t:
        lanes = BYTE_LANES
    for lane in range(lanes):
        here[lane] = 0.0
        if cell.held != NULL:
            cell.held[lane] = 0.0
    for block in range((cell.n + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = start + BLOCK if start + BLOCK < cell.n else cell.n
        if draw_t is uint8_t and cell.w == NULL:
            for lane in range(BYTE_LANES):
                count[lane] = 0
            for i in range(start, stop):
                if i + AHEAD < cell.n:
                    LR_PREFETCH(draws + <int64_t>cell.units[i + AHEAD] * BYTE_LANES)
                a = draws + <int64_t>cell.units[i] * BYTE_LANES
                for lane in range(BYTE_LANES):
                    count[lane] += <uint16_t>a[lane]
            for lane in range(BYTE_LANES):
                here[BYTE_LANES + lane] = here[lane] + count[lane]
        else:
            for lane in range(lanes):
                acc[lane] = 0.0
            for i in range(start, stop):
                a = draws + <int64_t>cell.units[i] * lanes
                w = cell.w[i] if cell.w != NULL else 1.0
                for lane in range(lanes):
                    acc[lane] += a[lane] * w
            for lane in range(lanes):
                here[lanes + lane] = here[lane] + acc[lane]
        if cell.held != NULL:
            for lane in range(lanes):
                value[lane] = 0.0
            for i in range(start, stop):
                a = draws + <int64_t>cell.units[i] * lanes
                w = cell.w[i] * cell.x[i] if cell.w != NULL else cell.x[i]
                for lane in range(lanes):
                    value[lane] += a[lane] * w
            for lane in range(lanes):
                cell.held[(block + 1) * lanes + lane] = cell.held[block * lanes + lane] + value[lane]
        here += lanes


cdef inline int64_t block_of(const double* reached, int64_t n_blocks, int lanes, int lane, double below) noexcept nogil:
    """Last block below which lies no more than ``below``."""
    cdef int64_t low = 0, high = n_blocks, middle
    while high - low > 1:
        middle = (low + high) >> 1
        if reached[middle * lanes + lane] <= below:
            low = middle
        else:
            high = middle
    return low


cdef double by_rank(
    const Cell* cell, const draw_t* draws, int64_t n_blocks, int lane, double p, int rule,
) noexcept nogil:
    """Percentile of the rows repeated as often as their weight says."""
    cdef int lanes = REAL_LANES
    if draw_t is uint8_t:
        lanes = BYTE_LANES
    cdef int64_t rank, i, block
    cdef double share, reached, a
    position(<int64_t>cell.reached[n_blocks * lanes + lane], p, rule, &rank, &share)
    block = block_of(cell.reached, n_blocks, lanes, lane, <double>rank)
    reached = cell.reached[block * lanes + lane]
    i = block * BLOCK
    reached += weight_of(cell, draws, i, lane)
    while reached <= rank:
        i += 1
        reached += weight_of(cell, draws, i, lane)
    a = cell.x[i]
    if share > 0.0 and reached <= rank + 1:
        i += 1
        while weight_of(cell, draws, i, lane) == 0.0:
            i += 1
        return between(a, cell.x[i], share)
    return a


cdef double by_position(
    const Cell* cell, const draw_t* draws, int64_t n_blocks, int lane, double p, int rule,
) noexcept nogil:
    """Percentile of the weighted distribution, as in `ranked`."""
    cdef int lanes = REAL_LANES
    if draw_t is uint8_t:
        lanes = BYTE_LANES
    cdef double total = cell.reached[n_blocks * lanes + lane], fuzz = 8.881784197001252e-16 * total
    cdef double last, before, w, copy, at, first_at, last_at = 0.0
    cdef int64_t i = cell.n - 1, low = 0, high = n_blocks, middle, previous, top
    while weight_of(cell, draws, i, lane) == 0.0:
        i -= 1
    top = i
    last = copy_of(cell, draws, i, lane)
    # The last block whose rows before it all lie below the point: a plotting position grows with the weight before.
    while high - low > 1:
        middle = (low + high) >> 1
        before = cell.reached[middle * lanes + lane]
        if (before < p * total - fuzz) if rule <= 2 else (plotting_position(before, 0.0, total, last, rule) < p):
            low = middle
        else:
            high = middle
    i = low * BLOCK
    before = cell.reached[low * lanes + lane]
    previous = i - 1
    while previous >= 0 and weight_of(cell, draws, previous, lane) == 0.0:
        previous -= 1
    if previous >= 0 and rule > 2:
        copy = copy_of(cell, draws, previous, lane)
        last_at = plotting_position(before - copy, copy, total, last, rule)
    while i <= top:
        w = weight_of(cell, draws, i, lane)
        if w == 0.0:
            i += 1
            continue
        if rule <= 2:
            before += w
            if before >= p * total - fuzz or i == top:
                if rule == 2 and before <= p * total + fuzz and i < top:
                    previous = i
                    i += 1
                    while weight_of(cell, draws, i, lane) == 0.0:
                        i += 1
                    return (cell.x[previous] + cell.x[i]) / 2
                return cell.x[i]
        else:
            copy = copy_of(cell, draws, i, lane)
            first_at = plotting_position(before, copy, total, last, rule)
            at = plotting_position(before + (w - copy), copy, total, last, rule)
            if at >= p:
                if previous < 0 or first_at <= p:
                    return cell.x[i]
                return between(cell.x[previous], cell.x[i], (p - last_at) / (first_at - last_at))
            before += w
            last_at = at
            previous = i
        i += 1
    return cell.x[top]


cdef double top_share(
    const Cell* cell, const draw_t* draws, int64_t n_blocks, int lane, double top,
) noexcept nogil:
    """Share of the sum held by the top fraction; the Lorenz curve is linear within a row's weight."""
    cdef int lanes = REAL_LANES
    if draw_t is uint8_t:
        lanes = BYTE_LANES
    cdef double total = cell.reached[n_blocks * lanes + lane], below = (1.0 - top) * total, reached, w
    cdef double held = cell.held[n_blocks * lanes + lane], lower
    cdef int64_t block = block_of(cell.reached, n_blocks, lanes, lane, below), i
    if not held > 0.0:
        return NAN
    reached = cell.reached[block * lanes + lane]
    lower = cell.held[block * lanes + lane]
    for i in range(block * BLOCK, cell.n):
        w = weight_of(cell, draws, i, lane)
        if reached + w > below:
            lower += (below - reached) * cell.x[i]
            break
        reached += w
        lower += w * cell.x[i]
    return 1.0 - lower / held


cdef void gini_lanes(const Cell* cell, const draw_t* draws, double* room) noexcept nogil:
    """Gini coefficient of every lane into the first row of ``room`` (5 rows of lanes): sum w x (2 W + w) over totals."""
    cdef int lane, lanes = REAL_LANES
    if draw_t is uint8_t:
        lanes = BYTE_LANES
    cdef double* below = room + lanes
    cdef double* held = room + 2 * lanes
    cdef double* ranked = room + 3 * lanes
    cdef double* low = room + 4 * lanes
    cdef double acc[BYTE_LANES]
    cdef double value[BYTE_LANES]
    cdef const draw_t* a
    cdef double w, x, r, error
    cdef int64_t block, start, stop, i
    for lane in range(lanes):
        below[lane] = held[lane] = ranked[lane] = low[lane] = 0.0
    for block in range((cell.n + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = start + BLOCK if start + BLOCK < cell.n else cell.n
        for lane in range(lanes):
            acc[lane] = 0.0
            value[lane] = 0.0
        for i in range(start, stop):
            if i + AHEAD < cell.n:
                LR_PREFETCH(draws + <int64_t>cell.units[i + AHEAD] * lanes)
            a = draws + <int64_t>cell.units[i] * lanes
            w = cell.w[i] if cell.w != NULL else 1.0
            x = cell.x[i]
            for lane in range(lanes):
                r = a[lane] * w
                acc[lane] += (r * x) * (2 * below[lane] + r)
                value[lane] += r * x
                below[lane] += r
        for lane in range(lanes):
            two_sum(ranked[lane], acc[lane], &ranked[lane], &error)
            low[lane] += error
            held[lane] += value[lane]
    for lane in range(lanes):
        room[lane] = (ranked[lane] + low[lane]) / (below[lane] * held[lane]) - 1.0 if held[lane] > 0.0 else NAN


cdef void rank_cell(
    const Cell* cell, const draw_t* draws, const double* p, int n_p, int rule, const double* tops,
    int n_tops, double* room, bint gini, double[:, :, :] out, int64_t c,
) noexcept nogil:
    cdef int64_t n_blocks = (cell.n + BLOCK - 1) // BLOCK
    cdef int k, lane, n_lanes = <int>out.shape[2], lanes = REAL_LANES
    cdef bint negative = cell.n == 0 or cell.x[0] < 0.0
    if draw_t is uint8_t:
        lanes = BYTE_LANES
    if n_p or n_tops:
        reach_blocks(cell, draws)
    for lane in range(n_lanes):
        for k in range(n_p + n_tops):
            if not cell.reached[n_blocks * lanes + lane] > 0.0 or (k >= n_p and negative):
                out[k, c, lane] = NAN
            elif k >= n_p:
                out[k, c, lane] = top_share(cell, draws, n_blocks, lane, tops[k - n_p])
            elif draw_t is uint8_t and cell.counted:
                out[k, c, lane] = by_rank(cell, draws, n_blocks, lane, p[k], rule)
            else:
                out[k, c, lane] = by_position(cell, draws, n_blocks, lane, p[k], rule)
    if gini:
        if not negative:
            gini_lanes(cell, draws, room)
        for lane in range(n_lanes):
            out[n_p + n_tops, c, lane] = NAN if negative else room[lane]


def rank_lanes(
    const double[::1] values not None, const double[::1] weights not None, const int32_t[::1] units not None,
    const int64_t[::1] offsets not None, const int64_t[::1] counts not None, const uint8_t[:, ::1] byte_draws not None,
    const double[:, ::1] real_draws not None, bint counted, const double[::1] p not None, int rule,
    const double[::1] tops not None, bint gini, double[:, ::1] room not None, double[:, :, :] out not None,
):
    """Percentiles, top shares and the Gini coefficient of each cell in the replicates of a tile.

    Parameters
    ----------
    values, weights, units : of shape (n,), IN
        As `order_cells` leaves them.
    offsets : int64 of shape (n_cells + 1,), counts : int64 of shape (n_cells,), IN
    byte_draws : uint8 of shape (n_units, 64), real_draws : float64 of shape (n_units, 16), IN
        The tile; the other one has no rows.
    counted : bool
        Whether the weights before the draws count copies of a row, as no weights do (one each); else they are weights.
    p, tops : float64, IN
        Probabilities of the percentiles; fractions of the top shares.
    rule : int
        Hyndman-Fan type.
    gini : bool
        Whether to take it.
    room : float64 of shape (2, (longest / 128 + 2) * 64), at least (2, 320)
    out : float64 of shape (n_p + n_tops + gini, n_cells, n_lanes), OUT
        For the first lanes of the tile; NaN where a cell has no weight, and for top shares and Gini also where a value
        is negative or the values have no sum.
    """
    cdef int64_t c, n_cells = offsets.shape[0] - 1, n = values.shape[0], longest = 0
    cdef int n_p = <int>p.shape[0], n_tops = <int>tops.shape[0]
    cdef bint bytes_ = real_draws.shape[0] == 0
    cdef Cell cell
    if counts.shape[0] != n_cells or offsets[n_cells] > n or units.shape[0] != n:
        raise ValueError("cells and rows differ in length")
    if weights.shape[0] and weights.shape[0] != n:
        raise ValueError("values and weights differ in length")
    if byte_draws.shape[1] != BYTE_LANES or real_draws.shape[1] != REAL_LANES:
        raise ValueError("a tile has another number of lanes")
    if out.shape[0] != n_p + n_tops + gini or out.shape[1] != n_cells:
        raise ValueError("cells and outputs differ in length")
    if out.shape[2] > (BYTE_LANES if bytes_ else REAL_LANES):
        raise ValueError("a tile has another number of lanes")
    for c in range(n_cells):
        longest = max(longest, counts[c])
    if room.shape[0] != 2 or room.shape[1] < max(5, longest // BLOCK + 2) * BYTE_LANES:
        raise ValueError("room too short")
    if n == 0 or (byte_draws.shape[0] == 0 and real_draws.shape[0] == 0):
        out[:, :, :] = NAN
        return
    with nogil:
        for c in range(n_cells):
            cell.x = &values[0] + offsets[c]
            cell.w = &weights[0] + offsets[c] if weights.shape[0] else NULL
            cell.units = &units[0] + offsets[c]
            cell.n = counts[c]
            cell.reached = &room[0, 0]
            cell.held = &room[1, 0] if n_tops else NULL
            cell.counted = counted
            if bytes_:
                rank_cell[uint8_t](
                    &cell, &byte_draws[0, 0], &p[0] if n_p else NULL, n_p, rule,
                    &tops[0] if n_tops else NULL, n_tops, &room[0, 0], gini, out, c,
                )
            else:
                rank_cell[double](
                    &cell, &real_draws[0, 0], &p[0] if n_p else NULL, n_p, rule,
                    &tops[0] if n_tops else NULL, n_tops, &room[0, 0], gini, out, c,
                )
