"""The covariance of a likelihood whose model is right: the inverse of the information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.estimation.covariance import Covariance, Found, SmallSample, counts_of
from leoreturns.estimation.design import Design, Variables
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.scores import Collector, Gathered


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
        df = counts.n - counts.parameters(ssc.effects if ssc.effects != "nonnested" else "full")
        if df <= 0:
            raise SupportError("the regression has as many parameters as rows: no degree of freedom is left")
        return Found(inverse * ((counts.n - 1) / df), np.inf, {}, {})
