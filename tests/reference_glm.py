"""Poisson regression and conditional logit in plain NumPy: effects as dummies, subsets written out one by one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from reference_feols import dummies, workers
from scipy.optimize import linprog


class BrutePoisson:
    """One Poisson regression: outcome y, regressors x (k columns first), effects as dummies."""

    def __init__(
        self,
        frame: pd.DataFrame,
        x: np.ndarray,
        effects: Sequence[str] = (),
        w: np.ndarray | None = None,
        offset: np.ndarray | None = None,
    ) -> None:
        self.frame, self.k, self.n = frame, x.shape[1], len(frame)
        self.y = frame.y.to_numpy(dtype=float)
        self.w = np.ones(self.n) if w is None else w
        added = np.zeros(self.n) if offset is None else offset
        self.full = np.column_stack([x, dummies(frame, effects)])
        mu = (self.y + self.y.mean()) / 2
        for _ in range(60):
            eta = np.log(mu)
            root = np.sqrt(self.w * mu)
            working = eta - added + (self.y - mu) / mu
            solution = np.linalg.lstsq(self.full * root[:, None], working * root, rcond=1e-12)[0]
            mu = np.exp(self.full @ solution + added)
        self.mu, self.beta = mu, solution[: self.k]
        self.root = np.sqrt(self.w * mu)
        self.inverse = np.linalg.pinv(self.full * self.root[:, None], rcond=1e-11)
        self.bread = self.inverse @ self.inverse.T
        self.rank = int(np.linalg.matrix_rank(self.full))

    def sandwich(self, meat: np.ndarray) -> np.ndarray:
        return (self.bread @ meat @ self.bread)[: self.k, : self.k]

    def robust(self, kind: str) -> np.ndarray:
        h = np.einsum("ij,ji->i", self.full * self.root[:, None], self.inverse)
        u2 = (self.w * (self.y - self.mu)) ** 2
        factor = {"HC0": 1.0, "HC1": self.n / (self.n - self.rank), "HC2": 1 / (1 - h), "HC3": 1 / (1 - h) ** 2}[kind]
        return self.sandwich(self.full.T @ (self.full * (u2 * factor)[:, None]))

    def clustered(self, clusters: Sequence[str]) -> np.ndarray:
        """Without factors for small samples."""
        meat = np.zeros_like(self.bread)
        for size in range(1, len(clusters) + 1):
            for chosen in combinations(clusters, size):
                codes = self.frame.groupby(list(chosen)).ngroup().to_numpy()
                sums = np.zeros((codes.max() + 1, self.full.shape[1]))
                np.add.at(sums, codes, self.full * (self.w * (self.y - self.mu))[:, None])
                meat += (-1) ** (size + 1) * sums.T @ sums
        return self.sandwich(meat)

    def step_without(self, left: np.ndarray) -> np.ndarray:
        """The coefficients after one Newton step on the rows that are left."""
        root = self.root[left]
        working = (self.y / self.mu - 1)[left] * root
        step = np.linalg.lstsq(self.full[left] * root[:, None], working, rcond=1e-11)[0]
        return self.beta + step[: self.k]


def separated(y: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Rows of zero outcome that some combination, nought on the positive ones and nowhere negative, has above zero."""
    found = np.zeros(len(y), dtype=bool)
    while True:
        left = (y == 0) & ~found
        if not left.any():
            return found
        positive = {"A_eq": full[y > 0], "b_eq": np.zeros((y > 0).sum())} if (y > 0).any() else {}
        program = linprog(
            -full[left].sum(axis=0),
            A_ub=np.vstack([full[left], -full[left]]),
            b_ub=np.concatenate([np.ones(left.sum()), np.zeros(left.sum())]),
            bounds=(None, None),
            **positive,
        )
        above = full[left] @ program.x > 1e-6
        if not above.any():
            return found
        found[np.flatnonzero(left)[above]] = True


def kept_rows(frame: pd.DataFrame, effects: Sequence[str]) -> pd.DataFrame:
    """Without levels of nothing but zeros, and rows alone in a level, until there is none."""
    while True:
        before = len(frame)
        for effect in effects:
            columns = effect.split("^")
            frame = frame[frame.groupby(columns).y.transform("sum") > 0]
            frame = frame[frame.groupby(columns).y.transform("size") > 1]
        if len(frame) == before:
            return frame


def counts(n_person: int = 60, seed: int = 5, missing: bool = False) -> pd.DataFrame:
    """Earnings in levels, a quarter of them zero, from the workers of the linear regressions."""
    frame = workers(n_person, seed, missing)
    draw = np.random.default_rng(seed)
    frame["log_exposure"] = draw.normal(size=len(frame)) / 4
    frame["exposure"] = np.exp(frame.log_exposure)
    frame["y"] = np.exp(frame.y) * 10.0 * (draw.random(len(frame)) > 0.25)
    return frame


def groups_of_logit(beta: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Log likelihood, score and information of one group, over all subsets of as many rows as have a one."""
    subsets = [list(chosen) for chosen in combinations(range(len(y)), int(y.sum()))]
    sums = np.array([x[chosen].sum(axis=0) for chosen in subsets])
    index = sums @ beta
    p = np.exp(index - index.max())
    p /= p.sum()
    mean = p @ sums
    own = y @ x
    likelihood = own @ beta - index.max() - np.log(np.exp(index - index.max()).sum())
    return float(likelihood), own - mean, (sums - mean).T @ ((sums - mean) * p[:, None])


class BruteLogit:
    """One conditional logit: regressors x, outcome y, groups of rows."""

    def __init__(self, x: np.ndarray, y: np.ndarray, group: np.ndarray) -> None:
        self.beta = np.zeros(x.shape[1])
        parts = [np.flatnonzero(group == one) for one in np.unique(group)]
        for _ in range(30):
            found = [groups_of_logit(self.beta, x[rows], y[rows]) for rows in parts]
            self.loglik = sum(entry[0] for entry in found)
            self.scores = np.array([entry[1] for entry in found])
            self.information = np.array([entry[2] for entry in found])
            self.inverse = np.linalg.inv(self.information.sum(axis=0))
            self.beta = self.beta + self.inverse @ self.scores.sum(axis=0)
