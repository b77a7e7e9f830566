"""Which numbers of a table may be shown: rules on persons, read from each cell's evidence, never from rows of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import BoolArray, ByteArray
from leoreturns.aggregates.statistics import Statistic, statistic
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.rounding import Rounding, rounding_of
from leoreturns.errors import DisclosureError, SupportError
from leoreturns.results.aggregate import Aggregate, Tail
from leoreturns.results.protected import ProtectedTable

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
    """Count the persons of equal weight that the weights are worth: where one weighs all, a mean is that one's value.

    Rows may all be of one person, so effective rows count as persons by the rows per person of the cell.
    """
    if asked.family == "count":
        return _none(table)
    evidence = table.evidence
    effective = evidence.n_effective * evidence.n_person_value / np.maximum(evidence.n_value, 1)
    return ~np.asarray(effective >= policy.min_persons * (1 - ROUND_OFF))


def _few_for_inequality(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Ask of an index over the whole distribution, which rests on its tails, the persons that a decile needs."""
    if asked.source != "order" or asked.percentiles:
        return _none(table)
    return np.asarray(table.evidence.n_person_value < 10 * policy.tail_persons)


def _few_contributors(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count persons with a value other than zero: the mean of eleven zeros and one salary tells the salary."""
    if asked.family in ("count", "weight") or asked.percentiles or _is_share(asked):
        return _none(table)
    return np.asarray(table.evidence.n_person_nonzero < policy.min_persons)


def _few_on_one_side(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count persons in the numerator of a share, and outside it: "all of them" says it of each of them."""
    if not _is_share(asked):
        return _none(table)
    return np.asarray(np.minimum(table.evidence.n_person_nonzero, table.evidence.n_person_zero) < policy.min_persons)


def _few_beyond_percentile(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Count persons strictly beyond each percentile that the statistic rests on; the scarcest side decides."""
    hidden = _none(table)
    for percentile in asked.percentiles:
        tail = _tail(table, percentile)
        hidden |= np.minimum(tail.below, tail.above) < policy.tail_persons
        # Interpolation may leave one person more beyond a percentile than its share of all persons: both must do.
        beyond = table.evidence.n_person_value * min(percentile, 100 - percentile)
        hidden |= beyond < 100 * policy.tail_persons
    return hidden


def _dominated_total(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Ask whether two persons make up nearly the whole of the total: either could then work out the other."""
    if not _rests_on_total(asked):
        return _none(table)
    evidence = table.evidence
    # Not "larger than", so that evidence that is not a number hides too.
    return ~np.asarray(evidence.top1 + evidence.top2 <= policy.dominance_share * evidence.total_absolute)


def _dominated_variation(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Ask the same of the squared deviations, of which one large value may be nearly the whole long before the total.

    A person of k rows with the total t adds at least (t - k m)^2 / k about the mean m, where k is taken as the rows per
    person of the cell, and k m as the mean absolute total of a person, which it is where nothing is negative.
    """
    if asked.name not in ("var", "sd"):
        return _none(table)
    evidence = table.evidence
    persons = np.maximum(evidence.n_person_value, 1)
    usual, rows = evidence.total_absolute / persons, evidence.n_value / persons
    beyond = [np.maximum(top - usual, 0.0) ** 2 for top in (evidence.top1, evidence.top2)]
    number = np.asarray(table.statistics[asked.name], dtype=np.float64)
    squares = (number if asked.name == "var" else number**2) * (evidence.n_value - 1)
    return ~np.asarray(sum(beyond) <= policy.dominance_share * squares * rows)


def _no_variation(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Find cells whose values are all the same: whatever describes them tells each person's."""
    return _none(table) if asked.family in ("count", "weight") else np.asarray(table.evidence.all_equal)


def _not_a_number(table: Aggregate, asked: Statistic, policy: Policy) -> BoolArray:
    """Find cells in which the statistic is not defined."""
    return ~np.isfinite(np.asarray(table.statistics[asked.name], dtype=np.float64))


def _is_share(asked: Statistic) -> bool:
    """Tell whether a statistic is the share of values other than zero (not a share of a total)."""
    return asked.family == "proportion" and asked.source == "moments"


def _rests_on_total(asked: Statistic) -> bool:
    """Tell whether a statistic is made of totals: sums, means, moments about them, and shares of a total."""
    described = asked.source in ("moments", "order") and asked.family not in ("count", "weight")
    return described and not _is_share(asked)


def _none(table: Aggregate) -> BoolArray:
    return np.zeros(table.n_cells, dtype=np.bool_)


def _tail(table: Aggregate, percentile: int) -> Tail:
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


def protect(table: Aggregate, policy: Policy) -> ProtectedTable:
    """Apply the rules and the rounding of a policy to a table.

    Parameters
    ----------
    table : Aggregate
        Statistics with their evidence.
    policy : Policy
        Thresholds and rounding.

    Returns
    -------
    ProtectedTable
        Rounded numbers as text; hidden ones are gone.

    Raises
    ------
    DisclosureError
        If the persons are not known, a statistic is unknown, its column has no unit with a defined rounding, or a key
        looks like persons' own data.
    """
    _check_persons(table)
    asked = [_known(name) for name in table.statistics]
    weight = _mean_weight(table)
    roundings = {each.name: rounding_of(each, table.variable, table.unit, policy, weight=weight) for each in asked}
    hidden = {each.name: _hidden(table, each, policy) for each in asked}
    _check_keys(table, hidden)
    return ProtectedTable(
        variable=table.variable,
        keys=table.keys,
        texts={name: _texts(table, name, hidden[name], roundings[name], policy.marker) for name in hidden},
        hidden=hidden,
        reasons=tuple(rule.reason for rule in RULES),
        units={name: rounding.unit for name, rounding in roundings.items()},
        rounding={name: rounding.words for name, rounding in roundings.items()},
    )


def _known(name: str) -> Statistic:
    """Return a declared statistic; anything else (a minimum, a maximum, a function) has no rule and is refused."""
    try:
        return statistic(name)
    except SupportError as error:
        raise DisclosureError(f"statistic '{name}' has no disclosure rule and cannot be released") from error


def _mean_weight(table: Aggregate) -> float:
    """Return the average weight of a row with a value, over the whole table; 1 where the weights are not asked for."""
    if "n_weighted" not in table.statistics:
        return 1.0
    weights, rows = np.asarray(table.statistics["n_weighted"]), table.evidence.n_value
    known = np.isfinite(weights) & (rows > 0)
    return float(weights[known].sum() / rows[known].sum()) if known.any() else 1.0


def _hidden(table: Aggregate, asked: Statistic, policy: Policy) -> ByteArray:
    """Return, for each cell, 0 or the position (from 1) of the first rule that hides the statistic."""
    first = np.zeros(table.n_cells, dtype=np.uint8)
    for position, rule in enumerate(RULES, start=1):
        first[(first == 0) & rule.hides(table, asked, policy)] = position
    return first


def _texts(table: Aggregate, name: str, hidden: ByteArray, rounding: Rounding, marker: str) -> tuple[str, ...]:
    """Return a statistic as it is written."""
    numbers = table.statistics[name].tolist()
    return tuple(marker if why else rounding.text(number) for number, why in zip(numbers, hidden.tolist(), strict=True))


def _check_persons(table: Aggregate) -> None:
    """Refuse a table that does not know its persons: rows of one person would pass for many."""
    evidence = table.evidence
    counts = (evidence.n_person, evidence.n_person_value, evidence.n_person_nonzero, evidence.n_person_zero)
    if any((count < 0).any() for count in counts):
        raise DisclosureError(
            "person id required: name the column that identifies persons with lr.aggregate(..., person=...)"
        )


def _check_keys(table: Aggregate, hidden: dict[str, ByteArray]) -> None:
    """Refuse keys whose levels are likely to be persons' own values: their labels would leave with the table.

    Fractional numbers are never categories. A key with ten or more levels, most of which no cell can show, is an
    identifier or a fine measurement rather than a classification; and of a key that no cell can show any level of,
    nothing but the labels would leave.
    """
    shown = _none(table)
    for why in hidden.values():
        shown |= why == 0
    for name, key in table.keys.items():
        if any(isinstance(label, float | np.floating) and label % 1 != 0 for label in key.labels):
            raise DisclosureError(
                f"key '{name}' holds fractional numbers, which may be persons' values: group it into bands"
            )
        n_level = len(np.unique(key.codes))
        n_silent = n_level - len(np.unique(key.codes[shown]))
        if (n_silent >= 10 and 2 * n_silent > n_level) or (n_silent == n_level > 0):
            raise DisclosureError(
                f"key '{name}': of {n_level:,} levels, {n_silent:,} have no cell that can be shown; it would list "
                "persons or small units rather than groups. Group its levels, or leave the small ones out with where="
            )
