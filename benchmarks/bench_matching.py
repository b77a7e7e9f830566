"""Matching and treatment effects: time beside scikit-learn's neighbours, in one process.

Run ``python -m benchmarks.bench_matching [treated]``. The score is given, so that matching alone is timed; scikit-learn
matches with replacement, stratum by stratum, and gives no errors. In several covariates its search alone is timed, on
covariates already turned and with two threads; ours from the persons to the effect and its error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

import leoreturns as lr
from benchmarks.measure import Measured, measure
from leoreturns._typing import BoolArray, FloatArray

TREATED = 500_000
STRATA = ("sex", "cohort", "region")
CALIPER = 0.2


def persons(treated: int, *, per_treated: int = 3) -> pd.DataFrame:
    """Return treated persons and controls, who differ in a score, in ninety strata."""
    draw = np.random.default_rng(505)
    n = treated * (1 + per_treated)
    index = draw.normal(size=n)
    chosen = np.argsort(-(index + draw.logistic(size=n)))[:treated]
    arm = np.zeros(n, dtype=np.int8)
    arm[chosen] = 1
    score = 1 / (1 + np.exp(-index))
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "year": 2019,
            "arm": arm,
            "score": score,
            "sex": draw.integers(0, 2, n),
            "cohort": draw.integers(0, 5, n),
            "region": draw.integers(0, 9, n),
            "pay": 10 + index / 5 + arm / 10 + draw.normal(size=n) / 2,
        }
    )


def report(label: str, call: Callable[[], object]) -> Measured:
    """Time a call and print a line."""
    done = measure(call)
    print(f"  {label:44s} {done.first:8.2f} {done.warm:8.2f} {done.peak:8.2f}", flush=True)
    return done


def nearest(frame: pd.DataFrame) -> float:
    """Match with replacement by scikit-learn, stratum by stratum; return the mean difference."""
    stratum = (frame["sex"] * 5 + frame["cohort"]) * 9 + frame["region"]
    treated, score, pay = frame["arm"].to_numpy() == 1, frame["score"].to_numpy(), frame["pay"].to_numpy()
    reach, gaps = CALIPER * score.std(ddof=1), []
    for value in range(90):
        own = (stratum == value).to_numpy()
        focal, pool = np.flatnonzero(own & treated), np.flatnonzero(own & ~treated)
        found = NearestNeighbors(n_neighbors=1, algorithm="kd_tree").fit(score[pool, None])
        distance, place = found.kneighbors(score[focal, None])
        kept = distance[:, 0] <= reach
        gaps.append(pay[focal[kept]] - pay[pool[place[kept, 0]]])
    return float(np.concatenate(gaps).mean())


def matching(treated: int) -> None:
    """Time matching on the score with and without replacement."""
    frame = persons(treated)
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    print(f"\nMatching: {treated:,} v {3 * treated:,}, 90 strata, caliper {CALIPER} (first, warm, GB)")
    options = {"estimand": "ATT", "distance": "column", "exact": STRATA, "caliper": CALIPER}
    own = report("with replacement, ties kept", lambda: lr.match("arm", ["score"], panel, **options))
    other = report("scikit-learn, with replacement", lambda: nearest(frame))
    print(f"  ratio of warm times {own.warm / other.warm:.3f}")
    for order in ("largest", "closest"):
        report(
            f"without replacement, {order}",
            lambda order=order: lr.match("arm", ["score"], panel, replace=False, order=order, **options),
        )
    del options["caliper"]
    for method in ("kernel", "local_linear", "subclass"):
        report(method, lambda method=method: lr.match("arm", ["score"], panel, method=method, **options))
    found = lr.match("arm", ["score"], panel, caliper=CALIPER, **options)
    report("effect with Abadie-Imbens errors", lambda: found.effect("pay", cov=lr.AbadieImbens()))


def covariates(treated: int) -> pd.DataFrame:
    """Return treated persons and three controls for each, who differ in six numbers, beside their traits."""
    draw = np.random.default_rng(505)
    n = 4 * treated
    x = draw.normal(size=(n, 6))
    x[:, 1] = 0.5 * x[:, 0] + np.sqrt(0.75) * x[:, 1]
    index = x @ [0.4, -0.3, 0.3, 0.2, -0.2, 0.1]
    arm = np.zeros(n, dtype=np.int8)
    arm[np.argsort(-(index + draw.logistic(size=n)))[:treated]] = 1
    frame = pd.DataFrame({f"x{column}": x[:, column] for column in range(6)})
    frame["sex"], frame["region"] = draw.integers(0, 2, n), draw.integers(0, 9, n)
    frame["pay"] = 10 + index / 5 + arm / 10 + draw.normal(size=n) / 2
    return frame.assign(person=np.arange(n), year=2019, arm=arm)


def searched(design: FloatArray, treated: BoolArray) -> FloatArray:
    """Return the distances of the treated to their nearest controls by scikit-learn's k-d tree."""
    found = NearestNeighbors(n_neighbors=1, algorithm="kd_tree", n_jobs=2).fit(design[~treated])
    return found.kneighbors(design[treated])[0][:, 0]


