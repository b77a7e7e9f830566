"""Which numbers of a table may be shown: rules on persons, read from each cell's evidence, never from rows of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import BoolArray, FloatArray
from leoreturns.aggregates.statistics import Statistic
from leoreturns.disclosure.policy import Policy
from leoreturns.errors import DisclosureError
from leoreturns.results.aggregate import Aggregate, Evidence, Tail

ROUND_OFF = 1e-9  # ten equal weights are worth ten persons but for the last digits of their sums


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to hide a number.

    Attributes
    ----------
    reason : str
        The reason in words, for the release's README.
    hides : function of (Aggregate, Statistic, Policy)
        Which cells' statistic is hidden; bool array of shape (n_cells,).
    """

    reason: str
    hides: Callable[[Aggregate, Statistic, Policy], BoolArray]


def _few_persons(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count persons; for all but plain counts of rows and persons, those with a value. Empty cells have too few."""
    evidence = table.evidence
    persons = evidence.n_person if asked.source == "rows" else np.minimum(evidence.n_person, evidence.n_person_value)
    return np.asarray(persons < policy.min_persons)


def _few_weighted(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count the persons that the weights are worth: where one weighs all, a mean is that one's value."""
    if asked.family == "count":
        return no_cell(table)
    return ~np.asarray(effective_persons(table.evidence) >= policy.min_persons * (1 - ROUND_OFF))


def _few_for_inequality(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Ask of an index over the whole distribution, which rests on its tails, the persons that a decile needs."""
    if asked.source != "order" or asked.percentiles:
        return no_cell(table)
    return np.asarray(table.evidence.n_person_value < 10 * policy.tail_persons)


def _few_contributors(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count persons with a value other than zero: the mean of eleven zeros and one salary tells the salary."""
    if asked.family in ("count", "weight") or asked.percentiles or _is_share(asked):
        return no_cell(table)
    return np.asarray(table.evidence.n_person_nonzero < policy.min_persons)


def _few_on_one_side(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count persons in the numerator of a share, and outside it: "all of them" says it of each of them."""
    if not _is_share(asked):
        return no_cell(table)
    return np.asarray(np.minimum(table.evidence.n_person_nonzero, table.evidence.n_person_zero) < policy.min_persons)


def _few_beyond_percentile(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count persons strictly beyond each percentile that the statistic rests on; the scarcest side decides."""
    hidden = no_cell(table)
    for percentile in asked.percentiles:
        tail = tail_of(table, percentile)
        hidden |= np.minimum(tail.below, tail.above) < policy.tail_persons
        # Interpolation may leave one person more beyond a percentile than its share of all persons: both must do.
        beyond = table.evidence.n_person_value * min(percentile, 100 - percentile)
        hidden |= beyond < 100 * policy.tail_persons
    return hidden


def _dominated_total(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Ask whether two persons make up nearly the whole of the total: either could then work out the other."""
    if not rests_on_total(asked):
        return no_cell(table)
    evidence = table.evidence
    # Not "larger than", so that evidence that is not a number hides too.
    return ~np.asarray(evidence.top1 + evidence.top2 <= policy.dominance_share * evidence.total_absolute)


def _dominated_variation(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Ask the same of the squared deviations, of which one large value may be nearly the whole long before the total.

    A person of k rows with the total t adds at least (t - k m)^2 / k about the mean m, where k is taken as the rows per
    person of the cell, and k m as the mean absolute total of a person, which it is where nothing is negative.
    """
    if asked.name not in ("var", "sd"):
        return no_cell(table)
    evidence = table.evidence
    rows = evidence.n_value / np.maximum(evidence.n_person_value, 1)
    first, second = excesses(evidence)
    number = np.asarray(table.statistics[asked.name], dtype=np.float64)
    squares = (number if asked.name == "var" else number**2) * (evidence.n_value - 1)
    return ~np.asarray(first**2 + second**2 <= policy.dominance_share * squares * rows)


def _no_variation(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Find cells whose values are all the same: whatever describes them tells each person's."""
    return no_cell(table) if asked.family in ("count", "weight") else np.asarray(table.evidence.all_equal)


def _not_a_number(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Find cells in which the statistic is not defined."""
    return ~np.isfinite(np.asarray(table.statistics[asked.name], dtype=np.float64))


def effective_persons(evidence: Evidence) -> FloatArray:
    """Return the persons of equal weight that the weights are worth.

    Rows may all be of one person, so effective rows count as persons by the rows per person of the cell.
    """
    return np.asarray(evidence.n_effective * evidence.n_person_value / np.maximum(evidence.n_value, 1))


def excesses(evidence: Evidence) -> tuple[FloatArray, FloatArray]:
    """Return by how much the absolute totals of the two largest persons exceed that of the mean person."""
    usual = evidence.total_absolute / np.maximum(evidence.n_person_value, 1)
    return np.maximum(evidence.top1 - usual, 0.0), np.maximum(evidence.top2 - usual, 0.0)


def _is_share(asked: Statistic) -> bool:
    """Tell whether a statistic is the share of values other than zero (not a share of a total), or made of such."""
    return asked.source == "shares" or (asked.family == "proportion" and asked.source == "moments")


def rests_on_total(asked: Statistic) -> bool:
    """Tell whether a statistic is made of totals: sums, means, moments about them, and shares of a total."""
    described = asked.source in ("moments", "order") and asked.family not in ("count", "weight")
    return described and not _is_share(asked)


def no_cell(table: Aggregate) -> BoolArray:
    """Return that no cell is hidden."""
    return np.zeros(table.n_cells, dtype=np.bool_)


def tail_of(table: Aggregate, percentile: int) -> Tail:
    """Return the evidence of one percentile."""
    name = f"p{percentile}"
    if name not in table.evidence.tails:
        raise DisclosureError(f"the table holds no count of the persons beyond {name}; compute it with lr.aggregate")
    return table.evidence.tails[name]


RULES = (
    Rule("fewer persons than the policy asks for, or none", _few_persons),
    Rule("fewer persons of equal weight, which the weights are worth, than the policy asks for", _few_weighted),
    Rule("fewer persons than an index of inequality needs", _few_for_inequality),
    Rule("fewer persons with a value other than zero than the policy asks for", _few_contributors),
    Rule("fewer persons in or outside the proportion than the policy asks for", _few_on_one_side),
    Rule("fewer persons strictly beyond a percentile than the policy asks for", _few_beyond_percentile),
    Rule("two persons make up nearly the whole of the total", _dominated_total),
    Rule("two persons make up nearly the whole of the variation", _dominated_variation),
    Rule("all values are the same", _no_variation),
    Rule("the statistic is not defined", _not_a_number),
)
