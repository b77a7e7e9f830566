"""Least squares with fixed effects in plain NumPy: effects as dummy columns, formulas as the papers have them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd


def dummies(frame: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """A column for each level of each effect; combinations are joined by ^."""
    parts = []
    for name in names:
        codes = frame.groupby(name.split("^"), sort=True).ngroup().to_numpy()
        parts.append(np.eye(codes.max() + 1)[codes])
    return np.column_stack(parts) if parts else np.empty((len(frame), 0))


class Brute:
    """One regression: outcome y, regressors x (k columns first), effects as dummies, weights w."""

    def __init__(
        self, frame: pd.DataFrame, y: Any, x: np.ndarray, effects: Sequence[str] = (), w: np.ndarray | None = None
    ) -> None:
        self.frame, self.effects = frame, list(effects)
        self.k, self.n = x.shape[1], len(frame)
        self.w = np.ones(self.n) if w is None else w
        self.full = np.column_stack([x, dummies(frame, effects)])
        root = np.sqrt(self.w)[:, None]
        # Squaring the columns first would cost half of the digits.
        inverse = np.linalg.pinv(self.full * root, rcond=1e-11)
        self.bread = inverse @ inverse.T
        solution = np.linalg.lstsq(self.full * root, np.asarray(y, dtype=float) * root[:, 0], rcond=None)[0]
        self.beta = solution[: self.k]
        self.u = np.asarray(y, dtype=float) - self.full @ solution
        self.rank = int(np.linalg.matrix_rank(self.full))

    def sandwich(self, meat: np.ndarray) -> np.ndarray:
        return (self.bread @ meat @ self.bread)[: self.k, : self.k]

    def unadjusted(self) -> np.ndarray:
        return self.bread[: self.k, : self.k] * (self.w @ self.u**2) / (self.n - self.rank)

    def robust(self, kind: str) -> np.ndarray:
        h = self.w * np.einsum("ij,jk,ik->i", self.full, self.bread, self.full)
        u2 = (self.w * self.u) ** 2
        factor = {"HC0": 1.0, "HC1": self.n / (self.n - self.rank), "HC2": 1 / (1 - h), "HC3": 1 / (1 - h) ** 2}[kind]
        return self.sandwich(self.full.T @ (self.full * (u2 * factor)[:, None]))

    def clustered(self, clusters: Sequence[str], parameters: int) -> np.ndarray:
        """CRV1 with the factors of fixest, `parameters` being its K."""
        groups = {
            chosen: self.frame.groupby(list(chosen)).ngroup().to_numpy()
            for size in range(1, len(clusters) + 1)
            for chosen in combinations(clusters, size)
        }
        fewest = min(groups[(name,)].max() + 1 for name in clusters)
        meat = np.zeros_like(self.bread)
        for chosen, codes in groups.items():
            sums = np.zeros((codes.max() + 1, self.full.shape[1]))
            np.add.at(sums, codes, self.full * (self.w * self.u)[:, None])
            meat += (-1) ** (len(chosen) + 1) * sums.T @ sums
        return self.sandwich(meat) * (self.n - 1) / (self.n - parameters) * fewest / (fewest - 1)


def workers(n_person: int = 60, seed: int = 5, missing: bool = False) -> pd.DataFrame:
    """Draw an unbalanced panel: persons in schools, moving between places, with traits and yearly columns."""
    draw = np.random.default_rng(seed)
    rows = []
    for person in range(n_person):
        school, route = int(draw.integers(0, 8)), str(draw.choice(["a level", "none", "vocational"]))
        ability, place = draw.normal(), int(draw.integers(0, 6))
        for year in range(2010, 2010 + int(draw.integers(2, 8))):
            place = int(draw.integers(0, 6)) if draw.random() < 0.3 else place
            x1, x2 = draw.normal() + 0.5 * ability, draw.normal() + 0.1 * year
            treated = int(school < 4 and year >= 2013)
            y = ability + 0.3 * x1 - 0.2 * x2 + 0.1 * place + 0.05 * year + 0.2 * treated + 0.5 * draw.normal()
            rows.append((person, year, school, route, place, x1, x2, treated, ability, y, 1.0 + draw.integers(0, 4)))
    names = ["person", "year", "school", "route", "place", "x1", "x2", "treated", "ability", "y", "w"]
    frame = pd.DataFrame(rows, columns=names)
    if missing:
        frame.loc[draw.random(len(frame)) < 0.05, "x1"] = np.nan
        frame.loc[draw.random(len(frame)) < 0.05, "y"] = np.nan
    return frame
