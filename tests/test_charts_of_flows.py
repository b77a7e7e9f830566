"""Charts of flows: every band is as wide as the released file says, and stands on its nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import PathPatch, Rectangle

from leoreturns import plots
from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import Policy, release
from leoreturns.disclosure.protection import protect
from leoreturns.errors import SupportError
from leoreturns.panel.panel import Panel
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.chart import Chart

KEYS = ["step", "origin", "destination"]
FLOWS = {
    ("1", "low", "shops"): 300, ("1", "low", "care"): 120, ("1", "high", "shops"): 60, ("1", "high", "care"): 6,
    ("2", "shops", "shops"): 280, ("2", "shops", "care"): 80, ("2", "care", "care"): 126,
}  # fmt: skip


def table(flows: dict[tuple[str, str, str], int] = FLOWS) -> Aggregate:
    """Return counts of flows of persons, each person in one."""
    rows = pd.DataFrame([cell for cell, n in flows.items() for _ in range(n)], columns=KEYS)
    rows["person"], rows["year"] = np.arange(len(rows)), 1
    panel = Panel.from_frame(rows, person="person", time="year")
    return aggregate(panel, None, by=KEYS, statistics=["n_person", "n_obs"])


def chart(data: Aggregate | None = None, **changes) -> Chart:
    data = table() if data is None else data
    given = {"x": "step", "line": "n_person", "colour": "origin", "panel": "destination"}
    given |= {"stages": ("school", "first job", "second job"), "title": "Flows", "source": "Records of HMRC."}
    return Chart("flows", data, **(given | changes))


def test_bands_are_as_wide_as_the_released_counts_and_stand_on_their_nodes(tmp_path: Path) -> None:
    release({"flows": chart()}, policy="ons-srs", to=tmp_path / "out")
    read = pd.read_csv(tmp_path / "out" / "flows_data.csv", na_values="c", dtype={"step": str})
    assert read["n_person"].isna().sum() == 1  # six persons
    figure = plots.draw_flows(chart(), protect(table(), Policy("ons-srs")))
    (axis,) = figure.axes
    bands = [each.get_path().vertices for each in axis.patches if isinstance(each, PathPatch)]
    nodes = [each for each in axis.patches if isinstance(each, Rectangle)]
    shown = read.dropna()
    assert len(bands) == len(shown) == 6 and len(nodes) == 6
    total = shown[shown["step"] == "2"]["n_person"].sum()
    unit = (1 - 0.025) / total  # two nodes a stage, the gap between them left out
    for band, persons in zip(bands, shown["n_person"], strict=True):
        assert band[0, 1] - band[7, 1] == pytest.approx(persons * unit)  # where it starts
        assert band[3, 1] - band[4, 1] == pytest.approx(persons * unit)  # where it ends
    left = [nodes[0].get_y() + nodes[0].get_height(), nodes[0].get_y()]
    of_first = shown[(shown["step"] == "1") & (shown["origin"] == "high")]
    assert left[0] - left[1] == pytest.approx(of_first["n_person"].sum() * unit)
    words = [text.get_text() for text in [*figure.texts, *axis.texts]]
    assert {"School", "First job", "Second job", "Flows", "high  60", "low  420"} <= set(words)
    assert "Flows of too few persons to be shown are not drawn." in words


def test_names_of_small_nodes_do_not_overlap() -> None:
    flows = {("1", f"{n}", "all"): 10 if n else 5_000 for n in range(8)}
    drawn = plots.draw_flows(chart(table(flows), stages=("one", "two")), protect(table(flows), Policy("ons-srs")))
    places = sorted(text.get_position()[1] for text in drawn.axes[0].texts if text.get_position()[0] < 0)
    assert len(places) == 8 and np.diff(places).min() > 0.02
    assert not any("not drawn" in text.get_text() for text in drawn.texts)


def test_a_stage_of_more_levels_than_colours_is_refused() -> None:
    flows = {("1", f"{n}", "all"): 20 for n in range(9)}
    with pytest.raises(SupportError, match="at most 8 levels, not 9: group the levels"):
        plots.draw_flows(chart(table(flows), stages=("one", "two")), protect(table(flows), Policy("ons-srs")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"line": "n_obs"}, "line is 'n_person', not 'n_obs'"),
        ({"stages": ("one", "two")}, "one more than there are steps"),
        ({"band": ("n_person", "n_obs")}, "band belongs to lines"),
        ({"panel": None}, "place every key once"),
    ],
)
def test_what_flows_cannot_be_drawn_of_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(SupportError, match=message):
        chart(**changes)
