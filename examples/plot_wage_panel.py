"""
First run on real data: hourly pay by schooling and union membership
====================================================================

The panel of Vella and Verbeek (1998) follows 545 young men in the United States over the eight years 1980 to 1987.
From its person-year rows to a table and a figure that are ready for an output check takes four steps: a panel, an
aggregate, a chart, a release. They are the functions of ``leoreturns.demo``, which ``python -m leoreturns demo`` runs
on the command line; :ref:`sphx_glr_gallery_plot_panel_tour.py` spells such steps out.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from leoreturns import demo

# %%
# The data: one row per man and year
# ----------------------------------
# The data set holds the logarithm of the hourly wage, taken here as US dollars of the year; its documentation names no
# price base, and nothing is deflated.
years = demo.wage_frame()
years.head()

# %%
# The panel
# ---------
# Schooling does not change, so it is stored once per man. The unit decides later how pay is rounded.
panel = demo.build_wage_panel(years)
panel

# %%
# The aggregate
# -------------
# Median and quartiles in every cell, with the evidence that a disclosure check needs. What is printed here is neither
# rounded nor checked: it stays inside.
pay = demo.pay_by_schooling(panel)
pay

# %%
# The release
# -----------
# A chart says which numbers are drawn how. It is drawn when it is released, from the protected numbers.
temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
released = demo.release_pay(pay, Path(temporary.name) / "wage_panel")
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
