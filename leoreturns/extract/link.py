"""Person resolution: which ids of the linked tables belong to which resolved person (AE_ID).

School and university tables know pupils (PMR), further education knows records (RECORDID), tax and benefit tables know
EDUKEYs; three lookups tie them to the AE_ID. They are many-to-many in places. A person may have several ids of a kind;
an id that is linked to several persons is shared, and whose rows it holds is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from leoreturns.extract.database import quoted
from leoreturns.extract.schema import PersonKey, Table
from leoreturns.extract.source import Extract
from leoreturns.extract.tables import LINKS

SharedIds: TypeAlias = Literal["drop", "first"]


@dataclass(frozen=True, slots=True)
class Linked:
    """What became of the links of one kind of id; counts only.

    Attributes
    ----------
    kind : str
        PMR, RECORDID or EDUKEY.
    links : int
        Links kept.
    without_id : int
        Rows of the lookup that miss an id.
    repeated : int
        Rows that repeat a link.
    shared : int
        Ids linked to several persons.
    dropped : int
        Links of these that were dropped.
    several : int
        Persons with several ids of this kind.
    """

    kind: str
    links: int
    without_id: int
    repeated: int
    shared: int
    dropped: int
    several: int


def link_table(kind: PersonKey) -> str:
    """Return the name of the working table that holds the links of a kind of id: columns person (BIGINT), via."""
    return f"link_{kind.lower()}"


def can_link(extract: Extract, kind: PersonKey) -> bool:
    """Tell whether the extract has the lookup of a kind of id, with both its columns."""
    lookup, column = LINKS[kind]
    return extract.has(lookup, "AE_ID", column)


def link_persons(extract: Extract, shared_ids: SharedIds) -> list[Linked]:
    """Make the working tables of links, one per kind of id whose lookup is there.

    Parameters
    ----------
    extract : Extract
    shared_ids : "drop" or "first"
        An id linked to several persons: linked to nobody, or to the person with the smallest AE_ID.

    Returns
    -------
    list of Linked
        What was kept and dropped, by kind.
    """
    return [_link(extract, kind, shared_ids) for kind in LINKS if can_link(extract, kind)]


def _link(extract: Extract, kind: PersonKey, shared_ids: SharedIds) -> Linked:
    """Make the links of one kind of id."""
    lookup, column = LINKS[kind]
    name = link_table(kind)
    both = extract.select(lookup, ("AE_ID", column))
    rows = f"SELECT AE_ID AS person, CAST({quoted(column)} AS VARCHAR) AS via FROM {both}"
    extract.make_table("pairs", f"SELECT person, via, count(*) AS n FROM ({rows}) GROUP BY ALL", lookup)
    known = "person IS NOT NULL AND via IS NOT NULL"
    shared = f"SELECT via FROM pairs WHERE {known} GROUP BY via HAVING count(*) > 1"
    counts = extract.query(
        f"""SELECT coalesce(sum(n) FILTER (NOT ({known})), 0)::BIGINT AS without_id,
                   coalesce(sum(n - 1) FILTER ({known}), 0)::BIGINT AS repeated,
                   count(*) FILTER ({known}) AS pairs,
                   (SELECT count(*) FROM ({shared})) AS shared
            FROM pairs""",
        lookup,
    ).to_pylist()[0]
    kept = f"SELECT min(person) AS person, via FROM pairs WHERE {known} GROUP BY via" + (
        " HAVING count(*) = 1" if shared_ids == "drop" else ""
    )
    extract.make_table(name, kept, lookup)
    extract.drop_table("pairs")
    links, several = (
        extract.query(
            f"""SELECT (SELECT count(*) FROM {name}) AS links,
                   (SELECT count(*) FROM (SELECT person FROM {name} GROUP BY person HAVING count(*) > 1)) AS several""",
            lookup,
        )
        .to_pylist()[0]
        .values()
    )
    return Linked(
        kind, links, counts["without_id"], counts["repeated"], counts["shared"], counts["pairs"] - links, several
    )


def unlinked(extract: Extract, table: Table) -> str | None:
    """Return what a table of the extract lacks to be linked to persons: its column of ids, or a lookup; else None."""
    kind = table.person_key
    if table.person is None or kind not in LINKS:
        return "ids of persons"
    if not extract.has(table.name, table.person):
        return table.person
    return None if can_link(extract, kind) else LINKS[kind][0]


def place_links(extract: Extract, kinds: Iterable[PersonKey], places: str) -> None:
    """Tell where the person of each link stands, so that the many rows of a table are joined once.

    Parameters
    ----------
    extract : Extract
        After `link_persons`.
    kinds : iterable of str
        Kinds of id.
    places : str
        Relation with person, block and number; links of other persons are left out.
    """
    for kind in kinds:
        extract.make_table(
            _placed(kind),
            f"""SELECT link.via, places.block, places.number
                FROM {link_table(kind)} AS link JOIN {places} AS places USING (person)""",
            LINKS[kind][0],
        )


def _placed(kind: PersonKey) -> str:
    return f"placed_{kind.lower()}"


def rows_of_persons(extract: Extract, table: Table, columns: tuple[str, ...]) -> str:
    """Return a query over the rows of a table that belong to persons: their block, number and id `via`, and columns.

    For tables that are not `unlinked`, after `place_links`.
    """
    assert table.person is not None and table.person_key is not None
    wanted = tuple(dict.fromkeys((*columns, table.person)))
    named = "".join(f", rows.{quoted(column)}" for column in columns)
    rows, own = extract.select(table.name, wanted), quoted(table.person)
    return (
        f"SELECT placed.block, placed.number, placed.via{named} FROM {rows} AS rows "
        f"JOIN {_placed(table.person_key)} AS placed ON CAST(rows.{own} AS VARCHAR) = placed.via"
    )
