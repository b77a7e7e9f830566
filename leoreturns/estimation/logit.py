"""felogit(): conditional logit, the effects conditioned away by the number of successes in each group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leoreturns._core import elimination
from leoreturns._core import scores as kernel
from leoreturns._parallel import threads
from leoreturns._typing import FloatArray, Weights
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.columns import taken
from leoreturns.estimation.conditional import SEPARATED, Groups, Maximum, Part, maximise, unpacked
from leoreturns.estimation.covariance import Clustered, Covariance, Found, SmallSample, Unadjusted
from leoreturns.estimation.design import Variables
from leoreturns.estimation.evidence import (
    CONTRIBUTED,
    LARGEST,
    LEVERAGE,
    OFF_MODE,
    SHARES,
    SampleEvidence,
    evidence_of,
    merge_numbers,
    numbers_of,
    shares_collector,
)
from leoreturns.estimation.formula import Specification, parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.likelihood import ONE_STEP_EACH
from leoreturns.estimation.ols import check_options, identified, label_of, owners_of, split_panel
from leoreturns.estimation.resampled import Jackknifed
from leoreturns.estimation.scores import scan_scores
from leoreturns.estimation.solve import single_threaded
from leoreturns.estimation.variables import Codes
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.results.estimate import Estimate, Estimates
from leoreturns.results.likelihood import LogitEstimate

N_SIDES = 4  # of the contributions: ones and zeros, where a regressor is above what the others leave, and below
EFFECT_HINT = (
    "felogit conditions on one effect, that of the persons: 'employed ~ x + C(tax_year) | person'; other effects go "
    "among the regressors as C(). Without any effect take the logit of statsmodels or scikit-learn, or lr.feols for a "
    "linear probability model"
)


def felogit(
    formula: str,
    data: Panel | Scan | pd.DataFrame,
    *,
    cov: Covariance,
    weights: Weights | None = None,
    where: str | None = None,
    ssc: SmallSample | None = None,
    split: str | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> Estimate | Estimates:
    """Estimate a logit with fixed effects by its conditional likelihood.

    Parameters
    ----------
    formula : str
        As in `feols`, with one effect and without instruments: ``"employed ~ x + C(tax_year) | person"``. The outcome
        is zero or one.
    data, where, ssc, split, person, n_jobs
        As in `feols`.
    cov : Covariance
        `Unadjusted` (the inverse of the information), `Clustered` by columns that do not vary within the groups, or
        `Jackknifed`, whose refits are one Newton step from the estimate.
    weights : Weights, optional
        Of groups as a whole, the same on all their rows: "frequency", how many equal groups one stands for, or
        "probability".

    Returns
    -------
    LogitEstimate or Estimates
        As in `feols`. Coefficients are log odds ratios. The effects are conditioned away, so that average partial
        effects are not identified.

    Raises
    ------
    SupportError
        As in `feols`, and for an outcome other than zero and one, no effect or several, covariances that do not carry
        over, and weights that vary within groups or are those of errors' variances, which a logit has not.
    NotIdentifiedError
        If some combination of the regressors tells the outcomes within groups apart, so that its coefficient is
        infinite.

    Notes
    -----
    Groups whose outcomes are all zero or all one say nothing of the coefficients: they are left out and counted in the
    `flow`. The likelihood given each group's number of ones is exact, by recursion over its rows (Chamberlain 1980,
    Review of Economic Studies 47; Gail, Lubin and Rubinstein 1981, Biometrika 68), and maximised by Newton's method.
    """
    check_options(cov, weights, ssc)
    if weights is not None and weights.kind == "analytic":
        raise SupportError(
            "analytic weights are inverse variances of errors, which a logit has not; say 'frequency' or 'probability'"
        )
    if not isinstance(cov, (Unadjusted, Clustered, Jackknifed)):
        raise SupportError(
            f"{type(cov).__name__} is not available for felogit, whose scores are those of groups, not rows; use "
            "lr.Unadjusted(), lr.Clustered('person') or clusters of persons, or lr.Jackknifed"
        )
    specifications = parse(formula)
    if any(len(entry.effects) != 1 or entry.endogenous for entry in specifications):
        raise SupportError(EFFECT_HINT)
    _refuse_single_clusters(specifications, cov, weights)
    results: dict[str, Estimate] = {}
    with threads(n_jobs), single_threaded():
        panel = estimation_panel(data, specifications, [*cov.columns, split], weights, where=where, person=person)
        for label, part in [("", panel)] if split is None else split_panel(panel, split):
            variables = Variables(part)
            for entry in specifications:
                groups = Groups.of(part, entry, cov, variables, weights)
                found = _estimate(groups, maximise(groups), cov, ssc or SmallSample(), variables)
                known = SampleEvidence.of(groups.sample, variables, known_persons=identified(data, person))
                results[label_of(entry, label)] = _result(groups, found, cov, known, where)
    return next(iter(results.values())) if len(results) == 1 and split is None else Estimates(results)


def _refuse_single_clusters(specifications: Sequence[Specification], cov: Covariance, weights: Weights | None) -> None:
    """Refuse clusters that a weight makes several of."""
    if weights is not None and weights.kind == "frequency":
        for entry in specifications:
            if set(cov.columns) >= set(entry.effects[0]):
                raise SupportError(
                    "a group with a frequency weight stands for several, which a cluster would take for one: write the "
                    f"groups of '{weights.column}' out under ids of their own, or use lr.Unadjusted()"
                )


class _Gathering:
    """What the last scan adds up: sums of clusters, and the evidence by group."""

    def __init__(self, groups: Groups, maximum: Maximum, ways: Sequence[Codes], *, information: bool) -> None:
        self.groups, self.maximum, self.ways, self.information = groups, maximum, ways, information

    def start(self) -> list[FloatArray]:
        """Return the sums over no group: evidence, groups that cross clusters, and the sums of each way."""
        k = self.groups.k
        width = k * (k + 3) // 2 if self.information else k
        return [
            np.zeros((CONTRIBUTED + 2 * N_SIDES, k)),
            np.zeros(1),
            *(np.zeros((codes.n_levels, width)) for codes in self.ways),
        ]

    def run(self, numbers: list[int]) -> list[FloatArray]:
        """Add up some blocks."""
        sums = self.start()
        for number in numbers:
            for part in self.groups.parts(number, self.maximum.last):
                merge_numbers(sums[0], self.evidence(part))
                for codes, out in zip(self.ways, sums[2:], strict=True):
                    along = taken(codes.codes, codes.level, part.block)[: part.starts[-1]]
                    low, high = (f.reduceat(along, part.starts[:-1]) for f in (np.minimum, np.maximum))
                    sums[1] += np.count_nonzero(low != high)
                    values = np.hstack([part.scores, part.information]) if self.information else part.scores
                    kernel.sum_codes(np.ascontiguousarray(values.T), low.astype(np.int32), out)
        return sums

    def evidence(self, part: Part) -> FloatArray:
        """Return the numbers of the groups: for those of persons, the persons' shares of the information."""
        inverse, starts = self.maximum.inverse, part.starts
        full = unpacked(part.information, self.groups.k)
        shares = np.einsum("ja,gaj->jg", inverse, full @ inverse) / np.diag(inverse)[:, None]
        off = np.add.reduceat(part.rows[: starts[-1]] != self.groups.modes, starts[:-1], axis=0, dtype=np.float64)
        leverages = np.einsum("ab,gab->g", inverse, full)[None, :]
        return numbers_of(np.concatenate([shares, off.T, leverages]), self._contributed(part))

    def _contributed(self, part: Part) -> FloatArray:
        """Return what the ones, and the zeros, of each group contribute: by regressors about the group's means."""
        inverse, here = self.maximum.inverse, slice(part.starts[0], part.starts[-1])
        columns, starts = np.ascontiguousarray(part.rows[here].T), part.starts - part.starts[0]
        elimination.centre(columns, np.empty(0), starts)
        codes = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
        sizes = np.array([part.outcome[here] == value for value in (1, 0)]) * part.weights[codes]
        out, one_sided = np.zeros((N_SIDES, len(columns), len(starts) - 1)), np.zeros(len(columns), dtype=np.uint8)
        sums = out.reshape(-1, len(starts) - 1)
        kernel.sum_sides(inverse @ columns, 1.0 / np.diag(inverse), one_sided, sizes, codes, sums)
        return out

    def gathered(self) -> list[FloatArray]:
        """Add up all blocks; refuse clusters that groups cross."""
        size = sum(array.nbytes for array in self.start())
        first, *others = self.groups.design.blocks.in_runs(self.run, size=size, label="last scan")
        for other in others:
            merge_numbers(first[0], other[0])
            for own, more in zip(first[1:], other[1:], strict=True):
                own += more
        if crossing := int(first[1][0]):
            raise SupportError(
                f"{crossing:,} groups of '{self.groups.design.eliminated}' lie in several clusters, and the "
                "conditional likelihood does not fall into parts there; cluster by what does not vary within groups"
            )
        return first


