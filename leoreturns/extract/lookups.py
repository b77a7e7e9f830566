"""Lookups from outside the extract: what an output area or an industry belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from leoreturns._checks import counted
from leoreturns.errors import ExtractError
from leoreturns.extract.database import Database
from leoreturns.extract.parts import FramePart, Part, open_files
from leoreturns.extract.relation import Relation
from leoreturns.extract.schema import Table, Variable
from leoreturns.extract.tables import Occasion


@dataclass(frozen=True, slots=True)
class LookupShape:
    """What an outside lookup must hold: a column of codes that do not repeat, and a column of what each belongs to."""

    key: Variable
    value: Variable

    @property
    def columns(self) -> tuple[str, str]:
        """Names of both."""
        return self.key.name, self.value.name


SHAPES: Mapping[str, LookupShape] = MappingProxyType(
    {
        "travel_to_work": LookupShape(
            Variable("COA_2011", "text", "census output area of 2011", required=True),
            Variable("area", "text", "travel-to-work area", required=True),
        ),
        "regions": LookupShape(
            Variable("LSOA", "text", "lower super output area of 2001 or 2011", required=True),
            Variable("region", "text", "region", required=True),
        ),
        "home_areas": LookupShape(
            Variable("LSOA", "text", "lower super output area of 2001 or 2011", required=True),
            Variable("area", "text", "travel-to-work area", required=True),
        ),
        "school_regions": LookupShape(
            Variable("school", "id", "school, by the code that tables of pupils have", required=True),
            Variable("region", "text", "region", required=True),
        ),
        "institution_types": LookupShape(
            Variable("NFTYPE", "text", "type of institution at key stage 4, two digits", required=True, width=2),
            Variable("type", "text", "type of school", required=True),
        ),
        "school_types": LookupShape(
            Variable("school", "id", "school, by the code that tables of pupils have", required=True),
            Variable("type", "text", "type of school", required=True),
        ),
        "sectors": LookupShape(
            Variable("SIC2007", "text", "5-digit industry", required=True, width=5),
            Variable("sector", "text", "sector", required=True),
        ),
    }
)


def open_lookup(name: str, given: Any, database: Database) -> Relation:
    """Return a lookup as a relation of its two columns.

    Parameters
    ----------
    name : str
        One of ``SHAPES``.
    given : path, pandas or polars frame, or Arrow table
        With the columns of its shape; others are left alone.

    Raises
    ------
    ExtractError
        If a column is absent, an entry is missing, or a code repeats: with counts.
    """
    if name not in SHAPES:
        raise ExtractError(f"unknown lookup {name!r}; known: {', '.join(SHAPES)}")
    shape = SHAPES[name]
    part: Part = open_files([Path(given)])[0] if isinstance(given, str | Path) else FramePart(name, given)
    table = Table(name, "ONS", "one code", None, (shape.key, shape.value), key=(shape.key.name,))
    relation = Relation(table, [(part, Occasion())], database)
    if relation.missing:
        raise ExtractError(
            f"lookup {name!r} lacks column {', '.join(map(repr, relation.missing))}; it must have "
            f"{shape.key.name!r} ({shape.key.meaning}) and {shape.value.name!r} ({shape.value.meaning})"
        )
    key, value = shape.columns
    rows, codes, missing = database.rows(
        f"SELECT count(*), count(DISTINCT {key}), count(*) FILTER (WHERE {key} IS NULL OR {value} IS NULL) "
        f"FROM {relation.select((key, value))}",
        f"lookup {name!r}",
    )[0]
    if missing:
        raise ExtractError(f"lookup {name!r} misses a code or its {value} in {counted(missing, 'row')}; complete it")
    if codes < rows:
        raise ExtractError(f"lookup {name!r} repeats a code in {counted(rows - codes, 'row')}; give each code once")
    return relation
