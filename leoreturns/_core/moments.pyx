"""Counts, moments and disclosure evidence of every cell.

One call takes the cells of `gather` in turn. While a cell is in cache it moves the rows with a value to the front of
the cell (so that `quantiles` finds them there), counts rows and persons, adds up person totals and keeps the two
largest, hashes the set of persons, sums the values exactly and then, with the mean known, the squared deviations. Cost:
about four short passes over the values of a cell; memory: none of the rows' length.
"""

from libc.math cimport NAN, fabs
from libc.stdint cimport int32_t, int64_t, uint64_t

from leoreturns._core._sums cimport exact_sum, sum_of_squares
from leoreturns._core._types cimport LEORETURNS_EVIDENCE

# Columns of the outputs, in order.
COUNTS = ("n_obs", "n_value", "n_person", "n_person_value", "n_person_nonzero", "n_person_zero", "n_negative", "n_zero")
NUMBERS = ("sum", "mean", "squares", "low", "high", "total_absolute", "top1", "top2", "weight", "weight_squared")

cdef enum:
    N_OBS, N_VALUE, N_PERSON, N_PERSON_VALUE, N_PERSON_NONZERO, N_PERSON_ZERO, N_NEGATIVE, N_ZERO, N_COUNTS
cdef enum:
    SUM, MEAN, SQUARES, LOW, HIGH, TOTAL_ABSOLUTE, TOP1, TOP2, WEIGHT, WEIGHT_SQUARED, N_NUMBERS


cdef bint once_each(const int32_t* persons, int64_t n) noexcept nogil:
    """Whether no person has two rows; equal persons are adjacent."""
    cdef int64_t i
    cdef int32_t repeated = 0
    for i in range(1, n):
        repeated |= persons[i] == persons[i - 1]
    return not repeated


cdef int64_t values_only(double* x, double* w, int64_t n) noexcept nogil:
    """Move the rows with a value to the front and return how many; the build without evidence does no more."""
    cdef int64_t i, k = 0
    for i in range(n):
        x[k] = x[i]
        if w != NULL:
            w[k] = w[i]
        k += x[i] == x[i]
    return k


cdef int64_t single_rows(
    double* x, double* w, int32_t* persons, int64_t n, const uint64_t* keys, int64_t* counts, uint64_t* prints,
) noexcept nogil:
    """`persons_and_values` where no person has two rows; person totals are the values and left to others."""
    cdef int64_t i, k = 0
    cdef uint64_t key, everybody = 0, with_value = 0
    cdef double v
    cdef int32_t person
    cdef bint ok
    for i in range(n):
        v = x[i]
        ok = v == v
        person = persons[i]
        key = keys[person]
        everybody += key
        with_value += key & (0 - <uint64_t>ok)
        x[k] = v
        persons[k] = person
        if w != NULL:
            w[k] = w[i]
        k += ok
    counts[N_PERSON] = n
    counts[N_PERSON_VALUE] = k
    prints[0] = everybody
    prints[1] = with_value
    return k


cdef int64_t persons_and_values(
    double* x, double* w, int32_t* persons, int64_t n, const uint64_t* keys, int64_t* counts, double* numbers,
    uint64_t* prints,
) noexcept nogil:
    """Move the rows with a value to the front, return how many, and take the evidence of the persons."""
    cdef int64_t i, k = 0, n_person = 0, n_person_value = 0
    cdef int32_t person
    cdef double total, size, sizes = 0.0, top1 = 0.0, top2 = 0.0
    cdef bint any_value
    prints[0] = prints[1] = 0
    i = 0
    while i < n:
        person = persons[i]
        total = 0.0
        any_value = False
        while i < n and persons[i] == person:
            x[k] = x[i]
            persons[k] = person
            if w != NULL:
                w[k] = w[i]
            if x[i] == x[i]:
                total += x[i]
                any_value = True
                k += 1
            i += 1
        n_person += 1
        n_person_value += any_value
        size = fabs(total)
        sizes += size
        if size > top2:
            top2 = size if size < top1 else top1
            top1 = size if size > top1 else top1
        prints[0] += keys[person]
        prints[1] += keys[person] & (0 - <uint64_t>any_value)
    counts[N_PERSON] = n_person
    counts[N_PERSON_VALUE] = n_person_value
    numbers[TOTAL_ABSOLUTE] = sizes
    numbers[TOP1] = top1
    numbers[TOP2] = top2
    return k


