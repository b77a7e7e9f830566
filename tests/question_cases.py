"""A small panel built from simulated tables, and every question with arguments, for the tests of questions."""

from __future__ import annotations

from functools import cache

import pandas as pd
from build_cases import built, simulated

from leoreturns.panel.panel import Panel
from leoreturns.questions.activities import main_activities
from leoreturns.questions.earnings import earnings_trajectories
from leoreturns.questions.education import education_levels
from leoreturns.questions.outcomes import labour_outcomes
from leoreturns.questions.pathways import pathways
from leoreturns.resample.plan import BootstrapPlan

PERSONS = 2_500
TRUTH = {True: 1.0, False: 0.0}  # what is missing stays missing
PLAN = BootstrapPlan(99, seed=5, interval="basic", level=0.9)
SOME = ["sex", "school_type"]
# Question -> arguments, such that it takes little time.
ASKED = {
    main_activities: {"characteristics": SOME},
    earnings_trajectories: {"characteristics": SOME},
    labour_outcomes: {"characteristics": SOME},
    education_levels: {"characteristics": SOME},
    pathways: {"characteristics": SOME, "years": 5, "most_common": 8},
}


@cache
def panel() -> Panel:
    """The panel, in memory; built once."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        return built(simulated(Path(folder) / "extract", PERSONS))


@cache
def frame() -> pd.DataFrame:
    """Its rows, with the earnings that are zero for those without paid work."""
    rows = panel().to_frame()
    work, linked = (rows[name].map(TRUTH).astype("float64") for name in ("in_paid_work", "linked_to_tax_records"))
    pay = rows["real_earnings"].astype("float64")
    rows["earnings_or_zero"] = pay.where(pay.notna() | (work != 0), 0.0).where(linked != 0)
    return rows
