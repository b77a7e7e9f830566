"""Columns of a panel built from LEO, as the schema describes them: owners, units, and labels that have an order."""

from __future__ import annotations

import math

from leoreturns._typing import Level
from leoreturns.panel import (
    derive,
    pathways,
    rows,
    traits,
    traits_attainment,
    traits_post16,
    traits_risk,
    traits_schools,
)
from leoreturns.panel.activity import ACTIVITIES
from leoreturns.panel.degrees import CLASSES
from leoreturns.panel.encode import Encoded
from leoreturns.panel.pathways import NO_ROUTE, ROUTES
from leoreturns.panel.schema import Column, Label, is_unit
from leoreturns.panel.traits_post16 import EDUCATION_LEVELS, HIGHEST_LEVELS

PERSON, TIME, COHORT, LINKED = "person", "tax_year", "cohort", "linked_to_tax_records"

# Labels whose order is not that of the alphabet.
ORDERED: dict[str, tuple[Label, ...]] = {
    "sen": ("none", "without a statement", "with a statement"),
    "prior_attainment_band": ("low", "middle", "high"),
    "ks4_band": ("below 5 A*-C", "5 A*-C", "5 A*-C with English and maths"),
    "ks5_route": (*ROUTES, NO_ROUTE),
    "highest_level": HIGHEST_LEVELS,
    "education_level": EDUCATION_LEVELS,
    "degree_class": tuple(CLASSES),
    "main_activity": ACTIVITIES,
}

# Age in years at which a trait is settled, infinite where any later record may change it. Columns of years have none.
MEASURED: dict[str, float] = {
    **dict.fromkeys((*traits_schools.TRAITS, *traits_attainment.TRAITS, *traits_risk.TRAITS), 16.0),
    **dict.fromkeys(("prior_attainment", "prior_attainment_band"), 11.0),
    **dict.fromkeys((COHORT, TIME, "years_since_ks4", "sex", "birth_month"), 0.0),
    **dict.fromkeys(pathways.TRAITS, 19.0),
    **dict.fromkeys((*traits_post16.TRAITS, LINKED), math.inf),
}


def names() -> tuple[str, ...]:
    """Return the names of all columns that a built panel can have, in its order."""
    return (COHORT, *traits.TRAITS, LINKED, *derive.COLUMNS)


def described(name: str, encoded: Encoded) -> Column:
    """Return a column's description."""
    level: Level = "year" if name in derive.COLUMNS else "person"
    owner: str | None = "DfE"
    unit, entity = None, False
    if name in traits.TRAITS:
        trait = traits.TRAITS[name]
        owner, unit, entity = trait.owner, trait.unit, trait.entity
    elif name in derive.COLUMNS:
        year = derive.COLUMNS[name]
        owner, unit, entity = year.owner, year.unit, year.entity
    unit = unit if is_unit(unit) else None  # points and calendar years have no rounding of their own
    ordered = name in ORDERED
    missing = rows.count_missing(encoded.values)
    return Column(name, level, encoded.kind, encoded.labels, ordered, owner, unit, entity, missing, MEASURED.get(name))
