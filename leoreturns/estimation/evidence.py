"""Evidence per coefficient for output checks: how many persons stand behind it, and how much the largest one does.

A coefficient is the regression of the outcome on its own regressor with all others taken out; a person's share is that
of the squares of this residual. One over the sum of squared shares is the number of persons of equal weight that the
coefficient is worth: a dummy for one person has 1.0 whatever the number of rows.

The outcome may be of one person where the regressor is of many: of a group in which one person alone has pay, the
coefficient tells that pay. The same shares are therefore taken of the squares times the size of the outcome, apart on
the rows where the residual is above nought and below: on those that a dummy marks, and those it is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leoreturns._core import scores as kernel
from leoreturns._core import sketch
from leoreturns._typing import AnyArray, FloatArray, UIntArray
from leoreturns.estimation.design import CONSTANT, Design, Variables
from leoreturns.estimation.fits import Fit
from leoreturns.estimation.sample import Sample
from leoreturns.estimation.scores import Scored
from leoreturns.panel.rows import BLOCK, slices
from leoreturns.results.evidence import FitEvidence

SHARES, LARGEST, OFF_MODE, LEVERAGE, CONTRIBUTED = range(5)  # the last of as many rows as there are sides, twice


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PersonShares:
    """The numbers of every coefficient; see `numbers_of`.

    Attributes
    ----------
    modes : float64 of shape (c,)
        The most frequent value of each dense column.
    zero_or_one : frozenset of int
        Places of the outcomes that are nothing else.
    """

    modes: FloatArray
    zero_or_one: frozenset[int]

    def zeros(self, fit: Fit) -> FloatArray:
        """Return the array of no rows."""
        return np.zeros((CONTRIBUTED + 2 * self.n_sides(fit), len(fit.beta)))

    def n_sides(self, fit: Fit) -> int:
        """Return how many groups of rows the outcome is looked at in: two, of ones and of zeros each."""
        return 4 if fit.model.outcome in self.zero_or_one else 2

    def merge(self, out: FloatArray, more: FloatArray) -> None:
        """Add what other persons give."""
        merge_numbers(out, more)

    def add(self, scored: Scored, out: FloatArray) -> None:
        """Add a block whose persons are whole."""
        kernel.person_evidence(
            scored.own,
            scored.regressors,
            self.off_mode(scored),
            self.sizes(scored),
            scored.block.person_starts(),
            1.0 / np.diag(scored.fit.inverse),
            _one_sided(scored),
            out,
        )

    def numbers(self, fit: Fit, gathered: FloatArray) -> FloatArray:
        """Return the numbers of the whole sample."""
        return gathered

    def sizes(self, scored: Scored) -> FloatArray:
        """Return the size of each row's outcome; below it, of ones and zeros, which are zero."""
        place, c = scored.fit.model.outcome, len(scored.design.dense)
        values = scored.dense[place] if place < c else (scored.slots == place - c).any(axis=0)
        sizes = scored.design.sizes(values)[None, :]
        if place in self.zero_or_one:
            sizes = np.concatenate([sizes, sizes == 0.0])
        return np.ascontiguousarray(sizes, dtype=np.float64)

    def off_mode(self, scored: Scored) -> AnyArray:
        """Return for each coefficient which rows have another value than the most frequent one."""
        c, fit = len(scored.design.dense), scored.fit
        out = np.zeros(scored.regressors.shape, dtype=np.uint8)
        for row, at in zip(out, fit.chosen.tolist(), strict=True):
            if at == CONSTANT:
                continue
            place = int(fit.projection.places[at])
            if place < c:
                row[:] = scored.dense[place] != self.modes[place]
            else:
                present = (scored.slots == place - c).any(axis=0)
                row[:] = present != (fit.projection.shares[place - c] > 0.5)
        return out


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScatteredShares(PersonShares):
    """The same where the rows are not in the order of the persons: their totals are kept until the end."""

    n_person: int

    def zeros(self, fit: Fit) -> FloatArray:
        """Return the array of no rows."""
        return np.zeros((self.n_person, (2 + self.n_sides(fit)) * len(fit.beta) + 1))

    def merge(self, out: FloatArray, more: FloatArray) -> None:
        """Add other rows."""
        out += more

    def add(self, scored: Scored, out: FloatArray) -> None:
        """Add a block."""
        own, scale, people = scored.own, 1.0 / np.diag(scored.fit.inverse), scored.block.people.astype(np.int32)
        leverage = np.einsum("ki,ki->i", own, scored.regressors)
        rows = np.concatenate([own * own * scale[:, None], self.off_mode(scored), leverage[None, :]])
        kernel.sum_codes(rows, people, out[:, : len(rows)])
        kernel.sum_sides(own, scale, _one_sided(scored), self.sizes(scored), people, out[:, len(rows) :].T)

    def numbers(self, fit: Fit, gathered: FloatArray) -> FloatArray:
        """Return the numbers of the whole sample."""
        k, by_person = len(fit.beta), np.ascontiguousarray(gathered.T)
        sides = by_person[2 * k + 1 :].reshape(self.n_sides(fit), k, len(gathered))
        return numbers_of(by_person[: 2 * k + 1], sides)


