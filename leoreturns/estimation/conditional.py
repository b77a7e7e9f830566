"""The conditional likelihood of a logit, its groups read block by block, and the search for its maximum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._core import conditional
from leoreturns._typing import AnyArray, FloatArray, IntArray, Weights
from leoreturns.errors import ConvergenceError, NotIdentifiedError, SupportError
from leoreturns.estimation.blocks import Block
from leoreturns.estimation.covariance import Covariance
from leoreturns.estimation.design import Design, Variables, build_design, sample_of
from leoreturns.estimation.fits import Fit, project, solve
from leoreturns.estimation.formula import Specification
from leoreturns.estimation.moments import scan_moments
from leoreturns.estimation.sample import Sample, without_levels
from leoreturns.estimation.solve import invert_symmetric
from leoreturns.estimation.variables import Codes, Numbers, numbers
from leoreturns.panel.panel import Panel

STEPS = 100
HALVINGS = 40
TOLERANCE = 1e-9  # of a step, in standard errors; it is still taken
SLACK = 1e-12  # of the log likelihood: rounding, no failure of a step
SEPARATED = 1e-8  # of the information where the coefficients are zero: what is left once one of them has run away
MAX_CELLS = 1e11  # steps of the recursion times pairs of terms: minutes for each scan
ENTRIES = 1 << 20  # of the groups' information that are kept at a time


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Part:
    """Some groups of a block, and what the likelihood has of each, times its weight.

    Attributes
    ----------
    block : Block
    starts : int64 of shape (g + 1,)
        First row of each group in the block, and the end.
    rows : float64 of shape (n, k)
        Regressors on the block's rows.
    outcome : uint8 of shape (n,)
    weights : float64 of shape (g,)
    likelihood : float64 of shape (g,)
    scores : float64 of shape (g, k)
    information : float64 of shape (g, k (k + 1) / 2)
    """

    block: Block
    starts: IntArray
    rows: FloatArray
    outcome: AnyArray
    weights: FloatArray
    likelihood: FloatArray
    scores: FloatArray
    information: FloatArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Groups:
    """The groups of a conditional logit, their rows in blocks.

    Attributes
    ----------
    design : Design
    fit : Fit
        The linear probability model, whose regressors, as far as they can be told apart, are those of the logit.
    modes : float64 of shape (k,)
        Most frequent value of each regressor.
    """

    design: Design
    fit: Fit
    modes: FloatArray

    @classmethod
    def of(
        cls, panel: Panel, entry: Specification, cov: Covariance, variables: Variables, weights: Weights | None
    ) -> Groups:
        """Draw the sample and find the regressors that can be told apart."""
        weighting = None if weights is None else (weights, numbers(panel, weights.column))
        sample = sample_of(panel, entry, cov.columns, weighting, variables)
        (outcome,) = variables.outcome(entry.outcome)
        assert isinstance(outcome, Numbers)
        effect = variables.coded(entry.effects[0])
        sample = _varying(sample, outcome, effect, len(entry.terms))
        if weighting is not None:
            _check_weights(sample, weighting[1], effect)
        design = build_design(sample, [entry], variables, weighting, eliminate=True)
        moments = scan_moments(design)
        (model,) = design.models
        fit = solve(model, project(design, moments, [model]), design, moments)
        if not fit.names:
            raise NotIdentifiedError(f"no regressor of '{entry.text}' varies within the groups of {design.eliminated}")
        places = fit.projection.places[fit.chosen]
        levels = (moments.counts / moments.weight > 0.5).astype(np.float64)
        return cls(design, fit, np.concatenate([moments.modes(), levels])[places])

    @property
    def sample(self) -> Sample:
        """The rows."""
        return self.design.sample

    @property
    def nobs(self) -> int:
        """Rows, or with frequency weights those that they stand for."""
        return int(self.design.observations(self.fit.moments.weight))

    @property
    def k(self) -> int:
        """Number of coefficients."""
        return len(self.fit.names)

    def parts(self, number: int, beta: FloatArray) -> list[Part]:
        """Return what the likelihood has of the groups of a block."""
        design, k = self.design, self.k
        block = design.blocks.block(number)
        dense, slots = design.columns_of(block), design.slots_of(block)
        columns = [
            dense[place] if place < len(dense) else (slots == place - len(dense)).any(axis=0)
            for place in self.fit.projection.places[self.fit.chosen].tolist()
        ]
        rows = np.ascontiguousarray(np.array(columns, dtype=np.float64).T)
        outcome = dense[self.fit.model.outcome].astype(np.uint8)
        weights = design.weights_of(block)
        weights = weights[block.starts[:-1]] if len(weights) else np.ones(len(block.starts) - 1)
        m, n_groups = k * (k + 1) // 2, len(block.starts) - 1
        found = []
        for first in range(0, n_groups, max(1, ENTRIES // m)):
            starts = block.starts[first : first + max(1, ENTRIES // m) + 1]
            count, here = len(starts) - 1, slice(starts[0], starts[-1])
            results = np.empty(count), np.empty((count, k)), np.empty((count, m))
            conditional.groups(rows[here], beta, outcome[here], starts - starts[0], *results)
            own = weights[first : first + count]
            for result in results:
                result *= own.reshape(-1, *[1] * (result.ndim - 1))
            found.append(Part(block, starts, rows, outcome, own, *results))
        return found

    def sums(self, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return the log likelihood, its gradient, and the information."""

        def run(numbers: list[int]) -> FloatArray:
            total = np.zeros(1 + self.k * (self.k + 3) // 2)
            for number in numbers:
                for part in self.parts(number, beta):
                    own = part.likelihood.sum(keepdims=True), part.scores.sum(axis=0), part.information.sum(axis=0)
                    total += np.concatenate(own)
            return total

        found = np.sum(self.design.blocks.in_runs(run, size=1, label="likelihood"), axis=0)
        return float(found[0]), found[1 : self.k + 1], unpacked(found[self.k + 1 :], self.k)


def unpacked(packed: FloatArray, k: int) -> FloatArray:
    """Return upper triangles, row by row, as symmetric matrices."""
    out = np.empty((*packed.shape[:-1], k, k))
    rows, columns = np.triu_indices(k)
    out[..., rows, columns] = packed
    out[..., columns, rows] = packed
    return out


def _varying(sample: Sample, outcome: Numbers, effect: Codes, k: int) -> Sample:
    """Leave out the groups whose outcomes are all alike."""
    values = sample.on_rows(outcome.values, outcome.level)
    if wrong := int(((values != 0) & (values != 1)).sum()):
        raise SupportError(f"the outcome '{outcome.name}' is neither zero nor one in {wrong:,} rows")
    codes = sample.on_rows(effect.codes, effect.level)
    rows = np.bincount(codes, minlength=effect.n_levels)
    ones = np.bincount(codes, values, minlength=effect.n_levels)
    sample = without_levels(sample, effect, (ones == 0) | (ones == rows), f"{effect.name} with both outcomes")
    if not sample.n_row:
        raise SupportError(f"'{outcome.name}' does not vary within any group of '{effect.name}'")
    if float(ones @ (rows - ones)) * k**2 > MAX_CELLS:
        raise SupportError(
            f"the groups of '{effect.name}' have up to {int(rows.max()):,} rows, too many for an exact conditional "
            f"likelihood; effects of such groups can be estimated: write C({effect.name}) in an ordinary logit"
        )
    return sample


def _check_weights(sample: Sample, weights: Numbers, effect: Codes) -> None:
    """Refuse weights that differ within a group, whose likelihood does not fall into parts by row."""
    values, codes = sample.on_rows(weights.values, weights.level), sample.on_rows(effect.codes, effect.level)
    of_groups = np.zeros(effect.n_levels)
    of_groups[codes] = values
    if varying := len(np.unique(codes[of_groups[codes] != values])):
        raise SupportError(
            f"weights '{weights.name}' vary within {varying:,} groups of '{effect.name}', and a conditional likelihood "
            "has weights of groups as a whole; give each group one weight, repeat the rows that stand for several, or "
            "take lr.feols, a linear probability model"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Maximum:
    """Where the likelihood is largest.

    Attributes
    ----------
    beta : float64 of shape (k,)
    last : float64 of shape (k,)
        Where the last step began, and the information was taken.
    inverse : float64 of shape (k, k)
        Of the information.
    loglik, null : float
        Log likelihood there, and where all coefficients are zero.
    scans : int
    """

    beta: FloatArray
    last: FloatArray
    inverse: FloatArray
    loglik: float
    null: float
    scans: int


def maximise(groups: Groups) -> Maximum:
    """Take Newton steps, each halved until the likelihood rises, until a step does not matter."""
    base, step, scale = np.zeros(groups.k), np.zeros(groups.k), 1.0
    before = null = -np.inf
    first: FloatArray | None = None
    for scan in range(1, STEPS + 1):
        beta = base + scale * step
        loglik, gradient, information = groups.sums(beta)
        if loglik < before - SLACK * abs(before):
            scale /= 2.0
            if scale < 2.0**-HALVINGS:
                break
            continue
        if first is None:
            first, null = information, loglik
        _check_information(groups, information, first)
        inverse = invert_symmetric(information)
        base, step, scale, before = beta, inverse @ gradient, 1.0, loglik
        if step @ gradient <= TOLERANCE**2:
            return Maximum(base + step, base, inverse, loglik, null, scan)
    raise ConvergenceError(
        f"the conditional logit of {groups.k:,} regressors on {groups.sample.n_row:,} rows did not converge in "
        f"{STEPS:,} scans; scale the regressors, or leave some out"
    )


def _check_information(groups: Groups, information: FloatArray, first: FloatArray) -> None:
    """Refuse coefficients that run away: of the information at zero nothing is left in some direction."""
    scale = np.sqrt(np.diag(first))
    lower = np.linalg.cholesky(first / np.outer(scale, scale))
    half = np.linalg.solve(lower, information / np.outer(scale, scale))
    values, vectors = np.linalg.eigh(np.linalg.solve(lower, half.T))
    if values[0] > SEPARATED:
        return
    direction = np.abs(np.linalg.solve(lower.T, vectors[:, 0]))
    names = [name for name, size in zip(groups.fit.names, direction, strict=True) if size > 0.1 * direction.max()]
    raise NotIdentifiedError(
        f"{', '.join(names)}: within groups these regressors tell the outcomes apart wherever they vary, so that a "
        "coefficient is infinite; leave them out, merge levels, or drop the rows they decide"
    )
