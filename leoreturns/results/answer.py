"""Answer: the named results of one question, with the sample, the settings and the versions behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, TypeAlias

from leoreturns.errors import DisclosureError
from leoreturns.results.adjusted import AdjustedTests
from leoreturns.results.aggregate import INSIDE_ONLY, Aggregate
from leoreturns.results.balance_chart import BalanceChart, OverlapChart
from leoreturns.results.chart import Chart
from leoreturns.results.coefficient_chart import CoefficientChart, EffectChart, SpecificationChart
from leoreturns.results.contour_chart import ContourChart
from leoreturns.results.curve import SpecificationCurve
from leoreturns.results.estimate import Estimate, Estimates
from leoreturns.results.flow import SampleFlow
from leoreturns.results.regression_table import RegressionTable

RegressionChart: TypeAlias = CoefficientChart | SpecificationChart | EffectChart | ContourChart
Regressions: TypeAlias = Estimate | Estimates | RegressionTable | SpecificationCurve | AdjustedTests | RegressionChart
Comparisons: TypeAlias = BalanceChart | OverlapChart
AnyChart: TypeAlias = Chart | RegressionChart | Comparisons
Result: TypeAlias = Aggregate | Chart | Regressions | Comparisons
NAMES = {
    RegressionTable: "table of regressions",
    SpecificationCurve: "specification curve",
    AdjustedTests: "adjusted tests",
    CoefficientChart: "chart of coefficients",
    SpecificationChart: "chart of a specification curve",
    EffectChart: "chart of effects",
    BalanceChart: "chart of balance",
    OverlapChart: "chart of overlap",
    ContourChart: "contours of what an omitted variable would leave",
}
PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Answer:
    """What a question returns: tables, regressions and charts by name, and what they rest on.

    An answer holds numbers of the size of its tables and nothing of the length of persons, rows or replicates. It may
    describe small cells, so it stays inside until `release` has protected it; whatever it prints is names and counts of
    cells. It pickles.

    Attributes
    ----------
    question : str
        Name of the function that was asked.
    results : mapping of name -> Aggregate, Estimate, Estimates, table or curve of regressions, or chart
        In the order in which they are to be read.
    flow : SampleFlow
        Persons and rows of the data asked, after each exclusion.
    settings : mapping
        The arguments of the question, the denominators in words, the plan of intervals and the definitions behind the
        panel, all as plain values: what was asked, never a number found in the data, because a release writes them as
        they are.
    owners : tuple of str
        Owners of the columns used (DfE, HESA, HMRC, DWP).
    versions : mapping of str to str
        Of leoreturns and the libraries that the numbers come from.

    Raises
    ------
    DisclosureError
        If a result is none of these, or a setting is not a plain value: an answer never holds data.
    """

    question: str
    results: Mapping[str, Result]
    flow: SampleFlow
    settings: Mapping[str, Any] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, result in self.results.items():
            if not isinstance(result, Result):
                raise DisclosureError(
                    f"result '{name}' is a {type(result).__name__}: an answer holds tables, regressions and charts, "
                    "never data"
                )
        for name, setting in self.settings.items():
            if not _is_plain(setting):
                raise DisclosureError(f"setting '{name}' is a {type(setting).__name__}, not a plain value")
        # Copies, so that nothing is added through the caller's mappings.
        for name in ("results", "settings", "versions"):
            object.__setattr__(self, name, dict(getattr(self, name)))

    @property
    def tables(self) -> dict[str, Aggregate]:
        """The tables by name."""
        return {name: result for name, result in self.results.items() if isinstance(result, Aggregate)}

    @property
    def estimates(self) -> dict[str, Estimate | Estimates]:
        """The regressions by name."""
        return {name: result for name, result in self.results.items() if isinstance(result, Estimate | Estimates)}

    @property
    def charts(self) -> dict[str, Chart]:
        """The charts by name."""
        return {name: result for name, result in self.results.items() if isinstance(result, Chart)}

    def __getitem__(self, name: str) -> Result:
        """Return a result by name."""
        try:
            return self.results[name]
        except KeyError:
            raise KeyError(f"no result '{name}'; there are {', '.join(self.results)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def _lines(self) -> Iterator[str]:
        """Yield what is told of every result: never a number of a cell."""
        for name, result in self.results.items():
            if isinstance(result, Chart):
                yield f"{name}: {result.kind} of {result.line} by {', '.join(result.data.keys)}"
            elif isinstance(result, Estimate):
                yield f"{name}: {result.method} of {result.outcome}, {len(result.names):,} coefficients"
            elif isinstance(result, Estimates):
                yield f"{name}: {len(result):,} regressions"
            elif isinstance(result, Aggregate):
                keys = ", ".join(result.keys) or "nothing"
                what = ", ".join(result.statistics)
                yield f"{name}: {what} of {result.variable or 'rows'} by {keys}, {result.n_cells:,} cells"
            else:
                yield f"{name}: {NAMES[type(result)]}"

    def __repr__(self) -> str:
        lines = "\n".join(f"  {line}" for line in self._lines())
        return f"Answer of {self.question}: {len(self.results):,} results\n{lines}\n{self.flow!r}\n{INSIDE_ONLY}"

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        return f"<p>Answer of {escape(self.question)}</p><ul>{items}</ul>{self.flow._repr_html_()}<p>{INSIDE_ONLY}</p>"


def _is_plain(value: Any) -> bool:
    """Tell whether a value is made of texts, numbers and lists or mappings of these alone."""
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(part) for name, part in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return type(value) in PLAIN
