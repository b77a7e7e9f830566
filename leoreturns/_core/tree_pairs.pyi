from numpy import float64, int64, uint8, uint64
from numpy.typing import NDArray

def without_replacement(
    focus: NDArray[float64],
    focus_offsets: NDArray[int64],
    order: NDArray[int64],
    rows: NDArray[float64],
    offsets: NDArray[int64],
    nodes: NDArray[int64],
    boxes: NDArray[float64],
    keys: NDArray[uint64],
    scored: bool,
    reach: float,
    closest: bool,
    first: int,
    last: int,
    left: NDArray[int64],
    used: NDArray[uint8],
    x: NDArray[float64],
    room: NDArray[float64],
    out: NDArray[int64],
) -> None: ...
