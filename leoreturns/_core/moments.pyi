from numpy import float64, int32, int64, uint64
from numpy.typing import NDArray

COUNTS: tuple[str, ...]
NUMBERS: tuple[str, ...]

def summarise(
    values: NDArray[float64],
    weights: NDArray[float64],
    persons: NDArray[int32],
    offsets: NDArray[int64],
    keys: NDArray[uint64],
    rising: bool,
    products: NDArray[float64],
    counts: NDArray[int64],
    numbers: NDArray[float64],
    prints: NDArray[uint64],
) -> None: ...
