"""Wild cluster bootstrap of t-tests, from cluster moment blocks.

The bootstrap scores of a cluster are its own under the null, times one random sign. Everything a replicate needs is a
product of these signs with a few numbers per cluster (Roodman, MacKinnon, Nielsen and Webb 2019, Stata Journal 19;
MacKinnon, Nielsen and Webb 2023, J. Applied Econometrics 38). Under the null b = r the scores are linear in r, so that
a replicate's statistic is known for every r at once and intervals by inversion cost nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy import stats

from leoreturns._core import draws as kernel
from leoreturns._parallel import ordered_map
from leoreturns._typing import FloatArray, UIntArray
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.clusters import SINGULAR, ClusterBlock, ClusterMoments
from leoreturns.estimation.covariance import Clustered, Covariance, Found, SmallSample
from leoreturns.estimation.design import INTERCEPT, Design, Variables
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.scores import Collector, Gathered
from leoreturns.estimation.wild_joint import joint_pvalue
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.estimate import Drawn

WildKind = Literal["11", "13", "31", "33"]
Signs = Literal["rademacher", "webb", "mammen", "normal"]
LANES = 16  # replicates that one call draws
TILE = 256  # replicates of one step
WIDEST = 60  # doublings of the bracket of an interval's end
HALVINGS = 100  # of it: a few standard errors need 32, fewer where they are nothing beside the coefficient
PRECISION = 1e-9  # of an interval's end, in standard errors
LOG_2 = float(np.log(2.0))  # median of the exponential distribution
NOUGHT = 1e-12  # of a coefficient: a standard error of rounding alone
TIE = 1e-10  # statistics that differ by rounding are one


@dataclass(frozen=True, slots=True)
class WildCluster(Covariance):
    """Wild cluster bootstrap of the t-tests of some coefficients.

    Parameters
    ----------
    cluster : str
        A column, or "person"; combinations are written ``"cohort^region"``.
    n_replicates : int
    seed : int
    params : sequence of str
        Coefficients to test; the others keep the cluster-robust test.
    kind : "11", "13", "31" or "33"
        First the variance of the statistic, CRV1 or CRV3; then the scores, plain or of refits without the cluster.
    null : bool
        Whether the null is imposed on the bootstrap's scores (WCR) or not (WCU).
    signs : "rademacher", "webb", "mammen" or "normal"
        Distribution of the signs. All 2^G vectors of Rademacher signs are taken where they are no more than
        `n_replicates`; below six clusters they are too few for a test at level 0.95, and refused.
    level : float
        Of the confidence intervals, which hold the values that are not rejected.
    joint : sequence of sequences of str
        Sets of coefficients to test together: `Estimate.wald` then has the p-value of the bootstrap.
    """

    cluster: str
    n_replicates: int
    seed: int
    params: Sequence[str]
    kind: WildKind = "11"
    null: bool = True
    signs: Signs = "rademacher"
    level: float = 0.95
    joint: Sequence[Sequence[str]] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(WildKind) or self.signs not in get_args(Signs):
            raise ValueError(
                f"kind is one of {', '.join(get_args(WildKind))} and signs one of {', '.join(get_args(Signs))}"
            )
        if isinstance(self.params, str) or not self.params:
            raise TypeError("params names the coefficients to test, such as params=['union']")
        # A plan refuses what is no number of replicates, seed or level.
        BootstrapPlan(self.n_replicates, unit=self.cluster, seed=self.seed, interval="normal", level=self.level)
        if isinstance(self.joint, str) or any(isinstance(names, str) or not names for names in self.joint):
            raise TypeError("joint names sets of coefficients, such as joint=[['union', 'married']]")
        object.__setattr__(self, "params", tuple(self.params))
        object.__setattr__(self, "joint", tuple(tuple(dict.fromkeys(names)) for names in self.joint))

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"clustered by {self.cluster}, wild bootstrap WC{'R' if self.null else 'U'}{self.kind}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of clusters."""
        return tuple(dict.fromkeys(self.cluster.split("^")))

    @property
    def clusterings(self) -> tuple[str, ...]:
        """The way of clustering."""
        return (self.cluster,)

    def collectors(self, design: Design, fit: Fit, variables: Variables) -> list[Collector]:
        """Gather what the cluster-robust covariance needs."""
        return Clustered(self.cluster).collectors(design, fit, variables)

    def estimate(
        self, design: Design, fit: Fit, gathered: Gathered, inverse: FloatArray, ssc: SmallSample, variables: Variables
    ) -> Found:
        """Return the cluster-robust covariance, with bootstrapped tests of the coefficients named."""
        if fit.model.endogenous:
            raise SupportError("the wild bootstrap is that of least squares; use Jackknifed or Resampled")
        known = [name for name in fit.names if name != INTERCEPT]
        wanted = dict.fromkeys([*self.params, *(name for names in self.joint for name in names)])
        if unknown := [name for name in wanted if name not in known]:
            raise SupportError(f"no coefficient {', '.join(map(repr, unknown))} to test; there are {', '.join(known)}")
        found = Clustered(self.cluster).estimate(design, fit, gathered, inverse, ssc, variables)
        clusters = ClusterMoments(design, fit, self.cluster)
        self._check_signs(clusters.n_clusters)
        tests = [_Test.of(clusters, fit.names.index(name), self) for name in self.params]
        rows = [_inference(test, self) for test in tests]
        pvalues, low, high = (np.array(column) for column in zip(*rows, strict=True))
        joint = {
            frozenset(names): joint_pvalue(clusters, [fit.names.index(name) for name in names], self)
            for names in self.joint
        }
        drawn = Drawn(tuple(self.params), self.level, pvalues, low, high, tests[0].n_replicates, joint)
        return Found(found.cov, found.df_tests, found.clusters, found.notes, drawn)

    def _check_signs(self, count: int) -> None:
        """Refuse signs of so few distinct vectors that the largest statistic of all rejects too often."""
        if self.signs == "rademacher" and count < 63 and 2 ** (count - 1) * (1.0 - self.level) < 1.0:
            raise SupportError(
                f"{count:,} clusters of '{self.cluster}' have {2 ** (count - 1):,} distinct statistics, too few for "
                f"Rademacher signs at level {self.level}; use signs='webb'"
            )

    def replicates_of(self, count: int) -> int:
        """Return the number of replicates: all vectors of signs of so many clusters where they are no more."""
        return 2**count if self.replicates_are_all(count) else self.n_replicates

    def replicates_are_all(self, count: int) -> bool:
        """Whether all vectors of signs of so many clusters are taken, numbered through, in place of draws."""
        return self.signs == "rademacher" and count < 63 and 2**count <= self.n_replicates

    def drawn(self, keys: UIntArray, start: int, stop: int, n_replicates: int) -> FloatArray:
        """Return the signs of clusters in some replicates; see `signs`."""
        return signs(keys, self, start, stop, n_replicates)

    def check_determined(self, matrices: FloatArray) -> None:
        """Refuse refits in which a column is nought."""
        try:
            weakest = float(np.min(np.diagonal(np.linalg.cholesky(matrices), axis1=1, axis2=2) ** 2, initial=1.0))
        except np.linalg.LinAlgError:
            weakest = 0.0
        if weakest < SINGULAR:
            raise NotIdentifiedError(
                f"without one cluster of '{self.cluster}' a coefficient or a level of an effect cannot be estimated; "
                "use kind='11'"
            )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Test:
    """What the replicates of one test are made of, in units of the scaled columns, of which there are p.

    The bootstrap scores are ``first - r second``, their sum under signs v is S. A cluster's term in the variance is
    ``(own' score) v - load' S``. For CRV1 `own` is the coefficient's row of the inverse A, and `load` that row times
    the cluster's cross-products times A; for CRV3 `own` is the row of the inverse without the cluster, and `load` the
    same less the row of A: up to its sign, the refit without the cluster less the coefficient of all.

    Attributes
    ----------
    estimate, error : float
        Coefficient and its standard error, of the kind of the replicates'.
    unit : float
        What a scaled coefficient is multiplied by.
    first, second, own, load : float64 of shape (G, p)
    row : float64 of shape (p,)
    factor : float
        Of the variance.
    keys : uint64 of shape (G,)
    n_replicates : int
    """

    estimate: float
    error: float
    unit: float
    first: FloatArray
    second: FloatArray
    own: FloatArray
    load: FloatArray
    row: FloatArray
    factor: float
    keys: UIntArray
    n_replicates: int

    @classmethod
    def of(cls, clusters: ClusterMoments, j: int, plan: WildCluster) -> _Test:
        """Collect the numbers of every cluster."""
        total, last = clusters.scaled_total, clusters.m - 1
        products, right = total[:last, :last], total[:last, last]
        inverse = np.linalg.inv(products)
        beta = inverse @ right
        at_zero, slope = _restricted(products[None], right[None], j) if plan.null else (beta[None], 0.0 * beta[None])

        def read(block: ClusterBlock) -> tuple[Any, ...]:
            full = clusters.full(block.products)
            own, target = full[:, :last, :last], full[:, :last, last]
            left, left_target = products - own, right - target
            if "3" in plan.kind:
                plan.check_determined(left)
            null: tuple[FloatArray, FloatArray] = at_zero, slope
            if plan.kind[1] == "3" and plan.null:
                null = _restricted(left, left_target, j)
            elif plan.kind[1] == "3":
                null = np.asarray(np.linalg.solve(left, left_target[..., None])[..., 0]), slope
            first, second = (np.einsum("gij,gj->gi", own, np.broadcast_to(part, target.shape)) for part in null)
            if plan.kind[0] == "1":
                row = np.broadcast_to(inverse[j], target.shape)
                apart = (target - own @ beta) @ inverse[j]
                return target - first, second, row, np.asarray(own @ inverse[j] @ inverse), apart
            unit = np.zeros((len(own), last, 1))
            unit[:, j] = 1.0
            row = np.linalg.solve(left, unit)[..., 0]
            return target - first, second, row, row - inverse[j], np.einsum("gi,gi->g", row, left_target) - beta[j]

        parts = clusters.scan(lambda block: (*read(block), block.keys), label="scores of clusters")
        first, second, own, load, apart, keys = (np.concatenate(column) for column in zip(*parts, strict=True))
        count = len(keys)
        factor = (count - 1) / count if plan.kind[0] == "3" else 1.0
        error, unit = float(np.sqrt(factor * (apart @ apart))), float(clusters.scale[last] / clusters.scale[j])
        if not error > NOUGHT * abs(beta[j]):
            raise NotIdentifiedError("the regression fits every cluster exactly: there is no variance to test against")
        return cls(
            float(beta[j]), error, unit, first, second, own, load, inverse[j], factor, keys, plan.replicates_of(count)
        )

    def replicates(self, plan: WildCluster) -> FloatArray:
        """Return for every replicate the numerator's two parts and the variance's three: float64 of shape (5, B)."""
        scores = (self.first, self.second)
        direct = [np.einsum("gi,gi->g", self.own, part)[:, None] for part in scores]

        def tile(start: int) -> FloatArray:
            v = signs(self.keys, plan, start, min(start + TILE, self.n_replicates), self.n_replicates)
            sums = [part.T @ v for part in scores]
            e0, e1 = (own * v - self.load @ total for own, total in zip(direct, sums, strict=True))
            squares = [np.einsum("gb,gb->b", a, b) for a, b in ((e0, e0), (e0, e1), (e1, e1))]
            return np.stack([*(self.row @ total for total in sums), *(self.factor * part for part in squares)])

        tiles = ordered_map(tile, range(0, self.n_replicates, TILE), label="wild bootstrap")
        return np.concatenate(tiles, axis=1)


