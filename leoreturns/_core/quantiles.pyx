"""Exact percentiles, concentration, and the tails that disclosure control needs, for every cell.

Order statistics are selected by histogram: one pass counts the values of a cell in up to 4,096 bins of their ordered
bit patterns (so bins are narrow where earnings are dense, in proportion), one pass collects the values of the few bins
that hold a wanted rank, and these are treated the same way until a bin is a single value or a handful to sort. All
ranks of all percentiles share the passes; no branch depends on the values, and the worst case is a dozen rounds or so.
How many values lie below and at each percentile falls out of the counts. Cost: O(n) per cell, 2 to 3 ns a value;
memory: the values of the bins looked into.

Weighted percentiles, the Gini coefficient and top shares need all values in order: a radix sort of the cell, O(n).

Percentile types: Hyndman and Fan (1996); their weighted forms as in Lumley's survey package notes on quantile rules,
with W_k the cumulative weights in place of k.
"""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from leoreturns._core._quantile cimport between, position, tails_of_persons
from leoreturns._core._types cimport LEORETURNS_EVIDENCE, ordered

cdef enum:
    MAX_BINS = 4096
    MAX_RANKS = 256
    FEW = 40                # values that insertion sort orders sooner than a histogram would


cdef void few(
    double* x, int64_t n, const int64_t* ranks, int n_ranks, int64_t base, double* found, int64_t* less, int64_t* equal,
) noexcept nogil:
    """Sort a handful of values in place and read the ranks off."""
    cdef int64_t i, j, at
    cdef double v
    cdef int k
    for i in range(1, n):
        v = x[i]
        j = i - 1
        while j >= 0 and x[j] > v:
            x[j + 1] = x[j]
            j -= 1
        x[j + 1] = v
    for k in range(n_ranks):
        at = ranks[k] - base
        i = at
        j = at
        while i > 0 and x[i - 1] == x[at]:
            i -= 1
        while j + 1 < n and x[j + 1] == x[at]:
            j += 1
        found[k] = x[at]
        less[k] = base + i
        equal[k] = j - i + 1


cdef void select(
    const double* x, int64_t n, double low, double high, const int64_t* ranks, int n_ranks, int64_t base, double* free,
    double* spare, uint32_t* bins, uint8_t* slot, double* found, int64_t* less, int64_t* equal,
) noexcept nogil:
    """Find the values of ascending ``ranks`` among ``x``, whose ranks begin at ``base``; all lie in [low, high].

    Collected values go to ``free``; the round after this one collects into ``spare``. Each holds ``n`` values.
    """
    cdef uint64_t first = ordered(low), span = ordered(high) - first, u
    cdef int shift = 0, log_bins = 5, k, t = 0, n_targets
    cdef int64_t i, below, n_bins
    cdef int64_t start[MAX_RANKS]
    cdef int64_t filled[MAX_RANKS]
    cdef int64_t before[MAX_RANKS]
    cdef int first_rank[MAX_RANKS + 1]
    cdef double a, b
    if span == 0:
        for k in range(n_ranks):
            found[k] = low
            less[k] = base
            equal[k] = n
        return
    if n <= FEW:
        for i in range(n):
            free[i] = x[i]
        few(free, n, ranks, n_ranks, base, found, less, equal)
        return
    while log_bins < 12 and (<int64_t>2 << log_bins) < n:
        log_bins += 1
    while (span >> shift) >> log_bins:
        shift += 1
    n_bins = <int64_t>(span >> shift) + 1
    for i in range(n_bins):
        bins[i] = 0
        slot[i] = 0
    for i in range(n):
        bins[(ordered(x[i]) - first) >> shift] += 1
    # Which bins hold a wanted rank, and where their values will stand.
    below = 0
    k = 0
    n_targets = 0
    start[0] = 0
    for i in range(n_bins):
        if k == n_ranks:
            break
        if ranks[k] - base < below + bins[i]:
            before[n_targets] = base + below
            filled[n_targets] = start[n_targets]
            first_rank[n_targets] = k
            while k < n_ranks and ranks[k] - base < below + bins[i]:
                k += 1
            slot[i] = <uint8_t>(n_targets + 1)
            if n_targets + 1 < MAX_RANKS:
                start[n_targets + 1] = start[n_targets] + bins[i]
            n_targets += 1
        below += bins[i]
    first_rank[n_targets] = n_ranks
    for i in range(n):
        t = slot[(ordered(x[i]) - first) >> shift]
        if t:
            free[filled[t - 1]] = x[i]
            filled[t - 1] += 1
    for t in range(n_targets):
        k = first_rank[t]
        below = filled[t] - start[t]
        a = b = free[start[t]]
        for i in range(start[t] + 1, filled[t]):
            a = free[i] if free[i] < a else a
            b = free[i] if free[i] > b else b
        select(
            free + start[t], below, a, b, ranks + k, first_rank[t + 1] - k, before[t],
            spare + start[t], free + start[t], bins, slot, found + k, less + k, equal + k,
        )


