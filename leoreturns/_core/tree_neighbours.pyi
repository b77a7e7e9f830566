from numpy import float64, int64, uint64
from numpy.typing import NDArray

def nearest(
    focus: NDArray[float64],
    strata: NDArray[int64],
    asked: NDArray[int64],
    rows: NDArray[float64],
    offsets: NDArray[int64],
    nodes: NDArray[int64],
    boxes: NDArray[float64],
    counts: NDArray[int64],
    keys: NDArray[uint64],
    k: int,
    scored: bool,
    reach: float,
    ties: bool,
    first: int,
    last: int,
    room: NDArray[float64],
    seats: NDArray[int64],
    sizes: NDArray[int64],
    places: NDArray[int64],
) -> None: ...
