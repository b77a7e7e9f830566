"""
From LEO tables to the first result
===================================

The questions of the Department for Education's report of 27 May 2021, asked of simulated persons: what they do in the
years after key stage 4, what they earn, where they are at about age 29, and how many ways lead there. The tables have
the shape of the real ones and their defects; nobody in them exists, and no number here describes anybody.
:doc:`/tutorial` goes the same way on the command line.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import leoreturns as lr

temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
folder = Path(temporary.name)

# %%
# Tables, definitions, panel
# --------------------------
# Twenty-nine linked tables become one row per person and tax year. What counts as employment, and in whose prices
# earnings are, is named and goes along with every number. The price index here is made up.
definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator())
with lr.simulate_extract(folder / "extract", n_persons=6_000, seed=7) as extract:
    panel = lr.build_panel(extract, definitions=definitions)
panel.flow

# %%
# What they do
# ------------
# Every question returns an answer: tables and charts by name, with the sample, the settings and the definitions behind
# them. It prints no number of a cell.
activities = lr.main_activities(panel, characteristics=["sex"])
assert isinstance(activities, lr.Answer)
activities

# %%
# A table is an aggregate: `n_person` is the denominator, and `share` what part of it has the activity.
shares = activities["activities_by_education_level"].to_frame()
at_ten = shares[shares["years_since_ks4"] == 10]
at_ten.pivot(index="main_activity", columns="education_level", values="share").round(3)

# %%
# What they earn
# --------------
# The median of those in paid work, and beside it that of everybody, with zero for those without paid work. With a plan
# the numbers have intervals.
plan = lr.BootstrapPlan(199, seed=2021)
trajectories = lr.earnings_trajectories(panel, characteristics=["sex"], statistics=["mean", "p50"], plan=plan)
both = {
    kind: trajectories[f"{kind}_by_sex"].pivot("years_since_ks4", "sex", "mean")
    for kind in ("earnings", "earnings_or_zero")
}
pd.concat(both, axis=1).round(-2)

# %%
# Where they are at 29
# --------------------
# Thirteen years after key stage 4, by level of education, with the raw gaps between groups.
outcomes = lr.labour_outcomes(panel, year=13, characteristics=["sex"], plan=plan)
outcomes["earnings_by_sex_and_education_level"].contrasts[0].to_frame().round(1)

# %%
# Denominators
# ------------
# Of all persons some have a degree; of those without one some have level 3. The two shares do not add up, and the names
# of the tables say why.
levels = lr.education_levels(panel, characteristics=["fsm"])
print(levels["degree_by_fsm"])
print(levels["level_3_among_non_graduates_by_fsm"])
levels.settings["denominators"]

# %%
# How many ways
# -------------
# Most sequences of ten years are one person's own. They are counted, never listed; those that many share are named.
ways = lr.pathways(panel, years=10, characteristics=[], level=None, most_common=5)
print(ways["distinct"])
print(ways["holders"])
print(ways["most_common"])

# %%
# Out
# ---
# The answers as they are go through the one door: hidden where too few persons stand behind a number, rounded, drawn
# from the protected numbers.
released = lr.release({"activities": activities, "at_29": outcomes}, policy="ons-srs", to=folder / "release")
print(len(released.files), "files")
for name in ("activities_activities_by_education_level_chart", "at_29_earnings_by_sex_and_education_level_gaps"):
    image = plt.imread(released.path / f"{name}.png")
    figure = plt.figure(figsize=(image.shape[1] / 150, image.shape[0] / 150), dpi=150)
    figure.figimage(image)
plt.show()

# %%
# All of this fits into one file, which ``python -m leoreturns run study.toml`` runs; what is wrong with it is said
# before anything runs.
study = folder / "study.toml"
study.write_text('[panel]\npath = "panel"\n[[question]]\nask = "main_activites"\n[release]\nto = "out"\n')
try:
    from leoreturns.study import read_study

    read_study(study)
except lr.StudyError as error:
    print(error)
