"""The checks of questions find what they are there for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leoreturns.aggregates.compute import aggregate
from leoreturns.panel.panel import Panel
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.answer import Answer
from leoreturns.testing import check_coverage, check_question

TRUE_MEAN = 3.0


def population(seed: int, n: int = 60) -> Panel:
    """Persons of two years whose pay is 3 on average, and one of three groups."""
    draw = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "person": np.repeat(np.arange(n), 2),
            "year": np.tile([1, 2], n),
            "group": np.repeat(draw.choice(["a", "b", "c"], n), 2),
            "pay": draw.normal(TRUE_MEAN, 1.0, 2 * n),
        }
    )
    return Panel.from_frame(rows, person="person", time="year", traits=["group"], units={"pay": "GBP/year"})


def mean_pay(data: Panel, *, plan: BootstrapPlan | None = None, n_jobs: int | None = None, **arguments: Any) -> Answer:
    """Answer a small question, with quartiles and by one group."""
    by = ["year", *arguments.get("characteristics", ())]
    asked = ["n_person", "mean", "p25", "p50"]
    table = aggregate(data, "pay", by=by, statistics=asked, plan=plan, n_jobs=n_jobs)
    return Answer("mean_pay", {"pay": table}, data.flow)


def of_year_one(answer: Answer) -> Mapping[str, tuple[float, float]]:
    interval = answer["pay"].intervals["mean"]
    return {"mean pay": (float(interval.low[0]), float(interval.high[0]))}


def test_a_question_that_keeps_the_rules_passes() -> None:
    assert check_question(mean_pay, population(1), characteristics=["group"]).question == "mean_pay"


def with_statistic(answer: Answer, name: str, change: Any) -> Answer:
    """Return an answer with one statistic changed."""
    table = answer["pay"]
    statistics = {**table.statistics, name: change(table)}
    return replace(answer, results={"pay": replace(table, statistics=statistics)})


def test_a_median_that_moves_with_the_size_of_the_population_is_found() -> None:
    def broken(data: Panel, **arguments: Any) -> Answer:
        return with_statistic(mean_pay(data, **arguments), "p50", lambda table: table.statistics["p50"] + data.n_person)

    with pytest.raises(AssertionError, match="pay"):
        check_question(broken, population(1))


def test_percentiles_of_other_persons_are_found() -> None:
    def broken(data: Panel, **arguments: Any) -> Answer:
        answer = mean_pay(data, **arguments)
        table = answer["pay"]
        if data.n_person == 60:
            tails = {"p25": table.evidence.tails["p50"], "p50": table.evidence.tails["p50"]}
            table = replace(table, evidence=replace(table.evidence, tails=tails))
        return replace(answer, results={"pay": table})

    with pytest.raises(AssertionError, match="too many persons beyond p25"):
        check_question(broken, population(1))


def test_a_group_of_nobody_is_found() -> None:
    def broken(data: Panel, **arguments: Any) -> Answer:
        answer = mean_pay(data, **arguments)
        if data.n_person == 60 or data.n_person == 120:
            return answer
        return replace(answer, results=mean_pay(population(1), **arguments).results)

    with pytest.raises(AssertionError, match="a group of nobody"):
        check_question(broken, population(1), characteristics=["group"])


def test_intervals_that_hold_the_truth_pass_and_others_are_refused() -> None:
    plan = BootstrapPlan(99, seed=1)
    found = check_coverage(mean_pay, population, of_year_one, {"mean pay": TRUE_MEAN}, n_draws=60, plan=plan)
    assert 0.85 <= found["mean pay"] <= 1.0
    with pytest.raises(AssertionError, match=r"'mean pay' is covered in \d+ of 60 draws, fewer than \d+ at 0.95"):
        check_coverage(mean_pay, population, of_year_one, {"mean pay": TRUE_MEAN + 0.5}, n_draws=60, plan=plan)
    with pytest.raises(AssertionError, match="names no interval of 'other'"):
        check_coverage(mean_pay, population, of_year_one, {"other": 1.0}, n_draws=1, plan=plan)