def drawn_statistics(
    design: Design, fit: Fit, plan: WildCluster
) -> tuple[dict[str, tuple[float, FloatArray]], UIntArray]:
    """Return each tested coefficient's statistic, and those under the null of no effect: float64 of shape (B,).

    The same clusters have the same signs in every regression, so that the statistics of several are drawn jointly; with
    them come the clusters' keys.
    """
    clusters = ClusterMoments(design, fit, plan.cluster)
    found, keys = {}, np.empty(0, dtype=np.uint64)
    for name in plan.params:
        if name in fit.names:
            test = _Test.of(clusters, fit.names.index(name), plan)
            keys = test.keys
            numerator, _, variance, *_ = test.replicates(plan)
            with np.errstate(divide="ignore", invalid="ignore"):
                found[name] = (test.estimate / test.error, numerator / np.sqrt(variance))
    return found, keys


def _restricted(matrix: FloatArray, target: FloatArray, j: int) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients under b = r: those at r = 0, and their slope in r."""
    others = np.delete(np.arange(matrix.shape[1]), j)
    sides = np.stack([target[:, others], matrix[:, others, j]], axis=2)
    found = np.linalg.solve(matrix[:, others[:, None], others], sides)
    at_zero, slope = np.zeros_like(target), np.zeros_like(target)
    at_zero[:, others], slope[:, others], slope[:, j] = found[:, :, 0], -found[:, :, 1], 1.0
    return at_zero, slope


def signs(keys: UIntArray, plan: WildCluster, start: int, stop: int, n_replicates: int) -> FloatArray:
    """Return the signs of clusters in some replicates, each a function of seed, replicate and key: float64 (G, B).

    All vectors of signs are numbered through where that is what `n_replicates` says.
    """
    if plan.signs == "rademacher" and len(keys) < 62 and n_replicates == 2 ** len(keys):
        bits = np.arange(start, stop)[None, :] >> np.argsort(np.argsort(keys))[:, None]
        return np.asarray(1.0 - 2.0 * (bits & 1))
    out = np.empty((len(keys), -(-(stop - start) // LANES) * LANES))
    room = np.empty((len(keys), LANES))
    for at in range(0, out.shape[1], LANES):
        kernel.exponential(plan.seed, start + at, keys, room)
        out[:, at : at + LANES] = room
    if plan.signs == "rademacher":
        return np.asarray(np.where(out[:, : stop - start] < LOG_2, 1.0, -1.0))
    uniform = np.exp(-out[:, : stop - start])
    if plan.signs == "webb":
        values = np.sqrt(np.array([1.5, 1.0, 0.5]))
        places = np.minimum((6.0 * uniform).astype(np.int64), 5)
        return np.asarray(np.concatenate([-values, values[::-1]])[places], dtype=np.float64)
    if plan.signs == "mammen":
        root = np.sqrt(5.0)
        return np.asarray(np.where(uniform < (root + 1.0) / (2.0 * root), (1.0 - root) / 2.0, (1.0 + root) / 2.0))
    return np.asarray(stats.norm.ppf(uniform))


def _inference(test: _Test, plan: WildCluster) -> tuple[float, float, float]:
    """Return the p-value of no effect and the ends of the interval of effects that are not rejected."""
    n0, n1, s00, s01, s11 = test.replicates(plan)

    def pvalue(r: float) -> float:
        variance = s00 - 2.0 * r * s01 + r * r * s11
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = np.abs(n0 - r * n1) / np.sqrt(variance)
        drawn = drawn[np.isfinite(drawn)]
        return float(np.mean(drawn > abs(test.estimate - r) / test.error * (1.0 + TIE)))

    def end(side: float) -> float:
        inner, step = test.estimate, side * test.error
        for _ in range(WIDEST):
            if pvalue(inner + step) <= 1.0 - plan.level:
                break
            inner, step = inner + step, 2.0 * step
        else:
            return side * np.inf
        outer = inner + step
        for _ in range(HALVINGS):
            if abs(outer - inner) <= PRECISION * test.error:
                break
            middle = (inner + outer) / 2.0
            inner, outer = (inner, middle) if pvalue(middle) <= 1.0 - plan.level else (middle, outer)
        return (inner + outer) / 2.0

    return pvalue(0.0), test.unit * end(-1.0), test.unit * end(1.0)
