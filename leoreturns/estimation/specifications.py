"""specification_curve(): one coefficient under every combination of outcomes, controls, effects and samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from leoreturns._typing import FloatArray, Weights
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.covariance import Covariance, SmallSample
from leoreturns.estimation.multiplicity import Drawing
from leoreturns.estimation.ols import feols
from leoreturns.estimation.resampled import Resampled
from leoreturns.panel.panel import Panel
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import CellKey
from leoreturns.results.curve import CurveTest, SpecificationCurve
from leoreturns.results.estimate import LEVEL, Estimate

ALL = "all"
Choices = Sequence[str] | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Menu:
    """What is asked of every regression: choices by their labels."""

    outcomes: dict[str, str]
    regressor: str
    controls: dict[str, str]
    effects: dict[str, str]
    samples: dict[str, str | None]
    covariances: dict[str, Covariance]

    @property
    def formula(self) -> str:
        """All outcomes, controls and effects as one formula, so that they share the scans of the rows."""
        controls = f"sw({', '.join(text or '1' for text in self.controls.values())})"
        effects = (
            f" | sw({', '.join(text or '0' for text in self.effects.values())})" if any(self.effects.values()) else ""
        )
        return f"{' + '.join(self.outcomes.values())} ~ {self.regressor} + {controls}{effects}"

    @property
    def kinds(self) -> dict[str, Iterable[str]]:
        """The labels of every kind of choice."""
        return {
            "outcome": self.outcomes,
            "controls": self.controls,
            "effects": self.effects,
            "sample": self.samples,
            "covariance": self.covariances,
        }

    def of_formula(self) -> list[tuple[str, str, str]]:
        """Return the labels of the regressions of the formula, in their order."""
        return list(product(self.outcomes, self.controls, self.effects))


def specification_curve(
    outcomes: str | Choices,
    regressor: str,
    data: Panel | pd.DataFrame,
    *,
    cov: Covariance | Mapping[str, Covariance],
    controls: Choices = ("",),
    effects: Choices = ("",),
    samples: Mapping[str, str | None] | None = None,
    coefficient: str | None = None,
    plan: BootstrapPlan | None = None,
    level: float = LEVEL,
    weights: Weights | None = None,
    ssc: SmallSample | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> SpecificationCurve:
    """Estimate one coefficient under every combination of choices.

    Parameters
    ----------
    outcomes : str, sequence of str or mapping of label -> str
    regressor : str
        The term of interest, in every regression.
    data : Panel or pandas.DataFrame
    cov : Covariance, or mapping of label -> Covariance
    controls, effects : sequence of str or mapping of label -> str
        Terms of a formula joined by plus signs, "" for none: ``["", "prior_attainment", "prior_attainment + sex"]``.
    samples : mapping of label -> condition, optional
        Conditions on rows in the grammar of `Panel.where`, None for all rows.
    coefficient : str, optional
        Its name, where that is not `regressor`: ``"route::vocational"``.
    plan : BootstrapPlan, optional
        For joint tests of no effect in any specification, by draws of persons or clusters.
    level : float
        Of the intervals.
    weights, ssc, person, n_jobs
        As in `feols`.

    Returns
    -------
    SpecificationCurve
        Regressions with the same rows share the two scans of the data.

    Raises
    ------
    NotIdentifiedError
        If the coefficient cannot be told apart in some specification.
    SupportError
        For choices that are the same.

    References
    ----------
    Simonsohn, Simmons and Nelson (2020, Nature Human Behaviour 4).
    """
    menu = _Menu(
        _labelled(outcomes, "outcomes"),
        regressor,
        _labelled(controls, "controls"),
        _labelled(effects, "effects"),
        dict(samples or {ALL: None}),
        dict(cov) if isinstance(cov, Mapping) else {cov.name: cov},
    )
    name = coefficient or regressor
    found: list[tuple[tuple[str, ...], Estimate]] = []
    drawn: list[tuple[float, FloatArray]] = []

    def estimated(condition: str | None, by: Covariance) -> list[Estimate]:
        result = feols(
            menu.formula, data, cov=by, where=condition, weights=weights, ssc=ssc, person=person, n_jobs=n_jobs
        )
        models = [result] if isinstance(result, Estimate) else list(result.values())
        if lost := sum(name not in model.names for model in models):
            raise NotIdentifiedError(
                f"'{name}' is no coefficient in {lost:,} of {len(models):,} specifications: it was left out as "
                "collinear or absorbed, or has another name, which coefficient= takes"
            )
        return models

    for sample, condition in menu.samples.items():
        draws: list[tuple[float, FloatArray]] = []
        if plan is not None:
            drawing = Drawing(Resampled(plan))
            errors = [(model.formula, model.std_errors[name]) for model in estimated(condition, drawing)]
            draws = [(error, error * drawing.draws[formula, name][1]) for formula, error in errors]
        for label, by in menu.covariances.items():
            models = estimated(condition, by)
            found += [((*each, sample, label), model) for each, model in zip(menu.of_formula(), models, strict=True)]
            drawn += draws
    values = np.array([model.params[name] for _, model in found])
    order = np.argsort(values, kind="stable").tolist()
    chosen = {
        kind: CellKey(tuple(options), np.array([list(options).index(found[at][0][place]) for at in order]))
        for place, (kind, options) in enumerate(menu.kinds.items())
    }
    varied = {kind: key for kind, key in chosen.items() if len(key.labels) > 1}
    test = None if plan is None else _test(values, drawn, [model for _, model in found], level)
    return SpecificationCurve(name, tuple(found[at][1] for at in order), varied or chosen, level, test)


def _labelled(choices: str | Choices, kind: str) -> dict[str, str]:
    """Return choices by label; the text is the label of those without one."""
    if isinstance(choices, str):
        choices = [choices]
    labelled = dict(choices) if isinstance(choices, Mapping) else {text or "none": text for text in choices}
    if len(labelled) != len(choices) or len(set(labelled.values())) != len(labelled) or not labelled:
        raise SupportError(f"{kind}: choices must differ from one another, and be one or more")
    return labelled


def _test(
    values: FloatArray, drawn: Sequence[tuple[float, FloatArray]], models: Sequence[Estimate], level: float
) -> CurveTest:
    """Compare the median, and the share significant in its direction, with their draws about the estimates."""
    errors = np.array([error for error, _ in drawn])
    apart = np.array([draws for _, draws in drawn])
    apart = apart[:, np.isfinite(apart).all(axis=0)]
    critical = np.array([stats.t.isf((1.0 - level) / 2.0, model.df_tests) for model in models])

    def share(coefficients: FloatArray) -> FloatArray:
        direction = np.sign(np.median(coefficients, axis=0))
        return np.asarray(np.mean(coefficients / errors[:, None] * direction > critical[:, None], axis=0))

    count = apart.shape[1]
    medians = np.sum(np.abs(np.median(apart, axis=0)) >= abs(np.median(values)))
    shares = np.sum(share(apart) >= share(values[:, None])[0])
    return CurveTest(float((medians + 1) / (count + 1)), float((shares + 1) / (count + 1)), count)
