"""Figures: drawn from the protected numbers only, gaps where they are hidden, the same bytes every time."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from reference_intervals import bootstrapped
from reference_table import table_of

from leoreturns import plots
from leoreturns.disclosure import Policy, release
from leoreturns.disclosure.protection import protect
from leoreturns.errors import DisclosureError, SupportError
from leoreturns.panel import Panel
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.chart import Chart
from leoreturns.results.labels import one_line
from leoreturns.results.protected import ProtectedTable

BASE = Policy("ons-srs")
STATISTICS = ["n_person", "p25", "p50", "p75"]


def workers(n_person: int = 120, small_in: int = 2012) -> pd.DataFrame:
    """Return pay of persons over 2010-2014 by sex and route; route B has few women in one year."""
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(n_person), 5)
    year = np.tile(np.arange(2010, 2015), n_person)
    sex = np.where(person % 2 == 0, "F", "M")
    route = pd.Categorical(np.where(person < n_person // 2, "vocational", "academic"), ["vocational", "academic"])
    pay = np.round(18_000 + 900 * (year - 2010) + 3_000 * (sex == "M") + rng.normal(0, 4_000, len(person)), 2)
    frame = pd.DataFrame({"person": person, "year": year, "sex": sex, "route": route, "pay": pay})
    drop = (
        (frame["year"] == small_in)
        & (frame["sex"] == "F")
        & (frame["route"] == "academic")
        & (frame["person"] % 8 != 0)
    )
    return frame[~drop]


def aggregate(by: list[str], frame: pd.DataFrame | None = None, unit: str = "GBP/year") -> Aggregate:
    return table_of(workers() if frame is None else frame, "pay", by, STATISTICS, unit=unit)


def lines_of(figure: Figure) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Return, for each panel, the positions and numbers of its lines."""
    return [
        [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in axis.get_lines()]
        for axis in figure.axes
    ]


def drawn(chart: Chart) -> tuple[Figure, ProtectedTable]:
    table = protect(chart.data, BASE)
    return plots.draw(chart, table), table


def test_plotted_numbers_are_the_numbers_of_the_csv(tmp_path: Path) -> None:
    chart = Chart("trajectory", aggregate(["route", "sex", "year"]), x="year", line="p50", colour="sex", panel="route")
    release({"pay": chart}, policy="ons-srs", to=tmp_path / "out")
    read = (
        pd.read_csv(tmp_path / "out" / "pay_data.csv", na_values="c")
        .set_index(["route", "sex", "year"])["p50"]
        .sort_index()
    )
    figure, _ = drawn(chart)
    panels = lines_of(figure)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["vocational", "academic"]
    assert read.isna().sum() == 1
    for route, lines in zip(["vocational", "academic"], panels, strict=True):
        for sex, (x, y) in zip(["F", "M"], lines, strict=True):
            assert x.tolist() == [2010, 2011, 2012, 2013, 2014]
            np.testing.assert_array_equal(y, read.loc[route, sex].reindex(x).to_numpy())


def test_hidden_numbers_leave_a_gap_and_a_note() -> None:
    figure, table = drawn(
        Chart("trajectory", aggregate(["route", "sex", "year"]), x="year", line="p50", colour="sex", panel="route")
    )
    gap = lines_of(figure)[1][0][1]
    assert table.n_hidden("p50") == 1
    assert np.isnan(gap).tolist() == [False, False, True, False, False]
    assert "Gaps: too few persons" in " ".join(text.get_text() for text in figure.texts)


def test_no_note_without_gaps() -> None:
    figure, _ = drawn(Chart("trajectory", aggregate(["year"]), x="year", line="p50"))
    assert not any("Gaps" in text.get_text() for text in figure.texts)


def test_a_year_that_was_not_observed_is_a_gap_too() -> None:
    frame = workers()
    frame = frame[(frame["year"] != 2012) | (frame["sex"] == "M")]
    figure, _ = drawn(Chart("trajectory", aggregate(["sex", "year"], frame), x="year", line="p50", colour="sex"))
    women, men = (y for _, y in lines_of(figure)[0])
    assert np.isnan(women).tolist() == [False, False, True, False, False]
    assert not np.isnan(men).any()


