"""Matching on a score: the kernels against brute force, and published effects with their errors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from matching_cases import births, pupils
from scipy.optimize import linear_sum_assignment

import leoreturns as lr
from leoreturns._core import neighbours, pairing

# Stata's teffects psmatch on the birth weights of Cattaneo (2010).
PSMATCH, ERROR_2006, ERROR_2016 = -210.96834, 32.12347, 32.02100


# ---- kernels --------------------------------------------------------------------------------------------------------


def scores_of(draw: np.random.Generator, n: int, whole: bool) -> np.ndarray:
    return np.sort(draw.integers(0, 9, n).astype(float) if whole else draw.normal(size=n))


def strata_of(draw: np.random.Generator, whole: bool, least: int = 0) -> tuple[np.ndarray, ...]:
    """Scores and offsets of focal units and of donors in four strata."""
    focus, pool = [], []
    for _ in range(4):
        n = int(draw.integers(0, 6))
        focus.append(scores_of(draw, n, whole))
        pool.append(scores_of(draw, int(draw.integers(least * n, least * n + 9)), whole))
    ends = [np.concatenate([[0], np.cumsum([len(part) for part in parts])]) for parts in (focus, pool)]
    return np.concatenate(focus), ends[0], np.concatenate(pool), ends[1]


def test_sorting_keeps_the_order_of_equals_within_strata() -> None:
    draw = np.random.default_rng(1)
    scores, ends = draw.integers(-3, 3, 200) / 4, np.array([0, 0, 50, 51, 200])
    members = draw.permutation(200)
    strata = np.repeat(np.arange(4), np.diff(ends))
    wanted = np.lexsort((np.arange(200), scores, strata))
    found, moved = scores + 0.0, members.copy()
    neighbours.sort(found, moved, ends, 0, 4, np.empty((2, 149), dtype=np.uint64), np.empty((2, 149)))
    np.testing.assert_array_equal(found, scores[wanted])
    np.testing.assert_array_equal(moved, members[wanted])
    with pytest.raises(ValueError, match="room too short"):
        neighbours.sort(found, moved, ends, 0, 4, np.empty((2, 9), dtype=np.uint64), np.empty((2, 9)))


@pytest.mark.parametrize("single", [False, True])
def test_equal_scores_of_a_stratum_are_one_point(single: bool) -> None:
    scores = np.array([1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0])
    ends = np.array([0, 3, 3, 6, 7])
    of_member, firsts, offsets = np.empty(7, dtype=np.int64), np.empty(7, dtype=np.int64), np.empty(5, dtype=np.int64)
    count = neighbours.points(scores, ends, single, of_member, firsts, offsets)
    if single:
        assert count == 7
        np.testing.assert_array_equal(of_member, np.arange(7))
        np.testing.assert_array_equal(firsts, np.arange(7))
        np.testing.assert_array_equal(offsets, ends)
    else:
        assert count == 5
        np.testing.assert_array_equal(of_member, [0, 0, 1, 2, 2, 3, 4])
        np.testing.assert_array_equal(firsts[:5], [0, 2, 3, 5, 6])
        np.testing.assert_array_equal(offsets, [0, 2, 2, 4, 5])
    with pytest.raises(ValueError, match="differ in length"):
        neighbours.points(scores[1:], ends, single, of_member, firsts, offsets)
    with pytest.raises(ValueError, match="outputs differ"):
        neighbours.points(scores, ends, single, of_member[1:], firsts, offsets)
    with pytest.raises(ValueError, match="follow each other"):
        neighbours.points(scores, np.array([0, 6, 3, 6, 7]), single, of_member, firsts, offsets)


@pytest.mark.parametrize("seed", range(60))
def test_windows_are_the_nearest(seed: int) -> None:
    draw = np.random.default_rng(seed)
    focus, starts, pool, ends = strata_of(draw, whole=bool(seed % 2))
    keys = draw.permutation(len(pool)).astype(np.uint64)
    k, caliper, ties = int(draw.integers(1, 4)), [np.inf, 1.5][seed % 3 == 0], seed % 4 < 2
    counts = np.ones(len(pool), dtype=np.int64)
    first, last = np.full(len(focus), -9), np.full(len(focus), -9)
    neighbours.nearest(focus, starts, pool, ends, counts, keys, k, caliper, ties, 0, 4, first, last)
    for s in range(4):
        donors = pool[ends[s] : ends[s + 1]]
        for i in range(starts[s], starts[s + 1]):
            distance = np.abs(donors - focus[i])
            order = np.sort(distance[distance <= caliper])
            found = distance[first[i] - ends[s] : last[i] - ends[s]]
            wanted = order[order <= order[k - 1]] if ties and len(order) > k else order[:k]
            np.testing.assert_array_equal(np.sort(found), wanted)


@pytest.mark.parametrize("closest", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_greedy_matches_are_those_of_a_search_over_all_pairs(seed: int, closest: bool) -> None:
    draw = np.random.default_rng(seed)
    focus, starts, pool, ends = strata_of(draw, whole=bool(seed % 2))
    keys = np.arange(len(pool)).astype(np.uint64)
    k, caliper = int(draw.integers(1, 3)), [np.inf, 1.5][seed % 3 == 0]
    order = np.concatenate([draw.permutation(n) for n in np.diff(starts)]).astype(np.int64)
    links = np.empty((2, len(pool) + 4), dtype=np.int64)
    out = np.full((len(focus), k), -9)
    neighbours.without_replacement(
        focus, starts, order, pool, ends, keys, caliper, closest, 0, 4, links, np.empty((2, len(focus))), out
    )
    wanted = np.full((len(focus), k), -1)
    for s in range(4):
        free = list(range(ends[s], ends[s + 1]))
        for place in range(k):
            waiting = [starts[s] + at for at in order[starts[s] : starts[s + 1]]]
            while waiting and free:
                # The nearest free donor of each; of donors equally near the one below, and of those the last.
                options = [(min(abs(pool[c] - focus[i]) for c in free), turn, i) for turn, i in enumerate(waiting)]
                distance, _, i = min(options) if closest else options[0]
                waiting.remove(i)
                if distance > caliper:
                    continue
                near = [c for c in free if abs(pool[c] - focus[i]) == distance]
                below = [c for c in near if pool[c] < focus[i]]
                wanted[i, place] = max(below) if below else min(near)
                free.remove(wanted[i, place])
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("seed", range(60))
def test_optimal_pairs_cost_what_the_assignment_problem_says(seed: int, k: int) -> None:
    draw = np.random.default_rng(seed)
    focus, starts, pool, ends = strata_of(draw, whole=bool(seed % 2), least=k)
    out = np.empty((len(focus), k), dtype=np.int64)
    room = np.empty((4, 4 * (len(focus) + len(pool)) + 2))
    pairing.pair(focus, starts, pool, ends, 0, 4, np.empty(len(pool), dtype=np.int64), room, out)
    assert len(np.unique(out)) == out.size
    for s in range(4):
        own = slice(starts[s], starts[s + 1])
        assert ((out[own] >= ends[s]) & (out[own] < ends[s + 1])).all()
        cost = np.abs(np.repeat(focus[own], k)[:, None] - pool[ends[s] : ends[s + 1]])
        least = cost[linear_sum_assignment(cost)].sum() if cost.size else 0.0
        assert np.abs(focus[own, None] - pool[out[own]]).sum() == pytest.approx(least, abs=1e-9)


def test_kernels_refuse_what_does_not_fit() -> None:
    one, ends, keys = np.zeros(1), np.array([0, 1]), np.zeros(1, dtype=np.uint64)
    place, counts = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
    with pytest.raises(ValueError, match="must be positive"):
        neighbours.nearest(one, ends, one, ends, counts, keys, 0, 1.0, True, 0, 1, place, place.copy())
    with pytest.raises(ValueError, match="differ in length"):
        neighbours.nearest(one, ends, one, np.array([0, 2]), counts, keys, 1, 1.0, True, 0, 1, place, place.copy())
    links, room, out = np.empty((2, 2), dtype=np.int64), np.empty((2, 0)), np.empty((1, 1), dtype=np.int64)
    with pytest.raises(ValueError, match="that its stratum does not have"):
        neighbours.without_replacement(one, ends, counts, one, ends, keys, 1.0, False, 0, 1, links, room, out)
    with pytest.raises(ValueError, match="room too short"):
        neighbours.without_replacement(one, ends, place, one, ends, keys, 1.0, True, 0, 1, links, room, out)
    with pytest.raises(ValueError, match="too few donors"):
        pairing.pair(one, ends, one, ends, 0, 1, place, np.empty((4, 20)), np.empty((1, 2), dtype=np.int64))
    with pytest.raises(ValueError, match="finite and ascending"):
        falling, donors, both = np.array([2.0, 0.0]), np.zeros(3), np.array([0, 2])
        began, out = np.zeros(3, dtype=np.int64), np.empty((2, 1), dtype=np.int64)
        pairing.pair(falling, both, donors, np.array([0, 3]), 0, 1, began, np.empty((4, 30)), out)


@pytest.mark.parametrize(
    "keywords",
    [
        {"distance": "logit"},
        {"distance": "linear_probit", "ratio": 2, "ties": False},
        {"replace": False, "caliper": 0.2, "order": "closest"},
        {"replace": False, "method": "optimal", "exact": ("region",), "estimand": "ATC"},
    ],
)
def test_matches_do_not_depend_on_the_order_of_the_rows_or_threads(keywords: dict[str, object]) -> None:
    frame = pupils(2_000, 1, whole=True).assign(year=2018)
    keywords = {"estimand": "ATT", **keywords}
    cov = lr.Clustered("pair") if keywords.get("replace") is False else lr.AbadieImbens()
    found = []
    for data, n_jobs in ((frame, 1), (frame.sample(frac=1, random_state=2), 2)):
        panel = lr.Panel.from_frame(data, person="person", time="year")
        matched = lr.match("route", "points + region", panel, n_jobs=n_jobs, **keywords)
        found.append((matched.weights.tobytes(), matched.effect("pay", cov=cov).values.tobytes()))
    assert found[0] == found[1]


# ---- effects --------------------------------------------------------------------------------------------------------


def test_stata_prints_the_same() -> None:
    found = lr.match("mbsmoke_", "mmarried_ + mage + I(mage**2) + fbaby_ + medu", births(), estimand="ATE", person="id")
    new = found.effect("bweight", cov=lr.AbadieImbens())
    old = found.effect("bweight", cov=lr.AbadieImbens(estimated=False))
    assert new.params["1 v 0"] == pytest.approx(PSMATCH, abs=5e-6)
    assert old.std_errors["1 v 0"] == pytest.approx(ERROR_2006, abs=5e-6)
    assert new.std_errors["1 v 0"] == pytest.approx(ERROR_2016, abs=5e-6)


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_effects_and_errors_are_those_of_the_definition(estimand: str) -> None:
    """Abadie and Imbens (2006) unit by unit, ties kept, in exact strata, with the bias taken out."""
    frame = pupils(300, 5, whole=True)
    found = lr.match(
        "route", "points", frame, estimand=estimand, distance="column", exact=["region"], ratio=2, person="person"
    )
    result = found.effect("pay", cov=lr.AbadieImbens(3), adjust="points")
    y, x = frame["pay"].to_numpy(), frame["points"].to_numpy()
    arm = (frame["route"] == "vocational").to_numpy().astype(int)
    region = frame["region"].to_numpy()
    focal = {"ATT": arm == 1, "ATC": arm == 0, "ATE": arm >= 0}[estimand]

    def near(i: int, of: int, k: int) -> np.ndarray:
        pool = np.flatnonzero((arm == of) & (region == region[i]))
        distance = np.abs(x[pool] - x[i])
        return pool[distance <= np.sort(distance)[min(k, len(pool)) - 1]]

    matches = {i: near(i, 1 - arm[i], 2) for i in np.flatnonzero(focal)}
    received, squared = np.zeros(300), np.zeros(300)
    for own in matches.values():
        received[own] += 1 / len(own)
        squared[own] += 1 / len(own) ** 2
    line = {a: np.polyfit(x[arm == a], y[arm == a], 1, w=np.sqrt(received[arm == a])) for a in set(1 - arm[focal])}
    gaps = {
        i: (y[i] - np.polyval(line[1 - arm[i]], x[i]) - np.mean(y[own] - np.polyval(line[1 - arm[i]], x[own])))
        * (1 if arm[i] else -1)
        for i, own in matches.items()
    }
    effect = np.mean(list(gaps.values()))
    total = sum((gap - effect) ** 2 for gap in gaps.values())
    for i in range(300):
        factor = received[i] ** 2 - squared[i] + 2 * received[i] * focal.all()
        if factor:
            total += factor * y[near(i, arm[i], 3)].var(ddof=1)
    assert result.params.iloc[0] == pytest.approx(effect, rel=1e-10)
    assert result.std_errors.iloc[0] == pytest.approx(np.sqrt(total) / focal.sum(), rel=1e-10)


def test_pairs_give_the_paired_error() -> None:
    frame = pupils(400, 7)
    found = lr.match(
        "route", "points", frame, estimand="ATT", replace=False, distance="column", caliper=0.3, person="person"
    )
    result = found.effect("pay", cov=lr.Clustered("pair"))
    pairs = np.flatnonzero(found.pairs[:, 0] >= 0)
    y = frame["pay"].to_numpy()[found.candidates.units.rows]
    own = found.candidates
    y = own.variables.panel.array("pay")[own.units.rows]
    gaps = y[pairs] - y[found.pairs[pairs, 0]]
    assert result.params["vocational v academic"] == pytest.approx(gaps.mean(), rel=1e-12)
    assert result.std_errors.iloc[0] == pytest.approx(gaps.std(ddof=1) / np.sqrt(len(gaps)), rel=1e-12)
    np.testing.assert_allclose(found.differences("pay"), gaps)
    both = found.effect("pay", cov=lr.Clustered("pair", "school"))
    assert both.n_clusters == {"pair": len(pairs), "school": 12}
    assert result.evidence.effective_persons[1] == pytest.approx(len(pairs))


def test_means_over_few_persons_have_few_behind_them() -> None:
    """Three treated persons whose ties take many controls: the mean of these is one over three persons all the same."""
    frame = pupils(400, 3, whole=True)
    treated = frame["route"] == "vocational"
    frame = frame[~treated | (treated.cumsum() <= 3)]
    found = lr.match("route", "points", frame, estimand="ATT", distance="column", person="person")
    assert found.counts["academic"]["matched"] > 20
    result = found.effect("pay", cov=lr.AbadieImbens())
    assert result.evidence.persons_off_mode.tolist() == [3, 3, 3]
    assert "vocational <10" in result.summary() or "fewer than" in result.summary()


def test_exact_matching_is_a_table_of_cells() -> None:
    frame = pupils(500, 3, whole=True)
    found = lr.match("route", ["points", "region"], frame, estimand="ATT", method="exact", person="person")
    means = frame.groupby(["points", "region", "route"])["pay"].mean().unstack().dropna()
    sizes = frame[frame["route"] == "vocational"].groupby(["points", "region"]).size().reindex(means.index)
    wanted = ((means["vocational"] - means["academic"]) * sizes).sum() / sizes.sum()
    result = found.effect("pay", cov=lr.Robust("HC1"))
    assert result.params.iloc[0] == pytest.approx(wanted, rel=1e-12)
    assert found.balance().largest == pytest.approx(0.0, abs=1e-12)


def test_balance_is_that_of_the_weighted_arms() -> None:
    frame = pupils(400, 11)
    found = lr.match("route", "points + region", frame, estimand="ATT", person="person")
    table = found.balance().to_frame()
    treated = frame["route"] == "vocational"
    x = frame["points"]
    gap = (x[treated].mean() - x[~treated].mean()) / x[treated].std()
    assert table.loc["points", ("before", "smd")] == pytest.approx(gap, rel=1e-12)
    ratio = x[treated].var(ddof=0) / x[~treated].var(ddof=0)
    assert table.loc["points", ("before", "variance_ratio")] == pytest.approx(ratio, rel=1e-12)
    grid = np.unique(x)
    steps = np.abs([(x[treated] <= at).mean() - (x[~treated] <= at).mean() for at in grid])
    assert table.loc["points", ("before", "ecdf_max")] == pytest.approx(steps.max(), rel=1e-12)
    assert table.loc["points", ("before", "ecdf_mean")] == pytest.approx(steps.mean(), rel=1e-12)
    assert abs(table.loc["points", ("after", "smd")]) < 0.1 * gap


# ---- inside objects and errors --------------------------------------------------------------------------------------


def test_a_match_stays_inside() -> None:
    found = lr.match("route", "points", pupils(300, 2), estimand="ATT", person="person")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(found)
    counts = found.counts
    assert counts["vocational"]["matched"] == counts["vocational"]["persons"]
    assert f"{counts['academic']['matched']:,} of {counts['academic']['persons']:,}" in repr(found)


def test_bad_input_is_refused() -> None:
    frame = pupils(200, 4)
    keywords = {"estimand": "ATT", "person": "person"}
    with pytest.raises(ValueError, match="estimand is one of"):
        lr.match("route", "points", frame, estimand="ATO", person="person")
    with pytest.raises(lr.SupportError, match="without replacement and without a caliper"):
        lr.match("route", "points", frame, method="optimal", **keywords)
    with pytest.raises(lr.SupportError, match="one arm: estimand"):
        lr.match("route", "points", frame, estimand="ATE", replace=False, person="person")
    with pytest.raises(lr.SupportError, match="compares two arms"):
        lr.match("region", "points", frame, **keywords)
    with pytest.raises(lr.SupportError, match="one numeric column"):
        lr.match("route", "points + region", frame, distance="column", **keywords)
    with pytest.raises(lr.SupportError, match="fewer than 3 units"):
        lr.match("route", "points", frame, method="optimal", replace=False, ratio=3, estimand="ATC", person="person")
    with pytest.raises(ValueError, match="ratio is a positive"):
        lr.match("route", "points", frame, ratio=0, **keywords)
    with pytest.raises(ValueError, match="caliper is a positive"):
        lr.match("route", "points", frame, caliper=0.0, **keywords)
    found = lr.match("route", "points", frame.assign(pay=frame["pay"].where(frame.index > 3)), **keywords)
    with pytest.raises(lr.SupportError, match="missing for 4 of 200 persons"):
        found.effect("pay", cov=lr.AbadieImbens())
    found = lr.match("route", "points", frame, **keywords)
    with pytest.raises(lr.SupportError, match="Abadie and Imbens 2008"):
        found.effect("pay", cov=lr.Clustered("pair"))
    with pytest.raises(lr.SupportError, match="replace=False"):
        found.differences("pay")
    pairs = lr.match("route", "points", frame, replace=False, **keywords)
    with pytest.raises(lr.SupportError, match="Clustered\\('pair'\\)"):
        pairs.effect("pay", cov=lr.AbadieImbens())
    alone = frame.assign(region=np.where(frame.index == frame.index[frame["route"] == "academic"][0], "E", "N"))
    alone.loc[alone.index[alone["route"] == "vocational"][0], "region"] = "E"
    lonely = lr.match("route", "points", alone, exact=["region"], distance="column", estimand="ATE", person="person")
    with pytest.raises(lr.SupportError, match="1 units have a single unit of an arm"):
        lonely.effect("pay", cov=lr.AbadieImbens())
