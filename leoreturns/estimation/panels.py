"""between(), first_difference() and mundlak(): least squares on person means, on changes, and on both together.

Each is a regression on a derived panel that has the persons, keys and clusters of the one given: evidence, clusters and
draws mean what they mean in `feols`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from leoreturns._core import scores as kernel
from leoreturns._parallel import threads
from leoreturns._typing import AnyArray, FloatArray, IntArray, Level, Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.covariance import Covariance, SmallSample
from leoreturns.estimation.design import CONSTANT, Design, Model, Variables, build_design, sample_of
from leoreturns.estimation.formula import Factor, Specification, parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.matrices import block_columns
from leoreturns.estimation.ols import check_options, identified, regressions
from leoreturns.estimation.solve import single_threaded
from leoreturns.panel.assign import with_column
from leoreturns.panel.panel import Panel
from leoreturns.panel.rows import expand
from leoreturns.panel.schema import Column
from leoreturns.results.estimate import Estimate

PersonWeights = Literal["equal", "rows"]
MEAN_OF = "mean of "
ROUND_OFF = 1e-12  # of a mean over some rows
ROWS = " rows"  # of each person; the space keeps it apart from the caller's columns


def between(
    formula: str,
    data: Panel | pd.DataFrame,
    *,
    cov: Covariance,
    person_weights: PersonWeights = "equal",
    where: str | None = None,
    ssc: SmallSample | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> Estimate:
    """Estimate a linear regression on the persons' means.

    Parameters
    ----------
    formula : str
        Outcome and regressors; effects must be traits of persons.
    data : Panel or pandas.DataFrame
    cov : Covariance
        Clusters must be traits of persons.
    person_weights : "equal" or "rows"
        Whether persons count alike, or by their rows in the sample: with rows, the means of longer careers, which vary
        less, weigh more.
    where, ssc, person, n_jobs
        As in `feols`.

    Returns
    -------
    Estimate
        One row per person. Means are those of the rows on which everything is known.

    Raises
    ------
    SupportError
        For instruments, several regressions in one formula, and effects or clusters that vary within persons.
    """
    if person_weights not in get_args(PersonWeights):
        raise ValueError(f"person_weights is 'equal' or 'rows', not {person_weights!r}")
    with threads(n_jobs), single_threaded():
        read = _read(formula, data, cov, where, person, persons=True)
        panel = read.panel
        for name in {*cov.columns, *(part for effect in read.specification.effects for part in effect)}:
            if read.varies(name):
                raise SupportError(
                    f"'{name}' varies within persons, of which a regression on their means knows nothing"
                )
        means, counts = read.means()
        first = np.zeros(panel.n_row_stored, dtype=np.bool_)
        first[panel.offsets[:-1][counts > 0]] = True
        flow = read.design.sample.flow.appended("one mean per person", persons=first.sum(), rows=first.sum())
        derived = _derived(panel, read.names, means, "person", first, flow)
        weights = None
        if person_weights == "rows":
            derived = with_column(derived, Column(ROWS, "person", "number"), counts)
            weights = Weights(ROWS, "analytic")
        specification = _of_columns(read, read.names[1:], intercept=read.specification.intercept)
        return _estimated(derived, specification, cov, ssc, weights, where, read, "between")


def first_difference(
    formula: str,
    data: Panel,
    *,
    cov: Covariance,
    where: str | None = None,
    ssc: SmallSample | None = None,
    n_jobs: int | None = None,
) -> Estimate:
    """Estimate a linear regression on the changes from one period to the next.

    Parameters
    ----------
    formula : str
        Outcome and regressors in levels. There is no constant: what does not change drops out. Effects are those of the
        later row: ``| tax_year`` for effects of the years.
    data : Panel
        Its periods must be whole numbers.
    cov : Covariance
        Changes that follow one another share a level: cluster by person or above.
    where, ssc, n_jobs
        As in `feols`.

    Returns
    -------
    Estimate
        One row per change between neighbouring periods of the panel. Rows after a gap have none; the flow counts them
        with the persons' first rows.

    Raises
    ------
    SupportError
        For instruments, several regressions in one formula, periods that are not whole numbers, or no change at all.
    """
    if not isinstance(data, Panel):
        raise TypeError("first differences need to know the periods: give a Panel, which has a time column")
    with threads(n_jobs), single_threaded():
        read = _read(formula, data, cov, where, None, persons=False)
        panel = read.panel
        changes, kept = read.changes()
        if not kept.any():
            raise SupportError(f"no person is seen in two neighbouring periods of '{panel.schema.time}'")
        chosen = dataclasses.replace(panel, selection=kept)
        flow = read.design.sample.flow.appended(
            f"{panel.schema.time} before known", persons=chosen.n_person, rows=chosen.n_row
        )
        derived = _derived(panel, read.names, changes, "year", kept, flow)
        specification = _of_columns(read, read.names[1:], intercept=False)
        return _estimated(derived, specification, cov, ssc, None, where, read, "first differences")


def mundlak(
    formula: str,
    data: Panel | pd.DataFrame,
    *,
    cov: Covariance,
    where: str | None = None,
    ssc: SmallSample | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> Estimate:
    """Estimate a linear regression with the persons' means of its regressors among them: correlated random effects.

    Parameters
    ----------
    formula : str
        Outcome and regressors, without an effect of persons: the means stand in for it, and traits of persons keep
        their coefficients. Regressors that do not vary within persons have no mean of their own, nor have those whose
        mean is that of everybody, as dummies of years in a balanced panel.
    data, where, ssc, person, n_jobs
        As in `feols`.
    cov : Covariance
        Cluster by person or above; the test is then Hausman's of fixed against random effects, robust to both kinds of
        dependence (Arellano 1993; Wooldridge 2010, section 10.7.3).

    Returns
    -------
    Estimate
        Coefficients of the regressors are those of fixed effects of persons, where there is no other effect. Those of
        the means are called ``mean of x``: by how much differences between persons go beyond those within them. The
        test that all are zero is in ``settings["equality within and between"]``.

    Raises
    ------
    SupportError
        For instruments, several regressions in one formula, regressors of which none varies within persons, or means
        that are all among the regressors already.

    References
    ----------
    Mundlak (1978, Econometrica 46).
    """
    with threads(n_jobs), single_threaded():
        read = _read(formula, data, cov, where, person, persons=True)
        means, _ = read.means()
        varying = [within and _spread(mean) for within, mean in zip(read.varying(), means, strict=True)]
        names = [name for name, varies in zip(read.names[1:], varying[1:], strict=True) if varies]
        if not names:
            raise SupportError("no regressor varies within persons: there is nothing to compare")
        added = [f"{MEAN_OF}{name}" for name in names]
        rows = [mean for mean, varies in zip(means[1:], varying[1:], strict=True) if varies]
        sample = read.design.sample
        selection = np.ones(read.panel.n_row_stored, dtype=np.bool_) if sample.kept is None else sample.kept
        derived = _derived(read.panel, added, rows, "person", selection, sample.flow)
        terms = (*read.specification.terms, *(((_column(name)),) for name in added))
        specification = dataclasses.replace(read.specification, terms=terms)
        found = _estimated(derived, specification, cov, ssc, None, where, read, "correlated random effects")
    kept = [name for name in added if name in found.names]
    if not kept:
        raise SupportError(f"{', '.join(added)} depend on the other regressors: there is nothing to compare")
    return dataclasses.replace(found, settings={**found.settings, "equality within and between": found.wald(kept)})


# ---- derived panels --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Read:
    """The columns of one regression on its sample: the outcome, then the regressors without the constant."""

    panel: Panel
    specification: Specification
    design: Design
    names: list[str]
    places: IntArray
    known_persons: bool

    def means(self) -> tuple[list[FloatArray], IntArray]:
        """Return the columns' means by stored person, NaN without a row, and the rows of each."""
        counts = self.design.sample.rows_of_persons()
        sums = np.zeros((self.panel.n_person_stored, len(self.places)))
        for number in range(len(self.design.blocks)):
            columns, people, _ = block_columns(self.design, number, self.places)
            kernel.sum_codes(columns, people.astype(np.int32), sums)
        with np.errstate(invalid="ignore"):
            return list(np.ascontiguousarray((sums / counts[:, None]).T)), counts

    def varying(self) -> list[bool]:
        """Return which columns have more than one value within some person."""
        found = np.zeros(len(self.places), dtype=np.bool_)
        for number in range(len(self.design.blocks)):
            columns, people, _ = block_columns(self.design, number, self.places)
            same = people[1:] == people[:-1]
            found |= ((columns[:, 1:] != columns[:, :-1]) & same).any(axis=1)
        return [bool(each) for each in found]

    def varies(self, name: str) -> bool:
        """Whether a column has more than one label within some person of the sample."""
        codes = Variables(self.panel).coded((name,), labelled=False)
        if codes.level == "person":
            return False
        kept = self.design.sample.kept
        people = expand(np.arange(self.panel.n_person_stored, dtype=np.int32), self.panel.offsets)
        along = codes.codes if kept is None else codes.codes[kept]
        people = people if kept is None else people[kept]
        return bool(((along[1:] != along[:-1]) & (people[1:] == people[:-1])).any())

    def changes(self) -> tuple[list[FloatArray], AnyArray]:
        """Return the columns' changes since the period before along the stored rows, and which rows have one."""
        time = self.panel.schema.time
        periods = self.panel.array(time)
        if self.panel.column(time).kind != "number" or periods.dtype.kind not in "iu":
            raise SupportError(f"periods '{time}' must be whole numbers for some of them to be neighbours")
        step = int(np.gcd.reduce(np.diff(np.unique(periods)).astype(np.int64))) or 1
        found = [np.full(self.panel.n_row_stored, np.nan) for _ in self.places]
        kept = np.zeros(self.panel.n_row_stored, dtype=np.bool_)
        for number in range(len(self.design.blocks)):
            columns, people, rows = block_columns(self.design, number, self.places)
            at = periods[rows].astype(np.int64)
            next_to = np.flatnonzero((people[1:] == people[:-1]) & (at[1:] - at[:-1] == step)) + 1
            for out, column in zip(found, columns, strict=True):
                out[rows[next_to]] = column[next_to] - column[next_to - 1]
            kept[rows[next_to]] = True
        return found, kept


