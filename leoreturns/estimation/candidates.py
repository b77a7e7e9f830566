"""Candidates: the units of two arms that may be matched, with their covariates, strata and score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.arms import numbered_arms
from leoreturns.estimation.clouds import Cloud, Space, mahalanobis
from leoreturns.estimation.coarsened import coarsened
from leoreturns.estimation.covariates import (
    Cells,
    Columns,
    Units,
    cells_of,
    columns_of,
    names_of,
    once_per_person,
    refuse_later,
)
from leoreturns.estimation.design import Variables
from leoreturns.estimation.formula import Specification, Term
from leoreturns.estimation.match_rules import STRATA, Rules
from leoreturns.estimation.points import Line, Points
from leoreturns.estimation.propensity import Propensity, by_arm, fit_propensity
from leoreturns.estimation.sample import draw_sample, restricted
from leoreturns.estimation.variables import Codes, Numbers
from leoreturns.panel.panel import Panel


@dataclass(frozen=True, eq=False, repr=False)
class Covariates:
    """The covariates of units by cell, gathered once they are asked for: a column that is the score needs no cells.

    Attributes
    ----------
    units : Units
    variables : Variables
    terms : sequence of Term
    all_equal : bool
        Whether equal rows must be one cell.
    """

    units: Units
    variables: Variables
    terms: Sequence[Term]
    all_equal: bool

    @cached_property
    def cells(self) -> Cells:
        """The distinct rows."""
        return cells_of(self.units, self.terms, self.variables, all_equal=self.all_equal)

    @cached_property
    def columns(self) -> Columns:
        """Their covariates."""
        return columns_of(self.cells, self.terms, self.variables)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Candidates:
    """The units that may be matched: microdata, held inside.

    Attributes
    ----------
    panel : Panel
    units : Units
    variables : Variables
    covariates : Covariates
    arms : int64 of shape (n,)
        1 for the treated.
    labels : tuple of str
        Of the controls and of the treated.
    strata : int64 of shape (n,)
        Those of equal exact columns; units off the common support have one of their own, without the other arm.
    supported : bool of shape (n,)
        Whether a unit is on the common support, if asked for.
    score : float64 of shape (n,)
        Zero for all where no score is needed.
    chances : Propensity, optional
        Of which the score is made, unless it only bounds another distance.
    space : Space, optional
        Where the distance is that of Mahalanobis.
    estimand : "ATT", "ATC" or "ATE"
    settings : mapping
    identified : bool
        Whether the data name the persons.
    """

    panel: Panel
    units: Units
    variables: Variables
    covariates: Covariates
    arms: IntArray
    labels: tuple[str, ...]
    strata: IntArray
    supported: BoolArray
    score: FloatArray
    chances: Propensity | None
    space: Space | None
    estimand: str
    settings: Mapping[str, Any]
    identified: bool

    @property
    def cells(self) -> Cells:
        """The distinct rows of covariates."""
        return self.covariates.cells

    @property
    def columns(self) -> Columns:
        """The covariates of each cell."""
        return self.covariates.columns

    @property
    def focal(self) -> tuple[int, ...]:
        """Arms whose units get matches."""
        return focal_arms(self.estimand)

    @property
    def score_name(self) -> str | None:
        """What the score is, in words; None if there is none."""
        return self.settings.get("score")

    def points(self, *, single: bool) -> tuple[Points, Points]:
        """Return the points of both arms; with `single` every unit is one of its own."""
        made, n_strata = list[Points](), int(self.strata.max()) + 1
        for arm in (0, 1):
            own = np.flatnonzero(self.arms == arm)
            if self.space is None:
                made.append(Line.of(own, self.score, self.strata, n_strata, single=single))
            else:
                codes = self.cells.codes
                made.append(Cloud.of(own, self.space, codes, self.strata, n_strata, single=single))
        return made[0], made[1]


def reach_of(caliper: float | None, score: FloatArray) -> float:
    """Return a caliper in units of the score."""
    return np.inf if caliper is None else caliper * float(np.std(score, ddof=1))


def candidates_of(
    panel: Panel, specification: Specification, rules: Rules, arm: str | None, where: str | None, *, identified: bool
) -> Candidates:
    """Draw the units on which everything is known, and estimate their score.

    Parameters
    ----------
    panel : Panel
    specification : Specification
        The treatment and the covariates.
    rules : Rules
    arm : str, optional
        The arm to be compared with that of reference; needed if there are several.
    where : str, optional
        The condition on rows, for the settings.
    identified : bool
        Whether the data name the persons.
    """
    variables, terms, factor = Variables(panel), specification.terms, specification.outcome
    refuse_later(panel, factor, [*names_of(terms), *rules.exact], rules.allow_later)
    arms = variables.coded(factor.columns)
    known = [variables.coded((name,)) for name in rules.exact]
    sample = draw_sample(
        panel,
        [
            ("treatment known", [arms]),
            ("covariates known", variables.of_terms(terms)),
            ("exact columns known", known),
        ],
        None,
        [],
    )
    units = Units.of(sample)
    once_per_person(units)
    codes, labels = numbered_arms(units.take(arms.codes, arms.level), arms, factor, "")
    if arm is not None or len(labels) > 2:
        if arm not in labels[1:]:
            raise SupportError(
                f"matching compares two arms, and '{arms.name}' has {len(labels)}: arm= names the one to compare with "
                f"{labels[0]}, {', '.join(map(repr, labels[1:]))}"
            )
        at = labels.index(arm)
        compared = (codes == 0) | (codes == at)
        units = Units.of(restricted(sample, units.rows[compared], f"{labels[0]} or {arm}"))
        codes, labels = (codes[compared] == at).astype(np.int64), (labels[0], arm)
    covariates = Covariates(units, variables, terms, rules.method == "exact")
    coarse = None
    if rules.method == "cem":
        coarse = coarsened(units, variables.of_terms(terms), rules.cuts or {})
    elif rules.method == "exact":
        coarse = covariates.cells.codes.astype(np.int64)
    strata = _strata(units, known, coarse)
    score, chances, space = _scored(covariates, codes, labels, rules)
    supported = np.ones(units.n, dtype=bool)
    if rules.common_support:
        supported = _on_support(codes, strata, score, rules.estimand)
        strata = np.where(supported, strata, int(strata.max()) + 1 + codes)
    named = " + ".join(":".join(factor.text for factor in term) for term in terms)
    settings = {**rules.told(), "score": rules.score_name(labels[1], named), "where": where}
    return Candidates(
        panel, units, variables, covariates, codes, labels, strata, supported, score, chances, space, rules.estimand,
        settings, identified,
    )  # fmt: skip


def _on_support(arms: IntArray, strata: IntArray, score: FloatArray, estimand: str) -> BoolArray:
    """Tell which units that need matches lie between the least and the greatest score of the other arm's in a stratum.

    Dehejia and Wahba (1999); for everybody both arms are held to the other's range.
    """
    n_strata, out = int(strata.max()) + 1, np.ones(len(arms), dtype=bool)
    for arm in focal_arms(estimand):
        least, most = np.full(n_strata, np.inf), np.full(n_strata, -np.inf)
        other = arms != arm
        np.minimum.at(least, strata[other], score[other])
        np.maximum.at(most, strata[other], score[other])
        own = arms == arm
        out[own] = (score[own] >= least[strata[own]]) & (score[own] <= most[strata[own]])
    return out


def focal_arms(estimand: str) -> tuple[int, ...]:
    """Return the arms whose units get matches."""
    return {"ATT": (1,), "ATC": (0,)}.get(estimand, (0, 1))


def _scored(
    covariates: Covariates, arms: IntArray, labels: tuple[str, ...], rules: Rules
) -> tuple[FloatArray, Propensity | None, Space | None]:
    """Return the score of each unit, the chances that it is made of, and the coordinates of another distance."""
    score = np.zeros(covariates.units.n)
    if rules.method in STRATA:
        return score, None, None
    if rules.distance == "column":
        return _column(covariates), None, None
    cells, columns = covariates.cells, covariates.columns
    counts = by_arm(cells, arms, 2, None)
    chances = None
    if rules.chances is not None:
        chances = fit_propensity(columns.values, counts, labels, rules.chances)
        score = (chances.eta[:, 0] if rules.linear else chances.chances[:, 1])[cells.codes]
    if rules.distance != "mahalanobis":
        return score, chances, None
    bound = None if chances is None or rules.caliper is None else chances.eta[:, 0]
    reach = reach_of(rules.caliper, score)
    return score, None, mahalanobis(columns.values[:, 1:], counts.sum(axis=1), bound, reach)


def _column(covariates: Covariates) -> FloatArray:
    found = covariates.variables.of_terms(covariates.terms)
    if len(found) != 1 or not isinstance(found[0], Numbers):
        raise SupportError("distance='column' takes one numeric column as covariates: the score")
    return covariates.units.take(found[0].values, found[0].level).astype(np.float64) + 0.0


def _strata(units: Units, exact: Sequence[Codes], more: IntArray | None) -> IntArray:
    """Number the strata that occur, by the order of the columns' levels."""
    pair = np.zeros(units.n, dtype=np.int64)
    for codes in exact:
        pair = renumbered(pair * codes.n_levels + units.take(codes.codes, codes.level))
    return pair if more is None else renumbered(pair * (int(more.max(initial=0)) + 1) + more)


def renumbered(codes: IntArray) -> IntArray:
    """Number the codes that occur from 0, in their order."""
    if int(codes.max(initial=0)) > 4 * len(codes):
        return np.unique(codes, return_inverse=True)[1]
    numbers = np.cumsum(np.bincount(codes) > 0) - 1
    found: IntArray = numbers[codes]
    return found
