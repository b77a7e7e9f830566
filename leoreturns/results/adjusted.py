"""AdjustedTests: several hypotheses, their p-values alone and adjusted for one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leoreturns._typing import FloatArray
from leoreturns.results.estimate import INSIDE_ONLY, Estimate
from leoreturns.results.flow import MASKED_BELOW


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AdjustedTests:
    """Tests of several coefficients, of one regression or many.

    Attributes
    ----------
    method : str
        How the p-values are adjusted, in words.
    models : mapping of label -> Estimate
        The regressions.
    tested : tuple of (label, str)
        Regression and coefficient of each hypothesis.
    t, p, p_adjusted : float64 of shape (s,)
        The statistics, the p-values of each hypothesis alone, and those adjusted for the others.
    """

    method: str
    models: Mapping[str, Estimate]
    tested: tuple[tuple[str, str], ...]
    t: FloatArray
    p: FloatArray
    p_adjusted: FloatArray

    def to_frame(self) -> pd.DataFrame:
        """Return one row per hypothesis, by ``regression`` and ``name``.

        Returns
        -------
        pandas.DataFrame
            Columns ``coefficient``, ``std_error``, ``t``, ``p`` and ``p_adjusted``.
        """
        places = [(self.models[label], self.models[label].names.index(name)) for label, name in self.tested]
        columns = {
            "coefficient": np.array([model.values[at] for model, at in places]),
            "std_error": np.array([np.sqrt(model.covariance[at, at]) for model, at in places]),
            "t": self.t,
            "p": self.p,
            "p_adjusted": self.p_adjusted,
        }
        return pd.DataFrame(columns, index=pd.MultiIndex.from_tuples(self.tested, names=["regression", "name"]))

    def __repr__(self) -> str:
        head = f"{len(self.tested):,} hypotheses, p-values adjusted by {self.method}"
        if any(
            (model.n_row if model.n_person < 0 else model.n_person) < MASKED_BELOW for model in self.models.values()
        ):
            return f"{head}\nsome of fewer than {MASKED_BELOW} persons: they are not shown\n{INSIDE_ONLY}"
        return f"{head}\n{self.to_frame().to_string(float_format='%.4g')}\n{INSIDE_ONLY}"
