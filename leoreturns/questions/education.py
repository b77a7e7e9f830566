"""How far people got: degrees, and level 3 among those without a degree, each with its denominator named."""

from __future__ import annotations

from collections.abc import Sequence

from leoreturns._parallel import threads
from leoreturns.questions.assemble import answer
from leoreturns.questions.breakdown import GRADUATE, LEVEL, LEVEL_3, YEAR, Data, breakdowns, chosen, required, trait
from leoreturns.questions.stack import Stack
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.answer import Answer, Result

FIRST_YEAR = 1  # of which every person has a row
DENOMINATORS = {
    "degree": "all persons of the group whose level of education is known",
    "level_3_among_non_graduates": "persons of the group without a degree: the share among all persons is lower",
}


def education_levels(
    data: Data,
    *,
    characteristics: Sequence[str] | None = None,
    plan: BootstrapPlan | None = None,
    n_jobs: int | None = None,
) -> Answer:
    """Share with a degree, and of those without one the share with level 3, by characteristic.

    The two shares have different denominators, and the names of the tables say which: in the Department's figures of
    July 2021, 16 per cent of persons once eligible for free school meals and 34 per cent of others have a degree
    (``degree``: of all persons), 28 and 45 per cent level 3 (``level_3_among_non_graduates``: of those without a
    degree).

    Parameters
    ----------
    data : Panel or Scan
        With the columns ``years_since_ks4`` and ``education_level``; persons count who have a row of the first year.
    characteristics : sequence of str, optional
        Traits to break the tables down by, one at a time; by default those of the Department's report of 27 May 2021
        that the panel has (see `main_activities`).
    plan : BootstrapPlan, optional
        Gives every share a standard error and an interval, and differences to the base of each characteristic.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    Answer
        Tables ``degree``, ``degree_by_sex`` and so on, each followed by ``level_3_among_non_graduates...``, with
        ``n_person`` (the denominator) and ``share``.

    Raises
    ------
    PanelError
        For a column that is not there.
    """
    required(data, YEAR)
    trait(data, LEVEL)
    with threads(n_jobs):
        everybody = data.at(**{YEAR: FIRST_YEAR}).assign(level="person", degree=f"{LEVEL} == {GRADUATE!r}")
        others = everybody.where(f"{LEVEL} != {GRADUATE!r}")
        others = others.assign(level="person", level_3_among_non_graduates=f"{LEVEL} == {LEVEL_3!r}")
        groups = list(breakdowns(data, characteristics, None))
        tables = {
            column: Stack.of(rows, groups, [column], plan).shares(column, plan)
            for rows, column in zip((everybody, others), DENOMINATORS, strict=True)
        }
    results: dict[str, Result] = {
        group.name(column): tables[column][place] for place, group in enumerate(groups) for column in DENOMINATORS
    }
    return answer(
        "education_levels",
        data,
        results,
        plan=plan,
        flow=everybody.flow,
        arguments={"characteristics": chosen(data, characteristics)},
        denominators=DENOMINATORS,
    )
