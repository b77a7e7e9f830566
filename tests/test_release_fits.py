"""Regressions through the door: what is shown of them, what is hidden, and what a release says of an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import leoreturns as lr
from leoreturns.disclosure.policy import POLICIES
from leoreturns.disclosure.regressions import protect_fits
from leoreturns.results.answer import Answer
from leoreturns.results.flow import SampleFlow

BASE = POLICIES["ons-srs"]
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


def column(table, name: str) -> dict[str, str]:
    """Return the texts of a column by coefficient."""
    key = table.keys["coefficient"]
    return dict(zip((key.labels[code] for code in key.codes), table.texts[name], strict=True))


def test_coefficients_are_written_rounded_with_their_errors_and_intervals(tmp_path: Path) -> None:
    fit = fitted()
    released = lr.release({"returns": fit}, policy="ons-srs", to=tmp_path / "out")
    assert released.files == ("README.txt", "returns.csv", "returns_fit.csv")
    written = pd.read_csv(released.path / "returns.csv").set_index("coefficient")
    assert list(written.index) == list(fit.names)
    for name, low, high in zip(fit.names, fit.conf_int()["low"], fit.conf_int()["high"], strict=True):
        row = written.loc[name]
        assert row["estimate"] == pytest.approx(fit.params[name], rel=5e-3)
        assert row["estimate_se"] == pytest.approx(fit.std_errors[name], rel=5e-2)
        assert (row["estimate_low"], row["estimate_high"]) == pytest.approx((low, high), rel=5e-3)
        assert row["estimate_low"] <= row["estimate"] <= row["estimate_high"]
    whole = pd.read_csv(released.path / "returns_fit.csv")
    assert whole[["n_obs", "n_person", "clusters_person"]].to_numpy().tolist() == [[800, 400, 400]]
    assert whole["r2"][0] == round(100 * fit.r2, 1)
    readme = (released.path / "README.txt").read_text()
    assert "OLS: log_pay ~ degree + points; standard errors" in readme and "95 per cent" in readme


@pytest.mark.parametrize(
    ("formula", "hidden", "reason"),
    [
        ("log_pay ~ degree + rare", {"rare"}, "off the most frequent value"),
        ("log_pay ~ degree + I(rare * points + 100 * (year == 1))", set(), ""),
        ("log_pay ~ degree + outlier", {"outlier"}, "equal weight behind the coefficient"),
    ],
)
def test_what_few_persons_carry_is_hidden(formula: str, hidden: set[str], reason: str) -> None:
    frame = people()
    frame["outlier"] = frame["points"] + 5_000 * (frame["person"] == 17)
    if "year == 1" in formula:
        formula = "log_pay ~ degree + points"
    fit = fitted(formula, data=frame)
    table, _ = protect_fits({formula: fit}, BASE)
    texts = column(table, "estimate")
    assert {name for name, text in texts.items() if text == "c"} >= {name for name in hidden if name in texts}
    assert bool(hidden) == ("c" in texts.values())
    for part in ("se", "low", "high"):
        assert {n for n, t in column(table, f"estimate_{part}").items() if t == "c"} >= {
            n for n, t in texts.items() if t == "c"
        }
    if reason:
        why = {table.reasons[code - 1] for code in table.columns["estimate"].hidden if code}
        assert any(reason in each for each in why)


@pytest.mark.parametrize(
    ("n", "formula", "reason"),
    [
        (9, "log_pay ~ 1", "fewer persons in the regression"),
        (30, "log_pay ~ degree + points + C(school)", "besides those that coefficients and effects use up"),
        (60, "log_pay ~ degree + points + C(school)", "more coefficients than one for every"),
        (400, "log_pay ~ C(band)", "a table of means, of which a cell has fewer"),
    ],
)
def test_a_regression_that_nothing_can_be_shown_of_is_refused(n: int, formula: str, reason: str) -> None:
    with pytest.raises(lr.DisclosureError, match=f"no coefficient can be shown: .*{reason}"):
        protect_fits({formula: fitted(formula, data=people(n))}, BASE)


def test_coefficients_that_would_list_schools_are_refused() -> None:
    frame = people(2_000)
    frame.loc[frame["person"] >= 40, "school"] = 0  # the other schools have one pupil each
    with pytest.raises(lr.DisclosureError, match="would list persons or small units"):
        protect_fits({"": fitted("log_pay ~ degree + points + C(school)", data=frame)}, BASE)


def test_errors_from_few_clusters_are_hidden_and_the_coefficient_is_not() -> None:
    frame = people()
    frame["region"] = frame["person"] % 7
    fit = lr.feols("log_pay ~ degree + points", frame, person="person", cov=lr.Clustered("region"))
    table, whole = protect_fits({"": fit}, BASE)
    assert set(column(table, "estimate_se").values()) == {"c"}
    assert "c" not in column(table, "estimate").values()
    assert whole.texts["n_person"] == ("400",)


def test_persons_must_be_known() -> None:
    fit = lr.feols("log_pay ~ degree", people(), cov=lr.Robust("HC1"))
    with pytest.raises(lr.DisclosureError, match=r"output 'x': person id required: .*lr.feols\(..., person=...\)"):
        lr.release({"x": fit}, policy="ons-srs", to="never")


def test_several_regressions_stand_in_one_table(tmp_path: Path) -> None:
    fits = fitted("log_pay ~ csw(degree, points)")
    answer = Answer("returns", {"steps": fits, "last": fits.at(1)}, FLOW)
    assert answer.estimates == {"steps": fits, "last": fits.at(1)} and answer.tables == {}
    assert "steps: 2 regressions" in repr(answer) and "last: OLS of log_pay, 3 coefficients" in repr(answer)
    released = lr.release({"q": answer}, policy="ons-srs", to=tmp_path / "out")
    assert released.files == ("README.txt", "q_steps.csv", "q_steps_fit.csv", "q_last.csv", "q_last_fit.csv")
    steps = pd.read_csv(released.path / "q_steps.csv")
    assert steps["regression"].tolist() == [label for label, fit in fits.items() for _ in fit.names]
    assert len(pd.read_csv(released.path / "q_steps_fit.csv")) == 2


def test_first_stages_go_along(tmp_path: Path) -> None:
    frame = people()
    frame["near"] = frame["degree"] + np.random.default_rng(5).normal(size=len(frame))
    fit = fitted("log_pay ~ points | degree ~ near", data=frame)
    released = lr.release({"iv": fit}, policy="ons-srs", to=tmp_path / "out")
    assert released.files == ("README.txt", "iv.csv", "iv_fit.csv", "iv_first_stage1.csv")
    assert set(pd.read_csv(released.path / "iv_first_stage1.csv")["coefficient"]) >= {"near", "points"}


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
