from numpy import float64, int64
from numpy.typing import NDArray

def pair(
    focus: NDArray[float64],
    focus_offsets: NDArray[int64],
    pool: NDArray[float64],
    pool_offsets: NDArray[int64],
    first: int,
    last: int,
    began: NDArray[int64],
    room: NDArray[float64],
    out: NDArray[int64],
) -> None: ...
