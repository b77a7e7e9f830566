from numpy import float64, int64
from numpy.typing import NDArray

def levels(n: int) -> int: ...
def build(
    rows: NDArray[float64],
    scales: NDArray[float64],
    offsets: NDArray[int64],
    nodes: NDArray[int64],
    first: int,
    last: int,
    order: NDArray[int64],
    boxes: NDArray[float64],
) -> None: ...
