"""Median pay of the simulation and who has any, raked over a simulated population, and the price of ability.

A median of all is a mixture of those of groups and levels: it tells how many of each are in work. What is published of
years of study thus fixes, up to what is assumed of all (`facts.PAID_WORK`), how the odds of paid work differ; later
nearly all workers are employed throughout, and the mixture of men and women fixes how much wider women's pay spreads.

Chance, and what marks do not tell of ability, are not drawn: their distributions are folded with those of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from fit_shares import LEVELS, MAJOR, ORDER, Array
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from scipy.special import ndtr, ndtri

from leoreturns.extract.simulate import chunk, facts, pay, population
from leoreturns.extract.simulate.careers import assumed_work, make_careers
from leoreturns.extract.simulate.effects import YEARS
from leoreturns.extract.simulate.people import CORRELATION, make_people
from leoreturns.extract.simulate.population import DIMENSIONS, GROUPS, N_LEVEL
from leoreturns.extract.simulate.truth import Truth

FIT_PERSONS, FIT_CHUNK = 600_000, 50_000
BIN, LOWEST, N_BIN = 0.02, 4.0, 600  # of log pay
SWEEPS, TRIAL_SWEEPS, ABILITY_TRIALS = 50, 40, 5
SLOPE = 0.5  # of the effect of a degree on the price of ability, about
FIT_COHORT = 2002  # has all published years before 2019
RARE = 0.4  # how much of the difference in size between ethnic groups is taken out of the population to fit on
# Of the log odds of paid work: part of a step that is taken, the largest step, the furthest a group may be from what is
# assumed, and what keeps them where they are when the mixture hardly hangs on them.
STEP, LARGEST_STEP, FURTHEST, RIDGE = 0.15, 0.15, 1.5, 5e-4
EARLY = 6  # years after key stage 4 in which men and women in work differ in number rather than in spread
WIDER = (0.8, 1.6)
MIXTURES = {"not graduate": (0, 1), "all": (0, 1, 2)}


@dataclass(frozen=True)
class Workers:
    """The simulated population that medians are fitted on.

    Attributes
    ----------
    codes : mapping of dimension -> int8 array
    level, female : int8 array, bool array
    weight, ability : float32 arrays
        Ability as marks at key stage 4 tell it.
    work : float32 matrix
        Assumed chance of paid work by year; 0 out of sight.
    causes : float32 matrix
        Log pay by year of causes beside.
    through : float32 array
        What place and industry add to log pay in the year of the degree's effect.
    """

    codes: Mapping[str, NDArray[np.int8]]
    level: NDArray[np.int8]
    female: NDArray[np.bool_]
    weight: NDArray[np.float32]
    ability: NDArray[np.float32]
    work: NDArray[np.float32]
    causes: NDArray[np.float32]
    through: NDArray[np.float32]


def simulated_workers() -> Workers:
    """Return a population in which rare ethnic groups and selective schools are more common, with weights."""
    plan = chunk.Plan(FIT_PERSONS, 987, FIT_CHUNK, (FIT_COHORT,), False)
    world, start = plan.world(), population.cells()
    tilted = start.chance * _boost_of(start.codes)[:, None]
    cells = population.Cells(start.codes, tilted / tilted.sum())
    nowhere = replace(plan.truth, place=0.0, place_sd=0.0, first_move=0.0, sector=0.0)
    parts = []
    for number in range(plan.n_chunks):
        rng = [plan.stream(number + 1, topic) for topic in range(2)]
        people = make_people(FIT_CHUNK, plan.cohorts, world, plan.truth, rng[0], cells)
        careers = make_careers(people, world, rng[1])
        causes, without = (pay.causes(people, careers, world, truth)[:, :YEARS] for truth in (plan.truth, nowhere))
        work = np.where(careers.seen, assumed_work(people, careers.activity), 0.0)[:, :YEARS]
        through = (causes - without)[:, pay.DEGREE_YEAR - 1]
        numbers = 1 / _boost_of(people.codes), CORRELATION * people.ks4, work, causes, through
        parts.append((people.codes, people.level, people.female, *(values.astype(np.float32) for values in numbers)))
    codes = {name: np.concatenate([part[0][name] for part in parts]) for name in DIMENSIONS}
    return Workers(codes, *(np.concatenate([part[at] for part in parts]) for at in range(1, 8)))


def _boost_of(codes: Mapping[str, NDArray[np.int8]]) -> Array:
    """Return how much more often persons with these codes are drawn than in the population."""
    shares = np.array([share for share, _, _, _ in facts.ETHNICITY.values()])
    boost = np.append((shares / shares.sum()) ** -RARE, 1.0)[codes["ethnicity_minor"]]
    found: Array = boost * np.array([1.0, 3.0, 1.5, 1.5])[codes["school_type"]]
    return found * np.array([1.0, 1.0, 2.5, 1.0])[codes["sen"]]


def fit_pay(
    table: pd.DataFrame, pay_start: Mapping[str, Array], work_start: Mapping[str, Array]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Rake log pay and the odds of work until published medians are met, a degree being worth what `Truth` says.

    It goes on from the parameters there are; returns those of pay and of work.
    """
    workers, medians = simulated_workers(), _median_targets(table)
    logs, work = ({name: start[name].copy() for name in ("all", *DIMENSIONS)} for start in (pay_start, work_start))
    price = pay_start["ability"].copy()
    wider = pay_start["wider"].copy()
    goal, at = np.log1p(Truth().degree), pay.DEGREE_YEAR - 1
    for trial in range(ABILITY_TRIALS):
        _Year(workers, at, price, medians).rake(logs, work, wider, TRIAL_SWEEPS)
        found = _degree_effect(workers, logs)
        print(f"trial {trial}: price of ability {price.round(4)}, effect of a degree {np.expm1(found).round(4)}")
        # The raw gap stays: what ability takes of it leaves the degree.
        price = price + (found - goal) / SLOPE
    misses = {}
    for k in range(YEARS):
        misses[k + 1] = _Year(workers, k, _price(price, k + 1), medians).rake(logs, work, wider, SWEEPS)
        far = np.abs(np.array(list(misses[k + 1].values())))
        print(f"year {k + 1}: medians within 1 % {(far < 0.01).mean():.3f}, 2 % {(far < 0.02).mean():.3f}")
    for miss, key, year in sorted(((abs(m), key, y) for y, of in misses.items() for key, m in of.items()))[-40:]:
        print(f"  {miss:.3f} {key} year {year}")
    print("effect of a degree at the end", np.expm1(_degree_effect(workers, logs)).round(4))
    return logs | {"ability": price, "through": _through(workers), "wider": wider}, work


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


