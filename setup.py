"""Builds the compiled kernels of ``leoreturns._core``; everything else is declared in pyproject.toml.

``LEORETURNS_CHECKED=1`` makes the checked build: bounds, None and initialisation are verified in every kernel.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

CORE = Path("leoreturns/_core")
CHECKED = os.environ.get("LEORETURNS_CHECKED", "0") == "1"
LIMITED_API = 0x030B0000

directives = {
    "language_level": 3,
    "wraparound": False,
    "boundscheck": CHECKED,
    "initializedcheck": CHECKED,
    "nonecheck": CHECKED,
    "cdivision": not CHECKED,
    "binding": True,
    "embedsignature": True,
    "freethreading_compatible": True,
}
compile_args = ["/O2", "/fp:precise"] if sys.platform == "win32" else ["-O3", "-g0", "-ffp-contract=off"]
macros = [("Py_LIMITED_API", hex(LIMITED_API)), ("LEORETURNS_CHECKED", str(int(CHECKED)))]

extensions = [
    Extension(
        f"leoreturns._core.{source.stem}",
        [str(source)],
        define_macros=macros,
        extra_compile_args=compile_args,
        py_limited_api=True,
    )
    for source in sorted(CORE.glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives=directives,
        # Generated C of one flavour must never be reused for the other.
        build_dir=f"build/cython-{'checked' if CHECKED else 'release'}",
    ),
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