def _read(
    formula: str, data: Panel | pd.DataFrame, cov: Covariance, where: str | None, person: str | None, *, persons: bool
) -> _Read:
    """Read the columns of one regression; effects are left to the regression on what becomes of them."""
    check_options(cov, None, None)
    specifications = parse(formula)
    if len(specifications) != 1 or specifications[0].endogenous:
        raise SupportError("one regression without instruments is estimated at a time")
    if persons and not identified(data, person):
        raise SupportError("means of persons need the persons: name the id column with person=...")
    (given,) = specifications
    panel = estimation_panel(data, specifications, cov.columns, None, where=where, person=person)
    variables = Variables(panel)
    if any(effect in ((panel.schema.person,), ("person",)) for effect in given.effects):
        raise SupportError("an effect of the persons leaves nothing to means or changes: leave it out of the formula")
    inner = dataclasses.replace(given, effects=(), intercept=bool(given.intercept or given.effects))
    sample = sample_of(panel, inner, cov.columns, None, variables)
    design = build_design(sample, [inner], variables, None)
    (model,) = design.models
    return _Read(panel, given, design, *_named(model), known_persons=identified(data, person))


def _named(model: Model) -> tuple[list[str], IntArray]:
    """Return names and places of the outcome and the regressors."""
    places = [model.outcome, *(at for at in model.exogenous if at != CONSTANT)]
    return [model.names[at] for at in places], np.array(places, dtype=np.int64)