cdef void extremes(const double* x, int64_t n, double* low, double* high) noexcept nogil:
    """Smallest and largest value; four independent lanes, because one would wait for itself at every step."""
    cdef double a[4]
    cdef double b[4]
    cdef int64_t i = 0
    cdef int k
    for k in range(4):
        a[k] = x[0]
        b[k] = x[0]
    while i + 3 < n:
        for k in range(4):
            a[k] = x[i + k] if x[i + k] < a[k] else a[k]
            b[k] = x[i + k] if x[i + k] > b[k] else b[k]
        i += 4
    while i < n:
        a[0] = x[i] if x[i] < a[0] else a[0]
        b[0] = x[i] if x[i] > b[0] else b[0]
        i += 1
    for k in range(1, 4):
        a[0] = a[k] if a[k] < a[0] else a[0]
        b[0] = b[k] if b[k] > b[0] else b[0]
    low[0] = a[0]
    high[0] = b[0]


cdef void signs(
    const double* x, const int32_t* persons, int64_t n, double low, double high, int64_t* counts,
) noexcept nogil:
    """Count rows below and at zero, and the persons with a value other than zero and with a zero."""
    cdef int64_t i, negative = 0, zero = 0, with_zero = 0, with_other = 0
    cdef int32_t last = -1
    cdef bint seen_zero = True, seen_other = True
    if low > 0.0 or high < 0.0:
        counts[N_NEGATIVE] = n if high < 0.0 else 0
        counts[N_PERSON_NONZERO] = counts[N_PERSON_VALUE]
        return
    for i in range(n):
        negative += x[i] < 0.0
        zero += x[i] == 0.0
        if LEORETURNS_EVIDENCE:
            if persons[i] != last:
                last = persons[i]
                seen_zero = False
                seen_other = False
            if x[i] == 0.0:
                with_zero += not seen_zero
                seen_zero = True
            else:
                with_other += not seen_other
                seen_other = True
    counts[N_NEGATIVE] = negative
    counts[N_ZERO] = zero
    counts[N_PERSON_NONZERO] = with_other
    counts[N_PERSON_ZERO] = with_zero


cdef void cell(
    double* x, double* w, double* products, int32_t* persons, int64_t n, const uint64_t* keys, bint rising,
    int64_t* counts, double* numbers, uint64_t* prints,
) noexcept nogil:
    cdef int64_t i, k
    cdef double high, low, largest
    cdef bint single = True
    counts[N_OBS] = n
    counts[N_PERSON] = counts[N_PERSON_VALUE] = counts[N_PERSON_NONZERO] = counts[N_PERSON_ZERO] = 0
    counts[N_NEGATIVE] = counts[N_ZERO] = 0
    numbers[SUM] = numbers[WEIGHT] = numbers[WEIGHT_SQUARED] = 0.0
    numbers[TOTAL_ABSOLUTE] = numbers[TOP1] = numbers[TOP2] = 0.0
    numbers[MEAN] = numbers[SQUARES] = numbers[LOW] = numbers[HIGH] = NAN
    if LEORETURNS_EVIDENCE:
        single = rising or once_each(persons, n)
        if single:
            k = single_rows(x, w, persons, n, keys, counts, prints)
        else:
            k = persons_and_values(x, w, persons, n, keys, counts, numbers, prints)
    else:
        k = values_only(x, w, n)
    counts[N_VALUE] = k
    if k == 0:
        return
    extremes(x, k, &numbers[LOW], &numbers[HIGH])
    signs(x, persons, k, numbers[LOW], numbers[HIGH], counts)
    largest = max(fabs(numbers[LOW]), fabs(numbers[HIGH]))
    if w == NULL:
        exact_sum(x, k, largest, &high, &low)
        numbers[WEIGHT] = <double>k
        numbers[WEIGHT_SQUARED] = <double>k
    else:
        weights_of(x, w, products, k, numbers)
        largest = 0.0
        for i in range(k):
            largest = max(largest, fabs(products[i]))
        exact_sum(products, k, largest, &high, &low)
    numbers[SUM] = high
    if LEORETURNS_EVIDENCE and single:
        if w != NULL or numbers[LOW] < 0.0:
            sizes(x, k, numbers)
        else:
            # The second largest value is an order statistic, which the percentile kernel finds on its way.
            numbers[TOTAL_ABSOLUTE] = numbers[SUM]
            numbers[TOP1] = numbers[HIGH]
            numbers[TOP2] = NAN
    if numbers[WEIGHT] > 0.0:
        numbers[MEAN] = high / numbers[WEIGHT] + low / numbers[WEIGHT]
        if numbers[LOW] == numbers[HIGH]:
            # A mean of equal values is that value, whatever the rounding of the division.
            numbers[MEAN] = numbers[LOW]
        numbers[SQUARES] = sum_of_squares(x, w, k, numbers[MEAN])


