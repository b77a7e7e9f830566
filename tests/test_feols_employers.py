"""feols with 100,000 weakly connected employers, against an exact sparse solve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

import leoreturns as lr

RTOL = 1e-10  # of coefficients: the bar


def workers_of(n_employer: int, *, local: bool) -> pd.DataFrame:
    """Draw persons over ten years, who seldom move: to neighbours in an order of the employers, or anywhere."""
    draw = np.random.default_rng(4)
    n_person, years = 2 * n_employer, 10
    place, at = np.sort(draw.integers(0, n_employer, n_person)), np.empty((n_person, years), dtype=np.int64)
    for year in range(years):
        to = place + draw.integers(-3, 4, n_person) if local else draw.integers(0, n_employer, n_person)
        moves = draw.random(n_person) < 0.06 * (year > 0)
        place = np.where(moves, np.clip(to, 0, n_employer - 1), place)
        at[:, year] = place
    value = np.cumsum(draw.normal(size=n_employer))[at] * 0.02
    x1, x2 = value + draw.normal(size=at.shape), np.tanh(value) + draw.normal(size=at.shape)
    y = 9.5 + value + 0.05 * x1 - 0.03 * x2 + draw.normal(size=at.shape) + draw.normal(size=(n_person, 1))
    columns = {"employer": at, "x1": x1, "x2": x2, "y": y}
    frame = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    return frame.assign(id=np.repeat(np.arange(n_person), years), year=np.tile(np.arange(years), n_person))


def exact(frame: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Coefficients by a factorisation of all employers and years, refined on the rows; and the connected sets."""
    rows, one = np.arange(len(frame)), np.ones(len(frame))
    employer = np.unique(frame.employer, return_inverse=True)[1]
    linked = sparse.csr_array((one, (frame.id, employer)))
    sets = connected_components(sparse.csr_array(linked.T @ linked), directed=False)[1]
    free = np.ones(len(sets), dtype=bool)
    free[np.unique(sets, return_index=True)[1]] = False
    employers = sparse.csr_array((one, (rows, employer)))[:, np.flatnonzero(free)]
    levels = sparse.csr_array(sparse.hstack([employers, sparse.csr_array((one, (rows, frame.year)))[:, 1:]]))
    persons = sparse.csr_array((one, (frame.id, rows)))
    counts, of_persons = persons.sum(axis=1), persons @ levels
    system = levels.T @ levels - of_persons.T @ (sparse.diags_array(1.0 / counts) @ of_persons)
    options = {"SymmetricMode": True}
    factors = splu(sparse.csc_array(system), permc_spec="MMD_AT_PLUS_A", options=options, diag_pivot_thresh=0.0)

    def within(values: np.ndarray) -> np.ndarray:
        return values - ((persons @ values) / counts[:, None])[frame.id]

    def residual(values: np.ndarray) -> np.ndarray:
        values = within(values)
        for _ in range(3):
            values = within(values - levels @ factors.solve(levels.T @ values))
        return values

    left = residual(frame[["x1", "x2", "y"]].to_numpy())
    x, beta = left[:, :2], np.zeros(2)
    for _ in range(3):
        beta += np.linalg.solve(x.T @ x, x.T @ residual((left[:, 2] - x @ beta)[:, None])[:, 0])
    return beta, int(sets.max()) + 1


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("n_employer", [8_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_weakly_connected_employers(n_employer: int, local: bool) -> None:
    frame = workers_of(n_employer, local=local)
    found = lr.feols("y ~ x1 + x2 | id + employer + year", frame, cov=lr.Clustered("id"), person="id")
    assert isinstance(found, lr.Estimate)
    beta, sets = exact(frame)
    np.testing.assert_allclose(found.values, beta, rtol=RTOL)
    assert found.settings["connected_sets"] == {"employer": sets}
