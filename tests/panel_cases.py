"""Small person-period tables for the tests of the panel, and the comparison of panels byte by byte."""

import datetime as dt

import numpy as np
import pandas as pd

from leoreturns.panel import Panel


def wages(n_person=60, seed=0):
    """An unbalanced table with every kind of column; persons between one and six years, some values missing."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 7, n_person)
    person = np.repeat(np.arange(n_person) * 13 + 5, counts)
    n = len(person)
    year = np.concatenate([2010 + np.sort(rng.permutation(8)[:count]) for count in counts])
    per_person = np.repeat(np.arange(n_person), counts)
    earnings = np.round(rng.lognormal(10, 0.5, n), 2)
    earnings[rng.random(n) < 0.1] = np.nan
    sex = np.array(["F", "M"])[rng.integers(0, 2, n_person)][per_person]
    region = rng.choice(np.array(["North", 'South, "old"', None], dtype=object), n)
    births = np.array([dt.date(1990, 1, 1) + dt.timedelta(days=int(day)) for day in rng.integers(0, 900, n_person)])
    return pd.DataFrame(
        {
            "person": person,
            "tax_year": year,
            "sex": sex,
            "born": pd.to_datetime(births[per_person]),
            "earnings": earnings,
            "hours": rng.integers(0, 60, n),
            "region": region,
            "employed": rng.random(n) < 0.7,
            "band": pd.Categorical(rng.choice(["low", "mid", "high"], n), ["low", "mid", "high", "top"], ordered=True),
            "school": np.array([f"school {k}" for k in rng.integers(0, 9, n_person)])[per_person],
        }
    )


def wage_panel(frame=None, **options):
    frame = wages() if frame is None else frame
    declared = {"units": {"earnings": "GBP/year"}, "owners": {"earnings": "HMRC"}, "entities": ["school"]}
    return Panel.from_frame(frame, person="person", time="tax_year", **(declared | options))


def content(panel):
    """Everything a panel stores, as bytes with types; equal contents are equal panels."""
    arrays = {"ids": panel.ids.data, "id offsets": panel.ids.offsets, "keys": panel.keys, "offsets": panel.offsets}
    arrays |= {f"people {name}": values for name, values in panel.people.items()}
    arrays |= {f"years {name}": values for name, values in panel.years.items()}
    for name, entries in panel.lists.items():
        for field in ("offsets", "codes", "start", "end", "weight"):
            arrays[f"list {name} {field}"] = getattr(entries, field)
    stored = {
        name: None if array is None else (array.dtype.str, array.shape, array.tobytes())
        for name, array in arrays.items()
    }
    return stored, panel.schema


def assert_same(first, second):
    stored, schema = content(first)
    others, other_schema = content(second)
    assert schema == other_schema
    assert stored.keys() == others.keys()
    assert [name for name in stored if stored[name] != others[name]] == []
