from numpy import float64, int32, int64, uint8
from numpy.typing import NDArray

ROWS_PER_BLOCK: int

def rank_lanes(
    values: NDArray[float64],
    weights: NDArray[float64],
    units: NDArray[int32],
    offsets: NDArray[int64],
    counts: NDArray[int64],
    byte_draws: NDArray[uint8],
    real_draws: NDArray[float64],
    counted: bool,
    p: NDArray[float64],
    rule: int,
    tops: NDArray[float64],
    gini: bool,
    room: NDArray[float64],
    out: NDArray[float64],
) -> None: ...
