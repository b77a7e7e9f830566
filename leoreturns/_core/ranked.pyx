"""Statistics that need all values of a cell in order: weighted percentiles, the Gini coefficient and top shares.

Each cell is sorted by radix, the weights moving along: O(n) per cell, two spare copies of the largest cell.

Weighted percentiles under frequency weights are those of the rows repeated as often as their weight says. Under
probability weights type 1 inverts the weighted distribution, type 2 averages at its steps, and types 4 to 9 interpolate
between plotting positions in which cumulative weights take the place of ranks (Lumley, Complex Surveys, 2010, and the
quantile rules of his survey package); type 3 has no weighted form.
"""

from libc.math cimport NAN, fabs
from libc.stdint cimport int32_t, int64_t, uint64_t

from leoreturns._core._quantile cimport between, plotting_position, position, tails_of_persons
from leoreturns._core._sort cimport sort_keys
from leoreturns._core._sums cimport two_sum
from leoreturns._core._types cimport ordered, unordered

cdef enum:
    MAX_TOPS = 100


cdef void sort_cell(
    const double* x, const double* w, int64_t n, uint64_t* keys, double* weights, uint64_t* keys2, double* weights2,
) noexcept nogil:
    """Sort the values, as ordered bit patterns, into ``keys``, and the weights (unless NULL) into ``weights``.

    Equal values come in the order of their weights, so that no result hangs on the order of the persons.
    """
    cdef int64_t i
    cdef double weight
    if w != NULL:
        for i in range(n):
            keys[i] = ordered(w[i])
            weights[i] = x[i]
        sort_keys(n, keys, weights, keys2, weights2, True)
    for i in range(n):
        if w != NULL:
            weight = unordered(keys[i])
            keys[i] = ordered(weights[i])
            weights[i] = weight
        else:
            keys[i] = ordered(x[i])
    sort_keys(n, keys, weights, keys2, weights2, w != NULL)


cdef double by_frequency(
    const uint64_t* keys, const double* w, int64_t n, double total, double p, int rule,
) noexcept nogil:
    """Percentile of the values repeated ``w`` times; whole weights."""
    cdef int64_t rank, i = 0
    cdef double share, reached, a
    position(<int64_t>total, p, rule, &rank, &share)
    reached = w[0]
    while i + 1 < n and reached <= rank:
        i += 1
        reached += w[i]
    a = unordered(keys[i])
    if share > 0.0 and reached <= rank + 1 and i + 1 < n:
        return between(a, unordered(keys[i + 1]), share)
    return a


cdef double by_probability(
    const uint64_t* keys, const double* w, int64_t n, double total, double p, int rule,
) noexcept nogil:
    """Percentile of the weighted distribution under the rules of the header."""
    cdef int64_t i
    cdef double high = 0.0, low = 0.0, error, before = 0.0, at, last_at = 0.0, fuzz = 8.881784197001252e-16 * total
    # Cumulative weights are compensated: a million weights of 0.1 must meet the steps of the distribution where a
    # million ones do.
    if rule <= 2:
        for i in range(n):
            two_sum(high, w[i], &high, &error)
            low += error
            before = high + low
            if before >= p * total - fuzz:
                if rule == 2 and before <= p * total + fuzz and i + 1 < n:
                    return (unordered(keys[i]) + unordered(keys[i + 1])) / 2
                return unordered(keys[i])
        return unordered(keys[n - 1])
    for i in range(n):
        at = plotting_position(before, w[i], total, w[n - 1], rule)
        if at >= p:
            if i == 0 or at == p:
                return unordered(keys[i])
            return between(unordered(keys[i - 1]), unordered(keys[i]), (p - last_at) / (at - last_at))
        two_sum(high, w[i], &high, &error)
        low += error
        before = high + low
        last_at = at
    return unordered(keys[n - 1])


