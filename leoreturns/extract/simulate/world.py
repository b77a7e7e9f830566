"""What persons live in: schools, areas, enterprises, learning aims and universities. The same for all chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.random import Generator

from leoreturns._typing import AnyArray, FloatArray, IntArray
from leoreturns.extract.simulate import facts
from leoreturns.extract.simulate.rows import MISSING, Coded, Rows, coded, days, draw, numbered

N_LSOA, AREAS_PER_LSOA = 32_844, 5  # lower super output areas of 2011, and output areas in each
RANKS, N_QUINTILE = 32_482, 5  # areas of the ranking of deprivation, smaller than those of 2011
N_TTWA, N_CONSTITUENCY, N_AUTHORITY = 149, 533, 326
N_UNIVERSITY, N_PROVIDER, AIMS_PER_LEVEL = 130, 900, 60
PERSONS_PER_SCHOOL, PERSONS_PER_ENTERPRISE = 900, 25
N_SCHOOL, N_ENTERPRISE = (60, 4_200), (400, 300_000)  # fewest and most
ROUTE_LEVELS = range(8)
LARS_YEARS = range(2002, 2021)
REGION_NAMES = tuple(facts.REGIONS)


@dataclass(frozen=True, slots=True)
class Groups:
    """Members of groups laid end to end: those of group g are ``members[offsets[g]:offsets[g + 1]]``."""

    members: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, group: AnyArray, n_group: int) -> Groups:
        """Return the groups of a code per member; members keep their order."""
        counts = np.bincount(group, minlength=n_group)
        return cls(np.argsort(group, kind="stable"), np.concatenate([[0], np.cumsum(counts)]))

    def pick(self, group: AnyArray, place: AnyArray) -> IntArray:
        """Return the member at a relative place (0 to 1) of each of these groups."""
        first, size = self.offsets[group], np.diff(self.offsets)[group]
        picked: IntArray = self.members[first + np.minimum((place * size).astype(np.int64), size - 1)]
        return picked


@dataclass(frozen=True, slots=True)
class World:
    """Attributes of schools, areas, enterprises and aims, and who is found where.

    Attributes
    ----------
    lsoa_region : int8 array
        Region of each area; areas are in the order of deprivation, the most deprived first.
    lsoa_of_region, lsoa_of_ttwa, school_of_cell, enterprise_of_section, aim_of_level : Groups
    lsoa_of_cell : Groups
        Areas by region and fifth of deprivation.
    lsoa_ttwa : int16 array
        Travel-to-work area of each area.
    ttwa_region : int8 array
    ttwa_effect : float array
        What living in a travel-to-work area adds to log pay, in standard deviations.
    school_type, school_region : int8 arrays
    school_effect : float array
        What a school adds to log pay, in standard deviations.
    section, section_later : int8 arrays
        Industry section of each enterprise in the two vintages of the register.
    sic, sic_later : int16 arrays
        5-digit industry, as a place in `sic_codes`.
    aim_level, aim_area, aim_width : arrays
        Level, sector subject area, and percent of a full level 3, of each learning aim.
    """

    lsoa_region: AnyArray
    lsoa_of_region: Groups
    lsoa_of_cell: Groups
    lsoa_ttwa: AnyArray
    ttwa_region: AnyArray
    ttwa_effect: FloatArray
    lsoa_of_ttwa: Groups
    school_type: AnyArray
    school_region: AnyArray
    school_effect: FloatArray
    school_of_cell: Groups
    section: AnyArray
    section_later: AnyArray
    sic: AnyArray
    sic_later: AnyArray
    enterprise_of_section: Groups
    aim_level: AnyArray
    aim_area: AnyArray
    aim_width: AnyArray
    aim_of_level: Groups
    lsoa_codes: pa.Array
    area_codes: pa.Array
    ttwa_codes: pa.Array
    authority_codes: pa.Array
    laestab_codes: pa.Array
    urn_codes: pa.Array
    enterprise_codes: pa.Array
    sic_codes: pa.Array
    aim_codes: pa.Array
    university_codes: pa.Array
    provider_codes: pa.Array


def make_world(n_person: int, rng: Generator, *, n_schools: int | None = None) -> World:
    """Return a world of a size that suits so many persons."""
    shares = [share for _, share, _ in facts.REGIONS.values()]
    lsoa_region = draw(rng, shares, N_LSOA).astype(np.int8)
    quintile = np.arange(N_LSOA).clip(max=RANKS - 1) * N_QUINTILE // RANKS
    ttwa_region = np.sort(np.arange(N_TTWA) % len(shares))  # as many in each region
    ttwa = Groups.of(ttwa_region, len(shares)).pick(lsoa_region, rng.random(N_LSOA) ** 2)
    school_type, school_region = _schools(n_person, n_schools, rng)
    section, section_later, sic, sic_later, sic_codes = _enterprises(n_person, rng)
    aim_level = np.repeat(np.arange(len(ROUTE_LEVELS)), AIMS_PER_LEVEL).astype(np.int8)
    n_school, n_aim = len(school_type), len(aim_level)
    return World(
        lsoa_region=lsoa_region,
        lsoa_of_region=Groups.of(lsoa_region, len(shares)),
        lsoa_of_cell=Groups.of(lsoa_region * N_QUINTILE + quintile, len(shares) * N_QUINTILE),
        lsoa_ttwa=ttwa.astype(np.int16),
        ttwa_region=ttwa_region.astype(np.int8),
        ttwa_effect=_within(rng.standard_normal(N_TTWA), ttwa_region, np.bincount(ttwa, minlength=N_TTWA)),
        lsoa_of_ttwa=Groups.of(ttwa, N_TTWA),
        school_type=school_type,
        school_region=school_region,
        school_effect=rng.normal(0, 1, n_school),
        school_of_cell=Groups.of(school_type * len(shares) + school_region, len(facts.SCHOOL_TYPES) * len(shares)),
        section=section,
        section_later=section_later,
        sic=sic,
        sic_later=sic_later,
        enterprise_of_section=Groups.of(section, len(facts.SECTIONS)),
        aim_level=aim_level,
        aim_area=rng.integers(1, 16, n_aim).astype(np.int8),
        aim_width=np.where(aim_level >= 3, rng.choice([25.0, 50.0, 100.0], n_aim), 0.0),
        aim_of_level=Groups.of(aim_level, len(ROUTE_LEVELS)),
        lsoa_codes=numbered(1 + _scattered(N_LSOA, N_LSOA), 6, "E01"),
        area_codes=numbered(1 + _scattered(N_LSOA * AREAS_PER_LSOA, N_LSOA * AREAS_PER_LSOA), 6, "E00"),
        ttwa_codes=numbered(100 + np.arange(N_TTWA), 3, "E30000"),
        authority_codes=numbered(1 + np.arange(N_AUTHORITY), 4, "LA"),
        laestab_codes=numbered(2_000_000 + _scattered(n_school, 4_999_999), 7),
        urn_codes=numbered(100_000 + _scattered(n_school, 49_999), 6),
        enterprise_codes=numbered(np.arange(len(section)), 7, "ENT"),
        sic_codes=sic_codes,
        aim_codes=numbered(12_345 + 37 * np.arange(n_aim), 7, "6"),
        university_codes=numbered(np.arange(N_UNIVERSITY), 3, "U"),
        provider_codes=numbered(np.arange(N_PROVIDER), 5, "P"),
    )


def _within(effect: FloatArray, group: AnyArray, size: AnyArray) -> FloatArray:
    """Return effects less the mean of their group, weighted by size: no group gains or loses by them."""
    mean = np.bincount(group, effect * size) / np.bincount(group, size)
    return effect - mean[group]


def _scattered(n: int, span: int) -> IntArray:
    """Return different numbers below `span`, not in the order of what they number (7,919 is a prime)."""
    numbers: IntArray = np.arange(n) * 7_919 % span
    return numbers


def _schools(n_person: int, n_schools: int | None, rng: Generator) -> tuple[AnyArray, AnyArray]:
    """Return type and region of the schools: at least one of each type in each region."""
    n_region, n_type = len(facts.REGIONS), len(facts.SCHOOL_TYPES)
    n = int(np.clip(n_person // PERSONS_PER_SCHOOL, *N_SCHOOL)) if n_schools is None else n_schools - n_region * n_type
    types = draw(rng, (72.0, 4.0, 14.0, 6.0, 4.0), n)
    regions = draw(rng, [share for _, share, _ in facts.REGIONS.values()], n)
    every_type, every_region = np.divmod(np.arange(n_region * n_type), n_region)
    return (
        np.concatenate([every_type, types]).astype(np.int8),
        np.concatenate([every_region, regions]).astype(np.int8),
    )


def _enterprises(n_person: int, rng: Generator) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray, pa.Array]:
    """Return sections and industries of the enterprises in both vintages; a few change between them."""
    n_section = len(facts.SECTIONS)
    n = int(np.clip(n_person // PERSONS_PER_ENTERPRISE, *N_ENTERPRISE))
    sic_codes = [
        f"{division:02d}{ending}" for group in facts.DIVISIONS for division in group for ending in ("110", "190", "200")
    ]
    industries = Groups.of(sections_of_industries(), n_section)
    section = np.concatenate([np.arange(n_section), draw(rng, facts.EMPLOYEES.sum(axis=0), n)])
    sic = industries.pick(section, rng.random(len(section)))
    changes = rng.random(len(section)) < 0.06
    changes[:n_section] = False
    section_later = np.where(changes, draw(rng, facts.EMPLOYEES.sum(axis=0), len(section)), section)
    sic_later = np.where(changes, industries.pick(section_later, rng.random(len(section))), sic)
    small = np.int8, np.int8, np.int16, np.int16
    first, second, third, fourth = (
        values.astype(kind) for values, kind in zip((section, section_later, sic, sic_later), small, strict=True)
    )
    return first, second, third, fourth, pa.array(sic_codes, pa.string())


def sections_of_industries() -> IntArray:
    """Return the section of each 5-digit industry, in the order of ``World.sic_codes``."""
    sections: IntArray = np.repeat(np.arange(len(facts.SECTIONS)), [3 * len(group) for group in facts.DIVISIONS])
    return sections


def idbr(world: World, rng: Generator) -> Rows:
    """Return the register of enterprises: one row per enterprise and vintage."""
    n = len(world.section)
    place = np.arange(n, dtype=np.int32)
    region, status, band = draw(rng, np.ones(9), n), draw(rng, (60, 20, 10, 10), n), draw(rng, (50, 25, 15, 8, 2), n)
    birth = days(rng.integers(1965, 2012, n), 1, 1)
    death = np.where(rng.random(n) < 0.1, days(rng.integers(2012, 2021, n), 12, 1), MISSING).astype(np.int32)
    twice = np.concatenate([place, place])
    return {
        "ENTKEY": Coded(twice, world.enterprise_codes),
        "SIC2007": Coded(np.concatenate([world.sic, world.sic_later]), world.sic_codes),
        "Govt_Region": coded(region[twice], REGION_NAMES),
        "legalstatus": coded(status[twice], ("1", "2", "3", "4")),
        "Employees": coded(band[twice], ("0-9", "10-49", "50-249", "250-999", "1000+")),
        "Birth_month": birth[twice],
        "Death_month": death[twice],
        "SECTIONNAME": coded(np.concatenate([world.section, world.section_later]), facts.SECTIONS),
        "SourceYear": np.repeat(np.array([2019, 2020], np.int32), n),
    }


def lars(world: World) -> Rows:
    """Return the register of learning aims: one row per aim and year."""
    n, n_year = len(world.aim_level), len(LARS_YEARS)
    aim = np.repeat(np.arange(n), n_year)
    level = world.aim_level[aim]
    names = ("E", *map(str, ROUTE_LEVELS[1:]))
    area = coded(world.aim_area[aim] - 1, [str(number) for number in range(1, 16)])
    return {
        "Year": np.tile(np.array(LARS_YEARS, np.int32), n),
        "LearnAimRef": Coded(aim, world.aim_codes),
        "AimTitle": coded(aim, [f"Aim {number}" for number in range(n)]),
        "QualType": coded(level, [f"{1000 + number}" for number in ROUTE_LEVELS]),
        "Notional_Level": coded(level, names),
        "Notional_Level_v2": coded(level, names),
        "SectorSubjectAreaT1": area,
        "SectorSubjectAreaT2": area,
        "L2_percent": np.where(level == 2, 100.0, 0.0),
        "L3_percent": world.aim_width[aim],
        "FE_HE": coded((level >= 4).astype(np.int8), ("F", "H")),
    }


def outside_lookups(world: World) -> dict[str, pa.Table]:
    """Return lookups as a user brings them: regions, travel-to-work areas, types of schools, industries."""
    names = pa.array(REGION_NAMES)
    types = pa.array(facts.SCHOOL_TYPES)
    return {
        "regions": pa.table({"LSOA": world.lsoa_codes, "region": names.take(pa.array(world.lsoa_region))}),
        "home_areas": pa.table({"LSOA": world.lsoa_codes, "area": world.ttwa_codes.take(pa.array(world.lsoa_ttwa))}),
        "travel_to_work": pa.table(
            {
                "COA_2011": world.area_codes,
                "area": world.ttwa_codes.take(pa.array(np.repeat(world.lsoa_ttwa, AREAS_PER_LSOA))),
            }
        ),
        "school_regions": pa.table({"school": world.urn_codes, "region": names.take(pa.array(world.school_region))}),
        "school_types": pa.table({"school": world.urn_codes, "type": types.take(pa.array(world.school_type))}),
        "sectors": pa.table(
            {"SIC2007": world.sic_codes, "sector": pa.array(facts.SECTIONS).take(pa.array(sections_of_industries()))}
        ),
    }
