# Reading columns of any width through one byte pointer, so that a kernel needs no fused signature and no copy.

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
      #define LR_PREFETCH(p) __builtin_prefetch((const void*)(p))
    #else
      #define LR_PREFETCH(p) ((void)(p))
    #endif
    #ifndef LEORETURNS_EVIDENCE
      #define LEORETURNS_EVIDENCE 1
    #endif
    """
    void LR_PREFETCH(const void* p) noexcept nogil
    # 0 only in the build that benchmarks/evidence_cost.py makes to price the evidence; the compiler then drops the code behind it.
    const bint LEORETURNS_EVIDENCE


cdef inline int64_t read_integer(const uint8_t* data, int itemsize, int64_t i) noexcept nogil:
    """Element ``i`` of a signed integer column whose items are 1, 2, 4 or 8 bytes wide."""
    if itemsize == 1:
        return (<const int8_t*>data)[i]
    if itemsize == 2:
        return (<const int16_t*>data)[i]
    if itemsize == 4:
        return (<const int32_t*>data)[i]
    return (<const int64_t*>data)[i]


# How the items of a value column are to be read.
cdef enum ValueKind:
    FLOATS = 0        # float64, NaN is missing
    INTEGERS = 1      # signed integers, none missing
    CODES = 2         # signed integers, negative is missing
