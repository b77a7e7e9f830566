"""The results of the coverage study as a Markdown table and as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

LEVEL = 0.95
LOWEST, HIGHEST = 0.935, 0.965  # share of intervals at level 0.95 that contain the truth: the bar

NAMES = {
    "mean": "mean",
    "p50": "median",
    "p90": "90th percentile",
    "gini": "Gini coefficient",
    "gap of mean": "gap of means",
    "gap of p50": "gap of medians",
    "band of mean": "means of 15 years, band",
    "band of p50": "medians of 15 years, band",
    "single years of mean": "means of 15 years, intervals of single years",
    "single years of p50": "medians of 15 years, intervals of single years",
}
HEADINGS = {"cells": "persons in the cell", "schools": "schools, resampled whole", "years": "persons followed"}


def as_markdown(lines: pd.DataFrame) -> str:
    """Coverage in per cent, one table per design; bold where it is outside the bar, before rounding."""
    note = f"Bold: below {100 * LOWEST:g} or above {100 * HIGHEST:g} per cent, before rounding.\n"
    return "\n".join([*(_table(design, lines[lines["design"] == design]) for design in HEADINGS), note])


def _table(design: str, lines: pd.DataFrame) -> str:
    found = {(line.statistic, line.method, line.n): line.coverage for line in lines.itertuples()}
    sizes = sorted(set(lines["n"]))
    text = [f"| {HEADINGS[design]} | method |" + "".join(f" {n:,} |" for n in sizes)]
    text.append("|---|---|" + "---:|" * len(sizes))
    for statistic in (name for name in NAMES if name in set(lines["statistic"])):
        for method in dict.fromkeys(lines.loc[lines["statistic"] == statistic, "method"]):
            shares = "".join(f" {_shown(found[statistic, method, n])} |" for n in sizes)
            text.append(f"| {NAMES[statistic]} | {method} |{shares}")
    return "\n".join(text) + "\n"


def _shown(coverage: float) -> str:
    text = f"{100 * coverage:.1f}"
    return text if LOWEST <= coverage <= HIGHEST else f"**{text}**"


COLOURS = {
    "percentile": ("#0072B2", "o", "-"),
    "basic": ("#E69F00", "v", "-"),
    "normal": ("#009E73", "s", "-"),
    "bca": ("#CC79A7", "D", "-"),
    "studentised": ("#D55E00", "^", "-"),
    "percentile, bayesian": ("#56B4E9", "o", "--"),
    "percentile, multinomial": ("#0072B2", "o", ":"),
    "exact, rule 1": ("#000000", "P", "-"),
    "exact, rule 2": ("#000000", "X", "--"),
    "exact, rule 7": ("#000000", "+", ":"),
}


def draw(lines: pd.DataFrame, path: Path) -> None:
    """Coverage by n: a panel for each statistic of the cells and schools, one for trajectories."""
    figure, axes = plt.subplots(3, 3, figsize=(11, 10), layout="constrained")
    for axis, statistic in zip(axes.flat, list(NAMES)[:6], strict=False):
        _panel(axis, lines[(lines["design"] == "cells") & (lines["statistic"] == statistic)], NAMES[statistic])
    for axis, statistic in zip(axes.flat[6:], ("mean", "p50"), strict=False):
        part = lines[(lines["design"] == "schools") & (lines["statistic"] == statistic)]
        _panel(axis, part, f"{NAMES[statistic]}, pupils of schools")
    _trajectories(axes[2, 2], lines[lines["design"] == "years"])
    for axis in axes[:, 0]:
        axis.set_ylabel("coverage, per cent")
    handles = {
        label: handle for axis in axes.flat[:8] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        [handles[name] for name in COLOURS], list(COLOURS), loc="outside lower center", ncols=5, frameon=False
    )
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def _panel(axis: Any, lines: pd.DataFrame, title: str) -> None:
    for method, part in lines.groupby("method", sort=False):
        colour, marker, dashes = COLOURS[str(method)]
        axis.plot(part["n"], 100 * part["coverage"], color=colour, marker=marker, ls=dashes, ms=5, lw=1.3, label=method)
    _frame(axis, lines, title)
    axis.set_ylim(min(88.0, 100 * lines["coverage"].min() - 1), 98)


def _trajectories(axis: Any, lines: pd.DataFrame) -> None:
    for statistic, part in lines.groupby("statistic", sort=False):
        colour = "#0072B2" if statistic.endswith("mean") else "#D55E00"
        band = statistic.startswith("band")
        label = NAMES[statistic].replace(" of 15 years", "")
        axis.plot(
            part["n"],
            100 * part["coverage"],
            color=colour,
            marker="o" if band else "s",
            ls="-" if band else ":",
            label=label,
        )
    _frame(axis, lines, "all of 15 years at once")
    axis.set_ylim(40, 98)  # room for the legend
    axis.legend(frameon=False, fontsize=8, loc="lower right")


def _frame(axis: Any, lines: pd.DataFrame, title: str) -> None:
    axis.axhspan(100 * LOWEST, 100 * HIGHEST, color="#dddddd", zorder=0)
    axis.axhline(100 * LEVEL, color="#888888", lw=0.8, zorder=1)
    axis.set_xscale("log")
    sizes = sorted(lines["n"].unique())
    axis.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axis.minorticks_off()
    axis.set_xlabel(HEADINGS[lines["design"].iloc[0]], fontsize=8)
    axis.set_title(title, fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
