"""Errors of leoreturns. A message names the column, the counts and the remedy, never a person's value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = [
    "ClusterWarning",
    "ConvergenceError",
    "DisclosureError",
    "ExtractError",
    "LeoReturnsError",
    "NotIdentifiedError",
    "PanelError",
    "StudyError",
    "SupportError",
    "WeightWarning",
]


class LeoReturnsError(Exception):
    """Any error that leoreturns raises on purpose."""


class ExtractError(LeoReturnsError):
    """The LEO tables cannot be used as they are: files, columns, types, dates or links."""


class PanelError(LeoReturnsError):
    """The person-period data cannot be used as they are: ids, periods, columns, types or files."""


class SupportError(LeoReturnsError):
    """The data cannot support the statistic asked for: an unknown name, too many cells, no rows."""


class NotIdentifiedError(LeoReturnsError):
    """A parameter is not identified by the data: no variation, too few instruments, a singular matrix."""


class ConvergenceError(LeoReturnsError):
    """An iteration did not converge."""


class DisclosureError(LeoReturnsError):
    """A release is refused; nothing has been written."""


class StudyError(LeoReturnsError):
    """A study file cannot be run as it is: the message names the key and what to do."""


class ClusterWarning(UserWarning):
    """The clusters are too few, or too unequal, for standard errors of the kind asked for."""


class WeightWarning(UserWarning):
    """The weight of an arm lies in few hands: the arms hardly overlap, or it has few persons."""


@contextmanager
def silenced(kinds: type[Exception] | tuple[type[Exception], ...], ours: Callable[[Any], Exception]) -> Iterator[None]:
    """Raise an error of ours instead of one whose text may quote values, and keep nothing of that one.

    After ``raise ... from None`` it would still be there as the context of ours, where what logs or sends errors looks.

    Parameters
    ----------
    kinds : type or tuple of types
        Errors to take the place of.
    ours : callable
        From such an error to the one to raise.
    """
    try:
        yield
    except kinds as error:
        told = ours(error)
        try:
            raise told
        finally:
            told.__context__ = None