class _Dimension:
    """Where the persons of a year stand by level and group, and the medians to meet; a last group is not published."""

    def __init__(self, name: str, codes: Mapping[str, NDArray[np.int8]], level: NDArray[np.int8],
                 medians: Mapping[tuple[str, str, str], Array], k: int) -> None:  # fmt: skip
        minors = [major for _, major, _, _ in facts.ETHNICITY.values()]
        if name == "all":
            self.groups, self.source, self.held = ("all",), "all", np.array([0])
            place = np.zeros(len(level), np.int64)
        elif name == "ethnicity":
            self.groups, self.source = tuple(MAJOR), "ethnicity_minor"
            self.held = np.array([list(MAJOR.values()).index(m) if m in MAJOR.values() else len(MAJOR) for m in minors])
            place = np.append(self.held, len(MAJOR))[codes["ethnicity_minor"]]
        else:
            self.groups, self.source = GROUPS[name], name
            self.held = np.arange(len(self.groups))
            place = np.where(codes[name] < 0, len(self.groups), codes[name]).astype(np.int64)
        self.name, self.n = name, len(self.groups) + 1
        self.cell = level.astype(np.int64) * self.n + place
        self.moved = np.zeros((N_LEVEL, self.n))
        nothing = np.full(YEARS, np.nan)
        self.whole = np.array([medians["all", "all", label][k] for label in LEVELS])
        self.target = {
            label: np.array([medians.get((name, group, label), nothing)[k] for group in self.groups] + [np.nan])
            for label in (*LEVELS, *MIXTURES)
        }

    def add(self, logs: dict[str, Array], change: Array, k: int) -> None:
        """Add a change by level and group to the logs of the groups that are fitted."""
        if self.name == "all":
            logs["all"][:, k] += change[:, 0]
        else:
            logs[self.source][:, :, k] += change.T[self.held]

    def limited(self, change: Array) -> Array:
        """Return a change of the log odds of work that leaves their sum within what is allowed."""
        before = self.moved
        self.moved = (before + change).clip(-FURTHEST, FURTHEST)
        return self.moved - before


