"""Earnings returns to education on linked administrative data, at national scale."""

from leoreturns._typing import Contrast, Weights
from leoreturns.aggregates.compute import aggregate
from leoreturns.analysis_plan import LockedPlan, lock_plan
from leoreturns.application.report import Needs, needs
from leoreturns.batch.result import Batch
from leoreturns.batch.run import run_batch
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
    WeightWarning,
)
from leoreturns.estimation.bounds import bounds
from leoreturns.estimation.bridge import gmm, hausman, liml, random_effects
from leoreturns.estimation.covariance import Clustered, Covariance, Robust, SmallSample, Unadjusted
from leoreturns.estimation.decompose import gelbach
from leoreturns.estimation.effects import FixedEffects, fixed_effects
from leoreturns.estimation.imputed import AbadieImbens
from leoreturns.estimation.linked import LinkWeights
from leoreturns.estimation.linking import link_weights
from leoreturns.estimation.logit import felogit
from leoreturns.estimation.matched import Matched
from leoreturns.estimation.matching import match
from leoreturns.estimation.multiplicity import false_discovery, romano_wolf
from leoreturns.estimation.ols import feols
from leoreturns.estimation.panels import between, first_difference, mundlak
from leoreturns.estimation.planned import ClusterSizes, PlannedSample
from leoreturns.estimation.poisson import fepois
from leoreturns.estimation.power import DetectableEffects, minimum_detectable_effect
from leoreturns.estimation.resampled import Jackknifed, Resampled
from leoreturns.estimation.sensitivity import Robustness, Selection, oster, robustness_value, rosenbaum_bounds
from leoreturns.estimation.serial import DriscollKraay
from leoreturns.estimation.specifications import specification_curve
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
from leoreturns.questions.pipelines import sector_pipeline
from leoreturns.resample.joint import jointly
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.adjusted import AdjustedTests
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer
from leoreturns.results.balance import Balance
from leoreturns.results.balance_chart import BalanceChart, OverlapChart
from leoreturns.results.bounds import BoundsEstimate
from leoreturns.results.chart import Chart
from leoreturns.results.coefficient_chart import CoefficientChart, EffectChart, SpecificationChart
from leoreturns.results.contour_chart import ContourChart
from leoreturns.results.curve import SpecificationCurve
from leoreturns.results.effect import EffectEstimate
from leoreturns.results.estimate import Estimate, Estimates
from leoreturns.results.joint import Joint
from leoreturns.results.likelihood import LikelihoodEstimate, LogitEstimate
from leoreturns.results.overlap import Overlap
from leoreturns.results.regression_table import RegressionTable, table

__all__ = [
    "AbadieImbens",
    "AdjustedTests",
    "Aggregate",
    "Answer",
    "Balance",
    "BalanceChart",
    "Batch",
    "BootstrapPlan",
    "BoundsEstimate",
    "Chart",
    "ClusterSizes",
    "ClusterWarning",
    "Clustered",
    "CoefficientChart",
    "ContourChart",
    "Contrast",
    "Covariance",
    "Definitions",
    "DetectableEffects",
    "DisclosureError",
    "DriscollKraay",
    "EffectChart",
    "EffectEstimate",
    "Estimate",
    "Estimates",
    "Extract",
    "ExtractError",
    "FixedEffects",
    "Jackknifed",
    "Joint",
    "LeoReturnsError",
    "LikelihoodEstimate",
    "LinkWeights",
    "LockedPlan",
    "LogitEstimate",
    "Matched",
    "Needs",
    "NotIdentifiedError",
    "Overlap",
    "OverlapChart",
    "Panel",
    "PanelError",
    "PlannedSample",
    "Policy",
    "RegressionTable",
    "Released",
    "Resampled",
    "Robust",
    "Robustness",
    "Scan",
    "Selection",
    "SmallSample",
    "SpecificationChart",
    "SpecificationCurve",
    "StudyError",
    "SupportError",
    "Unadjusted",
    "Waterfall",
    "WeightWarning",
    "Weighted",
    "Weights",
    "WildCluster",
    "aggregate",
    "between",
    "bounds",
    "build_panel",
    "earnings_trajectories",
    "education_levels",
    "false_discovery",
    "felogit",
    "feols",
    "fepois",
    "first_difference",
    "fixed_effects",
    "gelbach",
    "gmm",
    "hausman",
    "illustrative_deflator",
    "jointly",
    "labour_outcomes",
    "liml",
    "link_weights",
    "lock_plan",
    "main_activities",
    "match",
    "minimum_detectable_effect",
    "mundlak",
    "needs",
    "open_extract",
    "oster",
    "pathways",
    "random_effects",
    "release",
    "robustness_value",
    "romano_wolf",
    "rosenbaum_bounds",
    "run_batch",
    "sector_pipeline",
    "simulate_extract",
    "simulate_panel",
    "specification_curve",
    "table",
    "treatment_effect",
    "weight",
]

__version__ = "0.1.0"
