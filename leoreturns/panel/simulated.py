"""simulate_panel(): simulated persons as a panel, without the tables that they would be recorded in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from leoreturns._parallel import threads
from leoreturns._typing import IntArray
from leoreturns.errors import PanelError
from leoreturns.extract.simulate.records import Records, record
from leoreturns.extract.simulate.write import CHUNK_PERSONS, plan_of, told
from leoreturns.panel import columns
from leoreturns.panel.coverage import last_tax_year
from leoreturns.panel.definitions import Definitions
from leoreturns.panel.derive import columns_of, observed
from leoreturns.panel.encode import Encoded, encode_codes
from leoreturns.panel.grid import Grid
from leoreturns.panel.ids import PersonIds, sorted_persons
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Schema
from leoreturns.panel.simulated_traits import LAST_COHORT, traits_of
from leoreturns.panel.simulated_years import Placed, coverage_of, sources_of


def simulate_panel(
    *,
    n_persons: int,
    seed: int,
    definitions: Definitions,
    truth: Mapping[str, Any] | None = None,
    cohorts: Iterable[int] = range(2002, 2008),
    n_jobs: int | None = None,
    chunk_persons: int = CHUNK_PERSONS,
    n_schools: int | None = None,
) -> Panel:
    """Return simulated persons as a panel, without writing tables: for studies of many populations.

    Every column is, to the last bit, that which `build_panel` derives with these definitions from what
    `simulate_extract` writes with the same arguments and ``defects=False``. Left out are the traits that need tables
    for themselves: fsm_6, fsm_ever, ks4_gcse_points_old, absence_rate, ever_excluded, ever_in_need, ever_looked_after,
    n_a_levels, ks5_points, pathway and highest_level; and the lists.

    Parameters
    ----------
    n_persons, seed, truth, n_jobs, chunk_persons, n_schools
        As in `simulate_extract`.
    definitions : Definitions
        What counts as what. Persons of other cohorts than its own are left out.
    cohorts : iterable of int
        Calendar years in which key stage 4 ends, between 2002 and 2015.

    Returns
    -------
    Panel
        In ``settings`` it has the definitions and, under ``simulation``, what ``truth.json`` of an extract holds: the
        parameters, and every estimand with its true value for the process and for the persons drawn.

    Raises
    ------
    PanelError
        If nobody is of the cohorts of the definitions, or their last tax year lies after that of the simulation.
    ValueError
        If an argument is out of its range, or `truth` has no such parameter.
    TypeError
        If a number is no whole one.
    """
    if not isinstance(definitions, Definitions):
        raise TypeError("definitions are made by lr.Definitions.preset(...)")
    plan = plan_of(n_persons, seed, chunk_persons, cohorts, False, truth, n_schools)
    if plan.cohorts[-1] > LAST_COHORT:
        raise ValueError(f"cohorts must be at most {LAST_COHORT}: later ones are simulated by simulate_extract")
    with threads(n_jobs):
        records = record(plan, n_jobs=n_jobs)
        return _panel(records, definitions, {"simulation": told(plan, records.world, records.drawn, {})})


def _panel(records: Records, definitions: Definitions, settings: Mapping[str, Any]) -> Panel:
    coverage = coverage_of(records)
    last = last_tax_year(coverage, definitions)
    persons, ids = _chosen(records, definitions)
    grid = Grid(records.persons["cohort"][persons].astype(np.int16), definitions.last_tax_year)
    place = np.full(len(records.persons["cohort"]), -1, np.int64)
    place[persons] = np.arange(len(persons))
    traits = traits_of(records, coverage)
    people = {name: _settled(name, _taken(traits[name], persons)) for name in columns.names() if name in traits}
    degree_year = people["degree_year"].values
    sources = sources_of(Placed(records, place, grid), definitions, last)
    derived, _ = columns_of(sources, grid, definitions, pa.array(degree_year, mask=np.isnan(degree_year)))
    shown = observed(derived, grid, definitions, coverage, records.persons["linked"][persons])
    years = {name: _settled(name, shown[name]) for name in columns.names() if name in shown}
    described = {name: columns.described(name, encoded) for name, encoded in {**people, **years}.items()}
    return Panel(
        Schema(columns.PERSON, columns.TIME, described),
        ids,
        ids.hashed(),
        grid.row_offsets,
        {name: encoded.values for name, encoded in people.items()},
        {name: encoded.values for name, encoded in years.items()},
        settings={
            "definitions": definitions.settings,
            "coverage": coverage,
            "last_tax_year_of_extract": last,
            **settings,
        },
    )


def _chosen(records: Records, definitions: Definitions) -> tuple[IntArray, PersonIds]:
    """Return the persons of the definitions' cohorts with a tax year after key stage 4, in the order of a panel."""
    cohort = records.persons["cohort"]
    inside = np.flatnonzero(np.isin(cohort, definitions.cohorts) & (cohort < definitions.last_tax_year))
    if not len(inside):
        raise PanelError("no person of the definitions' cohorts is simulated: give these cohorts in both")
    ids = PersonIds(records.persons["ae_id"][inside])
    order = sorted_persons(ids, ids.hashed())
    return inside[order], ids.take(order)


def _taken(column: Encoded, persons: IntArray) -> Encoded:
    return Encoded(column.values[persons], column.kind, column.labels)


def _settled(name: str, column: Encoded) -> Encoded:
    """Return a column without labels that it has no entry of."""
    if column.kind == "number":
        return column
    return encode_codes(column.values, column.labels, ordered=name in columns.ORDERED)