def test_the_band_is_drawn_between_its_statistics() -> None:
    chart = Chart("trajectory", aggregate(["year"]), x="year", line="p50", band=("p25", "p75"))
    figure, table = drawn(chart)
    (band,) = [artist for artist in figure.axes[0].collections if isinstance(artist, PolyCollection)]
    low, high = table.numbers("p25"), table.numbers("p75")
    vertices = {tuple(vertex) for vertex in band.get_paths()[0].vertices}
    expected = {(float(year), number) for n, year in enumerate(range(2010, 2015)) for number in (low[n], high[n])}
    assert expected <= vertices


def interval_table(frame: pd.DataFrame | None = None, by: tuple[str, ...] = ("year",), **plan: object) -> Aggregate:
    given = workers() if frame is None else frame
    return bootstrapped(given, "pay", list(by), ["p50", "mean"], band="year", **plan)[0]


@pytest.mark.parametrize(
    ("band", "words"),
    [
        (("p50_low", "p50_high"), "95% confidence interval"),
        (("p50_band_low", "p50_band_high"), "95% simultaneous confidence band"),
        (("mean_low", "mean_high"), "95% confidence interval of mean"),
        (("p50_low", "mean_high"), "p50_low to mean_high"),
    ],
)
def test_the_interval_of_a_line_is_drawn_from_protected_numbers(band: tuple[str, str], words: str) -> None:
    chart = Chart("trajectory", interval_table(), x="year", line="p50", band=band)
    figure, table = drawn(chart)
    assert [text.get_text() for text in figure.texts] == [f"Median pay, £ per year; shaded: {words}"]
    (shade,) = [artist for artist in figure.axes[0].collections if isinstance(artist, PolyCollection)]
    vertices = {tuple(vertex) for vertex in shade.get_paths()[0].vertices}
    ends = {(float(year), number) for name in band for year, number in enumerate(table.numbers(name), 2010)}
    assert ends <= vertices
    assert {number % 100 for _, number in ends} == {0.0}


def test_the_level_of_an_interval_is_that_of_its_plan() -> None:
    chart = Chart("trajectory", interval_table(level=0.995), x="year", line="p50", band=("p50_low", "p50_high"))
    assert "shaded: 99.5% confidence interval" in drawn(chart)[0].texts[0].get_text()


def test_a_line_without_its_interval_says_why() -> None:
    frame = workers()
    chart = Chart(
        "trajectory",
        interval_table(frame[(frame["year"] != 2012) | (frame["person"] < 25)]),
        x="year",
        line="p50",
        band=("p50_low", "p50_high"),
    )
    figure, table = drawn(chart)
    assert [table.n_hidden(name) for name in ("p50", "p50_low")] == [0, 1]
    assert not np.isnan(lines_of(figure)[0][0][1]).any()
    note = "Not shaded: too few persons or sampling units for the interval to be shown."
    assert figure.texts[-1].get_text() == note
    fewer = frame[
        ((frame["year"] != 2012) | (frame["person"] < 25)) & ((frame["year"] != 2013) | (frame["person"] < 15))
    ]
    figure, _ = drawn(Chart("trajectory", interval_table(fewer), x="year", line="p50", band=("p50_low", "p50_high")))
    written = " ".join(text.get_text() for text in sorted(figure.texts, key=lambda text: -text.get_position()[1]))
    assert written.endswith(f"Gaps: too few persons for the number to be shown. {note}")


def test_the_ends_of_an_interval_are_drawn_only_where_there_is_one() -> None:
    with pytest.raises(SupportError, match=r"no statistic 'p50_low' to draw: the table has \['n_person', 'p25'"):
        Chart("trajectory", aggregate(["year"]), x="year", line="p50", band=("p50_low", "p50_high"))
    with pytest.raises(SupportError, match=r"no statistic 'p50_se' to draw: the table has \['p50', 'mean'\]"):
        Chart("trajectory", interval_table(), x="year", line="p50_se")


