"""Intervals from replicates: against twins, SciPy's bootstrap, and the spread over independent replicates."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reference_exact import law_by_enumeration, std_error
from scipy import stats

from leoreturns.resample.intervals import interval_of
from leoreturns.results.interval import Interval

pytestmark = pytest.mark.filterwarnings("error")

KINDS = ("percentile", "basic", "normal", "bca", "studentised")
SAME = 1e-12  # the same formula in another order of sums


def plan(interval: str, level: float = 0.95) -> Any:
    """What the intervals read of a plan."""
    return SimpleNamespace(interval=interval, level=level)


def case(seed: int, n: int, n_replicates: int) -> dict[str, Any]:
    """Points, skewed replicates around them of which some are missing, and what BCa and studentised intervals need."""
    rng = np.random.default_rng(seed)
    point = rng.lognormal(3, 1, n)
    replicates = point[:, None] * rng.lognormal(0.02, 0.2, (n, n_replicates))
    replicates[rng.random(replicates.shape) < np.linspace(0, 0.3, n)[:, None]] = np.nan
    return {
        "point": point,
        "replicates": replicates,
        "acceleration": rng.normal(0, 0.05, n),
        "std_error": 0.2 * point,
        "replicate_errors": 0.2 * point[:, None] * rng.lognormal(0, 0.3, replicates.shape),
    }


def columns(found: Interval) -> list[np.ndarray]:
    return [found.std_error, found.low, found.high, found.error_low, found.error_high]


# ---- twins ----------------------------------------------------------------------------------------------------------


def order_error(kept: np.ndarray, rank: float) -> float:
    """Maritz-Jarrett standard error of the order statistic nearest to a rank."""
    x, n, r = np.sort(kept), len(kept), round(rank)
    weights = np.diff(stats.beta.cdf(np.arange(n + 1) / n, r, n - r + 1))
    return math.sqrt(weights @ x**2 - (weights @ x) ** 2)


def twin(kind: str, data: dict[str, Any], row: int, level: float) -> tuple[float, ...]:
    """Standard error, ends and their Monte-Carlo errors of one row whose replicates suffice."""
    point, replicates = data["point"][row], data["replicates"][row]
    known = ~np.isnan(replicates)
    kept, tail = replicates[known], (1 - level) / 2
    n, se = len(kept), np.std(kept, ddof=1)

    def quantile(x: np.ndarray, p: float) -> tuple[float, float]:
        return float(np.quantile(x, p, method="weibull")), order_error(x, (n + 1) * p)

    if kind == "normal":
        z = stats.norm.ppf(1 - tail)
        fourth = ((kept - kept.mean()) ** 4).mean()
        error = z * math.sqrt((fourth - se**4 * (n - 3) / (n - 1)) / n) / (2 * se)
        return se, point - z * se, point + z * se, error, error
    if kind == "studentised":
        scale = data["std_error"][row]
        t = (kept - point) / data["replicate_errors"][row][known]
        (q_low, e_low), (q_high, e_high) = quantile(t, tail), quantile(t, 1 - tail)
        return se, point - q_high * scale, point - q_low * scale, scale * e_high, scale * e_low
    if kind == "bca":
        a, share = data["acceleration"][row], ((kept < point).sum() + (kept <= point).sum()) / (2 * n)
        ends = []
        for p in (tail, 1 - tail):
            at = bca_level(share, a, p)
            slope = (bca_level(share + 1e-6, a, p) - bca_level(share - 1e-6, a, p)) / 2e-6
            if not 1 <= (n + 1) * at <= n:
                at, slope = min(max((n + 1) * at, 1), n) / (n + 1), 0.0
            end, error = quantile(kept, at)
            below = (kept < point) + 0.5 * (kept == point)
            more = slope**2 * below.var() - 2 * slope * (min(at, share) - at * share)
            ends.append((end, error * math.sqrt(1 + more / (at * (1 - at)))))
        return se, ends[0][0], ends[1][0], ends[0][1], ends[1][1]
    (low, e_low), (high, e_high) = quantile(kept, tail), quantile(kept, 1 - tail)
    if kind == "basic":
        return se, 2 * point - high, 2 * point - low, e_high, e_low
    return se, low, high, e_low, e_high


def bca_level(share: float, a: float, p: float) -> float:
    bias = stats.norm.ppf(share)
    moved = bias + stats.norm.ppf(p)
    return float(stats.norm.cdf(bias + moved / (1 - a * moved)))


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("n_replicates", [199, 500, 999])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_their_twins_row_by_row(kind: str, n_replicates: int, level: float) -> None:
    data = case(n_replicates, 25, n_replicates)
    found = interval_of(**data, plan=plan(kind, level))
    wanted = np.array([twin(kind, data, row, level) for row in range(25)]).T
    for got, want in zip(columns(found)[:3], wanted, strict=False):
        np.testing.assert_allclose(got, want, rtol=SAME)
    # The twin differences BCa levels numerically, and takes sums of squares less squares of sums.
    for got, want in zip(columns(found)[3:], wanted[3:], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)
    np.testing.assert_array_equal(found.n_dropped, np.isnan(data["replicates"]).sum(axis=1))
    assert found.n_dropped.dtype == np.int64


def test_ties_with_the_point_make_bca_ends_more_certain() -> None:
    data = case(3, 20, 999)
    data["replicates"][:, :400] = data["point"][:, None]
    found = interval_of(**data, plan=plan("bca"))
    wanted = np.array([twin("bca", data, row, 0.95) for row in range(20)]).T
    for got, want in zip(columns(found), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_the_ends_are_the_25th_and_the_975th_of_999_replicates() -> None:
    replicates = np.random.default_rng(1).normal(size=(40, 999))
    found = interval_of(np.zeros(40), replicates, plan("percentile"))
    ordered = np.sort(replicates, axis=1)
    np.testing.assert_array_equal(found.low, ordered[:, 24])
    np.testing.assert_array_equal(found.high, ordered[:, 974])
    # Without bias or acceleration BCa takes the same ones; the point then is the median replicate.
    same = interval_of(ordered[:, 499], replicates, plan("bca"), acceleration=np.zeros(40))
    np.testing.assert_array_equal(same.low, found.low)
    np.testing.assert_array_equal(same.high, found.high)


def test_the_error_of_an_order_statistic_is_its_spread_over_all_resamples() -> None:
    replicates = np.array([[3.0, 8.0, 1.0, 2.0, 9.0, 14.0, 5.0]])
    found = interval_of(np.array([4.0]), replicates, plan("percentile", 0.75))  # ranks 1 and 7 of 7
    assert found.error_low[0] == pytest.approx(std_error(law_by_enumeration(replicates[0], min)), rel=SAME)
    assert found.error_high[0] == pytest.approx(std_error(law_by_enumeration(replicates[0], max)), rel=SAME)
    found = interval_of(np.array([4.0]), replicates, plan("percentile", 0.5))  # ranks 2 and 6
    assert found.error_low[0] == pytest.approx(std_error(law_by_enumeration(replicates[0], lambda x: x[1])), rel=SAME)


# ---- SciPy ----------------------------------------------------------------------------------------------------------


def level_of(end: float, ordered: np.ndarray, rule: int) -> float:
    """The level whose quantile of type 6 or 7 `end` is."""
    n, ranks = len(ordered), np.arange(1, len(ordered) + 1)
    return float(np.interp(end, ordered, ranks / (n + 1) if rule == 6 else (ranks - 1) / (n - 1)))


@pytest.mark.parametrize(
    ("statistic", "values"),
    [
        (np.mean, stats.lognorm.ppf(np.arange(1, 41) / 41, 1.0)),
        (np.std, np.random.default_rng(4).gamma(2.0, size=60)),
        (np.var, np.random.default_rng(5).normal(size=35)),
    ],
)
def test_scipy_takes_quantiles_at_the_same_levels(statistic: Callable[..., Any], values: np.ndarray) -> None:
    n, point = len(values), np.array([statistic(values)])
    left_out = np.array([statistic(np.delete(values, place)) for place in range(n)])
    influence = left_out.mean() - left_out
    acceleration = np.array([(influence**3).sum() / (6 * (influence**2).sum() ** 1.5)])
    for kind, method in (("percentile", "percentile"), ("basic", "basic"), ("bca", "BCa")):
        scipy = stats.bootstrap(
            (values,), statistic, n_resamples=2499, confidence_level=0.9, method=method, random_state=7
        )
        replicates = np.sort(scipy.bootstrap_distribution)
        found = interval_of(point, replicates[None, :], plan(kind, 0.9), acceleration=acceleration)
        assert found.std_error[0] == pytest.approx(scipy.standard_error, rel=SAME)
        theirs, ours = list(scipy.confidence_interval), [found.low[0], found.high[0]]
        if kind == "basic":
            theirs, ours = [2 * point[0] - end for end in theirs], [2 * point[0] - end for end in ours]
        for end, own in zip(theirs, ours, strict=True):
            # An interpolated quantile gives its level back to the digits that its distance to the next one has.
            assert level_of(own, replicates, 6) == pytest.approx(level_of(end, replicates, 7), abs=1e-11)


# ---- Monte-Carlo errors ---------------------------------------------------------------------------------------------

INDEPENDENT = 4000  # sets of replicates: their spread is known to 1.1% (normal ends)


@pytest.mark.parametrize("acceleration", [0.0, 0.03])
@pytest.mark.parametrize("shape", ["normal", "skewed"])
@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_the_spread_of_ends_over_independent_replicates(kind: str, shape: str, acceleration: float) -> None:
    rng = np.random.default_rng(11)
    size = (INDEPENDENT, 999)
    replicates = rng.normal(size=size) if shape == "normal" else rng.lognormal(0, 0.3, size)
    centre = 0.05 if shape == "normal" else 1.02
    found = interval_of(
        np.full(INDEPENDENT, centre),
        replicates,
        plan(kind, 0.9),
        acceleration=np.full(INDEPENDENT, acceleration),
        std_error=np.full(INDEPENDENT, 2.0),
        replicate_errors=rng.lognormal(0, 0.2, size) if kind == "studentised" else np.ones((1, 1)),
    )
    for ends, errors in ((found.low, found.error_low), (found.high, found.error_high)):
        assert errors.mean() == pytest.approx(ends.std(), rel=0.1)


def test_bca_errors_allow_for_the_bias_being_estimated() -> None:
    """Without that part they would be a fifth too small here, and with a wrong sign of the covariance too large."""
    replicates = np.random.default_rng(12).normal(size=(INDEPENDENT, 999))
    bca = interval_of(np.zeros(INDEPENDENT), replicates, plan("bca"), acceleration=np.zeros(INDEPENDENT))
    fixed = interval_of(np.zeros(INDEPENDENT), replicates, plan("percentile"))
    factor = bca.low.std() / fixed.low.std()
    # With a = 0 and half of the replicates below: slope 2 phi(z) / phi(0).
    slope = 2 * stats.norm.pdf(stats.norm.ppf(0.025)) / stats.norm.pdf(0)
    formula = math.sqrt(1 + (slope**2 / 4 - slope * 0.025) / (0.025 * 0.975))
    assert formula == pytest.approx(1.2570, abs=1e-4)
    assert factor == pytest.approx(formula, rel=0.05)
    assert (bca.error_low / fixed.error_low).mean() == pytest.approx(formula, rel=0.05)


# ---- replicates that are missing, equal or too few ------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_dropped_replicates_are_as_if_never_drawn(kind: str) -> None:
    data = case(21, 6, 299)
    data["replicates"][:, ::7] = np.nan
    data["replicates"][2, 5] = np.inf
    data["replicates"][3, 6] = -np.inf
    found = interval_of(**data, plan=plan(kind))
    for row in range(6):
        kept = np.isfinite(data["replicates"][row])
        alone = interval_of(
            data["point"][[row]],
            data["replicates"][[row]][:, kept],
            plan(kind),
            acceleration=data["acceleration"][[row]],
            std_error=data["std_error"][[row]],
            replicate_errors=data["replicate_errors"][[row]][:, kept],
        )
        assert found.n_dropped[row] == (~kept).sum()
        assert alone.n_dropped[0] == 0
        for got, want in zip(columns(found), columns(alone), strict=True):
            assert got[row] == pytest.approx(want[0], rel=SAME)


@pytest.mark.parametrize("kind", KINDS)
def test_too_few_replicates_make_no_interval(kind: str) -> None:
    """(B + 1) (1 - level) / 2 is 1 at 39 replicates; a standard deviation takes two."""
    needed = 2 if kind == "normal" else 39
    rng = np.random.default_rng(22)
    kept = np.array([0, 1, 2, 38, 39, 40])
    replicates = np.where(np.arange(60) < kept[:, None], rng.normal(size=(6, 60)), np.nan)
    replicates = rng.permuted(replicates, axis=1)
    found = interval_of(
        np.zeros(6),
        replicates,
        plan(kind),
        acceleration=np.zeros(6),
        std_error=np.ones(6),
        replicate_errors=np.ones((6, 60)),
    )
    np.testing.assert_array_equal(np.isnan(found.std_error), kept < 2)
    for ends in columns(found)[1:]:
        np.testing.assert_array_equal(np.isnan(ends), kept < needed)
    np.testing.assert_array_equal(found.n_dropped, 60 - kept)
    if kind == "percentile":
        assert (found.low[4], found.high[4]) == (np.nanmin(replicates[4]), np.nanmax(replicates[4]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_point_has_nothing(kind: str) -> None:
    data = case(23, 4, 99)
    data["point"][1] = np.nan
    data["replicates"][1, 50:] = np.nan
    found = interval_of(**data, plan=plan(kind))
    for numbers in columns(found):
        np.testing.assert_array_equal(np.isnan(numbers), [False, True, False, False])
    assert found.n_dropped[1] >= 49


@pytest.mark.parametrize("kind", KINDS)
def test_equal_replicates_put_both_ends_on_the_point(kind: str) -> None:
    point = np.array([0.1, 0.0, -7.0, 5.0, 5.0])
    replicates = np.repeat(point[:, None], 199, axis=1)
    replicates[0, 10:] = np.nextafter(0.1, 1)  # weighted sums of equal values round
    replicates[3, 20:] = np.nan  # too few
    replicates[4, 0] = 6.0  # not equal
    found = interval_of(
        point,
        replicates,
        plan(kind),
        acceleration=np.array([0.0, np.nan, 0.1, 0.0, 0.0]),
        std_error=np.zeros(5),
        replicate_errors=np.zeros((5, 199)),
    )
    np.testing.assert_array_equal(found.std_error[:4], 0.0)
    assert found.std_error[4] == pytest.approx(1 / math.sqrt(199), rel=1e-2)
    for ends in (found.low, found.high):
        np.testing.assert_array_equal(ends[:3], point[:3])
    for errors in (found.error_low, found.error_high):
        np.testing.assert_array_equal(errors[:3], 0.0)
    assert found.n_dropped[3] == 179
    assert np.isnan(found.low[3]) == (kind != "normal")


def test_a_replicate_off_the_point_without_a_standard_error_is_dropped_from_t() -> None:
    data = case(24, 2, 299) | {"replicates": np.random.default_rng(24).normal(size=(2, 299))}
    errors = data["replicate_errors"]
    errors[0, :3], errors[0, 3], errors[0, 4] = 0.0, np.nan, -1.0
    data["replicates"][1, 0], errors[1, 0] = data["point"][1], 0.0  # at the point t is 0
    found = interval_of(**data, plan=plan("studentised"))
    assert found.n_dropped.tolist() == [5, 0]
    np.testing.assert_allclose(found.std_error, data["replicates"].std(axis=1, ddof=1), rtol=SAME)
    data = {name: numbers[:1] if numbers.ndim == 1 else numbers[:1, 5:] for name, numbers in data.items()}
    without = interval_of(**data, plan=plan("studentised"))
    assert (found.low[0], found.high[0]) == (without.low[0], without.high[0])


# ---- the edges of BCa -----------------------------------------------------------------------------------------------


def test_bca_beyond_what_the_replicates_tell() -> None:
    replicates = np.random.default_rng(31).normal(size=(1, 99))
    ordered = np.sort(replicates[0])

    def ends(point: float, acceleration: float) -> tuple[float, float]:
        found = interval_of(np.array([point]), replicates, plan("bca", 0.9), acceleration=np.array([acceleration]))
        for error, end in ((found.error_low, found.low), (found.error_high, found.high)):
            assert np.isnan(error[0]) == np.isnan(end[0])
        return float(found.low[0]), float(found.high[0])

    # All on one side of the point: no bias can be told.
    assert np.isnan(ends(ordered[-1] + 1, 0.0)).all()
    assert np.isnan(ends(ordered[0] - 1, 0.0)).all()
    # Levels beyond the outermost replicate take that one.
    high_bias = ends((ordered[-3] + ordered[-2]) / 2, 0.0)
    assert high_bias[0] > ordered[49] and high_bias[1] == ordered[-1]
    low_bias = ends((ordered[1] + ordered[2]) / 2, 0.0)
    assert low_bias[0] == ordered[0] and low_bias[1] < ordered[49]
    # 1 - a (z0 + z) below zero at the upper end only.
    low, high = ends(float(np.median(ordered)), 1.0)
    assert ordered[0] <= low <= ordered[-1] and math.isnan(high)
    assert np.isnan(ends(0.0, math.nan)).all()


def test_ties_with_the_point_count_half() -> None:
    replicates = np.repeat([1.0, 2.0, 3.0], [30, 40, 29])[None, :]
    found = interval_of(np.array([2.0]), replicates, plan("bca", 0.5), acceleration=np.zeros(1))
    level = bca_level((30 + 20) / 99, 0.0, 0.25)
    assert found.low[0] == np.quantile(replicates[0], level, method="weibull") == 1.0
    level = bca_level(30 / 99, 0.0, 0.75)  # had ties counted as above
    assert np.quantile(replicates[0], level, method="weibull") == 2.0
    assert found.high[0] == 3.0


# ---- all of them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_replicates_and_the_company_of_rows_change_nothing(kind: str) -> None:
    data = case(41, 30, 333)
    for numbers in data.values():
        numbers.flags.writeable = False
    found = interval_of(**data, plan=plan(kind))
    shuffled = np.random.default_rng(2).permutation(333)
    other = {name: numbers if numbers.ndim == 1 else numbers[:, shuffled] for name, numbers in data.items()}
    for got, want in zip(columns(interval_of(**other, plan=plan(kind))), columns(found), strict=True):
        assert got.tobytes() == want.tobytes()
    for row in (0, 17, 29):
        alone = interval_of(**{name: numbers[[row]] for name, numbers in data.items()}, plan=plan(kind))
        assert [part[0] for part in columns(alone)[:3]] == [part[row] for part in columns(found)[:3]]
        # Errors are summed over as many ranks as the row of the call that needs most.
        for got, want in zip(columns(alone)[3:], columns(found)[3:], strict=True):
            assert got[0] == pytest.approx(want[row], rel=SAME)


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows(kind: str) -> None:
    none = np.empty(0)
    found = interval_of(
        none, np.empty((0, 99)), plan(kind), acceleration=none, std_error=none, replicate_errors=np.empty((0, 99))
    )
    assert [len(part) for part in columns(found)] == [0] * 5


@pytest.mark.parametrize("kind", ["exact", "bca", "studentised"])
def test_what_an_interval_needs_is_asked_for(kind: str) -> None:
    data = case(51, 2, 99)
    with pytest.raises(ValueError, match=f"no '{kind}' interval"):
        interval_of(data["point"], data["replicates"], plan(kind), std_error=data["std_error"])
