"""Annualised earnings of simulated persons, as they are and as they would be at another level.

In logs, at prices of 2017-18: what the fit gives to a person's characteristics, level and year (`fitted`), ability at
the price of the year, what causes pay beside the level (`Truth`), and chance that belongs to the person. What a person
would earn at another level has the same ability and the same chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator
from scipy.special import log_ndtr, ndtri

from leoreturns._typing import AnyArray, FloatArray
from leoreturns.extract.simulate import facts, fitted
from leoreturns.extract.simulate.activities import HIGHER
from leoreturns.extract.simulate.careers import Careers
from leoreturns.extract.simulate.effects import YEARS, Effects
from leoreturns.extract.simulate.people import APPRENTICESHIP, GRADUATE, LEVEL_3, OTHER_LEVEL_3, VOCATIONAL, People
from leoreturns.extract.simulate.population import DIMENSIONS
from leoreturns.extract.simulate.truth import Truth
from leoreturns.extract.simulate.world import World

# Spread of chance by year after key stage 4 and level, and how it splits into what stays with the person and what
# fades. Graduates differ most when some have just left and others still study.
SPREAD_AT = (1, 3, 4, 5, 6, 7, 8, 10, 15)
SPREAD = (
    (0.90, 0.72, 0.68, 0.63, 0.59, 0.56, 0.54, 0.50, 0.52),
    (0.90, 0.72, 0.68, 0.63, 0.59, 0.56, 0.54, 0.50, 0.52),
    (0.90, 0.68, 0.66, 0.95, 0.95, 0.70, 0.57, 0.50, 0.52),
)
PERSON_SHARE, FADES = 0.55, 0.80
TAIL_FROM = 0.90  # of chance: a Pareto tail above it
TAIL_INDEX = (2.33, 3.17)  # men, women
# Log pay by main activity against employment, in full up to a year and gone from another.
BY_ACTIVITY = (0.0, -0.6, -0.35, 0.0, -0.3, -0.2, -0.1, -1.2)
FULL_UNTIL, GONE_FROM = 7, 12
DEGREE_YEAR = 13  # after key stage 4: the year in which the effect of a degree is as `Truth` says


@cache
def effects() -> Effects:
    """Return what characteristics, level and year add to log pay."""
    return Effects({name: values for name, values in fitted.load().pay.items() if name in ("all", *DIMENSIONS)})


def ability_price(truth: Truth, year: int) -> FloatArray:
    """Return what a standard deviation of ability adds to log pay, of men and women: employers learn it with time."""
    price: FloatArray = fitted.load().pay["ability"] * (learned(truth, year) / learned(truth, DEGREE_YEAR))
    return price


def learned(truth: Truth, year: int) -> float:
    """Return the share of ability that employers know of in a year after key stage 4."""
    return float(1 - (1 - truth.ability_at_first) * np.exp(-truth.learning_speed * (year - 1)))


def chance(people: People, years: int, rng: Generator) -> AnyArray:
    """Return what chance adds to the log pay of each person and year: normal, with a Pareto upper tail."""
    n = len(people)
    index = np.array(TAIL_INDEX, np.float32)[people.female.astype(np.int8)]
    latent = rng.standard_normal(n, np.float32)
    found = np.empty((n, years), np.float32)
    for year in range(years):
        if year:
            latent = FADES * latent + np.sqrt(1 - FADES**2) * rng.standard_normal(n, np.float32)
        z = np.sqrt(PERSON_SHARE) * people.luck + np.sqrt(1 - PERSON_SHARE) * latent
        found[:, year] = spread(people.level, people.female, year + 1) * np.minimum(z, _TAIL_AT)
        high = np.flatnonzero(z > _TAIL_AT)
        found[high, year] += (np.log(1 - TAIL_FROM) - log_ndtr(-z[high])) / index[high]
    return found


def spread(level: AnyArray, female: AnyArray, year: int) -> AnyArray:
    """Return the standard deviation of chance in a year (1, 2, ...): part-time work makes women's pay differ more."""
    of_men = np.array([np.interp(year, SPREAD_AT, of_level) for of_level in SPREAD], np.float32)
    wider = fitted.load().pay["wider"][:, min(year, YEARS) - 1].astype(np.float32)
    found: AnyArray = (of_men * np.stack([np.ones(3, np.float32), wider]))[female.astype(np.int8), level]
    return found


