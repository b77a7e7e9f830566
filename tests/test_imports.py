"""What importing the package costs: matplotlib and formulaic wait until a figure is drawn or a formula is read."""

from __future__ import annotations

import subprocess
import sys

SLOW = ("matplotlib", "formulaic")


def loaded(code: str) -> set[str]:
    """Return which of the slow packages a fresh interpreter has loaded after some code."""
    ends = f"import sys; print(*[name for name in {SLOW!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{code}; {ends}"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_loads_neither_matplotlib_nor_formulaic() -> None:
    assert loaded("import leoreturns") == set()


def test_the_slow_packages_are_loaded_by_what_needs_them() -> None:
    assert loaded("import leoreturns.plots") == {"matplotlib"}
    parsed = "from leoreturns.estimation.formula import parse; parse('y ~ x')"
    assert loaded(parsed) == {"formulaic"}
