"""How a number is rounded and written, from the family of its statistic and the unit of its column.

Rounding is decimal (half to even) on the shortest text of the float: what is written is exact, on every machine alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from leoreturns.aggregates.statistics import Family, Statistic
from leoreturns.disclosure.policy import Policy
from leoreturns.errors import DisclosureError
from leoreturns.panel.schema import UNITS, is_unit


@dataclass(frozen=True, slots=True)
class Rounding:
    """One way of rounding and the unit of what comes out.

    Attributes
    ----------
    unit : str
        Unit as written: that of the column, "count", "per cent" or "ratio".
    to : "multiple", "sigfig" or "decimals"
        To a multiple, to significant figures or to decimal places.
    amount : int
        The multiple, or the number of figures or decimals.
    scale : int
        Factor applied first (100 for percentages).
    """

    unit: str
    to: Literal["multiple", "sigfig", "decimals"]
    amount: int
    scale: int = 1

    @property
    def words(self) -> str:
        """The rounding in words."""
        match self.to:
            case "multiple":
                return f"to the nearest {self.amount:,}"
            case "sigfig":
                return f"{self.amount} significant figure{'s' * (self.amount != 1)}"
            case "decimals":
                return f"{self.amount} decimal place{'s' * (self.amount != 1)}"

    def text(self, number: float) -> str:
        """Return a finite number rounded, in plain decimal notation."""
        exact = Decimal(repr(number)) * self.scale
        match self.to:
            case "multiple":
                rounded = _quantized(exact / self.amount, 0) * self.amount
            case "sigfig":
                once = _quantized(exact, exact.adjusted() - self.amount + 1)
                # 9.996 became 10.00 at three figures: one too many.
                rounded = _quantized(once, once.adjusted() - self.amount + 1)
            case "decimals":
                rounded = _quantized(exact, -self.amount)
        return _plain(rounded)

    def step(self, text: str) -> Decimal:
        """Return the distance of a written number from the next one that could have been written."""
        match self.to:
            case "multiple":
                return Decimal(self.amount)
            case "sigfig":
                return Decimal(1).scaleb(Decimal(text).adjusted() - self.amount + 1)
            case "decimals":
                return Decimal(1).scaleb(-self.amount)

    def of_error(self, policy: Policy) -> Rounding:
        """Return the rounding of the standard error of a statistic that has this one: two significant figures.

        The base of money would print 0 for the error of a large cell, which claims certainty, and it is there for
        amounts that a person may have, which an error is not. What an error does tell is the size of its cell, as
        (sd / error)**2, or p (1 - p) / error**2 of a proportion: at four figures the exact count of any cell below some
        thousands of persons. Two figures leave that count 1 to 10 per cent on either side, besides the 4 per cent (one
        standard deviation) by which the draws of 999 replicates blur it, and tell no more than the ends of the
        interval do.
        """
        figures = min(policy.error_sigfig, self.amount) if self.to == "sigfig" else policy.error_sigfig
        return replace(self, to="sigfig", amount=figures)


def text_to(number: float, step: Decimal) -> str:
    """Return a finite number to the nearest multiple of a step, in plain decimal notation."""
    return _plain(_quantized(Decimal(repr(number)) / step, 0) * step)


def _plain(rounded: Decimal) -> str:
    """Return a rounded number in plain decimal notation, zero without a sign or decimals."""
    return "0" if rounded == 0 else f"{rounded:f}"


def _quantized(number: Decimal, exponent: int) -> Decimal:
    """Return a number rounded to a power of ten."""
    return number.quantize(Decimal(1).scaleb(exponent), rounding=ROUND_HALF_EVEN)


def rounding_of(
    statistic: Statistic, variable: str | None, unit: str | None, policy: Policy, *, weight: float = 1.0
) -> Rounding:
    """Choose the rounding of a statistic.

    Parameters
    ----------
    statistic : Statistic
        Its family decides, and for values the unit.
    variable : str or None
        The column described, for the message.
    unit : str or None
        Its unit: "<currency>/year", "<currency>/hour" or "log". Counts, proportions and ratios need none.
    policy : Policy
        Bases, figures and decimals.
    weight : float
        Average weight of a row of the table.

    Raises
    ------
    DisclosureError
        If a statistic of the values has no unit, or one whose rounding is not defined.
    """
    match statistic.family:
        case "count":
            return Rounding("count", "multiple", policy.count_base)
        case "weight":
            # Rows that stand for a thousand each, rounded to five, would tell their exact number.
            return Rounding("count", "multiple", policy.count_base * _rounded_up(weight))
        case "proportion":
            return Rounding("per cent", "decimals", policy.pct_dp, scale=100)
        case "ratio":
            return Rounding("ratio", "sigfig", policy.ratio_sigfig)
    if unit is None:
        raise DisclosureError(
            f"column '{variable}' has no unit, so '{statistic.name}' cannot be rounded: name it when the panel is made,"
            f" Panel.from_frame(..., units={{'{variable}': 'GBP/year'}}); of a true/false column release 'share'"
        )
    if not is_unit(unit):
        raise DisclosureError(
            f"column '{variable}' has unit '{unit}', for which no rounding is defined: known are {UNITS}"
        )
    if statistic.family == "square":
        return Rounding(f"{unit} squared", "sigfig", policy.money_sigfig)
    return _value_rounding(statistic.family, unit, policy)


def _rounded_up(number: float) -> int:
    """Return the least of 1, 2, 5, 10, 20, 50, ... that is not below a number."""
    power = 1
    while number > 5 * power:
        power *= 10
    return next(power * digit for digit in (1, 2, 5) if number <= power * digit)


def _value_rounding(family: Family, unit: str, policy: Policy) -> Rounding:
    """Choose the rounding of a statistic that is in the unit of the column."""
    if family == "total":
        # A sum of annual pay to the nearest 100, divided by the count, would give the mean to the penny.
        return Rounding(unit, "sigfig", policy.money_sigfig)
    if unit == "log":
        return Rounding(unit, "decimals", policy.log_dp)
    if unit.endswith("/year"):
        return Rounding(unit, "multiple", policy.money_base)
    return Rounding(unit, "sigfig", policy.money_sigfig)
