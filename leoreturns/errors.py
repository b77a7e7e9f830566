"""Errors of leoreturns. A message names the column, the counts and the remedy, never a person's value."""


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
