"""
What a regression says, and how sure it is
==========================================

The union wage premium in the panel of Vella and Verbeek (1998): with men's own fixed effects, several ways to be sure
of it, and what stands behind each coefficient before anyone asks to take it out.
"""

import warnings

from linearmodels.datasets import wage_panel

import leoreturns as lr

panel = lr.Panel.from_frame(wage_panel.load(), person="nr", time="year", units={"lwage": "log"})

# %%
# Men and years
# -------------
# The formula is the one that applied economists write: outcome, regressors, effects. The persons are eliminated while
# the rows are read, the years are solved for with the coefficients; the result says so, and names what was left out.
fit = lr.feols("lwage ~ union + married + expersq | nr + year", panel, cov=lr.Clustered("nr"))
assert isinstance(fit, lr.Estimate)
fit

# %%
# Effects on a log outcome in per cent, and a test of all coefficients together:
fit.percent()

# %%
fit.wald()

# %%
# Several regressions share their scans: one for each set of regressors and effects.
menu = lr.feols("lwage ~ csw(union, married, expersq) | sw(year, nr + year)", panel, cov=lr.Clustered("nr"))
assert isinstance(menu, lr.Estimates)
menu

# %%
# How sure
# --------
# The same coefficient under different assumptions. No covariance is the default: it is part of the question.
plan = lr.BootstrapPlan(399, unit="person", seed=1980, interval="normal")
covariances: list[lr.Covariance] = [
    lr.Unadjusted(),
    lr.Robust("HC1"),
    lr.Clustered("nr"),
    lr.DriscollKraay(2),
    lr.Jackknifed("person"),
    lr.Resampled(plan),
    lr.WildCluster("person", 399, seed=1980, params=["union"]),
]
formula = "lwage ~ union + married + expersq | nr + year"
for cov in covariances:
    found = lr.feols(formula, panel, cov=cov, ssc=lr.SmallSample(effects="nonnested"))
    print(f"{found.cov_name:55s} {found.std_errors['union']:.5f}  p = {found.pvalues['union']:.4f}")

# %%
# What stands behind it
# ---------------------
# Only men who change their union status tell us anything here. The evidence says how many persons of equal weight a
# coefficient is worth, and how much of it hangs on a single one.
fit.evidence.to_frame()

# %%
# Eight years are few clusters. The regression says so, and the figures of the clusters show how few they are worth.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", lr.ClusterWarning)
    by_year = lr.feols("lwage ~ union + married | nr", panel, cov=lr.Clustered("year"))
assert isinstance(by_year, lr.Estimate) and issubclass(caught[0].category, lr.ClusterWarning)
print(caught[0].message)
by_year.clusters()

# %%
# The effects themselves can be looked at, inside; they never leave.
effects = lr.fixed_effects(formula, panel)
assert isinstance(effects, lr.FixedEffects)
effects

# %%
# What the data do not identify
# -----------------------------
# A third part of the formula names what is endogenous and what moves it. A trait moves nothing within persons: such an
# instrument is refused with the reason.
try:
    lr.feols("lwage ~ married | nr + year | union ~ hisp", panel, cov=lr.Clustered("nr"))
except lr.NotIdentifiedError as error:
    print(error)
