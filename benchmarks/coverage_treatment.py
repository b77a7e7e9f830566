"""Six estimators of one effect over 1,000 simulated populations: bias, and coverage of their 95% intervals, by sex.

A population is 20,000 pupils of the simulator. Of those at mainstream schools whom key stage 5 took to A levels or to
vocational qualifications, and who reached level 3 or a degree, log earnings in year 13 after key stage 4 are compared:
the effect of the vocational route on those who took it, given characteristics, attainment and the level reached, is
0.03 for men and -0.05 for women. Without attainment and level the comparison misses by what the process predicts.

With a folder the lines are added to coverage_treatment.jsonl as they come, and what that file holds is not run again;
coverage_treatment.log tells how it went, coverage_treatment.md is the table.

    python -m benchmarks.coverage_treatment [folder [populations]]
"""

from __future__ import annotations

import logging
import math
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import leoreturns as lr
from benchmarks.studies import add, finished, start_log
from leoreturns.extract.simulate import pay
from leoreturns.extract.simulate.people import A_LEVEL, LEVEL_3, VOCATIONAL, make_people
from leoreturns.extract.simulate.population import MAINSTREAM
from leoreturns.extract.simulate.truth import Truth
from leoreturns.extract.simulate.world import make_world

POPULATIONS, BATCH, YEAR = 1_000, 20, 13
PUPILS, SCHOOLS = 20_000, 650
PREDICTED_WITH = 2_000_000  # pupils
COHORTS = (2004, 2005, 2006)  # their points at key stage 4 and their year 13 before 2020-21 are on record
LAST_TAX_YEAR = COHORTS[-1] + YEAR
TRUTH = {"men": 0.03, "women": -0.05}
SEXES = {"men": "M", "women": "F"}
ARMS = "C(ks5_route, ref='A level')"
CHARACTERISTICS = "fsm + no_sen + white + first_language + region + idaci_quintile"
ATTAINMENT = "ks4_points + prior_attainment + ks4_five_ac * education_level"
COVARIATES = f"{CHARACTERISTICS} + {ATTAINMENT}"
MEANT = ("education_level",)  # the truth is the route's effect among persons of one level, which is reached after it
METHODS = {
    "regression adjustment": "ra",
    "inverse-probability weighting": "ipw",
    "weighted regression adjustment": "ipwra",
    "entropy balancing": "entropy",
    "cross-fitted augmented weighting": "dml",
}
MATCHING, SHORT = "bias-corrected score matching", "regression adjustment without attainment"
LEVEL, LOWEST, HIGHEST = 0.95, 0.93, 0.97
SHARE, LEAST = 0.1, 0.005  # of the effect, and log points, that the bias may be, whichever is larger

log = logging.getLogger("coverage_treatment")


def population(number: int) -> lr.Panel:
    """Year 13 of those with either route whose earnings in it are known."""
    definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator(), last_tax_year=LAST_TAX_YEAR)
    panel = lr.simulate_panel(
        n_persons=PUPILS, seed=number, definitions=definitions, cohorts=COHORTS, n_schools=SCHOOLS, n_jobs=1
    )
    panel = panel.assign(level="person", white="ethnicity == 'White'", no_sen="sen == 'none'")
    return panel.at(years_since_ks4=YEAR).where(
        "ks5_route in ('A level', 'vocational') and education_level in ('graduate', 'level 3 or above')"
        " and school_type == 'mainstream' and log_earnings > 0"
    )


def estimates(number: int) -> dict[str, Any]:
    """Effect and interval by estimator and sex in one population, as one line of the file."""
    sample = population(number)
    line: dict[str, Any] = {"population": number}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lr.WeightWarning)
        for name, method in METHODS.items():
            line |= _by_sex(name, sample, COVARIATES, method)
        line |= _by_sex(SHORT, sample, CHARACTERISTICS, "ra")
        for sex, label in SEXES.items():
            matched = lr.match(
                ARMS, COVARIATES, sample.where(f"sex == '{label}'"), estimand="ATT", allow_later=MEANT, n_jobs=1
            )
            effect = matched.effect("log_earnings", cov=lr.AbadieImbens(), adjust=COVARIATES)
            line[f"{MATCHING}, {sex}"] = [float(effect.values[0]), *_interval(effect, 0)]
    return line


def _by_sex(name: str, sample: lr.Panel, covariates: str, method: Any) -> dict[str, list[float]]:
    found = lr.treatment_effect(
        f"log_earnings ~ {covariates}", f"{ARMS} ~ {covariates}", sample, method=method, estimand="ATT",
        cov=lr.Clustered("school"), by="sex", allow_later=MEANT, n_jobs=1,
    )  # fmt: skip
    places = {sex: found.names.index(f"vocational v A level [{label}]") for sex, label in SEXES.items()}
    return {f"{name}, {sex}": [float(found.values[at]), *_interval(found, at)] for sex, at in places.items()}


def _interval(found: lr.EffectEstimate, at: int) -> list[float]:
    return [float(end) for end in found.conf_int(LEVEL).iloc[at]]