def test_a_figure_depends_on_protected_numbers_only() -> None:
    data = aggregate(["sex", "year"])
    chart = Chart("trajectory", data, x="year", line="p50", colour="sex")
    table = protect(data, BASE)
    before = plots.png_bytes(chart, table)
    object.__setattr__(data, "statistics", {name: numbers * 2 for name, numbers in data.statistics.items()})
    assert plots.png_bytes(chart, table) == before


def test_pngs_carry_no_metadata_and_repeat_exactly() -> None:
    chart = Chart("trajectory", aggregate(["year"]), x="year", line="p50", title="Pay")
    table = protect(chart.data, BASE)
    png = plots.png_bytes(chart, table)
    assert png == plots.png_bytes(chart, table)
    assert [name for name, _ in chunks(png) if name not in (b"IHDR", b"IDAT", b"IEND")] == [b"pHYs"]
    resolution = struct.unpack(">II", dict(chunks(png))[b"pHYs"][:8])
    assert resolution == (round(150 / 0.0254), round(150 / 0.0254))


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a PNG file: type and content."""
    stream, found = io.BytesIO(png[8:]), []
    while head := stream.read(8):
        length, name = struct.unpack(">I4s", head)
        found.append((name, stream.read(length)))
        stream.read(4)
    return found


def test_the_callers_settings_neither_change_nor_matter() -> None:
    chart = Chart("trajectory", aggregate(["year"]), x="year", line="p50")
    table = protect(chart.data, BASE)
    before = plots.png_bytes(chart, table)
    with matplotlib.rc_context({"font.size": 30.0, "axes.facecolor": "red", "savefig.dpi": 30, "text.color": "pink"}):
        assert plots.png_bytes(chart, table) == before
        assert matplotlib.rcParams["font.size"] == 30.0
        assert matplotlib.rcParams["axes.facecolor"] == "red"


def test_pyplot_is_not_imported() -> None:
    code = "import sys, leoreturns.disclosure; assert 'matplotlib.pyplot' not in sys.modules; print('fine')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "fine\n"


@pytest.mark.parametrize(
    ("unit", "ticks", "texts"),
    [
        ("GBP/year", [0, 20_000], ["£0", "£20,000"]),
        ("USD/hour", [5, 7.5], ["$5.00", "$7.50"]),
        ("USD/hour", [-5, 10], ["\N{MINUS SIGN}$5", "$10"]),
        ("CHF/year", [20_000], ["20,000"]),
    ],
)
def test_the_vertical_axis_is_in_money(unit: str, ticks: list[float], texts: list[str]) -> None:
    figure, _ = drawn(Chart("trajectory", aggregate(["year"], unit=unit), x="year", line="p50"))
    assert figure.axes[0].yaxis.get_major_formatter().format_ticks(ticks) == texts


@pytest.mark.parametrize(
    ("given", "expected"), [("", "Median pay, £ per year"), ("Pay of $5 and $6_a", "Pay of $5 and $6_a")]
)
def test_texts_are_made_from_names_or_taken_as_they_are(given: str, expected: str) -> None:
    chart = Chart(
        "trajectory", aggregate(["sex", "year"]), x="year", line="p50", colour="sex", title="A title", y_label=given
    )
    figure, _ = drawn(chart)
    assert [text.get_text() for text in figure.texts] == ["A title", expected]
    assert not any(text.get_parse_math() for text in figure.texts)
    assert figure.axes[0].get_xlabel() == "Year"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["F", "M"]


def test_texts_of_a_figure_stay_on_their_lines() -> None:
    frame = workers().rename(columns={"sex": "s\nex", "year": "y\near", "pay": "p\nay"})
    frame["s\nex"] = frame["s\nex"].map({"F": "F\x07\nF", "M": "M"})
    table = table_of(frame, "p\nay", ["s\nex", "y\near"], ["p50"], unit="GBP/year")
    figure, _ = drawn(Chart("trajectory", table, x="y\near", line="p50", colour="s\nex", title="a\u202e\nb"))
    assert [text.get_text() for text in figure.texts] == ["a b", "Median p ay, £ per year"]
    assert figure.axes[0].get_xlabel() == "Y ear"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["F F", "M"]
    assert one_line(" a\ud800b\u2029 ") == "a b"


def test_text_labels_stand_at_equal_steps_in_declared_order() -> None:
    figure, _ = drawn(Chart("trajectory", aggregate(["route"]), x="route", line="p50"))
    axis = figure.axes[0]
    assert lines_of(figure)[0][0][0].tolist() == [0, 1]
    assert axis.xaxis.get_major_formatter().format_ticks([0, 1]) == ["vocational", "academic"]


def test_nothing_overlaps_in_a_figure_of_panels() -> None:
    frame = workers(240)
    chart = Chart(
        "trajectory",
        aggregate(["route", "sex", "year"], frame),
        x="year",
        line="p50",
        band=("p25", "p75"),
        colour="route",
        panel="sex",
        title="A title that is long enough to need a second line, because it says at length what is shown, " * 2,
    )
    figure, _ = drawn(chart)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [artist.get_tightbbox(renderer) for artist in (*figure.texts, *figure.legends, *figure.axes)]
    assert len(boxes) == 2 + 1 + 1 + 1 + 2  # two lines of title, what is shown, note, legend, two panels
    width, height = figure.bbox.size
    for n, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[:n])


def test_a_chart_of_which_nothing_can_be_shown_says_so(tmp_path: Path) -> None:
    frame = workers(12)
    chart = Chart("trajectory", aggregate(["year"], frame), x="year", line="p50", band=("p25", "p75"))
    figure, _ = drawn(chart)
    assert [text.get_text() for text in figure.texts][-1] == "No number can be shown: too few persons."
    release({"pay": chart}, policy="ons-srs", to=tmp_path / "out")
    assert (tmp_path / "out" / "pay.png").stat().st_size > 0


def test_more_lines_than_colours_are_refused(tmp_path: Path) -> None:
    frame = workers().assign(sex=lambda data: data["person"] % 8)
    chart = Chart("trajectory", aggregate(["sex", "year"], frame), x="year", line="n_person", colour="sex")
    with pytest.raises(SupportError, match="at most 7 colours"):
        drawn(chart)
    with pytest.raises(DisclosureError, match="output 'pay': a chart has at most 7 colours"):
        release({"pay": chart}, policy="ons-srs", to=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_chart_places_every_key_and_names_its_statistics() -> None:
    data = aggregate(["sex", "year"])
    with pytest.raises(SupportError, match="place every key once"):
        Chart("trajectory", data, x="year", line="p50")
    with pytest.raises(SupportError, match="no statistic 'p10'"):
        Chart("trajectory", data, x="year", line="p50", band=("p10", "p75"), colour="sex")


def test_a_chart_refuses_what_it_cannot_draw_without_showing_it() -> None:
    data = aggregate(["year"])
    with pytest.raises(SupportError, match="of kind 'trajectory', 'areas', 'gaps', 'flows', not 'bar'"):
        Chart("bar", data, x="year", line="p50")  # type: ignore[arg-type]
    for band in ("p50", ("p25",), ("p25", "p50", "p75")):
        with pytest.raises(SupportError, match="band names two statistics"):
            Chart("trajectory", data, x="year", line="p50", band=band)  # type: ignore[arg-type]
    panel = Panel.from_frame({"person": [1, 2], "year": [1, 1]}, person="person", time="year")
    with pytest.raises(TypeError, match="^a chart draws an Aggregate, not a Panel$"):
        Chart("trajectory", panel, x="year", line="p50")  # type: ignore[arg-type]


def test_money_begins_at_zero_and_the_source_stands_below() -> None:
    source = "Records of HMRC. Prices of 2017-18."
    figure, _ = drawn(Chart("trajectory", aggregate(["year"]), x="year", line="p50", source=source))
    assert figure.axes[0].get_ylim()[0] == 0.0
    assert source in [text.get_text() for text in figure.texts]
