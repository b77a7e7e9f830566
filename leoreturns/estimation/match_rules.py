"""How units are matched: the options of match(), and which go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from leoreturns.errors import SupportError
from leoreturns.estimation.coarsened import Cuts

Matching = Literal["nearest", "optimal", "exact", "cem"]
Distance = Literal["logit", "probit", "linear_logit", "linear_probit", "column", "mahalanobis"]
Order = Literal["largest", "smallest", "closest"]
Estimand = Literal["ATT", "ATC", "ATE"]
STRATA = ("exact", "cem")  # methods that weight all units of a stratum


@dataclass(frozen=True, slots=True)
class Rules:
    """The options of `match`, with its names and meanings.

    Raises
    ------
    ValueError
        For options that are not.
    SupportError
        For options that do not go together.
    """

    estimand: Estimand
    method: Matching
    distance: Distance
    exact: tuple[str, ...]
    cuts: Cuts | None
    caliper: float | None
    ratio: int
    replace: bool
    ties: bool
    order: Order

    def __post_init__(self) -> None:
        for name, allowed in (
            ("estimand", Estimand),
            ("method", Matching),
            ("distance", Distance),
            ("order", Order),
        ):
            if getattr(self, name) not in get_args(allowed):
                options = ", ".join(map(repr, get_args(allowed)))
                raise ValueError(f"{name} is one of {options}, not {getattr(self, name)!r}")
        ratio = self.ratio
        if isinstance(ratio, bool) or not isinstance(ratio, int | np.integer) or ratio < 1:
            raise ValueError(f"ratio is a positive number of matches, not {ratio}")
        if self.caliper is not None and not self.caliper > 0:
            raise ValueError(f"caliper is a positive number of standard deviations of the score, not {self.caliper}")
        self._check_together()

    def _check_together(self) -> None:
        method = self.method
        if self.cuts is not None and method != "cem":
            raise SupportError(f"cuts= serves method='cem', not {method!r}")
        if method in STRATA and (self.caliper is not None or self.ratio != 1):
            raise SupportError(
                f"method={method!r} takes all units of a stratum: caliper= and ratio= belong to the others"
            )
        if method == "optimal" and (self.replace or self.caliper is not None):
            raise SupportError(
                "optimal matching is without replacement and without a caliper: replace=False, caliper=None"
            )
        if self.distance == "mahalanobis" and method != "nearest":
            raise SupportError(f"the Mahalanobis distance is no score on a line: method='nearest', not {method!r}")
        if self.estimand == "ATE" and method not in STRATA and not (self.replace and method == "nearest"):
            raise SupportError("without replacement there are matches for one arm: estimand is 'ATT' or 'ATC'")

    @property
    def chances(self) -> Literal["logit", "probit"] | None:
        """Model of the chance of treatment that gives the score; None if the score is a column or there is none.

        Matches by Mahalanobis distance have one where a caliper bounds it, or where it says who chooses first.
        """
        if self.method in STRATA or self.distance == "column":
            return None
        if self.distance != "mahalanobis":
            return "probit" if self.distance.endswith("probit") else "logit"
        asked = self.caliper is not None or (not self.replace and self.order != "closest")
        return "logit" if asked else None

    @property
    def linear(self) -> bool:
        """Whether the score is the linear predictor rather than the chance."""
        return self.distance.startswith("linear") or self.distance == "mahalanobis"

    def told(self) -> dict[str, Any]:
        """Return the options as settings of a result."""
        names = ("method", "distance", "exact", "caliper", "ratio", "replace", "ties", "order")
        cuts = {name: np.asarray(cut).tolist() for name, cut in _items(self.cuts)}
        return {**{name: getattr(self, name) for name in names}, "cuts": cuts}


def _items(cuts: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    return list((cuts or {}).items())
