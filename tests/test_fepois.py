"""fepois against dummy variables in plain NumPy, against statsmodels and pyfixest, and against published numbers."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from reference_feols import dummies
from reference_glm import BrutePoisson, counts, kept_rows, separated

import leoreturns as lr
from leoreturns import errors
from leoreturns.estimation import absorb, blocks, design, poisson

RTOL = 1e-9  # the bar against explicit dummies and other packages
FRAME = counts()
PANEL = lr.Panel.from_frame(FRAME, person="person", time="year")
PLAIN = lr.SmallSample(parameters=False, clusters=False)
EFFECTS = [
    ["person"],
    ["person", "year"],
    ["person", "place", "year"],
    ["person", "place^year"],
    ["school"],
    ["school", "year"],
    ["school^year", "place"],
]


def close(left: object, right: object, rtol: float = RTOL) -> None:
    np.testing.assert_allclose(np.asarray(left), np.asarray(right), rtol=rtol, atol=rtol * np.abs(right).max())


def fitted(formula: str, cov: lr.Covariance | None = None, data: Any = PANEL, **options: Any) -> lr.LikelihoodEstimate:
    found = lr.fepois(formula, data, cov=cov or lr.Unadjusted(), **{"ssc": PLAIN, **options})
    assert isinstance(found, lr.LikelihoodEstimate)
    return found


@pytest.mark.parametrize("weights", [None, "analytic"])
@pytest.mark.parametrize("effects", EFFECTS, ids="+".join)
def test_coefficients_and_covariances_are_those_of_dummies(effects: list[str], weights: str | None) -> None:
    frame = kept_rows(FRAME, effects)
    w = None if weights is None else frame.w.to_numpy()
    brute = BrutePoisson(frame, frame[["x1", "x2"]].to_numpy(), effects, w)
    formula = f"y ~ x1 + x2 | {' + '.join(effects)}"
    given = {} if weights is None else {"weights": lr.Weights("w", "analytic")}
    found = fitted(formula, lr.Robust("HC0"), **given)
    assert found.nobs == len(frame)
    close(found.values, brute.beta)
    close(found.covariance, brute.robust("HC0"))
    close(fitted(formula, lr.Unadjusted(), **given).covariance, brute.bread[:2, :2])
    for kind in ("HC2", "HC3"):
        close(fitted(formula, lr.Robust(kind), **given).covariance, brute.robust(kind))  # type: ignore[arg-type]
    for clusters in (["person"], ["school"], ["person", "year"]):
        expected = brute.clustered(clusters)
        if np.all(np.diag(expected) > 0):
            close(fitted(formula, lr.Clustered(*clusters), **given).covariance, expected)


@pytest.mark.parametrize("weights", [None, "analytic"])
@pytest.mark.parametrize("offset", [None, "log_exposure"])
@pytest.mark.parametrize("effects", EFFECTS, ids="+".join)
def test_effects_and_regressors_make_the_mean(
    effects: list[str], offset: str | None, weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = kept_rows(FRAME, effects)
    w = None if weights is None else frame.w.to_numpy()
    added = None if offset is None else frame[offset].to_numpy()
    brute = BrutePoisson(frame, frame[["x1", "x2"]].to_numpy(), effects, w, added)
    given = None if weights is None else lr.Weights("w", "analytic")
    formula = f"y ~ x1 + x2 | {' + '.join(effects)}"
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    for few in (256, 3):  # so that a school, too, is eliminated
        monkeypatch.setattr(design, "FEW_LEVELS", few)
        found = lr.fixed_effects(formula, PANEL, method="poisson", weights=given, offset=offset)
        close(found.params, brute.beta)
        index = frame[["x1", "x2"]].to_numpy() @ found.params.to_numpy() + (0.0 if added is None else added)
        for effect, values in found.effects.items():
            if effect == "person":
                ids = PANEL.ids.to_arrow().to_numpy()
                values = values.set_axis(ids[values.index])
            names = effect.split("^")
            labels = frame[names[0]] if len(names) == 1 else frame[names].astype(str).agg("^".join, axis=1)
            index = index + labels.map(values).to_numpy()
            assert found.counts[effect].sum() == len(frame)
        close(np.exp(index), brute.mu, 1e-8)


def test_effects_of_exposure_and_what_is_refused() -> None:
    both = [
        lr.fixed_effects("y ~ x1 | place", FRAME, method="poisson", **{name: column}).effects["place"]  # type: ignore[arg-type]
        for name, column in (("offset", "log_exposure"), ("exposure", "exposure"))
    ]
    close(both[0], both[1], 1e-10)
    with pytest.raises(lr.SupportError, match="method='poisson'"):
        lr.fixed_effects("y ~ x1 | place", FRAME, offset="log_exposure")
    with pytest.raises(ValueError, match="method is one of"):
        lr.fixed_effects("y ~ x1 | place", FRAME, method="logit")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not both"):
        lr.fixed_effects("y ~ x1 | place", FRAME, method="poisson", offset="log_exposure", exposure="exposure")


def test_every_path_to_the_effects_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    formula = "y ~ x1 + x2 | person + place^year + school^year"
    expected = fitted(formula, lr.Clustered("person"))
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 32)
    many = fitted(formula, lr.Clustered("person"))
    close(many.values, expected.values)
    monkeypatch.setattr(design, "SPARSE_FROM", 10)
    monkeypatch.setattr(absorb, "BORDER_LEVELS", 6)
    sparse = fitted(formula, lr.Clustered("person"))
    assert "conjugate gradients" in sparse.settings["path"]
    close(sparse.values, expected.values)
    close(sparse.covariance, expected.covariance)
    monkeypatch.setattr(design, "FEW_LEVELS", 3)
    monkeypatch.setattr(design, "SPARSE_FROM", 3_000)
    grouped = fitted("y ~ x1 + x2 | school", lr.Clustered("school"))
    assert grouped.settings["path"] == "school eliminated"
    monkeypatch.undo()
    close(grouped.values, fitted("y ~ x1 + x2 | school", lr.Clustered("school")).values)


@pytest.mark.parametrize(
    ("formula", "theirs", "options"),
    [
        ("y ~ x1 + x2 | person + year", "y ~ x1 + x2 + C(person) + C(year)", {}),
        ("y ~ x1 + x2 | place", "y ~ x1 + x2 + C(place)", {"offset": "log_exposure"}),
        ("y ~ x1 * x2 + C(route)", "y ~ x1 * x2 + C(route)", {"exposure": "exposure"}),
        ("y ~ x1 + x2 - 1", "y ~ x1 + x2 - 1", {"offset": "log_exposure"}),
    ],
)
def test_statsmodels_agrees(formula: str, theirs: str, options: dict[str, str]) -> None:
    frame = kept_rows(FRAME, ["person"] if "person" in formula else [])
    given = {name: frame[column] for name, column in options.items()}
    expected = smf.glm(theirs, frame, family=sm.families.Poisson(), **given).fit(tol=1e-14, maxiter=200)
    clustered = smf.glm(theirs, frame, family=sm.families.Poisson(), **given).fit(
        tol=1e-14, maxiter=200, cov_type="cluster", cov_kwds={"groups": frame.school, "use_correction": False}
    )
    found = fitted(formula, lr.Unadjusted(), frame, person="person", **options)
    rename = {
        name: name.replace("::", "[T.").replace("route", "C(route)") + "]" for name in found.names if "::" in name
    }
    names = [rename.get(name, name) for name in found.names]
    close(found.values, expected.params[names])
    close(found.std_errors, expected.bse[names])
    again = fitted(formula, lr.Clustered("school"), frame, person="person", **options)
    close(again.std_errors, clustered.bse[names])
    close(found.loglik, expected.llf)
    close(found.deviance, expected.deviance)
    if "- 1" not in formula:
        close(found.fit["null_deviance"], expected.null_deviance)
        close(found.fit["null_loglik"], expected.llnull)
        close(found.pseudo_r2, 1 - expected.llf / expected.llnull)
    assert found.n_parameters == len(expected.params)
    close(found.aic, expected.aic)
    close(found.bic, np.log(len(frame)) * len(expected.params) - 2 * expected.llf)


def test_pyfixest_agrees_with_its_defaults() -> None:
    pyfixest = pytest.importorskip("pyfixest", reason="pyfixest is not installed")
    vcovs: list[tuple[Any, lr.Covariance]] = [
        ("iid", lr.Unadjusted()),
        ("hetero", lr.Robust("HC1")),
        ({"CRV1": "person"}, lr.Clustered("person")),
        ({"CRV1": "school"}, lr.Clustered("school")),
        ({"CRV1": "person+year"}, lr.Clustered("person", "year")),
    ]
    data = counts(300)
    for effects in ("", " | person", " | person + year", " | person + place + year", " | school^year"):
        for vcov, cov in vcovs:
            expected = pyfixest.fepois(f"y ~ x1 + x2{effects}", data, vcov=vcov, iwls_tol=1e-14, fixef_tol=1e-13)
            found = fitted(f"y ~ x1 + x2{effects}", cov, data, person="person", ssc=None)
            names = list(found.names)
            assert found.nobs == expected._N
            np.testing.assert_allclose(found.params, expected.coef()[names], rtol=1e-9)
            np.testing.assert_allclose(found.std_errors, expected.se()[names], rtol=1e-8)
            np.testing.assert_allclose(found.pvalues, expected.pvalue()[names], rtol=1e-6, atol=1e-15)
            np.testing.assert_allclose(found.deviance, expected.deviance, rtol=1e-10)


def test_ship_accidents() -> None:
    """Incidents per service month by ship type (McCullagh and Nelder 1989, 6.3.2), as rate ratios with fixed effects.

    Stata's manual prints 1.468831 (.1737218), 2.008003 (.3004803), 2.26693 (.384865) and 1.573695 (.3669393).
    """
    incidents = {
        "A": [(127, 0), (63, 0), (1095, 3), (1095, 4), (1512, 6), (3353, 18), None, (2244, 11)],
        "B": [(44882, 39), (17176, 29), (28609, 58), (20370, 53), (7064, 12), (13099, 44), None, (7117, 18)],
        "C": [(1179, 1), (552, 1), (781, 0), (676, 1), (783, 6), (1948, 2), None, (274, 1)],
        "D": [(251, 0), (105, 0), (288, 0), (192, 0), (349, 2), (1208, 11), None, (2051, 4)],
        "E": [(45, 0), None, (789, 7), (437, 7), (1157, 5), (2161, 12), None, (542, 1)],
    }
    rows = [
        (ship, 60 + 5 * (at // 2), at % 2, *entry)
        for ship, entries in incidents.items()
        for at, entry in enumerate(entries)
        if entry is not None
    ]
    frame = pd.DataFrame(rows, columns=["ship", "built", "later", "service", "accident"])
    found = fitted("accident ~ later + C(built) | ship", data=frame, person="ship", exposure="service")
    np.testing.assert_allclose(np.exp(found.values), [1.468831, 2.008003, 2.26693, 1.573695], atol=6e-7)
    errors = np.exp(found.values) * found.std_errors
    np.testing.assert_allclose(errors, [0.1737218, 0.3004803, 0.384865, 0.3669393], atol=6e-7)


def test_nothing_is_left_of_one_positive_row() -> None:
    frame = FRAME.assign(once=0.0)
    frame.loc[frame["x1"].idxmax(), "once"] = 5.0
    with pytest.raises(lr.SupportError, match="no row is left of the outcome 'once'"):
        lr.fepois("once ~ x1 | person", frame, cov=lr.Robust(), person="person")


def test_exposure_matters_on_the_sample_alone() -> None:
    frame = FRAME.assign(exposure=FRAME.exposure.where(FRAME.year > FRAME.year.min(), 0.0))
    found = fitted("y ~ x1", data=frame, exposure="exposure", where=f"year > {frame.year.min()}", person="person")
    later = frame[frame.exposure > 0]
    close(found.params, fitted("y ~ x1", data=later, exposure="exposure", person="person").params)


def test_frequency_weights_stand_for_rows() -> None:
    # Repeated rows are not alone: both samples are those without rows that were alone before.
    frame = kept_rows(FRAME, ["person", "place"])
    twice = frame.loc[frame.index.repeat(frame.w.astype(int))]
    for cov in (lr.Unadjusted(), lr.Robust("HC3"), lr.Clustered("school")):
        found = fitted("y ~ x1 + x2 | person + place", cov, weights=lr.Weights("w", "frequency"), ssc=None)
        expected = fitted("y ~ x1 + x2 | person + place", cov, twice, person="person", ssc=None)
        close(found.values, expected.values)
        close(found.covariance, expected.covariance)
        assert found.nobs == expected.nobs
        close([found.loglik, found.deviance, found.bic], [expected.loglik, expected.deviance, expected.bic])


@pytest.mark.parametrize("seed", range(12))
def test_separated_rows_are_those_of_a_linear_program(seed: int) -> None:
    draw = np.random.default_rng(seed)
    frame = counts(40, seed)
    frame["y"] *= draw.random(len(frame)) < 0.7
    frame["rare"] = (draw.random(len(frame)) < 0.06) * 1.0
    frame["mixed"] = frame.rare * frame.x1
    frame["pushed"] = np.where(frame.y > 0, 0.0, np.abs(frame.x1)) if seed % 3 == 0 else frame.x1**2
    frame.loc[(frame.rare > 0) & (draw.random(len(frame)) < 0.95), "y"] = 0.0
    for names, effects in (
        (["x1", "rare", "mixed"], ["person"]),
        (["x1", "rare"], ["person", "place^year"]),
        (["x1", "rare", "pushed"], []),
        (["x1", "pushed"], ["place"]),
        (["x1", "rare"], ["person", "place^year", "school^year"]),
    ):
        expected = kept_rows(frame, effects)
        while True:
            columns = [expected[names].to_numpy(), np.ones((len(expected), 1)), dummies(expected, effects)]
            lost = separated(expected.y.to_numpy(), np.column_stack(columns))
            if not lost.any():
                break
            expected = kept_rows(expected[~lost], effects)
        right = " | " + " + ".join(effects) if effects else ""
        found = fitted(f"y ~ {' + '.join(names)}{right}", data=frame, person="person")
        assert found.nobs == len(expected)
        assert found.flow.steps[-1].rows == found.nobs
        assert found.settings["scans"] < 40


def test_a_separated_row_has_no_say_and_is_counted_by_reason() -> None:
    frame = FRAME.copy()
    frame.loc[frame.person < 3, "y"] = 0.0
    frame["dummy"] = ((frame.y == 0) & (frame.x2 > 200.3)) * 1.0
    assert frame.dummy.sum() > 3
    found = fitted("y ~ x1 + dummy | person", data=frame, person="person")
    alone = fitted("y ~ x1 | person", data=frame[frame.dummy == 0], person="person")
    assert found.names == ("x1",)
    assert found.dropped == {"dummy": "absorbed by the effects"}
    close(found.values, alone.values)
    steps = found.flow.to_frame().set_index("step").rows_removed
    zero = frame.groupby("person").y.transform("sum") == 0
    assert steps["person with an outcome above zero"] == zero.sum() > 0
    assert steps["not separated from the positive outcomes"] == (frame.dummy[~zero] == 1).sum()


def test_pyfixest_finds_the_same_separated_rows() -> None:
    pyfixest = pytest.importorskip("pyfixest", reason="pyfixest is not installed")
    frame = counts(80)
    frame["dummy"] = ((frame.y == 0) & (frame.x1 > 0.7)) * 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pyfixest.fepois("y ~ x1 + dummy | school", frame, separation_check=["fe", "ir"], iwls_tol=1e-14)
    found = fitted("y ~ x1 + dummy | school", lr.Unadjusted(), frame, person="person", ssc=None)
    assert found.nobs == expected._N
    close(found.params["x1"], expected.coef()["x1"], 1e-8)


def test_scales_and_levels_cost_no_digits() -> None:
    expected = fitted("y ~ x1 + x2 | person + year", lr.Clustered("person"))
    draw = np.random.default_rng(0)
    factor = np.exp(draw.uniform(-30, 30, FRAME.person.max() + 1))[FRAME.person]
    frame = FRAME.assign(y=FRAME.y * 1e9, x1=FRAME.x1 * 1e-6 + 10, x2=FRAME.x2 * 1e6)
    scaled = fitted("y ~ x1 + x2 | person + year", lr.Clustered("person"), frame, person="person")
    close(scaled.values * [1e-6, 1e6], expected.values, 1e-8)
    close(scaled.std_errors * [1e-6, 1e6], expected.std_errors, 1e-8)
    # Persons 26 orders of magnitude apart weigh by their means, and still tell the same of their own.
    apart = fitted("y ~ x1 + x2 | person", data=FRAME.assign(y=FRAME.y * factor), person="person")
    rich = FRAME[FRAME.person == FRAME.person[np.argmax(FRAME.y * factor)]]
    assert np.isfinite(apart.values).all()
    assert len(rich) > 1


def test_steep_slopes_are_found() -> None:
    draw = np.random.default_rng(4)
    n = 300
    frame = pd.DataFrame({"person": np.arange(n) // 5, "x": draw.uniform(0, 1, n) * 60})
    frame["y"] = np.exp(0.9 * frame.x + draw.normal(size=n))
    found = fitted("y ~ x | person", data=frame, person="person")
    brute = BrutePoisson(frame, frame[["x"]].to_numpy(), ["person"])
    close(found.values, brute.beta, 1e-8)


def test_the_truth_is_found_where_logs_miss_it() -> None:
    """A spread that depends on the regressor biases logs, not levels (Santos Silva and Tenreyro 2006)."""
    draw = np.random.default_rng(11)
    n, years = 4_000, 8
    person = np.repeat(np.arange(n), years)
    x = draw.normal(size=n * years) + np.repeat(draw.normal(size=n), years) / 2
    spread = np.exp(x / 3)
    noise = np.exp(spread * draw.normal(size=len(x)) - spread**2 / 2)
    frame = pd.DataFrame(
        {"person": person, "x": x, "y": np.exp(0.3 * x + np.repeat(draw.normal(size=n), years)) * noise}
    )
    found = fitted("y ~ x | person", lr.Clustered("person"), frame, person="person")
    assert abs(found.params["x"] - 0.3) < 3 * found.std_errors["x"] < 0.2
    frame["log_y"] = np.log(frame.y)
    logs = lr.feols("log_y ~ x | person", frame, cov=lr.Clustered("person"), person="person")
    assert isinstance(logs, lr.Estimate)
    assert abs(logs.params["x"] - 0.3) > 10 * logs.std_errors["x"]


def test_refits_are_one_newton_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    frame = kept_rows(FRAME, ["person", "place"])
    brute = BrutePoisson(frame, frame[["x1", "x2"]].to_numpy(), ["person", "place"])
    found = fitted("y ~ x1 + x2 | person + place", lr.Jackknifed("school"), ssc=None)
    schools = frame.school.unique()
    apart = np.array([brute.step_without((frame.school != one).to_numpy()) - brute.beta for one in schools])
    close(found.covariance, (len(schools) - 1) / len(schools) * apart.T @ apart, 1e-8)
    assert found.settings["refits"] == "one Newton step each"
    assert found.cov_name == "jackknifed by school (CRV3), one Newton step each"
    assert "one Newton step each" in found.summary() and "one Newton step each" in lr.table(found).to_text()
    assert found.df_tests == len(schools) - 1
    plan = lr.BootstrapPlan(400, unit="school", seed=8, interval="normal")
    drawn = fitted("y ~ x1 + x2 | person + place", lr.Resampled(plan))
    np.testing.assert_allclose(drawn.std_errors, found.std_errors, rtol=0.6)


@pytest.mark.parametrize("effects", [["person"], ["school"]])
def test_evidence_counts_persons_by_the_weights_of_the_step(effects: list[str]) -> None:
    frame = kept_rows(FRAME, effects)
    frame["one"] = (frame.person == frame.person.iloc[0]) * (frame.year > 2010) * 1.0
    brute = BrutePoisson(frame, frame[["x1", "one"]].to_numpy(), effects)
    rows = brute.full * brute.root[:, None]
    found = fitted(f"y ~ x1 + one | {effects[0]}", data=frame, person="person").evidence.to_frame()
    for at, name in enumerate(["x1", "one"]):
        others = np.delete(rows, at, 1)
        left = rows[:, at] - others @ np.linalg.lstsq(others, rows[:, at], rcond=1e-12)[0]
        shares = pd.Series(left**2, frame.index).groupby(frame.person).sum() / (left @ left)
        close(found.effective_persons[name], 1 / (shares**2).sum(), 1e-8)
        close(found.largest_share[name], shares.max(), 1e-8)
    assert found.persons_off_mode["one"] == 1
    assert found.effective_persons["one"] < 1.1


def bits(found: object) -> bytes:
    assert isinstance(found, lr.LikelihoodEstimate)
    return found.values.tobytes() + found.covariance.tobytes() + np.float64(found.deviance).tobytes()


@pytest.mark.parametrize(
    "formula", ["y ~ x1 + C(route) | person + year + place", "y ~ x1 + C(route)", "y ~ x1 + x2 | school^year + place"]
)
def test_threads_rows_and_storage_change_no_bit(formula: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    frame = counts(200, missing=True)
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    expected = bits(fitted(formula, lr.Clustered("person"), panel, n_jobs=1))
    for n_jobs in (2, 3):
        assert bits(fitted(formula, lr.Clustered("person"), panel, n_jobs=n_jobs)) == expected
    shuffled = lr.Panel.from_frame(frame.sample(frac=1, random_state=3), person="person", time="year")
    assert bits(fitted(formula, lr.Clustered("person"), shuffled)) == expected
    panel.save(tmp_path / "stored", partitions=5)
    assert bits(fitted(formula, lr.Clustered("person"), lr.Panel.open(tmp_path / "stored"))) == expected


def test_a_result_reads_as_the_field_prints_it() -> None:
    found = fitted("y ~ x1 + x2 | person + year", lr.Clustered("person"), offset="log_exposure")
    text = found.summary()
    assert text.startswith("Poisson: y ~ x1 + x2 | person + year")
    assert "pseudo R2" in text and "RMSE" not in text
    percent = found.percent()
    close(percent.percent, 100 * np.expm1(found.params))
    close(percent.std_error, 100 * np.exp(found.params) * found.std_errors)
    assert found.df_tests == np.inf
    assert found.settings["offset"] == "log_exposure"
    wald = found.wald()
    statistic = found.values @ np.linalg.solve(found.covariance, found.values)
    close(wald.statistic, statistic / 2)
    assert 0 < wald.pvalue < 1
    assert np.isnan([found.r2, found.r2_within, found.r2_adjusted, found.rmse]).all()
    assert bits(pickle.loads(pickle.dumps(found))) == bits(found)


def test_several_regressions_and_parts() -> None:
    found = lr.fepois("y ~ csw(x1, x2) | sw(person, person + year)", PANEL, cov=lr.Clustered("person"), split="route")
    assert isinstance(found, lr.Estimates)
    assert len(found) == 12
    one = lr.fepois("y ~ x1 + x2 | person + year", PANEL, cov=lr.Clustered("person"), where="route == 'none'")
    assert bits(found["route=none: y ~ x1 + x2 | person + year"]) == bits(one)


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("x1 ~ x2 | person", {}, r"'x1' is below zero in [\d,]+ rows"),
        ("none ~ x2 | person", {}, r"'none' is zero in all [\d,]+ rows"),
        ("y ~ x1 | person | x2 ~ w", {}, "no instruments"),
        (
            "y ~ x1 | person",
            {"cov": lr.WildCluster("school", 99, seed=1, params=["x1"])},
            "WildCluster is a method for least squares",
        ),
        ("y ~ x1 | person", {"exposure": "x1"}, r"exposure 'x1' is not above zero in [\d,]+ rows"),
        (
            "y ~ x1 | person",
            {"cov": lr.Unadjusted(), "weights": lr.Weights("w", "probability")},
            "probability weights have no unadjusted covariance",
        ),
    ],
)
def test_what_is_refused(formula: str, options: dict[str, Any], message: str) -> None:
    frame = FRAME.assign(none=0.0)
    with pytest.raises(lr.SupportError, match=message):
        lr.fepois(formula, frame, **{"cov": lr.Robust(), "person": "person", **options})
    with pytest.raises(ValueError, match="not both"):
        lr.fepois("y ~ x1", frame, cov=lr.Robust(), offset="x1", exposure="w")


def test_a_search_that_does_not_rest_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poisson, "STEPS", 2)
    with pytest.raises(
        errors.ConvergenceError, match=r"'y' on 2 regressors and [\d,]+ rows did not converge in 2 scans"
    ):
        fitted("y ~ x1 + x2 | person + year")
