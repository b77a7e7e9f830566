"""Charts of areas and gaps: what is drawn is what the released files say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leoreturns import plots
from leoreturns._typing import Contrast
from leoreturns.aggregates.composition import composition
from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import Policy, release
from leoreturns.disclosure.contrasts import protect_gaps
from leoreturns.disclosure.protection import protect
from leoreturns.errors import SupportError
from leoreturns.panel.panel import Panel
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.chart import Chart

BASE = Policy("ons-srs")
PLAN = BootstrapPlan(99, seed=1, interval="normal")


def panel() -> Panel:
    """Return three years of persons in three regions; in the last year few are at school."""
    rng = np.random.default_rng(8)
    n = 600
    person, year = np.repeat(np.arange(n), 3), np.tile([1, 2, 3], n)
    rows = pd.DataFrame(
        {
            "person": person,
            "year": year,
            "region": np.take(["North", "South", "West"], person % 3),
            "degree": person % 2 == 0,
            "work": np.where(rng.random(3 * n) < np.where(year == 3, 0.02, 0.4), "school", "work"),
            "pay": rng.lognormal(9.5 + 0.1 * (person % 3), 0.4).round(),
        }
    )
    return Panel.from_frame(rows, person="person", time="year", units={"pay": "GBP/year"})


def medians(kind: str = "percent") -> Chart:
    contrasts = [Contrast("region", region, "West", kind) for region in ("North", "South")]
    table = aggregate(
        panel().at(year=1), "pay", by=["region", "degree"], statistics=["p50"], plan=PLAN, contrasts=contrasts
    )
    return Chart("gaps", table, x="region", line="p50", colour="degree", x_label="Per cent", title="Gaps")


def test_areas_are_stacked_shares_and_hidden_ones_leave_white(tmp_path: Path) -> None:
    table = composition(panel(), "work", by=["region", "year"])
    chart = Chart("areas", table, x="year", line="share", colour="work", panel="region")
    figure = plots.draw(chart, protect(table, BASE))
    release({"areas": chart}, policy="ons-srs", to=tmp_path / "out")
    cells = pd.read_csv(tmp_path / "out" / "areas_data.csv", na_values="c").set_index(["region", "year", "work"])
    assert cells["share"].isna().sum() == 6  # both shares of every region's last year
    for axis, region in zip(figure.axes, ["North", "South", "West"], strict=True):
        assert axis.get_title(loc="left") == region
        school, work = (collection.get_paths()[0].vertices for collection in axis.collections)
        for year in (1, 2, 3):
            shown = cells["share"].fillna(0)
            of_school, of_work = (shown.get((region, year, each), 0.0) for each in ("school", "work"))
            assert school[school[:, 0] == year][:, 1].max() == pytest.approx(of_school)
            assert work[work[:, 0] == year][:, 1].max() == pytest.approx(of_school + of_work)
        assert axis.get_ylim() == (0, 100)
    assert "White above the areas" in " ".join(text.get_text() for text in figure.texts)


def test_gaps_are_the_contrasts_as_released(tmp_path: Path) -> None:
    chart = medians()
    table = protect_gaps(chart, protect(chart.data, BASE), BASE)
    figure = plots.draw(chart, table)
    release({"pay": chart.data, "gaps": chart}, policy="ons-srs", to=tmp_path / "out")
    read = pd.read_csv(tmp_path / "out" / "gaps_data.csv")
    alone = [pd.read_csv(tmp_path / "out" / f"pay_contrast{number}.csv") for number in (1, 2)]
    assert read["region"].tolist() == ["North", "North", "South", "South"]
    for column in ("degree", "p50", "p50_se", "p50_low", "p50_high"):
        assert read[column].tolist() == [*alone[0][column], *alone[1][column]]
    (axis,) = figure.axes
    bars = {round(bar.get_y() + bar.get_height() / 2, 6): bar.get_width() for bar in axis.patches}
    assert [bars[place] for place in (-0.2, 0.2, 0.8, 1.2)] == read["p50"].tolist()
    ends = sorted(tuple(line[:, 0]) for each in axis.collections for line in each.get_segments())
    assert ends == sorted(zip(read["p50_low"], read["p50_high"], strict=True))
    assert [label.get_text() for label in axis.get_yticklabels()] == ["North", "South"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["degree: no", "degree: yes"]
    assert "Lines: 95% confidence intervals." in " ".join(text.get_text() for text in figure.texts)


def test_the_bytes_of_a_figure_are_the_same_every_time() -> None:
    chart = medians()
    table = protect_gaps(chart, protect(chart.data, BASE), BASE)
    assert plots.png_bytes(chart, table) == plots.png_bytes(chart, table)


def test_what_cannot_be_drawn_is_refused() -> None:
    shares = composition(panel(), "work", by=["region", "year"])
    table = medians().data
    for arguments, message in (
        ({"kind": "areas", "data": shares, "x": "year", "line": "share", "panel": "region"}, "place every key once"),
        (
            {"kind": "areas", "data": shares, "x": "year", "line": "n_person", "colour": "work", "panel": "region"},
            "areas show shares",
        ),
        (
            {"kind": "gaps", "data": shares, "x": "region", "line": "share", "colour": "work", "panel": "year"},
            "gaps need contrasts of 'share' between levels of 'region'",
        ),
        ({"kind": "gaps", "data": table, "x": "degree", "line": "p50", "colour": "region"}, "gaps need contrasts"),
        ({"kind": "gaps", "data": table, "x": "region", "line": "p50", "panel": "degree"}, "has no panels"),
        (
            {"kind": "gaps", "data": table, "x": "region", "line": "p50", "colour": "degree", "band": ("p50", "p50")},
            "band belongs to lines",
        ),
    ):
        with pytest.raises(SupportError, match=message):
            Chart(**arguments)
    with pytest.raises(SupportError, match="areas are stacked by the levels of a key"):
        Chart("areas", composition(panel().at(year=1), "work", by=[]), x="work", line="share")
