from numpy import float64, int32, int64, uint64
from numpy.typing import NDArray

ITEMS: int
LIMIT: int

def person_powers(keys: NDArray[uint64], out: NDArray[uint64]) -> None: ...
def sketch_cells(
    values: NDArray[float64],
    persons: NDArray[int32],
    offsets: NDArray[int64],
    members: NDArray[uint64],
    out: NDArray[uint64],
    out_value: NDArray[uint64],
) -> None: ...
def difference_size(first: NDArray[uint64], second: NDArray[uint64]) -> int: ...
