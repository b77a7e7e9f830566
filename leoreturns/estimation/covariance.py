"""Covariances of least squares: which one, what the second scan must gather for it, and the small-sample factors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.estimation.design import Design, Variables
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.scores import ClusterScores, Collector, Gathered, PersonMeat, RowMeat
from leoreturns.estimation.variables import Codes
from leoreturns.panel.keys import interact
from leoreturns.panel.levels import number_distinct
from leoreturns.panel.rows import expand
from leoreturns.panel.units import PERSON
from leoreturns.results.estimate import Drawn

RobustKind = Literal["HC0", "HC1", "HC2", "HC3"]
EffectsCounted = Literal["nonnested", "full", "none"]
# Effective clusters from which CRV1 with t(G - 1) rejects little too often, and from which refits and signs do
# (simulations of Carter, Schnepel and Steigerwald 2017; MacKinnon, Nielsen and Webb 2023).
FEW, FEW_REFITS = 30.0, 10.0
Smallest = Literal["min", "conventional"]


@dataclass(frozen=True, slots=True)
class SmallSample:
    """Small-sample factors of a covariance, by the conventions of fixest 0.13.

    Parameters
    ----------
    parameters : bool
        Multiply by ``(n - 1) / (n - K)``, of K parameters.
    effects : "nonnested", "full" or "none"
        Which absorbed levels count in K: all but those nested in a cluster, all, or none.
    clusters : bool
        Multiply by ``G / (G - 1)``, of G clusters (rows, where there are no clusters).
    cluster_df : "min" or "conventional"
        Under several clusters, the smallest G for all terms, or each term its own.
    t_df : "min" or "conventional"
        Degrees of freedom of tests under clusters: the smallest G less one, or n less the parameters.
    """

    parameters: bool = True
    effects: EffectsCounted = "nonnested"
    clusters: bool = True
    cluster_df: Smallest = "min"
    t_df: Smallest = "min"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("effects", self.effects, EffectsCounted),
            ("cluster_df", self.cluster_df, Smallest),
            ("t_df", self.t_df, Smallest),
        ):
            if value not in get_args(allowed):
                raise ValueError(f"{name} is one of {', '.join(map(repr, get_args(allowed)))}, not {value!r}")

    @property
    def unclustered(self) -> EffectsCounted:
        """Which absorbed levels count where there are no clusters that they could be nested in."""
        return "full" if self.effects == "nonnested" else self.effects


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Clusters:
    """One way of clustering the rows.

    Attributes
    ----------
    columns : tuple of str
    codes : Codes
    count : int
        Clusters with a row.
    """

    columns: tuple[str, ...]
    codes: Codes
    count: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Found:
    """A covariance and what describes it.

    Attributes
    ----------
    cov : float64 of shape (k, k)
    df_tests : float
        Degrees of freedom of t and F tests.
    clusters : mapping of column -> int
        Number of clusters.
    notes : mapping
        What was done on the way.
    drawn : Drawn, optional
        Tests and intervals that come from draws.
    """

    cov: FloatArray
    df_tests: float
    clusters: dict[str, int]
    notes: dict[str, object]
    drawn: Drawn | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Counts:
    """What the factors are made of: rows, coefficients, and the levels of every effect."""

    n: float
    k: int
    levels: Mapping[str, int]

    def parameters(self, effects: EffectsCounted, nested: Sequence[str] = ()) -> int:
        """Count the parameters: of k effects one is free, and one is given back for each that is nested."""
        if not self.levels or effects == "none":
            return self.k
        full = self.k + sum(self.levels.values()) - (len(self.levels) - 1)
        if effects == "full" or not nested:
            return full
        return full - sum(self.levels[name] for name in nested) + len(nested)

    def free(self, effects: EffectsCounted, nested: Sequence[str] = ()) -> float:
        """Return the rows less the parameters; none may be negative, and none nought."""
        left = self.n - self.parameters(effects, nested)
        if left <= 0:
            raise SupportError(
                f"{self.n:,.0f} rows for {self.n - left:,.0f} parameters: no degree of freedom is left; "
                "give more rows, or fewer regressors and levels"
            )
        return left


class Covariance(ABC):
    """A way to estimate the covariance of the coefficients."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name for tables."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of clusters."""
        return ()

    @property
    def clusterings(self) -> tuple[str, ...]:
        """The ways of clustering, each a column or several joined by ``^``."""
        return self.columns

    @property
    def few_clusters(self) -> float:
        """Effective clusters below which a coefficient's inference is to be doubted."""
        return FEW_REFITS

    @property
    def advice(self) -> str:
        """What to do about too few."""
        return "So few are unsure by any method: take smaller clusters that are more alike"

    def check(self, weight_kind: str | None) -> None:
        """Refuse weights that the covariance has no formula for."""
        return None

    @abstractmethod
    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Return what the second scan must gather."""

    @abstractmethod
    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return the covariance."""


