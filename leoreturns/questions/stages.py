"""Stages: persons through qualifications and sectors, one step after another, as a flow chart shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leoreturns._typing import AnyArray, BoolArray
from leoreturns.aggregates.compute import aggregate
from leoreturns.panel.schema import Column
from leoreturns.questions.careers import NO_WORK, UNKNOWN, Careers
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.flow import MASKED_BELOW

STEP, ORIGIN, DESTINATION = "step", "origin", "destination"
OTHERS = "other"
MOST_SECTORS = 5  # that a chart names; with the others, no work and not known it tells eight states apart


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Stage:
    """One stage of a pipeline: what persons are told apart by, and what each is; microdata.

    Attributes
    ----------
    title : str
    labels : tuple of str
    codes : int array of shape (n_person,)
        -1 for those who are not in the stage.
    owner : str or None
        Whose records it is made of.
    """

    title: str
    labels: tuple[str, ...]
    codes: AnyArray
    owner: str | None

    @classmethod
    def of_trait(cls, careers: Careers, name: str, title: str) -> Stage:
        """Return a trait as a stage."""
        column = careers.columns[name]
        return cls(title, tuple(map(str, column.labels)), careers.people[name], column.owner)

    @classmethod
    def of_year(cls, careers: Careers, year: int, title: str, named: Sequence[int]) -> Stage:
        """Return the states of a year as a stage, all sectors but the named ones as one."""
        sectors = [str(careers.labels[code]) for code in named]
        place = np.full(careers.n_sector + 3, len(sectors), dtype=np.int16)
        place[list(named)] = np.arange(len(sectors))
        place[careers.n_sector :] = len(sectors) + 1, len(sectors) + 2, -1
        return cls(title, (*sectors, OTHERS, NO_WORK, UNKNOWN), place[careers.at(year)], careers.owner)

    def after(self, before: Stage) -> Stage:
        """Return the stage with its levels in the order of where their persons come from, so that fewer bands cross."""
        inside = (self.codes >= 0) & (before.codes >= 0)
        n = len(self.labels)
        total = np.bincount(self.codes[inside], weights=before.codes[inside], minlength=n)
        order = np.argsort(total / np.maximum(np.bincount(self.codes[inside], minlength=n), 1), kind="stable")
        place = np.full(n + 1, -1, dtype=np.int16)
        place[order] = np.arange(n)
        return replace(self, labels=tuple(self.labels[old] for old in order), codes=place[self.codes])


def largest_sectors(careers: Careers, year: int, most: int = MOST_SECTORS) -> list[int]:
    """Return the sectors with most persons in a year, the largest first; of equals the first in order."""
    states = careers.at(year)
    counts = np.bincount(states[careers.in_sector(states)], minlength=careers.n_sector)
    return [int(code) for code in np.argsort(-counts, kind="stable")[:most] if counts[code]]


def pipeline(careers: Careers, stages: Sequence[Stage], followed: BoolArray) -> Aggregate | None:
    """Count the persons of every flow from one stage to the next.

    Flows of fewer than ten persons into a stage of sectors go to "other", which then stands for other sectors and for
    small flows: a chart of the table shows them together.

    Parameters
    ----------
    careers : Careers
    stages : sequence of Stage
    followed : bool array of shape (n_person,)
        Persons who count, of those in all stages.

    Returns
    -------
    Aggregate
        ``n_person`` by step, origin and destination; None where nobody is in all stages, or there is but one.
    """
    kept = followed & np.logical_and.reduce([stage.codes >= 0 for stage in stages])
    if len(stages) == 1 or not kept.any():
        return None
    names = tuple(f"{number} to {stage.title}" for number, stage in enumerate(stages[1:], start=1))
    labels = tuple(dict.fromkeys(label for stage in stages for label in stage.labels))
    wide = np.stack([_in(labels, stage) for stage in stages], axis=1)
    origins, destinations = wide[:, :-1], wide[:, 1:].copy()
    for step, stage in enumerate(stages[1:]):
        if OTHERS in stage.labels:
            destinations[:, step] = _merged(origins[:, step], destinations[:, step], kept, labels)
    owned = [owner for stage in stages if stage.owner for owner in stage.owner.split(", ")]
    shape, owner = origins.shape, ", ".join(dict.fromkeys(owned)) or None
    columns = [
        (Column(STEP, "year", "code", labels=names), np.broadcast_to(np.arange(shape[1], dtype=np.int8), shape)),
        (Column(ORIGIN, "year", "code", labels=labels, owner=owner), origins),
        (Column(DESTINATION, "year", "code", labels=labels, owner=owner), destinations),
    ]
    every_step = np.repeat(kept[:, np.newaxis], shape[1], axis=1)
    panel = careers.panel(columns, ("in every stage of the pipeline", every_step))
    return aggregate(panel, None, by=[STEP, ORIGIN, DESTINATION], statistics=["n_person"])


def _in(labels: tuple[str, ...], stage: Stage) -> AnyArray:
    """Return the codes of a stage as positions in labels common to all."""
    place = np.array([*(labels.index(label) for label in stage.labels), -1], dtype=np.int16)
    return np.asarray(place[stage.codes])


def _merged(origin: AnyArray, destination: AnyArray, kept: BoolArray, labels: tuple[str, ...]) -> AnyArray:
    """Return destinations, "other" for flows of too few persons."""
    n = len(labels)
    flow = np.where(kept, origin.astype(np.int64) * n + destination, 0)
    few = np.bincount(flow[kept], minlength=n * n) < MASKED_BELOW
    return np.where(kept & few[flow], labels.index(OTHERS), destination).astype(np.int16)