def _weakest_by_person(groups: Groups, numbers: FloatArray) -> FloatArray:
    """Return the evidence of groups that are not persons, at most that of the persons in the linear model.

    A group's information does not fall into parts by person, and a person may be in many groups.
    """
    if groups.design.blocks.by_person:
        return numbers
    shares = shares_collector(groups.design, groups.fit.moments.modes())
    (gathered,) = scan_scores(groups.design, [groups.fit], [[shares]])
    weakest = shares.numbers(groups.fit, gathered.collected[0])
    shared = [SHARES, LARGEST, LEVERAGE]
    weakest[shared] = np.maximum(weakest[shared], numbers[shared])
    weakest[OFF_MODE] = np.minimum(weakest[OFF_MODE], numbers[OFF_MODE])
    return weakest


def _estimate(
    groups: Groups, maximum: Maximum, cov: Covariance, ssc: SmallSample, variables: Variables
) -> tuple[Maximum, Found, FloatArray]:
    """Return the maximum, its covariance, and the numbers of the evidence."""
    design, inverse, k = groups.design, maximum.inverse, groups.k
    clustered = Clustered(cov.cluster) if isinstance(cov, Jackknifed) else cov
    ways = clustered.ways(design, variables) if isinstance(clustered, Clustered) else []
    gathering = _Gathering(groups, maximum, [way.codes for _, way in ways], information=isinstance(cov, Jackknifed))
    numbers, _, *sums = gathering.gathered()
    numbers = _weakest_by_person(groups, numbers)
    if not isinstance(clustered, Clustered):
        return maximum, Found(inverse, np.inf, {}, {}), numbers
    single = {"^".join(way.columns): way.count for _, way in ways[: len(clustered.clusters)]}
    fewest = min(single.values())
    if fewest < 2:
        raise SupportError("a clustered covariance needs two clusters or more, and there is one")
    if isinstance(cov, Jackknifed):
        seen = design.sample.observed(ways[0][1].codes) > 0
        left = np.linalg.inv(inverse) - unpacked(sums[0][seen, k:], k)
        apart = _refits(left, sums[0][seen, :k], cov.cluster)
        factor = (fewest - 1) / fewest if ssc.clusters else 1.0
        notes: dict[str, object] = {"refits": ONE_STEP_EACH}
        return maximum, Found(factor * (apart.T @ apart), fewest - 1.0, single, notes), numbers
    n = float(groups.nobs)
    meat = np.zeros((k, k))
    for (sign, way), scores in zip(ways, sums, strict=True):
        count = fewest if ssc.cluster_df == "min" else way.count
        meat += sign * (count / (count - 1) if ssc.clusters else 1.0) * (scores.T @ scores)
    factor = (n - 1) / (n - k) if ssc.parameters else 1.0
    return maximum, Found(factor * (inverse @ meat @ inverse), np.inf, single, {}), numbers


