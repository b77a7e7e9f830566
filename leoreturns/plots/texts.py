"""Texts of a figure: those of the chart, else made from names and units, and the notes on what is not shown."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import BoolArray
from leoreturns.plots.style import BOLD, LETTER, MARGIN, TEXT_SIZE, TITLE_SIZE, WIDTH_PANELS, WIDTH_SINGLE
from leoreturns.results.chart import Chart
from leoreturns.results.interval import column_name
from leoreturns.results.labels import one_line
from leoreturns.results.protected import ProtectedTable

CURRENCIES = {"GBP": "£", "USD": "$", "EUR": "€"}
NAMES = {"n_person": "persons", "p25": "lower quartile", "p50": "median", "p75": "upper quartile"}
RANGES = {("low", "high"): "confidence interval", ("band_low", "band_high"): "simultaneous confidence band"}


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts of a figure, wrapped to its width."""

    title: list[str]
    what: list[str]
    x_label: str
    notes: list[str]


def texts_of(chart: Chart, table: ProtectedTable, n_panel: int) -> Texts:
    """Return the texts of a figure: those of the chart, else made from names and units."""
    width = (WIDTH_PANELS if n_panel > 1 else WIDTH_SINGLE) - 2 * MARGIN
    what = chart.y_label or _what(chart.line, table)
    if chart.band is not None:
        what += f"; shaded: {_range(chart, table)}"
    return Texts(
        title=wrapped(chart.title, width, TITLE_SIZE * BOLD),
        what=wrapped(what, width, TEXT_SIZE),
        x_label=one_line(chart.x_label) or sentence(chart.x),
        notes=[*wrapped(_note(chart, table), width, TEXT_SIZE), *wrapped(chart.source, width, TEXT_SIZE)],
    )


def _range(chart: Chart, table: ProtectedTable) -> str:
    """Return what a shaded range is: "95% confidence interval", or "lower quartile to upper quartile"."""
    low, high = (table.columns[name] for name in chart.band or ())
    if low.statistic != high.statistic or (low.part, high.part) not in RANGES:
        return f"{NAMES.get(low.name, low.name)} to {NAMES.get(high.name, high.name)}"
    of_other = f" of {NAMES.get(low.statistic, low.statistic)}" if low.statistic != chart.line else ""
    return f"{100 * table.plan['level']:.10g}% {RANGES[low.part, high.part]}{of_other}"


def _note(chart: Chart, table: ProtectedTable) -> str:
    """Return the note under a figure: why it has gaps, and why a line has no interval about it."""
    band = chart.band or ()
    line, *ends = (np.isnan(table.numbers(name)) for name in (chart.line, *band))
    if all(gaps.all() for gaps in (line, *ends)):
        return "No number can be shown: too few persons."
    if chart.kind == "areas":
        return "White above the areas: shares of too few persons, which are not shown." if line.any() else ""
    if chart.kind == "gaps":
        return _note_on_bars(chart, table, line)
    bare = any((gaps & ~line).any() for gaps in ends)
    of_interval = all(table.columns[name].part for name in band)
    gaps = "Gaps: too few persons for the number to be shown." if line.any() or (bare and not of_interval) else ""
    unshaded = "Not shaded: too few persons or sampling units for the interval to be shown."
    return f"{gaps} {unshaded if bare and of_interval else ''}"


def _note_on_bars(chart: Chart, table: ProtectedTable, hidden: BoolArray) -> str:
    """Return the note under bars: what their intervals are, and why some are not there."""
    notes = []
    if (end := column_name(chart.line, "low")) in table.columns:
        notes.append(f"Lines: {100 * table.plan['level']:.10g}% confidence intervals.")
        if (np.isnan(table.numbers(end)) & ~hidden).any():
            notes.append("No line: too few persons or sampling units for the interval to be shown.")
    if hidden.any():
        notes.append("No bar: too few persons for one of the two numbers compared.")
    return " ".join(notes)


def _what(line: str, table: ProtectedTable) -> str:
    """Return what a line shows, with its unit: "Median hourly pay, $ per hour"."""
    currency, _, period = table.columns[line].unit.partition("/")
    unit = f"{CURRENCIES.get(currency, currency)} per {period}" if period else currency
    if unit == "count":
        return sentence(NAMES.get(line, line))
    return f"{sentence(NAMES.get(line, line))} {one_line((table.variable or '').replace('_', ' '))}, {unit}"


def sentence(name: str) -> str:
    """Return a column's name as the start of a sentence."""
    words = one_line(name.replace("_", " "))
    return words[:1].upper() + words[1:]


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Break a text into lines of a width in inches."""
    return textwrap.wrap(one_line(text), max(int(width * 72 / (LETTER * size)), 10))
