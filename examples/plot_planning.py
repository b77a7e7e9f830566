"""
Planning a study
================

How large an effect must be to be found, before any outcome is opened: groups and schools, a regression by its own
regressors, a weighted sample, a jump at a cutoff; and what a study file says to an application for data. Everybody here
is simulated.
"""

import tempfile
from pathlib import Path

import pandas as pd

import leoreturns as lr

definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator())
panel = lr.simulate_panel(n_persons=20_000, seed=1, definitions=definitions)
then = panel.at(years_since_ks4=13)

# %%
# Groups by cell
# --------------
# Men and women with and without free school meals, at age 29. The spread of log earnings comes from published figures.
counts = lr.aggregate(then, None, by=["sex", "fsm"], statistics=["n_person"]).to_frame()
sizes = counts.pivot(index="sex", columns="fsm", values="n_person").astype(float)
sample: lr.PlannedSample = lr.PlannedSample.of_groups(sizes[True], sizes[False])
found: lr.DetectableEffects = lr.minimum_detectable_effect(sample, statistic="median", sd=0.65)
found

# %%
# A share is found by how far it lies from that of the others.
lr.minimum_detectable_effect(sample, statistic="share", share=0.56).to_frame()

# %%
# Whole schools
# -------------
# A reform of 60 schools, compared with 120 others: pupils of a school are alike.
schools = lr.ClusterSizes(icc=0.08, mean=180, cv=0.4)
print(f"design effect {schools.design_effect:.1f}")
reform = lr.PlannedSample.of_groups(60 * 180, 120 * 180, clusters=schools)
lr.minimum_detectable_effect(reform, sd=0.65, r2=0.3)

# %%
# A regression
# ------------
# What the routes' coefficients are worth once attainment and the school are taken out, from the regressors alone.
routes = lr.PlannedSample.of_regression(
    "~ C(ks5_route, ref='A level') + sex + fsm + ks4_points | school", then, clusters="school", icc=0.02
)
effects = lr.minimum_detectable_effect(routes, sd=0.65, r2=0.2).to_frame()
effects[effects.index.str.contains("ks5_route")]

# %%
# A weighted sample
# -----------------
# Weights cost persons: those of equal weight that are left decide.
two = then.where("ks5_route in ['A level', 'vocational']")
weighted = lr.weight("C(ks5_route, ref='A level')", "sex + fsm + ks4_five_ac", two, method="ipw", estimand="ATT")
lr.minimum_detectable_effect(lr.PlannedSample.of_balance(weighted.balance()), sd=0.65)

# %%
# A jump
# ------
# Points at key stage 4 and an imagined threshold: persons within the bandwidth, and what they are worth at its edge.
jumps = {
    bandwidth: lr.minimum_detectable_effect(
        lr.PlannedSample.of_discontinuity("ks4_points", then, cutoff=300, bandwidth=bandwidth), sd=0.65
    ).to_frame()
    for bandwidth in (20, 40, 80)
}
pd.concat(jumps, names=["bandwidth"])

# %%
# An application
# --------------
# Which tables and columns the questions of a study file rest on, what sizes to expect, and what the policy would hide.
STUDY = """
title = "Routes and work at 29"
[panel]
path = "panel"
[extract]
path = "extract"
[definitions]
preset = "dfe-2021"
deflator = "illustrative"
[[question]]
ask = "labour_outcomes"
characteristics = ["sex", "fsm", "ks5_route"]
level = false
[release]
to = "release"
"""
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "study.toml"
    path.write_text(STUDY)
    application: lr.Needs = lr.needs(path, persons=150_000, simulated=20_000)
application

# %%
# Every column is a row of its own.
application.data[application.data["table"] == "earnings"][["column", "meaning", "first_year", "last_year"]]
