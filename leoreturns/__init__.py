"""Earnings returns to education on linked administrative data, at national scale."""

from leoreturns._typing import Contrast, Weights
from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import Policy, Released, release
from leoreturns.errors import DisclosureError, LeoReturnsError, NotIdentifiedError, PanelError, SupportError
from leoreturns.estimation.covariance import Clustered, Covariance, Robust, SmallSample, Unadjusted
from leoreturns.estimation.effects import FixedEffects, fixed_effects
from leoreturns.estimation.ols import feols
from leoreturns.estimation.resampled import Jackknifed, Resampled
from leoreturns.estimation.wild import WildCluster
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.resample.joint import jointly
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.chart import Chart
from leoreturns.results.estimate import Estimate, Estimates
from leoreturns.results.joint import Joint

__all__ = [
    "Aggregate",
    "BootstrapPlan",
    "Chart",
    "Clustered",
    "Contrast",
    "Covariance",
    "DisclosureError",
    "Estimate",
    "Estimates",
    "FixedEffects",
    "Jackknifed",
    "Joint",
    "LeoReturnsError",
    "NotIdentifiedError",
    "Panel",
    "PanelError",
    "Policy",
    "Released",
    "Resampled",
    "Robust",
    "Scan",
    "SmallSample",
    "SupportError",
    "Unadjusted",
    "Weights",
    "WildCluster",
    "aggregate",
    "feols",
    "fixed_effects",
    "jointly",
    "release",
]

__version__ = "0.1.0"
