"""A first run on real data: the hourly pay of young men by schooling and union membership, 1980 to 1987.

The panel of Vella and Verbeek (1998), which linearmodels ships: 545 men of the National Longitudinal Survey of Youth,
each observed in eight years. It holds the logarithm of the hourly wage, taken here as US dollars of the year; its
documentation names no price base, and nothing is deflated.

References
----------
Vella, F. and M. Verbeek (1998), "Whose Wages Do Unions Raise? A Dynamic Model of Unionism and Wage Rate Determination
for Young Men", Journal of Applied Econometrics 13, 163-183.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from linearmodels.datasets import wage_panel

from leoreturns.aggregates.compute import aggregate
from leoreturns.disclosure import Released, release
from leoreturns.panel.panel import Panel
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.chart import Chart

FOLDER = "wage_panel"
QUARTILES = ("p25", "p50", "p75")
FILES = {"README.txt", "hourly_pay.csv", "hourly_pay_trajectories.png", "hourly_pay_trajectories_data.csv"}


def wage_frame() -> pd.DataFrame:
    """Return one row per man and year: schooling in three bands, union membership and hourly pay."""
    frame = wage_panel.load()
    bands = ["under 12 years", "12 years", "over 12 years"]
    return pd.DataFrame(
        {
            "man": frame["nr"],
            "year": frame["year"],
            "schooling": pd.cut(frame["educ"], [-np.inf, 11, 12, np.inf], labels=bands),
            "union": pd.Categorical(
                np.where(frame["union"] == 1, "union", "no union"), ["union", "no union"], ordered=True
            ),
            "hourly_pay": np.exp(frame["lwage"]),
        }
    )


def build_wage_panel(years: pd.DataFrame) -> Panel:
    """Return the panel of `wage_frame`: schooling is a trait, stored once per man, and pay has a unit."""
    return Panel.from_frame(years, person="man", time="year", traits=["schooling"], units={"hourly_pay": "USD/hour"})


def pay_by_schooling(panel: Panel) -> Aggregate:
    """Return persons, median and quartiles of hourly pay by schooling, union membership and year."""
    return aggregate(panel, "hourly_pay", by=["schooling", "union", "year"], statistics=["n_person", *QUARTILES])


def release_pay(pay: Aggregate, to: Path) -> Released:
    """Write the table and its figure for the output check."""
    chart = Chart(
        "trajectory",
        pay,
        x="year",
        line="p50",
        band=("p25", "p75"),
        colour="union",
        panel="schooling",
        title="Hourly pay of young men in the United States, by years of schooling and union membership",
    )
    return release({"hourly_pay": pay, "hourly_pay_trajectories": chart}, policy="ons-srs", to=to)


def released_table(released: Released) -> pd.DataFrame:
    """Return the quartiles as released, years across."""
    cells = pd.read_csv(released.path / "hourly_pay.csv", dtype=str).set_index(["schooling", "union", "year"])
    groups = (
        cells[list(QUARTILES)].rename_axis(columns="hourly pay, $").groupby(level=["schooling", "union"], sort=False)
    )
    # Put together by hand: unstacking without sorting mixes up rows in pandas 2.
    return pd.concat(
        {group: part.droplevel(["schooling", "union"]).T for group, part in groups}, names=["schooling", "union"]
    )


def run_demo(to: Path, show: Callable[[str], None] = print) -> Released:
    """Run from data to released files, telling what happens.

    Parameters
    ----------
    to : Path
        Folder in which ``wage_panel`` is made. One that an earlier demo left is replaced; any other is refused.
    show : callable
        Takes each part of the report.

    Returns
    -------
    Released
        The files.

    Raises
    ------
    DisclosureError
        If ``wage_panel`` exists and is not an earlier demo's.
    """
    panel = build_wage_panel(wage_frame())
    pay = pay_by_schooling(panel)
    folder = to / FOLDER
    _clear_earlier(folder)
    to.mkdir(parents=True, exist_ok=True)
    released = release_pay(pay, folder)
    show(f"{panel!r}\n")
    show(f"The sample\n{pay.flow!r}\n")
    show(f"Quartiles of hourly pay as released (c: too few men)\n{released_table(released).to_string()}\n")
    show(repr(released))
    for name in released.files:
        show(f"  {folder / name}")
    return released


def _clear_earlier(folder: Path) -> None:
    """Remove the folder of an earlier demo: one that holds nothing but its files."""
    if folder.is_dir() and not folder.is_symlink() and {path.name for path in folder.iterdir()} == FILES:
        shutil.rmtree(folder)
