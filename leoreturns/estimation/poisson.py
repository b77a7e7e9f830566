"""fepois(): Poisson pseudo maximum likelihood with fixed effects, one scan of the rows for each Newton step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from scipy.special import gammaln

from leoreturns._parallel import threads
from leoreturns._typing import FloatArray, Weights
from leoreturns.errors import ConvergenceError, NotIdentifiedError, SupportError
from leoreturns.estimation.columns import taken
from leoreturns.estimation.covariance import Clustered, Covariance, Robust, SmallSample, Unadjusted
from leoreturns.estimation.design import CONSTANT, Design, Variables, build_design, sample_of
from leoreturns.estimation.evidence import SampleEvidence, shares_collector
from leoreturns.estimation.fits import Fit, project, solve
from leoreturns.estimation.formula import Specification, parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.leverages import cluster_leverages, warn_of_few
from leoreturns.estimation.likelihood import ONE_STEP_EACH, Information
from leoreturns.estimation.moments import Moments, scan_moments
from leoreturns.estimation.ols import Behind, check_options, estimate_of, identified, label_of, owners_of, split_panel
from leoreturns.estimation.resampled import Jackknifed, Resampled
from leoreturns.estimation.sample import Sample, standing_for_one
from leoreturns.estimation.scores import Collector, scan_scores
from leoreturns.estimation.separation import without_separated, without_zero_levels
from leoreturns.estimation.serial import DriscollKraay
from leoreturns.estimation.solve import single_threaded
from leoreturns.estimation.variables import Numbers, numbers
from leoreturns.estimation.working import Index, PoissonDesign, deviances
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.results.estimate import Estimate, Estimates
from leoreturns.results.likelihood import LikelihoodEstimate

STEPS = 100  # scans after which the search is given up
HALVINGS = 40
TOLERANCE = 1e-10  # of the root mean square by which a step moves the index; the step is still taken
RESTED = 1e-6  # the same, of steps that no longer halve: what rounding leaves where columns are nearly collinear
SLACK = 1e-10  # of the deviance: rounding, no failure of a step
ONE_STEP = (Jackknifed, Resampled)


def fepois(
    formula: str,
    data: Panel | Scan | pd.DataFrame,
    *,
    cov: Covariance,
    weights: Weights | None = None,
    offset: str | None = None,
    exposure: str | None = None,
    where: str | None = None,
    ssc: SmallSample | None = None,
    split: str | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> Estimate | Estimates:
    """Estimate a regression with log link and fixed effects by Poisson pseudo maximum likelihood.

    The outcome is in levels, zeros included, and its mean is ``exp(regressors + effects)``. Consistent whatever the
    outcome's distribution, as long as the mean is right: name a robust or clustered covariance.

    Parameters
    ----------
    formula : str
        As in `feols`, without instruments: ``"earnings ~ x + C(route, ref='none') | person + tax_year"``.
    data, weights, where, ssc, split, person, n_jobs
        As in `feols`.
    cov : Covariance
        `Unadjusted` (the inverse of the information), `Robust`, `Clustered`, `DriscollKraay`; under `Jackknifed` and
        `Resampled` each refit is one Newton step from the estimate.
    offset, exposure : str, optional
        Column that is part of the index with the coefficient one; or whose logarithm is.

    Returns
    -------
    LikelihoodEstimate or Estimates
        As in `feols`. `percent()` has semi-elasticities.

    Raises
    ------
    SupportError
        As in `feols`, and for an outcome below zero, instruments, and a covariance that does not carry over.
    ConvergenceError
        If the search does not come to rest.

    Warns
    -----
    ClusterWarning
        As in `feols`.

    Notes
    -----
    An effect's level whose outcomes are all zero has no finite estimate: its rows are left out, then those of zero
    outcome that a combination of the regressors and effects separates from the positive ones (Correia, Guimaraes and
    Zylkin 2019); `flow` counts them. Newton's method takes one scan of the rows per step, the person effects being
    concentrated out in closed form (Hausman, Hall and Griliches 1984).
    """
    check_options(cov, weights, ssc)
    if not isinstance(cov, (Unadjusted, Robust, Clustered, DriscollKraay, *ONE_STEP)):
        raise SupportError(f"{type(cov).__name__} is a method for least squares; use lr.Clustered or lr.Jackknifed")
    terms = Terms(weights, offset, exposure)
    specifications = parse(formula)
    if any(entry.endogenous for entry in specifications):
        raise SupportError("fepois has no instruments; write 'outcome ~ regressors | effects'")
    results: dict[str, Estimate] = {}
    others = [*cov.columns, split, offset, exposure]
    with threads(n_jobs), single_threaded():
        panel = estimation_panel(data, specifications, others, weights, where=where, person=person)
        for label, part in [("", panel)] if split is None else split_panel(panel, split):
            options = _Options(cov, ssc or SmallSample(), terms, where, identified(data, person))
            variables = Variables(part)
            for entry in specifications:
                search = searched(part, entry, variables, terms, cov.columns)
                results[label_of(entry, label)] = _result(search, variables, options)
    warn_of_few(results.values(), cov)
    return next(iter(results.values())) if len(results) == 1 and split is None else Estimates(results)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a Poisson regression has besides its formula: weights, and the part of the index without a coefficient.

    Raises
    ------
    ValueError
        If there is an offset and an exposure.
    """

    weights: Weights | None
    offset: str | None
    exposure: str | None

    def __post_init__(self) -> None:
        if self.offset is not None and self.exposure is not None:
            raise ValueError("give offset= or exposure=, whose logarithm is the offset, not both")


