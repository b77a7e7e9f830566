"""What effects of weighted units are of, and what stands behind them: persons, their weights and the largest share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.estimation.evidence import SampleEvidence, effective_contributors
from leoreturns.results.aggregate import CellKey
from leoreturns.results.effect import COMPARISON
from leoreturns.results.evidence import FitEvidence


def evidence_of_weights(
    names: tuple[str, ...],
    parts: Sequence[tuple[FloatArray, FloatArray]],
    outcomes: Sequence[tuple[FloatArray, FloatArray]],
    focal: tuple[int, ...],
    rank: int,
    shared: SampleEvidence,
) -> FitEvidence:
    """Return the persons behind each number, and their weights; an effect has the weaker arm's.

    Behind a mean are those whose outcomes it has and those who were matched, over whom it is taken, whichever are
    fewer. An effect that could be shown without one of its means would tell it.

    Parameters
    ----------
    names : tuple of str
        Of the effects of all parts, then of the means of each, that of the treated first.
    parts : sequence of (float64, float64)
        Weights, none of them zero, of the treated and of the controls; the first part is everybody.
    outcomes : sequence of (float64, float64)
        Outcomes of the same persons.
    focal : tuple of int
        Arms that the effect is taken over.
    rank : int
        Columns of the covariates.
    shared : SampleEvidence
    """
    found, leverage = [], 0.0
    for arms in parts:
        for weight in arms:
            squares = (weight / weight.sum()) ** 2
            total = squares.sum()
            found.append((len(weight), total**2 / (squares @ squares), squares.max() / total))
            leverage = max(leverage, float(np.sqrt(squares.max())))
    contributors = np.array(
        [
            [effective_contributors(*each) for each in zip(*both, strict=True)]
            for both in zip(parts, outcomes, strict=True)
        ]
    )
    persons, effective, share = (np.array(column).reshape(-1, 2) for column in zip(*found, strict=True))
    over = [arm in focal for arm in (1, 0)]
    behind = np.minimum(persons, persons[:, over].min(axis=1, keepdims=True)) if sum(over) == 1 else persons
    return FitEvidence(
        names=names,
        persons_off_mode=np.concatenate([behind.min(axis=1), behind.ravel()]).astype(np.int64),
        effective_persons=np.concatenate([effective.min(axis=1), effective.ravel()]),
        largest_share=np.concatenate([share.max(axis=1), share.ravel()]),
        largest_leverage=leverage,
        rank=rank,
        df_persons=int(persons[0].sum()) - rank,
        saturated=False,
        entities=shared.entities,
        fingerprint=shared.fingerprint,
        sketch=shared.sketch,
        identified=shared.fingerprint is not None,
        effective_contributors=np.concatenate([contributors.min(axis=1), contributors.ravel()]),
    )


def subclass_keys(labels: tuple[str, ...], n_parts: int) -> dict[str, CellKey]:
    """Return what each number is of: effects of everybody and each subclass, then both means of each.

    Parameters
    ----------
    labels : tuple of str
        Of the controls and of the treated.
    n_parts : int
        Subclasses and one more.
    """
    control, treated = labels
    parts = np.arange(n_parts)
    comparisons = (f"{treated} v {control}", f"mean {treated}", f"mean {control}")
    subclasses = ("all", *(str(at) for at in parts[1:]))
    return {
        COMPARISON: CellKey(comparisons, np.concatenate([0 * parts, np.tile([1, 2], n_parts)])),
        "subclass": CellKey(subclasses, np.concatenate([parts, np.repeat(parts, 2)])),
    }
