"""Protection of a table: what the rules hide is gone, the rest is rounded text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leoreturns._typing import AnyArray, ByteArray
from leoreturns.aggregates.statistics import ERRORS, Statistic, statistic
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.rounding import Rounding, rounding_of
from leoreturns.disclosure.rules import RULES, Rule
from leoreturns.disclosure.uncertainty import UNCERTAINTY_RULES, released_plan
from leoreturns.errors import DisclosureError, SupportError
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.interval import interval_parts
from leoreturns.results.protected import ProtectedColumn, ProtectedTable

ALL_RULES = (*RULES, *UNCERTAINTY_RULES)
UNDEFINED = len(ALL_RULES) + 1
REASONS = (*(rule.reason for rule in ALL_RULES), "the end of the band is not defined")


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
        Rounded numbers as text; hidden ones are gone. The ends of intervals are rounded as their statistic is: rounding
        to the nearest keeps order, so that an interval which holds its estimate holds it when both are rounded.

    Raises
    ------
    DisclosureError
        If the persons are not known, a statistic is unknown, its column has no unit with a defined rounding, intervals
        come without their plan or sampling units, or a key looks like persons' own data.
    """
    _check_persons(table)
    plan = released_plan(table, policy)
    asked = {name: known(name) for name in table.statistics}
    roundings = roundings_of(table, policy)
    hidden = {name: _hidden(table, each, policy, RULES) for name, each in asked.items()}
    _check_keys(table, hidden)
    uncertain = {name: _hidden(table, asked[name], policy, ALL_RULES) for name in asked if name in table.intervals}
    columns = []
    for name, part, numbers in interval_parts(table.statistics, table.intervals, table.bands):
        rounding = roundings[name].of_error(policy) if part == "se" else roundings[name]
        why = uncertain[name] if part else hidden[name]
        columns.append(protected_column(name, part, numbers, why, rounding, policy.marker))
    return ProtectedTable(
        variable=table.variable,
        keys=table.keys,
        columns={column.name: column for column in columns},
        reasons=REASONS,
        plan=plan,
    )


def known(name: str) -> Statistic:
    """Return a declared statistic; anything else (a minimum, a maximum, a function) has no rule and is refused."""
    try:
        return statistic(name)
    except SupportError as error:
        raise DisclosureError(f"statistic '{name}' has no disclosure rule and cannot be released") from error


def roundings_of(table: Aggregate, policy: Policy) -> dict[str, Rounding]:
    """Return the rounding of every statistic of a table."""
    weight = _mean_weight(table)
    found = {
        name: rounding_of(known(name), table.variable, table.unit, policy, weight=weight) for name in table.statistics
    }
    return {name: each.of_error(policy) if name in ERRORS else each for name, each in found.items()}


def protected_column(
    name: str, part: str, numbers: AnyArray, hidden: ByteArray, rounding: Rounding, marker: str
) -> ProtectedColumn:
    """Return a column as it is written, with the marker also where a number is not defined."""
    why = np.where((hidden == 0) & ~np.isfinite(numbers), np.uint8(UNDEFINED), hidden)
    texts = tuple(
        marker if reason else rounding.text(number)
        for number, reason in zip(numbers.tolist(), why.tolist(), strict=True)
    )
    return ProtectedColumn(name, part, texts, why, rounding.unit, rounding.words)


def _mean_weight(table: Aggregate) -> float:
    """Return the average weight of a row with a value, over the whole table; 1 where the weights are not asked for."""
    if "n_weighted" not in table.statistics:
        return 1.0
    weights, rows = np.asarray(table.statistics["n_weighted"]), table.evidence.n_value
    known = np.isfinite(weights) & (rows > 0)
    return float(weights[known].sum() / rows[known].sum()) if known.any() else 1.0


def _hidden(table: Aggregate, asked: Statistic, policy: Policy, rules: Sequence[Rule]) -> ByteArray:
    """Return, for each cell, 0 or the position (from 1) of the first rule that hides the statistic."""
    first = np.zeros(table.n_cells, dtype=np.uint8)
    for position, rule in enumerate(rules, start=1):
        first[(first == 0) & rule.hides(table, asked, policy)] = position
    return first


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
    shown = np.zeros(table.n_cells, dtype=np.bool_)
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
