"""Marks: lines with their ranges, stacked areas, and bars with their intervals.

Each function draws the groups of one panel, told apart by colour, and returns one artist per group for the legend.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from leoreturns._typing import BoolArray
from leoreturns.plots.style import AREA_COLOURS, COLOURS, DASHES, INK, MARKERS
from leoreturns.plots.table import Grid, along
from leoreturns.results.chart import Chart
from leoreturns.results.interval import column_name
from leoreturns.results.protected import ProtectedTable

BARS = 0.8  # part of a level's place that its bars take


def draw_lines(
    axis: Axes, chart: Chart, table: ProtectedTable, groups: Sequence[BoolArray], grid: Grid
) -> list[Artist]:
    """Draw lines and their ranges; numbers hidden or not observed leave gaps."""
    return [_draw_line(axis, chart, table, cells, grid, style) for style, cells in enumerate(groups)]


def _draw_line(axis: Axes, chart: Chart, table: ProtectedTable, cells: BoolArray, grid: Grid, style: int) -> Artist:
    line = along(table, chart.line, cells, grid)
    colour = COLOURS[style]
    if chart.band is not None:
        low, high = (along(table, name, cells, grid) for name in chart.band)
        axis.fill_between(grid.points, low, high, color=colour, alpha=0.15, linewidth=0)
        alone = _isolated(np.isfinite(low) & np.isfinite(high))
        # A range with gaps on both sides has no area: a bar stands for it.
        axis.vlines(grid.points[alone], low[alone], high[alone], color=colour, alpha=0.3, linewidth=4)
    (drawn,) = axis.plot(
        grid.points, line, color=colour, linestyle=DASHES[style % len(DASHES)], linewidth=1.6,
        marker=MARKERS[style], markersize=4.5, markeredgewidth=0,
    )  # fmt: skip
    return drawn


def draw_areas(
    axis: Axes, chart: Chart, table: ProtectedTable, groups: Sequence[BoolArray], grid: Grid
) -> list[Artist]:
    """Stack shares; one that is hidden, or that nobody has, adds nothing, so that white is left above the areas."""
    bottom, drawn = np.zeros(len(grid.points)), list[Artist]()
    for style, cells in enumerate(groups):
        top = bottom + np.nan_to_num(along(table, chart.line, cells, grid))
        drawn.append(
            axis.fill_between(grid.points, bottom, top, color=AREA_COLOURS[style], edgecolor="white", linewidth=0.6)
        )
        bottom = top
    return drawn


def draw_bars(axis: Axes, chart: Chart, table: ProtectedTable, groups: Sequence[BoolArray], grid: Grid) -> list[Artist]:
    """Draw bars side by side below each other's level, with their intervals; what is hidden has no bar."""
    height, drawn = BARS / len(groups), list[Artist]()
    for style, cells in enumerate(groups):
        at = np.arange(len(grid.points)) + (style - (len(groups) - 1) / 2) * height
        widths = along(table, chart.line, cells, grid)
        bars = axis.barh(at, np.nan_to_num(widths), height * 0.9, color=COLOURS[style], linewidth=0)
        drawn.append(bars[0])
        if column_name(chart.line, "low") in table.columns:
            low, high = (along(table, column_name(chart.line, part), cells, grid) for part in ("low", "high"))
            axis.hlines(at, low, high, color=INK, linewidth=1.0)
    axis.axvline(0.0, color=INK, linewidth=0.8)
    return drawn


def _isolated(known: BoolArray) -> BoolArray:
    """Return the points without a known neighbour."""
    padded = np.concatenate([[False], known, [False]])
    return np.asarray(known & ~padded[:-2] & ~padded[2:])
