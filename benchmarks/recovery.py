"""What controls recover of the degree's true effect in a simulated population, and what a raw comparison says.

    python -m benchmarks.recovery [--persons 300000] [--seed 1]

prints a table of Markdown: by sex, graduates against level 3 or above without a degree, log real earnings in year 13
after key stage 4. The truth is that of the process, over persons of both levels; pupils of independent schools, about
whom records say little, are left out on both sides.
"""

from __future__ import annotations

import argparse

import leoreturns as lr

COHORTS = (2004, 2005, 2006)  # their points at key stage 4 and their year 13 before 2020-21 are on record
CONTROLS = (
    "ks4_points + I(ks4_points**2) + prior_attainment + fsm + sen + ethnicity + first_language + school_type + region"
    " + idaci_quintile + ks4_five_ac + ks5_route"
)
ARMS = "C(education_level, ref='level 3 or above')"
SCHOOLS = "('mainstream', 'selective')"
LEVELS = "('graduate', 'level 3 or above')"


def rows(n_persons: int, seed: int) -> list[str]:
    """Return the rows of the table."""
    definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator())
    panel = lr.simulate_panel(n_persons=n_persons, seed=seed, definitions=definitions, cohorts=COHORTS)
    told = panel.settings["simulation"]["estimands"]["degree"]["values"]
    sample = panel.at(years_since_ks4=13).where(f"education_level in {LEVELS} and school_type in {SCHOOLS}")
    table = []
    for sex, name in (("M", "men"), ("F", "women")):
        # Free school meals are on record for pupils of maintained schools: both groups together are these.
        groups = [value for value in told if value["of"] == "all" and value["group"].startswith(f"{sex}, fsm ")]
        persons = sum(value["persons"] for value in groups)
        truth = sum(value["process"] * value["persons"] for value in groups) / persons
        part = sample.where(f"sex == '{sex}'")
        for label, controls in (("raw", "1"), ("with controls", CONTROLS)):
            found = lr.treatment_effect(
                f"log_earnings ~ {controls}", f"{ARMS} ~ {controls}", part, method="ra", estimand="ATE",
                cov=lr.Clustered("school"),
            )  # fmt: skip
            low, high = found.conf_int().iloc[0]
            table.append(
                f"| {name}, {label} | {found.nobs:,} | {found.values[0]:.4f} | {low:.4f} to {high:.4f} | {truth:.4f} |"
            )
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| comparison | persons | effect | 95% interval | truth |\n|---|---:|---:|---|---:|")
    print("\n".join(rows(options.persons, options.seed)))


if __name__ == "__main__":
    main()
