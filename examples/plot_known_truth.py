"""
Estimators against a known truth
================================

Nobody knows what a degree causes. In a simulated population it is known, so that an estimator can be held against it
before it meets the real tables. Studies need many populations: these are panels from the start, no table is written.
"""

import numpy as np
import pandas as pd

import leoreturns as lr

# %%
# A population
# ------------
# Year 13 after key stage 4 lies within tax year 2020 for all six cohorts. Prices here are those of an index made up for
# examples.
definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator(), last_tax_year=2020)
panel = lr.simulate_panel(n_persons=20_000, seed=5, definitions=definitions)
panel

# %%
# The truth comes with it: for the process that persons are drawn from, and for those who were drawn.
told = pd.DataFrame(panel.settings["simulation"]["estimands"]["degree"]["values"])
truth = told[told["of"] == "all"].set_index("group").loc[["M", "F"]]
truth

# %%
# What a degree pays
# ------------------
# Against level 3 or above, first as it is, then given marks, characteristics and route: ability goes with marks, and
# marks with degrees. Points at key stage 4 are told for cohorts from 2004.
year_13 = panel.at(years_since_ks4=13).where("education_level in ('graduate', 'level 3 or above')")
year_13 = year_13.assign(graduate="education_level == 'graduate'", level="person")
controls = (
    "ks4_points + prior_attainment + C(ks4_five_ac) + C(fsm) + C(sen) + C(school_type) + C(first_language)"
    " + C(ks5_route) + C(home_region) + C(idaci_quintile)"
)
rows = []
for sex in ("M", "F"):
    group = year_13.where(f"sex == '{sex}'")
    for name, right in (("raw", ""), ("with controls", f" + {controls}")):
        fit = lr.feols(f"log_earnings ~ graduate{right} | cohort", group, cov=lr.Clustered("school"))
        low, high = fit.conf_int().filter(like="graduate", axis=0).iloc[0]
        rows.append({"sex": sex, "regression": name, "truth": truth.loc[sex, "process"], "low": low, "high": high})
pd.DataFrame(rows).round(3)

# %%
# Another truth
# -------------
# Parameters are changed one by one, and persons stay the same: here each year at university without a degree pays two
# per cent, and pupils who had free school meals gain more from one.
other = lr.simulate_panel(
    n_persons=20_000, seed=5, definitions=definitions, truth={"he_year": 0.02, "degree_by_fsm": 0.1}
)
change = other.years["log_earnings"] - panel.years["log_earnings"]
print(f"pay differs in {np.mean(np.abs(change[np.isfinite(change)]) > 0.005):.0%} of the person-years with pay")
