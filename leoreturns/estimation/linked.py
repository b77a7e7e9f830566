"""LinkWeights: persons weighted for those who could not be linked, with what the estimated chances add to errors.

A mean under weights w = h(v) / p(x), of estimated chances of being linked p and, if they are stabilised, h, solves
moments that hang on the coefficients of both. If each linked unit adds psi to it, weights taken as known, then the
derivative of the mean with respect to the coefficients is the sum of psi times that of log w, and a person adds, linked
or not, his score in the model of being linked times its inverse information times that derivative (Newey and McFadden
1994; Wooldridge 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from leoreturns._typing import FloatArray, IntArray, Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.balance import effective_size
from leoreturns.estimation.covariates import Cells, Columns, Units
from leoreturns.estimation.propensity import Propensity
from leoreturns.estimation.variables import Numbers
from leoreturns.panel.panel import Panel

LINKED = 1  # the arm


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinkModel:
    """A model of being linked, on cells."""

    cells: Cells
    columns: Columns
    chances: Propensity

    def ratio(self) -> FloatArray:
        """Return the chance of being linked by unit."""
        found: FloatArray = self.chances.chances[self.cells.codes, LINKED]
        return found

    def through(self, arms: IntArray, influence: FloatArray) -> FloatArray:
        """Return what persons add through the coefficients to means that move with the log of the chance.

        Parameters
        ----------
        arms : int64 of shape (n,)
        influence : float64 of shape (m, n)
            What each person adds to m means, the chances taken as known.
        """
        codes, values, chances = self.cells.codes, self.columns.values, self.chances
        slope = chances.slopes[LINKED, :, 0] / chances.chances[:, LINKED]
        by_cell = np.stack([np.bincount(codes, row, minlength=self.cells.n) for row in influence])
        pull = values @ (chances.inverse @ ((by_cell * slope) @ values).T)
        found: FloatArray = (chances.residuals[arms, codes, 0][:, None] * pull[codes]).T
        return found


@dataclass(frozen=True, eq=False, repr=False)
class LinkWeights:
    """Weights of linked persons: microdata, held inside; its repr shows counts only.

    Give it to `treatment_effect` or `weight` as ``weights=``: effects are then those on all persons, linked or not, and
    their errors take the estimation of the chances into account.

    Attributes
    ----------
    panel : Panel
    linked : str
        Column of the indicator.
    names : tuple of str
        Columns that the weights rest on.
    units : Units
        Persons, linked or not.
    arms : int64 of shape (n,)
        1 for those who are linked.
    base : float64 of shape (n,), optional
        Sampling weights.
    below, above : LinkModel
        Of the chance that a person's weight is one over; and, where weights are stabilised, that it is multiplied by.
    """

    panel: Panel
    linked: str
    names: tuple[str, ...]
    units: Units
    arms: IntArray
    base: FloatArray | None
    below: LinkModel
    above: LinkModel | None

    def __reduce__(self) -> NoReturn:
        raise TypeError("weights of linked persons hold persons and are not pickled; take the effects")

    def weights(self) -> FloatArray:
        """Return the weight of every unit, NaN where it is not linked."""
        found = 1.0 / self.below.ratio()
        found = found if self.above is None else found * self.above.ratio()
        found = found if self.base is None else found * self.base
        return np.where(self.arms == LINKED, found, np.nan)

    def __repr__(self) -> str:
        weights = self.weights()
        own = weights[self.arms == LINKED]
        return f"<LinkWeights: {len(own):,} of {self.units.n:,} persons linked, effective {effective_size(own):,.0f}>"


def along(links: LinkWeights, panel: Panel) -> tuple[Weights, Numbers]:
    """Return the weights along the stored persons of a panel, missing for all who have none."""
    name = f"weight of {links.linked}"
    values = np.full(panel.n_person_stored, np.nan)
    values[_people(links, panel)] = links.weights()
    return Weights(name, "probability"), Numbers(name, values, "person")


def through_links(
    links: LinkWeights, panel: Panel, people: IntArray, influence: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return what persons add to means through the estimated chances of being linked.

    Parameters
    ----------
    links : LinkWeights
    panel : Panel
        Of the means.
    people : int64 of shape (n_units,)
        Stored persons of its units.
    influence : float64 of shape (m, n_units)
        What the units add to m means, the weights taken as known.

    Returns
    -------
    (int64 of shape (n,), float64 of shape (m, n))
        The stored persons, linked or not, and what they add.
    """
    own = _people(links, panel)
    place = np.empty(panel.n_person_stored, dtype=np.int64)
    place[own] = np.arange(len(own))
    gathered = np.zeros((len(influence), len(own)))
    for row, values in zip(gathered, influence, strict=True):
        np.add.at(row, place[people], values)
    found = -links.below.through(links.arms, gathered)
    if links.above is not None:
        found += links.above.through(links.arms, gathered)
    return own, found if links.base is None else found * links.base


def _people(links: LinkWeights, panel: Panel) -> IntArray:
    """Return where the units stand among the stored persons of a panel."""
    found = panel.ids.positions(links.panel.ids)[links.units.people]
    if missing := int((found < 0).sum()):
        raise SupportError(
            f"{missing:,} of {len(found):,} persons of the weights are not in the data: estimate them on the same "
            "data, from persons who are named"
        )
    return found
