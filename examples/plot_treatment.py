"""
One comparison by six estimators
================================

Union men against others in 1987, in the panel of Vella and Verbeek (1998): regression adjustment, weighting, both
together, balancing weights and matching on one sample, with balance, errors that know that the chances were estimated,
and what confounding it would take to explain the difference away.
"""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from linearmodels.datasets import wage_panel
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

import leoreturns as lr

panel = lr.Panel.from_frame(wage_panel.load(), person="nr", time="year", units={"lwage": "log"})
men = panel.at(year=1987)
covariates = "educ + exper + black + hisp + married"

# %%
# Before any outcome is opened
# ----------------------------
# Weights that make the covariates of other men those of union men, and how alike the arms are before and after.
weighted: lr.Weighted = lr.weight("union", covariates, men, method="entropy", estimand="ATT")
print(weighted)
assert len(weighted.weights()) == men.n_person
balance: lr.Balance = weighted.balance()
print(balance.to_frame()["after"].round(3))
assert balance.largest < 1e-8
balance

# %%
# What the weights are worth, and where the arms overlap: counts of men by their chance of being in a union.
print(weighted.diagnostics().round(2))
weighted.overlap()

# %%
# A warning names the arm in which one person has much of all weight, with numbers. Here none has.
with warnings.catch_warnings():
    warnings.simplefilter("error", lr.WeightWarning)
    lr.weight("union", covariates, men, method="ipw", estimand="ATE")

# %%
# Matches on the chance of being a union man; ties are kept, so that the order of the rows decides nothing.
matched: lr.Matched = lr.match("union", covariates, men, estimand="ATT", caliper=0.2)
print(matched.counts)
matched.balance()

# %%
# As figures, drawn at release from protected numbers: how far apart the covariates are before and after, and how the
# score is spread in each arm, in bins of persons enough.
overlap: lr.Overlap = matched.overlap()
print(overlap)
charts = {
    "balance": lr.BalanceChart(matched.balance(), labels={"educ": "Years of schooling"}),
    "overlap": lr.OverlapChart(overlap),
}
with TemporaryDirectory() as folder:
    released = lr.release(charts, policy="ons-srs", to=Path(folder) / "out")
    print(released)

# %%
# By the distance in the covariates themselves, for men whose chances are close.
close = lr.match("union", covariates, men, estimand="ATT", distance="mahalanobis", caliper=0.2)
print(close)

# %%
# All other men about a score, weighted by their distance, and classes of the score.
kernel = lr.match("union", covariates, men, estimand="ATT", method="kernel", common_support=True)
quintiles = lr.match("union", covariates, men, estimand="ATT", method="subclass", subclasses=5)

# %%
# Strata of covariates that are equal once years of schooling and experience are put in bins.
strata = lr.match("union", covariates, men, estimand="ATT", method="cem", cuts={"educ": [10.5, 12.5], "exper": 4})
print(strata)

# %%
# One sample, one estimand
# ------------------------
outcome, arms = f"lwage ~ {covariates}", f"union ~ {covariates}"
found = {
    method: lr.treatment_effect(outcome, arms, men, method=method, estimand="ATT", cov=lr.Robust("HC1"))
    for method in ("ra", "ipw", "ipwra", "aipw", "entropy", "tilting")
}
forest = {"n_estimators": 20, "min_samples_leaf": 40, "random_state": 0}
found["dml"] = lr.treatment_effect(
    outcome, arms, men, method="dml", estimand="ATT", cov=lr.Robust("HC1"),
    learners=(RandomForestRegressor(**forest), RandomForestClassifier(**forest)),
)  # fmt: skip
matching: lr.EffectEstimate = matched.effect("lwage", cov=lr.AbadieImbens(), adjust=covariates)
found["matching"] = matching
found["Mahalanobis"] = close.effect("lwage", cov=lr.AbadieImbens(), adjust=covariates)
found["kernel"] = kernel.effect("lwage", cov=lr.Robust("HC1"))
found["weights"] = weighted.effect("lwage", cov=lr.Robust("HC1"))
pd.concat({method: estimate.to_frame().iloc[[0]] for method, estimate in found.items()})

# %%
# In quintiles of the score each has an effect of its own besides.
quintiles.effect("lwage", cov=lr.Robust("HC1")).to_frame().iloc[:6]

# %%
# Year by year
# ------------
# The same men in every year: intervals for each year, and a band that all years lie in together.
years: lr.EffectEstimate = lr.treatment_effect(
    outcome, arms, panel, method="ipwra", estimand="ATT", cov=lr.Clustered("person"), path="year"
)
print(years.bands().loc[lambda rows: rows["comparison"] == "1 v 0", ["year", "low", "high", "band_low", "band_high"]])
chart = lr.EffectChart(years, x="year", title="Union men against others")

# %%
# Membership in 1987 cannot have changed pay from 1980 to 1982: if that differs, men are not alike, or joined before.
before = panel.at(year=[1980, 1981, 1982]).to_frame().pivot(index="nr", columns="year", values="lwage")
later = men.to_frame().set_index("nr")[["union", *covariates.split(" + ")]]
placebo: lr.EffectEstimate = lr.treatment_effect(
    [f"pay_{year} ~ {covariates}" for year in before], arms, later.join(before.add_prefix("pay_")).reset_index(),
    method="ipwra", estimand="ATT", cov=lr.Clustered("nr"), person="nr",
)  # fmt: skip
print(placebo.joint_test())
placebo.bands()[["outcome", "coefficient", "p", "p_adjusted"]].head(3)

# %%
# Persons who could not be linked
# -------------------------------
# In a simulated cohort some have no tax record; those who have one are weighted to stand for all.
definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator())
cohort = lr.simulate_panel(n_persons=5_000, seed=1, definitions=definitions).at(years_since_ks4=10)
links: lr.LinkWeights = lr.link_weights("linked_to_tax_records", "sex + ks4_points", cohort)
print(links)
routes = cohort.where("ks5_route in ['A level', 'vocational']")
lr.treatment_effect(
    "log_earnings ~ sex + ks4_points", "C(ks5_route, ref='A level') ~ sex + ks4_points", routes, method="ipwra",
    estimand="ATT", cov=lr.Clustered("school"), weights=links,
)  # fmt: skip

# %%
# Without replacement a pair is a cluster.
pairs = lr.match("union", covariates, men, estimand="ATT", replace=False, order="closest", caliper=0.2)
pairs.effect("lwage", cov=lr.Clustered("pair"))

# %%
# What it would take
# ------------------
short = lr.feols("lwage ~ union", men, cov=lr.Unadjusted())
long = lr.feols(f"lwage ~ union + {covariates}", men, cov=lr.Unadjusted())
assert isinstance(short, lr.Estimate)
assert isinstance(long, lr.Estimate)
selection: lr.Selection = lr.oster(short, long, term="union")
print(selection)
strength: lr.Robustness = lr.robustness_value(long, "union", benchmarks=["educ"])
strength

# %%
# The chart of what such a variable would leave is drawn at release, from rounded numbers.
chart: lr.ContourChart = strength.contours(title="What an omitted variable would leave of the union premium")
chart.benchmarks[["benchmark", "times", "r2_term", "r2_outcome", "coefficient"]]

# %%
# For pairs: how many times as likely one of two alike might be to join before the test says nothing.
lr.rosenbaum_bounds(pairs.differences("lwage"), [1, 1.25, 1.5, 2])
