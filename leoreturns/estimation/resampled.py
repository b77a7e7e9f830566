"""Covariances from refits: without each cluster, or under the weights of a bootstrap plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.estimation.clusters import ClusterBlock, ClusterMoments, leave_one_out
from leoreturns.estimation.covariance import Covariance, Found, SmallSample
from leoreturns.estimation.design import Design, Variables
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.scores import Collector, Gathered
from leoreturns.resample.draws import Draws
from leoreturns.resample.intervals import interval_of
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.estimate import Drawn

INTERVALS = ("percentile", "basic", "normal")


@dataclass(frozen=True, slots=True)
class Jackknifed(Covariance):
    """Cluster jackknife, CRV3: refits without each cluster.

    Levels of effects that cross the clusters are estimated anew in each refit (MacKinnon, Nielsen and Webb 2023, J.
    Applied Econometrics 38).

    Parameters
    ----------
    cluster : str
        A column, or "person"; combinations are written ``"cohort^region"``.
    """

    cluster: str

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"jackknifed by {self.cluster} (CRV3)"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of clusters."""
        return tuple(dict.fromkeys(self.cluster.split("^")))

    @property
    def clusterings(self) -> tuple[str, ...]:
        """The way of clustering."""
        return (self.cluster,)

    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Return nothing: the refits have a scan of their own."""
        return []

    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return (G - 1) / G times the squared deviations of the refits from the estimate."""
        clusters = ClusterMoments(design, fit, self.cluster)
        apart = leave_one_out(clusters) - fit.beta
        count = clusters.n_clusters
        factor = (count - 1) / count if ssc.clusters else 1.0
        return Found(factor * (apart.T @ apart), count - 1.0, {self.cluster: count}, {})


@dataclass(frozen=True, slots=True)
class Resampled(Covariance):
    """Pairs bootstrap of persons or clusters under a plan: all rows of a unit are drawn together.

    Cameron, Gelbach and Miller (2008, Review of Economics and Statistics 90).

    Parameters
    ----------
    plan : BootstrapPlan
        Its unit, scheme, seed and interval. "percentile" and "basic" intervals come from the replicates; tests, and
        "normal" intervals, from their covariance and the t distribution. The others need more than the replicates.
    """

    plan: BootstrapPlan

    def __post_init__(self) -> None:
        if self.plan.interval not in INTERVALS:
            raise SupportError(
                f"regressions have no {self.plan.interval!r} interval; give the plan one of "
                f"{', '.join(map(repr, INTERVALS))}"
            )

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"bootstrapped by {self.plan.unit} ({self.plan.n_replicates:,} replicates)"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of clusters."""
        return (self.plan.unit,)

    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Return nothing: the replicates have a scan of their own."""
        return []

    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return the covariance of the replicates."""
        clusters = ClusterMoments(design, fit, self.plan.unit)
        return covariance_of(replicates(clusters, self.plan), clusters, self.plan)


def covariance_of(found: FloatArray, clusters: ClusterMoments, plan: BootstrapPlan) -> Found:
    """Return the covariance of a regression's replicates, float64 of shape (B, k), and the plan's intervals."""
    fit = clusters.fit
    return drawn_covariance(found, clusters.n_clusters, fit.beta, fit.turn, fit.names, plan)


def drawn_covariance(
    found: FloatArray, n_units: int, point: FloatArray, turn: FloatArray, names: tuple[str, ...], plan: BootstrapPlan
) -> Found:
    """Return the covariance of replicates, and the plan's intervals of what they are turned into.

    Parameters
    ----------
    found : float64 of shape (B, k)
        Replicates; those without every coefficient are left out.
    n_units : int
        Units that were drawn from.
    point : float64 of shape (k,)
    turn : float64 of shape (m, k)
        The m numbers reported, as sums of the coefficients.
    names : tuple of str
        Of the m numbers.
    plan : BootstrapPlan

    Raises
    ------
    SupportError
        If fewer than half of the replicates have every coefficient.
    """
    complete = np.isfinite(found).all(axis=1)
    if complete.sum() < max(2, len(found) / 2):
        raise SupportError(
            f"only {int(complete.sum()):,} of {len(found):,} replicates have every coefficient: some hang on few units"
        )
    notes: dict[str, object] = {"plan": plan.settings, "replicates dropped": int((~complete).sum())}
    cov = np.cov(found[complete].T).reshape(2 * (found.shape[1],))
    drawn = None
    if plan.interval != "normal":
        ends = interval_of(turn @ point, turn @ found[complete].T, plan)
        drawn = Drawn(names, plan.level, None, ends.low, ends.high, int(complete.sum()))
    return Found(cov, n_units - 1.0, {plan.unit: n_units}, notes, drawn)


def replicates(clusters: ClusterMoments, plan: BootstrapPlan) -> FloatArray:
    """Return the coefficients under the weights of each replicate: float64 of shape (B, k).

    The weighted sums of all clusters' cross-products are one matrix product; each replicate is then a small system.
    """
    draws = Draws(plan)
    n_tiles, lanes = draws.n_tiles, draws.lanes

    def weighted(block: ClusterBlock) -> FloatArray:
        sums = np.empty((n_tiles * lanes, block.products.shape[1]))
        room = np.empty((len(block.keys), lanes), dtype=draws.dtype)
        for tile in range(n_tiles):
            draws.fill(tile, block.keys, room)
            sums[tile * lanes : (tile + 1) * lanes] = room.T.astype(np.float64) @ block.products
        return sums

    total = np.zeros((n_tiles * lanes, clusters.m * (clusters.m + 1) // 2))
    for part in clusters.scan(weighted, label="drawing clusters"):
        total += part
    return clusters.coefficients(clusters.full(total[: plan.n_replicates]))
