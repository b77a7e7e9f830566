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
WeightKind: TypeAlias = Literal["frequency", "probability"]


@dataclass(frozen=True, slots=True)
class Weights:
    """A column of weights and what they mean.

    Parameters
    ----------
    column : str
        Name of a numeric column; negative weights are refused, rows with a missing or zero weight carry no value.
    kind : "frequency" or "probability"
        "frequency": whole numbers, a row stands for that many equal rows. "probability": inverse chances of being
        observed.
    """

    column: str
    kind: WeightKind

    def __post_init__(self) -> None:
        if self.kind not in get_args(WeightKind):
            raise ValueError(f"weights are of kind {' or '.join(get_args(WeightKind))}, not {self.kind!r}")
