"""feols(): least squares and two-stage least squares with fixed effects, exact, in two scans of the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.absorb import SparseEffects
from leoreturns.estimation.covariance import Covariance, SmallSample, counts_of, with_variances
from leoreturns.estimation.design import Design, Model, Variables, build_design, eliminated_effect, sample_of
from leoreturns.estimation.evidence import PersonShares, SampleEvidence, evidence_of, shares_collector
from leoreturns.estimation.fits import Fit, disconnected, project, solve
from leoreturns.estimation.formula import Specification, parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.instruments import first_stage_fits, with_first_stages
from leoreturns.estimation.leverages import ClusterLeverages, cluster_leverages, warn_of_few
from leoreturns.estimation.moments import Moments, scan_moments
from leoreturns.estimation.sample import Sample
from leoreturns.estimation.scores import Collector, Gathered, scan_scores
from leoreturns.estimation.solve import invert_symmetric, single_threaded
from leoreturns.estimation.variables import numbers
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.results.estimate import Estimate, Estimates


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Behind:
    """What finds who stands behind the regressions of a sample: its persons, clusters and entities."""

    shares: PersonShares
    leverages: list[ClusterLeverages]
    sample: SampleEvidence


def feols(
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
    """Estimate a linear regression with fixed effects, by least squares or with instruments.

    Parameters
    ----------
    formula : str
        ``"log_earnings ~ x + C(route, ref='none') + i(tax_year, treated) | person + tax_year + cohort^region"``; a
        third part ``endogenous ~ instruments`` makes it two-stage least squares. Several outcomes (``y1 + y2 ~ x``) and
        stepwise sets (``sw``, ``csw``, ``sw0``, ``csw0``) give several regressions.
    data : Panel, Scan or pandas.DataFrame
        Person-periods. Traits of a panel are read along each person's rows without being copied; the columns of a scan
        stay in their files.
    cov : Covariance
        `Unadjusted`, `Robust`, `Clustered`, `DriscollKraay`, `Jackknifed`, `Resampled` or `WildCluster`: no default.
    weights : Weights, optional
        Analytic, frequency or probability weights.
    where : str, optional
        Condition on rows, in the grammar of `Panel.where`.
    ssc : SmallSample, optional
        Small-sample factors; by default those of fixest 0.13.
    split : str, optional
        A column: one regression for each of its values.
    person : str, optional
        Id column of a frame. Without it persons cannot be counted, and a release is refused.
    n_jobs : int, optional
        Threads; the result is the same to the last bit for any number.

    Returns
    -------
    Estimate or Estimates
        The second where the formula, or `split`, stands for several regressions.

    Raises
    ------
    ValueError
        For a text that is no formula.
    SupportError, PanelError
        For unknown columns or levels, weights that are not, and samples without a row or a degree of freedom.
    NotIdentifiedError
        For instruments that are too few or irrelevant.

    Warns
    -----
    ClusterWarning
        Where a coefficient rests on too few effective clusters for its covariance.

    Notes
    -----
    Rows with a missing value in any column used are left out, then rows alone in an absorbed effect until none is; the
    result's `flow` counts them. The effect of the persons (or the largest one) is eliminated exactly while the
    cross-products of all columns and other levels are added up; the remaining levels are solved for with the
    coefficients. A second scan computes residuals, corrects the rounding of the first and gathers the covariance. No
    column of the rows' length is made. (Wansbeek and Kapteyn 1989; Somaini and Wolak 2016.)
    """
    check_options(cov, weights, ssc)
    specifications = parse(formula)
    factors = ssc or SmallSample()
    with threads(n_jobs), single_threaded():
        panel = estimation_panel(data, specifications, [*cov.columns, split], weights, where=where, person=person)
        parts = [("", panel)] if split is None else split_panel(panel, split)
        results: dict[str, Estimate] = {}
        for label, part in parts:
            found = regressions(part, specifications, cov, weights, factors, where, identified(data, person))
            results |= {label_of(entry, label): found[number] for number, entry in enumerate(specifications)}
    warn_of_few(results.values(), cov)
    return next(iter(results.values())) if len(results) == 1 and split is None else Estimates(results)


def identified(data: Any, person: str | None) -> bool:
    """Whether the data name the persons."""
    return isinstance(data, Panel | Scan) or person is not None


def check_options(cov: Any, weights: Any, ssc: Any) -> None:
    """Refuse options of another type, and weights that the covariance has no formula for."""
    if not isinstance(cov, Covariance):
        raise TypeError("cov is a covariance such as lr.Clustered('school'), lr.Robust('HC1') or lr.Unadjusted()")
    if weights is not None and not isinstance(weights, Weights):
        raise TypeError("weights are given as lr.Weights(column, kind), which says what they mean")
    if ssc is not None and not isinstance(ssc, SmallSample):
        raise TypeError("ssc is given as lr.SmallSample(...)")
    cov.check(None if weights is None else weights.kind)


def label_of(specification: Specification, part: str) -> str:
    """Return the label of one regression among several."""
    return f"{part}: {specification.text}" if part else specification.text


def split_panel(panel: Panel, name: str) -> list[tuple[str, Panel]]:
    """Return the panel for each value of a column."""
    key = panel.key(name)
    parts = [(f"{name}={label}", panel.at(**{name: label})) for label in key.labels]
    return [(label, part) for label, part in parts if part.n_row]


def regressions(
    panel: Panel,
    specifications: Sequence[Specification],
    cov: Covariance,
    weights: Weights | None,
    ssc: SmallSample,
    where: str | None,
    known_persons: bool,
) -> list[Estimate]:
    """Estimate every regression on a panel; those with one sample and one large effect share the scans."""
    variables = Variables(panel)
    weighting = None if weights is None else (weights, numbers(panel, weights.column))
    groups: dict[object, tuple[Sample, list[int]]] = {}
    for number, specification in enumerate(specifications):
        sample = sample_of(panel, specification, cov.columns, weighting, variables)
        coded = {effect: variables.coded(effect) for effect in specification.effects}
        demeaned = bool(specification.intercept or specification.effects)
        rows = None if sample.kept is None else hashlib.sha256(np.packbits(sample.kept).tobytes()).digest()
        key = (rows, eliminated_effect(sample, specification, coded), demeaned)
        groups.setdefault(key, (sample, []))[1].append(number)
    results: dict[int, Estimate] = {}
    for sample, members in groups.values():
        design = build_design(sample, [specifications[number] for number in members], variables, weighting)
        found = _fit_design(design, cov, ssc, variables, where, known_persons)
        results.update(zip(members, found, strict=True))
    return [results[number] for number in range(len(specifications))]


def _fit_design(
    design: Design, cov: Covariance, ssc: SmallSample, variables: Variables, where: str | None, known_persons: bool
) -> list[Estimate]:
    """Estimate the regressions of one design."""
    moments = scan_moments(design)
    _check_finite(design, moments)
    projections: dict[bytes, list[Model]] = {}
    for model in design.models:
        projections.setdefault(model.absorbed.tobytes(), []).append(model)
    fits: list[Fit] = []
    places: dict[int, slice] = {}  # of each model's fits: its own, then those behind its instruments
    for models in projections.values():
        projection = project(design, moments, models)
        for model in models:
            first = len(fits)
            fits.append(solve(model, projection, design, moments))
            fits += first_stage_fits(model, projection, design, moments)
            places[id(model)] = slice(first, len(fits))
    behind = Behind(
        shares_collector(design, moments.modes()),
        cluster_leverages(design, cov, variables),
        SampleEvidence.of(design.sample, variables, known_persons=known_persons),
    )
    collectors: list[list[Collector]] = [
        [*behind.leverages, behind.shares, *cov.collectors(design, fit, variables)] for fit in fits
    ]
    gathered = scan_scores(design, fits, collectors)
    estimates = [
        estimate_of(design, fit, found, moments, cov, ssc, variables, where, behind)
        for fit, found in zip(fits, gathered, strict=True)
    ]
    return [with_first_stages(model, estimates[places[id(model)]], fits[places[id(model)]]) for model in design.models]


def estimate_of(
    design: Design,
    fit: Fit,
    gathered: Gathered,
    moments: Moments,
    cov: Covariance,
    ssc: SmallSample,
    variables: Variables,
    where: str | None,
    behind: Behind,
) -> Estimate:
    """Correct the coefficients by the second scan and put the result together."""
    *leverages, persons = gathered.collected[: len(behind.leverages) + 1]
    del gathered.collected[: len(behind.leverages) + 1]
    persons = behind.shares.numbers(fit, persons)
    _check_free(design, fit)
    inverse = invert_symmetric(gathered.products) if len(gathered.products) else gathered.products
    step = inverse @ gathered.gradient
    gathered.squares = max(gathered.squares - float(gathered.gradient @ step), 0.0)
    found = cov.estimate(design, fit, gathered, inverse, ssc, variables)
    turned = fit.turn @ found.cov @ fit.turn.T
    turned = (turned + turned.T) / 2
    covariance = with_variances(turned)
    counts = counts_of(design, fit)
    specification = fit.model.specification
    panel = design.sample.panel
    return Estimate(
        formula=specification.text,
        outcome=fit.model.names[fit.model.outcome],
        method="2SLS" if fit.model.endogenous else "OLS" if design.weights is None else "WLS",
        names=fit.names,
        values=fit.turn @ (fit.beta + step),
        covariance=covariance,
        cov_name=cov.name,
        nobs=int(counts.n),
        n_row=design.sample.n_row,
        n_person=design.sample.n_person if behind.sample.fingerprint is not None else -1,
        df_resid=counts.n - counts.parameters("full"),
        df_tests=found.df_tests,
        n_clusters=found.clusters,
        effects=dict(counts.levels),
        dropped=fit.dropped,
        fit={
            "rss": gathered.squares,
            "tss": float(moments.total[fit.model.outcome]),
            "within_tss": gathered.within,
            "centred": float(design.blocks.centre != "none"),
        },
        evidence=evidence_of(design, fit, persons, behind.sample),
        flow=design.sample.flow,
        settings={
            "path": _path(design, fit),
            "effects_rank": fit.projection.effects.rank,
            "connected_sets": disconnected(design, fit),
            "weights": None if design.weights is None else f"{design.weight_kind} weights {design.weights.name}",
            "where": where,
            "ssc": ssc,
            **found.notes,
            **({"eigenvalues set to zero": True} if covariance is not turned else {}),
            **{name: made for name, made in panel.settings.items() if name == "definitions"},
        },
        drawn=found.drawn,
        owners=owners_of(panel, [specification], [*cov.columns, *([design.weights.name] if design.weights else [])]),
        cluster_figures={
            way.name: way.figures(fit, sums, persons) for way, sums in zip(behind.leverages, leverages, strict=True)
        },
    )


def _check_finite(design: Design, moments: Moments) -> None:
    """Refuse columns whose squares are beyond floating point."""
    finite = np.isfinite(moments.total) & np.isfinite(np.diag(moments.dense))
    if not finite.all():
        names = ", ".join(column.name for column, fine in zip(design.dense, finite, strict=True) if not fine)
        raise SupportError(f"the squares of {names} are too large to add up: measure in larger units")


def _check_free(design: Design, fit: Fit) -> None:
    """Refuse a regression that has no residual to learn a variance from."""
    rank = len(fit.beta) + fit.projection.effects.rank
    rank += (
        design.effects[design.eliminated] if design.eliminated else design.blocks.centre == "mean" and not fit.constant
    )
    if (n := counts_of(design, fit).n) <= rank:
        raise SupportError(
            f"{n:,.0f} rows for {rank:,} parameters: every row is fitted exactly; give more rows, or fewer regressors "
            "and levels"
        )


def _path(design: Design, fit: Fit) -> str:
    """Say how the effects were dealt with."""
    if not fit.model.effects:
        return "cross-products about the mean" if design.blocks.centre == "mean" else "cross-products"
    solved = [name for name in fit.model.effects if name != design.eliminated]
    parts = [f"{design.eliminated} eliminated"] if design.eliminated else []
    effects = fit.projection.effects
    how = f"solved by {effects.path}" if isinstance(effects, SparseEffects) else "solved exactly"
    return "; ".join([*parts, *([f"{', '.join(solved)} {how}"] if solved else [])])


def owners_of(panel: Panel, specifications: Sequence[Specification], others: Sequence[str]) -> tuple[str, ...]:
    """Return who owns the columns of regressions, those of their clusters and weights among them."""
    names = set(others)
    for entry in specifications:
        terms = (*entry.terms, *entry.endogenous, *entry.instruments, (entry.outcome,))
        names |= {name for term in terms for factor in term for name in factor.columns}
        names |= {name for effect in entry.effects for name in effect}
    owners = {panel.schema.columns[name].owner for name in names if name in panel.schema.columns}
    return tuple(sorted({owner for entry in owners if entry for owner in entry.split(", ")}))
