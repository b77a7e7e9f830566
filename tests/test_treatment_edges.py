"""Treatment effects at the edges of the data: errors with counts, and never a number that is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import leoreturns as lr
from leoreturns.estimation.cell_models import predictor

PERSON = {"person": "person"}


def pupils(n: int = 400, seed: int = 3) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "person": np.arange(n),
            "points": draw.normal(size=n),
            "region": draw.choice(["N", "S", "W"], n),
            "employed": (draw.random(n) < 0.5).astype(float),
        }
    )
    treated = draw.random(n) < 1 / (1 + np.exp(1 - 0.5 * frame["points"]))
    frame["route"] = np.where(treated, "vocational", "academic")
    frame["pay"] = frame["points"] + 0.3 * treated + draw.normal(size=n)
    return frame


def effect_of(frame: pd.DataFrame, method: str, estimand: str = "ATE", **keywords: object) -> lr.EffectEstimate:
    options = {"outcome": "pay ~ points", "treatment": "C(route, ref='academic') ~ points", "cov": lr.Robust("HC1")}
    return lr.treatment_effect(data=frame, method=method, estimand=estimand, **{**options, **PERSON, **keywords})


# ---- matches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keywords", [{}, {"replace": False}, {"replace": False, "order": "closest"}])
def test_a_caliper_that_leaves_nobody_is_told(keywords: dict[str, object]) -> None:
    frame = pupils()
    counts = frame["route"].value_counts()
    wanted = f"nobody has a match among {counts['academic']:,} of academic and {counts['vocational']:,} of vocational"
    with pytest.raises(lr.SupportError, match=wanted):
        lr.match("route", "points", frame, estimand="ATT", caliper=1e-12, **keywords, **PERSON)


@pytest.mark.parametrize("keywords", [{"method": "exact"}, {"exact": ["region"], "distance": "column"}])
def test_strata_without_overlap_are_told(keywords: dict[str, object]) -> None:
    frame = pupils().assign(region=lambda own: np.where(own["route"] == "vocational", "N", "S"))
    covariates = "region" if "method" in keywords else "points"
    with pytest.raises(lr.SupportError, match="nobody has a match"):
        lr.match("route", covariates, frame, estimand="ATT", **keywords, **PERSON)


def test_a_stratum_of_one_arm_has_no_part_in_the_error() -> None:
    frame = pupils().assign(region="N")
    alone = frame["region"].where(frame.index != frame.index[frame["route"] == "academic"][0], "S")
    keywords = {"estimand": "ATT", "exact": ["region"], **PERSON}
    found = lr.match("route", "points", frame.assign(region=alone), **keywords).effect("pay", cov=lr.AbadieImbens())
    whole = lr.match("route", "points", frame, **keywords).effect("pay", cov=lr.AbadieImbens())
    assert found.std_errors.iloc[0] == pytest.approx(whole.std_errors.iloc[0], rel=0.05)


def test_variances_that_are_not_known_are_refused() -> None:
    frame = pupils()
    treated, control = (frame.index[frame["route"] == label] for label in ("vocational", "academic"))
    region = pd.Series("N", frame.index)
    region[[treated[0], *control[:5]]] = "S"
    found = lr.match("route", "points", frame.assign(region=region), estimand="ATT", exact=["region"], **PERSON)
    with pytest.raises(lr.SupportError, match=r"5 units have a single unit of an arm .*estimated=False"):
        found.effect("pay", cov=lr.AbadieImbens())
    assert np.isfinite(found.effect("pay", cov=lr.AbadieImbens(estimated=False)).std_errors.iloc[0])
    few = frame.assign(route=np.where(frame.index < 3, "vocational", "academic"))
    found = lr.match("route", "points", few, estimand="ATT", **PERSON)
    with pytest.raises(lr.SupportError, match="3 units with a match are too few"):
        found.effect("pay", cov=lr.AbadieImbens())


@pytest.mark.parametrize(
    ("keywords", "cov"),
    [
        ({"covariates": "region", "estimand": "ATE", "method": "exact"}, lr.Robust("HC1")),
        ({"covariates": "region", "estimand": "ATC", "method": "exact"}, lr.Robust("HC1")),
        ({"covariates": "points", "estimand": "ATT", "replace": False}, lr.Clustered("pair")),
        ({"covariates": "points", "estimand": "ATC", "replace": False, "caliper": 0.1}, lr.Clustered("pair")),
    ],
)
def test_an_outcome_that_is_linear_is_adjusted_for_exactly(keywords: dict[str, object], cov: lr.Clustered) -> None:
    frame = pupils()
    frame["pay"] = 3 * frame["points"] + 0.3 * (frame["route"] == "vocational")
    found = lr.match("route", data=frame, **keywords, **PERSON).effect("pay", cov=cov, adjust="points")
    assert found.params.iloc[0] == pytest.approx(0.3, rel=1e-10)
    assert found.std_errors.iloc[0] == pytest.approx(0.0, abs=1e-10)  # nothing is left to vary


def test_covariates_of_the_adjustment_must_be_known() -> None:
    frame = pupils()
    hidden = frame.index < 40
    frame = frame.assign(more=frame["points"].mask(hidden), label=frame["region"].mask(hidden))
    found = lr.match("route", "points", frame, estimand="ATT", **PERSON)
    for name in ("more", "label"):
        with pytest.raises(lr.SupportError, match=f"'{name}' is missing for 40 of 400"):
            found.effect("pay", cov=lr.AbadieImbens(), adjust=name)


def test_options_that_do_nothing_are_refused() -> None:
    frame = pupils()
    with pytest.raises(lr.SupportError, match="takes all units of a stratum"):
        lr.match("route", "region", frame, estimand="ATT", method="exact", caliper=0.1, **PERSON)
    with pytest.raises(ValueError, match="ratio is a positive number"):
        lr.match("route", "points", frame, estimand="ATT", ratio=1.5, **PERSON)


# ---- coarsened exact matching ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuts", "points"),
    [(None, None), ({"score": 4}, None), ({"score": [1.0, 2.5]}, [1.0, 2.5])],
)
def test_coarsened_strata_are_those_of_bins(cuts: dict[str, object] | None, points: list[float] | None) -> None:
    frame = pupils().assign(score=lambda own: own["points"].round(1) + 2)
    found = lr.match("route", ["score", "region"], frame, estimand="ATT", method="cem", cuts=cuts, **PERSON)
    if points is None:
        n_bins = 10 if cuts is None else 4  # ceil(log2 400 + 1)
        points = list(np.linspace(frame["score"].min(), frame["score"].max(), n_bins + 1)[1:-1])
    bins = pd.cut(frame["score"], [-np.inf, *points, np.inf])  # right-closed
    treated = frame["route"] == "vocational"
    means = frame.groupby([bins, "region", treated], observed=True)["pay"].mean().unstack().dropna()
    sizes = frame[treated].groupby([bins[treated], "region"], observed=True).size().reindex(means.index)
    result = found.effect("pay", cov=lr.Robust("HC1"))
    assert result.params.iloc[0] == pytest.approx(((means[True] - means[False]) * sizes).sum() / sizes.sum(), rel=1e-12)
    assert found.counts["vocational"]["matched"] == sizes.sum()
    assert result.settings["cuts"] == (cuts or {})


def test_bins_are_refused_where_they_are_none() -> None:
    keywords = {"estimand": "ATT", **PERSON}
    with pytest.raises(lr.SupportError, match="cuts= serves method='cem'"):
        lr.match("route", "points", pupils(), cuts={"points": 3}, **keywords)
    with pytest.raises(lr.SupportError, match="names 'region': not among the numeric"):
        lr.match("route", "points + region", pupils(), method="cem", cuts={"region": 3}, **keywords)
    for cuts in ({"points": 0}, {"points": [1.0, 0.0]}, {"points": [np.nan]}):
        with pytest.raises(ValueError, match="of 'points' are"):
            lr.match("route", "points", pupils(), method="cem", cuts=cuts, **keywords)


# ---- models ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ra", "ipwra", "aipw", "entropy", "tilting"])
@pytest.mark.parametrize("n_treated", [3, 100])
def test_a_covariate_that_is_constant_in_an_arm_is_told(method: str, n_treated: int) -> None:
    frame = pupils().assign(route=lambda own: np.where(own.index < n_treated, "vocational", "academic"))
    frame["points"] = frame["points"].where(frame["route"] == "academic", 0.1)  # 0.1 has no exact mean
    balancing = method in ("entropy", "tilting")
    wanted = f"on the {n_treated} of vocational" if balancing else "outcome of vocational .* 1 of 1 columns"
    with pytest.raises(lr.SupportError if balancing else lr.NotIdentifiedError, match=wanted):
        effect_of(frame, method)


def test_more_covariates_than_an_arm_has_persons_are_told() -> None:
    frame = pupils().assign(route=lambda own: np.where(own.index < 3, "vocational", "academic"))
    frame = frame.assign(square=frame["points"] ** 2, wave=np.sin(frame["points"]))
    with pytest.raises(lr.NotIdentifiedError, match="1 of 3 columns"):
        effect_of(frame, "ra", outcome="pay ~ points + square + wave")


def test_balance_at_the_edge_of_the_arm_is_refused() -> None:
    # The target's mean is nearer to the controls' largest value than weights can bring their mean.
    frame = pupils()
    high = np.where(frame["points"] > 0, 3.0, 0.0)
    frame["points"] = np.where(frame["route"] == "vocational", high, frame["points"].clip(-3, 1))
    with pytest.raises(lr.SupportError, match="no weights on the"):
        effect_of(frame, "entropy", "ATT")


@pytest.mark.parametrize("score", ["logit", "probit"])
@pytest.mark.parametrize("method", ["ipw", "ipwra", "aipw", "dml"])
def test_persons_without_a_chance_are_counted(method: str, score: str) -> None:
    frame = pupils()
    frame.loc[frame.index[frame["route"] == "vocational"][0], "points"] = 5e3
    options = {"outcome": "pay ~ region", "score": score}
    with pytest.raises(lr.SupportError, match="1 of 400 persons have no chance of an arm"):
        effect_of(frame, method, **options)
    found = effect_of(frame, method, trim=1e-6, **options)
    assert found.settings["trimmed"] == 1
    assert np.isfinite(found.covariance).all()


def test_exploding_weights_are_warned_of_with_numbers() -> None:
    frame = pupils()
    at = frame.index[frame["route"] == "academic"][0]
    frame.loc[at, "points"] = 12.0
    persons = int((frame["route"] == "academic").sum())
    told = rf"the {persons} persons of academic are worth \d+\.\d of equal weight, and the largest weight is \d+\.\d%"
    with pytest.warns(lr.WeightWarning, match=told) as caught:
        effect_of(frame, "ipw", "ATT")
    assert caught[0].filename == __file__
    with pytest.warns(lr.WeightWarning, match=told) as caught:
        lr.weight("route", "points", frame, method="ipw", estimand="ATT", **PERSON)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("method", ["ra", "ipw", "ipwra", "aipw", "entropy", "tilting"])
def test_three_treated_persons_are_warned_of_with_numbers(method: str) -> None:
    frame = pupils()
    treated = frame.index[frame["route"] == "vocational"]
    frame.loc[treated[3:], "route"] = "academic"
    told = r"the 3 persons of vocational are worth [123]\.\d of equal weight: errors that hold in large samples"
    with pytest.warns(lr.WeightWarning, match=told) as caught:
        found = effect_of(frame, method, "ATT")
    assert caught[0].filename == __file__
    assert found.settings["persons by arm"][""]["vocational"] == 3
    assert "vocational 3" not in found.summary()


def test_three_treated_persons_leave_a_fold_without_any() -> None:
    frame = pupils()
    treated = frame.index[frame["route"] == "vocational"]
    frame.loc[treated[3:], "route"] = "academic"
    with pytest.raises(lr.NotIdentifiedError, match="the outcome of vocational is not identified"):
        effect_of(frame, "dml")


@pytest.mark.parametrize("method", ["ra", "ipw", "ipwra", "aipw", "dml", "entropy", "tilting"])
def test_a_stratum_without_overlap_is_told(method: str) -> None:
    frame = pupils()
    frame.loc[frame["region"] == "W", "route"] = "academic"
    formulas = {"outcome": "pay ~ region", "treatment": "C(route, ref='academic') ~ region"}
    told = {
        "ra": "the outcome of vocational is not identified",
        "entropy": "no weights on the",
        "tilting": "no weights",
    }
    wanted = told.get(method, r"for \d+ units they tell it for certain")
    with pytest.raises((lr.NotIdentifiedError, lr.SupportError), match=wanted):
        effect_of(frame, method, **formulas)


@pytest.mark.parametrize("constant", [1.0, "all"])
@pytest.mark.parametrize("method", ["ra", "ipw", "ipwra", "entropy"])
def test_a_constant_covariate_is_left_out_and_said_so(method: str, constant: object) -> None:
    frame = pupils().assign(c=constant)
    formulas = {"outcome": "pay ~ points + c", "treatment": "C(route, ref='academic') ~ points + c"}
    found, plain = effect_of(frame, method, **formulas), effect_of(frame, method)
    assert found.dropped == {"c": "the same for everybody"}
    assert "Left out: c, the same for everybody" in found.summary()
    np.testing.assert_allclose(found.values, plain.values, rtol=1e-10)


def test_missing_covariates_are_counted() -> None:
    frame = pupils()
    holes = frame.assign(points=frame["points"].where(frame.index % 4 > 0))
    found, plain = effect_of(holes, "ipwra"), effect_of(frame[frame.index % 4 > 0], "ipwra")
    assert (found.flow.steps[-1].label, found.flow.steps[-1].persons) == ("covariates known", 300)
    np.testing.assert_allclose(found.values, plain.values, rtol=1e-12)
    with pytest.raises(lr.SupportError, match="no rows are left"):
        effect_of(frame.assign(points=np.nan), "ipw")


def test_many_arms_have_logits_alone() -> None:
    frame = pupils().assign(route=lambda own: np.where(own.index % 3, own["route"], "technical"))
    for method in ("ipw", "dml"):
        with pytest.raises(lr.SupportError, match="3 arms need score='logit', the multinomial logit"):
            effect_of(frame, method, score="probit")
    with pytest.raises(lr.SupportError, match="multinomial logit"):
        lr.weight("route", "points", frame, method="ipw", estimand="ATE", score="probit", **PERSON)


def test_nothing_is_said_of_weights_that_are_alike(recwarn: pytest.WarningsRecorder) -> None:
    frame = pupils()
    for method in ("ra", "ipw", "ipwra", "aipw", "dml", "entropy", "tilting"):
        effect_of(frame, method)
    assert not recwarn.list


def test_a_trim_that_empties_an_arm_is_told() -> None:
    for method in ("ipw", "dml"):
        with pytest.raises(lr.SupportError, match=r"trim=0.4999 leaves \d+ of 400 persons, and none of"):
            effect_of(pupils(), method, trim=0.4999)


@pytest.mark.parametrize(("link", "allowed"), [("logit", "between 0 and 1"), ("poisson", "0 or more")])
def test_outcomes_that_a_model_cannot_have_are_counted(link: str, allowed: str) -> None:
    with pytest.raises(lr.SupportError, match=rf"'pay' is not {allowed} for \d+ of 400 persons"):
        effect_of(pupils(), "ra", link=link)


def test_an_outcome_that_is_nought_in_an_arm_has_no_logarithm() -> None:
    frame = pupils().assign(spells=lambda own: np.where(own["route"] == "vocational", 0.0, own["employed"]))
    with pytest.raises(lr.NotIdentifiedError, match="the outcome of vocational is zero for everybody"):
        effect_of(frame, "ra", outcome="spells ~ points", link="poisson")


def test_balance_does_not_hang_on_the_scale_of_the_weights() -> None:
    frame = pupils().assign(w=1e-4)
    keywords = {"method": "ipw", "estimand": "ATT", **PERSON}
    plain = lr.weight("route", "points", frame, **keywords).balance()
    scaled = lr.weight("route", "points", frame, weights=lr.Weights("w", "probability"), **keywords).balance()
    np.testing.assert_allclose(scaled.before, plain.before, rtol=1e-10)
    np.testing.assert_allclose(scaled.after, plain.after, rtol=1e-8, atol=1e-10)


def test_equal_covariates_have_equal_chances_to_the_last_bit() -> None:
    draw = np.random.default_rng(1)
    row, values = draw.normal(size=23), draw.normal(size=23)
    found = predictor(np.tile(row, (1_001, 1)), values)
    assert len(np.unique(found)) == 1
    assert found[0] == pytest.approx(row @ values, rel=1e-12)


# ---- sensitivity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("differences", "wanted"), [([1.0, np.nan, 2.0], "1 of 3 differences are missing"), ([0.0, 0.0], "2 are zero")]
)
def test_pairs_without_differences_are_told(differences: list[float], wanted: str) -> None:
    with pytest.raises(lr.SupportError, match=wanted):
        lr.rosenbaum_bounds(np.array(differences), [1.0, 2.0])


def test_clusters_may_be_combinations_of_columns() -> None:
    draw = np.random.default_rng(17)
    n = 600
    frame = pd.DataFrame({"person": range(n), "a": draw.integers(0, 5, n), "b": draw.integers(0, 6, n)})
    frame = frame.assign(both=10 * frame.a + frame.b, d=draw.integers(0, 2, n), x=draw.normal(size=n))
    frame["y"] = frame.x + frame.d + draw.normal(size=n)

    def errors(cluster: str) -> list[float]:
        cov = lr.Clustered(cluster)
        effect = lr.treatment_effect(
            "y ~ x", "d ~ x", frame, method="ipwra", estimand="ATE", cov=cov, person="person"
        )  # fmt: skip
        pairs = lr.match("d", "x", frame, estimand="ATT", replace=False, person="person")
        matched = pairs.effect("y", cov=lr.Clustered("pair", cluster))
        return [*effect.std_errors, *matched.std_errors]

    assert errors("a^b") == pytest.approx(errors("both"), rel=1e-12)
