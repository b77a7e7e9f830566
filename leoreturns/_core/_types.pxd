# Reading columns of any width through one byte pointer, so that a kernel needs no fused signature and no copy.

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t

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
    #include <stdint.h>
    #include <string.h>
    static inline uint64_t lr_bits(double x) { uint64_t u; memcpy(&u, &x, sizeof u); return u; }
    static inline double lr_double(uint64_t u) { double x; memcpy(&x, &u, sizeof x); return x; }
    """
    uint64_t lr_bits(double x) noexcept nogil
    double lr_double(uint64_t u) noexcept nogil
    void LR_PREFETCH(const void* p) noexcept nogil
    # 0 only in the build with which benchmarks/bench_evidence.py prices the evidence; the compiler then drops the code
    # behind it.
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


cdef inline uint64_t ordered(double x) noexcept nogil:
    """Bit pattern of ``x`` as an unsigned integer in the order of the numbers."""
    cdef uint64_t u = lr_bits(x)
    return u ^ ((0 - (u >> 63)) | <uint64_t>0x8000000000000000)


cdef inline double unordered(uint64_t u) noexcept nogil:
    """Inverse of `ordered`."""
    return lr_double(u ^ (((u >> 63) - 1) | <uint64_t>0x8000000000000000))
