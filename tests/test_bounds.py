"""Bounds where outcomes are not known: by sorting, by Lee's formulas, by enumeration, and over simulated samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import leoreturns as lr
from leoreturns.estimation.partial import Known, trimmed

PERSON = {"person": "id"}


def lee(frame: pd.DataFrame, treatment: str = "d ~ 1", **keywords: object) -> lr.BoundsEstimate:
    options = {"method": "lee", "estimand": "ATC", "cov": lr.Robust("HC0"), **PERSON, **keywords}
    return lr.bounds("y", treatment, frame, **options)


def worst(frame: pd.DataFrame, treatment: str = "d ~ 1", **keywords: object) -> lr.BoundsEstimate:
    options = {"method": "manski", "estimand": "ATE", "cov": lr.Robust("HC0"), "outcome_range": (0, 1), **PERSON}
    return lr.bounds("y", treatment, frame, **{**options, **keywords})


def workers(n: int = 600, seed: int = 2) -> pd.DataFrame:
    """Persons of two cells; treatment moves some into work, where alone pay is known."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(n), "d": draw.random(n) < 0.5, "x": draw.choice(["a", "b"], n)})
    taste = draw.normal(size=n) + 0.4 * (frame["x"] == "b")
    frame["s"] = taste + 0.6 * frame["d"] + draw.normal(size=n) > -0.3
    frame["pay"] = 2 + 0.3 * frame["d"] + 0.5 * taste + 0.5 * draw.normal(size=n)
    return frame.assign(y=frame["pay"].where(frame["s"]), school=draw.integers(0, 40, n))


def arms(known_1: list[float], n_1: int, known_0: list[float], n_0: int) -> pd.DataFrame:
    """Two arms with these known outcomes, and others without."""
    y = [*known_1, *[np.nan] * (n_1 - len(known_1)), *known_0, *[np.nan] * (n_0 - len(known_0))]
    return pd.DataFrame({"id": range(n_1 + n_0), "d": np.arange(n_1 + n_0) < n_1, "y": y})


# ---- trimming -------------------------------------------------------------------------------------------------------


def test_lee_bounds_are_means_of_the_sorted_ends() -> None:
    """Eight of ten known among the treated, six of ten among the others: six of the eight are kept."""
    frame = arms([5, 1, 8, 3, 2, 9, 4, 7], 10, [2, 2, 3, 4, 5, 6], 10)
    found = lee(frame).params
    assert found["True v False, lower"] == pytest.approx(np.mean([1, 2, 3, 4, 5, 7]) - 22 / 6)
    assert found["True v False, upper"] == pytest.approx(np.mean([3, 4, 5, 7, 8, 9]) - 22 / 6)
    assert found["share known True"] == 0.8
    # With the arms exchanged those of reference are trimmed, and the bounds change sign and place.
    turned = lee(frame.assign(d=~frame["d"])).params
    np.testing.assert_allclose(turned.iloc[:2], -found.iloc[[1, 0]], rtol=1e-12)


def test_a_person_at_the_edge_counts_in_part() -> None:
    """Three of four known against half: two of the three are kept; other shares leave a part of the second."""
    found = lee(arms([1.0, 2.0, 6.0], 4, [0.0, 0.0], 4)).params
    np.testing.assert_allclose(found.iloc[:2], [1.5, 4.0])
    found = lee(arms([1.0, 2.0, 6.0], 5, [0.0, 0.0, 0.0, 0.0], 10)).params  # 0.4 / 0.6 of three persons
    np.testing.assert_allclose(found.iloc[:2], [1.5, 4.0])
    found = lee(arms([1.0, 2.0, 6.0], 5, [0.0] * 9, 25)).params  # 0.36 / 0.6: 1.8 persons
    np.testing.assert_allclose(found.iloc[:2], [(1 + 0.8 * 2) / 1.8, (6 + 0.8 * 2) / 1.8])


def test_bounds_of_a_share_are_those_of_every_assignment() -> None:
    """With yes and no the extreme share among those kept is known without sorting, ties and all."""
    frame = arms([1.0] * 13 + [0.0] * 7, 25, [1.0] * 5 + [0.0] * 7, 20)
    kept = (12 / 20) / (20 / 25)
    low, high = max(0.0, (13 / 20 - (1 - kept)) / kept), min(1.0, (13 / 20) / kept)
    np.testing.assert_allclose(lee(frame).params.iloc[:2], [low - 5 / 12, high - 5 / 12])


