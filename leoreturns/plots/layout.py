"""Where the parts of a figure stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leoreturns.plots.style import (
    BETWEEN,
    DPI,
    GAP,
    HANDLE,
    HEIGHT_BAR,
    HEIGHT_PANEL,
    HEIGHT_SINGLE,
    LETTER,
    LINE,
    MARGIN,
    PANEL_TITLE,
    PANELS_PER_ROW,
    TEXT_SIZE,
    TITLE_LINE,
    TITLE_SIZE,
    WIDTH_PANELS,
    WIDTH_SINGLE,
    X_AXIS,
)  # fmt: skip
from leoreturns.plots.texts import Texts


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a figure stand, in inches, so that texts never run into axes.

    From the top: title, what is shown, legend, rows of panels (title, axes, horizontal axis), notes.
    """

    n_panel: int
    texts: Texts
    names: list[str]
    n_bar: int = 0  # bars below each other, which need their height

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
        height = HEIGHT_PANEL if self.n_panel > 1 else max(HEIGHT_SINGLE if not self.n_bar else 0.0, self.bars)
        return height + self.panel_title + X_AXIS

    @property
    def bars(self) -> float:
        """Height of all bars, with room above and below."""
        return HEIGHT_BAR * (self.n_bar + 4)

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

    def place(self, figure: Figure, axes: Sequence[Axes], handles: Sequence[Artist]) -> None:
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
        self._write(figure, handles)

    def _write(self, figure: Figure, handles: Sequence[Artist]) -> None:
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
                handles, self.names, ncols=self.n_name_column, loc="upper left", bbox_to_anchor=corner,
                frameon=False, borderpad=0, borderaxespad=0, handlelength=HANDLE, columnspacing=GAP,
            )  # fmt: skip
        for position, line in enumerate(reversed(self.texts.notes)):
            figure.text(left, (MARGIN + LINE * position) / self.height, line, va="bottom", fontstyle="italic")
