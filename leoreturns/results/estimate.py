"""Estimate: coefficients, their covariance, and how they were obtained; Estimates: several of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.results.anderson_rubin import accepted
from leoreturns.results.clusters import ClusterFigures, figures_frame
from leoreturns.results.evidence import FitEvidence
from leoreturns.results.flow import MASK, MASKED_BELOW, SampleFlow
from leoreturns.results.hypothesis import Test, f_test
from leoreturns.results.maketables import Maketables

INSIDE_ONLY = "Inside only: nothing here has been checked for release."
LEVEL = 0.95


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Drawn:
    """Confidence intervals that come from draws, and tests of no effect if those do too.

    Attributes
    ----------
    names : tuple of str
        Their coefficients.
    level : float
        Of the intervals.
    pvalues : float64 of shape (n,), optional
        None where tests use the t distribution.
    low, high : float64 of shape (n,)
    n_replicates : int
    joint : mapping of set of names -> float
        p-values of the tests that all coefficients of a set are zero.
    """

    names: tuple[str, ...]
    level: float
    pvalues: FloatArray | None
    low: FloatArray
    high: FloatArray
    n_replicates: int
    joint: Mapping[frozenset[str], float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Drawn: {len(self.names):,} coefficients, {self.n_replicates:,} replicates>"


def _explained(left: float, total: float) -> float:
    return 1.0 - left / total if total else np.nan


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Estimate(Maketables):
    """Coefficients of one regression.

    Attributes
    ----------
    formula, outcome : str
    method : str
        What was estimated, such as "OLS".
    names : tuple of str
        Coefficients, the endogenous ones first.
    values : float64 of shape (k,)
    covariance : float64 of shape (k, k)
    cov_name : str
    nobs : int
        Rows; under frequency weights those that they stand for.
    n_row, n_person : int
        Rows and persons in the sample; -1 persons where the data name none.
    df_resid, df_tests : float
        Rows less parameters, and the degrees of freedom of tests.
    n_clusters : mapping of column -> int
    effects : mapping of name -> int
        Levels of each absorbed effect in the sample.
    dropped : mapping of name -> str
        Regressors left out, and why.
    fit : mapping
        ``rss``, ``tss``, ``within_tss``, and whether the mean is taken out (``centred``).
    evidence : FitEvidence
        The persons behind every coefficient, for output checks.
    first_stages : mapping of name -> FirstStage
        One per endogenous regressor.
    flow : SampleFlow
    settings : mapping
        The options behind the numbers, and the path that was taken.
    drawn : Drawn, optional
        Tests and intervals that come from a bootstrap.
    owners : tuple of str
        Owners of the columns used.
    cluster_figures : mapping of column -> ClusterFigures
        One per column of clusters.
    """

    formula: str
    outcome: str
    method: str
    names: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    cov_name: str
    nobs: int
    n_row: int
    n_person: int
    df_resid: float
    df_tests: float
    n_clusters: Mapping[str, int]
    effects: Mapping[str, int]
    dropped: Mapping[str, str]
    fit: Mapping[str, float]
    evidence: FitEvidence
    flow: SampleFlow
    settings: Mapping[str, Any]
    first_stages: Mapping[str, FirstStage] = field(default_factory=dict)
    drawn: Drawn | None = None
    owners: tuple[str, ...] = ()
    cluster_figures: Mapping[str, ClusterFigures] = field(default_factory=dict)

    # ---- coefficients -----------------------------------------------------------------------------------------------

    @property
    def params(self) -> pd.Series:
        """Coefficients."""
        return pd.Series(self.values, index=list(self.names), name="coefficient")

    @property
    def std_errors(self) -> pd.Series:
        """Standard errors."""
        return pd.Series(np.sqrt(np.diag(self.covariance)), index=list(self.names), name="std_error")

    @property
    def tstats(self) -> pd.Series:
        """Coefficients over their standard errors."""
        return (self.params / self.std_errors).rename("t")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values: of the bootstrap where there is one, else of the t distribution."""
        found = pd.Series(2.0 * stats.t.sf(np.abs(self.tstats), self.df_tests), index=list(self.names), name="p")
        if self.drawn is not None and self.drawn.pvalues is not None:
            found[list(self.drawn.names)] = self.drawn.pvalues
        return found

    @property
    def cov(self) -> pd.DataFrame:
        """Covariance of the coefficients."""
        return pd.DataFrame(self.covariance, index=list(self.names), columns=list(self.names))

    @property
    def level(self) -> float:
        """Level of the intervals unless another is asked for: that at which they were drawn, else 0.95."""
        return LEVEL if self.drawn is None else self.drawn.level

    def conf_int(self, level: float | None = None) -> pd.DataFrame:
        """Return confidence intervals, columns ``low`` and ``high``: drawn where there is a bootstrap, else of t."""
        level = self.level if level is None else level
        if not 0.0 < level < 1.0:
            raise ValueError(f"a confidence level lies between 0 and 1, not at {level}")
        half = stats.t.isf((1.0 - level) / 2.0, self.df_tests) * self.std_errors
        found = pd.DataFrame({"low": self.params - half, "high": self.params + half})
        if self.drawn is not None:
            if level != self.drawn.level:
                raise SupportError(f"the intervals were drawn at level {self.drawn.level}; estimate again for {level}")
            found.loc[list(self.drawn.names), "low"] = self.drawn.low
            found.loc[list(self.drawn.names), "high"] = self.drawn.high
        return found

    def percent(self, level: float = LEVEL) -> pd.DataFrame:
        """Return effects on a log outcome in per cent, ``100 (exp(b) - 1)``, with standard errors by the delta method.

        Returns
        -------
        pandas.DataFrame
            Columns ``percent``, ``std_error``, ``low`` and ``high``; the interval is symmetric about the effect, as the
            delta method has it.
        """
        effect = 100.0 * np.expm1(self.params)
        error = 100.0 * np.exp(self.params) * self.std_errors
        half = stats.t.isf((1.0 - level) / 2.0, self.df_tests) * error
        return pd.DataFrame({"percent": effect, "std_error": error, "low": effect - half, "high": effect + half})

    def to_frame(self, level: float | None = None) -> pd.DataFrame:
        """Return one row per coefficient: ``coefficient``, ``std_error``, ``t``, ``p``, ``low`` and ``high``."""
        columns = {"coefficient": self.params, "std_error": self.std_errors, "t": self.tstats, "p": self.pvalues}
        return pd.DataFrame({**columns, **self.conf_int(level)})

    # ---- fit and tests ----------------------------------------------------------------------------------------------

    @property
    def r2(self) -> float:
        """Share of the outcome's variance that is explained, by effects too; NaN where there is none."""
        return _explained(self.fit.get("rss", np.nan), self.fit.get("tss", np.nan))

    @property
    def r2_within(self) -> float:
        """Share explained of what the effects leave; NaN without effects."""
        return _explained(self.fit.get("rss", np.nan), self.fit.get("within_tss", np.nan)) if self.effects else np.nan

    @property
    def r2_adjusted(self) -> float:
        """Share explained, adjusted for the parameters."""
        free = self.nobs - (1 if self.fit.get("centred") else 0)
        return 1.0 - (1.0 - self.r2) * free / self.df_resid

    @property
    def rmse(self) -> float:
        """Root of the residuals' mean square."""
        return float(np.sqrt(self.fit.get("rss", np.nan) / self.nobs))

    def wald(self, names: Sequence[str] | None = None) -> Test:
        """Test that coefficients are all zero.

        Parameters
        ----------
        names : sequence of str, optional
            Coefficients, by name; by default all but the intercept. The p-value of a set that a wild bootstrap tested
            together is drawn.

        Raises
        ------
        SupportError
            For an unknown name, and where the covariance is singular, as it is for more coefficients than clusters.
        """
        chosen = [name for name in self.names if name != "Intercept"] if names is None else list(names)
        if unknown := [name for name in chosen if name not in self.names]:
            raise SupportError(f"no coefficient {', '.join(map(repr, unknown))}; there are {', '.join(self.names)}")
        at = [self.names.index(name) for name in chosen]
        found = f_test(self.values[at], self.covariance[np.ix_(at, at)], self.df_tests)
        if at and np.isnan(found.statistic):
            raise SupportError(
                f"the covariance of {len(at):,} coefficients is singular{self._clusters()}: test fewer of them"
            )
        drawn = self.drawn.joint if self.drawn is not None else {}
        return replace(found, pvalue=drawn.get(frozenset(chosen), found.pvalue))

    def clusters(self) -> pd.DataFrame:
        """Return what the clusters of the covariance are worth, one row per column of clusters and coefficient.

        Returns
        -------
        pandas.DataFrame
            Clusters, effective clusters, the largest partial leverage, the largest leverage, and rows of the smallest,
            median and largest cluster; see `ClusterFigures`. It describes single clusters: it stays inside.
        """
        if not self.cluster_figures:
            raise SupportError(f"standard errors {self.cov_name} have no clusters")
        return figures_frame(self.cluster_figures)

    def anderson_rubin(self, level: float = LEVEL) -> list[tuple[float, float]]:
        """Return the confidence set of a single endogenous regressor that weak instruments do not spoil.

        It holds the values under which the instruments explain nothing of what the regressor leaves (Anderson and Rubin
        1949), by the covariance of the estimate. It may be unbounded, empty, or made of two parts.

        Returns
        -------
        list of (float, float)
            Intervals from left to right.

        Raises
        ------
        SupportError
            Without exactly one endogenous regressor, and where the covariance is not positive definite.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"a confidence level lies between 0 and 1, not at {level}")
        if len(self.first_stages) != 1:
            raise SupportError("the Anderson-Rubin set is that of one endogenous regressor")
        (stage,) = self.first_stages.values()
        if stage.joint is None:
            raise SupportError(
                "clusters of several columns gave negative variances, and the Anderson-Rubin set needs the variance at "
                "every value: cluster by one column"
            )
        return accepted(stage.joint, stage.estimate.df_tests, level)

    # ---- rendering --------------------------------------------------------------------------------------------------

    def summary(self) -> str:
        """Return the regression as the field prints it."""
        if self._is_small():
            return f"{self._heading()}\nfewer than {MASKED_BELOW} persons: coefficients are not shown\n{INSIDE_ONLY}"
        lines = [self._heading(), "", self.to_frame().to_string(float_format=lambda number: f"{number:.6g}"), ""]
        persons = f", {self.n_person:,} persons" if self.n_person >= 0 else ""
        lines.append(f"{self.nobs:,} observations{persons}; standard errors {self.cov_name}{self._clusters()}")
        if self.effects:
            named = ", ".join(f"{name} ({count:,})" for name, count in self.effects.items())
            lines.append(f"Effects: {named}")
        for name, count in self.settings.get("connected_sets", {}).items():
            lines.append(f"{name}: {count:,} connected sets, between which nothing is compared")
        lines.append("; ".join(filter(None, [self._quality(), self.settings.get("path")])))
        lines += [
            f"First stage of {name}: {stage!r}"[:-1].replace("<FirstStage: ", "")
            for name, stage in self.first_stages.items()
        ]
        lines += [f"Left out: {name}, {why}" for name, why in self.dropped.items()]
        return "\n".join([*lines, INSIDE_ONLY])

    def _quality(self) -> str:
        within = f", within {self.r2_within:.4f}" if self.effects else ""
        return f"R2 {self.r2:.4f}{within}; RMSE {self.rmse:.5g}"

    def _clusters(self) -> str:
        counts = [f"{count:,} of {name}" for name, count in self.n_clusters.items()]
        return f" ({', '.join(counts)})" if counts else ""

    def _heading(self) -> str:
        return f"{self.method}: {self.formula}"

    def _is_small(self) -> bool:
        return (self.n_row if self.n_person < 0 else self.n_person) < MASKED_BELOW

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.summary())}</pre>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FirstStage:
    """How well the instruments explain an endogenous regressor.

    Attributes
    ----------
    estimate : Estimate
        The regressor on all exogenous columns.
    test : Test
        Of the excluded instruments, by the covariance of the estimate.
    effective : float
        Effective F of Montiel Olea and Pflueger (2013), whose critical values are those of one endogenous regressor;
        with one instrument the same as the test's.
    joint : tuple of float64 arrays, or None
        With a single endogenous regressor: coefficients of the instruments in the outcome and in the regressor, their
        covariances, and the mean of the covariance between them and its transpose; None with several, or where negative
        variances were set to zero.
    """

    estimate: Estimate
    test: Test
    effective: float
    joint: tuple[FloatArray, ...] | None

    def __repr__(self) -> str:
        return f"<FirstStage: {self.test}, effective F = {self.effective:.4f}>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Estimates(Mapping[str, Estimate]):
    """Several regressions of one call, by their formula and, where the sample was split, the part.

    Attributes
    ----------
    results : mapping of label -> Estimate
    """

    results: Mapping[str, Estimate]

    def __getitem__(self, label: str) -> Estimate:
        return self.results[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def at(self, position: int) -> Estimate:
        """Return the regression at a position."""
        return list(self.results.values())[position]

    def to_frame(self, level: float | None = None) -> pd.DataFrame:
        """Return one row per regression and coefficient."""
        parts = {label: result.to_frame(level) for label, result in self.results.items()}
        return pd.concat(parts, names=["regression", "name"])

    def __repr__(self) -> str:
        lines = [
            f"{position}: {label}  ({MASK if result._is_small() else format(result.nobs, ',')} observations)"
            for position, (label, result) in enumerate(self.results.items())
        ]
        return "\n".join([f"<Estimates: {len(self.results):,} regressions>", *lines])
