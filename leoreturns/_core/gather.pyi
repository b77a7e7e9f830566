from numpy import float64, int32, int64, uint8, uint64
from numpy.typing import NDArray

def count_rows(
    trait: NDArray[int32],
    offsets: NDArray[int64],
    codes: NDArray[uint8],
    code_size: int,
    mask: NDArray[uint8],
    width: int,
    counts: NDArray[int64],
) -> bool: ...
def count_people(trait: NDArray[int32], counts: NDArray[int64]) -> None: ...
def order_people(
    trait: NDArray[int32],
    keys: NDArray[uint64],
    first: int,
    place: NDArray[int64],
    position: NDArray[int64],
    people: NDArray[int32],
    keys_out: NDArray[uint64],
) -> None: ...
def fill_rows(
    people: NDArray[int32],
    bounds: NDArray[int64],
    full: NDArray[uint8],
    offsets: NDArray[int64],
    codes: NDArray[uint8],
    code_size: int,
    mask: NDArray[uint8],
    width: int,
    values: NDArray[uint8],
    value_size: int,
    kind: int,
    cursor: NDArray[int64],
    position: NDArray[int64],
    values_out: NDArray[float64],
    persons_out: NDArray[int32],
) -> None: ...
def number_persons(offsets: NDArray[int64], first: NDArray[int64], persons: NDArray[int32]) -> None: ...
