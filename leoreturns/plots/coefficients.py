"""Figures of regressions, drawn from protected numbers: coefficients, and one coefficient over specifications."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from leoreturns._typing import BoolArray, FloatArray
from leoreturns.errors import SupportError
from leoreturns.plots.layout import Layout
from leoreturns.plots.style import (
    BOLD,
    COLOURS,
    DPI,
    HEIGHT_SINGLE,
    INK,
    LETTER,
    LINE,
    MARGIN,
    MARKERS,
    TEXT_SIZE,
    TITLE_LINE,
    TITLE_SIZE,
    WIDTH_SINGLE,
    X_AXIS,
    own_style,
)  # fmt: skip
from leoreturns.plots.texts import Texts, wrapped
from leoreturns.results.coefficient_chart import CoefficientChart, SpecificationChart
from leoreturns.results.labels import one_line
from leoreturns.results.protected import ProtectedTable

WIDTH = WIDTH_SINGLE - 2 * MARGIN
APART = 0.62  # part of a coefficient's place over which the regressions are spread
CHOICE = 0.17  # height of a choice's row, in inches
NOT_SHOWN = "Too few persons for the number to be shown:"


@own_style()
def draw_coefficients(chart: CoefficientChart, table: ProtectedTable) -> Figure:
    """Draw coefficients below each other with their intervals, regressions side by side.

    Parameters
    ----------
    chart : CoefficientChart
    table : ProtectedTable
        Its coefficients by model and name; hidden ones are not drawn, and a note names them.

    Raises
    ------
    SupportError
        If there are more regressions than colours.
    """
    headings = chart.data.headings
    if len(headings) > len(COLOURS):
        raise SupportError(f"a chart of coefficients has at most {len(COLOURS)} regressions, not {len(headings)}")
    places = chart.places
    model, names = table.keys["model"].codes, np.array(table.keys["name"].values(), dtype=object)
    at = {name: place for place, (_, name) in enumerate(places) if name}
    place = np.array([at[name] for name in names], dtype=np.float64)
    estimate, low, high = (table.numbers(f"coefficient{part}") for part in ("", "_low", "_high"))
    texts = Texts(
        title=wrapped(chart.title, WIDTH, TITLE_SIZE * BOLD),
        what=wrapped(f"Coefficients and {100 * chart.data.level:g}% confidence intervals", WIDTH, TEXT_SIZE),
        x_label=one_line(chart.x_label) or "Coefficient",
        notes=wrapped(_hidden_names(chart, names, np.isnan(estimate)), WIDTH, TEXT_SIZE),
    )
    legend = [] if len(headings) == 1 else list(headings)
    layout = Layout(n_panel=1, texts=texts, names=legend, n_bar=len(places) * max(2, len(headings) + 1) - 2)
    figure, (axis,) = layout.canvas()
    drawn: list[Artist] = []
    for number, colour in enumerate(COLOURS[: len(headings)]):
        own = model == number
        shift = (number - (len(headings) - 1) / 2) * APART / len(headings)
        axis.hlines(place[own] + shift, low[own], high[own], color=colour, linewidth=1.4)
        (points,) = axis.plot(
            estimate[own], place[own] + shift, linestyle="", marker=MARKERS[number], color=colour, markersize=5.0,
            markeredgewidth=0,
        )  # fmt: skip
        drawn.append(points)
    _rows(axis, [one_line(label) for label, _ in places], {at for at, (_, name) in enumerate(places) if not name})
    _reference(axis, chart.reference, vertical=True)
    axis.grid(visible=False, axis="y")
    axis.grid(visible=True, axis="x")
    axis.set_xlabel(texts.x_label)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=7))
    layout.place(figure, [axis], drawn)
    return figure


@own_style()
def draw_specifications(chart: SpecificationChart, table: ProtectedTable) -> Figure:
    """Draw a coefficient over specifications in the order of its size, above the choices of each.

    Parameters
    ----------
    chart : SpecificationChart
    table : ProtectedTable
        One cell per specification in the order drawn; its keys are the choices.
    """
    estimate, low, high = (table.numbers(f"coefficient{part}") for part in ("", "_low", "_high"))
    at, shown = np.arange(len(estimate), dtype=np.float64), np.isfinite(estimate)
    rows = _choices(table)
    kept = f"{100 * chart.data.level:g}% confidence intervals"
    what = wrapped(f"{chart.y_label or f'Coefficient of {chart.data.name}'}, {kept}", WIDTH, TEXT_SIZE)
    title = wrapped(chart.title, WIDTH, TITLE_SIZE * BOLD)
    note = "" if shown.all() else "On the right: specifications of too few persons for the number to be shown."
    notes = wrapped(note, WIDTH, TEXT_SIZE)
    above = MARGIN + TITLE_LINE * len(title) + LINE * (len(what) + 0.5)
    below = CHOICE * (len(rows) + 1)
    height = above + HEIGHT_SINGLE * 0.8 + LINE / 2 + below + X_AXIS / 2 + MARGIN + LINE * len(notes)
    figure = Figure(figsize=(WIDTH_SINGLE, height), dpi=DPI)
    longest = max(len(label) for label, _ in rows)
    left = MARGIN + (longest * LETTER + 1) * TEXT_SIZE / 72
    span = (left / WIDTH_SINGLE, (WIDTH_SINGLE - left - MARGIN) / WIDTH_SINGLE)
    bottom = MARGIN + LINE * len(notes) + X_AXIS / 2
    lower = figure.add_axes((span[0], bottom / height, span[1], below / height))
    top = (bottom + below + LINE / 2) / height
    upper = figure.add_axes((span[0], top, span[1], HEIGHT_SINGLE * 0.8 / height), sharex=lower)
    _estimates(upper, at, estimate, low, high)
    _reference(upper, chart.reference, vertical=False)
    _rows(
        lower, [one_line(label) for label, _ in rows], {place for place, (_, marks) in enumerate(rows) if marks is None}
    )
    for place, (_, marks) in enumerate(rows):
        if marks is not None:
            lower.plot(at[marks], np.full(marks.sum(), place), linestyle="", marker="s", markersize=3.0, color=INK)
    lower.grid(visible=False)
    lower.set_xlim(-1.0, len(at))
    lower.xaxis.set_major_locator(NullLocator())
    lower.set_xlabel(f"{len(at):,} specifications, by the size of the coefficient")
    upper.tick_params(labelbottom=False)
    write_around(figure, height, title, what, notes)
    return figure


def _estimates(axis: Axes, at: FloatArray, estimate: FloatArray, low: FloatArray, high: FloatArray) -> None:
    """Draw the curve; intervals that hold zero are lighter."""
    with np.errstate(invalid="ignore"):
        apart = (low > 0) | (high < 0)
    for marks, colour in ((apart, COLOURS[0]), (~apart, "#8C8C8C")):
        axis.vlines(at[marks], low[marks], high[marks], color=colour, alpha=0.45, linewidth=1.2)
        axis.plot(at[marks], estimate[marks], linestyle="", marker="o", markersize=3.2, color=colour, markeredgewidth=0)
    axis.yaxis.set_major_locator(MaxNLocator(nbins=6))


def _choices(table: ProtectedTable) -> list[tuple[str, BoolArray | None]]:
    """Return the rows under the curve: headings without marks, and choices with those that made them."""
    rows: list[tuple[str, BoolArray | None]] = []
    for kind, key in table.keys.items():
        rows.append((kind.capitalize(), None))
        rows += [(str(label), np.asarray(key.codes == code)) for code, label in enumerate(key.labels)]
    return rows


def _rows(axis: Axes, labels: list[str], headings: set[int]) -> None:
    """Put labels along the vertical axis, the first on top, headings in bold."""
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.yaxis.set_major_locator(FixedLocator(list(range(len(labels)))))
    axis.yaxis.set_major_formatter(FixedFormatter(labels))
    for place, text in enumerate(axis.get_yticklabels()):
        text.set_fontweight("bold" if place in headings else "normal")


def _reference(axis: Axes, value: float | None, *, vertical: bool) -> None:
    if value is not None:
        (axis.axvline if vertical else axis.axhline)(value, color=INK, linewidth=0.9, zorder=0.9)


def _hidden_names(chart: CoefficientChart, names: np.ndarray, hidden: BoolArray) -> str:
    """Return the note that names the coefficients of which a number is not shown."""
    labels = dict.fromkeys(chart.data.label(str(name)) for name in names[hidden])
    return f"{NOT_SHOWN} {', '.join(labels)}." if labels else ""


def write_around(figure: Figure, height: float, title: list[str], what: list[str], notes: list[str]) -> None:
    """Write the lines above and below the axes."""
    left, top = MARGIN / WIDTH_SINGLE, MARGIN
    for line in title:
        figure.text(left, 1 - top / height, line, fontsize=TITLE_SIZE, fontweight="bold", va="top")
        top += TITLE_LINE
    for line in what:
        figure.text(left, 1 - top / height, line, va="top")
        top += LINE
    for position, line in enumerate(reversed(notes)):
        figure.text(left, (MARGIN + LINE * position) / height, line, va="bottom", fontstyle="italic")
