"""needs(): what a study asks of the data, for an application; and what it can expect of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from leoreturns._folder import check_new
from leoreturns._parallel import threads
from leoreturns._toml import Faults, read_toml
from leoreturns.application.data import data_needed, panel_columns_of
from leoreturns.application.sizes import Expected, of_study
from leoreturns.errors import StudyError
from leoreturns.results.labels import one_line
from leoreturns.study import study_of

TABLES = ("data", "tables", "effects")
SHOWN = 12  # rows of a part that a report prints; the files have all


@dataclass(frozen=True, slots=True, repr=False)
class Needs:
    """What a study needs, and what it can expect: of simulated persons, so that nothing here is of a real one.

    Attributes
    ----------
    title : str
    about : tuple of str
        Persons, cohorts and years; what was assumed.
    data : pandas.DataFrame
        One row per table and column needed: ``table``, ``owner``, ``column``, ``meaning``, ``first_year``,
        ``last_year`` (start years), ``serves`` (columns of the panel) and ``instead`` (tables of which one would do).
    tables : pandas.DataFrame
        One row per planned table: ``question``, ``table``, ``keys``, ``cells``, ``smallest`` (persons expected in the
        smallest cell that any simulated person is in), ``hidden`` (cells with a number that the policy would hide),
        ``reason`` (the most frequent).
    effects : pandas.DataFrame
        The smallest gaps that would be found between levels of a characteristic and their base: ``compared``,
        ``among``, ``persons``, ``of_base``, ``statistic`` and ``effect`` (log points of earnings, or a share).
    notes : tuple of str
        What is not told, and why.
    """

    title: str
    about: tuple[str, ...]
    data: pd.DataFrame
    tables: pd.DataFrame
    effects: pd.DataFrame
    notes: tuple[str, ...]

    def write(self, to: str | os.PathLike[str]) -> Path:
        """Write ``needs.md`` and the parts as ``data.csv``, ``tables.csv`` and ``effects.csv`` into a new folder.

        Raises
        ------
        StudyError
            If the folder exists, or there is no place for it.
        """
        folder = Path(to)
        check_new(folder, StudyError)
        folder.mkdir()
        for name in TABLES:
            getattr(self, name).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        (folder / "needs.md").write_text(self.to_markdown(), encoding="utf-8")
        return folder

    def to_markdown(self) -> str:
        """Return the whole report as Markdown."""
        return "\n".join(self._lines(None))

    def __repr__(self) -> str:
        return "\n".join(self._lines(SHOWN))

    def _lines(self, shown: int | None) -> Iterator[str]:
        yield from [f"# {one_line(self.title) or 'Data needed'}", "", *(f"- {line}" for line in self.about), ""]
        yield from ["## Tables and columns", "", *_piped(self._by_table() if shown else self.data, None), ""]
        hidden = self.tables[self.tables["hidden"] > 0] if shown else self.tables
        part = f"{len(hidden):,} of {len(self.tables):,} would have hidden cells" if shown else "What would be shown"
        yield from [f"## Planned tables: {part}", "", *_piped(hidden, shown), ""]
        largest = self.effects.sort_values("effect", ascending=False, kind="stable") if shown else self.effects
        part = ", the largest first" if shown else ""
        yield from [f"## Smallest gaps that would be found{part}", "", *_piped(largest, shown), ""]
        yield from (f"- {note}" for note in self.notes)

    def _by_table(self) -> pd.DataFrame:
        """Return the data needed, one row per table."""
        parts = self.data.groupby("table", sort=False)
        return parts.agg(
            owner=("owner", "first"), columns=("column", "size"), first_year=("first_year", "min"),
            last_year=("last_year", "max"), serves=("serves", "first"), instead=("instead", "first"),
        ).reset_index()  # fmt: skip


def needs(
    study: str | os.PathLike[str],
    *,
    persons: int,
    simulated: int = 60_000,
    seed: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
    n_jobs: int | None = None,
) -> Needs:
    """Return what an application for data has to say of a study file.

    No extract and no panel is opened: tables and columns follow from the questions, sizes from simulated persons.

    Parameters
    ----------
    study : path
        A study file with ``[definitions]``; see `read_study`.
    persons : int
        Expected over all cohorts, such as 3,600,000 for England's cohorts 2002 to 2007.
    simulated : int
        Persons to simulate; the more, the rarer the cells that are foretold. Counts of fewer than are expected are
        multiplied.
    seed : int
    power, alpha : float
        Of the two-sided tests that gaps are to be found by.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Needs

    Raises
    ------
    StudyError
        For a study file that cannot be used; the message names its line.
    ValueError
        For numbers out of their range.

    Notes
    -----
    Cells in which no simulated person is are not counted; intervals hide more than their numbers; gaps are found
    between independent persons of equal weight, without the schools that they share.
    """
    if persons < 1 or simulated < 1:
        raise ValueError("persons and simulated are 1 or more")
    path = Path(study)
    content, text = read_toml(path, "a study file")
    faults = Faults(path.name, text)
    read = study_of(content, path.parent, faults)
    definitions = read.source.definitions
    if definitions is None:
        raise StudyError("[extract] and [definitions] tell which cohorts and years are needed: add them to the study")
    columns = panel_columns_of(read, faults)
    faults.refuse()
    data = data_needed(columns, definitions)
    with threads(n_jobs):
        expected = Expected.of(definitions, persons, simulated, seed)
        tables, effects, notes = of_study(read, definitions, expected, power, alpha)
    cohorts = definitions.cohorts
    about = (
        f"{persons:,} persons expected, by {expected.panel.n_person:,} simulated ones (seed {seed})",
        f"end of key stage 4 in {cohorts[0]} to {cohorts[-1]}; tax years to {definitions.last_tax_year}",
        f"{data['table'].nunique():,} tables, {len(data):,} columns; owners "
        f"{', '.join(sorted(data['owner'].unique()))}",
        f"policy {read.policy.name}: {read.policy.min_persons} persons behind a number",
        f"gaps found with power {power:g} by two-sided tests at {alpha:g}",
    )
    return Needs(read.title, about, data, tables, effects, tuple(notes))


def _piped(frame: pd.DataFrame, shown: int | None) -> list[str]:
    """Return a frame as a table of Markdown, or its first rows and how many there are."""
    if frame.empty:
        return ["none"]
    rows = [frame.columns.tolist(), ["---"] * frame.shape[1]]
    rows += [[_cell(value) for value in row] for row in frame.head(shown or len(frame)).itertuples(index=False)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if shown is not None and len(frame) > shown:
        lines += ["", f"and {len(frame) - shown:,} more"]
    return lines


def _cell(value: object) -> str:
    """Return one cell as text."""
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return (
        f"{value:,}"
        if isinstance(value, int | np.integer) and value > 9_999
        else one_line(str(value)).replace("|", "/")
    )
