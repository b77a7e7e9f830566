"""Array aliases, the names of options, and the small frozen objects that several layers take as options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
UIntArray: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
ByteArray: TypeAlias = npt.NDArray[np.uint8]
CodeArray: TypeAlias = npt.NDArray[np.signedinteger[Any]]
AnyArray: TypeAlias = npt.NDArray[Any]

Level: TypeAlias = Literal["person", "year"]
Missing: TypeAlias = Literal["drop", "group", "error"]
Cells: TypeAlias = Literal["observed", "all"]
QuantileRule: TypeAlias = Literal[1, 2, 3, 4, 5, 6, 7, 8, 9]
WeightKind: TypeAlias = Literal["frequency", "probability", "analytic"]
ContrastKind: TypeAlias = Literal["difference", "ratio", "percent"]


@dataclass(frozen=True, slots=True)
class Weights:
    """A column of weights and what they mean.

    Parameters
    ----------
    column : str
        Name of a numeric column; negative weights are refused, rows with a missing or zero weight carry no value.
    kind : "frequency", "probability" or "analytic"
        "frequency": whole numbers, a row stands for that many equal rows. "probability": inverse chances of being
        observed. "analytic": inverse variances of the rows' errors, in regressions.
    """

    column: str
    kind: WeightKind

    def __post_init__(self) -> None:
        if self.kind not in get_args(WeightKind):
            raise ValueError(f"weights are of kind {', '.join(get_args(WeightKind))}, not {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Contrast:
    """A comparison of two levels of a key, made for every statistic of a table and every crossing of the other keys.

    Parameters
    ----------
    key : str
        One of the table's keys: a trait, or a year column to compare years.
    level, base : label
        The level compared, and the one it is compared with.
    kind : "difference", "ratio" or "percent"
        ``level - base``, ``level / base`` or ``100 (level / base - 1)``. Of means, percentiles and ranges of a variable
        in logs the ratio is ``exp(level - base)``: that of geometric means, or of the percentiles themselves.
    """

    key: str
    level: Any
    base: Any
    kind: ContrastKind = "difference"

    def __post_init__(self) -> None:
        if self.kind not in get_args(ContrastKind):
            raise ValueError(f"a contrast is of kind {', '.join(map(repr, get_args(ContrastKind)))}, not {self.kind!r}")
        if self.level == self.base:
            raise ValueError(f"a contrast compares two levels of '{self.key}', not one with itself")

    @property
    def label(self) -> str:
        """The contrast in words, such as ``union: yes v no (difference)``."""
        return f"{self.key}: {self.level} v {self.base} ({self.kind})"
