"""What people earn: trajectories of earnings, of those in paid work and of everybody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leoreturns._parallel import threads
from leoreturns._typing import BoolArray, Contrast, FloatArray
from leoreturns.aggregates.compute import aggregate
from leoreturns.errors import PanelError
from leoreturns.panel import rows
from leoreturns.panel.panel import Panel
from leoreturns.questions.assemble import answer, source
from leoreturns.questions.breakdown import (
    LEVEL,
    YEAR,
    Breakdown,
    Data,
    breakdowns,
    chosen,
    required,
    words,
)  # fmt: skip
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer, Result
from leoreturns.results.chart import Chart

EARNINGS, IN_WORK, LINKED = "real_earnings", "in_paid_work", "linked_to_tax_records"
CONDITIONAL, UNCONDITIONAL = "earnings", "earnings_or_zero"
STATISTICS = ("mean", "p25", "p50", "p75")
WHO = {CONDITIONAL: "of those in paid work", UNCONDITIONAL: "of everybody, zero without paid work"}
DENOMINATORS = {
    CONDITIONAL: "persons of the group with annualised earnings in the year: those in paid work",
    UNCONDITIONAL: (
        "persons of the group who are linked to tax records: those in paid work with their annualised earnings, all "
        "others with zero, also who has left the country or died, which the records do not tell apart from having no "
        "work; who is in paid work without known earnings is left out"
    ),
}


def earnings_trajectories(
    data: Data,
    *,
    characteristics: Sequence[str] | None = None,
    level: str | None = LEVEL,
    earnings: str = EARNINGS,
    statistics: Sequence[str] = STATISTICS,
    plan: BootstrapPlan | None = None,
    n_jobs: int | None = None,
) -> Answer:
    """Earnings by years since key stage 4: of those in paid work, and beside them of everybody.

    Medians of those in paid work rise where the low-paid leave work. So every table of earnings of those who have any
    (``earnings``, the measure of the Department's report) is followed by the same table of everybody who is linked to
    tax records, with zero for those without paid work (``earnings_or_zero``). The two differ by nothing else.

    Parameters
    ----------
    data : Panel or Scan
        With the columns ``years_since_ks4``, ``in_paid_work`` and the earnings; persons whose
        ``linked_to_tax_records`` is false are left out of the second kind of table.
    characteristics : sequence of str, optional
        Traits to break the tables down by, one at a time; by default those of the Department's report of 27 May 2021
        that the panel has (see `main_activities`).
    level : str or None
        Trait by which every table is also broken down; None for none.
    earnings : str
        Column of earnings, missing for those without any: real annualised earnings by default.
    statistics : sequence of str
        Of `aggregate`; under ``interval="exact"`` no more than "p50".
    plan : BootstrapPlan, optional
        Gives every statistic a standard error and an interval.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Answer
        Tables ``earnings`` and ``earnings_or_zero``, each also ``..._by_sex``, ``..._by_sex_and_education_level`` and
        so on, with ``n_person`` (all of the group), ``n_person_value`` (the denominator) and the statistics. Charts
        ``..._chart`` of the median's trajectory with its interval or, without a plan, its quartiles.

    Raises
    ------
    PanelError
        For a column that is not there.

    References
    ----------
    Anderson, O. (2021), Post-16 education and labour market activities, pathways and outcomes (LEO), Department for
    Education.
    """
    required(data, YEAR)
    results: dict[str, Result] = {}
    with threads(n_jobs):
        ready = with_unconditional(data, earnings)
        for group in breakdowns(data, characteristics, level):
            for kind, table in both(ready, earnings, [*group.keys, YEAR], statistics, plan).items():
                name = group.name(kind)
                results[name] = table
                results |= {
                    f"{name}_chart": chart for chart in trajectory_charts(table, group, kind, source(data, table))
                }
    return answer(
        "earnings_trajectories",
        data,
        results,
        plan=plan,
        arguments={
            "characteristics": chosen(data, characteristics),
            "level": level,
            "earnings": earnings,
            "statistics": list(statistics),
        },
        denominators=DENOMINATORS,
    )


def with_unconditional(data: Data, earnings: str) -> Data:
    """Return the data with a column of earnings that is zero for those without paid work.

    It is missing for persons who are not linked to tax records, of whose work nothing is known, and for those in paid
    work, or perhaps in paid work, without known earnings.
    """
    column, work = required(data, earnings), required(data, IN_WORK)
    if column.kind != "number" or not work.is_bool:
        raise PanelError(f"{earnings!r} must hold numbers and {IN_WORK!r} true or false")

    def known_or_zero(panel: Panel) -> FloatArray:
        found = np.array(panel.array(earnings), dtype=np.float64)
        # Without paid work there are no earnings; where a record says otherwise it is kept.
        found[np.isnan(found) & ~_truth(panel, IN_WORK, other=True)] = 0.0
        if LINKED in panel.schema.columns:
            found[rows.expand(~_truth(panel, LINKED, other=True), panel.offsets)] = np.nan
        return found

    owners = [each.owner for each in (column, work) if each.owner]
    owner = ", ".join(dict.fromkeys(owners)) or None
    return data.assign(owner=owner, unit=column.unit, earnings_or_zero=known_or_zero)


def _truth(panel: Panel, name: str, *, other: bool) -> BoolArray:
    """Return a true/false column as conditions, with `other` where it is missing."""
    column, codes = panel.column(name), panel.array(name)
    truth = np.array([*column.labels, other], dtype=np.bool_)  # -1, missing, is the last
    return np.asarray(truth[codes])


def both(
    data: Data,
    earnings: str,
    keys: Sequence[str],
    statistics: Sequence[str],
    plan: BootstrapPlan | None,
    contrasts: Sequence[Contrast] = (),
) -> dict[str, Aggregate]:
    """Return conditional and unconditional earnings by the same keys."""
    asked = ["n_person", "n_person_value", *statistics]
    return {
        kind: aggregate(data, column, by=keys, statistics=asked, plan=plan, contrasts=contrasts)
        for kind, column in ((CONDITIONAL, earnings), (UNCONDITIONAL, UNCONDITIONAL))
    }


def trajectory_charts(table: Aggregate, group: Breakdown, kind: str, source_: str) -> list[Chart]:
    """Return the trajectory of the median, if the table has it and its groups can be told apart."""
    placed = group.placed()
    if "p50" not in table.statistics or placed is None:
        return []
    by = f" by {' and '.join(map(words, group.keys))}" if group.keys else ""
    band = ("p50_low", "p50_high") if "p50" in table.intervals else ("p25", "p75")
    known = "p50" in table.intervals or {"p25", "p75"} <= set(table.statistics)
    return [
        Chart(
            "trajectory",
            table,
            x=YEAR,
            line="p50",
            band=band if known else None,
            colour=placed[0],
            panel=placed[1],
            title=f"Median annualised earnings{by}",
            x_label="Years since key stage 4",
            y_label=f"Median annualised earnings {WHO[kind]}, £ a year" if table.unit == "GBP/year" else "",
            source=source_,
        )
    ]
