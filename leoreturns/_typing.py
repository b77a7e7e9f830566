"""Array aliases and the names of options."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

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
