"""
How sure is a pay gap? Intervals by resampling men
==================================================

Union members in the wage panel of Vella and Verbeek (1998) earn more than other men. How much more, how sure is it, and
is the gap really there in every year? All of this is asked of one bootstrap: whole men are resampled, with all their
years, so that the eight observations of a man never count as eight men.
"""

from functools import partial
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from linearmodels.datasets import wage_panel

import leoreturns as lr

frame = wage_panel.load()
years = pd.DataFrame(
    {
        "man": frame["nr"],
        "year": frame["year"],
        "schooling": pd.cut(frame["educ"], [-np.inf, 11, 12, np.inf], labels=["under 12", "12", "over 12"]),
        "union": pd.Categorical(
            np.where(frame["union"] == 1, "union", "no union"), ["union", "no union"], ordered=True
        ),
        "hourly_pay": np.exp(frame["lwage"]),
    }
)
panel = lr.Panel.from_frame(years, person="man", time="year", units={"hourly_pay": "USD/hour"})

# %%
# A plan, a contrast, a band
# --------------------------
# The plan fixes what is resampled, how often, and by which seed; a man's weight in a replicate follows from the seed
# and his id alone. Whoever repeats the analysis gets the same numbers, on any machine and in any order of the rows.
plan = lr.BootstrapPlan(999, seed=1980)
gap = lr.Contrast("union", "union", "no union", kind="percent")
pay = lr.aggregate(
    panel,
    "hourly_pay",
    by=["union", "year"],
    statistics=["n_person", "mean", "p50"],
    plan=plan,
    contrasts=gap,
    bands="year",
)
pay

# %%
# The contrast is made of the two groups' replicates, so that men who are in both groups over the years are allowed for.
# Intervals hold for one year; the band holds for all eight at once: it is the one to judge a trajectory by.
by_year = pay.contrasts[0].to_frame().set_index("year")
by_year[["p50", "p50_se", "p50_low", "p50_high", "p50_band_low", "p50_band_high"]].round(1)

# %%
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.fill_between(by_year.index, by_year["p50_band_low"], by_year["p50_band_high"], color="#0072b2", alpha=0.15, lw=0)
axis.vlines(by_year.index, by_year["p50_low"], by_year["p50_high"], color="#0072b2", lw=2)
axis.plot(by_year.index, by_year["p50"], color="#0072b2", marker="o")
axis.axhline(0, color="0.4", lw=0.8)
axis.set_ylabel("gap in median hourly pay, per cent")
axis.set_title(f"{gap.label}: 95% intervals (lines) and band (shaded)", fontsize=10, loc="left")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Several tables under one plan
# -----------------------------
# Because a man has the same weight everywhere, estimates from different tables and samples go together. Is the gap in
# 1987 smaller than that of all years taken together? The covariance of the two says how far they share their men.
last_year = panel.at(year=1987)
joint: lr.Joint = lr.jointly(
    plan,
    [
        partial(lr.aggregate, panel, "hourly_pay", by="union", statistics="mean"),
        partial(lr.aggregate, last_year, "hourly_pay", by="union", statistics="mean"),
    ],
)
joint.estimates

# %%
joint.covariance.round(4)

# %%
# The combination of estimates with its standard error. Without the covariance it would be overstated.
joint.combine(
    {
        (0, "mean", "union: union"): 1,
        (0, "mean", "union: no union"): -1,
        (1, "mean", "union: union"): -1,
        (1, "mean", "union: no union"): 1,
    }
)

# %%
# Other intervals
# ---------------
# A median of men seen once has an exact interval: the one that infinitely many replicates would give, without a draw.
exact = lr.BootstrapPlan(seed=1980, interval="exact")
lr.aggregate(last_year, "hourly_pay", by="union", statistics="p50", plan=exact)

# %%
# Poisson weights treat men as drawn one by one. Had a design fixed how many men of each schooling group there are, the
# resampling would keep these numbers: men are then drawn with replacement from a named frame, within strata.
keys, strata = panel.units("person", strata="schooling")
stratified = lr.BootstrapPlan(999, seed=1980, scheme="multinomial", frame=panel, strata="schooling")
lr.aggregate(panel, "hourly_pay", by="schooling", statistics=["mean", "p50"], plan=stratified)

# %%
stratified.settings

# %%
# A panel on disk, cut into parts, has the same units and gives the same intervals.
with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    panel.save(f"{folder}/panel", partitions=4)
    scan = lr.Panel.scan(f"{folder}/panel")
    same_units = (scan.units("person")[0] == keys).all()
    scanned = lr.aggregate(scan, "hourly_pay", by=["union", "year"], statistics=["mean", "p50"], plan=plan)
    same_numbers = (scanned.intervals["p50"].low == pay.intervals["p50"].low).all()
    del scan, scanned
same_units, same_numbers
