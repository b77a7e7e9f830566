"""jointly(): several calls under one plan, whose replicates are held together for as long as their covariance takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leoreturns._typing import FloatArray
from leoreturns.errors import SupportError
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.joint import Joint

MAX_ESTIMATES = 5_000


@dataclass(frozen=True, slots=True)
class Collected:
    """The estimates of one table: their statistic and cell, their points (k,) and replicates (k, n_replicates)."""

    labels: list[tuple[str, str]]
    point: FloatArray
    replicates: FloatArray


_collecting: ContextVar[list[Collected] | None] = ContextVar("collecting", default=None)


@contextmanager
def collecting() -> Iterator[list[Collected]]:
    """Have the tables that are made inside the block hand over their replicates, one entry each, in their order."""
    waiting: list[Collected] = []
    token = _collecting.set(waiting)
    try:
        yield waiting
    finally:
        _collecting.reset(token)


def is_collecting() -> bool:
    """Whether replicates are waited for."""
    return _collecting.get() is not None


def collect(cells: Sequence[str], points: Mapping[str, FloatArray], replicates: Mapping[str, FloatArray]) -> None:
    """Hand the replicates of a table to whoever waits for them.

    Parameters
    ----------
    cells : sequence of str
        Names of the table's cells.
    points : mapping of statistic -> float64 of shape (n_cells,)
    replicates : mapping of statistic -> float64 of shape (n_cells, n_replicates)
    """
    waiting = _collecting.get()
    assert waiting is not None
    labels = [(name, cell) for name in points for cell in cells]
    waiting.append(
        Collected(labels, np.concatenate(list(points.values())), np.concatenate([replicates[name] for name in points]))
    )


def jointly(plan: BootstrapPlan, calls: Iterable[Callable[..., Any]]) -> Joint:
    """Run several calls under one plan and return their results with the covariance of all estimates.

    Because a replicate weight belongs to the person (or cluster), the replicates of different tables and samples go
    together: the same person has the same weight in each.

    Parameters
    ----------
    plan : BootstrapPlan
        Any but an exact one.
    calls : iterable of callables
        Such as ``partial(lr.aggregate, panel, "earnings", by="sex", statistics="p50")``: without ``plan=``, which is
        given to each.

    Returns
    -------
    Joint
        The results in the order of the calls, and the covariance of every statistic but counts.

    Raises
    ------
    TypeError
        If a call does not take ``plan=``.
    SupportError
        Under an exact plan, for a call that estimates nothing, for more than 5,000 estimates, or where fewer than half
        of the replicates have all estimates defined (cells that are too small).

    Notes
    -----
    Only the covariance is kept, k (k + 1) / 2 numbers; the replicates are gone when the call returns.
    """
    if not isinstance(plan, BootstrapPlan):
        raise TypeError(f"plan is a BootstrapPlan, not {type(plan).__name__}")
    if plan.interval == "exact":
        raise SupportError("an exact plan draws no replicates that could go together; choose another interval")
    if not isinstance(calls, Iterable):
        raise TypeError("calls is a list: give [partial(lr.aggregate, ...), ...], also of one call")
    results: list[Any] = []
    collected: list[Collected] = []
    labels: list[tuple[int, str, str]] = []
    for number, call in enumerate(calls):
        _check_call(number, call)
        with collecting() as waiting:
            results.append(call(plan=plan))
        if not waiting:
            raise SupportError(f"call {number} gave no estimate with replicates")
        collected += waiting
        labels += [(number, *label) for each in waiting for label in each.labels]
        if len(labels) > MAX_ESTIMATES:
            raise SupportError(
                f"{len(labels):,} estimates have too many covariances; ask for at most {MAX_ESTIMATES:,}"
            )
    if not collected:
        raise SupportError("nothing to run: give at least one call")
    index = pd.MultiIndex.from_tuples(labels, names=["call", "statistic", "cell"])
    if any(each.replicates.shape[1] != plan.n_replicates for each in collected):
        raise SupportError("a call changed the plan that it was given: all must use the same")
    point = np.concatenate([each.point for each in collected])
    matrix, n_kept = _covariance(np.concatenate([each.replicates for each in collected]), point)
    return Joint(tuple(results), index, point, matrix, n_kept, plan.level)


def _check_call(number: int, call: Callable[..., Any]) -> None:
    """Refuse what does not take a plan, or has one already."""
    if not callable(call):
        raise TypeError(f"call {number} is a {type(call).__name__}: give partial(lr.aggregate, ...), not its result")
    if "plan" not in inspect.signature(call).parameters:
        raise TypeError(f"call {number} takes no plan=")
    if getattr(call, "keywords", {}).get("plan") is not None:
        raise TypeError(f"call {number} has a plan= of its own; leave it out")


def _covariance(replicates: FloatArray, point: FloatArray) -> tuple[FloatArray, int]:
    """Return the covariance over the replicates that are complete, NaN for estimates that are not defined at all."""
    defined: Any = np.isfinite(point) & np.isfinite(replicates).any(axis=1)
    if not defined.any():
        raise SupportError("no estimate is defined: every cell has too few values")
    complete = np.isfinite(replicates[defined]).all(axis=0)
    n_kept = int(complete.sum())
    if n_kept < len(complete) / 2 or n_kept < 2:
        raise SupportError(
            f"only {n_kept:,} of {len(complete):,} replicates have every estimate defined: some cells are too small; "
            "leave them out with where=, or use fewer keys"
        )
    matrix = np.full((len(replicates), len(replicates)), np.nan)
    matrix[np.ix_(defined, defined)] = np.cov(replicates[np.ix_(defined, complete)]).reshape(2 * (int(defined.sum()),))
    return matrix, n_kept
