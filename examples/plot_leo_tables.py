"""
From linked LEO tables to a panel
=================================

Tables in the shape of the Longitudinal Education Outcomes data are simulated, checked, and turned into the panel of
persons and tax years that every analysis starts from. Nobody in them exists; the path is the same with the real ones.
"""

import tempfile
from pathlib import Path

import leoreturns as lr

temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
folder = Path(temporary.name)

# %%
# The tables
# ----------
# One folder of files per table, under the names of the request form. Whatever is not there is gone without: `missing`
# names the columns that this project was not granted.
lr.simulate_extract(folder / "extract", n_persons=4_000, seed=2021).close()
extract = lr.open_extract(folder / "extract")
assert isinstance(extract, lr.Extract)
print(extract)
print(f"{len(extract.tables)} tables, {extract.count('employment'):,} employment spells")

# %%
# `check` reads everything once and says in counts what is wrong: repeated keys, dates that cannot be, codes that the
# form does not know, years that are not covered, lookups that are not one to one.
findings = extract.check().to_frame()
findings.groupby(["severity", "check"]).size()

# %%
# Errors name the table, the column and the counts, and never a value of anybody:
try:
    extract.select("employment", ["Postcode"])
except lr.ExtractError as error:
    print(error)

# %%
# The definitions
# ---------------
# What counts as sustained employment, as a year's main activity, as real earnings: a preset, any setting of which can
# be changed. The price index is made up, as its name says.
definitions = lr.Definitions.preset(
    "dfe-2021", deflator=lr.illustrative_deflator(), last_tax_year=2019, minimum_days=14
)
print(definitions)

# %%
# The panel
# ---------
# Every pupil whom the lookups resolve, in every tax year after key stage 4, with or without a record in it. The steps
# by which pupils were left out are part of the panel, and so is what was done to records that could not be used.
panel = lr.build_panel(extract, definitions=definitions, to=folder / "panel")
print(panel)
print(lr.Waterfall.of(panel.settings))
print(panel.info().head(12))

# %%
# Pay by education over the years after key stage 4, of those with pay:
paid = panel.where("real_earnings > 0")
by = ["years_since_ks4", "education_level"]
table = lr.aggregate(paid, "real_earnings", by=by, statistics=["n_person", "p50"])
print(table.pivot("years_since_ks4", "education_level", "p50").round(-2))

extract.close()
temporary.cleanup()
