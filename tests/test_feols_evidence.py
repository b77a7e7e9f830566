"""The evidence of coefficients on designs that look harmless by their rows, against brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference_feols import Brute, dummies, workers

import leoreturns as lr
from leoreturns.estimation import blocks, design

pytestmark = pytest.mark.filterwarnings("ignore::leoreturns.errors.ClusterWarning")  # few on purpose


def people(n_person: int = 400, years: int = 10) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    person = np.repeat(np.arange(n_person), years)
    frame = pd.DataFrame({"person": person, "year": np.tile(np.arange(years), n_person)})
    frame["exper"] = draw.normal(size=len(frame))
    frame["y"] = 0.3 * frame.exper + draw.normal(size=n_person)[person] + draw.normal(size=len(frame))
    frame["group"] = (draw.random(n_person) < 0.05)[person] * 1.0
    frame["one"] = (person == 17) * 1.0
    frame["three"] = np.isin(person, [5, 90, 201]) * 1.0
    frame["treated"] = (draw.random(n_person) < 0.5)[person] * 1.0
    frame["small_school"] = np.isin(person, [8, 9, 10, 11]) * 1.0
    frame.loc[np.isin(person, [8, 9]), "treated"] = 1.0
    frame.loc[np.isin(person, [10, 11]), "treated"] = 0.0
    frame["outlier"] = draw.normal(size=n_person)[person]
    frame.loc[person == 33, "outlier"] = 1e4
    movers = np.isin(person, [1, 50, 100, 150, 200, 250])
    frame["moved"] = (movers & (frame.year >= 5)) * 1.0
    return frame


FRAME = people()


def brute(frame: pd.DataFrame, names: list[str], target: str, effects: list[str]) -> tuple[float, float, int]:
    """Effective persons, largest share and persons off the mode, by residuals of the target on all else."""
    others = [frame[name] for name in names if name != target]
    rest = np.column_stack([*others, dummies(frame, effects) if effects else np.ones(len(frame))])
    left = frame[target] - rest @ np.linalg.lstsq(rest, frame[target].to_numpy(dtype=float), rcond=None)[0]
    shares = (left**2).groupby(frame.person).sum() / (left**2).sum()
    off = (frame[target] != frame[target].mode()[0]).groupby(frame.person).any().sum()
    return 1 / (shares**2).sum(), shares.max(), int(off)


@pytest.mark.parametrize(
    ("names", "target", "effects", "effective"),
    [
        (["exper", "group"], "group", [], None),
        (["exper", "one"], "one", [], 1.0),
        (["exper", "three"], "three", [], 3.0),
        (["exper", "treated", "small_school", "both"], "both", [], None),
        (["exper", "outlier"], "outlier", [], 1.0),
        (["exper", "moved"], "moved", ["person", "year"], 6.0),
    ],
)
@pytest.mark.parametrize("rows", [64, 1 << 15])
def test_effective_persons(
    names: list[str],
    target: str,
    effects: list[str],
    effective: float | None,
    rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", rows)
    frame = FRAME.assign(both=FRAME.treated * FRAME.small_school)
    formula = f"y ~ {' + '.join(names)}" + (f" | {' + '.join(effects)}" if effects else "")
    found = lr.feols(formula, frame, cov=lr.Clustered("person"), person="person")
    assert isinstance(found, lr.Estimate)
    row = found.evidence.to_frame().loc[target]
    expected = brute(frame, names, target, effects)
    assert row.effective_persons == pytest.approx(expected[0], rel=1e-8)
    assert row.largest_share == pytest.approx(expected[1], rel=1e-8)
    assert row.persons_off_mode == expected[2]
    if effective is not None:
        assert row.effective_persons == pytest.approx(effective, rel=0.06)


def test_a_tiny_interaction_is_worth_two_persons() -> None:
    frame = FRAME[~FRAME.person.isin([10, 11])].assign(both=lambda rows: rows.treated * rows.small_school)
    found = lr.feols("y ~ exper + treated + both", frame, cov=lr.Clustered("person"), person="person")
    assert isinstance(found, lr.Estimate)
    assert found.evidence.to_frame().effective_persons["both"] == pytest.approx(2.0, rel=0.06)
    assert found.evidence.to_frame().persons_off_mode["both"] == 2


def test_levels_have_evidence_as_columns_do() -> None:
    data = workers(80)
    text = lr.feols("y ~ x1 + route", data, cov=lr.Robust("HC1"), person="person")
    numbers = data.assign(none=data.route == "none", vocational=data.route == "vocational")
    same = lr.feols("y ~ x1 + none + vocational", numbers, cov=lr.Robust("HC1"), person="person")
    assert isinstance(text, lr.Estimate) and isinstance(same, lr.Estimate)
    np.testing.assert_allclose(text.evidence.effective_persons, same.evidence.effective_persons, rtol=1e-10)
    np.testing.assert_array_equal(text.evidence.persons_off_mode, same.evidence.persons_off_mode)


def test_persons_scattered_over_blocks_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    data = workers(80)
    whole = lr.feols("y ~ x1 + x2 + treated | school^year", data, cov=lr.Robust("HC1"), person="person")
    monkeypatch.setattr(design, "FEW_LEVELS", 3)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 40)
    parts = lr.feols("y ~ x1 + x2 + treated | school^year", data, cov=lr.Robust("HC1"), person="person")
    assert isinstance(whole, lr.Estimate) and isinstance(parts, lr.Estimate)
    assert "school^year eliminated" in parts.settings["path"]
    for name in ("effective_persons", "largest_share", "persons_off_mode", "largest_leverage", "df_persons"):
        np.testing.assert_allclose(getattr(parts.evidence, name), getattr(whole.evidence, name), rtol=1e-9)


def test_leverage_is_that_of_persons() -> None:
    data = workers(60)
    found = lr.feols("y ~ x1 + x2", data, cov=lr.Robust("HC1"), person="person")
    assert isinstance(found, lr.Estimate)
    full = Brute(data, data.y, np.column_stack([np.ones(len(data)), data.x1, data.x2]))
    rows = pd.Series(np.einsum("ij,jk,ik->i", full.full, full.bread, full.full))
    assert found.evidence.largest_leverage == pytest.approx(rows.groupby(data.person).sum().max(), rel=1e-9)


def test_a_table_of_means_is_called_saturated() -> None:
    data = workers(80)
    for formula, saturated in (
        ("y ~ C(route)", True),
        ("y ~ C(route) * C(school)", True),
        ("y ~ C(route) + C(school)", False),
        ("y ~ C(route) + x1", False),
        ("y ~ C(route) | year", False),
        ("y ~ treated", True),
        ("y ~ treated - 1", True),
        ("y ~ treated * C(route)", True),
        ("y ~ treated + C(route)", False),
        ("y ~ x1", False),
    ):
        found = lr.feols(formula, data, cov=lr.Robust("HC1"), person="person")
        assert isinstance(found, lr.Estimate)
        assert found.evidence.saturated is saturated


def test_the_sample_has_the_fingerprint_of_a_table() -> None:
    panel = lr.Panel.from_frame(workers(80), person="person", time="year", entities=["school"])
    found = lr.feols("y ~ x1 | year", panel, cov=lr.Robust("HC1"), where="school != 3")
    assert isinstance(found, lr.Estimate)
    table = lr.aggregate(panel, "y", statistics=["mean"], where="school != 3")
    assert table.evidence.fingerprint is not None and table.evidence.sketch is not None
    assert found.evidence.fingerprint == int(table.evidence.fingerprint[0])
    assert found.evidence.sketch == tuple(table.evidence.sketch[0].tolist())
    assert found.evidence.entities == {"school": 7}
    assert found.evidence.df_persons == found.n_person - 1 - found.effects["year"]


def test_without_persons_there_is_no_fingerprint() -> None:
    found = lr.feols("y ~ x1", workers(80), cov=lr.Robust("HC1"))
    assert isinstance(found, lr.Estimate)
    assert found.n_person == -1
    assert found.evidence.fingerprint is None and not found.evidence.identified
