"""Protection of the chart of effects along years or groups: each interval and the band that all of them lie in."""

from __future__ import annotations

from leoreturns.disclosure.estimates import (
    COEFFICIENT,
    COLUMNS,
    REASONS,
    check_groups,
    hidden_coefficients,
    number_columns,
    uncertain,
)
from leoreturns.disclosure.policy import Policy
from leoreturns.results.aggregate import CellKey
from leoreturns.results.coefficient_chart import EffectChart
from leoreturns.results.protected import ProtectedTable

BANDS = {name: COLUMNS[name] for name in ("coefficient", "std_error", "low", "high")}
BANDS |= {name: (COEFFICIENT, name) for name in ("band_low", "band_high")}


def protect_effects(chart: EffectChart, policy: Policy) -> ProtectedTable:
    """Apply the rules and the rounding of a policy to the effects that a chart draws, with their intervals and bands.

    Parameters
    ----------
    chart : EffectChart
    policy : Policy

    Returns
    -------
    ProtectedTable
        One cell per effect by the keys of the estimate.
    """
    fit, n = chart.data, chart.data.n_effects
    why = hidden_coefficients(fit, policy)
    unsure = uncertain(fit, why, policy)[:n].tolist()
    check_groups(fit, why > 0)
    frame = fit.bands(chart.along, chart.level)
    keys = {name: CellKey(key.labels, key.codes[:n]) for name, key in fit.keys.items()}
    columns = number_columns(frame[list(BANDS)].to_numpy()[:n], why[:n].tolist(), unsure, policy, BANDS)
    level = fit.level if chart.level is None else chart.level
    return ProtectedTable(
        variable=f"effects on {fit.outcome} ({fit.method}, standard errors {fit.cov_name}), {100 * level:g} per cent "
        "intervals and simultaneous bands;",
        keys=keys,
        columns={column.name: column for column in columns},
        reasons=REASONS,
    )
