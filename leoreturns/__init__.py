"""Earnings returns to education on linked administrative data, at national scale."""

from leoreturns._typing import Contrast, Weights
from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import Policy, Released, release
from leoreturns.errors import DisclosureError, LeoReturnsError, PanelError, StudyError, SupportError
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.questions.activities import main_activities
from leoreturns.questions.earnings import earnings_trajectories
from leoreturns.questions.education import education_levels
from leoreturns.questions.outcomes import labour_outcomes
from leoreturns.questions.pathways import pathways
from leoreturns.resample.joint import jointly
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer
from leoreturns.results.chart import Chart
from leoreturns.results.joint import Joint

__all__ = [
    "Aggregate",
    "Answer",
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
    "StudyError",
    "SupportError",
    "Weights",
    "aggregate",
    "earnings_trajectories",
    "education_levels",
    "jointly",
    "labour_outcomes",
    "main_activities",
    "pathways",
    "release",
]

__version__ = "0.1.0"