@dataclass(frozen=True, slots=True)
class Unadjusted(Covariance):
    """Classical covariance: residuals of equal variance, independent of one another."""

    @property
    def name(self) -> str:
        """Name for tables."""
        return "unadjusted"

    def check(self, weight_kind: str | None) -> None:
        """Refuse probability weights, under which the formula is wrong whatever the residuals."""
        if weight_kind == "probability":
            raise SupportError("probability weights have no unadjusted covariance; use Robust(...) or Clustered(...)")

    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Return nothing: the sum of squares is enough."""
        return []

    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return the variance of the residuals times the inverse of the cross-products."""
        counts = counts_of(design, fit)
        divisor = counts.free(ssc.unclustered) if ssc.parameters else counts.n
        return Found(inverse * (gathered.squares / divisor), _resid(counts), {}, {})


@dataclass(frozen=True, slots=True)
class Robust(Covariance):
    """Heteroskedasticity-robust covariance (White 1980; MacKinnon and White 1985).

    Parameters
    ----------
    kind : "HC0", "HC1", "HC2" or "HC3"
        Without a factor, times n / (n - K), or with squared residuals over 1 - h or (1 - h)^2; leverages h count the
        absorbed effects.
    """

    kind: RobustKind = "HC1"

    def __post_init__(self) -> None:
        if self.kind not in get_args(RobustKind):
            raise ValueError(f"kind is one of {', '.join(map(repr, get_args(RobustKind)))}, not {self.kind!r}")

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"robust {self.kind}"

    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Gather the sum of squared scores."""
        return [RowMeat(self.kind)]

    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return the sandwich."""
        counts = counts_of(design, fit)
        factor = 1.0
        if self.kind == "HC1":
            factor *= (counts.n - 1) / counts.free(ssc.unclustered) if ssc.parameters else 1.0
            factor *= counts.n / (counts.n - 1) if ssc.clusters else 1.0
        return Found(inverse @ gathered.collected[0] @ inverse * factor, _resid(counts), {}, {})


