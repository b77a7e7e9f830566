"""BootstrapPlan: what is resampled, how often, by which scheme, and which interval is made of the replicates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from numbers import Real
from operator import index
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np

from leoreturns._typing import CodeArray, UIntArray
from leoreturns.errors import SupportError

Scheme: TypeAlias = Literal["poisson", "bayesian", "multinomial"]
IntervalKind: TypeAlias = Literal["percentile", "basic", "normal", "bca", "studentised", "exact"]

PERSON = "person"
MAX_REPLICATES = 10_000_000  # far beyond use; a replicate's number has 32 bits
# Their ends are quantiles of the replicates, which reach no further out than the extreme replicates.
BY_QUANTILES = ("percentile", "basic", "bca", "studentised")


class SamplingFrame(Protocol):
    """Anything that knows its sampling units: a Panel, a Scan."""

    def units(self, unit: str, strata: Sequence[str] = ()) -> tuple[UIntArray, CodeArray]:
        """Return the distinct keys of the sampling units, ascending, and the stratum number of each."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Units:
    """The sampling units of a frame, without the frame.

    Attributes
    ----------
    unit : str
        What they are: "person" or a column.
    by : tuple of str
        Columns of their strata.
    keys : uint64 array of shape (n_units,)
        Distinct, ascending. Read-only.
    strata : int32 array of shape (n_units,)
        Stratum number of each unit, from 0. Read-only.
    """

    unit: str
    by: tuple[str, ...]
    keys: UIntArray
    strata: CodeArray

    def __post_init__(self) -> None:
        if not len(self.keys):
            raise SupportError(f"the frame has no unit '{self.unit}' to draw from")
        if len(self.strata) != len(self.keys) or not (self.keys[1:] > self.keys[:-1]).all() or self.strata.min() < 0:
            raise ValueError("a frame gives distinct unit keys in ascending order, and a stratum number for each")
        if alone := int(np.count_nonzero(np.bincount(self.strata) == 1)):
            raise SupportError(
                f"of {len(np.unique(self.strata)):,} strata of the frame {alone:,} hold a single unit, which would "
                "never vary: join strata"
            )
        self.keys.flags.writeable = self.strata.flags.writeable = False

    @classmethod
    def of(cls, frame: SamplingFrame, unit: str, by: Sequence[str]) -> Units:
        """Read the units of a frame."""
        if not callable(getattr(frame, "units", None)):
            raise TypeError(f"frame is a Panel or a Scan, not {type(frame).__name__}")
        keys, strata = frame.units(unit, by)
        return cls(unit, tuple(by), np.array(keys, dtype=np.uint64), np.array(strata, dtype=np.int32))

    def units(self, unit: str, strata: Sequence[str] = ()) -> tuple[UIntArray, CodeArray]:
        """Return keys and strata, if they are of this unit and these strata; so that a changed plan keeps its frame."""
        if (unit, tuple(strata)) != (self.unit, self.by):
            raise ValueError("the plan's frame was read for another unit or other strata; give frame= again")
        return self.keys, self.strata

    @property
    def fingerprint(self) -> int:
        """Sum of the keys modulo 2**64: tells frames apart without naming anyone."""
        return int(self.keys.sum(dtype=np.uint64))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Units):
            return NotImplemented
        same = (self.unit, self.by) == (other.unit, other.by)
        return same and np.array_equal(self.keys, other.keys) and np.array_equal(self.strata, other.strata)

    def __hash__(self) -> int:
        return hash((self.unit, self.by, len(self.keys), self.fingerprint))

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor, because arrays come back writable from a pickle.
        return Units, (self.unit, self.by, self.keys, self.strata)

    def __repr__(self) -> str:
        return f"<{len(self.keys):,} units in {len(np.unique(self.strata)):,} strata>"


