"""Alluvial figures: persons from stage to stage as bands, drawn from protected counts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from leoreturns._typing import FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.plots.style import (
    AREA_COLOURS,
    BOLD,
    DPI,
    INK,
    LETTER,
    LINE,
    MARGIN,
    TEXT_SIZE,
    TITLE_LINE,
    TITLE_SIZE,
    WIDTH_PANELS,
    X_AXIS,
    own_style,
)  # fmt: skip
from leoreturns.plots.table import name_of
from leoreturns.plots.texts import sentence, wrapped
from leoreturns.results.chart import Chart
from leoreturns.results.labels import one_line
from leoreturns.results.protected import ProtectedTable

HEIGHT = 4.4  # of the bands, in inches
NODE, APART = 0.12, 0.025  # width of a node in inches, and the gap between two as part of the height
LABEL, LABEL_LINES = 24, 2  # letters in a line of a node's name, and lines
SMALL = 7.5  # type size of the names
NOT_DRAWN = "Flows of too few persons to be shown are not drawn."
WIDTH = WIDTH_PANELS - 2 * MARGIN


@dataclass(slots=True)
class _Node:
    """One level of a stage: where it stands, and how much of its height flows have taken on either side."""

    name: str
    colour: str
    persons: float
    top: float = 0.0
    taken: dict[str, float] = field(default_factory=lambda: {"in": 0.0, "out": 0.0})


@own_style()
def draw_flows(chart: Chart, table: ProtectedTable) -> Figure:
    """Draw persons from stage to stage: nodes as high as their shown persons are many, bands in between.

    Parameters
    ----------
    chart : Chart
        Of kind "flows".
    table : ProtectedTable
        Persons by step, origin and destination; hidden flows are not drawn, which a note says.

    Raises
    ------
    SupportError
        If a stage has more levels than colours can tell apart.
    """
    assert chart.colour is not None and chart.panel is not None
    persons = table.numbers(chart.line)
    step, (origin, destination, names) = table.keys[chart.x].codes, _ends(table, chart.colour, chart.panel)
    shown = np.isfinite(persons) & (persons > 0)
    cells = (step[shown], origin[shown], destination[shown])
    stages = _stages(len(chart.stages), names, cells, persons[shown])
    notes = [*wrapped(NOT_DRAWN if np.isnan(persons).any() else "", WIDTH, TEXT_SIZE)]
    notes += wrapped(chart.source, WIDTH, TEXT_SIZE)
    figure, axis = _canvas(chart, notes, stages)
    high = max((sum(node.persons for node in nodes.values()) for nodes in stages), default=0.0)
    n_gap = max((len(nodes) for nodes in stages), default=1) - 1
    scale = (1.0 - APART * n_gap) / high if high else 0.0
    for nodes in stages:
        top = 1.0
        for node in nodes.values():
            node.top = top
            top -= node.persons * scale + APART
    width = NODE / (axis.get_position().width * WIDTH_PANELS) * (len(chart.stages) - 1)
    for each in np.flatnonzero(shown).tolist():
        start, end = stages[step[each]][int(origin[each])], stages[step[each] + 1][int(destination[each])]
        _draw_band(axis, int(step[each]), width, start, end, float(persons[each]) * scale)
    for place, nodes in enumerate(stages):
        _draw_nodes(axis, place, width, list(nodes.values()), scale, len(stages))
    return figure


def _ends(table: ProtectedTable, origin: str, destination: str) -> tuple[IntArray, IntArray, list[str]]:
    """Return origins and destinations as positions in the names of both, those of origins first."""
    keys = {key: range(len(table.keys[key].labels)) for key in (origin, destination)}
    named = [[name_of(table, key, level) for level in levels] for key, levels in keys.items()]
    names = list(dict.fromkeys([*named[0], *named[1]]))
    places = [np.array([names.index(name) for name in each], dtype=np.int64) for each in named]
    return places[0][table.keys[origin].codes], places[1][table.keys[destination].codes], names


def _stages(
    n_stage: int, names: Sequence[str], cells: tuple[IntArray, IntArray, IntArray], persons: FloatArray
) -> list[dict[int, _Node]]:
    """Return the nodes of every stage in declared order; of what flows in and what flows out the larger is shown."""
    step, origin, destination = cells
    found = []
    for place in range(n_stage):
        out, into = step == place, step == place - 1
        levels = np.unique(np.concatenate([origin[out], destination[into]])).tolist()
        if len(levels) > len(AREA_COLOURS):
            raise SupportError(
                f"a stage of flows has at most {len(AREA_COLOURS)} levels, not {len(levels)}: group the levels"
            )
        nodes = {}
        for level, colour in zip(levels, AREA_COLOURS, strict=False):
            sides = persons[out & (origin == level)].sum(), persons[into & (destination == level)].sum()
            nodes[level] = _Node(names[level], colour, float(max(sides)))
        found.append(nodes)
    return found


def _canvas(chart: Chart, notes: Sequence[str], stages: Sequence[dict[int, _Node]]) -> tuple[Figure, Axes]:
    """Return a figure with title and notes, and axes without lines whose horizontal places are the stages."""
    title = wrapped(chart.title, WIDTH, TITLE_SIZE * BOLD)
    what = wrapped(chart.y_label, WIDTH, TEXT_SIZE)
    above = MARGIN + TITLE_LINE * len(title) + LINE * (len(what) + 0.8)
    below = MARGIN + LINE * len(notes) + X_AXIS * 0.7
    height = above + HEIGHT + below
    figure = Figure(figsize=(WIDTH_PANELS, height), dpi=DPI)
    top = MARGIN
    for line in title:
        figure.text(MARGIN / WIDTH_PANELS, 1 - top / height, line, fontsize=TITLE_SIZE, fontweight="bold", va="top")
        top += TITLE_LINE
    for line in what:
        figure.text(MARGIN / WIDTH_PANELS, 1 - top / height, line, va="top")
        top += LINE
    for number, line in enumerate(reversed(notes)):
        where = (MARGIN / WIDTH_PANELS, (MARGIN + LINE * number) / height)
        figure.text(*where, line, va="bottom", fontstyle="italic")
    left, right = (MARGIN + _name_width(nodes) for nodes in (stages[0], stages[-1]))
    span = (left / WIDTH_PANELS, below / height, (WIDTH_PANELS - left - right) / WIDTH_PANELS, HEIGHT / height)
    axis = figure.add_axes(span)
    axis.set_xlim(0.0, len(chart.stages) - 1.0)
    axis.set_ylim(0.0, 1.0)
    axis.set_axis_off()
    for place, name in enumerate(chart.stages):
        axis.text(place, -0.02, sentence(one_line(name)), ha="center", va="top", fontweight="bold", clip_on=False)
    return figure, axis


def _name_width(nodes: dict[int, _Node]) -> float:
    """Return the inches that the names beside the first or the last stage need."""
    longest = max((len(line) for node in nodes.values() for line in _label(node).split("\n")), default=0)
    return (longest * LETTER + 1.5) * SMALL / 72 + NODE


def _label(node: _Node) -> str:
    """Return the name of a node in at most two lines, with its persons."""
    lines = textwrap.wrap(node.name, LABEL, max_lines=LABEL_LINES, placeholder=" ...")
    return "\n".join([*lines[:-1], f"{lines[-1] if lines else ''}  {node.persons:,.0f}"])


def _draw_band(axis: Axes, step: int, width: float, start: _Node, end: _Node, height: float) -> None:
    """Draw the band of one flow below those that its nodes have already."""
    left, right = step + width / 2, step + 1 - width / 2
    a, b = start.top - start.taken["out"], end.top - end.taken["in"]
    start.taken["out"] += height
    end.taken["in"] += height
    middle = (left + right) / 2
    upper = [(left, a), (middle, a), (middle, b), (right, b)]
    lower = [(right, b - height), (middle, b - height), (middle, a - height), (left, a - height)]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    path = Path([*upper, *lower, (left, a)], codes)
    axis.add_patch(PathPatch(path, facecolor=start.colour, edgecolor="white", linewidth=0.3, alpha=0.55))


def _draw_nodes(axis: Axes, place: int, width: float, nodes: Sequence[_Node], scale: float, n_stage: int) -> None:
    """Draw the nodes of a stage with their names: outside at both ends, beside the node in between."""
    first, last = place == 0, place == n_stage - 1
    centres = _spread([node.top - node.persons * scale / 2 for node in nodes], [_label(node) for node in nodes])
    for node, centre in zip(nodes, centres, strict=True):
        height = node.persons * scale
        corner = (place - width / 2, node.top - height)
        axis.add_patch(
            Rectangle(corner, width, height, facecolor=node.colour, edgecolor=INK, linewidth=0.5, clip_on=False)
        )
        text = axis.text(
            place + (-0.75 if first else 0.75) * width, centre, _label(node), ha="right" if first else "left",
            va="center", fontsize=SMALL, linespacing=1.05, clip_on=False,
        )  # fmt: skip
        if not (first or last):
            text.set_path_effects([patheffects.withStroke(linewidth=2.2, foreground="white")])


def _spread(centres: Sequence[float], labels: Sequence[str]) -> list[float]:
    """Move the centres of names apart, from the top down and then up from the bottom, so that no two overlap."""
    line = SMALL * 1.15 / 72 / HEIGHT
    heights = [line * len(label.split("\n")) for label in labels]
    placed = list(centres)
    for each in range(1, len(placed)):
        placed[each] = min(placed[each], placed[each - 1] - (heights[each - 1] + heights[each]) / 2)
    if placed:
        placed[-1] = max(placed[-1], heights[-1] / 2)
    for each in range(len(placed) - 2, -1, -1):
        placed[each] = max(placed[each], placed[each + 1] + (heights[each + 1] + heights[each]) / 2)
    return placed
