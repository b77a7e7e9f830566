"""
One coefficient, many regressions
=================================

The union wage premium in the panel of Vella and Verbeek (1998), under every combination of some choices that could be
defended, with the tests that several hypotheses at once call for.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from linearmodels.datasets import wage_panel

import leoreturns as lr

panel = lr.Panel.from_frame(wage_panel.load(), person="nr", time="year", units={"lwage": "log"})
plan = lr.BootstrapPlan(199, unit="person", seed=1980, interval="normal")

# %%
# Choices
# -------
# Controls, effects and samples make eighteen regressions; those of one sample share the scans of the rows. The plan
# draws men for all of them together, and so tests whether there is an effect in any.
curve = lr.specification_curve(
    "lwage",
    "union",
    panel,
    cov=lr.Clustered("nr"),
    controls=["", "married", "married + expersq"],
    effects={"none": "", "years": "year", "men and years": "nr + year"},
    samples={"all years": None, "from 1984": "year >= 1984"},
    plan=plan,
)
assert isinstance(curve, lr.SpecificationCurve)
curve

# %%
# Two charts
# ----------
# A chart is data until it is released; then it is drawn from the protected numbers, beside a file that holds them.
table = lr.table(
    lr.feols("lwage ~ married + union + i(year, ref=1980) | sw(black, nr)", panel, cov=lr.Clustered("nr")),
    labels={"union": "Union member", "married": "Married"},
)
coefficients = lr.CoefficientChart(table, groups={"Years, against 1980": ["^year"]}, title="Log wages")
specifications = lr.SpecificationChart(curve, title="The union premium by specification")
with tempfile.TemporaryDirectory() as folder:
    outputs = {"coefficients": coefficients, "curve": specifications}
    released = lr.release(outputs, policy="ons-srs", to=Path(folder) / "out")
    for name in outputs:
        image = plt.imread(released.path / f"{name}.png")
        figure = plt.figure(figsize=(image.shape[1] / 150, image.shape[0] / 150), dpi=150)
        figure.figimage(image)
plt.show()
released

# %%
# Several hypotheses
# ------------------
# Step-down p-values keep the chance of any false rejection; they use that the statistics are drawn together.
names = ["union", "married", "union:married"]
lr.romano_wolf("lwage + hours ~ union * married | nr + year", panel, cov=lr.Resampled(plan), params=names)

# %%
# A rate of false discoveries is a weaker promise about more hypotheses.
menu = lr.feols("lwage + hours ~ union * married | nr + year", panel, cov=lr.Clustered("nr"))
discoveries: lr.AdjustedTests = lr.false_discovery(menu, names)
discoveries
