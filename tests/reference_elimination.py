"""Twins of the kernels of least squares: plain NumPy, one loop over groups."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def centred(columns: np.ndarray, weights: np.ndarray, starts: np.ndarray) -> np.ndarray:
    out = columns.copy()
    w = weights if len(weights) else np.ones(columns.shape[1])
    for first, last in pairwise(starts):
        if last > first:
            out[:, first:last] -= (out[:, first:last] @ w[first:last] / w[first:last].sum())[:, None]
    return out


def indicators(slots: np.ndarray, n_slots: int) -> np.ndarray:
    """Levels as columns: float64 of shape (n_slots, n)."""
    out = np.zeros((n_slots, slots.shape[1]))
    for row in slots:
        seen = np.flatnonzero(row >= 0)
        out[row[seen], seen] += 1.0
    return out


def slot_moments(
    columns: np.ndarray, weights: np.ndarray, slots: np.ndarray, starts: np.ndarray, is_centred: bool, n_slots: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    w = weights if len(weights) else np.ones(columns.shape[1])
    z = indicators(slots, n_slots)
    about = centred(z, weights, starts) if is_centred else z
    return columns * np.sqrt(w) @ z.T, np.triu((about * w) @ about.T), z @ w


def leverages(
    slots: np.ndarray, weights: np.ndarray, starts: np.ndarray, is_centred: bool, inverse: np.ndarray
) -> np.ndarray:
    z = indicators(slots, len(inverse))
    about = centred(z, weights, starts) if is_centred else z
    return np.einsum("qi,qr,ri->i", about, inverse, about)
