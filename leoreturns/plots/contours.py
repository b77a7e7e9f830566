"""Contours of what an omitted variable would leave of a coefficient, drawn from protected numbers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats

from leoreturns._typing import FloatArray
from leoreturns.plots.coefficients import WIDTH, write_around
from leoreturns.plots.style import (
    BOLD,
    COLOURS,
    DPI,
    GRID,
    INK,
    LINE,
    MARGIN,
    TEXT_SIZE,
    TITLE_LINE,
    TITLE_SIZE,
    WIDTH_SINGLE,
    X_AXIS,
    own_style,
)  # fmt: skip
from leoreturns.plots.texts import wrapped
from leoreturns.results.contour_chart import ContourChart, what_is_left
from leoreturns.results.labels import one_line
from leoreturns.results.protected import ProtectedTable

HEIGHT, LEFT = 4.2, 0.62  # inches: of the axes, and of the numbers beside them
STEPS = 201  # of the grid on either axis
LEAST, MOST, BEYOND = 0.1, 0.99, 1.25  # how far axes reach: so far beyond the strongest benchmark, within these


@own_style()
def draw_contours(chart: ContourChart, table: ProtectedTable) -> Figure:
    """Draw lines of equal coefficient, or t, with the line of no effect and the benchmarks.

    Parameters
    ----------
    chart : ContourChart
    table : ProtectedTable
        First the coefficient as it was estimated, then what benchmarks would leave of it.
    """
    coefficient, error, df = (float(table.numbers(name)[0]) for name in ("coefficient", "coefficient_se", "df"))
    points = [table.numbers(name)[1:] for name in ("r2_term", "r2_outcome", chart.quantity)]
    labels = [one_line(str(label)) for label in table.keys["omitted"].values()[1:]]
    whole = bool(np.isfinite([coefficient, error, df]).all())
    note = "" if whole else "No number can be shown: too few persons."
    if whole and np.isnan(points).any():
        note = "Benchmarks of too few persons are not shown."
    title = wrapped(chart.title, WIDTH, TITLE_SIZE * BOLD)
    of = f"t of {chart.term}" if chart.quantity == "t" else f"Coefficient of {chart.term}"
    dashed = "no effect"
    if chart.quantity == "t":
        dashed = f"where the {100 * chart.level:g}% confidence interval comes to hold no effect"
    what = wrapped(f"{of} that an omitted variable would leave; dashed: {dashed}", WIDTH, TEXT_SIZE)
    notes = wrapped(note, WIDTH, TEXT_SIZE)
    above = MARGIN + TITLE_LINE * len(title) + LINE * (len(what) + 0.5)
    below = MARGIN + LINE * len(notes) + X_AXIS
    height = above + HEIGHT + below
    figure = Figure(figsize=(WIDTH_SINGLE, height), dpi=DPI)
    wide = (WIDTH_SINGLE - LEFT - 2 * MARGIN) / WIDTH_SINGLE
    axis = figure.add_axes((LEFT / WIDTH_SINGLE, below / height, wide, HEIGHT / height))
    if whole:
        _lines(axis, chart, coefficient, error, df, _reach(*points[:2]))
        axis.plot(0, 0, marker="^", color=INK, markersize=7, clip_on=False, zorder=4)
        _named(axis, 0.0, 0.0, "as estimated", coefficient / error if chart.quantity == "t" else coefficient)
        for x, y, left, label in zip(*points, labels, strict=True):
            if np.isfinite([x, y, left]).all():
                axis.plot(x, y, linestyle="", marker="D", color=COLOURS[1], markersize=5, zorder=3)
                _named(axis, x, y, label, left)
    axis.grid(visible=False)
    axis.set_xlabel(one_line(chart.x_label) or f"Partial R2 of the omitted variable with {one_line(chart.term)}")
    axis.set_ylabel(one_line(chart.y_label) or "Partial R2 of the omitted variable with the outcome")
    write_around(figure, height, title, what, notes)
    return figure


def _reach(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return how far the axes go."""
    ends = [max([LEAST, *(BEYOND * value[np.isfinite(value)])]) for value in (x, y)]
    return min(ends[0], MOST), min(ends[1], MOST)


def _lines(
    axis: Axes, chart: ContourChart, coefficient: float, error: float, df: float, reach: tuple[float, float]
) -> None:
    """Draw the lines of equal value, and apart the one that decides."""
    x, y = (np.linspace(0.0, end, STEPS) for end in reach)
    left, spread = what_is_left(coefficient, error, df, *np.meshgrid(x, y))
    values = left / spread if chart.quantity == "t" else left
    decides = 0.0
    if chart.quantity == "t":
        decides = float(np.sign(coefficient) * stats.t.isf((1 - chart.level) / 2, df - 1))
    levels = [level for level in MaxNLocator(nbins=10).tick_values(values.min(), values.max()) if level != decides]
    lines = axis.contour(x, y, values, levels=levels, colors="#8C8C8C", linewidths=0.8, linestyles="-")
    axis.clabel(lines, fmt="%g", fontsize=TEXT_SIZE - 1)
    if values.min() <= decides <= values.max():
        line = axis.contour(x, y, values, levels=[decides], colors=COLOURS[1], linewidths=1.4, linestyles="--")
        axis.clabel(line, fmt="%.3g", fontsize=TEXT_SIZE - 1)


def _named(axis: Axes, x: float, y: float, label: str, value: float) -> None:
    axis.annotate(
        f"{label} ({value:.3g})", (x, y), xytext=(6, 5), textcoords="offset points", fontsize=TEXT_SIZE - 1,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": GRID, "linewidth": 0.3}, zorder=5,
    )  # fmt: skip
