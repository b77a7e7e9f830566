"""Shares of levels and main activities of the simulation, raked over the cells of `population`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from leoreturns.extract.simulate import facts, population
from leoreturns.extract.simulate.activities import ACTIVITIES, POSSIBLE
from leoreturns.extract.simulate.effects import YEARS
from leoreturns.extract.simulate.population import DIMENSIONS, GROUPS, N_LEVEL

LEVELS = facts.LEVELS
MAJOR = {"Asian": "ASIA", "Black": "BLAC", "Chinese": "CHIN", "Mixed": "MIXD", "White": "WHIT"}
MIXED_UP = ("ethnicity", "ethnicity_minor")  # dimensions whose records are in part those of others
LARGEST = 6.0  # logs of factors beyond it stand for groups that published figures contradict
# Later dimensions are met more closely than earlier ones.
ORDER = ("school_type", "first_language", "idaci", "sen", "ethnicity", "ethnicity_minor", "fsm", "ks4_five_ac",
         "school_region", "sex", "all")  # fmt: skip
Array = NDArray[np.float64]


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


def fit_population(table: pd.DataFrame, mixed_up: float, sweeps: int = 300) -> dict[str, Array]:
    """Rake the cells to the share of every group, and to that of every level in it where one is implied.

    `mixed_up` is the share of recorded ethnic groups that are those of other persons.
    """
    start, shares = population.base(), level_shares(table)
    for key in shares:
        if key[0] in MIXED_UP:
            shares[key] = (shares[key] - mixed_up * shares["all", "all"]) / (1 - mixed_up)
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
    return ORDER.index(key[0]), *key


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
