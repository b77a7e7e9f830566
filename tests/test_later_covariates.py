"""Covariates that the schema marks as measured after the treatment."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from build_cases import definitions

import leoreturns as lr
from leoreturns.panel.columns import MEASURED, names
from leoreturns.panel.derive import COLUMNS
from leoreturns.panel.schema import Schema

KEYWORDS = {"estimand": "ATT", "cov": lr.Robust("HC1")}
AGES = {"points": 16, "route": 19, "degree": 21, "status": math.inf}


def pupils(n: int = 300) -> pd.DataFrame:
    draw = np.random.default_rng(6)
    frame = pd.DataFrame(
        {
            "person": np.arange(n),
            "year": draw.choice([2015, 2016], n),
            "points": draw.normal(size=n),
            "degree": draw.choice(["none", "some"], n),
            "status": draw.choice(["in", "out"], n),
            "hours": draw.normal(size=n),
        }
    )
    frame["route"] = np.where(draw.random(n) < 1 / (1 + np.exp(-frame["points"] / 2)), "vocational", "academic")
    return frame.assign(pay=frame["points"] + draw.normal(size=n))


def panel_of(**options: object) -> lr.Panel:
    frame = pupils()
    return lr.Panel.from_frame(frame, person="person", time="year", **{"measured": AGES, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["ra", "ipw", "ipwra", "dml", "entropy"])
def test_a_covariate_later_than_the_treatment_is_refused_with_its_age(method: str) -> None:
    panel = panel_of()
    wanted = r"after the treatment 'route' \(at age 19\), .*: 'degree' at age 21; leave them out, .* allow_later="
    outcome, arms = "pay ~ points", "route ~ points"
    if method in ("ra", "ipwra", "dml"):
        with pytest.raises(lr.SupportError, match=wanted):
            lr.treatment_effect(f"{outcome} + degree", arms, panel, method=method, **KEYWORDS)
    if method != "ra":
        with pytest.raises(lr.SupportError, match=wanted):
            lr.treatment_effect(outcome, f"{arms} + C(degree, ref='none')", panel, method=method, **KEYWORDS)
    found = lr.treatment_effect(outcome, arms, panel, method=method, **KEYWORDS)
    assert "later than the treatment" not in found.settings


def test_models_that_are_not_used_hold_nothing_constant() -> None:
    panel = panel_of()
    lr.treatment_effect("pay ~ points + degree", "route ~ points", panel, method="ipw", **KEYWORDS)
    lr.treatment_effect("pay ~ points", "route ~ points + degree", panel, method="ra", **KEYWORDS)


def test_an_explicit_choice_is_recorded() -> None:
    panel = panel_of()
    formulas = "pay ~ points + degree + status", "route ~ points"
    with pytest.raises(lr.SupportError, match="'degree' at age 21, 'status' at any age"):
        lr.treatment_effect(*formulas, panel, method="ra", **KEYWORDS)
    with pytest.raises(lr.SupportError, match=": 'status' at any age;"):
        lr.treatment_effect(*formulas, panel, method="ra", allow_later="degree", **KEYWORDS)
    found = lr.treatment_effect(*formulas, panel, method="ra", allow_later=["degree", "status"], **KEYWORDS)
    assert found.settings["later than the treatment"] == ["degree", "status"]
    with pytest.raises(lr.SupportError, match="allow_later names 'degrees', which is no column"):
        lr.treatment_effect(*formulas, panel, method="ra", allow_later=["degrees"], **KEYWORDS)


def test_weights_are_asked_the_same() -> None:
    panel = panel_of()
    keywords = {"method": "entropy", "estimand": "ATT"}
    with pytest.raises(lr.SupportError, match="'degree' at age 21"):
        lr.weight("route", ["points", "degree"], panel, **keywords)
    weighted = lr.weight("route", ["points", "degree"], panel, allow_later=["degree"], **keywords)
    assert weighted.effect("pay", cov=lr.Robust("HC1")).settings["later than the treatment"] == ["degree"]


def test_columns_of_years_are_later_than_a_trait() -> None:
    panel = panel_of(time_varying=["hours"])
    formulas = "pay ~ points + hours + year", "route ~ points"
    with pytest.raises(lr.SupportError, match=": 'hours' in the year of the outcome;"):
        lr.treatment_effect(*formulas, panel, method="ra", **KEYWORDS)
    with pytest.raises(lr.SupportError, match="'hours' in the year of the outcome"):
        lr.treatment_effect("pay ~ np.exp(hours)", "route ~ points", panel, method="ra", **KEYWORDS)
    before = panel_of(time_varying=["hours"], measured={**AGES, "hours": 18})
    lr.treatment_effect(*formulas, before, method="ra", **KEYWORDS)


def test_nothing_is_refused_where_nobody_has_said_when_the_treatment_is_measured() -> None:
    panel = panel_of(measured={"degree": 21})
    lr.treatment_effect("pay ~ degree", "route ~ degree", panel, method="ipwra", **KEYWORDS)
    lr.treatment_effect("pay ~ degree", "route ~ degree", pupils(), method="ipwra", person="person", **KEYWORDS)


def test_ages_are_stored_with_the_panel(tmp_path: Path) -> None:
    panel = panel_of()
    assert Schema.from_json(panel.schema.to_json()) == panel.schema
    panel.save(tmp_path / "panel")
    panel.to_parquet(tmp_path / "files")
    for read in (lr.Panel.open(tmp_path / "panel"), lr.Panel.from_parquet(tmp_path / "files")):
        assert {name: column.measured for name, column in read.schema.columns.items()} == {
            name: AGES.get(name) for name in panel.schema.columns
        }
    older = panel.schema.to_json()
    for column in older["columns"]:
        del column["measured"]
    assert Schema.from_json(older).columns["route"].measured is None
    again = lr.Panel.from_parquet(tmp_path / "files", measured={"degree": 18})
    assert again.schema.columns["degree"].measured == 18
    assert again.schema.columns["route"].measured == 19


@pytest.mark.parametrize("age", [-1, float("nan")])
def test_ages_are_numbers_of_years(age: float) -> None:
    with pytest.raises(lr.PanelError, match="that of 'points' is none"):
        panel_of(measured={"points": age})
    with pytest.raises(lr.PanelError, match="unknown column 'ks2'"):
        panel_of(measured={"ks2": 11})


def test_a_panel_built_from_leo_knows_when_its_traits_are_measured() -> None:
    assert set(MEASURED) == set(names()) - (set(COLUMNS) - {"tax_year", "years_since_ks4"})
    panel = lr.simulate_panel(n_persons=3_000, seed=2, definitions=definitions()).at(years_since_ks4=10)
    known = panel.where("log_earnings > 0 and (ks5_route == 'A level' or ks5_route == 'vocational')")
    arms = "ks5_route ~ sex + ks4_points + cohort"
    found = lr.treatment_effect("log_earnings ~ sex + ks4_points + cohort", arms, known, method="ra", **KEYWORDS)
    assert np.isfinite(found.values).all()
    for name, when in {"education_level": "at any age", "sector": "in the year of the outcome"}.items():
        with pytest.raises(lr.SupportError, match=f"'ks5_route' .at age 19.*: '{name}' {when}"):
            lr.treatment_effect(f"log_earnings ~ sex + {name}", arms, known, method="ra", **KEYWORDS)
    with pytest.raises(lr.SupportError, match=r"'fsm' \(at age 16\), .*: 'ks5_route' at age 19"):
        lr.treatment_effect("log_earnings ~ ks5_route", "fsm ~ sex", known, method="ra", **KEYWORDS)
