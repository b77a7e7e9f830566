"""Draws: the replicate weights of sampling units under a plan, a tile of replicates at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leoreturns._checks import counted
from leoreturns._core import draws as kernel
from leoreturns._parallel import ordered_map
from leoreturns._typing import ByteArray, UIntArray
from leoreturns.errors import SupportError
from leoreturns.resample.plan import BootstrapPlan, Units

LANES, REAL_LANES = 64, 16


class Draws:
    """Weights of units in tiles of replicates; lanes ``0 .. lanes - 1`` of tile t are replicates ``t * lanes + lane``.

    A Poisson or Bayesian weight is drawn when it is asked for, from nothing but seed, replicate and key. Multinomial
    counts depend on the whole frame and are drawn once, here: one byte per unit of the frame and replicate.

    Parameters
    ----------
    plan : BootstrapPlan

    Attributes
    ----------
    lanes : int
        Replicates in a tile: 64 of whole weights, 16 of real ones.
    dtype : numpy dtype
        uint8, or float64 for the Bayesian scheme.
    n_tiles : int
        Tiles that hold all replicates. The last one may go beyond them; its spare lanes are drawn and to be ignored.

    Raises
    ------
    ValueError
        For a plan of the exact interval, which draws nothing.
    """

    __slots__ = ("_counts", "_frame_keys", "_plan", "_rows", "dtype", "lanes", "n_tiles")

    def __init__(self, plan: BootstrapPlan) -> None:
        if plan.interval == "exact":
            raise ValueError("a plan with interval='exact' has no draws")
        self._plan = plan
        real = plan.scheme == "bayesian"
        self.lanes = REAL_LANES if real else LANES
        self.dtype: np.dtype[Any] = np.dtype(np.float64 if real else np.uint8)
        self.n_tiles = -(-plan.n_replicates // self.lanes)
        if isinstance(plan.frame, Units):
            self._resample(plan.frame)

    def fill(self, tile: int, keys: UIntArray, out: NDArray[Any]) -> None:
        """Draw the weights of some units in one tile; safe in threads, outside the GIL.

        Parameters
        ----------
        tile : int
            From 0 to ``n_tiles - 1``.
        keys : uint64 array of shape (n,)
            Keys of the units, in any order and any number of times; units with one key share their weights.
        out : array of `dtype` and shape (n, lanes), OUT
            Any slice of rows can be drawn on its own.

        Raises
        ------
        SupportError
            If keys are not among the units of a multinomial plan's frame, with their number.
        """
        if self._plan.scheme == "multinomial":
            self._look_up(tile, keys, out)
        elif self._plan.scheme == "bayesian":
            kernel.exponential(self._plan.seed, tile * self.lanes, keys, out)
        else:
            kernel.poisson(self._plan.seed, tile * self.lanes, keys, out)

    def _resample(self, frame: Units) -> None:
        """Draw the counts of every unit of the frame in all tiles."""
        order = np.argsort(frame.strata, kind="stable")  # by stratum, ascending keys within
        sizes = np.bincount(frame.strata)
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._frame_keys = frame.keys
        self._rows = np.empty(len(order), dtype=np.int64)  # of the counts, for each unit by key
        self._rows[order] = np.arange(len(order))
        self._counts: ByteArray = np.empty((self.n_tiles, len(order), self.lanes), dtype=np.uint8)

        def tile(number: int) -> None:
            room = np.empty(self.lanes * int(sizes.max()), dtype=np.uint8)
            kernel.multinomial(self._plan.seed, number * self.lanes, offsets, room, self._counts[number])

        ordered_map(tile, range(self.n_tiles), label="drawing units")

    def _look_up(self, tile: int, keys: UIntArray, out: NDArray[Any]) -> None:
        at = np.minimum(np.searchsorted(self._frame_keys, keys), len(self._frame_keys) - 1)
        if unknown := int(np.count_nonzero(self._frame_keys[at] != keys)):
            raise SupportError(
                f"{counted(unknown, 'unit')} '{self._plan.unit}' of the data are not in the plan's frame; "
                "give BootstrapPlan a frame= that holds every unit of the data"
            )
        # In "clip" mode take writes into out without a buffer; the rows are within bounds anyway.
        np.take(self._counts[tile], self._rows[at], axis=0, out=out, mode="clip")
