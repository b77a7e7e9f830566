"""felogit against all subsets written out, against statsmodels, and where the answer has a closed form."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference_feols import workers
from reference_glm import BruteLogit, groups_of_logit
from scipy.special import comb
from statsmodels.discrete.conditional_models import ConditionalLogit

import leoreturns as lr
from leoreturns import errors
from leoreturns._core import conditional
from leoreturns.estimation import blocks
from leoreturns.estimation import conditional as search

RTOL = 1e-9


def employed(n_person: int = 150, seed: int = 5) -> pd.DataFrame:
    frame = workers(n_person, seed)
    draw = np.random.default_rng(seed)
    index = 0.6 * frame.x1 - 0.4 * frame.x2 + frame.ability + 0.04 * (frame.year - 2010) + 80.4
    frame["work"] = (index + draw.logistic(size=len(frame)) > 0).astype(int)
    return frame


FRAME = employed()


def both(frame: pd.DataFrame, group: str = "person") -> pd.DataFrame:
    share = frame.groupby(group).work.transform("mean")
    return frame[(share > 0) & (share < 1)]


def close(left: object, right: object, rtol: float = RTOL) -> None:
    np.testing.assert_allclose(np.asarray(left), np.asarray(right), rtol=rtol, atol=rtol * np.abs(right).max())


def fitted(formula: str, cov: lr.Covariance | None = None, data: Any = FRAME, **options: Any) -> lr.LogitEstimate:
    given = options if isinstance(data, lr.Panel) else {"person": "person", **options}
    found = lr.felogit(formula, data, cov=cov or lr.Unadjusted(), **given)
    assert isinstance(found, lr.LogitEstimate)
    return found


def brute(frame: pd.DataFrame, names: list[str], group: str = "person") -> BruteLogit:
    return BruteLogit(frame[names].to_numpy(dtype=float), frame.work.to_numpy(), frame[group].to_numpy())


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("rows", [2, 3, 7, 10])
def test_the_kernel_adds_up_all_subsets(rows: int, d: int) -> None:
    draw = np.random.default_rng(rows + d)
    n_groups = 2 * rows
    x, beta = draw.normal(size=(n_groups * rows, d)) * 2 + 1e6, draw.normal(size=d)
    y = np.zeros((n_groups, rows), dtype=np.uint8)
    for group in range(n_groups):
        y[group, draw.permutation(rows)[: group % (rows + 1)]] = 1
    starts = np.arange(0, n_groups * rows + 1, rows)
    results = np.empty(n_groups), np.empty((n_groups, d)), np.empty((n_groups, d * (d + 1) // 2))
    conditional.groups(x, beta, y.ravel(), starts, *results)
    upper = np.triu_indices(d)
    for group in range(n_groups):
        own = x[starts[group] : starts[group + 1]] - 1e6
        likelihood, score, information = groups_of_logit(beta, own, y[group])
        np.testing.assert_allclose(results[0][group], likelihood, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(results[1][group], score, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(results[2][group], information[upper], rtol=1e-7, atol=1e-7)


def test_long_groups_do_not_overflow() -> None:
    """With equal regressors every subset is as likely: the likelihood is a binomial coefficient."""
    n, k = 3_000, 1_200
    y = np.zeros(n, dtype=np.uint8)
    y[:k] = 1
    x = np.linspace(-1, 1, n)[:, None].copy()
    results = np.empty(1), np.empty((1, 1)), np.empty((1, 1))
    conditional.groups(x, np.zeros(1), y, np.array([0, n]), *results)
    assert np.isinf(comb(n, k))
    log_comb = np.log(np.arange(n - k + 1, n + 1)).sum() - np.log(np.arange(1, k + 1)).sum()
    close(results[0], [-log_comb], 1e-11)
    # Sampling without replacement.
    close(results[2][0], [k * (n - k) / (n - 1) * x.var()], 1e-10)
    conditional.groups(x, np.full(1, 1e4), y, np.array([0, n]), *results)
    assert np.isfinite([entry.item() for entry in results]).all()


def test_wrong_shapes_are_refused() -> None:
    x, y, starts = np.zeros((4, 2)), np.zeros(4, dtype=np.uint8), np.array([0, 2, 4])
    good = np.empty(2), np.empty((2, 2)), np.empty((2, 3))
    for wrong, message in [
        ((x, np.zeros(3), y, starts, *good), "differ in length"),
        ((x, np.zeros(2), y, starts[:2], *good), "cover the rows"),
        ((x, np.zeros(2), y + np.uint8(2), starts, *good), "zeros and ones"),
        ((x, np.zeros(2), y, np.array([0, 0, 4]), *good), "no row"),
        ((x, np.zeros(2), y, starts, good[0], good[1], np.empty((2, 2))), "one entry per regressor"),
        ((x, np.zeros(2), y, starts, np.empty(3), *good[1:]), "one row per group"),
    ]:
        with pytest.raises(ValueError, match=message):
            conditional.groups(*wrong)


@pytest.mark.parametrize("rows", [32, 1 << 15])
def test_estimates_are_those_of_all_subsets(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", rows)
    monkeypatch.setattr(search, "ENTRIES", rows)
    frame = both(FRAME)
    expected = brute(frame, ["x1", "x2"])
    found = fitted("work ~ x1 + x2 | person")
    close(found.values, expected.beta)
    close(found.covariance, expected.inverse)
    close(found.loglik, expected.loglik)
    inverse, scores = expected.inverse, expected.scores
    clusters = fitted("work ~ x1 + x2 | person", lr.Clustered("person"), ssc=lr.SmallSample(False, clusters=False))
    close(clusters.covariance, inverse @ scores.T @ scores @ inverse)
    school = frame.groupby("person").school.first()
    sums = pd.DataFrame(scores).groupby(school.to_numpy()).sum().to_numpy()
    count, n = len(sums), len(frame)
    factor = count / (count - 1) * (n - 1) / (n - 2)
    close(
        fitted("work ~ x1 + x2 | person", lr.Clustered("school")).covariance, factor * inverse @ sums.T @ sums @ inverse
    )
    own = np.array([expected.information[school.to_numpy() == one].sum(axis=0) for one in np.unique(school)])
    total = expected.information.sum(axis=0)
    apart = np.array([np.linalg.solve(total - part, -score) for part, score in zip(own, sums, strict=True)])
    jackknifed = fitted("work ~ x1 + x2 | person", lr.Jackknifed("school"))
    close(jackknifed.covariance, (count - 1) / count * apart.T @ apart, 1e-8)
    assert jackknifed.df_tests == count - 1


@pytest.mark.parametrize("group", ["person", "school"])
def test_statsmodels_agrees(group: str) -> None:
    # Their sums of exponentials overflow far from zero.
    frame = both(FRAME.assign(x2=FRAME.x2 - 201), group)
    names = ["x1", "x2", "treated"]
    years = pd.get_dummies(frame.year, prefix="year", prefix_sep="::", drop_first=True).astype(float)
    regressors = pd.concat([frame[names], years], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ConditionalLogit(frame.work, regressors, groups=frame[group]).fit(
            method="newton", maxiter=100, tol=1e-14, disp=False
        )
    found = fitted(f"work ~ x1 + x2 + treated + C(year) | {group}")
    close(found.params, expected.params[list(found.names)], 1e-8)
    close(found.loglik, expected.llf, 1e-10)
    # Their second derivatives are numeric.
    close(found.std_errors, expected.bse[list(found.names)], 1e-5)
    panel = lr.Panel.from_frame(FRAME, person="person", time="year")
    assert fitted(f"work ~ x1 + x2 + treated + C(year) | {group}", data=panel).nobs == len(frame)


def test_matched_pairs_have_a_closed_form() -> None:
    """The log ratio of discordant pairs; variance the sum of their inverses (Breslow and Day 1980, chapter 7)."""
    n10, n01 = 43, 7
    exposed = np.concatenate([np.tile([1, 0], n10), np.tile([0, 1], n01), np.tile([1, 1], 20), np.tile([0, 0], 30)])
    frame = pd.DataFrame(
        {"person": np.arange(len(exposed)) // 2, "exposed": exposed, "work": 1 - np.arange(len(exposed)) % 2}
    )
    found = fitted("work ~ exposed | person", data=frame)
    close(found.values, [np.log(n10 / n01)])
    close(found.covariance, [[1 / n10 + 1 / n01]])
    close(found.fit["null_loglik"], -100 * np.log(2))
    ratios = found.odds_ratios()
    close(ratios.odds_ratio, [n10 / n01])
    close(ratios[["low", "high"]].to_numpy(), np.exp(found.conf_int().to_numpy()))


def test_the_truth_is_found() -> None:
    draw = np.random.default_rng(2)
    n, years = 4_000, 7
    person = np.repeat(np.arange(n), years)
    effect = np.repeat(2 * draw.normal(size=n), years)
    x = draw.normal(size=n * years) + effect / 2
    frame = pd.DataFrame({"person": person, "x": x, "work": 0.5 * x + effect + draw.logistic(size=n * years) > 0})
    found = fitted("work ~ x | person", lr.Clustered("person"), frame)
    assert abs(found.params["x"] - 0.5) < 3 * found.std_errors["x"] < 0.1


def test_groups_that_say_nothing_are_counted() -> None:
    found = fitted("work ~ x1 + ability + route | person", lr.Clustered("person"))
    frame = both(FRAME)
    assert found.nobs == len(frame) and found.n_person == frame.person.nunique()
    assert found.flow.to_frame().set_index("step").rows["person with both outcomes"] == len(frame)
    assert found.effects == {"person": frame.person.nunique()}
    assert set(found.dropped.values()) == {"absorbed by the effects"}
    assert len(found.dropped) == 3


def test_scales_and_levels_cost_no_digits() -> None:
    expected = fitted("work ~ x1 + x2 | person", lr.Clustered("person"))
    frame = FRAME.assign(x1=FRAME.x1 * 1e-6 + 10, x2=FRAME.x2 * 1e6)
    found = fitted("work ~ x1 + x2 | person", lr.Clustered("person"), frame)
    close(found.values * [1e-6, 1e6], expected.values, 1e-8)
    close(found.std_errors * [1e-6, 1e6], expected.std_errors, 1e-8)


@pytest.mark.parametrize("rows", [32, 1 << 15])
def test_frequency_weights_are_groups_repeated(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", rows)
    frame = FRAME.assign(times=FRAME.person % 4)
    copies = [frame[frame.times > copy].assign(copy=copy) for copy in range(3)]
    repeated = pd.concat(copies, ignore_index=True).rename(columns={"person": "one"})
    repeated["person"] = repeated.one * 10 + repeated["copy"]
    weights = lr.Weights("times", "frequency")
    for cov, same in [
        (lr.Unadjusted(), lr.Unadjusted()),
        (lr.Clustered("school"), lr.Clustered("school")),
        (lr.Jackknifed("school"), lr.Jackknifed("school")),
    ]:
        found = fitted("work ~ x1 + x2 + C(year) | person", cov, frame, weights=weights)
        expected = fitted("work ~ x1 + x2 + C(year) | person", same, repeated)
        close(found.values, expected.values)
        close(found.covariance, expected.covariance)
        close([found.loglik, found.fit["null_loglik"]], [expected.loglik, expected.fit["null_loglik"]])
        assert found.nobs == expected.nobs and found.df_resid == expected.df_resid
    with pytest.raises(lr.SupportError, match="stands for several, which a cluster would take for one"):
        fitted("work ~ x1 + x2 | person", lr.Clustered("person"), frame, weights=weights)
    assert found.n_row == len(both(frame[frame.times > 0])) and "frequency weights times" in str(found.settings)


def test_probability_weights_weigh_the_scores_of_groups() -> None:
    frame = both(FRAME.assign(w=0.5 + (FRAME.person % 7) / 3.0))
    w = frame.groupby("person").w.first().to_numpy()
    x, y = frame[["x1", "x2"]].to_numpy(), frame.work.to_numpy()
    parts = [np.flatnonzero(frame.person == person) for person in np.unique(frame.person)]
    beta = np.zeros(2)
    for _ in range(30):
        own = [groups_of_logit(beta, x[rows], y[rows]) for rows in parts]
        scores = w[:, None] * np.array([entry[1] for entry in own])
        inverse = np.linalg.inv(np.einsum("g,gab->ab", w, np.array([entry[2] for entry in own])))
        beta = beta + inverse @ scores.sum(axis=0)
    plain = lr.SmallSample(parameters=False, clusters=False)
    found = fitted(
        "work ~ x1 + x2 | person",
        lr.Clustered("person"),
        frame,
        weights=lr.Weights("w", "probability"),
        ssc=plain,
    )
    close(found.values, beta)
    close(found.covariance, inverse @ scores.T @ scores @ inverse)
    shares = w * np.einsum("ja,gab,bj->jg", inverse, np.array([entry[2] for entry in own]), inverse)
    shares /= np.diag(inverse)[:, None]
    close(found.evidence.effective_persons, 1 / (shares**2).sum(axis=1), 1e-8)


def test_weights_that_a_conditional_likelihood_has_not() -> None:
    frame = FRAME.assign(times=1 + FRAME.year % 2)
    with pytest.raises(lr.SupportError, match="vary within .* groups of 'person'"):
        fitted("work ~ x1 | person", data=frame, weights=lr.Weights("times", "frequency"))
    with pytest.raises(lr.SupportError, match="say 'frequency' or 'probability'"):
        fitted("work ~ x1 | person", data=frame, weights=lr.Weights("times", "analytic"))
    with pytest.raises(lr.SupportError, match="no unadjusted covariance"):
        fitted("work ~ x1 | person", data=frame, weights=lr.Weights("times", "probability"))


def test_evidence_counts_persons_by_their_information() -> None:
    frame = both(FRAME).copy()
    found = fitted("work ~ x1 + x2 | person", data=frame)
    expected = brute(frame, ["x1", "x2"])
    shares = np.einsum("ja,gab,bj->jg", expected.inverse, expected.information, expected.inverse)
    shares /= np.diag(expected.inverse)[:, None]
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    evidence = found.evidence.to_frame()
    close(evidence.effective_persons, 1 / (shares**2).sum(axis=1), 1e-8)
    close(evidence.largest_share, shares.max(axis=1), 1e-8)
    leverages = np.einsum("ab,gab->g", expected.inverse, expected.information)
    close(found.evidence.largest_leverage, leverages.max(), 1e-8)
    assert found.evidence.df_persons == found.n_person - 2
    # A dummy that varies within one person only, and goes with both outcomes.
    rows = frame.index[frame.person == frame.person.value_counts().index[0]][:4]
    frame.loc[rows, "work"] = [0, 1, 0, 1]
    frame["one"] = frame.index.isin(rows[:2]) * 1.0
    alone = fitted("work ~ one | person", data=frame).evidence.to_frame()
    close(alone.effective_persons["one"], 1.0, 1e-8)
    assert alone.persons_off_mode["one"] == 1


@pytest.mark.parametrize("formula", ["work ~ x1 + C(year) + route:x2 | person", "work ~ x1 + x2 | school^year"])
def test_threads_rows_and_storage_change_no_bit(formula: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    panel = lr.Panel.from_frame(FRAME, person="person", time="year")
    cov = lr.Clustered("person") if "person" in formula else lr.Unadjusted()

    def bits(data: lr.Panel, **options: Any) -> bytes:
        found = fitted(formula, cov, data, **options)
        return found.values.tobytes() + found.covariance.tobytes() + np.float64(found.loglik).tobytes()

    expected = bits(panel, n_jobs=1)
    for n_jobs in (2, 3):
        assert bits(panel, n_jobs=n_jobs) == expected
    shuffled = FRAME.sample(frac=1, random_state=3)
    assert bits(lr.Panel.from_frame(shuffled, person="person", time="year")) == expected
    panel.save(tmp_path / "stored", partitions=5)
    assert bits(lr.Panel.open(tmp_path / "stored")) == expected


@pytest.mark.parametrize("effect", ["job", "person^half"])
def test_a_person_in_many_groups_is_one_person(effect: str) -> None:
    draw = np.random.default_rng(4)
    frame = pd.DataFrame({"person": np.repeat(np.arange(200), 12), "half": np.tile(np.arange(12) // 3, 200)})
    frame["job"] = draw.integers(0, 30, len(frame))
    frame["x"] = np.where(frame.person == 7, draw.normal(size=len(frame)), 0.0)
    frame["work"] = draw.integers(0, 2, len(frame)) * 1.0
    evidence = fitted(f"work ~ x | {effect}", data=frame).evidence.to_frame().loc["x"]
    assert evidence["persons_off_mode"] == 1
    np.testing.assert_allclose(evidence[["effective_persons", "largest_share"]].astype(float), 1.0, atol=0.1)


def test_a_result_reads_as_the_field_prints_it() -> None:
    found = fitted("work ~ x1 + x2 | person", lr.Clustered("school"))
    text = found.summary()
    assert text.startswith("Conditional logit: work ~ x1 + x2 | person")
    assert "person conditioned away" in text and "pseudo R2" in text
    close(found.pseudo_r2, 1 - found.loglik / found.fit["null_loglik"])
    close(found.aic, 2 * (2 - found.loglik))
    assert found.wald().df == (2.0, np.inf)
    with pytest.raises(lr.SupportError, match="odds_ratios"):
        found.percent()
    several = lr.felogit("work ~ csw(x1, x2) | person", FRAME, cov=lr.Unadjusted(), person="person", split="route")
    assert isinstance(several, lr.Estimates) and len(several) == 6


@pytest.mark.parametrize(
    ("formula", "cov", "message"),
    [
        ("work ~ x1", lr.Unadjusted(), "linear probability model"),
        ("work ~ x1 | person + year", lr.Unadjusted(), "other effects go among the regressors"),
        ("work ~ x1 | person | x2 ~ w", lr.Unadjusted(), "felogit conditions on one effect"),
        ("work ~ x1 | person", lr.Robust(), "Robust is not available"),
        ("work ~ x1 | person", lr.Clustered("year"), r"\d+ groups of 'person' lie in several clusters"),
        ("y ~ x1 | person", lr.Unadjusted(), r"'y' is neither zero nor one in [\d,]+ rows"),
        ("same ~ x1 | person", lr.Unadjusted(), "'same' does not vary within any group of 'person'"),
    ],
)
def test_what_is_refused(formula: str, cov: lr.Covariance, message: str) -> None:
    with pytest.raises(lr.SupportError, match=message):
        lr.felogit(formula, FRAME.assign(same=1.0 * (FRAME.person > 9)), cov=cov, person="person")


def test_what_is_not_identified(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    frame = FRAME.assign(decides=np.where(FRAME.work == 1, 1, draw.random(len(FRAME)) < 0.3) * 1.0)
    with pytest.raises(lr.NotIdentifiedError, match="^decides: within groups"):
        fitted("work ~ x1 + decides | person", data=frame)
    with pytest.raises(lr.NotIdentifiedError, match="no regressor"):
        fitted("work ~ ability | person")
    monkeypatch.setattr(search, "STEPS", 2)
    with pytest.raises(errors.ConvergenceError, match=r"did not converge in 2 scans"):
        fitted("work ~ x1 + x2 | person")
    monkeypatch.setattr(search, "MAX_CELLS", 10)
    with pytest.raises(lr.SupportError, match="too many for an exact conditional likelihood"):
        fitted("work ~ x1 + x2 | person")
