"""Figures of a comparison, drawn from protected numbers: balance of the covariates, overlap of the score."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from leoreturns.plots.layout import Layout
from leoreturns.plots.style import (
    BOLD,
    COLOURS,
    DASHES,
    GRID,
    INK,
    MARGIN,
    MARKERS,
    TEXT_SIZE,
    TITLE_SIZE,
    WIDTH_SINGLE,
    own_style,
)  # fmt: skip
from leoreturns.plots.texts import Texts, sentence, wrapped
from leoreturns.results.balance_chart import BalanceChart, OverlapChart
from leoreturns.results.labels import one_line
from leoreturns.results.protected import ProtectedTable

WIDTH = WIDTH_SINGLE - 2 * MARGIN
TIMES = ("Before", "After")


@own_style()
def draw_balance(chart: BalanceChart, table: ProtectedTable) -> Figure:
    """Draw standardised differences below each other, before and after, the largest before on top.

    Parameters
    ----------
    chart : BalanceChart
    table : ProtectedTable
        The differences by covariate and sample. Hidden ones are not drawn; a note names them.
    """
    names = list(table.keys["covariate"].labels)
    differences = table.numbers("standardised_difference").reshape(-1, len(TIMES))
    shown = np.isfinite(differences)
    # Hidden ones come last: a place among the others would tell their size.
    order = np.argsort(np.where(shown[:, 0], -np.abs(differences[:, 0]), np.inf), kind="stable")
    labels = [one_line(chart.labels.get(names[at], names[at])) for at in order]
    hidden = [label for label, at in zip(labels, order, strict=True) if not shown[at].all()]
    note = f"Too few persons for a number to be shown: {', '.join(hidden)}." if hidden else ""
    texts = Texts(
        title=wrapped(chart.title, WIDTH, TITLE_SIZE * BOLD),
        what=wrapped("Differences in means, in standard deviations", WIDTH, TEXT_SIZE),
        x_label=one_line(chart.x_label) or "Standardised difference",
        notes=wrapped(note, WIDTH, TEXT_SIZE),
    )
    layout = Layout(n_panel=1, texts=texts, names=list(TIMES), n_bar=2 * len(names))
    figure, (axis,) = layout.canvas()
    at = np.arange(len(names), dtype=np.float64)
    axis.hlines(at, *np.sort(differences[order], axis=1).T, color=GRID, linewidth=2.0, zorder=1.5)
    drawn: list[Artist] = []
    # Open marks before, smaller filled ones after: told apart without colour, and where both fall on one place.
    for when, (size, filled) in enumerate(((7.0, False), (4.5, True))):
        (points,) = axis.plot(
            differences[order, when], at, linestyle="", marker=MARKERS[when], markersize=size, color=COLOURS[when],
            markerfacecolor=COLOURS[when] if filled else "white",
        )  # fmt: skip
        drawn.append(points)
    axis.axvline(0.0, color=INK, linewidth=0.9, zorder=0.9)
    if chart.threshold is not None:
        for side in (-chart.threshold, chart.threshold):
            axis.axvline(side, color=INK, linewidth=0.9, linestyle=DASHES[2], zorder=0.9)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.yaxis.set_major_locator(FixedLocator(list(range(len(names)))))
    axis.yaxis.set_major_formatter(FixedFormatter(labels))
    axis.grid(visible=False, axis="y")
    axis.grid(visible=True, axis="x")
    axis.set_xlabel(texts.x_label)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
    layout.place(figure, [axis], drawn)
    return figure


@own_style()
def draw_overlap(chart: OverlapChart, table: ProtectedTable) -> Figure:
    """Draw the spread of the score in each arm as steps: area is share.

    Parameters
    ----------
    chart : OverlapChart
    table : ProtectedTable
        Shares by arm and bin. An arm of too few persons is not drawn, and a note says so.
    """
    key, shares = table.keys["arm"], table.numbers("share")
    low, high = (np.array(table.keys[name].values(), dtype=np.float64) for name in ("from", "to"))
    step = float((high - low).min())
    names = [one_line(str(label)) for label in key.labels]
    missing = [name for code, name in enumerate(names) if np.isnan(shares[key.codes == code]).any()]
    notes = [*table.notes, f"Too few persons to be shown: {', '.join(missing)}." if missing else ""]
    texts = Texts(
        title=wrapped(chart.title, WIDTH, TITLE_SIZE * BOLD),
        what=wrapped(f"Per cent of the persons of each arm, per {step:.10g} of the score", WIDTH, TEXT_SIZE),
        x_label=one_line(chart.x_label) or sentence(table.variable or "score"),
        notes=wrapped(" ".join(notes), WIDTH, TEXT_SIZE),
    )
    layout = Layout(n_panel=1, texts=texts, names=names)
    figure, (axis,) = layout.canvas()
    drawn: list[Artist] = []
    for code in range(len(names)):
        own = key.codes == code
        edges = np.append(low[own], high[own][-1])
        heights = np.nan_to_num(shares[own] / (high[own] - low[own]) * step)
        colour, dashes = COLOURS[code], DASHES[code % len(DASHES)]
        axis.stairs(heights, edges, fill=True, color=colour, alpha=0.2, linewidth=0)
        axis.stairs(heights, edges, color=colour, linewidth=1.6, linestyle=dashes)
        drawn += axis.plot([], [], color=colour, linewidth=1.6, linestyle=dashes)
    axis.set_ylim(bottom=0.0)
    axis.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axis.set_xlabel(texts.x_label)
    layout.place(figure, [axis], drawn)
    return figure
