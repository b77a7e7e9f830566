"""ContourChart: what an omitted variable would leave of a coefficient, over how much it explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.results.estimate import Estimate

Quantity: TypeAlias = Literal["coefficient", "t"]
BENCHMARK_COLUMNS = ("benchmark", "times", "r2_term", "r2_outcome")


def what_is_left(
    coefficient: float, error: float, df: float, r2_term: FloatArray, r2_outcome: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the coefficient and the standard error that an omitted variable would leave.

    Parameters
    ----------
    coefficient, error, df : float
        Of the regression without it.
    r2_term, r2_outcome : float64 arrays
        Partial R2 of the variable with the term and with the outcome.

    References
    ----------
    Cinelli and Hazlett (2020, J. Royal Statistical Society B 82), equations 6 and 7; the variable is taken to bring the
    coefficient towards zero.
    """
    bias = np.sqrt(r2_outcome * r2_term / (1 - r2_term)) * error * np.sqrt(df)
    spread = np.sqrt((1 - r2_outcome) / (1 - r2_term)) * error * np.sqrt(df / (df - 1))
    return coefficient - np.sign(coefficient) * bias, spread


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContourChart:
    """Contours of a coefficient, or its t, over the partial R2 of an omitted variable with the term and the outcome.

    Attributes
    ----------
    data : Estimate
        The regression, by least squares with its classical covariance.
    term : str
        The coefficient.
    benchmarks : pandas.DataFrame
        Points to compare with: columns ``benchmark``, ``times``, ``r2_term`` and ``r2_outcome``; may be empty.
    quantity : "coefficient" or "t"
        What the lines are of; that of no effect, or of the critical t, is drawn apart.
    level : float
        Of the test.
    title, x_label, y_label : str
        Texts; an empty label says what is drawn.
    """

    data: Estimate
    term: str
    benchmarks: pd.DataFrame
    quantity: Quantity = "coefficient"
    level: float = 0.95
    title: str = ""
    x_label: str = ""
    y_label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.data, Estimate):
            raise TypeError(f"a chart of contours draws an Estimate, not a {type(self.data).__name__}")
        if self.quantity not in get_args(Quantity):
            raise SupportError(f"contours are of the 'coefficient' or of 't', not of {self.quantity!r}")
        named = [self.term, *(self.benchmarks["benchmark"] if len(self.benchmarks) else ())]
        if unknown := [name for name in named if name not in self.data.names]:
            raise SupportError(f"no coefficient {unknown[0]!r}; there are {', '.join(self.data.names)}")
