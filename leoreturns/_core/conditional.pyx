"""Conditional logit: likelihood, score and information of each group, given its number of successes.

Given that k of a group's T outcomes are one, their probability is exp(sum of the index over the successes) over the sum
of that over all subsets of k rows. The subsets are never listed: row by row, those of j rows either leave the new row out
or are those of j - 1 rows with it (Gail, Lubin and Rubinstein 1981, Biometrika 68; Howard 1972, J. Royal Statistical
Society B 34). Carried along are the log of each sum, and mean and covariance of the regressors' sum over the subset: those
of a mixture of two distributions, which cost no digits and do not overflow.

Cost per group with d regressors: about k (T - k) (3 d (d + 1) / 2 + 20) operations; where ones are the majority, zeros
take their place.
"""

import numpy as np

from libc.math cimport exp, log1p
from libc.stdint cimport int64_t, uint8_t

from leoreturns._core._groups cimport check_groups


cdef void mix(
    double* log_sum, double* mean, double* spread, const double* x, double index, int64_t j, int64_t t, int64_t d,
    double* apart,
) noexcept nogil:
    """Let the subsets of j among t rows and one more be mixed of those without it and those of j - 1 with it."""
    cdef int64_t a, b, at = 0, m = d * (d + 1) // 2
    cdef double share, rest, gap, scaled
    cdef double* own_mean = mean + j * d
    cdef double* own = spread + j * m
    cdef const double* other_mean = mean + (j - 1) * d
    cdef const double* other = spread + (j - 1) * m
    cdef double entered = log_sum[j - 1] + index
    if j > t:
        log_sum[j] = entered
        for a in range(d):
            own_mean[a] = other_mean[a] + x[a]
        for a in range(m):
            own[a] = other[a]
        return
    gap = log_sum[j] - entered
    if gap > 0.0:
        share = exp(-gap)
        log_sum[j] += log1p(share)
        share /= 1.0 + share
    else:
        rest = exp(gap)
        log_sum[j] = entered + log1p(rest)
        share = 1.0 / (1.0 + rest)
    rest = 1.0 - share
    for a in range(d):
        apart[a] = other_mean[a] + x[a] - own_mean[a]
        own_mean[a] += share * apart[a]
    for a in range(d):
        scaled = share * rest * apart[a]
        for b in range(a, d):
            own[at] = rest * own[at] + share * other[at] + scaled * apart[b]
            at += 1


cdef double one_group(
    const double* rows, const double* beta, const uint8_t* outcome, int64_t n, int64_t d, double* log_sum,
    double* mean, double* spread, double* room, double* score, double* information,
) noexcept nogil:
    """Fill the score and the information of one group and return its log likelihood."""
    cdef int64_t t, a, j, low, high, k = 0, m = d * (d + 1) // 2
    cdef double sign = 1.0, total = 0.0, here
    cdef double* x = room
    cdef double* apart = room + d
    cdef bint chosen, flipped
    for t in range(n):
        k += outcome[t]
    flipped = 2 * k > n
    if flipped:
        k = n - k
        sign = -1.0
    log_sum[0] = 0.0
    for a in range(d):
        mean[a] = 0.0
        score[a] = 0.0
    for a in range(m):
        spread[a] = 0.0
    for t in range(n):
        # About the group's first row: large levels cost no digits.
        here = 0.0
        for a in range(d):
            x[a] = sign * (rows[t * d + a] - rows[a])
            here += beta[a] * x[a]
        chosen = (outcome[t] != 0) != flipped
        if chosen:
            total += here
            for a in range(d):
                score[a] += x[a]
        high = t + 1 if t + 1 < k else k
        low = k - (n - 1 - t)
        low = low if low > 1 else 1
        for j in range(high, low - 1, -1):
            mix(log_sum, mean, spread, x, here, j, t, d, apart)
    for a in range(d):
        score[a] -= mean[k * d + a]
    for a in range(m):
        information[a] = spread[k * m + a]
    return total - log_sum[k]


def groups(
    const double[:, ::1] rows not None, const double[::1] beta not None, const uint8_t[::1] outcome not None,
    const int64_t[::1] starts not None, double[::1] likelihood not None, double[:, ::1] scores not None,
    double[:, ::1] information not None,
):
    """Fill the log likelihood, score and information of each group.

    Parameters
    ----------
    rows : float64 of shape (n, d), IN
        Regressors, one row after the other.
    beta : float64 of shape (d,), IN
        Coefficients.
    outcome : uint8 of shape (n,), IN
        Zeros and ones.
    starts : int64 of shape (g + 1,), IN
        First row of each group, and the end.
    likelihood : float64 of shape (g,), OUT
    scores : float64 of shape (g, d), OUT
        Derivatives of the log likelihood.
    information : float64 of shape (g, d (d + 1) / 2), OUT
        Second derivatives, negative, the upper triangle row by row: the covariance of the score.
    """
    cdef int64_t g, i, k, n = rows.shape[0], d = rows.shape[1], n_groups = starts.shape[0] - 1, largest = 0
    check_groups(starts, n)
    if beta.shape[0] != d or outcome.shape[0] != n:
        raise ValueError("rows, beta and outcome differ in length")
    if likelihood.shape[0] != n_groups or scores.shape[0] != n_groups or information.shape[0] != n_groups:
        raise ValueError("the results must have one row per group")
    if d == 0 or scores.shape[1] != d or information.shape[1] != d * (d + 1) // 2:
        raise ValueError("the results must have one entry per regressor and pair of them")
    for g in range(n_groups):
        k = 0
        for i in range(starts[g], starts[g + 1]):
            if outcome[i] > 1:
                raise ValueError("outcomes are zeros and ones")
            k += outcome[i]
        if starts[g] == starts[g + 1]:
            raise ValueError("a group has no row")
        largest = max(largest, min(k, starts[g + 1] - starts[g] - k))
    if n_groups == 0:
        return
    cdef double[::1] log_sum = np.zeros(largest + 1)
    cdef double[:, ::1] mean = np.zeros((largest + 1, d))
    cdef double[:, ::1] spread = np.zeros((largest + 1, d * (d + 1) // 2))
    cdef double[::1] room = np.zeros(2 * d)
    with nogil:
        for g in range(n_groups):
            i = starts[g]
            likelihood[g] = one_group(
                &rows[i, 0], &beta[0], &outcome[i], starts[g + 1] - i, d, &log_sum[0], &mean[0, 0], &spread[0, 0],
                &room[0], &scores[g, 0], &information[g, 0],
            )
