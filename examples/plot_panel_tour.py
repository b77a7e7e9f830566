"""
From rows to a release: a tour of everything public
===================================================

A small extract is simulated in the shape of linked education and tax records, and taken through every part of the
package: the panel and its columns, selections, tables, weights, storage, and the release of a figure. All files go to a
temporary folder. The numbers are made up; nothing here describes anybody.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import leoreturns as lr

temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
folder = Path(temporary.name)

# %%
# An extract
# ----------
# 720 persons left one of twelve schools and are seen in the tax years ending 2012 to 2019, with gaps. Schooling is an
# ordered category, so that tables show its levels in that order. Earnings are missing in a year without a job, and some
# move to another region.
rng = np.random.default_rng(2019)
n_person, tax_years = 720, np.arange(2012, 2020)
levels = ["GCSE", "A level", "degree"]
schooling = rng.choice(len(levels), n_person, p=[0.3, 0.35, 0.35])
persons = pd.DataFrame(
    {
        "person": [f"P{number:05d}" for number in rng.permutation(90_000)[:n_person]],
        "sex": rng.choice(["F", "M"], n_person),
        "schooling": pd.Categorical.from_codes(schooling, levels, ordered=True),
        "school": rng.choice([f"school {number:02d}" for number in range(1, 13)], n_person),
        "weight": np.round(rng.uniform(0.5, 2.0, n_person), 2),
    }
)
ability = 9.7 + 0.14 * schooling - 0.10 * (persons["sex"] == "F") + rng.normal(0, 0.3, n_person)

extract = persons.loc[persons.index.repeat(len(tax_years))].reset_index(names="row")
extract["tax_year"] = np.tile(tax_years, n_person)
growth = (0.02 + 0.015 * schooling[extract["row"]]) * (extract["tax_year"] - 2012)
extract["earnings"] = np.exp(ability[extract["row"]].to_numpy() + growth + rng.normal(0, 0.2, len(extract))).round()
extract.loc[rng.random(len(extract)) < 0.08, "earnings"] = np.nan
home = rng.choice(["London", "North West", "South West", "Yorkshire"], n_person)
moved = rng.random(len(extract)) < 0.04
extract["region"] = np.where(moved, "London", home[extract["row"]])
extract = extract.drop(columns="row")[rng.random(len(extract)) > 0.03]

# %%
# Qualifications come several to a person: a list beside the rows.
n_award = rng.integers(0, 4, n_person)
qualifications = pd.DataFrame(
    {
        "person": persons["person"].repeat(n_award).to_numpy(),
        "code": rng.choice(["English", "mathematics", "history", "physics"], n_award.sum()),
        "start": pd.Timestamp("2010-09-01").date(),
    }
)
extract.head()

# %%
# The panel
# ---------
# What must not vary within a person is a trait and stored once. Units decide how money is rounded at release, owners
# whose data a table rests on, and an entity is counted in every cell: how many schools stand behind a number.
panel = lr.Panel.from_frame(
    extract,
    person="person",
    time="tax_year",
    traits=["sex", "schooling", "school", "weight"],
    lists={"qualifications": qualifications},
    owners={"earnings": "HMRC", "schooling": "DfE"},
    units={"earnings": "GBP/year"},
    entities=["school"],
)
panel.info()

# %%
# A panel prints counts and never a value. Columns are described one by one; underneath are read-only arrays, and
# ``key`` gives any column as the integer codes that tables are made by.
print(panel, panel.lists["qualifications"], panel.key("region"))
print(panel.column("earnings"))
print(panel.array("earnings").dtype, panel.array("sex").shape)

# %%
# What cannot be a panel is refused with counts: never with an id or a value.
try:
    lr.Panel.from_frame(pd.concat([extract, extract.head(3)]), person="person", time="tax_year")
except lr.PanelError as error:
    print(error)

# %%
# Columns and selections
# ----------------------
# New columns come from expressions, from tables joined by id, or from functions of the panel. A panel never changes:
# each step returns another one that shares the arrays.
n_awards = qualifications.groupby("person").size()
panel = (
    panel.assign(log_earnings="log(earnings)", unit="log")
    .assign(above_25k="earnings > 25000")
    .assign(level="person", n_awards=n_awards)
    .assign(since_2012=lambda panel: panel.array("tax_year").astype(np.int16) - 2012)
)

# %%
# A condition keeps rows and ``at`` keeps levels. The flow counts persons and rows at each step: what a reader must know
# of the sample, and the first thing that a referee asks for.
employed = panel.where("earnings is not missing and n_awards >= 1")
ends = employed.at(tax_year=[2012, 2019])
print(f"{ends.n_person:,} persons and {ends.n_row:,} rows of {ends.n_person_stored:,} and {ends.n_row_stored:,} stored")
ends.flow

# %%
# Tables
# ------
# A table prints with small cells masked, and says that it stays inside: its numbers are exact and unchecked.
pay = lr.aggregate(
    employed,
    "earnings",
    by=["schooling", "sex", "tax_year"],
    statistics=["n_person", "mean", "p25", "p50", "p75", "p90"],
)
assert isinstance(pay, lr.Aggregate)
pay

# %%
# As a frame it can be worked on; as a cross table it can be read. ``masked_frame`` is what was printed.
premium = pay.pivot("tax_year", ["schooling", "sex"], "p50")
print((premium["degree"] / premium["GCSE"]).round(2))
print(pay.masked_frame().shape, pay.to_frame().dtypes["p50"], pay.settings["quantile_rule"], pay.owners)

# %%
# Each cell carries the evidence that a disclosure check needs: persons rather than rows, the largest persons' totals,
# the persons beyond each percentile, the entities behind it.
evidence = pay.evidence
print("fewest persons in a cell:", evidence.n_person.min())
print("fewest persons above a median:", evidence.tails["p50"].above.min())
print("fewest schools in a cell:", evidence.entities["school"].min())
print(f"largest part of a cell's earnings that one person has: {(evidence.top1 / evidence.total_absolute).max():.1%}")

# %%
# Weights are named with what they mean. A true/false column has a share, log earnings have a mean in logs, and without
# a column only rows and persons are counted. A missing key may be a level of its own, and ``cells="all"`` shows the
# crossings in which nobody is.
weights = lr.Weights("weight", "probability")
print(lr.aggregate(panel, "above_25k", by="schooling", statistics=["n_value", "n_weighted", "share"], weights=weights))
print(lr.aggregate(panel, "earnings", by="sex", statistics=["sum", "p90/p10", "gini", "top10"], weights=weights))
print(lr.aggregate(employed, "log_earnings", by="schooling", statistics=["mean", "sd"]))
few = "n_awards is missing or n_awards < 3"
print(lr.aggregate(panel, None, by="n_awards", statistics="n_person", where=few, missing="group", cells="all"))

# %%
# A data frame will do for a quick look. Without ``person`` its rows would pass for persons, and nothing could be
# released.
lr.aggregate(extract, "earnings", by="region", statistics=["n_person", "p50"], person="person", unit="GBP/year")

# %%
# What a table cannot hold is refused, and so is every other mistake: all errors of the package are of one family.
try:
    lr.aggregate(panel, "earnings", by="region", statistics="maximum")
except lr.SupportError as error:
    print(isinstance(error, lr.LeoReturnsError), error)

# %%
# Storage
# -------
# ``save`` writes columns that ``open`` maps into memory at once, and ``scan`` reads part by part when a panel is larger
# than memory. A table is the same to the last bit from all three. Parquet is for exchange.
panel.save(folder / "panel", partitions=4)
panel.to_parquet(folder / "exchange", files=2)
opened = lr.Panel.open(folder / "panel")
read = lr.Panel.from_parquet(folder / "exchange")
scan = lr.Panel.scan(folder / "panel")
assert isinstance(scan, lr.Scan)
print(scan, [part.n_person for part in scan], scan.partitions)

question = {"values": "earnings", "by": ["schooling", "sex"], "statistics": ["n_person", "mean", "p50"]}
tables = [lr.aggregate(data, **question).to_frame() for data in (panel, opened, read, scan)]
assert all(table.equals(tables[0]) for table in tables)

# %%
# A scan takes the same conditions as a panel and counts the same flow. Both folders are marked NOT-FOR-RELEASE.
recent = scan.where("earnings is not missing").at(tax_year=[2018, 2019])
print(f"{recent.n_person:,} persons, {recent.n_row:,} rows")
print(sorted(path.name for path in (folder / "panel").iterdir()))
recent.flow.to_frame()

# %%
# The rows come back as they were given, whatever was stored.
rows = read.to_frame()
assert len(rows) == len(extract) and rows["earnings"].sum() == extract["earnings"].sum()
rows.dtypes

# %%
# The release
# -----------
# Numbers leave through one door, under a policy. A project may be stricter than the built-in one, never looser.
policy = lr.Policy("project", min_persons=15, money_base=500)
try:
    lr.Policy("relaxed", min_persons=3)
except lr.DisclosureError as error:
    print(error)

# %%
# What would list small units rather than groups is refused as a whole: no school has the hundred persons that a top
# decile needs.
by_school = lr.aggregate(employed.at(tax_year=2019), "earnings", by="school", statistics="p90")
try:
    lr.release({"schools": by_school}, policy=policy, to=folder / "refused")
except lr.DisclosureError as error:
    print(error)

# %%
# A chart names the numbers that are drawn. It is drawn from the protected numbers when it is released, beside a CSV
# file of what it shows and a README for the output checker.
chart = lr.Chart(
    "trajectory",
    pay,
    x="tax_year",
    line="p50",
    band=("p25", "p75"),
    colour="sex",
    panel="schooling",
    title="Annual earnings of simulated persons with a qualification, by schooling and sex",
    x_label="Tax year ending",
)
released = lr.release({"pay": pay, "trajectories": chart}, policy=policy, to=folder / "release")
assert isinstance(released, lr.Released)
print(released.files, released.n_cells, released.suppressed["pay"])
pd.read_csv(released.path / "pay.csv").head(8)

# %%
# The top decile is hidden wherever a cell has fewer than a hundred persons; everything else could be shown.
#
# The figure as released. A degree pays, and pays more each year, because that is how the extract was simulated.
image = plt.imread(released.path / "trajectories.png")
figure = plt.figure(figsize=(image.shape[1] / 150, image.shape[0] / 150), dpi=150)
figure.figimage(image)
plt.show()
