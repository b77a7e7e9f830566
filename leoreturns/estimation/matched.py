"""Matched: who was matched with whom, and the balance, effects and sensitivity that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from leoreturns._typing import BoolArray, CodeArray, FloatArray, IntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.balance import balance_of, effective_size, overlap_of
from leoreturns.estimation.candidates import Candidates
from leoreturns.estimation.cell_models import fit_cells
from leoreturns.estimation.covariance import Clustered, Robust, with_variances
from leoreturns.estimation.covariates import cells_of, columns_of, right_side
from leoreturns.estimation.evidence import SampleEvidence
from leoreturns.estimation.formula import parse
from leoreturns.estimation.imputed import AbadieImbens, Sides, impute, variance
from leoreturns.estimation.matched_evidence import evidence_of_weights, subclass_keys
from leoreturns.estimation.ols import owners_of
from leoreturns.estimation.propensity import by_arm
from leoreturns.estimation.sample import restricted
from leoreturns.estimation.sandwich import clustered_sandwich
from leoreturns.estimation.variables import Numbers, Variable
from leoreturns.results.balance import Balance
from leoreturns.results.effect import EffectEstimate
from leoreturns.results.overlap import Overlap

PAIR = "pair"


@dataclass(frozen=True, eq=False, repr=False)
class Matched:
    """A matched sample: microdata, held inside; its repr shows counts only.

    Attributes
    ----------
    candidates : Candidates
    weights : float64 of shape (n,)
        What each unit counts: 1 for a unit that has matches, its shares for a match, 0 for the others. Shares of local
        lines may be negative.
    sides : Sides, optional
        With replacement: the matches of every unit.
    pairs : int64 of shape (n, ratio), optional
        Without replacement: the matches of every focal unit, -1 for none.
    subclasses : int64 of shape (n,), optional
        Class of the score of every unit, from 0.
    """

    candidates: Candidates
    weights: FloatArray
    sides: Sides | None
    pairs: IntArray | None
    subclasses: IntArray | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError("a matched sample holds persons and is not pickled; take its balance, its effects")

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Units of each arm: all, those with a place in the matched sample, those left out, and why."""
        own, used = self.candidates, self._used
        found = {}
        for arm, label in enumerate(own.labels):
            among = own.arms == arm
            persons, matched = int(among.sum()), int((used & among).sum())
            found[label] = {"persons": persons, "matched": matched, "left out": persons - matched}
            if own.settings.get("common_support"):
                found[label]["off support"] = int((among & ~own.supported).sum())
        return found

    @property
    def _used(self) -> BoolArray:
        """Which units have a place in the matched sample."""
        return np.not_equal(self.weights, 0)

    def __repr__(self) -> str:
        told = self.candidates.settings
        parts = [
            f"{label}: {count['matched']:,} of {count['persons']:,} in the matched sample"
            for label, count in self.counts.items()
        ]
        size = effective_size(self.weights[self.candidates.arms == 1 - self.candidates.focal[0]])
        return f"<Matched: {told['method']}, {self.candidates.estimand}; {'; '.join(parts)}; effective {size:,.0f}>"

    # ---- what it is for -----------------------------------------------------------------------------------------

    def balance(self) -> Balance:
        """Return how alike the arms are in the covariates, before and after."""
        own = self.candidates
        return balance_of(
            own.cells, own.columns, own.arms, own.labels, self.weights, None, own.estimand, identified=own.identified
        )

    def overlap(self) -> Overlap:
        """Return how the score of each arm was spread before matching, for an `OverlapChart`.

        Raises
        ------
        SupportError
            For a match without a score.
        """
        own = self.candidates
        if own.score_name is None:
            raise SupportError("there is a score where matches are chosen by it, or bounded by caliper=")
        return overlap_of(own.score, own.score_name, own.arms, own.labels, identified=own.identified)

    def effect(
        self, outcome: str, *, cov: AbadieImbens | Clustered | Robust, adjust: str | None = None
    ) -> EffectEstimate:
        """Estimate the effect on an outcome: the mean difference between units and their matches.

        Parameters
        ----------
        outcome : str
            A numeric column; persons in whom it is missing must be left out before matching.
        cov : AbadieImbens, Clustered or Robust
            For nearest neighbours with replacement `AbadieImbens`; without, ``Clustered("pair")`` or
            ``Clustered("pair", "school")`` (Abadie and Spiess 2022). In strata, subclasses, and by radius, kernel or
            local line ``Robust("HC1")`` or ``Clustered``: these take the weights as given. That the score was estimated
            and the classes or the bandwidth were chosen is not in them.
        adjust : str, optional
            Covariates of a linear model of the outcome among the matches, by which what a match and its unit differ
            in is taken out (Abadie and Imbens 2011): the right side of a formula.

        Returns
        -------
        EffectEstimate
            The effect, then the mean of each arm; of nearest neighbours with replacement the means have no errors. In
            subclasses each has an effect and means of its own besides.

        Raises
        ------
        SupportError
            For missing outcomes, and for a covariance that is not valid for the match: the bootstrap is not with
            replacement (Abadie and Imbens 2008).
        """
        own = self.candidates
        y = self._outcome(outcome)
        fitted = self._fitted(y, adjust)
        if self.sides is not None:
            if not isinstance(cov, AbadieImbens):
                raise SupportError(
                    "matches with replacement serve several units, which no bootstrap and no clusters of pairs take "
                    "into account (Abadie and Imbens 2008): cov is lr.AbadieImbens()"
                )
            imputed = impute(self.sides, y, fitted)
            value = variance(self.sides, y, imputed, cov, self._scores())
            means, joint, df = imputed.means, np.full((3, 3), np.nan), np.inf
            clusters: dict[str, int] = {}
            joint[0, 0] = value
            values = np.array([imputed.effect, means[1], means[0]])
            name = "Abadie-Imbens (2016)" if cov.estimated and own.chances is not None else "Abadie-Imbens (2006)"
        else:
            given = self._given_weights(cov)
            name = given.name
            values, joint, df, clusters = self._weighted(y, fitted, given)
        return self._estimate(outcome, values, joint, name, df, clusters, {"adjust": adjust})

    def differences(self, outcome: str) -> FloatArray:
        """Return each pair's outcome less that of its matches, the treated first: for `rosenbaum_bounds`.

        Raises
        ------
        SupportError
            For a match with replacement, whose pairs are not independent.
        """
        if self.pairs is None:
            raise SupportError("pairs are those of a match without replacement: replace=False")
        y = self._outcome(outcome)
        held = self.pairs >= 0
        focal = np.flatnonzero(held.any(axis=1))
        matches = np.where(held, y[self.pairs], 0.0)[focal].sum(axis=1) / held[focal].sum(axis=1)
        found: FloatArray = (y[focal] - matches) * (1 if self.candidates.focal == (1,) else -1)
        return found

    # ---- how ----------------------------------------------------------------------------------------------------

    def _outcome(self, outcome: str) -> FloatArray:
        own = self.candidates
        (found,) = own.variables.outcome(parse(f"{outcome} ~ 1")[0].outcome)
        assert isinstance(found, Numbers)  # as an outcome is
        values = own.units.take(found.values, found.level).astype(np.float64)
        missing = int((~np.isfinite(values)).sum())
        if missing:
            raise SupportError(
                f"'{outcome}' is missing for {missing:,} of {own.units.n:,} persons; leave them out before matching: "
                "where="
            )
        return values

    def _fitted(self, y: FloatArray, adjust: str | None) -> tuple[FloatArray | None, FloatArray | None]:
        """Return what a model of the outcome expects in each arm, fitted on those of it that are matches."""
        if adjust is None:
            return None, None
        own = self.candidates
        terms = parse(f"outcome ~ {right_side(adjust)}")[0].terms
        self._known(own.variables.of_terms(terms))
        cells = cells_of(own.units, terms, own.variables)
        columns = columns_of(cells, terms, own.variables)
        found: list[FloatArray | None] = [None, None]
        for arm in {1 - focal for focal in own.focal}:
            weight = np.where(own.arms == arm, self._as_matches(arm), 0.0)
            counts, totals = (
                by_arm(cells, np.zeros_like(own.arms), 1, values)[:, 0] for values in (weight, weight * y)
            )
            fit = fit_cells(columns.values, counts, totals, "linear", what=f"the outcome of {own.labels[arm]}")
            found[arm] = fit.eta[cells.codes]
        return found[0], found[1]

    def _known(self, variables: Sequence[Variable]) -> None:
        """Refuse covariates of the adjustment that are missing for some."""
        units = self.candidates.units
        for variable in variables:
            marked = variable.missing()
            missing = 0 if marked is None else int(units.take(marked, variable.level).sum())
            if missing:
                raise SupportError(
                    f"'{variable.name}' is missing for {missing:,} of {units.n:,} persons; leave them out before "
                    "matching by where="
                )

    def _as_matches(self, arm: int) -> FloatArray:
        """Return what the units of an arm count as matches of others."""
        if self.sides is None:
            return self.weights
        points = self.sides.points[arm]
        out = np.zeros(len(self.weights))
        out[points.members] = self.sides.received(arm, 1)[points.of_member]
        return out

    def _scores(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None:
        own = self.candidates
        if own.chances is None:
            return None
        at = own.cells.codes
        return own.columns.values[at], own.chances.chances[at, 1], own.chances.slopes[1, at, 0], own.chances.inverse

    def _given_weights(self, cov: AbadieImbens | Clustered | Robust) -> Clustered | Robust:
        """Return the covariance if it is one of weights, and for pairs one of pairs."""
        if self.pairs is None and not isinstance(cov, Clustered | Robust):
            raise SupportError(
                "the errors of weighted units are given by cov=lr.Robust('HC1') or lr.Clustered('school')"
            )
        if isinstance(cov, Clustered) or (self.pairs is None and isinstance(cov, Robust)):
            return cov
        raise SupportError(
            "units of a pair are alike, which clusters of pairs take into account (Abadie and Spiess 2022): without "
            "replacement cov is lr.Clustered('pair') or lr.Clustered('pair', 'school')"
        )

    def _parts(self) -> list[tuple[str, BoolArray]]:
        """Return everybody, then each subclass, with what follows its name."""
        parts = [("", np.ones(len(self.weights), dtype=bool))]
        if self.subclasses is not None:
            count = int(self.subclasses.max()) + 1
            parts += [(f" [subclass {at + 1}]", np.equal(self.subclasses, at)) for at in range(count)]
        return parts

    def _names(self) -> tuple[str, ...]:
        """Return the names of the effects, then of the means of each part."""
        control, treated = self.candidates.labels
        parts = [after for after, _ in self._parts()]
        means = [f"mean {label}{after}" for after in parts for label in (treated, control)]
        return (*(f"{treated} v {control}{after}" for after in parts), *means)

    def _weighted(
        self, y: FloatArray, fitted: tuple[FloatArray | None, FloatArray | None], cov: Robust | Clustered
    ) -> tuple[FloatArray, FloatArray, float, dict[str, int]]:
        """Return the effects and weighted means of all parts and their covariance, given the weights.

        With a model an arm's mean is what the model expects of the units that the effect is taken over, and what is
        left of the arm's own outcomes. Only the model's coefficients are taken as known.
        """
        own = self.candidates
        means, influences = [], []
        for _, part in self._parts():
            target = (self._used & part & np.isin(own.arms, own.focal)).astype(np.float64)
            target /= target.sum()
            for arm in (1, 0):
                weight = np.where((own.arms == arm) & part, self.weights, 0.0)
                weight /= weight.sum()
                model = fitted[arm]
                left = y if model is None else y - model
                mean, influence = float(weight @ left), weight * (left - weight @ left)
                if model is not None:
                    expected = float(target @ model)
                    mean, influence = mean + expected, influence + target * (model - expected)
                influences.append(influence)
                means.append(mean)
        # Effects are differences of means.
        effects: FloatArray = np.kron(np.eye(len(means) // 2), np.array([1.0, -1.0]))
        turn = np.vstack([effects, np.eye(len(means))])
        rows: FloatArray = turn @ np.stack(influences)
        joint, df, clusters = self._sandwich(rows, cov)
        return turn @ means, with_variances(joint), df, clusters

    def _sandwich(self, rows: FloatArray, cov: Robust | Clustered) -> tuple[FloatArray, float, dict[str, int]]:
        used = self._used
        if isinstance(cov, Robust):
            n = int(used.sum())
            return rows @ rows.T * (n / (n - 1) if cov.kind == "HC1" else 1.0), np.inf, {}

        def sums_of(columns: tuple[str, ...]) -> tuple[FloatArray, int]:
            codes = self._clusters(columns)[used]
            return np.stack([np.bincount(codes, row[used]) for row in rows]), len(np.unique(codes))

        return clustered_sandwich(cov.clusters, sums_of)

    def _clusters(self, names: tuple[str, ...]) -> CodeArray:
        """Number the combinations of some columns, the pair among them."""
        own = self.candidates
        out = np.zeros(own.units.n, dtype=np.int64)
        for name in names:
            if name == PAIR:
                codes = self._pairs()
            else:
                found = own.variables.coded((name,), labelled=False)
                codes = own.units.take(found.codes, found.level)
                if (codes < 0).any():
                    raise SupportError(f"'{name}' is missing for {int((codes < 0).sum()):,} persons")
            out = np.unique(out * (int(codes.max()) + 1) + codes, return_inverse=True)[1]
        return out

    def _pairs(self) -> IntArray:
        """Return the pair, or stratum, of every unit; units without one are alone."""
        if self.pairs is None:
            return self.candidates.strata
        n = self.candidates.units.n
        out = np.arange(n)
        focal, place = np.nonzero(self.pairs >= 0)
        out[self.pairs[focal, place]] = focal
        return out

    def _estimate(
        self, outcome: str, values: FloatArray, joint: FloatArray, cov_name: str, df: float, clusters: dict[str, int],
        settings: dict[str, Any],
    ) -> EffectEstimate:  # fmt: skip
        own, names = self.candidates, self._names()
        used = np.flatnonzero(self.weights)
        sample = restricted(own.units.sample, own.units.rows[used], "in the matched sample")
        shared = SampleEvidence.of(sample, own.variables, known_persons=own.identified)
        specification = parse(f"{outcome} ~ 1")[0]
        return EffectEstimate(
            formula=f"{outcome}; {own.labels[1]} v {own.labels[0]}",
            outcome=outcome,
            method=f"Matching ({own.settings['method']}), {own.estimand}",
            names=names,
            values=values,
            covariance=joint,
            cov_name=cov_name,
            nobs=len(used),
            n_row=sample.n_row,
            n_person=sample.n_person if own.identified else -1,
            df_resid=df,
            df_tests=df,
            n_clusters=clusters,
            effects={},
            dropped=own.columns.dropped,
            fit={},
            evidence=evidence_of_weights(
                names,
                self._by_arm(self.weights),
                self._by_arm(self._outcome(outcome)),
                own.focal,
                len(own.columns.names),
                shared,
            ),
            flow=sample.flow,
            settings={
                **own.settings,
                **settings,
                "estimand": own.estimand,
                "persons by arm": {after.strip(" []"): self._persons(part) for after, part in self._parts()},
            },
            owners=owners_of(own.panel, [specification], own.settings["exact"]),
            keys={} if self.subclasses is None else subclass_keys(own.labels, len(self._parts())),
            n_effects=len(self._parts()),
        )

    def _by_arm(self, values: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Return the values of the treated and of the controls behind each part's numbers."""
        arms, used = self.candidates.arms, self._used
        return [(values[(arms == 1) & used & part], values[(arms == 0) & used & part]) for _, part in self._parts()]

    def _persons(self, part: BoolArray) -> dict[str, int]:
        """Count the units of each arm in the matched sample, or a part of it."""
        arms = self.candidates.arms[self._used & part]
        return dict(zip(self.candidates.labels, np.bincount(arms, minlength=2).tolist(), strict=True))
