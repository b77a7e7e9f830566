"""How the kernels were built, and a planted fault that proves the checked build notices.

Purpose: ``info`` tells the flavour, so that a test run can print it; ``read_past_end`` is wrong on purpose.
Cost: none.
"""

cdef extern from *:
    """
    #ifndef LEORETURNS_CHECKED
    #error "LEORETURNS_CHECKED must be defined as 0 or 1 (see setup.py)"
    #endif
    #ifdef Py_LIMITED_API
    #define LEORETURNS_LIMITED_API Py_LIMITED_API
    #else
    #define LEORETURNS_LIMITED_API 0
    #endif
    """
    const int LEORETURNS_CHECKED
    const unsigned long LEORETURNS_LIMITED_API
    const unsigned long CYTHON_HEX_VERSION


def info():
    """Tell how the kernels were built.

    Returns
    -------
    dict of str to str
        ``flavour`` ("release" or "checked"), ``cython`` (version that generated the C) and ``limited_api`` (oldest
        CPython that the binary serves, or "none").
    """
    cdef unsigned long cython = CYTHON_HEX_VERSION
    cdef unsigned long limited_api = LEORETURNS_LIMITED_API
    return {
        "flavour": "checked" if LEORETURNS_CHECKED else "release",
        "cython": f"{cython >> 24}.{(cython >> 16) & 0xFF}.{(cython >> 8) & 0xFF}",
        "limited_api": f"{limited_api >> 24}.{(limited_api >> 16) & 0xFF}" if limited_api else "none",
    }


cdef double element_past_end(const double[::1] values) noexcept nogil:
    return values[values.shape[0]]


def read_past_end(const double[::1] values not None):
    """Read one element past the end of an array: the planted fault, for the checked build only.

    Inside ``noexcept nogil`` code the IndexError of a bounds check cannot be raised: it is reported as unraisable and
    the read yields 0. A test run that does not turn such reports into failures would pass over a kernel that reads out
    of bounds; a test runs this function to show that ours fails.

    Parameters
    ----------
    values : float64[n]
        IN: any array; its elements are not looked at.

    Returns
    -------
    float
        0.0, after an unraisable IndexError.

    Raises
    ------
    RuntimeError
        On the release build, where the read would be undefined behaviour.
    """
    cdef double element
    if not LEORETURNS_CHECKED:
        raise RuntimeError("read_past_end reads out of bounds: it runs on the checked build only")
    with nogil:
        element = element_past_end(values)
    return element
