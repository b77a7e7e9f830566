"""The persons of all chunks with what is recorded of them, held in memory: what tables without defects would say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray
from leoreturns.extract.simulate import estimands, higher, work
from leoreturns.extract.simulate.chunk import Drawn, Plan, draw_chunk, leo_tables, school_tables
from leoreturns.extract.simulate.further import academic_year
from leoreturns.extract.simulate.rows import Coded, Rows
from leoreturns.extract.simulate.world import World
from leoreturns.extract.tables import TABLES

NUMBER = "number"  # of the person, in place of the id under which a table holds a record
AIMS = "aims"


@dataclass(frozen=True, slots=True)
class Records:
    """Persons and their records.

    Attributes
    ----------
    world : World
    persons : mapping of str -> array
        One entry per person: ``ae_id``, and attributes of `people.People`.
    tables : mapping of str -> Rows
        Tables by their canonical names, with `NUMBER` for the id; aims of further education as spells.
    drawn : mapping of str -> float
        Sums of true effects and numbers of persons, as `estimands.report` takes them.
    """

    world: World
    persons: Mapping[str, AnyArray]
    tables: Mapping[str, Rows]
    drawn: Mapping[str, float]

    def table(self, name: str) -> tuple[AnyArray, Rows]:
        """Return the numbers of the persons of a table's rows, and its columns."""
        rows = self.tables[name]
        number: AnyArray = rows[NUMBER]  # type: ignore[assignment]
        return number, rows


_ATTRIBUTES = (
    "cohort", "female", "english", "ethnicity", "month", "lsoa", "fsm", "sen", "school_type", "school", "level",
    "route", "linked", "state",
)  # fmt: skip


def record(plan: Plan, *, n_jobs: int | None) -> Records:
    """Return the persons of a plan without defects, with their records."""
    world = plan.world()

    def of_chunk(chunk: int) -> tuple[dict[str, AnyArray], dict[str, Rows], Counter[str]]:
        drawn = draw_chunk(plan, world, chunk)
        persons = {"ae_id": drawn.known.ae_id, **{name: getattr(drawn.pupils, name) for name in _ATTRIBUTES}}
        tables = dict(_tables(plan, world, drawn, chunk * plan.chunk_persons))
        return persons, tables, estimands.tally(drawn.pupils, plan.truth)

    parts = ordered_map(of_chunk, range(plan.n_chunks), n_jobs=n_jobs, label="persons")
    everybody, tables, counts = zip(*parts, strict=True)
    persons = {name: np.concatenate([part[name] for part in everybody]) for name in everybody[0]}
    joined = {name: _joined([part[name] for part in tables]) for name in tables[0]}
    return Records(world, persons, joined, sum(counts, Counter[str]()))


def _tables(plan: Plan, world: World, drawn: Drawn, first: int) -> Iterator[tuple[str, Rows]]:
    """Give the tables of one chunk, whose persons have numbers from `first` on."""
    pupils, courses = drawn.pupils, drawn.courses
    own = work.self_employed(pupils, drawn.careers, drawn.rng["own"])
    yield (
        AIMS,
        {
            NUMBER: courses.person + first,
            "start": courses.start,
            "end": courses.end,
            "year": academic_year(courses.end),
            "apprentice": courses.apprentice,
        },
    )
    yield "hesa", _numbered("hesa", higher.hesa(pupils, drawn.known, world, drawn.rng["higher"], drawn.defects), first)
    for name, rows in (*school_tables(world, drawn), *leo_tables(plan.truth, world, drawn, own)):
        yield name, _numbered(name, rows, first)


def _numbered(name: str, rows: Rows, first: int) -> Rows:
    """Return the rows with the persons' numbers in place of their ids.

    Without defects a person has one id of a kind, and its code is the person's place in the chunk.
    """
    ids = rows[TABLES[name].person or ""]
    codes = ids.codes if isinstance(ids, Coded) else ids
    others = {column: values for column, values in rows.items() if values is not ids}
    return {NUMBER: codes.astype(np.int64) + first, **others}


def _joined(parts: list[Rows]) -> Rows:
    """Return the rows of all chunks; labels are the same in each."""
    if len(parts) == 1:
        return parts[0]
    joined: Rows = {}
    for name, column in parts[0].items():
        columns = [part[name] for part in parts]
        if isinstance(column, Coded):
            codes = np.concatenate([each.codes for each in columns if isinstance(each, Coded)])
            joined[name] = Coded(codes, column.labels)
        else:
            joined[name] = np.concatenate(columns)  # type: ignore[arg-type]
    return joined


def labels(column: Coded) -> tuple[str, ...]:
    """Return the texts of a column, in the order of its codes."""
    texts: pa.Array = column.labels
    return tuple(texts.to_pylist())