def formula_of_lee(frame: pd.DataFrame) -> tuple[float, float]:
    """Standard errors by proposition 3 of Lee (2009), the treated trimmed."""
    n, d, s = len(frame), frame["d"].to_numpy(), frame["y"].notna().to_numpy()
    share_1, share_0, treated = s[d].mean(), s[~d].mean(), d.mean()
    p, both = 1 - share_0 / share_1, (s & d).mean()
    y = np.sort(frame["y"].to_numpy()[s & d])
    count = round((1 - p) * len(y))
    of_share = (1 - p) ** 2 * (
        (1 - share_0 / (1 - p)) / (treated * share_0 / (1 - p)) + (1 - share_0) / ((1 - treated) * share_0)
    )
    found = []
    for kept, edge in ((y[:count], y[count - 1]), (y[len(y) - count :], y[len(y) - count])):
        gap = edge - kept.mean()
        of_mean = kept.var() / (both * (1 - p)) + gap**2 * p / (both * (1 - p)) + (gap / (1 - p)) ** 2 * of_share
        of_others = frame["y"][s & ~d].var(ddof=0) / (s & ~d).mean()
        found.append(np.sqrt((of_mean + of_others) / n))
    return found[0], found[1]


def test_standard_errors_are_those_of_lee() -> None:
    draw = np.random.default_rng(4)
    frame = arms(draw.normal(size=160).tolist(), 200, (draw.normal(size=150) + 1).tolist(), 250)
    assert tuple(lee(frame).std_errors.iloc[:2]) == pytest.approx(formula_of_lee(frame), rel=1e-12)


def test_cells_are_weighed_by_those_known_in_either_arm() -> None:
    frame = workers()
    found = lee(frame, "d ~ x").params
    parts = {cell: lee(own).params for cell, own in frame.groupby("x")}
    count = frame[~frame["d"] & frame["y"].notna()]["x"].value_counts()  # Lee's weights: P(x | known, not treated)
    for end in ("True v False, lower", "True v False, upper"):
        by_hand = sum(count[cell] * parts[cell][end] for cell in parts) / count.sum()
        assert found[end] == pytest.approx(by_hand, rel=1e-12)
    plain = lee(frame).params
    assert plain.iloc[0] < found.iloc[0] < found.iloc[1] < plain.iloc[1]
    # Of everybody: weights n min(share), with both arms' persons counted.
    shares = frame.groupby(["x", "d"])["s"].mean().unstack().min(axis=1) * frame["x"].value_counts()
    by_hand = sum(shares[cell] * parts[cell].iloc[0] for cell in parts) / shares.sum()
    assert lee(frame, "d ~ x", estimand="ATE").params.iloc[0] == pytest.approx(by_hand, rel=1e-12)


def test_influences_are_the_derivatives_by_the_weights() -> None:
    """What a unit adds to the error is how a bound moves with its weight."""
    frame = workers(120)
    draw = np.random.default_rng(1)
    y = frame["y"].to_numpy()
    for estimand in ("all", "treated"):

        def units(weights: np.ndarray, estimand: str = estimand) -> Known:
            target = weights * (frame["d"] if estimand == "treated" else 1.0)
            cells = (frame["x"] == "b").astype(int).to_numpy()
            known = ~np.isnan(y)
            return Known(cells, frame["d"].astype(int).to_numpy(), known, np.where(known, y, 0.0), weights, target)

        weights = draw.uniform(0.5, 1.5, len(y))
        for at, bound in enumerate(trimmed(units(weights))):
            assert bound.influence.sum() == pytest.approx(0.0, abs=1e-12)
            for unit in range(0, len(y), 7):
                step = np.zeros(len(y))
                step[unit] = 1e-6
                up, down = (trimmed(units(weights + sign * step))[at].value for sign in (1, -1))
                moved = (up - down) / 2e-6 * weights[unit]
                assert bound.influence[unit] == pytest.approx(moved, abs=1e-7)


def test_one_person_per_cluster_is_no_cluster() -> None:
    frame = workers()
    single = lee(frame, "d ~ x", cov=lr.Clustered("id"))
    robust = lee(frame, "d ~ x", cov=lr.Robust("HC1"))
    np.testing.assert_allclose(single.std_errors, robust.std_errors, rtol=1e-12)
    by_school = lee(frame, "d ~ x", cov=lr.Clustered("school"))
    assert by_school.n_clusters == {"school": 40}
    assert by_school.df_tests == 39


