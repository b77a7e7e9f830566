"""Coverage of 95% intervals of `feols` over 1,000 simulated populations, by covariance and number of schools.

A population is 20,000 pupils of the simulator, whose schools differ by a tenth in pay beside the pupils that they have.
Of its mainstream schools 30, 60 or 400 are drawn and half of these are treated: log earnings in year 13 after key stage
4 are 0.05 higher. They are regressed on the treatment, five controls and effects of cohorts.

A population hangs on its number and the number of schools alone. A job is a batch of populations; with a folder its
lines are added to coverage_feols.jsonl when it is finished, and what that file holds is not run again: a study that was
stopped goes on where it was. coverage_feols.log tells how it went, coverage_feols.md is the table.

    python -m benchmarks.coverage_feols [folder [populations]]
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import leoreturns as lr
from benchmarks.studies import add, finished, start_log

SEED = 271_828
POPULATIONS, BATCH = 1_000, 20
PUPILS, YEAR, EFFECT, SCHOOL_SD = 20_000, 13, 0.05, 0.1
# Schools in the regression -> schools simulated: of all types, so that enough of them are mainstream.
SIZES = {60: 140, 400: 650, 30: 90}
FORMULA = "outcome ~ treated + sex + fsm + sen + ks4_five_ac + prior_attainment | cohort"
REPLICATES = 999
COVARIANCES: dict[str, lr.Covariance] = {
    "HC1, not clustered": lr.Robust("HC1"),
    "CRV1": lr.Clustered("school"),
    "CRV3": lr.Jackknifed("school"),
    "wild, WCR11": lr.WildCluster("school", REPLICATES, seed=SEED, params=["treated"]),
    "wild, WCR31": lr.WildCluster("school", REPLICATES, seed=SEED, params=["treated"], kind="31"),
}
LEVEL, LOWEST, HIGHEST, BAR_SIZE = 0.95, 0.93, 0.97, 60
BARRED = ("CRV3", "wild, WCR11", "wild, WCR31")

log = logging.getLogger("coverage_feols")


def definitions() -> lr.Definitions:
    """Year 13 of all six cohorts lies within tax year 2020."""
    return lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator(), last_tax_year=2020)


def population(schools: int, number: int) -> lr.Panel:
    """Year 13 of the pupils of so many mainstream schools, half of which are treated."""
    panel = lr.simulate_panel(
        n_persons=PUPILS,
        seed=number,
        definitions=definitions(),
        truth={"school_sd": SCHOOL_SD},
        n_schools=SIZES[schools],
        n_jobs=1,
    )
    rng = np.random.default_rng([SEED, schools, number])
    of_person, kind = panel.people["school"], panel.people["school_type"]
    mainstream = panel.schema.columns["school_type"].labels.index("mainstream")
    drawn = rng.choice(np.unique(of_person[kind == mainstream]), schools, replace=False)
    treated = np.full(len(panel.schema.columns["school"].labels), np.nan)
    treated[drawn] = np.arange(schools) % 2
    panel = panel.assign(level="person", treated=treated[of_person])
    return panel.assign(outcome=f"log_earnings + {EFFECT} * treated").at(years_since_ks4=YEAR)


def intervals(schools: int, number: int) -> dict[str, Any]:
    """The estimate and the intervals of one population, as one line of the file."""
    panel = population(schools, number)
    line: dict[str, Any] = {"schools": schools, "population": number}
    for name, covariance in COVARIANCES.items():
        fit = lr.feols(FORMULA, panel, cov=covariance, n_jobs=1)
        low, high = fit.conf_int(LEVEL).loc["treated"]
        line |= {"rows": fit.nobs, "estimate": float(fit.params["treated"]), name: [float(low), float(high)]}
    return line


def jobs(done: pd.DataFrame, populations: int) -> Iterator[tuple[int, list[int]]]:
    """Yield batches of populations that are not among the lines done, all numbers of schools in turn."""
    known = set(zip(done["schools"], done["population"], strict=True)) if len(done) else set()
    for first in range(0, populations, BATCH):
        for schools in SIZES:
            batch = range(first, min(first + BATCH, populations))
            if left := [number for number in batch if (schools, number) not in known]:
                yield schools, left


def study(path: Path | None, populations: int) -> pd.DataFrame:
    """Run all jobs that the file does not hold yet, adding each when it is finished; return every line."""
    lines = finished(path)
    for schools, batch in jobs(pd.DataFrame(lines), populations):
        start = time.perf_counter()
        found = [intervals(schools, number) for number in batch]
        log.info("%s schools, %s populations: %.0f s", schools, len(batch), time.perf_counter() - start)
        add(path, found)
        lines += found
    return pd.DataFrame(lines)


def coverages(lines: pd.DataFrame) -> pd.DataFrame:
    """One row per number of schools and covariance: populations, coverage and its simulation error, mean width."""
    rows = []
    for schools, part in lines.groupby("schools"):
        for name in COVARIANCES:
            low, high = np.array(part[name].tolist()).T
            coverage = float(((low <= EFFECT) & (high >= EFFECT)).mean())
            rows.append(
                {
                    "schools": schools,
                    "method": name,
                    "populations": len(part),
                    "coverage": coverage,
                    "error": math.sqrt(coverage * (1 - coverage) / len(part)),
                    "width": float(np.median(high - low)),
                }
            )
    return pd.DataFrame(rows)


def as_markdown(table: pd.DataFrame) -> str:
    """Coverage in per cent, with the median width below; bold where it is outside the bar, before rounding."""
    sizes = sorted(set(table["schools"]))
    found = {(row.method, row.schools): row for row in table.itertuples()}
    counts = table.groupby("schools")["populations"].max()
    text = ["| interval |" + "".join(f" {n} schools | width |" for n in sizes), "|---|" + "---:|---:|" * len(sizes)]
    for name in COVARIANCES:
        cells = (f" {_shown(found[name, n].coverage)} | {found[name, n].width:.3f} |" for n in sizes)
        text.append(f"| {name} |" + "".join(cells))
    populations = ", ".join(f"{counts[n]:,} at {n}" for n in sizes)
    note = f"Populations: {populations} schools. Bold: outside {100 * LOWEST:g} to {100 * HIGHEST:g} per cent."
    return "\n".join([*text, "", note, ""])


def _shown(coverage: float) -> str:
    text = f"{100 * coverage:.1f}"
    return text if LOWEST <= coverage <= HIGHEST else f"**{text}**"


def main(folder: Path | None, populations: int = POPULATIONS) -> bool:
    """Run the study and tabulate it; return whether the bar is met."""
    start_log(folder, "coverage_feols")
    table = coverages(study(folder / "coverage_feols.jsonl" if folder is not None else None, populations))
    if folder is not None:
        (folder / "coverage_feols.md").write_text(as_markdown(table), encoding="utf-8")
    for row in table.itertuples():
        log.info("%4s schools  %-20s %.3f (error %.3f)", row.schools, row.method, row.coverage, row.error)
    barred = table[(table["schools"] == BAR_SIZE) & table["method"].isin(BARRED)]
    return bool(barred["coverage"].between(LOWEST, HIGHEST).all())


if __name__ == "__main__":
    arguments = sys.argv[1:]
    met = main(Path(arguments[0]) if arguments else None, int(arguments[1]) if len(arguments) > 1 else POPULATIONS)
    raise SystemExit(0 if met else 1)
