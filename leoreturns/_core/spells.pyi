from numpy import int16, int32, int64, uint16
from numpy.typing import NDArray

def order_spells(
    persons: NDArray[int32],
    starts: NDArray[int32],
    ends: NDArray[int32],
    spells: NDArray[int32],
    offsets: NDArray[int64],
) -> int: ...
def unite(
    spells: NDArray[int32],
    offsets: NDArray[int64],
    first: int,
    last: int,
    month_starts: NDArray[int32],
    base_year: int,
    row_offsets: NDArray[int64],
    first_year: NDArray[int16],
    days: NDArray[int16],
    months: NDArray[uint16],
    longest: NDArray[int32],
) -> int: ...
