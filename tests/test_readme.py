"""The README's example runs as printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    n_person, n_year = 300, 3
    frame = pd.DataFrame(
        {
            "person": np.repeat(np.arange(n_person), n_year),
            "tax_year": np.tile(2010 + np.arange(n_year), n_person),
            "education_level": np.repeat(rng.choice(["graduate", "level 2 or below"], n_person), n_year),
            "earnings": np.round(np.exp(rng.normal(10.0, 0.6, n_person * n_year))),
        }
    )
    frame.to_parquet(tmp_path / "earnings.parquet")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, str(README), "exec"), names)
    released = pd.read_csv(tmp_path / "release" / "medians.csv")
    assert set(released["education_level"]) == {"graduate", "level 2 or below"}
    assert {"p25", "p50", "p75"} <= set(released.columns)