cdef void percentiles_of_cell(
    const double* x, const int32_t* persons, int64_t n, int64_t n_person, double low, double high, const double* p,
    int n_p, int rule, double* free, double* spare, uint32_t* bins, uint8_t* slot, double* out, int64_t* below,
    int64_t* tied, int64_t* above, int64_t* largest,
    double* second,
) noexcept nogil:
    cdef int64_t ranks[MAX_RANKS]
    cdef int64_t less[MAX_RANKS]
    cdef int64_t equal[MAX_RANKS]
    cdef double found[MAX_RANKS]
    cdef double share, v
    cdef int64_t j, middle = (n - 1) // 2
    cdef int k, m, n_ranks = 0, at
    largest[0] = 0
    second[0] = 0.0
    if n == 0:
        for k in range(n_p):
            out[k] = NAN
            below[k] = tied[k] = above[k] = 0
        return
    # Besides the percentiles' ranks, the median's for the majority value, and the second largest for dominance.
    for k in range(n_p):
        position(n, p[k], rule, &j, &share)
        add_rank(ranks, &n_ranks, j)
        add_rank(ranks, &n_ranks, j + (share > 0.0))
    add_rank(ranks, &n_ranks, middle)
    if n > 1:
        add_rank(ranks, &n_ranks, n - 2)
    select(x, n, low, high, ranks, n_ranks, 0, free, spare, bins, slot, found, less, equal)
    if n > 1:
        second[0] = found[index_of(ranks, n_ranks, n - 2)]
    m = index_of(ranks, n_ranks, middle)
    # A value that more than half of the rows share is their median.
    if 2 * equal[m] > n:
        largest[0] = equal[m]
    for k in range(n_p):
        position(n, p[k], rule, &j, &share)
        at = index_of(ranks, n_ranks, j)
        v = found[at]
        below[k] = less[at]
        tied[k] = equal[at]
        if share > 0.0:
            m = index_of(ranks, n_ranks, j + 1)
            if found[m] != found[at]:
                v = between(found[at], found[m], share)
                if v > found[at] and v < found[m]:
                    below[k] = less[m]
                    tied[k] = 0
                elif v == found[m]:
                    below[k] = less[m]
                    tied[k] = equal[m]
        out[k] = v
        above[k] = n - below[k] - tied[k]
    if LEORETURNS_EVIDENCE and n_person != n:
        tails_of_persons(x, persons, n, out, n_p, below, tied, above)


cdef inline void add_rank(int64_t* ranks, int* n_ranks, int64_t rank) noexcept nogil:
    """Insert ``rank`` among ascending distinct ranks."""
    cdef int k = n_ranks[0], m
    while k > 0 and ranks[k - 1] > rank:
        k -= 1
    if k > 0 and ranks[k - 1] == rank:
        return
    for m in range(n_ranks[0], k, -1):
        ranks[m] = ranks[m - 1]
    ranks[k] = rank
    n_ranks[0] += 1


cdef inline int index_of(const int64_t* ranks, int n_ranks, int64_t rank) noexcept nogil:
    """Place of ``rank``, which is among the ascending ``ranks``."""
    cdef int k = 0
    while k < n_ranks - 1 and ranks[k] != rank:
        k += 1
    return k


