"""Figures drawn from protected numbers.

A figure is a function of a chart's texts and of a ProtectedTable: microdata and unprotected results are out of its
reach. Figures are drawn on their own canvas under matplotlib's default style; pyplot is not imported, and the caller's
settings are as before afterwards. The palette is Okabe and Ito's (2008), which the colour-blind can tell apart; markers
and dashes differ besides, for print in grey.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, MaxNLocator, NullLocator

from leoreturns._typing import BoolArray, FloatArray
from leoreturns.errors import SupportError
from leoreturns.results.chart import Chart
from leoreturns.results.labels import one_line
from leoreturns.results.protected import ProtectedTable

DPI = 150
PANELS_PER_ROW, MAX_PANELS = 3, 12
# Inches. A figure of several panels is as wide as a landscape page's text, a single one as a portrait page's.
WIDTH_SINGLE, WIDTH_PANELS = 6.3, 9.6
HEIGHT_SINGLE, HEIGHT_PANEL = 3.2, 2.7
MARGIN, BETWEEN, TITLE_LINE, LINE, X_AXIS, PANEL_TITLE = 0.12, 0.26, 0.24, 0.19, 0.46, 0.24
TITLE_SIZE, TEXT_SIZE = 11.0, 9.0
# Widths in parts of the type size: a letter, what bold adds, and the key in front of a name in the legend.
LETTER, BOLD, HANDLE, GAP = 0.58, 1.1, 3.2, 1.8
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
CURRENCIES = {"GBP": "£", "USD": "$", "EUR": "€"}
NAMES = {"n_person": "persons", "p25": "lower quartile", "p50": "median", "p75": "upper quartile"}
RANGES = {("low", "high"): "confidence interval", ("band_low", "band_high"): "simultaneous confidence band"}
INK, GRID, MINUS = "#333333", "#e2e2e2", "\N{MINUS SIGN}"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT_SIZE,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.left": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "text.parse_math": False,
}


def png_bytes(chart: Chart, table: ProtectedTable) -> bytes:
    """Draw a chart (see `draw`) as a PNG without metadata; the same numbers give the same bytes."""
    figure = draw(chart, table)
    stream = io.BytesIO()
    with _own_style():
        FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return stream.getvalue()


@contextmanager
def _own_style() -> Iterator[None]:
    """Draw under matplotlib's defaults and our style, whatever the caller has set, and restore that."""
    with matplotlib.style.context(["default", STYLE]):
        yield


@_own_style()
def draw(chart: Chart, table: ProtectedTable) -> Figure:
    """Draw the lines of a statistic over an ordered key, with its range, by colour and panel.

    Parameters
    ----------
    chart : Chart
        What is drawn along which axis, and the texts.
    table : ProtectedTable
        The numbers. Hidden ones leave gaps, which a note under the figure explains.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot.

    Raises
    ------
    SupportError
        If there are more lines or panels than can be told apart.
    """
    panels, colours = _levels(table, chart.panel), _levels(table, chart.colour)
    if len(colours) > len(COLOURS) or len(panels) > MAX_PANELS:
        raise SupportError(
            f"a chart has at most {len(COLOURS)} colours and {MAX_PANELS} panels, "
            f"not {len(colours)} and {len(panels)}: group the levels"
        )
    names = [] if chart.colour is None else [_name(table, chart.colour, level) for level in colours]
    layout = _Layout(n_panel=len(panels), texts=_texts(chart, table, len(panels)), names=names)
    figure, axes = layout.canvas()
    grid = _grid(table, chart.x)
    for axis, panel in zip(axes, panels, strict=True):
        for style, colour in enumerate(colours):
            cells = _cells(table, chart.panel, panel) & _cells(table, chart.colour, colour)
            _draw_line(axis, chart, table, cells, grid, style)
        if chart.panel is not None:
            axis.set_title(_name(table, chart.panel, panel), fontsize=TEXT_SIZE, fontweight="bold", loc="left")
    _dress_axes(axes, grid, layout.texts.x_label, table.columns[chart.line].unit)
    layout.place(figure, axes)
    return figure