def effective_contributors(weights: FloatArray, outcomes: FloatArray) -> float:
    """Return the persons of equal weight to whom the outcome behind a mean belongs; of ones and zeros, the fewer.

    weights, outcomes : float64 of shape (n,)
    """
    parts = [np.abs(weights * outcomes)]
    if np.isin(outcomes, (0.0, 1.0)).all():
        parts.append(np.abs(weights) * (outcomes == 0.0))
    return min(float(part.sum() ** 2 / (part @ part)) if part.any() else 0.0 for part in parts)


def _one_sided(scored: Scored) -> AnyArray:
    """Return which regressors are compared with nothing: the constant."""
    out = np.zeros(len(scored.own), dtype=bool)
    out[:1] = scored.fit.constant
    return out.view(np.uint8)


def numbers_of(totals: FloatArray, contributed: FloatArray) -> FloatArray:
    """Return what some persons give: float64 of shape (CONTRIBUTED + 2 s, k).

    Sums of squared shares, largest shares, persons off the mode and the largest leverage; then, for each of s sides,
    the sum of the contributions and that of their squares.

    Parameters
    ----------
    totals : float64 of shape (2 k + 1, n)
        The persons' shares, their rows off the mode, and their leverages.
    contributed : float64 of shape (s, k, n)
        Their shares times the size of their outcome.
    """
    k = len(totals) // 2
    shares, off, leverage = totals[:k], totals[k : 2 * k], totals[-1]
    return np.stack(
        [
            np.einsum("ki,ki->k", shares, shares),
            shares.max(axis=1, initial=0.0),
            (off > 0).sum(axis=1).astype(np.float64),
            np.full(k, leverage.max(initial=0.0)),
            *(part for side in contributed for part in (side.sum(axis=1), np.einsum("ki,ki->k", side, side))),
        ]
    )


def merge_numbers(out: FloatArray, more: FloatArray) -> None:
    """Add the numbers of other persons."""
    largest = [LARGEST, LEVERAGE]
    most = np.maximum(out[largest], more[largest])
    out += more
    out[largest] = most


def shares_collector(design: Design, modes: FloatArray) -> PersonShares:
    """Return what gathers the evidence of a design's regressions."""
    outcomes = frozenset(model.outcome for model in design.models if _is_zero_or_one(design, model.outcome))
    if design.blocks.by_person or design.sample.n_row == design.sample.n_person:
        return PersonShares(modes, outcomes)
    return ScatteredShares(modes, outcomes, design.sample.panel.n_person_stored)