def test_known_persons_are_those_of_a_column() -> None:
    """Entries of persons who are not observed are not read; one observed without an entry is left out and counted."""
    frame = workers()
    whole = frame.assign(y=frame["pay"])
    np.testing.assert_array_equal(lee(whole, observed="s").values, lee(frame).values)
    gone = frame.index[frame["s"]][0]
    found = lee(whole.assign(y=whole["y"].where(whole.index != gone)), observed="s")
    assert found.flow.steps[-1].label == "y known where it is observed"
    np.testing.assert_array_equal(found.values, lee(frame.drop(index=gone)).values)


def test_whole_weights_are_repeated_persons() -> None:
    frame = workers(200).assign(w=np.random.default_rng(8).integers(1, 4, 200))
    repeated = frame.loc[frame.index.repeat(frame["w"])].assign(id=lambda own: np.arange(len(own)))
    weighted = lee(frame, "d ~ x", weights=lr.Weights("w", "frequency"))
    np.testing.assert_allclose(weighted.values, lee(repeated, "d ~ x").values, rtol=1e-12)
    assert weighted.nobs == len(repeated)


def test_rows_in_another_order_give_the_same_bytes() -> None:
    frame = workers()
    turned = frame.sample(frac=1, random_state=3)
    for found in (lee(turned, "d ~ x", cov=lr.Clustered("school")), lee(turned, "d ~ x", n_jobs=2)):
        same = lee(frame, "d ~ x", cov=lr.Clustered("school") if found.n_clusters else lr.Robust("HC0"))
        np.testing.assert_array_equal(found.values, same.values)
        np.testing.assert_array_equal(found.covariance, same.covariance)


# ---- intervals ------------------------------------------------------------------------------------------------------


def test_the_interval_is_that_of_imbens_and_manski() -> None:
    found = lee(workers())
    (low, high), errors = found.values[:2], found.std_errors.to_numpy()[:2]
    ends = found.interval(0.9).iloc[0]
    factor = (low - ends["low"]) / errors[0]
    assert (ends["high"] - high) / errors[1] == pytest.approx(factor)
    inside = stats.norm.cdf(factor + (high - low) / errors.max()) - stats.norm.cdf(-factor)
    assert inside == pytest.approx(0.9, abs=1e-9)
    assert stats.norm.isf(0.1) <= factor <= stats.norm.isf(0.05)
    assert f"{found.interval().iloc[0]['low']:.6g}" in repr(found)
    with pytest.raises(ValueError, match="between 0 and 1"):
        found.interval(95)


def bounded(template: lr.BoundsEstimate, units: Known, clusters: np.ndarray) -> lr.BoundsEstimate:
    """Return the estimate of a drawn sample, without a frame: thousands of samples are drawn."""
    found = trimmed(units)
    sums = np.array([np.bincount(clusters, bound.influence) for bound in found])
    covariance = sums @ sums.T * (len(sums.T) / (len(sums.T) - 1))
    values = np.array([bound.value for bound in found])
    return replace(template, names=template.names[:2], values=values, covariance=covariance)


def drawn(d: np.ndarray, x: np.ndarray, y: np.ndarray, known: np.ndarray) -> Known:
    return Known(x, d, known, np.where(known, y, 0.0), np.ones(len(d)), np.ones(len(d)))


def test_a_drawn_sample_is_estimated_as_a_frame_is() -> None:
    frame = workers()
    units = drawn(frame["d"].to_numpy(), frame["x"].to_numpy(), frame["pay"].to_numpy(), frame["s"].to_numpy())
    units = replace(units, arms=units.arms.astype(int), cells=(units.cells == "b").astype(int))
    whole = lee(frame, "d ~ x", estimand="ATE", cov=lr.Clustered("school"))
    found = bounded(whole, units, frame["school"].to_numpy())
    np.testing.assert_allclose(found.values, whole.values[:2], rtol=1e-12)
    np.testing.assert_allclose(found.covariance, whole.covariance[:2, :2], rtol=1e-10)


