"""PlannedSample: what a comparison rests on before any outcome is opened.

The variance of an estimated effect is that of the outcome times a number that the design alone decides: one over the
persons of each arm, the diagonal of (X'X)^-1, the weights of a local regression. These numbers are found here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import FloatArray
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.columns import taken
from leoreturns.estimation.covariance import clusters_of, counts_of
from leoreturns.estimation.covariates import Units, once_per_person
from leoreturns.estimation.design import Design, Variables, build_design, sample_of
from leoreturns.estimation.evidence import OFF_MODE, shares_collector
from leoreturns.estimation.fits import Fit, project, solve
from leoreturns.estimation.formula import Factor, Specification, parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.moments import scan_moments
from leoreturns.estimation.sample import draw_sample
from leoreturns.estimation.scores import Collector, Scored, Summed, scan_scores
from leoreturns.estimation.solve import single_threaded
from leoreturns.estimation.variables import Codes, Numbers
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.results.balance import Balance

Assigned: TypeAlias = Literal["cluster", "person"]
Kernel: TypeAlias = Literal["triangular", "uniform"]


@dataclass(frozen=True, slots=True)
class ClusterSizes:
    """Schools, or other clusters whose members' outcomes are alike.

    Parameters
    ----------
    icc : float
        Intraclass correlation of the outcome given the covariates: the share of its variance between clusters.
    mean : float
        Persons of a cluster on average.
    cv : float
        Standard deviation of the sizes over their mean.
    assigned : "cluster" or "person"
        Whether whole clusters are in one arm, or every cluster has both in like shares and its own mean is taken out.
    """

    icc: float
    mean: float
    cv: float = 0.0
    assigned: Assigned = "cluster"

    def __post_init__(self) -> None:
        if not 0 <= self.icc < 1 or not self.mean >= 1 or not self.cv >= 0:
            raise ValueError("icc lies between 0 and 1, the mean size is 1 or more, and cv not negative")
        if self.assigned not in get_args(Assigned):
            raise ValueError(f"assigned is 'cluster' or 'person', not {self.assigned!r}")

    @classmethod
    def of(cls, sizes: Sequence[int] | FloatArray, *, icc: float, assigned: Assigned = "cluster") -> ClusterSizes:
        """Return the mean and spread of given sizes."""
        given = np.asarray(sizes, dtype=np.float64)
        if not len(given) or not (given >= 1).all():
            raise ValueError(f"sizes are those of {len(given):,} clusters, each 1 or more")
        return cls(icc, float(given.mean()), float(given.std() / given.mean()), assigned)

    @property
    def design_effect(self) -> float:
        """What the variance is multiplied by.

        ``1 + ((cv^2 + 1) mean - 1) icc`` for arms of whole clusters (Eldridge, Ashby and Kerry 2006), and ``1 - icc``
        within clusters.
        """
        if self.assigned == "person":
            return 1 - self.icc
        return 1 + ((self.cv**2 + 1) * self.mean - 1) * self.icc

    def free(self, persons: FloatArray) -> FloatArray:
        """Return the degrees of freedom of comparisons among so many persons."""
        clusters = persons / self.mean
        free: FloatArray = clusters - 2 if self.assigned == "cluster" else persons - clusters - 1
        return free


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PlannedSample:
    """One or several comparisons of two arms, by their design.

    Made by ``of_groups``, ``of_balance``, ``of_regression`` or ``of_discontinuity``.

    Attributes
    ----------
    labels : tuple of str
        Of the comparisons.
    persons : float64 of shape (c, 2)
        Of the arm and of that which it is compared with; of a regression those with another value of the regressor than
        its most frequent one, and all.
    variances : float64 of shape (c, 2)
        Variance of the effect that each arm adds, per unit of the outcome's variance in it; that of a regression
        stands with the second.
    df : float64 of shape (c,)
        Degrees of freedom of the test.
    """

    labels: tuple[str, ...]
    persons: FloatArray
    variances: FloatArray
    df: FloatArray

    @property
    def effective(self) -> FloatArray:
        """Persons in two arms of equal size, and of equal weight, that would do as well; of indicators and arms."""
        return np.asarray(4.0 / self.variances.sum(axis=1))

    def __repr__(self) -> str:
        return f"<PlannedSample: {len(self.labels):,} comparisons>"

    @classmethod
    def of_groups(cls, treated: Any, control: Any, *, clusters: ClusterSizes | None = None) -> PlannedSample:
        """Compare groups of given sizes, cell by cell.

        Parameters
        ----------
        treated, control : int, sequence of int or pandas.Series
            Persons; the index of a series names the cells.
        clusters : ClusterSizes, optional
        """
        index = next((each.index for each in (treated, control) if isinstance(each, pd.Series)), None)
        if all(isinstance(each, pd.Series) for each in (treated, control)) and not treated.index.equals(control.index):
            raise ValueError("treated and control are by the same cells: give series of one index")
        sizes = np.column_stack(np.broadcast_arrays(*(np.atleast_1d(each) for each in (treated, control))))
        persons = sizes.astype(np.float64)
        if not (persons >= 0).all():
            raise ValueError("sizes of groups are not negative")
        labels = tuple(map(_label, index)) if index is not None else _numbered(len(persons))
        total = persons.sum(axis=1)
        with np.errstate(divide="ignore"):
            variances = 1 / persons * (1.0 if clusters is None else clusters.design_effect)
        return cls(labels, persons, variances, total - 2 if clusters is None else clusters.free(total))

    @classmethod
    def of_balance(cls, balance: Balance) -> PlannedSample:
        """Compare the arms of a weighted or matched sample by their effective persons.

        Parameters
        ----------
        balance : Balance
            Of `Weighted.balance` or `Matched.balance`.
        """
        control, treated = balance.effective
        sizes = np.array([[balance.effective[treated], balance.effective[control]]])
        persons = np.array([[balance.persons[treated], balance.persons[control]]], dtype=np.float64)
        with np.errstate(divide="ignore"):
            return cls((f"{treated} v {control}",), persons, 1 / sizes, sizes.sum(axis=1) - 2)

    @classmethod
    def of_regression(
        cls,
        formula: str,
        data: Panel | Scan | pd.DataFrame,
        *,
        terms: Sequence[str] | None = None,
        clusters: str | None = None,
        icc: float = 0.0,
        where: str | None = None,
        person: str | None = None,
        n_jobs: int | None = None,
    ) -> PlannedSample:
        """Take the coefficients of a regression, from the cross-products of its regressors.

        Parameters
        ----------
        formula : str
            As of `feols`. ``"~ C(ks5_route, ref='none') + sex | school"`` needs no outcome; one that is named leaves
            out the rows in which it is missing, and its numbers are not used.
        data : Panel, Scan or pandas.DataFrame
        terms : sequence of str, optional
            Coefficients; by default all but the intercept.
        clusters : str, optional
            Column of schools or persons in which errors are correlated.
        icc : float
            How much, given the regressors: the same between all rows of a cluster (Moulton 1986).
        where, person, n_jobs
            As in `feols`.

        Raises
        ------
        SupportError
            For an unknown coefficient, or more parameters than rows.
        """
        if not 0 <= icc < 1 or (icc > 0) != (clusters is not None):
            raise ValueError("icc is at least 0 and below 1, and belongs with clusters=")
        with threads(n_jobs), single_threaded():
            specification, panel = _opened(formula, data, clusters, where, person)
            design, fit, variables = _fitted(specification, panel, clusters)
            chosen = _places(fit, terms)
            way = None if clusters is None else clusters_of(design, (clusters,), variables)
            shares = shares_collector(design, fit.moments.modes())
            collectors: list[Collector] = [shares] if way is None else [shares, _Sums(way.codes)]
            gathered = scan_scores(design, [fit], [collectors])[0].collected
        off = shares.numbers(fit, gathered[0])[OFF_MODE][chosen]
        variances = np.diag(fit.inverse)[chosen]
        df = np.full(len(chosen), counts_of(design, fit).free("full"))
        if way is not None:
            together = np.einsum("gk,gk->k", gathered[1], gathered[1])[chosen]
            variances = (1 - icc) * variances + icc * together
            df = np.full(len(chosen), way.count - 1.0)
        persons = np.column_stack([off, np.full(len(chosen), float(design.sample.n_person))])
        labels = tuple(fit.names[at] for at in chosen)
        return cls(labels, persons, np.column_stack([np.zeros(len(chosen)), variances]), df)

    @classmethod
    def of_discontinuity(
        cls,
        running: str,
        data: Panel | pd.DataFrame,
        *,
        cutoff: float,
        bandwidth: float,
        kernel: Kernel = "triangular",
        order: int = 1,
        first_stage: float = 1.0,
        where: str | None = None,
        person: str | None = None,
        n_jobs: int | None = None,
    ) -> PlannedSample:
        """Take the jump at a cutoff, estimated by a local polynomial on either side.

        Parameters
        ----------
        running : str
            The variable that decides; from the cutoff on persons are treated.
        data : Panel or pandas.DataFrame
            One row per person.
        cutoff, bandwidth : float
        kernel : "triangular" or "uniform"
            Weights by the distance from the cutoff.
        order : int
            Of the polynomials.
        first_stage : float
            Jump in the share treated; 1 of a sharp design.
        where, person, n_jobs
            As in `feols`.

        Raises
        ------
        NotIdentifiedError
            For fewer distinct values on a side than the polynomial has coefficients.
        """
        if kernel not in get_args(Kernel) or not bandwidth > 0 or order < 0 or not 0 < abs(first_stage) <= 1:
            raise ValueError(
                "kernel is 'triangular' or 'uniform', the bandwidth positive, order 0 or more, and first_stage a share"
            )
        with threads(n_jobs), single_threaded():
            values = _running(running, data, where, person) - cutoff
            scaled = values[np.abs(values) < bandwidth] / bandwidth
            sides = [scaled[scaled >= 0], scaled[scaled < 0]]
            variances = [_at_the_edge(side, kernel, order) for side in sides]
        persons = np.array([[len(side) for side in sides]], dtype=np.float64)
        label = f"jump at {running} = {cutoff:g}"
        df = persons.sum(axis=1) - 2 * (order + 1)
        return cls((label,), persons, np.array([variances]) / first_stage**2, df)


def _label(name: Any) -> str:
    return ", ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _numbered(count: int) -> tuple[str, ...]:
    return ("treated v control",) if count == 1 else tuple(f"cell {number}" for number in range(1, count + 1))


# ---- regressions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sums(Summed):
    """Sums by cluster of what the rows' outcomes count in each coefficient."""

    codes: Codes

    def zeros(self, fit: Fit) -> FloatArray:
        """Return the array of no rows."""
        return np.zeros((self.codes.n_levels, len(fit.beta)))

    def add(self, scored: Scored, out: FloatArray) -> None:
        """Add a block."""
        codes = taken(self.codes.codes, self.codes.level, scored.block)
        for column, row in zip(out.T, scored.own, strict=True):
            column += np.bincount(codes, row, minlength=len(out))


