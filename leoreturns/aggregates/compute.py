"""aggregate(): statistics of a column over the cells of a table, with the evidence of every cell from the same pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd

from leoreturns._parallel import thread_count
from leoreturns._typing import Cells, FloatArray, IntArray, Missing, QuantileRule, Weights
from leoreturns.aggregates.cells import Layout, lay_out
from leoreturns.aggregates.describe import Described, describe
from leoreturns.aggregates.rows import entity_codes, plan_rows, readable
from leoreturns.aggregates.statistics import Statistic, statistics_named
from leoreturns.errors import PanelError, SupportError
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.results.aggregate import Aggregate, Evidence, Tail
from leoreturns.results.flow import SampleFlow

MAX_SKETCHED_CELLS = 100_000
ROW, ROW_PERSON = " row", " person"  # columns added to a frame; the space keeps them apart from the caller's


def aggregate(
    data: Panel | Scan | pd.DataFrame,
    values: str | None,
    *,
    by: str | Sequence[str] = (),
    statistics: str | Sequence[str],
    weights: Weights | None = None,
    where: str | None = None,
    missing: Missing = "drop",
    cells: Cells = "observed",
    quantile_rule: QuantileRule = 7,
    person: str | None = None,
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
        ``iqr``, ratios such as ``p90/p10``, ``gini``, and ``top1`` to ``top50`` (share of the sum held by the top 1 to
        50 per cent of rows).
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
        Cells with rows, or every crossing of the keys' levels.
    quantile_rule : 1 to 9
        Type of percentile after Hyndman and Fan (1996); 7 is that of R, NumPy and pandas. Under probability weights
        type 3 is not defined.
    person : str, optional
        Id column of a frame. Without it persons cannot be counted and a release is refused.
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
        Unknown statistic, a column without numbers, no rows, more than four million cells, or missing data under
        ``missing="error"``.
    PanelError
        Unknown columns, negative or infinite weights, or a frame that is not one row per person-period.

    Notes
    -----
    Percentiles are exact. Distinct persons, the two largest person totals, negatives, zeros, the persons around each
    percentile and hashes of each cell's set of persons are taken on the way, so that a release can be checked without
    going back to the data.
    """
    _check_options(missing, cells, quantile_rule, weights)
    thread_count(n_jobs)
    keys = (by,) if isinstance(by, str) else tuple(by)
    chosen = statistics_named(statistics, counts_only=values is None)
    if values is None and weights is not None:
        raise SupportError("weights need a column of values; with values=None rows and persons are counted unweighted")
    panels, identified = _panels(
        data, [*keys, *([values] if values else []), *([weights.column] if weights else [])], where, person
    )
    if where is not None:
        panels = [panel.where(where) for panel in panels]
    _check_columns(panels, values, weights, chosen)
    layout = lay_out(panels, keys, missing=missing, cells=cells)
    names = [name for name in (values, weights.column if weights else None) if name]
    columns = [[readable(panel, name) for panel in panels] for name in names] or [[(np.empty(0), 0) for _ in panels]]
    entities = {name: entity_codes(panels, name) for name, column in panels[0].schema.columns.items() if column.entity}
    columns += [codes for codes, _ in entities.values()]
    described = describe(
        plan_rows(panels, layout, n_jobs=n_jobs),
        columns,
        chosen,
        weights=weights,
        rule=quantile_rule,
        entities={name: count for name, (_, count) in entities.items()},
        sketched=layout.n_cells <= MAX_SKETCHED_CELLS,
        n_jobs=n_jobs,
    )
    flow = _flow(data.flow_of(panels) if isinstance(data, Scan) else panels[0].flow, panels, described)
    if missing == "error":
        _refuse_missing(panels, described, values)
    return _assemble(
        panels[0],
        layout,
        described,
        chosen,
        flow,
        identified,
        observed=cells == "observed",
        values=values,
        settings={
            "quantile_rule": quantile_rule,
            "weights": None if weights is None else f"{weights.kind} weights {weights.column}",
            "where": where,
            "missing": missing,
            "cells": cells,
        },
        used=[*keys, *names],
    )


def _check_options(missing: str, cells: str, rule: int, weights: Weights | None) -> None:
    """Refuse an option that is not one of its names."""
    for name, value, allowed in (
        ("missing", missing, Missing),
        ("cells", cells, Cells),
        ("quantile_rule", rule, QuantileRule),
    ):
        if value not in get_args(allowed) or isinstance(value, bool):
            raise ValueError(f"{name} is one of {', '.join(map(repr, get_args(allowed)))}, not {value!r}")
    if weights is not None and not isinstance(weights, Weights):
        raise TypeError("weights are given as lr.Weights(column, kind), which says what they mean")
    if weights is not None and weights.kind == "probability" and rule == 3:
        raise ValueError("quantile_rule 3 has no form under probability weights; use 1, 2 or 4 to 9")


def _panels(data: Any, columns: list[str], where: str | None, person: str | None) -> tuple[list[Panel], bool]:
    """Return the data as panels, and whether their persons are known."""
    if isinstance(data, Panel | Scan):
        if person is not None:
            raise ValueError("person= names the id column of a frame; a panel knows its persons")
        return (list(data) if isinstance(data, Scan) else [data]), True
    if isinstance(data, pd.DataFrame):
        used = list(data.columns) if where else columns
        return [_framed(data, used, person)], person is not None
    raise TypeError(f"data is a Panel, a Scan or a pandas DataFrame, not {type(data).__name__}")


