"""Policies: how many persons a shown number needs, and how coarsely it is rounded.

The fields' defaults are the ONS Secure Research Service rules, which no policy may relax: a policy is checked when it
is made, never while a release is being written.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from leoreturns.errors import DisclosureError

AT_LEAST = ("min_persons", "min_dof", "min_effective_persons", "tail_persons", "count_base", "money_base")
AT_MOST = (
    "dominance_share", "max_person_share", "money_sigfig", "ratio_sigfig", "error_sigfig", "estimate_sigfig", "log_dp",
    "pct_dp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds and rounding of a release.

    Attributes
    ----------
    name : str
        Name printed with the release.
    min_persons : int
        Persons that a cell needs; for statistics of the values, persons with a value; for intervals from resampled
        clusters, clusters.
    tail_persons : int
        Persons that must lie strictly beyond a percentile, on each side. With 10, a median needs at least 20 persons, a
        quartile 40 and a decile 100; with its 95 per cent interval, whose ends are percentiles too, 33, 69 and 174.
    dominance_share : float
        The part of a total, or of a variance's squared deviations, that the two largest persons may make up at most.
        Totals are those of the absolute values of persons over all their rows in the cell.
    count_base : int
        Counts are rounded to a multiple of this, each on its own, so rounded counts need not add up.
    money_base : int
        Annual money is rounded to a multiple of this many currency units.
    money_sigfig : int
        Significant figures of hourly money, of sums and of variances of money.
    ratio_sigfig : int
        Significant figures of ratios and indices.
    error_sigfig : int
        Significant figures of standard errors in tables.
    min_dof : int
        Degrees of freedom, counted in persons, that a regression needs.
    min_effective_persons : int
        Persons of equal weight that a coefficient must be worth.
    max_person_share : float
        The part of what identifies a coefficient that one person may make up at most.
    estimate_sigfig : int
        Significant figures of coefficients of regressions and of their standard errors and intervals.
    log_dp : int
        Decimal places of logged money. Two are the finest that do not undo the rounding of the money itself: 0.01 in
        logs is one per cent.
    pct_dp : int
        Decimal places of a percentage.
    marker : str
        What stands in a table for a number that is not shown. One marker for every reason: why a number is hidden says
        something about it.

    Raises
    ------
    DisclosureError
        If a value is looser than the base, has the wrong type, or a built-in policy's name is given to other values.

    References
    ----------
    ONS Secure Research Service output rules ("10-5 rule"). Griffiths et al. (2019), Handbook on Statistical Disclosure
    Control for Outputs. Hundepool et al. (2012), Statistical Disclosure Control, chapter 4 (the (n, k) dominance rule,
    here with n = 2).
    """

    name: str
    min_persons: int = 10
    tail_persons: int = 10
    dominance_share: float = 0.9
    count_base: int = 5
    money_base: int = 100
    money_sigfig: int = 3
    ratio_sigfig: int = 3
    error_sigfig: int = 2
    min_dof: int = 10
    min_effective_persons: int = 10
    max_person_share: float = 0.5
    estimate_sigfig: int = 4
    log_dp: int = 2
    pct_dp: int = 1
    marker: str = "c"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isprintable() or not self.name.strip():
            raise DisclosureError("a policy needs a name of printable text")
        if not isinstance(self.marker, str) or not (self.marker.isascii() and self.marker.isalpha()):
            raise DisclosureError("policy: marker must be plain letters, such as 'c'")
        base: dict[str, Any] = {field.name: field.default for field in fields(Policy)}
        for field in (*AT_LEAST, *AT_MOST):
            value = getattr(self, field)
            _check_number(field, value, whole=isinstance(base[field], int))
            if (value < base[field]) if field in AT_LEAST else (value > base[field]):
                bound = "least" if field in AT_LEAST else "most"
                raise DisclosureError(
                    f"policy: {field}={value} is looser than the base policy, which asks for at {bound} {base[field]}"
                )
        if min(self.money_sigfig, self.ratio_sigfig, self.error_sigfig, self.estimate_sigfig) < 1:
            raise DisclosureError(
                "policy: money_sigfig, ratio_sigfig, error_sigfig and estimate_sigfig must be at least 1"
            )
        if self.name in POLICIES and self != POLICIES[self.name]:
            raise DisclosureError(f"policy: '{self.name}' is a built-in policy; give other values another name")


def _check_number(field: str, value: Any, *, whole: bool) -> None:
    """Refuse a value of the wrong type, or below zero."""
    if type(value) not in ((int,) if whole else (int, float)) or not value >= 0:
        raise DisclosureError(f"policy: {field} must be a {'whole ' if whole else ''}number, not negative")


POLICIES: dict[str, Policy] = {}
POLICIES["ons-srs"] = Policy("ons-srs")


def find_policy(policy: str | Policy) -> Policy:
    """Return a policy given by name or as an object.

    Raises
    ------
    DisclosureError
        If the name is not known or the object is not a Policy.
    """
    if isinstance(policy, Policy):
        return policy
    if not isinstance(policy, str):
        raise DisclosureError(f"policy must be a name or a Policy, not {type(policy).__name__}")
    if policy not in POLICIES:
        raise DisclosureError(f"no policy '{policy}': known are {sorted(POLICIES)}")
    return POLICIES[policy]