class _Year:
    """Log pay and work of a year, raked in place."""

    def __init__(self, workers: Workers, k: int, price: Array, medians: Mapping[tuple[str, str, str], Array]) -> None:
        rows = np.flatnonzero(workers.work[:, k] > 0)
        self.k, self.codes = k, {name: codes[rows] for name, codes in workers.codes.items()}
        self.level = workers.level[rows]
        self.weight, self.work, self.price = workers.weight[rows], workers.work[rows, k], price
        sex = workers.female[rows].astype(np.int64)
        self.other = workers.causes[rows, k] + price.astype(np.float32)[sex] * workers.ability[rows]
        self.bins = sex * N_BIN
        self.dimensions = [_Dimension(name, self.codes, self.level, medians, k) for name in ORDER]
        # Minor ethnic groups stand for the major ones.
        self.tilted = [name for name in ORDER if name != "ethnicity" and (name != "sex" or k < EARLY)]

    def _sum(self, logs: Mapping[str, Array]) -> NDArray[np.float32]:
        total = logs["all"][self.level, self.k]
        for name in DIMENSIONS:
            total = total + np.vstack([logs[name][:, :, self.k], np.zeros(N_LEVEL)])[self.codes[name], self.level]
        return total.astype(np.float32)

    def rake(self, logs: dict[str, Array], work: dict[str, Array], wider: Array, sweeps: int) -> dict:
        """Rake, and return how far each published median is from its target at the end, in logs."""
        k, value = self.k, self.other + self._sum(logs)
        log_odds = self._sum(work)
        for dimension in self.dimensions:
            if dimension.name in self.tilted:
                dimension.moved[:, :-1] = work[dimension.source][..., k].T.reshape(N_LEVEL, -1)
        for sweep in range(sweeps + 1):
            odds = np.exp(log_odds)
            chance = self.work * odds / (1 - self.work + self.work * odds)
            weight, misses = self.weight * chance, {}
            chances = self._chances(wider[:, k])
            free, left = weight * (1 - chance), 1 - sweep / sweeps  # steps become smaller, so that all comes to rest
            for dimension in self.dimensions:
                counts = self._counts(value, weight, dimension, chances)
                misses |= _misses_of(counts, dimension)
                if sweep == sweeps:
                    continue
                shift, change = _steps(counts, np.bincount(dimension.cell, free, N_LEVEL * dimension.n), dimension)
                value += shift.ravel().astype(np.float32)[dimension.cell]
                dimension.add(logs, shift, k)
                if dimension.name in self.tilted:
                    change = dimension.limited(left * change)
                    log_odds += change.ravel().astype(np.float32)[dimension.cell]
                    dimension.add(work, change, k)
                elif dimension.name == "sex":
                    wider[:, k] += left * (_wider(counts, dimension, wider[:, k]) - wider[:, k])
        return misses

    def _counts(self, value: Array, weight: Array, dimension: _Dimension, chances: Array) -> Array:
        """Return weights by level, group and bin of log pay, with chance."""
        bins = ((value - np.float32(LOWEST)) * np.float32(1 / BIN)).clip(0, N_BIN - 1).astype(np.int64)
        bins += dimension.cell * (2 * N_BIN) + self.bins
        counts = np.bincount(bins, weight, N_LEVEL * dimension.n * 2 * N_BIN).reshape(N_LEVEL, dimension.n, 2, N_BIN)
        found: Array = (counts.swapaxes(1, 2) @ chances).sum(axis=1)
        return found

    def _chances(self, wider: Array) -> Array:
        """Return by level and sex the chance of going from one bin of log pay to another: luck and hidden ability."""
        edges = (np.arange(-N_BIN + 0.5, N_BIN)) * BIN
        found = np.empty((N_LEVEL, 2, N_BIN, N_BIN))
        for level, of_level in enumerate(pay.SPREAD):
            for sex, (price, index) in enumerate(zip(self.price, pay.TAIL_INDEX, strict=True)):
                spread = np.interp(self.k + 1, pay.SPREAD_AT, of_level) * (wider[level] if sex else 1.0)
                beyond = edges - spread * ndtri(pay.TAIL_FROM)
                tail = 1 - (1 - pay.TAIL_FROM) * np.exp(-index * beyond.clip(min=0))
                luck = np.diff(np.where(beyond < 0, ndtr(edges / spread), tail))
                hidden = np.diff(ndtr(edges / (price * np.sqrt(1 - CORRELATION**2))))
                both = np.convolve(luck, hidden, mode="same")
                found[level, sex] = toeplitz(both[N_BIN - 1 :: -1], both[N_BIN - 1 :])
        return found / found.sum(axis=3, keepdims=True)