def _opened(
    formula: str, data: Any, clusters: str | None, where: str | None, person: str | None
) -> tuple[Specification, Panel]:
    """Return the regression and its panel; the period stands in for an outcome that is not named."""
    alone = isinstance(formula, str) and formula.lstrip().startswith("~")
    specifications = parse(f"outcome {formula}" if alone else formula)
    if len(specifications) != 1:
        raise ValueError("a design is that of one regression: write the formula without stepwise sets")
    specification = specifications[0]
    if alone:
        regressors = (*specification.terms, *specification.endogenous)
        if not regressors:
            raise ValueError(f"{formula!r} names no regressor")
        specification = replace(specification, outcome=regressors[0][0])
    panel = estimation_panel(data, [specification], [clusters], None, where=where, person=person)
    if alone:
        time = panel.schema.time
        specification = replace(specification, outcome=Factor(time, (time,)))
    return specification, panel


def _fitted(specification: Specification, panel: Panel, clusters: str | None) -> tuple[Design, Fit, Variables]:
    """Return the design and what the cross-products of its regressors give."""
    variables = Variables(panel)
    sample = sample_of(panel, specification, [] if clusters is None else [clusters], None, variables)
    design = build_design(sample, [specification], variables, None)
    moments = scan_moments(design)
    (model,) = design.models
    return design, solve(model, project(design, moments, [model]), design, moments), variables