@dataclass(frozen=True, slots=True, init=False)
class Clustered(Covariance):
    """Cluster-robust covariance, CRV1 (Liang and Zeger 1986), by one or several clusters.

    Several clusters are crossed as Cameron, Gelbach and Miller (2011, J. Business and Economic Statistics 29) do.

    Parameters
    ----------
    *clusters : str
        Columns; "person" is the panel's id. Combinations are written ``"cohort^region"``.
    """

    clusters: tuple[str, ...]

    def __init__(self, *clusters: str) -> None:
        if not clusters or not all(isinstance(name, str) for name in clusters):
            raise TypeError("name the columns of clusters: Clustered('school') or Clustered('school', 'tax_year')")
        object.__setattr__(self, "clusters", tuple(dict.fromkeys(clusters)))

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"clustered by {' and '.join(self.clusters)}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of clusters."""
        return tuple(dict.fromkeys(part for name in self.clusters for part in name.split("^")))

    @property
    def clusterings(self) -> tuple[str, ...]:
        """The ways of clustering."""
        return self.clusters

    @property
    def few_clusters(self) -> float:
        """Effective clusters below which a coefficient's inference is to be doubted."""
        return FEW

    @property
    def advice(self) -> str:
        """What to do about too few."""
        return "Use lr.Jackknifed or lr.WildCluster"

    def ways(self, design: Design, variables: Variables) -> list[tuple[int, Clusters]]:
        """Return each crossing of the clusters with its sign."""
        found = []
        for size in range(1, len(self.clusters) + 1):
            for chosen in combinations(self.clusters, size):
                names = tuple(dict.fromkeys(part for name in chosen for part in name.split("^")))
                found.append(((-1) ** (size + 1), clusters_of(design, names, variables)))
        return found

    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Gather the scores of every cluster."""
        return [
            PersonMeat() if summed_by_person(design, way) else ClusterScores(way.codes)
            for _, way in self.ways(design, variables)
        ]

    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return the sandwich; the terms of several clusters are added with their signs."""
        counts, ways = counts_of(design, fit), self.ways(design, variables)
        single = [way for _, way in ways[: len(self.clusters)]]
        fewest = min(way.count for way in single)
        if fewest < 2:
            raise SupportError("a clustered covariance needs two clusters or more, and there is one")
        nested = [name for name in counts.levels if any(nests(design, name, way, variables) for way in single)]
        factor = (counts.n - 1) / counts.free(ssc.effects, nested) if ssc.parameters else 1.0
        cov = np.zeros_like(inverse)
        for (sign, way), sums in zip(ways, gathered.collected, strict=True):
            count = fewest if ssc.cluster_df == "min" else way.count
            own = count / (count - 1) if ssc.clusters else 1.0
            meat = sums if summed_by_person(design, way) else sums.T @ sums
            cov += sign * own * (inverse @ meat @ inverse)
        df = float(fewest - 1) if ssc.t_df == "min" else _resid(counts)
        return Found(cov * factor, df, {"^".join(way.columns): way.count for way in single}, {})


def counts_of(design: Design, fit: Fit) -> Counts:
    """Return what the small-sample factors of a regression are made of."""
    n = fit.moments.weight if design.weight_kind == "frequency" else float(design.sample.n_row)
    return Counts(n, len(fit.beta), {name: design.effects[name] for name in fit.model.effects})


def _resid(counts: Counts) -> float:
    return counts.n - counts.parameters("full")


def clusters_of(design: Design, names: tuple[str, ...], variables: Variables) -> Clusters:
    """Return the clusters of one or several columns together."""
    codes = variables.coded(names, labelled=False)
    sample = design.sample
    if codes.level == "person" and codes.n_levels == sample.panel.n_person_stored and codes.labels is None:
        return Clusters(names, codes, sample.n_person)
    return Clusters(names, codes, int((sample.observed(codes) > 0).sum()))


def nests(design: Design, effect: str, way: Clusters, variables: Variables) -> bool:
    """Whether every level of an effect lies in one cluster."""
    names = tuple(effect.split("^"))
    if set(way.columns) <= set(names):
        return True
    panel, sample = design.sample.panel, design.sample
    own = variables.coded(names)
    if design.effects[effect] < way.count:
        return False
    if own.level == "person" and own.n_levels == panel.n_person_stored and way.codes.level == "person":
        return True
    pair = [part.codes if part.level == "year" else expand(part.codes, panel.offsets) for part in (own, way.codes)]
    pair = pair if sample.kept is None else [codes[sample.kept] for codes in pair]
    numbered = number_distinct(interact(pair, [own.n_levels, way.codes.n_levels]))
    assert numbered is not None  # there is no limit to pass
    return len(numbered[1]) == design.effects[effect]


def summed_by_person(design: Design, way: Clusters) -> bool:
    """Whether the clusters are the persons and each stands in one block: then their scores need not be kept."""
    person = way.columns in ((design.sample.panel.schema.person,), (PERSON,)) and way.codes.labels is None
    return person and design.blocks.by_person


def with_variances(cov: FloatArray) -> FloatArray:
    """Set negative eigenvalues to zero where a variance would be negative, as Cameron, Gelbach and Miller advise."""
    if np.all(np.diag(cov) >= 0):
        return cov
    values, vectors = np.linalg.eigh(cov)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)