def _framed(frame: pd.DataFrame, columns: list[str], person: str | None) -> Panel:
    """Return a frame's rows as a panel.

    The row's number stands in for the period, and for the person where none is named.
    """
    named = list(dict.fromkeys([*columns, *([person] if person else [])]))
    if unknown := [name for name in named if name not in frame.columns]:
        known = ", ".join(map(repr, frame.columns))
        raise PanelError(f"unknown column {', '.join(map(repr, unknown))}; known: {known}")
    numbered = frame[named].assign(**{ROW: np.arange(len(frame))})
    if person is None:
        numbered[ROW_PERSON] = numbered[ROW]
    return Panel.from_frame(numbered, person=person or ROW_PERSON, time=ROW)


def _check_columns(
    panels: Sequence[Panel], values: str | None, weights: Weights | None, chosen: Sequence[Statistic]
) -> None:
    """Refuse values and weights that are not what the statistics need."""
    if not sum(panel.n_row for panel in panels):
        raise SupportError("no rows are left to describe; see the panel's flow for where they were lost")
    if values is not None:
        column = panels[0].column(values)
        if column.kind == "code" and not column.is_bool:
            raise SupportError(
                f"column '{values}' holds {len(column.labels):,} labels, not numbers; "
                f"count it as a key instead: by=[..., '{values}']"
            )
        if any(entry.name == "share" for entry in chosen) and not column.is_bool:
            raise SupportError(
                f"share needs a true/false column and '{values}' holds numbers; make one with panel.assign"
            )
    if weights is not None:
        _check_weights(panels, weights)


def _check_weights(panels: Sequence[Panel], weights: Weights) -> None:
    """Refuse weights that are not numbers, negative, or parts of repetitions."""
    name = weights.column
    if panels[0].column(name).kind != "number":
        raise SupportError(f"weights '{name}' are not numbers")
    arrays = [readable(panel, name)[0][slice(None) if panel.selection is None else panel.selection] for panel in panels]
    if negative := sum(int((array < 0).sum()) for array in arrays):
        raise SupportError(f"weights '{name}' are negative in {negative:,} entries; a weight is zero or more")
    if weights.kind == "frequency":
        known = [array[array >= 0] for array in arrays]
        if broken := sum(int((array != np.floor(array)).sum()) for array in known):
            raise SupportError(
                f"frequency weights '{name}' are not whole in {broken:,} entries; "
                f"use lr.Weights('{name}', 'probability')"
            )


def _flow(flow: SampleFlow, panels: Sequence[Panel], described: Described) -> SampleFlow:
    """Append to the data's flow the rows that a missing key cost."""
    rows = sum(panel.n_row for panel in panels)
    kept = int(described.counts["n_obs"].sum())
    return flow if kept == rows else flow.appended("all keys present", persons=described.n_person, rows=kept)


def _refuse_missing(panels: Sequence[Panel], described: Described, values: str | None) -> None:
    rows, kept, with_value = (
        sum(panel.n_row for panel in panels),
        int(described.counts["n_obs"].sum()),
        int(described.counts["n_value"].sum()),
    )
    if with_value < rows:
        raise SupportError(
            f"of {rows:,} rows {rows - kept:,} have a missing key and {kept - with_value:,} more no value of "
            f"'{values}'; exclude them with where=, or use missing='drop' or 'group'"
        )


def _assemble(
    panel: Panel,
    layout: Layout,
    described: Described,
    chosen: Sequence[Statistic],
    flow: SampleFlow,
    identified: bool,
    *,
    observed: bool,
    values: str | None,
    settings: Mapping[str, Any],
    used: Sequence[str],
) -> Aggregate:
    """Put the cells in the caller's order and name everything."""
    cells = layout.every if not observed else np.flatnonzero(described.counts["n_obs"])
    order, keys = layout.ordered(cells)
    described = described.taken(order)
    owners = {panel.column(name).owner for name in used if name != panel.schema.person}
    return Aggregate(
        variable=values,
        unit=panel.column(values).unit if values else None,
        keys=keys,
        statistics={entry.name: _statistic(entry, described, identified) for entry in chosen},
        evidence=_evidence(described, chosen, identified),
        flow=flow,
        settings=settings,
        owners=tuple(sorted(owner for owner in owners if owner)),
    )


def _statistic(entry: Statistic, described: Described, identified: bool) -> IntArray | FloatArray:
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
    if entry.name == "share":
        return numbers["mean"]
    if entry.name in ("sum", "mean"):
        return np.where(counts["n_value"] > 0, numbers[entry.name], np.nan) if entry.name == "mean" else numbers["sum"]
    if entry.name in ("var", "sd"):
        variance = described.variance()
        return variance if entry.name == "var" else np.sqrt(variance)
    if entry.source == "order":
        return described.ordered[entry.name]
    at = [described.percentiles[number] for number in entry.percentiles]
    if entry.name == "iqr":
        return at[1] - at[0]
    if entry.family == "ratio":
        return np.divide(at[0], at[1], out=np.full_like(at[0], np.nan), where=at[1] > 0)
    return at[0]


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
        all_equal=numbers["low"] == numbers["high"],
        total=numbers["sum"],
        total_absolute=numbers["total_absolute"],
        top1=numbers["top1"],
        top2=numbers["top2"],
        entities=described.entities,
        tails={f"p{number}": Tail(*(persons(side) for side in described.tails[number])) for number in wanted},
        fingerprint=described.prints[:, 0],
        fingerprint_value=described.prints[:, 1],
        sketch=described.sketch if identified else None,
        sketch_value=described.sketch_value if identified else None,
    )
