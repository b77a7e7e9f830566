"""What defects of records do to published figures: a panel of simulated persons with them against one without.

Figures are published from records, so the simulated population has to be such that its records give them. The same
persons are simulated with and without defects and both panels built. Defects strike at random: by level and year, main
activities change into others with the same chances in every group, and median pay moves by the same part. Recorded
ethnic groups are in part those of others.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from fit_shares import LEVELS, MIXED_UP, Array, level_shares
from numpy.typing import NDArray

from leoreturns.extract.simulate import simulate_extract
from leoreturns.extract.simulate.activities import ACTIVITIES
from leoreturns.extract.simulate.effects import YEARS
from leoreturns.panel.build import build_panel
from leoreturns.panel.definitions import Definitions, illustrative_deflator
from leoreturns.panel.panel import Panel

PERSONS, SEED = 600_000, 2_027
UNIONS = {"all": (0, 1, 2), "not graduate": (0, 1), **{label: (code,) for code, label in enumerate(LEVELS)}}


@dataclass(frozen=True)
class Gaps:
    """How figures from records differ from those of the persons.

    Attributes
    ----------
    turned : float array of levels, years, activities, activities
        Chance that a year's activity (row) is recorded as each (column).
    pay : mapping of level or union of levels -> float array of years
        By how much the log of median pay is larger in records.
    mixed_up : float
        Share of persons with the ethnic group of some other person.
    """

    turned: Array
    pay: Mapping[str, Array]
    mixed_up: float


def measure_gaps() -> Gaps:
    """Simulate persons with and without defects, build both panels, and compare them person by person."""
    with tempfile.TemporaryDirectory() as folder:
        found, true = (_panel(Path(folder) / str(defects), defects=defects) for defects in (True, False))
        return gaps_between(found, true)


def _panel(folder: Path, *, defects: bool) -> Panel:
    folder.mkdir()
    definitions = Definitions.preset("dfe-2021", deflator=illustrative_deflator())
    with simulate_extract(folder / "extract", n_persons=PERSONS, seed=SEED, defects=defects) as extract:
        build_panel(extract, definitions=definitions, to=folder / "panel")
    return Panel.open(folder / "panel")


def gaps_between(found: Panel, true: Panel) -> Gaps:
    """Return the gaps between two panels of the same persons."""
    person = pd.Index(_ids(true)).get_indexer(_ids(found))
    persons, records = _rows(true), _rows(found)
    level, year, activity, _ = persons
    # Where the rows of each person of the first panel stand in the second, which has all of them.
    n = np.diff(found.offsets)
    row = np.repeat(true.offsets[person], n) + np.arange(n.sum()) - np.repeat(found.offsets[:-1], n)
    within = np.flatnonzero((year[row] >= 0) & (year[row] < YEARS))
    row = row[within]
    cell = (level[row] * YEARS + year[row]) * len(ACTIVITIES) + activity[row]
    counts = np.bincount(cell * len(ACTIVITIES) + records[2][within], minlength=3 * YEARS * len(ACTIVITIES) ** 2)
    turned = counts.reshape(3, YEARS, len(ACTIVITIES), len(ACTIVITIES)).astype(np.float64)
    turned[turned.sum(axis=3) == 0] = np.eye(len(ACTIVITIES))[np.nonzero(turned.sum(axis=3) == 0)[2]]
    turned /= turned.sum(axis=3, keepdims=True)
    gaps = {}
    for label, levels in UNIONS.items():
        before, after = (_log_medians(pay, year, np.isin(of, levels)) for of, year, _, pay in (persons, records))
        gaps[label] = after - before
    group, other = (_minor(panel) for panel in (true, found))
    both = (group[person] >= 0) & (other >= 0)
    group, other = group[person][both], other[both]
    shares = np.bincount(group) / len(group)
    return Gaps(turned, gaps, float((group != other).mean() / (1 - shares @ shares)))


def _ids(panel: Panel) -> NDArray[np.object_]:
    return np.array(panel.ids.to_arrow().to_pylist())


def _codes(panel: Panel, name: str, labels: tuple[str, ...]) -> NDArray[np.intp]:
    """Return a column as places in these labels, -1 for others."""
    values = panel.people[name] if name in panel.people else panel.years[name]
    place = {label: code for code, label in enumerate(labels)}
    return np.array([*(place.get(str(label), -1) for label in panel.schema.columns[name].labels), -1])[values]


def _minor(panel: Panel) -> NDArray[np.intp]:
    return np.asarray(panel.people["ethnicity_minor"], np.intp)


def _rows(panel: Panel) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], Array]:
    """Return level, year (0, 1, ...), main activity and real earnings by row."""
    level = np.repeat(_codes(panel, "education_level", LEVELS), np.diff(panel.offsets))
    year = panel.years["years_since_ks4"].astype(np.intp) - 1
    return level, year, _codes(panel, "main_activity", ACTIVITIES), panel.years["real_earnings"]


def _log_medians(pay: Array, year: NDArray[np.intp], inside: NDArray[np.bool_]) -> Array:
    paid = inside & np.isfinite(pay)
    return np.log([np.median(pay[paid & (year == k)]) for k in range(YEARS)])


def of_persons(table: pd.DataFrame, gaps: Gaps) -> pd.DataFrame:
    """Return the figures that persons have to have, for their records to give those of a table."""
    shares, logs = level_shares(table), np.log(table.loc["median"])
    wanted = table.astype(np.float64).copy()
    groups = list(dict.fromkeys((key[1], key[2]) for key in table.index))
    groups.sort(key=lambda key: key != ("all", "all"))  # first, as others are mixed up with it
    for dimension, group in groups:
        for label, levels in UNIONS.items():
            rate = _mixed_up(gaps, shares, dimension, group, levels)
            if ("median", dimension, group, label) in wanted.index:
                log = logs.loc[(dimension, group, label)] - gaps.pay[label]
                whole = np.log(wanted.loc[("median", "all", "all", label)])
                wanted.loc[("median", dimension, group, label)] = np.exp((log - rate * whole) / (1 - rate)).to_numpy()
            if len(levels) == 1 and (ACTIVITIES[0], dimension, group, label) in wanted.index:
                keys = [(activity, dimension, group, label) for activity in ACTIVITIES]
                whole = wanted.loc[[(activity, "all", "all", label) for activity in ACTIVITIES]].to_numpy()
                wanted.loc[keys] = _before(wanted.loc[keys].to_numpy(), whole, gaps.turned[levels[0]], rate)
    return wanted


def _before(percent: Array, whole: Array, turned: Array, rate: float) -> Array:
    """Return percentages (activities by years) before records turn them into those given."""
    told = percent.sum(axis=0) > 50
    before = np.einsum("ay,yab->by", percent, np.linalg.inv(turned))
    before = ((before - rate * whole) / (1 - rate)).clip(min=0)
    return np.where(told, 100 * before / before.sum(axis=0).clip(min=1e-9), percent)


def _mixed_up(gaps: Gaps, shares: Mapping, dimension: str, group: str, levels: tuple[int, ...]) -> float:
    """Return the share of persons of a recorded group and level who are of any group."""
    if dimension not in MIXED_UP or (dimension, group) not in shares:
        return gaps.mixed_up if dimension in MIXED_UP else 0.0
    of_all, own = (shares[key][list(levels)].sum() for key in (("all", "all"), (dimension, group)))
    strangers = gaps.mixed_up * of_all
    return float(strangers / (strangers + (1 - gaps.mixed_up) * own))
