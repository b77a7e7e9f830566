"""Fit the parameters of the simulation to published figures, and write them into the package.

    python tools/fit_simulation.py [population activity pay]

reads ``benchmarks/published.csv.gz`` and writes ``leoreturns/extract/simulate/fitted.npz``. Parts that are not named stay
as they are. Nothing here uses an estimator of the package: shares and activities are raked over the cells of
`population`, medians over a simulated population, until each published figure is met.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from leoreturns.extract.simulate import activities, chunk, facts, fitted, pay, population
from leoreturns.extract.simulate.activities import ACTIVITIES, POSSIBLE
from leoreturns.extract.simulate.careers import NO_JOB, make_careers
from leoreturns.extract.simulate.people import make_people
from leoreturns.extract.simulate.population import DIMENSIONS, GROUPS, N_LEVEL
from leoreturns.extract.simulate.truth import Truth

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "benchmarks" / "published.csv.gz"
TARGET = ROOT / "leoreturns" / "extract" / "simulate" / fitted.FILE
LEVELS = facts.LEVELS
YEARS = 15
MAJOR = {"Asian": "ASIA", "Black": "BLAC", "Chinese": "CHIN", "Mixed": "MIXD", "White": "WHIT"}
LARGEST = 6.0  # logs of factors beyond it stand for groups that published figures contradict
Array = NDArray[np.float64]


def published() -> pd.DataFrame:
    """Return the published figures by measure, dimension, group and level; one column per year."""
    table = pd.read_csv(PUBLISHED, comment="#", keep_default_na=False, dtype=str)
    table = table.set_index(["measure", "dimension", "group", "level"])
    return table.apply(pd.to_numeric, errors="coerce").sort_index()


def margins() -> dict[tuple[str, str], Array]:
    """Return, for each published group, which cells are in it: by dimension and group as published."""
    codes = population.base().codes
    found = {("all", "all"): np.ones(len(codes["sex"]), bool)}
    for name in DIMENSIONS:
        found |= {(name, group): codes[name] == code for code, group in enumerate(GROUPS[name])}
    majors = np.array([major for _, major, _, _ in facts.ETHNICITY.values()])
    ethnicity = codes["ethnicity_minor"]
    of_major = {group: (majors == code)[ethnicity] & (ethnicity >= 0) for group, code in MAJOR.items()}
    return found | {("ethnicity", group): inside for group, inside in of_major.items()}


# ---- shares of levels -----------------------------------------------------------------------------------------------


def level_shares(table: pd.DataFrame) -> dict[tuple[str, str], Array]:
    """Return the shares of levels (level 2, level 3, graduate) by group, which mixtures of activities imply.

    Activities of all are those of graduates and others in the proportion of their numbers, for every activity and year.
    """
    found = {}
    measures = [measure for measure in table.index.unique("measure") if measure != "median"]
    for dimension, group in {key[1:3] for key in table.index if key[0] != "median"}:
        whole, graduates, others, level_2, level_3 = (
            np.concatenate([table.loc[(measure, dimension, group, level)] for measure in measures])
            for level in ("all", "graduate", "not graduate", *LEVELS[:2])
        )
        graduate = _mixture(whole, graduates, others)
        third = _mixture(others, level_3, level_2)
        found[dimension, group] = np.array([(1 - graduate) * (1 - third), (1 - graduate) * third, graduate])
    return found


def _mixture(whole: Array, first: Array, second: Array) -> float:
    """Return the share of the first part, by least squares."""
    difference = first - second
    return float((whole - second) @ difference / (difference @ difference))


def group_shares(dimension: str) -> Array:
    """Return the shares of the groups among all pupils, as set in `facts` and, for some, here."""
    independent = facts.INDEPENDENT / 100
    state = 1 - independent
    regions = np.array([share for _, share, _ in facts.REGIONS.values()]) / 100
    return {
        "sex": np.array([1 - facts.FEMALE / 100, facts.FEMALE / 100]),
        "school_type": np.array([state - 0.028 - 0.015, 0.028, independent, 0.015]),
        "fsm": state * np.array([0.841, 0.159]),
        "sen": state * np.array([0.8094, 0.146, 0.0446]),
        "ethnicity_minor": state * np.array([share for share, _, _, _ in facts.ETHNICITY.values()]) / 100,
        "first_language": state * np.array([0.9123, 0.07, 0.0177]),
        "ks4_five_ac": np.array([1 - facts.FIVE_AC / 100, facts.FIVE_AC / 100]),
        "school_region": regions / regions.sum(),
        "idaci": state * np.array([0.235, 0.563, 0.202]),
    }[dimension]


def fit_population(table: pd.DataFrame, sweeps: int = 300) -> dict[str, Array]:
    """Rake the cells to the share of every group, and to that of every level in it where one is implied."""
    start, shares = population.base(), level_shares(table)
    chance = start.chance.copy()
    factors = {name: np.ones((len(GROUPS[name]), N_LEVEL)) for name in DIMENSIONS}
    targets = {name: joint_shares(name, shares) for name in DIMENSIONS}
    for _ in range(sweeps):
        for name in DIMENSIONS:
            code = start.codes[name]
            known = code >= 0
            sums = np.stack(
                [np.bincount(code[known], chance[known, level], len(GROUPS[name])) for level in range(N_LEVEL)], axis=1
            )
            ratio = targets[name] / np.maximum(sums, 1e-300)
            factors[name] *= ratio
            chance[known] *= ratio[code[known]]
    report = pd.DataFrame(
        {
            (name, group): [*(100 * _levels_of(start.codes[name] == code, chance) - 100 * shares[name, group])]
            for name in DIMENSIONS
            for code, group in enumerate(GROUPS[name])
            if (name, group) in shares
        },
        index=LEVELS,
    ).T
    print("levels: largest difference from the implied share, points", report.abs().max().round(2).to_dict())
    return factors


def joint_shares(name: str, shares: Mapping[tuple[str, str], Array]) -> Array:
    """Return the shares of groups and levels among all pupils: those implied, and in other groups what is left."""
    size, groups = group_shares(name), GROUPS[name]
    total = shares["all", "all"]
    if group_shares(name).sum() < 0.99:  # not told by independent schools
        total = total - shares["school_type", "independent"] * facts.INDEPENDENT / 100
    joint = np.full((len(groups), N_LEVEL), np.nan)
    for place, group in enumerate(groups):
        if (name, group) in shares:
            joint[place] = shares[name, group] * size[place]
    if name == "ethnicity_minor":
        majors = np.array([major for _, major, _, _ in facts.ETHNICITY.values()])
        for group, code in MAJOR.items():
            members = majors == code
            open_ = members & np.isnan(joint[:, 0])
            if open_.any():  # one group of a major one at most
                joint[open_] = shares["ethnicity", group] * size[members].sum() - np.nansum(joint[members], axis=0)
    held = np.zeros(3)
    if name == "first_language":  # those whose ethnic group is not classified
        held, joint, size = joint_shares("ethnicity_minor", shares)[-1], joint[:-1], size[:-1]
        total = total - held
        size = size * total.sum() / size.sum()
    left = np.isnan(joint[:, 0])
    rest = total - np.nansum(joint, axis=0)
    joint[left] = size[left, None] * rest / rest.sum() if left.any() else 0
    joint = np.maximum(joint, 0.01 * size[:, None])
    for _ in range(200):
        joint = joint * (total / joint.sum(axis=0))
        joint = joint * (size / joint.sum(axis=1))[:, None]
    return np.vstack([joint, held]) if held.any() else joint


def _levels_of(inside: NDArray[np.bool_], chance: Array) -> Array:
    sums: Array = chance[inside].sum(axis=0)
    return sums / sums.sum()


# ---- activities -----------------------------------------------------------------------------------------------------


def fit_activities(table: pd.DataFrame, sweeps: int = 60) -> dict[str, Array]:
    """Rake the chances of the main activities to every published percentage, by level and year."""
    cells, inside = population.cells(), margins()
    keys = sorted({key[1:3] for key in table.index if key[0] != "median"}, key=_raking_order)
    dimensions = list(dict.fromkeys(dimension for dimension, _ in keys))
    logs = {name: np.zeros((len(GROUPS[name]), N_LEVEL, YEARS, len(ACTIVITIES))) for name in DIMENSIONS}
    logs["all"] = np.zeros((N_LEVEL, YEARS, len(ACTIVITIES)))
    worst = []
    for level, label in enumerate(LEVELS):
        weight = cells.chance[:, level]
        groups = {
            dimension: [(group, inside[dimension, group]) for d, group in keys if d == dimension]
            for dimension in dimensions
        }
        sums = {
            dimension: sparse.csr_matrix(np.stack([members * weight for _, members in listed]))
            for dimension, listed in groups.items()
        }
        codes = {
            dimension: np.argmax([members for _, members in listed] + [np.ones(len(weight), bool)], axis=0)
            for dimension, listed in groups.items()
        }
        for year in range(YEARS):
            targets = {
                dimension: np.stack(
                    [
                        [table.loc[(activity, dimension, group, label)].iloc[year] for activity in ACTIVITIES]
                        for group, _ in listed
                    ]
                )
                for dimension, listed in groups.items()
            }
            fit = _rake(weight, sums, codes, targets, year, sweeps)
            worst.append(fit.pop("misfit"))
            _add_logs(logs, fit, groups, level, year)
    misses = np.concatenate(worst)
    names = [
        (d, g, label, y, act)
        for label in LEVELS
        for y in range(1, YEARS + 1)
        for d in dimensions
        for dd, g in keys
        if dd == d
        for act in ACTIVITIES
    ]
    for at in np.argsort(-misses)[:25]:
        print(names[at], misses[at])
    print("activities: share within 0.1 points", (misses < 0.1).mean().round(4), "largest", misses.max().round(3))
    return {name: values.astype(np.float32) for name, values in logs.items()}


def _raking_order(key: tuple[str, str]) -> tuple[int, str, str]:
    order = ("school_type", "first_language", "idaci", "sen", "ethnicity", "ethnicity_minor", "fsm", "ks4_five_ac",
             "school_region", "sex", "all")  # fmt: skip
    return order.index(key[0]), *key


def _rake(
    weight: Array,
    sums: Mapping[str, sparse.csr_matrix],
    codes: Mapping[str, NDArray[np.intp]],
    targets: Mapping[str, Array],
    year: int,
    sweeps: int,
) -> dict[str, Array]:
    """Return log factors by dimension, and how far each percentage is from its target at the end."""
    whole = np.where(POSSIBLE[year] & (targets["all"][0] > 0.005), targets["all"][0], 0.0)
    chance = np.tile(whole / whole.sum(), (len(weight), 1))
    factors = {dimension: np.zeros(target.shape) for dimension, target in targets.items()}
    for _ in range(sweeps):
        for dimension, target in targets.items():
            sizes = sums[dimension].sum(axis=1).A1[:, None]
            ratio = np.log(np.maximum(target, 0.002) / np.maximum(100 * (sums[dimension] @ chance) / sizes, 1e-6))
            told = target.sum(axis=1, keepdims=True) > 50  # zeros throughout stand for what is not published
            ratio = np.where((whole > 0) & told, ratio, 0.0)
            ratio = (factors[dimension] + ratio).clip(-LARGEST, LARGEST) - factors[dimension]
            factors[dimension] += ratio
            table = np.vstack([ratio, np.zeros(ratio.shape[1])])
            chance *= np.exp(table)[codes[dimension]]
            chance /= chance.sum(axis=1, keepdims=True)
    misfit = [
        np.where(
            target.sum(axis=1, keepdims=True) > 50,
            np.abs(100 * (sums[dimension] @ chance) / sums[dimension].sum(axis=1).A1[:, None] - target),
            0.0,
        ).ravel()
        for dimension, target in targets.items()
    ]
    return factors | {"start": np.log(np.maximum(whole / whole.sum(), 1e-12)), "misfit": np.concatenate(misfit)}


def _add_logs(
    logs: dict[str, Array], fit: Mapping[str, Array], groups: Mapping[str, list], level: int, year: int
) -> None:
    """Keep the factors of one level and year: those of major ethnic groups with their minor ones."""
    majors = [major for _, major, _, _ in facts.ETHNICITY.values()]
    logs["all"][level, year] = fit["start"] + fit["all"][0]
    for dimension, listed in groups.items():
        for place, (group, _) in enumerate(listed):
            if dimension == "ethnicity":
                held = np.array(majors) == MAJOR[group]
                logs["ethnicity_minor"][held, level, year] += fit[dimension][place]
            elif dimension != "all":
                logs[dimension][GROUPS[dimension].index(group), level, year] += fit[dimension][place]


# ---- pay ------------------------------------------------------------------------------------------------------------

FIT_PERSONS, FIT_CHUNK = 1_200_000, 100_000
BIN, LOWEST, N_BIN = 0.02, 4.0, 600  # of log pay
SWEEPS, ABILITY_TRIALS = 14, 7
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


def fit_pay(table: pd.DataFrame) -> dict[str, Array]:
    """Rake log pay until every published median by level is met; price ability so that a degree does as `Truth` says."""
    workers, medians = simulated_workers(), _median_targets(table)
    held = {level: np.flatnonzero(workers.level == level) for level in range(N_LEVEL)}
    logs = {name: np.zeros((len(GROUPS[name]), N_LEVEL, YEARS)) for name in DIMENSIONS}
    logs["all"] = np.zeros((N_LEVEL, YEARS))
    price = np.array([0.22, 0.35])
    goal = np.log1p(Truth().degree)
    at = pay.DEGREE_YEAR - 1
    for trial in range(ABILITY_TRIALS):
        for level in (1, 2):
            _rake_medians(workers, held[level], level, at, price[workers.female.astype(int)], medians, logs, SWEEPS)
        found = _degree_effect(workers, logs)
        print(f"trial {trial}: price of ability {price.round(4)}, effect of a degree {np.expm1(found).round(4)}")
        # The raw gap stays: what ability takes of it leaves the degree. The two levels differ by about this much of it.
        gap = [_mean_ability(workers, sex, 2) - _mean_ability(workers, sex, 1) for sex in (0, 1)]
        price = price + (found - goal) / np.array(gap)
    logs["ability"] = price
    fitted_price = {year: _price(price, year) for year in range(1, YEARS + 1)}
    misses = []
    for level in range(N_LEVEL):
        for k in range(YEARS):
            priced = fitted_price[k + 1][workers.female.astype(int)]
            misses.append(_rake_medians(workers, held[level], level, k, priced, medians, logs, 2 * SWEEPS))
    missed = np.concatenate(misses)
    print("medians by level: share within 0.5 %", (missed < 0.005).mean().round(4), "largest", missed.max().round(4))
    print("effect of a degree at the end", np.expm1(_degree_effect(workers, logs)).round(4))
    return logs


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
    """Shift the log pay of groups of one level and year until the medians are met; return how far they are at the end."""
    rows = held[np.isfinite(workers.other[held, k])]
    codes = {name: workers.codes[name][rows] for name in DIMENSIONS}
    weight = workers.weight[rows].astype(np.float64)
    value = workers.other[rows, k] + price[rows] * workers.ability[rows] + logs["all"][level, k]
    for name in DIMENSIONS:
        value = value + np.append(logs[name][:, level, k], 0.0)[codes[name]]
    majors = [major for _, major, _, _ in facts.ETHNICITY.values()]
    label = LEVELS[level]
    order = ("school_type", "first_language", "idaci", "sen", "ethnicity", "ethnicity_minor", "fsm", "ks4_five_ac",
             "school_region", "sex", "all")  # fmt: skip
    for sweep in range(sweeps + 1):
        misses = []
        for name in order:
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
    counts = np.bincount(place * N_BIN + bins, weight, (n + 1) * N_BIN).reshape(n + 1, N_BIN)[:n]
    below = np.cumsum(counts, axis=1)
    half = below[:, -1:] / 2
    at = (below < half).sum(axis=1)
    row = np.arange(n)
    inside = counts[row, at]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (half[:, 0] - (below[row, at] - inside)) / inside
    found: Array = np.where(half[:, 0] > 0, LOWEST + BIN * (at + part), np.nan)
    return found


def _mean_ability(workers: Workers, sex: int, level: int) -> float:
    chosen = (workers.female == bool(sex)) & (workers.level == level)
    return float(np.average(workers.ability[chosen], weights=workers.weight[chosen]))


def _degree_effect(workers: Workers, logs: Mapping[str, Array]) -> Array:
    """Return the mean effect of a degree by sex among all who have one or level 3, with what place and industry add."""
    k, regions = pay.DEGREE_YEAR - 1, workers.codes["school_region"]
    difference = np.full(len(regions), logs["all"][2, k] - logs["all"][1, k])
    for name in DIMENSIONS:
        difference += np.append(logs[name][:, 2, k] - logs[name][:, 1, k], 0.0)[workers.codes[name]]
    found = []
    for sex in (0, 1):
        both = (workers.female == bool(sex)) & (workers.level > 0)
        through = np.zeros(len(facts.REGIONS))
        for level, sign in ((2, 1), (1, -1)):
            chosen = both & (workers.level == level)
            sums = np.bincount(regions[chosen], workers.through[chosen] * workers.weight[chosen], len(through))
            through += sign * sums / np.bincount(regions[chosen], workers.weight[chosen], len(through))
        found.append(np.average((difference + through[regions])[both], weights=workers.weight[both]))
    return np.array(found)


# ---- the file -------------------------------------------------------------------------------------------------------


def write(parts: Mapping[str, Mapping[str, Array]]) -> None:
    """Write the parameters: the same bytes for the same numbers."""
    with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for part in fitted.PARTS:
            for name, values in parts.get(part, {}).items():
                held = io.BytesIO()
                np.save(held, values.astype(np.float32))
                archive.writestr(zipfile.ZipInfo(f"{part}.{name}.npy", (1980, 1, 1, 0, 0, 0)), held.getvalue())


def main(wanted: list[str]) -> None:
    table = published()
    parts: dict[str, Mapping[str, Array]] = {}
    if TARGET.exists():
        found = fitted.load()
        parts = {part: getattr(found, part) for part in fitted.PARTS}
    for part, fit in {"population": fit_population, "activity": fit_activities, "pay": fit_pay}.items():
        if not wanted or part in wanted:
            parts[part] = fit(table)
            write(parts)
            fitted.load.cache_clear()
            population.cells.cache_clear()
            activities.effects.cache_clear()
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
