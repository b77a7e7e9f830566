from numpy import float64, int64
from numpy.typing import NDArray

def sums(
    at: NDArray[float64],
    at_offsets: NDArray[int64],
    x: NDArray[float64],
    values: NDArray[float64],
    offsets: NDArray[int64],
    bandwidth: float,
    width: float,
    coefficients: NDArray[float64],
    bell: bool,
    first: int,
    last: int,
    powers: NDArray[float64],
    origins: NDArray[float64],
    held: NDArray[int64],
    out: NDArray[float64],
) -> None: ...
