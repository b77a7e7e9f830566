"""Definitions: what counts as employment, as activity, as a year's pay, as named presets with single overrides.

Several definitions of "employed" are in use and give different numbers. None is a default: a preset is named, and what
it means is written into the panel's settings and on into every result.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import pandas as pd

Sustained: TypeAlias = Literal["twelve months", "five of six", "181 days"]
UncertainDates: TypeAlias = Literal["keep", "exclude", "unknown"]
PayWithoutDays: TypeAlias = Literal["missing", "as paid"]
SectorRule: TypeAlias = Literal["pay", "enterprise"]
SharedIds: TypeAlias = Literal["drop", "first"]
SelfEmployment: TypeAlias = Literal["exclude", "include"]
OutOfWork: TypeAlias = Literal["flag", "fft"]

OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "sustained": Sustained,
        "uncertain_dates": UncertainDates,
        "pay_without_days": PayWithoutDays,
        "sector": SectorRule,
        "shared_ids": SharedIds,
        "self_employment": SelfEmployment,
        "out_of_work": OutOfWork,
    }
)
WHOLE = ("last_tax_year", "months_in_row", "minimum_days", "price_year", "moves_across_2012")
REAL = ("annualised_cap",)
# Settings by preset, beyond those that all share.
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # The Department's report of May 2021 on post-16 education and the labour market.
        "dfe-2021": {
            "sustained": "twelve months",
            "cohorts": range(2002, 2008),
            "last_tax_year": 2017,
            "price_year": 2017,
        },
        # The Department's statistics on destinations of further and higher education.
        "dfe-statistics": {"sustained": "five of six", "self_employment": "include", "price_year": 2020},
        # FFT Education Datalab's derived tables: they name a tax year by its end, so that their prices of 2015 are ours
        # of 2014.
        "fft": {"sustained": "181 days", "out_of_work": "fft", "price_year": 2014},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """How a panel is derived from linked tables; made by `Definitions.preset`.

    Attributes
    ----------
    name : str
        The preset.
    cohorts : tuple of int
        Calendar years in which key stage 4 ended.
    last_tax_year : int
        Start year of the last tax year of the panel; at most that of the extract.
    sustained : "twelve months", "five of six" or "181 days"
        Sustained employment: a day in every tax month; a day in at least five of the calendar months October to March;
        or a joined spell of at least 181 days.
    self_employment : "exclude" or "include"
        Whether self-employment, known from tax year 2013 on, counts as paid work and as sustained employment.
    out_of_work : "flag" or "fft"
        Benefits that are out-of-work benefits: those that the table flags, or the types on FFT's list.
    months_in_row : int
        Consecutive tax months with a day that make learning or a benefit a year's activity.
    uncertain_dates : "keep", "exclude" or "unknown"
        Days of employment in a tax year in which a spell begins or ends by default: taken as they are, left out, or
        whatever hangs on them unknown.
    minimum_days : int
        Days employed below which pay is not annualised.
    pay_without_days : "missing" or "as paid"
        Annualised earnings where there is pay and no day of employment.
    annualised_cap : float or None
        Annualised earnings above it are missing, unless employed all days of the year.
    deflator : mapping of tax year -> index
        Price index by the start year of the tax year.
    price_year : int
        Tax year in whose prices real earnings are.
    sector : "pay" or "enterprise"
        Industry section that paid most, or that of the main enterprise.
    moves_across_2012 : bool
        Whether moves between 2012 and 2013, where residence was recoded, are taken as moves.
    shared_ids : "drop" or "first"
        Ids that the lookups link to several persons: linked to nobody, or to the first.
    """

    name: str
    cohorts: tuple[int, ...]
    last_tax_year: int
    sustained: Sustained
    self_employment: SelfEmployment = "exclude"
    out_of_work: OutOfWork = "flag"
    months_in_row: int = 6
    uncertain_dates: UncertainDates = "keep"
    minimum_days: int = 1
    pay_without_days: PayWithoutDays = "missing"
    annualised_cap: float | None = None
    deflator: Mapping[int, float]
    price_year: int
    sector: SectorRule = "pay"
    moves_across_2012: bool = False
    shared_ids: SharedIds = "drop"

    @classmethod
    def preset(
        cls, name: str, *, deflator: Mapping[int, float] | pd.Series[float] | pd.DataFrame, **overrides: Any
    ) -> Definitions:
        """Return the definitions of a preset, with single settings changed.

        Parameters
        ----------
        name : "dfe-2021", "dfe-statistics" or "fft"
            "dfe-2021": the report of May 2021 (a day of employment in every month; cohorts 2002 to 2007, tax years to
            2017-18, its prices). "dfe-statistics": sustained employment as in destination statistics, self-employment
            among it. "fft": 181 days of continuous employment, prices of 2014-15.
        deflator : mapping, Series or DataFrame
            Price index by the start year of the tax year; a frame has the columns ``tax_year`` and ``index``. No index
            is built in: name the one your results rest on.
        **overrides
            Settings by their names, such as ``minimum_days=30``.

        Raises
        ------
        ValueError
            For an unknown preset, setting or option, or a deflator that lacks a year or is not positive.
        """
        if name not in PRESETS:
            raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
        known = {entry.name for entry in dataclasses.fields(cls)} - {"name", "deflator"}
        if unknown := sorted(set(overrides) - known):
            raise ValueError(f"no setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        settings: dict[str, Any] = {"cohorts": range(2002, 2021), "last_tax_year": 2020, **PRESETS[name], **overrides}
        settings["cohorts"] = _cohorts(settings["cohorts"])
        settings |= {name: _typed(name, settings[name]) for name in (*WHOLE, *REAL) if name in settings}
        made = cls(name=name, deflator=_index(deflator), **settings)
        made._check()
        return made

    def _check(self) -> None:
        """Refuse settings that contradict each other or are none of their options."""
        for name, options in OPTIONS.items():
            if getattr(self, name) not in get_args(options):
                allowed = ", ".join(map(repr, get_args(options)))
                raise ValueError(f"{name} is one of {allowed}, not {getattr(self, name)!r}")
        if not 1 <= self.months_in_row <= 12:
            raise ValueError(f"months_in_row lies between 1 and 12, not {self.months_in_row}")
        if not 1 <= self.minimum_days <= 366:
            raise ValueError(f"minimum_days lies between 1 and 366, not {self.minimum_days}")
        if self.annualised_cap is not None and not self.annualised_cap > 0:
            raise ValueError("annualised_cap is positive or None")
        if self.last_tax_year <= min(self.cohorts):
            raise ValueError("last_tax_year lies after the first cohort's key stage 4")
        years = {*range(min(self.cohorts) + 1, self.last_tax_year + 1), self.price_year}
        if missing := sorted(years - set(self.deflator)):
            raise ValueError(f"the deflator lacks tax years {', '.join(map(str, missing))}")

    @property
    def settings(self) -> dict[str, Any]:
        """All settings as plain values, for the record of a panel and its results."""
        found = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}
        return found | {"cohorts": list(self.cohorts), "deflator": {str(y): v for y, v in self.deflator.items()}}

    def __repr__(self) -> str:
        years = f"cohorts {self.cohorts[0]} to {self.cohorts[-1]}, tax years to {self.last_tax_year}"
        return f"<Definitions {self.name!r}: sustained employment by {self.sustained}, {years}>"


def illustrative_deflator() -> dict[int, float]:
    """Return a made-up price index that grows by two per cent a year, for trials on simulated data.

    Returns
    -------
    dict of int -> float
        Tax years 1997 to 2030, 100 in 2017. It is no published index: results in print need one that is.
    """
    return {year: 100.0 * 1.02 ** (year - 2017) for year in range(1997, 2031)}


def _typed(name: str, value: Any) -> Any:
    """Return a number as Python's own, so that every setting is a plain value."""
    if value is None and name in REAL:
        return None
    try:
        found = float(value) if name in REAL else operator.index(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is a number, not {value!r}") from None
    return bool(found) if name == "moves_across_2012" else found


def _cohorts(cohorts: Iterable[int]) -> tuple[int, ...]:
    """Return cohorts ascending, each once."""
    found = tuple(sorted({int(year) for year in cohorts}))
    if not found:
        raise ValueError("name at least one cohort: the calendar years in which key stage 4 ended")
    return found


def _index(deflator: Mapping[int, float] | pd.Series[float] | pd.DataFrame) -> Mapping[int, float]:
    """Return a price index by tax year."""
    if isinstance(deflator, pd.DataFrame):
        if lacking := [name for name in ("tax_year", "index") if name not in deflator.columns]:
            raise ValueError(f"the deflator has no column {', '.join(lacking)}")
        deflator = deflator.set_index("tax_year")["index"]
    found = {int(year): float(level) for year, level in deflator.items()}  # type: ignore[call-overload]
    if not all(level > 0 and level < float("inf") for level in found.values()):
        raise ValueError("the deflator holds an index that is missing, not positive or infinite")
    return MappingProxyType(dict(sorted(found.items())))
