"""Where people are some years on: work, activity and earnings by level of education, and the gaps between groups."""

from __future__ import annotations

from collections.abc import Sequence

from leoreturns._parallel import threads
from leoreturns._typing import Contrast
from leoreturns.aggregates.composition import composition
from leoreturns.aggregates.compute import aggregate
from leoreturns.questions import earnings as pay
from leoreturns.questions.activities import ACTIVITY
from leoreturns.questions.activities import DENOMINATOR as EVERYBODY
from leoreturns.questions.assemble import answer
from leoreturns.questions.breakdown import LEVEL, YEAR, Breakdown, Data, base_of, breakdowns, plain, required, words
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer, Result
from leoreturns.results.chart import Chart

# True/false columns whose shares are told.
STATES = ("in_paid_work", "sustained_employment")
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
    results: dict[str, Result] = {}
    with threads(n_jobs):
        then = data.at(**{YEAR: year})
        ready = pay.with_unconditional(then, earnings)
        for group in breakdowns(data, characteristics, level):
            results |= _tables(ready, group, earnings, statistics, plan)
    return answer(
        "labour_outcomes",
        data,
        results,
        plan=plan,
        flow=results["activities"].flow if isinstance(results["activities"], Aggregate) else None,
        arguments={
            "year": year,
            "characteristics": plain(characteristics),
            "level": level,
            "earnings": earnings,
            "statistics": list(statistics),
        },
        denominators={
            "activities": EVERYBODY,
            **{state: "persons of the group of whom it is known" for state in STATES},
            **pay.DENOMINATORS,
        },
    )


def _tables(
    data: Data, group: Breakdown, earnings: str, statistics: Sequence[str], plan: BootstrapPlan | None
) -> dict[str, Result]:
    """Return the tables and charts of one breakdown."""
    points, percent = ([], []) if plan is None else (group.gaps("difference"), group.gaps("percent"))
    found: dict[str, Result] = {
        group.name("activities"): composition(data, ACTIVITY, by=group.keys, plan=plan, contrasts=points)
    }
    for state in STATES:
        found[group.name(state)] = share(data, state, group.keys, plan, points)
    for kind, table in pay.both(data, earnings, group.keys, statistics, plan, percent).items():
        found[group.name(kind)] = table
        found |= {f"{group.name(kind)}_gaps": chart for chart in gap_charts(table, group, kind)}
    return found


def share(
    data: Data, column: str, keys: Sequence[str], plan: BootstrapPlan | None, contrasts: Sequence[Contrast]
) -> Aggregate:
    """Return the share of true in a column, of those of whom it is known."""
    asked = ["n_person", "n_person_value", "share"]
    return aggregate(data, column, by=keys, statistics=asked, plan=plan, contrasts=contrasts)


def gap_charts(table: Aggregate, group: Breakdown, kind: str) -> list[Chart]:
    """Return the gaps in median earnings between the levels of a characteristic, where a table has them."""
    compared = group.characteristic
    if compared is None or GAP_OF not in table.statistics:
        return []
    if not any(each.contrast.key == compared.name and each.n_cells for each in table.contrasts):
        return []
    base = base_of(compared)
    of_base = f"{words(compared.name)}: {'yes' if base else 'no'}" if isinstance(base, bool) else str(base)
    by = f", by {words(group.level.name)}" if group.level is not None else ""
    return [
        Chart(
            "gaps",
            table,
            x=compared.name,
            line=GAP_OF,
            colour=None if group.level is None else group.level.name,
            title=f"Gaps in median annualised earnings by {words(compared.name)}{by}",
            x_label=f"Per cent above or below: {of_base}",
            y_label=f"Median annualised earnings {pay.WHO[kind]}; gap to the base, not adjusted for anything",
        )
    ]
