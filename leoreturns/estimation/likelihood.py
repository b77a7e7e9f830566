"""The covariance of a likelihood whose model is right: the inverse of the information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.estimation.covariance import Covariance, Found, SmallSample, counts_of
from leoreturns.estimation.design import Design, Variables
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.scores import Collector, Gathered

ONE_STEP_EACH = "one Newton step each"  # how refits are made, in names of covariances and settings


@dataclass(frozen=True, slots=True)
class Information(Covariance):
    """What `Unadjusted` is for a likelihood: the dispersion is that of the model, one."""

    @property
    def name(self) -> str:
        """Name for tables."""
        return "unadjusted"

    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Return nothing: the cross-products are the information."""
        return []

    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return the inverse of the information, with the factor for parameters."""
        counts = counts_of(design, fit)
        if not ssc.parameters:
            return Found(inverse, np.inf, {}, {})
        return Found(inverse * ((counts.n - 1) / counts.free(ssc.unclustered)), np.inf, {}, {})
