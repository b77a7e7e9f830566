"""Sizes, colours and the style of all figures.

The palette is Okabe and Ito's (2008), which the colour-blind can tell apart; markers and dashes differ besides, for
print in grey.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.style

DPI = 150
PANELS_PER_ROW, MAX_PANELS = 3, 12
# Inches. A figure of several panels is as wide as a landscape page's text, a single one as a portrait page's.
WIDTH_SINGLE, WIDTH_PANELS = 6.3, 9.6
HEIGHT_SINGLE, HEIGHT_PANEL, HEIGHT_BAR = 3.2, 2.7, 0.13
MARGIN, BETWEEN, TITLE_LINE, LINE, X_AXIS, PANEL_TITLE = 0.12, 0.26, 0.24, 0.19, 0.46, 0.24
TITLE_SIZE, TEXT_SIZE = 11.0, 9.0
# Widths in parts of the type size: a letter, what bold adds, and the key in front of a name in the legend.
LETTER, BOLD, HANDLE, GAP = 0.58, 1.1, 3.2, 1.8
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Stacked areas touch: neighbours differ in lightness too, and a white edge runs between them.
AREA_COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#E69F00", "#8C8C8C", "#D4D4D4")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
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


@contextmanager
def own_style() -> Iterator[None]:
    """Draw under matplotlib's defaults and our style, whatever the caller has set, and restore that."""
    with matplotlib.style.context(["default", STYLE]):
        yield
