from numpy import float64, int64, uint8
from numpy.typing import NDArray

def groups(
    rows: NDArray[float64],
    beta: NDArray[float64],
    outcome: NDArray[uint8],
    starts: NDArray[int64],
    likelihood: NDArray[float64],
    scores: NDArray[float64],
    information: NDArray[float64],
) -> None: ...
