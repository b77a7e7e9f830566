"""Checks that any question must pass, for the tests of this package and of whoever writes a question."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from leoreturns._typing import AnyArray
from leoreturns.panel.panel import Panel
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.answer import Answer

BYTES_A_CELL, BYTES_BESIDES = 2_000, 100_000
# Statistics that stay as they are where every person is there twice; those of the family "count" double.
KEPT = ("mean", "share", "p50")
EXACT = 1e-12
EARNINGS = ("earnings", "earnings_or_zero")
FEWEST_LEVELS = 2  # of which one can be left out


def check_question(question: Callable[..., Answer], panel: Panel, *, seed: int = 0, **arguments: Any) -> Answer:
    """Assert what holds for the answer of any question.

    The order of rows and the number of threads change no byte of it, and the panel is not changed by it; its flow adds
    up; every cell has its evidence; it pickles within a bound and holds no array of the length of persons, rows or
    replicates; earnings of those in work have those of everybody beside them. Where every person is there twice, counts
    double, means, shares and medians stay, and of either population no more than its part lies beyond a percentile. A
    level of the first characteristic that nobody has is no group of any table.

    Parameters
    ----------
    question : callable
        Takes a panel, `n_jobs` and the arguments.
    panel : Panel
        Data to ask; whole, without a selection.
    seed : int
        Of the order in which rows are shuffled.
    **arguments
        Arguments of the question.

    Returns
    -------
    Answer
        Of the panel.

    Raises
    ------
    AssertionError
        If the question breaks a rule.
    """
    before = _digest(panel)
    answer = question(panel, n_jobs=1, **arguments)
    _check_contents(answer, panel, arguments.get("plan"))
    rows = panel.to_frame()
    traits = [name for name, column in panel.schema.columns.items() if column.level == "person"]

    def built(frame: pd.DataFrame) -> Panel:
        return Panel.from_frame(
            frame,
            person=panel.schema.person,
            time=panel.schema.time,
            traits=traits,
            owners={name: column.owner for name, column in panel.schema.columns.items() if column.owner},
            units={name: column.unit for name, column in panel.schema.columns.items() if column.unit},
            entities=[name for name, column in panel.schema.columns.items() if column.entity],
        )

    shuffled = rows.sample(frac=1.0, random_state=seed)
    assert _numbers(question(built(shuffled), n_jobs=2, **arguments)) == _numbers(
        question(built(rows), n_jobs=3, **arguments)
    ), "the order of rows, or the number of threads, changes the answer"
    assert _numbers(question(panel, n_jobs=2, **arguments)) == _numbers(answer), "n_jobs changes the answer"
    assert _digest(panel) == before, "the question changed the panel"
    _check_doubled(answer, question(built(_doubled(rows, panel.schema.person)), **arguments))
    if characteristics := arguments.get("characteristics"):
        _check_empty_group(question, panel, characteristics[0], arguments)
    return answer


def check_coverage(
    question: Callable[..., Answer],
    population: Callable[[int], Panel],
    intervals: Callable[[Answer], Mapping[str, tuple[float, float]]],
    truth: Mapping[str, float],
    *,
    n_draws: int = 200,
    level: float = 0.95,
    error: float = 1e-4,
    **arguments: Any,
) -> dict[str, float]:
    """Assert that the intervals of a question hold the truth as often as they claim, in populations drawn anew.

    Parameters
    ----------
    question : callable
        As in `check_question`; its arguments give it the plan, or the covariance, of the intervals.
    population : callable
        Takes the number of a draw, from 0, and returns a panel drawn from a process that is known.
    intervals : callable
        Takes an answer and returns the lower and upper end for every estimand that it names.
    truth : mapping of estimand -> float
        Of the process, not of a draw.
    n_draws : int
        Populations.
    level : float
        What the intervals claim.
    error : float
        Chance, for one estimand, that intervals which keep their claim are refused.
    **arguments
        Arguments of the question.

    Returns
    -------
    dict of estimand -> float
        Part of the draws whose interval holds the truth.

    Raises
    ------
    AssertionError
        If an estimand is covered less often than chance explains (a binomial test, one-sided: an interval that is too
        wide is not refused), or an answer does not name it.
    """
    held = dict.fromkeys(truth, 0)
    for number in range(n_draws):
        found = intervals(question(population(number), **arguments))
        for name, true in truth.items():
            assert name in found, f"the answer names no interval of '{name}'"
            low, high = found[name]
            held[name] += low <= true <= high
    fewest = int(binom.ppf(error, n_draws, level))
    for name, count in held.items():
        assert count >= fewest, f"'{name}' is covered in {count} of {n_draws} draws, fewer than {fewest} at {level}"
    return {name: count / n_draws for name, count in held.items()}


def _digest(panel: Panel) -> str:
    """Return a hash of all that a panel holds."""
    digest = hashlib.sha256()
    for columns in (panel.people, panel.years):
        for name, array in columns.items():
            digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def _arrays(thing: Any) -> Iterator[AnyArray]:
    """Yield every array that an object holds, however deep."""
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, Mapping):
        for part in thing.values():
            yield from _arrays(part)
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from _arrays(part)
    elif dataclasses.is_dataclass(thing):
        for entry in dataclasses.fields(thing):
            yield from _arrays(getattr(thing, entry.name))


def _numbers(answer: Answer) -> list[tuple[str, Any, bytes]]:
    """Return all numbers of an answer, exactly, with their shapes."""
    return [(name, array.shape, array.tobytes()) for name, each in answer.results.items() for array in _arrays(each)]


def _check_contents(answer: Answer, panel: Panel, plan: BootstrapPlan | None) -> None:
    """Check flow, evidence, sizes and what stands beside what."""
    steps = answer.flow.steps
    assert steps, "the answer has no flow"
    for earlier, later in pairwise(steps):
        assert later.persons <= earlier.persons, "a step of the flow adds persons"
    for name, table in answer.tables.items():
        for array in _arrays(table.evidence):
            assert len(array) == table.n_cells, f"{name}: a cell without its evidence"
        assert (table.evidence.n_person >= 0).all(), f"{name}: persons are not known"
    cells = sum(table.n_cells for table in answer.tables.values())
    assert len(pickle.dumps(answer)) < BYTES_A_CELL * cells + BYTES_BESIDES, "the answer is too large"
    lengths = {panel.n_person, panel.n_person_stored, panel.n_row, panel.n_row_stored}
    lengths |= {plan.n_replicates} if plan is not None else set()
    for array in _arrays(answer.results):
        assert not lengths & set(array.shape), "the answer holds an array of the length of persons, rows or replicates"
    one, other = EARNINGS
    for name in answer.tables:
        if name == one or name.startswith(f"{one}_by"):
            assert name.replace(one, other, 1) in answer.tables, f"{name}: without unconditional earnings beside it"


def _doubled(rows: pd.DataFrame, person: str) -> pd.DataFrame:
    """Return every person twice, under two ids."""
    again = rows.assign(**{person: "again " + rows[person].astype(str)})
    return pd.concat([rows.assign(**{person: rows[person].astype(str)}), again], ignore_index=True)


def _check_doubled(answer: Answer, doubled: Answer) -> None:
    """Check what twice the persons change."""
    for name, table in answer.tables.items():
        other = doubled.results.get(name)
        assert isinstance(other, Aggregate), f"{name}: not there with every person twice"
        if other.n_cells != table.n_cells:
            continue  # a list of what is common has more entries then
        np.testing.assert_array_equal(other.evidence.n_person, 2 * table.evidence.n_person, err_msg=name)
        for kept in KEPT:
            if kept in table.statistics:
                np.testing.assert_allclose(other.statistics[kept], table.statistics[kept], rtol=EXACT, err_msg=name)
        for each in (table, other):
            _check_tails(name, each)


def _check_tails(name: str, table: Aggregate) -> None:
    """Check that no more than their part of the values lies below, or above, a percentile; ties lie at it."""
    for percentile, tail in table.evidence.tails.items():
        part = int(percentile[1:]) / 100
        for beyond, most in ((tail.below, part), (tail.above, 1 - part)):
            allowed = most * table.evidence.n_person_value + 1
            assert (beyond <= allowed).all(), f"{name}: too many persons beyond {percentile}"


def _check_empty_group(
    question: Callable[..., Answer], panel: Panel, characteristic: str, arguments: Mapping[str, Any]
) -> None:
    """Check that a level that nobody has is no group, and that the tables by the others are there."""
    labels = panel.schema.columns[characteristic].labels
    if len(labels) < FEWEST_LEVELS:
        return
    nobody = panel.where(f"`{characteristic}` != {labels[-1]!r}")
    for name, table in question(nobody, **arguments).tables.items():
        if characteristic in table.keys:
            found = set(table.keys[characteristic].values())
            assert labels[-1] not in found, f"{name}: a group of nobody"
            assert found, f"{name}: the other groups are missing"
