"""Where people are some years on: work, activity and earnings by level of education, and the gaps between groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leoreturns._parallel import threads
from leoreturns.questions import earnings as pay
from leoreturns.questions.activities import ACTIVITY
from leoreturns.questions.activities import DENOMINATOR as EVERYBODY
from leoreturns.questions.assemble import answer, source
from leoreturns.questions.breakdown import LEVEL, YEAR, Breakdown, Data, base_of, breakdowns, chosen, required, words
from leoreturns.questions.stack import Stack
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer, Result
from leoreturns.results.chart import Chart

# True/false columns whose shares are told.
STATES = ("in_paid_work", "sustained_employment")
COUNTS = ("n_person", "n_person_value")
GAP_OF = "p50"


def labour_outcomes(
    data: Data,
    *,
    year: int = 13,
    characteristics: Sequence[str] | None = None,
    level: str | None = LEVEL,
    earnings: str = pay.EARNINGS,
    statistics: Sequence[str] = pay.STATISTICS,
    plan: BootstrapPlan | None = None,
    n_jobs: int | None = None,
) -> Answer:
    """Activity, employment and earnings in one year after key stage 4, by level of education and characteristics.

    With a plan every table comes with the gaps between each level of the characteristic and its base (women v men,
    eligible for free school meals v not, ...) and between graduates and others with level 3: of shares in points, of
    earnings in per cent, with intervals from the same replicates. They are raw gaps: nothing is held equal.

    Parameters
    ----------
    data : Panel or Scan
        With the columns ``years_since_ks4``, ``main_activity``, ``in_paid_work``, ``sustained_employment`` and the
        earnings.
    year : int
        Years since key stage 4; 13 is about age 29.
    characteristics, level, earnings, statistics
        As in `earnings_trajectories`.
    plan : BootstrapPlan, optional
        Of interval "percentile", "basic" or "normal".
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Answer
        For everybody and each breakdown the tables ``activities`` (shares), ``in_paid_work``, ``sustained_employment``
        (shares), ``earnings`` and ``earnings_or_zero``, and with a plan charts of the gaps in median earnings.

    Raises
    ------
    PanelError
        For a column that is not there.
    SupportError
        If no person has that year.
    """
    for name in (YEAR, ACTIVITY, *STATES):
        required(data, name)
    with threads(n_jobs):
        then = pay.with_unconditional(data.at(**{YEAR: year}), earnings)
        groups = list(breakdowns(data, characteristics, level))
        stack = Stack.of(then, groups, [ACTIVITY, *STATES, earnings, pay.UNCONDITIONAL], plan)
        tables = {"activities": stack.compositions(ACTIVITY, plan, "difference")}
        tables |= {state: stack.shares(state, plan) for state in STATES}
        asked = [*COUNTS, *statistics]
        tables[pay.CONDITIONAL] = stack.tables(earnings, asked, plan, "percent")
        tables[pay.UNCONDITIONAL] = stack.tables(pay.UNCONDITIONAL, asked, plan, "percent")
    return answer(
        "labour_outcomes",
        data,
        _named(data, year, groups, tables),
        plan=plan,
        flow=stack.flow,
        arguments={
            "year": year,
            "characteristics": chosen(data, characteristics),
            "level": level,
            "earnings": earnings,
            "statistics": list(statistics),
        },
        denominators={
            "activities": EVERYBODY,
            **{state: "persons of the group who are linked to tax records, of whom it is known" for state in STATES},
            **pay.DENOMINATORS,
        },
    )


def _named(
    data: Data, year: int, groups: Sequence[Breakdown], tables: Mapping[str, Sequence[Aggregate]]
) -> dict[str, Result]:
    """Return tables and charts by name, breakdown by breakdown."""
    found: dict[str, Result] = {}
    for place, group in enumerate(groups):
        for kind, of_groups in tables.items():
            found[group.name(kind)] = of_groups[place]
            if kind in pay.WHO:
                charts = gap_charts(of_groups[place], group, kind, year, source(data, of_groups[place]))
                found |= {f"{group.name(kind)}_gaps": chart for chart in charts}
    return found


def gap_charts(table: Aggregate, group: Breakdown, kind: str, year: int, source_: str) -> list[Chart]:
    """Return the gaps in median earnings between the levels of a characteristic, where a table has them."""
    compared = group.characteristic
    if compared is None or GAP_OF not in table.statistics:
        return []
    if not any(each.contrast.key == compared.name and each.n_cells for each in table.contrasts):
        return []
    base = base_of(compared)
    of_base = f"{words(compared.name)}: {'yes' if base else 'no'}" if isinstance(base, bool) else str(base)
    by = f" and {words(group.level.name)}" if group.level is not None else ""
    return [
        Chart(
            "gaps",
            table,
            x=compared.name,
            line=GAP_OF,
            colour=None if group.level is None else group.level.name,
            title=f"Gaps in earnings by {words(compared.name)}{by}",
            x_label=f"Difference from {of_base}, per cent",
            y_label=f"Median annualised earnings {pay.WHO[kind]}, year {year} after key stage 4: raw gaps",
            source=source_,
        )
    ]
