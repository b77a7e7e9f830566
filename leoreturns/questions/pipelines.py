"""Skills pipelines: from qualification to qualification to sector to sector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from leoreturns._parallel import threads
from leoreturns.aggregates.composition import composition
from leoreturns.panel.schema import Column
from leoreturns.questions.assemble import answer, source
from leoreturns.questions.breakdown import Data, chosen, output_name, required, trait, words
from leoreturns.questions.careers import FIRST_YEAR, AcrossRegisters, Careers, Rules, Tied
from leoreturns.questions.flows import FROM, LATER, Flows, order_test, retention
from leoreturns.questions.representation import QUOTIENT, REPRESENTATION, mix, quotients, supply
from leoreturns.questions.risks import (
    DURATION,
    ENTERED,
    LEFT,
    SECTOR,
    YEAR,
    LateEntry,
    entry_risks,
    exit_risks,
    incidences,
)
from leoreturns.questions.stages import DESTINATION, ORIGIN, STEP, Stage, largest_sectors, pipeline
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate, taken
from leoreturns.results.answer import Answer, Result
from leoreturns.results.chart import Chart

HORIZONS = (1, 3, 5, 10)
FEWEST_FOLLOWED = 0.5  # part of the persons of a year whom the last stage of the chart must still hold
DENOMINATORS = {
    "qualifications": "persons of the qualification whose next one is known",
    "conversion": "persons of the qualification with a row so many years on, in paid work or not, linked or not",
    "transitions": "persons in the state with a row in both years, whose sectors are of one register",
    "retention": "persons in the sector with a row so many years later, whatever they do then",
    "stayers": "persons in a known sector in both years",
    "mobility": "persons in a known sector in both years",
    "entry": "persons without a sector so far, whose state is known in every year from the first",
    "exit": "persons still in their first spell in the sector, of those whose beginning is seen",
    "skill_mix": "persons in the state in the year, of a known qualification",
    "origins": "persons in the state in the later year with a row in the year",
    "representation": "persons of the group in a known sector in the year",
    "location": "persons living in the region in a known sector in the year",
    "supply": "persons in the sector in the year whose state is known in the next",
    "order_test": "persons whose state is known in three years in a row",
    "pipeline": "persons in every stage; flows of fewer than ten persons into a stage of sectors are part of 'other'",
}


def sector_pipeline(
    data: Data,
    *,
    sector: str = "sector",
    since: str = "years_since_ks4",
    year: int = 5,
    horizons: Sequence[int] = HORIZONS,
    start: int = FIRST_YEAR,
    qualification: str | None = "ks5_route",
    next_qualification: str | None = "education_level",
    groups: Sequence[str] = (),
    characteristics: Sequence[str] | None = None,
    region: str | None = "region_of_residence",
    growth: Mapping[str, float] | None = None,
    tied: Tied = "keep",
    across_registers: AcrossRegisters = "leave out",
    late_entry: LateEntry = "leave out",
    plan: BootstrapPlan | None = None,
    n_jobs: int | None = None,
) -> Answer:
    """Follow persons from qualification to qualification to sector to sector.

    Every year of a clock a person is in a sector of paid work, "not in paid work" or in a state "not known" (in paid
    work without a known sector, or not linked to tax records). Persons are followed who have a row in the years
    compared; the last two states are in the denominators unless a table says otherwise. The estimands are shares of the
    persons observed: flows are not effects of the qualification. A sector is that of the employer's enterprise, not an
    occupation.

    Sectors before and after the change of the register (``sector_vintage``) are not comparable: flows from one to the
    other are left out, and spells end there as at the last tax year.

    Parameters
    ----------
    data : Panel or Scan
        With the sector, the clock, the qualifications, and where there is one ``in_paid_work``.
    sector : str
        Column of labels by person and year: sections, or groups of them.
    since : str
        Clock: whole years since an event, such as "years_since_graduation"; years before 1 do not count.
    year : int
        Year of the clock that flows start from.
    horizons : sequence of int
        Years later at which flows end; and years of the clock at which conversion is told. Those that nobody is
        followed to have no cells, and tables that nobody is in are left out.
    start : int
        Year of the clock from which entry into a first sector is followed: later, where early jobs beside school
        should not count.
    qualification, next_qualification : str or None
        Traits: the first qualification and the one it leads to; None for none.
    groups : sequence of str
        Traits, such as "sex", by each of which conversion, flows, entry and exit are also broken down.
    characteristics : sequence of str, optional
        Traits whose groups' representation in sectors is told; by default those of the Department's report of 27 May
        2021 that the panel has (see `main_activities`).
    region : str or None
        Column whose levels get location quotients, of the year; left out where the panel has none.
    growth : mapping of sector -> float, optional
        Demand: growth of a sector's stock in a year, 0.02 for two per cent. Without it the stock is held.
    tied : "keep" or "not known"
        A sector of a year in which another one paid as much is kept, or not known.
    across_registers : "leave out" or "keep"
        Flows across the change of the register.
    late_entry : "leave out" or "at risk"
        Persons first seen after `start`: they may have entered a sector before. Left out of entry; or at risk from the
        year after their first row on, in which they are in no sector.
    plan : BootstrapPlan, optional
        Gives shares, incidences and ratios intervals; of interval "percentile", "basic" or "normal".
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Answer
        ``qualifications`` (next by first), ``conversion`` (state at each horizon of the clock by qualification),
        ``transitions`` (state some years after `year` by state in it), ``retention`` (their diagonal, also by
        qualification), ``stayers`` (of those in sectors), ``mobility`` (Shorrocks index), ``origins`` (transitions
        backwards), ``order_test`` (second-order Markov against first), ``entry`` and ``exit`` (hazard as ``share``,
        Aalen-Johansen ``incidence`` and its standard error ``greenwood_se``, by qualification and by sector),
        ``skill_mix``, ``representation_by_...``, ``location``, ``supply``, and ``pipeline``; ``pipeline_chart``, and
        ``retention_chart`` of the largest sectors. Conversion, flows, entry and exit also ``..._by_sex`` for traits of
        `groups`.

    Raises
    ------
    PanelError
        For a column that is not there or of the wrong kind.
    SupportError
        If nobody can be followed, all flows cross registers, or `growth` names no sector.

    References
    ----------
    Aalen, O. O. and Johansen, S. (1978), An empirical transition matrix for non-homogeneous Markov chains based on
    censored observations, Scandinavian Journal of Statistics 5.
    Anderson, T. W. and Goodman, L. A. (1957), Statistical inference about Markov chains, Annals of Mathematical
    Statistics 28.
    Shorrocks, A. F. (1978), The measurement of mobility, Econometrica 46.
    """
    horizons = _whole(horizons, year, start)
    _check_option("tied", tied, Tied)
    _check_option("across_registers", across_registers, AcrossRegisters)
    _check_option("late_entry", late_entry, LateEntry)
    groups = [groups] if isinstance(groups, str) else list(groups)
    required(data, sector)
    told = [name for name in chosen(data, characteristics) if name != sector]
    routes = [name for name in (qualification, next_qualification) if name is not None]
    region = region if region in data.schema.columns else None
    for name in (*groups, *told, *routes):
        trait(data, name)
    rules = Rules(sector, since, tied, across_registers)
    with threads(n_jobs):
        at = {} if region is None else {required(data, region).name: year}
        careers = Careers.of(data, rules, traits=[*routes, *groups, *told], at=at, plan=plan)
        tables = _of_qualifications(careers, routes, horizons, groups, plan)
        tables |= _of_flows(careers, year, horizons, routes[:1], groups, plan)
        tables |= _of_risks(careers, start, late_entry, routes[:1], groups, plan)
        tables |= {"skill_mix": mix(careers, year, routes[-1], plan)} if routes else {}
        for name in told:
            table = quotients(careers, year, name, REPRESENTATION, plan)
            tables[output_name("representation", [name])] = table
        if region is not None:
            tables["location"] = quotients(careers, year, region, QUOTIENT, plan)
        tables["supply"] = supply(careers, year, growth or {}, plan)
        results: dict[str, Result] = {name: table for name, table in tables.items() if table is not None}
        named = largest_sectors(careers, year)
        results |= _retained(data, results, named)
        results |= _charted(data, careers, year, horizons, routes, named)
    return answer(
        "sector_pipeline",
        data,
        results,
        plan=plan,
        flow=careers.flow,
        arguments={
            "sector": sector, "since": since, "year": year, "horizons": list(horizons), "start": start,
            "qualification": qualification, "next_qualification": next_qualification, "groups": list(groups),
            "characteristics": told, "region": region, "growth": dict(growth or {}), "tied": tied,
            "across_registers": across_registers, "late_entry": late_entry,
        },
        denominators=DENOMINATORS,
    )  # fmt: skip


def _check_option(name: str, option: str, options: Any) -> None:
    """Refuse an option that is not one of its names."""
    if option not in get_args(options):
        raise ValueError(f"{name} is one of {', '.join(map(repr, get_args(options)))}, not {option!r}")


def _whole(horizons: Sequence[int], year: int, start: int) -> list[int]:
    """Return the horizons in order; refuse years that are not whole, or before the clock begins."""
    found = sorted(set(horizons))
    if not found or any(type(each) is not int or each < FIRST_YEAR for each in (*found, year, start)):
        raise ValueError(f"horizons, year and start are whole years from {FIRST_YEAR} on")
    return found


def _of_qualifications(
    careers: Careers, routes: Sequence[str], horizons: Sequence[int], by: Sequence[str], plan: BootstrapPlan | None
) -> dict[str, Aggregate | None]:
    """Return qualification by qualification, and where each leads at each horizon of the clock."""
    states = np.stack([careers.at(horizon) for horizon in horizons], axis=1)
    years = np.broadcast_to(np.asarray(horizons, dtype=np.int16), states.shape)
    columns = [(Column(YEAR, "year", "number"), years), (careers.state_column(SECTOR), states)]
    panel = careers.panel(columns, ("with a row of a year at which conversion is told", states >= 0))
    found: dict[str, Aggregate | None] = {}
    if len(routes) == 2:
        everybody = careers.panel([], ("everybody", np.ones((len(states), 1), dtype=np.bool_)))
        found["qualifications"] = composition(everybody, routes[1], by=[routes[0]], plan=plan)
    for keys in _breakdowns(by) if panel.n_row else ():
        for name in routes:
            called = "conversion" if name == routes[0] else f"conversion_from_{name}"
            found[output_name(called, keys)] = composition(
                panel, SECTOR, by=list(dict.fromkeys([*keys, name, YEAR])), plan=plan
            )
    return found


def _of_flows(
    careers: Careers,
    year: int,
    horizons: Sequence[int],
    routes: Sequence[str],
    by: Sequence[str],
    plan: BootstrapPlan | None,
) -> dict[str, Aggregate | None]:
    """Return where persons are some years later, who stays, and the order of the process."""
    flows = Flows.of(careers, year, horizons)
    found: dict[str, Aggregate | None] = {}
    for keys in _breakdowns(by):
        transitions = flows.transitions(keys, plan)
        found |= {
            output_name("transitions", keys): transitions,
            output_name("retention", keys): retention(transitions, careers.n_sector),
            output_name("stayers", keys): flows.stayers(keys, plan),
            output_name("mobility", keys): flows.mobility(keys, plan),
        }
    for name in routes:
        found[output_name("retention", [name])] = retention(flows.transitions([name], plan), careers.n_sector)
    found["origins"] = flows.origins(plan)
    found["order_test"] = order_test(careers, year)
    return found


def _of_risks(
    careers: Careers,
    start: int,
    late: LateEntry,
    routes: Sequence[str],
    by: Sequence[str],
    plan: BootstrapPlan | None,
) -> dict[str, Aggregate | None]:
    """Return hazards and incidences of entering a first sector, by qualification, and of leaving one."""
    entering, leaving = entry_risks(careers, start, late), exit_risks(careers)
    found: dict[str, Aggregate | None] = {}
    for keys in _breakdowns(by):
        of = list(dict.fromkeys([*keys, *routes]))
        found[output_name("entry", keys)] = incidences(entering, of, YEAR, ENTERED, plan)
        found[output_name("exit", keys)] = incidences(leaving, [*keys, SECTOR], DURATION, LEFT, plan)
    return found


def _breakdowns(by: Sequence[str]) -> list[list[str]]:
    return [[], *([name] for name in by)]


def _retained(data: Data, results: Mapping[str, Result], named: Sequence[int]) -> dict[str, Result]:
    """Return the chart of retention in the largest sectors."""
    table = results["retention"]
    assert isinstance(table, Aggregate)
    cells = taken(table, np.flatnonzero(np.isin(table.keys[FROM].codes, named)))
    if not cells.n_cells:
        return {}
    chart = Chart(
        "trajectory",
        cells,
        x=LATER,
        line="share",
        band=("share_low", "share_high") if "share" in cells.intervals else None,
        colour=FROM,
        title="Retention in the largest sectors",
        x_label="Years later",
        y_label="Per cent of those in the sector who are in it again",
        source=source(data, cells),
    )
    return {"retention_chart": chart}


def _charted(
    data: Data,
    careers: Careers,
    year: int,
    horizons: Sequence[int],
    routes: Sequence[str],
    named: Sequence[int],
) -> dict[str, Result]:
    """Return the flows from qualification to sector to sector, and their chart.

    The last stage is the latest horizon at which most of the persons are still followed.
    """
    first = careers.at(year) >= 0
    later = year
    for horizon in horizons:
        followed = first & (careers.at(year + horizon) >= 0) & ~careers.crossing(year, year + horizon)
        if followed.sum() >= FEWEST_FOLLOWED * first.sum():
            later = year + horizon
    years = [year] if later == year else [year, later]
    stages = [Stage.of_trait(careers, name, words(name)) for name in routes]
    stages = stages[:1] + [stage.after(stages[0]) for stage in stages[1:]]
    stages += [Stage.of_year(careers, each, f"sector in year {each}", named) for each in years]
    followed = first & (careers.at(later) >= 0) & ~careers.crossing(year, later)
    table = pipeline(careers, stages, followed)
    if table is None:
        return {}
    chart = Chart(
        "flows",
        table,
        x=STEP,
        line="n_person",
        colour=ORIGIN,
        panel=DESTINATION,
        stages=tuple(stage.title for stage in stages),
        title="From qualification to sector" if routes else "From sector to sector",
        y_label="Persons, as the heights of the flows",
        source=f"Other: other sectors, and flows of fewer than ten persons. {source(data, table)}",
    )
    return {"pipeline": table, "pipeline_chart": chart}
