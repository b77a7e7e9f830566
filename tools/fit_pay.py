"""Median pay of the simulation, raked over a simulated population, and the price of ability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from fit_shares import LEVELS, MAJOR, ORDER, Array
from numpy.typing import NDArray

from leoreturns.extract.simulate import chunk, facts, pay, population
from leoreturns.extract.simulate.careers import NO_JOB, make_careers
from leoreturns.extract.simulate.effects import YEARS
from leoreturns.extract.simulate.people import make_people
from leoreturns.extract.simulate.population import DIMENSIONS, GROUPS, N_LEVEL
from leoreturns.extract.simulate.truth import Truth

# ---- pay ------------------------------------------------------------------------------------------------------------

FIT_PERSONS, FIT_CHUNK = 1_000_000, 100_000
BIN, LOWEST, N_BIN = 0.02, 4.0, 600  # of log pay
SWEEPS, TRIAL_SWEEPS, ABILITY_TRIALS = 40, 60, 4
SLOPE = 0.5  # of the effect of a degree on the price of ability, about
FIT_COHORT = 2002  # has all published years before 2019
RARE = 0.65  # how much of the difference in size between ethnic groups is taken out of the population to fit on


@dataclass(frozen=True)
class Workers:
    """The simulated population that medians are fitted on.

    Attributes
    ----------
    codes : mapping of dimension -> int8 array
    level, female : int8 array, bool array
    weight, ability : float32 arrays
    other : float32 matrix
        Log pay by year without what is fitted, NaN without paid work.
    through : float array
        What place and industry add to log pay in the year of the degree's effect.
    """

    codes: Mapping[str, NDArray[np.int8]]
    level: NDArray[np.int8]
    female: NDArray[np.bool_]
    weight: NDArray[np.float32]
    ability: NDArray[np.float32]
    other: NDArray[np.float32]
    through: NDArray[np.float32]


def simulated_workers() -> Workers:
    """Return a population in which rare ethnic groups and selective schools are more common, with weights."""
    plan = chunk.Plan(FIT_PERSONS, 987, FIT_CHUNK, (FIT_COHORT,), False)
    world, start = plan.world(), population.cells()
    shares = np.array([share for share, _, _, _ in facts.ETHNICITY.values()])
    boost = np.append((shares / shares.sum()) ** -RARE, 1.0)[start.codes["ethnicity_minor"]]
    boost = (
        boost
        * np.array([1.0, 3.0, 1.5, 1.5])[start.codes["school_type"]]
        * np.array([1.0, 1.0, 2.5, 1.0])[start.codes["sen"]]
    )
    tilted = population.Cells(start.codes, start.chance * boost[:, None] / (start.chance * boost[:, None]).sum())
    parts = []
    for number in range(plan.n_chunks):
        rng = [plan.stream(number + 1, topic) for topic in range(3)]
        people = make_people(FIT_CHUNK, plan.cohorts, world, plan.truth, rng[0], tilted)
        careers = make_careers(people, world, rng[1])
        works = (careers.work[:, :YEARS] < NO_JOB) & careers.seen[:, :YEARS]
        beside = pay.causes(people, careers, world, plan.truth)
        through = pay.causes(
            people, careers, world, replace(plan.truth, place=0.0, place_sd=0.0, first_move=0.0, sector=0.0)
        )
        other = (beside + pay.chance(people, beside.shape[1], rng[2]))[:, :YEARS]
        k = pay.DEGREE_YEAR - 1
        ratio = 1 / _boost_of(people.codes, shares)
        parts.append(
            (people.codes, people.level, people.female, ratio.astype(np.float32), people.ability.astype(np.float32),
             np.where(works, other, np.nan).astype(np.float32), (beside - through)[:, k])
        )  # fmt: skip
    codes = {name: np.concatenate([part[0][name] for part in parts]) for name in DIMENSIONS}
    return Workers(codes, *(np.concatenate([part[at] for part in parts]) for at in range(1, 7)))


def _boost_of(codes: Mapping[str, NDArray[np.int8]], shares: Array) -> Array:
    """Return how much more often persons with these codes are drawn than in the population."""
    boost = np.append((shares / shares.sum()) ** -RARE, 1.0)[codes["ethnicity_minor"]]
    found: Array = boost * np.array([1.0, 3.0, 1.5, 1.5])[codes["school_type"]]
    return found * np.array([1.0, 1.0, 2.5, 1.0])[codes["sen"]]


def fit_pay(table: pd.DataFrame, start: Mapping[str, Array] | None = None) -> dict[str, Array]:
    """Rake log pay until every published median by level is met, with ability priced so that a degree does as told.

    It takes some hundred sweeps: a second run goes on from the parameters of the first (`start`).
    """
    workers, medians = simulated_workers(), _median_targets(table)
    held = {level: np.flatnonzero(workers.level == level) for level in range(N_LEVEL)}
    logs = {name: np.zeros((len(GROUPS[name]), N_LEVEL, YEARS)) for name in DIMENSIONS}
    logs["all"] = np.zeros((N_LEVEL, YEARS))
    price = np.array([0.23, 0.395])
    if start:
        price = start["ability"].copy()
        logs = {name: start[name].copy() for name in logs}
    goal = np.log1p(Truth().degree)
    at = pay.DEGREE_YEAR - 1
    for trial in range(ABILITY_TRIALS):
        for level in (1, 2):
            _rake_medians(
                workers, held[level], level, at, price[workers.female.astype(int)], medians, logs, TRIAL_SWEEPS
            )
        found = _degree_effect(workers, logs)
        print(f"trial {trial}: price of ability {price.round(4)}, effect of a degree {np.expm1(found).round(4)}")
        # The raw gap stays: what ability takes of it leaves the degree.
        price = price + (found - goal) / SLOPE
    logs["ability"], logs["through"] = price, _through(workers)
    fitted_price = {year: _price(price, year) for year in range(1, YEARS + 1)}
    misses = []
    for level in range(N_LEVEL):
        for k in range(YEARS):
            priced = fitted_price[k + 1][workers.female.astype(int)]
            misses.append(_rake_medians(workers, held[level], level, k, priced, medians, logs, SWEEPS))
    _fit_groups_of_all_levels(workers, fitted_price, medians, logs)
    missed = np.concatenate(misses)
    print("medians by level: share within 0.5 %", (missed < 0.005).mean().round(4), "largest", missed.max().round(4))
    print("effect of a degree at the end", np.expm1(_degree_effect(workers, logs)).round(4))
    return logs


def _fit_groups_of_all_levels(
    workers: Workers, prices: Mapping[int, Array], medians: Mapping, logs: dict[str, Array]
) -> None:
    """Shift the log pay of groups whose medians are published for all levels together only."""
    groups = GROUPS["ethnicity_minor"]
    for code, group in enumerate(groups):
        if ("ethnicity_minor", group, "all") not in medians or ("ethnicity_minor", group, "graduate") in medians:
            continue
        members = np.flatnonzero(workers.codes["ethnicity_minor"] == code)
        level = workers.level[members]
        for k in range(YEARS):
            value = (
                workers.other[members, k]
                + prices[k + 1][workers.female[members].astype(int)] * workers.ability[members]
            )
            value = value + logs["all"][level, k]
            for name in DIMENSIONS:
                effects = np.vstack([logs[name][:, :, k], np.zeros(N_LEVEL)])
                value = value + effects[workers.codes[name][members], level]
            paid = np.isfinite(value)
            target = medians["ethnicity_minor", group, "all"][k]
            found = _medians(value[paid], workers.weight[members][paid], np.zeros(paid.sum(), np.int64), 1)
            logs["ethnicity_minor"][code, :, k] += target - found[0]


def _price(price: Array, year: int) -> Array:
    truth = Truth()
    learned = [
        1 - (1 - truth.ability_at_first) * np.exp(-truth.learning_speed * (n - 1)) for n in (year, pay.DEGREE_YEAR)
    ]
    return price * learned[0] / learned[1]


def _median_targets(table: pd.DataFrame) -> dict[tuple[str, str, str], Array]:
    """Return logs of the published medians; a year that is not published follows that of all levels."""
    medians = table.loc["median"]
    found = {}
    for key, row in medians.iterrows():
        values = row.to_numpy(np.float64).copy()
        for k in np.flatnonzero(np.isnan(values)):
            values[k] = values[k - 1] * table.loc[("median", "all", "all", key[2]), f"y{k + 1}"] / table.loc[
                ("median", "all", "all", key[2]), f"y{k}"]  # fmt: skip
        found[key] = np.log(values)
    return found


def _rake_medians(
    workers: Workers,
    held: NDArray[np.intp],
    level: int,
    k: int,
    price: Array,
    medians: Mapping,
    logs: dict[str, Array],
    sweeps: int,
) -> Array:
    """Shift the log pay of groups of one level and year until the medians are met; return how far they are then."""
    rows = held[np.isfinite(workers.other[held, k])]
    codes = {name: workers.codes[name][rows] for name in DIMENSIONS}
    weight = workers.weight[rows].astype(np.float64)
    value = workers.other[rows, k] + price[rows] * workers.ability[rows] + logs["all"][level, k]
    for name in DIMENSIONS:
        value = value + np.append(logs[name][:, level, k], 0.0)[codes[name]]
    majors = [major for _, major, _, _ in facts.ETHNICITY.values()]
    label = LEVELS[level]
    for sweep in range(sweeps + 1):
        misses = []
        for name in ORDER:
            if name == "all":
                place, groups, members = np.zeros(len(rows), np.int64), ("all",), None
            elif name == "ethnicity":
                members = np.array([list(MAJOR.values()).index(m) if m in MAJOR.values() else 5 for m in majors] + [5])
                place, groups = members[codes["ethnicity_minor"]], tuple(MAJOR)
            else:
                place, groups = np.where(codes[name] < 0, len(GROUPS[name]), codes[name]), GROUPS[name]
            target = np.array([medians.get((name, group, label), np.full(YEARS, np.nan))[k] for group in groups])
            shift = np.nan_to_num(target - _medians(value, weight, place, len(groups)))
            misses.append(np.abs(np.expm1(shift)))
            if sweep == sweeps:
                continue
            value = value + np.append(shift, 0.0)[place]
            if name == "all":
                logs["all"][level, k] += shift[0]
            elif name == "ethnicity":
                logs["ethnicity_minor"][:, level, k] += np.append(shift, 0.0)[members[:-1]]
            else:
                logs[name][:, level, k] += shift
    return np.concatenate(misses)


def _medians(value: Array, weight: Array, place: NDArray[np.intp], n: int) -> Array:
    """Return weighted medians by group, from a fine histogram."""
    scaled = ((value - LOWEST) / BIN).clip(0, N_BIN - 1e-6)
    bins = scaled.astype(np.int64)
    counts = np.bincount(place.astype(np.int64) * N_BIN + bins, weight, (n + 1) * N_BIN).reshape(n + 1, N_BIN)[:n]
    below = np.cumsum(counts, axis=1)
    half = below[:, -1:] / 2
    at = (below < half).sum(axis=1)
    row = np.arange(n)
    inside = counts[row, at]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (half[:, 0] - (below[row, at] - inside)) / inside
    found: Array = np.where(half[:, 0] > 0, LOWEST + BIN * (at + part), np.nan)
    return found


def _degree_effect(workers: Workers, logs: Mapping[str, Array]) -> Array:
    """Return the mean effect of a degree by sex among all who have one or level 3, with what place and industry add."""
    k, regions = pay.DEGREE_YEAR - 1, workers.codes["school_region"]
    difference = np.full(len(regions), logs["all"][2, k] - logs["all"][1, k])
    for name in DIMENSIONS:
        difference += np.append(logs[name][:, 2, k] - logs[name][:, 1, k], 0.0)[workers.codes[name]]
    through = _through(workers)
    found = []
    for sex in (0, 1):
        both = (workers.female == bool(sex)) & (workers.level > 0)
        found.append(np.average((difference + through[sex, regions])[both], weights=workers.weight[both]))
    return np.array(found)


def _through(workers: Workers) -> Array:
    """Return what a degree adds to log pay through place and industry, by sex and region of school."""
    regions, n = workers.codes["school_region"], len(facts.REGIONS)
    found = np.zeros((2, n))
    for sex in (0, 1):
        for level, sign in ((2, 1), (1, -1)):
            chosen = (workers.female == bool(sex)) & (workers.level == level)
            sums = np.bincount(regions[chosen], workers.through[chosen] * workers.weight[chosen], n)
            found[sex] += sign * sums / np.bincount(regions[chosen], workers.weight[chosen], n)
    return found