cdef void concentration(
    const uint64_t* keys, const double* w, int64_t n, double total, const double* tops, int n_tops, double* gini,
    double* shares,
) noexcept nogil:
    """Gini coefficient and shares of the sum held by the top fractions; NaN where a value is negative or all are zero.

    With W the weight below a value, G = sum w x (2 W + w) / (total * sum w x) - 1; the Lorenz curve is linear within a
    value's weight.
    """
    cdef int64_t i
    cdef int k
    cdef double v, u, part, below = 0.0, high = 0.0, low = 0.0, error
    cdef double ranked = 0.0, ranked_low = 0.0, held = 0.0, held_low = 0.0
    cdef double shares_low[MAX_TOPS]
    gini[0] = NAN
    for k in range(n_tops):
        shares[k] = NAN
    if n == 0 or unordered(keys[0]) < 0.0:
        return
    for k in range(n_tops):
        shares[k] = shares_low[k] = 0.0
    # Every running sum is compensated: rounding errors of equal values all have one sign and grow with their number.
    for i in range(n):
        v = unordered(keys[i])
        u = w[i] if w != NULL else 1.0
        two_sum(held, u * v, &held, &error)
        held_low += error
        two_sum(ranked, u * v * (2 * below + u), &ranked, &error)
        ranked_low += error
        two_sum(high, u, &high, &error)
        low += error
        below = high + low
        for k in range(n_tops):
            # The part of this value's weight that lies in the top fraction.
            part = below - (1.0 - tops[k]) * total
            if part > 0.0:
                two_sum(shares[k], (part if part < u else u) * v, &shares[k], &error)
                shares_low[k] += error
    held += held_low
    for k in range(n_tops):
        shares[k] = (shares[k] + shares_low[k]) / held if held > 0.0 else NAN
    if held > 0.0:
        gini[0] = (ranked + ranked_low) / (total * held) - 1.0


cdef void rank_cell(
    const double* x, const double* w, const int32_t* persons, int64_t n, double total, bint frequency, const double* p,
    int n_p, int rule, const double* tops, int n_tops, uint64_t* keys, uint64_t* keys2, double* weights,
    double* weights2, double* out, int64_t* below, int64_t* tied, int64_t* above, double* gini, double* shares,
) noexcept nogil:
    cdef int k
    sort_cell(x, w, n, keys, weights, keys2, weights2)
    concentration(keys, weights if w != NULL else NULL, n, total, tops, n_tops, gini, shares)
    for k in range(n_p):
        if n == 0:
            out[k] = NAN
            below[k] = tied[k] = above[k] = 0
            continue
        if frequency:
            out[k] = by_frequency(keys, weights, n, total, p[k], rule)
        else:
            out[k] = by_probability(keys, weights, n, total, p[k], rule)
        # Whether a row lies at the point is not known here.
        tied[k] = 1
    if n:
        tails_of_persons(x, persons, n, out, n_p, below, tied, above)


def rank_cells(
    const double[::1] values not None, const double[::1] weights not None, const int32_t[::1] persons not None,
    const int64_t[::1] offsets not None, const int64_t[::1] n_value not None, const double[::1] totals not None,
    bint frequency, const double[::1] p not None, int rule, const double[::1] tops not None,
    uint64_t[:, ::1] key_room not None, double[:, ::1] weight_room not None, double[:, ::1] out not None,
    int64_t[:, ::1] below not None, int64_t[:, ::1] tied not None, int64_t[:, ::1] above not None,
    double[::1] gini not None, double[:, ::1] shares not None,
):
    """Weighted percentiles, Gini coefficient and top shares of each cell.

    Parameters
    ----------
    values, weights, persons : of shape (n,), IN
        As `moments.summarise` leaves them; ``weights`` is empty for none (then only Gini and top shares are taken:
        ``p`` must be empty).
    offsets : int64 of shape (n_cells + 1,), IN
    n_value : int64 of shape (n_cells,), IN
    totals : float64 of shape (n_cells,), IN
        Sum of weights, or the number of values without weights.
    frequency : bool
        Whether weights count repetitions (and are whole); else they are inverse probabilities.
    p, tops : float64, IN
        Probabilities of the percentiles; fractions of the top shares, at most 100.
    rule : int
        Hyndman-Fan type.
    key_room : uint64 of shape (2, longest), weight_room : float64 of shape (2, longest), OUT
    out, below, tied, above : of shape (n_cells, n_p), OUT
        Percentiles, and persons with a value strictly below, at and strictly above each.
    gini : float64 of shape (n_cells,), shares : float64 of shape (n_cells, n_tops), OUT
        NaN for a cell without a value, with a negative value, or with nothing but zeros.
    """
    cdef int64_t c, n_cells = offsets.shape[0] - 1, longest = 0
    cdef int n_p = <int>p.shape[0], n_tops = <int>tops.shape[0]
    cdef bint weighted = weights.shape[0] > 0
    if n_value.shape[0] != n_cells or totals.shape[0] != n_cells or gini.shape[0] != n_cells:
        raise ValueError("cells and offsets differ in length")
    if shares.shape[0] != n_cells or out.shape[0] != n_cells:
        raise ValueError("cells and offsets differ in length")
    if below.shape[0] != n_cells or tied.shape[0] != n_cells or above.shape[0] != n_cells:
        raise ValueError("outputs and offsets differ in length")
    if out.shape[1] != n_p or shares.shape[1] != n_tops or n_tops > MAX_TOPS:
        raise ValueError("outputs differ in width")
    if below.shape[1] != n_p or tied.shape[1] != n_p or above.shape[1] != n_p:
        raise ValueError("outputs differ in width")
    if n_p and not weighted and values.shape[0]:
        raise ValueError("percentiles without weights are selected by the percentile kernel")
    if values.shape[0] != persons.shape[0] or offsets[n_cells] > values.shape[0]:
        raise ValueError("rows and offsets differ in length")
    if weighted and weights.shape[0] != values.shape[0]:
        raise ValueError("values and weights differ in length")
    for c in range(n_cells):
        longest = max(longest, n_value[c])
    longest = max(longest, 1)
    if key_room.shape[0] != 2 or key_room.shape[1] < longest:
        raise ValueError("room too short")
    if weight_room.shape[0] != 2 or weight_room.shape[1] < longest:
        raise ValueError("room too short")
    if n_cells == 0 or values.shape[0] == 0:
        gini[:] = NAN
        shares[:, :] = NAN
        out[:, :] = NAN
        below[:, :] = 0
        tied[:, :] = 0
        above[:, :] = 0
        return
    with nogil:
        for c in range(n_cells):
            rank_cell(
                &values[0] + offsets[c], &weights[0] + offsets[c] if weighted else NULL, &persons[0] + offsets[c],
                n_value[c], totals[c], frequency,
                &p[0] if n_p else NULL, n_p, rule, &tops[0] if n_tops else NULL, n_tops,
                &key_room[0, 0], &key_room[1, 0], &weight_room[0, 0], &weight_room[1, 0], &out[c, 0] if n_p else NULL,
                &below[c, 0] if n_p else NULL, &tied[c, 0] if n_p else NULL,
                &above[c, 0] if n_p else NULL, &gini[c], &shares[c, 0] if n_tops else NULL,
            )


