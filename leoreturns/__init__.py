"""Earnings returns to education on linked administrative data, at national scale."""

from leoreturns._typing import Contrast, Weights
from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import Policy, Released, release
from leoreturns.errors import (
    ClusterWarning,
    DisclosureError,
    ExtractError,
    LeoReturnsError,
    NotIdentifiedError,
    PanelError,
    StudyError,
    SupportError,
)
from leoreturns.estimation.covariance import Clustered, Covariance, Robust, SmallSample, Unadjusted
from leoreturns.estimation.effects import FixedEffects, fixed_effects
from leoreturns.estimation.imputed import AbadieImbens
from leoreturns.estimation.matched import Matched
from leoreturns.estimation.matching import match
from leoreturns.estimation.ols import feols
from leoreturns.estimation.resampled import Jackknifed, Resampled
from leoreturns.estimation.sensitivity import Robustness, Selection, oster, robustness_value, rosenbaum_bounds
from leoreturns.estimation.serial import DriscollKraay
from leoreturns.estimation.treatment import treatment_effect
from leoreturns.estimation.weighting import Weighted, weight
from leoreturns.estimation.wild import WildCluster
from leoreturns.extract.simulate import simulate_extract
from leoreturns.extract.source import Extract, open_extract
from leoreturns.panel.build import build_panel
from leoreturns.panel.definitions import Definitions, illustrative_deflator
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.panel.simulated import simulate_panel
from leoreturns.panel.waterfall import Waterfall
from leoreturns.questions.activities import main_activities
from leoreturns.questions.earnings import earnings_trajectories
from leoreturns.questions.education import education_levels
from leoreturns.questions.outcomes import labour_outcomes
from leoreturns.questions.pathways import pathways
from leoreturns.resample.joint import jointly
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer
from leoreturns.results.balance import Balance
from leoreturns.results.chart import Chart
from leoreturns.results.estimate import Estimate, Estimates
from leoreturns.results.joint import Joint

__all__ = [
    "AbadieImbens",
    "Aggregate",
    "Answer",
    "Balance",
    "BootstrapPlan",
    "Chart",
    "ClusterWarning",
    "Clustered",
    "Contrast",
    "Covariance",
    "Definitions",
    "DisclosureError",
    "DriscollKraay",
    "Estimate",
    "Estimates",
    "Extract",
    "ExtractError",
    "FixedEffects",
    "Jackknifed",
    "Joint",
    "LeoReturnsError",
    "Matched",
    "NotIdentifiedError",
    "Panel",
    "PanelError",
    "Policy",
    "Released",
    "Resampled",
    "Robust",
    "Robustness",
    "Scan",
    "Selection",
    "SmallSample",
    "StudyError",
    "SupportError",
    "Unadjusted",
    "Waterfall",
    "Weighted",
    "Weights",
    "WildCluster",
    "aggregate",
    "build_panel",
    "earnings_trajectories",
    "education_levels",
    "feols",
    "fixed_effects",
    "illustrative_deflator",
    "jointly",
    "labour_outcomes",
    "main_activities",
    "match",
    "open_extract",
    "oster",
    "pathways",
    "release",
    "robustness_value",
    "rosenbaum_bounds",
    "simulate_extract",
    "simulate_panel",
    "treatment_effect",
    "weight",
]

__version__ = "0.1.0"
