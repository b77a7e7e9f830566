"""aggregate(): statistics of a column over the cells of a table, with the evidence of every cell from the same pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import AnyArray, Cells, Contrast, FloatArray, IntArray, Missing, QuantileRule, Weights
from leoreturns.aggregates.cells import Layout, lay_out
from leoreturns.aggregates.describe import Described, describe
from leoreturns.aggregates.entities import Entities
from leoreturns.aggregates.evaluate import Parts, evaluate
from leoreturns.aggregates.inputs import Inputs, check_columns, read_inputs
from leoreturns.aggregates.prepare import Resampling
from leoreturns.aggregates.replicate import Replicator
from leoreturns.aggregates.rows import plan_rows, readable, row_units
from leoreturns.aggregates.statistics import Statistic, statistics_named
from leoreturns.aggregates.tally import tally
from leoreturns.aggregates.uncertainty import check_contrasts, check_kept, check_plan, check_units, with_intervals
from leoreturns.errors import SupportError
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.panel.units import is_person
from leoreturns.resample.joint import is_collecting
from leoreturns.resample.plan import PERSON, BootstrapPlan, Units
from leoreturns.results.aggregate import Aggregate, CellKey, Evidence, Tail

MAX_SKETCHED_CELLS = 100_000


def aggregate(
    data: Panel | Scan | pd.DataFrame,
    values: str | None,
    *,
    by: str | Sequence[str] = (),
    statistics: str | Sequence[str],
    plan: BootstrapPlan | None = None,
    contrasts: Contrast | Sequence[Contrast] = (),
    bands: str | None = None,
    weights: Weights | None = None,
    where: str | None = None,
    missing: Missing = "drop",
    cells: Cells = "observed",
    quantile_rule: QuantileRule = 7,
    person: str | None = None,
    unit: str | None = None,
    n_jobs: int | None = None,
) -> Aggregate:
    """Describe a column in every crossing of the keys.

    Rows are person-periods: a mean over several periods weighs each person by the periods observed.

    Parameters
    ----------
    data : Panel, Scan or pandas.DataFrame
        The rows. A frame is used as it is, one row per person-period; then `person` names its id column.
    values : str or None
        Numeric or true/false column (true counts 1) to describe; None to count rows and persons only.
    by : str or sequence of str
        Keys: any traits and year columns. The table has their crossings as cells; no keys, one cell.
    statistics : str or sequence of str
        ``n_obs`` (rows), ``n_value`` (rows with a value), ``n_person``, ``n_person_value`` (persons with a value),
        ``n_weighted`` (sum of weights), ``sum``, ``mean``, ``var``, ``sd``, ``share`` (of true), ``p1`` to ``p99``,
        ``iqr``, ratios such as ``p90/p10`` (NaN unless the lower one is positive), ``gini``, and ``top1`` to ``top50``
        (share of the sum held by the top 1 to 50 per cent of rows).
    plan : BootstrapPlan, optional
        Gives every statistic but counts a standard error and a confidence interval by resampling persons or clusters.
    contrasts : Contrast or sequence of Contrast
        Differences, ratios or percentage gaps between levels of a key, with intervals from the same replicates.
    bands : str, optional
        A key (years, ages) along which simultaneous bands are wanted: the whole trajectory lies inside with the plan's
        level (sup-t, Montiel Olea and Plagborg-Moller 2019).
    weights : Weights, optional
        A column of frequency or probability weights. Counts of rows and persons stay unweighted. The variance divides
        the weighted sum of squares by the sum of weights less one (frequency), or by the sum of weights times (n - 1) /
        n (probability), as Stata's fweights and aweights do.
    where : str, optional
        Condition on rows, in the grammar of `Panel.where`.
    missing : "drop", "group" or "error"
        Rows with a missing key are dropped and counted in the flow, given the level "missing", or refused; "error" also
        refuses missing values. A missing value is never part of a statistic but is counted (``n_obs`` less
        ``n_value``).
    cells : "observed" or "all"
        Cells with rows, or every crossing of the keys' levels, also those that a condition leaves no row of.
    quantile_rule : 1 to 9
        Type of percentile after Hyndman and Fan (1996); 7 is that of R, NumPy and pandas. Under probability weights
        type 3 is not defined.
    person, unit : str, optional
        Id column of a frame, and the unit of its values ("GBP/year"). Without the first persons cannot be counted, and
        without either a release is refused. A panel knows both.
    n_jobs : int, optional
        Threads; by default ``LEORETURNS_NUM_THREADS`` or what the machine grants. The result is the same to the last
        bit for any number.

    Returns
    -------
    Aggregate
        Statistics as float64 (counts int64), NaN where a cell has too few values: none, or fewer than two for var and
        sd. Gini and top shares are NaN where a value is negative. Sums are exact before their last rounding, so whole
        pounds or pence add up exactly.

    Raises
    ------
    SupportError
        An interval that the plan cannot give (with the reason), a contrast of levels that are not there, rows without
        a sampling unit; unknown statistic, a column without numbers, no rows, more than four million cells, or missing
        data under ``missing="error"``.
    PanelError
        Unknown columns, negative or infinite weights, or a frame that is not one row per person-period.

    Notes
    -----
    Percentiles are exact. Weighted percentiles repeat the rows (frequency) or interpolate the weighted plotting
    positions of Lumley (2010, Complex Surveys; probability). With values x of weight w in ascending order and W the
    weight below a value, the Gini coefficient is sum w x (2 W + w) / (sum w sum w x) - 1, without a small-sample
    factor; a top share is one minus the Lorenz curve, linear within a value's weight.

    Distinct persons, the two largest person totals, negatives, zeros, the persons around each percentile and hashes of
    each cell's set of persons are taken on the way, so that a release can be checked without going back to the data.
    """
    _check_options(by, missing, cells, quantile_rule, weights)
    chosen = statistics_named(statistics, counts_only=values is None)
    contrasts = (contrasts,) if isinstance(contrasts, Contrast) else tuple(contrasts)
    if plan is None and (contrasts or bands is not None):
        raise ValueError("contrasts and bands come with intervals: give plan=lr.BootstrapPlan(...)")
    drawn = () if plan is None else check_plan(plan, chosen, contrasts, bands, weights, quantile_rule)
    if values is None and weights is not None:
        raise SupportError("weights need a column of values; with values=None rows and persons are counted unweighted")
    keys = (by,) if isinstance(by, str) else tuple(by)
    if bands is not None and bands not in keys:
        raise SupportError(f"bands run along a key of the table: bands='{bands}' is not in by={list(keys)}")
    names = [name for name in (values, weights.column if weights else None) if name is not None]
    clusters = [plan.unit] if plan is not None and plan.unit not in (PERSON, person) else []
    with threads(n_jobs):
        inputs = read_inputs(data, [*keys, *names, *clusters], where=where, person=person, values=values, unit=unit)
        check_columns(inputs.panels, keys, values, weights, chosen)
        layout = lay_out(inputs.panels, keys, missing=missing, cells=cells)
        check_contrasts(contrasts, layout.labels)
        replicator = None
        if plan is not None:
            check_units(plan, inputs)
            clusters = [] if is_person(inputs.panels[0].schema, plan.unit) else clusters
            frame = plan.frame if isinstance(plan.frame, Units) else None
            asked = Resampling(drawn, quantile_rule, weights.kind if weights else None, plan.interval, frame)
            keep = bool(contrasts) or bands is not None or is_collecting()
            if keep:
                check_kept(layout.n_cells, len(drawn), plan.n_replicates)
            replicator = Replicator(plan, asked, layout.n_cells, keep=keep)
        described = _described(inputs.panels, layout, names, chosen, weights, quantile_rule, replicator)
        if missing == "error":
            _refuse_missing(inputs, described, values)
        settings = {
            "quantile_rule": quantile_rule,
            "weights": None if weights is None else f"{weights.kind} weights {weights.column}",
            "where": where,
            "missing": missing,
            "cells": cells,
            **{name: made for name, made in inputs.panels[0].settings.items() if name == "definitions"},
        }
        numbers, headings = layout.ordered(
            layout.every if cells == "all" else np.flatnonzero(described.counts["n_obs"])
        )
        table = _assemble(
            inputs, described, chosen, numbers, headings, values, settings, owners=[*keys, *names, *clusters]
        )
        if replicator is None:
            return table
        return with_intervals(table, replicator, numbers, contrasts, bands)


def _described(
    panels: Sequence[Panel],
    layout: Layout,
    names: Sequence[str],
    chosen: Sequence[Statistic],
    weights: Weights | None,
    rule: int,
    replicator: Replicator | None,
) -> Described:
    """Compute every cell of a layout; `names` are the values' column and the weights', if any."""
    sketched = layout.n_cells <= MAX_SKETCHED_CELLS
    entities = {name: Entities.of(panels, name) for name, column in panels[0].schema.columns.items() if column.entity}
    columns = [[readable(panel, name) for panel in panels] for name in names] or [[(np.empty(0), 0) for _ in panels]]
    # Rows without a weight have no value either, which only those who gather the weights know.
    marked = {name: entity for name, entity in entities.items() if weights is None and entity.fit(layout.n_cells)}
    described = tally(panels, layout, sketched=sketched) if not names and len(marked) == len(entities) else None
    if described is None:
        gathered = {name: entity for name, entity in entities.items() if name not in marked}
        described = _gathered(panels, layout, columns, chosen, weights, rule, replicator, gathered, sketched=sketched)
    counted = {name: entity.counted(panels, layout, columns[0]) for name, entity in marked.items()}
    found = {**described.entities, **counted}
    return replace(described, entities={name: found[name] for name in entities})


def _gathered(
    panels: Sequence[Panel],
    layout: Layout,
    columns: list[list[tuple[AnyArray, int]]],
    chosen: Sequence[Statistic],
    weights: Weights | None,
    rule: int,
    replicator: Replicator | None,
    entities: Mapping[str, Entities],
    *,
    sketched: bool,
) -> Described:
    """Gather the rows of every cell and describe them."""
    unit_keys = None
    if replicator is not None and not is_person(panels[0].schema, replicator.plan.unit):
        codes, unit_keys = row_units(panels, replicator.plan.unit)
        columns = [*columns, codes]
    return describe(
        plan_rows(panels, layout),
        [*columns, *(entity.along_rows(panels) for entity in entities.values())],
        chosen,
        weights=weights,
        rule=rule,
        entities={name: entity.count for name, entity in entities.items()},
        sketched=sketched,
        replicator=replicator,
        unit_keys=unit_keys,
    )


def _check_options(by: Any, missing: str, cells: str, rule: int, weights: Weights | None) -> None:
    """Refuse an option that is not one of its names."""
    for name, value, allowed in (
        ("missing", missing, Missing),
        ("cells", cells, Cells),
        ("quantile_rule", rule, QuantileRule),
    ):
        if value not in get_args(allowed) or isinstance(value, bool):
            raise ValueError(f"{name} is one of {', '.join(map(repr, get_args(allowed)))}, not {value!r}")
    if not isinstance(by, str | Sequence) or not all(isinstance(name, str) for name in by):
        raise TypeError("by is the name of a column or a list of names; leave it out for one cell")
    if weights is not None and not isinstance(weights, Weights):
        raise TypeError("weights are given as lr.Weights(column, kind), which says what they mean")
    if weights is not None and weights.kind == "analytic":
        raise ValueError("analytic weights are those of a regression; a table takes frequency or probability weights")
    if weights is not None and weights.kind == "probability" and rule == 3:
        raise ValueError("quantile_rule 3 has no form under probability weights; use 1, 2 or 4 to 9")


def _refuse_missing(inputs: Inputs, described: Described, values: str | None) -> None:
    """Refuse rows without a key or, where a column is described, without a value."""
    rows = inputs.n_row
    kept, with_value = (int(described.counts[name].sum()) for name in ("n_obs", "n_value"))
    if with_value < rows:
        no_value = f" and {kept - with_value:,} more no value of '{values}'" if values is not None else ""
        raise SupportError(
            f"of {rows:,} rows {rows - kept:,} have a missing key{no_value}; "
            "exclude them with where=, or use missing='drop' or 'group'"
        )


def _assemble(
    inputs: Inputs,
    described: Described,
    chosen: Sequence[Statistic],
    cells: IntArray,
    keys: Mapping[str, CellKey],
    values: str | None,
    settings: Mapping[str, Any],
    *,
    owners: Sequence[str],
) -> Aggregate:
    """Name everything of the given cells; `owners` are the columns whose owners matter."""
    panel, kept = inputs.panels[0], int(described.counts["n_obs"].sum())
    lost = kept < inputs.n_row
    flow = inputs.flow.appended("all keys present", persons=described.n_person, rows=kept) if lost else inputs.flow
    described = described.taken(cells)
    parts = described.parts()
    named = {panel.column(name).owner for name in owners}
    return Aggregate(
        variable=values,
        unit=panel.column(values).unit if values else None,
        keys=keys,
        statistics={entry.name: _statistic(entry, described, parts, inputs.identified) for entry in chosen},
        evidence=_evidence(described, chosen, inputs.identified),
        flow=flow,
        settings=settings,
        owners=tuple(sorted({owner for owners in named if owners for owner in owners.split(", ")})),
    )


def _statistic(entry: Statistic, described: Described, parts: Parts, identified: bool) -> IntArray | FloatArray:
    """Return one statistic of every cell."""
    counts, numbers = described.counts, described.numbers
    if entry.family == "count":
        return (
            counts[entry.name]
            if identified or not entry.name.startswith("n_person")
            else np.full_like(counts[entry.name], -1)
        )
    if entry.name == "n_weighted":
        return numbers["weight"]
    return evaluate(entry, parts)


def _evidence(described: Described, chosen: Sequence[Statistic], identified: bool) -> Evidence:
    """Return the evidence of every cell; person counts are -1 where persons are not known."""

    def persons(counts: IntArray) -> IntArray:
        return counts if identified else np.full_like(counts, -1)

    counts, numbers = described.counts, described.numbers
    wanted = sorted({number for entry in chosen for number in entry.percentiles})
    return Evidence(
        n_obs=counts["n_obs"],
        n_value=counts["n_value"],
        n_person=persons(counts["n_person"]),
        n_person_value=persons(counts["n_person_value"]),
        n_person_nonzero=persons(counts["n_person_nonzero"]),
        n_person_zero=persons(counts["n_person_zero"]),
        n_negative=counts["n_negative"],
        n_zero=counts["n_zero"],
        n_largest=counts["n_largest"],
        n_effective=described.effective(),
        all_equal=numbers["low"] == numbers["high"],
        total=numbers["sum"],
        total_absolute=numbers["total_absolute"],
        top1=numbers["top1"],
        top2=numbers["top2"],
        entities=described.entities,
        tails={f"p{number}": Tail(*(persons(side) for side in described.tails[number])) for number in wanted},
        fingerprint=described.prints[:, 0] if identified else None,
        fingerprint_value=described.prints[:, 1] if identified else None,
        sketch=described.sketch if identified else None,
        sketch_value=described.sketch_value if identified else None,
    )
