"""Earnings returns to education on linked administrative data, at national scale."""

from leoreturns._typing import Contrast, Weights
from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import Policy, Released, release
from leoreturns.errors import DisclosureError, LeoReturnsError, PanelError, SupportError
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.resample.joint import jointly
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.chart import Chart
from leoreturns.results.joint import Joint

__all__ = [
    "Aggregate",
    "BootstrapPlan",
    "Chart",
    "Contrast",
    "DisclosureError",
    "Joint",
    "LeoReturnsError",
    "Panel",
    "PanelError",
    "Policy",
    "Released",
    "Scan",
    "SupportError",
    "Weights",
    "aggregate",
    "jointly",
    "release",
]

__version__ = "0.1.0"