def _steps(counts: Array, free: Array, dimension: _Dimension) -> tuple[Array, Array]:
    """Return what to add to log pay, and to the log odds of work, by level and group.

    Work is changed where medians of groups contradict that of all they are part of: towards groups that earn more than
    it if the mixture earns less, and the other way round, each as far as it differs.
    """
    target = np.stack([dimension.target[label] for label in LEVELS])
    shift = target - _medians(counts)
    only = np.isnan(target).all(axis=0) & np.isfinite(dimension.target["all"])
    shift[:, only] = (dimension.target["all"] - _medians(counts.sum(axis=0)))[only]
    shift = np.nan_to_num(shift)
    size = counts.sum(axis=2)
    free, change = free.reshape(size.shape), np.zeros(size.shape)
    if dimension.name != "all":
        change += _tilt(_below(counts, dimension.whole[:, None] - shift), size, free, 1)
    for label, levels in MIXTURES.items():
        held = list(levels)
        below = _below(counts[held], np.nan_to_num(dimension.target[label]) - shift[held])
        tilt = _tilt(below, size[held], free[held], 0)
        change[held] += np.where(np.isfinite(dimension.target[label]) & ~only, tilt, 0.0)
    change[:, -1] = 0.0  # those of no group have no parameter of their own
    return shift, change


def _tilt(below: Array, size: Array, free: Array, axis: int) -> Array:
    """Return the change in log odds that moves the share of a mixture below its median towards a half."""
    total = size.sum(axis=axis, keepdims=True).clip(min=1e-9)
    share = (size * below).sum(axis=axis, keepdims=True) / total
    apart = np.where(size > 0, below - share, 0.0)
    slope = (free * apart**2).sum(axis=axis, keepdims=True) / total
    found: Array = (STEP * (0.5 - share) / (slope + RIDGE) * apart).clip(-LARGEST_STEP, LARGEST_STEP)
    return found


def _wider(counts: Array, dimension: _Dimension, wider: Array) -> Array:
    """Return how much wider women's pay spreads, by level, after a step towards the median of both."""
    target = np.stack([dimension.target[label] for label in LEVELS])
    below = _below(counts, dimension.whole[:, None] - np.nan_to_num(target - _medians(counts)))
    size = counts.sum(axis=2)
    share = (size * below).sum(axis=1) / size.sum(axis=1)
    place = ndtri(below[:, 1].clip(0.01, 0.99))
    slope = -size[:, 1] / size.sum(axis=1) * place * np.exp(-0.5 * place**2) / np.sqrt(2 * np.pi)
    with np.errstate(divide="ignore"):
        step = np.where(np.abs(place) > 0.1, 2 * STEP * (0.5 - share) / slope, 0.0)
    found: Array = (wider * np.exp(step.clip(-0.05, 0.05))).clip(*WIDER)
    return found


def _misses_of(counts: Array, dimension: _Dimension) -> dict[tuple[str, str, str], float]:
    """Return how far each published median is from its target, in logs."""
    levels = {label: (code,) for code, label in enumerate(LEVELS)} | MIXTURES
    return {
        (dimension.name, group, label): float(miss)
        for label, held in levels.items()
        for group, miss in zip(
            dimension.groups, _medians(counts[list(held)].sum(axis=0)) - dimension.target[label], strict=False
        )
        if np.isfinite(miss)
    }


def _below(counts: Array, point: Array) -> Array:
    """Return the share of each histogram below a point."""
    sums = np.concatenate([np.zeros((*counts.shape[:-1], 1)), np.cumsum(counts, axis=-1)], axis=-1)
    at = np.broadcast_to(((point - LOWEST) / BIN).clip(0, N_BIN - 1e-6), counts.shape[:-1])
    bins = at.astype(np.int64)[..., None]
    lower, upper = (np.take_along_axis(sums, bins + more, axis=-1)[..., 0] for more in (0, 1))
    total = sums[..., -1]
    found: Array = np.where(total > 0, (lower + (at % 1) * (upper - lower)) / total.clip(min=1e-9), 0.5)
    return found


def _medians(counts: Array) -> Array:
    """Return the median of each histogram, NaN for an empty one."""
    below = np.cumsum(counts, axis=-1)
    half = below[..., -1:] / 2
    at = (below < half).sum(axis=-1)[..., None].clip(max=N_BIN - 1)
    inside, upto = (np.take_along_axis(values, at, axis=-1)[..., 0] for values in (counts, below))
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (half[..., 0] - (upto - inside)) / inside
    found: Array = np.where(half[..., 0] > 0, LOWEST + BIN * (at[..., 0] + part), np.nan)
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
