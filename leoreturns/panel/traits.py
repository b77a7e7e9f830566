"""Traits: what is one value for a person, derived from the tables of one block of persons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from leoreturns.panel import degrees, pathways, traits_attainment, traits_post16, traits_risk, traits_schools
from leoreturns.panel.aims import achieved_aims
from leoreturns.panel.rules import LOOKUP, PERSONS, Trait, read

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

# Every trait that rests on a table, in the panel's order.
PARTS = (traits_schools, traits_attainment, traits_risk, pathways, traits_post16)
TRAITS: Mapping[str, Trait] = MappingProxyType({name: trait for part in PARTS for name, trait in part.TRAITS.items()})
SHARED = "achieved_aim"  # read once, by the traits of education and by the pathway


def derive_traits(block: Block) -> dict[str, pa.Array]:
    """Derive every trait of a block's persons that its tables allow.

    Parameters
    ----------
    block : Block
        The tables, as views over the records of the block's persons, in any order.

    Returns
    -------
    dict of str -> pyarrow.Array
        One value for each person, in their order: text, true or false, or numbers; null where missing. Names are those
        of `TRAITS` without those whose tables are absent; see `absent_tables`. A table that is absent counts as an
        empty one for the traits that others still serve.

    Raises
    ------
    ExtractError
        If a table cannot be read, without DuckDB's own text, which may quote values; or if no level or class of
        qualifications in higher education is known.
    """
    degrees.check_codes(block)
    chosen = {name: trait for name, trait in TRAITS.items() if not absent_tables(trait, block)}
    found = read(block, _statement(block, chosen), "traits")
    return {name: found.column(name).combine_chunks() for name in chosen}


def absent_tables(trait: Trait, block: Block) -> tuple[str, ...]:
    """Return the tables and lookups for want of which a trait cannot be derived; empty where it can."""
    present = set(block.tables) | {LOOKUP + name for name in block.lookups}
    return tuple(table for tables in trait.tables if present.isdisjoint(tables) for table in tables)


def _statement(block: Block, chosen: Mapping[str, Trait]) -> str:
    """Return the query: the relations of persons, joined by their number, and an expression for every trait."""
    relations = {name: relation for part in PARTS for name, relation in part.relations(block).items()}
    named = [f"{SHARED} AS MATERIALIZED ({achieved_aims(block)})"]
    named += [f"{name} AS ({relation})" for name, relation in relations.items()]
    columns = ["person.number", *(f"{trait.value} AS {name}" for name, trait in chosen.items())]
    joins = " ".join(f"LEFT JOIN {name} ON {name}.number = person.number" for name in relations)
    return (
        f"WITH {', '.join(named)} SELECT {', '.join(columns)} FROM {PERSONS} AS person {joins} "
        f"{traits_schools.joins(block)} ORDER BY person.number"
    )
