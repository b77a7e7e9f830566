"""Traits of pupils at risk: absence, exclusion, need and care, up to the end of key stage 4."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from leoreturns.extract.tables import table
from leoreturns.panel.rules import PERSONS, Trait, any_row, rows_of

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

# The first of these periods with sessions counts; the pupils' own year is over before the sixth half-term.
PERIODS = ("3Term", "5HalfTerms", "Annual")
EXCLUDED = (
    "Category IN ('FIXD', 'PERM') OR TotalFixedExclusions > 0 OR PermanentExclusionCount > 0 "
    "OR PermanentExclusionIndicator OR PermanentExclusionInd IN ('1', 'Y')"
)
EXCLUSION_COLUMNS = (
    "Category",
    "TotalFixedExclusions",
    "PermanentExclusionCount",
    "PermanentExclusionIndicator",
    "PermanentExclusionInd",
)
FIXED_FROM = 2005  # academic year; before, permanent exclusions only
NOT_IN_NEED = "N9"  # a case other than a child in need


def absence(block: Block) -> str:
    """Return the relation of the share of sessions missed in year 11, over all enrolments."""
    columns = [f"{kind}_{period}" for kind in ("OverallAbsence", "SessionsPossible") for period in PERIODS]
    possible = " ".join(f"WHEN SessionsPossible_{period} > 0 THEN SessionsPossible_{period}" for period in PERIODS)
    missed = " ".join(f"WHEN SessionsPossible_{period} > 0 THEN OverallAbsence_{period}" for period in PERIODS)
    return f"""
        SELECT number, sum(missed) / sum(possible) AS rate
        FROM (
            SELECT number, CASE {missed} END AS missed, CASE {possible} END AS possible
            FROM {rows_of(block, "absence", ("AcademicYear", *columns))} JOIN {PERSONS} USING (number)
            WHERE AcademicYear = cohort - 1
        ) WHERE missed IS NOT NULL GROUP BY number"""


def _ever(block: Block, name: str, condition: str, columns: tuple[str, ...], year: str, seen: str = "true") -> str:
    """Return whether a condition held in any record up to year 11; false only where the table covers it, and `seen`."""
    first, last = table(name).years or (0, 0)
    covers = f"cohort - 1 BETWEEN {first} AND {block.coverage.get(name, last)} AND {seen}"
    held = f"""
        SELECT number, {any_row(condition)} AS held FROM {rows_of(block, name, columns)} JOIN {PERSONS} USING (number)
        WHERE {year} <= cohort - 1 GROUP BY number"""
    return f"""
        SELECT number, CASE WHEN held THEN true WHEN {covers} THEN false END AS ever
        FROM {PERSONS} LEFT JOIN ({held}) USING (number)"""


def relations(block: Block) -> dict[str, str]:
    """Return the relations that the traits below are taken from."""
    need = f"CIN_ReferralNFA IS DISTINCT FROM true AND CIN_PrimaryNeedCode IS DISTINCT FROM '{NOT_IN_NEED}'"
    excluded = ("AcademicYear", *EXCLUSION_COLUMNS)
    # Independent schools tell of no exclusions, and are not in the census.
    at_school = f"cohort > {FIXED_FROM}"
    if "school_census" in block.tables:
        at_school += f" AND number IN (SELECT number FROM {rows_of(block, 'school_census', ('AcademicYear',))})"
    in_need = ("CIN_ACADYR", "CIN_ReferralNFA", "CIN_PrimaryNeedCode")
    # The year to March that a record is of ends in the academic year that starts the calendar year before.
    care_year = "cla_PROCESSING_YEAR - 1"
    return {
        "absent": absence(block),
        "excluded": _ever(block, "exclusions", EXCLUDED, excluded, "AcademicYear", at_school),
        "in_need": _ever(block, "cin", need, in_need, "CIN_ACADYR"),
        "looked_after": _ever(block, "cla", "true", ("cla_PROCESSING_YEAR",), care_year),
    }


TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "absence_rate": Trait("absent.rate", "DfE", (("absence",),), "share"),
        "ever_excluded": Trait("excluded.ever", "DfE", (("exclusions",),)),
        "ever_in_need": Trait("in_need.ever", "DfE", (("cin",),)),
        "ever_looked_after": Trait("looked_after.ever", "DfE", (("cla",),)),
    }
)