cdef void sizes(const double* x, int64_t n, double* numbers) noexcept nogil:
    """Sum of the absolute values and the two largest of them."""
    cdef int64_t i
    cdef double size, total = 0.0, top1 = 0.0, top2 = 0.0
    for i in range(n):
        size = fabs(x[i])
        total += size
        if size > top2:
            top2 = size if size < top1 else top1
            top1 = size if size > top1 else top1
    numbers[TOTAL_ABSOLUTE] = total
    numbers[TOP1] = top1
    numbers[TOP2] = top2


cdef void weights_of(const double* x, const double* w, double* products, int64_t n, double* numbers) noexcept nogil:
    """Weighted values, the sum of the weights and of their squares."""
    cdef int64_t i
    cdef double largest = 0.0, squared = 0.0, high, low
    for i in range(n):
        products[i] = w[i] * x[i]
        squared += w[i] * w[i]
        largest = max(largest, w[i])
    exact_sum(w, n, largest, &high, &low)
    numbers[WEIGHT] = high
    numbers[WEIGHT_SQUARED] = squared


def summarise(
    double[::1] values not None, double[::1] weights not None, int32_t[::1] persons not None,
    const int64_t[::1] offsets not None, const uint64_t[::1] keys not None, bint rising,
    double[::1] products not None, int64_t[:, ::1] counts not None, double[:, ::1] numbers not None,
    uint64_t[:, ::1] prints not None,
):
    """Counts, moments and evidence of each cell.

    Parameters
    ----------
    values : float64 of shape (n,), IN/OUT
        Values cell by cell, NaN where missing. On return the values of each cell stand at its front, in their order.
    weights : float64 of shape (n,) or (0,), IN/OUT
        Weights beside the values, or empty for none; moved with them.
    persons : int32 of shape (n,), IN/OUT
        Position of each row's person in ``keys``, equal persons adjacent within a cell; moved with the values.
    offsets : int64 of shape (n_cells + 1,), IN
        First row of each cell.
    keys : uint64, IN
        64-bit key of every person.
    rising : bool
        Whether it is known that no person has two rows in a cell; else each cell is looked through.
    products : float64 of shape (n,) or (0,), OUT
        Room for weighted values; empty without weights.
    counts : int64 of shape (n_cells, 8), OUT
        Columns `COUNTS`.
    numbers : float64 of shape (n_cells, 10), OUT
        Columns `NUMBERS`: the exact sum of (weighted) values, their mean, the (weighted) sum of squared deviations from
        it, the extremes, the sum of absolute person totals and the two largest of them (unweighted), the sum of weights
        and of their squares. NaN where there is no value. The second largest person total is NaN too where it is the
        second largest value, which `quantiles.percentiles` finds.
    prints : uint64 of shape (n_cells, 2), OUT
        Sum of the keys of a cell's persons, and of its persons with a value.
    """
    cdef int64_t c, start, n_cells = offsets.shape[0] - 1
    cdef int64_t n = values.shape[0]
    cdef bint weighted = weights.shape[0] > 0
    cdef double* x = NULL
    cdef double* w = NULL
    cdef double* room = NULL
    cdef int32_t* who = NULL
    cdef const uint64_t* key = NULL
    if counts.shape[0] != n_cells or numbers.shape[0] != n_cells or prints.shape[0] != n_cells:
        raise ValueError("outputs and offsets differ in length")
    if counts.shape[1] != N_COUNTS or numbers.shape[1] != N_NUMBERS or prints.shape[1] != 2:
        raise ValueError("outputs have the wrong number of columns")
    if offsets[n_cells] > n or persons.shape[0] != n:
        raise ValueError("values, persons and offsets differ in length")
    if weighted and (weights.shape[0] != n or products.shape[0] != n):
        raise ValueError("values, weights and products differ in length")
    # Without a row there is nothing to point at.
    if n:
        x, who, key = &values[0], &persons[0], &keys[0]
    if weighted:
        w, room = &weights[0], &products[0]
    with nogil:
        for c in range(n_cells):
            start = offsets[c]
            cell(
                x + start, w + start if weighted else NULL, room + start if weighted else NULL, who + start,
                offsets[c + 1] - start, key, rising, &counts[c, 0], &numbers[c, 0], &prints[c, 0],
            )