@dataclass(frozen=True, slots=True)
class _Options:
    """What every regression of a call shares."""

    cov: Covariance
    ssc: SmallSample
    terms: Terms
    where: str | None
    known_persons: bool


def _logarithm(sample: Sample, exposure: Numbers) -> Numbers:
    """Return the logarithm of the exposure, which must be above zero on the sample."""
    if wrong := int((sample.on_rows(exposure.values, exposure.level) <= 0).sum()):
        raise SupportError(
            f"exposure '{exposure.name}' is not above zero in {wrong:,} rows, and has no logarithm there"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return Numbers(f"log({exposure.name})", np.log(exposure.values, dtype=np.float64), exposure.level)


def searched(
    panel: Panel, entry: Specification, variables: Variables, terms: Terms, clusters: Sequence[str] = ()
) -> Search:
    """Draw the sample of one regression and find its maximum."""
    weighting = None if terms.weights is None else (terms.weights, numbers(panel, terms.weights.column))
    column = terms.offset or terms.exposure
    offset = None if column is None else numbers(panel, column)
    sample = sample_of(panel, entry, clusters, weighting, variables, offset)
    if terms.exposure is not None and offset is not None:
        offset = _logarithm(sample, offset)
    (outcome,) = variables.outcome(entry.outcome)
    assert isinstance(outcome, Numbers)
    _check_outcome(sample, outcome)
    effects = [variables.coded(effect) for effect in entry.effects]
    single = standing_for_one(panel, weighting)
    sample = without_zero_levels(sample, outcome, effects, single)
    while True:
        design = build_design(sample, [entry], variables, weighting)
        sample = without_separated(design, outcome, variables)
        if sample is design.sample:
            break
        sample = without_zero_levels(sample, outcome, effects, single)
    totals = _Totals.of(design, offset)
    started = PoissonDesign(
        **{part.name: getattr(design, part.name) for part in fields(design)},
        offset=offset,
        total=totals.weight,
        level=totals.outcome / totals.weight,
    )
    return _maximise(started, totals)


def _check_outcome(sample: Sample, outcome: Numbers) -> None:
    """Refuse outcomes below zero, and samples without one above."""
    values = sample.on_rows(outcome.values, outcome.level)
    if negative := int((values < 0).sum()):
        raise SupportError(
            f"the outcome '{outcome.name}' is below zero in {negative:,} rows; its mean cannot be exp(.)"
        )
    if not (values > 0).any():
        raise SupportError(f"the outcome '{outcome.name}' is zero in all {len(values):,} rows")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Totals:
    """Sums over the sample that do not depend on the coefficients.

    Attributes
    ----------
    weight, outcome : float
        Sums of the weights and of the outcome.
    exposed, offset : float
        Sums of exp(offset), and of outcome times offset.
    saturated, factorials : float
        Sums of ``y log y - y`` and of ``log y!``.
    """

    weight: float
    outcome: float
    exposed: float
    offset: float
    saturated: float
    factorials: float

    @classmethod
    def of(cls, design: Design, offset: Numbers | None) -> _Totals:
        """Add them up."""

        def run(numbers_of_blocks: list[int]) -> FloatArray:
            total = np.zeros(len(fields(cls)))
            for number in numbers_of_blocks:
                block = design.blocks.block(number)
                y = np.empty(block.n)
                design.dense[design.models[0].outcome].read(block, y)
                w = design.weights_of(block)
                o = np.zeros(block.n) if offset is None else taken(offset.values, offset.level, block)
                saturated = deviances(y, np.ones(block.n), np.zeros(block.n)) / 2.0 - 1.0
                parts = np.stack([np.ones(block.n), y, np.exp(o), y * o, saturated, gammaln(y + 1.0)])
                total += parts @ w if len(w) else parts.sum(axis=1)
            return total

        return cls(*np.sum(design.blocks.in_runs(run, size=1, label="totals"), axis=0).tolist())

    @property
    def null_constant(self) -> float:
        """Constant of the regression on nothing else."""
        return float(np.log(self.outcome / self.exposed))

    @property
    def null_deviance(self) -> float:
        """Deviance of the regression on a constant."""
        return 2.0 * (self.saturated - self.outcome * self.null_constant - self.offset + self.outcome)

    def log_likelihood(self, deviance: float) -> float:
        """Return the log likelihood that belongs to a deviance."""
        return self.saturated - self.factorials - deviance / 2.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Search:
    """Where the search came to rest: the last step, which is still to be taken, and where it begins."""

    design: PoissonDesign
    fit: Fit
    moments: Moments
    totals: _Totals
    dropped: dict[str, str]
    scans: int

    @property
    def index(self) -> Index:
        """The index after the last step."""
        assert self.design.index is not None
        return self.design.index.moved(Index.of(self.design, self.fit), 1.0)


def _maximise(design: PoissonDesign, totals: _Totals) -> Search:
    """Take Newton steps, each halved until the deviance falls, until a step does not matter."""
    null = Index.zero(design, totals.null_constant if design.blocks.centre == "mean" else 0.0)
    base, step, scale, last = null, null, 1.0, np.inf
    before = np.inf if design.blocks.centre == "none" else totals.null_deviance
    model, dropped = design.models[0], {}
    for scan in range(1, STEPS + 1):
        index = None if scan == 1 else base.moved(step, scale)
        here = replace(design, index=index)
        moments = scan_moments(here)
        if index is not None and not moments.deviance <= before * (1.0 + SLACK) + SLACK * totals.outcome:
            scale /= 2.0
            if scale < 2.0**-HALVINGS:
                break
            continue
        projection = project(here, moments, [model])
        fit = solve(model, projection, here, moments)
        if index is None:
            # The first regression gives the coefficients themselves; those left out stay out.
            dropped, chosen = fit.dropped, fit.chosen.tolist()
            kept = tuple(CONSTANT if at == CONSTANT else int(projection.places[at]) for at in chosen)
            model = replace(model, exogenous=kept)
            design = replace(design, models=[model])
            step = Index.of(design, fit).moved(null, -1.0)
            continue
        if fit.dropped:
            names = ", ".join(fit.dropped)
            raise NotIdentifiedError(
                f"{names} cannot be told apart once rows count by their mean; leave regressors out"
            )
        moved = _move(here, moments, fit)
        if moved <= TOLERANCE or last / 2.0 < moved <= RESTED:
            return Search(here, fit, moments, totals, dropped, scan)
        base, step, scale, before, last = index, Index.of(design, fit), 1.0, moments.deviance, moved
    raise ConvergenceError(
        f"Poisson regression of '{model.names[model.outcome]}' on {len(model.exogenous):,} regressors and "
        f"{design.sample.n_row:,} rows did not converge in {STEPS:,} scans; scale the regressors, or leave out those "
        "that hardly vary where the outcome is positive"
    )


def _move(design: Design, moments: Moments, fit: Fit) -> float:
    """Return the root mean square by which a step moves the index, rows counted by their weight in the step."""
    projection, outcome = fit.projection, np.array([fit.model.outcome])
    at = int(np.searchsorted(projection.places, outcome[0]))
    absorbed = moments.products(outcome, projection.absorbed + len(design.dense))[0]
    own = fit.chosen[fit.chosen != CONSTANT]
    slopes = fit.beta[fit.chosen != CONSTANT]
    total = absorbed @ projection.table[at, projection.absorbed] + slopes @ fit.reduced[np.ix_(own, own)] @ slopes
    if design.blocks.centre == "mean":
        total += moments.weight * moments.mean[fit.model.outcome] ** 2
    return float(np.sqrt(max(total, 0.0) / moments.weight))


def _result(search: Search, variables: Variables, options: _Options) -> LikelihoodEstimate:
    """Gather the covariance and the evidence, and put the result together."""
    design, fit, moments, totals, cov = search.design, search.fit, search.moments, search.totals, options.cov
    cov = Information() if isinstance(cov, Unadjusted) else cov
    behind = Behind(
        shares_collector(design, moments.modes()),
        cluster_leverages(design, cov, variables),
        SampleEvidence.of(design.sample, variables, known_persons=options.known_persons),
    )
    collectors: list[Collector] = [*behind.leverages, behind.shares, *cov.collectors(design, fit, variables)]
    (gathered,) = scan_scores(design, [fit], [collectors])
    found = estimate_of(design, fit, gathered, moments, cov, options.ssc, variables, options.where, behind)
    assert design.index is not None
    offset = {} if design.offset is None else {"offset": design.offset.name}
    columns = [column for column in (options.terms.offset, options.terms.exposure) if column]
    one_step = {"refits": ONE_STEP_EACH} if isinstance(cov, ONE_STEP) else {}
    changed = {
        "method": "Poisson",
        "values": found.values + design.index.coefficients(fit),
        "dropped": search.dropped,
        "cov_name": f"{cov.name}, {ONE_STEP_EACH}" if one_step else cov.name,
        "df_tests": found.df_tests if one_step else np.inf,
        "fit": {
            "loglik": totals.log_likelihood(moments.deviance),
            "null_loglik": totals.log_likelihood(totals.null_deviance),
            "deviance": moments.deviance,
            "null_deviance": totals.null_deviance,
        },
        "settings": {**found.settings, "scans": search.scans, **offset, **one_step},
        "owners": tuple(sorted({*found.owners, *owners_of(design.sample.panel, [], columns)})),
    }
    return LikelihoodEstimate(**{part.name: getattr(found, part.name) for part in fields(found)} | changed)
