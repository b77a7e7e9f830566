"""Protection of adjusted p-values: what is shown of each coefficient, and of the family none or all."""

from __future__ import annotations

import numpy as np

from leoreturns.disclosure.estimates import (
    PROBABILITY_PLACES,
    REASONS,
    check_levels,
    check_shown,
    hidden_coefficients,
    protected_column,
    uncertain,
)
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.rounding import Rounding
from leoreturns.results.adjusted import AdjustedTests
from leoreturns.results.aggregate import CellKey
from leoreturns.results.protected import ProtectedTable

TOGETHER = "adjusted for a coefficient that is hidden, or whose standard error is: leave it out of the family"


def protect_tests(tests: AdjustedTests, policy: Policy) -> ProtectedTable:
    """Apply the rules and the rounding of a policy to adjusted p-values.

    An adjusted p-value may be that of another hypothesis times a number that everybody knows. Those of a family in
    which one coefficient is hidden are hidden all.

    Parameters
    ----------
    tests : AdjustedTests
    policy : Policy
        Thresholds and rounding.

    Returns
    -------
    ProtectedTable
        One cell per hypothesis, by regression and name.

    Raises
    ------
    DisclosureError
        If the persons are not known, or the names of coefficients look like persons' own data.
    """
    hidden = {label: hidden_coefficients(model, policy) for label, model in tests.models.items()}
    unsure = {label: uncertain(model, hidden[label], policy) for label, model in tests.models.items()}
    places = [(label, tests.models[label].names.index(name)) for label, name in tests.tested]
    why = np.array([hidden[label][at] for label, at in places], dtype=np.uint8)
    doubt = np.array([unsure[label][at] for label, at in places], dtype=np.uint8)
    labels, names = (tuple(dict.fromkeys(column)) for column in zip(*tests.tested, strict=True))
    for label in labels:
        own = [number for number, (of, _) in enumerate(places) if of == label]
        check_levels([tests.tested[number][1] for number in own], why[own] > 0)
    check_shown(
        "regressions", {label: any(not why[at] for at, (of, _) in enumerate(places) if of == label) for label in labels}
    )
    reasons = (*REASONS, TOGETHER)
    together = np.where(doubt == 0, np.uint8(len(reasons)), doubt) if doubt.any() else doubt
    frame = tests.to_frame()
    estimates = Rounding("units of the outcome", "sigfig", policy.estimate_sigfig)
    probability = Rounding("probability", "decimals", PROBABILITY_PLACES)
    columns = [
        protected_column(*named, frame[column].to_numpy(), hides.tolist(), rounding, policy)
        for named, column, hides, rounding in (
            (("coefficient", ""), "coefficient", why, estimates),
            (("coefficient", "se"), "std_error", doubt, estimates),
            (("t", ""), "t", doubt, Rounding("ratio", "sigfig", policy.ratio_sigfig)),
            (("p", ""), "p", doubt, probability),
            (("p_adjusted", ""), "p_adjusted", together, probability),
        )
    ]
    models = [tests.models[label] for label in labels]
    described = dict.fromkeys(f"{model.outcome} ({model.method}, standard errors {model.cov_name})" for model in models)
    return ProtectedTable(
        variable=f"{'; '.join(described)}; p-values adjusted by {tests.method};",
        keys={
            "regression": CellKey(labels, np.array([labels.index(label) for label, _ in tests.tested])),
            "name": CellKey(names, np.array([names.index(name) for _, name in tests.tested])),
        },
        columns={column.name: column for column in columns},
        reasons=reasons,
    )
