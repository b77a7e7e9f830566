"""
First run on real data: hourly pay by schooling and union membership
====================================================================

The panel of Vella and Verbeek (1998), which linearmodels ships, follows 545 young men of the National Longitudinal
Survey of Youth over the eight years 1980 to 1987. From its person-year rows to a table and a figure that are ready for
an output check takes four steps: a panel, an aggregate, a chart, a release. :ref:`sphx_glr_gallery_plot_panel_tour.py`
spells such steps out.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from linearmodels.datasets import wage_panel

import leoreturns as lr

# %%
# The data: one row per man and year
# ----------------------------------
# The data set holds the logarithm of the hourly wage, taken here as US dollars of the year; its documentation names no
# price base, and nothing is deflated.
frame = wage_panel.load()
bands = ["under 12 years", "12 years", "over 12 years"]
years = pd.DataFrame(
    {
        "man": frame["nr"],
        "year": frame["year"],
        "schooling": pd.cut(frame["educ"], [-np.inf, 11, 12, np.inf], labels=bands),
        "union": pd.Categorical(
            np.where(frame["union"] == 1, "union", "no union"), ["union", "no union"], ordered=True
        ),
        "hourly_pay": np.exp(frame["lwage"]),
    }
)
years.head()

# %%
# The panel
# ---------
# Schooling does not change, so it is stored once per man. The unit decides later how pay is rounded.
panel = lr.Panel.from_frame(years, person="man", time="year", traits=["schooling"], units={"hourly_pay": "USD/hour"})
panel

# %%
# The aggregate
# -------------
# Median and quartiles in every cell, with the evidence that a disclosure check needs. What is printed here is neither
# rounded nor checked: it stays inside.
pay = lr.aggregate(panel, "hourly_pay", by=["schooling", "union", "year"], statistics=["n_person", "p25", "p50", "p75"])
pay

# %%
# The release
# -----------
# A chart says which numbers are drawn how. It is drawn when it is released, from the protected numbers.
chart = lr.Chart(
    "trajectory",
    pay,
    x="year",
    line="p50",
    band=("p25", "p75"),
    colour="union",
    panel="schooling",
    title="Hourly pay of young men in the United States, by years of schooling and union membership",
)
temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
outputs = {"hourly_pay": pay, "hourly_pay_trajectories": chart}
released = lr.release(outputs, policy="ons-srs", to=Path(temporary.name) / "wage_panel")
released

# %%
# From 1983 on, fewer than twenty of the men with more than twelve years of schooling were union members: their median
# would rest on fewer than ten men on each side, so it is not shown.
pd.read_csv(released.path / "hourly_pay.csv").tail(16)

# %%
image = plt.imread(released.path / "hourly_pay_trajectories.png")
figure = plt.figure(figsize=(image.shape[1] / 150, image.shape[0] / 150), dpi=150)
figure.figimage(image)
plt.show()
