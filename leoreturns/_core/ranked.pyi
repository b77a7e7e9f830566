from numpy import float64, int32, int64, uint64
from numpy.typing import NDArray

def rank_cells(
    values: NDArray[float64],
    weights: NDArray[float64],
    persons: NDArray[int32],
    offsets: NDArray[int64],
    n_value: NDArray[int64],
    totals: NDArray[float64],
    frequency: bool,
    p: NDArray[float64],
    rule: int,
    tops: NDArray[float64],
    key_room: NDArray[uint64],
    weight_room: NDArray[float64],
    out: NDArray[float64],
    below: NDArray[int64],
    tied: NDArray[int64],
    above: NDArray[int64],
    gini: NDArray[float64],
    shares: NDArray[float64],
) -> None: ...
def order_cells(
    values: NDArray[float64],
    weights: NDArray[float64],
    units: NDArray[int32],
    offsets: NDArray[int64],
    counts: NDArray[int64],
    key_room: NDArray[uint64],
    place_room: NDArray[float64],
    out: NDArray[float64],
    out_weights: NDArray[float64],
    out_units: NDArray[int32],
) -> None: ...
