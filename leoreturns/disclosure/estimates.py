"""Protection of regressions: coefficients that rest on enough persons, rounded; counts rounded; nothing else.

Rows say little in a panel: a dummy for one person has as many as the person has years. What a coefficient rests on are
the persons in the squares of its regressor that the others, and the effects, leave, and those of them to whom the
outcome belongs: see `FitEvidence`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import BoolArray, ByteArray, FloatArray
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.rounding import Rounding
from leoreturns.errors import DisclosureError
from leoreturns.results.aggregate import CellKey
from leoreturns.results.curve import SpecificationCurve
from leoreturns.results.effect import COMPARISON, OUTCOME, EffectEstimate
from leoreturns.results.estimate import Estimate
from leoreturns.results.protected import ProtectedColumn, ProtectedTable
from leoreturns.results.regression_table import FACTORS, INTERCEPT, MEASURES, RegressionTable, Texts, fit_statistics

ROUND_OFF = 1e-9
PROBABILITY_PLACES = 3  # of p-values
FRACTION = re.compile(r"-?\d+\.\d*[1-9]\d*")
MODEL, NAME, COEFFICIENT = "model", "name", "coefficient"
# Parts of a regression table by the statistic and the part of the protected column.
COLUMNS = {
    "coefficient": (COEFFICIENT, ""), "std_error": (COEFFICIENT, "se"), "low": (COEFFICIENT, "low"),
    "high": (COEFFICIENT, "high"), "t": ("t", ""), "p": ("p", ""),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FitRule:
    """One reason to hide a whole regression.

    Attributes
    ----------
    reason : str
        In words, for the release's README.
    hides : function of (Estimate, Policy)
    """

    reason: str
    hides: Callable[[Estimate, Policy], bool]


@dataclass(frozen=True, slots=True)
class CoefficientRule:
    """One reason to hide a coefficient.

    Attributes
    ----------
    reason : str
        In words, for the release's README.
    hides : function of (Estimate, Policy)
        bool array of shape (k,).
    """

    reason: str
    hides: Callable[[Estimate, Policy], BoolArray]


def _exact(estimate: Estimate, policy: Policy) -> bool:
    # Least squares leaves a sum of squares, a likelihood a deviance; an effect of a treatment has neither.
    left = [(rest, whole) for rest, whole in (("rss", "tss"), ("deviance", "null_deviance")) if rest in estimate.fit]
    return any(not estimate.fit[rest] > ROUND_OFF * estimate.fit[whole] for rest, whole in left)


def _crowded(estimate: Estimate, policy: Policy) -> bool:
    return estimate.evidence.rank * policy.min_persons > estimate.n_person


def _few_effective(estimate: Estimate, policy: Policy) -> BoolArray:
    effective = estimate.evidence.effective_persons
    return ~np.asarray(np.isfinite(effective) & (effective >= policy.min_effective_persons * (1.0 - ROUND_OFF)))


def _few_off_mode(estimate: Estimate, policy: Policy) -> BoolArray:
    constant = np.array([name == INTERCEPT for name in estimate.names], dtype=np.bool_)
    return np.asarray((estimate.evidence.persons_off_mode < policy.min_persons) & ~constant)


def _few_contributors(estimate: Estimate, policy: Policy) -> BoolArray:
    contributors = estimate.evidence.effective_contributors
    if contributors is None:
        return np.zeros(len(estimate.names), dtype=np.bool_)
    return ~np.asarray(contributors >= policy.min_effective_persons * (1.0 - ROUND_OFF))


def _dominated(estimate: Estimate, policy: Policy) -> BoolArray:
    return ~np.asarray(estimate.evidence.largest_share <= policy.max_person_share)


FIT_RULES = (
    FitRule("fewer persons than the policy asks for", lambda fit, policy: fit.n_person < policy.min_persons),
    FitRule(
        "fewer degrees of freedom, counted in persons, than the policy asks for",
        lambda fit, policy: fit.evidence.df_persons < policy.min_dof,
    ),
    FitRule(
        "the regression is a table of means: release the table instead", lambda fit, policy: fit.evidence.saturated
    ),
    FitRule("the regression fits exactly", _exact),
    FitRule("as many coefficients as a tenth of the persons", _crowded),
)
COEFFICIENT_RULES = (
    CoefficientRule("fewer persons with another value of the regressor than its most frequent one", _few_off_mode),
    CoefficientRule("fewer persons of equal weight, which the coefficient is worth, than asked for", _few_effective),
    CoefficientRule("one person makes up too much of what identifies the coefficient", _dominated),
    CoefficientRule(
        "fewer persons of equal weight, to whom the outcome behind the coefficient belongs, than asked for",
        _few_contributors,
    ),
)
REASONS = (
    *(rule.reason for rule in (*FIT_RULES, *COEFFICIENT_RULES)),
    "the intercept, which with the others would tell of the group that a hidden coefficient compares with",
    "fewer clusters behind the standard error than the persons that the policy asks for",
    "the number is not defined",
)
WITH_OTHERS, FEW_CLUSTERS, UNDEFINED = (np.uint8(len(REASONS) - at) for at in (2, 1, 0))


def protect_regressions(table: RegressionTable, policy: Policy) -> tuple[ProtectedTable, ProtectedTable]:
    """Apply the rules and the rounding of a policy to a table of regressions.

    Parameters
    ----------
    table : RegressionTable
        Its rows alone are released; rules look at every coefficient.
    policy : Policy
        Thresholds and rounding.

    Returns
    -------
    (ProtectedTable, ProtectedTable)
        Coefficients by model and name, and counts and measures of fit by model.

    Raises
    ------
    DisclosureError
        If the persons are not known, or the names of coefficients look like persons' own data.
    """
    hidden = [hidden_coefficients(model, policy) for model in table.models]
    for model, why in zip(table.models, hidden, strict=True):
        check_levels(model.names, why > 0)
        check_groups(model, why > 0)
    check_shown("regressions", {name: not why.all() for name, why in zip(table.headings, hidden, strict=True)})
    return _coefficients(table, hidden, policy), _fits(table, policy)


def protect_curve(curve: SpecificationCurve, policy: Policy) -> ProtectedTable:
    """Apply the rules and the rounding of a policy to one coefficient over specifications.

    Parameters
    ----------
    curve : SpecificationCurve
    policy : Policy

    Returns
    -------
    ProtectedTable
        One cell per specification by its choices. Hidden ones come last, in the order of the choices: a place among the
        others, or among themselves, would tell their size.
    """
    hidden = [int(hidden_coefficients(model, policy)[model.names.index(curve.name)]) for model in curve.models]
    choices = list(zip(*(key.codes.tolist() for key in curve.choices.values()), strict=True))
    order = sorted(range(len(hidden)), key=lambda at: (1, choices[at]) if hidden[at] else (0, ()))
    models, why = [curve.models[at] for at in order], [hidden[at] for at in order]
    unsure = [
        int(uncertain(model, np.array([reason], dtype=np.uint8), policy)[0])
        for model, reason in zip(models, why, strict=True)
    ]
    values = [model.to_frame(curve.level).loc[curve.name, list(COLUMNS)].to_numpy(dtype=np.float64) for model in models]
    columns = number_columns(values, why, unsure, policy)
    persons = [float(model.n_person) for model in models]
    small = [hidden_fit(model, policy) for model in models]
    columns.append(
        protected_column("n_person", "", persons, small, Rounding("count", "multiple", policy.count_base), policy)
    )
    keys = {}
    for kind, key in curve.choices.items():
        shown = {str(label): False for label in key.labels}
        for code, reason in zip(key.codes.tolist(), hidden, strict=True):
            shown[str(key.labels[code])] |= not reason
        check_shown(f"choices of {kind}", shown)
        keys[kind] = CellKey(key.labels, key.codes[order])
    return ProtectedTable(
        variable=f"coefficient of {curve.name}, {100 * curve.level:g} per cent intervals;",
        keys=keys,
        columns={column.name: column for column in columns},
        reasons=REASONS,
    )


def written(table: RegressionTable, coefficients: ProtectedTable, fits: ProtectedTable) -> Texts:
    """Return protected numbers by their places in a table."""
    key, names = coefficients.keys[MODEL].codes.tolist(), coefficients.keys[NAME].values()
    parts: dict[tuple[int, str, str], str] = {}
    for part, (statistic, suffix) in COLUMNS.items():
        texts = coefficients.columns[f"{statistic}_{suffix}" if suffix else statistic].texts
        parts |= {(model, str(name), part): text for model, name, text in zip(key, names, texts, strict=True)}
    found = {
        (model, name): column.texts[model]
        for name, column in fits.columns.items()
        for model, fit in enumerate(table.models)
        if name in fit_statistics(fit)
    }
    return Texts(parts, found)


def hidden_fit(estimate: Estimate, policy: Policy) -> int:
    """Return 0, or the position (from 1) of the reason that hides a regression as a whole.

    Raises
    ------
    DisclosureError
        If the persons are not known.
    """
    if not estimate.evidence.identified or estimate.n_person < 0:
        raise DisclosureError("person id required: name the column that identifies persons with person=...")
    found = [at for at, rule in enumerate(FIT_RULES, start=1) if rule.hides(estimate, policy)]
    return found[0] if found else 0


def hidden_coefficients(estimate: Estimate, policy: Policy) -> ByteArray:
    """Return, for each coefficient, 0 or the position (from 1) of the first reason that hides it."""
    why = np.full(len(estimate.names), hidden_fit(estimate, policy), dtype=np.uint8)
    for position, rule in enumerate(COEFFICIENT_RULES, start=len(FIT_RULES) + 1):
        why[(why == 0) & rule.hides(estimate, policy)] = position
    if why.any() and INTERCEPT in estimate.names and not why[at := estimate.names.index(INTERCEPT)]:
        why[at] = WITH_OTHERS
    return why


def uncertain(estimate: Estimate, why: ByteArray, policy: Policy) -> ByteArray:
    """Return the same for what is shown of the uncertainty: one way of clustering must have enough clusters."""
    found = why.copy()
    if estimate.n_clusters and max(estimate.n_clusters.values()) < policy.min_persons:
        found[found == 0] = FEW_CLUSTERS
    return found


def check_levels(names: Sequence[str], hidden: BoolArray) -> None:
    """Refuse categories whose levels are likely to be persons' own values, or small units: names leave with a table.

    As of keys of tables: fractional numbers are never categories; of a category with ten or more levels most must be
    shown, and of any category some.
    """
    shown: dict[str, dict[str, bool]] = {}
    for name, reason in zip(names, hidden.tolist(), strict=True):
        for factor in FACTORS.split(name):
            column, marked, level = factor.partition("::")
            if marked:
                levels = shown.setdefault(column, {})
                levels[level] = levels.get(level, False) or not reason
    _check_names_of(shown)


def check_groups(model: Estimate, hidden: BoolArray) -> None:
    """Refuse the groups or years of effects as the levels of a category: their names leave as well."""
    if not isinstance(model, EffectEstimate):
        return
    shown: dict[str, dict[str, bool]] = {}
    for column, key in model.keys.items():
        if column not in (COMPARISON, OUTCOME):
            levels = shown.setdefault(column, {})
            for code, reason in zip(key.codes.tolist(), hidden.tolist(), strict=True):
                level = str(key.labels[code])
                levels[level] = levels.get(level, False) or not reason
    _check_names_of(shown)


def _check_names_of(shown: Mapping[str, Mapping[str, bool]]) -> None:
    """Refuse columns by their levels, and whether any number of each is shown."""
    for column, levels in shown.items():
        if any(FRACTION.fullmatch(level) for level in levels):
            raise DisclosureError(
                f"levels of '{column}' are fractional numbers, which may be persons' values: group them into bands"
            )
        if not any(levels.values()):
            raise DisclosureError(
                f"'{column}': none of its {len(levels):,} levels with a coefficient can be shown; nothing but "
                "their names would leave. Group the levels, or absorb them: put the column after the |"
            )
        check_shown(f"levels of '{column}' with a coefficient", levels)


def check_shown(what: str, shown: Mapping[str, bool]) -> None:
    """Refuse ten or more names, most of which come without a number."""
    silent = sum(not each for each in shown.values())
    if silent >= 10 and 2 * silent > len(shown):
        raise DisclosureError(
            f"of {len(shown):,} {what}, {silent:,} have no number that can be shown; their names would list persons or "
            "small units. Group them, or leave the small ones out"
        )


def _coefficients(table: RegressionTable, hidden: Sequence[ByteArray], policy: Policy) -> ProtectedTable:
    """Return the rows of all models, one after the other."""
    models, rows, values = list[int](), list[int](), list[FloatArray]()
    why, unsure = list[int](), list[int]()
    for number, (model, reasons) in enumerate(zip(table.models, hidden, strict=True)):
        frame, doubt = model.to_frame(table.level), uncertain(model, reasons, policy)
        for row, name in enumerate(table.rows):
            if name in model.names:
                at = model.names.index(name)
                models.append(number)
                rows.append(row)
                why.append(int(reasons[at]))
                unsure.append(int(doubt[at]))
                values.append(frame.loc[name, list(COLUMNS)].to_numpy(dtype=np.float64))
    columns = number_columns(values, why, unsure, policy)
    return ProtectedTable(
        variable=_described(table),
        keys={
            MODEL: CellKey(table.headings, np.array(models, dtype=np.int64)),
            NAME: CellKey(table.rows, np.array(rows, dtype=np.int64)),
        },
        columns={column.name: column for column in columns},
        reasons=REASONS,
    )


def number_columns(
    values: Sequence[FloatArray] | FloatArray,
    why: Sequence[int],
    unsure: Sequence[int],
    policy: Policy,
    parts: Mapping[str, tuple[str, str]] = COLUMNS,
) -> list[ProtectedColumn]:
    """Return the columns of coefficients and their uncertainty, from one array of numbers per row."""
    estimates = Rounding("units of the outcome", "sigfig", policy.estimate_sigfig)
    roundings = {
        "t": Rounding("ratio", "sigfig", policy.ratio_sigfig),
        "p": Rounding("probability", "decimals", PROBABILITY_PLACES),
    }
    return [
        protected_column(
            *parts[part], numbers, unsure if part != COEFFICIENT else why, roundings.get(part, estimates), policy
        )
        for part, numbers in zip(parts, np.array(values).reshape(-1, len(parts)).T, strict=True)
    ]


def _fits(table: RegressionTable, policy: Policy) -> ProtectedTable:
    """Return counts and measures of fit, one row per model; those of a hidden regression are hidden."""
    found = [fit_statistics(model) for model in table.models]
    why = [hidden_fit(model, policy) for model in table.models]
    count = Rounding("count", "multiple", policy.count_base)
    measure = Rounding("ratio", "sigfig", policy.ratio_sigfig)
    columns = [
        protected_column(
            name, "", [each.get(name, np.nan) for each in found], why, measure if name in MEASURES else count, policy
        )
        for name in dict.fromkeys(name for each in found for name in each)
    ]
    return ProtectedTable(
        variable=_described(table),
        keys={MODEL: CellKey(table.headings, np.arange(len(table.models)))},
        columns={column.name: column for column in columns},
        reasons=REASONS,
    )


def protected_column(
    statistic: str,
    part: str,
    numbers: Sequence[float] | FloatArray,
    why: Sequence[int],
    rounding: Rounding,
    policy: Policy,
) -> ProtectedColumn:
    """Return a column as it is written."""
    known = np.isfinite(np.asarray(numbers, dtype=np.float64))
    hidden = np.where((np.array(why, dtype=np.uint8) == 0) & ~known, UNDEFINED, np.array(why, dtype=np.uint8))
    texts = tuple(
        policy.marker if reason else rounding.text(float(number))
        for number, reason in zip(numbers, hidden.tolist(), strict=True)
    )
    return ProtectedColumn(statistic, part, texts, hidden, rounding.unit, rounding.words)


def _described(table: RegressionTable) -> str:
    """Say what is released: outcomes, estimators, covariances and the level of intervals."""
    fits = dict.fromkeys(
        f"{model.outcome} ({model.method}{_absorbing(model.effects)}, standard errors {model.cov_name})"
        for model in table.models
    )
    return f"{'; '.join(fits)}; {100 * table.level:g} per cent intervals;"


def _absorbing(effects: Mapping[str, int]) -> str:
    return f", effects {', '.join(effects)}" if effects else ""
