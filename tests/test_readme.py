"""The README's examples run as printed, on fewer persons."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "60_000" in examples[0]
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example.replace("60_000", "3_000"), str(README), "exec"), names)
    released = pd.read_csv(tmp_path / "release" / "medians.csv")
    assert set(released["education_level"]) == {"graduate", "level 2 or below", "level 3 or above"}
    assert {"p25", "p50", "p75", "p50_low", "p50_high"} <= set(released.columns)
    assert {"returns.csv", "effect.csv"} <= {path.name for path in (tmp_path / "release_returns").iterdir()}
