"""An answer from its results: the sample, the settings, the owners and the versions behind them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from leoreturns.questions.breakdown import Data
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer, Result
from leoreturns.results.estimate import Estimate, Estimates
from leoreturns.results.flow import SampleFlow

REAL = ("real_", "earnings_or_zero")  # how columns of deflated money are called
LIBRARIES = ("leoreturns", "numpy", "pandas", "scipy")


def answer(
    question: str,
    data: Data,
    results: Mapping[str, Result],
    *,
    plan: BootstrapPlan | None,
    arguments: Mapping[str, Any],
    denominators: Mapping[str, str],
    flow: SampleFlow | None = None,
) -> Answer:
    """Return the answer of a question.

    Parameters
    ----------
    question : str
        Name of the function.
    data : Panel or Scan
        What was asked.
    results : mapping of name -> result
    plan : BootstrapPlan or None
    arguments : mapping
        Arguments of the question, as plain values.
    denominators : mapping of str to str
        What the numbers of a kind of table are shares, medians or counts of, in words.
    flow : SampleFlow, optional
        Of the rows used; by default of the data.
    """
    made = data.settings.get("definitions")
    parts = [part for each in results.values() for part in (each.values() if isinstance(each, Estimates) else [each])]
    owners = {owner for part in parts if isinstance(part, Aggregate | Estimate) for owner in part.owners}
    return Answer(
        question=question,
        results=results,
        flow=data.flow if flow is None else flow,
        settings={
            **arguments,
            "denominators": denominators,
            "plan": None if plan is None else plan.settings,
            **({} if made is None else {"definitions": made}),
        },
        owners=tuple(sorted(owners)),
        versions=_versions(),
    )


def source(data: Data, table: Aggregate) -> str:
    """Return what stands under a figure: whose records it is made of, and in whose prices."""
    owners = f"Records of {', '.join(table.owners)}." if table.owners else ""
    year = (data.settings.get("definitions") or {}).get("price_year")
    if table.unit is None or year is None or not (table.variable or "").startswith(REAL):
        return owners
    return f"{owners} Prices of {year}-{(year + 1) % 100:02d}.".strip()


def _versions() -> dict[str, str]:
    """Return the versions behind a result."""
    return {"python": platform.python_version(), **{name: _installed(name) for name in LIBRARIES}}


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
