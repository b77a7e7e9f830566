"""Compiled kernels: arrays in, arrays out. They know no economics and import nothing else of leoreturns."""

from leoreturns._core import build

__all__ = ["build_info"]


def build_info() -> dict[str, str]:
    """Tell how the kernels of this installation were built.

    Returns
    -------
    dict of str to str
        ``flavour``: "release", or "checked" where every kernel verifies bounds, None and initialisation;
        ``cython``: version that generated the C code; ``limited_api``: the oldest CPython that the binaries serve, or
        "none".
    """
    return build.info()
