"""How strong instruments are: first stages, effective F, and what the Anderson-Rubin test needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from leoreturns.estimation.design import Design, Model
from leoreturns.estimation.fits import Fit, Projection, solve
from leoreturns.estimation.moments import Moments
from leoreturns.estimation.solve import invert_symmetric
from leoreturns.results.estimate import Estimate, FirstStage
from leoreturns.results.hypothesis import f_test


def first_stage_fits(model: Model, projection: Projection, design: Design, moments: Moments) -> list[Fit]:
    """Return the regressions on all exogenous columns that belong to a model with instruments.

    Returns
    -------
    list of Fit
        One per endogenous regressor; with a single one also those of the outcome and of the sum of both, from which the
        covariance of the two follows without another kind of sum.
    """
    if not model.endogenous:
        return []
    everything = (*model.exogenous, *model.instruments)

    def on_all(outcome: int) -> Fit:
        stage = dataclasses.replace(model, outcome=outcome, exogenous=everything, endogenous=(), instruments=())
        return solve(stage, projection, design, moments)

    fits = [on_all(outcome) for outcome in model.endogenous]
    if len(fits) == 1:
        reduced = on_all(model.outcome)
        both = dataclasses.replace(
            reduced,
            beta=reduced.beta + fits[0].beta,
            residual=reduced.residual + fits[0].residual,
            outcomes=(*reduced.outcomes, *fits[0].outcomes),
        )
        fits += [reduced, both]
    return fits


def with_first_stages(model: Model, estimates: Sequence[Estimate], fits: Sequence[Fit]) -> Estimate:
    """Return a model's estimate with what its first stages say."""
    if not model.endogenous:
        return estimates[0]
    excluded = {model.names[at] for at in model.instruments}
    stages = {}
    for endogenous, stage, fit in zip(model.endogenous, estimates[1:], fits[1:], strict=False):
        at = [number for number, name in enumerate(stage.names) if name in excluded]
        block = np.ix_(at, at)
        # Cross-products of the instruments with the other regressors taken out.
        products = invert_symmetric(fit.inverse[block])
        variance = stage.covariance[block]
        effective = float(stage.values[at] @ products @ stage.values[at] / np.trace(variance @ products))
        text = f"first stage of {model.names[endogenous]} in {stage.formula}"
        stage = dataclasses.replace(stage, formula=text)
        joint = None
        if len(model.endogenous) == 1 and not any(
            "eigenvalues set to zero" in entry.settings for entry in estimates[1:]
        ):
            reduced, both = estimates[2], estimates[3]
            cross = (both.covariance[block] - reduced.covariance[block] - variance) / 2
            joint = (reduced.values[at], stage.values[at], reduced.covariance[block], variance, cross)
        test = f_test(stage.values[at], variance, stage.df_tests)
        stages[model.names[endogenous]] = FirstStage(stage, test, effective, joint)
    return dataclasses.replace(estimates[0], first_stages=stages)
