"""What persons whose outcomes are known tell of an effect where others' are not: trimming and worst cases.

Both work in cells of covariates, within which the arms are alike, and weigh the cells by the persons whom the effect is
taken over. With every number comes what each unit adds to its error, so that clusters add up.

Trimming (Lee 2009): whoever has an outcome in the arm where fewer have one would have it in the other arm too. Of the
known outcomes of that other arm a share kappa, the ratio of the arms' shares known, are of such persons; their mean is
at least that of the lowest share kappa of the outcomes and at most that of the highest. Worst cases (Horowitz and
Manski 2000): nothing is assumed of the outcomes that are not known but that they lie between two numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from leoreturns._typing import BoolArray, FloatArray, IntArray

ROUND_OFF = 1e-9  # of a person: shares that leave nothing of the next one do so but for their last digits


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Known:
    """Units of two arms, of some of whom the outcome is known: microdata, held inside.

    Attributes
    ----------
    cells : int64 of shape (n,)
        Numbered without gaps.
    arms : int64 of shape (n,)
        0 and 1; every cell has both.
    known : bool of shape (n,)
    outcome : float64 of shape (n,)
        Zero where it is not known.
    weights : float64 of shape (n,)
    target : float64 of shape (n,)
        Weights of the persons whom the effect is taken over.
    """

    cells: IntArray
    arms: IntArray
    known: BoolArray
    outcome: FloatArray
    weights: FloatArray
    target: FloatArray

    @property
    def groups(self) -> IntArray:
        """Cell and arm of each unit as one number: twice the cell, and one for arm 1."""
        return 2 * self.cells + self.arms

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return 2 * (int(self.cells.max()) + 1)

    def totals(self, values: FloatArray) -> FloatArray:
        """Add up values by group; shape (n_groups,)."""
        return np.bincount(self.groups, values, minlength=self.n_groups).astype(np.float64)

    def shares(self) -> FloatArray:
        """Return the share of each group whose outcome is known; shape (n_groups,)."""
        return self.totals(self.weights * self.known) / self.totals(self.weights)


class Bound(NamedTuple):
    """One number, and what each unit does to it.

    Attributes
    ----------
    value : float
    influence : float64 of shape (n,)
        What each unit adds to the number's error; they sum to zero.
    parts : float64 of shape (n,)
        Weight of each unit's outcome in the mean of its arm, per arm about one.
    """

    value: float
    influence: FloatArray
    parts: FloatArray


class Tail(NamedTuple):
    """Means of the lowest, or highest, known outcomes of every group.

    Attributes
    ----------
    mean, edge : float64 of shape (n_groups,)
        The mean, and the outcome at which the rest begins.
    kept : float64 of shape (n,)
        Part of each unit that belongs to them.
    """

    mean: FloatArray
    edge: FloatArray
    kept: FloatArray


def tails(units: Known, shares: FloatArray, *, lowest: bool) -> Tail:
    """Take the lowest, or highest, share of the known outcomes of every group.

    A unit at the edge belongs to it in part, so that the share is met exactly and ties are nobody's choice.

    Parameters
    ----------
    units : Known
    shares : float64 of shape (n_groups,)
        Above 0, at most 1.
    lowest : bool
    """
    sign = 1.0 if lowest else -1.0
    rows = np.flatnonzero(units.known)
    rows = rows[np.lexsort((sign * units.outcome[rows], units.groups[rows]))]
    group, weight = units.groups[rows], units.weights[rows]
    wanted = shares * units.totals(units.weights * units.known)
    first = np.searchsorted(group, np.arange(units.n_groups))
    before = np.cumsum(weight) - weight
    taken = np.clip(wanted[group] - (before - before[first][group]), 0.0, weight)
    taken[taken < ROUND_OFF * weight] = 0.0
    kept = np.zeros(len(units.known))
    kept[rows] = taken / weight
    sums = np.bincount(group, taken * units.outcome[rows], minlength=units.n_groups)
    edge = np.empty(units.n_groups)
    inside = taken > 0
    edge[group[inside]] = units.outcome[rows[inside]]  # the last of a group stays
    return Tail(sums / wanted, edge, kept)


def trimmed(units: Known) -> tuple[Bound, Bound]:
    """Bound the mean effect on those whose outcome would be known in either arm, by trimming (Lee 2009).

    In every cell the arm is trimmed in which more outcomes are known. Cells weigh what persons of the target with an
    outcome in either arm there are.

    Returns
    -------
    (Bound, Bound)
        From below and from above. Their influences make the variance of Lee's proposition 3, and with cells take
        their weights as estimated.
    """
    shares = units.shares().reshape(-1, 2)
    both = shares.min(axis=1)
    kept = both[:, None] / shares
    low, high = (tails(units, kept.ravel(), lowest=lowest) for lowest in (True, False))
    persons = np.bincount(units.cells, units.target, minlength=len(both)).astype(np.float64)
    return (
        _trimmed_bound(units, (high, low), shares, kept, persons),
        _trimmed_bound(units, (low, high), shares, kept, persons),
    )


def _trimmed_bound(
    units: Known, sides: tuple[Tail, Tail], shares: FloatArray, kept: FloatArray, persons: FloatArray
) -> Bound:
    """Return the mean over cells of the mean of arm 1, one tail, less that of arm 0, another tail.

    Parameters
    ----------
    units : Known
    sides : (Tail, Tail)
        Of arm 0 and arm 1.
    shares, kept : float64 of shape (n_cells, 2)
        Share of each arm that is known, and of the known that is kept.
    persons : float64 of shape (n_cells,)
        Of the target.
    """
    cells, groups = units.cells, units.groups
    both = shares.min(axis=1)
    gaps = sides[1].mean[1::2] - sides[0].mean[::2]
    cell_weights = persons * both / (persons @ both)
    value = float(cell_weights @ gaps)
    influence, parts = np.zeros(len(cells)), np.zeros(len(cells))
    known = units.totals(units.weights * units.known)
    slopes = np.zeros(len(both))  # of the gap, with the share of the trimmed arm that is kept
    for arm, tail in enumerate(sides):
        own, mean, edge = units.arms == arm, tail.mean, tail.edge
        share = kept[cells, arm]
        one = np.where(own & units.known, units.weights, 0.0) / (share * known[groups]) * cell_weights[cells]
        parts += one * tail.kept
        inside = tail.kept * (units.outcome - edge[groups]) - share * (mean - edge)[groups]
        influence += (1 if arm else -1) * one * inside
        cut = kept[:, arm] < 1
        slopes += (1 if arm else -1) * np.where(cut, ((edge - mean)[arm::2]) / kept[:, arm], 0.0)
    # The arm in which fewer are known decides the share that is kept, and the persons of the cell.
    fewer = shares.argmin(axis=1)
    is_fewer = units.arms == fewer[cells]
    surprise = units.weights * (units.known - shares.ravel()[groups]) / units.totals(units.weights)[groups]
    ratio = kept.min(axis=1)
    turned = np.where(is_fewer, 1.0, -1.0) * surprise / shares.ravel()[groups]
    influence += (cell_weights * slopes * ratio)[cells] * turned
    off = (gaps - value) / (persons @ both)
    influence += off[cells] * (units.target * both[cells] + np.where(is_fewer, persons[cells] * surprise, 0.0))
    return Bound(value, influence, parts)


def worst_case(units: Known, ends: tuple[float, float]) -> tuple[Bound, Bound]:
    """Return the means of arm 0 and arm 1 with one number in place of the outcomes that are not known.

    Parameters
    ----------
    units : Known
    ends : (float, float)
        The number in each arm: the ends of the outcome's range, in opposite arms, bound the effect.
    """
    persons = np.bincount(units.cells, units.target, minlength=units.n_groups // 2)
    cell_weights = persons / persons.sum()
    totals = units.totals(units.weights)
    found = []
    for arm, end in enumerate(ends):
        own = units.arms == arm
        values = np.where(units.known, units.outcome, end)
        means = (units.totals(units.weights * values) / totals)[arm::2]
        value = float(cell_weights @ means)
        one = np.where(own, units.weights, 0.0) / totals[units.groups] * cell_weights[units.cells]
        influence = one * (values - means[units.cells])
        influence += (means - value)[units.cells] * units.target / persons.sum()
        found.append(Bound(value, influence, one * units.known))
    return found[0], found[1]


def share_known(units: Known, arm: int) -> Bound:
    """Return the share of an arm whose outcome is known."""
    own = np.where(units.arms == arm, units.weights, 0.0)
    own /= own.sum()
    value = float(own @ units.known)
    return Bound(value, own * (units.known - value), own)
