"""Earnings returns to education on linked administrative data, at national scale."""

from leoreturns._typing import Weights
from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import Policy, Released, release
from leoreturns.errors import DisclosureError, LeoReturnsError, PanelError, SupportError
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.chart import Chart

__all__ = [
    "Aggregate",
    "Chart",
    "DisclosureError",
    "LeoReturnsError",
    "Panel",
    "PanelError",
    "Policy",
    "Released",
    "Scan",
    "SupportError",
    "Weights",
    "aggregate",
    "release",
]

__version__ = "0.1.0"
