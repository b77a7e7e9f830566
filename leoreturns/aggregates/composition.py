"""composition(): how the rows of every cell divide over the levels of a column, in two passes however many they are.

The share of one level is the share of true of a column that says whether a row has it; a table of eight activities
would take eight passes, and eight sets of replicates. Here the rows of every level are counted at once, and all that a
share needs, evidence and replicates too, is put together from the counts of the level and of all levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import ByteArray, Contrast, FloatArray, IntArray
from leoreturns.aggregates.compute import aggregate
from leoreturns.aggregates.statistics import statistic
from leoreturns.aggregates.uncertainty import cell_names, contrast_table
from leoreturns.errors import SupportError
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.panel.units import is_person
from leoreturns.resample.intervals import interval_of
from leoreturns.resample.joint import collect, collecting, is_collecting
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate, Evidence

ONE = "one"  # a column of ones, whose sum counts
SHARE = "share"
FROM_REPLICATES = ("percentile", "basic", "normal")
FEWEST_UNITS = 2  # of a unit alone the replicates tell nothing, and none are given


def composition(
    data: Panel | Scan,
    column: str,
    *,
    by: Sequence[str],
    plan: BootstrapPlan | None = None,
    contrasts: Sequence[Contrast] = (),
    n_jobs: int | None = None,
) -> Aggregate:
    """Count persons and the share of them in every level of a column, for every crossing of the keys.

    Parameters
    ----------
    data : Panel or Scan
        One row per person in every crossing of the keys; rows on which the column is missing are left out.
    column : str
        A column of labels. It becomes the last key of the table; levels that no row of a crossing has are left out.
    by : sequence of str
        Keys whose crossings are the denominators.
    plan : BootstrapPlan, optional
        Gives every share a standard error and an interval.
    contrasts : sequence of Contrast
        Differences between levels of a key; with a plan only.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Aggregate
        ``n_person``, the persons of the crossing (the denominator), and ``share``. The evidence of a cell is that of
        the share: all persons of the crossing, those with the level being the ones with a value other than zero.

    Raises
    ------
    SupportError
        If a person has several rows in a crossing, or for a plan whose intervals are not made of replicates.
    """
    if contrasts and plan is None:
        raise ValueError("contrasts come with intervals: give plan=lr.BootstrapPlan(...)")
    with threads(n_jobs):
        counted = _Counted.of(data, column, by, plan)
        table = _shares(counted.level, counted.level.evidence.n_person, counted.everyone, counted.group, column)
        if plan is None:
            return table
        return _with_intervals(table, counted, counted.group, counted.drawn, plan, contrasts)


def share_of_true(
    data: Panel | Scan, column: str, *, by: Sequence[str], plan: BootstrapPlan | None = None, n_jobs: int | None = None
) -> Aggregate:
    """Return the share of true in a true/false column, of the persons of whom it is known.

    The same as `aggregate`'s ``share``, for one row per person in every crossing: counting two levels under replicates
    costs less than summing deviations. Parameters and errors are those of `composition`.
    """
    if not data.schema.columns[column].is_bool:
        raise SupportError(f"share needs a true/false column and '{column}' holds others")
    with threads(n_jobs):
        counted = _Counted.of(data, column, by, plan)
        everyone, key = counted.everyone, counted.level.keys[column]
        true = np.asarray(key.labels, dtype=np.bool_)[key.codes]
        n, every = np.zeros(everyone.n_cells, dtype=np.int64), np.arange(everyone.n_cells)
        n[counted.group[true]] = counted.level.evidence.n_person[true]
        table = _shares(everyone, n, everyone, every, column)
        if plan is None:
            return table
        drawn = np.zeros_like(counted.all_drawn)
        drawn[counted.group[true]] = counted.drawn[true]
        # Of one person alone no replicate is told: all less the others are that person.
        others = np.zeros_like(counted.all_drawn)
        others[counted.group[~true]] = counted.drawn[~true]
        return _with_intervals(
            table, counted, every, np.where(np.isnan(drawn), counted.all_drawn - others, drawn), plan
        )


@dataclass(frozen=True, slots=True)
class _Counted:
    """Rows of every crossing by the level of a column, and of all levels.

    Attributes
    ----------
    level, everyone : Aggregate
        Counts by crossing and level, and by crossing.
    group : int64 array of shape (n_level_cells,)
        Cell of all levels that each cell of a level belongs to.
    drawn, all_drawn : float64 of shape (n_cells, n_replicates), without columns where there is no plan
        Sums of weights in every replicate.
    n_units : int64 array
        Sampling units of every crossing.
    """

    level: Aggregate
    everyone: Aggregate
    group: IntArray
    drawn: FloatArray
    all_drawn: FloatArray
    n_units: IntArray

    @classmethod
    def of(cls, data: Panel | Scan, column: str, by: Sequence[str], plan: BootstrapPlan | None) -> _Counted:
        """Count the rows on which the column is known."""
        if plan is not None:
            check_replicated(plan, f"shares of the levels of '{column}'")
        known = data.where(f"`{column}` is not missing") if data.schema.columns[column].missing else data
        level, drawn = _counted(known, [*by, column], plan)
        adds_up = _adds_up(data, drawn, plan)
        everyone, all_drawn = _counted(known, by, None if adds_up else plan)
        _check_one_row(everyone, column, by)
        group = _groups(level, everyone, by)
        n_units: IntArray | None = everyone.evidence.n_person
        if adds_up:
            all_drawn = np.zeros((everyone.n_cells, drawn.shape[1]))
            np.add.at(all_drawn, group, drawn)
        elif plan is not None:
            n_units = everyone.intervals["sum"].n_units
        assert n_units is not None
        return cls(level, everyone, group, drawn, all_drawn, n_units)


def _adds_up(data: Panel | Scan, drawn: FloatArray, plan: BootstrapPlan | None) -> bool:
    """Tell whether the replicates of a crossing, and its units, are those of its levels added up.

    Clusters may be in several levels; and of a level that one person alone has no replicates are given.
    """
    return plan is not None and is_person(data.schema, plan.unit) and not np.isnan(drawn).any()


def check_replicated(plan: BootstrapPlan, what: str) -> None:
    """Refuse a plan whose intervals are not made of replicates alone."""
    if plan.interval not in FROM_REPLICATES:
        raise SupportError(f"{what} take interval {', '.join(map(repr, FROM_REPLICATES))}, not '{plan.interval}'")


def _counted(data: Panel | Scan, by: Sequence[str], plan: BootstrapPlan | None) -> tuple[Aggregate, FloatArray]:
    """Return the rows and persons of every crossing and the sum of weights in every replicate of a plan, if any."""
    if plan is None:
        return aggregate(data, None, by=by, statistics=["n_obs", "n_person"]), np.empty((0, 0))
    ones = data.assign(level="person", one=_ones)
    with collecting() as found:
        table = aggregate(ones, ONE, by=by, statistics=["n_obs", "n_person", "sum"], plan=plan)
    units = table.intervals["sum"].n_units
    assert units is not None
    # A replicate that draws nobody of a crossing has no sum of it; here that is a sum of zero.
    drawn = np.where(units[:, np.newaxis] < FEWEST_UNITS, np.nan, np.nan_to_num(found[0].replicates))
    return table, drawn


def _ones(panel: Panel) -> ByteArray:
    """Return a one for every stored person."""
    return np.ones(panel.n_person_stored, dtype=np.uint8)


def _check_one_row(everyone: Aggregate, column: str, by: Sequence[str]) -> None:
    """Refuse crossings in which persons have several rows: whether one has a level is then no yes or no."""
    repeated = int(np.count_nonzero(everyone.evidence.n_obs != everyone.evidence.n_person))
    if repeated:
        raise SupportError(
            f"shares of the levels of '{column}' by {list(by)}: in {repeated:,} cells persons have several rows; "
            "add the period to the keys, or choose one with data.at(...)"
        )


def _groups(level: Aggregate, everyone: Aggregate, by: Sequence[str]) -> IntArray:
    """Return, for every cell of a level, the cell of all levels."""
    if not by:
        return np.zeros(level.n_cells, dtype=np.int64)
    cells, groups = (pd.MultiIndex.from_arrays([table.keys[name].codes for name in by]) for table in (level, everyone))
    return np.asarray(groups.get_indexer(cells), dtype=np.int64)


def _shares(cells: Aggregate, n: IntArray, everyone: Aggregate, group: IntArray, column: str) -> Aggregate:
    """Return the table of shares of n persons, with the evidence that a column of true and false would have."""
    all_of = everyone.evidence
    persons = all_of.n_person[group]
    outside = persons - n
    larger = np.maximum(n, outside)
    evidence = Evidence(
        n_obs=persons,
        n_value=persons,
        n_person=persons,
        n_person_value=persons,
        n_person_nonzero=n,
        n_person_zero=outside,
        n_negative=np.zeros_like(n),
        n_zero=outside,
        n_largest=np.where(2 * larger > persons, larger, 0),
        n_effective=persons.astype(np.float64),
        all_equal=outside == 0,
        total=n.astype(np.float64),
        total_absolute=n.astype(np.float64),
        top1=np.minimum(n, 1).astype(np.float64),
        top2=(n >= 2).astype(np.float64),
        entities={name: counts[group] for name, counts in all_of.entities.items()},
        tails={},
        fingerprint=None if all_of.fingerprint is None else all_of.fingerprint[group],
        fingerprint_value=None if all_of.fingerprint is None else all_of.fingerprint[group],
        sketch=None if all_of.sketch is None else all_of.sketch[group],
        sketch_value=None if all_of.sketch is None else all_of.sketch[group],
    )
    return replace(
        cells,
        variable=column,
        unit=None,
        statistics={"n_person": persons, SHARE: n / persons},
        evidence=evidence,
        flow=everyone.flow,
        intervals={},
    )


def _with_intervals(
    table: Aggregate,
    counted: _Counted,
    group: IntArray,
    drawn: FloatArray,
    plan: BootstrapPlan,
    contrasts: Sequence[Contrast] = (),
) -> Aggregate:
    """Return the table with the intervals of its shares, and their contrasts."""
    with np.errstate(divide="ignore", invalid="ignore"):
        replicates = {SHARE: np.asarray(drawn / counted.all_drawn[group])}
    points = {SHARE: np.asarray(table.statistics[SHARE], dtype=np.float64)}
    interval = replace(interval_of(points[SHARE], replicates[SHARE], plan), n_units=counted.n_units[group])
    if is_collecting():
        collect(cell_names(table.keys, table.n_cells), points, replicates)
    gaps = tuple(
        contrast_table(
            contrast, table.keys, points, replicates, plan, chosen=[statistic(SHARE)], in_logs=False, bands=None
        )
        for contrast in contrasts
    )
    settings = {**table.settings, "plan": plan.settings}
    return replace(table, intervals={SHARE: interval}, contrasts=gaps, settings=settings)
