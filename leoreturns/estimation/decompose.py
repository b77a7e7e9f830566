"""gelbach(): by how much each group of added regressors moves a coefficient, whatever the order of adding them.

The base regression leaves X2 out: its coefficients are those of the full one plus G b2, where G are the coefficients of
X2 on the regressors of the base. A group's part is G_g b2_g, which is also the coefficient of X2_g b2_g on those
regressors (Gelbach 2016, J. Labor Economics 34). Everything follows from the cross-products of one scan.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leoreturns._core import scores as kernel
from leoreturns._parallel import threads
from leoreturns._typing import FloatArray, Weights
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.columns import taken
from leoreturns.estimation.covariance import Clustered, SmallSample, counts_of, summed_by_person
from leoreturns.estimation.design import Design, Variables, build_design, sample_of
from leoreturns.estimation.evidence import SampleEvidence, evidence_of, shares_collector
from leoreturns.estimation.fits import Fit, project, solve
from leoreturns.estimation.formula import Specification, parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.moments import scan_moments
from leoreturns.estimation.ols import check_options, identified, owners_of
from leoreturns.estimation.scores import Collector, Gathered, Scored, scan_scores
from leoreturns.estimation.solve import invert_symmetric, single_threaded
from leoreturns.estimation.variables import Codes, numbers
from leoreturns.panel.panel import Panel
from leoreturns.results.estimate import Estimate
from leoreturns.results.evidence import FitEvidence

BASE, FULL, EXPLAINED = "base", "full", "explained"


@dataclass(frozen=True, slots=True)
class Influence:
    """Sums over clusters of what their rows add to the parts: scores times given weights.

    Attributes
    ----------
    codes : Codes
        Of the clusters.
    weights : float64 of shape (k, p)
        Of the regression's k scores in each of p parts.
    """

    codes: Codes
    weights: FloatArray

    def zeros(self, fit: Fit) -> FloatArray:
        """Return the array of no rows."""
        return np.zeros((self.codes.n_levels, self.weights.shape[1]))

    def add(self, scored: Scored, out: FloatArray) -> None:
        """Add a block."""
        codes = taken(self.codes.codes, self.codes.level, scored.block)
        kernel.sum_codes(self.weights.T @ scored.scores, np.ascontiguousarray(codes, dtype=np.int32), out)

    def merge(self, out: FloatArray, more: FloatArray) -> None:
        """Add what other rows give."""
        out += more


def gelbach(
    formula: str,
    added: Mapping[str, str],
    data: Panel | pd.DataFrame,
    *,
    param: str,
    cov: Clustered,
    weights: Weights | None = None,
    where: str | None = None,
    ssc: SmallSample | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> Estimate:
    """Decompose the change of a coefficient when groups of regressors are added to a regression.

    Parameters
    ----------
    formula : str
        The base regression, with its effects.
    added : mapping of group -> terms
        ``{"ability": "iq + kww", "family": "C(region) + meduc"}``: what the full regression has besides.
    data : Panel or pandas.DataFrame
    param : str
        The coefficient whose change is decomposed.
    cov : Clustered
        Clusters of the delta method, which takes into account that all coefficients are estimated.
    weights, where, ssc, person, n_jobs
        As in `feols`; the factors for small samples are those of the full regression.

    Returns
    -------
    Estimate
        "base" and "full", the coefficient in both regressions on the rows of the full one; "explained", the difference;
        and the part of each group, which add up to it.

    Raises
    ------
    SupportError
        For instruments, several regressions in one formula, groups called like the other parts, or a regressor in two.
    NotIdentifiedError
        If the coefficient, or all regressors of a group, cannot be told apart in the full regression.

    References
    ----------
    Gelbach (2016, J. Labor Economics 34).
    """
    check_options(cov, weights, ssc)
    if not isinstance(cov, Clustered):
        raise TypeError(
            "cov is lr.Clustered(...): the delta method adds up what the rows of a cluster do to every part"
        )
    specifications = _specifications(formula, added)
    with threads(n_jobs), single_threaded():
        panel = estimation_panel(data, specifications[:1], cov.columns, weights, where=where, person=person)
        variables = Variables(panel)
        weighting = None if weights is None else (weights, numbers(panel, weights.column))
        sample = sample_of(panel, specifications[0], cov.columns, weighting, variables)
        design = build_design(sample, specifications, variables, weighting)
        parts = _solved(design, param, list(added))
        return _estimated(design, parts, cov, ssc or SmallSample(), variables, where, known=identified(data, person))


def _specifications(formula: str, added: Mapping[str, str]) -> list[Specification]:
    """Return the full regression, the base, and the base with each group."""
    if not added or {BASE, FULL, EXPLAINED} & set(added):
        raise SupportError(f"name one group or more, none of them '{BASE}', '{FULL}' or '{EXPLAINED}'")
    found = parse(formula)
    if len(found) != 1 or found[0].endogenous:
        raise SupportError("gelbach decomposes one regression without instruments")
    (base,) = found
    groups = [parse(f"{base.outcome.text} ~ {terms}")[0].terms for terms in added.values()]
    together = tuple(term for terms in groups for term in terms)

    def extended(terms: Sequence[object]) -> Specification:
        return dataclasses.replace(base, terms=(*base.terms, *terms))  # type: ignore[arg-type]

    text = f"{base.text}, with {'; '.join(f'{name}: {terms}' for name, terms in added.items())}"
    full = dataclasses.replace(extended(together), text=text)
    return [full, base, *(extended(terms) for terms in groups)]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Parts:
    """The regressions behind a decomposition.

    Attributes
    ----------
    param : str
    full, base : Fit
    groups : mapping of name -> Fit
        The group's part of the fitted outcome on the regressors of the base: its coefficient is the group's part.
    slopes : float64 of shape (k,)
        Coefficient of `param` in each added regressor on the regressors of the base; zero for the base's own.
    members : mapping of name -> list of int
        Coefficients of the full regression in each group.
    """

    param: str
    full: Fit
    base: Fit
    groups: dict[str, Fit]
    slopes: FloatArray
    members: dict[str, list[int]]


def _solved(design: Design, param: str, names: Sequence[str]) -> _Parts:
    """Solve all regressions from one scan."""
    moments = scan_moments(design)
    projection = project(design, moments, design.models)
    full_model, base_model, *group_models = design.models
    full, base = (solve(model, projection, design, moments) for model in (full_model, base_model))
    for fit in (full, base):
        if param not in fit.names or param == "Intercept":
            raise NotIdentifiedError(
                f"'{param}' is no coefficient of both regressions: {', '.join(base.names)} are those of the base, and "
                f"the full one leaves out {', '.join(full.dropped) or 'none'}"
            )
    at = base.names.index(param)
    slopes = np.zeros(len(full.beta))
    groups, members = dict[str, Fit](), dict[str, list[int]]()
    for name, model in zip(names, group_models, strict=True):
        new = set(model.exogenous) - set(base_model.exogenous)
        own = [number for number, column in enumerate(full.names) if _place(full, number) in new]
        if not own:
            raise NotIdentifiedError(f"group '{name}' has no regressor that can be told apart in the full regression")
        if shared := [full.names[number] for number in own if any(number in other for other in members.values())]:
            raise SupportError(
                f"{', '.join(shared)} in group '{name}' and in one before it: a part belongs to one group"
            )
        auxiliary = [
            solve(dataclasses.replace(base_model, outcome=_place(full, number)), projection, design, moments)
            for number in own
        ]
        slopes[own] = [fit.beta[at] for fit in auxiliary]
        members[name] = own
        # The group's part of the fitted outcome as one outcome: coefficients and residuals are linear in it.
        beta = sum(full.beta[number] * fit.beta for number, fit in zip(own, auxiliary, strict=True))
        residual = sum(full.beta[number] * fit.residual for number, fit in zip(own, auxiliary, strict=True))
        groups[name] = dataclasses.replace(auxiliary[0], beta=np.asarray(beta), residual=np.asarray(residual))
    return _Parts(param, full, base, groups, slopes, members)


def _place(fit: Fit, number: int) -> int:
    """Return the place of a coefficient's column in the design."""
    at = int(fit.chosen[number])
    return at if at < 0 else int(fit.projection.places[at])