def _places(fit: Fit, terms: Sequence[str] | None) -> list[int]:
    """Return the places of coefficients."""
    names = [name for name in fit.names if name != "Intercept"] if terms is None else list(terms)
    for name in names:
        if name not in fit.names:
            why = f": {fit.dropped[name]}" if name in fit.dropped else f"; there are {', '.join(fit.names)}"
            raise SupportError(f"no coefficient {name!r}{why}")
    if not names:
        raise NotIdentifiedError("no regressor varies apart from the others and the effects")
    return [fit.names.index(name) for name in names]


# ---- discontinuities ------------------------------------------------------------------------------------------------


def _running(name: str, data: Any, where: str | None, person: str | None) -> FloatArray:
    """Return the running variable, where it is known."""
    specification = parse(f"{name} ~ 1")[0]
    panel = estimation_panel(data, [specification], [], None, where=where, person=person)
    (found,) = Variables(panel).outcome(specification.outcome)
    assert isinstance(found, Numbers)  # as an outcome is
    units = Units.of(draw_sample(panel, [("running variable known", [found])], None, []))
    once_per_person(units)
    return units.take(found.values, found.level).astype(np.float64)


def _at_the_edge(distance: FloatArray, kernel: Kernel, order: int) -> float:
    """Return the sum of squared weights that outcomes have in the polynomial's value at the cutoff."""
    if (distinct := len(np.unique(distance))) < order + 1:
        raise NotIdentifiedError(
            f"a side of the cutoff has {len(distance):,} persons with {distinct:,} values of the running variable "
            f"within the bandwidth, too few for a polynomial of order {order}: widen it"
        )
    columns = np.vander(distance, order + 1, increasing=True)
    weights = 1 - np.abs(distance) if kernel == "triangular" else np.ones(len(distance))
    products = columns.T @ (weights[:, None] * columns)
    own = weights * (columns @ np.linalg.solve(products, np.eye(order + 1)[0]))
    return float(own @ own)
