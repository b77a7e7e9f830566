"""bounds(): what an effect can be where the outcomes of some persons are not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import BoolArray, FloatArray, Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.arms import numbered_arms
from leoreturns.estimation.covariance import Clustered, Robust
from leoreturns.estimation.covariates import Units, cells_of, once_per_person
from leoreturns.estimation.design import Variables
from leoreturns.estimation.evidence import SampleEvidence
from leoreturns.estimation.formula import Specification, parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.ols import identified, owners_of
from leoreturns.estimation.partial import Bound, Known, share_known, trimmed, worst_case
from leoreturns.estimation.request import of_moments
from leoreturns.estimation.sample import Sample, draw_sample, restricted
from leoreturns.estimation.sandwich import influence_covariance
from leoreturns.estimation.solve import single_threaded
from leoreturns.estimation.variables import Numbers, Variable, numbers
from leoreturns.panel.panel import Panel
from leoreturns.results.bounds import LOWER, UPPER, BoundsEstimate
from leoreturns.results.evidence import FitEvidence

BoundMethod: TypeAlias = Literal["lee", "manski"]
BoundEstimand: TypeAlias = Literal["ATE", "ATT", "ATC"]
NAMES: dict[BoundMethod, str] = {"lee": "Lee bounds", "manski": "Worst-case bounds"}


def bounds(
    outcome: str,
    treatment: str,
    data: Panel | pd.DataFrame,
    *,
    method: BoundMethod,
    estimand: BoundEstimand,
    cov: Robust | Clustered,
    observed: str | None = None,
    outcome_range: tuple[float, float] | None = None,
    where: str | None = None,
    weights: Weights | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> BoundsEstimate:
    """Bound the effect of a treatment where the outcomes of some persons are not known.

    Pay is known of those in work alone, and nothing of persons whose activity is not captured (abroad, or
    self-employed before the records of self-assessment). If the treatment moves persons into or out of these groups,
    the arms' known outcomes are not of alike persons.

    Parameters
    ----------
    outcome : str
        A numeric column, or an expression such as ``"log(earnings)"``.
    treatment : str
        ``"C(ks5_route, ref='academic') ~ sex + region"``: two arms and the categorical covariates in whose cells they
        are alike; ``"vocational ~ 1"`` without. Covariates make the bounds narrower, or leave them.
    data : Panel or pandas.DataFrame
        One row per person.
    method : "lee" or "manski"
        ``"lee"``: the effect on those whose outcome would be known in either arm, if the treatment moves everybody's
        chance of that one way in a cell (Lee 2009). ``"manski"``: the effect on everybody, assuming nothing but a
        range (Horowitz and Manski 2000).
    estimand : "ATE", "ATT" or "ATC"
        Over whose covariates cells are weighed: everybody's, those in the arm or those in the arm of reference.
    cov : Robust or Clustered
        ``Robust("HC0")`` (Lee's formula), ``Robust("HC1")``, or clusters such as the school.
    observed : str, optional
        A true/false column that tells whose outcome is known; by default those in whom it is not missing. Others'
        entries are not read.
    outcome_range : (float, float), optional
        For ``"manski"``: what the outcome lies between; 0 and 1 of a share.
    where : str, optional
        Condition on rows, in the grammar of `Panel.where`.
    weights : Weights, optional
        Probability or frequency weights.
    person : str, optional
        Id column of a frame.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    BoundsEstimate
        The effect from below and from above (``"vocational v academic, lower"``), with ``"manski"`` the same of the
        arms' means, and the share known in each arm; ``interval()`` is the confidence interval of the effect.

    Raises
    ------
    SupportError
        For several rows of a person, other than two arms, cells without one of them or without a known outcome,
        outcomes outside their range, and where every outcome is known.

    Notes
    -----
    Standard errors are analytic: they take the estimated shares, the edges of the trimming and the weights of the cells
    into account, and sum over clusters. The bootstrap is not offered: it adds draws and nothing else.
    """
    specifications = _checked(outcome, treatment, method, estimand, cov, outcome_range, weights)
    with threads(n_jobs), single_threaded():
        others = [*cov.columns, observed, *specifications[1].outcome.columns]
        panel = estimation_panel(data, specifications, others, weights, where=where, person=person)
        study = _study(panel, specifications, estimand, observed, weights, cov.columns)
        if method == "manski":
            assert outcome_range is not None  # as was checked
            named = _worst_cases(study, outcome_range)
        else:
            named = _trimmed(study)
        owned = [*cov.columns, *([observed] if observed else []), *([weights.column] if weights else [])]
        return BoundsEstimate(
            formula=f"{outcome}; {treatment}",
            outcome=outcome,
            method=f"{NAMES[method]}, {estimand}",
            **_found(named, study, cov),
            **_sizes(study, identified(data, person), weights),
            effects={},
            dropped={},
            fit={},
            evidence=_evidence(named, study, identified(data, person)),
            settings=_settings(study, estimand, observed, outcome_range, where),
            owners=owners_of(panel, specifications, owned),
        )


def _checked(
    outcome: str, treatment: str, method: str, estimand: str, cov: Any, outcome_range: Any, weights: Any
) -> list[Specification]:
    """Check what was asked for, and return the formulas of the outcome and the treatment."""
    for name, value, allowed in (("method", method, BoundMethod), ("estimand", estimand, BoundEstimand)):
        if value not in get_args(allowed):
            raise ValueError(f"{name} is one of {', '.join(map(repr, get_args(allowed)))}, not {value!r}")
    if not of_moments(cov):
        raise TypeError("cov is lr.Robust('HC0'), lr.Robust('HC1') or lr.Clustered(...)")
    if weights is not None and (not isinstance(weights, Weights) or weights.kind == "analytic"):
        raise TypeError("weights are lr.Weights(column, 'probability') or lr.Weights(column, 'frequency')")
    if (method == "manski") != (outcome_range is not None):
        raise ValueError("outcome_range belongs to method='manski', which needs it: the lowest and highest outcome")
    if outcome_range is not None and not -np.inf < outcome_range[0] < outcome_range[1] < np.inf:
        raise ValueError("outcome_range is a lower and a higher number, such as (0, 1)")
    parsed = [parse(f"{outcome} ~ 1"), parse(treatment)]
    if any(len(found) != 1 or found[0].effects or found[0].endogenous for found in parsed):
        raise ValueError("outcome is a column, treatment the formula of one regression without effects or instruments")
    return [parsed[0][0], parsed[1][0]]


# ---- data -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Study:
    """The units by arm and cell, and whose outcome is known: microdata, held inside."""

    units: Units
    variables: Variables
    labels: tuple[str, ...]
    outcome: str
    known: Known

    @property
    def effect(self) -> str:
        """Name of the effect."""
        return f"{self.labels[1]} v {self.labels[0]}"


def _study(
    panel: Panel,
    specifications: list[Specification],
    estimand: str,
    observed: str | None,
    weights: Weights | None,
    clusters: tuple[str, ...],
) -> _Study:
    """Gather the units of the two arms, those without an outcome among them."""
    own, arm_side = specifications
    variables = Variables(panel)
    (values,) = variables.outcome(own.outcome)
    arms = variables.coded(arm_side.outcome.columns)
    flag = None if observed is None else numbers(panel, observed)
    weighting = None if weights is None else (weights, numbers(panel, weights.column))
    required: list[tuple[str, list[Variable]]] = [
        ("treatment known", [arms]),
        ("covariates known", variables.of_terms(arm_side.terms)),
        (f"{observed} known", [] if flag is None else [flag]),
        ("clusters known", [variables.coded((name,), labelled=False) for name in clusters]),
        ("weights known", [] if weighting is None else [weighting[1]]),
    ]
    units = Units.of(draw_sample(panel, required, weighting, []))
    known, outcome = _known(units, values, flag)
    if (lost := known & ~np.isfinite(outcome)).any():
        sample = restricted(units.sample, units.rows[~lost], f"{own.outcome.text} known where it is observed")
        units = Units.of(sample)
        known, outcome = _known(units, values, flag)
    once_per_person(units)
    codes, labels = numbered_arms(units.take(arms.codes, arms.level), arms, arm_side.outcome, "")
    if len(labels) > 2:
        raise SupportError(f"bounds compare two arms, and '{arms.name}' has {len(labels):,}: choose two by where=")
    if known.all():
        raise SupportError(
            f"'{own.outcome.text}' is known for all {units.n:,} persons, so that there is nothing to bound: use "
            "lr.treatment_effect"
        )
    weight = np.ones(units.n) if weighting is None else _along(units, weighting[1])
    target = weight * {"ATE": np.ones(units.n), "ATT": codes == 1, "ATC": codes == 0}[estimand]
    cells = cells_of(units, arm_side.terms, variables, all_equal=True).codes.astype(np.int64)
    found = Known(cells, codes.astype(np.int64), known, np.where(known, outcome, 0.0), weight, target)
    _check_cells(found)
    return _Study(units, variables, labels, own.outcome.text, found)


def _along(units: Units, variable: Variable) -> FloatArray:
    assert isinstance(variable, Numbers)  # as outcomes and weights are
    return units.take(variable.values, variable.level).astype(np.float64)


def _known(units: Units, outcome: Variable, flag: Numbers | None) -> tuple[BoolArray, FloatArray]:
    """Return whose outcome is known, and the outcomes."""
    values = _along(units, outcome)
    if flag is None:
        return np.isfinite(values), values
    marks = _along(units, flag)
    if others := int(((marks != 0) & (marks != 1)).sum()):
        raise SupportError(f"'{flag.name}' is neither true nor false for {others:,} of {units.n:,} persons")
    return marks == 1, values


def _check_cells(units: Known) -> None:
    """Refuse cells in which there is nothing to compare."""
    for what, values in (
        ("persons of both arms", units.weights),
        ("known outcomes in both arms", units.known.astype(np.float64)),
    ):
        without = (units.totals(values).reshape(-1, 2) == 0).any(axis=1)
        if without.any():
            raise SupportError(
                f"{int(without.sum()):,} of {len(without):,} cells of the covariates, with "
                f"{int(without[units.cells].sum()):,} of {len(units.cells):,} persons, do not have {what}: use "
                "fewer or coarser covariates, or leave these persons out by where="
            )


# ---- numbers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Named:
    """A number, and how many persons stand behind it where fewest do."""

    name: str
    bound: Bound
    behind: int


def _trimmed(study: _Study) -> list[_Named]:
    """Return the bounds by trimming and the shares known."""
    named = []
    for ending, bound in zip((LOWER, UPPER), trimmed(study.known), strict=True):
        # Beside the mean of all known outcomes that of the kept ones tells of those cut off.
        cut = int((study.known.known & ~(bound.parts > 0)).sum())
        behind = [_varied(study.known, arm, bound.parts > 0) for arm in (0, 1)] + ([cut] if cut else [])
        named.append(_Named(study.effect + ending, bound, min(behind)))
    return [*named, *_shares(study)]


def _worst_cases(study: _Study, outcome_range: tuple[float, float]) -> list[_Named]:
    """Return the bounds of the effect and of the arms' means from the ends of a range, and the shares known."""
    low, high = outcome_range
    own = study.known
    outside = int(((own.outcome < low) | (own.outcome > high))[own.known].sum())
    if outside:
        raise SupportError(
            f"'{study.outcome}' lies outside outcome_range for {outside:,} of {int(own.known.sum()):,} persons"
        )
    # Bounds of a mean differ by the share that is not known.
    shares = _shares(study)
    behind = [min(_varied(own, arm, own.known), shares[1 - arm].behind) for arm in (0, 1)]
    effects, means = [], dict[int, list[_Named]]()
    for ending, ends in ((LOWER, (high, low)), (UPPER, (low, high))):
        found = worst_case(own, ends)
        gap = Bound(
            found[1].value - found[0].value, found[1].influence - found[0].influence, found[0].parts + found[1].parts
        )
        effects.append(_Named(study.effect + ending, gap, min(behind)))
        for arm, bound in enumerate(found):
            end = ending if arm else {LOWER: UPPER, UPPER: LOWER}[ending]
            means.setdefault(arm, []).append(_Named(f"mean {study.labels[arm]}{end}", bound, behind[arm]))
    return [*effects, *means[1], *reversed(means[0]), *shares]


def _shares(study: _Study) -> list[_Named]:
    """Return the share known in the arm, then in that of reference."""
    found = []
    for arm in (1, 0):
        own = study.known.arms == arm
        known = int((own & study.known.known).sum())
        name = f"share known {study.labels[arm]}"
        found.append(_Named(name, share_known(study.known, arm), min(known, int(own.sum()) - known)))
    return found


def _varied(units: Known, arm: int, chosen: BoolArray) -> int:
    """Count the known outcomes of an arm, of chosen units, that are not the most frequent one."""
    values = units.outcome[chosen & units.known & (units.arms == arm)]
    return len(values) - int(np.unique(values, return_counts=True)[1].max(initial=0))


def _found(named: list[_Named], study: _Study, cov: Robust | Clustered) -> dict[str, Any]:
    rows = np.stack([entry.bound.influence for entry in named])
    covariance, df, clusters = influence_covariance(rows, study.units, study.variables, cov)
    return {
        "names": tuple(entry.name for entry in named),
        "values": np.array([entry.bound.value for entry in named]),
        "covariance": covariance,
        "cov_name": cov.name,
        "df_resid": df,
        "df_tests": df,
        "n_clusters": clusters,
    }


def _sizes(study: _Study, known_persons: bool, weights: Weights | None) -> dict[str, Any]:
    sample, frequency = study.units.sample, weights is not None and weights.kind == "frequency"
    return {
        "nobs": int(study.known.weights.sum()) if frequency else study.units.n,
        "n_row": sample.n_row,
        "n_person": sample.n_person if known_persons else -1,
        "flow": sample.flow,
    }


def _settings(
    study: _Study, estimand: str, observed: str | None, outcome_range: tuple[float, float] | None, where: str | None
) -> dict[str, Any]:
    own, panel = study.known, study.units.sample.panel
    persons = {label: int((own.arms == arm).sum()) for arm, label in enumerate(study.labels)}
    more = own.shares().reshape(-1, 2)
    return {
        "estimand": estimand,
        "observed": observed,
        "outcome range": outcome_range,
        "cells": len(more),
        "cells trimmed": {
            study.labels[1]: int((more[:, 1] > more[:, 0]).sum()),
            study.labels[0]: int((more[:, 0] > more[:, 1]).sum()),
        },
        "persons by arm": {"": persons},
        "where": where,
        **{name: made for name, made in panel.settings.items() if name == "definitions"},
    }


def _evidence(named: list[_Named], study: _Study, known_persons: bool) -> FitEvidence:
    """Return the persons behind each number, by their weights in it and by what their outcomes add to it."""
    sample: Sample = study.units.sample
    shared = SampleEvidence.of(sample, study.variables, known_persons=known_persons)
    shares = np.array([_concentration(entry.bound.parts, study.known) for entry in named])
    cells = study.known.n_groups // 2
    rank = 4 * cells  # of each cell a mean and a share in both arms
    return FitEvidence(
        names=tuple(entry.name for entry in named),
        persons_off_mode=np.array([entry.behind for entry in named], dtype=np.int64),
        effective_persons=1.0 / shares[:, 0],
        largest_share=shares[:, 1],
        largest_leverage=float(shares[:, 1].max()),
        rank=rank,
        df_persons=study.units.n - rank,
        saturated=False,
        entities=shared.entities,
        fingerprint=shared.fingerprint,
        sketch=shared.sketch,
        identified=shared.fingerprint is not None,
    )


def _concentration(parts: FloatArray, units: Known) -> tuple[float, float]:
    """Return the sum of squared shares and the largest share of a person, in the arm and the measure where it is worst.

    Shares are those of the weights and, where outcomes are other than zero, of what they add up to in absolute value.
    """
    worst = (0.0, 0.0)
    for arm in (0, 1):
        weights = parts[(units.arms == arm) & (parts > 0)]
        amounts = (parts * np.abs(units.outcome))[(units.arms == arm) & (parts > 0)]
        for values in (weights, amounts):
            if total := float(values.sum()):
                own = values / total
                worst = (max(worst[0], float(own @ own)), max(worst[1], float(own.max())))
    return worst
