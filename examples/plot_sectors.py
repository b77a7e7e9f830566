"""
From qualifications to sectors
==============================

Where qualifications lead, who stays in a sector, and how many entrants it takes to hold its stock: the skills pipelines
of simulated persons. Nobody of them exists, and no number here describes anybody. :doc:`/sectors` has the equations.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import leoreturns as lr

definitions = lr.Definitions.preset("dfe-2021", deflator=lr.illustrative_deflator())
panel = lr.simulate_panel(n_persons=20_000, seed=3, definitions=definitions)

# %%
# One question
# ------------
# Flows start five years after key stage 4 and end 1, 3 and 5 years later. Entry into a first sector is followed from
# year 3 on, so that jobs beside school do not count. Care (section Q) is to grow by two per cent a year.
answer = lr.sector_pipeline(
    panel, year=5, horizons=[1, 3, 5], start=3, groups=["sex"], characteristics=["sex", "fsm"], growth={"Q": 0.02}
)
answer

# %%
# Who stays
# ---------
# Of those in a sector the share who are in it again, whatever the others do: other sectors, no work, not known.
answer["retention"].pivot("sector_from", "years_later", "share").round(2).head(8)

# %%
# Some of the flows run from one register of sectors to another, which is no move: they are left out, and counted.
answer["transitions"].flow

# %%
# The first sector
# ----------------
# The chance of having entered a first sector by each year, the sectors competing, with errors of Greenwood's kind.
entry = answer["entry"].to_frame()
entry[(entry["ks5_route"] == "A level") & (entry["sector_entered"] == "Q")].round(3)

# %%
# Who is in a sector, and what it takes to keep it
# ------------------------------------------------
# A representation of 1.2: in the sector the group is a fifth more common than in paid work at large. Of the stock some
# leave within a year; as many entrants hold it, and growth takes more.
print(answer["representation_by_sex"].pivot("sector", "sex", "representation").round(2).head(6))
print(answer["supply"].to_frame().round(2).head(6))

# %%
# Does the state before last matter? A small p-value says that it does; with few persons in most cells of three years it
# is a rough guide.
answer["order_test"].to_frame().round(3)

# %%
# Out
# ---
# The chart is drawn from the protected counts; flows of fewer than ten persons are part of "other".
with tempfile.TemporaryDirectory() as temporary:
    chosen = {"pipeline": answer["pipeline_chart"], "retention": answer["retention"]}
    released = lr.release(chosen, policy="ons-srs", to=Path(temporary) / "release")
    image = plt.imread(released.path / "pipeline.png")
figure = plt.figure(figsize=(image.shape[1] / 150, image.shape[0] / 150), dpi=150)
figure.figimage(image)
plt.show()