def _levels(table: ProtectedTable, key: str | None) -> list[int]:
    """Return the levels of a key that the table has, in declared order; one anonymous level without a key."""
    return [0] if key is None else np.unique(table.keys[key].codes).tolist()


def _name(table: ProtectedTable, key: str, level: int) -> str:
    """Return the label of a level on one line."""
    return one_line(str(table.keys[key].labels[level]))


def _cells(table: ProtectedTable, key: str | None, level: int) -> BoolArray:
    """Return which cells have a level of a key."""
    return np.ones(table.n_cells, dtype=np.bool_) if key is None else np.asarray(table.keys[key].codes == level)


# ---- texts


@dataclass(frozen=True, slots=True)
class _Texts:
    """Texts of a figure, wrapped to its width."""

    title: list[str]
    what: list[str]
    x_label: str
    notes: list[str]


def _texts(chart: Chart, table: ProtectedTable, n_panel: int) -> _Texts:
    """Return the texts of a figure: those of the chart, else made from names and units."""
    width = (WIDTH_PANELS if n_panel > 1 else WIDTH_SINGLE) - 2 * MARGIN
    what = chart.y_label or _what(chart.line, table)
    if chart.band is not None:
        what += f"; shaded: {_range(chart, table)}"
    return _Texts(
        title=_wrapped(chart.title, width, TITLE_SIZE * BOLD),
        what=_wrapped(what, width, TEXT_SIZE),
        x_label=one_line(chart.x_label) or _sentence(chart.x),
        notes=_wrapped(_note(chart, table), width, TEXT_SIZE),
    )


def _range(chart: Chart, table: ProtectedTable) -> str:
    """Return what a shaded range is: "95% confidence interval", or "lower quartile to upper quartile"."""
    low, high = (table.columns[name] for name in chart.band or ())
    if low.statistic != high.statistic or (low.part, high.part) not in RANGES:
        return f"{NAMES.get(low.name, low.name)} to {NAMES.get(high.name, high.name)}"
    of_other = f" of {NAMES.get(low.statistic, low.statistic)}" if low.statistic != chart.line else ""
    return f"{100 * table.plan['level']:.10g}% {RANGES[low.part, high.part]}{of_other}"


def _note(chart: Chart, table: ProtectedTable) -> str:
    """Return the note under a figure: why it has gaps, and why a line has no interval about it."""
    band = chart.band or ()
    line, *ends = (np.isnan(table.numbers(name)) for name in (chart.line, *band))
    if all(gaps.all() for gaps in (line, *ends)):
        return "No number can be shown: too few persons."
    bare = any((gaps & ~line).any() for gaps in ends)
    of_interval = all(table.columns[name].part for name in band)
    gaps = "Gaps: too few persons for the number to be shown." if line.any() or (bare and not of_interval) else ""
    unshaded = "Not shaded: too few persons or sampling units for the interval to be shown."
    return f"{gaps} {unshaded if bare and of_interval else ''}"


def _what(line: str, table: ProtectedTable) -> str:
    """Return what a line shows, with its unit: "Median hourly pay, $ per hour"."""
    currency, _, period = table.columns[line].unit.partition("/")
    unit = f"{CURRENCIES.get(currency, currency)} per {period}" if period else currency
    if unit == "count":
        return _sentence(NAMES.get(line, line))
    return f"{_sentence(NAMES.get(line, line))} {one_line((table.variable or '').replace('_', ' '))}, {unit}"


def _sentence(name: str) -> str:
    """Return a column's name as the start of a sentence."""
    words = one_line(name.replace("_", " "))
    return words[:1].upper() + words[1:]


def _wrapped(text: str, width: float, size: float) -> list[str]:
    """Break a text into lines of a width in inches."""
    return textwrap.wrap(one_line(text), max(int(width * 72 / (LETTER * size)), 10))


