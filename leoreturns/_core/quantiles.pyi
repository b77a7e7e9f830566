from numpy import float64, int32, int64, uint8, uint32
from numpy.typing import NDArray

def percentiles(
    values: NDArray[float64],
    persons: NDArray[int32],
    offsets: NDArray[int64],
    n_value: NDArray[int64],
    n_person: NDArray[int64],
    low: NDArray[float64],
    high: NDArray[float64],
    p: NDArray[float64],
    rule: int,
    free: NDArray[float64],
    spare: NDArray[float64],
    bins: NDArray[uint32],
    slot: NDArray[uint8],
    out: NDArray[float64],
    below: NDArray[int64],
    tied: NDArray[int64],
    above: NDArray[int64],
    largest: NDArray[int64],
    second: NDArray[float64],
) -> None: ...
