"""Estimates by maximum likelihood: measures of fit of their own; LogitEstimate has odds ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leoreturns.errors import SupportError
from leoreturns.results.estimate import LEVEL, Estimate


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LikelihoodEstimate(Estimate):
    """Coefficients of one regression by (pseudo) maximum likelihood.

    As an `Estimate`, whose shares of variance are NaN here. Tests use the normal distribution, degrees of freedom being
    infinite, unless the covariance comes from refits. ``fit`` has ``loglik``, ``null_loglik``, ``deviance`` and
    ``null_deviance``; the null has a constant only.
    """

    @property
    def loglik(self) -> float:
        """Log likelihood."""
        return self.fit["loglik"]

    @property
    def deviance(self) -> float:
        """Twice the log likelihood that is missing to a perfect fit."""
        return self.fit["deviance"]

    @property
    def pseudo_r2(self) -> float:
        """One less the log likelihood over that of a constant (McFadden 1974)."""
        return 1.0 - self.fit["loglik"] / self.fit["null_loglik"]

    @property
    def n_parameters(self) -> int:
        """Coefficients and effects."""
        return round(self.nobs - self.df_resid)

    @property
    def aic(self) -> float:
        """Akaike's criterion; effects count as parameters."""
        return 2.0 * (self.n_parameters - self.loglik)

    @property
    def bic(self) -> float:
        """Schwarz's criterion; effects count as parameters."""
        return float(np.log(self.nobs)) * self.n_parameters - 2.0 * self.loglik

    def _quality(self) -> str:
        return f"log likelihood {self.loglik:.6g}, deviance {self.deviance:.6g}, pseudo R2 {self.pseudo_r2:.4f}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LogitEstimate(LikelihoodEstimate):
    """Coefficients of one conditional logit: log odds ratios."""

    def odds_ratios(self, level: float | None = None) -> pd.DataFrame:
        """Return the odds ratios ``exp(b)``, with standard errors by the delta method.

        Returns
        -------
        pandas.DataFrame
            Columns ``odds_ratio``, ``std_error``, ``low`` and ``high``; the interval is that of the coefficient,
            exponentiated.
        """
        ratio = np.exp(self.params)
        ends = self.conf_int(level).apply(np.exp)
        return pd.DataFrame({"odds_ratio": ratio, "std_error": ratio * self.std_errors, **ends})

    def percent(self, level: float = LEVEL) -> pd.DataFrame:
        """Refuse: the outcome is no logarithm, and average partial effects need the effects conditioned away."""
        raise SupportError(
            "a conditional logit has odds ratios, odds_ratios(); partial effects on the probability depend on the "
            "effects, which are conditioned away: for those take lr.feols, a linear probability model"
        )
