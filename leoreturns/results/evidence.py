"""FitEvidence: what an output check needs to know of a regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from leoreturns._typing import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FitEvidence:
    """The persons behind each coefficient and behind the whole regression.

    Attributes
    ----------
    names : tuple of str
        Coefficients.
    persons_off_mode : int64 of shape (k,)
        Persons with a value of the regressor other than its most frequent one; 0 for the intercept.
    effective_persons : float64 of shape (k,)
        One over the sum of squared shares of the persons in the squares of the regressor that the others, and the
        effects, leave: persons of equal weight that the coefficient is worth.
    largest_share : float64 of shape (k,)
        Of a single person.
    largest_leverage : float
        Of a single person on the fit of the regressors; 1 if a person is fitted exactly.
    rank : int
        Coefficients that could be told apart.
    df_persons : int
        Persons less coefficients and solved effects.
    saturated : bool
        Whether the regression is a table of means: categories only, one coefficient for each distinct row.
    entities : mapping of column -> int
        Schools, employers and other entities in the sample.
    fingerprint : int or None
        Sum of the 64-bit keys of the sample's persons; None where the data name none.
    sketch : tuple of int or None
        Sketch of the set of persons, as tables have it of their cells.
    identified : bool
        Whether the persons are known; else rows stand for persons.
    effective_contributors : float64 of shape (k,), optional
        Persons of equal weight to whom the outcome behind the coefficient belongs: `effective_persons` of the same
        squares times the size of the outcome, of those rows where they are of a value above what the others leave to
        expect, or of those below, whichever are fewer; of an outcome of ones and zeros, of either. None of estimates
        whose squares are the persons' weights in means.
    """

    names: tuple[str, ...]
    persons_off_mode: IntArray
    effective_persons: FloatArray
    largest_share: FloatArray
    largest_leverage: float
    rank: int
    df_persons: int
    saturated: bool
    entities: Mapping[str, int]
    fingerprint: int | None
    sketch: tuple[int, ...] | None
    identified: bool
    effective_contributors: FloatArray | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient."""
        columns = {
            "persons_off_mode": self.persons_off_mode,
            "effective_persons": self.effective_persons,
            "largest_share": self.largest_share,
            **({} if self.effective_contributors is None else {"effective_contributors": self.effective_contributors}),
        }
        return pd.DataFrame(columns, index=list(self.names))

    def __repr__(self) -> str:
        return f"<FitEvidence: {len(self.names):,} coefficients>"
