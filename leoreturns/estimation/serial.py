"""Covariances under dependence over time: Driscoll and Kraay's, between persons and across nearby periods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.estimation.covariance import Clusters, Covariance, Found, SmallSample, counts_of, nests
from leoreturns.estimation.design import Design, Variables
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.scores import ClusterScores, Collector, Gathered
from leoreturns.estimation.variables import Codes


@dataclass(frozen=True, slots=True)
class DriscollKraay(Covariance):
    """Covariance under dependence between persons of any kind, and over periods up to some lags apart.

    Driscoll and Kraay (1998, Review of Economics and Statistics 80), with Bartlett weights (Newey and West 1987). It
    speaks of many periods: with fewer than twenty, clusters are the better choice.

    Parameters
    ----------
    lags : int
        Periods that are dependent on one another: those up to so many steps of the panel's period apart.
    """

    lags: int

    def __post_init__(self) -> None:
        if isinstance(self.lags, bool) or not isinstance(self.lags, int) or self.lags < 0:
            raise ValueError(f"lags is a whole number from 0, not {self.lags!r}")

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"Driscoll-Kraay, {self.lags} lags"

    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Gather the scores of every period."""
        return [ClusterScores(_periods(design, variables))]

    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return the sandwich of the periods' scores and their products at each lag."""
        periods = _periods(design, variables)
        seen = design.sample.observed(periods) > 0
        sums, count = gathered.collected[0], int(seen.sum())
        if count < 2 or self.lags >= count:
            raise SupportError(f"{self.lags} lags need more than {self.lags} periods, and the sample has {count:,}")
        step = _step(periods)
        meat = sums.T @ sums
        for lag in range(1, self.lags + 1):
            products = _lagged(sums, periods, step * lag)
            meat += (1.0 - lag / (self.lags + 1.0)) * (products + products.T)
        counts = counts_of(design, fit)
        time = design.sample.panel.schema.time
        way = Clusters((time,), periods, count)
        nested = [name for name in counts.levels if nests(design, name, way, variables)]
        factor = (counts.n - 1) / counts.free(ssc.effects, nested) if ssc.parameters else 1.0
        factor *= count / (count - 1) if ssc.clusters else 1.0
        return Found(factor * (inverse @ meat @ inverse), count - 1.0, {time: count}, {})


def _periods(design: Design, variables: Variables) -> Codes:
    """Return the panel's periods, which must be whole numbers to be some steps apart."""
    schema = design.sample.panel.schema
    if schema.time.startswith(" "):
        raise SupportError("Driscoll-Kraay errors need to know the periods: give a Panel, which has a time column")
    periods = variables.coded((schema.time,))
    if periods.labels is None or not all(isinstance(label, int) for label in periods.labels):
        raise SupportError(f"periods '{schema.time}' must be whole numbers for some of them to be one apart")
    return periods


def _step(periods: Codes) -> int:
    """Return the distance between neighbouring periods: the greatest that divides all distances."""
    assert periods.labels is not None
    return int(np.gcd.reduce(np.diff(np.array(periods.labels, dtype=np.int64)))) or 1


def _lagged(sums: FloatArray, periods: Codes, distance: int) -> FloatArray:
    """Return the cross-products of the scores of periods at a distance; gaps stay gaps."""
    assert periods.labels is not None
    labels = np.array(periods.labels, dtype=np.int64)
    at = np.searchsorted(labels, labels - distance)
    found = (at < len(labels)) & (labels[np.minimum(at, len(labels) - 1)] == labels - distance)
    return np.asarray(sums[found].T @ sums[at[found]])
