from numpy import int32, int64, uint8
from numpy.typing import NDArray

def take(
    values: NDArray[uint8], itemsize: int, order: NDArray[int64], first: int, last: int, out: NDArray[uint8]
) -> None: ...
def expand(
    values: NDArray[uint8], itemsize: int, offsets: NDArray[int64], first: int, last: int, out: NDArray[uint8]
) -> None: ...
def constant_within(
    values: NDArray[uint8], itemsize: int, coded: bool, floating: bool, offsets: NDArray[int64], first: int, last: int
) -> tuple[int, int]: ...
def observed(values: NDArray[uint8], itemsize: int, base: int, first: int, last: int, seen: NDArray[uint8]) -> int: ...
def recode(
    values: NDArray[uint8],
    itemsize: int,
    base: int,
    table: NDArray[int32],
    first: int,
    last: int,
    out: NDArray[uint8],
    out_itemsize: int,
) -> None: ...
def interact(codes: NDArray[uint8], itemsize: int, n_levels: int, first: int, cell: NDArray[int64]) -> None: ...
def count_persons(selection: NDArray[uint8], offsets: NDArray[int64]) -> int: ...