def _estimated(
    design: Design,
    parts: _Parts,
    cov: Clustered,
    ssc: SmallSample,
    variables: Variables,
    where: str | None,
    *,
    known: bool,
) -> Estimate:
    """Gather what each cluster adds to every part, and put the result together."""
    fits = [parts.base, parts.full, *parts.groups.values()]
    ways = [way for _, way in cov.ways(design, variables)]
    shares = shares_collector(design, parts.full.moments.modes())
    collectors: list[list[Collector]] = [
        [*(Influence(way.codes, fit.inverse @ loads) for way in ways), shares]
        for fit, loads in zip(fits, _loads(parts), strict=True)
    ]
    gathered = scan_scores(design, fits, collectors)
    persons = [shares.numbers(fit, found.collected.pop()) for fit, found in zip(fits, gathered, strict=True)]
    # The explained part is the sum of the groups'.
    turn = np.insert(np.eye(2 + len(parts.groups)), 2, [0.0, 0.0, *[1.0] * len(parts.groups)], axis=1)
    sums = [sum(found.collected[number] for found in gathered) @ turn for number in range(len(ways))]
    meats = [each.T @ each if summed_by_person(design, way) else each for each, way in zip(sums, ways, strict=True)]
    found = cov.estimate(
        design, parts.full, Gathered(np.empty(0), np.empty(0), 0.0, 0.0, meats), np.eye(len(turn.T)), ssc, variables
    )
    shared = SampleEvidence.of(design.sample, variables, known_persons=known)
    evidence = [evidence_of(design, fit, own, shared) for fit, own in zip(fits[:2], persons, strict=False)]
    counts, sample, model = counts_of(design, parts.full), design.sample, parts.full.model
    columns = [*cov.columns, *([design.weights.name] if design.weights else [])]
    return Estimate(
        formula=model.specification.text,
        outcome=model.names[model.outcome],
        method=f"decomposition of {parts.param}",
        names=(BASE, FULL, EXPLAINED, *parts.groups),
        values=_values(parts, gathered) @ turn,
        covariance=(found.cov + found.cov.T) / 2,
        cov_name=cov.name,
        nobs=int(counts.n),
        n_row=sample.n_row,
        n_person=sample.n_person if shared.fingerprint is not None else -1,
        df_resid=counts.n - counts.parameters("full"),
        df_tests=found.df_tests,
        n_clusters=found.clusters,
        effects=dict(counts.levels),
        dropped=parts.full.dropped,
        fit={
            "rss": gathered[1].squares,
            "tss": float(parts.full.moments.total[model.outcome]),
            "within_tss": gathered[1].within,
            "centred": float(design.blocks.centre != "none"),
        },
        evidence=_evidence(parts, *evidence),
        flow=sample.flow,
        settings={
            "groups": {name: [parts.full.names[number] for number in own] for name, own in parts.members.items()},
            "weights": None if design.weights is None else f"{design.weight_kind} weights {design.weights.name}",
            "where": where,
            "ssc": ssc,
            **found.notes,
        },
        owners=owners_of(sample.panel, [model.specification], columns),
    )