def _refits(information: FloatArray, scores: FloatArray, name: str) -> FloatArray:
    """Return how far one Newton step without each cluster leads from the estimate."""
    diagonal = np.sqrt(np.einsum("gkk->gk", information).clip(min=np.finfo(float).tiny))
    scaled = information / (diagonal[:, :, None] * diagonal[:, None, :])
    if lost := int((np.linalg.eigvalsh(scaled)[:, 0] < SEPARATED).sum()):
        raise NotIdentifiedError(f"without {lost:,} of {len(scores):,} clusters of '{name}' a coefficient is not known")
    return np.asarray(np.linalg.solve(scaled, (-scores / diagonal)[..., None])[..., 0] / diagonal)


def _result(
    groups: Groups,
    estimated: tuple[Maximum, Found, FloatArray],
    cov: Covariance,
    shared: SampleEvidence,
    where: str | None,
) -> LogitEstimate:
    """Put the result together."""
    maximum, found, numbers = estimated
    design, fit, sample = groups.design, groups.fit, groups.sample
    assert design.eliminated is not None
    specification = fit.model.specification
    return LogitEstimate(
        formula=specification.text,
        outcome=fit.model.names[fit.model.outcome],
        method="Conditional logit",
        names=fit.names,
        values=maximum.beta,
        covariance=(found.cov + found.cov.T) / 2,
        cov_name=f"{cov.name}, {ONE_STEP_EACH}" if isinstance(cov, Jackknifed) else cov.name,
        nobs=groups.nobs,
        n_row=sample.n_row,
        n_person=sample.n_person if shared.fingerprint is not None else -1,
        df_resid=float(groups.nobs - groups.k),
        df_tests=found.df_tests,
        n_clusters=found.clusters,
        effects={design.eliminated: design.effects[design.eliminated]},
        dropped=fit.dropped,
        fit={
            "loglik": maximum.loglik,
            "null_loglik": maximum.null,
            "deviance": -2.0 * maximum.loglik,
            "null_deviance": -2.0 * maximum.null,
        },
        evidence=evidence_of(design, fit, numbers, shared),
        flow=sample.flow,
        settings={
            "path": f"{design.eliminated} conditioned away",
            "scans": maximum.scans,
            "weights": None if design.weights is None else f"{design.weight_kind} weights {design.weights.name}",
            "where": where,
            **found.notes,
        },
        owners=owners_of(
            sample.panel, [specification], [*cov.columns, *([design.weights.name] if design.weights else [])]
        ),
    )
