"""The simulated population against every published median and percentage.

    python -m benchmarks.calibration [--persons 3600000] [--seed 1] [--to docs/calibration.md] [--panel FOLDER]

simulates an extract, builds its panel with the definitions of the report of May 2021, and compares: 3,270 medians and
25,200 percentages in ``published.csv.gz``. The price index is the illustrative one that the simulation has as its own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from leoreturns.extract.simulate import simulate_extract
from leoreturns.panel.build import build_panel
from leoreturns.panel.definitions import Definitions, illustrative_deflator
from leoreturns.panel.panel import Panel

PUBLISHED = Path(__file__).parent / "published.csv.gz"
YEARS = 15
LEVELS = {
    "all": ("level 2 or below", "level 3 or above", "graduate"),
    "not graduate": ("level 2 or below", "level 3 or above"),
    "graduate": ("graduate",),
    "level 3 or above": ("level 3 or above",),
    "level 2 or below": ("level 2 or below",),
}
# Published groups -> the labels of the panel that make them up, where the two differ.
MEMBERS = {
    "most deprived": ("1 most deprived",),
    "middle": ("2", "3", "4"),
    "least deprived": ("5 least deprived",),
    "false": ("False",),
    "true": ("True",),
    "WBRI": ("White British",),
    "W non-British": ("White Irish", "Traveller of Irish heritage", "Gypsy or Roma", "other White"),
    "MWBC": ("White and Black Caribbean",),
    "MWBA": ("White and Black African",),
    "MWAS": ("White and Asian",),
    "MOTH": ("other Mixed",),
    "AIND": ("Indian",),
    "APKN": ("Pakistani",),
    "ABAN": ("Bangladeshi",),
    "AOTH": ("other Asian",),
    "BCRB": ("Black Caribbean",),
    "BAFR": ("Black African",),
    "BOTH": ("other Black",),
    "CHNE": ("Chinese",),
}
# Relative for medians; points for percentages of 2 or more, and for others.
WIDE, NARROW, POINTS, HALF = 0.04, 0.02, 1.0, 0.5
LARGE = 2.0  # percent
# Why a figure misses: nobody in the group; few persons, so that chance alone carries as many beyond the bound as not;
# chance, as the bound is within two standard errors; else the simulation.
NOBODY, FEW, CHANCE, SIMULATION = "nobody there", "few persons", "chance", "simulation"
REASONS = (NOBODY, FEW, CHANCE, SIMULATION)
FEW_FROM, CHANCE_TO = 1.5, 2.0  # standard errors in the bound; standard errors beyond it
SHOWN = 60


def published() -> pd.DataFrame:
    """Return the published figures: measure, dimension, group, level, year and value."""
    table = pd.read_csv(PUBLISHED, comment="#", keep_default_na=False, dtype=str)
    table = table.melt(id_vars=["measure", "dimension", "group", "level"], var_name="year", value_name="value")
    return table.assign(year=table["year"].str[1:].astype(int), value=pd.to_numeric(table["value"]))


def compare(panel: Panel) -> pd.DataFrame:
    """Return the published figures with those of a panel beside them, and the persons that each rests on.

    `error` is the standard error that chance gives to the simulated figure, in points or relative to the median.
    """
    table, key = published(), ["measure", "dimension", "group", "level", "year"]
    found = pd.DataFrame(_figures(panel), columns=[*key, "simulated", "persons", "error"])
    merged = table.merge(found, how="left", on=key)
    told = merged.groupby(["dimension", "group", "level", "year"])["value"].transform("sum") > 0
    merged["told"] = merged["value"].notna() & told
    median = merged["measure"] == "median"
    merged["off"] = np.where(median, merged["simulated"] / merged["value"] - 1, merged["simulated"] - merged["value"])
    merged["bound"] = np.where(median, WIDE, np.where(merged["value"] >= LARGE, POINTS, HALF))
    merged["within"] = merged["off"].abs() <= merged["bound"]
    return merged


def _figures(panel: Panel) -> Iterator[tuple[str, str, str, str, int, float, int, float]]:
    """Give every median and percentage of the panel by group, level and year, with persons and standard error."""
    codes = {name: _coded(panel, name) for name in ("education_level", "main_activity")}
    n = np.diff(panel.offsets)
    year = panel.years["years_since_ks4"]
    within = (year >= 1) & (year <= YEARS)
    activities = codes["main_activity"][1]
    level, labels = codes["education_level"]
    activity, pay = codes["main_activity"][0], panel.years["real_earnings"]
    for dimension, group, persons in _groups(panel):
        for name, levels in LEVELS.items():
            chosen = persons & np.isin(level, [labels.index(label) for label in levels if label in labels])
            rows = np.flatnonzero(np.repeat(chosen, n) & within)
            at = year[rows].astype(np.int64) - 1
            counts = np.bincount(at * len(activities) + activity[rows], minlength=YEARS * len(activities))
            counts = counts.reshape(YEARS, len(activities))
            size = counts.sum(axis=1)
            for k in range(YEARS):
                for place, label in enumerate(activities):
                    share = counts[k, place] / size[k] if size[k] else np.nan
                    error = 100 * np.sqrt(share * (1 - share) / size[k]) if size[k] else np.nan
                    yield label, dimension, group, name, k + 1, 100 * share, int(size[k]), error
            yield from _medians(dimension, group, name, at, pay[rows])


def _medians(dimension: str, group: str, level: str, at: np.ndarray, pay: np.ndarray) -> Iterator[tuple]:
    paid = np.isfinite(pay)
    order = np.argsort(at[paid], kind="stable")
    pay, bounds = pay[paid][order], np.searchsorted(at[paid][order], np.arange(YEARS + 1))
    for k in range(YEARS):
        part = np.sort(pay[bounds[k] : bounds[k + 1]])
        n, found, error = len(part), np.nan, np.nan
        if n:
            # The rank of the median has a standard error of half the root of n.
            found = float(np.median(part))
            low, high = ((n + sign * np.sqrt(n)) / 2 for sign in (-1, 1))
            error = (part[min(int(high), n - 1)] - part[max(int(low), 0)]) / 2 / found
        yield "median", dimension, group, level, k + 1, found, n, error


def _coded(panel: Panel, name: str) -> tuple[np.ndarray, list[str]]:
    """Return the codes of a column, and what they stand for as text."""
    name = {"school_region": "region"}.get(name, name)  # as the published table calls it
    values = panel.people[name] if name in panel.people else panel.years[name]
    return values, [str(label) for label in panel.schema.columns[name].labels]


def _groups(panel: Panel) -> Iterator[tuple[str, str, np.ndarray]]:
    """Give the persons of every published group."""
    yield "all", "all", np.ones(len(panel.offsets) - 1, bool)
    table = published()
    for dimension in table["dimension"].unique():
        if dimension == "all":
            continue
        values, labels = _coded(panel, "idaci_quintile" if dimension == "idaci" else dimension)
        for group in table.loc[table["dimension"] == dimension, "group"].unique():
            places = [labels.index(label) for label in MEMBERS.get(group, (group,)) if label in labels]
            yield dimension, group, np.isin(values, places)


def page(table: pd.DataFrame, n_persons: int, notes: list[str]) -> str:
    """Return the comparison as a page of Markdown."""
    told = table[table["told"]]
    median = told[told["measure"] == "median"]
    main = median[(median["dimension"].isin(["all", "sex"])) & (median["level"] != "all")]
    percent = told[told["measure"] != "median"]
    large, small = percent[percent["value"] >= LARGE], percent[percent["value"] < LARGE]
    lines = [
        "# The simulated population against the published tables",
        "",
        "Made by `python -m benchmarks.calibration`. Published: Department for Education, "
        '"Post-16 education and labour market activities, pathways and outcomes (LEO)", 27 May 2021.',
        "",
        f"{n_persons:,} persons. " + " ".join(notes),
        "",
        "| figures | number | bound | within |",
        "|---|---:|---|---:|",
    ]
    for name, part, bound, within in (
        ("medians by sex, level and year", main, "2%", main["off"].abs() <= NARROW),
        ("all medians", median, "4%", median["within"]),
        ("percentages of 2 or more", large, "1 point", large["within"]),
        ("other percentages", small, "0.5 points", small["within"]),
    ):
        lines.append(f"| {name} | {len(part):,} | {bound} | {100 * within.mean():.1f}% |")
    untold = len(table) - len(told)
    lines += [
        "",
        f"{untold} further figures are empty, or zeros for every activity of a group and year: not published.",
        "",
        "## What misses",
        "",
        *_misses(told),
    ]
    return "\n".join(lines) + "\n"


def _misses(told: pd.DataFrame) -> list[str]:
    missed = told[~told["within"]].assign(reason=_reasons)
    large = missed["measure"].where(missed["measure"] == "median", "percentage")
    counts = missed.groupby(["dimension", "level", large, "reason"]).size().unstack("reason", fill_value=0)
    counts = counts.reindex(columns=REASONS, fill_value=0)
    lines = [
        f"{len(missed):,} of {len(told):,} figures. Of few persons the standard error by chance alone is larger than"
        f" the bound divided by {FEW_FROM:g}; others miss by chance if they are beyond it by at most {CHANCE_TO:g}"
        " standard errors. What is left is due to the simulation: its effects of characteristics add up within a level"
        " and a year, and published figures of several characteristics contradict each other in part.",
        "",
        f"| figures | dimension | level | {' | '.join(REASONS)} |",
        f"|---|---|---|{'---:|' * len(REASONS)}",
    ]
    for of in ("median", "percentage"):
        part = counts[counts.index.get_level_values(2) == of]
        lines += [f"| {of}s | {d} | {lv} | {' | '.join(map(str, row))} |" for (d, lv, _), row in zip(
            part.index, part.to_numpy(), strict=True)]  # fmt: skip
        lines += [f"| {of}s | **in all** | | {' | '.join(map(str, part.sum()))} |"]
    shown = missed[missed["reason"] == SIMULATION].assign(size=lambda rows: rows["off"].abs() / rows["bound"])
    n_left = len(shown)
    shown = shown.sort_values("size", ascending=False).head(SHOWN)
    lines += ["", f"The largest {len(shown)} of the {n_left:,} that are due to the simulation:", ""]
    lines += [
        "| figure | group | level | year | published | simulated | persons |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r.measure} | {r.dimension}: {r.group} | {r.level} | {r.year} | {r.value:,.1f} | {r.simulated:,.1f} |"
        f" {r.persons:,} |"
        for r in shown.itertuples()
    ]
    return lines


def _reasons(missed: pd.DataFrame) -> np.ndarray:
    """Return why each figure misses."""
    bound, error = missed["bound"], missed["error"]
    nobody, few = missed["simulated"].isna(), bound < FEW_FROM * error
    chance = missed["off"].abs() <= bound + CHANCE_TO * error
    return np.select([nobody, few, chance], [NOBODY, FEW, CHANCE], default=SIMULATION)


def simulated_panel(n_persons: int, seed: int, folder: Path) -> tuple[Panel, list[str]]:
    """Simulate an extract in a folder, build its panel there and return it, with how long it took."""
    began = time.perf_counter()
    definitions = Definitions.preset("dfe-2021", deflator=illustrative_deflator())
    with simulate_extract(folder / "extract", n_persons=n_persons, seed=seed) as extract:
        simulated = time.perf_counter()
        build_panel(extract, definitions=definitions, to=folder / "panel")
    built = time.perf_counter()
    notes = [f"Simulated in {simulated - began:.0f} s, built in {built - simulated:.0f} s."]
    return Panel.open(folder / "panel"), notes


def main() -> None:
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=3_600_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--panel", type=Path, help="a panel built before, instead of a simulation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.panel:
            panel, notes = Panel.open(options.panel), []
        else:
            panel, notes = simulated_panel(options.persons, options.seed, Path(folder))
        text = page(compare(panel), panel.n_person, notes)
    if options.to:
        options.to.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
