"""Figures drawn from protected numbers.

A figure is a function of a chart's texts and of a ProtectedTable: microdata and unprotected results are out of its
reach. Figures are drawn on their own canvas under matplotlib's default style; pyplot is not imported, and the caller's
settings are as before afterwards.
"""

from leoreturns.plots.balance import draw_balance, draw_overlap
from leoreturns.plots.coefficients import draw_coefficients, draw_specifications
from leoreturns.plots.contours import draw_contours
from leoreturns.plots.effects import draw_effects
from leoreturns.plots.figure import draw, png_bytes
from leoreturns.plots.flows import draw_flows

__all__ = [
    "draw",
    "draw_balance",
    "draw_coefficients",
    "draw_contours",
    "draw_effects",
    "draw_flows",
    "draw_overlap",
    "draw_specifications",
    "png_bytes",
]
