"""Definitions: presets, single overrides, and what they refuse."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest

from leoreturns.panel.definitions import PRESETS, Definitions, illustrative_deflator

INDEX = {year: 80.0 + year - 1997 for year in range(1997, 2031)}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_holds_what_it_names(name: str) -> None:
    made = Definitions.preset(name, deflator=INDEX)
    assert made.name == name
    assert {key: made.settings[key] for key in PRESETS[name]} == {
        key: list(value) if key == "cohorts" else value for key, value in PRESETS[name].items()
    }


def test_what_presets_take_from_their_sources() -> None:
    made = {name: Definitions.preset(name, deflator=INDEX) for name in PRESETS}
    rules = {name: (own.sustained, own.self_employment, own.out_of_work) for name, own in made.items()}
    assert rules == {
        "dfe-2021": ("twelve months", "exclude", "flag"),
        "dfe-statistics": ("five of six", "include", "flag"),
        "fft": ("181 days", "exclude", "fft"),
    }
    # FFT names a tax year by its end: prices of 2015 are those of 2014-15.
    assert made["fft"].price_year == 2014


def test_single_settings_are_changed_and_recorded() -> None:
    made = Definitions.preset("dfe-2021", deflator=INDEX, minimum_days=30, cohorts=[2003, 2002, 2003])
    assert (made.minimum_days, made.cohorts, made.sustained) == (30, (2002, 2003), "twelve months")
    assert made.settings["minimum_days"] == 30
    assert made.settings["deflator"]["2017"] == INDEX[2017]
    assert repr(made) == (
        "<Definitions 'dfe-2021': sustained employment by twelve months, cohorts 2002 to 2003, tax years to 2017>"
    )


@pytest.mark.parametrize(
    "deflator",
    [pd.Series(INDEX), pd.DataFrame({"tax_year": list(INDEX), "index": list(INDEX.values())}), dict(INDEX)],
)
def test_the_deflator_comes_in_several_forms(deflator: Any) -> None:
    assert dict(Definitions.preset("fft", deflator=deflator).deflator) == INDEX


def test_it_cannot_be_changed() -> None:
    made = Definitions.preset("fft", deflator=INDEX)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.minimum_days = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        made.deflator[2017] = 1.0  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "ons"}, "no preset 'ons'; there are dfe-2021"),
        ({"minimal_days": 3}, "no setting minimal_days"),
        ({"sustained": "often"}, "sustained is one of 'twelve months'"),
        ({"uncertain_dates": None}, "uncertain_dates is one of"),
        ({"self_employment": True}, "self_employment is one of 'exclude', 'include'"),
        ({"out_of_work": "dwp"}, "out_of_work is one of 'flag', 'fft'"),
        ({"months_in_row": 0}, "months_in_row lies between 1 and 12"),
        ({"minimum_days": 400}, "minimum_days lies between 1 and 366"),
        ({"annualised_cap": 0}, "annualised_cap is positive"),
        ({"cohorts": []}, "at least one cohort"),
        ({"last_tax_year": 2002}, "after the first cohort"),
        ({"price_year": 1990}, "the deflator lacks tax years 1990"),
        ({"deflator": {2003: 1.0}}, "the deflator lacks tax years 2004, 2005"),
        ({"deflator": {**INDEX, 2005: float("nan")}}, "missing, not positive or infinite"),
        ({"deflator": pd.DataFrame({"year": [2003]})}, "no column tax_year, index"),
    ],
)
def test_what_it_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Definitions.preset(**{"name": "dfe-2021", "deflator": INDEX, **arguments})


def test_the_illustrative_index_grows_by_two_per_cent() -> None:
    index = illustrative_deflator()
    assert index[2017] == 100.0
    assert index[2018] / index[2017] == pytest.approx(1.02, rel=1e-12)
    Definitions.preset("dfe-2021", deflator=index)
