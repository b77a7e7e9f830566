"""The columns of a design as arrays along rows: for what cannot be done from cross-products."""

from __future__ import annotations

import numpy as np

from leoreturns._typing import FloatArray, IntArray
from leoreturns.estimation.design import CONSTANT, Design


def block_columns(design: Design, number: int, places: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Return columns on the rows of one block, one after the other, with the stored person and the stored row of each.

    Parameters
    ----------
    design : Design
    number : int
        Of the block.
    places : int64 of shape (k,)
        Dense columns, levels, or the constant.

    Returns
    -------
    columns : float64 of shape (k, n)
    people, rows : int64 of shape (n,)
    """
    block = design.blocks.block(number)
    dense, slots = design.columns_of(block), design.slots_of(block)
    columns = np.ones((len(places), block.n))
    for row, place in zip(columns, places.tolist(), strict=True):
        if place != CONSTANT:
            row[:] = dense[place] if place < len(dense) else (slots == place - len(dense)).any(axis=0)
    rows = np.arange(block.rows.start, block.rows.stop) if isinstance(block.rows, slice) else block.rows
    return columns, block.people, rows


def columns_along(design: Design, places: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Return columns on all rows of the sample, in the order of the persons; see `block_columns`."""
    parts = [block_columns(design, number, places) for number in range(len(design.blocks))]
    columns, people, rows = zip(*parts, strict=True)
    return np.concatenate(columns, axis=1), np.concatenate(people), np.concatenate(rows)