def _values(parts: _Parts, gathered: Sequence[Gathered]) -> FloatArray:
    """Return base, full and the groups' parts, corrected by what the first scan's rounding left."""
    at, full_at = parts.base.names.index(parts.param), parts.full.names.index(parts.param)
    steps = [invert_symmetric(found.products) @ found.gradient for found in gathered]
    values = [parts.base.beta[at] + steps[0][at], parts.full.beta[full_at] + steps[1][full_at]]
    for own, fit, step in zip(parts.members.values(), parts.groups.values(), steps[2:], strict=True):
        values.append(fit.beta[at] + step[at] + parts.slopes[own] @ steps[1][own])
    return np.array(values)


def _loads(parts: _Parts) -> list[FloatArray]:
    """Return for each regression what its coefficients are worth in the parts: base, full and the groups."""
    n_part = 2 + len(parts.groups)
    at = parts.base.names.index(parts.param)
    loads = [np.zeros((len(fit.beta), n_part)) for fit in (parts.base, parts.full, *parts.groups.values())]
    loads[0][at, 0] = 1.0
    loads[1][parts.full.names.index(parts.param), 1] = 1.0
    for number, own in enumerate(parts.members.values(), start=2):
        loads[1][own, number] = parts.slopes[own]
        loads[number][at, number] = 1.0
    return loads


def _evidence(parts: _Parts, base: FitEvidence, full: FitEvidence) -> FitEvidence:
    """Return the evidence of the parts: the full regression's is the weakest of its own and the added coefficients.

    Base less full tells what the added ones explain. The parts add up, so that one of them follows from the others:
    that of the explained part and of every group is the weakest of all.
    """
    at, full_at = parts.base.names.index(parts.param), parts.full.names.index(parts.param)
    added = [number for own in parts.members.values() for number in own]

    def weakest(name: str, least: bool) -> FloatArray:
        in_base, in_full = getattr(base, name), getattr(full, name)
        choose = min if least else max
        in_both = choose([in_full[full_at], *in_full[added]])
        return np.array([in_base[at], in_both, *[choose([in_base[at], in_both])] * (1 + len(parts.groups))])

    return dataclasses.replace(
        full,
        names=(BASE, FULL, EXPLAINED, *parts.groups),
        persons_off_mode=weakest("persons_off_mode", least=True).astype(np.int64),
        effective_persons=weakest("effective_persons", least=True),
        largest_share=weakest("largest_share", least=False),
        effective_contributors=weakest("effective_contributors", least=True),
        largest_leverage=max(base.largest_leverage, full.largest_leverage),
    )
