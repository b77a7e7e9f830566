"""Figures of treatment effects along years or groups, drawn from protected numbers."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leoreturns.errors import SupportError
from leoreturns.plots.axes import dress_grid
from leoreturns.plots.layout import Layout
from leoreturns.plots.style import (
    BOLD,
    COLOURS,
    DASHES,
    INK,
    MARGIN,
    MARKERS,
    TEXT_SIZE,
    TITLE_SIZE,
    WIDTH_SINGLE,
    own_style,
)
from leoreturns.plots.table import along, cells_of, grid_of, levels_of, name_of
from leoreturns.plots.texts import Texts, sentence, wrapped
from leoreturns.results.coefficient_chart import EffectChart
from leoreturns.results.labels import one_line
from leoreturns.results.protected import ProtectedTable

WIDTH = WIDTH_SINGLE - 2 * MARGIN
GAPS = "Gaps: too few persons, or sampling units, for the number to be shown."


@own_style()
def draw_effects(chart: EffectChart, table: ProtectedTable) -> Figure:
    """Draw effects over a key: lines, the interval of each effect darker, the band of all of them lighter.

    Parameters
    ----------
    chart : EffectChart
    table : ProtectedTable
        One cell per effect; hidden numbers leave gaps, which a note explains.

    Raises
    ------
    SupportError
        If there are more colours than can be told apart.
    """
    colours = levels_of(table, chart.colour)
    if len(colours) > len(COLOURS):
        raise SupportError(f"a chart of effects has at most {len(COLOURS)} colours, not {len(colours)}")
    level = chart.data.level if chart.level is None else chart.level
    what = chart.y_label or f"Effect on {chart.data.outcome.replace('_', ' ')}"
    shaded = f"{what}; darker: {100 * level:g}% confidence interval, lighter: simultaneous confidence band"
    hidden = any(np.isnan(table.numbers(name)).any() for name in table.columns)
    texts = Texts(
        title=wrapped(chart.title, WIDTH, TITLE_SIZE * BOLD),
        what=wrapped(shaded, WIDTH, TEXT_SIZE),
        x_label=one_line(chart.x_label) or sentence(chart.x),
        notes=[*wrapped(GAPS if hidden else "", WIDTH, TEXT_SIZE), *wrapped(chart.source, WIDTH, TEXT_SIZE)],
    )
    names = [] if chart.colour is None else [name_of(table, chart.colour, own) for own in colours]
    layout = Layout(n_panel=1, texts=texts, names=names)
    figure, (axis,) = layout.canvas()
    grid = grid_of(table, chart.x)
    drawn: list[Artist] = []
    for style, own in enumerate(colours):
        cells, colour = cells_of(table, chart.colour, own), COLOURS[style]
        for part, alpha in (("band_", 0.12), ("", 0.25)):
            low, high = (along(table, f"coefficient_{part}{end}", cells, grid) for end in ("low", "high"))
            axis.fill_between(grid.points, low, high, color=colour, alpha=alpha, linewidth=0)
        (line,) = axis.plot(
            grid.points, along(table, "coefficient", cells, grid), color=colour, linestyle=DASHES[style % len(DASHES)],
            linewidth=1.6, marker=MARKERS[style], markersize=4.5, markeredgewidth=0,
        )  # fmt: skip
        drawn.append(line)
    if chart.reference is not None:
        axis.axhline(chart.reference, color=INK, linewidth=0.9, zorder=0.9)
    axis.yaxis.set_major_locator(MaxNLocator(nbins=6))
    dress_grid(axis, grid)
    axis.set_xlabel(texts.x_label)
    layout.place(figure, [axis], drawn)
    return figure