def _derived(
    panel: Panel, names: Sequence[str], values: Sequence[FloatArray], level: Level, selection: AnyArray, flow: object
) -> Panel:
    """Return a panel with columns of these names, on some of its rows."""
    for name, column in zip(names, values, strict=True):
        panel = with_column(panel, Column(name, level, "number", missing=int(np.isnan(column).sum())), column)
    return dataclasses.replace(panel, selection=selection, flow=flow)  # type: ignore[arg-type]


def _spread(means: FloatArray) -> bool:
    """Whether the means of persons differ by more than the rounding of their sums."""
    known = means[~np.isnan(means)]
    return bool(known.max() - known.min() > ROUND_OFF * np.abs(known).max())


def _column(name: str) -> Factor:
    return Factor(name, (name,))


def _of_columns(read: _Read, names: Sequence[str], *, intercept: bool) -> Specification:
    """Return the regression of the outcome's column on columns."""
    terms = tuple((_column(name),) for name in names)
    return dataclasses.replace(read.specification, outcome=_column(read.names[0]), terms=terms, intercept=intercept)


def _estimated(
    panel: Panel,
    specification: Specification,
    cov: Covariance,
    ssc: SmallSample | None,
    weights: Weights | None,
    where: str | None,
    read: _Read,
    method: str,
) -> Estimate:
    """Estimate the regression on a derived panel, under the owners of the columns that it was derived from."""
    (found,) = regressions(panel, [specification], cov, weights, ssc or SmallSample(), where, read.known_persons)
    columns = read.panel.schema.columns
    used = {part for term in (*read.specification.terms, (read.specification.outcome,)) for part in term}
    owners = {columns[name].owner for factor in used for name in factor.columns if name in columns}
    owners |= {columns[name].owner for name in cov.columns if name in columns}
    split = {owner for entry in owners if entry for owner in entry.split(", ")}
    return dataclasses.replace(found, method=method, owners=tuple(sorted({*split, *found.owners})))
