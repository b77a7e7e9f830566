"""
Where outcomes are not known
============================

Pay is known of those in work, and of persons whose activity is not captured nothing is. What the effect of a route can
be all the same: trimming, which assumes that the route moves persons into work one way, and worst cases, which assume
nothing. Everybody here is simulated.
"""

import leoreturns as lr

definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator())
panel = lr.simulate_panel(n_persons=20_000, seed=1, definitions=definitions)
then = panel.at(years_since_ks4=10).where("ks5_route in ['A level', 'vocational']")
route = "C(ks5_route, ref='A level') ~ "

# %%
# Trimming
# --------
# Shares in paid work differ between the routes, so that the known pay is not of persons alike. Covariates make the
# bounds of the effect narrower.
pay: lr.BoundsEstimate = lr.bounds(
    "log_earnings", f"{route}1", then, method="lee", estimand="ATT", cov=lr.Clustered("school")
)
pay

# %%
# With covariates the two routes are compared among persons alike in them, too.
tight = lr.bounds(
    "log_earnings", f"{route}sex + ks4_five_ac", then, method="lee", estimand="ATT", cov=lr.Clustered("school")
)
assert tight.params.iloc[0] <= tight.params.iloc[1]
tight.interval()

# %%
# Worst cases
# -----------
# In sustained employment or not: of those whose activity is not captured it may be either.
then = then.assign(captured="main_activity != 'activity not captured'", level="year")
lr.bounds(
    "sustained_employment", f"{route}sex + ks4_five_ac", then, method="manski", outcome_range=(0, 1), estimand="ATT",
    observed="captured", cov=lr.Clustered("school"),
)  # fmt: skip
