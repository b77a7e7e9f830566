"""Matching in several covariates: the trees against all pairs, what Stata prints, errors unit by unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matching_cases import births, pupils
from scipy.spatial.distance import cdist

import leoreturns as lr
from leoreturns._core import tree_neighbours, tree_pairs, trees

COVARIATES = ["points", "attendance", "income"]


# ---- kernels --------------------------------------------------------------------------------------------------------


class Wood:
    """Trees of points in three strata, of which one may be empty, and the points as the trees have them."""

    def __init__(self, draw: np.random.Generator, most: int, *, whole: bool, d: int) -> None:
        sizes = draw.integers(0, most, 3)
        self.offsets = np.concatenate([[0], np.cumsum(sizes)])
        n = int(self.offsets[-1])
        rows = draw.integers(0, 4, (d, n)).astype(float) if whole else draw.normal(size=(d, n))
        self.nodes = np.concatenate([[0], np.cumsum([(2 << trees.levels(int(size))) - 1 for size in sizes])])
        self.boxes = np.empty((int(self.nodes[-1]), d, 2))
        order = np.arange(n)
        trees.build(rows, np.ones(d), self.offsets, self.nodes, 0, 3, order, self.boxes)
        self.stratum = np.repeat(np.arange(3), sizes)
        assert (self.stratum[order] == self.stratum).all()
        assert (np.sort(order) == np.arange(n)).all()
        self.rows = np.ascontiguousarray(rows[:, order])
        self.keys = draw.permutation(n).astype(np.uint64)
        self.n = n


def distances(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return squared distances, added up dimension by dimension as the kernels do."""
    out = np.zeros(rows.shape[1])
    for j in range(len(rows)):
        out = out + (rows[j] - x[j]) ** 2
    return out


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_neighbours_are_those_of_all_pairs(seed: int, scored: bool) -> None:
    draw = np.random.default_rng(seed)
    whole, ties = bool(seed % 2), seed % 4 < 2
    d = int(draw.integers(1 + scored, 5))
    pool, focus = (Wood(draw, most, whole=whole, d=d) for most in (120, 40))
    k, reach = int(draw.integers(1, 5)), 1.0 if scored else np.inf
    counts = draw.integers(1, 4, pool.n) if ties else np.ones(pool.n, dtype=np.int64)
    asked = draw.permutation(focus.n)[: focus.n // 2 + 1]
    sizes, places = np.full(len(asked), -9), np.full((len(asked), 300), -9)
    tree_neighbours.nearest(
        focus.rows, focus.stratum, asked, pool.rows, pool.offsets, pool.nodes, pool.boxes, counts, pool.keys, k,
        scored, reach, ties, 0, len(asked), np.empty(150), np.empty(150, dtype=np.int64), sizes, places,
    )  # fmt: skip
    for at, i in enumerate(asked):
        own = np.flatnonzero(pool.stratum == focus.stratum[i])
        if scored:
            own = own[np.abs(pool.rows[-1, own] - focus.rows[-1, i]) <= reach]
        distance = np.sqrt(distances(focus.rows[:, i], pool.rows[: d - scored, own]))
        order = np.lexsort((pool.keys[own], distance))
        if ties:
            held = np.cumsum(counts[own][order])
            enough = order[min(np.searchsorted(held, k), len(order) - 1)] if len(order) else -1
            wanted = own[distance <= distance[enough]] if len(order) else own
        else:
            wanted = own[order[:k]]
        assert places[at, : sizes[at]].tolist() == sorted(wanted.tolist())


@pytest.mark.parametrize("closest", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_greedy_matches_are_those_of_a_search_over_all_pairs(seed: int, closest: bool) -> None:
    draw = np.random.default_rng(100 + seed)
    scored = seed % 3 == 0
    d = int(draw.integers(1 + scored, 4))
    pool, focus = (Wood(draw, most, whole=bool(seed % 2), d=d) for most in (60, 25))
    k, reach = int(draw.integers(1, 3)), 1.0 if scored else np.inf
    order = np.concatenate([draw.permutation(n) for n in np.diff(focus.offsets)]).astype(np.int64)
    out = np.full((focus.n, k), -9)
    tree_pairs.without_replacement(
        focus.rows, focus.offsets, order, pool.rows, pool.offsets, pool.nodes, pool.boxes, pool.keys, scored, reach,
        closest, 0, 3, np.empty(int(pool.nodes[-1]), dtype=np.int64), np.empty(pool.n, dtype=np.uint8), np.empty(d),
        np.empty((2, focus.n)), out,
    )  # fmt: skip
    wanted = np.full((focus.n, k), -1)
    for s in range(3):
        free = np.arange(pool.offsets[s], pool.offsets[s + 1])
        for place in range(k):
            waiting = [focus.offsets[s] + at for at in order[focus.offsets[s] : focus.offsets[s + 1]]]
            while waiting:
                options = []
                for turn, i in enumerate(waiting):
                    near = free[np.abs(pool.rows[-1, free] - focus.rows[-1, i]) <= reach] if scored else free
                    if len(near):
                        distance = distances(focus.rows[:, i], pool.rows[: d - scored, near])
                        best = np.lexsort((pool.keys[near], distance))[0]
                        options.append((distance[best], turn, i, near[best]))
                if not options:
                    break
                _, _, i, donor = min(options) if closest else min(options, key=lambda option: option[1])
                waiting.remove(i)
                wanted[i, place] = donor
                free = free[free != donor]
    np.testing.assert_array_equal(out, wanted)


def test_kernels_refuse_what_does_not_fit() -> None:
    wood = Wood(np.random.default_rng(1), 9, whole=False, d=2)
    with pytest.raises(ValueError, match="nodes do not fit"):
        trees.build(
            wood.rows, np.ones(2), wood.offsets, np.array([0, 3, 6, 9]), 0, 3, np.arange(wood.n), np.empty((9, 2, 2))
        )
    sizes, places = np.empty(1, dtype=np.int64), np.empty((1, 1), dtype=np.int64)
    with pytest.raises(ValueError, match="differ in length"):
        tree_neighbours.nearest(
            wood.rows[:1], wood.stratum, np.zeros(1, dtype=np.int64), wood.rows, wood.offsets, wood.nodes, wood.boxes,
            np.ones(wood.n, dtype=np.int64), wood.keys, 1, False, np.inf, True, 0, 1, np.empty(20),
            np.empty(20, dtype=np.int64), sizes, places,
        )  # fmt: skip


# ---- matches and their effects --------------------------------------------------------------------------------------


def test_stata_prints_the_same() -> None:
    """The manual's first example of teffects nnmatch; its nn(2) does not count the unit itself, ours does."""
    found = lr.match(
        "mbsmoke_", "mage + prenatal1_ + mmarried_ + fbaby_", births(), estimand="ATE", distance="mahalanobis",
        person="id",
    )  # fmt: skip
    result = found.effect("bweight", cov=lr.AbadieImbens(3))
    assert result.params["1 v 0"] == pytest.approx(-240.3306, abs=5e-5)
    assert result.std_errors["1 v 0"] == pytest.approx(28.43006, abs=5e-6)
    assert result.cov_name == "Abadie-Imbens (2006)"
    assert max(int(windows.sizes.max()) for windows in found.sides.windows.values()) == 139


@pytest.mark.parametrize(
    ("estimand", "whole", "caliper", "exact"),
    [
        ("ATT", False, None, ()),
        ("ATC", True, None, ("region",)),
        ("ATE", True, 0.3, ()),
        ("ATE", False, 0.5, ("region",)),
        ("ATT", True, 0.5, ("region",)),
    ],
)
def test_effects_and_errors_are_those_of_the_definition(
    estimand: str, whole: bool, caliper: float | None, exact: tuple[str, ...]
) -> None:
    """Abadie and Imbens (2006) unit by unit from all distances, ties kept, with a label among the covariates."""
    n, frame = 300, pupils(300, 5, whole=whole)
    found = lr.match(
        "route", "points + attendance + income + region", frame, estimand=estimand, distance="mahalanobis",
        exact=exact, ratio=2, caliper=caliper, person="person",
    )  # fmt: skip
    result = found.effect("pay", cov=lr.AbadieImbens(3))
    design = pd.get_dummies(frame[[*COVARIATES, "region"]], drop_first=True).to_numpy(float)
    distance = cdist(design, design, "mahalanobis", VI=np.linalg.inv(np.cov(design.T)))
    y, region = frame["pay"].to_numpy(), frame["region"].to_numpy()
    arm = (frame["route"] == "vocational").to_numpy().astype(int)
    focal = {"ATT": arm == 1, "ATC": arm == 0, "ATE": arm >= 0}[estimand]
    own = found.candidates
    in_order = own.variables.panel.array("pay")[own.units.rows]  # units stand in the order of their keys
    score = pd.Series(own.score, index=in_order)[frame["pay"]].to_numpy()
    reach = np.inf if caliper is None else caliper * score.std(ddof=1)

    def near(i: int, of: int, k: int, bound: float) -> np.ndarray:
        pool = np.flatnonzero((arm == of) & ((region == region[i]) | (not exact)) & (np.abs(score - score[i]) <= bound))
        far = distance[i, pool]
        return pool[far <= np.sort(far)[min(k, len(pool)) - 1] + 1e-9] if len(pool) else pool

    matches = {i: near(i, 1 - arm[i], 2, reach) for i in np.flatnonzero(focal)}
    matches = {i: donors for i, donors in matches.items() if len(donors)}
    received, squared = np.zeros(n), np.zeros(n)
    for donors in matches.values():
        received[donors] += 1 / len(donors)
        squared[donors] += 1 / len(donors) ** 2
    gaps = np.array([(y[i] - y[donors].mean()) * (1 if arm[i] else -1) for i, donors in matches.items()])
    total = ((gaps - gaps.mean()) ** 2).sum()
    for i in range(n):
        factor = received[i] ** 2 - squared[i] + 2 * received[i] * focal.all()
        if factor:
            total += factor * y[near(i, arm[i], 3, np.inf)].var(ddof=1)
    assert result.params.iloc[0] == pytest.approx(gaps.mean(), rel=1e-10)
    assert result.std_errors.iloc[0] == pytest.approx(np.sqrt(total) / len(gaps), rel=1e-10)


@pytest.mark.parametrize(
    "keywords",
    [
        {"ratio": 2},
        {"ties": False, "caliper": 0.2, "estimand": "ATE"},
        {"replace": False, "order": "closest", "exact": ("region",)},
        {"replace": False, "order": "largest", "caliper": 0.5},
    ],
)
def test_matches_do_not_depend_on_the_order_of_the_rows_or_threads(keywords: dict[str, object]) -> None:
    frame = pupils(6_000, 1, whole=True).assign(year=2018)
    keywords = {"estimand": "ATT", "distance": "mahalanobis", **keywords}
    cov = lr.Clustered("pair") if keywords.get("replace") is False else lr.AbadieImbens()
    found = []
    for data, n_jobs in ((frame, 1), (frame.sample(frac=1, random_state=2), 2)):
        panel = lr.Panel.from_frame(data, person="person", time="year")
        matched = lr.match("route", COVARIATES, panel, n_jobs=n_jobs, **keywords)
        found.append((matched.weights.tobytes(), matched.effect("pay", cov=cov).values.tobytes()))
    assert found[0] == found[1]


def test_units_of_do_not_matter() -> None:
    """The distance is the same whatever the covariates are measured in and combined to."""
    frame = pupils(400, 9)
    turned = frame.assign(
        points=1000 * frame["points"] + frame["income"], attendance=frame["attendance"] - 3, income=-frame["income"] / 7
    )
    weights = [
        lr.match("route", COVARIATES, data, estimand="ATT", distance="mahalanobis", person="person").weights
        for data in (frame, turned)
    ]
    np.testing.assert_array_equal(*weights)


def test_options_that_do_not_go_together_are_refused() -> None:
    frame = pupils(100, 4).assign(one=1.0)
    keywords = {"estimand": "ATT", "distance": "mahalanobis", "person": "person"}
    with pytest.raises(lr.SupportError, match="no score on a line: method='nearest'"):
        lr.match("route", COVARIATES, frame, method="optimal", replace=False, **keywords)
    with pytest.raises(lr.SupportError, match="none of the covariates varies"):
        lr.match("route", ["one"], frame, **keywords)
