"""Replicates of potential-outcome means under a bootstrap plan: all models are estimated again in each.

Models know a person through his cell and arm alone. A replicate is a matter of the redrawn weights and outcomes of
every cell and arm, which are sums over persons or clusters: one sparse matrix product for a tile of replicates, and
small fits after it, whatever the number of persons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from leoreturns._parallel import ordered_map
from leoreturns._typing import AnyArray, FloatArray, IntArray, UIntArray
from leoreturns.errors import ConvergenceError, NotIdentifiedError, SupportError
from leoreturns.estimation.arms import Study, chances_of, effects_of, impossible, times
from leoreturns.estimation.doubly_robust import Arms
from leoreturns.estimation.request import Request
from leoreturns.panel.panel import Panel
from leoreturns.panel.units import is_person, unit_codes
from leoreturns.resample.draws import Draws
from leoreturns.resample.plan import BootstrapPlan

BLOCK = 1 << 16  # units whose draws are held at a time
Values = list[tuple[float, float]]  # of each effect: the mean of its arm, and that of the first


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Sums:
    """Weights, and weighted outcomes, of one study by cell and arm (rows) and unit (columns), a block of units each."""

    counts: list[sparse.csr_matrix]
    totals: list[sparse.csr_matrix]

    @classmethod
    def of(cls, study: Study, owners: IntArray, n_units: int) -> _Sums:
        n_arms = len(study.labels)
        place = study.cells.codes.astype(np.int64) * n_arms + study.arms
        weights = np.ones(study.units.n) if study.weights is None else study.weights
        parts = []
        for values in (weights, times(study.outcome, study.weights)):
            whole = sparse.csc_matrix((values, (place, owners)), shape=(study.cells.n * n_arms, n_units))
            parts.append([whole[:, first : first + BLOCK].tocsr() for first in range(0, n_units, BLOCK)])
        return cls(*parts)


class Redrawn:
    """The means of several studies under the weights of a plan's replicates.

    Parameters
    ----------
    studies : sequence of Study
        Parts of one panel; a unit has the same weight in all of them.
    panel : Panel
    request : Request
        What is estimated again; the units that a trim has left out stay out.
    plan : BootstrapPlan

    Attributes
    ----------
    n_units : int
        Units that occur in any study.
    """

    def __init__(self, studies: Sequence[Study], panel: Panel, request: Request, plan: BootstrapPlan) -> None:
        codes, keys, level = _units(panel, plan.unit)
        owners = [study.units.take(codes, level).astype(np.int64) for study in studies]
        present = np.unique(np.concatenate(owners))
        self.n_units = len(present)
        if self.n_units < 2:
            raise SupportError(f"a bootstrap by {plan.unit} needs two units or more, and there is one")
        self._keys = keys[present]
        self._studies, self._request, self._plan = studies, request, plan
        self._sums = [
            _Sums.of(study, np.searchsorted(present, own), self.n_units)
            for study, own in zip(studies, owners, strict=True)
        ]

    def replicates(self) -> list[list[Values | None]]:
        """Return the means of every study in every replicate; None where models cannot be estimated."""
        draws = Draws(self._plan)
        tiles = ordered_map(lambda tile: self._tile(draws, tile), range(draws.n_tiles), label="drawing units")
        return [replicate for tile in tiles for replicate in tile][: self._plan.n_replicates]

    def _tile(self, draws: Draws, tile: int) -> list[list[Values | None]]:
        """Return the replicates of one tile."""
        sums = [np.zeros((2, study.cells.n * len(study.labels), draws.lanes)) for study in self._studies]
        for block, first in enumerate(range(0, self.n_units, BLOCK)):
            keys = self._keys[first : first + BLOCK]
            room = np.empty((len(keys), draws.lanes), dtype=draws.dtype)
            draws.fill(tile, keys, room)
            drawn = room.astype(np.float64)
            for out, own in zip(sums, self._sums, strict=True):
                out[0] += own.counts[block] @ drawn
                out[1] += own.totals[block] @ drawn
        lanes = min(draws.lanes, self._plan.n_replicates - tile * draws.lanes)
        return [
            [
                _values(study, out[0, :, lane], out[1, :, lane], self._request)
                for study, out in zip(self._studies, sums, strict=True)
            ]
            for lane in range(lanes)
        ]


def _values(study: Study, counts: FloatArray, totals: FloatArray, request: Request) -> Values | None:
    """Estimate the means of a study from its sums by cell and arm."""
    shape = study.cells.n, len(study.labels)
    arms = Arms(counts.reshape(shape), totals.reshape(shape), study.labels)
    if not arms.counts.any(axis=0).all():
        return None
    try:
        chances = chances_of(study, arms.counts, request)
        if chances is not None and impossible(chances.chances[arms.counts.any(axis=1)], request.estimand).any():
            return None
        return [(own.value, base.value) for _, own, base in effects_of(study, arms, chances, request)]
    except (ConvergenceError, NotIdentifiedError, SupportError):
        return None


def _units(panel: Panel, unit: str) -> tuple[AnyArray, UIntArray, str]:
    """Return the unit of every stored person or row, the keys of the units, and the level."""
    if is_person(panel.schema, unit) and unit not in panel.schema.columns:
        return np.arange(panel.n_person_stored), panel.keys, "person"
    (codes,), keys, level = unit_codes([panel], unit)
    return codes, keys, level
