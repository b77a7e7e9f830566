"""Balance: how alike two arms are in their covariates, before and after an adjustment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from leoreturns._typing import FloatArray, IntArray
from leoreturns.results.estimate import INSIDE_ONLY
from leoreturns.results.flow import MASKED_BELOW

MEASURES = ("mean_treated", "mean_control", "smd", "variance_ratio", "ecdf_mean", "ecdf_max")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Balance:
    """Means, standardised differences, variance ratios and distances between distribution functions, by covariate.

    Attributes
    ----------
    names : tuple of str
    before, after : float64 of shape (k, 6)
        In the order of ``MEASURES``; the variance ratio is NaN for indicators.
    persons : mapping of arm -> int
        Before.
    effective : mapping of arm -> float
        After: effective persons, ``(sum w)^2 / sum w^2`` (Kish 1965).
    estimand : str
        Whose spread standardises: the treated's for ATT, the controls' for ATC, else the mean of both variances.
    off_mode : int64 of shape (k, 2)
        Before and after: persons whose value is not the most frequent of their arm, in the arm that has fewer.
    largest_share : mapping of arm -> float
        After: the part of an arm's squared weights that one person makes up.
    identified : bool
        Whether the data name the persons; a release needs them.
    """

    names: tuple[str, ...]
    before: FloatArray
    after: FloatArray
    persons: Mapping[str, int]
    effective: Mapping[str, float]
    estimand: str
    off_mode: IntArray
    largest_share: Mapping[str, float]
    identified: bool = False

    def to_frame(self) -> pd.DataFrame:
        """Return one row per covariate, the measures before and after."""
        parts = {
            when: pd.DataFrame(values, index=list(self.names), columns=list(MEASURES))
            for when, values in (("before", self.before), ("after", self.after))
        }
        return pd.concat(parts, axis=1)

    @property
    def largest(self) -> float:
        """Largest standardised difference after the adjustment, in absolute value."""
        return float(np.abs(self.after[:, MEASURES.index("smd")]).max(initial=0.0))

    def __repr__(self) -> str:
        if min(self.persons.values()) < MASKED_BELOW:
            return f"balance of an arm of fewer than {MASKED_BELOW} persons is not shown\n{INSIDE_ONLY}"
        counts = ", ".join(
            f"{label}: {count:,} persons, effective {self.effective[label]:,.0f}"
            for label, count in self.persons.items()
        )
        frame = self.to_frame().to_string(float_format=lambda number: f"{number:.4g}")
        return f"{frame}\n{counts}\n{INSIDE_ONLY}"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"