def percentiles(
    const double[::1] values not None, const int32_t[::1] persons not None, const int64_t[::1] offsets not None,
    const int64_t[::1] n_value not None, const int64_t[::1] n_person not None, const double[::1] low not None,
    const double[::1] high not None, const double[::1] p not None, int rule, double[::1] free not None,
    double[::1] spare not None, uint32_t[::1] bins not None, uint8_t[::1] slot not None, double[:, ::1] out not None,
    int64_t[:, ::1] below not None, int64_t[:, ::1] tied not None, int64_t[:, ::1] above not None,
    int64_t[::1] largest not None, double[::1] second not None,
):
    """Percentiles of each cell, with the persons below, at and above each.

    Parameters
    ----------
    values, persons : of shape (n,), IN
        As `moments.summarise` leaves them: the values of a cell at its front.
    offsets : int64 of shape (n_cells + 1,), IN
        First row of each cell.
    n_value, n_person : int64 of shape (n_cells,), IN
        Values in each cell and persons who have them.
    low, high : float64 of shape (n_cells,), IN
        Extremes of each cell.
    p : float64 of shape (n_p,), at most 100, IN
        Ascending probabilities.
    rule : int
        Hyndman-Fan type, 1 to 9.
    free, spare : float64, at least as long as the largest cell, OUT
        Room for collected values.
    bins : uint32 of shape (4096,), slot : uint8 of shape (4096,), OUT
        Room for a histogram.
    out : float64 of shape (n_cells, n_p), OUT
        Percentiles; NaN where a cell has no value.
    below, tied, above : int64 of shape (n_cells, n_p), OUT
        Persons with a value strictly below, at and strictly above.
    largest : int64 of shape (n_cells,), OUT
        Rows that share the value which more than half of a cell's rows have, else 0.
    second : float64 of shape (n_cells,), OUT
        Second largest value; 0 where there is none.
    """
    cdef int64_t c, n_cells = offsets.shape[0] - 1, longest = 0
    cdef int n_p = <int>p.shape[0]
    if n_value.shape[0] != n_cells or n_person.shape[0] != n_cells or largest.shape[0] != n_cells:
        raise ValueError("cells and offsets differ in length")
    if second.shape[0] != n_cells:
        raise ValueError("cells and offsets differ in length")
    if low.shape[0] != n_cells or high.shape[0] != n_cells:
        raise ValueError("cells and offsets differ in length")
    if out.shape[0] != n_cells or below.shape[0] != n_cells or tied.shape[0] != n_cells or above.shape[0] != n_cells:
        raise ValueError("outputs and offsets differ in length")
    if out.shape[1] != n_p or below.shape[1] != n_p or tied.shape[1] != n_p or above.shape[1] != n_p or n_p > 100:
        raise ValueError("outputs and p differ in length")
    if not 1 <= rule <= 9:
        raise ValueError("rule must be 1 to 9")
    if values.shape[0] != persons.shape[0] or offsets[n_cells] > values.shape[0]:
        raise ValueError("rows and offsets differ in length")
    if bins.shape[0] < MAX_BINS or slot.shape[0] < MAX_BINS:
        raise ValueError("room too short")
    for c in range(n_cells):
        longest = max(longest, n_value[c])
    if free.shape[0] < longest or spare.shape[0] < longest:
        raise ValueError("room too short")
    if n_p == 0 or not n_cells or not longest:
        out[:, :] = NAN
        below[:, :] = 0
        tied[:, :] = 0
        above[:, :] = 0
    if not n_cells:
        return
    if not longest:
        largest[:] = 0
        second[:] = 0.0
        return
    with nogil:
        for c in range(n_cells):
            percentiles_of_cell(
                &values[0] + offsets[c], &persons[0] + offsets[c], n_value[c], n_person[c], low[c], high[c],
                &p[0] if n_p else NULL, n_p, rule,
                &free[0], &spare[0], &bins[0], &slot[0], &out[c, 0] if n_p else NULL, &below[c, 0] if n_p else NULL,
                &tied[c, 0] if n_p else NULL, &above[c, 0] if n_p else NULL, &largest[c],
                &second[c],
            )
