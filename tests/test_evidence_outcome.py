"""Evidence of whose outcome is behind a coefficient: by brute force, and where it tells the pay of one person."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference_feols import dummies, workers
from reference_glm import BrutePoisson, counts, kept_rows
from test_release_estimates import texts

import leoreturns as lr
from leoreturns.estimation import blocks, design
from leoreturns.results.evidence import FitEvidence

pytestmark = pytest.mark.filterwarnings("ignore::leoreturns.errors.ClusterWarning")  # few on purpose


def fewest(left: np.ndarray, sizes: list[np.ndarray], person: pd.Series, *, sides: bool = True) -> float:
    """Persons of equal weight in squared residuals times sizes, on the side and of the size that has the fewest."""
    found = []
    for size in sizes:
        for side in (left > 0, left < 0) if sides else (left == left,):
            totals = pd.Series(left**2 * size * side, person.index).groupby(person).sum()
            found.append(totals.sum() ** 2 / (totals**2).sum())
    return min(found)


def residuals(target: pd.Series, others: np.ndarray, root: np.ndarray | float = 1.0) -> np.ndarray:
    root = np.broadcast_to(root, len(target))
    rest, own = others * root[:, None], target.to_numpy(dtype=float) * root
    return np.asarray(own - rest @ np.linalg.lstsq(rest, own, rcond=1e-12)[0])


def contributors(found: Any) -> pd.Series:
    assert isinstance(found.evidence, FitEvidence)
    return found.evidence.to_frame()["effective_contributors"]


@pytest.mark.parametrize("effects", [[], ["person", "year"], ["school"]])
@pytest.mark.parametrize("weighted", [False, True])
def test_least_squares_by_brute_force(effects: list[str], weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    monkeypatch.setattr(design, "FEW_LEVELS", 3)  # so that schools are eliminated, and persons scattered
    frame = workers(80)
    frame["work"] = (frame.y > frame.y.median()) * 1.0
    weights = lr.Weights("w", "analytic") if weighted else None
    root = np.sqrt(frame.w) if weighted else 1.0
    rest = dummies(frame, effects) if effects else np.ones((len(frame), 1))
    for outcome in ("y", "work"):
        sizes = [frame.work.to_numpy(), 1.0 - frame.work.to_numpy()] if outcome == "work" else [np.abs(frame.y)]
        formula = f"{outcome} ~ x1 + treated" + (f" | {' + '.join(effects)}" if effects else "")
        found = contributors(lr.feols(formula, frame, cov=lr.Robust("HC1"), weights=weights, person="person"))
        for name, other in (("x1", "treated"), ("treated", "x1")):
            left = residuals(frame[name], np.column_stack([frame[other], rest]), root)
            assert found[name] == pytest.approx(fewest(left, sizes, frame.person), rel=1e-7)
        if not effects:
            assert found["Intercept"] == pytest.approx(
                fewest(np.broadcast_to(root, len(frame)) * 1.0, sizes, frame.person, sides=False), rel=1e-9
            )


def test_without_a_constant_a_side_may_have_no_row() -> None:
    frame = workers(80)
    found = contributors(lr.feols("y ~ treated + x1 - 1", frame, cov=lr.Robust("HC1"), person="person"))
    left = residuals(frame.treated, frame[["x1"]].to_numpy())
    assert found["treated"] == pytest.approx(fewest(left, [np.abs(frame.y)], frame.person), rel=1e-9)
    alone = contributors(lr.feols("y ~ treated - 1", frame, cov=lr.Robust("HC1"), person="person"))
    expected = fewest(frame.treated.to_numpy(dtype=float), [np.abs(frame.y)], frame.person, sides=False)
    assert alone["treated"] == pytest.approx(expected, rel=1e-9)


def test_dummies_that_add_up_to_a_constant_have_two_sides() -> None:
    draw = np.random.default_rng(8)
    frame = pd.DataFrame({"person": range(900), "z": draw.random(900) < 0.2, "g": draw.integers(0, 2, 900)})
    frame = frame.assign(pay=draw.lognormal(10, 0.5, 900) * ~frame.z, z=1.0 * frame.z)
    frame.loc[frame.z.idxmax(), "pay"] = 77_777.0
    for formula in ("pay ~ z + C(g)", "pay ~ 0 + C(g) + z"):
        assert contributors(lr.feols(formula, frame, cov=lr.Robust("HC1"), person="person"))["z"] < 1.01


@pytest.mark.parametrize("effects", [["person"], ["school", "year"]])
def test_poisson_by_brute_force(effects: list[str]) -> None:
    frame = kept_rows(counts(120), effects)
    brute = BrutePoisson(frame, frame[["x1", "x2"]].to_numpy(), effects)
    found = contributors(
        lr.fepois(f"y ~ x1 + x2 | {' + '.join(effects)}", frame, cov=lr.Robust("HC1"), person="person")
    )
    mu = brute.root**2
    for at, name in enumerate(["x1", "x2"]):
        left = residuals(frame[name], np.delete(brute.full, at, 1), brute.root)
        assert found[name] == pytest.approx(fewest(left, [frame.y / mu], frame.person), rel=1e-7)


def test_cross_sections_need_no_sums_by_person(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = workers(400).groupby("person").head(1).copy()
    expected = lr.feols("y ~ x1 + treated | school", frame, cov=lr.Robust("HC1"), person="person").evidence
    monkeypatch.setattr(design, "FEW_LEVELS", 3)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 50)
    found = lr.feols("y ~ x1 + treated | school", frame, cov=lr.Robust("HC1"), person="person").evidence
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame(), rtol=1e-9)


# ---- groups in which one person has the outcome ----------------------------------------------------------------------


def population(n_person: int = 3000, years: int = 4) -> pd.DataFrame:
    """Pay with zeros; in the group "one" a single person has pay, in "few" three have, in "many" most."""
    draw = np.random.default_rng(8)
    person = np.repeat(np.arange(n_person), years)
    frame = pd.DataFrame({"person": person, "year": np.tile(np.arange(2010, 2010 + years), n_person)})
    groups = np.array(["many", "most"])[draw.integers(0, 2, n_person)]
    groups[:300], groups[300:600] = "one", "few"
    frame["group"] = groups[person]
    frame["score"] = draw.normal(size=n_person)[person]
    frame["in_work"] = draw.random(n_person)[person] < 0.7
    frame.loc[frame.group == "one", "in_work"] = (person == 17)[frame.group == "one"]
    frame.loc[frame.group == "few", "in_work"] = np.isin(person, [301, 302, 303])[frame.group == "few"]
    frame["pay"] = np.where(frame.in_work, np.exp(9.5 + 0.2 * frame.score + draw.normal(0, 0.6, len(frame))), 0.0)
    frame["work"] = frame.in_work * 1.0
    frame["idle"] = 1.0 - frame.work
    return frame


PAY = population()


def hidden(found: Any) -> set[str]:
    return {name.removeprefix("group::") for name, text in texts(found).items() if text == "c"} - {"Intercept"}


@pytest.mark.parametrize("method", [lr.fepois, lr.feols])
def test_a_group_with_one_persons_pay_is_hidden(method: Any) -> None:
    found = method("pay ~ score + C(group, ref='most')", PAY, cov=lr.Clustered("person"), person="person")
    assert found.evidence.to_frame().effective_persons["group::one"] > 100
    assert contributors(found)["group::one"] == pytest.approx(1.0, abs=0.3)
    assert contributors(found)["group::few"] == pytest.approx(3.0, abs=0.6)
    assert hidden(found) == {"one", "few"}
    # What would be told: with the other group's mean, the pay of the one person who has any.
    alone = PAY[PAY.group.isin(["one", "most"])]
    means = alone.groupby("group").pay.mean()
    if method is lr.fepois:
        bare = lr.fepois("pay ~ C(group, ref='most')", alone, cov=lr.Clustered("person"), person="person")
        assert np.exp(bare.params["group::one"]) * means["most"] == pytest.approx(means["one"], rel=1e-8)


@pytest.mark.parametrize("method", [lr.fepois, lr.feols])
def test_so_is_the_comparison_with_it(method: Any) -> None:
    found = method("pay ~ score + C(group, ref='one')", PAY, cov=lr.Clustered("person"), person="person")
    assert contributors(found).drop(["Intercept", "score"]).max() < 1.3
    with pytest.raises(lr.DisclosureError, match="none of its 3 levels"):
        texts(found)
    numbers = PAY.assign(other=(PAY.group != "one") * 1.0)
    assert hidden(method("pay ~ score + other", numbers, cov=lr.Clustered("person"), person="person")) == {"other"}


def test_under_effects_of_persons_those_count_whose_regressor_varies() -> None:
    draw = np.random.default_rng(2)
    panel = PAY[PAY.group.isin(["many", "most"])].copy()
    panel["pay"] = np.exp(9.5 + draw.normal(0, 0.6, len(panel)))
    people = panel.person.unique()
    always, switchers = people[:500], people[500:520]
    later = panel.year >= 2012
    panel["trained"] = (panel.person.isin(always) | (panel.person.isin(switchers) & later)) * 1.0
    # Of those who switch, all but one are without pay once they are trained.
    panel.loc[panel.person.isin(switchers[1:]) & later, "pay"] = 0.0
    for method in (lr.fepois, lr.feols):
        found = method("pay ~ trained | person + year", panel, cov=lr.Clustered("person"), person="person")
        assert found.evidence.to_frame().effective_persons["trained"] > (10 if method is lr.feols else 0)
        assert hidden(found) == {"trained"}


def test_ones_and_zeros_are_both_counted() -> None:
    for outcome in ("work", "idle"):
        found = lr.feols(f"{outcome} ~ score + C(group, ref='most')", PAY, cov=lr.Clustered("person"), person="person")
        assert hidden(found) == {"one", "few"}
        ratios = lr.fepois(
            f"{outcome} ~ score + C(group, ref='most')", PAY, cov=lr.Clustered("person"), person="person"
        )
        assert hidden(ratios) == {"one", "few"}


def test_a_conditional_logit_of_one_persons_successes_is_hidden() -> None:
    draw = np.random.default_rng(6)
    frame = pd.DataFrame({"person": np.repeat(np.arange(600), 6), "year": np.tile(np.arange(6), 600)})
    frame["x"] = draw.normal(size=len(frame))
    frame["ill"] = ((frame.person < 60) & (frame.year >= 3)) * 1.0
    frame["work"] = (draw.random(len(frame)) < 1 / (1 + np.exp(-0.5 * frame.x))) * 1.0
    healthy = lr.felogit("work ~ x + ill | person", frame, cov=lr.Clustered("person"), person="person")
    assert hidden(healthy) == set()
    frame.loc[(frame.ill == 1) & (frame.person != 3), "work"] = 0.0
    frame.loc[(frame.person == 3), "work"] = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    for outcome in (frame.work, 1.0 - frame.work):
        found = lr.felogit("z ~ x + ill | person", frame.assign(z=outcome), cov=lr.Clustered("person"), person="person")
        assert found.evidence.to_frame().effective_persons["ill"] > 10
        assert contributors(found)["ill"] < 3
        assert hidden(found) == {"ill"}


def test_regressors_that_vary_all_over_are_shown() -> None:
    draw = np.random.default_rng(5)
    healthy = PAY[PAY.group.isin(["many", "most"])].assign(when=lambda rows: rows.year - 2010)
    healthy["hours"] = np.where(draw.random(len(healthy)) < 0.6, 0.0, draw.gamma(2.0, 10.0, len(healthy)))
    for method in (lr.fepois, lr.feols):
        found = method("pay ~ score + when + hours + C(group)", healthy, cov=lr.Clustered("person"), person="person")
        assert hidden(found) == set() and contributors(found).min() > 100
