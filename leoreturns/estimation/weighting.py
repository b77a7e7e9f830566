"""weight(): weights under which the arms are alike, before any outcome is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NoReturn

import numpy as np
import pandas as pd

from leoreturns._parallel import threads
from leoreturns._typing import FloatArray, Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.arms import Part, chances_of, estimated_part, warn_of_weights
from leoreturns.estimation.balance import balance_of, effective_size, overlap_of
from leoreturns.estimation.covariance import Clustered, Robust
from leoreturns.estimation.covariates import right_side
from leoreturns.estimation.doubly_robust import Estimand
from leoreturns.estimation.formula import parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.linked import LinkWeights
from leoreturns.estimation.ols import identified
from leoreturns.estimation.overlap import Trim, beyond_support, weight_figures
from leoreturns.estimation.propensity import ScoreLink, fit_propensity
from leoreturns.estimation.request import Request, check_covariance, check_trim, check_weights, column_of, in_tuple
from leoreturns.estimation.resampled import Resampled
from leoreturns.estimation.solve import single_threaded
from leoreturns.estimation.treatment import requested_effect
from leoreturns.estimation.variables import Numbers
from leoreturns.panel.panel import Panel
from leoreturns.results.balance import Balance
from leoreturns.results.effect import EffectEstimate
from leoreturns.results.overlap import Overlap

Weighting = Literal["ipw", "overlap", "entropy", "tilting"]


def weight(
    treatment: str,
    covariates: str | Sequence[str],
    data: Panel | pd.DataFrame,
    *,
    method: Weighting,
    estimand: Estimand,
    score: ScoreLink = "logit",
    trim: Trim | None = None,
    weights: Weights | LinkWeights | None = None,
    where: str | None = None,
    allow_later: str | Sequence[str] = (),
    person: str | None = None,
    n_jobs: int | None = None,
) -> Weighted:
    """Weight the persons of the arms so that their covariates are alike.

    Parameters
    ----------
    treatment : str
        ``"route"`` or ``"C(route, ref='academic')"``.
    covariates : str or sequence of str
        The right side of a formula, or names of columns; squares and products are balanced where they are named.
    data : Panel or pandas.DataFrame
        One row per person.
    method : "ipw", "overlap", "entropy" or "tilting"
        Inverse chances; overlap weights (Li, Morgan and Zaslavsky 2018), whose estimand is "ATO"; and weights that
        balance exactly, by entropy or as inverse chances of a logit.
    estimand : "ATE", "ATT", "ATC" or "ATO"
    score, trim, weights, where, allow_later, person, n_jobs
        As in `treatment_effect`.

    Returns
    -------
    Weighted
        An inside object with balance and effects.

    Raises
    ------
    SupportError
        For several rows of a person, and where no weights balance.
    NotIdentifiedError
        For a single arm, and for covariates that tell the arm for certain.
    """
    if method not in ("ipw", "overlap", "entropy", "tilting"):
        raise ValueError(f"method is 'ipw', 'overlap', 'entropy' or 'tilting', not {method!r}")
    if (method == "overlap") != (estimand == "ATO"):
        raise SupportError("overlap weights and the estimand 'ATO' belong together")
    formula = f"{treatment} ~ {right_side(covariates)}"
    specification = parse(formula)[0]
    check_trim(trim)
    check_weights(weights)
    own = "ipw" if method == "overlap" else method
    request = Request(
        None, specification, own, estimand, "linear", score, trim, (), weights, allow_later=in_tuple(allow_later)
    )
    with threads(n_jobs), single_threaded():
        # Outcomes are named later: a frame's columns are all read.
        others = list(data.columns) if isinstance(data, pd.DataFrame) else []
        panel = estimation_panel(data, [specification], others, column_of(weights), where=where, person=person)
        part = estimated_part(panel, "", request)
        warn_of_weights({"": part}, own, stacklevel=3)
        return Weighted(panel, request, part, where, identified(data, person))


@dataclass(frozen=True, eq=False, repr=False)
class Weighted:
    """A weighted sample: microdata, held inside; its repr shows counts only.

    Attributes
    ----------
    panel : Panel
    request : Request
    part : Part
        The units and the weights that each has in the mean of its arm.
    where : str, optional
    identified : bool
        Whether the data name the persons.
    """

    panel: Panel
    request: Request
    part: Part
    where: str | None
    identified: bool

    def __reduce__(self) -> NoReturn:
        raise TypeError("a weighted sample holds persons and is not pickled; take its balance, its effects")

    def weights(self, arm: str | None = None) -> FloatArray:
        """Return the weights of all units for the comparison of an arm with that of reference; each adds up to 1.

        Parameters
        ----------
        arm : str, optional
            By default the only one.
        """
        study, at = self.part.study, self._place(arm)
        _, *means = self.part.effects[at - 1]
        found = np.zeros(study.units.n)
        for own, mean in zip((at, 0), means, strict=True):
            members = study.arms == own
            found[members] = mean.multiple[study.cells.codes[members], own]
        return found if study.weights is None else found * study.weights

    def balance(self, arm: str | None = None) -> Balance:
        """Return how alike an arm and that of reference are in the covariates, before and after.

        Parameters
        ----------
        arm : str, optional
            By default the only one.
        """
        study, at = self.part.study, self._place(arm)
        chosen = (study.arms == at) | (study.arms == 0)
        cells = study.cells.take(chosen)
        base = None if study.weights is None else study.weights[chosen]
        return balance_of(
            cells,
            study.scored,
            (study.arms[chosen] == at).astype(np.int64),
            (study.labels[0], study.labels[at]),
            self.weights(arm)[chosen],
            base,
            self.request.estimand,
        )

    def overlap(self, arm: str | None = None) -> Overlap:
        """Return how the chance of an arm was spread in it and in that of reference before weighting.

        Where weights balance without chances, these are those of a logit on the same covariates.

        Parameters
        ----------
        arm : str, optional
            By default the only one.
        """
        study, at = self.part.study, self._place(arm)
        chosen = (study.arms == at) | (study.arms == 0)
        chances = self._chances()[study.cells.codes[chosen], at]
        labels = study.labels[0], study.labels[at]
        arms = (study.arms[chosen] == at).astype(np.int64)
        return overlap_of(chances, f"chance of {labels[1]}", arms, labels, identified=self.identified)

    def diagnostics(self) -> pd.DataFrame:
        """Return what the weights are worth, by comparison and arm.

        Returns
        -------
        pandas.DataFrame
            ``persons``; ``effective_persons`` of equal weight; ``largest_share`` of an arm's weight in one person's
            hand; ``p99_ratio``, the weight that one in a hundred exceeds over the mean; ``beyond_support``, persons
            with a chance that nobody of another arm comes up to.
        """
        study = self.part.study
        beyond = beyond_support(self._chances(), study.persons(), study.labels)
        rows = {}
        for at, label in enumerate(study.labels[1:], start=1):
            weights = self.weights(label)
            for own in (at, 0):
                members = study.arms == own
                rows[f"{label} v {study.labels[0]}", study.labels[own]] = {
                    "persons": int(members.sum()),
                    **weight_figures(weights[members]),
                    "beyond_support": beyond[study.labels[own]],
                }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["comparison", "arm"])

    def _chances(self) -> FloatArray:
        """Return the chances of the arms by cell."""
        study = self.part.study
        counts = study.sums().counts
        found = chances_of(study, counts, self.request)
        if found is None:
            found = fit_propensity(study.scored.values, counts, study.labels, self.request.score)
        return found.chances

    def effect(self, outcome: str, *, cov: Robust | Clustered | Resampled, n_jobs: int | None = None) -> EffectEstimate:
        """Estimate the effect on an outcome; the errors take the estimation of the weights into account.

        Parameters
        ----------
        outcome : str
            A numeric column; persons in whom it is missing must be left out before weighting.
        cov : Robust, Clustered or Resampled
        n_jobs : int, optional

        Returns
        -------
        EffectEstimate
            As of `treatment_effect`.
        """
        study, request = self.part.study, self.request
        check_covariance(cov, request.method, request.weights)
        specification = parse(f"{outcome} ~ 1")[0]
        (found,) = study.variables.outcome(specification.outcome)
        assert isinstance(found, Numbers)  # as an outcome is
        missing = int((~np.isfinite(study.units.take(found.values, found.level).astype(np.float64))).sum())
        if missing:
            raise SupportError(
                f"'{outcome}' is missing for {missing:,} of {study.units.n:,} persons; leave them out before weighting "
                "by where="
            )
        asked = replace(request, outcome=specification, clusters=tuple(cov.columns))
        with threads(n_jobs), single_threaded():
            return requested_effect(self.panel, [asked], cov, None, None, self.where, self.identified)

    def _place(self, arm: str | None) -> int:
        labels = self.part.study.labels
        if arm is None and len(labels) == 2:
            return 1
        if arm is None or arm not in labels[1:]:
            raise SupportError(f"arm is one of {', '.join(map(repr, labels[1:]))}, not {arm!r}")
        return labels.index(arm)

    def __repr__(self) -> str:
        study = self.part.study
        parts = []
        for at, label in enumerate(study.labels):
            own = study.arms == at
            weights = self.weights(study.labels[max(at, 1)])[own]
            parts.append(f"{label}: {int(own.sum()):,} persons, effective {effective_size(weights):,.0f}")
        return f"<Weighted: {self.request.method}, {self.request.estimand}; {'; '.join(parts)}>"
