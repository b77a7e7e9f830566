"""The statistics that a table can hold: their names, what they need from the kernels, and of what nature they are.

How a statistic may be rounded and what support it needs follow from its family and percentiles; the disclosure rules
read them here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from leoreturns.errors import SupportError

Family: TypeAlias = Literal["count", "weight", "total", "value", "square", "proportion", "ratio"]
Source: TypeAlias = Literal["rows", "moments", "percentiles", "order", "shares"]

PERCENTILE = re.compile(r"p([1-9][0-9]?)")
PERCENTILE_RATIO = re.compile(r"p([1-9][0-9]?)/p([1-9][0-9]?)")
TOP_SHARE = re.compile(r"top([1-9]|[1-4][0-9]|50)")
OFFERED = (
    "n_obs, n_value, n_person, n_person_value, n_weighted, sum, mean, var, sd, share, p1 ... p99, iqr, "
    "p90/p10 (any two), gini, top1 ... top50"
)


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of a table.

    Attributes
    ----------
    name : str
        As the caller wrote it.
    family : str
        "count" of persons or rows; "weight" a sum of weights; "total" a sum in the variable's unit; "value" in the
        variable's unit; "square" in its square; "proportion" between 0 and 1; "ratio" without unit.
    source : str
        The kernel pass it needs: "rows" (counting only), "moments", "percentiles", or "order" (all values in order); of
        those made by a question "shares": made of shares, whose numerator and rest both need persons.
    percentiles : tuple of int
        Percentiles it rests on; a top share rests on the percentile where the top begins.
    """

    name: str
    family: Family
    source: Source
    percentiles: tuple[int, ...] = ()

    @property
    def is_log_ratio(self) -> bool:
        """Whether the difference of two of them, of a variable in logs, is the logarithm of a ratio."""
        return self.family == "value" and self.name != "sd"


PLAIN: dict[str, Statistic] = {
    entry.name: entry
    for entry in (
        Statistic("n_obs", "count", "rows"),
        Statistic("n_value", "count", "moments"),
        Statistic("n_person", "count", "rows"),
        Statistic("n_person_value", "count", "moments"),
        Statistic("n_weighted", "weight", "moments"),
        Statistic("sum", "total", "moments"),
        Statistic("mean", "value", "moments"),
        Statistic("var", "square", "moments"),
        Statistic("sd", "value", "moments"),
        Statistic("share", "proportion", "moments"),
        Statistic("iqr", "value", "percentiles", (25, 75)),
        Statistic("gini", "proportion", "order"),
    )
}

# Made by a question from its own counts; the rules of a release know them, a request cannot ask for them.
DERIVED: dict[str, Statistic] = {
    entry.name: entry
    for entry in (
        Statistic("n_distinct", "count", "rows"),
        # Flows between sectors.
        Statistic("shorrocks", "proportion", "shares"),
        Statistic("incidence", "proportion", "shares"),
        Statistic("greenwood_se", "proportion", "shares"),
        Statistic("representation", "ratio", "shares"),
        Statistic("location_quotient", "ratio", "shares"),
        Statistic("entrants", "count", "shares"),
        Statistic("entrants_needed", "count", "shares"),
        Statistic("supply_gap", "count", "shares"),
        Statistic("likelihood_ratio", "ratio", "rows"),
        Statistic("df", "ratio", "rows"),
        Statistic("p_value", "ratio", "rows"),
    )
}

# Standard errors among them, which a release rounds as such: a share and its error tell the persons behind it.
ERRORS = frozenset({"greenwood_se"})


def statistic(name: str) -> Statistic:
    """Return the statistic of that name.

    Raises
    ------
    SupportError
        If there is none; the message lists what is offered.
    """
    if not isinstance(name, str):
        raise SupportError(f"a statistic is given by its name, not by {type(name).__name__}; offered are {OFFERED}")
    if known := PLAIN.get(name) or DERIVED.get(name):
        return known
    if match := PERCENTILE.fullmatch(name):
        return Statistic(name, "value", "percentiles", (int(match[1]),))
    if match := PERCENTILE_RATIO.fullmatch(name):
        return Statistic(name, "ratio", "percentiles", (int(match[1]), int(match[2])))
    if match := TOP_SHARE.fullmatch(name):
        return Statistic(name, "proportion", "order", (100 - int(match[1]),))
    raise SupportError(f"no statistic '{name}'; offered are {OFFERED}")


def statistics_named(names: str | Sequence[str], *, counts_only: bool) -> tuple[Statistic, ...]:
    """Return the statistics of a request, each once and in its order.

    Raises
    ------
    SupportError
        If a name is unknown or repeated, or needs values while only rows are counted (`counts_only`).
    """
    chosen = tuple(statistic(name) for name in ([names] if isinstance(names, str) else names))
    if derived := [entry.name for entry in chosen if entry.name in DERIVED]:
        raise SupportError(f"no statistic '{derived[0]}'; offered are {OFFERED}")
    if not chosen:
        raise SupportError(f"name at least one statistic; offered are {OFFERED}")
    if len({entry.name for entry in chosen}) < len(chosen):
        raise SupportError("a statistic is named twice")
    if counts_only and (needing := [entry.name for entry in chosen if entry.source != "rows"]):
        raise SupportError(
            f"{', '.join(needing)} need a column of values; with values=None only n_obs and n_person are counted"
        )
    return chosen
