"""Chart: which result is drawn how. Data and labels, never pixels: the figure is drawn at release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from leoreturns.errors import SupportError
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.interval import ContrastTable, interval_columns

ChartKind: TypeAlias = Literal["trajectory", "areas", "gaps", "flows"]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure to be drawn from an aggregate once its numbers are protected.

    Attributes
    ----------
    kind : "trajectory", "areas", "gaps" or "flows"
        "trajectory": lines of a statistic over an ordered key. "areas": shares that add up, stacked over a key.
        "gaps": bars of the table's contrasts between the levels of a key and their base, with their intervals.
        "flows": bands as wide as their persons are many, from what they were to what they are, step by step.
    data : Aggregate
        The result drawn.
    x : str
        Key along the horizontal axis (years); of gaps, the key whose levels are compared, one below the other; of
        flows, the steps from one stage to the next.
    line : str
        Statistic drawn: as lines, as areas (a share), its contrasts as bars, or as flows ("n_person").
    band : (str, str) or None
        Two columns drawn as a shaded range: the ends of the line's interval ("p50_low", "p50_high") or of its
        simultaneous band ("p50_band_low", "p50_band_high"), or two statistics ("p25", "p75"). Of lines only.
    colour, panel : str or None
        Keys told apart by colour, and by panel side by side. Areas need the key whose levels are stacked as their
        colour; gaps have no panels. Of flows: the keys of where they come from, and of where they go.
    stages : tuple of str
        Of flows: what the stages are called, one more than steps.
    title, x_label, y_label : str
        Texts; an empty axis label is made from the names and the unit.
    source : str
        Whose records, and in whose prices; under the figure.
    """

    kind: ChartKind
    data: Aggregate
    x: str
    line: str
    band: tuple[str, str] | None = None
    colour: str | None = None
    panel: str | None = None
    stages: tuple[str, ...] = ()
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(ChartKind):
            raise SupportError(f"a chart is of kind {', '.join(map(repr, get_args(ChartKind)))}, not {self.kind!r}")
        if not isinstance(self.data, Aggregate):
            raise TypeError(f"a chart draws an Aggregate, not a {type(self.data).__name__}")
        if self.band is not None and (isinstance(self.band, str) or len(self.band) != 2):
            raise SupportError("band names two statistics, such as ('p25', 'p75'), or the ends of an interval")
        keys = [name for name in (self.x, self.colour, self.panel) if name is not None]
        if sorted(keys) != sorted(self.data.keys):
            raise SupportError(
                f"a chart must place every key once: the table has {list(self.data.keys)}, the chart names {keys}"
            )
        if self.line not in self.data.statistics:
            raise SupportError(f"no statistic '{self.line}' to draw: the table has {list(self.data.statistics)}")
        columns = [name for name, _ in interval_columns(self.data.statistics, self.data.intervals, self.data.bands)]
        for name in self.band or ():
            if name not in columns:
                raise SupportError(f"no statistic '{name}' to draw: the table has {columns}")
        if self.kind != "trajectory" and self.band is not None:
            raise SupportError(f"band belongs to lines: a chart of {self.kind} has none")
        if self.kind == "areas":
            self._check_areas()
        if self.kind == "gaps":
            self._check_gaps()
        if self.kind == "flows":
            self._check_flows()

    @property
    def contrasts(self) -> tuple[ContrastTable, ...]:
        """The contrasts between levels of the horizontal key: what a chart of gaps draws."""
        return tuple(each for each in self.data.contrasts if each.contrast.key == self.x)

    def _check_areas(self) -> None:
        """Refuse areas of anything but shares."""
        if self.colour is None:
            raise SupportError("areas are stacked by the levels of a key: name it as colour")
        if self.line != "share":
            raise SupportError(f"areas show shares that add up, not '{self.line}'")

    def _check_flows(self) -> None:
        """Refuse flows of anything but persons, or without both of their ends and a name for every stage."""
        if self.colour is None or self.panel is None:
            raise SupportError("flows need the key of where they come from as colour, of where they go as panel")
        if self.line != "n_person":
            raise SupportError(f"flows are as wide as their persons are many: line is 'n_person', not '{self.line}'")
        if len(self.stages) != len(self.data.keys[self.x].labels) + 1:
            raise SupportError("flows need the names of their stages: one more than there are steps")

    def _check_gaps(self) -> None:
        """Refuse gaps that the table has no contrasts for, or that do not compare with one and the same level."""
        compared = {(each.contrast.base, each.contrast.kind) for each in self.contrasts}
        if len(compared) != 1 or any(self.line not in each.statistics for each in self.contrasts):
            raise SupportError(
                f"gaps need contrasts of '{self.line}' between levels of '{self.x}' and one base: make the table with "
                f"contrasts=[lr.Contrast('{self.x}', ...)] and a plan"
            )
        if self.panel is not None:
            raise SupportError("a chart of gaps has no panels: leave panel out")
