"""Parts of a treatment study, their means by name, and the joint covariance of these: by moments or by redrawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.estimation.arms import Part, Study, times
from leoreturns.estimation.covariance import Clustered, Covariance, Found, Robust
from leoreturns.estimation.covariates import Units
from leoreturns.estimation.design import Variables
from leoreturns.estimation.doubly_robust import Mean
from leoreturns.estimation.linked import LinkWeights, through_links
from leoreturns.estimation.redrawn import Redrawn
from leoreturns.estimation.request import Request
from leoreturns.estimation.sandwich import clustered_sandwich
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Label


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Parts:
    """The parts of the data, each estimated with models of its own.

    Attributes
    ----------
    keys : mapping of name -> tuple of labels
        What tells them apart: outcomes where there are several, the column of groups and that of years, with their
        labels in order.
    parts : mapping of labels -> Part
        By a label of each key.
    """

    keys: Mapping[str, tuple[Label, ...]]
    parts: Mapping[tuple[Label, ...], Part]

    def studies(self) -> list[Study]:
        """Return the data of all parts."""
        return [part.study for part in self.parts.values()]

    def told(self) -> dict[str, Part]:
        """Return the parts by their labels in words."""
        return {", ".join(map(str, labels)): part for labels, part in self.parts.items()}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Named:
    """A mean of one part: of the outcomes of an arm, over the persons of another or the same.

    Attributes
    ----------
    comparison : str
        Such as "mean vocational".
    labels : tuple
        Of the part.
    part : Part
    place : (int, int)
        Which of the part's effects it belongs to, and whether it is the base of it (1) or not (0).
    arm, over : int
    """

    comparison: str
    labels: tuple[Label, ...]
    part: Part
    place: tuple[int, int]
    arm: int
    over: int

    @property
    def mean(self) -> Mean:
        """The mean and what units do to it."""
        number, is_base = self.place
        _, own, base = self.part.effects[number]
        return base if is_base else own


Effects = list[tuple[str, int, int]]  # comparison, and the places of the means that it is the difference of


def _influence(entry: Named) -> FloatArray:
    """Return what each unit adds to a mean."""
    study = entry.part.study
    place = study.cells.codes, study.arms
    return times(entry.mean.constant[place] + entry.mean.multiple[place] * study.outcome, study.weights)


def covariance_of_means(parts: Parts, means: Sequence[Named], panel: Panel, request: Request, cov: Covariance) -> Found:
    """Return the covariance of the means, the degrees of freedom of tests, and the number of clusters."""
    if isinstance(cov, Robust):
        return Found(_robust(parts, means, cov), np.inf, {}, {})
    assert isinstance(cov, Clustered)
    added = [[(entry.part.study.units, _influence(entry))] for entry in means]
    variables = Variables(panel)
    if isinstance(request.weights, LinkWeights):
        _add_links(added, parts, means, panel, request.weights)
        _refuse_varying(variables, cov.clusters)

    def sums_of(columns: tuple[str, ...]) -> tuple[FloatArray, int]:
        codes = variables.coded(columns, labelled=False)
        sums, seen = np.zeros((len(means), codes.n_levels)), np.zeros(codes.n_levels, dtype=bool)
        for place, parts_of_it in enumerate(added):
            for own, influence in parts_of_it:
                along = own.take(codes.codes, codes.level)
                if unknown := int((along < 0).sum()):
                    raise SupportError(f"'{codes.name}' is missing for {unknown:,} persons who were not linked")
                sums[place] += np.bincount(along, influence, minlength=codes.n_levels)
                seen[along] = True
        return sums, int(seen.sum())

    return Found(*clustered_sandwich(cov.clusters, sums_of), {})


def replicates_of_means(parts: Parts, means: Sequence[Named], redrawn: Redrawn) -> tuple[FloatArray, int]:
    """Return the means in every replicate, NaN where models cannot be estimated, and the number of units."""
    place = {id(part): number for number, part in enumerate(parts.parts.values())}
    at = [(place[id(entry.part)], *entry.place) for entry in means]
    rows = [
        [np.nan if (found := replicate[part]) is None else found[effect][base] for part, effect, base in at]
        for replicate in redrawn.replicates()
    ]
    return np.array(rows), redrawn.n_units


def _add_links(
    added: list[list[tuple[Units, FloatArray]]],
    parts: Parts,
    means: Sequence[Named],
    panel: Panel,
    weights: LinkWeights,
) -> None:
    """Add what persons, linked or not, do to the means through their chances of being linked."""
    for part in parts.studies():
        at = [place for place, entry in enumerate(means) if entry.part.study is part]
        influence = np.stack([added[place][0][1] for place in at])
        people, found = through_links(weights, panel, part.units.people, influence)
        units = Units(part.units.sample, panel.offsets[people], people)  # a row of each
        for place, row in zip(at, found, strict=True):
            added[place].append((units, row))


def _refuse_varying(variables: Variables, clusters: Sequence[str]) -> None:
    """Refuse clusters that may vary over the rows of persons who have no row in the sample."""
    several = variables.panel.n_row_stored > variables.panel.n_person_stored
    varying = [name for name in clusters if variables.coded((name,), labelled=False).level == "year"]
    if several and varying:
        raise SupportError(
            f"'{varying[0]}' may vary over a person's rows, so that those who were not linked have no cluster: take a "
            "trait, or the person"
        )


def _robust(parts: Parts, means: Sequence[Named], cov: Robust) -> FloatArray:
    """Return the covariance of persons who are independent, each in one part."""
    out = np.zeros((len(means), len(means)))
    for part in parts.parts.values():
        at = [place for place, entry in enumerate(means) if entry.part is part]
        own = np.stack([_influence(means[place]) for place in at])
        n = part.study.units.n
        out[np.ix_(at, at)] = own @ own.T * (n / (n - 1) if cov.kind == "HC1" else 1.0)
    return out
