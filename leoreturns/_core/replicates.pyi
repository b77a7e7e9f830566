from numpy import float64, int32, int64, uint8
from numpy.typing import NDArray

LANES: dict[str, int]

def sum_lanes(
    columns: NDArray[float64],
    units: NDArray[int32],
    offsets: NDArray[int64],
    counts: NDArray[int64],
    byte_draws: NDArray[uint8],
    real_draws: NDArray[float64],
    room: NDArray[float64],
    out: NDArray[float64],
) -> None: ...
def pack_units(
    values: NDArray[float64], codes: NDArray[float64], offsets: NDArray[int64], units: NDArray[int32]
) -> int: ...
def own_units(
    units: NDArray[int32],
    offsets: NDArray[int64],
    counts: NDArray[int64],
    places: NDArray[int32],
    out: NDArray[int32],
) -> None: ...
def sum_units(
    columns: NDArray[float64],
    units: NDArray[int32],
    offsets: NDArray[int64],
    counts: NDArray[int64],
    seen: NDArray[int64],
    out: NDArray[float64],
    out_units: NDArray[int32],
    out_counts: NDArray[int64],
) -> None: ...