# ---- layout


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the parts of a figure stand, in inches, so that texts never run into axes.

    From the top: title, what is shown, legend, rows of panels (title, axes, horizontal axis), notes.
    """

    n_panel: int
    texts: _Texts
    names: list[str]

    @property
    def width(self) -> float:
        """Width of the figure."""
        return WIDTH_PANELS if self.n_panel > 1 else WIDTH_SINGLE

    @property
    def n_name_column(self) -> int:
        """Columns of the legend: as many as fit side by side."""
        longest = max(map(len, self.names), default=1) * LETTER + HANDLE + GAP + 1
        return max(1, min(len(self.names), int((self.width - 2 * MARGIN) * 72 / (TEXT_SIZE * longest))))

    @property
    def above_legend(self) -> float:
        """Height of the margin, the title and the line on what is shown."""
        return MARGIN + TITLE_LINE * len(self.texts.title) + LINE * len(self.texts.what)

    @property
    def above(self) -> float:
        """Height of all that stands above the panels."""
        return self.above_legend + LINE * -(-len(self.names) // self.n_name_column) + LINE / 2

    @property
    def panel_title(self) -> float:
        """Height of the title of a panel."""
        return PANEL_TITLE if self.n_panel > 1 else 0.0

    @property
    def row(self) -> float:
        """Height of a row of panels."""
        return (HEIGHT_PANEL if self.n_panel > 1 else HEIGHT_SINGLE) + self.panel_title + X_AXIS

    @property
    def height(self) -> float:
        """Height of the figure."""
        return self.above + -(-self.n_panel // PANELS_PER_ROW) * self.row + MARGIN + LINE * len(self.texts.notes)

    def canvas(self) -> tuple[Figure, list[Axes]]:
        """Return an empty figure on its own canvas, with panels that share their axes."""
        figure = Figure(figsize=(self.width, self.height), dpi=DPI)
        first = figure.add_axes((0, 0, 1, 1), label="panel 0")
        others = [
            figure.add_axes((0, 0, 1, 1), label=f"panel {n}", sharex=first, sharey=first)
            for n in range(1, self.n_panel)
        ]
        return figure, [first, *others]

    def place(self, figure: Figure, axes: Sequence[Axes]) -> None:
        """Move the panels to their places, beside the longest number of the vertical axis, and write the texts."""
        ticks = axes[0].yaxis.get_major_formatter().format_ticks(list(axes[0].yaxis.get_majorticklocs()))
        left = MARGIN + (max(map(len, ticks), default=0) * LETTER + 1) * TEXT_SIZE / 72
        n_column = min(self.n_panel, PANELS_PER_ROW)
        column = (self.width - left - MARGIN - BETWEEN * (n_column - 1)) / n_column
        for panel, axis in enumerate(axes):
            down, across = divmod(panel, PANELS_PER_ROW)
            bottom = self.height - self.above - (down + 1) * self.row + X_AXIS
            size = (column / self.width, (self.row - X_AXIS - self.panel_title) / self.height)
            axis.set_position(((left + across * (column + BETWEEN)) / self.width, bottom / self.height, *size))
        self._write(figure, axes[0])

    def _write(self, figure: Figure, first: Axes) -> None:
        """Write title, what is shown, legend and notes."""
        left, top = MARGIN / self.width, MARGIN
        for line in self.texts.title:
            figure.text(left, 1 - top / self.height, line, fontsize=TITLE_SIZE, fontweight="bold", va="top")
            top += TITLE_LINE
        for line in self.texts.what:
            figure.text(left, 1 - top / self.height, line, va="top")
            top += LINE
        if self.names:
            corner = (left, 1 - top / self.height)
            figure.legend(
                first.get_lines(), self.names, ncols=self.n_name_column, loc="upper left", bbox_to_anchor=corner,
                frameon=False, borderpad=0, borderaxespad=0, handlelength=HANDLE, columnspacing=GAP,
            )  # fmt: skip
        for position, line in enumerate(reversed(self.texts.notes)):
            figure.text(left, (MARGIN + LINE * position) / self.height, line, va="bottom", fontstyle="italic")


# ---- axes


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the levels of the horizontal key stand.

    ``at`` has one position per declared level; ``points`` are the positions of the levels in the table, in order;
    ``names`` are their labels, or None where the levels are numbers that name themselves.
    """

    key: str
    at: FloatArray
    points: FloatArray
    names: list[str] | None


