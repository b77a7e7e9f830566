"""Charts of a comparison before its outcome is opened: balance of the covariates, overlap of the score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leoreturns.errors import SupportError
from leoreturns.results.balance import Balance
from leoreturns.results.overlap import Overlap


@dataclass(frozen=True, slots=True)
class BalanceChart:
    """Standardised differences of the covariates before and after an adjustment, below each other ("Love plot").

    Attributes
    ----------
    data : Balance
    threshold : float or None
        Where lines on both sides of zero are drawn: differences that are small enough (0.1: Austin 2009).
    labels : mapping of name -> str
        What covariates are called; others by their names.
    title, x_label : str
        Texts; an empty label says what is drawn.
    """

    data: Balance
    threshold: float | None = 0.1
    labels: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    x_label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.data, Balance):
            raise TypeError(f"a chart of balance draws a Balance, not a {type(self.data).__name__}")
        unknown = [name for name in self.labels if name not in self.data.names]
        if unknown:
            raise SupportError(f"labels= names {', '.join(map(repr, unknown))}: not among the covariates")


@dataclass(frozen=True, slots=True)
class OverlapChart:
    """How the score of each arm is spread: shares of its persons, above each other's bins.

    Attributes
    ----------
    data : Overlap
    title, x_label : str
        Texts; an empty label says what the score is.
    """

    data: Overlap
    title: str = ""
    x_label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.data, Overlap):
            raise TypeError(f"a chart of overlap draws an Overlap, not a {type(self.data).__name__}")
