"""
Between and within persons
==========================

What the same men earn when they change their union status, and what other men earn who are in a union: several ways to
use a panel, on the wages of Vella and Verbeek (1998).
"""

from linearmodels.datasets import mroz, wage_panel

import leoreturns as lr

panel = lr.Panel.from_frame(wage_panel.load(), person="nr", time="year", units={"lwage": "log"})
by_men = lr.Clustered("nr")

# %%
# The same coefficient
# --------------------
# Between men, within men, and from one year to the next.
fits = {
    "between": lr.between("lwage ~ union + married + educ", panel, cov=lr.Robust("HC1")),
    "within": lr.feols("lwage ~ union + married | nr + year", panel, cov=by_men),
    "changes": lr.first_difference("lwage ~ union + married | year", panel, cov=by_men),
}
lr.table(fits)

# %%
# Both at once
# ------------
# Men's means among the regressors: the coefficients are those within men, traits keep theirs, and the means say by how
# much men differ beyond that. That none does would be random effects' assumption; it is tested by the covariance asked
# for.
both = lr.mundlak("lwage ~ union + married + educ", panel, cov=by_men)
both

# %%
both.settings["equality within and between"]

# %%
# What moves the premium
# ----------------------
# Of what other regressors take away from the premium, by how much each group does; the order of adding does not matter
# (Gelbach 2016). The parts have standard errors and evidence, like any estimate.
parts = lr.gelbach(
    "lwage ~ union | year",
    {"schooling": "educ", "work": "exper + expersq", "family": "married", "origin": "black + hisp"},
    panel,
    param="union",
    cov=by_men,
)
parts

# %%
# Estimators of linearmodels
# --------------------------
# Random effects, limited-information maximum likelihood and the generalised method of moments come from linearmodels,
# under the same formulas and with the same counts and evidence.
random = lr.random_effects("lwage ~ union + married + educ", panel, cov=lr.Unadjusted())
fixed = lr.feols("lwage ~ union + married | nr", panel, cov=lr.Unadjusted())
assert isinstance(fixed, lr.Estimate)
print(lr.table({"random": random, "fixed": fixed}))
print("Hausman:", lr.hausman(fixed, random))

# %%
# Schooling of Mroz's (1987) women by that of their parents: with one instrument for each endogenous regressor the three
# are the same, with two they are not.
women = mroz.load().dropna(subset=["lwage"])
equation = "lwage ~ exper + expersq | educ ~ motheduc + fatheduc"
robust = lr.Robust("HC1")
lr.table(
    {
        "2SLS": lr.feols(equation, women, cov=robust),
        "LIML": lr.liml(equation, women, cov=robust),
        "GMM": lr.gmm(equation, women, cov=robust),
    }
)