def test_intervals_cover_the_effect_at_either_end() -> None:
    """Known outcomes are normal in both arms, so that the bounds of the population have a closed form."""
    n, repetitions, share_1, share_0, effect = 800, 2_000, 0.8, 0.6, 0.5
    kept = share_0 / share_1
    width = stats.norm.pdf(stats.norm.ppf(kept)) / kept
    truth = effect - width, effect + width
    template, draw = lee(workers()), np.random.default_rng(20)
    covered, values, errors = np.zeros((repetitions, 4)), np.zeros((repetitions, 2)), np.zeros((repetitions, 2))
    for number in range(repetitions):
        d = (draw.random(n) < 0.5).astype(int)
        known = draw.random(n) < np.where(d, share_1, share_0)
        units = drawn(d, np.zeros(n, dtype=int), effect * d + draw.normal(size=n), known)
        found = bounded(template, units, np.arange(n))
        values[number], errors[number] = found.values, found.std_errors
        own, joint = found.conf_int(), found.interval().iloc[0]
        covered[number] = [
            own["low"].iloc[0] < truth[0] < own["high"].iloc[0],
            own["low"].iloc[1] < truth[1] < own["high"].iloc[1],
            joint["low"] < truth[0] < joint["high"],
            joint["low"] < truth[1] < joint["high"],
        ]
    # Three standard errors of a share of 2,000 are 1.5 points.
    np.testing.assert_allclose(covered.mean(axis=0), 0.95, atol=0.015)
    np.testing.assert_allclose(values.std(axis=0), errors.mean(axis=0), rtol=0.06)
    np.testing.assert_allclose(values.mean(axis=0), truth, atol=4 * errors.mean() / np.sqrt(repetitions))


def test_clustered_intervals_cover_where_whole_schools_are_treated() -> None:
    """Schools differ in their outcomes; robust errors do not know it, clustered ones do."""
    repetitions, n_school, size = 1_000, 60, 20
    shares = np.array([[0.6, 0.7], [0.8, 0.9]])  # by treatment and cell
    kept, spread = shares[0] / shares[1], np.sqrt(1 + 0.4**2)
    gaps = 0.5 - spread * stats.norm.pdf(stats.norm.ppf(kept)) / kept
    truth = gaps @ shares[0] / shares[0].sum()
    school = np.repeat(np.arange(n_school), size)
    template = replace(lee(workers()), df_tests=n_school - 1.0)
    draw, covered = np.random.default_rng(7), np.zeros((repetitions, 3))
    for number in range(repetitions):
        d, x = (school % 2 == 0).astype(int), draw.integers(0, 2, len(school))
        y = 0.5 * d + 0.5 * x + 0.4 * draw.normal(size=n_school)[school] + draw.normal(size=len(school))
        units = drawn(d, x, y, draw.random(len(school)) < shares[d, x])
        clustered, robust = (bounded(template, units, each) for each in (school, np.arange(len(school))))
        ends = [clustered.conf_int().iloc[0], robust.conf_int().iloc[0], clustered.interval().iloc[0]]
        covered[number] = [each["low"] < truth < each["high"] for each in ends]
    found = covered.mean(axis=0)
    # Three standard errors of a share of 1,000 are 2.1 points.
    np.testing.assert_allclose(found[[0, 2]], 0.95, atol=0.021)
    assert found[1] < 0.88


# ---- worst cases ----------------------------------------------------------------------------------------------------


def test_worst_cases_fill_in_the_ends_of_the_range() -> None:
    frame = arms([1.0] * 6 + [0.0] * 2, 10, [1.0] * 2 + [0.0] * 3, 10)
    found = worst(frame).params
    assert dict(found.round(12)) == {
        "True v False, lower": pytest.approx(0.6 - 0.7),
        "True v False, upper": pytest.approx(0.8 - 0.2),
        "mean True, lower": pytest.approx(0.6),
        "mean True, upper": pytest.approx(0.8),
        "mean False, lower": pytest.approx(0.2),
        "mean False, upper": pytest.approx(0.7),
        "share known True": 0.8,
        "share known False": 0.5,
    }
    # A mean of numbers filled in is a mean: its error is that of a regression on the arm.
    filled = frame.assign(y=frame["y"].fillna(frame["d"].map({True: 0.0, False: 1.0})))
    plain = lr.feols("y ~ d", filled, cov=lr.Robust("HC0"), person="id")
    assert worst(frame).std_errors.iloc[0] == pytest.approx(plain.std_errors["d"], rel=1e-12)


