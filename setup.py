"""Builds the compiled kernels of ``leoreturns._core``; everything else is declared in pyproject.toml.

``LEORETURNS_CHECKED=1`` makes the checked build: bounds, None and initialisation are verified in every kernel.
``LEORETURNS_EVIDENCE=0`` leaves the disclosure evidence out, to measure its cost (benchmarks/bench_evidence.py); such
kernels never go into the source tree or a wheel.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CORE = Path("leoreturns/_core")
CHECKED = os.environ.get("LEORETURNS_CHECKED", "0") == "1"
EVIDENCE = os.environ.get("LEORETURNS_EVIDENCE", "1") == "1"
FLAVOUR = ("checked" if CHECKED else "release") if EVIDENCE else "no-evidence"
LIMITED_API = 0x030B0000
SHARED_UTILITY = "leoreturns._core._cyutility"
GENERATED = Path(f"build/cython-{FLAVOUR}")
N_JOBS = os.cpu_count() or 1

# Directives stand here and never in a .pyx header, which would beat the checked build silently.
DIRECTIVES = {
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
COMPILE_ARGS = ["/O2", "/fp:precise"] if sys.platform == "win32" else ["-O3", "-g0", "-ffp-contract=off"]
MACROS = [
    ("Py_LIMITED_API", hex(LIMITED_API)),
    ("LEORETURNS_CHECKED", str(int(CHECKED))),
    ("LEORETURNS_EVIDENCE", str(int(EVIDENCE))),
]


class BuildKernels(build_ext):
    """``build_ext`` that never leaves a kernel of the other flavour in the source tree."""

    def copy_extensions_to_source(self) -> None:
        """Put the kernels just built beside their sources, whatever stands there."""
        # Without force only a newer file is copied, and the other flavour's kernel in place may be the newer one.
        self.force = True
        if not EVIDENCE:
            raise RuntimeError("kernels without evidence are built with --build-lib, never in place")
        super().copy_extensions_to_source()


def extension(name: str, source: Path) -> Extension:
    """One kernel module; it is built again when this script, with its flags, has changed."""
    return Extension(
        name,
        [str(source)],
        depends=["setup.py"],
        define_macros=MACROS,
        extra_compile_args=COMPILE_ARGS,
        py_limited_api=True,
    )


def discard_stale(generated: Path) -> None:
    """Remove generated C that is older than this script: Cython looks at the .pyx and .pxd only, not at directives."""
    changed = Path("setup.py").stat().st_mtime
    for source in generated.rglob("*.c"):
        if source.stat().st_mtime < changed:
            source.unlink()


kernels = [extension(f"leoreturns._core.{source.stem}", source) for source in sorted(CORE.glob("*.pyx"))]
# Cython's memoryviews and function types, once for all kernels; cythonize writes the C file.
shared = extension(SHARED_UTILITY, CORE / "_cyutility.c")

discard_stale(GENERATED)
setup(
    ext_modules=cythonize(
        [*kernels, shared],
        compiler_directives=DIRECTIVES,
        shared_utility_qualified_name=SHARED_UTILITY,
        build_dir=str(GENERATED),
        # Elsewhere worker processes are spawned and would run this script again.
        nthreads=N_JOBS if sys.platform == "linux" else 0,
    ),
    cmdclass={"build_ext": BuildKernels},
    options={
        "bdist_wheel": {"py_limited_api": "cp311"},
        # Objects and libraries of one flavour are never reused for the other.
        "build": {"build_base": f"build/{FLAVOUR}"},
        "build_ext": {"parallel": N_JOBS},
    },
)
