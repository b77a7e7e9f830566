"""How units are matched: the options of match(), and which go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from leoreturns.errors import SupportError
from leoreturns.estimation.coarsened import Cuts
from leoreturns.estimation.smoothed import Kernel

Matching = Literal["nearest", "optimal", "radius", "kernel", "local_linear", "subclass", "exact", "cem"]
Distance = Literal["logit", "probit", "linear_logit", "linear_probit", "column", "mahalanobis"]
Order = Literal["largest", "smallest", "closest"]
Estimand = Literal["ATT", "ATC", "ATE"]
STRATA = ("exact", "cem")  # methods that weight all units of a stratum, and need no score
SMOOTHED = ("radius", "kernel", "local_linear")  # methods that weight all units about a score


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
    kernel: Kernel
    bandwidth: float | None
    subclasses: int
    common_support: bool
    allow_later: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, allowed in (
            ("estimand", Estimand),
            ("method", Matching),
            ("distance", Distance),
            ("order", Order),
            ("kernel", Kernel),
        ):
            if getattr(self, name) not in get_args(allowed):
                options = ", ".join(map(repr, get_args(allowed)))
                raise ValueError(f"{name} is one of {options}, not {getattr(self, name)!r}")
        for name, least, what in (("ratio", 1, "a positive number of matches"), ("subclasses", 2, "2 or more")):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < least:
                raise ValueError(f"{name} is {what}, not {count}")
        for name in ("caliper", "bandwidth"):
            length = getattr(self, name)
            if length is not None and not 0 < length < np.inf:
                raise ValueError(f"{name} is a positive number of standard deviations of the score, not {length}")
        self._check_together()

    def _check_together(self) -> None:
        method = self.method
        if self.cuts is not None and method != "cem":
            raise SupportError(f"cuts= serves method='cem', not {method!r}")
        if method in (*STRATA, "subclass") and (self.caliper is not None or self.ratio != 1):
            raise SupportError(
                f"method={method!r} takes all units of a stratum: caliper= and ratio= belong to the others"
            )
        if self.bandwidth is not None and method not in ("kernel", "local_linear"):
            raise SupportError(f"bandwidth= serves method='kernel' and 'local_linear', not {method!r}")
        if method in SMOOTHED and (self.ratio != 1 or not self.replace):
            raise SupportError(f"method={method!r} takes all units nearby: ratio= and replace= belong to the others")
        if method in SMOOTHED and (self.caliper is None) == (method == "radius"):
            raise SupportError("how far a match may be is caliper= of method='radius', and bandwidth= of kernels")
        if method == "optimal" and (self.replace or self.caliper is not None):
            raise SupportError(
                "optimal matching is without replacement and without a caliper: replace=False, caliper=None"
            )
        if self.distance == "mahalanobis" and method != "nearest":
            raise SupportError(f"the Mahalanobis distance is no score on a line: method='nearest', not {method!r}")
        if self.common_support and method in STRATA:
            raise SupportError(f"common support is that of a score, which method={method!r} has not")
        if self.estimand == "ATE" and (method == "optimal" or not self.replace):
            raise SupportError("without replacement there are matches for one arm: estimand is 'ATT' or 'ATC'")

    @property
    def chances(self) -> Literal["logit", "probit"] | None:
        """Model of the chance of treatment that gives the score; None if the score is a column or there is none.

        Matches by Mahalanobis distance have one where a caliper or common support bounds it, or where it says who
        chooses first.
        """
        if self.method in STRATA or self.distance == "column":
            return None
        if self.distance != "mahalanobis":
            return "probit" if self.distance.endswith("probit") else "logit"
        turns = not self.replace and self.order != "closest"
        return "logit" if self.caliper is not None or self.common_support or turns else None

    @property
    def linear(self) -> bool:
        """Whether the score is the linear predictor rather than the chance."""
        return self.distance.startswith("linear") or self.distance == "mahalanobis"

    def score_name(self, arm: str, covariates: str) -> str | None:
        """Return what the score is in words: of an arm given covariates, or the one column that is the score."""
        if self.method in STRATA:
            return None
        if self.distance == "column":
            return covariates
        if self.chances is None:
            return None
        return f"{'linear predictor' if self.linear else 'chance'} of {arm} ({self.chances})"

    def told(self) -> dict[str, Any]:
        """Return the options that the method has as settings of a result."""
        names = ["method", "exact"]
        if self.method not in STRATA:
            names += ["distance", "common_support"]
        names += {
            "nearest": ["caliper", "ratio", "replace", "ties" if self.replace else "order"],
            "optimal": ["ratio", "replace"],
            "radius": ["caliper"],
            "kernel": ["kernel", "bandwidth"],
            "local_linear": ["kernel", "bandwidth"],
            "subclass": ["subclasses"],
            "exact": [],
            "cem": ["cuts"],
        }[self.method]
        told = {name: getattr(self, name) for name in names}
        if self.allow_later:
            told["later than the treatment"] = list(self.allow_later)
        if "cuts" in told:
            told["cuts"] = {name: np.asarray(cut).tolist() for name, cut in (self.cuts or {}).items()}
        return told
