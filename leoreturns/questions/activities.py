"""What people do: the main activity of each year after key stage 4."""

from __future__ import annotations

from collections.abc import Sequence

from leoreturns._parallel import threads
from leoreturns.aggregates.composition import SHARE, composition
from leoreturns.questions.assemble import answer, source
from leoreturns.questions.breakdown import LEVEL, MAX_PANELS, YEAR, Breakdown, Data, breakdowns, chosen, required, words
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer, Result
from leoreturns.results.chart import Chart

ACTIVITY = "main_activity"
DENOMINATOR = (
    "persons of the group with a tax year so many years after key stage 4, whether linked to tax records or not; the "
    "later years are those of the earlier cohorts"
)


def main_activities(
    data: Data,
    *,
    characteristics: Sequence[str] | None = None,
    level: str | None = LEVEL,
    plan: BootstrapPlan | None = None,
    n_jobs: int | None = None,
) -> Answer:
    """Share of persons in each main activity, by years since key stage 4.

    One activity counts a year, by the order of precedence of `Definitions` (docs/data.md). Everybody in the panel is in
    the denominator, also those whose activity is not captured.

    Parameters
    ----------
    data : Panel or Scan
        With the columns ``years_since_ks4`` and ``main_activity``.
    characteristics : sequence of str, optional
        Traits to break the table down by, one at a time. By default those of the Department's report of 27 May 2021
        that the panel has: sex, fsm, sen, ethnicity, ethnicity_minor, first_language, school_type, region,
        idaci_quintile, ks4_five_ac.
    level : str or None
        Trait by which every table is also broken down; None for none. All who are not graduates as one group:
        ``panel.assign(level="person", graduate="education_level == 'graduate'")`` and ``level="graduate"``.
    plan : BootstrapPlan, optional
        Gives every share a standard error and an interval ("percentile", "basic" or "normal").
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Answer
        Tables ``activities``, ``activities_by_sex``, ``activities_by_sex_and_education_level`` and so on, with the keys
        of the breakdown, the year and the activity, and with ``n_person`` (the denominator) and ``share``. Stacked
        areas ``..._chart`` of tables with no more than twelve groups.

    Raises
    ------
    PanelError
        For a column that is not there.
    SupportError
        For a plan that has no replicates.

    References
    ----------
    Anderson, O. (2021), Post-16 education and labour market activities, pathways and outcomes (LEO), Department for
    Education.
    """
    required(data, YEAR)
    required(data, ACTIVITY)
    results: dict[str, Result] = {}
    with threads(n_jobs):
        for group in breakdowns(data, characteristics, level):
            table = composition(data, ACTIVITY, by=[*group.keys, YEAR], plan=plan)
            name = group.name("activities")
            results[name] = table
            results |= {f"{name}_chart": chart for chart in area_charts(table, group, source(data, table))}
    return answer(
        "main_activities",
        data,
        results,
        plan=plan,
        arguments={"characteristics": chosen(data, characteristics), "level": level},
        denominators={"activities": DENOMINATOR},
    )


def area_charts(table: Aggregate, group: Breakdown, source_: str) -> list[Chart]:
    """Return the stacked areas of a table, if it has one key beside the year and few levels of it."""
    panel = group.keys[0] if group.keys else None
    if len(group.keys) > 1 or (panel is not None and len(table.keys[panel].labels) > MAX_PANELS):
        return []
    by = f" by {words(panel)}" if panel else ""
    return [
        Chart(
            "areas",
            table,
            x=YEAR,
            line=SHARE,
            colour=ACTIVITY,
            panel=panel,
            title=f"Main activity{by}",
            x_label="Years since key stage 4",
            y_label="Per cent of persons",
            source=source_,
        )
    ]