def _is_zero_or_one(design: Design, place: int) -> bool:
    """Whether a column has no other values; most that have do so in the first block."""
    columns = [part.values for part in design.dense[place].numbers] if place < len(design.dense) else []
    blocks = (values[first:last] for values in columns for first, last in slices(len(values), BLOCK))
    return all(bool(((part == 0) | (part == 1) | (part != part)).all()) for part in blocks)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SampleEvidence:
    """What the regressions of one sample share: its entities and, where they are known, its set of persons."""

    entities: dict[str, int]
    fingerprint: int | None
    sketch: tuple[int, ...] | None

    @classmethod
    def of(cls, sample: Sample, variables: Variables, *, known_persons: bool) -> SampleEvidence:
        """Count the entities and take the print of the persons."""
        names = [name for name, column in sample.panel.schema.columns.items() if column.entity]
        seen = {name: sample.observed(variables.coded((name,), labelled=False)) > 0 for name in names}
        entities = {name: int(found.sum()) for name, found in seen.items()}
        if not known_persons:
            return cls(entities, None, None)
        keys = sample.panel.keys[sample.rows_of_persons() > 0]
        return cls(entities, int(keys.sum(dtype=np.uint64)), _sketch(keys))


def evidence_of(design: Design, fit: Fit, numbers: FloatArray, shared: SampleEvidence) -> FitEvidence:
    """Return the evidence of one regression."""
    sample = design.sample
    eliminated = design.eliminated
    by_others = design.effects[eliminated] if eliminated and not design.blocks.by_person else 0
    # The mean is fitted as well, where levels without a constant are solved for about it.
    by_others += design.blocks.centre == "mean" and not fit.constant
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = 1.0 / numbers[SHARES]
        sums, squares = numbers[CONTRIBUTED::2], numbers[CONTRIBUTED + 1 :: 2]
        # Without a constant a side may have no row: the regressor is compared with nothing.
        nobody = np.inf if design.blocks.centre == "none" else 0.0
        contributors = np.where(squares > 0, sums**2 / squares, nobody).min(axis=0)
    return FitEvidence(
        names=fit.names,
        persons_off_mode=numbers[OFF_MODE].astype(np.int64),
        effective_persons=effective,
        largest_share=numbers[LARGEST],
        largest_leverage=float(numbers[LEVERAGE].max(initial=0.0)),
        rank=len(fit.beta),
        df_persons=sample.n_person - len(fit.beta) - fit.projection.effects.rank - by_others,
        saturated=_is_saturated(design, fit),
        entities=shared.entities,
        fingerprint=shared.fingerprint,
        sketch=shared.sketch,
        identified=shared.fingerprint is not None,
        effective_contributors=contributors,
    )


def _is_saturated(design: Design, fit: Fit) -> bool:
    """Whether the regression is a table of means: as many coefficients as distinct rows of its regressors.

    Numbers of few values, as dummies are, are categories too. Without a constant, rows of zeros are not fitted.
    """
    c, places = len(design.dense), fit.projection.places
    if design.eliminated or len(fit.projection.absorbed) or fit.model.endogenous:
        return False
    chosen = np.array([int(places[at]) for at in fit.chosen.tolist() if at != CONSTANT], dtype=np.int64)
    numbers, levels = chosen[chosen < c], chosen[chosen >= c] - c
    seen: set[bytes] = set()
    for number in range(len(design.blocks)):
        block = design.blocks.block(number)
        slots = design.slots_of(block)
        rows = np.concatenate([design.columns_of(block)[numbers], np.isin(slots, levels) * (slots + 1.0)])
        if not fit.constant:
            rows = rows[:, rows.any(axis=0)]
        seen |= {column.tobytes() for column in np.unique(rows, axis=1).T}
        if len(seen) > len(fit.beta):
            return False
    return True


def _sketch(keys: UIntArray) -> tuple[int, ...]:
    """Return the sketch of a set of persons, as tables have it of their cells."""
    members = np.empty((len(keys), sketch.ITEMS), dtype=np.uint64)
    sketch.person_powers(keys, members)
    out = np.empty((1, sketch.ITEMS), dtype=np.uint64)
    ends = np.array([0, len(keys)], dtype=np.int64)
    sketch.sketch_cells(np.ones(len(keys)), np.arange(len(keys), dtype=np.int32), ends, members, out, out.copy())
    return tuple(out[0].tolist())
