"""Cluster moment blocks: the cross-products of each cluster, from which refits need no second look at the rows.

Years and places may cross the clusters: their levels stay inside the blocks as columns, and are estimated anew in every
refit. Only the eliminated effect must lie within clusters: a refit without a cluster is then one without its groups. A
block holds whole clusters; its cross-products are used and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from leoreturns._core import elimination
from leoreturns._core import scores as kernel
from leoreturns._typing import CodeArray, FloatArray, IntArray, Level, UIntArray
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.absorb import SparseEffects
from leoreturns.estimation.blocks import BLOCK_ROWS, Block, Blocks
from leoreturns.estimation.design import CONSTANT, Design
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.variables import codes as combinations_of
from leoreturns.panel.ids import PersonIds
from leoreturns.panel.panel import Panel
from leoreturns.panel.rows import expand
from leoreturns.panel.units import is_person, unit_codes

MAX_COLUMNS = 600
BLOCK_ENTRIES = 1 << 22  # of the columns of one block
UNTOUCHED = 1e-6  # what a direction that is not determined may have of a coefficient that is
MIXED = np.uint64(31)  # times the keys of the columns before: keys are hashes, so that any odd number does
SINGULAR = 1e-10  # of a column's cross-product: nothing is left of it without the cluster
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Units:
    """The clusters of a sample.

    Attributes
    ----------
    name : str
    codes : int array along the stored rows, or None where the clusters are the persons
    keys : uint64 array of shape (n_codes,)
        64-bit keys of the codes: what draws hang on.
    """

    name: str
    codes: CodeArray | None
    keys: UIntArray


def units_of(design: Design, name: str) -> Units:
    """Return the clusters that a column names, or several joined by ``^``."""
    panel = design.sample.panel
    names = sorted(set(name.split("^")))
    if len(names) > 1:
        return Units(name, *_combined(panel, names))
    codes, keys, level = _codes_and_keys(panel, names[0])
    if level == "person" and keys is panel.keys and design.blocks.by_person:
        return Units(name, None, keys)
    return Units(name, codes if level == "year" else expand(codes, panel.offsets), keys)


def _codes_and_keys(panel: Panel, name: str) -> tuple[CodeArray, UIntArray, Level]:
    """Return the clusters of one column: their codes, the key of each code, and what the codes are along."""
    if is_person(panel.schema, name) and name not in panel.schema.columns:
        return np.arange(panel.n_person_stored, dtype=np.int32), panel.keys, "person"
    (codes,), keys, level = unit_codes([panel], name)
    return codes, keys, level


def _combined(panel: Panel, names: Sequence[str]) -> tuple[CodeArray, UIntArray]:
    """Return the combinations of columns along the stored rows, and their keys: hashes of the columns' own keys."""
    found = combinations_of(panel, names, labelled=False)
    codes = found.codes if found.level == "year" else expand(found.codes, panel.offsets)
    known = np.flatnonzero(codes >= 0)
    rows = np.empty(found.n_levels, dtype=np.int64)
    rows[codes[known]] = known  # a row of each combination
    people = np.searchsorted(panel.offsets, rows, side="right") - 1
    mixed = np.zeros(found.n_levels, dtype=np.uint64)
    for name in names:
        own, keys, level = _codes_and_keys(panel, name)
        mixed = mixed * MIXED + keys[own[rows if level == "year" else people]]
    return codes, PersonIds(mixed.view(np.int64)).hashed()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClusterBlock:
    """The columns of some whole clusters.

    Attributes
    ----------
    products : float64 of shape (g, m (m + 1) / 2)
        Cross-products of the m columns in each cluster, the upper triangle.
    keys : uint64 of shape (g,)
    """

    products: FloatArray
    keys: UIntArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Order:
    """Rows sorted by cluster, their persons, the first row of each cluster and group, the clusters of each block."""

    rows: IntArray
    people: IntArray
    starts: IntArray
    groups: IntArray
    bounds: list[tuple[int, int]]


