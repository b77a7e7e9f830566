"""Design: the columns, effects, weights and rows of regressions that share one sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from leoreturns._typing import AnyArray, FloatArray, IntArray, Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.blocks import Block, Blocks, Centre, blocks_of_levels, blocks_of_persons
from leoreturns.estimation.columns import Dense, Levels, effect_levels, taken, term_columns
from leoreturns.estimation.formula import NOT_GIVEN, Factor, Specification, Term
from leoreturns.estimation.sample import Sample, draw_sample
from leoreturns.estimation.variables import Codes, Numbers, Variable, codes, variable
from leoreturns.panel.panel import Panel
from leoreturns.panel.units import PERSON

CONSTANT = -1  # place of the constant, which is no stored column
SPARSE_FROM = 3_000  # levels beside the eliminated effect, whose cross-products are kept as a sparse matrix beyond
DENSE_LEVELS = 6_000  # what nothing is eliminated from, and what an inverse is made of, may have
FEW_LEVELS = 256  # an effect of so few levels is not worth sorting the rows for
INTERCEPT = "Intercept"


class Variables:
    """The variables of a panel by the factors that name them, each made once."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._factors: dict[tuple[str, str], list[Variable]] = {}
        self._codes: dict[tuple[tuple[str, ...], bool], Codes] = {}

    def of(self, factor: Factor) -> list[Variable]:
        """Return what a factor stands for."""
        key = (factor.kind, factor.text)
        if key not in self._factors:
            self._factors[key] = variable(self.panel, factor)
        return self._factors[key]

    def outcome(self, factor: Factor) -> list[Variable]:
        """Return the numbers of an outcome."""
        (found, *others) = self.of(factor)
        if isinstance(found, Codes) or others:
            raise SupportError(f"the outcome '{factor.text}' holds labels or several columns, not numbers")
        return [found]

    def coded(self, names: tuple[str, ...], *, labelled: bool = True) -> Codes:
        """Return columns as codes."""
        key = (names, labelled)
        if key not in self._codes:
            self._codes[key] = codes(self.panel, names, labelled=labelled)
        return self._codes[key]

    def of_terms(self, terms: Sequence[Term]) -> list[Variable]:
        """Return every variable of some terms."""
        return [entry for term in terms for factor in term for entry in self.of(factor)]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Model:
    """One regression in a design's columns: a place below the number of dense columns is dense, the others are levels.

    Attributes
    ----------
    specification : Specification
    outcome : int
        Place of the outcome.
    exogenous, endogenous, instruments : tuple of int
        Places of the regressors; `CONSTANT` for the intercept.
    effects : tuple of str
        Absorbed effects, the eliminated one among them.
    absorbed : int64 array
        Places of the levels of the effects that are not eliminated.
    names : mapping of int to str
        Names of places.
    """

    specification: Specification
    outcome: int
    exogenous: tuple[int, ...]
    endogenous: tuple[int, ...]
    instruments: tuple[int, ...]
    effects: tuple[str, ...]
    absorbed: IntArray
    names: dict[int, str]


class Rows(NamedTuple):
    """What the scans read of a block.

    Attributes
    ----------
    dense : float64 of shape (c, n)
    slots : int32 of shape (e, n)
        The slot of each category, -1 for none.
    weights : float64 of shape (n,) or (0,)
    deviance : float
        Of the rows, where the columns are those of one step of a likelihood.
    """

    dense: FloatArray
    slots: AnyArray
    weights: FloatArray
    deviance: float = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """The arrays that regressions on one sample need: microdata, held inside.

    Attributes
    ----------
    sample : Sample
    blocks : Blocks
        How the rows are read, and what is taken out of them.
    dense : list of Dense
        Columns of numbers.
    levels : list of Levels
        Categories among the regressors, and the effects that are not eliminated.
    bases : list of int
        First slot of each entry of `levels`.
    n_slots : int
    weights : Numbers, optional
    weight_kind : str, optional
    eliminated : str, optional
        The effect whose means are taken out of every block.
    eliminated_levels : int
        How many levels of it the sample has.
    effects : mapping of name -> int
        Levels of each effect in the sample.
    models : list of Model
    """

    sample: Sample
    blocks: Blocks
    dense: list[Dense]
    levels: list[Levels]
    bases: list[int]
    n_slots: int
    weights: Numbers | None
    weight_kind: str | None
    eliminated: str | None
    effects: dict[str, int]
    models: list[Model] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Design: {self.sample.n_row:,} rows, {len(self.dense):,} columns, {self.n_slots:,} levels>"

    @property
    def is_sparse(self) -> bool:
        """Whether the levels' cross-products are kept as a sparse matrix: most pairs of many share no group."""
        return self.blocks.centre == "groups" and self.n_slots > SPARSE_FROM

    def effect_of_slots(self) -> IntArray:
        """Return for each slot the number of the entry of `levels` that it belongs to."""
        return np.repeat(np.arange(len(self.levels)), np.diff([*self.bases, self.n_slots]))

    def observations(self, weight: float) -> float:
        """Count the rows, or with frequency weights, whose sum is given, those that they stand for."""
        return weight if self.weight_kind == "frequency" else float(self.sample.n_row)

    def read(self, block: Block) -> Rows:
        """Return what the scans read of a block; the dense columns are the caller's to change."""
        return Rows(self.columns_of(block), self.slots_of(block), self.weights_of(block))

    def sizes(self, outcome: AnyArray) -> FloatArray:
        """Return by how much rows weigh by their outcome, as it is read, beside what they weigh in the regression."""
        return np.abs(outcome, dtype=np.float64)

    def columns_of(self, block: Block) -> FloatArray:
        """Return the dense columns on a block's rows, one after the other."""
        out = np.empty((len(self.dense), block.n))
        for column, row in zip(self.dense, out, strict=True):
            column.read(block, row)
        return out

    def slots_of(self, block: Block) -> AnyArray:
        """Return the slot of each category on a block's rows; -1 for none."""
        out = np.empty((len(self.levels), block.n), dtype=np.int32)
        for entry, base, row in zip(self.levels, self.bases, out, strict=True):
            entry.read(block, base, row)
        return out

    def weights_of(self, block: Block) -> FloatArray:
        """Return the weights of a block's rows, none where all are equal."""
        if self.weights is None:
            return np.empty(0)
        return np.ascontiguousarray(taken(self.weights.values, self.weights.level, block), dtype=np.float64)