def test_worst_cases_over_cells_are_regression_adjustment_of_what_is_filled_in() -> None:
    frame = workers().assign(y=lambda own: own["y"].clip(0, 4))
    for estimand in ("ATE", "ATT", "ATC"):
        found = worst(frame, "d ~ x", estimand=estimand, outcome_range=(0, 4), cov=lr.Clustered("school"))
        filled = frame.assign(y=frame["y"].fillna(frame["d"].map({True: 0.0, False: 4.0})))
        adjusted = lr.treatment_effect(
            "y ~ x", "d ~ x", filled, method="ra", estimand=estimand, cov=lr.Clustered("school"), person="id"
        )
        assert found.values[0] == pytest.approx(adjusted.values[0], rel=1e-10)
        assert found.std_errors.iloc[0] == pytest.approx(adjusted.std_errors.iloc[0], rel=1e-10)


def test_the_truth_lies_between_the_worst_cases() -> None:
    frame = workers(2000).assign(pay=lambda own: own["pay"].clip(0, 4), y=lambda own: own["y"].clip(0, 4))
    found = worst(frame, outcome_range=(0, 4)).params
    known = frame.groupby("d")["pay"].mean()
    assert found["True v False, lower"] < known[True] - known[False] < found["True v False, upper"]


# ---- refusals and release -------------------------------------------------------------------------------------------


def test_what_cannot_be_bounded_is_told_with_counts() -> None:
    frame = workers()
    with pytest.raises(lr.SupportError, match="known for all 600 persons"):
        lee(frame.assign(y=1.0))
    with pytest.raises(lr.SupportError, match="3 of 5 cells .* persons of both arms"):
        lee(frame.assign(x=np.where(frame["id"] < 3, "c" + frame["id"].astype(str), frame["x"])), "d ~ x")
    lost = frame["y"].where((frame["x"] == "a") | frame["d"])
    with pytest.raises(lr.SupportError, match="1 of 2 cells .* known outcomes in both arms"):
        lee(frame.assign(y=lost), "d ~ x")
    with pytest.raises(lr.SupportError, match="'x' has 3: choose two"):
        lee(frame.assign(x=frame["x"].where(frame["d"], "c")), "x ~ 1")
    with pytest.raises(lr.SupportError, match="lies outside outcome_range for"):
        worst(frame)
    with pytest.raises(lr.SupportError, match="neither true nor false for"):
        lee(frame, observed="school")
    with pytest.raises(lr.SupportError, match="further rows of a person"):
        lee(pd.concat([frame, frame.head(5)]))
    with pytest.raises(ValueError, match="outcome_range belongs to"):
        lee(frame, outcome_range=(0, 1))
    with pytest.raises(ValueError, match="method is one of"):
        lee(frame, method="horowitz")
    with pytest.raises(ValueError, match="estimand is one of"):
        lee(frame, estimand="ATO")
    with pytest.raises(TypeError, match="cov is"):
        lee(frame, cov=lr.Resampled(lr.BootstrapPlan(99, seed=1)))


def test_bounds_are_released_as_estimates_are(tmp_path: object) -> None:
    frame = workers(2000)
    found = lee(frame, "d ~ x", cov=lr.Clustered("school"))
    lr.release({"bounds": found}, policy="ons-srs", to=tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "bounds.csv").set_index("name")
    assert written.loc["True v False, lower", "coefficient"] == pytest.approx(found.values[0], rel=1e-3)
    # Nine persons without an outcome in an arm, or nine cut off, would be told by the numbers beside each other.
    few = arms(np.arange(91.0).tolist(), 100, np.arange(80.0).tolist(), 100)
    assert lee(few).evidence.to_frame()["persons_off_mode"].tolist() == [11, 11, 9, 20]
    few = arms(np.arange(85.0).tolist(), 100, np.arange(80.0).tolist(), 100)
    assert lee(few).evidence.to_frame()["persons_off_mode"].tolist() == [5, 5, 15, 20]
    # One person whose pay is most of an arm's.
    rich = arms([*[1.0] * 40, *np.linspace(2, 3, 40), 1e6], 100, np.arange(60.0).tolist(), 100)
    assert lee(rich).evidence.to_frame()["largest_share"].iloc[1] > 0.99


def test_bounds_have_no_test_of_no_effect() -> None:
    draw = np.random.default_rng(6)
    frame = pd.DataFrame({"person": range(400), "d": draw.integers(0, 2, 400), "y": draw.normal(size=400)})
    frame.loc[draw.random(400) < 0.2 + 0.2 * frame.d, "y"] = np.nan
    found = lr.bounds("y", "d ~ 1", frame, method="lee", estimand="ATE", cov=lr.Robust("HC0"), person="person")
    with pytest.raises(lr.SupportError, match=r"see whether interval\(\) holds nought"):
        found.joint_test()
