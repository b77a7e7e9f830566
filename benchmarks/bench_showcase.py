"""The showcase at national scale, from the panel: every question, by every characteristic of the report.

3.6 million persons of six cohorts with 10 to 15 tax years each, 45 million rows. 999 replicates for the trajectories of
median earnings by level of education, for the outcomes of year 13 and for the levels of education; the other tables
without intervals. Bars: under five minutes on two cores, and under 10 GB for the whole process.

    python -m benchmarks.bench_showcase [persons, or folder of a stored panel]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import psutil

import leoreturns as lr
from benchmarks.measure import PeakMemory
from leoreturns.panel.activity import ACTIVITIES
from leoreturns.questions.breakdown import CHARACTERISTICS

COHORTS = np.arange(2002, 2008)
LAST_TAX_YEAR = 2017
SECONDS, GIGABYTES = 300.0, 10.0
LEVELS = {
    "sex": ["M", "F"],
    "sen": ["none", "without a statement", "with a statement"],
    "ethnicity": ["White", "Asian", "Black", "Chinese", "Mixed", "other"],
    "ethnicity_minor": ["White British", *(f"group {n}" for n in range(17))],
    "first_language": ["English", "other"],
    "school_type": ["mainstream", "independent", "other", "selective", "special"],
    "region": ["London", *(f"region {n}" for n in range(8))],
    "idaci_quintile": ["5 least deprived", "4", "3", "2", "1 most deprived"],
    "education_level": ["level 2 or below", "level 3 or above", "graduate"],
}


def national_panel(persons: int) -> lr.Panel:
    """Simulate persons with the columns that the questions need: sizes are right, relations are not."""
    draw = np.random.default_rng(27)
    cohort = draw.choice(COHORTS, persons).astype(np.int16)
    length = LAST_TAX_YEAR - cohort
    person = np.repeat(np.arange(persons, dtype=np.int32), length)
    since = (np.arange(len(person)) - np.repeat(np.cumsum(length) - length, length) + 1).astype(np.int8)
    traits = {
        name: pd.Categorical.from_codes(draw.integers(0, len(labels), persons)[person].astype(np.int8), labels)
        for name, labels in LEVELS.items()
    }
    traits |= {name: (draw.random(persons) < share)[person] for name, share in (("fsm", 0.15), ("ks4_five_ac", 0.56))}
    traits |= {"school": draw.integers(0, 3200, persons)[person]}
    # Activities last: a new one is drawn every few years.
    change = draw.random(len(person), dtype=np.float32) < 0.25
    change[np.cumsum(length) - length] = True
    spell = np.cumsum(change) - 1
    activity = draw.integers(0, len(ACTIVITIES), spell[-1] + 1, dtype=np.int8)[spell]
    del spell, change
    at_work = draw.random(len(person), dtype=np.float32) < 0.7
    earnings = draw.standard_normal(len(person))
    earnings *= 0.6
    earnings += 9.2 + 0.06 * since
    np.exp(earnings, out=earnings)
    earnings[~at_work] = np.nan
    columns = {
        "person": person,
        "tax_year": since + cohort[person],
        "years_since_ks4": since,
        "main_activity": pd.Categorical.from_codes(activity, list(ACTIVITIES), ordered=True),
        "in_paid_work": at_work,
        "sustained_employment": at_work & (draw.random(len(person), dtype=np.float32) < 0.8),
        "real_earnings": earnings,
        **traits,
    }
    return lr.Panel.from_frame(
        columns,
        person="person",
        time="tax_year",
        traits=list(traits),
        units={"real_earnings": "GBP/year"},
        entities=["school"],
        time_varying=["years_since_ks4"],
    )


def main(panel: lr.Panel) -> bool:
    """Ask every question once; return whether both bars are met."""
    plan = lr.BootstrapPlan(999, seed=1)
    calls: dict[str, Callable[[], lr.Answer]] = {
        "main_activities": partial(lr.main_activities, panel),
        "earnings_trajectories": partial(lr.earnings_trajectories, panel),
        "earnings_trajectories, 999 replicates": partial(
            lr.earnings_trajectories, panel, characteristics=[], statistics=["p50"], plan=plan
        ),
        "labour_outcomes, 999 replicates": partial(lr.labour_outcomes, panel, plan=plan),
        "education_levels, 999 replicates": partial(lr.education_levels, panel, plan=plan),
        "pathways": partial(lr.pathways, panel),
    }
    held = psutil.Process().memory_info().rss / 1e9
    print(f"{panel.n_person:,} persons, {panel.n_row:,} rows, {len(CHARACTERISTICS)} characteristics")
    total, peak = 0.0, held
    for name, call in calls.items():
        with PeakMemory() as memory:
            start = time.perf_counter()
            answer = call()
            seconds = time.perf_counter() - start
        total, peak = total + seconds, max(peak, held + memory.gigabytes)
        print(f"{name}: {len(answer.tables)} tables, {seconds:.1f} s, {memory.gigabytes:.2f} GB above the panel")
    print(f"{total:.1f} s (bar {SECONDS:.0f}), {peak:.2f} GB in all (bar {GIGABYTES:.0f})")
    return total < SECONDS and peak < GIGABYTES


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else "3600000"
    raise SystemExit(0 if main(national_panel(int(given)) if given.isdigit() else lr.Panel.open(given)) else 1)