def sample_of(
    panel: Panel,
    specification: Specification,
    clusters: Sequence[str],
    weighting: tuple[Weights, Numbers] | None,
    variables: Variables,
    offset: Numbers | None = None,
) -> Sample:
    """Return the rows that a regression uses."""
    regressors = (*specification.terms, *specification.endogenous)
    effects = [variables.coded(effect) for effect in specification.effects]
    known = [variables.coded((name,), labelled=False) for name in clusters]
    required: list[tuple[str, Sequence[Variable]]] = [
        ("outcome known", variables.outcome(specification.outcome)),
        ("regressors known", variables.of_terms(regressors)),
        ("instruments known", variables.of_terms(specification.instruments)),
        ("effects known", effects),
        ("clusters known", known),
        ("weights known", [] if weighting is None else [weighting[1]]),
        ("offset known", [] if offset is None else [offset]),
    ]
    return draw_sample(panel, required, weighting, effects)


def build_design(
    sample: Sample,
    specifications: Sequence[Specification],
    variables: Variables,
    weights: tuple[Weights, Numbers] | None,
    *,
    eliminate: bool = False,
) -> Design:
    """Put the columns of several regressions on one sample side by side.

    Parameters
    ----------
    sample : Sample
    specifications : sequence of Specification
        They absorb the same large effect, or none.
    variables : Variables
    weights : (Weights, Numbers), optional
    eliminate : bool
        Whether the largest effect is eliminated however few levels it has.
    """
    builder = _Builder(sample, variables)
    names = {effect for entry in specifications for effect in entry.effects}
    coded = {effect: variables.coded(effect) for effect in sorted(names)}
    eliminated = eliminated_effect(sample, specifications[0], coded, always=eliminate)
    counts = {
        "^".join(effect): sample.n_person
        if _is_person(sample.panel, effect)
        else int((sample.observed(part) > 0).sum())
        for effect, part in coded.items()
    }
    intercept = any(entry.intercept or entry.effects for entry in specifications)
    centre: Centre = "groups" if eliminated else "mean" if intercept else "none"
    if eliminated is None or _is_person(sample.panel, eliminated):
        blocks = blocks_of_persons(sample, centre)
    else:
        blocks = blocks_of_levels(sample, coded[eliminated])
    for entry in specifications:
        builder.add(entry, [effect for effect in entry.effects if effect != eliminated])
    if builder.n_slots > DENSE_LEVELS and centre != "groups":
        raise SupportError(
            f"{builder.n_slots:,} levels are too many among the regressors; absorb the largest: put it after the |"
        )
    return Design(
        sample,
        blocks,
        builder.dense,
        builder.levels,
        builder.bases,
        builder.n_slots,
        None if weights is None else weights[1],
        None if weights is None else weights[0].kind,
        "^".join(eliminated) if eliminated else None,
        counts,
        builder.models(),
    )


