"""What every test run has in common."""

from __future__ import annotations

from leoreturns._core import build_info


def pytest_report_header() -> str:
    build = build_info()
    return f"kernels: {build['flavour']} build, Cython {build['cython']}, limited API {build['limited_api']}"
