"""A figure from a chart and a protected table."""

from __future__ import annotations

import io

from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from leoreturns.errors import SupportError
from leoreturns.plots.axes import dress_axes
from leoreturns.plots.balance import draw_balance, draw_overlap
from leoreturns.plots.coefficients import draw_coefficients, draw_specifications
from leoreturns.plots.contours import draw_contours
from leoreturns.plots.effects import draw_effects
from leoreturns.plots.flows import draw_flows
from leoreturns.plots.layout import Layout
from leoreturns.plots.marks import draw_areas, draw_bars, draw_lines
from leoreturns.plots.style import AREA_COLOURS, COLOURS, MAX_PANELS, TEXT_SIZE, own_style
from leoreturns.plots.table import cells_of, grid_of, levels_of, name_of
from leoreturns.plots.texts import texts_of
from leoreturns.results.answer import AnyChart
from leoreturns.results.balance_chart import BalanceChart, OverlapChart
from leoreturns.results.chart import Chart
from leoreturns.results.coefficient_chart import CoefficientChart, EffectChart, SpecificationChart
from leoreturns.results.contour_chart import ContourChart
from leoreturns.results.protected import ProtectedTable

# How each kind of chart is drawn, and with which colours.
MARKS = {"trajectory": (draw_lines, COLOURS), "areas": (draw_areas, AREA_COLOURS), "gaps": (draw_bars, COLOURS)}


def png_bytes(chart: AnyChart, table: ProtectedTable) -> bytes:
    """Draw a chart (see `draw`) as a PNG without metadata; the same numbers give the same bytes."""
    match chart:
        case CoefficientChart():
            figure = draw_coefficients(chart, table)
        case SpecificationChart():
            figure = draw_specifications(chart, table)
        case EffectChart():
            figure = draw_effects(chart, table)
        case BalanceChart():
            figure = draw_balance(chart, table)
        case OverlapChart():
            figure = draw_overlap(chart, table)
        case ContourChart():
            figure = draw_contours(chart, table)
        case Chart(kind="flows"):
            figure = draw_flows(chart, table)
        case _:
            figure = draw(chart, table)
    stream = io.BytesIO()
    with own_style():
        FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return stream.getvalue()


@own_style()
def draw(chart: Chart, table: ProtectedTable) -> Figure:
    """Draw the lines, areas or bars of a statistic over a key, by colour and panel; flows have `draw_flows`.

    Parameters
    ----------
    chart : Chart
        What is drawn along which axis, and the texts.
    table : ProtectedTable
        The numbers; of gaps, those of the contrasts. Hidden ones leave gaps, which a note under the figure explains.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot.

    Raises
    ------
    SupportError
        If there are more colours or panels than can be told apart.
    """
    draw_marks, palette = MARKS[chart.kind]
    panels, colours = levels_of(table, chart.panel), levels_of(table, chart.colour)
    if len(colours) > len(palette) or len(panels) > MAX_PANELS:
        raise SupportError(
            f"a chart has at most {len(palette)} colours and {MAX_PANELS} panels, "
            f"not {len(colours)} and {len(panels)}: group the levels"
        )
    names = [] if chart.colour is None else [name_of(table, chart.colour, level) for level in colours]
    grid = grid_of(table, chart.x)
    n_bar = len(grid.points) * len(colours) if chart.kind == "gaps" else 0
    layout = Layout(n_panel=len(panels), texts=texts_of(chart, table, len(panels)), names=names, n_bar=n_bar)
    figure, axes = layout.canvas()
    handles: list[Artist] = []
    for axis, panel in zip(axes, panels, strict=True):
        inside = cells_of(table, chart.panel, panel)
        groups = [inside & cells_of(table, chart.colour, colour) for colour in colours]
        drawn = draw_marks(axis, chart, table, groups, grid)
        handles = handles or drawn
        if chart.panel is not None:
            axis.set_title(name_of(table, chart.panel, panel), fontsize=TEXT_SIZE, fontweight="bold", loc="left")
    dress_axes(axes, chart, grid, layout.texts.x_label, table.columns[chart.line].unit)
    layout.place(figure, axes, handles)
    return figure
