from numpy import float64, int32, int64
from numpy.typing import NDArray

def centre(columns: NDArray[float64], weights: NDArray[float64], starts: NDArray[int64]) -> None: ...
def slot_moments(
    columns: NDArray[float64],
    weights: NDArray[float64],
    slots: NDArray[int32],
    starts: NDArray[int64],
    centred: bool,
    cross: NDArray[float64],
    pairs: NDArray[float64],
    counts: NDArray[float64],
) -> None: ...
def residualise(columns: NDArray[float64], slots: NDArray[int32], table: NDArray[float64]) -> None: ...