def distances(treated: int) -> None:
    """Time matching in covariates with the errors of Abadie and Imbens beside scikit-learn's search alone."""
    frame = covariates(treated)
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    print(f"\nMahalanobis distance: {treated:,} v {3 * treated:,} (first, warm, GB)")
    numbers = [f"x{column}" for column in range(6)]
    designs = {
        "6 numbers": " + ".join(numbers),
        "5 numbers": " + ".join(numbers[:5]),
        "3 numbers, sex, region": " + ".join([*numbers[:3], "C(sex)", "C(region)"]),
    }
    options = {"estimand": "ATT", "distance": "mahalanobis"}
    for name, text in designs.items():
        used = [column for column in frame if column in text]
        dummies = pd.get_dummies(frame[used], columns=[c for c in used if c in ("sex", "region")], drop_first=True)
        design = dummies.to_numpy(dtype=float)
        design = design @ np.linalg.cholesky(np.linalg.inv(np.cov(design.T)))
        own = report(
            f"{name}, with errors",
            lambda text=text: lr.match("arm", text, panel, **options).effect("pay", cov=lr.AbadieImbens()),
        )
        other = report("scikit-learn, search alone", lambda design=design: searched(design, frame["arm"] == 1))
        print(f"  ratio of warm times {own.warm / other.warm:.3f}")
    text = designs["5 numbers"]
    report("5 numbers, caliper", lambda: lr.match("arm", text, panel, caliper=CALIPER, **options))
    for order in ("largest", "closest"):
        report(
            f"5 numbers, without replacement, {order}",
            lambda order=order: lr.match("arm", text, panel, replace=False, order=order, **options),
        )


def effects(n_person: int) -> None:
    """Time weighted regression adjustment on forty categorical columns, errors clustered by school."""
    draw = np.random.default_rng(1)
    levels = {"sex": 2, "ethnicity": 18, "region": 9, "idaci": 5, "ks4": 10}
    frame = pd.DataFrame({name: draw.integers(0, count, n_person).astype(str) for name, count in levels.items()})
    points = frame["ks4"].astype(int)
    frame["route"] = np.where(draw.random(n_person) < 1 / (1 + np.exp(0.2 * (points - 5))), "vocational", "academic")
    frame["pay"] = 9 + 0.1 * points + 0.05 * (frame["route"] == "vocational") + draw.normal(size=n_person)
    frame = frame.assign(person=np.arange(n_person), year=2019, school=draw.integers(0, 3_000, n_person))
    panel = lr.Panel.from_frame(frame, person="person", time="year")
    print(f"\nTreatment effects: {n_person:,} persons, clustered by school (first, warm, GB)")
    covariates = " + ".join(levels)
    for method in ("ra", "ipw", "ipwra", "aipw", "entropy"):
        report(
            method,
            lambda method=method: lr.treatment_effect(
                f"pay ~ {covariates}", f"route ~ {covariates}", panel, method=method, estimand="ATT",
                cov=lr.Clustered("school"),
            ),
        )  # fmt: skip


def main(treated: int) -> None:
    """Run all comparisons."""
    for size in sorted({treated // 5, treated}):
        matching(size)
    distances(treated // 10)
    effects(7 * treated)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TREATED)
