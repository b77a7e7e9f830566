"""The rows that an estimate uses: complete, weighted, and not alone in an effect; what is left out is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leoreturns._typing import AnyArray, BoolArray, IntArray, Level, Weights
from leoreturns.errors import SupportError
from leoreturns.estimation.variables import Codes, Numbers, Variable
from leoreturns.panel.panel import Panel
from leoreturns.panel.rows import BLOCK, count_selected, expand, slices
from leoreturns.results.flow import SampleFlow


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sample:
    """The rows of an estimate.

    Attributes
    ----------
    panel : Panel
        Whose stored rows they are.
    kept : bool[n_row_stored] or None
        Which of them; None for all.
    flow : SampleFlow
        Persons and rows after each exclusion.
    n_row, n_person : int
    """

    panel: Panel
    kept: BoolArray | None
    flow: SampleFlow
    n_row: int
    n_person: int

    def rows_of_persons(self) -> IntArray:
        """Count the rows of each stored person."""
        return np.diff(self.panel.offsets) if self.kept is None else count_selected(self.kept, self.panel.offsets)

    def on_rows(self, values: AnyArray, level: Level) -> AnyArray:
        """Return the entries of a variable on the rows."""
        along = values if level == "year" else expand(values, self.panel.offsets)
        return along if self.kept is None else along[self.kept]

    def observed(self, variable: Codes) -> IntArray:
        """Count the rows of each level."""
        weights = self.rows_of_persons() if variable.level == "person" else self.kept
        counts = np.zeros(variable.n_levels, dtype=np.int64)
        for first, last in slices(len(variable.codes), BLOCK):
            codes = variable.codes[first:last]
            if variable.level == "person":
                assert weights is not None
                present = codes >= 0
                found = np.bincount(codes[present], weights[first:last][present], minlength=variable.n_levels)
                counts += found.astype(np.int64)
            else:
                codes = codes[codes >= 0] if weights is None else codes[weights[first:last] & (codes >= 0)]
                counts += np.bincount(codes, minlength=variable.n_levels)
        return counts


def draw_sample(
    panel: Panel,
    required: Sequence[tuple[str, Sequence[Variable]]],
    weights: tuple[Weights, Numbers] | None,
    effects: Sequence[Codes],
) -> Sample:
    """Keep the rows on which everything is known, then those that share each effect with another row.

    Parameters
    ----------
    panel : Panel
    required : sequence of (reason, variables)
        What must be known, with the words of the flow's step.
    weights : (Weights, Numbers), optional
        Rows of weight zero are left out.
    effects : sequence of Codes
        Absorbed effects. A row alone in a level fits itself exactly; leaving it out may leave others alone. A row that
        a frequency weight makes several is not alone.

    Raises
    ------
    SupportError
        If no row is left, or a weight is negative or, as a frequency, not whole.
    """
    sample = Sample(panel, panel.selection, panel.flow, panel.n_row, panel.n_person)
    for reason, variables in required:
        for entry in variables:
            sample = without(sample, on_rows(panel, entry.missing(), entry.level), reason)
    if weights is not None:
        sample = _weighted(sample, *weights)
    single = standing_for_one(panel, weights)
    sample = without_singletons(sample, effects, single)
    if not sample.n_row:
        raise SupportError("no rows are left to estimate from; see the flow for where they were lost")
    return sample


def restricted(sample: Sample, rows: IntArray, reason: str) -> Sample:
    """Return the sample on some of its stored rows."""
    dropped = np.ones(int(sample.panel.offsets[-1]), dtype=bool)
    dropped[rows] = False
    return without(sample, dropped, reason)


def without(sample: Sample, dropped: BoolArray | None, reason: str) -> Sample:
    """Return the sample without some rows; a step of the same words is one step."""
    if dropped is None:
        return sample
    kept = ~dropped if sample.kept is None else sample.kept & ~dropped
    n_row = int(np.count_nonzero(kept))
    if n_row == sample.n_row:
        return sample
    n_person = int(np.count_nonzero(count_selected(kept, sample.panel.offsets)))
    steps = sample.flow.steps
    flow = SampleFlow(steps[:-1]) if len(steps) > 1 and steps[-1].label == reason else sample.flow
    return Sample(sample.panel, kept, flow.appended(reason, persons=n_person, rows=n_row), n_row, n_person)


def on_rows(panel: Panel, marked: BoolArray | None, level: str) -> BoolArray | None:
    """Return marks of persons as marks of their rows."""
    return marked if marked is None or level == "year" else expand(marked.view(np.uint8), panel.offsets).view(np.bool_)


def _weighted(sample: Sample, weights: Weights, numbers: Numbers) -> Sample:
    """Check the weights and leave out rows of weight zero."""
    values = numbers.values if numbers.level == "year" else expand(numbers.values, sample.panel.offsets)
    used = sample.on_rows(numbers.values, numbers.level)
    if negative := int((used < 0).sum()):
        raise SupportError(f"weights '{weights.column}' are negative in {negative:,} rows; a weight is zero or more")
    if weights.kind == "frequency" and (broken := int((used != np.floor(used)).sum())):
        raise SupportError(
            f"frequency weights '{weights.column}' are not whole in {broken:,} rows; say 'analytic' or 'probability'"
        )
    return without(sample, np.equal(values, 0) if not np.all(used) else None, f"{weights.column} above zero")


def standing_for_one(panel: Panel, weights: tuple[Weights, Numbers] | None) -> BoolArray | None:
    """Mark the stored rows that a frequency weight does not repeat; None without such weights."""
    if weights is None or weights[0].kind != "frequency":
        return None
    return np.asarray(on_rows(panel, np.equal(weights[1].values, 1), weights[1].level))


def without_singletons(sample: Sample, effects: Sequence[Codes], single: BoolArray | None = None) -> Sample:
    """Leave out rows whose level no other row has, until there is none; of `single` ones, where others are several."""
    while effects:
        before = sample.n_row
        for effect in effects:
            is_person = effect.level == "person" and effect.n_levels == sample.panel.n_person_stored
            alone = (sample.rows_of_persons() if is_person else sample.observed(effect)) == 1
            sample = without_levels(sample, effect, alone, "no row alone in an effect", single)
        if sample.n_row == before or len(effects) == 1:
            break
    return sample


def without_levels(
    sample: Sample, effect: Codes, marked: BoolArray, reason: str, among: BoolArray | None = None
) -> Sample:
    """Leave out the rows of marked levels, `among` some stored rows."""
    if not marked.any():
        return sample
    dropped = on_rows(sample.panel, marked[effect.codes], effect.level)
    return without(sample, dropped if among is None or dropped is None else dropped & among, reason)
