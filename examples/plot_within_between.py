"""
Between and within persons
==========================

What the same men earn when they change their union status, and what other men earn who are in a union: several ways to
use a panel, on the wages of Vella and Verbeek (1998).
"""

from linearmodels.datasets import wage_panel

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
    "changes": lr.first_differences("lwage ~ union + married | year", panel, cov=by_men),
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
