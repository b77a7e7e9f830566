"""Who is in a panel built from LEO: pupils at the end of key stage 4, one record each, resolved to persons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leoreturns._typing import BoolArray, IntArray, UIntArray
from leoreturns.errors import ExtractError
from leoreturns.extract.database import quoted
from leoreturns.extract.link import LOOKUPS, can_link, link_table
from leoreturns.extract.source import Extract
from leoreturns.extract.tables import table
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.ids import PersonIds, sorted_persons
from leoreturns.panel.inputs import AT_END, PMR, YEAR, all_read, columns_read

FIRST_WITH_LEVEL2 = 2004  # first cohort whose records hold 5 A*-C with equivalents


@dataclass(frozen=True, slots=True, repr=False)
class Population:
    """The persons of a panel, in its order.

    Attributes
    ----------
    ids : int64 of shape (n_person,)
        AE_IDs.
    keys : uint64 of shape (n_person,)
        Their hashes; persons are sorted by them.
    cohort : int16 of shape (n_person,)
        Calendar year in which key stage 4 ended.
    linked : bool of shape (n_person,), or None without the lookup
        Whether the person is linked to tax and benefit records.
    waterfall : list of (str, dict of int -> int)
        Each step of the selection, with what is left by cohort.
    """

    ids: IntArray
    keys: UIntArray
    cohort: NDArray[np.int16]
    linked: BoolArray | None
    waterfall: list[tuple[str, dict[int, int]]]

    def __repr__(self) -> str:
        return f"<Population: {len(self.ids):,} persons>"


def select_population(extract: Extract, definitions: Definitions) -> Population:
    """Choose the persons and their key stage 4 records; the records stay in the working table ``ks4_record``.

    Raises
    ------
    ExtractError
        If the extract has no key stage 4 records with their years, no lookup of pupils, or nobody of the cohorts.
    """
    if not extract.has("ks4", PMR, YEAR) or not can_link(extract, "PMR"):
        raise ExtractError(
            f"a panel is made of pupils at the end of key stage 4: it needs tables ks4 (with {PMR} and {YEAR}) and "
            f"lookup_pmr (with {LOOKUPS['PMR'][1]} and AE_ID)"
        )
    _rank_records(extract, definitions)
    steps = [("records at the end of key stage 4", _by_cohort(extract, "SELECT cohort FROM ks4_ranked"))]
    pupils = "SELECT * FROM ks4_ranked WHERE place = 1"
    steps.append(("one record per pupil", _by_cohort(extract, f"SELECT cohort FROM ({pupils})")))
    linked = (
        f"SELECT pupils.*, link.person FROM ({pupils}) AS pupils JOIN {link_table('PMR')} AS link "
        f"ON pupils.{quoted(PMR)} = link.via"
    )
    steps.append(("linked to one resolved person", _by_cohort(extract, f"SELECT cohort FROM ({linked})")))
    # The order of the records goes on to hold between the pupils of a person.
    extract.make_table(
        "ks4_record",
        f"""SELECT * EXCLUDE (place, turn) FROM (
            SELECT *, row_number() OVER (PARTITION BY person ORDER BY {_order(extract)}) AS turn FROM ({linked})
        ) WHERE turn = 1""",
        "ks4",
    )
    extract.drop_table("ks4_ranked")
    steps.append(("one record per person", _by_cohort(extract, "SELECT cohort FROM ks4_record")))
    # Cohorts of the last tax year have none after key stage 4.
    observed = f"SELECT person, cohort FROM ks4_record WHERE cohort < {definitions.last_tax_year}"
    steps.append(("with a tax year after key stage 4", _by_cohort(extract, observed)))
    has_taxes = can_link(extract, "EDUKEY")
    is_linked = f"person IN (SELECT person FROM {link_table('EDUKEY')})" if has_taxes else "NULL"
    found = extract.query(f"SELECT *, {is_linked} AS linked FROM ({observed})", "ks4")
    if not found.num_rows:
        raise ExtractError(
            "no person of the cohorts is left: see whether the years of ks4 are those of the definitions' cohorts, and "
            "whether lookup_pmr is of the same extract"
        )
    ids = PersonIds(found["person"].to_numpy())
    keys = ids.hashed()
    order = sorted_persons(ids, keys)
    linked_too = found["linked"].to_numpy()[order] if has_taxes else None
    return Population(ids.data[order], keys[order], found["cohort"].to_numpy()[order], linked_too, steps)


def _rank_records(extract: Extract, definitions: Definitions) -> None:
    """Make the working table of the cohorts' records, each with its place among the records of its pupil."""
    columns = ", ".join(map(quoted, all_read(extract)["ks4"]))
    cohorts = ", ".join(map(str, definitions.cohorts))
    at_end = f" AND {AT_END} IS DISTINCT FROM false" if extract.has("ks4", AT_END) else ""
    extract.make_table(
        "ks4_ranked",
        f"""SELECT *, row_number() OVER (PARTITION BY {quoted(PMR)} ORDER BY {_order(extract)}) AS place FROM (
            SELECT {columns}, CAST({YEAR} + 1 AS SMALLINT) AS cohort,
                {_first(extract, "KS4_PTSTNEWE", "KS4_PTSTNEWG", kind="DOUBLE")} AS ks4_points,
                CASE WHEN {YEAR} + 1 >= {FIRST_WITH_LEVEL2}
                    THEN {_first(extract, "KS4_LEVEL2", "KS4_FIVEAC", kind="BOOLEAN")}
                    ELSE {_first(extract, "KS4_FIVEAC", kind="BOOLEAN", variants=False)} END AS ks4_five_ac
            FROM {extract.select("ks4", all_read(extract)["ks4"])}
            WHERE {YEAR} + 1 IN ({cohorts}) AND {quoted(PMR)} IS NOT NULL{at_end}
        )""",
        "ks4",
    )


def _order(extract: Extract) -> str:
    """Return the SQL order of a pupil's, or a person's, records: the one to keep comes first.

    Records that are equal in what the order is about are told apart by all columns that are read, so that the panel is
    the same in every run.
    """
    school = [quoted(name) for name in ("KS4_URN_anon", "KS4_LAESTAB_anon") if extract.has("ks4", name)]
    coded = f"coalesce({', '.join([*school, 'NULL'])})"
    rest = ", ".join(f"CAST({quoted(name)} AS VARCHAR) NULLS LAST" for name in columns_read(extract, "ks4"))
    return f"ks4_points DESC NULLS LAST, ks4_five_ac DESC NULLS LAST, {YEAR}, {coded} NULLS LAST, {quoted(PMR)}, {rest}"


def _first(extract: Extract, *names: str, kind: str, variants: bool = True) -> str:
    """Return the SQL of the first of these columns (with those that continue them) that is not missing."""
    known = table("ks4")
    found = [each for name in names for each in (known.variants(name) if variants else (name,))]
    present = [quoted(name) for name in found if extract.has("ks4", name)]
    return f"coalesce({', '.join(present)}, NULL)" if present else f"CAST(NULL AS {kind})"


def _by_cohort(extract: Extract, rows: str) -> dict[int, int]:
    """Return the number of rows by cohort."""
    counted = extract.query(f"SELECT cohort, count(*) AS n FROM ({rows}) GROUP BY cohort ORDER BY cohort", "ks4")
    return {int(row["cohort"]): int(row["n"]) for row in counted.to_pylist()}
