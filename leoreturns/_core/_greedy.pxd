# Greedy matching without replacement, whatever the distance: who is nearest among the donors still free is asked of a
# search that the caller owns.

from libc.stdint cimport int64_t

from leoreturns._core._heap cimport pop, push

# The nearest free donor of a focal unit and how far it is; -1 for none within reach.
ctypedef int64_t (*Search)(void* donors, int64_t unit, double* distance) noexcept nogil
ctypedef void (*Take)(void* donors, int64_t donor) noexcept nogil


cdef inline void in_turn(
    void* donors, Search search, Take take, const int64_t* order, int64_t n, int64_t* out, int64_t stride,
) noexcept nogil:
    """Give each focal unit its nearest free donor, in the order named."""
    cdef int64_t turn, donor
    cdef double distance = 0.0
    for turn in range(n):
        donor = search(donors, order[turn], &distance)
        if donor >= 0:
            take(donors, donor)
            out[order[turn] * stride] = donor


cdef inline void closest_first(
    void* donors, Search search, Take take, const int64_t* order, int64_t n, int64_t* out, int64_t stride,
    double* distances, double* turns,
) noexcept nogil:
    """Match the closest free pair of all, again and again; ``order`` decides between pairs equally close."""
    cdef int64_t turn, donor, size = 0
    cdef double distance = 0.0, held
    for turn in range(n):
        if search(donors, order[turn], &distance) >= 0:
            push(distances, turns, &size, distance, turn)
    while size > 0:
        held = distances[0]
        turn = <int64_t>turns[0]
        pop(distances, turns, &size)
        donor = search(donors, order[turn], &distance)
        if donor < 0:
            continue
        if distance > held:
            # The donor seen before is gone: wait for the turn of the next one.
            push(distances, turns, &size, distance, turn)
            continue
        take(donors, donor)
        out[order[turn] * stride] = donor
