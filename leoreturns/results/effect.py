"""EffectEstimate: effects of a treatment and the means that they are differences of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from leoreturns._typing import IntArray
from leoreturns.errors import SupportError
from leoreturns.results.aggregate import CellKey
from leoreturns.results.estimate import Estimate
from leoreturns.results.flow import MASK, MASKED_BELOW
from leoreturns.results.hypothesis import Test
from leoreturns.results.simultaneous import LargestOf

COMPARISON, OUTCOME = "comparison", "outcome"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EffectEstimate(Estimate):
    """Effects of a treatment, then the potential-outcome means of the arms.

    As an `Estimate`, whose shares of variance are NaN: several models stand behind an effect. ``settings`` has the
    persons of each arm.

    Attributes
    ----------
    keys : mapping of name -> CellKey
        What each effect or mean is of: ``comparison`` ("vocational v academic", "mean vocational"), then ``outcome``
        where there are several, the column of groups and that of years, or the ``subclass`` of a match. Empty for other
        matches, which have one effect.
    n_effects : int
        How many of the names, the first, are effects.
    """

    keys: Mapping[str, CellKey] = field(default_factory=dict)
    n_effects: int = 1

    def bands(self, along: str | Sequence[str] | None = None, level: float | None = None) -> pd.DataFrame:
        """Return the interval of each effect and mean, and the band that holds for several of them at once.

        Parameters
        ----------
        along : str or sequence of str, optional
            Keys whose levels a band covers together, one band for each crossing of the others: the years of a path,
            groups, outcomes, or the "comparison" of arms. By default all keys but the comparison.
        level : float, optional
            As in `conf_int`.

        Returns
        -------
        pandas.DataFrame
            One row per effect and mean, by its name: the keys, then ``coefficient``, ``std_error``, ``low``, ``high``,
            ``band_low``, ``band_high``, the ``critical`` value of the band, ``p``, and ``p_adjusted``, below which the
            familywise error rate is controlled over what the band covers.

        Raises
        ------
        SupportError
            For an unknown key.

        Notes
        -----
        Sup-t from the joint covariance (Montiel Olea and Plagborg-Moller 2019, J. Applied Econometrics 34), by the
        normal or t distribution that tests have. Effects and means are covered apart. Under a bootstrap the interval
        may come from the replicates' quantiles; the band comes from their covariance.
        """
        level = self.level if level is None else level
        found = self.to_frame(level)
        critical, adjusted = np.full(len(found), np.nan), np.full(len(found), np.nan)
        for own in self._families(along):
            largest = LargestOf(self.covariance[np.ix_(own, own)], self.df_tests)
            critical[own] = largest.critical(level)
            adjusted[own] = [largest.pvalue(statistic) for statistic in found["t"].to_numpy()[own]]
        margin = np.where(found["std_error"] > 0, critical, 0.0) * found["std_error"].to_numpy()
        found = found.drop(columns=["t", "p"]).assign(
            band_low=self.values - margin,
            band_high=self.values + margin,
            critical=critical,
            p=self.pvalues,
            p_adjusted=adjusted,
        )
        for place, (name, key) in enumerate(self.keys.items()):
            found.insert(place, name, key.values())
        return found

    def joint_test(self) -> Test:
        """Test that there is no effect at all: of any arm, on any outcome, in any group and year.

        Returns
        -------
        Test
            Wald's, by the joint covariance. On outcomes from before the treatment it is that of a placebo.

        Raises
        ------
        SupportError
            Where the covariance of the effects is singular, as with more effects than clusters.
        """
        return self.wald(self.names[: self.n_effects])

    def _families(self, along: str | Sequence[str] | None) -> list[IntArray]:
        """Return the places of the effects, or means, that are covered together."""
        chosen = [name for name in self.keys if name != COMPARISON] if along is None else along
        chosen = [chosen] if isinstance(chosen, str) else list(chosen)
        if unknown := [name for name in chosen if name not in self.keys]:
            raise SupportError(f"no key {', '.join(map(repr, unknown))}; there are {', '.join(self.keys) or 'none'}")
        codes = [key.codes for name, key in self.keys.items() if name not in chosen]
        if not self.keys:
            codes = [np.arange(len(self.names))]
        apart = np.column_stack([np.arange(len(self.names)) >= self.n_effects, *codes])
        _, family = np.unique(apart, axis=0, return_inverse=True)
        return [np.flatnonzero(family.ravel() == number) for number in range(int(family.max()) + 1)]

    def _quality(self) -> str:
        parts = []
        for part, arms in self.settings["persons by arm"].items():
            told = ", ".join(
                f"{arm} {count:,}" if count >= MASKED_BELOW else f"{arm} {MASK}" for arm, count in arms.items()
            )
            parts.append(f"{part}: {told}" if part else told)
        return f"Persons by arm: {'; '.join(parts)}"
