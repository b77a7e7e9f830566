"""SpecificationCurve: one coefficient under every combination of choices, in the order of its size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leoreturns._typing import FloatArray
from leoreturns.results.aggregate import CellKey
from leoreturns.results.estimate import INSIDE_ONLY, Estimate
from leoreturns.results.flow import MASKED_BELOW


@dataclass(frozen=True, slots=True)
class CurveTest:
    """Tests of no effect in any specification, by replicates drawn for all specifications together.

    Simonsohn, Simmons and Nelson (2020, Nature Human Behaviour 4).

    Attributes
    ----------
    p_median : float
        Of a median coefficient so far from zero.
    p_significant : float
        Of so large a share of specifications significant in the direction of the median.
    n_replicates : int
    """

    p_median: float
    p_significant: float
    n_replicates: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SpecificationCurve:
    """One coefficient under every combination of outcomes, controls, effects, samples and covariances.

    Attributes
    ----------
    name : str
        The coefficient.
    models : tuple of Estimate
        In the order of the coefficient, the smallest first.
    choices : mapping of str -> CellKey
        For each kind of choice ("outcome", "controls", "effects", "sample", "covariance") the labels, and which of them
        each model has; kinds with a single choice are left out, unless all are.
    level : float
        Of the intervals.
    test : CurveTest, optional
    """

    name: str
    models: tuple[Estimate, ...]
    choices: Mapping[str, CellKey]
    level: float
    test: CurveTest | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return one row per specification: its choices, the coefficient with its uncertainty, persons and rows."""
        rows = pd.DataFrame([model.to_frame(self.level).loc[self.name] for model in self.models]).reset_index(drop=True)
        counts = {
            "n_person": [model.n_person for model in self.models],
            "n_row": [model.n_row for model in self.models],
        }
        chosen = {kind: key.values() for kind, key in self.choices.items()}
        return pd.DataFrame(chosen).join(rows).assign(**counts)

    @property
    def coefficients(self) -> FloatArray:
        """The coefficient in every specification, ascending; float64 of shape (n,)."""
        return np.array([model.params[self.name] for model in self.models])

    @property
    def median(self) -> float:
        """Median of the coefficients."""
        return float(np.median(self.coefficients))

    def share_significant(self, level: float | None = None) -> float:
        """Return the share of specifications significant in the direction of the median, by two-sided tests."""
        size = 1.0 - (self.level if level is None else level)
        pvalues = np.array([model.pvalues[self.name] for model in self.models])
        return float(np.mean((pvalues < size) & (np.sign(self.coefficients) == np.sign(self.median))))

    def __repr__(self) -> str:
        head = f"Specification curve of {self.name}: {len(self.models):,} specifications"
        if any((model.n_row if model.n_person < 0 else model.n_person) < MASKED_BELOW for model in self.models):
            return f"{head}\nsome of fewer than {MASKED_BELOW} persons: coefficients are not shown\n{INSIDE_ONLY}"
        found = self.coefficients
        lines = [
            head,
            f"median {self.median:.4g}, from {found[0]:.4g} to {found[-1]:.4g}; "
            f"{100 * self.share_significant():.0f} per cent significant in its direction",
        ]
        if self.test is not None:
            lines.append(
                f"No effect in any: p = {self.test.p_median:.4f} of the median, {self.test.p_significant:.4f} of the "
                f"share significant ({self.test.n_replicates:,} replicates)"
            )
        return "\n".join([*lines, INSIDE_ONLY])
