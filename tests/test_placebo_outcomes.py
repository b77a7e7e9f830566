"""Several outcomes in one call: their joint covariance, the test of all, and placebo outcomes that are not affected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import leoreturns as lr
from leoreturns.results.simultaneous import LargestOf

ARMS = "C(route, ref='academic') ~ points"
BEFORE = ["pay_2003 ~ points", "pay_2004 ~ points", "pay_2005 ~ points"]
NAMES = [f"vocational v academic [pay_{year}]" for year in (2003, 2004, 2005)]


def careers(n: int = 800, seed: int = 4, hidden: float = 0.0) -> pd.DataFrame:
    """Earnings of three years before the treatment share a person's part; `hidden` moves it and the choice alike."""
    draw = np.random.default_rng(seed)
    points, person = draw.normal(size=(2, n))
    chosen = draw.random(n) < 1 / (1 + np.exp(-0.5 * points - hidden * person))
    frame = pd.DataFrame(
        {
            "person": np.arange(n),
            "school": draw.integers(0, 40, n),
            "sex": draw.choice(["F", "M"], n),
            "points": points,
            "route": np.where(chosen, "vocational", "academic"),
        }
    )
    for year in (2003, 2004, 2005):
        frame[f"pay_{year}"] = points + person + 0.5 * draw.normal(size=n)
    return frame.assign(pay_2004=lambda rows: rows["pay_2004"].where(rows.index % 7 > 0))


def effects(frame: pd.DataFrame, **keywords: object) -> lr.EffectEstimate:
    options = {"method": "ipwra", "estimand": "ATT", "cov": lr.Clustered("person"), "person": "person"}
    return lr.treatment_effect(BEFORE, ARMS, frame, **{**options, **keywords})  # type: ignore[arg-type]


@pytest.mark.parametrize("cov", [lr.Clustered("person"), lr.Clustered("school")])
def test_each_outcome_is_an_estimate_of_its_own(cov: lr.Covariance) -> None:
    frame = careers()
    found = effects(frame, cov=cov)
    assert list(found.names[:3]) == NAMES
    for text, name in zip(BEFORE, NAMES, strict=True):
        alone = lr.treatment_effect(text, ARMS, frame, method="ipwra", estimand="ATT", cov=cov, person="person")
        assert found.params[name] == alone.params["vocational v academic"]
        factor = 1.0 if cov.columns == ("school",) else (799 / 800) * (alone.nobs / (alone.nobs - 1))
        wanted = alone.std_errors["vocational v academic"] / np.sqrt(factor)
        assert found.std_errors[name] == pytest.approx(wanted, rel=1e-9)
    assert found.nobs == found.n_person == 800  # a person with several outcomes is one
    assert found.outcome == "pay_2003, pay_2004, pay_2005"
    assert (
        found.settings["persons by arm"]["pay_2004"]["academic"]
        < found.settings["persons by arm"]["pay_2003"]["academic"]
    )


def test_outcomes_of_the_same_persons_go_together() -> None:
    frame = careers().assign(pay_2005=lambda rows: 2 * rows["pay_2003"] + 1)
    found = effects(frame)
    a, b = NAMES[0], NAMES[2]
    assert found.params[b] == pytest.approx(2 * found.params[a], rel=1e-9)
    assert found.cov.loc[a, b] == pytest.approx(2 * found.cov.loc[a, a], rel=1e-9)
    drawn = effects(frame, cov=lr.Resampled(lr.BootstrapPlan(40, seed=1, interval="normal")))
    assert drawn.cov.loc[a, b] == pytest.approx(2 * drawn.cov.loc[a, a], rel=1e-9)


def test_the_joint_test_is_walds_and_p_values_are_adjusted_for_all_outcomes() -> None:
    found = effects(careers(), cov=lr.Clustered("school"))
    own, cov = found.params[NAMES].to_numpy(), found.cov.loc[NAMES, NAMES].to_numpy()
    statistic = own @ np.linalg.solve(cov, own) / 3
    test = found.joint_test()
    assert test.statistic == pytest.approx(statistic, rel=1e-9)
    assert test.pvalue == pytest.approx(stats.f.sf(statistic, 3, 39), rel=1e-9)
    table = found.bands()
    adjusted = [LargestOf(cov, 39.0).pvalue(size) for size in found.tstats[NAMES]]
    np.testing.assert_allclose(table.loc[NAMES, "p_adjusted"], adjusted, rtol=1e-12)
    assert (table.loc[NAMES, "p_adjusted"] <= np.minimum(3 * table.loc[NAMES, "p"], 1) + 1e-3).all()  # Bonferroni


def test_a_hidden_cause_of_the_choice_shows_in_outcomes_from_before_it() -> None:
    found = effects(careers(hidden=1.0))
    assert found.joint_test().pvalue < 1e-6
    assert (found.bands().loc[NAMES, "p_adjusted"] < 1e-4).all()


def test_the_joint_test_rejects_as_often_as_its_level() -> None:
    pvalues, smallest = [], []
    for seed in range(120):
        found = lr.treatment_effect(
            BEFORE, ARMS, careers(250, seed=seed), method="ra", estimand="ATE", cov=lr.Clustered("person"),
            person="person",
        )  # fmt: skip
        pvalues.append(found.joint_test().pvalue)
        at = [found.names.index(name) for name in NAMES]
        smallest.append(
            LargestOf(found.covariance[np.ix_(at, at)], found.df_tests).pvalue(found.tstats[NAMES].abs().max())
        )
    # Of 120 draws of a chance of 0.1, the bounds leave out one in a thousand on either side.
    low, high = stats.binom.ppf([0.001, 0.999], 120, 0.1)
    assert low <= sum(p < 0.1 for p in pvalues) <= high
    assert low <= sum(p < 0.1 for p in smallest) <= high


def test_outcomes_by_groups_have_keys() -> None:
    found = effects(careers(), by="sex")
    table = found.bands("outcome")
    assert list(table.columns[:3]) == ["comparison", "outcome", "sex"]
    assert "vocational v academic [pay_2004, F]" in table.index
    assert len(set(table["critical"])) == 2 * 3


def test_several_outcomes_need_clusters_and_one_model_each() -> None:
    frame = careers()
    with pytest.raises(lr.SupportError, match="several outcomes are not independent"):
        effects(frame, cov=lr.Robust("HC1"))
    keywords = {"method": "ra", "estimand": "ATE", "cov": lr.Clustered("person"), "person": "person"}
    with pytest.raises(ValueError, match="several that differ"):
        lr.treatment_effect([BEFORE[0], BEFORE[0]], ARMS, frame, **keywords)
    with pytest.raises(ValueError, match="name each of several once"):
        lr.treatment_effect([BEFORE[0], "pay_2003 ~ 1"], ARMS, frame, **keywords)
    with pytest.raises(ValueError, match="several that differ"):
        lr.treatment_effect([], ARMS, frame, **keywords)
