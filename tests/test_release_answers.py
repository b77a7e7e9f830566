"""Answers through the door: their regressions, and what a release says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import leoreturns as lr
from leoreturns.results.answer import Answer
from leoreturns.results.flow import SampleFlow

FLOW = SampleFlow().appended("all rows", persons=1_003, rows=2_006).appended("with pay", persons=7, rows=14)


def people(n: int = 400, seed: int = 1) -> pd.DataFrame:
    """Two years of persons in forty schools, three of the persons rare."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(n), 2)
    frame = pd.DataFrame(
        {
            "person": person,
            "year": np.tile([2015, 2016], n),
            "school": person % 40,
            "degree": (person % 3 == 0).astype(float),
            "rare": (person < 3).astype(float),
            "points": rng.normal(size=n)[person],
            "band": np.where(person < 4, "low", np.where(person % 2 == 0, "middle", "high")),
        }
    )
    noise = rng.normal(scale=0.5, size=n)[person] + rng.normal(scale=0.2, size=2 * n)
    frame["log_pay"] = 9 + 0.2 * frame["degree"] + 0.1 * frame["points"] + noise
    return frame


def fitted(formula: str = "log_pay ~ degree + points", **options):
    return lr.feols(formula, options.pop("data", people()), person="person", cov=lr.Clustered("person"), **options)


def test_several_regressions_stand_in_one_table(tmp_path: Path) -> None:
    fits = fitted("log_pay ~ csw(degree, points)")
    answer = Answer("returns", {"steps": fits, "last": fits.at(1)}, FLOW)
    assert answer.estimates == {"steps": fits, "last": fits.at(1)} and answer.tables == {}
    assert "steps: 2 regressions" in repr(answer) and "last: OLS of log_pay, 3 coefficients" in repr(answer)
    released = lr.release({"q": answer}, policy="ons-srs", to=tmp_path / "out")
    files = [f"q_{name}{end}" for name in ("steps", "last") for end in (".csv", ".md", "_fit.csv")]
    assert released.files == ("README.txt", *files)
    steps = pd.read_csv(released.path / "q_steps.csv")
    assert len(steps) == sum(len(fit.names) for fit in fits.values())
    assert len(pd.read_csv(released.path / "q_steps_fit.csv")) == 2


def test_the_readme_tells_an_answer_with_its_flow_in_rounded_counts(tmp_path: Path) -> None:
    settings = {
        "year": 13,
        "denominators": {"earnings": "those in paid work"},
        "plan": lr.BootstrapPlan(99, seed=1).settings | {"n_units": 1_003},
        "definitions": {"name": "dfe-2021", "deflator": {"2016": 98.0392156, "2017": 100.0}},
    }
    answer = Answer("returns", {"fit": fitted()}, FLOW, settings, owners=("DfE",), versions={"numpy": "2"})
    released = lr.release(answer, policy="ons-srs", to=tmp_path / "out")
    readme = (released.path / "README.txt").read_text()
    for line in (
        "  Question: returns",
        "  year: 13",
        "    earnings: those in paid work",
        "    name: dfe-2021",
        "    deflator: 2016 98.0392, 2017 100",
        "  Owners of the data: DfE",
        "    all rows: 1005, 2005",
        "    with pay: c, c",
    ):
        assert line in readme.splitlines()
    assert "1003" not in readme and "2006" not in readme
    named = lr.release({"a": answer, "b": replace(answer, owners=())}, policy="ons-srs", to=tmp_path / "both")
    assert {"Answer: a", "Answer: b"} <= set((named.path / "README.txt").read_text().splitlines())
