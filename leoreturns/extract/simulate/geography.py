"""Residence and coronavirus support of simulated persons, by tax year."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate import facts
from leoreturns.extract.simulate.careers import LAST_TAX_YEAR, NO_JOB, OUTSIDE, Careers
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.ids import Ids
from leoreturns.extract.simulate.people import People
from leoreturns.extract.simulate.rows import Coded, Rows, coded, flag
from leoreturns.extract.simulate.world import (
    AREAS_PER_LSOA,
    N_AUTHORITY,
    N_CONSTITUENCY,
    N_LSOA,
    REGION_NAMES,
    World,
)

FIRST_YEAR, LAST_OF_OLD_AREAS = 2004, 2012
COUNTRIES = ("England", *OUTSIDE, "Unknown")
COUNTRY_CODES = ("E92000001", "L93000001", "S92000003", "W92000004", "N92000002", "X99999999")
UNKNOWN = len(COUNTRIES) - 1
CONSTITUENCIES = tuple(range(N_CONSTITUENCY))
PATTERNS = [(first, length) for length in range(1, 13) for first in range(13 - length)]
FURLOUGH_YEARS = {2019: (11, 12), 2020: (0, 12)}  # the months of each tax year in which the scheme ran
GRANTS = 2_400


def geography(people: People, careers: Careers, ids: Ids, world: World, rng: Generator, defects: Defects) -> Rows:
    """Return one row per person and tax year from 2004-05, some years without; the first is that of the home at 16."""
    # Column 0 is the tax year in which key stage 4 ends.
    addressed = np.column_stack([people.linked, careers.addressed])
    year = people.cohort[:, None] + np.arange(addressed.shape[1])
    person, place = careers.cells(addressed & (year >= FIRST_YEAR))
    gaps = defects.choose("year without an address", len(person))
    person, place = np.delete(person, gaps), np.delete(place, gaps)
    n, year = len(person), (people.cohort[person] + place).astype(np.int32)
    lsoa = np.where(place == 0, people.lsoa[person], careers.lsoa[person, place - 1])
    # Addresses to 2012-13 were recoded: in some years another area of the neighbourhood than the true one.
    spurious = defects.within("spurious move of 2012-13", (year == LAST_OF_OLD_AREAS) & (lsoa >= 0))
    neighbours = world.lsoa_of_region.pick(world.lsoa_region[lsoa[spurious]], defects.uniform(len(spurious)))
    lsoa[spurious] = neighbours
    home = lsoa >= 0
    country = np.where(home, 0, -lsoa)
    country[defects.choose("unknown country", n)] = UNKNOWN
    home &= country == 0
    inside = np.where(home, lsoa, 0)
    area = np.where(home, inside * AREAS_PER_LSOA + person % AREAS_PER_LSOA, -1).astype(np.int32)
    authority = np.where(home, world.lsoa_ttwa[inside].astype(np.int32) * 2 + inside % 2, -1) % N_AUTHORITY
    region = np.where(home, world.lsoa_region[inside], -1)
    constituency = np.where(home, inside * N_CONSTITUENCY // N_LSOA, -1)
    return {
        "Edukey": ids.edukey_of(person, rng),
        "TaxYear": year,
        "COA_2011": Coded(area, world.area_codes),
        "LAUA_anon": Coded(np.where(home, authority, -1).astype(np.int32), world.authority_codes),
        "PCON": coded(constituency, [f"E14{number:06d}" for number in CONSTITUENCIES]),
        "PCONNM": coded(constituency, [f"Constituency {number}" for number in CONSTITUENCIES]),
        "GOR": coded(region, [code for code, _, _ in facts.REGIONS.values()]),
        "GORNM": coded(region, REGION_NAMES),
        "CTRY": coded(country, COUNTRY_CODES),
        "CTRYNM": coded(country, COUNTRIES),
    }


def cjrs(people: People, careers: Careers, ids: Ids, world: World, rng: Generator, defects: Defects) -> Rows:
    """Return one row per person and tax year on furlough, with chances by industry."""
    chance = np.asarray(facts.FURLOUGH)[world.section_later]
    persons, years, months = [], [], []
    for year, (first, last) in FURLOUGH_YEARS.items():
        k = year - people.cohort - 1
        reached = np.flatnonzero((k >= 0) & (year <= LAST_TAX_YEAR))
        at = k[reached]
        works = careers.work[reached, at] < NO_JOB
        share = chance[careers.enterprise[reached, at]] * (0.6 if year == 2019 else 1.0)
        person = reached[works & (rng.random(len(reached)) < share)]
        begin = first + rng.integers(0, last - first, len(person)) // 3
        length = 1 + (rng.random(len(person)) ** 1.5 * (last - begin)).astype(np.int64)
        persons.append(person)
        years.append(np.full(len(person), year, np.int32))
        months.append(_pattern(begin, np.minimum(length, last - begin)))
    person, pattern = np.concatenate(persons), np.concatenate(months)
    lengths = np.array([length for _, length in PATTERNS])[pattern]
    weeks = np.round(lengths * (2 + 2.3 * rng.random(len(person))), 1)
    weeks[defects.choose("weeks of furlough missing", len(weeks))] = np.nan
    return {
        "EDUKEY": ids.edukey_of(person, rng),
        "TAXYEAR": np.concatenate(years),
        **_indicators("CJRS", pattern),
        "CJRS_WKS_CAPPED": flag(rng.random(len(person)) < 0.05),
        "CJRS_TOT_WKS": weeks,
    }


def seiss(self_employed: tuple[AnyArray, AnyArray], ids: Ids, rng: Generator) -> Rows:
    """Return one row per self-employed person with a grant in 2020-21."""
    person, year = self_employed
    chosen = np.flatnonzero((year == LAST_TAX_YEAR) & (rng.random(len(person)) < 0.6))
    person, n = person[chosen], len(chosen)
    length = rng.integers(3, 11, n)
    return {
        "EDUKEY": ids.edukey_of(person, rng),
        "TAXYEAR": np.full(n, LAST_TAX_YEAR, np.int32),
        "SEISS_TOT_WKS": np.round(length * 4.3, 1),
        "SEISS_TOT_AMT": np.round(GRANTS * length / 3 * (0.5 + rng.random(n))),
        **_indicators("SEISS", _pattern(np.ones(n, np.int64), length)),
    }


def _pattern(first: AnyArray, length: AnyArray) -> AnyArray:
    """Return the place in `PATTERNS` of runs of months."""
    # Runs of length m begin at 13 - m months; shorter runs come first.
    before: AnyArray = (length - 1) * 13 - (length - 1) * length // 2
    return before + first


def _indicators(scheme: str, pattern: AnyArray) -> Rows:
    texts = ["0" * first + "1" * length + "0" * (12 - first - length) for first, length in PATTERNS]
    column = coded(pattern.astype(np.int32), texts)
    return {f"{scheme}_EOM_IND": column, f"{scheme}_DTM_IND": column}