def order_cells(
    const double[::1] values not None, const double[::1] weights not None, const int32_t[::1] units not None,
    const int64_t[::1] offsets not None, const int64_t[::1] counts not None, uint64_t[:, ::1] key_room not None,
    double[:, ::1] place_room not None, double[::1] out not None, double[::1] out_weights not None,
    int32_t[::1] out_units not None,
):
    """Sort the rows of each cell by value; equal values by weight, and beyond that they keep their order.

    Parameters
    ----------
    values, units : of shape (n,), weights : float64 of shape (n,) or (0,), IN
    offsets : int64 of shape (n_cells + 1,), counts : int64 of shape (n_cells,), IN
        First row of each cell, and how many of its rows from there are taken.
    key_room : uint64 of shape (2, longest), place_room : float64 of shape (2, longest), OUT
    out, out_weights, out_units : as the inputs, OUT
    """
    cdef int64_t c, i, at, n_cells = offsets.shape[0] - 1, n = values.shape[0]
    cdef bint weighted = weights.shape[0] > 0
    if counts.shape[0] != n_cells or offsets[n_cells] > n or units.shape[0] != n:
        raise ValueError("cells and rows differ in length")
    if out.shape[0] != n or out_units.shape[0] != n or out_weights.shape[0] != weights.shape[0]:
        raise ValueError("rows and outputs differ in length")
    if weighted and weights.shape[0] != n:
        raise ValueError("values and weights differ in length")
    for c in range(n_cells):
        if key_room.shape[0] != 2 or place_room.shape[0] != 2 or min(key_room.shape[1], place_room.shape[1]) < counts[c]:
            raise ValueError("room too short")
    if n == 0:
        return
    with nogil:
        for c in range(n_cells):
            if not counts[c]:
                continue
            for i in range(counts[c]):
                place_room[0, i] = i
            if weighted:
                # As in `ranked`, so that a replicate that draws every unit once is the sample.
                for i in range(counts[c]):
                    key_room[0, i] = ordered(weights[offsets[c] + i])
                sort_keys(counts[c], &key_room[0, 0], &place_room[0, 0], &key_room[1, 0], &place_room[1, 0], True)
            for i in range(counts[c]):
                key_room[0, i] = ordered(values[offsets[c] + <int64_t>place_room[0, i]])
            sort_keys(counts[c], &key_room[0, 0], &place_room[0, 0], &key_room[1, 0], &place_room[1, 0], True)
            for i in range(counts[c]):
                at = offsets[c] + <int64_t>place_room[0, i]
                out[offsets[c] + i] = values[at]
                out_units[offsets[c] + i] = units[at]
                if weighted:
                    out_weights[offsets[c] + i] = weights[at]