@dataclass(frozen=True, slots=True)
class BootstrapPlan:
    """How sampling units are resampled, and which confidence interval is made of the replicates.

    Parameters
    ----------
    n_replicates : int
        Replicates. With 999, the ends of a percentile interval at level 0.95 are the 25th and the 975th of them.
    unit : str
        What is resampled whole: "person", with all rows of the person, or a cluster column such as "school".
    seed : int
        From 0 to below 2**64. There is no default: it belongs to the record of an analysis.
    scheme : "poisson", "bayesian" or "multinomial"
        How units are weighted in a replicate:

        - "poisson": independent Poisson(1) counts (Chamandy, Muralidharan, Najmi and Naidu 2012). For persons, and
          wherever units are many: no unit needs to know of any other, so parts of the data can be drawn one by one.
        - "bayesian": independent exponential(1) weights (Rubin 1981). No unit ever has weight zero, so that small cells
          and rare levels stay in every replicate; the statistic must take weights that are not whole.
        - "multinomial": as many draws with replacement as the frame has units, within each stratum (Efron 1979). For
          few clusters, or a design with strata; it needs `frame`, and holds one byte per unit and replicate.
    strata : str or sequence of str
        Columns within whose crossings units are drawn; with "multinomial" alone.
    interval : "percentile", "basic", "normal", "bca", "studentised" or "exact"
        "exact" is the limit of ever more multinomial replicates of each cell's own persons, from order statistics
        (Hutson and Ernst 2000). It draws nothing: unit, scheme, strata and frame stay at their defaults.
    level : float
        Confidence level between 0 and 1.
    frame : Panel or Scan, optional
        Whose units a "multinomial" scheme draws from. The plan keeps their keys and strata, not the data.

    Raises
    ------
    ValueError
        For settings outside their range or that contradict each other, and for too few replicates for the level.
    SupportError
        For a frame without a unit.

    Notes
    -----
    A weight is a pure function of the seed, the replicate and the unit's key (Philox4x32-10, Salmon, Moraes, Dror and
    Shaw 2011): the same person has the same weight in every table and regression, for any number of threads, order of
    the rows or partition of the data. Two units whose 64-bit keys are equal share a weight.
    """

    n_replicates: int = 999
    _: KW_ONLY
    unit: str = PERSON
    seed: int
    scheme: Scheme = "poisson"
    strata: Sequence[str] = ()
    interval: IntervalKind = "percentile"
    level: float = 0.95
    frame: SamplingFrame | None = None

    def __post_init__(self) -> None:
        self._store("n_replicates", _whole("n_replicates", self.n_replicates, 2, MAX_REPLICATES))
        self._store("seed", _whole("seed", self.seed, 0, 2**64 - 1))
        self._store("strata", (self.strata,) if isinstance(self.strata, str) else tuple(self.strata))
        if not isinstance(self.unit, str) or not self.unit:
            raise ValueError("unit is 'person' or the name of a cluster column")
        if not all(isinstance(name, str) and name for name in self.strata) or len(set(self.strata)) < len(self.strata):
            raise ValueError("strata are names of columns, each given once")
        _known("scheme", self.scheme, Scheme)
        _known("interval", self.interval, IntervalKind)
        if not isinstance(self.level, Real) or not 0 < self.level < 1:
            raise ValueError(f"level lies between 0 and 1, such as 0.95, not {self.level!r}")
        self._store("level", float(self.level))
        self._check_scheme()
        self._check_replicates()
        if self.frame is not None and not isinstance(self.frame, Units):
            self._store("frame", Units.of(self.frame, self.unit, self.strata))
        elif self.frame is not None:
            self.frame.units(self.unit, self.strata)

    def _store(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_scheme(self) -> None:
        """Refuse what the scheme, or the exact interval, has no use for."""
        if self.interval == "exact":
            if (self.unit, self.scheme, self.strata, self.frame) != (PERSON, "poisson", (), None):
                raise ValueError(
                    "interval='exact' is that of independent persons and draws nothing: leave unit, scheme, strata and "
                    "frame at their defaults, or choose interval='percentile'"
                )
        elif self.scheme == "multinomial":
            if self.frame is None:
                raise ValueError("scheme='multinomial' draws from a frame of units: give frame=, a Panel or Scan")
        elif self.strata:
            raise ValueError(
                f"strata change nothing with scheme={self.scheme!r}, whose weights are independent between units; "
                "leave them out, or choose scheme='multinomial' with frame="
            )
        elif self.frame is not None:
            raise ValueError(f"scheme={self.scheme!r} needs no frame=: units are weighted independently of each other")

    def _check_replicates(self) -> None:
        """Refuse a level whose ends lie beyond the extreme replicates."""
        # The level as it is written: in binary, 1 - 0.9 falls short of a tenth.
        tail = (1 - Fraction(repr(self.level))) / 2
        needed = math.ceil(1 / tail) - 1
        if self.interval in BY_QUANTILES and self.n_replicates < needed:
            raise ValueError(
                f"interval={self.interval!r} at level {self.level} needs at least {needed:,} replicates, "
                f"not {self.n_replicates:,}"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """The plan as plain values, for the record of a result; of a frame no more than its size and fingerprint."""
        found: dict[str, Any] = {
            "n_replicates": self.n_replicates,
            "unit": self.unit,
            "seed": self.seed,
            "scheme": self.scheme,
            "strata": list(self.strata),
            "interval": self.interval,
            "level": self.level,
        }
        if isinstance(self.frame, Units):
            found |= {"n_units": len(self.frame.keys), "fingerprint": self.frame.fingerprint}
        return found


def _whole(name: str, value: Any, low: int, high: int) -> int:
    """Return a whole number of any integer type, within its bounds."""
    try:
        number = index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        raise ValueError(f"{name} is a whole number from {low:,} to {high:,}, not {value!r}")
    return number


def _known(name: str, value: Any, options: Any) -> None:
    if value not in get_args(options):
        raise ValueError(f"{name} is one of {', '.join(map(repr, get_args(options)))}, not {value!r}")
