"""Charts of estimates: coefficients, one coefficient over specifications, and effects along years or groups."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leoreturns.errors import SupportError
from leoreturns.results.curve import SpecificationCurve
from leoreturns.results.effect import EffectEstimate
from leoreturns.results.regression_table import RegressionTable


@dataclass(frozen=True, slots=True)
class CoefficientChart:
    """Coefficients of one or several regressions below each other, with their intervals.

    Attributes
    ----------
    data : RegressionTable
        Its rows are drawn from top to bottom under its labels, its columns told apart by colour and marker.
    groups : mapping of heading -> sequence of str
        Regular expressions for the names of the coefficients under each heading; those of none come last.
    reference : float or None
        Where a line is drawn: what "no effect" is.
    title, x_label : str
        Texts; an empty label says what is drawn.
    """

    data: RegressionTable
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reference: float | None = 0.0
    title: str = ""
    x_label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.data, RegressionTable):
            raise TypeError(f"a chart of coefficients draws a RegressionTable, not a {type(self.data).__name__}")
        for heading, patterns in self.groups.items():
            if isinstance(patterns, str) or not self._under(patterns):
                raise SupportError(
                    f"group '{heading}' holds no coefficient of the table: name patterns such as ['^year']"
                )

    @property
    def places(self) -> list[tuple[str, str]]:
        """What stands below each other: headings as (heading, ""), and coefficients as (label, name)."""
        found: list[tuple[str, str]] = []
        left = list(self.data.rows)
        for heading, patterns in self.groups.items():
            own = [name for name in self._under(patterns) if name in left]
            left = [name for name in left if name not in own]
            found += [(heading, ""), *((self.data.label(name), name) for name in own)]
        return [*found, *((self.data.label(name), name) for name in left)]

    def _under(self, patterns: Sequence[str]) -> list[str]:
        return [name for name in self.data.rows if any(re.search(pattern, name) for pattern in patterns)]


@dataclass(frozen=True, slots=True)
class SpecificationChart:
    """One coefficient over specifications in the order of its size, above the choices that each of them makes.

    Attributes
    ----------
    data : SpecificationCurve
    reference : float or None
        Where a line is drawn: what "no effect" is.
    title, y_label : str
        Texts; an empty label says what is drawn.
    """

    data: SpecificationCurve
    reference: float | None = 0.0
    title: str = ""
    y_label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.data, SpecificationCurve):
            raise TypeError(f"a chart of specifications draws a SpecificationCurve, not a {type(self.data).__name__}")


@dataclass(frozen=True, slots=True)
class EffectChart:
    """Effects of a treatment along a key, with the interval of each and the band that holds for all of them.

    Attributes
    ----------
    data : EffectEstimate
    x : str
        Key along the horizontal axis, such as the years of a path.
    colour : str or None
        Key told apart by colour. Another key must have one level: take fewer arms, groups or outcomes.
    along : str, sequence of str or None
        Keys that the band covers together, as in `EffectEstimate.bands`.
    level : float or None
        Of interval and band, as there.
    reference : float or None
        Where a line is drawn: what "no effect" is.
    title, x_label, y_label, source : str
        Texts; an empty label says what is drawn.
    """

    data: EffectEstimate
    x: str
    colour: str | None = None
    along: str | Sequence[str] | None = None
    level: float | None = None
    reference: float | None = 0.0
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.data, EffectEstimate):
            raise TypeError(f"a chart of effects draws an EffectEstimate, not a {type(self.data).__name__}")
        if unknown := [name for name in (self.x, self.colour) if name is not None and name not in self.data.keys]:
            raise SupportError(f"no key {unknown[0]!r} to draw: the effects have {list(self.data.keys)}")
        n = self.data.n_effects
        left = {name: len(set(key.codes[:n].tolist())) for name, key in self.data.keys.items()}
        if several := [name for name, count in left.items() if count > 1 and name not in (self.x, self.colour)]:
            raise SupportError(f"the effects have several levels of '{several[0]}': name it as x or colour")
