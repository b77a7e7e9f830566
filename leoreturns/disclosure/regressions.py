"""Regressions: which coefficients may be shown, and how they are rounded.

A coefficient is shown where enough persons stand behind it: behind the whole regression, off the regressor's most
frequent value, and in the variation that the other regressors and the effects leave it (Frisch, Waugh 1933; Lovell
1963), counted in persons of equal weight. So a dummy of one person, an outlier that carries a slope, or an effect that
six movers identify are hidden, however large the sample. Effects themselves, residuals and scores are in no estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import AnyArray, BoolArray, ByteArray, FloatArray
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.protection import check_keys, protected_column
from leoreturns.disclosure.rounding import Rounding
from leoreturns.disclosure.rules import ROUND_OFF
from leoreturns.errors import DisclosureError
from leoreturns.results.aggregate import CellKey
from leoreturns.results.estimate import LEVEL, Estimate
from leoreturns.results.protected import ProtectedColumn, ProtectedTable

COEFFICIENT, REGRESSION, ESTIMATE = "coefficient", "regression", "estimate"
INTERCEPT = "Intercept"


@dataclass(frozen=True, slots=True)
class FitRule:
    """One reason to hide coefficients.

    Attributes
    ----------
    reason : str
        In words, for the release's README.
    hides : function of (Estimate, Policy)
        Which coefficients are hidden; bool, or bool array of shape (k,).
    """

    reason: str
    hides: Callable[[Estimate, Policy], BoolArray | bool]


def _few_off_mode(fit: Estimate, policy: Policy) -> BoolArray:
    """Count persons with another value than the most frequent one; an intercept has no other."""
    varies = np.array([name != INTERCEPT for name in fit.names])
    return np.asarray(varies & (fit.evidence.persons_off_mode < policy.min_persons))


def _few_effective(fit: Estimate, policy: Policy) -> BoolArray:
    """Count the persons of equal weight that a coefficient is worth."""
    return ~np.asarray(fit.evidence.effective_persons >= policy.min_persons * (1 - ROUND_OFF))


def _few_in_a_mean(fit: Estimate, policy: Policy) -> bool:
    """Ask of a regression on categories alone, which is a table of means, that no cell of it is small.

    A person has one over the persons of its cell as leverage; the mean of a small cell is the sum of coefficients that
    may each rest on many.
    """
    return fit.evidence.saturated and fit.evidence.largest_leverage * policy.min_persons > 1 + ROUND_OFF


OF_COEFFICIENTS = (
    FitRule("fewer persons in the regression than the policy asks for", lambda fit, p: fit.n_person < p.min_persons),
    FitRule(
        "fewer persons than the policy asks for besides those that coefficients and effects use up",
        lambda fit, p: fit.evidence.df_persons < p.min_persons,
    ),
    FitRule(
        "more coefficients than one for every so many persons as the policy asks for",
        lambda fit, p: len(fit.names) * p.min_persons > fit.n_person,
    ),
    FitRule("a table of means, of which a cell has fewer persons than the policy asks for", _few_in_a_mean),
    FitRule("fewer persons off the most frequent value of the regressor than the policy asks for", _few_off_mode),
    FitRule("fewer persons of equal weight behind the coefficient than the policy asks for", _few_effective),
    FitRule("the coefficient is not defined", lambda fit, p: ~np.isfinite(fit.values)),
)
OF_ERRORS = (
    FitRule(
        "fewer clusters than the persons that the policy asks for",
        lambda fit, p: any(count < p.min_persons for count in fit.n_clusters.values()),
    ),
)
REASONS = (*(rule.reason for rule in (*OF_COEFFICIENTS, *OF_ERRORS)), "the number is not defined")
UNDEFINED = len(REASONS)


def protect_fits(fits: Mapping[str, Estimate], policy: Policy) -> tuple[ProtectedTable, ProtectedTable]:
    """Protect the coefficients of one or several regressions, and what is said of each regression.

    Parameters
    ----------
    fits : mapping of label -> Estimate
        With one regression the label is no key of the tables.
    policy : Policy

    Returns
    -------
    coefficients : ProtectedTable
        ``estimate`` at as many significant figures as ratios have, its standard error at those of errors, and the
        interval.
    regressions : ProtectedTable
        ``n_obs``, ``n_person`` and clusters as rounded counts, and ``r2``.

    Raises
    ------
    DisclosureError
        If the persons behind a regression are not known, or the coefficients would list small units.
    """
    if any(not fit.evidence.identified or fit.n_person < 0 for fit in fits.values()):
        raise DisclosureError(
            "person id required: name the column that identifies persons with lr.feols(..., person=...)"
        )
    return _coefficients(fits, policy), _regressions(fits, policy)


def _coefficients(fits: Mapping[str, Estimate], policy: Policy) -> ProtectedTable:
    frames = [fit.to_frame(_level(fit)) for fit in fits.values()]
    hidden = np.concatenate([_hidden(fit, policy, OF_COEFFICIENTS) for fit in fits.values()])
    uncertain = np.concatenate([_hidden(fit, policy, (*OF_COEFFICIENTS, *OF_ERRORS)) for fit in fits.values()])
    names = list(dict.fromkeys(name for fit in fits.values() for name in fit.names))
    keys = _labelled(fits, [len(frame) for frame in frames])
    codes = np.array([names.index(name) for fit in fits.values() for name in fit.names], dtype=np.int64)
    keys[COEFFICIENT] = CellKey(tuple(names), codes)
    if hidden.all():
        raise DisclosureError(f"no coefficient can be shown: {REASONS[hidden[0] - 1]}")
    check_keys(keys, hidden == 0)
    figures = Rounding("per unit of the regressor", "sigfig", policy.ratio_sigfig)
    columns = []
    for part, of, why, rounding in (
        ("", "coefficient", hidden, figures),
        ("se", "std_error", uncertain, figures.of_error(policy)),
        ("low", "low", uncertain, figures),
        ("high", "high", uncertain, figures),
    ):
        numbers = np.concatenate([frame[of].to_numpy(dtype=np.float64) for frame in frames])
        columns.append(_column(ESTIMATE, part, numbers, why, rounding, policy))
    return ProtectedTable(
        variable=", ".join(dict.fromkeys(fit.outcome for fit in fits.values())),
        keys=keys,
        columns={column.name: column for column in columns},
        reasons=REASONS,
        notes=tuple(_words(label, fit) for label, fit in fits.items()),
    )


def _regressions(fits: Mapping[str, Estimate], policy: Policy) -> ProtectedTable:
    """Return what is said of each regression as a whole."""
    count = Rounding("count", "multiple", policy.count_base)
    few = np.array([fit.n_person < policy.min_persons for fit in fits.values()]).astype(np.uint8)
    numbers: dict[str, list[float]] = {
        "n_obs": [fit.nobs for fit in fits.values()],
        "n_person": [fit.n_person for fit in fits.values()],
    }
    for name in dict.fromkeys(name for fit in fits.values() for name in fit.n_clusters):
        numbers[f"clusters_{name}"] = [fit.n_clusters.get(name, np.nan) for fit in fits.values()]
    roundings = dict.fromkeys(numbers, count) | {"r2": Rounding("per cent", "decimals", policy.pct_dp, scale=100)}
    numbers["r2"] = [fit.r2 for fit in fits.values()]
    # A fit of few persons besides its coefficients is perfect or nearly so.
    thin = np.array([_hidden(fit, policy, OF_COEFFICIENTS[:3]).any() for fit in fits.values()])
    columns = [
        _column(name, "", np.array(each, dtype=np.float64), _why(few, thin, name), roundings[name], policy)
        for name, each in numbers.items()
    ]
    return ProtectedTable(
        variable=", ".join(dict.fromkeys(fit.outcome for fit in fits.values())),
        keys=_labelled(fits, [1] * len(fits)),
        columns={column.name: column for column in columns},
        reasons=REASONS,
    )


def _why(few: ByteArray, thin: BoolArray, name: str) -> ByteArray:
    """Return why a number of a regression is hidden: all where persons are few, R2 also where the fit is thin."""
    return np.where((few == 0) & thin & (name == "r2"), np.uint8(2), few)


def _hidden(fit: Estimate, policy: Policy, rules: Sequence[FitRule]) -> ByteArray:
    """Return, for each coefficient, 0 or the position (from 1) of the first rule that hides it."""
    first = np.zeros(len(fit.names), dtype=np.uint8)
    for position, rule in enumerate(rules, start=1):
        first[(first == 0) & rule.hides(fit, policy)] = position
    return first


def _column(
    name: str, part: str, numbers: FloatArray, why: AnyArray, rounding: Rounding, policy: Policy
) -> ProtectedColumn:
    return protected_column(name, part, numbers, why, rounding, policy.marker, undefined=UNDEFINED)


def _labelled(fits: Mapping[str, Estimate], lengths: Sequence[int]) -> dict[str, CellKey]:
    """Return the key that tells several regressions apart."""
    if len(fits) == 1:
        return {}
    return {REGRESSION: CellKey(tuple(fits), np.repeat(np.arange(len(fits), dtype=np.int64), lengths))}


def _level(fit: Estimate) -> float:
    return LEVEL if fit.drawn is None else fit.drawn.level


def _words(label: str, fit: Estimate) -> str:
    """Describe a regression: what was estimated, by which errors, and the effects taken out."""
    effects = f"; effects of {', '.join(fit.effects)}" if fit.effects else ""
    drawn = f", intervals from {fit.drawn.n_replicates:,} draws" if fit.drawn is not None else ""
    split = f"{label}: " if label != fit.formula else ""
    return (
        f"{split}{fit.method}: {fit.formula}; standard errors {fit.cov_name}, intervals of {100 * _level(fit):.10g} "
        f"per cent{drawn}{effects}"
    )