class ClusterMoments:
    """The cross-products of a regression's columns, cluster by cluster.

    Columns are the coefficients' regressors, the excluded instruments, the absorbed levels that are apart from one
    another, and the outcome.

    Raises
    ------
    SupportError
        If there is one cluster, the eliminated effect crosses the clusters, or the columns are too many.
    """

    def __init__(self, design: Design, fit: Fit, name: str) -> None:
        self.design, self.fit = design, fit
        self.units = units_of(design, name)
        effects = fit.projection.effects
        kept: list[int] = []
        if not isinstance(effects, SparseEffects):
            kept = (fit.projection.absorbed[effects.kept] + len(design.dense)).tolist()
        places = [CONSTANT if at == CONSTANT else int(fit.projection.places[at]) for at in fit.chosen.tolist()]
        if design.blocks.centre == "mean" and not fit.constant:
            kept.append(CONSTANT)  # the mean of a part of the sample is not that of the whole
        self.k, self.n_instruments = len(places), len(fit.model.instruments)
        columns = [*places, *fit.model.instruments, *kept]
        self.m = len(columns) + 1
        # The outcome may be a sum: places beyond the last column are added to it.
        self.places = np.array([*columns, *fit.outcomes], dtype=np.int64)
        if self.m > MAX_COLUMNS or isinstance(effects, SparseEffects):
            raise SupportError(
                f"refits by {name} would need the {len(fit.projection.absorbed):,} absorbed levels as columns; "
                "absorb fewer levels, or use lr.Clustered"
            )
        self._order = self._ordered()
        self.mean = self._means()
        self.total = self._totals()
        if self.n_clusters < 2:
            raise SupportError(f"refits by {name} need two clusters or more, and there is one")
        scale = np.sqrt(np.diag(self.total))
        self.scale = np.where(scale > 0, scale, 1.0)

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return self.design.sample.n_person if self._order is None else len(self._order.starts) - 1

    def _ordered(self) -> _Order | None:
        """Sort the rows by cluster, groups left together; None where clusters are persons in their order."""
        blocks, codes, sample = self.design.blocks, self.units.codes, self.design.sample
        if codes is None:
            return None
        if blocks.order is not None and blocks.offsets is not None:
            rows = blocks.order[: blocks.offsets[-1]]
            groups = np.repeat(np.arange(len(blocks.offsets) - 1), np.diff(blocks.offsets))
            people = blocks.people[rows] if blocks.people is not None else groups
        else:
            rows = np.arange(len(codes)) if sample.kept is None else np.flatnonzero(sample.kept)
            groups = people = np.repeat(np.arange(sample.panel.n_person_stored), sample.rows_of_persons())
        along = codes[rows]
        turn = np.argsort(along, kind="stable")
        rows, groups, people, along = rows[turn], groups[turn], people[turn], along[turn]
        starts = np.concatenate([[0], np.flatnonzero(np.diff(along)) + 1, [len(along)]])
        changes = np.flatnonzero((np.diff(along) != 0) | (np.diff(groups) != 0)) + 1
        groups = np.concatenate([[0], changes, [len(along)]])
        name = self.design.eliminated
        if name is not None and len(groups) - 1 > self.design.effects[name]:
            raise SupportError(
                f"'{name}' crosses the clusters of '{self.units.name}': refits without a cluster would cut its groups; "
                "use lr.Clustered, or clusters in which it lies"
            )
        targets = np.arange(0, len(rows), max(1, min(BLOCK_ROWS, BLOCK_ENTRIES // self.m)))
        edges = np.unique([0, *np.searchsorted(starts, targets), len(starts) - 1])
        return _Order(rows, people, starts, groups, [(int(first), int(last)) for first, last in pairwise(edges)])

    def _means(self) -> FloatArray:
        """Return what is taken out of each column where there are no groups."""
        moments = self.fit.moments
        everything = np.concatenate([moments.mean, moments.counts / moments.weight, [0.0]])
        centred = self.design.blocks.centre == "mean"
        found = everything[np.where(self.places == CONSTANT, len(everything) - 1, self.places)] * centred
        return np.asarray(self._folded(found))

    def _folded(self, rows: FloatArray) -> FloatArray:
        """Add the entries of a summed outcome up."""
        return np.concatenate([rows[: self.m - 1], rows[self.m - 1 :].sum(axis=0, keepdims=True)])

    def _totals(self) -> FloatArray:
        """Return the cross-products of all clusters together, from the first scan."""
        varying = self.places != CONSTANT
        out = np.zeros((len(self.places), len(self.places)))
        out[np.ix_(varying, varying)] = self.fit.moments.products(self.places[varying], self.places[varying])
        out[~varying, ~varying] = self.fit.moments.weight
        return self._folded(self._folded(out).T)

    def scan(self, function: Callable[[ClusterBlock], Found], *, label: str) -> list[Found]:
        """Apply a function to the clusters, a block after the other; results come in their order."""
        bounds = self.design.blocks.bounds if self._order is None else self._order.bounds
        blocks = Blocks(self.design.sample, self.design.blocks.centre, bounds)

        def run(numbers: list[int]) -> list[Found]:
            return [function(self._read(number)) for number in numbers]

        return [found for part in blocks.in_runs(run, size=1, label=label) for found in part]

    def _read(self, number: int) -> ClusterBlock:
        """Return the cross-products of one block's clusters."""
        block, ends = self._block(number)
        design = self.design
        dense, slots, weights, _ = design.read(block)
        columns = np.empty((len(self.places), block.n))
        for row, place in zip(columns, self.places.tolist(), strict=True):
            if place == CONSTANT:
                row[:] = 1.0
            elif place < len(dense):
                row[:] = dense[place]
            else:
                row[:] = (slots == place - len(dense)).any(axis=0)
        columns = self._folded(columns) if len(columns) > self.m else columns
        if design.blocks.centre == "groups":
            elimination.centre(columns, weights, block.starts)
        columns -= self.mean[:, None]
        if len(weights):
            columns *= np.sqrt(weights)
        products = np.empty((len(ends) - 1, self.m * (self.m + 1) // 2))
        kernel.group_products(np.ascontiguousarray(columns.T), ends, products)
        first = block.people[ends[:-1]] if self.units.codes is None else self.units.codes[_rows(block)[ends[:-1]]]
        return ClusterBlock(products, self.units.keys[first])

    def _block(self, number: int) -> tuple[Block, IntArray]:
        """Return the rows of a block and the first of each cluster."""
        order = self._order
        if order is None:
            block = self.design.blocks.block(number)
            return block, block.person_starts()
        first, last = order.bounds[number]
        ends = order.starts[first : last + 1]
        rows = order.rows[ends[0] : ends[-1]]
        inside = order.groups[np.searchsorted(order.groups, ends[0]) : np.searchsorted(order.groups, ends[-1]) + 1]
        starts = inside - ends[0] if self.design.blocks.centre == "groups" else np.array([0, len(rows)])
        people = order.people[ends[0] : ends[-1]].astype(np.int64)
        return Block(rows, people, starts.astype(np.int64)), (ends - ends[0]).astype(np.int64)

    # ---- algebra ----------------------------------------------------------------------------------------------------

    def full(self, products: FloatArray) -> FloatArray:
        """Return packed triangles as symmetric matrices, columns scaled to a unit total."""
        rows, columns = np.triu_indices(self.m)
        scaled = products / (self.scale[rows] * self.scale[columns])
        out = np.empty((*products.shape[:-1], self.m, self.m))
        out[..., rows, columns] = scaled
        out[..., columns, rows] = scaled
        return out

    @property
    def scaled_total(self) -> FloatArray:
        """The cross-products of all clusters together, scaled."""
        return np.asarray(self.total / np.outer(self.scale, self.scale))

    def coefficients(self, matrices: FloatArray) -> FloatArray:
        """Return the coefficients by (scaled) cross-products, NaN where a regressor cannot be told apart.

        Parameters
        ----------
        matrices : float64 of shape (n, m, m)

        Returns
        -------
        float64 of shape (n, k)
        """
        k, last = self.k, self.m - 1
        effects = np.arange(k + self.n_instruments, last)
        regressors = np.concatenate([np.arange(k), effects])
        if not self.n_instruments:
            found = solved(matrices[:, regressors[:, None], regressors], matrices[:, regressors, last], k)
        else:
            n_endogenous, at = len(self.fit.model.endogenous), 1 if self.fit.constant else 0
            exogenous = np.delete(np.arange(k), np.arange(at, at + n_endogenous))
            given = np.concatenate([exogenous, np.arange(k, last)])
            first = matrices[:, given[:, None], given]
            stage = np.linalg.pinv(first, rcond=SINGULAR, hermitian=True) @ matrices[:, given[:, None], regressors]
            turned = np.swapaxes(stage, 1, 2)
            products = turned @ matrices[:, given[:, None], regressors]
            right = (turned @ matrices[:, given, last][..., None])[..., 0]
            found = solved(products, right, k)
        found = found * (self.scale[last] / self.scale[:k])
        if self.fit.constant:
            found[:, 0] += self.mean[last]
        return np.asarray(found)


def _rows(block: Block) -> IntArray:
    assert isinstance(block.rows, np.ndarray)
    return block.rows


def solved(matrices: FloatArray, right: FloatArray, k: int) -> FloatArray:
    """Solve many symmetric systems; the first k unknowns, NaN where they are not determined.

    A level of an effect that only the cluster left out had is without a say on the others.
    """
    out = np.full((len(matrices), k), np.nan)
    try:
        lower = np.linalg.cholesky(matrices)
        weak = (np.diagonal(lower, axis1=1, axis2=2) ** 2).min(axis=1, initial=1.0) < SINGULAR
    except np.linalg.LinAlgError:
        weak = np.linalg.eigvalsh(matrices)[:, 0] < SINGULAR
    strong = ~weak
    out[strong] = np.linalg.solve(matrices[strong], right[strong][..., None])[:, :k, 0]
    for at in np.flatnonzero(weak):
        values, vectors = np.linalg.eigh(matrices[at])
        none = values < SINGULAR
        if np.abs(vectors[:k, none]).max(initial=0.0) < UNTOUCHED:
            kept = vectors[:, ~none]
            out[at] = (kept @ ((kept.T @ right[at]) / values[~none]))[:k]
    return out


def leave_one_out(clusters: ClusterMoments) -> FloatArray:
    """Return the coefficients without each cluster, in the order of the clusters: float64 of shape (G, k).

    Raises
    ------
    NotIdentifiedError
        If a coefficient hangs on one cluster.
    """
    total = clusters.scaled_total

    def refit(block: ClusterBlock) -> FloatArray:
        return clusters.coefficients(total - clusters.full(block.products))

    found = np.concatenate(clusters.scan(refit, label="leaving clusters out"))
    if lost := int(np.isnan(found).any(axis=1).sum()):
        raise NotIdentifiedError(
            f"without {lost:,} of {len(found):,} clusters of '{clusters.units.name}' a coefficient cannot be estimated"
        )
    return found