def predicted() -> dict[str, float]:
    """By how much the comparison without attainment misses, by sex, as the process has it.

    That is the comparison of the pay that is due to the level reached, to characteristics and to ability, without what
    the routes cause and without chance.
    """
    truth, rng = Truth(), np.random.default_rng(1)
    people = make_people(PREDICTED_WITH, COHORTS, make_world(PREDICTED_WITH, rng), truth, rng)
    places = pay.effects().places(people.codes)
    frame = pd.DataFrame(
        {
            "person": np.arange(len(people)),
            "sex": np.where(people.female, "women", "men"),
            "route": people.route,
            "due": pay.level_pay(people, places, people.level, YEAR, truth),
            "fsm": people.fsm,
            "no_sen": people.sen == 0,
            "white": np.isin(people.codes["ethnicity_minor"], (0, 1)),
            "english": people.english,
            "region": people.region,
            "idaci": people.codes["idaci"],
        }
    )
    either = (people.school_type == MAINSTREAM) & np.isin(people.route, (A_LEVEL, VOCATIONAL))
    frame = frame[either & (people.level >= LEVEL_3)]
    covariates = "fsm + no_sen + white + english + C(region) + C(idaci)"
    found = lr.treatment_effect(
        f"due ~ {covariates}", f"C(route, ref={A_LEVEL}) ~ {covariates}", frame, method="ra", estimand="ATT",
        cov=lr.Robust("HC1"), by="sex", person="person",
    )  # fmt: skip
    return {sex: float(found.values[found.names.index(f"{VOCATIONAL} v {A_LEVEL} [{sex}]")]) for sex in SEXES}


def study(path: Path | None, populations: int) -> pd.DataFrame:
    """Run the populations that the file does not hold yet, adding each batch when it is finished; return every line."""
    lines = finished(path)
    known = {line["population"] for line in lines}
    left = [number for number in range(populations) if number not in known]
    for first in range(0, len(left), BATCH):
        start = time.perf_counter()
        found = [estimates(number) for number in left[first : first + BATCH]]
        log.info("%s populations: %.0f s", len(found), time.perf_counter() - start)
        add(path, found)
        lines += found
    return pd.DataFrame(lines)


def coverages(lines: pd.DataFrame) -> pd.DataFrame:
    """One row per estimator and sex: bias and its simulation error, standard deviation, coverage, median width."""
    rows = []
    for name in (*METHODS, MATCHING, SHORT):
        for sex, effect in TRUTH.items():
            value, low, high = np.array(lines[f"{name}, {sex}"].tolist()).T
            rows.append(
                {
                    "estimator": name,
                    "sex": sex,
                    "bias": float(value.mean() - effect),
                    "error": float(value.std(ddof=1) / math.sqrt(len(value))),
                    "sd": float(value.std(ddof=1)),
                    "coverage": float(((low <= effect) & (high >= effect)).mean()),
                    "width": float(np.median(high - low)),
                }
            )
    return pd.DataFrame(rows)


def within_bar(row: Any) -> bool:
    """Whether bias and coverage are as they must be."""
    allowed = max(SHARE * abs(TRUTH[row.sex]), LEAST)
    return abs(row.bias) <= allowed and LOWEST <= row.coverage <= HIGHEST


def as_markdown(table: pd.DataFrame, populations: int, misses: dict[str, float]) -> str:
    """The table, bold where it is outside the bar."""
    text = ["| estimator | sex | bias | (error) | sd | coverage | width |", "|---|---|---:|---:|---:|---:|---:|"]
    for row in table.itertuples():
        covered = f"{100 * row.coverage:.1f}"
        if not within_bar(row):
            covered = f"**{covered}**"
        text.append(
            f"| {row.estimator} | {row.sex} | {row.bias:+.4f} | ({row.error:.4f}) | {row.sd:.3f} | {covered} |"
            f" {row.width:.3f} |"
        )
    due = ", ".join(f"{miss:+.3f} for {sex}" for sex, miss in misses.items())
    note = f"{populations:,} populations. Without attainment the process predicts a miss of {due}."
    return "\n".join([*text, "", note, ""])


def main(folder: Path | None, populations: int = POPULATIONS) -> bool:
    """Run the study and tabulate it; return whether the bar is met."""
    start_log(folder, "coverage_treatment")
    lines = study(folder / "coverage_treatment.jsonl" if folder is not None else None, populations)
    table, misses = coverages(lines), predicted()
    if folder is not None:
        (folder / "coverage_treatment.md").write_text(as_markdown(table, len(lines), misses), encoding="utf-8")
    for row in table.itertuples():
        log.info("%-42s %-6s bias %+.4f coverage %.3f", row.estimator, row.sex, row.bias, row.coverage)
    log.info("predicted without attainment: %s", misses)
    return all(within_bar(row) for row in table.itertuples() if row.estimator != SHORT)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    met = main(Path(arguments[0]) if arguments else None, int(arguments[1]) if len(arguments) > 1 else POPULATIONS)
    raise SystemExit(0 if met else 1)
