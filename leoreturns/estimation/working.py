"""The working columns of Poisson regression: what one Newton step regresses on what, made anew from the coefficients.

A step of Newton's method on the likelihood with log link is a least squares regression of (y - mu) / mu on the
regressors and effects, with weights mu. Given the other coefficients the eliminated effect has a closed form, the ratio
of a group's sums of y and of exp(index) (Hausman, Hall and Griliches 1984, Econometrica 52), so that mu is made while a
block is in cache: no array of the rows' length is kept from one step to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._core import elimination
from leoreturns._typing import AnyArray, FloatArray, IntArray
from leoreturns.estimation.blocks import Block
from leoreturns.estimation.columns import taken
from leoreturns.estimation.design import CONSTANT, Design, Rows
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.variables import Numbers

LOWEST, HIGHEST = -230.0, 230.0  # of the index, in groups about its largest: exp() of it can be squared


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Index:
    """A linear index of a design's columns and levels; the eliminated effect is not part of it.

    Attributes
    ----------
    dense : float64 of shape (c,)
    levels : float64 of shape (q,)
    constant : float
    """

    dense: FloatArray
    levels: FloatArray
    constant: float

    @classmethod
    def zero(cls, design: Design, constant: float = 0.0) -> Index:
        """Return an index without slopes."""
        return cls(np.zeros(len(design.dense)), np.zeros(design.n_slots), constant)

    @classmethod
    def of(cls, design: Design, fit: Fit) -> Index:
        """Return the index that a regression fits."""
        places, found = fit.projection.places, cls.zero(design, float(fit.residual @ fit.projection.mean))
        own = places < len(design.dense)
        found.dense[places[own]] = -fit.residual[own]
        found.dense[fit.model.outcome] = 0.0
        found.levels[:] = fit.residual @ fit.projection.table
        return found

    def moved(self, step: Index, scale: float) -> Index:
        """Return the index some way along a step."""
        return Index(
            self.dense + scale * step.dense,
            self.levels + scale * step.levels,
            self.constant + scale * step.constant,
        )

    def coefficients(self, fit: Fit) -> FloatArray:
        """Return those of a regression's regressors."""
        everything = np.concatenate([self.dense, self.levels, [self.constant]])
        return everything[[CONSTANT if at == CONSTANT else fit.projection.places[at] for at in fit.chosen.tolist()]]

    def on_rows(self, dense: FloatArray, slots: AnyArray) -> FloatArray:
        """Return the index on a block's rows."""
        out = np.ascontiguousarray((self.dense @ dense + self.constant)[None, :])
        elimination.residualise(out, slots, -self.levels[None, :])
        return np.asarray(out[0])


@dataclass(frozen=True, eq=False, repr=False)
class PoissonDesign(Design):
    """A design whose columns are read as those of one Newton step.

    Attributes
    ----------
    offset : Numbers, optional
        Part of the index with the coefficient one.
    index : Index, optional
        Where the step begins. Without one, it begins with means halfway between each outcome and its group's mean.
    total : float
        Sum of the weights as they were given.
    level : float
        Mean of the outcome, which stands for the group's where there are no groups.
    """

    offset: Numbers | None = None
    index: Index | None = None
    total: float = 0.0
    level: float = 0.0

    def observations(self, weight: float) -> float:
        """Count the rows, or with frequency weights those that they stand for, whatever the step's own weights."""
        return super().observations(self.total)

    def sizes(self, outcome: AnyArray) -> FloatArray:
        """Return the outcome over its mean, which the step's weights have in them, from the working outcome."""
        return np.asarray(outcome + 1.0)

    def offset_of(self, block: Block) -> FloatArray:
        """Return the offset on a block's rows."""
        if self.offset is None:
            return np.zeros(block.n)
        return np.asarray(taken(self.offset.values, self.offset.level, block), dtype=np.float64)

    def read(self, block: Block) -> Rows:
        """Return the step's columns and weights; the outcome is the working outcome."""
        dense, slots, given, _ = super().read(block)
        outcome = dense[self.models[0].outcome]
        offset = self.offset_of(block)
        if self.index is None:
            log_mu = np.log((outcome + self._level_of_rows(outcome, given, block.starts)) / 2.0)
        else:
            log_mu = self.index.on_rows(dense, slots) + offset
            if self.blocks.centre == "groups":
                log_mu = with_groups(log_mu, outcome, given, block.starts)
            else:
                np.clip(log_mu, LOWEST, HIGHEST, out=log_mu)
        mu = np.exp(log_mu)
        deviance = deviances(outcome, mu, log_mu)
        outcome -= mu
        outcome /= mu
        if self.index is None:
            outcome += log_mu - offset
        if not len(given):
            return Rows(dense, slots, mu, float(deviance.sum()))
        return Rows(dense, slots, given * mu, float(given @ deviance))

    def _level_of_rows(self, outcome: FloatArray, weights: FloatArray, starts: IntArray) -> FloatArray | float:
        """Return the mean outcome of each row's group."""
        if self.blocks.centre != "groups":
            return self.level
        totals = np.add.reduceat(weights * outcome if len(weights) else outcome, starts[:-1])
        sizes = np.diff(starts)
        return np.repeat(totals / (np.add.reduceat(weights, starts[:-1]) if len(weights) else sizes), sizes)


def with_groups(index: FloatArray, outcome: FloatArray, weights: FloatArray, starts: IntArray) -> FloatArray:
    """Return the log means with each group's effect: that under which its means add up to its outcomes.

    Parameters
    ----------
    index, outcome : float64 of shape (n,)
    weights : float64 of shape (n,) or (0,)
    starts : int64 of shape (n_groups + 1,)
        No group is empty, and each has a positive outcome.
    """
    index, effects = _effects(index, outcome, weights, starts)
    index += np.repeat(effects, np.diff(starts))
    return index


def group_effects(index: FloatArray, outcome: FloatArray, weights: FloatArray, starts: IntArray) -> FloatArray:
    """Return the groups' effects themselves: float64 of shape (n_groups,); see `with_groups`."""
    return _effects(index, outcome, weights, starts)[1] - np.maximum.reduceat(index, starts[:-1])


def _effects(
    index: FloatArray, outcome: FloatArray, weights: FloatArray, starts: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the index about the largest of the group, so that no exponential overflows, and the effects beside it."""
    first, sizes = starts[:-1], np.diff(starts)
    index = np.maximum(index - np.repeat(np.maximum.reduceat(index, first), sizes), LOWEST)
    fitted = np.exp(index)
    if len(weights):
        fitted *= weights
        outcome = outcome * weights
    return index, np.log(np.add.reduceat(outcome, first) / np.add.reduceat(fitted, first))


def deviances(outcome: FloatArray, mu: FloatArray, log_mu: FloatArray) -> FloatArray:
    """Return each row's contribution to the deviance, ``2 (y log(y / mu) - (y - mu))``, without its weight."""
    logs = np.zeros_like(mu)
    np.log(outcome, out=logs, where=outcome > 0)
    return np.asarray(2.0 * (outcome * (logs - log_mu) - (outcome - mu)))
