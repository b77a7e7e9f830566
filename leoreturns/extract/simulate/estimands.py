"""The true values of what can be estimated on a simulated extract: of the process, and of the persons drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.special import ndtr

from leoreturns._typing import AnyArray, BoolArray, FloatArray
from leoreturns.extract.simulate import facts, fitted
from leoreturns.extract.simulate.effects import YEARS, Effects
from leoreturns.extract.simulate.pay import DEGREE_YEAR, effects, extra_of_degree, learned
from leoreturns.extract.simulate.people import FEMALE_LABELS, FIVE_AC_FROM, SCORE_MEAN, SCORE_SD, People
from leoreturns.extract.simulate.population import GRADUATE, LEVEL_3, N_LEVEL, cells
from leoreturns.extract.simulate.truth import Truth
from leoreturns.extract.simulate.world import World

TREATED = {"all": (LEVEL_3, GRADUATE), "graduate": (GRADUATE,), "level 3 or above": (LEVEL_3,)}
DIMENSIONS = ("fsm", "ks4_five_ac")
LABELS = ("false", "true")


def degree_effect(codes: Mapping[str, AnyArray], ks4: FloatArray, truth: Truth) -> FloatArray:
    """Return what a degree adds to log pay, against level 3 or above, in the year of `DEGREE_YEAR`.

    Ability and chance are the same with and without: the effect hangs on characteristics and marks alone. It includes
    what a degree adds through place and industry, on average over those of the same sex and region of school.
    """
    places, n = Effects.places(codes), len(ks4)
    with_, without = (effects().of(places, np.full(n, level), DEGREE_YEAR) for level in (GRADUATE, LEVEL_3))
    through: FloatArray = fitted.load().pay["through"][codes["sex"], codes["school_region"]]
    effect: FloatArray = with_ - without + through + extra_of_degree(codes, ks4, truth)
    return effect


def tally(people: People, truth: Truth) -> Counter[str]:
    """Return sums of effects and numbers of persons of one chunk, by group."""
    effect = degree_effect(people.codes, people.ks4, truth)
    found: Counter[str] = Counter()
    for name, inside in _groups(people.codes):
        for of, levels in TREATED.items():
            chosen = inside & np.isin(people.level, levels)
            found[f"{name}|{of}|sum"] = float(effect[chosen].sum())  # type: ignore[assignment]
            found[f"{name}|{of}|n"] = int(chosen.sum())
    return found


def _groups(codes: Mapping[str, AnyArray]) -> Iterator[tuple[str, BoolArray]]:
    """Give names of groups, such as "F, fsm true", and who is in them."""
    for sex, label in enumerate(FEMALE_LABELS):
        inside = codes["sex"] == sex
        yield label, inside
        for name in DIMENSIONS:
            for code, value in enumerate(LABELS):
                yield f"{label}, {name} {value}", inside & (codes[name] == code)


def _expected_ks4(codes: Mapping[str, AnyArray], level: int) -> FloatArray:
    """Return the mean score at key stage 4 of a level, with five A*-C or without: of a normal cut in two."""
    cut = (FIVE_AC_FROM - SCORE_MEAN[level]) / SCORE_SD
    density = np.exp(-0.5 * cut**2) / np.sqrt(2 * np.pi)
    above, below = SCORE_SD * density / (1 - ndtr(cut)), -SCORE_SD * density / ndtr(cut)
    mean: FloatArray = SCORE_MEAN[level] + np.where(codes["ks4_five_ac"] == 1, above, below)
    return mean


@cache
def process(truth: Truth) -> Mapping[str, float]:
    """Return the mean effect of a degree by group in the distribution that persons are drawn from, without error."""
    population = cells()
    effect = np.zeros(population.chance.shape)
    for level in (LEVEL_3, GRADUATE):
        effect[:, level] = degree_effect(population.codes, _expected_ks4(population.codes, level), truth)
    found = {}
    for name, inside in _groups(population.codes):
        for of, levels in TREATED.items():
            weight = population.chance * inside[:, None] * np.isin(np.arange(N_LEVEL), levels)
            found[f"{name}|{of}"] = float((weight * effect).sum() / weight.sum())
    return MappingProxyType(found)


def report(truth: Truth, world: World, drawn: Mapping[str, float]) -> dict[str, Any]:
    """Return every estimand with its true value for the process and for the population drawn."""
    values = []
    for key, value in process(truth).items():
        group, of = key.split("|")
        n = drawn.get(f"{key}|n", 0)
        mean = drawn.get(f"{key}|sum", 0.0) / n if n else None
        values.append({"group": group, "of": of, "process": value, "population": mean, "persons": n})
    return {
        "degree": {
            "what": f"log annualised real earnings in year {DEGREE_YEAR} after key stage 4, with a degree minus with"
            " level 3 or above and no year of higher education; the route of key stage 5 stays",
            "values": values,
        },
        "area": {"what": "spread of travel-to-work areas within regions, log pay", "values": [
            {"process": truth.place_sd, "population": truth.place_sd * float(world.ttwa_effect.std())}]},
        "school": {"what": "spread of schools, log pay", "values": [
            {"process": truth.school_sd, "population": truth.school_sd * float(world.school_effect.std())}]},
        **{
            name: {"what": what, "values": [
                {"group": sex, "process": value, "population": value}
                for sex, value in zip(FEMALE_LABELS, getattr(truth, name), strict=True)]}
            for name, what in _ROUTES.items()
        },
        **{
            name: {"what": what, "values": [{"process": getattr(truth, name), "population": getattr(truth, name)}]}
            for name, what in _SINGLE.items()
        },
        "ability": {"what": "share of what ability is worth that employers pay for, by year after key stage 4",
            "values": [{"year": year, "process": share, "population": share}
                for year in range(1, YEARS + 1) for share in [learned(truth, year)]]},
        "covid": {"what": "tax year 2020-21, log pay", "values": [
            {"group": label, "process": value, "population": value}
            for label, value in zip(facts.LEVELS, truth.covid, strict=True)]},
    }  # fmt: skip


_SINGLE = {
    "degree_by_fsm": "how much larger the effect of a degree is with free school meals",
    "degree_by_ks4": "how much larger the effect of a degree is by standard deviation of marks at key stage 4",
    "he_year": "a year of higher education without reaching a degree, log pay",
    "place": "region of residence, as a multiple of its mean log pay",
    "first_move": "having left the first travel-to-work area, log pay",
    "sector": "industry, as a multiple of its mean log pay",
}
_ROUTES = {
    "vocational": "vocational route against A levels, log pay, of those who reach level 3",
    "apprenticeship": "apprenticeship against A levels, log pay, of those who reach level 3",
    "other_route": "other routes against A levels, log pay, of those who reach level 3",
}
