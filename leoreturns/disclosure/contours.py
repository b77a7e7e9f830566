"""Protection of a coefficient and of what omitted variables would leave of it."""

from __future__ import annotations

import numpy as np

from leoreturns.disclosure.estimates import (
    COEFFICIENT,
    REASONS,
    check_levels,
    hidden_coefficients,
    protected_column,
)
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.rounding import Rounding
from leoreturns.results.aggregate import CellKey
from leoreturns.results.contour_chart import ContourChart, what_is_left
from leoreturns.results.protected import ProtectedTable


def protect_contours(chart: ContourChart, policy: Policy) -> ProtectedTable:
    """Apply the rules and the rounding of a policy to a coefficient and what omitted variables would leave of it.

    Returns
    -------
    ProtectedTable
        One cell for the coefficient as it was estimated, then one per benchmark.
    """
    model, points = chart.data, chart.benchmarks
    hidden = hidden_coefficients(model, policy)
    check_levels(model.names, hidden > 0)
    at = model.names.index(chart.term)
    own = [model.names.index(name) for name in points["benchmark"]] if len(points) else []
    why = [int(hidden[at]), *(int(hidden[at] or hidden[other]) for other in own)]
    shares = np.zeros((2, len(why)))
    if own:
        shares[:, 1:] = points[["r2_term", "r2_outcome"]].to_numpy(dtype=np.float64).T
    error = float(np.sqrt(model.covariance[at, at]))
    left, spread = what_is_left(float(model.values[at]), error, model.df_resid, *shares)
    left[0], spread[0] = model.values[at], error
    share, ratio = (Rounding(unit, "sigfig", policy.ratio_sigfig) for unit in ("share", "ratio"))
    number = Rounding("units of the outcome", "sigfig", policy.estimate_sigfig)
    columns = [
        protected_column("r2_term", "", shares[0], why, share, policy),
        protected_column("r2_outcome", "", shares[1], why, share, policy),
        protected_column(COEFFICIENT, "", left, why, number, policy),
        protected_column(COEFFICIENT, "se", spread, why, number, policy),
        protected_column("t", "", left / spread, why, ratio, policy),
        protected_column(
            "df", "", np.full(len(why), model.df_resid), why, Rounding("count", "multiple", policy.count_base), policy
        ),
    ]
    labels = ["none"]
    if own:
        labels += [f"{times} x {name}" for name, times in zip(points["benchmark"], points["times"], strict=True)]
    return ProtectedTable(
        variable=f"coefficient of {chart.term} that an omitted variable would leave",
        keys={"omitted": CellKey(tuple(labels), np.arange(len(why)))},
        columns={column.name: column for column in columns},
        reasons=REASONS,
    )
