"""The columns of a regression: products of stored variables, read a block at a time, and levels that stay codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from leoreturns._typing import AnyArray, BoolArray, FloatArray, IntArray, Level
from leoreturns.errors import SupportError
from leoreturns.estimation.blocks import Block
from leoreturns.estimation.formula import NOT_GIVEN, Factor, Term
from leoreturns.estimation.sample import Sample
from leoreturns.estimation.variables import Codes, Numbers, Variable

MAX_COLUMNS = 2_000  # numbers times levels; more belongs among the effects


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dense:
    """A column of numbers: the product of numeric variables, on the rows that have given levels.

    Attributes
    ----------
    name : str
    numbers : tuple of Numbers
    levels : tuple of (Codes, int)
        The column is zero on rows of other levels.
    """

    name: str
    numbers: tuple[Numbers, ...]
    levels: tuple[tuple[Codes, int], ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two columns one."""
        return (*sorted(part.name for part in self.numbers), *sorted((part.name, at) for part, at in self.levels))

    def read(self, block: Block, out: FloatArray) -> None:
        """Write the column's entries of a block's rows."""
        out[:] = taken(self.numbers[0].values, self.numbers[0].level, block)
        for part in self.numbers[1:]:
            out *= taken(part.values, part.level, block)
        for codes, at in self.levels:
            out *= taken(codes.codes, codes.level, block) == at


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Levels:
    """A column for every level of an effect, or of a term of categories; codes are never expanded.

    Attributes
    ----------
    name : str
    codes : Codes
        The category, or the combination of several.
    slots : int32 array
        Column of each level, -1 for none.
    names : tuple of str
        Name of each column, in order.
    """

    name: str
    codes: Codes
    slots: AnyArray
    names: tuple[str, ...]

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return int(self.slots.max(initial=-1)) + 1

    def read(self, block: Block, base: int, out: AnyArray) -> None:
        """Write the number of each row's column, counted from `base`, -1 for none."""
        found = self.slots[taken(self.codes.codes, self.codes.level, block)]
        np.add(found, base, out=out, casting="unsafe", where=found >= 0)
        out[found < 0] = -1


def taken(values: AnyArray, level: Level, block: Block) -> AnyArray:
    """Return the entries of a block's rows."""
    return values[block.rows] if level == "year" else values[block.people]


def effect_levels(sample: Sample, codes: Codes) -> Levels:
    """Return the columns of an effect: one for every level that occurs."""
    seen = sample.observed(codes) > 0
    return Levels(codes.name, codes, _numbered(seen), ())


def _numbered(seen: BoolArray) -> AnyArray:
    """Number the marked entries in order, -1 for the others."""
    return np.where(seen, np.cumsum(seen) - 1, -1).astype(np.int32)


def term_columns(
    sample: Sample,
    term: Term,
    variables: Sequence[Sequence[Variable]],
    crossed: Sequence[Codes],
    *,
    contrasts: Sequence[bool],
) -> list[Dense] | Levels:
    """Return the columns of a term.

    Parameters
    ----------
    sample : Sample
    term : tuple of Factor
    variables : sequence of sequences of Variable
        What each factor stands for.
    crossed : sequence of Codes
        The combination of the term's categories, if it has several and no numbers.
    contrasts : sequence of bool
        For each factor, whether a category leaves its reference level out.
    """
    categories = [
        (factor, found[0], contrast)
        for factor, found, contrast in zip(term, variables, contrasts, strict=True)
        if isinstance(found[0], Codes)
    ]
    kept = {id(codes): _kept_levels(sample, factor, codes, contrast) for factor, codes, contrast in categories}
    if len(categories) == len(term):
        return _level_columns(sample, [(codes, kept[id(codes)]) for _, codes, _ in categories], crossed)
    choices: list[list[tuple[str, Numbers | tuple[Codes, int]]]] = []
    for found in variables:
        if isinstance(codes := found[0], Codes):
            choices.append([(level_name(codes, int(at)), (codes, int(at))) for at in kept[id(codes)]])
        else:
            choices.append([(part.name, part) for part in found if isinstance(part, Numbers)])
    count = int(np.prod([len(choice) for choice in choices]))
    if count > MAX_COLUMNS:
        name = ":".join(factor.text for factor in term)
        raise SupportError(f"'{name}' has {count:,} columns; the limit is {MAX_COLUMNS:,}. Band it or use an effect")
    columns = []
    for choice in product(*choices):
        parts = [part for _, part in choice]
        columns.append(
            Dense(
                ":".join(name for name, _ in choice),
                tuple(part for part in parts if isinstance(part, Numbers)),
                tuple(part for part in parts if not isinstance(part, Numbers)),
            )
        )
    return columns


def level_name(codes: Codes, at: int) -> str:
    """Return the name of a level's column, such as ``route::vocational``."""
    return f"{codes.name}::{codes.labels[at] if codes.labels is not None else at}"


def _kept_levels(sample: Sample, factor: Factor, codes: Codes, contrast: bool) -> IntArray:
    """Return the levels that occur, without the reference."""
    levels = np.flatnonzero(sample.observed(codes))
    if factor.ref is NOT_GIVEN:
        return levels[1:] if contrast and not factor.full else levels
    labels = list(codes.labels or ())
    same = [at for at, label in enumerate(labels) if label == factor.ref or str(label) == str(factor.ref)]
    if not same or same[0] not in levels:
        raise SupportError(
            f"ref={factor.ref!r} is not among the {len(levels):,} levels of '{codes.name}' in the sample"
        )
    return levels[levels != same[0]] if contrast or factor.full else levels


def _level_columns(sample: Sample, categories: Sequence[tuple[Codes, IntArray]], crossed: Sequence[Codes]) -> Levels:
    """Return a column for every combination of kept levels that occurs."""
    if len(categories) == 1:
        codes, kept = categories[0]
        seen = np.zeros(codes.n_levels, dtype=bool)
        seen[kept] = True
        return Levels(codes.name, codes, _numbered(seen), tuple(level_name(codes, int(at)) for at in kept))
    (combined,) = crossed
    n_levels = [codes.n_levels for codes, _ in categories]
    occurs = np.flatnonzero(sample.observed(combined))
    places = np.unravel_index(occurs, n_levels)
    wanted = np.logical_and.reduce([np.isin(at, kept) for at, (_, kept) in zip(places, categories, strict=True)])
    seen = np.zeros(combined.n_levels, dtype=bool)
    seen[occurs[wanted]] = True
    names = [
        ":".join(level_name(codes, int(place[at])) for (codes, _), place in zip(categories, places, strict=True))
        for at in np.flatnonzero(wanted)
    ]
    return Levels(combined.name, combined, _numbered(seen), tuple(names))
