"""Axes: limits, ticks and how numbers are written along them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, Formatter, FuncFormatter, MaxNLocator, NullLocator

from leoreturns.plots.style import MINUS, PANELS_PER_ROW
from leoreturns.plots.table import Grid
from leoreturns.plots.texts import CURRENCIES
from leoreturns.results.chart import Chart


def dress_axes(axes: Sequence[Axes], chart: Chart, grid: Grid, x_label: str, unit: str) -> None:
    """Give the shared axes their limits, ticks, labels and number formats."""
    amounts = _Amounts(CURRENCIES.get(unit[:3], "") if re.fullmatch(r"\w+/\w+", unit) else "")
    if chart.kind == "gaps":
        _dress_bars(axes[0], grid, x_label, amounts)
        return
    first = axes[0]
    first.yaxis.set_major_locator(MaxNLocator(nbins=6))
    first.yaxis.set_major_formatter(amounts)
    dress_grid(first, grid, n_panel=len(axes), filled=chart.kind == "areas")
    if chart.kind == "areas":
        first.set_ylim(0.0, 100.0)
    for position, axis in enumerate(axes):
        axis.set_xlabel(x_label)
        axis.tick_params(axis="y", labelleft=position % PANELS_PER_ROW == 0)
    if chart.kind == "trajectory" and not _has_line(axes):
        first.yaxis.set_major_locator(NullLocator())
    elif chart.kind == "trajectory" and amounts.sign and first.get_ylim()[0] > 0.0:
        first.set_ylim(bottom=0.0)  # half the money is half the height


def _has_line(axes: Sequence[Axes]) -> bool:
    """Tell whether any number of a line is shown."""
    return any(np.isfinite(line.get_ydata()).any() for axis in axes for line in axis.get_lines())


def dress_grid(first: Axes, grid: Grid, *, n_panel: int = 1, filled: bool = False) -> None:
    """Give the horizontal axis of lines and areas its ticks, their names and its limits."""
    few = len(grid.points) <= (10 if n_panel == 1 else 5)
    if grid.names is not None or few:
        first.xaxis.set_major_locator(FixedLocator(grid.points.tolist()))
    else:
        first.xaxis.set_major_locator(MaxNLocator(nbins=5 if n_panel > 1 else 8, integer=True))
    shown = dict(zip(grid.points.tolist(), grid.names or (), strict=False))
    first.xaxis.set_major_formatter(FuncFormatter(lambda x, _: shown.get(x, f"{x:.10g}")))
    step = 1.0 if grid.names is not None or len(grid.points) == 1 else float(np.diff(grid.points).min())
    # Names are wider than their points: half a step on each side. Areas reach from the first point to the last.
    beyond = 0.5 * step if grid.names is not None else 0.0 if filled and len(grid.points) > 1 else 0.35 * step
    first.set_xlim(grid.points[0] - beyond, grid.points[-1] + beyond)


def _dress_bars(axis: Axes, grid: Grid, x_label: str, amounts: Formatter) -> None:
    """Put the levels along the vertical axis, the first on top, and amounts along the horizontal one."""
    n = len(grid.points)
    names = grid.names or [f"{point:.10g}" for point in grid.points]
    axis.set_ylim(n - 0.5, -0.5)
    axis.yaxis.set_major_locator(FixedLocator(list(range(n))))
    axis.yaxis.set_major_formatter(FixedFormatter(names))
    axis.xaxis.set_major_locator(MaxNLocator(nbins=7))
    axis.xaxis.set_major_formatter(amounts)
    axis.grid(visible=False, axis="y")
    axis.grid(visible=True, axis="x")
    axis.set_xlabel(x_label)


class _Amounts(Formatter):
    """Amounts on an axis: a currency sign in front, commas, and pence on all ticks or on none."""

    def __init__(self, sign: str) -> None:
        self.sign = sign

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the text of one tick on its own."""
        return self.format_ticks([x])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the texts of all ticks."""
        whole = all(abs(x - round(x)) < 1e-9 for x in values)
        form = ",.0f" if whole else ",.2f" if self.sign else ",.4g"
        return [f"{MINUS if x < 0 else ''}{self.sign}{abs(x):{form}}" for x in values]
