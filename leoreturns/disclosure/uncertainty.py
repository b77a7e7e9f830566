"""When a standard error or an interval may be shown beside its statistic: rules on persons and on sampling units.

All that is shown of the uncertainty of a statistic in a cell is shown or hidden together: each part could be worked out
from the others. It is under every rule of the statistic, and under those below. The rules read evidence and intervals;
replicates are not kept anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import betaincinv

from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.aggregates.statistics import Statistic
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.rounding import Rounding
from leoreturns.disclosure.rules import ROUND_OFF, Rule, effective_persons, excesses, no_cell, rests_on_total
from leoreturns.errors import DisclosureError
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.interval import Interval

# What is said of a plan. Not its fingerprint: of two sets that differ by one person, it tells the key of that person.
PLAN_FIELDS = ("interval", "level", "n_replicates", "scheme", "unit", "strata", "seed")


def released_plan(table: Aggregate, policy: Policy) -> dict[str, Any]:
    """Return what a release says of how a table's intervals were made; empty without intervals.

    Raises
    ------
    DisclosureError
        If the table has intervals and does not say how they were made, or a band without its interval.
    """
    if not (table.intervals or table.bands or any(contrast.intervals for contrast in table.contrasts)):
        return {}
    plan = table.settings.get("plan")
    if not isinstance(plan, Mapping) or any(name not in plan for name in PLAN_FIELDS) or not 0 < plan["level"] < 1:
        raise DisclosureError(
            "the table holds intervals but not the plan behind them: compute it with lr.aggregate(..., plan=...)"
        )
    if alone := [name for name in table.bands if name not in table.intervals]:
        raise DisclosureError(f"{', '.join(alone)}: a band without the standard error behind it")
    said = {name: plan[name] for name in PLAN_FIELDS}
    if "n_units" in plan:
        rounded = Rounding("count", "multiple", policy.count_base).text(plan["n_units"])
        said["n_units"] = rounded if plan["n_units"] >= policy.min_persons else policy.marker
    return said


def _of_a_count(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Find counts and sums of weights, whose standard error is their square root and tells them before rounding."""
    return np.full(table.n_cells, asked.family in ("count", "weight"))


def _few_units(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count sampling units: an interval from a few schools tells of each of them."""
    return np.asarray(_units(table, asked) < policy.min_persons)


def _few_beyond_ends(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count persons strictly beyond the ends of a percentile's interval: an end is some person's value as well.

    A level near one would make them the least and the largest value of the cell. The lower end of the interval of the
    r-th of n values is the j-th with I_{j/n}(r, n - r + 1) = (1 - level) / 2 (Hutson and Ernst 2000), which leaves
    fewer than j persons below it; r is taken half a rank below n p, which no type of percentile falls short of. Units
    that are worth fewer than the persons spread the interval wider.
    """
    hidden, persons = no_cell(table), table.evidence.n_person_value
    units = np.minimum(effective_persons(table.evidence), _units(table, asked))
    alpha = 1.0 - table.settings["plan"]["level"]
    for percentile in asked.percentiles:
        for beyond in (percentile, 100 - percentile):
            rank = np.maximum(units * beyond / 100 - 0.5, 0.5)
            part = betaincinv(rank, np.maximum(units - rank, 0.0) + 1.0, alpha / 2)
            hidden |= ~np.asarray(persons * part > policy.tail_persons)
    return hidden


def _dominated_error(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Ask whether two persons make up nearly the whole of the squared standard error, which then tells their values.

    It is the sum of the squared effects that persons have on the statistic (the infinitesimal jackknife: Efron 1982).
    Where one person's effect is most of it, the error of a mean tells a variance that is hidden itself, and that of a
    variance a value which need not dominate the variance. The effects of percentiles and of shares have a bound.
    """
    if not rests_on_total(asked):
        return no_cell(table)
    (first, _), (second, _) = largest_effects(table, asked)
    return ~np.asarray(first**2 + second**2 <= policy.dominance_share * table.intervals[asked.name].std_error ** 2)


def largest_effects(table: Aggregate, asked: Statistic) -> list[tuple[FloatArray, FloatArray]]:
    """Return the effects that the two largest persons of each cell have on a statistic made of totals.

    Each with that of the person's whole total, not only of its excess over the mean person's; infinite where a total
    may be negative or the statistic is not one of plain sums.
    """
    evidence = table.evidence
    with np.errstate(divide="ignore", invalid="ignore"):
        effects = [_effect(table, asked, excess) for excess in excesses(evidence)]
        if asked.name not in ("mean", "sum"):
            return [(effect, np.full(table.n_cells, np.inf)) for effect in effects]
        wholes = [np.where(evidence.n_negative == 0, top, np.inf) for top in (evidence.top1, evidence.top2)]
        return [(effect, _effect(table, asked, whole)) for effect, whole in zip(effects, wholes, strict=True)]


def _effect(table: Aggregate, asked: Statistic, excess: FloatArray) -> FloatArray:
    """Return the effect on a statistic of a person whose total exceeds that of the mean person, of average weight."""
    evidence = table.evidence
    number = np.asarray(table.statistics[asked.name], dtype=np.float64)
    match asked.name:
        case "sum":
            return excess * _weight(table)
        case "mean":
            return excess / evidence.n_value
        case "var" | "sd":
            # A person of k rows adds at least excess**2 / k to the squares, and k to the rows they are divided by.
            rows = evidence.n_value / evidence.n_person_value
            variance = number if asked.name == "var" else number**2
            effect = np.maximum(excess**2 / rows - rows * variance, 0.0) / evidence.n_value
            return effect if asked.name == "var" else effect / (2.0 * number)
    # Gini and top shares: a large value scales the Lorenz curve of all others down.
    return (1.0 - number) * excess / evidence.total_absolute


def _weight(table: Aggregate) -> FloatArray:
    """Return the average weight of a row in each cell; NaN where weighted values of both signs do not tell it."""
    if table.settings.get("weights") is None:
        return np.ones(table.n_cells)
    evidence = table.evidence
    return np.where(evidence.n_negative == 0, evidence.total / evidence.total_absolute, np.nan)


def _no_width(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Find intervals that are not defined, or without width: all persons near the statistic have its very value."""
    return ~has_width(table.intervals[asked.name])


def has_width(interval: Interval) -> BoolArray:
    """Return where an interval is defined and has a width beyond the last digits of equal replicates."""
    with np.errstate(invalid="ignore"):
        ends = np.maximum(np.abs(interval.low), np.abs(interval.high))
        return np.asarray(np.isfinite(ends + interval.std_error) & (interval.std_error > ROUND_OFF * ends))


def _units(table: Aggregate, asked: Statistic) -> IntArray:
    """Return the distinct sampling units with a value in each cell."""
    counted, unit = table.intervals[asked.name].n_units, table.settings["plan"]["unit"]
    if counted is not None:
        return counted
    if unit == "person":
        return table.evidence.n_person_value
    if unit in table.evidence.entities:
        return table.evidence.entities[unit]
    raise DisclosureError(
        f"the table does not tell how many sampling units ('{unit}') a cell rests on: name the column among the "
        "entities when the panel is made, Panel.from_frame(..., entities=...)"
    )


UNCERTAINTY_RULES = (
    Rule("the standard error of a count would tell the count", _of_a_count),
    Rule("fewer sampling units than the persons that the policy asks for", _few_units),
    Rule("fewer persons strictly beyond an end of the interval than the policy asks for", _few_beyond_ends),
    Rule("two persons make up nearly the whole of the standard error", _dominated_error),
    Rule("the interval has no width or is not defined", _no_width),
)