_TAIL_AT = float(ndtri(TAIL_FROM))


def causes(people: People, careers: Careers, world: World, truth: Truth) -> AnyArray:
    """Return what causes pay beside level, ability and chance: route, years of study, place, sector, school, COVID."""
    span = careers.activity.shape[1]
    sex = people.female.astype(np.int8)
    route = np.zeros((2, 5))
    route[:, VOCATIONAL], route[:, APPRENTICESHIP], route[:, OTHER_LEVEL_3] = (
        truth.vocational, truth.apprenticeship, truth.other_route,
    )  # fmt: skip
    fixed = np.where(people.level >= LEVEL_3, route[sex, people.route], 0.0)
    fixed = fixed + truth.school_sd * world.school_effect[people.school]
    found = np.repeat(fixed.astype(np.float32)[:, None], span, axis=1)
    studies = careers.activity == HIGHER
    behind = np.cumsum(studies, axis=1) - studies
    found += np.where(people.level[:, None] == GRADUATE, 0.0, truth.he_year * behind).astype(np.float32)
    inside = careers.lsoa >= 0
    home = world.lsoa_ttwa[people.lsoa]
    ttwa = np.where(inside, world.lsoa_ttwa[careers.lsoa.clip(min=0)], home[:, None])
    places = _places(world, truth)
    # The characteristics hold what living in the region of school is worth: a move adds the difference.
    found += places[ttwa] - places[home][:, None] + truth.place_sd * world.ttwa_effect[home][:, None]
    found += truth.first_move * np.logical_or.accumulate(ttwa != home[:, None], axis=1)
    year = people.cohort[:, None] + 1 + np.arange(span)
    later = year > LAST_OLD_REGISTER
    section = np.where(later, world.section_later[careers.enterprise], world.section[careers.enterprise])
    pay = truth.sector * (facts.SECTION_PAY - facts.MEAN_SECTION_PAY[:, None])
    found += pay[people.level[:, None], section].astype(np.float32)
    fades = ((GONE_FROM - np.arange(1, span + 1)) / (GONE_FROM - FULL_UNTIL)).clip(0, 1)
    found += (np.array(BY_ACTIVITY, np.float32)[careers.activity] * fades).astype(np.float32)
    found += np.where(year == COVID_YEAR, np.array(truth.covid)[people.level][:, None], 0.0).astype(np.float32)
    return found


LAST_OLD_REGISTER, COVID_YEAR = 2016, 2020


def _places(world: World, truth: Truth) -> AnyArray:
    """Return what living in each travel-to-work area adds to log pay."""
    region = truth.place * np.array([pay for _, _, pay in facts.REGIONS.values()])
    return (region[world.ttwa_region] + truth.place_sd * world.ttwa_effect).astype(np.float32)


def level_pay(people: People, places: tuple[AnyArray, ...], level: AnyArray, year: int, truth: Truth) -> FloatArray:
    """Return log pay of a year by characteristics, level and ability, without causes beside and without chance."""
    price = ability_price(truth, year)[people.female.astype(np.int8)]
    extra = np.where(level == GRADUATE, extra_of_degree(people.codes, people.ks4, truth), 0.0)
    found: FloatArray = effects().of(places, level, year) + price * people.ability + extra
    return found


def extra_of_degree(codes: Mapping[str, AnyArray], ks4: FloatArray, truth: Truth) -> FloatArray:
    """Return by how much the effect of a degree differs from the one that is fitted."""
    shift = np.log1p(truth.degree) - np.log1p(Truth().degree)
    more: FloatArray = truth.degree_by_fsm * ((codes["fsm"] == 1) - facts.FSM) + truth.degree_by_ks4 * ks4
    return shift[codes["sex"]] + more


@dataclass(frozen=True, slots=True)
class Pay:
    """Log annualised earnings at prices of 2017-18: persons by years 1, 2, ... after key stage 4."""

    log: FloatArray


def make_pay(people: People, careers: Careers, world: World, truth: Truth, rng: Generator) -> Pay:
    """Return the pay that every year has where there is paid work."""
    span = careers.activity.shape[1]
    found = causes(people, careers, world, truth) + chance(people, span, rng)
    places = effects().places(people.codes)
    for k in range(span):
        found[:, k] += level_pay(people, places, people.level, k + 1, truth)
    return Pay(found)
