"""Who is in a panel built from LEO: pupils at the end of key stage 4, one record each, resolved to persons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leoreturns._typing import BoolArray, IntArray, UIntArray
from leoreturns.errors import ExtractError
from leoreturns.extract.database import quoted
from leoreturns.extract.link import can_link, link_table
from leoreturns.extract.source import Extract
from leoreturns.extract.tables import LINKS
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.ids import PersonIds, sorted_persons
from leoreturns.panel.inputs import AGE, AT_END, PMR, YEAR, all_read, columns_read
from leoreturns.panel.traits_attainment import FIVE_AC, LAST_WITHOUT_LEVEL2, POINTS

AGE_AT_START = 15  # at the start of the academic year in which key stage 4 ends
OTHER_POINTS = [name for name in POINTS if name != "ks4_points"]


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
            f"lookup_pmr (with {LINKS['PMR'][1]} and AE_ID)"
        )
    _rank_records(extract, definitions)
    among = f"cohort IN ({', '.join(map(str, definitions.cohorts))})"
    steps = [("records at the end of key stage 4", _by_cohort(extract, f"SELECT cohort FROM ks4_ranked WHERE {among}"))]
    pupils = "SELECT * FROM ks4_ranked WHERE place = 1"
    steps.append(("one record per pupil", _by_cohort(extract, f"SELECT cohort FROM ({pupils}) WHERE {among}")))
    linked = (
        f"SELECT pupils.*, link.person FROM ({pupils}) AS pupils JOIN {link_table('PMR')} AS link "
        f"ON pupils.{quoted(PMR)} = link.via"
    )
    steps.append(("linked to one resolved person", _by_cohort(extract, f"SELECT cohort FROM ({linked}) WHERE {among}")))
    # The order of the records goes on to hold between the pupils of a person.
    extract.make_table(
        "ks4_record",
        f"""SELECT * EXCLUDE (place, turn, {", ".join(OTHER_POINTS)}) FROM (
            SELECT *, row_number() OVER (PARTITION BY person ORDER BY {_order(extract)}) AS turn FROM ({linked})
        ) WHERE turn = 1 AND {among}""",
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
    """Make the working table of records at the end of key stage 4, each with its place among those of its pupil.

    Records of cohorts that are not asked for are there as far as they may be the ones to keep: those of pupils, and of
    pupils of persons, who have one of the cohorts too. So nobody's cohort depends on which cohorts are asked for.
    """
    read = all_read(extract)["ks4"]
    columns = ", ".join(map(quoted, read))
    cohorts = ", ".join(map(str, definitions.cohorts))
    points = ", ".join(f"{_first(extract, names, kind='DOUBLE')} AS {name}" for name, names in POINTS.items())
    gcse, five = (_first(extract, names, kind="BOOLEAN") for names in (("KS4_FIVEAC",), FIVE_AC))
    records = f"SELECT * FROM {extract.select('ks4', read)} WHERE {quoted(PMR)} IS NOT NULL AND {_at_end(extract)}"
    own = f"SELECT {quoted(PMR)} AS pmr FROM {extract.select('ks4', (PMR, YEAR))} WHERE {YEAR} + 1 IN ({cohorts})"
    link = link_table("PMR")
    wanted = f"{own} UNION SELECT via FROM {link} WHERE person IN (SELECT person FROM {link} WHERE via IN ({own}))"
    extract.make_table(
        "ks4_ranked",
        f"""SELECT *, row_number() OVER (PARTITION BY {quoted(PMR)} ORDER BY {_order(extract)}) AS place FROM (
            SELECT {columns}, CAST({YEAR} + 1 AS SMALLINT) AS cohort, {points},
                CASE WHEN {YEAR} + 1 <= {LAST_WITHOUT_LEVEL2} THEN {gcse} ELSE {five} END AS ks4_five_ac
            FROM ({records}) WHERE {quoted(PMR)} IN ({wanted})
        )""",
        "ks4",
    )


def _at_end(extract: Extract) -> str:
    """Return the condition that a record is of the end of key stage 4: as it tells, else by age, which is 15 then."""
    tests = [
        test for name, test in {AT_END: AT_END, AGE: f"{AGE} = {AGE_AT_START}"}.items() if extract.has("ks4", name)
    ]
    return f"coalesce({', '.join([*tests, 'true'])})"


def _order(extract: Extract) -> str:
    """Return the SQL order of a pupil's, or a person's, records: the one to keep comes first.

    Records that are equal in what the order is about are told apart by all columns that are read, so that the panel is
    the same in every run.
    """
    school = [quoted(name) for name in ("KS4_URN_anon", "KS4_LAESTAB_anon") if extract.has("ks4", name)]
    coded = f"coalesce({', '.join([*school, 'NULL'])})"
    rest = ", ".join(f"CAST({quoted(name)} AS VARCHAR) NULLS LAST" for name in columns_read(extract, "ks4"))
    best = ", ".join(f"{name} DESC NULLS LAST" for name in (*POINTS, "ks4_five_ac"))
    return f"{best}, {YEAR}, {coded} NULLS LAST, {quoted(PMR)}, {rest}"


def _first(extract: Extract, names: Iterable[str], kind: str) -> str:
    """Return the SQL of the first of these columns that is not missing."""
    present = [quoted(name) for name in names if extract.has("ks4", name)]
    return f"coalesce({', '.join(present)}, NULL)" if present else f"CAST(NULL AS {kind})"


def _by_cohort(extract: Extract, rows: str) -> dict[int, int]:
    """Return the number of rows by cohort."""
    counted = extract.query(f"SELECT cohort, count(*) AS n FROM ({rows}) GROUP BY cohort ORDER BY cohort", "ks4")
    return {int(row["cohort"]): int(row["n"]) for row in counted.to_pylist()}
