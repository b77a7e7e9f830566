"""
A grid of studies as a batch
============================

Levels of education, pay and the return to routes after 16, for women and men, by cohort: a grid of jobs that run side
by side, go on where they were stopped, and say whether they depart from the analysis plan. Nobody in the data exists.
"""

import tempfile
from pathlib import Path

import leoreturns as lr

temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
folder = Path(temporary.name)
definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator())
lr.simulate_panel(n_persons=6_000, seed=2021, definitions=definitions).save(folder / "panel")

# %%
# The plan, before outcomes are opened
# ------------------------------------
# What is to be estimated, of whom, given what. Locking it writes its hash and the time beside it.
(folder / "plan.toml").write_text("""
estimand = "ATT"
outcome = "log_earnings"
sample = ["years_since_ks4 == 10 and sex == 'F'", "years_since_ks4 == 10 and sex == 'M'"]
covariates = ["fsm", "prior_attainment"]
""")
plan: lr.LockedPlan = lr.lock_plan(folder / "plan.toml")
assert plan.departures({"estimand": "ATT", "outcome": "earnings"}) == ["outcome: earnings not planned"]

# %%
# The spec
# --------
# Names for what the grid is made of, and the studies. A study takes every name unless it lists some.
SPEC = """
title = "Routes after 16"
analysis_plan = "plan.toml"

[definitions.main]
panel = "panel"

[plan]
n_replicates = 99
seed = 2021
interval = "normal"

[outcomes]
log_pay = "log_earnings"
pay = "real_earnings"

[groups]
women = "sex == 'F'"
men = "sex == 'M'"

[cohorts]
early = [2002, 2003, 2004]
late = [2005, 2006, 2007]

[[study]]
name = "levels"
ask = "education_levels"
characteristics = ["fsm"]
intervals = true

[[study]]
name = "vocational"
ask = "treatment_effect"
treatment = "C(ks5_route, ref='A level')"
covariates = "fsm + prior_attainment"
method = "ipwra"
estimand = "ATT"
cov = { clusters = ["school"] }
where = "years_since_ks4 == 10 and ks5_route in ['A level', 'vocational']"
outcomes = ["log_pay"]
cohorts = ["early"]
"""

# %%
# It is checked whole, against the data too, before anything runs; every fault is told with its line.
(folder / "spec.toml").write_text(SPEC.replace("log_earnings", "log_earning").replace("== 'M'", "== 'X'"))
try:
    lr.run_batch(folder / "spec.toml", to=folder / "batch", dry_run=True)
except lr.StudyError as error:
    print(str(error).replace(str(folder), "."))

# %%
# The batch
# ---------
(folder / "spec.toml").write_text(SPEC)
lr.run_batch(folder / "spec.toml", to=folder / "batch", n_jobs=2, only="levels-*")

# %%
# Run again, it does what is still to be done:
batch: lr.Batch = lr.run_batch(folder / "spec.toml", to=folder / "batch", n_jobs=2)
assert not batch.failed and not batch.pending
batch.to_frame()

# %%
# An answer is read when it is asked for, also in another session. It says where it departs from the plan: here by its
# sample, which is restricted to the two routes and the early cohorts.
again = lr.Batch.open(folder / "batch")
women = again["vocational-log_pay-women-early-main"]
print(women.settings["analysis_plan"]["departures"])

# %%
# What is asked for after all becomes part of the plan, on the record:
planned = (folder / "plan.toml").read_text().replace("== 10 and", "== 11 and")
(folder / "plan.toml").write_text(planned)
changed = lr.lock_plan(folder / "plan.toml", reason="pay at 10 years rests on few of the last cohort")
print(changed)

# %%
# Out
# ---
# Answers leave by the same door as any others.
levels = {name: again[name] for name in again if name.startswith("levels-")}
released = lr.release(levels, policy="ons-srs", to=folder / "release")
print(len(released.files), "files")
temporary.cleanup()