def eliminated_effect(
    sample: Sample,
    specification: Specification,
    coded: dict[tuple[str, ...], Codes],
    *,
    always: bool = False,
) -> tuple[str, ...] | None:
    """Return the effect to eliminate: the person, or else the largest one if it is large."""
    effects = specification.effects
    for effect in effects:
        if _is_person(sample.panel, effect):
            return effect
    largest = max(effects, key=lambda effect: coded[effect].n_levels, default=None)
    return largest if largest is not None and (always or coded[largest].n_levels > FEW_LEVELS) else None


def _is_person(panel: Panel, effect: tuple[str, ...]) -> bool:
    return effect == (panel.schema.person,) or (effect == (PERSON,) and PERSON not in panel.schema.columns)


def _leaves_out(factor: Factor) -> bool:
    """Whether a factor leaves a level out whatever the other terms, as ``i(year, ref=2010)`` does."""
    return factor.full and factor.ref is not NOT_GIVEN


class _Builder:
    """Collects columns, each once, and the places of every regression's columns among them."""

    def __init__(self, sample: Sample, variables: Variables) -> None:
        self.sample, self.variables = sample, variables
        self.dense: list[Dense] = []
        self.levels: list[Levels] = []
        self.bases: list[int] = []
        self.n_slots = 0
        self._places: dict[object, list[int]] = {}  # of slots: from -2 downwards, until the dense columns are counted
        self._names: dict[int, str] = {}
        self._found: list[tuple[Specification, dict[str, list[int]]]] = []

    def add(self, specification: Specification, effects: Sequence[tuple[str, ...]]) -> None:
        """Add the columns of one regression."""
        constant = [CONSTANT] if specification.intercept else []
        present = {frozenset(factor.text for factor in term) for term in specification.terms}
        if specification.intercept or specification.effects:
            present.add(frozenset())
        (outcome,) = self._term((specification.outcome,), present)
        self._found.append(
            (
                specification,
                {
                    "outcome": [outcome],
                    "exogenous": [*constant, *(at for term in specification.terms for at in self._term(term, present))],
                    "endogenous": [at for term in specification.endogenous for at in self._term(term, present)],
                    "instruments": [at for term in specification.instruments for at in self._term(term, present)],
                    "absorbed": [at for effect in effects for at in self._effect(effect)],
                },
            )
        )

    def _effect(self, effect: tuple[str, ...]) -> list[int]:
        key = ("effect", effect)
        if key not in self._places:
            self._places[key] = self._slots(effect_levels(self.sample, self.variables.coded(effect)))
        return self._places[key]

    def _term(self, term: Term, present: set[frozenset[str]]) -> list[int]:
        """Return the places of a term's columns, adding those that are new."""
        found = [self.variables.of(factor) for factor in term]
        texts = [factor.text for factor in term]
        contrasts = [frozenset(text for text in texts if text != own) in present for own in texts]
        if len(term) == 1 and isinstance(found[0][0], Codes) and not (contrasts[0] or _leaves_out(term[0])):
            # Without an intercept the first category has all its levels, and stands in for it.
            present.add(frozenset())
        key = (tuple((factor.kind, factor.text, repr(factor.ref), factor.full) for factor in term), tuple(contrasts))
        if key in self._places:
            return self._places[key]
        categories = [factor for factor, parts in zip(term, found, strict=True) if isinstance(parts[0], Codes)]
        crossed = []
        if len(categories) == len(term) > 1:
            crossed = [self.variables.coded(tuple(texts))]
        made = term_columns(self.sample, term, found, crossed, contrasts=contrasts)
        self._places[key] = self._slots(made) if isinstance(made, Levels) else [self._dense(column) for column in made]
        return self._places[key]

    def _dense(self, column: Dense) -> int:
        if column.key not in self._places:
            self._places[column.key] = [len(self.dense)]
            self._names[len(self.dense)] = column.name
            self.dense.append(column)
        return self._places[column.key][0]

    def _slots(self, levels: Levels) -> list[int]:
        base, self.n_slots = self.n_slots, self.n_slots + levels.n_columns
        self.levels.append(levels)
        self.bases.append(base)
        places = [-2 - slot for slot in range(base, self.n_slots)]
        self._names.update(zip(places, levels.names, strict=False))
        return places

    def models(self) -> list[Model]:
        """Return the regressions, their slots counted after the dense columns."""
        first = len(self.dense)

        def placed(places: Sequence[int]) -> tuple[int, ...]:
            return tuple(first - 2 - at if at < CONSTANT else at for at in places)

        names = {CONSTANT: INTERCEPT} | {placed([at])[0]: name for at, name in self._names.items()}
        return [
            Model(
                specification,
                placed(places["outcome"])[0],
                placed(places["exogenous"]),
                placed(places["endogenous"]),
                placed(places["instruments"]),
                tuple("^".join(effect) for effect in specification.effects),
                np.array(placed(places["absorbed"]), dtype=np.int64),
                names,
            )
            for specification, places in self._found
        ]