def _grid(table: ProtectedTable, key: str) -> _Grid:
    """Place the levels of the horizontal key: numbers at their value, all else at equal steps in declared order."""
    labels, present = table.keys[key].labels, _levels(table, key)
    if all(isinstance(label, int | float | np.number) and not isinstance(label, bool) for label in labels):
        at = np.array(labels, dtype=np.float64)
        return _Grid(key, at, np.sort(at[present]), None)
    at = np.arange(len(labels), dtype=np.float64)
    return _Grid(key, at, at[present], [_name(table, key, level) for level in present])


def _dress_axes(axes: Sequence[Axes], grid: _Grid, x_label: str, unit: str) -> None:
    """Give the shared axes their limits, ticks, labels and number formats."""
    first = axes[0]
    first.yaxis.set_major_locator(MaxNLocator(nbins=6))
    first.yaxis.set_major_formatter(_Amounts(CURRENCIES.get(unit[:3], "") if re.fullmatch(r"\w+/\w+", unit) else ""))
    few = len(grid.points) <= (10 if len(axes) == 1 else 5)
    if grid.names is not None or few:
        first.xaxis.set_major_locator(FixedLocator(grid.points.tolist()))
    else:
        first.xaxis.set_major_locator(MaxNLocator(nbins=5 if len(axes) > 1 else 8, integer=True))
    shown = dict(zip(grid.points.tolist(), grid.names or (), strict=False))
    first.xaxis.set_major_formatter(FuncFormatter(lambda x, _: shown.get(x, f"{x:.10g}")))
    step = 1.0 if grid.names is not None or len(grid.points) == 1 else float(np.diff(grid.points).min())
    # Names are wider than their points: half a step on each side.
    beyond = 0.5 * step if grid.names is not None else 0.35 * step
    first.set_xlim(grid.points[0] - beyond, grid.points[-1] + beyond)
    for position, axis in enumerate(axes):
        axis.set_xlabel(x_label)
        axis.tick_params(axis="y", labelleft=position % PANELS_PER_ROW == 0)
    if not any(np.isfinite(line.get_ydata()).any() for axis in axes for line in axis.get_lines()):
        first.yaxis.set_major_locator(NullLocator())


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


# ---- lines


def _draw_line(axis: Axes, chart: Chart, table: ProtectedTable, cells: BoolArray, grid: _Grid, style: int) -> None:
    """Draw one line and its range; numbers hidden or not observed leave gaps."""
    line = _along(table, chart.line, cells, grid)
    colour = COLOURS[style]
    if chart.band is not None:
        low, high = (_along(table, name, cells, grid) for name in chart.band)
        axis.fill_between(grid.points, low, high, color=colour, alpha=0.15, linewidth=0)
        alone = _isolated(np.isfinite(low) & np.isfinite(high))
        # A range with gaps on both sides has no area: a bar stands for it.
        axis.vlines(grid.points[alone], low[alone], high[alone], color=colour, alpha=0.3, linewidth=4)
    axis.plot(
        grid.points, line, color=colour, linestyle=DASHES[style % len(DASHES)], linewidth=1.6,
        marker=MARKERS[style], markersize=4.5, markeredgewidth=0,
    )  # fmt: skip


def _along(table: ProtectedTable, statistic: str, cells: BoolArray, grid: _Grid) -> FloatArray:
    """Return the numbers of one line over all points of the horizontal axis, NaN where there is none."""
    numbers = np.full(len(grid.points), np.nan)
    numbers[np.searchsorted(grid.points, grid.at[table.keys[grid.key].codes[cells]])] = table.numbers(statistic)[cells]
    return numbers


def _isolated(known: BoolArray) -> BoolArray:
    """Return the points without a known neighbour."""
    padded = np.concatenate([[False], known, [False]])
    return np.asarray(known & ~padded[:-2] & ~padded[2:])
